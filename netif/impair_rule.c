/* SPDX-License-Identifier: MIT */
/*
 * impair_rule.c - the text of a rule: which frames, and what happens to them
 *
 *   rule [out | in | both] MATCH... ACTION
 *
 * matches, all of which must hold:
 *   tcp udp icmp arp ip, proto N    what it is
 *   from ADDR, to ADDR, port N      A.B.C.D[/LEN][:PORT]; port: of either side
 *   syn synack fin rst data ack     TCP: SYN without ACK; both; the flag; with text; a pure ACK
 *   conn N                          the N-th connection, in the order of SYNs
 *   segment N[-M]                   the connection's N-th data segment, and whatever repeats it
 *   retransmission, original        whether its sequence numbers went by here before
 *   seq N[-M]                       touches these sequence numbers, the SYN's being 0
 *   size N[-M]                      bytes of the IP packet
 * and of those that match:
 *   nth N[-M], every N              counted by the rule
 *   chance P                        at random
 *   count N                         so many times at most
 *
 * actions: drop; pass (no later rule, nothing at random); delay T; duplicate; corrupt; ce; strip
 * OPTION[,OPTION...]; icmp net|host|proto|port|admin|ttl, icmp fragneeded MTU; cut after N (the
 * connection ends in silence behind N bytes of text in this direction).
 * Rules are taken in order; drop, pass, icmp and cut end the list for a frame, the others go on.
 */
#include <netinet/in.h>

#include "netif/impair_link.h"

/* A word that stands for one bit. */
struct flag_word {
	const char *word;
	unsigned int bit;
	uint8_t proto;   /* implied; 0 = none */
};

static const struct flag_word flag_words[] = {
	{ "tcp", MATCH_PROTO, IPPROTO_TCP },
	{ "udp", MATCH_PROTO, IPPROTO_UDP },
	{ "icmp", MATCH_PROTO, IPPROTO_ICMP },
	{ "arp", MATCH_ARP, 0 },
	{ "ip", MATCH_IP, 0 },
	{ "syn", MATCH_SYN, 0 },
	{ "synack", MATCH_SYNACK, 0 },
	{ "fin", MATCH_FIN, 0 },
	{ "rst", MATCH_RST, 0 },
	{ "data", MATCH_DATA, 0 },
	{ "ack", MATCH_PURE_ACK, 0 },
	{ "retransmission", MATCH_RETRANS, 0 },
	{ "original", MATCH_ORIGINAL, 0 },
};

static const struct {
	const char *word;
	unsigned int bit;
} option_words[] = {
	{ "mss", STRIP_MSS }, { "wscale", STRIP_WSCALE }, { "sack", STRIP_SACK },
	{ "timestamps", STRIP_TIMESTAMPS }, { "fastopen", STRIP_FASTOPEN }, { "md5", STRIP_MD5 },
	{ "mptcp", STRIP_MPTCP }, { "all", ~0U },
};

/* RFC 792; RFC 1812 5.2.7.1. */
static const struct {
	const char *word;
	uint8_t type, code;
} icmp_words[] = {
	{ "net", 3, 0 }, { "host", 3, 1 }, { "proto", 3, 2 }, { "port", 3, 3 },
	{ "fragneeded", 3, 4 }, { "admin", 3, 13 }, { "ttl", 11, 0 },
};

/* --- matches ------------------------------------------------------------------------------------ */

static int parse_proto(struct impair_text *t, struct impair_rule *r)
{
	uint32_t n;
	int err = impair_number(t, "an IP protocol", 0, 255, &n);

	r->proto = (uint8_t)n;
	return err;
}

static int parse_from(struct impair_text *t, struct impair_rule *r)
{
	return impair_endpoint(t, "an address", &r->from);
}

static int parse_to(struct impair_text *t, struct impair_rule *r)
{
	return impair_endpoint(t, "an address", &r->to);
}

static int parse_port(struct impair_text *t, struct impair_rule *r)
{
	uint32_t n;
	int err = impair_number(t, "a port", 1, UINT16_MAX, &n);

	r->port = (uint16_t)n;
	return err;
}

static int parse_conn(struct impair_text *t, struct impair_rule *r)
{
	return impair_number(t, "a connection's number", 1, UINT32_MAX - 1, &r->conn);
}

static int parse_segment(struct impair_text *t, struct impair_rule *r)
{
	int err = impair_numbers(t, "a segment's number", 1, &r->segment);

	if (err == 0 && r->segment.from > IMPAIR_SEGMENTS)
		return impair_fail(t, "comes behind a segment beyond %d, which are all that are numbered",
				   IMPAIR_SEGMENTS);
	return err;
}

