/* SPDX-License-Identifier: MIT */
/*
 * TCP (RFC 9293): the control block and what the files of this folder share.
 *
 * A segment's walk:   tcp_rcv (tcp_ipv4.c) finds the socket
 *                     -> tcp_rcv_state_process (tcp_input.c), the RFC's steps in the RFC's order
 *                        -> tcp_ack (tcp_ack.c: what was acknowledged, by the records of tcp_sent.c;
 *                           tcp_recovery.c, tcp_rack.c: what is lost; tcp_cong.c, tcp_prr.c: how much
 *                           may be in flight)
 *                        -> tcp_data_queue (tcp_reass.c: text into order)
 *                     -> tcp_output (tcp_output.c: what may be sent now; tcp_retransmit.c: what is
 *                        sent again) -> tcp_transmit (tcp_transmit.c: a segment) -> tcp_queue_xmit
 * A call's walk:      tcp_sendmsg, tcp_recvmsg, ... (tcp.c) -> tcp_output
 * A timer's walk:     tcp_timer.c -> tcp_output
 *
 * Half-open connections and TIME-WAIT are small entries of their own (tcp_minisock.c,
 * tcp_timewait.c).
 */
#ifndef STACK_TCP_TCP_H
#define STACK_TCP_TCP_H

#include "stack/core/checksum.h"
#include "stack/core/sock.h"
#include "stack/core/socket.h"
#include "stack/core/sysctl.h"
#include "stack/core/win_filter.h"
#include "stack/inet/af_inet.h"
#include "stack/inet/ip.h"
#include "stack/tcp/tcp_cong.h"
#include "stack/tcp/tcp_sent.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_seq.h"

/* ---- on the wire ----------------------------------------------------------------------------- */

/* RFC 9293 3.1. */
struct tcp_hdr {
	be16 source, dest;
	be32 seq, ack_seq;
	uint8_t doff;     /* data offset in 32-bit words << 4 | reserved bits */
	uint8_t flags;    /* TCPHDR_* */
	be16 window;
	uint16_t check;   /* as it stands on the wire */
	be16 urg_ptr;
};

enum tcp_flags {
	TCPHDR_FIN = 0x01, TCPHDR_SYN = 0x02, TCPHDR_RST = 0x04, TCPHDR_PSH = 0x08,
	TCPHDR_ACK = 0x10, TCPHDR_URG = 0x20, TCPHDR_ECE = 0x40, TCPHDR_CWR = 0x80,
};

#define TCP_HLEN 20U
#define TCP_MAX_HLEN 60U
#define TCP_MAX_SACK_BLOCKS 4
#define TCP_TS_OPTLEN 12U /* timestamps with their two NOPs */

/* RFC 7413 4.1.1 */
struct tcp_fastopen_cookie {
	uint8_t len;        /* 0 = asks for one */
	bool exp;           /* by the experimental option: kind 254, 0xF989 */
	uint8_t val[16];
};

/* The options of one segment, host order (tcp_options.c). */
struct tcp_options {
	bool has_mss, has_wscale, has_sack_ok, has_ts;
	uint8_t wscale;
	uint8_t nsacks;
	uint16_t mss;
	uint32_t tsval, tsecr;
	struct seq_range sacks[TCP_MAX_SACK_BLOCKS];
	bool has_fastopen;
	struct tcp_fastopen_cookie fastopen;
};

/* One received segment, parsed once, host byte order (RFC 9293's SEG.*). */
struct tcp_segment {
	struct sk_buff *skb;  /* data at the TCP header; the steps below strip it */
	struct net *net;
	struct inet_addr saddr, daddr; /* of the packet: saddr = peer */
	be16 sport, dport;
	uint32_t seq, ack;
	uint32_t end_seq;     /* first sequence number behind text, SYN and FIN */
	uint32_t len;         /* bytes of text */
	uint32_t wnd;         /* as in the header, unscaled */
	uint16_t urg_ptr;
	uint8_t flags;        /* TCPHDR_* */
	uint8_t hlen;         /* header with options, bytes */
	uint8_t reserved;     /* the four bits that RFC 9293 3.1 reserves; the last is AccECN's AE */
	uint8_t ecn;          /* enum ip_ecn, of the IP header */
	uint8_t ttl;
	int iif;
	struct tcp_options opt;
};

/* What is to become of a segment, after any step of its processing. */
enum tcp_verdict {
	TCP_PASS = 0,     /* go on with the next step; at the end: consumed normally */
	TCP_DROP,         /* drop with its reason; SKB_NOT_DROPPED: it has done its duty */
	TCP_RESET,        /* answer with a RST, then drop */
	TCP_TAKEN,        /* the skb is queued elsewhere; touch it no more */
};

struct tcp_result {
	enum tcp_verdict verdict;
	enum skb_drop_reason reason; /* with DROP and RESET */
};

#define TCP_RESULT(v, r) ((struct tcp_result){ .verdict = TCP_##v, .reason = SKB_##r })
#define TCP_GO_ON TCP_RESULT(PASS, NOT_DROPPED)

/* skb->cb while an skb is on one of TCP's queues: the text it holds. */
struct tcp_skb_cb {
	uint32_t seq, end_seq;
	uint8_t flags;       /* TCPHDR_PSH (write queue), TCPHDR_FIN (out-of-order queue) */
};
static inline struct tcp_skb_cb *tcp_cb(const struct sk_buff *skb)
{
	return (struct tcp_skb_cb *)(void *)(uintptr_t)skb->cb;
}

/* ---- the namespace --------------------------------------------------------------------------- */

