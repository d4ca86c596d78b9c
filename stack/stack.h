/* SPDX-License-Identifier: MIT */
/* The whole stack: which subsystems a network namespace is made of. */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "stack/core/net_namespace.h"

/* net_create() with every subsystem of the stack, in order: core, inet, transports. */
int stack_create(const uint8_t seed[32], ktime_t now, struct net **out);
/* Everything that is due: received frames (up to a budget) and timers. True = call again soon. */
bool stack_run(struct net *net, ktime_t now);
/* When stack_run() must be called at the latest if nothing happens; TIMER_NONE = never. */
ktime_t stack_next_event(const struct net *net);
/* Nothing left that needs time: no socket, no TIME-WAIT, no orphan. */
bool stack_idle(const struct net *net);
/* A socket waits for a peer on the port (host order): TCP listening, UDP bound. */
bool stack_listens(const struct net *net, uint16_t port);

#endif
