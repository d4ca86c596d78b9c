/* SPDX-License-Identifier: MIT */
/*
 * TCP options in: unknown and malformed ones, reserved bits, MSS, timestamps and PAWS (RFC 7323).
 */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* ---- what must not matter: RFC 9293 3.1 (MUST-6, MUST-7) ------------------------------------- */

TEST(test_unknown_option_in_syn_is_skipped)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <hex fe0812345678abcd,mss 1000,sackOK,hex fd02>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>");
	conn_free(c);
}

TEST(test_unknown_option_later_is_skipped)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1 <hex fe04abcd,hex 1e0a0102030405060708>");
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

TEST(test_option_of_length_0_ends_the_list)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1000,hex fe00,sackOK>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

TEST(test_option_longer_than_the_header_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,hex fe28>");
	CHECK_EQ(conn_read(c, 100), 10);
	seg_in(c, "P. 11:21(10) ack 1 <nop,nop,nop,hex 08>");
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

TEST(test_known_option_with_wrong_length_is_ignored)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c,
	       "S 0:0(0) <hex 0203ff,hex 030401ff,hex 040300,hex 0806aabbccdd,hex 0506aabbccdd>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 1000), 1000);
	seg_out(c, ". 1:537(536) ack 1"); /* as without the option: RFC 9293 3.7.1 (MUST-15) */
	conn_free(c);
}

TEST(test_options_behind_eol_are_not_read)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1000,eol,sackOK,nop>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* RFC 9293 3.1: reserved bits are ignored by a receiver that knows none of them. */
TEST(test_reserved_bits_do_not_matter)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p = seg_make(c, "S 0:0(0) <mss 1460>");

	p.flags |= 0xf00;
	conn_inject(c, &p);
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	p = seg_make(c, "P. 1:11(10) ack 1");
	p.flags |= 0xf00;
	conn_inject(c, &p);
	conn_accept(c);
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

TEST(test_psh_and_urg_bits_in_a_syn_do_not_matter)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "SPU 0:0(0) urg 5 <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* ---- MSS: RFC 9293 3.7.1 --------------------------------------------------------------------- */

TEST(test_mss_of_the_peer_is_kept)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .mss = 700 });

	CHECK_EQ(conn_write(c, 1500), 1500);
	seg_out(c, ". 1:701(700) ack 1");
	seg_out(c, ". 701:1401(700) ack 1");
	conn_free(c);
}

TEST(test_mss_absent_means_536)
{
	struct tcp_conn *c = conn_connected(&(struct tcp_params){ .no_mss = true });

	CHECK_EQ(conn_write(c, 1000), 1000);
	seg_out(c, ". 1:537(536) ack 1");
	conn_free(c);
}

/* RFC 6691 2: the MSS does not count options: they take from the text. */
TEST(test_mss_includes_the_options_of_a_segment)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .ts = true });

	CHECK_EQ(conn_write(c, 3000), 3000);
	seg_out(c, ". 1:1449(1448) ack 1 <...>");
	conn_free(c);
}

TEST(test_mss_is_bounded_by_our_own_mtu)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .mss = 9000 });

	CHECK_EQ(conn_write(c, 3000), 3000);
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_free(c);
}

TEST(test_mss_of_zero_or_almost_does_not_hurt)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .mss = 1 });

	CHECK_EQ(conn_write(c, 1000), 1000);
	CHECK_LE(seg_forget(c), 21); /* segments of at least 48 bytes, as Linux */
	conn_free(c);
}

TEST(test_maxseg_bounds_both_directions)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .maxseg = 800 });

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 800>");
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 1600), 1600);
	seg_out(c, ". 1:801(800) ack 1");
	conn_free(c);
}

/* ---- timestamps: RFC 7323 3, 4 --------------------------------------------------------------- */

static const struct tcp_params ts_on = { .ts = true, .tsval = 1000 };

TEST(test_ts_is_in_every_segment_and_counts_milliseconds)
{
	struct tcp_conn *c = conn_established(&ts_on);

	conn_ms(c, 50);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1 <nop,nop,TS val 50 ecr 1000>");
	conn_free(c);
}

/* RFC 7323 4.3 (2): TS.Recent is taken from the segment that covers Last.ACK.sent. */
TEST(test_ts_recent_follows_segments_in_order)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 1100 ecr 0>");
	seg_ack_within(c, 500, 11);
	CHECK_EQ(c->last.tsecr, 1100);
	conn_free(c);
}

TEST(test_ts_recent_ignores_segments_out_of_order)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "P. 11:21(10) ack 1 <nop,nop,TS val 1200 ecr 0>");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 1000>");
	conn_free(c);
}

