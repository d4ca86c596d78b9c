/* SPDX-License-Identifier: MIT */
/*
 * SEGMENT ARRIVES for a full socket: RFC 9293 3.10.7.2 to 3.10.7.4, one function per step.
 *
 * A step that lets the segment go on answers TCP_GO_ON; any other verdict ends the walk, and
 * tcp_segment_rcv() carries it out: acknowledge, reset, drop with its reason. The steps only note
 * that an acknowledgement is due (tp->ack) and that something may be sent; both happen once, at the
 * end, so that an answer carries the ACK.
 *
 * CLOSED is in tcp_ipv4.c, passive SYN-RECEIVED in tcp_minisock.c, TIME-WAIT in tcp_timewait.c;
 * SYN-RECEIVED here is the one of a simultaneous open.
 *
 * Read first: RFC 9293 3.10.7; RFC 5961 (what a blind attacker must not achieve); RFC 7323 5 (PAWS).
 */
#include "stack/tcp/tcp.h"

#define TCP_SYN_AGAIN_US 8000U /* behind a reset; two ticks, as Linux */

/* ---- answers with a limit -------------------------------------------------------------------- */

/**
 * tcp_oow_rate_limited() - was the last ACK for a segment without use sent too short a time ago?
 * @net:   namespace
 * @last:  when that was; moved when not limited
 * @skipped:  counter of the ACKs that are not sent
 *
 * Keeps two peers that disagree from answering each other forever, as Linux.
 */
bool tcp_oow_rate_limited(struct net *net, ktime_t *last, enum mib skipped)
{
	ktime_t gap = (unsigned int)net->tcp->sysctl.invalid_ratelimit_ms * NSEC_PER_MSEC;

	if (*last && net->now - *last < gap) {
		mib_inc(net, skipped);
		return true;
	}
	*last = net->now;
	return false;
}

/*
 * tcp_challenge_ack_limit, none by default: a number that all connections share tells one peer of
 * another's traffic (CVE-2016-5696), therefore also not exactly that number. As Linux.
 */
static bool namespace_allows(struct net *net)
{
	struct netns_tcp *t = net->tcp;
	uint32_t limit = (uint32_t)t->sysctl.challenge_ack_limit;

	if (limit == INT32_MAX)
		return true;
	if (net->now - t->challenge_window >= NSEC_PER_SEC) {
		t->challenge_window = net->now;
		t->challenges_left = limit ? (limit + 1) / 2 + random_below(&net->random, limit) : 0;
	}
	if (t->challenges_left == 0)
		return false;
	t->challenges_left--;
	return true;
}

/**
 * tcp_send_challenge_ack() - ask the peer to repeat what it would only say if it knew the numbers
 * @tp:  connection
 *
 * Source:  RFC 5961 3.2, 4.2, 5.2; limited per connection (section 7: one in tcp_invalid_ratelimit), and
 *          per namespace if asked for
 */
void tcp_send_challenge_ack(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	if (tcp_oow_rate_limited(net, &tp->last_oow_ack, MIB_TcpExtTCPACKSkippedChallenge) ||
	    !namespace_allows(net))
		return;
	mib_inc(net, MIB_TcpExtTCPChallengeACK);
	tcp_send_ack(tp);
}

/* ---- timestamps ------------------------------------------------------------------------------ */

/**
 * tcp_store_ts_recent() - RFC 7323 4.3 (2): remember TSval if the segment covers Last.ACK.sent
 * @tp:   connection
 * @seg:  acceptable segment
 */
void tcp_store_ts_recent(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (!tp->ts_ok || !seg->opt.has_ts || after(seg->seq, tp->last_ack_sent))
		return;
	/* Never backwards, unless PAWS has let it pass for age (5.5). */
	if ((int32_t)(seg->opt.tsval - tp->ts_recent) < 0 && tp->ts_recent_stamp &&
	    tcp_net(tp)->now - tp->ts_recent_stamp < TCP_PAWS_24DAYS_MS * NSEC_PER_MSEC)
		return;
	tp->ts_recent = seg->opt.tsval;
	tp->ts_recent_stamp = tcp_net(tp)->now;
}

