/* SPDX-License-Identifier: MIT */
/* SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER with a time. */
#include "tests/diff/diff.h"

static void limit(int fd, int name, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv));
}

#define TIMED(label, call)                                             \
	do {                                                           \
		uint64_t start = now_ms();                             \
		CALL(label, call);                                     \
		say(label " time", "%s", took(start, 50, 1000));       \
	} while (0)

static void receiving(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5131);
	int l = tcp_listener(5131), c, s, u = udp_bound(5132);
	struct iovec iov = { NULL, 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr v;
	char buf[16];

	topic("receiving");
	iov = (struct iovec){ buf, sizeof(buf) };
	limit(l, SO_RCVTIMEO, 50);
	TIMED("accept", accept(l, NULL, NULL));
	TIMED("accept4", accept4(l, NULL, NULL, 0));
	c = tcp_socket();
	limit(c, SO_RCVTIMEO, 50);
	connect(c, SA(&a));
	s = accept(l, NULL, NULL);
	TIMED("recv", recv(c, buf, sizeof(buf), 0));
	TIMED("read", read(c, buf, sizeof(buf)));
	TIMED("recvmsg", recvmsg(c, &m, 0));
	TIMED("readv", readv(c, &iov, 1));
	TIMED("recv PEEK", recv(c, buf, sizeof(buf), MSG_PEEK));
	send(s, "ab", 2, 0);
	await_bytes(c, 2);
	TIMED("recv WAITALL of more", recv(c, buf, 5, MSG_WAITALL));
	limit(u, SO_RCVTIMEO, 50);
	TIMED("udp recv", recv(u, buf, sizeof(buf), 0));
	TIMED("udp read", read(u, buf, sizeof(buf)));
	memset(&v, 0, sizeof(v));
	v.msg_hdr = m;
	TIMED("udp recvmmsg", recvmmsg(u, &v, 1, 0, NULL));
	limit(c, SO_RCVTIMEO, 0);
	send(s, "x", 1, 0);
	CALL("recv without limit", recv(c, buf, 1, 0));
	close(c);
	close(s);
	close(l);
	close(u);
}

static void sending(void)
{
	static char block[1 << 20];
	int c, s, size = 16384;
	uint64_t start = 0;
	ssize_t n = 1;

	topic("sending");
	tcp_pair(5133, &c, &s);
	limit(c, SO_SNDTIMEO, 50);
	nonblocking(c, true);
	/* Sizes that were set do not grow by themselves; full is what stays full. */
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (int refused = 0; refused < 10; refused++) {
		while (write(c, block, sizeof(block)) > 0)
			refused = 0;
		poll(NULL, 0, 30);
	}
	nonblocking(c, false);
	/* A probe of the closed window may still make room once in a while. */
	for (int i = 0; i < 50 && n > 0; i++) {
		start = now_ms();
		n = i % 2 ? send(c, block, sizeof(block), 0) : write(c, block, sizeof(block));
	}
	say("send", "%zd %s", n, errno_name(errno));
	say("send time", "%s", took(start, 50, 1000));
	close(c);
	close(s);
}

static void linger_time(void)
{
	struct linger l = { 1, 2 };
	char buf[16];
	int c, s;
	uint64_t start;

	topic("linger");
	tcp_pair(5134, &c, &s);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	send(c, "all of it", 9, 0);
	start = now_ms();
	CALL("close, all taken", close(c));
	say("time of it", "%s", took(start, 0, 1000));
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("recv at the end", recv(s, buf, sizeof(buf), 0));
	close(s);
	tcp_pair(5135, &c, &s);
	l.l_linger = 0;
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	send(c, "gone", 4, 0);
	await_bytes(s, 4);
	CALL("close, hard", close(c));
	await(s, POLLHUP);
	DATA("recv after it", recv(s, buf, sizeof(buf), 0), buf);
	CALL("recv then", recv(s, buf, sizeof(buf), 0));
	close(s);
	tcp_pair(5136, &c, &s);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	CALL("shutdown with linger 0", shutdown(c, SHUT_RDWR));
	await(s, POLLRDHUP);
	CALL("recv after shutdown", recv(s, buf, sizeof(buf), 0));
	close(c);
	close(s);
}

static void lowat(void)
{
	int c, s, five = 5, one = 1;
	char buf[16];

	topic("SO_RCVLOWAT");
	tcp_pair(5137, &c, &s);
	CALL("set", setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &five, sizeof(five)));
	send(c, "abc", 3, 0);
	CALL("poll of too little", poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 50));
	send(c, "defg", 4, 0);
	await(s, POLLIN);
	say_poll("poll of enough", s, POLLIN);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	send(c, "h", 1, 0);
	CALL("poll again", poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 50));
	shutdown(c, SHUT_WR);
	await(s, POLLRDHUP);
	say_poll("poll at the end", s, POLLIN | POLLRDHUP);
	CALL("set back", setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)));
	DATA("recv of the rest", recv(s, buf, sizeof(buf), 0), buf);
	close(c);
	close(s);
}

void run(void)
{
	receiving();
	sending();
	linger_time();
	lowat();
}
