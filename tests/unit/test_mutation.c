/* SPDX-License-Identifier: MIT */
/*
 * Frames damaged at random against a whole host with open sockets of every kind: nothing may crash,
 * hang or stay behind. The generator is seeded, so that each run is the same.
 */
#include "netif/netif.h"
#include "stack/core/neighbour.h"
#include "stack/core/socket.h"
#include "stack/inet/af_inet.h"
#include "stack/inet/arp.h"
#include "stack/inet/icmp.h"
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "stack/inet/ip.h"
#include "stack/tcp/tcp.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"

#define RUNS 10
#define FRAMES 30000 /* a run */
#define OWN PKT_IP(10, 0, 0, 1)
#define PEER PKT_IP(10, 0, 0, 2)

static const struct pernet_operations *const everything[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops, &inet_pernet_ops, &route_pernet_ops,
	&ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops, &inet_hash_pernet_ops,
	&inet_port_pernet_ops, &inet_sock_pernet_ops, &udp_pernet_ops, &raw_pernet_ops,
	&tcp_pernet_ops, NULL,
};

static const uint8_t own_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 0x99 };

struct lab {
	struct net *net;
	struct net_device *dev;
	uint32_t state;          /* of the generator */
	struct pkt last;         /* the last TCP segment from us */
	struct socket *socks[8];
	int count;
};

static uint32_t rnd(struct lab *l)
{
	l->state ^= l->state << 13;
	l->state ^= l->state >> 17;
	l->state ^= l->state << 5;
	return l->state;
}

static struct socket *open_socket(struct lab *l, int type, int proto, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htobe16(port) };
	struct socket *s;

	CHECK_EQ(sock_create(l->net, AF_INET, type, proto, &s), 0);
	if (port)
		CHECK_EQ(sock_bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	l->socks[l->count++] = s;
	return s;
}

static struct lab lab_up(uint32_t seed)
{
	const struct inet_addr own = inet_addr_v4(cpu_to_be32(OWN)), peer = inet_addr_v4(cpu_to_be32(PEER));
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htobe16(9), .sin_addr = { peer.v4 } };
	struct lab l = { .state = seed };
	struct neighbour *n;

	l.net = fake_net_create(everything);
	l.dev = fake_dev_create(l.net, "eth0", 1);
	CHECK_EQ(inet_addr_add(l.net, l.dev, &own, 24, ACD_NONE), 0);
	n = neigh_create(l.net, &peer, l.dev);
	CHECK(n != NULL);
	neigh_update(n, peer_mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE);
	CHECK_EQ(sock_listen(open_socket(&l, SOCK_STREAM, 0, 80), 16), 0);
	CHECK_EQ(sock_connect(open_socket(&l, SOCK_STREAM, 0, 5000), (struct sockaddr *)&sin, sizeof(sin)),
		 -EINPROGRESS);
	open_socket(&l, SOCK_DGRAM, 0, 53);
	open_socket(&l, SOCK_RAW, IPPROTO_ICMP, 0);
	open_socket(&l, SOCK_RAW, IPPROTO_TCP, 0);
	open_socket(&l, SOCK_DGRAM, IPPROTO_ICMP, 77);
	return l;
}

static void lab_down(struct lab *l)
{
	int i;

	for (i = 0; i < l->count; i++)
		sock_release(l->socks[i]);
	fake_dev_forget(l->dev);
	fake_advance_s(l->net, 300);
	fake_dev_forget(l->dev);
	fake_net_destroy(l->net);
}

/* Keeps an eye on what we send, to be able to answer it well now and then. */
static void watch(struct lab *l)
{
	struct pkt p;

	while (pkt_take(l->dev, &p))
		if (p.eth_type == ETH_P_IP && p.proto == IPPROTO_TCP && !p.frag_off)
			l->last = p;
	l->last.payload = NULL;
}

static struct pkt tcp_answer(struct lab *l)
{
	static const uint16_t flags[] = { TH_ACK, TH_ACK, TH_ACK | TH_PUSH, TH_FIN | TH_ACK, TH_RST,
					  TH_SYN | TH_ACK, TH_URG | TH_ACK, TH_SYN };
	static const uint8_t data[64] = "GET / HTTP/1.0\r\n\r\n";
	const struct pkt *o = &l->last;
	uint32_t advance = (uint32_t)o->payload_len + !!(o->flags & (TH_SYN | TH_FIN));
	struct pkt p = pkt_tcp(PEER, o->dport, OWN, o->sport, flags[rnd(l) % 8], o->ack, o->seq + advance);

	p.payload = data;
	p.payload_len = rnd(l) % 4 ? 0 : rnd(l) % sizeof(data);
	p.ts = o->ts;
	p.tsval = 1000 + rnd(l) % 100;
	p.tsecr = o->tsval;
	if (rnd(l) % 4 == 0) {
		p.sacks = 1;
		p.sack[0][0] = p.ack + rnd(l) % 3000;
		p.sack[0][1] = p.sack[0][0] + rnd(l) % 3000;
	}
	return p;
}

static struct pkt some_packet(struct lab *l)
{
	static uint8_t bytes[1500];
	const uint32_t r = rnd(l);
	struct pkt p;

