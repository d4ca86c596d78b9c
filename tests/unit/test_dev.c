/* SPDX-License-Identifier: MIT */
/* dev.c and eth.c: registration, transmit queue, polling in turn, handlers, taps, link headers. */
#include "stack/core/dev.h"

#include "stack/core/neighbour.h"
#include "stack/core/sock.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"

#define TEST_TYPE 0x88b5 /* IEEE 802 local experimental */

/* --- registration ---------------------------------------------------------------------------- */

struct watcher {
	struct notifier_block nb;
	unsigned long events[16];
	size_t n;
};

static void watch(struct notifier_block *nb, unsigned long event, void *data)
{
	struct watcher *w = container_of(nb, struct watcher, nb);

	(void)data;
	CHECK_LT(w->n, ARRAY_SIZE(w->events));
	w->events[w->n++] = event;
}

static void check_events(struct watcher *w, const unsigned long *want, size_t n)
{
	size_t i;

	CHECK_EQ(w->n, n);
	for (i = 0; i < n; i++)
		CHECK_EQ(w->events[i], want[i]);
	w->n = 0;
}

static enum netdev_tx take_all(struct sk_buff *skb, struct net_device *dev)
{
	(void)dev;
	skb_consume(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops plain_ops = { .start_xmit = take_all };

TEST(test_dev_names_and_indices)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *a = fake_dev_create(net, "eth%d", 1), *b = fake_dev_create(net, "eth%d", 2);
	struct net_device *lo = alloc_netdev(net, "lo", 0), *bad;
	static const char *const bad_names[] = { "", ".", "a/b", "a b", "x%s" };
	size_t i;

	CHECK_STR(a->name, "eth0");
	CHECK_STR(b->name, "eth1");
	lo->ops = &plain_ops;
	lo->flags = IFF_LOOPBACK;
	CHECK_EQ(register_netdev(lo), 0);
	CHECK_EQ(lo->ifindex, 1);
	CHECK_GT(a->ifindex, 1);
	CHECK(dev_get_by_index(net, b->ifindex) == b && dev_get_by_index(net, 99) == NULL);
	CHECK(dev_get_by_name(net, "eth1") == b && dev_get_by_name(net, "eth2") == NULL);
	CHECK(dev_next(net, NULL) == a && dev_next(net, a) == b && dev_next(net, lo) == NULL);
	for (i = 0; i < ARRAY_SIZE(bad_names); i++) {
		bad = alloc_netdev(net, bad_names[i], 0);
		bad->ops = &plain_ops;
		CHECK_EQ(register_netdev(bad), -EINVAL);
		free_netdev(bad);
	}
	bad = alloc_netdev(net, "eth0", 0);
	CHECK_EQ(register_netdev(bad), -EINVAL); /* no ops */
	bad->ops = &plain_ops;
	CHECK_EQ(register_netdev(bad), -EEXIST);
	free_netdev(bad);
	fake_net_destroy(net);
}

TEST(test_dev_states_are_announced)
{
	static const unsigned long up[] = { NETDEV_REGISTER, NETDEV_UP };
	static const unsigned long changes[] = { NETDEV_CHANGE, NETDEV_CHANGEMTU, NETDEV_CHANGE };
	static const unsigned long down[] = { NETDEV_GOING_DOWN, NETDEV_DOWN };
	static const unsigned long gone[] = { NETDEV_UNREGISTER };
	struct net *net = fake_net_create(NULL);
	struct watcher w = { .nb = { .call = watch } };
	struct net_device *dev;

	notifier_chain_register(&net->netdev_chain, &w.nb);
	dev = fake_dev_create(net, "eth0", 1);
	check_events(&w, up, ARRAY_SIZE(up));
	CHECK(dev->flags & IFF_RUNNING);
	CHECK_EQ(dev_open(dev), 0); /* already up: silence */
	netif_carrier_set(dev, false);
	netif_carrier_set(dev, false);
	CHECK(!(dev->flags & IFF_RUNNING) && netif_running(dev));
	CHECK_EQ(dev_set_mtu(dev, 9000), 0);
	CHECK_EQ(dev_set_mtu(dev, 9000), 0);
	CHECK_EQ(dev_set_mtu(dev, 20), -EINVAL);
	CHECK_EQ(dev_set_mtu(dev, 70000), -EINVAL);
	netif_carrier_set(dev, true);
	check_events(&w, changes, ARRAY_SIZE(changes));
	dev_close(dev);
	dev_close(dev);
	check_events(&w, down, ARRAY_SIZE(down));
	netif_carrier_set(dev, false); /* of no interest while down */
	check_events(&w, NULL, 0);
	fake_dev_priv(dev)->open_error = -EIO;
	CHECK_EQ(dev_open(dev), -EIO);
	CHECK(!netif_running(dev));
	unregister_netdev(dev);
	check_events(&w, gone, ARRAY_SIZE(gone));
	notifier_chain_unregister(&net->netdev_chain, &w.nb);
	fake_net_destroy(net);
}

/* --- transmit -------------------------------------------------------------------------------- */

static struct sk_buff *make_frame(struct net_device *dev, char mark, uint32_t len)
{
	struct sk_buff *skb = alloc_skb(dev->net, len + 64);

