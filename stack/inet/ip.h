/* SPDX-License-Identifier: MIT */
/* IPv4: header layout, input and output (RFC 791, RFC 1122 section 3). */
#ifndef STACK_INET_IP_H
#define STACK_INET_IP_H

#include "stack/core/addr.h"
#include "stack/core/dev.h"
#include "stack/core/skbuff.h"
#include "stack/inet/route.h"

#define IPV4_HLEN 20

struct iphdr4 {
	uint8_t vihl;    /* version 4 << 4 | header length in 32-bit words */
	uint8_t tos;
	be16 tot_len;
	be16 id;
	be16 frag_off;   /* IP_F_* << 13 | offset in 8 bytes */
	uint8_t ttl;
	uint8_t protocol;
	uint16_t check;  /* as it stands on the wire */
	be32 saddr, daddr;
} __attribute__((packed)); /* may lie at any alignment, as a quoted header does */

#define IP_F_DF 0x4000
#define IP_F_MF 0x2000
#define IP_F_OFFMASK 0x1fff

/* Receive-side facts that IP leaves in skb->cb for ICMP and transports. */
struct ip_skb_cb {
	be32 saddr, daddr;
	be32 offender;    /* in err() only: who sent the ICMP message; 0 = we ourselves */
	int iif;
	uint8_t ttl, tos, protocol, ihl; /* ihl in bytes */
	bool bcast;       /* destination was broadcast or multicast, at link or network layer */
	bool df;
};
static inline struct ip_skb_cb *ip_cb(const struct sk_buff *skb)
{
	return (struct ip_skb_cb *)(void *)(uintptr_t)skb->cb;
}

/* How a transport wants its packet sent. */
struct ip_send_opts {
	uint8_t protocol, tos;
	uint8_t ttl;      /* 0 = default (1 for multicast) */
	bool df;          /* set DF */
	bool no_frag;     /* -EMSGSIZE rather than fragment */
	bool mc_loop;     /* a multicast is heard by our own sockets too, as a broadcast always is */
	bool mc_host_only; /* a multicast with ttl 0: not sent at all, only looped */
	const uint8_t *options; /* IP options, padded to 4 bytes; NULL = none */
	uint8_t options_len;
	uint16_t *ident;  /* of a packet with DF: taken from here, and moved; NULL = 0 */
};

/*
 * ip_queue_xmit(): skb->data at the transport header, headroom of ip_headroom(); builds the header,
 * fragments when needed, sends by @dst. Consumes. 0 or negative errno (-EMSGSIZE: skb larger than
 * the path MTU and DF/no_frag; nothing was sent).
 */
int ip_queue_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst,
		  const struct ip_send_opts *opts);
/* A complete IP packet made by the caller (IP_HDRINCL): checksum and id filled in. Consumes. */
int ip_send_hdrincl_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst);
/* For packets whose header is complete: to the next hop, and how large they will be on the wire. */
int ip_finish_output(struct net *net, struct sk_buff *skb, const struct dst *dst);
uint32_t ip_wire_size(const struct sk_buff *skb, uint32_t at, uint32_t hlen);
/* Headroom that a transport must reserve in front of its header. */
uint32_t ip_headroom(const struct dst *dst);
/* Software loop of own packets: dst.type local -> loopback device. */
/* Identification for packets that may be fragmented (RFC 6864 4.1): takes @count values, gives the
 * first, host order. */
uint16_t ip_select_ident(struct net *net, be32 saddr, be32 daddr, uint8_t protocol, uint16_t count);

/* ip_options.c. What a header's options ask for. */
struct ip_options {
	bool source_route, router_alert;
	uint8_t bad; /* on -EINVAL: offset of the offending byte in the IP header */
};
/* Checks @len bytes of options as they follow the fixed header; -EINVAL when malformed. */
int ip_options_parse(const uint8_t *opt, uint32_t len, struct ip_options *out);
/* Copies what belongs into later fragments (copy flag, RFC 791 3.1) to @out[40], padded; its length. */
uint8_t ip_options_copied(const uint8_t *opt, uint32_t len, uint8_t *out);

