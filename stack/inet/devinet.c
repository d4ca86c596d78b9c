/* SPDX-License-Identifier: MIT */
/*
 * devinet.c - addresses of devices
 *
 * Each device with an address has a struct in_device with the list of its addresses. An address
 * brings its routes along: the prefix at once, so that a gateway can be named; itself and its
 * broadcast only when it is in use, that is after conflict detection (RFC 5227 2.1.1: nothing may
 * be sent from, or answered for, an address that is still being probed).
 *
 * inetaddr_chain hears INETADDR_ADD when an address comes into use and INETADDR_DEL when it goes.
 *
 * Read first: RFC 1122 3.3.4; RFC 5227 2.
 */
#include "stack/inet/devinet.h"

#include "stack/inet/arp.h"
#include "stack/inet/ip.h"
#include "stack/inet/route.h"

/* --- routes of an address -------------------------------------------------------------------- */

static bool on_loopback(const struct in_ifaddr *ifa)
{
	return ifa->dev->flags & IFF_LOOPBACK;
}

static struct route local_route(const struct in_ifaddr *ifa)
{
	struct route r = {
		.dst = ifa->addr, .prefix_len = 32, .type = RTN_T_LOCAL, .scope = RT_SCOPE_T_HOST,
		.prefsrc = ifa->addr, .dev = ifa->dev,
	};

	return r;
}

static struct route broadcast_route(const struct in_ifaddr *ifa)
{
	struct route r = {
		.dst = ifa->broadcast, .prefix_len = 32, .type = RTN_T_BROADCAST,
		.scope = RT_SCOPE_T_LINK, .prefsrc = ifa->addr, .dev = ifa->dev,
	};

	return r;
}

/* The subnet; all of 127/8 is the host itself (RFC 1122 3.2.1.3 (g)). */
static struct route prefix_route(const struct in_ifaddr *ifa)
{
	struct route r = {
		.dst = ifa->addr, .prefix_len = ifa->prefix_len, .type = RTN_T_UNICAST,
		.scope = RT_SCOPE_T_LINK, .prefsrc = ifa->addr, .dev = ifa->dev,
	};

	if (on_loopback(ifa)) {
		r.type = RTN_T_LOCAL;
		r.scope = RT_SCOPE_T_HOST;
	}
	return r;
}

static int add_route(struct net *net, const struct route *r)
{
	int err = route_add(net, r);

	return err == -EEXIST ? 0 : err; /* a second address of the same subnet */
}

static int add_prefix(struct in_ifaddr *ifa)
{
	const struct route r = prefix_route(ifa);

	return ifa->prefix_len < 32 ? add_route(ifa->dev->net, &r) : 0;
}

/* Another address of the device, not @ifa itself, has the same subnet. */
static struct in_ifaddr *subnet_twin(const struct in_ifaddr *ifa)
{
	struct in_ifaddr *other;

	list_for_each_entry(other, &ifa->dev->ip_ptr->addrs, list)
		if (other != ifa && other->prefix_len == ifa->prefix_len &&
		    other->state != IFA_CONFLICT &&
		    inet_prefix_match(&other->addr, &ifa->addr, ifa->prefix_len))
			return other;
	return NULL;
}

/* Takes back what @ifa brought; a twin in the subnet inherits prefix and broadcast. */
static void drop_routes(struct in_ifaddr *ifa)
{
	struct net *net = ifa->dev->net;
	struct in_ifaddr *twin = subnet_twin(ifa);
	struct route r = local_route(ifa);

	if (ifa->state == IFA_PERMANENT)
		route_del(net, &r);
	if (ifa->broadcast.family != AF_UNSPEC && ifa->state == IFA_PERMANENT && !twin) {
		r = broadcast_route(ifa);
		route_del(net, &r);
	}
	if (ifa->prefix_len < 32 && !twin) {
		r = prefix_route(ifa);
		route_del(net, &r);
	}
	route_flush_prefsrc(net, &ifa->addr);
	if (!twin)
		return;
	add_prefix(twin);
	if (twin->broadcast.family != AF_UNSPEC && twin->state == IFA_PERMANENT) {
		r = broadcast_route(twin);
		add_route(net, &r);
	}
}

/* --- addresses ------------------------------------------------------------------------------- */

static struct in_device *get_in_device(struct net_device *dev)
{
	struct in_device *in = dev->ip_ptr;

	if (in)
		return in;
	in = calloc(1, sizeof(*in));
	if (!in)
		return NULL;
	in->dev = dev;
	list_init(&in->addrs);
	dev->ip_ptr = in;
	return in;
}

/**
 * inet_ifa_next() - walk the addresses of a device
 * @dev:  device
 * @ifa:  the one before, NULL for the first
 *
 * Return:  NULL at the end
 */
struct in_ifaddr *inet_ifa_next(struct net_device *dev, const struct in_ifaddr *ifa)
{
	struct list_head *next;

