/* SPDX-License-Identifier: MIT */
/*
 * Received text into order: receive queue, out-of-order queue, the SACK blocks that tell of it, and
 * the size of the receive buffer.
 *
 * Text at rcv_nxt goes to the receive queue, text beyond a gap to ofo_queue: ascending, without
 * overlaps, found from its end because that is where segments arrive. Either is charged to the socket
 * in truesize; little text in a large buffer is moved into a small one or behind its predecessor, so
 * that the peer's segment size cannot eat the buffer that the window promised. Over the limit the text
 * of both queues moves together, so that it takes little more than its bytes; if that is not enough the
 * out-of-order queue is cut from its far end: it was only a loan (RFC 2018 8 allows to take it back).
 *
 * Read first: RFC 9293 3.10.7.4 (seventh), RFC 2018 4, RFC 2883.
 */
#include "stack/tcp/tcp.h"

#define COALESCE_MAX 2048U /* bytes worth copying to save a buffer */
#define COLLAPSE_SIZE 16384U /* bytes in one buffer of text that was moved together */
#define GROW_MIN 128U       /* bytes of a segment that opens the window further */
#define COLLAPSE_GAIN 1024U  /* memory that has to be saved by it */

/**
 * tcp_rmem_used() - memory of received text
 * @tp:  connection
 */
uint32_t tcp_rmem_used(const struct tcp_sock *tp)
{
	return (uint32_t)MIN(MAX(tp->inet.sk.rmem_alloc, 0), UINT32_MAX);
}

/* ---- SACK blocks ----------------------------------------------------------------------------- */

static void remove_sack(struct tcp_sock *tp, unsigned int at)
{
	tp->num_rcv_sacks--;
	memmove(&tp->rcv_sacks[at], &tp->rcv_sacks[at + 1],
		(tp->num_rcv_sacks - at) * sizeof(tp->rcv_sacks[0]));
}

/* RFC 2018 4: the block that holds the segment just received goes first. */
static void note_sack(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	struct seq_range r = { start, end };

	if (!tp->sack_ok)
		return;
	for (unsigned int i = 0; i < tp->num_rcv_sacks;) {
		if (before(r.end, tp->rcv_sacks[i].start) || after(r.start, tp->rcv_sacks[i].end)) {
			i++;
			continue;
		}
		r.start = seq_min(r.start, tp->rcv_sacks[i].start);
		r.end = seq_max(r.end, tp->rcv_sacks[i].end);
		remove_sack(tp, i);
	}
	if (tp->num_rcv_sacks == TCP_MAX_SACK_BLOCKS)
		tp->num_rcv_sacks--;
	memmove(&tp->rcv_sacks[1], &tp->rcv_sacks[0], tp->num_rcv_sacks * sizeof(tp->rcv_sacks[0]));
	tp->rcv_sacks[0] = r;
	tp->num_rcv_sacks++;
}

/* rcv_nxt has moved over the start of some blocks, or the queue was cut behind others. */
static void drop_stale_sacks(struct tcp_sock *tp)
{
	struct sk_buff *last = skb_peek_tail(&tp->ofo_queue);

	for (unsigned int i = 0; i < tp->num_rcv_sacks;) {
		struct seq_range *r = &tp->rcv_sacks[i];

		if (last)
			r->end = seq_min(r->end, tcp_cb(last)->end_seq);
		if (!last || before_eq(r->end, tp->rcv_nxt) || !before(r->start, r->end))
			remove_sack(tp, i);
		else
			i++;
	}
}

/**
 * tcp_note_dsack() - the next ACK tells the sender what came twice
 * @tp:     connection
 * @start:  first number of the duplicate
 * @end:    behind its last
 *
 * Source:  RFC 2883 4; the tcp_dsack sysctl switches it off
 */
