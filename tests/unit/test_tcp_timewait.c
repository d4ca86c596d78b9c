/* SPDX-License-Identifier: MIT */
/* TCP in TIME-WAIT: how long, what it answers, when a new connection may take its place. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* RFC 9293 3.6.1: 2 MSL; 60 s as Linux. */
TEST(test_time_wait_lasts_60_s)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	conn_close(c);
	conn_ms(c, 59000);
	CHECK_STATE(c, TCP_TIME_WAIT);
	CHECK(!stack_idle(c->net));
	conn_ms(c, 1500);
	CHECK_STATE(c, TCP_CLOSE);
	seg_none(c);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, eighth: a repeated FIN is acknowledged and starts the 2 MSL again. */
TEST(test_time_wait_repeated_fin_is_acked_and_restarts_the_time)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	conn_ms(c, 40000);
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	conn_ms(c, 40000);
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_ms(c, 21000);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* What has text or a FIN is no answer to an ACK of ours: each is acknowledged. An empty one is limited. */
TEST(test_time_wait_acks_each_repeated_fin)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	for (int i = 0; i < 3; i++) {
		seg_in(c, "F. 1:1(0) ack 2");
		seg_out(c, ". 2:2(0) ack 2");
	}
	seg_in(c, ". 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	seg_in(c, ". 1:1(0) ack 2");
	seg_none(c);
	conn_free(c);
}

TEST(test_time_wait_ack_is_not_answered)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	seg_in(c, ". 2:2(0) ack 2");
	seg_none(c);
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, first */
TEST(test_time_wait_segment_outside_window_is_acked)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	seg_in(c, "P. 300000:300010(10) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	conn_free(c);
}

/* RFC 1337 and RFC 9293 3.10.7.4, second: a reset must be at RCV.NXT to end it; Linux lets it. */
TEST(test_time_wait_rst_outside_window_is_ignored)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	seg_in(c, "R 500000:500000(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* RFC 9293 3.6.1 (MAY-2) with RFC 6191: a SYN above what was received reopens the connection. */
TEST(test_time_wait_syn_with_higher_number_reopens)
{
	struct tcp_conn *c = conn_time_wait(NULL);
	uint32_t old = c->iss;

	c->irs += 1000000;
	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	/* Our new numbers are above the old ones. */
	CHECK_GT((int32_t)(c->iss - old), 0);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_time_wait_syn_with_lower_number_is_acked_not_opened)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	seg_in(c, "S -1000:-1000(0) <mss 1460>");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* RFC 6191 2: a newer timestamp opens it even with a lower sequence number. */
TEST(test_time_wait_syn_with_newer_timestamp_reopens)
{
	struct tcp_conn *c = conn_time_wait(&(struct tcp_params){ .ts = true, .tsval = 5000 });

	conn_ms(c, 2000);
	c->irs -= 1000000;
	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460,nop,nop,TS val 7000 ecr 0>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 2000 ecr 7000>");
	conn_free(c);
}

TEST(test_time_wait_syn_with_older_timestamp_does_not_reopen)
{
	struct tcp_conn *c = conn_time_wait(&(struct tcp_params){ .ts = true, .tsval = 5000 });

	c->irs += 1000000;
	seg_in(c, "S 0:0(0) <mss 1460,nop,nop,TS val 4000 ecr 0>");
	c->irs -= 1000000;
	seg_out(c, ". 2:2(0) ack 2 <nop,nop,TS val 0 ecr 5000>");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/*
 * RFC 9293 3.6.1, MUST-13: the port pair is not taken again by our own connect for a time (1 s,
 * timestamps).
 */
TEST(test_time_wait_without_timestamps_blocks_our_own_connect)
{
	struct tcp_conn *c = conn_connected(&(struct tcp_params){ .reuseaddr = true });

	conn_shutdown(c, SHUT_WR);
	seg_out(c, "F. 1:1(0) ack 1");
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_close(c);
	c->sock = conn_socket(c);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 5000), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(conn_connect(c), -EADDRNOTAVAIL);
	seg_none(c);
	conn_free(c);
}

/* As Linux: both the old socket and the new one must have asked for it. */
TEST(test_time_wait_listener_can_be_made_again_with_reuseaddr)
{
	struct tcp_conn *c = conn_time_wait(&(struct tcp_params){ .reuseaddr = true });
	struct socket *s;

	conn_close(c);
	sock_release(c->listener);
	c->listener = NULL;
	s = conn_socket(c);
	CHECK_EQ(sock_bind(s, conn_addr(0, 80), sizeof(struct sockaddr_in)), -EADDRINUSE);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	CHECK_EQ(sock_bind(s, conn_addr(0, 80), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(sock_listen(s, 1), 0);
	c->listener = s;
	conn_free(c);
}

/* RFC 9293 3.10.4: further reading of what came before is possible while TIME-WAIT runs. */
TEST(test_time_wait_text_before_fin_is_still_readable)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	seg_in(c, "FP. 1:11(10) ack 2");
	seg_out(c, ". 2:2(0) ack 12");
	CHECK_STATE(c, TCP_TIME_WAIT);
	CHECK_EQ(conn_read(c, 100), 10);
	CHECK_EQ(conn_read(c, 100), 0);
	conn_free(c);
}

TEST(test_time_wait_text_gets_no_delivery)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	seg_in(c, "P. 2:12(10) ack 2");
	CHECK_EQ(conn_read(c, 100), 0);
	conn_free(c);
}

/* With tcp_max_tw_buckets reached the connection just ends, as Linux; a late FIN gets a reset. */
TEST(test_time_wait_overflow_ends_at_once)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	c->net->tcp->sysctl.max_tw_buckets = 0;
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_read(c, 10), 0);
	conn_free(c);
}

