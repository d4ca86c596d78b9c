/* SPDX-License-Identifier: MIT */
/*
 * The host under test: a stack with one interface that exists in memory only, and a clock that is
 * turned by hand. Its peer is the script: it takes each packet that the stack sends and makes each
 * that it receives.
 */
#ifndef TOOLS_PACKETDRILL_SIM_H
#define TOOLS_PACKETDRILL_SIM_H

#include "stack/core/net_namespace.h"
#include "tools/packetdrill/config.h"

/* A packet that was sent, from its IP header on. */
struct sim_packet {
	struct sim_packet *next;
	int64_t at_us;  /* when, on the script's scale */
	uint32_t len;
	uint8_t bytes[];
};

struct sim {
	struct net *net;
	struct net_device *dev;
	struct sim_packet *sent, **sent_tail; /* oldest first; whoever takes one frees it */
	bool lost; /* a packet could not be kept: out of memory */
	bool chased; /* frames answered each other without an end, and were left to it */
};

int sim_create(struct sim *s, const struct drill_config *cfg);
void sim_destroy(struct sim *s);

/* Microseconds since the script began. */
int64_t sim_now(const struct sim *s);
/* When the next timer is due, rounded up; INT64_MAX = none is. */
int64_t sim_next(const struct sim *s);
/* Lets time pass up to @us, or to the first timer on the way if that is sooner. How many timers were set. */
uint64_t sim_step(struct sim *s, int64_t us);
/* A packet arrives, IP header first, and is dealt with. 0 or -ENOMEM. */
int sim_inject(struct sim *s, const uint8_t *packet, size_t len, uint16_t gso_size);
struct sim_packet *sim_take(struct sim *s); /* NULL = nothing was sent */

#endif
