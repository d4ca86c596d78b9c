/* SPDX-License-Identifier: MIT */
/*
 * Finding the socket of a packet.
 *
 * Two tables per protocol and net. The established table has one entry per connection (also request
 * sockets and TIME-WAIT), keyed by the full 4-tuple. The bound table has TCP listeners and all bound
 * datagram sockets, keyed by local port; among those on one port the best score wins, as on Linux:
 * an exact local address before the wild card, then a connected peer, then a bound device. Equals
 * with SO_REUSEPORT form a group, and the 4-tuple's hash says which of them gets the packet.
 *
 * Hashes are SipHash under a secret key, so that nobody outside can aim at one bucket. Tables start
 * small and double when they hold more entries than buckets; failing to grow only costs speed.
 */
#include <stdlib.h>

#include "stack/inet/inet_hash.h"

#define BUCKETS_AT_START 64
#define BUCKETS_MAX (1U << 20)

struct table {
	struct list_head *bucket;
	uint32_t mask; /* buckets - 1 */
	uint32_t count;
};

enum { PROTO_TCP, PROTO_UDP, PROTO_PING, PROTO_COUNT };

struct netns_hash {
	uint64_t key[2];
	struct table established[PROTO_COUNT], bound[PROTO_COUNT];
};

/* What the hash of a connection covers; no padding between the fields. */
struct tuple {
	struct inet_addr local, peer;
	uint16_t lport;
	be16 pport;
};

static int table_init(struct table *t, uint32_t buckets)
{
	t->bucket = malloc(buckets * sizeof(*t->bucket));
	if (!t->bucket)
		return -ENOMEM;
	for (uint32_t i = 0; i < buckets; i++)
		list_init(&t->bucket[i]);
	t->mask = buckets - 1;
	t->count = 0;
	return 0;
}

static void hash_net_free(struct netns_hash *h)
{
	for (size_t i = 0; i < PROTO_COUNT; i++) {
		free(h->established[i].bucket);
		free(h->bound[i].bucket);
	}
	free(h);
}

static int hash_net_init(struct net *net)
{
	struct netns_hash *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	random_bytes(&net->random, h->key, sizeof(h->key));
	for (size_t i = 0; i < PROTO_COUNT; i++) {
		if (table_init(&h->established[i], BUCKETS_AT_START) ||
		    table_init(&h->bound[i], BUCKETS_AT_START)) {
			hash_net_free(h);
			return -ENOMEM;
		}
	}
	net->hash = h;
	return 0;
}

static void hash_net_exit(struct net *net)
{
	hash_net_free(net->hash);
	net->hash = NULL;
}

const struct pernet_operations inet_hash_pernet_ops = {
	.name = "inet_hash",
	.init = hash_net_init,
	.exit = hash_net_exit,
};

static size_t proto_index(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return PROTO_TCP;
	case IPPROTO_UDP:
		return PROTO_UDP;
	default: /* ICMP echo sockets: the identifier is the port */
		return PROTO_PING;
	}
}

static uint32_t hash_tuple(const struct net *net, const struct inet_addr *local, uint16_t lport,
			   const struct inet_addr *peer, be16 pport)
{
	struct tuple t;

	memset(&t, 0, sizeof(t));
	t.local = *local;
	t.peer = *peer;
	t.lport = lport;
	t.pport = pport;
	return (uint32_t)siphash(&t, sizeof(t), net->hash->key);
}

static uint32_t hash_port(const struct net *net, uint16_t port)
{
	return (uint32_t)siphash(&port, sizeof(port), net->hash->key);
}

static uint32_t hash_established(const struct inet_sock *inet)
{
	return hash_tuple(inet->sk.net, &inet->rcv_saddr, inet->num, &inet->daddr, inet->dport);
}

static uint32_t hash_bound(const struct inet_sock *inet)
{
	return hash_port(inet->sk.net, inet->num);
}

/* Doubles the table when it is full; keeps the order within each bucket. */
static void grow(struct table *t, uint32_t (*hash)(const struct inet_sock *))
{
	struct inet_sock *inet, *tmp;
	struct table bigger;

	if (t->count <= t->mask || t->mask + 1 >= BUCKETS_MAX)
		return;
	if (table_init(&bigger, (t->mask + 1) * 2))
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		list_for_each_entry_safe(inet, tmp, &t->bucket[i], hash_node) {
			list_del(&inet->hash_node);
			list_add_tail(&inet->hash_node, &bigger.bucket[hash(inet) & bigger.mask]);
		}
	}
	bigger.count = t->count;
	free(t->bucket);
	*t = bigger;
}

static void insert(struct table *t, struct inet_sock *inet, uint32_t (*hash)(const struct inet_sock *))
{
	if (!list_empty(&inet->hash_node))
		return;
	t->count++;
	grow(t, hash);
	/* In front: among equals Linux finds the latest first. */
	list_add(&inet->hash_node, &t->bucket[hash(inet) & t->mask]);
}

static void take_out(struct table *t, struct inet_sock *inet)
{
	if (list_empty(&inet->hash_node))
		return;
	list_del(&inet->hash_node);
	t->count--;
}

/**
 * inet_ehash_insert() - make a connection findable by its 4-tuple
 * @inet: rcv_saddr, num, daddr, dport set; they must not change until inet_ehash_remove()
 */
void inet_ehash_insert(struct inet_sock *inet)
{
	insert(&inet->sk.net->hash->established[proto_index(inet->sk.protocol)], inet, hash_established);
}

/**
 * inet_ehash_remove() - undo inet_ehash_insert(); safe when not inserted
 * @inet: connection
 */
