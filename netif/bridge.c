/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - a learning switch
 *
 * Joins devices of one namespace, its ports, into one Ethernet. A frame that comes in by a port goes
 * out by the port behind which its destination was last heard, or by all others when it was not, or
 * when it is a broadcast. Ports have no addresses and the namespace no sockets: it is the switch.
 *
 *   port: netif_receive_skb -> handle_frame -> learn, look up -> dev_queue_xmit: another port
 *
 * There is no spanning tree: links that form a ring carry a broadcast for ever, as with a cheap
 * switch. Read first: IEEE 802.1D-2004 7.7 to 7.9.
 */
#include "netif/netif.h"

#include "stack/core/trace.h"

enum {
	FDB_BUCKETS = 256,
	FDB_MAX = 4096,  /* addresses; a full table floods what it does not know */
	AGEING_S = 300,  /* 802.1D table 7-5 */
};

struct port {
	struct list_head list;
	struct bridge *br;
	struct net_device *dev;
};

struct fdb_entry {
	struct list_head list;
	uint8_t addr[ETH_ALEN];
	struct port *port;
	ktime_t heard;
};

struct bridge {
	struct net *net;
	struct list_head ports;
	struct list_head fdb[FDB_BUCKETS];
	unsigned int fdb_count;
};

static struct list_head *bucket(struct bridge *br, const uint8_t *addr)
{
	return &br->fdb[(addr[3] * 31U + addr[4] * 7U + addr[5]) % FDB_BUCKETS];
}

static void forget(struct bridge *br, struct fdb_entry *f)
{
	list_del(&f->list);
	free(f);
	br->fdb_count--;
}

/* The entry of an address; one that is too old goes. */
static struct fdb_entry *find(struct bridge *br, const uint8_t *addr)
{
	struct fdb_entry *f;

	list_for_each_entry(f, bucket(br, addr), list) {
		if (memcmp(f->addr, addr, ETH_ALEN) != 0)
			continue;
		if (br->net->now - f->heard <= AGEING_S * NSEC_PER_SEC)
			return f;
		forget(br, f);
		return NULL;
	}
	return NULL;
}

/* 802.1D 7.8: a source address is behind the port that its frame came in by. */
static void learn(struct port *p, const uint8_t *addr)
{
	struct bridge *br = p->br;
	struct fdb_entry *f;

	if (addr[0] & 1)
		return;
	f = find(br, addr);
	if (!f) {
		f = br->fdb_count < FDB_MAX ? calloc(1, sizeof(*f)) : NULL;
		if (!f)
			return;
		memcpy(f->addr, addr, ETH_ALEN);
		list_add_tail(&f->list, bucket(br, addr));
		br->fdb_count++;
	}
	f->port = p;
	f->heard = br->net->now;
}

/* 802.1D 7.12.6: to the bridge itself (spanning tree, pause, LLDP); never forwarded. */
static bool is_reserved(const uint8_t *addr)
{
	static const uint8_t group[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return memcmp(addr, group, sizeof(group)) == 0 && addr[5] <= 0x0f;
}

/* Sends by a port; @skb at its link header. Consumes. */
static void send_by(struct port *p, struct sk_buff *skb)
{
	skb->dev = p->dev;
	skb->tstamp = 0;
	skb->pkt_type = PACKET_OUTGOING;
	(void)dev_queue_xmit(skb);
}

/* To all ports but that which it came by: copies, the driver may change what it is given. Consumes. */
static void flood(struct port *from, struct sk_buff *skb)
{
	struct port *p, *last = NULL;

	list_for_each_entry(p, &from->br->ports, list) {
		struct sk_buff *copy;

		if (p == from)
			continue;
		copy = last ? skb_copy(skb, 0) : NULL;
		if (copy)
			send_by(last, copy);
		last = p;
	}
	if (last)
		send_by(last, skb);
	else
		skb_drop(skb, SKB_DROP_OTHERHOST);
}

/* struct net_device.rx_handler of a port. Consumes. */
static void handle_frame(struct sk_buff *skb)
{
	struct port *p = skb->dev->rx_handler_data;
	const struct fdb_entry *f;
	const struct ethhdr *eth;

	skb_push(skb, ETH_HLEN);
	eth = (const struct ethhdr *)(const void *)skb->data;
	if (is_reserved(eth->h_dest)) {
		skb_drop(skb, SKB_DROP_OTHERHOST);
		return;
	}
	learn(p, eth->h_source);
	f = eth->h_dest[0] & 1 ? NULL : find(p->br, eth->h_dest);
	if (!f)
		flood(p, skb);
	else if (f->port != p)
		send_by(f->port, skb);
	else
		skb_drop(skb, SKB_DROP_OTHERHOST); /* its receiver has heard it already */
}

/**
 * bridge_create() - a switch without ports
 * @net:  namespace of its ports
 *
 * Return:  the switch; NULL when out of memory
 */
struct bridge *bridge_create(struct net *net)
{
	struct bridge *br = calloc(1, sizeof(*br));

	if (!br)
		return NULL;
	br->net = net;
	list_init(&br->ports);
	for (size_t i = 0; i < FDB_BUCKETS; i++)
		list_init(&br->fdb[i]);
	return br;
}

/**
 * bridge_add_port() - a device becomes a port: it takes every frame, and gives none to the stack
 * @br:   switch
 * @dev:  Ethernet device of the same namespace, without addresses
 *
 * Return:  0; -EINVAL (no Ethernet), -EBUSY (a port already), -ENOMEM
 */
int bridge_add_port(struct bridge *br, struct net_device *dev)
{
	struct port *p;

	if (dev->type != ARPHRD_ETHER)
		return -EINVAL;
	if (dev->rx_handler)
		return -EBUSY;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->br = br;
	p->dev = dev;
	list_add_tail(&p->list, &br->ports);
	dev->rx_handler = handle_frame;
	dev->rx_handler_data = p;
	return 0;
}

/**
 * bridge_destroy() - the ports are plain devices again
 * @br:  switch; its devices must still be there
 */
void bridge_destroy(struct bridge *br)
{
	struct fdb_entry *f, *next_f;
	struct port *p, *next_p;

	for (size_t i = 0; i < FDB_BUCKETS; i++)
		list_for_each_entry_safe(f, next_f, &br->fdb[i], list)
			forget(br, f);
	list_for_each_entry_safe(p, next_p, &br->ports, list) {
		p->dev->rx_handler = NULL;
		p->dev->rx_handler_data = NULL;
		list_del(&p->list);
		free(p);
	}
	free(br);
}
