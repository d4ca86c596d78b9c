/* SPDX-License-Identifier: MIT */
/*
 * "cubic" (RFC 9438): the window is a cubic function of the time since the last reduction.
 *
 *   W_cubic(t) = C * (t - K)^3 + W_max,   K = cbrt((W_max - cwnd_epoch) / C)      (4.2, figures 1, 2)
 *
 * with windows in segments and time in seconds. Here windows are in bytes and time in milliseconds, all
 * in integers. An epoch is a stage of congestion avoidance; it starts with the first ACK after a
 * reduction or after slow start, which is HyStart++'s (4.10, tcp_hystart.c).
 *
 * Time in which the window was not in use is no time of an epoch (4.2, 5.8): epoch_start moves along.
 */
#include "stack/tcp/tcp.h"

/* beta = 0.7 and C = 0.4 (4.6, 5.1), alpha = 3 (1 - beta) / (1 + beta) (4.3); in 1024ths. */
#define BETA  717U
#define ALPHA 542U
#define C_NUM 4U
#define C_DEN 10U
#define MAX_T_MS 1000000ULL /* beyond a quarter of an hour only the sign matters */

/* What a needless reduction takes away and undoing it gives back (4.9). */
struct epoch {
	uint32_t last_max;   /* bytes: window at the last reduction, or less (fast convergence); 0 = none */
	uint32_t w_max;      /* bytes: of this epoch */
	uint32_t cwnd_prior; /* bytes: window at the last reduction */
	uint32_t w_est;      /* bytes: what Reno would have (4.3) */
	uint32_t est_acked;  /* bytes acknowledged, not yet in w_est */
	uint32_t k_ms;
	ktime_t start;       /* 0 = begins with the next ACK */
};

struct cubic {
	struct epoch now, before;
	ktime_t last_ack;
	struct tcp_hystart hystart;
};

static struct cubic *cubic(struct tcp_sock *tp)
{
	_Static_assert(sizeof(struct cubic) <= sizeof(tp->ca_priv), "ca_priv is too small");
	return (struct cubic *)(void *)tp->ca_priv;
}

static void cubic_init(struct tcp_sock *tp)
{
	tcp_hystart_init(tp, &cubic(tp)->hystart);
}

/* ---- the curve ------------------------------------------------------------------------------- */

/* Integer cube root by bisection, 63 bits to 21. */
static uint32_t cube_root(uint64_t v)
{
	uint64_t root = 0;

	for (int bit = 20; bit >= 0; bit--) {
		uint64_t r = root | 1ULL << bit;

		if (r * r * r <= v)
			root = r;
	}
	return (uint32_t)root;
}

/* 4.2, figure 2: K in milliseconds for a window that is @gap segments below W_max. */
static uint32_t cubic_k_ms(uint32_t gap)
{
	return cube_root(gap * 1000000000ULL / C_NUM * C_DEN);
}

/* 4.2, figure 1, in bytes. */
static uint64_t w_cubic(const struct epoch *e, uint64_t t_ms, uint32_t mss)
{
	uint64_t d = t_ms > e->k_ms ? t_ms - e->k_ms : e->k_ms - t_ms, delta;

	d = MIN(d, MAX_T_MS);
	delta = d * d * d / 1000000 * C_NUM / C_DEN * mss / 1000;
	if (t_ms > e->k_ms)
		return e->w_max + delta;
	return e->w_max > delta ? e->w_max - delta : 0;
}

/*
 * The first ACK of a stage of congestion avoidance. Without a reduction that it comes from, and after a
 * timeout, it starts at the origin of the curve: K = 0, W_max = cwnd (4.8, 4.10).
 */
static void start_epoch(struct tcp_sock *tp, struct epoch *e)
{
	uint32_t mss = tcp_current_mss(tp);

	e->start = tcp_net(tp)->now;
	e->w_est = tp->snd_cwnd; /* 4.3 */
	e->est_acked = 0;
	tp->cwnd_acked = 0;
	if (e->last_max <= tp->snd_cwnd) {
		e->w_max = tp->snd_cwnd;
		e->k_ms = 0;
		return;
	}
	e->w_max = e->last_max;
	e->k_ms = cubic_k_ms((e->last_max - tp->snd_cwnd) / mss);
}

/* ---- growing --------------------------------------------------------------------------------- */

/* 4.3, figure 4: what Reno with the same average would have; alpha = 1 once it is back at cwnd_prior. */
static void update_w_est(struct tcp_sock *tp, struct epoch *e, uint32_t acked)
{
	uint32_t alpha = e->w_est < e->cwnd_prior ? ALPHA : 1024;
	uint64_t unit = (uint64_t)tp->snd_cwnd * 1024 / alpha; /* bytes for one segment more */

	e->est_acked += acked;
	while (e->est_acked >= unit) {
		e->est_acked -= (uint32_t)unit;
		e->w_est += tcp_current_mss(tp);
	}
}

