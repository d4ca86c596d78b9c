/* SPDX-License-Identifier: MIT */
/*
 * parse_options.c - the options of TCP, as bytes in the order of the script
 *
 * Numbers inside of them (timestamps, SACK blocks) stay as the script has them; packet.c turns them
 * into those of the connection. No padding is put in: the script says each byte.
 */
#include <string.h>

#include "tools/packetdrill/parser.h"

#define FASTOPEN_EXP_MAGIC 0xF989 /* RFC 7413 A.1 with RFC 6994 */

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

static bool add(struct parser *p, struct packet_spec *pk, const struct token *at, const uint8_t *bytes,
		size_t len)
{
	if (pk->options_len + len > sizeof(pk->options))
		return parse_fail(p, at, "more than %zu bytes of TCP options", sizeof(pk->options));
	memcpy(pk->options + pk->options_len, bytes, len);
	pk->options_len = (uint8_t)(pk->options_len + len);
	return true;
}

static bool parse_timestamps(struct parser *p, struct packet_spec *pk, const struct token *at)
{
	uint8_t opt[10] = { 8, 10 };
	int64_t val, ecr;

	if (!parse_take_word(p, "val"))
		return parse_fail(p, p->tok, "expected 'val' behind TS");
	if (!parse_number(p, "TS val", 0, UINT32_MAX, &val))
		return false;
	if (!parse_take_word(p, "ecr"))
		return parse_fail(p, p->tok, "expected 'ecr' behind TS val");
	if (!parse_number(p, "TS ecr", 0, UINT32_MAX, &ecr))
		return false;
	put32(opt + 2, (uint32_t)val);
	put32(opt + 6, (uint32_t)ecr);
	return add(p, pk, at, opt, sizeof(opt));
}

static bool parse_sack(struct parser *p, struct packet_spec *pk, const struct token *at)
{
	uint8_t opt[2 + 4 * 8] = { 5, 2 };
	int64_t left, right;

	do {
		if (opt[1] == sizeof(opt))
			return parse_fail(p, p->tok, "more than 4 SACK blocks");
		if (!parse_number(p, "SACK block", 0, UINT32_MAX, &left) || !parse_expect_char(p, ':') ||
		    !parse_number(p, "end of SACK block", 0, UINT32_MAX, &right))
			return false;
		put32(opt + opt[1], (uint32_t)left);
		put32(opt + opt[1] + 4, (uint32_t)right);
		opt[1] = (uint8_t)(opt[1] + 8);
	} while (p->tok->kind == TOK_INT);
	return add(p, pk, at, opt, opt[1]);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) % 16 : -1;
}

/* Bytes in hexadecimal, pairs of digits; *len says how many there may be, then how many there are. */
static bool parse_hex(struct parser *p, const char *what, uint8_t *bytes, size_t *len)
{
	const struct token *t = p->tok;
	size_t i;

	if (t->kind != TOK_WORD && t->kind != TOK_INT && t->kind != TOK_HEX) {
		*len = 0;
		return true;
	}
	if (t->len % 2 || t->len / 2 > *len)
		return parse_fail(p, t, "%s has %zu hexadecimal digits; they are pairs, up to %zu", what,
				  t->len, *len);
	for (i = 0; i < t->len; i += 2) {
		int hi = hex_digit(t->text[i]), lo = hex_digit(t->text[i + 1]);

		if (hi < 0 || lo < 0)
			return parse_fail(p, t, "%s '%.40s' is not hexadecimal", what, t->text);
		bytes[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	*len = t->len / 2;
	p->tok++;
	return true;
}

/* The option's own number (34) or the experimental one (254). */
static bool parse_fastopen(struct parser *p, struct packet_spec *pk, const struct token *at, bool exp)
{
	uint8_t opt[4 + 16] = { exp ? 254 : 34 };
	size_t head = exp ? 4 : 2, len = 16;

	if (exp)
		put16(opt + 2, FASTOPEN_EXP_MAGIC);
	if (!parse_hex(p, "Fast Open cookie", opt + head, &len))
		return false;
	opt[1] = (uint8_t)(head + len);
	return add(p, pk, at, opt, head + len);
}

static bool parse_md5(struct parser *p, struct packet_spec *pk, const struct token *at)
{
	uint8_t opt[18] = { 19, 18 };
	size_t len = 16;

	if (!parse_hex(p, "MD5 signature", opt + 2, &len))
		return false;
	if (len != 16)
		return parse_fail(p, at, "an MD5 signature has 16 bytes, not %zu", len);
	return add(p, pk, at, opt, sizeof(opt));
}

static bool parse_mss(struct parser *p, struct packet_spec *pk, const struct token *at)
{
	uint8_t opt[4] = { 2, 4 };
	int64_t num;

	if (!parse_number(p, "mss", 0, 65535, &num))
		return false;
	put16(opt + 2, (uint32_t)num);
	return add(p, pk, at, opt, sizeof(opt));
}

static bool parse_wscale(struct parser *p, struct packet_spec *pk, const struct token *at)
{
	uint8_t opt[3] = { 3, 3 };
	int64_t num;

	if (!parse_number(p, "wscale", 0, 255, &num))
		return false;
	opt[2] = (uint8_t)num;
	return add(p, pk, at, opt, sizeof(opt));
}

static bool parse_option(struct parser *p, struct packet_spec *pk)
{
	static const uint8_t nop[] = { 1 }, eol[] = { 0 }, sack_ok[] = { 4, 2 };
	const struct token *t = p->tok;
	char name[64];

	if (parse_take_word(p, "nop"))
		return add(p, pk, t, nop, 1);
	if (parse_take_word(p, "eol"))
		return add(p, pk, t, eol, 1);
	if (parse_take_word(p, "sackOK"))
		return add(p, pk, t, sack_ok, 2);
	if (parse_take_word(p, "mss"))
		return parse_mss(p, pk, t);
	if (parse_take_word(p, "wscale"))
		return parse_wscale(p, pk, t);
	if (parse_take_word(p, "sack"))
		return parse_sack(p, pk, t);
	if (parse_take_word(p, "TS"))
		return parse_timestamps(p, pk, t);
	if (parse_take_word(p, "FO"))
		return parse_fastopen(p, pk, t, false);
	if (parse_take_word(p, "FOEXP"))
		return parse_fastopen(p, pk, t, true);
	if (parse_take_word(p, "md5"))
		return parse_md5(p, pk, t);
	return parse_fail(p, t, "unknown TCP option %s", parse_token_name(t, name, sizeof(name)));
}

/**
 * parse_tcp_options() - the options behind a TCP packet, if there are any
 * @p:   parser
 * @pk:  packet, whose options are filled
 *
 * Return:  false after an error
 */
bool parse_tcp_options(struct parser *p, struct packet_spec *pk)
{
	const struct token *start = p->tok;

	if (!parse_take_char(p, '<'))
		return true;
	if (p->tok->kind == TOK_ELLIPSIS) {
		if (pk->inbound)
			return parse_fail(p, p->tok, "<...> is for outbound packets only");
		p->tok++;
		pk->any_options = true;
		return parse_expect_char(p, '>');
	}
	do {
		if (!parse_option(p, pk))
			return false;
	} while (parse_take_char(p, ','));
	if (!parse_expect_char(p, '>'))
		return false;
	if (pk->options_len % 4)
		return parse_fail(p, start, "TCP options take %u bytes, which is no multiple of 4: add nop",
				  pk->options_len);
	return true;
}
