/* SPDX-License-Identifier: MIT */
/*
 * packet_text.c - packets written as scripts write them, and compared field by field
 *
 * What a script leaves out is not compared (window, ttl, ECN) or must not be there (options).
 */
#include "tools/packetdrill/packet_text.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/packetdrill/flow.h"

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *o, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(o->buf + o->len, o->size - o->len, fmt, args);
	va_end(args);
	if (n > 0)
		o->len = o->len + (size_t)n < o->size ? o->len + (size_t)n : o->size - 1;
}

static uint32_t get32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put_hex(struct out *o, const char *name, const uint8_t *b, size_t len)
{
	put(o, "%s%s", name, len ? " " : "");
	while (len--)
		put(o, "%02x", *b++);
}

/* One option of @len bytes, kind and length included. */
static void put_option(struct out *o, const uint8_t *b, uint8_t len)
{
	if (b[0] == 2 && len == 4)
		put(o, "mss %u", b[2] << 8 | b[3]);
	else if (b[0] == 3 && len == 3)
		put(o, "wscale %u", b[2]);
	else if (b[0] == 4 && len == 2)
		put(o, "sackOK");
	else if (b[0] == 8 && len == 10)
		put(o, "TS val %u ecr %u", get32(b + 2), get32(b + 6));
	else if (b[0] == 34)
		put_hex(o, "FO", b + 2, len - 2U);
	else if (b[0] == 254 && len >= 4 && b[2] == 0xF9 && b[3] == 0x89)
		put_hex(o, "FOEXP", b + 4, len - 4U);
	else if (b[0] == 19)
		put_hex(o, "md5", b + 2, len - 2U);
	else if (b[0] == 5 && len >= 10) {
		put(o, "sack");
		for (uint8_t i = 2; i + 8 <= len; i = (uint8_t)(i + 8))
			put(o, " %u:%u", get32(b + i), get32(b + i + 4));
	} else {
		put(o, "option %u", b[0]);
		put_hex(o, "", b + 2, len - 2U);
	}
}

static void put_options(struct out *o, const struct packet_spec *pk)
{
	const uint8_t *b = pk->options;
	uint8_t i = 0;

	if (pk->any_options)
		put(o, " <...>");
	if (!pk->options_len)
		return;
	put(o, " <");
	while (i < pk->options_len) {
		uint8_t left = (uint8_t)(pk->options_len - i);

		put(o, "%s", i ? "," : "");
		if (b[i] <= 1) {
			put(o, "%s", b[i] ? "nop" : "eol");
			i++;
			continue;
		}
		if (left < 2 || b[i + 1] < 2 || b[i + 1] > left) {
			put(o, "cut off");
			break;
		}
		put_option(o, b + i, b[i + 1]);
		i = (uint8_t)(i + b[i + 1]);
	}
	put(o, ">");
}

static void put_ip(struct out *o, const struct packet_spec *pk)
{
	static const char *const ecn[] = { "noecn", "ect1", "ect0", "ce" };

	switch (pk->tos_check) {
	case TOS_ECN: put(o, "[%s] ", ecn[pk->tos & 3]); break;
	case TOS_ECN_ECT01: put(o, "[ect01] "); break;
	case TOS_ALL: put(o, "[tos 0x%02x] ", pk->tos); break;
	case TOS_NONE: break;
	}
	if (pk->ttl)
		put(o, "[ttl %u] ", pk->ttl);
}

static void put_tcp(struct out *o, const struct packet_spec *pk)
{
	static const char letters[] = "FSRP.UEWA";
	/* In the order that scripts have: the dot last. */
	static const uint8_t order[] = { 1, 0, 2, 3, 5, 6, 7, 8, 4 };
	size_t i;

	if (!(pk->flags & 0x1ff))
		put(o, "-");
	for (i = 0; i < sizeof(order); i++)
		if (pk->flags & 1U << order[i])
			put(o, "%c", letters[order[i]]);
	put(o, " %u:%u(%u)", pk->seq, pk->seq + pk->len, pk->len);
	if (pk->flags & FLAG_ACK)
		put(o, " ack %u", pk->ack);
	if (pk->win >= 0)
		put(o, " win %d", pk->win);
	if (pk->urg || (pk->flags & FLAG_URG))
		put(o, " urg %u", pk->urg);
	put_options(o, pk);
}

/**
 * packet_text() - a packet in the script's notation
 * @pk:    packet
 * @buf:   room for the text
 * @size:  bytes there, > 0
 */
