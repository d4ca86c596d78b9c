/* SPDX-License-Identifier: MIT */
/* UDP sockets on a device: exact datagrams, choice of socket, errors. RFC 768, RFC 1122 4.1. */
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <time.h>
#include <linux/errqueue.h>

#include "tests/unit/sock_fixture.h"

TEST(test_send_to_makes_the_datagram)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(send_to(s, "hello", 5, PEER, 53), 5);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.saddr, OWN);
	CHECK_EQ(p.daddr, PEER);
	CHECK_EQ(p.proto, IPPROTO_UDP);
	CHECK_EQ(p.sport, 5000);
	CHECK_EQ(p.dport, 53);
	CHECK_EQ(p.ttl, 64);
	CHECK(p.df);
	CHECK_EQ(p.payload_len, 5);
	CHECK_MEM(p.payload, "hello", 5);
	pkt_expect_none(h.eth);
	CHECK_EQ(h.net->mib[MIB_UdpOutDatagrams], 1);
	CHECK_EQ(s->sk->wmem_alloc, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_send_without_bind_takes_an_ephemeral_port)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(send_to(s, "", 0, PEER, 53), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload_len, 0);
	CHECK_GE(p.sport, 32768);
	CHECK_LE(p.sport, 60999);
	CHECK_EQ(p.sport, port4(s));
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_send_errors)
{
	static uint8_t big[70000];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct sockaddr_storage ss;
	struct iovec iov = { big, 1 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .name = &ss, .namelen = 16 };

	CHECK_EQ(send_flags(s, "x", 1, 0), -EDESTADDRREQ);
	CHECK_EQ(send_flags(s, "x", 1, MSG_OOB), -EOPNOTSUPP);
	CHECK_EQ(send_to(s, big, 65536, PEER, 9), -EMSGSIZE);
	CHECK_EQ(send_to(s, big, 65508, PEER, 9), -EMSGSIZE);
	CHECK_EQ(send_to(s, "x", 1, PEER, 0), -EINVAL);
	CHECK_EQ(send_to(s, "x", 1, PKT_IP(10, 0, 0, 255), 9), -EACCES);
	CHECK_EQ(send_to(s, "x", 1, 0xffffffff, 9), -EACCES);
	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_INET6;
	CHECK_EQ(sock_sendmsg(s, &msg), -EAFNOSUPPORT);
	msg.namelen = 15;
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	pkt_expect_none(h.eth);
	CHECK_EQ(sock_shutdown(s, SHUT_WR), -ENOTCONN);
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), -EPIPE);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_no_route_is_enetunreach)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct route r = { .dst = ip4(0), .type = RTN_T_UNICAST, .gateway = ip4(GATEWAY) };

	CHECK_EQ(route_del(h.net, &r), 0);
	CHECK_EQ(send_to(s, "x", 1, FAR, 9), -ENETUNREACH);
	CHECK_EQ(connect4(s, FAR, 9), -ENETUNREACH);
	CHECK_EQ(h.net->mib[MIB_IpOutNoRoutes], 2);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_broadcast_with_permission)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_EQ(send_to(s, "x", 1, PKT_IP(10, 0, 0, 255), 9), 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.daddr, PKT_IP(10, 0, 0, 255));
	CHECK_MEM(p.eth_dst, "\xff\xff\xff\xff\xff\xff", 6);
	sock_release(s);
	fake_settle(h.net);
	sock_host_down(&h);
}

TEST(test_own_broadcast_reaches_own_sockets)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h), *r = udp_socket(&h);

	CHECK_EQ(bind4(r, 0, 9), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_BROADCAST, 1), 0);
	CHECK_EQ(send_to(s, "x", 1, PKT_IP(10, 0, 0, 255), 9), 1);
	fake_settle(h.net);
	CHECK_EQ(receive(r, 0)->n, 1);
	CHECK_EQ(receive(r, 0)->n, -EAGAIN);
	sock_release(s);
	sock_release(r);
	sock_host_down(&h);
}

