/* SPDX-License-Identifier: MIT */
/* Addresses of devices. */
#ifndef STACK_INET_DEVINET_H
#define STACK_INET_DEVINET_H

#include "stack/core/addr.h"
#include "stack/core/dev.h"

struct in_ifaddr {
	struct list_head list;
	struct net_device *dev;
	struct inet_addr addr;
	struct inet_addr broadcast; /* AF_UNSPEC for /31, /32 and loopback */
	uint8_t prefix_len;
	uint8_t scope;
	/* RFC 5227: while a probe runs the address is not used; conflict ends it. */
	enum { IFA_TENTATIVE, IFA_PERMANENT, IFA_CONFLICT } state;
};

/*
 * Adds the address, its local, broadcast and prefix routes, and announces it on inetaddr_chain.
 * @probe: RFC 5227 address probe first (the address becomes usable about 1-2 s later, or at once
 * with ACD_FAST: a single probe of 200 ms, DEVIATES, for hosts that start with each program).
 */
enum acd_mode { ACD_NONE, ACD_FAST, ACD_RFC5227 };
int inet_addr_add(struct net *net, struct net_device *dev, const struct inet_addr *addr,
		  uint8_t prefix_len, enum acd_mode probe);
int inet_addr_del(struct net *net, struct net_device *dev, const struct inet_addr *addr);
struct in_ifaddr *inet_ifa_find(struct net *net, const struct inet_addr *addr); /* any device; NULL */
struct in_ifaddr *inet_ifa_next(struct net_device *dev, const struct in_ifaddr *ifa); /* NULL starts */

#endif