#define TCP_RTO_INIT_US   1000000U   /* RFC 6298 2.1 */
#define TCP_RTO_FALLBACK_US 3000000U /* RFC 6298 5.7: after a SYN that was lost */
#define TCP_RTO_MIN_US    200000     /* the default; DEVIATES from RFC 6298 2.4 (1 s) as Linux */
#define TCP_RTO_MAX_US    120000000U
#define TCP_TIMEWAIT_MS   60000U     /* 2 MSL of 30 s, as Linux */
#define TCP_DELACK_MIN_MS 40U
#define TCP_DELACK_MAX_MS 200U
#define TCP_MSS_DEFAULT_V4 536U      /* RFC 9293 3.7.1 */
#define TCP_MIN_SND_MSS   48U
#define TCP_INIT_CWND     10U        /* segments, RFC 6928 */
#define TCP_INFINITE_SSTHRESH 0x7fffffffU /* no loss yet, as Linux */
#define TCP_MAX_SENT      65536U     /* records of one connection */
#define TCP_PAWS_24DAYS_MS (24ULL * 24 * 3600 * 1000)
#define TCP_MAX_WSCALE    14
#define TCP_MAX_QUICKACKS 16U
#define TCP_GSO_MAX_PAYLOAD 65535U
#define TCP_CMSG_INQ      36         /* TCP_CM_INQ of <linux/tcp.h>, which cannot be included beside sock.h */

/* tcp_recovery, Linux's bits. */
enum tcp_recovery_flags {
	TCP_RACK_LOSS_DETECTION = 1, TCP_RACK_STATIC_REO_WND = 2, TCP_RACK_NO_DUPTHRESH = 4,
};

/* Writable settings, under Linux's names (net.ipv4.tcp_*, times in the unit of the name). */
struct tcp_sysctls {
	int rmem[3], wmem[3];            /* bytes: min, default, max of autotuning */
	int mem[3];                      /* pages of 4096 bytes: end of pressure, its begin, limit */
	int mtu_probing;                 /* 0 off, 1 after a black hole, 2 always */
	int base_mss, mtu_probe_floor;   /* bytes: where probing begins, where it ends up at worst */
	int probe_threshold;             /* bytes: a smaller range is not searched */
	int probe_interval_s;
	int adv_win_scale;               /* -31 ... 31 */
	int tw_reuse;                    /* 0 no, 1 yes, 2 on loopback only */
	int syn_retries, synack_retries, retries1, retries2, orphan_retries;
	int fin_timeout_s;
	int keepalive_time_s, keepalive_intvl_s, keepalive_probes;
	int max_syn_backlog, max_tw_buckets, max_orphans;
	int fastopen;                    /* enum tcp_fastopen_flags */
	int fastopen_blackhole_timeout_s; /* 0 = never pause Fast Open */
	int syncookies;                  /* 0 never, 1 when the SYN queue is full, 2 always */
	int challenge_ack_limit;         /* of the namespace, per second; INT32_MAX = none, RFC 5961 7 */
	int invalid_ratelimit_ms;        /* between two ACKs of one connection for junk */
	int recovery;                    /* enum tcp_recovery_flags */
	int early_retrans;               /* 3, 4: tail loss probes */
	int frto;                        /* F-RTO: 0 = off */
	int reordering, max_reordering;  /* DupThresh: initial and largest, segments */
	int pacing_ss_ratio, pacing_ca_ratio; /* per cent of cwnd / srtt: in slow start, later */
	int min_tso_segs;                /* of a transmission, whatever the rate */
	int tso_rtt_log;                 /* 2^this us of round-trip time halve its bonus; 0 = no bonus */
	uint32_t notsent_lowat;          /* bytes; UINT32_MAX = no limit */
	int rto_min_us;
	int min_rtt_wlen_s;              /* how long the least round trip is remembered */
	int ecn;                         /* 0 = no ECN, 1 = ask and answer, 2 = answer who asks */
	bool ecn_fallback;               /* ask without when the SYN was lost */
	int timestamps;                  /* 0 none, 1 with an offset for each pair of hosts, 2 without */
	bool sack, dsack, window_scaling, slow_start_after_idle, moderate_rcvbuf, rfc1337;
	bool abort_on_overflow, stdurg, thin_linear_timeouts;
};

/* Bits of tcp_fastopen. */
enum tcp_fastopen_flags {
	TFO_CLIENT_ENABLE = 0x1, TFO_SERVER_ENABLE = 0x2,
	TFO_CLIENT_NO_COOKIE = 0x4,         /* text goes without one */
	TFO_SERVER_COOKIE_NOT_REQD = 0x200, /* text is taken without one */
	TFO_SERVER_WO_SOCKOPT1 = 0x400,     /* each listener, as if it had set TCP_FASTOPEN */
};

struct tcp_fastopen_keys {
	uint64_t key[2][2];
	uint8_t count;      /* 2: the second is accepted, too; 0: the namespace's are used */
};

struct netns_tcp {
	struct tcp_sysctls sysctl;
	uint64_t isn_key[2], ts_key[2], cookie_key[2][2];
	struct tcp_fastopen_keys fastopen_keys;
	struct fastopen_peer *fastopen_cache; /* NULL until needed */
	unsigned int fastopen_holes;     /* times that Fast Open was paused in a row */
	ktime_t fastopen_hole_time;      /* the last of them */
	uint32_t challenges_left;        /* in this second */
	ktime_t challenge_window;        /* its start */
	unsigned int orphans, timewaits;
	bool memory_pressure;
	ktime_t pressure_since;
	struct tcp_ca_list ca;
	const struct tcp_congestion_ops *default_ca;
	struct net_protocol protocol;
	struct ctl_table_header sysctls;
};

/* ---- the control block ----------------------------------------------------------------------- */

enum tcp_timers { TCPT_REXMT, TCPT_PERSIST, TCPT_DELACK, TCPT_KEEP, TCPT_PACE, TCPT_COUNT };

/* What TCPT_REXMT runs for. */
enum tcp_rexmt_kinds { REXMT_RTO, REXMT_TLP, REXMT_REO };

struct tcp_timer {
	struct timer_list timer;
	struct tcp_sock *tp;
};

