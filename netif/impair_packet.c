/* SPDX-License-Identifier: MIT */
/*
 * impair_packet.c - a frame as the rules see it, and what they do to its bytes
 *
 * Frames come as they are on a wire: whole checksums, one packet each, data at the link header. What
 * cannot be read is no packet of IP to the rules, and passes. A change keeps the checksums right by
 * the difference (RFC 1624), so that a packet that was wrong before stays wrong; only flipping a bit
 * leaves them alone, which is its purpose.
 */
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "netif/impair_link.h"
#include "stack/core/checksum.h"

enum {
	IP_MIN = 20, TCP_MIN = 20, UDP_LEN = 8, ICMP_LEN = 8,
	ICMP_QUOTE_MAX = 548,      /* RFC 1812 4.3.2.3: 576 bytes altogether at most */
	FRAME_OFFSET = 26,
	OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2, OPT_WSCALE = 3, OPT_SACK_PERM = 4, OPT_SACK = 5,
	OPT_TIMESTAMPS = 8, OPT_MD5 = 19, OPT_MPTCP = 30, OPT_FASTOPEN = 34,
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 9293 3.1. */
static void read_tcp(struct impair_packet *pkt, const struct sk_buff *skb, uint32_t l4_len)
{
	const uint8_t *th = skb_header(skb, pkt->l4_at, TCP_MIN);
	uint32_t len;

	if (!th || l4_len < TCP_MIN)
		return;
	len = (uint32_t)(th[12] >> 4) * 4U;
	if (len < TCP_MIN || len > l4_len || !skb_header(skb, pkt->l4_at, len))
		return;
	pkt->tcp = true;
	pkt->seq = get32(th + 4);
	pkt->ack = get32(th + 8);
	pkt->flags = th[13];
	pkt->th_len = (uint8_t)len;
	pkt->text = l4_len - len;
}

static void read_transport(struct impair_packet *pkt, const struct sk_buff *skb, uint32_t ihl)
{
	uint32_t l4_len = pkt->ip_len - ihl;
	const uint8_t *ports;

	pkt->l4_at = pkt->ip_at + ihl;
	if (pkt->proto != IPPROTO_TCP && pkt->proto != IPPROTO_UDP)
		return;
	ports = l4_len >= 4 ? skb_header(skb, pkt->l4_at, 4) : NULL;
	if (!ports)
		return;
	pkt->sport = get16(ports);
	pkt->dport = get16(ports + 2);
	if (pkt->proto == IPPROTO_TCP)
		read_tcp(pkt, skb, l4_len);
}

/**
 * impair_packet_read() - what a frame is
 * @pkt:  out
 * @skb:  frame, data at its link header
 *
 * A fragment but the first has no ports.
 */
void impair_packet_read(struct impair_packet *pkt, const struct sk_buff *skb)
{
	uint32_t link = skb->dev->hard_header_len, ihl;
	const uint8_t *ip = skb_header(skb, link, IP_MIN);

	memset(pkt, 0, sizeof(*pkt));
	pkt->arp = skb->protocol == cpu_to_be16(ETH_P_ARP);
	if (skb->protocol != cpu_to_be16(ETH_P_IP) || !ip || ip[0] >> 4 != 4)
		return;
	ihl = (uint32_t)(ip[0] & 0xf) * 4U;
	pkt->ip_len = get16(ip + 2);
	if (ihl < IP_MIN || pkt->ip_len < ihl || pkt->ip_len > skb->len - link)
		return;
	pkt->ip = true;
	pkt->ip_at = link;
	pkt->proto = ip[9];
	memcpy(&pkt->saddr, ip + 12, 4);
	memcpy(&pkt->daddr, ip + 16, 4);
	if (!(get16(ip + 6) & 0x1fff))
		read_transport(pkt, skb, ihl);
}

/* RFC 1624 3, eq. 3: @sum after one 16-bit word changed. All as they stand in memory. */
static void adjust(uint8_t *sum, uint16_t was, uint16_t is)
{
	uint16_t old;
	uint32_t s;

	memcpy(&old, sum, 2);
	s = (uint32_t)(uint16_t)~old + (uint16_t)~was + is;
	old = csum_fold(s);
	memcpy(sum, &old, 2);
}

static uint16_t word_at(const uint8_t *p)
{
	uint16_t w;

	memcpy(&w, p, 2);
	return w;
}

bool impair_mark_ce(struct sk_buff *skb, const struct impair_packet *pkt)
{
	uint8_t *ip;
	uint16_t was;

	if (!pkt->ip || !(skb->data[pkt->ip_at + 1] & 3) || skb_cow(skb, 0) < 0)
		return false;
	ip = skb->data + pkt->ip_at;
	was = word_at(ip);
	ip[1] |= 3;
	adjust(ip + 10, was, word_at(ip));
	return true;
}

static unsigned int option_bit(uint8_t kind)
{
	switch (kind) {
	case OPT_MSS: return STRIP_MSS;
	case OPT_WSCALE: return STRIP_WSCALE;
	case OPT_SACK_PERM:
	case OPT_SACK: return STRIP_SACK;
	case OPT_TIMESTAMPS: return STRIP_TIMESTAMPS;
	case OPT_MD5: return STRIP_MD5;
	case OPT_MPTCP: return STRIP_MPTCP;
	case OPT_FASTOPEN: return STRIP_FASTOPEN;
	default: return STRIP_OTHER;
	}
}

/* Overwrites the options in @bits by NOPs; how many there were. */
static int blank_options(uint8_t *opt, uint32_t len, unsigned int bits)
{
	int found = 0;
	uint32_t i = 0;

	while (i < len && opt[i] != OPT_END) {
		uint32_t n = opt[i] == OPT_NOP ? 1 : i + 1 < len ? opt[i + 1] : 0;

		if (n == 0 || (opt[i] != OPT_NOP && n < 2) || n > len - i)
			break;
		if (opt[i] != OPT_NOP && (option_bit(opt[i]) & bits)) {
			memset(opt + i, OPT_NOP, n);
			found++;
		}
		i += n;
	}
	return found;
}

/**
 * impair_strip() - take TCP options away: NOPs stand in their place
 * @skb:      frame; its data may move
 * @pkt:      what it is
 * @options:  enum impair_option
 *
 * Return:  how many options went; 0 also for what is no TCP; -ENOMEM
 */
int impair_strip(struct sk_buff *skb, const struct impair_packet *pkt, unsigned int options)
{
	uint8_t was[40], *th;
	uint32_t len = pkt->th_len - TCP_MIN;
	int found;

	if (!pkt->tcp || len == 0)
		return 0;
	if (skb_cow(skb, 0) < 0)
		return -ENOMEM;
	th = skb->data + pkt->l4_at;
	memcpy(was, th + TCP_MIN, len);
	found = blank_options(th + TCP_MIN, len, options);
	for (uint32_t i = 0; found && i < len; i += 2)
		adjust(th + 16, word_at(was + i), word_at(th + TCP_MIN + i));
	return found;
}

/**
 * impair_flip_bit() - damage a frame
 * @skb:  frame, writable
 * @bit:  behind its link header, modulo the packet's length
 */
void impair_flip_bit(struct sk_buff *skb, uint32_t bit)
{
	uint32_t link = skb->dev->hard_header_len;

	if (skb->len <= link)
		return;
	bit %= (skb->len - link) * 8;
	skb->data[link + bit / 8] ^= (uint8_t)(1U << bit % 8);
}

/* --- ICMP --------------------------------------------------------------------------------------- */

/* RFC 1122 3.2.2: no error about an ICMP error, a broadcast or multicast, a later fragment. */
static bool may_be_answered(const struct sk_buff *skb, const struct impair_packet *pkt)
{
	const uint8_t *type;

	if (!pkt->ip || !pkt->l4_at || be32_to_cpu(pkt->daddr) >> 28 >= 14 || pkt->saddr == 0)
		return false;
	if (skb->dev->hard_header_len == ETH_HLEN && (skb->data[0] & 1))
		return false;
	if (pkt->proto != IPPROTO_ICMP)
		return true;
	type = skb_header(skb, pkt->l4_at, 1);
	return type && (*type == 8 || *type == 0 || *type == 13 || *type == 14);
}

static void fill_ip(uint8_t *ip, uint32_t len, const struct impair_packet *pkt)
{
	uint16_t sum;

	memset(ip, 0, IP_MIN);
	ip[0] = 0x45;
	ip[1] = 0xc0; /* RFC 1812 4.3.2.5: precedence 6, internetwork control */
	put16(ip + 2, (uint16_t)len);
	ip[8] = 64;
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, &pkt->daddr, 4);
	memcpy(ip + 16, &pkt->saddr, 4);
	sum = ip_fast_csum(ip, IP_MIN / 4);
	memcpy(ip + 10, &sum, 2);
}

