/* SPDX-License-Identifier: MIT */
/*
 * Descriptors come and go: the kernel does it, the table is told. Nothing here has to fire for a
 * socket to live or die rightly; a close that no wrapper sees leaves a stale entry, which
 * fdcache.c makes harmless.
 *
 * Also here: what a program says about itself that changes what we may do. A seccomp filter put
 * on from now on would kill it for calls of ours; a raw system call through libc's syscall() is
 * the same call by another name.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/exec.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"
#include "shim/program/libc_sites.h"
#include "shim/program/native.h"
#include "shim/program/sock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * close() of a blocking socket with SO_LINGER waits until all is sent and acknowledged, or the
 * time is over.
 */
static void linger(int fd)
{
	struct ctl_call c = { .op = CTL_LINGER, .slow = true };

	if (!shim_sandboxed && fd_cookie(fd) == fd_read_cookie(fd) && !sock_is_nonblocking(fd, 0))
		sock_control(fd, &c);
}

static OUT_OF_LINE int our_close(int fd)
{
	uint32_t w = fd_known(fd);
	int saved = errno;

	if (fd_is_ours(w)) {
		if (w & FD_LINGER)
			linger(fd);
		if (w & FD_LISTEN)
			sock_settle(fd);
		fd_forget(fd);
		errno = saved;
	}
	return libc()->close(fd);
}

/**
 * close() - the kernel's
 */
