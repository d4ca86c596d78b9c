/* SPDX-License-Identifier: MIT */
/*
 * ip_output.c - from a transport's segment to the neighbour layer
 *
 * ip_queue_xmit() puts the IP header in front of what the transport made, checks the size against
 * the path MTU, splits it (ip_frag.c) when that is allowed, and gives it to neigh_output(). Packets
 * to ourselves take the same way and turn round in the loopback device. A packet with gso_size is
 * a run of segments that the device cuts; only one of them has to fit.
 *
 * Read first: RFC 791 3.1, 3.2; RFC 1122 3.2, 3.3; RFC 6864.
 */
#include "stack/core/checksum.h"
#include "stack/core/neighbour.h"
#include "stack/core/sock.h"
#include "stack/inet/ip.h"
#include "stack/inet/ip_input.h"

#define IP_MAX_HLEN 60U
#define IP_MAX_PACKET 65535U
#define LOOP_MAX 1000U /* Linux: net.core.netdev_max_backlog */

/**
 * ip_headroom() - what a transport reserves in front of its header
 * @dst:  the packet's way
 */
uint32_t ip_headroom(const struct dst *dst)
{
	return ll_reserved_space(dst->dev) + IP_MAX_HLEN + 4;
}

/**
 * ip_select_ident() - identification for packets that may be fragmented
 * @net:       namespace
 * @saddr:     source
 * @daddr:     destination
 * @protocol:  of the payload; the three are the space within which a value must not repeat
 * @count:     how many consecutive values are used, at least 1
 *
 * A secret offset per triple plus a counter that it shares with few others: neither guessable nor
 * repeated early. Source: RFC 6864 4.1 and 5.2, RFC 7739 for the predictability.
 *
 * Return:  the first value, host order
 */
uint16_t ip_select_ident(struct net *net, be32 saddr, be32 daddr, uint8_t protocol, uint16_t count)
{
	const be32 key[3] = { saddr, daddr, protocol };
	const uint64_t h = siphash(key, sizeof(key), net->inet->id_key);
	uint16_t *counter = &net->inet->ids[h % IP_ID_BUCKETS];
	const uint16_t id = (uint16_t)((h >> 48) + *counter);

	*counter = (uint16_t)(*counter + count);
	return id;
}

static int drop(struct sk_buff *skb, enum skb_drop_reason reason, int err)
{
	skb_drop(skb, reason);
	return err;
}

/* --- our own broadcasts and multicasts ------------------------------------------------------- */

/*
 * They are heard by our own sockets as well (RFC 1112 6.1 for multicast, Linux for both), as having
 * come in by the device that they left by. The copies wait for a timer that is due at once: nothing
 * is received inside a sender's call.
 */
static void loop_fired(struct timer_list *t)
{
	struct netns_inet *ni = container_of(t, struct netns_inet, loop_timer);
	uint32_t left = ni->loop_queue.qlen;
	struct sk_buff *skb;

	while (left-- > 0 && (skb = skb_dequeue(&ni->loop_queue)) != NULL) {
		skb->pkt_type = PACKET_LOOPBACK;
		ip_rcv(skb, skb->dev, &ni->ip_ptype);
	}
}

/**
 * ip_loop_init() - make ready for loops; part of inet's pernet init
 * @net:  namespace, net->inet is there
 */
void ip_loop_init(struct net *net)
{
	skb_queue_head_init(&net->inet->loop_queue);
	timer_setup(&net->inet->loop_timer, &net->timers, loop_fired);
}

/**
 * ip_loop_purge() - drop what waits
 * @net:  namespace
 */
void ip_loop_purge(struct net *net)
{
	skb_queue_purge(&net->inet->loop_queue);
	del_timer(&net->inet->loop_timer);
}

/**
 * ip_loop_exit() - undo ip_loop_init()
 * @net:  namespace
 */
void ip_loop_exit(struct net *net)
{
	ip_loop_purge(net);
	timer_destroy(&net->inet->loop_timer);
}

/* @skb has its header. A copy that cannot be made or kept is lost, as on any link. */
static void loop_copy(struct net *net, const struct sk_buff *skb, const struct dst *dst, bool mc_loop)
{
	struct netns_inet *ni = net->inet;
	struct sk_buff *copy;

	if (dst->type != RTN_T_BROADCAST && !(dst->type == RTN_T_MULTICAST && mc_loop))
		return;
	if (dst->dev->flags & IFF_LOOPBACK || ni->loop_queue.qlen >= LOOP_MAX)
		return;
	copy = skb_copy(skb, 0);
	if (!copy)
		return;
	copy->dev = dst->dev;
	copy->protocol = cpu_to_be16(ETH_P_IP);
	copy->tstamp = net->now;
	skb_append(&ni->loop_queue, copy);
	if (!timer_pending(&ni->loop_timer))
		mod_timer(&ni->loop_timer, net->now);
}

