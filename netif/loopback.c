/* SPDX-License-Identifier: MIT */
/*
 * loopback.c - "lo": what is sent comes back
 *
 * start_xmit() queues, poll() delivers: nothing is received inside a sender's call, so a transport
 * never meets its own answer half-way through a function. Frames carry no link header; captures show
 * a zeroed Ethernet one, as Linux's lo has.
 *
 * Offload costs nothing here: a super-segment stays whole and a partial checksum is trusted, since the
 * bytes never leave the process. What was sent by reference (a clone, a fragment of the send queue)
 * is copied into a private linear buffer, because receivers may change headers in place and only
 * ever see linear buffers; what is private and linear already changes sides as it is.
 */
#include "netif/netif.h"

enum {
	LOOPBACK_MTU = 65536,
	LOOPBACK_QUEUE = 1000, /* packets on their way; more wait in the device's transmit queue */
	LOOPBACK_WEIGHT = 64,
};

struct loopback {
	struct sk_buff_head rx;
};

/* The received form of a sent packet, without owner; NULL when out of memory. Consumes. */
static struct sk_buff *turn_around(struct sk_buff *skb)
{
	struct sk_buff *in = skb;

	if (skb->frag_block || skb_shared_data(skb)) {
		in = skb_copy(skb, 0);
		if (!in) {
			skb_drop(skb, SKB_DROP_NO_MEMORY);
			return NULL;
		}
		skb_consume(skb);
	} else if (skb->destructor) {
		skb->destructor(skb);
		skb->destructor = NULL;
	}
	in->sk = NULL;
	in->pkt_type = PACKET_HOST;
	in->priority = 0;
	in->mark = 0;
	in->tstamp = 0;
	memset(in->cb, 0, sizeof(in->cb));
	return in;
}

static enum netdev_tx loopback_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct loopback *lo = dev->priv;
	struct sk_buff *in;

	if (lo->rx.qlen >= LOOPBACK_QUEUE) {
		netif_stop_queue(dev);
		return NETDEV_TX_BUSY;
	}
	in = turn_around(skb);
	if (!in) {
		dev->stats.tx_dropped++;
		return NETDEV_TX_OK;
	}
	skb_append(&lo->rx, in);
	napi_schedule(&dev->napi);
	return NETDEV_TX_OK;
}

static int loopback_poll(struct napi_struct *napi, int budget)
{
	struct net_device *dev = napi->dev;
	struct loopback *lo = dev->priv;
	struct sk_buff *skb;
	int done = 0;

	while (done < budget && (skb = skb_dequeue(&lo->rx))) {
		be16 protocol = skb->protocol;

		done++;
		if (eth_type_trans(skb, dev) < 0) {
			skb_drop(skb, SKB_DROP_ETH_SHORT);
			continue;
		}
		/* Who sent it has said what it is. */
		if (protocol)
			skb->protocol = protocol;
		netif_receive_skb(skb);
	}
	if (dev->tx_stopped && lo->rx.qlen < LOOPBACK_QUEUE / 2)
		netif_wake_queue(dev);
	return done;
}

static void loopback_stop(struct net_device *dev)
{
	struct loopback *lo = dev->priv;

	skb_queue_purge(&lo->rx);
}

static const struct net_device_ops loopback_ops = {
	.start_xmit = loopback_start_xmit,
	.stop = loopback_stop,
};

/**
 * loopback_create() - the loopback device of a namespace
 * @net:  namespace; the device gets ifindex 1
 * @out:  the device, registered and down; set on success only
 *
 * Return:  0; -ENOMEM, -EEXIST
 */
int loopback_create(struct net *net, struct net_device **out)
{
	struct net_device *dev = alloc_netdev(net, "lo", sizeof(struct loopback));
	struct loopback *lo;
	int err;

	if (!dev)
		return -ENOMEM;
	lo = dev->priv;
	skb_queue_head_init(&lo->rx);
	dev->ops = &loopback_ops;
	dev->type = ARPHRD_LOOPBACK;
	dev->flags = IFF_LOOPBACK;
	dev->mtu = LOOPBACK_MTU;
	dev->max_mtu = UINT32_MAX;
	dev->features = NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_SG | NETIF_F_LOOPBACK;
	netif_napi_add(dev, loopback_poll, LOOPBACK_WEIGHT);
	err = register_netdev(dev);
	if (err < 0) {
		free_netdev(dev);
		return err;
	}
	*out = dev;
	return 0;
}
