/* SPDX-License-Identifier: MIT */
/* How TCP connections end: RFC 9293 3.6, 3.10.4, 3.10.5, and what orphans and resets do. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#include <poll.h>

/* ---- we close first: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT -------------------------- */

TEST(test_close_sends_fin)
{
	struct tcp_conn *c = conn_established(NULL);

	conn_close(c);
	seg_out(c, "F. 1:1(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	seg_in(c, ". 1:1(0) ack 2");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

TEST(test_close_sends_queued_text_before_fin)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 1460 });

	CHECK_EQ(conn_write(c, 2000), 2000);
	seg_out(c, ". 1:731(730) ack 1");
	seg_out(c, ". 731:1461(730) ack 1");
	conn_close(c);
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1461");
	seg_out(c, "FP. 1461:2001(540) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	seg_in(c, ". 1:1(0) ack 2002");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, fifth, FIN-WAIT-1: an ACK of text alone does not move the state. */
TEST(test_fin_wait1_ack_below_fin_stays)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	conn_shutdown(c, SHUT_WR);
	seg_out(c, "P. 1:101(100) ack 1");
	seg_out(c, "F. 101:101(0) ack 1");
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	seg_in(c, ". 1:1(0) ack 102");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

TEST(test_fin_wait1_fin_is_retransmitted)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	seg_wait(c, 1500);
	seg_out(c, "F. 1:1(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	seg_in(c, ". 1:1(0) ack 2");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, eighth: FIN with the ACK of ours: straight to TIME-WAIT. */
TEST(test_fin_wait1_fin_that_acks_ours_goes_to_time_wait)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	CHECK_EQ(conn_read(c, 10), 0);
	conn_free(c);
}

/* Half-close: RFC 9293 3.6: after our FIN we still receive. */
TEST(test_half_close_still_receives_in_fin_wait1_and_2)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 100), 10);
	seg_ack_within(c, 500, 11);
	seg_in(c, "P. 11:21(10) ack 2");
	CHECK_STATE(c, TCP_FIN_WAIT2);
	CHECK_EQ(conn_read(c, 100), 10);
	seg_ack_within(c, 500, 21);
	CHECK_EQ(conn_write(c, 1), -EPIPE);
	seg_in(c, "F. 21:31(10) ack 2");
	CHECK_EQ(conn_read(c, 100), 10);
	CHECK_EQ(conn_read(c, 100), 0);
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

TEST(test_fin_wait2_of_a_program_lasts)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	conn_ms(c, 600000);
	CHECK_STATE(c, TCP_FIN_WAIT2);
	seg_none(c);
	conn_free(c);
}

/*
 * DEVIATES: RFC 9293 knows no limit; an orphan leaves FIN-WAIT-2 after tcp_fin_timeout, as Linux.
 */
TEST(test_fin_wait2_of_an_orphan_ends_after_60_s)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	conn_close(c);
	conn_ms(c, 59000);
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_ms(c, 2000);
	CHECK_STATE(c, TCP_CLOSE);
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, "R 2:2(0) win 0");
	conn_free(c);
}

TEST(test_fin_wait2_of_an_orphan_takes_the_fin)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	conn_close(c);
	conn_ms(c, 30000);
	seg_in(c, "F. 1:1(0) ack 2");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* ---- simultaneous close: RFC 9293 3.6, figure 13 --------------------------------------------- */

TEST(test_simultaneous_close)
{
	struct tcp_conn *c = conn_closing(NULL);

	seg_in(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	seg_none(c);
	conn_free(c);
}

TEST(test_closing_old_ack_stays)
{
	struct tcp_conn *c = conn_closing(NULL);

	seg_in(c, ". 2:2(0) ack 1");
	CHECK_STATE(c, TCP_CLOSING);
	conn_free(c);
}

TEST(test_closing_retransmits_its_fin)
{
	struct tcp_conn *c = conn_closing(NULL);

	seg_wait(c, 1500);
	seg_out(c, "F. 1:1(0) ack 2");
	conn_free(c);
}

TEST(test_closing_repeated_fin_is_acked)
{
	struct tcp_conn *c = conn_closing(NULL);

	seg_in(c, "F. 1:1(0) ack 1");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_CLOSING);
	conn_free(c);
}

