/* SPDX-License-Identifier: MIT */
/*
 * TIME-WAIT, the end of a connection's life.
 *
 * A struct tcp_timewait answers late segments for 60 seconds; an orphan in FIN-WAIT-2 waits for the
 * peer's FIN in the same form. A new connection may take the place of a TIME-WAIT when its numbers
 * cannot be mistaken for the old ones: a greater sequence number or timestamp in a SYN that comes in
 * (RFC 9293 3.6.1, RFC 6191), timestamps and a second of age for one that goes out. Entries live in
 * the established table, where segments find them.
 */
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "stack/tcp/tcp.h"

/**
 * tcp_paws_reject() - is a timestamp too old to be from this incarnation?
 * @ts_recent:  TS.Recent
 * @stamp:      when it was set; 0 = never
 * @tsval:      of the segment
 * @now:        time
 *
 * Source:  RFC 7323 5.3; 5.5: TS.Recent says nothing any more after 24 days
 */
bool tcp_paws_reject(uint32_t ts_recent, ktime_t stamp, uint32_t tsval, ktime_t now)
{
	if (stamp == 0 || now - stamp >= TCP_PAWS_24DAYS_MS * NSEC_PER_MSEC)
		return false;
	return (int32_t)(tsval - ts_recent) < 0;
}

/* ---- TIME-WAIT ------------------------------------------------------------------------------- */

const struct proto tcp_timewait_prot = {
	.name = "TCP",
	.protocol = IPPROTO_TCP,
	.obj_size = sizeof(struct tcp_timewait),
	.describe = tcp_describe,
};

/**
 * tcp_timewait_kill() - the entry ends
 * @tw:  entry; the caller holds a reference if it goes on using it
 */
void tcp_timewait_kill(struct tcp_timewait *tw)
{
	struct net *net = tw->inet.sk.net;

	if (!tw->substate)
		return;
	tw->substate = 0;
	inet_ehash_remove(&tw->inet);
	inet_put_port(&tw->inet.sk);
	timer_destroy(&tw->timer);
	net->tcp->timewaits--;
	net->busy--;
	sock_put(&tw->inet.sk);
}

static void timewait_timeout(struct timer_list *t)
{
	struct tcp_timewait *tw = container_of(t, struct tcp_timewait, timer);

	mib_inc(tw->inet.sk.net, MIB_TcpExtTW);
	tcp_timewait_kill(tw);
}

static void copy_to_timewait(struct tcp_timewait *tw, struct tcp_sock *tp)
{
	const struct inet_sock *from = &tp->inet;
	struct inet_sock *inet = &tw->inet;

	inet_sock_init(inet);
	inet->saddr = from->saddr;
	inet->rcv_saddr = from->rcv_saddr;
	inet->daddr = from->daddr;
	inet->sport = from->sport;
	inet->dport = from->dport;
	inet->dst = from->dst;
	inet->tos = from->tos;
	inet->uc_ttl = from->uc_ttl;
	inet->pmtudisc = from->pmtudisc;
	inet->sk.flags = from->sk.flags | 1UL << SOCK_DEAD;
	inet->sk.bound_dev_if = from->sk.bound_dev_if;
	inet->sk.owner = from->sk.owner;
	inet->sk.state = TCP_TIME_WAIT;
	tw->snd_nxt = tp->snd_nxt;
	tw->rcv_nxt = tp->rcv_nxt;
	tw->rcv_wnd = tcp_receive_window(tp);
	tw->rcv_wscale = tp->rcv_wscale;
	tw->ts_ok = tp->ts_ok;
	tw->ts_off = tp->ts_off;
	tw->ts_recent = tp->ts_recent;
	tw->ts_recent_stamp = tp->ts_recent_stamp;
	tw->last_oow_ack = tp->last_oow_ack;
}

static void timewait_wait(struct tcp_timewait *tw, uint32_t ms)
{
	mod_timer(&tw->timer, tw->inet.sk.net->now + ms * NSEC_PER_MSEC);
}

/**
 * tcp_enter_time_wait() - a small entry takes the place of the connection, which is then CLOSED
 * @tp:          connection; the caller holds a reference
 * @substate:    TCP_TIME_WAIT, or TCP_FIN_WAIT2 for an orphan
 * @timeout_ms:  how long
 *
 * When there are too many, or no memory, the connection just ends (tcp_max_tw_buckets, as Linux).
 */
