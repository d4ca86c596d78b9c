/* SPDX-License-Identifier: MIT */
/*
 * The interfaces of this host: getifaddrs(), if_nameindex(), if_nametoindex(), if_indextoname().
 *
 * libc asks the kernel through sockets of its own that no symbol shows, and the kernel's interfaces
 * are not ours. All four ask the host for its one list. A process without a host has the
 * kernel's.
 *
 * What is returned is freed by libc's freeifaddrs() and if_freenameindex(): it is laid out as
 * libc does it, one block, and an array whose names are blocks of their own.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"
#include "shim/program/control.h"

#include <ifaddrs.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>

/* The host's list. */
struct interfaces {
	struct ctl_ifaddr *entry; /* malloc'd */
	size_t count;
};

static int fetch(struct interfaces *list)
{
	struct ctl_call c = { .op = CTL_IFADDRS, .via = -1, .room = CTL_DATA_MAX };
	int r;

	list->entry = malloc(c.room);
	if (!list->entry)
		return -ENOMEM;
	c.reply = list->entry;
	r = ctl_call(&c);
	if (r < 0) {
		free(list->entry);
		return r;
	}
	list->count = c.got / sizeof(*list->entry);
	for (size_t i = 0; i < list->count; i++)
		list->entry[i].name[sizeof(list->entry[i].name) - 1] = 0;
	return 0;
}

static bool asks_kernel(void)
{
	libc(); /* the environment has been read */
	return !config_wants_host();
}

/* --- getifaddrs ------------------------------------------------------------------------------- */

/* With a whole link address behind it, as libc has it. */
union any_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_ll ll;
};

struct node {
	struct ifaddrs ifa; /* first member */
	union any_addr addr, netmask, broadcast;
	struct rtnl_link_stats stats;
	char name[IFNAMSIZ];
};

static struct sockaddr *set_link(union any_addr *to, const struct ctl_ifaddr *e, const uint8_t *mac)
{
	to->ll.sll_family = AF_PACKET;
	to->ll.sll_ifindex = (int)e->ifindex;
	to->ll.sll_hatype = e->hatype;
	to->ll.sll_halen = 6;
	memcpy(to->ll.sll_addr, mac, 6);
	return &to->sa;
}

static struct sockaddr *set_inet(union any_addr *to, const struct ctl_ifaddr *e,
				 const uint8_t *addr)
{
	to->sa.sa_family = e->family;
	if (e->family == AF_INET6) {
		memcpy(&to->in6.sin6_addr, addr, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&to->in6.sin6_addr))
			to->in6.sin6_scope_id = e->ifindex;
	} else {
		memcpy(&to->in.sin_addr, addr, 4);
	}
	return &to->sa;
}

static struct sockaddr *set_mask(union any_addr *to, const struct ctl_ifaddr *e)
{
	uint8_t mask[16] = { 0 };