/* ---- the peer closes first: CLOSE-WAIT, LAST-ACK --------------------------------------------- */

TEST(test_fin_is_acked_and_read_as_end)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "FP. 1:11(10) ack 1");
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	seg_ack_within(c, 500, 12);
	CHECK_EQ(conn_poll(c) & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(conn_read(c, 100), 10);
	CHECK_EQ(conn_read(c, 100), 0);
	CHECK_EQ(conn_read(c, 100), 0);
	conn_free(c);
}

TEST(test_close_wait_still_sends)
{
	struct tcp_conn *c = conn_close_wait(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 2");
	seg_in(c, ". 2:2(0) ack 11");
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	conn_free(c);
}

TEST(test_last_ack_ends_without_time_wait)
{
	struct tcp_conn *c = conn_last_ack(NULL);

	seg_in(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_CLOSE);
	seg_none(c);
	conn_free(c);
}

TEST(test_last_ack_retransmits_its_fin)
{
	struct tcp_conn *c = conn_last_ack(NULL);

	seg_wait(c, 1500);
	seg_out(c, "F. 1:1(0) ack 2");
	seg_in(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_last_ack_repeated_fin_is_acked)
{
	struct tcp_conn *c = conn_last_ack(NULL);

	seg_in(c, "F. 1:1(0) ack 1");
	seg_out(c, ". 2:2(0) ack 2");
	CHECK_STATE(c, TCP_LAST_ACK);
	conn_free(c);
}

TEST(test_fin_out_of_order_waits_for_its_turn)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "FP. 11:21(10) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	seg_ack_within(c, 500, 22);
	CHECK_EQ(conn_read(c, 100), 20);
	CHECK_EQ(conn_read(c, 100), 0);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, seventh: text after the peer's FIN is ignored. */
TEST(test_close_wait_text_after_fin_is_ignored)
{
	struct tcp_conn *c = conn_close_wait(NULL);

	seg_in(c, "P. 2:12(10) ack 1");
	CHECK_EQ(conn_read(c, 100), 0);
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	conn_free(c);
}

/* ---- shutdown() ------------------------------------------------------------------------------ */

TEST(test_shutdown_twice_sends_one_fin)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	sock_shutdown(c->sock, SHUT_WR);
	conn_close(c);
	seg_none(c);
	conn_free(c);
}

TEST(test_shutdown_rd_ends_reading_and_sends_nothing)
{
	struct tcp_conn *c = conn_established(NULL);

	conn_shutdown(c, SHUT_RD);
	seg_none(c);
	CHECK_EQ(conn_read(c, 10), 0);
	CHECK_EQ(conn_poll(c) & (POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}

TEST(test_shutdown_unconnected_is_an_error)
{
	struct tcp_conn *c = conn_new(NULL);

	c->sock = conn_socket(c);
	CHECK_EQ(sock_shutdown(c->sock, SHUT_WR), -ENOTCONN);
	conn_free(c);
}

/* ---- abort ----------------------------------------------------------------------------------- */

/* RFC 9293 3.10.5 */
TEST(test_linger_0_resets)
{
	struct tcp_conn *c = conn_established(NULL);

	conn_linger(c, 0);
	conn_close(c);
	seg_out(c, "R. 1:1(0) ack 1");
	seg_none(c);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_linger_0_throws_queued_text_away)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 1000 });

	CHECK_EQ(conn_write(c, 5000), 5000);
	seg_forget(c);
	conn_linger(c, 0);
	conn_close(c);
	seg_out(c, "R. 1001:1001(0) ack 1");
	conn_ms(c, 100000);
	seg_none(c);
	conn_free(c);
}

/*
 * RFC 9293 3.10.4 with RFC 2525 2.17 (MUST-17 of 3.6.1): unread text means that something was
 * lost.
 */