/* Pending acknowledgement, tcp_send_ack.c and tcp_input.c. */
struct tcp_ack_state {
	bool scheduled;      /* something arrived that must be acknowledged */
	bool now;            /* without delay */
	bool pingpong;       /* interactive: answers carry the ACKs */
	uint8_t quick;       /* ACKs left to send without delay */
	uint8_t pushed;      /* small segments since the last ACK, 2 = more: reading them sends one */
	uint32_t ato_ms;     /* delay that fits the arrival rate; 0 = first segment is yet to come */
	uint32_t rcv_mss;    /* size of the peer's full segments, estimated */
	ktime_t lrcvtime;    /* arrival of the last text */
};

/* What a connection with text to send or in flight waits for. */
enum tcp_chrono {
	TCP_CHRONO_IDLE, TCP_CHRONO_BUSY, TCP_CHRONO_RWND_LIMITED, TCP_CHRONO_SNDBUF_LIMITED,
	TCP_CHRONO_COUNT,
};

/* TCP_INFO's words. */
enum tcp_fastopen_fail {
	TFO_FAIL_NONE, TFO_FAIL_COOKIE_UNAVAILABLE, TFO_FAIL_DATA_NOT_ACKED, TFO_FAIL_SYN_RETRANSMITTED,
};

enum tcp_urg_state { URG_NONE, URG_NOTYET, URG_VALID, URG_READ };

struct tcp_sock {
	struct inet_sock inet; /* first */
	struct tcp_timer timers[TCPT_COUNT];

	/*
	 * The connection: from iss to last_oow_ack all is zero again when a socket is connected anew.
	 * Send sequence space (RFC 9293 3.3.1). Text in [snd_una, write_seq), a FIN at write_seq.
	 */
	uint32_t iss;
	uint32_t snd_una;       /* oldest unacknowledged */
	uint32_t snd_nxt;       /* next to be sent for the first time; never goes back */
	uint32_t write_seq;     /* end of the program's text */
	uint32_t snd_wnd;       /* peer's window, scaled, from snd_una */
	uint32_t snd_wl1, snd_wl2; /* SEG.SEQ and SEG.ACK of the last window update */
	uint32_t snd_up;        /* end of urgent text */
	uint32_t snd_sml;       /* end of the last small segment (Minshall's Nagle) */
	uint32_t max_window;    /* largest snd_wnd ever seen */
	uint8_t snd_wscale;     /* shift for windows received */
	bool fin_queued;        /* the program's text ends with a FIN at write_seq */
	bool urg_pending;       /* snd_up is ahead of snd_una */
	struct sk_buff_head write_queue; /* tcp_skb_cb; linear; from snd_una on */
	struct sk_buff *send_hint;  /* holds or precedes snd_nxt; NULL = search from the head */
	uint32_t mss_base;      /* largest text + options of a segment: min(peer's MSS, path MTU - 40) */
	uint32_t mss_clamp;     /* peer's MSS option (or 536) */
	uint32_t pmtu;          /* that mss_base was made from */
	uint16_t advmss;        /* MSS option that we send */

	/* The path's MTU by probing (tcp_mtu_probe.c): bytes of IP packets. */
	bool mtup_enabled;
	uint32_t mtup_low, mtup_high; /* passes; passes at most */
	uint32_t mtup_size;     /* of the probe in flight; 0 = none */
	uint32_t mtup_start, mtup_end; /* its text */
	ktime_t mtup_stamp;     /* begin of this search */

	/* Receive sequence space. */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_wup;       /* rcv_nxt when the window was last announced */
	uint32_t rcv_wnd;       /* window announced then */
	uint32_t rcv_wnd_more;  /* bytes behind it that an earlier one had room for: less than a unit of the scale */
	uint32_t rcv_ssthresh;  /* announce no more: grows with what arrives; 0 = no limit yet */
	uint32_t copied_seq;    /* next byte for the program */
	uint32_t rcv_up;        /* urgent pointer, valid with urg_state */
	bool peer_fin;          /* its FIN has been received in order; rcv_nxt is behind it */
	uint8_t rcv_wscale;     /* shift for windows sent */
	uint8_t urg_state;      /* enum tcp_urg_state */
	uint8_t urg_byte;
	struct sk_buff_head ofo_queue; /* out of order: ascending, no overlaps */
	struct tcp_ack_state ack;

	/* SACK to send (RFC 2018 4): most recent first. dsack goes in front, once. */
	struct seq_range rcv_sacks[TCP_MAX_SACK_BLOCKS];
	struct seq_range dsack; /* empty when start == end */
	uint8_t num_rcv_sacks;

	/* Options agreed on. */
	bool ts_ok, sack_ok, wscale_ok;
	uint32_t ts_off;        /* added to the millisecond clock */
	uint32_t ts_recent;     /* TS.Recent */
	ktime_t ts_recent_stamp; /* when it was set; 0 = never */
	uint32_t last_ack_sent; /* Last.ACK.sent of RFC 7323 4.3 */
	uint32_t rcv_tsecr;     /* last echo received */

	/* Fast Open (tcp_fastopen.c). */
	struct tcp_fastopen_cookie syn_cookie; /* for the option of the first SYN or SYN-ACK */
	bool syn_option;        /* it is to have that option */
	bool syn_asked;         /* the SYN had it */
	bool syn_fastopen;      /* text may have gone with the SYN */
	bool syn_data;          /* it did */
	bool syn_data_acked;    /* and was taken; at the server: the SYN had text */
	uint8_t fastopen_client_fail; /* enum tcp_fastopen_fail */

	/* Round-trip time and retransmission timeout (RFC 6298); all microseconds. */
	uint32_t srtt_us, rttvar_us; /* srtt 0 = no sample yet */
	uint32_t rto_us;        /* without backoff */
	struct win_filter rtt_min; /* of tcp_min_rtt_wlen seconds; microseconds by nanoseconds */
	uint32_t min_rtt_us;    /* what it says; UINT32_MAX = none */
	uint8_t backoff;        /* doublings of rto_us */
	uint8_t retransmits;    /* timeouts in a row without progress */
	uint8_t probes_out;     /* zero-window or keepalive probes without answer */
	ktime_t retrans_stamp;  /* first retransmission of this loss episode; 0 = none */
	ktime_t stall_stamp;    /* first retransmission or probe since snd_una moved; 0 = none */
	ktime_t timeout_stamp;  /* last retransmission timeout */
	ktime_t syn_stamp;      /* when the SYN left first */

