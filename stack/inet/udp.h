/* SPDX-License-Identifier: MIT */
/* UDP (RFC 768). */
#ifndef STACK_INET_UDP_H
#define STACK_INET_UDP_H

#include "stack/core/net_namespace.h"

struct udphdr4 {
	be16 source, dest, len;
	uint16_t check; /* as it stands on the wire; 0 = none */
} __attribute__((packed));

extern const struct pernet_operations udp_pernet_ops;

#endif
