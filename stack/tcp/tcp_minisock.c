/* SPDX-License-Identifier: MIT */
/*
 * SYN-RECEIVED of a passive open: half-open connections, which are no sockets yet.
 *
 * A SYN to a listener makes a struct tcp_request, a few hundred bytes that remember what the SYN said
 * and repeat the SYN-ACK. The ACK that completes the handshake turns it into a full socket in the
 * listener's accept queue, or is dropped when that queue is full: the request stays, and the next
 * SYN-ACK asks for the ACK again. Requests live in the established table, where segments find them.
 */
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "stack/tcp/tcp.h"

/* ---- SYN-RECEIVED ---------------------------------------------------------------------------- */

static void request_timeout(struct timer_list *t);

static void destroy_request(struct sock *sk)
{
	free(((struct tcp_request *)(void *)sk)->saved_syn);
}

const struct proto tcp_request_prot = {
	.name = "TCP",
	.protocol = IPPROTO_TCP,
	.obj_size = sizeof(struct tcp_request),
	.destroy = destroy_request,
	.describe = tcp_describe,
};

/**
 * tcp_request_kill() - forget a half-open connection
 * @req:  request; the caller holds a reference if it goes on using it
 */
void tcp_request_kill(struct tcp_request *req)
{
	struct tcp_sock *listener = req->listener;

	if (!listener)
		return;
	req->listener = NULL;
	list_del(&req->node);
	listener->syn_qlen--;
	if (req->timeouts == 0)
		listener->syn_young--;
	inet_ehash_remove(&req->inet);
	timer_destroy(&req->timer);
	sock_put(tcp_to_sk(listener));
	sock_put(&req->inet.sk);
}

static void set_request_address(struct tcp_request *req, const struct tcp_sock *listener,
				const struct tcp_segment *seg)
{
	const struct inet_sock *from = &listener->inet;
	struct inet_sock *inet = &req->inet;

	inet_sock_init(inet);
	inet->saddr = inet->rcv_saddr = seg->daddr;
	inet->daddr = seg->saddr;
	inet->num = be16_to_cpu(seg->dport);
	inet->sport = seg->dport;
	inet->dport = seg->sport;
	inet->tos = from->tos;
	inet->uc_ttl = from->uc_ttl;
	inet->pmtudisc = from->pmtudisc;
	inet->sk.bound_dev_if = from->sk.bound_dev_if;
	inet->sk.mark = from->sk.mark;
	inet->sk.priority = from->sk.priority;
	inet->sk.owner = from->sk.owner;
	inet->sk.state = TCP_SYN_RECV;
}

/* What the SYN offers and we have enabled is agreed on. */
static void set_request_options(struct tcp_request *req, const struct tcp_sock *listener,
				const struct tcp_segment *seg)
{
	const struct tcp_sysctls *sysctl = &seg->net->tcp->sysctl;
	const struct tcp_options *o = &seg->opt;

	req->ts_ok = sysctl->timestamps && o->has_ts;
	req->sack_ok = sysctl->sack && o->has_sack_ok;
	req->wscale_ok = sysctl->window_scaling && o->has_wscale;
	req->snd_wscale = req->wscale_ok ? o->wscale : 0;
	req->ts_recent = req->ts_ok ? o->tsval : 0;
	req->mss = o->has_mss ? o->mss : TCP_MSS_DEFAULT_V4;
	if (listener->user_mss)
		req->mss = (uint16_t)MIN(req->mss, listener->user_mss);
	req->peer_wnd = (uint16_t)seg->wnd;
	req->advmss = tcp_advertised_mss(&req->inet, listener->user_mss);
	/* Whole segments as they will be, timestamps and all: 65160 bytes and not 64240, as Linux. */
	tcp_select_initial_window(seg->net, listener->inet.sk.rcvbuf,
				  req->advmss - (req->ts_ok ? TCP_TS_OPTLEN : 0), req->wscale_ok,
				  tcp_initial_clamp(listener), &req->rcv_wnd, &req->rcv_wscale);
	tcp_ecn_request(req, listener, seg);
}

static struct tcp_sock *create_child(struct tcp_request *req);