	CHECK(skb != NULL);
	skb_reserve(skb, 32);
	memset(skb_put(skb, len), mark, len);
	skb_reset_network_header(skb);
	skb->dev = dev;
	CHECK_EQ(dev_hard_header(skb, dev, TEST_TYPE, NULL, NULL), 0);
	return skb;
}

/* First payload bytes of the frames sent, in order. */
static const char *sent_marks(struct net_device *dev)
{
	static char marks[64];
	struct fake_frame *f;
	size_t n = 0;

	while ((f = fake_dev_take(dev)) && n < sizeof(marks) - 1) {
		marks[n++] = (char)f->data[14];
		free(f);
	}
	marks[n] = '\0';
	return marks;
}

TEST(test_xmit_busy_driver_keeps_order)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);

	fake_dev_priv(dev)->accept = 1;
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'b', 50)), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'c', 50)), 0);
	CHECK_STR(sent_marks(dev), "a");
	CHECK_EQ(dev->txq.qlen, 2);
	netif_wake_queue(dev); /* too early: busy again */
	CHECK_EQ(dev->txq.qlen, 2);
	fake_dev_priv(dev)->accept = 10;
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'd', 50)), 0); /* still stopped */
	CHECK_STR(sent_marks(dev), "");
	netif_wake_queue(dev);
	CHECK_STR(sent_marks(dev), "bcd");
	CHECK_EQ(dev->stats.tx_packets, 4);
	CHECK_EQ(dev->stats.tx_bytes, 4 * 64);
	fake_net_destroy(net);
}

TEST(test_xmit_full_queue_drops_the_new_frame)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);

	dev->tx_queue_len = 2;
	netif_stop_queue(dev);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'b', 50)), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'c', 50)), -ENOBUFS);
	CHECK_EQ(net->drops[SKB_DROP_QUEUE_FULL], 1);
	CHECK_EQ(dev->stats.tx_dropped, 1);
	netif_wake_queue(dev);
	CHECK_STR(sent_marks(dev), "ab");
	fake_net_destroy(net);
}

TEST(test_xmit_device_down_or_without_carrier)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);

	netif_stop_queue(dev);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	dev_close(dev); /* what waits is lost */
	CHECK_EQ(net->drops[SKB_DROP_DEV_DOWN], 1);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'b', 50)), -ENETDOWN);
	CHECK_EQ(net->drops[SKB_DROP_DEV_DOWN], 2);
	CHECK_EQ(dev_open(dev), 0);
	netif_carrier_set(dev, false);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'c', 50)), 0);
	CHECK_EQ(net->drops[SKB_DROP_DEV_NO_CARRIER], 1);
	netif_carrier_set(dev, true);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'd', 50)), 0);
	CHECK_STR(sent_marks(dev), "d");
	fake_net_destroy(net);
}

TEST(test_xmit_mtu_is_a_limit)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);

	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 1500)), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'b', 1501)), -EMSGSIZE);
	CHECK_EQ(net->drops[SKB_DROP_DEV_MTU], 1);
	CHECK_STR(sent_marks(dev), "a");
	fake_net_destroy(net);
}

