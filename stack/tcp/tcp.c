/* SPDX-License-Identifier: MIT */
/*
 * User calls and the life of a TCP socket (RFC 9293 3.10.1 to 3.10.6); text in and out is tcp_stream.c.
 *
 * A socket is born in CLOSED by socket() or as the child of a listener. Its reference belongs to the
 * program until close(); from then on it is an orphan that TCP itself holds until tcp_done() gives
 * the reference back. tcp_done() is the only way into CLOSED: no timer is armed afterwards and no
 * segment finds the socket. Orphans are counted in net->busy, so that the host waits for them.
 */
#include "stack/core/trace.h"
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "stack/tcp/tcp.h"

/**
 * tcp_state_name() - RFC 9293's word for a state
 * @state:  TCP_*
 */
const char *tcp_state_name(uint8_t state)
{
	static const char *const name[] = {
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RECV] = "SYN-RECEIVED",
		[TCP_FIN_WAIT1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT2] = "FIN-WAIT-2",
		[TCP_TIME_WAIT] = "TIME-WAIT",
		[TCP_CLOSE] = "CLOSED",
		[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
		[TCP_LAST_ACK] = "LAST-ACK",
		[TCP_LISTEN] = "LISTEN",
		[TCP_CLOSING] = "CLOSING",
	};

	return state < ARRAY_SIZE(name) && name[state] ? name[state] : "?";
}

/**
 * tcp_set_state() - move to another state; counts and traces
 * @tp:     connection
 * @state:  TCP_*
 */
void tcp_set_state(struct tcp_sock *tp, uint8_t state)
{
	struct sock *sk = tcp_to_sk(tp);
	struct net *net = sk->net;
	uint8_t old = sk->state;

	if (state == TCP_ESTABLISHED && old != TCP_ESTABLISHED)
		net->mib[MIB_TcpCurrEstab]++;
	else if (old == TCP_ESTABLISHED && state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		net->mib[MIB_TcpCurrEstab]--;
	else if (old == TCP_CLOSE_WAIT && state != TCP_CLOSE_WAIT)
		net->mib[MIB_TcpCurrEstab]--; /* RFC 4022: ESTABLISHED and CLOSE-WAIT */
	if (state == TCP_CLOSE && (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT))
		mib_inc(net, MIB_TcpEstabResets);
	if (trace_on(net, TRACE_STATE)) {
		char text[96];

		inet_describe(sk, text, sizeof(text));
		trace_printf(net, TRACE_STATE, "%s: %s -> %s", text, tcp_state_name(old),
			     tcp_state_name(state));
	}
	sk->state = state;
}

/* ---- birth and death ------------------------------------------------------------------------- */

/* What a new connection starts from, also a second one on the same socket. */
static void reset_connection(struct tcp_sock *tp)
{
	size_t from = offsetof(struct tcp_sock, iss), to = offsetof(struct tcp_sock, ca);

	tcp_cleanup_congestion_control(tp);
	sock_reset_flag(tcp_to_sk(tp), SOCK_EARLY);
	memset((char *)tp + from, 0, to - from);
	skb_queue_head_init(&tp->write_queue);
	skb_queue_head_init(&tp->ofo_queue);
	list_init(&tp->sent_seq);
	list_init(&tp->sent_time);
	list_init(&tp->sent_lost);
	tp->rto_us = TCP_RTO_INIT_US;
	tp->min_rtt_us = UINT32_MAX;
	tp->mss_clamp = TCP_MSS_DEFAULT_V4;
	tp->mss_base = TCP_MSS_DEFAULT_V4;
	tp->ack.rcv_mss = TCP_MSS_DEFAULT_V4;
	tp->snd_ssthresh = UINT32_MAX;
	tp->snd_cwnd = TCP_INIT_CWND * TCP_MSS_DEFAULT_V4;
}

static int tcp_init_sock(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *t = sk->net->tcp;

	tcp_assign_congestion_control(tp);
	list_init(&tp->accept_queue);
	list_init(&tp->syn_queue);
	list_init(&tp->accept_node);
	reset_connection(tp);
	tcp_init_timers(tp);
	sk->sndbuf = t->sysctl.wmem[1];
	sk->rcvbuf = t->sysctl.rmem[1];
	return 0;
}

/**
 * tcp_write_queue_purge() - forget all text to be sent
 * @tp:  connection
 */
void tcp_write_queue_purge(struct tcp_sock *tp)
{
	tcp_sent_purge(tp);
	skb_queue_purge(&tp->write_queue);
	tp->send_hint = NULL;
	tp->inet.sk.wmem_queued = 0;
}

static void tcp_destroy_sock(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	BUG_ON(tp->orphan_counted);
	free(tp->saved_syn);
	tcp_destroy_timers(tp);
	tcp_cleanup_congestion_control(tp);
	tcp_write_queue_purge(tp);
	tcp_ofo_purge(tp);
	inet_ehash_remove(&tp->inet);
	inet_listen_remove(&tp->inet);
	inet_put_port(sk);
}

static void count_orphan(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	tp->orphan_counted = true;
	net->tcp->orphans++;
	net->busy++;
}

static void uncount_orphan(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);

	if (!tp->orphan_counted)
		return;
	tp->orphan_counted = false;
	net->tcp->orphans--;
	net->busy--;
}