	/* What is under way: one record a transmission (tcp_sent.c). */
	struct list_head sent_seq;  /* all, ascending */
	struct list_head sent_time; /* in flight, by last transmission */
	struct list_head sent_lost; /* to be sent again, ascending */
	struct tcp_sent *sack_hint; /* where the last SACK was found; NULL = none */
	uint32_t sent_nr;           /* records */
	uint64_t xmit_order;        /* transmissions so far */
	uint32_t packets_out, sacked_out, lost_out, retrans_out; /* segments */
	uint32_t sacked_bytes, lost_bytes, retrans_bytes;
	struct seq_range sack_cache[TCP_MAX_SACK_BLOCKS]; /* blocks of the last ACK with SACK, ascending */
	uint8_t sack_cache_nr;

	/* Rate of delivery (tcp_rate.c); bytes. */
	uint64_t delivered_bytes;   /* acknowledged or SACKed so far */
	uint64_t delivered_ce_bytes; /* ... of them with a congestion mark */
	uint64_t lost_total;        /* marked lost so far */
	uint64_t app_limited;       /* delivered_bytes at the end of what left with room to spare; 0 = none */
	ktime_t delivered_time;     /* last delivery */
	ktime_t first_tx_time;      /* start of the sending phase of the current sample */

	/* RACK-TLP (RFC 8985 names; tcp_rack.c, tcp_tlp.c). */
	uint64_t rack_order;        /* of the newest transmission delivered; stands for RACK.xmit_ts */
	uint32_t rack_end;          /* ... its end */
	uint32_t rack_rtt_us;
	uint32_t rack_fack;         /* highest number SACKed or acknowledged */
	uint32_t rack_dsack_round;  /* ACK that ends the round of the last D-SACK */
	uint8_t rack_reo_mult;      /* reo_wnd in quarters of the least round trip; 0 = 1 */
	uint8_t rack_reo_persist;   /* recoveries until that is 1 again */
	bool rack_valid, rack_dsack_round_set;
	bool tlp_out, tlp_retrans;  /* a probe is out; it was text sent before */
	bool tlp_unmeasured;        /* no round trip has been measured since the last one */
	uint32_t tlp_high_seq;      /* snd_nxt behind the probe */
	uint8_t rexmt_kind;         /* enum tcp_rexmt_kinds: what TCPT_REXMT runs for */

	/* Loss recovery (tcp_recovery.c, tcp_loss.c, tcp_prr.c, tcp_undo.c). */
	uint8_t ca_state;           /* enum tcp_ca_states */
	bool frto;                  /* F-RTO is looking whether the timeout was right */
	bool send_new_only;         /* ... and wants new text */
	uint32_t recover;           /* RecoveryPoint: snd_nxt when the state began */
	uint32_t reordering;        /* DupThresh, segments; grows with the distance of reordering */
	uint32_t reord_seen;        /* times that text came behind later text */
	uint32_t dupacks;           /* duplicate ACKs since snd_una moved, without SACK */
	uint32_t reno_sacked;       /* bytes that duplicate ACKs say have left, without SACK */
	bool reno_guard;            /* duplicate ACKs for reno_recover may be of the last recovery's making */
	uint32_t reno_recover;
	uint32_t prr_delivered, prr_out; /* bytes in this reduction */
	bool cwr_to_one;            /* for a mark at the least window: it ends at one segment */
	uint8_t ecn_backoff;        /* marks in a row at a window of one segment */
	ktime_t ecn_hold;           /* no text before then, for these */
	uint32_t prior_cwnd;        /* before the reduction */
	uint32_t prior_ssthresh;    /* that an undo returns to; 0 = none */
	bool undo_possible;         /* the last reduction may yet prove needless */
	bool undo_rexmitted;        /* something was sent again since */
	uint32_t undo_start, undo_bytes; /* snd_una then; sent again since and not reported twice */

	/* Congestion window (RFC 5681, RFC 9438); bytes. */
	uint32_t snd_cwnd, snd_ssthresh;
	uint32_t cwnd_acked;    /* acknowledged bytes not yet turned into growth */
	bool cwnd_limited;      /* in this window's worth sending stopped for cwnd at some time */
	uint32_t max_flight;    /* ... and if not, the most that was in flight */
	uint32_t cwnd_usage_seq; /* end of this window's worth */
	uint32_t cwnd_used;     /* most in flight since cwnd_stamp */
	ktime_t cwnd_stamp;     /* when the window was last in full use, or adjusted */
	ktime_t last_send;      /* of text */

	/* Pacing (tcp_pacing.c). */
	uint64_t pacing_rate;   /* bytes/s; 0 = not known yet */
	ktime_t pacing_at;      /* text may leave from then on */
	bool ca_paces;          /* the algorithm asks for pacing */

	/* What held sending back, and since when. */
	uint8_t chrono;         /* enum tcp_chrono */
	ktime_t chrono_start;
	uint64_t chrono_ns[TCP_CHRONO_COUNT];
	uint8_t ecn_flags;      /* enum tcp_ecn_flags */
	bool ca_initialized;    /* ca->init() has been called */
	uint64_t ca_priv[32];   /* the algorithm's own */

	/* Receive buffer tuning. */
	uint32_t rcv_rtt_us;
	uint32_t rcv_rtt_seq;   /* window's end, measured without timestamps */
	ktime_t rcv_rtt_time;
	uint32_t rcvq_space, rcvq_seq;
	ktime_t rcvq_time;

