/* SPDX-License-Identifier: MIT */
/* Reassembly: order, overlaps, lies about the end, limits, time. RFC 791 3.2, RFC 1122 3.3.2. */
#include "tests/unit/inet_fixture.h"

static uint16_t current_id;

/* Bytes [from, to) of a datagram 0, 1, 2 ...; @more = not the last. */
static struct pkt piece(uint32_t from, uint32_t to, bool more)
{
	static uint8_t bytes[70000];
	struct pkt p = plain_packet(PEER, OWN, 0);
	uint32_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	p.payload = bytes + from;
	p.payload_len = to - from;
	p.frag_off = (uint16_t)from;
	p.mf = more;
	p.id = current_id;
	return p;
}

static void send_piece(struct host *h, uint32_t from, uint32_t to, bool more)
{
	const struct pkt p = piece(from, to, more);

	pkt_inject(h->eth, &p);
}

static void check_whole(uint32_t len)
{
	uint32_t i;

	CHECK_EQ(seen.len, len);
	for (i = 0; i < len; i++)
		if (seen.data[i] != (uint8_t)i)
			CHECK_EQ(seen.data[i], (uint8_t)i);
}

/* Nothing was delivered and nothing waits. */
static void check_given_up(struct host *h)
{
	CHECK_EQ(seen.packets, 0);
	CHECK_EQ(skb_live(h->net), 0);
	CHECK_GE(h->net->mib[MIB_IpReasmFails], 1);
}

TEST(test_in_order)
{
	struct host h = host_up();

	send_piece(&h, 0, 1000, true);
	send_piece(&h, 1000, 2000, true);
	CHECK_EQ(seen.packets, 0);
	send_piece(&h, 2000, 2345, false);
	CHECK_EQ(seen.packets, 1);
	check_whole(2345);
	CHECK_EQ(seen.cb.ihl, 20);
	CHECK_EQ(be32_to_cpu(seen.cb.saddr), PEER);
	CHECK_EQ(h.net->mib[MIB_IpReasmReqds], 3);
	CHECK_EQ(h.net->mib[MIB_IpReasmOKs], 1);
	CHECK_EQ(h.net->mib[MIB_IpReasmFails], 0);
	fake_net_destroy(h.net);
}

TEST(test_all_orders_of_four)
{
	static const uint32_t edges[5] = { 0, 8, 24, 64, 70 };
	struct host h = host_up();
	int a, b, c, d;
	unsigned int n = 0;

	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++)
			for (c = 0; c < 4; c++) {
				const int order[4] = { a, b, c, 6 - a - b - c };
				int i;

				if (a == b || b == c || a == c)
					continue;
				current_id++;
				for (i = 0; i < 4; i++) {
					d = order[i];
					CHECK_EQ(seen.packets, n);
					send_piece(&h, edges[d], edges[d + 1], d != 3);
				}
				CHECK_EQ(seen.packets, ++n);
				check_whole(70);
			}
	CHECK_EQ(n, 24);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_largest_datagram)
{
	struct host h = host_up();
	uint32_t at;

	for (at = 0; at < 65512; at += 48)
		send_piece(&h, at, MIN(at + 48, 65515U), at + 48 < 65515);
	CHECK_EQ(seen.packets, 1);
	check_whole(65515);
	fake_net_destroy(h.net);
}

TEST(test_duplicate_is_ignored)
{
	struct host h = host_up();

	send_piece(&h, 0, 16, true);
	send_piece(&h, 0, 16, true);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_DUPLICATE], 1);
	send_piece(&h, 16, 20, false);
	CHECK_EQ(seen.packets, 1);
	check_whole(20);
	CHECK_EQ(h.net->mib[MIB_IpReasmFails], 0);
	fake_net_destroy(h.net);
}

struct overlap_case {
	uint32_t from, to;
	bool more;
};

TEST(test_overlaps_discard_the_datagram)
{
	/* After [16,32) and [48,64). */
	static const struct overlap_case cases[] = {
		{ 8, 24, true }, { 24, 40, true }, { 16, 24, true }, { 24, 32, true }, { 8, 40, true },
		{ 16, 40, true }, { 32, 56, true }, { 0, 64, true }, { 56, 80, true }, { 0, 72, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host h = host_up();

		send_piece(&h, 16, 32, true);
		send_piece(&h, 48, 64, true);
		send_piece(&h, cases[i].from, cases[i].to, cases[i].more);
		CHECK_MSG(h.net->drops[SKB_DROP_FRAG_OVERLAP] == 1, "case %zu", i);
		check_given_up(&h);
		fake_net_destroy(h.net);
	}
}

TEST(test_lies_about_the_end)
{
	struct host h = host_up();

	send_piece(&h, 16, 20, false); /* the end is 20 ... */
	send_piece(&h, 24, 32, true);  /* ... and there is more behind it */
	check_given_up(&h);
	current_id++;
	send_piece(&h, 24, 32, true);
	send_piece(&h, 8, 12, false);
	check_given_up(&h);
	current_id++;
	send_piece(&h, 8, 12, false);
	send_piece(&h, 16, 19, false);
	check_given_up(&h);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_OVERLAP], 3);
	fake_net_destroy(h.net);
}

