/* SPDX-License-Identifier: MIT */
/* Raw sockets (man 7 raw) and ICMP echo sockets (man 7 icmp). */
#include <time.h>
#include <linux/errqueue.h>

#include "stack/core/checksum.h"
#include "tests/unit/sock_fixture.h"

enum { SOL_RAW_LEVEL = 255, ICMP_FILTER_OPT = 1 };

static void inject_echo(struct host *h, uint8_t type, uint16_t id, uint16_t seq)
{
	struct pkt p = pkt_icmp(PEER, OWN, type, 0, (uint32_t)id << 16 | seq, "data", 4);

	pkt_inject(h->eth, &p);
}

TEST(test_raw_receives_the_whole_packet)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, IPPROTO_ICMP), *other = make_socket(&h, SOCK_RAW, 253);
	struct got *g;

	inject_echo(&h, 8, 1, 1);
	g = receive(s, 0);
	CHECK_EQ(g->n, 20 + 8 + 4);
	CHECK_EQ((uint8_t)g->data[0], 0x45);
	CHECK_EQ((uint8_t)g->data[9], IPPROTO_ICMP);
	CHECK_EQ((uint8_t)g->data[20], 8);
	CHECK_EQ(g->addr, PEER);
	CHECK_EQ(g->port, 0);
	CHECK_EQ(receive(other, 0)->n, -EAGAIN);
	CHECK_EQ(fake_dev_forget(h.eth), 1); /* the echo was answered all the same */
	CHECK_EQ(receive(s, MSG_OOB)->n, -EOPNOTSUPP);
	sock_release(s);
	sock_release(other);
	sock_host_down(&h);
}

TEST(test_raw_filter)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, IPPROTO_ICMP), *u = make_socket(&h, SOCK_RAW, 253);
	uint32_t filter = ~(1U << 0); /* echo replies only, as ping does */

	CHECK_EQ(sock_setsockopt(s, SOL_RAW_LEVEL, ICMP_FILTER_OPT, &filter, sizeof(filter)), 0);
	CHECK_EQ((uint32_t)get_int(s, SOL_RAW_LEVEL, ICMP_FILTER_OPT), filter);
	inject_echo(&h, 8, 1, 1);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	inject_echo(&h, 0, 1, 1);
	CHECK_EQ(receive(s, 0)->n, 32);
	CHECK_EQ(set_int(u, SOL_RAW_LEVEL, ICMP_FILTER_OPT, 1), -EOPNOTSUPP);
	CHECK_EQ(set_int(s, SOL_RAW_LEVEL, 2, 1), -ENOPROTOOPT);
	fake_dev_forget(h.eth);
	sock_release(s);
	sock_release(u);
	sock_host_down(&h);
}

TEST(test_raw_takes_unknown_protocols)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, 253);
	struct pkt p = plain_packet(PEER, OWN, 10);

	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(s, 0)->n, 30);
	pkt_expect_none(h.eth); /* no protocol unreachable: somebody took it */
	sock_release(s);
	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.icmp_code, 2);
	sock_host_down(&h);
}

TEST(test_raw_bound_and_connected_sockets_choose)
{
	struct host h = sock_host_up();
	struct socket *any = make_socket(&h, SOCK_RAW, 253), *lo = make_socket(&h, SOCK_RAW, 253);
	struct socket *peer = make_socket(&h, SOCK_RAW, 253), *far = make_socket(&h, SOCK_RAW, 253);
	struct pkt p = plain_packet(PEER, OWN, 10);

	CHECK_EQ(bind4(lo, LOOP, 0), 0);
	CHECK_EQ(bind4(any, PEER, 0), -EADDRNOTAVAIL);
	CHECK_EQ(connect4(peer, PEER, 0), 0);
	CHECK_EQ(connect4(far, FAR, 0), 0);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(any, 0)->n, 30);
	CHECK_EQ(receive(peer, 0)->n, 30);
	CHECK_EQ(receive(lo, 0)->n, -EAGAIN);
	CHECK_EQ(receive(far, 0)->n, -EAGAIN);
	CHECK_EQ(disconnect4(far), 0);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(far, 0)->n, 30);
	sock_release(any);
	sock_release(lo);
	sock_release(peer);
	sock_release(far);
	sock_host_down(&h);
}

