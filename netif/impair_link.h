/* SPDX-License-Identifier: MIT */
/* What the files of the impairment share; others include impair.h. */
#ifndef NETIF_IMPAIR_LINK_H
#define NETIF_IMPAIR_LINK_H

#include "netif/impair.h"
#include "stack/core/random.h"

enum {
	IMPAIR_DIRS = 2,          /* indexed by enum tap_dir */
	IMPAIR_DEVS = 8,          /* in one plan */
	IMPAIR_RULES = 256,       /* on one device */
	IMPAIR_DOWNS = 8,         /* in one direction */
	IMPAIR_RULE_TEXT = 160,   /* bytes kept of a rule for reports */
	IMPAIR_HELD_MAX = 20000,  /* frames on the way in one direction */
	IMPAIR_CONNS = 4096,      /* connections remembered */
	IMPAIR_SEGMENTS = 256,    /* numbered data segments per connection and direction */
};

/* Probabilities are integers of this scale, so that a run is the same on every machine. */
#define IMPAIR_CERTAIN 1000000000U

/* --- what was asked for (impair_spec.c) --------------------------------------------------------- */

/* The items of a link; a bit per item that was given. */
enum impair_item {
	IMPAIR_RATE = 1 << 0, IMPAIR_DELAY = 1 << 1, IMPAIR_JITTER = 1 << 2, IMPAIR_LOSS = 1 << 3,
	IMPAIR_REORDER = 1 << 4, IMPAIR_DUPLICATE = 1 << 5, IMPAIR_CORRUPT = 1 << 6,
	IMPAIR_QUEUE = 1 << 7, IMPAIR_CODEL = 1 << 8, IMPAIR_ECN = 1 << 9, IMPAIR_MTU = 1 << 10,
	IMPAIR_POLICE = 1 << 11,
};

struct impair_down {
	uint64_t from_ns, to_ns;   /* since the device was impaired */
};

struct impair_params {
	unsigned int given;        /* enum impair_item */
	uint64_t rate_bps;
	uint64_t delay_ns, jitter_ns;
	bool jitter_normal;
	uint32_t loss;             /* without bursts */
	bool bursts;               /* Gilbert-Elliott: */
	uint32_t to_bad, to_good;  /* chance per frame of changing the state */
	uint32_t loss_bad, loss_good;
	uint32_t reorder;
	uint64_t reorder_ns;
	uint32_t duplicate, corrupt;
	uint32_t queue_frames;     /* 0 = no limit in frames */
	uint64_t queue_bytes;      /* 0 = no limit in bytes */
	uint64_t codel_target_ns, codel_interval_ns;
	uint32_t ecn_frames;       /* mark from this length on; 0 = only in place of CoDel's drops */
	uint32_t mtu;              /* bytes of the IP packet */
	bool mtu_icmp;
	uint64_t police_bps, police_burst; /* bits per second, bytes */
	struct impair_down down[IMPAIR_DOWNS];
	unsigned int downs;
};

/* What a rule asks of a frame; a bit per condition. */
enum impair_match {
	MATCH_PROTO = 1 << 0, MATCH_ARP = 1 << 1, MATCH_IP = 1 << 2, MATCH_SYN = 1 << 3,
	MATCH_SYNACK = 1 << 4, MATCH_FIN = 1 << 5, MATCH_RST = 1 << 6, MATCH_PURE_ACK = 1 << 7,
	MATCH_DATA = 1 << 8, MATCH_CONN = 1 << 9, MATCH_SEGMENT = 1 << 10, MATCH_RETRANS = 1 << 11,
	MATCH_ORIGINAL = 1 << 12, MATCH_SEQ = 1 << 13, MATCH_SIZE = 1 << 14, MATCH_FROM = 1 << 15,
	MATCH_TO = 1 << 16, MATCH_PORT = 1 << 17,
};

struct impair_addr {
	be32 addr, mask;           /* mask 0 = any address */
	uint16_t port;             /* host order; 0 = any */
};

struct impair_range {
	uint32_t from, to;         /* both included */
};

enum impair_action_kind {
	ACTION_DROP, ACTION_PASS, ACTION_DELAY, ACTION_DUPLICATE, ACTION_CORRUPT, ACTION_CE,
	ACTION_STRIP, ACTION_ICMP, ACTION_CUT,
};

/* TCP options that can be stripped; a bit each. */
enum impair_option {
	STRIP_MSS = 1 << 0, STRIP_WSCALE = 1 << 1, STRIP_SACK = 1 << 2, STRIP_TIMESTAMPS = 1 << 3,
	STRIP_FASTOPEN = 1 << 4, STRIP_MD5 = 1 << 5, STRIP_MPTCP = 1 << 6, STRIP_OTHER = 1 << 7,
};

