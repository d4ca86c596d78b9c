/* SPDX-License-Identifier: MIT */
/*
 * Kernel calls that bypass the shim.
 *
 * None is a cancellation point, and errno is left alone (raw_syscall.h). Restarting after a signal is
 * up to the caller (-EINTR).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "netif/raw_syscall.h"
#include "netif/sys.h"

/* Up to six arguments, each an integer or a pointer. */
#define CALL(...) CALL_PICK(__VA_ARGS__, CALL6, CALL5, CALL4, CALL3, CALL2, CALL1, CALL0, )(__VA_ARGS__)
#define CALL_PICK(nr, a, b, c, d, e, f, name, ...) name
#define CALL1(nr, a) raw_syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(nr, a, b) raw_syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(nr, a, b, c) raw_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(nr, a, b, c, d) raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(nr, a, b, c, d, e) \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(nr, a, b, c, d, e, f) \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/** sys_socket() - socket(2); Return: descriptor or negative errno */
int sys_socket(int family, int type, int protocol)
{
	return (int)CALL(SYS_socket, family, type, protocol);
}

/** sys_bind() - bind(2); Return: 0 or negative errno */
int sys_bind(int fd, const void *addr, socklen_t len)
{
	return (int)CALL(SYS_bind, fd, addr, len);
}

/** sys_setsockopt() - setsockopt(2); Return: 0 or negative errno */
int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	return (int)CALL(SYS_setsockopt, fd, level, option, value, len);
}

/** sys_getsockopt() - getsockopt(2); Return: 0 or negative errno */
int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	return (int)CALL(SYS_getsockopt, fd, level, option, value, len);
}

/** sys_getsockname() - getsockname(2); Return: 0 or negative errno */
int sys_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)CALL(SYS_getsockname, fd, addr, len);
}

/** sys_getpeername() - getpeername(2); Return: 0 or negative errno */
int sys_getpeername(int fd, void *addr, socklen_t *len)
{
	return (int)CALL(SYS_getpeername, fd, addr, len);
}

/** sys_sendto() - sendto(2); Return: bytes sent or negative errno */
ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const void *addr, socklen_t alen)
{
	return CALL(SYS_sendto, fd, buf, len, flags, addr, alen);
}

/** sys_sendmsg() - sendmsg(2); Return: bytes sent or negative errno */
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return CALL(SYS_sendmsg, fd, msg, flags);
}

/** sys_recvmsg() - recvmsg(2); Return: bytes received or negative errno */
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return CALL(SYS_recvmsg, fd, msg, flags);
}

/** sys_recvmmsg() - recvmmsg(2) without a timeout; Return: messages or negative errno */
int sys_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
	return (int)CALL(SYS_recvmmsg, fd, msgs, count, flags, NULL);
}

/** sys_ioctl() - ioctl(2); Return: its result or negative errno */
int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)CALL(SYS_ioctl, fd, request, arg);
}

/** sys_open() - open(2) relative to the working directory; Return: descriptor or negative errno */
int sys_open(const char *path, int flags, mode_t mode)
{
	return (int)CALL(SYS_openat, AT_FDCWD, path, flags, mode);
}

/** sys_write() - write(2); Return: bytes written or negative errno */
ssize_t sys_write(int fd, const void *buf, size_t len)
{
	return CALL(SYS_write, fd, buf, len);
}

/** sys_writable() - would write(2) go on at once? Return: 1, 0 or negative errno */
int sys_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct timespec now = { 0, 0 };
	long ret = CALL(SYS_ppoll, &p, 1, &now, NULL, 0);

	return ret < 0 ? (int)ret : (p.revents & POLLOUT) != 0;
}

/** sys_close() - close(2); Return: 0 or negative errno */
int sys_close(int fd)
{
	return (int)CALL(SYS_close, fd);
}

/** sys_setfsuid() - setfsuid(2) of this thread, for files and sockets that it makes; Return: the one before */
uint32_t sys_setfsuid(uint32_t uid)
{
	return (uint32_t)CALL(SYS_setfsuid, uid);
}

/** sys_listen() - listen(2); Return: 0 or negative errno */
int sys_listen(int fd, int backlog)
{
	return (int)CALL(SYS_listen, fd, backlog);
}

/** sys_accept4() - accept4(2) without the peer's address; Return: descriptor or negative errno */
int sys_accept4(int fd, int flags)
{
	return (int)CALL(SYS_accept4, fd, NULL, NULL, flags);
}

/** sys_connect() - connect(2); Return: 0 or negative errno */
int sys_connect(int fd, const void *addr, socklen_t len)
{
	return (int)CALL(SYS_connect, fd, addr, len);
}

/** sys_shutdown() - shutdown(2); Return: 0 or negative errno */
int sys_shutdown(int fd, int how)
{
	return (int)CALL(SYS_shutdown, fd, how);
}

/** sys_recv() - recv(2); Return: bytes received or negative errno */
ssize_t sys_recv(int fd, void *buf, size_t len, int flags)
{
	return CALL(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

/** sys_read() - read(2); Return: bytes read or negative errno */
ssize_t sys_read(int fd, void *buf, size_t len)
{
	return CALL(SYS_read, fd, buf, len);
}

/** sys_inode() - inode number of a descriptor; Return: 0 or negative errno */
int sys_inode(int fd, uint64_t *ino)
{
	struct statx stx = { .stx_ino = 0 };
	int ret = (int)CALL(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &stx);

	if (ret == 0)
		*ino = stx.stx_ino;
	return ret;
}

/** sys_epoll_create() - epoll_create1(2), close-on-exec; Return: descriptor or negative errno */
int sys_epoll_create(void)
{
	return (int)CALL(SYS_epoll_create1, EPOLL_CLOEXEC);
}

/** sys_epoll_ctl() - epoll_ctl(2); Return: 0 or negative errno */
int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return (int)CALL(SYS_epoll_ctl, epfd, op, fd, event);
}

/**
 * sys_epoll_wait() - epoll_pwait2(2), or epoll_pwait(2) before Linux 5.11 (rounded up to ms)
 * @timeout_ns: negative = for ever
 *
 * Return: number of events or negative errno
 */
int sys_epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns)
{
	struct { int64_t sec, nsec; } ts = { timeout_ns / 1000000000, timeout_ns % 1000000000 };
	int64_t ms;
	int ret;

	ret = (int)CALL(SYS_epoll_pwait2, epfd, events, max, timeout_ns < 0 ? NULL : &ts, NULL, 0);
	if (ret != -ENOSYS)
		return ret;
	ms = timeout_ns < 0 ? -1 : (timeout_ns + 999999) / 1000000;
	return (int)CALL(SYS_epoll_pwait, epfd, events, max, (int)(ms > 60000 ? 60000 : ms), NULL, 0);
}
