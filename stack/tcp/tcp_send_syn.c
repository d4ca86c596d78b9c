/* SPDX-License-Identifier: MIT */
/*
 * SYN and SYN-ACK: of a socket, with Fast Open's option and text, and of a request.
 *
 * Read first: RFC 9293 3.5, RFC 7323 2.2, RFC 7413 4.2.
 */
#include "stack/tcp/tcp.h"

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
