/* SPDX-License-Identifier: MIT */
/*
 * wire.c - two devices joined in memory
 *
 * A wire joins two hosts of one process, each with its own struct net, without any privilege: tests
 * and whole laboratories run on it. A frame that is sent is copied into an skb of the receiving
 * namespace (its memory is accounted there) and queued; the receiver's poll() delivers it. The copy
 * is what a wire does: nothing of the sender's is ever shared.
 *
 *   a: start_xmit -> carry() -> b->rx -> b: poll -> netif_receive_skb
 *
 * carry() is the medium: the one place where frames may later be lost, delayed, doubled or damaged.
 * As with the kernel's veth there is carrier while both ends are up, and a full queue stops the sender
 * rather than losing frames. By default only what a real wire carries passes: frames of MTU size
 * with complete checksums; features turn super-segments on.
 */
#include "netif/netif.h"

enum {
	FRAME_OFFSET = 26, /* the IP header behind 14 bytes of Ethernet is aligned to 4 */
	DEFAULT_QUEUE = 1000,
	WIRE_WEIGHT = 64,
};

struct wire {
	struct net_device *dev;
	struct wire *peer;     /* NULL: the other end was unregistered */
	struct sk_buff_head rx; /* frames that arrived here, of this end's namespace */
	uint32_t queue_len;
	bool up;
	bool plugged;
};

static struct wire *wire_priv(const struct net_device *dev)
{
	return dev->priv;
}

/* A copy of @skb in the namespace of @to; NULL when out of memory. */
static struct sk_buff *copy_frame(const struct sk_buff *skb, struct wire *to)
{
	struct sk_buff *in = alloc_skb(to->dev->net, FRAME_OFFSET + skb->len);

	if (!in)
		return NULL;
	skb_reserve(in, FRAME_OFFSET);
	if (skb_copy_bits(skb, 0, skb_put(in, skb->len), skb->len) < 0) {
		skb_consume(in);
		return NULL;
	}
	in->ip_summed = skb->ip_summed;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		in->csum_start = (uint16_t)(FRAME_OFFSET + (skb->csum_start - skb_headroom(skb)));
		in->csum_offset = skb->csum_offset;
	}
	in->gso_type = skb->gso_type;
	in->gso_size = skb->gso_size;
	in->gso_segs = skb->gso_segs;
	return in;
}

/* The medium: one frame from an end's transmitter to the queue of the other. Borrows @skb. */
static void carry(struct wire *to, const struct sk_buff *skb)
{
	struct sk_buff *in;

	if (!skb->gso_size && skb->len > to->dev->mtu + to->dev->hard_header_len) {
		to->dev->stats.rx_errors++;
		return;
	}
	in = copy_frame(skb, to);
	if (!in) {
		to->dev->stats.rx_dropped++;
		to->dev->net->drops[SKB_DROP_NO_MEMORY]++;
		return;
	}
	skb_append(&to->rx, in);
	napi_schedule(&to->dev->napi);
}

static enum netdev_tx wire_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct wire *w = wire_priv(dev), *to = w->peer;

	if (to && to->rx.qlen >= w->queue_len) {
		netif_stop_queue(dev);
		return NETDEV_TX_BUSY;
	}
	/* Without carrier dev_queue_xmit() sends nothing here; a peer always exists then. */
	if (to)
		carry(to, skb);
	skb_consume(skb);
	return NETDEV_TX_OK;
}

static int wire_poll(struct napi_struct *napi, int budget)
{
	struct wire *w = wire_priv(napi->dev);
	struct sk_buff *skb;
	int done = 0;

	while (done < budget && (skb = skb_dequeue(&w->rx))) {
		done++;
		if (eth_type_trans(skb, napi->dev) < 0) {
			napi->dev->stats.rx_errors++;
			skb_drop(skb, SKB_DROP_ETH_SHORT);
		} else {
			netif_receive_skb(skb);
		}
	}
	if (w->peer && w->peer->dev->tx_stopped && w->rx.qlen <= w->peer->queue_len / 2)
		netif_wake_queue(w->peer->dev);
	return done;
}

