/* SPDX-License-Identifier: MIT */
/* Classic BPF: what is a program, and what each instruction does. */
#include "stack/core/filter.h"
#include "tests/unit/packet_fixture.h"

#define LD_(size, mode, k) BPF_STMT(BPF_LD | (size) | (mode), (uint32_t)(k))
#define RET_A BPF_STMT(BPF_RET | BPF_A, 0)
#define RET_K(k) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(k))

enum { MOST = 8 };

struct program {
	const char *what;
	size_t len;
	struct sock_filter insns[MOST];
	uint32_t want;
};

/* The packet 10 11 12 13 45 ... behind 14 bytes of link header, in two pieces. */
static const uint8_t bytes[] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
				 0x10, 0x11, 0x12, 0x13, 0x45, 0x00 };

static uint32_t run(struct host *h, const struct program *p)
{
	struct socket *s = packet_socket(h, SOCK_RAW, 0);
	struct packet_view view = {
		.part = { { (void *)(uintptr_t)bytes, 15 }, { NULL, 0 }, { (void *)(uintptr_t)(bytes + 15), 5 } },
		.len = sizeof(bytes), .start = 14, .network = 14, .protocol = cpu_to_be16(ETH_P_IP),
		.pkt_type = PACKET_OUTGOING, .mark = 77, .net = h->net, .dev = h->eth,
	};
	uint32_t got;

	CHECK_MSG(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, p->insns,
				  (socklen_t)(p->len * sizeof(p->insns[0]))) == 0, "refused: %s", p->what);
	got = sk_filter_run(s->sk->filter, &view);
	sock_release(s);
	return got;
}

TEST(test_filter_instructions)
{
	static const struct program programs[] = {
		{ "constant", 1, { RET_K(5) }, 5 },
		{ "word", 2, { LD_(BPF_W, BPF_ABS, 0), RET_A }, 0x10111213 },
		{ "half word across the pieces", 2, { LD_(BPF_H, BPF_ABS, 0), RET_A }, 0x1011 },
		{ "byte", 2, { LD_(BPF_B, BPF_ABS, 4), RET_A }, 0x45 },
		{ "beyond the end", 2, { LD_(BPF_W, BPF_ABS, 3), RET_K(1) }, 0 },
		{ "far beyond the end", 2, { LD_(BPF_B, BPF_ABS, 0x7fffffff), RET_K(1) }, 0 },
		{ "indirect", 3, { BPF_STMT(BPF_LDX | BPF_IMM, 2), LD_(BPF_H, BPF_IND, 1), RET_A }, 0x1345 },
		{ "indirect, far", 3, { BPF_STMT(BPF_LDX | BPF_IMM, 0xffffffff), LD_(BPF_H, BPF_IND, 1), RET_K(1) }, 0 },
		{ "length", 2, { LD_(BPF_W, BPF_LEN, 0), RET_A }, 6 },
		{ "header length", 3, { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 4), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET_A }, 20 },
		{ "link header", 2, { LD_(BPF_W, BPF_ABS, SKF_LL_OFF + 12), RET_A }, 0xacad1011 },
		{ "network header", 2, { LD_(BPF_H, BPF_ABS, SKF_NET_OFF + 2), RET_A }, 0x1213 },
		{ "protocol", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), RET_A }, ETH_P_IP },
		{ "packet type", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), RET_A }, PACKET_OUTGOING },
		{ "interface", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), RET_A }, 2 },
		{ "kind of link", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_HATYPE), RET_A }, ARPHRD_ETHER },
		{ "mark", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_MARK), RET_A }, 77 },
		{ "VLAN tag", 2, { LD_(BPF_B, BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), RET_A }, 0 },
		{ "memory", 4, { LD_(BPF_W, BPF_IMM, 9), BPF_STMT(BPF_ST, 15), LD_(BPF_W, BPF_MEM, 15), RET_A }, 9 },
		{ "sum", 3, { LD_(BPF_W, BPF_IMM, 9), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4), RET_A }, 13 },
		{ "negative", 4, { LD_(BPF_W, BPF_IMM, 1), BPF_STMT(BPF_ALU | BPF_NEG, 0), RET_A }, UINT32_MAX },
		{ "remainder", 3, { LD_(BPF_W, BPF_IMM, 9), BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 4), RET_A }, 1 },
		{ "division by a zero in X", 4, { BPF_STMT(BPF_LDX | BPF_IMM, 0), LD_(BPF_W, BPF_IMM, 9),
			BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET_A }, 0 },
		{ "shift", 3, { LD_(BPF_W, BPF_IMM, 9), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4), RET_A }, 144 },
		{ "jump taken", 4, { LD_(BPF_W, BPF_IMM, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 1, 0), RET_K(1), RET_K(2) }, 2 },
		{ "jump not taken", 4, { LD_(BPF_W, BPF_IMM, 9), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 9, 1, 0), RET_K(1), RET_K(2) }, 1 },
		{ "jump on bits", 4, { LD_(BPF_W, BPF_IMM, 9), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 8, 1, 0), RET_K(1), RET_K(2) }, 2 },
		{ "jump always", 3, { BPF_STMT(BPF_JMP | BPF_JA, 1), RET_K(1), RET_K(2) }, 2 },
	};
	struct host h = packet_host_up();

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct program p = programs[i];

		while (p.len > 1 && BPF_CLASS(p.insns[p.len - 1].code) != BPF_RET)
			p.len--;
		CHECK_MSG(run(&h, &p) == p.want, "%s: got %x, wanted %x", p.what, run(&h, &p), p.want);
	}
	sock_host_down(&h);
}

