/* SPDX-License-Identifier: MIT */
/*
 * "cubic" (RFC 9438): the window is a cubic function of the time since the last loss.
 *
 *   W_cubic(t) = C * (t - K)^3 + W_max,   K = cbrt((W_max - cwnd_epoch) / C)      (4.2, figures 1, 2)
 *
 * with windows in segments and time in seconds. Here windows are in bytes and time in milliseconds, all
 * in integers. Slow start is RFC 5681's with the exit of HyStart++ left out.
 */
#include "stack/tcp/tcp.h"

/* beta = 0.7 and C = 0.4 (4.6, 5.1), alpha = 3 (1 - beta) / (1 + beta) (4.3); in 1024ths. */
#define BETA  717U
#define ALPHA 542U
#define C_NUM 4U
#define C_DEN 10U

struct cubic {
	uint32_t w_max;      /* bytes; 0 = no loss yet */
	uint32_t cwnd_epoch; /* bytes, at epoch_start */
	uint32_t w_est;      /* bytes: what Reno would have (4.3) */
	uint32_t est_acked;  /* bytes acknowledged, not yet in w_est */
	uint64_t k_ms;
	ktime_t epoch_start; /* 0 = begins with the next ACK */
};

static struct cubic *cubic(struct tcp_sock *tp)
{
	_Static_assert(sizeof(struct cubic) <= sizeof(tp->ca_priv), "ca_priv is too small");
	return (struct cubic *)(void *)tp->ca_priv;
}

/* Integer cube root by bisection, 64 bits to 22. */
static uint64_t cube_root(uint64_t v)
{
	uint64_t root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t r = root | 1ULL << bit;

		if (r * r * r <= v)
			root = r;
	}
	return root;
}

static void start_epoch(struct tcp_sock *tp, struct cubic *c)
{
	uint64_t mss = tcp_current_mss(tp), gap;

	c->epoch_start = tcp_net(tp)->now;
	c->cwnd_epoch = tp->snd_cwnd;
	c->w_est = tp->snd_cwnd;
	c->est_acked = 0;
	if (c->w_max <= tp->snd_cwnd) {
		c->w_max = tp->snd_cwnd;
		c->k_ms = 0;
		return;
	}
	/* K^3 in ms^3 = 1e9 * segments / C */
	gap = (c->w_max - tp->snd_cwnd) / mss;
	c->k_ms = cube_root(MIN(gap, UINT32_MAX) * 1000000000ULL / C_NUM * C_DEN);
}

/* W_cubic(@t_ms) in bytes. */
static uint64_t w_cubic(const struct tcp_sock *tp, const struct cubic *c, uint64_t t_ms)
{
	uint64_t d = t_ms > c->k_ms ? t_ms - c->k_ms : c->k_ms - t_ms, delta;

	d = MIN(d, 1000000ULL); /* beyond a quarter of an hour the sign is all that matters */
	delta = d * d * d / 1000000 * C_NUM / C_DEN * tcp_current_mss(tp) / 1000;
	if (t_ms > c->k_ms)
		return c->w_max + delta;
	return c->w_max > delta ? c->w_max - delta : 0;
}

/* 4.3: what Reno with the same average would have by now; from W_max on with alpha = 1. */
static void update_w_est(struct tcp_sock *tp, struct cubic *c, uint32_t acked)
{
	uint64_t mss = tcp_current_mss(tp), unit;
	uint32_t alpha = c->w_est < c->w_max ? ALPHA : 1024;

	c->est_acked += acked;
	unit = (uint64_t)tp->snd_cwnd * 1024 / alpha; /* bytes for one segment more */
	while (c->est_acked >= unit) {
		c->est_acked -= (uint32_t)unit;
		c->w_est += (uint32_t)mss;
	}
}

/* Grows towards @target: (target - cwnd) / cwnd of a segment per segment acknowledged (4.4, 4.5). */
static void grow_towards(struct tcp_sock *tp, uint64_t target, uint32_t acked)
{
	uint64_t mss = tcp_current_mss(tp), gain;

	if (target > tp->snd_cwnd) {
		gain = (target - tp->snd_cwnd) * acked / tp->snd_cwnd;
	} else {
		tp->cwnd_acked += acked; /* at the plateau: one segment in a hundred windows */
		if (tp->cwnd_acked / 100 < tp->snd_cwnd)
			return;
		tp->cwnd_acked = 0;
		gain = mss;
	}
	tp->snd_cwnd += (uint32_t)MIN(gain, tp->snd_cwnd / 2);
}

static void cubic_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	struct cubic *c = cubic(tp);
	uint64_t t_ms, target, now;

	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	if (!c->epoch_start)
		start_epoch(tp, c);
	t_ms = (tcp_net(tp)->now - c->epoch_start) / NSEC_PER_MSEC;
	update_w_est(tp, c, acked);
	now = w_cubic(tp, c, t_ms);
	if (now < c->w_est) {
		tp->snd_cwnd = MAX(tp->snd_cwnd, c->w_est); /* 4.3, the Reno-friendly region */
		return;
	}
	/* 4.2: the target one round trip ahead, at most 1.5 times the window. */
	target = w_cubic(tp, c, t_ms + tp->srtt_us / 1000);
	target = MIN(target, (uint64_t)tp->snd_cwnd + tp->snd_cwnd / 2);
	grow_towards(tp, target, acked);
}

/* 4.6, 4.7: multiplicative decrease with fast convergence. */
static uint32_t cubic_ssthresh(struct tcp_sock *tp)
{
	struct cubic *c = cubic(tp);
	uint32_t cwnd = tp->snd_cwnd;

	if (cwnd < c->w_max)
		c->w_max = (uint32_t)((uint64_t)cwnd * (1024 + BETA) / 2048);
	else
		c->w_max = cwnd;
	c->epoch_start = 0;
	return MAX((uint32_t)((uint64_t)cwnd * BETA / 1024), 2 * tcp_current_mss(tp));
}

/* 5.8: time without sending is no time of the epoch; 4.8: nor is what follows a timeout. */
static void cubic_event(struct tcp_sock *tp, enum tcp_ca_event ev)
{
	if (ev == CA_EVENT_CWND_RESTART || ev == CA_EVENT_LOSS)
		cubic(tp)->epoch_start = 0;
}

const struct tcp_congestion_ops tcp_cubic = {
	.name = "cubic",
	.flags = TCP_CONG_NON_RESTRICTED,
	.cong_avoid = cubic_cong_avoid,
	.ssthresh = cubic_ssthresh,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.cwnd_event = cubic_event,
};
