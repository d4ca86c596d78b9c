/* SPDX-License-Identifier: MIT */
/* The link that misbehaves: time, order, loss and damage; the rules are in test_impair_rule.c. */
#include "tests/unit/impair_fixture.h"

enum { UDP_FRAME = 14 + 20 + 8 };

TEST(test_delay_is_exact_in_both_directions)
{
	struct bench b;
	struct pkt p = pkt_udp(THERE, 1, HERE, 2, "x", 1);

	bench_open(&b, "delay 20ms");
	bench_send_udp(&b, 'a', 10);
	pkt_inject(b.dev, &p);
	fake_advance_ns(b.net, 20 * NSEC_PER_MSEC - 1);
	CHECK_STR(bench_marks(&b), "");
	CHECK_EQ(b.sink.got.qlen, 0);
	CHECK_EQ(bench_stats(&b, TAP_IN).held, 1);
	fake_advance_ns(b.net, 1);
	CHECK_STR(bench_marks(&b), "a");
	CHECK_EQ(b.sink.got.qlen, 1);
	CHECK_EQ(b.dev->stats.tx_packets, 1);
	CHECK_EQ(b.dev->stats.rx_packets, 1);
	bench_close(&b);
}

TEST(test_device_without_statement_is_left_alone)
{
	struct bench b;

	bench_open(&b, "dev eth7 loss 100%");
	CHECK(!b.dev->link);
	bench_send_udp(&b, 'a', 10);
	CHECK_STR(bench_marks(&b), "a");
	bench_close(&b);
}

TEST(test_offloads_are_off_while_impaired)
{
	struct bench b;

	bench_open(&b, "");
	b.dev->features = NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
	bench_impair(&b, "delay 1ms", 1);
	CHECK_EQ(b.dev->features, 0);
	impair_detach(b.dev);
	CHECK_EQ(b.dev->features, NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG);
	b.dev->features = 0;
	bench_close(&b);
}

TEST(test_rate_serialises_frame_by_frame)
{
	struct bench b;

	/* 1000 bytes with the link header last 8 ms at 1 Mbit/s. */
	bench_open(&b, "rate 1mbit out");
	for (int c = 'a'; c < 'd'; c++)
		bench_send_udp(&b, (uint8_t)c, 1000 - UDP_FRAME);
	fake_advance_us(b.net, 7999);
	CHECK_STR(bench_marks(&b), "");
	fake_advance_us(b.net, 1);
	CHECK_STR(bench_marks(&b), "a");
	fake_advance_ms(b.net, 16);
	CHECK_STR(bench_marks(&b), "bc");
	/* Idle time is not saved up. */
	fake_advance_s(b.net, 1);
	bench_send_udp(&b, 'e', 1000 - UDP_FRAME);
	bench_send_udp(&b, 'f', 1000 - UDP_FRAME);
	fake_advance_ms(b.net, 15);
	CHECK_STR(bench_marks(&b), "e");
	bench_close(&b);
}

TEST(test_late_timer_does_not_slow_the_rate)
{
	struct bench b;

	bench_open(&b, "rate 1mbit out");
	for (int c = 'a'; c < 'k'; c++)
		bench_send_udp(&b, (uint8_t)c, 1000 - UDP_FRAME);
	net_advance(b.net, b.net->now + 40 * NSEC_PER_MSEC);
	CHECK_STR(bench_marks(&b), "abcde");
	bench_close(&b);
}

TEST(test_queue_in_frames_and_in_bytes_drops_the_tail)
{
	static const char *const specs[] = { "rate 1mbit queue 3 out", "rate 1mbit queue 3000b out" };

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bench b;

		bench_open(&b, specs[i]);
		for (int c = 'a'; c < 'g'; c++)
			bench_send_udp(&b, (uint8_t)c, 1000 - UDP_FRAME);
		fake_advance_s(b.net, 1);
		/* One is with the transmitter already. */
		CHECK_STR(bench_marks(&b), "abcd");
		CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_QUEUE], 2);
		CHECK_EQ(bench_stats(&b, TAP_OUT).dropped, 2);
		bench_close(&b);
	}
}

