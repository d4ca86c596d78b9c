/* SPDX-License-Identifier: MIT */
/* Packet sockets (AF_PACKET): frames of our devices for programs; what the host needs of them. */
#ifndef STACK_PACKET_PACKET_H
#define STACK_PACKET_PACKET_H

#include "stack/core/socket.h"

/*
 * A PACKET_RX_RING lies in memory that stack and program share. Who drives the stack provides it;
 * without a provider rings are refused with -ENOMEM.
 */
struct packet_ring_ops {
	/* @bytes zeroed, whole pages: 0 and *mem, or negative errno. @sock has no ring before. */
	int (*map)(struct socket *sock, size_t bytes, uint8_t **mem);
	void (*unmap)(struct socket *sock, uint8_t *mem, size_t bytes);
};
void packet_set_ring_ops(struct net *net, const struct packet_ring_ops *ops);

/*
 * Where in the ring the 32-bit status word lies of the frame (TPACKET_V3: block) that was filled
 * last: the ring has something for the program while that is not TP_STATUS_KERNEL, that is 0.
 * -ENOENT: the socket has no ring.
 */
int packet_ring_last(const struct socket *sock, uint32_t *offset);

/* What sendto(@len bytes, @name) of a packet socket would say before it sends: 0 or negative errno. */
int packet_check_send(const struct socket *sock, const void *name, socklen_t namelen, size_t len);

extern const struct pernet_operations packet_pernet_ops;

#endif