	/* Statistics, for TCP_INFO. */
	uint16_t total_rto, total_rto_recoveries; /* timeouts; rows of them that have ended */
	uint32_t total_rto_time_ms; /* in such rows */
	ktime_t rto_stamp;      /* begin of the row; 0 = none */
	uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans;
	uint32_t dsack_dups, rcv_ooopack, delivered, delivered_ce;
	uint64_t rate_delivered;    /* bytes, in rate_interval_us: the last rate sample worth telling */
	uint32_t rate_interval_us;  /* 0 = none */
	bool rate_app_limited;
	ktime_t rcv_tstamp;     /* last segment received with an ACK */
	ktime_t last_oow_ack;   /* last ACK sent for junk, rate limit */

	/* What the program asked for. */
	const struct tcp_congestion_ops *ca;
	uint32_t user_mss;      /* TCP_MAXSEG, 0 = none */
	uint32_t window_clamp;  /* never announce more; 0 = no limit */
	bool nodelay, cork;
	uint32_t keep_idle_s, keep_intvl_s; /* 0 = the namespace's */
	uint8_t keep_cnt, syn_retries;      /* 0 = the namespace's */
	uint32_t user_timeout_ms;           /* 0 = retries2 */
	int32_t linger2_s;                  /* 0 = fin_timeout, -1 = none at all */
	uint32_t notsent_lowat;             /* 0 = the namespace's */
	bool inq_cmsg;                      /* TCP_INQ */
	uint8_t save_syn;                   /* TCP_SAVE_SYN: 1 from the IP header on, 2 from the frame's on */
	bool thin_lto;                      /* TCP_THIN_LINEAR_TIMEOUTS */
	bool fastopen_connect;              /* TCP_FASTOPEN_CONNECT, or MSG_FASTOPEN right now */
	bool fastopen_no_cookie;            /* TCP_FASTOPEN_NO_COOKIE */
	struct tcp_fastopen_keys fastopen_keys; /* TCP_FASTOPEN_KEY */

	/* Listener. */
	struct list_head accept_queue;      /* children, by tp->accept_node */
	struct list_head syn_queue;         /* requests, by req->node */
	uint32_t accept_qlen, syn_qlen;
	uint32_t syn_young;                 /* of them: SYN-ACK sent only once */
	ktime_t synq_overflow;              /* last SYN answered by a cookie; 0 = never */
	uint32_t backlog;
	uint32_t defer_accept_s;            /* TCP_DEFER_ACCEPT; 0 = off */
	uint32_t fastopen_max_qlen;         /* TCP_FASTOPEN */
	uint32_t fastopen_qlen;             /* early connections whose handshake is not complete */
	uint32_t fastopen_rsts;             /* of them reset within a minute before ... */
	ktime_t fastopen_rst_time;          /* ... the last of these */
	/* Child. */
	struct list_head accept_node;
	struct tcp_sock *listener;          /* while in its accept queue, else NULL */
	struct tcp_saved_syn *saved_syn;    /* TCP_SAVED_SYN; NULL = none */

	struct tcp_sock *fastopen_rsk;      /* early: the listener that counts it, held; else NULL */

	bool orphan_counted;    /* in net->tcp->orphans and net->busy */
};

static inline struct tcp_sock *tcp_sk(const struct sock *sk)
{
	return (struct tcp_sock *)(uintptr_t)sk;
}
static inline struct sock *tcp_to_sk(const struct tcp_sock *tp)
{
	return (struct sock *)(uintptr_t)&tp->inet.sk;
}
static inline struct net *tcp_net(const struct tcp_sock *tp) { return tp->inet.sk.net; }

/* The headers of a SYN, for TCP_SAVED_SYN. */
struct tcp_saved_syn {
	uint32_t len;
	uint8_t data[];
};

/* SYN-RECEIVED of a passive open: small, not a socket; in the established table. */
struct tcp_request {
	struct inet_sock inet;  /* first; sk.state = TCP_SYN_RECV, prot = &tcp_request_prot */
	struct list_head node;  /* listener's syn_queue */
	struct tcp_sock *listener; /* held */
	struct timer_list timer;
	uint32_t iss, irs, rcv_wnd;
	uint16_t peer_wnd;      /* window of the SYN, unscaled */
	uint32_t ts_off, ts_recent;
	uint16_t mss, advmss;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t timeouts;
	bool wscale_ok, ts_ok, sack_ok, ecn_ok, acked, retransmitted;
	struct tcp_saved_syn *saved_syn; /* NULL = none */
	bool has_fastopen;      /* the SYN-ACK carries ... */
	struct tcp_fastopen_cookie fastopen; /* ... this */
	bool cookie;            /* not kept: its SYN-ACK tells all (tcp_syncookies.c) */
	ktime_t sent;           /* first SYN-ACK */
	ktime_t last_oow_ack;
};

/* TIME-WAIT, and FIN-WAIT-2 once the program is gone. */
struct tcp_timewait {
	struct inet_sock inet;  /* first; sk.state = TCP_TIME_WAIT, prot = &tcp_timewait_prot */
	struct timer_list timer;
	uint8_t substate;       /* TCP_TIME_WAIT or TCP_FIN_WAIT2 */
	uint8_t rcv_wscale;
	bool ts_ok;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd;
	uint32_t ts_off, ts_recent;
	ktime_t ts_recent_stamp;
	ktime_t last_oow_ack;
};

extern const struct proto tcp_prot, tcp_request_prot, tcp_timewait_prot;
extern const struct pernet_operations tcp_pernet_ops;

/* ---- tcp_ipv4.c: addresses ------------------------------------------------------------------- */
void tcp_rcv(struct sk_buff *skb);
void tcp_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info);
uint32_t tcp_secure_isn(struct net *net, const struct inet_sock *inet);
uint32_t tcp_secure_ts_off(struct net *net, const struct inet_addr *saddr, const struct inet_addr *daddr);
/* Empty buffer with room for a whole header, the route checked; NULL with *err set. */
struct sk_buff *tcp_alloc_header(struct inet_sock *inet, int *err);
/* Starts the checksum and sends; skb->data at the TCP header. Consumes. */
int tcp_queue_xmit(struct inet_sock *inet, struct sk_buff *skb);
void tcp_send_reset(const struct tcp_segment *seg);
/* An ACK (or with flags RST) from no full socket: TIME-WAIT and requests. */
void tcp_send_bare(struct inet_sock *inet, uint32_t seq, uint32_t ack, uint16_t wnd, uint8_t flags,
		   const struct tcp_options *ts);
