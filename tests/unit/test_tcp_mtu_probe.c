/* SPDX-License-Identifier: MIT */
/* PLPMTUD and black holes (RFC 4821): a path that drops large packets and says nothing. */
#include "tests/unit/tcp_fixture.h"
#include "tests/unit/tcp_pair.h"

#include "stack/tcp/tcp.h"

static struct tcp_pair *path(int probing, uint32_t hole)
{
	struct tcp_pair *p = pair_new(&(struct medium){ .delay_us = 5000, .black_hole = hole });

	p->net[0]->tcp->sysctl.mtu_probing = probing;
	return p;
}

static const struct tcp_sock *sender(const struct tcp_pair *p)
{
	return tcp_sk(p->sock[0]->sk);
}

static uint32_t packet_size(const struct tcp_pair *p)
{
	return sender(p)->mss_base + 40;
}

/* RFC 4821 7.7: after timeouts in a row segments shrink, and the transfer goes on. */
TEST(test_black_hole_is_left)
{
	static const uint32_t holes[] = { 1400, 1100, 600, 300 };

	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		struct tcp_pair *p = path(1, holes[i]);
		ktime_t start;

		pair_connect(p);
		start = p->net[0]->now;
		pair_transfer(p, 0, 100000, 10000);
		CHECK_LE(packet_size(p), holes[i]);
		CHECK_LT(pair_ms(p, start), 40000);
		pair_close(p);
		pair_free(p);
	}
}

/* tcp_mtu_probing 0, the default: such a connection does not recover. */
TEST(test_black_hole_without_probing)
{
	struct tcp_pair *p = path(0, 1400);
	uint8_t text[5000] = { 0 };
	struct iovec iov = { text, sizeof(text) };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };

	pair_connect(p);
	CHECK_EQ(sock_sendmsg(p->sock[0], &msg), (ssize_t)sizeof(text));
	pair_run_ms(p, 60000);
	CHECK_EQ(sender(p)->bytes_acked, 0);
	for (int i = 0; i < 2; i++) {
		const struct linger now = { 1, 0 };

		sock_setsockopt(p->sock[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	pair_free(p);
}

/* tcp_mtu_probing 2: from tcp_base_mss up to what the path takes, without a timeout. */
TEST(test_probing_finds_the_path_mtu)
{
	static const uint32_t holes[] = { 0, 1450, 1300, 1200 };

	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		struct tcp_pair *p = path(2, holes[i]);
		uint32_t mtu = holes[i] ? holes[i] : 1500;

		pair_connect(p);
		CHECK_EQ(packet_size(p), 1064);
		pair_transfer(p, 0, 4 << 20, 65536);
		CHECK_LE(packet_size(p), mtu);
		CHECK_GE(packet_size(p), mtu - 8 - 1);
		CHECK_GT(p->net[0]->mib[MIB_TcpExtTCPMTUPSuccess], 0);
		if (holes[i])
			CHECK_GT(p->net[0]->mib[MIB_TcpExtTCPMTUPFail], 0);
		CHECK_EQ(p->net[0]->mib[MIB_TcpExtTCPTimeouts], 0);
		pair_close(p);
		pair_free(p);
	}
}

/* RFC 4821 7.5: the loss of a probe does not shrink the congestion window. */
TEST(test_lost_probe_is_no_congestion)
{
	struct tcp_pair *p = path(2, 1300);

	pair_connect(p);
	pair_transfer(p, 0, 1 << 20, 65536);
	CHECK_GT(p->net[0]->mib[MIB_TcpExtTCPMTUPFail], 0);
	CHECK_GE(sender(p)->snd_ssthresh, INT32_MAX);
	pair_close(p);
	pair_free(p);
}

/* RFC 4821 7.3: ten minutes later the search starts anew: the path may have become wider. */
TEST(test_search_begins_again)
{
	struct tcp_pair *p = path(2, 1200);

	pair_connect(p);
	pair_transfer(p, 0, 2 << 20, 65536);
	CHECK_LE(packet_size(p), 1200);
	p->m.black_hole = 0;
	pair_transfer(p, 0, 2 << 20, 65536);
	CHECK_LE(packet_size(p), 1200);
	pair_run_ms(p, 601000);
	pair_transfer(p, 0, 4 << 20, 65536);
	CHECK_GE(packet_size(p), 1490);
	pair_close(p);
	pair_free(p);
}