int close(int fd)
{
	if (likely(!fd_is_ours(fd_known(fd)) && libc_ready))
		return native_in_place() ? native_give_int(raw_syscall3(SYS_close, fd, 0, 0)) : libc_table.close(fd);
	return our_close(fd);
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

static OUT_OF_LINE int note_copy(int from, int to)
{
	if (to >= 0)
		fd_copy(from, to);
	return to;
}

/*
 * Neither is ours, and the table need not be told that @to has become a duplicate of @from: it knows no
 * more of @to than of @from.
 */
static inline bool copy_is_known(int from, int to)
{
	uint32_t of_from = fd_known(from);

	return likely(of_from <= FD_FOREIGN && fd_known(to) <= of_from && libc_ready);
}

/**
 * dup() - the kernel's
 */
int dup(int fd)
{
	long r;

	if (!native_in_place())
		return note_copy(fd, libc()->dup(fd));
	r = raw_syscall3(SYS_dup, fd, 0, 0);
	if (unlikely(r < 0))
		return native_failed_int(r);
	return copy_is_known(fd, (int)r) ? (int)r : note_copy(fd, (int)r);
}

static OUT_OF_LINE int our_dup2(int from, int to)
{
	int saved = errno;

	if (from != to)
		sock_settle(to);
	errno = saved;
	return note_copy(from, libc()->dup2(from, to));
}

/**
 * dup2() - the kernel's
 */
int dup2(int from, int to)
{
	if (copy_is_known(from, to))
		return libc_table.dup2(from, to);
	return our_dup2(from, to);
}

int __dup2(int from, int to)
{
	return dup2(from, to);
}

static OUT_OF_LINE int our_dup3(int from, int to, int flags)
{
	int saved = errno;

	sock_settle(to);
	errno = saved;
	return note_copy(from, libc()->dup3(from, to, flags));
}

/**
 * dup3() - the kernel's
 */
int dup3(int from, int to, int flags)
{
	if (copy_is_known(from, to))
		return libc_table.dup3(from, to, flags);
	return our_dup3(from, to, flags);
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
	if (option ==
	    PR_SET_SECCOMP) /* before: afterwards a lookup of ours may be one call too many */
		shim_sandboxed = true;
	r = libc()->prctl(option, a[0], a[1], a[2], a[3]);
	if (option == PR_SET_SECCOMP && r < 0)
		shim_sandboxed = false;
	return r;
}

/* A number with a wrapper here; the arguments come as syscall() has them. */
#define BY_NUMBER(nr, call)  \
	case nr:             \
		*r = (call); \
		return true;
#define A_FD	  ((int)a[0])
#define A_INT(i)  ((int)a[i])
#define A_PTR(i)  ((void *)a[i])
#define A_SIZE(i) ((size_t)a[i])
#define A_LEN(i)  ((socklen_t)a[i])

/**
 * call_by_number() - a call that has a wrapper here, made by number
 * @nr: SYS_*
 * @a:  six arguments
 * @r:  what the wrapper returned; errno as it left it
 *
 * Return: false for numbers without a wrapper
 */
bool call_by_number(long nr, const long *a, long *r)
{
	switch (nr) {
		BY_NUMBER(SYS_socket, socket(A_INT(0), A_INT(1), A_INT(2)))
		BY_NUMBER(SYS_bind, bind(A_FD, A_PTR(1), A_LEN(2)))
		BY_NUMBER(SYS_listen, listen(A_FD, A_INT(1)))
		BY_NUMBER(SYS_accept, accept(A_FD, A_PTR(1), A_PTR(2)))
		BY_NUMBER(SYS_accept4, accept4(A_FD, A_PTR(1), A_PTR(2), A_INT(3)))
		BY_NUMBER(SYS_connect, connect(A_FD, A_PTR(1), A_LEN(2)))
		BY_NUMBER(SYS_getsockname, getsockname(A_FD, A_PTR(1), A_PTR(2)))
		BY_NUMBER(SYS_getpeername, getpeername(A_FD, A_PTR(1), A_PTR(2)))
		BY_NUMBER(SYS_shutdown, shutdown(A_FD, A_INT(1)))
		BY_NUMBER(SYS_read, read(A_FD, A_PTR(1), A_SIZE(2)))
		BY_NUMBER(SYS_readv, readv(A_FD, A_PTR(1), A_INT(2)))
		BY_NUMBER(SYS_recvmsg, recvmsg(A_FD, A_PTR(1), A_INT(2)))
		BY_NUMBER(SYS_recvmmsg,
			  recvmmsg(A_FD, A_PTR(1), (unsigned int)a[2], A_INT(3), A_PTR(4)))
		BY_NUMBER(SYS_recvfrom,
			  recvfrom(A_FD, A_PTR(1), A_SIZE(2), A_INT(3), A_PTR(4), A_PTR(5)))
		BY_NUMBER(SYS_write, write(A_FD, A_PTR(1), A_SIZE(2)))
		BY_NUMBER(SYS_writev, writev(A_FD, A_PTR(1), A_INT(2)))
		BY_NUMBER(SYS_sendmsg, sendmsg(A_FD, A_PTR(1), A_INT(2)))
		BY_NUMBER(SYS_sendmmsg, sendmmsg(A_FD, A_PTR(1), (unsigned int)a[2], A_INT(3)))
		BY_NUMBER(SYS_sendto,
			  sendto(A_FD, A_PTR(1), A_SIZE(2), A_INT(3), A_PTR(4), A_LEN(5)))
		BY_NUMBER(SYS_preadv2, preadv2(A_FD, A_PTR(1), A_INT(2), (off_t)a[3], A_INT(5)))
		BY_NUMBER(SYS_pwritev2, pwritev2(A_FD, A_PTR(1), A_INT(2), (off_t)a[3], A_INT(5)))
		BY_NUMBER(SYS_sendfile, sendfile(A_FD, A_INT(1), A_PTR(2), A_SIZE(3)))
		BY_NUMBER(SYS_splice, splice(A_FD, A_PTR(1), A_INT(2), A_PTR(3), A_SIZE(4),
					     (unsigned int)a[5]))
		BY_NUMBER(SYS_getsockopt, getsockopt(A_FD, A_INT(1), A_INT(2), A_PTR(3), A_PTR(4)))
		BY_NUMBER(SYS_setsockopt, setsockopt(A_FD, A_INT(1), A_INT(2), A_PTR(3), A_LEN(4)))
		BY_NUMBER(SYS_ioctl, ioctl(A_FD, (unsigned long)a[1], a[2]))
		BY_NUMBER(SYS_fcntl, fcntl(A_FD, A_INT(1), a[2]))
		BY_NUMBER(SYS_close, close(A_FD))
		BY_NUMBER(SYS_dup, dup(A_FD))
		BY_NUMBER(SYS_dup3, dup3(A_FD, A_INT(1), A_INT(2)))
#ifdef SYS_dup2
		BY_NUMBER(SYS_dup2, dup2(A_FD, A_INT(1)))
#endif
		BY_NUMBER(SYS_execve, exec_by_number(AT_FDCWD, A_PTR(0), A_PTR(1), A_PTR(2), 0))
		BY_NUMBER(SYS_execveat,
			  exec_by_number(A_FD, A_PTR(1), A_PTR(2), A_PTR(3), A_INT(4)))
		BY_NUMBER(SYS_mmap, (long)mmap(A_PTR(0), A_SIZE(1), A_INT(2), A_INT(3), A_INT(4), (off_t)a[5]))
		BY_NUMBER(SYS_epoll_ctl, epoll_ctl(A_FD, A_INT(1), A_INT(2), A_PTR(3)))
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
	if (call_by_number(nr, a, &r))
		return r;
	/* A ring would work on the anchors without asking: programs do without where there is none. */
	if (nr == SYS_io_uring_setup && config_wants_host())
		return edge(errno, -ENOSYS);
	if (nr == SYS_seccomp && a[0] <= 1) /* SECCOMP_SET_MODE_STRICT, _FILTER */
		shim_sandboxed = true;
	r = raw_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (likely(r >= 0 || r < -4095))
		return r;
	if (nr == SYS_seccomp && a[0] <= 1)
		shim_sandboxed = false;
	errno = (int)-r;
	return -1;
}
