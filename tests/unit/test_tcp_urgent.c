/* SPDX-License-Identifier: MIT */
/* Urgent text: RFC 9293 3.8.5 with the pointer as everyone reads it (RFC 6093 3.1), and MSG_OOB. */
#include "tests/unit/tcp_fixture.h"

#include <linux/sockios.h>
#include <poll.h>

/* ---- receiving ------------------------------------------------------------------------------- */

/*
 * RFC 6093 3.1: the pointer names the byte behind the urgent one, so that 3 means the third byte.
 */
TEST(test_urgent_byte_is_out_of_band)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t buf[100], oob = 0;

	seg_in(c, "PU. 1:6(5) ack 1 urg 3");
	CHECK_EQ(conn_poll(c) & POLLPRI, POLLPRI);
	CHECK_EQ(conn_read_flags(c, buf, sizeof(buf), 0), 2); /* stops at the mark */
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), 1);
	CHECK_EQ(oob, (uint8_t)(3 * 7 + 101));
	CHECK_EQ(conn_poll(c) & POLLPRI, 0);
	CHECK_EQ(conn_read_flags(c, buf, sizeof(buf), 0), 2); /* without the urgent byte */
	CHECK_EQ(buf[0], (uint8_t)(4 * 7 + 101));
	conn_free(c);
}

TEST(test_urgent_byte_is_read_once)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t oob;

	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EINVAL);
	seg_in(c, "PU. 1:6(5) ack 1 urg 5");
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB | MSG_PEEK), 1);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), 1);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EINVAL);
	conn_free(c);
}

/*
 * The pointer may arrive before its byte: RFC 9293 3.8.5 (MUST-32: the program is told as soon as
 * possible).
 */
TEST(test_urgent_pointer_ahead_of_its_byte)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t oob;

	seg_in(c, "U. 1:6(5) ack 1 urg 10");
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EAGAIN);
	CHECK_EQ(conn_read(c, 100), 5);
	seg_in(c, "PU. 6:11(5) ack 1 urg 5");
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), 1);
	CHECK_EQ(oob, (uint8_t)(10 * 7 + 101));
	CHECK_EQ(conn_read(c, 100), 4);
	conn_free(c);
}

TEST(test_urgent_inline_stays_in_the_stream)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t buf[10];

	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_OOBINLINE, 1), 0);
	seg_in(c, "PU. 1:6(5) ack 1 urg 3");
	CHECK_EQ(conn_read(c, 100), 2); /* up to the mark */
	CHECK_EQ(conn_read(c, 100), 3); /* with the urgent byte */
	CHECK_EQ(conn_read_flags(c, buf, 1, MSG_OOB), -EINVAL);
	conn_free(c);
}

TEST(test_urgent_mark_is_told_by_siocatmark)
{
	struct tcp_conn *c = conn_established(NULL);
	int at = -1;

	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_OOBINLINE, 1), 0);
	seg_in(c, "PU. 1:6(5) ack 1 urg 3");
	CHECK_EQ(sock_ioctl(c->sock, SIOCATMARK, &at), 0);
	CHECK_EQ(at, 0);
	CHECK_EQ(conn_read(c, 100), 2);
	CHECK_EQ(sock_ioctl(c->sock, SIOCATMARK, &at), 0);
	CHECK_EQ(at, 1);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, sixth: RCV.UP only moves forward. */
TEST(test_urgent_old_pointer_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t oob;

	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 100), 10);
	seg_in(c, "U. 1:11(10) ack 1 urg 4");
	CHECK_EQ(conn_poll(c) & POLLPRI, 0);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EINVAL);
	conn_free(c);
}

/* Without URG the pointer means nothing. */
TEST(test_urgent_pointer_without_the_bit_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1 urg 5");
	CHECK_EQ(conn_poll(c) & POLLPRI, 0);
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

TEST(test_urgent_byte_then_fin)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t oob;

	seg_in(c, "FPU. 1:6(5) ack 1 urg 5");
	CHECK_EQ(conn_read(c, 100), 4);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), 1);
	CHECK_EQ(conn_read(c, 100), 0);
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	conn_free(c);
}

/* ---- sending --------------------------------------------------------------------------------- */

TEST(test_send_oob_sets_the_pointer_behind_the_last_byte)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write_flags(c, 3, MSG_OOB), 3);
	seg_out(c, "PU. 1:4(3) ack 1 urg 3");
	conn_free(c);
}

/* Urgent text is not held back by Nagle. */
TEST(test_send_oob_goes_at_once)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_write_flags(c, 1, MSG_OOB), 1);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.seq, 11);
	CHECK_EQ(c->last.flags & TH_URG, TH_URG);
	CHECK_EQ(c->last.urg, 1);
	conn_free(c);
}

/* RFC 9293 3.8.5 (MUST-31): any length of text before the pointer; later text has no URG. */
TEST(test_send_oob_marks_all_text_in_front)
{
	struct tcp_conn *c = conn_established(NULL);
	struct pkt p;

	CHECK_EQ(conn_write_flags(c, 3000, MSG_OOB), 3000);
	for (uint32_t seq = 1; seq < 3001; seq += 1460) {
		CHECK(seg_take(c, &p));
		CHECK_EQ(p.seq, seq);
		CHECK_EQ(p.flags & TH_URG, TH_URG);
		CHECK_EQ(p.seq + p.urg, 3001);
	}
	seg_in(c, ". 1:1(0) ack 3001");
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 3001:3011(10) ack 1");
	conn_free(c);
}

/* RFC 9293 3.8.5: the peer learns of urgent text although its window is closed. */
TEST(test_send_oob_is_announced_to_a_closed_window)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:2(1) ack 1 win 0");
	seg_forget(c);
	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(conn_write_flags(c, 1, MSG_OOB), 1);
	seg_none(c);
	conn_ms(c, 1100);
	seg_out(c, "U. 1:1(0) ack 2 urg 11");
	seg_out(c, "U. 0:0(0) ack 2 urg 12");
	seg_forget(c);
	conn_free(c);
}