TEST(test_xmit_super_segment_needs_the_offload)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct sk_buff *skb;
	int with_tso;

	for (with_tso = 0; with_tso < 2; with_tso++) {
		dev->features = with_tso ? NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG : 0;
		skb = make_frame(dev, 'g', 10000);
		skb->gso_size = 1460;
		skb->gso_type = SKB_GSO_TCPV4;
		CHECK_EQ(dev_queue_xmit(skb), with_tso ? 0 : -EINVAL);
		CHECK_EQ(net->drops[SKB_DROP_DEV_OFFLOAD], 1);
	}
	skb = make_frame(dev, 'h', 10000);
	skb->gso_size = 1460;
	skb->gso_type = SKB_GSO_TCPV6;
	CHECK_EQ(dev_queue_xmit(skb), -EINVAL);
	dev->gso_max_size = 5000;
	skb = make_frame(dev, 'i', 10000);
	skb->gso_size = 1460;
	skb->gso_type = SKB_GSO_TCPV4;
	CHECK_EQ(dev_queue_xmit(skb), -EMSGSIZE);
	CHECK_STR(sent_marks(dev), "g");
	fake_net_destroy(net);
}

static struct sk_buff *make_offloaded(struct net_device *dev)
{
	struct skb_data *block = skb_data_alloc(5);
	struct sk_buff *skb = make_frame(dev, 'o', 21);

	memcpy(block->buf, "tail!", 5);
	skb_set_frag(skb, block, block->buf, 5);
	skb_data_put(block);
	memset(skb->data + 14 + 6, 0, 2);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (uint16_t)(skb_headroom(skb) + 14);
	skb->csum_offset = 6;
	return skb;
}

TEST(test_xmit_does_in_software_what_the_device_cannot)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct fake_frame *soft, *hard;
	struct sk_buff *broken;

	CHECK_EQ(dev_queue_xmit(make_offloaded(dev)), 0);
	dev->features = NETIF_F_HW_CSUM | NETIF_F_SG;
	CHECK_EQ(dev_queue_xmit(make_offloaded(dev)), 0);
	soft = fake_dev_take(dev);
	hard = fake_dev_take(dev);
	CHECK(!soft->csum_partial && !soft->had_frag);
	CHECK(hard->csum_partial && hard->had_frag);
	CHECK_EQ(soft->len, 14 + 21 + 5);
	CHECK_MEM(soft->data, hard->data, soft->len); /* the fake device completed it by itself */
	free(soft);
	free(hard);
	dev->features = 0;
	broken = make_offloaded(dev);
	broken->csum_offset = 1000;
	CHECK_EQ(dev_queue_xmit(broken), -EINVAL);
	CHECK_EQ(net->drops[SKB_DROP_DEV_OFFLOAD], 1);
	fake_net_destroy(net);
}

static enum netdev_tx send_another(struct sk_buff *skb, struct net_device *dev)
{
	int *depth = dev->priv;

	CHECK_EQ(++*depth, 1);
	if (skb->data[14] < 'e') /* the answer to each frame is the next letter */
		CHECK_EQ(dev_queue_xmit(make_frame(dev, (char)(skb->data[14] + 1), 50)), 0);
	--*depth;
	skb_consume(skb);
	return NETDEV_TX_OK;
}