void tcp_enter_time_wait(struct tcp_sock *tp, uint8_t substate, uint32_t timeout_ms)
{
	struct net *net = tcp_net(tp);
	struct tcp_timewait *tw = NULL;

	if (net->tcp->timewaits < (unsigned int)net->tcp->sysctl.max_tw_buckets)
		tw = (struct tcp_timewait *)(void *)sk_alloc(net, tp->inet.sk.family, SOCK_STREAM,
							    &tcp_timewait_prot);
	if (!tw) {
		mib_inc(net, MIB_TcpExtTCPTimeWaitOverflow);
		tcp_done(tp);
		return;
	}
	copy_to_timewait(tw, tp);
	tw->substate = substate;
	inet_inherit_port(&tw->inet, &tp->inet);
	tw->inet.num = tp->inet.num;
	inet_ehash_remove(&tp->inet);
	inet_ehash_insert(&tw->inet);
	timer_setup(&tw->timer, &net->timers, timewait_timeout);
	timewait_wait(tw, timeout_ms);
	net->tcp->timewaits++;
	net->busy++;
	tcp_done(tp);
}

static void timewait_ack(struct tcp_timewait *tw)
{
	struct net *net = tw->inet.sk.net;
	struct tcp_options ts = { .tsval = tcp_ts_clock(net, tw->ts_off), .tsecr = tw->ts_recent };

	tcp_send_bare(&tw->inet, tw->snd_nxt, tw->rcv_nxt,
		      (uint16_t)(tw->rcv_wnd >> tw->rcv_wscale), TCPHDR_ACK,
		      tw->ts_ok ? &ts : NULL);
}

/* What has text or a FIN is repeated until it is acknowledged, and is no answer to an ACK of ours. */
static void timewait_ack_limited(struct tcp_timewait *tw, const struct tcp_segment *seg)
{
	enum mib skipped = tw->substate == TCP_FIN_WAIT2 ? MIB_TcpExtTCPACKSkippedFinWait2 :
							   MIB_TcpExtTCPACKSkippedTimeWait;
	bool repeats = seg->end_seq != seg->seq && !(seg->flags & TCPHDR_SYN);

	if (repeats || !tcp_oow_rate_limited(tw->inet.sk.net, &tw->last_oow_ack, skipped))
		timewait_ack(tw);
}

static void timewait_store_ts(struct tcp_timewait *tw, const struct tcp_segment *seg)
{
	if (!tw->ts_ok || !seg->opt.has_ts)
		return;
	tw->ts_recent = seg->opt.tsval;
	tw->ts_recent_stamp = seg->net->now;
}

/* An orphan waits for the FIN: anything else that is new comes too late for a program that is gone. */
static struct tcp_result fin_wait2_rcv(struct tcp_timewait *tw, const struct tcp_segment *seg,
				       bool old_ts)
{
	if (old_ts || before(seg->end_seq, tw->rcv_nxt) ||
	    after(seg->seq, tw->rcv_nxt + tw->rcv_wnd)) {
		if (!(seg->flags & TCPHDR_RST))
			timewait_ack_limited(tw, seg);
		return TCP_RESULT(DROP, DROP_TCP_OUT_OF_WINDOW);
	}
	if (seg->flags & TCPHDR_RST) {
		if (seg->seq == tw->rcv_nxt)
			tcp_timewait_kill(tw);
		else
			timewait_ack_limited(tw, seg); /* RFC 5961 3.2 */
		return TCP_RESULT(DROP, DROP_TCP_RESET);
	}
	if (seg->flags & TCPHDR_SYN) {
		timewait_ack_limited(tw, seg); /* RFC 5961 4.2 */
		return TCP_RESULT(DROP, DROP_TCP_INVALID_SYN);
	}
	if (!(seg->flags & TCPHDR_ACK) || seg->end_seq == seg->seq ||
	    !after(seg->end_seq, tw->rcv_nxt))
		return TCP_GO_ON;
	if (!(seg->flags & TCPHDR_FIN) || seg->end_seq != tw->rcv_nxt + 1) {
		mib_inc(seg->net, MIB_TcpExtTCPAbortOnData);
		tcp_timewait_kill(tw);
		return TCP_RESULT(RESET, DROP_TCP_CLOSED);
	}
	tw->substate = TCP_TIME_WAIT;
	tw->rcv_nxt = seg->end_seq;
	timewait_store_ts(tw, seg);
	timewait_wait(tw, TCP_TIMEWAIT_MS);
	timewait_ack(tw);
	return TCP_GO_ON;
}

