/* SPDX-License-Identifier: MIT */
/*
 * "bbr" (draft-cardwell-iccrg-bbr-congestion-control-00): sends at the rate that the path delivers.
 *
 * The model has two numbers: BtlBw, the largest delivery rate of the last ten round trips, and RTprop,
 * the smallest round-trip time of the last ten seconds. What is sent follows from them: at pacing_gain
 * times BtlBw, with at most cwnd_gain times BtlBw * RTprop in flight. Losses hardly matter.
 *
 *   STARTUP --- BtlBw has stopped growing ---> DRAIN --- the queue is empty ---> PROBE_BW
 *   (2.885)                                    (0.35)                           (1.25 0.75 1 1 1 1 1 1)
 *      ^                                                                           |      ^
 *      '---- the pipe was never full ----  PROBE_RTT <--- RTprop is 10 s old ------'      |
 *                                          (4 segments for 200 ms) ----------------------'
 *
 * A walk: tcp_ack.c has the rate sample of an ACK (tcp_rate.c) -> cong_control: the model, the state
 * machine, pacing rate and window -> tcp_pacing.c.
 *
 * Two things come from Linux's later version 1: the window covers ACKs that come in bursts (ACK
 * aggregation), and two intervals of heavy loss at the same rate are taken for a policer, whose rate is
 * kept for 48 round trips ("long-term sampling").
 *
 * Windows count bytes, rates bytes a second, gains 256ths, section numbers are the draft's.
 */
#include <linux/inet_diag.h>

#include "stack/tcp/tcp.h"

#define UNIT            256U
#define HIGH_GAIN       739U  /* 2 / ln 2 (4.3.2.1) */
#define DRAIN_GAIN      88U   /* its inverse (4.3.3) */
#define CWND_GAIN       512U  /* 4.2.3.1 */
#define BW_WINDOW       10U   /* round trips (4.1.1.3) */
#define MIN_RTT_WINDOW  (10 * NSEC_PER_SEC) /* 4.1.2.3 */
#define PROBE_RTT_TIME  (200 * NSEC_PER_MSEC)
#define FULL_BW_GROWTH  320U  /* 1.25: still growing (4.3.2.2) */
#define FULL_BW_ROUNDS  3U
#define MIN_CWND_SEGS   4U    /* 4.2.3.1 */
#define CYCLE_LEN       8U
#define PACING_MARGIN   99U   /* per cent of the rate, so that no queue builds up (as Linux) */
#define LOW_RATE        150000U /* below 1.2 Mbit/s transmissions are single segments (4.2.2) */

/* ACK aggregation and policers, as Linux. */
#define EXTRA_WIN_ROUNDS 5U
#define EXTRA_MAX_US     100000U
#define EXTRA_RESET_SEGS (1U << 20)
#define LT_MIN_ROUNDS    4U
#define LT_LOSS_THRESH   50U  /* 256ths of what was delivered */
#define LT_BW_RATIO      32U  /* 256ths: two rates are the same */
#define LT_BW_DIFF       500U /* bytes a second: ... or so */
#define LT_MAX_ROUNDS    48U

