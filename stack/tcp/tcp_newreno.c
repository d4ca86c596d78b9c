/* SPDX-License-Identifier: MIT */
/*
 * "reno": additive increase, multiplicative decrease (RFC 5681 3.1), by counting bytes (RFC 3465).
 *
 * Its two halves, tcp_slow_start() and tcp_cong_avoid_ai(), serve other algorithms as well.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_slow_start() - grow by what was acknowledged, up to ssthresh
 * @tp:     connection
 * @acked:  bytes
 *
 * Source:  RFC 5681 3.1; RFC 3465 with L as large as the ACK covers, as Linux
 * Return:  bytes left for congestion avoidance
 */
uint32_t tcp_slow_start(struct tcp_sock *tp, uint32_t acked)
{
	uint32_t room = tp->snd_ssthresh - tp->snd_cwnd, grow = MIN(acked, room);

	tp->snd_cwnd += grow;
	return acked - grow;
}

/**
 * tcp_cong_avoid_ai() - one segment more for each @window bytes acknowledged
 * @tp:      connection
 * @window:  bytes, > 0
 * @acked:   bytes
 *
 * Source:  RFC 5681 3.1 (2), RFC 3465 2.1
 */
void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t window, uint32_t acked)
{
	uint32_t segments;

	/* What was saved up for a slower growth is no reason for a burst. */
	if (tp->cwnd_acked >= window) {
		tp->cwnd_acked = 0;
		tp->snd_cwnd += tcp_current_mss(tp);
	}
	tp->cwnd_acked += acked;
	if (tp->cwnd_acked < window)
		return;
	segments = tp->cwnd_acked / window;
	tp->cwnd_acked -= segments * window;
	tp->snd_cwnd += segments * tcp_current_mss(tp);
}

/**
 * tcp_reno_cong_avoid() - slow start below ssthresh, one segment each window above
 * @tp:     connection
 * @acked:  bytes
 */
void tcp_reno_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	tcp_cong_avoid_ai(tp, tp->snd_cwnd, acked);
}

/**
 * tcp_reno_ssthresh() - half of what is in flight, two segments at least
 * @tp:  connection
 *
 * Source:  RFC 5681 3.1, equation (4); the window instead of FlightSize when that is smaller
 */
uint32_t tcp_reno_ssthresh(struct tcp_sock *tp)
{
	return MAX(MIN(tp->snd_cwnd, MAX(tcp_in_flight(tp), 1U)) / 2, 2 * tcp_current_mss(tp));
}

/**
 * tcp_reno_undo_cwnd() - the window before the reduction
 * @tp:  connection
 */
uint32_t tcp_reno_undo_cwnd(struct tcp_sock *tp)
{
	return MAX(tp->snd_cwnd, tp->prior_cwnd);
}

/* ---- "reno" itself: with HyStart++, which RFC 9406 1 offers to any slow start ------------------ */

static struct tcp_hystart *hystart(struct tcp_sock *tp)
{
	_Static_assert(sizeof(struct tcp_hystart) <= sizeof(tp->ca_priv), "ca_priv is too small");
	return (struct tcp_hystart *)(void *)tp->ca_priv;
}

static void newreno_init(struct tcp_sock *tp)
{
	tcp_hystart_init(tp, hystart(tp));
}

static void newreno_pkts_acked(struct tcp_sock *tp, const struct tcp_ack_sample *sample)
{
	if (tcp_in_slow_start(tp))
		tcp_hystart_acked(tp, hystart(tp), sample->rtt_us);
}

static void newreno_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	if (tcp_in_slow_start(tp))
		acked = tcp_hystart_slow_start(tp, hystart(tp), acked);
	if (acked)
		tcp_reno_cong_avoid(tp, acked);
}

const struct tcp_congestion_ops tcp_newreno = {
	.name = "reno",
	.flags = TCP_CONG_NON_RESTRICTED,
	.init = newreno_init,
	.cong_avoid = newreno_cong_avoid,
	.pkts_acked = newreno_pkts_acked,
	.ssthresh = tcp_reno_ssthresh,
	.undo_cwnd = tcp_reno_undo_cwnd,
};
