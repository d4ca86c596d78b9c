/* SPDX-License-Identifier: MIT */
/*
 * devinet_ioctl.c - what programs may ask about devices and their addresses
 *
 * Two ways to ask: the interface ioctls of netdevice(7), one struct ifreq in and out, and a walk
 * over everything for whoever makes lists of it (getifaddrs() at the program's end). Programs have
 * no rights here, as an unprivileged process has none on Linux: what sets anything is refused.
 *
 * A name may carry an alias, "eth0:1". What concerns the device ignores the alias; what concerns
 * an address looks for the one with that label, and ours all bear the plain name of their device.
 * Where the caller fills in an address of AF_INET and the device has it, that one is meant; else
 * the first.
 *
 * Read first: netdevice(7).
 */
#include <linux/sockios.h>

#include "stack/inet/devinet.h"

/**
 * dev_get_flags() - the flags of a device as programs see them
 * @dev:  device
 *
 * Return:  IFF_*, with IFF_RUNNING and DEV_LOWER_UP only while it is up and has carrier
 */
unsigned int dev_get_flags(const struct net_device *dev)
{
	unsigned int flags = dev->flags & ~(unsigned int)(IFF_RUNNING | DEV_LOWER_UP);

	if (netif_running(dev) && dev->carrier)
		flags |= IFF_RUNNING | DEV_LOWER_UP;
	return flags;
}

/* An address that was lost to another host is not shown. */
static struct in_ifaddr *next_shown(struct net_device *dev, const struct in_ifaddr *ifa)
{
	struct in_ifaddr *next = inet_ifa_next(dev, ifa);

	while (next && next->state == IFA_CONFLICT)
		next = inet_ifa_next(dev, next);
	return next;
}

/**
 * inet_if_dump() - shows all devices, then all their addresses
 * @net:    namespace
 * @entry:  called for each; ifa is NULL for the device itself
 * @arg:    first argument of @entry
 */
void inet_if_dump(struct net *net, inet_if_entry_fn entry, void *arg)
{
	struct net_device *dev;
	const struct in_ifaddr *ifa;

	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		entry(arg, dev, NULL);
	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		for (ifa = next_shown(dev, NULL); ifa; ifa = next_shown(dev, ifa))
			entry(arg, dev, ifa);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void set_address(struct sockaddr *to, be32 addr)
{
	struct sockaddr_in sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = addr;
	memcpy(to, &sin, sizeof(sin));
}

static be32 mask_of(uint8_t prefix_len)
{
	return cpu_to_be32(prefix_len ? 0xffffffffU << (32 - prefix_len) : 0);
}

/* The address that is meant, see the head of this file. */
static const struct in_ifaddr *address_meant(struct net_device *dev, const struct ifreq *ifr)
{
	const struct in_ifaddr *ifa, *first = NULL;
	struct sockaddr_in sin;

	if (strcmp(ifr->ifr_name, dev->name))
		return NULL; /* the label of an alias */
	memcpy(&sin, &ifr->ifr_addr, sizeof(sin));
	for (ifa = next_shown(dev, NULL); ifa; ifa = next_shown(dev, ifa)) {
		if (ifa->addr.family != AF_INET)
			continue;
		if (sin.sin_family == AF_INET && sin.sin_addr.s_addr == ifa->addr.v4)
			return ifa;
		if (!first)
			first = ifa;
	}
	return first;
}

static int get_address(struct net_device *dev, unsigned long cmd, struct ifreq *ifr)
{
	const struct in_ifaddr *ifa = address_meant(dev, ifr);

	if (!ifa)
		return -EADDRNOTAVAIL;
	switch (cmd) {
	case SIOCGIFBRDADDR:
		set_address(&ifr->ifr_addr, ifa->broadcast.family == AF_INET ? ifa->broadcast.v4 : 0);
		return 0;
	case SIOCGIFNETMASK:
		set_address(&ifr->ifr_addr, mask_of(ifa->prefix_len));
		return 0;
	default: /* itself; the far end too, on a device that is no point-to-point link */
		set_address(&ifr->ifr_addr, ifa->addr.v4);
		return 0;
	}
}

/* Whole entries only; with no room for any, @out NULL, the bytes that all would take. */
static int list_addresses(struct net *net, struct ifreq *out, size_t *len)
{
	struct net_device *dev;
	const struct in_ifaddr *ifa;
	size_t used = 0;

	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev)) {
		for (ifa = next_shown(dev, NULL); ifa; ifa = next_shown(dev, ifa)) {
			if (ifa->addr.family != AF_INET)
				continue;
			if (out) {
				if (*len - used < sizeof(*out))
					goto full;
				memset(out, 0, sizeof(*out));
				memcpy(out->ifr_name, dev->name, sizeof(out->ifr_name));
				set_address(&out->ifr_addr, ifa->addr.v4);
				out++;
			}
			used += sizeof(*out);
		}
	}
