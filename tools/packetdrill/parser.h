/* SPDX-License-Identifier: MIT */
/* What the files of the parser share: the tokens and the place reached among them. */
#ifndef TOOLS_PACKETDRILL_PARSER_H
#define TOOLS_PACKETDRILL_PARSER_H

#include "tools/packetdrill/lexer.h"
#include "tools/packetdrill/script.h"

struct parser {
	struct script *script;
	const struct token *tok; /* the one that is looked at; the last is TOK_END */
	struct script_error *err;
	unsigned int depth;      /* of nested expressions */
	bool no_memory;
};

/* Each parse_*() returns false after an error, which parse_fail() has written down. */
void parse_note(struct parser *p, const struct token *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define parse_fail(p, at, ...) (parse_note((p), (at), __VA_ARGS__), false) /* to be returned */
void *parse_alloc(struct parser *p, size_t size); /* NULL: also notes that memory is out */

bool parse_is_char(const struct parser *p, char c);
bool parse_is_word(const struct parser *p, const char *word);
/* Steps over it when it is there. */
bool parse_take_char(struct parser *p, char c);
bool parse_take_word(struct parser *p, const char *word);
/* Steps over it, or fails: "expected ')' instead of ..." */
bool parse_expect_char(struct parser *p, char c);
/* A whole number between the bounds; @what is named in the reason. */
bool parse_number(struct parser *p, const char *what, int64_t min, int64_t max, int64_t *out);
/* "'accept'", "the end of the script" ...; for reasons. In a buffer of the caller's. */
const char *parse_token_name(const struct token *t, char *buf, size_t size);

bool parse_expr(struct parser *p, struct expr **out);
/* name(args) = result [ERRNO (words)] */
bool parse_call(struct parser *p, struct call_spec *call);
bool parse_packet(struct parser *p, struct packet_spec *packet);
/* <...> behind a TCP packet */
bool parse_tcp_options(struct parser *p, struct packet_spec *packet);

#endif