/* ---- the connection is there ----------------------------------------------------------------- */

/**
 * tcp_init_buffers() - buffers and window of a connection that has just been established
 * @tp:  connection
 */
void tcp_init_buffers(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);
	int64_t want = MAX((int64_t)TCP_INIT_CWND * tp->mss_base * 2, 4 * (int64_t)65536);
	uint32_t mss = MIN(tp->advmss, tcp_current_mss(tp));

	mss = MIN(mss, tp->rcv_wnd / 2);
	tp->ack.rcv_mss = MAX(MIN(mss, TCP_MSS_DEFAULT_V4), 88U);
	if (!sock_flag(sk, SOCK_SNDBUF_LOCK))
		sk->sndbuf = (int)MAX(MIN(want, sk->net->tcp->sysctl.wmem[2]), sk->sndbuf);
	tp->rcv_ssthresh = tp->rcv_wnd;
	tp->rcvq_space = MIN(tp->rcv_wnd, TCP_INIT_CWND * tp->advmss);
	tp->rcvq_seq = tp->copied_seq;
	tp->rcvq_time = sk->net->now;
}

/* A sample from the handshake: RFC 6298 3, Karn; with timestamps also after a retransmission. */
static void sample_handshake(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	uint32_t rtt_us;

	if (tp->total_retrans == 0 && tp->syn_stamp) {
		rtt_us = (uint32_t)((net->now - tp->syn_stamp) / NSEC_PER_USEC);
	} else if (tp->ts_ok && seg->opt.has_ts && seg->opt.tsecr) {
		rtt_us = MAX(tcp_ts_clock(net, tp->ts_off) - seg->opt.tsecr, 1U) % 60000 * 1000;
	} else {
		if (tp->total_retrans)
			tp->rto_us = TCP_RTO_FALLBACK_US;
		return;
	}
	tcp_update_rtt_min(tp, rtt_us);
	tcp_rtt_sample(tp, rtt_us);
}

/**
 * tcp_finish_connect() - ESTABLISHED
 * @tp:   connection in SYN-SENT or SYN-RECEIVED; sequence numbers and options are set
 * @seg:  the segment that completed the handshake
 */
void tcp_finish_connect(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct sock *sk = tcp_to_sk(tp);

	tcp_fastopen_child_end(tp, false);
	sample_handshake(tp, seg);
	tcp_init_cwnd(tp);
	tcp_init_buffers(tp);
	tcp_mtup_init(tp);
	tp->retransmits = 0;
	tp->backoff = 0;
	tp->retrans_stamp = 0;
	tp->recover = tp->snd_una;
	tp->rack_fack = tp->snd_una;
	tp->rcv_tstamp = tp->ack.lrcvtime = sk->net->now;
	tp->last_send = sk->net->now;
	tcp_rearm_rto(tp);
	tcp_set_state(tp, TCP_ESTABLISHED);
	if (sock_flag(sk, SOCK_KEEPOPEN))
		tcp_set_keepalive(tp, true);
	if (tp->fin_queued) /* closed while the handshake was under way */
		tcp_set_state(tp, TCP_FIN_WAIT1);
	if (!sock_flag(sk, SOCK_DEAD))
		sk->state_change(sk);
}

/* Options of the peer's SYN: what both sides have offered is agreed on. */
static void agree_on_options(struct tcp_sock *tp, const struct tcp_options *o)
{
	tp->ts_ok = tp->ts_ok && o->has_ts;
	tp->sack_ok = tp->sack_ok && o->has_sack_ok;
	tp->wscale_ok = tp->wscale_ok && o->has_wscale;
	if (tp->wscale_ok)
		tp->snd_wscale = o->wscale;
	else
		tp->rcv_wscale = 0;
	if (tp->ts_ok) {
		tp->ts_recent = o->tsval;
		tp->ts_recent_stamp = tcp_net(tp)->now;
	}
	/* RFC 9293 3.7.1 (MUST-15): 536 when there is no MSS option. */
	tp->mss_clamp = o->has_mss ? o->mss : TCP_MSS_DEFAULT_V4;
	if (tp->user_mss)
		tp->mss_clamp = MIN(tp->mss_clamp, tp->user_mss);
}

