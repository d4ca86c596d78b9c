/* SPDX-License-Identifier: MIT */
/*
 * Options of level IPPROTO_TCP, TCP_INFO, ioctls. Ranges and errors are those of Linux; what is not
 * implemented answers -ENOPROTOOPT and never succeeds silently.
 */
#include <linux/inet_diag.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "stack/tcp/tcp.h"

#include <linux/tcp.h> /* behind sock.h: it defines SOCK_*_LOCK as macros */

#define MAX_KEEPIDLE_S  32767
#define MAX_KEEPINTVL_S 32767
#define MAX_KEEPCNT     127
#define MAX_SYNCNT      127
#define MAX_LINGER2_S   120
#define MIN_MAXSEG      88
#define MAX_MAXSEG      32767
#define MIN_CLAMP       1152

/* ---- setting --------------------------------------------------------------------------------- */

enum { OPT_IS_MPTCP = 43 }; /* TCP_IS_MPTCP, which older headers lack */

static int set_ranged_u32(uint32_t *field, int v, int min, int max)
{
	if (v < min || v > max)
		return -EINVAL;
	*field = (uint32_t)v;
	return 0;
}

static int set_ranged_u8(uint8_t *field, int v, int min, int max)
{
	if (v < min || v > max)
		return -EINVAL;
	*field = (uint8_t)v;
	return 0;
}

static int set_congestion(struct tcp_sock *tp, const void *val, socklen_t len)
{
	if (len < 1)
		return -EINVAL;
	return tcp_set_congestion_control(tp, val,
					  strnlen(val, MIN(len, (socklen_t)TCP_CA_NAME_MAX - 1)));
}

/* Seconds, rounded up to whole SYN-ACK timeouts of 1, 2, 4 ... s, as Linux shows them. */
static uint32_t round_to_retries(int seconds)
{
	uint32_t period = 1, step = 1, retries;

	if (seconds <= 0)
		return 0;
	for (retries = 1; period < (uint32_t)seconds && retries < 255; retries++) {
		step = MIN(step * 2, 120U);
		period += step;
	}
	return period;
}

static int set_window_clamp(struct tcp_sock *tp, int v)
{
	if (v == 0 && tp->inet.sk.state != TCP_CLOSE)
		return -EINVAL;
	tp->window_clamp = v == 0 ? 0 : (uint32_t)MAX(v, MIN_CLAMP);
	return 0;
}

static int set_keepidle(struct tcp_sock *tp, int v)
{
	int err = set_ranged_u32(&tp->keep_idle_s, v, 1, MAX_KEEPIDLE_S);

	if (!err && sock_flag(&tp->inet.sk, SOCK_KEEPOPEN))
		tcp_set_keepalive(tp, true);
	return err;
}

