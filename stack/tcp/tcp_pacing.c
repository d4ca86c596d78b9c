/* SPDX-License-Identifier: MIT */
/*
 * Pacing: text leaves evenly over the round trip rather than in the bursts in which ACKs come.
 *
 * Each connection has a pacing rate. BBR rules over its own; for the others it follows from window and
 * round-trip time, a little above their quotient, so that it is the window that limits. The rate always
 * sizes transmissions (about a millisecond's worth, tcp_tso_goal()), but only a connection that asked
 * for it is held to it: by its algorithm or by SO_MAX_PACING_RATE.
 *
 *   tcp_pacing_check()  before each transmission of text: now, or not until pacing_at (arms the timer)
 *   tcp_pacing_sent()   after it: pacing_at moves by the time that it takes at the rate
 *   timer TCPT_PACE     tcp_output() again
 *
 * The rates, sizes and the credit for timers that fire late are those of Linux, so that a flow of ours
 * looks as one of Linux with internal pacing.
 */
#include "stack/tcp/tcp.h"

#define UNLIMITED       UINT64_MAX
#define PACING_SHIFT    10U  /* 1/1024 s worth in one transmission (sk_pacing_shift) */
#define UNPACED_SEGS    10U  /* the initial window leaves at once */

/**
 * tcp_needs_pacing() - is the connection held to its rate?
 * @tp:  connection
 */
bool tcp_needs_pacing(const struct tcp_sock *tp)
{
	return tp->ca_paces || tp->inet.sk.max_pacing_rate != UNLIMITED;
}

/**
 * tcp_pacing_rate() - bytes a second
 * @tp:  connection
 *
 * Return:  UINT64_MAX before the first round-trip time is known
 */
uint64_t tcp_pacing_rate(const struct tcp_sock *tp)
{
	return MIN(tp->pacing_rate ? tp->pacing_rate : UNLIMITED, tp->inet.sk.max_pacing_rate);
}

/**
 * tcp_update_pacing_rate() - the rate that follows from window and round-trip time
 * @tp:  connection whose algorithm does not set the rate itself
 *
 * By default twice what the window gives while it doubles each round trip, so that pacing does not hold slow
 * start back; then a fifth more.
 */
void tcp_update_pacing_rate(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	uint64_t cwnd = MAX(tp->snd_cwnd, tcp_in_flight(tp));
	uint32_t ratio = (uint32_t)(tp->snd_cwnd < tp->snd_ssthresh / 2 ? sysctl->pacing_ss_ratio
									: sysctl->pacing_ca_ratio);

	if (tp->srtt_us)
		tp->pacing_rate = MAX(cwnd * USEC_PER_SEC / tp->srtt_us * ratio / 100, 1ULL);
}

/**
 * tcp_tso_goal() - bytes of the next transmission: a millisecond's worth, and more on a short path
 * @tp:   connection
 * @max:  largest transmission that the device takes, whole segments
 * @mss:  segment
 *
 * Return:  whole segments, between one and @max
 */
uint32_t tcp_tso_goal(const struct tcp_sock *tp, uint32_t max, uint32_t mss)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	uint64_t bytes = tcp_pacing_rate(tp) >> PACING_SHIFT;
	uint32_t halvings = tp->min_rtt_us >> MIN(sysctl->tso_rtt_log, 31), segs;

	if (sysctl->tso_rtt_log && halvings < 32)
		bytes += TCP_GSO_MAX_PAYLOAD >> halvings;
	if (bytes >= max)
		return max;
	segs = tp->ca->min_tso_segs ? tp->ca->min_tso_segs((struct tcp_sock *)(uintptr_t)tp)
				    : (uint32_t)sysctl->min_tso_segs;
	return MIN(MAX((uint32_t)bytes / mss, segs) * mss, max);
}

/**
 * tcp_pacing_check() - must text wait for its time?
 * @tp:  connection
 *
 * Return:  true = not now; the timer is armed
 */
bool tcp_pacing_check(struct tcp_sock *tp)
{
	if (tp->pacing_at <= tcp_net(tp)->now || !tcp_needs_pacing(tp))
		return false;
	if (!tcp_armed(tp, TCPT_PACE))
		mod_timer(&tp->timers[TCPT_PACE].timer, tp->pacing_at);
	return true;
}

/**
 * tcp_pacing_sent() - text has left: when may the next leave?
 * @tp:   connection
 * @len:  bytes
 *
 * A timer that fired late is made up for, up to half of the interval. A rate of 0 is none, as on Linux.
 */
void tcp_pacing_sent(struct tcp_sock *tp, uint32_t len)
{
	ktime_t now = tcp_net(tp)->now, due = tp->pacing_at;
	uint64_t rate = tcp_pacing_rate(tp), wait;

	tp->pacing_at = MAX(due, now);
	if (!tcp_needs_pacing(tp) || rate == 0 || rate == UNLIMITED ||
	    tp->data_segs_out < UNPACED_SEGS)
		return;
	wait = len * NSEC_PER_SEC / rate;
	wait -= MIN(wait / 2, tp->pacing_at - due);
	tp->pacing_at += wait;
}

/* ---- what holds the connection back (tcpi_busy_time and its parts) ---------------------------- */

static enum tcp_chrono chrono_now(const struct tcp_sock *tp)
{
	uint32_t unsent = tcp_unsent(tp), wnd;

	if (!unsent) {
		if (!tcp_in_flight(tp))
			return TCP_CHRONO_IDLE;
		return !tp->cwnd_limited && !tcp_stream_writeable(tp) ? TCP_CHRONO_SNDBUF_LIMITED
								       : TCP_CHRONO_BUSY;
	}
	wnd = after(tcp_wnd_end(tp), tp->snd_nxt) ? tcp_wnd_end(tp) - tp->snd_nxt : 0;
	return wnd < MIN(unsent, tcp_current_mss(tp)) ? TCP_CHRONO_RWND_LIMITED : TCP_CHRONO_BUSY;
}

/**
 * tcp_chrono_update() - sending has come to its end for now: why?
 * @tp:  connection
 */
void tcp_chrono_update(struct tcp_sock *tp)
{
	enum tcp_chrono state = chrono_now(tp);

	if (state == tp->chrono)
		return;
	tp->chrono_ns[tp->chrono] += tcp_net(tp)->now - tp->chrono_start;
	tp->chrono_start = tcp_net(tp)->now;
	tp->chrono = (uint8_t)state;
}

/**
 * tcp_chrono_us() - time spent so
 * @tp:     connection
 * @state:  which
 *
 * Return:  microseconds, the current stretch included
 */
uint64_t tcp_chrono_us(const struct tcp_sock *tp, enum tcp_chrono state)
{
	uint64_t ns = tp->chrono_ns[state];

	if (tp->chrono == state)
		ns += tcp_net(tp)->now - tp->chrono_start;
	return ns / NSEC_PER_USEC;
}
