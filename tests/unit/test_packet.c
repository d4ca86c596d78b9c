/* SPDX-License-Identifier: MIT */
/* Packet sockets (man 7 packet): what they see, what they send, and their options. */
#include "tests/unit/packet_fixture.h"

/* A receive with its link-level address. */
static struct got *receive_frame(struct socket *s, size_t size, struct sockaddr_ll *from)
{
	static struct got g;
	struct sockaddr_storage ss;
	struct iovec iov = { g.data, size };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .name = &ss, .control = g.control,
				 .control_size = sizeof(g.control) };

	memset(&g, 0, sizeof(g));
	memset(&ss, 0, sizeof(ss));
	g.n = sock_recvmsg(s, &msg);
	g.flags = msg.out_flags;
	g.full_len = msg.full_len;
	g.controllen = msg.controllen;
	memcpy(from, &ss, sizeof(*from));
	if (g.n >= 0)
		CHECK_EQ(msg.namelen, sizeof(*from));
	return &g;
}

static ssize_t send_frame(struct socket *s, const void *data, size_t len, const struct sockaddr_ll *to)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct sockaddr_storage ss;
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };

	if (to) {
		memset(&ss, 0, sizeof(ss));
		memcpy(&ss, to, sizeof(*to));
		msg.name = &ss;
		msg.namelen = sizeof(*to);
	}
	return sock_sendmsg(s, &msg);
}

TEST(test_packet_types_of_socket)
{
	struct host h = packet_host_up();
	struct socket *s;

	CHECK_EQ(sock_create(h.net, AF_PACKET, SOCK_STREAM, 0, &s), -ESOCKTNOSUPPORT);
	CHECK_EQ(sock_create(h.net, AF_PACKET, SOCK_PACKET, 0, &s), -ESOCKTNOSUPPORT);
	s = packet_socket(&h, SOCK_DGRAM, 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_DOMAIN), AF_PACKET);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PROTOCOL), 0);
	CHECK_EQ(sock_listen(s, 1), -EOPNOTSUPP);
	CHECK_EQ(sock_shutdown(s, SHUT_RDWR), -EOPNOTSUPP);
	CHECK_EQ(sock_poll(s), POLLOUT | POLLWRNORM | POLLWRBAND);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_packet_sees_what_comes)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 }, group[6] = { 1, 0, 0x5e, 0, 0, 1 },
			     other[6] = { 2, 0, 0, 0, 0, 0x77 };
	static const struct {
		const uint8_t *dest;
		uint8_t type;
	} cases[] = { { own_mac, PACKET_HOST }, { everybody, PACKET_BROADCAST }, { group, PACKET_MULTICAST },
		      { other, PACKET_OTHERHOST } };
	struct host h = packet_host_up();
	struct socket *raw = packet_socket(&h, SOCK_RAW, ETH_P_ALL), *cooked = packet_socket(&h, SOCK_DGRAM, ETH_TEST);
	struct sockaddr_ll from;
	struct got *g;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		inject_frame(&h, cases[i].dest, ETH_TEST, 46);
		g = receive_frame(raw, 2000, &from);
		CHECK_EQ(g->n, 60);
		CHECK_MEM(g->data, cases[i].dest, 6);
		CHECK_EQ(from.sll_pkttype, cases[i].type);
		CHECK_EQ(from.sll_ifindex, h.eth->ifindex);
		CHECK_EQ(from.sll_protocol, cpu_to_be16(ETH_TEST));
		CHECK_EQ(from.sll_hatype, ARPHRD_ETHER);
		CHECK_EQ(from.sll_halen, 6);
		CHECK_MEM(from.sll_addr, peer_mac, 6);
		g = receive_frame(cooked, 2000, &from);
		CHECK_EQ(g->n, 46);
		CHECK_EQ(g->data[1], 1);
		CHECK_EQ(from.sll_pkttype, cases[i].type);
	}
	inject_frame(&h, own_mac, 0x88b6, 46);
	CHECK_EQ(receive_frame(raw, 2000, &from)->n, 60);
	CHECK_EQ(receive_frame(cooked, 2000, &from)->n, -EAGAIN);
	sock_release(raw);
	sock_release(cooked);
	sock_host_down(&h);
}

