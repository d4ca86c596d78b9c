/* SPDX-License-Identifier: MIT */
/*
 * BSD socket layer: one entry per call, for the host that serves programs and for tests. No call
 * blocks: where Linux would sleep these answer -EAGAIN or -EINPROGRESS and the socket's wake
 * callback says when to try again. All errors are negative errno.
 */
#ifndef STACK_CORE_SOCKET_H
#define STACK_CORE_SOCKET_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "stack/core/sock.h"

enum socket_state { SS_UNCONNECTED = 1, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

/* One message, either direction. */
struct stack_msg {
	const struct iovec *iov;
	size_t iovcnt;
	unsigned int flags;        /* MSG_* as given; MSG_DONTWAIT is implied always */
	/* Address: to (send, NULL/0 = connected) or from (receive: filled, namelen = true length). */
	struct sockaddr_storage *name;
	socklen_t namelen;
	/* Ancillary data in Linux's cmsg format. Receive: control_size in, controllen out. */
	void *control;
	size_t control_size, controllen;
	unsigned int out_flags;    /* receive: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE */
	size_t full_len;           /* receive, datagram: true length of the message */
};

/* How a socket tells its holder that poll bits may have changed. Only marks; see sock.h. */
typedef void (*socket_wake_fn)(struct socket *sock);

struct proto_ops {
	uint16_t family;
	int (*release)(struct socket *sock);
	int (*bind)(struct socket *sock, const struct sockaddr *addr, socklen_t len);
	int (*connect)(struct socket *sock, const struct sockaddr *addr, socklen_t len);
	int (*accept)(struct socket *sock, struct socket *newsock);
	int (*getname)(struct socket *sock, struct sockaddr_storage *addr, bool peer); /* length or errno */
	unsigned int (*poll)(const struct socket *sock);
	int (*ioctl)(struct socket *sock, unsigned long cmd, int *value);
	int (*dev_ioctl)(struct socket *sock, unsigned long cmd, void *arg, size_t *len); /* NULL = none */
	int (*listen)(struct socket *sock, int backlog);
	int (*shutdown)(struct socket *sock, int how); /* SHUT_RD ... */
	int (*setsockopt)(struct socket *sock, int level, int name, const void *val, socklen_t len);
	int (*getsockopt)(struct socket *sock, int level, int name, void *val, socklen_t *len);
	ssize_t (*sendmsg)(struct socket *sock, struct stack_msg *msg);
	ssize_t (*recvmsg)(struct socket *sock, struct stack_msg *msg);
};

struct socket {
	struct net *net;
	uint8_t state;                 /* enum socket_state */
	uint16_t type;
	const struct proto_ops *ops;
	struct sock *sk;
	socket_wake_fn wake;           /* NULL = nobody listens */
	void *user;                    /* of the holder */
};

/* @type without SOCK_NONBLOCK/CLOEXEC. -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT as Linux. */
int sock_create(struct net *net, int family, int type, int protocol, struct socket **out);
int sock_bind(struct socket *sock, const struct sockaddr *addr, socklen_t len);
int sock_listen(struct socket *sock, int backlog);
/* *out has no wake yet. -EAGAIN when the queue is empty. */
int sock_accept(struct socket *sock, struct socket **out);
/* 0 connected, -EINPROGRESS under way (wake with POLLOUT or an error when done), else failed. */
int sock_connect(struct socket *sock, const struct sockaddr *addr, socklen_t len);
ssize_t sock_sendmsg(struct socket *sock, struct stack_msg *msg);
ssize_t sock_recvmsg(struct socket *sock, struct stack_msg *msg);
/* Stream: see struct proto.read_sock. */
ssize_t sock_read(struct socket *sock, size_t (*actor)(void *arg, const uint8_t *data, size_t len),
		  void *arg);
/* Stream: see struct proto.fill_sock. */
ssize_t sock_fill(struct socket *sock, ssize_t (*filler)(void *arg, uint8_t *buf, size_t len),
		  void *arg);
int sock_getname(struct socket *sock, struct sockaddr_storage *addr, bool peer);
int sock_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len);
int sock_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len);

const struct absent_option *sock_absent_option(const struct net *net, unsigned int index);
int sock_shutdown(struct socket *sock, int how);
int sock_ioctl(struct socket *sock, unsigned long cmd, int *value);
int sock_dev_ioctl(struct socket *sock, unsigned long cmd, void *arg, size_t *len);
unsigned int sock_poll(const struct socket *sock);
/* close(): the program is gone; the transport finishes by itself. */
void sock_release(struct socket *sock);
void sock_set_owner(struct socket *sock, int32_t pid, const char *comm);
/* Bytes that sendmsg would take now without -EAGAIN (stream); 0 = wait for wake. */
size_t sock_wspace(const struct socket *sock);

/* For families: ancillary data to the receiver. */
void put_cmsg(struct stack_msg *msg, int level, int type, const void *data, size_t len);
void sock_put_timestamp(const struct sock *sk, const struct sk_buff *skb, struct stack_msg *msg);

/* Families register their creator per net: inet's is PF_INET. */
struct net_proto_family {
	uint16_t family;
	int (*create)(struct net *net, struct socket *sock, int protocol);
};
int sock_register(struct net *net, const struct net_proto_family *fam);

#endif
