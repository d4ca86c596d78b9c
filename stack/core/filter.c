/* SPDX-License-Identifier: MIT */
/*
 * filter.c - classic BPF on packets, as SO_ATTACH_FILTER takes it
 *
 * A program is checked once, when it is attached: known instructions only, jumps forward and inside, no
 * division by a constant zero, no shift of 32 or more, every cell of the memory stored before it is
 * loaded on each path, a return at the end. So running it needs no check but the packet's bounds, and
 * ends after at most as many steps as it has instructions.
 *
 * A load beyond the packet ends the program with 0, "drop". Negative offsets are Linux's: SKF_LL_OFF and
 * SKF_NET_OFF count from the link and the network header, SKF_AD_OFF names what is known besides the
 * bytes. tcpdump's filters use the latter for VLAN tags, of which no frame of ours has one out of band.
 * What we know nothing about (netlink attributes, SKF_AD_PAY_OFFSET) is refused at attaching.
 *
 * Read first: McCanne and Jacobson, The BSD Packet Filter (USENIX 1993); linux/filter.h for the numbers.
 */
#include <linux/filter.h>

#include "stack/core/filter.h"

#include "stack/core/dev.h"
#include "stack/core/sock.h"

#ifndef SKF_AD_VLAN_TPID
#define SKF_AD_VLAN_TPID 60
#endif

struct sk_filter {
	uint16_t len; /* instructions */
	struct sock_filter insns[];
};

/* --- checking --------------------------------------------------------------------------------- */

static bool load_ok(const struct sock_filter *in)
{
	switch (in->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		break;
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_B | BPF_MSH:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return in->k < BPF_MEMWORDS;
	default:
		return false;
	}
	if (in->k < (uint32_t)SKF_AD_OFF)
		return true;
	switch (in->k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_IFINDEX:
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_HATYPE:
	case SKF_AD_RXHASH:
	case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_VLAN_TPID:
	case SKF_AD_RANDOM: return true;
	default: return false;
	}
}

static bool alu_ok(const struct sock_filter *in)
{
	if (in->code & ~(BPF_ALU | 0xf0 | BPF_X))
		return false;
	switch (BPF_OP(in->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR: return true;
	case BPF_NEG: return BPF_SRC(in->code) == BPF_K;
	case BPF_DIV:
	case BPF_MOD: return BPF_SRC(in->code) == BPF_X || in->k;
	case BPF_LSH:
	case BPF_RSH: return BPF_SRC(in->code) == BPF_X || in->k < 32;
	default: return false;
	}
}

/* @left: instructions behind this one. */
static bool jump_ok(const struct sock_filter *in, size_t left)
{
	if (in->code == (BPF_JMP | BPF_JA))
		return in->k < left;
	switch (in->code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET: return in->jt < left && in->jf < left;
	default: return false;
	}
}

static bool instruction_ok(const struct sock_filter *in, size_t left)
{
	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: return load_ok(in);
	case BPF_ALU: return alu_ok(in);
	case BPF_JMP: return jump_ok(in, left);
	case BPF_RET: return in->code == (BPF_RET | BPF_K) || in->code == (BPF_RET | BPF_A);
	default: return in->code == (BPF_MISC | BPF_TAX) || in->code == (BPF_MISC | BPF_TXA);
	}
}

/* Hands the set of stored cells on to the instructions that may come next. */
static void pass_on(uint16_t *sets, const struct sock_filter *in, size_t i, uint16_t set)
{
	if (BPF_CLASS(in->code) == BPF_RET)
		return;
	if (in->code == (BPF_JMP | BPF_JA)) {
		sets[i + 1 + in->k] &= set;
	} else if (BPF_CLASS(in->code) == BPF_JMP) {
		sets[i + 1 + in->jt] &= set;
		sets[i + 1 + in->jf] &= set;
	} else {
		sets[i + 1] &= set;
	}
}

/* Is each cell stored before it is loaded, whatever way the jumps go? Jumps only lead forward. */
static int check_memory(const struct sk_filter *f)
{
	uint16_t *sets = malloc((f->len + 1U) * sizeof(*sets)), set;
	int err = 0;

	if (!sets)
		return -ENOMEM;
	memset(sets, 0xff, f->len * sizeof(*sets));
	sets[0] = 0;
	for (size_t i = 0; i < f->len && !err; i++) {
		const struct sock_filter *in = &f->insns[i];

		set = sets[i];
		if (BPF_CLASS(in->code) == BPF_ST || BPF_CLASS(in->code) == BPF_STX)
			set |= (uint16_t)(1U << in->k);
		else if ((in->code == (BPF_LD | BPF_MEM) || in->code == (BPF_LDX | BPF_MEM)) &&
			 !(set >> in->k & 1))
			err = -EINVAL;
		pass_on(sets, in, i, set);
	}
	free(sets);
	return err;
}

