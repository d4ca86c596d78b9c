/* SPDX-License-Identifier: MIT */
/*
 * Group membership of sockets: who wants which IPv4 multicast group from which device.
 *
 * IP input takes packets to every group; a datagram goes to the sockets that joined it on the device.
 * What we send to a group comes back the same way (IP_MULTICAST_LOOP, ip_output.c). No IGMP is
 * spoken, so routers and snooping switches do not learn of it: groups of the own link are what can
 * be received reliably (224.0.0.0/24 is never reported anyway, RFC 3376 6).
 *
 * DEVIATES from Linux's default IP_MULTICAST_ALL=1: a socket that joined nothing gets nothing.
 */
#include <stdlib.h>

#include "stack/core/dev.h"
#include "stack/inet/af_inet.h"
#include "stack/inet/ip.h"


struct ip_mc_socklist {
	struct list_head list;
	be32 group;
	int ifindex;
};

static struct ip_mc_socklist *find_membership(const struct inet_sock *inet, be32 group, int ifindex)
{
	struct ip_mc_socklist *m;

	list_for_each_entry(m, &inet->groups, list) {
		if (m->group == group && (!ifindex || m->ifindex == ifindex))
			return m;
	}
	return NULL;
}

/* Without a device: the one that the route to the group takes, else the first that can multicast. */
static int choose_device(const struct inet_sock *inet, be32 group)
{
	struct net *net = inet->sk.net;
	struct flowi fl = { .daddr = inet_addr_v4(group) };
	struct dst dst;

	memset(&dst, 0, sizeof(dst));
	if (route_lookup(net, &fl, &dst) == 0 && dst.dev)
		return dst.dev->ifindex;
	for (struct net_device *dev = dev_next(net, NULL); dev; dev = dev_next(net, dev)) {
		if (netif_running(dev) && !(dev->flags & IFF_LOOPBACK))
			return dev->ifindex;
	}
	return 0;
}

/**
 * ip_mc_join_group() - IP_ADD_MEMBERSHIP
 * @inet:    socket
 * @group:   multicast address
 * @ifindex: device; 0 = chosen by the routing table
 *
 * Return: 0; -EINVAL not a group; -ENODEV; -EADDRINUSE joined already; -ENOBUFS too many
 */
int ip_mc_join_group(struct inet_sock *inet, be32 group, int ifindex)
{
	struct ip_mc_socklist *m;
	unsigned int count = 0;

	if (!ipv4_is_multicast(group))
		return -EINVAL;
	if (!ifindex)
		ifindex = choose_device(inet, group);
	if (!ifindex || !dev_get_by_index(inet->sk.net, ifindex))
		return -ENODEV;
	if (find_membership(inet, group, ifindex))
		return -EADDRINUSE;
	list_for_each_entry(m, &inet->groups, list)
		count++;
	if (count >= (unsigned int)inet->sk.net->inet->sysctl.igmp_max_memberships)
		return -ENOBUFS;
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOBUFS;
	m->group = group;
	m->ifindex = ifindex;
	list_add(&m->list, &inet->groups);
	return 0;
}

/**
 * ip_mc_leave_group() - IP_DROP_MEMBERSHIP
 * @inet:    socket
 * @group:   multicast address
 * @ifindex: device; 0 = whichever it was joined on
 *
 * Return: 0; -EADDRNOTAVAIL not joined
 */
int ip_mc_leave_group(struct inet_sock *inet, be32 group, int ifindex)
{
	struct ip_mc_socklist *m = find_membership(inet, group, ifindex);

	if (!m)
		return -EADDRNOTAVAIL;
	list_del(&m->list);
	free(m);
	return 0;
}

/**
 * ip_mc_sf_allow() - does the socket want a datagram to this address?
 * @inet:  socket
 * @group: destination; everything that is not a group is wanted
 * @iif:   device it came in by
 *
 * Return: true when it does
 */
bool ip_mc_sf_allow(const struct inet_sock *inet, be32 group, int iif)
{
	if (!ipv4_is_multicast(group))
		return true;
	return find_membership(inet, group, iif) != NULL;
}

/**
 * ip_mc_drop_socket() - close(): give up all memberships
 * @inet: socket
 */
void ip_mc_drop_socket(struct inet_sock *inet)
{
	struct ip_mc_socklist *m, *tmp;

	list_for_each_entry_safe(m, tmp, &inet->groups, list) {
		list_del(&m->list);
		free(m);
	}
}
