/* SPDX-License-Identifier: MIT */
/* The BSD layer: what is checked before any family, creation, release. */
#include <limits.h>

#include "tests/unit/sock_fixture.h"

static int create(struct host *h, int family, int type, int protocol)
{
	struct socket *s = NULL;
	int err = sock_create(h->net, family, type, protocol, &s);

	CHECK_EQ(err == 0, s != NULL);
	if (s)
		sock_release(s);
	return err;
}

TEST(test_create_errors_are_linux_s)
{
	struct host h = sock_host_up();

	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, 0), 0);
	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, IPPROTO_UDP), 0);
	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, IPPROTO_ICMP), 0);
	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT);
	CHECK_EQ(create(&h, AF_INET, SOCK_RAW, IPPROTO_ICMP), 0);
	CHECK_EQ(create(&h, AF_INET, SOCK_RAW, 255), 0);
	CHECK_EQ(create(&h, AF_INET, SOCK_RAW, 0), -EPROTONOSUPPORT);
	CHECK_EQ(create(&h, AF_INET, SOCK_RAW, 256), -EPROTONOSUPPORT);
	CHECK_EQ(create(&h, AF_INET, SOCK_RAW, 262), -EPROTONOSUPPORT);
	CHECK_EQ(create(&h, AF_INET, SOCK_SEQPACKET, 0), -ESOCKTNOSUPPORT);
	CHECK_EQ(create(&h, AF_INET, SOCK_STREAM, 0), -ESOCKTNOSUPPORT); /* no TCP in this net */
	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, -1), -EINVAL);
	CHECK_EQ(create(&h, AF_INET, SOCK_DGRAM, 263), -EINVAL);
	CHECK_EQ(create(&h, AF_INET, 11, 0), -EINVAL);
	CHECK_EQ(create(&h, AF_INET, 0x1000 | SOCK_DGRAM, 0), -EINVAL);
	CHECK_EQ(create(&h, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
	CHECK_EQ(create(&h, AF_INET6, SOCK_DGRAM, 0), -EAFNOSUPPORT);
	CHECK_EQ(create(&h, -1, SOCK_DGRAM, 0), -EAFNOSUPPORT);
	CHECK_EQ(create(&h, 999, SOCK_DGRAM, 0), -EAFNOSUPPORT);
	sock_host_down(&h);
}

TEST(test_datagram_sockets_refuse_stream_calls)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h), *child = NULL;
	int v;

	CHECK_EQ(sock_listen(s, 5), -EOPNOTSUPP);
	CHECK_EQ(sock_accept(s, &child), -EOPNOTSUPP);
	CHECK(child == NULL);
	CHECK_EQ(sock_read(s, NULL, NULL), -EOPNOTSUPP);
	CHECK_EQ(sock_ioctl(s, 0x1234, &v), -ENOTTY);
	CHECK_EQ(sock_shutdown(s, 3), -EINVAL);
	CHECK_EQ(sock_shutdown(s, -1), -EINVAL);
	CHECK_EQ(sock_shutdown(s, INT_MAX), -EINVAL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_addresses_of_impossible_length)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct sockaddr_storage ss;
	struct stack_msg msg = { .name = &ss, .namelen = sizeof(ss) + 1 };

	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_INET;
	for (socklen_t len = 0; len < sizeof(struct sockaddr_in); len++) {
		CHECK_EQ(sock_bind(s, (struct sockaddr *)&ss, len), -EINVAL);
		CHECK_EQ(sock_connect(s, (struct sockaddr *)&ss, len), -EINVAL);
	}
	CHECK_EQ(sock_bind(s, (struct sockaddr *)&ss, sizeof(ss) + 1), -EINVAL);
	CHECK_EQ(sock_connect(s, (struct sockaddr *)&ss, sizeof(ss) + 1), -EINVAL);
	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	sock_release(s);
	s = udp_socket(&h); /* connect() gave the other one a port before it looked at the length */
	CHECK_EQ(sock_bind(s, (struct sockaddr *)&ss, sizeof(ss)), 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_vectors_of_impossible_length)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct iovec iov[2] = { { NULL, SIZE_MAX / 2 }, { NULL, SIZE_MAX / 2 } };
	struct stack_msg msg = { .iov = iov, .iovcnt = 2 };

	CHECK_EQ(sock_sendmsg(s, &msg), -EINVAL);
	CHECK_EQ(sock_recvmsg(s, &msg), -EINVAL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_scattered_send_and_receive)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	char a[4] = "", b[8] = "";
	struct iovec out[3] = { { (void *)(uintptr_t)"ab", 2 }, { NULL, 0 }, { (void *)(uintptr_t)"cdef", 4 } };
	struct iovec in[3] = { { a, 3 }, { NULL, 0 }, { b, 7 } };
	struct stack_msg msg = { .iov = out, .iovcnt = 3 };

	CHECK_EQ(bind4(s, LOOP, 7000), 0);
	CHECK_EQ(connect4(s, LOOP, 7000), 0); /* to itself */
	CHECK_EQ(sock_sendmsg(s, &msg), 6);
	fake_settle(h.net);
	msg.iov = in;
	CHECK_EQ(sock_recvmsg(s, &msg), 6);
	CHECK_STR(a, "abc");
	CHECK_STR(b, "def");
	CHECK_EQ(msg.namelen, 0); /* no name wanted, none told */
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_no_wake_after_release)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	unsigned int wakes = 0;

	CHECK_EQ(bind4(s, 0, 7000), 0);
	s->user = &wakes;
	s->wake = count_wake;
	inject_udp(&h, PEER, 1, OWN, 7000, "x");
	CHECK_EQ(wakes, 1);
	fake_dev_priv(h.eth)->accept = 0;
	CHECK_EQ(send_to(s, "x", 1, PEER, 9), 1);
	sock_release(s);
	fake_dev_priv(h.eth)->accept = UINT32_MAX;
	netif_wake_queue(h.eth);
	CHECK_EQ(wakes, 1);
	sock_host_down(&h);
}

