/* SPDX-License-Identifier: MIT */
/* Names and addresses by the host's name server. */
#ifndef SHIM_PROGRAM_RESOLVER_H
#define SHIM_PROGRAM_RESOLVER_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

enum { RESOLVED_MAX = 64 };

struct resolved {
	int count;
	struct sockaddr_in6 addr[RESOLVED_MAX]; /* family-typed, ports zero */
	char canonname[256];
};

int resolve_name(const char *node, int family, int flags, struct resolved *out);
int resolve_addr(const struct sockaddr *sa, socklen_t len, char *name, size_t room);

#endif
