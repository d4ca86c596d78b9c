/* SPDX-License-Identifier: MIT */
/*
 * packet_ring.c - PACKET_RX_RING: received frames in memory shared with the program
 *
 * The ring is block_nr blocks. TPACKET_V1 and V2 cut each into frames of one size; a frame is the
 * program's while its status has TP_STATUS_USER, and ours when the program has written
 * TP_STATUS_KERNEL back. TPACKET_V3 packs frames of any size into a block and hands over whole blocks:
 * when the next frame does not fit, or the block's time is over (tp_retire_blk_tov after its first
 * frame). While the block that comes next is still the program's, frames are lost and the ring is
 * frozen until a frame finds that block free.
 *
 * The program may write anything into the ring at any time. So of it nothing is read but a status
 * word, where the next frame goes is known here, and each place is computed from checked geometry.
 *
 * Layout of a frame: header, struct sockaddr_ll, gap, frame; tp_mac and tp_net say where link and
 * network header begin, the latter on a multiple of 16 (man 7 packet; Linux's
 * Documentation/networking/packet_mmap.rst).
 */
#include <limits.h>

#include "stack/packet/packet_sock.h"

enum {
	RING_PAGE = 4096,
	RING_MAX = 256 * 1024 * 1024,  /* bytes that a program may make the host hold */
	RETIRE_DEFAULT_MS = 8,         /* as Linux where the link's speed is unknown */
	BLOCK_ALIGN = 8,
};

#define BLOCK_HEADER ((uint32_t)((sizeof(struct tpacket_block_desc) + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1UL)))
#define BLOCK_STATUS (offsetof(struct tpacket_block_desc, hdr.bh1.block_status))

struct packet_ring {
	struct packet_sock *ps;
	uint8_t *mem;
	size_t bytes;
	enum tpacket_versions version;
	uint32_t block_size, block_nr, frame_size, frame_nr;
	uint32_t head;       /* frame that comes next; V3: block that is filled or comes next */
	uint32_t last;       /* where the status lies of what was handed over last */
	bool losing;         /* a frame was lost since one was handed over */

	/* V3 */
	uint32_t priv_size;  /* bytes for the program at each block's start */
	uint64_t retire_ns;
	struct timer_list retire;
	bool open;           /* block @head is being filled */
	bool frozen;
	uint32_t at, count, last_frame; /* in the open block: next place, frames, place of the last one */
	uint64_t seq;
	uint32_t freezes;
};

static uint32_t align_to(uint32_t v, uint32_t to)
{
	return (v + to - 1) & ~(to - 1);
}

/**
 * packet_header_len() - bytes of a frame's header in a ring
 * @version: TPACKET_V1 ...
 *
 * Return: bytes, without the address behind it; -EINVAL for no such version
 */
int packet_header_len(int version)
{
	switch (version) {
	case TPACKET_V1: return (int)sizeof(struct tpacket_hdr);
	case TPACKET_V2: return (int)sizeof(struct tpacket2_hdr);
	case TPACKET_V3: return (int)sizeof(struct tpacket3_hdr);
	default: return -EINVAL;
	}
}

/* Header and address together: TPACKET_HDRLEN and its kin. */
static uint32_t full_header(enum tpacket_versions version)
{
	return align_to((uint32_t)packet_header_len((int)version), TPACKET_ALIGNMENT) + (uint32_t)sizeof(struct sockaddr_ll);
}

/* Only the status is shared: the program gives frames and blocks back by writing it. */
static uint32_t read_status(const struct packet_ring *r, uint32_t offset)
{
	return __atomic_load_n((const uint32_t *)(const void *)(r->mem + offset), __ATOMIC_ACQUIRE);
}

static void write_status(struct packet_ring *r, uint32_t offset, uint32_t status)
{
	__atomic_store_n((uint32_t *)(void *)(r->mem + offset), status, __ATOMIC_RELEASE);
	r->last = offset;
}

/* --- one frame -------------------------------------------------------------------------------- */

/* Where the parts of a frame go, from the start of its header. */
struct places {
	uint32_t mac, net, keep;
};

/* @room: bytes from the frame's start on. What does not fit is cut. */
static struct places find_places(const struct packet_ring *r, const struct packet_meta *meta, uint32_t keep,
				 uint32_t room)
{
	const uint32_t header = full_header(r->version), reserve = r->ps->reserve;
	struct places p = { .keep = keep };

	if (r->ps->sk.type == SOCK_DGRAM) {
		p.mac = p.net = align_to(header, TPACKET_ALIGNMENT) + 16 + reserve;
	} else {
		p.net = align_to(header + MAX(meta->maclen, (uint32_t)16), TPACKET_ALIGNMENT) + reserve;
		p.mac = p.net - meta->maclen;
	}
	if (p.mac > room) {
		if (r->version == TPACKET_V3)
			p.mac = room; /* so that the next frame lies in the block; others have their place */
		p.keep = 0;
	} else if (p.keep > room - p.mac) {
		p.keep = room - p.mac;
	}
	return p;
}

