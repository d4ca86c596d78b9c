/* SPDX-License-Identifier: MIT */
/* The whole stack: it comes up, knows when it is idle and when it must run, and goes without a trace. */
#include "stack/stack.h"

#include "netif/netif.h"
#include "stack/core/socket.h"
#include "stack/inet/devinet.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"

#define START (1000 * NSEC_PER_SEC)

static const uint8_t seed[32] = "a fixed seed: runs repeat";

static struct net *create(void)
{
	struct net *net = NULL;

	CHECK_EQ(stack_create(seed, START, &net), 0);
	CHECK(net != NULL);
	return net;
}

static void destroy(struct net *net)
{
	struct net_device *dev;

	while ((dev = dev_next(net, NULL)) != NULL)
		unregister_netdev(dev);
	CHECK_EQ(skb_live(net), 0);
	net_destroy(net);
}

TEST(test_empty_stack_is_idle)
{
	struct net *net = create();

	CHECK(stack_idle(net));
	CHECK(!stack_run(net, START + 1));
	CHECK_EQ(net->now, START + 1);
	destroy(net);
}

TEST(test_each_kind_of_socket_keeps_it_busy)
{
	static const int kinds[][2] = { { SOCK_STREAM, 0 }, { SOCK_DGRAM, 0 }, { SOCK_RAW, IPPROTO_ICMP },
					{ SOCK_DGRAM, IPPROTO_ICMP } };
	struct net *net = create();
	struct socket *s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		CHECK_EQ(sock_create(net, AF_INET, kinds[i][0], kinds[i][1], &s), 0);
		CHECK(!stack_idle(net));
		sock_release(s);
		CHECK(stack_idle(net));
	}
	net->busy++;
	CHECK(!stack_idle(net));
	net->busy--;
	destroy(net);
}

TEST(test_next_event)
{
	const struct inet_addr own = inet_addr_v4(cpu_to_be32(PKT_IP(10, 0, 0, 1)));
	struct net *net = create();
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct pkt p = pkt_icmp(PKT_IP(10, 0, 0, 2), PKT_IP(10, 0, 0, 1), 8, 0, 1, "x", 1);
	uint8_t frame[200];
	size_t len;

	CHECK_EQ(stack_next_event(net), TIMER_NONE);
	CHECK_EQ(inet_addr_add(net, dev, &own, 24, ACD_FAST), 0);
	CHECK_EQ(stack_next_event(net), START + 200 * NSEC_PER_MSEC);
	CHECK(!stack_run(net, START + 200 * NSEC_PER_MSEC));
	CHECK_EQ(stack_next_event(net), START + 2200 * NSEC_PER_MSEC); /* the second announcement */
	memcpy(p.eth_dst, dev->dev_addr, 6);
	len = pkt_build(&p, frame);
	fake_dev_inject_later(dev, frame, len, false);
	CHECK_LE(stack_next_event(net), net->now);
	CHECK(!stack_run(net, START + NSEC_PER_SEC));
	CHECK_EQ(net->mib[MIB_IcmpInEchos], 1);
	CHECK_GT(stack_next_event(net), net->now);
	destroy(net);
}

TEST(test_budget_leaves_work)
{
	struct net *net = create();
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	uint8_t frame[60] = { 0 };
	int i;

	for (i = 0; i < 1000; i++)
		fake_dev_inject_later(dev, frame, sizeof(frame), false);
	CHECK(stack_run(net, START));
	for (i = 0; i < 100 && stack_run(net, START); i++)
		;
	CHECK_LT(i, 100);
	CHECK_EQ(dev->stats.rx_packets, 1000);
	destroy(net);
}

struct late_timer {
	struct timer_list timer;
	const struct net_device *dev;
	unsigned long frames; /* that had been received when it fired */
};

static void late_timer_fires(struct timer_list *t)
{
	struct late_timer *late = container_of(t, struct late_timer, timer);

	late->frames = late->dev->stats.rx_packets;
}

/* Frames that are waiting when a timer is due come first: they may be what it waits for. */
TEST(test_frames_before_timers)
{
	struct net *net = create();
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct late_timer late = { .dev = dev };
	uint8_t frame[60] = { 0 };
	int i;

	timer_setup(&late.timer, &net->timers, late_timer_fires);
	mod_timer(&late.timer, START + 1);
	for (i = 0; i < 1000; i++)
		fake_dev_inject_later(dev, frame, sizeof(frame), false);
	CHECK(stack_run(net, START + 2));
	CHECK_EQ(late.frames, 0);
	for (i = 0; i < 100 && stack_run(net, START + 2); i++)
		;
	CHECK_EQ(late.frames, 1000);
	destroy(net);
}

TEST(test_two_stacks_side_by_side)
{
	struct net *a = create(), *b = create();

	CHECK(a->inet != b->inet && a->route != b->route);
	destroy(a);
	CHECK(stack_idle(b));
	destroy(b);
}
