/* SPDX-License-Identifier: MIT */
/*
 * SYN cookies: connections are accepted under a flood of SYNs without remembering one of them.
 *
 * When a listener's queue of half-open connections is full, what a request would remember goes into the
 * SYN-ACK instead, and comes back in the ACK that completes the handshake:
 *
 *   initial sequence number   H1(addresses) + IRS + minute << 24
 *                             + (H2(addresses, minute) + mss index << 22) mod 2^24
 *   TSval, lowest six bits    window scale (15 = none), SACK permitted, ECN
 *
 * An ACK whose number is not such a sum of this or the last minute is no answer to a SYN-ACK of ours. A
 * blind attacker hits one with 4 * 2 / 2^32 a segment, and only while the listener has sent cookies in
 * the last two minutes. Price: no window scale, SACK and ECN for peers without timestamps, one of four
 * segment sizes, and no SYN-ACK is repeated when it or the ACK is lost.
 *
 * The lifetime of a cookie is given in minutes of the stack's clock; the keys are the namespace's own.
 *
 * Read first: RFC 4987 3.6 and appendix A.
 */
#include "stack/tcp/tcp.h"

#define COOKIE_BITS 24
#define COOKIE_MASK ((1U << COOKIE_BITS) - 1)
#define COOKIE_INDEX_SHIFT 22 /* on top, so that numbers beside a cookie are none */
#define COOKIE_PERIOD (60 * NSEC_PER_SEC)
#define COOKIE_MAX_AGE 2U /* periods */

#define TS_OPT_WSCALE_MASK 0x0fU
#define TS_OPT_NO_WSCALE 0x0fU
#define TS_OPT_SACK 0x10U
#define TS_OPT_ECN 0x20U
#define TS_OPT_BITS 0x3fU

/* Segment sizes that a cookie can tell, ascending: the smallest one must do for everybody. As Linux. */
static const uint16_t mss_table[] = { 536, 1300, 1440, 1460 };

static uint32_t cookie_minute(const struct net *net)
{
	return (uint32_t)(net->now / COOKIE_PERIOD);
}

static uint32_t cookie_hash(const struct net *net, const struct inet_sock *inet, uint32_t minute,
			    unsigned int key)
{
	struct {
		struct inet_addr saddr, daddr;
		be16 sport, dport;
		uint32_t minute;
	} in = { inet->saddr, inet->daddr, inet->sport, inet->dport, minute };

	return (uint32_t)siphash(&in, sizeof(in), net->tcp->cookie_key[key]);
}

/**
 * tcp_cookie_isn() - the initial sequence number that stands for a request
 * @req:  addresses, irs, mss and options are set; mss is lowered to one that the cookie can tell
 *
 * Source:  RFC 4987 A
 */
uint32_t tcp_cookie_isn(struct tcp_request *req)
{
	struct net *net = req->inet.sk.net;
	uint32_t minute = cookie_minute(net), index = ARRAY_SIZE(mss_table) - 1;

	while (index && req->mss < mss_table[index])
		index--;
	req->mss = mss_table[index];
	return cookie_hash(net, &req->inet, 0, 0) + req->irs + (minute << COOKIE_BITS) +
	       ((cookie_hash(net, &req->inet, minute, 1) + (index << COOKIE_INDEX_SHIFT)) &
		COOKIE_MASK);
}

/* Segment size that the cookie @isn tells; 0 = it is none of ours, or too old. */
static uint16_t cookie_mss(const struct net *net, const struct inet_sock *inet, uint32_t isn,
			   uint32_t irs)
{
	uint32_t value = isn - cookie_hash(net, inet, 0, 0) - irs, minute = cookie_minute(net), index;
	uint32_t age = (minute - (value >> COOKIE_BITS)) & (UINT32_MAX >> COOKIE_BITS);

	if (age >= COOKIE_MAX_AGE)
		return 0;
	index = (value - cookie_hash(net, inet, minute - age, 1)) & COOKIE_MASK;
	if (index & ((1U << COOKIE_INDEX_SHIFT) - 1))
		return 0;
	return mss_table[index >> COOKIE_INDEX_SHIFT];
}