static struct timespec wall_time(const struct packet_ring *r, ktime_t t)
{
	uint64_t wall = t + r->ps->sk.net->wall_offset_ns;

	return (struct timespec){ (time_t)(wall / NSEC_PER_SEC), (long)(wall % NSEC_PER_SEC) };
}

static void write_frame(const struct packet_ring *r, uint8_t *to, const struct packet_view *v,
			const struct packet_meta *meta, const struct places *p)
{
	memcpy(to + align_to((uint32_t)packet_header_len((int)r->version), TPACKET_ALIGNMENT), &meta->from,
	       sizeof(meta->from));
	packet_view_copy(v, v->start, to + p->mac, p->keep);
}

static uint32_t frame_status(struct packet_ring *r, const struct packet_meta *meta)
{
	uint32_t status = meta->status | TP_STATUS_TS_SOFTWARE | (r->losing ? TP_STATUS_LOSING : 0U);

	r->losing = false;
	return status;
}

static void lose(struct packet_ring *r)
{
	r->ps->drops++;
	r->losing = true;
}

/* --- frames of one size ----------------------------------------------------------------------- */

static uint32_t frame_offset(const struct packet_ring *r, uint32_t frame)
{
	uint32_t per_block = r->block_size / r->frame_size;

	return frame / per_block * r->block_size + frame % per_block * r->frame_size;
}

/* All of the header but its status, which stays the kernel's until the frame is complete. */
static void write_header(const struct packet_ring *r, uint8_t *to, const struct packet_meta *meta,
			 const struct places *p)
{
	const struct timespec ts = wall_time(r, meta->tstamp);
	struct tpacket_hdr v1 = {
		.tp_len = meta->len, .tp_snaplen = p->keep,
		.tp_mac = (unsigned short)p->mac, .tp_net = (unsigned short)p->net,
		.tp_sec = (unsigned int)ts.tv_sec, .tp_usec = (unsigned int)(ts.tv_nsec / 1000),
	};
	struct tpacket2_hdr v2 = {
		.tp_len = meta->len, .tp_snaplen = p->keep,
		.tp_mac = (unsigned short)p->mac, .tp_net = (unsigned short)p->net,
		.tp_sec = (unsigned int)ts.tv_sec, .tp_nsec = (unsigned int)ts.tv_nsec,
	};

	if (r->version == TPACKET_V1)
		memcpy(to, &v1, sizeof(v1));
	else
		memcpy(to, &v2, sizeof(v2));
}

static void fill_frame(struct packet_ring *r, const struct packet_view *v, const struct packet_meta *meta,
		       uint32_t keep)
{
	uint32_t offset = frame_offset(r, r->head);
	struct places p = find_places(r, meta, keep, r->frame_size);

	if (read_status(r, offset) != TP_STATUS_KERNEL) {
		lose(r);
		return;
	}
	write_frame(r, r->mem + offset, v, meta, &p);
	write_header(r, r->mem + offset, meta, &p);
	write_status(r, offset, frame_status(r, meta));
	r->head = (r->head + 1) % r->frame_nr;
	r->ps->sk.data_ready(&r->ps->sk);
}

/* --- blocks (TPACKET_V3) ---------------------------------------------------------------------- */

static uint32_t first_place(const struct packet_ring *r)
{
	return BLOCK_HEADER + align_to(r->priv_size, BLOCK_ALIGN);
}

static uint8_t *current_block(const struct packet_ring *r)
{
	return r->mem + (size_t)r->head * r->block_size;
}

/* False while the program has it. */
static bool open_block(struct packet_ring *r, ktime_t tstamp)
{
	const struct timespec ts = wall_time(r, tstamp);
	struct tpacket_block_desc d = {
		.version = TPACKET_V3,
		.offset_to_priv = BLOCK_HEADER,
		.hdr.bh1 = {
			.offset_to_first_pkt = first_place(r),
			.blk_len = first_place(r),
			.ts_first_pkt = { .ts_sec = (unsigned int)ts.tv_sec, .ts_nsec = (unsigned int)ts.tv_nsec },
		},
	};

	if (read_status(r, r->head * r->block_size + (uint32_t)BLOCK_STATUS) != TP_STATUS_KERNEL)
		return false;
	d.hdr.bh1.seq_num = ++r->seq;
	memcpy(current_block(r), &d, sizeof(d));
	r->open = true;
	r->frozen = false;
	r->at = first_place(r);
	r->count = 0;
	mod_timer(&r->retire, r->ps->sk.net->now + r->retire_ns);
	return true;
}

