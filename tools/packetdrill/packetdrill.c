/* SPDX-License-Identifier: MIT */
/*
 * packetdrill.c - `wireshim packetdrill [options] SCRIPT...`
 *
 * Each script is played against a fresh stack. A line on standard output for each that did not pass;
 * the exit status is that of the worst: 0 all passed, 1 one failed, 2 one could not be read or is
 * wrong, 77 none failed and one was skipped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packetdrill/config.h"
#include "tools/packetdrill/run.h"
#include "tools/wireshim.h"

enum { MAX_SCRIPT = 16 << 20 };

struct command_line {
	struct drill_config cfg;
	char **defines; /* NAME=VALUE */
	int ndefines;
};

static int usage(void)
{
	printf("wireshim packetdrill [options] SCRIPT...\n\n"
	       "Plays scripts in packetdrill's language against this stack, in simulated time.\n"
	       "Exit status: 0 passed, 1 failed, 2 wrong script or option, 77 skipped.\n\n");
	drill_config_help();
	return fflush(stdout) ? 1 : 0;
}

/* ---- one script ------------------------------------------------------------------------------ */

/* The whole file, to be freed; NULL with errno. */
static char *read_script(const char *name, size_t *len)
{
	FILE *f = fopen(name, "re");
	char *text = NULL, *bigger;
	size_t room = 0, n = 1;

	*len = 0;
	if (!f)
		return NULL;
	while (n > 0 && *len < MAX_SCRIPT) {
		room += 65536;
		bigger = realloc(text, room);
		if (!bigger)
			break;
		text = bigger;
		n = fread(text + *len, 1, room - *len, f);
		*len += n;
	}
	if (n > 0 || ferror(f)) {
		errno = *len >= MAX_SCRIPT ? EFBIG : ferror(f) ? EIO : ENOMEM;
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static enum verdict take_options(const struct script *s, struct drill_config *cfg, char *message, size_t size)
{
	const struct script_option *o;
	char why[200];
	int err;

	for (o = s->options; o; o = o->next) {
		if (strcmp(o->name, "define") == 0)
			continue;
		err = drill_config_set(cfg, o->name, o->value, why, sizeof(why));
		if (err == 0)
			continue;
		snprintf(message, size, "%.400s:%d:%d: %s", s->name, o->line, o->col, why);
		return err == -ENOTSUP ? PLAY_SKIP : PLAY_WRONG;
	}
	return PLAY_PASS;
}

static enum verdict parse(const struct command_line *cl, const char *name, struct script *s, char *message,
			  size_t size)
{
	struct script_error err = { 0 };
	size_t len;
	char *text = read_script(name, &len);
	int i, ret = 0;

	if (!text) {
		snprintf(message, size, "%.400s: %s", name, strerror(errno));
		return PLAY_WRONG;
	}
	for (i = 0; i < cl->ndefines && ret == 0; i++)
		ret = script_define(s, cl->defines[i]);
	if (ret == 0)
		ret = script_parse(name, text, len, s, &err);
	free(text);
	if (ret == -EINVAL)
		snprintf(message, size, "%.400s:%d:%d: %s", name, err.line, err.col, err.text);
	else if (ret < 0)
		snprintf(message, size, "%.400s: %s", name, strerror(-ret));
	return ret < 0 ? PLAY_WRONG : PLAY_PASS;
}

static enum verdict play(const struct command_line *cl, const char *name)
{
	struct run *r = calloc(1, sizeof(*r));
	struct script s = { 0 };
	enum verdict v;

	if (!r) {
		complain("out of memory");
		return PLAY_WRONG;
	}
	r->cfg = cl->cfg;
	r->script = &s;
	v = parse(cl, name, &s, r->message, sizeof(r->message));
	if (v == PLAY_PASS)
		v = take_options(&s, &r->cfg, r->message, sizeof(r->message));
	if (v == PLAY_PASS && !r->cfg.dry_run)
		v = run_script(r);
	if (v == PLAY_SKIP)
		printf("skip %s\n", r->message);
	else if (v != PLAY_PASS)
		printf("%s\n", r->message);
	else if (r->cfg.verbose)
		printf("%s: passed\n", name);
	fflush(stdout);
	script_free(&s);
	free(r);
	return v;
}

/* ---- the command line ------------------------------------------------------------------------ */

/* "--name=value", "--name value", "-DNAME=VALUE", "-v" at argv[*i]; *i is moved on. */
static int take_option(struct command_line *cl, char **argv, int *i)
{
	char *arg = argv[*i], *eq, name[64], why[200];
	const char *value = NULL;

	if (strncmp(arg, "-D", 2) == 0) {
		cl->defines[cl->ndefines++] = arg[2] ? arg + 2 : argv[++*i];
		return cl->defines[cl->ndefines - 1] ? 0 : complain("-D needs NAME=VALUE");
	}
	if (strcmp(arg, "-v") == 0)
		arg = (char *)"--verbose";
	if (strncmp(arg, "--", 2) != 0)
		return complain("unknown option '%.60s' ('wireshim packetdrill --help' lists what there is)", arg);
	eq = strchr(arg, '=');
	snprintf(name, sizeof(name), "%.*s", eq ? (int)(eq - arg - 2) : 63, arg + 2);
	value = eq ? eq + 1 : NULL;
	if (strcmp(name, "define") == 0) {
		if (!value)
			value = argv[++*i];
		if (!value || !strchr(value, '=') || value[0] == '=')
			return complain("--define needs NAME=VALUE");
		cl->defines[cl->ndefines++] = (char *)(uintptr_t)value;
		return 0;
	}
	return drill_config_set(&cl->cfg, name, value, why, sizeof(why)) < 0 ? complain("%s", why) : 0;
}

/* The graver of two: wrong, failed, skipped, passed. */
static enum verdict worse(enum verdict a, enum verdict b)
{
	static const enum verdict order[] = { PLAY_WRONG, PLAY_FAIL, PLAY_SKIP };
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return PLAY_PASS;
}

/**
 * verb_packetdrill() - plays scripts
 * @argc:  arguments, the verb's name included
 * @argv:  the same
 *
 * Return:  exit status
 */
int verb_packetdrill(int argc, char **argv)
{
	struct command_line cl = { 0 };
	enum verdict worst = PLAY_PASS;
	int i, err;

	drill_config_init(&cl.cfg);
	cl.defines = calloc((size_t)argc + 1, sizeof(*cl.defines));
	if (!cl.defines)
		return complain("out of memory");
	for (i = 1; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			free(cl.defines);
			return usage();
		}
		err = take_option(&cl, argv, &i);
		if (err) {
			free(cl.defines);
			return err;
		}
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc) {
		free(cl.defines);
		return complain("which script? 'wireshim packetdrill SCRIPT...'");
	}
	for (; i < argc; i++)
		worst = worse(worst, play(&cl, argv[i]));
	free(cl.defines);
	return (int)worst;
}
