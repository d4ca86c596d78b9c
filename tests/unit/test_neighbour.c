/* SPDX-License-Identifier: MIT */
/* neighbour.c: the states of RFC 4861 7.3.2 one by one, with a resolver that only counts. */
#include "stack/core/neighbour.h"

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xb };

/* What the table asked of its resolver. Reset by setup(). */
static struct {
	unsigned int multicast, unicast, failures;
	bool had_packet;
	ktime_t at[32]; /* of each solicitation */
	struct inet_addr retry; /* a failed packet is answered by one to here; AF_UNSPEC = not */
	int retry_result;       /* of the last such */
} asked;

static void solicit(struct neighbour *neigh, struct sk_buff *first)
{
	unsigned int n = asked.multicast + asked.unicast;

	CHECK_LT(n, ARRAY_SIZE(asked.at));
	asked.at[n] = neigh->dev->net->now;
	if (neigh->nud_state == NUD_PROBE)
		asked.unicast++;
	else
		asked.multicast++;
	asked.had_packet = first != NULL;
}

static struct sk_buff *packet(struct net *net, char mark, uint32_t len)
{
	struct sk_buff *skb = alloc_skb(net, len + 32);

	CHECK(skb != NULL);
	skb_reserve(skb, 32);
	memset(skb_put(skb, len), mark, len);
	skb_reset_network_header(skb);
	return skb;
}

static void error_report(struct neighbour *neigh, struct sk_buff *skb)
{
	struct net *net = skb->net;

	asked.failures++;
	skb_drop(skb, SKB_DROP_NEIGH_FAILED);
	if (asked.retry.family)
		asked.retry_result = neigh_output(net, neigh->dev, &asked.retry, packet(net, 'r', 20));
}

static const struct neigh_ops ops = { solicit, error_report, ETH_P_IP };

static const struct neigh_parms parms = {
	.base_reachable_ms = 30000, .retrans_ms = 1000, .delay_probe_ms = 5000,
	.gc_stale_ms = 60000, .gc_interval_ms = 30000, .ucast_probes = 3, .mcast_probes = 3,
	.queue_bytes = 4000, .max_entries = 8,
};

struct host {
	struct net *net;
	struct net_device *dev;
	struct inet_addr peer;
};

static struct inet_addr ip(uint8_t last)
{
	return inet_addr_v4(cpu_to_be32(0x0a000000U | last));
}

static struct host setup(void)
{
	struct host h;

	memset(&asked, 0, sizeof(asked));
	h.net = fake_net_create(NULL);
	h.dev = fake_dev_create(h.net, "eth0", 1);
	h.peer = ip(2);
	CHECK_EQ(neigh_table_register(h.net, AF_INET, &ops, &parms), 0);
	return h;
}

static int send_mark(struct host *h, char mark)
{
	return neigh_output(h->net, h->dev, &h->peer, packet(h->net, mark, 20));
}

static struct neighbour *entry(struct host *h)
{
	struct neighbour *n = neigh_lookup(h->net, &h->peer, h->dev);

	CHECK(n != NULL);
	return n;
}

/* Marks of the frames sent; all must go to @mac. */
static const char *sent_to(struct host *h, const uint8_t mac[6])
{
	static char marks[64];
	struct fake_frame *f;
	size_t n = 0;

	while ((f = fake_dev_take(h->dev)) && n < sizeof(marks) - 1) {
		CHECK_MEM(f->data, mac, 6);
		CHECK_MEM(f->data + 6, h->dev->dev_addr, 6);
		CHECK_MEM(f->data + 12, "\x08\x00", 2);
		marks[n++] = (char)f->data[14];
		free(f);
	}
	marks[n] = '\0';
	return marks;
}

static void answer(struct host *h, const uint8_t mac[6])
{
	neigh_update(entry(h), mac, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE);
}

/* An entry that is known and confirmed, all counters at zero. */
static void make_reachable(struct host *h)
{
	CHECK_EQ(send_mark(h, 'x'), 0);
	answer(h, mac_a);
	CHECK_STR(sent_to(h, mac_a), "x");
	memset(&asked, 0, sizeof(asked));
}

