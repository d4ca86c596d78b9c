/* SPDX-License-Identifier: MIT */
/* ECN (RFC 3168): the handshake's matrix, marks and their echo, the reduction once a window. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define SMSS 1460U
#define TH_AE 0x100

static struct tcp_sock *tcp_of(struct tcp_conn *c)
{
	return tcp_sk(c->sock->sk);
}

/* The next segment of ours; fails when there is none. */
static struct pkt next(struct tcp_conn *c)
{
	struct pkt p;

	CHECK(seg_take(c, &p));
	return p;
}

static void in_with_tos(struct tcp_conn *c, const char *text, uint16_t more_flags, uint8_t ecn)
{
	struct pkt p = seg_make(c, text);

	p.flags |= more_flags;
	p.tos = ecn;
	conn_inject(c, &p);
}

/* ---- the handshake, passive ------------------------------------------------------------------ */

/* RFC 3168 6.1.1. AccECN's SYN is one with AE; whoever marks a SYN as capable is no classic peer. */
TEST(test_matrix_of_passive_opens)
{
	static const struct {
		int sysctl;
		uint16_t syn;
		uint8_t ip;
		bool agreed;
	} rows[] = {
		{ 2, 0, 0, false },
		{ 2, TH_ECE, 0, false },
		{ 2, TH_CWR, 0, false },
		{ 2, TH_ECE | TH_CWR, 0, true },
		{ 1, TH_ECE | TH_CWR, 0, true },
		{ 0, TH_ECE | TH_CWR, 0, false },
		{ 2, TH_AE | TH_ECE | TH_CWR, 0, true },
		{ 2, TH_AE | TH_ECE | TH_CWR, INET_ECN_ECT_0, true },
		{ 2, TH_AE, 0, false },
		{ 2, TH_ECE | TH_CWR, INET_ECN_ECT_0, false },
		{ 2, TH_ECE | TH_CWR, INET_ECN_ECT_1, false },
		{ 2, TH_ECE | TH_CWR, INET_ECN_CE, false },
		{ 2, 0, INET_ECN_CE, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = conn_listening(NULL);
		struct pkt p;

		c->net->tcp->sysctl.ecn = rows[i].sysctl;
		in_with_tos(c, "S 0:0(0) win 65535 <mss 1460>", rows[i].syn, rows[i].ip);
		p = next(c);
		CHECK_EQ(p.flags, TH_SYN | TH_ACK | (rows[i].agreed ? TH_ECE : 0));
		CHECK_EQ(p.tos & INET_ECN_MASK, 0);
		seg_in(c, ". 1:1(0) ack 1");
		conn_accept(c);
		CHECK_EQ(tcp_of(c)->ecn_flags & TCP_ECN_OK, rows[i].agreed);
		conn_free(c);
	}
}

/* 6.1.1: a SYN without, even a later one, and there is no ECN. */
TEST(test_repeated_syn_without_ecn)
{
	struct tcp_conn *c = conn_listening(NULL);

	in_with_tos(c, "S 0:0(0) win 65535 <mss 1460>", TH_ECE | TH_CWR, 0);
	CHECK_EQ(next(c).flags, TH_SYN | TH_ACK | TH_ECE);
	conn_ms(c, 600);
	seg_in(c, "S 0:0(0) win 65535 <mss 1460>");
	CHECK_EQ(next(c).flags, TH_SYN | TH_ACK);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(tcp_of(c)->ecn_flags, 0);
	conn_free(c);
}

/* ---- the handshake, active ------------------------------------------------------------------- */

static struct tcp_conn *connecting(int sysctl)
{
	struct tcp_conn *c = conn_new(NULL);

	c->net->tcp->sysctl.ecn = sysctl;
	c->pport = 80;
	c->lport = 5000;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, c->lport), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	return c;
}

