/* SPDX-License-Identifier: MIT */
/*
 * A listener on the wildcard address serves the kernel's loopback as well.
 *
 * Where 127.0.0.0/8 is the kernel's, a program that listens on 0.0.0.0:PORT is to be reached there
 * too: by the machine's own clients, and by programs of ours, whose connections to 127.0.0.1 are the
 * kernel's. So the host makes a second listener beside ours, the twin: a kernel socket on
 * 127.0.0.1:PORT. What it accepts goes to the program through the same anchor as everything else, as
 * a record with the kernel's connection (anchor_listen.c); from then on the host has nothing to do
 * with it. One descriptor, one poll(), one accept() for both worlds.
 *
 * PORT 0: the twin is bound first, already by bind(), and its number is ours too, so that it is free
 * in both. Any other number may be taken on the loopback by a server of the kernel. That is no error:
 * ours is another machine. The listener then serves its own network only, which log and status say.
 *
 * The kernel asks whether the host may have a port below 1024; a program of another user than the
 * host's does not get one by way of it.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "shim/host/host.h"

enum { PORT_TRIES = 32, PRIVILEGED_PORTS = 1024 };

static void twin_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct anchor *a = container_of(w, struct anchor, twin);

	(void)h;
	(void)events;
	a->twin_readable = true;
	anchor_dirty(a);
}

/* A kernel socket on 127.0.0.1:@port; 0 = any. Negative errno. */
static int open_bound(struct anchor *a, uint16_t port, uint32_t uid)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, ret, one = 1;

	if (port && port < PRIVILEGED_PORTS && uid != 0 && uid != geteuid())
		return -EACCES;
	fd = sys_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	options_apply(a, fd);
	/* Who may have the port is settled in the stack; connections of earlier servers are no obstacle. */
	ret = port ? sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) : 0;
	if (ret == 0)
		ret = sys_bind(fd, &sin, sizeof(sin));
	if (ret == 0)
		return fd;
	sys_close(fd);
	return ret;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in sin = { .sin_port = 0 };
	socklen_t len = sizeof(sin);

	return sys_getsockname(fd, &sin, &len) ? 0 : ntohs(sin.sin_port);
}

/**
 * twin_bind() - binds to a port that is free here and on the kernel's loopback
 * @addr: the wildcard address with port 0
 *
 * Return: as sock_bind()
 */
int twin_bind(struct anchor *a, const struct sockaddr_in *addr)
{
	struct sockaddr_in sin = *addr;
	int tries, ret, fd;

	for (tries = 0; tries < PORT_TRIES; tries++) {
		fd = open_bound(a, 0, 0);
		if (fd < 0)
			break;
		sin.sin_port = htons(port_of(fd));
		ret = sock_bind(a->sock, (const struct sockaddr *)&sin, sizeof(sin));
		if (ret == 0)
			a->twin_fd = fd;
		else
			sys_close(fd);
		if (ret != -EADDRINUSE)
			return ret;
	}
	return sock_bind(a->sock, (const struct sockaddr *)addr, sizeof(*addr));
}

/* The port, where the socket is bound to the wildcard address; else 0. */
static uint16_t wildcard_port(struct anchor *a)
{
	struct sockaddr_storage ss;
	struct sockaddr_in sin;

	if (sock_getname(a->sock, &ss, false) <= 0 || ss.ss_family != AF_INET)
		return 0;
	memcpy(&sin, &ss, sizeof(sin));
	return sin.sin_addr.s_addr == 0 ? ntohs(sin.sin_port) : 0;
}

/**
 * twin_listen() - the socket listens: so does its twin, where it can have one
 * @uid: who asks
 *
 * Return: 0 (also where the socket is bound to one address: it needs none); negative errno
 */
int twin_listen(struct anchor *a, uint32_t uid)
{
	uint16_t port = wildcard_port(a);
	int ret;

	if (!port)
		return 0;
	if (a->twin.fd >= 0)
		return 0; /* another backlog: listen_work() says so */
	if (a->twin_fd < 0)
		a->twin_fd = open_bound(a, port, uid);
	ret = a->twin_fd < 0 ? a->twin_fd : sys_listen(a->twin_fd, a->backlog);
	if (ret == 0)
		ret = watch_add(a->host, &a->twin, a->twin_fd, EPOLLIN | EPOLLET, twin_ready);
	a->twin_queue = a->backlog;
	if (ret == 0)
		a->twin_readable = true;
	else if (a->twin_fd >= 0)
		sys_close(a->twin_fd);
	a->twin_fd = -1;
	a->twin_err = -ret;
	if (ret && ret != -EADDRINUSE)
		host_log(a->host, LOG_LEVEL_WARN, "port %u is not served on the kernel's 127.0.0.1: %s", port,
			 strerror(-ret));
	return ret;
}

/**
 * twin_backlog() - keeps what waits in the kernel and what was taken from it at what Linux allows
 * @more: about to be taken
 */
void twin_backlog(struct anchor *a, unsigned int more)
{
	bool in_hand = !a->handing && a->handing_fd >= 0;
	int queue;

	if (a->twin.fd < 0)
		return;
	more += (unsigned int)__builtin_popcountll(a->record_kinds) + in_hand;
	queue = MAX(0, a->backlog - (int)more);
	if (queue != a->twin_queue && sys_listen(a->twin.fd, queue) == 0)
		a->twin_queue = queue;
}

/**
 * twin_accept() - a connection that the kernel has
 *
 * Return: its descriptor, negative errno
 */
int twin_accept(struct anchor *a)
{
	int fd = -EAGAIN;

	if (a->twin.fd < 0 || !a->twin_readable)
		return -EAGAIN;
	do
		fd = sys_accept4(a->twin.fd, SOCK_CLOEXEC);
	while (fd == -EINTR || fd == -ECONNABORTED);
	if (fd == -EAGAIN)
		a->twin_readable = false;
	return fd;
}

/** twin_close() - the listener ends, or the socket became something else */
void twin_close(struct anchor *a)
{
	watch_close(a->host, &a->twin);
	if (a->twin_fd >= 0)
		sys_close(a->twin_fd);
	a->twin_fd = -1;
}