/**
 * tcp_cookie_ts() - TSval of a SYN-ACK that tells the options agreed on
 * @req:  request with timestamps
 *
 * The clock, set back by less than 64 ms so that its lowest bits are free.
 */
uint32_t tcp_cookie_ts(const struct tcp_request *req)
{
	uint32_t now = tcp_ts_clock(req->inet.sk.net, 0), ts;
	uint32_t opts = req->wscale_ok ? req->snd_wscale : TS_OPT_NO_WSCALE;

	if (req->sack_ok)
		opts |= TS_OPT_SACK;
	if (req->ecn_ok)
		opts |= TS_OPT_ECN;
	ts = (now & ~TS_OPT_BITS) | opts;
	if (ts > now)
		ts -= TS_OPT_BITS + 1;
	return ts + req->ts_off;
}

/*
 * What the SYN had offered, from the echo of our TSval; of ECN what both had agreed on. False: what we
 * never agree on now.
 */
static bool decode_options(const struct tcp_segment *seg, uint32_t ts_off, struct tcp_segment *as_syn)
{
	const struct tcp_sysctls *sysctl = &seg->net->tcp->sysctl;
	struct tcp_options *syn = &as_syn->opt;
	uint32_t opts;

	if (!seg->opt.has_ts)
		return true;
	if (!sysctl->timestamps)
		return false;
	opts = (seg->opt.tsecr - ts_off) & TS_OPT_BITS;
	if (opts & TS_OPT_ECN)
		as_syn->flags |= TCPHDR_ECE | TCPHDR_CWR;
	syn->has_ts = true;
	syn->tsval = seg->opt.tsval;
	syn->has_sack_ok = opts & TS_OPT_SACK;
	syn->has_wscale = (opts & TS_OPT_WSCALE_MASK) != TS_OPT_NO_WSCALE;
	if (syn->has_wscale)
		syn->wscale = (uint8_t)(opts & TS_OPT_WSCALE_MASK);
	return syn->wscale <= TCP_MAX_WSCALE && (sysctl->sack || !syn->has_sack_ok) &&
	       (sysctl->window_scaling || !syn->has_wscale);
}

/**
 * tcp_cookie_sent() - note that the listener has answered by a cookie
 * @listener:  in LISTEN; ACKs may come for it now
 */
void tcp_cookie_sent(struct tcp_sock *listener)
{
	mib_inc(tcp_net(listener), MIB_TcpExtSyncookiesSent);
	listener->synq_overflow = tcp_net(listener)->now;
}

static bool recent_overflow(const struct tcp_sock *listener)
{
	return listener->synq_overflow &&
	       tcp_net(listener)->now - listener->synq_overflow <= COOKIE_MAX_AGE * COOKIE_PERIOD;
}

/**
 * tcp_cookie_check() - does an ACK for a listener complete the handshake of a cookie?
 * @listener:  in LISTEN
 * @seg:       segment with ACK that belongs to no connection and no request
 * @syn:       result: the SYN as it must have been, without text
 *
 * Source:  RFC 4987 A
 * Return:  true when it does
 */
bool tcp_cookie_check(const struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_segment *syn)
{
	struct inet_sock inet = { .saddr = seg->daddr, .daddr = seg->saddr,
				  .sport = seg->dport, .dport = seg->sport };
	struct net *net = seg->net;
	uint16_t mss;

	if (!net->tcp->sysctl.syncookies || !(seg->flags & TCPHDR_ACK) ||
	    (seg->flags & (TCPHDR_SYN | TCPHDR_RST)) || !recent_overflow(listener))
		return false;
	mss = cookie_mss(net, &inet, seg->ack - 1, seg->seq - 1);
	if (!mss) {
		mib_inc(net, MIB_TcpExtSyncookiesFailed);
		return false;
	}
	mib_inc(net, MIB_TcpExtSyncookiesRecv);
	*syn = *seg;
	syn->seq = seg->seq - 1;
	syn->flags = TCPHDR_SYN;
	syn->ecn = INET_ECN_NOT_ECT;
	memset(&syn->opt, 0, sizeof(syn->opt));
	syn->opt.has_mss = true;
	syn->opt.mss = mss;
	return decode_options(seg, tcp_secure_ts_off(net, &inet.saddr, &inet.daddr), syn);
}
