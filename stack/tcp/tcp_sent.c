/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard: what is under way, when it left, what became of it.
 *
 * Each transmission of new text has a record, a super-segment one record. They stand in order of
 * sequence numbers in tp->sent_seq, from snd_una to snd_nxt without a gap, and each of them is in one
 * of three conditions:
 *
 *   in flight   on tp->sent_time, in order of the last transmission (RACK walks it)
 *   lost        on tp->sent_lost, in order of sequence numbers: to be sent again, first one first
 *   SACKED      on neither
 *
 * Records are split when a SACK block or a retransmission ends within, and adjoining SACKED ones are
 * joined, so that there are no more of them than transmissions plus holes. Every change goes through
 * count() and uncount(), from which packets_out, sacked_out, lost_out, retrans_out and their sums in
 * bytes follow: tcp_pipe() is a few additions.
 *
 * A record that cannot be had is no harm: new text stays unsent, a SACK block that ends inside a
 * record is not noted beyond it.
 */
#include "stack/tcp/tcp.h"

#define SPARE_RECORDS 256U /* beyond two a segment: what a peer can make us split by odd SACK blocks */

/* ---- counting -------------------------------------------------------------------------------- */

static uint32_t segments(const struct tcp_sock *tp, const struct tcp_sent *s)
{
	uint32_t len = s->end - s->start;

	if (tp->fin_queued && s->end == tp->write_seq + 1 && len > 1)
		len--; /* a FIN needs no segment of its own */
	return MAX((len + s->mss - 1U) / s->mss, 1U);
}

static void count(struct tcp_sock *tp, const struct tcp_sent *s)
{
	uint32_t len = s->end - s->start;

	tp->packets_out += s->segs;
	if (s->flags & SENT_SACKED) {
		tp->sacked_out += s->segs;
		tp->sacked_bytes += len;
	}
	if (s->flags & SENT_LOST) {
		tp->lost_out += s->segs;
		tp->lost_bytes += len;
	}
	if (s->flags & SENT_RETRANS) {
		tp->retrans_out += s->segs;
		tp->retrans_bytes += len;
	}
}

static void uncount(struct tcp_sock *tp, const struct tcp_sent *s)
{
	uint32_t len = s->end - s->start;

	tp->packets_out -= s->segs;
	if (s->flags & SENT_SACKED) {
		tp->sacked_out -= s->segs;
		tp->sacked_bytes -= len;
	}
	if (s->flags & SENT_LOST) {
		tp->lost_out -= s->segs;
		tp->lost_bytes -= len;
	}
	if (s->flags & SENT_RETRANS) {
		tp->retrans_out -= s->segs;
		tp->retrans_bytes -= len;
	}
}

/* ---- the lists ------------------------------------------------------------------------------- */

/**
 * tcp_sent_next() - the record behind another; NULL = none
 * @tp:  connection
 * @s:   record
 */
struct tcp_sent *tcp_sent_next(const struct tcp_sock *tp, const struct tcp_sent *s)
{
	return s->seq_node.next == &tp->sent_seq ?
		       NULL : list_entry(s->seq_node.next, struct tcp_sent, seq_node);
}

/**
 * tcp_sent_prev() - the record in front of another; NULL = none
 * @tp:  connection
 * @s:   record
 */
struct tcp_sent *tcp_sent_prev(const struct tcp_sock *tp, const struct tcp_sent *s)
{
	return s->seq_node.prev == &tp->sent_seq ?
		       NULL : list_entry(s->seq_node.prev, struct tcp_sent, seq_node);
}

/**
 * tcp_sent_head() - the record at snd_una; NULL = nothing is under way
 * @tp:  connection
 */
struct tcp_sent *tcp_sent_head(const struct tcp_sock *tp)
{
	return list_empty(&tp->sent_seq) ?
		       NULL : list_first_entry(&tp->sent_seq, struct tcp_sent, seq_node);
}

/**
 * tcp_sent_tail() - the record that ends at snd_nxt; NULL = nothing is under way
 * @tp:  connection
 */
struct tcp_sent *tcp_sent_tail(const struct tcp_sock *tp)
{
	return list_empty(&tp->sent_seq) ?
		       NULL : list_last_entry(&tp->sent_seq, struct tcp_sent, seq_node);
}

