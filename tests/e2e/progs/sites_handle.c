/* SPDX-License-Identifier: MIT */
/*
 * sites_handle ADDRESS PORT udp|tcp [LIBRARY]: an exchange with an echo server through functions
 * that come from dlsym() on libc's own handle, or from LIBRARY loaded with RTLD_DEEPBIND.
 */
#define _GNU_SOURCE
#include "sites_handle.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct calls from_handle(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	struct calls c;

	*(void **)&c.socket = dlsym(libc, "socket");
	*(void **)&c.connect = dlsym(libc, "connect");
	*(void **)&c.send = dlsym(libc, "send");
	*(void **)&c.recv = dlsym(libc, "recv");
	*(void **)&c.getsockname = dlsym(libc, "getsockname");
	*(void **)&c.dup = dlsym(libc, "dup");
	*(void **)&c.close = dlsym(libc, "close");
	return c;
}

static struct calls from_library(const char *path)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	const struct calls *(*get)(void);

	if (!lib) {
		puts(dlerror());
		exit(1);
	}
	*(void **)&get = dlsym(lib, "deep_calls");
	return *get();
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET}, me;
	socklen_t len = sizeof(me);
	char text[64], buf[64];
	struct calls c;
	int fd, copy;

	if (argc < 4)
		return 2;
	c = argc > 4 ? from_library(argv[4]) : from_handle();
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	fd = c.socket(AF_INET, strcmp(argv[3], "udp") ? SOCK_STREAM : SOCK_DGRAM, 0);
	errno = 0;
	printf("recv %zd", c.recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	printf(" %s\n", strerror(errno));
	if (c.connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("connect");
		return 1;
	}
	printf("send %zd\n", c.send(fd, "over a handle", 13, 0));
	copy = c.dup(fd);
	printf("recv %zd", c.recv(copy, buf, sizeof(buf), 0));
	printf(" %.13s\n", buf);
	c.getsockname(copy, (struct sockaddr *)&me, &len);
	printf("from %s\n", inet_ntop(AF_INET, &me.sin_addr, text, sizeof(text)));
	printf("close %d %d\n", c.close(fd), c.close(copy));
	errno = 0;
	printf("send %zd", c.send(fd, "x", 1, MSG_NOSIGNAL));
	printf(" %s\n", strerror(errno));
	return 0;
}
