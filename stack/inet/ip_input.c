/* SPDX-License-Identifier: MIT */
/*
 * ip_input.c - IPv4 from a device to the protocol above
 *
 * A packet passes, in order: its header's shape, the addresses (may anybody send from there, is it
 * for us), the options, reassembly, raw sockets, its protocol. What is not for us is dropped, unless
 * this is a router: then ip_forward.c takes it. Each check that
 * fails ends in skb_drop() with its reason; only malformed options and unknown protocols are
 * answered, by ICMP.
 *
 * Packets of more than the MTU are normal here: devices with receive offload hand up joined
 * segments of up to 64 KiB, whose IP length is that of the whole.
 *
 * Read first: RFC 791 3.1, RFC 1122 3.2.1.
 */
#include "stack/inet/ip_input.h"

#include "stack/core/checksum.h"
#include "stack/inet/icmp.h"
#include "stack/inet/ip.h"

/**
 * ip_fill_cb() - leave the facts of the IP header for the layers above
 * @skb:  network_header at a header that has been checked
 */
void ip_fill_cb(struct sk_buff *skb)
{
	const struct iphdr4 *iph = skb_network_header(skb);
	struct ip_skb_cb *cb = ip_cb(skb);

	memset(cb, 0, sizeof(*cb));
	cb->saddr = iph->saddr;
	cb->daddr = iph->daddr;
	cb->iif = skb->dev ? skb->dev->ifindex : 0;
	cb->ttl = iph->ttl;
	cb->tos = iph->tos;
	cb->protocol = iph->protocol;
	cb->ihl = (uint8_t)((iph->vihl & 0x0f) * 4);
	cb->df = be16_to_cpu(iph->frag_off) & IP_F_DF;
}

/* Packets by what their ECN field says (RFC 3168 5), a run of joined segments as so many. */
static void count_ecn(struct sk_buff *skb, uint8_t tos)
{
	static const enum mib counter[] = { MIB_IpExtInNoECTPkts, MIB_IpExtInECT1Pkts,
					    MIB_IpExtInECT0Pkts, MIB_IpExtInCEPkts };

	mib_add(skb->net, counter[tos & 3], skb->gso_segs ? skb->gso_segs : 1);
}

/* RFC 1122 3.2.1.1 (version), 3.2.1.2 (checksum); RFC 791 3.1 for the lengths. A time to live of
 * zero is no reason to refuse a packet that has arrived (RFC 1122 3.2.1.7). */
static enum skb_drop_reason check_header(struct sk_buff *skb)
{
	const struct iphdr4 *iph = skb_header(skb, 0, IPV4_HLEN);
	uint32_t ihl, tot_len;

	if (!iph || iph->vihl >> 4 != 4)
		return SKB_DROP_IP_HEADER;
	ihl = (iph->vihl & 0x0fU) * 4;
	if (ihl < IPV4_HLEN || !skb_header(skb, 0, ihl))
		return SKB_DROP_IP_HEADER;
	if (ip_fast_csum(iph, ihl / 4) != 0)
		return SKB_DROP_IP_CHECKSUM;
	tot_len = be16_to_cpu(iph->tot_len);
	if (tot_len < ihl)
		return SKB_DROP_IP_HEADER;
	if (tot_len > skb->len)
		return SKB_DROP_IP_TRUNCATED;
	count_ecn(skb, iph->tos);
	skb_trim(skb, tot_len); /* link-layer padding */
	return SKB_NOT_DROPPED;
}

/*
 * RFC 1122 3.2.1.3: nobody sends from a broadcast or multicast address, and 127/8 never stands on
 * a wire. 0.0.0.0 is a source only while a host asks for its address, by broadcast. An address of
 * ours comes in by loopback or not at all (Linux: accept_local 0).
 */
static enum skb_drop_reason check_source(struct sk_buff *skb)
{
	const struct ip_skb_cb *cb = ip_cb(skb);
	const struct inet_addr saddr = inet_addr_v4(cb->saddr);

	if (skb->dev->flags & IFF_LOOPBACK || skb->pkt_type == PACKET_LOOPBACK)
		return ipv4_is_multicast(cb->saddr) || ipv4_is_lbcast(cb->saddr) ? SKB_DROP_IP_BAD_SOURCE
										 : SKB_NOT_DROPPED;
	if (ipv4_is_loopback(cb->saddr) || ipv4_is_loopback(cb->daddr))
		return SKB_DROP_IP_BAD_SOURCE;
	if (cb->saddr == 0 && (ipv4_is_lbcast(cb->daddr) || cb->daddr == 0))
		return SKB_NOT_DROPPED;
	return inet_addr_type(skb->net, &saddr) == RTN_T_UNICAST ? SKB_NOT_DROPPED
								  : SKB_DROP_IP_BAD_SOURCE;
}

/* RFC 1122 3.2.1.3: ours are our addresses on any device (the weak model of 3.3.4.2, as Linux). */
static enum skb_drop_reason check_destination(struct sk_buff *skb)
{
	struct ip_skb_cb *cb = ip_cb(skb);
	const struct inet_addr daddr = inet_addr_v4(cb->daddr);
	bool link_bcast = skb->pkt_type == PACKET_BROADCAST || skb->pkt_type == PACKET_MULTICAST;