static struct tcp_request *new_request(struct tcp_sock *listener, const struct tcp_segment *seg,
				       uint32_t isn)
{
	struct sock *sk =
		sk_alloc(seg->net, listener->inet.sk.family, SOCK_STREAM, &tcp_request_prot);
	struct tcp_request *req = (struct tcp_request *)(void *)sk;

	if (!sk)
		return NULL;
	set_request_address(req, listener, seg);
	list_init(&req->node);
	timer_setup(&req->timer, &seg->net->timers, request_timeout);
	if (inet_route(&req->inet, &req->inet.daddr) < 0) {
		sock_put(sk);
		return NULL;
	}
	set_request_options(req, listener, seg);
	req->irs = seg->seq;
	req->iss = isn ? isn : tcp_secure_isn(seg->net, &req->inet);
	req->ts_off = tcp_secure_ts_off(seg->net, &req->inet.saddr, &req->inet.daddr);
	req->sent = seg->net->now;
	return req;
}

static bool accept_queue_full(const struct tcp_sock *listener)
{
	/* One more than asked for, as Linux. */
	return listener->accept_qlen + listener->inet.sk.accept_held > listener->backlog;
}

/* The listener drops a SYN, or the ACK that would have completed a handshake. */
static struct tcp_result listen_drop(struct net *net, enum skb_drop_reason reason)
{
	mib_inc(net, MIB_TcpExtListenDrops);
	return (struct tcp_result){ .verdict = TCP_DROP, .reason = reason };
}

/* The backlog bounds half-open connections as well as finished ones, as Linux. */
static bool syn_queue_full(const struct tcp_sock *listener)
{
	return listener->syn_qlen > listener->backlog;
}

/*
 * Without cookies max_syn_backlog is a second limit. Linux leaves its last quarter to peers that it has
 * measurements of; we keep none.
 */
static bool syn_backlog_full(const struct tcp_sock *listener)
{
	const struct tcp_sysctls *sysctl = &tcp_net(listener)->tcp->sysctl;
	int left = sysctl->max_syn_backlog - (int)MIN(listener->syn_qlen, (uint32_t)INT32_MAX);

	return left < sysctl->max_syn_backlog >> 2;
}

static void queue_request(struct tcp_request *req, struct tcp_sock *listener)
{
	req->listener = listener;
	sock_hold(tcp_to_sk(listener));
	list_add_tail(&req->node, &listener->syn_queue);
	listener->syn_qlen++;
	listener->syn_young++;
	inet_ehash_insert(&req->inet);
}

/* TCP_SAVE_SYN; without memory there is none to be read. */
static void save_syn(struct tcp_request *req, uint8_t what, const struct tcp_segment *seg)
{
	const struct sk_buff *skb = seg->skb;
	const uint8_t *from = what == 2 ? skb->head + skb->mac_header : skb_network_header(skb);
	uint32_t len = (uint32_t)(skb->data - from) + seg->hlen;

	if (what == 0 || from > skb->data)
		return;
	req->saved_syn = malloc(sizeof(*req->saved_syn) + len);
	if (!req->saved_syn)
		return;
	req->saved_syn->len = len;
	memcpy(req->saved_syn->data, from, len);
}

/* The SYN-ACK says everything; nothing is kept. */
static void answer_by_cookie(struct tcp_sock *listener, struct tcp_request *req)
{
	req->cookie = true;
	req->iss = tcp_cookie_isn(req);
	/* Without timestamps there is no place for these. */
	if (!req->ts_ok) {
		req->sack_ok = req->wscale_ok = req->ecn_ok = false;
		req->snd_wscale = req->rcv_wscale = 0;
	}
	tcp_cookie_sent(listener);
	tcp_send_synack(req);
	sock_put(&req->inet.sk);
}

/* A connection that is ready goes to the end of the accept queue; the caller wakes the listener. */
static void queue_child(struct tcp_sock *listener, struct tcp_sock *child, const struct tcp_segment *seg)
{
	child->inet.mc_index = seg->iif; /* as on Linux: for IP_PKTOPTIONS */
	child->inet.mc_ttl = seg->ttl;
	inet_ehash_insert(&child->inet);
	child->listener = listener;
	list_add_tail(&child->accept_node, &listener->accept_queue);
	listener->accept_qlen++;
	mib_inc(seg->net, MIB_TcpPassiveOpens);
}

/* Text of a SYN that Fast Open accepts. */
static struct tcp_result take_early_text(struct tcp_sock *child, const struct tcp_segment *syn)
{
	struct tcp_segment seg = *syn;
	enum skb_drop_reason reason;

