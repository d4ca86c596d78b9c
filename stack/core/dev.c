/* SPDX-License-Identifier: MIT */
/*
 * dev.c - network devices: their registration and states, the way of a frame out and in
 *
 * Out: dev_queue_xmit() gets a complete frame. It does in software what the device cannot do itself
 * (checksum, fragment), sends at once when nothing waits, or queues up to tx_queue_len. A driver that
 * answers NETDEV_TX_BUSY keeps the rest waiting until it calls netif_wake_queue(). A frame sent from
 * within start_xmit() waits in the queue too, so that no driver is entered twice.
 *
 * In: a driver that knows of work calls napi_schedule(); net_rx_action(), called by the host's loop,
 * polls the scheduled devices in turn, each at most its weight, so that none starves the others. The
 * driver gives each frame to netif_receive_skb(), which finds the handler of its EtherType. Devices
 * that deliver to this same stack (loopback, wire) queue in start_xmit() and deliver from poll():
 * nothing is ever received inside a sender's call.
 *
 * Taps (captures) see what the driver took, what was lost at the queue, and received frames once the
 * stack is done with them; net->rx collects meanwhile whose the frame was and why it was dropped.
 */
#include "stack/core/dev.h"

#include "stack/core/sock.h"
#include "stack/core/trace.h"

#define DEFAULT_TX_QUEUE_LEN 1000U
#define DEFAULT_NAPI_WEIGHT 64
#define DEFAULT_GSO_MAX_SIZE 65535U
#define LOOPBACK_IFINDEX 1

struct dev_table {
	struct list_head devices;
	struct list_head poll_round;   /* of napi_struct */
	struct list_head packet_types;
	struct list_head taps;
	int next_ifindex;
};

/* --- namespace ------------------------------------------------------------------------------- */

static int dev_net_init(struct net *net)
{
	struct dev_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	list_init(&t->devices);
	list_init(&t->poll_round);
	list_init(&t->packet_types);
	list_init(&t->taps);
	t->next_ifindex = LOOPBACK_IFINDEX + 1;
	net->devs = t;
	return 0;
}

static void dev_net_exit(struct net *net)
{
	struct net_device *dev, *next;

	list_for_each_entry_safe(dev, next, &net->devs->devices, list)
		unregister_netdev(dev);
	free(net->devs);
	net->devs = NULL;
}

const struct pernet_operations dev_pernet_ops = {
	.name = "dev",
	.init = dev_net_init,
	.exit = dev_net_exit,
};

/* --- registration and states ----------------------------------------------------------------- */

/**
 * alloc_netdev() - memory for a device
 * @net:        namespace it will belong to
 * @name:       its name; "%d" in it is replaced by a free number at registration
 * @priv_size:  bytes of dev->priv
 *
 * Return:  a device that is down and has carrier, or NULL when out of memory
 */
struct net_device *alloc_netdev(struct net *net, const char *name, size_t priv_size)
{
	size_t own = (sizeof(struct net_device) + 15) & ~(size_t)15;
	struct net_device *dev = calloc(1, own + priv_size);

	if (!dev)
		return NULL;
	list_init(&dev->list);
	list_init(&dev->napi.poll_list);
	skb_queue_head_init(&dev->txq);
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	dev->net = net;
	dev->priv = priv_size ? (char *)dev + own : NULL;
	dev->carrier = true;
	dev->tx_queue_len = DEFAULT_TX_QUEUE_LEN;
	dev->gso_max_size = DEFAULT_GSO_MAX_SIZE;
	dev->max_mtu = UINT16_MAX;
	return dev;
}

/**
 * free_netdev() - undo alloc_netdev() for a device that was never registered
 * @dev:  device, or NULL
 */
void free_netdev(struct net_device *dev)
{
	if (!dev)
		return;
	if (dev->ops && dev->ops->destroy)
		dev->ops->destroy(dev);
	free(dev);
}

static bool name_is_valid(const char *name)
{
	const char *p;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ')
			return false;
	return true;
}

/* Replaces "%d" by the first number that makes the name unique. */
static int fill_in_number(struct net_device *dev)
{
	const char *mark = strstr(dev->name, "%d");
	char name[IFNAMSIZ];
	int i, n;

	if (!mark)
		return strchr(dev->name, '%') ? -EINVAL : 0;
	for (i = 0; i < INT16_MAX; i++) {
		n = snprintf(name, sizeof(name), "%.*s%d%s", (int)(mark - dev->name), dev->name, i,
			     mark + 2);
		if (n >= IFNAMSIZ)
			return -EINVAL;
		if (!dev_get_by_name(dev->net, name)) {
			memcpy(dev->name, name, sizeof(name));
			return 0;
		}
	}
	return -ENFILE;
}

/**
 * register_netdev() - make a device known to its namespace; it stays down
 * @dev:  device with its ops and properties set
 *
 * A device with IFF_LOOPBACK gets interface index 1 if that is free, as everywhere on Linux.
 * Return:  0; -EINVAL (name, no start_xmit), -EEXIST, -ENFILE. On failure the caller frees it.
 */
