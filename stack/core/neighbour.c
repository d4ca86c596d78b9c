/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - from the next hop's network address to its link address
 *
 * neigh_output() is the last step of each packet. An address without an entry gets one, the packet
 * waits in it, and the family's ops->solicit() (ARP, later ND) asks; neigh_update() with the answer
 * sends what waited. The states are those of RFC 4861 7.3.2, used for IPv4 too, as Linux does:
 *
 *   NONE -> INCOMPLETE -> REACHABLE -> STALE -> DELAY -> PROBE -> FAILED
 *              |  (no answer)  ^------- confirmed ----------|       ^
 *              +------------------------------------------- (no answer)
 *
 * REACHABLE lasts a random time around base_reachable_ms since the last confirmation (6.3.2). A
 * packet to a STALE entry goes out at once and starts DELAY; without a hint from the transport
 * (neigh_confirm()) unicast probes follow (7.3.3). FAILED keeps nothing; the next packet starts
 * resolution again. Entries unused for gc_stale_ms are collected.
 *
 * Limits: queue_bytes of waiting packets per entry (the oldest go first), max_entries per table
 * (unused ones are evicted, else -ENOBUFS), so that a scan cannot take all memory (RFC 6583).
 */
#include "stack/core/neighbour.h"

#include "stack/core/trace.h"

#define NEIGH_BUCKETS 256U

struct neigh_table {
	struct list_head list;
	struct net *net;
	uint16_t family;
	const struct neigh_ops *ops;
	struct neigh_parms parms;
	uint64_t hash_key[2];
	size_t entries;
	struct timer_list gc_timer; /* pending while there are entries */
	struct list_head buckets[NEIGH_BUCKETS];
};

struct neigh_tables {
	struct list_head tables;
	struct notifier_block devices;
};

/* Linux's defaults (arp(7)); the times and counts are also those of RFC 4861 10. */
static const struct neigh_parms default_parms = {
	.base_reachable_ms = 30000,
	.retrans_ms = 1000,
	.delay_probe_ms = 5000,
	.gc_stale_ms = 60000,
	.ucast_probes = 3,
	.mcast_probes = 3,
	.queue_bytes = 212992,
	.max_entries = 1024,
	.gc_interval_ms = 30000,
};

static void on_timer(struct timer_list *t);

static ktime_t ms_from_now(const struct net *net, uint32_t ms)
{
	return net->now + ms * NSEC_PER_MSEC;
}

/* --- entries and tables ---------------------------------------------------------------------- */

static struct neigh_table *find_table(const struct net *net, uint16_t family)
{
	struct neigh_table *tbl;

	list_for_each_entry(tbl, &net->neigh->tables, list)
		if (tbl->family == family)
			return tbl;
	return NULL;
}

static struct list_head *bucket_of(struct neigh_table *tbl, const struct inet_addr *addr)
{
	return &tbl->buckets[siphash(addr, sizeof(*addr), tbl->hash_key) % NEIGH_BUCKETS];
}

static const char *state_name(unsigned int state)
{
	switch (state) {
	case NUD_NONE: return "NONE";
	case NUD_INCOMPLETE: return "INCOMPLETE";
	case NUD_REACHABLE: return "REACHABLE";
	case NUD_STALE: return "STALE";
	case NUD_DELAY: return "DELAY";
	case NUD_PROBE: return "PROBE";
	case NUD_FAILED: return "FAILED";
	case NUD_NOARP: return "NOARP";
	case NUD_PERMANENT: return "PERMANENT";
	default: return "?";
	}
}

/* RFC 4861 6.3.2: uniform between half and one and a half of BaseReachableTime */
static void choose_reachable_time(struct neighbour *n)
{
	uint32_t base = n->tbl->parms.base_reachable_ms;

	n->reachable_ms = base / 2 + random_below(&n->tbl->net->random, MAX(base, 1U));
}

