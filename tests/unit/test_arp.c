/* SPDX-License-Identifier: MIT */
/* ARP both ways (RFC 826, RFC 1122 2.3.2) and address conflicts (RFC 5227). */
#include "tests/unit/inet_fixture.h"

#define NEW PKT_IP(10, 0, 0, 50)

static const uint8_t new_mac[6] = { 2, 0, 0, 0, 0, 0x50 }, nobody[6];

static struct neighbour *entry(struct host *h, uint32_t a)
{
	const struct inet_addr addr = ip4(a);

	return neigh_lookup(h->net, &addr, h->eth);
}

static void expect_arp(struct host *h, uint16_t op, uint32_t sip, uint32_t tip, const uint8_t *to)
{
	struct pkt p;

	CHECK(pkt_take(h->eth, &p));
	CHECK_EQ(p.eth_type, ETH_P_ARP);
	CHECK_EQ(p.arp_op, op);
	CHECK_EQ(p.arp_spa, sip);
	CHECK_EQ(p.arp_tpa, tip);
	CHECK_MEM(p.arp_sha, own_mac, 6);
	CHECK_MEM(p.eth_src, own_mac, 6);
	CHECK_MEM(p.eth_dst, to ? to : (const uint8_t *)"\xff\xff\xff\xff\xff\xff", 6);
	CHECK_MEM(p.arp_tha, op == ARP_OP_REPLY && to ? to : nobody, 6);
}

static int send_to(struct host *h, uint32_t daddr)
{
	static const struct ip_send_opts opts = { .protocol = PROTO_TEST };
	const struct dst dst = way_to(h, daddr);

	return ip_queue_xmit(h->net, payload_skb(h, &dst, 20), &dst, &opts);
}

TEST(test_request_for_us_is_answered)
{
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);

	pkt_inject(h.eth, &p);
	expect_arp(&h, ARP_OP_REPLY, OWN, NEW, new_mac);
	CHECK(entry(&h, NEW) != NULL);
	CHECK_EQ(entry(&h, NEW)->nud_state, NUD_STALE);
	CHECK_MEM(entry(&h, NEW)->ha, new_mac, 6);
	fake_net_destroy(h.net);
}

TEST(test_unicast_request_is_answered)
{
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, own_mac, OWN);

	pkt_inject(h.eth, &p);
	expect_arp(&h, ARP_OP_REPLY, OWN, NEW, new_mac);
	fake_net_destroy(h.net);
}

TEST(test_probe_for_our_address_is_answered)
{
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, 0, NULL, OWN);

	pkt_inject(h.eth, &p);
	expect_arp(&h, ARP_OP_REPLY, OWN, 0, new_mac);
	CHECK(entry(&h, 0) == NULL);
	fake_net_destroy(h.net);
}

TEST(test_what_is_not_for_us_is_not_answered)
{
	static const uint32_t targets[] = { PKT_IP(10, 0, 0, 3), PKT_IP(10, 0, 0, 255), FAR, 0, 0xffffffff,
					    INADDR_LOOPBACK, PKT_IP(224, 0, 0, 1) };
	struct host h = host_up();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		struct pkt p = pkt_arp(1, new_mac, NEW, NULL, targets[i]);

		pkt_inject(h.eth, &p);
		pkt_expect_none(h.eth);
		CHECK(entry(&h, NEW) == NULL);
	}
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_malformed_packets)
{
	/* hardware, protocol, both lengths, operation: offset and value */
	static const uint8_t wrong[][2] = { { 1, 2 }, { 0, 1 }, { 2, 9 }, { 3, 1 }, { 4, 5 }, { 5, 16 },
					    { 7, 3 }, { 7, 0 }, { 6, 1 }, { 8, 1 }, { 8, 255 }, { 14, 224 },
					    { 14, 127 } };
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);
	uint8_t frame[100];
	size_t i, len = pkt_build(&p, frame);

	CHECK_EQ(len, 42);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		pkt_build(&p, frame);
		frame[14 + wrong[i][0]] = wrong[i][1];
		fake_dev_inject(h.eth, frame, len);
		CHECK_MSG(h.net->drops[SKB_DROP_ARP_INVALID] == i + 1, "case %zu", i);
	}
	pkt_build(&p, frame);
	for (len = 14; len < 42; len++)
		fake_dev_inject(h.eth, frame, len);
	CHECK_EQ(h.net->drops[SKB_DROP_ARP_INVALID], i + 28);
	pkt_expect_none(h.eth);
	CHECK(entry(&h, NEW) == NULL);
	fake_dev_inject(h.eth, frame, 60); /* padding is normal */
	expect_arp(&h, ARP_OP_REPLY, OWN, NEW, new_mac);
	fake_net_destroy(h.net);
}

