/* SPDX-License-Identifier: MIT */
/*
 * impair_queue.c - the queue in front of a link's rate, and the frames on their way
 *
 *   impair_rate_queue() -> queue -> transmitter, one frame at a time -> way -> impair_deliver()
 *
 * The transmitter's clock is the link's, not the host's: a timer that fires late is made up for, so
 * that the rate holds on the average whatever the host was busy with. A frame is on its way for the
 * delay and its jitter; none overtakes another but those that were chosen to come out of order, and
 * those that a rule delays. Both are bounded in number, and the frames hold no memory of a socket.
 */
#include "netif/impair_link.h"
#include "stack/core/sock.h"

/* --- on the way --------------------------------------------------------------------------------- */

/* Behind all that are due at the same time or before. */
static void insert_by_time(struct sk_buff_head *way, struct sk_buff *skb)
{
	ktime_t due = impair_cb(skb)->due;
	struct list_head *at = way->list.prev;

	while (at != &way->list && impair_cb(list_entry(at, struct sk_buff, list))->due > due)
		at = at->prev;
	if (at == &way->list)
		skb_prepend(way, skb);
	else
		skb_insert_after(way, list_entry(at, struct sk_buff, list), skb);
}

static void arrive(struct timer_list *timer)
{
	struct impair_dir *d = container_of(timer, struct impair_dir, arrival);
	struct sk_buff *skb;

	while ((skb = skb_peek(&d->way)) && impair_cb(skb)->due <= d->im->dev->net->now) {
		skb_unlink(&d->way, skb);
		impair_deliver(d, skb);
	}
	if (skb)
		mod_timer(&d->arrival, impair_cb(skb)->due);
}

static void put_on_way(struct impair_dir *d, struct sk_buff *skb, ktime_t due)
{
	if (d->way.qlen >= IMPAIR_HELD_MAX) {
		impair_lose(d, skb, SKB_DROP_IMPAIR_LIMIT);
		return;
	}
	impair_cb(skb)->due = due;
	insert_by_time(&d->way, skb);
	mod_timer(&d->arrival, impair_cb(skb_peek(&d->way))->due);
}

/**
 * impair_carry_xmit() - a frame leaves the transmitter: its way begins
 * @d:      direction
 * @skb:    frame; consumed
 * @start:  when its last bit was sent
 */
void impair_carry_xmit(struct impair_dir *d, struct sk_buff *skb, ktime_t start)
{
	const struct impair_params *p = &d->p;
	bool ip = impair_is_ip(skb);
	ktime_t due = start + p->delay_ns + (uint64_t)impair_jitter(d, ip);
	uint64_t late = impair_cb(skb)->extra_ns;

	if (impair_chance(d, ip, CHOICE_REORDER, p->reorder)) {
		late += p->reorder_ns;
		d->stats.reordered++;
	}
	due = MAX(due, d->last_due);
	if (!late)
		d->last_due = due;
	due += late;
	if (due <= d->im->dev->net->now && skb_queue_empty(&d->way))
		impair_deliver(d, skb);
	else
		put_on_way(d, skb, due);
}

/**
 * impair_reply_xmit() - a frame that the link itself makes
 * @d:    direction that it goes
 * @skb:  frame; consumed
 *
 * It takes the link's delay and nothing else. Even without one it arrives by the timer: nobody is
 * answered inside of his own call.
 */
void impair_reply_xmit(struct impair_dir *d, struct sk_buff *skb)
{
	if (d->dir == TAP_OUT)
		skb->pkt_type = PACKET_OUTGOING;
	put_on_way(d, skb, d->im->dev->net->now + d->p.delay_ns);
}

/* --- in front of the rate ----------------------------------------------------------------------- */

/**
 * impair_queue_take() - the frame at the head of the queue, without asking CoDel
 * @d:  direction
 */
struct sk_buff *impair_queue_take(struct impair_dir *d)
{
	struct sk_buff *skb = skb_dequeue(&d->queue);

	if (skb)
		d->queued_bytes -= skb->len;
	return skb;
}

/* Sends what the transmitter has had time for. */
static void run_transmitter(struct impair_dir *d)
{
	ktime_t now = d->im->dev->net->now;
	struct sk_buff *skb;

	while (d->busy_until <= now) {
		skb = d->p.given & IMPAIR_CODEL ? impair_codel_dequeue(d, d->busy_until) :
						  impair_queue_take(d);
		if (!skb)
			break;
		d->busy_until += skb->len * 8ULL * NSEC_PER_SEC / d->p.rate_bps;
		impair_carry_xmit(d, skb, d->busy_until);
	}
	if (!skb_queue_empty(&d->queue))
		mod_timer(&d->transmitter, d->busy_until);
}

static void transmitter_ready(struct timer_list *timer)
{
	run_transmitter(container_of(timer, struct impair_dir, transmitter));
}

static bool is_full(const struct impair_dir *d, const struct sk_buff *skb)
{
	const struct impair_params *p = &d->p;

	if (d->queue.qlen >= (p->queue_frames ? p->queue_frames : IMPAIR_HELD_MAX))
		return true;
	return p->queue_bytes && d->queued_bytes + skb->len > p->queue_bytes && d->queue.qlen;
}

/* RFC 3168 5 by the length that is there now, as DCTCP wants it (RFC 8257 3.1). */
static void mark_above_threshold(struct impair_dir *d, struct sk_buff *skb)
{
	struct impair_packet pkt;

	if (!d->p.ecn_frames || d->queue.qlen < d->p.ecn_frames)
		return;
	impair_packet_read(&pkt, skb);
	d->stats.marked += impair_mark_ce(skb, &pkt);
}

/**
 * impair_rate_queue() - a frame that nothing has happened to: on to the rate, or past it
 * @d:    direction
 * @skb:  frame; consumed
 *
 * Return:  false when the queue had no room
 */
bool impair_rate_queue(struct impair_dir *d, struct sk_buff *skb)
{
	ktime_t now = d->im->dev->net->now;

	if (d->p.rate_bps && is_full(d, skb)) {
		impair_lose(d, skb, SKB_DROP_IMPAIR_QUEUE);
		return false;
	}
	skb_orphan(skb);
	if (!d->p.rate_bps) {
		impair_carry_xmit(d, skb, now);
		return true;
	}
	mark_above_threshold(d, skb);
	impair_cb(skb)->queued = now;
	d->queued_bytes += skb->len;
	if (skb_queue_empty(&d->queue))
		d->busy_until = MAX(d->busy_until, now);
	skb_append(&d->queue, skb);
	run_transmitter(d);
	return true;
}

/**
 * impair_queues_init() - nothing is held yet
 * @d:  direction; d->im->dev is set
 */
void impair_queues_init(struct impair_dir *d)
{
	skb_queue_head_init(&d->queue);
	skb_queue_head_init(&d->way);
	timer_setup(&d->transmitter, &d->im->dev->net->timers, transmitter_ready);
	timer_setup(&d->arrival, &d->im->dev->net->timers, arrive);
}

/**
 * impair_queues_drop() - lose all that is held
 * @d:       direction
 * @reason:  why
 */
void impair_queues_drop(struct impair_dir *d, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	del_timer(&d->transmitter);
	del_timer(&d->arrival);
	while ((skb = impair_queue_take(d)) || (skb = skb_dequeue(&d->way)))
		impair_lose(d, skb, reason);
	d->busy_until = 0;
	d->last_due = 0;
	memset(&d->codel, 0, sizeof(d->codel));
}
