/* SPDX-License-Identifier: MIT */
/*
 * Tail loss probe: one segment that asks for an ACK where the timeout would be next (RFC 8985 7).
 *
 * The last segments of a burst have none behind them whose SACK could show that they are lost. About
 * two round trips after the last ACK or transmission a probe leaves: new text if there is some, else
 * the last segment again. Its ACK lets RACK find what is lost; only without any ACK the timeout comes.
 * The probe itself may have filled the hole: then a loss would go unnoticed by the congestion control,
 * so the ACK of the probe is looked at (7.4.2): if nothing says that the segment arrived twice, one of
 * them was lost, and the window is reduced.
 *
 * Probe and timeout share TCPT_REXMT: while a probe is planned the timeout is not, and the other way round.
 */
#include "stack/tcp/tcp.h"

#define PTO_SLACK_US 2000U /* for timers of a millisecond's grain, as Linux */

/*
 * RFC 8985 7.1, 7.2: SACK, OPEN or CWR, nothing SACKed or lost, no probe out. 7.3, second condition: a round
 * trip has been measured since the last probe, or else probes would hide for ever that the path has become
 * longer.
 */
static bool may_probe(const struct tcp_sock *tp)
{
	int mode = tcp_net(tp)->tcp->sysctl.early_retrans;

	if (tp->inet.sk.state == TCP_SYN_RECV) /* text sent early (RFC 7413): the SYN-ACK's timer runs */
		return false;
	return (mode == 3 || mode == 4) && tp->packets_out && tp->sack_ok &&
	       (tp->ca_state == CA_OPEN || tp->ca_state == CA_CWR) && !tp->sacked_out &&
	       !tp->tlp_out && !tp->tlp_unmeasured;
}

/**
 * tcp_schedule_loss_probe() - plan a probe instead of the timeout
 * @tp:         connection
 * @advancing:  an ACK has moved on: the timeout would begin anew
 *
 * Source:  RFC 8985 7.2, TLP_calc_PTO(); the allowance for a delayed ACK of a single segment is the
 *          least RTO of 200 ms, as Linux
 * Return:  true when one is planned
 */
bool tcp_schedule_loss_probe(struct tcp_sock *tp, bool advancing)
{
	uint64_t pto, rto;

	if (!may_probe(tp))
		return false;
	if (tp->srtt_us) {
		pto = 2ULL * tp->srtt_us;
		pto += tp->packets_out == 1 ? tcp_rto_min_us(tp) : PTO_SLACK_US;
	} else {
		pto = TCP_RTO_INIT_US;
	}
	rto = advancing ? tcp_rto_us(tp) : tcp_rto_left_us(tp);
	tcp_arm_rexmt(tp, REXMT_TLP, MIN(pto, MAX(rto, 1U)));
	return true;
}

/**
 * tcp_send_loss_probe() - the probe's time has come
 * @tp:  connection
 *
 * Source:  RFC 8985 7.3, TLP_send_probe(); at most one segment, whatever the window says
 */
void tcp_send_loss_probe(struct tcp_sock *tp)
{
	bool sent = false;

	/* At most one probe is out: its episode ends with the ACK of tlp_high_seq. */
	if (!tp->tlp_out && tp->packets_out) {
		tp->tlp_retrans = false;
		sent = tcp_send_probe_segment(tp);
		if (!sent) {
			sent = tcp_retransmit_tail(tp);
			tp->tlp_retrans = sent;
		}
	}
	if (sent) {
		tp->tlp_out = tp->tlp_unmeasured = true;
		tp->tlp_high_seq = tp->snd_nxt;
		mib_inc(tcp_net(tp), MIB_TcpExtTCPLossProbes);
	}
	tcp_arm_rexmt(tp, REXMT_RTO, tcp_rto_us(tp));
}

/**
 * tcp_process_tlp_ack() - what does this ACK say about the probe?
 * @tp:    connection with a probe out
 * @news:  the ACK
 *
 * Source:  RFC 8985 7.4.2, TLP_process_ack()
 */
void tcp_process_tlp_ack(struct tcp_sock *tp, const struct tcp_ack_news *news)
{
	uint32_t ack = news->seg->ack;

	if (before(ack, tp->tlp_high_seq))
		return;
	if (!tp->tlp_retrans || news->dsack_tlp) {
		tp->tlp_out = false; /* new text, or both copies have arrived: nothing was lost */
	} else if (after(ack, tp->tlp_high_seq)) {
		/* Text behind it is acknowledged and no word of two copies: one of them was lost. */
		tp->tlp_out = false;
		tp->prior_ssthresh = 0;
		tp->undo_possible = false;
		tcp_init_cwnd_reduction(tp);
		tcp_set_ca_state(tp, CA_CWR);
		tcp_end_cwnd_reduction(tp);
		tcp_try_keep_open(tp);
		mib_inc(tcp_net(tp), MIB_TcpExtTCPLossProbeRecovery);
	} else if (!news->acked && !news->sacked && !news->window_moved && news->seg->len == 0) {
		tp->tlp_out = false; /* the ACK of the second copy */
	}
}
