/* SPDX-License-Identifier: MIT */
/* What UDP, raw and ICMP echo sockets have in common: connect, receive, poll, and the way of a send. */
#ifndef STACK_INET_DATAGRAM_H
#define STACK_INET_DATAGRAM_H

#include "stack/inet/af_inet.h"
#include "stack/inet/ip.h"

/* One send under way: where to, by which way, with which header fields. */
struct dgram_send {
	struct inet_addr daddr;
	be16 dport;
	bool connected;           /* to the socket's own peer, without overrides: its route is cached */
	struct dst dst;
	struct ip_send_opts opts;
};

int ip4_datagram_connect(struct sock *sk, const struct sockaddr *addr, socklen_t len);
int ip4_datagram_disconnect(struct sock *sk);
unsigned int datagram_poll(const struct sock *sk);
int datagram_ioctl(struct sock *sk, unsigned long cmd, int *value);
ssize_t datagram_recvmsg(struct sock *sk, struct stack_msg *msg);
void datagram_close(struct sock *sk);
void datagram_err(struct sock *sk, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be16 port);

size_t datagram_msg_len(const struct stack_msg *msg);
int datagram_route(struct sock *sk, struct stack_msg *msg, struct dgram_send *s);
int datagram_fit(struct sock *sk, struct dgram_send *s, size_t len);
struct sk_buff *datagram_alloc(struct sock *sk, const struct dgram_send *s, size_t len);
void datagram_gather(const struct stack_msg *msg, uint8_t *to);
int datagram_xmit(struct sock *sk, struct sk_buff *skb, const struct dgram_send *s);

#endif
