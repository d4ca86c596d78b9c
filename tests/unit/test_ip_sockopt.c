/* SPDX-License-Identifier: MIT */
/* SOL_IP as man 7 ip has it: values, errors, and what they do to packets; group membership. */
#include <limits.h>
#include <netinet/in.h>

#include "stack/tcp/tcp.h"
#include "tests/unit/sock_fixture.h"

#define GROUP PKT_IP(224, 0, 0, 251)

/* The header fields of what the socket sends now. */
static struct pkt sent_to(struct host *h, struct socket *s, uint32_t addr)
{
	struct pkt p;

	CHECK_EQ(send_to(s, "x", 1, addr, 9), 1);
	CHECK(pkt_take_ip(h->eth, &p));
	return p;
}

TEST(test_tos_and_ttl_reach_the_packet)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(get_int(s, SOL_IP, IP_TTL), 64);
	CHECK_EQ(get_int(s, SOL_IP, IP_TOS), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, 5), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_TOS, 0x10), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_TTL), 5);
	CHECK_EQ(get_int(s, SOL_IP, IP_TOS), 0x10);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PRIORITY), 6); /* low delay: interactive */
	CHECK_EQ(sent_to(&h, s, PEER).ttl, 5);
	CHECK_EQ(sent_to(&h, s, PEER).tos, 0x10);
	CHECK_EQ(set_int(s, SOL_IP, IP_TOS, 0x02), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PRIORITY), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_TOS, 0xb8), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PRIORITY), 4);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, -1), 0);
	CHECK_EQ(sent_to(&h, s, PEER).ttl, 64);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, 0), -EINVAL);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, 256), -EINVAL);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, -2), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_TTL, "", 0), -EINVAL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_values_of_one_byte)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint8_t v[4] = { 77, 0xee, 0xee, 0xee };
	socklen_t len = 1;

	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_TTL, v, 1), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_TTL), 77);
	v[0] = 0;
	CHECK_EQ(sock_getsockopt(s, SOL_IP, IP_TTL, v, &len), 0);
	CHECK_EQ(len, 1);
	CHECK_EQ(v[0], 77);
	CHECK_EQ(v[1], 0xee);
	len = 3;
	CHECK_EQ(sock_getsockopt(s, SOL_IP, IP_TTL, v, &len), 0);
	CHECK_EQ(len, 1);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_booleans)
{
	static const int names[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR, IP_RECVERR,
				     IP_FREEBIND, IP_BIND_ADDRESS_NO_PORT };
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQ(get_int(s, SOL_IP, names[i]), 0);
		CHECK_EQ(set_int(s, SOL_IP, names[i], 3), 0);
		CHECK_EQ(get_int(s, SOL_IP, names[i]), 1);
		CHECK_EQ(set_int(s, SOL_IP, names[i], 0), 0);
		CHECK_EQ(get_int(s, SOL_IP, names[i]), 0);
	}
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_mtu_discover_range_and_mtu)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(get_int(s, SOL_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, 5), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_MTU_DISCOVER), 5);
	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, 6), -EINVAL);
	CHECK_EQ(set_int(s, SOL_IP, IP_MTU_DISCOVER, -1), -EINVAL);
	CHECK_EQ(get_int(s, SOL_IP, IP_MTU), -ENOTCONN);
	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_MTU), 1500);
	CHECK_EQ(set_int(s, SOL_IP, IP_MTU, 1500), -ENOPROTOOPT);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_unknown_options_are_refused)
{
	static const int names[] = { 0, -1, 999, IP_RECVOPTS, IP_RETOPTS, IP_TRANSPARENT, IP_NODEFRAG,
				     IP_CHECKSUM, IP_MINTTL, IP_HDRINCL, IP_MULTICAST_ALL, IP_UNICAST_IF,
				     MCAST_JOIN_GROUP, IP_ADD_SOURCE_MEMBERSHIP, IP_XFRM_POLICY };
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint8_t v[256] = { 1 };
	socklen_t len = sizeof(v);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_MSG(sock_setsockopt(s, SOL_IP, names[i], v, sizeof(v)) == -ENOPROTOOPT, "%d", names[i]);
	CHECK_EQ(get_int(s, SOL_IP, 999), -ENOPROTOOPT);
	CHECK_EQ(get_int(s, SOL_IP, IP_MINTTL), -ENOPROTOOPT);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_OPTIONS, v, 4), -ENOPROTOOPT);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_OPTIONS, v, 0), 0);
	CHECK_EQ(sock_getsockopt(s, SOL_IP, IP_OPTIONS, v, &len), 0);
	CHECK_EQ(len, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_multicast_ttl_and_interface)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ip_mreqn m = { .imr_ifindex = h.eth->ifindex };
	struct in_addr a = { htobe32(OWN) };
	socklen_t len = sizeof(a);
	struct pkt p;

	CHECK_EQ(get_int(s, SOL_IP, IP_MULTICAST_TTL), 1);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_MULTICAST_IF, &m, sizeof(m)), 0);
	p = sent_to(&h, s, GROUP);
	CHECK_EQ(p.ttl, 1);
	CHECK_EQ(p.saddr, OWN);
	CHECK_MEM(p.eth_dst, "\x01\x00\x5e\x00\x00\xfb", 6); /* RFC 1112 6.4 */
	CHECK_EQ(set_int(s, SOL_IP, IP_MULTICAST_TTL, 9), 0);
	CHECK_EQ(sent_to(&h, s, GROUP).ttl, 9);
	CHECK_EQ(set_int(s, SOL_IP, IP_MULTICAST_TTL, -1), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_MULTICAST_TTL), 1);
	CHECK_EQ(set_int(s, SOL_IP, IP_MULTICAST_TTL, 256), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_MULTICAST_IF, &a, sizeof(a)), 0);
	a.s_addr = 0;
	CHECK_EQ(sock_getsockopt(s, SOL_IP, IP_MULTICAST_IF, &a, &len), 0);
	CHECK_EQ(be32toh(a.s_addr), OWN);
	a.s_addr = htobe32(FAR);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_MULTICAST_IF, &a, sizeof(a)), -EADDRNOTAVAIL);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_MULTICAST_IF, &a, 3), -EINVAL);
	sock_release(s);
	fake_settle(h.net);
	sock_host_down(&h);
}

