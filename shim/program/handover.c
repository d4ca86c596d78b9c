/* SPDX-License-Identifier: MIT */
/*
 * Putting another socket under a number.
 *
 * To the kernel: a socket that the rules (verdict.c) leave to it becomes a kernel socket of the
 * same type, flags and options, under the same number. The host remembers the options set so far. Nothing else ever moves a socket to the kernel.
 *
 * A new anchor: after a non-blocking connect() failed, and after a listener was shut down, the old one
 * has ended for good, as its readers saw; the next connect() or listen() on the number needs another. The
 * host's socket, with its options and its address, passes on to that one.
 *
 * All numbers that the process has for the socket get the new file. dup3 over a number ends its
 * registrations in epoll sets; those that were seen are made again. Duplicates and registrations
 * that other processes have (of before a fork, or passed on) stay with the old file.
 */
#include "shim/program/real.h"
#include "shim/program/sock.h"
#include "shim/program/config.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

enum { OPTIONS_ROOM = 8192 };

/* One option, as the program gave it. */
static void copy_option(int fd, int to, const struct ctl_option *o, const void *value)
{
	struct sock_fprog prog = { .len = (unsigned short)(o->len / sizeof(struct sock_filter)),
				   .filter = (struct sock_filter *)(uintptr_t)value };
	long r;

	/* The one option whose value is a pointer (call_opt.c). */
	if (o->level == SOL_SOCKET && (o->name == SO_ATTACH_FILTER || o->name == SO_ATTACH_REUSEPORT_CBPF))
		r = SYS(setsockopt, to, o->level, o->name, &prog, sizeof(prog));
	else
		r = SYS(setsockopt, to, o->level, o->name, value, o->len);
	if (r < 0)
		shim_log(LOG_WARNING, "fd %d: option %d of level %d is lost, the kernel refuses it: %s",
			 fd, o->name, o->level, strerror((int)-r));
}

/* Sets on @to what was set on the host's socket behind @fd, in the same order. */
static int copy_options(int fd, int to)
{
	_Alignas(8) char bytes[OPTIONS_ROOM];
	struct ctl_call c = { .op = CTL_OPTIONS, .reply = bytes, .room = sizeof(bytes) };
	int r = sock_control(fd, &c);
	struct ctl_option o;

	for (size_t at = 0; r >= 0 && at + sizeof(o) <= c.got; at += sizeof(o) + o.len) {
		_Alignas(8) char value[OPTIONS_ROOM];

		memcpy(&o, bytes + at, sizeof(o));
		if (o.len > c.got - at - sizeof(o))
			break;
		memcpy(value, bytes + at + sizeof(o), o.len);
		copy_option(fd, to, &o, value);
	}
	return r < 0 ? r : 0;
}

/* What the kernel keeps for the old file: owner and signal, O_NONBLOCK and O_ASYNC, time limits. */
static void copy_file_state(int fd, int to)
{
	static const int limits[] = { SO_RCVTIMEO, SO_SNDTIMEO };
	struct f_owner_ex owner = { .pid = 0 };
	long sig = SYS(fcntl, fd, F_GETSIG, 0), flags = SYS(fcntl, fd, F_GETFL, 0);

	if (SYS(fcntl, fd, F_GETOWN_EX, &owner) == 0 && owner.pid)
		SYS(fcntl, to, F_SETOWN_EX, &owner);
	if (sig > 0)
		SYS(fcntl, to, F_SETSIG, sig);
	SYS(fcntl, to, F_SETFL, flags);
	for (int i = 0; i < 2; i++) {
		struct timeval tv = { 0, 0 };
		socklen_t len = sizeof(tv);

		if (SYS(getsockopt, fd, SOL_SOCKET, limits[i], &tv, &len) == 0 &&
		    (tv.tv_sec || tv.tv_usec))
			SYS(setsockopt, to, SOL_SOCKET, limits[i], &tv, sizeof(tv));
	}
}

/* Puts @to in the place of @fd, with @fd's close-on-exec. */
static int put_over(int fd, long to)
{
	bool cloexec = SYS(fcntl, fd, F_GETFD, 0) & FD_CLOEXEC;
	long r = SYS(dup3, to, fd, cloexec ? O_CLOEXEC : 0);

	return r < 0 ? (int)r : 0;
}

/* The same for every number of this process that has the socket @cookie; @word: of what is there then. */
static int put_over_all(int fd, uint64_t cookie, long to, uint32_t word)
{
	uint64_t now = word & FD_FOREIGN ? 0 : fd_read_cookie((int)to);
	int r = 0;

	for (int chunk = 0; chunk < FD_CHUNKS; chunk++) {
		if (!atomic_load(&fd_chunks[chunk]))
			continue;
		for (int n = chunk * FD_CHUNK; r == 0 && n < (chunk + 1) * FD_CHUNK; n++) {
			if (n != fd && (!fd_is_ours(atomic_load(&fd_entry(n)->word)) ||
					fd_cookie(n) != cookie || fd_read_cookie(n) != cookie))
				continue;
			epoll_take_out(n, cookie);
			r = put_over(n, to);
			if (r < 0)
				break;
			fd_forget(n);
			if (word & FD_FOREIGN)
				fd_set_foreign(n);
			else
				fd_register(n, word, now);
			epoll_add_again(n, cookie);
		}
	}
	SYS(close, to);
	return r;
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
		r = copy_options(fd, (int)to);
	copy_file_state(fd, (int)to);
	if (r == 0 && (w & FD_BOUND))
		r = bind_as_before(fd, (int)to);
	if (r < 0) {
		SYS(close, to);
		return r;
	}
	return put_over_all(fd, cookie, to, FD_FOREIGN);
}

/*
 * The host's socket goes from the anchor @fd, which has ended, to the fresh one @to. What @to is then, as a
 * word: attached at least, where it reached the host; bound, if @fd's socket is its own now.
 */
static uint32_t pass_on(int fd, int to, uint32_t w)
{
	uint64_t cookie = fd_read_cookie(to);
	struct ctl_call c = {
		.op = CTL_PASS_ON,
		.arg = { (uint32_t)cookie, (uint32_t)(cookie >> 32), (uint32_t)to },
	};
	uint32_t word = 0;

	fd_register(to, w & (FD_STREAM | 255U << FD_PROTOCOL_SHIFT), cookie);
	if (host_attach(to) == 0)
		word = FD_ATTACHED;
	fd_forget(to);
	if (word && sock_control(fd, &c) == 0)
		word |= w & (FD_BOUND | FD_LINGER | FD_TIMES | FD_RECVERR);
	return word;
}

/**
 * sock_renew() - put a new, fresh anchor under the number of a socket whose anchor has ended
 *
 * Return: 0 or -errno
 */
int sock_renew(int fd)
{
	uint32_t w = fd_word(fd), passed = 0;
	long to = SYS(socket, AF_UNIX,
		      (int)((w & FD_STREAM) ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);

	if (to < 0)
		return (int)to;
	copy_file_state(fd, (int)to);
	if ((w & (FD_STREAM | FD_ATTACHED | FD_OTHER)) == (FD_STREAM | FD_ATTACHED))
		passed = pass_on(fd, (int)to, w);
	return put_over_all(fd, fd_cookie(fd), to,
			    passed | (w & (FD_STREAM | FD_RAW | 255U << FD_PROTOCOL_SHIFT)));
}
