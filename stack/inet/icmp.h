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
} __attribute__((packed));

enum {
	ICMP4_ECHOREPLY = 0, ICMP4_DEST_UNREACH = 3, ICMP4_SOURCE_QUENCH = 4, ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8, ICMP4_TIME_EXCEEDED = 11, ICMP4_PARAM_PROB = 12, ICMP4_TIMESTAMP = 13,
	ICMP4_TIMESTAMP_REPLY = 14, ICMP4_INFO = 15, ICMP4_INFO_REPLY = 16, ICMP4_MASK = 17,
	ICMP4_MASK_REPLY = 18,
};
/* Codes of ICMP4_DEST_UNREACH and ICMP4_TIME_EXCEEDED. */
enum {
	ICMP4_NET_UNREACH = 0, ICMP4_HOST_UNREACH, ICMP4_PROT_UNREACH, ICMP4_PORT_UNREACH,
	ICMP4_FRAG_NEEDED, ICMP4_SR_FAILED, ICMP4_UNREACH_CODES = 16,
};
enum { ICMP4_EXC_TTL = 0, ICMP4_EXC_FRAGTIME = 1 };

/*
 * Sends an error about the received @skb (borrowed; network_header must be its IP header). Does
 * nothing for broadcasts, non-first fragments, ICMP errors and bad sources; rate limited (RFC 1812
 * 4.3.2.8; 1000/s and bursts of 50 per net, as Linux).
 * @info: bytes 4 to 7 of the message as a host-order number (MTU; pointer << 24).
 */
void icmp_send(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);

/* ICMP type/code to errno as sockets see it; *fatal = hard error (RFC 1122 4.2.3.9). */
int icmp_err_convert(uint8_t type, uint8_t code, bool *fatal);

/*
 * Tells the transport of a packet of ours that it did not get there: @skb (borrowed) has its IP
 * header at data, which is moved. Used for received errors and for failed neighbours (@offender 0).
 */
void icmp_notify(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info, be32 offender);

/* Echo replies and others wanted by ping sockets are given to this hook (raw.c). Borrowed. */
extern const struct pernet_operations icmp_pernet_ops;

#endif