void packet_text(const struct packet_spec *pk, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	buf[0] = '\0';
	put_ip(&o, pk);
	if (pk->has_ports && pk->kind == PACKET_TCP)
		put(&o, "%u > %u ", pk->sport, pk->dport);
	switch (pk->kind) {
	case PACKET_TCP: put_tcp(&o, pk); break;
	case PACKET_UDP:
		put(&o, "udp ");
		if (pk->has_ports)
			put(&o, "%u > %u ", pk->sport, pk->dport);
		put(&o, "(%u)", pk->len);
		break;
	case PACKET_ICMP:
		put(&o, "icmp type %u code %u", pk->icmp_type, pk->icmp_code);
		if (pk->icmp_mtu >= 0)
			put(&o, " mtu %lld", (long long)pk->icmp_mtu);
		if (pk->icmp_ident)
			put(&o, " id %u", pk->icmp_ident);
		break;
	}
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool differs(char *why, size_t size, const char *field, uint32_t want, uint32_t got)
{
	if (want == got)
		return false;
	snprintf(why, size, "%s: expected: %u (0x%x) vs actual: %u (0x%x)", field, want, want, got, got);
	return true;
}

static bool ip_differs(const struct packet_spec *want, const struct packet_spec *got, char *why, size_t size)
{
	switch (want->tos_check) {
	case TOS_ECN:
		if (differs(why, size, "ipv4_ecn", want->tos & 3U, got->tos & 3U))
			return true;
		break;
	case TOS_ECN_ECT01:
		if ((got->tos & 3) != 1 && (got->tos & 3) != 2) {
			snprintf(why, size, "ipv4_ecn: expected: ECT0 or ECT1 vs actual: %u", got->tos & 3U);
			return true;
		}
		break;
	case TOS_ALL:
		if (differs(why, size, "ipv4_tos", want->tos, got->tos))
			return true;
		break;
	case TOS_NONE: break;
	}
	return want->ttl && differs(why, size, "ipv4_ttl", want->ttl, got->ttl);
}

/* The same but for TS val, which may be off a little, or altogether without ticks. */
static bool options_differ(const struct drill_config *cfg, const struct packet_spec *want,
			   const struct packet_spec *got, char *why, size_t size)
{
	uint32_t val, want_val, ecr, want_ecr;
	struct packet_spec same = *got;
	int64_t off;
	size_t i;

	if (want->any_options)
		return false;
	if (options_ts(got->options, got->options_len, &val, &ecr) &&
	    options_ts(want->options, want->options_len, &want_val, &want_ecr)) {
		off = (int32_t)(val - want_val);
		off = (off < 0 ? -off : off) * cfg->ts_tick_us;
		if (off > cfg->tolerance_us) {
			snprintf(why, size, "TS val: expected: %u vs actual: %u, ticks of %u us", want_val, val,
				 cfg->ts_tick_us);
			return true;
		}
		for (i = 0; i + 10 <= same.options_len; i++)
			if (same.options[i] == 8 && same.options[i + 1] == 10 &&
			    get32(same.options + i + 2) == val)
				memcpy(same.options + i + 2,
				       (uint8_t[]){ (uint8_t)(want_val >> 24), (uint8_t)(want_val >> 16),
						    (uint8_t)(want_val >> 8), (uint8_t)want_val }, 4);
	}
	if (same.options_len == want->options_len &&
	    memcmp(same.options, want->options, want->options_len) == 0)
		return false;
	snprintf(why, size, "TCP options differ");
	return true;
}

static bool tcp_differs(const struct drill_config *cfg, const struct packet_spec *want,
			const struct packet_spec *got, char *why, size_t size)
{
	if (want->flags != got->flags) {
		struct packet_spec w = *want, g = *got;
		char a[200], b[200];

		w.tos_check = g.tos_check = TOS_NONE;
		w.ttl = g.ttl = 0;
		packet_text(&w, a, sizeof(a));
		packet_text(&g, b, sizeof(b));
		a[strcspn(a, " ")] = b[strcspn(b, " ")] = '\0';
		snprintf(why, size, "tcp_flags: expected: %.20s vs actual: %.20s", a, b);
		return true;
	}
	if (differs(why, size, "tcp_seq", want->seq, got->seq) ||
	    differs(why, size, "tcp_data_len", want->len, got->len) ||
	    ((want->flags & FLAG_ACK) && differs(why, size, "tcp_ack_seq", want->ack, got->ack)) ||
	    (want->win >= 0 &&
	     differs(why, size, "tcp_window", (uint32_t)want->win, (uint32_t)got->win)) ||
	    differs(why, size, "tcp_urg_ptr", want->urg, got->urg))
		return true;
	return options_differ(cfg, want, got, why, size);
}

/**
 * packet_match() - whether a packet is what the script expects
 * @cfg:   tolerances
 * @want:  the script's
 * @got:   what was sent, in the script's numbers
 * @why:   the field that differs, with both values
 * @size:  room there
 *
 * Return:  true when it is
 */
bool packet_match(const struct drill_config *cfg, const struct packet_spec *want, const struct packet_spec *got,
		  char *why, size_t size)
{
	static const char *const kinds[] = { "TCP", "UDP", "ICMP" };

	if (want->kind != got->kind) {
		snprintf(why, size, "expected: a packet of %s vs actual: one of %s", kinds[want->kind],
			 kinds[got->kind]);
		return false;
	}
	if (ip_differs(want, got, why, size))
		return false;
	switch (want->kind) {
	case PACKET_TCP: return !tcp_differs(cfg, want, got, why, size);
	case PACKET_UDP: return !differs(why, size, "udp_data_len", want->len, got->len);
	case PACKET_ICMP: break;
	}
	return !differs(why, size, "icmp_type", want->icmp_type, got->icmp_type) &&
	       !differs(why, size, "icmp_code", want->icmp_code, got->icmp_code) &&
	       !(want->icmp_mtu >= 0 &&
		 differs(why, size, "icmp_mtu", (uint32_t)want->icmp_mtu, (uint32_t)got->icmp_mtu)) &&
	       !(want->icmp_ident && differs(why, size, "icmp_id", want->icmp_ident, got->icmp_ident));
}
