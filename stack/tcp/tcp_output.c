/* SPDX-License-Identifier: MIT */
/*
 * What may be sent now.
 *
 * The write queue is the program's text from snd_una to write_seq in buffers of up to a super-segment.
 * What was sent when is in the records of tcp_sent.c, which also say what is lost.
 *
 * tcp_output() is the one place that decides: first what is lost is sent again (tcp_retransmit.c),
 * then new text while the congestion window, the peer's window, Nagle and silly-window avoidance
 * allow (tcp_transmit.c sends it). Who changed any of these calls it; it is harmless to call it too
 * often. When nothing is in flight and text had to stay, the persist timer is armed, so that no
 * combination of limits can stall a connection; a device that refuses the new segment is one such
 * limit.
 *
 * Read first: RFC 9293 3.8.6 (windows), RFC 5681 3.1, RFC 6675 5.
 */
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

/* ---- new text -------------------------------------------------------------------------------- */

/* Is a segment smaller than the MSS unacknowledged? Minshall's test, as Linux. */
static bool small_in_flight(const struct tcp_sock *tp)
{
	return after(tp->snd_sml, tp->snd_una) && !after(tp->snd_sml, tp->snd_nxt);
}

/* Nagle (RFC 9293 3.7.4): may the last, partial segment of the queue go now? */
static bool nagle_allows(const struct tcp_sock *tp, bool more)
{
	if (tp->fin_queued || (tp->urg_pending && before(tp->snd_nxt, tp->snd_up)))
		return true;
	if (tp->cork || more)
		return false;
	return tp->nodelay || tcp_in_flight(tp) == 0 || !small_in_flight(tp);
}

/*
 * Fewer, larger transmissions: @len of the @avail bytes of a buffer, all that the windows allow now, may
 * wait for the ACKs under way to make a whole one of it. Not where they leave a third of the window (as
 * tcp_tso_win_divisor of Linux), and not where the wait would gather the ACK clock's even flow into a
 * burst that overruns the next queue: when the last text left more than a millisecond ago, or what is to be
 * acknowledged next less than half a round trip ago (both as Linux).
 */
static bool worth_waiting(const struct tcp_sock *tp, uint32_t len, uint32_t avail, uint32_t room,
			  uint32_t goal)
{
	const struct tcp_sent *head = tcp_sent_head(tp);
	ktime_t now = tcp_net(tp)->now;

	if (len >= goal || len >= avail || tp->fin_queued || tp->ca_state >= CA_RECOVERY || !head)
		return false;
	if (MIN(room, tcp_wnd_end(tp) - tp->snd_nxt) >= MIN(tp->snd_cwnd, tp->snd_wnd) / 3)
		return false;
	return now - tp->last_send <= NSEC_PER_MSEC &&
	       now - head->xmit >= tp->srtt_us * NSEC_PER_USEC / 2;
}

/*
 * Bytes of text to send next from the @avail of one buffer, 0 = none now. @room: of the congestion
 * window, *@limited: it is the limit; @goal: of the largest transmission. RFC 9293 3.8.6.2.1: a full segment, or all there is if Nagle agrees, or half the largest
 * window the peer ever had; the fourth case is the persist timer.
 */
static uint32_t sendable(const struct tcp_sock *tp, uint32_t avail, uint32_t room, uint32_t mss,
			 uint32_t goal, bool more, bool *limited)
{
	uint32_t wnd = after(tcp_wnd_end(tp), tp->snd_nxt) ? tcp_wnd_end(tp) - tp->snd_nxt : 0;
	uint32_t len = MIN(MIN(avail, goal), wnd), part;
	bool tail = tp->snd_nxt + avail == tp->write_seq;

	if (len > room) {
		*limited = true;
		if (MIN(len, mss) > room)
			return 0;
		len = room;
	}
	part = len % mss;
	if (len == avail && (!tail || part == 0 || nagle_allows(tp, more)))
		return len;
	if (len >= mss)
		return len - part;
	return len < avail && len >= tp->max_window / 2 ? len : 0;
}

