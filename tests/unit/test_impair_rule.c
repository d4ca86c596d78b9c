/* SPDX-License-Identifier: MIT */
/* Rules: which frames they are about, and what they do to them. */
#include "tests/unit/impair_fixture.h"

static const uint8_t text[2000];

/* A segment of ours on the connection from port @sport; SYNs have sequence number 1000. */
static struct pkt segment(uint16_t sport, uint16_t flags, uint32_t seq, size_t len)
{
	struct pkt p = pkt_tcp(HERE, sport, THERE, 80, flags, seq, 1);

	p.payload = text;
	p.payload_len = len;
	return p;
}

static void send_segment(struct bench *b, uint16_t sport, uint16_t flags, uint32_t seq, size_t len)
{
	struct pkt p = segment(sport, flags, seq, len);

	bench_send(b, &p);
}

/* What went out: "SYN", or relative sequence number and length, of each. */
static const char *sent(struct bench *b)
{
	static char line[2000];
	struct pkt p;
	size_t n = 0;

	line[0] = '\0';
	while (pkt_take(b->dev, &p)) {
		if (p.flags & TH_SYN)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "SYN ");
		else
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%u:%zu ", p.seq - 1000, p.payload_len);
	}
	return line;
}

/* A connection: SYN, and four segments of 100 bytes. */
static void send_connection(struct bench *b, uint16_t sport)
{
	send_segment(b, sport, TH_SYN, 1000, 0);
	for (uint32_t i = 0; i < 4; i++)
		send_segment(b, sport, TH_ACK, 1001 + i * 100, 100);
}

TEST(test_third_data_segment_of_the_second_connection)
{
	struct bench b;
	uint64_t matched, applied;
	const char *rule;

	bench_open(&b, "rule out tcp data conn 2 nth 3 drop");
	send_connection(&b, 5000);
	CHECK_STR(sent(&b), "SYN 1:100 101:100 201:100 301:100 ");
	send_connection(&b, 5001);
	CHECK_STR(sent(&b), "SYN 1:100 101:100 301:100 ");
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_RULE], 1);
	CHECK(impair_get_rule(b.dev, 0, &rule, &matched, &applied));
	CHECK_STR(rule, "rule out tcp data conn 2 nth 3 drop");
	CHECK_EQ(matched, 4);
	CHECK_EQ(applied, 1);
	CHECK(!impair_get_rule(b.dev, 1, &rule, &matched, &applied));
	bench_close(&b);
}

TEST(test_every_retransmission_of_it_twice)
{
	struct bench b;

	bench_open(&b, "rule out conn 1 segment 3 retransmission count 2 drop");
	send_connection(&b, 5000);
	CHECK_STR(sent(&b), "SYN 1:100 101:100 201:100 301:100 ");
	send_segment(&b, 5000, TH_ACK, 1101, 100); /* the second, again */
	send_segment(&b, 5000, TH_ACK, 1201, 100);
	send_segment(&b, 5000, TH_ACK, 1251, 50);  /* a part of it */
	send_segment(&b, 5000, TH_ACK, 1201, 100);
	CHECK_STR(sent(&b), "101:100 201:100 ");
	bench_close(&b);
}

TEST(test_same_ports_with_another_isn_are_the_next_connection)
{
	struct bench b;

	bench_open(&b, "rule syn conn 2 drop");
	send_segment(&b, 5000, TH_SYN, 1000, 0);
	send_segment(&b, 5000, TH_SYN, 1000, 0); /* a retransmission */
	send_segment(&b, 5000, TH_SYN, 9000, 0);
	CHECK_STR(sent(&b), "SYN SYN ");
	bench_close(&b);
}

