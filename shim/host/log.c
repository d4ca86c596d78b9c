/* SPDX-License-Identifier: MIT */
/* The host's log: one write a line, so that lines of several processes do not mix. */
#include <stdarg.h>
#include <stdio.h>

#include "shim/host/host.h"

/**
 * host_log() - one line to standard error if --log asked for its level
 * @fmt: without prefix and newline
 */
void host_log(struct host *h, int level, const char *fmt, ...)
{
	static const char *const names[] = { "", "error", "warning", "info", "debug" };
	char line[1024];
	va_list args;
	int len, n;

	if (level > h->log_level || h->log_fd < 0)
		return;
	len = snprintf(line, sizeof(line), "wireshim host %s: %s: ", h->key, names[level]);
	va_start(args, fmt);
	n = vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
	va_end(args);
	len = n < 0 ? len : MIN(len + n, (int)sizeof(line) - 2);
	line[len++] = '\n';
	/* A pipe that nobody reads must not hold the host up: it has room for a line, or loses it. */
	if (sys_writable(h->log_fd) == 1)
		(void)sys_write(h->log_fd, line, (size_t)len);
}