TEST(test_large_datagram_is_fragmented_without_df)
{
	static uint8_t data[3000];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(send_to(s, data, sizeof(data), PEER, 9), sizeof(data));
	CHECK(pkt_take(h.eth, &p));
	CHECK(!p.df);
	CHECK(p.mf);
	CHECK_EQ(p.ip_len, 1500);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.frag_off, 1480);
	CHECK(pkt_take(h.eth, &p));
	CHECK(!p.mf);
	CHECK_EQ(s->sk->wmem_alloc, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_pmtudisc_do_refuses_what_does_not_fit)
{
	static uint8_t data[1473];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const struct sock_extended_err *ee;
	struct got *g;
	struct pkt p;

	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	CHECK_EQ(send_to(s, data, 1473, PEER, 9), -EMSGSIZE);
	CHECK_EQ(receive(s, MSG_ERRQUEUE)->n, -EAGAIN);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVERR, 1), 0);
	CHECK_EQ(send_to(s, data, 1473, PEER, 9), -EMSGSIZE);
	g = receive(s, MSG_ERRQUEUE);
	CHECK_EQ(g->n, 0);
	CHECK_EQ(g->addr, PEER);
	CHECK_EQ(g->port, 9);
	ee = find_cmsg(g, SOL_IP, IP_RECVERR, sizeof(*ee) + 16);
	CHECK(ee != NULL);
	CHECK_EQ(ee->ee_errno, EMSGSIZE);
	CHECK_EQ(ee->ee_origin, SO_EE_ORIGIN_LOCAL);
	CHECK_EQ(ee->ee_info, 1500);
	CHECK_EQ(send_to(s, data, 1472, PEER, 9), 1472);
	CHECK(pkt_take(h.eth, &p));
	CHECK(p.df);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_pmtudisc_dont_never_sets_df)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK(!p.df);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_fragmentation_needed_lowers_the_path_mtu)
{
	static uint8_t data[1400];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_MTU), 1500);
	inject_icmp_about_udp(&h, GATEWAY, 3, 4, 1000, port4(s), PEER, 9, "hello");
	CHECK_EQ(send_flags(s, data, sizeof(data), 0), -EMSGSIZE);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), EMSGSIZE);
	CHECK_EQ(get_int(s, SOL_IP, IP_MTU), 1000);
	CHECK_EQ(send_flags(s, data, sizeof(data), 0), -EMSGSIZE);
	CHECK_EQ(send_flags(s, data, 972, 0), 972);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ip_len, 1000);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_no_check_sends_zero_checksum)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct fake_frame *f;

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_NO_CHECK, 1), 0);
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), 1);
	f = fake_dev_take(h.eth);
	CHECK(f != NULL);
	CHECK_EQ(f->data[14 + 20 + 6], 0);
	CHECK_EQ(f->data[14 + 20 + 7], 0);
	free(f);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_capable_device_gets_partial_checksum)
{
	static uint8_t data[2000];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct fake_frame *f;
	struct pkt p;

	h.eth->features |= NETIF_F_HW_CSUM;
	CHECK_EQ(send_to(s, "hello", 5, PEER, 9), 5);
	f = fake_dev_take(h.eth);
	CHECK(f != NULL);
	CHECK(f->csum_partial);
	CHECK(pkt_parse(&p, f->data, f->len));
	CHECK(p.l4_csum_ok);
	free(f);
	CHECK_EQ(send_to(s, data, sizeof(data), PEER, 9), sizeof(data));
	f = fake_dev_take(h.eth);
	CHECK(f != NULL);
	CHECK(!f->csum_partial);
	free(f);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_msg_more_collects_one_datagram)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(send_flags(s, "one ", 4, MSG_MORE), 4);
	CHECK_EQ(send_flags(s, "two ", 4, MSG_MORE), 4);
	pkt_expect_none(h.eth);
	CHECK_EQ(send_flags(s, "three", 5, 0), 5);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload_len, 13);
	CHECK_MEM(p.payload, "one two three", 13);
	pkt_expect_none(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_udp_cork_and_uncork)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(set_int(s, SOL_UDP, UDP_CORK, 1), 0);
	CHECK_EQ(get_int(s, SOL_UDP, UDP_CORK), 1);
	CHECK_EQ(send_to(s, "ab", 2, PEER, 9), 2);
	CHECK_EQ(send_to(s, "cd", 2, PEER, 9), 2);
	pkt_expect_none(h.eth);
	CHECK_EQ(set_int(s, SOL_UDP, UDP_CORK, 0), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload_len, 4);
	CHECK_MEM(p.payload, "abcd", 4);
	CHECK_EQ(set_int(s, SOL_UDP, UDP_CORK, 1), 0);
	CHECK_EQ(send_to(s, "left", 4, PEER, 9), 4);
	sock_release(s); /* the pending bytes go with the socket */
	pkt_expect_none(h.eth);
	sock_host_down(&h);
}