/* No timer, segment or port of it is left; what was received stays. */
static void leave_network(struct tcp_sock *tp)
{
	tcp_clear_timers(tp);
	inet_ehash_remove(&tp->inet);
	inet_listen_remove(&tp->inet);
	if (!tp->inet.userlocks_port)
		inet_put_port(tcp_to_sk(tp));
	tcp_write_queue_purge(tp);
	tcp_ofo_purge(tp);
}

/**
 * tcp_done() - the connection is over: CLOSED
 * @tp:  connection; an orphan's reference is given back, the caller holds one of its own
 */
void tcp_done(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	if (sk->state == TCP_CLOSE)
		return;
	tcp_fastopen_child_end(tp, false);
	sock_reset_flag(sk, SOCK_EARLY);
	if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV)
		mib_inc(sk->net, MIB_TcpAttemptFails);
	tcp_set_state(tp, TCP_CLOSE);
	leave_network(tp);
	sk->shutdown = SHUTDOWN_MASK;
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk->state_change(sk);
		return;
	}
	uncount_orphan(tp);
	sock_put(sk);
}

/**
 * tcp_abort() - end the connection with an error for the program
 * @tp:   connection; the caller holds a reference
 * @err:  positive errno
 */
void tcp_abort(struct tcp_sock *tp, int err)
{
	struct sock *sk = tcp_to_sk(tp);

	if (!sock_flag(sk, SOCK_DEAD))
		sk_set_err(sk, err);
	else
		sk->err = err;
	tcp_done(tp);
}

/* ---- OPEN (RFC 9293 3.10.1) ------------------------------------------------------------------ */

static void forget_addresses(struct inet_sock *inet)
{
	if (!inet->userlocks_addr) {
		memset(&inet->saddr, 0, sizeof(inet->saddr));
		memset(&inet->rcv_saddr, 0, sizeof(inet->rcv_saddr));
	}
	memset(&inet->daddr, 0, sizeof(inet->daddr));
	inet->dport = 0;
	inet->dst.gen = 0;
}

/* Destination and route; the source address when it was not bound. */
static int set_peer(struct inet_sock *inet, const struct sockaddr *sa, socklen_t len)
{
	struct inet_addr daddr;
	be16 dport;
	int err;

	err = inet_addr_from_sockaddr(sa, len, &daddr, &dport);
	if (err)
		return err;
	if (inet_addr_any(&daddr))
		daddr = inet_addr_v4(cpu_to_be32(INADDR_LOOPBACK)); /* as Linux and BSD */
	err = inet_route(inet, &daddr);
	if (err)
		return err;
	if (inet->dst.type == RTN_T_BROADCAST || inet->dst.type == RTN_T_MULTICAST) {
		inet->dst.gen = 0;
		return -ENETUNREACH; /* RFC 9293 3.9.2.3, MUST-57 */
	}
	inet->daddr = daddr;
	inet->dport = dport;
	if (inet_addr_any(&inet->saddr))
		inet->saddr = inet->dst.saddr;
	if (inet_addr_any(&inet->rcv_saddr))
		inet->rcv_saddr = inet->saddr;
	return 0;
}

/* Fields for the SYN. write_seq may hold the number that follows a reused TIME-WAIT (RFC 6191). */
static void start_connection(struct tcp_sock *tp)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;
	struct inet_sock *inet = &tp->inet;
	struct net *net = tcp_net(tp);

	tp->iss = tp->write_seq ? tp->write_seq : tcp_secure_isn(net, inet);
	tp->ts_off = tcp_secure_ts_off(net, &inet->saddr, &inet->daddr);
	inet->ident = (uint16_t)random_u32(&net->random);
	inet->counts = true;
	tp->snd_una = tp->snd_up = tp->snd_sml = tp->iss;
	tp->snd_nxt = tp->write_seq = tp->iss + 1;
	tp->ts_ok = sysctl->timestamps;
	tp->sack_ok = sysctl->sack;
	tp->wscale_ok = sysctl->window_scaling;
	tcp_ecn_start(tp);
	tp->advmss = tcp_advertised_mss(inet, tp->user_mss);
	tcp_sync_mss(tp, inet->dst.mtu);
	tcp_select_initial_window(net, inet->sk.rcvbuf, tp->advmss, tp->wscale_ok, tcp_initial_clamp(tp),
				  &tp->rcv_wnd, &tp->rcv_wscale);
	tp->ack.rcv_mss = TCP_MSS_DEFAULT_V4;
	tp->syn_stamp = net->now;
}

