/* SPDX-License-Identifier: MIT */
/* The INET layer: bind rules, names, and the states of a stream's connect() and accept(). */
#include "tests/unit/sock_fixture.h"

/* A transport whose next steps a test dictates. */
static struct {
	int connect, disconnects, shutdown_how;
	uint8_t state_after_connect;
	struct sock *child;
	int keepalive;
} play;

static int play_connect(struct sock *sk, const struct sockaddr *addr, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	int err = inet_addr_from_sockaddr(addr, len, &inet->daddr, &inet->dport);

	if (err)
		return err;
	if (play.connect)
		return play.connect;
	sk->state = play.state_after_connect;
	return 0;
}

static int play_disconnect(struct sock *sk)
{
	play.disconnects++;
	sk->state = TCP_CLOSE;
	return 0;
}

static int play_listen(struct sock *sk, int backlog)
{
	sk->state = TCP_LISTEN;
	return backlog == 100000 || backlog == -1 ? 0 : -EFAULT;
}

static struct sock *play_accept(struct sock *sk, int *err)
{
	struct sock *child = play.child;

	play.child = NULL;
	*err = sk->state == TCP_LISTEN ? -EAGAIN : -EINVAL;
	return child;
}

static int play_shutdown(struct sock *sk, int how)
{
	(void)sk;
	play.shutdown_how = how;
	return 0;
}

static void play_close(struct sock *sk)
{
	inet_put_port(sk);
	sock_orphan(sk);
	sock_put(sk);
}

static unsigned int play_poll(const struct sock *sk)
{
	return sk->state == TCP_ESTABLISHED ? POLLOUT : 0;
}

static void play_keepalive(struct sock *sk, bool on)
{
	CHECK_NE(sock_flag(sk, SOCK_KEEPOPEN), on); /* told before the flag changes */
	play.keepalive = on;
}

static const struct proto play_prot = {
	.name = "TCP", .protocol = IPPROTO_TCP, .obj_size = sizeof(struct inet_sock), .close = play_close,
	.connect = play_connect, .disconnect = play_disconnect, .listen = play_listen, .accept = play_accept,
	.shutdown = play_shutdown, .get_port = inet_get_port, .poll = play_poll, .keepalive = play_keepalive,
};
static const struct inet_protosw play_sw = {
	.type = SOCK_STREAM, .protocol = IPPROTO_TCP, .is_default = true, .prot = &play_prot,
	.ops = &inet_stream_ops,
};

static struct host up(void)
{
	struct host h = sock_host_up();

	memset(&play, 0, sizeof(play));
	CHECK_EQ(inet_register_protosw(h.net, &play_sw), 0);
	CHECK_EQ(inet_register_protosw(h.net, &play_sw), -EEXIST);
	return h;
}

TEST(test_bind_address_rules)
{
	struct host h = up();
	struct socket *s = udp_socket(&h);
	struct sockaddr_in sin = sin4(0, 5000);

	CHECK_EQ(bind4(s, PEER, 5000), -EADDRNOTAVAIL);
	CHECK_EQ(bind4(s, FAR, 5000), -EADDRNOTAVAIL);
	sin.sin_family = AF_INET6;
	CHECK_EQ(sock_bind(s, (struct sockaddr *)&sin, sizeof(sin)), -EAFNOSUPPORT);
	sin.sin_family = AF_UNSPEC;
	sin.sin_addr.s_addr = htobe32(OWN);
	CHECK_EQ(sock_bind(s, (struct sockaddr *)&sin, sizeof(sin)), -EAFNOSUPPORT);
	CHECK_STR(name4(s, false), "0.0.0.0:0");
	sin.sin_addr.s_addr = 0; /* Linux: old programs forget the family */
	CHECK_EQ(sock_bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	CHECK_STR(name4(s, false), "0.0.0.0:5000");
	CHECK_EQ(bind4(s, 0, 5001), -EINVAL); /* once is enough */
	sock_release(s);
	s = udp_socket(&h);
	CHECK_EQ(bind4(s, 0x7f010203, 80), 0); /* all of 127/8 is ours; low ports too */
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_bind_to_broadcast_receives_but_is_no_source)
{
	struct host h = up();
	struct socket *s = udp_socket(&h);
	struct pkt p = pkt_udp(PEER, 1, PKT_IP(10, 0, 0, 255), 5000, "x", 1);

	CHECK_EQ(bind4(s, PKT_IP(10, 0, 0, 255), 5000), 0);
	CHECK_STR(name4(s, false), "10.0.0.255:5000");
	memset(p.eth_dst, 0xff, 6);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(s, 0)->n, 1);
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), 1);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.saddr, OWN);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_freebind_and_late_port)
{
	struct host h = up();
	struct socket *s = udp_socket(&h), *late = make_socket(&h, SOCK_STREAM, 0);

	CHECK_EQ(set_int(s, SOL_IP, IP_FREEBIND, 1), 0);
	CHECK_EQ(bind4(s, FAR, 5000), 0);
	CHECK_STR(name4(s, false), "192.0.2.7:5000");
	CHECK_EQ(set_int(late, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1), 0);
	CHECK_EQ(bind4(late, OWN, 0), 0);
	CHECK_STR(name4(late, false), "10.0.0.1:0");
	sock_release(s);
	sock_release(late);
	sock_host_down(&h);
}

