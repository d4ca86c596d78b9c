/* SPDX-License-Identifier: MIT */
/*
 * ip_frag.c - reassembly of IPv4 datagrams
 *
 * Fragments of one datagram (source, destination, protocol, identification) wait in a queue,
 * sorted by offset. When no gap is left they are copied into one linear packet. Everything that
 * does not fit the picture throws the whole datagram away: overlaps, two different ends, more than
 * 65535 bytes (RFC 5722 in spirit: no honest sender overlaps, and each way to merge was used to slip
 * past filters). Only an exact repetition of a fragment is ignored.
 *
 * Limits: 30 s per datagram, 4 MB per namespace (the oldest datagram goes first), as many fragments
 * per datagram as the smallest MTU can make of the largest datagram.
 *
 * Read first: RFC 791 3.2, RFC 815, RFC 1122 3.3.2, RFC 3168 5.3.
 */
#include "stack/core/checksum.h"
#include "stack/inet/icmp.h"
#include "stack/inet/ip.h"

#define FRAG_BUCKETS 256U
#define FRAG_MAX_PIECES 1366U            /* 65515 bytes over an MTU of 68 */
#define FRAG_MAX_PACKET 65535U
#define FRAG_HEADROOM 64U
#define ECN_MASK 3
#define ECN_CE 3

struct frag_key {
	be32 saddr, daddr;
	be16 id;
	uint8_t protocol;
	uint8_t pad; /* zero: the key is hashed and compared as bytes */
};

/* One datagram under way. Its skbs have data at their payload, network_header at their IP header. */
struct frag_queue {
	struct list_head hash_node, age_node;
	struct net *net;
	struct frag_key key;
	struct sk_buff_head pieces; /* sorted by offset, no two overlap */
	uint32_t have;              /* payload bytes that are here */
	uint32_t end;               /* payload bytes of the datagram; 0 = last fragment not seen */
	uint32_t truesize;
	uint8_t ecn_seen;           /* bit n: some fragment had ECN codepoint n */
	uint32_t largest_df;        /* of the IP packets with DF */
	uint32_t largest;
	struct timer_list timer;
};

struct netns_frag {
	struct list_head buckets[FRAG_BUCKETS];
	struct list_head by_age; /* oldest first */
	uint32_t bytes;          /* truesize of all that waits */
	uint64_t key[2];
	struct notifier_block netdev_nb;
};

/* Where a fragment lies, in the skb's cb behind what IP keeps there. */
struct frag_cb {
	struct ip_skb_cb ip;
	uint32_t offset; /* bytes */
};

static struct frag_cb *frag_cb(const struct sk_buff *skb)
{
	return (struct frag_cb *)(void *)(uintptr_t)skb->cb;
}

_Static_assert(sizeof(struct frag_cb) <= sizeof(((struct sk_buff *)NULL)->cb), "cb is large enough");

/* --- queues ---------------------------------------------------------------------------------- */

/* The first piece carries the reason, so that a datagram is counted once. */
static void destroy_queue(struct frag_queue *q, enum skb_drop_reason reason)
{
	struct netns_frag *nf = q->net->frag;
	struct sk_buff *skb = skb_dequeue(&q->pieces);

	if (skb && reason)
		skb_drop(skb, reason);
	else
		skb_consume(skb);
	skb_queue_purge(&q->pieces);
	nf->bytes -= q->truesize;
	list_del(&q->hash_node);
	list_del(&q->age_node);
	timer_destroy(&q->timer);
	free(q);
}

/* RFC 1122 3.3.2: time exceeded, code 1, if the first fragment is here. */
static void queue_expired(struct timer_list *t)
{
	struct frag_queue *q = container_of(t, struct frag_queue, timer);
	struct sk_buff *first = skb_peek(&q->pieces);

	mib_inc(q->net, MIB_IpReasmTimeout);
	if (first && frag_cb(first)->offset == 0)
		icmp_send(first, ICMP4_TIME_EXCEEDED, ICMP4_EXC_FRAGTIME, 0);
	destroy_queue(q, SKB_DROP_FRAG_TIMEOUT);
}