TEST(test_resolution)
{
	struct host h = host_up();
	struct pkt p;

	CHECK_EQ(send_to(&h, NEW), 0);
	expect_arp(&h, ARP_OP_REQUEST, OWN, NEW, NULL);
	pkt_expect_none(h.eth);
	CHECK_EQ(send_to(&h, NEW), 0);
	pkt_expect_none(h.eth);
	p = pkt_arp(2, new_mac, NEW, own_mac, OWN);
	pkt_inject(h.eth, &p);
	CHECK_EQ(entry(&h, NEW)->nud_state, NUD_REACHABLE);
	CHECK(pkt_take(h.eth, &p));
	CHECK_MEM(p.eth_dst, new_mac, 6);
	CHECK_EQ(p.daddr, NEW);
	CHECK(pkt_take(h.eth, &p));
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_failure_is_told_to_the_sender)
{
	struct host h = host_up();
	int i;

	CHECK_EQ(send_to(&h, NEW), 0);
	for (i = 0; i < 3; i++) {
		expect_arp(&h, ARP_OP_REQUEST, OWN, NEW, NULL);
		pkt_expect_none(h.eth);
		CHECK_EQ(seen.errors, 0);
		fake_advance_s(h.net, 1);
	}
	CHECK_EQ(seen.errors, 1);
	CHECK_EQ(seen.type, ICMP4_DEST_UNREACH);
	CHECK_EQ(seen.code, ICMP4_HOST_UNREACH);
	CHECK_EQ(seen.len, 20);
	CHECK_EQ(be32_to_cpu(seen.cb.saddr), OWN);
	CHECK_EQ(be32_to_cpu(seen.cb.daddr), NEW);
	CHECK_EQ(be32_to_cpu(seen.cb.offender), OWN);
	CHECK_EQ(h.net->drops[SKB_DROP_NEIGH_FAILED], 1);
	CHECK_EQ(skb_live(h.net), 0);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_stale_entry_is_probed_by_unicast)
{
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);

	pkt_inject(h.eth, &p);
	fake_dev_forget(h.eth);
	CHECK_EQ(send_to(&h, NEW), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.daddr, NEW); /* sent at once, doubted later */
	fake_advance_s(h.net, 5);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.eth_type, ETH_P_ARP);
	CHECK_MEM(p.eth_dst, new_mac, 6);
	p = pkt_arp(2, new_mac, NEW, own_mac, OWN);
	pkt_inject(h.eth, &p);
	CHECK_EQ(entry(&h, NEW)->nud_state, NUD_REACHABLE);
	fake_net_destroy(h.net);
}

TEST(test_sender_is_the_address_of_the_packet)
{
	struct host h = host_up();
	const struct inet_addr second = ip4(PKT_IP(10, 0, 0, 9));
	static const struct ip_send_opts opts = { .protocol = PROTO_TEST };
	struct dst dst;

	CHECK_EQ(inet_addr_add(h.net, h.eth, &second, 24, ACD_NONE), 0);
	dst = way_to(&h, NEW);
	dst.saddr = second;
	CHECK_EQ(ip_queue_xmit(h.net, payload_skb(&h, &dst, 20), &dst, &opts), 0);
	expect_arp(&h, ARP_OP_REQUEST, PKT_IP(10, 0, 0, 9), NEW, NULL);
	fake_net_destroy(h.net);
}

TEST(test_unasked_packets_make_no_entry)
{
	struct host h = host_up();
	struct pkt p = pkt_arp(2, new_mac, NEW, own_mac, OWN);

	pkt_inject(h.eth, &p);
	CHECK(entry(&h, NEW) == NULL);
	p = pkt_arp(1, new_mac, NEW, NULL, NEW); /* gratuitous */
	pkt_inject(h.eth, &p);
	CHECK(entry(&h, NEW) == NULL);
	p = pkt_arp(1, new_mac, NEW, NULL, PEER); /* to somebody else */
	pkt_inject(h.eth, &p);
	CHECK(entry(&h, NEW) == NULL);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_gratuitous_arp_moves_an_entry)
{
	static const uint8_t moved[6] = { 2, 0, 0, 0, 0, 0x51 };
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);

	pkt_inject(h.eth, &p);
	p = pkt_arp(1, moved, NEW, NULL, NEW);
	pkt_inject(h.eth, &p);
	CHECK_MEM(entry(&h, NEW)->ha, moved, 6);
	CHECK_EQ(entry(&h, NEW)->nud_state, NUD_STALE);
	fake_net_destroy(h.net);
}