static void set_quickack(struct tcp_sock *tp, int v)
{
	uint8_t state = tp->inet.sk.state;

	tp->ack.pingpong = !v;
	if (!v)
		return;
	if ((state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && tp->ack.scheduled) {
		tcp_send_ack(tp);
		/* An even value: this once only. */
		tp->ack.pingpong = !(v & 1);
	}
	if (v & 1)
		tp->ack.quick = TCP_MAX_QUICKACKS;
}

static int set_nodelay(struct tcp_sock *tp, int v)
{
	bool cork = tp->cork;

	tp->nodelay = v;
	if (v) { /* tcp(7): what is pending goes even if TCP_CORK holds it */
		tp->cork = false;
		tcp_output(tp);
		tp->cork = cork;
	}
	return 0;
}

static int set_cork(struct tcp_sock *tp, int v)
{
	tp->cork = v;
	if (!v)
		tcp_output(tp);
	return 0;
}

static int set_fastopen(struct tcp_sock *tp, int name, int v)
{
	uint8_t state = tp->inet.sk.state;
	bool fresh = state == TCP_CLOSE || state == TCP_LISTEN;

	switch (name) {
	case TCP_FASTOPEN:
		if (v < 0 || !fresh)
			return -EINVAL;
		tcp_fastopen_listen(tp, (uint32_t)v);
		return 0;
	case TCP_FASTOPEN_CONNECT:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (!(tcp_net(tp)->tcp->sysctl.fastopen & TFO_CLIENT_ENABLE))
			return -EOPNOTSUPP;
		if (state != TCP_CLOSE)
			return -EINVAL;
		tp->fastopen_connect = v;
		return 0;
	default: /* TCP_FASTOPEN_NO_COOKIE */
		if (v < 0 || v > 1 || !fresh)
			return -EINVAL;
		tp->fastopen_no_cookie = v;
		return 0;
	}
}

static int set_linger2(struct tcp_sock *tp, int v)
{
	if (v < 0)
		tp->linger2_s = -1;
	else
		tp->linger2_s = MIN(v, MAX_LINGER2_S);
	return 0;
}

static int set_int_option(struct tcp_sock *tp, int name, int v)
{
	switch (name) {
	case TCP_NODELAY:
		return set_nodelay(tp, v);
	case TCP_CORK:
		return set_cork(tp, v);
	case TCP_MAXSEG:
		return v == 0 ? (tp->user_mss = 0, 0) :
				set_ranged_u32(&tp->user_mss, v, MIN_MAXSEG, MAX_MAXSEG);
	case TCP_KEEPIDLE:
		return set_keepidle(tp, v);
	case TCP_KEEPINTVL:
		return set_ranged_u32(&tp->keep_intvl_s, v, 1, MAX_KEEPINTVL_S);
	case TCP_KEEPCNT:
		return set_ranged_u8(&tp->keep_cnt, v, 1, MAX_KEEPCNT);
	case TCP_SYNCNT:
		return set_ranged_u8(&tp->syn_retries, v, 1, MAX_SYNCNT);
	case TCP_LINGER2:
		return set_linger2(tp, v);
	case TCP_DEFER_ACCEPT:
		tp->defer_accept_s = round_to_retries(v);
		return 0;
	case TCP_WINDOW_CLAMP:
		return set_window_clamp(tp, v);
	case TCP_QUICKACK:
		set_quickack(tp, v);
		return 0;
	case TCP_USER_TIMEOUT:
		return set_ranged_u32(&tp->user_timeout_ms, v, 0, INT32_MAX);
	case TCP_NOTSENT_LOWAT:
		tp->notsent_lowat = (uint32_t)v;
		tcp_write_space(tp);
		return 0;
	case TCP_INQ:
		if (v < 0 || v > 1)
			return -EINVAL;
		tp->inq_cmsg = v;
		return 0;
	case TCP_SAVE_SYN:
		if (v < 0 || v > 2)
			return -EINVAL;
		tp->save_syn = (uint8_t)v;
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		if (v < 0 || v > 1)
			return -EINVAL;
		tp->thin_lto = v;
		return 0;
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_NO_COOKIE:
		return set_fastopen(tp, name, v);
	default:
		return -ENOPROTOOPT;
	}
}

/*
 * TCP_REPAIR and what belongs to it, with which connections are saved and restored: nobody may, as on Linux
 * without CAP_NET_ADMIN. 1: it is another option.
 */
static int set_repair(const struct tcp_sock *tp, int name)
{
	switch (name) {
	case TCP_REPAIR:
	case TCP_REPAIR_QUEUE:
	case TCP_REPAIR_WINDOW:
	case TCP_TIMESTAMP:
		return -EPERM;
	case TCP_QUEUE_SEQ:
		return tp->inet.sk.state == TCP_CLOSE ? -EINVAL : -EPERM;
	case TCP_REPAIR_OPTIONS:
		return -EINVAL;
	default:
		return 1;
	}
}

/**
 * tcp_setsockopt() - setsockopt() of level IPPROTO_TCP
 * @sk:     socket
 * @level:  level
 * @name:   TCP_*
 * @val:    value
 * @len:    its length
 *
 * Return:  0; -ENOPROTOOPT for what is not there, -EINVAL out of range, -ENOENT for an unknown algorithm,
 *          -EPERM for what nobody may
 */
int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	int v, err;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	if (name == TCP_CONGESTION)
		return set_congestion(tcp_sk(sk), val, len);
	if (name == TCP_FASTOPEN_KEY)
		return tcp_fastopen_set_keys(&tcp_sk(sk)->fastopen_keys, val, len);
	if (name == TCP_ULP) /* the name of an upper-layer protocol: none is there */
		return len ? -ENOENT : -EINVAL;
	err = sockopt_get_int(val, len, &v);
	if (err)
		return err;
	err = set_repair(tcp_sk(sk), name);
	return err <= 0 ? err : set_int_option(tcp_sk(sk), name, v);
}

/* ---- TCP_INFO -------------------------------------------------------------------------------- */

