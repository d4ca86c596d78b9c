/* SPDX-License-Identifier: MIT */
/* Rules: which sockets are the stack's and which the kernel's. Shared by the launcher, which checks them, and the shim. */
#ifndef SHIM_RULES_H
#define SHIM_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RULES_MAX = 64, RULES_TEXT_MAX = 8192, RULE_ERR_SIZE = 160, RULE_PROGRAM_MAX = 255 };

enum rule_verdict { RULE_STACK, RULE_KERNEL, RULE_REFUSE };

/* What a socket is; a raw ICMP socket is two of them. */
enum rule_proto { RULE_TCP = 1, RULE_UDP = 2, RULE_ICMP = 4, RULE_RAW = 8, RULE_ANY = 15 };

/* Addresses net..net|~mask with ports first..last; all of it in host byte order. */
struct rule_range {
	uint32_t net, mask;
	uint16_t first, last;
};

struct rule {
	uint8_t verdict;           /* enum rule_verdict */
	uint8_t proto;             /* enum rule_proto, one bit each */
	uint8_t number;            /* in its list, from 1 */
	bool any_program;
	struct rule_range local, remote;
	const char *program;       /* glob, in @text; not zero-terminated */
	size_t program_len;
	const char *text;          /* as written, without comment; not zero-terminated */
	size_t len;
};

/* What is known of a socket when it is looked at. */
struct rule_subject {
	uint8_t proto;             /* enum rule_proto */
	bool remote_open;          /* nobody knows yet who the other end will be */
	const struct sockaddr_in *local;  /* NULL: not bound */
	const struct sockaddr_in *remote; /* NULL: none */
};

enum rule_match { RULE_NO, RULE_YES, RULE_MAYBE /* it depends on the other end */ };

const char *rule_verdict_name(enum rule_verdict verdict);
int rule_parse(const char *line, size_t len, struct rule *out, char *err);
int rules_parse(const char *text, struct rule *list, char *err);
enum rule_match rule_matches(const struct rule *rule, const struct rule_subject *subject);
bool rule_names(const struct rule *rule, const char *path, const char *invoked);
bool rule_range_open(const struct rule_range *range);

#endif
