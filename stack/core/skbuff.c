/* SPDX-License-Identifier: MIT */
/*
 * skbuff.c - packet buffers: allocation, sharing, growing and shrinking, and the end of life
 *
 * An sk_buff is a small header around a counted block of bytes. On the way up a driver reads a frame
 * into a block and wraps it by build_skb(); layers pull their headers; the socket queues it. On the
 * way down a transport allocates room for all headers, reserves it, and each layer pushes its own.
 * Payload that a transport keeps for retransmission is attached as the one fragment, not copied.
 *
 * Sharing: a clone has its own offsets and shares the bytes. Whoever wants to write below tail while
 * skb_shared_data() calls skb_cow() first. The fragment's bytes are never written through an skb.
 *
 * Accounting: net->skbs_alive and net->skb_bytes follow each skb from birth to end. truesize is fixed
 * once an owner is charged (destructor set); skb_cow() and skb_linearize() leave it alone, so that
 * what is uncharged is what was charged.
 *
 * End: skb_consume() for a normal end, skb_drop() for loss: the latter counts the reason of drop.def
 * and its MIB counter, tells the trace, and notes the fate of the frame being received.
 */
#include "stack/core/skbuff.h"

#include "stack/core/checksum.h"
#include "stack/core/net_namespace.h"
#include "stack/core/trace.h"

struct drop_info {
	enum mib counter;
	const char *text;
};

static const struct drop_info drop_info[SKB_DROP_MAX] = {
	[SKB_NOT_DROPPED] = { MIB_NONE, "not dropped" },
#define DROP(symbol, counter, text) [SKB_DROP_##symbol] = { MIB_##counter, text },
#include "stack/core/drop.def"
#undef DROP
};

/**
 * skb_drop_reason_str() - the words of drop.def for a reason
 * @reason:  any value; one out of range gives "unknown reason"
 */
const char *skb_drop_reason_str(enum skb_drop_reason reason)
{
	return (unsigned int)reason < SKB_DROP_MAX ? drop_info[reason].text : "unknown reason";
}

/**
 * skb_data_alloc() - a block of bytes with one reference
 * @size:  bytes
 *
 * Return:  the block, or NULL when out of memory
 */
struct skb_data *skb_data_alloc(uint32_t size)
{
	struct skb_data *b = malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	b->refs = 1;
	b->size = size;
	return b;
}

/**
 * skb_data_put() - give up a reference; the last one frees the block
 * @b:  block, or NULL
 */
void skb_data_put(struct skb_data *b)
{
	if (b && --b->refs == 0)
		free(b);
}

/* Memory for the sk_buff itself, within the net's limit for @truesize more bytes. */
static struct sk_buff *new_header(struct net *net, uint32_t truesize)
{
	struct sk_buff *skb;

	if (net->skb_bytes_max && net->skb_bytes + truesize > net->skb_bytes_max)
		return NULL;
	skb = malloc(sizeof(*skb));
	if (!skb)
		return NULL;
	net->skbs_alive++;
	net->skb_bytes += truesize;
	return skb;
}

static void init_around(struct sk_buff *skb, struct net *net, struct skb_data *block,
			uint32_t offset, uint32_t len)
{
	memset(skb, 0, sizeof(*skb));
	list_init(&skb->list);
	skb->net = net;
	skb->block = block;
	skb->head = block->buf;
	skb->data = block->buf + offset;
	skb->tail = skb->data + len;
	skb->end = block->buf + block->size;
	skb->len = len;
	skb->truesize = (uint32_t)(sizeof(*skb) + sizeof(*block)) + block->size;
	skb->mac_header = SKB_HEADER_UNSET;
	skb->network_header = SKB_HEADER_UNSET;
	skb->transport_header = SKB_HEADER_UNSET;
}

/**
 * build_skb() - an skb around bytes that are there already
 * @net:     namespace that accounts for it
 * @block:   bytes; the caller's reference is taken over (on failure it is given up too)
 * @offset:  of the first byte of data in the block
 * @len:     bytes of data; offset + len must lie inside the block
 *
 * Return:  the skb, or NULL when out of memory
 */
