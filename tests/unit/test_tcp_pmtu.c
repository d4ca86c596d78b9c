/* SPDX-License-Identifier: MIT */
/* Path MTU discovery: RFC 1191, believed as RFC 5927 7 says. */
#include "tests/unit/tcp_fixture.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#include "stack/tcp/tcp.h"

#define TOO_BIG(c, mtu, seq) icmp_in(c, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu, seq)

/* RFC 1191 4: DF is set on all that TCP sends. */
TEST(test_pmtu_segments_carry_df)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	CHECK_EQ(seg_forget(c), 1);
	CHECK(c->last.df);
	conn_free(c);
}

TEST(test_pmtu_dont_sends_without_df)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	CHECK_EQ(seg_forget(c), 1);
	CHECK(!c->last.df);
	conn_free(c);
}

/* RFC 1191 6.4: what was too large is sent again at once, in smaller segments; no congestion. */
TEST(test_pmtu_too_big_makes_smaller_segments)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 2920), 2920);
	CHECK_EQ(seg_forget(c), 2);
	TOO_BIG(c, 1000, 1);
	seg_out(c, ". 1:961(960) ack 1");
	seg_forget(c);
	CHECK_EQ(conn_getopt(c, IPPROTO_IP, IP_MTU), 1000);
	seg_in(c, ". 1:1(0) ack 2921");
	CHECK_EQ(conn_write(c, 2000), 2000);
	seg_out(c, ". 2921:3881(960) ack 1");
	seg_out(c, ". 3881:4841(960) ack 1");
	conn_free(c);
}

/* RFC 5681 3.1: no burst of smaller segments: the window shrinks as the segment does. It is no congestion. */
TEST(test_pmtu_too_big_leaves_as_many_segments_in_flight)
{
	struct tcp_conn *c = conn_established(NULL);
	uint32_t bytes = 0;
	struct pkt p;

	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	TOO_BIG(c, 1000, 1);
	while (seg_take(c, &p))
		bytes += (uint32_t)p.payload_len;
	CHECK_LE(bytes, 10 * 960);
	CHECK_GT(bytes, 9 * 960);
	conn_free(c);
}

/* ... and so does the threshold, where there is one. */
TEST(test_pmtu_too_big_scales_the_threshold)
{
	struct tcp_conn *c = conn_established(NULL);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	tp->snd_ssthresh = 20 * 1460;
	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 10);
	TOO_BIG(c, 1000, 1);
	CHECK_EQ(tp->snd_cwnd, 10 * 960);
	CHECK_EQ(tp->snd_ssthresh, 20 * 960);
	conn_free(c);
}

/* RFC 5927 4.1, 7: an error that quotes a number that is not in flight is forged or stale. */
TEST(test_pmtu_with_a_foreign_number_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 2920), 2920);
	CHECK_EQ(seg_forget(c), 2);
	TOO_BIG(c, 600, 50000);
	TOO_BIG(c, 600, (uint32_t)-5000);
	seg_none(c);
	CHECK_EQ(conn_getopt(c, IPPROTO_IP, IP_MTU), 1500);
	conn_free(c);
}

/* An MTU that is not smaller than what we use changes nothing. */
TEST(test_pmtu_larger_is_ignored)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 2920), 2920);
	CHECK_EQ(seg_forget(c), 2);
	TOO_BIG(c, 1500, 1);
	TOO_BIG(c, 9000, 1);
	seg_none(c);
	conn_free(c);
}

/* Absurdly small: never below 552, as Linux, so that nobody can make us send crumbs. */
TEST(test_pmtu_has_a_floor)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 2920), 2920);
	CHECK_EQ(seg_forget(c), 2);
	TOO_BIG(c, 68, 1);
	CHECK_GE(seg_forget(c), 1);
	CHECK_GE(conn_getopt(c, IPPROTO_IP, IP_MTU), 552);
	CHECK_EQ(conn_error(c), 0);
	conn_free(c);
}

/* RFC 1191 6.3: after ten minutes a larger size is tried again. */
TEST(test_pmtu_learned_expires)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 1460), 1460);
	CHECK_EQ(seg_forget(c), 1);
	TOO_BIG(c, 1000, 1);
	CHECK_EQ(seg_forget(c), 2);
	seg_in(c, ". 1:1(0) ack 1461");
	conn_ms(c, 11 * 60 * 1000);
	CHECK_EQ(conn_write(c, 2920), 2920);
	CHECK_EQ(seg_forget(c), 2);
	conn_free(c);
}

/* A second connection to the same destination knows it from the start. */
TEST(test_pmtu_is_known_to_the_next_connection)
{
	struct tcp_conn *c = conn_established(NULL);
	struct socket *first;

	CHECK_EQ(conn_write(c, 1460), 1460);
	CHECK_EQ(seg_forget(c), 1);
	TOO_BIG(c, 1000, 1);
	CHECK_EQ(seg_forget(c), 2);
	first = c->sock;
	c->pport++;
	c->iss_known = false;
	c->wrote = 0;
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(conn_write(c, 1500), 1500);
	seg_out(c, ". 1:961(960) ack 1");
	seg_forget(c);
	conn_linger(c, 0);
	conn_close(c);
	seg_forget(c);
	c->sock = first;
	c->pport--;
	conn_free(c);
}
