/* SPDX-License-Identifier: MIT */
/* Finding the socket of a segment: established 4-tuples, and bound/listening ports. */
#ifndef STACK_INET_INET_HASH_H
#define STACK_INET_INET_HASH_H

#include "stack/inet/af_inet.h"

/*
 * Tables are per net and per protocol (IPPROTO_TCP, IPPROTO_UDP): established (full 4-tuple) and
 * bound (local port). All addresses in inet_addr, ports big endian as in the packet.
 */
void inet_ehash_insert(struct inet_sock *inet);  /* by rcv_saddr/saddr, num, daddr, dport */
void inet_ehash_remove(struct inet_sock *inet);
void inet_listen_insert(struct inet_sock *inet); /* TCP listeners and every bound UDP socket */
void inet_listen_remove(struct inet_sock *inet);

/* The exact 4-tuple; @saddr/@sport are the packet's (the peer). Borrowed pointer or NULL. */
struct inet_sock *inet_lookup_established(struct net *net, uint8_t proto, const struct inet_addr *saddr,
					  be16 sport, const struct inet_addr *daddr, be16 dport, int iif);
/* Best listener or datagram socket by Linux's score: bound address, connected peer, device;
 * SO_REUSEPORT groups spread by hash of the 4-tuple. */
struct inet_sock *inet_lookup_listener(struct net *net, uint8_t proto, const struct inet_addr *saddr,
				       be16 sport, const struct inet_addr *daddr, be16 dport, int iif);
/* Walk of all sockets bound to @port (host order) for broadcast delivery; NULL starts. */
struct inet_sock *inet_listen_next(struct net *net, uint8_t proto, uint16_t port,
				   const struct inet_sock *prev);
/*
 * TCP TIME-WAIT entries and request sockets live in the established table as well: anything that
 * embeds an inet_sock and has sk.state set. Keyed hash (siphash) against crafted collisions.
 */
extern const struct pernet_operations inet_hash_pernet_ops;

#endif
