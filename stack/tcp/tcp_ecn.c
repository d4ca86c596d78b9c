/* SPDX-License-Identifier: MIT */
/*
 * Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them.
 *
 *   sender                      router               receiver
 *     text, IP ECT(0)  ---------------------------->
 *                                 mark  -- IP CE -->   DEMAND_CWR: ACKs with ECE ...
 *     reduce the window  <-------------------- ECE --
 *     QUEUE_CWR: new text with CWR  --------------->   ... until CWR
 *
 * Both ends agree in the handshake: a SYN with ECE and CWR asks, a SYN-ACK with ECE alone agrees.
 * net.ipv4.tcp_ecn: 1 = ask and answer, 2 = answer who asks (default, as Linux), 0 = neither. A SYN that
 * is lost is sent again without (6.1.1.1), because there are paths that drop it.
 *
 * AccECN's SYN (AE, CWR and ECE) is answered as a classic one, which is what that protocol expects of
 * a host that does not know it.
 *
 * An algorithm with TCP_CONG_NEEDS_ECN (dctcp, RFC 8257) asks whatever the sysctl says, has all its
 * segments ECN-capable and rules itself over the echo, by its cwnd_event().
 *
 * The IP layer keeps the field through fragmentation and puts it together again (RFC 3168 5.3).
 */
#include "stack/tcp/tcp.h"

static bool ca_needs_ecn(const struct tcp_sock *tp)
{
	return tp->ca->flags & TCP_CONG_NEEDS_ECN;
}

static void set_ip_ecn(struct inet_sock *inet, enum ip_ecn ecn)
{
	inet->tos = (uint8_t)((inet->tos & 0xfcU) | (unsigned int)ecn);
}

/* ---- the handshake --------------------------------------------------------------------------- */

/**
 * tcp_ecn_start() - an active open: ask for ECN?
 * @tp:  socket whose SYN is about to leave
 *
 * Source:  RFC 3168 6.1.1
 */
void tcp_ecn_start(struct tcp_sock *tp)
{
	set_ip_ecn(&tp->inet, INET_ECN_NOT_ECT);
	tp->ecn_flags = 0;
	if (tcp_net(tp)->tcp->sysctl.ecn != 1 && !ca_needs_ecn(tp))
		return;
	tp->ecn_flags = TCP_ECN_OK;
	if (ca_needs_ecn(tp))
		set_ip_ecn(&tp->inet, INET_ECN_ECT_0); /* RFC 8257 3.5 */
}

/**
 * tcp_ecn_syn_flags() - ECE and CWR of the SYN that leaves now
 * @tp:      connection in SYN-SENT or SYN-RECEIVED
 * @synack:  it is the SYN-ACK of a simultaneous open
 *
 * Source:  RFC 3168 6.1.1: ECN-setup SYN, ECN-setup SYN-ACK; 6.1.1.1: without after it was lost
 *          (tcp_ecn_fallback)
 */
uint8_t tcp_ecn_syn_flags(struct tcp_sock *tp, bool synack)
{
	if (!(tp->ecn_flags & TCP_ECN_OK))
		return 0;
	if (synack)
		return TCPHDR_ECE;
	if (tp->retransmits && tcp_net(tp)->tcp->sysctl.ecn_fallback) {
		/* 6.1.1: who has sent a SYN without does not use ECN, whatever the answer says. */
		tp->ecn_flags = 0;
		set_ip_ecn(&tp->inet, INET_ECN_NOT_ECT);
		return 0;
	}
	return TCPHDR_ECE | TCPHDR_CWR;
}

/**
 * tcp_ecn_rcv_syn() - simultaneous open: the peer's SYN
 * @tp:   connection in SYN-SENT
 * @seg:  SYN
 */
void tcp_ecn_rcv_syn(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if ((seg->flags & (TCPHDR_ECE | TCPHDR_CWR)) != (TCPHDR_ECE | TCPHDR_CWR))
		tp->ecn_flags = 0;
}

/**
 * tcp_ecn_rcv_synack() - the answer to our SYN
 * @tp:   connection in SYN-SENT
 * @seg:  SYN-ACK
 *
 * Source:  RFC 3168 6.1.1: ECE without CWR agrees; both are the flags of our SYN thrown back by a host
 *          that does not know them
 */
void tcp_ecn_rcv_synack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if ((seg->flags & (TCPHDR_ECE | TCPHDR_CWR)) != TCPHDR_ECE)
		tp->ecn_flags = 0;
}

/**
 * tcp_ecn_request() - passive open: does the SYN ask, and do we agree?
 * @req:       request; ecn_ok is set
 * @listener:  its listener
 * @seg:       SYN, the first or a repeated one
 *
 * A SYN that is itself ECN-capable is none of RFC 3168 (6.1.1: MUST NOT), and its sender no peer for
 * classic ECN, unless it sets a bit that RFC 3168 reserves: that is AccECN or its like.
 *
 * Source:  RFC 3168 6.1.1; as Linux
 */