struct inet_sock *tcp_lookup(const struct tcp_segment *seg);

/* ---- tcp_sysctl.c: net.ipv4.tcp_* -------------------------------------------------------------- */
void tcp_sysctl_init(struct net *net);
void tcp_sysctl_exit(struct net *net);

/* ---- tcp_options.c --------------------------------------------------------------------------- */
void tcp_parse_options(const uint8_t *opt, uint32_t len, bool syn, struct tcp_options *out);
uint32_t tcp_write_syn_options(uint8_t *p, const struct tcp_options *o);
uint32_t tcp_established_optlen(const struct tcp_sock *tp);
uint32_t tcp_write_established_options(struct tcp_sock *tp, uint8_t *p);
uint32_t tcp_ts_clock(const struct net *net, uint32_t ts_off);
/* What the clock showed at @at. */
static inline uint32_t tcp_ts_at(ktime_t at, uint32_t ts_off) { return (uint32_t)(at / NSEC_PER_MSEC) + ts_off; }
uint32_t tcp_write_ts_option(uint8_t *p, uint32_t tsval, uint32_t tsecr);

/* ---- tcp_minisock.c: SYN-RECEIVED ------------------------------------------------------------ */
struct tcp_result tcp_conn_request(struct tcp_sock *listener, struct tcp_segment *seg, uint32_t isn);
struct tcp_result tcp_request_rcv(struct tcp_request *req, struct tcp_segment *seg);
void tcp_request_kill(struct tcp_request *req);
void tcp_request_err(struct tcp_request *req, uint32_t seq);
void tcp_listen_stop(struct tcp_sock *tp);
struct tcp_result tcp_cookie_rcv(struct tcp_sock *listener, struct tcp_segment *seg);

/* ---- tcp_syncookies.c: RFC 4987 -------------------------------------------------------------- */
uint32_t tcp_cookie_isn(struct tcp_request *req);
uint32_t tcp_cookie_ts(const struct tcp_request *req);
void tcp_cookie_sent(struct tcp_sock *listener);
bool tcp_cookie_check(const struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_segment *syn);

