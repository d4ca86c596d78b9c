/* SPDX-License-Identifier: MIT */
/* Sequence numbers: comparisons modulo 2^32 (RFC 9293 3.4). Right while the two are less than 2^31 apart. */
#ifndef STACK_TCP_TCP_SEQ_H
#define STACK_TCP_TCP_SEQ_H

#include "stack/core/types.h"

static inline bool before(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool after(uint32_t a, uint32_t b) { return before(b, a); }
static inline bool before_eq(uint32_t a, uint32_t b) { return !before(b, a); }
static inline bool after_eq(uint32_t a, uint32_t b) { return !before(a, b); }
/* lo <= seq <= hi, all on the same half of the circle. */
static inline bool between(uint32_t seq, uint32_t lo, uint32_t hi) { return hi - lo >= seq - lo; }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return after(a, b) ? a : b; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return before(a, b) ? a : b; }

/* A range of sequence numbers: [start, end). */
struct seq_range {
	uint32_t start, end;
};

#endif
