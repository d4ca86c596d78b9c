/* SPDX-License-Identifier: MIT */
/*
 * TCP in ESTABLISHED: acceptability, challenge ACKs, delayed ACK, Nagle, persist, keepalive, PSH.
 */
#include "tests/unit/tcp_fixture.h"

#include <poll.h>

#include "stack/tcp/tcp.h"

/*
 * Uses up the quick ACKs of a fresh connection, so that the next ones are delayed; relative end of
 * text.
 */
static uint32_t become_slow(struct tcp_conn *c)
{
	uint32_t seq = 1;

	for (int i = 0; i < 40; i++, seq += 100) {
		bool slow;

		seg_in(c, "P. %u:%u(100) ack 1", seq, seq + 100);
		slow = seg_forget(c) == 0;
		if (slow)
			seg_ack_within(c, 500, seq + 100);
		CHECK_EQ(conn_read(c, 100), 100);
		if (slow)
			return seq + 100;
		conn_ms(c, 20);
	}
	CHECK_MSG(false, "each of 40 segments was acknowledged at once");
	return 0;
}

/* ---- first: check sequence number (RFC 9293 3.10.7.4, 3.4) ----------------------------------- */

TEST(test_established_text_is_delivered_and_acked)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:101(100) ack 1");
	CHECK_EQ(conn_poll(c) & POLLIN, POLLIN);
	CHECK_EQ(conn_read(c, 1000), 100);
	CHECK_EQ(conn_read(c, 1000), -EAGAIN);
	seg_ack_within(c, 500, 101);
	conn_free(c);
}

TEST(test_established_duplicate_text_is_acked_again)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:101(100) ack 1");
	seg_ack_within(c, 500, 101);
	seg_in(c, "P. 1:101(100) ack 1");
	seg_out(c, ". 1:1(0) ack 101");
	CHECK_EQ(conn_read(c, 1000), 100);
	CHECK_EQ(conn_read(c, 1000), -EAGAIN);
	conn_free(c);
}

TEST(test_established_overlap_is_trimmed)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:101(100) ack 1");
	seg_in(c, "P. 51:201(150) ack 1");
	CHECK_EQ(conn_read(c, 1000), 200);
	conn_free(c);
}

TEST(test_established_segment_left_of_window_gets_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 0:0(0) ack 1"); /* what a keepalive looks like: RFC 9293 3.8.4, MUST-29 */
	seg_out(c, ". 1:1(0) ack 1");
	seg_none(c);
	conn_free(c);
}

TEST(test_established_segment_right_of_window_gets_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 300000:300010(10) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	conn_free(c);
}

TEST(test_established_out_of_order_is_acked_at_once_and_joined)
{
	struct tcp_conn *c = conn_established(NULL);

	/* RFC 5681 4.2: an immediate duplicate ACK; again when the gap is filled. */
	seg_in(c, "P. 101:201(100) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	seg_in(c, "P. 1:101(100) ack 1");
	seg_out(c, ". 1:1(0) ack 201");
	CHECK_EQ(conn_read(c, 1000), 200);
	conn_free(c);
}

TEST(test_established_text_beyond_window_is_cut)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 8192 });
	uint32_t win, seq = 1;

	/* RFC 9293 3.10.7.4: "segments ... trimmed to the window". Fill it, past its end. */
	for (int i = 0; i < 40; i++, seq += 500)
		seg_in(c, ". %u:%u(500) ack 1", seq, seq + 500);
	conn_ms(c, 1000);
	CHECK_GE(seg_forget(c), 1);
	win = c->last.ack - 1;
	CHECK_LT(win, 40 * 500);
	CHECK_EQ(conn_read(c, 100000), win);
	conn_free(c);
}

/* ---- second: RST (RFC 9293 3.10.7.4, RFC 5961 3.2) ------------------------------------------- */

TEST(test_established_rst_at_rcv_nxt_resets)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "R 1:1(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_poll(c) & (POLLIN | POLLERR | POLLHUP), POLLIN | POLLERR | POLLHUP);
	CHECK_EQ(conn_read(c, 10), -ECONNRESET);
	CHECK_EQ(conn_read(c, 10), 0);
	CHECK_EQ(conn_write(c, 10), -EPIPE);
	conn_free(c);
}