struct impair_rule {
	unsigned int dirs;         /* 1 << enum tap_dir */
	unsigned int match;        /* enum impair_match; all must hold */
	uint8_t proto;
	struct impair_addr from, to;
	uint16_t port;             /* of either side */
	uint32_t conn;
	struct impair_range segment, seq, size;
	/* Of the frames that match, in this order: */
	struct impair_range nth;   /* 0 = all */
	uint32_t every;            /* each so many-th; 0 = all */
	uint32_t chance;           /* IMPAIR_CERTAIN = always */
	uint32_t count;            /* so many at most; 0 = no limit */
	enum impair_action_kind action;
	uint64_t delay_ns;
	uint64_t cut_after;        /* bytes of text */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_mtu;
	unsigned int strip;        /* enum impair_option */
	char text[IMPAIR_RULE_TEXT];
};

/* All statements on one device. */
struct impair_dev_plan {
	char name[IFNAMSIZ];       /* "" = statements without a name */
	struct impair_params params[IMPAIR_DIRS];
	struct impair_rule *rules;
	unsigned int rule_count;
};

struct impair_plan {
	struct impair_dev_plan devs[IMPAIR_DEVS];
	unsigned int count;
};

/* --- words of a statement (impair_word.c) ------------------------------------------------------- */

enum { IMPAIR_WORD_MAX = 64 };

/* Reads a text word by word. */
struct impair_text {
	const char *at;            /* next character */
	unsigned int line, column; /* of it */
	char word[IMPAIR_WORD_MAX]; /* "" = end of the statement */
	unsigned int word_line, word_column;
	struct impair_error *err;
};