static struct list_head *find_bucket(struct netns_frag *nf, const struct frag_key *key)
{
	return &nf->buckets[siphash(key, sizeof(*key), nf->key) % FRAG_BUCKETS];
}

static struct frag_queue *find_queue(struct net *net, const struct frag_key *key)
{
	struct list_head *bucket = find_bucket(net->frag, key);
	struct frag_queue *q;

	list_for_each_entry(q, bucket, hash_node)
		if (memcmp(&q->key, key, sizeof(*key)) == 0)
			return q;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->net = net;
	q->key = *key;
	skb_queue_head_init(&q->pieces);
	timer_setup(&q->timer, &net->timers, queue_expired);
	mod_timer(&q->timer, net->now + (unsigned int)net->inet->sysctl.ipfrag_time_s * NSEC_PER_SEC);
	list_add(&q->hash_node, bucket);
	list_add_tail(&q->age_node, &net->frag->by_age);
	return q;
}

/* Gives up a datagram for another's sake: not the fate of the frame that is being received. */
static void evict(struct frag_queue *q)
{
	struct net *net = q->net;
	const enum skb_drop_reason fate = net->rx.reason;

	destroy_queue(q, SKB_DROP_FRAG_MEMORY);
	net->rx.reason = fate;
}

/* Makes room by giving up the oldest datagrams, but never @keep. */
static bool make_room(const struct net *net, const struct frag_queue *keep, uint32_t more)
{
	struct netns_frag *nf = net->frag;

	while (nf->bytes + more > net->inet->sysctl.ipfrag_high_thresh) {
		struct frag_queue *oldest = list_first_entry(&nf->by_age, struct frag_queue, age_node);

		if (oldest == keep) {
			if (oldest->age_node.next == &nf->by_age)
				return false;
			oldest = list_entry(oldest->age_node.next, struct frag_queue, age_node);
		}
		evict(oldest);
	}
	return true;
}

/* --- one fragment ---------------------------------------------------------------------------- */

/* Where a fragment goes: behind @after (NULL = first). */
static enum skb_drop_reason find_place(const struct frag_queue *q, uint32_t offset, uint32_t end,
				       struct sk_buff **after)
{
	struct sk_buff *at = skb_peek_tail(&q->pieces), *skb;

	/* In order is the rule. */
	if (!at || frag_cb(at)->offset + at->len <= offset) {
		*after = at;
		return SKB_NOT_DROPPED;
	}
	*after = NULL;
	skb_queue_walk(&q->pieces, skb) {
		const uint32_t from = frag_cb(skb)->offset, to = from + skb->len;

		if (from == offset && to == end)
			return SKB_DROP_FRAG_DUPLICATE;
		if (from >= end)
			break;
		if (to > offset)
			return SKB_DROP_FRAG_OVERLAP;
		*after = skb;
	}
	return SKB_NOT_DROPPED;
}

/* Two ends, or bytes behind the end: somebody lies about the datagram. */
static bool contradicts_end(const struct frag_queue *q, uint32_t end, bool last)
{
	const struct sk_buff *tail = skb_peek_tail(&q->pieces);
	const uint32_t highest = tail ? frag_cb(tail)->offset + tail->len : 0;

	if (q->end)
		return last ? end != q->end : end > q->end;
	return last && end < highest;
}

static void note_header(struct frag_queue *q, const struct iphdr4 *iph)
{
	const uint32_t size = be16_to_cpu(iph->tot_len);

	q->ecn_seen |= (uint8_t)(1 << (iph->tos & ECN_MASK));
	q->largest = MAX(q->largest, size);
	if (be16_to_cpu(iph->frag_off) & IP_F_DF)
		q->largest_df = MAX(q->largest_df, size);
}

/* Takes @skb into @q or says why not; on an overlap the whole datagram has to go. */
static enum skb_drop_reason take_piece(struct frag_queue *q, struct sk_buff *skb, bool last)
{
	const uint32_t offset = frag_cb(skb)->offset, end = offset + skb->len;
	enum skb_drop_reason reason;
	struct sk_buff *after;

