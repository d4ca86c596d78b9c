/* SPDX-License-Identifier: MIT */
/*
 * From ACKs to what is to be sent again: the recovery states.
 *
 *   OPEN      nothing is amiss
 *   DISORDER  SACKs or duplicate ACKs have come: new text for each (limited transmit, RFC 3042)
 *   CWR       the window goes down without a loss (ECN, a loss that a probe has repaired)
 *   RECOVERY  something is lost and sent again (RFC 6675, RFC 6582)
 *   LOSS      after a timeout (tcp_loss.c)
 *
 * With SACK, RACK finds what is lost (tcp_rack.c), and if the tcp_recovery sysctl has it switched off,
 * IsLost() of RFC 6675. Without SACK each duplicate ACK says that one segment has left (reno_sacked),
 * DupThresh of them that the first is lost, and each partial ACK that the next one is (NewReno).
 * RECOVERY and LOSS last up to recover, what was snd_nxt at their beginning. What is lost is on
 * tp->sent_lost; tcp_output() sends it again as the window allows, which PRR (tcp_prr.c) moves.
 *
 * Read first: RFC 8985, RFC 6675 5, RFC 6582 3.2, RFC 9937.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_use_rack() - does RACK find what is lost, or DupThresh?
 * @tp:  connection
 */
bool tcp_use_rack(const struct tcp_sock *tp)
{
	return tcp_net(tp)->tcp->sysctl.recovery & TCP_RACK_LOSS_DETECTION;
}

/* ---- SACK blocks of an ACK ------------------------------------------------------------------- */

/* RFC 2883 4: the first block is below the ACK or inside the second: a duplicate arrived there. */
static bool is_dsack(const struct tcp_segment *seg)
{
	const struct seq_range *s = seg->opt.sacks;

	if (seg->opt.nsacks == 0 || !before(s[0].start, s[0].end))
		return false;
	if (before(s[0].start, seg->ack))
		return before_eq(s[0].end, seg->ack);
	return seg->opt.nsacks > 1 && after_eq(s[0].start, s[1].start) &&
	       before_eq(s[0].end, s[1].end);
}

static void take_dsack(struct tcp_sock *tp, struct seq_range r, struct tcp_ack_news *news)
{
	uint32_t mss = tcp_current_mss(tp);
	struct net *net = tcp_net(tp);

	mib_inc(net, before(r.start, news->seg->ack) ? MIB_TcpExtTCPDSACKRecv : MIB_TcpExtTCPDSACKOfoRecv);
	/* Of text that was never sent it says nothing but that the peer is confused. */
	if (after(r.end, tp->snd_nxt) || tp->snd_una - r.start > MAX(tp->max_window, 65536U)) {
		mib_inc(net, tp->undo_possible ? MIB_TcpExtTCPDSACKIgnoredOld :
						 MIB_TcpExtTCPDSACKIgnoredNoUndo);
		return;
	}
	tp->dsack_dups++;
	mib_add(net, MIB_TcpExtTCPDSACKRecvSegs, (r.end - r.start + mss - 1) / mss);
	news->dsack = true;
	if (tp->tlp_out && tp->tlp_retrans && r.end == tp->tlp_high_seq)
		news->dsack_tlp = true;
	tcp_undo_note_dsack(tp, r);
}

/* What is left of @r without the ranges of the ACK before, which are known: mostly its new end. */
static struct seq_range without_known(const struct tcp_sock *tp, struct seq_range r)
{
	for (unsigned int i = 0; i < tp->sack_cache_nr; i++) {
		struct seq_range known = tp->sack_cache[i];

		if (before_eq(known.start, r.start) && after(known.end, r.start))
			r.start = seq_min(known.end, r.end);
		else if (before(known.start, r.end) && after_eq(known.end, r.end))
			r.end = seq_max(known.start, r.start);
	}
	return r;
}

