/* SPDX-License-Identifier: MIT */
/*
 * dev_xmit.c - the way of a frame out
 *
 * dev_queue_xmit() gets a complete frame. It does in software what the device cannot do itself
 * (checksum, fragment), sends at once when nothing waits, or queues up to tx_queue_len. A driver that
 * answers NETDEV_TX_BUSY keeps the rest waiting until it calls netif_wake_queue(). A frame sent from
 * within start_xmit() waits in the queue too, so that no driver is entered twice. A link between stack
 * and driver (dev->link) gets the frame first and gives it to the queue by dev_link_xmit().
 */
#include "stack/core/dev_table.h"

#include "stack/core/trace.h"

static int drop_sent(struct sk_buff *skb, enum skb_drop_reason reason, int err)
{
	struct net_device *dev = skb->dev;
	char owner[160];

	dev->stats.tx_dropped++;
	skb->tstamp = skb->net->now;
	if (dev_has_taps(skb->net)) {
		dev_describe_owner(skb, owner, sizeof(owner));
		dev_show_to_taps(dev, TAP_OUT, skb, owner, reason);
	}
	skb_drop(skb, reason);
	return err;
}

/* Does anybody look at what is sent? */
static bool dev_has_onlookers(const struct net *net)
{
	return dev_has_taps(net) || dev_has_watches(net);
}

/* @sk: who sent it, perhaps gone by now; a watch may compare. */
static void show_to_watches(struct sk_buff *copy, struct sock *sk)
{
	copy->sk = sk;
	dev_show_to_watches(copy);
	copy->sk = NULL;
}

/*
 * Gives one frame to the driver. False when it is busy: the skb is the caller's still. A driver that
 * takes a frame and then cannot send it drops it, which net->tx_drop tells.
 */
static bool give_to_driver(struct net_device *dev, struct sk_buff *skb)
{
	struct sk_buff *copy;
	struct sock *sk = skb->sk;
	uint32_t len = skb->len;
	enum netdev_tx verdict;
	char owner[160];

	skb->tstamp = dev->net->now; /* not of the queueing: a capture's times never go back */
	copy = dev_has_onlookers(dev->net) ? skb_clone(skb) : NULL;
	if (copy && dev_has_taps(dev->net))
		dev_describe_owner(skb, owner, sizeof(owner));
	if (!dev->link && trace_on(dev->net, TRACE_OUT))
		trace_skb(dev->net, TRACE_OUT, skb, NULL);
	dev->net->tx_drop = SKB_NOT_DROPPED;
	dev->tx_running = true;
	verdict = dev->ops->start_xmit(skb, dev);
	dev->tx_running = false;
	if (verdict == NETDEV_TX_OK) {
		if (dev->net->tx_drop == SKB_NOT_DROPPED) {
			dev->stats.tx_packets++;
			dev->stats.tx_bytes += len;
		}
		/* What came by a link was shown when the stack sent it. */
		if (copy && !dev->link)
			show_to_watches(copy, sk);
		if (copy && dev_has_taps(dev->net) && (!dev->link || dev->net->tx_drop != SKB_NOT_DROPPED))
			dev_show_to_taps(dev, TAP_OUT, copy, owner, dev->net->tx_drop);
	}
	skb_consume(copy);
	return verdict == NETDEV_TX_OK;
}

static void run_tx_queue(struct net_device *dev)
{
	struct sk_buff *skb;

	while (!dev->tx_stopped && !dev->tx_running && dev->carrier && netif_running(dev) &&
	       (skb = skb_dequeue(&dev->txq))) {
		if (!give_to_driver(dev, skb)) {
			dev->tx_stopped = true;
			skb_prepend(&dev->txq, skb);
		}
	}
}

static bool offload_fits(const struct sk_buff *skb, const struct net_device *dev)
{
	switch (skb->gso_type) {
	case SKB_GSO_NONE: return skb->gso_size == 0;
	case SKB_GSO_TCPV4: return dev->features & NETIF_F_TSO;
	case SKB_GSO_TCPV6: return dev->features & NETIF_F_TSO6;
	default: return false;
	}
}

/* Does in software what the device does not do. */
static int prepare_for_device(struct sk_buff *skb, const struct net_device *dev)
{
	int err = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL && !(dev->features & NETIF_F_HW_CSUM))
		err = skb_checksum_help(skb);
	if (err == 0 && skb->frag_block && !(dev->features & NETIF_F_SG))
		err = skb_linearize(skb);
	return err;
}

