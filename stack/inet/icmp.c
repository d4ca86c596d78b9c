/* SPDX-License-Identifier: MIT */
/*
 * icmp.c - ICMP for IPv4: echo, errors out, errors in
 *
 * Errors out: icmp_send() quotes the offending packet, but stays silent wherever an answer could
 * multiply or feed itself (RFC 1122 3.2.2), and is held back by a token bucket.
 *
 * Errors in: the quoted header tells whose packet it was; icmp_notify() hands it to the err() of
 * the quoted protocol, and to raw sockets. The same path serves failures that we find ourselves
 * (a neighbour that does not answer). News of the path MTU are no different: the transport tells the
 * routes once it has found a socket that may have sent the packet (RFC 5927 7).
 *
 * Redirects are counted and ignored: DEVIATES RFC 1122 3.2.2.2, as Linux with accept_redirects 0,
 * since anyone on the link could divert our packets. Timestamp and information requests are not
 * answered (RFC 1122 3.2.2.8: MAY; 3.2.2.7: SHOULD NOT), source quench is ignored (RFC 6633 3).
 * Record route and source route options of an echo request are not copied into the reply: DEVIATES
 * RFC 1122 3.2.2.6 (SHOULD).
 *
 * Read first: RFC 792; RFC 1122 3.2.2; RFC 1812 4.3.2; RFC 1191.
 */
#include "stack/inet/icmp.h"

#include "stack/core/checksum.h"
#include "stack/inet/route.h"

#define ICMP_HLEN 8U
#define QUOTE_LIMIT 576U  /* RFC 1812 4.3.2.3: the whole error message */
#define IP_MIN_MTU 68U    /* RFC 791 3.2 */

struct netns_icmp {
	uint32_t tokens;
	ktime_t refilled; /* up to here tokens have been given */
};

/* --- errors as sockets see them --------------------------------------------------------------- */

struct icmp_errno {
	int err;
	bool fatal;
};

/* Linux's table for destination unreachable, by code; RFC 1122 4.2.3.9 for what is fatal. */
static const struct icmp_errno unreach_errno[ICMP4_UNREACH_CODES] = {
	{ ENETUNREACH, false }, { EHOSTUNREACH, false }, { ENOPROTOOPT, true }, { ECONNREFUSED, true },
	{ EMSGSIZE, false }, { EOPNOTSUPP, false }, { ENETUNREACH, true }, { EHOSTDOWN, true },
	{ ENONET, true }, { ENETUNREACH, true }, { EHOSTUNREACH, true }, { ENETUNREACH, false },
	{ EHOSTUNREACH, false }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true },
};

/**
 * icmp_err_convert() - the errno of an ICMP error
 * @type:   ICMP4_DEST_UNREACH, ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROB
 * @code:   any
 * @fatal:  set to whether it ends a connection
 *
 * Return:  positive errno; 0 for a type that is no error
 */
int icmp_err_convert(uint8_t type, uint8_t code, bool *fatal)
{
	*fatal = false;
	switch (type) {
	case ICMP4_DEST_UNREACH:
		if (code >= ICMP4_UNREACH_CODES) {
			*fatal = true;
			return EHOSTUNREACH;
		}
		*fatal = unreach_errno[code].fatal;
		return unreach_errno[code].err;
	case ICMP4_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP4_PARAM_PROB:
		*fatal = true;
		return EPROTO;
	default:
		return 0;
	}
}

/* --- sending ---------------------------------------------------------------------------------- */

static void count_sent(struct net *net, uint8_t type)
{
	mib_inc(net, MIB_IcmpOutMsgs);
	switch (type) {
	case ICMP4_DEST_UNREACH: mib_inc(net, MIB_IcmpOutDestUnreachs); break;
	case ICMP4_TIME_EXCEEDED: mib_inc(net, MIB_IcmpOutTimeExcds); break;
	case ICMP4_PARAM_PROB: mib_inc(net, MIB_IcmpOutParmProbs); break;
	case ICMP4_ECHO: mib_inc(net, MIB_IcmpOutEchos); break;
	case ICMP4_ECHOREPLY: mib_inc(net, MIB_IcmpOutEchoReps); break;
	default: break;
	}
}