	for (unsigned int i = 0; i < e->prefix_len && i < 128; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	to->sa.sa_family = e->family;
	if (e->family == AF_INET6)
		memcpy(&to->in6.sin6_addr, mask, 16);
	else
		memcpy(&to->in.sin_addr, mask, 4);
	return &to->sa;
}

/* The 32-bit counters that the interface has had since it carried 32-bit programs. */
static void set_stats(struct rtnl_link_stats *to, const struct ctl_ifaddr *e)
{
	to->rx_packets = (uint32_t)e->rx_packets;
	to->rx_bytes = (uint32_t)e->rx_bytes;
	to->rx_errors = (uint32_t)e->rx_errors;
	to->rx_dropped = (uint32_t)e->rx_dropped;
	to->tx_packets = (uint32_t)e->tx_packets;
	to->tx_bytes = (uint32_t)e->tx_bytes;
	to->tx_errors = (uint32_t)e->tx_errors;
	to->tx_dropped = (uint32_t)e->tx_dropped;
}

static void fill_node(struct node *n, const struct ctl_ifaddr *e)
{
	memcpy(n->name, e->name, sizeof(n->name));
	n->ifa.ifa_name = n->name;
	n->ifa.ifa_flags = e->flags;
	if (e->family == AF_PACKET) {
		n->ifa.ifa_addr = set_link(&n->addr, e, e->addr);
		n->ifa.ifa_broadaddr = set_link(&n->broadcast, e, e->broadcast);
		set_stats(&n->stats, e);
		n->ifa.ifa_data = &n->stats;
		return;
	}
	n->ifa.ifa_addr = set_inet(&n->addr, e, e->addr);
	n->ifa.ifa_netmask = set_mask(&n->netmask, e);
	/* Without a broadcast address libc shows the far end there, which is the address itself. */
	if (e->has_broadcast || e->family == AF_INET)
		n->ifa.ifa_broadaddr =
			set_inet(&n->broadcast, e, e->has_broadcast ? e->broadcast : e->addr);
}

/**
 * getifaddrs() - the host's interfaces, then their addresses
 *
 * Return: 0 or -1; ENOMEM, ENETDOWN when there is no host
 */
int getifaddrs(struct ifaddrs **res)
{
	int saved = errno, r;
	struct interfaces list;
	struct node *nodes;

	if (asks_kernel())
		return libc()->getifaddrs(res);
	r = fetch(&list);
	if (r < 0)
		return (int)edge(saved, r);
	*res = NULL;
	nodes = list.count ? calloc(list.count, sizeof(*nodes)) : NULL;
	if (list.count && !nodes)
		r = -ENOMEM;
	for (size_t i = 0; nodes && i < list.count; i++) {
		fill_node(&nodes[i], &list.entry[i]);
		if (i + 1 < list.count)
			nodes[i].ifa.ifa_next = &nodes[i + 1].ifa;
	}
	if (nodes)
		*res = &nodes[0].ifa;
	free(list.entry);
	return (int)edge(saved, r);
}

/* --- names and numbers ------------------------------------------------------------------------ */

static void free_names(struct if_nameindex *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i].if_name);
	free(names);
}

static struct if_nameindex *make_names(const struct interfaces *list)
{
	struct if_nameindex *names = calloc(list->count + 1, sizeof(*names));
	size_t n = 0;

	if (!names)
		return NULL;
	for (size_t i = 0; i < list->count; i++) {
		if (list->entry[i].family != AF_PACKET)
			continue;
		names[n].if_index = list->entry[i].ifindex;
		names[n].if_name = strdup(list->entry[i].name);
		if (!names[n].if_name) {
			free_names(names, n);
			return NULL;
		}
		n++;
	}
	return names;
}

/**
 * if_nameindex() - names and numbers of the host's interfaces
 *
 * Return: NULL with ENOBUFS when out of memory, ENETDOWN when there is no host
 */
struct if_nameindex *if_nameindex(void)
{
	int saved = errno, r;
	struct if_nameindex *names = NULL;
	struct interfaces list;

	if (asks_kernel())
		return libc()->if_nameindex();
	r = fetch(&list);
	if (r == 0) {
		names = make_names(&list);
		free(list.entry);
	}
	errno = names ? saved : r < 0 && r != -ENOMEM ? -r : ENOBUFS;
	return names;
}

/**
 * if_nametoindex() - the number of an interface
 *
 * Return: 0 with ENODEV when there is none of that name
 */
unsigned int if_nametoindex(const char *name)
{
	int saved = errno, r;
	struct interfaces list;
	unsigned int index = 0;

	if (asks_kernel())
		return libc()->if_nametoindex(name);
	r = fetch(&list);
	if (r < 0) {
		errno = -r;
		return 0;
	}
	for (size_t i = 0; i < list.count && !index; i++)
		if (!strcmp(list.entry[i].name, name))
			index = list.entry[i].ifindex;
	free(list.entry);
	errno = index ? saved : ENODEV;
	return index;
}

/**
 * if_indextoname() - the name of an interface
 * @name: room for IFNAMSIZ bytes
 *
 * Return: @name; NULL with ENXIO when there is none of that number
 */
char *if_indextoname(unsigned int index, char *name)
{
	int saved = errno, r;
	struct interfaces list;
	char *found = NULL;

	if (asks_kernel())
		return libc()->if_indextoname(index, name);
	r = fetch(&list);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	for (size_t i = 0; i < list.count && !found; i++)
		if (list.entry[i].ifindex == index)
			found = memcpy(name, list.entry[i].name, IFNAMSIZ);
	free(list.entry);
	errno = found ? saved : ENXIO;
	return found;
}