struct sk_buff *build_skb(struct net *net, struct skb_data *block, uint32_t offset, uint32_t len)
{
	struct sk_buff *skb;

	BUG_ON(offset > block->size || len > block->size - offset);
	skb = new_header(net, (uint32_t)(sizeof(*skb) + sizeof(*block)) + block->size);
	if (!skb) {
		skb_data_put(block);
		return NULL;
	}
	init_around(skb, net, block, offset, len);
	return skb;
}

/**
 * alloc_skb() - an empty skb with @size bytes of tailroom and no headroom
 * @net:   namespace that accounts for it
 * @size:  bytes
 *
 * Return:  the skb, or NULL when out of memory
 */
struct sk_buff *alloc_skb(struct net *net, uint32_t size)
{
	struct skb_data *block = skb_data_alloc(size);

	return block ? build_skb(net, block, 0, 0) : NULL;
}

/**
 * skb_clone() - a second skb over the same bytes, without owner and on no queue
 * @skb:  original
 *
 * Return:  the clone, or NULL when out of memory
 */
struct sk_buff *skb_clone(const struct sk_buff *skb)
{
	struct sk_buff *c = new_header(skb->net, skb->truesize);

	if (!c)
		return NULL;
	*c = *skb;
	list_init(&c->list);
	c->sk = NULL;
	c->destructor = NULL;
	c->cloned_once = true;
	skb_data_get(c->block);
	if (c->frag_block)
		skb_data_get(c->frag_block);
	return c;
}

static void shift_header(uint16_t *header, uint32_t by)
{
	if (*header != SKB_HEADER_UNSET)
		*header = (uint16_t)(*header + by);
}

/*
 * Moves the linear bytes, and the fragment's when @take_frag, to a block of their own. The old
 * headroom is kept with what lies in it (headers pulled before), grown to @headroom at least.
 */
static int reallocate(struct sk_buff *skb, uint32_t headroom, bool take_frag)
{
	uint32_t extra = headroom > skb_headroom(skb) ? headroom - skb_headroom(skb) : 0;
	uint32_t old_data = skb_headroom(skb), headlen = skb_headlen(skb);
	uint32_t tailroom = take_frag ? skb->frag_len : (uint32_t)(skb->end - skb->tail);
	struct skb_data *b;

	extra = (extra + 7U) & ~7U;
	b = skb_data_alloc(extra + old_data + headlen + tailroom);
	if (!b)
		return -ENOMEM;
	memcpy(b->buf + extra, skb->head, old_data + headlen);
	if (take_frag && skb->frag_block) {
		memcpy(b->buf + extra + old_data + headlen, skb->frag, skb->frag_len);
		headlen += skb->frag_len;
		skb_data_put(skb->frag_block);
		skb->frag_block = NULL;
		skb->frag = NULL;
		skb->frag_len = 0;
	}
	skb_data_put(skb->block);
	skb->block = b;
	skb->head = b->buf;
	skb->data = b->buf + extra + old_data;
	skb->tail = skb->data + headlen;
	skb->end = b->buf + b->size;
	shift_header(&skb->mac_header, extra);
	shift_header(&skb->network_header, extra);
	shift_header(&skb->transport_header, extra);
	skb->csum_start = (uint16_t)(skb->csum_start + extra);
	return 0;
}

/**
 * skb_copy() - a private, linear copy without owner
 * @skb:       original
 * @headroom:  bytes wanted in front of data; the original's headroom and what lies in it is kept
 *
 * Return:  the copy, or NULL when out of memory
 */
struct sk_buff *skb_copy(const struct sk_buff *skb, uint32_t headroom)
{
	struct sk_buff *c = skb_clone(skb);

	if (c && reallocate(c, headroom, true) < 0) {
		skb_consume(c);
		return NULL;
	}
	return c;
}

