/* SPDX-License-Identifier: MIT */
/*
 * Descriptors come and go: the kernel does it, the table is told. Nothing here has to fire for a socket to live or
 * die rightly; a close that no wrapper sees leaves a stale entry, which fdcache.c makes harmless.
 *
 * Also here: what a program says about itself that changes what we may do. A seccomp filter put on from now on would
 * kill it for calls of ours; a raw system call through libc's syscall() is the same call by another name.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"
#include "shim/program/sock.h"

#include <limits.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

/* close() of a blocking socket with SO_LINGER waits until all is sent and acknowledged, or the time is over. */
static void linger(int fd)
{
	struct ctl_call c = { .op = CTL_LINGER, .slow = true };

	if (!shim_sandboxed && fd_cookie(fd) == fd_read_cookie(fd) && !sock_is_nonblocking(fd, 0))
		sock_control(fd, &c);
}

/**
 * close() - the kernel's
 */
int close(int fd)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load_explicit(&e->word, memory_order_relaxed) : 0;
	int saved = errno;

	if (fd_is_ours(w)) {
		if (w & FD_LINGER)
			linger(fd);
		fd_forget(fd);
		errno = saved;
	}
	return libc()->close(fd);
}

int __close(int fd)
{
	return close(fd);
}

/**
 * close_range() - the kernel's
 */
int close_range(unsigned int first, unsigned int last, int flags)
{
	int r;

	if (!(flags & (int)CLOSE_RANGE_CLOEXEC) && first <= last)
		fd_forget_range(first, last);
	if (libc()->close_range)
		return libc()->close_range(first, last, flags);
	r = (int)SYS(close_range, first, last, flags);
	return (int)edge(errno, r);
}

/**
 * closefrom() - libc's
 */
void closefrom(int first)
{
	fd_forget_range(first < 0 ? 0 : (unsigned int)first, UINT_MAX);
	libc()->closefrom(first);
}

/**
 * dup() - the kernel's
 */
int dup(int fd)
{
	int r = libc()->dup(fd);

	if (r >= 0)
		fd_copy(fd, r);
	return r;
}

/**
 * dup2() - the kernel's
 */
int dup2(int from, int to)
{
	int r = libc()->dup2(from, to);

	if (r >= 0)
		fd_copy(from, r);
	return r;
}

int __dup2(int from, int to)
{
	return dup2(from, to);
}

/**
 * dup3() - the kernel's
 */
int dup3(int from, int to, int flags)
{
	int r = libc()->dup3(from, to, flags);

	if (r >= 0)
		fd_copy(from, r);
	return r;
}

/**
 * _Fork() - fork without the handlers: the child becomes a process of its own here
 */
pid_t _Fork(void)
{
	pid_t pid = libc()->_Fork();

	if (pid == 0)
		shim_adopt();
	return pid;
}

/**
 * prctl() - the kernel's; a seccomp filter is noted
 */
int prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;
	int r;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == PR_SET_SECCOMP) /* before: afterwards a lookup of ours may be one call too many */
		shim_sandboxed = true;
	r = libc()->prctl(option, a[0], a[1], a[2], a[3]);
	if (option == PR_SET_SECCOMP && r < 0)
		shim_sandboxed = false;
	return r;
}

/* Calls that have a wrapper here, made by number. Returns false for the others. */
static bool by_wrapper(long nr, const long *a, long *r)
{
	switch (nr) {
	case SYS_socket: *r = socket((int)a[0], (int)a[1], (int)a[2]); return true;
	case SYS_bind: *r = bind((int)a[0], (void *)a[1], (socklen_t)a[2]); return true;
	case SYS_listen: *r = listen((int)a[0], (int)a[1]); return true;
	case SYS_accept: *r = accept((int)a[0], (void *)a[1], (void *)a[2]); return true;
	case SYS_accept4: *r = accept4((int)a[0], (void *)a[1], (void *)a[2], (int)a[3]); return true;
	case SYS_connect: *r = connect((int)a[0], (void *)a[1], (socklen_t)a[2]); return true;
	case SYS_getsockname: *r = getsockname((int)a[0], (void *)a[1], (void *)a[2]); return true;
	case SYS_getpeername: *r = getpeername((int)a[0], (void *)a[1], (void *)a[2]); return true;
	case SYS_shutdown: *r = shutdown((int)a[0], (int)a[1]); return true;
	case SYS_read: *r = read((int)a[0], (void *)a[1], (size_t)a[2]); return true;
	case SYS_readv: *r = readv((int)a[0], (void *)a[1], (int)a[2]); return true;
	case SYS_recvmsg: *r = recvmsg((int)a[0], (void *)a[1], (int)a[2]); return true;
	case SYS_recvmmsg: *r = recvmmsg((int)a[0], (void *)a[1], (unsigned int)a[2], (int)a[3], (void *)a[4]); return true;
	case SYS_recvfrom: *r = recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (void *)a[4], (void *)a[5]); return true;
	case SYS_write: *r = write((int)a[0], (void *)a[1], (size_t)a[2]); return true;
	case SYS_writev: *r = writev((int)a[0], (void *)a[1], (int)a[2]); return true;
	case SYS_sendmsg: *r = sendmsg((int)a[0], (void *)a[1], (int)a[2]); return true;
	case SYS_sendmmsg: *r = sendmmsg((int)a[0], (void *)a[1], (unsigned int)a[2], (int)a[3]); return true;
	case SYS_sendto: *r = sendto((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (void *)a[4], (socklen_t)a[5]); return true;
	case SYS_getsockopt: *r = getsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3], (void *)a[4]); return true;
	case SYS_setsockopt: *r = setsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3], (socklen_t)a[4]); return true;
	case SYS_ioctl: *r = ioctl((int)a[0], (unsigned long)a[1], a[2]); return true;
	case SYS_fcntl: *r = fcntl((int)a[0], (int)a[1], a[2]); return true;
	case SYS_close: *r = close((int)a[0]); return true;
	case SYS_dup: *r = dup((int)a[0]); return true;
	case SYS_dup3: *r = dup3((int)a[0], (int)a[1], (int)a[2]); return true;
#ifdef SYS_dup2
	case SYS_dup2: *r = dup2((int)a[0], (int)a[1]); return true;
#endif
	case SYS_epoll_ctl: *r = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (void *)a[3]); return true;
	default: return false;
	}
}

/**
 * syscall() - node and others close and send by number
 */
long syscall(long nr, ...)
{
	long a[6], r;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (by_wrapper(nr, a, &r))
		return r;
	if (nr == SYS_seccomp && a[0] <= 1) /* SECCOMP_SET_MODE_STRICT, _FILTER */
		shim_sandboxed = true;
	r = libc()->syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (nr == SYS_seccomp && a[0] <= 1 && r < 0)
		shim_sandboxed = false;
	return r;
}