static void take_peer_syn(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	agree_on_options(tp, &seg->opt);
	tp->irs = seg->seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = seg->seq + 1;
	tp->last_ack_sent = tp->rcv_nxt;
	tp->snd_wnd = tp->max_window = seg->wnd; /* a SYN's window is not scaled */
	tp->snd_wl1 = seg->seq;
	tp->snd_wl2 = seg->ack;
	tcp_sync_mss(tp, tp->pmtu);
}

/* ---- 3.10.7.2 LISTEN ------------------------------------------------------------------------- */

static struct tcp_result tcp_rcv_listen(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (seg->flags & TCPHDR_RST)
		return TCP_RESULT(DROP, DROP_TCP_FLAGS);
	if (seg->flags & TCPHDR_ACK)
		return tcp_cookie_rcv(tp, seg);
	if (!(seg->flags & TCPHDR_SYN) || (seg->flags & TCPHDR_FIN))
		return TCP_RESULT(DROP, DROP_TCP_FLAGS);
	return tcp_conn_request(tp, seg, 0);
}

/* ---- 3.10.7.3 SYN-SENT ----------------------------------------------------------------------- */

/* Does an ACK in SYN-SENT acknowledge our SYN, with a timestamp that is ours? */
static bool syn_ack_acceptable(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t age;

	if (!after(seg->ack, tp->iss) || after(seg->ack, tp->snd_nxt))
		return false;
	if (!tp->ts_ok || !seg->opt.has_ts || !seg->opt.tsecr)
		return true;
	/* RFC 7323 3.2: an echo from before the SYN belongs to an older connection. */
	age = tcp_ts_clock(tcp_net(tp), tp->ts_off) - seg->opt.tsecr;
	if (age <= (tcp_net(tp)->now - tp->syn_stamp) / NSEC_PER_MSEC + 1)
		return true;
	mib_inc(tcp_net(tp), MIB_TcpExtPAWSActive);
	return false;
}

/*
 * The peer has an older connection in mind, which our reset ends: the SYN has a chance right behind it, not only
 * after a second. Once, as Linux.
 */
static void ask_again_soon(struct tcp_sock *tp)
{
	if (tp->retransmits == 0 && tcp_armed(tp, TCPT_REXMT))
		tcp_arm(tp, TCPT_REXMT, TCP_SYN_AGAIN_US);
}

/* Simultaneous open: RFC 9293 3.5, figure 8. */
static void simultaneous_open(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	take_peer_syn(tp, seg);
	tcp_ecn_rcv_syn(tp, seg);
	tcp_set_state(tp, TCP_SYN_RECV);
	tcp_send_syn(tp);
	tcp_arm(tp, TCPT_REXMT, tcp_rto_us(tp));
}

static struct tcp_result take_text(struct tcp_sock *tp, struct tcp_segment *seg);
static void check_fin(struct tcp_sock *tp);
static void check_urg(struct tcp_sock *tp, const struct tcp_segment *seg);

static struct tcp_result syn_sent_established(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_result r;

	take_peer_syn(tp, seg);
	tcp_ecn_rcv_synack(tp, seg);
	tp->snd_una = tp->iss + 1;
	tcp_fastopen_synack(tp, seg);
	tcp_finish_connect(tp, seg);
	tp->ack.scheduled = tp->ack.now = true;
	if (seg->ack != tp->snd_una) /* RFC 7413 4.2.1: the text of the SYN as well */
		tcp_ack(tp, seg);
	tp->snd_nxt = tp->snd_una; /* or a part of it: the rest is sent like text that never was */
	/* "If there are other controls or text in the segment, continue at the sixth step." */
	seg->seq++;
	seg->flags &= (uint8_t)~TCPHDR_SYN;
	check_urg(tp, seg);
	r = take_text(tp, seg);
	check_fin(tp);
	return r;
}

static struct tcp_result tcp_rcv_syn_sent(struct tcp_sock *tp, struct tcp_segment *seg)
{
	bool acked = false;

