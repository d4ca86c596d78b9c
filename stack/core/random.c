/* SPDX-License-Identifier: MIT */
/*
 * random.c - the stack's random numbers and its keyed hash
 *
 * Generator: the ChaCha20 block function (RFC 8439 2.3) with fast key erasure: of each block the
 * first half becomes the next key, the second half is given out, and bytes given out are wiped. Who
 * reads the state later cannot compute what it gave before. The seed comes from the creator of the
 * struct net: secret bytes in use, fixed ones in tests.
 *
 * Hash: SipHash-2-4 (Aumasson and Bernstein), for tables and port numbers that a peer must not
 * foresee (RFC 6056 3.3.3, RFC 6528).
 */
#include "stack/core/random.h"

static uint32_t rotl32(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static uint64_t rotl64(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

/* RFC 8439 2.1 */
static void quarter_round(uint32_t s[16], int a, int b, int c, int d)
{
	s[a] += s[b];
	s[d] = rotl32(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotl32(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotl32(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotl32(s[b] ^ s[c], 7);
}

/* RFC 8439 2.3: @counter and @nonce are the last four words of the state. */
static void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
			   uint8_t out[64])
{
	uint32_t init[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t s[16];
	int i;

	memcpy(init + 4, key, 32);
	init[12] = counter;
	memcpy(init + 13, nonce, 12);
	memcpy(s, init, sizeof(s));
	for (i = 0; i < 10; i++) {
		quarter_round(s, 0, 4, 8, 12);
		quarter_round(s, 1, 5, 9, 13);
		quarter_round(s, 2, 6, 10, 14);
		quarter_round(s, 3, 7, 11, 15);
		quarter_round(s, 0, 5, 10, 15);
		quarter_round(s, 1, 6, 11, 12);
		quarter_round(s, 2, 7, 8, 13);
		quarter_round(s, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++) {
		uint32_t word = htole32(s[i] + init[i]);

		memcpy(out + 4 * i, &word, 4);
	}
}

static void load_key(uint32_t key[8], const uint8_t bytes[32])
{
	int i;

	memcpy(key, bytes, 32);
	for (i = 0; i < 8; i++)
		key[i] = le32toh(key[i]);
}

static void refill(struct random_state *r)
{
	const uint32_t nonce[3] = { (uint32_t)(r->counter >> 32), 0, 0 };

	chacha20_block(r->key, (uint32_t)r->counter, nonce, r->buf);
	r->counter++;
	load_key(r->key, r->buf);
	memset(r->buf, 0, 32);
	r->used = 32;
}

/**
 * random_seed() - start the generator
 * @r:     state
 * @seed:  secret bytes; the same seed gives the same numbers
 */
void random_seed(struct random_state *r, const uint8_t seed[32])
{
	memset(r, 0, sizeof(*r));
	load_key(r->key, seed);
	r->used = sizeof(r->buf);
}

/**
 * random_bytes() - fill memory with random bytes
 * @r:    state
 * @out:  destination
 * @len:  bytes
 */
void random_bytes(struct random_state *r, void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		size_t n;

		if (r->used == sizeof(r->buf))
			refill(r);
		n = MIN(len, sizeof(r->buf) - r->used);
		memcpy(p, r->buf + r->used, n);
		memset(r->buf + r->used, 0, n);
		r->used += (unsigned int)n;
		p += n;
		len -= n;
	}
}

/**
 * random_u32() - 32 random bits
 * @r:  state
 */
uint32_t random_u32(struct random_state *r)
{
	uint32_t v;

	random_bytes(r, &v, sizeof(v));
	return v;
}

/**
 * random_u64() - 64 random bits
 * @r:  state
 */
uint64_t random_u64(struct random_state *r)
{
	uint64_t v;

	random_bytes(r, &v, sizeof(v));
	return v;
}

/**
 * random_below() - a uniform number in [0, ceil)
 * @r:     state
 * @ceil:  > 0
 *
 * The high half of a 32x32 product; the few low halves that would favour some results are drawn
 * again (Lemire, "Fast Random Integer Generation in an Interval").
 */
uint32_t random_below(struct random_state *r, uint32_t ceil)
{
	uint64_t product;
	uint32_t threshold;

	BUG_ON(ceil == 0);
	threshold = (0U - ceil) % ceil;
	do {
		product = (uint64_t)random_u32(r) * ceil;
	} while ((uint32_t)product < threshold);
	return (uint32_t)(product >> 32);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl64(v[1], 13) ^ v[0];
	v[0] = rotl64(v[0], 32);
	v[2] += v[3];
	v[3] = rotl64(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl64(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl64(v[1], 17) ^ v[2];
	v[2] = rotl64(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

/**
 * siphash() - SipHash-2-4
 * @data:  message
 * @len:   its length in bytes
 * @key:   128 secret bits; key[0] holds the first eight bytes, little endian
 *
 * Source:  Aumasson and Bernstein, "SipHash: a fast short-input PRF", section 2
 */
uint64_t siphash(const void *data, size_t len, const uint64_t key[2])
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
			  key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
	uint64_t last = (uint64_t)len << 56, word;
	const uint8_t *p = data;
	size_t i;

	for (i = len; i >= 8; i -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(v, le64toh(word));
	}
	while (i--)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
