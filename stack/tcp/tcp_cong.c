/* SPDX-License-Identifier: MIT */
/*
 * Congestion control: what is common to all algorithms, and their list.
 *
 * An algorithm is a const struct tcp_congestion_ops (tcp_cong.h). Each namespace lists those that it
 * has, which of them any program may ask for, and which a new socket gets. A connection has its
 * algorithm from its listener or from the namespace, may change it at any time (TCP_CONGESTION), and
 * starts it when it is established.
 *
 * Entering and leaving recovery is tcp_recovery.c's. Windows count bytes.
 *
 * Read first: RFC 5681; RFC 6928 (initial window); RFC 7661 and RFC 2861 (windows that are not used).
 */
#include "stack/tcp/tcp.h"

#define MAX_CWND (1U << 30) /* the largest window that RFC 7323 lets a peer announce */

/* ---- the list -------------------------------------------------------------------------------- */

static const struct tcp_congestion_ops *const builtin[] = { &tcp_newreno, &tcp_cubic, &tcp_bbr, &tcp_dctcp };

/* Index of @ca or of the name in the namespace's list; -1 = none. */
static int find(const struct tcp_ca_list *l, const char *name, size_t len)
{
	for (unsigned int i = 0; i < l->count; i++)
		if (strlen(l->ops[i]->name) == len && memcmp(l->ops[i]->name, name, len) == 0)
			return (int)i;
	return -1;
}

/**
 * tcp_register_congestion_control() - an algorithm joins a namespace's list
 * @net:  namespace
 * @ca:   algorithm, for as long as the namespace lives
 *
 * Return:  0; -EINVAL without what every algorithm needs, -EEXIST, -ENOSPC
 */
int tcp_register_congestion_control(struct net *net, const struct tcp_congestion_ops *ca)
{
	struct tcp_ca_list *l = &net->tcp->ca;

	if (!ca->ssthresh || !ca->undo_cwnd || !(ca->cong_avoid || ca->cong_control) ||
	    strlen(ca->name) >= TCP_CA_NAME_MAX)
		return -EINVAL;
	if (find(l, ca->name, strlen(ca->name)) >= 0)
		return -EEXIST;
	if (l->count == TCP_CA_MAX)
		return -ENOSPC;
	l->allowed[l->count] = ca->flags & TCP_CONG_NON_RESTRICTED;
	l->ops[l->count++] = ca;
	return 0;
}

/**
 * tcp_cong_init_net() - the algorithms of a new namespace
 * @net:  namespace, net->tcp is there
 *
 * Source:  CUBIC is what Linux has by default
 */
int tcp_cong_init_net(struct net *net)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++) {
		int err = tcp_register_congestion_control(net, builtin[i]);

		if (err)
			return err;
	}
	net->tcp->default_ca = &tcp_cubic;
	return 0;
}

/**
 * tcp_ca_find() - an algorithm by name
 * @net:   namespace
 * @name:  need not end with a zero
 * @len:   its length
 *
 * Return:  NULL = not there
 */
const struct tcp_congestion_ops *tcp_ca_find(const struct net *net, const char *name, size_t len)
{
	int i = find(&net->tcp->ca, name, len);

	return i < 0 ? NULL : net->tcp->ca.ops[i];
}

/* The default is always allowed, as on Linux. */
static bool allowed(const struct net *net, unsigned int i)
{
	return net->tcp->ca.allowed[i] || net->tcp->ca.ops[i] == net->tcp->default_ca;
}

/**
 * tcp_set_default_congestion_control() - write net.ipv4.tcp_congestion_control
 * @net:   namespace
 * @name:  for sockets that are made from now on
 *
 * Return:  0; -ENOENT
 */
int tcp_set_default_congestion_control(struct net *net, const char *name)
{
	const struct tcp_congestion_ops *ca = tcp_ca_find(net, name, strlen(name));

	if (!ca)
		return -ENOENT;
	net->tcp->default_ca = ca;
	return 0;
}