/* Enters @state with the timer that belongs to it. */
static void set_state(struct neighbour *n, enum nud_state state)
{
	const struct neigh_parms *p = &n->tbl->parms;
	struct net *net = n->tbl->net;
	char text[INET_ADDR_STRLEN];

	if (trace_on(net, TRACE_STATE) && n->nud_state != state)
		trace_printf(net, TRACE_STATE, "%s: neighbour %s %s > %s", n->dev->name,
			     inet_addr_str(&n->addr, text), state_name(n->nud_state),
			     state_name(state));
	n->nud_state = (uint8_t)state;
	n->updated = net->now;
	switch (state) {
	case NUD_INCOMPLETE:
	case NUD_PROBE:
		mod_timer(&n->timer, ms_from_now(net, p->retrans_ms));
		break;
	case NUD_REACHABLE:
		n->confirmed = net->now;
		mod_timer(&n->timer, ms_from_now(net, n->reachable_ms));
		break;
	case NUD_DELAY:
		mod_timer(&n->timer, ms_from_now(net, p->delay_probe_ms));
		break;
	default:
		del_timer(&n->timer);
	}
}

static void drop_waiting(struct neighbour *n, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&n->queue)))
		skb_drop(skb, reason);
}

static void destroy_entry(struct neighbour *n, enum skb_drop_reason reason)
{
	list_del(&n->list);
	n->tbl->entries--;
	timer_destroy(&n->timer);
	drop_waiting(n, reason);
	free(n);
}

/**
 * neigh_delete() - forget an entry; packets that wait in it are lost
 * @neigh:  entry, gone afterwards
 */
void neigh_delete(struct neighbour *neigh)
{
	destroy_entry(neigh, SKB_DROP_NEIGH_FAILED);
}

/* In use: being resolved or probed, fixed by the administrator, or changed just now. */
static bool may_be_collected(const struct neighbour *n)
{
	return !(n->nud_state & (NUD_PERMANENT | NUD_INCOMPLETE | NUD_DELAY | NUD_PROBE)) &&
	       skb_queue_empty(&n->queue) && n->updated != n->tbl->net->now;
}

static void on_gc_timer(struct timer_list *t)
{
	struct neigh_table *tbl = container_of(t, struct neigh_table, gc_timer);
	ktime_t stale = tbl->parms.gc_stale_ms * NSEC_PER_MSEC, now = tbl->net->now;
	struct neighbour *n, *next;
	size_t i;

	for (i = 0; i < NEIGH_BUCKETS; i++)
		list_for_each_entry_safe(n, next, &tbl->buckets[i], list)
			if (may_be_collected(n) &&
			    (n->nud_state == NUD_FAILED ||
			     (now - n->used >= stale && now - n->updated >= stale)))
				destroy_entry(n, SKB_DROP_NEIGH_FAILED);
	if (tbl->entries)
		mod_timer(&tbl->gc_timer, ms_from_now(tbl->net, tbl->parms.gc_interval_ms));
}

/* Makes room in a full table: a failed entry, else the one unused for longest. */
static bool evict_one(struct neigh_table *tbl)
{
	struct neighbour *n, *victim = NULL;
	size_t i;

	for (i = 0; i < NEIGH_BUCKETS; i++)
		list_for_each_entry(n, &tbl->buckets[i], list) {
			bool failed = n->nud_state == NUD_FAILED;

			if (!may_be_collected(n))
				continue;
			if (!victim || (failed && victim->nud_state != NUD_FAILED) ||
			    (failed == (victim->nud_state == NUD_FAILED) && n->used < victim->used))
				victim = n;
		}
	if (victim)
		destroy_entry(victim, SKB_DROP_NEIGH_FAILED);
	return victim != NULL;
}

/**
 * neigh_table_register() - make the table of an address family, or find it
 * @net:     namespace
 * @family:  AF_INET, AF_INET6
 * @ops:     of ARP or ND, must outlive the namespace
 * @parms:   times and limits, copied; NULL = Linux's defaults. Ignored when the table exists.
 *
 * Return:  0; -ENOMEM
 */
