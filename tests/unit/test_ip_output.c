/* SPDX-License-Identifier: MIT */
/* IPv4 output: headers, sizes, fragments, loops. RFC 791, RFC 6864. */
#include "tests/unit/inet_fixture.h"

static const struct ip_send_opts plain = { .protocol = PROTO_TEST };

static int send_plain(struct host *h, const struct dst *dst, uint32_t len, const struct ip_send_opts *opts)
{
	return ip_queue_xmit(h->net, payload_skb(h, dst, len), dst, opts);
}

TEST(test_header_of_a_packet)
{
	const struct ip_send_opts opts = { .protocol = PROTO_TEST, .tos = 0x10, .ttl = 7, .df = true };
	struct host h = host_up();
	const struct dst dst = way_to(&h, FAR);
	struct pkt p;

	CHECK_EQ(send_plain(&h, &dst, 100, &opts), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_MEM(p.eth_dst, gateway_mac, 6);
	CHECK_MEM(p.eth_src, own_mac, 6);
	CHECK_EQ(p.saddr, OWN);
	CHECK_EQ(p.daddr, FAR);
	CHECK_EQ(p.proto, PROTO_TEST);
	CHECK_EQ(p.tos, 0x10);
	CHECK_EQ(p.ttl, 7);
	CHECK(p.df && !p.mf);
	CHECK_EQ(p.id, 0); /* RFC 6864 4.1: atomic */
	CHECK_EQ(p.ip_len, 120);
	CHECK_EQ(p.payload_len, 100);
	CHECK_EQ(h.net->mib[MIB_IpOutRequests], 1);
	fake_net_destroy(h.net);
}

TEST(test_defaults)
{
	struct host h = host_up();
	struct dst dst = way_to(&h, PEER);
	struct pkt p;

	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ttl, 64);
	CHECK(!p.df);
	dst = way_to(&h, PKT_IP(239, 1, 2, 3));
	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ttl, 1); /* RFC 1112 6.1 */
	CHECK_MEM(p.eth_dst, "\x01\x00\x5e\x01\x02\x03", 6);
	fake_net_destroy(h.net);
}

TEST(test_options_are_sent)
{
	static const uint8_t alert[4] = { 148, 4, 0, 0 };
	const struct ip_send_opts opts = { .protocol = PROTO_TEST, .options = alert, .options_len = 4 };
	const struct ip_send_opts odd = { .protocol = PROTO_TEST, .options = alert, .options_len = 3 };
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct pkt p;

	CHECK_EQ(send_plain(&h, &dst, 8, &opts), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ip_options_len, 4);
	CHECK_MEM(p.ip_options, alert, 4);
	CHECK_EQ(p.payload_len, 8);
	CHECK_EQ(send_plain(&h, &dst, 8, &odd), -EINVAL);
	fake_net_destroy(h.net);
}

TEST(test_sizes_at_the_edge)
{
	const struct ip_send_opts df = { .protocol = PROTO_TEST, .df = true };
	const struct ip_send_opts no_frag = { .protocol = PROTO_TEST, .no_frag = true };
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);

	CHECK_EQ(send_plain(&h, &dst, 1480, &df), 0);
	CHECK_EQ(fake_dev_forget(h.eth), 1);
	CHECK_EQ(send_plain(&h, &dst, 1481, &df), -EMSGSIZE);
	CHECK_EQ(send_plain(&h, &dst, 1481, &no_frag), -EMSGSIZE);
	CHECK_EQ(send_plain(&h, &dst, 65516, &plain), -EMSGSIZE);
	pkt_expect_none(h.eth);
	CHECK_EQ(h.net->mib[MIB_IpFragFails], 2);
	CHECK_EQ(send_plain(&h, &dst, 0, &plain), 0);
	CHECK_EQ(fake_dev_forget(h.eth), 1);
	fake_net_destroy(h.net);
}

/* Sends @len bytes over an MTU of @mtu and checks that the fragments are an exact cover. */
static void check_fragments(struct host *h, uint32_t mtu, uint32_t len)
{
	const struct dst dst = way_to(h, PEER);
	uint32_t at = 0, pieces = 0;
	struct pkt p;
	uint16_t id = 0;
	size_t i;

	CHECK_EQ(dst.mtu, mtu);
	CHECK_EQ(send_plain(h, &dst, len, &plain), 0);
	while (pkt_take(h->eth, &p)) {
		CHECK_LE(p.ip_len, mtu);
		CHECK_EQ(p.frag_off, at);
		if (pieces++ == 0)
			id = p.id;
		CHECK_EQ(p.id, id);
		for (i = 0; i < p.payload_len; i++)
			if (p.payload[i] != (uint8_t)(at + i))
				CHECK_EQ(p.payload[i], (uint8_t)(at + i));
		at += (uint32_t)p.payload_len;
		CHECK_EQ(p.mf, at < len);
		if (p.mf)
			CHECK_EQ(p.payload_len, (mtu - 20) / 8 * 8);
	}
	CHECK_EQ(at, len);
	CHECK_EQ(skb_live(h->net), 0);
}

