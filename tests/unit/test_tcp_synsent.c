/* SPDX-License-Identifier: MIT */
/* TCP in SYN-SENT: active and simultaneous open (RFC 9293 3.5, 3.10.7.3). */
#include "tests/unit/tcp_fixture.h"

#include <poll.h>

static struct tcp_conn *bound_socket(void)
{
	struct tcp_conn *c = conn_new(NULL);

	c->pport = 80;
	c->lport = 5000;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 5000), sizeof(struct sockaddr_in)), 0);
	return c;
}

/*
 * RFC 7323 2.2, 3.2, RFC 2018 2, RFC 9293 3.7.1: all is offered in the SYN; its window is
 * unscaled.
 */
TEST(test_connect_sends_a_syn_that_offers_everything)
{
	struct tcp_conn *c = bound_socket();

	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	seg_out(c, "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>");
	CHECK_GT(c->last.win, 14000);
	CHECK_STATE(c, TCP_SYN_SENT);
	CHECK_EQ(conn_connect(c), -EALREADY);
	CHECK_EQ(conn_poll(c) & (POLLIN | POLLOUT), 0);
	conn_free(c);
}

TEST(test_syn_sent_synack_completes)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	seg_none(c);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_poll(c) & (POLLOUT | POLLERR | POLLHUP), POLLOUT);
	CHECK_EQ(conn_error(c), 0);
	CHECK_GT(c->wakes, 0);
	conn_free(c);
}

/* RFC 9293 3.10.7.3, first: an ACK that is not of our SYN gets <SEQ=SEG.ACK><CTL=RST>. */
TEST(test_syn_sent_ack_too_low_gets_rst)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, ". 0:0(0) ack 0");
	seg_out(c, "R 0:0(0) win 0");
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_free(c);
}

TEST(test_syn_sent_synack_with_ack_too_high_gets_rst)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S. 0:0(0) ack 2");
	seg_out(c, "R 2:2(0) win 0");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_free(c);
}

TEST(test_syn_sent_bad_ack_with_rst_is_dropped)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "R. 0:0(0) ack 2");
	seg_in(c, "R. 0:0(0) ack 0");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_free(c);
}

/* RFC 9293 3.10.7.3, second: with an acceptable ACK a reset refuses the connection. */
TEST(test_syn_sent_rst_with_good_ack_refuses)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "R. 0:0(0) ack 1");
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_poll(c) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	CHECK_EQ(conn_error(c), ECONNREFUSED);
	CHECK_EQ(conn_error(c), 0);
	conn_free(c);
}

TEST(test_syn_sent_rst_without_ack_is_dropped)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "R 0:0(0)");
	seg_in(c, "SR 0:0(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_free(c);
}

/* RFC 9293 3.10.7.3, fifth: neither SYN nor RST is dropped. */
TEST(test_syn_sent_segment_without_syn_is_dropped)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, ". 1:1(0) ack 1");
	seg_in(c, "F. 1:1(0) ack 1");
	seg_in(c, "P 1:11(10)");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_free(c);
}

/* RFC 9293 3.10.7.3, fourth: text in the SYN-ACK may be taken or not, but is delivered once. */
TEST(test_syn_sent_text_in_synack_is_delivered_once)
{
	struct tcp_conn *c = conn_syn_sent(NULL);
	struct pkt p;

	seg_in(c, "S. 0:10(10) ack 1 <mss 1460>");
	CHECK(seg_take(c, &p));
	CHECK(p.ack == 1 || p.ack == 11);
	seg_forget(c);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 100), 10);
	CHECK_EQ(conn_read(c, 100), -EAGAIN);
	conn_free(c);
}

/* ---- simultaneous open: RFC 9293 3.5, figure 7 ----------------------------------------------- */

TEST(test_simultaneous_open_answers_with_synack)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STATE(c, TCP_SYN_RECV);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_poll(c) & POLLOUT, POLLOUT);
	seg_none(c);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

/* Each side's SYN-ACK repeats its SYN, which lies before the other's window, and acknowledges. */
TEST(test_simultaneous_open_completes_by_crossing_synacks)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STATE(c, TCP_ESTABLISHED);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

TEST(test_simultaneous_open_rst_refuses)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	/* RFC 9293 3.10.7.4, second: active open: "connection refused", CLOSED. */
	seg_in(c, "R. 1:1(0) ack 1");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ECONNREFUSED);
	conn_free(c);
}