TEST(test_established_rst_in_window_gets_challenge_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "R 2:2(0)");
	seg_out(c, ". 1:1(0) ack 1");
	seg_none(c);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPChallengeACK], 1);
	conn_free(c);
}

TEST(test_established_rst_outside_window_is_dropped)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "R 0:0(0)");
	seg_in(c, "R 300000:300000(0)");
	seg_none(c);
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_established_rst_keeps_text_received_before)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1");
	seg_in(c, "R 11:11(0)");
	CHECK_STATE(c, TCP_CLOSE);
	/* As Linux: what arrived is still readable, or the error comes first; then the end. */
	CHECK_EQ(conn_poll(c) & POLLERR, POLLERR);
	conn_free(c);
}

TEST(test_established_write_after_rst_reports_reset_once)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "R 1:1(0)");
	CHECK_EQ(conn_write(c, 10), -ECONNRESET);
	CHECK_EQ(conn_write(c, 10), -EPIPE);
	conn_free(c);
}

/* ---- fourth: SYN (RFC 9293 3.10.7.4, RFC 5961 4.2) ------------------------------------------- */

TEST(test_established_syn_in_window_gets_challenge_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "S 10:10(0)");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_established_syn_outside_window_gets_challenge_ack)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "S 3000000:3000000(0)");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

/* The handshake's ACK was lost and the SYN-ACK came again. */
TEST(test_established_repeated_synack_is_acked)
{
	struct tcp_conn *c = conn_connected(NULL);

	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

static unsigned int challenges(struct tcp_conn *c, unsigned int resets)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < resets; i++) {
		seg_in(c, "R %u:%u(0)", 2 + i, 2 + i);
		n += seg_forget(c);
	}
	return n;
}

/* RFC 5961 7: challenge ACKs are limited, each connection by itself to one in tcp_invalid_ratelimit. */
TEST(test_established_challenge_acks_are_limited)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(challenges(c, 3000), 1);
	conn_ms(c, 499);
	CHECK_EQ(challenges(c, 10), 0);
	conn_ms(c, 1);
	CHECK_EQ(challenges(c, 10), 1);
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPChallengeACK], 2);
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

/* What all connections share is off, since it tells one of the others; set, it is about that number. */
TEST(test_established_challenge_acks_of_the_namespace)
{
	struct tcp_conn *c = conn_established(NULL);
	struct tcp_sysctls *sysctl = &c->net->tcp->sysctl;
	unsigned int n;

	sysctl->invalid_ratelimit_ms = 0;
	CHECK_EQ(challenges(c, 3000), 3000);
	sysctl->challenge_ack_limit = 100;
	for (int second = 0; second < 5; second++) {
		n = challenges(c, 1000);
		CHECK_GE(n, 50);
		CHECK_LT(n, 150);
		conn_ms(c, 1000);
	}
	sysctl->challenge_ack_limit = 0;
	CHECK_EQ(challenges(c, 10), 0);
	conn_free(c);
}

/* ---- fifth: ACK (RFC 9293 3.10.7.4, RFC 5961 5.2) -------------------------------------------- */

TEST(test_established_segment_without_ack_is_dropped)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P 1:11(10)");
	seg_none(c);
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	conn_free(c);
}

TEST(test_established_ack_of_unsent_is_acked_and_dropped)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 2");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	conn_free(c);
}

TEST(test_established_ack_far_in_the_past_is_challenged)
{
	struct tcp_conn *c = conn_established(NULL);

	/* RFC 5961 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK does not hold. */
	seg_in(c, "P. 1:11(10) ack -200000");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	conn_free(c);
}

/* Within RFC 5961's bound, but of what was never sent: as Linux. */
TEST(test_established_ack_from_before_the_connection_is_challenged)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack -100");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	conn_free(c);
}

/* RFC 6864 4.1 lets an unfragmentable packet have any identification; a connection counts, as on Linux. */
TEST(test_established_packets_are_counted_by_their_identification)
{
	struct tcp_conn *c = conn_established(NULL);
	uint16_t id;

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	id = c->last.id;
	seg_in(c, ". 1:1(0) ack 11");
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 11:21(10) ack 1");
	CHECK_EQ(c->last.id, (uint16_t)(id + 1));
	seg_in(c, "P. 1:11(10) ack 21");
	seg_out(c, ". 21:21(0) ack 11");
	CHECK_EQ(c->last.id, (uint16_t)(id + 2));
	conn_free(c);
}

