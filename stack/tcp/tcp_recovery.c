/* SPDX-License-Identifier: MIT */
/*
 * What has left the network, what is lost, what to send again (RFC 6675; RFC 6582 without SACK).
 *
 * The scoreboard is a sorted list of SACKed ranges above snd_una, beside the write queue. From it:
 *
 *   lost_seq   un-SACKed text below is lost: IsLost() of RFC 6675 4, kept as one number because text
 *              with more SACKed above it is lost no later than text with less
 *   high_rxt   HighRxt: text below has been sent again in this recovery
 *   pipe       Pipe: what may still be in the network
 *
 *      snd_una        high_rxt         lost_seq                     snd_nxt
 *         | rexmitted,   | lost, not in    | sent, not known to have   |
 *         | in the pipe  | the pipe        | left: in the pipe         |      (less what is SACKed)
 *
 * A timeout is the same picture with everything lost. Without SACK each duplicate ACK says that one
 * segment has left (reno_sacked), and only the first segment is ever known to be lost; that is RFC 6582
 * with the inflation of the window written as a deflation of the pipe.
 *
 * What RFC 6675 leaves to the timeout, a retransmission that is lost again, is found earlier: text
 * sent after it (above rxt_mark) is SACKed past the threshold while snd_una has not moved.
 */
#include "stack/tcp/tcp.h"

#define MAX_RANGES 4096U /* of a peer that SACKs every second byte */

/* ---- the scoreboard -------------------------------------------------------------------------- */

/**
 * tcp_sack_clear() - forget everything that was SACKed
 * @tp:  connection
 */
void tcp_sack_clear(struct tcp_sock *tp)
{
	tp->nsacked = 0;
	tp->sacked_bytes = 0;
}

static bool grow_ranges(struct tcp_sock *tp)
{
	size_t cap = tp->sacked_cap ? 2U * tp->sacked_cap : 16;
	struct seq_range *more;

	if (tp->nsacked < tp->sacked_cap)
		return true;
	if (cap > MAX_RANGES)
		return false;
	more = realloc(tp->sacked, cap * sizeof(*more));
	if (!more)
		return false;
	tp->sacked = more;
	tp->sacked_cap = (uint16_t)cap;
	return true;
}

static void remove_ranges(struct tcp_sock *tp, unsigned int at, unsigned int count)
{
	memmove(&tp->sacked[at], &tp->sacked[at + count],
		(tp->nsacked - at - count) * sizeof(tp->sacked[0]));
	tp->nsacked = (uint16_t)(tp->nsacked - count);
}

/* Adds a range and merges what it meets; bytes that are new. A range without memory is not noted. */
static uint32_t add_range(struct tcp_sock *tp, struct seq_range r)
{
	unsigned int first = 0, count = 0;
	uint32_t known = 0, fresh;

	while (first < tp->nsacked && before(tp->sacked[first].end, r.start))
		first++;
	while (first + count < tp->nsacked && before_eq(tp->sacked[first + count].start, r.end)) {
		const struct seq_range *old = &tp->sacked[first + count];

		known += old->end - old->start;
		r.start = seq_min(r.start, old->start);
		r.end = seq_max(r.end, old->end);
		count++;
	}
	fresh = r.end - r.start - known;
	if (count == 0) {
		if (!grow_ranges(tp))
			return 0;
		memmove(&tp->sacked[first + 1], &tp->sacked[first],
			(tp->nsacked - first) * sizeof(tp->sacked[0]));
		tp->nsacked++;
	} else if (count > 1) {
		remove_ranges(tp, first + 1, count - 1);
	}
	tp->sacked[first] = r;
	tp->sacked_bytes += fresh;
	return fresh;
}

/* RFC 2883 4: the first block is below the ACK or inside the second: a duplicate arrived there. */
static bool is_dsack(const struct tcp_segment *seg)
{
	const struct seq_range *s = seg->opt.sacks;

	if (seg->opt.nsacks == 0)
		return false;
	if (before_eq(s[0].end, seg->ack))
		return true;
	return seg->opt.nsacks > 1 && after_eq(s[0].start, s[1].start) &&
	       before_eq(s[0].end, s[1].end);
}

