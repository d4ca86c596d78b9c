/* SPDX-License-Identifier: MIT */
/*
 * The environment, read once at load, because programs wipe theirs later (nginx workers, sshd
 * sessions); and the log: one write(2) a line, so that lines of several processes do not mix, off
 * unless WIRESHIM_LOG asks for it.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config config;

static enum log_level parse_level(const char *text)
{
	static const char *const names[] = { "off", "err", "warn", "info", "debug" };

	for (int i = 0; text && i < 5; i++)
		if (!strcmp(text, names[i]))
			return (enum log_level)i;
	return LOG_OFF;
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/**
 * config_host_parse() - take "SOCKET TOKENHEX" apart, as WIRESHIM_SOCKET/TOKEN and `wireshim
 * attach` give it
 * @line:  the text; a missing token is 0
 * @host:  room for HOST_NAME_MAX_LEN bytes
 * @token: the token
 *
 * Return: false when it does not name a host of ours
 */
bool config_host_parse(const char *line, char *host, uint64_t *token)
{
	size_t len = strcspn(line, " \n");

	if (strncmp(line, "wireshim/", 9) || len >= HOST_NAME_MAX_LEN - 4)
		return false;
	memcpy(host, line, len);
	host[len] = 0;
	*token = line[len] == ' ' ? strtoull(line + len + 1, NULL, 16) : 0;
	return true;
}

/**
 * config_load() - read the environment
 */
void config_load(void)
{
	const char *host = getenv("WIRESHIM_SOCKET");
	const char *token = getenv("WIRESHIM_TOKEN");
	const char *loopback = getenv("WIRESHIM_LOOPBACK");
	const char *placement = getenv("WIRESHIM_HOST");
	const char *hostname = getenv("WIRESHIM_HOSTNAME");
	const char *log = getenv("WIRESHIM_LOG");
	uint64_t unused;

	config.log = parse_level(log);
	config.quiet = log && !strcmp(log, "off");
	if (host && *host && !config_host_parse(host, config.host, &unused))
		log_fatal_once("WIRESHIM_SOCKET=%s does not name a host of wireshim", host);
	if (token)
		config.token = strtoull(token, NULL, 16);
	config.thread = placement && !strcmp(placement, "thread");
	config.settings =
		is_set("WIRESHIM_DEV") || is_set("WIRESHIM_ADDR") || is_set("WIRESHIM_HOST_NAME");
	config.bare = !config.host[0] && (config.thread || config.settings);
	if (hostname && strlen(hostname) < sizeof(config.hostname))
		memcpy(config.hostname, hostname, strlen(hostname));
	config.loopback_known = loopback && *loopback;
	config.loopback_stack = loopback && !strcmp(loopback, "stack");
}

/**
 * config_wants_host() - does this process have a host, or would its first socket get one?
 */
bool config_wants_host(void)
{
	return config.host[0] || config.bare;
}

__attribute__((format(printf, 1, 0))) static void write_line(const char *format, va_list ap)
{
	char line[512];
	int used, more;

	used = snprintf(line, sizeof(line), "wireshim[%d]: ", (int)SYS(getpid));
	more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, ap);
	if (more < 0)
		return;
	used += more;
	if (used > (int)sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	line[used++] = '\n';
	SYS(write, STDERR_FILENO, line, used);
}

/**
 * log_write() - one line on standard error; use shim_log(), which tests the level first
 */
void log_write(enum log_level level, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	(void)level;
	va_start(ap, format);
	write_line(format, ap);
	va_end(ap);
	errno = saved;
}

/**
 * log_fatal_once() - the one line that is printed unasked: why no socket of this process can work
 */
void log_fatal_once(const char *format, ...)
{
	static bool printed;
	int saved = errno;
	va_list ap;

	if (__atomic_exchange_n(&printed, true, __ATOMIC_RELAXED))
		return;
	va_start(ap, format);
	write_line(format, ap);
	va_end(ap);
	errno = saved;
}
