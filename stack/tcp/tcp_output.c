/* SPDX-License-Identifier: MIT */
/*
 * What may be sent now, and sending it.
 *
 * The write queue is the program's text from snd_una to write_seq in buffers of up to a super-segment.
 * A transmission is a range of sequence numbers: a small header of its own, with the text attached by
 * reference. No text is split or copied, a retransmission is the same with an older range, and a
 * header still waiting in a device's queue is nobody's business. What was sent when is in the records of
 * tcp_sent.c, which also say what is lost.
 *
 * tcp_output() is the one place that decides: first what is lost is sent again,
 * then new text while the congestion window, the peer's window, Nagle and silly-window avoidance
 * allow. Who changed any of these calls it; it is harmless to call it too often. When nothing is in
 * flight and text had to stay, the persist timer is armed, so that no combination of limits can stall
 * a connection; a device that refuses the new segment is one such limit.
 *
 * Read first: RFC 9293 3.8.6 (windows), RFC 5681 3.1, RFC 6675 5.
 */
#include "stack/tcp/tcp.h"

/* ---- sizes ----------------------------------------------------------------------------------- */

/**
 * tcp_route_mtu() - path MTU of the connection now, renewing a stale route
 * @tp:  connection
 *
 * Return:  bytes of an IP packet; 0 when there is no route
 */
uint32_t tcp_route_mtu(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet;

	if (!dst_check(tcp_net(tp), &inet->dst) && inet_route(inet, &inet->daddr) < 0)
		return 0;
	return inet->dst.mtu;
}

/**
 * tcp_advertised_mss() - the MSS option for our SYN
 * @inet:      route in inet->dst
 * @user_mss:  TCP_MAXSEG, 0 = none
 *
 * Source:  RFC 9293 3.7.1: effective receive MTU less 40; MSS does not count options (RFC 6691)
 */
uint16_t tcp_advertised_mss(struct inet_sock *inet, uint32_t user_mss)
{
	uint32_t mtu = inet->dst.dev ? MIN(inet->dst.dev->mtu, 65535U) : 576;
	uint32_t mss = MAX(mtu, IPV4_HLEN + TCP_HLEN + TCP_MIN_SND_MSS) - IPV4_HLEN - TCP_HLEN;

	return (uint16_t)(user_mss ? MIN(user_mss, mss) : mss);
}

/**
 * tcp_sync_mss() - fit the segment size to a path MTU
 * @tp:    connection; mss_clamp and max_window are known
 * @pmtu:  bytes of an IP packet
 *
 * The size includes options (RFC 9293 3.7.1: Eff.snd.MSS less the options of the segment at hand). It
 * is kept below half the peer's largest window, so that a small-window peer is never stalled by a
 * delayed ACK (as Linux).
 */
void tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu)
{
	uint32_t mss = MAX(pmtu, IPV4_HLEN + TCP_HLEN + TCP_MIN_SND_MSS) - IPV4_HLEN - TCP_HLEN;
	uint32_t half = tp->max_window > TCP_MSS_DEFAULT_V4 ? tp->max_window / 2 : tp->max_window;

	mss = MIN(mss, tp->mss_clamp);
	if (half && mss > half)
		mss = half;
	mss = tcp_mtup_limit(tp, mss, pmtu);
	tp->mss_base = MAX(mss, TCP_MIN_SND_MSS);
	tp->pmtu = pmtu;
}

/**
 * tcp_current_mss() - bytes of text in the next full segment
 * @tp:  connection
 */
uint32_t tcp_current_mss(const struct tcp_sock *tp)
{
	return MAX(tp->mss_base, tcp_established_optlen(tp) + 8) - tcp_established_optlen(tp);
}

/**
 * tcp_size_goal() - bytes of text in the largest transmission: whole segments, as the device takes
 * @tp:  connection
 *
 * Write-queue buffers are made this large, so that one transmission takes all of one.
 */
uint32_t tcp_size_goal(const struct tcp_sock *tp)
{
	const struct net_device *dev = tp->inet.dst.dev;
	uint32_t mss = tcp_current_mss(tp), max = TCP_GSO_MAX_PAYLOAD;

	if (!dev || !(dev->features & NETIF_F_TSO))
		return mss;
	if (dev->gso_max_size)
		max = MIN(max, dev->gso_max_size);
	max -= MIN(max, IPV4_HLEN + TCP_MAX_HLEN);
	return MAX(max / mss, 1U) * mss;
}