static void make_stale(struct host *h)
{
	make_reachable(h);
	fake_advance_ms(h->net, 45001);
	CHECK_EQ(entry(h)->nud_state, NUD_STALE);
}

TEST(test_neigh_packets_wait_while_incomplete_and_leave_in_order)
{
	struct host h = setup();

	CHECK_EQ(send_mark(&h, 'a'), 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_INCOMPLETE);
	CHECK_EQ(asked.multicast, 1);
	CHECK(asked.had_packet);
	CHECK_EQ(send_mark(&h, 'b'), 0);
	CHECK_EQ(send_mark(&h, 'c'), 0);
	CHECK_EQ(asked.multicast, 1);
	CHECK_STR(sent_to(&h, mac_a), "");
	answer(&h, mac_a);
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	CHECK_STR(sent_to(&h, mac_a), "abc");
	CHECK_EQ(send_mark(&h, 'd'), 0);
	CHECK_STR(sent_to(&h, mac_a), "d");
	fake_net_destroy(h.net);
}

/* RFC 4861 7.2.2: MAX_MULTICAST_SOLICIT solicitations, RetransTimer apart, then failure */
TEST(test_neigh_no_answer_fails_after_three_seconds_and_tells_each_sender)
{
	struct host h = setup();
	ktime_t start = h.net->now;

	send_mark(&h, 'a');
	send_mark(&h, 'b');
	fake_advance_ms(h.net, 2999);
	CHECK_EQ(asked.multicast, 3);
	CHECK_EQ(asked.at[1] - start, 1 * NSEC_PER_SEC);
	CHECK_EQ(asked.at[2] - start, 2 * NSEC_PER_SEC);
	CHECK_EQ(asked.failures, 0);
	fake_advance_ms(h.net, 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_FAILED);
	CHECK_EQ(asked.failures, 2);
	CHECK_EQ(h.net->drops[SKB_DROP_NEIGH_FAILED], 2);
	fake_advance_ms(h.net, 5000);
	CHECK_EQ(asked.multicast, 3);
	fake_net_destroy(h.net);
}

TEST(test_neigh_failed_entry_is_resolved_again_by_the_next_packet)
{
	struct host h = setup();

	send_mark(&h, 'a');
	fake_advance_ms(h.net, 3000);
	CHECK_EQ(entry(&h)->nud_state, NUD_FAILED);
	CHECK_EQ(send_mark(&h, 'b'), 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_INCOMPLETE);
	CHECK_EQ(asked.multicast, 4);
	answer(&h, mac_a);
	CHECK_STR(sent_to(&h, mac_a), "b");
	fake_net_destroy(h.net);
}

TEST(test_neigh_sender_may_send_again_when_told_of_the_failure)
{
	struct host h = setup();

	asked.retry = h.peer;
	send_mark(&h, 'a');
	send_mark(&h, 'b');
	fake_advance_ms(h.net, 3000);
	CHECK_EQ(asked.failures, 2);
	CHECK_EQ(asked.retry_result, 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_INCOMPLETE);
	CHECK_EQ(entry(&h)->queue.qlen, 2);
	answer(&h, mac_a);
	CHECK_STR(sent_to(&h, mac_a), "rr");
	fake_net_destroy(h.net);
}

TEST(test_neigh_queue_keeps_the_latest_within_its_bytes)
{
	struct host h = setup();
	uint32_t one = 0;
	int mark;

	for (mark = 'a'; mark <= 'z'; mark++)
		send_mark(&h, (char)mark);
	one = skb_peek(&entry(&h)->queue)->truesize;
	CHECK_EQ(entry(&h)->queue.qlen, parms.queue_bytes / one);
	CHECK_EQ(h.net->drops[SKB_DROP_NEIGH_QUEUE_FULL], 26 - parms.queue_bytes / one);
	/* RFC 1122 2.3.2.2: the latest is always kept, however large */
	neigh_output(h.net, h.dev, &h.peer, packet(h.net, 'L', 8000));
	CHECK_EQ(entry(&h)->queue.qlen, 1);
	dev_set_mtu(h.dev, 9000);
	answer(&h, mac_a);
	CHECK_STR(sent_to(&h, mac_a), "L");
	fake_net_destroy(h.net);
}