/* RFC 8289 4.4: nothing is dropped before an interval has passed above the target; then more and more. */
TEST(test_codel_drops_after_an_interval_above_target)
{
	struct bench b;
	unsigned int early, sent = 0;

	bench_open(&b, "rate 8mbit queue 10000 codel out");
	/* 1 ms a frame, offered twice as fast. */
	for (int ms = 0; ms < 100; ms++, sent += 2) {
		bench_send_udp(&b, 'a', 1000 - UDP_FRAME);
		bench_send_udp(&b, 'a', 1000 - UDP_FRAME);
		fake_advance_ms(b.net, 1);
	}
	early = (unsigned int)b.net->drops[SKB_DROP_IMPAIR_CODEL];
	CHECK_EQ(early, 0);
	for (int ms = 0; ms < 900; ms++, sent += 2) {
		bench_send_udp(&b, 'a', 1000 - UDP_FRAME);
		bench_send_udp(&b, 'a', 1000 - UDP_FRAME);
		fake_advance_ms(b.net, 1);
	}
	/* The n-th comes sum(interval/sqrt(k)), some interval * (2 * sqrt(n) - 1.46), behind the first. */
	CHECK_GE(b.net->drops[SKB_DROP_IMPAIR_CODEL], 25);
	CHECK_LE(b.net->drops[SKB_DROP_IMPAIR_CODEL], 29);
	fake_advance_s(b.net, 2);
	CHECK_EQ(fake_dev_forget(b.dev) + b.net->drops[SKB_DROP_IMPAIR_CODEL], sent);
	bench_close(&b);
}

TEST(test_codel_marks_ecn_capable_packets_in_place_of_dropping)
{
	struct bench b;
	struct pkt p = bench_udp('a', 1000 - UDP_FRAME);

	bench_open(&b, "rate 8mbit queue 10000 codel ecn out");
	p.tos = 2; /* ECT(0), RFC 3168 5 */
	for (int ms = 0; ms < 500; ms++) {
		bench_send(&b, &p);
		bench_send(&b, &p);
		fake_advance_ms(b.net, 1);
	}
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_CODEL], 0);
	CHECK_GE(bench_stats(&b, TAP_OUT).marked, 4);
	for (unsigned int marked = 0; marked < bench_stats(&b, TAP_OUT).marked;) {
		CHECK(pkt_take(b.dev, &p));
		CHECK(p.ip_csum_ok);
		CHECK(p.tos == 2 || p.tos == 3);
		marked += p.tos == 3;
	}
	bench_close(&b);
}

TEST(test_threshold_marks_what_finds_a_long_queue)
{
	struct bench b;
	struct pkt p = bench_udp('a', 1000 - UDP_FRAME);

	bench_open(&b, "rate 1mbit ecn 2 out");
	p.tos = 1; /* ECT(1) */
	for (int i = 0; i < 5; i++)
		bench_send(&b, &p);
	p.tos = 0;
	bench_send(&b, &p);
	fake_advance_s(b.net, 1);
	for (int i = 0; i < 6; i++) {
		CHECK(pkt_take(b.dev, &p));
		/* The first is with the transmitter, two are queued. */
		CHECK_EQ(p.tos, i < 3 ? 1 : i < 5 ? 3 : 0);
	}
	bench_close(&b);
}

/* Sends 1000 datagrams and says which came through: '1' or '0' each. */
static const char *survivors(const char *spec, uint64_t seed)
{
	static char text[2][1001];
	static int turn;
	struct bench b;
	char *t = text[turn ^= 1];
	struct fake_frame *f;

	bench_open(&b, "");
	bench_impair(&b, spec, seed);
	for (int i = 0; i < 1000; i++) {
		bench_send_udp(&b, 'x', 4);
		f = fake_dev_take(b.dev);
		t[i] = f ? '1' : '0';
		free(f);
	}
	t[1000] = '\0';
	bench_close(&b);
	return t;
}

