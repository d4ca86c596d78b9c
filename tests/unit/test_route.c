/* SPDX-License-Identifier: MIT */
/* Routes, addresses of devices, source selection, path MTU. */
#include "tests/unit/inet_fixture.h"

static int look_up(struct host *h, uint32_t daddr, struct dst *out)
{
	const struct flowi fl = { .daddr = ip4(daddr) };

	return route_lookup(h->net, &fl, out);
}

static enum route_type type_of(struct host *h, uint32_t a)
{
	const struct inet_addr addr = ip4(a);

	return inet_addr_type(h->net, &addr);
}

#define CHECK_ADDR(got, want) CHECK_EQ(be32_to_cpu((got).v4), want)

TEST(test_address_brings_its_routes)
{
	struct host h = host_up();
	struct dst d;

	CHECK_EQ(type_of(&h, OWN), RTN_T_LOCAL);
	CHECK_EQ(type_of(&h, PKT_IP(10, 0, 0, 255)), RTN_T_BROADCAST);
	CHECK_EQ(type_of(&h, PKT_IP(10, 0, 0, 0)), RTN_T_UNICAST);
	CHECK_EQ(type_of(&h, PKT_IP(127, 9, 9, 9)), RTN_T_LOCAL);
	CHECK_EQ(type_of(&h, PKT_IP(224, 0, 0, 1)), RTN_T_MULTICAST);
	CHECK_EQ(type_of(&h, 0xffffffff), RTN_T_BROADCAST);
	CHECK_EQ(type_of(&h, 0), RTN_T_BROADCAST);
	CHECK_EQ(look_up(&h, PEER, &d), 0);
	CHECK(d.dev == h.eth);
	CHECK_ADDR(d.nexthop, PEER);
	CHECK_ADDR(d.saddr, OWN);
	CHECK_EQ(d.mtu, 1500);
	fake_net_destroy(h.net);
}

TEST(test_default_gateway)
{
	struct host h = host_up();
	struct dst d;

	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_ADDR(d.nexthop, GATEWAY);
	CHECK_ADDR(d.saddr, OWN);
	CHECK_EQ(add_route4(&h, PKT_IP(172, 16, 0, 0), 12, PKT_IP(172, 16, 0, 1), 0), -ENETUNREACH);
	CHECK_EQ(add_route4(&h, 0, 0, FAR, 5), -ENETUNREACH);
	CHECK_EQ(add_route4(&h, 0, 0, OWN, 5), -EINVAL);
	CHECK_EQ(add_route4(&h, 0, 0, PKT_IP(10, 0, 0, 255), 5), -EINVAL);
	CHECK_EQ(add_route4(&h, 0, 0, GATEWAY, 0), -EEXIST);
	fake_net_destroy(h.net);
}

TEST(test_longest_prefix_and_lowest_metric_win)
{
	struct host h = host_up();
	struct dst d;

	CHECK_EQ(add_route4(&h, PKT_IP(192, 0, 2, 99), 24, PKT_IP(10, 0, 0, 10), 20), 0);
	CHECK_EQ(add_route4(&h, PKT_IP(192, 0, 2, 0), 24, PKT_IP(10, 0, 0, 11), 10), 0);
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_ADDR(d.nexthop, PKT_IP(10, 0, 0, 11));
	CHECK_EQ(add_route4(&h, FAR, 32, PKT_IP(10, 0, 0, 12), 99), 0);
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_ADDR(d.nexthop, PKT_IP(10, 0, 0, 12));
	CHECK_EQ(look_up(&h, PKT_IP(192, 0, 3, 1), &d), 0);
	CHECK_ADDR(d.nexthop, GATEWAY);
	fake_net_destroy(h.net);
}

TEST(test_route_del)
{
	struct host h = host_up();
	struct route r = { .dst = ip4(0), .prefix_len = 0 };
	struct dst d;

	CHECK_EQ(route_del(h.net, &r), 0);
	CHECK_EQ(route_del(h.net, &r), -ESRCH);
	CHECK_EQ(look_up(&h, FAR, &d), -ENETUNREACH);
	fake_net_destroy(h.net);
}