/* ---- the window we announce ------------------------------------------------------------------ */

/**
 * tcp_select_initial_window() - window and scale for a SYN
 * @net:        namespace
 * @space:      receive buffer, bytes
 * @mss:        ours; the window is a multiple of it
 * @wscale_ok:  scaling may be used
 * @clamp:      TCP_WINDOW_CLAMP, 0 = none
 * @wnd:        result, <= 65535: a SYN's window is never scaled (RFC 7323 2.2)
 * @wscale:     result: fits the largest buffer that tuning may reach
 */
void tcp_select_initial_window(struct net *net, int space, uint32_t mss, bool wscale_ok,
			       uint32_t clamp, uint32_t *wnd, uint8_t *wscale)
{
	uint32_t win = tcp_win_from_space(net, space), largest;

	if (clamp)
		win = MIN(win, clamp);
	win = MIN(win, 65535U);
	if (win > mss && mss)
		win -= win % mss;
	*wnd = win;
	*wscale = 0;
	if (!wscale_ok)
		return;
	largest = (uint32_t)MAX(space, net->tcp->sysctl.rmem[2]);
	if (clamp)
		largest = MIN(largest, clamp);
	while (largest > 65535 && *wscale < TCP_MAX_WSCALE) {
		largest >>= 1;
		(*wscale)++;
	}
}

/**
 * tcp_receive_window() - what is left of the window last announced
 * @tp:  connection
 */
uint32_t tcp_receive_window(const struct tcp_sock *tp)
{
	int32_t left = (int32_t)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);

	return left > 0 ? (uint32_t)left : 0;
}

/* Without scaling: multiples of the peer's segment, moved only by as much (Clark's algorithm). */
static uint32_t unscaled_window(const struct tcp_sock *tp, uint32_t free_space, uint32_t full,
				uint32_t mss)
{
	uint32_t win = tp->rcv_wnd;

	if (win + mss <= free_space || win > free_space)
		return free_space - free_space % mss;
	if (mss == full && free_space > win + full / 2)
		return free_space;
	return win;
}

/**
 * tcp_free_window() - the window that our buffer has room for
 * @tp:  connection
 *
 * Source:  RFC 9293 3.8.6.2.2: grow by at least a segment or half the buffer; else announce zero
 */
uint32_t tcp_free_window(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	uint32_t allowed = tcp_win_from_space(sk->net, sk->rcvbuf);
	uint32_t full = tp->window_clamp ? MIN(allowed, tp->window_clamp) : allowed;
	uint32_t space = tcp_win_from_space(sk->net, sk->rcvbuf - (int64_t)tcp_rmem_used(tp));
	uint32_t mss = MIN(tp->ack.rcv_mss, full), unit = 1U << tp->rcv_wscale;

	if (mss == 0)
		return 0;
	if (space < full / 2) {
		space -= space % unit;
		if (space < allowed / 16 || space < mss)
			return 0;
		if (tcp_under_pressure(sk->net))
			space = MIN(space, 4U * tp->advmss); /* as Linux */
	}
	space = MIN(space, full);
	if (tp->rcv_ssthresh)
		space = MIN(space, tp->rcv_ssthresh);
	if (tp->rcv_wscale)
		return (space + unit - 1) / unit * unit;
	return unscaled_window(tp, space, full, mss);
}

/**
 * tcp_select_window() - decide on the window to announce in a segment that leaves now
 * @tp:  connection; rcv_wnd and rcv_wup are moved
 *
 * Source:  RFC 9293 3.8.6: never shrink
 * Return:  bytes, representable in 16 bits after scaling
 */
