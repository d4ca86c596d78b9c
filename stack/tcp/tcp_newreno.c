/* SPDX-License-Identifier: MIT */
/* "reno": additive increase, multiplicative decrease (RFC 5681 3.1). */
#include "stack/tcp/tcp.h"

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
 * tcp_reno_cong_avoid() - one segment more for each window acknowledged
 * @tp:     connection
 * @acked:  bytes
 *
 * Source:  RFC 5681 3.1, by counting bytes
 */
void tcp_reno_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	tp->cwnd_acked += acked;
	while (tp->cwnd_acked >= tp->snd_cwnd) {
		tp->cwnd_acked -= tp->snd_cwnd;
		tp->snd_cwnd += tcp_current_mss(tp);
	}
}

const struct tcp_congestion_ops tcp_newreno = {
	.name = "reno",
	.cong_avoid = tcp_reno_cong_avoid,
	.ssthresh = tcp_reno_ssthresh,
};