/* A sender that was stopped by a full queue finds it empty once the carrier is back. */
static void set_end_carrier(struct wire *w, bool on)
{
	if (!on)
		skb_queue_purge(&w->rx);
	netif_carrier_set(w->dev, on);
	if (!on && w->dev->tx_stopped)
		netif_wake_queue(w->dev);
}

static void update_carrier(struct wire *w)
{
	bool on = w->peer && w->up && w->peer->up && w->plugged;

	set_end_carrier(w, on);
	if (w->peer)
		set_end_carrier(w->peer, on);
}

static int wire_open(struct net_device *dev)
{
	struct wire *w = wire_priv(dev);

	w->up = true;
	update_carrier(w);
	return 0;
}

static void wire_stop(struct net_device *dev)
{
	struct wire *w = wire_priv(dev);

	w->up = false;
	update_carrier(w);
}

static void wire_destroy(struct net_device *dev)
{
	struct wire *w = wire_priv(dev), *peer = w->peer;

	skb_queue_purge(&w->rx);
	w->peer = NULL;
	if (peer) {
		peer->peer = NULL;
		update_carrier(peer);
	}
}

static const struct net_device_ops wire_ops = {
	.open = wire_open,
	.stop = wire_stop,
	.start_xmit = wire_start_xmit,
	.destroy = wire_destroy,
};

/* One end, not registered and without a peer; NULL when out of memory. */
static struct wire *make_end(const struct wire_config *cfg, const struct wire_end *end)
{
	struct net_device *dev = alloc_netdev(end->net, end->name, sizeof(struct wire));
	struct wire *w;

	if (!dev)
		return NULL;
	ether_setup(dev);
	w = wire_priv(dev);
	w->dev = dev;
	w->plugged = true;
	w->queue_len = cfg->queue_len ? cfg->queue_len : DEFAULT_QUEUE;
	skb_queue_head_init(&w->rx);
	dev->ops = &wire_ops;
	dev->carrier = false;
	dev->features = cfg->features;
	if (cfg->mtu)
		dev->mtu = cfg->mtu;
	if (end->mac) {
		memcpy(dev->dev_addr, end->mac, ETH_ALEN);
	} else {
		random_bytes(&end->net->random, dev->dev_addr, ETH_ALEN);
		dev->dev_addr[0] = (uint8_t)((dev->dev_addr[0] & ~1U) | 2U);
	}
	netif_napi_add(dev, wire_poll, WIRE_WEIGHT);
	return w;
}

/**
 * wire_create_pair() - two devices joined in memory
 * @cfg:    both ends and what they share
 * @out_a:  device of end a, registered and down; set on success only
 * @out_b:  device of end b
 *
 * Return:  0; -EINVAL (MTU, name), -EEXIST (name), -ENOMEM
 */
int wire_create_pair(const struct wire_config *cfg, struct net_device **out_a,
		     struct net_device **out_b)
{
	struct wire *a, *b;
	int err = -ENOMEM;

	if (cfg->mtu && (cfg->mtu < ETH_MIN_MTU || cfg->mtu > ETH_MAX_MTU))
		return -EINVAL;
	a = make_end(cfg, &cfg->a);
	if (!a)
		return err;
	b = make_end(cfg, &cfg->b);
	if (!b)
		goto undo_a;
	err = register_netdev(a->dev);
	if (err < 0)
		goto undo_b;
	err = register_netdev(b->dev);
	if (err < 0) {
		unregister_netdev(a->dev);
		free_netdev(b->dev);
		return err;
	}
	a->peer = b;
	b->peer = a;
	*out_a = a->dev;
	*out_b = b->dev;
	return 0;

undo_b:
	free_netdev(b->dev);
undo_a:
	free_netdev(a->dev);
	return err;
}

/**
 * wire_set_carrier() - pull the plug or put it back
 * @dev:  either end
 * @on:   plugged in
 */
void wire_set_carrier(struct net_device *dev, bool on)
{
	struct wire *w = wire_priv(dev);

	w->plugged = on;
	if (w->peer)
		w->peer->plugged = on;
	update_carrier(w);
}

/** wire_peer() - the device at the other end; NULL when it was unregistered */
struct net_device *wire_peer(const struct net_device *dev)
{
	struct wire *w = wire_priv(dev);

	return w->peer ? w->peer->dev : NULL;
}