TEST(test_xmit_from_inside_the_driver_waits_its_turn)
{
	static const struct net_device_ops ops = { .start_xmit = send_another };
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = alloc_netdev(net, "dummy", sizeof(int));

	ether_setup(dev);
	dev->ops = &ops;
	CHECK_EQ(register_netdev(dev), 0);
	CHECK_EQ(dev_open(dev), 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	CHECK_EQ(dev->stats.tx_packets, 5);
	fake_net_destroy(net);
}

/* --- receive --------------------------------------------------------------------------------- */

struct handler {
	struct packet_type pt;
	unsigned int got;
	uint8_t pkt_type;
	enum skb_drop_reason drop_as; /* SKB_NOT_DROPPED: consume */
	char order[64];               /* last letter of the devices, as frames came */
};

static void handle(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	struct handler *h = container_of(pt, struct handler, pt);

	CHECK(skb->dev == dev);
	CHECK(skb_network_header(skb) == skb->data);
	CHECK(skb->net->rx.active);
	if (h->got < sizeof(h->order) - 1)
		h->order[h->got] = dev->name[strlen(dev->name) - 1];
	h->got++;
	h->pkt_type = skb->pkt_type;
	if (h->drop_as)
		skb_drop(skb, h->drop_as);
	else
		skb_consume(skb);
}

static struct handler make_handler(uint16_t type)
{
	struct handler h = { .pt = { .type = cpu_to_be16(type), .func = handle } };

	return h;
}

static void inject_to(struct net_device *dev, const uint8_t dst[6], uint16_t type, bool later)
{
	uint8_t frame[60] = { 0 };

	memcpy(frame, dst, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	if (later)
		fake_dev_inject_later(dev, frame, sizeof(frame), false);
	else
		fake_dev_inject(dev, frame, sizeof(frame));
}

TEST(test_receive_by_ethertype_and_destination)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 }, other[6] = { 2, 9, 9, 9, 9, 9 };
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct handler h = make_handler(TEST_TYPE), h2 = make_handler(TEST_TYPE);
	struct handler elsewhere = make_handler(0x1234);

	dev_add_pack(net, &h.pt);
	dev_add_pack(net, &elsewhere.pt);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_EQ(h.pkt_type, PACKET_HOST);
	inject_to(dev, dev->broadcast, TEST_TYPE, false);
	CHECK_EQ(h.pkt_type, PACKET_BROADCAST);
	inject_to(dev, group, TEST_TYPE, false);
	CHECK_EQ(h.pkt_type, PACKET_MULTICAST);
	CHECK_EQ(h.got, 3);
	inject_to(dev, other, TEST_TYPE, false);
	CHECK_EQ(net->drops[SKB_DROP_OTHERHOST], 1);
	inject_to(dev, dev->dev_addr, 0x4321, false);
	CHECK_EQ(net->drops[SKB_DROP_UNHANDLED_PROTO], 1);
	inject_to(dev, dev->dev_addr, 100, false); /* an IEEE 802.3 length */
	CHECK_EQ(net->drops[SKB_DROP_UNHANDLED_PROTO], 2);
	fake_dev_inject(dev, "thirteen byte", 13);
	CHECK_EQ(net->drops[SKB_DROP_ETH_SHORT], 1);
	CHECK_EQ(h.got, 3);
	dev_add_pack(net, &h2.pt); /* two for one type: each gets it */
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_EQ(h.got + h2.got, 5);
	dev_remove_pack(&h.pt);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_EQ(h.got + h2.got, 6);
	CHECK_EQ(elsewhere.got, 0);
	CHECK_EQ(dev->stats.rx_packets, 8);
	CHECK_EQ(dev->stats.rx_bytes, 8 * 60);
	CHECK_EQ(dev->stats.rx_dropped, 3);
	fake_net_destroy(net);
}

TEST(test_receive_round_robin_within_the_budget)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *a = fake_dev_create(net, "a", 1), *b = fake_dev_create(net, "b", 2);
	struct net_device *c = fake_dev_create(net, "c", 3);
	struct handler h = make_handler(TEST_TYPE);
	int i;

	a->napi.weight = b->napi.weight = c->napi.weight = 3;
	dev_add_pack(net, &h.pt);
	for (i = 0; i < 7; i++)
		inject_to(a, a->dev_addr, TEST_TYPE, true);
	for (i = 0; i < 4; i++)
		inject_to(b, b->dev_addr, TEST_TYPE, true);
	inject_to(c, c->dev_addr, TEST_TYPE, true);
	CHECK(net_rx_action(net, 5)); /* a: 3, b: the 2 that are left of the budget */
	CHECK_STR(h.order, "aaabb");
	CHECK(net_rx_action(net, 100)); /* c had not been reached: it comes first */
	CHECK_STR(h.order, "aaabbcaaabb");
	CHECK(!net_rx_action(net, 100));
	CHECK_STR(h.order, "aaabbcaaabba");
	CHECK(!net_rx_action(net, 100));
	fake_net_destroy(net);
}

TEST(test_receive_on_a_device_that_is_down_is_dropped)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct handler h = make_handler(TEST_TYPE);
	struct sk_buff *skb = alloc_skb(net, 60);

	dev_add_pack(net, &h.pt);
	inject_to(dev, dev->dev_addr, TEST_TYPE, true);
	dev_close(dev);
	CHECK(!net_rx_action(net, 10)); /* off the round */
	memset(skb_put(skb, 60), 0, 60);
	skb->dev = dev;
	skb->protocol = cpu_to_be16(TEST_TYPE);
	netif_receive_skb(skb);
	CHECK_EQ(h.got, 0);
	CHECK_EQ(net->drops[SKB_DROP_DEV_DOWN], 1);
	CHECK_EQ(dev->stats.rx_dropped, 1);
	napi_schedule(&dev->napi);
	CHECK(!net_rx_action(net, 10));
	fake_net_destroy(net);
}