/**
 * tcp_sack_update() - take in the SACK blocks of a segment
 * @tp:   connection, snd_una moved to SEG.ACK already
 * @seg:  segment
 *
 * Source:  RFC 6675 4 (Update); blocks outside [snd_una, snd_nxt] are not believed
 * Return:  bytes SACKed for the first time
 */
uint32_t tcp_sack_update(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t fresh = 0;

	if (!tp->sack_ok)
		return 0;
	if (is_dsack(seg)) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPDSACKRecv);
		tp->dsack_dups++;
		tcp_undo_dsack(tp, seg->opt.sacks[0]);
	}
	for (unsigned int i = 0; i < seg->opt.nsacks; i++) {
		struct seq_range r = seg->opt.sacks[i];

		if (!before(r.start, r.end) || after(r.end, tp->snd_nxt) ||
		    before_eq(r.end, tp->snd_una))
			continue;
		if (before(r.start, tp->snd_una)) {
			mib_inc(tcp_net(tp), MIB_TcpExtTCPSACKDiscard);
			continue;
		}
		fresh += add_range(tp, r);
	}
	return fresh;
}

/**
 * tcp_sack_advance() - snd_una has moved: what lies below is history
 * @tp:  connection
 */
void tcp_sack_advance(struct tcp_sock *tp)
{
	unsigned int gone = 0;

	while (gone < tp->nsacked && before_eq(tp->sacked[gone].end, tp->snd_una)) {
		tp->sacked_bytes -= tp->sacked[gone].end - tp->sacked[gone].start;
		gone++;
	}
	if (gone)
		remove_ranges(tp, 0, gone);
	if (tp->nsacked && before(tp->sacked[0].start, tp->snd_una)) {
		tp->sacked_bytes -= tp->snd_una - tp->sacked[0].start;
		tp->sacked[0].start = tp->snd_una;
	}
	tp->high_rxt = seq_max(tp->high_rxt, tp->snd_una);
	tp->lost_seq = seq_max(tp->lost_seq, tp->snd_una);
}

/* ---- what is lost ---------------------------------------------------------------------------- */

/*
 * RFC 6675 4, IsLost(): DupThresh discontiguous SACKed ranges above, or more than (DupThresh - 1) * SMSS
 * bytes SACKed above. The number below which that holds, snd_una when nothing is lost.
 */
static uint32_t lost_below(const struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), bytes = 0;
	unsigned int ranges = 0;

	for (unsigned int i = tp->nsacked; i-- > 0;) {
		bytes += tp->sacked[i].end - tp->sacked[i].start;
		if (++ranges >= tp->dupthresh || bytes > (tp->dupthresh - 1) * mss)
			return tp->sacked[i].start;
	}
	return tp->snd_una;
}

/* Enough SACKed above @seq to call text that was sent before it, and again, lost? */
static bool enough_above(const struct tcp_sock *tp, uint32_t seq)
{
	uint32_t bytes = 0;

	for (unsigned int i = tp->nsacked; i-- > 0 && after(tp->sacked[i].end, seq);)
		bytes += tp->sacked[i].end - seq_max(tp->sacked[i].start, seq);
	return bytes > (tp->dupthresh - 1) * tcp_current_mss(tp);
}

/**
 * tcp_update_lost() - bring lost_seq up to date after an ACK
 * @tp:  connection
 */
void tcp_update_lost(struct tcp_sock *tp)
{
	if (!tp->sack_ok) {
		/* RFC 6582 3.2: what a partial ACK stops at is lost, no more is known. */
		if (tp->ca_state == CA_RECOVERY)
			tp->lost_seq =
				seq_max(tp->lost_seq,
					seq_min(tp->snd_una + tcp_current_mss(tp), tp->snd_nxt));
		return;
	}
	tp->lost_seq = seq_max(tp->lost_seq, lost_below(tp));
	if (tp->ca_state >= CA_RECOVERY && after(tp->high_rxt, tp->snd_una) &&
	    enough_above(tp, tp->rxt_mark)) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPLostRetransmit);
		tp->high_rxt = tp->snd_una;
		tp->rxt_mark = tp->snd_nxt;
	}
}

/* Calls @add for each gap between SACKed ranges of [snd_una, snd_nxt); here simply summed up. */
static uint32_t gap_in_pipe(const struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	uint32_t n = 0;

	if (after(tp->high_rxt, start))
		n += seq_min(end, tp->high_rxt) - start;      /* RFC 6675 4, SetPipe() (b) */
	if (after(end, tp->lost_seq))
		n += end - seq_max(start, tp->lost_seq);      /* SetPipe() (a) */
	return n;
}