static int parse_seq(struct impair_text *t, struct impair_rule *r)
{
	return impair_numbers(t, "a sequence number", 0, &r->seq);
}

static int parse_size(struct impair_text *t, struct impair_rule *r)
{
	return impair_numbers(t, "a size", 0, &r->size);
}

static int parse_nth(struct impair_text *t, struct impair_rule *r)
{
	return impair_numbers(t, "a number of matching frames", 1, &r->nth);
}

static int parse_every(struct impair_text *t, struct impair_rule *r)
{
	return impair_number(t, "a number of matching frames", 1, UINT32_MAX - 1, &r->every);
}

static int parse_chance(struct impair_text *t, struct impair_rule *r)
{
	return impair_percent(t, "a chance", &r->chance);
}

static int parse_count(struct impair_text *t, struct impair_rule *r)
{
	return impair_number(t, "a number of times", 1, UINT32_MAX - 1, &r->count);
}

/* Bits beyond enum impair_match note, while a rule is read, what else was given. */
enum { GIVEN_NTH = 1 << 24, GIVEN_EVERY = 1 << 25, GIVEN_CHANCE = 1 << 26, GIVEN_COUNT = 1 << 27 };

static const struct {
	const char *word;
	unsigned int bit;
	int (*parse)(struct impair_text *t, struct impair_rule *r);
} match_words[] = {
	{ "proto", MATCH_PROTO, parse_proto },
	{ "from", MATCH_FROM, parse_from },
	{ "to", MATCH_TO, parse_to },
	{ "port", MATCH_PORT, parse_port },
	{ "conn", MATCH_CONN, parse_conn },
	{ "segment", MATCH_SEGMENT, parse_segment },
	{ "seq", MATCH_SEQ, parse_seq },
	{ "size", MATCH_SIZE, parse_size },
	{ "nth", GIVEN_NTH, parse_nth },
	{ "every", GIVEN_EVERY, parse_every },
	{ "chance", GIVEN_CHANCE, parse_chance },
	{ "count", GIVEN_COUNT, parse_count },
};

static int take_match(struct impair_text *t, struct impair_rule *r, unsigned int bit)
{
	if (r->match & bit)
		return impair_fail(t, "says a second time what a rule says once");
	r->match |= bit;
	return 0;
}

/* Takes the present word as a match, a direction or a flag. 1: it is none of them. */
static int parse_match(struct impair_text *t, struct impair_rule *r)
{
	static const char *const dirs[] = { [TAP_IN] = "in", [TAP_OUT] = "out" };
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(dirs) + 1; i++) {
		if (!impair_is(t, i < ARRAY_SIZE(dirs) ? dirs[i] : "both"))
			continue;
		if (r->dirs)
			return impair_fail(t, "is a second direction in one rule");
		r->dirs = i < ARRAY_SIZE(dirs) ? 1U << i : 3U;
		return impair_next_word(t);
	}
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (!impair_is(t, flag_words[i].word))
			continue;
		err = take_match(t, r, flag_words[i].bit);
		if (flag_words[i].proto)
			r->proto = flag_words[i].proto;
		return err < 0 ? err : impair_next_word(t);
	}
	for (size_t i = 0; i < ARRAY_SIZE(match_words); i++) {
		if (!impair_is(t, match_words[i].word))
			continue;
		err = take_match(t, r, match_words[i].bit);
		return err < 0 ? err : match_words[i].parse(t, r);
	}
	return 1;
}

/* --- actions ------------------------------------------------------------------------------------ */

static int action_strip(struct impair_text *t, struct impair_rule *r)
{
	char list[IMPAIR_WORD_MAX], *save = NULL, *word;
	int err = impair_need_word(t, "a TCP option");

	if (err < 0)
		return err;
	memcpy(list, t->word, sizeof(list));
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(option_words) && strcmp(word, option_words[i].word) != 0)
			i++;
		if (i == ARRAY_SIZE(option_words))
			return impair_fail(t, "is not of mss, wscale, sack, timestamps, fastopen, md5, "
					   "mptcp, all");
		r->strip |= option_words[i].bit;
	}
	if (!r->strip)
		return impair_fail(t, "names no TCP option");
	return impair_next_word(t);
}

static int action_icmp(struct impair_text *t, struct impair_rule *r)
{
	uint32_t mtu;
	int err = impair_need_word(t, "the kind of ICMP error");

	if (err < 0)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(icmp_words); i++) {
		if (!impair_is(t, icmp_words[i].word))
			continue;
		r->icmp_type = icmp_words[i].type;
		r->icmp_code = icmp_words[i].code;
		if (!impair_is(t, "fragneeded"))
			return impair_next_word(t);
		err = impair_number(t, "an MTU", 68, UINT16_MAX, &mtu);
		r->icmp_mtu = (uint16_t)mtu;
		return err;
	}
	return impair_fail(t, "is not of net, host, proto, port, admin, ttl, fragneeded MTU");
}