TEST(test_cork_beyond_the_largest_datagram_loses_it)
{
	static uint8_t data[40000];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(connect4(s, LOOP, 9), 0);
	CHECK_EQ(send_flags(s, data, sizeof(data), MSG_MORE), sizeof(data));
	CHECK_EQ(send_flags(s, data, sizeof(data), 0), -EMSGSIZE);
	CHECK_EQ(send_flags(s, "x", 1, 0), 1);
	fake_settle(h.net);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_receive_with_address_and_peek)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	int n = -1;

	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	CHECK_EQ(sock_ioctl(s, FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	inject_udp(&h, PEER, 53, OWN, 5000, "hello");
	inject_udp(&h, PEER, 53, OWN, 5000, "");
	CHECK_EQ(sock_ioctl(s, FIONREAD, &n), 0);
	CHECK_EQ(n, 5);
	CHECK_EQ(receive(s, MSG_PEEK)->n, 5);
	CHECK_EQ(receive_size(s, MSG_PEEK | MSG_TRUNC, 2)->n, 5);
	CHECK_EQ(receive_size(s, MSG_PEEK, 2)->flags, MSG_TRUNC);
	CHECK_EQ(receive(s, MSG_PEEK)->port, 53);
	CHECK_EQ(receive(s, MSG_PEEK)->addr, PEER);
	CHECK_STR(receive(s, 0)->data, "hello");
	CHECK_GT(s->sk->rmem_alloc, 0);
	CHECK_EQ(receive(s, 0)->n, 0); /* the empty datagram, not an end */
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	CHECK_EQ(s->sk->rmem_alloc, 0);
	CHECK_EQ(h.net->mib[MIB_UdpInDatagrams], 2);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_short_buffer_cuts_and_says_so)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct got *g;

	CHECK_EQ(bind4(s, OWN, 5000), 0);
	inject_udp(&h, PEER, 53, OWN, 5000, "hello");
	g = receive_size(s, 0, 3);
	CHECK_EQ(g->n, 3);
	CHECK_EQ(g->flags, MSG_TRUNC);
	CHECK_EQ(g->full_len, 5);
	CHECK_MEM(g->data, "hel\0", 4);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_connected_socket_takes_its_peer_only)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint16_t port;

	CHECK_EQ(connect4(s, PEER, 53), 0);
	port = port4(s);
	CHECK_STR(name4(s, true), "10.0.0.2:53");
	inject_udp(&h, PEER, 54, OWN, port, "other port");
	inject_udp(&h, PKT_IP(10, 0, 0, 3), 53, OWN, port, "other host");
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	CHECK_EQ(h.net->drops[SKB_DROP_UDP_NO_PORT], 2);
	inject_udp(&h, PEER, 53, OWN, port, "mine");
	CHECK_STR(receive(s, 0)->data, "mine");
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_no_socket_answers_port_unreachable)
{
	struct host h = sock_host_up();
	struct pkt p;

	inject_udp(&h, PEER, 53, OWN, 5000, "hello");
	CHECK_EQ(h.net->drops[SKB_DROP_UDP_NO_PORT], 1);
	CHECK_EQ(h.net->mib[MIB_UdpNoPorts], 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.proto, IPPROTO_ICMP);
	CHECK_EQ(p.icmp_type, 3);
	CHECK_EQ(p.icmp_code, 3);
	CHECK_EQ(p.payload_len, 20 + 8 + 5);
	sock_host_down(&h);
}

