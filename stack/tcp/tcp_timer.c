/* SPDX-License-Identifier: MIT */
/*
 * TCP's timers: retransmission, persist, delayed ACK, keepalive, pacing.
 *
 * Each has one struct timer_list inside the control block. All enter through timer_enter(), which
 * refuses a socket that is CLOSED meanwhile and holds the others, and leave through timer_leave().
 * Retransmission runs while something is in flight, persist while nothing is but text waits; SYN and
 * SYN-ACK of a full socket are retransmitted by the former.
 *
 * How long to go on: counted in time rather than in tries, as Linux: retries2 = 15 stands for the
 * 924.6 s that 15 doublings from 200 ms to 120 s take (RFC 9293 3.8.3: R2 of at least 100 s).
 */
#include "stack/core/trace.h"
#include "stack/tcp/tcp.h"

#define ORPHAN_RETRIES 8 /* with the sysctl at 0, as Linux */

/* ---- arming ---------------------------------------------------------------------------------- */

/**
 * tcp_arm() - (re)start a timer
 * @tp:        connection
 * @which:     TCPT_*
 * @delay_us:  from now
 */
void tcp_arm(struct tcp_sock *tp, enum tcp_timers which, uint64_t delay_us)
{
	static const char *const name[] = { "rexmt", "persist", "delack", "keep", "pace" };
	struct net *net = tcp_net(tp);

	if (trace_on(net, TRACE_TIMER))
		trace_printf(net, TRACE_TIMER, "tcp port %u: %s in %llu us", tp->inet.num,
			     name[which], (unsigned long long)delay_us);
	if (which == TCPT_REXMT)
		tp->rexmt_kind = REXMT_RTO;
	mod_timer(&tp->timers[which].timer, net->now + delay_us * NSEC_PER_USEC);
}

/**
 * tcp_arm_rexmt() - (re)start the retransmission timer, in place of what it ran for
 * @tp:        connection
 * @kind:      timeout, loss probe, or the end of the time that reordering is given
 * @delay_us:  from now
 *
 * Source:  RFC 8985 6.3, 7.2: one of the three at a time
 */
void tcp_arm_rexmt(struct tcp_sock *tp, enum tcp_rexmt_kinds kind, uint64_t delay_us)
{
	tcp_arm(tp, TCPT_REXMT, delay_us);
	tp->rexmt_kind = (uint8_t)kind;
}

/**
 * tcp_disarm() - stop a timer
 * @tp:     connection
 * @which:  TCPT_*
 */
void tcp_disarm(struct tcp_sock *tp, enum tcp_timers which)
{
	del_timer(&tp->timers[which].timer);
}

/**
 * tcp_armed() - is a timer running?
 * @tp:     connection
 * @which:  TCPT_*
 */
bool tcp_armed(const struct tcp_sock *tp, enum tcp_timers which)
{
	return timer_pending(&tp->timers[which].timer);
}

/**
 * tcp_clear_timers() - stop all
 * @tp:  connection
 */
void tcp_clear_timers(struct tcp_sock *tp)
{
	for (int i = 0; i < TCPT_COUNT; i++)
		del_timer(&tp->timers[i].timer);
}

/* ---- enter and leave ------------------------------------------------------------------------- */

/* The connection of a timer that fired, held; NULL when it has ended meanwhile. */
static struct tcp_sock *timer_enter(struct timer_list *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_timer, timer)->tp;

	if (tp->inet.sk.state == TCP_CLOSE)
		return NULL;
	sock_hold(tcp_to_sk(tp));
	return tp;
}

static void timer_leave(struct tcp_sock *tp)
{
	sock_put(tcp_to_sk(tp));
}

/* ---- giving up ------------------------------------------------------------------------------- */

/* Time that @boundary doublings from @base_us take, bounded by TCP_RTO_MAX_US each. */
static uint64_t backoff_time_us(unsigned int boundary, uint64_t base_us)
{
	uint64_t total = 0, step = base_us;

	for (unsigned int i = 0; i <= boundary; i++) {
		total += step;
		step = MIN(step * 2, (uint64_t)TCP_RTO_MAX_US);
	}
	return total;
}

static uint64_t since_us(const struct tcp_sock *tp, ktime_t then)
{
	return (tcp_net(tp)->now - then) / NSEC_PER_USEC;
}

/* Times out with what ICMP last said, if it said anything (RFC 9293 3.9.2.2). */
static void give_up(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	mib_inc(sk->net, MIB_TcpExtTCPAbortOnTimeout);
	tcp_abort(tp, sk->err_soft ? sk->err_soft : ETIMEDOUT);
}

