/* SPDX-License-Identifier: MIT */
/* IPv4 input: what is taken, what is dropped and why, what is answered. RFC 791, RFC 1122 3.2. */
#include "tests/unit/inet_fixture.h"

static void inject(struct host *h, const struct pkt *p)
{
	pkt_inject(h->eth, p);
}

static uint64_t drops(struct host *h, enum skb_drop_reason reason)
{
	return h->net->drops[reason];
}

/* Injects @p, which must be dropped for @reason, unanswered, never delivered. */
static void expect_drop(struct host *h, const struct pkt *p, enum skb_drop_reason reason)
{
	const unsigned int delivered = seen.packets;
	const uint64_t before = drops(h, reason);

	inject(h, p);
	CHECK_MSG(drops(h, reason) == before + 1, "not dropped for: %s", skb_drop_reason_str(reason));
	CHECK_EQ(seen.packets, delivered);
	CHECK_EQ(skb_live(h->net), 0);
}

static void expect_delivery(struct host *h, const struct pkt *p)
{
	const unsigned int delivered = seen.packets;

	inject(h, p);
	CHECK_EQ(seen.packets, delivered + 1);
}

/* Recomputes the IP checksum, so that mutations get past it. */
static void mend_checksum(uint8_t *ip, size_t len)
{
	const size_t hlen = (size_t)(ip[0] & 15) * 4;
	uint32_t sum = 0;
	size_t i;

	if (hlen < 20 || hlen > len)
		return;
	ip[10] = ip[11] = 0;
	for (i = 0; i < hlen; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

TEST(test_delivery_with_facts)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 100);

	p.ttl = 9;
	p.tos = 0x2a;
	p.df = true;
	expect_delivery(&h, &p);
	CHECK_EQ(seen.len, 100);
	CHECK_MEM(seen.data, p.payload, 100);
	CHECK_EQ(be32_to_cpu(seen.cb.saddr), PEER);
	CHECK_EQ(be32_to_cpu(seen.cb.daddr), OWN);
	CHECK_EQ(seen.cb.iif, h.eth->ifindex);
	CHECK_EQ(seen.cb.ttl, 9);
	CHECK_EQ(seen.cb.tos, 0x2a);
	CHECK_EQ(seen.cb.protocol, PROTO_TEST);
	CHECK_EQ(seen.cb.ihl, 20);
	CHECK(seen.cb.df && !seen.cb.bcast);
	CHECK_EQ(h.net->mib[MIB_IpInReceives], 1);
	CHECK_EQ(h.net->mib[MIB_IpInDelivers], 1);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_padding_is_trimmed)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 46);

	p.force_tot_len = 20 + 5;
	expect_delivery(&h, &p);
	CHECK_EQ(seen.len, 5);
	fake_net_destroy(h.net);
}

TEST(test_super_frame_beyond_the_mtu)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 65515);

	expect_delivery(&h, &p);
	CHECK_EQ(seen.len, 65515);
	CHECK_MEM(seen.data, p.payload, 65515);
	fake_net_destroy(h.net);
}