/*
 * Bytes to be acknowledged for one segment of growth: (target - cwnd) / cwnd of a segment for each
 * segment (4.4, 4.5), target between cwnd and 1.5 times that (4.2).
 *
 * DEVIATES as Linux: growth never ends wholly, at the plateau one segment in 100 windows; and as long as
 * no reduction has told where the limit is, a twentieth of the window in each round trip at least.
 */
static uint32_t bytes_per_segment(const struct tcp_sock *tp, const struct epoch *e, uint64_t target)
{
	uint64_t cwnd = tp->snd_cwnd, mss = tcp_current_mss(tp), bytes = 100 * cwnd;

	target = MIN(target, cwnd + cwnd / 2);
	if (target > cwnd)
		bytes = MIN(cwnd * mss / (target - cwnd), bytes);
	if (e->last_max == 0)
		bytes = MIN(bytes, 20 * mss);
	return (uint32_t)MIN(MAX(bytes, 2 * mss), (uint64_t)INT32_MAX);
}

static void cubic_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	struct epoch *e = &cubic(tp)->now;
	uint32_t mss = tcp_current_mss(tp);
	uint64_t t_ms;

	if (tcp_in_slow_start(tp)) {
		acked = tcp_hystart_slow_start(tp, &cubic(tp)->hystart, acked);
		if (!acked)
			return;
	}
	if (!e->start)
		start_epoch(tp, e);
	t_ms = (tcp_net(tp)->now - e->start) / NSEC_PER_MSEC;
	update_w_est(tp, e, acked);
	if (w_cubic(e, t_ms, mss) < e->w_est) {
		tp->snd_cwnd = MAX(tp->snd_cwnd, e->w_est); /* 4.3, the Reno-friendly region */
		return;
	}
	/* 4.4, 4.5: where the curve will be one round trip from now. */
	tcp_cong_avoid_ai(tp, bytes_per_segment(tp, e, w_cubic(e, t_ms + tp->srtt_us / 1000, mss)),
			  acked);
}

/* ---- reductions ------------------------------------------------------------------------------ */

/*
 * 4.6, 4.7: multiplicative decrease with fast convergence. Of the window rather than of the flight, as
 * 4.6 allows to who does not let the window grow unused (and as Linux).
 */
static uint32_t cubic_ssthresh(struct tcp_sock *tp)
{
	struct cubic *c = cubic(tp);
	uint32_t cwnd = tp->snd_cwnd;

	if (tp->ca_state < CA_CWR)
		c->before = c->now;
	if (cwnd < c->now.last_max)
		c->now.last_max = (uint32_t)((uint64_t)cwnd * (1024 + BETA) / 2048);
	else
		c->now.last_max = cwnd;
	c->now.cwnd_prior = cwnd;
	c->now.start = 0;
	return MAX((uint32_t)((uint64_t)cwnd * BETA / 1024), 2 * tcp_current_mss(tp));
}

/* 4.9: as if the reduction had not been. */
static uint32_t cubic_undo_cwnd(struct tcp_sock *tp)
{
	struct cubic *c = cubic(tp);

	c->now = c->before;
	return tcp_reno_undo_cwnd(tp);
}

/* ---- beside the ACKs ------------------------------------------------------------------------- */

/* 4.2, 5.8: moves the epoch on by the time since @since. */
static void leave_out(struct tcp_sock *tp, ktime_t since)
{
	struct epoch *e = &cubic(tp)->now;
	ktime_t now = tcp_net(tp)->now;

	if (e->start && since && now > since)
		e->start = MIN(e->start + (now - since), now);
}

static void cubic_pkts_acked(struct tcp_sock *tp, const struct tcp_ack_sample *sample)
{
	struct cubic *c = cubic(tp);

	if (!tcp_is_cwnd_limited(tp))
		leave_out(tp, c->last_ack);
	c->last_ack = tcp_net(tp)->now;
	if (tcp_in_slow_start(tp))
		tcp_hystart_acked(tp, &c->hystart, sample->rtt_us);
}

static void cubic_event(struct tcp_sock *tp, enum tcp_ca_event ev)
{
	struct cubic *c = cubic(tp);

	if (ev == CA_EVENT_TX_START) {
		leave_out(tp, c->last_ack);
		c->last_ack = tcp_net(tp)->now;
	} else if (ev == CA_EVENT_LOSS) {
		/* 4.8: after a timeout the curve starts where slow start ends. */
		c->now.last_max = 0;
		c->now.start = 0;
	}
}

const struct tcp_congestion_ops tcp_cubic = {
	.name = "cubic",
	.flags = TCP_CONG_NON_RESTRICTED,
	.init = cubic_init,
	.cong_avoid = cubic_cong_avoid,
	.ssthresh = cubic_ssthresh,
	.undo_cwnd = cubic_undo_cwnd,
	.cwnd_event = cubic_event,
	.pkts_acked = cubic_pkts_acked,
};
