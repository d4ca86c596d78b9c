/* SPDX-License-Identifier: MIT */
/* A packet handler that keeps what it receives, for tests of devices. */
#ifndef TESTS_UNIT_SINK_H
#define TESTS_UNIT_SINK_H

#include "stack/core/dev.h"

struct sink {
	struct packet_type pt;
	struct sk_buff_head got; /* as they arrived: data at the network header */
};

static inline void sink_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	struct sink *s = container_of(pt, struct sink, pt);

	(void)dev;
	skb_append(&s->got, skb);
}

static inline void sink_open(struct sink *s, struct net *net, uint16_t type)
{
	memset(s, 0, sizeof(*s));
	skb_queue_head_init(&s->got);
	s->pt.type = cpu_to_be16(type);
	s->pt.func = sink_rcv;
	dev_add_pack(net, &s->pt);
}

static inline void sink_close(struct sink *s)
{
	dev_remove_pack(&s->pt);
	skb_queue_purge(&s->got);
}

/* A frame for @dev: @len bytes after the link header, counting up from @first. */
static inline struct sk_buff *sink_frame(struct net_device *dev, const uint8_t *daddr, uint16_t type,
					 uint32_t len, uint8_t first)
{
	struct sk_buff *skb = alloc_skb(dev->net, ll_reserved_space(dev) + len);
	uint8_t *p;

	BUG_ON(!skb);
	skb_reserve(skb, ll_reserved_space(dev));
	p = skb_put(skb, len);
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(first + i);
	skb->dev = dev;
	skb_reset_network_header(skb);
	BUG_ON(dev_hard_header(skb, dev, type, daddr, NULL) < 0);
	return skb;
}

#endif