uint32_t tcp_select_window(struct tcp_sock *tp)
{
	uint32_t old = tcp_receive_window(tp), win = tcp_free_window(tp),
		 unit = 1U << tp->rcv_wscale;
	struct net *net = tcp_net(tp);

	if (win < old) {
		if (win == 0)
			mib_inc(net, MIB_TcpExtTCPWantZeroWindowAdv);
		win = (old + unit - 1) / unit * unit;
	}
	win = MIN(win, 65535U << tp->rcv_wscale);
	if (win == 0 && tp->rcv_wnd)
		mib_inc(net, MIB_TcpExtTCPToZeroWindowAdv);
	else if (win && tp->rcv_wnd == 0)
		mib_inc(net, MIB_TcpExtTCPFromZeroWindowAdv);
	tp->rcv_wnd = win;
	tp->rcv_wup = tp->rcv_nxt;
	return win;
}

/* ---- making a segment ------------------------------------------------------------------------ */

/* The segment has left: it carried an acknowledgement of all up to rcv_nxt. */
static void ack_was_sent(struct tcp_sock *tp)
{
	tp->ack.scheduled = tp->ack.now = false;
	if (tp->ack.quick)
		tp->ack.quick--;
	tp->last_ack_sent = tp->rcv_nxt;
	tcp_disarm(tp, TCPT_DELACK);
}

/* The buffer that holds the byte at @seq, searched from @skb when that helps; NULL = none. */
static struct sk_buff *find_text(const struct tcp_sock *tp, struct sk_buff *skb, uint32_t seq)
{
	if (!skb || before(seq, tcp_cb(skb)->seq))
		skb = skb_peek(&tp->write_queue);
	while (skb && after_eq(seq, tcp_cb(skb)->end_seq))
		skb = skb_peek_next(&tp->write_queue, skb);
	return skb;
}

static void set_urgent(const struct tcp_sock *tp, struct tcp_hdr *th, uint32_t seq)
{
	uint32_t ahead = tp->snd_up - seq;

	if (!tp->urg_pending || !before(seq, tp->snd_up))
		return;
	/* RFC 6093 3.1, as Linux and BSD: the pointer names the byte behind the urgent one. */
	th->urg_ptr = cpu_to_be16((uint16_t)MIN(ahead, 0xffffU));
	th->flags |= TCPHDR_URG;
}

/* Header with options in front of what @skb holds; the window and ACK are the current ones. */
static void push_header(struct tcp_sock *tp, struct sk_buff *skb, uint32_t seq, uint8_t flags)
{
	uint8_t opt[TCP_MAX_HLEN];
	uint32_t optlen = tcp_write_established_options(tp, opt);
	uint32_t win = tcp_select_window(tp);
	struct tcp_hdr *th;

	memcpy(skb_push(skb, optlen), opt, optlen);
	th = (struct tcp_hdr *)(void *)skb_push(skb, TCP_HLEN);
	memset(th, 0, TCP_HLEN);
	th->source = tp->inet.sport;
	th->dest = tp->inet.dport;
	th->seq = cpu_to_be32(seq);
	th->ack_seq = cpu_to_be32(flags & TCPHDR_ACK ? tp->rcv_nxt : 0);
	th->doff = (uint8_t)((TCP_HLEN + optlen) / 4 << 4);
	th->flags = flags;
	th->window = cpu_to_be16((uint16_t)(win >> tp->rcv_wscale));
	set_urgent(tp, th, seq);
}

/*
 * Sends the text [@seq, @seq + @len), all of it in @text (NULL when @len is 0). Memory that is short
 * or a device that is full is an error and no loss: the range is simply still to be sent.
 */
static int transmit(struct tcp_sock *tp, struct sk_buff *text, uint32_t seq, uint32_t len,
		    uint8_t flags)
{
	uint32_t mss = tcp_current_mss(tp);
	struct sk_buff *skb;
	int err;

	skb = tcp_alloc_header(&tp->inet, &err);
	if (!skb)
		return err;
	flags |= tcp_ecn_send(tp, seq, len);
	push_header(tp, skb, seq, flags);
	if (len) {
		skb_set_frag(skb, text->block, text->data + (seq - tcp_cb(text)->seq), len);
		if (len > mss) {
			skb->gso_type = SKB_GSO_TCPV4;
			skb->gso_size = (uint16_t)mss;
			skb->gso_segs = (uint16_t)((len + mss - 1) / mss);
		}
		tp->data_segs_out += (len + mss - 1) / mss;
		tcp_pacing_sent(tp, len);
	}
	tp->segs_out += skb->gso_segs ? skb->gso_segs : 1U;
	if (flags & TCPHDR_ACK)
		ack_was_sent(tp);
	err = tcp_queue_xmit(&tp->inet, skb);
	if (err && (flags & TCPHDR_CWR))
		tcp_ecn_queue_cwr(tp);
	if (err == -EMSGSIZE && tcp_route_mtu(tp))
		tcp_sync_mss(tp, tcp_route_mtu(tp));
	return err;
}

