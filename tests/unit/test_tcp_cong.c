/* SPDX-License-Identifier: MIT */
/*
 * Congestion control, seen from outside: how many segments leave in each round trip of 100 ms.
 * RFC 5681 (slow start, avoidance, timeout), RFC 6928 (initial window), RFC 9438 (CUBIC), RFC 7661.
 */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define MSS 1460U
#define RTT_MS 100U

struct flow {
	struct tcp_conn *c;
	uint32_t una, nxt; /* relative; what the peer has acknowledged, what it has seen sent */
	unsigned int resent;
};

static struct flow start(const char *cong)
{
	struct flow f = { .una = 1, .nxt = 1 };

	f.c = conn_listening(&(struct tcp_params){ .wscale = 1 + 7, .sack = true, .cong = cong });
	seg_in(f.c, "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 7>");
	seg_out(f.c, "S. 0:0(0) ack 1 <...>");
	conn_ms(f.c, RTT_MS);
	seg_in(f.c, ". 1:1(0) ack 1");
	conn_accept(f.c);
	return f;
}

/* Notes what was sent since; segments of new text. */
static unsigned int collect(struct flow *f)
{
	unsigned int n = 0;
	struct pkt p;

	while (seg_take(f->c, &p)) {
		if ((int32_t)(p.seq - f->nxt) < 0) {
			f->resent++;
			continue;
		}
		f->nxt = p.seq + (uint32_t)p.payload_len;
		n++;
	}
	return n;
}

/* Always has more to send. */
static unsigned int feed(struct flow *f)
{
	while (conn_write(f->c, 4 * MSS) > 0)
		;
	return collect(f);
}

static void ack(struct flow *f, uint32_t to)
{
	f->una = to;
	seg_in(f->c, ". 1:1(0) ack %u", to);
}

/*
 * One round trip: all that is in flight is acknowledged, every second segment; new segments sent.
 */
static unsigned int round_trip(struct flow *f)
{
	uint32_t end = f->nxt;
	unsigned int n = 0;

	conn_ms(f->c, RTT_MS);
	while (f->una != end) {
		ack(f, end - f->una > 2 * MSS ? f->una + 2 * MSS : end);
		n += feed(f);
	}
	return n;
}

/* One round trip in which the first segment is lost; the window afterwards, in segments. */
static unsigned int lossy_round_trip(struct flow *f)
{
	uint32_t end = f->nxt, from = f->una + MSS;

	conn_ms(f->c, RTT_MS);
	f->resent = 0;
	for (uint32_t to = from + MSS; (int32_t)(to - end) <= 0; to += MSS) {
		seg_in(f->c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", f->una, from, to);
		feed(f);
	}
	if (f->resent == 0) { /* too few segments above it: the timer finds it */
		seg_wait(f->c, 5000);
		collect(f);
	}
	CHECK_EQ(f->resent, 1);
	conn_ms(f->c, RTT_MS);
	ack(f, f->nxt); /* the retransmission has arrived, and what left before and after it */
	feed(f);
	return (f->nxt - f->una) / MSS;
}

/* Until slow start has opened the window to @segments in a round trip. */
static unsigned int grow_to(struct flow *f, unsigned int segments)
{
	unsigned int n = feed(f);

	while (n < segments)
		n = round_trip(f);
	return n;
}

/* ---- RFC 6928, RFC 5681 3.1 ------------------------------------------------------------------ */

TEST(test_initial_window_is_ten_segments)
{
	struct flow f = start(NULL);

	CHECK_EQ(feed(&f), 10);
	conn_free(f.c);
}

TEST(test_initial_window_is_one_segment_after_two_lost_synacks)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	conn_ms(c, 3500);
	CHECK_EQ(seg_forget(c), 2);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 14600), 14600);
	CHECK_EQ(seg_forget(c), 1);
	conn_free(c);
}

TEST(test_slow_start_doubles)
{
	struct flow f = start(NULL);

	CHECK_EQ(feed(&f), 10);
	CHECK_EQ(round_trip(&f), 20);
	CHECK_EQ(round_trip(&f), 40);
	CHECK_EQ(round_trip(&f), 80);
	conn_free(f.c);
}

/*
 * RFC 3465, RFC 5681 3.1: many ACKs for one segment do not open the window faster (ACK division).
 */
TEST(test_slow_start_counts_bytes_not_acks)
{
	struct flow f = start(NULL);
	unsigned int n = 0;

	CHECK_EQ(feed(&f), 10);
	conn_ms(f.c, RTT_MS);
	for (uint32_t to = 11; to <= 1 + MSS; to += 10) {
		seg_in(f.c, ". 1:1(0) ack %u", to);
		n += feed(&f);
	}
	CHECK_LE(n, 2);
	conn_free(f.c);
}