enum bbr_mode { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

struct bbr {
	struct win_filter bw;          /* BtlBwFilter, by round */
	uint64_t next_rtt_delivered;   /* delivered_bytes that end the round */
	uint64_t full_bw;
	uint64_t lt_bw, lt_last_delivered, lt_last_lost;
	uint64_t ack_epoch_acked;
	ktime_t min_rtt_stamp, probe_rtt_done, cycle_start, lt_last, ack_epoch;
	uint32_t min_rtt_us;           /* RTprop; UINT32_MAX = none yet */
	uint32_t round;
	uint32_t prior_cwnd;
	uint32_t extra_acked[2];       /* bytes above what BtlBw explains: this window's and the last one's */
	uint16_t pacing_gain, cwnd_gain;
	uint8_t mode, cycle_idx, prev_ca_state, full_bw_rounds;
	uint8_t lt_rounds, extra_rounds, extra_idx;
	bool round_start, filled_pipe, idle_restart, packet_conservation, probe_rtt_round_done;
	bool lt_is_sampling, lt_use_bw, has_seen_rtt;
};

static struct bbr *bbr(const struct tcp_sock *tp)
{
	_Static_assert(sizeof(struct bbr) <= sizeof(tp->ca_priv), "ca_priv is too small");
	return (struct bbr *)(uintptr_t)tp->ca_priv;
}

static ktime_t now_of(const struct tcp_sock *tp)
{
	return tcp_net(tp)->now;
}

/* ---- what follows from the model (4.2) ------------------------------------------------------- */

static uint64_t max_bw(const struct bbr *b)
{
	return win_filter_greatest(&b->bw);
}

static uint64_t bw_now(const struct bbr *b)
{
	return b->lt_use_bw ? b->lt_bw : max_bw(b);
}

static uint64_t rate_for(uint64_t bw, uint32_t gain)
{
	return bw * gain / UNIT * PACING_MARGIN / 100;
}

/* 4.2.1: until the pipe has been filled the rate only grows. */
static void set_pacing_rate(struct tcp_sock *tp, uint64_t bw, uint32_t gain)
{
	uint64_t rate = rate_for(bw, gain);

	if (!bbr(tp)->has_seen_rtt && tp->srtt_us) {
		bbr(tp)->has_seen_rtt = true;
		tp->pacing_rate = MAX(rate_for((uint64_t)tp->snd_cwnd * USEC_PER_SEC / tp->srtt_us,
					       HIGH_GAIN), 1ULL);
	}
	if (bbr(tp)->filled_pipe || rate > tp->pacing_rate)
		tp->pacing_rate = MAX(rate, 1ULL);
}

/* 4.2.2 */
static uint32_t bbr_min_tso_segs(struct tcp_sock *tp)
{
	return tcp_pacing_rate(tp) < LOW_RATE ? 1 : 2;
}

static uint32_t tso_goal(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), segs = (uint32_t)MIN((tcp_pacing_rate(tp) >> 10) / mss, 127ULL);

	return MAX(segs, bbr_min_tso_segs(tp)) * mss;
}

/* 4.2.3.1: gain * BtlBw * RTprop; the initial window while nothing is known. */
static uint32_t bdp(const struct tcp_sock *tp, uint64_t bw, uint32_t gain)
{
	const struct bbr *b = bbr(tp);
	uint64_t bytes;

	if (b->min_rtt_us == UINT32_MAX)
		return TCP_INIT_CWND * tcp_current_mss(tp);
	bytes = bw * b->min_rtt_us / USEC_PER_SEC * gain / UNIT;
	return (uint32_t)MIN(bytes, 1ULL << 30);
}

/* Room for what waits on both sides for a whole transmission, and for the ACK of the last. */
static uint32_t with_quanta(struct tcp_sock *tp, uint32_t cwnd)
{
	const struct bbr *b = bbr(tp);
	uint32_t mss = tcp_current_mss(tp);

	cwnd += 3 * tso_goal(tp);
	cwnd = (cwnd + 2 * mss - 1) / (2 * mss) * (2 * mss);
	if (b->mode == PROBE_BW && b->cycle_idx == 0)
		cwnd += 2 * mss;
	return cwnd;
}

static uint32_t inflight_for(struct tcp_sock *tp, uint64_t bw, uint32_t gain)
{
	return with_quanta(tp, bdp(tp, bw, gain));
}

/* What will be in flight when the next transmission is due, of @inflight now. */
static uint32_t in_net_at_departure(struct tcp_sock *tp, uint32_t inflight)
{
	ktime_t now = now_of(tp), due = MAX(tp->pacing_at, now);
	uint64_t delivered = bw_now(bbr(tp)) * MIN(due - now, NSEC_PER_SEC) / NSEC_PER_SEC;

	if (bbr(tp)->pacing_gain > UNIT)
		inflight += tso_goal(tp);
	return delivered >= inflight ? 0 : inflight - (uint32_t)delivered;
}

/* ---- policers -------------------------------------------------------------------------------- */

static void lt_start_interval(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	b->lt_last = now_of(tp);
	b->lt_last_delivered = tp->delivered_bytes;
	b->lt_last_lost = tp->lost_total;
	b->lt_rounds = 0;
}

static void lt_reset(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	b->lt_bw = 0;
	b->lt_use_bw = false;
	b->lt_is_sampling = false;
	lt_start_interval(tp);
}

