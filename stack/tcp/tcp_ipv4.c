/* SPDX-License-Identifier: MIT */
/*
 * TCP's seam to IP and to the namespace: segments in, segments out, ICMP errors, numbers that must
 * not be guessed, and registration.
 *
 * tcp_rcv() checks and parses a segment once, then hands it to whoever owns its four addresses: a
 * connection, a SYN-RECEIVED request, a TIME-WAIT entry (all in one table), a listener, or nobody,
 * which is the CLOSED state of RFC 9293 3.10.7.1.
 *
 * Read first: RFC 9293 3.10.7.1 and 3.5.2 (reset generation), RFC 6528 (initial numbers), RFC 5927
 * (why an ICMP error is believed only when it quotes text in flight).
 */
#include "stack/inet/icmp.h"
#include "stack/inet/inet_hash.h"
#include "stack/tcp/tcp.h"

#include <netinet/ip_icmp.h>

/* ---- out ------------------------------------------------------------------------------------- */

/**
 * tcp_alloc_header() - an empty buffer with room for the largest header in front
 * @inet:  sender; its route is renewed when stale
 * @err:   why not
 */
struct sk_buff *tcp_alloc_header(struct inet_sock *inet, int *err)
{
	struct net *net = inet->sk.net;
	struct sk_buff *skb;
	uint32_t room;

	if (!dst_check(net, &inet->dst)) {
		*err = inet_route(inet, &inet->daddr);
		if (*err < 0)
			return NULL;
	}
	room = ip_headroom(&inet->dst) + TCP_MAX_HLEN;
	skb = alloc_skb(net, room);
	if (!skb) {
		*err = -ENOBUFS;
		return NULL;
	}
	skb_reserve(skb, room);
	return skb;
}

/* Pseudo-header sum; the rest is the device's or dev_queue_xmit()'s work. */
static void start_checksum(struct sk_buff *skb, const struct inet_addr *saddr,
			   const struct inet_addr *daddr)
{
	struct tcp_hdr *th = (struct tcp_hdr *)(void *)skb->data;

	skb_reset_transport_header(skb);
	th->check = (uint16_t)~csum_fold(
		csum_tcpudp_nofold(saddr->v4, daddr->v4, skb->len, IPPROTO_TCP, 0));
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct tcp_hdr, check);
}

static void uncharge_segment(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	sk->wmem_alloc -= skb->truesize;
	sock_put(sk);
}

/* Charged to its socket, also so that captures know whose it is; the write queue decides when the
 * program may write again, so that no wake is due when a segment has left. */
static void set_owner(struct sk_buff *skb, struct sock *sk)
{
	sock_hold(sk);
	skb->sk = sk;
	skb->destructor = uncharge_segment;
	sk->wmem_alloc += skb->truesize;
}

/**
 * tcp_queue_xmit() - send a segment of a connection, request or TIME-WAIT entry
 * @inet:  sender, route valid (tcp_alloc_header())
 * @skb:   at the TCP header
 *
 * Return:  0 or negative errno
 */
int tcp_queue_xmit(struct inet_sock *inet, struct sk_buff *skb)
{
	struct net *net = inet->sk.net;
	struct ip_send_opts opts = {
		.protocol = IPPROTO_TCP,
		.tos = inet->tos,
		.ttl = inet->uc_ttl > 0 ? (uint8_t)inet->uc_ttl : 0,
		.df = inet->pmtudisc != IP_PMTUDISC_DONT,
		.no_frag = inet->pmtudisc != IP_PMTUDISC_DONT,
		.ident = inet->counts ? &inet->ident : NULL,
	};

	start_checksum(skb, &inet->saddr, &inet->daddr);
	set_owner(skb, &inet->sk);
	mib_add(net, MIB_TcpOutSegs, skb->gso_segs ? skb->gso_segs : 1);
	return ip_queue_xmit(net, skb, &inet->dst, &opts);
}