/* RFC 7661: a window that is not used does not grow. */
TEST(test_window_does_not_grow_unused)
{
	struct flow f = start(NULL);

	for (int i = 0; i < 50; i++) {
		CHECK_EQ(conn_write(f.c, MSS), MSS);
		collect(&f);
		conn_ms(f.c, RTT_MS);
		ack(&f, f.nxt);
	}
	CHECK_LE(feed(&f), 20);
	conn_free(f.c);
}

/* RFC 5681 4.1: after a pause of more than one RTO the window is at most the initial one. */
TEST(test_window_restarts_after_idle)
{
	struct flow f = start(NULL);

	grow_to(&f, 80);
	while (f.una != f.nxt) { /* all that is queued leaves and is acknowledged */
		conn_ms(f.c, RTT_MS);
		ack(&f, f.nxt);
		collect(&f);
	}
	conn_ms(f.c, 60000);
	CHECK_EQ(feed(&f), 10);
	conn_free(f.c);
}

/* ---- loss: RFC 5681 3.1, 3.2; RFC 9438 4.6 --------------------------------------------------- */

/* RFC 5681 3.1: the first threshold is no limit. */
TEST(test_threshold_begins_as_high_as_can_be)
{
	struct flow f = start("reno");

	CHECK_GE(tcp_sk(f.c->sock->sk)->snd_ssthresh, 1U << 30);
	conn_free(f.c);
}

/* RFC 5681 4.3: losses in two windows, one after the other, lower the window twice. */
TEST(test_losses_in_two_windows_halve_twice)
{
	struct flow f = start("reno");
	unsigned int before = grow_to(&f, 80), now;

	lossy_round_trip(&f);
	now = lossy_round_trip(&f);
	CHECK_GE(now, before / 4 - 3);
	CHECK_LE(now, before / 4 + 3);
	conn_free(f.c);
}

TEST(test_reno_halves)
{
	struct flow f = start("reno");
	unsigned int before = grow_to(&f, 80), now = lossy_round_trip(&f);

	CHECK_GE(now, before / 2 - 3);
	CHECK_LE(now, before / 2 + 3);
	conn_free(f.c);
}

TEST(test_reno_adds_a_segment_each_round_trip)
{
	struct flow f = start("reno");
	unsigned int first, last = 0;

	grow_to(&f, 80);
	lossy_round_trip(&f);
	first = round_trip(&f);
	for (int i = 0; i < 20; i++)
		last = round_trip(&f);
	CHECK_GE(last - first, 18);
	CHECK_LE(last - first, 22);
	conn_free(f.c);
}

/* RFC 9438 4.6: beta = 0.7 */
TEST(test_cubic_keeps_seven_tenths)
{
	struct flow f = start("cubic");
	unsigned int before = grow_to(&f, 80), now = lossy_round_trip(&f);

	CHECK_GE(now, before * 7 / 10 - 3);
	CHECK_LE(now, before * 7 / 10 + 3);
	conn_free(f.c);
}

/*
 * RFC 9438 4.2: back at W_max after K = cbrt(W_max * (1 - beta) / C) seconds, flat there, then
 * beyond.
 */
TEST(test_cubic_is_back_at_w_max_after_k)
{
	struct flow f = start("cubic");
	unsigned int w_max = grow_to(&f, 320), k_rtts, n = 0, early = 0, steep = 0, flat, i;

	lossy_round_trip(&f);
	/* 320 segments: K = cbrt(320 * 0.3 / 0.4) = 6.21 s. */
	k_rtts = 62;
	for (i = 0; i < k_rtts; i++) {
		n = round_trip(&f);
		if (i == 0)
			early = n;
		if (i == 9)
			steep = n - early;
		if (i == k_rtts - 10)
			early = n;
	}
	flat = n - early;
	CHECK_GE(n, w_max * 95 / 100);
	CHECK_LE(n, w_max * 105 / 100);
	CHECK_GT(steep, flat * 2);
	for (i = 0; i < 45; i++)
		n = round_trip(&f);
	CHECK_GT(n, w_max * 105 / 100);
	conn_free(f.c);
}

/* RFC 9438 4.3: where CUBIC alone would be slower than Reno it is as fast. */
TEST(test_cubic_is_not_slower_than_reno_in_its_region)
{
	struct flow f = start("cubic");
	unsigned int first, last = 0;

	grow_to(&f, 20);
	lossy_round_trip(&f);
	first = round_trip(&f);
	for (int i = 0; i < 20; i++)
		last = round_trip(&f);
	/* alpha = 3 * (1 - 0.7) / (1 + 0.7) = 0.53 segments a round trip. */
	CHECK_GE(last - first, 8);
	CHECK_LE(last - first, 25);
	conn_free(f.c);
}

