/* SPDX-License-Identifier: MIT */
/*
 * INET layer: what the calls of the BSD layer mean for every IPv4 (later IPv6) socket.
 *
 * socket() looks (type, protocol) up in the net's table of transports, which they filled by
 * inet_register_protosw(). bind(), connect() and the rest keep Linux's checks in Linux's order, set the
 * addresses in struct inet_sock and call struct proto for what only the transport knows. Two sets of
 * operations: inet_stream_ops follows the socket's state through connect() and accept(),
 * inet_dgram_ops gives a port to whoever sends without one.
 *
 * Read first: man 7 ip, man 2 bind, connect; RFC 1122 4.1 and 4.2 for what applications may expect.
 */
#include <linux/sockios.h>
#include <stdlib.h>

#include "stack/inet/af_inet.h"
#include "stack/inet/devinet.h"
#include "stack/inet/ip.h"

#define PROTOSW_MAX 8
#define PROTOCOL_MAX 263 /* Linux's IPPROTO_MAX: IPPROTO_MPTCP is 262 */

struct protosw_table {
	const struct inet_protosw *entry[PROTOSW_MAX];
	size_t count;
};

static int inet_create(struct net *net, struct socket *sock, int protocol);

static const struct net_proto_family inet_family = {
	.family = PF_INET,
	.create = inet_create,
};

static int inet_sock_net_init(struct net *net)
{
	struct protosw_table *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	err = sock_register(net, &inet_family);
	if (err) {
		free(t);
		return err;
	}
	net->protosw = t;
	return 0;
}

static void inet_sock_net_exit(struct net *net)
{
	free(net->protosw);
	net->protosw = NULL;
}

const struct pernet_operations inet_sock_pernet_ops = {
	.name = "inet sockets",
	.init = inet_sock_net_init,
	.exit = inet_sock_net_exit,
};

/**
 * inet_register_protosw() - a transport says for which socket() calls it stands
 * @net: net
 * @p:   type, protocol and operations; must outlive the net
 *
 * Return: 0; -EEXIST, -ENOBUFS
 */
int inet_register_protosw(struct net *net, const struct inet_protosw *p)
{
	struct protosw_table *t = net->protosw;

	for (size_t i = 0; i < t->count; i++) {
		if (t->entry[i]->type == p->type && t->entry[i]->protocol == p->protocol)
			return -EEXIST;
	}
	if (t->count == PROTOSW_MAX)
		return -ENOBUFS;
	t->entry[t->count++] = p;
	return 0;
}

/*
 * Wild card (raw): any protocol that a header can carry, but 0 (Linux counts up to 262, of which only
 * the lower eight bits are sent). No such type: ESOCKTNOSUPPORT; type but no protocol: EPROTONOSUPPORT.
 */
static bool is_for(const struct inet_protosw *p, int protocol)
{
	if (protocol == IPPROTO_IP)
		return p->is_default && p->protocol != IPPROTO_IP;
	return p->protocol == protocol || (p->protocol == IPPROTO_IP && protocol <= UINT8_MAX);
}

static const struct inet_protosw *find_protosw(const struct protosw_table *t, int type, int protocol, int *err)
{
	*err = -ESOCKTNOSUPPORT;
	for (size_t i = 0; i < t->count; i++) {
		const struct inet_protosw *p = t->entry[i];

		if (p->type != type)
			continue;
		if (is_for(p, protocol))
			return p;
		*err = -EPROTONOSUPPORT;
	}
	return NULL;
}

/**
 * inet_sock_init() - Linux's defaults of a fresh inet socket
 * @inet: zeroed socket
 */
void inet_sock_init(struct inet_sock *inet)
{
	list_init(&inet->bind_node);
	list_init(&inet->hash_node);
	list_init(&inet->groups);
	inet->uc_ttl = -1;
	inet->mc_ttl = 1;
	inet->mc_loop = true;
	inet->pmtudisc = inet->sk.net->inet->sysctl.ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
}

/**
 * inet_sock_clone() - what a connection inherits from its listener
 * @child:  fresh socket after inet_sock_init()
 * @parent: listener
 *
 * Addresses are copied too; the transport sets those of the connection afterwards.
 */
