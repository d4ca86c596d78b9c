/* SPDX-License-Identifier: MIT */
/*
 * route_pmtu.c - what routers told about the path MTU of destinations
 *
 * Entries are exceptions to the routes, found by destination. They age after ten minutes, so that a
 * path that got wider is noticed (route/mtu_expires); the table is bounded, the least recently learned entry goes first.
 *
 * Nobody may make us send slivers: a smaller MTU than 552 (route/min_pmtu) is taken as that and marked as locked,
 * which means that packets are sent without DF from then on and routers cut them (Linux).
 *
 * Read first: RFC 1191 3, 6.3; RFC 5927 7.
 */
#include "stack/inet/route_pmtu.h"

#include "stack/inet/ip.h"

#define PMTU_BUCKETS 64U
#define PMTU_MAX 1024U

struct pmtu_exception {
	struct list_head hash_node, age_node;
	struct inet_addr daddr;
	uint32_t mtu;
	bool locked;
	ktime_t expires;
};

struct pmtu_table {
	struct net *net;
	struct list_head buckets[PMTU_BUCKETS], by_age; /* least recently learned first */
	unsigned int count;
	uint64_t key[2];
};

/**
 * pmtu_table_create() - an empty table
 * @net:  namespace, for its time and random numbers
 */
struct pmtu_table *pmtu_table_create(struct net *net)
{
	struct pmtu_table *t = calloc(1, sizeof(*t));
	size_t i;

	if (!t)
		return NULL;
	t->net = net;
	for (i = 0; i < PMTU_BUCKETS; i++)
		list_init(&t->buckets[i]);
	list_init(&t->by_age);
	random_bytes(&net->random, t->key, sizeof(t->key));
	return t;
}

static void forget(struct pmtu_table *t, struct pmtu_exception *e)
{
	list_del(&e->hash_node);
	list_del(&e->age_node);
	t->count--;
	free(e);
}

static void forget_oldest(struct pmtu_table *t)
{
	forget(t, list_first_entry(&t->by_age, struct pmtu_exception, age_node));
}

/**
 * pmtu_table_destroy() - free a table with its entries
 * @t:  table
 */
void pmtu_table_destroy(struct pmtu_table *t)
{
	while (t->count)
		forget_oldest(t);
	free(t);
}

static uint64_t bucket_of(const struct pmtu_table *t, const struct inet_addr *daddr)
{
	return siphash(daddr, sizeof(*daddr), t->key) % PMTU_BUCKETS;
}

static struct pmtu_exception *find(const struct pmtu_table *t, const struct inet_addr *daddr)
{
	const struct list_head *bucket = &t->buckets[bucket_of(t, daddr)];
	struct pmtu_exception *e;

	list_for_each_entry(e, bucket, hash_node)
		if (inet_addr_equal(&e->daddr, daddr))
			return e;
	return NULL;
}

/**
 * pmtu_apply() - lower the MTU of an answer to what is known of the path
 * @t:    table
 * @dst:  answer with daddr and the route's mtu; mtu, mtu_locked and mtu_expires may change
 */
void pmtu_apply(const struct pmtu_table *t, struct dst *dst)
{
	const struct pmtu_exception *e = t->count ? find(t, &dst->daddr) : NULL;

	if (!e || e->expires <= t->net->now || e->mtu > dst->mtu)
		return;
	dst->mtu = e->mtu;
	dst->mtu_locked = e->locked;
	dst->mtu_expires = e->expires;
}

/* The entry of @daddr, found or made, as the youngest; NULL when out of memory. */
static struct pmtu_exception *get(struct pmtu_table *t, const struct inet_addr *daddr)
{
	struct pmtu_exception *e = find(t, daddr);

	if (e) {
		list_del(&e->age_node);
		list_add_tail(&e->age_node, &t->by_age);
		return e;
	}
	if (t->count >= PMTU_MAX)
		forget_oldest(t);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->daddr = *daddr;
	list_add(&e->hash_node, &t->buckets[bucket_of(t, daddr)]);
	list_add_tail(&e->age_node, &t->by_age);
	t->count++;
	return e;
}

/**
 * pmtu_learn() - take what a router said
 * @t:    table
 * @dst:  answer for the destination as it is now
 * @mtu:  bytes of IP packet that fit through
 *
 * Source:  RFC 1191 3: the estimate is never raised by a message
 * Return:  true when something changed
 */
bool pmtu_learn(struct pmtu_table *t, const struct dst *dst, uint32_t mtu)
{
	const struct ipv4_sysctls *sysctl = &t->net->inet->sysctl;
	const bool locked = mtu < (uint32_t)sysctl->min_pmtu;
	struct pmtu_exception *e;

	if (locked)
		mtu = MIN(dst->mtu, (uint32_t)sysctl->min_pmtu);
	if (mtu > dst->mtu || (mtu == dst->mtu && locked == dst->mtu_locked))
		return false;
	e = get(t, &dst->daddr);
	if (!e)
		return false;
	e->mtu = mtu;
	e->locked = locked;
	e->expires = t->net->now + (unsigned int)sysctl->mtu_expires_s * NSEC_PER_SEC; /* RFC 1191 6.3 */
	return true;
}