/* RFC 1812 4.3.2.8: a token bucket for the namespace; a rate of 0 fills it no more. */
static bool may_send(struct net *net)
{
	const struct ipv4_sysctls *sysctl = &net->inet->sysctl;
	struct netns_icmp *ni = net->icmp;
	const uint64_t rate = (uint64_t)sysctl->icmp_msgs_per_sec;
	const uint64_t apart = rate ? MAX(NSEC_PER_SEC / rate, 1) : UINT64_MAX;
	const uint64_t new_tokens = (net->now - ni->refilled) / apart;

	if (new_tokens) {
		ni->tokens = (uint32_t)MIN(ni->tokens + new_tokens, (uint64_t)sysctl->icmp_msgs_burst);
		ni->refilled += new_tokens * apart;
	}
	if (ni->tokens == 0)
		return false;
	ni->tokens--;
	return true;
}

/* An ICMP message of @len bytes with its first four bytes set, ready to be filled in. */
static struct sk_buff *new_message(struct net *net, const struct dst *dst, uint8_t type, uint8_t code,
				   uint32_t len)
{
	struct sk_buff *skb = alloc_skb(net, ip_headroom(dst) + len);
	struct icmp4hdr *h;

	if (!skb)
		return NULL;
	skb_reserve(skb, ip_headroom(dst));
	h = (struct icmp4hdr *)(void *)skb_put(skb, len);
	h->type = type;
	h->code = code;
	h->checksum = 0;
	return skb;
}

static void send_message(struct net *net, struct sk_buff *skb, const struct dst *dst, uint8_t tos)
{
	const struct ip_send_opts opts = { .protocol = IPPROTO_ICMP, .tos = tos };
	struct icmp4hdr *h = (struct icmp4hdr *)(void *)skb->data;

	count_sent(net, h->type);
	h->checksum = csum_fold(csum_partial(h, skb->len, 0));
	if (ip_queue_xmit(net, skb, dst, &opts) < 0)
		mib_inc(net, MIB_IcmpOutErrors);
}

/* The way back to the sender, from the address it used if that is ours. */
static int route_back(struct net *net, be32 peer, be32 own, struct dst *dst)
{
	const struct inet_addr addr = inet_addr_v4(own);
	struct flowi fl = { .daddr = inet_addr_v4(peer) };

	if (inet_addr_type(net, &addr) == RTN_T_LOCAL)
		fl.saddr = addr;
	return route_lookup(net, &fl, dst);
}

static bool is_error_type(uint8_t type)
{
	return type == ICMP4_DEST_UNREACH || type == ICMP4_SOURCE_QUENCH || type == ICMP4_REDIRECT ||
	       type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAM_PROB;
}

static bool is_query_type(uint8_t type)
{
	return type == ICMP4_ECHO || type == ICMP4_ECHOREPLY ||
	       (type >= ICMP4_TIMESTAMP && type <= ICMP4_MASK_REPLY);
}

static bool is_one_host(struct net *net, be32 a)
{
	const struct inet_addr addr = inet_addr_v4(a);
	const enum route_type type = inet_addr_type(net, &addr);

	return type == RTN_T_UNICAST || type == RTN_T_LOCAL;
}

/*
 * RFC 1122 3.2.2, RFC 1812 4.3.2.7: no error about an ICMP error, a broadcast or multicast at
 * either layer, a fragment other than the first, or a source that is not one host. An ICMP message
 * of a type that we cannot tell counts as an error.
 */