/* --- packets --------------------------------------------------------------------------------- */

/**
 * ip_finish_output() - a packet whose header is complete goes to its next hop
 * @net:  namespace
 * @skb:  data at the IP header, not larger than the device takes; consumed
 * @dst:  its way
 *
 * Return:  0, or what the device says
 */
int ip_finish_output(struct net *net, struct sk_buff *skb, const struct dst *dst)
{
	skb->dev = dst->dev;
	skb->protocol = cpu_to_be16(ETH_P_IP);
	mib_inc(net, MIB_IpOutTransmits);
	return neigh_output(net, dst->dev, &dst->nexthop, skb);
}

/* RFC 1122 3.2.1.3 (g): 127/8 never leaves the host. */
static bool leaks_loopback(const struct dst *dst, be32 saddr, be32 daddr)
{
	return !(dst->dev->flags & IFF_LOOPBACK) && (ipv4_is_loopback(saddr) || ipv4_is_loopback(daddr));
}

static bool way_is_known(const struct dst *dst)
{
	return dst->dev && dst->type != RTN_T_UNREACHABLE && dst->daddr.family == AF_INET;
}

/**
 * ip_wire_size() - bytes of the largest packet that this one will be on the wire
 * @skb:   packet, perhaps a run of segments that the device cuts
 * @at:    where its transport header is behind data, bytes
 * @hlen:  of the IP header that it has or will have
 */
uint32_t ip_wire_size(const struct sk_buff *skb, uint32_t at, uint32_t hlen)
{
	const uint8_t *tcp;

	if (skb->gso_size == 0)
		return hlen + skb->len - at;
	tcp = skb->gso_type == SKB_GSO_TCPV4 ? skb_header(skb, at, 20) : NULL;
	return hlen + (tcp ? (tcp[12] >> 4) * 4U : 8U) + skb->gso_size;
}

/* Header room in bytes that are ours alone to write. */
static int make_headroom(struct sk_buff *skb, const struct dst *dst, uint32_t hlen)
{
	const uint32_t need = ll_reserved_space(dst->dev) + hlen;

	if (!skb_shared_data(skb) && skb_headroom(skb) >= need)
		return 0;
	return skb_cow(skb, need);
}

/* RFC 6864 4.1: what is never fragmented needs no identification. A connection counts all the same, as on Linux. */
static uint16_t identify(struct net *net, const struct iphdr4 *iph, const struct ip_send_opts *opts, bool df,
			 uint16_t segs)
{
	uint16_t id = 0;

	if (!df)
		return ip_select_ident(net, iph->saddr, iph->daddr, opts->protocol, segs);
	if (opts->ident) {
		id = *opts->ident;
		*opts->ident = (uint16_t)(id + segs);
	}
	return id;
}

static void build_header(struct net *net, struct sk_buff *skb, const struct dst *dst,
			 const struct ip_send_opts *opts, bool df)
{
	const uint32_t hlen = IPV4_HLEN + (uint32_t)opts->options_len;
	struct iphdr4 *iph;

	skb_reset_transport_header(skb);
	iph = (struct iphdr4 *)(void *)skb_push(skb, hlen);
	skb_reset_network_header(skb);
	iph->vihl = (uint8_t)(0x40 | hlen / 4);
	iph->tos = opts->tos;
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	iph->frag_off = cpu_to_be16(df ? IP_F_DF : 0);
	iph->ttl = opts->ttl;
	if (iph->ttl == 0)
		iph->ttl = dst->type == RTN_T_MULTICAST ? 1 : (uint8_t)net->inet->sysctl.ip_default_ttl;
	iph->protocol = opts->protocol;
	iph->saddr = dst->saddr.v4;
	iph->daddr = dst->daddr.v4;
	iph->id = cpu_to_be16(identify(net, iph, opts, df, skb->gso_segs > 1 ? skb->gso_segs : 1));
	if (opts->options_len)
		memcpy(iph + 1, opts->options, opts->options_len);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, hlen / 4);
}