/**
 * tcp_pipe() - bytes that may still be in the network
 * @tp:  connection
 *
 * Source:  RFC 6675 4, SetPipe(); RFC 5681 FlightSize while nothing is amiss
 */
uint32_t tcp_pipe(const struct tcp_sock *tp)
{
	uint32_t pipe = 0, at = tp->snd_una;

	if (tp->ca_state < CA_RECOVERY)
		return tcp_in_flight(tp) -
		       MIN(tp->sacked_bytes + tp->reno_sacked, tcp_in_flight(tp));
	for (unsigned int i = 0; i < tp->nsacked; i++) {
		pipe += gap_in_pipe(tp, at, tp->sacked[i].start);
		at = tp->sacked[i].end;
	}
	pipe += gap_in_pipe(tp, at, tp->snd_nxt);
	return pipe - MIN(tp->reno_sacked, pipe);
}

/* ---- what to send again ---------------------------------------------------------------------- */

/* The first un-SACKed range at or above high_rxt and below @limit. */
static bool next_gap(const struct tcp_sock *tp, uint32_t limit, struct seq_range *out)
{
	uint32_t at = seq_max(tp->high_rxt, tp->snd_una);

	for (unsigned int i = 0; i < tp->nsacked; i++) {
		if (before(at, tp->sacked[i].start))
			break;
		at = seq_max(at, tp->sacked[i].end);
	}
	if (!before(at, limit))
		return false;
	out->start = at;
	out->end = limit;
	for (unsigned int i = 0; i < tp->nsacked; i++) {
		if (after(tp->sacked[i].start, at)) {
			out->end = seq_min(limit, tp->sacked[i].start);
			break;
		}
	}
	return true;
}

/**
 * tcp_next_lost() - NextSeg(), rule (1): the first range that is lost and has not been sent again
 * @tp:   connection in recovery
 * @out:  result
 */
bool tcp_next_lost(const struct tcp_sock *tp, struct seq_range *out)
{
	return next_gap(tp, tp->lost_seq, out);
}

/**
 * tcp_next_unsacked() - NextSeg(), rule (3): below the highest SACKed, not known to be lost
 * @tp:   connection in recovery with nothing new to send
 * @out:  result
 */
bool tcp_next_unsacked(const struct tcp_sock *tp, struct seq_range *out)
{
	if (tp->nsacked == 0)
		return false;
	return next_gap(tp, tp->sacked[tp->nsacked - 1].start, out);
}

/* ---- entering and leaving -------------------------------------------------------------------- */

static void note_undo(struct tcp_sock *tp)
{
	tp->undo_cwnd = tp->snd_cwnd;
	tp->undo_ssthresh = tp->snd_ssthresh;
	tp->undo_bytes = 0;
	tp->undo_possible = true;
	tp->undo_start = tp->snd_una;
	tp->undo_timeout = false;
}

/**
 * tcp_enter_recovery() - DupThresh reached: fast retransmit and fast recovery
 * @tp:  connection
 *
 * Source:  RFC 6675 5 (4), RFC 6582 3.2 (2)
 */
void tcp_enter_recovery(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	note_undo(tp);
	tp->recover = tp->snd_nxt;
	tp->rxt_mark = tp->snd_nxt;
	tp->snd_ssthresh = tp->ca->ssthresh(tp);
	tp->snd_cwnd = tp->snd_ssthresh;
	tp->cwnd_acked = 0;
	tcp_set_ca_state(tp, CA_RECOVERY);
	tp->high_rxt = tp->snd_una;
	tp->rescue_rxt = tp->snd_una;
	tp->lost_seq = tp->snd_una;
	tcp_update_lost(tp);
	/* (4.3): the first segment is sent again at once, whatever the pipe says. */
	tp->lost_seq =
		seq_max(tp->lost_seq, seq_min(tp->snd_una + tcp_current_mss(tp), tp->snd_nxt));
	mib_inc(net, tp->sack_ok ? MIB_TcpExtTCPSackRecovery : MIB_TcpExtTCPRenoRecovery);
	mib_inc(net, MIB_TcpExtTCPFastRetrans);
	tcp_retransmit_first(tp);
	tcp_rearm_rto(tp);
}