void inet_ehash_remove(struct inet_sock *inet)
{
	take_out(&inet->sk.net->hash->established[proto_index(inet->sk.protocol)], inet);
}

/**
 * inet_listen_insert() - make a listener or datagram socket findable by its local port
 * @inet: num set; it must not change until inet_listen_remove(), addresses may
 */
void inet_listen_insert(struct inet_sock *inet)
{
	insert(&inet->sk.net->hash->bound[proto_index(inet->sk.protocol)], inet, hash_bound);
}

/**
 * inet_listen_remove() - undo inet_listen_insert(); safe when not inserted
 * @inet: socket
 */
void inet_listen_remove(struct inet_sock *inet)
{
	take_out(&inet->sk.net->hash->bound[proto_index(inet->sk.protocol)], inet);
}

static bool device_matches(const struct inet_sock *inet, int iif)
{
	return !inet->sk.bound_dev_if || inet->sk.bound_dev_if == iif;
}

/**
 * inet_lookup_established() - the connection of a segment
 * @net:   net
 * @proto: IPPROTO_*
 * @saddr: the packet's source, our peer
 * @sport: its port
 * @daddr: the packet's destination, ours
 * @dport: its port
 * @iif:   device it came in by
 *
 * Return: borrowed socket or NULL
 */
struct inet_sock *inet_lookup_established(struct net *net, uint8_t proto, const struct inet_addr *saddr,
					  be16 sport, const struct inet_addr *daddr, be16 dport, int iif)
{
	const struct table *t = &net->hash->established[proto_index(proto)];
	uint16_t lport = be16_to_cpu(dport);
	struct inet_sock *inet;

	list_for_each_entry(inet, &t->bucket[hash_tuple(net, daddr, lport, saddr, sport) & t->mask],
			    hash_node) {
		if (inet->num == lport && inet->dport == sport && inet->sk.protocol == proto &&
		    inet_addr_equal(&inet->daddr, saddr) && inet_addr_equal(&inet->rcv_saddr, daddr) &&
		    device_matches(inet, iif))
			return inet;
	}
	return NULL;
}

/* -1: does not match. Points as in Linux, with the exact local address above all the rest. */
static int score(const struct inet_sock *inet, const struct inet_addr *saddr, be16 sport,
		 const struct inet_addr *daddr, int iif)
{
	int points = 0;

	if (!inet_addr_any(&inet->rcv_saddr)) {
		if (!inet_addr_equal(&inet->rcv_saddr, daddr))
			return -1;
		points += 16;
	}
	if (!inet_addr_any(&inet->daddr)) {
		if (!inet_addr_equal(&inet->daddr, saddr))
			return -1;
		points += 4;
	}
	if (inet->dport) {
		if (inet->dport != sport)
			return -1;
		points += 4;
	}
	if (!device_matches(inet, iif))
		return -1;
	return points + (inet->sk.bound_dev_if ? 4 : 0);
}

/* A connected datagram socket is alone with its peer and in no group. */
static bool in_reuseport_group(const struct inet_sock *inet)
{
	return sock_flag(&inet->sk, SOCK_REUSEPORT) && !inet->dport;
}

/**
 * inet_lookup_listener() - the best bound socket for a packet
 * @net:   net
 * @proto: IPPROTO_*
 * @saddr: the packet's source
 * @sport: its port
 * @daddr: the packet's destination, ours
 * @dport: its port
 * @iif:   device it came in by
 *
 * Return: borrowed socket or NULL
 */
struct inet_sock *inet_lookup_listener(struct net *net, uint8_t proto, const struct inet_addr *saddr,
				       be16 sport, const struct inet_addr *daddr, be16 dport, int iif)
{
	uint16_t port = be16_to_cpu(dport);
	struct inet_sock *inet, *best = NULL;
	uint32_t members = 0, chosen;
	int best_score = -1;

	for (inet = inet_listen_next(net, proto, port, NULL); inet;
	     inet = inet_listen_next(net, proto, port, inet)) {
		int s = score(inet, saddr, sport, daddr, iif);

		if (s > best_score) {
			best_score = s;
			best = inet;
			members = 0;
		}
		if (s >= 0 && s == best_score && in_reuseport_group(inet))
			members++;
	}
	if (!best || !in_reuseport_group(best) || members < 2)
		return best;
	chosen = (uint32_t)(((uint64_t)hash_tuple(net, daddr, port, saddr, sport) * members) >> 32);
	for (inet = best; inet; inet = inet_listen_next(net, proto, port, inet)) {
		if (score(inet, saddr, sport, daddr, iif) == best_score && in_reuseport_group(inet) &&
		    chosen-- == 0)
			return inet;
	}
	return best;
}

/**
 * inet_listen_next() - walk the sockets bound to a port
 * @net:   net
 * @proto: IPPROTO_*
 * @port:  host order
 * @prev:  the one before, still in the table; NULL starts
 *
 * Return: borrowed socket or NULL at the end
 */
struct inet_sock *inet_listen_next(struct net *net, uint8_t proto, uint16_t port,
				   const struct inet_sock *prev)
{
	const struct table *t = &net->hash->bound[proto_index(proto)];
	struct list_head *head = &t->bucket[hash_port(net, port) & t->mask];
	struct list_head *n = prev ? prev->hash_node.next : head->next;

	for (; n != head; n = n->next) {
		struct inet_sock *inet = list_entry(n, struct inet_sock, hash_node);

		if (inet->num == port && inet->sk.protocol == proto)
			return inet;
	}
	return NULL;
}
