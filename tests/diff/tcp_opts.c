/* SPDX-License-Identifier: MIT */
/* Options of a TCP socket: defaults, what can be set, what is refused. */
#include "tests/diff/diff.h"

struct option_name {
	const char *name;
	int level, option;
};

#define S(o) { #o, SOL_SOCKET, o }
#define I(o) { #o, IPPROTO_IP, o }
#define T(o) { #o, IPPROTO_TCP, o }
static const struct option_name ints[] = {
	S(SO_REUSEADDR), S(SO_REUSEPORT), S(SO_KEEPALIVE), S(SO_BROADCAST), S(SO_DONTROUTE), S(SO_OOBINLINE),
	S(SO_PRIORITY), S(SO_RCVLOWAT), S(SO_SNDLOWAT), S(SO_TYPE), S(SO_DOMAIN), S(SO_PROTOCOL), S(SO_ERROR),
	S(SO_ACCEPTCONN), S(SO_MARK), S(SO_TIMESTAMP), S(SO_TIMESTAMPNS), S(SO_NO_CHECK), S(SO_SNDBUF), S(SO_RCVBUF),
	
	I(IP_TOS), I(IP_TTL), I(IP_RECVTTL), I(IP_RECVTOS), I(IP_PKTINFO), I(IP_MTU_DISCOVER),
	I(IP_RECVERR), I(IP_FREEBIND), I(IP_MINTTL), I(IP_BIND_ADDRESS_NO_PORT), I(IP_MTU),
	I(IP_HDRINCL), I(IP_MULTICAST_TTL), I(IP_MULTICAST_LOOP),
	 I(IP_RECVORIGDSTADDR),
	T(TCP_NODELAY), T(TCP_MAXSEG), T(TCP_CORK), T(TCP_KEEPIDLE), T(TCP_KEEPINTVL), T(TCP_KEEPCNT), T(TCP_SYNCNT),
	T(TCP_LINGER2), T(TCP_DEFER_ACCEPT), T(TCP_WINDOW_CLAMP), T(TCP_QUICKACK), T(TCP_USER_TIMEOUT),
	 T(TCP_NOTSENT_LOWAT),
	 T(TCP_INQ), T(TCP_FASTOPEN), T(TCP_FASTOPEN_CONNECT), T(TCP_SAVE_SYN), T(TCP_THIN_LINEAR_TIMEOUTS),
	{ "SOL_SOCKET 9999", SOL_SOCKET, 9999 }, { "IPPROTO_IP 9999", IPPROTO_IP, 9999 },
	{ "IPPROTO_TCP 9999", IPPROTO_TCP, 9999 }, { "level UDP", IPPROTO_UDP, 1 }, { "level 77", 77, 1 },
	{ "level IPV6", IPPROTO_IPV6, 26 },
};

/* What Linux has and we have not, but say so. */
static const struct option_name missing[] = {
	S(SO_INCOMING_CPU), S(SO_BUSY_POLL), S(SO_RXQ_OVFL), S(SO_PASSCRED), S(SO_LOCK_FILTER), S(SO_PEEK_OFF),
	I(IP_OPTIONS), I(IP_TRANSPARENT), I(IP_CHECKSUM), I(IP_RECVOPTS), I(IP_ROUTER_ALERT), I(IP_UNICAST_IF),
	I(IP_PASSSEC), I(IP_MULTICAST_ALL),
	T(TCP_TX_DELAY),
};

/* Outside of repair mode, and of a protocol that is not there. */
static const struct option_name refused[] = {
	T(TCP_TIMESTAMP), T(TCP_REPAIR_QUEUE), T(TCP_QUEUE_SEQ), T(TCP_REPAIR_OPTIONS), T(TCP_REPAIR_WINDOW), T(TCP_ULP),
};

static void not_now(void)
{
	static const int one = 1;

	topic("refused");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		int fd = tcp_socket();

		CALL(refused[i].name, setsockopt(fd, refused[i].level, refused[i].option, &one, sizeof(one)));
		close(fd);
	}
}

static void not_there(void)
{
	static const int one = 1;

	topic("not there");
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		int fd = tcp_socket();

		CALL(missing[i].name, setsockopt(fd, missing[i].level, missing[i].option, &one, sizeof(one)));
		close(fd);
	}
}

static void defaults(void)
{
	int fd = tcp_socket();

	topic("default");
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
		say_option(ints[i].name, fd, ints[i].level, ints[i].option);
	close(fd);
}

static void set(void)
{
	static const int values[] = { 1, 0, -1, 5, 100000 };
	char label[64];

	topic("set");
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		int fd = tcp_socket();

		for (size_t j = 0; j < 5; j++) {
			/* What a negative size gives depends on the sysctls of the machine. */
			if (values[j] < 0 && ints[i].level == SOL_SOCKET &&
			    (ints[i].option == SO_SNDBUF || ints[i].option == SO_RCVBUF || ints[i].option == SO_RCVLOWAT))
				continue;
			snprintf(label, sizeof(label), "%s to %d", ints[i].name, values[j]);
			set_option(label, fd, ints[i].level, ints[i].option, values[j]);
		}
		close(fd);
	}
}

