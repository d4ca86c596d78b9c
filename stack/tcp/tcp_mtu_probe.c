/* SPDX-License-Identifier: MIT */
/*
 * Packetization-layer path MTU discovery: finding the path's MTU by what arrives, where routers that
 * drop large packets do not say so (RFC 4821, in the spirit of RFC 8899).
 *
 * tcp_mtu_probing 0: off. 1: begins after a black hole was met: text unacknowledged for so long that
 * tcp_retries1 have passed; segments then shrink to tcp_base_mss and, with each further timeout, by half
 * down to tcp_mtu_probe_floor. 2: each connection begins at tcp_base_mss.
 *
 * While it is on, [mtup_low, mtup_high] holds the path's MTU. A probe is new text in one segment of the
 * middle of that range, sent when the window has room for it and for enough behind it that its loss
 * shows without a timeout. Its arrival raises mtup_low, which is what segments are made for; its loss
 * lowers mtup_high and is no sign of congestion (RFC 4821 7.5): the text is sent again in segments of the
 * size that is known to pass. A range below tcp_probe_threshold ends the search, which starts anew after
 * tcp_probe_interval.
 *
 * Read first: RFC 4821 7.2 to 7.7.
 */
#include "stack/tcp/tcp.h"

#define HEADERS (IPV4_HLEN + TCP_HLEN)
#define MIN_CWND_SEGMENTS 11U /* RFC 4821 7.4: enough in flight for fast recovery; as Linux */

static uint32_t ceiling(const struct tcp_sock *tp)
{
	return MIN(tp->mss_clamp + HEADERS, tp->pmtu);
}

static void start_search(struct tcp_sock *tp, uint32_t low_mss)
{
	tp->mtup_high = ceiling(tp);
	tp->mtup_low = MIN(low_mss + HEADERS, tp->mtup_high);
	tp->mtup_size = 0;
	tp->mtup_stamp = tcp_net(tp)->now;
	tp->mtup_enabled = true;
}

/**
 * tcp_mtup_init() - a connection is established
 * @tp:  connection; mss_clamp and pmtu are known
 */
void tcp_mtup_init(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;

	tp->mtup_enabled = false;
	if (sysctl->mtu_probing < 2 || tp->inet.pmtudisc == IP_PMTUDISC_DONT)
		return;
	start_search(tp, (uint32_t)sysctl->base_mss);
	tcp_sync_mss(tp, tp->pmtu);
}

/**
 * tcp_mtup_limit() - what probing leaves of a segment size
 * @tp:    connection
 * @mss:   bytes of text and options
 * @pmtu:  bytes of an IP packet that the path is known not to exceed
 */
uint32_t tcp_mtup_limit(struct tcp_sock *tp, uint32_t mss, uint32_t pmtu)
{
	if (!tp->mtup_enabled)
		return mss;
	tp->mtup_high = MIN(tp->mtup_high, MAX(pmtu, HEADERS + TCP_MIN_SND_MSS));
	tp->mtup_low = MIN(tp->mtup_low, tp->mtup_high);
	return MIN(mss, tp->mtup_low - HEADERS);
}

/* RFC 4821 7.7: timeouts in a row: whatever was known of the path does not hold. */
static void black_hole(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	uint32_t mss;

	if (!tp->mtup_enabled) {
		start_search(tp, (uint32_t)sysctl->base_mss);
	} else {
		mss = MIN((tp->mtup_low - HEADERS) / 2, (uint32_t)sysctl->base_mss);
		mss = MAX(mss, (uint32_t)sysctl->mtu_probe_floor);
		tp->mtup_low = MIN(MAX(mss, TCP_MIN_SND_MSS) + HEADERS, tp->mtup_high);
	}
	tcp_sync_mss(tp, tp->pmtu);
}

/**
 * tcp_mtup_timeout() - the retransmission timer has fired
 * @tp:  connection; retransmits counts this timeout
 *
 * A probe in flight proves nothing then (RFC 4821 7.6.3).
 */
