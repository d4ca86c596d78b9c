/* SPDX-License-Identifier: MIT */
/* TCP in CLOSED and LISTEN: what a segment for no connection gets, passive opens, the backlog. */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* ---- CLOSED: RFC 9293 3.10.7.1, 3.5.2 group 1 ------------------------------------------------ */

TEST(test_closed_syn_gets_rst_ack)
{
	struct tcp_conn *c = conn_new(NULL);

	/* No ACK: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, the SYN counts one. */
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "R. 0:0(0) ack 1 win 0");
	seg_none(c);
	conn_free(c);
}

TEST(test_closed_text_and_fin_without_ack_count_in_the_reset)
{
	struct tcp_conn *c = conn_new(NULL);

	seg_in(c, "F 10:20(10)");
	seg_out(c, "R. 0:0(0) ack 21 win 0");
	conn_free(c);
}

TEST(test_closed_ack_gets_rst_at_its_ack)
{
	struct tcp_conn *c = conn_new(NULL);

	seg_in(c, ". 1:1(0) ack 777");
	seg_out(c, "R 777:777(0) win 0");
	conn_free(c);
}

TEST(test_closed_synack_gets_rst_without_ack)
{
	struct tcp_conn *c = conn_new(NULL);

	seg_in(c, "S. 0:0(0) ack 777");
	seg_out(c, "R 777:777(0) win 0");
	conn_free(c);
}

TEST(test_closed_rst_is_never_answered)
{
	struct tcp_conn *c = conn_new(NULL);

	seg_in(c, "R 0:0(0)");
	seg_in(c, "R. 0:0(0) ack 5");
	seg_none(c);
	conn_free(c);
}

/* ---- LISTEN: RFC 9293 3.10.7.2 --------------------------------------------------------------- */

TEST(test_listen_rst_is_ignored)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "R 0:0(0)");
	seg_in(c, "R. 0:0(0) ack 5");
	seg_in(c, "SR 0:0(0)");
	seg_none(c);
	conn_free(c);
}

TEST(test_listen_ack_gets_rst)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, ". 1:1(0) ack 99");
	seg_out(c, "R 99:99(0) win 0");
	seg_in(c, "S. 0:0(0) ack 99");
	seg_out(c, "R 99:99(0) win 0");
	seg_none(c);
	conn_free(c);
}

TEST(test_listen_segment_without_syn_ack_rst_is_dropped)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "F 0:0(0)");
	seg_in(c, "P 0:10(10)");
	seg_in(c, "- 0:0(0)");
	seg_none(c);
	conn_free(c);
}

TEST(test_listen_syn_gets_synack)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_STATE(c, TCP_SYN_RECV);
	seg_none(c);
	conn_free(c);
}

/* RFC 7323 2.2, 3.2 and RFC 2018 2: options are sent only when the SYN had them. */
TEST(test_listen_synack_answers_each_option_offered)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 0 ecr 1000,nop,wscale 7>");
	conn_free(c);
}

TEST(test_listen_synack_with_sack_only)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460,nop,nop,sackOK>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>");
	conn_free(c);
}

TEST(test_listen_synack_with_wscale_only)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460,nop,wscale 2>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,nop,wscale 7>");
	conn_free(c);
}

TEST(test_listen_synack_with_timestamps_only)
{
	struct tcp_conn *c = conn_listening(NULL);

	seg_in(c, "S 0:0(0) <mss 1460,nop,nop,TS val 5 ecr 0>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460,nop,nop,TS val 0 ecr 5>");
	conn_free(c);
}

/* RFC 9293 3.7.1: the MSS option tells what the interface takes. */
TEST(test_listen_synack_mss_follows_device_mtu)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .mtu = 1000 });

	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 960>");
	conn_free(c);
}