static int action_cut(struct impair_text *t, struct impair_rule *r)
{
	uint32_t bytes;
	int err = impair_need_word(t, "'after BYTES'");

	if (err < 0)
		return err;
	if (!impair_is(t, "after"))
		return impair_fail(t, "stands where 'after BYTES' is missing");
	err = impair_number(t, "a number of bytes", 0, 1U << 31, &bytes);
	r->cut_after = bytes;
	return err;
}

static int action_delay(struct impair_text *t, struct impair_rule *r)
{
	return impair_time(t, "a delay", &r->delay_ns);
}

static int action_plain(struct impair_text *t, struct impair_rule *r)
{
	(void)r;
	return impair_next_word(t);
}

static const struct {
	const char *word;
	enum impair_action_kind action;
	int (*parse)(struct impair_text *t, struct impair_rule *r);
} action_words[] = {
	{ "drop", ACTION_DROP, action_plain },
	{ "pass", ACTION_PASS, action_plain },
	{ "delay", ACTION_DELAY, action_delay },
	{ "duplicate", ACTION_DUPLICATE, action_plain },
	{ "corrupt", ACTION_CORRUPT, action_plain },
	{ "ce", ACTION_CE, action_plain },
	{ "strip", ACTION_STRIP, action_strip },
	/* Where a match has "icmp" already, or another protocol, "icmp" is the action. */
	{ "icmp", ACTION_ICMP, action_icmp },
	{ "cut", ACTION_CUT, action_cut },
};

/* "icmp" is a match in "rule icmp drop" and an action in "rule udp icmp port": what follows tells. */
static bool is_icmp_action(const struct impair_text *t)
{
	struct impair_error unused;
	struct impair_text look = *t;

	look.err = &unused;
	if (!impair_is(t, "icmp") || impair_next_word(&look) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(icmp_words); i++) {
		struct impair_text behind = look;

		if (!impair_is(&look, icmp_words[i].word))
			continue;
		/* "port 80" and "proto 1" are matches. */
		return impair_next_word(&behind) == 0 &&
		       (!behind.word[0] || impair_is(&look, "fragneeded"));
	}
	return false;
}

static int check_rule(struct impair_text *t, struct impair_rule *r)
{
	unsigned int of_tcp = MATCH_SYN | MATCH_SYNACK | MATCH_FIN | MATCH_RST | MATCH_PURE_ACK |
			      MATCH_DATA | MATCH_CONN | MATCH_SEGMENT | MATCH_RETRANS |
			      MATCH_ORIGINAL | MATCH_SEQ;
	bool tcp = (r->match & of_tcp) || r->action == ACTION_STRIP || r->action == ACTION_CUT;

	if (t->word[0])
		return impair_fail(t, "comes behind the rule's action");
	if (tcp && (r->match & MATCH_ARP || (r->match & MATCH_PROTO && r->proto != IPPROTO_TCP)))
		return impair_fail(t, "of the rule comes with words of TCP and of something else");
	if ((r->match & MATCH_RETRANS) && (r->match & MATCH_ORIGINAL))
		return impair_fail(t, "of the rule comes with both 'retransmission' and 'original'");
	if (tcp) {
		r->match |= MATCH_PROTO;
		r->proto = IPPROTO_TCP;
	}
	if (!(r->match & GIVEN_CHANCE))
		r->chance = IMPAIR_CERTAIN;
	if (!r->dirs)
		r->dirs = 1U << TAP_IN | 1U << TAP_OUT;
	return 0;
}

/**
 * impair_parse_rule() - the words behind "rule"
 * @t:     text; its word is the first of them
 * @rule:  out, zeroed before
 *
 * Return:  0; -EINVAL
 */
int impair_parse_rule(struct impair_text *t, struct impair_rule *rule)
{
	int err = 0;

	while (err == 0 && t->word[0] && !is_icmp_action(t))
		err = parse_match(t, rule);
	if (err < 0)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(action_words); i++) {
		if (!impair_is(t, action_words[i].word))
			continue;
		rule->action = action_words[i].action;
		err = action_words[i].parse(t, rule);
		return err < 0 ? err : check_rule(t, rule);
	}
	if (!t->word[0])
		return impair_fail(t, "stands where the rule's action is missing: drop, pass, delay T, "
				   "duplicate, corrupt, ce, strip, icmp or cut");
	return impair_fail(t, "is neither a match nor an action of a rule");
}
