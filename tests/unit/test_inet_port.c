/* SPDX-License-Identifier: MIT */
/* Local ports: who may join whom (Linux's rules), choice of ephemeral ports (RFC 6056). */
#include "tests/unit/sock_fixture.h"

/* A TCP that does nothing but bind. */
static void bound_close(struct sock *sk)
{
	inet_put_port(sk);
	sock_orphan(sk);
	sock_put(sk);
}

static unsigned int quiet_poll(const struct sock *sk)
{
	(void)sk;
	return 0;
}

static const struct proto fake_tcp = {
	.name = "TCP", .protocol = IPPROTO_TCP, .obj_size = sizeof(struct inet_sock),
	.close = bound_close, .get_port = inet_get_port, .poll = quiet_poll,
};
static const struct inet_protosw fake_tcp_sw = {
	.type = SOCK_STREAM, .protocol = IPPROTO_TCP, .is_default = true, .prot = &fake_tcp,
	.ops = &inet_stream_ops,
};

static struct host up(void)
{
	struct host h = sock_host_up();

	CHECK_EQ(inet_register_protosw(h.net, &fake_tcp_sw), 0);
	return h;
}

enum { PLAIN = 0, ADDR = 1, PORT = 2 };

static struct socket *make(struct host *h, int type, int options)
{
	struct socket *s = make_socket(h, type, 0);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_REUSEADDR, options & ADDR), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_REUSEPORT, options & PORT), 0);
	return s;
}

/* What the second bind() says, with options and addresses of both. */
static int second_bind(int type, uint8_t first_state, int o1, uint32_t a1, int o2, uint32_t a2)
{
	struct host h = up();
	struct socket *s1 = make(&h, type, o1), *s2 = make(&h, type, o2);
	int err;

	CHECK_EQ(bind4(s1, a1, 8000), 0);
	s1->sk->state = first_state;
	err = bind4(s2, a2, 8000);
	s1->sk->state = TCP_CLOSE;
	sock_release(s1);
	sock_release(s2);
	sock_host_down(&h);
	return err;
}

/*
 * What Linux 6.18 answers to the second bind(), 1 = EADDRINUSE: for each pair of options (none, ADDR,
 * PORT, both; first socket outermost) the five pairs of addresses below.
 */
static const char *const linux_says[3] = {
	/* TCP, first one closed */
	"11110111101111011110111100000011110000001111011110000000000011110000000000000000",
	/* TCP, first one listens */
	"11110111101111011110111101111011110111101111011110000000000011110111100000000000",
	/* UDP */
	"11110111101111011110111100000011110000001111011110000000000011110000000000000000",
};

TEST(test_every_pair_is_answered_as_by_linux)
{
	static const uint32_t addrs[5][2] = {
		{ 0, 0 }, { LOOP, 0 }, { 0, LOOP }, { LOOP, LOOP }, { LOOP, LOOP + 1 },
	};

	for (int i = 0; i < 3 * 80; i++) {
		int kind = i / 80, o1 = i / 20 % 4, o2 = i / 5 % 4;
		int err = second_bind(kind == 2 ? SOCK_DGRAM : SOCK_STREAM, kind == 1 ? TCP_LISTEN : TCP_CLOSE,
				      o1, addrs[i % 5][0], o2, addrs[i % 5][1]);

		CHECK_MSG(err == (linux_says[kind][i % 80] == '1' ? -EADDRINUSE : 0),
			  "kind %d, options %d and %d, addresses %d: %d", kind, o1, o2, i % 5, err);
	}
}

TEST(test_tcp_plain_conflicts_follow_the_addresses)
{
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, 0, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, OWN, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, 0, PLAIN, OWN), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, OWN, PLAIN, OWN), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, OWN, PLAIN, LOOP), 0);
}

TEST(test_tcp_reuseaddr_needs_both_and_no_listener)
{
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, ADDR, 0, ADDR, 0), 0);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, PLAIN, 0, ADDR, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_CLOSE, ADDR, 0, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, ADDR, 0, ADDR, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, ADDR, OWN, ADDR, LOOP), 0);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_ESTABLISHED, ADDR, 0, ADDR, 0), 0);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_TIME_WAIT, ADDR, 0, ADDR, 0), 0);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_TIME_WAIT, PLAIN, 0, ADDR, 0), -EADDRINUSE);
}

TEST(test_tcp_reuseport_needs_both_and_allows_listeners)
{
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, PORT, 0, PORT, 0), 0);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, PORT, 0, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, PORT | ADDR, 0, ADDR, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_STREAM, TCP_LISTEN, PORT | ADDR, 0, PORT, 0), 0);
}