static void put_u32(uint8_t *to, size_t offset, uint32_t v)
{
	memcpy(to + offset, &v, sizeof(v));
}

/* Hands the block over. @why: TP_STATUS_BLK_TMO or 0. */
static void close_block(struct packet_ring *r, uint32_t why)
{
	uint8_t *block = current_block(r);
	uint32_t status = TP_STATUS_USER | why | (r->losing ? TP_STATUS_LOSING : 0U);

	del_timer(&r->retire);
	put_u32(block, r->last_frame + offsetof(struct tpacket3_hdr, tp_next_offset), 0);
	put_u32(block, offsetof(struct tpacket_block_desc, hdr.bh1.num_pkts), r->count);
	put_u32(block, offsetof(struct tpacket_block_desc, hdr.bh1.blk_len), r->at);
	r->losing = false;
	r->open = false;
	write_status(r, r->head * r->block_size + (uint32_t)BLOCK_STATUS, status);
	r->head = (r->head + 1) % r->block_nr;
	r->ps->sk.data_ready(&r->ps->sk);
}

static void retire_block(struct timer_list *t)
{
	struct packet_ring *r = container_of(t, struct packet_ring, retire);

	if (r->open)
		close_block(r, TP_STATUS_BLK_TMO);
}

/* A block with room for a frame of @need bytes, or false. */
static bool find_block(struct packet_ring *r, uint32_t need, ktime_t tstamp)
{
	if (r->open && need > r->block_size - r->at)
		close_block(r, 0);
	if (r->open || open_block(r, tstamp))
		return true;
	if (!r->frozen)
		r->freezes++;
	r->frozen = true;
	return false;
}

static void fill_block(struct packet_ring *r, const struct packet_view *v, const struct packet_meta *meta,
		       uint32_t keep)
{
	struct places p = find_places(r, meta, keep, r->block_size - first_place(r));
	uint32_t need = MIN(align_to(p.mac + p.keep, BLOCK_ALIGN), r->block_size - first_place(r));
	const struct timespec ts = wall_time(r, meta->tstamp);
	struct tpacket3_hdr h = {
		.tp_next_offset = need, .tp_sec = (unsigned int)ts.tv_sec, .tp_nsec = (unsigned int)ts.tv_nsec,
		.tp_snaplen = p.keep, .tp_len = meta->len,
		.tp_mac = (uint16_t)p.mac, .tp_net = (uint16_t)p.net,
	};
	struct tpacket_bd_ts last = { .ts_sec = h.tp_sec, .ts_nsec = h.tp_nsec };
	uint8_t *block;

	if (!find_block(r, need, meta->tstamp)) {
		lose(r);
		return;
	}
	block = current_block(r);
	h.tp_status = frame_status(r, meta);
	write_frame(r, block + r->at, v, meta, &p);
	memcpy(block + r->at, &h, sizeof(h));
	memcpy(block + offsetof(struct tpacket_block_desc, hdr.bh1.ts_last_pkt), &last, sizeof(last));
	r->last_frame = r->at;
	r->at += need;
	r->count++;
}

/**
 * packet_ring_rcv() - put a frame into a socket's ring
 * @ps:   socket with a ring
 * @view: frame
 * @meta: about it
 * @keep: bytes from view->start on
 *
 * Without room the frame is lost and counted.
 */
void packet_ring_rcv(struct packet_sock *ps, const struct packet_view *view, const struct packet_meta *meta,
		     uint32_t keep)
{
	if (ps->ring->version == TPACKET_V3)
		fill_block(ps->ring, view, meta, keep);
	else
		fill_frame(ps->ring, view, meta, keep);
}

/**
 * packet_ring_readable() - does poll() show POLLIN for the ring?
 * @ps:  socket, with or without a ring
 *
 * As Linux has it: while what was handed over last has not come back.
 */
bool packet_ring_readable(const struct packet_sock *ps)
{
	return ps->ring && read_status(ps->ring, ps->ring->last) != TP_STATUS_KERNEL;
}

/**
 * packet_ring_last() - where the status of what was handed over last lies, see packet.h
 * @sock:   packet socket
 * @offset: from the ring's start, on success
 *
 * Return: 0; -ENOENT without a ring
 */
int packet_ring_last(const struct socket *sock, uint32_t *offset)
{
	const struct packet_ring *r = sock->sk->family == AF_PACKET ? pkt_sk(sock->sk)->ring : NULL;

	if (!r)
		return -ENOENT;
	*offset = r->last;
	return 0;
}

