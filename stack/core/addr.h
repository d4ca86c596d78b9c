/* SPDX-License-Identifier: MIT */
/* A network address of any family: what routes, neighbours and sockets are keyed by. */
#ifndef STACK_CORE_ADDR_H
#define STACK_CORE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "stack/core/types.h"

/* family AF_UNSPEC means "no address"; bytes beyond the family's length are zero, so memcmp compares. */
struct inet_addr {
	uint16_t family; /* AF_UNSPEC, AF_INET, AF_INET6; host order */
	uint16_t pad;    /* zero */
	union {
		be32 v4;
		uint8_t v6[16];
		uint8_t bytes[16];
	};
};

#define INET_ADDR_STRLEN 48

static inline struct inet_addr inet_addr_v4(be32 a)
{
	struct inet_addr r;

	memset(&r, 0, sizeof(r));
	r.family = AF_INET;
	r.v4 = a;
	return r;
}

static inline bool inet_addr_equal(const struct inet_addr *a, const struct inet_addr *b)
{
	/* Member by member: padding need not be equal. */
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* True for AF_UNSPEC and for the all-zero (INADDR_ANY) address. */
static inline bool inet_addr_any(const struct inet_addr *a)
{
	static const uint8_t zero[16];

	return a->family == AF_UNSPEC || memcmp(a->bytes, zero, 16) == 0;
}

static inline bool ipv4_is_loopback(be32 a) { return (be32_to_cpu(a) >> 24) == 127; }
static inline bool ipv4_is_multicast(be32 a) { return (be32_to_cpu(a) >> 28) == 14; }
static inline bool ipv4_is_lbcast(be32 a) { return a == 0xffffffffU; }
/* RFC 3927 */
static inline bool ipv4_is_linklocal(be32 a) { return (be32_to_cpu(a) >> 16) == 0xa9fe; }
static inline bool ipv4_is_zeronet(be32 a) { return (be32_to_cpu(a) >> 24) == 0; }

/* Text form of @a (no port) into @buf of at least INET_ADDR_STRLEN bytes; returns @buf. addr.c */
const char *inet_addr_str(const struct inet_addr *a, char *buf);

#endif
