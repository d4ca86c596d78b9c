/* SPDX-License-Identifier: MIT */
/* Pointers into nowhere: EFAULT, and nothing else happens. */
#include "tests/diff/diff.h"

#define BAD ((void *)(uintptr_t)8)

static void stream(void)
{
	struct iovec iov = { BAD, 4 };
	struct msghdr m = { .msg_iov = BAD, .msg_iovlen = 1 };
	struct sockaddr_in a = at("127.0.0.1", 5195);
	socklen_t len = sizeof(a);
	int l, c, s, fd = tcp_socket();
	char buf[16];

	topic("stream");
	CALL("bind", bind(fd, BAD, 16));
	CALL("bind NULL", bind(fd, NULL, 16));
	CALL("bind NULL of 0", bind(fd, NULL, 0));
	CALL("connect", connect(fd, BAD, 16));
	CALL("connect NULL", connect(fd, NULL, 16));
	CALL("getsockname", getsockname(fd, BAD, &len));
	CALL("getsockname length", getsockname(fd, (struct sockaddr *)&a, BAD));
	CALL("getsockname NULL", getsockname(fd, NULL, NULL));
	CALL("setsockopt", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, BAD, 4));
	CALL("setsockopt NULL", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	CALL("setsockopt NULL of 0", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 0));
	CALL("getsockopt", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, BAD, &len));
	CALL("getsockopt NULL", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, &len));
	CALL("getsockopt length", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &a, BAD));
	CALL("getsockopt NULL length", getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &a, NULL));
	CALL("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, BAD, 4));
	CALL("FIONREAD", ioctl(fd, FIONREAD, BAD));
	close(fd);
	l = tcp_listener(5195);
	c = tcp_connect_to(l, 5195, &s);
	CALL("send", send(c, BAD, 4, 0));
	CALL("send NULL", send(c, NULL, 4, 0));
	CALL("send NULL of 0", send(c, NULL, 0, 0));
	CALL("write", write(c, BAD, 4));
	CALL("writev", writev(c, &iov, 1));
	CALL("writev vector", writev(c, BAD, 1));
	CALL("sendmsg", sendmsg(c, BAD, 0));
	CALL("sendmsg vector", sendmsg(c, &m, 0));
	CALL("sendmmsg", sendmmsg(c, BAD, 1, 0));
	CALL("send is whole", send(c, "abcd", 4, 0));
	await_bytes(s, 4);
	CALL("recv", recv(s, BAD, 4, 0));
	CALL("recv NULL", recv(s, NULL, 4, 0));
	CALL("read", read(s, BAD, 4));
	CALL("readv", readv(s, &iov, 1));
	CALL("recvmsg", recvmsg(s, BAD, 0));
	CALL("recvmmsg", recvmmsg(s, BAD, 1, 0, NULL));
	CALL("recvmsg vector", recvmsg(s, &m, 0));
	CALL("recvfrom address", recvfrom(s, buf, 1, MSG_PEEK, BAD, &len));
	CALL("recvfrom length", recvfrom(s, buf, 1, MSG_PEEK, (struct sockaddr *)&a, BAD));
	CALL("recvfrom NULL length", recvfrom(s, buf, 1, MSG_PEEK, (struct sockaddr *)&a, NULL));
	DATA("recv is whole", recv(s, buf, sizeof(buf), 0), buf);
	CALL("getpeername", getpeername(c, BAD, &len));
	CALL("getpeername length", getpeername(c, (struct sockaddr *)&a, BAD));
	CALL("FIONREAD of a connection", ioctl(c, FIONREAD, BAD));
	CALL("SIOCOUTQ", ioctl(c, TIOCOUTQ, BAD));
	CALL("FIONBIO", ioctl(c, FIONBIO, BAD));
	CALL("poll", poll(BAD, 1, 0));
	CALL("epoll_ctl", epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, c, BAD));
	close(c);
	close(s);
	nonblocking(l, true);
	c = tcp_socket();
	connect(c, SA(&a));
	await(l, POLLIN);
	len = sizeof(a);
	CALL("accept address", accept(l, BAD, &len));
	close(c);
	a = at("127.0.0.1", 5195);
	c = tcp_socket();
	connect(c, SA(&a));
	await(l, POLLIN);
	CALL("accept length", accept(l, (struct sockaddr *)&a, BAD));
	close(c);
	close(l);
}

static void datagram(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5196);
	struct iovec iov = { BAD, 4 }, good;
	struct msghdr m = { .msg_iov = BAD, .msg_iovlen = 1 };
	socklen_t len = sizeof(a);
	int x = udp_bound(5196), y = udp_socket();
	char buf[16];

	topic("datagram");
	CALL("sendto", sendto(y, BAD, 4, 0, SA(&a)));
	CALL("sendto address", sendto(y, "abcd", 4, 0, BAD, 16));
	CALL("sendto NULL", sendto(y, NULL, 4, 0, SA(&a)));
	connect(y, SA(&a));
	CALL("send", send(y, BAD, 4, 0));
	CALL("write", write(y, BAD, 4));
	CALL("writev", writev(y, &iov, 1));
	CALL("writev vector", writev(y, BAD, 1));
	CALL("sendmsg", sendmsg(y, BAD, 0));
	CALL("sendmsg vector", sendmsg(y, &m, 0));
	good = (struct iovec){ (void *)(uintptr_t)"x", 1 };
	m = (struct msghdr){ .msg_iov = &good, .msg_iovlen = 1, .msg_control = BAD, .msg_controllen = 64 };
	CALL("sendmsg control", sendmsg(y, &m, 0));
	m = (struct msghdr){ .msg_name = BAD, .msg_namelen = 16, .msg_iov = &good, .msg_iovlen = 1 };
	CALL("sendmsg name", sendmsg(y, &m, 0));
	CALL("sendmmsg", sendmmsg(y, BAD, 1, 0));
	CALL("nothing came", recv(x, buf, sizeof(buf), MSG_DONTWAIT));
	send(y, "one", 3, 0);
	send(y, "two", 3, 0);
	send(y, "three", 5, 0);
	send(y, "four", 4, 0);
	await(x, POLLIN);
	CALL("recvfrom length", recvfrom(x, buf, sizeof(buf), MSG_PEEK, (struct sockaddr *)&a, BAD));
	CALL("recvmsg", recvmsg(x, BAD, 0));
	m = (struct msghdr){ .msg_iov = BAD, .msg_iovlen = 1 };
	CALL("recvmsg vector", recvmsg(x, &m, 0));
	CALL("recvmmsg", recvmmsg(x, BAD, 1, 0, NULL));
	CALL("recv", recv(x, BAD, 4, MSG_PEEK));
	CALL("recvfrom address", recvfrom(x, buf, sizeof(buf), MSG_PEEK, BAD, &len));
	DATA("recv is whole", recv(x, buf, sizeof(buf), MSG_PEEK), buf);
	close(x);
	close(y);
}

void run(void)
{
	stream();
	datagram();
}
