/* SPDX-License-Identifier: MIT */
/*
 * Congestion control: what is common to all algorithms, and their list.
 *
 * An algorithm is a struct tcp_congestion_ops; it only grows the window on ACKs and says how far to
 * go back after a loss. Entering and leaving recovery is tcp_recovery.c's. Windows count bytes.
 *
 * Read first: RFC 5681; RFC 6928 (initial window).
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_ca_find() - an algorithm by name
 * @name:  need not end with a zero
 * @len:   its length
 */
const struct tcp_congestion_ops *tcp_ca_find(const char *name, size_t len)
{
	static const struct tcp_congestion_ops *const all[] = { &tcp_cubic, &tcp_newreno };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (strlen(all[i]->name) == len && memcmp(all[i]->name, name, len) == 0)
			return all[i];
	return NULL;
}

/**
 * tcp_init_cwnd() - the window of a connection that has just been established
 * @tp:  connection; the segment size is known
 *
 * Source:  RFC 6928 2; RFC 5681 3.1: one segment when the SYN or SYN-ACK was lost
 */
void tcp_init_cwnd(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp);

	tp->snd_cwnd = tp->retransmits > 1 ? mss : TCP_INIT_CWND * mss;
	tp->snd_ssthresh = UINT32_MAX / 2;
	tp->dupthresh = TCP_DUPTHRESH;
	memset(tp->ca_priv, 0, sizeof(tp->ca_priv));
	if (tp->ca->init)
		tp->ca->init(tp);
}

/**
 * tcp_cwnd_restart() - sending again after a pause longer than the RTO
 * @tp:  connection with nothing in flight
 *
 * Source:  RFC 5681 4.1; the window halves for each RTO that passed, as Linux (RFC 2861)
 */
void tcp_cwnd_restart(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), restart = MIN(TCP_INIT_CWND * mss, tp->snd_cwnd);
	uint64_t idle = (tcp_net(tp)->now - tp->last_send) / NSEC_PER_USEC;

	tp->snd_ssthresh = MAX(tp->snd_ssthresh, tp->snd_cwnd / 4 * 3);
	while (idle > tp->rto_us && tp->snd_cwnd > restart) {
		tp->snd_cwnd /= 2;
		idle -= tp->rto_us;
	}
	tp->snd_cwnd = MAX(tp->snd_cwnd, restart);
	tp->cwnd_acked = 0;
	if (tp->ca->cwnd_event)
		tp->ca->cwnd_event(tp, true);
}

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
 * tcp_cong_avoid() - new text was acknowledged: let the algorithm grow the window
 * @tp:     connection
 * @acked:  bytes
 *
 * Never beyond what the peer's window and the send buffer can use.
 */
void tcp_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	uint32_t limit = 1U << 30;

	tp->ca->cong_avoid(tp, acked);
	tp->snd_cwnd = MIN(tp->snd_cwnd, limit);
}
