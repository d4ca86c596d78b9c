/* SPDX-License-Identifier: MIT */
/*
 * arp.c - link addresses of IPv4 neighbours on Ethernet
 *
 * The neighbour subsystem owns the cache and its states; ARP puts the questions (solicit), gives
 * answers for our own addresses, and feeds what it hears into the cache. As on Linux, an address is
 * answered for on every device, only a request to us makes a new entry, unasked announcements
 * change entries but never create them, and an entry cannot be overwritten twice within a second.
 *
 * Conflicts over our own addresses are arp_acd.c's. Read first: RFC 826; RFC 1122 2.3.2; RFC 5227.
 */
#include "stack/inet/arp.h"

#include "stack/core/neighbour.h"
#include "stack/inet/icmp.h"
#include "stack/inet/ip.h"
#include "stack/inet/route.h"

#define ARP_LEN 28U
#define ARP_LOCKTIME NSEC_PER_SEC /* Linux */

static uint8_t *put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

/**
 * arp_send() - send one ARP packet
 * @dev:   by which device
 * @op:    ARP_OP_REQUEST or ARP_OP_REPLY
 * @sip:   sender's address, 0 in a probe
 * @tip:   target's address
 * @dest:  link address to send to, NULL = broadcast
 * @tha:   target's link address in the packet, NULL = zeros
 *
 * A packet that cannot be sent is lost; ARP asks again.
 */
