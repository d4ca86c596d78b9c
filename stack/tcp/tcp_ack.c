/* SPDX-License-Identifier: MIT */
/*
 * What an acknowledgement tells: text that arrived, the peer's window, the round-trip time, loss.
 *
 * tcp_ack() is the fifth check of RFC 9293 3.10.7.4 without its changes of state. It moves snd_una,
 * frees text, takes a round-trip sample, updates the scoreboard, drives the recovery state
 *
 *   OPEN -> DISORDER -> RECOVERY      RFC 6675, RFC 6582        (back to OPEN at the recovery point)
 *     \---------------> LOSS          after a timeout, tcp_timer.c
 *
 * and lets the congestion control grow its window. Sending is left to the caller's tcp_output().
 */
#include "stack/tcp/tcp.h"

/* What one ACK brought. */
struct ack_news {
	uint32_t acked;     /* bytes of sequence space */
	uint32_t sacked;    /* bytes SACKed for the first time */
	uint32_t flight;    /* in flight before */
	bool duplicate;     /* RFC 5681 2, or RFC 6675 2 with SACK */
	int32_t rtt_us;     /* sample; -1 = none */
};

/* ---- round-trip time (RFC 6298) -------------------------------------------------------------- */

/**
 * tcp_rtt_sample() - fold one round-trip sample into the retransmission timeout
 * @tp:      connection
 * @rtt_us:  sample, never from an ambiguous retransmission (Karn)
 *
 * Source:  RFC 6298 2.2, 2.3; the variance counts as 200 ms at least, as Linux (DEVIATES from 2.4)
 */
void tcp_rtt_sample(struct tcp_sock *tp, uint32_t rtt_us)
{
	uint32_t diff;

	rtt_us = MAX(rtt_us, 1U);
	tp->min_rtt_us = MIN(tp->min_rtt_us, rtt_us);
	if (tp->srtt_us == 0) {
		tp->srtt_us = rtt_us;
		tp->rttvar_us = rtt_us / 2;
	} else {
		diff = rtt_us > tp->srtt_us ? rtt_us - tp->srtt_us : tp->srtt_us - rtt_us;
		tp->rttvar_us = tp->rttvar_us - tp->rttvar_us / 4 + diff / 4;
		tp->srtt_us = MAX(tp->srtt_us - tp->srtt_us / 8 + rtt_us / 8, 1U);
	}
	tp->rto_us = MIN(tp->srtt_us + MAX(4 * tp->rttvar_us, TCP_RTO_MIN_US), TCP_RTO_MAX_US);
	tp->backoff = 0;
}

/**
 * tcp_rto_us() - the retransmission timeout with its backoff
 * @tp:  connection
 *
 * Source:  RFC 6298 5.5
 */
uint32_t tcp_rto_us(const struct tcp_sock *tp)
{
	return (uint32_t)MIN((uint64_t)tp->rto_us << tp->backoff, (uint64_t)TCP_RTO_MAX_US);
}

/**
 * tcp_rearm_rto() - restart the retransmission timer, or stop it when nothing is in flight
 * @tp:  connection
 *
 * Source:  RFC 6298 5.1 to 5.3
 */
void tcp_rearm_rto(struct tcp_sock *tp)
{
	if (tcp_in_flight(tp)) {
		tcp_disarm(tp, TCPT_PERSIST);
		tcp_arm(tp, TCPT_REXMT, tcp_rto_us(tp));
	} else {
		tcp_disarm(tp, TCPT_REXMT);
	}
}

/* The timed segment gives microseconds; timestamps fill in while retransmissions forbid timing. -1 = none. */
static int32_t take_rtt_sample(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	uint32_t ms;
	uint64_t us;

	if (tp->rtt_time && after_eq(seg->ack, tp->rtt_seq)) {
		us = MIN((net->now - tp->rtt_time) / NSEC_PER_USEC, (uint64_t)INT32_MAX);
		tcp_rtt_sample(tp, (uint32_t)us);
		tp->rtt_time = 0;
		return (int32_t)us;
	}
	if (tp->rtt_time || !tp->ts_ok || !seg->opt.has_ts || !seg->opt.tsecr)
		return -1;
	ms = tcp_ts_clock(net, tp->ts_off) - seg->opt.tsecr; /* RFC 7323 4.1 */
	/*
	 * An echo from before the last timeout may mean a slow path, or that the ACK was lost and the
	 * peer repeats it: the time then holds our own waiting. Karn's rule holds for it, too.
	 */
	if (tp->ca_state == CA_LOSS && ms > (net->now - tp->timeout_stamp) / NSEC_PER_MSEC + 1)
		return -1;
	if (ms >= TCP_RTO_MAX_US / 1000)
		return -1;
	tcp_rtt_sample(tp, MAX(ms, 1U) * 1000);
	return (int32_t)(MAX(ms, 1U) * 1000);
}