static int check_program(const struct sk_filter *f)
{
	for (size_t i = 0; i < f->len; i++)
		if (!instruction_ok(&f->insns[i], f->len - i - 1U))
			return -EINVAL;
	if (BPF_CLASS(f->insns[f->len - 1].code) != BPF_RET)
		return -EINVAL;
	return check_memory(f);
}

/* --- running ---------------------------------------------------------------------------------- */

struct machine {
	const struct packet_view *view;
	uint32_t a, x, mem[BPF_MEMWORDS];
};

/**
 * packet_view_copy() - read bytes of a packet across its parts
 * @view:    packet
 * @offset:  from its first byte
 * @to:      where to
 * @len:     bytes
 *
 * Return:  false when the packet ends before
 */
bool packet_view_copy(const struct packet_view *view, uint32_t offset, void *to, uint32_t len)
{
	uint8_t *out = to;

	if (offset > view->len || len > view->len - offset)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(view->part) && len; i++) {
		uint32_t size = (uint32_t)view->part[i].iov_len, n;

		if (offset >= size) {
			offset -= size;
			continue;
		}
		n = MIN(len, size - offset);
		memcpy(out, (const uint8_t *)view->part[i].iov_base + offset, n);
		out += n;
		len -= n;
		offset = 0;
	}
	return true;
}

/* Linux's negative offsets, and what counts from the start: a place in the view, or false. */
static bool find_place(const struct packet_view *v, uint32_t k, uint64_t index, uint64_t *place)
{
	int64_t at = (int64_t)(int32_t)k + (int64_t)index;

	if ((int32_t)k >= 0)
		*place = (uint64_t)v->start + k + index;
	else if (at >= SKF_NET_OFF)
		*place = (uint64_t)v->network + (uint64_t)(at - SKF_NET_OFF);
	else if (at >= SKF_LL_OFF)
		*place = (uint64_t)(at - SKF_LL_OFF);
	else
		return false;
	return *place <= UINT32_MAX;
}

static bool load(const struct machine *m, uint16_t size, uint32_t k, uint32_t index, uint32_t *value)
{
	uint32_t bytes = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;
	uint8_t raw[4] = { 0 };
	uint64_t place;

	if (!find_place(m->view, k, index, &place) || !packet_view_copy(m->view, (uint32_t)place, raw, bytes))
		return false;
	*value = 0;
	for (uint32_t i = 0; i < bytes; i++)
		*value = *value << 8 | raw[i];
	return true;
}

static uint32_t ancillary(struct machine *m, uint32_t what)
{
	const struct packet_view *v = m->view;

	switch (what) {
	case SKF_AD_PROTOCOL: return be16_to_cpu(v->protocol);
	case SKF_AD_PKTTYPE: return v->pkt_type;
	case SKF_AD_IFINDEX: return v->dev ? (uint32_t)v->dev->ifindex : 0;
	case SKF_AD_HATYPE: return v->dev ? v->dev->type : 0;
	case SKF_AD_MARK: return v->mark;
	case SKF_AD_ALU_XOR_X: return m->a ^ m->x;
	case SKF_AD_RANDOM: return random_u32(&v->net->random);
	default: return 0; /* no VLAN tag, one queue, one processor, no hash */
	}
}

static bool run_load(struct machine *m, const struct sock_filter *in)
{
	uint8_t byte;
	uint32_t v;

	switch (in->code) {
	case BPF_LD | BPF_IMM: m->a = in->k; return true;
	case BPF_LDX | BPF_IMM: m->x = in->k; return true;
	case BPF_LD | BPF_MEM: m->a = m->mem[in->k]; return true;
	case BPF_LDX | BPF_MEM: m->x = m->mem[in->k]; return true;
	case BPF_LD | BPF_W | BPF_LEN: m->a = m->view->len - m->view->start; return true;
	case BPF_LDX | BPF_W | BPF_LEN: m->x = m->view->len - m->view->start; return true;
	case BPF_LDX | BPF_B | BPF_MSH:
		if (!load(m, BPF_B, in->k, 0, &v))
			return false;
		byte = (uint8_t)v;
		m->x = (uint32_t)(byte & 0xf) << 2;
		return true;
	default: break;
	}
	if (BPF_MODE(in->code) == BPF_IND)
		return load(m, BPF_SIZE(in->code), in->k, m->x, &m->a);
	if (in->k >= (uint32_t)SKF_AD_OFF) {
		m->a = ancillary(m, in->k - (uint32_t)SKF_AD_OFF);
		return true;
	}
	return load(m, BPF_SIZE(in->code), in->k, 0, &m->a);
}

/* False: division by zero, which ends the program. */
static bool run_alu(struct machine *m, const struct sock_filter *in)
{
	uint32_t v = BPF_SRC(in->code) == BPF_X ? m->x : in->k;

	switch (BPF_OP(in->code)) {
	case BPF_ADD: m->a += v; break;
	case BPF_SUB: m->a -= v; break;
	case BPF_MUL: m->a *= v; break;
	case BPF_OR: m->a |= v; break;
	case BPF_AND: m->a &= v; break;
	case BPF_XOR: m->a ^= v; break;
	case BPF_NEG: m->a = -m->a; break;
	case BPF_LSH: m->a = m->a << (v & 31); break;
	case BPF_RSH: m->a = m->a >> (v & 31); break;
	default:
		if (!v)
			return false;
		m->a = BPF_OP(in->code) == BPF_DIV ? m->a / v : m->a % v;
		break;
	}
	return true;
}

