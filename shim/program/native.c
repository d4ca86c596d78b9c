/* SPDX-License-Identifier: MIT */
/*
 * libc's originals without libc: bare system calls in libc_table for every call whose sites inside
 * libc lead to us (libc_sites.c), so that a wrapper reaches the kernel and not itself.
 *
 * A call that POSIX makes a cancellation point is one here as it is in libc: while it runs,
 * cancellation is asynchronous, where the program has threads.
 */
#include "shim/program/native.h"
#include "shim/program/libc_sites.h"

bool native_installed;

/**
 * native_failed() - what native_give() gives for an error
 * @r: negative errno
 */
OUT_OF_LINE long native_failed(long r)
{
	errno = (int)-r;
	return -1;
}

/**
 * native_failed_int() - the same for a call that returns int
 * @r: negative errno
 */
OUT_OF_LINE int native_failed_int(long r)
{
	errno = (int)-r;
	return -1;
}

#if SITES_POSSIBLE

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>

static int (*libc_fcntl)(int fd, int cmd, ...);

/*
 * Errors and threads are out of the way and reached by a jump, for which the types of what is returned
 * have to be the same: hence all of it for int as well. Else inline all the way: see fd_is_foreign() for
 * what a return costs.
 */
static inline __attribute__((always_inline)) long
raw_cancellable(long nr, long a, long b, long c, long d, long e, long f)
{
	int type;
	long r;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	r = raw_syscall(nr, a, b, c, d, e, f);
	pthread_setcanceltype(type, NULL);
	return r;
}

/* The number comes last, as the sixth argument: the others are in their registers already. */
static OUT_OF_LINE long cancellable(long a, long b, long c, long d, long e, long nr)
{
	return native_give(raw_cancellable(nr, a, b, c, d, e, 0));
}

static OUT_OF_LINE int cancellable_int(long a, long b, long c, long d, long e, long nr)
{
	return native_give_int(raw_cancellable(nr, a, b, c, d, e, 0));
}

static OUT_OF_LINE long cancellable6(long a, long b, long c, long d, long e, long f, long nr)
{
	return native_give(raw_cancellable(nr, a, b, c, d, e, f));
}

/* RAW(name, arguments): as SYS(), in place. */
#define RAW_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define RAW(...)					RAW_PICK(__VA_ARGS__, RAW6, RAW6, RAW6, RAW3, RAW3, RAW3, )(__VA_ARGS__, 0, 0, 0, 0)
#define RAW3(nr, a, b, c, ...)				raw_syscall3(SYS_##nr, (long)(a), (long)(b), (long)(c))
#define RAW6(nr, a, b, c, d, e, f, ...) \
	raw_syscall(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* Up to five arguments as cancellable() takes them. */
#define FIVE(...) FIVE_AND_MORE(__VA_ARGS__, 0, 0, 0, 0, 0)
#define FIVE_AND_MORE(nr, a, b, c, d, e, ...) \
	(long)(a), (long)(b), (long)(c), (long)(d), (long)(e), SYS_##nr

/* PLAIN() is an ordinary call, POINT() a cancellation point. */
#define PLAIN(...)     native_give(RAW(__VA_ARGS__))
#define PLAIN_INT(...) native_give_int(RAW(__VA_ARGS__))
#define POINT(...)     (likely(__libc_single_threaded) ? PLAIN(__VA_ARGS__) : cancellable(FIVE(__VA_ARGS__)))
#define POINT_INT(...) \
	(likely(__libc_single_threaded) ? PLAIN_INT(__VA_ARGS__) : cancellable_int(FIVE(__VA_ARGS__)))
#define POINT6(nr, a, b, c, d, e, f)                                                              \
	(likely(__libc_single_threaded)                                                            \
		 ? PLAIN(nr, a, b, c, d, e, f)                                                     \
		 : cancellable6((long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f), SYS_##nr))

static int native_socket(int domain, int type, int protocol)
{
	return PLAIN_INT(socket, domain, type, protocol);
}

static int native_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return PLAIN_INT(bind, fd, addr, len);
}

static int native_listen(int fd, int backlog)
{
	return PLAIN_INT(listen, fd, backlog);
}

static int native_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return POINT_INT(accept, fd, addr, len);
}

static int native_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return POINT_INT(accept4, fd, addr, len, flags);
}

static int native_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return POINT_INT(connect, fd, addr, len);
}

static int native_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return PLAIN_INT(getsockname, fd, addr, len);
}

static int native_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return PLAIN_INT(getpeername, fd, addr, len);
}

static int native_shutdown(int fd, int how)
{
	return PLAIN_INT(shutdown, fd, how);
}

static int native_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return PLAIN_INT(getsockopt, fd, level, name, val, len);
}

static int native_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return PLAIN_INT(setsockopt, fd, level, name, val, len);
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
	return POINT6(preadv2, fd, iov, count, off, 0, flags);
}

static ssize_t native_recv(int fd, void *buf, size_t len, int flags)
{
	return POINT(recvfrom, fd, buf, len, flags, NULL);
}

static ssize_t native_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr,
			       socklen_t *alen)
{
	return POINT6(recvfrom, fd, buf, len, flags, addr, alen);
}

static ssize_t native_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return POINT(recvmsg, fd, msg, flags);
}

static int native_recvmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags,
			   struct timespec *timeout)
{
	return POINT_INT(recvmmsg, fd, vec, count, flags, timeout);
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
	return POINT6(pwritev2, fd, iov, count, off, 0, flags);
}

static ssize_t native_send(int fd, const void *buf, size_t len, int flags)
{
	return POINT(sendto, fd, buf, len, flags, NULL);
}

static ssize_t native_sendto(int fd, const void *buf, size_t len, int flags,
			     const struct sockaddr *addr, socklen_t alen)
{
	return POINT6(sendto, fd, buf, len, flags, addr, alen);
}

static ssize_t native_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return POINT(sendmsg, fd, msg, flags);
}

static int native_sendmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags)
{
	return POINT_INT(sendmmsg, fd, vec, count, flags);
}

static ssize_t native_sendfile(int out, int in, off_t *off, size_t count)
{
	return PLAIN(sendfile, out, in, off, count);
}

static ssize_t native_splice(int in, off64_t *off_in, int out, off64_t *off_out, size_t len,
			     unsigned int flags)
{
	return POINT6(splice, in, off_in, out, off_out, len, flags);
}

static int native_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return PLAIN_INT(epoll_ctl, epfd, op, fd, event);
}

static int native_close(int fd)
{
	return POINT_INT(close, fd);
}

static int native_execve(const char *path, char *const argv[], char *const envp[])
{
	return PLAIN_INT(execve, path, argv, envp);
}

static int native_execveat(int dir, const char *path, char *const argv[], char *const envp[],
			   int flags)
{
	return PLAIN_INT(execveat, dir, path, argv, envp, flags);
}

static int native_dup(int fd)
{
	return PLAIN_INT(dup, fd);
}

static int native_dup2(int from, int to)
{
	return PLAIN_INT(dup2, from, to);
}

static int native_dup3(int from, int to, int flags)
{
	return PLAIN_INT(dup3, from, to, flags);
}

static int native_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return PLAIN_INT(ioctl, fd, cmd, arg);
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
		return PLAIN_INT(fcntl, fd, cmd, arg);
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
	native_installed = true;
}

#endif
