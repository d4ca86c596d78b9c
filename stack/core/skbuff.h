/* SPDX-License-Identifier: MIT */
/*
 * Packet buffer: a linear part with headroom, and at most one shared fragment behind it.
 *
 *   head      data            tail        end
 *    | headroom | headers+data | tailroom  |   + frag: a range of another buffer's bytes
 *
 * The bytes live in a reference-counted block (struct skb_data). A clone shares the block; while
 * it is shared the bytes in [data, tail) are read-only for everybody (skb_cow makes them private).
 * The fragment exists so that a transport sends from its write queue without copying: header bytes
 * in the linear part, payload by reference. Receive paths only ever see linear buffers.
 */
#ifndef STACK_CORE_SKBUFF_H
#define STACK_CORE_SKBUFF_H

#include "stack/core/list.h"
#include "stack/core/types.h"

struct net;
struct net_device;
struct sock;

enum skb_drop_reason {
	SKB_NOT_DROPPED = 0,
#define DROP(symbol, counter, text) SKB_DROP_##symbol,
#include "stack/core/drop.def"
#undef DROP
	SKB_DROP_MAX
};

/* Text of @reason from drop.def. */
const char *skb_drop_reason_str(enum skb_drop_reason reason);

struct skb_data {
	unsigned int refs;
	uint32_t size;   /* bytes in buf */
	uint8_t buf[];
};

/* How far the checksum is done. */
enum skb_checksum {
	CHECKSUM_NONE,        /* rx: verify; tx: complete already */
	CHECKSUM_UNNECESSARY, /* rx: the device vouches for it */
	CHECKSUM_PARTIAL,     /* pseudo-header sum stored at csum_start+csum_offset; rx: trusted */
};

enum skb_pkt_type { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST,
		    PACKET_OUTGOING, PACKET_LOOPBACK };

enum skb_gso_type { SKB_GSO_NONE, SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_UDP };

#define SKB_HEADER_UNSET UINT16_MAX

struct sk_buff {
	struct list_head list;      /* on exactly one queue, or list_empty */
	struct net *net;            /* accounting; never NULL */
	struct net_device *dev;     /* rx: came in by; tx: goes out by */
	struct sock *sk;            /* owner (held while destructor is set), may be NULL */
	void (*destructor)(struct sk_buff *skb); /* uncharges sk; may be NULL */

	struct skb_data *block;
	uint8_t *head, *data, *tail, *end;
	struct skb_data *frag_block; /* NULL = no fragment; a reference is held */
	uint8_t *frag;
	uint32_t frag_len;

	uint32_t len;       /* tail - data + frag_len */
	uint32_t truesize;  /* bytes of memory charged for this skb */
	/* Offsets from head; SKB_HEADER_UNSET until set. */
	uint16_t mac_header, network_header, transport_header;
	be16 protocol;      /* ETH_P_*, big endian */

	uint8_t pkt_type;   /* enum skb_pkt_type */
	uint8_t ip_summed;  /* enum skb_checksum */
	uint8_t gso_type;   /* enum skb_gso_type */
	bool cloned_once;   /* block was shared at some time; informational */
	uint16_t gso_size;  /* payload bytes per wire segment; 0 = an ordinary packet */
	uint16_t gso_segs;
	uint16_t csum_start;  /* offset from head (CHECKSUM_PARTIAL) */
	uint16_t csum_offset; /* from csum_start */
	uint32_t priority, mark;
	ktime_t tstamp;     /* arrival, or time of sending */
	_Alignas(8) uint8_t cb[64]; /* owned by the layer that has the skb now */
};

/* Allocation: NULL when out of memory. All sizes in bytes. */
struct sk_buff *alloc_skb(struct net *net, uint32_t size);
/* A buffer around @block (its reference is taken over, also on failure): the device's way in;
 * data = buf + offset, @len bytes. */
struct sk_buff *build_skb(struct net *net, struct skb_data *block, uint32_t offset, uint32_t len);
struct skb_data *skb_data_alloc(uint32_t size);
static inline void skb_data_get(struct skb_data *b) { b->refs++; }
void skb_data_put(struct skb_data *b);
struct sk_buff *skb_clone(const struct sk_buff *skb);              /* shares bytes, no owner */
struct sk_buff *skb_copy(const struct sk_buff *skb, uint32_t headroom); /* private, linear */
int skb_cow(struct sk_buff *skb, uint32_t headroom);               /* private linear bytes and headroom */
int skb_linearize(struct sk_buff *skb);

