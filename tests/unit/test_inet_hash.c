/* SPDX-License-Identifier: MIT */
/* Finding sockets: exact 4-tuples, Linux's score among bound ones, groups, growth. */
#include "tests/unit/sock_fixture.h"

static struct inet_sock *find(struct host *h, uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport,
			      int iif)
{
	struct inet_addr s = ip4(saddr), d = ip4(daddr);

	return inet_lookup_listener(h->net, IPPROTO_UDP, &s, cpu_to_be16(sport), &d, cpu_to_be16(dport), iif);
}

static struct inet_sock *find_connection(struct host *h, uint32_t saddr, uint16_t sport, uint32_t daddr,
					 uint16_t dport)
{
	struct inet_addr s = ip4(saddr), d = ip4(daddr);

	return inet_lookup_established(h->net, IPPROTO_UDP, &s, cpu_to_be16(sport), &d, cpu_to_be16(dport), 1);
}

static struct socket *bound(struct host *h, uint32_t addr, uint16_t port)
{
	struct socket *s = udp_socket(h);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	CHECK_EQ(bind4(s, addr, port), 0);
	return s;
}

TEST(test_score_address_before_peer_before_device_before_wildcard)
{
	struct host h = sock_host_up();
	struct socket *any = bound(&h, 0, 5000), *dev = bound(&h, 0, 5000), *peer = bound(&h, 0, 5000);
	struct socket *addr = bound(&h, OWN, 5000);
	int eth = h.eth->ifindex;

	CHECK_EQ(sock_setsockopt(dev, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
	CHECK_EQ(connect4(peer, LOOP, 53), 0); /* bound to 127.0.0.1 by that */
	CHECK(find(&h, PEER, 53, OWN, 5000, eth) == inet_sk(addr->sk));
	sock_release(addr);
	CHECK(find(&h, PEER, 53, OWN, 5000, eth) == inet_sk(dev->sk));
	CHECK(find(&h, PEER, 53, OWN, 5000, eth + 1) == inet_sk(any->sk));
	CHECK(find(&h, LOOP, 53, LOOP, 5000, 1) == inet_sk(peer->sk));
	CHECK(find(&h, LOOP, 54, LOOP, 5000, 1) == inet_sk(any->sk));
	CHECK(find(&h, PEER, 53, OWN, 5001, eth) == NULL);
	sock_release(dev);
	sock_release(any);
	CHECK(find(&h, PEER, 53, OWN, 5000, eth) == NULL);
	sock_release(peer);
	sock_host_down(&h);
}

TEST(test_latest_of_equals_wins)
{
	struct host h = sock_host_up();
	struct socket *a = bound(&h, 0, 5000), *b = bound(&h, 0, 5000);

	CHECK(find(&h, PEER, 53, OWN, 5000, 1) == inet_sk(b->sk));
	sock_release(b);
	CHECK(find(&h, PEER, 53, OWN, 5000, 1) == inet_sk(a->sk));
	sock_release(a);
	sock_host_down(&h);
}

TEST(test_reuseport_group_spreads_and_stays)
{
	enum { MEMBERS = 4 };
	struct host h = sock_host_up();
	struct socket *s[MEMBERS];
	unsigned int hits[MEMBERS] = { 0 };

	for (int i = 0; i < MEMBERS; i++) {
		s[i] = udp_socket(&h);
		CHECK_EQ(set_int(s[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		CHECK_EQ(bind4(s[i], 0, 5000), 0);
	}
	for (uint16_t port = 1; port <= 1000; port++) {
		struct inet_sock *found = find(&h, PEER, port, OWN, 5000, 1);

		CHECK(found != NULL);
		CHECK(find(&h, PEER, port, OWN, 5000, 1) == found);
		for (int i = 0; i < MEMBERS; i++)
			hits[i] += found == inet_sk(s[i]->sk);
	}
	for (int i = 0; i < MEMBERS; i++) {
		CHECK_GT(hits[i], 150);
		CHECK_LT(hits[i], 350);
	}
	for (int i = 0; i < MEMBERS; i++)
		sock_release(s[i]);
	sock_host_down(&h);
}

TEST(test_walk_by_port)
{
	struct host h = sock_host_up();
	struct socket *a = bound(&h, 0, 5000), *b = bound(&h, 0, 5000), *c = bound(&h, 0, 5001);
	struct inet_sock *i = inet_listen_next(h.net, IPPROTO_UDP, 5000, NULL);

	CHECK(i == inet_sk(b->sk));
	i = inet_listen_next(h.net, IPPROTO_UDP, 5000, i);
	CHECK(i == inet_sk(a->sk));
	CHECK(inet_listen_next(h.net, IPPROTO_UDP, 5000, i) == NULL);
	CHECK(inet_listen_next(h.net, IPPROTO_TCP, 5000, NULL) == NULL);
	sock_release(a);
	sock_release(b);
	sock_release(c);
	sock_host_down(&h);
}

TEST(test_established_is_exact_and_grows)
{
	enum { COUNT = 5000 };
	static struct socket *s[COUNT];
	struct host h = sock_host_up();

	for (int i = 0; i < COUNT; i++) {
		struct inet_sock *inet;

		s[i] = udp_socket(&h);
		inet = inet_sk(s[i]->sk);
		inet->rcv_saddr = ip4(OWN);
		inet->daddr = ip4(PEER);
		inet->num = 80;
		inet->dport = cpu_to_be16((uint16_t)(1000 + i));
		inet_ehash_insert(inet);
		inet_ehash_insert(inet); /* twice does no harm */
	}
	for (int i = 0; i < COUNT; i++)
		CHECK(find_connection(&h, PEER, (uint16_t)(1000 + i), OWN, 80) == inet_sk(s[i]->sk));
	CHECK(find_connection(&h, PEER, 1000, OWN, 81) == NULL);
	CHECK(find_connection(&h, PEER, 999, OWN, 80) == NULL);
	CHECK(find_connection(&h, FAR, 1000, OWN, 80) == NULL);
	CHECK(find_connection(&h, PEER, 1000, LOOP, 80) == NULL);
	for (int i = 0; i < COUNT; i++) {
		inet_ehash_remove(inet_sk(s[i]->sk));
		inet_ehash_remove(inet_sk(s[i]->sk));
		inet_sk(s[i]->sk)->num = 0;
		sock_release(s[i]);
	}
	CHECK(find_connection(&h, PEER, 1000, OWN, 80) == NULL);
	sock_host_down(&h);
}

TEST(test_many_ports_are_found_after_growth)
{
	enum { COUNT = 1000 };
	static struct socket *s[COUNT];
	struct host h = sock_host_up();

	for (int i = 0; i < COUNT; i++)
		s[i] = bound(&h, 0, (uint16_t)(2000 + i));
	for (int i = 0; i < COUNT; i++)
		CHECK(find(&h, PEER, 53, OWN, (uint16_t)(2000 + i), 1) == inet_sk(s[i]->sk));
	for (int i = 0; i < COUNT; i++)
		sock_release(s[i]);
	sock_host_down(&h);
}
