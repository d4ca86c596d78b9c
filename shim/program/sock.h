/* SPDX-License-Identifier: MIT */
/* What several calls on a socket of ours have in common. */
#ifndef SHIM_PROGRAM_SOCK_H
#define SHIM_PROGRAM_SOCK_H

#include "shim/program/control.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* NULL, or so near to it that nothing can be there: EFAULT where we would look before the kernel does. */
static inline bool nowhere(const void *p)
{
	return (uintptr_t)p < 4096;
}

int sock_control(int fd, struct ctl_call *c);
int sock_error(int fd, enum ctl_state *state);
int sock_look(int fd, enum ctl_state *state);
bool sock_peer_known(int fd);
void clear_native_error(int fd);
bool sock_is_nonblocking(int fd, int flags);
int sock_timeout_ms(int fd, int option);
void sock_settle(int fd); /* call_socket.c */
int sock_connect_early(int fd, const struct sockaddr *addr, socklen_t len, int flags);

void gate_up(int fd);
void gate_lift(int fd);
int gate_pass(int fd, bool wait);

/* wait.c */
int wait_writable(int fd, int limit_ms, short *revents);

/* verdict.c */
enum decide_at { AT_BIND, AT_CONNECT, AT_LISTEN, AT_SEND };
int sock_decide(int fd, uint32_t w, enum decide_at at, const struct sockaddr *addr, socklen_t len);
bool loopback_is_kernels(int fd, uint32_t w, const void *given);
bool loopback_has_peer(int fd, uint32_t w, const struct sockaddr_in *to);

static inline bool is_loopback(const struct sockaddr_in *addr)
{
	return (addr->sin_addr.s_addr & htonl(0xff000000)) == htonl(0x7f000000);
}

/* handover.c */
int sock_to_kernel(int fd);
int sock_renew(int fd);

/* call_poll.c */
void epoll_take_out(int fd, uint64_t cookie);
void epoll_add_again(int fd, uint64_t old_cookie);
void epoll_fork_child(void);

#endif
