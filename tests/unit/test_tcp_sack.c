/* SPDX-License-Identifier: MIT */
/* SACK: what we report (RFC 2018, 2883) and what we do with a report (RFC 6675). */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

static const struct tcp_params sack_on = { .sack = true };

static struct tcp_conn *sending(unsigned int segments)
{
	struct tcp_conn *c = conn_established(&sack_on);

	CHECK_EQ(conn_write(c, 1460 * (size_t)segments), 1460 * segments);
	CHECK_EQ(seg_forget(c), MIN(segments, 10U));
	return c;
}

/* RFC 6675 alone: RACK and the loss probe would not let it come to a timeout. */
static struct tcp_conn *sending_without_rack(unsigned int segments)
{
	struct tcp_conn *c = conn_established(&sack_on);

	c->net->tcp->sysctl.recovery = c->net->tcp->sysctl.early_retrans = 0;
	CHECK_EQ(conn_write(c, 1460 * (size_t)segments), 1460 * segments);
	CHECK_EQ(seg_forget(c), MIN(segments, 10U));
	return c;
}

/* First and last number of segment @n, from 0. */
#define SEG(n) (1 + 1460 * (n))

/* ---- the receiver: RFC 2018 4 ---------------------------------------------------------------- */

TEST(test_sack_reports_what_lies_beyond_a_gap)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
	conn_free(c);
}

TEST(test_sack_joins_adjacent_segments)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
	seg_in(c, ". 201:301(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:301>");
	seg_in(c, ". 51:101(50) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 51:301>");
	conn_free(c);
}

/*
 * "The first SACK block MUST specify the contiguous block of data containing the segment which
 * triggered"
 */
TEST(test_sack_most_recent_block_goes_first)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
	seg_in(c, ". 501:601(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 501:601 101:201>");
	seg_in(c, ". 301:401(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 301:401 501:601 101:201>");
	seg_in(c, ". 201:251(50) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:251 301:401 501:601>");
	conn_free(c);
}

/* RFC 2018 3: four blocks fit in 40 bytes; the oldest news falls out. */
TEST(test_sack_reports_at_most_four_blocks)
{
	struct tcp_conn *c = conn_established(&sack_on);

	for (unsigned int i = 1; i <= 5; i++)
		seg_in(c, ". %u:%u(10) ack 1", 100 * i, 100 * i + 10);
	CHECK_EQ(seg_forget(c), 5);
	CHECK_EQ(c->last.sacks, 4);
	seg_in(c, ". 600:610(10) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 600:610 500:510 400:410 300:310>");
	conn_free(c);
}

TEST(test_sack_reports_three_blocks_beside_timestamps)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true, .ts = true });

	for (unsigned int i = 1; i <= 4; i++)
		seg_in(c, ". %u:%u(10) ack 1 <nop,nop,TS val 1000 ecr 0>", 100 * i, 100 * i + 10);
	CHECK_EQ(seg_forget(c), 4);
	CHECK_EQ(c->last.sacks, 3);
	CHECK(c->last.ts);
	conn_free(c);
}

TEST(test_sack_ends_when_the_gap_is_filled)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 101:201(100) ack 1");
	seg_in(c, ". 301:401(100) ack 1");
	seg_forget(c);
	seg_in(c, ". 1:101(100) ack 1");
	seg_out(c, ". 1:1(0) ack 201 <nop,nop,sack 301:401>");
	seg_in(c, ". 201:301(100) ack 1");
	seg_out(c, ". 1:1(0) ack 401");
	CHECK_EQ(conn_read(c, 1000), 400);
	conn_free(c);
}

TEST(test_sack_is_not_sent_without_permission)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	conn_free(c);
}

/* RFC 2883 4.1.1: a duplicate below RCV.NXT */
TEST(test_dsack_reports_a_duplicate_below_rcv_nxt)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 1:101(100) ack 1");
	seg_ack_within(c, 500, 101);
	seg_in(c, ". 1:101(100) ack 1");
	seg_out(c, ". 1:1(0) ack 101 <nop,nop,sack 1:101>");
	seg_in(c, ". 101:201(100) ack 1");
	seg_ack_within(c, 500, 201); /* only once */
	CHECK_EQ(c->last.sacks, 0);
	conn_free(c);
}

