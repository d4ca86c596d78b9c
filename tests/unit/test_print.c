/* SPDX-License-Identifier: MIT */
/* print.c: packets as text; and pkt.c, which builds what is printed here. */
#include "stack/print.h"

#include <netinet/in.h>

#include "stack/core/skbuff.h"
#include "stack/core/trace.h"
#include "tests/unit/check.h"
#include "tests/unit/pkt.h"

#define ME PKT_IP(10, 0, 0, 1)
#define PEER PKT_IP(10, 0, 0, 2)

TEST(test_print_tcp_syn_with_options)
{
	struct pkt p = pkt_tcp(PEER, 4000, ME, 80, TH_SYN, 7, 0);

	p.mss = 1460;
	p.sackok = true;
	p.ts = true;
	p.tsval = 100;
	p.wscale = 8;
	CHECK_STR(pkt_text(&p), "10.0.0.2.4000 > 10.0.0.1.80: S 7:7(0) win 65535 "
				"<mss 1460,sackOK,TS val 100 ecr 0,wscale 7,nop>");
}

TEST(test_print_tcp_data_and_sack)
{
	struct pkt p = pkt_tcp(PEER, 4000, ME, 80, TH_ACK | TH_PUSH, 4294967295U, 9);

	p.payload = (const uint8_t *)"hello";
	p.payload_len = 5;
	p.sacks = 1;
	p.sack[0][0] = 20;
	p.sack[0][1] = 30;
	CHECK_STR(pkt_text(&p), "10.0.0.2.4000 > 10.0.0.1.80: P. 4294967295:4(5) ack 9 win 65535 "
				"<sack 20:30,nop,nop>");
}

TEST(test_print_tcp_bad_options)
{
	struct pkt p = pkt_tcp(PEER, 1, ME, 2, TH_RST, 0, 0);

	p.raw_options[0] = 99;
	p.raw_options[1] = 1;
	p.raw_options_len = 2;
	CHECK_STR(pkt_text(&p), "10.0.0.2.1 > 10.0.0.1.2: R 0:0(0) win 65535 <[bad options]>");
}

TEST(test_print_udp_icmp_fragment_arp)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct pkt p = pkt_udp(PEER, 53, ME, 4000, "abc", 3);
	uint8_t quoted[28] = { 0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
			       0x0f, 0xa0, 0, 53, 0, 11, 0, 0 };

	CHECK_STR(pkt_text(&p), "10.0.0.2.53 > 10.0.0.1.4000: udp (3)");
	p = pkt_icmp(PEER, ME, 8, 0, 1U << 16 | 2, "abc", 3);
	CHECK_STR(pkt_text(&p), "10.0.0.2 > 10.0.0.1: icmp echo_request id 1 seq 2 (3)");
	p = pkt_icmp(PEER, ME, 3, 3, 0, quoted, sizeof(quoted));
	CHECK_STR(pkt_text(&p), "10.0.0.2 > 10.0.0.1: icmp unreachable port_unreachable "
				"[10.0.0.1.4000 > 10.0.0.2.53: udp (3)]");
	p = pkt_udp(PEER, 0, ME, 0, "12345678", 8);
	p.frag_off = 16;
	p.mf = true;
	p.id = 7;
	CHECK_STR(pkt_text(&p), "10.0.0.2 > 10.0.0.1: proto 17 frag id 7 16:24+");
	p = pkt_arp(1, mac, PEER, NULL, ME);
	CHECK_STR(pkt_text(&p), "arp who-has 10.0.0.1 tell 10.0.0.2");
	p = pkt_arp(2, mac, PEER, mac, ME);
	CHECK_STR(pkt_text(&p), "arp reply 10.0.0.2 is-at 02:00:00:00:00:09");
}

/* Every prefix of a packet prints within its room and reads nothing behind it (ASan looks on). */
TEST(test_print_cut_packets_in_small_room)
{
	struct pkt p = pkt_tcp(PEER, 4000, ME, 80, TH_SYN, 7, 0);
	uint8_t *frame = malloc(PKT_MAX), *exact;
	size_t len, n, room;
	char text[200];

	p.mss = 1460;
	p.ts = true;
	p.payload = (const uint8_t *)"payload";
	p.payload_len = 7;
	len = pkt_build(&p, frame);
	for (n = 0; n <= len; n++) {
		exact = malloc(n + 1);
		memcpy(exact, frame, n);
		for (room = 1; room < sizeof(text); room += 13) {
			memset(text, 'x', sizeof(text));
			frame_print(exact, n, ARPHRD_ETHER, text, room);
			CHECK_LT(strlen(text), room);
		}
		free(exact);
	}
	frame_print(frame, 30, ARPHRD_ETHER, text, sizeof(text));
	CHECK_STR(text, "ip [short] (16)");
	frame_print(frame, 36, ARPHRD_ETHER, text, sizeof(text));
	CHECK_STR(text, "10.0.0.2 > 10.0.0.1: ip [bad length 63, header 20, of 22]");
	free(frame);
}