void tcp_note_dsack(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	struct net *net = tcp_net(tp);

	if (!tp->sack_ok || !net->tcp->sysctl.dsack || !before(start, end))
		return;
	mib_inc(net, before(start, tp->rcv_nxt) ? MIB_TcpExtTCPDSACKOldSent :
						   MIB_TcpExtTCPDSACKOfoSent);
	tp->dsack.start = start;
	tp->dsack.end = end;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool over_limit(const struct tcp_sock *tp)
{
	return tp->inet.sk.rmem_alloc > tp->inet.sk.rcvbuf || !tcp_rmem_allows(tp);
}

/* No room even for what the window promised: what moving together does not gain is granted. */
static bool is_full(const struct tcp_sock *tp)
{
	return tp->inet.sk.rmem_alloc > (int64_t)tp->inet.sk.rcvbuf + 2 * COLLAPSE_GAIN ||
	       !tcp_rmem_allows(tp);
}

/**
 * tcp_ofo_purge() - drop all text beyond the first gap
 * @tp:  connection
 */
void tcp_ofo_purge(struct tcp_sock *tp)
{
	skb_queue_purge(&tp->ofo_queue);
	tp->num_rcv_sacks = 0;
}

/* Consecutive text that fits one buffer, from @first on: @last, bytes and memory of it. */
static uint32_t collapsible(const struct sk_buff_head *q, struct sk_buff *first,
			    struct sk_buff **last, uint64_t *truesize)
{
	struct sk_buff *skb = first;
	uint32_t bytes = first->len;

	*truesize = first->truesize;
	*last = first;
	while (!(tcp_cb(skb)->flags & TCPHDR_FIN) && (skb = skb_peek_next(q, skb)) &&
	       tcp_cb(skb)->seq == tcp_cb(*last)->end_seq && bytes + skb->len <= COLLAPSE_SIZE) {
		bytes += skb->len;
		*truesize += skb->truesize;
		*last = skb;
	}
	return bytes;
}

/* One buffer in the place of @first to @last; NULL without memory: all is as it was. */
static struct sk_buff *collapse_run(struct tcp_sock *tp, struct sk_buff_head *q,
				    struct sk_buff *first, struct sk_buff *last, uint32_t bytes)
{
	struct sk_buff *all = alloc_skb(tcp_net(tp), bytes), *skb = first, *next;

	if (!all)
		return NULL;
	*tcp_cb(all) = (struct tcp_skb_cb){ .seq = tcp_cb(first)->seq,
					    .end_seq = tcp_cb(last)->end_seq,
					    .flags = tcp_cb(last)->flags };
	all->tstamp = last->tstamp;
	skb_insert_after(q, last, all);
	for (; skb != all; skb = next) {
		next = skb_peek_next(q, skb);
		if (skb_copy_bits(skb, 0, skb_put(all, skb->len), skb->len))
			BUG_ON(true);
		skb_unlink(q, skb);
		skb_consume(skb);
		mib_inc(tcp_net(tp), MIB_TcpExtTCPRcvCollapsed);
	}
	skb_set_owner_r(all, tcp_to_sk(tp));
	return all;
}

/* Moves text together wherever that saves memory. */
static void collapse(struct tcp_sock *tp, struct sk_buff_head *q)
{
	struct sk_buff *skb = skb_peek(q), *last;
	uint64_t truesize;

	while (skb) {
		uint32_t bytes = collapsible(q, skb, &last, &truesize);

		if (truesize > bytes + sizeof(*skb) + COLLAPSE_GAIN)
			last = collapse_run(tp, q, skb, last, bytes);
		skb = last ? skb_peek_next(q, last) : NULL;
	}
}

/*
 * RFC 9293 3.8.6: what the window promised must be taken, in segments of whatever size and in whatever
 * buffers a device delivers them.
 */
static void make_room(struct tcp_sock *tp)
{
	if (!over_limit(tp))
		return;
	mib_inc(tcp_net(tp), MIB_TcpExtPruneCalled);
	collapse(tp, &tp->inet.sk.receive_queue);
	collapse(tp, &tp->ofo_queue);
}

/* Cuts the out-of-order queue from its far end until the limit is met. */
static void prune_ofo(struct tcp_sock *tp)
{
	struct sk_buff *skb;

	if (over_limit(tp) && !skb_queue_empty(&tp->ofo_queue))
		mib_inc(tcp_net(tp), MIB_TcpExtOfoPruned);
	while (over_limit(tp) && (skb = skb_peek_tail(&tp->ofo_queue))) {
		skb_unlink(&tp->ofo_queue, skb);
		skb_drop(skb, SKB_DROP_TCP_OFO_DROP);
	}
	drop_stale_sacks(tp);
}

/* Appends little text to @tail when it has room; then @skb is gone. */
static bool coalesce(struct tcp_sock *tp, struct sk_buff *tail, struct sk_buff *skb)
{
	if (!tail || skb->len > COALESCE_MAX || tcp_cb(tail)->end_seq != tcp_cb(skb)->seq ||
	    (tcp_cb(tail)->flags & TCPHDR_FIN) || skb_tailroom(tail) < skb->len ||
	    skb_shared_data(tail))
		return false;
	if (skb_copy_bits(skb, 0, skb_put(tail, skb->len), skb->len))
		BUG_ON(true);
	tcp_cb(tail)->end_seq = tcp_cb(skb)->end_seq;
	tcp_cb(tail)->flags |= tcp_cb(skb)->flags;
	mib_inc(tcp_net(tp), MIB_TcpExtTCPRcvCoalesce);
	skb_consume(skb);
	return true;
}

/* Little text in a large buffer moves to a small one with room for more. NULL memory: as it was. */
static struct sk_buff *compact(struct sk_buff *skb)
{
	struct sk_buff *small;

	if (skb->len > COALESCE_MAX || skb->truesize < 2 * COALESCE_MAX + 1024)
		return skb;
	small = alloc_skb(skb->net, COALESCE_MAX);
	if (!small)
		return skb;
	if (skb_copy_bits(skb, 0, skb_put(small, skb->len), skb->len))
		BUG_ON(true);
	*tcp_cb(small) = *tcp_cb(skb);
	small->tstamp = skb->tstamp;
	skb_consume(skb);
	return small;
}

/* ---- in order -------------------------------------------------------------------------------- */

static void append_text(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sock *sk = tcp_to_sk(tp);

	tp->rcv_nxt = tcp_cb(skb)->end_seq;
	tp->bytes_received += skb->len;
	if (coalesce(tp, skb_peek_tail(&sk->receive_queue), skb))
		return;
	skb = compact(skb);
	skb_set_owner_r(skb, sk);
	skb_append(&sk->receive_queue, skb);
}

static void take_fin(struct tcp_sock *tp)
{
	tp->peer_fin = true;
	tp->rcv_nxt++;
}

/* Moves what has become in order; a FIN may be at its end. */
static void drain_ofo(struct tcp_sock *tp)
{
	struct sk_buff *skb;
	bool fin;

	while (!tp->peer_fin && (skb = skb_peek(&tp->ofo_queue)) &&
	       before_eq(tcp_cb(skb)->seq, tp->rcv_nxt)) {
		fin = tcp_cb(skb)->flags & TCPHDR_FIN;
		skb_unlink(&tp->ofo_queue, skb);
		if (before_eq(tcp_cb(skb)->end_seq, tp->rcv_nxt)) {
			fin = fin && tcp_cb(skb)->end_seq == tp->rcv_nxt;
			skb_consume(skb);
		} else {
			skb_pull(skb, tp->rcv_nxt - tcp_cb(skb)->seq);
			tcp_cb(skb)->seq = tp->rcv_nxt;
			tcp_cb(skb)->flags = 0;
			append_text(tp, skb);
		}
		if (fin)
			take_fin(tp);
	}
	if (tp->peer_fin)
		skb_queue_purge(&tp->ofo_queue);
	drop_stale_sacks(tp);
}

static enum skb_drop_reason queue_in_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	bool fin = tcp_cb(skb)->flags & TCPHDR_FIN;

	make_room(tp);
	if (over_limit(tp))
		prune_ofo(tp);
	if (is_full(tp) && skb->len) {
		tp->ack.now = true; /* the sender learns where it stands */
		mib_inc(tcp_net(tp), MIB_TcpExtRcvPruned);
		return SKB_DROP_TCP_RCVQ_FULL;
	}
	tcp_cb(skb)->flags = 0;
	if (skb->len)
		append_text(tp, skb);
	else
		skb_consume(skb);
	if (fin)
		take_fin(tp);
	if (!skb_queue_empty(&tp->ofo_queue)) {
		/* RFC 5681 4.2: a segment that fills (part of) a gap is acknowledged at once. */
		tp->ack.now = true;
		drain_ofo(tp);
	}
	return SKB_NOT_DROPPED;
}