/* Any level, name and length, in buffers whose ends the sanitizer watches: an answer, no crash. */
TEST(test_option_calls_survive_anything)
{
	static const int levels[] = { SOL_SOCKET, SOL_IP, SOL_RAW, 17, 6, 4711 };
	struct host h = sock_host_up();
	struct socket *s[3] = { udp_socket(&h), make_socket(&h, SOCK_RAW, IPPROTO_ICMP),
				make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP) };

	for (int round = 0; round < 60000; round++) {
		struct socket *any = s[random_below(&h.net->random, 3)];
		int level = levels[random_below(&h.net->random, ARRAY_SIZE(levels))];
		int name = (int)random_below(&h.net->random, 110) - 2;
		socklen_t len = random_below(&h.net->random, 40), room = len;
		uint8_t *val = malloc(len ? len : 1);
		int err;

		random_bytes(&h.net->random, val, len);
		if (random_below(&h.net->random, 2) && len >= 4)
			memset(val, 0, len); /* plausible values reach further */
		err = sock_setsockopt(any, level, name, val, len);
		CHECK(err <= 0 && err > -200);
		err = sock_getsockopt(any, level, name, val, &room);
		CHECK(err <= 0 && err > -200);
		CHECK_LE(room, len);
		free(val);
	}
	for (int i = 0; i < 3; i++)
		sock_release(s[i]);
	sock_host_down(&h);
}

/* An option that is not there fails and is counted by its name, as far as there is room. */
TEST(test_absent_options_are_counted)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const struct absent_option *a;
	int value = 1, name;
	socklen_t len = sizeof(value);

	CHECK(sock_absent_option(h.net, 0) == NULL);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_BROADCAST, &value, len), 0);
	CHECK(sock_absent_option(h.net, 0) == NULL);
	CHECK_EQ(sock_setsockopt(s, SOL_IP, 200, &value, len), -ENOPROTOOPT);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, 9999, &value, len), -ENOPROTOOPT);
	CHECK_EQ(sock_getsockopt(s, SOL_IP, 200, &value, &len), -ENOPROTOOPT);
	a = sock_absent_option(h.net, 0);
	CHECK(a && a->level == SOL_IP && a->name == 200 && a->count == 2);
	a = sock_absent_option(h.net, 1);
	CHECK(a && a->level == SOL_SOCKET && a->name == 9999 && a->count == 1);
	CHECK(sock_absent_option(h.net, 2) == NULL);
	for (name = 1000; name < 1100; name++)
		CHECK_EQ(sock_setsockopt(s, SOL_IP, name, &value, len), -ENOPROTOOPT);
	a = sock_absent_option(h.net, SOCK_ABSENT_MAX - 1);
	CHECK(a && a->level == -1 && a->name == -1 && a->count == 100 - (SOCK_ABSENT_MAX - 3));
	CHECK(sock_absent_option(h.net, SOCK_ABSENT_MAX) == NULL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_family_registry)
{
	struct host h = sock_host_up();
	static const struct net_proto_family inet_again = { .family = PF_INET };

	CHECK_EQ(sock_register(h.net, &inet_again), -EEXIST);
	sock_host_down(&h);
}
