/* SPDX-License-Identifier: MIT */
/* What the files that send share: a range of the write queue as a segment, and the room for it. */
#ifndef STACK_TCP_TCP_OUTPUT_H
#define STACK_TCP_TCP_OUTPUT_H

#include "stack/tcp/tcp.h"

/* ---- tcp_output.c, tcp_retransmit.c: what may be sent ---------------------------------------- */
uint32_t tcp_cwnd_room(const struct tcp_sock *tp, uint32_t pipe);
bool tcp_send_lost(struct tcp_sock *tp);

/* ---- tcp_transmit.c: sending it -------------------------------------------------------------- */
struct sk_buff *tcp_find_text(const struct tcp_sock *tp, struct sk_buff *skb, uint32_t seq);
uint8_t tcp_text_flags(const struct tcp_sock *tp, const struct sk_buff *text, uint32_t end);
int tcp_transmit(struct tcp_sock *tp, struct sk_buff *text, uint32_t seq, uint32_t len, uint8_t flags);

#endif