TEST(test_established_old_ack_still_carries_text)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	seg_out(c, "P. 1:101(100) ack 1");
	seg_in(c, ". 1:1(0) ack 101");
	seg_in(c, "P. 1:11(10) ack 1"); /* overtaken: duplicate ACK, new text */
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

/* ---- delayed ACK (RFC 9293 3.8.6.3, RFC 5681 4.2) -------------------------------------------- */

TEST(test_delayed_ack_of_a_single_segment_within_half_a_second)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq = become_slow(c);

	seg_in(c, "P. %u:%u(100) ack 1", seq, seq + 100);
	seg_none(c);
	seg_ack_within(c, 500, seq + 100);
	conn_free(c);
}

/* What was the end of a write, by its size, is acknowledged when the program has read all of it. As Linux. */
TEST(test_small_segment_is_acked_when_it_has_been_read)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq = become_slow(c);

	seg_in(c, "P. %u:%u(100) ack 1", seq, seq + 100);
	seg_none(c);
	CHECK_EQ(conn_read(c, 99), 99);
	seg_none(c);
	CHECK_EQ(conn_read(c, 1), 1);
	seg_out(c, ". 1:1(0) ack %u", seq + 100);
	conn_ms(c, 500);
	seg_none(c);
	conn_free(c);
}

TEST(test_delayed_ack_at_least_every_second_full_segment)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq = become_slow(c);
	unsigned int acks = 0;

	for (int i = 0; i < 10; i++, seq += 1460) {
		seg_in(c, ". %u:%u(1460) ack 1", seq, seq + 1460);
		CHECK_EQ(conn_read(c, 1460), 1460);
		acks += seg_forget(c);
	}
	CHECK_GE(acks, 5); /* MUST-59: a stream of full segments: every second one */
	conn_free(c);
}

TEST(test_delayed_ack_rides_on_an_answer)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq = become_slow(c);

	seg_in(c, "P. %u:%u(100) ack 1", seq, seq + 100);
	seg_none(c);
	CHECK_EQ(conn_write(c, 50), 50);
	seg_out(c, "P. 1:51(50) ack %u", seq + 100);
	CHECK_EQ(conn_read(c, 100), 100);
	conn_ms(c, 150);
	seg_none(c);
	conn_free(c);
}

/* A pause between request and answer does not make the next request's ACK a segment of its own. */
TEST(test_delayed_ack_of_an_interactive_connection_waits_also_after_a_pause)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t seq = 1, sent = 1;

	for (int i = 0; i < 5; i++, seq += 100, sent += 50) {
		seg_in(c, "P. %u:%u(100) ack %u", seq, seq + 100, sent);
		if (i > 1)
			seg_none(c);
		CHECK_EQ(conn_read(c, 100), 100);
		CHECK_EQ(conn_write(c, 50), 50);
		seg_forget(c);
		CHECK_EQ(c->last.seq, sent);
		CHECK_EQ(c->last.payload_len, 50);
		seg_in(c, ". %u:%u(0) ack %u", seq + 100, seq + 100, sent + 50);
		conn_ms(c, 5000);
		seg_none(c);
	}
	conn_free(c);
}

/* ---- Nagle (RFC 9293 3.7.4) and PSH (3.9.1.2, MUST-61) --------------------------------------- */

TEST(test_nagle_holds_a_second_small_segment)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 11");
	seg_out(c, "P. 11:31(20) ack 1");
	conn_free(c);
}

TEST(test_nagle_lets_full_segments_go)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write(c, 1470), 1470);
	seg_out(c, ". 11:1471(1460) ack 1");
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1471");
	seg_out(c, "P. 1471:1481(10) ack 1");
	conn_free(c);
}

TEST(test_nodelay_turns_nagle_off)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .nodelay = true });

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 11:21(10) ack 1");
	conn_free(c);
}

TEST(test_setting_nodelay_pushes_what_nagle_held)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write(c, 10), 10);
	seg_none(c);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	seg_out(c, "P. 11:21(10) ack 1");
	conn_free(c);
}