	switch (inet_addr_type(skb->net, &daddr)) {
	case RTN_T_LOCAL:
		/* RFC 1122 3.3.6: a link-layer broadcast carries an IP broadcast or multicast. */
		if (link_bcast)
			return SKB_DROP_IP_NOT_LOCAL;
		break;
	case RTN_T_BROADCAST:
		/* 0.0.0.0 is an old form of the broadcast address, for who has no address yet. */
		if (ipv4_is_zeronet(cb->daddr) && (cb->daddr != 0 || cb->saddr != 0))
			return SKB_DROP_IP_NOT_LOCAL;
		cb->bcast = true;
		break;
	case RTN_T_MULTICAST: /* which groups are wanted is known by the sockets */
		cb->bcast = true;
		break;
	default:
		return skb->net->inet->sysctl.ip_forward ? SKB_NOT_DROPPED : SKB_DROP_IP_NOT_LOCAL;
	}
	return SKB_NOT_DROPPED;
}

/* After check_packet(): this is a router, and the packet is not for it. */
static bool is_for_others(struct sk_buff *skb)
{
	const struct inet_addr daddr = inet_addr_v4(ip_cb(skb)->daddr);

	return skb->net->inet->sysctl.ip_forward && inet_addr_type(skb->net, &daddr) == RTN_T_UNICAST;
}

/*
 * Malformed: parameter problem. Source routes are refused without an answer.
 * DEVIATES RFC 1122 3.2.1.8 (c): Linux with accept_source_route 0, as distributions set it.
 */
static enum skb_drop_reason check_options(struct sk_buff *skb)
{
	const uint32_t len = ip_cb(skb)->ihl - (uint32_t)IPV4_HLEN;
	struct ip_options opts;

	if (len == 0)
		return SKB_NOT_DROPPED;
	if (ip_options_parse(skb->data + IPV4_HLEN, len, &opts)) {
		icmp_send(skb, ICMP4_PARAM_PROB, 0, (uint32_t)opts.bad << 24);
		return SKB_DROP_IP_OPTIONS;
	}
	return opts.source_route ? SKB_DROP_IP_OPTIONS : SKB_NOT_DROPPED;
}

static enum skb_drop_reason check_packet(struct sk_buff *skb)
{
	enum skb_drop_reason reason = check_header(skb);

	if (reason)
		return reason;
	skb_reset_network_header(skb);
	ip_fill_cb(skb);
	reason = check_source(skb);
	if (!reason)
		reason = check_destination(skb);
	if (!reason)
		reason = check_options(skb);
	return reason;
}

static bool is_fragment(const struct sk_buff *skb)
{
	const struct iphdr4 *iph = skb_network_header(skb);

	return be16_to_cpu(iph->frag_off) & (IP_F_MF | IP_F_OFFMASK);
}

/* Raw sockets get their copies, then the protocol gets the packet. Consumes. */
static void deliver_up(struct sk_buff *skb)
{
	struct net *net = skb->net;
	const struct net_protocol *p = inet_protocol(net, ip_cb(skb)->protocol);
	bool taken = false;

	skb_pull(skb, ip_cb(skb)->ihl);
	skb_reset_transport_header(skb);
	if (net->inet->raw_rcv)
		net->inet->raw_rcv(skb, &taken);
	if (p) {
		mib_inc(net, MIB_IpInDelivers);
		p->rcv(skb);
	} else if (taken) {
		mib_inc(net, MIB_IpInDelivers);
		skb_consume(skb);
	} else {
		/* RFC 1122 3.2.2.1: SHOULD, code 2 */
		icmp_send(skb, ICMP4_DEST_UNREACH, ICMP4_PROT_UNREACH, 0);
		skb_drop(skb, SKB_DROP_IP_NO_PROTO);
	}
}

/**
 * ip_rcv() - take an IPv4 packet from a device
 * @skb:  data at the IP header; consumed
 * @dev:  where it came in
 * @pt:   our registration, unused
 */
void ip_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	struct net *net = skb->net;
	enum skb_drop_reason reason;

	(void)pt;
	skb->dev = dev;
	if (skb->pkt_type == PACKET_OTHERHOST) {
		skb_drop(skb, SKB_DROP_OTHERHOST);
		return;
	}
	mib_inc(net, MIB_IpInReceives);
	if (skb_linearize(skb)) {
		skb_drop(skb, SKB_DROP_NO_MEMORY);
		return;
	}
	reason = check_packet(skb);
	if (reason) {
		skb_drop(skb, reason);
		return;
	}
	if (is_for_others(skb)) {
		ip_forward(skb);
		return;
	}
	if (is_fragment(skb)) {
		bool bcast = ip_cb(skb)->bcast;

		skb = ip_defrag_rcv(skb);
		if (!skb)
			return;
		ip_cb(skb)->bcast = bcast;
	}
	deliver_up(skb);
}