	/* First, the ACK bit. */
	if (seg->flags & TCPHDR_ACK) {
		if (!syn_ack_acceptable(tp, seg)) {
			ask_again_soon(tp);
			return TCP_RESULT(RESET, DROP_TCP_ACK_INVALID);
		}
		acked = true;
	}
	/* Second, the RST bit: only with an acceptable ACK (RFC 5961 3). */
	if (seg->flags & TCPHDR_RST) {
		if (acked)
			tcp_abort(tp, ECONNREFUSED);
		return TCP_RESULT(DROP, DROP_TCP_RESET);
	}
	/* Third, security and compartment: neither is in use (RFC 9293 A.1). Fourth, the SYN bit. */
	if (!(seg->flags & TCPHDR_SYN))
		return TCP_RESULT(DROP, DROP_TCP_FLAGS);
	if (acked)
		return syn_sent_established(tp, seg);
	simultaneous_open(tp, seg);
	return TCP_GO_ON;
}

/* ---- 3.10.7.4 synchronized states, first to fourth ------------------------------------------- */

static bool tcp_paws_discard(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return tp->ts_ok && seg->opt.has_ts && !(seg->flags & TCPHDR_RST) &&
	       tcp_paws_reject(tp->ts_recent, tp->ts_recent_stamp, seg->opt.tsval,
			       tcp_net(tp)->now);
}

/*
 * DEVIATES from RFC 9293 table 6 as Linux: also accepted is what ends at or behind the left edge of the
 * window last announced, and an empty segment at the right edge. A reordered ACK still counts that way,
 * and text in a zero window is judged by the seventh step.
 */
static bool in_window(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return !before(seg->end_seq, tp->rcv_wup) &&
	       !after(seg->seq, tp->rcv_nxt + tcp_receive_window(tp));
}

/* An ACK for a segment that is of no use: the peer learns what we expect (RFC 9293 3.10.7.4). */
static void ack_useless(struct tcp_sock *tp, const struct tcp_segment *seg, enum mib skipped)
{
	if (seg->end_seq == seg->seq || (seg->flags & TCPHDR_SYN)) {
		if (tcp_oow_rate_limited(tcp_net(tp), &tp->last_oow_ack, skipped))
			return;
	} else if (before(seg->seq, tp->rcv_nxt)) {
		mib_inc(tcp_net(tp), MIB_TcpExtDelayedACKLost);
		tcp_note_dsack(tp, seg->seq, seq_min(seg->end_seq, tp->rcv_nxt));
	}
	tcp_send_ack(tp);
}

/* An early connection, and the SYN again: our SYN-ACK was lost. */
static bool repeated_syn(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return tp->fastopen_rsk && seg->seq == tp->irs &&
	       (seg->flags & (TCPHDR_SYN | TCPHDR_ACK | TCPHDR_RST)) == TCPHDR_SYN;
}

static struct tcp_result check_sequence(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (repeated_syn(tp, seg)) {
		if (!tcp_oow_rate_limited(tcp_net(tp), &tp->last_oow_ack, MIB_TcpExtTCPACKSkippedSynRecv))
			tcp_send_syn(tp);
		return TCP_RESULT(DROP, NOT_DROPPED);
	}
	if (tcp_paws_discard(tp, seg)) { /* RFC 7323 5.3 R1 */
		ack_useless(tp, seg, MIB_TcpExtTCPACKSkippedPAWS);
		return TCP_RESULT(DROP, DROP_TCP_PAWS);
	}
	if (in_window(tp, seg))
		return TCP_GO_ON;
	if (after(seg->seq, tp->rcv_nxt + tcp_receive_window(tp)))
		mib_inc(tcp_net(tp), MIB_TcpExtBeyondWindow);
	if (seg->flags & TCPHDR_RST)
		return TCP_RESULT(DROP, DROP_TCP_OUT_OF_WINDOW);
	if (seg->flags & TCPHDR_SYN) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPSYNChallenge);
		tcp_send_challenge_ack(tp);
	} else {
		ack_useless(tp, seg, MIB_TcpExtTCPACKSkippedSeq);
	}
	return TCP_RESULT(DROP, DROP_TCP_OUT_OF_WINDOW);
}

