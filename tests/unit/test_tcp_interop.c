/* SPDX-License-Identifier: MIT */
/* Peers that do odd things: what is legal is served, what is not does no harm. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* ---- the handshake --------------------------------------------------------------------------- */

/* RFC 7323 3.2: agreed on, but missing in the third ACK. Linux takes it all the same (DEVIATES from "drop"). */
TEST(test_no_timestamps_on_the_third_ack)
{
	struct tcp_conn *c = conn_syn_received(&(struct tcp_params){ .ts = true });

	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_accept(c);
	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 1001 ecr 0>");
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

/* RFC 9293 3.7.1 (MUST-15): small sizes, and none at all. */
TEST(test_small_and_missing_mss)
{
	static const struct {
		struct tcp_params p;
		uint32_t first;
	} cases[] = {
		{ { .mss = 536 }, 536 },
		{ { .mss = 88 }, 88 },
		{ { .mss = 1 }, 48 },
		{ { .no_mss = true }, 536 },
		{ { .mss = 65535 }, 1460 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_conn *c = conn_established(&cases[i].p);

		CHECK_EQ(conn_write(c, 3000), 3000);
		seg_out(c, ". 1:%u(%u) ack 1", 1 + cases[i].first, cases[i].first);
		seg_forget(c);
		conn_free(c);
	}
}

/* RFC 9293 3.10.7.2: text in a SYN without Fast Open, and options that nobody knows. */
TEST(test_syn_with_text_and_unknown_options)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:20(20) <mss 1460,hex fd0400ff,hex 1e0a0102030405060708,nop,nop>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, "P. 1:21(20) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 100), 20);
	conn_free(c);
}

/* RFC 9293 3.2 (MUST-69: bytes behind the end of the list are nothing). */
TEST(test_options_behind_the_end_of_the_list)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1000,eol,wscale 7>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* RFC 9293 3.1 (MUST-7): a length that cannot be ends the list; what stood before it counts. */
TEST(test_impossible_option_lengths)
{
	static const char *const bad[] = { "hex 0300", "hex 0301", "hex 0350", "hex fe", "hex 08020000",
					   "hex 0502", "hex 03ff07" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct tcp_conn *c = conn_listening(NULL);

		seg_in(c, "S 0:0(0) <mss 1000,%s,nop,nop,nop>", bad[i]);
		seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
		seg_in(c, ". 1:1(0) ack 1");
		conn_accept(c);
		CHECK_EQ(tcp_sk(c->sock->sk)->mss_clamp, 1000);
		conn_free(c);
	}
}

/* RFC 9293 3.5, figure 8, and 3.6, figure 13. */
TEST(test_simultaneous_open_and_close)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STATE(c, TCP_ESTABLISHED);
	seg_forget(c);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	seg_in(c, "P. 1:6(5) ack 11");
	CHECK_EQ(conn_read(c, 10), 5);
	seg_forget(c);
	conn_shutdown(c, SHUT_WR);
	seg_out(c, "F. 11:11(0) ack 6");
	seg_in(c, "F. 6:6(0) ack 11");
	seg_out(c, ". 12:12(0) ack 7");
	seg_in(c, ". 7:7(0) ack 12");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* ---- windows --------------------------------------------------------------------------------- */

/* RFC 9293 3.8.6.1 (MUST-36, MUST-37): as long as the peer answers probes the connection stays. */
TEST(test_zero_window_for_an_hour)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int probes = 0;

	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	for (uint64_t start = c->net->now; c->net->now - start < 3600 * NSEC_PER_SEC; probes++) {
		seg_wait(c, 130000);
		seg_forget(c);
		seg_in(c, ". 1:1(0) ack 1 win 0");
	}
	CHECK_GT(probes, 30);
	CHECK_LT(probes, 60); /* 120 s apart in the end */
	seg_in(c, ". 1:1(0) ack 1 win 65535");
	seg_out(c, "P. 1:101(100) ack 1");
	conn_free(c);
}

/* RFC 9293 3.8.6 (SHLD-15): a window that shrinks is kept to, and what is beyond it goes later. */
TEST(test_window_that_shrinks)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 5840), 5840);
	CHECK_EQ(seg_forget(c), 4);
	seg_in(c, ". 1:1(0) ack 1461 win 1000");
	CHECK_EQ(conn_write(c, 1460), 1460);
	CHECK_EQ(seg_forget(c), 0);
	seg_in(c, ". 1:1(0) ack 5841 win 65535");
	seg_out(c, "P. 5841:7301(1460) ack 1");
	conn_free(c);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* RFC 2018 3: a peer with room for one block only still saves what it tells of. */
