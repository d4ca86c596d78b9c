/* SPDX-License-Identifier: MIT */
/*
 * parse_packet.c - packets: < S 0:0(0) win 1000 <mss 1460>, > udp (100), < icmp unreachable ...
 *
 * Direction, what IP's header says in brackets, ports, then what the protocol has. The options of
 * TCP are in parse_options.c.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#include "tools/packetdrill/parser.h"

/* ---- IP -------------------------------------------------------------------------------------- */

static bool parse_tos(struct parser *p, struct packet_spec *pk)
{
	static const struct {
		const char *word;
		uint8_t tos;
	} ecn[] = { { "noecn", 0 }, { "ect1", 1 }, { "ect0", 2 }, { "ce", 3 } };
	const struct token *t = p->tok;
	int64_t num;
	size_t i;

	for (i = 0; i < sizeof(ecn) / sizeof(ecn[0]); i++) {
		if (parse_take_word(p, ecn[i].word)) {
			pk->tos_check = TOS_ECN;
			pk->tos = ecn[i].tos;
			return true;
		}
	}
	if (parse_take_word(p, "ect01")) {
		if (pk->inbound)
			return parse_fail(p, t, "[ect01] is for outbound packets only");
		pk->tos_check = TOS_ECN_ECT01;
		return true;
	}
	if (parse_take_word(p, "tos")) {
		if (!parse_number(p, "tos", 0, 255, &num))
			return false;
		pk->tos_check = TOS_ALL;
		pk->tos = (uint8_t)num;
		return true;
	}
	if (parse_is_word(p, "flowlabel"))
		return parse_fail(p, t, "flow labels belong to IPv6, which is not supported");
	return parse_fail(p, t, "expected noecn, ect0, ect1, ect01, ce, tos or ttl");
}

/* [ect0], (tos 0x10), [ttl 64], [ect0, ttl 1]; a bracket that holds a quote of ICMP is not ours. */
static bool parse_ip_info(struct parser *p, struct packet_spec *pk)
{
	char close;
	int64_t num;

	if (p->tok->kind != TOK_CHAR || (p->tok->num != '[' && p->tok->num != '(') ||
	    p->tok[1].kind != TOK_WORD)
		return true;
	close = p->tok->num == '[' ? ']' : ')';
	p->tok++;
	do {
		if (parse_take_word(p, "ttl")) {
			if (!parse_number(p, "ttl", 1, 255, &num))
				return false;
			pk->ttl = (uint8_t)num;
		} else if (!parse_tos(p, pk)) {
			return false;
		}
	} while (parse_take_char(p, ','));
	return parse_expect_char(p, close);
}

