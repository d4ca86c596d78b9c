/* SPDX-License-Identifier: MIT */
/*
 * Congestion control: what an algorithm is, and what the rest of TCP tells it.
 *
 * The names and the moments are Linux's (struct tcp_congestion_ops), so that an algorithm written for
 * one is readable in the other. Two things differ: windows, flights and amounts delivered count bytes,
 * and there is no socket lock and no jiffy: time is tcp_net(tp)->now.
 *
 * An algorithm takes one of two forms:
 *
 *   cong_avoid    grows tp->snd_cwnd when an ACK arrived while the window was the limit; what happens at
 *                 a loss is TCP's doing (ssthresh(), then PRR). reno, cubic, dctcp
 *   cong_control  is told of every ACK and rules alone over tp->snd_cwnd and tp->pacing_rate. bbr
 *
 * An algorithm of one's own is one file and one line in tcp_cong.c.
 */
#ifndef STACK_TCP_TCP_CONG_H
#define STACK_TCP_TCP_CONG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/core/types.h"

struct net;
struct tcp_sock;

enum tcp_ca_states { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS }; /* Linux's numbers */

/* cwnd_event(): something that matters beside the ACKs. */
enum tcp_ca_event {
	CA_EVENT_TX_START,     /* first transmission when nothing was in flight */
	CA_EVENT_CWND_RESTART, /* the window was cut after idle time (RFC 5681 4.1) */
	CA_EVENT_COMPLETE_CWR, /* a reduction has ended */
	CA_EVENT_LOSS,         /* retransmission timeout */
	CA_EVENT_ECN_NO_CE,    /* text arrived in packets without congestion mark */
	CA_EVENT_ECN_IS_CE,    /* ... with one */
};

/* in_ack_event(): what kind of ACK is coming in, bits. */
enum tcp_ca_ack_event_flags {
	CA_ACK_SLOWPATH = 1,   /* not the plain next ACK */
	CA_ACK_WIN_UPDATE = 2, /* the peer's window changed */
	CA_ACK_ECE = 4,        /* with ECE */
};

/* pkts_acked(): text that was acknowledged for the first time. */
struct tcp_ack_sample {
	uint32_t acked;        /* bytes, acknowledged or SACKed */
	int32_t rtt_us;        /* -1 = no sample (Karn) */
	uint32_t in_flight;    /* bytes when the newest of it left */
};

/*
 * cong_control(): how fast text was delivered from the sending of the newest segment that this ACK
 * acknowledges to its delivery (draft-cheng-iccrg-delivery-rate-estimation 3).
 */
struct tcp_rate_sample {
	ktime_t prior_time;        /* start of the interval; 0 = no sample */
	uint64_t prior_delivered;  /* tp->delivered_bytes then */
	uint64_t prior_delivered_ce; /* tp->delivered_ce_bytes then */
	uint64_t prior_lost;       /* tp->lost_total then */
	uint64_t delivered;        /* bytes, in interval_us */
	uint64_t delivered_ce;     /* ... of them with a congestion mark */
	int64_t interval_us;       /* < 0 = no sample */
	uint32_t snd_interval_us, rcv_interval_us;
	int32_t rtt_us;            /* of the newest; -1 = none */
	uint32_t losses;           /* bytes marked lost with this ACK */
	uint32_t acked_sacked;     /* bytes newly acknowledged or SACKed */
	uint32_t prior_in_flight;  /* bytes before this ACK */
	uint32_t tx_in_flight;     /* bytes when the newest left, it included */
	uint32_t last_end_seq;     /* end of the newest */
	bool is_app_limited;       /* it left while the program had no more to send */
	bool is_retrans;           /* it was a retransmission */
	bool is_ack_delayed;       /* one segment alone: the peer may have waited with its ACK */
};

union tcp_cc_info; /* <linux/inet_diag.h> */

enum tcp_ca_flags {
	TCP_CONG_NON_RESTRICTED = 1, /* any program may ask for it */
	TCP_CONG_NEEDS_ECN = 2,      /* ECN is negotiated whatever the sysctl says; all segments are ECT */
};

/* One algorithm. It owns tp->ca_priv. Members may be NULL but for ssthresh, undo_cwnd and one of
 * cong_avoid and cong_control. */
struct tcp_congestion_ops {
	const char *name;          /* as TCP_CONGESTION names it, at most 15 bytes */
	uint32_t flags;            /* enum tcp_ca_flags */
	/* The connection is established, or has changed over: ca_priv is zero. */
	void (*init)(struct tcp_sock *tp);
	void (*release)(struct tcp_sock *tp);
	/* What the window is to shrink to: a loss, or a congestion mark (ECE). */
	uint32_t (*ssthresh)(struct tcp_sock *tp);
	/* @acked new bytes arrived while the window was in full use. */
	void (*cong_avoid)(struct tcp_sock *tp, uint32_t acked);
	/* Any ACK of text; @rs: valid until return. */
	void (*cong_control)(struct tcp_sock *tp, const struct tcp_rate_sample *rs);
	void (*set_state)(struct tcp_sock *tp, uint8_t new_state); /* tp->ca_state is still the old */
	void (*cwnd_event)(struct tcp_sock *tp, enum tcp_ca_event ev);
	void (*in_ack_event)(struct tcp_sock *tp, uint32_t flags);
	void (*pkts_acked)(struct tcp_sock *tp, const struct tcp_ack_sample *sample);
	/* The reduction was needless: the window to return to. */
	uint32_t (*undo_cwnd)(struct tcp_sock *tp);
	/* How many windows the send buffer is to hold; 2 without. */
	uint32_t (*sndbuf_expand)(struct tcp_sock *tp);
	/* Segments that a paced transmission has at least; 2 without. */
	uint32_t (*min_tso_segs)(struct tcp_sock *tp);
	/* Fills @info for TCP_CC_INFO and @attr with its INET_DIAG_*; bytes filled, 0 = nothing to tell. */
	size_t (*get_info)(const struct tcp_sock *tp, int *attr, union tcp_cc_info *info);
};