/** packet_ring_take_freezes() - how often the ring stood still since this was asked last */
uint32_t packet_ring_take_freezes(struct packet_sock *ps)
{
	uint32_t n = ps->ring ? ps->ring->freezes : 0;

	if (ps->ring)
		ps->ring->freezes = 0;
	return n;
}

/* --- making and ending ------------------------------------------------------------------------ */

/* In the order of Linux's packet_set_ring(). */
static int check_geometry(const struct packet_sock *ps, const struct tpacket_req3 *req)
{
	uint64_t least = full_header(ps->version) + (uint64_t)ps->reserve;
	uint32_t per_block;

	if ((int)req->tp_block_size <= 0 || req->tp_block_size % RING_PAGE)
		return -EINVAL;
	if (ps->version == TPACKET_V3 &&
	    req->tp_block_size < (uint64_t)BLOCK_HEADER + req->tp_sizeof_priv + BLOCK_ALIGN + least)
		return -EINVAL;
	if (req->tp_frame_size < least || req->tp_frame_size % TPACKET_ALIGNMENT)
		return -EINVAL;
	per_block = req->tp_block_size / req->tp_frame_size;
	if (!per_block || req->tp_block_size > UINT_MAX / req->tp_block_nr)
		return -EINVAL;
	if ((uint64_t)per_block * req->tp_block_nr != req->tp_frame_nr)
		return -EINVAL;
	if (req->tp_feature_req_word)
		return -EOPNOTSUPP; /* TP_FT_REQ_FILL_RXHASH: there is no hash */
	return (uint64_t)req->tp_block_size * req->tp_block_nr > RING_MAX ? -ENOMEM : 0;
}

static struct packet_ring *make_ring(struct packet_sock *ps, const struct tpacket_req3 *req)
{
	struct packet_ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->ps = ps;
	r->version = ps->version;
	r->bytes = (size_t)req->tp_block_size * req->tp_block_nr;
	r->block_size = req->tp_block_size;
	r->block_nr = req->tp_block_nr;
	r->frame_size = req->tp_frame_size;
	r->frame_nr = req->tp_frame_nr;
	if (r->version == TPACKET_V3) {
		r->priv_size = req->tp_sizeof_priv;
		r->retire_ns = (req->tp_retire_blk_tov ? req->tp_retire_blk_tov : (uint64_t)RETIRE_DEFAULT_MS) *
			       NSEC_PER_MSEC;
		r->last = (r->block_nr - 1) * r->block_size + (uint32_t)BLOCK_STATUS;
	} else {
		r->last = frame_offset(r, r->frame_nr - 1);
	}
	timer_setup(&r->retire, &ps->sk.net->timers, retire_block);
	return r;
}

static int start_ring(struct socket *sock, const struct tpacket_req3 *req)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	const struct packet_ring_ops *ops = sock->net->packet->ring_ops;
	struct packet_ring *r;
	int err;

	if (ps->ring)
		return -EBUSY;
	err = check_geometry(ps, req);
	if (err)
		return err;
	r = ops ? make_ring(ps, req) : NULL;
	if (!r)
		return -ENOMEM;
	err = ops->map(sock, r->bytes, &r->mem);
	if (err) {
		free(r);
		return err;
	}
	skb_queue_purge(&ps->sk.receive_queue);
	ps->ring = r;
	return 0;
}

/**
 * packet_set_ring() - PACKET_RX_RING
 * @sock: packet socket
 * @val:  struct tpacket_req, for TPACKET_V3 struct tpacket_req3; no blocks: the ring's end
 * @len:  its length
 *
 * DEVIATES from Linux in one point: a ring that is mapped may be ended, since nobody tells us of an
 * unmapping. The program's mapping stays, with nothing new in it.
 *
 * Return: 0; -EINVAL, -EBUSY (there is one), -EOPNOTSUPP (a feature), -ENOMEM
 */
int packet_set_ring(struct socket *sock, const void *val, socklen_t len)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	struct tpacket_req3 req;
	size_t size = ps->version == TPACKET_V3 ? sizeof(req) : sizeof(struct tpacket_req);

	if (len < size)
		return -EINVAL;
	memset(&req, 0, sizeof(req));
	memcpy(&req, val, size);
	if (req.tp_block_nr)
		return start_ring(sock, &req);
	if (req.tp_frame_nr)
		return -EINVAL;
	packet_ring_free(ps);
	return 0;
}

/** packet_ring_free() - the end of a ring, if there is one */
void packet_ring_free(struct packet_sock *ps)
{
	struct packet_ring *r = ps->ring;

	if (!r)
		return;
	ps->ring = NULL;
	timer_destroy(&r->retire);
	ps->sk.net->packet->ring_ops->unmap(ps->sk.socket, r->mem, r->bytes);
	free(r);
}