TEST(test_simultaneous_open_synack_is_retransmitted)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_wait(c, 2000);
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* RFC 9293 3.10.4: closed before it is established: the FIN follows the handshake. */
TEST(test_simultaneous_open_close_sends_fin_when_established)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_close(c);
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "F. 1:1(0) ack 1");
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* RFC 6298 2.1, 5.5: after 1 s, then twice as long each time; six retries as Linux. */
TEST(test_syn_retransmission_backs_off_and_times_out)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	for (unsigned int rto = 1000; rto <= 32000; rto *= 2) {
		CHECK_EQ(seg_wait(c, 100000), rto);
		seg_out(c, "S 0:0(0) <...>");
	}
	conn_ms(c, 63000);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_ms(c, 1000);
	CHECK_STATE(c, TCP_CLOSE);
	seg_none(c);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

TEST(test_syncnt_bounds_the_retries)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_SYNCNT, 1), 0);
	CHECK_EQ(seg_wait(c, 5000), 1000);
	seg_out(c, "S 0:0(0) <...>");
	conn_ms(c, 2000);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	seg_none(c);
	conn_free(c);
}

/* RFC 9293 3.8.3 (MUST-23): who wants three minutes for a SYN can have them; Linux's default gives 127 s. */
TEST(test_syncnt_allows_three_minutes)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_SYNCNT, 7), 0);
	conn_ms(c, 180000);
	CHECK_STATE(c, TCP_SYN_SENT);
	CHECK_EQ(seg_forget(c), 7);
	conn_ms(c, 75000);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

/* RFC 6298 5.7: a SYN that had to be sent again leaves an RTO of 3 s. */
TEST(test_lost_syn_starts_text_with_3_s)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_EQ(seg_wait(c, 5000), 1000);
	seg_out(c, "S 0:0(0) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(seg_wait(c, 5000), 3000);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

/* ---- the program ----------------------------------------------------------------------------- */

/* RFC 9293 3.10.4, SYN-SENT: delete the TCB; nothing is sent. */
TEST(test_close_in_syn_sent_is_silent)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	conn_close(c);
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	seg_in(c, "S. 0:0(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	conn_free(c);
}

TEST(test_socket_connects_again_after_a_refusal)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "R. 0:0(0) ack 1");
	CHECK_EQ(conn_connect(c), -ECONNREFUSED); /* tells the outcome first, as Linux */
	c->iss_known = false;
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	seg_out(c, "S 0:0(0) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_write(c, 5), 5);
	seg_out(c, "P. 1:6(5) ack 1");
	conn_free(c);
}

TEST(test_write_in_syn_sent_waits)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_EQ(conn_write(c, 5), -EAGAIN);
	CHECK_EQ(conn_read(c, 5), -EAGAIN);
	conn_free(c);
}

/* RFC 9293 3.9.2.3, MUST-57: no connection to a group or to all. */
TEST(test_connect_to_broadcast_is_refused)
{
	struct tcp_conn *c = bound_socket();

	CHECK_LT(sock_connect(c->sock, conn_addr(PKT_IP(10, 0, 0, 255), 80),
			      sizeof(struct sockaddr_in)),
		 0);
	CHECK_LT(sock_connect(c->sock, conn_addr(PKT_IP(224, 0, 0, 5), 80),
			      sizeof(struct sockaddr_in)),
		 0);
	seg_none(c);
	conn_free(c);
}

/* RFC 6056 3.1: the local port is taken from the ephemeral range. */
TEST(test_connect_chooses_an_ephemeral_port)
{
	struct tcp_conn *c = conn_new(NULL);
	struct pkt p;

	c->pport = 80;
	c->sock = conn_socket(c);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	CHECK(pkt_take_ip(c->dev, &p));
	CHECK_GE(p.sport, 32768);
	CHECK_LT(p.sport, 61000);
	conn_free(c);
}

/*
 * RFC 7323 3.2: an echo that we never sent belongs to an older connection; counted as PAWSActive
 * by Linux.
 */
TEST(test_syn_sent_synack_with_a_foreign_echo_gets_rst)
{
	struct tcp_conn *c = conn_new(NULL);

	c->pport = 80;
	c->lport = 5000;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 5000), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	seg_out(c, "S 0:0(0) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 5 ecr -100000>");
	seg_out(c, "R 1:1(0) win 0");
	CHECK_STATE(c, TCP_SYN_SENT);
	CHECK_EQ(c->net->mib[MIB_TcpExtPAWSActive], 1);
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 5 ecr 0>");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 5>");
	conn_free(c);
}

TEST(test_user_timeout_bounds_a_connect)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	conn_ms(c, 4500);
	CHECK_STATE(c, TCP_SYN_SENT);
	conn_ms(c, 3000);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}
