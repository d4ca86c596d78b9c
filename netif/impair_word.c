/* SPDX-License-Identifier: MIT */
/*
 * impair_word.c - the words of an impairment's text, and the values that they stand for
 *
 * A text is read word by word; the present word is in t->word, with its place for the error message.
 * Statements end at a line break or a semicolon, which is a word of no letters here: whoever asks for
 * a word behind the end is told that one is missing. Values are exact decimals with a unit: numbers
 * of billionths, never floating point, so that a text means the same on every machine.
 */
#include <arpa/inet.h>
#include <stdarg.h>

#include "netif/impair_link.h"

#define BILLION 1000000000ULL

struct unit {
	const char *name;
	uint64_t size; /* in the smallest unit */
};

/**
 * impair_fail() - note what is wrong with the present word
 * @t:    text
 * @fmt:  reason, without the word itself
 *
 * Return:  -EINVAL
 */
int impair_fail(struct impair_text *t, const char *fmt, ...)
{
	char why[150];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	t->err->line = t->word_line;
	t->err->column = t->word_column;
	if (t->word[0])
		snprintf(t->err->reason, sizeof(t->err->reason), "'%.40s' %s", t->word, why);
	else
		snprintf(t->err->reason, sizeof(t->err->reason), "the end %s", why);
	return -EINVAL;
}

static void step(struct impair_text *t)
{
	t->column++;
	if (*t->at++ == '\n') {
		t->line++;
		t->column = 1;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/**
 * impair_next_statement() - go to the start of the next statement
 * @t:  text, at the end of one
 *
 * Return:  false at the end of the text
 */
bool impair_next_statement(struct impair_text *t)
{
	while (*t->at) {
		if (*t->at == '#')
			while (*t->at && *t->at != '\n')
				step(t);
		else if (is_blank(*t->at) || *t->at == '\n' || *t->at == ';')
			step(t);
		else
			return true;
	}
	return false;
}

/**
 * impair_next_word() - read the next word of the statement into t->word
 * @t:  text
 *
 * Return:  0, with "" at the end of the statement; -EINVAL for a word that is too long
 */
int impair_next_word(struct impair_text *t)
{
	size_t len = 0;

	while (is_blank(*t->at))
		step(t);
	t->word_line = t->line;
	t->word_column = t->column;
	while (*t->at && !is_blank(*t->at) && !strchr("\n;#", *t->at)) {
		if (len == sizeof(t->word) - 1) {
			t->word[len] = '\0';
			return impair_fail(t, "is too long for a word");
		}
		t->word[len++] = *t->at;
		step(t);
	}
	t->word[len] = '\0';
	return 0;
}

/**
 * impair_unread() - go back to before the present word, for a function that reads the next one
 * @t:  text
 */
void impair_unread(struct impair_text *t)
{
	t->at -= strlen(t->word);
	t->line = t->word_line;
	t->column = t->word_column;
}

/** impair_is() - whether the present word is @word */
bool impair_is(const struct impair_text *t, const char *word)
{
	return strcmp(t->word, word) == 0;
}

/**
 * impair_need_word() - go on to a word that has to be there
 * @t:     text
 * @what:  what it is to be, for the message
 *
 * Return:  0; -EINVAL
 */
int impair_need_word(struct impair_text *t, const char *what)
{
	int err = impair_next_word(t);

	if (err == 0 && !t->word[0])
		return impair_fail(t, "stands where %s is missing", what);
	return err;
}

/* "12.5ms": the number in billionths; *@rest is what follows it. False: no number, or too large. */
static bool read_decimal(const char *s, uint64_t *billionths, const char **rest)
{
	uint64_t whole = 0, part = 0, scale = BILLION;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		whole = whole * 10 + (uint64_t)(*s - '0');
		if (whole > 9 * BILLION)
			return false;
	}
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9'; s++) {
			scale /= 10;
			part += scale * (uint64_t)(*s - '0');
		}
	}
	*billionths = whole * BILLION + part;
	*rest = s;
	return true;
}

