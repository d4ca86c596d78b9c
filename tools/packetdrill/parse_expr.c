/* SPDX-License-Identifier: MIT */
/*
 * parse_expr.c - system calls and what they are given
 *
 * A call is name(arguments) = result, perhaps with an errno and words in parentheses. Structures are
 * read without regard to which call they are for: {a, b} and {name = a, name(n) = b}; the calls look
 * up the fields they need.
 */
#include <string.h>

#include "tools/packetdrill/parser.h"

#define MAX_DEPTH 64 /* of brackets inside brackets */

static struct expr *new_expr(struct parser *p, enum expr_kind kind)
{
	struct expr *e = parse_alloc(p, sizeof(*e));

	if (e) {
		e->kind = kind;
		e->line = p->tok->line;
		e->col = p->tok->col;
	}
	return e;
}

static void append(struct expr *list, struct expr *item)
{
	struct expr **tail = &list->items;

	while (*tail)
		tail = &(*tail)->next;
	*tail = item;
	list->nitems++;
}

/* What stands between brackets up to @close: items with commas between them. */
static bool parse_items(struct parser *p, struct expr *list, char close,
			bool (*item)(struct parser *p, struct expr **out))
{
	struct expr **tail = &list->items;

	if (parse_take_char(p, close))
		return true;
	do {
		if (!item(p, tail))
			return false;
		tail = &(*tail)->next;
		list->nitems++;
	} while (parse_take_char(p, ','));
	return parse_expect_char(p, close);
}

/* name = value, name(n) = value, or a bare value. */
static bool parse_field(struct parser *p, struct expr **out)
{
	const struct token *t = p->tok;
	const char *name = NULL;
	struct expr *arg = NULL;

	if (t->kind == TOK_WORD && t[1].kind == TOK_CHAR && t[1].num == '=') {
		name = t->text;
		p->tok += 2;
	} else if (t->kind == TOK_WORD && strncmp(t->text, "msg_", 4) == 0 &&
		   t[1].kind == TOK_CHAR && t[1].num == '(') {
		name = t->text;
		p->tok += 2;
		if (!parse_expr(p, &arg) || !parse_expect_char(p, ')') || !parse_expect_char(p, '='))
			return false;
	}
	if (!parse_expr(p, out))
		return false;
	(*out)->name = name;
	(*out)->name_arg = arg;
	return true;
}

/* Headers of tunnels stand in braces too. */
static bool parse_struct(struct parser *p, struct expr *e)
{
	if (parse_is_word(p, "flags") || parse_is_word(p, "Flags"))
		return parse_fail(p, p->tok, "GRE is not supported");
	if (parse_is_char(p, '('))
		return parse_fail(p, p->tok, "MPLS is not supported");
	return parse_items(p, e, '}', parse_field);
}

/* "a" "b" is "ab"; "a"... goes on. */
static bool parse_strings(struct parser *p, struct expr *e)
{
	while (p->tok->kind == TOK_STRING) {
		char *both = parse_alloc(p, e->len + p->tok->len + 1);

		if (!both)
			return false;
		if (e->len)
			memcpy(both, e->text, e->len);
		memcpy(both + e->len, p->tok->text, p->tok->len);
		e->text = both;
		e->len += p->tok->len;
		p->tok++;
	}
	if (p->tok->kind == TOK_ELLIPSIS) {
		e->open_end = true;
		p->tok++;
	}
	return true;
}

static bool parse_word(struct parser *p, struct expr *e)
{
	e->text = p->tok->text;
	p->tok++;
	if (parse_take_char(p, '(')) {
		e->kind = EXPR_CALL;
		return parse_items(p, e, ')', parse_expr);
	}
	if (parse_take_char(p, '=')) {
		e->kind = EXPR_ASSIGN;
		e->nitems = 1;
		return parse_expr(p, &e->items);
	}
	return true;
}

static bool parse_primary(struct parser *p, struct expr **out)
{
	const struct token *t = p->tok;
	char name[64];
	struct expr *e = new_expr(p, EXPR_INT);

	*out = e;
	if (!e)
		return false;
	switch (t->kind) {
	case TOK_ELLIPSIS:
		e->kind = EXPR_ELLIPSIS;
		p->tok++;
		return true;
	case TOK_INT:
	case TOK_HEX:
		if (t->out_of_range)
			return parse_fail(p, t, "number %.40s is too large", t->text);
		e->num = t->num;
		p->tok++;
		return true;
	case TOK_WORD:
		e->kind = EXPR_WORD;
		return parse_word(p, e);
	case TOK_STRING:
		e->kind = EXPR_STRING;
		return parse_strings(p, e);
	default:
		if (parse_take_char(p, '[')) {
			e->kind = EXPR_LIST;
			return parse_items(p, e, ']', parse_expr);
		}
		if (parse_take_char(p, '{')) {
			e->kind = EXPR_STRUCT;
			return parse_struct(p, e);
		}
		return parse_fail(p, t, "expected a value instead of %s",
				  parse_token_name(t, name, sizeof(name)));
	}
}

/* a | b | c */
static bool parse_or(struct parser *p, struct expr **out)
{
	struct expr *any, *next;

	if (!parse_primary(p, out))
		return false;
	if (!parse_is_char(p, '|'))
		return true;
	any = new_expr(p, EXPR_OR);
	if (!any)
		return false;
	append(any, *out);
	while (parse_take_char(p, '|')) {
		if (!parse_primary(p, &next))
			return false;
		append(any, next);
	}
	*out = any;
	return true;
}

/**
 * parse_expr() - one value
 * @p:    parser
 * @out:  the value
 *
 * Return:  false after an error
 */
bool parse_expr(struct parser *p, struct expr **out)
{
	bool ok;

	if (p->depth >= MAX_DEPTH)
		return parse_fail(p, p->tok, "brackets are nested too deeply");
	p->depth++;
	ok = parse_or(p, out);
	p->depth--;
	return ok;
}

/* (Resource temporarily unavailable); only shown to people. */
static bool parse_words(struct parser *p, struct call_spec *call)
{
	const struct token *start = p->tok;

	if (!parse_take_char(p, '('))
		return true;
	while (p->tok->kind != TOK_END && !parse_is_char(p, ')') && !parse_is_char(p, '\n'))
		p->tok++;
	if (p->tok->kind == TOK_END)
		return parse_fail(p, start, "'(' without its ')'");
	call->note = start[1].kind == TOK_WORD ? start[1].text : "";
	return parse_expect_char(p, ')');
}

/**
 * parse_call() - a system call with its expected result
 * @p:     parser, at the name of the call
 * @call:  filled
 *
 * Return:  false after an error
 */
bool parse_call(struct parser *p, struct call_spec *call)
{
	struct expr args = { 0 };
	char name[64];

	if (p->tok->kind != TOK_WORD)
		return parse_fail(p, p->tok, "expected a packet, a call, a command or code instead of %s",
				  parse_token_name(p->tok, name, sizeof(name)));
	call->name = p->tok->text;
	p->tok++;
	if (!parse_expect_char(p, '(') || !parse_items(p, &args, ')', parse_expr))
		return false;
	call->args = args.items;
	call->argc = args.nitems;
	if (!parse_expect_char(p, '=') || !parse_expr(p, &call->result))
		return false;
	if (p->tok->kind == TOK_WORD) {
		call->error = p->tok->text;
		p->tok++;
	}
	return parse_words(p, call);
}
