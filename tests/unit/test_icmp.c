/* SPDX-License-Identifier: MIT */
/* ICMP: echo, errors sent, errors received. RFC 792, RFC 1122 3.2.2, RFC 1812 4.3.2, RFC 1191. */
#include "tests/unit/inet_fixture.h"

/* --- echo ------------------------------------------------------------------------------------- */

TEST(test_echo)
{
	struct host h = host_up();
	struct pkt p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 0x12345678, "hello, world", 12);

	p.tos = 0x10;
	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.saddr, OWN);
	CHECK_EQ(p.daddr, PEER);
	CHECK_EQ(p.icmp_type, ICMP4_ECHOREPLY);
	CHECK_EQ(p.icmp_code, 0);
	CHECK_EQ(p.icmp_rest, 0x12345678);
	CHECK_EQ(p.payload_len, 12);
	CHECK_MEM(p.payload, "hello, world", 12);
	CHECK_EQ(p.ttl, 64);
	CHECK_EQ(p.tos, 0x10);
	CHECK(!p.df);
	CHECK_EQ(h.net->mib[MIB_IcmpInMsgs], 1);
	CHECK_EQ(h.net->mib[MIB_IcmpInEchos], 1);
	CHECK_EQ(h.net->mib[MIB_IcmpOutEchoReps], 1);
	pkt_expect_none(h.eth);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_echo_without_data_and_of_odd_length)
{
	struct host h = host_up();
	struct pkt p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 7, NULL, 0);

	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.payload_len, 0);
	p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 7, "abc", 3);
	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_MEM(p.payload, "abc", 3);
	p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 9, 7, "abc", 3);
	pkt_inject(h.eth, &p);
	CHECK(pkt_take(h.eth, &p));
	CHECK_EQ(p.icmp_type, ICMP4_ECHOREPLY);
	CHECK_EQ(p.icmp_code, 9);
	fake_net_destroy(h.net);
}

TEST(test_largest_echo_in_fragments)
{
	static uint8_t echo[65515];
	struct host h = host_up();
	struct pkt whole = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 1, NULL, 0), p;
	static uint8_t buf[PKT_MAX];
	uint32_t at, pieces = 0, bytes = 0;

	whole.payload = echo;
	whole.payload_len = sizeof(echo) - 8;
	pkt_build(&whole, buf);
	memcpy(echo, buf + 34, sizeof(echo));
	for (at = 0; at < sizeof(echo); at += 1480) {
		p = plain_packet(PEER, OWN, 0);
		p.proto = IPPROTO_ICMP;
		p.payload = echo + at;
		p.payload_len = MIN(sizeof(echo) - at, 1480U);
		p.frag_off = (uint16_t)at;
		p.mf = at + 1480 < sizeof(echo);
		if (at == 0) { /* pkt_build() makes the header of the first piece itself: take it as raw bytes */
			p.proto = PROTO_TEST;
			pkt_build(&p, buf);
			buf[14 + 9] = IPPROTO_ICMP;
			buf[14 + 10] = buf[14 + 11] = 0;
			memcpy(buf, own_mac, 6);
			*(uint16_t *)(void *)(buf + 24) = ip_fast_csum(buf + 14, 5);
			fake_dev_inject(h.eth, buf, 34 + p.payload_len);
		} else {
			pkt_inject(h.eth, &p);
		}
	}
	CHECK_EQ(h.net->mib[MIB_IpReasmOKs], 1);
	while (pkt_take(h.eth, &p)) {
		pieces++;
		bytes += (uint32_t)p.payload_len;
	}
	CHECK_EQ(pieces, 45);
	CHECK_EQ(bytes, sizeof(echo));
	fake_net_destroy(h.net);
}

TEST(test_echo_to_broadcast_is_not_answered)
{
	struct host h = host_up();
	struct pkt p = pkt_icmp(PEER, PKT_IP(10, 0, 0, 255), ICMP4_ECHO, 0, 1, "x", 1);

	memset(p.eth_dst, 0xff, 6);
	pkt_inject(h.eth, &p);
	p.daddr = PKT_IP(224, 0, 0, 1);
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_IGNORED], 2);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_echo_to_ourselves)
{
	static const struct ip_send_opts opts = { .protocol = IPPROTO_ICMP };
	struct host h = host_up();
	const struct dst dst = way_to(&h, INADDR_LOOPBACK);
	struct sk_buff *skb = payload_skb(&h, &dst, 16);

	memset(skb->data, 0, 16);
	skb->data[0] = ICMP4_ECHO;
	skb->data[2] = 0xf7;
	skb->data[3] = 0xff;
	CHECK_EQ(ip_queue_xmit(h.net, skb, &dst, &opts), 0);
	fake_settle(h.net);
	CHECK_EQ(h.net->mib[MIB_IcmpInEchos], 1);
	CHECK_EQ(h.net->mib[MIB_IcmpInEchoReps], 1);
	fake_net_destroy(h.net);
}