/**
 * tcp_get_default_congestion_control() - read net.ipv4.tcp_congestion_control
 * @net:  namespace
 */
const char *tcp_get_default_congestion_control(const struct net *net)
{
	return net->tcp->default_ca->name;
}

static void list_names(const struct net *net, bool only_allowed, char *buf, size_t len)
{
	const struct tcp_ca_list *l = &net->tcp->ca;
	size_t used = 0;

	if (len)
		buf[0] = '\0';
	for (unsigned int i = 0; i < l->count && used < len; i++)
		if (!only_allowed || allowed(net, i))
			used += (size_t)snprintf(buf + used, len - used, "%s%s", used ? " " : "",
						 l->ops[i]->name);
}

/**
 * tcp_get_available_congestion_control() - read net.ipv4.tcp_available_congestion_control
 * @net:  namespace
 * @buf:  result, names with spaces between them
 * @len:  its size
 */
void tcp_get_available_congestion_control(const struct net *net, char *buf, size_t len)
{
	list_names(net, false, buf, len);
}

/**
 * tcp_get_allowed_congestion_control() - read net.ipv4.tcp_allowed_congestion_control
 * @net:  namespace
 * @buf:  result
 * @len:  its size
 */
void tcp_get_allowed_congestion_control(const struct net *net, char *buf, size_t len)
{
	list_names(net, true, buf, len);
}

/**
 * tcp_set_allowed_congestion_control() - write net.ipv4.tcp_allowed_congestion_control
 * @net:    namespace
 * @names:  with white space between them
 *
 * Return:  0; -ENOENT when one of them is not there: nothing is changed then
 */
int tcp_set_allowed_congestion_control(struct net *net, const char *names)
{
	bool want[TCP_CA_MAX] = { false };

	for (;;) {
		size_t n;
		int i;

		names += strspn(names, " \t\n");
		n = strcspn(names, " \t\n");
		if (n == 0)
			break;
		i = find(&net->tcp->ca, names, n);
		if (i < 0)
			return -ENOENT;
		want[i] = true;
		names += n;
	}
	memcpy(net->tcp->ca.allowed, want, sizeof(want));
	return 0;
}

/* ---- one connection -------------------------------------------------------------------------- */

/**
 * tcp_assign_congestion_control() - a new socket gets the namespace's default
 * @tp:  socket
 */
void tcp_assign_congestion_control(struct tcp_sock *tp)
{
	tp->ca = tcp_net(tp)->tcp->default_ca;
}

/**
 * tcp_init_congestion_control() - the algorithm starts
 * @tp:  connection that has just been established, or has changed its algorithm
 */
void tcp_init_congestion_control(struct tcp_sock *tp)
{
	memset(tp->ca_priv, 0, sizeof(tp->ca_priv));
	tp->ca_paces = false;
	if (tp->ca->init)
		tp->ca->init(tp);
	tp->ca_initialized = true;
}

/**
 * tcp_cleanup_congestion_control() - the algorithm ends
 * @tp:  socket that goes away or gets another algorithm
 */
void tcp_cleanup_congestion_control(struct tcp_sock *tp)
{
	if (tp->ca_initialized && tp->ca->release)
		tp->ca->release(tp);
	tp->ca_initialized = false;
}

/**
 * tcp_set_congestion_control() - TCP_CONGESTION
 * @tp:    socket, in any state
 * @name:  need not end with a zero
 * @len:   its length
 *
 * Window and threshold stay; what the old algorithm has learnt is lost.
 *
 * Return:  0; -ENOENT; -EPERM: not in tcp_allowed_congestion_control (programs have no rights here)
 */
int tcp_set_congestion_control(struct tcp_sock *tp, const char *name, size_t len)
{
	const struct net *net = tcp_net(tp);
	int i = find(&net->tcp->ca, name, len);
	bool running = tp->ca_initialized;

	if (i < 0)
		return -ENOENT;
	if (tp->ca == net->tcp->ca.ops[i])
		return 0;
	if (!allowed(net, (unsigned int)i))
		return -EPERM;
	tcp_cleanup_congestion_control(tp);
	tp->ca = net->tcp->ca.ops[i];
	if (running)
		tcp_init_congestion_control(tp);
	return 0;
}

