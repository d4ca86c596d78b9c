/* SPDX-License-Identifier: MIT */
/*
 * Makes a segment and sends it: header and options as they are now, and the text of a range of sequence
 * numbers by reference from the write queue.
 *
 * A transmission is a small header of its own with the text attached. No text is split or copied, a
 * retransmission is the same with an older range, and a header still waiting in a device's queue is
 * nobody's business. What may be sent is decided elsewhere: tcp_output.c, tcp_retransmit.c; what
 * has no text is in tcp_send_ack.c, a SYN in tcp_send_syn.c.
 *
 * Read first: RFC 9293 3.1.
 */
#include "stack/tcp/tcp.h"
#include "stack/tcp/tcp_output.h"

/* The segment has left: it carried an acknowledgement of all up to rcv_nxt. */
static void ack_was_sent(struct tcp_sock *tp)
{
	tp->ack.scheduled = tp->ack.now = false;
	tp->ack.pushed = 0;
	if (tp->ack.quick)
		tp->ack.quick--;
	tp->last_ack_sent = tp->rcv_nxt;
	tcp_disarm(tp, TCPT_DELACK);
}

/**
 * tcp_find_text() - the buffer of the write queue that holds a byte
 * @tp:   connection
 * @skb:  buffer of the write queue to search from, when that helps; NULL = none
 * @seq:  of the byte
 *
 * Return:  NULL when there is none: a FIN's number, or the end of the text
 */
struct sk_buff *tcp_find_text(const struct tcp_sock *tp, struct sk_buff *skb, uint32_t seq)
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

/**
 * tcp_transmit() - make a segment and send it
 * @tp:     connection
 * @text:   buffer of the write queue that holds all of the text; NULL when @len is 0
 * @seq:    of the first byte
 * @len:    bytes of text; more than the MSS leave as several segments
 * @flags:  TCPHDR_*; URG and ECN's are added
 *
 * Return:  0; negative errno when memory is short or a device is full, which is no loss: the range is
 *          simply still to be sent
 */
int tcp_transmit(struct tcp_sock *tp, struct sk_buff *text, uint32_t seq, uint32_t len, uint8_t flags)
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

/**
 * tcp_text_flags() - ACK, PSH and FIN for a range of text
 * @tp:    connection
 * @text:  buffer that holds the range; NULL = a FIN alone
 * @end:   end of the range; PSH when a write of the program ended there
 */
uint8_t tcp_text_flags(const struct tcp_sock *tp, const struct sk_buff *text, uint32_t end)
{
	uint8_t flags = TCPHDR_ACK;

	if (text && end == tcp_cb(text)->end_seq)
		flags |= tcp_cb(text)->flags & TCPHDR_PSH;
	if (tp->fin_queued && end == tp->write_seq)
		flags |= TCPHDR_FIN;
	return flags;
}