int neigh_table_register(struct net *net, uint16_t family, const struct neigh_ops *ops,
			 const struct neigh_parms *parms)
{
	struct neigh_table *tbl = find_table(net, family);
	size_t i;

	if (tbl) {
		tbl->ops = ops;
		return 0;
	}
	tbl = calloc(1, sizeof(*tbl));
	if (!tbl)
		return -ENOMEM;
	tbl->net = net;
	tbl->family = family;
	tbl->ops = ops;
	tbl->parms = parms ? *parms : default_parms;
	random_bytes(&net->random, tbl->hash_key, sizeof(tbl->hash_key));
	timer_setup(&tbl->gc_timer, &net->timers, on_gc_timer);
	for (i = 0; i < NEIGH_BUCKETS; i++)
		list_init(&tbl->buckets[i]);
	list_add_tail(&tbl->list, &net->neigh->tables);
	return 0;
}

/**
 * neigh_table_parms() - times and limits of a family's neighbours
 * @net:     namespace
 * @family:  registered
 *
 * Return:  valid as long as the namespace
 */
struct neigh_parms *neigh_table_parms(struct net *net, uint16_t family)
{
	struct neigh_table *tbl = find_table(net, family);

	BUG_ON(!tbl);
	return &tbl->parms;
}

static struct neighbour *find_entry(struct neigh_table *tbl, const struct inet_addr *addr,
				    const struct net_device *dev)
{
	struct list_head *bucket = bucket_of(tbl, addr);
	struct neighbour *n;

	list_for_each_entry(n, bucket, list)
		if (n->dev == dev && inet_addr_equal(&n->addr, addr))
			return n;
	return NULL;
}

/**
 * neigh_lookup() - find an entry
 * @net:   namespace
 * @addr:  network address
 * @dev:   device it is reached by
 *
 * Return:  the entry, or NULL
 */
struct neighbour *neigh_lookup(struct net *net, const struct inet_addr *addr, struct net_device *dev)
{
	struct neigh_table *tbl = find_table(net, addr->family);

	return tbl ? find_entry(tbl, addr, dev) : NULL;
}

/**
 * neigh_create() - find an entry or make one in state NONE
 * @net:   namespace
 * @addr:  network address, of a family with a table
 * @dev:   device it is reached by
 *
 * Return:  the entry; NULL without a table, when all max_entries are in use, or out of memory
 */
struct neighbour *neigh_create(struct net *net, const struct inet_addr *addr, struct net_device *dev)
{
	struct neigh_table *tbl = find_table(net, addr->family);
	struct neighbour *n = tbl ? find_entry(tbl, addr, dev) : NULL;

	if (n || !tbl)
		return n;
	if (tbl->entries >= tbl->parms.max_entries && !evict_one(tbl))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->tbl = tbl;
	n->dev = dev;
	n->addr = *addr;
	n->nud_state = NUD_NONE;
	n->updated = n->used = net->now;
	skb_queue_head_init(&n->queue);
	timer_setup(&n->timer, &net->timers, on_timer);
	choose_reachable_time(n);
	list_add_tail(&n->list, bucket_of(tbl, addr));
	tbl->entries++;
	if (!timer_pending(&tbl->gc_timer))
		mod_timer(&tbl->gc_timer, ms_from_now(net, tbl->parms.gc_interval_ms));
	return n;
}

static struct neighbour *first_from(struct neigh_table *tbl, size_t bucket)
{
	for (; bucket < NEIGH_BUCKETS; bucket++)
		if (!list_empty(&tbl->buckets[bucket]))
			return list_first_entry(&tbl->buckets[bucket], struct neighbour, list);
	return NULL;
}

/**
 * neigh_next() - walk the entries of a family, in no particular order
 * @net:     namespace
 * @family:  address family
 * @n:       the one before; NULL starts
 *
 * Return:  the next entry, NULL at the end
 */
struct neighbour *neigh_next(struct net *net, uint16_t family, const struct neighbour *n)
{
	struct neigh_table *tbl = find_table(net, family);
	struct list_head *bucket;