static bool deserves_error(const struct sk_buff *skb, const struct iphdr4 *iph, uint32_t len)
{
	const uint32_t ihl = (iph->vihl & 0x0fU) * 4;

	if (skb->pkt_type != PACKET_HOST && skb->pkt_type != PACKET_LOOPBACK)
		return false;
	if (!is_one_host(skb->net, iph->saddr) || !is_one_host(skb->net, iph->daddr))
		return false;
	if (be16_to_cpu(iph->frag_off) & IP_F_OFFMASK)
		return false;
	if (iph->protocol == IPPROTO_ICMP)
		return len > ihl && is_query_type(((const uint8_t *)iph)[ihl]);
	return true;
}

/* Bytes that lie linear from the IP header on; 0 unless a whole header does. */
static uint32_t quotable(const struct sk_buff *skb)
{
	const uint8_t *start = skb_network_header(skb);
	uint32_t len, ihl;

	if (start < skb->head || start + IPV4_HLEN > skb->tail)
		return 0;
	len = (uint32_t)(skb->tail - start);
	ihl = (*start & 0x0fU) * 4;
	return ihl >= IPV4_HLEN && ihl <= len ? len : 0;
}

/**
 * icmp_send() - tell the sender of a received packet what is wrong with it
 * @skb:   the packet, network_header at its IP header; borrowed
 * @type:  ICMP4_DEST_UNREACH, ICMP4_TIME_EXCEEDED or ICMP4_PARAM_PROB
 * @code:  of the type
 * @info:  bytes 4 to 7 of the message as a host-order number
 *
 * Silent where RFC 1122 3.2.2 forbids an error, and beyond the rate limit (not towards ourselves,
 * nor for fragmentation needed, as Linux).
 * Source:  RFC 1812 4.3.2.3 (as much of the packet as fits into 576 bytes), 4.3.2.5 (TOS)
 */
void icmp_send(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	struct net *net = skb->net;
	const struct iphdr4 *iph = skb_network_header(skb);
	uint32_t quote = quotable(skb);
	const be32 word = cpu_to_be32(info);
	struct sk_buff *msg;
	struct dst dst;

	if (!quote || !deserves_error(skb, iph, quote))
		return;
	if (route_back(net, iph->saddr, iph->daddr, &dst))
		return;
	if (!(dst.dev->flags & IFF_LOOPBACK) &&
	    !(type == ICMP4_DEST_UNREACH && code == ICMP4_FRAG_NEEDED) && !may_send(net)) {
		mib_inc(net, MIB_IcmpOutRateLimitGlobal);
		return;
	}
	quote = MIN(quote, MIN(dst.mtu, QUOTE_LIMIT) - IPV4_HLEN - ICMP_HLEN);
	msg = new_message(net, &dst, type, code, ICMP_HLEN + quote);
	if (!msg)
		return;
	memcpy(msg->data + 4, &word, sizeof(word));
	memcpy(msg->data + ICMP_HLEN, iph, quote);
	/* Internetwork control precedence, the packet's TOS, no ECN. */
	send_message(net, msg, &dst, (uint8_t)((iph->tos & 0x1c) | 0xc0));
}

/* --- receiving -------------------------------------------------------------------------------- */

/* RFC 1122 3.2.2.6: from the address that was asked, with all of the data, however long. The code,
 * which should be zero, is sent back as it came (Linux). */
static enum skb_drop_reason answer_echo(struct sk_buff *skb)
{
	struct net *net = skb->net;
	const struct ip_skb_cb *cb = ip_cb(skb);
	struct sk_buff *msg;
	struct dst dst;

	if (net->inet->sysctl.icmp_echo_ignore_all)
		return SKB_DROP_ICMP_IGNORED;
	if (route_back(net, cb->saddr, cb->daddr, &dst))
		return SKB_DROP_IP_OUT_NO_ROUTE;
	msg = new_message(net, &dst, ICMP4_ECHOREPLY, skb->data[1], skb->len);
	if (!msg)
		return SKB_DROP_NO_MEMORY;
	memcpy(msg->data + 4, skb->data + 4, skb->len - 4);
	msg->priority = skb->priority;
	send_message(net, msg, &dst, cb->tos);
	return SKB_NOT_DROPPED;
}

