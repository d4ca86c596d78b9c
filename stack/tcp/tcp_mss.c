/* SPDX-License-Identifier: MIT */
/*
 * Sizes of segments: what the path and the peer take, what a SYN announces, how much one transmission
 * holds.
 *
 * Read first: RFC 9293 3.7.1, RFC 6691.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_route_mtu() - path MTU of the connection now, renewing a stale route
 * @tp:  connection
 *
 * Return:  bytes of an IP packet; 0 when there is no route
 */
uint32_t tcp_route_mtu(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet;

	if (!dst_check(tcp_net(tp), &inet->dst) && inet_route(inet, &inet->daddr) < 0)
		return 0;
	return inet->dst.mtu;
}

/**
 * tcp_advertised_mss() - the MSS option for our SYN
 * @inet:      route in inet->dst
 * @user_mss:  TCP_MAXSEG, 0 = none
 *
 * Source:  RFC 9293 3.7.1: effective receive MTU less 40; MSS does not count options (RFC 6691)
 */
uint16_t tcp_advertised_mss(struct inet_sock *inet, uint32_t user_mss)
{
	uint32_t mtu = inet->dst.dev ? MIN(inet->dst.dev->mtu, 65535U) : 576;
	uint32_t mss = MAX(mtu, IPV4_HLEN + TCP_HLEN + TCP_MIN_SND_MSS) - IPV4_HLEN - TCP_HLEN;

	return (uint16_t)(user_mss ? MIN(user_mss, mss) : mss);
}

/**
 * tcp_sync_mss() - fit the segment size to a path MTU
 * @tp:    connection; mss_clamp and max_window are known
 * @pmtu:  bytes of an IP packet
 *
 * The size includes options (RFC 9293 3.7.1: Eff.snd.MSS less the options of the segment at hand). It
 * is kept below half the peer's largest window, so that a small-window peer is never stalled by a
 * delayed ACK (as Linux).
 */
void tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu)
{
	uint32_t mss = MAX(pmtu, IPV4_HLEN + TCP_HLEN + TCP_MIN_SND_MSS) - IPV4_HLEN - TCP_HLEN;
	uint32_t half = tp->max_window > TCP_MSS_DEFAULT_V4 ? tp->max_window / 2 : tp->max_window;

	mss = MIN(mss, tp->mss_clamp);
	if (half && mss > half)
		mss = half;
	mss = tcp_mtup_limit(tp, mss, pmtu);
	tp->mss_base = MAX(mss, TCP_MIN_SND_MSS);
	tp->pmtu = pmtu;
}

/**
 * tcp_current_mss() - bytes of text in the next full segment
 * @tp:  connection
 */
uint32_t tcp_current_mss(const struct tcp_sock *tp)
{
	return MAX(tp->mss_base, tcp_established_optlen(tp) + 8) - tcp_established_optlen(tp);
}

/**
 * tcp_size_goal() - bytes of text in the largest transmission: whole segments, as the device takes
 * @tp:  connection
 *
 * Write-queue buffers are made this large, so that one transmission takes all of one.
 */
uint32_t tcp_size_goal(const struct tcp_sock *tp)
{
	const struct net_device *dev = tp->inet.dst.dev;
	uint32_t mss = tcp_current_mss(tp), max = TCP_GSO_MAX_PAYLOAD;

	if (!dev || !(dev->features & NETIF_F_TSO))
		return mss;
	if (dev->gso_max_size)
		max = MIN(max, dev->gso_max_size);
	max -= MIN(max, IPV4_HLEN + TCP_MAX_HLEN);
	return MAX(max / mss, 1U) * mss;
}
