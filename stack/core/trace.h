/* SPDX-License-Identifier: MIT */
/* Trace points: a fixed list of kinds, each one a predicted-false test while nobody listens. */
#ifndef STACK_CORE_TRACE_H
#define STACK_CORE_TRACE_H

#include "stack/core/net_namespace.h"

enum trace_kind { /* bits of struct trace.kinds */
	TRACE_CALL = 1 << 0,  /* a program's call and its answer */
	TRACE_IN = 1 << 1,    /* a packet came in */
	TRACE_OUT = 1 << 2,   /* a packet went out */
	TRACE_STATE = 1 << 3, /* a socket, neighbour or device changed its state */
	TRACE_TIMER = 1 << 4, /* a timer of a protocol was set or fired */
	TRACE_DROP = 1 << 5,  /* a packet was lost, and why */
	TRACE_ALL = (1 << 6) - 1,
};

/* Where the lines go. Belongs to who sets net->trace, and outlives the setting. */
struct trace {
	unsigned int kinds; /* TRACE_* wanted */
	/* One line without line feed; @now is the stack's time. */
	void (*line)(void *arg, ktime_t now, enum trace_kind kind, const char *text);
	/* Text of a packet (skb_print() of stack/print.h); NULL = packets show their length only. */
	void (*packet)(const struct sk_buff *skb, char *buf, size_t len);
	void *arg;
};

static inline bool trace_on(const struct net *net, enum trace_kind kind)
{
	return unlikely(net->trace && (net->trace->kinds & (unsigned int)kind));
}

/* Call only under trace_on(): the arguments would be computed for nothing. */
void trace_printf(const struct net *net, enum trace_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A packet and what about it (@what may be NULL). */
void trace_skb(const struct net *net, enum trace_kind kind, const struct sk_buff *skb,
	       const char *what);

#endif
