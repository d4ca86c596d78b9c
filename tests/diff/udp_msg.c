/* SPDX-License-Identifier: MIT */
/* sendmsg() and recvmsg() with datagrams: vectors, names, ancillary data, flags; sendmmsg() and recvmmsg(). */
#include "tests/diff/diff.h"

#include <linux/errqueue.h>

static char bytes[256];
static union {
	struct cmsghdr align;
	char room[512];
} control;

static void say_control(const char *label, struct msghdr *m)
{
	char text[512] = "";
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, " [level %d type %d length %zu", c->cmsg_level,
				      c->cmsg_type, (size_t)c->cmsg_len);
		if (c->cmsg_level == IPPROTO_IP && (c->cmsg_type == IP_TTL || c->cmsg_type == IP_TOS)) {
			int value = 0;

			memcpy(&value, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < 4 ? c->cmsg_len - CMSG_LEN(0) : 4);
			n += (size_t)snprintf(text + n, sizeof(text) - n, " value %d", value);
		}
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo p;
			char ip[2][INET_ADDRSTRLEN];

			memcpy(&p, CMSG_DATA(c), sizeof(p));
			n += (size_t)snprintf(text + n, sizeof(text) - n, " index %d %s %s", p.ipi_ifindex,
					      inet_ntop(AF_INET, &p.ipi_spec_dst, ip[0], sizeof(ip[0])),
					      inet_ntop(AF_INET, &p.ipi_addr, ip[1], sizeof(ip[1])));
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "]");
	}
	say(label, "length %zu flags %#x%s", m->msg_controllen, (unsigned int)m->msg_flags, text);
}

static struct msghdr *receiver(struct sockaddr_in *from, size_t room, size_t croom)
{
	static struct iovec iov;
	static struct msghdr m;

	iov = (struct iovec){ bytes, room };
	m = (struct msghdr){ .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = &control, .msg_controllen = croom, .msg_flags = 0x5555 };
	memset(bytes, 0, sizeof(bytes));
	return &m;
}

static void plain(void)
{
	struct iovec out[3] = { { (void *)(uintptr_t)"ab", 2 }, { NULL, 0 }, { (void *)(uintptr_t)"cde", 3 } };
	struct sockaddr_in to = at("127.0.0.1", 6301), from;
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = out, .msg_iovlen = 3 }, *r;
	int a = udp_bound(6301), b = udp_bound(6302);

	topic("plain");
	CALL("sendmsg", sendmsg(b, &m, 0));
	await(a, POLLIN);
	r = receiver(&from, 100, sizeof(control));
	DATA("recvmsg", recvmsg(a, r, 0), bytes);
	say("name", "%s", addr_text(&from, r->msg_namelen));
	say_control("control", r);
	sendmsg(b, &m, 0);
	r = receiver(&from, 3, 0);
	r->msg_control = NULL;
	DATA("into too little", recvmsg(a, r, 0), bytes);
	say_control("flags then", r);
	sendmsg(b, &m, 0);
	r = receiver(&from, 3, 0);
	DATA("into too little with MSG_TRUNC", recvmsg(a, r, MSG_TRUNC), bytes);
	say_control("flags of that", r);
	sendmsg(b, &m, 0);
	r = receiver(NULL, 100, 0);
	r->msg_namelen = 0;
	DATA("without a name", recvmsg(a, r, MSG_PEEK), bytes);
	say("name's length", "%u", (unsigned int)r->msg_namelen);
	r = receiver(&from, 100, 0);
	r->msg_namelen = 5;
	DATA("with a short name", recvmsg(a, r, 0), bytes);
	say("its length", "%u", (unsigned int)r->msg_namelen);
	CALL("recvmsg of nothing", recvmsg(a, r, MSG_DONTWAIT));
	m.msg_iovlen = 0;
	CALL("sendmsg of no vector", sendmsg(b, &m, 0));
	await(a, POLLIN);
	CALL("recvmsg of it", recvmsg(a, receiver(&from, 100, 0), MSG_DONTWAIT));
	m.msg_iovlen = 1025;
	CALL("sendmsg of 1025 vectors", sendmsg(b, &m, 0));
	m.msg_iovlen = 3;
	m.msg_namelen = 8;
	CALL("sendmsg with a short name", sendmsg(b, &m, 0));
	m.msg_name = NULL;
	m.msg_namelen = 0;
	CALL("sendmsg without a name", sendmsg(b, &m, 0));
	close(a);
	close(b);
}

