/* SPDX-License-Identifier: MIT */
/* random.c: published vectors, and what the generator promises. The source is included for its statics. */
#include "stack/core/random.c"

#include "tests/unit/check.h"

static const uint8_t zero_seed[32];

/* RFC 8439 2.3.2 */
TEST(test_chacha20_block_vector)
{
	static const uint8_t want[64] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
		0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
		0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
		0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	static const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0 };
	uint8_t key_bytes[32], out[64];
	uint32_t key[8];
	uint8_t i;

	for (i = 0; i < 32; i++)
		key_bytes[i] = i;
	load_key(key, key_bytes);
	chacha20_block(key, 1, nonce, out);
	CHECK_MEM(out, want, sizeof(want));
}

/* SipHash's authors' vectors: key 00..0f, message 00..n-1. */
TEST(test_siphash_vectors)
{
	static const uint64_t want[64] = {
		0x726fdb47dd0e0e31ULL, 0x74f839c593dc67fdULL, 0x0d6c8009d9a94f5aULL, 0x85676696d7fb7e2dULL,
		0xcf2794e0277187b7ULL, 0x18765564cd99a68dULL, 0xcbc9466e58fee3ceULL, 0xab0200f58b01d137ULL,
		0x93f5f5799a932462ULL, 0x9e0082df0ba9e4b0ULL, 0x7a5dbbc594ddb9f3ULL, 0xf4b32f46226bada7ULL,
		0x751e8fbc860ee5fbULL, 0x14ea5627c0843d90ULL, 0xf723ca908e7af2eeULL, 0xa129ca6149be45e5ULL,
		0x3f2acc7f57c29bdbULL, 0x699ae9f52cbe4794ULL, 0x4bc1b3f0968dd39cULL, 0xbb6dc91da77961bdULL,
		0xbed65cf21aa2ee98ULL, 0xd0f2cbb02e3b67c7ULL, 0x93536795e3a33e88ULL, 0xa80c038ccd5ccec8ULL,
		0xb8ad50c6f649af94ULL, 0xbce192de8a85b8eaULL, 0x17d835b85bbb15f3ULL, 0x2f2e6163076bcfadULL,
		0xde4daaaca71dc9a5ULL, 0xa6a2506687956571ULL, 0xad87a3535c49ef28ULL, 0x32d892fad841c342ULL,
		0x7127512f72f27cceULL, 0xa7f32346f95978e3ULL, 0x12e0b01abb051238ULL, 0x15e034d40fa197aeULL,
		0x314dffbe0815a3b4ULL, 0x027990f029623981ULL, 0xcadcd4e59ef40c4dULL, 0x9abfd8766a33735cULL,
		0x0e3ea96b5304a7d0ULL, 0xad0c42d6fc585992ULL, 0x187306c89bc215a9ULL, 0xd4a60abcf3792b95ULL,
		0xf935451de4f21df2ULL, 0xa9538f0419755787ULL, 0xdb9acddff56ca510ULL, 0xd06c98cd5c0975ebULL,
		0xe612a3cb9ecba951ULL, 0xc766e62cfcadaf96ULL, 0xee64435a9752fe72ULL, 0xa192d576b245165aULL,
		0x0a8787bf8ecb74b2ULL, 0x81b3e73d20b49b6fULL, 0x7fa8220ba3b2eceaULL, 0x245731c13ca42499ULL,
		0xb78dbfaf3a8d83bdULL, 0xea1ad565322a1a0bULL, 0x60e61c23a3795013ULL, 0x6606d7e446282b93ULL,
		0x6ca4ecb15c5f91e1ULL, 0x9f626da15c9625f3ULL, 0xe51b38608ef25f57ULL, 0x958a324ceb064572ULL,
	};
	static const uint64_t key[2] = { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL };
	uint8_t message[64];
	uint8_t i;

	for (i = 0; i < 64; i++)
		message[i] = i;
	for (i = 0; i < 64; i++)
		CHECK_EQ(siphash(message, i, key), want[i]);
}

TEST(test_random_same_seed_same_numbers)
{
	uint8_t other_seed[32] = { 1 }, x[100], y[100], z[100];
	struct random_state a, b, c;
	size_t i;

	random_seed(&a, zero_seed);
	random_seed(&b, zero_seed);
	random_seed(&c, other_seed);
	random_bytes(&a, x, sizeof(x));
	for (i = 0; i < sizeof(y); i++)
		random_bytes(&b, y + i, 1);
	random_bytes(&c, z, sizeof(z));
	CHECK_MEM(x, y, sizeof(x));
	CHECK(memcmp(x, z, sizeof(x)) != 0);
	CHECK(memcmp(x, x + 50, 50) != 0);
}

/* Key erasure: the state holds nothing of what was given out. */
TEST(test_random_given_bytes_are_wiped)
{
	struct random_state r;
	uint8_t out[8];
	size_t i;

	random_seed(&r, zero_seed);
	random_bytes(&r, out, sizeof(out));
	for (i = 0; i + sizeof(out) <= sizeof(r); i++)
		CHECK(memcmp((uint8_t *)&r + i, out, sizeof(out)) != 0);
}

TEST(test_random_below_is_uniform_and_in_range)
{
	unsigned int count[7] = { 0 };
	struct random_state r;
	uint32_t i, v;

	random_seed(&r, zero_seed);
	for (i = 0; i < 70000; i++) {
		v = random_below(&r, 7);
		CHECK_LT(v, 7);
		count[v]++;
	}
	for (i = 0; i < 7; i++) {
		CHECK_GT(count[i], 9500);
		CHECK_LT(count[i], 10500);
	}
	CHECK_EQ(random_below(&r, 1), 0);
	for (i = 0; i < 100; i++)
		CHECK_LT(random_below(&r, 0x80000001U), 0x80000001U);
}

TEST(test_random_bits_are_balanced)
{
	struct random_state r;
	unsigned int ones = 0;
	int i;

	random_seed(&r, zero_seed);
	for (i = 0; i < 10000; i++)
		ones += (unsigned int)__builtin_popcountll(random_u64(&r));
	CHECK_GT(ones, 318000);
	CHECK_LT(ones, 322000);
	CHECK_NE(random_u32(&r), random_u32(&r));
}
