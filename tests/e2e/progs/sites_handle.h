/* SPDX-License-Identifier: MIT */
/* libc's calls as a program gets them past every preloaded symbol. */
#ifndef SITES_HANDLE_H
#define SITES_HANDLE_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct calls {
	int (*socket)(int, int, int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	ssize_t (*send)(int, const void *, size_t, int);
	ssize_t (*recv)(int, void *, size_t, int);
	int (*getsockname)(int, struct sockaddr *, socklen_t *);
	int (*dup)(int);
	int (*close)(int);
};

#endif
