/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071). */
#ifndef STACK_CORE_CHECKSUM_H
#define STACK_CORE_CHECKSUM_H

#include "stack/core/types.h"

/*
 * Partial sums are 32-bit one's-complement sums of the data as native 16-bit words. A sum started at
 * an odd offset of the message must be swapped by csum_block_add().
 */
uint32_t csum_partial(const void *data, size_t len, uint32_t sum);
uint32_t csum_block_add(uint32_t sum, uint32_t sum2, size_t offset);

static inline uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Sum of the IPv4 pseudo-header; addresses big endian, @len and @proto in host order. */
uint32_t csum_tcpudp_nofold(be32 saddr, be32 daddr, uint32_t len, uint8_t proto, uint32_t sum);

/* Checksum of an IPv4 header of @ihl 32-bit words; 0 when a received header is right. */
uint16_t ip_fast_csum(const void *iph, unsigned int ihl);

#endif
