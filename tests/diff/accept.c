/* SPDX-License-Identifier: MIT */
/* accept() and accept4(): flags, addresses, inheritance, limits, processes. */
#include "tests/diff/diff.h"

#include <sys/resource.h>

static void flags(void)
{
	static const struct {
		const char *name;
		int flags;
	} kinds[] = {
		{ "0", 0 }, { "NONBLOCK", SOCK_NONBLOCK }, { "CLOEXEC", SOCK_CLOEXEC },
		{ "both", SOCK_NONBLOCK | SOCK_CLOEXEC }, { "unknown", 4 },
	};
	struct sockaddr_in a = at("127.0.0.1", 5801);
	int l = tcp_listener(5801), c[5], s;
	char label[64];

	topic("flags");
	for (int i = 0; i < 5; i++) {
		c[i] = tcp_socket();
		connect(c[i], SA(&a));
		s = (int)CALL(kinds[i].name, accept4(l, NULL, NULL, kinds[i].flags));
		snprintf(label, sizeof(label), "%s, F_GETFL", kinds[i].name);
		CALL(label, fcntl(s, F_GETFL));
		snprintf(label, sizeof(label), "%s, F_GETFD", kinds[i].name);
		CALL(label, fcntl(s, F_GETFD));
		close(s);
	}
	nonblocking(l, true);
	while ((s = accept(l, NULL, NULL)) >= 0)
		close(s);
	CALL("of nothing", accept(l, NULL, NULL));
	CALL("accept4 of nothing", accept4(l, NULL, NULL, SOCK_CLOEXEC));
	connect(tcp_socket(), SA(&a));
	await(l, POLLIN);
	CALL("of a non-blocking listener", s = accept(l, NULL, NULL));
	CALL("its flags", fcntl(s, F_GETFL));
	close(l);
}

static void addresses(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5802), who;
	int l = tcp_listener(5802), c, s;
	struct sockaddr_storage ss;
	socklen_t len;

	topic("addresses");
	c = tcp_socket();
	connect(c, SA(&a));
	len = sizeof(who);
	s = accept(l, (struct sockaddr *)&who, &len);
	say("address", "%s", addr_text(&who, len));
	close(s);
	close(c);
	c = tcp_socket();
	connect(c, SA(&a));
	len = sizeof(ss);
	s = accept(l, (struct sockaddr *)&ss, &len);
	say("length told of much room", "%u", (unsigned int)len);
	close(s);
	close(c);
	c = tcp_socket();
	connect(c, SA(&a));
	len = 4;
	memset(&who, 0xee, sizeof(who));
	s = accept(l, (struct sockaddr *)&who, &len);
	say("length told of little room", "%u", (unsigned int)len);
	say("what lies behind", "%02x", ((unsigned char *)&who)[4]);
	close(s);
	close(c);
	c = tcp_socket();
	connect(c, SA(&a));
	len = 0;
	CALL("room of 0", s = accept(l, (struct sockaddr *)&who, &len));
	say("length told of no room", "%u", (unsigned int)len);
	close(s);
	close(c);
	c = tcp_socket();
	connect(c, SA(&a));
	len = 77;
	CALL("address without a place", s = accept(l, NULL, &len));
	say("length left alone", "%u", (unsigned int)len);
	close(s);
	close(c);
	close(l);
}

/* What an accepted socket takes over from its listener. */
static void inheritance(void)
{
	static const struct {
		const char *name;
		int level, option, value;
	} options[] = {
		{ "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 }, { "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 },
		{ "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 }, { "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3 },
		{ "SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 3 }, { "SO_MARK", SOL_SOCKET, SO_MARK, 7 },
		{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 }, { "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 99 },
		{ "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 4 }, { "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 999 },
		{ "IP_TTL", IPPROTO_IP, IP_TTL, 33 }, { "IP_TOS", IPPROTO_IP, IP_TOS, 16 },
		{ "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 30000 }, { "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 40000 },
		{ "SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, 1 }, { "SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, 1 },
	};
	struct sockaddr_in a = at("127.0.0.1", 5803);
	struct linger in = { 1, 5 }, out = { 0, 0 };
	struct timeval tv = { 3, 0 }, got = { 0, 0 };
	socklen_t len = sizeof(out);
	int l = tcp_listener(5803), c, s;

	topic("inheritance");
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(l, options[i].level, options[i].option, &options[i].value, sizeof(int));
	setsockopt(l, SOL_SOCKET, SO_LINGER, &in, sizeof(in));
	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(l, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	c = tcp_socket();
	connect(c, SA(&a));
	s = accept(l, NULL, NULL);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		say_option(options[i].name, s, options[i].level, options[i].option);
	CALL("SO_LINGER", getsockopt(s, SOL_SOCKET, SO_LINGER, &out, &len));
	say("its value", "%d %d", out.l_onoff, out.l_linger);
	len = sizeof(got);
	CALL("SO_RCVTIMEO", getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	say("time to receive", "%ld", (long)got.tv_sec);
	len = sizeof(got);
	getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &got, &len);
	say("time to send", "%ld", (long)got.tv_sec);
	out.l_onoff = 0;
	setsockopt(s, SOL_SOCKET, SO_LINGER, &out, sizeof(out));
	close(c);
	close(s);
	close(l);
}

/* No number is free: the connection waits. */
static void no_number(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5804);
	struct rlimit old, few;
	int l = tcp_listener(5804), c = tcp_socket(), s;

	topic("no number");
	connect(c, SA(&a));
	await(l, POLLIN);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)c + 1;
	setrlimit(RLIMIT_NOFILE, &few);
	CALL("accept", accept(l, NULL, NULL));
	CALL("socket", socket(AF_INET, SOCK_STREAM, 0));
	CALL("dup", dup(c));
	say_poll("poll", l, POLLIN);
	setrlimit(RLIMIT_NOFILE, &old);
	CALL("accept then", s = accept(l, NULL, NULL));
	CALL("send", send(c, "x", 1, 0));
	await(s, POLLIN);
	CALL("recv", recv(s, &(char){ 0 }, 1, 0));
	close(s);
	close(c);
	close(l);
}

static void take_one(void *arg)
{
	int l = *(int *)arg, s = accept(l, NULL, NULL);

	if (s >= 0)
		send(s, "child", 5, 0);
}

/* The child accepts what the parent listens for. */
static void in_a_child(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5805);
	int l = tcp_listener(5805), c = tcp_socket();
	char buf[16];

	topic("in a child");
	connect(c, SA(&a));
	CALL("child", in_child(take_one, &l));
	DATA("recv", recv(c, buf, sizeof(buf), 0), buf);
	CALL("recv then", recv(c, buf, sizeof(buf), 0));
	close(c);
	close(l);
}

void run(void)
{
	flags();
	addresses();
	inheritance();
	no_number();
	in_a_child();
}