/* The SYN now, or with TCP_FASTOPEN_CONNECT by the first write; then SOCK_EARLY is set. */
static int open_connection(struct tcp_sock *tp)
{
	if (tp->fastopen_connect && tcp_fastopen_prepare(tp)) {
		sock_set_flag(tcp_to_sk(tp), SOCK_EARLY);
		return 0;
	}
	tcp_send_first_syn(tp); /* a failure is the timer's to repair, as for a lost SYN */
	tcp_arm(tp, TCPT_REXMT, tcp_rto_us(tp));
	return -EINPROGRESS;
}

static int tcp_connect(struct sock *sk, const struct sockaddr *sa, socklen_t len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_sock *inet = &tp->inet;
	int err;

	if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV)
		return -EALREADY;
	if (sk->state != TCP_CLOSE)
		return -EISCONN;
	err = set_peer(inet, sa, len);
	if (err)
		goto fail;
	tcp_set_state(tp, TCP_SYN_SENT);
	err = inet_hash_connect(inet, tcp_check_established);
	if (err)
		goto fail_state;
	inet->sport = cpu_to_be16(inet->num);
	inet_ehash_insert(inet);
	start_connection(tp);
	mib_inc(sk->net, MIB_TcpActiveOpens);
	return open_connection(tp);

fail_state:
	tcp_set_state(tp, TCP_CLOSE);
	if (!inet->userlocks_port)
		inet_put_port(sk);
fail:
	forget_addresses(inet);
	return err;
}

static int tcp_listen(struct sock *sk, int backlog)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int err;

	/* A negative backlog is the largest, and somaxconn bounds all, as Linux. */
	tp->backlog = MIN((unsigned int)backlog, (unsigned int)sk->net->core.somaxconn);
	if (sk->state == TCP_LISTEN)
		return 0;
	if ((sk->net->tcp->sysctl.fastopen & TFO_SERVER_WO_SOCKOPT1) &&
	    (sk->net->tcp->sysctl.fastopen & TFO_SERVER_ENABLE) && !tp->fastopen_max_qlen)
		tcp_fastopen_listen(tp, tp->backlog);
	tcp_set_state(tp, TCP_LISTEN);
	err = sk->prot->get_port(sk, tp->inet.num);
	if (err) {
		tcp_set_state(tp, TCP_CLOSE);
		return err == -EADDRINUSE || err == -EACCES ? err : -EADDRINUSE;
	}
	tp->inet.sport = cpu_to_be16(tp->inet.num);
	inet_listen_insert(&tp->inet);
	return 0;
}

static struct sock *tcp_accept(struct sock *sk, int *err)
{
	struct tcp_sock *tp = tcp_sk(sk), *child;

	if (sk->state != TCP_LISTEN) {
		*err = -EINVAL;
		return NULL;
	}
	if (list_empty(&tp->accept_queue)) {
		*err = -EAGAIN;
		return NULL;
	}
	child = list_first_entry(&tp->accept_queue, struct tcp_sock, accept_node);
	list_del(&child->accept_node);
	child->listener = NULL;
	tp->accept_qlen--;
	return tcp_to_sk(child);
}

/* ---- CLOSE and ABORT (RFC 9293 3.10.4, 3.10.5) ----------------------------------------------- */

static bool needs_reset(uint8_t state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1 ||
	       state == TCP_FIN_WAIT2 || state == TCP_SYN_RECV;
}

/* Also ABORT: back to a fresh socket. */
static int tcp_disconnect(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t old = sk->state;

	if (old == TCP_LISTEN) {
		tcp_listen_stop(tp);
	} else if (needs_reset(old) ||
		   ((old == TCP_CLOSING || old == TCP_LAST_ACK) && tcp_unsent(tp))) {
		tcp_send_active_reset(tp);
		sk->err = ECONNRESET;
	} else if (old == TCP_SYN_SENT) {
		sk->err = ECONNRESET;
	}
	tcp_fastopen_child_end(tp, false);
	if (old != TCP_CLOSE)
		tcp_set_state(tp, TCP_CLOSE);
	leave_network(tp);
	skb_queue_purge(&sk->receive_queue);
	forget_addresses(&tp->inet);
	sk->shutdown = 0;
	sock_reset_flag(sk, SOCK_DONE);
	sk->err_soft = 0;
	reset_connection(tp);
	if (sk->err && !sock_flag(sk, SOCK_DEAD))
		sk->error_report(sk);
	return 0;
}

