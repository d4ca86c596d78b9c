/* SPDX-License-Identifier: MIT */
/*
 * Kernel calls that bypass the shim.
 *
 * syscall(2) is no symbol that the shim takes over, and no cancellation point: a device can never
 * be left half-way through a call. Restarting after a signal is up to the caller (-EINTR).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netif/sys.h"

/* Turns syscall()'s convention into ours; @saved is errno as it was before the call. */
static long result_of(long ret, int saved)
{
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

#define CALL(...) result_of(syscall(__VA_ARGS__), saved)

/** sys_socket() - socket(2); Return: descriptor or negative errno */
int sys_socket(int family, int type, int protocol)
{
	int saved = errno;

	return (int)CALL(SYS_socket, family, type, protocol);
}

/** sys_bind() - bind(2); Return: 0 or negative errno */
int sys_bind(int fd, const void *addr, socklen_t len)
{
	int saved = errno;

	return (int)CALL(SYS_bind, fd, addr, len);
}

/** sys_setsockopt() - setsockopt(2); Return: 0 or negative errno */
int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	int saved = errno;

	return (int)CALL(SYS_setsockopt, fd, level, option, value, len);
}

/** sys_getsockopt() - getsockopt(2); Return: 0 or negative errno */
int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int saved = errno;

	return (int)CALL(SYS_getsockopt, fd, level, option, value, len);
}

/** sys_getsockname() - getsockname(2); Return: 0 or negative errno */
int sys_getsockname(int fd, void *addr, socklen_t *len)
{
	int saved = errno;

	return (int)CALL(SYS_getsockname, fd, addr, len);
}

/** sys_sendto() - sendto(2); Return: bytes sent or negative errno */
ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const void *addr, socklen_t alen)
{
	int saved = errno;

	return CALL(SYS_sendto, fd, buf, len, flags, addr, alen);
}

/** sys_sendmsg() - sendmsg(2); Return: bytes sent or negative errno */
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int saved = errno;

	return CALL(SYS_sendmsg, fd, msg, flags);
}

/** sys_recvmsg() - recvmsg(2); Return: bytes received or negative errno */
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	int saved = errno;

	return CALL(SYS_recvmsg, fd, msg, flags);
}

/** sys_recvmmsg() - recvmmsg(2) without a timeout; Return: messages or negative errno */
int sys_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
	int saved = errno;

	return (int)CALL(SYS_recvmmsg, fd, msgs, count, flags, NULL);
}

/** sys_ioctl() - ioctl(2); Return: its result or negative errno */
int sys_ioctl(int fd, unsigned long request, void *arg)
{
	int saved = errno;

	return (int)CALL(SYS_ioctl, fd, request, arg);
}

/** sys_open() - open(2) relative to the working directory; Return: descriptor or negative errno */
int sys_open(const char *path, int flags, mode_t mode)
{
	int saved = errno;

	return (int)CALL(SYS_openat, AT_FDCWD, path, flags, mode);
}

/** sys_write() - write(2); Return: bytes written or negative errno */
ssize_t sys_write(int fd, const void *buf, size_t len)
{
	int saved = errno;

	return CALL(SYS_write, fd, buf, len);
}

/** sys_close() - close(2); Return: 0 or negative errno */
int sys_close(int fd)
{
	int saved = errno;

	return (int)CALL(SYS_close, fd);
}