int register_netdev(struct net_device *dev)
{
	struct dev_table *t = dev->net->devs;
	int err;

	if (!name_is_valid(dev->name) || !dev->ops || !dev->ops->start_xmit)
		return -EINVAL;
	err = fill_in_number(dev);
	if (err < 0)
		return err;
	if (dev_get_by_name(dev->net, dev->name))
		return -EEXIST;
	if ((dev->flags & IFF_LOOPBACK) && !dev_get_by_index(dev->net, LOOPBACK_IFINDEX))
		dev->ifindex = LOOPBACK_IFINDEX;
	else
		dev->ifindex = t->next_ifindex++;
	list_add_tail(&dev->list, &t->devices);
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_REGISTER, dev);
	return 0;
}

/**
 * unregister_netdev() - close a device, announce its end and free it
 * @dev:  registered device; not from inside its own poll() or start_xmit()
 */
void unregister_netdev(struct net_device *dev)
{
	dev_close(dev);
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_UNREGISTER, dev);
	list_del(&dev->list);
	free_netdev(dev);
}

static void update_running_flag(struct net_device *dev)
{
	if (netif_running(dev) && dev->carrier)
		dev->flags |= IFF_RUNNING;
	else
		dev->flags &= ~(unsigned int)IFF_RUNNING;
}

/**
 * dev_open() - bring a device up
 * @dev:  registered device
 *
 * Return:  0, also when it was up; else what its open operation said
 */
int dev_open(struct net_device *dev)
{
	int err;

	if (netif_running(dev))
		return 0;
	err = dev->ops->open ? dev->ops->open(dev) : 0;
	if (err < 0)
		return err;
	dev->flags |= IFF_UP;
	dev->tx_stopped = false;
	update_running_flag(dev);
	if (trace_on(dev->net, TRACE_STATE))
		trace_printf(dev->net, TRACE_STATE, "%s: up", dev->name);
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_UP, dev);
	return 0;
}

/**
 * dev_close() - take a device down; what waits to be sent is lost
 * @dev:  registered device
 */
void dev_close(struct net_device *dev)
{
	struct sk_buff *skb;

	if (!netif_running(dev))
		return;
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_GOING_DOWN, dev);
	dev->flags &= ~(unsigned int)IFF_UP;
	update_running_flag(dev);
	list_del(&dev->napi.poll_list);
	if (dev->ops->stop)
		dev->ops->stop(dev);
	while ((skb = skb_dequeue(&dev->txq))) {
		dev->stats.tx_dropped++;
		skb_drop(skb, SKB_DROP_DEV_DOWN);
	}
	if (trace_on(dev->net, TRACE_STATE))
		trace_printf(dev->net, TRACE_STATE, "%s: down", dev->name);
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_DOWN, dev);
}

/**
 * dev_set_mtu() - change the largest IP packet of a device
 * @dev:  registered device
 * @mtu:  bytes
 *
 * Return:  0; -EINVAL outside the device's limits; else what its set_mtu operation said
 */
int dev_set_mtu(struct net_device *dev, uint32_t mtu)
{
	int err;

	if (mtu == dev->mtu)
		return 0;
	if (mtu < dev->min_mtu || mtu > dev->max_mtu)
		return -EINVAL;
	err = dev->ops->set_mtu ? dev->ops->set_mtu(dev, mtu) : 0;
	if (err < 0)
		return err;
	dev->mtu = mtu;
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_CHANGEMTU, dev);
	return 0;
}

/**
 * netif_carrier_set() - the link came or went
 * @dev:  device
 * @on:   link is there
 *
 * Frames that wait stay and go out when the link is back; new ones are lost meanwhile.
 */
void netif_carrier_set(struct net_device *dev, bool on)
{
	if (dev->carrier == on)
		return;
	dev->carrier = on;
	update_running_flag(dev);
	if (!netif_running(dev))
		return;
	if (trace_on(dev->net, TRACE_STATE))
		trace_printf(dev->net, TRACE_STATE, "%s: link %s", dev->name, on ? "up" : "down");
	notifier_call_chain(&dev->net->netdev_chain, NETDEV_CHANGE, dev);
	if (on && !dev->tx_stopped)
		netif_wake_queue(dev);
}

/**
 * dev_get_by_index() - find a device by its number
 * @net:      namespace
 * @ifindex:  interface index
 *
 * Return:  the device, or NULL
 */
struct net_device *dev_get_by_index(struct net *net, int ifindex)
{
	struct net_device *dev;

	list_for_each_entry(dev, &net->devs->devices, list)
		if (dev->ifindex == ifindex)
			return dev;
	return NULL;
}

/**
 * dev_get_by_name() - find a device by its name
 * @net:   namespace
 * @name:  name
 *
 * Return:  the device, or NULL
 */
struct net_device *dev_get_by_name(struct net *net, const char *name)
{
	struct net_device *dev;

	list_for_each_entry(dev, &net->devs->devices, list)
		if (strncmp(dev->name, name, IFNAMSIZ) == 0)
			return dev;
	return NULL;
}