TEST(test_malformed_headers)
{
	struct host h = host_up();
	const struct pkt good = plain_packet(PEER, OWN, 40);
	struct pkt p = good;
	size_t len;

	p.force_version = 6;
	expect_drop(&h, &p, SKB_DROP_IP_HEADER);
	p = good;
	p.force_ihl = 4;
	expect_drop(&h, &p, SKB_DROP_IP_HEADER);
	p = good;
	p.bad_ip_csum = true;
	expect_drop(&h, &p, SKB_DROP_IP_CHECKSUM);
	p = good;
	p.force_tot_len = 19;
	expect_drop(&h, &p, SKB_DROP_IP_HEADER);
	p = good;
	p.force_tot_len = 61;
	expect_drop(&h, &p, SKB_DROP_IP_TRUNCATED);
	for (len = 14; len < 14 + 20; len++) {
		p = good;
		p.truncate = len;
		expect_drop(&h, &p, SKB_DROP_IP_HEADER);
	}
	p.truncate = 14 + 59;
	expect_drop(&h, &p, SKB_DROP_IP_TRUNCATED);
	p = plain_packet(PEER, OWN, 4);
	p.force_ihl = 15; /* header longer than the packet */
	expect_drop(&h, &p, SKB_DROP_IP_HEADER);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_ttl_zero_is_taken)
{
	static uint8_t frame[PKT_MAX];
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 4);
	size_t len;

	memcpy(p.eth_dst, own_mac, 6);
	len = pkt_build(&p, frame);
	frame[14 + 8] = 0;
	mend_checksum(frame + 14, len - 14);
	fake_dev_inject(h.eth, frame, len);
	CHECK_EQ(seen.packets, 1);
	CHECK_EQ(seen.cb.ttl, 0);
	fake_net_destroy(h.net);
}

TEST(test_sources_that_nobody_has)
{
	static const uint32_t bad[] = {
		0, PKT_IP(0, 1, 1, 1), PKT_IP(127, 0, 0, 1), PKT_IP(224, 0, 0, 1), PKT_IP(239, 255, 0, 1),
		0xffffffff, PKT_IP(10, 0, 0, 255), OWN,
	};
	struct host h = host_up();
	struct pkt p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		p = plain_packet(bad[i], OWN, 8);
		expect_drop(&h, &p, SKB_DROP_IP_BAD_SOURCE);
	}
	p = plain_packet(PEER, INADDR_LOOPBACK, 8);
	expect_drop(&h, &p, SKB_DROP_IP_BAD_SOURCE);
	CHECK_EQ(h.net->mib[MIB_IpInAddrErrors], ARRAY_SIZE(bad) + 1);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_destinations_that_are_not_ours)
{
	static const uint32_t foreign[] = { PEER, FAR, PKT_IP(10, 0, 0, 0), PKT_IP(10, 0, 1, 255),
					    PKT_IP(0, 0, 0, 9), 0, PKT_IP(240, 0, 0, 1) };
	struct host h = host_up();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		struct pkt p = plain_packet(PKT_IP(10, 0, 0, 3), foreign[i], 8);

		expect_drop(&h, &p, SKB_DROP_IP_NOT_LOCAL);
	}
	CHECK_EQ(h.net->mib[MIB_IpForwDatagrams], 0);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_broadcast_and_multicast_are_marked)
{
	static const uint32_t group[] = { 0xffffffff, PKT_IP(10, 0, 0, 255), PKT_IP(224, 0, 0, 1) };
	struct host h = host_up();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(group); i++) {
		struct pkt p = plain_packet(PEER, group[i], 8);

		memset(p.eth_dst, 0xff, 6);
		expect_delivery(&h, &p);
		CHECK(seen.cb.bcast);
	}
	fake_net_destroy(h.net);
}

TEST(test_boot_source_only_with_broadcast)
{
	struct host h = host_up();
	struct pkt p = plain_packet(0, 0xffffffff, 8);

	memset(p.eth_dst, 0xff, 6);
	expect_delivery(&h, &p);
	p.daddr = PKT_IP(10, 0, 0, 255);
	expect_drop(&h, &p, SKB_DROP_IP_BAD_SOURCE);
	fake_net_destroy(h.net);
}

TEST(test_unicast_in_a_link_broadcast)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 8);

	memset(p.eth_dst, 0xff, 6); /* RFC 1122 3.3.6 */
	expect_drop(&h, &p, SKB_DROP_IP_NOT_LOCAL);
	fake_net_destroy(h.net);
}

TEST(test_frame_for_another_host)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 8);

	memcpy(p.eth_dst, gateway_mac, 6);
	expect_drop(&h, &p, SKB_DROP_OTHERHOST);
	fake_net_destroy(h.net);
}