TEST(test_matrix_of_active_opens)
{
	static const struct {
		int sysctl;
		uint16_t syn, synack; /* ours, the peer's */
		bool agreed;
	} rows[] = {
		{ 0, 0, 0, false },
		{ 2, 0, 0, false },
		{ 2, 0, TH_ECE, false }, /* not asked for */
		{ 1, TH_ECE | TH_CWR, 0, false },
		{ 1, TH_ECE | TH_CWR, TH_ECE, true },
		{ 1, TH_ECE | TH_CWR, TH_ECE | TH_CWR, false }, /* our own flags, thrown back */
		{ 1, TH_ECE | TH_CWR, TH_CWR, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = connecting(rows[i].sysctl);
		struct pkt p = next(c);

		CHECK_EQ(p.flags, TH_SYN | rows[i].syn);
		CHECK_EQ(p.tos & INET_ECN_MASK, 0);
		in_with_tos(c, "S. 0:0(0) ack 1 win 65535 <mss 1460>", rows[i].synack, 0);
		CHECK_EQ(next(c).flags, TH_ACK);
		CHECK_EQ(tcp_of(c)->ecn_flags & TCP_ECN_OK, rows[i].agreed);
		conn_free(c);
	}
}

/* 6.1.1.1: some path drops such SYNs: the second is without, and then there is no ECN. */
TEST(test_lost_syn_is_sent_again_without)
{
	struct tcp_conn *c = connecting(1);

	CHECK_EQ(next(c).flags, TH_SYN | TH_ECE | TH_CWR);
	conn_ms(c, 1000);
	CHECK_EQ(next(c).flags, TH_SYN);
	in_with_tos(c, "S. 0:0(0) ack 1 win 65535 <mss 1460>", TH_ECE, 0);
	next(c);
	CHECK_EQ(tcp_of(c)->ecn_flags, 0);
	conn_free(c);
}

/* tcp_ecn_fallback 0 */
TEST(test_lost_syn_without_fallback)
{
	struct tcp_conn *c = connecting(1);

	c->net->tcp->sysctl.ecn_fallback = false;
	next(c);
	conn_ms(c, 1000);
	CHECK_EQ(next(c).flags, TH_SYN | TH_ECE | TH_CWR);
	conn_free(c);
}

TEST(test_simultaneous_open)
{
	static const struct {
		uint16_t syn;
		bool agreed;
	} rows[] = { { TH_ECE | TH_CWR, true }, { 0, false }, { TH_ECE, false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = connecting(1);

		next(c);
		in_with_tos(c, "S 0:0(0) win 65535 <mss 1460>", rows[i].syn, 0);
		CHECK_EQ(next(c).flags, TH_SYN | TH_ACK | (rows[i].agreed ? TH_ECE : 0));
		conn_free(c);
	}
}

/* ---- what is ECN-capable --------------------------------------------------------------------- */

static struct tcp_conn *capable(const struct tcp_params *params)
{
	struct tcp_conn *c = conn_listening(params);

	in_with_tos(c, "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 8>", TH_ECE | TH_CWR, 0);
	CHECK_EQ(next(c).flags, TH_SYN | TH_ACK | TH_ECE);
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	return c;
}

static const struct tcp_params plain = { .wscale = 9, .sack = true, .sndbuf = 500000 };

/* 6.1.4, 6.1.5, 6.1.6: new text is, retransmissions, pure ACKs and probes are not. */
TEST(test_only_new_text_is_ecn_capable)
{
	struct tcp_conn *c = capable(&plain);
	struct pkt p;

	conn_write(c, 100);
	p = next(c);
	CHECK_EQ(p.tos, INET_ECN_ECT_0);
	CHECK_EQ(p.payload_len, 100);
	seg_wait(c, 1000);
	while (seg_take(c, &p))
		CHECK_EQ(p.tos, 0);
	seg_in(c, "P. 1:101(100) ack 101");
	seg_wait(c, 300);
	CHECK_EQ(next(c).tos, 0);
	conn_free(c);
}

TEST(test_without_agreement_nothing_is_capable)
{
	struct tcp_conn *c = conn_established(&plain);

	conn_write(c, 100);
	CHECK_EQ(next(c).tos, 0);
	in_with_tos(c, ". 1:101(100) ack 101", TH_ECE, INET_ECN_CE);
	seg_wait(c, 300);
	CHECK_EQ(next(c).flags, TH_ACK);
	CHECK_EQ(tcp_of(c)->ca_state, CA_OPEN);
	conn_free(c);
}

/* IP_TOS keeps the field out of the program's hands. */
TEST(test_ip_tos_beside_ecn)
{
	struct tcp_conn *c = capable(&plain);

	CHECK_EQ(conn_setopt(c, IPPROTO_IP, IP_TOS, 0x13), 0);
	conn_write(c, 100);
	CHECK_EQ(next(c).tos, 0x10 | INET_ECN_ECT_0);
	conn_free(c);
}

/* ---- receiver -------------------------------------------------------------------------------- */

/* 6.1.3: all ACKs from a mark on, until CWR; a later mark starts anew. */
TEST(test_echo_until_cwr)
{
	struct tcp_conn *c = capable(&plain);

	in_with_tos(c, "P. 1:101(100) ack 1", 0, INET_ECN_ECT_0);
	seg_wait(c, 300);
	CHECK_EQ(next(c).flags, TH_ACK);
	in_with_tos(c, "P. 101:201(100) ack 1", 0, INET_ECN_CE);
	CHECK_EQ(next(c).flags, TH_ACK | TH_ECE); /* at once */
	for (uint32_t seq = 201; seq < 501; seq += 100) {
		struct pkt p = seg_make(c, "P. 1:101(100) ack 1");

		p.seq += seq - 1;
		p.tos = INET_ECN_ECT_0;
		conn_inject(c, &p);
		seg_wait(c, 300);
		CHECK_EQ(next(c).flags, TH_ACK | TH_ECE);
	}
	in_with_tos(c, "P. 501:601(100) ack 1", TH_CWR, INET_ECN_ECT_0);
	CHECK_EQ(next(c).flags, TH_ACK);
	in_with_tos(c, "P. 601:701(100) ack 1", TH_CWR, INET_ECN_CE);
	CHECK_EQ(next(c).flags, TH_ACK | TH_ECE);
	CHECK_EQ(c->net->mib[MIB_IpExtInCEPkts], 2);
	CHECK_EQ(c->net->mib[MIB_IpExtInECT0Pkts], 5);
	conn_free(c);
}

/* The echo rides on text as well. */
TEST(test_echo_on_text)
{
	struct tcp_conn *c = capable(&plain);

	in_with_tos(c, "P. 1:101(100) ack 1", 0, INET_ECN_CE);
	seg_forget(c);
	conn_write(c, 100);
	CHECK_EQ(next(c).flags, TH_ACK | TH_PUSH | TH_ECE);
	conn_free(c);
}

/* ---- sender ---------------------------------------------------------------------------------- */

/* A full window is under way; how much of it is acknowledged later. */
static struct tcp_conn *sending(const char *cong)
{
	struct tcp_params params = plain;
	struct tcp_conn *c;

	params.cong = cong;
	c = capable(&params);
	CHECK_EQ(conn_write(c, 100 * SMSS), 100 * SMSS);
	CHECK_EQ(seg_forget(c), 10);
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack %u", 1 + 10 * SMSS);
	CHECK_EQ(seg_forget(c), 20);
	conn_ms(c, 20);
	return c;
}

static void ack_with_ece(struct tcp_conn *c, uint32_t segs)
{
	struct pkt p = seg_make(c, ". 1:1(0) ack 1");

	p.ack += segs * SMSS;
	p.flags |= TH_ECE;
	conn_inject(c, &p);
}

/* 6.1.2: the first mark reduces as a loss does, CWR goes with the first new text, once; nothing is sent
 * again, and further marks of the same window change nothing. */
TEST(test_reduction_once_a_window)
{
	static const struct {
		const char *cong;
		uint32_t tenths; /* what is left of 20 segments */
	} rows[] = { { "reno", 5 }, { "cubic", 7 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tcp_conn *c = sending(rows[i].cong);
		struct tcp_sock *tp = tcp_of(c);
		unsigned int cwr = 0;
		struct pkt p;

		for (uint32_t n = 11; n <= 30; n++) {
			ack_with_ece(c, n);
			CHECK_EQ(tp->ca_state, CA_CWR);
			CHECK_EQ((tp->snd_ssthresh + SMSS / 2) / SMSS, 20 * rows[i].tenths / 10);
			while (seg_take(c, &p)) {
				CHECK_GE(p.seq, 1 + 30 * SMSS);
				CHECK_EQ(p.tos, INET_ECN_ECT_0);
				if (!(p.flags & TH_CWR))
					continue;
				CHECK_EQ(p.seq, 1 + 30 * SMSS);
				cwr++;
			}
		}
		CHECK_EQ(cwr, 1);
		CHECK_EQ(tp->total_retrans, 0);
		CHECK_EQ(tp->delivered_ce, 20);
		CHECK_EQ(c->net->mib[MIB_TcpExtTCPDeliveredCE], 20);
		seg_in(c, ". 1:1(0) ack %u", 1 + 31 * SMSS);
		CHECK_EQ(tp->ca_state, CA_OPEN);
		CHECK_EQ((tp->snd_cwnd + SMSS / 2) / SMSS, 20 * rows[i].tenths / 10);
		/* The next window may be reduced again. */
		ack_with_ece(c, 32);
		CHECK_EQ(tp->ca_state, CA_CWR);
		conn_free(c);
	}
}

/* An ACK with a mark for all that is under way, 20 ms later. */
static void mark_flight(struct tcp_conn *c)
{
	conn_ms(c, 20);
	ack_with_ece(c, (tcp_of(c)->snd_nxt - tcp_of(c)->iss - 1) / SMSS);
}

/* RFC 9438 4.6: a loss leaves two segments, marks one. */
TEST(test_marks_go_on_to_one_segment)
{
	static const char *const cong[] = { "reno", "cubic" };

	for (size_t i = 0; i < ARRAY_SIZE(cong); i++) {
		struct tcp_conn *c = sending(cong[i]);
		struct tcp_sock *tp = tcp_of(c);

		for (int n = 0; n < 12 && tp->snd_cwnd > SMSS; n++) {
			mark_flight(c);
			CHECK_GT(seg_forget(c), 0); /* nothing is held back so far */
			CHECK_GE(tp->snd_ssthresh, 2 * SMSS);
		}
		CHECK_EQ(tp->snd_cwnd, SMSS);
		/* Without marks it grows again. */
		conn_ms(c, 20);
		seg_in(c, ". 1:1(0) ack %u", tp->snd_nxt - tp->iss);
		CHECK_EQ(tp->ca_state, CA_OPEN);
		CHECK_EQ(tp->snd_cwnd, 2 * SMSS);
		CHECK_EQ(seg_forget(c), 2);
		conn_free(c);
	}
}

/* RFC 3168 6.1.2, RFC 9438 4.6: and then the next segment waits for a timeout, that doubles. */
TEST(test_marks_at_one_segment_slow_down_further)
{
	struct tcp_conn *c = sending("cubic");
	struct tcp_sock *tp = tcp_of(c);

	while (tp->snd_cwnd > SMSS) {
		mark_flight(c);
		seg_forget(c);
	}
	for (unsigned int n = 0; n < 3; n++) {
		mark_flight(c);
		seg_none(c);
		conn_ms(c, ((uint64_t)tcp_rto_us(tp) << n) / 1000 - 1);
		seg_none(c);
		conn_ms(c, 2);
		CHECK_EQ(seg_forget(c), 1);
		CHECK_EQ(tp->snd_cwnd, SMSS);
	}
	CHECK_EQ(tp->total_retrans, 0);
	/* The first ACK without a mark ends it. */
	conn_ms(c, 20);
	seg_in(c, ". 1:1(0) ack %u", tp->snd_nxt - tp->iss);
	CHECK_EQ(seg_forget(c), 2);
	conn_free(c);
}

/* The rate's own bound: no longer than the longest timeout. */
TEST(test_marks_without_end_leave_a_segment_in_two_minutes)
{
	struct tcp_conn *c = sending("reno");
	struct tcp_sock *tp = tcp_of(c);
	unsigned int wait = 0;

	while (tp->snd_cwnd > SMSS) {
		mark_flight(c);
		seg_forget(c);
	}
	for (unsigned int n = 0; n < 14; n++) {
		mark_flight(c);
		wait = seg_wait(c, TCP_RTO_MAX_US / 1000 + 1);
		CHECK_EQ(seg_forget(c), 1);
	}
	CHECK_GE(wait, TCP_RTO_MAX_US / 1000 - 1);
	CHECK_EQ(tp->total_retrans, 0);
	conn_free(c);
}

/* 6.1.2: a loss is a reduction as well. */
TEST(test_cwr_after_loss)
{
	struct tcp_conn *c = sending("reno");
	bool resent = false, cwr = false;
	struct pkt p;

	for (uint32_t n = 12; n <= 30; n++)
		seg_in(c, ". 1:1(0) ack %u <nop,nop,sack %u:%u>", 1 + 10 * SMSS, 1 + 11 * SMSS, 1 + n * SMSS);
	CHECK_EQ(tcp_of(c)->ca_state, CA_RECOVERY);
	while (seg_take(c, &p)) {
		bool again = p.seq == 1 + 10 * SMSS;

		/* 6.1.5: neither CWR nor ECT on what is sent again. */
		CHECK_EQ(p.tos, again ? 0 : INET_ECN_ECT_0);
		CHECK_EQ(p.flags & TH_CWR, resent && !again && !cwr ? TH_CWR : 0);
		cwr |= (p.flags & TH_CWR) != 0;
		resent |= again;
	}
	CHECK(resent && cwr);
	conn_free(c);
}

TEST(test_tcp_info_tells_of_ecn)
{
	struct tcp_conn *c = sending("cubic");
	struct tcp_info i;
	socklen_t len = sizeof(i);

	ack_with_ece(c, 11);
	in_with_tos(c, "P. 1:101(100) ack 1", 0, INET_ECN_ECT_0);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	CHECK_EQ(i.tcpi_options & (TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN), TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN);
	CHECK_EQ(i.tcpi_delivered_ce, 1);
	CHECK_EQ(i.tcpi_ca_state, CA_CWR);
	conn_free(c);
}
