/* SPDX-License-Identifier: MIT */
/*
 * Ancillary data of IPv4 datagrams, both ways (man 3 cmsg, man 7 ip).
 *
 * Received: what the socket asked for by IP_PKTINFO, IP_RECVTTL, ... and SO_TIMESTAMP is appended in
 * Linux's order; what does not fit is cut and MSG_CTRUNC says so. Sent: IP_PKTINFO, IP_TTL and IP_TOS
 * override the socket for one message; anything else of these levels is -EINVAL.
 */
#include <netinet/in.h>
#include <netinet/udp.h>

#include "stack/inet/af_inet.h"
#include "stack/inet/ip.h"

/* ipi_spec_dst: the address to answer from, which is not a broadcast or group (RFC 1122 4.1.3.5). */
static void put_pktinfo(const struct sock *sk, const struct sk_buff *skb, struct stack_msg *msg)
{
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct inet_addr daddr = inet_addr_v4(cb->daddr);
	struct in_pktinfo info = {
		.ipi_ifindex = cb->iif,
		.ipi_spec_dst.s_addr = cb->daddr,
		.ipi_addr.s_addr = cb->daddr,
	};

	if (inet_addr_type(sk->net, &daddr) != RTN_T_LOCAL) {
		struct flowi fl = { .daddr = inet_addr_v4(cb->saddr), .oif = cb->iif };
		struct dst dst;

		memset(&dst, 0, sizeof(dst));
		info.ipi_spec_dst.s_addr = route_lookup(sk->net, &fl, &dst) == 0 ? dst.saddr.v4 : 0;
	}
	put_cmsg(msg, SOL_IP, IP_PKTINFO, &info, sizeof(info));
}

/* The port where the datagram was sent to lies in the first four bytes of the transport header. */
static void put_original_destination(const struct sk_buff *skb, struct stack_msg *msg)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = ip_cb(skb)->daddr };
	const uint8_t *th = skb_transport_header(skb);

	if (th + 4 > skb->tail)
		return;
	memcpy(&sin.sin_port, th + 2, sizeof(sin.sin_port));
	put_cmsg(msg, SOL_IP, IP_ORIGDSTADDR, &sin, sizeof(sin));
}

/**
 * ip_cmsg_recv() - append what the socket wants to know about a received datagram
 * @sk:  receiver
 * @skb: datagram with ip_cb() and transport_header
 * @msg: message under way to the program
 */
void ip_cmsg_recv(struct sock *sk, const struct sk_buff *skb, struct stack_msg *msg)
{
	uint32_t want = inet_sk(sk)->cmsg_flags;
	const struct ip_skb_cb *cb = ip_cb(skb);
	int ttl = cb->ttl;

	sock_put_timestamp(sk, skb, msg);
	if (want & IP_CMSG_PKTINFO)
		put_pktinfo(sk, skb, msg);
	if (want & IP_CMSG_TTL)
		put_cmsg(msg, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (want & IP_CMSG_TOS)
		put_cmsg(msg, SOL_IP, IP_TOS, &cb->tos, sizeof(cb->tos));
	if (want & IP_CMSG_ORIGDSTADDR)
		put_original_destination(skb, msg);
}

static int take_int(const uint8_t *data, size_t len, bool byte_too, int *out)
{
	if (len == sizeof(*out)) {
		memcpy(out, data, sizeof(*out));
		return 0;
	}
	if (!byte_too || len != 1)
		return -EINVAL;
	*out = data[0];
	return 0;
}

static int take_ip_cmsg(int type, const uint8_t *data, size_t len, struct ip_cmsg_send *out)
{
	struct in_pktinfo info;

	switch (type) {
	case IP_PKTINFO:
		if (len != sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		if (info.ipi_ifindex)
			out->oif = info.ipi_ifindex;
		if (info.ipi_spec_dst.s_addr)
			out->saddr = inet_addr_v4(info.ipi_spec_dst.s_addr);
		return 0;
	case IP_TTL:
		if (take_int(data, len, false, &out->ttl) || out->ttl < 1 || out->ttl > 255)
			return -EINVAL;
		return 0;
	case IP_TOS:
		if (take_int(data, len, true, &out->tos) || out->tos < 0 || out->tos > 255)
			return -EINVAL;
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * ip_cmsg_parse() - read the ancillary data of a message to be sent
 * @msg: message; control and control_size as passed by the program
 * @out: overrides; fields not given keep "none"
 *
 * Return: 0; -EINVAL for malformed or unknown data of the levels SOL_IP, SOL_SOCKET, SOL_UDP
 */
int ip_cmsg_parse(const struct stack_msg *msg, struct ip_cmsg_send *out)
{
	const uint8_t *p = msg->control;
	size_t left = p ? msg->control_size : 0;

	memset(out, 0, sizeof(*out));
	out->ttl = -1;
	out->tos = -1;
	while (left >= sizeof(struct cmsghdr)) {
		struct cmsghdr hdr;
		size_t step;
		int err;

		memcpy(&hdr, p, sizeof(hdr));
		if (hdr.cmsg_len < sizeof(hdr) || hdr.cmsg_len > left)
			return -EINVAL;
		if (hdr.cmsg_level == SOL_SOCKET || hdr.cmsg_level == SOL_UDP)
			return -EINVAL;
		if (hdr.cmsg_level == SOL_IP) {
			err = take_ip_cmsg(hdr.cmsg_type, p + CMSG_LEN(0), hdr.cmsg_len - CMSG_LEN(0), out);
			if (err)
				return err;
		}
		step = MIN((size_t)CMSG_ALIGN(hdr.cmsg_len), left);
		p += step;
		left -= step;
	}
	return 0;
}