	if (!seg.len)
		return TCP_GO_ON;
	seg.seq++;
	seg.flags &= (uint8_t)~TCPHDR_SYN;
	reason = tcp_data_queue(child, &seg);
	child->syn_data_acked = child->rcv_nxt != seg.seq;
	child->rcv_wup = child->rcv_nxt; /* the SYN-ACK announces the window from here */
	child->ack.scheduled = child->ack.now = false;
	if (reason == SKB_NOT_DROPPED)
		return TCP_RESULT(TAKEN, NOT_DROPPED);
	return (struct tcp_result){ .verdict = TCP_DROP, .reason = reason };
}

/* RFC 7413 4.2.2: a full socket in SYN-RECEIVED, which the program may use at once. */
static struct tcp_result open_early(struct tcp_sock *listener, struct tcp_request *req,
				    const struct tcp_segment *seg)
{
	struct sock *lsk = tcp_to_sk(listener);
	struct tcp_sock *child = create_child(req);
	struct tcp_result r;

	if (!child)
		return listen_drop(seg->net, SKB_DROP_NO_MEMORY);
	sock_hold(lsk);
	child->fastopen_rsk = listener;
	listener->fastopen_qlen++;
	sock_set_flag(tcp_to_sk(child), SOCK_EARLY);
	child->syn_option = req->has_fastopen;
	child->syn_cookie = req->fastopen;
	mib_inc(seg->net, MIB_TcpExtTCPFastOpenPassive);
	queue_child(listener, child, seg);
	tcp_init_cwnd(child);
	tcp_init_buffers(child);
	r = take_early_text(child, seg);
	tcp_send_first_syn(child);
	tcp_arm(child, TCPT_REXMT, tcp_rto_us(child));
	lsk->data_ready(lsk);
	return r;
}

/**
 * tcp_conn_request() - a SYN for a listener
 * @listener:  in LISTEN
 * @seg:       SYN without ACK, RST, FIN
 * @isn:       our initial number when a TIME-WAIT is being replaced, else 0: the peer is a real one,
 *             and no limit of half-open connections holds for it
 *
 * Source:  RFC 9293 3.10.7.2, third. Text in a SYN without Fast Open is not kept; the peer sends it again
 *          (DEVIATES). RFC 4987 3.6: cookies when the queue is full (tcp_syncookies)
 */
struct tcp_result tcp_conn_request(struct tcp_sock *listener, struct tcp_segment *seg, uint32_t isn)
{
	struct net *net = seg->net;
	int syncookies = net->tcp->sysctl.syncookies;
	struct tcp_request *req;
	bool cookie = false;

	if (!isn && (syncookies == 2 || syn_queue_full(listener))) {
		if (!syncookies)
			return listen_drop(net, SKB_DROP_TCP_SYN_QUEUE_FULL);
		mib_inc(net, MIB_TcpExtTCPReqQFullDoCookies);
		cookie = true;
	}
	if (accept_queue_full(listener))
		return listen_drop(net, SKB_DROP_TCP_LISTEN_OVERFLOW);
	if (!isn && !syncookies && syn_backlog_full(listener))
		return listen_drop(net, SKB_DROP_TCP_SYN_QUEUE_FULL);
	req = new_request(listener, seg, isn);
	if (!req)
		return listen_drop(net, SKB_DROP_NO_MEMORY);
	if (!cookie)
		save_syn(req, listener->save_syn, seg);
	if (cookie) {
		answer_by_cookie(listener, req);
		return TCP_GO_ON;
	}
	if (tcp_fastopen_try(listener, seg, &req->fastopen, &req->has_fastopen)) {
		struct tcp_result r;

		req->listener = listener;
		r = open_early(listener, req, seg);
		req->listener = NULL;
		sock_put(&req->inet.sk);
		return r;
	}
	queue_request(req, listener);
	mod_timer(&req->timer, net->now + TCP_RTO_INIT_US * NSEC_PER_USEC);
	tcp_send_synack(req);
	return TCP_GO_ON;
}

static bool deferred(const struct tcp_request *req)
{
	const struct tcp_sock *l = req->listener;

	return l->defer_accept_s &&
	       req->inet.sk.net->now - req->sent < l->defer_accept_s * NSEC_PER_SEC;
}

/*
 * How often a SYN-ACK is sent again. While the queue is more than half full old requests make way for
 * young ones: the fewer of those, the sooner an old one is given up. As Linux.
 */