/**
 * tcp_get_cc_info() - TCP_CC_INFO
 * @tp:    socket
 * @info:  result
 * @attr:  its INET_DIAG_*, for sock_diag
 *
 * Return:  bytes; 0 = the algorithm has nothing to tell
 */
size_t tcp_get_cc_info(const struct tcp_sock *tp, union tcp_cc_info *info, int *attr)
{
	return tp->ca->get_info && tp->ca_initialized ? tp->ca->get_info(tp, attr, info) : 0;
}

/**
 * tcp_set_ca_state() - OPEN, DISORDER, CWR, RECOVERY, LOSS
 * @tp:     connection
 * @state:  enum tcp_ca_states
 *
 * The only place that changes tp->ca_state, so that no algorithm misses it; a timeout in LOSS counts anew.
 */
void tcp_set_ca_state(struct tcp_sock *tp, uint8_t state)
{
	if (state == tp->ca_state && state != CA_LOSS)
		return;
	if (tp->ca->set_state && tp->ca_initialized)
		tp->ca->set_state(tp, state);
	tp->ca_state = state;
}

/**
 * tcp_ca_event() - tell the algorithm what happened
 * @tp:  connection
 * @ev:  event
 */
void tcp_ca_event(struct tcp_sock *tp, enum tcp_ca_event ev)
{
	if (tp->ca->cwnd_event && tp->ca_initialized)
		tp->ca->cwnd_event(tp, ev);
}

/**
 * tcp_init_cwnd() - the window of a connection that has just been established
 * @tp:  connection; the segment size is known
 *
 * Source:  RFC 6928 2; RFC 5681 3.1: one segment when the SYN or SYN-ACK was lost
 */
void tcp_init_cwnd(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp);

	tp->snd_cwnd = tp->retransmits > 1 ? mss : TCP_INIT_CWND * mss;
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->cwnd_stamp = tcp_net(tp)->now;
	tp->cwnd_usage_seq = tp->snd_nxt;
	tp->reordering = (uint32_t)tcp_net(tp)->tcp->sysctl.reordering;
	if (!tp->ca->cong_control)
		tcp_update_pacing_rate(tp);
	tcp_init_congestion_control(tp);
}

/* ---- windows that are not used --------------------------------------------------------------- */

/**
 * tcp_current_ssthresh() - ssthresh, which does not forget a window that was in use until now
 * @tp:  connection
 *
 * Source:  RFC 2861 3.1, as Linux
 */
uint32_t tcp_current_ssthresh(const struct tcp_sock *tp)
{
	if (tp->ca_state == CA_CWR || tp->ca_state == CA_RECOVERY)
		return tp->snd_ssthresh;
	return MAX(tp->snd_ssthresh, tp->snd_cwnd / 4 * 3);
}

/**
 * tcp_cwnd_restart() - sending again after a pause longer than the RTO
 * @tp:  connection with nothing in flight
 *
 * Source:  RFC 5681 4.1; the window halves for each RTO that passed, as Linux (RFC 2861)
 */
void tcp_cwnd_restart(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), restart = MIN(TCP_INIT_CWND * mss, tp->snd_cwnd);
	uint64_t idle = (tcp_net(tp)->now - tp->last_send) / NSEC_PER_USEC;

	tcp_ca_event(tp, CA_EVENT_CWND_RESTART);
	tp->snd_ssthresh = tcp_current_ssthresh(tp);
	while (idle > tp->rto_us && tp->snd_cwnd > restart) {
		tp->snd_cwnd /= 2;
		idle -= tp->rto_us;
	}
	tp->snd_cwnd = MAX(tp->snd_cwnd, restart);
	tp->cwnd_acked = 0;
	tp->cwnd_stamp = tcp_net(tp)->now;
	tp->cwnd_used = 0;
}