/* Two intervals in a row with heavy loss at the same rate: that is a policer's. */
static void lt_interval_done(struct tcp_sock *tp, uint64_t bw)
{
	struct bbr *b = bbr(tp);
	uint64_t diff = bw > b->lt_bw ? bw - b->lt_bw : b->lt_bw - bw;

	if (b->lt_bw && (diff * UNIT <= LT_BW_RATIO * b->lt_bw || diff <= LT_BW_DIFF)) {
		b->lt_bw = (bw + b->lt_bw) / 2;
		b->lt_use_bw = true;
		b->pacing_gain = UNIT;
		b->lt_rounds = 0;
		return;
	}
	b->lt_bw = bw;
	lt_start_interval(tp);
}

static void enter_probe_bw(struct tcp_sock *tp);

/* Does the interval under way go on? It must not be app-limited, nor too short or too long. */
static bool lt_in_interval(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);

	if (rs->is_app_limited) {
		lt_reset(tp);
		return false;
	}
	if (b->round_start)
		b->lt_rounds++;
	if (b->lt_rounds > 4 * LT_MIN_ROUNDS) {
		lt_reset(tp);
		return false;
	}
	return b->lt_rounds >= LT_MIN_ROUNDS && rs->losses;
}

static void lt_sampling(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	uint64_t lost, delivered, us;

	if (b->lt_use_bw) {
		if (b->mode == PROBE_BW && b->round_start && ++b->lt_rounds >= LT_MAX_ROUNDS) {
			lt_reset(tp);
			enter_probe_bw(tp);
		}
		return;
	}
	if (!b->lt_is_sampling) {
		if (!rs->losses)
			return;
		lt_start_interval(tp);
		b->lt_is_sampling = true;
	}
	if (!lt_in_interval(tp, rs))
		return;
	lost = tp->lost_total - b->lt_last_lost;
	delivered = tp->delivered_bytes - b->lt_last_delivered;
	us = (now_of(tp) - b->lt_last) / NSEC_PER_USEC;
	if (!delivered || lost * UNIT < LT_LOSS_THRESH * delivered || us < 1000)
		return;
	lt_interval_done(tp, delivered * USEC_PER_SEC / us);
}

/* ---- the model (4.1) ------------------------------------------------------------------------- */

static bool no_sample(const struct tcp_rate_sample *rs)
{
	return rs->interval_us <= 0;
}

/* 4.1.1.3: rounds and BtlBw. */
static void update_bw(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	uint64_t bw;

	b->round_start = false;
	if (no_sample(rs))
		return;
	if (rs->prior_delivered >= b->next_rtt_delivered) {
		b->next_rtt_delivered = tp->delivered_bytes;
		b->round++;
		b->round_start = true;
		b->packet_conservation = false;
	}
	lt_sampling(tp, rs);
	bw = rs->delivered * USEC_PER_SEC / (uint64_t)rs->interval_us;
	/* A sample that the program limited says only that the path can do at least that. */
	if (!rs->is_app_limited || bw >= max_bw(b))
		win_filter_max(&b->bw, BW_WINDOW, b->round, bw);
}

/* How much more than BtlBw explains is acknowledged at once? */
static void update_ack_aggregation(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	uint64_t expected, limit = (uint64_t)EXTRA_RESET_SEGS * tcp_current_mss(tp);
	uint32_t extra;

	if (rs->acked_sacked == 0 || no_sample(rs))
		return;
	if (b->round_start && ++b->extra_rounds >= EXTRA_WIN_ROUNDS) {
		b->extra_rounds = 0;
		b->extra_idx ^= 1;
		b->extra_acked[b->extra_idx] = 0;
	}
	expected = bw_now(b) * MIN((tp->delivered_time - b->ack_epoch) / NSEC_PER_USEC,
				   100ULL * USEC_PER_SEC) / USEC_PER_SEC;
	if (b->ack_epoch_acked <= expected || b->ack_epoch_acked + rs->acked_sacked >= limit) {
		b->ack_epoch_acked = 0;
		b->ack_epoch = tp->delivered_time;
		expected = 0;
	}
	b->ack_epoch_acked += rs->acked_sacked;
	if (b->ack_epoch_acked <= expected)
		return;
	extra = (uint32_t)MIN(b->ack_epoch_acked - expected, (uint64_t)tp->snd_cwnd);
	b->extra_acked[b->extra_idx] = MAX(b->extra_acked[b->extra_idx], extra);
}

