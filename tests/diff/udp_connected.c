/* SPDX-License-Identifier: MIT */
/* Connected datagram sockets: who gets what, names, dissolving, port unreachable, shutdown. */
#include "tests/diff/diff.h"

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

static void names(void)
{
	struct sockaddr_in a = at("127.0.0.1", 6101), none = at("0.0.0.0", 0);
	int fd = udp_socket();

	none.sin_family = AF_UNSPEC;
	topic("names");
	CALL("connect", connect(fd, SA(&a)));
	say_name("own", fd, false);
	say_name("peer", fd, true);
	a.sin_port = htons(6102);
	CALL("connect elsewhere", connect(fd, SA(&a)));
	say_name("own then", fd, false);
	say_name("peer then", fd, true);
	CALL("dissolve", connect(fd, SA(&none)));
	say_name("own after", fd, false);
	say_name("peer after", fd, true);
	CALL("send after", send(fd, "x", 1, 0));
	CALL("dissolve again", connect(fd, SA(&none)));
	close(fd);
	fd = udp_bound(6103);
	CALL("connect a bound one", connect(fd, SA(&a)));
	say_name("own, bound", fd, false);
	CALL("dissolve the bound one", connect(fd, SA(&none)));
	say_name("own, bound, after", fd, false);
	CALL("bind it again", bind(fd, SA(&a)));
	close(fd);
	fd = udp_socket();
	a = at("0.0.0.0", 6104);
	CALL("connect to 0.0.0.0", connect(fd, SA(&a)));
	say_name("its peer", fd, true);
	a = at("127.0.0.1", 0);
	CALL("connect to port 0", connect(fd, SA(&a)));
	a = at("255.255.255.255", 99);
	CALL("connect to broadcast", connect(fd, SA(&a)));
	a = at("192.0.2.1", 99);
	CALL("connect without route", connect(fd, SA(&a)));
	a.sin_family = AF_INET6;
	CALL("connect to AF_INET6", connect(fd, SA(&a)));
	CALL("connect, short", connect(fd, (struct sockaddr *)&a, 8));
	close(fd);
}

static void filter(void)
{
	struct sockaddr_in to_a = at("127.0.0.1", 6111), from;
	int a, b, stranger = udp_bound(6113);
	socklen_t len = sizeof(from);
	char buf[16];

	topic("filter");
	udp_pair(6111, &a, &b);
	CALL("stranger's sendto", sendto(stranger, "no", 2, 0, SA(&to_a)));
	CALL("peer's send", send(b, "yes", 3, 0));
	await(a, POLLIN);
	DATA("recvfrom", recvfrom(a, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), buf);
	say("from", "%s", addr_text(&from, len));
	CALL("recv of no more", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("write", write(a, "w", 1));
	DATA("read", read(b, buf, sizeof(buf)), buf);
	CALL("sendto elsewhere", sendto(a, "else", 4, 0, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET,
	     .sin_port = htons(6113), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, sizeof(struct sockaddr_in)));
	DATA("recv elsewhere", recv(stranger, buf, sizeof(buf), 0), buf);
	close(a);
	close(b);
	close(stranger);
}

/* What waits from before the connect stays. */
static void before_connect(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6121), peer = at("127.0.0.1", 6123);
	int a = udp_bound(6121), b = udp_bound(6122);
	char buf[16];

	topic("before connect");
	sendto(b, "old", 3, 0, SA(&to));
	await(a, POLLIN);
	CALL("connect", connect(a, SA(&peer)));
	DATA("recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT), buf);
	close(a);
	close(b);
}

static void unreachable(void)
{
	struct sockaddr_in nobody = at("127.0.0.1", 6199), to;
	int fd = udp_socket(), b;
	char buf[16];

	topic("unreachable");
	connect(fd, SA(&nobody));
	CALL("send", send(fd, "x", 1, 0));
	await(fd, POLLERR);
	say_poll("poll", fd, ALL);
	CALL("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("recv again", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("send again", send(fd, "x", 1, 0));
	await(fd, POLLERR);
	CALL("send takes the error", send(fd, "x", 1, 0));
	CALL("send then", send(fd, "x", 1, 0));
	await(fd, POLLERR);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_option("SO_ERROR again", fd, SOL_SOCKET, SO_ERROR);
	say_poll("poll then", fd, ALL);
	CALL("blocking recv", (send(fd, "x", 1, 0), recv(fd, buf, sizeof(buf), 0)));
	close(fd);
	fd = udp_socket();
	CALL("sendto unconnected", sendto(fd, "x", 1, 0, SA(&nobody)));
	b = udp_bound(6131);
	to = at("127.0.0.1", 6131);
	sendto(fd, "y", 1, 0, SA(&to));
	await(b, POLLIN);
	say_poll("poll unconnected", fd, ALL);
	CALL("recv unconnected", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	close(fd);
	close(b);
}

static void shut(void)
{
	int a, b;
	char buf[16];

	topic("shutdown");
	udp_pair(6141, &a, &b);
	CALL("SHUT_WR", shutdown(a, SHUT_WR));
	CALL("send", send(a, "x", 1, 0));
	CALL("send of the other", send(b, "y", 1, 0));
	await(a, POLLIN);
	DATA("recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT), buf);
	CALL("recv of nothing", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("SHUT_RD", shutdown(a, SHUT_RD));
	CALL("recv then", recv(a, buf, sizeof(buf), 0));
	CALL("SHUT_RD of the other", shutdown(b, SHUT_RD));
	CALL("its recv", recv(b, buf, sizeof(buf), 0));
	CALL("its send", send(b, "z", 1, 0));
	CALL("shutdown 5", shutdown(b, 5));
	close(a);
	close(b);
}

void run(void)
{
	names();
	filter();
	before_connect();
	unreachable();
	shut();
}
