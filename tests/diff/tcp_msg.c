/* SPDX-License-Identifier: MIT */
/* MSG_* on connections. */
#include "tests/diff/diff.h"

static void peek(void)
{
	char buf[32];
	int c, s;

	topic("PEEK");
	tcp_pair(5701, &c, &s);
	send(c, "abcdef", 6, 0);
	await_bytes(s, 6);
	DATA("PEEK 3", recv(s, buf, 3, MSG_PEEK), buf);
	DATA("PEEK all", recv(s, buf, sizeof(buf), MSG_PEEK), buf);
	DATA("recv 2", recv(s, buf, 2, 0), buf);
	DATA("PEEK the rest", recv(s, buf, sizeof(buf), MSG_PEEK), buf);
	CALL("PEEK nothing", recv(s, buf, 0, MSG_PEEK));
	DATA("PEEK|WAITALL of what is there", recv(s, buf, 4, MSG_PEEK | MSG_WAITALL), buf);
	DATA("PEEK|TRUNC", recv(s, buf, 2, MSG_PEEK | MSG_TRUNC), buf);
	CALL("TRUNC throws away", recv(s, buf, 3, MSG_TRUNC));
	CALL("TRUNC into nothing", recv(s, NULL, 1, MSG_TRUNC));
	CALL("PEEK of nothing, DONTWAIT", recv(s, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT));
	close(c);
	await(s, POLLRDHUP);
	CALL("PEEK at the end", recv(s, buf, sizeof(buf), MSG_PEEK));
	CALL("WAITALL at the end", recv(s, buf, sizeof(buf), MSG_WAITALL));
	close(s);
}

static void send_later(void *arg)
{
	int fd = *(int *)arg;

	send(fd, "def", 3, 0);
	shutdown(fd, SHUT_WR);
}

static void waitall(void)
{
	struct timeval tv = { 0, 50000 };
	char buf[32];
	int c, s, status;
	pid_t pid;

	topic("WAITALL");
	tcp_pair(5702, &c, &s);
	send(c, "abc", 3, 0);
	await_bytes(s, 3);
	pid = fork();
	if (pid == 0) {
		send_later(&c);
		_exit(0);
	}
	DATA("six of two sends", recv(s, buf, 6, MSG_WAITALL), buf);
	waitpid(pid, &status, 0);
	CALL("then the end", recv(s, buf, 6, MSG_WAITALL));
	send(s, "xy", 2, 0);
	await_bytes(c, 2);
	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	DATA("time limit", recv(c, buf, 6, MSG_WAITALL), buf);
	send(s, "xy", 2, 0);
	await_bytes(c, 2);
	DATA("DONTWAIT", recv(c, buf, 6, MSG_WAITALL | MSG_DONTWAIT), buf);
	send(s, "zz", 2, 0);
	close(s);
	DATA("until the end", recv(c, buf, 6, MSG_WAITALL), buf);
	close(c);
}

static void others(void)
{
	char buf[32];
	int c, s;

	topic("others");
	tcp_pair(5703, &c, &s);
	CALL("NOSIGNAL", send(c, "1", 1, MSG_NOSIGNAL));
	CALL("MORE", send(c, "2", 1, MSG_MORE));
	CALL("the rest", send(c, "3", 1, 0));
	CALL("DONTROUTE", send(c, "4", 1, MSG_DONTROUTE));
	CALL("CONFIRM", send(c, "5", 1, MSG_CONFIRM));
	CALL("EOR", send(c, "6", 1, MSG_EOR));
	CALL("DONTWAIT", send(c, "7", 1, MSG_DONTWAIT));
	CALL("ZEROCOPY without the option", send(c, "8", 1, MSG_ZEROCOPY));
	CALL("unknown flag", send(c, "9", 1, 0x200000));
	await_bytes(s, 9);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("ERRQUEUE", recv(s, buf, sizeof(buf), MSG_ERRQUEUE));
	CALL("unknown flag in recv", recv(s, buf, sizeof(buf), 0x200000 | MSG_DONTWAIT));
	CALL("CMSG_CLOEXEC", recv(s, buf, sizeof(buf), MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
	CALL("MORE and close", send(c, "last", 4, MSG_MORE));
	close(c);
	await(s, POLLRDHUP);
	DATA("recv of what MORE held", recv(s, buf, sizeof(buf), 0), buf);
	close(s);
}

static void fastopen(void)
{
	struct sockaddr_in to = at("127.0.0.1", 5708);
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to) };
	char buf[32];
	int c, s;

	topic("FASTOPEN");
	tcp_pair(5708, &c, &s);
	CALL("send on a connection", send(c, "1", 1, MSG_FASTOPEN));
	CALL("sendto on a connection", sendto(c, "2", 1, MSG_FASTOPEN, SA(&to)));
	CALL("sendmsg on a connection", sendmsg(c, &m, MSG_FASTOPEN));
	CALL("send without it", send(c, "3", 1, 0));
	await_bytes(s, 1);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("from the other side", send(s, "4", 1, MSG_FASTOPEN));
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	CALL("send to nobody", send(c, "5", 1, MSG_FASTOPEN));
	to.sin_family = AF_UNSPEC;
	CALL("sendto AF_UNSPEC", sendto(c, "6", 1, MSG_FASTOPEN, SA(&to)));
	to.sin_family = AF_INET;
	CALL("sendto half an address", sendto(c, "7", 1, MSG_FASTOPEN, (struct sockaddr *)&to, 8));
	close(c);
}

