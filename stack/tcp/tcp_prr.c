/* SPDX-License-Identifier: MIT */
/*
 * Proportional Rate Reduction (RFC 9937; RFC 6937 before): the window on its way down to ssthresh.
 *
 * A reduction lasts a round trip, from the loss or the congestion mark to the ACK of snd_nxt as it was
 * then. Meanwhile for each prior_cwnd bytes delivered ssthresh bytes are sent: the window goes down
 * evenly instead of halting until half of it has left. Where losses have already brought the flight
 * below ssthresh it is rebuilt no faster than by slow start, and while that loses more no faster than
 * by what is delivered (RFC 9937 6.2: SafeACK decides between the two).
 *
 *   snd_cwnd = pipe + what may be sent for this ACK
 *
 * A loss reduces to two segments at least, marks (ECN) go on to one, and from there to one segment in a
 * timeout that doubles (RFC 9438 4.6, RFC 3168 6.1.2), where Linux ends at two: many flows over one
 * queue that marks would otherwise have no other way than to lose.
 *
 * Algorithms with cong_control() rule the window themselves; none of this touches it then.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_in_cwnd_reduction() - is the window on its way down?
 * @tp:  connection
 */
bool tcp_in_cwnd_reduction(const struct tcp_sock *tp)
{
	return tp->ca_state == CA_CWR || tp->ca_state == CA_RECOVERY;
}

/**
 * tcp_init_cwnd_reduction() - a reduction begins; the state is the caller's to set
 * @tp:  connection
 *
 * Source:  RFC 9937 6.1
 */
void tcp_init_cwnd_reduction(struct tcp_sock *tp)
{
	tp->recover = tp->snd_nxt;
	tp->tlp_out = false;
	tp->prior_cwnd = tp->snd_cwnd;
	tp->prr_delivered = 0;
	tp->prr_out = 0;
	tp->cwnd_acked = 0;
	tp->cwr_to_one = false;
	tp->snd_ssthresh = tp->ca->ssthresh(tp);
	tcp_ecn_queue_cwr(tp);
}

/* Where the reduction ends. */
static uint32_t target(const struct tcp_sock *tp)
{
	return tp->cwr_to_one ? tcp_current_mss(tp) : tp->snd_ssthresh;
}

/**
 * tcp_cwnd_reduction() - one ACK of a reduction: how much may be sent for it
 * @tp:         connection
 * @delivered:  bytes newly acknowledged or SACKed
 * @lost:       bytes newly marked lost
 * @advanced:   snd_una has moved
 *
 * Source:  RFC 9937 6.2; at least a segment at the beginning: the fast retransmit
 */
void tcp_cwnd_reduction(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, bool advanced)
{
	uint32_t mss = tcp_current_mss(tp), pipe = tcp_pipe(tp), end = target(tp);
	uint64_t allowed, sndcnt;

	if (delivered == 0 || tp->prior_cwnd == 0 || tp->ca->cong_control)
		return;
	tp->prr_delivered += delivered;
	if (pipe > end) {
		/* CEIL(prr_delivered * ssthresh / RecoverFS), in whole segments as Linux. */
		allowed = (uint64_t)end * tp->prr_delivered / tp->prior_cwnd;
		allowed = (allowed + mss - 1) / mss * mss;
		sndcnt = allowed > tp->prr_out ? allowed - tp->prr_out : 0;
	} else {
		sndcnt = tp->prr_delivered > tp->prr_out ? tp->prr_delivered - tp->prr_out : 0;
		sndcnt = MAX(sndcnt, (uint64_t)delivered);
		if (advanced && lost == 0) /* SafeACK: PRR-SSRB, else PRR-CRB */
			sndcnt += mss;
		sndcnt = MIN(sndcnt, (uint64_t)(end - pipe));
	}
	if (tp->prr_out == 0)
		sndcnt = MAX(sndcnt, (uint64_t)mss);
	tp->snd_cwnd = pipe + (uint32_t)sndcnt;
}

/**
 * tcp_end_cwnd_reduction() - the ACK of all that was under way at its beginning: the window is ssthresh
 * @tp:  connection
 *
 * Source:  RFC 9937 6.3; RFC 9438 4.6: one segment after a mark at the least window
 */
void tcp_end_cwnd_reduction(struct tcp_sock *tp)
{
	if (tp->ca->cong_control)
		return;
	/* After an undo in RECOVERY the window is what it was before. */
	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH && (tp->ca_state == CA_CWR || tp->undo_possible))
		tp->snd_cwnd = target(tp);
	tcp_ca_event(tp, CA_EVENT_COMPLETE_CWR);
}

/*
 * What a mark asks for below the two segments that a loss leaves. An algorithm with rules of its own for marks or
 * for its window is left to these (RFC 8257 3.3).
 */
static void reduce_to_one(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp);
	uint64_t wait_us;

	if (tp->ca->cong_control || (tp->ca->flags & TCP_CONG_NEEDS_ECN))
		return;
	if (tp->snd_ssthresh > 2 * mss || tp->prior_cwnd >= 4 * mss)
		return;
	tp->cwr_to_one = true;
	if (tp->prior_cwnd >= 2 * mss)
		return;
	/* RFC 3168 6.1.2: from one segment on the next leaves when the retransmission timer would expire. */
	wait_us = MIN((uint64_t)tcp_rto_us(tp) << tp->ecn_backoff, (uint64_t)TCP_RTO_MAX_US);
	if (wait_us < TCP_RTO_MAX_US)
		tp->ecn_backoff++;
	tp->ecn_hold = tcp_net(tp)->now + wait_us * NSEC_PER_USEC;
}

/**
 * tcp_ecn_holds() - must text wait for marks that came at a window of one segment?
 * @tp:  connection
 *
 * Source:  RFC 3168 6.1.2, RFC 9438 4.6
 * Return:  true = not now; a timer is armed
 */
bool tcp_ecn_holds(struct tcp_sock *tp)
{
	ktime_t now = tcp_net(tp)->now;

	if (tp->ecn_hold <= now)
		return false;
	if (!tcp_armed(tp, TCPT_PACE))
		tcp_arm(tp, TCPT_PACE, (tp->ecn_hold - now + NSEC_PER_USEC - 1) / NSEC_PER_USEC);
	return true;
}

/**
 * tcp_enter_cwr() - reduce the window without a loss: a congestion mark
 * @tp:  connection
 *
 * Source:  RFC 3168 6.1.2: as for a loss, at most once a window of text
 */
void tcp_enter_cwr(struct tcp_sock *tp)
{
	tp->prior_ssthresh = 0;
	if (tp->ca_state >= CA_CWR)
		return;
	tp->undo_possible = false;
	tcp_init_cwnd_reduction(tp);
	reduce_to_one(tp);
	tcp_set_ca_state(tp, CA_CWR);
}