TEST(test_unreachable_route)
{
	struct host h = host_up();
	const struct route r = { .dst = ip4(FAR), .prefix_len = 32, .type = RTN_T_UNREACHABLE };
	struct dst d;

	CHECK_EQ(route_add(h.net, &r), 0);
	CHECK_EQ(look_up(&h, FAR, &d), -EHOSTUNREACH);
	fake_net_destroy(h.net);
}

TEST(test_own_addresses_go_by_loopback)
{
	struct host h = host_up();
	struct dst d;

	CHECK_EQ(look_up(&h, OWN, &d), 0);
	CHECK_EQ(d.type, RTN_T_LOCAL);
	CHECK(d.dev == h.lo);
	CHECK_ADDR(d.saddr, OWN);
	CHECK_EQ(look_up(&h, PKT_IP(127, 0, 0, 5), &d), 0);
	CHECK_ADDR(d.saddr, INADDR_LOOPBACK);
	CHECK_EQ(look_up(&h, 0, &d), 0);
	CHECK_ADDR(d.daddr, INADDR_LOOPBACK);
	dev_close(h.eth);
	CHECK_EQ(look_up(&h, OWN, &d), 0);
	dev_close(h.lo);
	CHECK_EQ(look_up(&h, OWN, &d), -ENETUNREACH);
	fake_net_destroy(h.net);
}

TEST(test_device_down_hides_its_routes)
{
	struct host h = host_up();
	struct dst d, old;

	CHECK_EQ(look_up(&h, FAR, &old), 0);
	CHECK(dst_check(h.net, &old));
	dev_close(h.eth);
	CHECK(!dst_check(h.net, &old));
	CHECK_EQ(look_up(&h, PEER, &d), -ENETUNREACH);
	CHECK_EQ(look_up(&h, FAR, &d), -ENETUNREACH);
	CHECK_EQ(dev_open(h.eth), 0);
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	unregister_netdev(h.eth);
	CHECK_EQ(look_up(&h, OWN, &d), -ENETUNREACH);
	fake_net_destroy(h.net);
}

TEST(test_given_source_must_be_ours)
{
	struct host h = host_up();
	struct flowi fl = { .daddr = ip4(PEER), .saddr = ip4(PKT_IP(10, 0, 0, 77)) };
	struct dst d;

	CHECK_EQ(route_lookup(h.net, &fl, &d), -EINVAL);
	fl.saddr = ip4(PKT_IP(10, 0, 0, 255));
	CHECK_EQ(route_lookup(h.net, &fl, &d), -EINVAL);
	fl.saddr = ip4(INADDR_LOOPBACK); /* must not leave the host */
	CHECK_EQ(route_lookup(h.net, &fl, &d), -EINVAL);
	fl.saddr = ip4(OWN);
	CHECK_EQ(route_lookup(h.net, &fl, &d), 0);
	fake_net_destroy(h.net);
}

TEST(test_source_of_the_subnet_is_preferred)
{
	struct host h = host_up();
	const struct inet_addr second = ip4(PKT_IP(192, 168, 5, 1));
	struct dst d;

	CHECK_EQ(inet_addr_add(h.net, h.eth, &second, 24, ACD_NONE), 0);
	CHECK_EQ(look_up(&h, PKT_IP(192, 168, 5, 9), &d), 0);
	CHECK_ADDR(d.saddr, PKT_IP(192, 168, 5, 1));
	CHECK_EQ(add_route4(&h, FAR, 32, PKT_IP(192, 168, 5, 254), 0), 0);
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_ADDR(d.saddr, PKT_IP(192, 168, 5, 1));
	CHECK_EQ(inet_addr_del(h.net, h.eth, &second), 0);
	CHECK_EQ(look_up(&h, PKT_IP(192, 168, 5, 9), &d), 0);
	CHECK_ADDR(d.nexthop, GATEWAY);
	CHECK_EQ(type_of(&h, PKT_IP(192, 168, 5, 1)), RTN_T_UNICAST);
	fake_net_destroy(h.net);
}