TEST(test_packet_sees_what_goes)
{
	struct host h = packet_host_up();
	struct socket *all = packet_socket(&h, SOCK_DGRAM, ETH_P_ALL), *in = packet_socket(&h, SOCK_RAW, ETH_P_IP);
	struct socket *ignores = packet_socket(&h, SOCK_RAW, ETH_P_ALL), *udp = udp_socket(&h);
	struct sockaddr_ll from;
	struct got *g;

	CHECK_EQ(set_int(ignores, SOL_PACKET, 23, 1), 0); /* PACKET_IGNORE_OUTGOING */
	CHECK_EQ(send_to(udp, "hello", 5, PEER, 9), 5);
	g = receive_frame(all, 2000, &from);
	CHECK_EQ(g->n, 33);
	CHECK_EQ((uint8_t)g->data[0], 0x45);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	CHECK_MEM(from.sll_addr, own_mac, 6);
	CHECK_EQ(receive_frame(in, 2000, &from)->n, -EAGAIN);
	CHECK_EQ(receive_frame(ignores, 2000, &from)->n, -EAGAIN);
	fake_dev_forget(h.eth);
	sock_release(all);
	sock_release(in);
	sock_release(ignores);
	sock_release(udp);
	sock_host_down(&h);
}

/* An echo request and the reply to it, in this order, though the reply is made inside of the receiving. */
TEST(test_packet_keeps_the_order)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct pkt p = pkt_icmp(PEER, OWN, 8, 0, 0x10001, "data", 4);
	struct sockaddr_ll from;

	pkt_inject(h.eth, &p);
	CHECK_EQ((uint8_t)receive_frame(s, 2000, &from)->data[34], 8);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_EQ((uint8_t)receive_frame(s, 2000, &from)->data[34], 0);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	fake_dev_forget(h.eth);
	sock_release(s);
	sock_host_down(&h);
}

/* On lo a frame goes out and comes in, behind a made-up link header. */
TEST(test_packet_on_loopback)
{
	static const uint8_t nothing[12];
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL), *udp = udp_socket(&h);
	struct sockaddr_ll from, to = link_addr(h.lo->ifindex, ETH_TEST);
	uint8_t frame[64];
	struct got *g;

	CHECK_EQ(send_to(udp, "hello", 5, LOOP, 9), 5);
	fake_settle(h.net);
	g = receive_frame(s, 2000, &from);
	CHECK_EQ(g->n, 14 + 33);
	CHECK_MEM(g->data, nothing, 12);
	CHECK_EQ((uint8_t)g->data[12], 8);
	CHECK_EQ((uint8_t)g->data[14], 0x45);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	CHECK_EQ(from.sll_hatype, ARPHRD_LOOPBACK);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, 14 + 33);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	while (receive_frame(s, 2000, &from)->n > 0)
		; /* port unreachable, both ways */
	make_frame(frame, own_mac, ETH_TEST, 50);
	CHECK_EQ(send_frame(s, frame, sizeof(frame), &to), 64);
	fake_settle(h.net);
	g = receive_frame(s, 2000, &from);
	CHECK_EQ(g->n, 64);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_EQ(from.sll_protocol, cpu_to_be16(ETH_TEST));
	CHECK_MEM(g->data + 14, frame + 14, 50);
	sock_release(s);
	sock_release(udp);
	sock_host_down(&h);
}