	if (!tbl)
		return NULL;
	if (!n)
		return first_from(tbl, 0);
	bucket = bucket_of(tbl, &n->addr);
	if (n->list.next != bucket)
		return list_entry(n->list.next, struct neighbour, list);
	return first_from(tbl, (size_t)(bucket - tbl->buckets) + 1);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Pushes the link header and sends. Consumes. */
static int send_to(struct net_device *dev, const uint8_t *ha, uint16_t ethertype, struct sk_buff *skb)
{
	int err = skb_cow(skb, (uint32_t)(dev->hard_header_len + dev->needed_headroom));

	skb->dev = dev;
	if (err == 0)
		err = dev_hard_header(skb, dev, ethertype, ha, NULL);
	if (err < 0) {
		skb_drop(skb, err == -ENOMEM ? SKB_DROP_NO_MEMORY : SKB_DROP_DEV_TX_ERROR);
		return err;
	}
	return dev_queue_xmit(skb);
}

/* Takes all that waits and sends it. A packet may come back to the queue only after this. */
static void send_waiting(struct neighbour *n)
{
	uint16_t ethertype = n->tbl->ops->ethertype;
	struct net_device *dev = n->dev;
	struct sk_buff_head ready;
	uint8_t ha[ETH_ALEN];
	struct sk_buff *skb;

	memcpy(ha, n->ha, sizeof(ha));
	skb_queue_head_init(&ready);
	while ((skb = skb_dequeue(&n->queue)))
		skb_append(&ready, skb);
	while ((skb = skb_dequeue(&ready)))
		send_to(dev, ha, ethertype, skb);
}

static uint32_t waiting_bytes(const struct neighbour *n)
{
	const struct sk_buff *skb;
	uint32_t sum = 0;

	skb_queue_walk(&n->queue, skb)
		sum += skb->truesize;
	return sum;
}

/*
 * RFC 1122 2.3.2.2: at least the latest packet is kept while an address is being resolved; beyond
 * the limit the oldest ones make room for it, as in Linux. Consumes.
 */
static void wait_for_answer(struct neighbour *n, struct sk_buff *skb)
{
	uint32_t bytes = waiting_bytes(n) + skb->truesize;

	while (bytes > n->tbl->parms.queue_bytes && !skb_queue_empty(&n->queue)) {
		struct sk_buff *oldest = skb_dequeue(&n->queue);

		bytes -= oldest->truesize;
		skb_drop(oldest, SKB_DROP_NEIGH_QUEUE_FULL);
	}
	skb_append(&n->queue, skb);
}

static void ask(struct neighbour *n)
{
	n->probes++;
	n->tbl->ops->solicit(n, skb_peek(&n->queue));
}

/* Sends by an entry, or lets the packet wait in it. Consumes. */
static int send_by_entry(struct neighbour *n, struct sk_buff *skb)
{
	n->used = n->tbl->net->now;
	if (n->nud_state & NUD_VALID) {
		if (n->nud_state == NUD_STALE)
			set_state(n, NUD_DELAY); /* RFC 4861 7.3.3 */
		return send_to(n->dev, n->ha, n->tbl->ops->ethertype, skb);
	}
	skb->pkt_type = PACKET_OUTGOING;
	wait_for_answer(n, skb);
	if (n->nud_state != NUD_INCOMPLETE) {
		n->probes = 0;
		set_state(n, NUD_INCOMPLETE);
		ask(n);
	}
	return 0;
}

static bool map_ipv4(const struct net_device *dev, be32 addr, uint8_t ha[ETH_ALEN])
{
	uint32_t a = be32_to_cpu(addr);

	if (ipv4_is_lbcast(addr)) {
		memcpy(ha, dev->broadcast, ETH_ALEN);
		return true;
	}
	if (!ipv4_is_multicast(addr))
		return false;
	/* RFC 1112 6.4: 01-00-5e and the low 23 bits of the group */
	ha[0] = 0x01;
	ha[1] = 0x00;
	ha[2] = 0x5e;
	ha[3] = (uint8_t)(a >> 16 & 0x7f);
	ha[4] = (uint8_t)(a >> 8);
	ha[5] = (uint8_t)a;
	return true;
}

/* Next hops whose link address follows from the address itself. */
static bool map_without_entry(const struct net_device *dev, const struct inet_addr *nexthop,
			      uint8_t ha[ETH_ALEN])
{
	if (dev->type != ARPHRD_ETHER || (dev->flags & (IFF_LOOPBACK | IFF_NOARP))) {
		memset(ha, 0, ETH_ALEN);
		return true;
	}
	if (nexthop->family == AF_INET)
		return map_ipv4(dev, nexthop->v4, ha);
	if (nexthop->family == AF_INET6 && nexthop->v6[0] == 0xff) {
		/* RFC 2464 7: 33-33 and the low 32 bits of the group */
		ha[0] = ha[1] = 0x33;
		memcpy(ha + 2, nexthop->v6 + 12, 4);
		return true;
	}
	return false;
}

/**
 * neigh_output() - send a packet to its next hop, resolving the link address if need be
 * @net:      namespace
 * @dev:      device
 * @nexthop:  gateway or destination. 255.255.255.255 stands for every link broadcast: the caller
 *            knows which addresses are subnet broadcasts, this layer does not.
 * @skb:      packet at its network header, network_header set; consumed
 *
 * Return:  0 when sent or waiting; -ENOBUFS (no entry to be had), -EAFNOSUPPORT (no table of that
 *          family), -ENOMEM, else as dev_queue_xmit()
 */
int neigh_output(struct net *net, struct net_device *dev, const struct inet_addr *nexthop,
		 struct sk_buff *skb)
{
	uint16_t ethertype = nexthop->family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP;
	struct neighbour *n;
	uint8_t ha[ETH_ALEN];

