/* SPDX-License-Identifier: MIT */
/*
 * TCP options, in and out (RFC 9293 3.2, RFC 7323, RFC 2018).
 *
 * Reading never fails: a malformed option ends the list, what stood before it counts, and unknown
 * kinds are stepped over by their length (RFC 9293 3.1: MUST-6, MUST-7). Writing follows the order
 * and padding of Linux, so that a capture of ours looks like one of Linux:
 *
 *   SYN          mss, sackOK, timestamps, nop, wscale   (nop nop timestamps without sackOK,
 *                                                        nop nop sackOK without timestamps)
 *                then Fast Open, nop up to four bytes
 *   established  nop nop timestamps, nop nop SACK
 *
 * All lengths written are multiples of four.
 */
#include "stack/tcp/tcp.h"

enum {
	TCPOPT_EOL = 0, TCPOPT_NOP = 1, TCPOPT_MSS = 2, TCPOPT_WSCALE = 3, TCPOPT_SACK_OK = 4,
	TCPOPT_SACK = 5, TCPOPT_TS = 8, TCPOPT_FASTOPEN = 34, TCPOPT_EXP = 254,
};

#define EXP_FASTOPEN_MAGIC 0xf989U /* RFC 6994 3, before RFC 7413 had a kind of its own */

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t *put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	return p + 4;
}

static uint8_t *put_bytes4(uint8_t *p, unsigned int a, unsigned int b, unsigned int c,
			   unsigned int d)
{
	p[0] = (uint8_t)a;
	p[1] = (uint8_t)b;
	p[2] = (uint8_t)c;
	p[3] = (uint8_t)d;
	return p + 4;
}

static void parse_sack(const uint8_t *body, uint32_t len, struct tcp_options *out)
{
	uint32_t i;

	if (len == 0 || len % 8 != 0 || len / 8 > TCP_MAX_SACK_BLOCKS)
		return;
	out->nsacks = (uint8_t)(len / 8);
	for (i = 0; i < out->nsacks; i++) {
		out->sacks[i].start = get_be32(body + 8 * i);
		out->sacks[i].end = get_be32(body + 8 * i + 4);
	}
}

/* RFC 7413 4.1.1: no cookie, or an even number of 4 to 16 bytes. */
static void parse_fastopen(const uint8_t *body, uint32_t len, bool exp, struct tcp_options *out)
{
	if (len % 2 || (len && len < 4) || len > sizeof(out->fastopen.val))
		return;
	out->has_fastopen = true;
	out->fastopen.len = (uint8_t)len;
	out->fastopen.exp = exp;
	memcpy(out->fastopen.val, body, len);
}

/* One option with a length; @body and @len without kind and length. A wrong length: ignored. */
static void parse_one(uint8_t kind, const uint8_t *body, uint32_t len, bool syn,
		      struct tcp_options *out)
{
	switch (kind) {
	case TCPOPT_MSS:
		if (syn && len == 2 && get_be16(body)) {
			out->mss = get_be16(body);
			out->has_mss = true;
		}
		break;
	case TCPOPT_WSCALE:
		if (syn && len == 1) {
			/* RFC 7323 2.3: more than 14 counts as 14. */
			out->wscale = MIN(body[0], TCP_MAX_WSCALE);
			out->has_wscale = true;
		}
		break;
	case TCPOPT_SACK_OK:
		if (syn && len == 0)
			out->has_sack_ok = true;
		break;
	case TCPOPT_SACK:
		if (!syn)
			parse_sack(body, len, out);
		break;
	case TCPOPT_TS:
		if (len == 8) {
			out->tsval = get_be32(body);
			out->tsecr = get_be32(body + 4);
			out->has_ts = true;
		}
		break;
	case TCPOPT_FASTOPEN:
		if (syn)
			parse_fastopen(body, len, false, out);
		break;
	case TCPOPT_EXP:
		if (syn && len >= 2 && get_be16(body) == EXP_FASTOPEN_MAGIC)
			parse_fastopen(body + 2, len - 2, true, out);
		break;
	default:
		break;
	}
}

/**
 * tcp_parse_options() - read the options of a segment
 * @opt:  first byte behind the fixed header
 * @len:  bytes of options
 * @syn:  the segment has SYN: MSS, window scale and SACK-permitted count only there
 * @out:  filled; all "has" false for what is missing
 *
 * Source:  RFC 9293 3.1, 3.2; RFC 7323 2.2, 3.2; RFC 2018 2, 3
 */