/* --- taps ------------------------------------------------------------------------------------ */

struct recorder {
	struct dev_tap tap;
	unsigned int in, out;
	uint32_t bytes;
	char comment[200];
};

static void record(struct dev_tap *tap, const struct net_device *dev, enum tap_dir dir,
		   const struct sk_buff *skb, const char *comment)
{
	struct recorder *r = container_of(tap, struct recorder, tap);
	const uint8_t *frame = skb_mac_header(skb);

	CHECK(skb_mac_header_was_set(skb));
	CHECK_STR(dev->name, "eth0");
	CHECK_EQ(frame[12] << 8 | frame[13], TEST_TYPE);
	if (dir == TAP_IN)
		r->in++;
	else
		r->out++;
	r->bytes = (uint32_t)(skb->tail - frame) + skb->frag_len;
	snprintf(r->comment, sizeof(r->comment), "%s", comment ? comment : "none");
}

TEST(test_tap_sees_received_frames_with_their_fate)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct handler h = make_handler(TEST_TYPE);
	struct recorder r = { .tap = { .frame = record } };

	dev_add_pack(net, &h.pt);
	dev_add_tap(net, &r.tap);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_EQ(r.in, 1);
	CHECK_EQ(r.bytes, 60);
	CHECK_STR(r.comment, "none");
	h.drop_as = SKB_DROP_UDP_NO_PORT;
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_STR(r.comment, "dropped: no UDP socket on the port");
	h.drop_as = SKB_NOT_DROPPED;
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_STR(r.comment, "none"); /* nothing is left of the frame before */
	CHECK_EQ(r.in, 3);
	dev_remove_tap(&r.tap);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_EQ(r.in, 3);
	fake_net_destroy(net);
}

static enum netdev_tx cannot_send(struct sk_buff *skb, struct net_device *dev)
{
	(void)dev;
	skb_drop(skb, SKB_DROP_DEV_TX_ERROR);
	return NETDEV_TX_OK;
}

TEST(test_tap_sees_sent_frames_once_taken_and_lost_ones)
{
	static const struct net_device_ops failing = { .start_xmit = cannot_send };
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	const struct net_device_ops *working = dev->ops;
	struct recorder r = { .tap = { .frame = record } };

	dev_add_tap(net, &r.tap);
	dev->tx_queue_len = 1;
	fake_dev_priv(dev)->accept = 0;
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	CHECK_EQ(r.out, 0);
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'b', 50)), -ENOBUFS);
	CHECK_EQ(r.out, 1);
	CHECK_STR(r.comment, "dropped: queue is full");
	fake_dev_priv(dev)->accept = 1;
	netif_wake_queue(dev);
	CHECK_EQ(r.out, 2);
	CHECK_EQ(r.bytes, 64);
	CHECK_STR(r.comment, "none");
	dev->ops = &failing;
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'c', 50)), 0);
	CHECK_STR(r.comment, "dropped: device refused the frame");
	CHECK_EQ(dev->stats.tx_packets, 1);
	dev->ops = working;
	CHECK_EQ(r.in, 0);
	fake_net_destroy(net);
}

struct order {
	struct dev_tap tap;
	char text[80];
	ktime_t last;
};

static void note_order(struct dev_tap *tap, const struct net_device *dev, enum tap_dir dir,
		       const struct sk_buff *skb, const char *comment)
{
	struct order *o = container_of(tap, struct order, tap);
	size_t n = strlen(o->text);

	(void)dev;
	o->last = skb->tstamp;
	snprintf(o->text + n, sizeof(o->text) - n, "%s%s ", dir == TAP_IN ? "in" : "out",
		 comment ? ":dropped" : "");
}

static void answer(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	(void)pt;
	dev_queue_xmit(make_frame(dev, 'r', 50));
	dev->carrier = false;
	dev_queue_xmit(make_frame(dev, 's', 50));
	dev->carrier = true;
	skb_consume(skb);
}

TEST(test_tap_sees_a_reply_behind_what_it_answers)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct packet_type pt = { .type = cpu_to_be16(TEST_TYPE), .func = answer };
	struct order o = { .tap = { .frame = note_order } };

	dev_add_pack(net, &pt);
	dev_add_tap(net, &o.tap);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_STR(o.text, "in out out:dropped ");
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	CHECK_STR(o.text, "in out out:dropped out ");
	fake_net_destroy(net);
}

