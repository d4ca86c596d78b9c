/* SPDX-License-Identifier: MIT */
/* SYN cookies (RFC 4987 3.6), and the limits of half-open connections with and without them. */
#include "tests/unit/tcp_fixture.h"

#include "stack/inet/route.h"
#include "stack/tcp/tcp.h"

/* The SYN queue of the fixture's listener holds nine: a backlog of 8 and one more, as on Linux. */
#define QUEUE 9U

static uint64_t count(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

/* SYNs from other ports of the peer until the queue is full; their SYN-ACKs are forgotten. */
static void fill_queue(struct tcp_conn *c)
{
	uint16_t port = c->pport;

	for (uint16_t i = 0; i < QUEUE; i++) {
		c->pport = (uint16_t)(20000 + i);
		seg_in(c, "S 0:0(0) <mss 1460>");
		c->iss_known = c->ts_known = false;
		CHECK_EQ(seg_forget(c), 1);
	}
	c->pport = port;
	c->iss_known = c->ts_known = false;
}

static struct tcp_conn *flooded(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_listening(p);

	fill_queue(c);
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesSent), 0);
	return c;
}

/* A SYN gets a SYN-ACK, and no state is kept. */
static void cookie_handshake(struct tcp_conn *c)
{
	conn_handshake(c, false);
	CHECK_STATE(c, TCP_CLOSE);
}

/* RFC 4987 3.6: a full queue is answered by cookies; the ACK alone makes the connection. */
TEST(test_cookie_completes_a_connection_without_state)
{
	struct tcp_conn *c = flooded(NULL);

	cookie_handshake(c);
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesSent), 1);
	CHECK_EQ(count(c, MIB_TcpExtTCPReqQFullDoCookies), 1);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesRecv), 1);
	conn_accept(c);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_out(c, "P. 1:101(100) ack 1");
	seg_in(c, "P. 1:51(50) ack 101");
	CHECK_EQ(conn_read(c, 100), 50);
	conn_free(c);
}

