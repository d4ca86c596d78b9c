/* SPDX-License-Identifier: MIT */
/*
 * impair_codel.c - CoDel on the queue in front of a link's rate (RFC 8289)
 *
 * When frames have stood in the queue longer than the target for a whole interval, one is dropped, and
 * then another after interval/sqrt(count) as long as that lasts; with ECN the frame is marked in
 * place of dropped (RFC 8289 4.2 allows it). The names are those of section 5. The queue's owner is
 * impair_queue.c; here is only the choice of the next frame to be sent.
 */
#include "netif/impair_link.h"

enum { MAXPACKET = 1514 };

/* Integer square root, rounded down. */
static uint64_t isqrt(uint64_t n)
{
	uint64_t root = 0, bit = 1ULL << 62;

	while (bit > n)
		bit >>= 2;
	for (; bit; bit >>= 2) {
		if (n >= root + bit) {
			n -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* RFC 8289 5.5, control_law(): t + interval / sqrt(count), the root with 16 binary places. */
static ktime_t control_law(const struct impair_dir *d, ktime_t t, uint32_t count)
{
	return t + (d->p.codel_interval_ns << 16) / isqrt((uint64_t)count << 32);
}

/* RFC 8289 5.6, dodequeue(): the frame at the head, and whether the queue has been slow for long. */
static struct sk_buff *dodequeue(struct impair_dir *d, ktime_t now, bool *ok_to_drop)
{
	struct impair_codel *c = &d->codel;
	struct sk_buff *skb = impair_queue_take(d);

	*ok_to_drop = false;
	if (!skb) {
		c->first_above = 0;
		return NULL;
	}
	if (now - impair_cb(skb)->queued < d->p.codel_target_ns || d->queued_bytes <= MAXPACKET)
		c->first_above = 0;
	else if (c->first_above == 0)
		c->first_above = now + d->p.codel_interval_ns;
	else
		*ok_to_drop = now >= c->first_above;
	return skb;
}

/* Marks the frame if that may stand for its loss. */
static bool mark_instead(struct impair_dir *d, struct sk_buff *skb)
{
	struct impair_packet pkt;

	if (!(d->p.given & IMPAIR_ECN))
		return false;
	impair_packet_read(&pkt, skb);
	if (!impair_mark_ce(skb, &pkt))
		return false;
	d->stats.marked++;
	return true;
}

/* In the dropping state: drops what is due. */
static struct sk_buff *go_on_dropping(struct impair_dir *d, ktime_t now, struct sk_buff *skb, bool ok)
{
	struct impair_codel *c = &d->codel;

	if (!ok)
		c->dropping = false;
	while (c->dropping && now >= c->drop_next) {
		c->count++;
		if (mark_instead(d, skb)) {
			c->drop_next = control_law(d, c->drop_next, c->count);
			return skb;
		}
		impair_lose(d, skb, SKB_DROP_IMPAIR_CODEL);
		skb = dodequeue(d, now, &ok);
		if (!ok)
			c->dropping = false;
		else
			c->drop_next = control_law(d, c->drop_next, c->count);
		if (!skb)
			break;
	}
	return skb;
}

/* RFC 8289 5.5: enters the dropping state; a state left lately is taken up where it was. */
static struct sk_buff *begin_dropping(struct impair_dir *d, ktime_t now, struct sk_buff *skb)
{
	struct impair_codel *c = &d->codel;
	uint32_t delta = c->count - c->lastcount;
	bool ok;

	if (!mark_instead(d, skb)) {
		impair_lose(d, skb, SKB_DROP_IMPAIR_CODEL);
		skb = dodequeue(d, now, &ok);
	}
	c->dropping = true;
	if (delta > 1 && now - c->drop_next < 16 * d->p.codel_interval_ns)
		c->count = delta;
	else
		c->count = 1;
	c->drop_next = control_law(d, now, c->count);
	c->lastcount = c->count;
	return skb;
}

/**
 * impair_codel_dequeue() - the next frame to be sent
 * @d:    direction
 * @now:  when it starts
 *
 * Return:  a frame, or NULL when the queue is empty
 */
struct sk_buff *impair_codel_dequeue(struct impair_dir *d, ktime_t now)
{
	bool ok;
	struct sk_buff *skb = dodequeue(d, now, &ok);

	if (!skb) {
		d->codel.dropping = false;
		return NULL;
	}
	if (d->codel.dropping)
		return go_on_dropping(d, now, skb, ok);
	return ok ? begin_dropping(d, now, skb) : skb;
}
