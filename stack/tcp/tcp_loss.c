/* SPDX-License-Identifier: MIT */
/*
 * The retransmission timer has fired: what is lost then, and whether it was right (F-RTO).
 *
 * A timeout takes for lost what is older than a round trip, and the first segment in any case (RFC 8985
 * 6.3); text that left a moment ago is not. The window begins at one segment more than what is in
 * flight.
 *
 * F-RTO (RFC 5682 3.1, with SACK): after the first retransmission is acknowledged new text is sent
 * instead of old. If then text is acknowledged or SACKed that was never sent again, the originals are
 * arriving and the timeout was spurious; a duplicate ACK says that the loss was real.
 *
 * Read first: RFC 5681 3.1 (4), RFC 6298 5.4, RFC 5682 3.1, RFC 2018 8 (reneging).
 */
#include "stack/tcp/tcp.h"

/* RFC 8985 6.3, RACK_mark_losses_on_RTO(); everything without RACK, or when SACKs were taken back. */
static void mark_lost(struct tcp_sock *tp)
{
	struct tcp_sent *s, *next, *head = tcp_sent_head(tp);

	if (head && (head->flags & SENT_SACKED)) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPSACKReneging);
		tcp_sent_unsack_all(tp);
		head = NULL;
	}
	if (!tp->sack_ok)
		tp->reno_sacked = 0;
	list_for_each_entry_safe(s, next, &tp->sent_time, node)
		if (s == head || !head || !tp->sack_ok || !tcp_use_rack(tp) ||
		    tcp_rack_is_overdue(tp, s))
			tcp_sent_mark_lost(tp, s);
}

/* Is this timeout the beginning of a loss, or has this window been reduced for it already? */
static bool is_first_reduction(const struct tcp_sock *tp)
{
	return tp->ca_state <= CA_DISORDER || !after(tp->recover, tp->snd_una) ||
	       (tp->ca_state == CA_LOSS && tp->retransmits == 0);
}

/**
 * tcp_enter_loss() - the retransmission timer has fired
 * @tp:  connection with something in flight; retransmits does not count this timeout yet
 *
 * Source:  RFC 5681 3.1 (4), RFC 6675 5.1; Linux for when ssthresh is reduced again
 */
void tcp_enter_loss(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	bool new_recovery = tp->ca_state < CA_RECOVERY;

	mark_lost(tp);
	if (is_first_reduction(tp)) {
		tp->prior_ssthresh = tcp_current_ssthresh(tp);
		tp->prior_cwnd = tp->snd_cwnd;
		tp->snd_ssthresh = tp->ca->ssthresh(tp);
		tcp_ca_event(tp, CA_EVENT_LOSS);
		tcp_init_undo(tp);
	}
	/* Many SACKs and yet no fast retransmit: DupThresh had grown too large, as Linux. */
	if (tp->ca_state <= CA_DISORDER && tp->sacked_out >= (uint32_t)sysctl->reordering)
		tp->reordering = MIN(tp->reordering, (uint32_t)sysctl->reordering);
	tp->snd_cwnd = tcp_pipe(tp) + tcp_current_mss(tp);
	tp->cwnd_acked = 0;
	tp->timeout_stamp = tcp_net(tp)->now;
	tp->dupacks = 0;
	tp->tlp_out = false;
	tp->send_new_only = false;
	tcp_set_ca_state(tp, CA_LOSS);
	tp->recover = tp->snd_nxt;
	tcp_ecn_queue_cwr(tp);
	/* RFC 5682 3.1 (1): not when the timeout comes during a fast recovery. */
	tp->frto = sysctl->frto && (new_recovery || tp->retransmits);
}

/* As many segments as before, which are smaller now. */
static uint32_t in_new_segments(uint32_t window, uint32_t mss, uint32_t old_mss)
{
	return MAX((uint32_t)((uint64_t)window * mss / old_mss), mss);
}

/**
 * tcp_mark_all_lost() - all in flight was too large for the path: send it again in smaller segments
 * @tp:       connection; mss_base is the new one
 * @old_mss:  tcp_current_mss() before that
 *
 * No congestion is meant (RFC 1191 6.5), but a burst of more segments than there were is not, either: the
 * window shrinks as the segment does, as on Linux, which counts it in segments.
 *
 * Source:  RFC 5681 3.1
 */
void tcp_mark_all_lost(struct tcp_sock *tp, uint32_t old_mss)
{
	uint32_t mss = tcp_current_mss(tp);
	struct tcp_sent *s, *next;

	tp->snd_cwnd = in_new_segments(tp->snd_cwnd, mss, old_mss);
	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH)
		tp->snd_ssthresh = in_new_segments(tp->snd_ssthresh, mss, old_mss);
	list_for_each_entry_safe(s, next, &tp->sent_time, node)
		tcp_sent_mark_lost(tp, s);
	tcp_resend_lost(tp);
}

/**
 * tcp_resend_lost() - what is marked as lost was too large, not too much: the window stays
 * @tp:  connection
 */
void tcp_resend_lost(struct tcp_sock *tp)
{
	if (tp->ca_state == CA_LOSS)
		return;
	tp->recover = tp->snd_nxt;
	tp->prior_ssthresh = 0;
	tp->undo_possible = false;
	tp->frto = false;
	tp->snd_ssthresh = tcp_current_ssthresh(tp);
	tcp_set_ca_state(tp, CA_LOSS);
}

/* RFC 5682 3.1 (2), (3). True when it has decided what is to be sent now, or undone the timeout. */
static bool try_frto(struct tcp_sock *tp, struct tcp_ack_news *news, bool recovered)
{
	/* (3b): text that was never sent again has arrived. */
	if (news->orig_delivered)
		return tcp_try_undo_loss(tp, news->seg, true);
	if (after(tp->snd_nxt, tp->recover)) {
		if (news->sacked || news->duplicate)
			tp->frto = false; /* (3a): new text arrives, the old does not */
	} else if (news->acked && !recovered) {
		tp->recover = tp->snd_nxt;
		/* (2b): two new segments; the old ones only if there is nothing new to send. */
		if (tcp_unsent(tp) && after(tcp_wnd_end(tp), tp->snd_nxt)) {
			news->hold_back = true;
			return true;
		}
		tp->frto = false;
	}
	return false;
}

/**
 * tcp_process_loss() - an ACK after a timeout
 * @tp:    connection in LOSS
 * @news:  the ACK; hold_back is set where only new text is to be sent
 *
 * Return:  true when nothing else is to be done for this ACK
 */
bool tcp_process_loss(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	bool recovered = after_eq(tp->snd_una, tp->recover);

	if (news->acked && tcp_try_undo_loss(tp, news->seg, false))
		return true;
	if (tp->frto && try_frto(tp, news, recovered))
		return true;
	if (recovered) {
		tcp_try_undo_recovery(tp, news->seg); /* RFC 5682 3.1 (2a) */
		return true;
	}
	if (!tp->sack_ok) {
		if (after(tp->snd_nxt, tp->recover) && news->duplicate)
			tcp_add_reno_sack(tp, news);
		else if (news->acked)
			tp->reno_sacked = 0;
	}
	return false;
}