TEST(test_failed_bind_leaves_nothing)
{
	struct host h = up();
	struct socket *a = udp_socket(&h), *b = udp_socket(&h);

	CHECK_EQ(bind4(a, 0, 5000), 0);
	CHECK_EQ(bind4(b, OWN, 5000), -EADDRINUSE);
	CHECK_STR(name4(b, false), "0.0.0.0:0");
	CHECK_EQ(bind4(b, OWN, 5001), 0);
	sock_release(a);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_datagram_connect_rules)
{
	struct host h = up();
	struct socket *s = udp_socket(&h);
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr sa = { .sa_family = AF_INET };

	CHECK_STR(name4(s, true), "errno 107");
	CHECK_EQ(sock_connect(s, (struct sockaddr *)&sin6, sizeof(sin6)), -EAFNOSUPPORT);
	CHECK_EQ(sock_connect(s, &sa, 2), -EINVAL);
	CHECK_EQ(sock_connect(s, &sa, 1), -EINVAL);
	CHECK_EQ(connect4(s, PKT_IP(10, 0, 0, 255), 9), -EACCES);
	CHECK_EQ(connect4(s, PEER, 9), 0);
	CHECK_EQ(s->sk->state, TCP_ESTABLISHED);
	CHECK_EQ(inet_sk(s->sk)->rcv_saddr.v4, cpu_to_be32(OWN));
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_stream_connect_under_way_then_done)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);

	play.state_after_connect = TCP_SYN_SENT;
	CHECK_EQ(connect4(s, PEER, 80), -EINPROGRESS);
	CHECK_EQ(connect4(s, PEER, 80), -EALREADY);
	CHECK_STR(name4(s, true), "errno 107");
	s->sk->state = TCP_ESTABLISHED;
	CHECK_STR(name4(s, true), "10.0.0.2:80");
	CHECK_EQ(connect4(s, PEER, 80), 0);
	CHECK_EQ(connect4(s, PEER, 80), -EISCONN);
	CHECK_EQ(sock_poll(s), POLLOUT);
	CHECK_EQ(disconnect4(s), 0);
	CHECK_EQ(play.disconnects, 1);
	CHECK_EQ(s->state, SS_UNCONNECTED);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_stream_connect_refused)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);

	play.state_after_connect = TCP_SYN_SENT;
	CHECK_EQ(connect4(s, PEER, 80), -EINPROGRESS);
	s->sk->state = TCP_CLOSE;
	sk_set_err(s->sk, ECONNREFUSED);
	CHECK_EQ(connect4(s, PEER, 80), -ECONNREFUSED);
	CHECK_EQ(s->state, SS_UNCONNECTED);
	CHECK_EQ(play.disconnects, 1);
	CHECK_EQ(connect4(s, PEER, 80), -EINPROGRESS); /* fit for another attempt */
	s->sk->state = TCP_CLOSE;
	CHECK_EQ(connect4(s, PEER, 80), -ECONNABORTED); /* nobody said why */
	play.connect = -ENETUNREACH;
	CHECK_EQ(connect4(s, PEER, 80), -ENETUNREACH);
	CHECK_EQ(s->state, SS_UNCONNECTED);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_listen_and_accept)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0), *c = NULL;
	struct sock *child = sk_alloc(h.net, AF_INET, SOCK_STREAM, &play_prot);

	CHECK_EQ(sock_accept(s, &c), -EINVAL);
	CHECK_EQ(sock_listen(s, 100000), 0); /* bounding it is the transport's */
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_EQ(sock_listen(s, -1), 0);
	CHECK_EQ(connect4(s, PEER, 80), -EISCONN);
	CHECK_EQ(sock_accept(s, &c), -EAGAIN);
	sock_set_owner(s, 33, "server");
	inet_sock_init(inet_sk(child));
	inet_sock_clone(inet_sk(child), inet_sk(s->sk));
	child->state = TCP_ESTABLISHED;
	play.child = child;
	CHECK_EQ(sock_accept(s, &c), 0);
	CHECK(c->sk == child);
	CHECK(child->socket == c);
	CHECK_EQ(c->state, SS_CONNECTED);
	CHECK(c->wake == NULL);
	CHECK_EQ(child->owner.pid, 33);
	sock_release(c);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_child_inherits_options)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);
	struct sock *child = sk_alloc(h.net, AF_INET, SOCK_STREAM, &play_prot);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 50000), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_TOS, 0x10), 0);
	CHECK_EQ(set_int(s, SOL_IP, IP_TTL, 33), 0);
	inet_sock_init(inet_sk(child));
	inet_sock_clone(inet_sk(child), inet_sk(s->sk));
	CHECK(sock_flag(child, SOCK_KEEPOPEN));
	CHECK_EQ(child->rcvbuf, 100000);
	CHECK_EQ(inet_sk(child)->tos, 0x10);
	CHECK_EQ(inet_sk(child)->uc_ttl, 33);
	sock_put(child);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_stream_shutdown_by_state)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);
	unsigned int wakes = 0;

	s->user = &wakes;
	s->wake = count_wake;
	CHECK_EQ(sock_shutdown(s, SHUT_WR), -ENOTCONN);
	CHECK_EQ(wakes, 1);
	s->sk->shutdown = 0;
	s->sk->state = TCP_ESTABLISHED;
	CHECK_EQ(sock_shutdown(s, SHUT_WR), 0);
	CHECK_EQ(play.shutdown_how, SEND_SHUTDOWN);
	CHECK_EQ(s->sk->shutdown, SEND_SHUTDOWN);
	CHECK_EQ(sock_shutdown(s, SHUT_RDWR), 0);
	CHECK_EQ(play.shutdown_how, SHUTDOWN_MASK);
	s->sk->state = TCP_LISTEN;
	CHECK_EQ(sock_shutdown(s, SHUT_WR), 0);
	CHECK_EQ(s->sk->state, TCP_LISTEN);
	CHECK_EQ(sock_shutdown(s, SHUT_RD), 0);
	CHECK_EQ(s->sk->state, TCP_CLOSE);
	s->sk->state = TCP_SYN_SENT;
	s->state = SS_CONNECTING;
	CHECK_EQ(sock_shutdown(s, SHUT_WR), 0);
	CHECK_EQ(s->state, SS_UNCONNECTED);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_keepalive_is_told)
{
	struct host h = up();
	struct socket *s = make_socket(&h, SOCK_STREAM, 0);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	CHECK_EQ(play.keepalive, 1);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_KEEPALIVE, 0), 0);
	CHECK_EQ(play.keepalive, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_route_is_looked_up_again_when_it_must)
{
	struct host h = up();
	struct socket *s = udp_socket(&h);
	struct inet_sock *inet = inet_sk(s->sk);
	struct inet_addr peer = ip4(PEER), far = ip4(FAR);
	uint32_t gen;

	CHECK_EQ(inet_route(inet, &peer), 0);
	CHECK(inet_addr_equal(&inet->dst.nexthop, &peer));
	gen = inet->dst.gen;
	CHECK_EQ(inet_route(inet, &peer), 0);
	CHECK_EQ(inet->dst.gen, gen);
	CHECK_EQ(inet_route(inet, &far), 0);
	CHECK_EQ(be32toh(inet->dst.nexthop.v4), GATEWAY);
	CHECK_EQ(add_route4(&h, FAR, 32, PKT_IP(10, 0, 0, 253), 0), 0);
	CHECK_EQ(inet_route(inet, &far), 0);
	CHECK_EQ(be32toh(inet->dst.nexthop.v4), PKT_IP(10, 0, 0, 253));
	sock_release(s);
	sock_host_down(&h);
}
