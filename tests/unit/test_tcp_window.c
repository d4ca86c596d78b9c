/* SPDX-License-Identifier: MIT */
/* Windows: scaling (RFC 7323 2), what we announce (RFC 9293 3.8.6), zero, shrinking, tuning. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* ---- the peer's window ----------------------------------------------------------------------- */

TEST(test_window_limits_what_is_in_flight)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 4000 });

	CHECK_EQ(conn_write(c, 10000), 10000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_out(c, ". 1461:2921(1460) ack 1");
	/* 1079 are left: neither a full segment nor half the window (RFC 9293 3.8.6.2.1). */
	seg_none(c);
	seg_in(c, ". 1:1(0) ack 1461");
	seg_out(c, ". 2921:4381(1460) ack 1");
	seg_none(c);
	conn_free(c);
}

/* RFC 7323 2.2: never scaled in a SYN, always afterwards. */
TEST(test_window_scale_of_the_peer_is_applied)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .wscale = 1 + 4, .win = 256 });

	CHECK_EQ(conn_write(c, 20000), 20000);
	CHECK_EQ(seg_forget(c), 2); /* 256 << 4 = 4096 */
	conn_free(c);
}

TEST(test_window_scale_of_an_active_open_works_both_ways)
{
	struct tcp_conn *c = conn_connected(&(struct tcp_params){ .wscale = 1 + 4, .win = 256 });

	CHECK_EQ(conn_write(c, 20000), 20000);
	/* The window of the SYN-ACK was 256 as it stood. */
	seg_forget(c);
	seg_in(c, "P. 1:11(10) ack 1 win 256");
	CHECK_GE(seg_forget(c), 1);
	CHECK_GT(c->last.seq + c->last.payload_len, 1 + 256);
	CHECK_LE(c->last.seq + c->last.payload_len, 1 + (256 << 4));
	CHECK_LT(c->last.win, 1000); /* ours is shifted by 7 */
	conn_free(c);
}

TEST(test_window_of_an_active_open_without_scaling)
{
	struct tcp_conn *c = conn_connected(&(struct tcp_params){ .win = 2920 });

	CHECK_EQ(conn_write(c, 20000), 20000);
	CHECK_EQ(seg_forget(c), 2);
	CHECK_GT(c->last.win, 10000);
	conn_free(c);
}

/* RFC 7323 2.3: a shift above 14 counts as 14. */
TEST(test_window_scale_is_at_most_14)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .wscale = 1 + 15, .win = 1 });

	/*
	 * 1 << 14 = 16384 bytes: the initial congestion window is the limit, 10 segments of 1460.
	 */
	CHECK_EQ(conn_write(c, 20000), 20000);
	CHECK_EQ(seg_forget(c), 10);
	conn_free(c);
}

TEST(test_window_is_not_scaled_without_both_offers)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 2920 });

	CHECK_EQ(conn_write(c, 10000), 10000);
	CHECK_EQ(seg_forget(c), 2);
	seg_in(c, "P. 1:11(10) ack 1");
	conn_ms(c, 500);
	CHECK_GE(seg_forget(c), 1);
	CHECK_GT(c->last.win, 10000); /* ours, unscaled as well */
	conn_free(c);
}

/*
 * RFC 9293 3.8.6 (MUST-34): a shrunk window is borne: nothing new, but what is out may be sent
 * again.
 */
TEST(test_window_shrunk_by_the_peer_is_borne)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 5840), 5840);
	CHECK_EQ(seg_forget(c), 4);
	seg_in(c, ". 1:1(0) ack 1461 win 1000");
	CHECK_EQ(conn_write(c, 100), 100);
	seg_none(c);
	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(c->last.seq, 1461);
	/* MUST-35: an ACK of what lies beyond the shrunk window is still good. */
	seg_in(c, ". 1:1(0) ack 5841 win 65535");
	seg_out(c, "P. 5841:5941(100) ack 1");
	conn_free(c);
}

/* RFC 9293 3.10.7.4, fifth: SND.WL1 and SND.WL2 keep an old segment from updating the window. */
TEST(test_window_is_not_updated_by_an_old_segment)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1 win 65535");
	seg_in(c, "P. 11:21(10) ack 1 win 65535");
	conn_ms(c, 500);
	seg_forget(c);
	seg_in(c, "P. 1:11(10) ack 1 win 0"); /* overtaken by the one before */
	seg_forget(c);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_out(c, "P. 1:101(100) ack 21");
	conn_free(c);
}