/**
 * tcp_sent_first_lost() - what is to be sent again first; NULL = nothing
 * @tp:  connection
 *
 * Source:  RFC 6675 4, NextSeg() (1)
 */
struct tcp_sent *tcp_sent_first_lost(const struct tcp_sock *tp)
{
	return list_empty(&tp->sent_lost) ?
		       NULL : list_first_entry(&tp->sent_lost, struct tcp_sent, node);
}

static void drop_record(struct tcp_sock *tp, struct tcp_sent *s)
{
	uncount(tp, s);
	if (tp->sack_hint == s)
		tp->sack_hint = NULL;
	list_del(&s->seq_node);
	list_del(&s->node);
	tp->sent_nr--;
	free(s);
}

/* Lost ones stand in order of sequence numbers; they mostly come in it. */
static void put_on_lost_list(struct tcp_sock *tp, struct tcp_sent *s)
{
	struct list_head *at = tp->sent_lost.prev;

	while (at != &tp->sent_lost && after(list_entry(at, struct tcp_sent, node)->start, s->start))
		at = at->prev;
	list_del(&s->node);
	list_add(&s->node, at);
}

/**
 * tcp_sent_alloc() - a record for new text, before that is sent
 * @tp:  connection
 *
 * Return:  record for tcp_sent_add() or free(); NULL without memory or with too many
 */
struct tcp_sent *tcp_sent_alloc(const struct tcp_sock *tp)
{
	if (tp->sent_nr >= TCP_MAX_SENT)
		return NULL;
	return malloc(sizeof(struct tcp_sent));
}

/**
 * tcp_sent_add() - new text has been sent
 * @tp:    connection; snd_nxt is the number it began with
 * @s:     record to fill in
 * @end:   its end, a FIN included; > snd_nxt
 * @text:  buffer of the write queue that holds snd_nxt, NULL for a FIN alone
 */
void tcp_sent_add(struct tcp_sock *tp, struct tcp_sent *s, uint32_t end, struct sk_buff *text)
{
	s->start = tp->snd_nxt;
	s->end = end;
	s->text = text;
	s->mss = (uint16_t)MIN(tcp_current_mss(tp), UINT16_MAX);
	s->flags = 0;
	s->segs = segments(tp, s);
	s->xmit = tcp_net(tp)->now;
	s->order = ++tp->xmit_order;
	tcp_rate_sent(tp, s);
	list_add_tail(&s->seq_node, &tp->sent_seq);
	list_add_tail(&s->node, &tp->sent_time);
	tp->sent_nr++;
	count(tp, s);
}

/**
 * tcp_sent_purge() - forget all records
 * @tp:  connection
 */
void tcp_sent_purge(struct tcp_sock *tp)
{
	struct tcp_sent *s;

	while ((s = tcp_sent_head(tp)))
		drop_record(tp, s);
}

/**
 * tcp_sent_split() - cut a record in two of the same fate
 * @tp:  connection
 * @s:   record; keeps what is below @at
 * @at:  within it
 *
 * Return:  false without memory, or when the peer has had us split too often
 */
bool tcp_sent_split(struct tcp_sock *tp, struct tcp_sent *s, uint32_t at)
{
	struct tcp_sent *rest;

	if (tp->sent_nr >= 2 * tp->packets_out + SPARE_RECORDS)
		return false;
	rest = malloc(sizeof(*rest));
	if (!rest)
		return false;
	uncount(tp, s);
	*rest = *s;
	rest->start = s->end = at;
	s->segs = segments(tp, s);
	rest->segs = segments(tp, rest);
	list_add(&rest->seq_node, &s->seq_node);
	list_init(&rest->node);
	if (!list_empty(&s->node))
		list_add(&rest->node, &s->node);
	tp->sent_nr++;
	count(tp, s);
	count(tp, rest);
	return true;
}

/* Two records that adjoin become one. */
static struct tcp_sent *join(struct tcp_sock *tp, struct tcp_sent *a, struct tcp_sent *b)
{
	uint32_t end = b->end, segs = b->segs;
	uint8_t flags = b->flags;

	drop_record(tp, b);
	uncount(tp, a);
	a->end = end;
	a->segs += segs;
	a->flags |= flags;
	count(tp, a);
	return a;
}