/* RFC 9293 3.6.1 (MAY-2), RFC 6191 2: a SYN whose numbers are beyond all of the old connection. */
static bool may_reopen(const struct tcp_timewait *tw, const struct tcp_segment *seg, bool old_ts)
{
	if ((seg->flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK | TCPHDR_FIN)) != TCPHDR_SYN ||
	    old_ts)
		return false;
	return after(seg->seq, tw->rcv_nxt) ||
	       (tw->ts_ok && seg->opt.has_ts && (int32_t)(seg->opt.tsval - tw->ts_recent) > 0);
}

/**
 * tcp_timewait_rcv() - a segment for a TIME-WAIT entry
 * @tw:     entry; the caller holds a reference
 * @seg:    segment
 * @again:  result: true = a SYN that may open a new connection in place of @tw, which still exists
 * @isn:    result: initial number for that connection
 *
 * Source:  RFC 9293 3.10.7.4 for TIME-WAIT
 */
struct tcp_result tcp_timewait_rcv(struct tcp_timewait *tw, struct tcp_segment *seg, bool *again,
				   uint32_t *isn)
{
	bool old_ts =
		tw->ts_ok && seg->opt.has_ts && !(seg->flags & TCPHDR_RST) &&
		tcp_paws_reject(tw->ts_recent, tw->ts_recent_stamp, seg->opt.tsval, seg->net->now);

	if (!tw->substate)
		return TCP_RESULT(RESET, DROP_TCP_NO_SOCKET);
	if (tw->substate == TCP_FIN_WAIT2)
		return fin_wait2_rcv(tw, seg, old_ts);

	if (seg->flags & TCPHDR_RST) {
		/* RFC 1337 warns of this; RFC 9293 asks for it, as Linux unless tcp_rfc1337. */
		if (seg->seq == tw->rcv_nxt && !seg->net->tcp->sysctl.rfc1337)
			tcp_timewait_kill(tw);
		return TCP_RESULT(DROP, DROP_TCP_RESET);
	}
	if (may_reopen(tw, seg, old_ts)) {
		*isn = tw->snd_nxt + 65535 + 2;
		if (*isn == 0)
			*isn = 1;
		*again = true;
		return TCP_GO_ON;
	}
	if (!old_ts && seg->seq == tw->rcv_nxt && seg->end_seq == seg->seq) {
		timewait_store_ts(tw, seg); /* a bare ACK: nothing to say */
		return TCP_GO_ON;
	}
	/* A FIN again, or old text: our last ACK was lost. */
	if (seg->flags & TCPHDR_FIN)
		timewait_wait(tw, TCP_TIMEWAIT_MS);
	timewait_ack_limited(tw, seg);
	return old_ts ? TCP_RESULT(DROP, DROP_TCP_PAWS_TIMEWAIT) : TCP_RESULT(DROP, DROP_TCP_OUT_OF_WINDOW);
}

static bool may_reuse(const struct tcp_timewait *tw)
{
	int reuse = tw->inet.sk.net->tcp->sysctl.tw_reuse;

	return reuse == 1 || (reuse == 2 && (ipv4_is_loopback(tw->inet.daddr.v4) ||
					     ipv4_is_loopback(tw->inet.rcv_saddr.v4)));
}

/**
 * tcp_check_established() - may an outgoing connection use this local port?
 * @inet:  socket, addresses and dport set
 * @port:  local port, host order
 *
 * A TIME-WAIT is replaced when timestamps tell the connections apart and a second has passed since the
 * last one (RFC 6191; tcp_tw_reuse, by default 2: on loopback only). The new connection starts beyond the
 * old numbers.
 *
 * Return:  0; -EADDRNOTAVAIL
 */
int tcp_check_established(struct inet_sock *inet, uint16_t port)
{
	struct net *net = inet->sk.net;
	struct inet_sock *other;
	struct tcp_timewait *tw;

	other = inet_lookup_established(net, IPPROTO_TCP, &inet->daddr, inet->dport,
					&inet->rcv_saddr, cpu_to_be16(port), inet->sk.bound_dev_if);
	if (!other || other == inet)
		return 0;
	if (other->sk.prot != &tcp_timewait_prot)
		return -EADDRNOTAVAIL;
	tw = (struct tcp_timewait *)(void *)other;
	if (!may_reuse(tw) || tw->substate != TCP_TIME_WAIT || !tw->ts_ok ||
	    net->now - tw->ts_recent_stamp <= NSEC_PER_SEC)
		return -EADDRNOTAVAIL;
	tcp_sk(&inet->sk)->write_seq = tw->snd_nxt + 65535 + 2;
	mib_inc(net, MIB_TcpExtTWRecycled);
	tcp_timewait_kill(tw);
	return 0;
}
