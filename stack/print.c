/* SPDX-License-Identifier: MIT */
/*
 * print.c - packets as text, in the notation of packetdrill
 *
 *   10.0.0.2.4000 > 10.0.0.1.80: S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>
 *   10.0.0.2.4000 > 10.0.0.1.53: udp (29)
 *   10.0.0.2 > 10.0.0.1: icmp echo_request id 1 seq 2 (56)
 *   arp who-has 10.0.0.1 tell 10.0.0.2
 *
 * Sequence numbers are absolute: this file knows no connection. Every byte comes from the wire and is
 * read only after a check; lengths in the text are those that the headers claim, so that the first
 * bytes of a packet are enough, and what is impossible is said in brackets: [short], [bad options].
 */
#include "stack/print.h"

#include <netinet/in.h>
#include <stdarg.h>

#include "stack/core/dev.h"
#include "stack/core/skbuff.h"

/* Where the text goes; used never exceeds size - 1. */
struct text {
	char *buf;
	size_t size, used;
};

/* Bytes at hand (avail) of those that there should be (total). */
struct bytes {
	const uint8_t *p;
	size_t avail, total;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->buf + t->used, t->size - t->used, fmt, args);
	va_end(args);
	if (n > 0)
		t->used = MIN(t->used + (size_t)n, t->size - 1);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static struct bytes skip(struct bytes b, size_t n)
{
	n = MIN(n, b.total);
	b.p += MIN(n, b.avail);
	b.avail -= MIN(n, b.avail);
	b.total -= n;
	return b;
}

