/* SPDX-License-Identifier: MIT */
/*
 * --sysctl: settings of the stack, given once or several times.
 *
 * All of them together are one text, NAME=VALUE with commas or ends of lines between them; what follows a
 * comma and has no '=' belongs to the value in front (a list of ports, two keys). They are tried out on a
 * namespace of their own, in their order, so that a wrong one is told before anything is started. The canonical
 * text has names with dots and values as the stack shows them: two spellings of one setting compare equal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/host/config.h"
#include "stack/core/sysctl.h"
#include "stack/stack.h"

/* A setting in a text, not ended by zeroes. */
struct item {
	const char *name, *value;
	size_t name_len, value_len;
};

static int say(char *err, int ret, const char *why)
{
	snprintf(err, CONFIG_ERR_SIZE, "--sysctl: %.300s", why);
	return ret;
}

/* Does the comma in front of @s end a setting, or is what follows more of its value? */
static bool begins_item(const char *s)
{
	s += strspn(s, " \t\r");
	return !*s || *s == ',' || *s == '\n' || s[strcspn(s, "=,\n")] == '=';
}

static const char *end_of_item(const char *s)
{
	for (;; s++) {
		s += strcspn(s, ",\n");
		if (*s != ',' || begins_item(s + 1))
			return s;
	}
}

static void trim(const char **s, size_t *len)
{
	while (*len && strchr(" \t\r", **s)) {
		++*s;
		--*len;
	}
	while (*len && strchr(" \t\r", (*s)[*len - 1]))
		--*len;
}

/* The next setting at *@text, which moves behind it. False: the end; name_len 0: there is none in it. */
static bool next_item(const char **text, struct item *it)
{
	const char *end, *eq;

	*text += strspn(*text, ",\n \t\r");
	if (!**text)
		return false;
	end = end_of_item(*text);
	eq = memchr(*text, '=', (size_t)(end - *text));
	*it = (struct item){ .name = *text, .name_len = (size_t)((eq ? eq : end) - *text) };
	it->value = eq ? eq + 1 : end;
	it->value_len = (size_t)(end - it->value);
	trim(&it->name, &it->name_len);
	trim(&it->value, &it->value_len);
	if (!eq)
		it->value = NULL;
	*text = end;
	return true;
}

static bool same_name(const struct item *a, const struct item *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

/* The setting of that name in a canonical text. */
static bool find_item(const char *text, const struct item *wanted, struct item *out)
{
	while (text && next_item(&text, out))
		if (same_name(wanted, out))
			return true;
	return false;
}

/* Into a canonical text, in place of what it said of the name. False: no room. */
static bool put_item(char *out, size_t size, const char *name, const char *value)
{
	struct item had, now = { .name = name, .name_len = strlen(name) };
	size_t len;

	if (find_item(out, &now, &had)) {
		char *from = out + (had.name - out), *behind = out + (had.value - out) + had.value_len;

		if (*behind == ',')
			behind++;
		else if (from > out)
			from--;
		memmove(from, behind, strlen(behind) + 1);
	}
	len = strlen(out);
	return (size_t)snprintf(out + len, size - len, "%s%s=%s", len ? "," : "", name, value) < size - len;
}

/* As the stack shows it, blanks for tabs; what cannot be read stays as it was written. */
static void canonical_value(struct net *net, const char *name, char *value, size_t size)
{
	ssize_t n = sysctl_read(net, name, value, size - 1);

	if (n <= 0)
		return;
	value[n - (value[n - 1] == '\n')] = '\0';
	for (char *p = value; *p; p++)
		if (*p == '\t')
			*p = ' ';
}

static int take_item(struct net *net, const struct item *it, char *out, char *err)
{
	char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX], text[2 * SYSCTL_NAME_MAX], why[CONFIG_ERR_SIZE - 8];

	snprintf(text, sizeof(text), "%.*s", (int)(it->name_len < sizeof(text) ? it->name_len : sizeof(text)), it->name);
	if (!it->value || !it->name_len) {
		snprintf(why, sizeof(why), "'%.100s' is not NAME=VALUE", text);
		return say(err, -EINVAL, why);
	}
	if (it->value_len >= sizeof(value))
		return say(err, -EINVAL, "a value is longer than 4095 characters");
	snprintf(value, sizeof(value), "%.*s", (int)it->value_len, it->value);
	if (sysctl_set(net, text, value, why, sizeof(why))) {
		snprintf(err, CONFIG_ERR_SIZE, "--%s", why);
		return -EINVAL;
	}
	sysctl_path(text, name);
	canonical_value(net, name, value, sizeof(value));
	sysctl_swap_separators(name);
	return put_item(out, CONFIG_TEXT_SIZE, name, value) ? 0 :
	       say(err, -EINVAL, "all of them together are longer than 16000 characters");
}