	reason = find_place(q, offset, end, &after);
	if (reason)
		return reason;
	if (contradicts_end(q, end, last))
		return SKB_DROP_FRAG_OVERLAP;
	if (q->pieces.qlen >= FRAG_MAX_PIECES)
		return SKB_DROP_FRAG_MEMORY;
	if (last)
		q->end = end;
	if (after)
		skb_insert_after(&q->pieces, after, skb);
	else
		skb_prepend(&q->pieces, skb);
	q->have += skb->len;
	q->truesize += skb->truesize;
	q->net->frag->bytes += skb->truesize;
	note_header(q, skb_network_header(skb));
	return SKB_NOT_DROPPED;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* RFC 3168 5.3: one congestion mark marks the whole; a mark beside a fragment that cannot carry
 * one is a contradiction. */
static bool ecn_contradicts(const struct frag_queue *q)
{
	return q->ecn_seen & 1 << ECN_CE && q->ecn_seen & 1;
}

static void complete_header(const struct frag_queue *q, struct sk_buff *whole, uint32_t ihl)
{
	struct iphdr4 *iph = skb_network_header(whole);

	iph->tot_len = cpu_to_be16((uint16_t)whole->len);
	/* DF stays if all large fragments had it, as Linux: the sender does path MTU discovery. */
	iph->frag_off = cpu_to_be16(q->largest_df && q->largest_df == q->largest ? IP_F_DF : 0);
	if (q->ecn_seen & 1 << ECN_CE)
		iph->tos |= ECN_CE;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, ihl / 4);
}

/* A linear packet with the first fragment's header; NULL when out of memory. */
static struct sk_buff *join(const struct frag_queue *q)
{
	const struct sk_buff *first = skb_peek(&q->pieces), *piece;
	const uint32_t ihl = frag_cb(first)->ip.ihl;
	struct sk_buff *whole = alloc_skb(q->net, FRAG_HEADROOM + ihl + q->end);

	if (!whole)
		return NULL;
	skb_reserve(whole, FRAG_HEADROOM);
	skb_reset_mac_header(whole);
	skb_reset_network_header(whole);
	memcpy(skb_put(whole, ihl), skb_network_header(first), ihl);
	skb_queue_walk(&q->pieces, piece)
		skb_copy_bits(piece, 0, skb_put(whole, piece->len), piece->len);
	whole->dev = first->dev;
	whole->protocol = first->protocol;
	whole->pkt_type = first->pkt_type;
	whole->tstamp = first->tstamp;
	whole->ip_summed = CHECKSUM_NONE;
	complete_header(q, whole, ihl);
	ip_fill_cb(whole);
	return whole;
}

/* All bytes are here. Ends @q. */
static struct sk_buff *finish(struct frag_queue *q)
{
	const struct sk_buff *first = skb_peek(&q->pieces);
	struct sk_buff *whole;

	if (frag_cb(first)->ip.ihl + q->end > FRAG_MAX_PACKET || ecn_contradicts(q)) {
		destroy_queue(q, SKB_DROP_FRAG_INVALID);
		return NULL;
	}
	whole = join(q);
	if (whole)
		mib_inc(q->net, MIB_IpReasmOKs);
	destroy_queue(q, whole ? SKB_NOT_DROPPED : SKB_DROP_FRAG_MEMORY);
	return whole;
}

/*
 * Pulls the header off; false for a fragment that cannot be one: empty, reaching beyond 65535 bytes,
 * or, unless it is the last, not a multiple of 8 (RFC 791 3.2).
 */
static bool read_fragment(struct sk_buff *skb, bool *last)
{
	const struct iphdr4 *iph = skb_network_header(skb);
	const uint16_t off = be16_to_cpu(iph->frag_off);
	const uint32_t ihl = ip_cb(skb)->ihl;

	*last = !(off & IP_F_MF);
	frag_cb(skb)->offset = (off & IP_F_OFFMASK) * 8U;
	if (!skb_pull(skb, ihl) || skb->len == 0)
		return false;
	if (!*last && skb->len % 8 != 0)
		return false;
	return ihl + frag_cb(skb)->offset + skb->len <= FRAG_MAX_PACKET;
}

