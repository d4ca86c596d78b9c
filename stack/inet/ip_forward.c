/* SPDX-License-Identifier: MIT */
/*
 * ip_forward.c - packets for others, when this namespace is a router
 *
 * Off by default: a host forwards nothing (RFC 1122 3.3.1.1). net->inet->sysctl.ip_forward turns it on. A
 * packet has passed the checks of ip_input.c; here it gets its way out, one hop less to live, and is
 * split or refused where the next link takes less. Redirects are not sent: DEVIATES RFC 1812 5.2.7.2,
 * because nobody here acts on them (icmp.c).
 *
 * Read first: RFC 1812 5.2, 5.3.
 */
#include "stack/core/checksum.h"
#include "stack/core/sock.h"
#include "stack/inet/icmp.h"
#include "stack/inet/ip_input.h"

/* RFC 1812 4.2.2.11, 5.3.7: neither from nor to addresses that mean something on one link only. */
static bool may_leave_link(const struct ip_skb_cb *cb)
{
	return !ipv4_is_zeronet(cb->saddr) && !ipv4_is_linklocal(cb->saddr) && !ipv4_is_linklocal(cb->daddr);
}

/* Linux: a router goes by the link, not by what hosts told it of paths (ip_forward_use_pmtu 0). */
static uint32_t link_mtu(const struct dst *dst)
{
	return dst->mtu_expires ? dst->dev->mtu : dst->mtu;
}

/* RFC 1812 5.2.7.1: no way there. */
static enum skb_drop_reason no_way(struct sk_buff *skb, int err)
{
	icmp_send(skb, ICMP4_DEST_UNREACH, err == -EHOSTUNREACH ? ICMP4_HOST_UNREACH : ICMP4_NET_UNREACH, 0);
	return SKB_DROP_IP_OUT_NO_ROUTE;
}

static enum skb_drop_reason find_way(struct sk_buff *skb, struct dst *dst)
{
	const struct flowi fl = { .daddr = inet_addr_v4(ip_cb(skb)->daddr) };
	int err;

	if (skb->pkt_type != PACKET_HOST || !may_leave_link(ip_cb(skb)))
		return SKB_DROP_IP_NOT_LOCAL;
	if (ip_cb(skb)->ttl <= 1) { /* RFC 1812 5.3.1 */
		icmp_send(skb, ICMP4_TIME_EXCEEDED, ICMP4_EXC_TTL, 0);
		return SKB_DROP_IP_TTL;
	}
	err = route_lookup(skb->net, &fl, dst);
	if (err || dst->type == RTN_T_UNREACHABLE)
		return no_way(skb, err);
	return dst->type == RTN_T_UNICAST ? SKB_NOT_DROPPED : SKB_DROP_IP_NOT_LOCAL;
}

static void decrease_ttl(struct iphdr4 *iph)
{
	iph->ttl--;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->vihl & 0x0fU);
}

/* Consumes. */
static void send_on(struct sk_buff *skb, const struct dst *dst, bool too_big)
{
	struct net *net = skb->net;

	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + ip_cb(skb)->ihl);
	skb->tstamp = 0;
	decrease_ttl(skb_network_header(skb));
	mib_inc(net, MIB_IpForwDatagrams);
	if (too_big)
		(void)ip_fragment_xmit(net, skb, dst, link_mtu(dst));
	else
		(void)ip_finish_output(net, skb, dst);
}

/**
 * ip_forward() - send a packet for somebody else on its way
 * @skb:  data at its checked IP header, network_header and ip_cb() set; consumed
 *
 * Source:  RFC 1812 5.3.1 (time to live), 4.2.2.7 (fragments), 5.2.7.1 and 4.3.3.1 (errors)
 */
void ip_forward(struct sk_buff *skb)
{
	enum skb_drop_reason reason;
	struct dst dst;
	bool too_big;

	reason = find_way(skb, &dst);
	if (reason) {
		skb_drop(skb, reason);
		return;
	}
	too_big = ip_wire_size(skb, ip_cb(skb)->ihl, ip_cb(skb)->ihl) > link_mtu(&dst);
	if (too_big && (ip_cb(skb)->df || skb->gso_size)) {
		icmp_send(skb, ICMP4_DEST_UNREACH, ICMP4_FRAG_NEEDED, link_mtu(&dst)); /* RFC 1191 4 */
		skb_drop(skb, SKB_DROP_IP_FRAG_NEEDED);
		return;
	}
	skb_orphan(skb);
	if (skb_cow(skb, ll_reserved_space(dst.dev))) {
		skb_drop(skb, SKB_DROP_NO_MEMORY);
		return;
	}
	send_on(skb, &dst, too_big);
}
