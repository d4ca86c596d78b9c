/* SPDX-License-Identifier: MIT */
/*
 * What an acknowledgement tells: text that arrived, the peer's window, the round-trip time, loss.
 *
 * tcp_ack() is the fifth check of RFC 9293 3.10.7.4 without its changes of state. It gathers in a struct
 * tcp_ack_news what the segment says: records that are acknowledged or SACKed (tcp_sent.c), with the
 * round-trip time and the rate of delivery that follow from them. From that the recovery is driven
 * (tcp_recovery.c) and the window moved: by PRR while it goes down (tcp_prr.c), by the congestion
 * control otherwise. Sending is left to the caller's tcp_output().
 */
#include "stack/tcp/tcp.h"

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
	if (tp->srtt_us == 0) {
		tp->srtt_us = rtt_us;
		tp->rttvar_us = rtt_us / 2;
	} else {
		diff = rtt_us > tp->srtt_us ? rtt_us - tp->srtt_us : tp->srtt_us - rtt_us;
		tp->rttvar_us = tp->rttvar_us - tp->rttvar_us / 4 + diff / 4;
		tp->srtt_us = MAX(tp->srtt_us - tp->srtt_us / 8 + rtt_us / 8, 1U);
	}
	tp->rto_us = MIN(tp->srtt_us + MAX(4 * tp->rttvar_us, tcp_rto_min_us(tp)), TCP_RTO_MAX_US);
	tp->backoff = 0;
	tp->tlp_unmeasured = false;
}

/**
 * tcp_update_rtt_min() - a sample for the least round-trip time of the last tcp_min_rtt_wlen seconds
 * @tp:      connection
 * @rtt_us:  sample, of the last segment that the ACK covers: without the peer's waiting
 *
 * Source:  RFC 8985 6.2, step 1 (RACK.min_RTT); the window is Linux's
 */
