/* SPDX-License-Identifier: MIT */
/* The greatest or the least of a stream of values over a window of time (win_filter.c). */
#ifndef STACK_CORE_WIN_FILTER_H
#define STACK_CORE_WIN_FILTER_H

#include <stdint.h>

/* All zero: nothing has been taken in yet. One filter is for greatest or for least values, not for both. */
struct win_filter {
	struct { uint64_t v, t; } s[3];
};

uint64_t win_filter_max(struct win_filter *f, uint64_t win, uint64_t t, uint64_t v);
uint64_t win_filter_min(struct win_filter *f, uint64_t win, uint64_t t, uint64_t v);

/* What win_filter_max() said last. */
static inline uint64_t win_filter_greatest(const struct win_filter *f) { return f->s[0].v; }

#endif
