/* SPDX-License-Identifier: MIT */
/*
 * parse.c - tokens to tree: the outline of a script, which is options, commands, timed events
 *
 * A parser by recursive descent with the grammar that packetdrill documents. The first error ends it.
 * Packets are in parse_packet.c, calls and expressions in parse_expr.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/packetdrill/parser.h"

/* ---- for all files of the parser ------------------------------------------------------------- */

/**
 * parse_note() - writes the error down, the first one only
 * @p:    parser
 * @at:   token that is to blame
 * @fmt:  the reason
 */
void parse_note(struct parser *p, const struct token *at, const char *fmt, ...)
{
	va_list args;

	if (p->err->text[0])
		return;
	p->err->line = at->line;
	p->err->col = at->col;
	va_start(args, fmt);
	vsnprintf(p->err->text, sizeof(p->err->text), fmt, args);
	va_end(args);
}

/**
 * parse_alloc() - zeroed memory of the script
 * @p:     parser
 * @size:  bytes
 *
 * Return:  memory; NULL when out of it, which script_parse() then reports
 */
void *parse_alloc(struct parser *p, size_t size)
{
	void *mem = arena_alloc(&p->script->arena, size);

	p->no_memory |= !mem;
	return mem;
}

/** parse_is_char() - whether the next token is this character */
bool parse_is_char(const struct parser *p, char c)
{
	return p->tok->kind == TOK_CHAR && p->tok->num == c;
}

/** parse_is_word() - whether the next token is this word */
bool parse_is_word(const struct parser *p, const char *word)
{
	return p->tok->kind == TOK_WORD && strcmp(p->tok->text, word) == 0;
}

/** parse_take_char() - steps over the character; false when something else is next */
bool parse_take_char(struct parser *p, char c)
{
	if (!parse_is_char(p, c))
		return false;
	p->tok++;
	return true;
}

/** parse_take_word() - steps over the word; false when something else is next */
bool parse_take_word(struct parser *p, const char *word)
{
	if (!parse_is_word(p, word))
		return false;
	p->tok++;
	return true;
}

/** parse_token_name() - what a token is, for a reason */
const char *parse_token_name(const struct token *t, char *buf, size_t size)
{
	switch ((enum token_kind)t->kind) {
	case TOK_END: return "the end of the script";
	case TOK_ELLIPSIS: return "'...'";
	case TOK_CODE: return "%{ code }%";
	case TOK_COMMAND: return "a command in backquotes";
	case TOK_STRING: return "a string";
	case TOK_OPTION: snprintf(buf, size, "option --%.40s", t->text); return buf;
	default: snprintf(buf, size, "'%.40s'", t->text); return buf;
	}
}

/** parse_expect_char() - steps over the character, or fails */
bool parse_expect_char(struct parser *p, char c)
{
	char name[64];

	if (parse_take_char(p, c))
		return true;
	return parse_fail(p, p->tok, "expected '%c' instead of %s", c,
			  parse_token_name(p->tok, name, sizeof(name)));
}

/**
 * parse_number() - a whole number
 * @p:     parser
 * @what:  what it is, for the reason
 * @min:   least value
 * @max:   greatest value
 * @out:   the number
 *
 * Return:  false after an error
 */
bool parse_number(struct parser *p, const char *what, int64_t min, int64_t max, int64_t *out)
{
	const struct token *t = p->tok;
	char name[64];

	if (t->kind != TOK_INT && t->kind != TOK_HEX)
		return parse_fail(p, t, "expected %s, a number, instead of %s", what,
				  parse_token_name(t, name, sizeof(name)));
	if (t->out_of_range || t->num < min || t->num > max)
		return parse_fail(p, t, "%s %.40s is not between %lld and %lld", what, t->text,
				  (long long)min, (long long)max);
	*out = t->num;
	p->tok++;
	return true;
}

/* ---- times ----------------------------------------------------------------------------------- */