TEST(test_psh_is_on_the_last_segment_of_a_write)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 4380), 4380);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_out(c, ". 1461:2921(1460) ack 1");
	seg_out(c, "P. 2921:4381(1460) ack 1");
	conn_free(c);
}

TEST(test_fin_pushes_what_nagle_held)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write(c, 10), 10);
	conn_shutdown(c, SHUT_WR);
	seg_out(c, "FP. 11:21(10) ack 1");
	conn_free(c);
}

TEST(test_cork_holds_a_partial_segment_for_200_ms)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_none(c);
	CHECK_EQ(conn_write(c, 1460), 1460);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_CORK, 0), 0);
	seg_out(c, "P. 1461:1471(10) ack 1");
	conn_free(c);
}

TEST(test_cork_gives_way_in_the_end)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_CORK, 1), 0);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_none(c);
	seg_wait(c, 1100);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

TEST(test_msg_more_holds_a_partial_segment)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write_flags(c, 10, MSG_MORE), 10);
	seg_none(c);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:21(20) ack 1");
	conn_free(c);
}

/* ---- persist timer (RFC 9293 3.8.6.1) -------------------------------------------------------- */

TEST(test_persist_probes_a_closed_window_and_backs_off)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int last = 0, ms;

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	seg_none(c);
	/*
	 * MUST-36: keeps probing; MUST-37: for as long as it is answered. SHLD-30: growing
	 * intervals.
	 */
	for (int i = 0; i < 30; i++) {
		ms = seg_wait(c, 125000);
		CHECK_GE(ms, last);
		last = ms;
		CHECK_EQ(seg_forget(c), 1);
		CHECK_LE(c->last.payload_len, 1);
		seg_in(c, ". 1:1(0) ack 1 win 0");
	}
	CHECK_GT(last, 1000);
	seg_in(c, ". 1:1(0) ack 1 win 65535");
	seg_out(c, "P. 1:101(100) ack 1");
	conn_free(c);
}

TEST(test_persist_ends_when_nobody_answers)
{
	struct tcp_conn *c = conn_established(NULL);
	int i;

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	for (i = 0; i < 60 && conn_state(c) == TCP_ESTABLISHED; i++)
		conn_ms(c, 60000);
	CHECK_LT(i, 60);
	/* RFC 9293 3.8.3: R2 is at least 100 s. */
	CHECK_GE(i, 2);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

/* ---- silly window avoidance, sender (RFC 9293 3.8.6.2.1) ------------------------------------- */

TEST(test_sws_sender_waits_for_a_worthwhile_window)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 5000), 5000);
	seg_none(c);
	seg_in(c,
	       ". 1:1(0) ack 1 win 100"); /* neither a full segment nor half the largest window */
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1 win 1460");
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	conn_free(c);
}

TEST(test_sws_sender_overrides_after_a_timeout)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 5000), 5000);
	seg_in(c, ". 1:1(0) ack 1 win 100");
	seg_none(c);
	seg_wait(c, 2000); /* case 4: "if PUSHed data and the override timeout occurs" */
	seg_out(c, "P. 1:101(100) ack 1");
	conn_free(c);
}

/* ---- keepalive (RFC 9293 3.8.4) -------------------------------------------------------------- */

static struct tcp_conn *with_keepalive(void)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_KEEPIDLE, 60), 0);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_KEEPINTVL, 10), 0);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_KEEPCNT, 3), 0);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	return c;
}

TEST(test_keepalive_is_off_by_default)
{
	struct tcp_conn *c = conn_established(NULL);

	conn_ms(c, 3 * 7200 * 1000); /* MUST-24 */
	seg_none(c);
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_keepalive_default_interval_is_two_hours)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(seg_wait(c, 8000 * 1000), 7200 * 1000); /* MUST-26: no less than two hours */
	seg_out(c, ". 0:0(0) ack 1");
	conn_free(c);
}