/* PSH when the range ends where a write of the program ended. */
static uint8_t text_flags(const struct tcp_sock *tp, const struct sk_buff *text, uint32_t end)
{
	uint8_t flags = TCPHDR_ACK;

	if (text && end == tcp_cb(text)->end_seq)
		flags |= tcp_cb(text)->flags & TCPHDR_PSH;
	if (tp->fin_queued && end == tp->write_seq)
		flags |= TCPHDR_FIN;
	return flags;
}

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

/* Fewer, larger transmissions: wait for the ACKs under way while a third of the window is out. */
static bool worth_waiting(const struct tcp_sock *tp, uint32_t len, uint32_t pipe, uint32_t goal)
{
	uint32_t third = MIN(tp->snd_cwnd, tp->snd_wnd) / 3;

	if (tp->fin_queued || tp->ca_state >= CA_RECOVERY)
		return false;
	return len < goal && len < third && pipe > third && len < tcp_unsent(tp);
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

/* Room that the congestion window leaves beside @pipe; one segment can always be in flight. */
static uint32_t cwnd_room(const struct tcp_sock *tp, uint32_t pipe)
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
	err = transmit(tp, text, seq, len, text_flags(tp, text, seq + len));
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
	uint32_t room = cwnd_room(tp, pipe), mss = tcp_current_mss(tp), seq = tp->snd_nxt, len = 0;
	bool alone = tp->urg_pending || (tp->ecn_flags & TCP_ECN_QUEUE_CWR);
	uint32_t goal = alone ? mss : tcp_tso_goal(tp, tcp_size_goal(tp), mss);
	struct sk_buff *text = find_text(tp, tp->send_hint, seq);
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
		if (len == 0 || worth_waiting(tp, len, pipe, goal))
			return false;
	} else if (!before(seq, tcp_wnd_end(tp))) {
		return false; /* a FIN alone: it needs a place in the window, but none in cwnd */
	}
	flags = text_flags(tp, text, seq + len);
	if ((flags & TCPHDR_FIN) && !before(seq + len, tcp_wnd_end(tp)))
		flags &= (uint8_t)~TCPHDR_FIN;
	rec = tcp_sent_alloc(tp);
	if (!rec)
		return false;
	if (transmit(tp, text, seq, len, flags) < 0) {
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
	struct sk_buff *text = find_text(tp, tp->send_hint, seq);
	struct tcp_sent *rec = tcp_sent_alloc(tp);
	uint8_t flags;

	if (!rec)
		return false;
	if (text)
		len = MIN(MIN(tcp_cb(text)->end_seq - seq, tcp_current_mss(tp)), room);
	flags = text_flags(tp, text, seq + len);
	if ((flags & TCPHDR_FIN) && len >= room)
		flags &= (uint8_t)~TCPHDR_FIN;
	if (transmit(tp, text, seq, len, flags | TCPHDR_PSH) < 0) {
		free(rec);
		return false;
	}
	note_new_text(tp, rec, text, len, flags);
	return true;
}

/* ---- retransmission -------------------------------------------------------------------------- */

static void note_retransmission(struct tcp_sock *tp, struct tcp_sent *s, uint32_t len)
{
	struct net *net = tcp_net(tp);
	bool first = s == tcp_sent_head(tp);

	tcp_sent_again(tp, s);
	if (!tp->retrans_stamp)
		tp->retrans_stamp = net->now;
	if (!tp->stall_stamp)
		tp->stall_stamp = net->now;
	tp->total_retrans += s->segs;
	tp->bytes_retrans += len;
	tp->undo_bytes += s->end - s->start;
	tp->undo_rexmitted = true;
	if (tcp_in_cwnd_reduction(tp))
		tp->prr_out += len;
	mib_add(net, MIB_TcpRetransSegs, s->segs);
	if (!tcp_armed(tp, TCPT_REXMT) || (first && tp->rexmt_kind != REXMT_REO))
		tcp_arm_rexmt(tp, REXMT_RTO, tcp_rto_us(tp));
}