static int count(const char *s, char c)
{
	int n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

TEST(test_same_seed_loses_the_same_frames)
{
	const char *one = survivors("loss 10%", 7);

	CHECK_STR(survivors("loss 10%", 7), one);
	/* What else is done at random does not change it. */
	CHECK_STR(survivors("loss 10% corrupt 50% duplicate 0%", 7), one);
	CHECK(strcmp(survivors("loss 10%", 8), one) != 0);
	CHECK_GE(count(one, '0'), 70);
	CHECK_LE(count(one, '0'), 130);
	CHECK_EQ(count(survivors("loss 0%", 1), '0'), 0);
	CHECK_EQ(count(survivors("loss 100%", 1), '1'), 0);
}

TEST(test_bursts_have_the_length_that_their_end_gives)
{
	const char *s = survivors("loss bursts 2% 20%", 3);
	int lost = count(s, '0'), bursts = 0;

	for (int i = 0; i < 1000; i++)
		bursts += s[i] == '0' && (i == 0 || s[i - 1] == '1');
	/* Mean length 1/0.2, share 0.02/(0.02 + 0.2). */
	CHECK_GE(lost, 50);
	CHECK_LE(lost, 140);
	CHECK_GE(lost, 3 * bursts);
	CHECK_LE(lost, 8 * bursts);
}

TEST(test_reordered_frame_is_late_and_the_others_are_not)
{
	struct bench b;
	const char *got;

	bench_open(&b, "delay 1ms reorder 20% by 3ms out");
	for (int c = 'a'; c <= 'z'; c++) {
		bench_send_udp(&b, (uint8_t)c, 4);
		fake_advance_ms(b.net, 1);
	}
	fake_advance_ms(b.net, 10);
	got = bench_marks(&b);
	CHECK_EQ(strlen(got), 26);
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_LOSS], 0);
	CHECK_GE(bench_stats(&b, TAP_OUT).reordered, 1);
	for (int i = 0; i < 25; i++) {
		int step = got[i + 1] - got[i];

		CHECK_MSG(step >= -4 && step <= 5, "%s", got);
	}
	CHECK(strcmp(got, "abcdefghijklmnopqrstuvwxyz") != 0);
	bench_close(&b);
}

TEST(test_jitter_keeps_the_order)
{
	static const char *const specs[] = { "delay 5ms jitter 4ms out", "delay 5ms jitter 4ms normal out" };

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bench b;
		ktime_t start, first = UINT64_MAX, last = 0;
		struct fake_frame *f;
		char next = 'a';

		bench_open(&b, specs[i]);
		for (int c = 'a'; c <= 'z'; c++) {
			start = b.net->now;
			bench_send_udp(&b, (uint8_t)c, 4);
			fake_advance_ms(b.net, 20);
			f = fake_dev_take(b.dev);
			CHECK(f != NULL);
			first = MIN(first, f->at - start);
			last = MAX(last, f->at - start);
			CHECK_EQ(f->data[UDP_FRAME], next++);
			free(f);
		}
		CHECK_LT(first, 4 * NSEC_PER_MSEC);
		CHECK_GT(last, 6 * NSEC_PER_MSEC);
		if (i == 0)
			CHECK(first >= NSEC_PER_MSEC && last <= 9 * NSEC_PER_MSEC);
		for (int c = 'a'; c <= 'z'; c++)
			bench_send_udp(&b, (uint8_t)c, 4);
		fake_advance_ms(b.net, 30);
		CHECK_STR(bench_marks(&b), "abcdefghijklmnopqrstuvwxyz");
		bench_close(&b);
	}
}

