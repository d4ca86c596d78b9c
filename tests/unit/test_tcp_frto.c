/* SPDX-License-Identifier: MIT */
/*
 * Timeouts and recoveries that were needless: F-RTO (RFC 5682), timestamps (RFC 3522, RFC 4015); and
 * a receiver that takes its SACKs back (RFC 2018 8).
 */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define RTT_MS 100U
#define SEG(n) (1U + 1460U * (n))
#define TSEG(n) (1U + 1448U * (n)) /* beside timestamps */

/* Ten of @segments in flight; without probes, so that the timeout is next, after 300 ms. */
static struct tcp_conn *sending(unsigned int segments, bool sack, bool ts)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .sack = sack, .ts = ts });
	size_t mss = ts ? 1448 : 1460;

	c->net->tcp->sysctl.early_retrans = 0;
	seg_in(c, "S 0:0(0) <mss 1460%s%s>", sack ? ",sackOK" : "", ts ? ",TS val 1000 ecr 0" : "");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1%s", ts ? " <nop,nop,TS val 1100 ecr 0>" : "");
	conn_accept(c);
	CHECK_EQ(conn_write(c, segments * mss), segments * mss);
	seg_forget(c);
	return c;
}

static uint64_t mib(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

/* The path has become slow: the originals arrive, one after the other. */
TEST(test_frto_finds_a_spurious_timeout)
{
	struct tcp_conn *c = sending(20, true, false);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);
	uint32_t cwnd = tp->snd_cwnd;

	CHECK_EQ(seg_wait(c, 1000), 300);
	seg_out(c, ". 1:1461(1460) ack 1");
	CHECK_EQ(tp->ca_state, CA_LOSS);
	conn_ms(c, 50);
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(10), SEG(11)); /* 2b: two new segments */
	seg_out(c, ". %u:%u(1460) ack 1", SEG(11), SEG(12));
	seg_none(c);
	seg_in(c, ". 1:1(0) ack %u", SEG(2)); /* 3b: text that was never sent again */
	CHECK_EQ(tp->ca_state, CA_OPEN);
	CHECK_GE(tp->snd_cwnd, cwnd);
	CHECK_EQ(tp->lost_out, 0);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSpuriousRTOs), 1);
	CHECK_EQ(mib(c, MIB_TcpRetransSegs), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 1);
	conn_free(c);
}

/* 3a: what is new arrives, what is old does not: it was lost. */
TEST(test_frto_goes_on_after_a_real_loss)
{
	struct tcp_conn *c = sending(20, true, false);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	CHECK_EQ(seg_forget(c), 2);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(1), SEG(10), SEG(11));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	CHECK(!tp->frto);
	CHECK_EQ(tp->ca_state, CA_LOSS);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSpuriousRTOs), 0);
	conn_free(c);
}

/* 2b: without new text there is nothing to ask with: the old is sent again. */
TEST(test_frto_without_new_text_resends)
{
	struct tcp_conn *c = sending(10, true, false);

	seg_wait(c, 1000);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(2), SEG(3));
	seg_none(c);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSlowStartRetrans), 2);
	conn_free(c);
}

TEST(test_frto_is_off_by_sysctl)
{
	struct tcp_conn *c = sending(20, true, false);

	c->net->tcp->sysctl.frto = 0;
	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	conn_free(c);
}

/* Without SACK a duplicate ACK decides (RFC 5682 2). */
TEST(test_frto_works_without_sack)
{
	struct tcp_conn *c = sending(20, false, false);

	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(10), SEG(11));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(11), SEG(12));
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	conn_free(c);
}

/* RFC 3522 3.2: the echo is older than the retransmission: one ACK is enough. */
TEST(test_eifel_undoes_a_timeout_at_once)
{
	struct tcp_conn *c = sending(10, true, true);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);
	uint32_t cwnd = tp->snd_cwnd;

	CHECK_EQ(seg_wait(c, 1000), 300);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 50);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,TS val 1450 ecr 100>", TSEG(1)); /* sent at 100, again at 400 */
	CHECK_EQ(tp->ca_state, CA_OPEN);
	CHECK_GE(tp->snd_cwnd, cwnd);
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossUndo), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSpuriousRTOs), 0);
	seg_none(c);
	conn_free(c);
}

TEST(test_eifel_believes_the_echo_of_a_retransmission)
{
	struct tcp_conn *c = sending(10, true, true);

	CHECK_EQ(seg_wait(c, 1000), 300);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 50);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,TS val 1450 ecr 400>", TSEG(1));
	CHECK_EQ(tcp_sk(c->sock->sk)->ca_state, CA_LOSS);
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossUndo), 0);
	conn_free(c);
}

/* The original was late: a full ACK with its echo undoes the recovery, and says how far it was late. */
TEST(test_eifel_undoes_a_recovery)
{
	struct tcp_conn *c = sending(10, true, true);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);
	uint32_t cwnd = tp->snd_cwnd;

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 1200 ecr 100,nop,nop,sack %u:%u>", TSEG(1), TSEG(10));
	CHECK_EQ(tp->ca_state, CA_RECOVERY);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,TS val 1210 ecr 100>", TSEG(10));
	CHECK_EQ(tp->ca_state, CA_OPEN);
	CHECK_GE(tp->snd_cwnd, cwnd);
	CHECK_EQ(mib(c, MIB_TcpExtTCPFullUndo), 1);
	conn_free(c);
}

TEST(test_eifel_undoes_a_recovery_by_a_partial_ack)
{
	struct tcp_conn *c = sending(10, true, true);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 1200 ecr 100,nop,nop,sack %u:%u>", TSEG(1), TSEG(5));
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,TS val 1210 ecr 100>", TSEG(5));
	CHECK_EQ(mib(c, MIB_TcpExtTCPPartialUndo), 1);
	CHECK_GE(tp->reordering, 5);
	CHECK_LE(tp->ca_state, CA_DISORDER);
	conn_free(c);
}

/* RFC 2018 8: what is acknowledged stops at SACKed text: after half a round trip all is sent again. */
TEST(test_reneging_is_noticed)
{
	struct tcp_conn *c = sending(5, true, false);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(4));
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack %u", SEG(1));
	seg_none(c);
	CHECK_EQ(seg_wait(c, 1000), 50);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(1), SEG(2));
	CHECK_EQ(mib(c, MIB_TcpExtTCPSACKReneging), 1);
	CHECK_EQ(tcp_sk(c->sock->sk)->sacked_out, 0);
	conn_free(c);
}

/* RFC 6298 3: text that was sent again is no measure; RFC 8985 6.3: nor is younger text lost. */
TEST(test_timeout_spares_text_that_has_just_left)
{
	struct tcp_conn *c = sending(5, true, false);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(1)); /* a round trip is known; the timer starts anew */
	conn_ms(c, 250);
	CHECK_EQ(conn_write(c, 1460), 1460);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(seg_wait(c, 1000), 50);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(tp->packets_out, 5);
	CHECK_EQ(tp->lost_out, 4);
	conn_free(c);
}
