/* SPDX-License-Identifier: MIT */
/* The host of inet_fixture.h with sockets on it, and short forms of the socket calls. */
#ifndef TESTS_UNIT_SOCK_FIXTURE_H
#define TESTS_UNIT_SOCK_FIXTURE_H

#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "tests/unit/inet_fixture.h"

#define LOOP INADDR_LOOPBACK

static const struct pernet_operations *const socket_layers[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops, &inet_pernet_ops, &route_pernet_ops,
	&ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops, &inet_hash_pernet_ops,
	&inet_port_pernet_ops, &inet_sock_pernet_ops, &udp_pernet_ops, &raw_pernet_ops, NULL,
};

static inline struct host sock_host_of(const struct pernet_operations *const *layers)
{
	const struct inet_addr own = ip4(OWN), self = ip4(INADDR_LOOPBACK);
	struct host h;

	h.net = fake_net_create(layers);
	CHECK_EQ(loopback_create(h.net, &h.lo), 0);
	CHECK_EQ(dev_open(h.lo), 0);
	h.eth = fake_dev_create(h.net, "eth0", 1);
	CHECK_EQ(inet_addr_add(h.net, h.lo, &self, 8, ACD_NONE), 0);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &own, 24, ACD_NONE), 0);
	CHECK_EQ(add_route4(&h, 0, 0, GATEWAY, 0), 0);
	know_neighbour(&h, PEER, peer_mac);
	know_neighbour(&h, GATEWAY, gateway_mac);
	return h;
}

static inline struct host sock_host_up(void)
{
	return sock_host_of(socket_layers);
}

static inline void sock_host_down(struct host *h)
{
	struct net *net = h->net;

	CHECK(sock_next(net, NULL) == NULL);
	fake_net_destroy(net);
}

static inline struct socket *make_socket(struct host *h, int type, int protocol)
{
	struct socket *s = NULL;

	CHECK_EQ(sock_create(h->net, AF_INET, type, protocol, &s), 0);
	return s;
}

static inline struct socket *udp_socket(struct host *h)
{
	return make_socket(h, SOCK_DGRAM, 0);
}

static inline struct sockaddr_in sin4(uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htobe16(port),
				   .sin_addr.s_addr = htobe32(addr) };

	return sin;
}

static inline int bind4(struct socket *s, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin4(addr, port);

	return sock_bind(s, (struct sockaddr *)&sin, sizeof(sin));
}

static inline int connect4(struct socket *s, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin4(addr, port);

	return sock_connect(s, (struct sockaddr *)&sin, sizeof(sin));
}

static inline int disconnect4(struct socket *s)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	return sock_connect(s, &sa, sizeof(sa));
}

/* "10.0.0.1:80" of one side, or "errno N"; a static buffer. */
static inline const char *name4(struct socket *s, bool peer)
{
	static char text[64];
	struct sockaddr_storage ss;
	struct sockaddr_in sin;
	int n = sock_getname(s, &ss, peer);
	uint32_t a;

	if (n < 0) {
		snprintf(text, sizeof(text), "errno %d", -n);
		return text;
	}
	CHECK_EQ(n, sizeof(sin));
	memcpy(&sin, &ss, sizeof(sin));
	a = be32toh(sin.sin_addr.s_addr);
	snprintf(text, sizeof(text), "%u.%u.%u.%u:%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255,
		 be16toh(sin.sin_port));
	return text;
}

static inline uint16_t port4(struct socket *s)
{
	return inet_sk(s->sk)->num;
}

static inline ssize_t send_flags(struct socket *s, const void *data, size_t len, unsigned int flags)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = flags };

	return sock_sendmsg(s, &msg);
}

static inline ssize_t send_to(struct socket *s, const void *data, size_t len, uint32_t addr, uint16_t port)
{
	struct sockaddr_in sin = sin4(addr, port);
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct sockaddr_storage ss;
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .name = &ss, .namelen = sizeof(sin) };

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &sin, sizeof(sin));
	return sock_sendmsg(s, &msg);
}

/* What a receive gave; data is terminated. */
struct got {
	ssize_t n;
	char data[70000];
	uint32_t addr;
	uint16_t port;
	unsigned int flags;
	size_t full_len, controllen;
	_Alignas(8) uint8_t control[512];
};

/* Into buffers of @size bytes; the answer is static. */
static inline struct got *receive_size(struct socket *s, unsigned int flags, size_t size)
{
	static struct got g;
	struct sockaddr_storage ss;
	struct sockaddr_in sin;
	struct iovec iov = { g.data, size };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = flags, .name = &ss,
				 .control = g.control, .control_size = sizeof(g.control) };

	memset(&g, 0, sizeof(g));
	memset(&ss, 0, sizeof(ss));
	g.n = sock_recvmsg(s, &msg);
	memcpy(&sin, &ss, sizeof(sin));
	g.addr = be32toh(sin.sin_addr.s_addr);
	g.port = be16toh(sin.sin_port);
	g.flags = msg.out_flags;
	g.full_len = msg.full_len;
	g.controllen = msg.controllen;
	return &g;
}

static inline struct got *receive(struct socket *s, unsigned int flags)
{
	return receive_size(s, flags, sizeof(((struct got *)0)->data) - 1);
}

/* The ancillary message of a kind; NULL when absent. */
static inline const void *find_cmsg(struct got *g, int level, int type, size_t len)
{
	struct msghdr mh = { .msg_control = g->control, .msg_controllen = g->controllen };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		if (c->cmsg_level == level && c->cmsg_type == type && c->cmsg_len == CMSG_LEN(len))
			return CMSG_DATA(c);
	}
	return NULL;
}

static inline int set_int(struct socket *s, int level, int name, int v)
{
	return sock_setsockopt(s, level, name, &v, sizeof(v));
}

/* The value, or the negative errno. */
static inline int get_int(struct socket *s, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);
	int err = sock_getsockopt(s, level, name, &v, &len);

	return err ? err : v;
}

static inline void inject_udp(struct host *h, uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport,
			      const char *text)
{
	struct pkt p = pkt_udp(saddr, sport, daddr, dport, text, strlen(text));

	pkt_inject(h->eth, &p);
}

/* An ICMP error from @from about a UDP datagram of ours. */
static inline void inject_icmp_about_udp(struct host *h, uint32_t from, uint8_t type, uint8_t code, uint32_t rest,
					 uint16_t sport, uint32_t daddr, uint16_t dport, const char *text)
{
	static uint8_t frame[PKT_MAX];
	struct pkt quoted = pkt_udp(OWN, sport, daddr, dport, text, strlen(text));
	size_t len = pkt_build(&quoted, frame);
	struct pkt p = pkt_icmp(from, OWN, type, code, rest, frame + ETH_HLEN, len - ETH_HLEN);

	pkt_inject(h->eth, &p);
}

static inline void count_wake(struct socket *s)
{
	++*(unsigned int *)s->user;
}

#endif
