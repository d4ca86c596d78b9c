/* SPDX-License-Identifier: MIT */
/*
 * UDP (RFC 768), for hosts (RFC 1122 4.1).
 *
 * Down: udp_sendmsg() finds the way, builds header and checksum, gives the packet to IP. With MSG_MORE
 * or UDP_CORK the bytes wait in the socket until the datagram is complete; its way is the one found
 * for the first piece. Up: udp_rcv() checks length and checksum, then unicast goes to the one best
 * socket, broadcast and multicast to every matching one as a clone. No socket: port unreachable.
 *
 * Limits: 65507 bytes of data; the receive queue by SO_RCVBUF, what exceeds it is dropped and counted.
 */
#include <netinet/udp.h>

#include "stack/core/filter.h"
#include "stack/core/checksum.h"
#include "stack/inet/datagram.h"
#include "stack/inet/icmp.h"
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"

#define UDP_HLEN 8U
#define UDP_MAX_LEN 65535U

struct udphdr4 {
	be16 source, dest, len;
	uint16_t check; /* as it stands on the wire; 0 = none */
} __attribute__((packed));

struct udp_sock {
	struct inet_sock inet;
	bool cork;              /* UDP_CORK */
	/* The datagram that is being put together; pending says whether there is one. */
	bool pending;
	uint8_t *data;
	size_t len, capacity;   /* payload bytes */
	struct dgram_send way;
};

