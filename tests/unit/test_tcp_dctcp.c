/* SPDX-License-Identifier: MIT */
/* DCTCP in numbers: RFC 8257 section by section. */
#include "stack/tcp/tcp_dctcp.c"
#include "tests/unit/tcp_fixture.h"

#define SMSS 1460U

static struct tcp_conn *marked(bool ecn)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .wscale = 9, .sack = true });
	struct pkt p;

	CHECK_EQ(tcp_set_default_congestion_control(c->net, "dctcp"), 0);
	c->listener->sk->net->tcp->sysctl.ecn = 0; /* the algorithm asks, whatever the sysctl says */
	tcp_sk(c->listener->sk)->ca = &tcp_dctcp;
	p = seg_make(c, "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 8>");
	p.flags |= ecn ? TH_ECE | TH_CWR : 0;
	p.tos = ecn ? INET_ECN_ECT_0 : 0;
	conn_inject(c, &p);
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.flags, TH_SYN | TH_ACK | (ecn ? TH_ECE : 0));
	CHECK_EQ(p.tos, ecn ? INET_ECN_ECT_0 : 0);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	return c;
}

static struct tcp_sock *tcp_of(struct tcp_conn *c)
{
	return tcp_sk(c->sock->sk);
}

/* One window's worth of 160 segments, @marked of them. */
static void window_of(struct tcp_sock *tp, uint32_t marks)
{
	tp->delivered_bytes += 160 * SMSS;
	tp->delivered_ce_bytes += marks * SMSS;
	dctcp(tp)->next_seq = tp->snd_una;
	tcp_cong_ack_event(tp, marks ? CA_ACK_ECE : 0);
}

/* 3.3: alpha = (1 - g) alpha + g M, g = 1/16; 4.2: starts at 1. In 1024ths. */
TEST(test_alpha_in_numbers)
{
	static const struct {
		uint32_t marks, alpha;
	} rows[] = {
		{ 160, 1024 }, { 0, 960 }, { 0, 900 }, { 80, 876 }, { 16, 828 }, { 160, 841 },
	};
	struct tcp_conn *c = marked(true);
	struct tcp_sock *tp = tcp_of(c);

	CHECK_EQ(dctcp(tp)->alpha, 1024);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		window_of(tp, rows[i].marks);
		CHECK_EQ(dctcp(tp)->alpha, rows[i].alpha);
	}
	for (int i = 0; i < 200; i++)
		window_of(tp, 0);
	CHECK_EQ(dctcp(tp)->alpha, 0);
	conn_free(c);
}

/* 3.3: cwnd (1 - alpha / 2) for marks; 3.4: a half for a loss. */
TEST(test_reduction_by_alpha)
{
	static const struct {
		uint32_t alpha, left; /* of 100 segments */
	} rows[] = { { 1024, 50 }, { 512, 75 }, { 128, 93 }, { 0, 100 } };
	struct tcp_conn *c = marked(true);
	struct tcp_sock *tp = tcp_of(c);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tp->snd_cwnd = 100 * SMSS;
		dctcp(tp)->alpha = rows[i].alpha;
		CHECK_EQ(tp->ca->ssthresh(tp) / SMSS, rows[i].left);
	}
	tcp_ca_event(tp, CA_EVENT_LOSS);
	CHECK_EQ(tp->snd_ssthresh, 50 * SMSS);
	conn_free(c);
}

/* 3.5: a peer without ECN gets plain Reno. */
TEST(test_without_ecn_it_is_reno)
{
	struct tcp_conn *c = marked(false);
	struct tcp_sock *tp = tcp_of(c);
	struct pkt p;

	CHECK_STR(tp->ca->name, "dctcp-reno");
	conn_write(c, 100);
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.tos, 0);
	conn_free(c);
}

/* 3.2: when marks begin or end, what came before is acknowledged at once, with its own kind of ACK. */
TEST(test_receiver_reports_each_change)
{
	static const struct {
		uint8_t ecn;
		uint16_t before, after; /* flags of the ACKs at once; 0 = none */
	} rows[] = {
		{ INET_ECN_ECT_0, 0, 0 },
		{ INET_ECN_CE, TH_ACK, TH_ACK | TH_ECE },
		{ INET_ECN_CE, 0, 0 },
		{ INET_ECN_ECT_0, TH_ACK | TH_ECE, TH_ACK },
	};
	struct tcp_conn *c = marked(true);
	uint32_t seq = 1;
	struct pkt p;

	tcp_of(c)->ack.quick = 0;
	tcp_of(c)->ack.pingpong = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		p = seg_make(c, ". 1:101(100) ack 1");
		p.seq += seq - 1;
		p.tos = rows[i].ecn;
		conn_inject(c, &p);
		if (rows[i].before) {
			CHECK(seg_take(c, &p));
			CHECK_EQ(p.ack, seq);
			CHECK_EQ(p.flags, rows[i].before);
		}
		seq += 100;
		if (rows[i].after) {
			CHECK(seg_take(c, &p));
			CHECK_EQ(p.ack, seq);
			CHECK_EQ(p.flags, rows[i].after);
			CHECK_EQ(p.tos, INET_ECN_ECT_0); /* 3.5: pure ACKs, too */
		}
		seg_none(c);
	}
	conn_free(c);
}

/* Restricted, as on Linux: a program cannot take it by itself. */
TEST(test_not_for_every_program)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), -EPERM);
	CHECK_EQ(tcp_set_allowed_congestion_control(c->net, "reno cubic dctcp"), 0);
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
	CHECK_STR(tcp_of(c)->ca->name, "dctcp-reno"); /* this connection has no ECN */
	conn_free(c);
}