/* The peer has reset the connection: what the program is told (RFC 9293 3.10.7.4, second). */
static int reset_error(const struct tcp_sock *tp)
{
	switch (tp->inet.sk.state) {
	case TCP_SYN_RECV:
		return ECONNREFUSED;
	case TCP_CLOSE_WAIT:
		return EPIPE; /* as Linux: the peer had already closed */
	default:
		return ECONNRESET;
	}
}

static struct tcp_result check_rst(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (!(seg->flags & TCPHDR_RST))
		return TCP_GO_ON;
	/* RFC 5961 3.2: only a RST at exactly RCV.NXT is believed. */
	if (seg->seq == tp->rcv_nxt) {
		tcp_fastopen_child_end(tp, true);
		tcp_abort(tp, reset_error(tp));
	} else {
		tcp_send_challenge_ack(tp);
	}
	return TCP_RESULT(DROP, DROP_TCP_RESET);
}

/* RFC 9293 3.10.7.4, third: security and compartment are not in use on today's networks (A.1). */
static struct tcp_result check_security(void)
{
	return TCP_GO_ON;
}

static struct tcp_result check_syn(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (!(seg->flags & TCPHDR_SYN))
		return TCP_GO_ON;
	/* Simultaneous open: the peer's SYN-ACK repeats its SYN; only its ACK is news. */
	if (tp->inet.sk.state == TCP_SYN_RECV && (seg->flags & TCPHDR_ACK) && seg->seq == tp->irs) {
		seg->seq++;
		seg->flags &= (uint8_t)~TCPHDR_SYN;
		return TCP_GO_ON;
	}
	mib_inc(tcp_net(tp), MIB_TcpExtTCPSYNChallenge);
	tcp_send_challenge_ack(tp); /* RFC 5961 4.2 */
	return TCP_RESULT(DROP, DROP_TCP_INVALID_SYN);
}

/* ---- fifth: the ACK -------------------------------------------------------------------------- */

static struct tcp_result ack_in_syn_received(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (!after(seg->ack, tp->snd_una) || after(seg->ack, tp->snd_nxt))
		return TCP_RESULT(RESET, DROP_TCP_ACK_INVALID);
	tp->snd_una = tp->iss + 1; /* text that was sent early is tcp_ack()'s */
	tp->snd_wnd = seg->wnd << tp->snd_wscale;
	tp->snd_wl1 = seg->seq;
	tp->snd_wl2 = seg->ack;
	tp->max_window = MAX(tp->max_window, tp->snd_wnd);
	tcp_sync_mss(tp, tp->pmtu); /* the first window that is scaled */
	tcp_finish_connect(tp, seg);
	return TCP_GO_ON;
}

/* Our FIN has been acknowledged. */
static struct tcp_result fin_acknowledged(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	switch (sk->state) {
	case TCP_FIN_WAIT1:
		tcp_set_state(tp, TCP_FIN_WAIT2);
		sk->shutdown |= SEND_SHUTDOWN;
		if (!sock_flag(sk, SOCK_DEAD))
			sk->state_change(sk);
		return TCP_GO_ON;
	case TCP_CLOSING:
		tcp_enter_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_MS);
		return TCP_RESULT(DROP, NOT_DROPPED);
	case TCP_LAST_ACK:
		tcp_done(tp);
		return TCP_RESULT(DROP, NOT_DROPPED);
	default:
		return TCP_GO_ON;
	}
}

static struct tcp_result check_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct tcp_result r;

	if (!(seg->flags & TCPHDR_ACK))
		return TCP_RESULT(DROP, DROP_TCP_FLAGS);
	if (tp->inet.sk.state == TCP_SYN_RECV) {
		r = ack_in_syn_received(tp, seg);
		if (r.verdict != TCP_PASS)
			return r;
	}
	r = tcp_ack(tp, seg);
	if (r.verdict == TCP_PASS && tcp_fin_acked(tp))
		r = fin_acknowledged(tp);
	return r;
}

/* ---- sixth: the urgent pointer --------------------------------------------------------------- */

