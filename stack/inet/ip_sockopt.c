/* SPDX-License-Identifier: MIT */
/*
 * Options of level SOL_IP (man 7 ip), for sockets of every transport above IPv4.
 *
 * A positive list: an option is here because some code acts on it. All others are -ENOPROTOOPT.
 * Most values may be passed as an int or as a single byte, and small answers fit in a byte, as the
 * multicast options of BSD once wanted it and Linux keeps it for all.
 */
#include <limits.h>
#include <netinet/in.h>

#include "stack/inet/af_inet.h"
#include "stack/inet/devinet.h"
#include "stack/inet/ip.h"

#define ECN_MASK 3

/* An int, a byte, or nothing (0): all are good, as on Linux. */
static int read_value(const void *val, socklen_t len)
{
	uint8_t byte;
	int v;

	if (sockopt_get_int(val, len, &v) == 0)
		return v;
	if (len < 1)
		return 0;
	memcpy(&byte, val, 1);
	return byte;
}

/* IP precedence to the priority of a packet, as Linux's rt_tos2priority(). */
static uint32_t tos_priority(uint8_t tos)
{
	/* best effort 0, bulk 2, interactive bulk 4, interactive 6 */
	static const uint8_t priority[16] = { 0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4 };

	return priority[(tos & 0x1e) >> 1];
}

static int set_tos(struct inet_sock *inet, int v)
{
	/* A stream's ECN bits are TCP's own (RFC 3168 6.1). */
	if (inet->sk.type == SOCK_STREAM)
		v = (v & ~ECN_MASK) | (inet->tos & ECN_MASK);
	inet->tos = (uint8_t)v;
	inet->sk.priority = tos_priority(inet->tos);
	return 0;
}

/* Interface and group as passed in one of three shapes, the shorter ones for old programs. */
static int read_mreqn(const void *val, socklen_t len, struct ip_mreqn *m)
{
	struct ip_mreq mreq;

	memset(m, 0, sizeof(*m));
	if (len >= sizeof(*m)) {
		memcpy(m, val, sizeof(*m));
	} else if (len >= sizeof(mreq)) {
		memcpy(&mreq, val, sizeof(mreq));
		m->imr_multiaddr = mreq.imr_multiaddr;
		m->imr_address = mreq.imr_interface;
	} else if (len >= sizeof(m->imr_address)) {
		memcpy(&m->imr_address, val, sizeof(m->imr_address));
	} else {
		return -EINVAL;
	}
	return 0;
}

/* The device that @m names by index or by one of its addresses; 0 = none named, or negative errno. */
static int mreqn_device(const struct inet_sock *inet, const struct ip_mreqn *m, int not_found)
{
	const struct in_ifaddr *ifa;
	struct inet_addr addr;

	if (m->imr_ifindex)
		return m->imr_ifindex > 0 && dev_get_by_index(inet->sk.net, m->imr_ifindex) ?
			       m->imr_ifindex : not_found;
	if (m->imr_address.s_addr == INADDR_ANY)
		return 0;
	addr = inet_addr_v4(m->imr_address.s_addr);
	ifa = inet_ifa_find(inet->sk.net, &addr);
	return ifa ? ifa->dev->ifindex : not_found;
}

static int set_multicast_if(struct inet_sock *inet, const void *val, socklen_t len)
{
	struct ip_mreqn m;
	int ifindex, err = read_mreqn(val, len, &m);

	if (err)
		return err;
	ifindex = mreqn_device(inet, &m, -EADDRNOTAVAIL);
	if (ifindex < 0)
		return ifindex;
	if (inet->sk.bound_dev_if && ifindex && ifindex != inet->sk.bound_dev_if)
		return -EINVAL;
	inet->mc_index = ifindex;
	memset(&inet->mc_addr, 0, sizeof(inet->mc_addr));
	if (m.imr_address.s_addr != INADDR_ANY)
		inet->mc_addr = inet_addr_v4(m.imr_address.s_addr);
	return 0;
}