TEST(test_tap_time_of_a_frame_that_waited_is_that_of_its_sending)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct order o = { .tap = { .frame = note_order } };

	dev_add_tap(net, &o.tap);
	fake_dev_priv(dev)->accept = 0;
	CHECK_EQ(dev_queue_xmit(make_frame(dev, 'a', 50)), 0);
	net_advance(net, net->now + NSEC_PER_SEC);
	fake_dev_priv(dev)->accept = 1;
	netif_wake_queue(dev);
	CHECK_STR(o.text, "out ");
	CHECK_EQ(o.last, net->now);
	fake_net_destroy(net);
}

static struct sock *found; /* the socket that the handler below finds */

static void handle_for_socket(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt)
{
	(void)dev;
	(void)pt;
	rx_note_owner(skb->net, found);
	skb_drop(skb, SKB_DROP_SOCKET_RCVBUF);
}

TEST(test_tap_names_the_socket_of_a_frame)
{
	static const struct pernet_operations *const with_socks[] = {
		&dev_pernet_ops, &neigh_pernet_ops, &sock_pernet_ops, NULL,
	};
	static const struct proto proto = { .name = "TEST", .obj_size = sizeof(struct sock) };
	struct net *net = fake_net_create(with_socks);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct packet_type pt = { .type = cpu_to_be16(TEST_TYPE), .func = handle_for_socket };
	struct recorder r = { .tap = { .frame = record } };
	struct sk_buff *skb;

	found = sk_alloc(net, AF_INET, SOCK_STREAM, &proto);
	found->owner.pid = 12;
	memcpy(found->owner.comm, "curl", 5);
	dev_add_pack(net, &pt);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false); /* no tap: no text is made */
	CHECK(!net->rx.has_owner);
	dev_add_tap(net, &r.tap);
	inject_to(dev, dev->dev_addr, TEST_TYPE, false);
	CHECK_STR(r.comment, "pid 12 (curl) TEST; dropped: receive buffer of the socket is full");
	skb = make_frame(dev, 'a', 50);
	skb_set_owner_w(skb, found);
	CHECK_EQ(dev_queue_xmit(skb), 0);
	CHECK_STR(r.comment, "pid 12 (curl) TEST");
	sock_put(found);
	fake_net_destroy(net);
}

/* --- link headers ---------------------------------------------------------------------------- */

TEST(test_hard_header_fields_and_headroom)
{
	static const uint8_t to[6] = { 2, 1, 1, 1, 1, 1 };
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 7);
	struct sk_buff *skb = alloc_skb(net, 64);

	CHECK_EQ(dev_hard_header(skb, dev, ETH_P_IP, to, NULL), -EINVAL);
	skb_reserve(skb, 20);
	CHECK_EQ(dev_hard_header(skb, dev, ETH_P_IP, to, NULL), 0);
	CHECK_EQ(skb->len, 14);
	CHECK_MEM(skb->data, "\2\1\1\1\1\1\2\0\0\0\0\7\10\0", 14);
	CHECK(skb_mac_header(skb) == skb->data);
	CHECK_EQ(skb->protocol, cpu_to_be16(ETH_P_IP));
	CHECK_EQ(ll_reserved_space(dev), 16);
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_type_trans_without_link_header)
{
	struct net *net = fake_net_create(NULL);
	struct net_device *lo = alloc_netdev(net, "lo", 0);
	struct sk_buff *skb = alloc_skb(net, 4);

	lo->type = ARPHRD_LOOPBACK;
	CHECK_EQ(eth_type_trans(skb, lo), 0);
	CHECK_EQ(skb->protocol, 0);
	*skb_put(skb, 1) = 0x45;
	CHECK_EQ(eth_type_trans(skb, lo), 0);
	CHECK_EQ(skb->protocol, cpu_to_be16(ETH_P_IP));
	*skb->data = 0x60;
	CHECK_EQ(eth_type_trans(skb, lo), 0);
	CHECK_EQ(skb->protocol, cpu_to_be16(ETH_P_IPV6));
	CHECK_EQ(skb->len, 1);
	skb_consume(skb);
	free_netdev(lo);
	fake_net_destroy(net);
}
