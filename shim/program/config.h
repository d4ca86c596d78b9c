/* SPDX-License-Identifier: MIT */
/* What the environment asked for, read once, and the log. */
#ifndef SHIM_PROGRAM_CONFIG_H
#define SHIM_PROGRAM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_OFF = 0, LOG_ERROR, LOG_WARNING, LOG_INFORM, LOG_DEBUGGING };

enum {
	HOST_NAME_MAX_LEN =
		96, /* "wireshim/KEY" and "/s" must fit a sun_path with its leading zero */
};

struct config {
	char host[HOST_NAME_MAX_LEN]; /* "wireshim/KEY", empty while unknown */
	uint64_t token;
	char hostname[64]; /* --hostname: what the program is told; empty = the kernel's */
	enum log_level log;
	bool quiet;	     /* WIRESHIM_LOG=off, said and not just so */
	bool bare;	     /* no host handed down, but the settings for one are there */
	bool settings;	     /* WIRESHIM_DEV or the like: a host can be started */
	bool thread;	     /* WIRESHIM_HOST=thread */
	bool loopback_known; /* WIRESHIM_LOOPBACK was given */
	bool loopback_stack; /* and says stack */
};

extern struct config config;

void config_load(void);
bool config_wants_host(void);
bool config_host_parse(const char *line, char *host, uint64_t *token);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_fatal_once(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One predicted-false test where nobody listens. */
#define shim_log(level, ...)                                    \
	do {                                                    \
		if (__builtin_expect(config.log >= (level), 0)) \
			log_write(level, __VA_ARGS__);          \
	} while (0)

#endif