	skb->dev = dev;
	if (map_without_entry(dev, nexthop, ha))
		return send_to(dev, ha, ethertype, skb);
	if (!find_table(net, nexthop->family)) {
		skb_drop(skb, SKB_DROP_DEV_TX_ERROR);
		return -EAFNOSUPPORT;
	}
	if (!netif_running(dev)) { /* an entry made now would outlive the flush at NETDEV_DOWN */
		skb_drop(skb, SKB_DROP_DEV_DOWN);
		return -ENETDOWN;
	}
	n = neigh_create(net, nexthop, dev);
	if (!n) {
		skb_drop(skb, SKB_DROP_NEIGH_TABLE_FULL);
		return -ENOBUFS;
	}
	return send_by_entry(n, skb);
}

/* --- answers, time and failure --------------------------------------------------------------- */

/*
 * No answer: each waiting packet's sender is told. The queue is emptied first, since a sender may
 * answer with another packet, which starts over.
 */
static void fail(struct neighbour *n)
{
	struct sk_buff_head lost;
	struct sk_buff *skb;

	skb_queue_head_init(&lost);
	while ((skb = skb_dequeue(&n->queue)))
		skb_append(&lost, skb);
	set_state(n, NUD_FAILED);
	while ((skb = skb_dequeue(&lost)))
		n->tbl->ops->error_report(n, skb);
}

/* RFC 4861 7.2.2 (INCOMPLETE), 7.3.3 (the others) */
static void on_timer(struct timer_list *t)
{
	struct neighbour *n = container_of(t, struct neighbour, timer);
	const struct neigh_parms *p = &n->tbl->parms;
	unsigned int limit;

	switch (n->nud_state) {
	case NUD_REACHABLE:
		set_state(n, NUD_STALE);
		return;
	case NUD_DELAY:
		n->probes = 0;
		set_state(n, NUD_PROBE);
		ask(n);
		return;
	case NUD_INCOMPLETE:
	case NUD_PROBE:
		limit = n->nud_state == NUD_PROBE ? p->ucast_probes : p->mcast_probes;
		if (n->probes >= limit) {
			fail(n);
			return;
		}
		mod_timer(&n->timer, ms_from_now(n->tbl->net, p->retrans_ms));
		ask(n);
		return;
	default:
		return;
	}
}

/**
 * neigh_update() - something was learned about a neighbour
 * @neigh:      entry
 * @lladdr:     its link address; NULL = the one that is known
 * @new_state:  REACHABLE (it answered us), STALE (seen, not confirmed), PERMANENT, FAILED
 * @flags:      NEIGH_UPDATE_F_OVERRIDE
 *
 * A permanent entry changes only by another permanent one.
 * Source:  RFC 4861 7.2.5; 7.2.3 for STALE with the address that is known
 */
void neigh_update(struct neighbour *neigh, const uint8_t *lladdr, enum nud_state new_state,
		  unsigned int flags)
{
	bool was_valid = neigh->nud_state & NUD_VALID;
	bool differs = lladdr && was_valid && memcmp(lladdr, neigh->ha, ETH_ALEN) != 0;

	if ((neigh->nud_state & (NUD_PERMANENT | NUD_NOARP)) && new_state != NUD_PERMANENT)
		return;
	if (!(new_state & NUD_VALID)) {
		if (new_state == NUD_FAILED)
			fail(neigh);
		return;
	}
	if (!lladdr && !was_valid)
		return;
	if (differs && !(flags & NEIGH_UPDATE_F_OVERRIDE) && new_state != NUD_PERMANENT) {
		/* RFC 4861 7.2.5 I: doubt, but keep the address */
		if (neigh->nud_state == NUD_REACHABLE)
			set_state(neigh, NUD_STALE);
		return;
	}
	if (was_valid && !differs && new_state == NUD_STALE)
		return;
	if (lladdr)
		memcpy(neigh->ha, lladdr, ETH_ALEN);
	if (new_state == NUD_REACHABLE && !was_valid)
		choose_reachable_time(neigh);
	neigh->probes = 0;
	set_state(neigh, new_state);
	send_waiting(neigh);
}

/**
 * neigh_confirm() - the transport saw that its packets arrive
 * @neigh:  entry; without effect unless its link address is known
 *
 * Source:  RFC 4861 7.3.1
 */
void neigh_confirm(struct neighbour *neigh)
{
	if (neigh->nud_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)) {
		neigh->probes = 0;
		set_state(neigh, NUD_REACHABLE);
	}
}