TEST(test_duplicate_and_corrupt)
{
	struct bench b;

	bench_open(&b, "duplicate 100% out");
	bench_send_udp(&b, 'a', 4);
	bench_send_udp(&b, 'b', 4);
	CHECK_STR(bench_marks(&b), "aabb");
	bench_close(&b);
	bench_open(&b, "");
	for (uint64_t seed = 1; seed < 200; seed++) {
		struct fake_frame *f;
		struct pkt p;
		int flipped = 0;
		uint8_t whole[PKT_MAX];
		struct pkt sent = bench_udp('a', 40);

		pkt_build(&sent, whole);
		bench_impair(&b, "corrupt 100% out", seed);
		bench_send(&b, &sent);
		f = fake_dev_take(b.dev);
		CHECK(f != NULL);
		for (uint32_t i = 0; i < f->len; i++)
			flipped += __builtin_popcount((unsigned int)(f->data[i] ^ whole[i]));
		CHECK_EQ(flipped, 1);
		CHECK_MEM(f->data, whole, 14);
		CHECK(!pkt_parse(&p, f->data, f->len) || !p.ip_csum_ok || !p.l4_csum_ok ||
		      f->data[23] != 17 || (f->data[20] & 0x3f) || f->data[21]);
		free(f);
		impair_detach(b.dev);
	}
	bench_close(&b);
}

TEST(test_policer_passes_the_burst_and_then_the_rate)
{
	struct bench b;

	bench_open(&b, "police 1mbit burst 5000b out");
	for (int i = 0; i < 20; i++)
		bench_send_udp(&b, 'a', 1000 - UDP_FRAME);
	CHECK_STR(bench_marks(&b), "aaaaa");
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_POLICER], 15);
	/* 8 ms fill 1000 bytes. */
	fake_advance_ms(b.net, 16);
	for (int i = 0; i < 5; i++)
		bench_send_udp(&b, 'b', 1000 - UDP_FRAME);
	CHECK_STR(bench_marks(&b), "bb");
	bench_close(&b);
}

TEST(test_mtu_of_the_link)
{
	struct bench b;
	struct pkt p = bench_udp('a', 1300), icmp;
	struct sk_buff *skb;

	bench_open(&b, "mtu 1200 out");
	bench_send(&b, &p);
	bench_send_udp(&b, 'b', 1172);
	CHECK_STR(bench_marks(&b), "b");
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_MTU], 1);
	fake_advance_s(b.net, 1);
	CHECK_EQ(b.sink.got.qlen, 0);
	bench_close(&b);

	bench_open(&b, "mtu 1200 icmp out; delay 5ms in");
	memcpy(p.eth_src, b.dev->dev_addr, 6);
	bench_send(&b, &p);
	fake_advance_ms(b.net, 4);
	CHECK_EQ(b.sink.got.qlen, 0);
	fake_advance_ms(b.net, 1);
	skb = skb_peek(&b.sink.got);
	CHECK(skb != NULL);
	CHECK(pkt_parse(&icmp, skb->data - 14, skb->len + 14));
	CHECK(icmp.ip_csum_ok && icmp.l4_csum_ok);
	CHECK_EQ(icmp.icmp_type, 3);
	CHECK_EQ(icmp.icmp_code, 4);
	CHECK_EQ(icmp.icmp_rest, 1200); /* RFC 1191 4 */
	CHECK_EQ(icmp.saddr, THERE);
	CHECK_EQ(icmp.daddr, HERE);
	bench_close(&b);
}

TEST(test_down_at_given_times)
{
	struct bench b;

	bench_open(&b, "down 1s-2s down 3s-4s out");
	for (int c = '0'; c < '5'; c++) {
		bench_send_udp(&b, (uint8_t)c, 4);
		fake_advance_s(b.net, 1);
	}
	CHECK_STR(bench_marks(&b), "024");
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_DOWN], 2);
	bench_close(&b);
}

TEST(test_frames_held_are_bounded_and_go_with_the_device)
{
	struct bench b;

	bench_open(&b, "delay 3600s rate 1kbit out");
	for (int i = 0; i < 20010; i++)
		bench_send_udp(&b, 'a', 4);
	CHECK_EQ(bench_stats(&b, TAP_OUT).held, 20001);
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_QUEUE], 9);
	dev_close(b.dev);
	CHECK_EQ(bench_stats(&b, TAP_OUT).held, 0);
	CHECK_EQ(b.net->drops[SKB_DROP_DEV_DOWN], 20001);
	CHECK_EQ(dev_open(b.dev), 0);
	bench_send_udp(&b, 'a', 4);
	impair_detach(b.dev);
	CHECK_EQ(skb_live(b.net), 0);
	bench_send_udp(&b, 'b', 4);
	CHECK_STR(bench_marks(&b), "b");
	bench_close(&b);
}

