/* SPDX-License-Identifier: MIT */
/* Routing: longest-prefix match, source-address selection, path MTU. */
#ifndef STACK_INET_ROUTE_H
#define STACK_INET_ROUTE_H

#include "stack/core/addr.h"
#include "stack/core/dev.h"

enum route_type { RTN_T_UNICAST = 1, RTN_T_LOCAL, RTN_T_BROADCAST, RTN_T_MULTICAST, RTN_T_UNREACHABLE };
enum route_scope { RT_SCOPE_T_UNIVERSE = 0, RT_SCOPE_T_LINK = 253, RT_SCOPE_T_HOST = 254 };

struct route {
	struct list_head list;
	struct inet_addr dst;     /* network address */
	uint8_t prefix_len;
	uint8_t type;             /* enum route_type */
	uint8_t scope;
	uint32_t metric;          /* lower wins among equal prefixes */
	struct inet_addr gateway; /* AF_UNSPEC = on link */
	struct inet_addr prefsrc; /* AF_UNSPEC = chosen from the device */
	struct net_device *dev;   /* NULL with RTN_T_UNREACHABLE */
	uint32_t mtu;             /* 0 = the device's */
};

/* What to look up. */
struct flowi {
	struct inet_addr daddr;
	struct inet_addr saddr;   /* AF_UNSPEC or any = choose */
	int oif;                  /* 0 = any device (SO_BINDTODEVICE) */
	bool dont_route;          /* SO_DONTROUTE: link scope only */
};

/* An answer, by value; good until net's route generation changes or the entry expires. */
struct dst {
	uint32_t gen;             /* 0 = never looked up */
	uint8_t type;             /* enum route_type */
	struct net_device *dev;
	struct inet_addr nexthop; /* gateway or the destination itself */
	struct inet_addr saddr;   /* source to use */
	struct inet_addr daddr;
	uint32_t mtu;             /* path MTU now, bytes of IP packet */
	ktime_t mtu_expires;      /* 0 = mtu is the route's, not learned */
	bool mtu_locked;          /* the path takes less than the 552 we go down to: send without DF */
};

/* 0, or -ENETUNREACH, -EHOSTUNREACH, -EINVAL (source not ours), -ENODEV. */
int route_lookup(struct net *net, const struct flowi *fl, struct dst *out);
/* False when the socket must look up again. */
bool dst_check(const struct net *net, const struct dst *dst);
/* What a destination's address is to us: enum route_type without side effects. */
enum route_type inet_addr_type(struct net *net, const struct inet_addr *addr);

/* -EEXIST, -ENETUNREACH (gateway not on link), -EINVAL. A route stays while its device is down; it
 * is just not found. Equal prefix and metric by another device or gateway: the first one wins. */
int route_add(struct net *net, const struct route *template);
int route_del(struct net *net, const struct route *template);    /* -ESRCH */
/* An own address is gone: drops the routes that prefer it as source. */
void route_flush_prefsrc(struct net *net, const struct inet_addr *addr);
/* The first @len bits of both are the same, and so is the family. */
bool inet_prefix_match(const struct inet_addr *a, const struct inet_addr *b, unsigned int len);
bool inet_addr_multicast(const struct inet_addr *a);
const struct route *route_next(struct net *net, const struct route *r); /* walk; NULL starts */

/* Path MTU learned from ICMP (RFC 1191); never below 552 (as Linux) nor above what is known. Expires after 10 min. */
void route_update_pmtu(struct net *net, const struct inet_addr *daddr, uint32_t mtu);

extern const struct pernet_operations route_pernet_ops;

#endif