TEST(test_second_answer_within_a_second_is_not_believed)
{
	static const uint8_t liar[6] = { 2, 0, 0, 0, 0, 0x66 };
	struct host h = host_up();
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);

	pkt_inject(h.eth, &p);
	p = pkt_arp(2, liar, NEW, own_mac, OWN);
	fake_advance_ms(h.net, 999);
	pkt_inject(h.eth, &p);
	CHECK_MEM(entry(&h, NEW)->ha, new_mac, 6);
	fake_advance_ms(h.net, 1);
	pkt_inject(h.eth, &p);
	CHECK_MEM(entry(&h, NEW)->ha, liar, 6);
	fake_net_destroy(h.net);
}

/* --- RFC 5227 -------------------------------------------------------------------------------- */

static struct {
	unsigned int ready, conflicts;
	uint8_t peer[6];
	bool delete_it;
} told;

static void listener(void *arg, struct in_ifaddr *ifa, bool conflict, const uint8_t *peer)
{
	CHECK(arg == &told);
	if (conflict)
		told.conflicts++;
	else
		told.ready++;
	if (peer)
		memcpy(told.peer, peer, 6);
	if (told.delete_it)
		CHECK_EQ(inet_addr_del(ifa->dev->net, ifa->dev, &ifa->addr), 0);
}

static struct host host_probing(enum acd_mode mode)
{
	const struct inet_addr own = ip4(OWN);
	struct host h = host_without_addresses();

	memset(&told, 0, sizeof(told));
	arp_acd_set_listener(h.net, listener, &told);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &own, 24, mode), 0);
	return h;
}

static bool in_use(struct host *h)
{
	const struct inet_addr own = ip4(OWN);

	return inet_addr_type(h->net, &own) == RTN_T_LOCAL;
}

TEST(test_fast_probe)
{
	struct host h = host_probing(ACD_FAST);

	expect_arp(&h, ARP_OP_REQUEST, 0, OWN, NULL);
	fake_advance_ms(h.net, 199);
	pkt_expect_none(h.eth);
	CHECK(!in_use(&h));
	fake_advance_ms(h.net, 1);
	CHECK(in_use(&h));
	CHECK_EQ(told.ready, 1);
	expect_arp(&h, ARP_OP_REQUEST, OWN, OWN, NULL);
	fake_advance_ms(h.net, 1999);
	pkt_expect_none(h.eth);
	fake_advance_ms(h.net, 1);
	expect_arp(&h, ARP_OP_REQUEST, OWN, OWN, NULL);
	fake_advance_s(h.net, 60);
	pkt_expect_none(h.eth);
	CHECK_EQ(told.conflicts, 0);
	fake_net_destroy(h.net);
}

TEST(test_full_probe)
{
	struct host h = host_probing(ACD_RFC5227);
	ktime_t start = h.net->now, at[3];
	struct pkt p;
	int i;

	fake_advance_s(h.net, 8);
	for (i = 0; i < 3; i++) {
		CHECK(pkt_take(h.eth, &p));
		CHECK_EQ(p.arp_spa, 0);
		CHECK_EQ(p.arp_tpa, OWN);
		at[i] = p.at;
	}
	CHECK_LE(at[0] - start, NSEC_PER_SEC);
	CHECK_GE(at[1] - at[0], NSEC_PER_SEC);
	CHECK_LE(at[1] - at[0], 2 * NSEC_PER_SEC);
	CHECK_GE(at[2] - at[1], NSEC_PER_SEC);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.arp_spa, OWN);
	CHECK_EQ(p.at - at[2], 2 * NSEC_PER_SEC);
	CHECK(in_use(&h));
	fake_net_destroy(h.net);
}

TEST(test_tentative_address_is_silent)
{
	struct host h = host_probing(ACD_RFC5227);
	struct pkt p = pkt_arp(1, new_mac, NEW, NULL, OWN);

	pkt_inject(h.eth, &p);
	pkt_expect_none(h.eth);
	CHECK(!in_use(&h));
	CHECK_EQ(told.conflicts, 0);
	p = plain_packet(PEER, OWN, 8);
	pkt_inject(h.eth, &p);
	CHECK_EQ(seen.packets, 0);
	/* A gateway can be named already. */
	CHECK_EQ(add_route4(&h, 0, 0, GATEWAY, 0), 0);
	fake_net_destroy(h.net);
}

static void check_conflict(struct host *h)
{
	CHECK_EQ(told.conflicts, 1);
	CHECK_EQ(told.ready, 0);
	CHECK_MEM(told.peer, new_mac, 6);
	fake_dev_forget(h->eth);
	fake_advance_s(h->net, 30);
	pkt_expect_none(h->eth);
	CHECK(!in_use(h));
	fake_net_destroy(h->net);
}

