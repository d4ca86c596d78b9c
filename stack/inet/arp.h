/* SPDX-License-Identifier: MIT */
/* ARP (RFC 826) and address conflict detection (RFC 5227). */
#ifndef STACK_INET_ARP_H
#define STACK_INET_ARP_H

#include "stack/inet/devinet.h"

enum { ARP_OP_REQUEST = 1, ARP_OP_REPLY = 2 };

/*
 * Told when probing ends or a conflict is met later; peer = link address of the other (6 bytes), or
 * NULL. The address may be deleted from inside.
 */
typedef void (*acd_event_fn)(void *arg, struct in_ifaddr *ifa, bool conflict, const uint8_t *peer);

struct netns_arp {
	struct packet_type ptype;
	struct ctl_table_header sysctls;
	acd_event_fn listener; /* NULL = nobody */
	void *listener_arg;
};

/* Starts the probing of a tentative address; its end is told by @done (conflict or not). arp_acd.c */
void arp_acd_start(struct in_ifaddr *ifa, enum acd_mode mode);
void arp_acd_stop(struct in_ifaddr *ifa);
/* For devinet.c: the timer's life, and a device that came up or changed its carrier. */
void arp_acd_init(struct in_ifaddr *ifa);
void arp_acd_exit(struct in_ifaddr *ifa);
void arp_acd_link_change(struct in_ifaddr *ifa);
/* An ARP packet came in on @dev: does it contest an address of ours? */
struct arp_fields {
	uint16_t op;
	uint8_t sha[ETH_ALEN], tha[ETH_ALEN];
	be32 sip, tip;
};
void arp_acd_rcv_check(struct net_device *dev, const struct arp_fields *arp);
/* One ARP packet to the link address @dest (NULL = broadcast) with @tha NULL = zeros. arp.c */
void arp_send(struct net_device *dev, uint16_t op, be32 sip, be32 tip, const uint8_t *dest,
	      const uint8_t *tha);

void arp_acd_set_listener(struct net *net, acd_event_fn fn, void *arg);
/* Gratuitous announcement (RFC 5227 2.3). */
void arp_announce(struct in_ifaddr *ifa);

extern const struct pernet_operations arp_pernet_ops;

#endif
