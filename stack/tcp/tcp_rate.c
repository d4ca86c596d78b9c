/* SPDX-License-Identifier: MIT */
/*
 * The rate of delivery (draft-cheng-iccrg-delivery-rate-estimation).
 *
 * Each transmission notes how much had been delivered by then; when it is delivered itself, what was
 * delivered in between over the time that took is a sample. The time is the longer one of the phase in
 * which the data was sent and the phase in which it was acknowledged, so that neither a burst of
 * sending nor a burst of ACKs makes the path look faster than it is.
 */
#include "stack/tcp/tcp.h"

/**
 * tcp_rate_sent() - a range leaves, for the first time or again
 * @tp:  connection; the counters do not hold this transmission yet
 * @s:   its record; xmit is set
 *
 * Source:  draft-cheng-iccrg-delivery-rate-estimation 3.2
 */
void tcp_rate_sent(struct tcp_sock *tp, struct tcp_sent *s)
{
	uint32_t pipe = tcp_pipe(tp);

	/* The sending phase of the first sample begins here, not in the silence before. */
	if (pipe == 0) {
		tp->first_tx_time = s->xmit;
		tp->delivered_time = s->xmit;
	}
	s->first_tx = tp->first_tx_time;
	s->delivered_time = tp->delivered_time;
	s->delivered = tp->delivered_bytes;
	s->delivered_ce = tp->delivered_ce_bytes;
	s->lost = tp->lost_total;
	s->app_limited = tp->app_limited != 0;
	s->tx_in_flight = pipe + (s->end - s->start);
}

/**
 * tcp_rate_check_app_limited() - the program is about to write: has sending run dry before?
 * @tp:  connection
 *
 * From here to what is in flight now samples say what the program gave, not what the path can do.
 *
 * Source:  draft-cheng-iccrg-delivery-rate-estimation 3.4: less than a segment to send, nothing in our
 *          own queues, room in the window, no loss to be repaired
 */
void tcp_rate_check_app_limited(struct tcp_sock *tp)
{
	uint32_t pipe = tcp_pipe(tp);

	if (tcp_unsent(tp) < tcp_current_mss(tp) && tp->inet.sk.wmem_alloc == 0 &&
	    pipe < tp->snd_cwnd && tp->lost_out <= tp->retrans_out)
		tp->app_limited = MAX(tp->delivered_bytes + pipe, 1ULL);
}

static bool sent_after(const struct tcp_sent *s, const struct tcp_sock *tp,
		       const struct tcp_rate_sample *rs)
{
	return s->xmit > tp->first_tx_time ||
	       (s->xmit == tp->first_tx_time && after(s->end, rs->last_end_seq));
}

/**
 * tcp_rate_delivered() - a range has been acknowledged or SACKed for the first time
 * @tp:  connection
 * @s:   its record, as it was sent last
 * @rs:  sample of this ACK: the range sent last of all delivered ones counts
 *
 * Source:  draft-cheng-iccrg-delivery-rate-estimation 3.3
 */
void tcp_rate_delivered(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_rate_sample *rs)
{
	if (rs->prior_time && !sent_after(s, tp, rs))
		return;
	rs->prior_time = s->delivered_time;
	rs->prior_delivered = s->delivered;
	rs->prior_delivered_ce = s->delivered_ce;
	rs->prior_lost = s->lost;
	rs->is_app_limited = s->app_limited;
	rs->is_retrans = s->flags & SENT_EVER_RETRANS;
	rs->tx_in_flight = s->tx_in_flight;
	rs->last_end_seq = s->end;
	rs->snd_interval_us = (uint32_t)MIN((s->xmit - s->first_tx) / NSEC_PER_USEC, UINT32_MAX);
	tp->first_tx_time = s->xmit;
}

/* For TCP_INFO: the last sample; one that the program limited only if it is faster. */
static void note_for_info(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	if (rs->is_app_limited && rs->delivered * tp->rate_interval_us <
					  tp->rate_delivered * (uint64_t)rs->interval_us)
		return;
	tp->rate_delivered = rs->delivered;
	tp->rate_interval_us = (uint32_t)rs->interval_us;
	tp->rate_app_limited = rs->is_app_limited;
}

/**
 * tcp_rate_gen() - the sample of an ACK is complete
 * @tp:         connection; delivered_bytes holds what the ACK brought
 * @delivered:  bytes delivered by this ACK
 * @lost:       bytes marked lost by this ACK
 * @rs:         sample
 *
 * Source:  draft-cheng-iccrg-delivery-rate-estimation 3.3; an interval below the least round trip is
 *          no measurement (2.2.4)
 */
void tcp_rate_gen(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, struct tcp_rate_sample *rs)
{
	ktime_t now = tcp_net(tp)->now;
	uint32_t interval;

	if (tp->app_limited && tp->delivered_bytes > tp->app_limited)
		tp->app_limited = 0;
	if (delivered)
		tp->delivered_time = now;
	rs->acked_sacked = delivered;
	rs->losses = lost;
	rs->interval_us = -1;
	if (!rs->prior_time)
		return;
	rs->delivered = tp->delivered_bytes - rs->prior_delivered;
	rs->delivered_ce = tp->delivered_ce_bytes - rs->prior_delivered_ce;
	rs->rcv_interval_us =
		(uint32_t)MIN((tp->delivered_time - rs->prior_time) / NSEC_PER_USEC, UINT32_MAX);
	interval = MAX(rs->snd_interval_us, rs->rcv_interval_us);
	if (interval == 0 || interval < tp->min_rtt_us || tp->min_rtt_us == UINT32_MAX)
		return;
	rs->interval_us = interval;
	note_for_info(tp, rs);
}

/**
 * tcp_delivery_rate() - the rate of the last sample (tcpi_delivery_rate)
 * @tp:  connection
 *
 * Return:  bytes a second; 0 = no sample yet
 */
uint64_t tcp_delivery_rate(const struct tcp_sock *tp)
{
	return tp->rate_interval_us ? tp->rate_delivered * USEC_PER_SEC / tp->rate_interval_us : 0;
}