/* ---- FIN-WAIT-2 of an orphan, which is kept in the same form --------------------------------- */

static struct tcp_conn *orphan_in_fin_wait2(void)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	conn_close(c);
	CHECK_STATE(c, TCP_FIN_WAIT2);
	return c;
}

/* RFC 9293 3.10.7.4, second; RFC 5961 3.2 */
TEST(test_orphan_in_fin_wait2_rst_ends_it)
{
	struct tcp_conn *c = orphan_in_fin_wait2();

	seg_in(c, "R 5:5(0)");
	seg_out(c, ". 2:2(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	seg_in(c, "R 1:1(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, fourth; RFC 5961 4.2 */
TEST(test_orphan_in_fin_wait2_syn_is_challenged)
{
	struct tcp_conn *c = orphan_in_fin_wait2();

	seg_in(c, "S 5:5(0)");
	seg_out(c, ". 2:2(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

TEST(test_orphan_in_fin_wait2_ack_is_not_answered)
{
	struct tcp_conn *c = orphan_in_fin_wait2();

	seg_in(c, ". 1:1(0) ack 2");
	seg_none(c);
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

TEST(test_orphan_in_fin_wait2_segment_outside_window_is_acked)
{
	struct tcp_conn *c = orphan_in_fin_wait2();

	seg_in(c, "P. 500000:500010(10) ack 2");
	seg_out(c, ". 2:2(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

/* The namespace ends while some connections still need time. */
TEST(test_namespace_ends_with_orphans_and_time_wait)
{
	struct tcp_conn *c = conn_time_wait(NULL);
	struct net *net = c->net;

	conn_close(c);
	c->pport++;
	c->iss_known = false;
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(conn_write(c, 100), 100);
	conn_close(c); /* FIN-WAIT-1 with text */
	CHECK_EQ(seg_forget(c), 2);
	c->pport++;
	c->iss_known = false;
	conn_handshake(c, false); /* SYN-RECEIVED */
	sock_release(c->listener);
	unregister_netdev(c->dev);
	net_destroy(net); /* the leak checker has the last word */
	free(c);
}
