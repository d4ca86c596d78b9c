/* SPDX-License-Identifier: MIT */
/* Retransmission without SACK: RFC 6298 (timeout), RFC 5681 and 6582 (fast retransmit, NewReno). */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/*
 * A connection without delay in its handshake has an RTT near 0: the RTO is at its floor, 200 ms.
 */
#define RTO_MIN 200

/* Sends @n full segments and takes them off the device. */
static void send_segments(struct tcp_conn *c, unsigned int n)
{
	CHECK_EQ(conn_write(c, 1460 * (size_t)n), 1460 * n);
	CHECK_EQ(seg_forget(c), n);
}

/* ---- the timeout: RFC 6298 ------------------------------------------------------------------- */

TEST(test_rto_retransmits_the_first_segment)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 3);
	CHECK_EQ(seg_wait(c, 2000), RTO_MIN);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c); /* RFC 6298 5.4: the earliest only */
	conn_free(c);
}

/* RFC 6298 5.5: doubling */
TEST(test_rto_backs_off)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int rto = RTO_MIN;

	send_segments(c, 1);
	for (int i = 0; i < 8; i++, rto *= 2) {
		CHECK_EQ(seg_wait(c, 200000), rto);
		CHECK_EQ(seg_forget(c), 1);
	}
	conn_free(c);
}

/* RFC 6298 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR = 3 R. Second 2.3. */
TEST(test_rto_follows_the_round_trip_time)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_ms(c, 400);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	send_segments(c, 1);
	CHECK_EQ(seg_wait(c, 5000), 1200);
	conn_free(c);
}

TEST(test_rto_second_sample_is_smoothed)
{
	struct tcp_conn *c = conn_listening(NULL);
	unsigned int ms;

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_ms(c, 400);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	send_segments(c, 1);
	conn_ms(c, 400);
	seg_in(c, ". 1:1(0) ack 1461");
	send_segments(c, 1);
	/* 2.3: RTTVAR = 3/4 * 200 + 1/4 * 0 = 150, SRTT = 400: RTO = 1000. */
	ms = seg_wait(c, 5000);
	CHECK_GE(ms, 990);
	CHECK_LE(ms, 1010);
	conn_free(c);
}

/* RFC 6298 5.3: an ACK of new text restarts the timer. */
TEST(test_rto_restarts_on_progress)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 2);
	conn_ms(c, 150);
	seg_in(c, ". 1:1(0) ack 1461");
	conn_ms(c, 190);
	seg_none(c);
	seg_wait(c, 1000);
	seg_out(c, "P. 1461:2921(1460) ack 1");
	conn_free(c);
}

/* RFC 6298 5.2: all acknowledged: the timer is off. */
TEST(test_rto_is_off_when_nothing_is_in_flight)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 2);
	seg_in(c, ". 1:1(0) ack 2921");
	conn_ms(c, 100000);
	seg_none(c);
	conn_free(c);
}

/*
 * RFC 6298 3 (Karn): a retransmitted segment gives no sample, and the backed-off RTO stays till
 * one does.
 */
TEST(test_karn_keeps_the_backed_off_rto)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 1);
	CHECK_EQ(seg_wait(c, 1000), RTO_MIN);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 100);
	/*
	 * This ACK may be of either transmission. If it were taken as a sample the RTO would be 3
	 * * 300.
	 */
	seg_in(c, ". 1:1(0) ack 1461");
	send_segments(c, 1);
	CHECK_LE(seg_wait(c, 5000), 2 * RTO_MIN);
	conn_free(c);
}

/* RFC 9293 3.8.3 R2: gives up after 100 s at least; ETIMEDOUT. */
/* RFC 9293 3.8.3 (SHLD-10): from the third time-out on (R1) the route is looked up again. */
TEST(test_route_is_doubted_after_r1)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 1);
	for (int i = 0; i < 2; i++) {
		seg_wait(c, 60000);
		CHECK_EQ(seg_forget(c), 1);
		CHECK_NE(tcp_sk(c->sock->sk)->inet.dst.gen, 0);
	}
	seg_wait(c, 60000);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(tcp_sk(c->sock->sk)->inet.dst.gen, 0);
	conn_free(c);
}

TEST(test_retransmission_gives_up)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int n = 0, ms = 0;

	send_segments(c, 1);
	while (conn_state(c) == TCP_ESTABLISHED && ms < 3000000) {
		conn_ms(c, 1000);
		ms += 1000;
		n += seg_forget(c);
	}
	CHECK_GE(ms, 100000);
	CHECK_LE(ms, 1100000); /* 15 doublings from 200 ms bounded by 120 s: 924.6 s, as Linux */
	CHECK_GE(n, 10);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	CHECK_EQ(conn_read(c, 10), 0);
	conn_free(c);
}