/**
 * skb_cow() - make the linear bytes writable and the headroom large enough
 * @skb:       buffer; pointers into its data are stale afterwards
 * @headroom:  bytes needed in front of data
 *
 * The fragment stays as it is, shared or not.
 * Return:  0; -ENOMEM, the skb is unchanged then
 */
int skb_cow(struct sk_buff *skb, uint32_t headroom)
{
	if (!skb_shared_data(skb) && skb_headroom(skb) >= headroom)
		return 0;
	return reallocate(skb, headroom, false);
}

/**
 * skb_linearize() - bring the fragment's bytes into the linear part
 * @skb:  buffer; pointers into its data are stale afterwards
 *
 * Return:  0; -ENOMEM, the skb is unchanged then
 */
int skb_linearize(struct sk_buff *skb)
{
	if (!skb->frag_block)
		return 0;
	if (skb_shared_data(skb) || (size_t)(skb->end - skb->tail) < skb->frag_len)
		return reallocate(skb, 0, true);
	memcpy(skb->tail, skb->frag, skb->frag_len);
	skb->tail += skb->frag_len;
	skb_data_put(skb->frag_block);
	skb->frag_block = NULL;
	skb->frag = NULL;
	skb->frag_len = 0;
	return 0;
}

/**
 * skb_consume() - the normal end of an skb: runs its destructor, then frees it
 * @skb:  buffer on no queue, or NULL
 */
void skb_consume(struct sk_buff *skb)
{
	if (!skb)
		return;
	BUG_ON(!list_empty(&skb->list));
	if (skb->destructor)
		skb->destructor(skb);
	skb->net->skbs_alive--;
	skb->net->skb_bytes -= skb->truesize;
	skb_data_put(skb->frag_block);
	skb_data_put(skb->block);
	free(skb);
}

/**
 * skb_drop() - an skb is lost: count why, tell the trace, free it
 * @skb:     buffer on no queue, or NULL
 * @reason:  why
 *
 * The first reason met while a frame is on its way up is that frame's fate; packets of our own
 * making, which may be lost in the same call, do not count for it.
 */
void skb_drop(struct sk_buff *skb, enum skb_drop_reason reason)
{
	struct net *net;

	if (!skb)
		return;
	BUG_ON((unsigned int)reason >= SKB_DROP_MAX);
	net = skb->net;
	net->drops[reason]++;
	if (drop_info[reason].counter != MIB_NONE)
		mib_inc(net, drop_info[reason].counter);
	if (skb->pkt_type == PACKET_OUTGOING)
		net->tx_drop = reason;
	else if (net->rx.active && net->rx.reason == SKB_NOT_DROPPED)
		net->rx.reason = reason;
	if (trace_on(net, TRACE_DROP))
		trace_skb(net, TRACE_DROP, skb, skb_drop_reason_str(reason));
	skb_consume(skb);
}

/**
 * skb_live() - skbs that exist in @net; zero at the end of each test
 * @net:  namespace
 */
size_t skb_live(const struct net *net)
{
	return net->skbs_alive;
}

/**
 * skb_reserve() - turn tailroom of an empty skb into headroom
 * @skb:  buffer without data
 * @len:  bytes
 */
void skb_reserve(struct sk_buff *skb, uint32_t len)
{
	BUG_ON(skb->len != 0 || len > (size_t)(skb->end - skb->tail));
	skb->data += len;
	skb->tail += len;
}

/**
 * skb_put() - extend the data at its end
 * @skb:  linear buffer
 * @len:  bytes, at most skb_tailroom()
 *
 * Return:  the first of the new bytes, which are not initialised
 */
uint8_t *skb_put(struct sk_buff *skb, uint32_t len)
{
	uint8_t *p = skb->tail;

	BUG_ON(len > skb_tailroom(skb));
	skb->tail += len;
	skb->len += len;
	return p;
}

/**
 * skb_push() - extend the data at its start
 * @skb:  buffer
 * @len:  bytes, at most skb_headroom()
 *
 * Return:  the new start of data; the new bytes are not initialised
 */