TEST(test_fragments_cover_the_datagram)
{
	static const uint32_t mtus[] = { 68, 69, 576, 1280, 1500 };
	static const uint32_t sizes[] = { 1481, 2960, 2961, 4000, 65515 };
	struct host h = host_up();
	size_t m, s;

	for (m = 0; m < ARRAY_SIZE(mtus); m++) {
		h.eth->min_mtu = 68;
		if (mtus[m] != h.eth->mtu)
			CHECK_EQ(dev_set_mtu(h.eth, mtus[m]), 0);
		for (s = 0; s < ARRAY_SIZE(sizes); s++) {
			h.eth->tx_queue_len = 2000;
			check_fragments(&h, mtus[m], sizes[s]);
		}
	}
	CHECK_EQ(h.net->mib[MIB_IpFragOKs], ARRAY_SIZE(mtus) * ARRAY_SIZE(sizes));
	fake_net_destroy(h.net);
}

TEST(test_options_in_fragments_follow_the_copy_flag)
{
	/* no-op, router alert (copied), record route (not copied), end */
	static const uint8_t options[12] = { 1, 148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0 };
	static const uint8_t copied[4] = { 148, 4, 0, 0 };
	const struct ip_send_opts opts = { .protocol = PROTO_TEST, .options = options, .options_len = 12 };
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct pkt p;

	CHECK_EQ(send_plain(&h, &dst, 2000, &opts), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ip_options_len, 12);
	CHECK_MEM(p.ip_options, options, 12);
	CHECK_EQ(p.payload_len, 1464);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.ip_options_len, 4);
	CHECK_MEM(p.ip_options, copied, 4);
	CHECK_EQ(p.frag_off, 1464);
	CHECK_EQ(p.payload_len, 536);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_fragments_from_a_shared_payload)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct skb_data *block = skb_data_alloc(3000);
	struct sk_buff *skb = payload_skb(&h, &dst, 8);
	struct pkt p;

	CHECK(block != NULL);
	memset(block->buf, 0x5a, 3000);
	skb_set_frag(skb, block, block->buf, 3000);
	CHECK_EQ(ip_queue_xmit(h.net, skb, &dst, &plain), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload[7], 7);
	CHECK_EQ(p.payload[8], 0x5a);
	CHECK(pkt_take(h.eth, &p));
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload_len, 3008 - 2960);
	skb_data_put(block);
	fake_net_destroy(h.net);
}

TEST(test_a_clone_is_not_written_to)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct sk_buff *kept = payload_skb(&h, &dst, 8), *sent = skb_clone(kept);

	memset(kept->head, 0xee, skb_headroom(kept));
	CHECK_EQ(ip_queue_xmit(h.net, sent, &dst, &plain), 0);
	CHECK_EQ(kept->data[-1], 0xee);
	CHECK_EQ(kept->data[0], 0);
	skb_consume(kept);
	fake_net_destroy(h.net);
}

TEST(test_identification_differs)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER), other = way_to(&h, FAR);
	struct pkt a, b, c;
	uint16_t first;

	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	CHECK_EQ(send_plain(&h, &other, 8, &plain), 0);
	CHECK(pkt_take(h.eth, &a) && pkt_take(h.eth, &b) && pkt_take(h.eth, &c));
	CHECK_EQ((uint16_t)(b.id - a.id), 1);
	CHECK_NE((uint16_t)(c.id - b.id), 1);
	first = ip_select_ident(h.net, 1, 2, 3, 10);
	CHECK_EQ(ip_select_ident(h.net, 1, 2, 3, 1), (uint16_t)(first + 10));
	fake_net_destroy(h.net);
}

TEST(test_super_segment_must_fit_in_pieces)
{
	const struct ip_send_opts tcp = { .protocol = IPPROTO_TCP, .df = true };
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct sk_buff *skb = payload_skb(&h, &dst, 20 + 8000);
	struct fake_frame *f;

	h.eth->features |= NETIF_F_TSO | NETIF_F_HW_CSUM;
	skb->data[12] = 5 << 4;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1460;
	skb->gso_segs = 6;
	CHECK_EQ(ip_queue_xmit(h.net, skb, &dst, &tcp), 0);
	f = fake_dev_take(h.eth);
	CHECK(f && f->gso_size == 1460 && f->len == 14 + 20 + 20 + 8000);
	free(f);
	skb = payload_skb(&h, &dst, 20 + 8000);
	skb->data[12] = 5 << 4;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1461;
	CHECK_EQ(ip_queue_xmit(h.net, skb, &dst, &tcp), -EMSGSIZE);
	fake_net_destroy(h.net);
}