/* RFC 7323 4.3: with a delayed ACK the older of two timestamps is echoed. */
TEST(test_ts_echo_of_a_delayed_ack_is_the_older_one)
{
	struct tcp_conn *c = conn_established(&ts_on);
	uint32_t seq = 1;
	int i;

	for (i = 0; i < 40; i++, seq += 100) {
		seg_in(c, "P. %u:%u(100) ack 1 <nop,nop,TS val %d ecr 0>", seq, seq + 100,
		       2000 + i);
		if (seg_forget(c) == 0)
			break;
		CHECK_EQ(conn_read(c, 100), 100);
		conn_ms(c, 20);
	}
	CHECK_LT(i, 40);
	seq += 100;
	seg_in(c, "P. %u:%u(100) ack 1 <nop,nop,TS val 3000 ecr 0>", seq, seq + 100);
	seg_ack_within(c, 500, seq + 100);
	CHECK_EQ(c->last.tsecr, 2000 + i);
	conn_free(c);
}

/* RFC 7323 5.3 (R1): too old: acknowledged and dropped. */
TEST(test_paws_rejects_an_old_timestamp)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 999 ecr 0>");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 1000>");
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	CHECK_EQ(c->net->mib[MIB_TcpExtPAWSEstab], 1);
	conn_free(c);
}

/* RFC 7323 5.3: PAWS is asked before the window: what is both old and outside of it counts as old. */
TEST(test_paws_comes_before_the_window)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "P. 200001:200011(10) ack 1 <nop,nop,TS val 999 ecr 0>");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 1000>");
	CHECK_EQ(c->net->mib[MIB_TcpExtPAWSEstab], 1);
	seg_in(c, "P. 200001:200011(10) ack 1 <nop,nop,TS val 1001 ecr 0>");
	seg_out(c, ". 1:1(0) ack 1 <nop,nop,TS val 0 ecr 1000>"); /* nor is its timestamp remembered */
	CHECK_EQ(c->net->mib[MIB_TcpExtPAWSEstab], 1);
	conn_free(c);
}

/* RFC 7323 7: the clock begins somewhere else for each peer, which tells nobody how long we have been up. */
TEST(test_ts_clock_has_an_offset_for_each_peer)
{
	static const uint32_t peers[] = { PEER_ADDR, PEER_ADDR + 1, PEER_ADDR + 2 };
	struct tcp_conn *c = conn_new(NULL);
	struct inet_addr us = inet_addr_v4(LOCAL_ADDR), them;
	uint32_t off[ARRAY_SIZE(peers)];

	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		them = inet_addr_v4(peers[i]);
		off[i] = tcp_secure_ts_off(c->net, &us, &them);
		CHECK_EQ(tcp_secure_ts_off(c->net, &us, &them), off[i]);
		CHECK_EQ(tcp_ts_clock(c->net, off[i]), (uint32_t)(c->net->now / NSEC_PER_MSEC) + off[i]);
	}
	CHECK_NE(off[0], off[1]);
	CHECK_NE(off[1], off[2]);
	conn_free(c);
}

TEST(test_paws_wraps_around)
{
	struct tcp_conn *c =
		conn_established(&(struct tcp_params){.ts = true, .tsval = 0xfffffff0});

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 16 ecr 0>");
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

/* RFC 7323 5.2: PAWS is not for resets. */
TEST(test_paws_does_not_protect_from_rst)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "R. 1:1(0) ack 1 <nop,nop,TS val 5 ecr 0>");
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* RFC 7323 5.5: TS.Recent is void after 24 days. */
TEST(test_paws_ends_after_24_days_of_silence)
{
	struct tcp_conn *c = conn_established(&ts_on);

	conn_ms(c, 25ULL * 24 * 3600 * 1000);
	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 500 ecr 0>");
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

/*
 * RFC 7323 3.2: without the option in a segment of a connection that has it: SHOULD be dropped;
 * taken, as Linux.
 */
TEST(test_ts_missing_is_tolerated)
{
	struct tcp_conn *c = conn_established(&ts_on);

	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

TEST(test_ts_not_agreed_on_is_not_sent)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 1:11(10) ack 1 <nop,nop,TS val 500 ecr 0>");
	seg_ack_within(c, 500, 11);
	CHECK(!c->last.ts);
	CHECK_EQ(conn_read(c, 10), 10);
	conn_free(c);
}

/* RFC 7323 4.1: with timestamps the RTT of a retransmitted segment is known. */
TEST(test_ts_measures_the_round_trip_of_a_retransmission)
{
	struct tcp_conn *c = conn_established(&ts_on);
	unsigned int ms;

	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(seg_wait(c, 1000), 200);
	seg_out(c, "P. 1:11(10) ack 1 <nop,nop,TS val 200 ecr 1000>");
	conn_ms(c, 100);
	seg_in(c, ". 1:1(0) ack 11 <nop,nop,TS val 1300 ecr 200>");
	CHECK_EQ(conn_write(c, 10), 10);
	CHECK_EQ(seg_forget(c), 1);
	/* The first sample was 0 ms, the second 100: SRTT 12.5, RTTVAR 25 (RFC 6298 2.3). */
	ms = seg_wait(c, 5000);
	CHECK_GE(ms, 200);
	CHECK_LE(ms, 320);
	conn_free(c);
}