static void ancillary(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6303), from;
	int a = udp_bound(6303), b = udp_bound(6304), one = 1, ttl = 33, tos = 0x10;
	static const int names[] = { IP_RECVTTL, IP_RECVTOS, IP_PKTINFO };
	char label[32];
	struct msghdr *r;

	topic("ancillary");
	setsockopt(b, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	setsockopt(b, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	for (int i = 0; i < 3; i++) {
		snprintf(label, sizeof(label), "option %d", names[i]);
		CALL(label, setsockopt(a, IPPROTO_IP, names[i], &one, sizeof(one)));
		sendto(b, "x", 1, 0, SA(&to));
		await(a, POLLIN);
		r = receiver(&from, 100, sizeof(control));
		recvmsg(a, r, MSG_DONTWAIT);
		snprintf(label, sizeof(label), "control %d", names[i]);
		say_control(label, r);
	}
	sendto(b, "x", 1, 0, SA(&to));
	await(a, POLLIN);
	r = receiver(&from, 100, CMSG_SPACE(sizeof(int)));
	recvmsg(a, r, MSG_DONTWAIT);
	say_control("room for one", r);
	sendto(b, "x", 1, 0, SA(&to));
	await(a, POLLIN);
	r = receiver(&from, 100, 10);
	recvmsg(a, r, MSG_DONTWAIT);
	say("room for none", "%zu %#x", r->msg_controllen, (unsigned int)r->msg_flags);
	close(a);
	close(b);
}

static void ancillary_out(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6305), from;
	int a = udp_bound(6305), b = udp_socket(), one = 1, value;
	struct iovec out = { (void *)(uintptr_t)"x", 1 };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &out, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int)) }, *r;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	topic("ancillary out");
	setsockopt(a, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one));
	setsockopt(a, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	for (int i = 0; i < 6; i++) {
		static const struct {
			const char *name;
			int level, type, value;
		} kinds[] = {
			{ "TTL", IPPROTO_IP, IP_TTL, 7 }, { "TOS", IPPROTO_IP, IP_TOS, 8 }, { "bad TTL", IPPROTO_IP, IP_TTL, 300 },
			{ "unknown type", IPPROTO_IP, 99, 1 }, { "other level", IPPROTO_TCP, 1, 1 },
			{ "unknown SOL_SOCKET", SOL_SOCKET, 99, 1 },
		};
		char label[64];

		memset(&control, 0, sizeof(control));
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		c->cmsg_level = kinds[i].level;
		c->cmsg_type = kinds[i].type;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		value = kinds[i].value;
		memcpy(CMSG_DATA(c), &value, sizeof(value));
		snprintf(label, sizeof(label), "send %s", kinds[i].name);
		if (CALL(label, sendmsg(b, &m, 0)) < 0)
			continue;
		await(a, POLLIN);
		r = receiver(&from, 100, sizeof(control));
		recvmsg(a, r, MSG_DONTWAIT);
		snprintf(label, sizeof(label), "recv %s", kinds[i].name);
		say_control(label, r);
	}
	memset(&control, 0, sizeof(control));
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_TTL;
	c->cmsg_len = 3;
	m.msg_controllen = sizeof(struct cmsghdr);
	CALL("a length too small", sendmsg(b, &m, 0));
	c->cmsg_len = 500;
	CALL("a length too large", sendmsg(b, &m, 0));
	close(a);
	close(b);
}

