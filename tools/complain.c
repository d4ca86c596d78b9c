/* SPDX-License-Identifier: MIT */
/* How the command says what is wrong. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/wireshim.h"

/**
 * complain() - one line on standard error, in one write
 *
 * Return: EXIT_USAGE, so that it can be returned at once
 */
int complain(const char *fmt, ...)
{
	char line[1024];
	va_list args;
	int len = snprintf(line, sizeof(line), "wireshim: "), n;

	va_start(args, fmt);
	n = vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
	va_end(args);
	if (n > 0)
		len = len + n > (int)sizeof(line) - 2 ? (int)sizeof(line) - 2 : len + n;
	line[len++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)len);
	return EXIT_USAGE;
}
