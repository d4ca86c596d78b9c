/* SPDX-License-Identifier: MIT */
/*
 * TCP Fast Open: text in the SYN, both sides (RFC 7413).
 *
 * Client. connect() with TCP_FASTOPEN_CONNECT, or sendmsg() with MSG_FASTOPEN, asks for it. Where a cookie
 * of the destination is known no SYN is sent yet: the socket is in SYN-SENT with SOCK_EARLY, and the first
 * write takes the SYN along (tcp_open_early()). Where none is known the SYN asks for one. A SYN is repeated
 * without text and without the option; text that the SYN-ACK does not acknowledge is then sent as if it
 * had never left. Cookies are kept in a table of fixed size, one destination a place: whoever comes
 * later takes it. A destination whose path has lost a SYN with text twice is left alone for a while,
 * doubling; tcp_fastopen_blackhole_timeout_sec does the same for all of them (0: off).
 *
 * Server. A SYN with a valid cookie becomes a full socket in SYN-RECEIVED at once: it is in the accept
 * queue, its text can be read and answered before the handshake's end. SOCK_EARLY says so, fastopen_rsk is
 * the listener whose bounded queue (TCP_FASTOPEN) it counts in until the handshake is complete. One that
 * is reset before goes on counting for a minute: it may have been spoofed (5.1).
 *
 * A cookie is a keyed hash of both addresses; a second key is accepted while keys are changed.
 *
 * Read first: RFC 7413 2, 4.1, 4.2. The experimental option (254, 0xF989) is understood and answered,
 * never asked for.
 */
#include "stack/tcp/tcp.h"

#define CACHE_SIZE 256U  /* destinations */
#define RST_HOLD (60 * NSEC_PER_SEC)
#define COOKIE_LEN 8U    /* of those that we make */
#define LOSSES_TO_PAUSE 2
#define MAX_PAUSE_SHIFT 6

/* What is remembered of a destination: RFC 7413 4.1.3. */
struct fastopen_peer {
	struct inet_addr addr;
	struct tcp_fastopen_cookie cookie; /* len 0 = none known */
	uint16_t mss;            /* its last MSS option, 0 = unknown */
	uint8_t losses;          /* SYNs with text in a row that were lost */
	ktime_t last_loss;
};

/* ---- the cache of cookies -------------------------------------------------------------------- */

static struct fastopen_peer *cache_slot(const struct net *net, const struct inet_addr *addr)
{
	struct fastopen_peer *cache = net->tcp->fastopen_cache;

	return cache ? &cache[siphash(addr, sizeof(*addr), net->tcp->ts_key) % CACHE_SIZE] : NULL;
}

static struct fastopen_peer *cache_find(const struct net *net, const struct inet_addr *addr)
{
	struct fastopen_peer *p = cache_slot(net, addr);

	return p && inet_addr_equal(&p->addr, addr) ? p : NULL;
}

static struct fastopen_peer *cache_take(struct net *net, const struct inet_addr *addr)
{
	struct fastopen_peer *p;

	if (!net->tcp->fastopen_cache)
		net->tcp->fastopen_cache = calloc(CACHE_SIZE, sizeof(*p));
	p = cache_slot(net, addr);
	if (p && !inet_addr_equal(&p->addr, addr))
		*p = (struct fastopen_peer){ .addr = *addr };
	return p;
}

/* RFC 7413 4.1.3.1: a path that loses such SYNs gets none for 2, 4, 8 ... 64 minutes. */
static bool path_paused(const struct net *net, const struct fastopen_peer *p)
{
	if (p->losses < LOSSES_TO_PAUSE)
		return false;
	return net->now - p->last_loss <
	       (60 * NSEC_PER_SEC) << MIN(p->losses - LOSSES_TO_PAUSE + 1, MAX_PAUSE_SHIFT);
}

/* As Linux: all Fast Open stops for the time of the sysctl, doubling each time it happens again. */
static bool all_paused(const struct net *net)
{
	const struct netns_tcp *t = net->tcp;
	uint64_t pause = (uint64_t)MAX(t->sysctl.fastopen_blackhole_timeout_s, 0) * (uint64_t)NSEC_PER_SEC;

	if (!pause || !t->fastopen_holes)
		return false;
	return net->now - t->fastopen_hole_time <
	       pause << MIN(t->fastopen_holes - 1, (unsigned int)MAX_PAUSE_SHIFT);
}

/* ---- client ---------------------------------------------------------------------------------- */

static bool no_cookie(const struct tcp_sock *tp, int flag)
{
	return (tcp_net(tp)->tcp->sysctl.fastopen & flag) || tp->fastopen_no_cookie;
}

/**
 * tcp_fastopen_prepare() - what the SYN of a Fast Open will say
 * @tp:  connection in SYN-SENT, addresses set, no SYN sent yet
 *
 * Source:  RFC 7413 4.1.2, 4.2.1
 * Return:  true when text may go with the SYN; else the SYN asks for a cookie, if Fast Open is not paused
 */