/* RFC 1191 7.1: a router that does not tell its MTU has a usual one. */
static uint32_t plateau_below(uint32_t size)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < size)
			return plateaus[i];
	return IP_MIN_MTU;
}

/* @skb has the quoted header, which has been checked, at data. */
static uint32_t next_hop_mtu(const struct sk_buff *skb, uint32_t told)
{
	const struct iphdr4 *iph = (const struct iphdr4 *)(const void *)skb->data;

	return told ? MAX(told, IP_MIN_MTU) : plateau_below(be16_to_cpu(iph->tot_len));
}

/* The header of a packet of ours with at least 8 bytes behind it: enough for both ports. */
static const struct iphdr4 *quoted_header(const struct sk_buff *skb)
{
	const struct iphdr4 *iph = skb_header(skb, 0, IPV4_HLEN);
	uint32_t ihl;

	if (!iph || iph->vihl >> 4 != 4)
		return NULL;
	ihl = (iph->vihl & 0x0fU) * 4;
	if (ihl < IPV4_HLEN || !skb_header(skb, ihl, 8))
		return NULL;
	return iph;
}

/**
 * icmp_notify() - tell the sockets of a packet of ours that it did not arrive
 * @skb:       data at the packet's IP header (quoted, or never sent); borrowed, data and cb change
 * @type:      ICMP type of the error
 * @code:      ICMP code
 * @info:      next-hop MTU with fragmentation needed, else 0
 * @offender:  who sent the error; our own address for what never left
 *
 * Source:  RFC 1122 3.2.2, 3.2.2.1
 */
void icmp_notify(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be32 offender)
{
	struct net *net = skb->net;
	const struct iphdr4 *iph = quoted_header(skb);
	const struct net_protocol *p;

	if (!iph || be16_to_cpu(iph->frag_off) & IP_F_OFFMASK)
		return;
	p = inet_protocol(net, iph->protocol);
	skb_reset_network_header(skb);
	ip_fill_cb(skb);
	ip_cb(skb)->offender = offender;
	skb_pull(skb, ip_cb(skb)->ihl);
	skb_reset_transport_header(skb);
	if (net->inet->raw_err)
		net->inet->raw_err(skb, type, code, info);
	if (p && p->err)
		p->err(skb, type, code, info);
}

/* RFC 1122 3.2.2: an error must be about something that we could have sent. */
static bool quotes_our_packet(const struct sk_buff *skb)
{
	const struct iphdr4 *iph = quoted_header(skb);
	struct inet_addr saddr, daddr;
	enum route_type type;

	if (!iph)
		return false;
	saddr = inet_addr_v4(iph->saddr);
	daddr = inet_addr_v4(iph->daddr);
	if (inet_addr_type(skb->net, &saddr) != RTN_T_LOCAL)
		return false;
	type = inet_addr_type(skb->net, &daddr);
	return type == RTN_T_UNICAST || type == RTN_T_LOCAL;
}

/* Destination unreachable, time exceeded, parameter problem. */
static enum skb_drop_reason take_error(struct sk_buff *skb)
{
	const struct icmp4hdr h = *(const struct icmp4hdr *)(const void *)skb->data;
	uint32_t info = 0;

	skb_pull(skb, ICMP_HLEN);
	if (!quotes_our_packet(skb))
		return SKB_DROP_ICMP_INVALID;
	if (h.type == ICMP4_DEST_UNREACH && h.code >= ICMP4_UNREACH_CODES)
		return SKB_DROP_ICMP_INVALID;
	/* Linux: that a datagram could not be reassembled concerns no socket. */
	if (h.type == ICMP4_TIME_EXCEEDED && h.code == ICMP4_EXC_FRAGTIME)
		return SKB_DROP_ICMP_IGNORED;
	if (h.type == ICMP4_DEST_UNREACH && h.code == ICMP4_FRAG_NEEDED)
		info = next_hop_mtu(skb, be16_to_cpu(h.frag.mtu));
	icmp_notify(skb, h.type, h.code, info, ip_cb(skb)->saddr);
	return SKB_NOT_DROPPED;
}

