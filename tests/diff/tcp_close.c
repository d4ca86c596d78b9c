/* SPDX-License-Identifier: MIT */
/* How a connection ends: orderly, reset, half, with data left. */
#include "tests/diff/diff.h"

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

static void orderly(void)
{
	char buf[16];
	int c, s;

	topic("orderly");
	tcp_pair(5201, &c, &s);
	send(c, "last words", 10, 0);
	CALL("close", close(c));
	await(s, POLLRDHUP);
	say_poll("poll with data left", s, ALL);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	say_poll("poll", s, ALL);
	CALL("recv at the end", recv(s, buf, sizeof(buf), 0));
	say_name("getpeername", s, true);
	CALL("send is taken", send(s, "x", 1, 0));
	await(s, POLLHUP);
	say_poll("poll after the reset", s, ALL);
	CALL("send then", send(s, "x", 1, 0));
	CALL("send once more", send(s, "x", 1, 0));
	CALL("recv then", recv(s, buf, sizeof(buf), 0));
	say_option("SO_ERROR", s, SOL_SOCKET, SO_ERROR);
	say_name("getpeername then", s, true);
	CALL("close of the other", close(s));
}

static void unread(void)
{
	char buf[16];
	int c, s;

	topic("closed with data unread");
	tcp_pair(5202, &c, &s);
	send(s, "for you", 7, 0);
	await(c, POLLIN);
	CALL("close", close(c));
	await(s, POLLHUP);
	say_poll("poll", s, ALL);
	CALL("recv", recv(s, buf, sizeof(buf), 0));
	CALL("recv again", recv(s, buf, sizeof(buf), 0));
	CALL("send", send(s, "x", 1, 0));
	say_option("SO_ERROR", s, SOL_SOCKET, SO_ERROR);
	close(s);
}

static void reset_as(const char *name, int port, const char *first)
{
	struct linger l = { 1, 0 };
	char buf[16];
	int c, s;

	topic(name);
	tcp_pair(port, &c, &s);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	CALL("close", close(c));
	await(s, POLLHUP);
	say_poll("poll", s, ALL);
	if (!strcmp(first, "recv")) {
		CALL("recv", recv(s, buf, sizeof(buf), 0));
	} else if (!strcmp(first, "read")) {
		CALL("read", read(s, buf, sizeof(buf)));
	} else if (!strcmp(first, "send")) {
		CALL("send", send(s, "x", 1, 0));
	} else if (!strcmp(first, "write")) {
		CALL("write", write(s, "x", 1));
	} else if (!strcmp(first, "SO_ERROR")) {
		say_option("SO_ERROR", s, SOL_SOCKET, SO_ERROR);
	} else {
		CALL("shutdown", shutdown(s, SHUT_RDWR));
	}
	say_poll("poll then", s, ALL);
	CALL("recv then", recv(s, buf, sizeof(buf), 0));
	CALL("send then", send(s, "x", 1, 0));
	say_option("SO_ERROR then", s, SOL_SOCKET, SO_ERROR);
	say_name("getpeername", s, true);
	say_name("getsockname", s, false);
	close(s);
}

static void reset_behind_data(void)
{
	struct linger l = { 1, 0 };
	char buf[16];
	int c, s;

	topic("reset behind data");
	tcp_pair(5204, &c, &s);
	send(c, "data", 4, 0);
	await(s, POLLIN);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c);
	await(s, POLLHUP);
	say_poll("poll", s, ALL);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("recv again", recv(s, buf, sizeof(buf), 0));
	CALL("recv a third time", recv(s, buf, sizeof(buf), 0));
	close(s);
}

static void half(void)
{
	char buf[16];
	int c, s;

	topic("half closed");
	tcp_pair(5205, &c, &s);
	CALL("SHUT_WR", shutdown(c, SHUT_WR));
	await(s, POLLRDHUP);
	say_poll("poll of the other", s, ALL);
	say_poll("poll of this", c, ALL);
	CALL("recv of the other", recv(s, buf, sizeof(buf), 0));
	CALL("send back", send(s, "still", 5, 0));
	await_bytes(c, 5);
	DATA("recv", recv(c, buf, sizeof(buf), 0), buf);
	CALL("send on it", send(c, "x", 1, 0));
	CALL("SHUT_WR again", shutdown(c, SHUT_WR));
	CALL("SHUT_WR of the other", shutdown(s, SHUT_WR));
	await(c, POLLHUP);
	await(s, POLLHUP);
	say_poll("poll of both, this", c, ALL);
	say_poll("poll of both, other", s, ALL);
	CALL("recv, both shut", recv(c, buf, sizeof(buf), 0));
	CALL("send, both shut", send(s, "x", 1, 0));
	say_name("getpeername of this", c, true);
	say_name("getpeername of the other", s, true);
	say_name("getsockname of this", c, false);
	CALL("shutdown of this", shutdown(c, SHUT_RDWR));
	CALL("shutdown of the other", shutdown(s, SHUT_RD));
	say_option("SO_ERROR", c, SOL_SOCKET, SO_ERROR);
	close(c);
	close(s);
}