	switch (r % 8) {
	case 0:
		p = pkt_tcp(PEER, (uint16_t)(1024 + r % 7), OWN, 80, TH_SYN, rnd(l), 0);
		p.mss = (uint16_t)(r >> 8);
		p.wscale = (int)(r >> 24 & 15);
		p.sackok = r >> 28 & 1;
		p.ts = r >> 29 & 1;
		return p;
	case 1:
	case 2:
	case 3:
		return tcp_answer(l);
	case 4:
		return pkt_udp(PEER, (uint16_t)r, OWN, 53, bytes, r >> 16 & 1023);
	case 5:
		return pkt_icmp(PEER, OWN, (uint8_t)(r >> 8 & 15), (uint8_t)(r >> 12 & 15), 77U << 16, bytes,
				r >> 16 & 255);
	case 6: /* an error about a TCP segment of ours */
		p = pkt_tcp(OWN, l->last.sport, PEER, l->last.dport, TH_ACK, l->last.seq, 1);
		memset(bytes, 0, 100);
		{
			uint8_t frame[100];
			const size_t len = pkt_build(&p, frame);

			memcpy(bytes, frame + 14, len - 14);
		}
		return pkt_icmp(PEER, OWN, r >> 8 & 1 ? 3 : 11, (uint8_t)(r >> 12 & 15), r >> 16, bytes, 40);
	default:
		p = pkt_udp(PEER, 9, OWN, 53, bytes, (r >> 8 & 31) * 8);
		p.frag_off = (uint16_t)((r >> 16 & 7) * 64);
		p.mf = r >> 20 & 1;
		p.id = (uint16_t)(r >> 24);
		return p;
	}
}

static uint32_t sum_words(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

/* Makes the checksums right again, so that the damage gets past them. */
static void mend(uint8_t *ip, size_t len)
{
	static const uint8_t field[256] = { [IPPROTO_TCP] = 16, [IPPROTO_UDP] = 6, [IPPROTO_ICMP] = 2 };
	const size_t hlen = (size_t)(ip[0] & 15) * 4;
	const uint8_t at = field[ip[9]];
	uint32_t sum;

	if (hlen < 20 || hlen > len)
		return;
	memset(ip + 10, 0, 2);
	put_sum(ip + 10, sum_words(0, ip, hlen));
	if (!at || hlen + at + 2 > len || ((ip[6] & 0x3f) | ip[7]))
		return;
	memset(ip + hlen + at, 0, 2);
	sum = sum_words(0, ip + hlen, len - hlen);
	if (ip[9] != IPPROTO_ICMP)
		sum = sum_words(sum + ip[9] + (uint32_t)(len - hlen), ip + 12, 8);
	put_sum(ip + hlen + at, sum);
}

static size_t damage(struct lab *l, uint8_t *frame, size_t len)
{
	uint32_t flips = rnd(l) % 4;

	while (flips--)
		frame[14 + rnd(l) % (len - 14)] = (uint8_t)rnd(l);
	if (rnd(l) % 16 == 0)
		len = 14 + rnd(l) % (len - 13);
	if (len >= 34 && rnd(l) % 8) {
		frame[16] = (uint8_t)((len - 14) >> 8);
		frame[17] = (uint8_t)(len - 14);
		mend(frame + 14, len - 14);
	}
	return len;
}

/* The program's side: takes what comes, sends a little, accepts and closes. */
static void use_sockets(struct lab *l)
{
	static uint8_t buf[3000];
	struct iovec iov = { buf, sizeof(buf) };
	struct sockaddr_storage name;
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .name = &name };
	struct socket *child;
	int i;

	for (i = 2; i < l->count; i++)
		while (sock_recvmsg(l->socks[i], &msg) >= 0)
			;
	while (sock_accept(l->socks[0], &child) == 0) {
		msg.name = NULL;
		msg.namelen = 0;
		sock_sendmsg(child, &msg);
		sock_recvmsg(child, &msg);
		if (rnd(l) % 2)
			sock_shutdown(child, SHUT_WR);
		sock_release(child);
	}
}

static void run(struct lab *l)
{
	static uint8_t frame[PKT_MAX];
	uint32_t i;

	for (i = 0; i < FRAMES; i++) {
		struct pkt p = some_packet(l);
		size_t len;

		memcpy(p.eth_dst, own_mac, 6);
		memcpy(p.eth_src, peer_mac, 6);
		len = pkt_build(&p, frame);
		if (rnd(l) % 4)
			len = damage(l, frame, len);
		fake_dev_inject(l->dev, frame, len);
		watch(l);
		if (i % 8 == 0)
			use_sockets(l);
		if (i % 32 == 0)
			fake_advance_ms(l->net, 1U << rnd(l) % 13);
	}
}

TEST(test_damaged_frames_against_a_whole_host)
{
	uint32_t seed;

	for (seed = 1; seed <= RUNS; seed++) {
		struct lab l = lab_up(seed * 2654435761U);

		run(&l);
		CHECK_GT(l.net->mib[MIB_TcpPassiveOpens], 100);
		CHECK_GT(l.net->mib[MIB_UdpInDatagrams], 1000);
		CHECK_GT(l.net->mib[MIB_IcmpInDestUnreachs], 300);
		lab_down(&l);
	}
}