struct option_case {
	uint8_t len, bytes[40];
	int bad; /* 0 = fine, > 0 = the pointer of the parameter problem, -1 = dropped silently */
};

TEST(test_options)
{
	static const struct option_case cases[] = {
		{ 4, { 1, 1, 1, 0 }, 0 },
		{ 4, { 0, 9, 9, 9 }, 0 },                           /* nothing behind the end */
		{ 8, { 7, 7, 4, 0, 0, 0, 0, 0 }, 0 },               /* record route */
		{ 8, { 1, 7, 7, 4, 0, 0, 0, 0 }, 0 },
		{ 8, { 7, 7, 3, 0, 0, 0, 0, 0 }, 22 },              /* pointer too small */
		{ 8, { 7, 7, 6, 0, 0, 0, 0, 0 }, 22 },              /* slot beyond the end */
		{ 4, { 7, 2, 0, 0 }, 21 },
		{ 4, { 148, 4, 0, 0 }, 0 },                         /* router alert */
		{ 4, { 148, 3, 0, 0 }, 21 },
		{ 12, { 68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 0 }, /* timestamps */
		{ 12, { 68, 12, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 0 },
		{ 12, { 68, 12, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 22 },
		{ 12, { 68, 12, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0 }, 22 },
		{ 4, { 68, 3, 5, 0 }, 21 },
		{ 4, { 200, 5, 0, 0 }, 20 },                        /* longer than the header */
		{ 4, { 200, 0, 0, 0 }, 20 },
		{ 4, { 200, 1, 0, 0 }, 20 },
		{ 4, { 1, 1, 1, 200 }, 23 },                        /* no room for a length */
		{ 4, { 200, 4, 7, 7 }, 0 },                         /* unknown */
		{ 8, { 131, 7, 4, 1, 2, 3, 4, 0 }, -1 },            /* source routes */
		{ 8, { 137, 7, 4, 1, 2, 3, 4, 0 }, -1 },
		{ 8, { 131, 6, 4, 1, 2, 3, 0, 0 }, 21 },
	};
	struct host h = host_up();
	struct pkt p, answer;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct option_case *c = &cases[i];
		const unsigned int delivered = seen.packets;

		p = plain_packet(PEER, OWN, 8);
		p.ip_options_len = c->len;
		memcpy(p.ip_options, c->bytes, c->len);
		inject(&h, &p);
		CHECK_MSG(seen.packets - delivered == (c->bad == 0), "case %zu", i);
		CHECK_MSG(pkt_take(h.eth, &answer) == (c->bad > 0), "case %zu", i);
		if (c->bad > 0) {
			CHECK_EQ(answer.icmp_type, ICMP4_PARAM_PROB);
			CHECK_MSG((int)(answer.icmp_rest >> 24) == c->bad, "case %zu: points to %u", i,
				  answer.icmp_rest >> 24);
		}
		fake_advance_ms(h.net, 10);
	}
	fake_net_destroy(h.net);
}

TEST(test_unknown_protocol_is_answered)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 8), answer;

	p.proto = 99;
	expect_drop(&h, &p, SKB_DROP_IP_NO_PROTO);
	CHECK(pkt_take(h.eth, &answer));
	CHECK_EQ(answer.icmp_type, ICMP4_DEST_UNREACH);
	CHECK_EQ(answer.icmp_code, ICMP4_PROT_UNREACH);
	CHECK_EQ(answer.daddr, PEER);
	CHECK_EQ(answer.payload_len, 28);
	fake_net_destroy(h.net);
}

static bool raw_takes;
static unsigned int raw_copies;

static void raw_hook(struct sk_buff *skb, bool *taken)
{
	CHECK_EQ(skb->data - (uint8_t *)skb_network_header(skb), ip_cb(skb)->ihl);
	raw_copies++;
	*taken = raw_takes;
}

