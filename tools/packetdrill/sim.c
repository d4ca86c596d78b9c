/* SPDX-License-Identifier: MIT */
/*
 * sim.c - the stack, its interface and its clock
 *
 * The interface is an Ethernet one, since that is what the stack knows; the gateway behind it is a
 * permanent neighbour, so no ARP is needed, and what ARP the stack sends of itself is not kept. It
 * offers no offload: what is sent is what a wire would carry.
 */
#include "tools/packetdrill/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netif/netif.h"
#include "stack/core/neighbour.h"
#include "stack/inet/devinet.h"
#include "stack/inet/route.h"
#include "stack/stack.h"

#define SIM_START (1000 * NSEC_PER_SEC) /* the stack's time when the script begins */
#define SIM_WALL_S 1700000000ULL        /* ... and that of the calendar */
#define SIM_BUDGET 64
#define SIM_PASSES 1000                 /* frames that chase each other for ever are a bug */

static const uint8_t own_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t gateway_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 2 };

struct sim_dev {
	struct sim *sim;
	struct sk_buff_head rx;
};

/* ---- the interface --------------------------------------------------------------------------- */

static void keep_packet(struct sim *s, const struct sk_buff *skb)
{
	uint32_t len = skb->len - ETH_HLEN;
	struct sim_packet *p = malloc(sizeof(*p) + len);

	if (!p || skb_copy_bits(skb, ETH_HLEN, p->bytes, len) < 0) {
		free(p);
		s->lost = true;
		return;
	}
	p->next = NULL;
	p->at_us = sim_now(s);
	p->len = len;
	*s->sent_tail = p;
	s->sent_tail = &p->next;
}

static enum netdev_tx sim_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct sim *s = ((struct sim_dev *)dev->priv)->sim;

	if (skb->protocol == cpu_to_be16(ETH_P_IP) && skb->len > ETH_HLEN)
		keep_packet(s, skb);
	skb_consume(skb);
	return NETDEV_TX_OK;
}

static int sim_poll(struct napi_struct *napi, int budget)
{
	struct sim_dev *d = napi->dev->priv;
	struct sk_buff *skb;
	int done;

	for (done = 0; done < budget && (skb = skb_dequeue(&d->rx)); done++) {
		if (eth_type_trans(skb, napi->dev) < 0)
			skb_drop(skb, SKB_DROP_ETH_SHORT);
		else
			netif_receive_skb(skb);
	}
	return done;
}

static void sim_dev_destroy(struct net_device *dev)
{
	skb_queue_purge(&((struct sim_dev *)dev->priv)->rx);
}

static const struct net_device_ops sim_ops = {
	.start_xmit = sim_start_xmit,
	.destroy = sim_dev_destroy,
};