TEST(test_keepalive_goes_on_while_the_peer_answers)
{
	struct tcp_conn *c = with_keepalive();

	for (int i = 0; i < 10; i++) {
		CHECK_EQ(seg_wait(c, 61000), 60000);
		seg_out(c, ". 0:0(0) ack 1");
		seg_in(c, ". 1:1(0) ack 1");
	}
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_keepalive_ends_a_dead_connection)
{
	struct tcp_conn *c = with_keepalive();

	CHECK_EQ(seg_wait(c, 61000), 60000);
	seg_out(c, ". 0:0(0) ack 1");
	CHECK_EQ(seg_wait(c, 11000), 10000);
	seg_out(c, ". 0:0(0) ack 1");
	CHECK_EQ(seg_wait(c, 11000), 10000);
	seg_out(c, ". 0:0(0) ack 1");
	CHECK_EQ(seg_wait(c, 11000), 10000);
	seg_out(c, "R. 1:1(0) ack 1");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

TEST(test_keepalive_waits_from_the_last_segment_received)
{
	struct tcp_conn *c = with_keepalive();

	conn_ms(c, 50000);
	seg_in(c, "P. 1:11(10) ack 1");
	seg_ack_within(c, 500, 11);
	conn_ms(c, 50000);
	seg_none(c);
	seg_wait(c, 11000);
	seg_out(c, ". 0:0(0) ack 11");
	conn_free(c);
}

TEST(test_keepalive_is_silent_while_text_is_in_flight)
{
	struct tcp_conn *c = with_keepalive();
	struct pkt p;

	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(seg_forget(c), 1);
	for (int i = 0; i < 75; i++) {
		conn_ms(c, 1000);
		while (seg_take(c, &p)) /* retransmissions only */
			CHECK_EQ(p.payload_len, 10);
	}
	conn_free(c);
}

/* RFC 5482, RFC 9293 3.8.4: TCP_USER_TIMEOUT also ends what keepalive probes. */
TEST(test_keepalive_ends_by_user_timeout)
{
	struct tcp_conn *c = with_keepalive();

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 65000), 0);
	conn_ms(c, 60500);
	seg_out(c, ". 0:0(0) ack 1");
	conn_ms(c, 10500);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

TEST(test_persist_ends_by_user_timeout)
{
	struct tcp_conn *c = conn_established(NULL);
	int s;

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000), 0);
	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	for (s = 0; s < 60 && conn_state(c) == TCP_ESTABLISHED; s++)
		conn_ms(c, 1000);
	CHECK_GE(s, 10);
	CHECK_LE(s, 30);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}

/* ---- half-open connections (RFC 9293 3.5.1, figures 9 and 10) -------------------------------- */

/*
 * The peer has crashed and opens anew: our ACK of what we know makes it reset the old connection.
 */
TEST(test_half_open_is_found_by_a_new_syn)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int wakes = c->wakes;

	seg_in(c, "S 5000:5000(0) <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	seg_in(c, "R 1:1(0)");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_GT(c->wakes, wakes);
	c->irs += 5000;
	c->iss_known = false;
	conn_linger(c, 0);
	conn_close(c);
	conn_handshake(c, true); /* the next try gets through */
	conn_accept(c);
	conn_free(c);
}

/* The peer has forgotten us and says so when we send. */
TEST(test_half_open_is_found_by_sending)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, "R 1:1(0)");
	CHECK_EQ(conn_write(c, 10), -ECONNRESET);
	conn_free(c);
}

/* ---- what wakes the program ------------------------------------------------------------------ */

TEST(test_program_is_woken_by_text_fin_and_reset)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int wakes = c->wakes;

	seg_in(c, ". 1:1(0) ack 1");
	CHECK_EQ(c->wakes, wakes);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_GT(c->wakes, wakes);
	wakes = c->wakes;
	seg_in(c, "F. 11:11(0) ack 1");
	CHECK_GT(c->wakes, wakes);
	wakes = c->wakes;
	seg_in(c, "R 12:12(0)");
	CHECK_GT(c->wakes, wakes);
	conn_free(c);
}

/* RFC 9293 3.10.5 by connect(AF_UNSPEC): reset, and the socket may be used again. */
TEST(test_disconnect_resets_and_frees_the_socket)
{
	struct tcp_conn *c = conn_connected(NULL);
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	CHECK_EQ(sock_connect(c->sock, &none, sizeof(none)), 0);
	seg_out(c, "R. 1:1(0) ack 1");
	CHECK_STATE(c, TCP_CLOSE);
	conn_error(c);
	c->iss_known = false;
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	seg_out(c, "S 0:0(0) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_out(c, ". 1:1(0) ack 1");
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}
