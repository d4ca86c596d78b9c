/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers on a pairing heap over a clock that the caller turns
 *
 * The heap (Fredman, Sedgewick, Sleator, Tarjan 1986) is made of the timers themselves, so arming
 * one never needs memory and never fails. Each node leads the list of its children by `child`;
 * siblings are linked by `next` and `prev`, and the first child's `prev` is its parent. Setting costs
 * O(1); removal amortised O(log n); removal of a timer without children, the common case of a
 * retransmission timer that is moved with each ACK, O(1).
 *
 * Order is (expires, order): timers due together fire in the order they were set, so runs repeat.
 */
#include "stack/core/timer.h"

/* A handler that re-arms itself for the past would keep timer_run() for ever: beyond this many
 * firings over those pending at its start, the rest waits for the next run. */
#define TIMER_RUN_EXTRA 1000U

static bool fires_before(const struct timer_list *a, const struct timer_list *b)
{
	return a->expires != b->expires ? a->expires < b->expires : a->order < b->order;
}

/* Joins two heaps, either may be NULL; the result has no siblings. */
static struct timer_list *meld(struct timer_list *a, struct timer_list *b)
{
	if (!a || !b)
		return a ? a : b;
	if (fires_before(b, a)) {
		struct timer_list *t = a;

		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	a->child = b;
	return a;
}

/* One heap out of a list of siblings: pairs from the left, then all from the right. */
static struct timer_list *merge_pairs(struct timer_list *first)
{
	struct timer_list *done = NULL, *heap = NULL;

	while (first) {
		struct timer_list *a = first, *b = a->next;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = done;
		done = a;
	}
	while (done) {
		struct timer_list *a = done;

		done = a->next;
		a->next = NULL;
		heap = meld(heap, a);
	}
	return heap;
}

static void take_out(struct timer_base *b, struct timer_list *t)
{
	struct timer_list *children = merge_pairs(t->child);

	if (t == b->root) {
		b->root = children;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		b->root = meld(b->root, children);
	}
	t->child = t->next = t->prev = NULL;
	t->pending = false;
	b->count--;
}

/**
 * timer_base_init() - no timer pending
 * @b:  base
 */
void timer_base_init(struct timer_base *b)
{
	memset(b, 0, sizeof(*b));
}

/**
 * timer_base_exit() - check that all timers are gone
 * @b:  base
 */
void timer_base_exit(struct timer_base *b)
{
	BUG_ON(b->count != 0);
}

/**
 * timer_setup() - prepare a timer; it is not pending
 * @t:   timer, in the caller's memory for as long as it may be pending
 * @b:   base it will run on
 * @fn:  called when it fires; @t is not pending by then
 */
void timer_setup(struct timer_list *t, struct timer_base *b, timer_fn fn)
{
	memset(t, 0, sizeof(*t));
	t->base = b;
	t->function = fn;
}

/**
 * mod_timer() - arm a timer, or move a pending one
 * @t:        timer that was set up
 * @expires:  absolute time; one in the past fires in the next (or the present) timer_run()
 */
void mod_timer(struct timer_list *t, ktime_t expires)
{
	struct timer_base *b = t->base;

	BUG_ON(!b);
	if (t->pending)
		take_out(b, t);
	t->expires = expires;
	t->order = b->next_order++;
	t->pending = true;
	b->root = meld(b->root, t);
	b->count++;
}

/**
 * del_timer() - disarm
 * @t:  timer that was set up, or zeroed memory
 *
 * Return:  true if it was pending
 */
bool del_timer(struct timer_list *t)
{
	if (!t->pending)
		return false;
	take_out(t->base, t);
	return true;
}

/**
 * timer_destroy() - disarm for good
 * @t:  timer that was set up, or zeroed memory
 */
void timer_destroy(struct timer_list *t)
{
	del_timer(t);
	t->base = NULL;
}

/**
 * timer_next_expiry() - when timer_run() is needed next
 * @b:  base
 *
 * Return:  absolute time, perhaps in the past; TIMER_NONE when nothing is pending
 */
ktime_t timer_next_expiry(const struct timer_base *b)
{
	return b->root ? b->root->expires : TIMER_NONE;
}

/**
 * timer_run() - fire what is due
 * @b:    base
 * @now:  time
 *
 * Timers that handlers arm for @now or before fire in the same run, up to a bound.
 * Return:  number of handlers called
 */
unsigned int timer_run(struct timer_base *b, ktime_t now)
{
	size_t limit = b->count + TIMER_RUN_EXTRA;
	unsigned int fired = 0;

	while (b->root && b->root->expires <= now && fired < limit) {
		struct timer_list *t = b->root;

		take_out(b, t);
		fired++;
		t->function(t);
	}
	return fired;
}