TEST(test_bad_datagrams_are_dropped)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p = pkt_udp(PEER, 53, OWN, 5000, "hello", 5);

	CHECK_EQ(bind4(s, 0, 5000), 0);
	p.bad_l4_csum = true;
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_UDP_CHECKSUM], 1);
	CHECK_EQ(h.net->mib[MIB_UdpInCsumErrors], 1);
	CHECK_EQ(h.net->mib[MIB_UdpInErrors], 1);
	p.bad_l4_csum = false;
	p.force_udp_len = 14; /* more than there is */
	pkt_inject(h.eth, &p);
	p.force_udp_len = 7;  /* less than a header */
	pkt_inject(h.eth, &p);
	p.force_udp_len = 0;
	p.force_tot_len = 27; /* not even a header */
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_UDP_SHORT], 3);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	p.force_tot_len = 0;
	p.no_udp_csum = true;
	pkt_inject(h.eth, &p);
	CHECK_STR(receive(s, 0)->data, "hello");
	sock_release(s);
	pkt_expect_none(h.eth);
	sock_host_down(&h);
}

TEST(test_bytes_behind_the_udp_length_are_cut)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p = pkt_udp(PEER, 53, OWN, 5000, "hello", 5);

	CHECK_EQ(bind4(s, 0, 5000), 0);
	p.force_udp_len = 10;
	p.no_udp_csum = true;
	pkt_inject(h.eth, &p);
	CHECK_STR(receive(s, 0)->data, "he");
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_full_receive_buffer_drops)
{
	static char text[1001];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	unsigned int got = 0;

	memset(text, 'a', 1000);
	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 4000), 0);
	for (int i = 0; i < 20; i++)
		inject_udp(&h, PEER, 53, OWN, 5000, text);
	while (receive(s, 0)->n > 0)
		got++;
	CHECK_GT(got, 0);
	CHECK_LT(got, 9);
	CHECK_EQ(h.net->drops[SKB_DROP_UDP_RCVBUF], 20 - got);
	CHECK_EQ(h.net->mib[MIB_UdpRcvbufErrors], 20 - got);
	CHECK_EQ(h.net->mib[MIB_UdpInErrors], 20 - got);
	inject_udp(&h, PEER, 53, OWN, 5000, "again");
	CHECK_STR(receive(s, 0)->data, "again");
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_broadcast_goes_to_every_matching_socket)
{
	struct host h = sock_host_up();
	struct socket *a = udp_socket(&h), *b = udp_socket(&h), *c = udp_socket(&h), *d = udp_socket(&h);
	struct socket *all[4] = { a, b, c, d };
	struct pkt p = pkt_udp(PEER, 53, 0xffffffff, 5000, "all", 3);

	for (int i = 0; i < 4; i++)
		CHECK_EQ(set_int(all[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind4(a, 0, 5000), 0);
	CHECK_EQ(bind4(b, 0, 5000), 0);
	CHECK_EQ(bind4(c, OWN, 5000), 0); /* Linux: a bound address must be the broadcast's */
	CHECK_EQ(bind4(d, 0, 5000), 0);
	CHECK_EQ(connect4(d, PKT_IP(10, 0, 0, 7), 53), 0);
	memset(p.eth_dst, 0xff, 6);
	pkt_inject(h.eth, &p);
	CHECK_STR(receive(a, 0)->data, "all");
	CHECK_STR(receive(b, 0)->data, "all");
	CHECK_EQ(receive(c, 0)->n, -EAGAIN);
	CHECK_EQ(receive(d, 0)->n, -EAGAIN);
	for (int i = 0; i < 4; i++)
		sock_release(all[i]);
	pkt_inject(h.eth, &p); /* no socket: no answer either (RFC 1122 3.2.2) */
	pkt_expect_none(h.eth);
	sock_host_down(&h);
}

TEST(test_port_unreachable_reaches_the_connected_socket_once)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	unsigned int wakes = 0;

	CHECK_EQ(connect4(s, PEER, 9), 0);
	s->user = &wakes;
	s->wake = count_wake;
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, port4(s), PEER, 9, "x");
	CHECK_EQ(wakes, 1);
	CHECK(sock_poll(s) & POLLERR);
	CHECK_EQ(receive(s, 0)->n, -ECONNREFUSED);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	CHECK(!(sock_poll(s) & POLLERR));
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, port4(s), PEER, 9, "x");
	CHECK_EQ(send_flags(s, "x", 1, 0), -ECONNREFUSED);
	CHECK_EQ(send_flags(s, "x", 1, 0), 1);
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, port4(s), PEER, 9, "x");
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	fake_dev_forget(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_errors_of_others_do_not_reach_the_socket)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h), *u = udp_socket(&h);

	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(bind4(u, 0, 6000), 0);
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, port4(s), PEER, 10, "x"); /* another port */
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, port4(s), FAR, 9, "x");   /* another peer */
	inject_icmp_about_udp(&h, PEER, 3, 3, 0, 6000, PEER, 9, "x");      /* not connected */
	inject_icmp_about_udp(&h, GATEWAY, 3, 1, 0, port4(s), PEER, 9, "x"); /* soft: host unreachable */
	inject_icmp_about_udp(&h, GATEWAY, 11, 0, 0, port4(s), PEER, 9, "x");
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(get_int(u, SOL_SOCKET, SO_ERROR), 0);
	sock_release(s);
	sock_release(u);
	sock_host_down(&h);
}