	if (!dev->ip_ptr)
		return NULL;
	next = ifa ? ifa->list.next : dev->ip_ptr->addrs.next;
	return next == &dev->ip_ptr->addrs ? NULL : list_entry(next, struct in_ifaddr, list);
}

/**
 * inet_ifa_find() - the entry of an own address, in use or not
 * @net:   namespace
 * @addr:  address
 *
 * Return:  NULL when no device has it
 */
struct in_ifaddr *inet_ifa_find(struct net *net, const struct inet_addr *addr)
{
	struct net_device *dev;
	struct in_ifaddr *ifa;

	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		for (ifa = inet_ifa_next(dev, NULL); ifa; ifa = inet_ifa_next(dev, ifa))
			if (inet_addr_equal(&ifa->addr, addr))
				return ifa;
	return NULL;
}

/* RFC 1122 3.2.1.3: what can be the address of a host. */
static int check_address(const struct net_device *dev, const struct inet_addr *addr, uint8_t prefix_len)
{
	const uint32_t host = be32_to_cpu(addr->v4) & (uint32_t)(0xffffffffULL >> prefix_len);

	if (addr->family != AF_INET)
		return -EAFNOSUPPORT;
	if (prefix_len == 0 || prefix_len > 32)
		return -EINVAL;
	if (ipv4_is_multicast(addr->v4) || ipv4_is_lbcast(addr->v4) || ipv4_is_zeronet(addr->v4))
		return -EINVAL;
	if (ipv4_is_loopback(addr->v4) && !(dev->flags & IFF_LOOPBACK))
		return -EINVAL;
	/* RFC 3021 2.1: with 31 bits both addresses are hosts. */
	if (prefix_len < 31 && host == 0xffffffffULL >> prefix_len && !(dev->flags & IFF_LOOPBACK))
		return -EINVAL;
	return 0;
}

static struct in_ifaddr *make_ifa(struct net_device *dev, const struct inet_addr *addr, uint8_t prefix_len)
{
	struct in_ifaddr *ifa = calloc(1, sizeof(*ifa));

	if (!ifa)
		return NULL;
	ifa->dev = dev;
	ifa->addr = *addr;
	ifa->prefix_len = prefix_len;
	ifa->state = IFA_TENTATIVE;
	ifa->scope = on_loopback(ifa) ? RT_SCOPE_T_HOST : RT_SCOPE_T_UNIVERSE;
	/* RFC 3927 2.8: 169.254/16 is of link scope. */
	if (be32_to_cpu(addr->v4) >> 16 == 0xa9fe)
		ifa->scope = RT_SCOPE_T_LINK;
	if (prefix_len < 31 && !on_loopback(ifa))
		ifa->broadcast = inet_addr_v4(addr->v4 | cpu_to_be32(0xffffffffU >> prefix_len));
	list_init(&ifa->list);
	arp_acd_init(ifa);
	return ifa;
}

/* Off its list and away; its routes are gone already. */
static void free_ifa(struct in_ifaddr *ifa)
{
	arp_acd_exit(ifa);
	list_del(&ifa->list);
	free(ifa);
}

static void remove_ifa(struct in_ifaddr *ifa)
{
	struct net *net = ifa->dev->net;

	arp_acd_stop(ifa);
	drop_routes(ifa);
	if (ifa->state == IFA_PERMANENT)
		notifier_call_chain(&net->inetaddr_chain, INETADDR_DEL, ifa);
	free_ifa(ifa);
}

/**
 * inet_addr_add() - give a device an address
 * @net:         namespace
 * @dev:         device
 * @addr:        address
 * @prefix_len:  length of its subnet's prefix, bits
 * @probe:       conflict detection before the address comes into use; ignored on loopback
 *
 * Return:  0; -EEXIST (some device has it), -EINVAL (not the address of a host), -EAFNOSUPPORT,
 *          -ENOMEM
 */
int inet_addr_add(struct net *net, struct net_device *dev, const struct inet_addr *addr,
		  uint8_t prefix_len, enum acd_mode probe)
{
	int err = check_address(dev, addr, prefix_len);
	struct in_device *in;
	struct in_ifaddr *ifa;

	if (err)
		return err;
	if (inet_ifa_find(net, addr))
		return -EEXIST;
	in = get_in_device(dev);
	ifa = in ? make_ifa(dev, addr, prefix_len) : NULL;
	if (!ifa)
		return -ENOMEM;
	list_add_tail(&ifa->list, &in->addrs);
	err = add_prefix(ifa);
	if (err) {
		free_ifa(ifa);
		return err;
	}
	if (probe == ACD_NONE || dev->type != ARPHRD_ETHER)
		inet_ifa_ready(ifa);
	else
		arp_acd_start(ifa, probe);
	return 0;
}

/**
 * inet_addr_del() - take an address from a device, with its routes
 * @net:   namespace
 * @dev:   device
 * @addr:  address
 *
 * Return:  0; -EADDRNOTAVAIL when @dev does not have it
 */