static uint32_t aggregation_bytes(const struct bbr *b)
{
	if (!b->filled_pipe)
		return 0;
	return (uint32_t)MIN((uint64_t)MAX(b->extra_acked[0], b->extra_acked[1]),
			     bw_now(b) * EXTRA_MAX_US / USEC_PER_SEC);
}

/* ---- the state machine (4.3) ----------------------------------------------------------------- */

static uint16_t gain_of_phase(const struct bbr *b)
{
	static const uint16_t gain[CYCLE_LEN] = { UNIT * 5 / 4, UNIT * 3 / 4, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT };

	return b->lt_use_bw ? UNIT : gain[b->cycle_idx];
}

static void update_gains(struct bbr *b)
{
	switch (b->mode) {
	case STARTUP:
		b->pacing_gain = b->cwnd_gain = HIGH_GAIN;
		break;
	case DRAIN: /* 4.3.3: slow pacing, the window stays open */
		b->pacing_gain = DRAIN_GAIN;
		b->cwnd_gain = HIGH_GAIN;
		break;
	case PROBE_BW:
		b->pacing_gain = gain_of_phase(b);
		b->cwnd_gain = CWND_GAIN;
		break;
	default:
		b->pacing_gain = b->cwnd_gain = UNIT;
		break;
	}
}

static void next_phase(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	b->cycle_idx = (uint8_t)((b->cycle_idx + 1) % CYCLE_LEN);
	b->cycle_start = now_of(tp);
}

/* 4.3.4.3: in any phase but that of 0.75, so that flows do not go in step. */
static void enter_probe_bw(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	b->mode = PROBE_BW;
	b->cycle_idx = (uint8_t)((CYCLE_LEN - 1 - random_below(&tcp_net(tp)->random, CYCLE_LEN - 1)) %
				 CYCLE_LEN);
	next_phase(tp);
}

/* 4.3.4.3: a phase lasts RTprop; probing until the flight shows it, draining until it has worked. */
static void update_cycle(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	bool long_enough = now_of(tp) - b->cycle_start > b->min_rtt_us * NSEC_PER_USEC, next;
	uint32_t inflight;

	if (b->mode != PROBE_BW)
		return;
	inflight = in_net_at_departure(tp, rs->prior_in_flight);
	if (b->pacing_gain > UNIT)
		next = long_enough &&
		       (rs->losses || inflight >= inflight_for(tp, max_bw(b), b->pacing_gain));
	else if (b->pacing_gain < UNIT)
		next = long_enough || inflight <= inflight_for(tp, max_bw(b), UNIT);
	else
		next = long_enough;
	if (next)
		next_phase(tp);
}

/* 4.3.2.2: three rounds without a quarter more. */
static void check_full_pipe(struct bbr *b, const struct tcp_rate_sample *rs)
{
	if (b->filled_pipe || !b->round_start || rs->is_app_limited)
		return;
	if (max_bw(b) >= b->full_bw * FULL_BW_GROWTH / UNIT) {
		b->full_bw = max_bw(b);
		b->full_bw_rounds = 0;
		return;
	}
	b->filled_pipe = ++b->full_bw_rounds >= FULL_BW_ROUNDS;
}

/* 4.3.3 */
static void check_drain(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	if (b->mode == STARTUP && b->filled_pipe) {
		b->mode = DRAIN;
		tp->snd_ssthresh = inflight_for(tp, max_bw(b), UNIT);
	}
	if (b->mode == DRAIN &&
	    in_net_at_departure(tp, tcp_pipe(tp)) <= inflight_for(tp, max_bw(b), UNIT))
		enter_probe_bw(tp);
}

static void save_cwnd(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	if (b->prev_ca_state < CA_RECOVERY && b->mode != PROBE_RTT)
		b->prior_cwnd = tp->snd_cwnd;
	else
		b->prior_cwnd = MAX(b->prior_cwnd, tp->snd_cwnd);
}