TEST(test_recverr_queues_what_happened)
{
	struct answer {
		struct sock_extended_err ee;
		struct sockaddr_in offender;
	};
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const struct answer *a;
	struct got *g;

	CHECK_EQ(bind4(s, 0, 6000), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVERR, 1), 0);
	inject_icmp_about_udp(&h, GATEWAY, 11, 0, 0, 6000, FAR, 33434, "probe");
	CHECK_EQ(sock_poll(s) & (POLLERR | POLLIN), POLLERR);
	CHECK_EQ(receive(s, 0)->n, -EHOSTUNREACH);
	g = receive(s, MSG_ERRQUEUE);
	CHECK_EQ(g->n, 5);
	CHECK_STR(g->data, "probe");
	CHECK_EQ(g->flags, MSG_ERRQUEUE);
	CHECK_EQ(g->addr, FAR);
	CHECK_EQ(g->port, 33434);
	a = find_cmsg(g, SOL_IP, IP_RECVERR, sizeof(*a));
	CHECK(a != NULL);
	CHECK_EQ(a->ee.ee_errno, EHOSTUNREACH);
	CHECK_EQ(a->ee.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(a->ee.ee_type, 11);
	CHECK_EQ(a->ee.ee_code, 0);
	CHECK_EQ(be32toh(a->offender.sin_addr.s_addr), GATEWAY);
	CHECK_EQ(receive(s, MSG_ERRQUEUE)->n, -EAGAIN);
	CHECK(!(sock_poll(s) & POLLERR));
	inject_icmp_about_udp(&h, GATEWAY, 3, 3, 0, 6000, FAR, 33434, "probe");
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVERR, 0), 0);
	CHECK_EQ(s->sk->rmem_alloc, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ancillary_data_received)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p = pkt_udp(PEER, 53, OWN, 5000, "x", 1);
	const struct in_pktinfo *info;
	const struct sockaddr_in *dst;
	const struct timeval *tv;
	const uint8_t *tos;
	const int *ttl;
	struct got *g;

	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_PKTINFO, 1), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVTTL, 1), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVTOS, 1), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVORIGDSTADDR, 1), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_TIMESTAMP, 1), 0);
	h.net->wall_offset_ns = 1000000 * NSEC_PER_SEC;
	p.ttl = 7;
	p.tos = 0x28;
	pkt_inject(h.eth, &p);
	g = receive(s, 0);
	info = find_cmsg(g, SOL_IP, IP_PKTINFO, sizeof(*info));
	CHECK(info != NULL);
	CHECK_EQ(info->ipi_ifindex, h.eth->ifindex);
	CHECK_EQ(be32toh(info->ipi_addr.s_addr), OWN);
	CHECK_EQ(be32toh(info->ipi_spec_dst.s_addr), OWN);
	ttl = find_cmsg(g, SOL_IP, IP_TTL, sizeof(*ttl));
	CHECK(ttl && *ttl == 7);
	tos = find_cmsg(g, SOL_IP, IP_TOS, 1);
	CHECK(tos && *tos == 0x28);
	dst = find_cmsg(g, SOL_IP, IP_ORIGDSTADDR, sizeof(*dst));
	CHECK(dst && be16toh(dst->sin_port) == 5000);
	tv = find_cmsg(g, SOL_SOCKET, SO_TIMESTAMP, sizeof(*tv));
	CHECK(tv != NULL);
	CHECK_EQ(tv->tv_sec, 1000000 + 1000);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ancillary_data_sent)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct { size_t len; int level, type, v, pad; } ttl = { CMSG_LEN(4), SOL_IP, IP_TTL, 9, 0 };
	struct sockaddr_in sin = sin4(PEER, 9);
	struct sockaddr_storage ss;
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .name = &ss, .namelen = sizeof(sin),
				 .control = &ttl, .control_size = sizeof(ttl) };
	struct pkt p;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &sin, sizeof(sin));
	CHECK_EQ(sock_sendmsg(s, &msg), 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ttl, 9);
	ttl.v = 0;
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	ttl.v = 9;
	ttl.len = 1000; /* beyond the buffer */
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	ttl.len = 3;
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	ttl.len = CMSG_LEN(4);
	ttl.type = 77;
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	pkt_expect_none(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_loopback_both_ways)
{
	static uint8_t data[65507];
	struct host h = sock_host_up();
	struct socket *a = udp_socket(&h), *b = udp_socket(&h);

	CHECK_EQ(bind4(a, LOOP, 7000), 0);
	CHECK_EQ(connect4(b, LOOP, 7000), 0);
	CHECK_EQ(send_flags(b, "ping", 4, 0), 4);
	fake_settle(h.net);
	CHECK_STR(receive(a, MSG_PEEK)->data, "ping");
	CHECK_EQ(receive(a, 0)->addr, LOOP);
	CHECK_EQ(send_to(a, "pong", 4, LOOP, port4(b)), 4);
	fake_settle(h.net);
	CHECK_STR(receive(b, 0)->data, "pong");
	memset(data, 'z', sizeof(data));
	CHECK_EQ(send_flags(b, data, sizeof(data), 0), sizeof(data));
	fake_settle(h.net);
	CHECK_EQ(receive(a, 0)->n, sizeof(data));
	CHECK_EQ(send_to(b, "me", 2, OWN, 7000), 2); /* a is bound to 127.0.0.1 */
	fake_settle(h.net);
	CHECK_EQ(receive(a, 0)->n, -EAGAIN);
	sock_release(a);
	CHECK_EQ(send_flags(b, "x", 1, 0), 1);
	fake_settle(h.net);
	CHECK_EQ(receive(b, 0)->n, -ECONNREFUSED);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_destination_zero_is_this_host)
{
	struct host h = sock_host_up();
	struct socket *a = udp_socket(&h), *b = udp_socket(&h);

	CHECK_EQ(bind4(a, 0, 7000), 0);
	CHECK_EQ(connect4(b, 0, 7000), 0);
	CHECK_STR(name4(b, true), "127.0.0.1:7000");
	CHECK_EQ(send_flags(b, "x", 1, 0), 1);
	CHECK_EQ(send_to(b, "y", 1, 0, 7000), 1);
	fake_settle(h.net);
	CHECK_STR(receive(a, 0)->data, "x");
	CHECK_STR(receive(a, 0)->data, "y");
	sock_release(a);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_poll_bits)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(sock_poll(s), POLLOUT | POLLWRNORM | POLLWRBAND);
	CHECK_EQ(connect4(s, PEER, 9), 0);
	inject_udp(&h, PEER, 9, OWN, port4(s), "x");
	CHECK_EQ(sock_poll(s), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLWRBAND);
	receive(s, 0);
	CHECK_EQ(sock_shutdown(s, SHUT_RD), 0);
	CHECK_EQ(sock_poll(s) & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(receive(s, 0)->n, 0);
	CHECK_EQ(sock_shutdown(s, SHUT_WR), 0);
	CHECK(sock_poll(s) & POLLHUP);
	CHECK_EQ(send_flags(s, "x", 1, 0), -EPIPE);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_send_buffer_is_a_limit_and_wakes)
{
	static uint8_t data[1400];
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	unsigned int wakes = 0;
	int queued = 0, sent = 0;

	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUF, 4000), 0);
	s->user = &wakes;
	s->wake = count_wake;
	fake_dev_priv(h.eth)->accept = 0; /* the device takes nothing */
	while (send_flags(s, data, sizeof(data), 0) == sizeof(data))
		CHECK_LT(++sent, 20);
	CHECK_EQ(send_flags(s, data, sizeof(data), 0), -EAGAIN);
	CHECK_EQ(sock_ioctl(s, TIOCOUTQ, &queued), 0);
	CHECK_GT(queued, 1400);
	CHECK(!(sock_poll(s) & POLLOUT));
	CHECK_EQ(wakes, 0);
	fake_dev_priv(h.eth)->accept = UINT32_MAX;
	netif_wake_queue(h.eth);
	CHECK_EQ(wakes, sent);
	CHECK(sock_poll(s) & POLLOUT);
	CHECK_EQ(fake_dev_forget(h.eth), sent);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_close_with_packets_under_way)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	fake_dev_priv(h.eth)->accept = 0;
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), 1);
	inject_udp(&h, PEER, 9, OWN, port4(s), "unread");
	sock_release(s);
	CHECK(sock_next(h.net, NULL) != NULL); /* the packet holds the sock */
	fake_dev_priv(h.eth)->accept = UINT32_MAX;
	netif_wake_queue(h.eth);
	CHECK(sock_next(h.net, NULL) == NULL);
	sock_host_down(&h);
}