void inet_sock_clone(struct inet_sock *child, const struct inet_sock *parent)
{
	const struct sock *from = &parent->sk;
	struct sock *to = &child->sk;

	child->saddr = parent->saddr;
	child->rcv_saddr = parent->rcv_saddr;
	child->num = parent->num;
	child->sport = parent->sport;
	child->tos = parent->tos;
	child->uc_ttl = parent->uc_ttl;
	child->mc_ttl = parent->mc_ttl;
	child->min_ttl = parent->min_ttl;
	child->mc_loop = parent->mc_loop;
	child->pmtudisc = parent->pmtudisc;
	child->recverr = parent->recverr;
	child->freebind = parent->freebind;
	child->bind_address_no_port = parent->bind_address_no_port;
	child->cmsg_flags = parent->cmsg_flags;
	child->userlocks_addr = parent->userlocks_addr;
	child->userlocks_port = parent->userlocks_port;
	to->protocol = from->protocol;
	to->owner = from->owner;
	to->flags = from->flags & ~(1UL << SOCK_DEAD | 1UL << SOCK_DONE);
	to->rcvbuf = from->rcvbuf;
	to->sndbuf = from->sndbuf;
	to->rcvlowat = from->rcvlowat;
	to->linger_s = from->linger_s;
	to->rcvtimeo_us = from->rcvtimeo_us;
	to->sndtimeo_us = from->sndtimeo_us;
	to->priority = 0; /* as sk_clone() of Linux: SO_PRIORITY is not passed on */
	to->mark = from->mark;
	to->max_pacing_rate = from->max_pacing_rate;
	to->bound_dev_if = from->bound_dev_if;
}

static int inet_create(struct net *net, struct socket *sock, int protocol)
{
	const struct inet_protosw *p;
	struct inet_sock *inet;
	struct sock *sk;
	int err;

	if (protocol < 0 || protocol >= PROTOCOL_MAX)
		return -EINVAL;
	p = find_protosw(net->protosw, sock->type, protocol, &err);
	if (!p)
		return err;
	sk = sk_alloc(net, AF_INET, sock->type, p->prot);
	if (!sk)
		return -ENOMEM;
	sk->protocol = (uint8_t)(protocol ? protocol : p->protocol);
	inet = inet_sk(sk);
	inet_sock_init(inet);
	sock->ops = p->ops;
	sock->sk = sk;
	sk->socket = sock;
	if (sock->type == SOCK_RAW) {
		/* A raw socket's "port" is its protocol; IPPROTO_RAW can only send whole packets. */
		inet->num = sk->protocol;
		inet->sport = cpu_to_be16(inet->num);
		inet->hdrincl = sk->protocol == IPPROTO_RAW;
		if (sk->prot->hash)
			sk->prot->hash(sk);
	}
	err = sk->prot->init ? sk->prot->init(sk) : 0;
	if (err) {
		if (sk->prot->unhash)
			sk->prot->unhash(sk);
		sock->sk = NULL;
		sk->socket = NULL;
		sock_put(sk);
	}
	return err;
}

/**
 * inet_addr_from_sockaddr() - read a socket address
 * @sa:   address as passed by the program; need not be aligned
 * @len:  its length
 * @addr: result
 * @port: result, big endian
 *
 * Return: 0; -EINVAL too short; -EAFNOSUPPORT not AF_INET
 */
int inet_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct inet_addr *addr, be16 *port)
{
	struct sockaddr_in sin;

	if (len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, sa, sizeof(sin));
	if (sin.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	*addr = inet_addr_v4(sin.sin_addr.s_addr);
	*port = sin.sin_port;
	return 0;
}

/**
 * inet_addr_to_sockaddr() - write a socket address
 * @addr: address; AF_UNSPEC is written as 0.0.0.0
 * @port: big endian
 * @ss:   result
 *
 * Return: its length
 */
socklen_t inet_addr_to_sockaddr(const struct inet_addr *addr, be16 port, struct sockaddr_storage *ss)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = port };

	if (addr->family == AF_INET)
		sin.sin_addr.s_addr = addr->v4;
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &sin, sizeof(sin));
	return sizeof(sin);
}

/* AF_UNSPEC or too short to say: both mean no address family that we could compare. */
static int sockaddr_family(const struct sockaddr *sa, socklen_t len)
{
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, sa, sizeof(family));
	return family;
}

/**
 * inet_route() - the route of a connected (or connecting) socket, cached in inet->dst
 * @inet:  socket; its bound address, device and SO_DONTROUTE count
 * @daddr: where to
 *
 * Return: 0 or the negative errno of route_lookup()
 */