/**
 * dev_next() - walk the devices in order of registration
 * @net:  namespace
 * @dev:  the one before; NULL starts
 *
 * Return:  the next device, NULL at the end
 */
struct net_device *dev_next(struct net *net, const struct net_device *dev)
{
	struct list_head *next = dev ? dev->list.next : net->devs->devices.next;

	return next == &net->devs->devices ? NULL : list_entry(next, struct net_device, list);
}

/* --- taps ------------------------------------------------------------------------------------ */

static bool have_taps(const struct net *net)
{
	return !list_empty(&net->devs->taps);
}

/* Joins owner and drop reason; NULL when there is nothing to say. */
static const char *make_comment(char *buf, size_t len, const char *owner,
				enum skb_drop_reason reason)
{
	bool dropped = reason != SKB_NOT_DROPPED;

	if (!*owner && !dropped)
		return NULL;
	snprintf(buf, len, "%s%s%s%s", owner, *owner && dropped ? "; " : "",
		 dropped ? "dropped: " : "", dropped ? skb_drop_reason_str(reason) : "");
	return buf;
}

static void show_to_taps(const struct net_device *dev, enum tap_dir dir, const struct sk_buff *skb,
			 const char *owner, enum skb_drop_reason reason)
{
	char buf[300];
	const char *comment = make_comment(buf, sizeof(buf), owner, reason);
	struct dev_tap *tap, *next;

	list_for_each_entry_safe(tap, next, &dev->net->devs->taps, list)
		tap->frame(tap, dev, dir, skb, comment);
}

static void describe_owner(const struct sk_buff *skb, char *buf, size_t len)
{
	buf[0] = '\0';
	if (skb->sk)
		sock_describe(skb->sk, buf, len);
}

/**
 * dev_add_tap() - show all frames of all devices to a tap
 * @net:  namespace
 * @tap:  tap, in the caller's memory
 */
void dev_add_tap(struct net *net, struct dev_tap *tap)
{
	list_add_tail(&tap->list, &net->devs->taps);
}

/**
 * dev_remove_tap() - undo dev_add_tap()
 * @tap:  tap; may be called from its frame function
 */
void dev_remove_tap(struct dev_tap *tap)
{
	list_del(&tap->list);
}

/**
 * rx_note_owner() - a socket was found for the frame that is being received
 * @net:  namespace
 * @sk:   socket; the last one noted is shown
 */
void rx_note_owner(struct net *net, const struct sock *sk)
{
	if (!net->rx.active || !have_taps(net))
		return;
	net->rx.has_owner = true;
	sock_describe(sk, net->rx.owner, sizeof(net->rx.owner));
}

/* --- transmit -------------------------------------------------------------------------------- */

static int drop_sent(struct sk_buff *skb, enum skb_drop_reason reason, int err)
{
	struct net_device *dev = skb->dev;
	char owner[160];

	dev->stats.tx_dropped++;
	if (have_taps(skb->net)) {
		describe_owner(skb, owner, sizeof(owner));
		show_to_taps(dev, TAP_OUT, skb, owner, reason);
	}
	skb_drop(skb, reason);
	return err;
}

/*
 * Gives one frame to the driver. False when it is busy: the skb is the caller's still. A driver that
 * takes a frame and then cannot send it drops it, which net->tx_drop tells.
 */
static bool give_to_driver(struct net_device *dev, struct sk_buff *skb)
{
	struct sk_buff *copy = have_taps(dev->net) ? skb_clone(skb) : NULL;
	uint32_t len = skb->len;
	enum netdev_tx verdict;
	char owner[160];

	if (copy)
		describe_owner(skb, owner, sizeof(owner));
	if (trace_on(dev->net, TRACE_OUT))
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
		if (copy)
			show_to_taps(dev, TAP_OUT, copy, owner, dev->net->tx_drop);
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
	skb->tstamp = skb->net->now;
	if (dev->txq.qlen >= MAX(dev->tx_queue_len, 1U))
		return drop_sent(skb, SKB_DROP_QUEUE_FULL, -ENOBUFS);
	skb_append(&dev->txq, skb);
	run_tx_queue(dev);
	return 0;
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

/* --- receive --------------------------------------------------------------------------------- */

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
	struct sk_buff *copy = have_taps(net) ? skb_clone(skb) : NULL;

	net->rx.active = true;
	net->rx.has_owner = false;
	net->rx.reason = SKB_NOT_DROPPED;
	if (skb->pkt_type == PACKET_OTHERHOST)
		skb_drop(skb, SKB_DROP_OTHERHOST);
	else
		deliver_skb(skb);
	net->rx.active = false;
	if (net->rx.reason != SKB_NOT_DROPPED)
		dev->stats.rx_dropped++;
	if (copy)
		show_to_taps(dev, TAP_IN, copy, net->rx.has_owner ? net->rx.owner : "",
			     net->rx.reason);
	skb_consume(copy);
}

/**
 * netif_receive_skb() - a frame from a driver's poll()
 * @skb:  data at the network header, mac_header, dev, protocol and pkt_type set; consumed
 */
void netif_receive_skb(struct sk_buff *skb)
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