static bool parse_time(struct parser *p, int64_t *usecs)
{
	const struct token *t = p->tok;
	char name[64];

	if (t->kind != TOK_FLOAT && t->kind != TOK_INT)
		return parse_fail(p, t, "expected a time in seconds instead of %s",
				  parse_token_name(t, name, sizeof(name)));
	*usecs = t->num;
	if (t->out_of_range || *usecs > (t->kind == TOK_INT ? 1000000000LL : 1000000000000000LL))
		return parse_fail(p, t, "time %.40s is too large", t->text);
	if (*usecs < 0)
		return parse_fail(p, t, "time %.40s is negative", t->text);
	if (t->kind == TOK_INT)
		*usecs *= 1000000;
	p->tok++;
	return true;
}

/* 0.1, +.1, *, 0.1~0.2, +.1~+.2 */
static bool parse_event_time(struct parser *p, struct event *ev)
{
	bool relative;

	if (parse_take_char(p, '*')) {
		ev->time_kind = TIME_ANY;
		return true;
	}
	relative = parse_take_char(p, '+');
	ev->time_kind = relative ? TIME_RELATIVE : TIME_ABSOLUTE;
	if (!parse_time(p, &ev->time_us))
		return false;
	if (!parse_take_char(p, '~'))
		return true;
	ev->time_kind = relative ? TIME_RELATIVE_RANGE : TIME_ABSOLUTE_RANGE;
	if (relative && !parse_expect_char(p, '+'))
		return false;
	return parse_time(p, &ev->end_us);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool parse_action(struct parser *p, struct event *ev)
{
	const struct token *t = p->tok;

	if (parse_is_char(p, '<') || parse_is_char(p, '>')) {
		ev->kind = EVENT_PACKET;
		ev->packet = parse_alloc(p, sizeof(*ev->packet));
		return ev->packet && parse_packet(p, ev->packet);
	}
	if (t->kind == TOK_COMMAND || t->kind == TOK_CODE) {
		ev->kind = t->kind == TOK_CODE ? EVENT_CODE : EVENT_COMMAND;
		ev->text = t->text;
		ev->text_line = t->line;
		p->tok++;
		return true;
	}
	ev->kind = EVENT_CALL;
	ev->call = parse_alloc(p, sizeof(*ev->call));
	if (!ev->call)
		return false;
	if (t->kind == TOK_ELLIPSIS) {
		p->tok++;
		ev->call->blocking = true;
		if (!parse_time(p, &ev->call->end_us))
			return false;
	}
	return parse_call(p, ev->call);
}

/* Which times go with which events. */
static bool check_time(struct parser *p, const struct token *at, const struct event *ev)
{
	bool sent = ev->kind == EVENT_PACKET && !ev->packet->inbound;
	bool range = ev->time_kind == TIME_ABSOLUTE_RANGE || ev->time_kind == TIME_RELATIVE_RANGE;

	if (ev->time_kind == TIME_ANY && !sent)
		return parse_fail(p, at, "time '*' is for outbound packets only");
	if (range && !sent)
		return parse_fail(p, at, "a range of times is for outbound packets only");
	if (range && ev->end_us < ev->time_us)
		return parse_fail(p, at, "the range of times runs backwards");
	if (ev->kind == EVENT_CALL && ev->call->blocking && ev->call->end_us < ev->time_us)
		return parse_fail(p, at, "the call returns before it begins");
	return true;
}

static bool parse_event(struct parser *p, struct event *ev)
{
	const struct token *start = p->tok;

	ev->line = start->line;
	ev->col = start->col;
	return parse_event_time(p, ev) && parse_action(p, ev) && check_time(p, start, ev);
}

static struct event *new_event(struct parser *p, struct event ***tail)
{
	struct event *ev = parse_alloc(p, sizeof(*ev));

	if (ev) {
		**tail = ev;
		*tail = &ev->next;
	}
	return ev;
}

/* A command without a time: before the events, or as the last thing of all. */
static bool parse_command(struct parser *p, struct event ***tail)
{
	struct event *ev = new_event(p, tail);

	if (!ev)
		return false;
	ev->kind = EVENT_COMMAND;
	ev->line = ev->text_line = p->tok->line;
	ev->col = p->tok->col;
	ev->text = p->tok->text;
	p->tok++;
	return true;
}

static bool parse_options(struct parser *p)
{
	struct script_option **tail = &p->script->options;

	for (; p->tok->kind == TOK_OPTION; p->tok++) {
		struct script_option *o = parse_alloc(p, sizeof(*o));

		if (!o)
			return false;
		o->line = p->tok->line;
		o->col = p->tok->col;
		o->name = p->tok->text;
		o->value = p->tok->value;
		*tail = o;
		tail = &o->next;
	}
	return true;
}

/* script: options, commands, events, command */
static bool parse_script(struct parser *p)
{
	struct event **init = &p->script->init, **events = &p->script->events;
	struct event **cleanup = &p->script->cleanup, *ev;
	char name[64];

	if (!parse_options(p))
		return false;
	while (p->tok->kind == TOK_COMMAND)
		if (!parse_command(p, &init))
			return false;
	while (p->tok->kind != TOK_END && p->tok->kind != TOK_COMMAND) {
		if (p->tok->kind == TOK_OPTION)
			return parse_fail(p, p->tok, "option --%.40s must stand before the first event",
					  p->tok->text);
		ev = new_event(p, &events);
		if (!ev || !parse_event(p, ev))
			return false;
	}
	if (!p->script->events)
		return parse_fail(p, p->tok, "a script needs an event");
	if (p->tok->kind == TOK_COMMAND && !parse_command(p, &cleanup))
		return false;
	if (p->tok->kind != TOK_END)
		return parse_fail(p, p->tok, "%s behind the last command; events have a time in front",
				  parse_token_name(p->tok, name, sizeof(name)));
	return true;
}

/**
 * script_parse() - text to tree
 * @name:  of the script, for messages; must live as long as @out
 * @text:  the script; need not be terminated
 * @len:   bytes
 * @out:   zeroed, or with the defines of the command line; freed by script_free() in any case
 * @err:   line, column and reason of -EINVAL
 *
 * Return:  0; -EINVAL; -ENOMEM
 */
int script_parse(const char *name, const char *text, size_t len, struct script *out,
		 struct script_error *err)
{
	struct parser p = { .script = out, .err = err };
	struct token *tokens;
	int ret;

	memset(err, 0, sizeof(*err));
	out->name = name;
	ret = lex_script(out, text, len, &tokens, err);
	if (ret < 0)
		return ret;
	p.tok = tokens;
	if (parse_script(&p))
		return 0;
	return p.no_memory ? -ENOMEM : -EINVAL;
}

/**
 * script_free() - frees all that belongs to the script
 * @s:  script, parsed or not
 */
void script_free(struct script *s)
{
	arena_free(&s->arena);
	memset(s, 0, sizeof(*s));
}

/**
 * script_define() - gives a word a meaning
 * @s:           script, before parsing
 * @definition:  NAME=value; "value" with quotes stands for a string, `value` for a command
 *
 * The latest definition of a name holds.
 * Return:  0; -EINVAL; -ENOMEM
 */
int script_define(struct script *s, const char *definition)
{
	const char *eq = strchr(definition, '=');
	struct script_define *d;

	if (!eq || eq == definition || !eq[1])
		return -EINVAL;
	d = arena_alloc(&s->arena, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->name = arena_strndup(&s->arena, definition, (size_t)(eq - definition));
	d->value = arena_strndup(&s->arena, eq + 1, strlen(eq + 1));
	if (!d->name || !d->value)
		return -ENOMEM;
	d->next = s->defines;
	s->defines = d;
	return 0;
}