/**
 * tcp_queue_fin() - the program's text is complete
 * @tp:  connection; the state has been moved
 */
void tcp_queue_fin(struct tcp_sock *tp)
{
	tp->fin_queued = true;
	tcp_output(tp);
}

/* CLOSE's change of state; true when a FIN is to be sent. */
static bool close_state(struct tcp_sock *tp)
{
	switch (tp->inet.sk.state) {
	case TCP_ESTABLISHED:
		tcp_set_state(tp, TCP_FIN_WAIT1);
		return true;
	case TCP_CLOSE_WAIT:
		tcp_set_state(tp, TCP_LAST_ACK);
		return true;
	case TCP_SYN_RECV:
		/* RFC 9293 3.10.4: the FIN waits for ESTABLISHED, see tcp_finish_connect(). */
		tp->fin_queued = true;
		return false;
	default:
		return false;
	}
}

static int tcp_shutdown(struct sock *sk, int how)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!(how & SEND_SHUTDOWN))
		return 0;
	sk->shutdown |= SEND_SHUTDOWN;
	if (close_state(tp))
		tcp_queue_fin(tp);
	return 0;
}

/**
 * tcp_orphan_fin_wait2() - an orphan is in FIN-WAIT-2: it waits for the peer's FIN as a small entry
 * @tp:  orphan
 *
 * The time is bounded, although RFC 9293 knows no such limit. DEVIATES as Linux (tcp_fin_timeout).
 */
void tcp_orphan_fin_wait2(struct tcp_sock *tp)
{
	if (tp->linger2_s < 0) {
		tcp_send_active_reset(tp);
		mib_inc(tcp_net(tp), MIB_TcpExtTCPAbortOnLinger);
		tcp_done(tp);
		return;
	}
	tcp_enter_time_wait(tp, TCP_FIN_WAIT2, tcp_fin_time_ms(tp));
}

static void orphan(struct tcp_sock *tp)
{
	struct sock *sk = tcp_to_sk(tp);

	sock_orphan(sk);
	if (sk->state == TCP_CLOSE) {
		sock_put(sk);
		return;
	}
	count_orphan(tp);
	if (sk->state == TCP_FIN_WAIT2) {
		tcp_orphan_fin_wait2(tp);
	} else if (tcp_check_oom(tp)) {
		tcp_send_active_reset(tp);
		mib_inc(sk->net, MIB_TcpExtTCPAbortOnMemory);
		tcp_done(tp);
	}
}

/* The connection's own end when the program has closed: by FIN, or by RST where text is lost. */
static void finish_sending(struct tcp_sock *tp, bool unread)
{
	struct sock *sk = tcp_to_sk(tp);

	if (unread) {
		/* RFC 9293 3.10.4, RFC 2525 2.17: unread text means that the peer's was lost. */
		mib_inc(sk->net, MIB_TcpExtTCPAbortOnClose);
		tcp_send_active_reset(tp);
		tcp_done(tp);
	} else if (sock_flag(sk, SOCK_LINGER) && sk->linger_s == 0) {
		mib_inc(sk->net, MIB_TcpExtTCPAbortOnData);
		if (needs_reset(sk->state))
			tcp_send_active_reset(tp);
		tcp_done(tp);
	} else if (sk->state == TCP_SYN_SENT) {
		tcp_done(tp);
	} else if (close_state(tp)) {
		tcp_queue_fin(tp);
	}
}

static void tcp_close(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool unread = tcp_inq(tp) > 0;

	sock_hold(sk);
	sk->shutdown = SHUTDOWN_MASK;
	skb_queue_purge(&sk->receive_queue);
	sk->socket = NULL; /* nothing may reach the program from here on */
	if (sk->state == TCP_LISTEN) {
		tcp_listen_stop(tp);
		tcp_done(tp);
	} else if (sk->state != TCP_CLOSE) {
		finish_sending(tp, unread);
	}
	orphan(tp);
	sock_put(sk);
}

/**
 * tcp_kill_all() - the namespace ends: everything of TCP that has no program ends without a word
 * @net:  namespace
 */