TEST(test_locked_path_mtu_drops_df)
{
	const struct ip_send_opts df = { .protocol = PROTO_TEST, .df = true };
	struct host h = host_up();
	const struct inet_addr far = ip4(FAR);
	struct dst dst;
	struct pkt p;

	route_update_pmtu(h.net, &far, 296);
	dst = way_to(&h, FAR);
	CHECK_EQ(send_plain(&h, &dst, 600, &df), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK(!p.df && p.mf);
	CHECK_LE(p.ip_len, 552);
	fake_net_destroy(h.net);
}

TEST(test_loopback_round_trip)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, OWN);

	CHECK_EQ(send_plain(&h, &dst, 5000, &plain), 0);
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 1);
	CHECK_EQ(seen.len, 5000);
	CHECK_EQ(be32_to_cpu(seen.cb.saddr), OWN);
	CHECK_EQ(seen.cb.iif, h.lo->ifindex);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_own_broadcast_is_heard)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PKT_IP(10, 0, 0, 255));
	struct pkt p;

	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_MEM(p.eth_dst, "\xff\xff\xff\xff\xff\xff", 6);
	CHECK_EQ(p.daddr, PKT_IP(10, 0, 0, 255));
	CHECK_EQ(seen.packets, 0); /* never inside the sender's call */
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 1);
	CHECK(seen.cb.bcast);
	CHECK_EQ(seen.cb.iif, h.eth->ifindex);
	CHECK_EQ(be32_to_cpu(seen.cb.saddr), OWN);
	fake_net_destroy(h.net);
}

TEST(test_own_multicast_is_heard_if_wanted)
{
	const struct ip_send_opts loop = { .protocol = PROTO_TEST, .mc_loop = true };
	const struct ip_send_opts stay = { .protocol = PROTO_TEST, .mc_loop = true, .mc_host_only = true };
	struct host h = host_up();
	const struct dst dst = way_to(&h, PKT_IP(239, 1, 2, 3));

	CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 0);
	CHECK_EQ(send_plain(&h, &dst, 3000, &loop), 0);
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 1);
	CHECK_EQ(seen.len, 3000);
	CHECK_EQ(fake_dev_forget(h.eth), 1 + 3);
	CHECK_EQ(send_plain(&h, &dst, 8, &stay), 0);
	pkt_expect_none(h.eth);
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 2);
	fake_net_destroy(h.net);
}

TEST(test_loops_are_bounded_and_end_with_the_device)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, 0xffffffff);
	int i;

	for (i = 0; i < 1500; i++) {
		CHECK_EQ(send_plain(&h, &dst, 8, &plain), 0);
		fake_dev_forget(h.eth);
	}
	CHECK_EQ(skb_live(h.net), 1000);
	unregister_netdev(h.eth);
	CHECK_EQ(skb_live(h.net), 0);
	fake_settle(h.net);
	CHECK_EQ(seen.packets, 0);
	fake_net_destroy(h.net);
}

TEST(test_loopback_address_never_leaves)
{
	struct host h = host_up();
	struct dst dst = way_to(&h, PEER);

	dst.saddr = ip4(INADDR_LOOPBACK);
	CHECK_EQ(send_plain(&h, &dst, 8, &plain), -EINVAL);
	dst = way_to(&h, PEER);
	dst.daddr = ip4(PKT_IP(127, 1, 1, 1));
	CHECK_EQ(send_plain(&h, &dst, 8, &plain), -EINVAL);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_device_down)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);

	dev_close(h.eth);
	CHECK_EQ(send_plain(&h, &dst, 8, &plain), -ENETDOWN);
	CHECK_EQ(send_plain(&h, &dst, 4000, &plain), -ENETDOWN);
	fake_net_destroy(h.net);
}

static struct sk_buff *packet_skb(struct host *h, const struct dst *dst, uint32_t len)
{
	struct sk_buff *skb = payload_skb(h, dst, len);

	memset(skb->data, 0, MIN(len, 20U));
	if (len >= 20) {
		skb->data[0] = 0x45;
		skb->data[9] = PROTO_TEST;
		memcpy(skb->data + 16, &(be32){ cpu_to_be32(PEER) }, 4);
	}
	return skb;
}

TEST(test_header_included)
{
	struct host h = host_up();
	const struct dst dst = way_to(&h, PEER);
	struct sk_buff *skb;
	struct pkt p;

	CHECK_EQ(ip_send_hdrincl_xmit(h.net, packet_skb(&h, &dst, 50), &dst), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.saddr, OWN);
	CHECK_NE(p.id, 0);
	CHECK_EQ(p.ip_len, 50);
	skb = packet_skb(&h, &dst, 50);
	memcpy(skb->data + 4, "\x12\x34", 2);
	memcpy(skb->data + 12, &(be32){ cpu_to_be32(FAR) }, 4); /* a source that is not ours is allowed */
	CHECK_EQ(ip_send_hdrincl_xmit(h.net, skb, &dst), 0);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.id, 0x1234);
	CHECK_EQ(p.saddr, FAR);
	CHECK_EQ(ip_send_hdrincl_xmit(h.net, packet_skb(&h, &dst, 1501), &dst), -EMSGSIZE);
	CHECK_EQ(ip_send_hdrincl_xmit(h.net, packet_skb(&h, &dst, 19), &dst), -EINVAL);
	skb = packet_skb(&h, &dst, 30);
	skb->data[0] = 0x4f;
	CHECK_EQ(ip_send_hdrincl_xmit(h.net, skb, &dst), -EINVAL);
	skb = packet_skb(&h, &dst, 30);
	skb->data[0] = 0x41;
	CHECK_EQ(ip_send_hdrincl_xmit(h.net, skb, &dst), -EINVAL);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}