static uint32_t ms_since(const struct tcp_sock *tp, ktime_t then)
{
	return then ? (uint32_t)((tcp_net(tp)->now - then) / NSEC_PER_MSEC) : 0;
}

static uint32_t segments(const struct tcp_sock *tp, uint32_t bytes)
{
	uint32_t mss = tcp_current_mss(tp);

	return bytes / mss + (bytes % mss ? 1 : 0);
}

static void info_recovery(const struct tcp_sock *tp, struct tcp_info *i)
{
	i->tcpi_ca_state = tp->ca_state;
	i->tcpi_unacked = tp->packets_out;
	i->tcpi_sacked = tp->sacked_out + segments(tp, tp->reno_sacked);
	i->tcpi_lost = tp->lost_out;
	i->tcpi_retrans = tp->retrans_out;
	i->tcpi_retransmits = tp->retransmits;
	i->tcpi_backoff = tp->backoff;
	i->tcpi_probes = tp->probes_out;
	i->tcpi_total_retrans = tp->total_retrans;
	i->tcpi_bytes_retrans = tp->bytes_retrans;
	i->tcpi_dsack_dups = tp->dsack_dups;
	i->tcpi_reordering = tp->reordering;
	i->tcpi_reord_seen = tp->reord_seen;
	i->tcpi_snd_cwnd = MAX(tp->snd_cwnd / tcp_current_mss(tp), 1U);
	i->tcpi_snd_ssthresh = tp->snd_ssthresh >= TCP_INFINITE_SSTHRESH ?
				       INT32_MAX : tp->snd_ssthresh / tcp_current_mss(tp);
}

static void info_times(const struct tcp_sock *tp, struct tcp_info *i)
{
	i->tcpi_rto = tcp_rto_us(tp);
	i->tcpi_ato = tp->ack.ato_ms * 1000;
	i->tcpi_rtt = tp->srtt_us;
	i->tcpi_rttvar = tp->rttvar_us;
	i->tcpi_min_rtt = tp->min_rtt_us;
	i->tcpi_rcv_rtt = tp->rcv_rtt_us;
	i->tcpi_last_data_sent = ms_since(tp, tp->last_send);
	i->tcpi_last_data_recv = ms_since(tp, tp->ack.lrcvtime);
	i->tcpi_last_ack_recv = ms_since(tp, tp->rcv_tstamp);
}

static void fill_info(const struct tcp_sock *tp, struct tcp_info *i)
{
	memset(i, 0, sizeof(*i));
	i->tcpi_state = tp->inet.sk.state;
	if (i->tcpi_state == TCP_LISTEN) { /* as Linux: the accept queue */
		i->tcpi_unacked = tp->accept_qlen;
		i->tcpi_sacked = tp->backlog;
		return;
	}
	i->tcpi_options = (uint8_t)((tp->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) |
				    (tp->sack_ok ? TCPI_OPT_SACK : 0) |
				    (tp->wscale_ok ? TCPI_OPT_WSCALE : 0) |
				    (tp->ecn_flags & TCP_ECN_OK ? TCPI_OPT_ECN : 0) |
				    (tp->ecn_flags & TCP_ECN_SEEN ? TCPI_OPT_ECN_SEEN : 0) |
				    (tp->syn_data_acked ? TCPI_OPT_SYN_DATA : 0));
	i->tcpi_fastopen_client_fail = (unsigned char)(tp->fastopen_client_fail & 3U) & 3U;
	i->tcpi_snd_wscale = (unsigned char)(tp->snd_wscale & 15U) & 15U;
	i->tcpi_rcv_wscale = (unsigned char)(tp->rcv_wscale & 15U) & 15U;
	i->tcpi_snd_mss = tcp_current_mss(tp);
	i->tcpi_rcv_mss = tp->ack.rcv_mss;
	i->tcpi_advmss = tp->advmss;
	i->tcpi_pmtu = tp->pmtu;
	i->tcpi_rcv_ssthresh = tp->rcv_ssthresh;
	i->tcpi_rcv_space = tp->rcvq_space;
	i->tcpi_bytes_acked = tp->bytes_acked;
	i->tcpi_bytes_received = tp->bytes_received;
	i->tcpi_bytes_sent = tp->bytes_sent;
	i->tcpi_segs_out = tp->segs_out;
	i->tcpi_segs_in = tp->segs_in;
	i->tcpi_data_segs_in = tp->data_segs_in;
	i->tcpi_data_segs_out = tp->data_segs_out;
	i->tcpi_delivered = tp->delivered;
	i->tcpi_delivered_ce = tp->delivered_ce;
	i->tcpi_delivery_rate = tcp_delivery_rate(tp);
	i->tcpi_delivery_rate_app_limited = tp->rate_app_limited;
	i->tcpi_notsent_bytes = tp->write_seq - tp->snd_nxt;
	if (after(tp->snd_nxt, tp->write_seq))
		i->tcpi_notsent_bytes = 0;
	i->tcpi_rcv_ooopack = tp->rcv_ooopack;
	i->tcpi_snd_wnd = tp->snd_wnd;
	i->tcpi_pacing_rate = tcp_pacing_rate(tp);
	i->tcpi_max_pacing_rate = tp->inet.sk.max_pacing_rate;
	i->tcpi_busy_time = tcp_chrono_us(tp, TCP_CHRONO_BUSY) +
			    tcp_chrono_us(tp, TCP_CHRONO_RWND_LIMITED) +
			    tcp_chrono_us(tp, TCP_CHRONO_SNDBUF_LIMITED);
	i->tcpi_rwnd_limited = tcp_chrono_us(tp, TCP_CHRONO_RWND_LIMITED);
	i->tcpi_sndbuf_limited = tcp_chrono_us(tp, TCP_CHRONO_SNDBUF_LIMITED);
	info_times(tp, i);
	info_recovery(tp, i);
}