uint8_t *skb_push(struct sk_buff *skb, uint32_t len)
{
	BUG_ON(len > skb_headroom(skb));
	skb->data -= len;
	skb->len += len;
	return skb->data;
}

/**
 * skb_pull() - take bytes away from the start
 * @skb:  buffer
 * @len:  bytes
 *
 * Return:  the new start of data; NULL, and nothing done, when fewer bytes are linear
 */
uint8_t *skb_pull(struct sk_buff *skb, uint32_t len)
{
	if (len > skb_headlen(skb))
		return NULL;
	skb->data += len;
	skb->len -= len;
	return skb->data;
}

/**
 * skb_trim() - cut from the end, the fragment first
 * @skb:  buffer
 * @len:  bytes that stay; no effect when there are no more
 */
void skb_trim(struct sk_buff *skb, uint32_t len)
{
	uint32_t headlen = skb_headlen(skb);

	if (len >= skb->len)
		return;
	if (len > headlen) {
		skb->frag_len = len - headlen;
	} else {
		skb_data_put(skb->frag_block);
		skb->frag_block = NULL;
		skb->frag = NULL;
		skb->frag_len = 0;
		skb->tail = skb->data + len;
	}
	skb->len = len;
}

/**
 * skb_set_frag() - attach bytes of another block behind the linear part, without copying
 * @skb:    buffer without a fragment
 * @block:  counted block; a reference of its own is taken
 * @bytes:  first byte, inside @block
 * @len:    number of bytes, > 0
 */
void skb_set_frag(struct sk_buff *skb, struct skb_data *block, uint8_t *bytes, uint32_t len)
{
	BUG_ON(skb->frag_block || len == 0 || bytes < block->buf ||
	       bytes > block->buf + block->size || len > (size_t)(block->buf + block->size - bytes));
	skb_data_get(block);
	skb->frag_block = block;
	skb->frag = bytes;
	skb->frag_len = len;
	skb->len += len;
	if (!skb->destructor) {
		skb->truesize += len;
		skb->net->skb_bytes += len;
	}
}

/**
 * skb_copy_bits() - copy a range of the packet out, across the fragment
 * @skb:     packet
 * @offset:  first byte, from data
 * @to:      destination
 * @len:     bytes
 *
 * Return:  0; -EFAULT when the packet is shorter
 */
int skb_copy_bits(const struct sk_buff *skb, uint32_t offset, void *to, uint32_t len)
{
	uint32_t headlen = skb_headlen(skb), n = 0;

	if (offset > skb->len || len > skb->len - offset)
		return -EFAULT;
	if (offset < headlen) {
		n = MIN(len, headlen - offset);
		memcpy(to, skb->data + offset, n);
		offset += n;
	}
	if (n < len)
		memcpy((uint8_t *)to + n, skb->frag + (offset - headlen), len - n);
	return 0;
}

/**
 * skb_checksum() - partial sum over a range of the packet, across the fragment
 * @skb:     packet; the range must lie inside
 * @offset:  first byte, from data
 * @len:     bytes
 * @sum:     what to start with
 *
 * Return:  32-bit partial sum for csum_fold()
 */
uint32_t skb_checksum(const struct sk_buff *skb, uint32_t offset, uint32_t len, uint32_t sum)
{
	uint32_t headlen = skb_headlen(skb), n = 0;

	BUG_ON(offset > skb->len || len > skb->len - offset);
	if (offset < headlen) {
		n = MIN(len, headlen - offset);
		sum = csum_partial(skb->data + offset, n, sum);
		offset += n;
	}
	if (n < len)
		sum = csum_block_add(sum, csum_partial(skb->frag + (offset - headlen), len - n, 0), n);
	return sum;
}

/**
 * skb_checksum_help() - finish a partial checksum in software
 * @skb:  packet; nothing to do unless CHECKSUM_PARTIAL. Pointers into data are stale afterwards.
 *
 * A result of zero is written as 0xffff: the same number in one's complement, and UDP's zero would
 * mean "no checksum" (RFC 768).
 * Return:  0; -EINVAL when the field is not in the linear part; -ENOMEM
 */
