/* SPDX-License-Identifier: MIT */
/* The host's interfaces and addresses as they cross to a program for getifaddrs() (CTL_IFADDRS). */
#include "shim/host/host.h"
#include "stack/inet/devinet.h"

/* A list in the making: what does not fit is left out. */
struct if_list {
	struct ctl_ifaddr *entry;
	size_t count, room;
};

static void describe_device(struct ctl_ifaddr *e, const struct net_device *dev)
{
	e->family = AF_PACKET;
	memcpy(e->addr, dev->dev_addr, sizeof(dev->dev_addr));
	memcpy(e->broadcast, dev->broadcast, sizeof(dev->broadcast));
	e->has_broadcast = 1;
	e->rx_packets = dev->stats.rx_packets;
	e->rx_bytes = dev->stats.rx_bytes;
	e->rx_errors = dev->stats.rx_errors;
	e->rx_dropped = dev->stats.rx_dropped;
	e->tx_packets = dev->stats.tx_packets;
	e->tx_bytes = dev->stats.tx_bytes;
	e->tx_errors = dev->stats.tx_errors;
	e->tx_dropped = dev->stats.tx_dropped;
}

static void describe_address(struct ctl_ifaddr *e, const struct in_ifaddr *ifa)
{
	e->family = ifa->addr.family;
	e->prefix_len = ifa->prefix_len;
	memcpy(e->addr, ifa->addr.bytes, sizeof(e->addr));
	e->has_broadcast = ifa->broadcast.family != AF_UNSPEC;
	if (e->has_broadcast)
		memcpy(e->broadcast, ifa->broadcast.bytes, sizeof(e->broadcast));
}

static void list_entry_of(void *arg, const struct net_device *dev, const struct in_ifaddr *ifa)
{
	struct if_list *l = arg;
	struct ctl_ifaddr *e = &l->entry[l->count];

	if (l->count >= l->room)
		return;
	l->count++;
	memset(e, 0, sizeof(*e));
	e->ifindex = (uint32_t)dev->ifindex;
	e->flags = dev_get_flags(dev);
	e->hatype = dev->type;
	e->mtu = dev->mtu;
	e->txqlen = dev->tx_queue_len;
	memcpy(e->name, dev->name, sizeof(e->name));
	if (ifa)
		describe_address(e, ifa);
	else
		describe_device(e, dev);
}

/**
 * interfaces_list() - all interfaces, then all their addresses
 * @list: where to
 * @room: entries that fit
 *
 * Return: entries written
 */
size_t interfaces_list(const struct host *h, struct ctl_ifaddr *list, size_t room)
{
	struct if_list l = { .entry = list, .room = room };

	inet_if_dump(h->net, list_entry_of, &l);
	return l.count;
}