/* ---- our window ------------------------------------------------------------------------------ */

/* RFC 9293 3.8.6: the right edge never moves left; 3.8.6.2.2: it opens in worthwhile steps. */
TEST(test_window_announced_never_shrinks)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 16384 });
	uint32_t edge = 0, seq = 1;
	struct pkt p;

	for (int i = 0; i < 60; i++) {
		seg_in(c, ". %u:%u(500) ack 1", seq, seq + 500);
		conn_ms(c, 250);
		while (seg_take(c, &p)) {
			CHECK_GE((int32_t)(p.ack + p.win - edge), 0);
			edge = p.ack + p.win;
			seq = p.ack;
		}
	}
	CHECK_EQ(c->last.win, 0);
	CHECK_GT(conn_read(c, 100000), 2000);
	CHECK_GE(seg_forget(c), 1); /* the window is open again: told at once */
	CHECK_GT(c->last.win, 1000);
	conn_free(c);
}

/*
 * RFC 7323 2.4: nor, with a scale whose grain is 128 bytes, by more than that, and what any of the windows had room for
 * is taken. The edge does not creep ahead of the buffer either, a grain with each small segment, until text that the
 * window has room for is dropped.
 */
TEST(test_window_that_is_scaled_keeps_its_promise)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .wscale = 1 + 7 });
	uint32_t edge = 0, seq = 1, steps = 0;
	struct pkt p;

	c->listener->sk->rcvbuf = 32768; /* not fixed, or there would be no scale */
	conn_handshake(c, true);
	conn_accept(c);
	while (edge == 0 || seq + 77 <= edge) {
		seg_in(c, ". %u:%u(77) ack 1", seq, seq + 77);
		seq += 77;
		conn_ms(c, 250);
		while (seg_take(c, &p)) {
			uint32_t now = p.ack + ((uint32_t)p.win << 7);

			CHECK_GT((int32_t)(now - edge), -128);
			CHECK_EQ(p.ack, seq);
			edge = MAX(edge, now);
			steps++;
		}
	}
	CHECK_GT(steps, 200);
	CHECK_EQ(c->net->mib[MIB_TcpExtTCPRcvQDrop], 0);
	CHECK_EQ(conn_read(c, 100000), (ssize_t)seq - 1);
	conn_free(c);
}

/* Sends text in segments of @len bytes up to the edge that was announced; the reader does not read. */
static uint32_t fill_window(struct tcp_conn *c, uint32_t len)
{
	uint32_t seq = 1, edge = 1 + 2 * len;
	struct pkt p;

	for (int i = 0; i < 20000 && edge - seq >= len; i++) {
		seg_in(c, ". %u:%u(%u) ack 1", seq, seq + len, len);
		seq += len;
		if (edge - seq < 2 * len)
			conn_ms(c, 250);
		while (seg_take(c, &p)) {
			CHECK_EQ(p.ack, seq);
			edge = p.ack + p.win;
		}
	}
	return seq - 1;
}

/*
 * RFC 9293 3.8.6: what the window has promised is taken, whatever the size of the segments it comes in.
 * A buffer costs more memory than the text in it, the more so the smaller the segment.
 */
TEST(test_window_promised_is_kept_for_segments_of_any_size)
{
	static const uint32_t sizes[] = { 1, 30, 200, 536, 1460 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 16384 });
		uint32_t sent = fill_window(c, sizes[i]);

		CHECK_EQ(c->net->mib[MIB_TcpExtTCPRcvQDrop], 0);
		CHECK_GT(sent, 5000);
		CHECK_EQ(conn_read(c, 100000), (ssize_t)sent);
		conn_free(c);
	}
}

/* Text until the window is zero; returns the number that the peer has to send next. */
static uint32_t close_window(struct tcp_conn *c)
{
	uint32_t seq = 1;
	struct pkt p;

	for (int i = 0; i < 40; i++) {
		seg_in(c, ". %u:%u(500) ack 1", seq, seq + 500);
		conn_ms(c, 250);
		while (seg_take(c, &p))
			seq = p.ack;
	}
	CHECK_EQ(c->last.win, 0);
	conn_ms(c, 1000);
	return seq;
}