TEST(test_raw_sockets_come_first)
{
	struct host h = host_up();
	struct pkt p = plain_packet(PEER, OWN, 8);

	raw_copies = 0;
	raw_takes = true;
	h.net->inet->raw_rcv = raw_hook;
	expect_delivery(&h, &p);
	p.proto = 99;
	inject(&h, &p);
	CHECK_EQ(raw_copies, 2);
	pkt_expect_none(h.eth);
	raw_takes = false;
	expect_drop(&h, &p, SKB_DROP_IP_NO_PROTO);
	fake_net_destroy(h.net);
}

TEST(test_address_of_another_device_is_ours)
{
	struct host h = host_up();
	struct net_device *other = fake_dev_create(h.net, "eth1", 7);
	struct pkt p = plain_packet(PKT_IP(10, 0, 0, 3), OWN, 8);

	pkt_inject(other, &p);
	CHECK_EQ(seen.packets, 1);
	CHECK_EQ(seen.cb.iif, other->ifindex);
	fake_net_destroy(h.net);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A valid frame of some kind: the seed of a mutation. */
static size_t build_some(uint8_t *frame, uint32_t r)
{
	uint8_t quoted[64], buf[600];
	struct pkt p = plain_packet(PEER, OWN, r % 60), inner = plain_packet(OWN, PEER, 16);

	switch (r >> 8 & 7) {
	case 0:
		p = pkt_arp(1 + (r >> 12 & 1), peer_mac, PEER, NULL, OWN);
		break;
	case 1:
		p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, r, "abcdefgh", 8);
		break;
	case 2:
		memcpy(quoted, buf + 14, pkt_build(&inner, buf) - 14);
		p = pkt_icmp(PEER, OWN, ICMP4_DEST_UNREACH, r >> 12 & 15, 1400, quoted, 36);
		break;
	case 3:
		p.mf = true;
		p.payload_len = 8 + (r % 8) * 8;
		p.frag_off = (uint16_t)((r >> 12 & 15) * 8);
		p.id = r >> 16 & 3;
		break;
	case 4:
		p.frag_off = (uint16_t)((1 + (r >> 12 & 15)) * 8);
		p.id = r >> 16 & 3;
		break;
	case 5:
		p.ip_options_len = (uint8_t)(4 + (r >> 12 & 7) * 4);
		memcpy(p.ip_options, "\x07\x07\x04\0\0\0\0\x44\x0c\x05\0\0\0\0\0\0\0\0\0\x94\x04\0\0\x83\x07\x04\1\2\3\4\0",
		       31);
		break;
	default:
		break;
	}
	if (p.eth_type == ETH_P_IP)
		memcpy(p.eth_dst, own_mac, 6);
	return pkt_build(&p, frame);
}

TEST(test_200000_mutated_frames)
{
	static uint8_t frame[PKT_MAX];
	struct host h = host_up();
	uint32_t state = 20261121, i;

	for (i = 0; i < 200000; i++) {
		size_t len = build_some(frame, next_random(&state));
		uint32_t flips = next_random(&state) % 4;

		while (flips--)
			frame[next_random(&state) % len] = (uint8_t)next_random(&state);
		if (next_random(&state) % 4 == 0)
			len = next_random(&state) % (len + 1);
		if (len > 34 && next_random(&state) % 4)
			mend_checksum(frame + 14, len - 14);
		fake_dev_inject(h.eth, frame, len);
		fake_dev_forget(h.eth);
		if (i % 16 == 0)
			fake_advance_ms(h.net, 5);
	}
	CHECK_GT(seen.packets, 1000);
	CHECK_GT(seen.errors, 100);
	CHECK_GT(h.net->mib[MIB_IpReasmOKs], 10);
	fake_advance_s(h.net, 31);
	fake_dev_forget(h.eth);
	CHECK_EQ(h.net->mib[MIB_IpInReceives] > 100000, true);
	fake_net_destroy(h.net);
}
