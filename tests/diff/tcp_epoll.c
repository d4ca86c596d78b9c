/* SPDX-License-Identifier: MIT */
/* epoll on connections: level, edge, oneshot, nested, and registrations that outlive what happens to the socket. */
#include "tests/diff/diff.h"

enum { BASE = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI };

static int add(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)events << 8 | (unsigned int)fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int mod(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)events << 8 | (unsigned int)fd };

	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

/* One wait of at most @ms; an event shows its bits and the number it belongs to. */
static void say_wait(const char *label, int ep, int ms)
{
	struct epoll_event e[4];
	int n = epoll_wait(ep, e, 4, ms);

	if (n == 1)
		say(label, "1 %s of %u", poll_text(e[0].events), (unsigned int)(e[0].data.u64 & 0xff));
	else if (n < 0)
		say(label, "-1 %s", errno_name(errno));
	else
		say(label, "%d", n);
}

/* Until the wanted bits show; level-triggered sets only. */
static void wait_bits(int ep, uint32_t bits)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct epoll_event e;

	while (now_ms() < end)
		if (epoll_wait(ep, &e, 1, 10) == 1 && (e.events & bits) == bits)
			return;
}

static void level(void)
{
	int c, s, ep = epoll_create1(0);
	char buf[16];

	topic("level");
	tcp_pair(5501, &c, &s);
	CALL("add", add(ep, s, BASE));
	CALL("add again", add(ep, s, BASE));
	say_wait("idle", ep, 0);
	CALL("mod", mod(ep, s, EPOLLIN | EPOLLRDHUP));
	say_wait("idle without OUT", ep, 0);
	send(c, "abc", 3, 0);
	wait_bits(ep, EPOLLIN);
	say_wait("data", ep, 0);
	say_wait("data again", ep, 0);
	recv(s, buf, 1, 0);
	say_wait("a part read", ep, 0);
	recv(s, buf, 2, 0);
	say_wait("all read", ep, 0);
	shutdown(c, SHUT_WR);
	wait_bits(ep, EPOLLRDHUP);
	say_wait("FIN", ep, 0);
	shutdown(s, SHUT_WR);
	wait_bits(ep, EPOLLHUP);
	say_wait("both FINs", ep, 0);
	CALL("mod to nothing", mod(ep, s, 0));
	say_wait("both FINs, nothing asked", ep, 0);
	CALL("del", epoll_ctl(ep, EPOLL_CTL_DEL, s, NULL));
	CALL("del again", epoll_ctl(ep, EPOLL_CTL_DEL, s, NULL));
	CALL("mod when gone", mod(ep, s, EPOLLIN));
	say_wait("empty", ep, 0);
	close(c);
	close(s);
	close(ep);
}

