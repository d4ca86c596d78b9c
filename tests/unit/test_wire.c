/* SPDX-License-Identifier: MIT */
/* Wire: two devices of two namespaces joined in memory. */
#include "netif/netif.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/sink.h"

enum { TYPE = 0x88b5 }; /* IEEE 802 local experimental */

static const struct pernet_operations *const ops[] = { &dev_pernet_ops, NULL };

struct world {
	struct net *na, *nb;
	struct net_device *a, *b;
	struct sink sa, sb;
};

static void set_up_with(struct world *w, const struct wire_config *wish)
{
	struct wire_config cfg = *wish;

	w->na = fake_net_create(ops);
	w->nb = fake_net_create(ops);
	cfg.a.net = w->na;
	cfg.b.net = w->nb;
	cfg.a.name = "eth0";
	cfg.b.name = "eth%d";
	CHECK_EQ(wire_create_pair(&cfg, &w->a, &w->b), 0);
	CHECK_EQ(dev_open(w->a), 0);
	CHECK_EQ(dev_open(w->b), 0);
	sink_open(&w->sa, w->na, TYPE);
	sink_open(&w->sb, w->nb, TYPE);
}

static void set_up(struct world *w)
{
	set_up_with(w, &(struct wire_config){ 0 });
}

static void tear_down(struct world *w)
{
	sink_close(&w->sa);
	sink_close(&w->sb);
	fake_net_destroy(w->na);
	fake_net_destroy(w->nb);
}

static int send_to(struct net_device *from, const struct net_device *to, uint32_t len, uint8_t first)
{
	return dev_queue_xmit(sink_frame(from, to->dev_addr, TYPE, len, first));
}

TEST(test_frame_crosses_into_the_other_namespace)
{
	struct world w;
	struct sk_buff *skb;

	set_up(&w);
	CHECK_STR(w.b->name, "eth0");
	CHECK_EQ(w.a->dev_addr[0] & 3, 2);
	CHECK_EQ(send_to(w.a, w.b, 200, 7), 0);
	CHECK_EQ(skb_live(w.na), 0);
	CHECK_EQ(skb_live(w.nb), 1);
	fake_settle(w.nb);
	skb = skb_peek(&w.sb.got);
	CHECK(skb);
	CHECK(skb->net == w.nb);
	CHECK_EQ(skb->len, 200);
	CHECK_EQ(skb->data[199], (uint8_t)(7 + 199));
	CHECK_EQ(skb->pkt_type, PACKET_HOST);
	CHECK_EQ((uintptr_t)skb->data % 4, 0);
	CHECK_EQ(w.a->stats.tx_packets, 1);
	CHECK_EQ(w.b->stats.rx_packets, 1);
	CHECK_EQ(w.b->stats.rx_bytes, 214);
	CHECK_EQ(send_to(w.b, w.a, 10, 1), 0);
	fake_settle(w.na);
	CHECK_EQ(w.sa.got.qlen, 1);
	tear_down(&w);
}

TEST(test_both_ends_in_one_namespace)
{
	struct net *net = fake_net_create(ops);
	struct wire_config cfg = { .a = { net, "a%d", NULL }, .b = { net, "b%d", NULL }, .mtu = 9000 };
	struct net_device *a, *b;
	struct sink s;

	CHECK_EQ(wire_create_pair(&cfg, &a, &b), 0);
	CHECK_EQ(a->mtu, 9000);
	CHECK_EQ(dev_open(a), 0);
	CHECK_EQ(dev_open(b), 0);
	sink_open(&s, net, TYPE);
	CHECK_EQ(send_to(a, b, 9000, 0), 0);
	fake_settle(net);
	CHECK_EQ(s.got.qlen, 1);
	sink_close(&s);
	fake_net_destroy(net);
}

TEST(test_create_refuses_and_leaves_nothing)
{
	struct net *net = fake_net_create(ops);
	struct wire_config cfg = { .a = { net, "eth0", NULL }, .b = { net, "eth0", NULL } };
	struct net_device *a, *b;

	CHECK_EQ(wire_create_pair(&cfg, &a, &b), -EEXIST);
	CHECK(!dev_get_by_name(net, "eth0"));
	cfg.b.name = "eth1";
	cfg.mtu = 67;
	CHECK_EQ(wire_create_pair(&cfg, &a, &b), -EINVAL);
	CHECK(!dev_next(net, NULL));
	fake_net_destroy(net);
}