TEST(test_close_with_unread_text_resets)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1");
	seg_ack_within(c, 500, 11);
	conn_close(c);
	seg_out(c, "R. 1:1(0) ack 11");
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_close_after_everything_was_read_does_not_reset)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 10), 10);
	seg_ack_within(c, 500, 11);
	conn_close(c);
	seg_out(c, "F. 1:1(0) ack 11");
	conn_free(c);
}

TEST(test_close_with_unread_fin_only_does_not_reset)
{
	struct tcp_conn *c = conn_close_wait(NULL);

	conn_close(c);
	seg_out(c, "F. 1:1(0) ack 2");
	conn_free(c);
}

/* RFC 9293 3.6.1, MUST-17: text for a program that is gone: reset, so that the peer knows. */
TEST(test_text_after_close_gets_rst_in_fin_wait1)
{
	struct tcp_conn *c = conn_established(NULL);

	conn_close(c);
	seg_out(c, "F. 1:1(0) ack 1");
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.flags & TH_RST, TH_RST);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_text_after_close_gets_rst_in_fin_wait2)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	conn_close(c);
	seg_in(c, "P. 1:11(10) ack 2");
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.flags & TH_RST, TH_RST);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* ---- resets on the way down ------------------------------------------------------------------ */

/* RFC 9293 3.10.7.4, second */
TEST(test_fin_wait1_rst_resets)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	seg_in(c, "R 1:1(0)");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ECONNRESET);
	conn_free(c);
}

TEST(test_fin_wait2_rst_resets)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	seg_in(c, "R 1:1(0)");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ECONNRESET);
	conn_free(c);
}

TEST(test_close_wait_rst_resets)
{
	struct tcp_conn *c = conn_close_wait(NULL);

	seg_in(c, "R 2:2(0)");
	CHECK_STATE(c, TCP_CLOSE);
	/* DEVIATES: EPIPE after the peer's FIN, as Linux. */
	CHECK_EQ(conn_error(c), EPIPE);
	conn_free(c);
}

TEST(test_closing_rst_ends)
{
	struct tcp_conn *c = conn_closing(NULL);

	seg_in(c, "R 2:2(0)");
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_last_ack_rst_ends)
{
	struct tcp_conn *c = conn_last_ack(NULL);

	seg_in(c, "R 2:2(0)");
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* RFC 5961 3.2 holds in every synchronized state. */
TEST(test_fin_wait1_rst_in_window_is_challenged)
{
	struct tcp_conn *c = conn_fin_wait1(NULL);

	seg_in(c, "R 5:5(0)");
	seg_out(c, ". 2:2(0) ack 1");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	conn_free(c);
}

TEST(test_close_wait_rst_in_window_is_challenged)
{
	struct tcp_conn *c = conn_close_wait(NULL);

	seg_in(c, "R 5:5(0)");
	seg_out(c, ". 1:1(0) ack 2");
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	conn_free(c);
}

/* ---- orphans --------------------------------------------------------------------------------- */

TEST(test_orphan_gives_up_in_the_end)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	conn_close(c);
	CHECK(!stack_idle(c->net));
	conn_ms(c, 1000 * 1000);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_orphan_still_delivers_its_text)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 100 });

	CHECK_EQ(conn_write(c, 150), 150);
	seg_forget(c);
	conn_close(c);
	seg_in(c, ". 1:1(0) ack 101");
	seg_out(c, "FP. 101:151(50) ack 1");
	seg_in(c, "F. 1:1(0) ack 152");
	seg_out(c, ". 152:152(0) ack 2");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/*
 * Too many orphans: the connection is reset in place of being finished (tcp_max_orphans, as
 * Linux).
 */
TEST(test_orphans_are_bounded)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 100 });

	c->net->tcp->sysctl.max_orphans = 0;
	CHECK_EQ(conn_write(c, 1000), 1000);
	seg_forget(c);
	conn_close(c);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.flags & TH_RST, TH_RST);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, first and eighth: a FIN outside the window changes nothing. */
TEST(test_fin_outside_window_is_not_taken)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "F. 300000:300000(0) ack 1");
	seg_out(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}
