/* SPDX-License-Identifier: MIT */
/* Pacing: the rate, the size of transmissions, the intervals to the microsecond; TCP_INFO's times. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define SMSS 1460U

static struct tcp_sock *tcp_of(struct tcp_conn *c)
{
	return tcp_sk(c->sock->sk);
}

static void set_rate(struct tcp_conn *c, uint64_t rate)
{
	CHECK_EQ(sock_setsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)), 0);
}

/* The initial window of ten segments has left and is acknowledged; more is written. */
static struct tcp_conn *paced(uint64_t rate)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .wscale = 8, .sndbuf = 200000 });

	set_rate(c, rate);
	CHECK_EQ(conn_write(c, 40 * SMSS), 40 * SMSS);
	CHECK_EQ(seg_forget(c), 10);
	conn_ms(c, 100);
	seg_in(c, ". 1:1(0) ack %u", 1 + 10 * SMSS);
	return c;
}

/* ---- the option ------------------------------------------------------------------------------ */

TEST(test_max_pacing_rate_in_both_sizes)
{
	struct tcp_conn *c = conn_established(NULL);
	uint64_t big = 0;
	uint32_t small = 0;
	socklen_t len = sizeof(big);

	CHECK_EQ(sock_getsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &big, &len), 0);
	CHECK(big == UINT64_MAX && len == 8);
	len = sizeof(small);
	CHECK_EQ(sock_getsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &small, &len), 0);
	CHECK(small == UINT32_MAX && len == 4);
	set_rate(c, 10000000000);
	len = sizeof(big);
	CHECK_EQ(sock_getsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &big, &len), 0);
	CHECK(big == 10000000000);
	small = 5000;
	CHECK_EQ(sock_setsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &small, sizeof(small)), 0);
	CHECK_EQ(c->sock->sk->max_pacing_rate, 5000);
	small = UINT32_MAX;
	CHECK_EQ(sock_setsockopt(c->sock, SOL_SOCKET, SO_MAX_PACING_RATE, &small, sizeof(small)), 0);
	CHECK(c->sock->sk->max_pacing_rate == UINT64_MAX);
	conn_free(c);
}

/* What would not keep to it does not take it. */
TEST(test_max_pacing_rate_is_not_for_datagrams)
{
	struct tcp_conn *c = conn_new(NULL);
	uint64_t rate = 1000;
	struct socket *s;

	CHECK_EQ(sock_create(c->net, AF_INET, SOCK_DGRAM, 0, &s), 0);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)), -ENOPROTOOPT);
	sock_release(s);
	conn_free(c);
}

TEST(test_max_pacing_rate_is_inherited)
{
	struct tcp_conn *c = conn_listening(NULL);

	c->listener->sk->max_pacing_rate = 1000000;
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(c->sock->sk->max_pacing_rate, 1000000);
	conn_free(c);
}

/* ---- intervals ------------------------------------------------------------------------------- */

/* One segment of 1460 bytes each 1460 / rate seconds; after silence one at once, the next sooner. */
TEST(test_intervals_to_the_microsecond)
{
	static const struct {
		uint64_t rate;
		uint32_t interval_us;
	} rows[] = { { 1460000, 1000 }, { 146000, 10000 }, { 292000, 5000 }, { 1000000, 1460 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = paced(rows[i].rate);
		uint64_t wait = rows[i].interval_us;
		ktime_t last;
		struct pkt p;

		CHECK(seg_take(c, &p));
		seg_none(c);
		fake_advance_us(c->net, wait / 2);
		CHECK(seg_take(c, &p));
		last = p.at;
		seg_none(c);
		for (int n = 0; n < 5; n++) {
			fake_advance_us(c->net, wait - 1);
			seg_none(c);
			fake_advance_us(c->net, 1);
			CHECK(seg_take(c, &p));
			CHECK_EQ(p.at - last, wait * NSEC_PER_USEC);
			last = p.at;
		}
		conn_free(c);
	}
}

/* A timer that fires late is made up for, by half an interval at most. */
TEST(test_lateness_is_made_up_for)
{
	struct tcp_conn *c = paced(1460000);
	ktime_t at;

	CHECK_EQ(seg_forget(c), 1);
	at = tcp_of(c)->pacing_at;
	c->net->now = at + 300 * NSEC_PER_USEC; /* behind the timers' back: 300 us late */
	fake_settle(c->net);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(tcp_of(c)->pacing_at, at + 1000 * NSEC_PER_USEC);
	c->net->now = tcp_of(c)->pacing_at + 800 * NSEC_PER_USEC;
	fake_settle(c->net);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(tcp_of(c)->pacing_at, c->net->now + 500 * NSEC_PER_USEC);
	conn_free(c);
}

TEST(test_without_a_limit_nothing_waits)
{
	struct tcp_conn *c = paced(UINT64_MAX);

	CHECK_EQ(seg_forget(c), 20);
	CHECK(!tcp_armed(tcp_of(c), TCPT_PACE));
	conn_free(c);
}

/* Pacing while nothing is in flight is no reason for window probes. */
TEST(test_waiting_for_the_pace_is_not_persist)
{
	struct tcp_conn *c = paced(14600);

	for (uint32_t n = 11; n < 14; n++) {
		CHECK_EQ(seg_forget(c), 1);
		seg_in(c, ". 1:1(0) ack %u", 1 + n * SMSS);
		seg_none(c);
		CHECK(!tcp_armed(tcp_of(c), TCPT_PERSIST));
		conn_ms(c, 100);
	}
	conn_free(c);
}

/* ---- the ACK clock --------------------------------------------------------------------------- */

static uint32_t take_all(struct tcp_conn *c)
{
	uint32_t bytes = 0;
	struct pkt p;

	while (seg_take(c, &p))
		bytes += (uint32_t)p.payload_len;
	return bytes;
}

/*
 * On a long path an ACK of two segments lets about two leave, at once: whatever is left of a buffer does
 * not wait until a third of the window can leave as a burst.
 */
TEST(test_acks_release_what_they_acknowledge)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .wscale = 8, .sndbuf = 1 << 20 });
	struct tcp_sock *tp = tcp_of(c);
	uint32_t ack = 1 + 5 * SMSS, end = ack, got;

	c->dev->features |= NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
	CHECK_EQ(conn_write(c, 5 * SMSS), 5 * SMSS);
	CHECK_EQ(take_all(c), 5 * SMSS);
	conn_ms(c, 60);
	seg_in(c, ". 1:1(0) ack %u", ack);
	tp->snd_ssthresh = tp->snd_cwnd = 30 * SMSS;
	CHECK_GT(conn_write(c, 300 * SMSS), 200 * SMSS);
	end += take_all(c);
	CHECK_EQ(end - ack, 30 * SMSS);
	conn_ms(c, 60);
	for (int i = 0; i < 80; i++) {
		ack += 2 * SMSS;
		seg_in(c, ". 1:1(0) ack %u", ack);
		got = take_all(c);
		CHECK_MSG(got >= SMSS && got <= 4 * SMSS, "ACK %d lets %u bytes leave", i, got);
		end += got;
		conn_ms(c, 4);
	}
	conn_free(c);
}