static bool believable(struct tcp_sock *tp, struct seq_range r)
{
	if (!before(r.start, r.end) || after(r.end, tp->snd_nxt) || before_eq(r.end, tp->snd_una))
		return false;
	if (before(r.start, tp->snd_una)) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPSACKDiscard);
		return false;
	}
	return true;
}

/**
 * tcp_take_sacks() - the SACK blocks of a segment
 * @tp:    connection, snd_una moved to SEG.ACK already
 * @news:  the ACK
 *
 * Source:  RFC 6675 4 (Update); blocks outside [snd_una, snd_nxt] are not believed
 */
void tcp_take_sacks(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	const struct tcp_options *o = &news->seg->opt;
	struct seq_range good[TCP_MAX_SACK_BLOCKS];
	unsigned int n = 0;

	if (!tp->sack_ok || o->nsacks == 0)
		return;
	if (is_dsack(news->seg))
		take_dsack(tp, o->sacks[0], news);
	/* In ascending order: only what was sent later and came earlier is reordering. */
	for (unsigned int i = 0; i < o->nsacks; i++) {
		unsigned int at = n;

		if (!believable(tp, o->sacks[i]))
			continue;
		for (; at > 0 && after(good[at - 1].start, o->sacks[i].start); at--)
			good[at] = good[at - 1];
		good[at] = o->sacks[i];
		n++;
	}
	for (unsigned int i = 0; i < n; i++) {
		struct seq_range fresh = without_known(tp, good[i]);

		if (before(fresh.start, fresh.end))
			tcp_sent_sack(tp, fresh, news);
	}
	memcpy(tp->sack_cache, good, n * sizeof(good[0]));
	tp->sack_cache_nr = (uint8_t)n;
}

/* ---- without SACK: RFC 6582 ------------------------------------------------------------------ */

/**
 * tcp_add_reno_sack() - a duplicate ACK: one more segment has left the network
 * @tp:    connection without SACK
 * @news:  the ACK
 */
void tcp_add_reno_sack(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	uint32_t mss = tcp_current_mss(tp), flight = tcp_in_flight(tp), before_it = tp->reno_sacked;

	tp->reno_sacked = MIN(before_it + mss, flight - MIN(mss, flight));
	tp->reno_sacked = MAX(tp->reno_sacked, before_it);
	if (tp->reno_sacked == before_it)
		return;
	news->delivered += tp->reno_sacked - before_it;
	tp->delivered_bytes += tp->reno_sacked - before_it;
	tp->delivered++;
}

/* An ACK that moves on covers the hole, and behind it what duplicate ACKs had announced. */
static void remove_reno_sacks(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	uint32_t mss = tcp_current_mss(tp), left = news->acked > mss ? news->acked - mss : 0;
	uint32_t known = MIN(left, tp->reno_sacked);

	tp->reno_sacked -= known;
	known = MIN(known, news->delivered);
	news->delivered -= known;
	tp->delivered_bytes -= known;
	tp->delivered -= MIN(known / mss, tp->delivered);
}

/* RFC 6582 3.2: what DupThresh duplicates or a partial ACK point at is lost, no more is known. */
static void mark_first_lost(struct tcp_sock *tp)
{
	struct tcp_sent *head = tcp_sent_head(tp);
	uint32_t mss = tcp_current_mss(tp);

	if (!head || (head->flags & SENT_LOST))
		return;
	if (head->end - head->start > mss)
		tcp_sent_split(tp, head, head->start + mss);
	tcp_sent_mark_lost(tp, head);
}

static void reno_detect(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	if (tp->ca_state < CA_RECOVERY) {
		if (tp->reno_guard && after(tp->snd_una, tp->reno_recover))
			tp->reno_guard = false;
		if (tp->dupacks >= tp->reordering && !tp->reno_guard)
			mark_first_lost(tp);
	} else if (tp->ca_state == CA_RECOVERY && news->acked) {
		mark_first_lost(tp);
	}
}