TEST(test_impossible_fragments)
{
	struct host h = host_up();
	struct pkt p;

	send_piece(&h, 0, 15, true);        /* not a multiple of 8 */
	send_piece(&h, 8, 8, false);        /* empty */
	send_piece(&h, 0, 0, true);
	send_piece(&h, 65512, 65520, false); /* ends behind 65535 with its header */
	p = piece(65528, 65536, false);
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_INVALID], 5);
	check_given_up(&h);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_header_of_the_first_makes_it_too_long)
{
	struct host h = host_up();
	struct pkt p = piece(0, 8, true);
	uint32_t at;

	p.ip_options_len = 8;
	memset(p.ip_options, 1, 8);
	pkt_inject(h.eth, &p);
	for (at = 8; at < 65512; at += 1000)
		send_piece(&h, at, MIN(at + 1000, 65512U), at + 1000 < 65512);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_INVALID], 1);
	check_given_up(&h);
	fake_net_destroy(h.net);
}

TEST(test_streams_do_not_mix)
{
	struct host h = host_up();
	struct pkt p = piece(0, 8, true);

	pkt_inject(h.eth, &p);
	p = piece(8, 16, false);
	p.id++;
	pkt_inject(h.eth, &p);
	p.id--;
	p.proto++;
	pkt_inject(h.eth, &p);
	p.proto--;
	p.saddr++;
	pkt_inject(h.eth, &p);
	CHECK_EQ(seen.packets, 0);
	p.saddr--;
	pkt_inject(h.eth, &p);
	CHECK_EQ(seen.packets, 1);
	fake_net_destroy(h.net);
}

TEST(test_timeout_with_first_fragment_is_told)
{
	struct host h = host_up();
	struct pkt p;

	send_piece(&h, 0, 1000, true);
	fake_advance_ms(h.net, 29999);
	pkt_expect_none(h.eth);
	fake_advance_ms(h.net, 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.icmp_type, ICMP4_TIME_EXCEEDED);
	CHECK_EQ(p.icmp_code, ICMP4_EXC_FRAGTIME);
	CHECK_EQ(p.daddr, PEER);
	CHECK_EQ(p.ip_len, 576);
	CHECK_EQ(p.payload[0], 0x45);
	CHECK_EQ(h.net->mib[MIB_IpReasmTimeout], 1);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_TIMEOUT], 1);
	check_given_up(&h);
	fake_net_destroy(h.net);
}

TEST(test_timeout_without_first_fragment_is_silent)
{
	struct host h = host_up();

	send_piece(&h, 8, 16, true);
	send_piece(&h, 24, 30, false);
	fake_advance_s(h.net, 30);
	pkt_expect_none(h.eth);
	CHECK_EQ(h.net->mib[MIB_IpReasmFails], 1); /* once a datagram */
	check_given_up(&h);
	fake_net_destroy(h.net);
}

TEST(test_time_does_not_start_over)
{
	struct host h = host_up();

	send_piece(&h, 8, 16, true);
	fake_advance_s(h.net, 20);
	send_piece(&h, 16, 24, true);
	fake_advance_s(h.net, 10);
	check_given_up(&h);
	fake_net_destroy(h.net);
}

TEST(test_memory_is_bounded_and_the_oldest_goes)
{
	struct host h = host_up();
	uint32_t i;

	current_id = 0;
	send_piece(&h, 0, 8, true);
	for (i = 0; i < 20000; i++) {
		current_id++;
		send_piece(&h, 0, 1400, true);
		CHECK_LE(h.net->skb_bytes, 5U << 20);
	}
	CHECK_GT(h.net->drops[SKB_DROP_FRAG_MEMORY], 10000);
	send_piece(&h, 1400, 1500, false); /* the youngest is still there */
	CHECK_EQ(seen.packets, 1);
	current_id = 0;
	send_piece(&h, 8, 16, false); /* the oldest is not */
	CHECK_EQ(seen.packets, 1);
	fake_net_destroy(h.net);
}

TEST(test_pieces_are_bounded)
{
	struct host h = host_up();
	uint32_t i;

	for (i = 0; i < 3000; i++)
		send_piece(&h, 8 * i, 8 * i + 8, true);
	CHECK_EQ(h.net->drops[SKB_DROP_FRAG_MEMORY], 2);
	CHECK_LT(skb_live(h.net), 1367);
	fake_net_destroy(h.net);
}

static void send_ecn(struct host *h, uint8_t first, uint8_t second)
{
	struct pkt p = piece(0, 8, true);

	p.tos = first;
	pkt_inject(h->eth, &p);
	p = piece(8, 12, false);
	p.tos = second;
	pkt_inject(h->eth, &p);
	current_id++;
}

TEST(test_congestion_marks)
{
	struct host h = host_up();

	send_ecn(&h, 2, 3);
	CHECK_EQ(seen.packets, 1);
	CHECK_EQ(seen.cb.tos, 3);
	send_ecn(&h, 3, 1);
	CHECK_EQ(seen.cb.tos, 3);
	send_ecn(&h, 0xb8 | 2, 2);
	CHECK_EQ(seen.cb.tos, 0xb8 | 2);
	CHECK_EQ(seen.packets, 3);
	send_ecn(&h, 0, 3); /* RFC 3168 5.3: drop */
	CHECK_EQ(seen.packets, 3);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_device_goes_while_fragments_wait)
{
	struct host h = host_up();

	send_piece(&h, 0, 8, true);
	unregister_netdev(h.eth);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_namespace_goes_while_fragments_wait)
{
	struct host h = host_up();

	send_piece(&h, 0, 8, true);
	fake_net_destroy(h.net);
}