void tcp_ecn_request(struct tcp_request *req, const struct tcp_sock *listener,
		     const struct tcp_segment *seg)
{
	const uint8_t setup = TCPHDR_ECE | TCPHDR_CWR;
	bool needs = ca_needs_ecn(listener);

	req->ecn_ok = false;
	set_ip_ecn(&req->inet, INET_ECN_NOT_ECT);
	if ((seg->flags & setup) != setup)
		return;
	req->ecn_ok = needs || (seg->net->tcp->sysctl.ecn &&
				(seg->ecn == INET_ECN_NOT_ECT || seg->reserved));
	if (needs)
		set_ip_ecn(&req->inet, INET_ECN_ECT_0);
}

/**
 * tcp_ecn_create_child() - a request becomes a connection
 * @child:  connection
 * @req:    request
 */
void tcp_ecn_create_child(struct tcp_sock *child, const struct tcp_request *req)
{
	child->ecn_flags = req->ecn_ok ? TCP_ECN_OK : 0;
	set_ip_ecn(&child->inet, INET_ECN_NOT_ECT);
}

/* ---- sending --------------------------------------------------------------------------------- */

/**
 * tcp_ecn_send() - a segment is about to leave: its ECE and CWR, and the field of its IP header
 * @tp:   synchronized connection
 * @seq:  SEG.SEQ
 * @len:  bytes of text
 *
 * Source:  RFC 3168 6.1.2 (CWR on new text, once), 6.1.3 (ECE), 6.1.4 and 6.1.5 (neither pure ACKs nor
 *          retransmissions are ECN-capable); RFC 8257 3.5 (all are)
 * Return:  TCPHDR_ECE, TCPHDR_CWR
 */
uint8_t tcp_ecn_send(struct tcp_sock *tp, uint32_t seq, uint32_t len)
{
	bool new_text = len && after_eq(seq, tp->snd_nxt);
	uint8_t flags = 0;

	if (!(tp->ecn_flags & TCP_ECN_OK))
		return 0;
	set_ip_ecn(&tp->inet, new_text || ca_needs_ecn(tp) ? INET_ECN_ECT_0 : INET_ECN_NOT_ECT);
	if (new_text && (tp->ecn_flags & TCP_ECN_QUEUE_CWR)) {
		tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
		flags |= TCPHDR_CWR;
	}
	if (tp->ecn_flags & TCP_ECN_DEMAND_CWR)
		flags |= TCPHDR_ECE;
	return flags;
}

/**
 * tcp_ecn_queue_cwr() - the window was reduced, for a mark or for a loss
 * @tp:  connection
 *
 * Source:  RFC 3168 6.1.2
 */
void tcp_ecn_queue_cwr(struct tcp_sock *tp)
{
	if (tp->ecn_flags & TCP_ECN_OK)
		tp->ecn_flags |= TCP_ECN_QUEUE_CWR;
}

/**
 * tcp_ecn_withdraw_cwr() - the reduction was undone before the peer heard of it
 * @tp:  connection
 */
void tcp_ecn_withdraw_cwr(struct tcp_sock *tp)
{
	tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* The next two ACKs leave at once: the peer's window may be so small that a delayed ACK halts it. */
static void acknowledge_quickly(struct tcp_sock *tp)
{
	tp->ack.quick = (uint8_t)MAX(tp->ack.quick, 2);
	tp->ack.pingpong = false;
}

/**
 * tcp_ecn_rcv_text() - text has come in: a mark, or the news that the peer has reduced its window
 * @tp:   connection; rcv_nxt does not hold the text yet
 * @seg:  segment with text
 *
 * Source:  RFC 3168 6.1.3
 */
void tcp_ecn_rcv_text(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (!(tp->ecn_flags & TCP_ECN_OK))
		return;
	if (seg->flags & TCPHDR_CWR) {
		tp->ecn_flags &= (uint8_t)~TCP_ECN_DEMAND_CWR;
		tp->ack.now = true; /* its window is small now; as Linux */
	}
	switch (seg->ecn) {
	case INET_ECN_NOT_ECT:
		/* Not capable where others were: most likely a retransmission, whose sender waits. */
		if (tp->ecn_flags & TCP_ECN_SEEN)
			acknowledge_quickly(tp);
		return;
	case INET_ECN_CE:
		if (ca_needs_ecn(tp))
			tcp_ca_event(tp, CA_EVENT_ECN_IS_CE);
		if (!(tp->ecn_flags & TCP_ECN_DEMAND_CWR)) {
			acknowledge_quickly(tp);
			tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
		}
		break;
	default:
		if (ca_needs_ecn(tp))
			tcp_ca_event(tp, CA_EVENT_ECN_NO_CE);
		break;
	}
	tp->ecn_flags |= TCP_ECN_SEEN;
}

/**
 * tcp_ecn_echo() - does an ACK report a mark?
 * @tp:   connection
 * @seg:  segment
 *
 * Source:  RFC 3168 6.1.2
 */
bool tcp_ecn_echo(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return (tp->ecn_flags & TCP_ECN_OK) && (seg->flags & (TCPHDR_ECE | TCPHDR_SYN)) == TCPHDR_ECE;
}