/*
 * Sends a record again: at most @room bytes (but a segment's worth), whole segments, of one buffer. What
 * does not fit becomes a record of its own.
 */
static bool retransmit(struct tcp_sock *tp, struct tcp_sent *s, uint32_t room)
{
	uint32_t mss = tcp_current_mss(tp), len = 0, text_end;
	struct sk_buff *text = find_text(tp, s->text, s->start);
	uint8_t flags;

	if (s->end - s->start < mss)
		tcp_sent_collapse(tp, s, mss);
	text_end = seq_min(s->end, tp->write_seq);
	if (text) {
		len = MIN(seq_min(text_end, tcp_cb(text)->end_seq) - s->start, tcp_size_goal(tp));
		if (len > room)
			len = MAX(room - room % mss, MIN(len, mss));
	}
	if (s->start + len != text_end && !tcp_sent_split(tp, s, s->start + len))
		return false;
	flags = text_flags(tp, text, s->start + len);
	if ((flags & TCPHDR_FIN) && !after(s->end, tp->write_seq))
		flags &= (uint8_t)~TCPHDR_FIN; /* the FIN has not been sent yet, or is lost for itself */
	if (transmit(tp, text, s->start, len, flags) < 0) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPRetransFail);
		return false;
	}
	s->text = text;
	note_retransmission(tp, s, len);
	return true;
}

/**
 * tcp_retransmit_first() - send the oldest unacknowledged segment again, whatever the windows say
 * @tp:  connection with something in flight
 *
 * Return:  0; -EAGAIN when it could not be sent
 */
