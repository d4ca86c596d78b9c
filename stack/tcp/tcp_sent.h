/* SPDX-License-Identifier: MIT */
/* The scoreboard: one record for each range of sequence numbers under way (tcp_sent.c), and what an ACK does to it. */
#ifndef STACK_TCP_TCP_SENT_H
#define STACK_TCP_TCP_SENT_H

#include "stack/core/list.h"
#include "stack/tcp/tcp_cong.h"
#include "stack/tcp/tcp_seq.h"

struct sk_buff;
struct tcp_segment;

enum tcp_sent_flags {
	SENT_SACKED = 0x01,       /* the peer has it, above snd_una */
	SENT_LOST = 0x02,         /* all transmissions before the one under way are taken for lost */
	SENT_RETRANS = 0x04,      /* a retransmission is under way */
	SENT_EVER_RETRANS = 0x08, /* its round-trip time is ambiguous (Karn, RFC 6298 3) */
};

/* A range that was sent in one piece and has had one fate since. */
struct tcp_sent {
	struct list_head seq_node; /* tp->sent_seq */
	struct list_head node;     /* tp->sent_time or tp->sent_lost; by itself while SACKED */
	struct sk_buff *text;      /* of the write queue, at or before start; NULL = look from its head */
	uint32_t start, end;       /* a FIN counts as one */
	uint32_t segs;             /* segments of mss */
	uint16_t mss;
	uint8_t flags;             /* SENT_* */
	bool app_limited;          /* at the last transmission: the program had no more to send */
	ktime_t xmit;              /* last transmission */
	uint64_t order;            /* of all transmissions of the connection: the clock may stand still */

	/* The connection at the last transmission (draft-cheng-iccrg-delivery-rate-estimation 3.1.2). */
	uint64_t delivered, delivered_ce; /* tp->delivered_bytes, tp->delivered_ce_bytes */
	uint64_t lost;             /* tp->lost_total */
	ktime_t delivered_time;    /* tp->delivered_time */
	ktime_t first_tx;          /* tp->first_tx_time */
	uint32_t tx_in_flight;     /* bytes in flight with this range */
};

/* What one ACK brought; filled in by tcp_ack.c and tcp_sent.c, read by all of loss recovery. Bytes. */
struct tcp_ack_news {
	const struct tcp_segment *seg;
	uint32_t prior_una;
	uint32_t prior_flight;     /* under way before, SACKed and lost ones included */
	uint32_t acked;            /* sequence space by which snd_una moved */
	uint32_t sacked;           /* SACKed for the first time */
	uint32_t delivered;        /* delivered for the first time, by either */
	uint64_t prior_lost;       /* tp->lost_total before */
	uint32_t prior_retrans;    /* segments of retransmissions in flight before */
	bool duplicate;            /* a duplicate ACK (RFC 5681 2), only of use without SACK */
	bool window_moved;
	bool ece;                  /* it reports a congestion mark (RFC 3168) */
	bool dsack;                /* it reports a duplicate (RFC 2883) */
	bool dsack_tlp;            /* ... of the loss probe */
	bool orig_delivered;       /* of text up to recover that was never sent again */
	bool retrans_acked;        /* the ACK covers what was sent again */
	bool lost_retrans;         /* a retransmission was found lost */
	bool set_timer;            /* the retransmission timer is to be started anew */
	bool hold_back;            /* F-RTO: new text only */
	uint32_t reord_seq;        /* with reordered: lowest start of text that came after later text */
	bool reordered;
	ktime_t first_acked, last_acked;   /* transmission of text acknowledged that was sent once; 0 = none */
	ktime_t first_sacked, last_sacked; /* same of SACKed text */
	struct tcp_rate_sample rs;
};

/* ---- tcp_sent.c ------------------------------------------------------------------------------ */
struct tcp_sent *tcp_sent_alloc(const struct tcp_sock *tp);
void tcp_sent_add(struct tcp_sock *tp, struct tcp_sent *s, uint32_t end, struct sk_buff *text);
void tcp_sent_purge(struct tcp_sock *tp);
bool tcp_sent_split(struct tcp_sock *tp, struct tcp_sent *s, uint32_t at);
void tcp_sent_collapse(struct tcp_sock *tp, struct tcp_sent *s, uint32_t mss);
void tcp_sent_again(struct tcp_sock *tp, struct tcp_sent *s);
void tcp_sent_mark_lost(struct tcp_sock *tp, struct tcp_sent *s);
void tcp_sent_unsack_all(struct tcp_sock *tp);
void tcp_sent_unmark_lost(struct tcp_sock *tp);
void tcp_sent_ack(struct tcp_sock *tp, struct tcp_ack_news *news);
void tcp_sent_sack(struct tcp_sock *tp, struct seq_range r, struct tcp_ack_news *news);
struct tcp_sent *tcp_sent_head(const struct tcp_sock *tp);
struct tcp_sent *tcp_sent_tail(const struct tcp_sock *tp);
struct tcp_sent *tcp_sent_prev(const struct tcp_sock *tp, const struct tcp_sent *s);
struct tcp_sent *tcp_sent_next(const struct tcp_sock *tp, const struct tcp_sent *s);
/* The first that is to be sent again; NULL = none. */
struct tcp_sent *tcp_sent_first_lost(const struct tcp_sock *tp);

/* ---- tcp_rate.c ------------------------------------------------------------------------------ */
uint64_t tcp_delivery_rate(const struct tcp_sock *tp);
void tcp_rate_check_app_limited(struct tcp_sock *tp);
void tcp_rate_sent(struct tcp_sock *tp, struct tcp_sent *s);
void tcp_rate_delivered(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_rate_sample *rs);
void tcp_rate_gen(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, struct tcp_rate_sample *rs);

#endif