static int change_membership(struct inet_sock *inet, int name, const void *val, socklen_t len)
{
	struct ip_mreqn m;
	int ifindex;

	if (inet->sk.type == SOCK_STREAM)
		return -EPROTO;
	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	read_mreqn(val, len, &m);
	if (!ipv4_is_multicast(m.imr_multiaddr.s_addr))
		return -EINVAL;
	ifindex = mreqn_device(inet, &m, -ENODEV);
	if (ifindex < 0)
		return ifindex;
	if (name == IP_ADD_MEMBERSHIP)
		return ip_mc_join_group(inet, m.imr_multiaddr.s_addr, ifindex);
	return ip_mc_leave_group(inet, m.imr_multiaddr.s_addr, ifindex);
}

static int set_multicast(struct inet_sock *inet, int name, const void *val, socklen_t len)
{
	int v = read_value(val, len);

	switch (name) {
	case IP_MULTICAST_TTL:
		if (inet->sk.type == SOCK_STREAM || len < 1 || v < -1 || v > 255)
			return -EINVAL;
		inet->mc_ttl = v == -1 ? 1 : (uint8_t)v;
		return 0;
	case IP_MULTICAST_LOOP:
		if (len < 1)
			return -EINVAL;
		inet->mc_loop = v != 0;
		return 0;
	case IP_MULTICAST_IF:
		if (inet->sk.type == SOCK_STREAM)
			return -EINVAL;
		return set_multicast_if(inet, val, len);
	default:
		return change_membership(inet, name, val, len);
	}
}

/* The bit of cmsg_flags that an IP_RECV* option sets; 0 = not one of them. */
static uint32_t cmsg_bit(int name)
{
	switch (name) {
	case IP_PKTINFO: return IP_CMSG_PKTINFO;
	case IP_RECVTTL: return IP_CMSG_TTL;
	case IP_RECVTOS: return IP_CMSG_TOS;
	case IP_RECVORIGDSTADDR: return IP_CMSG_ORIGDSTADDR;
	default: return 0;
	}
}

static int set_cmsg_bit(struct inet_sock *inet, uint32_t bit, bool on)
{
	if (on)
		inet->cmsg_flags |= bit;
	else
		inet->cmsg_flags &= ~bit;
	return 0;
}

/**
 * ip_setsockopt() - setsockopt(SOL_IP)
 * @sk:   inet socket
 * @name: IP_*
 * @val:  value as passed
 * @len:  its length
 *
 * Source:  man 7 ip
 * Return:  0; -EINVAL, -ENODEV, -EADDRNOTAVAIL, -EADDRINUSE, -EPROTO; -ENOPROTOOPT
 */
