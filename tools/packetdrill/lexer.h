/* SPDX-License-Identifier: MIT */
/* The words of a script: its text cut into tokens, with user-defined words put in. */
#ifndef TOOLS_PACKETDRILL_LEXER_H
#define TOOLS_PACKETDRILL_LEXER_H

#include "tools/packetdrill/script.h"

enum token_kind {
	TOK_END,
	TOK_OPTION,     /* --name or --name=value: text, value */
	TOK_INT,        /* num; text as written */
	TOK_HEX,        /* 0x..: num */
	TOK_FLOAT,      /* usecs; text as written */
	TOK_WORD,
	TOK_STRING,     /* text, len: the bytes meant */
	TOK_COMMAND,    /* between backquotes */
	TOK_CODE,       /* between %{ and }% */
	TOK_ADDRESS,    /* 192.0.2.1 */
	TOK_ELLIPSIS,
	TOK_CHAR,       /* any other character: num */
};

struct token {
	uint8_t kind;
	bool out_of_range; /* the number does not fit */
	int line, col;
	int64_t num;       /* TOK_FLOAT: microseconds */
	const char *text;
	size_t len;
	const char *value; /* of an option; NULL = none */
};

/* All tokens of @text, the last one TOK_END, into memory of the script. 0, -EINVAL (@err), -ENOMEM. */
int lex_script(struct script *s, const char *text, size_t len, struct token **out,
	       struct script_error *err);

#endif
