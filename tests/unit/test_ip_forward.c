/* SPDX-License-Identifier: MIT */
/* A router: what goes on, how, and what is answered. RFC 1812 5.2, 5.3. */
#include "tests/unit/inet_fixture.h"

#define OTHER_OWN PKT_IP(10, 9, 0, 1)
#define OTHER PKT_IP(10, 9, 0, 2)

static const uint8_t other_mac[6] = { 2, 0, 0, 0, 0, 0x77 };

/* A second device: 10.9.0.1/24, with the neighbour 10.9.0.2. */
struct router {
	struct host h;
	struct net_device *far;
};

static struct router router_up(uint32_t far_mtu)
{
	const struct inet_addr own = ip4(OTHER_OWN), other = ip4(OTHER);
	struct router r = { .h = host_up() };
	struct neighbour *n;

	r.far = fake_dev_create(r.h.net, "eth1", 2);
	r.far->mtu = far_mtu;
	CHECK_EQ(inet_addr_add(r.h.net, r.far, &own, 24, ACD_NONE), 0);
	n = neigh_create(r.h.net, &other, r.far);
	CHECK(n != NULL);
	neigh_update(n, other_mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE);
	r.h.net->inet->sysctl.ip_forward = true;
	return r;
}

static void inject(struct router *r, const struct pkt *p)
{
	pkt_inject(r->h.eth, p);
}

/* @p draws this error from us, is dropped for @reason, and goes nowhere. */
static void expect_error(struct router *r, const struct pkt *p, uint8_t type, uint8_t code, uint32_t rest,
			 enum skb_drop_reason reason)
{
	const uint64_t before = r->h.net->drops[reason];
	struct pkt error;

	inject(r, p);
	pkt_expect_none(r->far);
	CHECK(pkt_take(r->h.eth, &error));
	CHECK_EQ(error.proto, IPPROTO_ICMP);
	CHECK_EQ(error.saddr, OWN);
	CHECK_EQ(error.daddr, PEER);
	CHECK_EQ(error.icmp_type, type);
	CHECK_EQ(error.icmp_code, code);
	CHECK_EQ(error.icmp_rest, rest);
	CHECK_EQ(r->h.net->drops[reason], before + 1);
	pkt_expect_none(r->h.eth);
}

TEST(test_forwarded)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, OTHER, 1000), q;

	p.ttl = 17;
	p.tos = 0x2b;
	p.df = true;
	p.id = 4711;
	inject(&r, &p);
	CHECK(pkt_take(r.far, &q));
	CHECK_MEM(q.eth_dst, other_mac, 6);
	CHECK_EQ(q.eth_src[5], 2);
	CHECK_EQ(q.saddr, PEER);
	CHECK_EQ(q.daddr, OTHER);
	CHECK_EQ(q.ttl, 16);
	CHECK_EQ(q.tos, 0x2b);
	CHECK_EQ(q.id, 4711);
	CHECK(q.df && q.ip_csum_ok);
	CHECK_EQ(q.payload_len, 1000);
	CHECK_MEM(q.payload, p.payload, 1000);
	CHECK_EQ(r.h.net->mib[MIB_IpForwDatagrams], 1);
	CHECK_EQ(seen.packets, 0);
	fake_net_destroy(r.h.net);
}

TEST(test_options_and_fragments_pass)
{
	static const uint8_t alert[4] = { 148, 4, 0, 0 };
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, OTHER, 104), q;

	memcpy(p.ip_options, alert, 4);
	p.ip_options_len = 4;
	inject(&r, &p);
	CHECK(pkt_take(r.far, &q));
	CHECK_EQ(q.ip_options_len, 4);
	CHECK_MEM(q.ip_options, alert, 4);
	p = plain_packet(PEER, OTHER, 104);
	p.mf = true;
	p.frag_off = 800;
	inject(&r, &p);
	CHECK(pkt_take(r.far, &q));
	CHECK(q.mf);
	CHECK_EQ(q.frag_off, 800);
	fake_net_destroy(r.h.net);
}