/* RFC 2861 3.2: an RTO long the window was not used up: it goes half the way to what was used. */
static void application_limited(struct tcp_sock *tp)
{
	uint32_t used = MAX(tp->cwnd_used, TCP_INIT_CWND * tcp_current_mss(tp));

	/* Where the send buffer is what limits, the program is not to blame. */
	if (tp->ca_state == CA_OPEN && tcp_stream_writeable(tp) && used < tp->snd_cwnd) {
		tp->snd_ssthresh = tcp_current_ssthresh(tp);
		tp->snd_cwnd = (tp->snd_cwnd + used) / 2;
	}
	tp->cwnd_used = 0;
	tp->cwnd_stamp = tcp_net(tp)->now;
}

/**
 * tcp_cwnd_validate() - something was sent, or could not be: was the window in full use?
 * @tp:       connection
 * @limited:  sending stopped for the congestion window
 *
 * Of each window's worth the strongest sign counts: that it was the limit at some time, or else the
 * most that was in flight.
 *
 * Source:  RFC 7661 4.3, RFC 2861 3.2; as Linux a window that stays unused decays
 */
void tcp_cwnd_validate(struct tcp_sock *tp, bool limited)
{
	struct net *net = tcp_net(tp);
	uint32_t flight = tcp_in_flight(tp);

	if (limited || after_eq(tp->snd_una, tp->cwnd_usage_seq) ||
	    (!tp->cwnd_limited && flight > tp->max_flight)) {
		tp->cwnd_limited = limited;
		tp->max_flight = flight;
		tp->cwnd_usage_seq = tp->snd_nxt;
	}
	if (tcp_is_cwnd_limited(tp)) {
		tp->cwnd_used = 0;
		tp->cwnd_stamp = net->now;
		return;
	}
	tp->cwnd_used = MAX(tp->cwnd_used, flight);
	if (net->tcp->sysctl.slow_start_after_idle && !tp->ca->cong_control &&
	    net->now - tp->cwnd_stamp >= tp->rto_us * NSEC_PER_USEC)
		application_limited(tp);
}

/**
 * tcp_is_cwnd_limited() - may the window grow?
 * @tp:  connection
 *
 * In slow start also when half of it was in flight, so that it can be twice what was proved to work.
 *
 * Source:  RFC 7661 4.1 (pipeACK), RFC 9438 5.8; the factor of 2 as Linux
 */
bool tcp_is_cwnd_limited(const struct tcp_sock *tp)
{
	if (tp->cwnd_limited)
		return true;
	return tcp_in_slow_start(tp) && tp->snd_cwnd < 2 * tp->max_flight;
}

/* ---- acknowledgements ------------------------------------------------------------------------ */

/**
 * tcp_cong_ack_event() - an ACK has come in
 * @tp:     connection; what it delivers is counted
 * @flags:  enum tcp_ca_ack_event_flags
 */
void tcp_cong_ack_event(struct tcp_sock *tp, uint32_t flags)
{
	if (tp->ca->in_ack_event && tp->ca_initialized)
		tp->ca->in_ack_event(tp, flags);
}

/**
 * tcp_cong_acked() - text was acknowledged for the first time
 * @tp:      connection; snd_una is moved
 * @sample:  what was learnt
 */
void tcp_cong_acked(struct tcp_sock *tp, const struct tcp_ack_sample *sample)
{
	if (tp->ca->pkts_acked && tp->ca_initialized)
		tp->ca->pkts_acked(tp, sample);
}

/**
 * tcp_cong_avoid() - new text was acknowledged: let the algorithm grow the window
 * @tp:     connection whose algorithm has cong_avoid
 * @acked:  bytes
 */
void tcp_cong_avoid(struct tcp_sock *tp, uint32_t acked)
{
	tp->ca->cong_avoid(tp, acked);
	tp->snd_cwnd = MIN(tp->snd_cwnd, MAX_CWND);
}
