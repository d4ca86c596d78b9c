/* SPDX-License-Identifier: MIT */
/* Vectors on connections: readv, writev, preadv2, pwritev2, sendmsg, recvmsg, sendmmsg, recvmmsg. */
#include "tests/diff/diff.h"

void run(void)
{
	static char big[3][40000], in[120000];
	char a[4], b[4], d[8];
	struct iovec out[4] = { { (void *)(uintptr_t)"one", 3 }, { NULL, 0 }, { (void *)(uintptr_t)"two", 3 },
				{ (void *)(uintptr_t)"x", 1 } };
	struct iovec into[3] = { { a, 4 }, { b, 4 }, { d, 8 } };
	struct iovec many[1025];
	struct mmsghdr v[3];
	int c, s, total = 0;
	struct msghdr m;

	tcp_pair(5971, &c, &s);
	CALL("writev", writev(c, out, 4));
	await_bytes(s, 7);
	CALL("readv", readv(s, into, 3));
	say("parts", "'%.4s' '%.3s'", a, b);
	CALL("writev of none", writev(c, out, 0));
	CALL("readv of none", readv(s, into, 0));
	CALL("writev of -1", writev(c, out, -1));
	CALL("readv of -1", readv(s, into, -1));
	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){ (void *)(uintptr_t)"m", 1 };
	CALL("writev of 1024", writev(c, many, 1024));
	CALL("writev of 1025", writev(c, many, 1025));
	CALL("readv of 1025", readv(s, many, 1025));
	await_bytes(s, 1024);
	CALL("recv of 1024", recv(s, in, sizeof(in), 0));
	out[0].iov_len = (size_t)-1;
	CALL("writev of too much", writev(c, out, 4));
	CALL("readv of too much", readv(s, &(struct iovec){ a, (size_t)-1 }, 1));
	out[0].iov_len = 3;
	CALL("pwritev2 at -1", pwritev2(c, out, 4, -1, 0));
	await_bytes(s, 7);
	CALL("preadv2 at -1", preadv2(s, into, 3, -1, 0));
	CALL("pwritev2 at 0", pwritev2(c, out, 4, 0, 0));
	CALL("preadv2 at 0", preadv2(s, into, 3, 0, 0));
	CALL("preadv2 with RWF_NOWAIT", preadv2(s, into, 3, -1, RWF_NOWAIT));
	CALL("pwritev2 with RWF_NOWAIT", pwritev2(c, out, 4, -1, RWF_NOWAIT));
	CALL("preadv2 with unknown flags", preadv2(s, into, 3, -1, 0x4000));
	CALL("preadv", preadv(s, into, 3, 0));
	CALL("pwritev", pwritev(c, out, 4, 0));
	while (await_bytes(s, 1) && recv(s, in, sizeof(in), MSG_DONTWAIT) > 0 && recv(s, in, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
		;
	for (int i = 0; i < 3; i++)
		out[i] = (struct iovec){ big[i], sizeof(big[i]) };
	memset(&m, 0, sizeof(m));
	m.msg_iov = out;
	m.msg_iovlen = 3;
	CALL("sendmsg of much", sendmsg(c, &m, 0));
	while (total < 120000) {
		ssize_t n = recv(s, in, sizeof(in), 0);

		if (n <= 0)
			break;
		total += (int)n;
	}
	say("received", "%d", total);
	memset(v, 0, sizeof(v));
	out[0] = (struct iovec){ (void *)(uintptr_t)"aa", 2 };
	out[1] = (struct iovec){ (void *)(uintptr_t)"bbb", 3 };
	for (int i = 0; i < 3; i++)
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &out[i % 2], .msg_iovlen = 1 };
	CALL("sendmmsg", sendmmsg(c, v, 3, 0));
	say("lengths", "%u %u %u", v[0].msg_len, v[1].msg_len, v[2].msg_len);
	await_bytes(s, 7);
	into[0] = (struct iovec){ a, 2 };
	into[1] = (struct iovec){ d, 8 };
	for (int i = 0; i < 3; i++) {
		memset(&v[i], 0, sizeof(v[i]));
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &into[i % 2], .msg_iovlen = 1 };
	}
	CALL("recvmmsg", recvmmsg(s, v, 3, MSG_DONTWAIT, NULL));
	say("lengths then", "%u %u", v[0].msg_len, v[1].msg_len);
	CALL("recvmmsg of nothing", recvmmsg(s, v, 3, MSG_DONTWAIT, NULL));
	shutdown(c, SHUT_WR);
	await(s, POLLRDHUP);
	CALL("readv at the end", readv(s, into, 2));
	CALL("recvmmsg at the end", recvmmsg(s, v, 1, MSG_DONTWAIT, NULL));
	CALL("writev after SHUT_WR", writev(c, out, 2));
	CALL("sendmmsg after SHUT_WR", sendmmsg(c, v, 2, 0));
	close(c);
	close(s);
	topic("fresh");
	c = tcp_socket();
	CALL("readv", readv(c, into, 2));
	CALL("writev", writev(c, out, 2));
	CALL("preadv2", preadv2(c, into, 2, -1, 0));
	CALL("pwritev2", pwritev2(c, out, 2, -1, 0));
	CALL("recvmmsg", recvmmsg(c, v, 2, 0, NULL));
	CALL("sendmmsg", sendmmsg(c, v, 2, 0));
	close(c);
	topic("udp");
	udp_pair(5972, &c, &s);
	CALL("writev", writev(c, out, 2));
	await(s, POLLIN);
	CALL("readv", readv(s, into, 2));
	CALL("pwritev2", pwritev2(c, out, 2, -1, 0));
	await(s, POLLIN);
	CALL("preadv2", preadv2(s, into, 2, -1, 0));
	CALL("writev of -1", writev(c, out, -1));
	CALL("writev of 1025", writev(c, many, 1025));
	CALL("readv of -1", readv(s, out, -1));
	CALL("pread", pread(s, a, 1, 0));
	close(c);
	close(s);
}
