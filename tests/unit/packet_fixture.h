/* SPDX-License-Identifier: MIT */
/* The host of sock_fixture.h with packet sockets, whose rings lie in memory of the test. */
#ifndef TESTS_UNIT_PACKET_FIXTURE_H
#define TESTS_UNIT_PACKET_FIXTURE_H

#include "stack/packet/packet.h"
#include "tests/unit/sock_fixture.h"

#include <linux/filter.h>
#include <linux/if_packet.h>

static const struct pernet_operations *const packet_layers[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops, &inet_pernet_ops, &route_pernet_ops,
	&ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops, &inet_hash_pernet_ops,
	&inet_port_pernet_ops, &inet_sock_pernet_ops, &udp_pernet_ops, &raw_pernet_ops, &packet_pernet_ops, NULL,
};

/* The memory of the one ring that a test has. */
static struct {
	uint8_t *mem;
	size_t bytes;
} shared;

static inline int ring_map(struct socket *sock, size_t bytes, uint8_t **mem)
{
	(void)sock;
	shared.mem = calloc(1, bytes);
	shared.bytes = bytes;
	*mem = shared.mem;
	return shared.mem ? 0 : -ENOMEM;
}

static inline void ring_unmap(struct socket *sock, uint8_t *mem, size_t bytes)
{
	(void)sock;
	CHECK(mem == shared.mem);
	CHECK_EQ(bytes, shared.bytes);
	free(mem);
	shared.mem = NULL;
}

static const struct packet_ring_ops ring_ops = { ring_map, ring_unmap };

static inline struct host packet_host_up(void)
{
	struct host h = sock_host_of(packet_layers);

	packet_set_ring_ops(h.net, &ring_ops);
	return h;
}

/* @ethertype in host order. */
static inline struct socket *packet_socket(struct host *h, int type, uint16_t ethertype)
{
	struct socket *s = NULL;

	CHECK_EQ(sock_create(h->net, AF_PACKET, type, cpu_to_be16(ethertype), &s), 0);
	return s;
}

static inline struct sockaddr_ll link_addr(int ifindex, uint16_t ethertype)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = ifindex,
				     .sll_protocol = cpu_to_be16(ethertype) };
}

static inline int bind_packet(struct socket *s, int ifindex, uint16_t ethertype)
{
	struct sockaddr_ll ll = link_addr(ifindex, ethertype);

	return sock_bind(s, (struct sockaddr *)(void *)&ll, sizeof(ll));
}

/* A frame from the peer to @dest with @len bytes 0, 1, 2 ... behind the link header. */
static inline size_t make_frame(uint8_t *frame, const uint8_t *dest, uint16_t ethertype, size_t len)
{
	memcpy(frame, dest, 6);
	memcpy(frame + 6, peer_mac, 6);
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	for (size_t i = 0; i < len; i++)
		frame[14 + i] = (uint8_t)i;
	return 14 + len;
}

static inline void inject_frame(struct host *h, const uint8_t *dest, uint16_t ethertype, size_t len)
{
	static uint8_t frame[2000];

	fake_dev_inject(h->eth, frame, make_frame(frame, dest, ethertype, len));
}

enum { ETH_TEST = 0x88b5 }; /* IEEE 802: for experiments */

#endif