int inet_addr_del(struct net *net, struct net_device *dev, const struct inet_addr *addr)
{
	struct in_ifaddr *ifa = inet_ifa_find(net, addr);

	if (!ifa || ifa->dev != dev)
		return -EADDRNOTAVAIL;
	remove_ifa(ifa);
	return 0;
}

/**
 * inet_ifa_ready() - an address comes into use
 * @ifa:  tentative until now
 */
void inet_ifa_ready(struct in_ifaddr *ifa)
{
	struct net *net = ifa->dev->net;
	struct route r = local_route(ifa);

	ifa->state = IFA_PERMANENT;
	add_route(net, &r);
	if (ifa->broadcast.family != AF_UNSPEC) {
		r = broadcast_route(ifa);
		add_route(net, &r);
	}
	notifier_call_chain(&net->inetaddr_chain, INETADDR_ADD, ifa);
}

/**
 * inet_ifa_conflict() - another host has the address: it is not used
 * @ifa:  stays on the device's list, in state IFA_CONFLICT, until it is deleted
 */
void inet_ifa_conflict(struct in_ifaddr *ifa)
{
	drop_routes(ifa);
	ifa->state = IFA_CONFLICT;
}

/* The best address of @dev alone; @exact is set when it is of the subnet of @dst. */
static const struct in_ifaddr *best_of_device(struct net_device *dev, const struct inet_addr *dst,
					      uint8_t scope, bool *exact)
{
	const struct in_ifaddr *ifa, *first = NULL;

	for (ifa = inet_ifa_next(dev, NULL); ifa; ifa = inet_ifa_next(dev, ifa)) {
		if (ifa->state != IFA_PERMANENT || ifa->scope > scope)
			continue;
		*exact = dst->family != AF_UNSPEC && inet_prefix_match(&ifa->addr, dst, ifa->prefix_len);
		if (*exact)
			return ifa;
		if (!first)
			first = ifa;
	}
	return first;
}

/**
 * inet_set_forwarding() - makes the namespace a router, or a host again
 * @net:  namespace
 * @on:   whether packets for others are sent on (ip_forward.c)
 */
void inet_set_forwarding(struct net *net, bool on)
{
	net->inet->sysctl.ip_forward = on;
}

/**
 * inet_select_addr() - choose the source address of what leaves by a device
 * @net:    namespace
 * @dev:    device
 * @dst:    next hop or destination; family AF_UNSPEC = anything
 * @scope:  no address of a narrower scope than this is taken
 * @out:    set on success
 *
 * Source:  RFC 1122 3.3.4.3; an address of another device where this one has none, as Linux
 * Return:  0; -EADDRNOTAVAIL
 */
int inet_select_addr(struct net *net, struct net_device *dev, const struct inet_addr *dst,
		     uint8_t scope, struct inet_addr *out)
{
	bool exact = false;
	const struct in_ifaddr *ifa = best_of_device(dev, dst, scope, &exact);
	struct net_device *other;

	for (other = dev_next(net, NULL); other && !ifa; other = dev_next(net, other))
		ifa = best_of_device(other, &(struct inet_addr){ .family = AF_UNSPEC },
				     MIN(scope, RT_SCOPE_T_LINK - 1), &exact);
	if (!ifa)
		return -EADDRNOTAVAIL;
	*out = ifa->addr;
	return 0;
}

/* --- devices come and go --------------------------------------------------------------------- */

static void forget_device(struct net_device *dev)
{
	struct in_ifaddr *ifa;

	while ((ifa = inet_ifa_next(dev, NULL)) != NULL) {
		if (dev->net->route)
			remove_ifa(ifa);
		else
			free_ifa(ifa);
	}
	free(dev->ip_ptr);
	dev->ip_ptr = NULL;
}

/* RFC 5227 2.1: probing belongs to a link that comes up. */
static void device_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct net_device *dev = data;
	struct in_ifaddr *ifa;

	(void)nb;
	if (event == NETDEV_UNREGISTER) {
		ip_loop_purge(dev->net); /* its packets may point at the device */
		forget_device(dev);
	}
	if (event != NETDEV_UP && event != NETDEV_DOWN && event != NETDEV_CHANGE)
		return;
	for (ifa = inet_ifa_next(dev, NULL); ifa; ifa = inet_ifa_next(dev, ifa))
		arp_acd_link_change(ifa);
}

/**
 * devinet_init() - listen to devices; part of inet's pernet init
 * @net:  namespace, net->inet is there
 */
void devinet_init(struct net *net)
{
	net->inet->netdev_nb.call = device_event;
	notifier_chain_register(&net->netdev_chain, &net->inet->netdev_nb);
}

/**
 * devinet_exit() - forget all addresses
 * @net:  namespace; the routes are gone already
 */
void devinet_exit(struct net *net)
{
	struct net_device *dev;

	notifier_chain_unregister(&net->netdev_chain, &net->inet->netdev_nb);
	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		forget_device(dev);
}