static void many(void)
{
	struct sockaddr_in to = at("127.0.0.1", 6306), from[4];
	int a = udp_bound(6306), b = udp_bound(6307), n;
	char text[4][8];
	struct iovec out[4], in[4];
	struct mmsghdr v[4];
	struct timespec none = { 0, 0 };

	topic("many");
	memset(v, 0, sizeof(v));
	for (int i = 0; i < 4; i++) {
		snprintf(text[i], sizeof(text[i]), "no%d", i);
		out[i] = (struct iovec){ text[i], (size_t)(3 - i % 2) };
		v[i].msg_hdr = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &out[i],
						.msg_iovlen = 1 };
	}
	CALL("sendmmsg", sendmmsg(b, v, 4, 0));
	say("lengths sent", "%u %u %u %u", v[0].msg_len, v[1].msg_len, v[2].msg_len, v[3].msg_len);
	v[2].msg_hdr.msg_namelen = 3;
	CALL("sendmmsg, third wrong", sendmmsg(b, v, 4, 0));
	CALL("sendmmsg, first wrong", sendmmsg(b, v + 2, 2, 0));
	CALL("sendmmsg of none", sendmmsg(b, v, 0, 0));
	memset(v, 0, sizeof(v));
	for (int i = 0; i < 4; i++) {
		in[i] = (struct iovec){ bytes + 8 * i, 8 };
		v[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &in[i],
						.msg_iovlen = 1 };
	}
	CALL("recvmmsg of 4", recvmmsg(a, v, 4, 0, NULL));
	say("lengths", "%u %u %u %u", v[0].msg_len, v[1].msg_len, v[2].msg_len, v[3].msg_len);
	say("from", "%s", addr_text(&from[3], v[3].msg_hdr.msg_namelen));
	/* The second may be on its way still when the first is there. */
	n = recvmmsg(a, v, 4, MSG_WAITFORONE, NULL);
	if (n == 1)
		n += recvmmsg(a, v, 4, MSG_WAITFORONE, NULL);
	say("recvmmsg WAITFORONE", "%d", n);
	CALL("recvmmsg of nothing", recvmmsg(a, v, 4, MSG_DONTWAIT, NULL));
	sendto(b, "z", 1, 0, SA(&to));
	CALL("recvmmsg with no time", recvmmsg(a, v, 4, 0, &none));
	none.tv_nsec = -1;
	CALL("recvmmsg with a bad time", recvmmsg(a, v, 4, MSG_DONTWAIT, &none));
	CALL("recvmmsg of none", recvmmsg(a, v, 0, MSG_DONTWAIT, NULL));
	close(a);
	close(b);
}

/* IP_RECVERR: the error queue. */
static void error_queue(void)
{
	struct sockaddr_in nobody = at("127.0.0.1", 6399), from;
	int fd = udp_socket(), one = 1;
	struct msghdr *r;

	topic("error queue");
	CALL("IP_RECVERR", setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)));
	CALL("sendto", sendto(fd, "lost", 4, 0, SA(&nobody)));
	await(fd, POLLERR);
	say_poll("poll", fd, POLLIN | POLLOUT);
	r = receiver(&from, 100, sizeof(control));
	DATA("recvmsg", recvmsg(fd, r, MSG_ERRQUEUE), bytes);
	say("name", "%s", addr_text(&from, r->msg_namelen));
	say("flags", "%#x", (unsigned int)r->msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(r); c; c = CMSG_NXTHDR(r, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
			struct sock_extended_err e;

			memcpy(&e, CMSG_DATA(c), sizeof(e));
			say("error", "%s origin %u type %u code %u info %u data %u", errno_name((int)e.ee_errno), e.ee_origin,
			    e.ee_type, e.ee_code, e.ee_info, e.ee_data);
		}
	CALL("recvmsg again", recvmsg(fd, receiver(&from, 100, sizeof(control)), MSG_ERRQUEUE));
	CALL("recv", recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	CALL("sendto again", sendto(fd, "lost", 4, 0, SA(&nobody)));
	await(fd, POLLERR);
	CALL("recv takes the error", recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
	r = receiver(&from, 2, sizeof(control));
	DATA("recvmsg of the rest", recvmsg(fd, r, MSG_ERRQUEUE), bytes);
	say("flags of the rest", "%#x", (unsigned int)r->msg_flags);
	close(fd);
}

void run(void)
{
	plain();
	ancillary();
	ancillary_out();
	many();
	error_queue();
}