/* ---- out of order ---------------------------------------------------------------------------- */

/* The last of the queue that starts at or before @seq; NULL = goes first. */
static struct sk_buff *ofo_before(const struct tcp_sock *tp, uint32_t seq)
{
	struct sk_buff *skb = skb_peek_tail(&tp->ofo_queue);

	while (skb && after(tcp_cb(skb)->seq, seq))
		skb = skb->list.prev == &tp->ofo_queue.list ?
			      NULL : list_entry(skb->list.prev, struct sk_buff, list);
	return skb;
}

/* Queued text behind @skb that it covers wholly goes, what it covers in part loses its front. */
static void trim_followers(struct tcp_sock *tp, struct sk_buff *skb)
{
	struct sk_buff *next;

	while ((next = skb_peek_next(&tp->ofo_queue, skb)) &&
	       before(tcp_cb(next)->seq, tcp_cb(skb)->end_seq)) {
		if (after(tcp_cb(next)->end_seq, tcp_cb(skb)->end_seq)) {
			tcp_note_dsack(tp, tcp_cb(next)->seq, tcp_cb(skb)->end_seq);
			skb_pull(next, tcp_cb(skb)->end_seq - tcp_cb(next)->seq);
			tcp_cb(next)->seq = tcp_cb(skb)->end_seq;
			return;
		}
		tcp_note_dsack(tp, tcp_cb(next)->seq, tcp_cb(next)->end_seq);
		mib_inc(tcp_net(tp), MIB_TcpExtTCPOFOMerge);
		if (tcp_cb(next)->end_seq == tcp_cb(skb)->end_seq)
			tcp_cb(skb)->flags |= tcp_cb(next)->flags;
		skb_unlink(&tp->ofo_queue, next);
		skb_drop(next, SKB_DROP_TCP_OLD_DATA);
	}
}

