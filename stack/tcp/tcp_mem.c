/* SPDX-License-Identifier: MIT */
/*
 * How much memory TCP may take: tcp_mem, as Linux has it.
 *
 * Three numbers of pages. Above the second the namespace is under pressure until it falls below the first:
 * receive buffers do not grow, windows that are half full are kept at four segments, send buffers do not
 * grow. Above the third nothing is queued any more beyond the least that each socket is owed
 * (tcp_rmem[0], tcp_wmem[0]), and orphans end with a reset.
 *
 * What is counted is the memory of all packet buffers of the namespace, which no one but TCP fills in
 * earnest. A second limit is the number of orphans (tcp_max_orphans).
 */
#include "stack/tcp/tcp.h"

#define PAGE_BYTES 4096U

static bool above(const struct net *net, unsigned int which)
{
	return net->skb_bytes > (uint64_t)MAX(net->tcp->sysctl.mem[which], 0) * PAGE_BYTES;
}

/**
 * tcp_under_pressure() - is memory short?
 * @net:  namespace
 *
 * Enters and leaves the state of pressure by the way, and counts that.
 */
bool tcp_under_pressure(struct net *net)
{
	struct netns_tcp *t = net->tcp;

	if (!t->memory_pressure && above(net, 1)) {
		t->memory_pressure = true;
		t->pressure_since = net->now;
		mib_inc(net, MIB_TcpExtTCPMemoryPressures);
	} else if (t->memory_pressure && !above(net, 0)) {
		t->memory_pressure = false;
		mib_add(net, MIB_TcpExtTCPMemoryPressuresChrono,
			(net->now - t->pressure_since) / NSEC_PER_MSEC);
	}
	return t->memory_pressure;
}

/**
 * tcp_wmem_allows() - may a socket queue more text to send?
 * @tp:  connection
 */
bool tcp_wmem_allows(const struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	return tp->inet.sk.wmem_queued < net->tcp->sysctl.wmem[0] || !above(net, 2);
}

/**
 * tcp_rmem_allows() - may a socket keep more text that was received?
 * @tp:  connection
 */
bool tcp_rmem_allows(const struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	return tp->inet.sk.rmem_alloc < net->tcp->sysctl.rmem[0] || !above(net, 2);
}

/**
 * tcp_check_oom() - must an orphan go?
 * @tp:  orphan, counted already
 *
 * Source:  tcp_max_orphans and tcp_mem[2], as Linux. RFC 9293 knows no such limits (DEVIATES)
 */
bool tcp_check_oom(const struct tcp_sock *tp)
{
	const struct net *net = tcp_net(tp);

	if (net->tcp->orphans > (unsigned int)net->tcp->sysctl.max_orphans)
		return true;
	return tp->inet.sk.wmem_queued > SOCK_MIN_SNDBUF && above(net, 2);
}

/**
 * tcp_win_from_space() - the window that a part of the receive buffer stands for
 * @net:    namespace
 * @space:  bytes of buffer; <= 0 is none
 *
 * The rest is for the overhead of buffers: space / 2^n of it, or all but space / 2^-n with a negative
 * tcp_adv_win_scale n.
 */
uint32_t tcp_win_from_space(const struct net *net, int64_t space)
{
	int scale = net->tcp->sysctl.adv_win_scale;

	if (space <= 0)
		return 0;
	return (uint32_t)(scale <= 0 ? space >> -scale : space - (space >> scale));
}