static void new_urgent_pointer(struct tcp_sock *tp, uint32_t up)
{
	/* Read already, passed already, or no news. */
	if (after(tp->copied_seq, up) || before(up, tp->rcv_nxt) ||
	    (tp->urg_state && !after(up, tp->rcv_up)))
		return;
	/* An older urgent byte that nobody fetched, at the very front: it is dropped, as BSD and Linux. */
	if (tp->rcv_up == tp->copied_seq && tp->urg_state &&
	    !sock_flag(&tp->inet.sk, SOCK_URGINLINE) && tp->copied_seq != tp->rcv_nxt)
		tp->copied_seq++;
	tp->urg_state = URG_NOTYET;
	tp->rcv_up = up;
	if (!sock_flag(&tp->inet.sk, SOCK_DEAD))
		tp->inet.sk.data_ready(tcp_to_sk(tp));
}

/* RFC 9293 3.8.5; RFC 6093 3.1: the pointer names the byte behind the urgent one, as everyone does, unless
 * tcp_stdurg says that the peer is of the few who name the urgent one itself. */
static void check_urg(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t back = seg->urg_ptr && !tcp_net(tp)->tcp->sysctl.stdurg, offset;
	const uint8_t *byte;

	if (seg->flags & TCPHDR_URG)
		new_urgent_pointer(tp, seg->seq + seg->urg_ptr - back);
	if (tp->urg_state != URG_NOTYET)
		return;
	offset = tp->rcv_up - seg->seq;
	if (offset >= seg->len)
		return;
	byte = skb_header(seg->skb, seg->hlen + offset, 1);
	if (!byte)
		return;
	tp->urg_byte = *byte;
	tp->urg_state = URG_VALID;
	if (!sock_flag(&tp->inet.sk, SOCK_DEAD))
		tp->inet.sk.data_ready(tcp_to_sk(tp));
}

/* ---- seventh: the text ----------------------------------------------------------------------- */

/* Text for a program that is gone: RFC 9293 3.10.7.4, RFC 2525 2.17. */
static bool text_after_close(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint8_t state = tp->inet.sk.state;

	return (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2) &&
	       (tp->inet.sk.shutdown & RCV_SHUTDOWN) && seg->len &&
	       after(seg->seq + seg->len, tp->rcv_nxt);
}

static struct tcp_result take_text(struct tcp_sock *tp, struct tcp_segment *seg)
{
	enum skb_drop_reason reason;

	if (seg->len == 0 && !(seg->flags & TCPHDR_FIN))
		return TCP_GO_ON;
	if (text_after_close(tp, seg)) {
		/* <SEQ=SEG.ACK><CTL=RST>: that is what the peer expects next, even if it lacks our FIN (RFC 5961 3.2). */
		mib_inc(tcp_net(tp), MIB_TcpExtTCPAbortOnData);
		tcp_abort(tp, ECONNRESET);
		return TCP_RESULT(RESET, DROP_TCP_CLOSED);
	}
	if (tp->peer_fin) {
		/* CLOSE-WAIT, CLOSING, LAST-ACK: nothing can follow a FIN; it is acknowledged again (RFC 2883 4.1). */
		if (before(seg->seq, tp->rcv_nxt))
			tcp_note_dsack(tp, seg->seq, seq_min(seg->end_seq, tp->rcv_nxt));
		tp->ack.scheduled = tp->ack.now = true;
		return TCP_RESULT(DROP, DROP_TCP_OLD_DATA);
	}
	if (seg->len)
		tcp_ecn_rcv_text(tp, seg);
	tcp_rcv_rtt_measure(tp, seg);
	reason = tcp_data_queue(tp, seg);
	if (reason == SKB_NOT_DROPPED)
		return TCP_RESULT(TAKEN, NOT_DROPPED);
	return (struct tcp_result){ .verdict = TCP_DROP, .reason = reason };
}

/* ---- eighth: the FIN ------------------------------------------------------------------------- */

