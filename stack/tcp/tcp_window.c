/* SPDX-License-Identifier: MIT */
/*
 * The window we announce: what the receive buffer has room for, in steps that are worth a segment, and
 * never less than was announced before.
 *
 * Read first: RFC 9293 3.8.6, RFC 7323 2.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_initial_clamp() - the limit for a SYN's window and scale
 * @tp:  socket
 *
 * A buffer whose size the program has fixed will not grow: the scale need not be fit for more, as Linux.
 *
 * Return:  bytes; 0 = none
 */
uint32_t tcp_initial_clamp(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	uint32_t fixed = sock_flag(sk, SOCK_RCVBUF_LOCK) ? tcp_win_from_space(sk->net, sk->rcvbuf) : 0;

	if (fixed == 0 || (tp->window_clamp && tp->window_clamp < fixed))
		return tp->window_clamp;
	return fixed;
}

/**
 * tcp_select_initial_window() - window and scale for a SYN
 * @net:        namespace
 * @space:      receive buffer, bytes
 * @mss:        ours; the window is a multiple of it
 * @wscale_ok:  scaling may be used
 * @clamp:      tcp_initial_clamp()
 * @wnd:        result, <= 65535: a SYN's window is never scaled (RFC 7323 2.2)
 * @wscale:     result: fits the largest buffer that tuning may reach
 */
void tcp_select_initial_window(struct net *net, int space, uint32_t mss, bool wscale_ok,
			       uint32_t clamp, uint32_t *wnd, uint8_t *wscale)
{
	uint32_t win = tcp_win_from_space(net, space), largest;

	if (clamp)
		win = MIN(win, clamp);
	win = MIN(win, 65535U);
	if (win > mss && mss)
		win -= win % mss;
	*wnd = win;
	*wscale = 0;
	if (!wscale_ok)
		return;
	largest = (uint32_t)MAX(space, net->tcp->sysctl.rmem[2]);
	if (clamp)
		largest = MIN(largest, clamp);
	while (largest > 65535 && *wscale < TCP_MAX_WSCALE) {
		largest >>= 1;
		(*wscale)++;
	}
}

/**
 * tcp_receive_window() - what is left of the largest window that has been announced
 * @tp:  connection
 *
 * Source:  RFC 7323 2.4 (1), (2): what any ACK of ours had room for is in the window
 */
uint32_t tcp_receive_window(const struct tcp_sock *tp)
{
	int32_t left = (int32_t)(tp->rcv_wup + tp->rcv_wnd + tp->rcv_wnd_more - tp->rcv_nxt);

	return left > 0 ? (uint32_t)left : 0;
}

/* Without scaling: multiples of the peer's segment, moved only by as much (Clark's algorithm). */
static uint32_t unscaled_window(const struct tcp_sock *tp, uint32_t free_space, uint32_t full,
				uint32_t mss)
{
	uint32_t win = tp->rcv_wnd;

	if (win + mss <= free_space || win > free_space)
		return free_space - free_space % mss;
	if (mss == full && free_space > win + full / 2)
		return free_space;
	return win;
}

/**
 * tcp_free_window() - the window that our buffer has room for
 * @tp:  connection
 *
 * Source:  RFC 9293 3.8.6.2.2: grow by at least a segment or half the buffer; else announce zero
 */
uint32_t tcp_free_window(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	uint32_t allowed = tcp_win_from_space(sk->net, sk->rcvbuf);
	uint32_t full = tp->window_clamp ? MIN(allowed, tp->window_clamp) : allowed;
	uint32_t space = tcp_win_from_space(sk->net, sk->rcvbuf - (int64_t)tcp_rmem_used(tp));
	uint32_t mss = MIN(tp->ack.rcv_mss, full), unit = 1U << tp->rcv_wscale;

	if (mss == 0)
		return 0;
	if (space < full / 2) {
		space -= space % unit;
		if (space < allowed / 16 || space < mss)
			return 0;
		if (tcp_under_pressure(sk->net))
			space = MIN(space, 4U * tp->advmss); /* as Linux */
	}
	space = MIN(space, full);
	if (tp->rcv_ssthresh)
		space = MIN(space, tp->rcv_ssthresh);
	if (tp->rcv_wscale)
		return (space + unit - 1) / unit * unit;
	return unscaled_window(tp, space, full, mss);
}

/*
 * @old bytes were promised, which the scale cannot say: a little more as long as the buffer has room for it,
 * as Linux; else a little less, or the edge would creep beyond the buffer with small segments.
 */
static uint32_t promise_in_units(const struct tcp_sock *tp, uint32_t old)
{
	uint32_t unit = 1U << tp->rcv_wscale, more = (old + unit - 1) / unit * unit;

	if (more > old && (int64_t)tcp_rmem_used(tp) + more > tp->inet.sk.rcvbuf)
		return old / unit * unit;
	return more;
}

/**
 * tcp_select_window() - decide on the window to announce in a segment that leaves now
 * @tp:  connection; rcv_wnd, rcv_wup and rcv_wnd_more are moved
 *
 * Source:  RFC 9293 3.8.6: never shrink; by less than what the scale can say: RFC 7323 2.4
 * Return:  bytes, representable in 16 bits after scaling
 */
uint32_t tcp_select_window(struct tcp_sock *tp)
{
	uint32_t old = tcp_receive_window(tp), win = tcp_free_window(tp);
	struct net *net = tcp_net(tp);

	if (win < old) {
		if (win == 0)
			mib_inc(net, MIB_TcpExtTCPWantZeroWindowAdv);
		win = promise_in_units(tp, old);
	}
	win = MIN(win, 65535U << tp->rcv_wscale);
	if (win == 0 && tp->rcv_wnd)
		mib_inc(net, MIB_TcpExtTCPToZeroWindowAdv);
	else if (win && tp->rcv_wnd == 0)
		mib_inc(net, MIB_TcpExtTCPFromZeroWindowAdv);
	tp->rcv_wnd = win;
	tp->rcv_wnd_more = old > win ? old - win : 0;
	tp->rcv_wup = tp->rcv_nxt;
	return win;
}