static void shut_rd(void)
{
	char buf[16];
	int c, s;

	topic("SHUT_RD");
	tcp_pair(5206, &c, &s);
	CALL("SHUT_RD", shutdown(c, SHUT_RD));
	say_poll("poll", c, ALL);
	CALL("recv", recv(c, buf, sizeof(buf), 0));
	CALL("send of the other", send(s, "still", 5, 0));
	await_bytes(c, 5);
	DATA("recv of what came", recv(c, buf, sizeof(buf), 0), buf);
	CALL("recv then", recv(c, buf, sizeof(buf), 0));
	CALL("send", send(c, "out", 3, 0));
	await_bytes(s, 3);
	DATA("recv of the other", recv(s, buf, sizeof(buf), 0), buf);
	close(c);
	close(s);
}

static void shut_rdwr(void)
{
	char buf[16];
	int c, s;

	topic("SHUT_RDWR");
	tcp_pair(5207, &c, &s);
	CALL("SHUT_RDWR", shutdown(c, SHUT_RDWR));
	await(s, POLLRDHUP);
	say_poll("poll", c, ALL);
	say_poll("poll of the other", s, ALL);
	CALL("recv", recv(c, buf, sizeof(buf), 0));
	CALL("send", send(c, "x", 1, 0));
	say_name("getpeername", c, true);
	CALL("recv of the other", recv(s, buf, sizeof(buf), 0));
	CALL("send of the other", send(s, "x", 1, 0));
	await(s, POLLHUP);
	say_poll("poll of the other then", s, ALL);
	CALL("send of the other then", send(s, "x", 1, 0));
	close(c);
	close(s);
}

/* Data that lies in the closed one's send buffer still goes out. */
static void close_with_unsent(void)
{
	static char block[65536];
	long sent = 0, got = 0;
	ssize_t n;
	int c, s;

	topic("close with unsent data");
	tcp_pair(5208, &c, &s);
	nonblocking(c, true);
	while ((n = write(c, block, sizeof(block))) > 0)
		sent += n;
	outcome("write when full", n);
	say("more than the receiver's buffer", "%s", sent > 65536 ? "yes" : "no");
	CALL("close", close(c));
	while ((n = read(s, block, sizeof(block))) > 0)
		got += n;
	say("last read", "%zd", n);
	say("all that was sent", "%s", got == sent ? "yes" : "no");
	close(s);
}

/* The other end's process dies without a word. */
static void killed(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5209);
	int l = tcp_listener(5209), s, status;
	char buf[16];
	pid_t pid;

	topic("killed");
	for (int round = 0; round < 2; round++) {
		pid = fork();
		if (pid == 0) {
			int fd = tcp_socket();

			connect(fd, SA(&a));
			send(fd, "hello", 5, 0);
			if (round)
				await(fd, POLLIN);
			send(fd, "!", 1, 0);
			for (;;)
				pause();
		}
		s = accept(l, NULL, NULL);
		if (round)
			send(s, "unread", 6, 0);
		await_bytes(s, 6);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		await(s, round ? POLLHUP : POLLRDHUP);
		say_poll(round ? "poll, data unread there" : "poll", s, ALL);
		DATA(round ? "recv, data unread there" : "recv", recv(s, buf, sizeof(buf), 0), buf);
		CALL(round ? "recv again, data unread there" : "recv again", recv(s, buf, sizeof(buf), 0));
		close(s);
	}
	close(l);
}

void run(void)
{
	orderly();
	unread();
	reset_as("reset, then recv", 5203, "recv");
	reset_as("reset, then read", 5210, "read");
	reset_as("reset, then send", 5211, "send");
	reset_as("reset, then write", 5212, "write");
	reset_as("reset, then SO_ERROR", 5213, "SO_ERROR");
	reset_as("reset, then shutdown", 5214, "shutdown");
	reset_behind_data();
	half();
	shut_rd();
	shut_rdwr();
	close_with_unsent();
	killed();
}
