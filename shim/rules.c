/* SPDX-License-Identifier: MIT */
/*
 * Rules that decide whose a socket is. One rule a line (or up to the next ';'), the first that
 * matches counts:
 *
 *   VERDICT [program=GLOB] [proto=NAME[,NAME]] [local=ADDRESS] [remote=ADDRESS]   # comment
 *
 *   VERDICT   stack, kernel or refuse
 *   GLOB      against the program's name, or, with a '/' in it, against its path
 *   NAME      tcp, udp, icmp (raw and ping sockets of it), raw
 *   ADDRESS   A.B.C.D, A.B.C.D/LEN or *, then :PORT or :FIRST-LAST; or the port alone
 *
 * A line is whole or it is an error: nothing in it is skipped. No memory is allocated and nothing is
 * written but what the caller gave, since the shim parses before the program's first line runs.
 */
#include "shim/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct word {
	const char *at;
	size_t len;
};

static const char *const verdicts[] = { "stack", "kernel", "refuse" };

static const struct {
	const char *name;
	uint8_t bit;
} protos[] = { { "tcp", RULE_TCP }, { "udp", RULE_UDP }, { "icmp", RULE_ICMP }, { "raw", RULE_RAW } };

/** rule_verdict_name() - "stack", "kernel", "refuse" */
const char *rule_verdict_name(enum rule_verdict verdict)
{
	return verdicts[verdict];
}

static int wrong(char *err, const char *what, struct word w, const char *why)
{
	snprintf(err, RULE_ERR_SIZE, "%s'%.*s' %s", what, (int)(w.len < 60 ? w.len : 60), w.at, why);
	return -EINVAL;
}

static bool is(struct word w, const char *text)
{
	return w.len == strlen(text) && !memcmp(w.at, text, w.len);
}

/* Cuts off what stands before the first of @stops, and that character. */
static struct word cut(struct word *rest, const char *stops)
{
	struct word w = { rest->at, 0 };

	while (w.len < rest->len && !strchr(stops, rest->at[w.len]))
		w.len++;
	rest->at += w.len;
	rest->len -= w.len;
	if (rest->len) {
		rest->at++;
		rest->len--;
	}
	return w;
}

/* A decimal number up to @most, and nothing else. */
static bool number(struct word w, unsigned long most, unsigned long *out)
{
	unsigned long n = 0;

	if (w.len == 0 || w.len > 5)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.at[i] < '0' || w.at[i] > '9')
			return false;
		n = n * 10 + (unsigned long)(w.at[i] - '0');
	}
	*out = n;
	return n <= most;
}

static int parse_ports(struct word w, struct rule_range *range, char *err)
{
	struct word rest = w, first = cut(&rest, "-");
	unsigned long a, b;

	if (!number(first, 65535, &a) || !number(first.len < w.len ? rest : first, 65535, &b))
		return wrong(err, "", w, "is neither a port nor a range of ports");
	if (b < a)
		return wrong(err, "the range of ports ", w, "ends before it begins");
	range->first = (uint16_t)a;
	range->last = (uint16_t)b;
	return 0;
}

static int parse_prefix(struct word w, struct rule_range *range, char *err)
{
	struct word rest = w, addr = cut(&rest, "/");
	unsigned long bits = 32;
	char text[INET_ADDRSTRLEN] = "";
	struct in_addr in;

	if (addr.len < sizeof(text))
		memcpy(text, addr.at, addr.len);
	if (inet_pton(AF_INET, text, &in) != 1)
		return wrong(err, "", w, "is not an IPv4 address (A.B.C.D, A.B.C.D/LEN or *)");
	if (addr.len < w.len && !number(rest, 32, &bits))
		return wrong(err, "", w, "has a prefix length outside of 0 to 32");
	range->mask = bits ? UINT32_MAX << (32 - bits) : 0;
	range->net = ntohl(in.s_addr);
	if (range->net & ~range->mask)
		return wrong(err, "", w, "has bits set behind its prefix");
	return 0;
}

static int parse_range(struct word w, struct rule_range *range, char *err)
{
	struct word rest = w, addr = cut(&rest, ":");
	int r = 0;

	if (w.len == 0)
		return wrong(err, "", w, "is not an address");
	if (addr.len && !is(addr, "*"))
		r = parse_prefix(addr, range, err);
	if (r == 0 && addr.len < w.len)
		r = parse_ports(rest, range, err);
	return r;
}

static int parse_proto(struct word w, struct rule *rule, char *err)
{
	struct word rest = w;

	rule->proto = 0;
	do {
		struct word name = cut(&rest, ",");
		uint8_t bit = 0;

		for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
			if (is(name, protos[i].name))
				bit = protos[i].bit;
		if (!bit)
			return wrong(err, "unknown protocol ", name, "(tcp, udp, icmp, raw)");
		rule->proto |= bit;
	} while (rest.len);
	return w.at[w.len - 1] == ',' ? wrong(err, "", w, "ends in a comma") : 0;
}

