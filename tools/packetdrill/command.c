/* SPDX-License-Identifier: MIT */
/*
 * command.c - what stands in backquotes
 *
 * On the system that packetdrill was made for these are shell commands, most of them sysctl settings.
 * Here the settings are the simulated host's, so they are read and obeyed without any shell; so are
 * shell files that consist of them. What has no object here (routes' metrics, queueing disciplines of
 * a device) does nothing; sleep lets simulated time pass. Any other command would act on the machine
 * and is run with --shell only; without it the script is skipped, and the reason says so.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/core/sysctl.h"
#include "tools/packetdrill/run.h"

enum { MAX_WORDS = 64, MAX_FILE = 65536, MAX_NESTING = 4 };

struct shell {
	struct run *run;
	int line;
	int nesting; /* files that name files */
	const char *dir; /* of the script, with its slash; names of files count from there */
};

static bool run_text(struct shell *sh, const char *text);

/* ---- words ----------------------------------------------------------------------------------- */

/* $((15*1024*1024)) at @s: its value; the bytes it takes, or 0. */
static size_t arithmetic(const char *s, long long *value)
{
	const char *p = s + 3;
	char *end;

	if (strncmp(s, "$((", 3) != 0)
		return 0;
	for (*value = 1;; p = end + 1) {
		long long v = strtoll(p, &end, 10);

		if (end == p || __builtin_mul_overflow(*value, v, value))
			return 0;
		while (*end == ' ')
			end++;
		if (*end != '*')
			break;
	}
	return strncmp(end, "))", 2) == 0 ? (size_t)(end + 2 - s) : 0;
}

