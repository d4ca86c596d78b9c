/* SPDX-License-Identifier: MIT */
/*
 * What UDP, raw and ICMP echo sockets have in common.
 *
 * Sending is four steps that each transport calls in turn: datagram_route() reads the overrides of
 * the message and finds the way, datagram_fit() applies the path MTU policy (IP_MTU_DISCOVER),
 * datagram_alloc() makes a packet charged to the socket, datagram_xmit() sends it. Receiving is one:
 * datagrams lie in the receive queue with data at what the program shall see, the transport header
 * still in front of it, and ip_cb() filled.
 *
 * Read first: RFC 1122 4.1.3, 4.1.4; man 7 udp, raw, ip (IP_MTU_DISCOVER).
 */
#include <sys/ioctl.h>

#include "stack/core/neighbour.h"
#include "stack/inet/datagram.h"
#include "stack/inet/icmp.h"

#define IP_MAX_PACKET 65535U
#define MSG_PROBE_FLAG 0x10 /* MSG_PROBE: with MSG_CONFIRM, do not send */

/**
 * ip4_datagram_connect() - connect() of a datagram socket: fix the peer, the source and the route
 * @sk:   socket, bound
 * @addr: peer; 0.0.0.0 is this host
 * @len:  length of the address
 *
 * Source:  RFC 1122 4.1.3.5 (the source address is known to the program before it sends)
 * Return:  0; -EINVAL, -EAFNOSUPPORT; -EACCES for a broadcast without SO_BROADCAST; route errors
 */
int ip4_datagram_connect(struct sock *sk, const struct sockaddr *addr, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	struct flowi fl = { .oif = sk->bound_dev_if, .saddr = inet->saddr };
	struct dst dst;
	be16 port;
	int err;

	err = inet_addr_from_sockaddr(addr, len, &fl.daddr, &port);
	if (err)
		return err;
	if (ipv4_is_multicast(fl.daddr.v4)) {
		if (!fl.oif)
			fl.oif = inet->mc_index;
		if (inet_addr_any(&fl.saddr))
			fl.saddr = inet->mc_addr;
	}
	fl.dont_route = sock_flag(sk, SOCK_DONTROUTE);
	memset(&dst, 0, sizeof(dst));
	err = route_lookup(sk->net, &fl, &dst);
	if (err) {
		if (err == -ENETUNREACH)
			mib_inc(sk->net, MIB_IpOutNoRoutes);
		return err;
	}
	if (dst.type == RTN_T_BROADCAST && !sock_flag(sk, SOCK_BROADCAST))
		return -EACCES;
	inet->dst = dst;
	if (inet_addr_any(&inet->saddr))
		inet->saddr = dst.saddr;
	if (inet_addr_any(&inet->rcv_saddr))
		inet->rcv_saddr = dst.saddr;
	inet->daddr = dst.daddr;
	inet->dport = port;
	sk->state = TCP_ESTABLISHED;
	return 0;
}

/**
 * ip4_datagram_disconnect() - connect(AF_UNSPEC): forget the peer and what bind() did not fix
 * @sk: socket
 *
 * Return: 0
 */
int ip4_datagram_disconnect(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	sk->state = TCP_CLOSE;
	memset(&inet->daddr, 0, sizeof(inet->daddr));
	inet->dport = 0;
	sk->bound_dev_if = 0;
	inet->dst.gen = 0;
	if (!inet->userlocks_addr) {
		memset(&inet->saddr, 0, sizeof(inet->saddr));
		memset(&inet->rcv_saddr, 0, sizeof(inet->rcv_saddr));
	}
	if (!inet->userlocks_port && sk->type != SOCK_RAW) {
		if (sk->prot->unhash)
			sk->prot->unhash(sk);
		inet->sport = 0;
	}
	return 0;
}

/**
 * datagram_poll() - poll bits, as Linux's datagram_poll()
 * @sk: socket
 *
 * Return: POLL* bits
 */
unsigned int datagram_poll(const struct sock *sk)
{
	unsigned int mask = 0;

	if (sk->err || !skb_queue_empty(&sk->error_queue))
		mask |= POLLERR;
	if (sk->shutdown & RCV_SHUTDOWN)
		mask |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (sk->shutdown == SHUTDOWN_MASK)
		mask |= POLLHUP;
	if (!skb_queue_empty(&sk->receive_queue))
		mask |= POLLIN | POLLRDNORM;
	if (sock_writeable(sk))
		mask |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return mask;
}

/**
 * datagram_ioctl() - SIOCINQ (size of the next datagram), SIOCOUTQ (memory of unsent ones)
 * @sk:    socket
 * @cmd:   request
 * @value: answer
 *
 * Return: 0; -ENOTTY
 */
