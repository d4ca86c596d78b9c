/* SPDX-License-Identifier: MIT */
/*
 * The res_* family: whole DNS messages, asked and answered by the host's name server.
 *
 * libc exports each function by two names, and each with and without a resolver state; the
 * state's name servers are the kernel's network's and are not used. Search lists are not applied:
 * a name is asked for as it stands.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"

#include <stdio.h>
#include <string.h>

enum {
	DNS_HEADER = 12,
	DNS_RCODE = 0x0f, /* in byte 3 */
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
};

/* RFC 1035 4.1.1: what an answer's header means to the caller of res_query(). */
static int judge(const unsigned char *answer, size_t len)
{
	int rcode = len >= DNS_HEADER ? answer[3] & DNS_RCODE : DNS_SERVFAIL;
	bool empty = len >= DNS_HEADER && !answer[6] && !answer[7];

	if (!rcode && !empty)
		return NETDB_SUCCESS;
	if (!rcode)
		return NO_DATA;
	return rcode == DNS_NXDOMAIN   ? HOST_NOT_FOUND
	       : rcode == DNS_SERVFAIL ? TRY_AGAIN
				       : NO_RECOVERY;
}

static int query(const char *name, int class, int type, unsigned char *answer, int room)
{
	struct ctl_call c = {
		.op = CTL_RES_QUERY,
		.via = -1,
		.slow = true,
		.arg = { (uint32_t) class, (uint32_t)type },
		.data = name,
		.len = strlen(name) + 1,
		.reply = answer,
		.room = room > 0 ? (size_t)room : 0,
	};
	int r = ctl_call(&c);

	if (r < 0) {
		h_errno = TRY_AGAIN;
		errno = -r;
		return -1;
	}
	h_errno = judge(answer, c.got);
	return h_errno == NETDB_SUCCESS ? (int)c.got : -1;
}

static int query_below(const char *name, const char *domain, int class, int type,
		       unsigned char *answer, int room)
{
	char full[512];

	if (!domain)
		return query(name, class, type, answer, room);
	if ((size_t)snprintf(full, sizeof(full), "%s.%s", name, domain) >= sizeof(full)) {
		h_errno = NO_RECOVERY;
		return -1;
	}
	return query(full, class, type, answer, room);
}

static int ask(const unsigned char *msg, int len, unsigned char *answer, int room)
{
	struct ctl_call c = {
		.op = CTL_RES_SEND,
		.via = -1,
		.slow = true,
		.data = msg,
		.len = len > 0 ? (size_t)len : 0,
		.reply = answer,
		.room = room > 0 ? (size_t)room : 0,
	};
	int r;

	if (len < DNS_HEADER) {
		errno = EINVAL;
		return -1;
	}
	r = ctl_call(&c);
	if (r < 0) {
		errno = r == -ENETDOWN ? ENETDOWN : ETIMEDOUT;
		return -1;
	}
	return (int)c.got;
}

#define QUERY(name)                                                                   \
	int name(const char *n, int class, int type, unsigned char *answer, int room) \
	{                                                                             \
		return query(n, class, type, answer, room);                           \
	}
#define NQUERY(name)                                                                               \
	int name(void *state, const char *n, int class, int type, unsigned char *answer, int room) \
	{                                                                                          \
		(void)state;                                                                       \
		return query(n, class, type, answer, room);                                        \
	}
#define QUERYDOMAIN(name)                                                                       \
	int name(const char *n, const char *domain, int class, int type, unsigned char *answer, \
		 int room)                                                                      \
	{                                                                                       \
		return query_below(n, domain, class, type, answer, room);                       \
	}
#define NQUERYDOMAIN(name)                                                            \
	int name(void *state, const char *n, const char *domain, int class, int type, \
		 unsigned char *answer, int room)                                     \
	{                                                                             \
		(void)state;                                                          \
		return query_below(n, domain, class, type, answer, room);             \
	}
#define SEND(name)                                                                   \
	int name(const unsigned char *msg, int len, unsigned char *answer, int room) \
	{                                                                            \
		return ask(msg, len, answer, room);                                  \
	}
#define NSEND(name)                                                                               \
	int name(void *state, const unsigned char *msg, int len, unsigned char *answer, int room) \
	{                                                                                         \
		(void)state;                                                                      \
		return ask(msg, len, answer, room);                                               \
	}

QUERY(res_query)
QUERY(__res_query)
QUERY(res_search)
QUERY(__res_search)
NQUERY(res_nquery)
NQUERY(__res_nquery)
NQUERY(res_nsearch)
NQUERY(__res_nsearch)
QUERYDOMAIN(res_querydomain)
QUERYDOMAIN(__res_querydomain)
NQUERYDOMAIN(res_nquerydomain)
NQUERYDOMAIN(__res_nquerydomain)
SEND(res_send)
SEND(__res_send)
NSEND(res_nsend)
NSEND(__res_nsend)