/**
 * ip_queue_xmit() - send a transport's packet
 * @net:   namespace
 * @skb:   data at the transport header; consumed
 * @dst:   its way; saddr and daddr go into the header
 * @opts:  how to send it; options_len is a multiple of 4, at most 40
 *
 * Return:  0; -EMSGSIZE (larger than the path MTU and not to be fragmented, or than IP can carry),
 *          -EINVAL (127/8 would leave the host, bad options), -ENETUNREACH, or what the device says
 */
int ip_queue_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst,
		  const struct ip_send_opts *opts)
{
	const uint32_t hlen = IPV4_HLEN + (uint32_t)opts->options_len;
	const bool df = opts->df && !dst->mtu_locked;
	bool too_big;

	skb->pkt_type = PACKET_OUTGOING;
	mib_inc(net, MIB_IpOutRequests);
	if (!way_is_known(dst))
		return drop(skb, SKB_DROP_IP_OUT_NO_ROUTE, -ENETUNREACH);
	if (opts->options_len % 4 || hlen > IP_MAX_HLEN ||
	    leaks_loopback(dst, dst->saddr.v4, dst->daddr.v4))
		return drop(skb, SKB_DROP_IP_OUT_ERROR, -EINVAL);
	if (skb->len + hlen > IP_MAX_PACKET)
		return drop(skb, SKB_DROP_IP_OUT_ERROR, -EMSGSIZE);
	too_big = ip_wire_size(skb, 0, hlen) > dst->mtu;
	if (too_big && (df || opts->no_frag || skb->gso_size))
		return drop(skb, SKB_DROP_IP_FRAG_NEEDED, -EMSGSIZE);
	if (make_headroom(skb, dst, hlen))
		return drop(skb, SKB_DROP_NO_MEMORY, -ENOBUFS);
	build_header(net, skb, dst, opts, df);
	loop_copy(net, skb, dst, opts->mc_loop);
	if (dst->type == RTN_T_MULTICAST && opts->mc_host_only) {
		skb_consume(skb);
		return 0;
	}
	return too_big ? ip_fragment_xmit(net, skb, dst, dst->mtu) : ip_finish_output(net, skb, dst);
}

/* Linux, raw_send_hdrinc(): total length and checksum are always ours, id and source if zero. */
static int complete_header(struct net *net, struct sk_buff *skb, const struct dst *dst)
{
	struct iphdr4 *iph = skb_header(skb, 0, IPV4_HLEN);
	uint32_t hlen;

	if (!iph)
		return -EINVAL;
	hlen = (iph->vihl & 0x0fU) * 4;
	if (hlen < IPV4_HLEN || !skb_header(skb, 0, hlen))
		return -EINVAL;
	if (iph->saddr == 0)
		iph->saddr = dst->saddr.v4;
	if (leaks_loopback(dst, iph->saddr, iph->daddr))
		return -EINVAL;
	if (iph->id == 0)
		iph->id = cpu_to_be16(ip_select_ident(net, iph->saddr, iph->daddr, iph->protocol, 1));
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, hlen / 4);
	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + hlen);
	return 0;
}

/**
 * ip_send_hdrincl_xmit() - send a packet whose IP header the program made (IP_HDRINCL)
 * @net:  namespace
 * @skb:  data at the IP header; consumed
 * @dst:  its way
 *
 * Return:  0; -EMSGSIZE (never fragmented, as Linux), -EINVAL (header), or what the device says
 */
int ip_send_hdrincl_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst)
{
	int err;

	skb->pkt_type = PACKET_OUTGOING;
	mib_inc(net, MIB_IpOutRequests);
	if (!way_is_known(dst))
		return drop(skb, SKB_DROP_IP_OUT_NO_ROUTE, -ENETUNREACH);
	if (skb->len > dst->mtu || skb->len > IP_MAX_PACKET)
		return drop(skb, SKB_DROP_IP_FRAG_NEEDED, -EMSGSIZE);
	if (make_headroom(skb, dst, 0))
		return drop(skb, SKB_DROP_NO_MEMORY, -ENOBUFS);
	err = complete_header(net, skb, dst);
	if (err)
		return drop(skb, SKB_DROP_IP_OUT_ERROR, err);
	loop_copy(net, skb, dst, true);
	return ip_finish_output(net, skb, dst);
}

/* --- fragmentation --------------------------------------------------------------------------- */

