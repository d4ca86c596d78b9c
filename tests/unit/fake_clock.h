/* SPDX-License-Identifier: MIT */
/* A clock turned by hand: every timer fires at its own time, and what it set off is delivered. */
#ifndef TESTS_UNIT_FAKE_CLOCK_H
#define TESTS_UNIT_FAKE_CLOCK_H

#include "stack/core/dev.h"

#define FAKE_CLOCK_START (1000 * NSEC_PER_SEC)

/* Delivers all that devices hold, without time passing. */
static inline void fake_settle(struct net *net)
{
	int passes = 0;

	net_advance(net, net->now);
	while (net->devs && net_rx_action(net, 64) && ++passes < 100000)
		;
}

/* Lets @ns pass, stopping at each timer on the way. */
static inline void fake_advance_ns(struct net *net, uint64_t ns)
{
	ktime_t target = net->now + ns, next;

	while ((next = timer_next_expiry(&net->timers)) <= target) {
		net_advance(net, next);
		fake_settle(net);
	}
	net_advance(net, target);
	fake_settle(net);
}

static inline void fake_advance_us(struct net *net, uint64_t us)
{
	fake_advance_ns(net, us * NSEC_PER_USEC);
}

static inline void fake_advance_ms(struct net *net, uint64_t ms)
{
	fake_advance_ns(net, ms * NSEC_PER_MSEC);
}

static inline void fake_advance_s(struct net *net, uint64_t s)
{
	fake_advance_ns(net, s * NSEC_PER_SEC);
}

/* Turns the clock to the next timer and fires it; false when there is none. */
static inline bool fake_advance_to_next_timer(struct net *net)
{
	ktime_t next = timer_next_expiry(&net->timers);

	if (next == TIMER_NONE)
		return false;
	net_advance(net, next);
	fake_settle(net);
	return true;
}

#endif