TEST(test_malformed_messages)
{
	struct host h = host_up();
	struct pkt p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 1, "x", 1);
	uint32_t len;

	p.bad_l4_csum = true;
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_CHECKSUM], 1);
	CHECK_EQ(h.net->mib[MIB_IcmpInCsumErrors], 1);
	CHECK_EQ(h.net->mib[MIB_IcmpInErrors], 1);
	for (len = 0; len < 8; len++) {
		p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 0, NULL, 0);
		p.force_tot_len = (uint16_t)(20 + len);
		pkt_inject(h.eth, &p);
	}
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_INVALID], 8);
	p = pkt_icmp(PEER, OWN, 77, 0, 0, "x", 1);
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_INVALID], 9);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_what_a_host_ignores)
{
	static const uint8_t types[] = { ICMP4_SOURCE_QUENCH, ICMP4_REDIRECT, ICMP4_TIMESTAMP,
					 ICMP4_TIMESTAMP_REPLY, ICMP4_INFO, ICMP4_MASK, ICMP4_MASK_REPLY };
	struct host h = host_up();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		struct pkt p = pkt_icmp(PEER, OWN, types[i], 0, 0, "0123456789abcdef0123456789abcdef", 32);

		pkt_inject(h.eth, &p);
		CHECK_EQ(h.net->drops[SKB_DROP_ICMP_IGNORED], i + 1);
	}
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

static unsigned int pings, ping_errors;

static void ping_hook(struct sk_buff *skb)
{
	const struct icmp4hdr *ih = skb_header(skb, 0, 8);

	CHECK(ih && ih->type == ICMP4_ECHOREPLY);
	pings++;
}

static void ping_err_hook(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	CHECK_EQ(*skb->data, ICMP4_ECHO);
	CHECK_EQ(type, ICMP4_DEST_UNREACH);
	CHECK_EQ(code, ICMP4_HOST_UNREACH);
	CHECK_EQ(info, 0);
	ping_errors++;
}

/* --- errors received -------------------------------------------------------------------------- */

/* An IP packet that we might have sent, for quoting: the bytes from its IP header on. */
static size_t sent_packet(const struct pkt *p, uint8_t *out)
{
	uint8_t frame[2000];
	size_t len = pkt_build(p, frame) - 14;

	memcpy(out, frame + 14, len);
	return len;
}

static void inject_error(struct host *h, uint8_t type, uint8_t code, uint32_t rest, const struct pkt *about)
{
	uint8_t quoted[2000];
	size_t len = sent_packet(about, quoted);
	struct pkt p = pkt_icmp(GATEWAY, OWN, type, code, rest, quoted, MIN(len, 548U));

	pkt_inject(h->eth, &p);
}

TEST(test_ping_hooks)
{
	struct host h = host_up();
	struct pkt p = pkt_icmp(PEER, OWN, ICMP4_ECHOREPLY, 0, 1, "x", 1);

	pings = ping_errors = 0;
	pkt_inject(h.eth, &p); /* nobody listens */
	h.net->inet->ping_rcv = ping_hook;
	h.net->inet->ping_err = ping_err_hook;
	pkt_inject(h.eth, &p);
	CHECK_EQ(pings, 1);
	p = pkt_icmp(OWN, FAR, ICMP4_ECHO, 0, 1, "x", 1);
	inject_error(&h, ICMP4_DEST_UNREACH, ICMP4_HOST_UNREACH, 0, &p);
	p = pkt_icmp(OWN, FAR, ICMP4_ECHOREPLY, 0, 1, "x", 1); /* about an answer of ours: nobody's */
	inject_error(&h, ICMP4_DEST_UNREACH, ICMP4_HOST_UNREACH, 0, &p);
	CHECK_EQ(ping_errors, 1);
	fake_net_destroy(h.net);
}

