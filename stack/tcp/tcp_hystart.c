/* SPDX-License-Identifier: MIT */
/*
 * HyStart++ (RFC 9406): leaving slow start before it overflows the bottleneck's queue.
 *
 *   slow start --- round-trip time of a round has grown ---> conservative slow start (CSS)
 *       ^                                                          |            |
 *       '------ a round of CSS was faster again: false alarm ------'            | CSS_ROUNDS rounds
 *                                                                               v
 *                                              congestion avoidance: ssthresh = cwnd
 *
 * A round ends when what was outstanding at its start has been acknowledged. Of each the smallest
 * round-trip time counts, once there are enough samples. Only the first slow start of a connection is
 * watched (4.3), while ssthresh is still infinite.
 *
 * DEVIATES from 4.2 (L = 8 segments an ACK without pacing) as Linux: an ACK counts for all it covers,
 * for a peer with receive offload acknowledges 64 KiB at a time.
 */
#include "stack/tcp/tcp.h"

/* RFC 9406 4.3. */
#define MIN_RTT_THRESH_US  4000U
#define MAX_RTT_THRESH_US  16000U
#define MIN_RTT_DIVISOR    8U
#define N_RTT_SAMPLE       8U
#define CSS_GROWTH_DIVISOR 4U
#define CSS_ROUNDS         5U

#define NO_RTT UINT32_MAX

/**
 * tcp_hystart_init() - a slow start begins
 * @tp:  connection
 * @h:   state
 */
void tcp_hystart_init(const struct tcp_sock *tp, struct tcp_hystart *h)
{
	*h = (struct tcp_hystart){ .window_end = tp->snd_nxt, .last_rtt_us = NO_RTT,
				   .curr_rtt_us = NO_RTT, .css_base_us = NO_RTT };
}

static bool watching(const struct tcp_sock *tp)
{
	return tp->snd_ssthresh >= TCP_INFINITE_SSTHRESH;
}

static void leave_slow_start(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	tp->snd_ssthresh = tp->snd_cwnd;
	mib_inc(net, MIB_TcpExtTCPHystartDelayDetect);
	mib_add(net, MIB_TcpExtTCPHystartDelayCwnd, tp->snd_cwnd / tcp_current_mss(tp));
}

/* 4.2: has the round-trip time grown by an eighth, 4 ms at least, 16 ms at most? */
static bool delay_has_grown(const struct tcp_hystart *h)
{
	uint32_t thresh = h->last_rtt_us / MIN_RTT_DIVISOR;

	if (h->curr_rtt_us == NO_RTT || h->last_rtt_us == NO_RTT)
		return false;
	thresh = MAX(MIN(thresh, MAX_RTT_THRESH_US), MIN_RTT_THRESH_US);
	return h->curr_rtt_us >= h->last_rtt_us + thresh;
}

static void judge_round(struct tcp_hystart *h)
{
	if (h->samples < N_RTT_SAMPLE)
		return;
	if (h->css_rounds == 0 && delay_has_grown(h)) {
		h->css_base_us = h->curr_rtt_us;
		h->css_rounds = 1; /* the rest of this round counts (4.2) */
	} else if (h->css_rounds && h->curr_rtt_us < h->css_base_us) {
		h->css_base_us = NO_RTT;
		h->css_rounds = 0;
	}
}

static void next_round(struct tcp_sock *tp, struct tcp_hystart *h)
{
	h->window_end = tp->snd_nxt;
	h->last_rtt_us = h->curr_rtt_us;
	h->curr_rtt_us = NO_RTT;
	h->samples = 0;
	if (h->css_rounds && h->css_rounds++ == CSS_ROUNDS)
		leave_slow_start(tp);
}

/**
 * tcp_hystart_acked() - an ACK has come: take its sample, judge the round
 * @tp:      connection; snd_una is moved
 * @h:       state
 * @rtt_us:  sample; -1 = none
 *
 * Source:  RFC 9406 4.2
 */
void tcp_hystart_acked(struct tcp_sock *tp, struct tcp_hystart *h, int32_t rtt_us)
{
	if (!watching(tp))
		return;
	if (rtt_us > 0) {
		h->curr_rtt_us = MIN(h->curr_rtt_us, (uint32_t)rtt_us);
		h->samples = (uint8_t)MIN(h->samples + 1U, N_RTT_SAMPLE);
		judge_round(h);
	}
	if (after_eq(tp->snd_una, h->window_end))
		next_round(tp, h);
}

/**
 * tcp_hystart_slow_start() - grow as slow start does, by a quarter of that in CSS
 * @tp:     connection in slow start
 * @h:      state
 * @acked:  bytes
 *
 * Source:  RFC 9406 4.2
 * Return:  bytes left for congestion avoidance
 */
uint32_t tcp_hystart_slow_start(struct tcp_sock *tp, struct tcp_hystart *h, uint32_t acked)
{
	if (!watching(tp) || h->css_rounds == 0)
		return tcp_slow_start(tp, acked);
	acked += h->css_rest;
	h->css_rest = (uint8_t)(acked % CSS_GROWTH_DIVISOR);
	return tcp_slow_start(tp, acked / CSS_GROWTH_DIVISOR);
}
