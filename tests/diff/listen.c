/* SPDX-License-Identifier: MIT */
/* Listening sockets: backlog, their calls, their end. */
#include "tests/diff/diff.h"

static void calls_on_it(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5401);
	int l = tcp_listener(5401);
	char buf[8];

	topic("calls on it");
	CALL("recv", recv(l, buf, sizeof(buf), 0));
	CALL("read", read(l, buf, sizeof(buf)));
	CALL("send", send(l, "x", 1, 0));
	CALL("write", write(l, "x", 1));
	CALL("connect", connect(l, SA(&a)));
	CALL("bind", bind(l, SA(&a)));
	CALL("listen again", listen(l, 7));
	CALL("getpeername", getpeername(l, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }));
	CALL("SHUT_WR", shutdown(l, SHUT_WR));
	say_poll("poll after SHUT_WR", l, POLLIN | POLLOUT | POLLRDHUP);
	CALL("shutdown 3", shutdown(l, 3));
	CALL("SHUT_RD", shutdown(l, SHUT_RD));
	say_poll("poll after SHUT_RD", l, POLLIN | POLLOUT | POLLRDHUP);
	CALL("accept after SHUT_RD", accept(l, NULL, NULL));
	CALL("connect after SHUT_RD", connect(tcp_socket(), SA(&a)));
	CALL("listen after SHUT_RD", listen(l, 7));
	close(l);
}

/* shutdown() ends a listener, and listen() makes one of it again, at the address it was bound to. */
static void again(int how, int port)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	struct epoll_event in = { .events = EPOLLIN, .data.fd = 7 }, got = { 0 };
	int l = tcp_listener(port), set = epoll_create1(0), copy = dup(l), c, s;
	char buf[8];

	topic(how == SHUT_RD ? "again, SHUT_RD" : "again, SHUT_RDWR");
	epoll_ctl(set, EPOLL_CTL_ADD, l, &in);
	c = tcp_connect_to(l, port, &s);
	CALL("shutdown", shutdown(l, how));
	CALL("accept", accept(l, NULL, NULL));
	say_option("ACCEPTCONN", l, SOL_SOCKET, SO_ACCEPTCONN);
	say_name("name", l, false);
	CALL("listen", listen(l, 7));
	say_option("ACCEPTCONN then", l, SOL_SOCKET, SO_ACCEPTCONN);
	say_option("REUSEADDR", l, SOL_SOCKET, SO_REUSEADDR);
	say_name("name then", l, false);
	say_poll("poll", l, POLLIN | POLLOUT | POLLRDHUP);
	CALL("epoll", epoll_wait(set, &got, 1, 0));
	send(s, "old", 3, 0);
	await_bytes(c, 3);
	DATA("the old connection", recv(c, buf, sizeof(buf), 0), buf);
	close(c);
	close(s);
	c = tcp_socket();
	CALL("connect", connect(c, SA(&a)));
	await(l, POLLIN);
	CALL("epoll then", epoll_wait(set, &got, 1, WAIT_MS));
	say("event", "%s %d", poll_text(got.events), got.data.fd);
	CALL("accept then", s = accept(copy, NULL, NULL));
	send(s, "new", 3, 0);
	await_bytes(c, 3);
	DATA("the new connection", recv(c, buf, sizeof(buf), 0), buf);
	CALL("shutdown then", shutdown(l, how));
	CALL("connect to nobody", connect(tcp_socket(), SA(&a)));
	CALL("connect of the listener", connect(l, SA(&a)));
	close(c);
	close(s);
	close(copy);
	close(l);
	close(set);
}

static void unbound(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int l = tcp_socket(), c = tcp_socket(), s;

	topic("unbound");
	CALL("listen", listen(l, 1));
	say_name("its name", l, false);
	getsockname(l, (struct sockaddr *)&a, &len);
	CALL("connect", connect(c, SA(&a)));
	CALL("accept", s = accept(l, NULL, NULL));
	say_name("accepted", s, false);
	close(l);
	close(c);
	close(s);
}