/* The third ACK was lost: text with the same ACK does as well. */
TEST(test_cookie_in_the_first_text)
{
	struct tcp_conn *c = flooded(NULL);

	cookie_handshake(c);
	seg_in(c, "P. 1:101(100) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 200), 100);
	seg_ack_within(c, 500, 101);
	conn_free(c);
}

/* Timestamps carry what was agreed on; without them neither scale nor SACK is answered. */
TEST(test_cookie_keeps_options_in_the_timestamp)
{
	struct tcp_conn *c = flooded(&(struct tcp_params){ .ts = true, .sack = true, .wscale = 10 });
	const struct tcp_sock *tp;
	uint32_t ecr;

	seg_in(c, "S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 9>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 0 ecr 1000,nop,wscale 7>");
	ecr = c->ts_base;
	CHECK_EQ(c->net->tcp->sysctl.timestamps, true);
	seg_in(c, ". 1:1(0) ack 1 win 100 <nop,nop,TS val 1001 ecr 0>");
	conn_accept(c);
	tp = tcp_sk(c->sock->sk);
	CHECK(tp->ts_ok && tp->sack_ok && tp->wscale_ok);
	CHECK_EQ(tp->snd_wscale, 9);
	CHECK_EQ(tp->rcv_wscale, 7);
	CHECK_EQ(tp->snd_wnd, 100U << 9);
	CHECK_NE(ecr, 0);
	conn_free(c);
}

TEST(test_cookie_without_timestamps_agrees_on_nothing)
{
	struct tcp_conn *c = flooded(&(struct tcp_params){ .sack = true, .wscale = 10 });
	const struct tcp_sock *tp;

	seg_in(c, "S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 9>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	tp = tcp_sk(c->sock->sk);
	CHECK(!tp->ts_ok && !tp->sack_ok && !tp->wscale_ok);
	conn_free(c);
}

/* RFC 3168 6.1.1: ECN is one of them; without timestamps there is no place for it. */
TEST(test_cookie_keeps_ecn_in_the_timestamp)
{
	struct tcp_conn *c = flooded(&(struct tcp_params){ .ts = true });

	seg_in(c, "SEW 0:0(0) <mss 1460,nop,nop,TS val 1000 ecr 0>");
	seg_out(c, "SE. 0:0(0) ack 1 <...>");
	seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 1001 ecr 0>");
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesRecv), 1);
	conn_accept(c);
	CHECK(tcp_sk(c->sock->sk)->ecn_flags & TCP_ECN_OK);
	conn_free(c);

	c = flooded(NULL);
	seg_in(c, "SEW 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK(!(tcp_sk(c->sock->sk)->ecn_flags & TCP_ECN_OK));
	conn_free(c);
}

/* Who did not ask for it does not get it, and nobody does once it is off (net.ipv4.tcp_ecn). */
TEST(test_cookie_agrees_on_ecn_by_both_sides_only)
{
	static const struct { const char *syn, *synack; int ecn_then; } rows[] = {
		{ "S", "S.", 2 },
		{ "SE", "S.", 2 },
		{ "SEW", "SE.", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = flooded(&(struct tcp_params){ .ts = true });

		seg_in(c, "%s 0:0(0) <mss 1460,nop,nop,TS val 1000 ecr 0>", rows[i].syn);
		seg_out(c, "%s 0:0(0) ack 1 <...>", rows[i].synack);
		c->net->tcp->sysctl.ecn = rows[i].ecn_then;
		seg_in(c, ". 1:1(0) ack 1 <nop,nop,TS val 1001 ecr 0>");
		conn_accept(c);
		CHECK(!(tcp_sk(c->sock->sk)->ecn_flags & TCP_ECN_OK));
		conn_free(c);
	}
}

/* The largest size of the table that does not exceed the peer's. */
TEST(test_cookie_tells_the_segment_size)
{
	static const struct {
		uint16_t offered, told;
	} cases[] = { { 88, 536 },    { 536, 536 },   { 1299, 536 },  { 1300, 1300 },
		      { 1459, 1440 }, { 1460, 1460 }, { 8960, 1460 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_conn *c = flooded(&(struct tcp_params){ .mss = cases[i].offered });

		cookie_handshake(c);
		seg_in(c, ". 1:1(0) ack 1");
		conn_accept(c);
		CHECK_EQ(tcp_sk(c->sock->sk)->mss_clamp, cases[i].told);
		conn_free(c);
	}
}

/* ---- what is no cookie ----------------------------------------------------------------------- */

TEST(test_cookie_that_was_guessed_is_reset)
{
	struct tcp_conn *c = flooded(NULL);

	cookie_handshake(c);
	seg_in(c, ". 1:1(0) ack 2");
	seg_out(c, "R 2:2(0) win 0");
	seg_in(c, ". 2:2(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	c->pport++;
	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesFailed), 3);
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesRecv), 0);
	conn_free(c);
}

/* A cookie lives one to two minutes. */
TEST(test_cookie_that_is_too_old_is_reset)
{
	struct tcp_conn *c = flooded(NULL);

	c->net->tcp->sysctl.syncookies = 2;
	cookie_handshake(c);
	conn_ms(c, 60000);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);

	c = flooded(NULL);
	c->net->tcp->sysctl.syncookies = 2;
	cookie_handshake(c);
	conn_ms(c, 119000);
	seg_forget(c);
	tcp_cookie_sent(tcp_sk(c->listener->sk)); /* the listener is still being flooded */
	conn_ms(c, 1000);
	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesFailed), 1);
	conn_free(c);
}

/* Who has sent no cookie for two minutes looks at none: nothing can be tried out. */
TEST(test_cookie_is_not_looked_at_without_a_flood)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesFailed), 0);
	conn_free(c);
}