int inet_route(struct inet_sock *inet, const struct inet_addr *daddr)
{
	const struct sock *sk = &inet->sk;
	struct flowi fl = { .daddr = *daddr, .oif = sk->bound_dev_if };
	struct dst dst;
	int err;

	if (dst_check(sk->net, &inet->dst) && inet_addr_equal(&inet->dst.daddr, daddr) &&
	    (!fl.oif || (inet->dst.dev && inet->dst.dev->ifindex == fl.oif)) &&
	    (inet_addr_any(&inet->saddr) || inet_addr_equal(&inet->saddr, &inet->dst.saddr)))
		return 0;
	fl.saddr = inet->saddr;
	fl.dont_route = sock_flag(sk, SOCK_DONTROUTE);
	memset(&dst, 0, sizeof(dst));
	err = route_lookup(sk->net, &fl, &dst);
	if (err == 0)
		inet->dst = dst;
	else
		inet->dst.gen = 0;
	return err;
}

/**
 * inet_autobind() - give a port to a socket that sends or connects without having been bound
 * @sk: socket
 *
 * Return: 0; -EAGAIN when all ports are taken, as Linux
 */
int inet_autobind(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);

	if (inet->num)
		return 0;
	if (!sk->prot->get_port || sk->prot->get_port(sk, 0))
		return -EAGAIN;
	inet->sport = cpu_to_be16(inet->num);
	return 0;
}

/**
 * inet_describe() - "tcp 10.0.0.2:40000 > 10.0.0.1:80"
 * @sk:  inet socket
 * @buf: where to; always terminated
 * @len: bytes of @buf
 */