/* What all fragments of a datagram share. */
struct splitter {
	struct net *net;
	const struct dst *dst;
	const struct sk_buff *whole;      /* data at the IP header */
	uint32_t hlen, len;               /* header of the whole; payload bytes */
	uint16_t first_off;               /* offset field and flags of the whole */
	uint8_t later_options[40], later_len;
};

/* A fragment of @len payload bytes from @from; NULL when out of memory. RFC 791 3.2 */
static struct sk_buff *make_fragment(const struct splitter *s, uint32_t from, uint32_t len)
{
	const uint32_t hlen = from == 0 ? s->hlen : IPV4_HLEN + (uint32_t)s->later_len;
	const uint32_t room = ll_reserved_space(s->dst->dev);
	const bool last = from + len == s->len;
	struct sk_buff *skb = alloc_skb(s->net, room + hlen + len);
	uint16_t off = (uint16_t)((s->first_off & IP_F_OFFMASK) + from / 8);
	struct iphdr4 *iph;

	if (!skb)
		return NULL;
	skb_reserve(skb, room);
	iph = (struct iphdr4 *)(void *)skb_put(skb, hlen + len);
	if (skb_copy_bits(s->whole, 0, iph, from == 0 ? s->hlen : IPV4_HLEN) ||
	    skb_copy_bits(s->whole, s->hlen + from, (uint8_t *)iph + hlen, len)) {
		skb_consume(skb);
		return NULL;
	}
	if (from != 0)
		memcpy(iph + 1, s->later_options, s->later_len);
	if (!last || s->first_off & IP_F_MF)
		off |= IP_F_MF;
	iph->vihl = (uint8_t)(0x40 | hlen / 4);
	iph->tot_len = cpu_to_be16((uint16_t)(hlen + len));
	iph->frag_off = cpu_to_be16(off);
	iph->check = 0;
	iph->check = ip_fast_csum(iph, hlen / 4);
	skb_reset_network_header(skb);
	skb->transport_header = (uint16_t)(skb->network_header + hlen);
	skb->pkt_type = PACKET_OUTGOING;
	skb->priority = s->whole->priority;
	skb->mark = s->whole->mark;
	if (s->whole->sk && s->whole->destructor)
		skb_set_owner_w(skb, s->whole->sk);
	return skb;
}

static int send_fragments(const struct splitter *s, uint32_t mtu)
{
	uint32_t from = 0;
	int err = 0;

	while (from < s->len && !err) {
		const uint32_t hlen = from == 0 ? s->hlen : IPV4_HLEN + (uint32_t)s->later_len;
		uint32_t len = s->len - from;
		struct sk_buff *skb;

		if (len > mtu - hlen)
			len = (mtu - hlen) & ~7U;
		skb = make_fragment(s, from, len);
		if (!skb)
			return -ENOBUFS;
		mib_inc(s->net, MIB_IpFragCreates);
		err = ip_finish_output(s->net, skb, s->dst);
		from += len;
	}
	return err;
}

/**
 * ip_fragment_xmit() - send a datagram in pieces
 * @net:  namespace
 * @skb:  data at the IP header, complete but for the transport checksum of an offload; consumed
 * @dst:  its way
 * @mtu:  bytes of the largest piece, with its header
 *
 * Source:  RFC 791 3.2: options follow their copy flag; RFC 1122 3.3.5
 * Return:  0; -EMSGSIZE when a piece could not carry 8 bytes; -ENOBUFS; what the device says
 */
int ip_fragment_xmit(struct net *net, struct sk_buff *skb, const struct dst *dst, uint32_t mtu)
{
	struct splitter s = { .net = net, .dst = dst, .whole = skb };
	const struct iphdr4 *iph;
	int err;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return drop(skb, SKB_DROP_IP_OUT_ERROR, -EINVAL);
	iph = skb_network_header(skb);
	s.hlen = (iph->vihl & 0x0fU) * 4;
	s.len = skb->len - s.hlen;
	s.first_off = be16_to_cpu(iph->frag_off);
	s.later_len = ip_options_copied((const uint8_t *)(iph + 1), s.hlen - IPV4_HLEN, s.later_options);
	if (mtu < s.hlen + 8)
		return drop(skb, SKB_DROP_IP_FRAG_NEEDED, -EMSGSIZE);
	err = send_fragments(&s, mtu);
	if (err) {
		mib_inc(net, MIB_IpFragFails);
		return drop(skb, SKB_DROP_IP_OUT_ERROR, err);
	}
	mib_inc(net, MIB_IpFragOKs);
	skb_consume(skb);
	return 0;
}