TEST(test_membership_decides_reception)
{
	struct host h = sock_host_up();
	struct socket *in = udp_socket(&h), *out = udp_socket(&h);
	struct ip_mreqn m = { .imr_multiaddr.s_addr = htobe32(GROUP), .imr_ifindex = h.eth->ifindex };
	struct pkt p = pkt_udp(PEER, 5353, GROUP, 5353, "query", 5);

	memcpy(p.eth_dst, "\x01\x00\x5e\x00\x00\xfb", 6);
	CHECK_EQ(set_int(in, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(set_int(out, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind4(in, GROUP, 5353), 0);
	CHECK_EQ(bind4(out, 0, 5353), 0);
	CHECK_EQ(sock_setsockopt(in, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(sock_setsockopt(in, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -EADDRINUSE);
	pkt_inject(h.eth, &p);
	CHECK_STR(receive(in, 0)->data, "query");
	CHECK_EQ(receive(out, 0)->n, -EAGAIN);
	CHECK_EQ(sock_setsockopt(in, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(sock_setsockopt(in, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), -EADDRNOTAVAIL);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(in, 0)->n, -EAGAIN);
	pkt_expect_none(h.eth); /* never an answer to a multicast */
	sock_release(in);
	sock_release(out);
	sock_host_down(&h);
}

TEST(test_membership_errors)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ip_mreqn m = { .imr_multiaddr.s_addr = htobe32(PEER) };
	struct ip_mreq old = { .imr_multiaddr.s_addr = htobe32(GROUP), .imr_interface.s_addr = htobe32(OWN) };

	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &m, 4), -EINVAL);
	m.imr_multiaddr.s_addr = htobe32(GROUP);
	m.imr_ifindex = 99;
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -ENODEV);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)), 0);
	for (uint32_t i = 1; i < 20; i++) {
		old.imr_multiaddr.s_addr = htobe32(GROUP + i);
		CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)), 0);
	}
	old.imr_multiaddr.s_addr = htobe32(GROUP + 20);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, IP_ADD_MEMBERSHIP, &old, sizeof(old)), -ENOBUFS);
	sock_release(s); /* memberships go with the socket */
	sock_host_down(&h);
}