void tcp_parse_options(const uint8_t *opt, uint32_t len, bool syn, struct tcp_options *out)
{
	uint32_t i = 0, optlen;

	memset(out, 0, sizeof(*out));
	while (i < len && opt[i] != TCPOPT_EOL) {
		if (opt[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len)
			return;
		optlen = opt[i + 1];
		if (optlen < 2 || optlen > len - i)
			return;
		parse_one(opt[i], opt + i + 2, optlen - 2, syn, out);
		i += optlen;
	}
}

static uint8_t *put_fastopen(uint8_t *p, const struct tcp_fastopen_cookie *c)
{
	uint8_t *start = p;

	if (c->exp) {
		p = put_bytes4(p, TCPOPT_EXP, 4U + c->len, EXP_FASTOPEN_MAGIC >> 8,
			       EXP_FASTOPEN_MAGIC & 0xffU);
	} else {
		*p++ = TCPOPT_FASTOPEN;
		*p++ = (uint8_t)(2 + c->len);
	}
	memcpy(p, c->val, c->len);
	p += c->len;
	while ((p - start) % 4)
		*p++ = TCPOPT_NOP;
	return p;
}

/**
 * tcp_write_syn_options() - options of a SYN or SYN-ACK
 * @p:  at least 40 bytes
 * @o:  which ones (has_*), and their values
 *
 * Return:  bytes written, a multiple of four
 */
uint32_t tcp_write_syn_options(uint8_t *p, const struct tcp_options *o)
{
	uint8_t *start = p;

	if (o->has_mss)
		p = put_bytes4(p, TCPOPT_MSS, 4, o->mss >> 8, o->mss & 0xffU);
	if (o->has_ts) {
		if (o->has_sack_ok)
			p = put_bytes4(p, TCPOPT_SACK_OK, 2, TCPOPT_TS, 10);
		else
			p = put_bytes4(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TS, 10);
		p = put_be32(p, o->tsval);
		p = put_be32(p, o->tsecr);
	} else if (o->has_sack_ok) {
		p = put_bytes4(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK_OK, 2);
	}
	if (o->has_wscale)
		p = put_bytes4(p, TCPOPT_NOP, TCPOPT_WSCALE, 3, o->wscale);
	/* 20 bytes at most stand before it, and 20 suffice. */
	if (o->has_fastopen)
		p = put_fastopen(p, &o->fastopen);
	return (uint32_t)(p - start);
}

/**
 * tcp_write_ts_option() - a timestamps option with its padding: TCP_TS_OPTLEN bytes
 * @p:      where
 * @tsval:  TSval
 * @tsecr:  TSecr
 */
uint32_t tcp_write_ts_option(uint8_t *p, uint32_t tsval, uint32_t tsecr)
{
	p = put_bytes4(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TS, 10);
	p = put_be32(p, tsval);
	put_be32(p, tsecr);
	return TCP_TS_OPTLEN;
}

/**
 * tcp_ts_clock() - the timestamp clock, one tick a millisecond
 * @net:     namespace
 * @ts_off:  offset of the connection, hides how long the host is up
 *
 * Source:  RFC 7323 5.4 (1 ms to 1 s a tick), 7.1 (offset)
 */
uint32_t tcp_ts_clock(const struct net *net, uint32_t ts_off)
{
	return (uint32_t)(net->now / NSEC_PER_MSEC) + ts_off;
}

/* SACK blocks that fit, the D-SACK block included. */
static uint32_t sack_blocks(const struct tcp_sock *tp)
{
	uint32_t n = tp->num_rcv_sacks + (tp->dsack.start != tp->dsack.end ? 1U : 0U);

	/* RFC 2018 3: 40 bytes hold four blocks, three beside timestamps. */
	return MIN(n, tp->ts_ok ? TCP_MAX_SACK_BLOCKS - 1U : TCP_MAX_SACK_BLOCKS);
}

/**
 * tcp_established_optlen() - bytes of options the next segment carries
 * @tp:  connection
 */
uint32_t tcp_established_optlen(const struct tcp_sock *tp)
{
	uint32_t blocks = sack_blocks(tp);

	return (tp->ts_ok ? TCP_TS_OPTLEN : 0) + (blocks ? 4 + 8 * blocks : 0);
}

/**
 * tcp_write_established_options() - timestamps and SACK; a D-SACK block goes out once
 * @tp:  connection
 * @p:   at least 40 bytes
 *
 * Source:  RFC 7323 3.2, RFC 2018 4 (order of the blocks), RFC 2883 4 (D-SACK first)
 * Return:  bytes written, as tcp_established_optlen() said
 */
uint32_t tcp_write_established_options(struct tcp_sock *tp, uint8_t *p)
{
	uint32_t blocks = sack_blocks(tp), i = 0;
	uint8_t *start = p;

	if (tp->ts_ok)
		p += tcp_write_ts_option(p, tcp_ts_clock(tcp_net(tp), tp->ts_off), tp->ts_recent);
	if (blocks == 0)
		return (uint32_t)(p - start);

	p = put_bytes4(p, TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK, 2 + 8 * blocks);
	if (tp->dsack.start != tp->dsack.end) {
		p = put_be32(p, tp->dsack.start);
		p = put_be32(p, tp->dsack.end);
		tp->dsack.start = tp->dsack.end;
		blocks--;
	}
	for (i = 0; i < blocks; i++) {
		p = put_be32(p, tp->rcv_sacks[i].start);
		p = put_be32(p, tp->rcv_sacks[i].end);
	}
	return (uint32_t)(p - start);
}
