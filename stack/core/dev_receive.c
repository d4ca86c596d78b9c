/* SPDX-License-Identifier: MIT */
/*
 * dev_receive.c - the way of a frame in
 *
 * A driver that knows of work calls napi_schedule(); net_rx_action(), called by the host's loop, polls
 * the scheduled devices in turn, each at most its weight, so that none starves the others. The driver
 * gives each frame to netif_receive_skb(), which finds the handler of its EtherType. Devices that
 * deliver to this same stack (loopback, wire) queue in start_xmit() and deliver from poll(): nothing
 * is ever received inside a sender's call.
 */
#include "stack/core/dev_table.h"

#include "stack/core/trace.h"

#define DEFAULT_NAPI_WEIGHT 64

/**
 * netif_napi_add() - say how a device is polled
 * @dev:     device
 * @poll:    takes up to @budget frames and returns how many; fewer means that it is drained
 * @weight:  frames per turn; <= 0 for the default of 64
 */
void netif_napi_add(struct net_device *dev, int (*poll)(struct napi_struct *, int), int weight)
{
	dev->napi.dev = dev;
	dev->napi.poll = poll;
	dev->napi.weight = weight > 0 ? weight : DEFAULT_NAPI_WEIGHT;
}

/**
 * napi_schedule() - the device has frames: put it on the round
 * @napi:  of a device; one that is down is left alone
 */
void napi_schedule(struct napi_struct *napi)
{
	if (list_empty(&napi->poll_list) && netif_running(napi->dev))
		list_add_tail(&napi->poll_list, &napi->dev->net->devs->poll_round);
}

/**
 * net_rx_action() - one pass of the round
 * @net:     namespace
 * @budget:  frames altogether
 *
 * Each device that was scheduled at the start gets at most one turn. One that was not reached for
 * want of budget stands first next time.
 * Return:  true when some device has work left
 */
bool net_rx_action(struct net *net, int budget)
{
	struct list_head *round = &net->devs->poll_round, *pos;
	size_t turns = 0;

	for (pos = round->next; pos != round; pos = pos->next)
		turns++;
	while (turns-- && budget > 0 && !list_empty(round)) {
		struct napi_struct *napi = list_first_entry(round, struct napi_struct, poll_list);
		int share = MIN(napi->weight, budget), work;

		list_del(&napi->poll_list);
		work = napi->poll(napi, share);
		budget -= work;
		if (work >= share)
			napi_schedule(napi);
	}
	return !list_empty(round);
}

/**
 * net_rx_pending() - whether net_rx_action() has something to do
 * @net:  namespace
 */
bool net_rx_pending(const struct net *net)
{
	return !list_empty(&net->devs->poll_round);
}

/* Hands the skb to the handlers of its EtherType: clones for all but the last. Consumes. */
static void deliver_skb(struct sk_buff *skb)
{
	struct packet_type *pt, *next, *last = NULL;

	list_for_each_entry_safe(pt, next, &skb->net->devs->packet_types, list) {
		struct sk_buff *clone;

		if (pt->type != skb->protocol)
			continue;
		clone = last ? skb_clone(skb) : NULL;
		if (clone)
			last->func(clone, clone->dev, last);
		last = pt;
	}
	if (last)
		last->func(skb, skb->dev, last);
	else
		skb_drop(skb, SKB_DROP_UNHANDLED_PROTO);
}

/* Delivers while net->rx notes the frame's fate, then shows it to the taps. Consumes. */
static void deliver_with_verdict(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct net *net = skb->net;
	struct sk_buff *copy = dev_has_taps(net) ? skb_clone(skb) : NULL;

	if (unlikely(dev_has_watches(net)))
		dev_show_to_watches(skb);
	net->rx.active = true;
	net->rx.has_owner = false;
	net->rx.reason = SKB_NOT_DROPPED;
	if (dev->rx_handler)
		dev->rx_handler(skb);
	else if (skb->pkt_type == PACKET_OTHERHOST)
		skb_drop(skb, SKB_DROP_OTHERHOST);
	else
		deliver_skb(skb);
	net->rx.active = false;
	if (net->rx.reason != SKB_NOT_DROPPED)
		dev->stats.rx_dropped++;
	if (copy)
		dev_show_to_taps(dev, TAP_IN, copy, net->rx.has_owner ? net->rx.owner : "",
			     net->rx.reason);
	dev_show_held(net);
	skb_consume(copy);
}

/**
 * netif_receive_skb() - a frame from a driver's poll()
 * @skb:  data at the network header, mac_header, dev, protocol and pkt_type set; consumed
 */
void netif_receive_skb(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	if (dev->link && netif_running(dev))
		dev->link->rcv(skb, dev);
	else
		dev_link_rcv(skb);
}

/**
 * dev_link_rcv() - a frame has passed the link, or there is none: up to the stack
 * @skb:  as for netif_receive_skb(); consumed
 */
void dev_link_rcv(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct net *net = skb->net;

	BUG_ON(net->rx.active);
	if (!netif_running(dev)) {
		dev->stats.rx_dropped++;
		skb_drop(skb, SKB_DROP_DEV_DOWN);
		return;
	}
	skb_reset_network_header(skb);
	if (skb->tstamp == 0)
		skb->tstamp = net->now;
	dev->stats.rx_packets++;
	dev->stats.rx_bytes += skb->len;
	if (skb_mac_header_was_set(skb))
		dev->stats.rx_bytes += (uint32_t)(skb->network_header - skb->mac_header);
	if (trace_on(net, TRACE_IN))
		trace_skb(net, TRACE_IN, skb, NULL);
	deliver_with_verdict(skb);
}

/**
 * dev_add_pack() - register the handler of an EtherType
 * @net:  namespace
 * @pt:   handler, in the caller's memory
 */
void dev_add_pack(struct net *net, struct packet_type *pt)
{
	list_add_tail(&pt->list, &net->devs->packet_types);
}

/**
 * dev_remove_pack() - undo dev_add_pack()
 * @pt:  handler
 */
void dev_remove_pack(struct packet_type *pt)
{
	list_del(&pt->list);
}

/**
 * dev_add_watch() - show frames to a packet socket
 * @net:  namespace
 * @pw:   in the caller's memory, type and frame set
 */
void dev_add_watch(struct net *net, struct packet_watch *pw)
{
	list_add_tail(&pw->list, &net->devs->watches);
}

/**
 * dev_remove_watch() - undo dev_add_watch()
 * @pw:  watch; its list must have been initialised
 */
void dev_remove_watch(struct packet_watch *pw)
{
	list_del(&pw->list);
}

/**
 * dev_show_to_watches() - give a frame to all packet sockets that want one of its kind
 * @skb:  frame, pkt_type and protocol set; borrowed
 */
void dev_show_to_watches(const struct sk_buff *skb)
{
	const be16 all = cpu_to_be16(ETH_P_ALL);
	struct packet_watch *pw, *next;

	list_for_each_entry_safe(pw, next, &skb->net->devs->watches, list) {
		if (pw->type == all || (pw->type == skb->protocol && skb->pkt_type != PACKET_OUTGOING))
			pw->frame(pw, skb);
	}
}