/**
 * tcp_sent_collapse() - small records that are sent again go together
 * @tp:   connection
 * @s:    record that is about to be sent again
 * @mss:  what they may fill, bytes; a FIN needs no room
 *
 * Source:  RFC 9293 3.10.7.4, "repacketized"; as Linux (tcp_retrans_collapse)
 */
void tcp_sent_collapse(struct tcp_sock *tp, struct tcp_sent *s, uint32_t mss)
{
	struct tcp_sent *n = tcp_sent_next(tp, s);

	while (n && !(n->flags & (SENT_SACKED | SENT_RETRANS)) &&
	       seq_min(n->end, tp->write_seq) - s->start <= mss) {
		join(tp, s, n);
		uncount(tp, s);
		s->segs = segments(tp, s);
		count(tp, s);
		n = tcp_sent_next(tp, s);
	}
}

/* ---- what becomes of a record ---------------------------------------------------------------- */

/**
 * tcp_sent_again() - it has been retransmitted
 * @tp:  connection
 * @s:   record
 */
void tcp_sent_again(struct tcp_sock *tp, struct tcp_sent *s)
{
	s->xmit = tcp_net(tp)->now;
	s->order = ++tp->xmit_order;
	tcp_rate_sent(tp, s);
	uncount(tp, s);
	s->mss = (uint16_t)MIN(tcp_current_mss(tp), UINT16_MAX);
	s->segs = segments(tp, s);
	s->flags |= SENT_RETRANS | SENT_EVER_RETRANS;
	count(tp, s);
	list_del(&s->node);
	list_add_tail(&s->node, &tp->sent_time);
}

/**
 * tcp_sent_mark_lost() - the last transmission of it is taken for lost
 * @tp:  connection
 * @s:   record, not SACKED
 */
void tcp_sent_mark_lost(struct tcp_sock *tp, struct tcp_sent *s)
{
	if ((s->flags & (SENT_LOST | SENT_RETRANS)) == SENT_LOST)
		return;
	uncount(tp, s);
	if (s->flags & SENT_LOST)
		mib_add(tcp_net(tp), MIB_TcpExtTCPLostRetransmit, s->segs);
	s->flags = (uint8_t)((s->flags & ~SENT_RETRANS) | SENT_LOST);
	tp->lost_total += s->end - s->start;
	count(tp, s);
	put_on_lost_list(tp, s);
}

/**
 * tcp_sent_unsack_all() - SACKs are not believed any more: all that was SACKED is lost
 * @tp:  connection
 *
 * Source:  RFC 2018 8
 */
void tcp_sent_unsack_all(struct tcp_sock *tp)
{
	struct tcp_sent *s;

	list_for_each_entry(s, &tp->sent_seq, seq_node) {
		if (!(s->flags & SENT_SACKED))
			continue;
		uncount(tp, s);
		s->flags = SENT_EVER_RETRANS; /* no measure of anything any more */
		count(tp, s);
		tcp_sent_mark_lost(tp, s);
	}
	tp->sack_cache_nr = 0;
}

/**
 * tcp_sent_unmark_lost() - nothing was lost: all is in flight again
 * @tp:  connection
 */
void tcp_sent_unmark_lost(struct tcp_sock *tp)
{
	struct list_head *at = &tp->sent_time;
	struct tcp_sent *s, *next;

	list_for_each_entry_safe(s, next, &tp->sent_lost, node) {
		/* Into the order of transmission; both lists mostly have it already. */
		while (at->next != &tp->sent_time &&
		       list_entry(at->next, struct tcp_sent, node)->order <= s->order)
			at = at->next;
		while (at != &tp->sent_time && list_entry(at, struct tcp_sent, node)->order > s->order)
			at = at->prev;
		list_del(&s->node);
		list_add(&s->node, at);
		at = &s->node;
	}
	list_for_each_entry(s, &tp->sent_seq, seq_node) {
		if (!(s->flags & SENT_LOST))
			continue;
		uncount(tp, s);
		s->flags = (uint8_t)(s->flags & ~SENT_LOST);
		count(tp, s);
	}
}