TEST(test_twin_in_the_subnet_keeps_the_routes)
{
	struct host h = host_up();
	const struct inet_addr first = ip4(OWN), twin = ip4(PKT_IP(10, 0, 0, 33));
	struct dst d;

	CHECK_EQ(inet_addr_add(h.net, h.eth, &twin, 24, ACD_NONE), 0);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &twin, 24, ACD_NONE), -EEXIST);
	CHECK_EQ(inet_addr_del(h.net, h.eth, &first), 0);
	CHECK_EQ(look_up(&h, PEER, &d), 0);
	CHECK_ADDR(d.saddr, PKT_IP(10, 0, 0, 33));
	CHECK_ADDR(d.nexthop, PEER);
	CHECK_EQ(type_of(&h, PKT_IP(10, 0, 0, 255)), RTN_T_BROADCAST);
	CHECK_EQ(type_of(&h, OWN), RTN_T_UNICAST);
	CHECK_EQ(inet_addr_del(h.net, h.eth, &first), -EADDRNOTAVAIL);
	fake_net_destroy(h.net);
}

TEST(test_addresses_that_no_host_has)
{
	static const uint32_t bad[] = { 0, PKT_IP(0, 1, 2, 3), PKT_IP(224, 0, 0, 5), 0xffffffff,
					PKT_IP(127, 0, 0, 1), PKT_IP(10, 1, 0, 255) };
	struct host h = host_without_addresses();
	struct inet_addr a;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		a = ip4(bad[i]);
		CHECK_EQ(inet_addr_add(h.net, h.eth, &a, 24, ACD_NONE), -EINVAL);
	}
	a = ip4(OWN);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &a, 33, ACD_NONE), -EINVAL);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &a, 0, ACD_NONE), -EINVAL);
	a.family = AF_INET6;
	CHECK_EQ(inet_addr_add(h.net, h.eth, &a, 24, ACD_NONE), -EAFNOSUPPORT);
	a = ip4(PKT_IP(10, 9, 0, 255)); /* RFC 3021 */
	CHECK_EQ(inet_addr_add(h.net, h.eth, &a, 31, ACD_NONE), 0);
	CHECK_EQ(inet_ifa_find(h.net, &a)->broadcast.family, AF_UNSPEC);
	fake_net_destroy(h.net);
}

TEST(test_broadcast_and_multicast)
{
	struct host h = host_up();
	struct flowi fl = { .daddr = ip4(0xffffffff), .oif = h.eth->ifindex };
	struct dst d;

	CHECK_EQ(route_lookup(h.net, &fl, &d), 0);
	CHECK_EQ(d.type, RTN_T_BROADCAST);
	CHECK_ADDR(d.saddr, OWN);
	CHECK_EQ(look_up(&h, PKT_IP(10, 0, 0, 255), &d), 0);
	CHECK_EQ(d.type, RTN_T_BROADCAST);
	CHECK_ADDR(d.nexthop, 0xffffffff);
	CHECK_ADDR(d.daddr, PKT_IP(10, 0, 0, 255));
	CHECK_EQ(look_up(&h, PKT_IP(239, 1, 1, 1), &d), 0);
	CHECK_EQ(d.type, RTN_T_MULTICAST);
	CHECK_ADDR(d.nexthop, PKT_IP(239, 1, 1, 1)); /* never the gateway */
	fake_net_destroy(h.net);
}

TEST(test_broadcast_without_address)
{
	struct host h = host_without_addresses();
	struct flowi fl = { .daddr = ip4(0xffffffff) };
	struct dst d;

	CHECK_EQ(route_lookup(h.net, &fl, &d), -ENETUNREACH);
	fl.oif = h.eth->ifindex;
	CHECK_EQ(route_lookup(h.net, &fl, &d), 0);
	CHECK_ADDR(d.saddr, 0);
	fl.oif = 77;
	CHECK_EQ(route_lookup(h.net, &fl, &d), -ENODEV);
	fake_net_destroy(h.net);
}