void inet_describe(const struct sock *sk, char *buf, size_t len)
{
	const struct inet_sock *inet = inet_sk(sk);
	char local[INET_ADDR_STRLEN] = "*", peer[INET_ADDR_STRLEN] = "*", name[8];
	size_t i;

	for (i = 0; i + 1 < sizeof(name) && sk->prot->name[i]; i++) {
		char c = sk->prot->name[i];

		name[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	name[i] = '\0';
	if (!inet_addr_any(&inet->saddr))
		inet_addr_str(&inet->saddr, local);
	if (inet_addr_any(&inet->daddr)) {
		snprintf(buf, len, "%s %s:%u", name, local, inet->num);
		return;
	}
	inet_addr_str(&inet->daddr, peer);
	snprintf(buf, len, "%s %s:%u > %s:%u", name, local, inet->num, peer, be16_to_cpu(inet->dport));
}

/* --- calls common to streams and datagrams --------------------------------------------------- */

static int inet_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	sock->sk = NULL;
	if (!sk)
		return 0;
	ip_mc_drop_socket(inet_sk(sk));
	sk->prot->close(sk);
	return 0;
}

/* May the address be bound? Ours, any, broadcast or a group; with IP_FREEBIND every one. */
static bool address_is_bindable(const struct inet_sock *inet, const struct inet_addr *addr,
				enum route_type *type)
{
	*type = inet_addr_any(addr) ? RTN_T_LOCAL : inet_addr_type(inet->sk.net, addr);
	if (inet->freebind || inet->sk.net->inet->sysctl.ip_nonlocal_bind)
		return true;
	return *type == RTN_T_LOCAL || *type == RTN_T_BROADCAST || *type == RTN_T_MULTICAST;
}

/* bind() takes AF_UNSPEC with 0.0.0.0 for AF_INET: old programs forget the family. */
static int read_bind_address(const struct sockaddr *sa, socklen_t len, struct inet_addr *addr, be16 *port)
{
	struct sockaddr_in sin;

	if (len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, sa, sizeof(sin));
	if (sin.sin_family != AF_INET &&
	    (sin.sin_family != AF_UNSPEC || sin.sin_addr.s_addr != INADDR_ANY))
		return -EAFNOSUPPORT;
	*addr = inet_addr_v4(sin.sin_addr.s_addr);
	*port = sin.sin_port;
	return 0;
}

static void forget_local_address(struct inet_sock *inet)
{
	memset(&inet->saddr, 0, sizeof(inet->saddr));
	memset(&inet->rcv_saddr, 0, sizeof(inet->rcv_saddr));
}

static int inet_bind(struct socket *sock, const struct sockaddr *sa, socklen_t len)
{
	struct sock *sk = sock->sk;
	struct inet_sock *inet = inet_sk(sk);
	bool raw = sk->type == SOCK_RAW;
	struct inet_addr addr;
	enum route_type type;
	be16 port;
	int err;

	err = read_bind_address(sa, len, &addr, &port);
	if (err)
		return err;
	if (!address_is_bindable(inet, &addr, &type))
		return -EADDRNOTAVAIL;
	if (sk->state != TCP_CLOSE || (inet->num && !raw))
		return -EINVAL;
	inet->rcv_saddr = addr;
	inet->saddr = addr;
	if (type == RTN_T_MULTICAST || type == RTN_T_BROADCAST)
		memset(&inet->saddr, 0, sizeof(inet->saddr)); /* RFC 1122 3.2.1.3: never a source */
	err = sk->prot->bind_check ? sk->prot->bind_check(sk) : 0;
	if (!err && !raw && (port || !inet->bind_address_no_port))
		err = sk->prot->get_port(sk, be16_to_cpu(port));
	if (err) {
		forget_local_address(inet);
		return err;
	}
	inet->userlocks_addr = !inet_addr_any(&addr);
	if (!raw) {
		inet->userlocks_port = port != 0;
		inet->sport = cpu_to_be16(inet->num);
		inet->dport = 0;
	}
	memset(&inet->daddr, 0, sizeof(inet->daddr));
	inet->dst.gen = 0;
	return 0;
}

static int inet_getname(struct socket *sock, struct sockaddr_storage *ss, bool peer)
{
	const struct sock *sk = sock->sk;
	const struct inet_sock *inet = inet_sk(sk);

	if (!peer)
		return (int)inet_addr_to_sockaddr(inet_addr_any(&inet->rcv_saddr) ? &inet->saddr :
								&inet->rcv_saddr, inet->sport, ss);
	if (!inet->dport || sk->state == TCP_CLOSE || sk->state == TCP_SYN_SENT)
		return -ENOTCONN;
	return (int)inet_addr_to_sockaddr(&inet->daddr, inet->dport, ss);
}

static unsigned int inet_poll(const struct socket *sock)
{
	return sock->sk->prot->poll(sock->sk);
}

static int inet_ioctl(struct socket *sock, unsigned long cmd, int *value)
{
	/* Who may not change routes and neighbours. */
	if (cmd == SIOCADDRT || cmd == SIOCDELRT || cmd == SIOCSARP || cmd == SIOCDARP)
		return -EPERM;
	if (!sock->sk->prot->ioctl)
		return -ENOTTY;
	return sock->sk->prot->ioctl(sock->sk, cmd, value);
}

static int inet_socket_dev_ioctl(struct socket *sock, unsigned long cmd, void *arg, size_t *len)
{
	return inet_dev_ioctl(sock->net, cmd, arg, len);
}

static int inet_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	how++; /* SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 become the bits 1, 2, 3 */
	if (sock->state == SS_CONNECTING)
		sock->state = sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV ||
			      sk->state == TCP_CLOSE ? SS_DISCONNECTING : SS_CONNECTED;
	if (sk->state == TCP_SYN_SENT || (sk->state == TCP_LISTEN && (how & RCV_SHUTDOWN))) {
		err = sk->prot->disconnect(sk);
		sock->state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
	} else if (sk->state != TCP_LISTEN) {
		/* An unconnected socket is shut down too, though the call fails: pollers see HUP. */
		if (sk->state == TCP_CLOSE)
			err = -ENOTCONN;
		sk->shutdown |= (uint8_t)how;
		if (sk->prot->shutdown) {
			int e = sk->prot->shutdown(sk, how);

			err = err ? err : e;
		}
	}
	sk->state_change(sk);
	return err;
}

static int inet_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	struct sock *sk = sock->sk;

	if (level == SOL_IP)
		return ip_setsockopt(sk, name, val, len);
	if (!sk->prot->setsockopt)
		return -ENOPROTOOPT;
	return sk->prot->setsockopt(sk, level, name, val, len);
}

static int inet_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	struct sock *sk = sock->sk;

	if (level == SOL_IP)
		return ip_getsockopt(sk, name, val, len);
	if (!sk->prot->getsockopt)
		return -EOPNOTSUPP; /* a level that is nobody's; Linux says ENOPROTOOPT to set only */
	return sk->prot->getsockopt(sk, level, name, val, len);
}

/* --- streams ---------------------------------------------------------------------------------- */

/* The attempt ended in CLOSE: tell why once, and make the socket fit for another attempt. */
static int connect_failed(struct socket *sock)
{
	struct sock *sk = sock->sk;
	int err = sock_error(sk);

	sock->state = SS_UNCONNECTED;
	if (sk->prot->disconnect(sk))
		sock->state = SS_DISCONNECTING;
	return err ? err : -ECONNABORTED;
}

