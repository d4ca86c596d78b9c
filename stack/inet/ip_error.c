/* SPDX-License-Identifier: MIT */
/*
 * The error queue of inet sockets (IP_RECVERR, MSG_ERRQUEUE; man 7 ip, RFC 1122 4.1.3.3).
 *
 * Each entry is an skb with the start of the offending datagram's payload as its data and struct
 * ip_error in its cb: the sock_extended_err, who complained, and where the datagram had been sent. It
 * is charged to the receive buffer like a datagram; a full buffer loses the entry, never the error.
 */
#include <netinet/in.h>
#include <time.h>
/* after time.h: it uses struct timespec without asking for it */
#include <linux/errqueue.h>

#include "stack/inet/af_inet.h"
#include "stack/inet/ip.h"

/* Over ip_cb(), whose fields ip_cmsg_recv() still wants. */
struct ip_error {
	struct ip_skb_cb ip;
	struct sock_extended_err ee;
	be32 daddr;    /* where the datagram was sent to */
	be16 port;
};

_Static_assert(sizeof(struct ip_error) <= sizeof(((struct sk_buff *)0)->cb), "cb is too small");

static struct ip_error *error_of(const struct sk_buff *skb)
{
	return (struct ip_error *)(void *)(uintptr_t)skb->cb;
}

static bool is_icmp_error(const struct sk_buff *skb)
{
	return skb && error_of(skb)->ee.ee_origin == SO_EE_ORIGIN_ICMP;
}

/* Queues and tells; the entry is lost when the receive buffer is full. Consumes. */
static void error_queue(struct sock *sk, struct sk_buff *skb)
{
	if (sk->rmem_alloc + skb->truesize >= sk->rcvbuf) {
		skb_drop(skb, SKB_DROP_SOCKET_RCVBUF);
		return;
	}
	skb_set_owner_r(skb, sk);
	skb->tstamp = sk->net->now;
	skb_append(&sk->error_queue, skb);
	if (!sock_flag(sk, SOCK_DEAD))
		sk->error_report(sk);
}

/* Bytes of the transport header in front of the payload that the program gets to see. */
static uint32_t header_to_skip(const struct sock *sk)
{
	return sk->type == SOCK_DGRAM && sk->protocol == IPPROTO_UDP ? 8 : 0; /* the others see all */
}

/**
 * ip_icmp_error() - queue an error that an ICMP message told
 * @sk:     the sender of the quoted packet
 * @quoted: borrowed; data at the transport header of the quoted packet, ip_cb() of its IP header
 * @err:    positive errno
 * @type:   of the ICMP message
 * @code:   of the ICMP message
 * @port:   destination port of the quoted packet, big endian
 * @info:   MTU for "fragmentation needed", else 0
 */
void ip_icmp_error(struct sock *sk, const struct sk_buff *quoted, int err, uint8_t type, uint8_t code,
		   be16 port, uint32_t info)
{
	uint32_t skip = MIN(header_to_skip(sk), quoted->len);
	uint32_t len = quoted->len - skip;
	struct sk_buff *skb = alloc_skb(sk->net, len);
	struct ip_error *e;

	if (!skb)
		return;
	if (len && skb_copy_bits(quoted, skip, skb_put(skb, len), len)) {
		skb_drop(skb, SKB_DROP_ICMP_INVALID);
		return;
	}
	skb_reset_transport_header(skb);
	e = error_of(skb);
	memset(e, 0, sizeof(*e));
	e->ip = *ip_cb(quoted);
	e->ee.ee_errno = (uint32_t)err;
	e->ee.ee_origin = SO_EE_ORIGIN_ICMP;
	e->ee.ee_type = type;
	e->ee.ee_code = code;
	e->ee.ee_info = info;
	e->daddr = ip_cb(quoted)->daddr;
	e->port = port;
	error_queue(sk, skb);
}

/**
 * ip_local_error() - queue an error of our own making (EMSGSIZE); no-op without IP_RECVERR
 * @sk:    sender
 * @err:   positive errno
 * @daddr: where the datagram was to go
 * @port:  big endian
 * @info:  path MTU
 */
void ip_local_error(struct sock *sk, int err, const struct inet_addr *daddr, be16 port, uint32_t info)
{
	struct sk_buff *skb;
	struct ip_error *e;

	if (!inet_sk(sk)->recverr)
		return;
	skb = alloc_skb(sk->net, 0);
	if (!skb)
		return;
	skb_reset_transport_header(skb);
	e = error_of(skb);
	memset(e, 0, sizeof(*e));
	e->ee.ee_errno = (uint32_t)err;
	e->ee.ee_origin = SO_EE_ORIGIN_LOCAL;
	e->ee.ee_info = info;
	e->daddr = daddr->v4;
	e->port = port;
	error_queue(sk, skb);
}

/* The pending error follows the queue: the next ICMP error's, or none after the last one. */
static struct sk_buff *take_error_skb(struct sock *sk)
{
	struct sk_buff *skb = skb_dequeue(&sk->error_queue), *next = skb_peek(&sk->error_queue);

	if (!skb)
		return NULL;
	if (is_icmp_error(next))
		sk->err = (int)error_of(next)->ee.ee_errno;
	else if (is_icmp_error(skb))
		sk->err = 0;
	if (next)
		sk->error_report(sk);
	return skb;
}

/**
 * ip_recv_error() - recvmsg(MSG_ERRQUEUE)
 * @sk:  socket
 * @msg: gets the payload, the original destination as its name, and IP_RECVERR ancillary data
 *
 * Return: bytes of payload; -EAGAIN when the queue is empty
 */
ssize_t ip_recv_error(struct sock *sk, struct stack_msg *msg)
{
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in offender;
	} answer;
	struct sk_buff *skb = take_error_skb(sk);
	const struct ip_error *e;
	struct inet_addr daddr;
	ssize_t copied;

	if (!skb)
		return -EAGAIN;
	e = error_of(skb);
	copied = (ssize_t)inet_copy_to_msg(skb, 0, skb->len, msg);
	msg->full_len = skb->len;
	if ((size_t)copied < skb->len)
		msg->out_flags |= MSG_TRUNC;
	daddr = inet_addr_v4(e->daddr);
	if (msg->name)
		msg->namelen = inet_addr_to_sockaddr(&daddr, e->port, msg->name);
	memset(&answer, 0, sizeof(answer));
	answer.ee = e->ee;
	if (is_icmp_error(skb)) {
		answer.offender.sin_family = AF_INET;
		answer.offender.sin_addr.s_addr = e->ip.offender;
		ip_cmsg_recv(sk, skb, msg);
	}
	put_cmsg(msg, SOL_IP, IP_RECVERR, &answer, sizeof(answer));
	msg->out_flags |= MSG_ERRQUEUE;
	skb_consume(skb);
	return copied;
}
