/* SPDX-License-Identifier: MIT */
/*
 * impair_segment.c - a TCP super-segment cut into the segments that it stands for
 *
 * A peer on this machine sends up to 64 KiB in one piece, which nobody cuts on the way to a packet
 * socket. On a real wire each segment of it would be a frame of its own, so that is what the
 * impairment has to see: headers copied, sequence numbers, identifications and lengths counted on, CWR
 * on the first only, FIN and PSH on the last only (what a network card does for "TSO"). Only IPv4;
 * the device is not shown anything else (af_packet.c's filter).
 */
#include "netif/impair_link.h"
#include "stack/core/checksum.h"

enum { FRAME_OFFSET = 26, IPPROTO_TCP_NR = 6 };

/* What all parts of one super-segment share. */
struct super {
	const struct sk_buff *skb;
	struct impair_packet pkt;
	uint32_t header;   /* link, IP and TCP headers, bytes */
	uint16_t id;       /* of the first part's IP header */
};

static void set16(uint8_t *p, uint16_t v)
{
	be16 be = cpu_to_be16(v);

	memcpy(p, &be, 2);
}

/* IPv4 and TCP headers of the part at @at of @len bytes: what differs from the super-segment's. */
static void fix_headers(const struct super *s, struct sk_buff *part, uint32_t at, uint32_t len,
			uint16_t index)
{
	uint8_t *ip = part->data + s->pkt.ip_at, *th = part->data + s->pkt.l4_at;
	uint32_t ihl = s->pkt.l4_at - s->pkt.ip_at, tcp_len = s->pkt.th_len + len;
	be32 seq = cpu_to_be32(s->pkt.seq + at);
	uint16_t sum;

	set16(ip + 2, (uint16_t)(ihl + tcp_len));
	set16(ip + 4, (uint16_t)(s->id + index));
	memset(ip + 10, 0, 2);
	sum = ip_fast_csum(ip, ihl / 4);
	memcpy(ip + 10, &sum, 2);
	memcpy(th + 4, &seq, 4);
	if (at > 0)
		th[13] &= (uint8_t)~TH_CWR;
	if (at + len < s->pkt.text)
		th[13] &= (uint8_t)~(TH_FIN | TH_PSH);
	memset(th + 16, 0, 2);
	sum = csum_fold(csum_tcpudp_nofold(s->pkt.saddr, s->pkt.daddr, tcp_len, IPPROTO_TCP_NR,
					   csum_partial(th, tcp_len, 0)));
	memcpy(th + 16, &sum, 2);
}

static struct sk_buff *make_part(const struct super *s, uint32_t at, uint32_t len, uint16_t index)
{
	const struct sk_buff *skb = s->skb;
	struct sk_buff *part = alloc_skb(skb->net, FRAME_OFFSET + s->header + len);

	if (!part)
		return NULL;
	skb_reserve(part, FRAME_OFFSET);
	skb_put(part, s->header + len);
	if (skb_copy_bits(skb, 0, part->data, s->header) < 0 ||
	    skb_copy_bits(skb, s->header + at, part->data + s->header, len) < 0) {
		skb_consume(part);
		return NULL;
	}
	fix_headers(s, part, at, len, index);
	part->dev = skb->dev;
	part->protocol = skb->protocol;
	part->pkt_type = skb->pkt_type;
	part->tstamp = skb->tstamp;
	skb_reset_mac_header(part);
	part->ip_summed = CHECKSUM_NONE;
	return part;
}

/**
 * impair_segment() - cut a super-segment
 * @skb:  received super-segment, data at its link header; consumed
 * @out:  gets the parts; what there is no memory for is lost, counted
 *
 * One that is not TCP over IPv4 goes on @out as it is.
 */
void impair_segment(struct sk_buff *skb, struct sk_buff_head *out)
{
	struct super s = { .skb = skb };
	uint32_t step = skb->gso_size;
	uint16_t index = 0;

	impair_packet_read(&s.pkt, skb);
	if (!s.pkt.tcp || step == 0 || s.pkt.text <= step) {
		skb->gso_size = 0;
		skb->gso_type = SKB_GSO_NONE;
		skb_append(out, skb);
		return;
	}
	s.header = s.pkt.l4_at + s.pkt.th_len;
	s.id = (uint16_t)(skb->data[s.pkt.ip_at + 4] << 8 | skb->data[s.pkt.ip_at + 5]);
	for (uint32_t at = 0; at < s.pkt.text; at += step) {
		struct sk_buff *part = make_part(&s, at, MIN(step, s.pkt.text - at), index++);

		if (part) {
			skb_append(out, part);
		} else {
			skb->net->drops[SKB_DROP_NO_MEMORY]++;
			skb->dev->stats.rx_dropped++;
		}
	}
	skb_consume(skb);
}