void tcp_mtup_timeout(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;

	tp->mtup_size = 0;
	if (sysctl->mtu_probing && tp->retransmits >= sysctl->retries1 &&
	    tp->inet.pmtudisc != IP_PMTUDISC_DONT)
		black_hole(tp);
}

/* RFC 4821 7.3: a path may have become wider; look again from what is known to pass. */
static void maybe_search_again(struct tcp_sock *tp)
{
	const struct net *net = tcp_net(tp);
	uint64_t interval = (uint64_t)(unsigned int)net->tcp->sysctl.probe_interval_s * NSEC_PER_SEC;

	if (net->now - tp->mtup_stamp >= interval)
		start_search(tp, tp->mss_base);
}

/**
 * tcp_mtup_probe_size() - is a probe due, and how large is it?
 * @tp:     connection that may send new text
 * @avail:  bytes of text that one segment could take
 *
 * Source:  RFC 4821 7.2 (size), 7.4 (preconditions)
 * Return:  bytes of text; 0 = no probe; -1 = one is due as soon as a window opens, which is worth waiting
 *          for: what is in flight will open it
 */
int tcp_mtup_probe_size(struct tcp_sock *tp, uint32_t avail)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	uint32_t mss = tcp_current_mss(tp), text, needed;

	if (!tp->mtup_enabled || tp->mtup_size || tp->ca_state != CA_OPEN || tp->num_rcv_sacks ||
	    tp->snd_cwnd < MIN_CWND_SEGMENTS * mss)
		return 0;
	if (tp->mtup_high - tp->mtup_low < MAX((uint32_t)sysctl->probe_threshold, 2U)) {
		maybe_search_again(tp);
		return 0;
	}
	text = (tp->mtup_low + tp->mtup_high) / 2 - HEADERS - tcp_established_optlen(tp);
	needed = text + (MAX(tp->reordering, 3U) + 1) * mss;
	if (text <= mss || text > avail || tp->write_seq - tp->snd_nxt < needed || tp->snd_wnd < needed ||
	    tp->snd_cwnd < needed)
		return 0;
	if (after(tp->snd_nxt + needed, tcp_wnd_end(tp)) || tcp_in_flight(tp) + needed > tp->snd_cwnd)
		return tcp_in_flight(tp) ? -1 : 0;
	return (int)text;
}

/**
 * tcp_mtup_sent() - a probe has left
 * @tp:    connection; snd_nxt is behind it
 * @text:  its bytes of text
 */
void tcp_mtup_sent(struct tcp_sock *tp, uint32_t text)
{
	tp->mtup_size = text + tcp_established_optlen(tp) + HEADERS;
	tp->mtup_start = tp->snd_nxt - text;
	tp->mtup_end = tp->snd_nxt;
}

/**
 * tcp_mtup_acked() - snd_una has moved: did the probe arrive?
 * @tp:  connection
 *
 * Source:  RFC 4821 7.6.1
 */
void tcp_mtup_acked(struct tcp_sock *tp)
{
	if (!tp->mtup_size || before(tp->snd_una, tp->mtup_end))
		return;
	tp->mtup_low = tp->mtup_size;
	tp->mtup_size = 0;
	mib_inc(tcp_net(tp), MIB_TcpExtTCPMTUPSuccess);
	tcp_sync_mss(tp, tp->pmtu);
}

/**
 * tcp_mtup_lost() - the oldest text is lost: was it the probe?
 * @tp:  connection that would enter recovery
 *
 * Source:  RFC 4821 7.5, 7.6.2: then it says something about its size, and nothing about congestion
 * Return:  true: it was; its text goes again and the window stays
 */
bool tcp_mtup_lost(struct tcp_sock *tp)
{
	if (!tp->mtup_size || tp->snd_una != tp->mtup_start)
		return false;
	tp->mtup_high = tp->mtup_size - 1;
	tp->mtup_size = 0;
	mib_inc(tcp_net(tp), MIB_TcpExtTCPMTUPFail);
	tcp_resend_lost(tp);
	return true;
}