/* ---- text that arrived ----------------------------------------------------------------------- */

static void free_acked_text(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);
	struct sk_buff *skb;

	while ((skb = skb_peek(&tp->write_queue)) && before_eq(tcp_cb(skb)->end_seq, tp->snd_una)) {
		if (skb == tp->send_hint)
			tp->send_hint = NULL;
		skb_unlink(&tp->write_queue, skb);
		sk->wmem_queued -= skb->truesize;
		skb_consume(skb);
	}
}

/* The send buffer follows the window: two of them, so that the program can stay ahead. */
static void grow_sndbuf(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);
	uint32_t windows = tp->ca->sndbuf_expand ? tp->ca->sndbuf_expand(tp) : 2;
	int64_t want = (int64_t)tp->snd_cwnd * windows * 5 / 4, max = sk->net->tcp->sysctl.wmem[2];

	if (!sock_flag(sk, SOCK_SNDBUF_LOCK) && want > sk->sndbuf)
		sk->sndbuf = (int)MIN(want, MAX(max, sk->sndbuf));
}

/**
 * tcp_fin_acked() - has the peer acknowledged our FIN?
 * @tp:  connection
 */
bool tcp_fin_acked(const struct tcp_sock *tp)
{
	return tp->fin_queued && tp->snd_una == tp->write_seq + 1;
}

static void move_snd_una(struct tcp_sock *tp, const struct tcp_segment *seg, struct ack_news *news)
{
	news->acked = seg->ack - tp->snd_una;
	tp->snd_una = seg->ack;
	tp->bytes_acked += news->acked;
	tp->delivered += (news->acked + tp->mss_base - 1) / tp->mss_base;
	tp->retransmits = 0;
	tp->retrans_stamp = 0;
	if (tp->urg_pending && after_eq(tp->snd_una, tp->snd_up))
		tp->urg_pending = false;
	news->rtt_us = take_rtt_sample(tp, seg);
	tcp_sack_advance(tp);
	free_acked_text(tp);
}

/* ---- the peer's window ----------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4, fifth, ESTABLISHED: only segments newer than the last update count. */
static bool update_window(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t wnd = seg->wnd << (seg->flags & TCPHDR_SYN ? 0 : tp->snd_wscale);
	bool changed = wnd != tp->snd_wnd;

	if (after(tp->snd_wl1, seg->seq) ||
	    (tp->snd_wl1 == seg->seq && after(tp->snd_wl2, seg->ack)))
		return changed;
	tp->snd_wl1 = seg->seq;
	tp->snd_wl2 = seg->ack;
	tp->snd_wnd = wnd;
	if (wnd > tp->max_window) {
		tp->max_window = wnd;
		tcp_sync_mss(tp, tp->pmtu);
	}
	/* Something fits again: the persist timer has done its duty. */
	if (tcp_armed(tp, TCPT_PERSIST) && before(tp->snd_nxt, tcp_wnd_end(tp))) {
		tcp_disarm(tp, TCPT_PERSIST);
		tp->backoff = 0;
	}
	return changed;
}

/* ---- recovery -------------------------------------------------------------------------------- */

/* Without SACK a duplicate ACK says that one more segment has left the network. */
static void count_reno(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), flight = tcp_in_flight(tp);

	if (!tp->sack_ok)
		tp->reno_sacked = MIN(tp->reno_sacked + mss, flight - MIN(mss, flight));
}

static bool loss_is_seen(const struct tcp_sock *tp)
{
	if (tp->dupacks >= tp->dupthresh)
		/* RFC 6582 3.2 (2): not for duplicates of an earlier recovery's retransmissions. */
		return tp->sack_ok ? tp->nsacked > 0 : after_eq(tp->snd_una, tp->recover);
	return tp->sack_ok && after(tp->lost_seq, tp->snd_una);
}

/* OPEN and DISORDER. Limited transmit (RFC 3042) follows from tcp_pipe(): what left makes room. */
static void watch_for_loss(struct tcp_sock *tp, const struct ack_news *news)
{
	if (news->acked) {
		tp->dupacks = 0;
		tp->reno_sacked = 0;
	}
	if (news->duplicate) {
		tp->dupacks++;
		count_reno(tp);
	}
	tcp_update_lost(tp);
	tcp_set_ca_state(tp, tp->dupacks || tp->nsacked ? CA_DISORDER : CA_OPEN);
	if (tcp_in_flight(tp) && loss_is_seen(tp))
		tcp_enter_recovery(tp);
}