full:
	*len = used;
	return 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static void get_hwaddr(const struct net_device *dev, struct ifreq *ifr)
{
	memset(&ifr->ifr_hwaddr, 0, sizeof(ifr->ifr_hwaddr));
	ifr->ifr_hwaddr.sa_family = dev->type;
	memcpy(ifr->ifr_hwaddr.sa_data, dev->dev_addr, sizeof(dev->dev_addr));
}

static int get_device(struct net_device *dev, unsigned long cmd, struct ifreq *ifr)
{
	switch (cmd) {
	case SIOCGIFINDEX:
		ifr->ifr_ifindex = dev->ifindex;
		return 0;
	case SIOCGIFFLAGS:
		ifr->ifr_flags = (short)dev_get_flags(dev);
		return 0;
	case SIOCGIFMTU:
		ifr->ifr_mtu = (int)dev->mtu;
		return 0;
	case SIOCGIFMETRIC: /* not implemented on Linux either */
		ifr->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		ifr->ifr_qlen = (int)dev->tx_queue_len;
		return 0;
	case SIOCGIFHWADDR:
		get_hwaddr(dev, ifr);
		return 0;
	case SIOCGIFMAP: /* no memory, port or interrupt */
		memset(&ifr->ifr_map, 0, sizeof(ifr->ifr_map));
		return 0;
	default:
		return -EINVAL; /* SIOCGIFSLAVE: of no other device */
	}
}

static int get_name(struct net *net, struct ifreq *ifr)
{
	struct net_device *dev = dev_get_by_index(net, ifr->ifr_ifindex);

	if (!dev)
		return -ENODEV;
	memcpy(ifr->ifr_name, dev->name, sizeof(ifr->ifr_name));
	return 0;
}

static struct net_device *device_named(struct net *net, const struct ifreq *ifr)
{
	char name[IFNAMSIZ];

	memcpy(name, ifr->ifr_name, sizeof(name));
	name[sizeof(name) - 1] = 0;
	name[strcspn(name, ":")] = 0;
	return dev_get_by_name(net, name);
}

static int ask_device(struct net *net, unsigned long cmd, struct ifreq *ifr)
{
	struct net_device *dev;

	ifr->ifr_name[IFNAMSIZ - 1] = 0;
	dev = device_named(net, ifr);
	if (!dev)
		return -ENODEV;
	switch (cmd) {
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
		return get_address(dev, cmd, ifr);
	case SIOCETHTOOL:
		return -EOPNOTSUPP; /* nothing to tune */
	default:
		return get_device(dev, cmd, ifr);
	}
}

/**
 * inet_dev_ioctl() - the ioctls about interfaces
 * @net:  namespace
 * @cmd:  SIOCGIF..., SIOCSIF...
 * @arg:  a struct ifreq, question and answer; SIOCGIFCONF: room for many, NULL to learn their size
 * @len:  bytes of @arg; SIOCGIFCONF: set to those of the answer
 *
 * Source:  netdevice(7)
 * Return:  0; -ENODEV (no such interface), -EADDRNOTAVAIL (it has no address), -EPERM (what sets
 *          something), -EINVAL (what does not apply), -EOPNOTSUPP, -ENOTTY (not one of these)
 */
int inet_dev_ioctl(struct net *net, unsigned long cmd, void *arg, size_t *len)
{
	if (cmd == SIOCGIFCONF)
		return list_addresses(net, arg, len);
	if (!arg || *len != sizeof(struct ifreq))
		return -EINVAL;
	switch (cmd) {
	case SIOCGIFNAME:
		return get_name(net, arg);
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFSLAVE:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
	case SIOCGIFMAP:
	case SIOCETHTOOL:
		return ask_device(net, cmd, arg);
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFNAME:
	case SIOCSIFHWADDR:
	case SIOCSIFHWBROADCAST:
	case SIOCSIFSLAVE:
	case SIOCSIFTXQLEN:
	case SIOCSIFMAP:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
	case SIOCGMIIPHY: /* needs the right on Linux too, in the order of its checks */
	case SIOCGMIIREG:
	case SIOCSMIIREG:
		return -EPERM;
	case SIOCGIFPFLAGS:
	case SIOCSIFPFLAGS:
		return -EINVAL;
	default:
		return -ENOTTY;
	}
}
