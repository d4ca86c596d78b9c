/* SPDX-License-Identifier: MIT */
/* connect() in its ways: refused, blocking and not, again, and to what cannot be. */
#include "tests/diff/diff.h"

static void refused(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5999), open_port = at("127.0.0.1", 5101);
	int fd = tcp_socket(), l, s;
	char buf[8];

	topic("refused");
	CALL("connect", connect(fd, SA(&a)));
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_poll("poll", fd, POLLIN | POLLOUT | POLLRDHUP);
	CALL("recv", recv(fd, buf, sizeof(buf), 0));
	CALL("send", send(fd, "x", 1, 0));
	say_name("getpeername", fd, true);
	say_name("getsockname", fd, false);
	CALL("connect again", connect(fd, SA(&a)));
	l = tcp_listener(5101);
	CALL("connect to an open port", connect(fd, SA(&open_port)));
	CALL("accept", s = accept(l, NULL, NULL));
	CALL("send now", send(fd, "now", 3, 0));
	DATA("recv now", recv(s, buf, sizeof(buf), 0), buf);
	close(s);
	close(l);
	close(fd);
}

/* What was set before a connect() that fails is there afterwards. */
static void kept(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5999), open_port = at("127.0.0.1", 5103), own = at("127.0.0.2", 5104);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, l = tcp_listener(5103), s;

	topic("kept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	CALL("bind", bind(fd, SA(&own)));
	CALL("connect", connect(fd, SA(&a)));
	await(fd, POLLERR);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	CALL("connect again", connect(fd, SA(&open_port)));
	CALL("and once more", connect(fd, SA(&open_port)));
	await(fd, POLLOUT);
	say_option("TCP_NODELAY", fd, IPPROTO_TCP, TCP_NODELAY);
	say_name("name", fd, false);
	CALL("accept", s = accept(l, NULL, NULL));
	say_name("its peer", s, true);
	close(fd);
	close(s);
	close(l);
}

static void refused_nonblocking(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5999), open_port = at("127.0.0.1", 5102);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), l;
	char buf[8];

	topic("refused, non-blocking");
	CALL("connect", connect(fd, SA(&a)));
	await(fd, POLLERR);
	say_poll("poll", fd, POLLIN | POLLOUT | POLLRDHUP);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_option("SO_ERROR once more", fd, SOL_SOCKET, SO_ERROR);
	say_poll("poll after SO_ERROR", fd, POLLIN | POLLOUT | POLLRDHUP);
	CALL("recv", recv(fd, buf, sizeof(buf), 0));
	CALL("send", send(fd, "x", 1, 0));
	say_name("getpeername", fd, true);
	CALL("connect again", connect(fd, SA(&a)));
	CALL("connect a third time", connect(fd, SA(&a)));
	await(fd, POLLERR);
	CALL("recv takes the error", recv(fd, buf, sizeof(buf), 0));
	CALL("recv then", recv(fd, buf, sizeof(buf), 0));
	l = tcp_listener(5102);
	CALL("connect after recv", connect(fd, SA(&open_port)));
	CALL("and once more", connect(fd, SA(&open_port)));
	await(fd, POLLOUT);
	say_option("SO_ERROR when open", fd, SOL_SOCKET, SO_ERROR);
	CALL("connect when open", connect(fd, SA(&open_port)));
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CALL("another connect", connect(fd, SA(&a)));
	await(fd, POLLERR);
	CALL("send takes the error", send(fd, "x", 1, 0));
	CALL("send then", send(fd, "x", 1, 0));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(fd, SA(&a));
	await(fd, POLLERR);
	CALL("connect takes the error", connect(fd, SA(&a)));
	close(fd);
	close(l);
}

static void open_nonblocking(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5103);
	int l = tcp_listener(5103), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), s;
	char buf[8];

	topic("open, non-blocking");
	CALL("connect", connect(fd, SA(&a)));
	await(fd, POLLOUT);
	say_poll("poll", fd, POLLIN | POLLOUT | POLLRDHUP);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	CALL("connect again", connect(fd, SA(&a)));
	CALL("connect a third time", connect(fd, SA(&a)));
	await(l, POLLIN);
	CALL("accept", s = accept(l, NULL, NULL));
	CALL("is it non-blocking too", fcntl(s, F_GETFL) & O_NONBLOCK);
	CALL("send", send(fd, "abc", 3, 0));
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	close(fd);
	close(s);
	close(l);
}

