/* SPDX-License-Identifier: MIT */
/* The switch: flooding, learning, ageing, what stays. IEEE 802.1D-2004 7.7 to 7.9. */
#include "netif/netif.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"

enum { PORTS = 3, FRAME = 60 };

struct world {
	struct net *net;
	struct bridge *br;
	struct net_device *port[PORTS];
};

static struct world set_up(void)
{
	struct world w = { .net = fake_net_create(NULL) };
	char name[] = "p0";

	w.br = bridge_create(w.net);
	CHECK(w.br != NULL);
	for (int i = 0; i < PORTS; i++) {
		name[1] = (char)('0' + i);
		w.port[i] = fake_dev_create(w.net, name, (uint8_t)(0x50 + i));
		CHECK_EQ(bridge_add_port(w.br, w.port[i]), 0);
	}
	return w;
}

static void tear_down(struct world *w)
{
	bridge_destroy(w->br);
	fake_net_destroy(w->net);
}

/* A frame from the host 02:00:00:00:00:@src to @dst comes in by a port; @dst 0xff is the broadcast. */
static void hear(struct world *w, int port, uint8_t dst, uint8_t src)
{
	uint8_t frame[FRAME] = { 2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5 };

	if (dst == 0xff)
		memset(frame, 0xff, 6);
	for (int i = 14; i < FRAME; i++)
		frame[i] = (uint8_t)(src + i);
	fake_dev_inject(w->port[port], frame, FRAME);
}

/* One bit for each port that sent the frame, unchanged. */
static unsigned int sent(struct world *w, uint8_t src)
{
	unsigned int ports = 0;

	for (int i = 0; i < PORTS; i++) {
		struct fake_frame *f;

		while ((f = fake_dev_take(w->port[i]))) {
			CHECK_EQ(ports & 1U << i, 0);
			ports |= 1U << i;
			CHECK_EQ(f->len, FRAME);
			CHECK_EQ(f->data[11], src);
			CHECK_EQ(f->data[FRAME - 1], (uint8_t)(src + FRAME - 1));
			free(f);
		}
	}
	CHECK_EQ(skb_live(w->net), 0);
	return ports;
}

TEST(test_unknown_is_flooded_and_known_is_not)
{
	struct world w = set_up();

	hear(&w, 0, 2, 1);
	CHECK_EQ(sent(&w, 1), 6); /* nobody has heard of 2 */
	hear(&w, 1, 1, 2);
	CHECK_EQ(sent(&w, 2), 1); /* 1 is behind port 0 */
	hear(&w, 2, 2, 3);
	CHECK_EQ(sent(&w, 3), 2);
	hear(&w, 0, 0xff, 1);
	CHECK_EQ(sent(&w, 1), 6);
	tear_down(&w);
}

TEST(test_behind_the_same_port_it_stays)
{
	struct world w = set_up();

	hear(&w, 0, 0xff, 1);
	CHECK_EQ(sent(&w, 1), 6);
	hear(&w, 0, 1, 2);
	CHECK_EQ(sent(&w, 2), 0);
	CHECK_EQ(w.net->drops[SKB_DROP_OTHERHOST], 1);
	tear_down(&w);
}

TEST(test_who_moves_is_found_again)
{
	struct world w = set_up();

	hear(&w, 0, 0xff, 1);
	CHECK_EQ(sent(&w, 1), 6);
	hear(&w, 2, 0xff, 1);
	CHECK_EQ(sent(&w, 1), 3);
	hear(&w, 1, 1, 2);
	CHECK_EQ(sent(&w, 2), 4);
	tear_down(&w);
}

TEST(test_what_is_old_is_forgotten)
{
	struct world w = set_up();

	hear(&w, 0, 0xff, 1);
	CHECK_EQ(sent(&w, 1), 6);
	fake_advance_ms(w.net, 299 * 1000);
	hear(&w, 1, 1, 2);
	CHECK_EQ(sent(&w, 2), 1);
	fake_advance_ms(w.net, 2 * 1000);
	hear(&w, 1, 1, 2);
	CHECK_EQ(sent(&w, 2), 5);
	tear_down(&w);
}

TEST(test_reserved_groups_and_odd_sources)
{
	static const uint8_t pause[FRAME] = { 1, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 8 };
	uint8_t from_group[FRAME] = { 2, 0, 0, 0, 0, 7, 3, 0, 0, 0, 0, 7, 0x88, 0xb5 };
	struct world w = set_up();

	fake_dev_inject(w.port[0], pause, FRAME);
	CHECK_EQ(sent(&w, 9), 0);
	for (int i = 14; i < FRAME; i++)
		from_group[i] = (uint8_t)(7 + i);
	fake_dev_inject(w.port[0], from_group, FRAME); /* a group is nobody's source: not learned */
	CHECK_EQ(sent(&w, 7), 6);
	fake_dev_inject(w.port[1], from_group, FRAME);
	CHECK_EQ(sent(&w, 7), 5);
	tear_down(&w);
}

TEST(test_table_is_bounded)
{
	struct world w = set_up();
	uint8_t frame[FRAME] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0x88, 0xb5 };

	for (int i = 0; i < PORTS; i++)
		fake_dev_priv(w.port[i])->drop_silently = true;
	for (unsigned int n = 0; n < 10000; n++) {
		frame[9] = (uint8_t)(n >> 8);
		frame[10] = (uint8_t)n;
		fake_dev_inject(w.port[n % PORTS], frame, FRAME);
	}
	CHECK_EQ(skb_live(w.net), 0);
	tear_down(&w);
}

TEST(test_ports)
{
	struct world w = set_up();
	struct net_device *lo;

	CHECK_EQ(bridge_add_port(w.br, w.port[0]), -EBUSY);
	CHECK_EQ(loopback_create(w.net, &lo), 0);
	CHECK_EQ(bridge_add_port(w.br, lo), -EINVAL);
	tear_down(&w);
}