TEST(test_raw_send_under_our_header)
{
	static uint8_t big[3000];
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, 253);
	struct pkt p;

	CHECK_EQ(send_flags(s, "x", 1, 0), -EDESTADDRREQ);
	CHECK_EQ(send_to(s, "hello", 5, PEER, 0), 5);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.proto, 253);
	CHECK_EQ(p.saddr, OWN);
	CHECK_EQ(p.payload_len, 5);
	CHECK_EQ(connect4(s, PEER, 0), 0);
	CHECK_EQ(send_flags(s, big, sizeof(big), 0), sizeof(big));
	CHECK_EQ(fake_dev_forget(h.eth), 3);
	CHECK_EQ(send_flags(s, "x", 1, MSG_MORE), -EOPNOTSUPP);
	CHECK_EQ(send_flags(s, "x", 1, MSG_OOB), -EOPNOTSUPP);
	CHECK_EQ(send_to(s, "x", 1, PKT_IP(10, 0, 0, 255), 0), -EACCES);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_raw_send_with_own_header)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, 255);
	uint8_t packet[1501] = { 0x45, 0x10, 0, 0, 0, 0, 0, 0, 7, 253 };
	struct pkt p;

	CHECK_EQ(get_int(s, SOL_IP, IP_HDRINCL), 1); /* IPPROTO_RAW implies it */
	packet[16] = 10;
	packet[19] = 2;
	CHECK_EQ(send_to(s, packet, 30, PEER, 0), 30);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ttl, 7);
	CHECK_EQ(p.tos, 0x10);
	CHECK_EQ(p.proto, 253);
	CHECK_EQ(p.saddr, OWN); /* zero is filled in, as are id, length and checksum */
	CHECK_EQ(p.ip_len, 30);
	CHECK(p.ip_csum_ok);
	CHECK_EQ(send_to(s, packet, 1501, PEER, 0), -EMSGSIZE);
	CHECK_EQ(send_to(s, packet, 19, PEER, 0), -EINVAL);
	packet[0] = 0x4f;
	CHECK_EQ(send_to(s, packet, 30, PEER, 0), -EINVAL); /* header longer than the packet */
	pkt_expect_none(h.eth);
	CHECK_EQ(set_int(s, SOL_IP, IP_HDRINCL, 0), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_HDRINCL), 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_raw_receive_buffer_is_a_limit)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, 253);
	struct pkt p = plain_packet(PEER, OWN, 1000);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 1), 0);
	for (int i = 0; i < 10; i++)
		pkt_inject(h.eth, &p);
	CHECK_GT(h.net->drops[SKB_DROP_SOCKET_RCVBUF], 5);
	CHECK_EQ(receive(s, 0)->n, 1020);
	sock_release(s);
	sock_host_down(&h);
}

/* --- echo sockets --- */

static const uint8_t request[12] = { 8, 0, 0xaa, 0xaa, 0xbb, 0xbb, 0, 5, 'd', 'a', 't', 'a' };