static int synack_retries(const struct tcp_sock *listener)
{
	uint32_t young = listener->syn_young * 2, qlen = listener->syn_qlen;
	int retries = tcp_net(listener)->tcp->sysctl.synack_retries;

	if (qlen * 2 <= MAX(8U, listener->backlog))
		return retries;
	for (; retries > 2 && qlen >= young; young *= 2)
		retries--;
	return retries;
}

/* SYN-ACK again, after 1, 2, 4, 8, 16 s; a request that waits for text (deferred) asks only at the end. */
static void request_timeout(struct timer_list *t)
{
	struct tcp_request *req = container_of(t, struct tcp_request, timer);
	struct net *net = req->inet.sk.net;

	if (!req->listener)
		return;
	if (req->timeouts >= synack_retries(req->listener)) {
		mib_inc(net, MIB_TcpAttemptFails);
		tcp_request_kill(req);
		return;
	}
	if (req->timeouts++ == 0)
		req->listener->syn_young--;
	mod_timer(&req->timer,
		  net->now + ((uint64_t)TCP_RTO_INIT_US << req->timeouts) * NSEC_PER_USEC);
	if (req->acked && deferred(req))
		return;
	req->retransmitted = true;
	mib_inc(net, MIB_TcpRetransSegs);
	tcp_send_synack(req);
}

static void request_ack(struct tcp_request *req)
{
	struct net *net = req->inet.sk.net;
	struct tcp_options ts = { .tsval = tcp_ts_clock(net, req->ts_off), .tsecr = req->ts_recent };

	if (tcp_oow_rate_limited(net, &req->last_oow_ack, MIB_TcpExtTCPACKSkippedSynRecv))
		return;
	tcp_send_bare(&req->inet, req->iss + 1, req->irs + 1,
		      (uint16_t)(req->rcv_wnd >> req->rcv_wscale), TCPHDR_ACK,
		      req->ts_ok ? &ts : NULL);
}

/* First to fourth check of RFC 9293 3.10.7.4 for SYN-RECEIVED of a passive open. */
static struct tcp_result check_request_segment(struct tcp_request *req,
					       const struct tcp_segment *seg)
{
	bool old_ts = req->ts_ok && seg->opt.has_ts && !(seg->flags & TCPHDR_RST) &&
		      (int32_t)(seg->opt.tsval - req->ts_recent) < 0;

	if (old_ts || before(seg->end_seq, req->irs + 1) ||
	    after(seg->seq, req->irs + 1 + req->rcv_wnd)) {
		if (!(seg->flags & TCPHDR_RST))
			request_ack(req);
		return old_ts ? TCP_RESULT(DROP, DROP_TCP_PAWS) :
				TCP_RESULT(DROP, DROP_TCP_OUT_OF_WINDOW);
	}
	if (seg->flags & TCPHDR_RST) {
		/* RFC 5961 3.2; a passive open goes back to LISTEN without a word. */
		if (seg->seq == req->irs + 1) {
			mib_inc(seg->net, MIB_TcpAttemptFails);
			mib_inc(seg->net, MIB_TcpExtEmbryonicRsts);
			tcp_request_kill(req);
		} else {
			request_ack(req);
		}
		return TCP_RESULT(DROP, DROP_TCP_RESET);
	}
	if (seg->flags & TCPHDR_SYN) {
		mib_inc(seg->net, MIB_TcpAttemptFails);
		mib_inc(seg->net, MIB_TcpExtEmbryonicRsts);
		tcp_request_kill(req);
		return TCP_RESULT(DROP, DROP_TCP_INVALID_SYN);
	}
	return TCP_GO_ON;
}

static struct tcp_result complete_request(struct tcp_request *req, struct tcp_segment *seg);

/**
 * tcp_request_rcv() - a segment for a half-open connection
 * @req:  request; the caller holds a reference
 * @seg:  segment
 *
 * Source:  RFC 9293 3.10.7.4 for SYN-RECEIVED
 */
struct tcp_result tcp_request_rcv(struct tcp_request *req, struct tcp_segment *seg)
{
	struct tcp_result r;

