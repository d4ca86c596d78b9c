/* SPDX-License-Identifier: MIT */
/* ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1812 4.3.2 for what is never answered). */
#ifndef STACK_INET_ICMP_H
#define STACK_INET_ICMP_H

#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"
#include "stack/inet/ip.h"

struct icmp4hdr {
	uint8_t type, code;
	uint16_t checksum;
	union {
		struct { be16 id, seq; } echo;
		struct { be16 unused, mtu; } frag;
		be32 gateway;
		uint8_t pointer;
	};
};

/*
 * Sends an error about the received @skb (borrowed; network_header must be its IP header). Does
 * nothing for broadcasts, non-first fragments, ICMP errors and bad sources; rate limited (RFC 1812
 * 4.3.2.8; 1000/s and bursts of 50 per net, as Linux).
 */
void icmp_send(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);

/* ICMP type/code to errno as sockets see it; *fatal = hard error (RFC 1122 4.2.3.9). */
int icmp_err_convert(uint8_t type, uint8_t code, bool *fatal);

/* Echo replies and others wanted by ping sockets are given to this hook (raw.c). Borrowed. */
extern const struct pernet_operations icmp_pernet_ops;

#endif
