/* SPDX-License-Identifier: MIT */
/*
 * impair.c - a link that misbehaves, between a device and the stack
 *
 * What a plan says about a device becomes a link of it (dev_link_ops): each frame, of either
 * direction, goes
 *
 *   down? -> rules -> MTU -> policer -> loss -> corruption -> duplication -> queue, rate -> way
 *
 * and from there to the driver or up to the stack. The two directions have nothing in common but
 * the rules and the connections that these know. Frames are looked at as they are on a real wire: the
 * device's offloads are off while it is impaired, what the kernel hands us as a super-segment is cut
 * (impair_segment.c), and checksums that were left to others are filled in, so that damage shows.
 *
 * All time is the stack's, all chance comes from the seed (impair_random.c); memory is bounded by
 * IMPAIR_HELD_MAX frames. What is lost has a reason of its own in drop.def and is shown to the taps.
 *
 * Read first: impair_spec.c and impair_rule.c for what can be asked.
 */
#include "netif/impair_link.h"
#include "stack/core/sock.h"

static struct impair *impair_of(const struct net_device *dev)
{
	return dev->link_priv;
}

/** impair_is_ip() - whether a frame is IP, whose choices are drawn apart */
bool impair_is_ip(const struct sk_buff *skb)
{
	return skb->protocol == cpu_to_be16(ETH_P_IP);
}

/**
 * impair_lose() - a frame ends here
 * @d:       its direction
 * @skb:     frame
 * @reason:  why
 */
void impair_lose(struct impair_dir *d, struct sk_buff *skb, enum skb_drop_reason reason)
{
	d->stats.dropped++;
	dev_link_drop(skb, d->dir, reason);
}

/**
 * impair_deliver() - a frame has passed
 * @d:    its direction
 * @skb:  frame, data at its link header
 */
void impair_deliver(struct impair_dir *d, struct sk_buff *skb)
{
	d->stats.passed++;
	if (d->dir == TAP_OUT) {
		dev_link_xmit(skb);
		return;
	}
	skb->tstamp = skb->net->now;
	/* The link header was read before, or is of our own making (an ICMP answer). */
	if (eth_type_trans(skb, skb->dev) < 0)
		impair_lose(d, skb, SKB_DROP_ETH_SHORT);
	else
		dev_link_rcv(skb);
}

/* --- a frame enters ----------------------------------------------------------------------------- */

static bool is_down(const struct impair_dir *d)
{
	uint64_t t = d->im->dev->net->now - d->im->start;

	for (unsigned int i = 0; i < d->p.downs; i++)
		if (t >= d->p.down[i].from_ns && t < d->p.down[i].to_ns)
			return true;
	return false;
}

/* True: too large; the sender is told if the plan says so (RFC 1191 4). */
static bool exceeds_mtu(struct impair_dir *d, const struct sk_buff *skb,
			const struct impair_packet *pkt)
{
	struct sk_buff *e;

	if (!d->p.mtu || !pkt->ip || pkt->ip_len <= d->p.mtu)
		return false;
	e = d->p.mtu_icmp ? impair_icmp_error(skb, pkt, 3, 4, (uint16_t)d->p.mtu) : NULL;
	if (e) {
		d->stats.answered++;
		impair_reply_xmit(&d->im->dirs[!d->dir], e);
	}
	return true;
}

/* A bucket of @burst bytes that fills at the rate, kept as the time when it is full again. */
static bool exceeds_police(struct impair_dir *d, const struct sk_buff *skb)
{
	const struct impair_params *p = &d->p;
	ktime_t now = d->im->dev->net->now;
	uint64_t cost, depth;

	if (!p->police_bps)
		return false;
	cost = skb->len * 8ULL * NSEC_PER_SEC / p->police_bps;
	depth = p->police_burst * 8ULL * NSEC_PER_SEC / p->police_bps;
	d->policer = MAX(d->policer, now);
	if (d->policer + cost - now > depth)
		return true;
	d->policer += cost;
	return false;
}

/* Why a frame is lost before it comes to the queue, or SKB_NOT_DROPPED. */
static enum skb_drop_reason judge(struct impair_dir *d, struct sk_buff *skb,
				  struct impair_packet *pkt, struct impair_verdict *v)
{
	enum skb_drop_reason reason;

	if (is_down(d))
		return SKB_DROP_IMPAIR_DOWN;
	reason = impair_rules(d, pkt, skb, v);
	if (reason != SKB_NOT_DROPPED)
		return reason;
	if (exceeds_mtu(d, skb, pkt))
		return SKB_DROP_IMPAIR_MTU;
	if (exceeds_police(d, skb))
		return SKB_DROP_IMPAIR_POLICER;
	if (!v->pass && impair_is_lost(d, pkt->ip, &reason))
		return reason;
	return SKB_NOT_DROPPED;
}

/* One ordinary frame, data at its link header. Consumes. False: it was lost at once. */
static bool enter_xmit(struct impair_dir *d, struct sk_buff *skb)
{
	struct impair_verdict v = { 0 };
	struct sk_buff *copy = NULL;
	struct impair_packet pkt;
	enum skb_drop_reason reason;
	bool taken;

	d->stats.entered++;
	impair_packet_read(&pkt, skb);
	reason = judge(d, skb, &pkt, &v);
	if (reason != SKB_NOT_DROPPED) {
		impair_lose(d, skb, reason);
		return false;
	}
	if (!v.pass && impair_chance(d, pkt.ip, CHOICE_CORRUPT, d->p.corrupt))
		impair_corrupt(d, pkt.ip, skb);
	impair_cb(skb)->extra_ns = v.delay_ns;
	if (v.duplicate || (!v.pass && impair_chance(d, pkt.ip, CHOICE_DUPLICATE, d->p.duplicate)))
		copy = skb_copy(skb, 0);
	taken = impair_rate_queue(d, skb);
	if (copy) {
		d->stats.duplicated++;
		impair_rate_queue(d, copy);
	}
	return taken;
}

