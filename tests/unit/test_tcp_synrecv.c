/* SPDX-License-Identifier: MIT */
/* TCP in SYN-RECEIVED after a passive open (RFC 9293 3.10.7.4), where only a request exists. */
#include "tests/unit/tcp_fixture.h"

static void expect_nothing_to_accept(struct tcp_conn *c)
{
	struct socket *s;

	CHECK_EQ(sock_accept(c->listener, &s), -EAGAIN);
}

/* RFC 9293 3.10.7.4, fifth: an unacceptable ACK gets <SEQ=SEG.ACK><CTL=RST>. */
TEST(test_syn_received_ack_too_low_gets_rst)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, ". 1:1(0) ack 0");
	seg_out(c, "R 0:0(0) win 0");
	expect_nothing_to_accept(c);
	conn_free(c);
}

TEST(test_syn_received_ack_too_high_gets_rst)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, ". 1:1(0) ack 2");
	seg_out(c, "R 2:2(0) win 0");
	expect_nothing_to_accept(c);
	conn_free(c);
}

TEST(test_syn_received_survives_a_bad_ack)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, ". 1:1(0) ack 2");
	seg_out(c, "R 2:2(0) win 0");
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, second: passive open: back to LISTEN, the program hears nothing. */
TEST(test_syn_received_rst_returns_to_listen)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, "R 1:1(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	expect_nothing_to_accept(c);
	seg_in(c, "S 0:0(0) <mss 1460>");
	c->iss_known = false;
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* RFC 9293 3.10.7.4, second (RFC 5961 3.2): a reset outside the window is dropped silently. */
TEST(test_syn_received_rst_outside_window_is_dropped)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, "R 200000:200000(0)");
	seg_in(c, "R 0:0(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_RECV);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_syn_received_segment_outside_window_is_acked_not_taken)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	/* RFC 9293 3.10.7.4, first: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
	seg_in(c, ". 200000:200010(10) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_SYN_RECV);
	conn_free(c);
}

TEST(test_syn_received_segment_without_ack_is_dropped)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	/* RFC 9293 3.10.7.4, fifth: "if the ACK bit is off, drop the segment and return". */
	seg_in(c, "P 1:11(10)");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_RECV);
	conn_free(c);
}

TEST(test_syn_received_ack_with_text_delivers_it)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, "P. 1:101(100) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 200), 100);
	seg_ack_within(c, 500, 101);
	conn_free(c);
}

TEST(test_syn_received_ack_with_fin_goes_to_close_wait)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	seg_in(c, "F. 1:11(10) ack 1");
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	seg_ack_within(c, 500, 12);
	conn_accept(c);
	CHECK_EQ(conn_read(c, 200), 10);
	CHECK_EQ(conn_read(c, 200), 0);
	conn_free(c);
}

/* The handshake's ACK was lost: the first text with its ACK does as well, also the second. */
TEST(test_syn_received_later_text_completes_too)
{
	struct tcp_conn *c = conn_syn_received(&(struct tcp_params){ .sack = true });

	seg_in(c, "P. 101:201(100) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
	seg_in(c, "P. 1:101(100) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 300), 200);
	seg_ack_within(c, 500, 201);
	conn_free(c);
}

/* RFC 6298 2.1, 5.5; five retries as Linux, then it is forgotten. */
TEST(test_syn_received_synack_backs_off_then_ends)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	for (unsigned int rto = 1000; rto <= 16000; rto *= 2) {
		CHECK_EQ(seg_wait(c, 100000), rto);
		seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	}
	conn_ms(c, 31000);
	CHECK_STATE(c, TCP_SYN_RECV);
	conn_ms(c, 1000);
	CHECK_STATE(c, TCP_CLOSE);
	seg_none(c);
	conn_free(c);
}

/* RFC 6298 5.7, as for an active open. */
TEST(test_lost_synack_starts_text_with_3_s)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	CHECK_EQ(seg_wait(c, 5000), 1000);
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(seg_wait(c, 5000), 3000);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

/* RFC 7323 5.3 (R1): PAWS holds from the SYN on. */
TEST(test_syn_received_old_timestamp_is_acked_not_taken)
{
	struct tcp_conn *c = conn_syn_received(&(struct tcp_params){ .ts = true, .tsval = 5000 });

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 4000 ecr 0>");
	CHECK_STATE(c, TCP_SYN_RECV);
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5000>");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 5000 ecr 0>");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

/* RFC 7323 2.3: the first window after the handshake is scaled already. */
TEST(test_syn_received_window_of_the_ack_is_scaled)
{
	struct tcp_conn *c = conn_syn_received(&(struct tcp_params){ .wscale = 1 + 7, .win = 8 });

	seg_in(c, ". 1:1(0) ack 1 win 8");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 2000), 2000);
	/* 8 << 7 = 1024 bytes. */
	seg_out(c, ". 1:513(512) ack 1");
	seg_out(c, ". 513:1025(512) ack 1");
	seg_none(c);
	conn_free(c);
}