static void note_new_text(struct tcp_sock *tp, struct tcp_sent *rec, struct sk_buff *text,
			  uint32_t len, uint8_t flags)
{
	uint32_t end = tp->snd_nxt + len + (flags & TCPHDR_FIN ? 1 : 0), mss = tcp_current_mss(tp);
	struct net *net = tcp_net(tp);
	bool first = tp->packets_out == 0;

	if (first)
		tcp_ca_event(tp, CA_EVENT_TX_START);
	tcp_sent_add(tp, rec, end, text);
	tp->snd_nxt = end;
	if (len % mss)
		tp->snd_sml = tp->snd_nxt;
	if (len) {
		/* An answer to what just came: ACKs ride on answers from now on. */
		if (net->now - tp->ack.lrcvtime < tp->ack.ato_ms * NSEC_PER_MSEC)
			tp->ack.pingpong = true;
		tp->last_send = net->now;
		tp->bytes_sent += len;
		mib_add(net, MIB_TcpExtTCPOrigDataSent, (len + mss - 1) / mss);
	}
	if (tcp_in_cwnd_reduction(tp))
		tp->prr_out += len;
	if (!tcp_armed(tp, TCPT_REXMT))
		tcp_rearm_rto(tp);
}

/**
 * tcp_cwnd_room() - room that the congestion window leaves; one segment can always be in flight
 * @tp:    connection
 * @pipe:  bytes in flight
 */
uint32_t tcp_cwnd_room(const struct tcp_sock *tp, uint32_t pipe)
{
	if (pipe == 0)
		return MAX(tp->snd_cwnd, tcp_current_mss(tp));
	return tp->snd_cwnd > pipe ? tp->snd_cwnd - pipe : 0;
}

/*
 * RFC 4821 7.2: new text in a segment larger than any before. 1: sent; 0: none is due; -1: one is, and to
 * be waited for.
 */
static int send_mtu_probe(struct tcp_sock *tp, struct sk_buff *text)
{
	uint32_t seq = tp->snd_nxt, usual = tp->mss_base, len;
	int due = tcp_mtup_probe_size(tp, tcp_cb(text)->end_seq - seq), err;
	struct tcp_sent *rec;

	if (due <= 0)
		return due;
	rec = tcp_sent_alloc(tp);
	if (!rec)
		return -1;
	len = (uint32_t)due;
	tp->mss_base = len + tcp_established_optlen(tp); /* in one piece */
	err = tcp_transmit(tp, text, seq, len, tcp_text_flags(tp, text, seq + len));
	if (err < 0)
		free(rec);
	else
		note_new_text(tp, rec, text, len, TCPHDR_ACK);
	tp->mss_base = usual;
	if (err < 0)
		return -1;
	tcp_mtup_sent(tp, len);
	return 1;
}

/* One new transmission; false = nothing (more) may be sent. */
static bool send_new(struct tcp_sock *tp, uint32_t pipe, bool more, bool *limited)
{
	uint32_t room = tcp_cwnd_room(tp, pipe), mss = tcp_current_mss(tp), seq = tp->snd_nxt, len = 0;
	bool alone = tp->urg_pending || (tp->ecn_flags & TCP_ECN_QUEUE_CWR);
	uint32_t goal = alone ? mss : tcp_tso_goal(tp, tcp_size_goal(tp), mss);
	struct sk_buff *text = tcp_find_text(tp, tp->send_hint, seq);
	struct tcp_sent *rec;
	uint8_t flags;
	int probe;

	if (text) {
		tp->send_hint = text;
		probe = tp->mtup_enabled ? send_mtu_probe(tp, text) : 0;
		if (probe)
			return probe > 0;
		len = sendable(tp, tcp_cb(text)->end_seq - seq, room, mss, goal, more,
			       limited);
		if (len == 0 || worth_waiting(tp, len, tcp_cb(text)->end_seq - seq, room, goal))
			return false;
	} else if (!before(seq, tcp_wnd_end(tp))) {
		return false; /* a FIN alone: it needs a place in the window, but none in cwnd */
	}
	flags = tcp_text_flags(tp, text, seq + len);
	if ((flags & TCPHDR_FIN) && !before(seq + len, tcp_wnd_end(tp)))
		flags &= (uint8_t)~TCPHDR_FIN;
	rec = tcp_sent_alloc(tp);
	if (!rec)
		return false;
	if (tcp_transmit(tp, text, seq, len, flags) < 0) {
		free(rec);
		return false;
	}
	note_new_text(tp, rec, text, len, flags);
	return true;
}

/* A segment of new text, at most the peer's window; only that is asked. */
static bool send_one(struct tcp_sock *tp)
{
	uint32_t seq = tp->snd_nxt, room = tcp_wnd_end(tp) - seq, len = 0;
	struct sk_buff *text = tcp_find_text(tp, tp->send_hint, seq);
	struct tcp_sent *rec = tcp_sent_alloc(tp);
	uint8_t flags;

	if (!rec)
		return false;
	if (text)
		len = MIN(MIN(tcp_cb(text)->end_seq - seq, tcp_current_mss(tp)), room);
	flags = tcp_text_flags(tp, text, seq + len);
	if ((flags & TCPHDR_FIN) && len >= room)
		flags &= (uint8_t)~TCPHDR_FIN;
	if (tcp_transmit(tp, text, seq, len, flags | TCPHDR_PSH) < 0) {
		free(rec);
		return false;
	}
	note_new_text(tp, rec, text, len, flags);
	return true;
}

