/* SPDX-License-Identifier: MIT */
/* Socket filters: classic BPF programs of sockets that get packets (SO_ATTACH_FILTER). */
#ifndef STACK_CORE_FILTER_H
#define STACK_CORE_FILTER_H

#include <sys/uio.h>

#include "stack/core/skbuff.h"

struct sock;

/* What a filter looks at: a packet in up to three pieces, and what is known about it besides. */
struct packet_view {
	struct iovec part[3];
	uint32_t len;      /* of all parts */
	uint32_t start;    /* where offset 0 of the program lies */
	uint32_t network;  /* where the network header lies: SKF_NET_OFF */
	be16 protocol;     /* ETH_P_*, big endian */
	uint8_t pkt_type;
	uint32_t mark;
	struct net *net;
	const struct net_device *dev; /* NULL = none */
};

struct sk_filter;

/* Bytes from view->start to be kept; 0 = none of it. */
uint32_t sk_filter_run(const struct sk_filter *f, const struct packet_view *view);
/* A copy of @len bytes from @offset on; false beyond the end. */
bool packet_view_copy(const struct packet_view *view, uint32_t offset, void *to, uint32_t len);
/* The filter of a socket over a received packet from its data on: 0, cut to what it keeps; -EPERM: refused. */
int sk_filter_skb(const struct sock *sk, struct sk_buff *skb, uint32_t least);

/* @prog: of struct sock_filter, @len bytes. */
int sk_attach_filter(struct sock *sk, const void *prog, size_t len);
int sk_detach_filter(struct sock *sk);
void sk_filter_free(struct sock *sk);

#endif