/**
 * impair_icmp_error() - what a router, or the destination, would answer
 * @skb:   the packet in question; borrowed
 * @pkt:   what it is
 * @type:  ICMP type (RFC 792)
 * @code:  its code
 * @mtu:   for "fragmentation needed" (RFC 1191 4), else 0
 *
 * It comes from the packet's destination, and its link addresses are the packet's, exchanged.
 * Return:  a frame with data at its link header, or NULL
 */
struct sk_buff *impair_icmp_error(const struct sk_buff *skb, const struct impair_packet *pkt,
				  uint8_t type, uint8_t code, uint16_t mtu)
{
	uint32_t link = skb->dev->hard_header_len;
	uint32_t quote = MIN(pkt->ip_len, (uint32_t)ICMP_QUOTE_MAX);
	struct sk_buff *e;
	uint8_t *p, *icmp;
	uint16_t sum;

	if (!may_be_answered(skb, pkt))
		return NULL;
	e = alloc_skb(skb->net, FRAME_OFFSET + link + IP_MIN + ICMP_LEN + quote);
	if (!e)
		return NULL;
	skb_reserve(e, FRAME_OFFSET);
	p = skb_put(e, link + IP_MIN + ICMP_LEN + quote);
	if (link == ETH_HLEN) {
		memcpy(p, skb->data + ETH_ALEN, ETH_ALEN);
		memcpy(p + ETH_ALEN, skb->data, ETH_ALEN);
		put16(p + 12, ETH_P_IP);
	}
	fill_ip(p + link, IP_MIN + ICMP_LEN + quote, pkt);
	icmp = p + link + IP_MIN;
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 6, mtu);
	if (skb_copy_bits(skb, pkt->ip_at, icmp + ICMP_LEN, quote) < 0) {
		skb_consume(e);
		return NULL;
	}
	sum = csum_fold(csum_partial(icmp, ICMP_LEN + quote, 0));
	memcpy(icmp + 2, &sum, 2);
	e->dev = skb->dev;
	e->protocol = cpu_to_be16(ETH_P_IP);
	return e;
}