int skb_checksum_help(struct sk_buff *skb)
{
	uint32_t start, field;
	uint16_t sum;
	int err;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return 0;
	if (skb->csum_start < skb_headroom(skb))
		return -EINVAL;
	start = skb->csum_start - skb_headroom(skb);
	field = start + skb->csum_offset;
	if (!skb_header(skb, field, sizeof(sum)))
		return -EINVAL;
	err = skb_cow(skb, 0);
	if (err < 0)
		return err;
	sum = csum_fold(skb_checksum(skb, start, skb->len - start, 0));
	if (sum == 0)
		sum = 0xffff;
	memcpy(skb->data + field, &sum, sizeof(sum));
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/**
 * skb_queue_head_init() - an empty queue
 * @q:  queue
 */
void skb_queue_head_init(struct sk_buff_head *q)
{
	list_init(&q->list);
	q->qlen = 0;
}

/**
 * skb_append() - put @skb at the tail of @q, which takes it over
 * @q:    queue
 * @skb:  buffer on no queue
 */
void skb_append(struct sk_buff_head *q, struct sk_buff *skb)
{
	BUG_ON(!list_empty(&skb->list));
	list_add_tail(&skb->list, &q->list);
	q->qlen++;
}

/**
 * skb_prepend() - put @skb at the head of @q, which takes it over
 * @q:    queue
 * @skb:  buffer on no queue
 */
void skb_prepend(struct sk_buff_head *q, struct sk_buff *skb)
{
	BUG_ON(!list_empty(&skb->list));
	list_add(&skb->list, &q->list);
	q->qlen++;
}

/**
 * skb_insert_after() - put @skb behind @prev in @q, which takes it over
 * @q:     queue
 * @prev:  member of @q
 * @skb:   buffer on no queue
 */
void skb_insert_after(struct sk_buff_head *q, struct sk_buff *prev, struct sk_buff *skb)
{
	BUG_ON(!list_empty(&skb->list));
	list_add(&skb->list, &prev->list);
	q->qlen++;
}

/**
 * skb_unlink() - take @skb out of @q; the caller owns it then
 * @q:    queue
 * @skb:  member of @q
 */
void skb_unlink(struct sk_buff_head *q, struct sk_buff *skb)
{
	BUG_ON(q->qlen == 0 || list_empty(&skb->list));
	list_del(&skb->list);
	q->qlen--;
}

/**
 * skb_dequeue() - take the first skb; the caller owns it then
 * @q:  queue
 *
 * Return:  the skb, or NULL when empty
 */
struct sk_buff *skb_dequeue(struct sk_buff_head *q)
{
	struct sk_buff *skb = skb_peek(q);

	if (skb)
		skb_unlink(q, skb);
	return skb;
}

/**
 * skb_peek() - the first skb of @q, which keeps it; NULL when empty
 * @q:  queue
 */
struct sk_buff *skb_peek(const struct sk_buff_head *q)
{
	return q->qlen ? list_first_entry(&q->list, struct sk_buff, list) : NULL;
}

/**
 * skb_peek_tail() - the last skb of @q, which keeps it; NULL when empty
 * @q:  queue
 */
struct sk_buff *skb_peek_tail(const struct sk_buff_head *q)
{
	return q->qlen ? list_last_entry(&q->list, struct sk_buff, list) : NULL;
}

/**
 * skb_peek_next() - the one behind @skb in @q; NULL at the end
 * @q:    queue
 * @skb:  member of @q
 */
struct sk_buff *skb_peek_next(const struct sk_buff_head *q, const struct sk_buff *skb)
{
	return skb->list.next == &q->list ? NULL : list_entry(skb->list.next, struct sk_buff, list);
}

/**
 * skb_queue_purge() - end all skbs of @q normally
 * @q:  queue, empty afterwards
 */
void skb_queue_purge(struct sk_buff_head *q)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(q)))
		skb_consume(skb);
}