TEST(test_errors_reach_the_protocol)
{
	static const uint8_t cases[][2] = { { 3, 0 }, { 3, 1 }, { 3, 2 }, { 3, 3 }, { 3, 13 }, { 3, 15 },
					    { 11, 0 }, { 12, 0 } };
	struct host h = host_up();
	const struct pkt sent = plain_packet(OWN, FAR, 40);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		inject_error(&h, cases[i][0], cases[i][1], 0x05000000, &sent);
		CHECK_EQ(seen.errors, i + 1);
		CHECK_EQ(seen.type, cases[i][0]);
		CHECK_EQ(seen.code, cases[i][1]);
		CHECK_EQ(seen.info, 0);
		CHECK_EQ(seen.len, 40);
		CHECK_EQ(be32_to_cpu(seen.cb.saddr), OWN);
		CHECK_EQ(be32_to_cpu(seen.cb.daddr), FAR);
		CHECK_EQ(be32_to_cpu(seen.cb.offender), GATEWAY);
		CHECK_EQ(seen.cb.protocol, PROTO_TEST);
	}
	CHECK_EQ(h.net->mib[MIB_IcmpInDestUnreachs], 6);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_errors_that_cannot_be_ours)
{
	struct host h = host_up();
	const struct pkt good = plain_packet(OWN, FAR, 40);
	struct pkt p = good;

	p.saddr = PKT_IP(10, 0, 0, 9);
	inject_error(&h, 3, 1, 0, &p);
	p = good;
	p.daddr = PKT_IP(10, 0, 0, 255);
	inject_error(&h, 3, 1, 0, &p);
	p.daddr = PKT_IP(224, 0, 0, 5);
	inject_error(&h, 3, 1, 0, &p);
	p = good;
	p.payload_len = 7; /* less than 8 bytes of the transport */
	inject_error(&h, 3, 1, 0, &p);
	p = good;
	p.force_version = 6;
	inject_error(&h, 3, 1, 0, &p);
	p = good;
	p.force_ihl = 3;
	inject_error(&h, 3, 1, 0, &p);
	p.force_ihl = 15;
	p.payload_len = 40;
	inject_error(&h, 3, 1, 0, &p);
	inject_error(&h, 3, 16, 0, &good); /* no such code */
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_INVALID], 8);
	inject_error(&h, 11, 1, 0, &good);
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_IGNORED], 1);
	p = good;
	p.frag_off = 64; /* no transport header in there */
	inject_error(&h, 3, 1, 0, &p);
	CHECK_EQ(seen.errors, 0);
	p = pkt_icmp(GATEWAY, OWN, 3, 1, 0, NULL, 0);
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_ICMP_INVALID], 9);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
}

TEST(test_fragmentation_needed)
{
	struct host h = host_up();
	const struct pkt sent = plain_packet(OWN, FAR, 1400);

	inject_error(&h, 3, ICMP4_FRAG_NEEDED, 1300, &sent);
	CHECK_EQ(seen.errors, 1);
	CHECK_EQ(seen.info, 1300);
	CHECK_EQ(way_to(&h, FAR).mtu, 1500); /* no socket vouched for it */
	fake_net_destroy(h.net);
}

TEST(test_old_router_and_absurd_mtu)
{
	/* total length of what was sent, MTU in the message, MTU that we take from it */
	static const uint32_t cases[][3] = {
		{ 1500, 0, 1492 }, { 1492, 0, 1006 }, { 1006, 0, 508 }, { 297, 0, 296 }, { 296, 0, 68 },
		{ 1500, 20, 68 }, { 1500, 68, 68 }, { 1500, 65535, 65535 },
	};
	struct host h = host_up();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct pkt sent = plain_packet(OWN, FAR + (uint32_t)i, cases[i][0] - 20);

		inject_error(&h, 3, ICMP4_FRAG_NEEDED, cases[i][1], &sent);
		CHECK_EQ(seen.errors, i + 1);
		CHECK_EQ(seen.info, cases[i][2]);
	}
	fake_net_destroy(h.net);
}

TEST(test_errno_of_errors)
{
	bool fatal;

	CHECK_EQ(icmp_err_convert(3, 0, &fatal), ENETUNREACH);
	CHECK(!fatal);
	CHECK_EQ(icmp_err_convert(3, 1, &fatal), EHOSTUNREACH);
	CHECK(!fatal);
	CHECK_EQ(icmp_err_convert(3, 2, &fatal), ENOPROTOOPT);
	CHECK(fatal);
	CHECK_EQ(icmp_err_convert(3, 3, &fatal), ECONNREFUSED);
	CHECK(fatal);
	CHECK_EQ(icmp_err_convert(3, 4, &fatal), EMSGSIZE);
	CHECK(!fatal);
	CHECK_EQ(icmp_err_convert(3, 13, &fatal), EHOSTUNREACH);
	CHECK(fatal);
	CHECK_EQ(icmp_err_convert(11, 0, &fatal), EHOSTUNREACH);
	CHECK(!fatal);
	CHECK_EQ(icmp_err_convert(12, 0, &fatal), EPROTO);
	CHECK(fatal);
	CHECK_EQ(icmp_err_convert(8, 0, &fatal), 0);
}

/* --- errors sent ------------------------------------------------------------------------------ */