/* RFC 2883 4.1.3: a duplicate above: D-SACK first, then the block that contains it. */
TEST(test_dsack_reports_a_duplicate_above_a_gap)
{
	struct tcp_conn *c = conn_established(&sack_on);

	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201>");
	seg_in(c, ". 201:301(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:301>");
	seg_in(c, ". 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,sack 101:201 101:301>");
	conn_free(c);
}

/* ---- the sender: RFC 6675 -------------------------------------------------------------------- */

/* RFC 6675 5 (2): three SACKed segments above (IsLost) start the recovery; NextSeg() (1). */
TEST(test_sack_three_segments_above_start_recovery)
{
	struct tcp_conn *c = sending(10);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2));
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(3));
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(4));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPSackRecovery], 1);
	conn_free(c);
}

/* RFC 6675 4 IsLost(): by bytes, one ACK is enough. */
TEST(test_sack_one_ack_with_three_segments_is_enough)
{
	struct tcp_conn *c = sending(10);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(5));
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_free(c);
}

TEST(test_sack_retransmits_only_the_holes)
{
	struct tcp_conn *c = sending(10);

	/* 0 and 2 are missing, 7 to 9 too, which nothing says yet. */
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(3), SEG(7), SEG(1), SEG(2));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(3), SEG(8), SEG(1), SEG(2));
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(3), SEG(9), SEG(1), SEG(2));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(2), SEG(3));
	conn_free(c);
}

/* A hole that is smaller than a segment is filled by what is missing and no more. */
TEST(test_sack_retransmits_no_more_than_the_hole)
{
	struct tcp_conn *c = sending(10);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack 501:8761>");
	seg_out(c, ". 1:501(500) ack 1");
	conn_free(c);
}

/* With super-segments as well: of 0 to 9 only 0, 3 and 4 are missing. */
TEST(test_sack_retransmits_only_the_holes_in_super_segments)
{
	struct tcp_conn *c = conn_established(&sack_on);
	struct pkt p;
	uint32_t covered = 0;

	c->dev->features |= NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
	c->dev->gso_max_size = 65536;
	CHECK_EQ(conn_write(c, 14600), 14600);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(5), SEG(10), SEG(1), SEG(3));
	while (seg_take(c, &p))
		for (uint32_t i = 0; i < 10; i++)
			if ((uint32_t)SEG(i) >= p.seq &&
			    (uint32_t)SEG(i + 1) <= p.seq + p.payload_len)
				covered |= 1U << i;
	CHECK_EQ(covered, 1U << 0 | 1U << 3 | 1U << 4);
	conn_free(c);
}

/* RFC 6675 5 (4): pipe: new text goes out in recovery while enough has left. */
TEST(test_sack_sends_new_text_in_recovery)
{
	struct tcp_conn *c = sending(20);
	unsigned int fresh = 0;
	struct pkt p;

	/* Limited transmit (RFC 3042) for the first two. */
	for (unsigned int n = 2; n <= 9; n++) {
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(n));
		while (seg_take(c, &p)) {
			if (p.seq >= SEG(10))
				fresh++;
			else
				CHECK_EQ(p.seq, 1);
		}
	}
	CHECK_GE(fresh, 2);
	CHECK_LE(fresh, 7);
	conn_free(c);
}

/* A partial ACK in recovery: what is still lost goes on; the full one ends it. */
TEST(test_sack_recovery_ends_at_recovery_point)
{
	struct tcp_conn *c = sending(10);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(10));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_none(c);
	CHECK_EQ(conn_write(c, 1460), 1460);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(10), SEG(11));
	conn_free(c);
}

/* RFC 6675 5 (A): what was SACKed above it is still known when the recovery ends. */
TEST(test_sack_beyond_recovery_point_is_kept)
{
	struct tcp_conn *c = sending_without_rack(20);
	const struct tcp_sock *tp = tcp_sk(c->sock->sk);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(10));
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPSackRecovery], 1);
	CHECK_GE(seg_forget(c), 4); /* the first again, and new text: 10 and so on */
	/* 11 and 12 arrive in front of 10, and then the first. */
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(11), SEG(13), SEG(1), SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(11), SEG(13));
	CHECK_NE(tp->ca_state, CA_RECOVERY);
	CHECK_EQ(tp->sacked_out, 2);
	seg_forget(c);
	/* One more is enough for DupThresh: 10 is lost. */
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(11), SEG(14));
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPSackRecovery], 2);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(10), SEG(11));
	conn_free(c);
}