	if (!req->listener)
		return TCP_RESULT(RESET, DROP_TCP_NO_SOCKET);
	if ((seg->flags & (TCPHDR_SYN | TCPHDR_ACK | TCPHDR_RST)) == TCPHDR_SYN &&
	    seg->seq == req->irs) {
		/* The SYN again: our SYN-ACK was lost. */
		if (!tcp_oow_rate_limited(seg->net, &req->last_oow_ack, MIB_TcpExtTCPACKSkippedSynRecv)) {
			req->retransmitted = true;
			if (req->ecn_ok) /* RFC 3168 6.1.1: a single SYN without ends ECN */
				tcp_ecn_request(req, req->listener, seg);
			mib_inc(seg->net, MIB_TcpRetransSegs);
			tcp_send_synack(req);
		}
		return TCP_GO_ON;
	}
	r = check_request_segment(req, seg);
	if (r.verdict != TCP_PASS)
		return r;
	if (!(seg->flags & TCPHDR_ACK))
		return TCP_RESULT(DROP, DROP_TCP_FLAGS);
	if (seg->ack != req->iss + 1)
		return TCP_RESULT(RESET, DROP_TCP_ACK_INVALID);
	if (deferred(req) && seg->end_seq == req->irs + 1) {
		req->acked = true;
		mib_inc(seg->net, MIB_TcpExtTCPDeferAcceptDrop);
		return TCP_GO_ON;
	}
	return complete_request(req, seg);
}

/**
 * tcp_request_err() - an ICMP error about a SYN-ACK
 * @req:  request; the caller holds a reference
 * @seq:  number that the error quotes; only that of the SYN-ACK counts (RFC 5927 4.1)
 */
void tcp_request_err(struct tcp_request *req, uint32_t seq)
{
	if (seq != req->iss) {
		mib_inc(req->inet.sk.net, MIB_TcpExtOutOfWindowIcmps);
		return;
	}
	mib_inc(req->inet.sk.net, MIB_TcpAttemptFails);
	tcp_request_kill(req);
}

/* ---- from request to socket ------------------------------------------------------------------ */

static void inherit_settings(struct tcp_sock *child, const struct tcp_sock *listener)
{
	child->ca = listener->ca;
	child->user_mss = listener->user_mss;
	child->window_clamp = listener->window_clamp;
	child->nodelay = listener->nodelay;
	child->cork = listener->cork;
	child->keep_idle_s = listener->keep_idle_s;
	child->keep_intvl_s = listener->keep_intvl_s;
	child->keep_cnt = listener->keep_cnt;
	child->syn_retries = listener->syn_retries;
	child->user_timeout_ms = listener->user_timeout_ms;
	child->linger2_s = listener->linger2_s;
	child->notsent_lowat = listener->notsent_lowat;
	child->inq_cmsg = listener->inq_cmsg;
	child->thin_lto = listener->thin_lto;
}

static void inherit_numbers(struct tcp_sock *child, const struct tcp_request *req)
{
	child->iss = child->snd_una = child->snd_up = child->snd_sml = req->iss;
	child->snd_nxt = child->write_seq = req->iss + 1;
	child->snd_wscale = req->snd_wscale;
	child->snd_wnd = child->max_window = req->peer_wnd;
	child->irs = req->irs;
	child->rcv_nxt = child->rcv_wup = child->copied_seq = child->last_ack_sent = req->irs + 1;
	child->rcv_wnd = req->rcv_wnd;
	child->rcv_wscale = req->rcv_wscale;
	child->wscale_ok = req->wscale_ok;
	child->sack_ok = req->sack_ok;
	child->ts_ok = req->ts_ok;
	tcp_ecn_create_child(child, req);
	child->ts_off = req->ts_off;
	child->ts_recent = req->ts_recent;
	child->ts_recent_stamp = req->ts_ok ? req->sent : 0;
	child->mss_clamp = req->mss;
	child->advmss = req->advmss;
	child->syn_stamp = req->cookie ? 0 : req->sent; /* a cookie does not tell when it was sent */
	child->retransmits = req->timeouts;
	child->total_retrans = req->retransmitted ? MAX(req->timeouts, 1) : 0;
}

/* A full socket in SYN-RECEIVED in place of the request; NULL without memory. */
static struct tcp_sock *create_child(struct tcp_request *req)
{
	struct tcp_sock *listener = req->listener, *child;
	struct net *net = req->inet.sk.net;
	struct sock *sk;

