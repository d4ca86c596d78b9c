/* SPDX-License-Identifier: MIT */
/* A connection from socket() to close(), and what a fresh socket answers. */
#include "tests/diff/diff.h"

static void fresh(void)
{
	struct sockaddr_in any = at("0.0.0.0", 0);
	char buf[16];
	int fd;

	topic("fresh");
	fd = (int)CALL("socket", socket(AF_INET, SOCK_STREAM, 0));
	say_poll("poll", fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI);
	CALL("recv", recv(fd, buf, sizeof(buf), 0));
	CALL("recv of nothing", recv(fd, buf, 0, 0));
	CALL("read", read(fd, buf, sizeof(buf)));
	CALL("recv DONTWAIT", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("send", send(fd, "x", 1, 0));
	CALL("send of nothing", send(fd, "x", 0, 0));
	CALL("write", write(fd, "x", 1));
	CALL("shutdown", shutdown(fd, SHUT_WR));
	CALL("accept", accept(fd, NULL, NULL));
	say_name("getsockname", fd, false);
	say_name("getpeername", fd, true);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_option("SO_TYPE", fd, SOL_SOCKET, SO_TYPE);
	say_option("SO_DOMAIN", fd, SOL_SOCKET, SO_DOMAIN);
	say_option("SO_PROTOCOL", fd, SOL_SOCKET, SO_PROTOCOL);
	say_option("SO_ACCEPTCONN", fd, SOL_SOCKET, SO_ACCEPTCONN);
	CALL("bind to any", bind(fd, SA(&any)));
	say_poll("poll when bound", fd, POLLIN | POLLOUT | POLLRDHUP);
	say_name("getsockname when bound", fd, false);
	CALL("recv when bound", recv(fd, buf, sizeof(buf), 0));
	CALL("send when bound", send(fd, "x", 1, 0));
	CALL("close", close(fd));
	CALL("close again", close(fd));
}

static void connection(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5001), who;
	socklen_t len = sizeof(who);
	int l, c, s;
	char buf[64];

	topic("connection");
	l = (int)CALL("socket", socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
	CALL("bind", bind(l, SA(&a)));
	CALL("listen", listen(l, 5));
	say_name("name of the listener", l, false);
	say_option("SO_ACCEPTCONN", l, SOL_SOCKET, SO_ACCEPTCONN);
	say_poll("poll of the idle listener", l, POLLIN | POLLOUT | POLLRDHUP);
	c = (int)CALL("second socket", socket(AF_INET, SOCK_STREAM, 0));
	CALL("connect", connect(c, SA(&a)));
	await(l, POLLIN);
	say_poll("poll of the listener", l, POLLIN | POLLOUT | POLLRDHUP);
	s = (int)CALL("accept", accept(l, (struct sockaddr *)&who, &len));
	say("address from accept", "%s", addr_text(&who, len));
	say_name("client's own", c, false);
	say_name("client's peer", c, true);
	say_name("server's own", s, false);
	say_name("server's peer", s, true);
	say_poll("poll of the client", c, POLLIN | POLLOUT | POLLRDHUP | POLLPRI);
	say_poll("poll of the server", s, POLLIN | POLLOUT | POLLRDHUP | POLLPRI);
	CALL("send", send(c, "hello", 5, 0));
	await(s, POLLIN);
	say_poll("poll of the server with data", s, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("recv DONTWAIT of nothing", recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("recv of zero bytes", recv(s, buf, 0, MSG_DONTWAIT));
	CALL("send of zero bytes", send(s, buf, 0, 0));
	CALL("write", write(s, "worlds", 6));
	await_bytes(c, 6);
	DATA("read a part", read(c, buf, 2), buf);
	DATA("read the rest", read(c, buf, sizeof(buf)), buf);
	CALL("connect again", connect(c, SA(&a)));
	CALL("listen on it", listen(c, 5));
	CALL("bind it", bind(c, SA(&a)));
	CALL("accept on it", accept(c, NULL, NULL));
	CALL("close the server", close(s));
	await(c, POLLRDHUP);
	say_poll("poll at the end", c, POLLIN | POLLOUT | POLLRDHUP);
	CALL("recv at the end", recv(c, buf, sizeof(buf), 0));
	CALL("recv at the end again", recv(c, buf, sizeof(buf), 0));
	CALL("close the client", close(c));
	CALL("close the listener", close(l));
}

/* Which descriptor a call gives is the lowest that is free. */
static void numbers(void)
{
	int l = tcp_listener(5002), c, s, d;
	struct sockaddr_in a = at("127.0.0.1", 5002);

	topic("numbers");
	say("listener", "%d", l);
	c = tcp_connect_to(l, 5002, &s);
	say("client", "%d", c);
	say("server", "%d", s);
	close(c);
	CALL("socket after close", c = socket(AF_INET, SOCK_STREAM, 0));
	CALL("dup", d = dup(s));
	CALL("connect", connect(c, SA(&a)));
	close(d);
	close(s);
	CALL("accept", s = accept(l, NULL, NULL));
	CALL("open", d = open("/dev/null", O_RDONLY));
	close(d);
	close(s);
	close(c);
	close(l);
}

/* Many bytes, more than all buffers hold, arrive whole and in order. */
static void bulk_writer(void *arg)
{
	int fd = *(int *)arg;
	static unsigned char chunk[65536];
	unsigned int x = 1;

	for (int i = 0; i < 64; i++) {
		for (size_t j = 0; j < sizeof(chunk); j++)
			chunk[j] = (unsigned char)((x = x * 1103515245 + 12345) >> 16);
		for (size_t at_byte = 0; at_byte < sizeof(chunk);) {
			ssize_t n = write(fd, chunk + at_byte, sizeof(chunk) - at_byte);

			if (n <= 0)
				_exit(1);
			at_byte += (size_t)n;
		}
	}
}

static void bulk(void)
{
	static unsigned char buf[100000];
	unsigned long total = 0, wrong = 0;
	unsigned int x = 1;
	int c, s, status;
	ssize_t n;
	pid_t pid;

	topic("bulk");
	tcp_pair(5003, &c, &s);
	pid = fork();
	if (pid == 0) {
		bulk_writer(&c);
		_exit(0);
	}
	close(c);
	while ((n = read(s, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != (unsigned char)((x = x * 1103515245 + 12345) >> 16);
		total += (unsigned long)n;
	}
	say("last read", "%zd", n);
	say("bytes", "%lu", total);
	say("wrong", "%lu", wrong);
	waitpid(pid, &status, 0);
	say("writer", "%d", status);
	close(s);
}

void run(void)
{
	fresh();
	connection();
	numbers();
	bulk();
}
