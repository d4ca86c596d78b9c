/* SPDX-License-Identifier: MIT */
/* Packets as text in packetdrill's notation, for traces and tests. */
#ifndef STACK_PRINT_H
#define STACK_PRINT_H

#include <stddef.h>
#include <stdint.h>

struct sk_buff;

/*
 * "10.0.0.2.4000 > 10.0.0.1.80: S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>", without line feed, cut at
 * @size bytes with its terminating zero. Malformed packets give what could be read and what is wrong.
 */
void packet_print(const uint8_t *packet, size_t len, char *buf, size_t size); /* from the IP header */
/* @link: ARPHRD_ETHER, else no link header. */
void frame_print(const uint8_t *frame, size_t len, uint16_t link, char *buf, size_t size);
/* Any skb, whichever of its headers are known; for struct trace.packet. */
void skb_print(const struct sk_buff *skb, char *buf, size_t size);

#endif