/* A packet of an unknown protocol, which draws an error if any does. */
static struct pkt unwanted(uint32_t len)
{
	struct pkt p = plain_packet(PEER, OWN, len);

	p.proto = 99;
	return p;
}

TEST(test_error_quotes_up_to_576_bytes)
{
	struct host h = host_up();
	struct pkt p = unwanted(1400), answer;
	uint8_t frame[2000];

	p.tos = 0x1b;
	pkt_inject(h.eth, &p);
	pkt_build(&p, frame);
	CHECK(pkt_take(h.eth, &answer));
	CHECK_EQ(answer.ip_len, 576);
	CHECK_EQ(answer.icmp_type, ICMP4_DEST_UNREACH);
	CHECK_EQ(answer.icmp_code, ICMP4_PROT_UNREACH);
	CHECK_EQ(answer.icmp_rest, 0);
	CHECK_EQ(answer.tos, 0xd8);
	CHECK_MEM(answer.payload, frame + 14, 548);
	CHECK_EQ(h.net->mib[MIB_IcmpOutDestUnreachs], 1);
	fake_net_destroy(h.net);
}

TEST(test_no_error_where_it_could_multiply)
{
	struct host h = host_up();
	struct pkt p = unwanted(20);

	p.daddr = PKT_IP(10, 0, 0, 255);
	pkt_inject(h.eth, &p);
	p.daddr = 0xffffffff;
	memset(p.eth_dst, 0xff, 6);
	pkt_inject(h.eth, &p);
	p.daddr = PKT_IP(224, 0, 0, 1);
	pkt_inject(h.eth, &p);
	p = unwanted(20);
	p.saddr = 0;
	p.daddr = 0xffffffff;
	pkt_inject(h.eth, &p);
	CHECK_EQ(h.net->drops[SKB_DROP_IP_NO_PROTO], 4);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

/* ICMP with malformed IP options, which are answered only if the message is no error. */
static bool draws_error(struct host *h, uint8_t type)
{
	struct pkt p = pkt_icmp(PEER, OWN, type, 0, 0, "x", 1), answer;
	bool drawn;

	p.ip_options_len = 4;
	memcpy(p.ip_options, "\xc8\x00\x00\x00", 4);
	pkt_inject(h->eth, &p);
	drawn = pkt_take(h->eth, &answer);
	if (drawn)
		CHECK_EQ(answer.icmp_type, ICMP4_PARAM_PROB);
	return drawn;
}

TEST(test_no_error_about_an_error)
{
	struct host h = host_up();

	CHECK(draws_error(&h, ICMP4_ECHO));
	CHECK(draws_error(&h, ICMP4_ECHOREPLY));
	CHECK(!draws_error(&h, ICMP4_DEST_UNREACH));
	CHECK(!draws_error(&h, ICMP4_SOURCE_QUENCH));
	CHECK(!draws_error(&h, ICMP4_REDIRECT));
	CHECK(!draws_error(&h, ICMP4_TIME_EXCEEDED));
	CHECK(!draws_error(&h, ICMP4_PARAM_PROB));
	CHECK(!draws_error(&h, 200));
	fake_net_destroy(h.net);
}

TEST(test_no_error_about_a_later_fragment)
{
	struct host h = host_up();
	struct pkt p = unwanted(16);

	p.frag_off = 8;
	p.ip_options_len = 4;
	memcpy(p.ip_options, "\xc8\x00\x00\x00", 4);
	pkt_inject(h.eth, &p);
	pkt_expect_none(h.eth);
	fake_net_destroy(h.net);
}

TEST(test_rate_limit)
{
	struct host h = host_up();
	struct pkt p = unwanted(20);
	int i;

	for (i = 0; i < 200; i++)
		pkt_inject(h.eth, &p);
	CHECK_EQ(fake_dev_forget(h.eth), 50);
	CHECK_EQ(h.net->mib[MIB_IcmpOutRateLimitGlobal], 150);
	fake_advance_ms(h.net, 10);
	for (i = 0; i < 200; i++)
		pkt_inject(h.eth, &p);
	CHECK_EQ(fake_dev_forget(h.eth), 10);
	fake_advance_s(h.net, 100);
	for (i = 0; i < 200; i++)
		pkt_inject(h.eth, &p);
	CHECK_EQ(fake_dev_forget(h.eth), 50);
	p = pkt_icmp(PEER, OWN, ICMP4_ECHO, 0, 1, "x", 1); /* echo is not limited */
	for (i = 0; i < 200; i++)
		pkt_inject(h.eth, &p);
	CHECK_EQ(fake_dev_forget(h.eth), 200);
	fake_net_destroy(h.net);
}