static bool impair_xmit(struct sk_buff *skb, struct net_device *dev)
{
	return enter_xmit(&impair_of(dev)->dirs[TAP_OUT], skb);
}

/* The bytes as they would be on a wire: no checksum left to others. */
static bool complete_checksum(struct sk_buff *skb)
{
	return skb->ip_summed != CHECKSUM_PARTIAL || skb_checksum_help(skb) == 0;
}

static void impair_rcv(struct sk_buff *skb, struct net_device *dev)
{
	struct impair_dir *d = &impair_of(dev)->dirs[TAP_IN];
	struct sk_buff_head parts;

	if (skb_mac_header_was_set(skb))
		skb_push(skb, skb_headroom(skb) - skb->mac_header);
	skb_queue_head_init(&parts);
	if (skb->gso_size)
		impair_segment(skb, &parts);
	else
		skb_append(&parts, skb);
	while ((skb = skb_dequeue(&parts))) {
		if (complete_checksum(skb))
			enter_xmit(d, skb);
		else
			impair_lose(d, skb, SKB_DROP_NO_MEMORY);
	}
}

/* --- putting it on and taking it off ------------------------------------------------------------ */

static void impair_stop(struct net_device *dev)
{
	for (unsigned int i = 0; i < IMPAIR_DIRS; i++)
		impair_queues_drop(&impair_of(dev)->dirs[i], SKB_DROP_DEV_DOWN);
}

static void impair_free(struct impair *im)
{
	impair_conns_free(im->conns);
	free(im->rules);
	free(im->states);
	free(im);
}

static void impair_destroy(struct net_device *dev)
{
	impair_stop(dev);
	impair_free(impair_of(dev));
	dev->link = NULL;
	dev->link_priv = NULL;
}

static const struct dev_link_ops impair_ops = {
	.xmit = impair_xmit,
	.rcv = impair_rcv,
	.stop = impair_stop,
	.destroy = impair_destroy,
};

static const struct impair_dev_plan *plan_of(const struct impair_plan *plan, const char *name)
{
	for (unsigned int i = 0; i < plan->count; i++)
		if (strcmp(plan->devs[i].name, name) == 0)
			return &plan->devs[i];
	return NULL;
}

static int copy_rules(struct impair *im, const struct impair_dev_plan *p)
{
	if (!p->rule_count)
		return 0;
	im->rules = calloc(p->rule_count, sizeof(*im->rules));
	im->states = calloc(p->rule_count, sizeof(*im->states));
	if (!im->rules || !im->states)
		return -ENOMEM;
	im->rule_count = p->rule_count;
	for (unsigned int i = 0; i < p->rule_count; i++) {
		im->rules[i] = p->rules[i];
		im->states[i].rule = &im->rules[i];
	}
	return impair_conns_create(&im->conns);
}

static void init_dirs(struct impair *im, const struct impair_dev_plan *p)
{
	for (unsigned int i = 0; i < IMPAIR_DIRS; i++) {
		struct impair_dir *d = &im->dirs[i];

		d->im = im;
		d->dir = (enum tap_dir)i;
		d->p = p->params[i];
		d->stats.seed = im->seed;
		impair_random_init(d);
		impair_queues_init(d);
	}
}

/* An impaired wire carries what a wire does: one segment a frame, whole checksums. */
static void turn_offloads_off(struct impair *im)
{
	unsigned int offloads = NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_SG;

	im->features = im->dev->features;
	im->dev->features &= ~offloads;
}

/** impair_attach() - see impair.h */
int impair_attach(struct net_device *dev, const struct impair_plan *plan, bool rest, uint64_t seed)
{
	const struct impair_dev_plan *p = plan_of(plan, dev->name);
	struct impair *im;
	int err;

	if (!p && rest)
		p = plan_of(plan, "");
	if (!p)
		return 0;
	if (dev->link)
		return -EBUSY;
	im = calloc(1, sizeof(*im));
	if (!im)
		return -ENOMEM;
	im->dev = dev;
	im->seed = seed;
	im->start = dev->net->now;
	err = copy_rules(im, p);
	if (err < 0) {
		impair_free(im);
		return err;
	}
	init_dirs(im, p);
	turn_offloads_off(im);
	dev->link = &impair_ops;
	dev->link_priv = im;
	return 0;
}

/** impair_detach() - see impair.h */
void impair_detach(struct net_device *dev)
{
	if (dev->link != &impair_ops)
		return;
	dev->features = impair_of(dev)->features;
	impair_destroy(dev);
}

/* --- reports ------------------------------------------------------------------------------------ */

/** impair_get_stats() - see impair.h */
bool impair_get_stats(const struct net_device *dev, enum tap_dir dir, struct impair_stats *stats)
{
	const struct impair_dir *d;

	if (dev->link != &impair_ops)
		return false;
	d = &impair_of(dev)->dirs[dir];
	*stats = d->stats;
	stats->held = d->queue.qlen + d->way.qlen;
	return true;
}

/** impair_get_rule() - see impair.h */
bool impair_get_rule(const struct net_device *dev, unsigned int index, const char **text,
		     uint64_t *matched, uint64_t *applied)
{
	const struct impair *im = impair_of(dev);

	if (dev->link != &impair_ops || index >= im->rule_count)
		return false;
	*text = im->rules[index].text;
	*matched = im->states[index].matched;
	*applied = im->states[index].applied;
	return true;
}
