/* SPDX-License-Identifier: MIT */
/* Loopback: what is sent comes back, by poll() only, in order, private and linear. */
#include "netif/netif.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/sink.h"

static const struct pernet_operations *const ops[] = { &dev_pernet_ops, NULL };

struct world {
	struct net *net;
	struct net_device *lo;
	struct sink sink;
};

static void set_up(struct world *w)
{
	w->net = fake_net_create(ops);
	CHECK_EQ(loopback_create(w->net, &w->lo), 0);
	CHECK_EQ(dev_open(w->lo), 0);
	sink_open(&w->sink, w->net, ETH_P_IP);
}

static void tear_down(struct world *w)
{
	sink_close(&w->sink);
	fake_net_destroy(w->net);
}

static struct sk_buff *ip_packet(struct world *w, uint32_t len)
{
	return sink_frame(w->lo, NULL, ETH_P_IP, len, 0x45);
}

TEST(test_properties_are_those_of_lo)
{
	struct world w;
	struct net_device *second;

	set_up(&w);
	CHECK_STR(w.lo->name, "lo");
	CHECK_EQ(w.lo->ifindex, 1);
	CHECK_EQ(w.lo->mtu, 65536);
	CHECK_EQ(w.lo->type, ARPHRD_LOOPBACK);
	CHECK(w.lo->flags & IFF_LOOPBACK);
	CHECK(w.lo->flags & IFF_RUNNING);
	CHECK_EQ(loopback_create(w.net, &second), -EEXIST);
	tear_down(&w);
}

TEST(test_packet_comes_back_by_poll_only)
{
	struct world w;
	struct sk_buff *skb;

	set_up(&w);
	CHECK_EQ(dev_queue_xmit(ip_packet(&w, 100)), 0);
	CHECK_EQ(w.sink.got.qlen, 0);
	fake_settle(w.net);
	CHECK_EQ(w.sink.got.qlen, 1);
	skb = skb_peek(&w.sink.got);
	CHECK_EQ(skb->len, 100);
	CHECK_EQ(skb->data[0], 0x45);
	CHECK_EQ(skb->data[99], (uint8_t)(0x45 + 99));
	CHECK_EQ(skb->pkt_type, PACKET_HOST);
	CHECK_EQ(skb->protocol, cpu_to_be16(ETH_P_IP));
	CHECK_EQ(w.lo->stats.rx_packets, 1);
	CHECK_EQ(w.lo->stats.tx_bytes, 100);
	tear_down(&w);
}

/* The bytes stay the sender's: a change by the receiver must not show in them. */
TEST(test_fragment_and_shared_bytes_are_copied)
{
	struct world w;
	struct skb_data *payload = skb_data_alloc(5000);
	struct sk_buff *skb, *clone;

	set_up(&w);
	memset(payload->buf, 0xaa, payload->size);
	skb = ip_packet(&w, 40);
	skb_set_frag(skb, payload, payload->buf, 5000);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (uint16_t)(skb_headroom(skb) + 20);
	skb->csum_offset = 16;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1460;
	clone = skb_clone(skb);
	CHECK_EQ(dev_queue_xmit(skb), 0);
	fake_settle(w.net);
	skb = skb_peek(&w.sink.got);
	CHECK(skb);
	CHECK_EQ(skb->len, 5040);
	CHECK(!skb->frag_block);
	CHECK(!skb_shared_data(skb));
	CHECK_EQ(skb->gso_size, 1460);
	CHECK_EQ(skb->ip_summed, CHECKSUM_PARTIAL);
	CHECK_EQ(skb->csum_start - skb_headroom(skb), 20);
	skb->data[40] = 0;
	CHECK_EQ(payload->buf[0], 0xaa);
	skb_consume(clone);
	skb_data_put(payload);
	tear_down(&w);
}

static unsigned int uncharged;

static void uncharge(struct sk_buff *skb)
{
	(void)skb;
	uncharged++;
}

/* The sender's account ends when the packet has been sent, not when the receiver reads it. */
TEST(test_owner_is_uncharged_once_at_sending)
{
	struct world w;
	struct sk_buff *skb;

	set_up(&w);
	uncharged = 0;
	skb = ip_packet(&w, 64);
	skb->destructor = uncharge;
	CHECK_EQ(dev_queue_xmit(skb), 0);
	CHECK_EQ(uncharged, 1);
	fake_settle(w.net);
	skb_queue_purge(&w.sink.got);
	CHECK_EQ(uncharged, 1);
	tear_down(&w);
}

TEST(test_full_queue_holds_the_sender_and_loses_nothing)
{
	struct world w;
	struct sk_buff *skb;
	unsigned int i;

	set_up(&w);
	for (i = 0; i < 1500; i++) {
		skb = ip_packet(&w, 20);
		skb->data[1] = (uint8_t)i;
		CHECK_EQ(dev_queue_xmit(skb), 0);
	}
	CHECK(w.lo->tx_stopped);
	fake_settle(w.net);
	CHECK_EQ(w.sink.got.qlen, 1500);
	i = 0;
	skb_queue_walk(&w.sink.got, skb)
		CHECK_EQ(skb->data[1], (uint8_t)i++);
	CHECK(!w.lo->tx_stopped);
	tear_down(&w);
}

TEST(test_close_loses_what_is_under_way)
{
	struct world w;

	set_up(&w);
	CHECK_EQ(dev_queue_xmit(ip_packet(&w, 20)), 0);
	dev_close(w.lo);
	fake_settle(w.net);
	CHECK_EQ(w.sink.got.qlen, 0);
	CHECK_EQ(skb_live(w.net), 0);
	CHECK_EQ(dev_open(w.lo), 0);
	CHECK_EQ(dev_queue_xmit(ip_packet(&w, 20)), 0);
	fake_settle(w.net);
	CHECK_EQ(w.sink.got.qlen, 1);
	tear_down(&w);
}