static int create_dev(struct sim *s, uint32_t mtu)
{
	struct net_device *dev = alloc_netdev(s->net, "tun0", sizeof(struct sim_dev));
	struct sim_dev *d;
	int err;

	if (!dev)
		return -ENOMEM;
	ether_setup(dev);
	dev->ops = &sim_ops;
	memcpy(dev->dev_addr, own_mac, ETH_ALEN);
	d = dev->priv;
	d->sim = s;
	skb_queue_head_init(&d->rx);
	netif_napi_add(dev, sim_poll, SIM_BUDGET);
	err = register_netdev(dev);
	if (err < 0) {
		free_netdev(dev);
		return err;
	}
	s->dev = dev;
	dev->max_mtu = 65535;
	err = dev_set_mtu(dev, mtu);
	return err < 0 ? err : dev_open(dev);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static int add_address(struct sim *s, struct net_device *dev, uint32_t addr, uint8_t prefix_len)
{
	struct inet_addr a = inet_addr_v4(cpu_to_be32(addr));

	return inet_addr_add(s->net, dev, &a, prefix_len, ACD_NONE);
}

/* The default route, and whose link address the gateway has. */
static int add_gateway(struct sim *s, uint32_t gateway)
{
	struct inet_addr gw = inet_addr_v4(cpu_to_be32(gateway));
	struct route r = { .dst = inet_addr_v4(0), .type = RTN_T_UNICAST, .gateway = gw };
	struct neighbour *n = neigh_create(s->net, &gw, s->dev);

	if (!n)
		return -ENOMEM;
	neigh_update(n, gateway_mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE);
	return route_add(s->net, &r);
}

static int add_loopback(struct sim *s)
{
	struct net_device *lo;
	int err = loopback_create(s->net, &lo);

	if (err == 0)
		err = dev_open(lo);
	return err < 0 ? err : add_address(s, lo, 0x7F000001, 8);
}

/**
 * sim_create() - a host, just started, that knows its peer's direction
 * @s:    filled
 * @cfg:  addresses, MTU, seed
 *
 * Return:  0; negative errno, and nothing is left behind
 */
int sim_create(struct sim *s, const struct drill_config *cfg)
{
	uint8_t seed[32] = "the script's stack";
	int err;

	memset(s, 0, sizeof(*s));
	s->sent_tail = &s->sent;
	memcpy(seed + 24, &cfg->seed, sizeof(cfg->seed));
	err = stack_create(seed, SIM_START, &s->net);
	if (err < 0)
		return err;
	s->net->wall_offset_ns = SIM_WALL_S * NSEC_PER_SEC;
	err = add_loopback(s);
	if (err == 0)
		err = create_dev(s, cfg->mtu);
	if (err == 0)
		err = add_address(s, s->dev, cfg->local_ip, cfg->prefix_len);
	if (err == 0)
		err = add_gateway(s, cfg->gateway_ip);
	if (err < 0)
		sim_destroy(s);
	return err;
}

/**
 * sim_destroy() - ends the host and frees the packets that nobody took
 * @s:  host; its sockets must have been released
 */
void sim_destroy(struct sim *s)
{
	struct net_device *dev;
	struct sim_packet *p;

	while (s->net && (dev = dev_next(s->net, NULL)))
		unregister_netdev(dev);
	if (s->net)
		net_destroy(s->net);
	s->net = NULL;
	while ((p = sim_take(s)))
		free(p);
}

/* ---- time ------------------------------------------------------------------------------------ */

/** sim_now() - microseconds since the script began */
int64_t sim_now(const struct sim *s)
{
	return (int64_t)((s->net->now - SIM_START) / NSEC_PER_USEC);
}

/* Delivers what devices hold, without time passing. */
static void settle(struct sim *s)
{
	int passes = 0;

	while (!s->chased && net_rx_action(s->net, SIM_BUDGET))
		s->chased = ++passes == SIM_PASSES;
}

/** sim_next() - when something is due, at the earliest; INT64_MAX = nothing is */
int64_t sim_next(const struct sim *s)
{
	ktime_t next = timer_next_expiry(&s->net->timers);

	if (next == TIMER_NONE)
		return INT64_MAX;
	if (next <= s->net->now)
		return sim_now(s);
	return (int64_t)((next - SIM_START + NSEC_PER_USEC - 1) / NSEC_PER_USEC);
}

/**
 * sim_step() - lets time pass, at most to the next timer
 * @s:   host
 * @us:  target; what lies in the past means now
 *
 * Return:  how many timers were set meanwhile: work that was done, also where time stood still
 */
uint64_t sim_step(struct sim *s, int64_t us)
{
	uint64_t before = s->net->timers.next_order;
	ktime_t target = SIM_START + (ktime_t)us * NSEC_PER_USEC;
	ktime_t next = timer_next_expiry(&s->net->timers);

	net_advance(s->net, next < target ? next : target);
	settle(s);
	return s->net->timers.next_order - before;
}

/* ---- packets --------------------------------------------------------------------------------- */

/**
 * sim_inject() - a packet arrives
 * @s:         host
 * @packet:    from the IP header on
 * @len:       bytes
 * @gso_size:  it is a TCP segment put together from ones with so much text; 0 = it is not
 *
 * Return:  0; -ENOMEM
 */
int sim_inject(struct sim *s, const uint8_t *packet, size_t len, uint16_t gso_size)
{
	struct sim_dev *d = s->dev->priv;
	struct sk_buff *skb = alloc_skb(s->net, (uint32_t)len + ETH_HLEN + 2);
	struct ethhdr *eth;
	uint32_t ihl;

	if (!skb)
		return -ENOMEM;
	skb_reserve(skb, 2);
	eth = (struct ethhdr *)(void *)skb_put(skb, ETH_HLEN);
	memcpy(eth->h_dest, own_mac, ETH_ALEN);
	memcpy(eth->h_source, gateway_mac, ETH_ALEN);
	eth->h_proto = cpu_to_be16(ETH_P_IP);
	memcpy(skb_put(skb, (uint32_t)len), packet, len);
	skb->dev = s->dev;
	skb->ip_summed = CHECKSUM_NONE;
	skb->gso_size = gso_size;
	if (gso_size) {
		ihl = (packet[0] & 15U) * 4U;
		len -= ihl + (packet[ihl + 12] >> 4) * 4U;
		skb->gso_segs = (uint16_t)((len + gso_size - 1) / gso_size);
	}
	skb_append(&d->rx, skb);
	napi_schedule(&s->dev->napi);
	settle(s);
	return 0;
}

/** sim_take() - the oldest packet that was sent; the caller frees it */
struct sim_packet *sim_take(struct sim *s)
{
	struct sim_packet *p = s->sent;

	if (!p)
		return NULL;
	s->sent = p->next;
	if (!s->sent)
		s->sent_tail = &s->sent;
	return p;
}