/* ---- with SACK, without RACK: RFC 6675 4, IsLost() ------------------------------------------- */

static void dupthresh_detect(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), bytes = 0, ranges = 0;
	struct tcp_sent *s = tcp_sent_tail(tp), *next;
	uint32_t lost_below = tp->snd_una;

	for (; s; s = tcp_sent_prev(tp, s)) {
		if (!(s->flags & SENT_SACKED))
			continue;
		bytes += s->end - s->start;
		if (++ranges >= tp->reordering || bytes > (tp->reordering - 1) * mss) {
			lost_below = s->start;
			break;
		}
	}
	list_for_each_entry_safe(s, next, &tp->sent_time, node)
		if (before(s->start, lost_below) && !(s->flags & SENT_EVER_RETRANS))
			tcp_sent_mark_lost(tp, s);
}

/* ---- what is lost ---------------------------------------------------------------------------- */

static void identify_loss(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (!tp->packets_out)
		return;
	if (!tp->sack_ok) {
		reno_detect(tp, news);
	} else if (!tcp_use_rack(tp)) {
		dupthresh_detect(tp);
	} else {
		if (tcp_rack_mark_lost(tp))
			news->set_timer = false;
		if (news->prior_retrans > tp->retrans_out && tp->lost_total > news->prior_lost)
			news->lost_retrans = true;
	}
}

/* RFC 2018 8: the first segment is SACKed and not acknowledged: the peer has taken SACKs back. */
static bool reneging(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	const struct tcp_sent *head = tcp_sent_head(tp);

	if (!news->acked || !head || !(head->flags & SENT_SACKED))
		return false;
	/* Or its ACK is under way: half a round trip, then everything is sent again (as Linux). */
	tcp_arm_rexmt(tp, REXMT_RTO, MAX(tp->srtt_us / 2, 10000U));
	news->set_timer = false;
	return true;
}

/* ---- states ---------------------------------------------------------------------------------- */

/**
 * tcp_try_keep_open() - OPEN, or DISORDER while something is still amiss
 * @tp:  connection
 */
void tcp_try_keep_open(struct tcp_sock *tp)
{
	uint8_t state = CA_OPEN;

	if (tp->sacked_out || tp->lost_out || tp->reno_sacked || tcp_any_retrans_done(tp))
		state = CA_DISORDER;
	if (tp->ca_state != state) {
		tcp_set_ca_state(tp, state);
		tp->recover = tp->snd_nxt;
	}
}

static void try_to_open(struct tcp_sock *tp)
{
	if (!tcp_any_retrans_done(tp))
		tp->retrans_stamp = 0;
	if (tp->ca_state != CA_CWR)
		tcp_try_keep_open(tp);
}

/**
 * tcp_enter_recovery() - something is lost: fast retransmit and fast recovery
 * @tp:  connection
 *
 * Source:  RFC 6675 5 (4), RFC 6582 3.2 (2), RFC 9937 6.1
 */
void tcp_enter_recovery(struct tcp_sock *tp)
{
	if (tcp_mtup_lost(tp))
		return;
	mib_inc(tcp_net(tp), tp->sack_ok ? MIB_TcpExtTCPSackRecovery : MIB_TcpExtTCPRenoRecovery);
	tp->prior_ssthresh = 0;
	tcp_init_undo(tp);
	if (!tcp_in_cwnd_reduction(tp)) {
		tp->prior_ssthresh = tcp_current_ssthresh(tp);
		tcp_init_cwnd_reduction(tp);
	}
	tcp_set_ca_state(tp, CA_RECOVERY);
}