/* The listener's queue is full: what connects now gets no answer. */
static void unanswered(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5104);
	struct timeval tv = { 0, 100000 };
	int l = tcp_socket(), c[4], fd;
	uint64_t start;
	char buf[8];

	topic("unanswered");
	bind(l, SA(&a));
	listen(l, 0);
	c[0] = tcp_socket();
	CALL("first connect", connect(c[0], SA(&a)));
	await(l, POLLIN);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CALL("non-blocking connect", connect(fd, SA(&a)));
	say_poll("poll", fd, POLLIN | POLLOUT | POLLRDHUP);
	CALL("connect again", connect(fd, SA(&a)));
	CALL("recv", recv(fd, buf, sizeof(buf), 0));
	CALL("send", send(fd, "x", 1, 0));
	CALL("write", write(fd, "x", 1));
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_name("getpeername", fd, true);
	say_name("getsockname", fd, false);
	CALL("listen", listen(fd, 1));
	CALL("shutdown", shutdown(fd, SHUT_WR));
	close(fd);
	fd = tcp_socket();
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	start = now_ms();
	CALL("blocking connect with SO_SNDTIMEO", connect(fd, SA(&a)));
	say("its time", "%s", took(start, 100, 1500));
	CALL("again", connect(fd, SA(&a)));
	say_name("getpeername then", fd, true);
	close(fd);
	fd = tcp_socket();
	nonblocking(fd, true);
	connect(fd, SA(&a));
	nonblocking(fd, false);
	tv.tv_usec = 50000;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	start = now_ms();
	CALL("blocking send while connecting", send(fd, "x", 1, 0));
	CALL("blocking recv while connecting", recv(fd, buf, 1, 0));
	say("their time", "%s", took(start, 100, 1500));
	close(fd);
	close(c[0]);
	close(l);
}

static void unspec(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5105), none = at("0.0.0.0", 0);
	int l = tcp_listener(5105), fd, s;
	char buf[8];

	none.sin_family = AF_UNSPEC;
	topic("AF_UNSPEC");
	fd = tcp_socket();
	CALL("on a fresh socket", connect(fd, SA(&none)));
	CALL("connect", connect(fd, SA(&a)));
	s = accept(l, NULL, NULL);
	CALL("on a connection", connect(fd, SA(&none)));
	await(s, POLLHUP);
	CALL("recv of the other end", recv(s, buf, sizeof(buf), 0));
	say_name("getpeername", fd, true);
	say_name("getsockname", fd, false);
	CALL("send", send(fd, "x", 1, 0));
	CALL("recv", recv(fd, buf, sizeof(buf), 0));
	CALL("connect anew", connect(fd, SA(&a)));
	close(s);
	CALL("accept", s = accept(l, NULL, NULL));
	CALL("send anew", send(fd, "new", 3, 0));
	DATA("recv anew", recv(s, buf, sizeof(buf), 0), buf);
	close(fd);
	close(s);
	close(l);
}

static void addresses(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5106), b;
	int l = tcp_listener(5106), fd;

	topic("addresses");
	fd = tcp_socket();
	b = at("127.0.0.1", 0);
	CALL("port 0", connect(fd, SA(&b)));
	b = at("255.255.255.255", 80);
	CALL("broadcast", connect(fd, SA(&b)));
	b = at("224.0.0.1", 80);
	CALL("multicast", connect(fd, SA(&b)));
	b = at("192.0.2.1", 80);
	CALL("no route", connect(fd, SA(&b)));
	b = a;
	b.sin_family = AF_INET6;
	CALL("wrong family", connect(fd, SA(&b)));
	b.sin_family = AF_UNIX;
	CALL("AF_UNIX", connect(fd, SA(&b)));
	CALL("short", connect(fd, (struct sockaddr *)&a, 15));
	CALL("very short", connect(fd, (struct sockaddr *)&a, 1));
	CALL("length 0", connect(fd, (struct sockaddr *)&a, 0));
	CALL("negative length", connect(fd, (struct sockaddr *)&a, (socklen_t)-1));
	CALL("length 16 of more", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
	fd = tcp_socket();
	b = at("0.0.0.0", 5106);
	CALL("to 0.0.0.0", connect(fd, SA(&b)));
	say_name("its peer", fd, true);
	close(fd);
	fd = tcp_socket();
	b = at("127.0.0.2", 0);
	CALL("bind to 127.0.0.2", bind(fd, SA(&b)));
	CALL("connect from there", connect(fd, SA(&a)));
	say_name("own name", fd, false);
	close(fd);
	fd = tcp_socket();
	b = at("127.0.0.1", 5107);
	CALL("bind a port", bind(fd, SA(&b)));
	CALL("connect from the port", connect(fd, SA(&a)));
	say_name("name with the port", fd, false);
	close(fd);
	close(l);
}

/* A socket that connects to the port that it is bound to talks to itself. */
static void itself(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5108);
	int fd = tcp_socket();
	char buf[8];

	topic("itself");
	bind(fd, SA(&a));
	CALL("connect", connect(fd, SA(&a)));
	CALL("send", send(fd, "echo", 4, 0));
	await(fd, POLLIN);
	DATA("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT), buf);
	CALL("shutdown", shutdown(fd, SHUT_WR));
	await(fd, POLLIN);
	CALL("recv at the end", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	close(fd);
}

void run(void)
{
	refused();
	refused_nonblocking();
	kept();
	open_nonblocking();
	unanswered();
	unspec();
	addresses();
	itself();
}
