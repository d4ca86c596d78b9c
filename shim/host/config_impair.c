/* SPDX-License-Identifier: MIT */
/*
 * --impair: texts of impairments, given once or several times, or read from a file.
 *
 * All of them together are one text, which is parsed as a whole: a rate in one may have its queue in
 * another. The canonical text has one line, semicolons between statements and no comments, so that it
 * fits an environment variable and compares equal however it was given; what stood in a file is in it,
 * so that the file may change afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netif/impair.h"
#include "shim/host/config.h"

static int say(char *err, int ret, const char *what, const char *why)
{
	snprintf(err, CONFIG_ERR_SIZE, "--impair: %.300s: %.150s", what, why);
	return ret;
}

/* The file's text into @buf (CONFIG_TEXT_SIZE). */
static int read_file(const char *path, char *buf, char *err)
{
	FILE *f = fopen(path, "re");
	size_t n;
	int bad;

	if (!f)
		return say(err, -EINVAL, path[0] ? path : "'@'", path[0] ? strerror(errno) : "names no file");
	n = fread(buf, 1, CONFIG_TEXT_SIZE, f);
	bad = ferror(f) ? errno : 0;
	fclose(f);
	if (bad)
		return say(err, -EINVAL, path, strerror(bad));
	if (n == CONFIG_TEXT_SIZE)
		return say(err, -EINVAL, path, "is longer than 16000 characters");
	buf[n] = 0;
	if (strlen(buf) != n)
		return say(err, -EINVAL, path, "is not a text");
	return 0;
}

/* One line, no comments, single blanks; never longer than @text. */
static void flatten(const char *text, char *out)
{
	char *start = out;
	char last = ';';

	for (; *text; text++) {
		char c = *text;

		if (c == '#') {
			text += strcspn(text, "\n");
			c = *text ? '\n' : ' ';
			text -= !*text;
		}
		c = c == '\n' ? ';' : c == '\t' || c == '\r' ? ' ' : c;
		if (c == ';' && last == ' ' && out > start)
			out--;
		if (c == ';' && out > start && out[-1] == ';')
			last = ';';
		if ((c == ' ' || c == ';') && last == ';')
			continue;
		if (c == ' ' && last == ' ')
			continue;
		*out++ = c;
		last = c;
	}
	while (out > start && (out[-1] == ' ' || out[-1] == ';'))
		out--;
	*out = 0;
}

static int parse_all(struct host_config *cfg, const char *text, size_t before, const char *value, char *err)
{
	struct impair_plan *plan;
	struct impair_error e;
	char where[300];
	int ret = impair_parse(text, &plan, &e);

	if (ret == 0) {
		impair_plan_free(cfg->plan);
		cfg->plan = plan;
		return 0;
	}
	if (e.line == 1)
		e.column -= (unsigned int)before;
	if (value[0] == '@')
		snprintf(where, sizeof(where), "%.200s:%u:%u", value + 1, e.line, e.column);
	else
		snprintf(where, sizeof(where), "at character %u of '%.200s'", e.column, value);
	return say(err, ret, where, e.reason);
}

/**
 * config_set_impair() - one more text of impairments
 * @cfg:   gets the plan of all of them
 * @value: a text, or "@FILE"
 * @out:   canonical text of all, CONFIG_TEXT_SIZE bytes
 * @err:   one line
 *
 * The first one of the command line replaces what the environment had.
 * Return: 0, -EINVAL, -ENOMEM
 */
int config_set_impair(struct host_config *cfg, const char *value, char *out, char *err)
{
	const char *had = cfg->text[OPT_IMPAIR] && !cfg->impair_from_env ? cfg->text[OPT_IMPAIR] : "";
	size_t before = had[0] ? strlen(had) + 1 : 0;
	char *text = malloc(2 * CONFIG_TEXT_SIZE + 2);
	int ret = 0;

	if (!text)
		return say(err, -ENOMEM, "out of memory", "");
	snprintf(text, CONFIG_TEXT_SIZE, "%s%s", had, had[0] ? ";" : "");
	if (value[0] == '@')
		ret = read_file(value + 1, text + before, err);
	else if (strlen(value) >= CONFIG_TEXT_SIZE)
		ret = say(err, -EINVAL, "the text", "is longer than 16000 characters");
	else
		memcpy(text + before, value, strlen(value) + 1);
	if (ret == 0 && strlen(text) >= CONFIG_TEXT_SIZE)
		ret = say(err, -EINVAL, "all texts together", "are longer than 16000 characters");
	if (ret == 0)
		ret = parse_all(cfg, text, before, value, err);
	if (ret == 0)
		flatten(text, out);
	cfg->impair_from_env &= ret != 0;
	free(text);
	return ret;
}

/**
 * config_check_impair() - whether the devices that the plan names are there
 * @err: one line
 *
 * Return: 0, -EINVAL
 */
int config_check_impair(const struct host_config *cfg, char *err)
{
	const char *dev = cfg->text[OPT_DEV], *name = NULL;

	if (cfg->text[OPT_SEED] && !cfg->text[OPT_IMPAIR]) {
		snprintf(err, CONFIG_ERR_SIZE, "--seed needs --impair: nothing else is left to chance");
		return -EINVAL;
	}
	while (cfg->plan && (name = impair_plan_next_dev(cfg->plan, name))) {
		if (strcmp(name, "lo") == 0 || (dev && strcmp(name, dev) == 0))
			continue;
		snprintf(err, CONFIG_ERR_SIZE, "--impair: this host has no device '%s' (%s%slo)", name, dev ? dev : "",
			 dev ? ", " : "");
		return -EINVAL;
	}
	return 0;
}
