/* SPDX-License-Identifier: MIT */
/* The command and its verbs, a file a verb. */
#ifndef TOOLS_WIRESHIM_H
#define TOOLS_WIRESHIM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/host/config.h"
#include "shim/protocol.h"
#include "shim/rules.h"

enum { EXIT_USAGE = 2, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

/* --- verbs; argv[0] is the verb's name; each returns the exit status --- */
int verb_run(int argc, char **argv);
int verb_attach(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_sysctl(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_lab(int argc, char **argv);
int verb_packetdrill(int argc, char **argv); /* packetdrill/ */

/* --- lab.c: run --lab --- */
int lab_run_program(int argc, char **argv);

/* --- wireshim.c --- */
/* "wireshim: ..." on standard error; returns EXIT_USAGE. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- options.c --- */
struct rules_text;
/*
 * Options of the command line over those of the environment; *first = index of what follows them.
 * @rules: of a verb that takes --rule and --rules, else NULL.
 */
int options_parse(int argc, char **argv, struct host_config *cfg, struct rules_text *rules, int *first);
/* Puts the settings into the environment, for the host and for bare preloading. */
int options_export(const struct host_config *cfg);
void options_help(void);

/* --- rules.c: --rule and --rules --- */
struct rules_text {
	char bytes[RULES_TEXT_MAX]; /* one rule a line, checked */
	size_t len;
	unsigned int count;
	bool given;
};
/* Each returns 0, or EXIT_USAGE after one line. */
int rules_add(struct rules_text *rules, const char *rule);
int rules_add_file(struct rules_text *rules, const char *path);
/* Those of the command line, else checks those of the environment, into the environment. */
int rules_export(const struct rules_text *rules);

/* --- client.c: a control connection of ours --- */
struct client {
	int fd;
	uint32_t seq;
	char key[CONFIG_KEY_SIZE];
	struct ctl_hello_reply hello;
};

/* 0; -ECONNREFUSED: nobody is there; -EPROTO: another version; -EACCES: not for us; -EAGAIN: it just ended. */
int client_dial(struct client *c, const char *key);
/* Result of the request, or -EPIPE; data of the answer into @reply, zero-terminated, *got bytes. */
int client_call(struct client *c, uint16_t op, const void *data, size_t len, char *reply, size_t room,
		size_t *got);
void client_close(struct client *c);
/* Calls @fn for the key of each host of this network namespace; stops when it returns non-zero. */
int client_each(int (*fn)(const char *key, void *arg), void *arg);

/* --- status.c: a host that runs --- */
/*
 * The host that options name (or the inherited one, or the only one) and a connection to it; *first = index of
 * what follows the options. 0, or an exit status after one line.
 */
int host_connect(int argc, char **argv, struct client *c, int *first);
/* One line on why a host could not be asked; the exit status. */
int host_explain(const char *key, int ret);

/* --- launch.c --- */
/* Connects to the host of @cfg, starting it when none runs. 0, or EXIT_USAGE after one line. */
int launch_host(const struct host_config *cfg, struct client *c);

/* --- program.c: what is to be run --- */
/* Finds it as execvp() does; 0 or an exit status after one line. */
int program_find(const char *name, char *path, size_t size);
/* Refuses what cannot be preloaded: static, set-user-id, with capabilities. */
int program_check(const char *path);

#endif