TEST(test_own_multicast_comes_back_when_wanted)
{
	struct host h = sock_host_up();
	struct socket *in = udp_socket(&h), *out = udp_socket(&h);
	struct ip_mreqn m = { .imr_multiaddr.s_addr = htobe32(GROUP), .imr_ifindex = h.eth->ifindex };

	CHECK_EQ(bind4(in, 0, 9), 0);
	CHECK_EQ(sock_setsockopt(in, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(sock_setsockopt(out, SOL_IP, IP_MULTICAST_IF, &m, sizeof(m)), 0);
	sent_to(&h, out, GROUP);
	fake_settle(h.net);
	CHECK_EQ(receive(in, 0)->n, 1);
	CHECK_EQ(set_int(out, SOL_IP, IP_MULTICAST_LOOP, 0), 0);
	sent_to(&h, out, GROUP);
	fake_settle(h.net);
	CHECK_EQ(receive(in, 0)->n, -EAGAIN);
	CHECK_EQ(set_int(out, SOL_IP, IP_MULTICAST_LOOP, 1), 0);
	CHECK_EQ(set_int(out, SOL_IP, IP_MULTICAST_TTL, 0), 0); /* RFC 1112 6.1: this host only */
	CHECK_EQ(send_to(out, "x", 1, GROUP, 9), 1);
	pkt_expect_none(h.eth);
	fake_settle(h.net);
	CHECK_EQ(receive(in, 0)->n, 1);
	sock_release(in);
	sock_release(out);
	sock_host_down(&h);
}

static const struct pernet_operations *const with_tcp[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops, &inet_pernet_ops, &route_pernet_ops,
	&ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops, &inet_hash_pernet_ops,
	&inet_port_pernet_ops, &inet_sock_pernet_ops, &tcp_pernet_ops, NULL,
};

TEST(test_minttl_shuts_out_who_is_far_away)
{
	struct host h = sock_host_of(with_tcp);
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);
	struct pkt p = pkt_tcp(PEER, 4000, OWN, 179, TH_SYN, 1, 0);

	CHECK_EQ(set_int(s, SOL_IP, IP_MINTTL, 256), -EINVAL);
	CHECK_EQ(set_int(s, SOL_IP, IP_MINTTL, 255), 0);
	CHECK_EQ(get_int(s, SOL_IP, IP_MINTTL), 255);
	CHECK_EQ(bind4(s, 0, 179), 0);
	CHECK_EQ(sock_listen(s, 5), 0);
	p.ttl = 254;
	pkt_inject(h.eth, &p);
	pkt_expect_none(h.eth);
	CHECK_EQ(h.net->drops[SKB_DROP_TCP_MINTTL], 1);
	CHECK_EQ(h.net->mib[MIB_TcpExtTCPMinTTLDrop], 1);
	p.ttl = 255;
	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.flags, TH_SYN | TH_ACK);
	sock_release(s);
	fake_dev_forget(h.eth);
	sock_host_down(&h);
}

TEST(test_control_data_that_does_not_fit_is_cut)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint8_t control[CMSG_SPACE(4) + 5];
	struct stack_msg msg;

	CHECK_EQ(bind4(s, 0, 5000), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_RECVTTL, 1), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_PKTINFO, 1), 0);
	for (size_t size = 0; size <= sizeof(control); size++) {
		uint8_t *exact = malloc(size ? size : 1); /* the sanitizer watches its end */

		memset(&msg, 0, sizeof(msg));
		msg.control = exact;
		msg.control_size = size;
		inject_udp(&h, PEER, 53, OWN, 5000, "x");
		CHECK_EQ(sock_recvmsg(s, &msg), 0);
		CHECK(msg.out_flags & MSG_CTRUNC);
		CHECK_LE(msg.controllen, size);
		free(exact);
	}
	sock_release(s);
	sock_host_down(&h);
}