void arp_send(struct net_device *dev, uint16_t op, be32 sip, be32 tip, const uint8_t *dest,
	      const uint8_t *tha)
{
	static const uint8_t nobody[ETH_ALEN];
	struct sk_buff *skb = alloc_skb(dev->net, ll_reserved_space(dev) + ARP_LEN);
	uint8_t *p;

	if (!skb)
		return;
	skb_reserve(skb, ll_reserved_space(dev));
	p = skb_put(skb, ARP_LEN);
	p = put_be16(p, ARPHRD_ETHER);
	p = put_be16(p, ETH_P_IP);
	*p++ = ETH_ALEN;
	*p++ = sizeof(be32);
	p = put_be16(p, op);
	p = put_bytes(p, dev->dev_addr, ETH_ALEN);
	p = put_bytes(p, &sip, sizeof(sip));
	p = put_bytes(p, tha ? tha : nobody, ETH_ALEN);
	put_bytes(p, &tip, sizeof(tip));

	skb->dev = dev;
	skb->protocol = cpu_to_be16(ETH_P_ARP);
	skb_reset_network_header(skb);
	if (dev_hard_header(skb, dev, ETH_P_ARP, dest ? dest : dev->broadcast, dev->dev_addr)) {
		skb_drop(skb, SKB_DROP_DEV_TX_ERROR);
		return;
	}
	dev_queue_xmit(skb);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* Linux, arp_announce 0: any own address that the waiting packet comes from, else one of the device. */
static be32 choose_sender(struct neighbour *neigh, const struct sk_buff *waiting)
{
	struct net *net = neigh->dev->net;
	struct inet_addr sender;

	if (waiting) {
		const struct iphdr4 *iph = skb_network_header(waiting);

		sender = inet_addr_v4(iph->saddr);
		if (inet_addr_type(net, &sender) == RTN_T_LOCAL)
			return sender.v4;
	}
	if (inet_select_addr(net, neigh->dev, &neigh->addr, RT_SCOPE_T_LINK, &sender))
		return 0;
	return sender.v4;
}

/* RFC 1122 2.3.2.1: unicast polls for an entry that is known, broadcast for one that is not. */
static void arp_solicit(struct neighbour *neigh, struct sk_buff *first_waiting)
{
	const be32 sip = choose_sender(neigh, first_waiting);
	const uint8_t *dest = neigh->nud_state == NUD_PROBE ? neigh->ha : NULL;

	if (sip == 0)
		return; /* would be a probe in the sense of RFC 5227 */
	arp_send(neigh->dev, ARP_OP_REQUEST, sip, neigh->addr.v4, dest, NULL);
}

/*
 * A packet of ours: as if a router had said that the host is unreachable (RFC 1122 2.3.2.2, 3.2.2.1). As
 * on Linux it is the sender itself who says so (ping: "From <our address>"). Another's: we are that
 * router (RFC 1812 5.2.7.1).
 */
static void report_unreachable(struct sk_buff *skb, const struct iphdr4 *iph)
{
	const struct inet_addr saddr = inet_addr_v4(iph->saddr);

	if (inet_addr_type(skb->net, &saddr) == RTN_T_LOCAL) {
		icmp_notify(skb, ICMP4_DEST_UNREACH, ICMP4_HOST_UNREACH, 0, iph->saddr);
		return;
	}
	skb->pkt_type = PACKET_HOST; /* as it came in, not as it waited to go out */
	icmp_send(skb, ICMP4_DEST_UNREACH, ICMP4_HOST_UNREACH, 0);
}

/* Consumes. */
static void arp_error_report(struct neighbour *neigh, struct sk_buff *skb)
{
	uint32_t at = skb->network_header, headroom = skb_headroom(skb);
	struct iphdr4 iph;

	(void)neigh;
	if (at >= headroom && skb_pull(skb, at - headroom) && skb->len >= sizeof(iph)) {
		memcpy(&iph, skb->data, sizeof(iph));
		report_unreachable(skb, &iph);
	}
	skb_drop(skb, SKB_DROP_NEIGH_FAILED);
}

static const struct neigh_ops arp_ops = { arp_solicit, arp_error_report, ETH_P_IP };

/* Linux's defaults (net.ipv4.neigh.default). */
static const struct neigh_parms arp_parms = {
	.base_reachable_ms = 30000, .retrans_ms = 1000, .delay_probe_ms = 5000, .gc_stale_ms = 60000,
	.ucast_probes = 3, .mcast_probes = 3, .queue_bytes = 212992, .max_entries = 1024,
	.gc_interval_ms = 30000,
};

#define A_PARM(name, field, lo, hi) { CTL_A_U32(name, struct neigh_parms, field, lo, hi) }
#define A_TIME(name, field, lo, hi) { CTL_A_U32(name, struct neigh_parms, field, lo, hi), .scale = 1000 }

/* Those of Linux that there are; the names without a unit count seconds. */
static const struct ctl_table neigh_table[] = {
	A_PARM("mcast_solicit", mcast_probes, 0, INT32_MAX),
	A_PARM("ucast_solicit", ucast_probes, 0, INT32_MAX),
	A_PARM("retrans_time_ms", retrans_ms, 1, INT32_MAX),
	A_TIME("base_reachable_time", base_reachable_ms, 1, INT32_MAX / 1000),
	A_PARM("base_reachable_time_ms", base_reachable_ms, 1, INT32_MAX),
	A_TIME("delay_first_probe_time", delay_probe_ms, 0, INT32_MAX / 1000),
	A_TIME("gc_stale_time", gc_stale_ms, 0, INT32_MAX / 1000),
	A_TIME("gc_interval", gc_interval_ms, 1, INT32_MAX / 1000),
	A_PARM("gc_thresh3", max_entries, 1, INT32_MAX),
	A_PARM("unres_qlen_bytes", queue_bytes, 0, INT32_MAX),
};

/* --- hearing --------------------------------------------------------------------------------- */

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 826, packet reception: do I have the hardware type, do I speak the protocol. */
static bool read_fields(const struct sk_buff *skb, struct arp_fields *arp)
{
	const uint8_t *p = skb_header(skb, 0, ARP_LEN);
	uint16_t hardware;

	if (!p)
		return false;
	hardware = get_be16(p);
	/* 6 is IEEE 802, which means the same frames (RFC 1042). */
	if ((hardware != ARPHRD_ETHER && hardware != ARPHRD_IEEE802) || get_be16(p + 2) != ETH_P_IP ||
	    p[4] != ETH_ALEN || p[5] != sizeof(be32))
		return false;
	arp->op = get_be16(p + 6);
	memcpy(arp->sha, p + 8, ETH_ALEN);
	memcpy(&arp->sip, p + 14, sizeof(arp->sip));
	memcpy(arp->tha, p + 18, ETH_ALEN);
	memcpy(&arp->tip, p + 24, sizeof(arp->tip));
	return true;
}

static bool is_unicast_host(struct net *net, be32 a)
{
	const struct inet_addr addr = inet_addr_v4(a);

	return !ipv4_is_loopback(a) && inet_addr_type(net, &addr) == RTN_T_UNICAST;
}

/*
 * RFC 1812 3.3.2: a link address that is broadcast or multicast is never believed. The addresses
 * asked for and from must be such as hosts have; a sender of 0.0.0.0 probes (RFC 5227 2.1.1).
 */
static bool makes_sense(const struct arp_fields *arp)
{
	static const uint8_t nobody[ETH_ALEN];

	if (arp->op != ARP_OP_REQUEST && arp->op != ARP_OP_REPLY)
		return false;
	if (arp->sha[0] & 1 || memcmp(arp->sha, nobody, ETH_ALEN) == 0)
		return false;
	if (ipv4_is_multicast(arp->tip) || ipv4_is_loopback(arp->tip) || ipv4_is_lbcast(arp->tip))
		return false;
	if (ipv4_is_multicast(arp->sip) || ipv4_is_loopback(arp->sip) || ipv4_is_lbcast(arp->sip))
		return false;
	return arp->sip != 0 || arp->op == ARP_OP_REQUEST;
}

/* A request for an address of ours. The asker becomes known, for it will hear from us soon. */
static void answer_request(struct net_device *dev, const struct arp_fields *arp)
{
	const struct inet_addr sender = inet_addr_v4(arp->sip);

	if (is_unicast_host(dev->net, arp->sip)) {
		struct neighbour *neigh = neigh_create(dev->net, &sender, dev);

		if (neigh)
			neigh_update(neigh, arp->sha, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
	}
	arp_send(dev, ARP_OP_REPLY, arp->tip, arp->sip, arp->sha, arp->sha);
}

/* RFC 826: what is in the cache is merged with what is heard; only an answer to us is a proof. */
static bool learn(struct net_device *dev, const struct arp_fields *arp, uint8_t pkt_type)
{
	const struct inet_addr sender = inet_addr_v4(arp->sip);
	const bool gratuitous = arp->sip == arp->tip;
	struct neighbour *neigh;
	bool override;

	if (!is_unicast_host(dev->net, arp->sip))
		return false;
	neigh = neigh_lookup(dev->net, &sender, dev);
	if (!neigh)
		return false;
	override = gratuitous || dev->net->now >= neigh->updated + ARP_LOCKTIME;
	neigh_update(neigh, arp->sha,
		     arp->op == ARP_OP_REPLY && pkt_type == PACKET_HOST ? NUD_REACHABLE : NUD_STALE,
		     override ? NEIGH_UPDATE_F_OVERRIDE : 0);
	return true;
}

static enum skb_drop_reason take_packet(struct sk_buff *skb, struct net_device *dev)
{
	struct inet_addr target;
	struct arp_fields arp;

	if (skb->pkt_type == PACKET_OTHERHOST)
		return SKB_DROP_OTHERHOST;
	if (!read_fields(skb, &arp) || !makes_sense(&arp) || dev->type != ARPHRD_ETHER)
		return SKB_DROP_ARP_INVALID;
	if (memcmp(arp.sha, dev->dev_addr, ETH_ALEN) == 0)
		return SKB_DROP_ARP_NOT_OURS; /* our own, come back */
	arp_acd_rcv_check(dev, &arp);
	target = inet_addr_v4(arp.tip);
	if (arp.op == ARP_OP_REQUEST && inet_addr_type(dev->net, &target) == RTN_T_LOCAL) {
		answer_request(dev, &arp);
		return SKB_NOT_DROPPED;
	}
	if (arp.sip == 0)
		return SKB_DROP_ARP_NOT_OURS;
	return learn(dev, &arp, skb->pkt_type) ? SKB_NOT_DROPPED : SKB_DROP_ARP_NOT_OURS;
}

static void arp_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	enum skb_drop_reason reason = take_packet(skb, dev);

	(void)pt;
	if (reason)
		skb_drop(skb, reason);
	else
		skb_consume(skb);
}

/* --- life ------------------------------------------------------------------------------------ */

static int arp_init(struct net *net)
{
	struct netns_arp *na = calloc(1, sizeof(*na));
	int err;

	if (!na)
		return -ENOMEM;
	err = neigh_table_register(net, AF_INET, &arp_ops, &arp_parms);
	if (err) {
		free(na);
		return err;
	}
	register_net_sysctl(net, &na->sysctls, "net/ipv4/neigh/default", neigh_table, ARRAY_SIZE(neigh_table),
			    neigh_table_parms(net, AF_INET));
	na->ptype.type = cpu_to_be16(ETH_P_ARP);
	na->ptype.func = arp_rcv;
	dev_add_pack(net, &na->ptype);
	net->arp = na;
	return 0;
}

static void arp_exit(struct net *net)
{
	dev_remove_pack(&net->arp->ptype);
	unregister_net_sysctl_table(&net->arp->sysctls);
	free(net->arp);
	net->arp = NULL;
}

const struct pernet_operations arp_pernet_ops = { "arp", arp_init, arp_exit };