TEST(test_ping_request_and_reply)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);
	struct pkt p;
	struct got *g;

	CHECK_EQ(send_to(s, request, sizeof(request), PEER, 0), sizeof(request));
	CHECK(pkt_take(h.eth, &p)); /* checks the checksum */
	CHECK_EQ(p.icmp_type, 8);
	CHECK_EQ(p.icmp_rest, (uint32_t)port4(s) << 16 | 5);
	CHECK_MEM(p.payload, "data", 4);
	inject_echo(&h, 0, (uint16_t)(port4(s) + 1), 5); /* another's */
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	inject_echo(&h, 0, port4(s), 5);
	g = receive(s, 0);
	CHECK_EQ(g->n, 12);
	CHECK_EQ(g->data[0], 0);
	CHECK_EQ(g->addr, PEER);
	CHECK_EQ(g->port, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ping_to_ourselves)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);

	CHECK_EQ(send_to(s, request, sizeof(request), LOOP, 0), sizeof(request));
	fake_settle(h.net);
	CHECK_EQ(receive(s, 0)->n, sizeof(request));
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ping_refuses_what_is_no_request)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);
	uint8_t bad[8] = { 0 };
	int v = 1;

	CHECK_EQ(send_to(s, bad, 8, PEER, 0), -EINVAL);
	bad[0] = 8;
	bad[1] = 1;
	CHECK_EQ(send_to(s, bad, 8, PEER, 0), -EINVAL);
	CHECK_EQ(send_to(s, request, 7, PEER, 0), -EINVAL);
	CHECK_EQ(send_flags(s, request, 8, 0), -EDESTADDRREQ);
	CHECK_EQ(sock_setsockopt(s, SOL_RAW_LEVEL, ICMP_FILTER_OPT, &v, 4), -ENOPROTOOPT);
	pkt_expect_none(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ping_identifier_is_bound_like_a_port)
{
	struct host h = sock_host_up();
	struct socket *a = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP), *b = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);

	CHECK_EQ(bind4(a, PKT_IP(10, 0, 0, 255), 77), -EADDRNOTAVAIL);
	CHECK_EQ(bind4(a, OWN, 77), 0);
	CHECK_EQ(bind4(b, LOOP, 77), -EADDRINUSE);
	inject_echo(&h, 0, 77, 1);
	CHECK_EQ(receive(a, 0)->n, 12);
	sock_release(a);
	CHECK_EQ(bind4(b, LOOP, 77), 0);
	inject_echo(&h, 0, 77, 1);
	CHECK_EQ(receive(b, 0)->n, -EAGAIN); /* bound to another address */
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_ping_error_from_a_router)
{
	static uint8_t frame[PKT_MAX];
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);
	const struct sock_extended_err *ee;
	struct pkt quoted, p;
	struct got *g;
	size_t len;

	CHECK_EQ(set_int(s, SOL_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(bind4(s, 0, 77), 0);
	quoted = pkt_icmp(OWN, FAR, 8, 0, 77U << 16 | 5, "data", 4);
	len = pkt_build(&quoted, frame);
	p = pkt_icmp(GATEWAY, OWN, 11, 0, 0, frame + ETH_HLEN, len - ETH_HLEN);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(s, 0)->n, -EHOSTUNREACH);
	g = receive(s, MSG_ERRQUEUE);
	CHECK_EQ(g->n, 12); /* with its ICMP header, as on Linux */
	CHECK_EQ(g->data[0], 8);
	CHECK_EQ(g->addr, FAR);
	ee = find_cmsg(g, SOL_IP, IP_RECVERR, sizeof(*ee) + 16);
	CHECK(ee && ee->ee_type == 11 && ee->ee_errno == EHOSTUNREACH);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_raw_error_needs_a_connection_or_recverr)
{
	static uint8_t frame[PKT_MAX];
	struct host h = sock_host_up();
	struct socket *plain = make_socket(&h, SOCK_RAW, 253), *conn = make_socket(&h, SOCK_RAW, 253);
	struct pkt quoted = plain_packet(OWN, PEER, 10), p;
	size_t len = pkt_build(&quoted, frame);

	CHECK_EQ(connect4(conn, PEER, 0), 0);
	p = pkt_icmp(PEER, OWN, 3, 2, 0, frame + ETH_HLEN, len - ETH_HLEN);
	pkt_inject(h.eth, &p);
	CHECK_EQ(get_int(plain, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(get_int(conn, SOL_SOCKET, SO_ERROR), ENOPROTOOPT);
	sock_release(plain);
	sock_release(conn);
	sock_host_down(&h);
}
