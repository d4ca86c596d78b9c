/* SPDX-License-Identifier: MIT */
/* ICMP errors about segments of ours: RFC 9293 3.9.2.2, RFC 5927, RFC 5461. */
#include "tests/unit/tcp_fixture.h"

#include <netinet/ip_icmp.h>
#include <poll.h>

/* ---- while connecting ------------------------------------------------------------------------ */

TEST(test_icmp_port_unreachable_refuses_a_connect)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 0);
	CHECK_EQ(conn_error(c), ECONNREFUSED);
	CHECK_STATE(c, TCP_CLOSE);
	seg_none(c);
	conn_free(c);
}

TEST(test_icmp_host_unreachable_ends_a_connect)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, 0);
	CHECK_EQ(conn_error(c), EHOSTUNREACH);
	conn_free(c);
}

TEST(test_icmp_net_unreachable_ends_a_connect)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0, 0);
	CHECK_EQ(conn_error(c), ENETUNREACH);
	conn_free(c);
}

TEST(test_icmp_admin_prohibited_ends_a_connect)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0, 0);
	CHECK_EQ(conn_error(c), EHOSTUNREACH);
	conn_free(c);
}

/* RFC 5927 4.1: the quoted number must be in flight. */
TEST(test_icmp_with_a_foreign_number_is_ignored_in_syn_sent)
{
	struct tcp_conn *c = conn_syn_sent(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 1000);
	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, (uint32_t)-1);
	CHECK_STATE(c, TCP_SYN_SENT);
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_icmp_ends_a_half_open_request)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 5);
	CHECK_STATE(c, TCP_SYN_RECV);
	CHECK_EQ(c->net->mib[MIB_TcpExtOutOfWindowIcmps], 1);
	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 0);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* ---- established: nothing but time ends it (RFC 9293 3.9.2.2, MUST-56; RFC 5927 5.2) --------- */

/* The program may learn of it by SO_ERROR, once, as on Linux, but no call fails for it. */
static void soft_error(uint8_t type, uint8_t code, int err)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	CHECK_EQ(seg_forget(c), 1);
	icmp_in(c, type, code, 0, 1);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_poll(c) & (POLLERR | POLLHUP), 0);
	CHECK_EQ(conn_read(c, 10), -EAGAIN);
	CHECK_EQ(conn_error(c), err);
	CHECK_EQ(conn_error(c), 0);
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_EQ(conn_write(c, 100), 100);
	conn_free(c);
}

TEST(test_icmp_net_unreachable_is_soft)
{
	soft_error(ICMP_DEST_UNREACH, ICMP_NET_UNREACH, ENETUNREACH);
}

TEST(test_icmp_host_unreachable_is_soft)
{
	soft_error(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, EHOSTUNREACH);
}

TEST(test_icmp_port_unreachable_does_not_end_a_connection)
{
	soft_error(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, ECONNREFUSED);
}

TEST(test_icmp_protocol_unreachable_does_not_end_a_connection)
{
	soft_error(ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, ENOPROTOOPT);
}

TEST(test_icmp_time_exceeded_is_soft)
{
	soft_error(ICMP_TIME_EXCEEDED, 0, EHOSTUNREACH);
}

/* What ICMP said last is what the program is told when time runs out. */
TEST(test_icmp_soft_error_is_reported_at_the_end)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	conn_ms(c, 1000);
	icmp_in(c, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, 1);
	conn_ms(c, 30000);
	CHECK_STATE(c, TCP_CLOSE);
	CHECK_EQ(conn_error(c), EHOSTUNREACH);
	conn_free(c);
}

/* RFC 6633 3 (RFC 9293 3.8, MUST-55 no longer): source quench is ignored. */
TEST(test_icmp_source_quench_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	icmp_in(c, ICMP_SOURCE_QUENCH, 0, 0, 1);
	seg_none(c);
	CHECK_EQ(conn_error(c), 0);
	/* The congestion window is as it was: 10 + 10 after all was acknowledged. */
	seg_in(c, ". 1:1(0) ack 14601");
	CHECK_EQ(conn_write(c, 29200), 29200);
	CHECK_EQ(seg_forget(c), 20);
	conn_free(c);
}

TEST(test_icmp_for_nobody_is_ignored)
{
	struct tcp_conn *c = conn_listening(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 0);
	icmp_in(c, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 500, 0);
	seg_none(c);
	conn_free(c);
}

TEST(test_icmp_in_time_wait_is_ignored)
{
	struct tcp_conn *c = conn_time_wait(NULL);

	icmp_in(c, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, 1);
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}