static int inet_stream_connect(struct socket *sock, const struct sockaddr *sa, socklen_t len)
{
	struct sock *sk = sock->sk;
	int family = sockaddr_family(sa, len);
	int err;

	if (family < 0)
		return family;
	if (family == AF_UNSPEC) {
		err = sk->prot->disconnect(sk);
		sock->state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
		return err;
	}
	switch (sock->state) {
	case SS_CONNECTED:
		return -EISCONN;
	case SS_CONNECTING:
		err = -EALREADY;
		break;
	case SS_UNCONNECTED:
		if (sk->state != TCP_CLOSE)
			return -EISCONN;
		err = sk->prot->connect(sk, sa, len);
		if (err < 0 && err != -EINPROGRESS)
			return err;
		sock->state = SS_CONNECTING;
		err = -EINPROGRESS;
		break;
	default:
		return -EINVAL;
	}
	if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV)
		return err == -EINPROGRESS && sock_flag(sk, SOCK_EARLY) ? 0 : err;
	if (sk->state == TCP_CLOSE)
		return connect_failed(sock);
	sock->state = SS_CONNECTED;
	return 0;
}

static int inet_stream_accept(struct socket *sock, struct socket *newsock)
{
	struct sock *sk = sock->sk, *child;
	int err = -EINVAL;

	if (!sk->prot->accept)
		return -EOPNOTSUPP;
	child = sk->prot->accept(sk, &err);
	if (!child)
		return err;
	newsock->sk = child;
	newsock->state = SS_CONNECTED;
	child->socket = newsock;
	sock_reset_flag(child, SOCK_DEAD);
	return 0;
}

static int inet_stream_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (sock->state != SS_UNCONNECTED || (sk->state != TCP_CLOSE && sk->state != TCP_LISTEN))
		return -EINVAL;
	if (!sk->prot->listen)
		return -EOPNOTSUPP;
	return sk->prot->listen(sk, backlog);
}

static ssize_t inet_stream_sendmsg(struct socket *sock, struct stack_msg *msg)
{
	return sock->sk->prot->sendmsg(sock->sk, msg);
}

static ssize_t inet_recvmsg(struct socket *sock, struct stack_msg *msg)
{
	return sock->sk->prot->recvmsg(sock->sk, msg);
}

const struct proto_ops inet_stream_ops = {
	.family = PF_INET,
	.release = inet_release,
	.bind = inet_bind,
	.connect = inet_stream_connect,
	.accept = inet_stream_accept,
	.getname = inet_getname,
	.poll = inet_poll,
	.ioctl = inet_ioctl,
	.dev_ioctl = inet_socket_dev_ioctl,
	.listen = inet_stream_listen,
	.shutdown = inet_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.sendmsg = inet_stream_sendmsg,
	.recvmsg = inet_recvmsg,
};

/* --- datagrams -------------------------------------------------------------------------------- */

static int inet_dgram_connect(struct socket *sock, const struct sockaddr *sa, socklen_t len)
{
	struct sock *sk = sock->sk;
	int family = sockaddr_family(sa, len);

	if (family < 0)
		return family;
	if (family == AF_UNSPEC)
		return sk->prot->disconnect(sk);
	if (inet_autobind(sk))
		return -EAGAIN;
	return sk->prot->connect(sk, sa, len);
}

static int inet_no_accept(struct socket *sock, struct socket *newsock)
{
	(void)sock;
	(void)newsock;
	return -EOPNOTSUPP;
}

static int inet_no_listen(struct socket *sock, int backlog)
{
	(void)sock;
	(void)backlog;
	return -EOPNOTSUPP;
}

static ssize_t inet_dgram_sendmsg(struct socket *sock, struct stack_msg *msg)
{
	if (inet_autobind(sock->sk))
		return -EAGAIN;
	return sock->sk->prot->sendmsg(sock->sk, msg);
}

const struct proto_ops inet_dgram_ops = {
	.family = PF_INET,
	.release = inet_release,
	.bind = inet_bind,
	.connect = inet_dgram_connect,
	.accept = inet_no_accept,
	.getname = inet_getname,
	.poll = inet_poll,
	.ioctl = inet_ioctl,
	.dev_ioctl = inet_socket_dev_ioctl,
	.listen = inet_no_listen,
	.shutdown = inet_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.sendmsg = inet_dgram_sendmsg,
	.recvmsg = inet_recvmsg,
};