/* ---- tcp_fastopen.c: RFC 7413 ---------------------------------------------------------------- */
bool tcp_fastopen_prepare(struct tcp_sock *tp);
void tcp_open_early(struct tcp_sock *tp);
void tcp_fastopen_synack(struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_fastopen_timeout(struct tcp_sock *tp);
bool tcp_fastopen_try(struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_fastopen_cookie *answer, bool *has);
void tcp_fastopen_child_end(struct tcp_sock *tp, bool by_reset);
void tcp_fastopen_listen(struct tcp_sock *tp, uint32_t qlen);
int tcp_fastopen_set_keys(struct tcp_fastopen_keys *keys, const void *val, socklen_t len);
void tcp_fastopen_init(struct net *net);

/* ---- tcp_timewait.c -------------------------------------------------------------------------- */
void tcp_enter_time_wait(struct tcp_sock *tp, uint8_t substate, uint32_t timeout_ms);
/* @again: a SYN may open a new connection in its place; *isn is its least initial number. */
struct tcp_result tcp_timewait_rcv(struct tcp_timewait *tw, struct tcp_segment *seg, bool *again,
				   uint32_t *isn);
void tcp_timewait_kill(struct tcp_timewait *tw);
/* inet_hash_connect()'s question. */
int tcp_check_established(struct inet_sock *inet, uint16_t port);
bool tcp_paws_reject(uint32_t ts_recent, ktime_t stamp, uint32_t tsval, ktime_t now);

/* ---- tcp_input.c ----------------------------------------------------------------------------- */
/* Consumes seg->skb. */
void tcp_segment_rcv(struct tcp_sock *tp, struct tcp_segment *seg);
void tcp_carry_out(struct tcp_segment *seg, struct tcp_result r);
void tcp_finish_connect(struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_send_challenge_ack(struct tcp_sock *tp);
bool tcp_oow_rate_limited(struct net *net, ktime_t *last, enum mib skipped);
void tcp_init_buffers(struct tcp_sock *tp);
void tcp_store_ts_recent(struct tcp_sock *tp, const struct tcp_segment *seg);

/* ---- tcp_reass.c: text into order ------------------------------------------------------------ */
enum skb_drop_reason tcp_data_queue(struct tcp_sock *tp, struct tcp_segment *seg);
void tcp_note_dsack(struct tcp_sock *tp, uint32_t start, uint32_t end);
void tcp_ofo_purge(struct tcp_sock *tp);
uint32_t tcp_rmem_used(const struct tcp_sock *tp);
void tcp_rcv_space_adjust(struct tcp_sock *tp);
void tcp_rcv_rtt_measure(struct tcp_sock *tp, const struct tcp_segment *seg);

/* ---- tcp_ack.c ------------------------------------------------------------------------------- */
struct tcp_result tcp_ack(struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_rtt_sample(struct tcp_sock *tp, uint32_t rtt_us);
void tcp_update_rtt_min(struct tcp_sock *tp, uint32_t rtt_us);
uint32_t tcp_rto_us(const struct tcp_sock *tp); /* with backoff */
uint32_t tcp_rto_left_us(const struct tcp_sock *tp);
void tcp_rearm_rto(struct tcp_sock *tp);
bool tcp_fin_acked(const struct tcp_sock *tp);

/* ---- tcp_rack.c, tcp_tlp.c: RFC 8985 --------------------------------------------------------- */
void tcp_rack_advance(struct tcp_sock *tp, const struct tcp_sent *s, struct tcp_ack_news *news);
void tcp_rack_update_reo_wnd(struct tcp_sock *tp, const struct tcp_ack_news *news);
void tcp_rack_recovery_ended(struct tcp_sock *tp);
bool tcp_rack_is_overdue(const struct tcp_sock *tp, const struct tcp_sent *s);
uint32_t tcp_rack_detect(struct tcp_sock *tp);
bool tcp_rack_mark_lost(struct tcp_sock *tp);
void tcp_check_reordering(struct tcp_sock *tp, uint32_t low);
bool tcp_schedule_loss_probe(struct tcp_sock *tp, bool advancing);
void tcp_send_loss_probe(struct tcp_sock *tp);
void tcp_process_tlp_ack(struct tcp_sock *tp, const struct tcp_ack_news *news);

/* ---- tcp_recovery.c: the states -------------------------------------------------------------- */
bool tcp_use_rack(const struct tcp_sock *tp);
void tcp_take_sacks(struct tcp_sock *tp, struct tcp_ack_news *news);
void tcp_add_reno_sack(struct tcp_sock *tp, struct tcp_ack_news *news);
void tcp_try_keep_open(struct tcp_sock *tp);
void tcp_enter_recovery(struct tcp_sock *tp);
void tcp_fastretrans_alert(struct tcp_sock *tp, struct tcp_ack_news *news);
void tcp_reo_timeout(struct tcp_sock *tp);

/* ---- tcp_loss.c: timeouts -------------------------------------------------------------------- */
void tcp_enter_loss(struct tcp_sock *tp);
void tcp_mark_all_lost(struct tcp_sock *tp, uint32_t old_mss); /* too large for the path: send all again */
void tcp_resend_lost(struct tcp_sock *tp);
bool tcp_process_loss(struct tcp_sock *tp, struct tcp_ack_news *news);

/* ---- tcp_prr.c: the window on its way down --------------------------------------------------- */
bool tcp_in_cwnd_reduction(const struct tcp_sock *tp);
void tcp_init_cwnd_reduction(struct tcp_sock *tp);
void tcp_cwnd_reduction(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, bool advanced);
void tcp_end_cwnd_reduction(struct tcp_sock *tp);
void tcp_enter_cwr(struct tcp_sock *tp);
bool tcp_ecn_holds(struct tcp_sock *tp);

/* ---- tcp_undo.c ------------------------------------------------------------------------------ */
void tcp_init_undo(struct tcp_sock *tp);
bool tcp_any_retrans_done(const struct tcp_sock *tp);
void tcp_undo_note_dsack(struct tcp_sock *tp, struct seq_range r);
bool tcp_original_arrived(const struct tcp_sock *tp, const struct tcp_segment *seg);
void tcp_try_undo_recovery(struct tcp_sock *tp, const struct tcp_segment *seg);
bool tcp_try_undo_dsack(struct tcp_sock *tp);
bool tcp_try_undo_partial(struct tcp_sock *tp, const struct tcp_ack_news *news);
bool tcp_try_undo_loss(struct tcp_sock *tp, const struct tcp_segment *seg, bool frto);

/* ---- tcp_mtu_probe.c: RFC 4821 --------------------------------------------------------------- */
void tcp_mtup_init(struct tcp_sock *tp);
uint32_t tcp_mtup_limit(struct tcp_sock *tp, uint32_t mss, uint32_t pmtu);
void tcp_mtup_timeout(struct tcp_sock *tp);
int tcp_mtup_probe_size(struct tcp_sock *tp, uint32_t avail);
void tcp_mtup_sent(struct tcp_sock *tp, uint32_t text);
void tcp_mtup_acked(struct tcp_sock *tp);
bool tcp_mtup_lost(struct tcp_sock *tp);

/* ---- tcp_mem.c ------------------------------------------------------------------------------- */
bool tcp_under_pressure(struct net *net);
bool tcp_wmem_allows(const struct tcp_sock *tp);
bool tcp_rmem_allows(const struct tcp_sock *tp);
bool tcp_check_oom(const struct tcp_sock *tp);
uint32_t tcp_win_from_space(const struct net *net, int64_t space);

/* ---- tcp_output.c: what may be sent now ------------------------------------------------------ */
void tcp_output(struct tcp_sock *tp);               /* sends whatever may be sent */
void tcp_push_pending(struct tcp_sock *tp, bool more); /* after a write; @more: MSG_MORE */
bool tcp_send_probe_segment(struct tcp_sock *tp);   /* TLP: a segment of new text */
void tcp_write_wakeup(struct tcp_sock *tp);         /* zero-window probe */

/* ---- tcp_retransmit.c ------------------------------------------------------------------------ */
int tcp_retransmit_first(struct tcp_sock *tp);
bool tcp_retransmit_tail(struct tcp_sock *tp);      /* TLP: the last segment again */

/* ---- tcp_send_ack.c: segments without text --------------------------------------------------- */
void tcp_send_ack(struct tcp_sock *tp);
void tcp_send_delayed_ack(struct tcp_sock *tp);
void tcp_send_active_reset(struct tcp_sock *tp);
void tcp_send_probe(struct tcp_sock *tp);           /* segment that only asks for an ACK */

/* ---- tcp_send_syn.c -------------------------------------------------------------------------- */
int tcp_send_syn(struct tcp_sock *tp);              /* SYN, or SYN-ACK in SYN-RECEIVED */
int tcp_send_first_syn(struct tcp_sock *tp);        /* the same with Fast Open's option and text */
void tcp_send_synack(struct tcp_request *req);

/* ---- tcp_mss.c: sizes ------------------------------------------------------------------------ */
uint32_t tcp_current_mss(const struct tcp_sock *tp);
void tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu);
uint32_t tcp_size_goal(const struct tcp_sock *tp);
uint32_t tcp_route_mtu(struct tcp_sock *tp);
uint16_t tcp_advertised_mss(struct inet_sock *inet, uint32_t user_mss);

/* ---- tcp_window.c: the window we announce ---------------------------------------------------- */
uint32_t tcp_select_window(struct tcp_sock *tp);    /* window to announce now, bytes; remembers it */
uint32_t tcp_free_window(const struct tcp_sock *tp); /* the same without remembering */
uint32_t tcp_receive_window(const struct tcp_sock *tp); /* what is left of the announced one */
uint32_t tcp_initial_clamp(const struct tcp_sock *tp);
void tcp_select_initial_window(struct net *net, int space, uint32_t mss, bool wscale_ok, uint32_t clamp,
			       uint32_t *wnd, uint8_t *wscale);

static inline bool tcp_in_slow_start(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }
static inline uint32_t tcp_snd_end(const struct tcp_sock *tp) { return tp->write_seq + tp->fin_queued; }
static inline uint32_t tcp_wnd_end(const struct tcp_sock *tp) { return tp->snd_una + tp->snd_wnd; }
static inline uint32_t tcp_in_flight(const struct tcp_sock *tp) { return tp->snd_nxt - tp->snd_una; }
/* Bytes that may still be in the network (RFC 6675 4, SetPipe(), from counters). */
static inline uint32_t tcp_pipe(const struct tcp_sock *tp)
{
	uint32_t left = tp->sacked_bytes + tp->lost_bytes + tp->reno_sacked, flight = tcp_in_flight(tp);

	return flight - MIN(left, flight) + tp->retrans_bytes;
}
static inline uint32_t tcp_unsent(const struct tcp_sock *tp) { return tcp_snd_end(tp) - tp->snd_nxt; }
/* TCP_NOTSENT_LOWAT: is little enough waiting for more to be written? */
static inline bool tcp_below_lowat(const struct tcp_sock *tp)
{
	return tcp_unsent(tp) < (tp->notsent_lowat ? tp->notsent_lowat : tcp_net(tp)->tcp->sysctl.notsent_lowat);
}
/* The least retransmission timeout beyond the round-trip time. */
static inline uint32_t tcp_rto_min_us(const struct tcp_sock *tp)
{
	return (uint32_t)tcp_net(tp)->tcp->sysctl.rto_min_us;
}

/* ---- tcp_pacing.c ---------------------------------------------------------------------------- */
bool tcp_needs_pacing(const struct tcp_sock *tp);
uint64_t tcp_pacing_rate(const struct tcp_sock *tp);
void tcp_update_pacing_rate(struct tcp_sock *tp);
uint32_t tcp_tso_goal(const struct tcp_sock *tp, uint32_t max, uint32_t mss);
bool tcp_pacing_check(struct tcp_sock *tp);
void tcp_pacing_sent(struct tcp_sock *tp, uint32_t len);
void tcp_chrono_update(struct tcp_sock *tp);
uint64_t tcp_chrono_us(const struct tcp_sock *tp, enum tcp_chrono state);

/* ---- tcp_timer.c ----------------------------------------------------------------------------- */
void tcp_init_timers(struct tcp_sock *tp);
void tcp_destroy_timers(struct tcp_sock *tp);
void tcp_clear_timers(struct tcp_sock *tp);
void tcp_arm(struct tcp_sock *tp, enum tcp_timers which, uint64_t delay_us);
void tcp_arm_rexmt(struct tcp_sock *tp, enum tcp_rexmt_kinds kind, uint64_t delay_us);
void tcp_disarm(struct tcp_sock *tp, enum tcp_timers which);
bool tcp_armed(const struct tcp_sock *tp, enum tcp_timers which);
void tcp_set_keepalive(struct tcp_sock *tp, bool on);
uint32_t tcp_keepalive_time(const struct tcp_sock *tp); /* seconds, the namespace's by default */
uint32_t tcp_keepalive_intvl(const struct tcp_sock *tp);
uint32_t tcp_keepalive_cnt(const struct tcp_sock *tp);
uint32_t tcp_fin_time_ms(const struct tcp_sock *tp);

/* ---- tcp.c: user calls and the life of a socket ---------------------------------------------- */
const char *tcp_state_name(uint8_t state);
void tcp_describe(const struct sock *sk, char *buf, size_t len);
void tcp_set_state(struct tcp_sock *tp, uint8_t state);
void tcp_done(struct tcp_sock *tp);   /* CLOSED: no timers, not found by segments any more */
void tcp_abort(struct tcp_sock *tp, int err); /* positive errno for the program, then tcp_done() */
void tcp_write_queue_purge(struct tcp_sock *tp);
void tcp_cleanup_rbuf(struct tcp_sock *tp, size_t copied);
void tcp_write_space(struct tcp_sock *tp);
void tcp_queue_fin(struct tcp_sock *tp);
void tcp_orphan_fin_wait2(struct tcp_sock *tp);
void tcp_kill_all(struct net *net); /* the namespace ends */
uint32_t tcp_inq(const struct tcp_sock *tp);
bool tcp_stream_writeable(const struct tcp_sock *tp);

/* ---- tcp_stream.c: text from and to the program ---------------------------------------------- */
ssize_t tcp_sendmsg(struct sock *sk, struct stack_msg *msg);
ssize_t tcp_recvmsg(struct sock *sk, struct stack_msg *msg);
ssize_t tcp_fill_sock(struct sock *sk, ssize_t (*filler)(void *arg, uint8_t *buf, size_t len),
		      void *arg);
ssize_t tcp_read_sock(struct sock *sk, size_t (*actor)(void *arg, const uint8_t *data, size_t len),
		      void *arg);

/* ---- tcp_sockopt.c --------------------------------------------------------------------------- */
int tcp_setsockopt(struct sock *sk, int level, int name, const void *val, socklen_t len);
int tcp_getsockopt(struct sock *sk, int level, int name, void *val, socklen_t *len);
int tcp_ioctl(struct sock *sk, unsigned long cmd, int *value);

#endif
