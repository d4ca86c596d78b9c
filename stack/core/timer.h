/* SPDX-License-Identifier: MIT */
/* Timers on a heap over the caller's clock; those due together fire in the order they were set. */
#ifndef STACK_CORE_TIMER_H
#define STACK_CORE_TIMER_H

#include "stack/core/types.h"

struct timer_list;
typedef void (*timer_fn)(struct timer_list *t);

struct timer_list {
	ktime_t expires;    /* absolute, on net->now's scale */
	uint64_t order;     /* sequence of setting, breaks ties */
	/* Links of the heap, see timer.c; nothing for others to read. */
	struct timer_list *child, *next, *prev;
	bool pending;
	timer_fn function;
	struct timer_base *base;
};

struct timer_base {
	struct timer_list *root; /* the first to fire; NULL = none pending */
	size_t count;            /* pending timers */
	uint64_t next_order;
};

#define TIMER_NONE UINT64_MAX /* timer_next_expiry(): nothing pending */

void timer_base_init(struct timer_base *b);
void timer_base_exit(struct timer_base *b); /* every timer must have been deleted */

void timer_setup(struct timer_list *t, struct timer_base *b, timer_fn fn);
/* Arms or moves @t. Cannot fail: the heap is made of the timers themselves. */
void mod_timer(struct timer_list *t, ktime_t expires);
/* Returns true if it was pending. After del_timer() @t may be armed again. */
bool del_timer(struct timer_list *t);
/* Deletes; @t is dead until set up again. Harmless on zeroed memory. */
void timer_destroy(struct timer_list *t);
static inline bool timer_pending(const struct timer_list *t) { return t->pending; }

ktime_t timer_next_expiry(const struct timer_base *b);
/* Fires the timers with expires <= @now; a handler may set, move, delete or destroy any timer. */
unsigned int timer_run(struct timer_base *b, ktime_t now);

#endif