static enum skb_drop_reason queue_out_of_order(struct tcp_sock *tp, struct sk_buff *skb)
{
	uint32_t seq = tcp_cb(skb)->seq, end = tcp_cb(skb)->end_seq;
	struct sk_buff *prev;

	tp->ack.now = true; /* RFC 5681 4.2: a duplicate ACK at once */
	tp->rcv_ooopack++;
	make_room(tp);
	if (over_limit(tp)) {
		prune_ofo(tp);
		if (over_limit(tp))
			return SKB_DROP_TCP_OFO_DROP;
	}
	prev = ofo_before(tp, seq);
	if (prev && before_eq(end, tcp_cb(prev)->end_seq)) {
		if (end == tcp_cb(prev)->end_seq)
			tcp_cb(prev)->flags |=
				tcp_cb(skb)->flags; /* a FIN that came after its text */
		tcp_note_dsack(tp, seq, end);
		mib_inc(tcp_net(tp), MIB_TcpExtTCPOFOMerge);
		note_sack(tp, tcp_cb(prev)->seq, tcp_cb(prev)->end_seq);
		return SKB_DROP_TCP_OLD_DATA;
	}
	if (prev && after(tcp_cb(prev)->end_seq, seq)) {
		tcp_note_dsack(tp, seq, tcp_cb(prev)->end_seq);
		skb_pull(skb, tcp_cb(prev)->end_seq - seq);
		tcp_cb(skb)->seq = tcp_cb(prev)->end_seq;
	}
	mib_inc(tcp_net(tp), MIB_TcpExtTCPOFOQueue);
	if (before(seq, end))
		note_sack(tp, seq, end);
	if (skb->len && !skb_peek_next(&tp->ofo_queue, prev ? prev : skb) &&
	    coalesce(tp, prev, skb))
		return SKB_NOT_DROPPED;
	skb = compact(skb);
	skb_set_owner_r(skb, tcp_to_sk(tp));
	if (prev)
		skb_insert_after(&tp->ofo_queue, prev, skb);
	else
		skb_prepend(&tp->ofo_queue, skb);
	trim_followers(tp, skb);
	return SKB_NOT_DROPPED;
}

/* ---- text arrives ---------------------------------------------------------------------------- */

/* Size of the peer's full segments: what delayed ACKs and the window's steps are counted in. */
static void measure_rcv_mss(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t len = seg->skb->gso_size ? seg->skb->gso_size : seg->len;

	if (len > tp->ack.rcv_mss)
		tp->ack.rcv_mss = MIN(len, tp->advmss);
	/* The end of what the peer had to say, as Linux: nothing may follow that an ACK could wait for. */
	if (len < tp->ack.rcv_mss || (len == seg->len && seg->flags & TCPHDR_PSH))
		tp->ack.pushed = tp->ack.pushed && len < tp->ack.rcv_mss ? 2 : MAX(tp->ack.pushed, 1);
}

