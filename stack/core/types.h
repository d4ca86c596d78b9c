/* SPDX-License-Identifier: MIT */
/* Basic types: byte-order-marked integers, time, and the few macros every file uses. */
#ifndef STACK_CORE_TYPES_H
#define STACK_CORE_TYPES_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values as they stand on the wire. They are read once, by be*_to_cpu, and never computed with. */
typedef uint16_t be16;
typedef uint32_t be32;

static inline uint16_t be16_to_cpu(be16 v) { return be16toh(v); }
static inline uint32_t be32_to_cpu(be32 v) { return be32toh(v); }
static inline be16 cpu_to_be16(uint16_t v) { return htobe16(v); }
static inline be32 cpu_to_be32(uint32_t v) { return htobe32(v); }

/* Monotonic time in nanoseconds since an arbitrary start, given by the caller of the stack. */
typedef uint64_t ktime_t;

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL
#define USEC_PER_SEC  1000000U

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A broken invariant of ours: no input from wire or program may reach one. */
#define BUG_ON(cond)                                                                       \
	do {                                                                               \
		if (unlikely(cond)) {                                                      \
			fprintf(stderr, "BUG: %s:%d: %s\n", __FILE__, __LINE__, #cond);    \
			abort();                                                           \
		}                                                                          \
	} while (0)

#endif
