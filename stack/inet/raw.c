/* SPDX-License-Identifier: MIT */
/*
 * Raw sockets (man 7 raw) and ICMP echo sockets (man 7 icmp, "ping" sockets).
 *
 * A raw socket gets a copy of every packet for us of its protocol, with the IP header, before the
 * protocol itself sees the packet; ICMP_FILTER keeps ICMP types away. It sends payload under a header
 * of ours, or with IP_HDRINCL whole packets. IPPROTO_RAW only sends.
 *
 * An echo socket (SOCK_DGRAM, IPPROTO_ICMP) sends echo requests under an identifier that is bound like
 * a port, and gets the replies that carry it, with their ICMP header.
 *
 * Limits: MSG_MORE is refused. Read first: RFC 791 3.2 (Send, Receive), RFC 792.
 */
#include "stack/core/checksum.h"
#include "stack/core/filter.h"
#include "stack/inet/datagram.h"
#include "stack/inet/icmp.h"
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"

#define ICMP_HLEN 8U
#define OPT_ICMP_FILTER 1 /* linux/icmp.h */
#define IP_MAX_PACKET 65535U

struct raw_sock {
	struct inet_sock inet;
	uint32_t filter; /* ICMP_FILTER: bit set = type is kept away */
};

struct netns_raw {
	struct list_head socks[256]; /* struct inet_sock.hash_node, by protocol */
};

/* --- common to both --------------------------------------------------------------------------- */

/* @strict: AF_UNSPEC does not pass for AF_INET. */
static int read_destination(const struct sock *sk, const struct stack_msg *msg, bool strict,
			    struct dgram_send *s)
{
	struct sockaddr_in sin;

	if (!msg->name || !msg->namelen) {
		if (sk->state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		s->daddr = inet_sk(sk)->daddr;
		s->connected = true;
		return 0;
	}
	if (msg->namelen < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, msg->name, sizeof(sin));
	if (sin.sin_family != AF_INET && (strict || sin.sin_family != AF_UNSPEC))
		return -EAFNOSUPPORT;
	s->daddr = inet_addr_v4(sin.sin_addr.s_addr);
	return 0;
}

static int check_message(const struct stack_msg *msg, size_t len)
{
	if (len > IP_MAX_PACKET)
		return -EMSGSIZE;
	return msg->flags & (MSG_OOB | MSG_MORE) ? -EOPNOTSUPP : 0;
}

/* A packet with the message in it. */
static int make_packet(struct sock *sk, const struct stack_msg *msg, const struct dgram_send *s, size_t len,
		       struct sk_buff **out)
{
	int err = sock_check_send(sk);

	if (err)
		return err;
	*out = datagram_alloc(sk, s, len);
	if (!*out)
		return -ENOBUFS;
	datagram_gather(msg, (*out)->data);
	return 0;
}

static ssize_t refuse_oob_recvmsg(struct sock *sk, struct stack_msg *msg)
{
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	return datagram_recvmsg(sk, msg);
}

static bool concerns(const struct inet_sock *inet, be32 local, be32 peer, int iif)
{
	if (!inet_addr_any(&inet->daddr) && inet->daddr.v4 != peer)
		return false;
	if (!inet_addr_any(&inet->rcv_saddr) && inet->rcv_saddr.v4 != local)
		return false;
	return !inet->sk.bound_dev_if || inet->sk.bound_dev_if == iif;
}

/* --- raw: sending ----------------------------------------------------------------------------- */

/* The program's own IP header: never fragmented, whatever the path MTU (Linux: the device's counts). */
static int send_hdrincl(struct sock *sk, const struct stack_msg *msg, struct dgram_send *s, size_t len)
{
	struct sk_buff *skb;
	int err;

	s->dst.mtu = s->dst.dev->mtu;
	if (len > s->dst.mtu) {
		ip_local_error(sk, EMSGSIZE, &s->dst.daddr, 0, s->dst.mtu);
		return -EMSGSIZE;
	}
	if (len < IPV4_HLEN)
		return -EINVAL;
	err = make_packet(sk, msg, s, len, &skb);
	if (err)
		return err;
	err = ip_send_hdrincl_xmit(sk->net, skb, &s->dst);
	return err == -ENOBUFS && !inet_sk(sk)->recverr ? 0 : err;
}

static ssize_t raw_sendmsg(struct sock *sk, struct stack_msg *msg)
{
	size_t len = datagram_msg_len(msg);
	struct dgram_send s;
	struct sk_buff *skb;
	int err = check_message(msg, len);

	memset(&s, 0, sizeof(s));
	if (!err)
		err = read_destination(sk, msg, false, &s);
	if (!err)
		err = datagram_route(sk, msg, &s);
	if (err)
		return err == -EALREADY ? 0 : err;
	if (inet_sk(sk)->hdrincl) {
		err = send_hdrincl(sk, msg, &s, len);
	} else {
		err = datagram_fit(sk, &s, len);
		if (!err)
			err = make_packet(sk, msg, &s, len, &skb);
		if (!err)
			err = datagram_xmit(sk, skb, &s);
	}
	return err ? err : (ssize_t)len;
}

/* --- raw: receiving --------------------------------------------------------------------------- */

static bool filtered_out(const struct inet_sock *inet, const struct sk_buff *skb)
{
	const struct raw_sock *raw = (const struct raw_sock *)(const void *)inet;
	const uint8_t *type;

	if (inet->sk.protocol != IPPROTO_ICMP)
		return false;
	type = skb_header(skb, 0, 1);
	return !type || (*type < 32 && (raw->filter >> *type & 1));
}

/* A copy with the IP header in front. */
static void give_copy(struct sock *sk, const struct sk_buff *skb)
{
	struct sk_buff *clone = skb_clone(skb);

	if (!clone)
		return;
	skb_push(clone, (uint32_t)(clone->data - (uint8_t *)skb_network_header(clone)));
	if (sk_filter_skb(sk, clone, 0)) {
		skb_consume(clone);
		return;
	}
	rx_note_owner(sk->net, sk);
	if (sock_queue_rcv_skb(sk, clone))
		skb_drop(clone, SKB_DROP_SOCKET_RCVBUF);
}

/* struct netns_inet.raw_rcv */
static void raw_rcv_copies(struct sk_buff *skb, bool *taken)
{
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct inet_sock *inet;

	list_for_each_entry(inet, &skb->net->raw->socks[cb->protocol], hash_node) {
		if (!concerns(inet, cb->daddr, cb->saddr, cb->iif) ||
		    !ip_mc_sf_allow(inet, cb->daddr, cb->iif))
			continue;
		*taken = true;
		if (!filtered_out(inet, skb))
			give_copy(&inet->sk, skb);
	}
}

/* struct netns_inet.raw_err: the quoted packet was from us to cb->daddr. */
static void raw_tell_error(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct inet_sock *inet;

	list_for_each_entry(inet, &skb->net->raw->socks[cb->protocol], hash_node) {
		if (concerns(inet, cb->saddr, cb->daddr, cb->iif))
			datagram_err(&inet->sk, skb, type, code, info, 0);
	}
}

/* --- raw: socket ------------------------------------------------------------------------------ */

static void raw_hash(struct sock *sk)
{
	list_add_tail(&inet_sk(sk)->hash_node, &sk->net->raw->socks[sk->protocol]);
}

static void raw_unhash(struct sock *sk)
{
	list_del(&inet_sk(sk)->hash_node);
}

static int raw_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	struct raw_sock *raw = (struct raw_sock *)(void *)sk;