/* struct tcp_info with what came after snd_wnd (Linux 6.2, 6.7), whatever header we are built with. */
struct full_info {
	uint8_t base[240];
	uint32_t rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time_ms;
};

static void fill_full_info(const struct tcp_sock *tp, struct full_info *out)
{
	struct tcp_info info;

	memset(out, 0, sizeof(*out));
	fill_info(tp, &info);
	memcpy(out->base, &info, MIN(sizeof(info), sizeof(out->base)));
	if (info.tcpi_state == TCP_LISTEN)
		return;
	out->rcv_wnd = tp->rcv_wnd;
	out->total_rto = tp->total_rto;
	out->total_rto_recoveries = tp->total_rto_recoveries;
	out->total_rto_time_ms = tp->total_rto_time_ms;
	if (tp->rto_stamp)
		out->total_rto_time_ms += ms_since(tp, tp->rto_stamp);
}

/* Once, as on Linux: who reads it frees it. */
static int give_saved_syn(struct tcp_sock *tp, void *val, socklen_t *len)
{
	int err;

	if (!tp->saved_syn) {
		*len = 0;
		return 0;
	}
	if (*len < tp->saved_syn->len)
		return -EINVAL;
	err = sockopt_put_bytes(val, len, tp->saved_syn->data, tp->saved_syn->len);
	free(tp->saved_syn);
	tp->saved_syn = NULL;
	return err;
}

/* ---- getting --------------------------------------------------------------------------------- */

static int maxseg(const struct tcp_sock *tp)
{
	uint8_t state = tp->inet.sk.state;

	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return tp->user_mss ? (int)tp->user_mss : (int)TCP_MSS_DEFAULT_V4;
	return (int)tcp_current_mss(tp);
}

static int get_int_option(const struct tcp_sock *tp, int name, int *v)
{
	const struct tcp_sysctls *sysctl = &tcp_net(tp)->tcp->sysctl;

	switch (name) {
	case TCP_NODELAY: *v = tp->nodelay; return 0;
	case TCP_CORK: *v = tp->cork; return 0;
	case TCP_MAXSEG: *v = maxseg(tp); return 0;
	case TCP_KEEPIDLE: *v = (int)tcp_keepalive_time(tp); return 0;
	case TCP_KEEPINTVL: *v = (int)tcp_keepalive_intvl(tp); return 0;
	case TCP_KEEPCNT: *v = (int)tcp_keepalive_cnt(tp); return 0;
	case TCP_SYNCNT: *v = tp->syn_retries ? tp->syn_retries : sysctl->syn_retries; return 0;
	case TCP_LINGER2: *v = tp->linger2_s ? tp->linger2_s : sysctl->fin_timeout_s; return 0;
	case TCP_DEFER_ACCEPT: *v = (int)tp->defer_accept_s; return 0;
	case TCP_WINDOW_CLAMP: *v = (int)tp->window_clamp; return 0;
	case TCP_QUICKACK: *v = !tp->ack.pingpong; return 0;
	case TCP_USER_TIMEOUT: *v = (int)tp->user_timeout_ms; return 0;
	case TCP_NOTSENT_LOWAT: *v = (int)tp->notsent_lowat; return 0;
	case TCP_INQ: *v = tp->inq_cmsg; return 0;
	case TCP_SAVE_SYN: *v = tp->save_syn; return 0;
	case TCP_THIN_LINEAR_TIMEOUTS: *v = tp->thin_lto; return 0;
	case TCP_TIMESTAMP: *v = (int)tcp_ts_clock(tcp_net(tp), tp->ts_off); return 0;
	case TCP_REPAIR:
	case OPT_IS_MPTCP: *v = 0; return 0;
	case TCP_REPAIR_QUEUE: /* in repair mode only */
	case TCP_QUEUE_SEQ:
	case TCP_REPAIR_WINDOW: return -EINVAL;
	case TCP_FASTOPEN: *v = (int)tp->fastopen_max_qlen; return 0;
	case TCP_FASTOPEN_CONNECT: *v = tp->fastopen_connect; return 0;
	case TCP_FASTOPEN_NO_COOKIE: *v = tp->fastopen_no_cookie; return 0;
	default: return -ENOPROTOOPT;
	}
}