static void check_probe_rtt_done(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	if (!b->probe_rtt_done || now_of(tp) <= b->probe_rtt_done)
		return;
	b->min_rtt_stamp = now_of(tp);
	tp->snd_cwnd = MAX(tp->snd_cwnd, b->prior_cwnd);
	if (b->filled_pipe)
		enter_probe_bw(tp);
	else
		b->mode = STARTUP;
}

/* 4.3.5: four segments in flight, for 200 ms and a round trip. */
static void probe_rtt(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);
	uint32_t inflight = tcp_pipe(tp);

	/* What is measured now is not what the path can do. */
	tp->app_limited = MAX(tp->delivered_bytes + inflight, 1ULL);
	if (!b->probe_rtt_done && inflight <= MIN_CWND_SEGS * tcp_current_mss(tp)) {
		b->probe_rtt_done = now_of(tp) + PROBE_RTT_TIME;
		b->probe_rtt_round_done = false;
		b->next_rtt_delivered = tp->delivered_bytes;
	} else if (b->probe_rtt_done) {
		b->probe_rtt_round_done |= b->round_start;
		if (b->probe_rtt_round_done)
			check_probe_rtt_done(tp);
	}
}

/* 4.1.2.3 */
static void update_min_rtt(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	bool expired = now_of(tp) > b->min_rtt_stamp + MIN_RTT_WINDOW;

	if (rs->rtt_us >= 0 && ((uint32_t)rs->rtt_us < b->min_rtt_us || (expired && !rs->is_ack_delayed))) {
		b->min_rtt_us = MAX((uint32_t)rs->rtt_us, 1U);
		b->min_rtt_stamp = now_of(tp);
	}
	if (expired && !b->idle_restart && b->mode != PROBE_RTT) {
		save_cwnd(tp);
		b->mode = PROBE_RTT;
		b->probe_rtt_done = 0;
	}
	if (b->mode == PROBE_RTT)
		probe_rtt(tp);
	if (!no_sample(rs))
		b->idle_restart = false;
}

/* ---- the window (4.2.3) ---------------------------------------------------------------------- */

/*
 * 4.2.3.3: in the first round of a recovery what is delivered is sent, no more; at its end the window is
 * what it was. True: @cwnd is final.
 */
static bool recover_or_restore(struct tcp_sock *tp, const struct tcp_rate_sample *rs, uint32_t *cwnd)
{
	struct bbr *b = bbr(tp);
	uint32_t mss = tcp_current_mss(tp), pipe = tcp_pipe(tp);

	if (rs->losses)
		*cwnd = MAX(*cwnd - MIN(rs->losses, *cwnd), mss);
	if (tp->ca_state == CA_RECOVERY && b->prev_ca_state != CA_RECOVERY) {
		b->packet_conservation = true;
		b->next_rtt_delivered = tp->delivered_bytes;
		*cwnd = pipe + rs->acked_sacked;
	} else if (b->prev_ca_state >= CA_RECOVERY && tp->ca_state < CA_RECOVERY) {
		*cwnd = MAX(*cwnd, b->prior_cwnd);
		b->packet_conservation = false;
	}
	b->prev_ca_state = tp->ca_state;
	if (b->packet_conservation)
		*cwnd = MAX(*cwnd, pipe + rs->acked_sacked);
	return b->packet_conservation;
}

static void set_cwnd(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);
	uint32_t mss = tcp_current_mss(tp), cwnd = tp->snd_cwnd, target;

	if (rs->acked_sacked && !recover_or_restore(tp, rs, &cwnd)) {
		target = with_quanta(tp, bdp(tp, bw_now(b), b->cwnd_gain) + aggregation_bytes(b));
		if (b->filled_pipe)
			cwnd = MIN(cwnd + rs->acked_sacked, target);
		else if (cwnd < target || tp->delivered_bytes < TCP_INIT_CWND * mss)
			cwnd += rs->acked_sacked;
		cwnd = MAX(cwnd, MIN_CWND_SEGS * mss);
	}
	tp->snd_cwnd = MIN(cwnd, 1U << 30);
	if (b->mode == PROBE_RTT)
		tp->snd_cwnd = MIN(tp->snd_cwnd, MIN_CWND_SEGS * mss);
}

/* ---- what TCP calls -------------------------------------------------------------------------- */