TEST(test_flags_choose_segments)
{
	static const struct {
		const char *spec;
		const char *left;
	} cases[] = {
		{ "rule syn drop", "1:0 1:100 101:0 101:0 " },
		{ "rule data drop", "SYN 1:0 101:0 101:0 " },
		{ "rule ack drop", "SYN 1:100 101:0 101:0 " },
		{ "rule fin drop", "SYN 1:0 1:100 101:0 " },
		{ "rule rst drop", "SYN 1:0 1:100 101:0 " },
		{ "rule original drop", "1:0 101:0 " },
		{ "rule seq 0 drop", "1:0 1:100 101:0 101:0 " },
		{ "rule seq 50-60 drop", "SYN 1:0 101:0 101:0 " },
		{ "rule size 100- drop", "SYN 1:0 101:0 101:0 " },
		{ "rule tcp every 2 drop", "SYN 1:100 101:0 " },
		{ "rule udp drop", "SYN 1:0 1:100 101:0 101:0 " },
		{ "rule port 80 drop", "" },
		{ "rule port 81 drop", "SYN 1:0 1:100 101:0 101:0 " },
		{ "rule to :80 from 10.0.0.0/24 drop", "" },
		{ "rule from :80 drop", "SYN 1:0 1:100 101:0 101:0 " },
		{ "rule in drop", "SYN 1:0 1:100 101:0 101:0 " },
		{ "rule data pass; rule drop", "1:100 " },
		{ "rule tcp nth 2-3 drop", "SYN 101:0 101:0 " },
		{ "rule tcp count 3 drop", "101:0 101:0 " },
		{ "rule tcp chance 0% drop", "SYN 1:0 1:100 101:0 101:0 " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench b;
		const char *left;

		bench_open(&b, cases[i].spec);
		send_segment(&b, 5000, TH_SYN, 1000, 0);
		send_segment(&b, 5000, TH_ACK, 1001, 0);
		send_segment(&b, 5000, TH_ACK, 1001, 100);
		send_segment(&b, 5000, TH_ACK | TH_FIN, 1101, 0);
		send_segment(&b, 5000, TH_RST, 1101, 0);
		left = sent(&b);
		CHECK_MSG(strcmp(left, cases[i].left) == 0, "\"%s\" left \"%s\", not \"%s\"",
			  cases[i].spec, left, cases[i].left);
		bench_close(&b);
	}
}

TEST(test_pure_acks_are_delayed_and_overtaken)
{
	struct bench b;

	bench_open(&b, "delay 5ms; rule out ack delay 20ms");
	send_segment(&b, 5000, TH_ACK, 1001, 0);
	send_segment(&b, 5000, TH_ACK, 1001, 100);
	fake_advance_ms(b.net, 5);
	CHECK_STR(sent(&b), "1:100 ");
	fake_advance_ms(b.net, 19);
	CHECK_STR(sent(&b), "");
	fake_advance_ms(b.net, 1);
	CHECK_STR(sent(&b), "1:0 ");
	bench_close(&b);
}

TEST(test_options_are_stripped_and_the_checksum_is_right)
{
	struct bench b;
	struct pkt p = segment(5000, TH_SYN, 1000, 0), got;

	p.mss = 1460;
	p.wscale = 8;
	p.sackok = true;
	p.ts = true;
	p.tsval = 0x01020304;
	bench_open(&b, "rule syn strip timestamps,wscale");
	bench_send(&b, &p);
	CHECK(pkt_take(b.dev, &got)); /* fails on a wrong checksum */
	CHECK(!got.ts && !got.wscale);
	CHECK_EQ(got.mss, 1460);
	CHECK(got.sackok);
	CHECK_EQ(bench_stats(&b, TAP_OUT).stripped, 1);
	bench_close(&b);
	bench_open(&b, "rule tcp strip all");
	bench_send(&b, &p);
	CHECK(pkt_take(b.dev, &got));
	CHECK(!got.ts && !got.wscale && !got.mss && !got.sackok);
	/* Options that end in the middle are left alone. */
	p.mss = 0;
	p.wscale = 0;
	p.sackok = p.ts = false;
	p.raw_options_len = 4;
	memcpy(p.raw_options, (uint8_t[]){ 1, 1, 8, 10 }, 4);
	bench_send(&b, &p);
	CHECK_EQ(fake_dev_forget(b.dev), 1);
	CHECK_EQ(bench_stats(&b, TAP_OUT).stripped, 1);
	bench_close(&b);
}

TEST(test_wrong_checksum_stays_wrong)
{
	struct bench b;
	struct pkt p = segment(5000, TH_SYN, 1000, 0), got;
	struct fake_frame *f;

	p.mss = 1460;
	p.bad_l4_csum = true;
	bench_open(&b, "rule syn strip mss");
	bench_send(&b, &p);
	f = fake_dev_take(b.dev);
	CHECK(f && pkt_parse(&got, f->data, f->len));
	CHECK(!got.l4_csum_ok && !got.mss);
	free(f);
	bench_close(&b);
}

static void check_icmp(const char *spec, uint8_t type, uint8_t code, uint32_t rest)
{
	struct bench b;
	struct pkt p = segment(5000, TH_SYN, 1000, 0), icmp;
	struct sk_buff *skb;

	bench_open(&b, spec);
	memcpy(p.eth_src, b.dev->dev_addr, 6);
	bench_send(&b, &p);
	CHECK_EQ(b.sink.got.qlen, 0); /* never inside the sender's call */
	fake_advance_ns(b.net, 0);
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_ICMP], 1);
	skb = skb_peek(&b.sink.got);
	CHECK(skb != NULL);
	CHECK(pkt_parse(&icmp, skb->data - 14, skb->len + 14));
	CHECK(icmp.ip_csum_ok && icmp.l4_csum_ok);
	CHECK_EQ(icmp.icmp_type, type);
	CHECK_EQ(icmp.icmp_code, code);
	CHECK_EQ(icmp.icmp_rest, rest);
	CHECK_EQ(icmp.payload_len, 40);
	pkt_expect_none(b.dev);
	bench_close(&b);
}