TEST(test_disconnect_and_reconnect)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h), *b = udp_socket(&h);

	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(connect4(s, PKT_IP(10, 0, 0, 3), 10), 0);
	CHECK_STR(name4(s, true), "10.0.0.3:10");
	CHECK_EQ(disconnect4(s), 0);
	CHECK_STR(name4(s, true), "errno 107");
	CHECK_STR(name4(s, false), "0.0.0.0:0");
	CHECK_EQ(send_flags(s, "x", 1, 0), -EDESTADDRREQ);
	CHECK_EQ(bind4(b, OWN, 6000), 0);
	CHECK_EQ(connect4(b, PEER, 9), 0);
	CHECK_EQ(disconnect4(b), 0);
	CHECK_STR(name4(b, false), "10.0.0.1:6000"); /* what bind() fixed stays */
	inject_udp(&h, PEER, 1, OWN, 6000, "open");
	CHECK_STR(receive(b, 0)->data, "open");
	sock_release(s);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_dont_route_and_confirm)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct pkt p;

	CHECK_EQ(connect4(s, FAR, 9), 0);
	CHECK_EQ(send_flags(s, "x", 1, MSG_DONTROUTE), -ENETUNREACH);
	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(send_flags(s, "x", 1, MSG_DONTROUTE | MSG_CONFIRM), 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(send_flags(s, "", 0, MSG_CONFIRM | 0x10), 0); /* MSG_PROBE: nothing is sent */
	pkt_expect_none(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_bind_to_device)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct net_device *eth1 = fake_dev_create(h.net, "eth1", 2);
	struct pkt p = pkt_udp(PEER, 53, OWN, 5000, "x", 1);

	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
	pkt_inject(eth1, &p);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(s, 0)->n, 1);
	fake_dev_forget(eth1);
	fake_dev_forget(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_description)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	char text[128];

	CHECK_EQ(bind4(s, 0, 5000), 0);
	sock_describe(s->sk, text, sizeof(text));
	CHECK_STR(text, "udp *:5000");
	CHECK_EQ(connect4(s, PEER, 53), 0);
	sock_set_owner(s, 12, "a program with a long name");
	sock_describe(s->sk, text, sizeof(text));
	CHECK_STR(text, "pid 12 (a program with ) udp 10.0.0.1:5000 > 10.0.0.2:53");
	sock_describe(s->sk, text, 10);
	CHECK_STR(text, "pid 12 (a");
	sock_release(s);
	sock_host_down(&h);
}