static void edge(void)
{
	int c, s, ep = epoll_create1(EPOLL_CLOEXEC);
	char buf[16];

	topic("edge");
	tcp_pair(5502, &c, &s);
	CALL("add", add(ep, s, EPOLLIN | EPOLLRDHUP | EPOLLET));
	say_wait("idle", ep, 0);
	send(c, "abcd", 4, 0);
	say_wait("data", ep, WAIT_MS);
	say_wait("no new data", ep, 20);
	recv(s, buf, 2, 0);
	say_wait("a part read", ep, 20);
	send(c, "ef", 2, 0);
	say_wait("more data", ep, WAIT_MS);
	DATA("recv", recv(s, buf, sizeof(buf), MSG_DONTWAIT), buf);
	CALL("recv of nothing", recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("mod shows what is there", mod(ep, s, EPOLLOUT | EPOLLET));
	say_wait("OUT", ep, WAIT_MS);
	say_wait("OUT once", ep, 20);
	CALL("mod back", mod(ep, s, EPOLLIN | EPOLLRDHUP | EPOLLET));
	shutdown(c, SHUT_WR);
	say_wait("FIN", ep, WAIT_MS);
	say_wait("FIN once", ep, 20);
	close(c);
	close(s);
	close(ep);
}

static void oneshot(void)
{
	int c, s, ep = epoll_create1(0);

	topic("oneshot");
	tcp_pair(5503, &c, &s);
	CALL("add", add(ep, s, EPOLLIN | EPOLLONESHOT));
	send(c, "x", 1, 0);
	say_wait("first", ep, WAIT_MS);
	say_wait("second", ep, 20);
	CALL("mod", mod(ep, s, EPOLLIN | EPOLLONESHOT));
	say_wait("armed again", ep, WAIT_MS);
	CALL("mod with edge", mod(ep, s, EPOLLIN | EPOLLOUT | EPOLLONESHOT | EPOLLET));
	say_wait("with edge", ep, WAIT_MS);
	close(c);
	close(s);
	close(ep);
}

static void exclusive(void)
{
	int l = tcp_listener(5504), ep = epoll_create1(0), c, s;
	struct sockaddr_in a = at("127.0.0.1", 5504);

	topic("exclusive");
	CALL("add", add(ep, l, EPOLLIN | EPOLLEXCLUSIVE));
	CALL("mod", mod(ep, l, EPOLLIN));
	CALL("add with oneshot", add(ep, l, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
	say_wait("idle", ep, 0);
	c = tcp_socket();
	connect(c, SA(&a));
	say_wait("connection", ep, WAIT_MS);
	s = accept(l, NULL, NULL);
	say_wait("accepted", ep, 20);
	close(s);
	close(c);
	close(l);
	say_wait("listener closed", ep, 0);
	close(ep);
}

static void nested(void)
{
	int c, s, outer = epoll_create1(0), inner = epoll_create1(0);
	char buf[4];

	topic("nested");
	tcp_pair(5505, &c, &s);
	CALL("add to inner", add(inner, s, EPOLLIN));
	CALL("add inner", add(outer, inner, EPOLLIN));
	CALL("add a circle", add(inner, outer, EPOLLIN));
	CALL("add itself", add(inner, inner, EPOLLIN));
	say_wait("idle", outer, 0);
	send(c, "x", 1, 0);
	say_wait("outer", outer, WAIT_MS);
	say_wait("inner", inner, 0);
	say_poll("poll of outer", outer, POLLIN | POLLOUT);
	recv(s, buf, 1, 0);
	say_wait("outer when read", outer, 0);
	close(c);
	close(s);
	close(inner);
	close(outer);
}

/* Registered while fresh; then what happens to the socket shows without another call. */
static void early(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5506), nobody = at("127.0.0.1", 5999);
	int ep = epoll_create1(0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), l;
	char buf[8];

	topic("early");
	CALL("add a fresh one", add(ep, fd, BASE));
	say_wait("fresh", ep, 0);
	l = tcp_listener(5506);
	CALL("connect", connect(fd, SA(&a)));
	wait_bits(ep, EPOLLOUT);
	await(fd, POLLOUT);
	say_wait("connected", ep, 0);
	int s = accept(l, NULL, NULL);
	send(s, "hi", 2, 0);
	wait_bits(ep, EPOLLIN);
	say_wait("data", ep, 0);
	DATA("recv", recv(fd, buf, sizeof(buf), 0), buf);
	close(s);
	close(fd);
	say_wait("closed", ep, 0);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	add(ep, fd, BASE);
	CALL("connect to nobody", connect(fd, SA(&nobody)));
	wait_bits(ep, EPOLLERR);
	say_wait("refused", ep, 0);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	CALL("connect again says", connect(fd, SA(&a)));
	CALL("connect to somebody", connect(fd, SA(&a)));
	await(l, POLLIN);
	s = accept(l, NULL, NULL);
	send(s, "yo", 2, 0);
	wait_bits(ep, EPOLLIN);
	say_wait("registration is still there", ep, 0);
	close(s);
	close(fd);
	close(l);

	fd = tcp_socket();
	CALL("add one that will listen", add(ep, fd, EPOLLIN | EPOLLET));
	a = at("127.0.0.1", 5507);
	bind(fd, SA(&a));
	listen(fd, 4);
	while (epoll_wait(ep, &(struct epoll_event){ 0 }, 1, 0) > 0)
		;
	s = tcp_socket();
	connect(s, SA(&a));
	say_wait("connection", ep, WAIT_MS);
	close(s);
	close(fd);
	close(ep);
}

/* A registration belongs to the open file, not to the number. */
static void duplicates(void)
{
	int c, s, d, ep = epoll_create1(0);

	topic("duplicates");
	tcp_pair(5508, &c, &s);
	add(ep, s, EPOLLIN);
	d = dup(s);
	CALL("add the duplicate", add(ep, d, EPOLLIN));
	send(c, "x", 1, 0);
	await(s, POLLIN);
	say_wait("two events", ep, 0);
	close(s);
	say_wait("after close of the first", ep, 0);
	CALL("mod the closed number", mod(ep, s, EPOLLIN));
	close(d);
	say_wait("after both", ep, 0);
	close(c);
	close(ep);
}

static void wrong(void)
{
	int ep = epoll_create1(0), fd = tcp_socket(), file = open("/etc/passwd", O_RDONLY);
	struct epoll_event e[2];

	topic("wrong");
	CALL("epoll_create of 0", epoll_create(0));
	CALL("epoll_create1 of 5", epoll_create1(5));
	CALL("add to a socket", add(fd, fd, EPOLLIN));
	CALL("add a file", add(ep, file, EPOLLIN));
	CALL("add 99", add(ep, 99, EPOLLIN));
	CALL("op 7", epoll_ctl(ep, 7, fd, e));
	CALL("wait on a socket", epoll_wait(fd, e, 2, 0));
	CALL("wait for 0", epoll_wait(ep, e, 0, 0));
	CALL("wait on 99", epoll_wait(99, e, 2, 0));
	close(ep);
	close(fd);
	close(file);
}

static void reset_event(void)
{
	struct linger l = { 1, 0 };
	int c, s, ep = epoll_create1(0);
	char buf[8];

	topic("reset");
	tcp_pair(5509, &c, &s);
	add(ep, s, EPOLLIN | EPOLLRDHUP);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c);
	wait_bits(ep, EPOLLHUP);
	say_wait("with nothing unread", ep, 0);
	topic("after the reset");
	CALL("recv", recv(s, buf, sizeof(buf), 0));
	topic("reset");
	close(s);
	tcp_pair(5510, &c, &s);
	add(ep, s, EPOLLIN | EPOLLRDHUP);
	send(c, "x", 1, 0);
	await(s, POLLIN);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c);
	wait_bits(ep, EPOLLHUP);
	say_wait("with data unread", ep, 0);
	close(s);
	close(ep);
}

void run(void)
{
	level();
	edge();
	oneshot();
	exclusive();
	nested();
	early();
	duplicates();
	wrong();
	reset_event();
}