/* How many connections there can be that nobody has accepted. */
static void backlog(void)
{
	static const int lengths[] = { 0, 1, 3, -1 };

	topic("backlog");
	for (int i = 0; i < 4; i++) {
		struct sockaddr_in a = at("127.0.0.1", 5402 + i);
		int l = tcp_socket(), c[12], connected = 0;
		char label[32];

		bind(l, SA(&a));
		listen(l, lengths[i]);
		for (int j = 0; j < 12; j++) {
			c[j] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			connect(c[j], SA(&a));
			if (j <= lengths[i])
				await(c[j], POLLOUT);
		}
		for (int j = 0; j < 12; j++) {
			struct pollfd p = { c[j], POLLOUT, 0 };

			connected += poll(&p, 1, lengths[i] < 0 ? 1000 : 20) == 1 && p.revents == POLLOUT;
		}
		snprintf(label, sizeof(label), "connected with %d", lengths[i]);
		say(label, "%d", connected);
		for (int j = 0; j < 12; j++)
			close(c[j]);
		close(l);
	}
}

/* A listener that closes resets what waits in it. */
static void closed_with_queue(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5410);
	int l = tcp_listener(5410), c = tcp_socket();
	char buf[8];

	topic("closed with a queue");
	connect(c, SA(&a));
	await(l, POLLIN);
	CALL("close", close(l));
	await(c, POLLHUP);
	say_poll("poll", c, POLLIN | POLLOUT | POLLRDHUP);
	CALL("recv", recv(c, buf, sizeof(buf), 0));
	CALL("send", send(c, "x", 1, 0));
	close(c);
	c = tcp_socket();
	CALL("connect", connect(c, SA(&a)));
	close(c);
	l = tcp_listener(5410);
	c = tcp_socket();
	CALL("connect to a new one", connect(c, SA(&a)));
	close(c);
	close(l);
}

/* Data and end of a connection that is accepted only afterwards. */
static void late_accept(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5411);
	int l = tcp_listener(5411), c = tcp_socket(), s;
	char buf[16];

	topic("late accept");
	connect(c, SA(&a));
	CALL("send before accept", send(c, "early", 5, 0));
	CALL("close before accept", close(c));
	await(l, POLLIN);
	CALL("accept", s = accept(l, NULL, NULL));
	await(s, POLLRDHUP);
	say_poll("poll", s, POLLIN | POLLOUT | POLLRDHUP);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("recv at the end", recv(s, buf, sizeof(buf), 0));
	say_name("getpeername", s, true);
	close(s);
	close(l);
}

static void reset_before_accept(void)
{
	struct linger hard = { 1, 0 };
	struct sockaddr_in a = at("127.0.0.1", 5412), who;
	socklen_t len = sizeof(who);
	int l = tcp_listener(5412), c = tcp_socket(), s;
	char buf[16];

	topic("reset before accept");
	connect(c, SA(&a));
	await(l, POLLIN);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c);
	CALL("accept", s = accept(l, (struct sockaddr *)&who, &len));
	say("address", "%s", addr_text(&who, len));
	await(s, POLLHUP);
	say_poll("poll", s, POLLIN | POLLOUT | POLLRDHUP);
	CALL("recv", recv(s, buf, sizeof(buf), 0));
	CALL("recv then", recv(s, buf, sizeof(buf), 0));
	close(s);
	close(l);
}

static void on_others(void)
{
	int c, s, u = udp_socket();
	struct sockaddr_in a = at("127.0.0.1", 5413);

	topic("others");
	tcp_pair(5414, &c, &s);
	CALL("listen on a connection", listen(c, 1));
	CALL("listen on a datagram socket", listen(u, 1));
	CALL("listen on standard error", listen(open("/dev/null", O_RDONLY), 1));
	CALL("listen on nothing", listen(99, 1));
	close(c);
	close(s);
	s = tcp_socket();
	bind(s, SA(&a));
	c = tcp_socket();
	CALL("connect to a bound one", connect(c, SA(&a)));
	CALL("listen on it", listen(s, 1));
	close(c);
	c = tcp_socket();
	CALL("connect to it then", connect(c, SA(&a)));
	close(c);
	close(s);
}

void run(void)
{
	calls_on_it();
	again(SHUT_RD, 5420);
	again(SHUT_RDWR, 5421);
	unbound();
	backlog();
	closed_with_queue();
	late_accept();
	reset_before_accept();
	on_others();
}
