/* SPDX-License-Identifier: MIT */
/* Addresses of devices. */
#ifndef STACK_INET_DEVINET_H
#define STACK_INET_DEVINET_H

#include "stack/core/addr.h"
#include "stack/core/dev.h"
#include "stack/core/timer.h"

/* Conflict detection of one address (arp_acd.c). */
struct acd_state {
	struct timer_list timer;
	uint8_t probes_left, announces_left;
	bool fast;              /* ACD_FAST */
	bool wanted;            /* probe when the device comes up */
	bool defended;          /* was probed for, so the link is told when it comes up again */
	ktime_t last_defence;   /* 0 = never */
};

struct in_device {
	struct net_device *dev;
	struct list_head addrs; /* struct in_ifaddr, in order of addition */
};

struct in_ifaddr {
	struct list_head list;
	struct net_device *dev;
	struct inet_addr addr;
	struct inet_addr broadcast; /* AF_UNSPEC for /31, /32 and loopback */
	uint8_t prefix_len;
	uint8_t scope;
	/* RFC 5227: while a probe runs the address is not used; conflict ends it. */
	enum { IFA_TENTATIVE, IFA_PERMANENT, IFA_CONFLICT } state;
	struct acd_state acd;
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
/*
 * Source address for what leaves by @dev towards @dst (AF_UNSPEC = anything): one of the same
 * subnet, else the first of @dev, else one of another device; never of a narrower scope than
 * @scope (enum route_scope). 0 or -EADDRNOTAVAIL.
 */
int inet_select_addr(struct net *net, struct net_device *dev, const struct inet_addr *dst,
		     uint8_t scope, struct inet_addr *out);
/* The namespace is a router (net.ipv4.ip_forward); off at first. */
void inet_set_forwarding(struct net *net, bool on);
/* Probing ended: the address is in use from now on, or is given up. For arp_acd.c. */
void inet_ifa_ready(struct in_ifaddr *ifa);
void inet_ifa_conflict(struct in_ifaddr *ifa);


/* devinet_ioctl.c: what programs may ask. */
enum { DEV_LOWER_UP = 1 << 16 }; /* IFF_LOWER_UP of linux/if.h, which does not go with net/if.h */
unsigned int dev_get_flags(const struct net_device *dev);
typedef void (*inet_if_entry_fn)(void *arg, const struct net_device *dev, const struct in_ifaddr *ifa);
void inet_if_dump(struct net *net, inet_if_entry_fn entry, void *arg);
int inet_dev_ioctl(struct net *net, unsigned long cmd, void *arg, size_t *len);

/* Part of inet_pernet_ops. */
void devinet_init(struct net *net);
void devinet_exit(struct net *net);

#endif
