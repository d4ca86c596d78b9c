/* SPDX-License-Identifier: MIT */
/* RACK-TLP (RFC 8985): loss by time, reordering, tails and lost retransmissions. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define RTT_MS 100U
#define SEG(n) (1U + 1460U * (n))

/* With a round trip of 100 ms: RTO 300 ms, loss probe after 202 ms, reo_wnd 25 ms. */
static struct tcp_conn *connected(bool tso)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .sack = true });

	if (tso) {
		c->dev->features |= NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
		c->dev->gso_max_size = 65536;
	}
	seg_in(c, "S 0:0(0) <mss 1460,sackOK>");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	return c;
}

static void write_segments(struct tcp_conn *c, unsigned int n, unsigned int sent)
{
	CHECK_EQ(conn_write(c, 1460 * (size_t)n), 1460 * n);
	CHECK_EQ(seg_forget(c), sent);
}

static struct tcp_conn *sending(unsigned int segments)
{
	struct tcp_conn *c = connected(false);

	write_segments(c, segments, MIN(segments, 10U));
	return c;
}

static uint64_t mib(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

/* ---- loss by time: 6.2 ----------------------------------------------------------------------- */

/* Less than a quarter of a round trip late: no retransmission (step 4). */
TEST(test_reordering_within_the_window_resends_nothing)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2));
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack %u", SEG(2));
	seg_none(c);
	CHECK_EQ(mib(c, MIB_TcpRetransSegs), 0);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSACKReorder), 1);
	CHECK_EQ(tcp_sk(c->sock->sk)->reord_seen, 1);
	CHECK_EQ(tcp_sk(c->sock->sk)->ca_state, CA_OPEN);
	conn_free(c);
}

/* An ACK that the peer may have delayed does not make the least round trip larger, however old that is. */
TEST(test_least_round_trip_is_not_one_with_a_delayed_ack)
{
	struct tcp_conn *c = connected(false);
	const struct tcp_sock *tp = tcp_sk(c->sock->sk);

	conn_ms(c, 301 * 1000);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_forget(c);
	conn_ms(c, 140);
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_EQ(tp->min_rtt_us, RTT_MS * 1000);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_forget(c);
	conn_ms(c, 90);
	seg_in(c, ". 1:1(0) ack 201");
	CHECK_EQ(tp->min_rtt_us, 90000);
	conn_free(c);
}

/* One SACK is enough, when the time for reordering has passed (step 5, the timer). */
TEST(test_reordering_timer_finds_the_loss)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2));
	seg_none(c);
	CHECK_EQ(seg_wait(c, 100), 25);
	seg_out(c, ". 1:1461(1460) ack 1");
	seg_none(c);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSackRecovery), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPFastRetrans), 1);
	conn_free(c);
}

/* DupThresh segments SACKed: no time is given as long as the path has not reordered (step 4). */
TEST(test_three_sacked_segments_need_no_time)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(4));
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_free(c);
}

/* ... unless the tcp_recovery sysctl says so. */
TEST(test_three_sacked_segments_need_time_by_sysctl)
{
	struct tcp_conn *c = sending(10);

	c->net->tcp->sysctl.recovery |= TCP_RACK_NO_DUPTHRESH;
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(4));
	seg_none(c);
	CHECK_EQ(seg_wait(c, 100), 25);
	seg_out(c, ". 1:1461(1460) ack 1");
	conn_free(c);
}

/* On a path that has reordered before, three are not enough; time decides. */
TEST(test_reordering_seen_takes_dupthresh_away)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2));
	seg_in(c, ". 1:1(0) ack %u", SEG(2));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(2), SEG(3), SEG(8));
	seg_none(c);
	CHECK_EQ(seg_wait(c, 100), 25);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(2), SEG(3));
	conn_free(c);
}

