/* SPDX-License-Identifier: MIT */
/*
 * CUBIC in numbers: RFC 9438 section by section, on a connection whose window, flight and ACKs are set
 * by hand. MSS is 1460 without options.
 */
#include "stack/tcp/tcp_cubic.c"
#include "tests/unit/tcp_fixture.h"

#define SMSS 1460U
#define RTT_MS 100U

struct flow {
	struct tcp_conn *c;
	struct tcp_sock *tp;
};

/* In congestion avoidance with a window of @segments, all of it used. */
static struct flow flow(uint32_t segments)
{
	struct flow f = { .c = conn_established(NULL) };

	f.tp = tcp_sk(f.c->sock->sk);
	f.tp->snd_cwnd = segments * SMSS;
	f.tp->snd_ssthresh = f.tp->snd_cwnd / 2;
	f.tp->srtt_us = RTT_MS * 1000;
	f.tp->cwnd_limited = true;
	CHECK_EQ(tcp_current_mss(f.tp), SMSS);
	return f;
}

static uint32_t window(const struct flow *f)
{
	return f->tp->snd_cwnd / SMSS;
}

/* A reduction, as recovery makes it. */
static void reduce(struct flow *f)
{
	f->tp->prior_cwnd = f->tp->snd_cwnd;
	f->tp->snd_ssthresh = f->tp->ca->ssthresh(f->tp);
	f->tp->snd_cwnd = f->tp->snd_ssthresh;
}

/* A round trip: a window's worth of ACKs, each for two segments, over its time. */
static void round_trip(struct flow *f)
{
	uint32_t acks = MAX(window(f) / 2, 1U);

	for (uint32_t i = 0; i < acks; i++) {
		fake_advance_ns(f->c->net, RTT_MS * NSEC_PER_MSEC / acks);
		f->tp->ca->pkts_acked(f->tp, &(struct tcp_ack_sample){ .acked = 2 * SMSS, .rtt_us = -1 });
		if (tcp_is_cwnd_limited(f->tp))
			tcp_cong_avoid(f->tp, 2 * SMSS);
	}
}

static void run_ms(struct flow *f, uint32_t ms)
{
	for (uint32_t t = 0; t < ms; t += RTT_MS)
		round_trip(f);
}

/* 4.2, figure 2: K = cbrt(W_max (1 - beta) / C); 4.6: cwnd = 0.7 W_max. */
TEST(test_k_by_w_max)
{
	static const struct {
		uint32_t gap, k_ms; /* W_max - cwnd_epoch, segments */
	} rows[] = {
		{ 0, 0 }, { 1, 1357 }, { 30, 4217 }, { 300, 9085 }, { 3000, 19574 }, { 1000000, 135720 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_GE(cubic_k_ms(rows[i].gap), rows[i].k_ms - MIN(rows[i].k_ms, 1U));
		CHECK_LE(cubic_k_ms(rows[i].gap), rows[i].k_ms + 1);
	}
}

/* 4.2, figure 1: W_cubic(t) = 0.4 (t - K)^3 + W_max, here with W_max = 100, K = 4217 ms. */
TEST(test_curve_in_numbers)
{
	static const struct {
		uint32_t t_ms, tenths; /* of a segment */
	} rows[] = {
		{ 0, 700 }, { 1000, 867 }, { 2000, 956 }, { 3000, 993 }, { 4217, 1000 },
		{ 5434, 1007 }, { 6000, 1023 }, { 8434, 1300 }, { 14217, 5000 },
	};
	const struct epoch e = { .w_max = 100 * SMSS, .k_ms = 4217 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t tenths = w_cubic(&e, rows[i].t_ms, SMSS) * 10 / SMSS;

		CHECK_GE(tenths, rows[i].tenths - 1);
		CHECK_LE(tenths, rows[i].tenths + 1);
	}
}

/* The window follows the curve: 70 segments after the reduction, 100 after K, 130 after 2 K. */
TEST(test_window_follows_the_curve)
{
	struct flow f = flow(100);

	reduce(&f);
	CHECK_EQ(window(&f), 70);
	f.tp->srtt_us = 10000; /* far from the Reno-friendly region: few round trips in K... */
	cubic(f.tp)->now.cwnd_prior = 1 << 30;
	run_ms(&f, 2000);
	CHECK_GE(window(&f), 93);
	CHECK_LE(window(&f), 97);
	run_ms(&f, 2200);
	CHECK_GE(window(&f), 98);
	CHECK_LE(window(&f), 102);
	run_ms(&f, 4200);
	CHECK_GE(window(&f), 120);
	CHECK_LE(window(&f), 132);
	conn_free(f.c);
}

/* 4.2: never more than 1.5 times the window in a round trip. */
TEST(test_target_is_at_most_half_as_much_again)
{
	struct flow f = flow(1000);
	uint32_t before;

	reduce(&f);
	round_trip(&f);
	fake_advance_ms(f.c->net, 60000); /* no ACK, and none missed: the window counts as used */
	f.tp->ca->pkts_acked(f.tp, &(struct tcp_ack_sample){ .acked = SMSS, .rtt_us = -1 });
	before = window(&f);
	round_trip(&f);
	CHECK_GE(window(&f), before * 14 / 10);
	CHECK_LE(window(&f), before * 15 / 10 + 1);
	conn_free(f.c);
}

/* 4.3: W_est grows by 0.53 segments a round trip, by 1 from cwnd_prior on. */
TEST(test_reno_friendly_region)
{
	struct flow f = flow(20);

	reduce(&f);
	CHECK_EQ(window(&f), 14);
	f.tp->srtt_us = 1000;
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 7; k++)
			tcp_cong_avoid(f.tp, 2 * SMSS);
		fake_advance_ms(f.c->net, 1);
	}
	/* W_cubic has hardly moved in 10 ms: 14 + 10 * 0.53, the window growing under it. */
	CHECK_GE(window(&f), 17);
	CHECK_LE(window(&f), 19);
	cubic(f.tp)->now.w_est = cubic(f.tp)->now.cwnd_prior;
	f.tp->snd_cwnd = cubic(f.tp)->now.w_est;
	for (int i = 0; i < 100; i++)
		tcp_cong_avoid(f.tp, 2 * SMSS);
	/* 200 segments acknowledged with alpha = 1: 20 -> sqrt(20^2 + 2 * 200) = 28. */
	CHECK_GE(window(&f), 26);
	CHECK_LE(window(&f), 29);
	conn_free(f.c);
}