	if (level != SOL_RAW || name != OPT_ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	memcpy(&raw->filter, val, MIN(len, (socklen_t)sizeof(raw->filter)));
	return 0;
}

static int raw_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	const struct raw_sock *raw = (const struct raw_sock *)(const void *)sk;

	if (level != SOL_RAW)
		return -EOPNOTSUPP;
	if (name != OPT_ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk->protocol != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	return sockopt_put_bytes(val, len, &raw->filter, sizeof(raw->filter));
}

static void raw_describe(const struct sock *sk, char *buf, size_t len)
{
	const struct inet_sock *inet = inet_sk(sk);
	char local[INET_ADDR_STRLEN] = "*", peer[INET_ADDR_STRLEN] = "*";

	if (!inet_addr_any(&inet->rcv_saddr))
		inet_addr_str(&inet->rcv_saddr, local);
	if (!inet_addr_any(&inet->daddr))
		inet_addr_str(&inet->daddr, peer);
	snprintf(buf, len, "raw protocol %u %s > %s", sk->protocol, local, peer);
}

static const struct proto raw_prot = {
	.name = "RAW",
	.obj_size = sizeof(struct raw_sock),
	.filters = true,
	.close = datagram_close,
	.connect = ip4_datagram_connect,
	.disconnect = ip4_datagram_disconnect,
	.sendmsg = raw_sendmsg,
	.recvmsg = refuse_oob_recvmsg,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.ioctl = datagram_ioctl,
	.poll = datagram_poll,
	.hash = raw_hash,
	.unhash = raw_unhash,
	.describe = raw_describe,
};

static const struct inet_protosw raw_protosw = {
	.type = SOCK_RAW,
	.protocol = IPPROTO_IP,
	.prot = &raw_prot,
	.ops = &inet_dgram_ops,
};

/* --- echo sockets ----------------------------------------------------------------------------- */

/* The program writes type, code and sequence; identifier and checksum are ours. */
static int check_request(const struct sk_buff *skb)
{
	const struct icmp4hdr *h = (const struct icmp4hdr *)(const void *)skb->data;

	return h->type == ICMP4_ECHO && h->code == 0 ? 0 : -EINVAL;
}

static void finish_request(const struct sock *sk, struct sk_buff *skb)
{
	struct icmp4hdr *h = (struct icmp4hdr *)(void *)skb->data;

	h->echo.id = inet_sk(sk)->sport;
	h->checksum = 0;
	h->checksum = csum_fold(csum_partial(skb->data, skb->len, 0));
}

static ssize_t ping_sendmsg(struct sock *sk, struct stack_msg *msg)
{
	size_t len = datagram_msg_len(msg);
	struct dgram_send s;
	struct sk_buff *skb;
	int err = check_message(msg, len);

	if (!err && len < ICMP_HLEN)
		err = -EINVAL;
	memset(&s, 0, sizeof(s));
	if (!err)
		err = read_destination(sk, msg, true, &s);
	if (!err)
		err = datagram_route(sk, msg, &s);
	if (!err)
		err = datagram_fit(sk, &s, len);
	if (!err)
		err = make_packet(sk, msg, &s, len, &skb);
	if (err)
		return err == -EALREADY ? 0 : err;
	err = check_request(skb);
	if (err) {
		skb_consume(skb);
		return err;
	}
	finish_request(sk, skb);
	err = datagram_xmit(sk, skb, &s);
	if (!err)
		mib_inc(sk->net, MIB_IcmpOutEchos);
	return err ? err : (ssize_t)len;
}

static struct inet_sock *find_ping(struct net *net, be16 id, be32 local, int iif)
{
	uint16_t ident = be16_to_cpu(id);
	struct inet_sock *inet;