/* RFC 6582 3.2 (3): a partial ACK: the next segment is lost as well. */
static void partial_ack(struct tcp_sock *tp, uint32_t acked)
{
	uint32_t mss = tcp_current_mss(tp), left = acked > mss ? acked - mss : 0;

	if (tp->sack_ok)
		return;
	tp->reno_sacked -= MIN(tp->reno_sacked, left);
	tp->high_rxt = tp->snd_una;
}

static void in_recovery(struct tcp_sock *tp, const struct ack_news *news)
{
	if (after_eq(tp->snd_una, tp->recover)) {
		tcp_leave_recovery(tp);
		return;
	}
	if (news->acked)
		partial_ack(tp, news->acked);
	else if (news->duplicate)
		count_reno(tp);
	tcp_update_lost(tp);
}

static void in_loss(struct tcp_sock *tp)
{
	if (after_eq(tp->snd_una, tp->recover)) {
		tcp_leave_recovery(tp);
		return;
	}
	tcp_update_lost(tp);
}

static void drive_recovery(struct tcp_sock *tp, const struct ack_news *news)
{
	if (tp->ca_state == CA_RECOVERY)
		in_recovery(tp, news);
	else if (tp->ca_state == CA_LOSS)
		in_loss(tp);
	else
		watch_for_loss(tp, news);
}

/* RFC 5681 3.1; RFC 7661: a window that was not used proves nothing and does not grow. */
static void grow_cwnd(struct tcp_sock *tp, const struct ack_news *news)
{
	if (!tp->ca->cong_control)
		tcp_update_pacing_rate(tp);
	if (news->acked == 0 || tp->ca_state == CA_RECOVERY)
		return;
	if (tcp_is_cwnd_limited(tp) || tp->ca_state == CA_LOSS)
		tcp_cong_avoid(tp, news->acked);
	grow_sndbuf(tp);
}

/* ---- the ACK itself -------------------------------------------------------------------------- */

/* Not in [snd_una, snd_nxt]. RFC 9293 3.10.7.4, fifth; RFC 5961 5.2 for those far too old. */
static struct tcp_result unexpected_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (after(seg->ack, tp->snd_nxt) || before(seg->ack, tp->snd_una - tp->max_window)) {
		tcp_send_challenge_ack(tp);
		return TCP_RESULT(DROP, DROP_TCP_ACK_INVALID);
	}
	if (seg->opt.nsacks && tcp_sack_update(tp, seg)) {
		tcp_update_lost(tp);
	}
	return TCP_GO_ON; /* an old duplicate: its text may still be new */
}

/**
 * tcp_ack() - process SEG.ACK, the window and SACK
 * @tp:   synchronized connection
 * @seg:  segment with ACK, in the receive window
 *
 * Source:  RFC 9293 3.10.7.4, fifth check
 * Return:  PASS to go on with the segment, DROP otherwise
 */
struct tcp_result tcp_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct ack_news news = { .flight = tcp_in_flight(tp), .rtt_us = -1 };
	bool was_full = !tcp_stream_writeable(tp), window_moved;

	if (before(seg->ack, tp->snd_una) || after(seg->ack, tp->snd_nxt))
		return unexpected_ack(tp, seg);

	tp->rcv_tstamp = tcp_net(tp)->now;
	tp->probes_out = 0;
	tp->inet.sk.err_soft = 0;
	if (seg->len == 0)
		mib_inc(tcp_net(tp), MIB_TcpExtTCPPureAcks);
	if (seg->ack != tp->snd_una)
		move_snd_una(tp, seg, &news);
	window_moved = update_window(tp, seg);
	news.sacked = tcp_sack_update(tp, seg);
	if (tp->sack_ok)
		news.duplicate = news.sacked > 0;
	else
		news.duplicate = news.acked == 0 && seg->len == 0 && tcp_in_flight(tp) &&
				 !window_moved && !(seg->flags & (TCPHDR_SYN | TCPHDR_FIN));

	if (news.acked || news.sacked)
		tcp_cong_acked(tp, &(struct tcp_ack_sample){ .acked = news.acked + news.sacked,
							     .rtt_us = news.rtt_us,
							     .in_flight = news.flight });
	if (news.flight)
		drive_recovery(tp, &news);
	grow_cwnd(tp, &news);
	if (news.acked)
		tcp_rearm_rto(tp);
	if (was_full) /* by what was freed, or by a larger buffer */
		tcp_write_space(tp);
	return TCP_GO_ON;
}