/**
 * tcp_send_bare() - a segment without text from an entry that is no full connection
 * @inet:   sender
 * @seq:    SEG.SEQ
 * @ack:    SEG.ACK
 * @wnd:    as in the header
 * @flags:  TCPHDR_*
 * @ts:     timestamps to carry, NULL = none
 */
void tcp_send_bare(struct inet_sock *inet, uint32_t seq, uint32_t ack, uint16_t wnd, uint8_t flags,
		   const struct tcp_options *ts)
{
	struct sk_buff *skb;
	struct tcp_hdr *th;
	int err;

	skb = tcp_alloc_header(inet, &err);
	if (!skb)
		return;
	if (ts)
		tcp_write_ts_option(skb_push(skb, TCP_TS_OPTLEN), ts->tsval, ts->tsecr);
	th = (struct tcp_hdr *)(void *)skb_push(skb, TCP_HLEN);
	memset(th, 0, TCP_HLEN);
	th->source = inet->sport;
	th->dest = inet->dport;
	th->seq = cpu_to_be32(seq);
	th->ack_seq = cpu_to_be32(ack);
	th->doff = (uint8_t)((TCP_HLEN + (ts ? TCP_TS_OPTLEN : 0)) / 4 << 4);
	th->flags = flags;
	th->window = cpu_to_be16(wnd);
	tcp_queue_xmit(inet, skb);
}

/* The header of a reset that answers @seg. RFC 9293 3.10.7.1 and 3.5.2, group 1. */
static void fill_reset(struct tcp_hdr *th, const struct tcp_segment *seg)
{
	memset(th, 0, TCP_HLEN);
	th->source = seg->dport;
	th->dest = seg->sport;
	th->doff = TCP_HLEN / 4 << 4;
	th->flags = TCPHDR_RST;
	if (seg->flags & TCPHDR_ACK) {
		th->seq = cpu_to_be32(seg->ack);
	} else {
		th->flags |= TCPHDR_ACK;
		th->ack_seq = cpu_to_be32(seg->end_seq);
	}
}

/**
 * tcp_send_reset() - answer a segment that belongs to no connection with a reset
 * @seg:  never answered when it is a reset itself
 */
void tcp_send_reset(const struct tcp_segment *seg)
{
	struct flowi fl = { .daddr = seg->saddr, .saddr = seg->daddr };
	struct ip_send_opts opts = { .protocol = IPPROTO_TCP, .df = true };
	struct net *net = seg->net;
	struct sk_buff *skb;
	struct dst dst;
	uint32_t room;

	if ((seg->flags & TCPHDR_RST) || route_lookup(net, &fl, &dst) < 0)
		return;
	room = ip_headroom(&dst) + TCP_HLEN;
	skb = alloc_skb(net, room);
	if (!skb)
		return;
	skb_reserve(skb, room);
	fill_reset((struct tcp_hdr *)(void *)skb_push(skb, TCP_HLEN), seg);
	start_checksum(skb, &seg->daddr, &seg->saddr);
	mib_inc(net, MIB_TcpOutSegs);
	mib_inc(net, MIB_TcpOutRsts);
	ip_queue_xmit(net, skb, &dst, &opts);
}

/* ---- in -------------------------------------------------------------------------------------- */

static bool checksum_ok(const struct sk_buff *skb)
{
	const struct ip_skb_cb *ip = ip_cb(skb);
	uint32_t sum;

	if (skb->ip_summed != CHECKSUM_NONE)
		return true;
	sum = csum_tcpudp_nofold(ip->saddr, ip->daddr, skb->len, IPPROTO_TCP, 0);
	return csum_fold(skb_checksum(skb, 0, skb->len, sum)) == 0;
}

/* Reads the header into @seg; why not, when it is none. Borrows the skb. */
static enum skb_drop_reason parse_segment(struct sk_buff *skb, struct tcp_segment *seg)
{
	const struct ip_skb_cb *ip = ip_cb(skb);
	const struct tcp_hdr *th = skb_header(skb, 0, TCP_HLEN);
	uint32_t hlen;