TEST(test_answer_with_an_icmp_error)
{
	check_icmp("rule syn icmp host", 3, 1, 0);
	check_icmp("rule tcp icmp port", 3, 3, 0);
	check_icmp("rule tcp icmp admin", 3, 13, 0);
	check_icmp("rule tcp icmp ttl", 11, 0, 0);
	check_icmp("rule tcp icmp fragneeded 576", 3, 4, 576);
}

/* RFC 1122 3.2.2: never about an ICMP error, nor about what was sent to many. */
TEST(test_no_icmp_error_where_none_may_be)
{
	struct bench b;
	struct pkt p = pkt_icmp(HERE, THERE, 3, 1, 0, text, 28);

	bench_open(&b, "rule ip icmp host");
	bench_send(&b, &p);
	p = bench_udp('a', 4);
	p.daddr = PKT_IP(224, 0, 0, 1);
	bench_send(&b, &p);
	p = bench_udp('a', 4);
	p.frag_off = 800;
	bench_send(&b, &p);
	fake_advance_ms(b.net, 1);
	CHECK_EQ(b.sink.got.qlen, 0);
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_ICMP], 3);
	bench_close(&b);
}

TEST(test_icmp_error_about_a_received_packet_goes_out)
{
	struct bench b;
	struct pkt p = pkt_udp(THERE, 1, HERE, 2, "x", 1), icmp;

	bench_open(&b, "rule in udp icmp port");
	pkt_inject(b.dev, &p);
	fake_advance_ms(b.net, 1);
	CHECK_EQ(b.sink.got.qlen, 0);
	CHECK(pkt_take(b.dev, &icmp));
	CHECK_EQ(icmp.icmp_code, 3);
	CHECK_EQ(icmp.daddr, THERE);
	CHECK_MEM(icmp.eth_src, b.dev->dev_addr, 6);
	bench_close(&b);
}

