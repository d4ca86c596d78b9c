/* SPDX-License-Identifier: MIT */
/* checksum.c against a plain implementation of RFC 1071. */
#include "stack/core/checksum.h"

#include "stack/core/random.h"
#include "tests/unit/check.h"

/* RFC 1071 4.1, a byte pair at a time; the checksum as two bytes in memory order. */
static uint16_t naive(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return cpu_to_be16((uint16_t)~sum);
}

static void fill(uint8_t *p, size_t len, uint8_t seed_byte)
{
	uint8_t seed[32] = { seed_byte };
	struct random_state r;

	random_seed(&r, seed);
	random_bytes(&r, p, len);
}

TEST(test_csum_example_of_rfc1071)
{
	/* RFC 1071 3: the sum is ddf2 */
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	CHECK_EQ(csum_fold(csum_partial(bytes, sizeof(bytes), 0)), cpu_to_be16(0x220d));
}

TEST(test_csum_any_length_and_alignment)
{
	uint8_t buf[400];
	size_t len, at;

	fill(buf, sizeof(buf), 1);
	for (len = 0; len < 300; len++)
		for (at = 0; at < 9; at++)
			CHECK_EQ(csum_fold(csum_partial(buf + at, len, 0)), naive(buf + at, len, 0));
}

TEST(test_csum_all_ones_carries_everywhere)
{
	size_t len = 70000;
	uint8_t *buf = malloc(len);

	CHECK(buf != NULL);
	memset(buf, 0xff, len);
	CHECK_EQ(csum_fold(csum_partial(buf, len, 0)), 0);
	CHECK_EQ(csum_fold(csum_partial(buf, len, 0xffffffffU)), 0);
	CHECK_EQ(csum_fold(csum_partial(buf, len - 1, 0)), naive(buf, len - 1, 0));
	free(buf);
}

TEST(test_csum_block_add_at_any_cut)
{
	uint8_t buf[67];
	size_t cut, cut2;

	fill(buf, sizeof(buf), 2);
	for (cut = 0; cut <= sizeof(buf); cut++)
		for (cut2 = cut; cut2 <= sizeof(buf); cut2++) {
			uint32_t sum = csum_partial(buf, cut, 0);

			sum = csum_block_add(sum, csum_partial(buf + cut, cut2 - cut, 0), cut);
			sum = csum_block_add(sum, csum_partial(buf + cut2, sizeof(buf) - cut2, 0), cut2);
			CHECK_EQ(csum_fold(sum), naive(buf, sizeof(buf), 0));
		}
}

/* Sums that start with a sum, as for the pseudo-header. */
TEST(test_csum_pseudo_header)
{
	uint8_t pseudo[12] = { 10, 0, 0, 1, 192, 168, 255, 254, 0, 6, 0x12, 0x34 };
	uint8_t buf[99];
	be32 saddr, daddr;
	uint32_t sum;

	fill(buf, sizeof(buf), 3);
	memcpy(&saddr, pseudo, 4);
	memcpy(&daddr, pseudo + 4, 4);
	sum = csum_tcpudp_nofold(saddr, daddr, 0x1234, 6, 0);
	CHECK_EQ(csum_fold(sum), naive(pseudo, sizeof(pseudo), 0));
	sum = csum_tcpudp_nofold(saddr, daddr, 0x1234, 6, csum_partial(buf, sizeof(buf), 0));
	CHECK_EQ(csum_fold(sum),
		 naive(buf, sizeof(buf), (uint16_t)~be16_to_cpu(naive(pseudo, sizeof(pseudo), 0))));
}

TEST(test_ip_fast_csum_header_of_rfc791)
{
	uint8_t h[24] = { 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1,
			  0xc0, 0xa8, 0, 0xc7, 1, 1, 1, 0 };
	uint16_t sum = ip_fast_csum(h, 5);

	CHECK_EQ(sum, cpu_to_be16(0xb861));
	memcpy(h + 10, &sum, 2);
	CHECK_EQ(ip_fast_csum(h, 5), 0);
	h[3] ^= 1;
	CHECK_NE(ip_fast_csum(h, 5), 0);
	CHECK_EQ(ip_fast_csum(h, 6), naive(h, 24, 0));
}