/* HyStart++ (RFC 9406 4.1): part of the private state of an algorithm that starts with it. */
struct tcp_hystart {
	uint32_t window_end;   /* snd_nxt at the start of the round */
	uint32_t last_rtt_us, curr_rtt_us; /* smallest of the last and of this round; UINT32_MAX = none */
	uint32_t css_base_us;  /* what ended slow start */
	uint8_t samples;       /* of this round, up to what is enough */
	uint8_t css_rounds;    /* conservative slow start: in its nth round; 0 = not */
	uint8_t css_rest;      /* bytes acknowledged, less than one of growth */
};

#define TCP_CA_NAME_MAX 16
#define TCP_CA_MAX 16 /* algorithms of one namespace */

/* The algorithms of a namespace. */
struct tcp_ca_list {
	const struct tcp_congestion_ops *ops[TCP_CA_MAX];
	bool allowed[TCP_CA_MAX];        /* tcp_allowed_congestion_control */
	unsigned int count;
};

/* ---- tcp_cong.c: the list -------------------------------------------------------------------- */

int tcp_register_congestion_control(struct net *net, const struct tcp_congestion_ops *ca);
int tcp_cong_init_net(struct net *net); /* registers all that are built in; the default is cubic */
const struct tcp_congestion_ops *tcp_ca_find(const struct net *net, const char *name, size_t len);
/* net.ipv4.tcp_congestion_control, tcp_available_..., tcp_allowed_congestion_control. */
int tcp_set_default_congestion_control(struct net *net, const char *name);
const char *tcp_get_default_congestion_control(const struct net *net);
void tcp_get_available_congestion_control(const struct net *net, char *buf, size_t len);
void tcp_get_allowed_congestion_control(const struct net *net, char *buf, size_t len);
int tcp_set_allowed_congestion_control(struct net *net, const char *names);

/* ---- tcp_cong.c: one connection -------------------------------------------------------------- */

void tcp_assign_congestion_control(struct tcp_sock *tp);  /* a new socket: the namespace's default */
void tcp_init_congestion_control(struct tcp_sock *tp);    /* established */
void tcp_cleanup_congestion_control(struct tcp_sock *tp); /* the socket ends, or changes over */
int tcp_set_congestion_control(struct tcp_sock *tp, const char *name, size_t len);
size_t tcp_get_cc_info(const struct tcp_sock *tp, union tcp_cc_info *info, int *attr);
void tcp_set_ca_state(struct tcp_sock *tp, uint8_t state);
void tcp_ca_event(struct tcp_sock *tp, enum tcp_ca_event ev);
void tcp_init_cwnd(struct tcp_sock *tp);
void tcp_cong_avoid(struct tcp_sock *tp, uint32_t acked);
void tcp_cwnd_restart(struct tcp_sock *tp);
uint32_t tcp_current_ssthresh(const struct tcp_sock *tp);
void tcp_cwnd_validate(struct tcp_sock *tp, bool limited); /* after sending */
bool tcp_is_cwnd_limited(const struct tcp_sock *tp);
void tcp_cong_ack_event(struct tcp_sock *tp, uint32_t flags);
void tcp_cong_acked(struct tcp_sock *tp, const struct tcp_ack_sample *sample);

/* ---- tcp_hystart.c --------------------------------------------------------------------------- */

void tcp_hystart_init(const struct tcp_sock *tp, struct tcp_hystart *h);
void tcp_hystart_acked(struct tcp_sock *tp, struct tcp_hystart *h, int32_t rtt_us);
uint32_t tcp_hystart_slow_start(struct tcp_sock *tp, struct tcp_hystart *h, uint32_t acked);

/* ---- tcp_newreno.c: what other algorithms share ---------------------------------------------- */

uint32_t tcp_slow_start(struct tcp_sock *tp, uint32_t acked);
void tcp_cong_avoid_ai(struct tcp_sock *tp, uint32_t window, uint32_t acked);
void tcp_reno_cong_avoid(struct tcp_sock *tp, uint32_t acked);
uint32_t tcp_reno_ssthresh(struct tcp_sock *tp);
uint32_t tcp_reno_undo_cwnd(struct tcp_sock *tp);

extern const struct tcp_congestion_ops tcp_newreno, tcp_cubic, tcp_dctcp, tcp_bbr;

#endif