/* A lost retransmission is found by what was sent after it, a round trip later: no timeout (3.3). */
TEST(test_lost_retransmission_is_sent_again)
{
	struct tcp_conn *c = sending(30);
	unsigned int again = 0;
	uint32_t high = 0;
	struct pkt p;

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(10));
	seg_out(c, ". 1:1461(1460) ack 1");
	while (seg_take(c, &p))
		high = p.seq;
	conn_ms(c, RTT_MS / 2);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(10));
	while (seg_take(c, &p))
		high = p.seq;
	if (high < SEG(10)) { /* the window was still full: let new text go */
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(10));
		CHECK(seg_take(c, &p));
		high = p.seq;
	}
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), high + 1460);
	while (seg_take(c, &p))
		again += p.seq == 1;
	CHECK_EQ(again, 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPLostRetransmit), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 0);
	conn_free(c);
}

/* Step 4: each round trip with a D-SACK gives a quarter more; 16 recoveries later it is one again. */
TEST(test_dsack_enlarges_the_window)
{
	struct tcp_conn *c = sending(10);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(4));
	CHECK_EQ(seg_forget(c), 1);
	seg_in(c, ". 1:1(0) ack %u", SEG(4));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(4), SEG(0), SEG(1));
	CHECK_EQ(tp->rack_reo_mult, 1);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(4), SEG(0), SEG(1));
	CHECK_EQ(tp->rack_reo_mult, 1); /* once a round trip */
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(0), SEG(1));
	CHECK_EQ(tp->rack_reo_mult, 2);
	for (int i = 0; i < 16; i++)
		tcp_rack_recovery_ended(tp);
	CHECK_EQ(tp->rack_reo_mult, 1);
	conn_free(c);
}

/* 3.3.2: however many D-SACKs there were, the window is no longer than a round trip. */
TEST(test_window_is_a_round_trip_at_most)
{
	struct tcp_conn *c = sending(10);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);

	tp->rack_reo_mult = 40; /* of 25 ms */
	tp->reord_seen = 1;
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(1), SEG(2));
	CHECK_EQ(seg_wait(c, 2000), RTT_MS);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(0), SEG(1));
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 0);
	conn_free(c);
}

TEST(test_static_window_by_sysctl)
{
	struct tcp_conn *c = sending(10);

	c->net->tcp->sysctl.recovery |= TCP_RACK_STATIC_REO_WND;
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(4));
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(4), SEG(0), SEG(1));
	CHECK_EQ(tcp_sk(c->sock->sk)->rack_reo_persist, 0);
	conn_free(c);
}

/* ---- super-segments -------------------------------------------------------------------------- */

/* Of one transmission of ten segments only the holes below what was SACKed are sent again. */
TEST(test_super_segment_partially_sacked)
{
	struct tcp_conn *c = connected(true);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);
	uint32_t covered = 0;
	struct pkt p;

	tp->pacing_rate = 1ULL << 40; /* which bounds the size of a transmission */
	write_segments(c, 10, 1);
	CHECK_EQ(tp->sent_nr, 1);
	CHECK_EQ(tp->packets_out, 10);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(3), SEG(7));
	CHECK_EQ(tp->sent_nr, 3);
	CHECK_EQ(tp->sacked_out, 4);
	CHECK_EQ(tp->lost_out, 3);
	for (int i = 0; i < 3; i++) {
		while (seg_take(c, &p))
			for (uint32_t n = 0; n < 10; n++)
				covered += p.seq <= SEG(n) && SEG(n + 1) <= p.seq + p.payload_len ? 1U << 3 * n : 0;
		conn_ms(c, 1);
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,sack %u:%u>", SEG(3), SEG(8 + (uint32_t)i));
	}
	CHECK_EQ(covered, 1U | 1U << 3 | 1U << 6); /* 0, 1, 2: each once */
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_EQ(tp->sent_nr, 0);
	CHECK_EQ(tp->packets_out, 0);
	conn_free(c);
}

/* ---- the tail: 7 ----------------------------------------------------------------------------- */

/* Two segments at the end are lost: a probe, its SACK, and RACK: no timeout. */
TEST(test_tail_loss_costs_a_probe_and_no_timeout)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(8));
	CHECK_EQ(seg_wait(c, 1000), 202);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(9), SEG(10));
	seg_none(c);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(8), SEG(9), SEG(10));
	seg_out(c, ". %u:%u(1460) ack 1", SEG(8), SEG(9));
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 0);
	CHECK_EQ(mib(c, MIB_TcpExtTCPSackRecovery), 1);
	conn_free(c);
}