bool tcp_fastopen_prepare(struct tcp_sock *tp)
{
	struct net *net = tcp_net(tp);
	const struct fastopen_peer *p = cache_find(net, &tp->inet.daddr);

	tp->syn_option = false;
	if (all_paused(net) || (p && path_paused(net, p)))
		return false;
	if (p && p->mss) {
		tp->mss_clamp = tp->user_mss ? MIN(p->mss, tp->user_mss) : p->mss;
		tcp_sync_mss(tp, tp->pmtu);
	}
	if (no_cookie(tp, TFO_CLIENT_NO_COOKIE)) {
		tp->syn_fastopen = true;
		return true;
	}
	tp->syn_option = true;
	tp->syn_cookie.len = 0;
	if (!p || !p->cookie.len) {
		tp->fastopen_client_fail = TFO_FAIL_COOKIE_UNAVAILABLE;
		return false;
	}
	tp->syn_cookie = p->cookie;
	tp->syn_fastopen = true;
	return true;
}

/**
 * tcp_open_early() - the first write has come: send the SYN with it
 * @tp:  connection in SYN-SENT with SOCK_EARLY
 */
void tcp_open_early(struct tcp_sock *tp)
{
	sock_reset_flag(tcp_to_sk(tp), SOCK_EARLY);
	tp->syn_stamp = tcp_net(tp)->now;
	tcp_send_first_syn(tp);
	tcp_arm(tp, TCPT_REXMT, tcp_rto_us(tp));
}

static void note_loss(struct tcp_sock *tp, struct fastopen_peer *p, bool lost)
{
	if (!lost) {
		p->losses = 0;
		return;
	}
	p->losses = (uint8_t)MIN(p->losses + 1, UINT8_MAX);
	p->last_loss = tcp_net(tp)->now;
}

/* The SYN's text was not taken. It was never more than a try: it waits as if it had not been sent. */
static void take_text_back(struct tcp_sock *tp)
{
	uint32_t len = tp->snd_nxt - (tp->iss + 1);

	tp->fastopen_client_fail =
		tp->total_retrans ? TFO_FAIL_SYN_RETRANSMITTED : TFO_FAIL_DATA_NOT_ACKED;
	tp->snd_nxt = tp->iss + 1;
	tp->bytes_sent -= MIN(tp->bytes_sent, len);
	mib_inc(tcp_net(tp), MIB_TcpExtTCPFastOpenActiveFail);
}

/**
 * tcp_fastopen_synack() - what the SYN-ACK says about Fast Open
 * @tp:   connection in SYN-SENT
 * @seg:  acceptable SYN-ACK
 *
 * Source:  RFC 7413 4.1.3 (cache), 4.2.1 (a SYN-ACK of the SYN alone: the text is sent again)
 */
void tcp_fastopen_synack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct net *net = tcp_net(tp);
	bool cookie = seg->opt.has_fastopen && seg->opt.fastopen.len && tp->syn_asked;
	bool partial = tp->syn_data && before(seg->ack, tp->snd_nxt);
	struct fastopen_peer *p;

	if (!tp->syn_asked && !tp->syn_data)
		return;
	p = cache_take(net, &tp->inet.daddr);
	if (p) {
		p->mss = seg->opt.has_mss ? seg->opt.mss : (uint16_t)TCP_MSS_DEFAULT_V4;
		if (cookie)
			p->cookie = seg->opt.fastopen;
		note_loss(tp, p, tp->total_retrans && partial && !cookie);
	}
	if (partial && seg->ack == tp->iss + 1) {
		take_text_back(tp);
	} else if (tp->syn_data) {
		tp->syn_data_acked = true;
		net->tcp->fastopen_holes = 0;
		mib_inc(net, MIB_TcpExtTCPFastOpenActive);
	}
}

/**
 * tcp_fastopen_timeout() - a retransmission timeout, maybe because of the text in the SYN
 * @tp:  connection; retransmits counts this one
 *
 * Source:  RFC 7413 4.1.3.1 (the client is to remember); as Linux after two in a row
 */
void tcp_fastopen_timeout(struct tcp_sock *tp)
{
	struct netns_tcp *t = tcp_net(tp)->tcp;

	if (!tp->syn_data || tp->retransmits != 2 || t->sysctl.fastopen_blackhole_timeout_s <= 0)
		return;
	t->fastopen_holes++;
	t->fastopen_hole_time = tcp_net(tp)->now;
	mib_inc(tcp_net(tp), MIB_TcpExtTCPFastOpenBlackhole);
}

/* ---- server ---------------------------------------------------------------------------------- */

static void make_cookie(const uint64_t key[2], const struct tcp_segment *seg,
			struct tcp_fastopen_cookie *out)
{
	be32 addrs[2] = { seg->saddr.v4, seg->daddr.v4 };
	uint64_t hash = htole64(siphash(addrs, sizeof(addrs), key)); /* as Linux: servers may share a key */

	out->len = COOKIE_LEN;
	memcpy(out->val, &hash, COOKIE_LEN);
}

