/* SPDX-License-Identifier: MIT */
/* struct sock: references, accounting, errors, SOL_SOCKET as man 7 socket has it. */
#include <limits.h>
#include <sys/time.h>

#include "tests/unit/sock_fixture.h"

TEST(test_defaults)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(get_int(s, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 212992);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVBUF), 212992);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVLOWAT), 1);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDLOWAT), 1);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PRIORITY), 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_cookies_are_unique_and_walk_is_complete)
{
	struct host h = sock_host_up();
	struct socket *a = udp_socket(&h), *b = udp_socket(&h);
	uint64_t cookie = 0, first;
	socklen_t len = sizeof(cookie);

	CHECK_EQ(sock_getsockopt(a, SOL_SOCKET, 57, &cookie, &len), 0);
	CHECK_EQ(cookie, a->sk->cookie);
	CHECK_NE(a->sk->cookie, b->sk->cookie);
	len = 7;
	CHECK_EQ(sock_getsockopt(a, SOL_SOCKET, 57, &cookie, &len), -EINVAL);
	CHECK(sock_next(h.net, NULL) == a->sk);
	CHECK(sock_next(h.net, a->sk) == b->sk);
	CHECK(sock_next(h.net, b->sk) == NULL);
	first = a->sk->cookie;
	sock_release(a);
	a = udp_socket(&h);
	CHECK_NE(a->sk->cookie, first);
	sock_release(a);
	sock_release(b);
	sock_host_down(&h);
}

