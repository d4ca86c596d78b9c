/* SPDX-License-Identifier: MIT */
/* The scoreboard: splitting, joining, counting, and doing without memory. */
#include <stdlib.h>

static unsigned int allocations_left = 1000000;

static void *scarce_malloc(size_t n)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(n);
}

#define malloc(n) scarce_malloc(n)
#include "stack/tcp/tcp_sent.c"
#undef malloc

#include "tests/unit/tcp_fixture.h"

#define SEG(n) (1U + 1460U * (n))

static struct tcp_conn *sending(unsigned int segments)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	CHECK_EQ(conn_write(c, segments * 1460UL), segments * 1460);
	CHECK_EQ(seg_forget(c), MIN(segments, 10U));
	return c;
}

static struct tcp_sock *sock_of(const struct tcp_conn *c)
{
	return tcp_sk(c->sock->sk);
}

TEST(test_one_record_a_transmission)
{
	struct tcp_conn *c = sending(10);
	const struct tcp_sock *tp = sock_of(c);

	CHECK_EQ(tp->sent_nr, 10);
	CHECK_EQ(tp->packets_out, 10);
	CHECK_EQ(tcp_pipe(tp), 14600);
	seg_in(c, ". 1:1(0) ack %u", SEG(4) + 100);
	CHECK_EQ(tp->sent_nr, 6);
	CHECK_EQ(tcp_sent_head(tp)->start, tp->snd_una);
	CHECK_EQ(tcp_pipe(tp), 6 * 1460 - 100);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_EQ(tp->sent_nr, 0);
	CHECK_EQ(tp->packets_out, 0);
	CHECK_EQ(tp->delivered_bytes, 14600);
	conn_free(c);
}

/* Adjoining SACKed records become one, whatever the order in which they are reported. */
TEST(test_sacked_records_are_joined)
{
	struct tcp_conn *c = sending(10);
	const struct tcp_sock *tp = sock_of(c);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(8), SEG(9));
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u %u:%u>", SEG(6), SEG(7), SEG(8), SEG(9));
	CHECK_EQ(tp->sent_nr, 10);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(6), SEG(9));
	CHECK_EQ(tp->sent_nr, 8);
	CHECK_EQ(tp->sacked_out, 3);
	CHECK_EQ(tp->sacked_bytes, 3 * 1460);
	conn_free(c);
}

/* A block that ends inside a record counts by the byte. */
TEST(test_sack_splits_a_record)
{
	struct tcp_conn *c = sending(3);
	const struct tcp_sock *tp = sock_of(c);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1) + 100, SEG(1) + 300);
	CHECK_EQ(tp->sacked_bytes, 200);
	CHECK_EQ(tp->sent_nr, 5);
	seg_in(c, ". 1:1(0) ack %u", SEG(3));
	CHECK_EQ(tp->sent_nr, 0);
	CHECK_EQ(tp->sacked_out, 0);
	conn_free(c);
}

/* A peer that SACKs every second byte cannot make us split without end. */
TEST(test_odd_sacks_are_bounded)
{
	struct tcp_conn *c = sending(10);
	const struct tcp_sock *tp = sock_of(c);

	for (uint32_t i = 2; i < 14000; i += 2)
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", i, i + 1);
	CHECK_LE(tp->sent_nr, 2 * tp->packets_out + SPARE_RECORDS);
	CHECK_GE(tp->sacked_bytes, 100);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_EQ(tp->sent_nr, 0);
	conn_free(c);
}

/* Small records that are sent again share a segment; so does a FIN. */
TEST(test_small_records_are_sent_again_together)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true, .nodelay = true });

	sock_of(c)->inet.sk.net->tcp->sysctl.early_retrans = 0;
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(conn_write(c, 100), 100);
		CHECK_EQ(seg_forget(c), 1);
	}
	conn_shutdown(c, SHUT_WR);
	CHECK_EQ(seg_forget(c), 1);
	seg_wait(c, 1000);
	seg_out(c, "FP. 1:501(500) ack 1");
	CHECK_EQ(sock_of(c)->sent_nr, 1);
	conn_free(c);
}

/* ---- without memory -------------------------------------------------------------------------- */

TEST(test_no_record_no_transmission)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	allocations_left = 3;
	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 3);
	allocations_left = 1000000;
	seg_in(c, ". 1:1(0) ack %u", SEG(3));
	CHECK_EQ(seg_forget(c), 7);
	conn_free(c);
}

/* Nothing in flight and no record: the persist timer tries again. */
TEST(test_no_record_at_all_is_tried_again)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	allocations_left = 0;
	CHECK_EQ(conn_write(c, 1460), 1460);
	seg_none(c);
	allocations_left = 1000000;
	seg_wait(c, 2000);
	seg_out(c, "P. 1:1461(1460) ack 1");
	conn_free(c);
}

/* A SACK that cannot be noted is lost like an ACK; what is cumulative repairs it. */
TEST(test_no_memory_to_split_for_a_sack)
{
	struct tcp_conn *c = sending(3);
	const struct tcp_sock *tp = sock_of(c);

	allocations_left = 0;
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1) + 100, SEG(2));
	CHECK_EQ(tp->sacked_bytes, 0);
	CHECK_EQ(tcp_pipe(tp), 3 * 1460);
	allocations_left = 1000000;
	seg_in(c, ". 1:1(0) ack %u", SEG(3));
	CHECK_EQ(tp->sent_nr, 0);
	conn_free(c);
}
