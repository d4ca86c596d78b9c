/* SPDX-License-Identifier: MIT */
/*
 * wire.c - IPv4, TCP, UDP and ICMP headers to bytes and back
 *
 * Separate from the stack on purpose: what checks the stack's packets must not share its code. Only
 * the Internet checksum is computed here a second time as well.
 */
#include "tools/packetdrill/wire.h"

#include <netinet/in.h>
#include <string.h>

#include "tools/packetdrill/script.h"

static void put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put32(uint8_t *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b + 2, v);
}

static uint16_t get16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }
static uint32_t get32(const uint8_t *b) { return (uint32_t)get16(b) << 16 | get16(b + 2); }

/* ---- checksums, RFC 1071 --------------------------------------------------------------------- */

static uint32_t sum_bytes(const uint8_t *b, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2) {
		sum += get16(b + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len & 1)
		sum += (uint32_t)b[len - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Of a TCP or UDP message with its pseudo-header; @ip points at the IP header. */
static uint16_t transport_sum(const uint8_t *ip, const uint8_t *msg, size_t len)
{
	uint32_t sum = sum_bytes(ip + 12, 8, (uint32_t)ip[9] + (uint32_t)len);

	return fold(sum_bytes(msg, len, sum));
}

/* ---- building -------------------------------------------------------------------------------- */

static size_t build_tcp(const struct wire *w, uint8_t *b)
{
	size_t hlen = (size_t)WIRE_TCP_HLEN + w->options_len;

	put16(b, w->sport);
	put16(b + 2, w->dport);
	put32(b + 4, w->seq);
	put32(b + 8, w->ack);
	b[12] = (uint8_t)(hlen / 4 << 4 | (w->flags & FLAG_AE ? 1 : 0));
	b[13] = (uint8_t)w->flags;
	put16(b + 14, w->win);
	put16(b + 18, w->urg);
	memcpy(b + WIRE_TCP_HLEN, w->options, w->options_len);
	return hlen;
}

static size_t build_transport(const struct wire *w, uint8_t *b)
{
	switch (w->protocol) {
	case IPPROTO_TCP:
		return build_tcp(w, b);
	case IPPROTO_UDP:
		put16(b, w->sport);
		put16(b + 2, w->dport);
		put16(b + 4, WIRE_UDP_HLEN + w->payload_len);
		return WIRE_UDP_HLEN;
	case IPPROTO_ICMP:
		b[0] = w->icmp_type;
		b[1] = w->icmp_code;
		put32(b + 4, w->icmp_rest);
		return WIRE_ICMP_HLEN;
	default: return 0;
	}
}

static void put_checksum(const struct wire *w, uint8_t *ip, size_t len)
{
	uint8_t *msg = ip + WIRE_IP_HLEN;
	uint16_t sum;

	switch (w->protocol) {
	case IPPROTO_TCP: put16(msg + 16, transport_sum(ip, msg, len)); break;
	case IPPROTO_UDP:
		sum = transport_sum(ip, msg, len);
		put16(msg + 6, sum ? sum : 0xffff); /* RFC 768: zero says that there is none */
		break;
	case IPPROTO_ICMP: put16(msg + 2, fold(sum_bytes(msg, len, 0))); break;
	default: break;
	}
}

/**
 * wire_build() - a packet as bytes
 * @w:    what is to be in it; a ttl of 0 means 64
 * @buf:  WIRE_MAX bytes
 *
 * Return:  length in bytes; 0 when it does not fit into a packet
 */
size_t wire_build(const struct wire *w, uint8_t *buf)
{
	size_t room = WIRE_MAX - WIRE_IP_HLEN - WIRE_TCP_HLEN - sizeof(w->options), hlen, len;

	if (w->payload_len > room || w->options_len > sizeof(w->options))
		return 0;
	memset(buf, 0, WIRE_IP_HLEN + WIRE_TCP_HLEN);
	hlen = build_transport(w, buf + WIRE_IP_HLEN);
	len = WIRE_IP_HLEN + hlen + w->payload_len;
	if (w->payload)
		memcpy(buf + WIRE_IP_HLEN + hlen, w->payload, w->payload_len);
	else
		memset(buf + WIRE_IP_HLEN + hlen, 0, w->payload_len);
	buf[0] = 0x45;
	buf[1] = w->tos;
	put16(buf + 2, (uint32_t)len);
	put16(buf + 6, w->df ? 0x4000 : 0);
	buf[8] = w->ttl ? w->ttl : 64;
	buf[9] = w->protocol;
	put32(buf + 12, w->saddr);
	put32(buf + 16, w->daddr);
	put16(buf + 10, fold(sum_bytes(buf, WIRE_IP_HLEN, 0)));
	put_checksum(w, buf, len - WIRE_IP_HLEN);
	return len;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_tcp(struct wire *w, const uint8_t *b, size_t len, const char **why)
{
	size_t hlen;

	*why = "its TCP header is cut off";
	if (len < WIRE_TCP_HLEN)
		return false;
	hlen = (size_t)(b[12] >> 4) * 4;
	if (hlen < WIRE_TCP_HLEN || hlen > len)
		return false;
	w->sport = get16(b);
	w->dport = get16(b + 2);
	w->seq = get32(b + 4);
	w->ack = get32(b + 8);
	w->flags = (uint16_t)(b[13] | (b[12] & 1) << 8);
	w->win = get16(b + 14);
	w->urg = get16(b + 18);
	w->options_len = (uint8_t)(hlen - WIRE_TCP_HLEN);
	memcpy(w->options, b + WIRE_TCP_HLEN, w->options_len);
	w->payload = b + hlen;
	w->payload_len = (uint32_t)(len - hlen);
	return true;
}

static bool read_udp(struct wire *w, const uint8_t *b, size_t len, const char **why)
{
	*why = "its UDP header is wrong";
	if (len < WIRE_UDP_HLEN || get16(b + 4) != len)
		return false;
	w->sport = get16(b);
	w->dport = get16(b + 2);
	w->payload = b + WIRE_UDP_HLEN;
	w->payload_len = (uint32_t)(len - WIRE_UDP_HLEN);
	return true;
}

static bool read_icmp(struct wire *w, const uint8_t *b, size_t len, const char **why)
{
	*why = "its ICMP header is cut off";
	if (len < WIRE_ICMP_HLEN)
		return false;
	*why = "its ICMP checksum is wrong";
	if (fold(sum_bytes(b, len, 0)) != 0)
		return false;
	w->icmp_type = b[0];
	w->icmp_code = b[1];
	w->icmp_rest = get32(b + 4);
	w->payload = b + WIRE_ICMP_HLEN;
	w->payload_len = (uint32_t)(len - WIRE_ICMP_HLEN);
	return true;
}

static bool read_transport(struct wire *w, const uint8_t *ip, const uint8_t *b, size_t len, const char **why)
{
	switch (w->protocol) {
	case IPPROTO_TCP:
		if (!read_tcp(w, b, len, why))
			return false;
		*why = "its TCP checksum is wrong";
		return transport_sum(ip, b, len) == 0;
	case IPPROTO_UDP:
		if (!read_udp(w, b, len, why))
			return false;
		*why = "its UDP checksum is wrong";
		return get16(b + 6) == 0 || transport_sum(ip, b, len) == 0;
	case IPPROTO_ICMP:
		return read_icmp(w, b, len, why);
	default:
		w->payload = b;
		w->payload_len = (uint32_t)len;
		return true;
	}
}

/**
 * wire_read() - what is in a packet
 * @w:       filled
 * @packet:  from the IP header on
 * @len:     bytes
 * @why:     set when the packet is wrong
 *
 * Of a fragment the IP header alone is read.
 * Return:  false when the packet is wrong
 */
bool wire_read(struct wire *w, const uint8_t *packet, size_t len, const char **why)
{
	size_t hlen = len ? (size_t)(packet[0] & 15) * 4 : 0;

	memset(w, 0, sizeof(*w));
	*why = "its IP header is wrong";
	if (len < WIRE_IP_HLEN || packet[0] >> 4 != 4 || hlen < WIRE_IP_HLEN || hlen > len ||
	    get16(packet + 2) != len)
		return false;
	*why = "its IP checksum is wrong";
	if (fold(sum_bytes(packet, hlen, 0)) != 0)
		return false;
	w->tos = packet[1];
	w->df = packet[6] & 0x40;
	w->fragment = get16(packet + 6) & 0x3fff;
	w->ttl = packet[8];
	w->protocol = packet[9];
	w->saddr = get32(packet + 12);
	w->daddr = get32(packet + 16);
	if (w->fragment) {
		w->payload = packet + hlen;
		w->payload_len = (uint32_t)(len - hlen);
		return true;
	}
	return read_transport(w, packet, packet + hlen, len - hlen, why);
}