static void put_ipv4(struct text *t, const uint8_t *a)
{
	put(t, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

static void put_mac(struct text *t, const uint8_t *m)
{
	put(t, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* "a > b: ", with ports when @ports is not NULL. */
static void put_ends(struct text *t, const uint8_t *ip, const uint8_t *ports)
{
	put_ipv4(t, ip + 12);
	if (ports)
		put(t, ".%u", get16(ports));
	put(t, " > ");
	put_ipv4(t, ip + 16);
	if (ports)
		put(t, ".%u", get16(ports + 2));
	put(t, ": ");
}

static void put_tcp_option(struct text *t, const uint8_t *o, size_t len)
{
	size_t i;

	if (o[0] == 2 && len == 4) {
		put(t, "mss %u", get16(o + 2));
	} else if (o[0] == 3 && len == 3) {
		put(t, "wscale %u", o[2]);
	} else if (o[0] == 4 && len == 2) {
		put(t, "sackOK");
	} else if (o[0] == 8 && len == 10) {
		put(t, "TS val %u ecr %u", get32(o + 2), get32(o + 6));
	} else if (o[0] == 5 && len >= 10 && (len - 2) % 8 == 0) {
		put(t, "sack");
		for (i = 2; i < len; i += 8)
			put(t, " %u:%u", get32(o + i), get32(o + i + 4));
	} else {
		put(t, "opt%u", o[0]);
		for (i = 2; i < len; i++)
			put(t, "%s%02x", i == 2 ? " " : "", o[i]);
	}
}

static void put_tcp_options(struct text *t, const uint8_t *o, size_t len)
{
	size_t i = 0, n;

	while (i < len) {
		put(t, i ? "," : " <");
		n = 1;
		if (o[i] == 0) {
			put(t, "eol");
			n = len - i;
		} else if (o[i] == 1) {
			put(t, "nop");
		} else if (i + 1 >= len || o[i + 1] < 2 || i + o[i + 1] > len) {
			put(t, "[bad options]");
			n = len - i;
		} else {
			n = o[i + 1];
			put_tcp_option(t, o + i, n);
		}
		i += n;
	}
	if (len)
		put(t, ">");
}

static void put_tcp_flags(struct text *t, unsigned int flags)
{
	static const char letters[] = "FSRP.UEW";
	static const uint8_t order[] = { 0, 1, 2, 3, 5, 6, 7, 4 }; /* the dot for ACK comes last */
	size_t i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (flags & (1U << order[i]))
			put(t, "%c", letters[order[i]]);
	put(t, "%s", flags & 0xff ? " " : "- ");
}

static void put_tcp(struct text *t, const uint8_t *ip, struct bytes b)
{
	size_t hlen, payload;
	uint32_t seq, span;
	unsigned int flags;

	if (b.avail < 20) {
		put_ends(t, ip, b.avail >= 4 ? b.p : NULL);
		put(t, "tcp [short]");
		return;
	}
	put_ends(t, ip, b.p);
	hlen = (size_t)(b.p[12] >> 4) * 4;
	flags = get16(b.p + 12) & 0xfffU;
	seq = get32(b.p + 4);
	payload = hlen >= 20 && hlen <= b.total ? b.total - hlen : 0;
	span = (uint32_t)payload;
	put_tcp_flags(t, flags);
	put(t, "%u:%u(%zu)", seq, seq + span, payload);
	if (flags & 0x10)
		put(t, " ack %u", get32(b.p + 8));
	put(t, " win %u", get16(b.p + 14));
	if (flags & 0x20)
		put(t, " urg %u", get16(b.p + 18));
	if (hlen < 20 || hlen > b.total)
		put(t, " [bad header length %zu]", hlen);
	else if (hlen > b.avail)
		put(t, " [short]");
	else
		put_tcp_options(t, b.p + 20, hlen - 20);
}

static void put_udp(struct text *t, const uint8_t *ip, struct bytes b)
{
	uint16_t len;

	if (b.avail < 8) {
		put_ends(t, ip, b.avail >= 4 ? b.p : NULL);
		put(t, "udp [short]");
		return;
	}
	put_ends(t, ip, b.p);
	len = get16(b.p + 4);
	if (len < 8 || len > b.total)
		put(t, "udp [bad length %u]", len);
	else
		put(t, "udp (%u)", len - 8U);
}

static const char *unreachable_name(uint8_t code)
{
	static const char *const names[] = {
		"net_unreachable", "host_unreachable", "protocol_unreachable", "port_unreachable",
		"frag_needed", "source_route_failed", "net_unknown", "host_unknown", "source_isolated",
		"net_prohibited", "host_prohibited", "net_tos", "host_tos", "admin_prohibited",
		"host_precedence", "precedence_cutoff",
	};

	return code < ARRAY_SIZE(names) ? names[code] : "unreachable";
}

static void put_ip_packet(struct text *t, struct bytes b, bool quoted);

static void put_icmp(struct text *t, const uint8_t *ip, struct bytes b, bool quoted)
{
	bool error = false;

	put_ends(t, ip, NULL);
	if (b.avail < 8) {
		put(t, "icmp [short]");
		return;
	}
	switch (b.p[0]) {
	case 0:
	case 8:
		put(t, "icmp echo_%s id %u seq %u (%zu)", b.p[0] ? "request" : "reply", get16(b.p + 4),
		    get16(b.p + 6), b.total - 8);
		return;
	case 3:
		put(t, "icmp unreachable %s", unreachable_name(b.p[1]));
		if (b.p[1] == 4)
			put(t, " mtu %u", get16(b.p + 6));
		error = true;
		break;
	case 11:
		put(t, "icmp time_exceeded %s", b.p[1] == 0 ? "ttl" : "reassembly");
		error = true;
		break;
	case 12:
		put(t, "icmp parameter_problem at %u", b.p[4]);
		error = true;
		break;
	default:
		put(t, "icmp type %u code %u (%zu)", b.p[0], b.p[1], b.total - 8);
	}
	if (error && !quoted) {
		put(t, " [");
		put_ip_packet(t, skip(b, 8), true);
		put(t, "]");
	}
}

static void put_fragment(struct text *t, const uint8_t *ip, struct bytes b)
{
	uint16_t frag = get16(ip + 6);

	put_ends(t, ip, NULL);
	put(t, "proto %u frag id %u %u:%zu%s", ip[9], get16(ip + 4), (frag & 0x1fffU) * 8U,
	    (frag & 0x1fffU) * 8U + b.total, frag & 0x2000 ? "+" : "");
}

/* @quoted: inside an ICMP error, where the packet is cut: then its own length counts. */
static void put_ip_packet(struct text *t, struct bytes b, bool quoted)
{
	const uint8_t *ip = b.p;
	size_t hlen, len;

	if (b.avail >= 1 && ip[0] >> 4 == 6) {
		put(t, "ip6 (%zu)", b.total);
		return;
	}
	if (b.avail < 20 || ip[0] >> 4 != 4) {
		put(t, "ip [%s] (%zu)", b.avail < 20 ? "short" : "bad version", b.total);
		return;
	}
	hlen = (size_t)(ip[0] & 15) * 4;
	len = get16(ip + 2);
	if (hlen < 20 || hlen > b.avail || len < hlen || (!quoted && len > b.total)) {
		put_ends(t, ip, NULL);
		put(t, "ip [bad length %zu, header %zu, of %zu]", len, hlen, b.total);
		return;
	}
	b.total = len;
	b.avail = MIN(b.avail, len);
	b = skip(b, hlen);
	if (get16(ip + 6) & 0x3fff) {
		put_fragment(t, ip, b);
		return;
	}
	switch (ip[9]) {
	case IPPROTO_TCP: put_tcp(t, ip, b); break;
	case IPPROTO_UDP: put_udp(t, ip, b); break;
	case IPPROTO_ICMP: put_icmp(t, ip, b, quoted); break;
	default:
		put_ends(t, ip, NULL);
		put(t, "proto %u (%zu)", ip[9], b.total);
	}
}

static void put_arp(struct text *t, struct bytes b)
{
	if (b.avail < 28 || get16(b.p + 2) != ETH_P_IP || b.p[4] != 6 || b.p[5] != 4) {
		put(t, "arp [malformed] (%zu)", b.total);
		return;
	}
	switch (get16(b.p + 6)) {
	case 1:
		put(t, "arp who-has ");
		put_ipv4(t, b.p + 24);
		put(t, " tell ");
		put_ipv4(t, b.p + 14);
		break;
	case 2:
		put(t, "arp reply ");
		put_ipv4(t, b.p + 14);
		put(t, " is-at ");
		put_mac(t, b.p + 8);
		break;
	default:
		put(t, "arp op %u", get16(b.p + 6));
	}
}

static void put_network(struct text *t, uint16_t ethertype, struct bytes b)
{
	switch (ethertype) {
	case ETH_P_IP:
	case ETH_P_IPV6: put_ip_packet(t, b, false); break;
	case ETH_P_ARP: put_arp(t, b); break;
	default: put(t, "ethertype 0x%04x (%zu)", ethertype, b.total);
	}
}

static struct text start(char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	BUG_ON(size == 0);
	buf[0] = '\0';
	return t;
}

/**
 * packet_print() - an IP packet as text
 * @packet:  bytes from the IP header on
 * @len:     how many
 * @buf:     text
 * @size:    its room, > 0
 */
void packet_print(const uint8_t *packet, size_t len, char *buf, size_t size)
{
	struct text t = start(buf, size);

	put_ip_packet(&t, (struct bytes){ packet, len, len }, false);
}

/**
 * frame_print() - a frame as text
 * @frame:  bytes from the link header on
 * @len:    how many
 * @link:   ARPHRD_ETHER, else the frame starts with its IP header
 * @buf:    text
 * @size:   its room, > 0
 */
void frame_print(const uint8_t *frame, size_t len, uint16_t link, char *buf, size_t size)
{
	struct bytes b = { frame, len, len };
	struct text t = start(buf, size);

	if (link != ARPHRD_ETHER)
		put_ip_packet(&t, b, false);
	else if (len < ETH_HLEN)
		put(&t, "ethernet [short] (%zu)", len);
	else
		put_network(&t, get16(frame + 12), skip(b, ETH_HLEN));
}

/**
 * skb_print() - a packet buffer as text, from its network header if that is known
 * @skb:   buffer in any state
 * @buf:   text
 * @size:  its room, > 0
 */
void skb_print(const struct sk_buff *skb, char *buf, size_t size)
{
	struct text t = start(buf, size);
	uint16_t ethertype = be16_to_cpu(skb->protocol);
	struct bytes b;

	if (skb->network_header == SKB_HEADER_UNSET ||
	    skb->head + skb->network_header > skb->tail) {
		put(&t, "%u bytes", skb->len);
		return;
	}
	b.p = skb->head + skb->network_header;
	b.avail = (size_t)(skb->tail - b.p);
	b.total = b.avail + skb->frag_len;
	if (ethertype == 0)
		ethertype = ETH_P_IP;
	put_network(&t, ethertype, b);
}
