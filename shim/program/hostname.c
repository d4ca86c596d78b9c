/* SPDX-License-Identifier: MIT */
/*
 * What the host is called: gethostname() and uname().
 *
 * Where --hostname (WIRESHIM_HOSTNAME) gave a name they say it, everything else of uname() being
 * the kernel's; without one nothing is changed. libc's gethostname() calls uname() inside itself,
 * so both are here.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"

#include <string.h>
#include <sys/utsname.h>

static bool has_name(void)
{
	libc(); /* the environment has been read */
	return config.hostname[0] && config_wants_host();
}

/**
 * gethostname() - the host's name
 *
 * As libc's: a name that does not fit is given as far as it goes, without an end.
 *
 * Return: 0 or -1; ENAMETOOLONG
 */
int gethostname(char *name, size_t len)
{
	size_t size;

	if (!has_name())
		return libc()->gethostname(name, len);
	size = strlen(config.hostname) + 1;
	memcpy(name, config.hostname, size < len ? size : len);
	if (size > len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/**
 * __gethostname_chk() - what programs built with _FORTIFY_SOURCE call
 */
int __gethostname_chk(char *name, size_t len, size_t room)
{
	if (!has_name() || len > room) /* libc's ends the program when the buffer is too small */
		return libc()->__gethostname_chk(name, len, room);
	return gethostname(name, len);
}

/**
 * uname() - the kernel's, under the host's name
 */
int uname(struct utsname *name)
{
	int r = libc()->uname(name);

	if (r == 0 && has_name()) {
		memset(name->nodename, 0, sizeof(name->nodename));
		memcpy(name->nodename, config.hostname, strlen(config.hostname));
	}
	return r;
}