int datagram_ioctl(struct sock *sk, unsigned long cmd, int *value)
{
	const struct sk_buff *skb;

	switch (cmd) {
	case FIONREAD: /* SIOCINQ */
		skb = skb_peek(&sk->receive_queue);
		*value = skb ? (int)skb->len : 0;
		return 0;
	case TIOCOUTQ: /* SIOCOUTQ */
		*value = (int)sk->wmem_alloc;
		return 0;
	default:
		return -ENOTTY;
	}
}

/**
 * inet_copy_to_msg() - scatter a range of a packet into a program's buffers
 * @skb:    packet
 * @offset: first byte, from data; the packet has @len bytes from there
 * @len:    how many
 * @msg:    where to
 *
 * Return: bytes copied: @len, or less when the buffers are smaller
 */
size_t inet_copy_to_msg(const struct sk_buff *skb, uint32_t offset, size_t len, const struct stack_msg *msg)
{
	size_t done = 0;

	for (size_t i = 0; i < msg->iovcnt && done < len; i++) {
		uint32_t n = (uint32_t)MIN(msg->iov[i].iov_len, len - done);

		if (n && skb_copy_bits(skb, offset + (uint32_t)done, msg->iov[i].iov_base, n))
			break;
		done += n;
	}
	return done;
}

/* UDP has a source port to tell; the others have none. */
static be16 source_port(const struct sock *sk, const struct sk_buff *skb)
{
	be16 port = 0;

	if (sk->protocol == IPPROTO_UDP && sk->type == SOCK_DGRAM)
		memcpy(&port, skb_transport_header(skb), sizeof(port));
	return port;
}

/**
 * datagram_recvmsg() - next datagram, or the error queue
 * @sk:  socket
 * @msg: MSG_PEEK, MSG_TRUNC, MSG_ERRQUEUE are known
 *
 * DEVIATES from Linux's non-blocking read after shutdown(SHUT_RD), which says EAGAIN: the end is told
 * here as Linux tells it to a blocking reader, because nothing here can block.
 *
 * Return: bytes given (the true length with MSG_TRUNC); 0 after shutdown; pending error; -EAGAIN
 */
ssize_t datagram_recvmsg(struct sock *sk, struct stack_msg *msg)
{
	struct inet_addr from;
	struct sk_buff *skb;
	size_t copied;
	int err;

	if (msg->flags & MSG_ERRQUEUE)
		return ip_recv_error(sk, msg);
	err = sock_error(sk);
	if (err)
		return err;
	skb = skb_peek(&sk->receive_queue);
	if (!skb)
		return sk->shutdown & RCV_SHUTDOWN ? 0 : -EAGAIN;
	msg->full_len = skb->len;
	copied = inet_copy_to_msg(skb, 0, skb->len, msg);
	if (copied < skb->len)
		msg->out_flags |= MSG_TRUNC;
	from = inet_addr_v4(ip_cb(skb)->saddr);
	if (msg->name)
		msg->namelen = inet_addr_to_sockaddr(&from, source_port(sk, skb), msg->name);
	ip_cmsg_recv(sk, skb, msg);
	if (!(msg->flags & MSG_PEEK)) {
		if (sk->protocol == IPPROTO_UDP && sk->type == SOCK_DGRAM)
			mib_inc(sk->net, MIB_UdpInDatagrams);
		skb_consume(skb_dequeue(&sk->receive_queue));
	}
	return (ssize_t)(msg->flags & MSG_TRUNC ? msg->full_len : copied);
}

/**
 * datagram_close() - close(): nothing is left to finish
 * @sk: socket; the caller's reference is taken over
 */
void datagram_close(struct sock *sk)
{
	if (sk->prot->unhash)
		sk->prot->unhash(sk);
	sock_orphan(sk);
	skb_queue_purge(&sk->receive_queue);
	skb_queue_purge(&sk->error_queue);
	sock_put(sk);
}

/* What an ICMP error means to a datagram socket: positive errno, 0 = nothing. */
static int error_of_icmp(struct sock *sk, uint8_t type, uint8_t code, bool *hard)
{
	*hard = false;
	switch (type) {
	case ICMP4_DEST_UNREACH:
		if (code == ICMP4_FRAG_NEEDED) {
			*hard = true;
			return inet_sk(sk)->pmtudisc == IP_PMTUDISC_DONT ? 0 : EMSGSIZE;
		}
		return icmp_err_convert(type, code, hard);
	case ICMP4_PARAM_PROB:
		*hard = true;
		return EPROTO;
	case ICMP4_SOURCE_QUENCH: /* RFC 6633: ignored */
	case ICMP4_REDIRECT:
		return 0;
	default: /* time exceeded */
		return EHOSTUNREACH;
	}
}

