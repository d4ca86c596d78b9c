/* SPDX-License-Identifier: MIT */
/* The entry of IPv4 from the devices. */
#ifndef STACK_INET_IP_INPUT_H
#define STACK_INET_IP_INPUT_H

#include "stack/core/dev.h"

void ip_forward(struct sk_buff *skb); /* ip_forward.c */
void ip_rcv(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt);

#endif