/* 7.3: new text is better, even when the window is full. */
TEST(test_probe_is_new_text_when_there_is_some)
{
	struct tcp_conn *c = sending(20);

	CHECK_EQ(seg_wait(c, 1000), 202);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(10), SEG(11));
	seg_none(c);
	CHECK_EQ(mib(c, MIB_TcpRetransSegs), 0);
	conn_free(c);
}

/* 7.2: one probe, then the timeout. */
TEST(test_only_one_probe_before_the_timeout)
{
	struct tcp_conn *c = sending(3);

	CHECK_EQ(seg_wait(c, 1000), 202);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(2), SEG(3));
	CHECK_EQ(seg_wait(c, 1000), 300);
	seg_out(c, ". 1:1461(1460) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 1);
	conn_free(c);
}

/* 7.2: a segment alone may meet a delayed ACK; not later than the timeout. */
TEST(test_probe_of_a_single_segment_waits_longer)
{
	struct tcp_conn *c = sending(1);

	CHECK_EQ(seg_wait(c, 1000), 300);
	seg_out(c, "P. 1:1461(1460) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 0);
	conn_free(c);
}

/* 7.2: the SYN-ACK had to be sent again, so that there is no measurement: the probe follows after 1 s. */
TEST(test_probe_without_a_measurement)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .sack = true });

	seg_in(c, "S 0:0(0) <mss 1460,sackOK>");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	CHECK_EQ(seg_wait(c, 2000), 1000);
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(tcp_sk(c->sock->sk)->srtt_us, 0);
	write_segments(c, 1, 1);
	CHECK_EQ(seg_wait(c, 5000), 1000);
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 1);
	conn_free(c);
}

/* 7.4.2: the probe has repaired the only loss: the window pays for it when that is sure. */
TEST(test_loss_that_the_probe_repaired_is_noticed)
{
	struct tcp_conn *c = sending(10);
	uint32_t before_it = tcp_sk(c->sock->sk)->snd_cwnd;

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(9));
	seg_wait(c, 1000);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(9), SEG(10));
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbeRecovery), 0);
	write_segments(c, 1, 1);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(11));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbeRecovery), 1);
	CHECK_LT(tcp_sk(c->sock->sk)->snd_cwnd, before_it * 2);
	CHECK_EQ(tcp_sk(c->sock->sk)->ca_state, CA_OPEN);
	conn_free(c);
}

/* 7.4.2: both copies have arrived: nothing was lost. */
TEST(test_needless_probe_costs_nothing)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(9));
	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	conn_ms(c, 90);
	seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", SEG(10), SEG(9), SEG(10));
	CHECK(!tcp_sk(c->sock->sk)->tlp_out);
	write_segments(c, 1, 1);
	seg_in(c, ". 1:1(0) ack %u", SEG(11));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbeRecovery), 0);
	conn_free(c);
}

TEST(test_no_probe_without_sack)
{
	struct tcp_conn *c = conn_established(NULL);

	write_segments(c, 3, 3);
	CHECK_EQ(seg_wait(c, 1000), 200);
	seg_out(c, ". 1:1461(1460) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 0);
	conn_free(c);
}

TEST(test_no_probe_by_sysctl)
{
	struct tcp_conn *c = connected(false);

	c->net->tcp->sysctl.early_retrans = 0;
	write_segments(c, 3, 3);
	CHECK_EQ(seg_wait(c, 1000), 300);
	seg_out(c, ". 1:1461(1460) ack 1");
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 0);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 1);
	conn_free(c);
}

/* The peer's window is closed to new text: the last segment is the probe. */
TEST(test_probe_respects_the_peers_window)
{
	struct tcp_conn *c = connected(false);

	write_segments(c, 2, 2);
	seg_in(c, ". 1:1(0) ack 1 win 2920");
	write_segments(c, 2, 0);
	seg_wait(c, 1000);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(1), SEG(2));
	conn_free(c);
}