/* 4.6, 4.7: below the last maximum the next one is taken lower: cwnd (1 + beta) / 2. */
TEST(test_fast_convergence)
{
	struct flow f = flow(100);

	reduce(&f);
	CHECK_EQ(cubic(f.tp)->now.last_max, 100 * SMSS);
	CHECK_EQ(window(&f), 70);
	f.tp->snd_cwnd = 80 * SMSS;
	reduce(&f);
	CHECK_EQ(cubic(f.tp)->now.last_max / SMSS, 68);
	CHECK_EQ(cubic(f.tp)->now.cwnd_prior, 80 * SMSS);
	f.tp->snd_cwnd = 90 * SMSS;
	reduce(&f);
	CHECK_EQ(cubic(f.tp)->now.last_max, 90 * SMSS);
	conn_free(f.c);
}

TEST(test_reduction_leaves_two_segments)
{
	struct flow f = flow(2);

	reduce(&f);
	CHECK_EQ(window(&f), 2);
	conn_free(f.c);
}

/* 4.8: after a timeout the curve begins where slow start ends: K = 0, W_max = cwnd. */
TEST(test_timeout_forgets_the_maximum)
{
	struct flow f = flow(100);

	reduce(&f);
	tcp_ca_event(f.tp, CA_EVENT_LOSS);
	f.tp->snd_cwnd = f.tp->snd_ssthresh;
	tcp_cong_avoid(f.tp, SMSS);
	CHECK_EQ(cubic(f.tp)->now.k_ms, 0);
	CHECK_EQ(cubic(f.tp)->now.w_max, f.tp->snd_ssthresh);
	conn_free(f.c);
}

/* 4.9: a needless reduction leaves no trace. */
TEST(test_undo_restores_the_epoch)
{
	struct flow f = flow(100);
	struct epoch before;

	reduce(&f);
	run_ms(&f, 3000);
	before = cubic(f.tp)->now;
	reduce(&f);
	CHECK_EQ(f.tp->ca->undo_cwnd(f.tp), f.tp->prior_cwnd);
	CHECK(memcmp(&before, &cubic(f.tp)->now, sizeof(before)) == 0);
	conn_free(f.c);
}

/* 4.2, 5.8: neither silence nor a window that is not used moves time along the curve. */
TEST(test_unused_time_does_not_count)
{
	struct flow f = flow(100), g = flow(100);

	reduce(&f);
	reduce(&g);
	run_ms(&f, 2000);
	run_ms(&g, 1000);
	fake_advance_ms(g.c->net, 60000);
	tcp_ca_event(g.tp, CA_EVENT_TX_START);
	run_ms(&g, 500);
	g.tp->cwnd_limited = false;
	run_ms(&g, 5000);
	g.tp->cwnd_limited = true;
	run_ms(&g, 500);
	CHECK_GE(window(&g) + 1, window(&f));
	CHECK_LE(window(&g), window(&f) + 1);
	conn_free(f.c);
	conn_free(g.c);
}
