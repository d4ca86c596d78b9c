/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - the Internet checksum over memory of any alignment and length
 *
 * RFC 1071 2: the one's-complement sum is independent of the byte order (B) and may be taken over
 * words of any width (C), so the bytes are added as native 64-bit words split into halves and folded
 * at the end. Four accumulators keep the additions independent of each other.
 */
#include "stack/core/checksum.h"

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Folds to 32 bits; any 64-bit sum of fewer than 2^32 words of 32 bits fits. */
static uint32_t fold64(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	return (uint32_t)sum;
}

/* The last 0 to 7 bytes; an odd one is followed by a zero (RFC 1071 4.1). */
static uint64_t sum_rest(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint16_t half = 0;
	uint32_t word;

	if (len & 4) {
		memcpy(&word, p, 4);
		sum += word;
		p += 4;
	}
	if (len & 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
	}
	if (len & 1) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	return sum;
}

/**
 * csum_partial() - add bytes to a partial sum
 * @data:  bytes, any alignment
 * @len:   their number; odd is allowed for the last piece of a message only, see csum_block_add()
 * @sum:   partial sum so far
 *
 * Source:  RFC 1071 2
 * Return:  partial sum for csum_fold()
 */
uint32_t csum_partial(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;
	uint64_t low0 = sum, low1 = 0, high0 = 0, high1 = 0;

	for (; len >= 32; p += 32, len -= 32) {
		uint64_t a = load64(p), b = load64(p + 8), c = load64(p + 16), d = load64(p + 24);

		low0 += (a & UINT32_MAX) + (b & UINT32_MAX);
		high0 += (a >> 32) + (b >> 32);
		low1 += (c & UINT32_MAX) + (d & UINT32_MAX);
		high1 += (c >> 32) + (d >> 32);
	}
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t a = load64(p);

		low0 += a & UINT32_MAX;
		high0 += a >> 32;
	}
	if (len)
		low1 += sum_rest(p, len);
	return fold64(low0 + low1 + high0 + high1);
}

/**
 * csum_block_add() - append the sum of a later piece of the message
 * @sum:     partial sum of what stands before
 * @sum2:    partial sum of the piece, taken as if it started at an even offset
 * @offset:  where the piece starts; if odd, its bytes stand in the other half of each word
 *
 * Source:  RFC 1071 2 (B): swapping the bytes of all words swaps the bytes of the sum
 */
uint32_t csum_block_add(uint32_t sum, uint32_t sum2, size_t offset)
{
	if (offset & 1)
		sum2 = sum2 >> 8 | sum2 << 24;
	return fold64((uint64_t)sum + sum2);
}

/**
 * csum_tcpudp_nofold() - add the IPv4 pseudo-header
 * @saddr:  source, big endian
 * @daddr:  destination, big endian
 * @len:    of transport header and data, host order
 * @proto:  IPPROTO_*
 * @sum:    partial sum so far
 *
 * Source:  RFC 9293 3.1, RFC 768
 */
uint32_t csum_tcpudp_nofold(be32 saddr, be32 daddr, uint32_t len, uint8_t proto, uint32_t sum)
{
	return fold64((uint64_t)sum + saddr + daddr + cpu_to_be32(len) + cpu_to_be32(proto));
}

/**
 * ip_fast_csum() - checksum of an IPv4 header
 * @iph:  header, any alignment
 * @ihl:  its length in 32-bit words
 *
 * Source:  RFC 791 3.1
 * Return:  the value for a header whose field is zero; 0 for a received one that is right
 */
uint16_t ip_fast_csum(const void *iph, unsigned int ihl)
{
	return csum_fold(csum_partial(iph, (size_t)ihl * 4, 0));
}
