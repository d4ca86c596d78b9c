/* SPDX-License-Identifier: MIT */
/* Datagrams between two sockets: order, boundaries, lengths, addresses, poll. */
#include "tests/diff/diff.h"

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLRDNORM | POLLWRNORM };

static void fresh(void)
{
	char buf[16];
	int fd;

	topic("fresh");
	fd = (int)CALL("socket", socket(AF_INET, SOCK_DGRAM, 0));
	say_poll("poll", fd, ALL);
	CALL("recv DONTWAIT", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("send", send(fd, "x", 1, 0));
	CALL("write", write(fd, "x", 1));
	CALL("listen", listen(fd, 1));
	CALL("accept", accept(fd, NULL, NULL));
	CALL("shutdown", shutdown(fd, SHUT_RDWR));
	say_name("getsockname", fd, false);
	say_name("getpeername", fd, true);
	say_option("SO_TYPE", fd, SOL_SOCKET, SO_TYPE);
	say_option("SO_PROTOCOL", fd, SOL_SOCKET, SO_PROTOCOL);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	close(fd);
}

static void exchange(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6001), from;
	socklen_t len = sizeof(from);
	int a = udp_bound(6001), b = udp_socket(), n;
	char buf[64];

	topic("exchange");
	say_poll("poll of an idle one", a, ALL);
	CALL("sendto", sendto(b, "one", 3, 0, SA(&to)));
	CALL("sendto two", sendto(b, "twotwo", 6, 0, SA(&to)));
	CALL("sendto nothing", sendto(b, NULL, 0, 0, SA(&to)));
	CALL("sendto four", sendto(b, "four", 4, 0, SA(&to)));
	say_name("sender's own", b, false);
	await(a, POLLIN);
	say_poll("poll", a, ALL);
	CALL("FIONREAD", ioctl(a, FIONREAD, &n));
	say("FIONREAD's number", "%d", n);
	DATA("recvfrom", recvfrom(a, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), buf);
	say("from", "%s", addr_text(&from, len));
	DATA("recv into too little", recv(a, buf, 2, 0), buf);
	CALL("recv of an empty one", recv(a, buf, sizeof(buf), 0));
	DATA("read", read(a, buf, sizeof(buf)), buf);
	CALL("recv of nothing", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("FIONREAD when empty", ioctl(a, FIONREAD, &n));
	say("its number", "%d", n);
	CALL("answer", sendto(a, "back", 4, 0, (struct sockaddr *)&from, len));
	len = sizeof(from);
	DATA("recvfrom the answer", recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), buf);
	say("from whom", "%s", addr_text(&from, len));
	len = 4;
	sendto(b, "x", 1, 0, SA(&to));
	CALL("recvfrom with a short address", recvfrom(a, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	say("length told", "%u", (unsigned int)len);
	close(a);
	close(b);
}

static void sizes(void)
{
	static char big[70000], got[70000];
	struct sockaddr_in to = at("127.0.0.1", 6002);
	static const int lengths[] = { 1, 1472, 1473, 9000, 65507, 65508, 66000 };
	int a = udp_bound(6002), b = udp_socket();
	char label[64];

	topic("sizes");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		long r;

		snprintf(label, sizeof(label), "sendto %d", lengths[i]);
		r = CALL(label, sendto(b, big, (size_t)lengths[i], 0, SA(&to)));
		if (r < 0)
			continue;
		await(a, POLLIN);
		snprintf(label, sizeof(label), "recv %d", lengths[i]);
		r = CALL(label, recv(a, got, sizeof(got), MSG_DONTWAIT));
		if (r > 0)
			say(strcat(label, " whole"), "%d", memcmp(big, got, (size_t)r) == 0);
	}
	close(a);
	close(b);
}

static void flags(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6003);
	int a = udp_bound(6003), b = udp_socket();
	char buf[64];

	topic("flags");
	sendto(b, "first", 5, 0, SA(&to));
	sendto(b, "second", 6, 0, SA(&to));
	await(a, POLLIN);
	DATA("MSG_PEEK", recv(a, buf, sizeof(buf), MSG_PEEK), buf);
	DATA("MSG_PEEK again", recv(a, buf, 3, MSG_PEEK), buf);
	CALL("MSG_PEEK|MSG_TRUNC", recv(a, buf, 3, MSG_PEEK | MSG_TRUNC));
	CALL("MSG_TRUNC", recv(a, buf, 3, MSG_TRUNC));
	DATA("MSG_WAITALL", recv(a, buf, sizeof(buf), MSG_WAITALL), buf);
	CALL("recv MSG_OOB", recv(a, buf, sizeof(buf), MSG_OOB | MSG_DONTWAIT));
	CALL("send MSG_OOB", sendto(b, "x", 1, MSG_OOB, SA(&to)));
	CALL("MSG_ERRQUEUE", recv(a, buf, sizeof(buf), MSG_ERRQUEUE));
	CALL("MSG_DONTROUTE", sendto(b, "x", 1, MSG_DONTROUTE, SA(&to)));
	CALL("MSG_CONFIRM", sendto(b, "y", 1, MSG_CONFIRM, SA(&to)));
	CALL("MSG_NOSIGNAL", sendto(b, "z", 1, MSG_NOSIGNAL, SA(&to)));
	CALL("MSG_MORE", sendto(b, "1", 1, MSG_MORE, SA(&to)));
	CALL("the rest", sendto(b, "2", 1, 0, SA(&to)));
	for (int i = 0; i < 4; i++)
		if (await(a, POLLIN)) {
			char label[16];

			snprintf(label, sizeof(label), "recv %d", i);
			DATA(label, recv(a, buf, sizeof(buf), MSG_DONTWAIT), buf);
		}
	close(a);
	close(b);
}

void run(void)
{
	fresh();
	exchange();
	sizes();
	flags();
}