TEST(test_window_zero_still_acks_probes)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 8192 });
	uint32_t seq = close_window(c);

	/* RFC 9293 3.8.6.1: a probe with one byte is answered, the byte is not taken. */
	seg_in(c, ". %u:%u(1) ack 1", seq, seq + 1);
	seg_out(c, ". 1:1(0) ack %u win 0", seq);
	conn_free(c);
}

/* RFC 9293 3.10.7.4, first (MUST-66): with a zero window ACKs, urgent pointers and resets are still taken. */
TEST(test_window_zero_still_takes_urg_and_rst)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 8192 });
	uint32_t seq = close_window(c);
	uint8_t oob;

	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack %u win 0", seq);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EINVAL);
	seg_in(c, "U. %u:%u(0) ack 11 urg 5", seq, seq);
	CHECK_EQ(conn_read_flags(c, &oob, 1, MSG_OOB), -EAGAIN); /* it is known, its byte is to come */
	CHECK_EQ(tcp_sk(c->sock->sk)->packets_out, 0);
	seg_in(c, "R %u:%u(0)", seq, seq);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_window_does_not_open_by_crumbs)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .rcvbuf = 16384 });
	uint32_t seq = 1;
	struct pkt p;

	for (int i = 0; i < 60; i++) {
		seg_in(c, ". %u:%u(500) ack 1", seq, seq + 500);
		conn_ms(c, 250);
		while (seg_take(c, &p))
			seq = p.ack;
	}
	CHECK_EQ(c->last.win, 0);
	/* RFC 9293 3.8.6.2.2: less than a segment of free space is not announced. */
	CHECK_EQ(conn_read(c, 100), 100);
	seg_none(c);
	conn_free(c);
}

TEST(test_window_clamp_is_the_limit)
{
	struct tcp_conn *c = conn_listening(NULL);

	CHECK_EQ(sock_setsockopt(c->listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, &(int){8000},
				 sizeof(int)),
		 0);
	conn_handshake(c, true);
	CHECK_LE(c->last.win, 8000);
	conn_accept(c);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 10), 10);
	conn_ms(c, 500);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_LE(c->last.win, 8000);
	conn_free(c);
}

/* Automatic tuning as Linux: a fast sender whose text is read makes the window grow. */
TEST(test_window_grows_with_the_rate_of_reading)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .wscale = 1 + 7, .ts = true });
	uint32_t seq = 1, edge = 30000, end;
	struct pkt p;

	for (int round = 0; round < 10; round++) {
		/* One window each round trip of 20 ms, as a sender without other limits would. */
		for (end = edge; (int32_t)(end - seq) >= 1448; seq += 1448) {
			seg_in(c, ". %u:%u(1448) ack 1 <nop,nop,TS val %d ecr %d>", seq, seq + 1448,
			       1000 + 20 * round, 20 * round);
			CHECK_EQ(conn_read(c, 100000), 1448);
			while (seg_take(c, &p))
				edge = p.ack + ((uint32_t)p.win << 7);
		}
		conn_ms(c, 20);
		while (seg_take(c, &p))
			edge = p.ack + ((uint32_t)p.win << 7);
	}
	CHECK_GT(edge - seq, 200000);
	conn_free(c);
}

/* SO_RCVBUF turns the tuning off, as on Linux. */
TEST(test_window_of_a_fixed_buffer_does_not_grow)
{
	struct tcp_conn *c =
		conn_established(&(struct tcp_params){.wscale = 1 + 7, .rcvbuf = 20000});
	uint32_t seq = 1;

	for (int i = 0; i < 500; i++, seq += 1460) {
		seg_in(c, ". %u:%u(1460) ack 1", seq, seq + 1460);
		CHECK_EQ(conn_read(c, 100000), 1460);
		conn_ms(c, 1);
		if (seg_forget(c))
			CHECK_LE(c->last.win, 40000);
	}
	conn_free(c);
}

/* ---- the initial window ---------------------------------------------------------------------- */

/* A window in the SYN is at most 65535 (RFC 7323 2.2) and worth several segments. */
TEST(test_window_of_a_syn_is_unscaled)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	CHECK_GE(c->last.win, 10 * 1460);
	conn_free(c);
}