/**
 * tcp_getsockopt() - getsockopt() of level IPPROTO_TCP
 * @sk:     socket
 * @level:  level
 * @name:   TCP_*
 * @val:    answer
 * @len:    in: room; out: length of the answer
 */
int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int v, err;

	if (level != IPPROTO_TCP)
		return -EOPNOTSUPP;
	if (name == TCP_INFO) {
		struct full_info info;

		fill_full_info(tp, &info);
		return sockopt_put_bytes(val, len, &info, sizeof(info));
	}
	if (name == TCP_SAVED_SYN)
		return give_saved_syn(tcp_sk(sk), val, len);
	if (name == TCP_CC_INFO) {
		union tcp_cc_info info = { { 0 } };
		int attr;

		return sockopt_put_bytes(val, len, &info,
					 (socklen_t)tcp_get_cc_info(tp, &info, &attr));
	}
	if (name == TCP_CONGESTION) {
		char ca[TCP_CA_NAME_MAX] = { 0 };

		memcpy(ca, tp->ca->name, MIN(strlen(tp->ca->name), sizeof(ca) - 1));
		return sockopt_put_bytes(val, len, ca, sizeof(ca));
	}
	if (name == TCP_FASTOPEN_KEY) {
		const struct tcp_fastopen_keys *keys =
			tp->fastopen_keys.count ? &tp->fastopen_keys : &tcp_net(tp)->tcp->fastopen_keys;

		return sockopt_put_bytes(val, len, keys->key,
					 (socklen_t)(keys->count * sizeof(keys->key[0])));
	}
	if (name == TCP_ULP)
		return sockopt_put_bytes(val, len, "", 0);
	err = get_int_option(tp, name, &v);
	return err ? err : sockopt_put_int(val, len, v);
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static int readable_bytes(const struct tcp_sock *tp)
{
	uint32_t n = tcp_inq(tp), to_mark = tp->rcv_up - tp->copied_seq;

	/* Up to the urgent byte, which is not part of the text. */
	if (tp->urg_state && !sock_flag(&tp->inet.sk, SOCK_URGINLINE) && to_mark < n)
		return (int)to_mark;
	return (int)n;
}

/**
 * tcp_ioctl() - SIOCINQ (FIONREAD), SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD
 * @sk:     socket
 * @cmd:    request
 * @value:  answer
 *
 * Return:  0; -EINVAL for a listener, -ENOTTY for what is not there
 */
int tcp_ioctl(struct sock *sk, unsigned long cmd, int *value)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	bool handshake = sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV;

	switch (cmd) {
	case SIOCINQ:
		if (sk->state == TCP_LISTEN)
			return -EINVAL;
		*value = readable_bytes(tp);
		return 0;
	case SIOCATMARK:
		*value = tp->urg_state && tp->rcv_up == tp->copied_seq;
		return 0;
	case SIOCOUTQ:
		if (sk->state == TCP_LISTEN)
			return -EINVAL;
		*value = handshake ? 0 : (int)(tcp_snd_end(tp) - tp->snd_una);
		return 0;
	case SIOCOUTQNSD:
		if (sk->state == TCP_LISTEN)
			return -EINVAL;
		*value = handshake ? 0 : (int)tcp_unsent(tp);
		return 0;
	default:
		return -ENOTTY;
	}
}
