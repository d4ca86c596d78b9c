/* SPDX-License-Identifier: MIT */
/*
 * lexer.c - a script's text cut into tokens
 *
 * The whole text is cut before parsing begins, so that the parser can look ahead as it likes. Two
 * things are not a matter of single characters: options (--name=value), whose value is taken as it
 * stands up to white space, and words that --define (in the script or on the command line) gave a
 * meaning; those are replaced here. Numbers are decimal fractions of seconds at most, so times are
 * made of digits and never of floating point.
 */
#include "tools/packetdrill/lexer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lexer {
	struct script *script;
	const char *text;
	size_t len, pos;
	int line;
	size_t line_start;
	struct token *tokens;
	size_t count, room;
	struct script_error *err;
	bool no_memory;
};

static int at(const struct lexer *lx, size_t ahead)
{
	size_t i = lx->pos + ahead;

	return i < lx->len ? (unsigned char)lx->text[i] : -1;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static bool is_word(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_value(int c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int column(const struct lexer *lx, size_t pos)
{
	return (int)(pos - lx->line_start) + 1;
}

static bool fail(struct lexer *lx, int line, int col, const char *why)
{
	lx->err->line = line;
	lx->err->col = col;
	snprintf(lx->err->text, sizeof(lx->err->text), "%s", why);
	return false;
}

/* Moves on by @n characters and keeps count of the lines. */
static void advance(struct lexer *lx, size_t n)
{
	for (; n > 0 && lx->pos < lx->len; n--) {
		if (lx->text[lx->pos++] == '\n') {
			lx->line++;
			lx->line_start = lx->pos;
		}
	}
}

/* A new token that begins here; NULL when out of memory. */
static struct token *add(struct lexer *lx, enum token_kind kind)
{
	struct token *t;

	if (lx->count == lx->room) {
		size_t room = lx->room ? 2 * lx->room : 256;
		struct token *bigger = arena_alloc(&lx->script->arena, room * sizeof(*bigger));

		if (!bigger) {
			lx->no_memory = true;
			return NULL;
		}
		if (lx->count)
			memcpy(bigger, lx->tokens, lx->count * sizeof(*bigger));
		lx->tokens = bigger;
		lx->room = room;
	}
	t = &lx->tokens[lx->count++];
	memset(t, 0, sizeof(*t));
	t->kind = (uint8_t)kind;
	t->line = lx->line;
	t->col = column(lx, lx->pos);
	return t;
}

static bool set_text(struct lexer *lx, struct token *t, size_t start, size_t end)
{
	t->len = end - start;
	t->text = arena_strndup(&lx->script->arena, lx->text + start, t->len);
	lx->no_memory |= !t->text;
	return t->text != NULL;
}

/* ---- white space and comments ---------------------------------------------------------------- */

static bool skip_comment(struct lexer *lx)
{
	int line = lx->line, col = column(lx, lx->pos);

	if (at(lx, 1) == '/') {
		while (at(lx, 0) >= 0 && at(lx, 0) != '\n')
			advance(lx, 1);
		return true;
	}
	advance(lx, 2);
	while (at(lx, 0) >= 0 && (at(lx, 0) != '*' || at(lx, 1) != '/'))
		advance(lx, 1);
	if (at(lx, 0) < 0)
		return fail(lx, line, col, "comment without its end");
	advance(lx, 2);
	return true;
}

static bool skip_blanks(struct lexer *lx)
{
	for (;;) {
		if (is_space(at(lx, 0)))
			advance(lx, 1);
		else if (at(lx, 0) == '/' && (at(lx, 1) == '/' || at(lx, 1) == '*')) {
			if (!skip_comment(lx))
				return false;
		} else {
			return true;
		}
	}
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Adds a digit; false when the number leaves 63 bits. */
static bool push_digit(int64_t *num, int base, int digit)
{
	return !__builtin_mul_overflow(*num, (int64_t)base, num) &&
	       !__builtin_add_overflow(*num, (int64_t)digit, num);
}

static bool lex_hex(struct lexer *lx)
{
	struct token *t = add(lx, TOK_HEX);
	size_t start = lx->pos, i;

	if (!t)
		return false;
	for (i = 2; hex_value(at(lx, i)) >= 0; i++)
		t->out_of_range |= !push_digit(&t->num, 16, hex_value(at(lx, i)));
	advance(lx, i);
	return set_text(lx, t, start, lx->pos);
}

/* The digits of [start, dot) are seconds, those behind it their fraction. */
static void set_usecs(struct lexer *lx, struct token *t, size_t start, size_t dot, size_t end)
{
	bool minus = lx->text[start] == '-';
	int64_t sec = 0, frac = 0;
	int places = 0;
	size_t i;

	for (i = start + minus; i < dot; i++)
		t->out_of_range |= !push_digit(&sec, 10, lx->text[i] - '0');
	for (i = dot + 1; i < end && places < 6; i++, places++)
		frac = frac * 10 + (lx->text[i] - '0');
	for (; places < 6; places++)
		frac *= 10;
	if (__builtin_mul_overflow(sec, (int64_t)1000000, &sec) ||
	    __builtin_add_overflow(sec, frac, &t->num))
		t->out_of_range = true;
	if (minus && !t->out_of_range)
		t->num = -t->num;
}

/* "1.2.3.4" from here; its length, or 0. */
static size_t address_length(const struct lexer *lx)
{
	size_t i = 0;
	int dots = 0;

	for (;;) {
		if (!is_digit(at(lx, i)))
			return 0;
		while (is_digit(at(lx, i)))
			i++;
		if (dots == 3)
			return i;
		if (at(lx, i++) != '.')
			return 0;
		dots++;
	}
}

/* True when a number begins here: 12, -3, .5, -.5; "..." and a lone "." or "-" do not. */
static bool number_begins(const struct lexer *lx)
{
	size_t i = at(lx, 0) == '-';

	if (is_digit(at(lx, i)))
		return true;
	return at(lx, i) == '.' && is_digit(at(lx, i + 1));
}

/* A word that begins with digits is a word: a Fast Open cookie, say. */
static bool lex_number(struct lexer *lx)
{
	size_t start = lx->pos, i = at(lx, 0) == '-', dot, j;
	struct token *t;

	while (is_digit(at(lx, i)))
		i++;
	dot = i;
	if (at(lx, i) == '.' && is_digit(at(lx, i + 1))) {
		for (i++; is_digit(at(lx, i)); i++)
			;
		t = add(lx, TOK_FLOAT);
		if (!t)
			return false;
		set_usecs(lx, t, start, start + dot, start + i);
	} else {
		bool word = at(lx, 0) != '-' && is_word(at(lx, i));

		while (word && is_word(at(lx, i)))
			i++;
		t = add(lx, word ? TOK_WORD : TOK_INT);
		if (!t)
			return false;
		for (j = at(lx, 0) == '-'; !word && j < i; j++)
			t->out_of_range |= !push_digit(&t->num, 10, at(lx, j) - '0');
		if (at(lx, 0) == '-')
			t->num = -t->num;
	}
	advance(lx, i);
	return set_text(lx, t, start, lx->pos);
}

/* ---- quoted text ----------------------------------------------------------------------------- */

/* One character of a string, escapes resolved; @i is moved behind it. */
static char unescape(const char *s, size_t len, size_t *i)
{
	char c = s[(*i)++];

	if (c != '\\' || *i >= len)
		return c;
	c = s[(*i)++];
	switch (c) {
	case 'n': return '\n';
	case 't': return '\t';
	case 'r': return '\r';
	case '0': return '\0';
	case 'x':
		if (*i + 1 < len && hex_value((unsigned char)s[*i]) >= 0 &&
		    hex_value((unsigned char)s[*i + 1]) >= 0) {
			int v = hex_value((unsigned char)s[*i]) * 16 + hex_value((unsigned char)s[*i + 1]);

			*i += 2;
			return (char)v;
		}
		return c;
	default: return c;
	}
}

/* Text between @quote and the next one that no backslash stands before. */
static bool lex_quoted(struct lexer *lx, enum token_kind kind, char quote)
{
	int line = lx->line, col = column(lx, lx->pos);
	struct token *t = add(lx, kind);
	size_t start, i, n = 0;
	char *raw;

	if (!t)
		return false;
	advance(lx, 1);
	start = lx->pos;
	while (at(lx, 0) >= 0 && at(lx, 0) != quote)
		advance(lx, at(lx, 0) == '\\' ? 2 : 1);
	if (at(lx, 0) < 0)
		return fail(lx, line, col, kind == TOK_STRING ? "string without its closing quote"
							       : "command without its closing backquote");
	if (!set_text(lx, t, start, lx->pos))
		return false;
	advance(lx, 1);
	if (kind == TOK_STRING) {
		raw = (char *)(uintptr_t)t->text;
		for (i = 0; i < t->len;)
			raw[n++] = unescape(t->text, t->len, &i);
		raw[n] = '\0';
		t->len = n;
	}
	return true;
}

static bool lex_code(struct lexer *lx)
{
	int line = lx->line, col = column(lx, lx->pos);
	struct token *t;
	size_t start;

	advance(lx, 2);
	while (at(lx, 0) == ' ' || at(lx, 0) == '\t')
		advance(lx, 1);
	t = add(lx, TOK_CODE);
	if (!t)
		return false;
	start = lx->pos;
	while (at(lx, 0) >= 0 && (at(lx, 0) != '}' || at(lx, 1) != '%'))
		advance(lx, 1);
	if (at(lx, 0) < 0)
		return fail(lx, line, col, "%{ without its }%");
	if (!set_text(lx, t, start, lx->pos))
		return false;
	advance(lx, 2);
	return true;
}

/* ---- words and options ----------------------------------------------------------------------- */

/* What a defined word stands for: "text", `command` or another word. */
static bool put_in(struct lexer *lx, struct token *t, const char *value)
{
	size_t len = strlen(value);
	bool quoted = len >= 2 && (value[0] == '"' || value[0] == '`') && value[len - 1] == value[0];

	t->kind = !quoted ? TOK_WORD : value[0] == '"' ? TOK_STRING : TOK_COMMAND;
	t->len = quoted ? len - 2 : len;
	t->text = arena_strndup(&lx->script->arena, value + quoted, t->len);
	lx->no_memory |= !t->text;
	if (t->text && !quoted && t->len && t->len < 19 && strspn(t->text, "0123456789") == t->len) {
		t->kind = TOK_INT;
		t->num = atoll(t->text);
	}
	return t->text != NULL;
}

static bool lex_word(struct lexer *lx)
{
	struct token *t = add(lx, TOK_WORD);
	const struct script_define *d;
	size_t start = lx->pos;

	if (!t)
		return false;
	while (is_word(at(lx, 0)))
		advance(lx, 1);
	if (!set_text(lx, t, start, lx->pos))
		return false;
	for (d = lx->script->defines; d; d = d->next)
		if (strcmp(d->name, t->text) == 0)
			return put_in(lx, t, d->value);
	return true;
}

/* The end of an option's value: white space that is not quoted. */
static void skip_value(struct lexer *lx)
{
	int quote = 0;

	for (; at(lx, 0) >= 0 && (quote || !is_space(at(lx, 0))); advance(lx, 1)) {
		int c = at(lx, 0);

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '`')
			quote = c;
	}
}

static bool lex_option(struct lexer *lx)
{
	struct token *t = add(lx, TOK_OPTION);
	size_t start, blanks = 0;
	const char *value;

	if (!t)
		return false;
	advance(lx, 2);
	start = lx->pos;
	while (is_word(at(lx, 0)))
		advance(lx, 1);
	if (!set_text(lx, t, start, lx->pos))
		return false;
	while (at(lx, blanks) == ' ' || at(lx, blanks) == '\t')
		blanks++;
	if (at(lx, blanks) != '=')
		return true;
	advance(lx, blanks + 1);
	while (at(lx, 0) == ' ' || at(lx, 0) == '\t')
		advance(lx, 1);
	start = lx->pos;
	skip_value(lx);
	if (lx->pos - start >= 2 && lx->text[start] == '"' && lx->text[lx->pos - 1] == '"')
		value = arena_strndup(&lx->script->arena, lx->text + start + 1, lx->pos - start - 2);
	else
		value = arena_strndup(&lx->script->arena, lx->text + start, lx->pos - start);
	t->value = value;
	lx->no_memory |= !value;
	if (value && strcmp(t->text, "define") == 0 && script_define(lx->script, value) < 0)
		return fail(lx, t->line, t->col, "--define needs NAME=value");
	return value != NULL;
}

/* ---------------------------------------------------------------------------------------------- */

static bool lex_char(struct lexer *lx)
{
	struct token *t = add(lx, TOK_CHAR);
	size_t start = lx->pos;

	if (!t)
		return false;
	t->num = at(lx, 0);
	advance(lx, 1);
	return set_text(lx, t, start, lx->pos);
}

static bool lex_ellipsis(struct lexer *lx)
{
	if (!add(lx, TOK_ELLIPSIS))
		return false;
	advance(lx, 3);
	return true;
}

static bool lex_address(struct lexer *lx, size_t len)
{
	struct token *t = add(lx, TOK_ADDRESS);
	size_t start = lx->pos;

	if (!t)
		return false;
	advance(lx, len);
	return set_text(lx, t, start, lx->pos);
}

static bool lex_token(struct lexer *lx)
{
	int c = at(lx, 0);
	size_t len = address_length(lx);

	if (len)
		return lex_address(lx, len);
	if (c == '0' && at(lx, 1) == 'x' && hex_value(at(lx, 2)) >= 0)
		return lex_hex(lx);
	if (number_begins(lx))
		return lex_number(lx);
	if (c == '-' && at(lx, 1) == '-' && is_word(at(lx, 2)))
		return lex_option(lx);
	if (is_word(c))
		return lex_word(lx);
	if (c == '.' && at(lx, 1) == '.' && at(lx, 2) == '.')
		return lex_ellipsis(lx);
	if (c == '"')
		return lex_quoted(lx, TOK_STRING, '"');
	if (c == '`')
		return lex_quoted(lx, TOK_COMMAND, '`');
	if (c == '%' && at(lx, 1) == '{')
		return lex_code(lx);
	return lex_char(lx);
}

/**
 * lex_script() - cuts a script into tokens
 * @s:     script, whose memory and defines are used; --define adds to them
 * @text:  its text; need not be terminated
 * @len:   bytes
 * @out:   the tokens, TOK_END last; set on success only
 * @err:   where and why it failed
 *
 * Return:  0; -EINVAL with @err; -ENOMEM
 */
int lex_script(struct script *s, const char *text, size_t len, struct token **out,
	       struct script_error *err)
{
	struct lexer lx = { .script = s, .text = text, .len = len, .line = 1, .err = err };

	err->text[0] = '\0';
	while (skip_blanks(&lx) && lx.pos < lx.len)
		if (!lex_token(&lx))
			break;
	if (lx.no_memory)
		return -ENOMEM;
	if (err->text[0])
		return -EINVAL;
	if (!add(&lx, TOK_END))
		return -ENOMEM;
	*out = lx.tokens;
	return 0;
}