/* A small fragment must not pin a large receive buffer. Takes @skb over; NULL when out of memory. */
static struct sk_buff *shrink(struct sk_buff *skb)
{
	const uint32_t ihl = ip_cb(skb)->ihl;
	struct sk_buff *copy;

	if (skb->truesize <= 2 * skb->len + 1024)
		return skb;
	copy = alloc_skb(skb->net, ihl + skb->len);
	if (copy) {
		skb_reset_mac_header(copy);
		skb_reset_network_header(copy);
		memcpy(skb_put(copy, ihl + skb->len), skb_network_header(skb), ihl + skb->len);
		skb_pull(copy, ihl);
		copy->dev = skb->dev;
		copy->protocol = skb->protocol;
		copy->pkt_type = skb->pkt_type;
		copy->tstamp = skb->tstamp;
		memcpy(copy->cb, skb->cb, sizeof(copy->cb));
	}
	skb_consume(skb);
	return copy;
}

/**
 * ip_defrag_rcv() - take a fragment
 * @skb:  data at the IP header, checked, ip_cb() filled; consumed
 *
 * Return:  the datagram, linear, data at its IP header, ip_cb() filled, once its last gap is closed;
 *          else NULL
 */
struct sk_buff *ip_defrag_rcv(struct sk_buff *skb)
{
	struct net *net = skb->net;
	const struct iphdr4 *iph = skb_network_header(skb);
	const struct frag_key key = { .saddr = iph->saddr, .daddr = iph->daddr, .id = iph->id,
				      .protocol = iph->protocol };
	enum skb_drop_reason reason = SKB_DROP_FRAG_INVALID;
	struct frag_queue *q;
	bool last;

	mib_inc(net, MIB_IpReasmReqds);
	if (!read_fragment(skb, &last))
		goto drop;
	skb = shrink(skb);
	reason = SKB_DROP_FRAG_MEMORY;
	q = skb ? find_queue(net, &key) : NULL;
	if (!q)
		goto drop;
	if (!make_room(net, q, skb->truesize)) {
		destroy_queue(q, SKB_NOT_DROPPED);
		goto drop;
	}
	reason = take_piece(q, skb, last);
	if (reason == SKB_NOT_DROPPED)
		return q->end && q->have == q->end ? finish(q) : NULL;
	if (reason != SKB_DROP_FRAG_DUPLICATE)
		destroy_queue(q, SKB_NOT_DROPPED); /* counted with this fragment */
drop:
	skb_drop(skb, reason);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static void destroy_all(struct netns_frag *nf)
{
	while (!list_empty(&nf->by_age))
		destroy_queue(list_first_entry(&nf->by_age, struct frag_queue, age_node), SKB_NOT_DROPPED);
}

/* Waiting fragments point at the device they came by; one that goes is rare enough to drop all. */
static void device_event(struct notifier_block *nb, unsigned long event, void *data)
{
	(void)data;
	if (event == NETDEV_UNREGISTER)
		destroy_all(container_of(nb, struct netns_frag, netdev_nb));
}

static int frag_init(struct net *net)
{
	struct netns_frag *nf = calloc(1, sizeof(*nf));
	unsigned int i;

	if (!nf)
		return -ENOMEM;
	for (i = 0; i < FRAG_BUCKETS; i++)
		list_init(&nf->buckets[i]);
	list_init(&nf->by_age);
	random_bytes(&net->random, nf->key, sizeof(nf->key));
	nf->netdev_nb.call = device_event;
	notifier_chain_register(&net->netdev_chain, &nf->netdev_nb);
	net->frag = nf;
	return 0;
}

static void frag_exit(struct net *net)
{
	notifier_chain_unregister(&net->netdev_chain, &net->frag->netdev_nb);
	destroy_all(net->frag);
	free(net->frag);
	net->frag = NULL;
}

const struct pernet_operations ip_frag_pernet_ops = { "frag", frag_init, frag_exit };
