/* SPDX-License-Identifier: MIT */
/* INET layer: what every inet socket has, and the registry of transports. */
#ifndef STACK_INET_AF_INET_H
#define STACK_INET_AF_INET_H

#include <netinet/in.h>

#include "stack/core/addr.h"
#include "stack/core/sock.h"
#include "stack/core/socket.h"
#include "stack/inet/route.h"

/* First member of every transport's socket. */
struct inet_sock {
	struct sock sk;
	struct inet_addr saddr;     /* source of what we send */
	struct inet_addr rcv_saddr; /* bound local address; any = all */
	struct inet_addr daddr;     /* peer; any = not connected */
	uint16_t num;               /* local port, host order; 0 = none */
	be16 sport, dport;
	struct list_head bind_node, hash_node; /* inet_hash.c */
	void *bind_bucket;          /* inet_port.c */
	struct dst dst;             /* cached route, see dst_check() */

	uint8_t tos;
	int16_t uc_ttl;             /* -1 = default */
	uint8_t mc_ttl, min_ttl;
	uint16_t ident;             /* IP identification of what a connection sends next */
	bool counts;                /* ... which it has: it is no request and not in TIME-WAIT */
	int mc_index;               /* IP_MULTICAST_IF; 0 = by route. TCP: where the client came in */
	struct inet_addr mc_addr;   /* source of group packets, from IP_MULTICAST_IF */
	struct list_head groups;    /* struct ip_mc_socklist, ip_mcast.c */
	bool mc_loop;
	uint8_t pmtudisc;           /* IP_PMTUDISC_*; default WANT */
	bool recverr, freebind, hdrincl, bind_address_no_port;
	uint32_t cmsg_flags;        /* IP_CMSG_* below */
	bool userlocks_addr, userlocks_port; /* chosen by bind(), kept over disconnect */
};

enum { IP_CMSG_PKTINFO = 1, IP_CMSG_TTL = 2, IP_CMSG_TOS = 4, IP_CMSG_RECVOPTS = 8, IP_CMSG_ORIGDSTADDR = 16 };

static inline struct inet_sock *inet_sk(const struct sock *sk)
{
	return (struct inet_sock *)(uintptr_t)sk;
}

/* A transport: looked up by (family, type, protocol); protocol 0 in socket() takes the first of the
 * type marked is_default. Registered once per net by the transport's pernet init. */
struct inet_protosw {
	uint16_t type;          /* SOCK_STREAM ... */
	uint8_t protocol;       /* IPPROTO_*; IPPROTO_IP = wild card (raw) */
	bool is_default;
	const struct proto *prot;
	const struct proto_ops *ops; /* inet_stream_ops or inet_dgram_ops */
};
int inet_register_protosw(struct net *net, const struct inet_protosw *p);

extern const struct proto_ops inet_stream_ops, inet_dgram_ops;
extern const struct pernet_operations inet_sock_pernet_ops; /* registry + sock_register(PF_INET) */
extern const struct pernet_operations udp_pernet_ops, raw_pernet_ops;

/* Fields filled from socket(); used by transports that make sockets themselves (TCP children). */
void inet_sock_init(struct inet_sock *inet);
/* Takes over addresses and options of a listener to a child. */
void inet_sock_clone(struct inet_sock *child, const struct inet_sock *parent);

/* sockaddr <-> inet_addr. -EINVAL short, -EAFNOSUPPORT family (AF_UNSPEC is up to the caller). */
int inet_addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct inet_addr *addr, be16 *port);
socklen_t inet_addr_to_sockaddr(const struct inet_addr *addr, be16 port, struct sockaddr_storage *ss);

/* Route of a (to be) connected socket, cached in inet->dst; 0 or negative errno. */
int inet_route(struct inet_sock *inet, const struct inet_addr *daddr);
/* autobind: gives an unbound socket a port. -EAGAIN when all are taken (as Linux). */
int inet_autobind(struct sock *sk);
/* "tcp 10.0.0.2:40000 > 10.0.0.1:80" */
void inet_describe(const struct sock *sk, char *buf, size_t len);

/* ip_mcast.c: group membership of a socket (reception filter; no IGMP is spoken). */
int ip_mc_join_group(struct inet_sock *inet, be32 group, int ifindex);
int ip_mc_leave_group(struct inet_sock *inet, be32 group, int ifindex);
bool ip_mc_sf_allow(const struct inet_sock *inet, be32 group, int iif);
void ip_mc_drop_socket(struct inet_sock *inet);

/* ip_sockopt.c: SOL_IP; -ENOPROTOOPT for unknown names. Ancillary data both ways. */
int ip_setsockopt(struct sock *sk, int name, const void *val, socklen_t len);
int ip_getsockopt(struct sock *sk, int name, void *val, socklen_t *len);
/* Appends what cmsg_flags (and SO_TIMESTAMP) ask for from a received datagram. */
void ip_cmsg_recv(struct sock *sk, const struct sk_buff *skb, struct stack_msg *msg);
/* Per-message overrides (IP_PKTINFO, IP_TTL, IP_TOS). -EINVAL on malformed control data. */
struct ip_cmsg_send {
	struct inet_addr saddr; /* AF_UNSPEC = none */
	int oif, ttl, tos;      /* -1 = not given; oif 0 */
};
int ip_cmsg_parse(const struct stack_msg *msg, struct ip_cmsg_send *out);
/* Error queue (IP_RECVERR): queues an extended error; serves MSG_ERRQUEUE. */
void ip_icmp_error(struct sock *sk, const struct sk_buff *quoted, int err, uint8_t type, uint8_t code,
		   be16 port, uint32_t info);
void ip_local_error(struct sock *sk, int err, const struct inet_addr *daddr, be16 port, uint32_t info);
ssize_t ip_recv_error(struct sock *sk, struct stack_msg *msg);
/* Scatters @len bytes of @skb from @offset into the message; the count that fitted. datagram.c */
size_t inet_copy_to_msg(const struct sk_buff *skb, uint32_t offset, size_t len, const struct stack_msg *msg);

#endif