/* 4000 > 80 */
static bool parse_ports(struct parser *p, struct packet_spec *pk)
{
	int64_t src, dst;

	if (p->tok->kind != TOK_INT || p->tok[1].kind != TOK_CHAR || p->tok[1].num != '>')
		return true;
	if (!parse_number(p, "source port", 1, 65535, &src) || !parse_expect_char(p, '>') ||
	    !parse_number(p, "destination port", 1, 65535, &dst))
		return false;
	pk->has_ports = true;
	pk->sport = (uint16_t)src;
	pk->dport = (uint16_t)dst;
	return true;
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static bool parse_flag_letters(struct parser *p, struct packet_spec *pk, const struct token *t)
{
	static const char letters[] = "FSRP.UEWA";
	const char *c, *found;
	unsigned int bit;

	for (c = t->text; *c; c++) {
		found = strchr(letters, *c);
		if (!found)
			return parse_fail(p, t, "'%.40s' are no TCP flags: there are F S R P . U E W A", t->text);
		bit = 1U << (found - letters);
		if (pk->flags & bit)
			return parse_fail(p, t, "TCP flag '%c' is there twice", *c);
		pk->flags |= (uint16_t)bit;
	}
	return true;
}

/* The three ECN bits as a number behind the dot: ".5". */
static bool parse_ace(struct parser *p, struct packet_spec *pk, const struct token *t)
{
	int ace = t->text[1] - '0';

	if (t->text[0] != '.' || t->len != 2 || ace > 7)
		return parse_fail(p, t, "expected a dot and ACE, a digit up to 7, instead of '%.40s'", t->text);
	if (pk->flags & (FLAG_AE | FLAG_CWR | FLAG_ECE))
		return parse_fail(p, t, "ACE and the flags E, W, A are the same bits");
	pk->flags |= FLAG_ACK;
	pk->flags |= (uint16_t)((ace & 4 ? FLAG_AE : 0) | (ace & 2 ? FLAG_CWR : 0) |
				(ace & 1 ? FLAG_ECE : 0));
	return true;
}

static bool parse_flags(struct parser *p, struct packet_spec *pk)
{
	const struct token *t = p->tok;
	char name[64];

	if (parse_take_char(p, '-'))
		return true;
	if (t->kind == TOK_WORD) {
		if (!parse_flag_letters(p, pk, t))
			return false;
		p->tok++;
	}
	if (p->tok->kind == TOK_FLOAT) {
		if (!parse_ace(p, pk, p->tok))
			return false;
		p->tok++;
	} else if (parse_take_char(p, '.')) {
		pk->flags |= FLAG_ACK;
	} else if (t->kind != TOK_WORD) {
		return parse_fail(p, t, "expected TCP flags, udp or icmp instead of %s",
				  parse_token_name(t, name, sizeof(name)));
	}
	/* ".U" and the like: letters behind the dot. */
	if (p->tok->kind == TOK_WORD && (pk->flags & FLAG_ACK) && p->tok[1].kind == TOK_INT) {
		t = p->tok++;
		return parse_flag_letters(p, pk, t);
	}
	return true;
}

/* 1:1001(1000) */
static bool parse_seq(struct parser *p, uint32_t *seq, uint32_t *len)
{
	const struct token *t = p->tok;
	int64_t start, end, bytes;

	if (!parse_number(p, "sequence number", 0, UINT32_MAX, &start) || !parse_expect_char(p, ':') ||
	    !parse_number(p, "end of sequence numbers", 0, UINT32_MAX, &end) ||
	    !parse_expect_char(p, '(') || !parse_number(p, "payload size", 0, 65535, &bytes) ||
	    !parse_expect_char(p, ')'))
		return false;
	if ((uint32_t)end != (uint32_t)(start + bytes))
		return parse_fail(p, t, "sequence numbers %lld:%lld do not hold %lld bytes",
				  (long long)start, (long long)end, (long long)bytes);
	*seq = (uint32_t)start;
	*len = (uint32_t)bytes;
	return true;
}

static bool parse_tcp(struct parser *p, struct packet_spec *pk)
{
	const struct token *t;
	int64_t num;

	pk->kind = PACKET_TCP;
	if (!parse_flags(p, pk) || !parse_seq(p, &pk->seq, &pk->len))
		return false;
	t = p->tok;
	if (parse_take_word(p, "ack")) {
		if (!parse_number(p, "acknowledgement number", 0, UINT32_MAX, &num))
			return false;
		if (!(pk->flags & FLAG_ACK))
			return parse_fail(p, t, "'ack' without the flag '.'");
		pk->ack = (uint32_t)num;
	} else if ((pk->flags & FLAG_ACK) && pk->inbound) {
		return parse_fail(p, t, "flag '.' without 'ack'");
	}
	pk->win = -1;
	t = p->tok;
	if (parse_take_word(p, "win")) {
		if (!pk->inbound && parse_take_char(p, '*'))
			;
		else if (!parse_number(p, "window", 0, 65535, &num))
			return false;
		else
			pk->win = (int)num;
	} else if (pk->inbound && !(pk->flags & FLAG_RST)) {
		return parse_fail(p, t, "an inbound packet needs its window: win N");
	}
	if (parse_take_word(p, "urg")) {
		if (!parse_number(p, "urgent pointer", 0, 65535, &num))
			return false;
		pk->urg = (uint16_t)num;
	}
	return parse_tcp_options(p, pk);
}

/* ---- UDP and ICMP ---------------------------------------------------------------------------- */

static bool parse_udp(struct parser *p, struct packet_spec *pk)
{
	const struct token *t = p->tok;
	int64_t len;

	pk->kind = PACKET_UDP;
	if (!parse_ports(p, pk) || !parse_expect_char(p, '(') ||
	    !parse_number(p, "payload size", 0, 65507, &len) || !parse_expect_char(p, ')'))
		return false;
	if (pk->tos_check == TOS_ECN_ECT01)
		return parse_fail(p, t, "[ect01] is for TCP only");
	pk->len = (uint32_t)len;
	return true;
}

/* Names of RFC 792, as packetdrill has them. */
static const struct {
	const char *type, *code;
	uint8_t t, c;
} icmp_names[] = {
	{ "echo_reply", "", ICMP_ECHOREPLY, 0 },
	{ "echo_request", "", ICMP_ECHO, 0 },
	{ "unreachable", "", ICMP_DEST_UNREACH, 0 },
	{ "unreachable", "net_unreachable", ICMP_DEST_UNREACH, ICMP_NET_UNREACH },
	{ "unreachable", "host_unreachable", ICMP_DEST_UNREACH, ICMP_HOST_UNREACH },
	{ "unreachable", "protocol_unreachable", ICMP_DEST_UNREACH, ICMP_PROT_UNREACH },
	{ "unreachable", "port_unreachable", ICMP_DEST_UNREACH, ICMP_PORT_UNREACH },
	{ "unreachable", "frag_needed", ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED },
	{ "unreachable", "source_route_failed", ICMP_DEST_UNREACH, ICMP_SR_FAILED },
	{ "unreachable", "net_unknown", ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN },
	{ "unreachable", "host_unknown", ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN },
	{ "unreachable", "source_host_isolated", ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED },
	{ "unreachable", "net_prohibited", ICMP_DEST_UNREACH, ICMP_NET_ANO },
	{ "unreachable", "host_prohibited", ICMP_DEST_UNREACH, ICMP_HOST_ANO },
	{ "unreachable", "net_unreachable_for_service", ICMP_DEST_UNREACH, ICMP_NET_UNR_TOS },
	{ "unreachable", "host_unreachable_for_service", ICMP_DEST_UNREACH, ICMP_HOST_UNR_TOS },
	{ "unreachable", "packet_filtered", ICMP_DEST_UNREACH, ICMP_PKT_FILTERED },
	{ "unreachable", "precedence_violation", ICMP_DEST_UNREACH, ICMP_PREC_VIOLATION },
	{ "unreachable", "precedence_cutoff", ICMP_DEST_UNREACH, ICMP_PREC_CUTOFF },
	{ "source_quench", "", ICMP_SOURCE_QUENCH, 0 },
	{ "redirect", "", ICMP_REDIRECT, 0 },
	{ "time_exceeded", "", ICMP_TIME_EXCEEDED, 0 },
	{ "time_exceeded", "ttl", ICMP_TIME_EXCEEDED, ICMP_EXC_TTL },
	{ "time_exceeded", "fragment_reassembly", ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME },
	{ "parameter_problem", "", ICMP_PARAMETERPROB, 0 },
	{ "timestamp_request", "", ICMP_TIMESTAMP, 0 },
	{ "timestamp_reply", "", ICMP_TIMESTAMPREPLY, 0 },
};

static bool parse_icmp_names(struct parser *p, struct packet_spec *pk)
{
	const struct token *type = p->tok, *code = NULL;
	bool known = false;
	size_t i;

	if (type->kind != TOK_WORD)
		return parse_fail(p, type, "expected a type of ICMP: unreachable, echo_request ...");
	p->tok++;
	if (p->tok->kind == TOK_WORD && !parse_is_word(p, "mtu") && !parse_is_word(p, "id"))
		code = p->tok++;
	for (i = 0; i < sizeof(icmp_names) / sizeof(icmp_names[0]); i++) {
		if (strcmp(icmp_names[i].type, type->text) != 0)
			continue;
		known = true;
		if (strcmp(icmp_names[i].code, code ? code->text : "") != 0)
			continue;
		pk->icmp_type = icmp_names[i].t;
		pk->icmp_code = icmp_names[i].c;
		return true;
	}
	if (!known)
		return parse_fail(p, type, "unknown type of ICMP '%.40s'", type->text);
	return parse_fail(p, code ? code : type, "ICMP %.40s has no code '%.40s'", type->text,
			  code ? code->text : "");
}

/* [1:1001(1000)], [udp (100)], [raw (100)]: what the message is about. */
static bool parse_icmp_quote(struct parser *p, struct packet_spec *pk)
{
	int64_t len;
	bool udp;

	pk->quote.protocol = IPPROTO_TCP;
	if (!parse_take_char(p, '['))
		return true;
	udp = parse_is_word(p, "udp");
	if (!udp && !parse_is_word(p, "raw")) {
		if (!parse_seq(p, &pk->quote.seq, &pk->quote.len))
			return false;
		return parse_expect_char(p, ']');
	}
	p->tok++;
	pk->quote.protocol = udp ? IPPROTO_UDP : IPPROTO_RAW;
	if (!parse_expect_char(p, '(') || !parse_number(p, "payload size", 0, 65507, &len) ||
	    !parse_expect_char(p, ')'))
		return false;
	pk->quote.len = (uint32_t)len;
	return parse_expect_char(p, ']');
}

static bool parse_icmp(struct parser *p, struct packet_spec *pk)
{
	int64_t num;

	pk->kind = PACKET_ICMP;
	pk->icmp_mtu = -1;
	if (!parse_icmp_names(p, pk))
		return false;
	if (parse_take_word(p, "mtu") && !parse_number(p, "mtu", 0, 65535, &pk->icmp_mtu))
		return false;
	if (parse_take_word(p, "id")) {
		if (!parse_number(p, "id", 0, 65535, &num))
			return false;
		pk->icmp_ident = (uint16_t)num;
	}
	return parse_icmp_quote(p, pk);
}

/* ---------------------------------------------------------------------------------------------- */

static bool refuse_tunnels(struct parser *p)
{
	static const char *const tunnels[] = { "ipv4", "ipv6", "gre", "GREv0", "mpls" };
	size_t i;

	for (i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++)
		if (parse_is_word(p, tunnels[i]))
			return parse_fail(p, p->tok, "packets inside of packets (%s) are not supported",
					  tunnels[i]);
	return true;
}

/**
 * parse_packet() - one packet
 * @p:   parser, at < or >
 * @pk:  filled
 *
 * Return:  false after an error
 */
bool parse_packet(struct parser *p, struct packet_spec *pk)
{
	pk->inbound = parse_is_char(p, '<');
	p->tok++;
	if (!refuse_tunnels(p) || !parse_ip_info(p, pk))
		return false;
	if (parse_take_word(p, "udp"))
		return parse_udp(p, pk);
	if (parse_take_word(p, "icmp"))
		return parse_icmp(p, pk);
	if (!parse_ports(p, pk) || !parse_tcp(p, pk))
		return false;
	if (parse_is_char(p, '{'))
		return parse_fail(p, p->tok, "mutations of packets ({mut ...}) are not supported");
	return true;
}