/* RFC 6675 5 (4) NextSeg() (4): the rescue retransmission of the last segment. */
TEST(test_sack_rescue_retransmits_the_tail)
{
	struct tcp_conn *c = sending(10);
	unsigned int tail = 0;
	struct pkt p;

	/* 0 is lost and so is 9, behind which nothing can be SACKed. */
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(9));
	seg_out(c, ". 1:1461(1460) ack 1");
	while (seg_take(c, &p))
		tail += p.seq == SEG(9);
	/* The retransmission of 0 arrives, a round trip later. */
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack %u", SEG(9));
	while (seg_take(c, &p))
		tail += p.seq == SEG(9);
	CHECK_EQ(tail, 1);
	conn_free(c);
}

/*
 * A retransmission counts as lost only when text that left after it is SACKed: here a second hole
 * is found late in the recovery, with three segments above it that left before it was sent again.
 */
TEST(test_sack_second_hole_of_a_recovery_is_sent_once)
{
	struct tcp_conn *c = sending(16);
	unsigned int resent = 0;
	struct pkt p;

	for (unsigned int n = 2; n <= 10; n++)
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(n));
	seg_forget(c); /* the retransmission of 0, and 10 to 13 at least */
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_forget(c);
	for (unsigned int n = 12; n <= 16; n++) {
		seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(11), SEG(n));
		while (seg_take(c, &p))
			resent += p.seq == SEG(10);
	}
	CHECK_EQ(resent, 1);
	conn_free(c);
}

/* The tail is only under way: it is not sent again. */
TEST(test_sack_rescue_waits_for_a_round_trip)
{
	struct tcp_conn *c = sending(10);
	struct pkt p;

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(9));
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u", SEG(9));
	while (seg_take(c, &p))
		CHECK_NE(p.seq, SEG(9));
	conn_free(c);
}

/* RFC 2018 8: SACK is advisory: after a timeout a reneging receiver must get everything again. */
TEST(test_sack_reneging_is_survived)
{
	struct tcp_conn *c = sending(5);
	struct pkt p;
	uint32_t acked = 1;

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(3));
	seg_forget(c);
	/* The receiver has thrown away what it SACKed and reports nothing more. */
	for (int i = 0; i < 100 && acked < (uint32_t)SEG(5); i++) {
		bool moved = false;

		seg_wait(c, 100000);
		while (seg_take(c, &p)) {
			if (p.seq == acked && p.payload_len) {
				acked += (uint32_t)p.payload_len;
				moved = true;
			}
		}
		if (moved)
			seg_in(c, ". 1:1(0) ack %u", acked);
	}
	CHECK_EQ(acked, SEG(5));
	conn_free(c);
}

/* Blocks that cannot be true are ignored: above SND.NXT, empty, reversed. */
TEST(test_sack_nonsense_is_ignored)
{
	struct tcp_conn *c = sending(10);

	for (int i = 0; i < 5; i++)
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u %u:%u>", SEG(11), SEG(15),
		       SEG(3), SEG(3), SEG(5), SEG(4));
	seg_none(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_none(c);
	conn_free(c);
}

TEST(test_sack_after_a_timeout_skips_what_was_sacked)
{
	struct tcp_conn *c = sending_without_rack(5);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(3));
	seg_none(c);
	seg_wait(c, 1000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u", SEG(3));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(3), SEG(4));
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(4), SEG(5));
	conn_free(c);
}

/*
 * RFC 6298 5.4, RFC 2018 8: after a first timeout the reports still hold; what was SACKed is
 * skipped.
 */
TEST(test_sack_reports_hold_over_a_first_timeout)
{
	struct tcp_conn *c = sending_without_rack(5);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(2), SEG(3));
	seg_none(c);
	seg_wait(c, 1000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(1), SEG(2), SEG(3));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(3), SEG(4));
	seg_none(c);
	conn_free(c);
}