bool impair_next_statement(struct impair_text *t);
int impair_next_word(struct impair_text *t);
void impair_unread(struct impair_text *t);
int impair_fail(struct impair_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool impair_is(const struct impair_text *t, const char *word);
int impair_need_word(struct impair_text *t, const char *what);
/* These read the next word, which must be of the kind, and leave the one behind it in t->word. */
int impair_time(struct impair_text *t, const char *what, uint64_t *ns);
int impair_rate(struct impair_text *t, const char *what, uint64_t *bps);
int impair_bytes(struct impair_text *t, const char *what, uint64_t *bytes);
int impair_percent(struct impair_text *t, const char *what, uint32_t *chance);
int impair_number(struct impair_text *t, const char *what, uint32_t min, uint32_t max, uint32_t *n);
int impair_numbers(struct impair_text *t, const char *what, uint32_t min, struct impair_range *r);
int impair_endpoint(struct impair_text *t, const char *what, struct impair_addr *a);
/* Whether the present word, as it stands, would be taken by impair_percent() or begins with a digit. */
bool impair_word_is_percent(const struct impair_text *t);
bool impair_word_is_size(const struct impair_text *t);

/* impair_rule.c: the words behind "rule"; t->word is the first of them. */
int impair_parse_rule(struct impair_text *t, struct impair_rule *rule);

/* --- a frame, as rules see it (impair_packet.c) ------------------------------------------------- */

struct impair_conn;

struct impair_packet {
	bool ip, arp;
	bool tcp;                  /* with a whole TCP header */
	uint8_t proto;
	uint32_t ip_at, l4_at;     /* offsets from data */
	uint32_t ip_len;           /* bytes of the IP packet, as its header says */
	be32 saddr, daddr;
	uint16_t sport, dport;     /* host order; 0 without ports */
	uint32_t seq, ack;
	uint8_t flags;             /* TCP's: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
	uint8_t th_len;            /* TCP header, bytes */
	uint32_t text;             /* bytes behind the TCP header */
	struct impair_conn *conn;  /* NULL = none known */
	unsigned int side;         /* 0: sent by the one who opened the connection */
	bool retransmission;
	uint32_t segment;          /* number of the data segment, from 1; 0 = not numbered */
};

enum { TH_FIN = 1, TH_SYN = 2, TH_RST = 4, TH_PSH = 8, TH_ACK = 16, TH_CWR = 128 };

void impair_packet_read(struct impair_packet *pkt, const struct sk_buff *skb);
/* ECN field (RFC 3168 5) to CE. False: not ECN-capable, nothing was done. May move the data. */
bool impair_mark_ce(struct sk_buff *skb, const struct impair_packet *pkt);
int impair_strip(struct sk_buff *skb, const struct impair_packet *pkt, unsigned int options);
void impair_flip_bit(struct sk_buff *skb, uint32_t bit);
/* An ICMP error about the packet, for its sender; NULL: none may be sent, or no memory. */
struct sk_buff *impair_icmp_error(const struct sk_buff *skb, const struct impair_packet *pkt,
				  uint8_t type, uint8_t code, uint16_t mtu);

/* --- super-segments (impair_segment.c) ---------------------------------------------------------- */

/* Cuts a TCP super-segment into frames for @queue. Consumes. */
void impair_segment(struct sk_buff *skb, struct sk_buff_head *out);

/* --- connections (impair_conn.c) ---------------------------------------------------------------- */

struct impair_conns;

int impair_conns_create(struct impair_conns **out);
void impair_conns_free(struct impair_conns *conns);
/* Fills in conn, side, retransmission and segment of a TCP packet. */
void impair_conns_see(struct impair_conns *conns, struct impair_packet *pkt);
uint32_t impair_conn_number(const struct impair_conn *conn);
/* Sequence number with the SYN's as 0; false when that was never seen. */
bool impair_conn_relative(const struct impair_packet *pkt, uint32_t *rel);
bool impair_conn_is_cut(const struct impair_conn *conn);
void impair_conn_cut(struct impair_conn *conn);

/* --- one direction ------------------------------------------------------------------------------ */

/* Each kind of choice has a generator of its own, so that one more impairment does not change the
 * others' choices; so have frames that are not IP, whose number depends on the clock (ARP). */
enum impair_choice {
	CHOICE_LOSS, CHOICE_STATE, CHOICE_REORDER, CHOICE_DUPLICATE, CHOICE_CORRUPT, CHOICE_JITTER,
	CHOICE_RULE, CHOICE_MAX
};

/* RFC 8289 5.5's variables. */
struct impair_codel {
	bool dropping;
	uint32_t count, lastcount;
	ktime_t first_above, drop_next;
};

struct impair_rule_state {
	const struct impair_rule *rule;
	uint64_t matched, applied;
};

struct impair;

struct impair_dir {
	struct impair *im;
	enum tap_dir dir;
	struct impair_params p;
	struct random_state random[2][CHOICE_MAX]; /* [1]: frames of IP */
	bool bad;                  /* Gilbert-Elliott's state */
	ktime_t policer;           /* when the bucket is full again */
	struct sk_buff_head queue; /* in front of the rate */
	uint64_t queued_bytes;
	ktime_t busy_until;        /* of the transmitter */
	struct timer_list transmitter;
	struct impair_codel codel;
	struct sk_buff_head way;   /* being carried, by time of arrival */
	ktime_t last_due;
	struct timer_list arrival;
	struct impair_stats stats;
};

struct impair {
	struct net_device *dev;
	unsigned int features;     /* the device's, while ours are off */
	uint64_t seed;
	ktime_t start;
	struct impair_dir dirs[IMPAIR_DIRS];
	struct impair_conns *conns; /* NULL without rules */
	struct impair_rule *rules;
	struct impair_rule_state *states;
	unsigned int rule_count;
};

/* What a frame carries on its way, in skb->cb. */
struct impair_cb {
	ktime_t due, queued;
	uint64_t extra_ns;         /* of rules */
};
static inline struct impair_cb *impair_cb(struct sk_buff *skb)
{
	return (struct impair_cb *)(void *)skb->cb;
}

/* What the rules want with a frame that they do not drop. */
struct impair_verdict {
	bool pass;                 /* nothing else is done at random */
	bool duplicate;
	uint64_t delay_ns;
};

/* impair_random.c */
void impair_random_init(struct impair_dir *d);
bool impair_chance(struct impair_dir *d, bool ip, enum impair_choice choice, uint32_t chance);
int64_t impair_jitter(struct impair_dir *d, bool ip);
void impair_corrupt(struct impair_dir *d, bool ip, struct sk_buff *skb);
bool impair_is_lost(struct impair_dir *d, bool ip, enum skb_drop_reason *reason);
/* impair_apply.c: SKB_NOT_DROPPED, or why the frame is to be dropped. May move the data. */
enum skb_drop_reason impair_rules(struct impair_dir *d, struct impair_packet *pkt,
				  struct sk_buff *skb, struct impair_verdict *verdict);
/* impair_queue.c: enter the queue in front of the rate; leave it for the way. All consume. */
bool impair_rate_queue(struct impair_dir *d, struct sk_buff *skb);
void impair_carry_xmit(struct impair_dir *d, struct sk_buff *skb, ktime_t start);
void impair_reply_xmit(struct impair_dir *d, struct sk_buff *skb);
void impair_queues_init(struct impair_dir *d);
void impair_queues_drop(struct impair_dir *d, enum skb_drop_reason reason);
/* impair_codel.c: the next frame to send, dropping and marking on the way; NULL when empty. */
struct sk_buff *impair_codel_dequeue(struct impair_dir *d, ktime_t now);
struct sk_buff *impair_queue_take(struct impair_dir *d);
/* impair.c */
bool impair_is_ip(const struct sk_buff *skb);
void impair_lose(struct impair_dir *d, struct sk_buff *skb, enum skb_drop_reason reason);
void impair_deliver(struct impair_dir *d, struct sk_buff *skb);

#endif