TEST(test_listen_handshake_gives_an_accepted_socket)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct sockaddr_storage ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)&ss;
	struct socket *s;

	CHECK_EQ(sock_accept(c->listener, &s), -EAGAIN);
	CHECK_EQ(sock_poll(c->listener) & POLLIN, 0);
	conn_handshake(c, true);
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(sock_poll(c->listener) & POLLIN, POLLIN);
	conn_accept(c);
	CHECK_EQ(sock_poll(c->listener) & POLLIN, 0);
	CHECK_EQ(sock_getname(c->sock, &ss, true), sizeof(*sin));
	CHECK_EQ(ntohl(sin->sin_addr.s_addr), PEER_ADDR);
	CHECK_EQ(ntohs(sin->sin_port), c->pport);
	CHECK_EQ(sock_getname(c->sock, &ss, false), sizeof(*sin));
	CHECK_EQ(ntohl(sin->sin_addr.s_addr), LOCAL_ADDR);
	CHECK_EQ(ntohs(sin->sin_port), 80);
	seg_none(c);
	conn_free(c);
}

/*
 * RFC 9293 3.10.7.2: text in a SYN may be left for a retransmission, but is never lost or doubled.
 */
TEST(test_listen_text_in_syn_is_delivered_once)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p;
	uint32_t have;

	seg_in(c, "S 0:10(10) <mss 1460>");
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.flags, TH_SYN | TH_ACK);
	have = p.ack - 1;
	CHECK(have == 0 || have == 10);
	seg_in(c, "P. 1:11(10) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 100), 10);
	CHECK_EQ(conn_read(c, 100), -EAGAIN);
	conn_free(c);
}

/* RFC 9293 3.10.7.4 (first): a repeated SYN of the same connection gets the same answer. */
TEST(test_listen_syn_again_gets_the_same_synack)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	conn_ms(c, 300);
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

/* RFC 6528 3: the numbers of two connections are unrelated; of one, they grow with time. */
TEST(test_isn_differs_by_ports_and_grows_with_time)
{
	struct tcp_conn *c = conn_listening(NULL);
	uint32_t first, other;
	struct pkt p;

	seg_in(c, "S 0:0(0) <mss 1460>");
	CHECK(seg_take(c, &p));
	first = c->iss;
	seg_in(c, "R 1:1(0)");
	c->pport++;
	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460>");
	CHECK(seg_take(c, &p));
	other = c->iss;
	CHECK_GT((other > first ? other - first : first - other), 1000);
	seg_in(c, "R 1:1(0)");

	c->pport--;
	conn_ms(c, 10000);
	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460>");
	CHECK(seg_take(c, &p));
	/* A tick every 4 microseconds: 2,500,000 in 10 s. */
	CHECK_EQ(c->iss - first, 2500000);
	conn_free(c);
}

/* ---- what must not open a connection --------------------------------------------------------- */

/* RFC 9293 3.9.2.3, MUST-57: a SYN to a broadcast or multicast address is discarded silently. */
TEST(test_listen_syn_to_broadcast_is_dropped)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p = seg_make(c, "S 0:0(0) <mss 1460>");

	p.daddr = PKT_IP(10, 0, 0, 255);
	memset(p.eth_dst, 0xff, 6);
	conn_inject(c, &p);
	seg_none(c);
	conn_free(c);
}

/* RFC 9293 3.9.2.3, MUST-63: a SYN from an address that is no host's is ignored. */
TEST(test_listen_syn_from_multicast_is_dropped)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p = seg_make(c, "S 0:0(0) <mss 1460>");

	p.saddr = PKT_IP(224, 0, 0, 1);
	conn_inject(c, &p);
	p.saddr = PKT_IP(255, 255, 255, 255);
	conn_inject(c, &p);
	p.saddr = PKT_IP(10, 0, 0, 255);
	conn_inject(c, &p);
	seg_none(c);
	conn_free(c);
}

/* RFC 9293 3.1, MUST-3: the receiver must check the checksum. */
TEST(test_bad_checksum_is_dropped_and_counted)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p = seg_make(c, "S 0:0(0) <mss 1460>");

	p.bad_l4_csum = true;
	conn_inject(c, &p);
	seg_none(c);
	CHECK_EQ(c->net->drops[SKB_DROP_TCP_CHECKSUM], 1);
	conn_free(c);
}