/* Frames with random bytes changed: whatever they claim, nothing outside them is read. */
TEST(test_print_mutated_frames)
{
	struct net *net = fake_net_create(NULL);
	struct pkt p = pkt_tcp(PEER, 4000, ME, 80, TH_SYN | TH_ACK, 7, 8);
	struct pkt q = pkt_icmp(PEER, ME, 3, 4, 1400, "\x45\0\0\x1c\0\0\0\0\x40\x06", 10);
	uint8_t *frame = malloc(PKT_MAX), *exact;
	char text[120];
	size_t len;
	int i, k;

	p.mss = 1460;
	p.sacks = 2;
	for (i = 0; i < 20000; i++) {
		len = pkt_build(i & 1 ? &p : &q, frame);
		for (k = 0; k < 3; k++)
			frame[random_below(&net->random, (uint32_t)len)] =
				(uint8_t)random_u32(&net->random);
		exact = malloc(len);
		memcpy(exact, frame, len);
		frame_print(exact, len, ARPHRD_ETHER, text, sizeof(text));
		CHECK_LT(strlen(text), sizeof(text));
		CHECK_GT(strlen(text), 0);
		free(exact);
	}
	free(frame);
	fake_net_destroy(net);
}

static char traced[600];

static void add_line(void *arg, ktime_t now, enum trace_kind kind, const char *text)
{
	(void)arg;
	(void)now;
	(void)kind;
	snprintf(traced + strlen(traced), sizeof(traced) - strlen(traced), "%s\n", text);
}

TEST(test_print_in_traces_of_a_device)
{
	struct trace trace = { .kinds = TRACE_ALL, .line = add_line, .packet = skb_print };
	struct net *net = fake_net_create(NULL);
	struct net_device *dev = fake_dev_create(net, "eth0", 1);
	struct pkt p = pkt_udp(PEER, 53, ME, 4000, "abc", 3);
	struct sk_buff *skb = alloc_skb(net, 100);

	traced[0] = '\0';
	net->trace = &trace;
	pkt_inject(dev, &p);
	skb_reserve(skb, 20);
	memcpy(skb_put(skb, 20), "\x45\0\0\x14\0\0\0\0\x40\x63\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	skb->dev = dev;
	skb_reset_network_header(skb);
	CHECK_EQ(dev_hard_header(skb, dev, ETH_P_IP, NULL, NULL), 0);
	CHECK_EQ(dev_queue_xmit(skb), 0);
	netif_carrier_set(dev, false);
	dev_close(dev);
	net->trace = NULL;
	CHECK_STR(traced, "in: eth0: 10.0.0.2.53 > 10.0.0.1.4000: udp (3)\n"
			  "drop: eth0: 10.0.0.2.53 > 10.0.0.1.4000: udp (3): no handler for the "
			  "EtherType\n"
			  "out: eth0: 10.0.0.1 > 10.0.0.2: proto 99 (0)\n"
			  "state: eth0: link down\n"
			  "state: eth0: down\n");
	fake_net_destroy(net);
}

TEST(test_print_skb_before_and_after_its_headers)
{
	struct net *net = fake_net_create(NULL);
	struct pkt p = pkt_udp(PEER, 53, ME, 4000, "abc", 3);
	uint8_t *frame = malloc(PKT_MAX);
	size_t len = pkt_build(&p, frame);
	struct sk_buff *skb = alloc_skb(net, 200);
	char text[100];

	memcpy(skb_put(skb, (uint32_t)len), frame, len);
	skb_print(skb, text, sizeof(text));
	CHECK_STR(text, "45 bytes");
	skb_pull(skb, 14);
	skb_reset_network_header(skb);
	skb_pull(skb, 28);
	skb_print(skb, text, sizeof(text));
	CHECK_STR(text, "10.0.0.2.53 > 10.0.0.1.4000: udp (3)");
	skb_consume(skb);
	free(frame);
	fake_net_destroy(net);
}

TEST(test_pkt_parse_returns_what_was_built)
{
	struct pkt p = pkt_tcp(PEER, 4000, ME, 80, TH_SYN | TH_ECE, 7, 8), q;
	uint8_t *frame = malloc(PKT_MAX);
	size_t len;

	p.mss = 536;
	p.ts = true;
	p.tsval = 1;
	p.tsecr = 2;
	p.wscale = 15;
	p.ip_options[0] = 1;
	p.ip_options_len = 1;
	p.payload = (const uint8_t *)"xyz";
	p.payload_len = 3;
	len = pkt_build(&p, frame);
	CHECK(pkt_parse(&q, frame, len));
	CHECK(q.ip_csum_ok && q.l4_csum_ok);
	CHECK_EQ(q.flags, TH_SYN | TH_ECE);
	CHECK_EQ(q.seq, 7);
	CHECK_EQ(q.mss, 536);
	CHECK_EQ(q.wscale, 15);
	CHECK_EQ(q.tsecr, 2);
	CHECK_EQ(q.ip_options_len, 4);
	CHECK_EQ(q.payload_len, 3);
	CHECK_MEM(q.payload, "xyz", 3);
	p.bad_l4_csum = true;
	len = pkt_build(&p, frame);
	CHECK(pkt_parse(&q, frame, len));
	CHECK(q.ip_csum_ok && !q.l4_csum_ok);
	free(frame);
}