TEST(test_cut_ends_one_connection_in_silence)
{
	struct bench b;
	struct pkt p = pkt_tcp(THERE, 80, HERE, 5000, TH_ACK, 1, 1001);

	bench_open(&b, "rule out conn 1 cut after 250");
	send_connection(&b, 5000);
	CHECK_STR(sent(&b), "SYN 1:100 101:100 ");
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_CUT], 2);
	pkt_inject(b.dev, &p); /* the other way as well */
	CHECK_EQ(b.sink.got.qlen, 0);
	CHECK_EQ(b.net->drops[SKB_DROP_IMPAIR_CUT], 3);
	send_connection(&b, 5001);
	CHECK_STR(sent(&b), "SYN 1:100 101:100 201:100 301:100 ");
	bench_close(&b);
}

TEST(test_congestion_experienced_only_where_ecn_is)
{
	struct bench b;
	struct pkt p = segment(5000, TH_ACK, 1001, 10), got;

	bench_open(&b, "rule data ce");
	bench_send(&b, &p);
	CHECK(pkt_take(b.dev, &got));
	CHECK_EQ(got.tos, 0);
	p.tos = 2;
	bench_send(&b, &p);
	CHECK(pkt_take(b.dev, &got));
	CHECK_EQ(got.tos, 3);
	CHECK_EQ(bench_stats(&b, TAP_OUT).marked, 1);
	bench_close(&b);
}

TEST(test_duplicate_and_corrupt_by_rule)
{
	struct bench b;
	struct fake_frame *f;

	bench_open(&b, "rule data duplicate; rule syn corrupt");
	send_segment(&b, 5000, TH_ACK, 1001, 10);
	CHECK_STR(sent(&b), "1:10 1:10 ");
	send_segment(&b, 5000, TH_SYN, 1000, 0);
	f = fake_dev_take(b.dev);
	CHECK(f != NULL);
	CHECK_EQ(bench_stats(&b, TAP_OUT).corrupted, 1);
	free(f);
	bench_close(&b);
}

/* More connections than are remembered: the oldest are forgotten, the numbers go on. */
TEST(test_connections_are_bounded)
{
	struct bench b;

	bench_open(&b, "rule conn 5000 data drop; rule conn 1 data drop");
	for (uint16_t port = 1; port <= 5000; port++)
		send_segment(&b, port, TH_SYN, 1000, 0);
	fake_dev_forget(b.dev);
	send_segment(&b, 5000, TH_ACK, 1001, 10);
	CHECK_STR(sent(&b), "");
	send_segment(&b, 1, TH_ACK, 1001, 10);
	CHECK_STR(sent(&b), "1:10 ");
	bench_close(&b);
}

/* Whatever the bytes are, rules that look at everything neither crash nor read beyond them. */
TEST(test_damaged_packets_do_no_harm)
{
	static uint8_t frame[PKT_MAX];
	struct bench b;
	struct pkt p = segment(5000, TH_SYN, 1000, 60);
	size_t len;

	p.ts = true;
	p.mss = 1000;
	bench_open(&b, "rule conn 1 segment 1- retransmission corrupt; rule strip all; rule ip ce; "
		       "rule seq 1-5 duplicate; rule size 1- chance 10% icmp port");
	memcpy(p.eth_dst, b.dev->dev_addr, 6);
	len = pkt_build(&p, frame);
	for (size_t at = 0; at < 80; at++) {
		uint8_t was = frame[at];

		for (unsigned int c = 0; c < 256; c += 5) {
			frame[at] = (uint8_t)c;
			fake_dev_inject(b.dev, frame, len);
			fake_dev_inject(b.dev, frame, at);
		}
		frame[at] = was;
		fake_advance_ms(b.net, 1);
		fake_dev_forget(b.dev);
		skb_queue_purge(&b.sink.got);
	}
	bench_close(&b);
}
