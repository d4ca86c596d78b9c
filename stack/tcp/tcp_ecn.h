/* SPDX-License-Identifier: MIT */
/* Explicit congestion notification (RFC 3168; tcp_ecn.c). */
#ifndef STACK_TCP_TCP_ECN_H
#define STACK_TCP_TCP_ECN_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_request;
struct tcp_segment;
struct tcp_sock;

/* The ECN field of the IP header (RFC 3168 5), its last two bits. */
enum ip_ecn { INET_ECN_NOT_ECT = 0, INET_ECN_ECT_1 = 1, INET_ECN_ECT_0 = 2, INET_ECN_CE = 3, INET_ECN_MASK = 3 };

enum tcp_ecn_flags {
	TCP_ECN_OK = 0x01,         /* agreed on; in SYN-SENT: asked for */
	TCP_ECN_QUEUE_CWR = 0x02,  /* the window was reduced: the next new text says so */
	TCP_ECN_DEMAND_CWR = 0x04, /* a mark has come in: all ACKs say so until the peer has reduced */
	TCP_ECN_SEEN = 0x08,       /* the peer sends ECN-capable packets */
};

/* The handshake. */
void tcp_ecn_start(struct tcp_sock *tp);
uint8_t tcp_ecn_syn_flags(struct tcp_sock *tp, bool synack);
void tcp_ecn_rcv_syn(struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_ecn_rcv_synack(struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_ecn_request(struct tcp_request *req, const struct tcp_sock *listener, const struct tcp_segment *seg);
void tcp_ecn_create_child(struct tcp_sock *child, const struct tcp_request *req);
/* A segment leaves. */
uint8_t tcp_ecn_send(struct tcp_sock *tp, uint32_t seq, uint32_t len);
/* Text has come in. */
void tcp_ecn_rcv_text(struct tcp_sock *tp, const struct tcp_segment *seg);
/* An ACK has come in. */
bool tcp_ecn_echo(const struct tcp_sock *tp, const struct tcp_segment *seg);
/* The window was reduced, or was not after all. */
void tcp_ecn_queue_cwr(struct tcp_sock *tp);
void tcp_ecn_withdraw_cwr(struct tcp_sock *tp);

#endif