TEST(test_for_itself_it_is_a_host)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, OWN, 10);

	inject(&r, &p);
	p = plain_packet(PEER, OTHER_OWN, 10);
	inject(&r, &p);
	CHECK_EQ(seen.packets, 2);
	p = plain_packet(PEER, PKT_IP(10, 0, 0, 255), 10);
	memset(p.eth_dst, 0xff, 6);
	inject(&r, &p);
	CHECK_EQ(seen.packets, 3);
	pkt_expect_none(r.far);
	fake_net_destroy(r.h.net);
}

TEST(test_off_by_default)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, OTHER, 10);

	r.h.net->inet->sysctl.ip_forward = false;
	inject(&r, &p);
	CHECK_EQ(r.h.net->drops[SKB_DROP_IP_NOT_LOCAL], 1);
	pkt_expect_none(r.far);
	pkt_expect_none(r.h.eth);
	fake_net_destroy(r.h.net);
}

TEST(test_time_to_live)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, OTHER, 10), q;

	p.ttl = 1;
	expect_error(&r, &p, ICMP4_TIME_EXCEEDED, ICMP4_EXC_TTL, 0, SKB_DROP_IP_TTL);
	p.ttl = 2;
	inject(&r, &p);
	CHECK(pkt_take(r.far, &q));
	CHECK_EQ(q.ttl, 1);
	fake_net_destroy(r.h.net);
}

TEST(test_too_large)
{
	struct router r = router_up(600);
	struct pkt p = plain_packet(PEER, OTHER, 1000), q;
	uint32_t off = 0;

	p.df = true;
	expect_error(&r, &p, ICMP4_DEST_UNREACH, ICMP4_FRAG_NEEDED, 600, SKB_DROP_IP_FRAG_NEEDED);
	p.df = false;
	p.id = 99;
	inject(&r, &p);
	while (pkt_take(r.far, &q)) {
		CHECK(q.ip_len <= 600);
		CHECK_EQ(q.id, 99);
		CHECK_EQ(q.ttl, 63);
		CHECK_EQ(q.frag_off, off);
		CHECK_MEM(q.payload, p.payload + off, q.payload_len);
		off += (uint32_t)q.payload_len;
		CHECK_EQ(q.mf, off < 1000);
	}
	CHECK_EQ(off, 1000);
	fake_net_destroy(r.h.net);
}

TEST(test_no_way)
{
	struct router r = router_up(1500);
	struct route dflt = { .dst = ip4(0), .type = RTN_T_UNICAST, .gateway = ip4(GATEWAY) };
	struct pkt p = plain_packet(PEER, FAR, 10);

	CHECK_EQ(route_del(r.h.net, &dflt), 0);
	expect_error(&r, &p, ICMP4_DEST_UNREACH, ICMP4_NET_UNREACH, 0, SKB_DROP_IP_OUT_NO_ROUTE);
	fake_net_destroy(r.h.net);
}

TEST(test_nobody_there)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PEER, PKT_IP(10, 9, 0, 77), 10), q;

	inject(&r, &p);
	fake_advance_ms(r.h.net, 5000);
	while (pkt_take(r.far, &q))
		CHECK_EQ(q.eth_type, ETH_P_ARP);
	CHECK(pkt_take(r.h.eth, &q));
	CHECK_EQ(q.icmp_type, ICMP4_DEST_UNREACH);
	CHECK_EQ(q.icmp_code, ICMP4_HOST_UNREACH);
	CHECK_EQ(q.daddr, PEER);
	fake_net_destroy(r.h.net);
}

TEST(test_what_stays_on_its_link)
{
	struct router r = router_up(1500);
	struct pkt p = plain_packet(PKT_IP(169, 254, 1, 1), OTHER, 10);

	inject(&r, &p);
	p = plain_packet(PEER, PKT_IP(169, 254, 1, 1), 10);
	inject(&r, &p);
	p = plain_packet(PEER, OTHER, 10);
	memset(p.eth_dst, 0xff, 6);
	inject(&r, &p);
	CHECK_EQ(r.h.net->drops[SKB_DROP_IP_NOT_LOCAL], 3);
	p = plain_packet(PEER, PKT_IP(10, 9, 0, 255), 10); /* a directed broadcast is heard, not sent on: RFC 2644 2 */
	inject(&r, &p);
	CHECK_EQ(seen.packets, 1);
	pkt_expect_none(r.far);
	pkt_expect_none(r.h.eth);
	fake_net_destroy(r.h.net);
}