/* Cuts one command into words at @out, quotes resolved, without its comment; the number of words, or -1. */
static int split_words(const char *s, size_t len, char *out, size_t room, char **words)
{
	size_t i, n = 0, skip;
	char quote = 0;
	int count = 0;
	bool inside = false;
	long long v;

	for (i = 0; i < len; i++) {
		if (n + 32 >= room || count >= MAX_WORDS)
			return -1;
		if (!quote && !inside && s[i] == '#')
			break;
		if (!quote && (strchr(" \t\r\n", s[i]) || (s[i] == '\\' && i + 1 < len && s[i + 1] == '\n'))) {
			if (inside)
				out[n++] = '\0';
			inside = false;
			continue;
		}
		if (!inside) {
			words[count++] = out + n;
			inside = true;
		}
		skip = quote != '\'' && len - i > 4 ? arithmetic(s + i, &v) : 0;
		if (skip && skip <= len - i) {
			n += (size_t)snprintf(out + n, room - n, "%lld", v);
			i += skip - 1;
		} else if (quote ? s[i] == quote : s[i] == '"' || s[i] == '\'') {
			quote = quote ? 0 : s[i];
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = '\0';
	return quote ? -1 : count;
}

/* "> /dev/null 2>&1" at the end goes away. */
static int strip_redirections(char **words, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (strcmp(words[i], ">") == 0 || strncmp(words[i], ">/dev/null", 10) == 0 ||
		    strncmp(words[i], "2>", 2) == 0)
			return i;
	return count;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* Settings of what makes no difference to the packets of a simulated host, which therefore has none of it. */
static bool setting_without_object(const char *name)
{
	static const char *const names[] = {
		"net.ipv4.tcp_fack", "net.ipv4.tcp_limit_output_bytes", "net.ipv4.tcp_no_metrics_save",
		"net.ipv4.tcp_tso_win_divisor", "net.mptcp.enabled",
	};
	char dotted[SYSCTL_NAME_MAX];
	size_t i;

	snprintf(dotted, sizeof(dotted), "%s", strncmp(name, "/proc/sys/", 10) == 0 ? name + 10 : name);
	if (strchr(dotted, '/'))
		sysctl_swap_separators(dotted);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(dotted, names[i]) == 0)
			return true;
	return false;
}

static bool set_one(struct shell *sh, char *assignment)
{
	char *eq = strchr(assignment, '='), why[300];
	int err;

	if (!eq)
		return run_wrong(sh->run, sh->line, "'%.80s' sets nothing: name=value is missing", assignment);
	*eq = '\0';
	if (setting_without_object(assignment))
		return true;
	err = sysctl_set(sh->run->sim.net, assignment, eq + 1, why, sizeof(why));
	if (err && sysctl_mode(sh->run->sim.net, assignment) >= 0)
		return run_wrong(sh->run, sh->line, "%s", why);
	return err == 0 || run_skip(sh->run, sh->line, "%s", why);
}

static bool run_sysctl(struct shell *sh, char **words, int count)
{
	int i;

	for (i = 1; i < count; i++)
		if (words[i][0] != '-' && !set_one(sh, words[i]))
			return false;
	return true;
}

/* echo 1 > /proc/sys/net/... */
static bool run_echo(struct shell *sh, char **words, int count)
{
	char assignment[300];
	int to, n = 0;

	for (to = 1; to < count && words[to][0] != '>'; to++)
		n += snprintf(assignment, sizeof(assignment), "%s", words[to]) > 0;
	if (to == count)
		return true;
	if (n != 1 || to + 2 != count || strncmp(words[to + 1], "/proc/sys/", 10) != 0)
		return run_skip(sh->run, sh->line, "echo to %.80s needs the shell (--shell)",
				to + 1 < count ? words[to + 1] : "?");
	snprintf(assignment, sizeof(assignment), "%.140s=%.140s", words[to + 1], words[1]);
	return set_one(sh, assignment);
}

static bool run_sleep(struct shell *sh, const char *seconds)
{
	double s = strtod(seconds, NULL);

	if (!(s >= 0 && s < 1e6))
		return run_wrong(sh->run, sh->line, "sleep %.40s", seconds);
	return run_until(sh->run, sim_now(&sh->run->sim) + (int64_t)(s * 1e6));
}

/* The text of a file beside the script; NULL = none. To be freed. */
static char *read_file(const struct shell *sh, const char *name)
{
	char path[PATH_MAX], *text;
	FILE *f;
	size_t n;

	if (name[0] == '/')
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%.1000s%.1000s", sh->dir, name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	text = malloc(MAX_FILE);
	n = text ? fread(text, 1, MAX_FILE - 1, f) : 0;
	if (text)
		text[n] = '\0';
	fclose(f);
	return text;
}

/* A shell file that is made of the commands above. */
static bool run_file(struct shell *sh, const char *name)
{
	char *text;
	bool ok;

	if (sh->nesting >= MAX_NESTING)
		return run_skip(sh->run, sh->line, "%.80s: files name files too deeply", name);
	text = read_file(sh, name);
	if (!text)
		return run_skip(sh->run, sh->line, "%.80s: %s", name, strerror(errno));
	sh->nesting++;
	ok = run_text(sh, text);
	sh->nesting--;
	free(text);
	return ok;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_command(const char *word, const char *name)
{
	const char *slash = strrchr(word, '/');

	return strcmp(slash ? slash + 1 : word, name) == 0;
}

/* One that acts on what does not exist here. */
static bool without_object(char **words, int count)
{
	if (strcmp(words[0], "tc") == 0 || strcmp(words[0], "true") == 0 || strcmp(words[0], ":") == 0)
		return true;
	if (strncmp(words[0], "/tmp/sysctl_restore_", 20) == 0)
		return true;
	return count > 1 && strcmp(words[0], "ip") == 0 && strcmp(words[1], "tcp_metrics") == 0;
}

static bool run_words(struct shell *sh, char **words, int count, const char *text, size_t len)
{
	if (is_command(words[0], "echo"))
		return run_echo(sh, words, count);
	count = strip_redirections(words, count);
	if (count == 0)
		return true;
	if (is_command(words[0], "sysctl") || is_command(words[0], "set_sysctls.py"))
		return run_sysctl(sh, words, count);
	if (is_command(words[0], "sleep") && count == 2)
		return run_sleep(sh, words[1]);
	if (without_object(words, count))
		return true;
	if (ends_with(words[0], ".sh") && count == 1)
		return run_file(sh, words[0]);
	return run_skip(sh->run, sh->line, "command '%.*s' needs the shell (--shell)",
			len > 80 ? 80 : (int)len, text);
}

static bool run_one(struct shell *sh, const char *text, size_t len)
{
	char *words[MAX_WORDS], buf[2048];
	int count;

	while (len && strchr(" \t\r", *text)) {
		text++;
		len--;
	}
	if (!len || *text == '#')
		return true;
	count = split_words(text, len, buf, sizeof(buf), words);
	if (count < 0)
		return run_skip(sh->run, sh->line, "command '%.*s' needs the shell (--shell)",
				len > 80 ? 80 : (int)len, text);
	return count == 0 || run_words(sh, words, count, text, len);
}

/* Length of the command at @s: up to a line's end, ";" or "&&" outside of quotes. */
static size_t command_length(const char *s)
{
	char quote = 0;
	size_t i;

	for (i = 0; s[i]; i++) {
		if (s[i] == '\\' && s[i + 1] == '\n') {
			i++; /* goes on in the next line */
		} else if (quote) {
			quote = s[i] == quote ? 0 : quote;
		} else if (s[i] == '#' && (i == 0 || s[i - 1] == ' ')) {
			return i + strcspn(s + i, "\n");
		} else if (s[i] == '"' || s[i] == '\'') {
			quote = s[i];
		} else if (s[i] == '\n' || s[i] == ';' || (s[i] == '&' && s[i + 1] == '&')) {
			break;
		}
	}
	return i;
}

static bool run_text(struct shell *sh, const char *text)
{
	while (*text) {
		size_t len = command_length(text);

		if (!run_one(sh, text, len))
			return false;
		text += len;
		text += strspn(text, "\n;&");
	}
	return true;
}

/* The folder of the script, with a slash; "" for the present one. */
static void folder(const char *name, char *buf, size_t size)
{
	const char *slash = strrchr(name, '/');

	snprintf(buf, size, "%.*s", slash ? (int)(slash - name) + 1 : 0, name);
}

/* The real shell, in the script's folder, as packetdrill has it. */
static bool real_shell(struct run *r, const char *text, int line)
{
	char dir[PATH_MAX], *command;
	int status;

	folder(r->script->name, dir, sizeof(dir));
	if (asprintf(&command, "cd '%s' && %s", dir[0] ? dir : ".", text) < 0)
		return run_fail(r, line, "out of memory");
	fflush(NULL);
	status = system(command); /* NOLINT(cert-env33-c): --shell asks for it */
	free(command);
	return status == 0 || run_fail(r, line, "the command failed with status %d", status);
}

/**
 * play_command() - a command in backquotes
 * @r:     run
 * @text:  command, or several
 * @line:  where it begins
 *
 * Return:  false after a failure, or when the script must be skipped
 */
bool play_command(struct run *r, const char *text, int line)
{
	char dir[PATH_MAX];
	struct shell sh = { .run = r, .line = line, .dir = dir };

	folder(r->script->name, dir, sizeof(dir));
	if (run_text(&sh, text))
		return true;
	if (!r->cfg.shell || r->verdict != PLAY_SKIP)
		return false;
	r->verdict = PLAY_PASS;
	return real_shell(r, text, line);
}

/**
 * play_init_scripts() - the files of --init_scripts
 * @r:  run
 *
 * Return:  false after a failure
 */
bool play_init_scripts(struct run *r)
{
	const char *p = r->cfg.init_scripts;
	struct shell sh = { .run = r, .line = 0, .dir = "" };
	char name[PATH_MAX];

	while (p && *p) {
		size_t n = strcspn(p, ",");

		snprintf(name, sizeof(name), "%.*s", (int)n, p);
		if (n && !run_file(&sh, name))
			return false;
		p += n + (p[n] == ',');
	}
	return true;
}
