/* SPDX-License-Identifier: MIT */
/* Neighbours: network address to link address, with the states of RFC 4861 7.3.2; ARP and later ND. */
#ifndef STACK_CORE_NEIGHBOUR_H
#define STACK_CORE_NEIGHBOUR_H

#include "stack/core/addr.h"
#include "stack/core/dev.h"
#include "stack/core/timer.h"

enum nud_state { /* Linux's values */
	NUD_NONE = 0x00, NUD_INCOMPLETE = 0x01, NUD_REACHABLE = 0x02, NUD_STALE = 0x04,
	NUD_DELAY = 0x08, NUD_PROBE = 0x10, NUD_FAILED = 0x20, NUD_NOARP = 0x40,
	NUD_PERMANENT = 0x80,
};
#define NUD_CONNECTED (NUD_REACHABLE | NUD_NOARP | NUD_PERMANENT)
#define NUD_VALID (NUD_CONNECTED | NUD_STALE | NUD_DELAY | NUD_PROBE)

struct neigh_table;
struct neighbour;

struct neigh_ops {
	/* Ask: multicast/broadcast while INCOMPLETE, unicast to neigh->ha in PROBE. */
	void (*solicit)(struct neighbour *neigh, struct sk_buff *first_waiting);
	/* Resolution failed: consumes @skb, tells its sender (EHOSTUNREACH). */
	void (*error_report)(struct neighbour *neigh, struct sk_buff *skb);
	uint16_t ethertype; /* of the packets that wait, host order */
};

struct neigh_parms {
	uint32_t base_reachable_ms, retrans_ms, delay_probe_ms, gc_stale_ms;
	unsigned int ucast_probes, mcast_probes;
	uint32_t queue_bytes; /* waiting packets per neighbour, truesize */
	unsigned int max_entries;
	uint32_t gc_interval_ms;
};

struct neighbour {
	struct list_head list;
	struct neigh_table *tbl;
	struct net_device *dev;
	struct inet_addr addr;
	uint8_t ha[ETH_ALEN];
	uint8_t nud_state;
	unsigned int probes;
	ktime_t confirmed, updated, used;
	uint32_t reachable_ms;      /* randomised, RFC 4861 6.3.2 */
	struct timer_list timer;
	struct sk_buff_head queue;
};

/* Makes (or finds) the table of @family; called by ARP's and ND's pernet init. */
int neigh_table_register(struct net *net, uint16_t family, const struct neigh_ops *ops,
			 const struct neigh_parms *parms);
/* Of a registered table, to be changed in place. */
struct neigh_parms *neigh_table_parms(struct net *net, uint16_t family);
struct neighbour *neigh_lookup(struct net *net, const struct inet_addr *addr, struct net_device *dev);
/* Finds or makes; NULL when the table is full of entries in use or memory is out. */
struct neighbour *neigh_create(struct net *net, const struct inet_addr *addr, struct net_device *dev);
void neigh_delete(struct neighbour *neigh);

#define NEIGH_UPDATE_F_OVERRIDE 1 /* a different link address replaces the known one */
void neigh_update(struct neighbour *neigh, const uint8_t *lladdr, enum nud_state new_state,
		  unsigned int flags);
/* Upper layer saw forward progress (RFC 4861 7.3.1). */
void neigh_confirm(struct neighbour *neigh);
/*
 * The last step of every packet: resolves @nexthop on @dev, pushes the link header, hands to
 * dev_queue_xmit(); or queues and asks. Consumes. 0 when sent or waiting, or negative errno (-ENOBUFS:
 * the table is full; else as dev_queue_xmit()). That nobody answers is told later, through
 * ops->error_report(). Broadcast (255.255.255.255 stands for all of them), multicast and loopback are
 * mapped without a table entry.
 */
int neigh_output(struct net *net, struct net_device *dev, const struct inet_addr *nexthop,
		 struct sk_buff *skb);
/* Walk for reports; NULL starts. */
struct neighbour *neigh_next(struct net *net, uint16_t family, const struct neighbour *n);

extern const struct pernet_operations neigh_pernet_ops;

#endif
