/* SPDX-License-Identifier: MIT */
/* Calls on what is no socket or the wrong one, and arguments that mean nothing. */
#include "tests/diff/diff.h"

static void on(const char *name, int fd)
{
	struct sockaddr_in a = at("127.0.0.1", 5191);
	socklen_t len = sizeof(a);
	struct iovec iov = { &a, 4 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr v = { .msg_hdr = m };
	int n = 0;

	topic(name);
	CALL("bind", bind(fd, SA(&a)));
	CALL("connect", connect(fd, SA(&a)));
	CALL("listen", listen(fd, 1));
	CALL("accept", accept(fd, NULL, NULL));
	CALL("accept4", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	CALL("getsockname", getsockname(fd, (struct sockaddr *)&a, &len));
	CALL("getpeername", getpeername(fd, (struct sockaddr *)&a, &len));
	CALL("shutdown", shutdown(fd, SHUT_RD));
	CALL("send", send(fd, "x", 1, 0));
	CALL("sendto", sendto(fd, "x", 1, 0, SA(&a)));
	CALL("recv", recv(fd, &n, 1, 0));
	CALL("recvfrom", recvfrom(fd, &n, 1, 0, (struct sockaddr *)&a, &len));
	CALL("sendmsg", sendmsg(fd, &m, 0));
	CALL("recvmsg", recvmsg(fd, &m, 0));
	CALL("sendmmsg", sendmmsg(fd, &v, 1, 0));
	CALL("recvmmsg", recvmmsg(fd, &v, 1, 0, NULL));
	CALL("getsockopt", getsockopt(fd, SOL_SOCKET, SO_TYPE, &n, &len));
	CALL("setsockopt", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof(n)));
	CALL("sockatmark", sockatmark(fd));
}

static void kinds(void)
{
	static const int families[] = { AF_INET, AF_UNSPEC, 99, -1 };
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM, 0, 11, 12, -1 };
	static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 255, 256, 262, 263, -1 };
	char label[64];

	topic("socket");
	for (size_t f = 0; f < 4; f++)
		for (size_t t = 0; t < 9; t++)
			for (size_t p = 0; p < 9; p++) {
				int fd;

				/* Needs a privilege that the kernel asks for by the user, and ping_group_range. */
				if (types[t] == SOCK_RAW || protocols[p] == IPPROTO_ICMP || protocols[p] == 262)
					continue;
				snprintf(label, sizeof(label), "%d %d %d", families[f], types[t], protocols[p]);
				fd = (int)CALL(label, socket(families[f], types[t], protocols[p]));
				if (fd >= 0)
					close(fd);
			}
	CALL("unknown flag", socket(AF_INET, SOCK_STREAM | 0x100000, 0));
	CALL("socketpair", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }));
}

static void flags_of_socket(void)
{
	int fd;

	topic("flags");
	CALL("NONBLOCK", fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CALL("F_GETFL", fcntl(fd, F_GETFL));
	CALL("F_GETFD", fcntl(fd, F_GETFD));
	close(fd);
	CALL("CLOEXEC", fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	CALL("F_GETFL of it", fcntl(fd, F_GETFL));
	CALL("F_GETFD of it", fcntl(fd, F_GETFD));
	close(fd);
}

static void names(void)
{
	struct sockaddr_in a, big[4];
	socklen_t len;
	int c, s, l = tcp_listener(5192);

	topic("names");
	tcp_pair(5193, &c, &s);
	for (int room = 0; room <= 64; room += room < 16 ? 4 : 24) {
		char label[64];

		len = (socklen_t)room;
		memset(&a, 0xee, sizeof(a));
		snprintf(label, sizeof(label), "getsockname into %d", room);
		CALL(label, getsockname(l, (struct sockaddr *)big, &len));
		snprintf(label, sizeof(label), "length of %d", room);
		say(label, "%u", (unsigned int)len);
		len = (socklen_t)room;
		snprintf(label, sizeof(label), "getpeername into %d", room);
		CALL(label, getpeername(s, (struct sockaddr *)big, &len));
		snprintf(label, sizeof(label), "length of peer's %d", room);
		say(label, "%u", (unsigned int)len);
	}
	len = (socklen_t)-1;
	CALL("getsockname, negative room", getsockname(l, (struct sockaddr *)&a, &len));
	CALL("getpeername, negative room", getpeername(c, (struct sockaddr *)&a, &len));
	CALL("getsockopt, negative room", getsockopt(c, SOL_SOCKET, SO_TYPE, &a, &len));
	CALL("getpeername of a listener", getpeername(l, (struct sockaddr *)&a, &len));
	close(c);
	close(s);
	close(l);
}

void run(void)
{
	int fd = open("/dev/null", O_RDWR), pipes[2];

	pipe(pipes);
	on("-1", -1);
	on("closed", 77);
	on("huge", 100000000);
	on("file", fd);
	on("pipe", pipes[0]);
	kinds();
	flags_of_socket();
	names();
}