TEST(test_cookie_with_a_full_accept_queue_is_dropped)
{
	struct tcp_conn *c = flooded(NULL);

	cookie_handshake(c);
	CHECK_EQ(sock_listen(c->listener, 0), 0);
	tcp_sk(c->listener->sk)->inet.sk.accept_held = 1; /* on its way to a program */
	seg_in(c, ". 1:1(0) ack 1");
	seg_none(c);
	CHECK_EQ(count(c, MIB_TcpExtListenOverflows), 1);
	tcp_sk(c->listener->sk)->inet.sk.accept_held = 0;
	seg_in(c, ". 1:1(0) ack 1"); /* a keepalive, or text: the same ACK again */
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

/* ---- tcp_syncookies -------------------------------------------------------------------------- */

TEST(test_cookies_always)
{
	struct tcp_conn *c = conn_listening(NULL);

	c->net->tcp->sysctl.syncookies = 2;
	cookie_handshake(c);
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(count(c, MIB_TcpExtSyncookiesSent), 1);
	conn_free(c);
}

TEST(test_cookies_never_means_drops)
{
	struct tcp_conn *c = flooded(NULL);

	c->net->tcp->sysctl.syncookies = 0;
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_none(c);
	CHECK_EQ(count(c, MIB_TcpExtTCPReqQFullDrop), 1);
	CHECK_EQ(count(c, MIB_TcpExtListenDrops), 1);
	CHECK_EQ(count(c, MIB_TcpExtListenOverflows), 0);
	conn_free(c);
}

/* Without cookies the last quarter of tcp_max_syn_backlog is for peers that are known. */
TEST(test_syn_backlog_without_cookies)
{
	struct tcp_conn *c = conn_listening(NULL);
	unsigned int answered = 0;

	c->net->tcp->sysctl.syncookies = 0;
	c->net->tcp->sysctl.max_syn_backlog = 8;
	for (uint16_t i = 0; i < 20; i++) {
		c->pport = (uint16_t)(4001 + i);
		c->iss_known = false;
		seg_in(c, "S 0:0(0) <mss 1460>");
		answered += seg_forget(c);
	}
	CHECK_EQ(answered, 7);
	conn_free(c);
}

/* ---- old requests make way ------------------------------------------------------------------- */

TEST(test_full_queue_gives_old_requests_up_sooner)
{
	struct tcp_conn *c = flooded(NULL);
	unsigned int synacks = 0;

	for (int i = 0; i < 60; i++) {
		conn_ms(c, 1000);
		synacks += seg_forget(c);
	}
	/* Two repetitions each in place of five; the last few have an emptier queue and get more. */
	CHECK_GE(synacks, 2 * QUEUE);
	CHECK_LT(synacks, 5 * QUEUE);
	conn_free(c);
}

/* ---- the flood ------------------------------------------------------------------------------- */

static void route_everything(struct tcp_conn *c)
{
	const struct route all = { .dst = inet_addr_v4(0), .type = RTN_T_UNICAST,
				   .gateway = inet_addr_v4(cpu_to_be32(PEER_ADDR)) };

	CHECK_EQ(route_add(c->net, &all), 0);
}

/*
 * RFC 4987 2: 100000 SYNs from addresses that do not exist. What they leave behind does not grow with
 * their number, and a client in their midst is served.
 */
TEST(test_flood_is_bounded_and_lets_clients_in)
{
	struct tcp_conn *c = conn_listening(NULL);
	uint64_t bytes;
	uint32_t i;

	route_everything(c);
	for (i = 0; i < 100000; i++) {
		struct pkt p = pkt_tcp(PKT_IP(198, 18, 0, 0) + i, (uint16_t)(1024 + i % 60000), LOCAL_ADDR,
				       80, TH_SYN, i * 7919, 0);

		p.mss = 1460;
		p.win = 64240;
		pkt_inject(c->dev, &p);
		fake_dev_forget(c->dev);
		if (i % 1000 == 0)
			conn_ms(c, 10);
		if (i != 50000)
			continue;
		cookie_handshake(c);
		seg_in(c, ". 1:1(0) ack 1");
		conn_accept(c);
	}
	CHECK_LE(tcp_sk(c->listener->sk)->syn_qlen, QUEUE);
	bytes = c->net->skb_bytes;
	CHECK_EQ(bytes, 0);
	CHECK_GE(count(c, MIB_TcpExtSyncookiesSent), 100000 - 10 * QUEUE);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(conn_write(c, 10), 10);
	seg_out(c, "P. 1:11(10) ack 1");
	conn_free(c);
}