static unsigned int orphan_retries(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;

	if (sk->net->tcp->sysctl.orphan_retries)
		return (unsigned int)sk->net->tcp->sysctl.orphan_retries;
	return sk->err_soft ? 0 : ORPHAN_RETRIES;
}

/* Has the text been unacknowledged for too long? */
static bool out_of_retries(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	unsigned int limit = (unsigned int)sk->net->tcp->sysctl.retries2;
	uint64_t waited;

	if (!tp->stall_stamp)
		return false;
	waited = since_us(tp, tp->stall_stamp);
	if (tp->user_timeout_ms)
		return waited >= tp->user_timeout_ms * 1000ULL; /* RFC 5482 */
	if (sock_flag(sk, SOCK_DEAD))
		limit = orphan_retries(tp);
	return waited >= backoff_time_us(limit, TCP_RTO_MIN_US);
}

static bool syn_out_of_retries(const struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	unsigned int limit = tp->syn_retries ? tp->syn_retries : (unsigned int)sysctl->syn_retries;

	if (tp->inet.sk.state == TCP_SYN_RECV)
		limit = (unsigned int)sysctl->synack_retries;
	if (tp->user_timeout_ms && since_us(tp, tp->syn_stamp) >= tp->user_timeout_ms * 1000ULL)
		return true;
	return tp->retransmits >= limit;
}

/* ---- retransmission -------------------------------------------------------------------------- */

/* The next timeout, but no later than TCP_USER_TIMEOUT ends. */
static void rearm_after_timeout(struct tcp_sock *tp)
{
	uint64_t delay = tcp_rto_us(tp), limit = tp->user_timeout_ms * 1000ULL, waited;
	ktime_t start = tp->stall_stamp ? tp->stall_stamp : tp->syn_stamp;

	if (limit) {
		waited = since_us(tp, start);
		if (waited < limit)
			delay = MIN(delay, limit - waited);
	}
	tcp_arm(tp, TCPT_REXMT, delay);
}

static void syn_timeout(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	if (syn_out_of_retries(tp)) {
		give_up(tp);
		return;
	}
	tp->retransmits++;
	tp->total_retrans++;
	tp->backoff++;
	mib_inc(net, MIB_TcpRetransSegs);
	mib_inc(net, MIB_TcpExtTCPSynRetrans);
	tcp_fastopen_timeout(tp);
	tcp_send_syn(tp);
	rearm_after_timeout(tp);
}

/* In which state a timeout found the connection, as Linux counts them. */
static void count_timeout(const struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	if (tp->retransmits)
		return;
	if (tp->ca_state == CA_RECOVERY)
		mib_inc(net, tp->sack_ok ? MIB_TcpExtTCPSackRecoveryFail : MIB_TcpExtTCPRenoRecoveryFail);
	else if (tp->ca_state == CA_LOSS)
		mib_inc(net, MIB_TcpExtTCPLossFailures);
	else if (tp->ca_state == CA_DISORDER || tp->sacked_out)
		mib_inc(net, tp->sack_ok ? MIB_TcpExtTCPSackFailures : MIB_TcpExtTCPRenoFailures);
}

/* For TCP_INFO: rows of timeouts. */
static void count_rto(struct tcp_sock *tp)
{
	tp->total_rto = (uint16_t)MIN(tp->total_rto + 1, UINT16_MAX);
	if (tp->rto_stamp)
		return;
	tp->total_rto_recoveries = (uint16_t)MIN(tp->total_rto_recoveries + 1, UINT16_MAX);
	tp->rto_stamp = tcp_net(tp)->now;
}

/*
 * TCP_THIN_LINEAR_TIMEOUTS: a stream of fewer than four segments in flight does not back off for its first
 * six timeouts. DEVIATES from RFC 6298 5.5 as Linux, and only where a program or the sysctl asks for it.
 */
static bool stays_linear(const struct tcp_sock *tp)
{
	if (!tp->thin_lto && !tcp_net(tp)->tcp->sysctl.thin_linear_timeouts)
		return false;
	return tp->inet.sk.state == TCP_ESTABLISHED && tp->retransmits <= 6 &&
	       tcp_in_flight(tp) < 4 * tcp_current_mss(tp) && !tcp_in_slow_start(tp);
}

