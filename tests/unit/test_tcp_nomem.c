/* SPDX-License-Identifier: MIT */
/*
 * TCP without memory for buffers, at each moment that needs one: what was to be sent is as lost as
 * if the wire had lost it, and the same timers repair it. Nothing is ever forgotten for good.
 */
#include "tests/unit/tcp_fixture.h"

static void no_memory(struct tcp_conn *c)
{
	c->net->skb_bytes_max = 1;
}

static void memory_again(struct tcp_conn *c)
{
	c->net->skb_bytes_max = 0;
}

TEST(test_no_memory_for_a_syn)
{
	struct tcp_conn *c = conn_new(NULL);

	c->pport = 80;
	c->lport = 5000;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 5000), sizeof(struct sockaddr_in)), 0);
	no_memory(c);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	seg_none(c);
	memory_again(c);
	CHECK_EQ(seg_wait(c, 5000), 1000);
	seg_out(c, "S 0:0(0) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	conn_free(c);
}

TEST(test_no_memory_for_new_text)
{
	struct tcp_conn *c = conn_established(NULL);
	ssize_t n;

	no_memory(c);
	n = conn_write(c, 3000);
	CHECK(n == -ENOMEM || n == -ENOBUFS || n == -EAGAIN);
	memory_again(c);
	CHECK_EQ(conn_write(c, 3000), 3000);
	CHECK_EQ(seg_forget(c), 3);
	conn_free(c);
}

/* The text was taken, then memory ran out. */
TEST(test_no_memory_for_queued_text)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(conn_write(c, 500), 500);
	no_memory(c);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_CORK, 0), 0);
	seg_none(c);
	memory_again(c);
	seg_wait(c, 2000);
	seg_out(c, "P. 1:501(500) ack 1");
	conn_free(c);
}

TEST(test_no_memory_for_a_retransmission)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 500), 500);
	CHECK_EQ(seg_forget(c), 1);
	no_memory(c);
	conn_ms(c, 1000);
	seg_none(c);
	memory_again(c);
	seg_wait(c, 5000);
	seg_out(c, "P. 1:501(500) ack 1");
	conn_free(c);
}

TEST(test_no_memory_for_a_delayed_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_QUICKACK, 0), 0);
	seg_in(c, "P. 1:11(10) ack 1");
	seg_none(c);
	no_memory(c);
	conn_ms(c, 300);
	seg_none(c);
	memory_again(c);
	seg_ack_within(c, 1000, 11);
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

TEST(test_no_memory_for_a_fin)
{
	struct tcp_conn *c = conn_established(NULL);

	no_memory(c);
	conn_close(c);
	seg_none(c);
	CHECK_STATE(c, TCP_FIN_WAIT1);
	memory_again(c);
	seg_wait(c, 2000);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.flags & ~TH_PUSH, TH_FIN | TH_ACK);
	CHECK_EQ(c->last.seq, 1);
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

TEST(test_no_memory_for_a_probe)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	no_memory(c);
	conn_ms(c, 3000);
	seg_none(c);
	memory_again(c);
	seg_wait(c, 10000);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "P. 1:101(100) ack 1");
	conn_free(c);
}

TEST(test_no_memory_for_a_keepalive)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_KEEPINTVL, 5), 0);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	no_memory(c);
	conn_ms(c, 11000);
	memory_again(c);
	seg_wait(c, 5000);
	seg_out(c, ". 0:0(0) ack 1");
	conn_free(c);
}

TEST(test_no_memory_for_a_synack_again)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	no_memory(c);
	conn_ms(c, 1500);
	seg_none(c);
	memory_again(c);
	CHECK_EQ(seg_wait(c, 5000), 1500);
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

TEST(test_no_memory_for_a_reset)
{
	struct tcp_conn *c = conn_established(NULL);

	no_memory(c);
	conn_linger(c, 0);
	conn_close(c);
	memory_again(c);
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	seg_in(c, ". 1:1(0) ack 1"); /* the peer learns of it when it speaks */
	seg_out(c, "R 1:1(0) win 0");
	conn_free(c);
}

/* A device that is full refuses: the same as no memory. */
TEST(test_full_device_delays_text)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int n;

	fake_dev_priv(c->dev)->accept = 2;
	CHECK_EQ(conn_write(c, 14600), 14600);
	n = seg_forget(c);
	CHECK_EQ(n, 2);
	fake_dev_priv(c->dev)->accept = ~0U;
	netif_wake_queue(c->dev);
	fake_settle(c->net);
	for (int i = 0; i < 20 && n < 10; i++) {
		conn_ms(c, 100);
		n += seg_forget(c);
	}
	CHECK_GE(n, 10);
	conn_free(c);
}
