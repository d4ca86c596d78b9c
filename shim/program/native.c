/* SPDX-License-Identifier: MIT */
/*
 * libc's originals without libc: bare system calls in libc_table for every call whose sites inside
 * libc lead to us (libc_sites.c), so that a wrapper reaches the kernel and not itself.
 *
 * A call that POSIX makes a cancellation point is one here as it is in libc: while it runs,
 * cancellation is asynchronous, where the program has threads.
 */
#include "shim/program/real.h"
#include "shim/program/libc_sites.h"

#if SITES_POSSIBLE

#include "shim/program/native.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/single_threaded.h>

static int (*libc_fcntl)(int fd, int cmd, ...);

/* Inline all the way: see fd_is_foreign() for what a return costs. */
static inline __attribute__((always_inline)) long give(long r)
{
	if (unlikely(r < 0 && r > -4096)) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

static inline __attribute__((always_inline)) long
cancellable(long nr, long a, long b, long c, long d, long e, long f)
{
	int type;
	long r;

	if (likely(__libc_single_threaded))
		return give(raw_syscall(nr, a, b, c, d, e, f));
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	r = raw_syscall(nr, a, b, c, d, e, f);
	pthread_setcanceltype(type, NULL);
	return give(r);
}

/* As SYS(), -1 and errno. POINT() is a cancellation point. */
#define PLAIN_PICK(_1, _2, _3, _4, _5, _6, name, ...) name
#define PLAIN(...)				      PLAIN_PICK(__VA_ARGS__, PLAIN5, PLAIN4, PLAIN3, PLAIN2, PLAIN1, )(__VA_ARGS__)
#define PLAIN1(nr, a)				      give(raw_syscall(SYS_##nr, (long)(a), 0, 0, 0, 0, 0))
#define PLAIN2(nr, a, b)			      give(raw_syscall(SYS_##nr, (long)(a), (long)(b), 0, 0, 0, 0))
#define PLAIN3(nr, a, b, c) \
	give(raw_syscall(SYS_##nr, (long)(a), (long)(b), (long)(c), 0, 0, 0))
#define PLAIN4(nr, a, b, c, d) \
	give(raw_syscall(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0))
#define PLAIN5(nr, a, b, c, d, e) \
	give(raw_syscall(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0))
#define POINT_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define POINT(...) \
	POINT_PICK(__VA_ARGS__, POINT6, POINT5, POINT4, POINT3, POINT2, POINT1, )(__VA_ARGS__)
#define POINT1(nr, a)	    cancellable(SYS_##nr, (long)(a), 0, 0, 0, 0, 0)
#define POINT2(nr, a, b)    cancellable(SYS_##nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define POINT3(nr, a, b, c) cancellable(SYS_##nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define POINT4(nr, a, b, c, d) \
	cancellable(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define POINT5(nr, a, b, c, d, e) \
	cancellable(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define POINT6(nr, a, b, c, d, e, f) \
	cancellable(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static int native_socket(int domain, int type, int protocol)
{
	return (int)PLAIN(socket, domain, type, protocol);
}

static int native_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)PLAIN(bind, fd, addr, len);
}

static int native_listen(int fd, int backlog)
{
	return (int)PLAIN(listen, fd, backlog);
}

static int native_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)POINT(accept, fd, addr, len);
}

static int native_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return (int)POINT(accept4, fd, addr, len, flags);
}

static int native_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)POINT(connect, fd, addr, len);
}

static int native_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)PLAIN(getsockname, fd, addr, len);
}

static int native_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)PLAIN(getpeername, fd, addr, len);
}

static int native_shutdown(int fd, int how)
{
	return (int)PLAIN(shutdown, fd, how);
}

static int native_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)PLAIN(getsockopt, fd, level, name, val, len);
}

static int native_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return (int)PLAIN(setsockopt, fd, level, name, val, len);
}

static ssize_t native_read(int fd, void *buf, size_t len)
{
	return POINT(read, fd, buf, len);
}

static ssize_t native_readv(int fd, const struct iovec *iov, int count)
{
	return POINT(readv, fd, iov, count);
}

/* An offset is two words of which x86-64 looks at the first. */
static ssize_t native_preadv2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	return POINT(preadv2, fd, iov, count, off, 0, flags);
}

static ssize_t native_recv(int fd, void *buf, size_t len, int flags)
{
	return POINT(recvfrom, fd, buf, len, flags, NULL, NULL);
}

static ssize_t native_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
			       socklen_t *alen)
{
	return POINT(recvfrom, fd, buf, len, flags, addr, alen);
}

