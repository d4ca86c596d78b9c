/* SPDX-License-Identifier: MIT */
/*
 * Frames for tests: one struct that is built into bytes, and that bytes are parsed into. All numbers
 * are in host order. What is zero is left out or filled in: lengths, checksums, ttl 64.
 *
 *	struct pkt p = pkt_tcp(0x0a000002, 4000, 0x0a000001, 80, TH_SYN, 1000, 0);
 *	p.mss = 1460;
 *	pkt_inject(dev, &p);
 *	CHECK(pkt_take(dev, &p));
 *	CHECK_EQ(p.flags, TH_SYN | TH_ACK);
 */
#ifndef TESTS_UNIT_PKT_H
#define TESTS_UNIT_PKT_H

#include "tests/unit/fake_dev.h"

#define PKT_MAX 66000

enum { TH_FIN = 0x01, TH_SYN = 0x02, TH_RST = 0x04, TH_PUSH = 0x08, TH_ACK = 0x10, TH_URG = 0x20,
       TH_ECE = 0x40, TH_CWR = 0x80 };

#define PKT_IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct pkt {
	uint8_t eth_dst[6], eth_src[6];
	uint16_t eth_type;               /* ETH_P_IP, ETH_P_ARP, or a raw payload */

	/* ARP */
	uint16_t arp_op;                 /* 1 request, 2 reply */
	uint8_t arp_sha[6], arp_tha[6];
	uint32_t arp_spa, arp_tpa;

	/* IPv4 */
	uint32_t saddr, daddr;
	uint8_t proto, ttl, tos;         /* ttl 0 builds 64 */
	uint16_t id;
	bool df, mf;
	uint16_t frag_off;               /* bytes; > 0: the payload follows the IP header directly */
	uint8_t ip_options[40];
	uint8_t ip_options_len;          /* padded with zeros to a multiple of 4 */

	/* TCP, UDP */
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t flags;                  /* TH_*; the reserved bits above are kept too */
	uint16_t win, urg;
	uint16_t mss;                    /* 0 = option absent */
	int wscale;                      /* window scale + 1; 0 = absent, so 7 is given as 8 */
	bool sackok;
	bool ts;
	uint32_t tsval, tsecr;
	unsigned int sacks;              /* number of blocks */
	uint32_t sack[4][2];             /* left, right */
	uint8_t raw_options[40];         /* appended behind the others; parsed: all options as they came */
	uint8_t raw_options_len;

	/* ICMP */
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_rest;              /* bytes 4 to 7: id << 16 | seq, or the next hop's MTU */

	const uint8_t *payload;          /* parsed: points into the frame */
	size_t payload_len;

	/* Building only: make it wrong. */
	bool bad_ip_csum, bad_l4_csum, no_udp_csum;
	uint16_t force_tot_len;          /* IP total length as said in the header */
	uint16_t force_udp_len;
	uint8_t force_ihl, force_doff;   /* in 32-bit words */
	uint8_t force_version;
	size_t truncate;                 /* length of the frame, when > 0 */

	/* Parsing only. */
	bool ip_csum_ok, l4_csum_ok;     /* l4: true for fragments, which are not checked */
	uint16_t ip_len;                 /* total length */
	uint16_t gso_size;
	ktime_t at;
};

/* Constructors. Link addresses stay zero: pkt_inject() fills in the device's own as destination. */
struct pkt pkt_tcp(uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport, uint16_t flags,
		   uint32_t seq, uint32_t ack);
struct pkt pkt_udp(uint32_t saddr, uint16_t sport, uint32_t daddr, uint16_t dport,
		   const void *payload, size_t len);
struct pkt pkt_icmp(uint32_t saddr, uint32_t daddr, uint8_t type, uint8_t code, uint32_t rest,
		    const void *payload, size_t len);
/* Sent to broadcast when @tha is NULL. */
struct pkt pkt_arp(uint16_t op, const uint8_t sha[6], uint32_t spa, const uint8_t *tha, uint32_t tpa);

/* Bytes of the frame into @buf of PKT_MAX; returns the length. */
size_t pkt_build(const struct pkt *p, uint8_t *buf);
/* False when the frame is too short for what its headers say. */
bool pkt_parse(struct pkt *p, const uint8_t *frame, size_t len);

/* Builds and delivers. A zero eth_dst becomes the device's address, a zero eth_src 02:00:00:00:00:99. */
void pkt_inject(struct net_device *dev, const struct pkt *p);
/*
 * Takes the oldest sent frame; false when there is none. Fails the test when it does not parse or has
 * a wrong checksum. The payload stays valid until the next call.
 */
bool pkt_take(struct net_device *dev, struct pkt *p);
/* The same, passing over (and dropping) ARP. */
bool pkt_take_ip(struct net_device *dev, struct pkt *p);
/* Fails the test when a frame was sent, and prints it. */
void pkt_expect_none(struct net_device *dev);
/* Text of a sent or built frame in packetdrill's notation; a static buffer. */
const char *pkt_text(const struct pkt *p);

#endif
