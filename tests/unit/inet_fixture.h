/* SPDX-License-Identifier: MIT */
/*
 * A host with the network layer only: eth0 (02:..:01) with 10.0.0.1/24, the neighbour 10.0.0.2
 * (02:..:99) known for good, lo with 127.0.0.1/8, a default gateway 10.0.0.254, and a protocol 253
 * that keeps what it is given.
 */
#ifndef TESTS_UNIT_INET_FIXTURE_H
#define TESTS_UNIT_INET_FIXTURE_H

#include "netif/netif.h"
#include "stack/core/checksum.h"
#include "stack/core/neighbour.h"
#include "stack/core/sock.h"
#include "stack/inet/arp.h"
#include "stack/inet/devinet.h"
#include "stack/inet/icmp.h"
#include "stack/inet/ip.h"
#include "stack/inet/route.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"

#define PROTO_TEST 253 /* RFC 3692: for experiments */
#define OWN PKT_IP(10, 0, 0, 1)
#define PEER PKT_IP(10, 0, 0, 2)
#define GATEWAY PKT_IP(10, 0, 0, 254)
#define FAR PKT_IP(192, 0, 2, 7)

static const uint8_t own_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 0x99 },
		     gateway_mac[6] = { 2, 0, 0, 0, 0, 0xfe };

/* What reached protocol 253. */
static struct {
	unsigned int packets, errors;
	uint8_t data[70000];
	uint32_t len;
	struct ip_skb_cb cb;
	uint8_t type, code;
	uint32_t info;
} seen;

static inline void test_proto_rcv(struct sk_buff *skb)
{
	seen.packets++;
	seen.len = skb->len;
	seen.cb = *ip_cb(skb);
	CHECK_EQ(skb_copy_bits(skb, 0, seen.data, skb->len), 0);
	skb_consume(skb);
}

static inline void test_proto_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	seen.errors++;
	seen.len = skb->len;
	seen.cb = *ip_cb(skb);
	CHECK(skb_header(skb, 0, 8) != NULL);
	seen.type = type;
	seen.code = code;
	seen.info = info;
}

static const struct net_protocol test_proto = { PROTO_TEST, test_proto_rcv, test_proto_err };

static const struct pernet_operations *const network_layer[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops, &inet_pernet_ops, &route_pernet_ops,
	&ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops, NULL,
};

struct host {
	struct net *net;
	struct net_device *lo, *eth;
};

static inline struct inet_addr ip4(uint32_t a)
{
	return inet_addr_v4(cpu_to_be32(a));
}

static inline void know_neighbour(struct host *h, uint32_t addr, const uint8_t *mac)
{
	const struct inet_addr a = ip4(addr);
	struct neighbour *n = neigh_create(h->net, &a, h->eth);

	CHECK(n != NULL);
	neigh_update(n, mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE);
}

static inline int add_route4(struct host *h, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t metric)
{
	struct route r = { .dst = ip4(dst), .prefix_len = len, .type = RTN_T_UNICAST, .metric = metric };

	if (gateway)
		r.gateway = ip4(gateway);
	else
		r.dev = h->eth;
	return route_add(h->net, &r);
}

static inline struct host host_without_addresses(void)
{
	struct host h;

	memset(&seen, 0, sizeof(seen));
	h.net = fake_net_create(network_layer);
	CHECK_EQ(loopback_create(h.net, &h.lo), 0);
	CHECK_EQ(dev_open(h.lo), 0);
	h.eth = fake_dev_create(h.net, "eth0", 1);
	CHECK_EQ(inet_add_protocol(h.net, &test_proto), 0);
	return h;
}

static inline struct host host_up(void)
{
	const struct inet_addr own = ip4(OWN), self = ip4(INADDR_LOOPBACK);
	struct host h = host_without_addresses();

	CHECK_EQ(inet_addr_add(h.net, h.lo, &self, 8, ACD_NONE), 0);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &own, 24, ACD_NONE), 0);
	CHECK_EQ(add_route4(&h, 0, 0, GATEWAY, 0), 0);
	know_neighbour(&h, PEER, peer_mac);
	know_neighbour(&h, GATEWAY, gateway_mac);
	pkt_expect_none(h.eth);
	return h;
}

/* A packet of protocol 253 with @len bytes 0, 1, 2 ... */
static inline struct pkt plain_packet(uint32_t saddr, uint32_t daddr, uint32_t len)
{
	static uint8_t bytes[66000];
	struct pkt p = pkt_udp(saddr, 0, daddr, 0, bytes, len);
	uint32_t i;

	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)i;
	p.proto = PROTO_TEST;
	return p;
}

/* @len bytes 0, 1, 2 ... behind headroom, as a transport hands them to IP. */
static inline struct sk_buff *payload_skb(struct host *h, const struct dst *dst, uint32_t len)
{
	struct sk_buff *skb = alloc_skb(h->net, ip_headroom(dst) + len);
	uint32_t i;
	uint8_t *p;

	CHECK(skb != NULL);
	skb_reserve(skb, ip_headroom(dst));
	p = skb_put(skb, len);
	for (i = 0; i < len; i++)
		p[i] = (uint8_t)i;
	return skb;
}

static inline struct dst way_to(struct host *h, uint32_t daddr)
{
	const struct flowi fl = { .daddr = ip4(daddr) };
	struct dst dst;

	CHECK_EQ(route_lookup(h->net, &fl, &dst), 0);
	return dst;
}

#endif