/* End of life. skb_drop() counts @reason and tells the capture; NULL is allowed in both. */
void skb_consume(struct sk_buff *skb);
void skb_drop(struct sk_buff *skb, enum skb_drop_reason reason);
/* Number of skbs alive in @net: zero at the end of each test. */
size_t skb_live(const struct net *net);

static inline uint32_t skb_headlen(const struct sk_buff *skb) { return skb->len - skb->frag_len; }
static inline uint32_t skb_headroom(const struct sk_buff *skb) { return (uint32_t)(skb->data - skb->head); }
static inline uint32_t skb_tailroom(const struct sk_buff *skb)
{
	return skb->frag_block ? 0 : (uint32_t)(skb->end - skb->tail);
}
static inline bool skb_shared_data(const struct sk_buff *skb) { return skb->block->refs > 1; }

/* Room must have been checked: these abort on overflow (a bug of ours, not of the packet). */
void skb_reserve(struct sk_buff *skb, uint32_t len);   /* empty skb: move data and tail */
uint8_t *skb_put(struct sk_buff *skb, uint32_t len);   /* extend at the tail, returns the new bytes */
uint8_t *skb_push(struct sk_buff *skb, uint32_t len);  /* extend at the head, returns data */
/* NULL when the linear part is shorter than @len; returns the new data. */
uint8_t *skb_pull(struct sk_buff *skb, uint32_t len);
/* Cuts to @len bytes (no-op when shorter), fragment first. */
void skb_trim(struct sk_buff *skb, uint32_t len);
/* Reference @len bytes at @bytes inside @block as the fragment (takes its own reference). */
void skb_set_frag(struct sk_buff *skb, struct skb_data *block, uint8_t *bytes, uint32_t len);

/* The only ways to a header: NULL unless @len bytes lie linear at @offset from data. */
static inline void *skb_header(const struct sk_buff *skb, uint32_t offset, uint32_t len)
{
	if (offset > skb_headlen(skb) || len > skb_headlen(skb) - offset)
		return NULL;
	return skb->data + offset;
}

/* Copies @len bytes from @offset (across the fragment); -EFAULT when the packet is shorter. */
int skb_copy_bits(const struct sk_buff *skb, uint32_t offset, void *to, uint32_t len);
/* Sum of @len bytes from @offset, across the fragment. */
uint32_t skb_checksum(const struct sk_buff *skb, uint32_t offset, uint32_t len, uint32_t sum);
/* CHECKSUM_PARTIAL -> complete, for devices without the offload. 0, -EINVAL, -ENOMEM. */
int skb_checksum_help(struct sk_buff *skb);

static inline void skb_reset_mac_header(struct sk_buff *skb) { skb->mac_header = (uint16_t)skb_headroom(skb); }
static inline void skb_reset_network_header(struct sk_buff *skb) { skb->network_header = (uint16_t)skb_headroom(skb); }
static inline void skb_reset_transport_header(struct sk_buff *skb) { skb->transport_header = (uint16_t)skb_headroom(skb); }
static inline bool skb_mac_header_was_set(const struct sk_buff *skb) { return skb->mac_header != SKB_HEADER_UNSET; }
/* These three point at headers whose presence has been checked before. */
static inline void *skb_mac_header(const struct sk_buff *skb) { return skb->head + skb->mac_header; }
static inline void *skb_network_header(const struct sk_buff *skb) { return skb->head + skb->network_header; }
static inline void *skb_transport_header(const struct sk_buff *skb) { return skb->head + skb->transport_header; }

/* Queues. */
struct sk_buff_head {
	struct list_head list;
	uint32_t qlen;  /* packets */
};

void skb_queue_head_init(struct sk_buff_head *q);
static inline bool skb_queue_empty(const struct sk_buff_head *q) { return q->qlen == 0; }
void skb_append(struct sk_buff_head *q, struct sk_buff *skb);  /* at the tail; takes the skb over */
void skb_prepend(struct sk_buff_head *q, struct sk_buff *skb); /* at the head */
void skb_insert_after(struct sk_buff_head *q, struct sk_buff *prev, struct sk_buff *skb);
void skb_unlink(struct sk_buff_head *q, struct sk_buff *skb);
struct sk_buff *skb_dequeue(struct sk_buff_head *q);           /* NULL when empty */
struct sk_buff *skb_peek(const struct sk_buff_head *q);
struct sk_buff *skb_peek_tail(const struct sk_buff_head *q);
struct sk_buff *skb_peek_next(const struct sk_buff_head *q, const struct sk_buff *skb); /* NULL at end */
void skb_queue_purge(struct sk_buff_head *q);                  /* skb_consume() each */

#define skb_queue_walk(q, skb) \
	for (skb = skb_peek(q); skb; skb = skb_peek_next(q, skb))

#endif
