/* SPDX-License-Identifier: MIT */
/*
 * impair_apply.c - the rules at work: which of them are about a frame, and what they do to it
 */
#include "netif/impair_link.h"

/* --- does it match? ----------------------------------------------------------------------------- */

static bool in_range(const struct impair_range *r, uint32_t n)
{
	return n >= r->from && n <= r->to;
}

static bool is_addr(const struct impair_addr *a, be32 addr, uint16_t port)
{
	return (addr & a->mask) == a->addr && (!a->port || a->port == port);
}

static bool flags_match(unsigned int match, const struct impair_packet *pkt)
{
	uint8_t f = pkt->flags & (TH_SYN | TH_FIN | TH_RST | TH_ACK);

	return !((match & MATCH_SYN && !((f & TH_SYN) && !(f & TH_ACK))) ||
		 (match & MATCH_SYNACK && !((f & TH_SYN) && (f & TH_ACK))) ||
		 (match & MATCH_FIN && !(f & TH_FIN)) || (match & MATCH_RST && !(f & TH_RST)) ||
		 (match & MATCH_DATA && !pkt->text) ||
		 (match & MATCH_PURE_ACK && !(f == TH_ACK && !pkt->text)));
}

/* The sequence numbers that a segment takes (RFC 9293 3.4). */
static uint32_t seq_len(const struct impair_packet *pkt)
{
	return pkt->text + !!(pkt->flags & TH_SYN) + !!(pkt->flags & TH_FIN);
}

/* [SYN 0, text 1, 2 ...]: whether the segment holds one of the numbers. */
static bool touches(const struct impair_rule *r, const struct impair_packet *pkt)
{
	uint32_t len = seq_len(pkt), rel;

	return len && impair_conn_relative(pkt, &rel) && rel <= r->seq.to && rel + len > r->seq.from;
}

static bool conn_matches(const struct impair_rule *r, const struct impair_packet *pkt)
{
	unsigned int m = r->match;

	return !((m & MATCH_CONN && !(pkt->conn && impair_conn_number(pkt->conn) == r->conn)) ||
		 (m & MATCH_SEGMENT && !(pkt->segment && in_range(&r->segment, pkt->segment))) ||
		 (m & MATCH_RETRANS && !pkt->retransmission) ||
		 (m & MATCH_ORIGINAL && (pkt->retransmission || !pkt->conn || !seq_len(pkt))) ||
		 (m & MATCH_SEQ && !touches(r, pkt)));
}

static bool matches(const struct impair_rule *r, enum tap_dir dir, const struct impair_packet *pkt)
{
	unsigned int m = r->match;

	if (!(r->dirs & 1U << dir) || (m & MATCH_ARP && !pkt->arp) || (m & MATCH_IP && !pkt->ip))
		return false;
	if (m & MATCH_PROTO && !(pkt->ip && pkt->proto == r->proto))
		return false;
	if ((m & MATCH_FROM && !(pkt->ip && is_addr(&r->from, pkt->saddr, pkt->sport))) ||
	    (m & MATCH_TO && !(pkt->ip && is_addr(&r->to, pkt->daddr, pkt->dport))) ||
	    (m & MATCH_PORT && pkt->sport != r->port && pkt->dport != r->port) ||
	    (m & MATCH_SIZE && !(pkt->ip && in_range(&r->size, pkt->ip_len))))
		return false;
	return flags_match(m, pkt) && conn_matches(r, pkt);
}

/* Of the frames that match, which the rule acts upon. */
static bool is_due(struct impair_dir *d, const struct impair_packet *pkt,
		   struct impair_rule_state *s)
{
	const struct impair_rule *r = s->rule;

	s->matched++;
	if (r->nth.from && !(s->matched >= r->nth.from &&
			     (s->matched <= r->nth.to || r->nth.to == UINT32_MAX)))
		return false;
	if (r->every && s->matched % r->every != 0)
		return false;
	if (r->count && s->applied >= r->count)
		return false;
	if (!impair_chance(d, pkt->ip, CHOICE_RULE, r->chance))
		return false;
	s->applied++;
	return true;
}

/* --- what it does ------------------------------------------------------------------------------- */

/* The answer goes the other way, as long as that takes. */
static void answer(struct impair_dir *d, const struct sk_buff *skb, const struct impair_packet *pkt,
		   const struct impair_rule *r)
{
	struct sk_buff *e = impair_icmp_error(skb, pkt, r->icmp_type, r->icmp_code, r->icmp_mtu);

	if (!e)
		return;
	d->stats.answered++;
	impair_reply_xmit(&d->im->dirs[!d->dir], e);
}

/* Counts from the start of the text; the segment that reaches beyond is lost whole. */
static bool is_cut(const struct impair_rule *r, const struct impair_packet *pkt)
{
	uint32_t rel;

	if (!impair_conn_relative(pkt, &rel) || !pkt->text ||
	    (uint64_t)rel - 1 + pkt->text <= r->cut_after)
		return false;
	impair_conn_cut(pkt->conn);
	return true;
}

/* Does what @r says. True: the list of rules ends here, with *@reason. */
static bool act(struct impair_dir *d, struct impair_packet *pkt, struct sk_buff *skb,
		const struct impair_rule *r, struct impair_verdict *v, enum skb_drop_reason *reason)
{
	switch (r->action) {
	case ACTION_DROP:
		*reason = SKB_DROP_IMPAIR_RULE;
		return true;
	case ACTION_PASS:
		v->pass = true;
		return true;
	case ACTION_ICMP:
		answer(d, skb, pkt, r);
		*reason = SKB_DROP_IMPAIR_ICMP;
		return true;
	case ACTION_CUT:
		if (is_cut(r, pkt))
			*reason = SKB_DROP_IMPAIR_CUT;
		return *reason != SKB_NOT_DROPPED;
	case ACTION_DELAY:
		v->delay_ns += r->delay_ns;
		return false;
	case ACTION_DUPLICATE:
		v->duplicate = true;
		return false;
	case ACTION_CORRUPT:
		impair_corrupt(d, pkt->ip, skb);
		return false;
	case ACTION_CE:
		d->stats.marked += impair_mark_ce(skb, pkt);
		return false;
	case ACTION_STRIP:
		if (impair_strip(skb, pkt, r->strip) > 0)
			d->stats.stripped++;
		return false;
	}
	return false;
}

/**
 * impair_rules() - take a frame through the rules
 * @d:        its direction
 * @pkt:      what it is; gets its connection
 * @skb:      frame; its data may move
 * @verdict:  what is to be done with it if it is not lost
 *
 * Return:  SKB_NOT_DROPPED, or why it is lost
 */
enum skb_drop_reason impair_rules(struct impair_dir *d, struct impair_packet *pkt,
				  struct sk_buff *skb, struct impair_verdict *verdict)
{
	enum skb_drop_reason reason = SKB_NOT_DROPPED;
	struct impair *im = d->im;

	if (!im->rule_count)
		return SKB_NOT_DROPPED;
	impair_conns_see(im->conns, pkt);
	if (pkt->conn && impair_conn_is_cut(pkt->conn))
		return SKB_DROP_IMPAIR_CUT;
	for (unsigned int i = 0; i < im->rule_count; i++) {
		struct impair_rule_state *s = &im->states[i];

		if (matches(s->rule, d->dir, pkt) && is_due(d, pkt, s) &&
		    act(d, pkt, skb, s->rule, verdict, &reason))
			break;
	}
	return reason;
}