TEST(test_packet_sends)
{
	struct host h = packet_host_up();
	struct socket *raw = packet_socket(&h, SOCK_RAW, 0), *cooked = packet_socket(&h, SOCK_DGRAM, ETH_TEST);
	struct socket *watcher = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct sockaddr_ll to = link_addr(h.eth->ifindex, ETH_TEST), from;
	struct fake_frame *f;
	uint8_t frame[64];

	make_frame(frame, peer_mac, ETH_TEST, 50);
	CHECK_EQ(send_frame(raw, frame, 64, NULL), -ENXIO);
	CHECK_EQ(send_frame(raw, frame, 64, &to), 64);
	f = fake_dev_take(h.eth);
	CHECK_EQ(f->len, 64);
	CHECK_MEM(f->data, frame, 64);
	free(f);
	CHECK_EQ(receive_frame(watcher, 2000, &from)->n, 64);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	memcpy(to.sll_addr, peer_mac, 6);
	to.sll_halen = 6;
	CHECK_EQ(send_frame(cooked, "hello", 5, &to), 5);
	f = fake_dev_take(h.eth);
	CHECK_EQ(f->len, 19);
	CHECK_MEM(f->data, peer_mac, 6);
	CHECK_MEM(f->data + 6, own_mac, 6);
	CHECK_EQ(f->data[12], 0x88);
	CHECK_MEM(f->data + 14, "hello", 5);
	free(f);
	CHECK_EQ(receive_frame(cooked, 2000, &from)->n, -EAGAIN); /* sent ones are for ETH_P_ALL only */
	sock_release(raw);
	sock_release(cooked);
	sock_release(watcher);
	sock_host_down(&h);
}

TEST(test_packet_send_errors)
{
	static uint8_t big[1600];
	struct host h = packet_host_up();
	struct socket *raw = packet_socket(&h, SOCK_RAW, 0), *cooked = packet_socket(&h, SOCK_DGRAM, 0);
	struct sockaddr_ll to = link_addr(h.eth->ifindex, ETH_TEST), nowhere = link_addr(99, ETH_TEST);

	CHECK_EQ(packet_check_send(raw, &to, 19, 60), -EINVAL);
	CHECK_EQ(packet_check_send(raw, &nowhere, sizeof(nowhere), 60), -ENXIO);
	CHECK_EQ(send_frame(raw, big, 13, &to), -EINVAL);
	CHECK_EQ(send_frame(raw, big, 1514, &to), 1514);
	CHECK_EQ(send_frame(raw, big, 1515, &to), -EMSGSIZE);
	CHECK_EQ(send_frame(cooked, big, 1500, &to), 1500);
	CHECK_EQ(send_frame(cooked, big, 1501, &to), -EMSGSIZE);
	dev_close(h.eth);
	CHECK_EQ(send_frame(raw, big, 60, &to), -ENETDOWN);
	fake_dev_forget(h.eth);
	sock_release(raw);
	sock_release(cooked);
	sock_host_down(&h);
}

TEST(test_packet_bind)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0);
	struct sockaddr_ll ll = link_addr(h.eth->ifindex, ETH_P_ALL), from;
	struct sockaddr_storage ss;

	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, -EAGAIN); /* protocol 0 */
	CHECK_EQ(sock_getname(s, &ss, true), -EOPNOTSUPP);
	CHECK_EQ(sock_getname(s, &ss, false), 12);
	CHECK_EQ(sock_bind(s, (struct sockaddr *)(void *)&ll, 19), -EINVAL);
	CHECK_EQ(bind_packet(s, 99, ETH_P_ALL), -ENODEV);
	CHECK_EQ(bind_packet(s, h.lo->ifindex, ETH_P_ALL), 0);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, -EAGAIN); /* another device */
	CHECK_EQ(h.eth->watched, 0);
	CHECK_EQ(bind_packet(s, h.eth->ifindex, 0), 0);
	CHECK_EQ(h.eth->watched, 1);
	CHECK_EQ(sock_getname(s, &ss, false), 18);
	memcpy(&ll, &ss, sizeof(ll));
	CHECK_EQ(ll.sll_protocol, cpu_to_be16(ETH_P_ALL));
	CHECK_EQ(ll.sll_hatype, ARPHRD_ETHER);
	CHECK_MEM(ll.sll_addr, own_mac, 6);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, 60);
	ll.sll_family = AF_INET;
	CHECK_EQ(sock_bind(s, (struct sockaddr *)(void *)&ll, sizeof(ll)), -EINVAL);
	sock_release(s);
	CHECK_EQ(h.eth->watched, 0);
	sock_host_down(&h);
}