	sk = sk_alloc(net, listener->inet.sk.family, SOCK_STREAM, &tcp_prot);
	if (!sk)
		return NULL;
	child = tcp_sk(sk);
	inet_sock_init(&child->inet);
	if (tcp_prot.init(sk)) {
		sock_put(sk);
		return NULL;
	}
	inet_sock_clone(&child->inet, &listener->inet);
	inherit_settings(child, listener);
	inherit_numbers(child, req);
	child->inet.saddr = child->inet.rcv_saddr = req->inet.saddr;
	child->inet.daddr = req->inet.daddr;
	child->inet.dport = req->inet.dport;
	child->inet.ident = (uint16_t)random_u32(&net->random);
	child->inet.counts = true;
	child->inet.sport = req->inet.sport;
	child->inet.dst = req->inet.dst;
	child->inet.num = 0;
	inet_inherit_port(&child->inet, &listener->inet);
	child->inet.num = req->inet.num;
	child->inet.userlocks_port = child->inet.userlocks_addr = false;
	tcp_sync_mss(child, child->inet.dst.mtu);
	child->saved_syn = req->saved_syn;
	req->saved_syn = NULL;
	sk->state = TCP_SYN_RECV;
	return child;
}

/* The ACK of our SYN-ACK: RFC 9293 3.10.7.4, fifth, SYN-RECEIVED. */
static struct tcp_result complete_request(struct tcp_request *req, struct tcp_segment *seg)
{
	struct tcp_sock *listener = req->listener, *child;
	struct sock *lsk = tcp_to_sk(listener);

	if (accept_queue_full(listener)) {
		if (seg->net->tcp->sysctl.abort_on_overflow) {
			mib_inc(seg->net, MIB_TcpExtListenDrops);
			tcp_request_kill(req);
			return TCP_RESULT(RESET, DROP_TCP_LISTEN_OVERFLOW);
		}
		req->acked = true;
		return listen_drop(seg->net, SKB_DROP_TCP_LISTEN_OVERFLOW);
	}
	child = create_child(req);
	if (!child)
		return listen_drop(seg->net, SKB_DROP_NO_MEMORY);
	sock_hold(lsk);
	tcp_request_kill(req);
	queue_child(listener, child, seg);
	sock_hold(tcp_to_sk(child));
	tcp_segment_rcv(child, seg);
	sock_put(tcp_to_sk(child));
	lsk->data_ready(lsk);
	sock_put(lsk);
	return TCP_RESULT(TAKEN, NOT_DROPPED);
}

/**
 * tcp_cookie_rcv() - a segment with ACK for a listener: the answer to a cookie, or a stray
 * @listener:  in LISTEN
 * @seg:       segment
 *
 * Source:  RFC 9293 3.10.7.2, second: a reset, unless the ACK completes what a cookie began (RFC 4987)
 */
struct tcp_result tcp_cookie_rcv(struct tcp_sock *listener, struct tcp_segment *seg)
{
	struct tcp_request *req;
	struct tcp_segment syn;
	struct tcp_result r;

	if (!tcp_cookie_check(listener, seg, &syn))
		return TCP_RESULT(RESET, DROP_TCP_FLAGS);
	req = new_request(listener, &syn, seg->ack - 1);
	if (!req)
		return listen_drop(seg->net, SKB_DROP_NO_MEMORY);
	req->cookie = true;
	queue_request(req, listener);
	sock_hold(&req->inet.sk);
	r = complete_request(req, seg);
	tcp_request_kill(req); /* there is no SYN-ACK to ask for the ACK again */
	sock_put(&req->inet.sk);
	return r;
}

/**
 * tcp_listen_stop() - a listener closes: half-open connections are forgotten, finished ones reset
 * @tp:  listener
 */
void tcp_listen_stop(struct tcp_sock *tp)
{
	struct tcp_request *req, *next_req;
	struct tcp_sock *child;
	struct sock *sk;

	list_for_each_entry_safe(req, next_req, &tp->syn_queue, node)
		tcp_request_kill(req);
	while (!list_empty(&tp->accept_queue)) {
		child = list_first_entry(&tp->accept_queue, struct tcp_sock, accept_node);
		sk = tcp_to_sk(child);
		list_del(&child->accept_node);
		child->listener = NULL;
		tp->accept_qlen--;
		if (sk->state != TCP_CLOSE) {
			tcp_send_active_reset(child);
			tcp_done(child);
		}
		sock_put(sk);
	}
}