static const struct tcp_fastopen_keys *keys_of(const struct tcp_sock *listener)
{
	return listener->fastopen_keys.count ? &listener->fastopen_keys :
					       &tcp_net(listener)->tcp->fastopen_keys;
}

/* Which key made it: 1 the current, 2 the backup one; 0 none of them. */
static unsigned int check_cookie(const struct tcp_fastopen_keys *keys, const struct tcp_segment *seg)
{
	const struct tcp_fastopen_cookie *got = &seg->opt.fastopen;
	struct tcp_fastopen_cookie want;

	for (unsigned int i = 0; i < keys->count; i++) {
		make_cookie(keys->key[i], seg, &want);
		if (got->len == want.len && memcmp(got->val, want.val, want.len) == 0)
			return i + 1;
	}
	return 0;
}

/* RFC 7413 5.1: so many connections that have not been proven, those reset lately included. */
static bool queue_has_room(struct tcp_sock *listener)
{
	struct net *net = tcp_net(listener);

	if (!listener->fastopen_max_qlen)
		return false;
	if (net->now - listener->fastopen_rst_time >= RST_HOLD)
		listener->fastopen_rsts = 0;
	if (listener->fastopen_qlen + listener->fastopen_rsts < listener->fastopen_max_qlen)
		return true;
	mib_inc(net, MIB_TcpExtTCPFastOpenListenOverflow);
	return false;
}

/**
 * tcp_fastopen_try() - may this SYN open a connection at once?
 * @listener:  in LISTEN
 * @seg:       SYN
 * @answer:    cookie for the SYN-ACK
 * @has:       result: the SYN-ACK carries @answer
 *
 * Source:  RFC 7413 4.2.2, steps 1 to 4
 * Return:  true: accept the text
 */
bool tcp_fastopen_try(struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_fastopen_cookie *answer, bool *has)
{
	struct net *net = tcp_net(listener);
	unsigned int made_by;

	*has = false;
	if (seg->opt.has_fastopen && seg->opt.fastopen.len == 0)
		mib_inc(net, MIB_TcpExtTCPFastOpenCookieReqd);
	if (!(net->tcp->sysctl.fastopen & TFO_SERVER_ENABLE) || !(seg->opt.has_fastopen || seg->len) ||
	    !queue_has_room(listener))
		return false;
	if (no_cookie(listener, TFO_SERVER_COOKIE_NOT_REQD))
		return true;
	if (!seg->opt.has_fastopen)
		return false;
	made_by = check_cookie(keys_of(listener), seg);
	if (seg->opt.fastopen.len && !made_by)
		mib_inc(net, MIB_TcpExtTCPFastOpenPassiveFail);
	if (made_by == 2)
		mib_inc(net, MIB_TcpExtTCPFastOpenPassiveAltKey);
	if (made_by != 1) {
		make_cookie(keys_of(listener)->key[0], seg, answer);
		answer->exp = seg->opt.fastopen.exp;
		*has = true;
	}
	return made_by;
}

/**
 * tcp_fastopen_child_end() - the handshake of an early connection is complete, or will never be
 * @tp:        child; nothing happens when it was none, or long ago
 * @by_reset:  the peer has reset it
 */
void tcp_fastopen_child_end(struct tcp_sock *tp, bool by_reset)
{
	struct tcp_sock *listener = tp->fastopen_rsk;

	if (!listener)
		return;
	tp->fastopen_rsk = NULL;
	sock_reset_flag(tcp_to_sk(tp), SOCK_EARLY);
	listener->fastopen_qlen--;
	if (by_reset) {
		listener->fastopen_rsts++;
		listener->fastopen_rst_time = tcp_net(tp)->now;
	}
	sock_put(tcp_to_sk(listener));
}

/**
 * tcp_fastopen_listen() - TCP_FASTOPEN: how many early connections a listener may have
 * @tp:    socket
 * @qlen:  0 = none
 */
void tcp_fastopen_listen(struct tcp_sock *tp, uint32_t qlen)
{
	tp->fastopen_max_qlen = MIN(qlen, (uint32_t)tcp_net(tp)->core.somaxconn);
}

/**
 * tcp_fastopen_set_keys() - TCP_FASTOPEN_KEY: one key, or the current and a backup one
 * @keys:  where
 * @val:   16 or 32 bytes
 * @len:   which
 *
 * Return:  0; -EINVAL
 */
int tcp_fastopen_set_keys(struct tcp_fastopen_keys *keys, const void *val, socklen_t len)
{
	if (len != sizeof(keys->key[0]) && len != sizeof(keys->key))
		return -EINVAL;
	memcpy(keys->key, val, len);
	keys->count = (uint8_t)(len / sizeof(keys->key[0]));
	return 0;
}

/**
 * tcp_fastopen_init() - a namespace begins: a key of its own
 * @net:  namespace
 */
void tcp_fastopen_init(struct net *net)
{
	random_bytes(&net->random, net->tcp->fastopen_keys.key[0], sizeof(net->tcp->fastopen_keys.key[0]));
	net->tcp->fastopen_keys.count = 1;
}
