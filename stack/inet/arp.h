/* SPDX-License-Identifier: MIT */
/* ARP (RFC 826) and address conflict detection (RFC 5227). */
#ifndef STACK_INET_ARP_H
#define STACK_INET_ARP_H

#include "stack/inet/devinet.h"

/* Starts the probing of a tentative address; its end is told by @done (conflict or not). arp_acd.c */
void arp_acd_start(struct in_ifaddr *ifa, enum acd_mode mode);
void arp_acd_stop(struct in_ifaddr *ifa);
/* Told when probing ends or a conflict is met later; peer = link address of the other (6 bytes). */
typedef void (*acd_event_fn)(void *arg, struct in_ifaddr *ifa, bool conflict, const uint8_t *peer);
void arp_acd_set_listener(struct net *net, acd_event_fn fn, void *arg);
/* Gratuitous announcement (RFC 5227 2.3). */
void arp_announce(struct in_ifaddr *ifa);

extern const struct pernet_operations arp_pernet_ops;

#endif
