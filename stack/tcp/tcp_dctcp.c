/* SPDX-License-Identifier: MIT */
/*
 * "dctcp" (RFC 8257): the window shrinks by as much as the path is congested.
 *
 * Receiver (3.2): a state machine of one bit reports each mark exactly. While packets come marked all
 * ACKs carry ECE; when that changes, what came before is acknowledged at once with the old state, so that
 * a delayed ACK never speaks for both kinds.
 *
 * Sender (3.3): of each window it learns the fraction M of bytes that were acknowledged with ECE, and
 *
 *   alpha = (1 - g) alpha + g M,   g = 1/16         cwnd = cwnd (1 - alpha / 2)
 *
 * A loss halves, as everywhere (3.4). Growth is Reno's. Without ECN it is Reno altogether.
 *
 * alpha counts in 1024ths and starts at 1 (3.3, 4.2).
 */
#include <linux/inet_diag.h>

#include "stack/tcp/tcp.h"

#define ALPHA_MAX 1024U
#define SHIFT_G   4U

struct dctcp {
	uint64_t old_delivered, old_delivered_ce; /* bytes, at the start of this window's worth */
	uint32_t next_seq;    /* its end */
	uint32_t alpha;
	uint32_t loss_cwnd;   /* before the last reduction, to undo it */
	uint32_t ab_ecn, ab_tot; /* the last window's worth, for TCP_CC_INFO */
	bool ce;              /* the last packet came in marked: DCTCP.CE */
};

static struct dctcp *dctcp(const struct tcp_sock *tp)
{
	_Static_assert(sizeof(struct dctcp) <= sizeof(tp->ca_priv), "ca_priv is too small");
	return (struct dctcp *)(uintptr_t)tp->ca_priv;
}

/* What it is without ECN. */
static const struct tcp_congestion_ops dctcp_reno = {
	.name = "dctcp-reno",
	.flags = TCP_CONG_NON_RESTRICTED,
	.cong_avoid = tcp_reno_cong_avoid,
	.ssthresh = tcp_reno_ssthresh,
	.undo_cwnd = tcp_reno_undo_cwnd,
};

static void next_window(struct tcp_sock *tp, struct dctcp *d)
{
	d->next_seq = tp->snd_nxt;
	d->old_delivered = tp->delivered_bytes;
	d->old_delivered_ce = tp->delivered_ce_bytes;
}

static void dctcp_init(struct tcp_sock *tp)
{
	if (!(tp->ecn_flags & TCP_ECN_OK)) { /* RFC 8257 3.5: no ECN, no DCTCP */
		tp->ca = &dctcp_reno;
		tp->inet.tos &= (uint8_t)~INET_ECN_MASK;
		return;
	}
	dctcp(tp)->alpha = ALPHA_MAX;
	next_window(tp, dctcp(tp));
}

/* ---- receiver -------------------------------------------------------------------------------- */

static void demand_cwr(struct tcp_sock *tp, bool on)
{
	if (on)
		tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
	else
		tp->ecn_flags &= (uint8_t)~TCP_ECN_DEMAND_CWR;
}

/* RFC 8257 3.2, figure 1. The text at hand is not in rcv_nxt yet. */
static void packet_arrived(struct tcp_sock *tp, bool ce)
{
	struct dctcp *d = dctcp(tp);

	if (d->ce != ce) {
		if (tp->ack.scheduled) {
			demand_cwr(tp, d->ce);
			tcp_send_ack(tp);
		}
		tp->ack.now = true;
	}
	d->ce = ce;
	demand_cwr(tp, ce);
}

/* ---- sender ---------------------------------------------------------------------------------- */

/* RFC 8257 3.3 (6), (7). */
static void update_alpha(struct tcp_sock *tp, struct dctcp *d)
{
	uint64_t total = tp->delivered_bytes - d->old_delivered;
	uint64_t marked = tp->delivered_ce_bytes - d->old_delivered_ce;
	uint32_t decay = MAX(d->alpha >> SHIFT_G, 1U); /* reaches 0 (4.2) */

	if (!total) /* nothing was observed */
		return;
	d->alpha -= MIN(decay, d->alpha);
	d->alpha += (uint32_t)((marked << (10 - SHIFT_G)) / total);
	d->alpha = MIN(d->alpha, ALPHA_MAX);
	d->ab_ecn = (uint32_t)marked;
	d->ab_tot = (uint32_t)total;
}

static void dctcp_in_ack_event(struct tcp_sock *tp, uint32_t flags)
{
	struct dctcp *d = dctcp(tp);

	(void)flags;
	if (before(tp->snd_una, d->next_seq))
		return;
	update_alpha(tp, d);
	next_window(tp, d);
}

/* RFC 8257 3.3 (9). */
static uint32_t dctcp_ssthresh(struct tcp_sock *tp)
{
	uint32_t cwnd = tp->snd_cwnd;

	dctcp(tp)->loss_cwnd = cwnd;
	return MAX(cwnd - (uint32_t)((uint64_t)cwnd * dctcp(tp)->alpha / (2 * ALPHA_MAX)),
		   2 * tcp_current_mss(tp));
}

/* RFC 8257 3.4: a loss is answered as by any other TCP. */
static void react_to_loss(struct tcp_sock *tp)
{
	dctcp(tp)->loss_cwnd = tp->snd_cwnd;
	tp->snd_ssthresh = MAX(tp->snd_cwnd / 2, 2 * tcp_current_mss(tp));
}

static void dctcp_set_state(struct tcp_sock *tp, uint8_t new_state)
{
	if (new_state == CA_RECOVERY && tp->ca_state != CA_RECOVERY)
		react_to_loss(tp);
}

static void dctcp_cwnd_event(struct tcp_sock *tp, enum tcp_ca_event ev)
{
	if (ev == CA_EVENT_ECN_IS_CE || ev == CA_EVENT_ECN_NO_CE)
		packet_arrived(tp, ev == CA_EVENT_ECN_IS_CE);
	else if (ev == CA_EVENT_LOSS)
		react_to_loss(tp);
}

static uint32_t dctcp_undo_cwnd(struct tcp_sock *tp)
{
	return MAX(tp->snd_cwnd, dctcp(tp)->loss_cwnd);
}

static size_t dctcp_get_info(const struct tcp_sock *tp, int *attr, union tcp_cc_info *info)
{
	const struct dctcp *d = dctcp(tp);

	memset(&info->dctcp, 0, sizeof(info->dctcp));
	info->dctcp.dctcp_enabled = 1;
	info->dctcp.dctcp_ce_state = d->ce;
	info->dctcp.dctcp_alpha = d->alpha;
	info->dctcp.dctcp_ab_ecn = d->ab_ecn;
	info->dctcp.dctcp_ab_tot = d->ab_tot;
	*attr = INET_DIAG_DCTCPINFO;
	return sizeof(info->dctcp);
}

const struct tcp_congestion_ops tcp_dctcp = {
	.name = "dctcp",
	.flags = TCP_CONG_NEEDS_ECN,
	.init = dctcp_init,
	.cong_avoid = tcp_reno_cong_avoid,
	.ssthresh = dctcp_ssthresh,
	.undo_cwnd = dctcp_undo_cwnd,
	.set_state = dctcp_set_state,
	.cwnd_event = dctcp_cwnd_event,
	.in_ack_event = dctcp_in_ack_event,
	.get_info = dctcp_get_info,
};
