/* SPDX-License-Identifier: MIT */
/* Random numbers and keyed hashing; the seed is given by the caller, so that runs can repeat. */
#ifndef STACK_CORE_RANDOM_H
#define STACK_CORE_RANDOM_H

#include "stack/core/types.h"

/* ChaCha20-based generator: unpredictable from its outputs for a secret seed. One per struct net. */
struct random_state {
	uint32_t key[8];
	uint64_t counter;
	uint8_t buf[64];
	unsigned int used; /* bytes of buf already given out */
};

void random_seed(struct random_state *r, const uint8_t seed[32]);
void random_bytes(struct random_state *r, void *out, size_t len);
uint32_t random_u32(struct random_state *r);
uint64_t random_u64(struct random_state *r);
/* Uniform in [0, ceil), ceil > 0, without modulo bias. */
uint32_t random_below(struct random_state *r, uint32_t ceil);

/* SipHash-2-4 of @len bytes under a 128-bit key. */
uint64_t siphash(const void *data, size_t len, const uint64_t key[2]);

#endif