/* Has all that was in flight when the state began been acknowledged? Then it ends. */
static void end_state(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (tp->ca_state == CA_OPEN) {
		if (!tp->retrans_out)
			tp->retrans_stamp = 0;
		return;
	}
	if (before(tp->snd_una, tp->recover))
		return;
	if (tp->ca_state == CA_CWR) {
		/* Something above recover: without it a window's worth could be reduced twice. */
		if (tp->snd_una != tp->recover) {
			tcp_end_cwnd_reduction(tp);
			tcp_set_ca_state(tp, CA_OPEN);
		}
	} else if (tp->ca_state == CA_RECOVERY) {
		if (!tp->sack_ok)
			tp->reno_sacked = 0;
		tcp_try_undo_recovery(tp, news->seg);
		tcp_end_cwnd_reduction(tp);
		tp->dupacks = 0;
	}
}

static void in_recovery(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (!news->acked) {
		if (!tp->sack_ok && news->duplicate)
			tcp_add_reno_sack(tp, news);
	} else if (tcp_try_undo_partial(tp, news)) {
		return;
	}
	if (tcp_try_undo_dsack(tp))
		try_to_open(tp);
	identify_loss(tp, news);
	/* An undo has ended the recovery; if a loss is evident another begins. */
	if (tp->ca_state != CA_RECOVERY && tp->lost_out)
		tcp_enter_recovery(tp);
}

static void watch_for_loss(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (!tp->sack_ok) {
		if (news->acked)
			tp->reno_sacked = tp->dupacks = 0;
		if (news->duplicate) {
			tp->dupacks++;
			tcp_add_reno_sack(tp, news);
		}
	}
	if (tp->ca_state <= CA_DISORDER)
		tcp_try_undo_dsack(tp);
	identify_loss(tp, news);
	if (tp->lost_out) {
		tcp_enter_recovery(tp);
		return;
	}
	if (news->ece)
		tcp_enter_cwr(tp);
	try_to_open(tp);
}

static void in_loss(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	bool done = tcp_process_loss(tp, news);

	if (tp->ca_state != CA_LOSS)
		tp->retrans_stamp = tcp_any_retrans_done(tp) ? tp->retrans_stamp : 0;
	if (done && tp->ca_state == CA_LOSS)
		return;
	identify_loss(tp, news);
	/* The window was restored, or what was sent again is lost once more: a recovery of its own. */
	if ((tp->ca_state == CA_OPEN || news->lost_retrans) && tp->lost_out)
		tcp_enter_recovery(tp);
}

/**
 * tcp_fastretrans_alert() - drive the recovery by an ACK
 * @tp:    connection with something in flight before the ACK
 * @news:  the ACK, all of it taken in
 *
 * Named after Linux's, whose states and transitions these are.
 */
void tcp_fastretrans_alert(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (!tp->sack_ok && news->acked)
		remove_reno_sacks(tp, news);
	if (news->ece)
		tp->prior_ssthresh = 0; /* a mark is congestion whatever the retransmissions prove */
	if (reneging(tp, news))
		return;
	end_state(tp, news);
	switch (tp->ca_state) {
	case CA_RECOVERY:
		in_recovery(tp, news);
		break;
	case CA_LOSS:
		in_loss(tp, news);
		break;
	default:
		watch_for_loss(tp, news);
		break;
	}
}

/**
 * tcp_reo_timeout() - the time that reordering was given is over
 * @tp:  connection
 *
 * Source:  RFC 8985 6.3, RACK_reordering_timeout
 */
void tcp_reo_timeout(struct tcp_sock *tp)
{
	uint64_t lost = tp->lost_total;

	if (!tp->packets_out)
		return;
	tcp_arm_rexmt(tp, REXMT_RTO, tcp_rto_left_us(tp));
	tcp_rack_mark_lost(tp);
	if (tp->lost_total == lost)
		return;
	if (tp->ca_state != CA_RECOVERY && tp->ca_state != CA_LOSS) {
		tcp_enter_recovery(tp);
		if (tp->ca_state == CA_RECOVERY)
			tcp_cwnd_reduction(tp, 1, (uint32_t)(tp->lost_total - lost), false);
	}
}