/* RFC 4861 6.3.2: between 0.5 and 1.5 times the base, 7.3.3: then STALE, without a packet */
TEST(test_neigh_reachable_time_is_random_around_the_base)
{
	struct host h = setup();
	uint32_t min = UINT32_MAX, max = 0;
	uint8_t last;

	for (last = 2; last < 8; last++) {
		h.peer = ip(last);
		make_reachable(&h);
		min = MIN(min, entry(&h)->reachable_ms);
		max = MAX(max, entry(&h)->reachable_ms);
	}
	CHECK_GE(min, 15000);
	CHECK_LE(max, 45000);
	CHECK_LT(min, max);
	fake_advance_ms(h.net, entry(&h)->reachable_ms - 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	fake_advance_ms(h.net, 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_STALE);
	CHECK_EQ(asked.unicast + asked.multicast, 0);
	fake_net_destroy(h.net);
}

TEST(test_neigh_stale_entry_is_used_at_once_then_probed_then_fails)
{
	struct host h = setup();
	ktime_t start;

	make_stale(&h);
	start = h.net->now;
	CHECK_EQ(send_mark(&h, 'a'), 0);
	CHECK_STR(sent_to(&h, mac_a), "a");
	CHECK_EQ(entry(&h)->nud_state, NUD_DELAY);
	fake_advance_ms(h.net, 4999);
	CHECK_EQ(asked.unicast, 0);
	fake_advance_ms(h.net, 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_PROBE);
	CHECK_EQ(asked.unicast, 1);
	CHECK_EQ(asked.at[0] - start, 5 * NSEC_PER_SEC);
	send_mark(&h, 'b'); /* RFC 4861 7.3.3: packets still go to the old address */
	CHECK_STR(sent_to(&h, mac_a), "b");
	fake_advance_ms(h.net, 2999);
	CHECK_EQ(asked.unicast, 3);
	CHECK_EQ(entry(&h)->nud_state, NUD_PROBE);
	fake_advance_ms(h.net, 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_FAILED);
	CHECK_EQ(asked.multicast, 0);
	fake_net_destroy(h.net);
}

TEST(test_neigh_probe_answered_is_reachable)
{
	struct host h = setup();

	make_stale(&h);
	send_mark(&h, 'a');
	fake_advance_ms(h.net, 6500);
	CHECK_EQ(asked.unicast, 2);
	neigh_update(entry(&h), NULL, NUD_REACHABLE, 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	fake_advance_ms(h.net, 10000);
	CHECK_EQ(asked.unicast, 2);
	CHECK_STR(sent_to(&h, mac_a), "a");
	fake_net_destroy(h.net);
}

/* RFC 4861 7.3.1: forward progress seen by the transport */
TEST(test_neigh_confirmed_by_the_transport_is_not_probed)
{
	struct host h = setup();

	make_stale(&h);
	send_mark(&h, 'a');
	fake_advance_ms(h.net, 4000);
	neigh_confirm(entry(&h));
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	fake_advance_ms(h.net, 10000);
	CHECK_EQ(asked.unicast, 0);
	h.peer = ip(3);
	send_mark(&h, 'b');
	neigh_confirm(entry(&h)); /* no address is known: nothing to confirm */
	CHECK_EQ(entry(&h)->nud_state, NUD_INCOMPLETE);
	fake_net_destroy(h.net);
}

/* RFC 4861 7.2.5 I: without override another address does not replace the known one */
TEST(test_neigh_other_address_without_override_only_raises_doubt)
{
	struct host h = setup();

	make_reachable(&h);
	neigh_update(entry(&h), mac_b, NUD_REACHABLE, 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_STALE);
	CHECK_MEM(entry(&h)->ha, mac_a, 6);
	neigh_update(entry(&h), mac_b, NUD_REACHABLE, 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_STALE);
	neigh_update(entry(&h), mac_b, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE);
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	send_mark(&h, 'a');
	CHECK_STR(sent_to(&h, mac_b), "a");
	fake_net_destroy(h.net);
}

TEST(test_neigh_seen_again_at_its_address_stays_reachable)
{
	struct host h = setup();

	make_reachable(&h);
	neigh_update(entry(&h), mac_a, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
	CHECK_EQ(entry(&h)->nud_state, NUD_REACHABLE);
	neigh_update(entry(&h), mac_b, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
	CHECK_EQ(entry(&h)->nud_state, NUD_STALE);
	CHECK_MEM(entry(&h)->ha, mac_b, 6);
	fake_net_destroy(h.net);
}

TEST(test_neigh_address_learned_from_a_request_sends_what_waits)
{
	struct host h = setup();

	send_mark(&h, 'a');
	neigh_update(entry(&h), NULL, NUD_REACHABLE, 0); /* says nothing */
	CHECK_EQ(entry(&h)->nud_state, NUD_INCOMPLETE);
	neigh_update(entry(&h), mac_b, NUD_STALE, 0);
	CHECK_EQ(entry(&h)->nud_state, NUD_STALE);
	CHECK_STR(sent_to(&h, mac_b), "a");
	fake_net_destroy(h.net);
}

TEST(test_neigh_permanent_entry_yields_to_nobody)
{
	struct host h = setup();
	struct neighbour *n = neigh_create(h.net, &h.peer, h.dev);

	neigh_update(n, mac_a, NUD_PERMANENT, 0);
	neigh_update(n, mac_b, NUD_REACHABLE, NEIGH_UPDATE_F_OVERRIDE);
	neigh_update(n, NULL, NUD_FAILED, 0);
	send_mark(&h, 'a');
	CHECK_STR(sent_to(&h, mac_a), "a");
	fake_advance_s(h.net, 1000);
	CHECK_EQ(entry(&h)->nud_state, NUD_PERMANENT);
	CHECK_EQ(asked.unicast + asked.multicast, 0);
	fake_net_destroy(h.net);
}

TEST(test_neigh_told_to_fail_drops_what_waits)
{
	struct host h = setup();

	send_mark(&h, 'a');
	neigh_update(entry(&h), NULL, NUD_FAILED, 0);
	CHECK_EQ(asked.failures, 1);
	CHECK_EQ(entry(&h)->nud_state, NUD_FAILED);
	fake_net_destroy(h.net);
}

TEST(test_neigh_unused_entries_are_collected)
{
	struct host h = setup();

	make_stale(&h);
	fake_advance_ms(h.net, 120000);
	CHECK(neigh_lookup(h.net, &h.peer, h.dev) == NULL);
	CHECK(timer_next_expiry(&h.net->timers) == TIMER_NONE); /* an empty table needs no timer */
	send_mark(&h, 'a');
	fake_advance_ms(h.net, 60000); /* failed ones as well */
	CHECK(neigh_lookup(h.net, &h.peer, h.dev) == NULL);
	fake_net_destroy(h.net);
}

TEST(test_neigh_full_table_evicts_the_unused_else_refuses)
{
	struct host h = setup();
	struct inet_addr first = ip(2);
	uint8_t last;

	for (last = 2; last < 10; last++) {
		h.peer = ip(last);
		make_reachable(&h);
		fake_advance_ms(h.net, 1);
	}
	h.peer = ip(20);
	CHECK_EQ(send_mark(&h, 'a'), 0); /* in place of the one used longest ago */
	CHECK(neigh_lookup(h.net, &first, h.dev) == NULL);
	for (last = 21; last < 28; last++) {
		h.peer = ip(last);
		CHECK_EQ(send_mark(&h, 'a'), 0);
	}
	h.peer = ip(28); /* all eight are being resolved */
	CHECK_EQ(send_mark(&h, 'a'), -ENOBUFS);
	CHECK_EQ(h.net->drops[SKB_DROP_NEIGH_TABLE_FULL], 1);
	fake_net_destroy(h.net);
}

/* The entry whose failure is being reported must not be evicted under the reporter's hands. */
TEST(test_neigh_full_table_keeps_the_entry_that_fails_just_now)
{
	struct host h = setup();
	uint8_t last;

	asked.retry = ip(99);
	for (last = 2; last < 10; last++) {
		h.peer = ip(last);
		send_mark(&h, 'a');
		fake_advance_ms(h.net, last == 2 ? 1 : 0);
	}
	fake_advance_ms(h.net, 2999);
	CHECK_EQ(asked.failures, 1);
	CHECK_EQ(asked.retry_result, -ENOBUFS);
	fake_net_destroy(h.net);
}

TEST(test_neigh_device_down_forgets_all)
{
	struct host h = setup();
	struct net_device *other = fake_dev_create(h.net, "eth1", 2);
	struct inet_addr fixed = ip(9), elsewhere = ip(8);

	make_reachable(&h);
	neigh_update(neigh_create(h.net, &fixed, h.dev), mac_b, NUD_PERMANENT, 0);
	CHECK(neigh_create(h.net, &elsewhere, other) != NULL);
	h.peer = ip(3);
	send_mark(&h, 'a');
	netif_carrier_set(h.dev, false); /* what was learned goes */
	CHECK_EQ(h.net->drops[SKB_DROP_DEV_DOWN], 1);
	CHECK(neigh_lookup(h.net, &h.peer, h.dev) == NULL);
	CHECK(neigh_lookup(h.net, &fixed, h.dev) != NULL);
	dev_close(h.dev);
	CHECK(neigh_lookup(h.net, &fixed, h.dev) == NULL);
	CHECK(neigh_lookup(h.net, &elsewhere, other) != NULL);
	CHECK_EQ(send_mark(&h, 'b'), -ENETDOWN);
	CHECK(neigh_lookup(h.net, &h.peer, h.dev) == NULL);
	fake_net_destroy(h.net);
}

TEST(test_neigh_broadcast_and_multicast_need_no_entry)
{
	struct host h = setup();

	h.peer = inet_addr_v4(cpu_to_be32(0xffffffffU));
	CHECK_EQ(send_mark(&h, 'b'), 0);
	CHECK_STR(sent_to(&h, h.dev->broadcast), "b");
	h.peer = inet_addr_v4(cpu_to_be32(0xe0810203U)); /* 224.129.2.3: only 23 bits are kept */
	CHECK_EQ(send_mark(&h, 'm'), 0);
	CHECK_STR(sent_to(&h, (const uint8_t *)"\x01\x00\x5e\x01\x02\x03"), "m");
	CHECK(neigh_next(h.net, AF_INET, NULL) == NULL);
	h.peer.family = AF_INET6; /* no table */
	CHECK_EQ(send_mark(&h, 'x'), -EAFNOSUPPORT);
	fake_net_destroy(h.net);
}

TEST(test_neigh_output_of_a_shared_packet_leaves_the_other_alone)
{
	struct host h = setup();
	struct sk_buff *skb = packet(h.net, 'a', 20), *clone = skb_clone(skb);

	make_reachable(&h);
	CHECK_EQ(skb_cow(skb, 0), 0);
	skb_consume(skb);
	skb = skb_clone(clone);
	memset(clone->data - 14, 0x77, 14);
	CHECK_EQ(neigh_output(h.net, h.dev, &h.peer, skb), 0);
	CHECK_STR(sent_to(&h, mac_a), "a");
	CHECK_EQ(clone->data[-1], 0x77);
	skb_consume(clone);
	skb = alloc_skb(h.net, 20); /* no headroom at all */
	memset(skb_put(skb, 20), 'z', 20);
	skb_reset_network_header(skb);
	CHECK_EQ(neigh_output(h.net, h.dev, &h.peer, skb), 0);
	CHECK_STR(sent_to(&h, mac_a), "z");
	fake_net_destroy(h.net);
}

TEST(test_neigh_walk_meets_each_entry_once)
{
	struct host h = setup();
	struct neighbour *n = NULL;
	unsigned int met = 0, count = 0;
	uint8_t last;

	for (last = 2; last < 8; last++) {
		h.peer = ip(last);
		send_mark(&h, 'a');
	}
	while ((n = neigh_next(h.net, AF_INET, n))) {
		met |= 1U << (be32_to_cpu(n->addr.v4) & 0xff);
		count++;
	}
	CHECK_EQ(count, 6);
	CHECK_EQ(met, 0xfc);
	CHECK(neigh_next(h.net, AF_INET6, NULL) == NULL);
	neigh_delete(entry(&h));
	CHECK(neigh_lookup(h.net, &h.peer, h.dev) == NULL);
	fake_net_destroy(h.net);
}