int ip_setsockopt(struct sock *sk, int name, const void *val, socklen_t len)
{
	struct inet_sock *inet = inet_sk(sk);
	int v = read_value(val, len);

	if (cmsg_bit(name))
		return set_cmsg_bit(inet, cmsg_bit(name), v != 0);
	switch (name) {
	case IP_TOS:
		return set_tos(inet, v);
	case IP_TTL:
		if (len < 1 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		inet->uc_ttl = (int16_t)v;
		return 0;
	case IP_HDRINCL:
		if (sk->type != SOCK_RAW)
			return -ENOPROTOOPT;
		inet->hdrincl = v != 0;
		return 0;
	case IP_OPTIONS:
		/* None is ever set: only clearing works. */
		return len == 0 ? 0 : -ENOPROTOOPT;
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		inet->pmtudisc = (uint8_t)v;
		return 0;
	case IP_RECVERR:
		inet->recverr = v != 0;
		if (!v)
			skb_queue_purge(&sk->error_queue);
		return 0;
	case IP_FREEBIND:
		if (len < 1)
			return -EINVAL;
		inet->freebind = v != 0;
		return 0;
	case IP_BIND_ADDRESS_NO_PORT:
		inet->bind_address_no_port = v != 0;
		return 0;
	case IP_MINTTL:
		/* Linux looks at it in TCP only. */
		if (sk->type != SOCK_STREAM)
			return -ENOPROTOOPT;
		if (len < 1 || v < 0 || v > 255)
			return -EINVAL;
		inet->min_ttl = (uint8_t)v;
		return 0;
	case IP_MULTICAST_TTL:
	case IP_MULTICAST_LOOP:
	case IP_MULTICAST_IF:
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		return set_multicast(inet, name, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* IP_MTU: the known path MTU of a connected socket. */
static int get_mtu(struct sock *sk, int *v)
{
	struct inet_sock *inet = inet_sk(sk);

	if (inet_addr_any(&inet->daddr) || inet_route(inet, &inet->daddr))
		return -ENOTCONN;
	*v = (int)inet->dst.mtu;
	return 0;
}

/* 0; -ENOENT: not an option with a number for an answer. */
static int get_value(struct sock *sk, int name, int *v)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (cmsg_bit(name)) {
		*v = (inet->cmsg_flags & cmsg_bit(name)) != 0;
		return 0;
	}
	switch (name) {
	case IP_TOS: *v = inet->tos; return 0;
	case IP_TTL: *v = inet->uc_ttl < 0 ? sk->net->inet->sysctl.ip_default_ttl : inet->uc_ttl; return 0;
	case IP_HDRINCL: *v = inet->hdrincl; return 0;
	case IP_MTU_DISCOVER: *v = inet->pmtudisc; return 0;
	case IP_RECVERR: *v = inet->recverr; return 0;
	case IP_FREEBIND: *v = inet->freebind; return 0;
	case IP_BIND_ADDRESS_NO_PORT: *v = inet->bind_address_no_port; return 0;
	case IP_MINTTL: *v = inet->min_ttl; return sk->type == SOCK_STREAM ? 0 : -ENOENT;
	case IP_MULTICAST_TTL: *v = inet->mc_ttl; return 0;
	case IP_MULTICAST_LOOP: *v = inet->mc_loop; return 0;
	case IP_MTU: return get_mtu(sk, v);
	default: return -ENOENT;
	}
}

static int put_value(void *val, socklen_t *len, int v)
{
	uint8_t byte = (uint8_t)v;

	if (*len > 0 && *len < sizeof(v) && v >= 0 && v <= 255)
		return sockopt_put_bytes(val, len, &byte, sizeof(byte));
	return sockopt_put_int(val, len, v);
}

/*
 * IP_PKTOPTIONS: the ancillary data that a stream has no message for, about the segment that made the connection.
 * Servers learn from it on which interface a client came in (dnsmasq).
 */
static int get_pktoptions(const struct inet_sock *inet, void *val, socklen_t *len)
{
	struct stack_msg msg = { .control = val, .control_size = *len };
	const struct in_pktinfo info = {
		.ipi_ifindex = inet->mc_index,
		.ipi_spec_dst.s_addr = inet->rcv_saddr.v4,
		.ipi_addr.s_addr = inet->rcv_saddr.v4,
	};
	int ttl = inet->mc_ttl;

	if (inet->sk.type != SOCK_STREAM)
		return -ENOPROTOOPT;
	if (inet->cmsg_flags & IP_CMSG_PKTINFO)
		put_cmsg(&msg, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	if (inet->cmsg_flags & IP_CMSG_TTL)
		put_cmsg(&msg, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	*len = (socklen_t)msg.controllen;
	return 0;
}

/**
 * ip_getsockopt() - getsockopt(SOL_IP)
 * @sk:   inet socket
 * @name: IP_*
 * @val:  answer
 * @len:  in: room; out: length of the answer
 *
 * Return: 0; -ENOTCONN (IP_MTU); -ENOPROTOOPT
 */
int ip_getsockopt(struct sock *sk, int name, void *val, socklen_t *len)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct in_addr addr = { .s_addr = INADDR_ANY };
	int v, err;

	if (*len > INT_MAX)
		return -EINVAL;
	err = get_value(sk, name, &v);
	if (err == 0)
		return put_value(val, len, v);
	if (err != -ENOENT)
		return err;
	switch (name) {
	case IP_OPTIONS:
		*len = 0;
		return 0;
	case IP_PKTOPTIONS:
		return get_pktoptions(inet, val, len);
	case IP_MULTICAST_IF:
		if (!inet_addr_any(&inet->mc_addr))
			addr.s_addr = inet->mc_addr.v4;
		return sockopt_put_bytes(val, len, &addr, sizeof(addr));
	default:
		return -ENOPROTOOPT;
	}
}