/**
 * tcp_enter_loss() - the retransmission timer has fired: all in flight is taken for lost
 * @tp:  connection
 *
 * Source:  RFC 5681 3.1 (4), RFC 6675 5.1, RFC 2018 8: SACKs are kept for the first timeout, and
 *          forgotten with the next or when the receiver must have taken one back
 */
void tcp_enter_loss(struct tcp_sock *tp)
{
	bool reneged = tp->nsacked && before_eq(tp->sacked[0].start, tp->snd_una);

	if (tp->ca_state < CA_LOSS || after_eq(tp->snd_una, tp->recover)) {
		if (tp->ca_state < CA_RECOVERY)
			note_undo(tp);
		tp->snd_ssthresh = tp->ca->ssthresh(tp);
		tp->recover = tp->snd_nxt;
	}
	tp->undo_timeout = true;
	tcp_ca_event(tp, CA_EVENT_LOSS);
	if (tp->retransmits > 0 || reneged)
		tcp_sack_clear(tp);
	tp->undo_possible = tp->undo_possible && tp->retransmits == 0;
	tp->snd_cwnd = tcp_current_mss(tp);
	tp->cwnd_acked = 0;
	tp->timeout_stamp = tcp_net(tp)->now;
	tcp_set_ca_state(tp, CA_LOSS);
	tp->dupacks = 0;
	tp->reno_sacked = 0;
	tp->high_rxt = tp->snd_una;
	tp->rxt_mark = tp->snd_nxt;
	tp->lost_seq = tp->snd_nxt;
	tp->rtt_time = 0;
}

/**
 * tcp_mark_all_lost() - all in flight was too large for the path: send it again in smaller segments
 * @tp:  connection; mss_base is the new one
 *
 * No congestion is meant: the window stays (RFC 1191 6.5).
 */
void tcp_mark_all_lost(struct tcp_sock *tp)
{
	tcp_set_ca_state(tp, CA_LOSS);
	tp->recover = tp->snd_nxt;
	tp->dupacks = 0;
	tp->reno_sacked = 0;
	tp->high_rxt = tp->snd_una;
	tp->rxt_mark = tp->snd_nxt;
	tp->lost_seq = tp->snd_nxt;
	tp->rtt_time = 0;
	tp->undo_possible = false;
}

/**
 * tcp_leave_recovery() - everything up to the recovery point is acknowledged
 * @tp:  connection
 *
 * Source:  RFC 6582 3.2 (3), first option: no burst; RFC 6675 5
 */
void tcp_leave_recovery(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp);

	if (tp->ca_state == CA_RECOVERY)
		tp->snd_cwnd = MIN(tp->snd_ssthresh, MAX(tcp_pipe(tp), mss) + mss);
	tcp_set_ca_state(tp, CA_OPEN);
	tp->dupacks = 0;
	tp->reno_sacked = 0;
	tp->lost_seq = tp->high_rxt = tp->snd_una;
	tp->retrans_stamp = 0;
}

/* ---- undoing what was no loss ---------------------------------------------------------------- */

/**
 * tcp_undo_dsack() - the peer has text twice: a retransmission was needless
 * @tp:  connection
 * @r:   what arrived twice
 *
 * When that is true of all that was sent again, nothing was lost: the window returns to what it was
 * (RFC 3708 3). Where duplicate ACKs had set it off segments must have changed places, and more of them
 * are waited for from now on, as Linux.
 */
void tcp_undo_dsack(struct tcp_sock *tp, struct seq_range r)
{
	uint32_t len = r.end - r.start;

	if (!tp->undo_possible || !before(r.start, r.end) || before(r.start, tp->undo_start))
		return;
	tp->undo_bytes -= MIN(len, tp->undo_bytes);
	if (tp->undo_bytes)
		return;
	tp->undo_possible = false;
	tp->snd_cwnd = MAX(tp->snd_cwnd, tp->ca->undo_cwnd(tp));
	tp->snd_ssthresh = MAX(tp->snd_ssthresh, tp->undo_ssthresh);
	if (!tp->undo_timeout)
		tp->dupthresh = MIN(tp->dupthresh * 2, TCP_MAX_DUPTHRESH);
	if (tp->ca_state >= CA_RECOVERY)
		tcp_leave_recovery(tp);
}