int tcp_retransmit_first(struct tcp_sock *tp)
{
	struct tcp_sent *head = tcp_sent_head(tp);

	if (!head || !retransmit(tp, head, tcp_current_mss(tp)))
		return -EAGAIN;
	return 0;
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
 * tcp_retransmit_tail() - the loss probe's second choice: the last segment again
 * @tp:  connection with something in flight
 *
 * Source:  RFC 8985 7.3
 * Return:  true when it has left
 */
bool tcp_retransmit_tail(struct tcp_sock *tp)
{
	struct tcp_sent *tail = tcp_sent_tail(tp);
	uint32_t mss = tcp_current_mss(tp), from;

	if (!tail || (tail->flags & SENT_SACKED))
		return false;
	if (tail->segs > 1) {
		from = tail->start + (tail->segs - 1) * tail->mss;
		if (!between(from, tail->start + 1, tail->end - 1) || !tcp_sent_split(tp, tail, from))
			return false;
		tail = tcp_sent_tail(tp);
	}
	return retransmit(tp, tail, mss);
}

/* RFC 6675 4, NextSeg() (1): false = nothing to send again within cwnd. */
static bool send_lost(struct tcp_sock *tp)
{
	struct tcp_sent *s = tcp_sent_first_lost(tp);
	uint32_t room = cwnd_room(tp, tcp_pipe(tp));
	struct net *net = tcp_net(tp);

	if (!s || room < MIN(tcp_current_mss(tp), s->end - s->start))
		return false;
	/* The peer has taken its window back: only the first, as a probe. */
	if (!before(s->start, tcp_wnd_end(tp)) && s->start != tp->snd_una)
		return false;
	if (!retransmit(tp, s, room))
		return false;
	mib_add(net, tp->ca_state == CA_LOSS ? MIB_TcpExtTCPSlowStartRetrans :
						MIB_TcpExtTCPFastRetrans, s->segs);
	return true;
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

	while (!tp->send_new_only && tp->lost_out && !tcp_pacing_check(tp) && send_lost(tp))
		;
	while (tcp_unsent(tp) && !tcp_pacing_check(tp) && send_new(tp, tcp_pipe(tp), more, &limited))
		;
	if (limited || tp->snd_nxt != had)
		tcp_cwnd_validate(tp, limited || cwnd_room(tp, tcp_pipe(tp)) < tcp_current_mss(tp));
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

/* ---- segments without text ------------------------------------------------------------------- */

/**
 * tcp_send_ack() - acknowledge now
 * @tp:  connection
 *
 * If there is no memory the delayed-ACK timer tries again.
 */
void tcp_send_ack(struct tcp_sock *tp)
{
	if (tp->inet.sk.state == TCP_CLOSE)
		return;
	if (transmit(tp, NULL, tp->snd_nxt, 0, TCPHDR_ACK) < 0) {
		tp->ack.scheduled = true;
		tcp_arm(tp, TCPT_DELACK, TCP_DELACK_MAX_MS * 1000);
	}
}

/**
 * tcp_send_delayed_ack() - acknowledge soon, unless an answer does before
 * @tp:  connection
 *
 * Source:  RFC 9293 3.8.6.3 (below 0.5 s); 40 to 200 ms by the arrival rate, as Linux
 */
void tcp_send_delayed_ack(struct tcp_sock *tp)
{
	uint32_t delay = MAX(tp->ack.ato_ms, TCP_DELACK_MIN_MS);

	tp->ack.scheduled = true;
	if (!tcp_armed(tp, TCPT_DELACK))
		tcp_arm(tp, TCPT_DELACK, MIN(delay, TCP_DELACK_MAX_MS) * 1000ULL);
}

/**
 * tcp_send_active_reset() - tell the peer that the connection is gone
 * @tp:  connection
 *
 * Source:  RFC 9293 3.10.5 (ABORT): <SEQ=SND.NXT><CTL=RST>; with ACK as everyone sends it
 */
void tcp_send_active_reset(struct tcp_sock *tp)
{
	mib_inc(tcp_net(tp), MIB_TcpOutRsts);
	transmit(tp, NULL, tp->snd_nxt, 0, TCPHDR_ACK | TCPHDR_RST);
}

/**
 * tcp_send_probe() - a segment that only asks for an ACK: one byte below what the peer expects
 * @tp:  connection
 *
 * Source:  RFC 9293 3.8.4; DEVIATES from 3.8.6.1 (a byte of new text) as Linux
 */
void tcp_send_probe(struct tcp_sock *tp)
{
	transmit(tp, NULL, tp->snd_una - 1, 0, TCPHDR_ACK);
}

/**
 * tcp_write_wakeup() - the persist timer's segment: what the window takes, or an empty probe
 * @tp:  connection with unsent text and nothing in flight
 */
void tcp_write_wakeup(struct tcp_sock *tp)
{
	if (!tcp_unsent(tp) || !before(tp->snd_nxt, tcp_wnd_end(tp))) {
		mib_inc(tcp_net(tp), MIB_TcpExtTCPWinProbe);
		tcp_send_probe(tp);
		return;
	}
	send_one(tp);
}

/* ---- SYN ------------------------------------------------------------------------------------- */

static void push_syn_header(const struct inet_sock *inet, struct sk_buff *skb,
			    const struct tcp_options *o, const struct tcp_segment *f)
{
	uint8_t opt[TCP_MAX_HLEN];
	uint32_t optlen = tcp_write_syn_options(opt, o);
	struct tcp_hdr *th;

	memcpy(skb_push(skb, optlen), opt, optlen);
	th = (struct tcp_hdr *)(void *)skb_push(skb, TCP_HLEN);
	memset(th, 0, TCP_HLEN);
	th->source = inet->sport;
	th->dest = inet->dport;
	th->seq = cpu_to_be32(f->seq);
	th->ack_seq = cpu_to_be32(f->flags & TCPHDR_ACK ? f->ack : 0);
	th->doff = (uint8_t)((TCP_HLEN + optlen) / 4 << 4);
	th->flags = f->flags;
	/* RFC 7323 2.2: the window of a SYN is never scaled. */
	th->window = cpu_to_be16((uint16_t)MIN(f->wnd, 65535U));
}

/* Text for a SYN: it leaves room for options that a middlebox may add (RFC 7413 4.2.1, as Linux). */
static uint32_t attach_syn_text(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sk_buff *text = skb_peek(&tp->write_queue);
	uint32_t room = tp->mss_base - MIN(tp->mss_base, TCP_MAX_HLEN - TCP_HLEN), len;

	if (!text || !room)
		return 0;
	len = MIN(tcp_cb(text)->end_seq - tcp_cb(text)->seq, room);
	skb_set_frag(skb, text->block, text->data, len);
	return len;
}

static void note_syn_text(struct tcp_sock *tp, uint32_t len)
{
	struct net *net = tcp_net(tp);

	tp->syn_data = true;
	tp->snd_nxt += len;
	tp->bytes_sent += len;
	tp->data_segs_out++;
	tp->last_send = net->now;
	mib_inc(net, MIB_TcpExtTCPOrigDataSent);
}

static int send_syn(struct tcp_sock *tp, bool first)
{
	bool synack = tp->inet.sk.state == TCP_SYN_RECV;
	struct tcp_segment f = { .seq = tp->iss, .ack = tp->rcv_nxt, .wnd = tp->rcv_wnd,
				 .flags = TCPHDR_SYN };
	struct tcp_options o = { .has_mss = true, .mss = tp->advmss, .has_sack_ok = tp->sack_ok,
				 .has_ts = tp->ts_ok, .has_wscale = tp->wscale_ok,
				 .wscale = tp->rcv_wscale,
				 .tsval = tcp_ts_clock(tcp_net(tp), tp->ts_off),
				 .tsecr = synack ? tp->ts_recent : 0 };
	uint32_t len = 0;
	struct sk_buff *skb;
	int err;

	skb = tcp_alloc_header(&tp->inet, &err);
	if (!skb)
		return err;
	if (synack)
		f.flags |= TCPHDR_ACK;
	f.flags |= tcp_ecn_syn_flags(tp, synack);
	if (first && tp->syn_option) {
		o.has_fastopen = tp->syn_asked = true;
		o.fastopen = tp->syn_cookie;
	}
	push_syn_header(&tp->inet, skb, &o, &f);
	tp->segs_out++;
	if (synack)
		tp->last_ack_sent = tp->rcv_nxt;
	else if (first && tp->syn_fastopen)
		len = attach_syn_text(tp, skb);
	err = tcp_queue_xmit(&tp->inet, skb);
	if (len && err == 0)
		note_syn_text(tp, len);
	return err;
}

/**
 * tcp_send_syn() - SYN, or SYN-ACK of a full socket; the first or a retransmission
 * @tp:  connection in SYN-SENT or SYN-RECEIVED
 *
 * Source:  RFC 7413 4.2.1: without Fast Open's option and text, which may be why the first was lost
 * Return:  0 or negative errno
 */
int tcp_send_syn(struct tcp_sock *tp)
{
	return send_syn(tp, false);
}

/**
 * tcp_send_first_syn() - SYN or SYN-ACK with what Fast Open adds to it
 * @tp:  connection; tcp_fastopen_prepare() or tcp_fastopen_try() has said what
 *
 * Return:  0 or negative errno
 */
int tcp_send_first_syn(struct tcp_sock *tp)
{
	return send_syn(tp, true);
}

/**
 * tcp_send_synack() - answer a SYN for a request
 * @req:  request; a failure is repaired by its timer
 */
void tcp_send_synack(struct tcp_request *req)
{
	struct tcp_segment f = { .seq = req->iss, .ack = req->irs + 1, .wnd = req->rcv_wnd,
				 .flags = (uint8_t)(TCPHDR_SYN | TCPHDR_ACK | (req->ecn_ok ? TCPHDR_ECE : 0)) };
	struct tcp_options o = { .has_mss = true, .mss = req->advmss, .has_sack_ok = req->sack_ok,
				 .has_ts = req->ts_ok, .has_wscale = req->wscale_ok,
				 .wscale = req->rcv_wscale, .tsecr = req->ts_recent,
				 .tsval = req->cookie ? tcp_cookie_ts(req) :
							tcp_ts_clock(req->inet.sk.net, req->ts_off) };
	struct sk_buff *skb;
	int err;

	skb = tcp_alloc_header(&req->inet, &err);
	if (!skb)
		return;
	if (req->has_fastopen) {
		o.has_fastopen = true;
		o.fastopen = req->fastopen;
		req->has_fastopen = false; /* in the first one only, as Linux */
	}
	push_syn_header(&req->inet, skb, &o, &f);
	tcp_queue_xmit(&req->inet, skb);
}
