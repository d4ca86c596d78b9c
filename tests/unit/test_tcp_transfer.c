/* SPDX-License-Identifier: MIT */
/* TCP against itself over media of all kinds: every byte arrives, once and in order, in good time. */
#include "tests/unit/tcp_pair.h"

#include "stack/tcp/tcp.h"

#define MB (1024 * 1024UL)

/* Sends both ways, closes, and checks that nothing is left; milliseconds that the first way took. */
static uint64_t run(const struct medium *m, size_t bytes)
{
	struct tcp_pair *p = pair_new(m);
	ktime_t start;
	uint64_t ms, recoveries;

	pair_connect(p);
	start = p->net[0]->now;
	pair_transfer(p, 0, bytes, 65536);
	ms = pair_ms(p, start);
	pair_transfer(p, 1, bytes / 4, 1000);
	pair_transfer(p, 0, bytes / 2, 0);
	pair_close(p);
	recoveries = p->net[0]->mib[MIB_TcpExtTCPSackRecovery] + p->net[0]->mib[MIB_TcpExtTCPRenoRecovery];
	if (getenv("TCP_VERBOSE"))
		printf("  %zu bytes: %llu ms, frames %lu/%lu lost %lu/%lu, rexmit %llu, rto %llu, rec %llu, spurious %llu\n",
		       bytes, (unsigned long long)ms, p->sent[0], p->sent[1], p->lost[0], p->lost[1],
		       (unsigned long long)p->net[0]->mib[MIB_TcpRetransSegs],
		       (unsigned long long)p->net[0]->mib[MIB_TcpExtTCPTimeouts],
		       (unsigned long long)recoveries,
		       (unsigned long long)p->net[0]->mib[MIB_TcpExtTCPDSACKRecv]);
	pair_free(p);
	return ms;
}

TEST(test_transfer_clean)
{
	CHECK_LT(run(&(struct medium){ .seed = 1 }, 8 * MB), 1000);
}

TEST(test_transfer_clean_super_segments)
{
	CHECK_LT(run(&(struct medium){ .seed = 1, .tso = true }, 32 * MB), 1000);
}

TEST(test_transfer_loss_1_percent)
{
	CHECK_LT(run(&(struct medium){ .seed = 2, .loss = 10 }, 4 * MB), 20000);
}

TEST(test_transfer_loss_5_percent)
{
	CHECK_LT(run(&(struct medium){ .seed = 3, .loss = 50 }, 4 * MB), 60000);
}

TEST(test_transfer_loss_20_percent)
{
	CHECK_LT(run(&(struct medium){ .seed = 4, .loss = 200 }, MB / 2), 300000);
}

TEST(test_transfer_loss_5_percent_super_segments)
{
	CHECK_LT(run(&(struct medium){ .seed = 5, .loss = 50, .tso = true }, 16 * MB), 60000);
}

TEST(test_transfer_reordered)
{
	run(&(struct medium){ .seed = 6, .reorder = 300 }, 4 * MB);
}

TEST(test_transfer_reordered_super_segments)
{
	run(&(struct medium){ .seed = 7, .reorder = 300, .tso = true }, 16 * MB);
}

TEST(test_transfer_duplicated)
{
	run(&(struct medium){ .seed = 8, .duplicate = 300 }, 4 * MB);
}

TEST(test_transfer_corrupted)
{
	run(&(struct medium){ .seed = 9, .corrupt = 20 }, 2 * MB);
}

TEST(test_transfer_everything_at_once)
{
	run(&(struct medium){ .seed = 10, .loss = 30, .reorder = 100, .duplicate = 50, .corrupt = 10 }, 2 * MB);
}

TEST(test_transfer_long_path_with_a_bottleneck)
{
	/* 100 Mbit/s, 40 ms round trip, a queue of one bandwidth-delay product: 16 MB in 1.4 s at best. */
	uint64_t ms = run(&(struct medium){ .seed = 11, .delay_us = 20000, .bytes_per_s = 12500000,
					    .queue_bytes = 500000 }, 16 * MB);

	CHECK_LT(ms, 3000);
}

TEST(test_transfer_small_mtu)
{
	run(&(struct medium){ .seed = 12, .mtu = 576, .loss = 10 }, MB);
}

TEST(test_transfer_jumbo_mtu)
{
	run(&(struct medium){ .seed = 13, .mtu = 9000, .loss = 10 }, 8 * MB);
}

TEST(test_transfer_path_mtu_is_discovered)
{
	run(&(struct medium){ .seed = 14, .path_mtu = 1200 }, 2 * MB);
}

TEST(test_transfer_path_mtu_is_discovered_with_super_segments)
{
	run(&(struct medium){ .seed = 15, .path_mtu = 1200, .tso = true }, 8 * MB);
}

TEST(test_transfer_by_many_seeds)
{
	for (uint64_t seed = 100; seed < 120; seed++)
		run(&(struct medium){ .seed = seed, .loss = 40, .reorder = 100, .duplicate = 30,
				      .tso = seed & 1 }, MB / 4);
}

static void without(struct tcp_pair *p, bool sack, bool timestamps)
{
	for (int i = 0; i < 2; i++) {
		p->net[i]->tcp->sysctl.sack = sack;
		p->net[i]->tcp->sysctl.timestamps = timestamps;
	}
}

static void run_options(struct medium m, bool sack, bool timestamps, const struct tcp_congestion_ops *ca)
{
	struct tcp_pair *p = pair_new(&m);

	without(p, sack, timestamps);
	p->net[0]->tcp->default_ca = p->net[1]->tcp->default_ca = ca;
	pair_connect(p);
	CHECK_EQ(tcp_sk(p->sock[0]->sk)->sack_ok, sack);
	CHECK_EQ(tcp_sk(p->sock[0]->sk)->ts_ok, timestamps);
	pair_transfer(p, 0, 2 * MB, 50000);
	pair_close(p);
	pair_free(p);
}

TEST(test_transfer_without_sack)
{
	run_options((struct medium){ .seed = 20, .loss = 20, .reorder = 20 }, false, true, &tcp_cubic);
}

TEST(test_transfer_without_timestamps)
{
	run_options((struct medium){ .seed = 21, .loss = 20, .reorder = 20 }, true, false, &tcp_newreno);
}

TEST(test_transfer_without_any_option)
{
	run_options((struct medium){ .seed = 22, .loss = 20, .reorder = 20 }, false, false, &tcp_newreno);
}