/* The next ACKs are quick, unless the connection is interactive (or TCP_QUICKACK is off). */
static void allow_quickacks(struct tcp_sock *tp)
{
	uint32_t n = tp->rcv_wnd / (2 * MAX(tp->ack.rcv_mss, 1U));

	tp->ack.quick = (uint8_t)MIN(MAX(n, 2U), TCP_MAX_QUICKACKS);
}

static void enter_quickack(struct tcp_sock *tp)
{
	allow_quickacks(tp);
	tp->ack.pingpong = false;
	tp->ack.ato_ms = TCP_DELACK_MIN_MS;
}

/*
 * The window opens by two segments for each that arrives: twice as fast as the peer's slow start can use it.
 * As Linux (tcp_grow_window), so that a peer which never sends is not promised all of a large buffer.
 */
static void grow_window(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	uint32_t room = tcp_win_from_space(net, tp->inet.sk.rcvbuf - (int64_t)tcp_rmem_used(tp));

	if (seg->len < GROW_MIN || !tp->rcv_ssthresh || tp->rcv_ssthresh >= room ||
	    tcp_under_pressure(net))
		return;
	tp->rcv_ssthresh += MIN(room - tp->rcv_ssthresh, 2 * MAX(tp->advmss, seg->len));
}

/* The delayed-ACK time follows the arrival rate; after a pause ACKs are quick again. As Linux. */
static void text_arrived(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	uint64_t gap = (net->now - tp->ack.lrcvtime) / NSEC_PER_MSEC;

	tp->ack.scheduled = true;
	tp->data_segs_in += seg->skb->gso_segs ? seg->skb->gso_segs : 1U;
	measure_rcv_mss(tp, seg);
	grow_window(tp, seg);
	if (tp->ack.ato_ms == 0) {
		allow_quickacks(tp);
		tp->ack.ato_ms = TCP_DELACK_MIN_MS;
	} else if (gap <= TCP_DELACK_MIN_MS / 2) {
		tp->ack.ato_ms = tp->ack.ato_ms / 2 + TCP_DELACK_MIN_MS / 2;
	} else if (gap < tp->ack.ato_ms) {
		tp->ack.ato_ms = MIN(tp->ack.ato_ms / 2 + (uint32_t)gap, tp->rto_us / 1000);
	} else if (gap > tp->rto_us / 1000) {
		allow_quickacks(tp);
	}
	tp->ack.lrcvtime = net->now;
}

/* All of it was here before: tell at once, the sender has a reason to ask. */
static enum skb_drop_reason old_text(struct tcp_sock *tp, const struct tcp_segment *seg,
				     uint32_t end)
{
	mib_inc(tcp_net(tp), MIB_TcpExtDelayedACKLost);
	tcp_note_dsack(tp, seg->seq, end);
	enter_quickack(tp);
	tp->ack.scheduled = tp->ack.now = true;
	return SKB_DROP_TCP_OLD_DATA;
}

/* Cuts to [rcv_nxt, right edge); a FIN beyond the edge is cut as well. */
static void trim_to_window(struct tcp_sock *tp, struct sk_buff *skb, uint32_t edge)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (before(cb->seq, tp->rcv_nxt)) {
		tcp_note_dsack(tp, cb->seq, tp->rcv_nxt);
		skb_pull(skb, tp->rcv_nxt - cb->seq);
		cb->seq = tp->rcv_nxt;
	}
	if (after(cb->end_seq, edge)) {
		skb_trim(skb, skb->len - (cb->end_seq - edge));
		cb->end_seq = edge;
		cb->flags &= (uint8_t)~TCPHDR_FIN;
	}
}

/**
 * tcp_data_queue() - take the text and FIN of a segment
 * @tp:   connection in a state that takes text
 * @seg:  its skb still has the TCP header
 *
 * rcv_nxt moves over what is in order, tp->peer_fin says that a FIN is. tp->ack says what to answer.
 *
 * Source:  RFC 9293 3.10.7.4, seventh
 * Return:  SKB_NOT_DROPPED: the skb was taken; else why to drop it, and it is still the caller's
 */