	if (!th)
		return SKB_DROP_TCP_SHORT;
	hlen = (th->doff >> 4) * 4U;
	if (hlen < TCP_HLEN || !skb_header(skb, 0, hlen))
		return SKB_DROP_TCP_SHORT;
	if (!checksum_ok(skb))
		return SKB_DROP_TCP_CHECKSUM;

	memset(seg, 0, sizeof(*seg));
	seg->skb = skb;
	seg->net = skb->net;
	seg->saddr = inet_addr_v4(ip->saddr);
	seg->daddr = inet_addr_v4(ip->daddr);
	seg->iif = ip->iif;
	seg->ttl = ip->ttl;
	seg->ecn = ip->tos & INET_ECN_MASK;
	seg->sport = th->source;
	seg->dport = th->dest;
	seg->seq = be32_to_cpu(th->seq);
	seg->ack = be32_to_cpu(th->ack_seq);
	seg->wnd = be16_to_cpu(th->window);
	seg->urg_ptr = be16_to_cpu(th->urg_ptr);
	seg->flags = th->flags;
	seg->reserved = th->doff & 0x0f;
	seg->hlen = (uint8_t)hlen;
	seg->len = skb->len - hlen;
	seg->end_seq = seg->seq + seg->len + (seg->flags & TCPHDR_SYN ? 1 : 0) +
		       (seg->flags & TCPHDR_FIN ? 1 : 0);
	tcp_parse_options((const uint8_t *)th + TCP_HLEN, hlen - TCP_HLEN, seg->flags & TCPHDR_SYN,
			  &seg->opt);
	return SKB_NOT_DROPPED;
}

/**
 * tcp_lookup() - who owns the addresses of a segment: connection, request, TIME-WAIT or listener
 * @seg:  segment
 *
 * Return:  borrowed, or NULL
 */
struct inet_sock *tcp_lookup(const struct tcp_segment *seg)
{
	struct inet_sock *inet;

	inet = inet_lookup_established(seg->net, IPPROTO_TCP, &seg->saddr, seg->sport, &seg->daddr,
				       seg->dport, seg->iif);
	if (inet)
		return inet;
	return inet_lookup_listener(seg->net, IPPROTO_TCP, &seg->saddr, seg->sport, &seg->daddr,
				    seg->dport, seg->iif);
}

/* RFC 9293 3.10.7.1: no connection; everything but a reset is answered with one. */
static void tcp_rcv_closed(struct tcp_segment *seg)
{
	tcp_carry_out(seg, TCP_RESULT(RESET, DROP_TCP_NO_SOCKET));
}

static void timewait_segment(struct tcp_timewait *tw, struct tcp_segment *seg)
{
	struct tcp_result r;
	struct inet_sock *listener;
	bool again = false;
	uint32_t isn = 0;

	r = tcp_timewait_rcv(tw, seg, &again, &isn);
	if (!again) {
		tcp_carry_out(seg, r);
		return;
	}
	listener = inet_lookup_listener(seg->net, IPPROTO_TCP, &seg->saddr, seg->sport, &seg->daddr,
					seg->dport, seg->iif);
	if (!listener) {
		tcp_rcv_closed(seg);
		return;
	}
	tcp_timewait_kill(tw);
	tcp_carry_out(seg, tcp_conn_request((struct tcp_sock *)(void *)listener, seg, isn));
}

static void deliver(struct inet_sock *inet, struct tcp_segment *seg)
{
	struct sock *sk = &inet->sk;

	rx_note_owner(seg->net, sk);
	/* RFC 5082 3 (GTSM), IP_MINTTL: who is farther away than agreed is not heard. */
	if (ip_cb(seg->skb)->ttl < inet->min_ttl) {
		skb_drop(seg->skb, SKB_DROP_TCP_MINTTL);
		return;
	}
	sock_hold(sk);
	if (sk->prot == &tcp_timewait_prot)
		timewait_segment((struct tcp_timewait *)(void *)inet, seg);
	else if (sk->prot == &tcp_request_prot)
		tcp_carry_out(seg, tcp_request_rcv((struct tcp_request *)(void *)inet, seg));
	else
		tcp_segment_rcv(tcp_sk(sk), seg);
	sock_put(sk);
}

