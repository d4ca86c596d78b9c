/* SPDX-License-Identifier: MIT */
/* Limits of TCP's memory (tcp_mem), buffers that follow the traffic, the initial window. */
#include "tests/unit/tcp_fixture.h"
#include "tests/unit/tcp_pair.h"

#include "stack/tcp/tcp.h"

static uint64_t count(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

static void set_mem(struct tcp_conn *c, int low, int pressure, int high)
{
	int *mem = c->net->tcp->sysctl.mem;

	mem[0] = low;
	mem[1] = pressure;
	mem[2] = high;
}

/* ---- the initial window (RFC 7323 2.2, 2.3; RFC 9293 3.8.6) ---------------------------------- */

/* As Linux with tcp_rmem of 4096 131072 6291456: 64240 and a scale of 7; with SO_RCVBUF what it needs. */
TEST(test_initial_window_and_scale)
{
	static const struct {
		int rcvbuf, adv_win_scale;
		uint32_t mtu, mss, win, scale;
	} cases[] = {
		{ 0, 1, 1500, 1460, 64240, 7 },
		{ 0, 2, 1500, 1460, 64240, 7 },
		{ 0, 1, 9000, 8960, 62720, 7 },
		{ 16384, 1, 1500, 1460, 16060, 0 },
		{ 100000, 1, 1500, 1460, 64240, 1 },
		{ 16384, -2, 1500, 1460, 7300, 0 },
		{ 0, 1, 576, 536, 65392, 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_params p = { .rcvbuf = cases[i].rcvbuf, .mtu = cases[i].mtu };
		struct tcp_conn *c = conn_listening(&p);

		c->net->tcp->sysctl.adv_win_scale = cases[i].adv_win_scale;
		seg_in(c, "S 0:0(0) <mss 1460,nop,wscale 7>");
		seg_out(c, "S. 0:0(0) ack 1 win %u <mss %u,nop,wscale %u>", cases[i].win, cases[i].mss,
			cases[i].scale);
		conn_free(c);
	}
}

TEST(test_scale_follows_the_largest_buffer)
{
	struct tcp_conn *c = conn_listening(NULL);

	c->net->tcp->sysctl.rmem[2] = 64 << 20;
	seg_in(c, "S 0:0(0) <mss 1460,nop,wscale 7>");
	seg_out(c, "S. 0:0(0) ack 1 win 64240 <mss 1460,nop,wscale 11>");
	conn_free(c);
}

/* ---- buffers that grow ----------------------------------------------------------------------- */

/* Dynamic right-sizing: a reader that keeps up gets a larger buffer, and never one beyond tcp_rmem[2]. */
TEST(test_receive_buffer_grows_with_the_path)
{
	struct tcp_pair *p = pair_new(&(struct medium){ .delay_us = 20000 });
	int before;

	pair_connect(p);
	before = p->sock[1]->sk->rcvbuf;
	CHECK_EQ(before, 131072);
	pair_transfer(p, 0, 8 << 20, 65536);
	CHECK_GT(p->sock[1]->sk->rcvbuf, 4 * before);
	CHECK_LE(p->sock[1]->sk->rcvbuf, 6291456);
	CHECK_GT(p->sock[0]->sk->sndbuf, 4 * 87040);
	CHECK_LE(p->sock[0]->sk->sndbuf, 4194304);
	pair_close(p);
	pair_free(p);
}

TEST(test_receive_buffer_stays_without_moderation)
{
	struct tcp_pair *p = pair_new(&(struct medium){ .delay_us = 20000 });

	p->net[1]->tcp->sysctl.moderate_rcvbuf = false;
	pair_connect(p);
	pair_transfer(p, 0, 2 << 20, 65536);
	CHECK_EQ(p->sock[1]->sk->rcvbuf, 131072);
	pair_close(p);
	pair_free(p);
}

/* A peer that never reads: we take what the send buffer holds, and no more for ever. */
TEST(test_send_buffer_is_bounded_when_nobody_reads)
{
	struct tcp_conn *c = conn_established(NULL);
	ssize_t n, total = 0;

	while ((n = conn_write(c, 65536)) > 0)
		total += n;
	CHECK_EQ(n, -EAGAIN);
	CHECK_LE(total, c->sock->sk->sndbuf + 65536);
	CHECK_LE(c->sock->sk->wmem_queued, (int64_t)c->sock->sk->sndbuf + 2 * 65536);
	conn_ms(c, 60000);
	CHECK_EQ(conn_write(c, 1), -EAGAIN);
	conn_free(c);
}

/* ---- tcp_mem --------------------------------------------------------------------------------- */

TEST(test_pressure_begins_and_ends)
{
	struct tcp_conn *c = conn_established(NULL);

	set_mem(c, 4, 8, 1000);
	CHECK(!tcp_under_pressure(c->net));
	CHECK_EQ(conn_write(c, 60000), 60000);
	CHECK(tcp_under_pressure(c->net));
	CHECK_EQ(count(c, MIB_TcpExtTCPMemoryPressures), 1);
	conn_ms(c, 10);
	seg_forget(c);
	for (uint32_t ack = 14601; c->net->skb_bytes; ack += 14600) {
		seg_in(c, ". 1:1(0) ack %u", MIN(ack, 60001U));
		seg_forget(c);
	}
	CHECK(!tcp_under_pressure(c->net));
	CHECK_GE(count(c, MIB_TcpExtTCPMemoryPressuresChrono), 10);
	CHECK_EQ(count(c, MIB_TcpExtTCPMemoryPressures), 1);
	conn_free(c);
}

/* Above the limit a writer gets its least, and is woken when that is acknowledged. */
TEST(test_writer_at_the_limit)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int wakes;
	ssize_t n;

	set_mem(c, 0, 0, 0);
	n = conn_write(c, 60000);
	CHECK_GT(n, 0);
	CHECK_LT(n, 60000);
	CHECK_EQ(conn_write(c, 1), -EAGAIN);
	CHECK_EQ(conn_poll(c) & POLLOUT, 0);
	seg_forget(c);
	wakes = c->wakes;
	for (uint32_t ack = 14601; c->sock->sk->wmem_queued; ack += 14600) {
		seg_in(c, ". 1:1(0) ack %u", MIN(ack, 1 + c->wrote));
		seg_forget(c);
	}
	CHECK_GT(c->wakes, wakes);
	CHECK_EQ(conn_poll(c) & POLLOUT, POLLOUT);
	conn_free(c);
}

/* ... and a reader's queue takes its least; the window that is announced shrinks to four segments. */
TEST(test_receiver_at_the_limit)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq;

	set_mem(c, 0, 0, 0);
	seg_in(c, ". 30001:31461(1460) ack 1"); /* only a loan, and called back */
	for (seq = 1; seq < 30001; seq += 1000)
		seg_in(c, ". %u:%u(1000) ack 1", seq, seq + 1000);
	CHECK_GT(count(c, MIB_TcpExtRcvPruned), 0);
	CHECK_LE(c->sock->sk->rmem_alloc, 4096 + 8192);
	CHECK_GT(conn_read(c, 60000), 0);
	conn_free(c);
}

TEST(test_pruned_and_collapsed_are_counted)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 8192, .sack = true });

	for (uint32_t seq = 101; seq < 8000; seq += 200)
		seg_in(c, ". %u:%u(100) ack 1", seq, seq + 100);
	for (uint32_t seq = 201; seq < 8000; seq += 200)
		seg_in(c, ". %u:%u(100) ack 1", seq, seq + 100);
	CHECK_GT(count(c, MIB_TcpExtPruneCalled), 0);
	CHECK_GT(count(c, MIB_TcpExtTCPRcvCollapsed) + count(c, MIB_TcpExtOfoPruned), 0);
	conn_free(c);
}

/* ---- orphans, TIME-WAIT ---------------------------------------------------------------------- */

TEST(test_orphan_without_memory_is_reset)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 60000), 60000);
	seg_forget(c);
	set_mem(c, 0, 0, 0);
	conn_close(c);
	CHECK_EQ(count(c, MIB_TcpExtTCPAbortOnMemory), 1);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}