static struct udp_sock *udp_sk(const struct sock *sk)
{
	return (struct udp_sock *)(uintptr_t)sk;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void flush_pending(struct udp_sock *up)
{
	free(up->data);
	up->data = NULL;
	up->len = 0;
	up->capacity = 0;
	up->pending = false;
}

/* RFC 768; RFC 1122 4.1.3.4: computed unless the program said otherwise. Zero is sent as all ones. */
static void fill_checksum(const struct sock *sk, struct sk_buff *skb, const struct dgram_send *s)
{
	struct udphdr4 *uh = (struct udphdr4 *)(void *)skb->data;
	uint32_t pseudo = csum_tcpudp_nofold(s->dst.saddr.v4, s->dst.daddr.v4, skb->len, IPPROTO_UDP, 0);
	bool whole = skb->len + IPV4_HLEN <= s->dst.mtu;

	uh->check = 0;
	if (sock_flag(sk, SOCK_NO_CHECK))
		return;
	if (whole && (s->dst.dev->features & NETIF_F_HW_CSUM)) {
		uh->check = (uint16_t)~csum_fold(pseudo);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (uint16_t)skb_headroom(skb);
		skb->csum_offset = offsetof(struct udphdr4, check);
		return;
	}
	uh->check = csum_fold(skb_checksum(skb, 0, skb->len, pseudo));
	if (uh->check == 0)
		uh->check = 0xffff;
}

static void fill_header(const struct sock *sk, struct sk_buff *skb, const struct dgram_send *s)
{
	struct udphdr4 *uh = (struct udphdr4 *)(void *)skb->data;

	uh->source = inet_sk(sk)->sport;
	uh->dest = s->dport;
	uh->len = cpu_to_be16((uint16_t)skb->len);
	fill_checksum(sk, skb, s);
}

static int send_skb(struct sock *sk, struct sk_buff *skb, const struct dgram_send *s)
{
	int err;

	fill_header(sk, skb, s);
	err = datagram_xmit(sk, skb, s);
	if (err == 0)
		mib_inc(sk->net, MIB_UdpOutDatagrams);
	return err;
}

/* The corked datagram is complete. */
static int push_pending(struct udp_sock *up)
{
	struct sock *sk = &up->inet.sk;
	struct dgram_send s = up->way;
	int err = datagram_fit(sk, &s, UDP_HLEN + up->len);
	struct sk_buff *skb = err ? NULL : datagram_alloc(sk, &s, UDP_HLEN + up->len);

	if (skb) {
		if (up->len)
			memcpy(skb->data + UDP_HLEN, up->data, up->len);
		err = send_skb(sk, skb, &s);
	} else if (!err) {
		err = -ENOBUFS;
	}
	flush_pending(up);
	return err;
}

/* A failed append loses the whole pending datagram, as on Linux. */
static int append_pending(struct udp_sock *up, const struct stack_msg *msg, size_t len)
{
	struct dgram_send s = up->way;
	int err = datagram_fit(&up->inet.sk, &s, UDP_HLEN + up->len + len);

	if (!err && up->len + len > up->capacity) {
		size_t capacity = MAX(up->capacity * 2, up->len + len);
		uint8_t *data = realloc(up->data, capacity);

		err = data ? 0 : -ENOBUFS;
		if (data) {
			up->data = data;
			up->capacity = capacity;
		}
	}
	if (err) {
		flush_pending(up);
		return err;
	}
	if (len)
		datagram_gather(msg, up->data + up->len);
	up->len += len;
	return 0;
}

/* Where to: the message's address or the peer. */
static int read_destination(const struct sock *sk, const struct stack_msg *msg, struct dgram_send *s)
{
	struct sockaddr_in sin;

	if (!msg->name || !msg->namelen) {
		if (sk->state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		s->daddr = inet_sk(sk)->daddr;
		s->dport = inet_sk(sk)->dport;
		s->connected = true;
		return 0;
	}
	if (msg->namelen < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, msg->name, sizeof(sin));
	/* AF_UNSPEC passes for AF_INET, as on Linux. */
	if (sin.sin_family != AF_INET && sin.sin_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	s->daddr = inet_addr_v4(sin.sin_addr.s_addr);
	s->dport = sin.sin_port;
	return s->dport ? 0 : -EINVAL;
}

static int send_at_once(struct sock *sk, const struct stack_msg *msg, struct dgram_send *s, size_t len)
{
	struct sk_buff *skb;
	int err = datagram_fit(sk, s, UDP_HLEN + len);

	if (!err)
		err = sock_check_send(sk);
	if (err)
		return err;
	skb = datagram_alloc(sk, s, UDP_HLEN + len);
	if (!skb)
		return -ENOBUFS;
	datagram_gather(msg, skb->data + UDP_HLEN);
	return send_skb(sk, skb, s);
}

/* MSG_MORE or UDP_CORK: @last says that this piece completes the datagram. */
static int send_piece(struct udp_sock *up, const struct stack_msg *msg, const struct dgram_send *s,
		      size_t len, bool last)
{
	int err;

	if (!up->pending) {
		err = sock_check_send(&up->inet.sk);
		if (err)
			return err;
		up->pending = true;
		up->way = *s;
	}
	err = append_pending(up, msg, len);
	if (!err && last)
		err = push_pending(up);
	return err;
}

static ssize_t udp_sendmsg(struct sock *sk, struct stack_msg *msg)
{
	struct udp_sock *up = udp_sk(sk);
	bool more = up->cork || (msg->flags & MSG_MORE);
	size_t len = datagram_msg_len(msg);
	struct dgram_send s;
	int err;

	if (len > UDP_MAX_LEN)
		return -EMSGSIZE;
	if (msg->flags & MSG_OOB)
		return -EOPNOTSUPP;
	memset(&s, 0, sizeof(s));
	if (!up->pending) {
		err = read_destination(sk, msg, &s);
		if (!err)
			err = datagram_route(sk, msg, &s);
		if (err == -EALREADY)
			return 0;
		if (err)
			return err;
	}
	err = up->pending || more ? send_piece(up, msg, &s, len, !more) : send_at_once(sk, msg, &s, len);
	if (err == -ENOBUFS || err == -EAGAIN)
		mib_inc(sk->net, MIB_UdpSndbufErrors);
	return err ? err : (ssize_t)len;
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Charges and queues for one socket. Consumes. */
static void deliver_rcv(struct sock *sk, struct sk_buff *skb)
{
	rx_note_owner(sk->net, sk);
	if (sk_filter_skb(sk, skb, UDP_HLEN)) {
		mib_inc(sk->net, MIB_UdpInErrors);
		skb_drop(skb, SKB_DROP_SOCKET_FILTER);
		return;
	}
	skb_pull(skb, UDP_HLEN);
	if (sock_queue_rcv_skb(sk, skb)) {
		mib_inc(sk->net, MIB_UdpInErrors);
		skb_drop(skb, SKB_DROP_UDP_RCVBUF);
	}
}

/* Linux: bound address, peer, device, membership; no score, everyone who matches gets a copy. */
static bool wants_broadcast(const struct inet_sock *inet, const struct ip_skb_cb *cb, be16 sport)
{
	if (!inet_addr_any(&inet->daddr) && inet->daddr.v4 != cb->saddr)
		return false;
	if (inet->dport && inet->dport != sport)
		return false;
	if (!inet_addr_any(&inet->rcv_saddr) && inet->rcv_saddr.v4 != cb->daddr)
		return false;
	if (inet->sk.bound_dev_if && inet->sk.bound_dev_if != cb->iif)
		return false;
	return ip_mc_sf_allow(inet, cb->daddr, cb->iif);
}

/* Every matching socket gets one; the last of them the skb itself. Consumes. */
static void broadcast_rcv(struct net *net, struct sk_buff *skb, be16 sport, uint16_t port)
{
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct inet_sock *inet, *last = NULL;

	for (inet = inet_listen_next(net, IPPROTO_UDP, port, NULL); inet;
	     inet = inet_listen_next(net, IPPROTO_UDP, port, inet)) {
		struct sk_buff *clone;

		if (!wants_broadcast(inet, cb, sport))
			continue;
		clone = last ? skb_clone(skb) : NULL;
		if (clone)
			deliver_rcv(&last->sk, clone);
		last = inet;
	}
	if (last)
		deliver_rcv(&last->sk, skb);
	else
		skb_consume(skb); /* nobody asked: not worth a drop (Linux: consume) */
}

/* RFC 768: length of header and data; RFC 1122 4.1.3.4: a wrong checksum is dropped silently. */
static enum skb_drop_reason check_datagram(struct sk_buff *skb)
{
	const struct udphdr4 *uh = skb_header(skb, 0, UDP_HLEN);
	const struct ip_skb_cb *cb = ip_cb(skb);
	uint32_t len, sum;

	if (!uh)
		return SKB_DROP_UDP_SHORT;
	len = be16_to_cpu(uh->len);
	if (len < UDP_HLEN || len > skb->len)
		return SKB_DROP_UDP_SHORT;
	skb_trim(skb, len);
	if (uh->check == 0 || skb->ip_summed != CHECKSUM_NONE)
		return SKB_NOT_DROPPED;
	sum = csum_tcpudp_nofold(cb->saddr, cb->daddr, len, IPPROTO_UDP, 0);
	if (csum_fold(skb_checksum(skb, 0, len, sum)) == 0)
		return SKB_NOT_DROPPED;
	mib_inc(skb->net, MIB_UdpInErrors);
	return SKB_DROP_UDP_CHECKSUM;
}

static void udp_rcv(struct sk_buff *skb)
{
	enum skb_drop_reason reason = check_datagram(skb);
	struct net *net = skb->net;
	struct inet_addr saddr, daddr;
	const struct udphdr4 *uh;
	struct inet_sock *inet;

	if (reason) {
		skb_drop(skb, reason);
		return;
	}
	uh = (const struct udphdr4 *)(const void *)skb->data;
	if (ip_cb(skb)->bcast) {
		broadcast_rcv(net, skb, uh->source, be16_to_cpu(uh->dest));
		return;
	}
	saddr = inet_addr_v4(ip_cb(skb)->saddr);
	daddr = inet_addr_v4(ip_cb(skb)->daddr);
	inet = inet_lookup_listener(net, IPPROTO_UDP, &saddr, uh->source, &daddr, uh->dest, ip_cb(skb)->iif);
	if (inet) {
		deliver_rcv(&inet->sk, skb);
		return;
	}
	/* RFC 1122 4.1.3.1 */
	icmp_send(skb, ICMP4_DEST_UNREACH, ICMP4_PORT_UNREACH, 0);
	skb_drop(skb, SKB_DROP_UDP_NO_PORT);
}

/* RFC 1122 4.1.3.3: errors are passed up to the program. */
static void udp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct udphdr4 *uh = skb_header(skb, 0, UDP_HLEN);
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct inet_addr ours = inet_addr_v4(cb->saddr), peer = inet_addr_v4(cb->daddr);
	struct inet_sock *inet;

	if (!uh)
		return;
	inet = inet_lookup_listener(skb->net, IPPROTO_UDP, &peer, uh->dest, &ours, uh->source, cb->iif);
	if (!inet) {
		mib_inc(skb->net, MIB_IcmpInErrors);
		return;
	}
	datagram_err(&inet->sk, skb, type, code, info, uh->dest);
}

/* --- socket ----------------------------------------------------------------------------------- */

static int udp_get_port(struct sock *sk, uint16_t port)
{
	int err = inet_get_port(sk, port);

	if (!err)
		inet_listen_insert(inet_sk(sk));
	return err;
}

static void udp_unhash(struct sock *sk)
{
	inet_listen_remove(inet_sk(sk));
	inet_put_port(sk);
}

static void udp_close(struct sock *sk)
{
	flush_pending(udp_sk(sk));
	datagram_close(sk);
}

static int udp_disconnect(struct sock *sk)
{
	flush_pending(udp_sk(sk));
	return ip4_datagram_disconnect(sk);
}

static int udp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len)
{
	struct udp_sock *up = udp_sk(sk);
	int v, err;

	if (level != SOL_UDP)
		return -ENOPROTOOPT;
	err = sockopt_get_int(val, len, &v);
	if (err)
		return err;
	if (name != UDP_CORK)
		return -ENOPROTOOPT;
	up->cork = v != 0;
	if (!up->cork && up->pending)
		push_pending(up); /* its error is not the option's, as on Linux */
	return 0;
}

static int udp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len)
{
	if (level != SOL_UDP)
		return -EOPNOTSUPP;
	if (name != UDP_CORK)
		return -ENOPROTOOPT;
	return sockopt_put_int(val, len, udp_sk(sk)->cork);
}

static const struct proto udp_prot = {
	.name = "UDP",
	.protocol = IPPROTO_UDP,
	.obj_size = sizeof(struct udp_sock),
	.filters = true,
	.close = udp_close,
	.connect = ip4_datagram_connect,
	.disconnect = udp_disconnect,
	.sendmsg = udp_sendmsg,
	.recvmsg = datagram_recvmsg,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = datagram_ioctl,
	.poll = datagram_poll,
	.unhash = udp_unhash,
	.get_port = udp_get_port,
	.describe = inet_describe,
};

static const struct inet_protosw udp_protosw = {
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_UDP,
	.is_default = true,
	.prot = &udp_prot,
	.ops = &inet_dgram_ops,
};

static const struct net_protocol udp_protocol = {
	.protocol = IPPROTO_UDP,
	.rcv = udp_rcv,
	.err = udp_err,
};

static int udp_net_init(struct net *net)
{
	int err = inet_register_protosw(net, &udp_protosw);

	return err ? err : inet_add_protocol(net, &udp_protocol);
}

const struct pernet_operations udp_pernet_ops = {
	.name = "udp",
	.init = udp_net_init,
};