static void lengths(void)
{
	static const struct option_name some[] = {
		S(SO_KEEPALIVE), S(SO_SNDBUF), I(IP_TTL), I(IP_TOS), I(IP_MTU_DISCOVER), T(TCP_NODELAY), T(TCP_KEEPIDLE),
		S(SO_LINGER), S(SO_RCVTIMEO),
	};
	char label[64];

	topic("length");
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		int fd = tcp_socket();

		for (int len = -1; len <= 9; len += len < 1 ? 1 : 2) {
			unsigned char value[16] = { 1 };
			socklen_t out = (socklen_t)len;
			int r;

			snprintf(label, sizeof(label), "set %s of %d", some[i].name, len);
			CALL(label, setsockopt(fd, some[i].level, some[i].option, value, (socklen_t)len));
			memset(value, 0xee, sizeof(value));
			r = getsockopt(fd, some[i].level, some[i].option, value, &out);
			snprintf(label, sizeof(label), "get %s of %d", some[i].name, len);
			if (r)
				say(label, "-1 %s", errno_name(errno));
			else
				say(label, "length %d, %02x%02x%02x%02x %02x", (int)out, value[0], value[1], value[2], value[3],
				    value[4]);
		}
		close(fd);
	}
}

static void linger_option(void)
{
	static const struct linger values[] = { { 1, 0 }, { 1, 30 }, { 0, 30 }, { 7, 100000 } };
	int fd = tcp_socket();
	char label[64];

	topic("SO_LINGER");
	for (int i = 0; i < 4; i++) {
		struct linger out = { 0, 0 };
		socklen_t len = sizeof(out);

		snprintf(label, sizeof(label), "set %d %d", values[i].l_onoff, values[i].l_linger);
		CALL(label, setsockopt(fd, SOL_SOCKET, SO_LINGER, &values[i], sizeof(values[i])));
		getsockopt(fd, SOL_SOCKET, SO_LINGER, &out, &len);
		snprintf(label, sizeof(label), "get %d", i);
		say(label, "%d %d length %u", out.l_onoff, out.l_linger, (unsigned int)len);
	}
	close(fd);
}

static void times(void)
{
	static const struct timeval values[] = {
		{ 1, 500000 }, { 0, 0 }, { -1, 0 }, { 0, 1000000 }, { 0, -1 }, { 100000000, 0 }, { 0, 1 },
	};
	int fd = tcp_socket();
	char label[64];

	topic("SO_RCVTIMEO");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct timeval out = { 0, 0 };
		socklen_t len = sizeof(out);

		snprintf(label, sizeof(label), "set %ld %ld", (long)values[i].tv_sec, (long)values[i].tv_usec);
		CALL(label, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &values[i], sizeof(values[i])));
		getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &out, &len);
		snprintf(label, sizeof(label), "get %zu", i);
		say(label, "%ld length %u", (long)out.tv_sec, (unsigned int)len);
	}
	close(fd);
}

static void strings(void)
{
	char name[32];
	socklen_t len = sizeof(name);
	int fd = tcp_socket();

	topic("strings");
	memset(name, 0, sizeof(name));
	CALL("TCP_CONGESTION", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	say("length", "%u", (unsigned int)len);
	CALL("set reno", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	len = sizeof(name);
	memset(name, 0, sizeof(name));
	getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len);
	say("name", "%s length %u", name, (unsigned int)len);
	len = 3;
	CALL("get into 3", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	say("length of 3", "%u", (unsigned int)len);
	CALL("set unknown", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
	CALL("set nothing", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "", 0));
	CALL("SO_BINDTODEVICE lo", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	memset(name, 0, sizeof(name));
	len = sizeof(name);
	CALL("get SO_BINDTODEVICE", getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	say("device", "%s length %u", name, (unsigned int)len);
	CALL("SO_BINDTODEVICE none", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	CALL("SO_BINDTODEVICE unknown", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 9));
	close(fd);
}

/* TCP_INFO: only what does not depend on time. */
static void info(void)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);
	int c, s, fd = tcp_socket();

	topic("TCP_INFO");
	memset(&i, 0, sizeof(i));
	CALL("fresh", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len));
	say("fresh, state", "%u length %u", i.tcpi_state, (unsigned int)len);
	close(fd);
	tcp_pair(5901, &c, &s);
	CALL("connected", getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &len));
	say("state", "%u", i.tcpi_state);
	say("options", "%#x", i.tcpi_options);
	say("retransmits", "%u", i.tcpi_total_retrans);
	say("snd_cwnd", "%u", i.tcpi_snd_cwnd);
	close(s);
	await(c, POLLRDHUP);
	getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &len);
	say("state after FIN", "%u", i.tcpi_state);
	len = 8;
	CALL("short", getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &len));
	say("length of the short one", "%u", (unsigned int)len);
	CALL("set", setsockopt(c, IPPROTO_TCP, TCP_INFO, &i, sizeof(i)));
	say_option("TCP_MAXSEG", c, IPPROTO_TCP, TCP_MAXSEG);
	say_option("IP_MTU", c, IPPROTO_IP, IP_MTU);
	close(c);
}

void run(void)
{
	defaults();
	not_there();
	not_now();
	set();
	lengths();
	linger_option();
	times();
	strings();
	info();
}