void tcp_kill_all(struct net *net)
{
	struct sock *sk = sock_next(net, NULL), *next;

	while (sk) {
		sock_hold(sk);
		if (sk->prot == &tcp_timewait_prot)
			tcp_timewait_kill((struct tcp_timewait *)(void *)sk);
		else if (sk->prot == &tcp_prot && sk->state == TCP_LISTEN)
			tcp_listen_stop(tcp_sk(sk));
		else if (sk->prot == &tcp_prot && sock_flag(sk, SOCK_DEAD))
			tcp_done(tcp_sk(sk));
		next = sock_next(net, sk);
		sock_put(sk);
		sk = next;
	}
}

/* ---- poll ------------------------------------------------------------------------------------ */

/**
 * tcp_inq() - bytes that the program has yet to read
 * @tp:  connection
 */
uint32_t tcp_inq(const struct tcp_sock *tp)
{
	uint32_t n = tp->rcv_nxt - tp->copied_seq;

	if (tp->inet.sk.state == TCP_LISTEN || tp->inet.sk.state == TCP_SYN_SENT || n == 0)
		return 0;
	return sock_flag(&tp->inet.sk, SOCK_DONE) ? n - 1 : n; /* without the FIN */
}

/**
 * tcp_stream_writeable() - is so much of the send buffer free that a writer should be woken?
 * @tp:  connection
 *
 * A third, as Linux: waking for every byte would make programs write in crumbs.
 */
bool tcp_stream_writeable(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;

	return sk->sndbuf - sk->wmem_queued >= sk->wmem_queued / 2 && tcp_wmem_allows(tp) &&
	       tcp_below_lowat(tp);
}

static bool readable(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	uint32_t target = (uint32_t)MAX(sk->rcvlowat, 1), avail = tcp_inq(tp);

	if (tp->urg_state && tp->rcv_up == tp->copied_seq && !sock_flag(sk, SOCK_URGINLINE))
		target++; /* the urgent byte at the front is not for read() */
	return avail >= target || (avail && sk->rmem_alloc >= sk->rcvbuf);
}

static unsigned int tcp_poll(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned int mask = 0;

	if (sk->state == TCP_LISTEN)
		return list_empty(&tp->accept_queue) ? 0 : POLLIN | POLLRDNORM;
	if (sk->shutdown == SHUTDOWN_MASK || sk->state == TCP_CLOSE)
		mask |= POLLHUP;
	if (sk->shutdown & RCV_SHUTDOWN)
		mask |= POLLIN | POLLRDNORM | POLLRDHUP;
	if ((sk->state != TCP_SYN_SENT && sk->state != TCP_SYN_RECV) || sock_flag(sk, SOCK_EARLY)) {
		if (readable(tp))
			mask |= POLLIN | POLLRDNORM;
		if ((sk->shutdown & SEND_SHUTDOWN) || tcp_stream_writeable(tp))
			mask |= POLLOUT | POLLWRNORM;
		if (tp->urg_state == URG_VALID)
			mask |= POLLPRI;
	}
	if (sk->err || !skb_queue_empty(&sk->error_queue))
		mask |= POLLERR;
	return mask;
}

/**
 * tcp_describe() - one line on a connection for captures and traces, with its state
 * @sk:   socket, request or TIME-WAIT entry
 * @buf:  for the text
 * @len:  its size, bytes
 */
void tcp_describe(const struct sock *sk, char *buf, size_t len)
{
	size_t used;

	inet_describe(sk, buf, len);
	used = strlen(buf);
	snprintf(buf + used, len - used, " %s", tcp_state_name(sk->state));
}

static void tcp_keepalive(struct sock *sk, bool on)
{
	tcp_set_keepalive(tcp_sk(sk), on);
}

static void tcp_hash(struct sock *sk)
{
	if (sk->state == TCP_LISTEN)
		inet_listen_insert(inet_sk(sk));
	else if (sk->state != TCP_CLOSE)
		inet_ehash_insert(inet_sk(sk));
}

static void tcp_unhash(struct sock *sk)
{
	inet_ehash_remove(inet_sk(sk));
	inet_listen_remove(inet_sk(sk));
}

const struct proto tcp_prot = {
	.name = "TCP",
	.protocol = IPPROTO_TCP,
	.obj_size = sizeof(struct tcp_sock),
	.init = tcp_init_sock,
	.destroy = tcp_destroy_sock,
	.close = tcp_close,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.read_sock = tcp_read_sock,
	.fill_sock = tcp_fill_sock,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.keepalive = tcp_keepalive,
	.paces = true,
	.ioctl = tcp_ioctl,
	.poll = tcp_poll,
	.hash = tcp_hash,
	.unhash = tcp_unhash,
	.get_port = inet_get_port,
	.describe = tcp_describe,
};