TEST(test_filter_refused_programs)
{
	static const struct program programs[] = {
		{ "nothing", 0, { RET_K(0) }, 0 },
		{ "no return at the end", 1, { LD_(BPF_W, BPF_IMM, 9) }, 0 },
		{ "jump behind the end", 2, { BPF_STMT(BPF_JMP | BPF_JA, 1), RET_K(1) }, 0 },
		{ "branch behind the end", 2, { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 1, 0), RET_K(1) }, 0 },
		{ "jump backward", 2, { BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET_K(1) }, 0 },
		{ "division by zero", 2, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A }, 0 },
		{ "shift by 32", 2, { BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 32), RET_A }, 0 },
		{ "cell 16", 2, { BPF_STMT(BPF_ST, 16), RET_A }, 0 },
		{ "cell not stored", 2, { LD_(BPF_W, BPF_MEM, 3), RET_A }, 0 },
		{ "cell stored on one way only", 5, { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 1, 0), BPF_STMT(BPF_ST, 3),
			LD_(BPF_W, BPF_MEM, 3), RET_A, RET_A }, 0 },
		{ "unknown instruction", 2, { BPF_STMT(0x50f8, 0), RET_A }, 0 },
		{ "netlink attribute", 2, { LD_(BPF_W, BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR), RET_A }, 0 },
		{ "return of X", 1, { BPF_STMT(BPF_RET | BPF_X, 0) }, 0 },
	};
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0);

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		CHECK_MSG(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, programs[i].insns,
					  (socklen_t)(programs[i].len * sizeof(struct sock_filter))) == -EINVAL,
			  "not refused: %s", programs[i].what);
	CHECK(!s->sk->filter);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, programs[0].insns, 7), -EINVAL);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_filter_options)
{
	static const struct sock_filter none[] = { RET_K(0) };
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0), *ping = make_socket(&h, SOCK_DGRAM, IPPROTO_ICMP);

	CHECK_EQ(get_int(s, SOL_SOCKET, 48), 64); /* SO_BPF_EXTENSIONS */
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_DETACH_FILTER, 0), -ENOENT);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, none, sizeof(none)), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_DETACH_FILTER, 0), 0);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, none, sizeof(none)), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_LOCK_FILTER), 0);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
	CHECK_EQ(get_int(s, SOL_SOCKET, SO_LOCK_FILTER), 1);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_LOCK_FILTER, 0), -EPERM);
	CHECK_EQ(set_int(s, SOL_SOCKET, SO_DETACH_FILTER, 0), -EPERM);
	CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, none, sizeof(none)), -EPERM);
	CHECK_EQ(sock_setsockopt(ping, SOL_SOCKET, SO_ATTACH_FILTER, none, sizeof(none)), -ENOPROTOOPT);
	sock_release(s);
	sock_release(ping);
	sock_host_down(&h);
}

TEST(test_filter_of_raw_and_udp_sockets)
{
	static const struct sock_filter long_ones[] = {
		LD_(BPF_W, BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 30, 0, 1), RET_K(24), RET_K(0),
	};
	static const struct sock_filter port_7[] = {
		LD_(BPF_H, BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1), RET_K(1), RET_K(0),
	};
	struct host h = packet_host_up();
	struct socket *raw = make_socket(&h, SOCK_RAW, 253), *udp = udp_socket(&h);
	struct sockaddr_in sin = sin4(OWN, 9);
	struct pkt p = plain_packet(PEER, OWN, 10);

	CHECK_EQ(sock_setsockopt(raw, SOL_SOCKET, SO_ATTACH_FILTER, long_ones, sizeof(long_ones)), 0);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(raw, 0)->n, -EAGAIN);
	p = plain_packet(PEER, OWN, 20);
	pkt_inject(h.eth, &p);
	CHECK_EQ(receive(raw, 0)->n, 24);
	CHECK_EQ(sock_bind(udp, (struct sockaddr *)(void *)&sin, sizeof(sin)), 0);
	CHECK_EQ(sock_setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, port_7, sizeof(port_7)), 0);
	inject_udp(&h, PEER, 8, OWN, 9, "refused");
	CHECK_EQ(receive(udp, 0)->n, -EAGAIN);
	CHECK_EQ(h.net->drops[SKB_DROP_SOCKET_FILTER], 1);
	inject_udp(&h, PEER, 7, OWN, 9, "cut behind the header");
	CHECK_EQ(receive(udp, 0)->n, 0);
	sock_release(raw);
	sock_release(udp);
	sock_host_down(&h);
}