/**
 * datagram_err() - an ICMP error about a datagram that the socket sent
 * @sk:   sender
 * @skb:  borrowed; as for struct net_protocol.err
 * @type: of the ICMP message
 * @code: of the ICMP message
 * @info: next-hop MTU
 * @port: destination port of the datagram, big endian
 *
 * Hard errors reach a connected socket, all errors one with IP_RECVERR.
 *
 * The path MTU is learned here, since only a socket that sends there can vouch for the message.
 *
 * Source: RFC 1122 4.1.3.3; man 7 udp
 */
void datagram_err(struct sock *sk, struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be16 port)
{
	bool hard;
	int err = error_of_icmp(sk, type, code, &hard);

	if (type == ICMP4_DEST_UNREACH && code == ICMP4_FRAG_NEEDED && info) {
		const struct inet_addr daddr = inet_addr_v4(ip_cb(skb)->daddr);

		route_update_pmtu(sk->net, &daddr, info);
	}
	if (!err)
		return;
	if (err < 0)
		err = -err;
	if (inet_sk(sk)->recverr)
		ip_icmp_error(sk, skb, err, type, code, port, info);
	else if (!hard || sk->state != TCP_ESTABLISHED)
		return;
	sk_set_err(sk, err);
}

/* --- sending ---------------------------------------------------------------------------------- */

/**
 * datagram_msg_len() - bytes of a message
 * @msg: message whose vector has been checked by sock_sendmsg()
 *
 * Return: sum of the vector
 */
size_t datagram_msg_len(const struct stack_msg *msg)
{
	size_t sum = 0;

	for (size_t i = 0; i < msg->iovcnt; i++)
		sum += msg->iov[i].iov_len;
	return sum;
}

static void set_header_fields(const struct inet_sock *inet, const struct ip_cmsg_send *over,
			      struct dgram_send *s)
{
	s->opts.protocol = inet->sk.protocol;
	s->opts.tos = over->tos >= 0 ? (uint8_t)over->tos : inet->tos;
	if (over->ttl > 0)
		s->opts.ttl = (uint8_t)over->ttl;
	else if (s->dst.type == RTN_T_MULTICAST)
		s->opts.ttl = inet->mc_ttl;
	else
		s->opts.ttl = inet->uc_ttl < 0 ? 0 : (uint8_t)inet->uc_ttl;
	s->opts.mc_loop = inet->mc_loop;
	/* RFC 1112 6.1: a time to live of zero never leaves the host. */
	s->opts.mc_host_only = s->dst.type == RTN_T_MULTICAST && s->opts.ttl == 0;
	s->opts.mc_loop = inet->mc_loop;
	s->opts.mc_host_only = s->opts.ttl == 0; /* RFC 1112 6.1: never leaves the host */
}

static int find_way(struct inet_sock *inet, const struct stack_msg *msg, const struct ip_cmsg_send *over,
		    struct dgram_send *s)
{
	struct sock *sk = &inet->sk;
	struct flowi fl = { .daddr = s->daddr, .oif = over->oif ? over->oif : sk->bound_dev_if };

	if (s->connected && !(msg->flags & MSG_DONTROUTE)) {
		int err = inet_route(inet, &s->daddr);

		s->dst = inet->dst;
		return err;
	}
	fl.saddr = inet_addr_any(&over->saddr) ? inet->saddr : over->saddr;
	fl.dont_route = sock_flag(sk, SOCK_DONTROUTE) || (msg->flags & MSG_DONTROUTE);
	if (ipv4_is_multicast(s->daddr.v4)) {
		if (!fl.oif)
			fl.oif = inet->mc_index;
		if (inet_addr_any(&fl.saddr))
			fl.saddr = inet->mc_addr;
	}
	memset(&s->dst, 0, sizeof(s->dst));
	return route_lookup(sk->net, &fl, &s->dst);
}

/* MSG_CONFIRM: the program knows that the neighbour answers (man 2 send; RFC 4861 7.3.1). */
static void confirm_neighbour(struct net *net, const struct dst *dst)
{
	struct neighbour *n = dst->dev ? neigh_lookup(net, &dst->nexthop, dst->dev) : NULL;

	if (n)
		neigh_confirm(n);
}

/**
 * datagram_route() - read a message's overrides and find its way
 * @sk:  sender
 * @msg: message
 * @s:   daddr, dport, connected set; dst and opts are filled
 *
 * Return: 0; -EINVAL (ancillary data), -EACCES (broadcast without SO_BROADCAST), route errors;
 *         -EALREADY: MSG_PROBE without data, nothing is to be sent
 */
