/* SPDX-License-Identifier: MIT */
/* Learned path MTUs, one table per namespace; used by route.c only. */
#ifndef STACK_INET_ROUTE_PMTU_H
#define STACK_INET_ROUTE_PMTU_H

#include "stack/inet/route.h"

struct pmtu_table;

struct pmtu_table *pmtu_table_create(struct net *net); /* NULL: out of memory */
void pmtu_table_destroy(struct pmtu_table *t);
/* Lowers the MTU of an answer whose daddr is set, if a smaller one is known. */
void pmtu_apply(const struct pmtu_table *t, struct dst *dst);
/* @dst: how the destination is reached now. True when something changed. */
bool pmtu_learn(struct pmtu_table *t, const struct dst *dst, uint32_t mtu);

#endif