static ssize_t native_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return POINT(recvmsg, fd, msg, flags);
}

static int native_recvmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags,
			   struct timespec *timeout)
{
	return (int)POINT(recvmmsg, fd, vec, count, flags, timeout);
}

static ssize_t native_write(int fd, const void *buf, size_t len)
{
	return POINT(write, fd, buf, len);
}

static ssize_t native_writev(int fd, const struct iovec *iov, int count)
{
	return POINT(writev, fd, iov, count);
}

static ssize_t native_pwritev2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	return POINT(pwritev2, fd, iov, count, off, 0, flags);
}

static ssize_t native_send(int fd, const void *buf, size_t len, int flags)
{
	return POINT(sendto, fd, buf, len, flags, NULL, 0);
}

static ssize_t native_sendto(int fd, const void *buf, size_t len, int flags,
			     const struct sockaddr *addr, socklen_t alen)
{
	return POINT(sendto, fd, buf, len, flags, addr, alen);
}

static ssize_t native_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return POINT(sendmsg, fd, msg, flags);
}

static int native_sendmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags)
{
	return (int)POINT(sendmmsg, fd, vec, count, flags);
}

static ssize_t native_sendfile(int out, int in, off_t *off, size_t count)
{
	return PLAIN(sendfile, out, in, off, count);
}

static ssize_t native_splice(int in, off64_t *off_in, int out, off64_t *off_out, size_t len,
			     unsigned int flags)
{
	return POINT(splice, in, off_in, out, off_out, len, flags);
}

static int native_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return (int)PLAIN(epoll_ctl, epfd, op, fd, event);
}

static int native_close(int fd)
{
	return (int)POINT(close, fd);
}

static int native_execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)PLAIN(execve, path, argv, envp);
}

static int native_execveat(int dir, const char *path, char *const argv[], char *const envp[],
			   int flags)
{
	return (int)PLAIN(execveat, dir, path, argv, envp, flags);
}

static int native_dup(int fd)
{
	return (int)PLAIN(dup, fd);
}

static int native_dup2(int from, int to)
{
	return (int)PLAIN(dup2, from, to);
}

static int native_dup3(int from, int to, int flags)
{
	return (int)PLAIN(dup3, from, to, flags);
}

static int native_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return (int)PLAIN(ioctl, fd, cmd, arg);
}

/* libc turns some commands into others; these it leaves alone. */
static bool is_plain_command(int cmd)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
	case F_SETFL: return true;
	default: return false;
	}
}

static int native_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (is_plain_command(cmd))
		return (int)PLAIN(fcntl, fd, cmd, arg);
	return libc_fcntl(fd, cmd, arg);
}

static void install_sockets(struct libc_calls *t)
{
	t->socket = native_socket;
	t->bind = native_bind;
	t->listen = native_listen;
	t->accept = native_accept;
	t->accept4 = native_accept4;
	t->connect = t->__connect = native_connect;
	t->getsockname = native_getsockname;
	t->getpeername = native_getpeername;
	t->shutdown = native_shutdown;
	t->getsockopt = native_getsockopt;
	t->setsockopt = native_setsockopt;
	t->ioctl = native_ioctl;
	t->epoll_ctl = native_epoll_ctl;
}

static void install_io(struct libc_calls *t)
{
	t->read = t->__read = native_read;
	t->readv = native_readv;
	t->preadv2 = t->preadv64v2 = native_preadv2;
	t->recv = native_recv;
	t->recvfrom = native_recvfrom;
	t->recvmsg = native_recvmsg;
	t->recvmmsg = native_recvmmsg;
	t->write = t->__write = native_write;
	t->writev = native_writev;
	t->pwritev2 = t->pwritev64v2 = native_pwritev2;
	t->send = t->__send = native_send;
	t->sendto = native_sendto;
	t->sendmsg = native_sendmsg;
	t->sendmmsg = native_sendmmsg;
	t->sendfile = t->sendfile64 = native_sendfile;
	t->splice = native_splice;
}

/**
 * native_install() - from now on libc_table leads to the kernel without libc
 */
void native_install(void)
{
	struct libc_calls *t = &libc_table;

	install_sockets(t);
	install_io(t);
	t->close = t->__close = native_close;
	t->dup = native_dup;
	t->dup2 = t->__dup2 = native_dup2;
	t->dup3 = native_dup3;
	t->execve = native_execve;
	t->execveat = native_execveat;
	libc_fcntl = t->fcntl;
	t->fcntl = t->fcntl64 = t->__fcntl = native_fcntl;
}

#endif