TEST(test_full_queue_stops_the_sender_until_the_receiver_polls)
{
	struct world w;
	struct sk_buff *skb;
	unsigned int i;

	set_up_with(&w, &(struct wire_config){ .queue_len = 10 });
	for (i = 0; i < 30; i++)
		CHECK_EQ(send_to(w.a, w.b, 1, (uint8_t)i), 0);
	CHECK(w.a->tx_stopped);
	CHECK_EQ(skb_live(w.nb), 10);
	CHECK_EQ(skb_live(w.na), 20);
	fake_settle(w.nb);
	CHECK_EQ(w.sb.got.qlen, 30);
	CHECK_EQ(skb_live(w.na), 0);
	i = 0;
	skb_queue_walk(&w.sb.got, skb)
		CHECK_EQ(skb->data[0], (uint8_t)i++);
	tear_down(&w);
}

TEST(test_carrier_needs_both_ends_and_the_plug)
{
	struct world w;

	set_up(&w);
	CHECK(w.a->carrier && w.b->carrier);
	dev_close(w.b);
	CHECK(!w.a->carrier);
	CHECK(!(w.a->flags & IFF_RUNNING));
	CHECK_EQ(dev_open(w.b), 0);
	CHECK(w.a->flags & IFF_RUNNING);
	wire_set_carrier(w.b, false);
	CHECK(!w.a->carrier && !w.b->carrier);
	CHECK_EQ(send_to(w.a, w.b, 1, 0), 0);
	fake_settle(w.nb);
	CHECK_EQ(w.sb.got.qlen, 0);
	wire_set_carrier(w.a, true);
	CHECK(w.a->carrier && w.b->carrier);
	CHECK_EQ(send_to(w.a, w.b, 1, 0), 0);
	fake_settle(w.nb);
	CHECK_EQ(w.sb.got.qlen, 1);
	tear_down(&w);
}

TEST(test_pulled_plug_loses_what_is_under_way_and_frees_the_sender)
{
	struct world w;

	set_up_with(&w, &(struct wire_config){ .queue_len = 2 });
	for (int i = 0; i < 4; i++)
		CHECK_EQ(send_to(w.a, w.b, 1, 0), 0);
	CHECK(w.a->tx_stopped);
	wire_set_carrier(w.a, false);
	CHECK_EQ(skb_live(w.nb), 0);
	wire_set_carrier(w.a, true);
	fake_settle(w.nb);
	CHECK_EQ(w.sb.got.qlen, 2);
	CHECK_EQ(skb_live(w.na), 0);
	tear_down(&w);
}

TEST(test_frame_larger_than_the_receivers_mtu_is_lost)
{
	struct world w;

	set_up(&w);
	CHECK_EQ(dev_set_mtu(w.b, 576), 0);
	CHECK_EQ(send_to(w.a, w.b, 577, 0), 0);
	CHECK_EQ(send_to(w.a, w.b, 576, 0), 0);
	fake_settle(w.nb);
	CHECK_EQ(w.sb.got.qlen, 1);
	CHECK_EQ(w.b->stats.rx_errors, 1);
	tear_down(&w);
}

TEST(test_offload_crosses_when_asked_for)
{
	struct world w;
	struct skb_data *payload = skb_data_alloc(20000);
	struct sk_buff *skb;

	set_up_with(&w, &(struct wire_config){
		.features = NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_SG });
	memset(payload->buf, 0x5a, payload->size);
	skb = sink_frame(w.a, w.b->dev_addr, TYPE, 40, 0);
	skb_set_frag(skb, payload, payload->buf, 20000);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (uint16_t)(skb->network_header + 20);
	skb->csum_offset = 16;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1460;
	skb->gso_segs = 14;
	CHECK_EQ(dev_queue_xmit(skb), 0);
	CHECK_EQ(payload->refs, 1);
	fake_settle(w.nb);
	skb = skb_peek(&w.sb.got);
	CHECK(skb);
	CHECK_EQ(skb->len, 20040);
	CHECK(!skb->frag_block);
	CHECK_EQ(skb->gso_size, 1460);
	CHECK_EQ(skb->gso_segs, 14);
	CHECK_EQ(skb->csum_start, skb->network_header + 20);
	CHECK_EQ(skb->data[20039], 0x5a);
	skb_data_put(payload);
	tear_down(&w);
}

TEST(test_one_end_goes_and_the_other_lives)
{
	struct world w;

	set_up(&w);
	CHECK(wire_peer(w.a) == w.b);
	CHECK_EQ(send_to(w.a, w.b, 1, 0), 0);
	unregister_netdev(w.b);
	CHECK(!wire_peer(w.a));
	CHECK(!w.a->carrier);
	dev_close(w.a);
	CHECK_EQ(dev_open(w.a), 0);
	CHECK(!w.a->carrier);
	tear_down(&w);
}
