/* SPDX-License-Identifier: MIT */
/* Counters of Linux's /proc/net/netstat: each event is counted under its name, and only there. */
#include "tests/unit/tcp_fixture.h"

#include <string.h>

#include "stack/tcp/tcp.h"

static uint64_t mib(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

/* Junk that is answered once: the answers that the limit holds back, by the state of the connection. */
TEST(test_skipped_acks_by_state)
{
	static const struct {
		struct tcp_conn *(*make)(const struct tcp_params *p);
		const char *junk;
		enum mib skipped;
	} rows[] = {
		{ conn_syn_received, ". 100000:100000(0) ack 1", MIB_TcpExtTCPACKSkippedSynRecv },
		{ conn_established, ". 100000:100000(0) ack 1", MIB_TcpExtTCPACKSkippedSeq },
		{ conn_established, "R 2:2(0)", MIB_TcpExtTCPACKSkippedChallenge },
		{ conn_established, "S 5:5(0)", MIB_TcpExtTCPACKSkippedChallenge },
		{ conn_time_wait, ". 100000:100000(0) ack 2", MIB_TcpExtTCPACKSkippedTimeWait },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = rows[i].make(NULL);

		seg_in(c, "%s", rows[i].junk);
		CHECK_EQ(seg_forget(c), 1);
		CHECK_EQ(mib(c, rows[i].skipped), 0);
		seg_in(c, "%s", rows[i].junk);
		seg_in(c, "%s", rows[i].junk);
		seg_none(c);
		CHECK_EQ(mib(c, rows[i].skipped), 2);
		conn_free(c);
	}
}

TEST(test_skipped_ack_of_an_orphan)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_LINGER2, 30), 0);
	conn_close(c);
	seg_in(c, ". 100000:100000(0) ack 2");
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 100000:100000(0) ack 2");
	seg_none(c);
	CHECK_EQ(mib(c, MIB_TcpExtTCPACKSkippedFinWait2), 1);
	conn_free(c);
}

TEST(test_paws_by_state)
{
	const struct tcp_params ts = { .ts = true, .tsval = 5000 };
	struct tcp_conn *c = conn_established(&ts);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 4000 ecr 0>");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 4000 ecr 0>");
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(mib(c, MIB_TcpExtPAWSEstab), 2);
	CHECK_EQ(mib(c, MIB_TcpExtTCPACKSkippedPAWS), 1);
	CHECK_EQ(mib(c, MIB_TcpExtPAWSTimewait), 0);
	conn_free(c);

	c = conn_time_wait(&ts);
	seg_in(c, ". 2:2(0) ack 2 <nop,nop,TS val 4000 ecr 0>");
	CHECK_EQ(mib(c, MIB_TcpExtPAWSEstab), 0);
	CHECK_EQ(mib(c, MIB_TcpExtPAWSTimewait), 1);
	conn_free(c);
}

TEST(test_embryonic_resets)
{
	static const char *const by[] = { "R 1:1(0)", "S 7:7(0)" };

	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		struct tcp_conn *c = conn_syn_received(NULL);

		seg_in(c, "%s", by[i]);
		CHECK_STATE(c, TCP_CLOSE);
		CHECK_EQ(mib(c, MIB_TcpExtEmbryonicRsts), 1);
		CHECK_EQ(mib(c, MIB_TcpAttemptFails), 1);
		conn_free(c);
	}
}

TEST(test_icmp_out_of_window)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	CHECK_EQ(seg_forget(c), 1);
	icmp_in(c, 3, 1, 0, 1);
	CHECK_EQ(mib(c, MIB_TcpExtOutOfWindowIcmps), 0);
	icmp_in(c, 3, 1, 0, 5000);
	CHECK_EQ(mib(c, MIB_TcpExtOutOfWindowIcmps), 1);
	conn_free(c);
}

TEST(test_window_sides)
{
	struct tcp_conn *c = conn_established(NULL);

	seg_in(c, "P. 100000:100010(10) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtBeyondWindow), 1);
	seg_in(c, "P. 1:11(10) ack 1");
	conn_ms(c, 300);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtBeyondWindow), 1);
	CHECK_EQ(mib(c, MIB_TcpExtDelayedACKLost), 1);
	conn_free(c);
}

TEST(test_out_of_order_merges)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	seg_in(c, "P. 101:201(100) ack 1");
	seg_in(c, "P. 301:401(100) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtTCPOFOMerge), 0);
	seg_in(c, "P. 101:201(100) ack 1"); /* in what is there */
	CHECK_EQ(mib(c, MIB_TcpExtTCPOFOMerge), 1);
	seg_in(c, "P. 251:451(200) ack 1"); /* around what is there */
	CHECK_EQ(mib(c, MIB_TcpExtTCPOFOMerge), 2);
	conn_free(c);
}

TEST(test_segments_delivered)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	CHECK_EQ(conn_write(c, 4 * 1460), 4 * 1460);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack 1461:2921>");
	CHECK_EQ(mib(c, MIB_TcpExtTCPDelivered), 1);
	seg_in(c, ". 1:1(0) ack 5841");
	CHECK_EQ(mib(c, MIB_TcpExtTCPDelivered), 4);
	conn_free(c);
}

TEST(test_dsacks_count_segments)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sack = true });

	CHECK_EQ(conn_write(c, 4 * 1460), 4 * 1460);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 4381 <nop,nop,sack 1:2921>");
	CHECK_EQ(mib(c, MIB_TcpExtTCPDSACKRecv), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPDSACKRecvSegs), 2);
	conn_free(c);
}

TEST(test_deferred_ack)
{
	struct tcp_conn *c = conn_listening(NULL);
	int one = 1;

	CHECK_EQ(sock_setsockopt(c->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)), 0);
	conn_handshake(c, true);
	CHECK_EQ(mib(c, MIB_TcpExtTCPDeferAcceptDrop), 1);
	seg_in(c, "P. 1:11(10) ack 1");
	conn_accept(c);
	CHECK_EQ(mib(c, MIB_TcpExtTCPDeferAcceptDrop), 1);
	conn_free(c);
}