static void oob(void)
{
	char buf[32];
	int c, s, n;

	topic("OOB");
	tcp_pair(5704, &c, &s);
	CALL("recv OOB of nothing", recv(s, buf, sizeof(buf), MSG_OOB));
	CALL("send before", send(c, "abc", 3, 0));
	await_bytes(s, 3);
	CALL("send OOB", send(c, "U", 1, MSG_OOB));
	await(s, POLLPRI);
	say_poll("poll", s, POLLIN | POLLPRI | POLLOUT | POLLRDBAND);
	CALL("send behind", send(c, "def", 3, 0));
	CALL("sockatmark before", sockatmark(s));
	DATA("recv up to the mark", recv(s, buf, sizeof(buf), 0), buf);
	CALL("sockatmark", sockatmark(s));
	CALL("SIOCATMARK", ioctl(s, SIOCATMARK, &n));
	say("its number", "%d", n);
	DATA("recv OOB", recv(s, buf, sizeof(buf), MSG_OOB), buf);
	CALL("recv OOB again", recv(s, buf, sizeof(buf), MSG_OOB));
	await_bytes(s, 3);
	DATA("recv behind", recv(s, buf, sizeof(buf), 0), buf);
	CALL("sockatmark after", sockatmark(s));
	say_poll("poll after", s, POLLIN | POLLPRI | POLLOUT | POLLRDBAND);
	CALL("send OOB of three", send(c, "xyZ", 3, MSG_OOB));
	await(s, POLLPRI);
	DATA("recv of the two", recv(s, buf, sizeof(buf), 0), buf);
	DATA("peek OOB", recv(s, buf, sizeof(buf), MSG_OOB | MSG_PEEK), buf);
	DATA("recv OOB of the third", recv(s, buf, sizeof(buf), MSG_OOB), buf);
	send(c, "ef", 2, 0);
	await_bytes(s, 2);
	DATA("recv behind the third", recv(s, buf, sizeof(buf), 0), buf);
	n = 1;
	CALL("OOBINLINE", setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &n, sizeof(n)));
	send(c, "gh", 2, 0);
	send(c, "I", 1, MSG_OOB);
	await(s, POLLPRI);
	await_bytes(s, 3);
	DATA("inline, up to the mark", recv(s, buf, sizeof(buf), 0), buf);
	CALL("inline, recv OOB", recv(s, buf, sizeof(buf), MSG_OOB));
	CALL("inline, sockatmark", sockatmark(s));
	DATA("inline, the byte", recv(s, buf, sizeof(buf), 0), buf);
	close(c);
	close(s);
}

/* Nothing but the urgent byte, read by MSG_OOB. */
static void oob_alone(void)
{
	char buf[8];
	int c, s;

	topic("OOB alone");
	tcp_pair(5707, &c, &s);
	send(c, "U", 1, MSG_OOB);
	await(s, POLLPRI);
	DATA("recv OOB", recv(s, buf, sizeof(buf), MSG_OOB), buf);
	say_poll("poll", s, POLLIN | POLLPRI | POLLOUT);
	CALL("recv", recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	say_poll("poll after recv", s, POLLIN | POLLPRI | POLLOUT);
	send(c, "x", 1, 0);
	await_bytes(s, 1);
	DATA("recv of what came", recv(s, buf, sizeof(buf), MSG_DONTWAIT), buf);
	close(c);
	close(s);
}

static void cork(void)
{
	char buf[32];
	int c, s, one = 1, zero = 0;

	topic("cork");
	tcp_pair(5705, &c, &s);
	CALL("TCP_CORK", setsockopt(c, IPPROTO_TCP, TCP_CORK, &one, sizeof(one)));
	CALL("send", send(c, "abc", 3, 0));
	CALL("nothing there", recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("send more", send(c, "def", 3, 0));
	CALL("uncork", setsockopt(c, IPPROTO_TCP, TCP_CORK, &zero, sizeof(zero)));
	await_bytes(s, 6);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	close(c);
	close(s);
}

static void names(void)
{
	struct sockaddr_in who = at("1.2.3.4", 5);
	socklen_t len = sizeof(who);
	char buf[32];
	int c, s;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &who, .msg_namelen = sizeof(who), .msg_iov = &iov, .msg_iovlen = 1 };

	topic("names");
	tcp_pair(5706, &c, &s);
	CALL("sendto with an address", sendto(c, "abc", 3, 0, SA(&who)));
	DATA("recvfrom", recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&who, &len), buf);
	say("length", "%u", (unsigned int)len);
	say("address", "%s", addr_text(&who, sizeof(who)));
	CALL("sendmsg with an address", sendmsg(c, &(struct msghdr){ .msg_name = &who, .msg_namelen = sizeof(who),
				.msg_iov = &(struct iovec){ (void *)(uintptr_t)"def", 3 }, .msg_iovlen = 1 }, 0));
	await(s, POLLIN);
	m.msg_flags = 0x7777;
	DATA("recvmsg", recvmsg(s, &m, 0), buf);
	say("msg_namelen", "%u", (unsigned int)m.msg_namelen);
	say("msg_flags", "%#x", (unsigned int)m.msg_flags);
	say("msg_controllen", "%zu", m.msg_controllen);
	close(c);
	close(s);
}

void run(void)
{
	peek();
	waitall();
	others();
	fastopen();
	oob();
	oob_alone();
	cork();
	names();
}