static void fin_arrived(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	tp->ack.scheduled = true;
	sk->shutdown |= RCV_SHUTDOWN;
	sock_set_flag(sk, SOCK_DONE);
	switch (sk->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(tp, TCP_CLOSE_WAIT);
		tp->ack.pingpong = true; /* a close in answer carries the ACK, as Linux */
		break;
	case TCP_FIN_WAIT1:
		tcp_set_state(tp, TCP_CLOSING);
		tp->ack.now = true;
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(tp);
		if (!sock_flag(sk, SOCK_DEAD))
			sk->state_change(sk);
		tcp_enter_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_MS);
		return;
	default:
		break;
	}
	if (!sock_flag(sk, SOCK_DEAD))
		sk->state_change(sk);
}

static void check_fin(struct tcp_sock *tp)
{
	if (tp->peer_fin && !sock_flag(&tp->inet.sk, SOCK_DONE))
		fin_arrived(tp);
}

/* ---- 3.10.7.4 in outline --------------------------------------------------------------------- */

static struct tcp_result tcp_rcv_synchronized(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_result r;

	r = check_sequence(tp, seg);
	if (r.verdict == TCP_PASS)
		r = check_rst(tp, seg);
	if (r.verdict == TCP_PASS)
		r = check_security();
	if (r.verdict == TCP_PASS)
		r = check_syn(tp, seg);
	if (r.verdict != TCP_PASS)
		return r;
	r = check_ack(tp, seg); /* what acknowledges the impossible has no timestamp to remember (RFC 5961 5.2) */
	if (r.verdict != TCP_PASS)
		return r;
	check_urg(tp, seg);
	r = take_text(tp, seg);
	check_fin(tp);
	return r;
}

/* ---- what is due at the end ------------------------------------------------------------------ */

/* RFC 9293 3.8.6.3, RFC 5681 4.2: at once for every second full segment and whenever order is amiss. */
static bool ack_is_urgent(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;

	if (tp->ack.now || !skb_queue_empty(&tp->ofo_queue))
		return true;
	if (tp->ack.quick && !tp->ack.pingpong)
		return true;
	return tp->rcv_nxt - tp->rcv_wup > tp->ack.rcv_mss &&
	       (tcp_inq(tp) < (uint32_t)MAX(sk->rcvlowat, 1) || tcp_free_window(tp) >= tp->rcv_wnd);
}

static void send_what_is_due(struct tcp_sock *tp)
{
	if (tp->inet.sk.state == TCP_CLOSE)
		return;
	tcp_output(tp);
	if (!tp->ack.scheduled)
		return;
	if (ack_is_urgent(tp))
		tcp_send_ack(tp);
	else
		tcp_send_delayed_ack(tp);
}

/**
 * tcp_carry_out() - does what was decided on a segment: it ends here, unless it was taken
 * @seg: its skb is consumed, but for TCP_TAKEN
 * @r:   the verdict
 */
void tcp_carry_out(struct tcp_segment *seg, struct tcp_result r)
{
	if (r.verdict == TCP_TAKEN)
		return;
	if (r.verdict == TCP_RESET)
		tcp_send_reset(seg);
	if (r.reason == SKB_NOT_DROPPED)
		skb_consume(seg->skb);
	else
		skb_drop(seg->skb, r.reason);
}

/**
 * tcp_segment_rcv() - SEGMENT ARRIVES
 * @tp:   socket in any state; the caller holds a reference
 * @seg:  segment; its skb is consumed
 */
void tcp_segment_rcv(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct sock *sk = tcp_to_sk(tp);
	struct tcp_result r;

	tp->segs_in += seg->skb->gso_segs ? seg->skb->gso_segs : 1U;
	switch (sk->state) {
	case TCP_CLOSE:
		r = TCP_RESULT(RESET, DROP_TCP_NO_SOCKET);
		break;
	case TCP_LISTEN:
		r = tcp_rcv_listen(tp, seg);
		break;
	case TCP_SYN_SENT:
		r = tcp_rcv_syn_sent(tp, seg);
		break;
	default:
		r = tcp_rcv_synchronized(tp, seg);
		break;
	}
	if (sk->state != TCP_LISTEN)
		send_what_is_due(tp);
	if (sk->state == TCP_FIN_WAIT2 && sock_flag(sk, SOCK_DEAD))
		tcp_orphan_fin_wait2(tp);
	tcp_carry_out(seg, r);
}
