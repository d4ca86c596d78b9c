/* SPDX-License-Identifier: MIT */
/*
 * RACK: text is lost when text that left later has arrived (RFC 8985 6).
 *
 * Of all that has been delivered the transmission that left last is remembered (rack_order, rack_end)
 * with its round-trip time. What left before it should have arrived by now; it gets reo_wnd longer,
 * because packets change places, and is lost then. That takes retransmissions and tails like any other
 * text: only times are compared, never sequence numbers alone.
 *
 *   tp->sent_time, in order of transmission
 *         left before rack_order: lost once a round trip and reo_wnd have passed, by a timer at the latest
 *         left after it: nothing is known yet
 *
 * reo_wnd is a quarter of the least round trip as long as the path does not reorder, nothing while
 * recovering or with DupThresh segments SACKed, and grows by a quarter with each round trip that shows
 * a needless retransmission (D-SACK).
 *
 * Read first: RFC 8985 3, 6.2; Linux's tcp_recovery sysctl (1: RACK, 2: fixed window, 4: no DupThresh).
 */
#include "stack/tcp/tcp.h"

#define REO_PERSIST 16U /* recoveries that an enlarged window lasts, RFC 8985 6.2 step 4 */

/*
 * RFC 8985 6.2, RACK_sent_after(). By number and not by time: what leaves within one turn of the event
 * loop leaves at the same time. Parts of one transmission stand in order of sequence numbers.
 */
static bool newest_sent_after(const struct tcp_sock *tp, const struct tcp_sent *s)
{
	return tp->rack_order > s->order || (tp->rack_order == s->order && after(tp->rack_end, s->end));
}

/* Step 3: text that was sent once arrives after text behind it. */
static void detect_reordering(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_ack_news *news)
{
	if (after(s->end, tp->rack_fack)) {
		tp->rack_fack = s->end;
		return;
	}
	if (before(s->end, tp->rack_fack) && !(s->flags & SENT_EVER_RETRANS)) {
		if (!news->reordered || before(s->start, news->reord_seq))
			news->reord_seq = s->start;
		news->reordered = true;
	}
}

/* Step 2: the ACK of a retransmission may be one of the first transmission. */
static bool is_ambiguous(const struct tcp_sock *tp, const struct tcp_sent *s, uint32_t rtt_us,
			 const struct tcp_segment *seg)
{
	if (!(s->flags & SENT_EVER_RETRANS))
		return false;
	if (rtt_us < tp->min_rtt_us)
		return true;
	return tp->ts_ok && seg->opt.has_ts && seg->opt.tsecr &&
	       (int32_t)(seg->opt.tsecr - tcp_ts_at(s->xmit, tp->ts_off)) < 0;
}

/**
 * tcp_rack_advance() - a transmission has been delivered
 * @tp:    connection
 * @s:     its record, acknowledged or SACKed for the first time
 * @news:  the ACK; reordering is noted
 *
 * Source:  RFC 8985 6.2, steps 2 and 3
 */
void tcp_rack_advance(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_ack_news *news)
{
	ktime_t now = tcp_net(tp)->now;
	uint32_t rtt_us = (uint32_t)MIN((now - s->xmit) / NSEC_PER_USEC, UINT32_MAX);

	detect_reordering(tp, s, news);
	if (is_ambiguous(tp, s, rtt_us, news->seg))
		return;
	tp->rack_rtt_us = rtt_us;
	tp->rack_valid = true;
	if (!newest_sent_after(tp, s)) {
		tp->rack_order = s->order;
		tp->rack_end = s->end;
	}
}

/**
 * tcp_rack_update_reo_wnd() - a needless retransmission shows that the window is too small
 * @tp:    connection, snd_una moved
 * @news:  the ACK
 *
 * Source:  RFC 8985 6.2, step 4: at most once a round trip
 */
void tcp_rack_update_reo_wnd(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	if (tcp_net(tp)->tcp->sysctl.recovery & TCP_RACK_STATIC_REO_WND)
		return;
	if (tp->rack_dsack_round_set && after_eq(tp->snd_una, tp->rack_dsack_round))
		tp->rack_dsack_round_set = false;
	if (!news->dsack || tp->rack_dsack_round_set)
		return;
	tp->rack_dsack_round_set = true;
	tp->rack_dsack_round = tp->snd_nxt;
	tp->rack_reo_mult = (uint8_t)MIN(tp->rack_reo_mult + 1, UINT8_MAX);
	tp->rack_reo_persist = REO_PERSIST;
}

