/* SPDX-License-Identifier: MIT */
/*
 * Sending again: the range of a record of tcp_sent.c, or as much of it as one transmission holds. Which record it
 * is: the oldest (timeouts), the newest (the loss probe), the first lost one (recovery).
 *
 * Read first: RFC 6675 4, RFC 6298 5.4, RFC 8985 7.3.
 */
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

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
	struct sk_buff *text = tcp_find_text(tp, s->text, s->start);
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
	flags = tcp_text_flags(tp, text, s->start + len);
	if ((flags & TCPHDR_FIN) && !after(s->end, tp->write_seq))
		flags &= (uint8_t)~TCPHDR_FIN; /* the FIN has not been sent yet, or is lost for itself */
	if (tcp_transmit(tp, text, s->start, len, flags) < 0) {
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

/**
 * tcp_send_lost() - send the first of what is lost again
 * @tp:  connection
 *
 * Source:  RFC 6675 4, NextSeg() (1)
 * Return:  false when there is nothing, or no room for it in the congestion window
 */
bool tcp_send_lost(struct tcp_sock *tp)
{
	struct tcp_sent *s = tcp_sent_first_lost(tp);
	uint32_t room = tcp_cwnd_room(tp, tcp_pipe(tp));
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
