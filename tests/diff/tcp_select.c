/* SPDX-License-Identifier: MIT */
/* select() and pselect(). */
#include "tests/diff/diff.h"

static void say_select(const char *label, int fd, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	fd_set r, w, x;
	int n;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	n = select(fd + 1, &r, &w, &x, &tv);
	if (n < 0)
		say(label, "-1 %s", errno_name(errno));
	else
		say(label, "%d%s%s%s", n, FD_ISSET(fd, &r) ? " read" : "", FD_ISSET(fd, &w) ? " write" : "",
		    FD_ISSET(fd, &x) ? " except" : "");
}

void run(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5601), to = at("127.0.0.1", 5602), nobody = at("127.0.0.1", 5999);
	int l = tcp_listener(5601), c, s, u;
	struct timespec ts = { 0, 50000000 };
	struct timeval tv = { 0, 50000 };
	fd_set set;
	uint64_t start;
	char buf[8];

	say_select("listener", l, 0);
	c = tcp_socket();
	say_select("fresh", c, 0);
	connect(c, SA(&a));
	await(l, POLLIN);
	say_select("listener with a connection", l, 0);
	s = accept(l, NULL, NULL);
	say_select("connected", c, 0);
	send(s, "x", 1, 0);
	await(c, POLLIN);
	say_select("data", c, 0);
	send(s, "u", 1, MSG_OOB);
	await(c, POLLPRI);
	say_select("urgent data", c, 0);
	recv(c, buf, 1, MSG_OOB);
	send(s, "y", 1, 0);
	await_bytes(c, 1);
	recv(c, buf, 1, 0);
	await(c, POLLIN);
	recv(c, buf, 1, 0);
	FD_ZERO(&set);
	FD_SET(c, &set);
	start = now_ms();
	CALL("select 50 ms", select(c + 1, &set, NULL, NULL, &tv));
	say("its time", "%s", took(start, 50, 1000));
	say("time left", "%ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	FD_SET(c, &set);
	start = now_ms();
	CALL("pselect 50 ms", pselect(c + 1, &set, NULL, NULL, &ts, NULL));
	say("time of pselect", "%s", took(start, 50, 1000));
	say("set when empty", "%d", FD_ISSET(c, &set));
	close(s);
	await(c, POLLRDHUP);
	say_select("peer closed", c, 0);
	close(c);
	FD_ZERO(&set);
	FD_SET(c, &set);
	tv.tv_usec = 0;
	CALL("select of a closed one", select(c + 1, &set, NULL, NULL, &tv));
	CALL("select of -1", select(-1, NULL, NULL, NULL, &tv));
	tv.tv_sec = -1;
	CALL("select with a bad time", select(0, NULL, NULL, NULL, &tv));
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(c, SA(&nobody));
	await(c, POLLERR);
	say_select("refused", c, 0);
	close(c);
	u = udp_bound(5602);
	say_select("datagram socket", u, 0);
	sendto(u, "x", 1, 0, SA(&to));
	await(u, POLLIN);
	say_select("datagram", u, 0);
	close(u);
	close(l);
}
