/* SPDX-License-Identifier: MIT */
/*
 * trace.c - one line for each event that somebody wants to see
 *
 * The stack never prints: it formats a line and hands it to the sink in net->trace. What a packet
 * looks like as text is known above (stack/print.c), hence the sink brings that function along.
 */
#include "stack/core/trace.h"

#include <stdarg.h>

#include "stack/core/dev.h"

static const char *kind_name(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_CALL: return "call";
	case TRACE_IN: return "in";
	case TRACE_OUT: return "out";
	case TRACE_STATE: return "state";
	case TRACE_TIMER: return "timer";
	case TRACE_DROP: return "drop";
	case TRACE_ALL: break;
	}
	return "trace";
}

/**
 * trace_printf() - send a line to the sink
 * @net:   namespace; its kind must be on, see trace_on()
 * @kind:  one TRACE_* bit
 * @fmt:   printf format, without line feed; cut at 400 bytes
 */
void trace_printf(const struct net *net, enum trace_kind kind, const char *fmt, ...)
{
	char text[400];
	va_list args;
	int n;

	n = snprintf(text, sizeof(text), "%s: ", kind_name(kind));
	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
	va_end(args);
	net->trace->line(net->trace->arg, net->now, kind, text);
}

/**
 * trace_skb() - send a packet's line to the sink
 * @net:   namespace; its kind must be on
 * @kind:  one TRACE_* bit
 * @skb:   packet in any state
 * @what:  words about it, or NULL
 */
void trace_skb(const struct net *net, enum trace_kind kind, const struct sk_buff *skb,
	       const char *what)
{
	const char *dev = skb->dev ? skb->dev->name : "-";
	char packet[300];

	if (net->trace->packet)
		net->trace->packet(skb, packet, sizeof(packet));
	else
		snprintf(packet, sizeof(packet), "%u bytes", skb->len);
	trace_printf(net, kind, "%s: %s%s%s", dev, packet, what ? ": " : "", what ? what : "");
}