/* The value of "NUMBERUNIT", rounded down; UINT64_MAX for none. */
static uint64_t with_unit(const char *word, const struct unit *units, size_t count)
{
	const char *unit;
	uint64_t n;

	if (!read_decimal(word, &n, &unit))
		return UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		uint64_t whole = n / BILLION, part = n % BILLION;

		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (units[i].size && whole > (UINT64_MAX / 4) / units[i].size)
			return UINT64_MAX;
		return whole * units[i].size + part * units[i].size / BILLION;
	}
	return UINT64_MAX;
}

static const struct unit time_units[] = {
	{ "ns", 1 }, { "us", NSEC_PER_USEC }, { "ms", NSEC_PER_MSEC }, { "s", NSEC_PER_SEC },
};
static const struct unit rate_units[] = {
	{ "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 }, { "gbit", BILLION },
};
static const struct unit size_units[] = { { "b", 1 }, { "kb", 1000 }, { "mb", 1000000 } };

/**
 * impair_time() - a length of time
 * @t:     text; the value is its next word
 * @what:  whose, for the message
 * @ns:    out, nanoseconds; an hour at most
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_time(struct impair_text *t, const char *what, uint64_t *ns)
{
	int err = impair_need_word(t, what);

	if (err < 0)
		return err;
	*ns = with_unit(t->word, time_units, ARRAY_SIZE(time_units));
	if (*ns > 3600 * NSEC_PER_SEC)
		return impair_fail(t, "is not %s: a time up to an hour, as 20ms, 1.5s or 250us", what);
	return impair_next_word(t);
}

/**
 * impair_rate() - bits per second
 * @t:     text; the value is its next word
 * @what:  whose, for the message
 * @bps:   out; 1000 to 400 Gbit/s
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_rate(struct impair_text *t, const char *what, uint64_t *bps)
{
	int err = impair_need_word(t, what);

	if (err < 0)
		return err;
	*bps = with_unit(t->word, rate_units, ARRAY_SIZE(rate_units));
	if (*bps < 1000 || *bps > 400 * BILLION)
		return impair_fail(t, "is not %s: bits per second from 1kbit to 400gbit, as 10mbit", what);
	return impair_next_word(t);
}

/**
 * impair_bytes() - a number of bytes with its unit
 * @t:      text; the value is its next word
 * @what:   whose, for the message
 * @bytes:  out; 1 to 1 GB
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_bytes(struct impair_text *t, const char *what, uint64_t *bytes)
{
	int err = impair_need_word(t, what);

	if (err < 0)
		return err;
	*bytes = with_unit(t->word, size_units, ARRAY_SIZE(size_units));
	if (*bytes < 1 || *bytes > BILLION)
		return impair_fail(t, "is not %s: bytes up to 1000mb, as 1500b, 64kb or 2mb", what);
	return impair_next_word(t);
}

/* Billionths of 100 % are ten-millionths of a percent. */
static bool read_percent(const char *word, uint32_t *chance)
{
	const char *unit;
	uint64_t n;

	if (!read_decimal(word, &n, &unit) || strcmp(unit, "%") != 0 || n > 100 * BILLION)
		return false;
	*chance = (uint32_t)(n / 100);
	return true;
}

/** impair_word_is_percent() - whether the present word reads as a percentage */
bool impair_word_is_percent(const struct impair_text *t)
{
	uint32_t chance;

	return read_percent(t->word, &chance);
}

/** impair_word_is_size() - whether the present word is a number of bytes with its unit */
bool impair_word_is_size(const struct impair_text *t)
{
	return with_unit(t->word, size_units, ARRAY_SIZE(size_units)) != UINT64_MAX;
}

/**
 * impair_percent() - a probability
 * @t:       text; the value is its next word
 * @what:    whose, for the message
 * @chance:  out, of IMPAIR_CERTAIN
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_percent(struct impair_text *t, const char *what, uint32_t *chance)
{
	int err = impair_need_word(t, what);

	if (err < 0)
		return err;
	if (!read_percent(t->word, chance))
		return impair_fail(t, "is not %s: from 0%% to 100%%, as 0.5%%", what);
	return impair_next_word(t);
}

static bool read_whole(const char *s, uint32_t *n, const char **rest)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*n = (uint32_t)v;
	*rest = s;
	return true;
}

/**
 * impair_number() - a whole number
 * @t:     text; the value is its next word
 * @what:  whose, for the message
 * @min:   least that is allowed
 * @max:   most
 * @n:     out
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_number(struct impair_text *t, const char *what, uint32_t min, uint32_t max, uint32_t *n)
{
	const char *rest;
	int err = impair_need_word(t, what);

	if (err < 0)
		return err;
	if (!read_whole(t->word, n, &rest) || *rest || *n < min || *n > max)
		return impair_fail(t, "is not %s: a number from %u to %u", what, min, max);
	return impair_next_word(t);
}

/**
 * impair_numbers() - a number, or a range of them: "3", "3-5", "3-"
 * @t:     text; the value is its next word
 * @what:  whose, for the message
 * @min:   least that is allowed
 * @r:     out; to = UINT32_MAX for an open range
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_numbers(struct impair_text *t, const char *what, uint32_t min, struct impair_range *r)
{
	const char *rest;
	int err = impair_need_word(t, what);
	bool ok;

	if (err < 0)
		return err;
	ok = read_whole(t->word, &r->from, &rest);
	r->to = r->from;
	if (ok && *rest == '-') {
		rest++;
		r->to = UINT32_MAX;
		if (*rest)
			ok = read_whole(rest, &r->to, &rest);
	}
	if (!ok || *rest || r->from < min || r->to < r->from)
		return impair_fail(t, "is not %s: a number from %u on, or a range, as 3, 3-5 or 3-", what,
				   min);
	return impair_next_word(t);
}

/* "A.B.C.D[/LEN]" at @word into @a. */
static bool read_network(const char *word, struct impair_addr *a)
{
	char ip[INET_ADDRSTRLEN];
	const char *slash = strchr(word, '/'), *rest;
	size_t len = slash ? (size_t)(slash - word) : strlen(word);
	uint32_t bits = 32;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, word, len);
	ip[len] = '\0';
	if (inet_pton(AF_INET, ip, &a->addr) != 1)
		return false;
	if (slash && (!read_whole(slash + 1, &bits, &rest) || *rest || bits > 32))
		return false;
	a->mask = cpu_to_be32(bits ? UINT32_MAX << (32 - bits) : 0);
	a->addr &= a->mask;
	return true;
}

/**
 * impair_endpoint() - "A.B.C.D", "A.B.C.D/LEN", "A.B.C.D:PORT" or ":PORT"
 * @t:     text; the value is its next word
 * @what:  whose, for the message
 * @a:     out
 *
 * Return:  0, with t->word the word behind; -EINVAL
 */
int impair_endpoint(struct impair_text *t, const char *what, struct impair_addr *a)
{
	char word[IMPAIR_WORD_MAX], *colon;
	const char *rest;
	uint32_t port = 0;
	int err = impair_need_word(t, what);
	bool ok = true;

	if (err < 0)
		return err;
	memset(a, 0, sizeof(*a));
	memcpy(word, t->word, sizeof(word));
	colon = strchr(word, ':');
	if (colon) {
		*colon = '\0';
		ok = read_whole(colon + 1, &port, &rest) && !*rest && port > 0 && port <= UINT16_MAX;
	}
	if (ok && word[0])
		ok = read_network(word, a);
	if (!ok)
		return impair_fail(t, "is not %s: 192.0.2.1, 192.0.2.0/24, 192.0.2.1:80 or :80", what);
	a->port = (uint16_t)port;
	return impair_next_word(t);
}