/**
 * tcp_rcv() - a segment from IP
 * @skb:  at the TCP header, ip_cb() filled; consumed
 */
void tcp_rcv(struct sk_buff *skb)
{
	struct net *net = skb->net;
	enum skb_drop_reason bad;
	struct tcp_segment seg;
	struct inet_sock *inet;

	mib_add(net, MIB_TcpInSegs, skb->gso_segs ? skb->gso_segs : 1);
	/* RFC 9293 3.9.2.3 (MUST-57): nothing that came by broadcast or multicast. */
	if (ip_cb(skb)->bcast) {
		skb_drop(skb, SKB_DROP_TCP_NO_SOCKET);
		return;
	}
	bad = parse_segment(skb, &seg);
	if (bad != SKB_NOT_DROPPED) {
		skb_drop(skb, bad);
		return;
	}
	inet = tcp_lookup(&seg);
	if (inet)
		deliver(inet, &seg);
	else
		tcp_rcv_closed(&seg);
}

/* ---- ICMP errors ----------------------------------------------------------------------------- */

/* RFC 1191, RFC 5927 7: the path takes less than we sent. All in flight is lost, without congestion. */
static void mtu_reduced(struct tcp_sock *tp, uint32_t mtu)
{
	struct inet_sock *inet = &tp->inet;
	uint32_t old = tcp_current_mss(tp), now;

	if (inet->pmtudisc == IP_PMTUDISC_DONT || inet->sk.state == TCP_LISTEN)
		return;
	route_update_pmtu(tcp_net(tp), &inet->daddr, mtu);
	now = tcp_route_mtu(tp);
	if (!now || now >= tp->pmtu)
		return;
	tcp_sync_mss(tp, now);
	if (tcp_current_mss(tp) >= old || tcp_in_flight(tp) == 0 || inet->sk.state == TCP_SYN_SENT)
		return;
	tcp_mark_all_lost(tp, old);
	tcp_output(tp);
}

/* An error that ends or troubles a connection. RFC 9293 3.9.2.2; soft unless it is being opened. */
static void connection_error(struct tcp_sock *tp, int err)
{
	struct sock *sk = tcp_to_sk(tp);

	if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV) {
		/* DEVIATES: also "soft" errors end an attempt to connect, as Linux. */
		tcp_abort(tp, err);
		return;
	}
	if (tp->inet.recverr && !sock_flag(sk, SOCK_DEAD))
		sk_set_err(sk, err);
	else
		sk->err_soft = err;
}

static void full_socket_err(struct tcp_sock *tp, uint32_t seq, uint8_t type, uint8_t code,
			    uint32_t info)
{
	bool fatal = false;
	int err;

	if (tp->inet.sk.state == TCP_LISTEN || tp->inet.sk.state == TCP_CLOSE)
		return;
	/* RFC 5927 4.1: what is quoted must be in flight. */
	if (!between(seq, tp->snd_una, tp->snd_nxt)) {
		mib_inc(tcp_net(tp), MIB_TcpExtOutOfWindowIcmps);
		return;
	}
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		mtu_reduced(tp, info);
		return;
	}
	err = icmp_err_convert(type, code, &fatal);
	if (err)
		connection_error(tp, err < 0 ? -err : err);
}

/**
 * tcp_err() - an ICMP error about a segment of ours
 * @skb:   quoted packet at its TCP header, 8 bytes at least; borrowed
 * @type:  ICMP type
 * @code:  ICMP code
 * @info:  next-hop MTU for "fragmentation needed"
 */
