/* SPDX-License-Identifier: MIT */
/*
 * Undoing what was no loss.
 *
 * When a reduction begins, window and threshold are noted (tcp_init_undo()). It proves needless
 *
 *   by timestamps  an ACK of what was sent again echoes a time before the first retransmission: it is
 *                  the original that arrived (Eifel detection, RFC 3522 3.2)
 *   by D-SACK      all that was sent again has arrived twice (RFC 2883 5, RFC 3708 3)
 *   by F-RTO       after a timeout text arrives that was never sent again (tcp_loss.c)
 *
 * and then both return to what they were (RFC 4015 3.2) and what is still marked lost counts as in flight.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_init_undo() - a reduction begins, which may yet prove needless
 * @tp:  connection, window and threshold as before it
 */
void tcp_init_undo(struct tcp_sock *tp)
{
	tp->undo_possible = true;
	tp->undo_start = tp->snd_una;
	/* Retransmissions under way may still bring a D-SACK. */
	tp->undo_bytes = tp->retrans_bytes;
	tp->undo_rexmitted = tp->retrans_bytes > 0;
}

/**
 * tcp_any_retrans_done() - has any text that is not yet acknowledged been sent again?
 * @tp:  connection
 */
bool tcp_any_retrans_done(const struct tcp_sock *tp)
{
	const struct tcp_sent *head = tcp_sent_head(tp);

	return tp->retrans_out > 0 || (head && (head->flags & SENT_EVER_RETRANS));
}

/**
 * tcp_undo_note_dsack() - the peer has text twice: a retransmission was needless
 * @tp:  connection
 * @r:   what arrived twice
 *
 * Source:  RFC 3708 3: only what was sent again since the reduction counts
 */
void tcp_undo_note_dsack(struct tcp_sock *tp, struct seq_range r)
{
	uint32_t len = r.end - r.start;

	if (!tp->undo_possible || !before(r.start, r.end) || before(r.start, tp->undo_start))
		return;
	tp->undo_bytes -= MIN(len, tp->undo_bytes);
}

/**
 * tcp_original_arrived() - does the echoed timestamp say so?
 * @tp:   connection
 * @seg:  segment with an ACK that is new
 *
 * Source:  RFC 3522 3.2, step (4)
 */
bool tcp_original_arrived(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return tp->ts_ok && seg->opt.has_ts && seg->opt.tsecr && tp->retrans_stamp &&
	       (int32_t)(seg->opt.tsecr - tcp_ts_at(tp->retrans_stamp, tp->ts_off)) < 0;
}

static bool all_needless(const struct tcp_sock *tp)
{
	return tp->undo_possible && tp->undo_rexmitted && tp->undo_bytes == 0;
}

static bool may_undo(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return all_needless(tp) || (tp->undo_possible && tcp_original_arrived(tp, seg));
}

static void undo_cwnd_reduction(struct tcp_sock *tp, bool unmark)
{
	if (unmark)
		tcp_sent_unmark_lost(tp);
	if (tp->prior_ssthresh) {
		tp->snd_cwnd = tp->ca->undo_cwnd(tp);
		if (tp->prior_ssthresh > tp->snd_ssthresh) {
			tp->snd_ssthresh = tp->prior_ssthresh;
			tcp_ecn_withdraw_cwr(tp);
		}
	}
	tp->undo_possible = false;
}

/*
 * RFC 6582 3.2 (2): without SACK a duplicate ACK for recover cannot be told from one that this recovery's
 * own retransmissions have caused. None counts until something above is acknowledged.
 */
static void guard_reno(struct tcp_sock *tp)
{
	if (!tp->sack_ok && tp->snd_una == tp->recover) {
		tp->reno_guard = true;
		tp->reno_recover = tp->recover;
	}
}

/**
 * tcp_try_undo_recovery() - everything up to the recovery point is acknowledged
 * @tp:   connection
 * @seg:  segment with the ACK
 */
void tcp_try_undo_recovery(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (may_undo(tp, seg)) {
		mib_inc(tcp_net(tp), tp->ca_state == CA_LOSS ? MIB_TcpExtTCPLossUndo :
								MIB_TcpExtTCPFullUndo);
		undo_cwnd_reduction(tp, false);
	} else {
		tcp_rack_recovery_ended(tp);
	}
	guard_reno(tp);
	tcp_set_ca_state(tp, CA_OPEN);
}

/**
 * tcp_try_undo_dsack() - has all that was sent again arrived twice?
 * @tp:  connection
 *
 * Return:  true: undone
 */
bool tcp_try_undo_dsack(struct tcp_sock *tp)
{
	if (!all_needless(tp))
		return false;
	undo_cwnd_reduction(tp, false);
	tp->reord_seen++; /* what else could have set it off? */
	mib_inc(tcp_net(tp), MIB_TcpExtTCPDSACKUndo);
	return true;
}

/**
 * tcp_try_undo_partial() - a partial ACK: was it the original that filled the hole?
 * @tp:    connection in RECOVERY
 * @news:  the ACK
 *
 * Return:  true: nothing more is to be sent again now
 */
bool tcp_try_undo_partial(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	if (!tp->undo_possible || !tcp_original_arrived(tp, news->seg))
		return false;
	tcp_check_reordering(tp, news->prior_una);
	/* What is under way again may still be needed: wait until that is known. */
	if (tp->retrans_out)
		return true;
	if (!tcp_any_retrans_done(tp))
		tp->retrans_stamp = 0;
	undo_cwnd_reduction(tp, true);
	tcp_try_keep_open(tp);
	mib_inc(tcp_net(tp), MIB_TcpExtTCPPartialUndo);
	return true;
}

/**
 * tcp_try_undo_loss() - was the timeout spurious?
 * @tp:    connection in LOSS
 * @seg:   segment with the ACK
 * @frto:  F-RTO has found it so
 *
 * Source:  RFC 4015 3.2, RFC 5682 3.1
 * Return:  true: undone
 */
bool tcp_try_undo_loss(struct tcp_sock *tp, const struct tcp_segment *seg, bool frto)
{
	struct net *net = tcp_net(tp);

	if (!frto && !may_undo(tp, seg))
		return false;
	undo_cwnd_reduction(tp, true);
	mib_inc(net, MIB_TcpExtTCPLossUndo);
	if (frto)
		mib_inc(net, MIB_TcpExtTCPSpuriousRTOs);
	tp->retransmits = 0;
	guard_reno(tp);
	if (frto || tp->sack_ok)
		tcp_set_ca_state(tp, CA_OPEN);
	return true;
}