/* Handlers of IP protocols. One per protocol and net; raw sockets get copies before. */
struct net_protocol {
	uint8_t protocol;
	/* data at the transport header, network_header set, ip_cb() filled, len = IP payload. Consumes. */
	void (*rcv)(struct sk_buff *skb);
	/*
	 * An ICMP error about a packet of ours arrived. @skb is borrowed: data at the transport header
	 * of the quoted packet, at least 8 bytes linear; ip_cb() of the quoted header (saddr = ours).
	 * @info: next-hop MTU for frag needed, else 0 (RFC 1122 3.2.2).
	 */
	void (*err)(struct sk_buff *skb, uint8_t icmp_type, uint8_t icmp_code, uint32_t info);
};
int inet_add_protocol(struct net *net, const struct net_protocol *p);
const struct net_protocol *inet_protocol(struct net *net, uint8_t protocol);

#define IP_ID_BUCKETS 2048

/* net->inet. The hooks are set by raw.c's pernet init and may stay NULL. All borrow the skb. */
/* Settings of IPv4 under Linux's names (net.ipv4.*): sysctl_net_ipv4.c */
struct ipv4_sysctls {
	int ip_local_port_range[2];      /* ports to choose from: first, last */
	int ip_default_ttl;
	bool ip_forward;                 /* a router */
	bool ip_no_pmtu_disc;            /* new sockets send without DF */
	bool ip_nonlocal_bind;           /* bind() to any address */
	bool icmp_echo_ignore_all, icmp_echo_ignore_broadcasts;
	int icmp_msgs_per_sec, icmp_msgs_burst; /* errors: the rate, and so many at once */
	int igmp_max_memberships;        /* of one socket */
	uint64_t ipfrag_high_thresh;     /* bytes of fragments that wait */
	int ipfrag_time_s;
	int min_pmtu;                    /* bytes: who tells of less is taken to have said this */
	int mtu_expires_s;
};

struct netns_inet {
	struct ipv4_sysctls sysctl;
	struct ctl_table_header sysctls, conf_sysctls, route_sysctls;
	const struct net_protocol *protocols[256];
	struct packet_type ip_ptype;
	struct notifier_block netdev_nb;
	/* Sees every packet for us before its protocol does: data at the transport header,
	 * network_header and ip_cb() set. *taken = true: some raw socket got a copy, so an unknown
	 * protocol is not answered. */
	void (*raw_rcv)(struct sk_buff *skb, bool *taken);
	/* As net_protocol.err, for packets of any protocol. */
	void (*raw_err)(struct sk_buff *skb, uint8_t icmp_type, uint8_t icmp_code, uint32_t info);
	/* Echo replies, data at the ICMP header; and errors about echo requests of ours. */
	void (*ping_rcv)(struct sk_buff *skb);
	void (*ping_err)(struct sk_buff *skb, uint8_t icmp_type, uint8_t icmp_code, uint32_t info);
	/* Copies of our own broadcasts and multicasts, on their way back in (ip_output.c). */
	struct sk_buff_head loop_queue;
	struct timer_list loop_timer;
	uint64_t id_key[2];
	uint16_t ids[IP_ID_BUCKETS];
};

/* Parts of inet_pernet_ops: names and defaults of settings; the queue above. */
void ipv4_sysctl_init(struct net *net);
void ipv4_sysctl_exit(struct net *net);
void ip_loop_init(struct net *net);
void ip_loop_exit(struct net *net);
void ip_loop_purge(struct net *net);

/* Fills ip_cb() from the IP header at skb->network_header, which has been checked. */
void ip_fill_cb(struct sk_buff *skb);

/* ip_frag.c: takes a fragment (data at the IP header); returns the whole datagram or NULL. Consumes. */
struct sk_buff *ip_defrag_rcv(struct sk_buff *skb);
int ip_fragment_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst, uint32_t mtu);

extern const struct pernet_operations inet_pernet_ops; /* protocols, ptype ETH_P_IP, addresses */
extern const struct pernet_operations ip_frag_pernet_ops;

#endif