/* --- devices and namespace ------------------------------------------------------------------- */

static void forget_device(struct neigh_table *tbl, const struct net_device *dev, bool permanent_too)
{
	struct neighbour *n, *next;
	size_t i;

	for (i = 0; i < NEIGH_BUCKETS; i++)
		list_for_each_entry_safe(n, next, &tbl->buckets[i], list)
			if (n->dev == dev && (permanent_too || n->nud_state != NUD_PERMANENT))
				destroy_entry(n, SKB_DROP_DEV_DOWN);
}

/* Down: all entries go. Link lost or own address changed: those learned go, as in Linux. */
static void on_device_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct neigh_tables *all = container_of(nb, struct neigh_tables, devices);
	const struct net_device *dev = data;
	bool down = event == NETDEV_DOWN || event == NETDEV_UNREGISTER;
	struct neigh_table *tbl;

	if (down || event == NETDEV_CHANGEADDR || (event == NETDEV_CHANGE && !dev->carrier))
		list_for_each_entry(tbl, &all->tables, list)
			forget_device(tbl, dev, down);
}

static int neigh_net_init(struct net *net)
{
	struct neigh_tables *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	list_init(&all->tables);
	all->devices.call = on_device_event;
	notifier_chain_register(&net->netdev_chain, &all->devices);
	net->neigh = all;
	return 0;
}

static void neigh_net_exit(struct net *net)
{
	struct neigh_table *tbl, *next_tbl;
	struct neighbour *n, *next;
	size_t i;

	notifier_chain_unregister(&net->netdev_chain, &net->neigh->devices);
	list_for_each_entry_safe(tbl, next_tbl, &net->neigh->tables, list) {
		for (i = 0; i < NEIGH_BUCKETS; i++)
			list_for_each_entry_safe(n, next, &tbl->buckets[i], list)
				destroy_entry(n, SKB_DROP_DEV_DOWN);
		timer_destroy(&tbl->gc_timer);
		list_del(&tbl->list);
		free(tbl);
	}
	free(net->neigh);
	net->neigh = NULL;
}

const struct pernet_operations neigh_pernet_ops = {
	.name = "neigh",
	.init = neigh_net_init,
	.exit = neigh_net_exit,
};