/* ---- rate and sizes -------------------------------------------------------------------------- */

/* Twice the window in a round trip in slow start, 1.2 times from half of ssthresh on. */
TEST(test_rate_follows_the_window)
{
	struct tcp_conn *c = conn_established(NULL);
	struct tcp_sock *tp = tcp_of(c);

	tp->snd_cwnd = 100000;
	tp->srtt_us = 50000;
	tcp_update_pacing_rate(tp);
	CHECK_EQ(tcp_pacing_rate(tp), 4000000);
	tp->snd_ssthresh = 150000;
	tcp_update_pacing_rate(tp);
	CHECK_EQ(tcp_pacing_rate(tp), 2400000);
	set_rate(c, 1000000);
	CHECK_EQ(tcp_pacing_rate(tp), 1000000);
	conn_free(c);
}

TEST(test_transmissions_of_a_millisecond)
{
	static const struct {
		uint64_t rate;
		uint32_t min_rtt_us, segs;
	} rows[] = {
		{ 100000, 100000, 2 },           /* never less than two */
		{ 14950400, 100000, 10 },        /* 14600 bytes in 1/1024 s */
		{ 1000000000, 100000, 44 },      /* never more than the device takes */
		{ 100000, 100, 44 },             /* a short path: as much as possible */
		{ 100000, 1100, 11 },            /* halved for each 512 us */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = conn_established(NULL);
		struct tcp_sock *tp = tcp_of(c);

		tp->pacing_rate = rows[i].rate;
		tp->min_rtt_us = rows[i].min_rtt_us;
		CHECK_EQ(tcp_tso_goal(tp, 44 * SMSS, SMSS), rows[i].segs * SMSS);
		CHECK_EQ(tcp_tso_goal(tp, SMSS, SMSS), SMSS); /* no offload */
		conn_free(c);
	}
}

/* ---- TCP_INFO -------------------------------------------------------------------------------- */

static struct tcp_info info(struct tcp_conn *c)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	return i;
}

TEST(test_times_of_being_held_back)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sndbuf = 8000, .nodelay = true });
	struct tcp_info i;

	conn_ms(c, 1000); /* idle */
	CHECK_EQ(conn_write(c, 1000), 1000);
	conn_ms(c, 100); /* busy */
	seg_in(c, ". 1:1(0) ack 1001 win 0");
	conn_ms(c, 1000); /* idle */
	CHECK_EQ(conn_write(c, 1000), 1000);
	conn_ms(c, 150); /* the window is closed */
	seg_in(c, ". 1:1(0) ack 1001 win 65535");
	seg_in(c, ". 1:1(0) ack 2001 win 65535");
	tcp_of(c)->snd_cwnd = 1 << 20;
	while (conn_write(c, 1000) > 0)
		;
	conn_ms(c, 50); /* the send buffer is all in flight */
	i = info(c);
	CHECK_EQ(i.tcpi_busy_time, 300000);
	CHECK_EQ(i.tcpi_rwnd_limited, 150000);
	CHECK_EQ(i.tcpi_sndbuf_limited, 50000);
	conn_free(c);
}