/* RFC 6298 5.4 to 5.6 */
static void text_timeout(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	if (tcp_in_flight(tp) == 0)
		return;
	if (out_of_retries(tp)) {
		give_up(tp);
		return;
	}
	mib_inc(net, MIB_TcpExtTCPTimeouts);
	if (!tp->stall_stamp)
		tp->stall_stamp = net->now;
	count_timeout(tp);
	tcp_enter_loss(tp);
	count_rto(tp);
	tp->retransmits = (uint8_t)MIN(tp->retransmits + 1, 255);
	if (!stays_linear(tp))
		tp->backoff = (uint8_t)MIN(tp->backoff + 1, 16);
	tcp_fastopen_timeout(tp);
	tcp_mtup_timeout(tp);
	tcp_retransmit_first(tp); /* if that failed, the timer tries again */
	/* RFC 9293 3.8.3, R1: after some tries ask for another route. */
	if (tp->retransmits >= net->tcp->sysctl.retries1)
		tp->inet.dst.gen = 0;
	rearm_after_timeout(tp);
}

static void rexmt_by_kind(struct tcp_sock *tp)
{
	switch (tp->rexmt_kind) {
	case REXMT_TLP:
		tcp_send_loss_probe(tp);
		break;
	case REXMT_REO:
		tcp_reo_timeout(tp);
		tcp_output(tp);
		break;
	default:
		text_timeout(tp);
		break;
	}
}

static void rexmt_fired(struct timer_list *t)
{
	struct tcp_sock *tp = timer_enter(t);

	if (!tp)
		return;
	if (tp->inet.sk.state == TCP_SYN_SENT || tp->inet.sk.state == TCP_SYN_RECV)
		syn_timeout(tp);
	else
		rexmt_by_kind(tp);
	timer_leave(tp);
}

/* ---- persist --------------------------------------------------------------------------------- */

/* Does the peer still answer probes? RFC 9293 3.8.6.1 (MUST-37): as long as it does, go on. */
static bool probes_unanswered(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	unsigned int limit = (unsigned int)sk->net->tcp->sysctl.retries2;

	if (tp->user_timeout_ms && tp->probes_out && tp->stall_stamp)
		return since_us(tp, tp->stall_stamp) >= tp->user_timeout_ms * 1000ULL;
	if (sock_flag(sk, SOCK_DEAD)) {
		limit = orphan_retries(tp);
		/* Nobody waits for an orphan: a peer that never opens its window cannot keep it. */
		if (tcp_rto_us(tp) >= TCP_RTO_MAX_US && tp->backoff >= limit)
			return true;
	}
	return tp->probes_out > limit;
}

static void persist_fired(struct timer_list *t)
{
	struct tcp_sock *tp = timer_enter(t);

	if (!tp)
		return;
	if (tcp_in_flight(tp) || !tcp_unsent(tp)) {
		tp->probes_out = 0;
	} else if (probes_unanswered(tp)) {
		give_up(tp);
	} else {
		if (tp->probes_out == 0)
			tp->stall_stamp = tcp_net(tp)->now;
		tcp_write_wakeup(tp);
		if (tcp_in_flight(tp) == 0) {
			tp->probes_out++;
			tp->backoff = (uint8_t)MIN(tp->backoff + 1, 16);
			tcp_arm(tp, TCPT_PERSIST, tcp_rto_us(tp));
		}
	}
	timer_leave(tp);
}

/* ---- delayed ACK ----------------------------------------------------------------------------- */

static void delack_fired(struct timer_list *t)
{
	struct tcp_sock *tp = timer_enter(t);

	if (!tp)
		return;
	if (tp->ack.scheduled) {
		if (!tp->ack.pingpong) {
			/* Text comes slowly: wait longer the next time. */
			tp->ack.ato_ms = MIN(tp->ack.ato_ms * 2, tp->rto_us / 1000);
		} else {
			/* No answer that would have carried it: not so interactive. */
			tp->ack.pingpong = false;
			tp->ack.ato_ms = TCP_DELACK_MIN_MS;
		}
		tcp_send_ack(tp);
		mib_inc(tcp_net(tp), MIB_TcpExtDelayedACKs);
	}
	timer_leave(tp);
}

/* ---- keepalive ------------------------------------------------------------------------------- */

/**
 * tcp_keepalive_time() - seconds of silence before the first probe (TCP_KEEPIDLE)
 * @tp:  connection
 */
uint32_t tcp_keepalive_time(const struct tcp_sock *tp)
{
	return tp->keep_idle_s ? tp->keep_idle_s
			       : (uint32_t)tcp_net(tp)->tcp->sysctl.keepalive_time_s;
}

/**
 * tcp_keepalive_intvl() - seconds between probes (TCP_KEEPINTVL)
 * @tp:  connection
 */