enum skb_drop_reason tcp_data_queue(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct sk_buff *skb = seg->skb;
	bool fin = seg->flags & TCPHDR_FIN;
	uint32_t end = seg->seq + seg->len, edge = tp->rcv_nxt + tcp_receive_window(tp);
	enum skb_drop_reason reason;
	uint32_t before_nxt = tp->rcv_nxt;

	if (before_eq(end + fin, tp->rcv_nxt))
		return old_text(tp, seg, end);
	if (seg->len && !before(seg->seq, edge)) {
		enter_quickack(tp);
		tp->ack.scheduled = tp->ack.now = true;
		return SKB_DROP_TCP_ZERO_WINDOW;
	}
	if (seg->len)
		text_arrived(tp, seg);
	else
		tp->ack.scheduled = true; /* a FIN alone */
	skb_pull(skb, seg->hlen);
	*tcp_cb(skb) = (struct tcp_skb_cb){ .seq = seg->seq, .end_seq = end,
					    .flags = seg->flags & TCPHDR_FIN };
	trim_to_window(tp, skb, seq_max(edge, tp->rcv_nxt));
	if (tcp_cb(skb)->seq == tp->rcv_nxt)
		reason = queue_in_order(tp, skb);
	else
		reason = queue_out_of_order(tp, skb);
	if (tp->rcv_nxt != before_nxt && !sock_flag(&tp->inet.sk, SOCK_DEAD))
		tp->inet.sk.data_ready(tcp_to_sk(tp));
	return reason;
}

/* ---- the receive buffer follows the program -------------------------------------------------- */

static void rcv_rtt_sample(struct tcp_sock *tp, uint32_t us)
{
	tp->rcv_rtt_us = tp->rcv_rtt_us ? tp->rcv_rtt_us - tp->rcv_rtt_us / 8 + us / 8 : us;
}

/**
 * tcp_rcv_rtt_measure() - round-trip time as the receiver sees it
 * @tp:   connection
 * @seg:  segment with text
 *
 * By timestamps, else by the time that a window's worth of text takes.
 */
void tcp_rcv_rtt_measure(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);

	if (tp->ts_ok && seg->opt.has_ts) {
		uint32_t ms;

		if (seg->opt.tsecr == tp->rcv_tsecr || !seg->opt.tsecr ||
		    seg->len < tp->ack.rcv_mss)
			return;
		tp->rcv_tsecr = seg->opt.tsecr;
		ms = tcp_ts_clock(net, tp->ts_off) - seg->opt.tsecr;
		if (ms < 60000)
			rcv_rtt_sample(tp, MAX(ms, 1U) * 1000);
		return;
	}
	if (tp->rcv_rtt_time && before(tp->rcv_nxt, tp->rcv_rtt_seq))
		return;
	if (tp->rcv_rtt_time)
		rcv_rtt_sample(tp, (uint32_t)MIN((net->now - tp->rcv_rtt_time) / NSEC_PER_USEC + 1,
						 60000000U));
	tp->rcv_rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
	tp->rcv_rtt_time = net->now;
}

/**
 * tcp_rcv_space_adjust() - the program has read: grow the buffer to what it reads in a round trip
 * @tp:  connection
 *
 * Dynamic right-sizing: twice of what was read in the last round trip must fit the window, so that the
 * sender's window may double; more when the program's rate itself is growing. Never beyond tcp_rmem[2],
 * never when the program has set SO_RCVBUF.
 */
void tcp_rcv_space_adjust(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);
	const struct tcp_sysctls *sysctl = &sk->net->tcp->sysctl;
	uint64_t window, space = MAX(tp->rcvq_space, 1U);
	uint32_t copied;

	if (!tp->rcv_rtt_us || (sk->net->now - tp->rcvq_time) / NSEC_PER_USEC < tp->rcv_rtt_us)
		return;
	copied = tp->copied_seq - tp->rcvq_seq;
	if (copied > space) {
		window = 2ULL * copied + 16U * tp->advmss;
		window += 2 * (window * (copied - space) / space);
		window = MIN(2 * window, (uint64_t)sysctl->rmem[2]);
		if (sysctl->moderate_rcvbuf && !sock_flag(sk, SOCK_RCVBUF_LOCK) &&
		    !tcp_under_pressure(sk->net) && window > (uint64_t)MAX(sk->rcvbuf, 0))
			sk->rcvbuf = (int)window;
		tp->rcvq_space = copied;
	}
	tp->rcvq_seq = tp->copied_seq;
	tp->rcvq_time = sk->net->now;
}