/* "key=value"; @seen has a bit for each key that came already. */
static int parse_condition(struct word w, struct rule *rule, unsigned int *seen, char *err)
{
	static const char *const keys[] = { "program", "proto", "local", "remote" };
	struct word value = w, key = cut(&value, "=");
	unsigned int k = 0;

	while (k < 4 && !is(key, keys[k]))
		k++;
	if (k == 4 || key.len == w.len)
		return wrong(err, "unknown condition ", w, "(program=, proto=, local=, remote=)");
	if (*seen & 1U << k)
		return wrong(err, "", key, "is there twice");
	if (!value.len)
		return wrong(err, "", w, "has no value");
	*seen |= 1U << k;
	switch (k) {
	case 0:
		if (value.len > RULE_PROGRAM_MAX)
			return wrong(err, "", w, "is too long");
		rule->any_program = false;
		rule->program = value.at;
		rule->program_len = value.len;
		return 0;
	case 1: return parse_proto(value, rule, err);
	case 2: return parse_range(value, &rule->local, err);
	default: return parse_range(value, &rule->remote, err);
	}
}

/* The next word of a line; len 0 at its end. */
static struct word next_word(struct word *rest)
{
	struct word w;

	do
		w = cut(rest, " \t\r");
	while (!w.len && rest->len);
	return w;
}

/* Without the comment, and without blanks at both ends. */
static struct word strip(const char *line, size_t len)
{
	struct word w = { line, 0 };

	while (w.len < len && line[w.len] != '#')
		w.len++;
	while (w.len && strchr(" \t\r", w.at[w.len - 1]))
		w.len--;
	while (w.len && strchr(" \t\r", *w.at)) {
		w.at++;
		w.len--;
	}
	return w;
}

/**
 * rule_parse() - one rule
 * @line: the text, which has to outlive the rule
 * @len:  bytes of it
 * @out:  the rule; points into @line
 * @err:  RULE_ERR_SIZE bytes for what is wrong
 *
 * Return: 1; 0 where there is nothing but blanks and a comment; -EINVAL
 */
int rule_parse(const char *line, size_t len, struct rule *out, char *err)
{
	const struct rule_range open = { 0, 0, 0, 65535 };
	struct word rest = strip(line, len), w;
	unsigned int seen = 0, v = 0;

	if (!rest.len)
		return 0;
	*out = (struct rule){ .proto = RULE_ANY, .any_program = true, .local = open,
			      .remote = open, .text = rest.at, .len = rest.len };
	w = next_word(&rest);
	while (v < 3 && !is(w, verdicts[v]))
		v++;
	if (v == 3)
		return wrong(err, "unknown verdict ", w, "(stack, kernel, refuse)");
	out->verdict = (uint8_t)v;
	for (w = next_word(&rest); w.len; w = next_word(&rest)) {
		int r = parse_condition(w, out, &seen, err);

		if (r < 0)
			return r;
	}
	return 1;
}

/**
 * rules_parse() - a list of rules, one a line or up to a ';'
 * @text: has to outlive the rules
 * @list: room for RULES_MAX
 * @err:  RULE_ERR_SIZE bytes for what is wrong
 *
 * Return: how many; -EINVAL
 */
int rules_parse(const char *text, struct rule *list, char *err)
{
	char why[RULE_ERR_SIZE];
	struct rule rule;
	int count = 0;

	while (*text) {
		size_t len = strcspn(text, "#;\n");
		int r;

		if (text[len] == '#')
			len += strcspn(text + len, "\n");
		r = rule_parse(text, len, &rule, why);
		if (r < 0) {
			snprintf(err, RULE_ERR_SIZE, "rule %d: %.140s", count + 1, why);
			return r;
		}
		if (r && count == RULES_MAX) {
			snprintf(err, RULE_ERR_SIZE, "more than %d rules", RULES_MAX);
			return -EINVAL;
		}
		if (r) {
			list[count] = rule;
			list[count].number = (uint8_t)(count + 1);
			count++;
		}
		text += len + (text[len] != 0);
	}
	return count;
}

/** rule_range_open() - does it hold for every address and port? */
bool rule_range_open(const struct rule_range *range)
{
	return !range->mask && range->first == 0 && range->last == 65535;
}

static bool within(const struct rule_range *range, const struct sockaddr_in *addr)
{
	uint16_t port;

	if (rule_range_open(range))
		return true;
	if (!addr)
		return false;
	port = ntohs(addr->sin_port);
	return (ntohl(addr->sin_addr.s_addr) & range->mask) == range->net && port >= range->first &&
	       port <= range->last;
}

/** rule_matches() - is the socket one of those that the rule is about? The program is not looked at. */
enum rule_match rule_matches(const struct rule *rule, const struct rule_subject *s)
{
	if (!(rule->proto & s->proto) || !within(&rule->local, s->local))
		return RULE_NO;
	if (within(&rule->remote, s->remote))
		return RULE_YES;
	return s->remote_open ? RULE_MAYBE : RULE_NO;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/**
 * rule_names() - is the rule about this program?
 * @path:    of its executable
 * @invoked: the name that it was called by (argv[0]); the two differ where one is a link to the other
 */
bool rule_names(const struct rule *rule, const char *path, const char *invoked)
{
	char glob[RULE_PROGRAM_MAX + 1];

	if (rule->any_program)
		return true;
	memcpy(glob, rule->program, rule->program_len);
	glob[rule->program_len] = 0;
	if (strchr(glob, '/'))
		return !fnmatch(glob, path, 0) || !fnmatch(glob, invoked, 0);
	return !fnmatch(glob, last_part(path), 0) || !fnmatch(glob, last_part(invoked), 0);
}