	for (inet = inet_listen_next(net, IPPROTO_ICMP, ident, NULL); inet;
	     inet = inet_listen_next(net, IPPROTO_ICMP, ident, inet)) {
		if (!inet_addr_any(&inet->rcv_saddr) && inet->rcv_saddr.v4 != local)
			continue;
		if (!inet->sk.bound_dev_if || inet->sk.bound_dev_if == iif)
			return inet;
	}
	return NULL;
}

/* struct netns_inet.ping_rcv: an echo reply, borrowed. */
static void ping_take_reply(struct sk_buff *skb)
{
	const struct icmp4hdr *h = skb_header(skb, 0, ICMP_HLEN);
	struct inet_sock *inet;
	struct sk_buff *clone;

	if (!h)
		return;
	inet = find_ping(skb->net, h->echo.id, ip_cb(skb)->daddr, ip_cb(skb)->iif);
	clone = inet ? skb_clone(skb) : NULL;
	if (!clone)
		return;
	rx_note_owner(skb->net, &inet->sk);
	if (sock_queue_rcv_skb(&inet->sk, clone))
		skb_drop(clone, SKB_DROP_SOCKET_RCVBUF);
}

/* struct netns_inet.ping_err: an error about an echo request of ours, borrowed. */
static void ping_tell_error(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct icmp4hdr *h = skb_header(skb, 0, ICMP_HLEN);
	struct inet_sock *inet;

	if (!h)
		return;
	inet = find_ping(skb->net, h->echo.id, ip_cb(skb)->saddr, ip_cb(skb)->iif);
	if (inet)
		datagram_err(&inet->sk, skb, type, code, info, 0);
}

/* Broadcast and group addresses are no place to ping from. */
static int ping_bind_check(struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	return inet_addr_equal(&inet->saddr, &inet->rcv_saddr) ? 0 : -EADDRNOTAVAIL;
}

static int ping_get_port(struct sock *sk, uint16_t ident)
{
	int err = inet_get_port(sk, ident);

	if (!err)
		inet_listen_insert(inet_sk(sk));
	return err;
}

static void ping_unhash(struct sock *sk)
{
	inet_listen_remove(inet_sk(sk));
	inet_put_port(sk);
}

static const struct proto ping_prot = {
	.name = "PING",
	.protocol = IPPROTO_ICMP,
	.obj_size = sizeof(struct inet_sock),
	.close = datagram_close,
	.bind_check = ping_bind_check,
	.connect = ip4_datagram_connect,
	.disconnect = ip4_datagram_disconnect,
	.sendmsg = ping_sendmsg,
	.recvmsg = refuse_oob_recvmsg,
	.ioctl = datagram_ioctl,
	.poll = datagram_poll,
	.unhash = ping_unhash,
	.get_port = ping_get_port,
	.describe = inet_describe,
};

static const struct inet_protosw ping_protosw = {
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_ICMP,
	.prot = &ping_prot,
	.ops = &inet_dgram_ops,
};

/* --- life ------------------------------------------------------------------------------------- */

static int raw_net_init(struct net *net)
{
	struct netns_raw *raw;
	int err = inet_register_protosw(net, &raw_protosw);

	if (!err)
		err = inet_register_protosw(net, &ping_protosw);
	if (err)
		return err;
	raw = malloc(sizeof(*raw));
	if (!raw)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(raw->socks); i++)
		list_init(&raw->socks[i]);
	net->raw = raw;
	net->inet->raw_rcv = raw_rcv_copies;
	net->inet->raw_err = raw_tell_error;
	net->inet->ping_rcv = ping_take_reply;
	net->inet->ping_err = ping_tell_error;
	return 0;
}

static void raw_net_exit(struct net *net)
{
	net->inet->raw_rcv = NULL;
	net->inet->raw_err = NULL;
	net->inet->ping_rcv = NULL;
	net->inet->ping_err = NULL;
	free(net->raw);
	net->raw = NULL;
}

const struct pernet_operations raw_pernet_ops = {
	.name = "raw",
	.init = raw_net_init,
	.exit = raw_net_exit,
};