TEST(test_packet_device_goes_down_and_up)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct sockaddr_ll from;

	CHECK_EQ(bind_packet(s, h.eth->ifindex, ETH_P_ALL), 0);
	dev_close(h.eth);
	CHECK(sock_poll(s) & POLLERR);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, -ENETDOWN);
	CHECK_EQ(bind_packet(s, h.eth->ifindex, ETH_P_ALL), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), ENETDOWN);
	CHECK_EQ(dev_open(h.eth), 0);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, 60);
	unregister_netdev(h.eth);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, -ENETDOWN);
	CHECK_EQ(packet_check_send(s, NULL, 0, 60), -ENXIO);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_packet_auxdata_time_and_truncation)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket_auxdata aux;
	struct sockaddr_ll from;
	const void *p;
	struct got *g;

	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_AUXDATA, 1), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	g = receive_frame(s, 20, &from);
	CHECK_EQ(g->n, 20);
	CHECK_EQ(g->full_len, 60);
	CHECK_EQ(g->flags, MSG_TRUNC);
	CHECK(find_cmsg(g, SOL_SOCKET, SO_TIMESTAMPNS, 16) != NULL);
	p = find_cmsg(g, SOL_PACKET, PACKET_AUXDATA, sizeof(aux));
	CHECK(p != NULL);
	memcpy(&aux, p, sizeof(aux));
	CHECK_EQ(aux.tp_status & TP_STATUS_USER, TP_STATUS_USER);
	CHECK_EQ(aux.tp_len, 60);
	CHECK_EQ(aux.tp_snaplen, 60);
	CHECK_EQ(aux.tp_net, 14);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_packet_filter_cuts)
{
	static const struct sock_filter cut[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_TEST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 30), BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct sockaddr_ll from;

	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, cut, sizeof(cut)), 0);
	inject_frame(&h, own_mac, 0x88b6, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, -EAGAIN);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(receive_frame(s, 2000, &from)->n, 30);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_packet_counts_what_is_lost)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 0), 0); /* the least there is: 2304 */
	for (int i = 0; i < 20; i++)
		inject_frame(&h, own_mac, ETH_TEST, 1000);
	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK_EQ(len, sizeof(st));
	CHECK_EQ(st.tp_packets, 20);
	CHECK_GT(st.tp_drops, 10);
	CHECK_LT(st.tp_drops, 20);
	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK_EQ(st.tp_packets, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_packet_memberships)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0);
	struct packet_mreq m = { .mr_ifindex = h.eth->ifindex, .mr_type = PACKET_MR_PROMISC };

	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, 15), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(h.eth->promiscuity, 1);
	CHECK(h.eth->flags & IFF_PROMISC);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(h.eth->promiscuity, 1);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	CHECK_EQ(h.eth->promiscuity, 0);
	CHECK(!(h.eth->flags & IFF_PROMISC));
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	m.mr_type = PACKET_MR_MULTICAST;
	m.mr_alen = 5;
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), -EINVAL);
	m.mr_ifindex = 99;
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), -ENODEV);
	m = (struct packet_mreq){ .mr_ifindex = h.eth->ifindex, .mr_type = PACKET_MR_PROMISC };
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	sock_release(s);
	CHECK_EQ(h.eth->promiscuity, 0);
	sock_host_down(&h);
}

TEST(test_packet_options)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0);
	int v = TPACKET_V3;
	socklen_t len = sizeof(v);

	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &len), 0);
	CHECK_EQ(v, sizeof(struct tpacket3_hdr));
	v = 3;
	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &len), -EINVAL);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, 3), -EINVAL);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, TPACKET_V2), 0);
	CHECK_EQ(get_int(s, SOL_PACKET, PACKET_VERSION), TPACKET_V2);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_RESERVE, 4), 0);
	CHECK_EQ(get_int(s, SOL_PACKET, PACKET_RESERVE), 4);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_RESERVE, -1), -EINVAL);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_FANOUT, 1), -ENOPROTOOPT);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VNET_HDR, 1), -ENOPROTOOPT);
	CHECK_EQ(set_int(s, IPPROTO_IP, 1, 1), -ENOPROTOOPT);
	CHECK_EQ(get_int(s, SOL_PACKET, PACKET_FANOUT), -ENOPROTOOPT);
	sock_release(s);
	sock_host_down(&h);
}
