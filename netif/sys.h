/* SPDX-License-Identifier: MIT */
/*
 * Kernel calls that bypass the shim: the raw system call, result or negative errno.
 *
 * In thread placement the stack lives in a program whose libc socket calls are ours; a device that
 * used them would call itself. errno of the calling thread is left as it was.
 */
#ifndef NETIF_SYS_H
#define NETIF_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

int sys_socket(int family, int type, int protocol);
int sys_bind(int fd, const void *addr, socklen_t len);
int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int sys_getsockname(int fd, void *addr, socklen_t *len);
int sys_getpeername(int fd, void *addr, socklen_t *len);
ssize_t sys_sendto(int fd, const void *buf, size_t len, int flags, const void *addr, socklen_t alen);
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags);
int sys_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags);
/* @arg: a pointer, or NULL. */
int sys_ioctl(int fd, unsigned long request, void *arg);
int sys_open(const char *path, int flags, mode_t mode);
ssize_t sys_write(int fd, const void *buf, size_t len);
int sys_writable(int fd);
int sys_close(int fd);
uint32_t sys_setfsuid(uint32_t uid);

/* For the host's loop. */
struct epoll_event;
int sys_listen(int fd, int backlog);
int sys_accept4(int fd, int flags);
int sys_connect(int fd, const void *addr, socklen_t len);
int sys_shutdown(int fd, int how);
ssize_t sys_recv(int fd, void *buf, size_t len, int flags);
ssize_t sys_read(int fd, void *buf, size_t len);
int sys_inode(int fd, uint64_t *ino);
int sys_epoll_create(void);
int sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int sys_epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns);

#endif