TEST(test_bound_device_and_dont_route)
{
	struct host h = host_up();
	struct net_device *other = fake_dev_create(h.net, "eth1", 7);
	struct flowi fl = { .daddr = ip4(FAR), .dont_route = true };
	struct dst d;

	CHECK_EQ(route_lookup(h.net, &fl, &d), -ENETUNREACH);
	fl.daddr = ip4(PEER);
	CHECK_EQ(route_lookup(h.net, &fl, &d), 0);
	fl.oif = other->ifindex; /* no route by it: the destination is taken to be on its link */
	CHECK_EQ(route_lookup(h.net, &fl, &d), 0);
	CHECK(d.dev == other);
	CHECK_ADDR(d.nexthop, PEER);
	fake_net_destroy(h.net);
}

TEST(test_walk_sees_each_route_once)
{
	struct host h = host_up();
	const struct route *r;
	int n = 0, defaults = 0, local = 0;

	for (r = route_next(h.net, NULL); r; r = route_next(h.net, r)) {
		n++;
		defaults += r->prefix_len == 0;
		local += r->type == RTN_T_LOCAL;
	}
	/* default, 10.0.0.0/24; 10.0.0.1, 127.0.0.1, 127/8; 10.0.0.255 */
	CHECK_EQ(n, 6);
	CHECK_EQ(defaults, 1);
	CHECK_EQ(local, 3);
	fake_net_destroy(h.net);
}

TEST(test_path_mtu_is_learned_and_ages)
{
	struct host h = host_up();
	const struct inet_addr far = ip4(FAR);
	struct dst d, old;

	CHECK_EQ(look_up(&h, FAR, &old), 0);
	route_update_pmtu(h.net, &far, 1400);
	CHECK(!dst_check(h.net, &old));
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_EQ(d.mtu, 1400);
	route_update_pmtu(h.net, &far, 1450); /* never raised by a message */
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_EQ(d.mtu, 1400);
	CHECK(!d.mtu_locked);
	CHECK_EQ(look_up(&h, FAR + 1, &d), 0);
	CHECK_EQ(d.mtu, 1500);
	route_update_pmtu(h.net, &far, 300);
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_EQ(d.mtu, 552);
	CHECK(d.mtu_locked);
	CHECK(dst_check(h.net, &d));
	fake_advance_s(h.net, 600);
	CHECK(!dst_check(h.net, &d));
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_EQ(d.mtu, 1500);
	CHECK(!d.mtu_locked);
	fake_net_destroy(h.net);
}

TEST(test_path_mtu_table_is_bounded)
{
	struct host h = host_up();
	struct inet_addr a;
	struct dst d;
	uint32_t i;

	for (i = 0; i < 3000; i++) {
		a = ip4(FAR + i);
		route_update_pmtu(h.net, &a, 1000);
	}
	CHECK_EQ(look_up(&h, FAR, &d), 0);
	CHECK_EQ(d.mtu, 1500);
	CHECK_EQ(look_up(&h, FAR + 2999, &d), 0);
	CHECK_EQ(d.mtu, 1000);
	a = ip4(OWN);
	route_update_pmtu(h.net, &a, 1000);
	CHECK_EQ(look_up(&h, OWN, &d), 0);
	CHECK_GT(d.mtu, 1500);
	fake_net_destroy(h.net);
}

TEST(test_device_mtu_counts)
{
	struct host h = host_up();
	struct dst d;

	CHECK_EQ(dev_set_mtu(h.eth, 9000), 0);
	CHECK_EQ(look_up(&h, PEER, &d), 0);
	CHECK_EQ(d.mtu, 9000);
	fake_net_destroy(h.net);
}