/* RFC 1122 3.2.2.6, 3.2.2.8: broadcast requests are not answered (MAY), lest one packet draws many
 * (unless icmp_echo_ignore_broadcasts is 0); errors never come by broadcast. */
static enum skb_drop_reason refuse_broadcast(const struct sk_buff *skb)
{
	if (!ip_cb(skb)->bcast)
		return SKB_NOT_DROPPED;
	if (*skb->data == ICMP4_ECHO && !skb->net->inet->sysctl.icmp_echo_ignore_broadcasts)
		return SKB_NOT_DROPPED;
	return is_query_type(*skb->data) ? SKB_DROP_ICMP_IGNORED : SKB_DROP_ICMP_INVALID;
}

static void count_received(struct net *net, uint8_t type)
{
	switch (type) {
	case ICMP4_DEST_UNREACH: mib_inc(net, MIB_IcmpInDestUnreachs); break;
	case ICMP4_TIME_EXCEEDED: mib_inc(net, MIB_IcmpInTimeExcds); break;
	case ICMP4_PARAM_PROB: mib_inc(net, MIB_IcmpInParmProbs); break;
	case ICMP4_ECHO: mib_inc(net, MIB_IcmpInEchos); break;
	case ICMP4_ECHOREPLY: mib_inc(net, MIB_IcmpInEchoReps); break;
	default: break;
	}
}

static enum skb_drop_reason take_message(struct sk_buff *skb)
{
	struct net *net = skb->net;
	const struct icmp4hdr *h = skb_header(skb, 0, ICMP_HLEN);
	enum skb_drop_reason reason;

	if (!h)
		return SKB_DROP_ICMP_INVALID;
	if (csum_fold(csum_partial(skb->data, skb->len, 0)) != 0) {
		mib_inc(net, MIB_IcmpInErrors);
		return SKB_DROP_ICMP_CHECKSUM;
	}
	count_received(net, h->type);
	reason = refuse_broadcast(skb);
	if (reason)
		return reason;
	switch (h->type) {
	case ICMP4_ECHO:
		return answer_echo(skb);
	case ICMP4_ECHOREPLY:
		if (net->inet->ping_rcv)
			net->inet->ping_rcv(skb);
		return SKB_NOT_DROPPED;
	case ICMP4_DEST_UNREACH:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAM_PROB:
		return take_error(skb);
	default:
		/* RFC 1122 3.2.2: an unknown type is silently discarded. */
		return is_error_type(h->type) || is_query_type(h->type) ? SKB_DROP_ICMP_IGNORED
									 : SKB_DROP_ICMP_INVALID;
	}
}

static void icmp_rcv(struct sk_buff *skb)
{
	enum skb_drop_reason reason;

	mib_inc(skb->net, MIB_IcmpInMsgs);
	reason = take_message(skb);
	if (reason)
		skb_drop(skb, reason);
	else
		skb_consume(skb);
}

/* An error about an ICMP packet of ours: an echo request of a ping socket. */
static void icmp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	if (*skb->data != ICMP4_ECHO)
		return;
	if (skb->net->inet->ping_err)
		skb->net->inet->ping_err(skb, type, code, info);
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct net_protocol icmp_protocol = { IPPROTO_ICMP, icmp_rcv, icmp_err };

static int icmp_init(struct net *net)
{
	struct netns_icmp *ni = calloc(1, sizeof(*ni));
	int err;

	if (!ni)
		return -ENOMEM;
	err = inet_add_protocol(net, &icmp_protocol);
	if (err) {
		free(ni);
		return err;
	}
	ni->tokens = (uint32_t)net->inet->sysctl.icmp_msgs_burst;
	ni->refilled = net->now;
	net->icmp = ni;
	return 0;
}

static void icmp_exit(struct net *net)
{
	net->inet->protocols[IPPROTO_ICMP] = NULL;
	free(net->icmp);
	net->icmp = NULL;
}

const struct pernet_operations icmp_pernet_ops = { "icmp", icmp_init, icmp_exit };
