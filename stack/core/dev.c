/* SPDX-License-Identifier: MIT */
/*
 * dev.c - network devices: the table of a namespace, registration, up and down, link and MTU
 *
 * A driver allocates a device, sets its properties and ops, and registers it. The frames' ways are
 * dev_xmit.c (out) and dev_receive.c (in); dev_tap.c shows both to captures. All changes are
 * announced on net->netdev_chain, where neighbours, addresses and routes listen.
 */
#include "stack/core/dev.h"

#include "stack/core/dev_table.h"
#include "stack/core/trace.h"

#define DEFAULT_TX_QUEUE_LEN 1000U
#define DEFAULT_GSO_MAX_SIZE 65535U
#define LOOPBACK_IFINDEX 1

/* --- namespace ------------------------------------------------------------------------------- */

static int dev_net_init(struct net *net)
{
	struct dev_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	list_init(&t->devices);
	list_init(&t->poll_round);
	list_init(&t->packet_types);
	list_init(&t->watches);
	list_init(&t->taps);
	list_init(&t->tap_held);
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
	if (dev->link)
		dev->link->destroy(dev);
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
	if (dev->link)
		dev->link->stop(dev);
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

static void change_rx_mode(struct net_device *dev, unsigned int *users, int inc)
{
	bool was = *users > 0;

	BUG_ON(inc < 0 && *users == 0);
	*users += (unsigned int)inc;
	if (was != (*users > 0) && dev->ops->set_rx_mode)
		dev->ops->set_rx_mode(dev);
}

/**
 * dev_set_promiscuity() - somebody wants to hear, or no more, frames for others
 * @dev:  device; IFF_PROMISC shows that there is somebody
 * @inc:  1 or -1
 */
void dev_set_promiscuity(struct net_device *dev, int inc)
{
	change_rx_mode(dev, &dev->promiscuity, inc);
	if (dev->promiscuity)
		dev->flags |= IFF_PROMISC;
	else
		dev->flags &= ~(unsigned int)IFF_PROMISC;
}

/**
 * dev_set_watched() - somebody wants to hear, or no more, frames that no protocol of ours is for
 * @dev:  device
 * @inc:  1 or -1
 */
void dev_set_watched(struct net_device *dev, int inc)
{
	change_rx_mode(dev, &dev->watched, inc);
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
