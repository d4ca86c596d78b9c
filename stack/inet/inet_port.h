/* SPDX-License-Identifier: MIT */
/* Local ports: who may bind what (SO_REUSEADDR, SO_REUSEPORT), and choice of ephemeral ones. */
#ifndef STACK_INET_INET_PORT_H
#define STACK_INET_INET_PORT_H

#include "stack/inet/af_inet.h"

/* struct proto.get_port for TCP and UDP: Linux's conflict rules. @port host order, 0 = choose. */
int inet_get_port(struct sock *sk, uint16_t port);
void inet_put_port(struct sock *sk);       /* gives the port back; safe when none is held */
/* A TCP child shares its listener's port. */
void inet_inherit_port(struct inet_sock *child, const struct inet_sock *listener);

/*
 * Port for an outgoing connection whose 4-tuple must be unique: double-hash selection of RFC 6056
 * 3.3.4 in ip_local_port_range (32768-60999). @check says whether the 4-tuple with @port can be
 * taken (0; it may recycle a TIME-WAIT) or not (-EADDRNOTAVAIL). On success the port is bound.
 */
int inet_hash_connect(struct inet_sock *inet, int (*check)(struct inet_sock *inet, uint16_t port));

extern const struct pernet_operations inet_port_pernet_ops;

#endif