TEST(test_udp_conflicts)
{
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, PLAIN, 0, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, PLAIN, OWN, PLAIN, LOOP), 0);
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, ADDR, 0, ADDR, 0), 0);
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, ADDR, 0, PLAIN, 0), -EADDRINUSE);
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, PORT, 0, PORT, 0), 0);
	CHECK_EQ(second_bind(SOCK_DGRAM, TCP_CLOSE, PORT, 0, ADDR, 0), -EADDRINUSE);
}

TEST(test_protocols_do_not_meet)
{
	struct host h = up();
	struct socket *t = make(&h, SOCK_STREAM, PLAIN), *u = make(&h, SOCK_DGRAM, PLAIN);

	CHECK_EQ(bind4(t, 0, 8000), 0);
	CHECK_EQ(bind4(u, 0, 8000), 0);
	sock_release(t);
	sock_release(u);
	sock_host_down(&h);
}

TEST(test_different_devices_do_not_meet)
{
	struct host h = up();
	struct socket *a = make(&h, SOCK_STREAM, PLAIN), *b = make(&h, SOCK_STREAM, PLAIN);
	struct socket *c = make(&h, SOCK_STREAM, PLAIN);

	CHECK_EQ(sock_setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
	CHECK_EQ(sock_setsockopt(b, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	CHECK_EQ(bind4(a, 0, 8000), 0);
	CHECK_EQ(bind4(b, 0, 8000), 0);
	CHECK_EQ(bind4(c, 0, 8000), -EADDRINUSE);
	sock_release(a);
	sock_release(b);
	sock_release(c);
	sock_host_down(&h);
}

TEST(test_released_port_is_free_again)
{
	struct host h = up();
	struct socket *a = make(&h, SOCK_STREAM, PLAIN), *b = make(&h, SOCK_STREAM, PLAIN);

	CHECK_EQ(bind4(a, 0, 8000), 0);
	sock_release(a);
	CHECK_EQ(bind4(b, 0, 8000), 0);
	CHECK_EQ(bind4(b, 0, 8001), -EINVAL);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_second_check_finds_the_listener)
{
	struct host h = up();
	struct socket *a = make(&h, SOCK_STREAM, ADDR), *b = make(&h, SOCK_STREAM, ADDR);

	CHECK_EQ(bind4(a, 0, 8000), 0);
	CHECK_EQ(bind4(b, 0, 8000), 0);
	a->sk->state = TCP_LISTEN;
	CHECK_EQ(inet_get_port(a->sk, 8000), 0);
	b->sk->state = TCP_LISTEN;
	CHECK_EQ(inet_get_port(b->sk, 8000), -EADDRINUSE);
	a->sk->state = TCP_CLOSE;
	b->sk->state = TCP_CLOSE;
	sock_release(a);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_ephemeral_ports_are_in_range_distinct_and_end)
{
	enum { RANGE = 60999 - 32768 + 1 };
	static struct socket *s[RANGE];
	static bool taken[65536];
	struct host h = up();
	struct socket *more = make(&h, SOCK_STREAM, ADDR | PORT);
	unsigned int ascending = 0;

	for (int i = 0; i < RANGE; i++) {
		s[i] = make(&h, SOCK_STREAM, ADDR | PORT);
		CHECK_EQ(bind4(s[i], 0, 0), 0);
		CHECK(!taken[port4(s[i])]);
		taken[port4(s[i])] = true;
		CHECK_GE(port4(s[i]), 32768);
		CHECK_LE(port4(s[i]), 60999);
		if (i > 0 && port4(s[i]) == port4(s[i - 1]) + 1)
			ascending++;
	}
	CHECK_LT(ascending, 100); /* not one after the other */
	CHECK_EQ(bind4(more, 0, 0), -EADDRINUSE);
	sock_release(s[77]);
	CHECK_EQ(bind4(more, 0, 0), 0);
	s[77] = more;
	for (int i = 0; i < RANGE; i++)
		sock_release(s[i]);
	sock_host_down(&h);
}

TEST(test_udp_autobind_says_eagain_when_all_are_taken)
{
	enum { RANGE = 60999 - 32768 + 1 };
	static struct socket *s[RANGE];
	struct host h = up();
	struct socket *more = make(&h, SOCK_DGRAM, PLAIN);

	for (int i = 0; i < RANGE; i++) {
		s[i] = make(&h, SOCK_DGRAM, PLAIN);
		CHECK_EQ(bind4(s[i], 0, 0), 0);
	}
	CHECK_EQ(send_to(more, "x", 1, PEER, 9), -EAGAIN);
	CHECK_EQ(connect4(more, PEER, 9), -EAGAIN);
	for (int i = 0; i < RANGE; i++)
		sock_release(s[i]);
	sock_release(more);
	sock_host_down(&h);
}

/* --- outgoing connections --- */

static int free_tuple(struct inet_sock *inet, uint16_t port)
{
	struct inet_addr daddr = inet->daddr, saddr = inet->saddr;

	return inet_lookup_established(inet->sk.net, IPPROTO_TCP, &daddr, inet->dport, &saddr,
				       cpu_to_be16(port), 0) ? -EADDRNOTAVAIL : 0;
}

static struct socket *connecting(struct host *h, uint32_t peer, uint16_t port)
{
	struct socket *s = make(h, SOCK_STREAM, PLAIN);
	struct inet_sock *inet = inet_sk(s->sk);

	inet->saddr = ip4(OWN);
	inet->rcv_saddr = ip4(OWN);
	inet->daddr = ip4(peer);
	inet->dport = cpu_to_be16(port);
	return s;
}

TEST(test_connection_ports_follow_each_other_per_peer)
{
	struct host h = up();
	struct socket *s[10], *other = connecting(&h, FAR, 443);

	for (int i = 0; i < 10; i++) {
		s[i] = connecting(&h, PEER, 80);
		CHECK_EQ(inet_hash_connect(inet_sk(s[i]->sk), free_tuple), 0);
		inet_ehash_insert(inet_sk(s[i]->sk));
		CHECK_EQ(be16toh(inet_sk(s[i]->sk)->sport), port4(s[i]));
	}
	for (int i = 1; i < 10; i++)
		CHECK_EQ(port4(s[i]), 32768 + (port4(s[i - 1]) - 32768 + 1) % 28232);
	CHECK_EQ(inet_hash_connect(inet_sk(other->sk), free_tuple), 0);
	for (int i = 0; i < 10; i++) {
		inet_ehash_remove(inet_sk(s[i]->sk));
		sock_release(s[i]);
	}
	sock_release(other);
	sock_host_down(&h);
}

/* Says yes to one port only. */
static uint16_t wanted_port;
static int only_wanted(struct inet_sock *inet, uint16_t port)
{
	(void)inet;
	return port == wanted_port ? 0 : -EADDRNOTAVAIL;
}

static int none(struct inet_sock *inet, uint16_t port)
{
	(void)inet;
	(void)port;
	return -EADDRNOTAVAIL;
}

TEST(test_connection_tries_the_whole_range)
{
	struct host h = up();
	struct socket *s = connecting(&h, PEER, 80), *t = connecting(&h, PEER, 80), *b;

	wanted_port = 60999;
	CHECK_EQ(inet_hash_connect(inet_sk(s->sk), only_wanted), 0);
	CHECK_EQ(port4(s), 60999);
	CHECK_EQ(inet_hash_connect(inet_sk(t->sk), none), -EADDRNOTAVAIL);
	CHECK_EQ(port4(t), 0);
	CHECK_EQ(inet_hash_connect(inet_sk(t->sk), only_wanted), 0); /* shared with a connection */
	sock_release(t);
	sock_release(s);
	b = make(&h, SOCK_STREAM, PLAIN);
	CHECK_EQ(bind4(b, 0, 60999), 0);
	t = connecting(&h, PEER, 80);
	CHECK_EQ(inet_hash_connect(inet_sk(t->sk), only_wanted), -EADDRNOTAVAIL); /* bind()'s own */
	sock_release(b);
	sock_release(t);
	sock_host_down(&h);
}

TEST(test_bound_connection_keeps_its_port)
{
	struct host h = up();
	struct socket *s = connecting(&h, PEER, 80);

	CHECK_EQ(inet_get_port(s->sk, 4000), 0);
	wanted_port = 4000;
	CHECK_EQ(inet_hash_connect(inet_sk(s->sk), only_wanted), 0);
	CHECK_EQ(inet_hash_connect(inet_sk(s->sk), none), -EADDRNOTAVAIL);
	CHECK_EQ(port4(s), 4000);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_child_keeps_the_port_when_the_listener_goes)
{
	struct host h = up();
	struct socket *l = make(&h, SOCK_STREAM, PLAIN), *c = make(&h, SOCK_STREAM, PLAIN);
	struct socket *n = make(&h, SOCK_STREAM, PLAIN);

	CHECK_EQ(bind4(l, 0, 8000), 0);
	inet_inherit_port(inet_sk(c->sk), inet_sk(l->sk));
	CHECK_EQ(port4(c), 8000);
	sock_release(l);
	CHECK_EQ(bind4(n, 0, 8000), -EADDRINUSE);
	sock_release(c);
	CHECK_EQ(bind4(n, 0, 8000), 0);
	sock_release(n);
	sock_host_down(&h);
}
