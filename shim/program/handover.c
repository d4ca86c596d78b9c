/* SPDX-License-Identifier: MIT */
/*
 * Putting another socket under a number.
 *
 * To the kernel: a socket that the rules (verdict.c) leave to it becomes a kernel socket of the
 * same type, flags and options, under the same number. The options set so far are read back from
 * the host. Nothing else ever moves a socket to the kernel.
 *
 * A new anchor: after a non-blocking connect() failed, the old one has ended for good, as POLLERR
 * and POLLHUP showed; the next connect() on the number needs another.
 *
 * dup3 over a number ends its registrations in epoll sets; those that were seen are made again.
 */
#include "shim/program/real.h"
#include "shim/program/sock.h"
#include "shim/program/config.h"
#include "shim/program/fdcache.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

struct kept_option {
	int level, name;
	size_t size;
	bool doubled; /* read back as twice what was set */
};

static const struct kept_option kept_options[] = {
	{ SOL_SOCKET, SO_REUSEADDR, sizeof(int), false },
	{ SOL_SOCKET, SO_REUSEPORT, sizeof(int), false },
	{ SOL_SOCKET, SO_KEEPALIVE, sizeof(int), false },
	{ SOL_SOCKET, SO_BROADCAST, sizeof(int), false },
	{ SOL_SOCKET, SO_OOBINLINE, sizeof(int), false },
	{ SOL_SOCKET, SO_DONTROUTE, sizeof(int), false },
	{ SOL_SOCKET, SO_PRIORITY, sizeof(int), false },
	{ SOL_SOCKET, SO_RCVLOWAT, sizeof(int), false },
	{ SOL_SOCKET, SO_TIMESTAMP, sizeof(int), false },
	{ SOL_SOCKET, SO_LINGER, sizeof(struct linger), false },
	{ SOL_SOCKET, SO_SNDBUF, sizeof(int), true },
	{ SOL_SOCKET, SO_RCVBUF, sizeof(int), true },
	{ IPPROTO_IP, IP_TOS, sizeof(int), false },
	{ IPPROTO_IP, IP_TTL, sizeof(int), false },
	{ IPPROTO_IP, IP_RECVERR, sizeof(int), false },
	{ IPPROTO_IP, IP_PKTINFO, sizeof(int), false },
	{ IPPROTO_IP, IP_RECVTTL, sizeof(int), false },
	{ IPPROTO_IP, IP_RECVTOS, sizeof(int), false },
	{ IPPROTO_IP, IP_HDRINCL, sizeof(int), false },
	{ IPPROTO_IP, IP_MTU_DISCOVER, sizeof(int), false },
	{ IPPROTO_TCP, TCP_NODELAY, sizeof(int), false },
	{ IPPROTO_TCP, TCP_CORK, sizeof(int), false },
	{ IPPROTO_TCP, TCP_KEEPIDLE, sizeof(int), false },
	{ IPPROTO_TCP, TCP_KEEPINTVL, sizeof(int), false },
	{ IPPROTO_TCP, TCP_KEEPCNT, sizeof(int), false },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, sizeof(int), false },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, sizeof(int), false },
};

/* Sets on @to what the host's socket behind @fd has and the kernel's default does not. */
static void copy_host_options(int fd, int to)
{
	for (size_t i = 0; i < sizeof(kept_options) / sizeof(kept_options[0]); i++) {
		const struct kept_option *o = &kept_options[i];
		int now[2] = { 0, 0 }, have[2] = { 0, 0 };
		socklen_t len = (socklen_t)o->size;
		struct ctl_call c = {
			.op = CTL_GETSOCKOPT,
			.arg = { (uint32_t)o->level, (uint32_t)o->name, (uint32_t)o->size },
			.reply = now,
			.room = o->size,
		};

		if (SYS(getsockopt, to, o->level, o->name, have, &len) < 0)
			continue;
		if (sock_control(fd, &c) < 0 || c.got != o->size || !memcmp(now, have, o->size))
			continue;
		if (o->doubled)
			now[0] /= 2;
		SYS(setsockopt, to, o->level, o->name, now, o->size);
	}
}

/* What the kernel keeps for the old file: O_NONBLOCK, O_ASYNC and its owner, time limits. */
static void copy_file_state(int fd, int to)
{
	static const int limits[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	long owner = SYS(fcntl, fd, F_GETOWN, 0);
	long status = SYS(fcntl, fd, F_GETFL, 0);

	SYS(fcntl, to, F_SETFL, status);
	if (owner)
		SYS(fcntl, to, F_SETOWN, owner);
	for (int i = 0; i < 2; i++) {
		struct timeval tv = { 0, 0 };
		socklen_t len = sizeof(tv);

		if (SYS(getsockopt, fd, SOL_SOCKET, limits[i], &tv, &len) == 0 &&
		    (tv.tv_sec || tv.tv_usec))
			SYS(setsockopt, to, SOL_SOCKET, limits[i], &tv, sizeof(tv));
	}
}

/* Puts @to in the place of @fd, with @fd's close-on-exec; @to's own number is given back. */
static int put_over(int fd, long to)
{
	bool cloexec = SYS(fcntl, fd, F_GETFD, 0) & FD_CLOEXEC;
	long r = SYS(dup3, to, fd, cloexec ? O_CLOEXEC : 0);

	SYS(close, to);
	return r < 0 ? (int)r : 0;
}

static int bind_as_before(int fd, int to)
{
	struct sockaddr_in addr;
	struct ctl_call c = { .op = CTL_GETNAME, .reply = &addr, .room = sizeof(addr) };
	int r = sock_control(fd, &c);

	if (r < 0)
		return r;
	return (int)SYS(bind, to, &addr, sizeof(addr));
}

/**
 * sock_to_kernel() - make a socket of ours one of the kernel's, under its number
 * @fd: the socket, neither connected nor listening
 *
 * Return: 0 or -errno
 */
int sock_to_kernel(int fd)
{
	uint32_t w = fd_word(fd);
	int type = (w & FD_STREAM) ? SOCK_STREAM : (w & FD_RAW) ? SOCK_RAW : SOCK_DGRAM;
	long to = SYS(socket, AF_INET, type | SOCK_CLOEXEC, fd_protocol(w));
	uint64_t cookie = fd_cookie(fd);
	int r = 0;

	if (to < 0)
		return (int)to;
	if (w & FD_ATTACHED)
		copy_host_options(fd, (int)to);
	copy_file_state(fd, (int)to);
	if (w & FD_BOUND)
		r = bind_as_before(fd, (int)to);
	if (r < 0) {
		SYS(close, to);
		return r;
	}
	r = put_over(fd, to);
	if (r < 0)
		return r;
	fd_forget(fd);
	fd_set_foreign(fd);
	epoll_add_again(fd, cookie);
	return 0;
}

/**
 * sock_renew() - put a new, fresh anchor under the number of a socket whose anchor has ended
 *
 * Return: 0 or -errno
 */
int sock_renew(int fd)
{
	uint32_t w = fd_word(fd);
	long to = SYS(socket, AF_UNIX,
		      (int)((w & FD_STREAM) ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);
	uint64_t old = fd_cookie(fd);
	int r;

	if (to < 0)
		return (int)to;
	copy_file_state(fd, (int)to);
	r = put_over(fd, to);
	if (r < 0)
		return r;
	fd_forget(fd);
	fd_register(fd, w & (FD_STREAM | FD_RAW | 255U << FD_PROTOCOL_SHIFT), fd_read_cookie(fd));
	epoll_add_again(fd, old);
	return 0;
}