/* RFC 5482: TCP_USER_TIMEOUT */
TEST(test_user_timeout_bounds_retransmission)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int ms = 0;

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	send_segments(c, 1);
	for (; conn_state(c) == TCP_ESTABLISHED && ms < 100000; ms += 100)
		conn_ms(c, 100);
	CHECK_GE(ms, 5000);
	CHECK_LE(ms, 6000);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

/* A late ACK after a timeout moves everything on; nothing is sent again. */
TEST(test_rto_recovers_by_ack_of_everything)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 4);
	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack 5841");
	seg_none(c);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_out(c, "P. 5841:5941(100) ack 1");
	conn_free(c);
}

/* RFC 5681 3.1: after a timeout the window is one segment and opens by slow start. */
TEST(test_rto_then_slow_start_resends_the_rest)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 8);
	seg_wait(c, 1000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1461");
	seg_out(c, ". 1461:2921(1460) ack 1");
	seg_out(c, ". 2921:4381(1460) ack 1");
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 4381");
	/* Two were acknowledged; two more than before may be in flight: 4381 .. 11681 are left. */
	CHECK_GE(seg_forget(c), 2);
	seg_in(c, ". 1:1(0) ack 11681");
	seg_none(c);
	conn_free(c);
}

/* ---- fast retransmit: RFC 5681 3.2 ----------------------------------------------------------- */

static void dup_ack(struct tcp_conn *c, unsigned int n, uint32_t ack)
{
	while (n--)
		seg_in(c, ". 1:1(0) ack %u", ack);
}

TEST(test_three_duplicate_acks_retransmit)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 10);
	dup_ack(c, 2, 1);
	seg_none(c);
	dup_ack(c, 1, 1);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPRenoRecovery], 1);
	conn_free(c);
}

/* RFC 3042: each of the first two duplicate ACKs lets one new segment go. */
TEST(test_limited_transmit_sends_new_segments)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 15 * 1460), 15 * 1460);
	CHECK_EQ(seg_forget(c), 10);
	dup_ack(c, 1, 1);
	seg_out(c, ". 14601:16061(1460) ack 1");
	dup_ack(c, 1, 1);
	seg_out(c, ". 16061:17521(1460) ack 1");
	seg_none(c);
	conn_free(c);
}

/* RFC 5681 2: what is no duplicate ACK does not count: text, a window update, nothing in flight. */
TEST(test_window_updates_are_no_duplicate_acks)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 10);
	for (unsigned int i = 1; i <= 5; i++)
		seg_in(c, ". 1:1(0) ack 1 win %u", 60000 - i);
	seg_none(c);
	conn_free(c);
}

TEST(test_segments_with_text_are_no_duplicate_acks)
{
	struct tcp_conn *c = conn_established(NULL);
	struct pkt p;

	send_segments(c, 10);
	for (unsigned int i = 0; i < 5; i++)
		seg_in(c, "P. %u:%u(10) ack 1", 1 + 10 * i, 11 + 10 * i);
	while (seg_take(c, &p))
		CHECK_EQ(p.payload_len, 0);
	conn_free(c);
}

/*
 * RFC 6582 3.2 (3): a partial ACK retransmits the next hole at once; a full one ends the recovery.
 */
TEST(test_newreno_partial_ack_retransmits_the_next)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 10);
	dup_ack(c, 3, 1);
	seg_out(c, ". 1:1461(1460) ack 1");
	dup_ack(c, 5, 1);
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 4381");
	seg_out(c, ". 4381:5841(1460) ack 1");
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 14601");
	seg_none(c);
	conn_free(c);
}

/*
 * RFC 5681 3.2 (2), (3): halved, and inflated by what has left: new segments go while duplicates
 * arrive.
 */
TEST(test_newreno_sends_new_text_during_recovery)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .cong = "reno" });
	unsigned int n;

	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	dup_ack(c, 3, 1);
	seg_out(c, ". 1:1461(1460) ack 1");
	CHECK_EQ(conn_write(c, 14600), 14600);
	seg_none(c);
	/* ssthresh = 5; 10 in flight, 3 have left, 1 sent again: 8. After 6 more, 3 may go. */
	dup_ack(c, 6, 1);
	n = seg_forget(c);
	CHECK_GE(n, 2);
	CHECK_LE(n, 4);
	conn_free(c);
}

TEST(test_fast_retransmit_lost_again_falls_back_to_the_timeout)
{
	struct tcp_conn *c = conn_established(NULL);

	send_segments(c, 10);
	dup_ack(c, 9, 1);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	CHECK_LE(seg_wait(c, 1000), 2 * RTO_MIN);
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_free(c);
}

/* A lost FIN is found like lost text: its number counts. */
TEST(test_fin_is_part_of_what_is_retransmitted)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	seg_forget(c);
	conn_shutdown(c, SHUT_WR);
	seg_out(c, "F. 101:101(0) ack 1");
	seg_wait(c, 1000);
	seg_out(c, "FP. 1:101(100) ack 1");
	conn_free(c);
}
