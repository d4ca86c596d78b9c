/* SPDX-License-Identifier: MIT */
/* Packets on the wire: one struct, in host byte order, that is built into bytes and read from them. */
#ifndef TOOLS_PACKETDRILL_WIRE_H
#define TOOLS_PACKETDRILL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_MAX = 65535, WIRE_IP_HLEN = 20, WIRE_TCP_HLEN = 20, WIRE_UDP_HLEN = 8, WIRE_ICMP_HLEN = 8 };

struct wire {
	uint32_t saddr, daddr;
	uint8_t protocol, tos, ttl;
	bool df, fragment;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t flags;       /* FLAG_* */
	uint16_t win, urg;
	uint8_t options[40];
	uint8_t options_len;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_rest;   /* the second word of its header */
	uint32_t payload_len;
	const uint8_t *payload; /* read: points into the packet; built: NULL = zeros */
};

/* Bytes with right checksums into @buf of WIRE_MAX; the length, or 0 when it would be too long. */
size_t wire_build(const struct wire *w, uint8_t *buf);
/* False when the packet is too short for what it says or a checksum is wrong; @why says which. */
bool wire_read(struct wire *w, const uint8_t *packet, size_t len, const char **why);

#endif