static int queue_for_driver(struct sk_buff *skb, struct net_device *dev)
{
	if (dev->txq.qlen >= MAX(dev->tx_queue_len, 1U))
		return drop_sent(skb, SKB_DROP_QUEUE_FULL, -ENOBUFS);
	skb_append(&dev->txq, skb);
	run_tx_queue(dev);
	return 0;
}

/* The link's now; the taps see the frame as the stack made it, unless the link has shown its loss. */
static int give_to_link(struct sk_buff *skb, struct net_device *dev)
{
	struct sock *sk = skb->sk;
	struct sk_buff *copy;
	bool taken;
	char owner[160];

	skb->tstamp = dev->net->now;
	copy = dev_has_onlookers(dev->net) ? skb_clone(skb) : NULL;
	if (copy && dev_has_taps(dev->net))
		dev_describe_owner(skb, owner, sizeof(owner));
	if (trace_on(dev->net, TRACE_OUT))
		trace_skb(dev->net, TRACE_OUT, skb, NULL);
	taken = dev->link->xmit(skb, dev);
	if (copy)
		show_to_watches(copy, sk);
	if (taken && copy && dev_has_taps(dev->net))
		dev_show_to_taps(dev, TAP_OUT, copy, owner, SKB_NOT_DROPPED);
	skb_consume(copy);
	return 0;
}

/**
 * dev_link_xmit() - a frame has passed the link: on to the driver
 * @skb:  complete frame; consumed, lost when the device is down or its queue full
 */
void dev_link_xmit(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	if (!netif_running(dev))
		drop_sent(skb, SKB_DROP_DEV_DOWN, 0);
	else if (!dev->carrier)
		drop_sent(skb, SKB_DROP_DEV_NO_CARRIER, 0);
	else
		queue_for_driver(skb, dev);
}

/**
 * dev_link_drop() - a frame is lost on the link
 * @skb:     frame, data at its link header; consumed
 * @dir:     TAP_OUT when the stack sent it
 * @reason:  why
 */
void dev_link_drop(struct sk_buff *skb, enum tap_dir dir, enum skb_drop_reason reason)
{
	struct net_device *dev = skb->dev;

	if (dir == TAP_OUT) {
		drop_sent(skb, reason, 0);
		return;
	}
	dev->stats.rx_dropped++;
	skb->tstamp = skb->net->now;
	if (dev_has_taps(skb->net))
		dev_show_to_taps(dev, TAP_IN, skb, "", reason);
	skb_drop(skb, reason);
}

/**
 * dev_queue_xmit() - send a frame
 * @skb:  complete frame with dev and network_header set; consumed
 *
 * Return:  0 when sent, queued, or lost for want of a carrier; -ENETDOWN, -ENOBUFS, -EMSGSIZE,
 *          -EINVAL, -ENOMEM
 */
int dev_queue_xmit(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	uint32_t max = skb->gso_size ? dev->gso_max_size : dev->mtu;
	int err;

	skb->pkt_type = PACKET_OUTGOING;
	skb_reset_mac_header(skb);
	if (!netif_running(dev))
		return drop_sent(skb, SKB_DROP_DEV_DOWN, -ENETDOWN);
	if (!dev->carrier)
		return drop_sent(skb, SKB_DROP_DEV_NO_CARRIER, 0);
	if (!offload_fits(skb, dev))
		return drop_sent(skb, SKB_DROP_DEV_OFFLOAD, -EINVAL);
	if (skb->len > max + dev->hard_header_len)
		return drop_sent(skb, SKB_DROP_DEV_MTU, -EMSGSIZE);
	err = prepare_for_device(skb, dev);
	if (err < 0)
		return drop_sent(skb, err == -ENOMEM ? SKB_DROP_NO_MEMORY : SKB_DROP_DEV_OFFLOAD, err);
	return dev->link ? give_to_link(skb, dev) : queue_for_driver(skb, dev);
}

/**
 * netif_stop_queue() - the driver can take no frame for now
 * @dev:  device
 */
void netif_stop_queue(struct net_device *dev)
{
	dev->tx_stopped = true;
}

/**
 * netif_wake_queue() - the driver takes frames again; those waiting are sent at once
 * @dev:  device
 */
void netif_wake_queue(struct net_device *dev)
{
	dev->tx_stopped = false;
	run_tx_queue(dev);
}
