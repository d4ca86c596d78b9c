/* SPDX-License-Identifier: MIT */
/* An impaired device: frames in from a wire or out from a stack, and what comes through. */
#ifndef TESTS_UNIT_IMPAIR_FIXTURE_H
#define TESTS_UNIT_IMPAIR_FIXTURE_H

#include "netif/impair.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/pkt.h"
#include "tests/unit/sink.h"

#define HERE PKT_IP(10, 0, 0, 1)
#define THERE PKT_IP(10, 0, 0, 2)

struct bench {
	struct net *net;
	struct net_device *dev;
	struct sink sink;    /* what came in */
};

static inline void bench_impair(struct bench *b, const char *spec, uint64_t seed)
{
	struct impair_plan *plan = NULL;
	struct impair_error err;
	int ret = impair_parse(spec, &plan, &err);

	CHECK_MSG(ret == 0, "\"%s\": %u:%u: %s", spec, err.line, err.column, err.reason);
	CHECK_EQ(impair_attach(b->dev, plan, true, seed), 0);
	impair_plan_free(plan);
}

static inline void bench_open(struct bench *b, const char *spec)
{
	b->net = fake_net_create(NULL);
	b->dev = fake_dev_create(b->net, "eth0", 1);
	sink_open(&b->sink, b->net, ETH_P_IP);
	bench_impair(b, spec, 1);
}

static inline void bench_close(struct bench *b)
{
	sink_close(&b->sink);
	fake_net_destroy(b->net);
}

/* The stack sends a packet. */
static inline void bench_send(struct bench *b, const struct pkt *p)
{
	static uint8_t frame[PKT_MAX];
	size_t len = pkt_build(p, frame);
	struct sk_buff *skb = alloc_skb(b->net, (uint32_t)len + 32);

	CHECK(skb != NULL);
	skb_reserve(skb, 26);
	memcpy(skb_put(skb, (uint32_t)len), frame, len);
	skb->dev = b->dev;
	skb->protocol = cpu_to_be16(ETH_P_IP);
	skb->network_header = (uint16_t)(skb_headroom(skb) + ETH_HLEN);
	CHECK_EQ(dev_queue_xmit(skb), 0);
}

/* A UDP datagram of @len bytes of payload, from us; @mark is its first byte. */
static inline struct pkt bench_udp(uint8_t mark, size_t len)
{
	static uint8_t payload[2000];

	memset(payload, 0, sizeof(payload));
	payload[0] = mark;
	return pkt_udp(HERE, 1000, THERE, 2000, payload, len);
}

static inline void bench_send_udp(struct bench *b, uint8_t mark, size_t len)
{
	struct pkt p = bench_udp(mark, len);

	bench_send(b, &p);
}

/* The marks of the datagrams that were sent so far, as a string; '!' for a wrong checksum. */
static inline const char *bench_marks(struct bench *b)
{
	static char text[4000];
	size_t n = 0;
	struct fake_frame *f;

	while ((f = fake_dev_take(b->dev))) {
		struct pkt p;

		CHECK(n < sizeof(text) - 2);
		CHECK(pkt_parse(&p, f->data, f->len));
		text[n++] = p.ip_csum_ok && p.l4_csum_ok ? (char)p.payload[0] : '!';
		free(f);
	}
	text[n] = '\0';
	return text;
}

static inline struct impair_stats bench_stats(struct bench *b, enum tap_dir dir)
{
	struct impair_stats s;

	CHECK(impair_get_stats(b->dev, dir, &s));
	return s;
}

#endif