/* Its delivery is news, by ACK or SACK: rate, reordering. */
static void delivered(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_ack_news *news)
{
	tcp_rate_delivered(tp, s, &news->rs);
	tp->delivered += s->segs;
	tp->delivered_bytes += s->end - s->start;
	news->delivered += s->end - s->start;
	if (!(s->flags & SENT_EVER_RETRANS) && !after(s->end, tp->recover))
		news->orig_delivered = true;
	tcp_rack_advance(tp, s, news);
}

static void acked(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_ack_news *news)
{
	if (s->flags & SENT_EVER_RETRANS)
		news->retrans_acked = true;
	if (s->flags & SENT_SACKED)
		return;
	if (!(s->flags & SENT_EVER_RETRANS)) {
		if (!news->first_acked)
			news->first_acked = s->xmit;
		news->last_acked = s->xmit;
	}
	delivered(tp, s, news);
}

/* The ACK ends within @s: its first part is delivered. */
static void trim(struct tcp_sock *tp, struct tcp_sent *s, struct tcp_ack_news *news)
{
	struct tcp_sent part = *s;

	part.end = tp->snd_una;
	part.segs = MIN((part.end - part.start) / part.mss, s->segs);
	acked(tp, &part, news);
	uncount(tp, s);
	s->start = tp->snd_una;
	s->segs = MIN(segments(tp, s), s->segs);
	s->text = NULL;
	count(tp, s);
}

/**
 * tcp_sent_ack() - snd_una has moved: what lies below is history
 * @tp:    connection
 * @news:  what the ACK says, added to
 */
void tcp_sent_ack(struct tcp_sock *tp, struct tcp_ack_news *news)
{
	struct tcp_sent *s;

	while ((s = tcp_sent_head(tp)) && before(s->start, tp->snd_una)) {
		if (after(s->end, tp->snd_una)) {
			trim(tp, s, news);
			return;
		}
		acked(tp, s, news);
		drop_record(tp, s);
	}
}

/* ---- SACK ------------------------------------------------------------------------------------ */

/* The record that holds @seq, looked for from where the last one was found. */
static struct tcp_sent *find(const struct tcp_sock *tp, uint32_t seq)
{
	struct tcp_sent *s = tp->sack_hint ? tp->sack_hint : tcp_sent_head(tp);

	while (s && before(seq, s->start))
		s = tcp_sent_prev(tp, s);
	while (s && after_eq(seq, s->end))
		s = tcp_sent_next(tp, s);
	return s;
}

/* Adjoining SACKed records need not be told apart any more. */
static struct tcp_sent *join_neighbours(struct tcp_sock *tp, struct tcp_sent *s)
{
	struct tcp_sent *p = tcp_sent_prev(tp, s), *n = tcp_sent_next(tp, s);

	if (n && (n->flags & SENT_SACKED))
		s = join(tp, s, n);
	if (p && (p->flags & SENT_SACKED))
		s = join(tp, p, s);
	return s;
}

static struct tcp_sent *sack_one(struct tcp_sock *tp, struct tcp_sent *s, struct tcp_ack_news *news)
{
	if (!(s->flags & SENT_EVER_RETRANS)) {
		if (!news->first_sacked)
			news->first_sacked = s->xmit;
		news->last_sacked = s->xmit;
	}
	news->sacked += s->end - s->start;
	delivered(tp, s, news);
	uncount(tp, s);
	s->flags = (uint8_t)((s->flags & SENT_EVER_RETRANS) | SENT_SACKED);
	count(tp, s);
	list_del(&s->node);
	return join_neighbours(tp, s);
}

/**
 * tcp_sent_sack() - the peer has this range
 * @tp:    connection
 * @r:     range within [snd_una, snd_nxt]
 * @news:  what the ACK says, added to
 *
 * Source:  RFC 6675 4 (Update)
 */
void tcp_sent_sack(struct tcp_sock *tp, struct seq_range r, struct tcp_ack_news *news)
{
	struct tcp_sent *s = find(tp, r.start);

	for (; s && before(s->start, r.end); s = tcp_sent_next(tp, s)) {
		tp->sack_hint = s;
		if (s->flags & SENT_SACKED)
			continue;
		if (before(s->start, r.start)) {
			if (!tcp_sent_split(tp, s, r.start))
				return;
			continue;
		}
		if (after(s->end, r.end) && !tcp_sent_split(tp, s, r.end))
			return;
		s = sack_one(tp, s, news);
		tp->sack_hint = s;
	}
}