static void bbr_cong_control(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct bbr *b = bbr(tp);

	update_bw(tp, rs);
	update_ack_aggregation(tp, rs);
	update_cycle(tp, rs);
	check_full_pipe(b, rs);
	check_drain(tp);
	update_min_rtt(tp, rs);
	update_gains(b);
	set_pacing_rate(tp, bw_now(b), b->pacing_gain);
	set_cwnd(tp, rs);
}

/* 4.2.1: before the first sample the rate is the initial window in the handshake's round trip, or 1 ms. */
static void bbr_init(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);
	uint32_t rtt = tp->srtt_us ? tp->srtt_us : 1000;

	b->min_rtt_us = tp->min_rtt_us;
	b->min_rtt_stamp = b->ack_epoch = b->cycle_start = now_of(tp);
	b->next_rtt_delivered = tp->delivered_bytes;
	b->has_seen_rtt = tp->srtt_us;
	b->mode = STARTUP;
	update_gains(b);
	lt_reset(tp);
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->pacing_rate = MAX(rate_for((uint64_t)tp->snd_cwnd * USEC_PER_SEC / rtt, HIGH_GAIN), 1ULL);
	tp->ca_paces = true;
}

static void bbr_cwnd_event(struct tcp_sock *tp, enum tcp_ca_event ev)
{
	struct bbr *b = bbr(tp);

	if (ev != CA_EVENT_TX_START || !tp->app_limited)
		return;
	b->idle_restart = true;
	b->ack_epoch = now_of(tp);
	b->ack_epoch_acked = 0;
	if (b->mode == PROBE_BW) /* 4.3.4.4: after silence at BtlBw, not faster */
		set_pacing_rate(tp, bw_now(b), UNIT);
	else if (b->mode == PROBE_RTT)
		check_probe_rtt_done(tp);
}

/* Nothing is taken off here; set_cwnd() remembers. */
static uint32_t bbr_ssthresh(struct tcp_sock *tp)
{
	save_cwnd(tp);
	return tp->snd_ssthresh;
}

static uint32_t bbr_undo_cwnd(struct tcp_sock *tp)
{
	struct bbr *b = bbr(tp);

	b->full_bw = 0; /* the growth that was missed may have been hidden by the mistake */
	b->full_bw_rounds = 0;
	lt_reset(tp);
	return tp->snd_cwnd;
}

static void bbr_set_state(struct tcp_sock *tp, uint8_t new_state)
{
	const struct tcp_rate_sample rs = { .losses = 1 };
	struct bbr *b = bbr(tp);

	if (new_state != CA_LOSS)
		return;
	b->prev_ca_state = CA_LOSS;
	b->full_bw = 0;
	b->round_start = true; /* a timeout is longer than a round trip */
	lt_sampling(tp, &rs);
}

/* Three windows: what BBR has in flight may be twice the BDP. */
static uint32_t bbr_sndbuf_expand(struct tcp_sock *tp)
{
	(void)tp;
	return 3;
}

static size_t bbr_get_info(const struct tcp_sock *tp, int *attr, union tcp_cc_info *info)
{
	const struct bbr *b = bbr(tp);
	uint64_t bw = bw_now(b);

	memset(&info->bbr, 0, sizeof(info->bbr));
	info->bbr.bbr_bw_lo = (uint32_t)bw;
	info->bbr.bbr_bw_hi = (uint32_t)(bw >> 32);
	info->bbr.bbr_min_rtt = b->min_rtt_us;
	info->bbr.bbr_pacing_gain = b->pacing_gain;
	info->bbr.bbr_cwnd_gain = b->cwnd_gain;
	*attr = INET_DIAG_BBRINFO;
	return sizeof(info->bbr);
}

const struct tcp_congestion_ops tcp_bbr = {
	.name = "bbr",
	.flags = TCP_CONG_NON_RESTRICTED,
	.init = bbr_init,
	.cong_control = bbr_cong_control,
	.ssthresh = bbr_ssthresh,
	.undo_cwnd = bbr_undo_cwnd,
	.set_state = bbr_set_state,
	.cwnd_event = bbr_cwnd_event,
	.sndbuf_expand = bbr_sndbuf_expand,
	.min_tso_segs = bbr_min_tso_segs,
	.get_info = bbr_get_info,
};
