/* SPDX-License-Identifier: MIT */
/*
 * Segments without text: ACKs at once and delayed, resets, probes that only ask for an ACK.
 *
 * Read first: RFC 9293 3.8.6.3 (delayed ACKs), 3.8.4 (keep-alives).
 */
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

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
	if (tcp_transmit(tp, NULL, tp->snd_nxt, 0, TCPHDR_ACK) < 0) {
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
	/* A FIN and no text ever: there is no rate, and nothing that an answer is waited for; as Linux. */
	uint32_t delay = tp->ack.ato_ms ? MAX(tp->ack.ato_ms, TCP_DELACK_MIN_MS) : 0;

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
	tcp_transmit(tp, NULL, tp->snd_nxt, 0, TCPHDR_ACK | TCPHDR_RST);
}

/**
 * tcp_send_probe() - a segment that only asks for an ACK: one byte below what the peer expects
 * @tp:  connection
 *
 * Source:  RFC 9293 3.8.4; DEVIATES from 3.8.6.1 (a byte of new text) as Linux
 */
void tcp_send_probe(struct tcp_sock *tp)
{
	tcp_transmit(tp, NULL, tp->snd_una - 1, 0, TCPHDR_ACK);
}