/**
 * tcp_rack_recovery_ended() - a recovery has run without being undone
 * @tp:  connection
 *
 * Source:  RFC 8985 6.2, step 4: after 16 of them the window is small again
 */
void tcp_rack_recovery_ended(struct tcp_sock *tp)
{
	if (tp->rack_reo_persist && --tp->rack_reo_persist == 0)
		tp->rack_reo_mult = 1;
}

/* Step 4, RACK_update_reo_wnd(); microseconds. */
static uint32_t reo_wnd(const struct tcp_sock *tp)
{
	int flags = tcp_net(tp)->tcp->sysctl.recovery;

	if (!tp->reord_seen) {
		if (tp->ca_state >= CA_RECOVERY)
			return 0;
		if (tp->sacked_out >= tp->reordering && !(flags & TCP_RACK_NO_DUPTHRESH))
			return 0;
	}
	if (tp->min_rtt_us == UINT32_MAX)
		return 0;
	return (uint32_t)MIN(((uint64_t)tp->min_rtt_us * MAX(tp->rack_reo_mult, 1U) + 3) / 4,
			     (uint64_t)tp->srtt_us);
}

/* When @s counts as lost, in microseconds from now; <= 0: it does. */
static int64_t time_left(const struct tcp_sock *tp, const struct tcp_sent *s, uint32_t wnd)
{
	ktime_t due = s->xmit + ((uint64_t)tp->rack_rtt_us + wnd) * NSEC_PER_USEC;
	ktime_t now = tcp_net(tp)->now;

	return due > now ? (int64_t)((due - now + NSEC_PER_USEC - 1) / NSEC_PER_USEC) : 0;
}

/**
 * tcp_rack_is_overdue() - would text of this age be lost, without time for reordering?
 * @tp:  connection
 * @s:   record in flight
 */
bool tcp_rack_is_overdue(const struct tcp_sock *tp, const struct tcp_sent *s)
{
	return time_left(tp, s, 0) <= 0;
}

/**
 * tcp_rack_detect() - mark what is lost
 * @tp:  connection
 *
 * Source:  RFC 8985 6.2, step 5, RACK_detect_loss()
 * Return:  microseconds after which to look again; 0 = nothing is in doubt
 */
uint32_t tcp_rack_detect(struct tcp_sock *tp)
{
	uint32_t wnd = reo_wnd(tp), timeout = 0;
	struct tcp_sent *s, *next;

	if (!tp->rack_valid)
		return 0;
	list_for_each_entry_safe(s, next, &tp->sent_time, node) {
		int64_t left;

		if (!newest_sent_after(tp, s))
			break;
		left = time_left(tp, s, wnd);
		if (left <= 0)
			tcp_sent_mark_lost(tp, s);
		else
			timeout = MAX(timeout, (uint32_t)left);
	}
	return timeout;
}

/**
 * tcp_rack_mark_lost() - an ACK has come: mark what is lost, wait for what is in doubt
 * @tp:  connection
 *
 * Return:  true when the timer runs for it: it is not to be used for anything else
 */
bool tcp_rack_mark_lost(struct tcp_sock *tp)
{
	uint32_t timeout = tcp_rack_detect(tp);

	if (timeout)
		tcp_arm_rexmt(tp, REXMT_REO, timeout);
	return timeout != 0;
}

/**
 * tcp_check_reordering() - text came @low late: how far do packets change places?
 * @tp:   connection
 * @low:  start of the text that came late
 *
 * DupThresh grows to that distance, as Linux (up to tcp_max_reordering).
 */
void tcp_check_reordering(struct tcp_sock *tp, uint32_t low)
{
	uint32_t mss = tcp_current_mss(tp), distance;
	struct net *net = tcp_net(tp);

	if (!before(low, tp->rack_fack))
		return;
	distance = (tp->rack_fack - low + mss - 1) / mss;
	if (distance > tp->reordering)
		tp->reordering = MIN(distance, (uint32_t)net->tcp->sysctl.max_reordering);
	tp->reord_seen++;
	mib_inc(net, tp->ts_ok ? MIB_TcpExtTCPTSReorder : MIB_TcpExtTCPSACKReorder);
}
