/* SPDX-License-Identifier: MIT */
/*
 * A script in packetdrill's language as a tree: what script_parse() makes of the text. Nothing in
 * here knows of sockets or packets on a wire; numbers of packets stand as the script has them.
 */
#ifndef TOOLS_PACKETDRILL_SCRIPT_H
#define TOOLS_PACKETDRILL_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory of one script; freed as a whole. */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunks;
	size_t used; /* bytes given out */
};
/* Zeroed; NULL when out of memory or beyond what a script may take. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
void arena_free(struct arena *a);

struct script_error {
	int line, col;  /* from 1 */
	char text[240]; /* the reason, without line feed */
};

/* --tolerance_usecs=1000 */
struct script_option {
	struct script_option *next;
	int line, col;
	const char *name;  /* without the dashes */
	const char *value; /* NULL = none was given */
};

/* --define=NAME=value: the word NAME stands for the value, quotes and all. */
struct script_define {
	struct script_define *next;
	const char *name, *value;
};

/* ---- expressions ----------------------------------------------------------------------------- */

enum expr_kind {
	EXPR_ELLIPSIS,  /* ... */
	EXPR_INT,       /* 12, -1, 0x1f */
	EXPR_WORD,      /* SOL_SOCKET */
	EXPR_STRING,    /* "text" */
	EXPR_OR,        /* items: operands of a | b */
	EXPR_LIST,      /* [a, b] */
	EXPR_STRUCT,    /* {a, b} or {name = a, name(n) = b}: items, with names where given */
	EXPR_CALL,      /* htons(8080): text is the function */
	EXPR_ASSIGN,    /* NAME = a outside of braces: text and one item */
};

struct expr {
	struct expr *next;     /* among the items of one expression */
	enum expr_kind kind;
	int line, col;
	int64_t num;
	const char *text;      /* word, string, function */
	size_t len;            /* of a string: its bytes, which may hold zeros */
	bool open_end;         /* "text"...: goes on in some way */
	struct expr *items;
	unsigned int nitems;
	const char *name;      /* of a field of a struct; NULL = none */
	struct expr *name_arg; /* msg_iov(2): the 2 */
};

/* ---- packets --------------------------------------------------------------------------------- */

enum packet_kind { PACKET_TCP, PACKET_UDP, PACKET_ICMP };
enum tos_check { TOS_NONE, TOS_ECN, TOS_ECN_ECT01, TOS_ALL };

enum { FLAG_FIN = 0x01, FLAG_SYN = 0x02, FLAG_RST = 0x04, FLAG_PSH = 0x08, FLAG_ACK = 0x10,
       FLAG_URG = 0x20, FLAG_ECE = 0x40, FLAG_CWR = 0x80, FLAG_AE = 0x100 };

/* What an ICMP message is about. */
struct icmp_quote {
	uint8_t protocol; /* IPPROTO_TCP, _UDP or _RAW */
	uint32_t seq;
	uint32_t len;     /* bytes of payload that the original had */
};

struct packet_spec {
	bool inbound;
	enum packet_kind kind;
	/* IP: what stands in brackets. */
	enum tos_check tos_check;
	uint8_t tos;
	uint8_t ttl;           /* 0 = not said */
	bool has_ports;
	uint16_t sport, dport;
	/* TCP; a UDP datagram has its size in len. */
	uint16_t flags;        /* FLAG_* */
	uint32_t seq, len, ack;
	int win;               /* -1 = not said */
	uint16_t urg;
	uint8_t options[40];
	uint8_t options_len;
	bool any_options;      /* <...> */
	/* ICMP */
	uint8_t icmp_type, icmp_code;
	int64_t icmp_mtu;      /* -1 = not said */
	uint16_t icmp_ident;
	struct icmp_quote quote;
};

/* ---- events ---------------------------------------------------------------------------------- */

enum time_kind { TIME_ABSOLUTE, TIME_RELATIVE, TIME_ANY, TIME_ABSOLUTE_RANGE, TIME_RELATIVE_RANGE };
enum event_kind { EVENT_PACKET, EVENT_CALL, EVENT_COMMAND, EVENT_CODE };

struct call_spec {
	bool blocking;          /* 0.1...0.2 call() */
	int64_t end_us;         /* with blocking: when it returns, on the scale of the event's time */
	const char *name;
	struct expr *args;
	unsigned int argc;
	struct expr *result;
	const char *error;      /* EAGAIN; NULL = none */
	const char *note;       /* what stood in parentheses; NULL = nothing */
};

struct event {
	struct event *next;
	int line, col;
	enum time_kind time_kind;
	int64_t time_us, end_us; /* end_us: ranges only */
	enum event_kind kind;
	struct packet_spec *packet;
	struct call_spec *call;
	const char *text;        /* command or code */
	int text_line;           /* where the text begins */
};

struct script {
	struct arena arena;
	const char *name;              /* as given, for messages */
	struct script_define *defines; /* may be set before parsing: those of the command line */
	struct script_option *options; /* in the order of the script */
	struct event *init;            /* commands before the first event, EVENT_COMMAND */
	struct event *events;
	struct event *cleanup;         /* a command without a time at the end; NULL = none */
};

/*
 * @out: zeroed, or with defines; to be freed by script_free() whatever the answer. 0; -EINVAL, then
 * @err says where and why; -ENOMEM.
 */
int script_parse(const char *name, const char *text, size_t len, struct script *out,
		 struct script_error *err);
void script_free(struct script *s);

/* "NAME=value" or "NAME="value""; -EINVAL without a name. */
int script_define(struct script *s, const char *definition);

#endif