/* How many instructions to skip. */
static uint32_t run_jump(const struct machine *m, const struct sock_filter *in)
{
	uint32_t v = BPF_SRC(in->code) == BPF_X ? m->x : in->k;
	bool yes;

	switch (BPF_OP(in->code)) {
	case BPF_JA: return in->k;
	case BPF_JEQ: yes = m->a == v; break;
	case BPF_JGT: yes = m->a > v; break;
	case BPF_JGE: yes = m->a >= v; break;
	default: yes = m->a & v; break;
	}
	return yes ? in->jt : in->jf;
}

/**
 * sk_filter_run() - run a program on a packet
 * @f:     program, checked
 * @view:  packet
 *
 * Return:  bytes from view->start on to be kept, perhaps more than there are; 0: the packet is refused
 */
uint32_t sk_filter_run(const struct sk_filter *f, const struct packet_view *view)
{
	struct machine m = { .view = view };

	for (uint32_t i = 0; i < f->len; i++) {
		const struct sock_filter *in = &f->insns[i];

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!run_load(&m, in))
				return 0;
			break;
		case BPF_ST: m.mem[in->k] = m.a; break;
		case BPF_STX: m.mem[in->k] = m.x; break;
		case BPF_ALU:
			if (!run_alu(&m, in))
				return 0;
			break;
		case BPF_JMP: i += run_jump(&m, in); break;
		case BPF_RET: return BPF_RVAL(in->code) == BPF_A ? m.a : in->k;
		default:
			if (in->code == (BPF_MISC | BPF_TAX))
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
	return 0; /* not reached: the last instruction returns */
}

/**
 * sk_filter_skb() - a socket's filter on a received packet
 * @sk:   receiver, with or without a filter
 * @skb:  received packet, data where the filter's offset 0 is; cut to what the filter keeps
 * @least: bytes that are kept in any case: a transport's header
 *
 * Return:  0; -EPERM when the filter refuses it
 */
int sk_filter_skb(const struct sock *sk, struct sk_buff *skb, uint32_t least)
{
	uint32_t mac = skb_mac_header_was_set(skb) ? skb->mac_header : skb_headroom(skb);
	uint32_t before = skb_headroom(skb) - mac;
	struct packet_view view = {
		.part = { { skb->data - before, skb_headlen(skb) + before } },
		.len = skb_headlen(skb) + before,
		.start = before,
		.network = (uint32_t)skb->network_header - mac,
		.protocol = skb->protocol,
		.pkt_type = skb->pkt_type,
		.mark = skb->mark,
		.net = skb->net,
		.dev = skb->dev,
	};
	uint32_t keep;

	if (likely(!sk->filter))
		return 0;
	keep = sk_filter_run(sk->filter, &view);
	if (!keep)
		return -EPERM;
	skb_trim(skb, MAX(keep, least));
	return 0;
}

/* --- attaching -------------------------------------------------------------------------------- */

/**
 * sk_attach_filter() - SO_ATTACH_FILTER
 * @sk:    socket; an earlier filter is replaced
 * @prog:  instructions, struct sock_filter each; may be unaligned
 * @len:   bytes
 *
 * Return:  0; -EINVAL (no good program), -EPERM (the filter is locked), -ENOMEM
 */
int sk_attach_filter(struct sock *sk, const void *prog, size_t len)
{
	struct sk_filter *f;
	int err;

	if (sk->filter_locked)
		return -EPERM;
	if (len == 0 || len % sizeof(f->insns[0]) || len / sizeof(f->insns[0]) > BPF_MAXINSNS)
		return -EINVAL;
	f = malloc(sizeof(*f) + len);
	if (!f)
		return -ENOMEM;
	f->len = (uint16_t)(len / sizeof(f->insns[0]));
	memcpy(f->insns, prog, len);
	err = check_program(f);
	if (err) {
		free(f);
		return err;
	}
	sk_filter_free(sk);
	sk->filter = f;
	return 0;
}

/**
 * sk_detach_filter() - SO_DETACH_FILTER
 * @sk:  socket
 *
 * Return:  0; -ENOENT without a filter, -EPERM when it is locked
 */
int sk_detach_filter(struct sock *sk)
{
	if (sk->filter_locked)
		return -EPERM;
	if (!sk->filter)
		return -ENOENT;
	sk_filter_free(sk);
	return 0;
}

/**
 * sk_filter_free() - the end of a socket's filter
 * @sk:  socket
 */
void sk_filter_free(struct sock *sk)
{
	free(sk->filter);
	sk->filter = NULL;
}