int datagram_route(struct sock *sk, struct stack_msg *msg, struct dgram_send *s)
{
	struct inet_sock *inet = inet_sk(sk);
	struct ip_cmsg_send over;
	int err = ip_cmsg_parse(msg, &over);

	if (err)
		return err;
	if (msg->control_size || ipv4_is_multicast(s->daddr.v4))
		s->connected = false;
	err = find_way(inet, msg, &over, s);
	if (err) {
		if (err == -ENETUNREACH)
			mib_inc(sk->net, MIB_IpOutNoRoutes);
		return err;
	}
	if (s->dst.type == RTN_T_BROADCAST && !sock_flag(sk, SOCK_BROADCAST))
		return -EACCES;
	set_header_fields(inet, &over, s);
	if (msg->flags & MSG_CONFIRM) {
		confirm_neighbour(sk->net, &s->dst);
		if ((msg->flags & MSG_PROBE_FLAG) && datagram_msg_len(msg) == 0)
			return -EALREADY;
	}
	return 0;
}

/**
 * datagram_fit() - apply the path MTU policy of the socket to one datagram
 * @sk:  sender
 * @s:   dst set; dst.mtu and opts.df, opts.no_frag are filled
 * @len: bytes above the IP header
 *
 * WANT: DF when it fits, else fragments; DO: DF, too large is refused; PROBE: DF, the device's MTU
 * is the bound; DONT, INTERFACE, OMIT: fragments without DF.
 *
 * Source:  RFC 1191 6.1, RFC 8085 3.2; man 7 ip
 * Return:  0; -EMSGSIZE, also in the error queue with IP_RECVERR
 */
int datagram_fit(struct sock *sk, struct dgram_send *s, size_t len)
{
	uint8_t policy = inet_sk(sk)->pmtudisc;
	bool must_fit = policy == IP_PMTUDISC_DO || policy == IP_PMTUDISC_PROBE ||
			policy == IP_PMTUDISC_INTERFACE;
	uint32_t bound;

	if (policy >= IP_PMTUDISC_PROBE && s->dst.dev)
		s->dst.mtu = s->dst.dev->mtu;
	bound = must_fit ? MIN(s->dst.mtu, IP_MAX_PACKET) : IP_MAX_PACKET;
	if (len + IPV4_HLEN > bound) {
		ip_local_error(sk, EMSGSIZE, &s->dst.daddr, s->dport, s->dst.mtu);
		return -EMSGSIZE;
	}
	s->opts.no_frag = must_fit;
	s->opts.df = policy == IP_PMTUDISC_DO || policy == IP_PMTUDISC_PROBE ||
		     (policy == IP_PMTUDISC_WANT && len + IPV4_HLEN <= s->dst.mtu);
	return 0;
}

/**
 * datagram_alloc() - a packet of @len bytes above the IP header, charged to the sender
 * @sk:  sender
 * @s:   its way
 * @len: bytes; data is at the transport header
 *
 * Return: NULL when out of memory
 */
struct sk_buff *datagram_alloc(struct sock *sk, const struct dgram_send *s, size_t len)
{
	uint32_t headroom = ip_headroom(&s->dst);
	struct sk_buff *skb = alloc_skb(sk->net, headroom + (uint32_t)len);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put(skb, (uint32_t)len);
	skb_reset_transport_header(skb);
	skb->priority = sk->priority;
	skb->mark = sk->mark;
	skb_set_owner_w(skb, sk);
	return skb;
}

/**
 * datagram_gather() - copy a message's vector together
 * @msg: message
 * @to:  room for datagram_msg_len()
 */
void datagram_gather(const struct stack_msg *msg, uint8_t *to)
{
	for (size_t i = 0; i < msg->iovcnt; i++) {
		if (msg->iov[i].iov_len)
			memcpy(to, msg->iov[i].iov_base, msg->iov[i].iov_len);
		to += msg->iov[i].iov_len;
	}
}

/**
 * datagram_xmit() - send a complete datagram
 * @sk:  sender
 * @skb: from datagram_alloc(), filled; consumed
 * @s:   way and header fields
 *
 * A full queue below is told only to who asked by IP_RECVERR (Linux).
 *
 * Return: 0 or negative errno
 */
int datagram_xmit(struct sock *sk, struct sk_buff *skb, const struct dgram_send *s)
{
	int err = ip_queue_xmit(sk->net, skb, &s->dst, &s->opts);

	if (err == -ENOBUFS && !inet_sk(sk)->recverr) {
		if (sk->protocol == IPPROTO_UDP)
			mib_inc(sk->net, MIB_UdpSndbufErrors);
		err = 0;
	}
	return err;
}