TEST(test_flags_set_and_cleared)
{
	static const int names[] = { SO_REUSEADDR, SO_REUSEPORT, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE,
				     SO_OOBINLINE, SO_NO_CHECK };
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQ(get_int(s, SOL_SOCKET, names[i]), 0);
		CHECK_EQ(set_int(s, SOL_SOCKET, names[i], 42), 0);
		CHECK_EQ(get_int(s, SOL_SOCKET, names[i]), 1);
		CHECK_EQ(set_int(s, SOL_SOCKET, names[i], 0), 0);
		CHECK_EQ(get_int(s, SOL_SOCKET, names[i]), 0);
		CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, names[i], "abc", 3), -EINVAL);
	}
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_buffer_sizes_double_and_are_bounded)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUF, 10000), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 20000);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUF, 0), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 4608);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUF, 1 << 30), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 425984);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUF, -1), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 425984);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 1), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVBUF), 2304);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUF, 300000), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVBUF), 425984);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVBUFFORCE, 300000), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVBUF), 600000);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUFFORCE, INT_MAX), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), INT_MAX - 1);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_SNDBUFFORCE, -5), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_SNDBUF), 4608);
	CHECK(sock_flag(s->sk, SOCK_SNDBUF_LOCK));
	CHECK(sock_flag(s->sk, SOCK_RCVBUF_LOCK));
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_linger)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct linger l = { 1, 7 };
	socklen_t len = sizeof(l);

	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 4), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	memset(&l, 0, sizeof(l));
	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &len), 0);
	CHECK_EQ(len, sizeof(l));
	CHECK_EQ(l.l_onoff, 1);
	CHECK_EQ(l.l_linger, 7);
	l.l_onoff = 0;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	CHECK(!sock_flag(s->sk, SOCK_LINGER));
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_timeouts)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct timeval tv = { 3, 250000 };
	socklen_t len = sizeof(tv);

	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_EQ(s->sk->rcvtimeo_us, 3250000);
	memset(&tv, 0, sizeof(tv));
	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &len), 0);
	CHECK_EQ(tv.tv_sec, 3);
	CHECK_EQ(tv.tv_usec, 250000);
	tv.tv_usec = 1000000;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), -EDOM);
	tv.tv_usec = -1;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), -EDOM);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, 8), -EINVAL);
	tv.tv_usec = 0;
	tv.tv_sec = -1;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_EQ(s->sk->rcvtimeo_us, 0);
	tv.tv_sec = LONG_MAX;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_EQ(s->sk->rcvtimeo_us, 0);
	tv.tv_sec = 5;
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, 66, &tv, sizeof(tv)), 0); /* SO_RCVTIMEO_NEW */
	CHECK_EQ(s->sk->rcvtimeo_us, 5000000);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_unknown_options_are_refused)
{
	static const int names[] = { 9999, 0, -1, SO_PEEK_OFF, SO_ZEROCOPY, SO_ATTACH_BPF, SO_TXTIME,
				     SO_BUSY_POLL, SO_TIMESTAMPING, SO_DEBUG, SO_PASSCRED, SO_PEERCRED };
	static const int read_only[] = { SO_TYPE, SO_ERROR, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL, SO_SNDLOWAT };
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint8_t big[64] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, names[i], big, sizeof(big)), -ENOPROTOOPT);
		CHECK_EQ(get_int(s, SOL_SOCKET, names[i]), -ENOPROTOOPT);
	}
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++)
		CHECK_EQ(set_int(s, SOL_SOCKET, read_only[i], 1), -ENOPROTOOPT);
	CHECK_EQ(set_int(s, 4711, 1, 1), -ENOPROTOOPT);
	CHECK_EQ(get_int(s, 4711, 1), -EOPNOTSUPP);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, big, (socklen_t)-1), -EINVAL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_bind_to_device_by_name_and_index)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	char name[IFNAMSIZ];
	socklen_t len = sizeof(name);

	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	CHECK_EQ(len, 0);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nope", 4), -ENODEV);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 4), 0);
	len = sizeof(name);
	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	CHECK_STR(name, "eth0");
	CHECK_EQ(len, 5);
	len = 5;
	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len), -EINVAL);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	CHECK_EQ(s->sk->bound_dev_if, 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, 62, h.eth->ifindex), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, 62), h.eth->ifindex);
	CHECK_EQ(set_int(s, SOL_SOCKET, 62, -1), -EINVAL);
	CHECK_EQ(set_int(s, SOL_SOCKET, 62, 99), 0); /* need not exist, as on Linux */
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_timestamp_options_exclude_each_other)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_TIMESTAMP, 1), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_TIMESTAMP), 1);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_TIMESTAMPNS), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, 64, 1), 0); /* SO_TIMESTAMPNS_NEW */
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_TIMESTAMP), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, 64), 1);
	CHECK_EQ(set_int(s, SOL_SOCKET, 64, 0), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, 64), 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_priority_mark_lowat)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(set_int(s, SOL_SOCKET, SO_PRIORITY, 6), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_PRIORITY), 6);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_PRIORITY, 7), -EPERM);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_PRIORITY, -1), -EPERM);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_MARK, 17), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_MARK), 17);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVLOWAT, 0), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVLOWAT), 1);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_RCVLOWAT, -1), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_RCVLOWAT), INT_MAX);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_short_answers)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	uint8_t v[4] = { 0xee, 0xee, 0xee, 0xee };
	socklen_t len = 1;

	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_TYPE, v, &len), 0);
	CHECK_EQ(len, 1);
	CHECK_EQ(v[0], SOCK_DGRAM);
	CHECK_EQ(v[1], 0xee);
	len = 0;
	CHECK_EQ(sock_getsockopt(s, SOL_SOCKET, SO_TYPE, v, &len), 0);
	CHECK_EQ(len, 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_errors_are_told_once_soft_ones_last)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	unsigned int wakes = 0;

	s->user = &wakes;
	s->wake = count_wake;
	sk_set_err(s->sk, ECONNREFUSED);
	s->sk->err_soft = EHOSTUNREACH;
	CHECK_EQ(wakes, 1);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(sock_error(s->sk), 0);
	sk_set_err(s->sk, EPIPE);
	CHECK_EQ(sock_error(s->sk), -EPIPE);
	CHECK_EQ(sock_error(s->sk), 0);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_owners_are_charged_and_released)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct sk_buff *a = alloc_skb(h.net, 100), *b = alloc_skb(h.net, 100);
	struct sock *sk = s->sk;

	skb_set_owner_w(a, sk);
	CHECK_EQ(sk->wmem_alloc, a->truesize);
	CHECK_EQ(sk->refs, 2);
	skb_set_owner_r(a, sk); /* as over loopback: first released, then charged to the receiver */
	CHECK_EQ(sk->wmem_alloc, 0);
	CHECK_EQ(sk->rmem_alloc, a->truesize);
	CHECK_EQ(sk->refs, 1);
	skb_orphan(a);
	skb_orphan(a);
	CHECK_EQ(sk->rmem_alloc, 0);
	CHECK(a->sk == NULL);
	skb_set_owner_w(b, sk);
	skb_consume(b);
	CHECK_EQ(sk->wmem_alloc, 0);
	CHECK_EQ(sk->refs, 1);
	skb_consume(a);
	sock_release(s);
	sock_host_down(&h);
}
