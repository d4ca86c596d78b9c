/* SPDX-License-Identifier: MIT */
/*
 * Two hosts, each a whole stack, joined by a medium that loses, delays, doubles and reorders frames by
 * a seed; time passes only when nothing else can happen. Transfers check every byte.
 */
#ifndef TESTS_UNIT_TCP_PAIR_H
#define TESTS_UNIT_TCP_PAIR_H

#include "stack/core/socket.h"
#include "stack/stack.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"

/* What the medium does; probabilities in thousandths, the same in both directions. */
struct medium {
	uint64_t seed;
	unsigned int loss, duplicate, reorder, corrupt;
	uint32_t delay_us;        /* one way; 0 = 100 */
	uint32_t reorder_us;      /* a reordered frame is late by up to this; 0 = 500 */
	uint64_t bytes_per_s;     /* 0 = no limit */
	uint32_t queue_bytes;     /* in front of the limit; beyond it frames are lost; 0 = no limit */
	uint32_t mark_bytes;      /* with more waiting than this ECN-capable packets are marked; 0 = never */
	bool tso;                 /* super-segments pass whole */
	uint32_t mtu;             /* 0 = 1500 */
	uint32_t path_mtu;        /* a router in the middle: larger packets with DF are lost and reported */
	uint32_t black_hole;      /* larger packets are lost, and nobody says so; 0 = none */
};

struct frame_under_way;

struct tcp_pair {
	struct medium m;
	struct net *net[2];
	struct net_device *dev[2];
	struct list_head way[2];  /* frames on their way from host i, by time of arrival */
	ktime_t busy_until[2];    /* the link's transmitter */
	uint64_t rng;
	unsigned long sent[2], lost[2];
	struct socket *listener, *sock[2];
	bool woken[2];
};

struct tcp_pair *pair_new(const struct medium *m);
/* One event: a frame arrives or a timer fires. False when nothing will ever happen. */
bool pair_step(struct tcp_pair *p);
/* Runs until the clock has moved by @ms. */
void pair_run_ms(struct tcp_pair *p, uint64_t ms);
/* A connection from host 0 to host 1, both ends in p->sock. Fails the test after 10 minutes. */
void pair_connect(struct tcp_pair *p);
/* Sends @bytes of a pattern from host @from to the other, in writes of @chunk; 0: by sock_fill(). Every
 * byte is checked. */
void pair_transfer(struct tcp_pair *p, int from, size_t bytes, size_t chunk);
/* Both ends close in order; fails unless each saw the other's end. */
void pair_close(struct tcp_pair *p);
/* Fails the test when anything is left behind. */
void pair_free(struct tcp_pair *p);
/* Virtual time since @since in milliseconds. */
static inline uint64_t pair_ms(const struct tcp_pair *p, ktime_t since)
{
	return (p->net[0]->now - since) / NSEC_PER_MSEC;
}

#endif