uint32_t tcp_keepalive_intvl(const struct tcp_sock *tp)
{
	return tp->keep_intvl_s ? tp->keep_intvl_s
				: (uint32_t)tcp_net(tp)->tcp->sysctl.keepalive_intvl_s;
}

/**
 * tcp_keepalive_cnt() - probes without answer that end the connection (TCP_KEEPCNT)
 * @tp:  connection
 */
uint32_t tcp_keepalive_cnt(const struct tcp_sock *tp)
{
	return tp->keep_cnt ? tp->keep_cnt : (uint32_t)tcp_net(tp)->tcp->sysctl.keepalive_probes;
}

/**
 * tcp_fin_time_ms() - how long an orphan may stay in FIN-WAIT-2
 * @tp:  connection
 */
uint32_t tcp_fin_time_ms(const struct tcp_sock *tp)
{
	uint32_t ms =
		1000U * (uint32_t)(tp->linger2_s > 0 ? tp->linger2_s
						     : tcp_net(tp)->tcp->sysctl.fin_timeout_s);
	uint32_t least = (tp->rto_us / 1000) * 7 / 2; /* a retransmission must fit in */

	return MAX(ms, least);
}

/**
 * tcp_set_keepalive() - SO_KEEPALIVE or one of its times has changed
 * @tp:  socket
 * @on:  SO_KEEPALIVE
 */
void tcp_set_keepalive(struct tcp_sock *tp, bool on)
{
	uint8_t state = tp->inet.sk.state;

	if (!on || state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_SENT)
		tcp_disarm(tp, TCPT_KEEP);
	else
		tcp_arm(tp, TCPT_KEEP, tcp_keepalive_time(tp) * (uint64_t)USEC_PER_SEC);
}

static uint64_t idle_us(const struct tcp_sock *tp)
{
	return since_us(tp, MAX(tp->rcv_tstamp, tp->ack.lrcvtime));
}

/* RFC 9293 3.8.4. Text in flight or waiting has a timer that finds a dead peer sooner. */
static void keepalive(struct tcp_sock *tp)
{
	uint64_t due = tcp_keepalive_time(tp) * (uint64_t)USEC_PER_SEC, idle = idle_us(tp);
	bool dead;

	if (tcp_in_flight(tp) || tcp_unsent(tp)) {
		tcp_arm(tp, TCPT_KEEP, due);
		return;
	}
	if (idle < due) {
		tp->probes_out = 0;
		tcp_arm(tp, TCPT_KEEP, due - idle);
		return;
	}
	dead = tp->user_timeout_ms ? idle >= tp->user_timeout_ms * 1000ULL && tp->probes_out > 0
				   : tp->probes_out >= tcp_keepalive_cnt(tp);
	if (dead) {
		tcp_send_active_reset(tp);
		give_up(tp);
		return;
	}
	mib_inc(tcp_net(tp), MIB_TcpExtTCPKeepAlive);
	tcp_send_probe(tp);
	tp->probes_out++;
	tcp_arm(tp, TCPT_KEEP, tcp_keepalive_intvl(tp) * (uint64_t)USEC_PER_SEC);
}

static void keep_fired(struct timer_list *t)
{
	struct tcp_sock *tp = timer_enter(t);

	if (!tp)
		return;
	if (sock_flag(&tp->inet.sk, SOCK_KEEPOPEN))
		keepalive(tp);
	timer_leave(tp);
}

/* ---- pacing ---------------------------------------------------------------------------------- */

static void pace_fired(struct timer_list *t)
{
	struct tcp_sock *tp = timer_enter(t);

	if (!tp)
		return;
	tcp_output(tp);
	timer_leave(tp);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/**
 * tcp_init_timers() - prepare the timers of a new control block
 * @tp:  connection
 */
void tcp_init_timers(struct tcp_sock *tp)
{
	static const timer_fn fired[TCPT_COUNT] = {
		[TCPT_REXMT] = rexmt_fired,
		[TCPT_PERSIST] = persist_fired,
		[TCPT_DELACK] = delack_fired,
		[TCPT_KEEP] = keep_fired,
		[TCPT_PACE] = pace_fired,
	};

	for (int i = 0; i < TCPT_COUNT; i++) {
		tp->timers[i].tp = tp;
		timer_setup(&tp->timers[i].timer, &tcp_net(tp)->timers, fired[i]);
	}
}

/**
 * tcp_destroy_timers() - the control block goes away
 * @tp:  connection
 */
void tcp_destroy_timers(struct tcp_sock *tp)
{
	tcp_clear_timers(tp);
}
