/* SPDX-License-Identifier: MIT */
/* A hundred seeds of loss, reordering and duplication, by turns with and without each option: every byte. */
#include "tests/unit/tcp_pair.h"

#include "stack/tcp/tcp.h"

#define SEEDS 100

static void soak(uint64_t seed)
{
	struct medium m = { .seed = seed, .loss = 5 + (unsigned int)(seed * 7 % 120),
			    .reorder = seed % 3 ? 0 : 150, .duplicate = seed % 5 ? 0 : 40,
			    .delay_us = 2000 + (uint32_t)(seed % 7) * 5000,
			    .reorder_us = 3000, .tso = seed & 1 };
	struct tcp_pair *p = pair_new(&m);
	ktime_t start;

	for (int i = 0; i < 2; i++) {
		struct tcp_sysctls *s = &p->net[i]->tcp->sysctl;

		s->sack = seed % 4 != 3;
		s->timestamps = seed & 2;
		s->recovery = seed % 10 == 9 ? 0 : TCP_RACK_LOSS_DETECTION;
	}
	pair_connect(p);
	start = p->net[0]->now;
	pair_transfer(p, 0, 150000, 20000);
	pair_transfer(p, 1, 30000, 1000);
	CHECK_MSG(pair_ms(p, start) < 300000, "seed %llu took %llu ms", (unsigned long long)seed,
		  (unsigned long long)pair_ms(p, start));
	pair_close(p);
	pair_free(p);
}

TEST(test_soak_every_byte_arrives)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		soak(seed);
}