void tcp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_skb_cb *ip = ip_cb(skb);
	const struct tcp_hdr *th = skb_header(skb, 0, 8);
	struct inet_addr saddr = inet_addr_v4(ip->saddr), daddr = inet_addr_v4(ip->daddr);
	struct inet_sock *inet;
	bool fatal = false;
	int err;

	/* RFC 6633: source quench is ignored. */
	if (!th || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT)
		return;
	inet = inet_lookup_established(skb->net, IPPROTO_TCP, &daddr, th->dest, &saddr, th->source,
				       0);
	if (!inet) {
		mib_inc(skb->net, MIB_IcmpInErrors);
		return;
	}
	sock_hold(&inet->sk);
	if (inet->sk.prot == &tcp_request_prot) {
		err = icmp_err_convert(type, code, &fatal);
		if (err && !(type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED))
			tcp_request_err((struct tcp_request *)(void *)inet, be32_to_cpu(th->seq));
	} else if (inet->sk.prot != &tcp_timewait_prot) {
		full_socket_err(tcp_sk(&inet->sk), be32_to_cpu(th->seq), type, code, info);
	}
	sock_put(&inet->sk);
}

/* ---- numbers that must not be guessed -------------------------------------------------------- */

/**
 * tcp_secure_isn() - initial sequence number for a four-tuple
 * @net:   namespace
 * @inet:  addresses and ports are set
 *
 * Source:  RFC 6528 3: a clock of 4 microseconds a tick plus a keyed hash of the four-tuple
 */
uint32_t tcp_secure_isn(struct net *net, const struct inet_sock *inet)
{
	struct {
		struct inet_addr saddr, daddr;
		be16 sport, dport;
		uint32_t pad;
	} key = { inet->saddr, inet->daddr, inet->sport, inet->dport, 0 };
	uint64_t hash = siphash(&key, sizeof(key), net->tcp->isn_key);

	return (uint32_t)hash + (uint32_t)(net->now / (4 * NSEC_PER_USEC));
}

/**
 * tcp_secure_ts_off() - offset of the timestamp clock between two addresses
 * @net:    namespace
 * @saddr:  ours
 * @daddr:  peer
 *
 * The same for all connections between the two, so that timestamps never go back from one to the next
 * (RFC 7323 5.4, 7.1) and a TIME-WAIT can be reused by them.
 */
uint32_t tcp_secure_ts_off(struct net *net, const struct inet_addr *saddr,
			   const struct inet_addr *daddr)
{
	struct inet_addr key[2] = { *saddr, *daddr };

	if (net->tcp->sysctl.timestamps == 2)
		return 0;
	return (uint32_t)siphash(key, sizeof(key), net->tcp->ts_key);
}

/* ---- the namespace --------------------------------------------------------------------------- */

static int tcp_net_init(struct net *net)
{
	static const struct inet_protosw sw = {
		.type = SOCK_STREAM, .protocol = IPPROTO_TCP, .is_default = true,
		.prot = &tcp_prot, .ops = &inet_stream_ops,
	};
	struct netns_tcp *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	random_bytes(&net->random, t->isn_key, sizeof(t->isn_key));
	random_bytes(&net->random, t->ts_key, sizeof(t->ts_key));
	random_bytes(&net->random, t->cookie_key, sizeof(t->cookie_key));
	t->protocol =
		(struct net_protocol){ .protocol = IPPROTO_TCP, .rcv = tcp_rcv, .err = tcp_err };
	net->tcp = t;
	tcp_fastopen_init(net);
	tcp_sysctl_init(net);
	err = tcp_cong_init_net(net);
	if (!err)
		err = inet_add_protocol(net, &t->protocol);
	if (!err)
		err = inet_register_protosw(net, &sw);
	if (err) {
		tcp_sysctl_exit(net);
		net->tcp = NULL;
		free(t);
	}
	return err;
}

/* Whatever is still alive in TCP ends without a word on the wire. */
static void tcp_net_exit(struct net *net)
{
	tcp_kill_all(net);
	tcp_sysctl_exit(net);
	free(net->tcp->fastopen_cache);
	free(net->tcp);
	net->tcp = NULL;
}

const struct pernet_operations tcp_pernet_ops = {
	.name = "tcp",
	.init = tcp_net_init,
	.exit = tcp_net_exit,
};