TEST(test_header_length_that_lies_is_dropped)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct pkt p = seg_make(c, "S 0:0(0)");

	p.force_doff = 4;
	conn_inject(c, &p);
	p.force_doff = 15;
	conn_inject(c, &p);
	seg_none(c);
	CHECK_EQ(c->net->drops[SKB_DROP_TCP_SHORT], 2);
	conn_free(c);
}

/* ---- the backlog (RFC 9293 3.10.1 leaves it to the implementation; numbers as Linux) --------- */

static void open_from(struct tcp_conn *c, uint16_t port)
{
	c->pport = port;
	c->iss_known = false;
	conn_handshake(c, true);
}

TEST(test_listen_full_backlog_drops_syn_until_accept)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct socket *s1 = NULL, *s2 = NULL;

	CHECK_EQ(sock_listen(c->listener, 1), 0);
	open_from(c, 4001);
	open_from(c, 4002);
	c->pport = 4003;
	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_none(c);
	CHECK_EQ(sock_accept(c->listener, &s1), 0);
	seg_in(c, "S 0:0(0) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	CHECK_EQ(sock_accept(c->listener, &s2), 0);
	sock_release(s1);
	sock_release(s2);
	conn_free(c);
}

TEST(test_listen_children_are_accepted_in_order)
{
	struct tcp_conn *c = conn_listening(NULL);

	for (uint16_t port = 4001; port <= 4003; port++)
		open_from(c, port);
	for (uint16_t port = 4001; port <= 4003; port++) {
		struct sockaddr_storage ss;
		struct socket *s = NULL;

		CHECK_EQ(sock_accept(c->listener, &s), 0);
		CHECK_EQ(sock_getname(s, &ss, true), sizeof(struct sockaddr_in));
		CHECK_EQ(ntohs(((struct sockaddr_in *)&ss)->sin_port), port);
		sock_release(s);
	}
	conn_free(c);
}

/*
 * RFC 9293 3.10.4 (LISTEN): close deletes it; connections that nobody accepted are aborted
 * (3.10.5).
 */
TEST(test_listen_close_resets_the_unaccepted)
{
	struct tcp_conn *c = conn_listening(NULL);

	conn_handshake(c, true);
	sock_release(c->listener);
	c->listener = NULL;
	seg_out(c, "R. 1:1(0) ack 1");
	seg_none(c);
	seg_in(c, "S 0:0(0) <mss 1460>");
	c->iss = 0;
	seg_out(c, "R. 0:0(0) ack 1 win 0");
	conn_free(c);
}

TEST(test_listen_close_forgets_the_half_open)
{
	struct tcp_conn *c = conn_syn_received(NULL);

	sock_release(c->listener);
	c->listener = NULL;
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 1");
	seg_out(c, "R 1:1(0) win 0");
	conn_free(c);
}

TEST(test_two_listeners_on_one_port_are_refused)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct socket *s = conn_socket(c);

	CHECK_EQ(sock_bind(s, conn_addr(0, 80), sizeof(struct sockaddr_in)), -EADDRINUSE);
	sock_release(s);
	conn_free(c);
}

/*
 * The accept queue is full when the handshake's ACK comes: it is dropped; the SYN-ACK asks again
 * later.
 */
TEST(test_listen_ack_for_a_full_queue_is_made_up_for)
{
	struct tcp_conn *c = conn_listening(NULL);
	uint32_t first_iss;

	CHECK_EQ(sock_listen(c->listener, 0), 0);
	c->pport = 4001;
	conn_handshake(c, false);
	first_iss = c->iss;
	c->pport = 4002;
	c->iss_known = false;
	conn_handshake(c, true);
	c->pport = 4001;
	c->iss = first_iss;
	seg_in(c, ". 1:1(0) ack 1");
	seg_none(c);
	CHECK_STATE(c, TCP_SYN_RECV);
	conn_accept(c);
	CHECK_LE(seg_wait(c, 5000), 1000);
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	seg_in(c, ". 1:1(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}