/* RFC 5681 3.1 (4), (5): a timeout: one segment, slow start to half, then avoidance. */
TEST(test_timeout_starts_from_one_segment)
{
	struct flow f = start("reno");
	uint32_t end;

	CHECK_EQ(grow_to(&f, 40), 40);
	end = f.nxt;
	f.resent = 0;
	seg_wait(f.c, 2000);
	CHECK_EQ(collect(&f), 1); /* the loss probe: new text */
	end = f.nxt;
	seg_wait(f.c, 2000);
	CHECK_EQ(collect(&f), 0);
	CHECK_EQ(f.resent, 1);
	f.resent = 0;
	ack(&f, f.una + MSS);
	CHECK_EQ(collect(&f), 2); /* F-RTO (RFC 5682) asks with new text whether that was right */
	CHECK_EQ(f.resent, 0);
	seg_in(f.c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", f.una, end, end + MSS);
	CHECK_EQ(collect(&f), 0);
	CHECK_EQ(f.resent, 1);
	/* All of the rest arrives: it was only late. */
	ack(&f, end);
	CHECK_LE(feed(&f), 40);
	conn_free(f.c);
}

/* Whatever happens, at least one segment may be in flight, so that nothing stalls. */
TEST(test_window_is_at_least_two_segments_after_many_losses)
{
	struct flow f = start("reno");

	CHECK_EQ(feed(&f), 10);
	for (int i = 0; i < 5; i++)
		lossy_round_trip(&f);
	for (int i = 0; i < 3; i++)
		CHECK_GE(round_trip(&f), 2);
	conn_free(f.c);
}

/* ---- the list of algorithms ------------------------------------------------------------------ */

static int set_cong(struct tcp_conn *c, const char *name)
{
	return sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, name,
			       (socklen_t)strlen(name));
}

static void check_cong(struct tcp_conn *c, const char *want)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	CHECK_STR(name, want);
}

TEST(test_congestion_control_sysctls)
{
	struct tcp_conn *c = conn_new(NULL);
	char buf[64];

	CHECK_STR(tcp_get_default_congestion_control(c->net), "cubic");
	tcp_get_available_congestion_control(c->net, buf, sizeof(buf));
	CHECK(strstr(buf, "reno") && strstr(buf, "cubic"));
	CHECK_EQ(tcp_set_default_congestion_control(c->net, "vegas"), -ENOENT);
	CHECK_EQ(tcp_set_default_congestion_control(c->net, "reno"), 0);
	c->sock = conn_socket(c);
	check_cong(c, "reno");
	CHECK_EQ(tcp_set_allowed_congestion_control(c->net, "reno nosuch"), -ENOENT);
	CHECK_EQ(tcp_set_allowed_congestion_control(c->net, " reno\n"), 0);
	tcp_get_allowed_congestion_control(c->net, buf, sizeof(buf));
	CHECK_STR(buf, "reno");
	CHECK_EQ(set_cong(c, "cubic"), -EPERM);
	CHECK_EQ(set_cong(c, "nosuch"), -ENOENT);
	check_cong(c, "reno");
	conn_free(c);
}

static unsigned int released;

static void test_release(struct tcp_sock *tp) { released += tp->ca_priv[0] == 42; }
static void test_init(struct tcp_sock *tp) { tp->ca_priv[0] = 42; }

/* One that is not built in; it starts and ends with the connection, or when that changes over. */
TEST(test_congestion_control_of_ones_own)
{
	static const struct tcp_congestion_ops own = {
		.name = "own", .flags = TCP_CONG_NON_RESTRICTED, .init = test_init,
		.release = test_release, .ssthresh = tcp_reno_ssthresh,
		.cong_avoid = tcp_reno_cong_avoid, .undo_cwnd = tcp_reno_undo_cwnd,
	};
	static const struct tcp_congestion_ops bad = { .name = "bad" };
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(tcp_register_congestion_control(c->net, &bad), -EINVAL);
	CHECK_EQ(tcp_register_congestion_control(c->net, &own), 0);
	CHECK_EQ(tcp_register_congestion_control(c->net, &own), -EEXIST);
	CHECK_EQ(set_cong(c, "own"), 0);
	check_cong(c, "own");
	CHECK_EQ(released, 0);
	CHECK_EQ(set_cong(c, "cubic"), 0);
	CHECK_EQ(released, 1);
	CHECK_EQ(set_cong(c, "own"), 0);
	conn_free(c);
	CHECK_EQ(released, 2);
}