/* A peer's super-segment counts as the segments that it stands for. */
TEST(test_received_super_segment_is_cut)
{
	static uint8_t text[5000], frame[PKT_MAX];
	struct bench b;
	struct pkt p = pkt_tcp(THERE, 80, HERE, 4000, TH_ACK | TH_PUSH | TH_FIN | TH_CWR, 1000, 1), got;
	struct sk_buff *skb;
	uint32_t seq = 1000;
	size_t len;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	p.payload = text;
	p.payload_len = sizeof(text);
	p.ts = true;
	p.id = 65534;
	bench_open(&b, "delay 1ms in");
	memcpy(p.eth_dst, b.dev->dev_addr, 6);
	len = pkt_build(&p, frame);
	skb = alloc_skb(b.net, (uint32_t)len + 26);
	CHECK(skb != NULL);
	skb_reserve(skb, 26);
	memcpy(skb_put(skb, (uint32_t)len), frame, len);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->gso_size = 1448;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_segs = 4;
	CHECK_EQ(eth_type_trans(skb, b.dev), 0);
	netif_receive_skb(skb);
	fake_advance_ms(b.net, 1);
	CHECK_EQ(b.sink.got.qlen, 4);
	for (uint16_t i = 0; (skb = skb_dequeue(&b.sink.got)); i++) {
		CHECK(pkt_parse(&got, skb->data - 14, skb->len + 14));
		CHECK(got.ip_csum_ok && got.l4_csum_ok);
		CHECK_EQ(got.seq, seq);
		CHECK_EQ(got.id, (uint16_t)(65534 + i));
		CHECK_EQ(got.payload_len, i < 3 ? 1448 : 5000 - 3 * 1448);
		CHECK_MEM(got.payload, text + (seq - 1000), got.payload_len);
		CHECK_EQ(got.flags, TH_ACK | (i == 0 ? TH_CWR : 0) | (i == 3 ? TH_PUSH | TH_FIN : 0));
		seq += (uint32_t)got.payload_len;
		skb_consume(skb);
	}
	bench_close(&b);
}

struct tap {
	struct dev_tap tap;
	char text[400];
};

static void note_frame(struct dev_tap *tap, const struct net_device *dev, enum tap_dir dir,
		       const struct sk_buff *skb, const char *comment)
{
	struct tap *t = container_of(tap, struct tap, tap);
	size_t used = strlen(t->text);

	(void)skb;
	snprintf(t->text + used, sizeof(t->text) - used, "%llu %s %s\n",
		 (unsigned long long)((dev->net->now - FAKE_CLOCK_START) / NSEC_PER_MSEC),
		 dir == TAP_OUT ? "out" : "in", comment ? comment : "-");
}

/* The capture stands on the stack's side: sent when the stack sent it, received when it got it. */
TEST(test_taps_see_the_stacks_side_and_each_loss)
{
	struct bench b;
	struct tap t = { .tap.frame = note_frame };
	struct pkt p = pkt_udp(THERE, 1, HERE, 2, "x", 1);

	bench_open(&b, "delay 5ms; rule out size 0-40 drop; rule in from 10.0.0.9 drop");
	dev_add_tap(b.net, &t.tap);
	bench_send_udp(&b, 'a', 100);
	bench_send_udp(&b, 'b', 4);
	pkt_inject(b.dev, &p);
	p.saddr = PKT_IP(10, 0, 0, 9);
	pkt_inject(b.dev, &p);
	fake_advance_ms(b.net, 10);
	CHECK_STR(t.text, "0 out -\n0 out dropped: impairment: dropped by a rule\n"
			  "0 in dropped: impairment: dropped by a rule\n5 in -\n");
	dev_remove_tap(&t.tap);
	bench_close(&b);
}
