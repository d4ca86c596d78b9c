/* SPDX-License-Identifier: MIT */
/*
 * Retransmissions that were not needed: a D-SACK tells (RFC 2883, RFC 3708), and the window comes
 * back.
 */
#include "tests/unit/tcp_fixture.h"

static const struct tcp_params sack_on = { .sack = true };

#define SEG(n) (1 + 1460 * (n))

/* Ten segments in flight, the window just as large. */
static struct tcp_conn *ten_in_flight(void)
{
	struct tcp_conn *c = conn_established(&sack_on);

	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	return c;
}

/* How many segments go out when there is plenty to send and nothing in flight. */
static unsigned int window(struct tcp_conn *c)
{
	CHECK_EQ(conn_write(c, 60 * 1460), 60 * 1460);
	return seg_forget(c);
}

static void reordered(struct tcp_conn *c)
{
	for (unsigned int n = 2; n <= 4; n++)
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(n));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_forget(c);
}

/* The retransmission was needed: the window stays reduced (RFC 9438 4.6). */
TEST(test_needed_retransmission_keeps_the_window_small)
{
	struct tcp_conn *c = ten_in_flight();

	reordered(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_LE(window(c), 8);
	conn_free(c);
}

/* It was late, not lost: both copies arrived. */
TEST(test_needless_fast_retransmit_is_undone)
{
	struct tcp_conn *c = ten_in_flight();

	reordered(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(0), SEG(1));
	CHECK_GE(window(c), 10);
	conn_free(c);
}

TEST(test_needless_fast_retransmit_is_undone_while_recovering)
{
	struct tcp_conn *c = ten_in_flight();

	reordered(c);
	/*
	 * The late original makes the ACK move, the copy gives the D-SACK; the rest is still under
	 * way.
	 */
	seg_in(c, ". 1:1(0) ack %u", SEG(4));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(4), SEG(0), SEG(1));
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_GE(window(c), 10);
	conn_free(c);
}

/* A path that reorders has shown itself: next time three are not enough, time has to pass (RFC 8985 6.2). */
TEST(test_reordering_takes_the_threshold_away)
{
	struct tcp_conn *c = ten_in_flight();

	reordered(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(0), SEG(1));
	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	for (unsigned int n = 12; n <= 14; n++)
		seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(11), SEG(n));
	seg_none(c);
	for (unsigned int n = 15; n <= 19; n++)
		seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(11), SEG(n));
	seg_none(c);
	conn_ms(c, 1);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(10), SEG(11));
	conn_free(c);
}

TEST(test_needless_timeout_is_undone)
{
	struct tcp_conn *c = ten_in_flight();

	CHECK_EQ(seg_wait(c, 1000), 2); /* the loss probe */
	CHECK_EQ(seg_forget(c), 1);
	seg_wait(c, 1000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(0), SEG(1));
	CHECK_GE(window(c), 10);
	conn_free(c);
}

/* Two were sent again and only one of them was needless. */
TEST(test_half_needless_is_not_undone)
{
	struct tcp_conn *c = ten_in_flight();

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(3), SEG(9), SEG(1), SEG(2));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_out(c, ". %u:%u(1460) ack 1", SEG(2), SEG(3));
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(0), SEG(1));
	CHECK_LE(window(c), 7);
	conn_free(c);
}

/* A D-SACK for what the network doubled, long before: nothing to undo. */
TEST(test_dsack_of_something_else_undoes_nothing)
{
	struct tcp_conn *c = conn_established(&sack_on);

	CHECK_EQ(conn_write(c, 1460), 1460);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack 1461");
	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	for (unsigned int n = 3; n <= 5; n++)
		seg_in(c, ". 1:1(0) ack 1461 <nop,nop,sack %u:%u>", SEG(2), SEG(n));
	seg_out(c, ". 1461:2921(1460) ack 1");
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack 1:1461>", SEG(11));
	CHECK_LE(window(c), 8);
	conn_free(c);
}