TEST(test_answer_to_a_probe_is_a_conflict)
{
	struct host h = host_probing(ACD_FAST);
	struct pkt p = pkt_arp(2, new_mac, OWN, own_mac, 0);

	pkt_inject(h.eth, &p);
	check_conflict(&h);
}

TEST(test_somebody_else_probing_is_a_conflict)
{
	struct host h = host_probing(ACD_FAST);
	struct pkt p = pkt_arp(1, new_mac, 0, NULL, OWN);

	pkt_inject(h.eth, &p);
	check_conflict(&h);
}

TEST(test_own_probe_reflected_is_none)
{
	struct host h = host_probing(ACD_FAST);
	struct pkt p = pkt_arp(1, own_mac, 0, NULL, OWN);

	pkt_inject(h.eth, &p);
	CHECK_EQ(told.conflicts, 0);
	fake_advance_ms(h.net, 200);
	CHECK(in_use(&h));
	fake_net_destroy(h.net);
}

TEST(test_listener_may_delete_the_address)
{
	struct host h = host_probing(ACD_FAST);
	const struct inet_addr own = ip4(OWN);
	struct pkt p = pkt_arp(2, new_mac, OWN, own_mac, 0);

	told.delete_it = true;
	pkt_inject(h.eth, &p);
	CHECK(inet_ifa_find(h.net, &own) == NULL);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &own, 24, ACD_FAST), 0);
	fake_advance_s(h.net, 3);
	CHECK(inet_ifa_find(h.net, &own) == NULL); /* told that it was ready, deleted it */
	fake_net_destroy(h.net);
}

TEST(test_address_is_defended_once_in_ten_seconds)
{
	struct host h = host_probing(ACD_FAST);
	struct pkt p = pkt_arp(1, new_mac, OWN, NULL, OWN);

	fake_advance_s(h.net, 5);
	fake_dev_forget(h.eth);
	pkt_inject(h.eth, &p);
	expect_arp(&h, ARP_OP_REQUEST, OWN, OWN, NULL);
	CHECK_EQ(told.conflicts, 1);
	fake_dev_forget(h.eth);
	fake_advance_ms(h.net, 9999);
	p = pkt_arp(1, new_mac, OWN, NULL, PEER);
	pkt_inject(h.eth, &p);
	pkt_expect_none(h.eth);
	fake_advance_ms(h.net, 1);
	pkt_inject(h.eth, &p);
	expect_arp(&h, ARP_OP_REQUEST, OWN, OWN, NULL);
	CHECK(in_use(&h));
	fake_net_destroy(h.net);
}

TEST(test_probe_waits_for_the_link)
{
	const struct inet_addr own = ip4(OWN);
	struct host h = host_without_addresses();

	memset(&told, 0, sizeof(told));
	arp_acd_set_listener(h.net, listener, &told);
	dev_close(h.eth);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &own, 24, ACD_FAST), 0);
	fake_advance_s(h.net, 5);
	CHECK(!in_use(&h));
	netif_carrier_set(h.eth, false);
	CHECK_EQ(dev_open(h.eth), 0);
	fake_advance_s(h.net, 5);
	CHECK(!in_use(&h));
	netif_carrier_set(h.eth, true);
	expect_arp(&h, ARP_OP_REQUEST, 0, OWN, NULL);
	netif_carrier_set(h.eth, false); /* in the middle of the probe: start over later */
	fake_advance_s(h.net, 5);
	CHECK(!in_use(&h));
	netif_carrier_set(h.eth, true);
	expect_arp(&h, ARP_OP_REQUEST, 0, OWN, NULL);
	fake_advance_ms(h.net, 200);
	CHECK(in_use(&h));
	fake_dev_forget(h.eth);
	fake_advance_s(h.net, 5);
	fake_dev_forget(h.eth);
	netif_carrier_set(h.eth, false);
	netif_carrier_set(h.eth, true);
	expect_arp(&h, ARP_OP_REQUEST, OWN, OWN, NULL);
	CHECK_EQ(told.ready, 1);
	fake_net_destroy(h.net);
}

TEST(test_address_deleted_while_probing)
{
	struct host h = host_probing(ACD_RFC5227);
	const struct inet_addr own = ip4(OWN);

	fake_advance_ms(h.net, 1500);
	CHECK_EQ(inet_addr_del(h.net, h.eth, &own), 0);
	fake_dev_forget(h.eth);
	fake_advance_s(h.net, 20);
	pkt_expect_none(h.eth);
	CHECK(route_next(h.net, NULL) == NULL);
	fake_net_destroy(h.net);
}