/**
 * tcp_send_probe_segment() - the loss probe's first choice: a segment of new text
 * @tp:  connection
 *
 * Source:  RFC 8985 7.3; the peer's window holds, ours does not, and Nagle does not ask
 * Return:  true when it has left
 */
bool tcp_send_probe_segment(struct tcp_sock *tp)
{
	return tcp_unsent(tp) && after(tcp_wnd_end(tp), tp->snd_nxt) && send_one(tp);
}

/**
 * tcp_write_wakeup() - the persist timer's segment: what the window takes, or an empty probe
 * @tp:  connection with unsent text and nothing in flight
 *
 * A peer drops the probe for its number, and an urgent pointer with it: that goes in front, in a segment which
 * counts. Source: RFC 9293 3.8.5 (urgent data is announced also when the window is zero); as Linux
 */
void tcp_write_wakeup(struct tcp_sock *tp)
{
	if (!tcp_unsent(tp) || !before(tp->snd_nxt, tcp_wnd_end(tp))) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPWinProbe);
		if (tp->urg_pending && after(tp->snd_up, tp->snd_una))
			tcp_send_ack(tp);
		tcp_send_probe(tp);
		return;
	}
	send_one(tp);
}

/* ---- the decision ---------------------------------------------------------------------------- */

static bool may_send(const struct tcp_sock *tp)
{
	switch (tp->inet.sk.state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
	case TCP_FIN_WAIT1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return true;
	case TCP_SYN_RECV:
		return sock_flag(&tp->inet.sk, SOCK_EARLY); /* RFC 7413 4.2.2: answers before the ACK */
	default:
		return false;
	}
}

/* RFC 6675 4, NextSeg(): (1) lost text, (2) new text; (3) and (4) are left to RACK and the probe. */
static void send_allowed(struct tcp_sock *tp, bool more)
{
	uint32_t had = tp->snd_nxt;
	bool limited = false;

	if (tp->ecn_hold && tcp_ecn_holds(tp))
		return;
	while (!tp->send_new_only && tp->lost_out && !tcp_pacing_check(tp) && tcp_send_lost(tp))
		;
	while (tcp_unsent(tp) && !tcp_pacing_check(tp) && send_new(tp, tcp_pipe(tp), more, &limited))
		;
	if (limited || tp->snd_nxt != had)
		tcp_cwnd_validate(tp, limited || tcp_cwnd_room(tp, tcp_pipe(tp)) < tcp_current_mss(tp));
	if (tp->snd_nxt != had)
		tcp_schedule_loss_probe(tp, false);
}

static void output(struct tcp_sock *tp, bool more)
{
	struct net *net = tcp_net(tp);
	uint32_t mtu;

	if (!may_send(tp) || (!tcp_unsent(tp) && !tp->lost_out))
		return;
	mtu = tcp_route_mtu(tp);
	if (mtu && mtu != tp->pmtu)
		tcp_sync_mss(tp, mtu);
	if (tcp_in_flight(tp) == 0 && tcp_unsent(tp) && net->tcp->sysctl.slow_start_after_idle &&
	    !tp->ca->cong_control && tp->last_send && net->now - tp->last_send > tp->rto_us * NSEC_PER_USEC)
		tcp_cwnd_restart(tp);

	send_allowed(tp, more);

	/* RFC 9293 3.8.6.1; also what ends a CORK (200 ms, as Linux) and a device's refusal. */
	if (tcp_in_flight(tp) == 0 && tcp_unsent(tp) && !tcp_armed(tp, TCPT_PERSIST) &&
	    !tcp_armed(tp, TCPT_PACE))
		tcp_arm(tp, TCPT_PERSIST, tcp_rto_us(tp));
}

/**
 * tcp_output() - send whatever may be sent
 * @tp:  connection, in any state
 */
void tcp_output(struct tcp_sock *tp)
{
	output(tp, false);
	tcp_chrono_update(tp);
}

/**
 * tcp_push_pending() - send after the program has written
 * @tp:    connection
 * @more:  MSG_MORE: keep a partial segment back
 */
void tcp_push_pending(struct tcp_sock *tp, bool more)
{
	output(tp, more);
	tcp_chrono_update(tp);
}
