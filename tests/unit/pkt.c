/* SPDX-License-Identifier: MIT */
/*
 * pkt.c - frames built from a struct and parsed into it, see pkt.h
 *
 * Deliberately independent of the code under test: it has its own checksum (RFC 1071, one byte pair
 * at a time) and its own idea of every header (RFC 791, 792, 768, 9293, 826).
 */
#include "tests/unit/pkt.h"

#include <netinet/in.h>

#include "stack/print.h"
#include "tests/unit/check.h"

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t add_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += (uint32_t)p[i] << (i & 1 ? 0 : 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static uint16_t finish(uint32_t sum)
{
	return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* Checksum of a TCP or UDP segment with its pseudo-header; 0 when the field in it is right. */
static uint16_t segment_sum(const uint8_t *ip, uint8_t proto, const uint8_t *seg, size_t len)
{
	uint8_t pseudo[12];

	memcpy(pseudo, ip + 12, 8);
	pseudo[8] = 0;
	pseudo[9] = proto;
	put16(pseudo + 10, (uint32_t)len);
	return finish(add_bytes(add_bytes(0, pseudo, sizeof(pseudo)), seg, len));
}

/* --- constructors ---------------------------------------------------------------------------- */

static struct pkt ipv4_pkt(uint32_t saddr, uint32_t daddr, uint8_t proto)
{
	struct pkt p;

	memset(&p, 0, sizeof(p));
	p.eth_type = ETH_P_IP;
	p.saddr = saddr;
	p.daddr = daddr;
	p.proto = proto;
	return p;
}

struct pkt pkt_tcp(uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport, uint16_t flags,
		   uint32_t seq, uint32_t ack)
{
	struct pkt p = ipv4_pkt(saddr, daddr, IPPROTO_TCP);

	p.sport = sport;
	p.dport = dport;
	p.flags = flags;
	p.seq = seq;
	p.ack = ack;
	p.win = 65535;
	return p;
}

struct pkt pkt_udp(uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport,
		   const void *payload, size_t len)
{
	struct pkt p = ipv4_pkt(saddr, daddr, IPPROTO_UDP);

	p.sport = sport;
	p.dport = dport;
	p.payload = payload;
	p.payload_len = len;
	return p;
}

struct pkt pkt_icmp(uint32_t saddr, uint32_t daddr, uint8_t type, uint8_t code, uint32_t rest,
		    const void *payload, size_t len)
{
	struct pkt p = ipv4_pkt(saddr, daddr, IPPROTO_ICMP);

	p.icmp_type = type;
	p.icmp_code = code;
	p.icmp_rest = rest;
	p.payload = payload;
	p.payload_len = len;
	return p;
}

struct pkt pkt_arp(uint16_t op, const uint8_t sha[6], uint32_t spa, const uint8_t *tha, uint32_t tpa)
{
	struct pkt p;

	memset(&p, 0, sizeof(p));
	p.eth_type = ETH_P_ARP;
	p.arp_op = op;
	memcpy(p.arp_sha, sha, 6);
	memcpy(p.eth_src, sha, 6);
	p.arp_spa = spa;
	p.arp_tpa = tpa;
	memset(p.eth_dst, 0xff, 6);
	if (tha) {
		memcpy(p.arp_tha, tha, 6);
		memcpy(p.eth_dst, tha, 6);
	}
	return p;
}

/* --- building -------------------------------------------------------------------------------- */

/* TCP options in the order in which Linux sends them; returns their padded length. */
static size_t build_tcp_options(const struct pkt *p, uint8_t *o)
{
	uint8_t *start = o;
	unsigned int i;

	if (p->mss) {
		*o++ = 2;
		*o++ = 4;
		put16(o, p->mss);
		o += 2;
	}
	if (p->sackok) {
		*o++ = 4;
		*o++ = 2;
	}
	if (p->ts) {
		*o++ = 8;
		*o++ = 10;
		put32(o, p->tsval);
		put32(o + 4, p->tsecr);
		o += 8;
	}
	if (p->wscale) {
		*o++ = 3;
		*o++ = 3;
		*o++ = (uint8_t)(p->wscale - 1);
	}
	if (p->sacks) {
		*o++ = 5;
		*o++ = (uint8_t)(2 + 8 * p->sacks);
		for (i = 0; i < p->sacks; i++, o += 8) {
			put32(o, p->sack[i][0]);
			put32(o + 4, p->sack[i][1]);
		}
	}
	memcpy(o, p->raw_options, p->raw_options_len);
	o += p->raw_options_len;
	while ((o - start) % 4)
		*o++ = 1;
	CHECK_LE(o - start, 40);
	return (size_t)(o - start);
}

static size_t build_tcp(const struct pkt *p, uint8_t *t)
{
	uint8_t options[120];
	size_t n = build_tcp_options(p, options);
	size_t doff = p->force_doff ? p->force_doff : (20 + n) / 4;

	put16(t, p->sport);
	put16(t + 2, p->dport);
	put32(t + 4, p->seq);
	put32(t + 8, p->ack);
	put16(t + 12, (uint32_t)(doff << 12) | (p->flags & 0xfff));
	put16(t + 14, p->win);
	put16(t + 16, 0);
	put16(t + 18, p->urg);
	memcpy(t + 20, options, n);
	return 20 + n;
}

/* The transport's header and the payload; checksums in place. @ip: header with addresses. */
static size_t build_transport(const struct pkt *p, const uint8_t *ip, uint8_t *t)
{
	size_t h = 0, len, field = 0;
	uint16_t sum = 0;

	if (p->frag_off == 0 && p->proto == IPPROTO_TCP) {
		h = build_tcp(p, t);
		field = 16;
	} else if (p->frag_off == 0 && p->proto == IPPROTO_UDP) {
		put16(t, p->sport);
		put16(t + 2, p->dport);
		put16(t + 4, (uint32_t)(p->force_udp_len ? p->force_udp_len : 8 + p->payload_len));
		put16(t + 6, 0);
		h = 8;
		field = 6;
	} else if (p->frag_off == 0 && p->proto == IPPROTO_ICMP) {
		t[0] = p->icmp_type;
		t[1] = p->icmp_code;
		put16(t + 2, 0);
		put32(t + 4, p->icmp_rest);
		h = 8;
		field = 2;
	}
	if (p->payload_len)
		memcpy(t + h, p->payload, p->payload_len);
	len = h + p->payload_len;
	if (field == 0 || p->no_udp_csum)
		return len;
	sum = field == 2 ? finish(add_bytes(0, t, len)) : segment_sum(ip, p->proto, t, len);
	if (sum == 0 && p->proto == IPPROTO_UDP)
		sum = 0xffff;
	put16(t + field, p->bad_l4_csum ? sum ^ 0x5555U : sum);
	return len;
}

static size_t build_ipv4(const struct pkt *p, uint8_t *ip)
{
	size_t hlen = 20 + ((p->ip_options_len + 3U) & ~3U), len;
	uint32_t version = p->force_version ? p->force_version : 4;

	memset(ip, 0, hlen);
	ip[0] = (uint8_t)(version << 4 | (p->force_ihl ? p->force_ihl : hlen / 4));
	ip[1] = p->tos;
	put16(ip + 4, p->id);
	put16(ip + 6, (uint32_t)((p->df ? 0x4000 : 0) | (p->mf ? 0x2000 : 0) | p->frag_off / 8));
	ip[8] = p->ttl ? p->ttl : 64;
	ip[9] = p->proto;
	put32(ip + 12, p->saddr);
	put32(ip + 16, p->daddr);
	memcpy(ip + 20, p->ip_options, p->ip_options_len);
	len = hlen + build_transport(p, ip, ip + hlen);
	put16(ip + 2, p->force_tot_len ? p->force_tot_len : (uint32_t)len);
	put16(ip + 10, finish(add_bytes(0, ip, hlen)) ^ (p->bad_ip_csum ? 0x5555U : 0U));
	return len;
}

static size_t build_arp(const struct pkt *p, uint8_t *a)
{
	put16(a, 1);
	put16(a + 2, ETH_P_IP);
	a[4] = 6;
	a[5] = 4;
	put16(a + 6, p->arp_op);
	memcpy(a + 8, p->arp_sha, 6);
	put32(a + 14, p->arp_spa);
	memcpy(a + 18, p->arp_tha, 6);
	put32(a + 24, p->arp_tpa);
	return 28;
}

size_t pkt_build(const struct pkt *p, uint8_t *buf)
{
	size_t len;

	CHECK_LE(p->payload_len, PKT_MAX - 200);
	memcpy(buf, p->eth_dst, 6);
	memcpy(buf + 6, p->eth_src, 6);
	put16(buf + 12, p->eth_type);
	if (p->eth_type == ETH_P_IP) {
		len = build_ipv4(p, buf + 14);
	} else if (p->eth_type == ETH_P_ARP) {
		len = build_arp(p, buf + 14);
	} else {
		len = p->payload_len;
		if (len)
			memcpy(buf + 14, p->payload, len);
	}
	len += 14;
	return p->truncate && p->truncate < len ? p->truncate : len;
}

/* --- parsing --------------------------------------------------------------------------------- */

static void parse_tcp_option(struct pkt *p, const uint8_t *o, uint8_t len)
{
	unsigned int i;

	if (o[0] == 2 && len == 4) {
		p->mss = get16(o + 2);
	} else if (o[0] == 3 && len == 3) {
		p->wscale = o[2] + 1;
	} else if (o[0] == 4 && len == 2) {
		p->sackok = true;
	} else if (o[0] == 8 && len == 10) {
		p->ts = true;
		p->tsval = get32(o + 2);
		p->tsecr = get32(o + 6);
	} else if (o[0] == 5 && len >= 10 && (len - 2) % 8 == 0) {
		p->sacks = MIN((len - 2U) / 8, 4U);
		for (i = 0; i < p->sacks; i++) {
			p->sack[i][0] = get32(o + 2 + 8 * i);
			p->sack[i][1] = get32(o + 6 + 8 * i);
		}
	}
}

static bool parse_tcp(struct pkt *p, const uint8_t *t, size_t len)
{
	size_t hlen, i;

	if (len < 20 || (hlen = (size_t)(t[12] >> 4) * 4) < 20 || hlen > len)
		return false;
	p->sport = get16(t);
	p->dport = get16(t + 2);
	p->seq = get32(t + 4);
	p->ack = get32(t + 8);
	p->flags = get16(t + 12) & 0xfff;
	p->win = get16(t + 14);
	p->urg = get16(t + 18);
	p->raw_options_len = (uint8_t)(hlen - 20);
	memcpy(p->raw_options, t + 20, hlen - 20);
	for (i = 20; i < hlen && t[i] != 0;) {
		if (t[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= hlen || t[i + 1] < 2 || i + t[i + 1] > hlen)
			return false;
		parse_tcp_option(p, t + i, t[i + 1]);
		i += t[i + 1];
	}
	p->payload = t + hlen;
	p->payload_len = len - hlen;
	return true;
}

static bool parse_transport(struct pkt *p, const uint8_t *ip, const uint8_t *t, size_t len)
{
	p->payload = t;
	p->payload_len = len;
	p->l4_csum_ok = true;
	if (p->frag_off || p->mf)
		return true;
	switch (p->proto) {
	case IPPROTO_TCP:
		p->l4_csum_ok = segment_sum(ip, p->proto, t, len) == 0;
		return parse_tcp(p, t, len);
	case IPPROTO_UDP:
		if (len < 8 || get16(t + 4) < 8 || get16(t + 4) > len)
			return false;
		p->sport = get16(t);
		p->dport = get16(t + 2);
		p->l4_csum_ok = get16(t + 6) == 0 || segment_sum(ip, p->proto, t, len) == 0;
		break;
	case IPPROTO_ICMP:
		if (len < 8)
			return false;
		p->icmp_type = t[0];
		p->icmp_code = t[1];
		p->icmp_rest = get32(t + 4);
		p->l4_csum_ok = finish(add_bytes(0, t, len)) == 0;
		break;
	default:
		return true;
	}
	p->payload = t + 8;
	p->payload_len = len - 8;
	return true;
}

static bool parse_ipv4(struct pkt *p, const uint8_t *ip, size_t len)
{
	size_t hlen;

	if (len < 20 || ip[0] >> 4 != 4 || (hlen = (size_t)(ip[0] & 15) * 4) < 20 || hlen > len)
		return false;
	p->ip_len = get16(ip + 2);
	if (p->ip_len < hlen || p->ip_len > len)
		return false;
	p->tos = ip[1];
	p->id = get16(ip + 4);
	p->df = ip[6] & 0x40;
	p->mf = ip[6] & 0x20;
	p->frag_off = (uint16_t)((get16(ip + 6) & 0x1fff) * 8);
	p->ttl = ip[8];
	p->proto = ip[9];
	p->saddr = get32(ip + 12);
	p->daddr = get32(ip + 16);
	p->ip_options_len = (uint8_t)(hlen - 20);
	memcpy(p->ip_options, ip + 20, hlen - 20);
	p->ip_csum_ok = finish(add_bytes(0, ip, hlen)) == 0;
	return parse_transport(p, ip, ip + hlen, p->ip_len - hlen);
}

bool pkt_parse(struct pkt *p, const uint8_t *frame, size_t len)
{
	const uint8_t *a = frame + 14;

	memset(p, 0, sizeof(*p));
	if (len < 14)
		return false;
	memcpy(p->eth_dst, frame, 6);
	memcpy(p->eth_src, frame + 6, 6);
	p->eth_type = get16(frame + 12);
	if (p->eth_type == ETH_P_IP)
		return parse_ipv4(p, frame + 14, len - 14);
	p->payload = a;
	p->payload_len = len - 14;
	if (p->eth_type != ETH_P_ARP)
		return true;
	if (len < 14 + 28 || get16(a) != 1 || get16(a + 2) != ETH_P_IP || a[4] != 6 || a[5] != 4)
		return false;
	p->arp_op = get16(a + 6);
	memcpy(p->arp_sha, a + 8, 6);
	p->arp_spa = get32(a + 14);
	memcpy(p->arp_tha, a + 18, 6);
	p->arp_tpa = get32(a + 24);
	return true;
}

/* --- in and out of a device ------------------------------------------------------------------ */

static bool is_zero(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return memcmp(mac, zero, 6) == 0;
}

void pkt_inject(struct net_device *dev, const struct pkt *p)
{
	static const uint8_t peer[6] = { 2, 0, 0, 0, 0, 0x99 };
	uint8_t *buf = malloc(PKT_MAX);
	size_t len;

	CHECK(buf != NULL);
	len = pkt_build(p, buf);
	if (is_zero(p->eth_dst) && len >= 6)
		memcpy(buf, dev->dev_addr, 6);
	if (is_zero(p->eth_src) && len >= 12)
		memcpy(buf + 6, peer, 6);
	fake_dev_inject(dev, buf, len);
	free(buf);
}

bool pkt_take(struct net_device *dev, struct pkt *p)
{
	static struct fake_frame *last;
	struct fake_frame *f = fake_dev_take(dev);

	free(last);
	last = f;
	if (!f)
		return false;
	CHECK(pkt_parse(p, f->data, f->len));
	p->gso_size = f->gso_size;
	p->at = f->at;
	if (p->eth_type == ETH_P_IP)
		CHECK_MSG(p->ip_csum_ok && (f->gso_size || p->l4_csum_ok), "wrong checksum: %s",
			  pkt_text(p));
	return true;
}

bool pkt_take_ip(struct net_device *dev, struct pkt *p)
{
	while (pkt_take(dev, p))
		if (p->eth_type == ETH_P_IP)
			return true;
	return false;
}

void pkt_expect_none(struct net_device *dev)
{
	struct pkt p;

	if (pkt_take(dev, &p))
		CHECK_MSG(false, "sent: %s", pkt_text(&p));
}

const char *pkt_text(const struct pkt *p)
{
	static uint8_t buf[PKT_MAX];
	static char text[400];
	struct pkt copy = *p;

	if (p->ip_len) /* parsed: the options stand in the other fields as well */
		copy.raw_options_len = 0;
	frame_print(buf, pkt_build(&copy, buf), ARPHRD_ETHER, text, sizeof(text));
	return text;
}