static int take_all(struct net *net, const char *text, char *out, char *err)
{
	struct item it;
	int ret = 0;

	while (ret == 0 && next_item(&text, &it))
		ret = take_item(net, &it, out, err);
	return ret;
}

/**
 * config_set_sysctl() - one more text of settings
 * @cfg:   its text says what was given before
 * @value: NAME=VALUE, or several with commas or line ends between them
 * @out:   canonical text of all, CONFIG_TEXT_SIZE bytes
 * @err:   one line
 *
 * The first one of the command line replaces what the environment had.
 * Return: 0, -EINVAL, -ENOMEM
 */
int config_set_sysctl(struct host_config *cfg, const char *value, char *out, char *err)
{
	static const uint8_t seed[32];
	const char *had = cfg->text[OPT_SYSCTL] && !cfg->sysctl_from_env ? cfg->text[OPT_SYSCTL] : "";
	struct net *net;
	int ret;

	if (!value[strspn(value, ", \t\n")])
		return say(err, -EINVAL, "NAME=VALUE is missing");
	if (stack_create(seed, 1, &net))
		return say(err, -ENOMEM, "out of memory");
	out[0] = '\0';
	ret = take_all(net, had, out, err);
	if (ret == 0)
		ret = take_all(net, value, out, err);
	if (ret == 0)
		cfg->sysctl_from_env = false;
	net_destroy(net);
	return ret;
}

/**
 * config_apply_sysctl() - a new host gets its settings
 * @cfg: checked
 * @net: its stack
 * @err: one line
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int config_apply_sysctl(const struct host_config *cfg, struct net *net, char *err)
{
	char *scratch;
	int ret;

	if (!cfg->text[OPT_SYSCTL])
		return 0;
	scratch = calloc(1, CONFIG_TEXT_SIZE);
	if (!scratch)
		return say(err, -ENOMEM, "out of memory");
	ret = take_all(net, cfg->text[OPT_SYSCTL], scratch, err);
	free(scratch);
	return ret;
}

/**
 * config_compare_sysctl() - does a running host have all settings that a program asks for?
 * @net:   its stack: what counts is what they are now
 * @asked: the program's
 * @err:   one line
 *
 * Return: 0; -EEXIST
 */
int config_compare_sysctl(struct net *net, const char *asked, char *err)
{
	char name[SYSCTL_NAME_MAX], value[SYSCTL_VALUE_MAX];
	struct item want;

	while (next_item(&asked, &want)) {
		if (!want.value)
			want.value = "";
		snprintf(name, sizeof(name), "%.*s", (int)want.name_len, want.name);
		snprintf(value, sizeof(value), "%.*s", (int)want.value_len, want.value);
		canonical_value(net, name, value, sizeof(value));
		if (strlen(value) == want.value_len && memcmp(value, want.value, want.value_len) == 0)
			continue;
		snprintf(err, CONFIG_ERR_SIZE, "the running host has --sysctl %.95s=%.100s, not %.*s: set it there ('wireshim "
			 "sysctl'), end the host first ('wireshim stop') or drop the option", name, value,
			 (int)MIN(want.value_len, 100), want.value);
		return -EEXIST;
	}
	return 0;
}