/* 7.3: no second probe before a round trip has been measured: what was sent again measures none (Karn). */
TEST(test_no_probe_before_a_measurement_since_the_last)
{
	struct tcp_conn *c = sending(2);

	CHECK_EQ(seg_wait(c, 1000), 202);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(1), SEG(2));
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u", SEG(2));
	seg_in(c, ". 1:1(0) ack %u", SEG(2)); /* of the second copy */
	CHECK(tcp_sk(c->sock->sk)->tlp_unmeasured);
	write_segments(c, 2, 2);
	seg_wait(c, 1000);
	seg_out(c, ". %u:%u(1460) ack 1", SEG(2), SEG(3)); /* the timeout */
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 1);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 1);
	conn_free(c);
}

/* ... and one again after it. */
TEST(test_probe_again_after_a_measurement)
{
	struct tcp_conn *c = sending(2);

	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u", SEG(2));
	seg_in(c, ". 1:1(0) ack %u", SEG(2));
	write_segments(c, 1, 1);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(3));
	write_segments(c, 2, 2);
	seg_wait(c, 1000);
	seg_out(c, "P. %u:%u(1460) ack 1", SEG(4), SEG(5));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 2);
	CHECK_EQ(mib(c, MIB_TcpExtTCPTimeouts), 0);
	conn_free(c);
}

/* 7.4.2: the ACK of the second copy says so without D-SACK as well, though nothing is in flight any more. */
TEST(test_needless_probe_is_noticed_by_a_duplicate_ack)
{
	struct tcp_conn *c = sending(10);

	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(9));
	seg_wait(c, 1000);
	CHECK_EQ(seg_forget(c), 1);
	conn_ms(c, 10);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK(tcp_sk(c->sock->sk)->tlp_out);
	conn_ms(c, 90);
	seg_in(c, ". 1:1(0) ack %u", SEG(10));
	CHECK(!tcp_sk(c->sock->sk)->tlp_out);
	write_segments(c, 1, 1);
	conn_ms(c, RTT_MS);
	seg_in(c, ". 1:1(0) ack %u", SEG(11));
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbeRecovery), 0);
	conn_free(c);
}

/* Who is late finds the ACK and the time of the probe at once: the ACK counts. */
TEST(test_no_probe_when_the_ack_has_come)
{
	struct tcp_conn *c = connected(false);
	uint8_t frame[200];
	struct pkt ack;
	size_t len;

	write_segments(c, 2, 2);
	ack = seg_make(c, ". 1:1(0) ack 2921");
	memcpy(ack.eth_dst, c->dev->dev_addr, 6);
	len = pkt_build(&ack, frame);
	fake_dev_inject_later(c->dev, frame, len, false);
	stack_run(c->net, c->net->now + 2 * RTT_MS * NSEC_PER_MSEC + 50 * NSEC_PER_MSEC);
	CHECK_EQ(mib(c, MIB_TcpExtTCPLossProbes), 0);
	CHECK_EQ(tcp_sk(c->sock->sk)->packets_out, 0);
	seg_none(c);
	conn_free(c);
}

/* One segment there and back, in @ms; the least round trip then, in milliseconds. */
static unsigned int exchange(struct tcp_conn *c, unsigned int n, uint64_t ms)
{
	write_segments(c, 1, 1);
	conn_ms(c, ms);
	seg_in(c, ". 1:1(0) ack %u", SEG(n + 1));
	return tcp_sk(c->sock->sk)->min_rtt_us / 1000;
}

/* 6.2: the least round trip is that of the last minutes (tcp_min_rtt_wlen, 300 s) and not of all time. */
TEST(test_least_round_trip_is_of_recent_time)
{
	struct tcp_conn *c = connected(false);

	CHECK_EQ(exchange(c, 0, 40), 40);
	CHECK_EQ(exchange(c, 1, 90), 40);
	conn_ms(c, 149000);
	CHECK_EQ(exchange(c, 2, 80), 40);
	conn_ms(c, 20000);
	CHECK_EQ(exchange(c, 3, 70), 40);
	CHECK_EQ(exchange(c, 4, 60), 40);
	conn_ms(c, 150000);
	CHECK_EQ(exchange(c, 5, 80), 60);
	conn_ms(c, 400000); /* nothing for long: nothing is known */
	CHECK_EQ(exchange(c, 6, 90), 90);
	conn_free(c);
}
