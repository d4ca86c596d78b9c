/* SPDX-License-Identifier: MIT */
/* Options of a datagram socket. */
#include "tests/diff/diff.h"

#include <netinet/udp.h>

#define S(o) { #o, SOL_SOCKET, o }
#define I(o) { #o, IPPROTO_IP, o }
static const struct {
	const char *name;
	int level, option;
} ints[] = {
	S(SO_REUSEADDR), S(SO_REUSEPORT), S(SO_KEEPALIVE), S(SO_BROADCAST), S(SO_DONTROUTE), S(SO_OOBINLINE),
	S(SO_PRIORITY), S(SO_RCVLOWAT), S(SO_TYPE), S(SO_DOMAIN), S(SO_PROTOCOL), S(SO_ERROR), S(SO_ACCEPTCONN),
	S(SO_MARK), S(SO_TIMESTAMP), S(SO_TIMESTAMPNS), S(SO_NO_CHECK), S(SO_SNDBUF), S(SO_RCVBUF), I(IP_TOS), I(IP_TTL),
	I(IP_RECVTTL), I(IP_RECVTOS), I(IP_PKTINFO), I(IP_MTU_DISCOVER), I(IP_RECVERR), I(IP_FREEBIND), I(IP_MINTTL),
	I(IP_BIND_ADDRESS_NO_PORT), I(IP_MTU), I(IP_HDRINCL), I(IP_MULTICAST_TTL), I(IP_MULTICAST_LOOP),
	I(IP_RECVORIGDSTADDR), { "UDP_CORK", IPPROTO_UDP, UDP_CORK }, { "UDP 9999", IPPROTO_UDP, 9999 },
	{ "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY },
};

static void defaults_and_values(void)
{
	static const int values[] = { 1, 0, -1, 5, 300 };
	char label[64];

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		int fd = udp_socket();

		topic("default");
		say_option(ints[i].name, fd, ints[i].level, ints[i].option);
		topic("set");
		for (size_t j = 0; j < 5; j++) {
			/* What a negative size gives depends on the sysctls of the machine. */
			if (values[j] < 0 && (ints[i].option == SO_SNDBUF || ints[i].option == SO_RCVBUF))
				continue;
			snprintf(label, sizeof(label), "%s to %d", ints[i].name, values[j]);
			set_option(label, fd, ints[i].level, ints[i].option, values[j]);
		}
		close(fd);
	}
}

static void of_one_byte(void)
{
	static const int names[] = { IP_TTL, IP_TOS, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_RECVTTL, IP_MTU_DISCOVER };
	char label[64];

	topic("one byte");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = udp_socket();
		unsigned char value = 1, back = 0xee;
		socklen_t len = 1;

		snprintf(label, sizeof(label), "set %d", names[i]);
		CALL(label, setsockopt(fd, IPPROTO_IP, names[i], &value, 1));
		snprintf(label, sizeof(label), "get %d", names[i]);
		CALL(label, getsockopt(fd, IPPROTO_IP, names[i], &back, &len));
		snprintf(label, sizeof(label), "value %d", names[i]);
		say(label, "%u length %u", back, (unsigned int)len);
		close(fd);
	}
}

static void broadcast(void)
{
	struct sockaddr_in all = at("255.255.255.255", 6201);
	int fd = udp_socket();

	topic("broadcast");
	CALL("without the option", sendto(fd, "x", 1, 0, SA(&all)));
	close(fd);
}

static void cork(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6202), other = at("127.0.0.1", 6203);
	int a = udp_bound(6202), b = udp_socket(), one = 1, zero = 0;
	char buf[16];

	topic("UDP_CORK");
	CALL("on", setsockopt(b, IPPROTO_UDP, UDP_CORK, &one, sizeof(one)));
	CALL("sendto", sendto(b, "ab", 2, 0, SA(&to)));
	CALL("sendto elsewhere", sendto(b, "cd", 2, 0, SA(&other)));
	CALL("off", setsockopt(b, IPPROTO_UDP, UDP_CORK, &zero, sizeof(zero)));
	await(a, POLLIN);
	DATA("recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT), buf);
	close(a);
	close(b);
}

static void multicast(void)
{
	struct ip_mreqn m = { .imr_multiaddr.s_addr = inet_addr("224.1.2.3") };
	struct ip_mreq small = { .imr_multiaddr.s_addr = inet_addr("10.1.2.3") };
	int fd = udp_socket();

	topic("multicast");
	m.imr_address.s_addr = htonl(INADDR_LOOPBACK);
	CALL("leave before join", setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	CALL("join no group", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &small, sizeof(small)));
	CALL("join, short", setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, 4));
	close(fd);
}

void run(void)
{
	defaults_and_values();
	of_one_byte();
	broadcast();
	cork();
	multicast();
}
