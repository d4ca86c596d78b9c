/* SPDX-License-Identifier: MIT */
/*
 * A socket on the wildcard address serves the kernel's loopback as well.
 *
 * Where 127.0.0.0/8 is the kernel's, a program that listens on 0.0.0.0:PORT is to be reached there
 * too: by the machine's own clients, and by programs of ours, whose connections to 127.0.0.1 are the
 * kernel's. So the host makes a second listener beside ours, the twin: a kernel socket on
 * 127.0.0.1:PORT. What it accepts goes to the program through the same anchor as everything else, as
 * a record with the kernel's connection (anchor_listen.c); from then on the host has nothing to do
 * with it. One descriptor, one poll(), one accept() for both worlds. A datagram socket's twin:
 * twin_dgram.c.
 *
 * PORT 0: the twin is bound first, already by bind(), and its number is ours too, so that it is free
 * in both. Any other number may be taken on the loopback by a server of the kernel. That is no error:
 * ours is another machine. The socket then serves its own network only, which log and status say.
 *
 * The kernel asks whether the host may have a port below 1024; a program of another user than the
 * host's does not get one by way of it. Nor does it get into another user's SO_REUSEPORT group: the
 * twin is its own user's, where the host may make it so.
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

/* A kernel socket of the user @uid, or else of the host's own. */
static int open_as(int type, uint32_t uid, bool *own)
{
	uint32_t before = sys_setfsuid(uid);
	int fd;

	*own = sys_setfsuid(uid) == uid;
	fd = sys_socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sys_setfsuid(before);
	return fd;
}

/* Who may have the port is settled in the stack; connections of earlier servers are no obstacle. */
static int allow_reuse(const struct anchor *a, int fd, uint16_t port, bool own)
{
	int ret = 0, one = 1, zero = 0;

	if (!own)
		ret = sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &zero, sizeof(zero));
	if (ret == 0 && port && a->type == SOCK_STREAM)
		ret = sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return ret;
}

/**
 * twin_open() - a kernel socket on the loopback, of the anchor's type and with its options
 * @port: 0 = any
 * @uid:  who asks
 *
 * Return: descriptor; negative errno
 */
int twin_open(struct anchor *a, uint16_t port, uint32_t uid)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, ret;
	bool own;

	if (port && port < PRIVILEGED_PORTS && uid != 0 && uid != geteuid())
		return -EACCES;
	fd = open_as(a->type, uid, &own);
	if (fd < 0)
		return fd;
	options_apply(a, fd);
	ret = allow_reuse(a, fd, port, own);
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
 * @uid:  who asks
 *
 * Return: as sock_bind()
 */
int twin_bind(struct anchor *a, const struct sockaddr_in *addr, uint32_t uid)
{
	struct sockaddr_in sin = *addr;
	int tries, ret, fd;

	for (tries = 0; tries < PORT_TRIES; tries++) {
		fd = twin_open(a, 0, uid);
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

/** twin_port() - Return: the port, where the socket is bound to the wildcard address; else 0 */
uint16_t twin_port(struct anchor *a)
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
	uint16_t port = twin_port(a);
	int ret;

	if (!port)
		return 0;
	if (a->twin.fd >= 0)
		return 0; /* another backlog: listen_work() says so */
	if (a->twin_fd < 0)
		a->twin_fd = twin_open(a, port, uid);
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
	return ret;
}

/**
 * twin_want() - makes the twin of a socket that has just got its port
 * @make: twin_listen() or twin_dgram_bind()
 * @uid:  who asks
 *
 * Where there can be none, log and status say so, and the socket serves its own network alone.
 */
void twin_want(struct anchor *a, int (*make)(struct anchor *a, uint32_t uid), uint32_t uid)
{
	int ret = make(a, uid);

	if (ret == -EADDRINUSE) {
		host_settle(a->host); /* a socket that was just closed may have it */
		ret = a->sock ? make(a, uid) : 0;
	}
	if (ret)
		host_log(a->host, ret == -EADDRINUSE ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
			 "%s port %u is not served on the kernel's 127.0.0.1: %s",
			 a->type == SOCK_STREAM ? "tcp" : "udp", twin_port(a), strerror(-ret));
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
	a->twin_connected = false;
}
