/* SPDX-License-Identifier: MIT */
/* Proportional Rate Reduction (RFC 9937): what leaves for each ACK of a recovery. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define RTT_MS 100U
#define SEG(n) (1U + 1460U * (n))

/* Reno (ssthresh is half), ten segments in flight, the round trip over, more to send. */
static struct tcp_conn *ten_in_flight(void)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .sack = true, .cong = "reno" });

	seg_in(c, "S 0:0(0) <mss 1460,sackOK>");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 30 * 1460), 30 * 1460);
	CHECK_EQ(seg_forget(c), 10);
	conn_ms(c, RTT_MS);
	return c;
}

/* One segment is lost, the ACK clock runs: ssthresh / prior_cwnd, here every second ACK, lets one go. */
TEST(test_prr_sends_for_every_second_ack)
{
	static const unsigned int want[] = { 1, 1, 1, 0, 1, 0, 1, 0, 0 };
	struct tcp_conn *c = ten_in_flight();
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	for (unsigned int n = 0; n < ARRAY_SIZE(want); n++) {
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2 + n));
		CHECK_EQ(seg_forget(c), want[n]); /* limited transmit twice, then the lost one */
		CHECK_EQ(tp->ca_state, n < 2 ? CA_DISORDER : CA_RECOVERY);
	}
	CHECK_EQ(tp->snd_ssthresh, 5 * 1460);
	CHECK_EQ(tcp_pipe(tp), 5 * 1460);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(12));
	CHECK_EQ(tp->snd_cwnd / 1460, 5);
	conn_free(c);
}

/* Nearly all is lost: the flight is built up again by slow start, two for an ACK that moves on. */
TEST(test_prr_rebuilds_the_flight_by_slow_start)
{
	struct tcp_conn *c = ten_in_flight();
	const struct tcp_sock *tp = tcp_sk(c->sock->sk);

	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(9), SEG(10));
	CHECK_EQ(seg_forget(c), 1); /* limited transmit */
	CHECK_EQ(seg_wait(c, 100), 25);
	CHECK_EQ(tp->lost_out, 9);
	CHECK_EQ(seg_forget(c), 1); /* the first of the nine: what was delivered and no more */
	conn_ms(c, 75);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(9), SEG(11));
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 25);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(1), SEG(9), SEG(11));
	CHECK_EQ(seg_forget(c), 2);
	conn_ms(c, 75);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(2), SEG(9), SEG(11));
	CHECK_EQ(seg_forget(c), 2);
	CHECK_EQ(tcp_pipe(tp), 4 * 1460);
	conn_ms(c, 25);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(4), SEG(9), SEG(11));
	CHECK_EQ(tcp_pipe(tp), 5 * 1460); /* up to ssthresh */
	CHECK_EQ(seg_forget(c), 3);
	conn_free(c);
}

/* An ACK that brings new losses is no time to go faster than what is delivered (SafeACK). */
TEST(test_prr_conserves_packets_while_losses_go_on)
{
	struct tcp_conn *c = ten_in_flight();
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	tcp_init_cwnd_reduction(tp);
	tcp_set_ca_state(tp, CA_RECOVERY);
	tp->prr_out = 1460;
	tp->lost_bytes = 8 * 1460; /* pipe = 2 segments */
	tcp_cwnd_reduction(tp, 1460, 1460, true);
	CHECK_EQ(tp->snd_cwnd, 3 * 1460);
	tp->prr_delivered = 1460;
	tcp_cwnd_reduction(tp, 1460, 0, true);
	CHECK_EQ(tp->snd_cwnd, 4 * 1460);
	tp->lost_bytes = 0;
	conn_free(c);
}

TEST(test_cwr_reduces_without_a_retransmission)
{
	struct tcp_conn *c = ten_in_flight();
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	tcp_enter_cwr(tp);
	CHECK_EQ(tp->ca_state, CA_CWR);
	CHECK_EQ(tp->snd_ssthresh, 5 * 1460);
	for (unsigned int n = 1; n <= 10; n++)
		seg_in(c, ". 1:1(0) ack %u", SEG(n));
	CHECK_EQ(seg_forget(c), 5);
	CHECK_EQ(tp->ca_state, CA_CWR);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(11));
	CHECK_EQ(tp->ca_state, CA_OPEN);
	CHECK_EQ(tp->snd_cwnd / 1460, 5);
	CHECK_EQ(c->net->mib[MIB_TcpRetransSegs], 0);
	conn_free(c);
}