TEST(test_one_sack_block_at_a_time)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });
	struct pkt p;

	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack 1461:2921>");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack 4381:5841>");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack 7301:8761>");
	conn_ms(c, 100);
	while (seg_take(c, &p))
		CHECK(p.seq != 1461 && p.seq != 4381 && p.seq != 7301);
	seg_in(c, ". 1:1(0) ack 14601");
	CHECK_EQ(tcp_in_flight(tcp_sk(c->sock->sk)), 0);
	conn_free(c);
}

/* RFC 7323 5.3: a clock that goes back makes its segments old; they are answered, not taken. */
TEST(test_timestamps_that_go_back)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .ts = true });

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 2000 ecr 0>");
	CHECK_EQ(conn_read(c, 100), 10);
	seg_forget(c);
	seg_in(c, "P. 11:21(10) ack 1 <nop,nop,TS val 1500 ecr 0>");
	CHECK_EQ(conn_read(c, 100), -EAGAIN);
	seg_out(c, ". 1:1(0) ack 11 <...>");
	seg_in(c, "P. 11:21(10) ack 1 <nop,nop,TS val 2001 ecr 0>");
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

/* RFC 5961 3.2, 10: a storm of resets beside the one right number changes nothing and gets few answers. */
TEST(test_storm_of_resets)
{
	struct tcp_conn *c = conn_established(NULL);
	unsigned int answers;

	for (uint32_t i = 2; i < 60002; i++)
		seg_in(c, "R %u:%u(0)", i, i);
	answers = seg_forget(c);
	CHECK_LE(answers, 2);
	CHECK_STATE(c, TCP_ESTABLISHED);
	seg_in(c, "R 1:1(0)");
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ECONNRESET);
	conn_free(c);
}

/* ---- what programs ask ----------------------------------------------------------------------- */

/* TCP_SAVE_SYN: the headers of the SYN, once. */
TEST(test_saved_syn)
{
	struct tcp_conn *c = conn_listening(NULL);
	uint8_t buf[200];
	socklen_t len = 10;

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_SAVE_SYN, 3), -EINVAL);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_SAVE_SYN, 1), 0);
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_SAVED_SYN, buf, &len), -EINVAL);
	len = sizeof(buf);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_SAVED_SYN, buf, &len), 0);
	CHECK_EQ(len, 20 + 24);
	CHECK_EQ(buf[0], 0x45);
	CHECK_EQ(buf[20 + 13], TH_SYN);
	CHECK_EQ(buf[40], 2); /* its MSS option */
	len = sizeof(buf);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_SAVED_SYN, buf, &len), 0);
	CHECK_EQ(len, 0);
	conn_free(c);
}

/* TCP_INFO of 256 bytes, as Linux 6.7: timeouts are counted in rows. */
TEST(test_info_tells_of_timeouts)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t info[256];
	socklen_t len = sizeof(info);
	uint16_t rto[2];
	uint32_t word;

	CHECK_EQ(conn_write(c, 100), 100);
	conn_ms(c, 1500);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, info, &len), 0);
	CHECK_EQ(len, 256);
	memcpy(rto, info + 248, sizeof(rto));
	CHECK_GE(rto[0], 2);
	CHECK_EQ(rto[1], 1);
	memcpy(&word, info + 252, sizeof(word));
	CHECK_GT(word, 500);
	CHECK_LT(word, 1500);
	memcpy(&word, info + 240, sizeof(word));
	CHECK_EQ(word, tcp_sk(c->sock->sk)->rcv_wnd);
	conn_free(c);
}

/* RFC 5482, RFC 9293 3.8.6.1: TCP_USER_TIMEOUT ends a connection whose window stays shut and unanswered. */
TEST(test_user_timeout_in_a_zero_window)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
	seg_in(c, ". 1:1(0) ack 1 win 0");
	CHECK_EQ(conn_write(c, 100), 100);
	conn_ms(c, 2000);
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_ms(c, 8000);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), ETIMEDOUT);
	conn_free(c);
}