void tcp_update_rtt_min(struct tcp_sock *tp, uint32_t rtt_us)
{
	ktime_t win = (uint32_t)tcp_net(tp)->tcp->sysctl.min_rtt_wlen_s * NSEC_PER_SEC;

	tp->min_rtt_us = (uint32_t)win_filter_min(&tp->rtt_min, win, tcp_net(tp)->now, MAX(rtt_us, 1U));
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
 * tcp_rto_left_us() - what is left of the timeout that began with the first segment's transmission
 * @tp:  connection
 *
 * Return:  microseconds, at least 1
 */
uint32_t tcp_rto_left_us(const struct tcp_sock *tp)
{
	const struct tcp_sent *head = tcp_sent_head(tp);
	uint64_t due, now = tcp_net(tp)->now;

	if (!head)
		return tcp_rto_us(tp);
	due = head->xmit + tcp_rto_us(tp) * NSEC_PER_USEC;
	return due > now ? (uint32_t)MAX((due - now) / NSEC_PER_USEC, 1U) : 1;
}

/**
 * tcp_rearm_rto() - restart the retransmission timer, or stop it when nothing is in flight
 * @tp:  connection
 *
 * Source:  RFC 6298 5.1 to 5.3; time that a planned probe or the wait for reordering took counts
 */
void tcp_rearm_rto(struct tcp_sock *tp)
{
	if (!tcp_in_flight(tp)) {
		tcp_disarm(tp, TCPT_REXMT);
		return;
	}
	tcp_disarm(tp, TCPT_PERSIST);
	if (tcp_armed(tp, TCPT_REXMT) && tp->rexmt_kind != REXMT_RTO)
		tcp_arm_rexmt(tp, REXMT_RTO, tcp_rto_left_us(tp));
	else
		tcp_arm_rexmt(tp, REXMT_RTO, tcp_rto_us(tp));
}

static int64_t us_since(const struct tcp_sock *tp, ktime_t then)
{
	return then ? (int64_t)((tcp_net(tp)->now - then) / NSEC_PER_USEC) : -1;
}

/* From the echoed timestamp, RFC 7323 4.1; -1 = none. */
static int64_t ts_rtt_us(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	uint32_t ms;

	if (!tp->ts_ok || !seg->opt.has_ts || !seg->opt.tsecr)
		return -1;
	ms = tcp_ts_clock(net, tp->ts_off) - seg->opt.tsecr;
	/*
	 * An echo from before the last timeout may mean a slow path, or that the ACK was lost and the
	 * peer repeats it: the time then holds our own waiting. Karn's rule holds for it, too.
	 */
	if (tp->ca_state == CA_LOSS && ms > (net->now - tp->timeout_stamp) / NSEC_PER_MSEC + 1)
		return -1;
	return ms < TCP_RTO_MAX_US / 1000 ? (int64_t)MAX(ms, 1U) * 1000 : -1;
}

/*
 * RFC 6298 3 (Karn): only text that was sent once is timed, from the first of what the ACK covers, or
 * else of what it SACKs; timestamps fill in while retransmissions forbid that. The congestion control
 * and min_rtt take the last of it, without the peer's waiting.
 */
static void take_rtt_sample(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	const struct tcp_sent *head = tcp_sent_head(tp);
	int64_t rtt = -1, last = -1, sacked = us_since(tp, news->first_sacked);

	if (news->first_acked && !news->retrans_acked) {
		rtt = us_since(tp, news->first_acked);
		last = us_since(tp, news->last_acked);
	}
	if (rtt < 0) {
		rtt = sacked;
		last = us_since(tp, news->last_sacked);
	}
	if (rtt < 0 && news->acked)
		rtt = last = ts_rtt_us(tp, news->seg);
	/* The timer is for the first segment: text SACKed that left before it does not put it off. */
	if (news->acked || (head && sacked > us_since(tp, head->xmit)))
		news->set_timer = true;
	if (rtt < 0)
		return;
	news->rs.rtt_us = (int32_t)MIN(last, INT32_MAX);
	/* A lone runt: the peer may have waited for more before it acknowledged, as Linux. */
	news->rs.is_ack_delayed = news->acked && news->acked < tcp_current_mss(tp) && !news->sacked &&
				  news->rs.prior_delivered + news->acked == tp->delivered_bytes;
	/* Of nothing but such ACKs the least round trip of the window would become one with the wait. */
	if (!news->rs.is_ack_delayed || last <= tp->min_rtt_us)
		tcp_update_rtt_min(tp, (uint32_t)news->rs.rtt_us);
	tcp_rtt_sample(tp, (uint32_t)MIN(rtt, UINT32_MAX));
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

	if (!sock_flag(sk, SOCK_SNDBUF_LOCK) && want > sk->sndbuf && !tcp_under_pressure(sk->net))
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

static void move_snd_una(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	news->acked = news->seg->ack - tp->snd_una;
	tp->snd_una = news->seg->ack;
	tp->bytes_acked += news->acked;
	tp->retransmits = 0;
	tp->stall_stamp = 0;
	if (tp->urg_pending && after_eq(tp->snd_una, tp->snd_up))
		tp->urg_pending = false;
	tcp_sent_ack(tp, news);
	tcp_mtup_acked(tp);
	if (tp->rto_stamp) {
		tp->total_rto_time_ms += (uint32_t)((tcp_net(tp)->now - tp->rto_stamp) / NSEC_PER_MSEC);
		tp->rto_stamp = 0;
	}
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

/* ---- the congestion window ------------------------------------------------------------------- */

/* RFC 5681 3.1; RFC 7661: a window that was not used proves nothing and does not grow. */
static void grow_cwnd(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	if (news->acked && (tcp_is_cwnd_limited(tp) || tp->ca_state == CA_LOSS))
		tcp_cong_avoid(tp, news->delivered);
}

/* Anything but the plain next ACK of a connection on which nothing is amiss. */
static bool is_dubious(const struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	return tp->ca_state != CA_OPEN || !news->acked || news->sacked || news->dsack || news->ece ||
	       tp->sacked_out;
}

/* RFC 3168 6.1.2: what an ACK with ECE delivers counts as marked. */
static void count_marks(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	uint32_t mss = tcp_current_mss(tp), segs = (news->delivered + mss - 1) / mss;

	tp->delivered_ce_bytes += news->delivered;
	tp->delivered_ce += segs;
	mib_add(tcp_net(tp), MIB_TcpExtTCPDeliveredCE, segs);
}

static void tell_algorithm(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	struct tcp_ack_sample sample = { .acked = news->delivered, .rtt_us = news->rs.rtt_us,
					 .in_flight = news->rs.tx_in_flight };

	if (news->ece)
		count_marks(tp, news);
	else if (news->acked)
		tp->ecn_backoff = 0;
	tcp_cong_ack_event(tp, (news->ece ? CA_ACK_ECE : 0U) |
				       (news->window_moved ? CA_ACK_WIN_UPDATE : 0U) |
				       (is_dubious(tp, news) ? CA_ACK_SLOWPATH : 0U));
	if (news->delivered)
		tcp_cong_acked(tp, &sample);
}

static void move_cwnd(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	uint32_t lost = (uint32_t)(tp->lost_total - news->prior_lost);

	tcp_rate_gen(tp, news->delivered, lost, &news->rs);
	if (tp->ca->cong_control)
		tp->ca->cong_control(tp, &news->rs);
	else if (tcp_in_cwnd_reduction(tp))
		tcp_cwnd_reduction(tp, news->delivered, lost, news->acked > 0);
	else
		grow_cwnd(tp, news);
	if (!tp->ca->cong_control)
		tcp_update_pacing_rate(tp);
	if (news->acked)
		grow_sndbuf(tp);
}

/* ---- the ACK itself -------------------------------------------------------------------------- */

static struct tcp_ack_news begin(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return (struct tcp_ack_news){
		.seg = seg,
		.prior_una = tp->snd_una,
		.prior_flight = tcp_in_flight(tp),
		.prior_lost = tp->lost_total,
		.prior_retrans = tp->retrans_out,
		.rs = { .prior_in_flight = tcp_pipe(tp), .rtt_us = -1, .interval_us = -1 },
	};
}

/* Loss recovery and the window, once all of the ACK has been taken in. */
static void act_on(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	if (news->reordered && (tp->ca_state != CA_LOSS || tp->undo_possible))
		tcp_check_reordering(tp, news->reord_seq);
	tcp_rack_update_reo_wnd(tp, news);
	if (tp->tlp_out)
		tcp_process_tlp_ack(tp, news);
	if (is_dubious(tp, news))
		tcp_fastretrans_alert(tp, news);
	else if (!tp->retrans_out)
		tp->retrans_stamp = 0;
	if (news->set_timer && !tcp_schedule_loss_probe(tp, true))
		tcp_rearm_rto(tp);
	move_cwnd(tp, news);
	tp->send_new_only = news->hold_back;
}

/* Segments; without SACK a guess from duplicate ACKs may have to be taken back. */
static void count_delivered(struct tcp_sock *tp, uint32_t before)
{
	int32_t n = (int32_t)(tp->delivered - before);

	if (n > 0)
		mib_add(tcp_net(tp), MIB_TcpExtTCPDelivered, (uint32_t)n);
}

/* Not in [snd_una, snd_nxt]. RFC 9293 3.10.7.4, fifth; RFC 5961 5.2 for those far too old. */
static struct tcp_result unexpected_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	/* Narrower than RFC 5961, as Linux: nor does it acknowledge what was never sent. */
	uint32_t oldest = tp->snd_una - (uint32_t)MIN(tp->max_window, tp->bytes_acked);
	uint32_t delivered = tp->delivered;
	struct tcp_ack_news news;

	if (after(seg->ack, tp->snd_nxt) || before(seg->ack, oldest)) {
		tcp_send_challenge_ack(tp);
		return TCP_RESULT(DROP, DROP_TCP_ACK_INVALID);
	}
	/* An old duplicate: its SACKs and its text may still be new. */
	tcp_store_ts_recent(tp, seg);
	news = begin(tp, seg);
	tcp_take_sacks(tp, &news);
	if (news.sacked || news.dsack)
		act_on(tp, &news);
	count_delivered(tp, delivered);
	return TCP_GO_ON;
}

static bool is_duplicate(const struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	const struct tcp_segment *seg = news->seg;

	return news->acked == 0 && seg->len == 0 && tcp_in_flight(tp) && !news->window_moved &&
	       !(seg->flags & (TCPHDR_SYN | TCPHDR_FIN));
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
	bool was_full = !tcp_stream_writeable(tp);
	uint32_t delivered = tp->delivered;
	struct tcp_ack_news news;

	if (before(seg->ack, tp->snd_una) || after(seg->ack, tp->snd_nxt))
		return unexpected_ack(tp, seg);

	tcp_store_ts_recent(tp, seg);
	tp->rcv_tstamp = tcp_net(tp)->now;
	tp->probes_out = 0;
	tp->inet.sk.err_soft = 0;
	if (seg->len == 0)
		mib_inc(tcp_net(tp), MIB_TcpExtTCPPureAcks);
	news = begin(tp, seg);
	news.ece = tcp_ecn_echo(tp, seg);
	if (seg->ack != tp->snd_una)
		move_snd_una(tp, &news);
	news.window_moved = update_window(tp, seg);
	tcp_take_sacks(tp, &news);
	take_rtt_sample(tp, &news);
	news.duplicate = !tp->sack_ok && is_duplicate(tp, &news);
	tell_algorithm(tp, &news);
	if (news.prior_flight || news.dsack)
		act_on(tp, &news);
	else if (tp->tlp_out) /* nothing is in flight: the ACK of a probe's second copy */
		tcp_process_tlp_ack(tp, &news);
	count_delivered(tp, delivered);
	if (was_full) /* by what was freed, or by a larger buffer */
		tcp_write_space(tp);
	return TCP_GO_ON;
}
