/* SPDX-License-Identifier: MIT */
/*
 * pcapng.c - blocks of the pcapng format
 *
 * Source: draft-ietf-opsawg-pcapng. A file is a sequence of blocks; each begins with its type and
 * length and ends with its length again, all in the byte order of the writer. Options are type,
 * length, value, padded to 32 bits (3.5). One section, one interface description per interface when
 * its first frame comes, enhanced packet blocks, statistics at the end.
 */
#include "netif/pcapng.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	OPTION_TEXT_MAX = 1024, /* longer texts are cut */
};

enum {
	OPT_END = 0, OPT_COMMENT = 1,
	SHB_HARDWARE = 2, SHB_OS = 3, SHB_USERAPPL = 4,
	IF_NAME = 2, IF_MACADDR = 6, IF_TSRESOL = 9, IF_FILTER = 11,
	EPB_FLAGS = 2,
	ISB_STARTTIME = 2, ISB_ENDTIME = 3, ISB_IFRECV = 4, ISB_FILTERACCEPT = 6, ISB_OSDROP = 7,
};

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* A block being written; at is the next byte. */
struct block {
	struct outfile *file;
	uint8_t *start, *at;
};

static void put_u16(struct block *b, unsigned int v)
{
	uint16_t x = (uint16_t)v;

	memcpy(b->at, &x, sizeof(x));
	b->at += sizeof(x);
}

static void put_u32(struct block *b, uint32_t v)
{
	memcpy(b->at, &v, sizeof(v));
	b->at += sizeof(v);
}

static void put_padding(struct block *b, size_t len)
{
	memset(b->at, 0, padded(len) - len);
	b->at += padded(len) - len;
}

static void put_option(struct block *b, unsigned int type, const void *value, size_t len)
{
	put_u16(b, type);
	put_u16(b, (unsigned int)len);
	memcpy(b->at, value, len);
	b->at += len;
	put_padding(b, len);
}

static size_t text_len(const char *text)
{
	return text ? strnlen(text, OPTION_TEXT_MAX) : 0;
}

/* Bytes that an option of text takes; absent and empty ones are left out. */
static size_t text_option_len(const char *text)
{
	return text_len(text) ? 4 + padded(text_len(text)) : 0;
}

static void put_text(struct block *b, unsigned int type, const char *text)
{
	if (text_len(text))
		put_option(b, type, text, text_len(text));
}

/* Times are 64 bits wide, the upper half first in either byte order (4.3). */
static void put_time(struct block *b, uint64_t ns)
{
	put_u32(b, (uint32_t)(ns >> 32));
	put_u32(b, (uint32_t)ns);
}

static void put_time_option(struct block *b, unsigned int type, uint64_t ns)
{
	put_u16(b, type);
	put_u16(b, 8);
	put_time(b, ns);
}

/* @body: bytes at most between the two lengths; the rest of the block is 12. */
static int begin(struct block *b, struct outfile *f, uint32_t type, size_t body)
{
	b->file = f;
	b->start = outfile_room(f, body + 12);
	if (!b->start)
		return f->error < 0 ? f->error : -EAGAIN;
	b->at = b->start;
	put_u32(b, type);
	put_u32(b, 0);
	return 0;
}

static void end(struct block *b)
{
	uint32_t len = (uint32_t)(b->at - b->start) + 4;

	put_u32(b, len);
	memcpy(b->start + 4, &len, sizeof(len));
	outfile_commit(b->file, len);
}

/**
 * pcapng_write_section() - section header block, 4.1
 * @f:  file
 * @s:  who writes
 *
 * Return:  0; -EAGAIN without room; the file's error
 */
int pcapng_write_section(struct outfile *f, const struct pcapng_section *s)
{
	struct block b;
	int err = begin(&b, f, BLOCK_SECTION, 16 + text_option_len(s->hardware) +
			text_option_len(s->os) + text_option_len(s->application) + 4);

	if (err < 0)
		return err;
	put_u32(&b, BYTE_ORDER_MAGIC);
	put_u16(&b, 1); /* version 1.0 */
	put_u16(&b, 0);
	put_u32(&b, UINT32_MAX); /* length of the section: not known */
	put_u32(&b, UINT32_MAX);
	put_text(&b, SHB_HARDWARE, s->hardware);
	put_text(&b, SHB_OS, s->os);
	put_text(&b, SHB_USERAPPL, s->application);
	put_option(&b, OPT_END, "", 0);
	end(&b);
	return 0;
}

/**
 * pcapng_write_interface() - interface description block, 4.2
 * @f:  file
 * @i:  interface
 *
 * Return:  0; -EAGAIN without room; the file's error
 */
int pcapng_write_interface(struct outfile *f, const struct pcapng_interface *i)
{
	static const uint8_t nanoseconds = 9; /* ten to the minus nine */
	char filter[OPTION_TEXT_MAX];
	struct block b;
	size_t n = text_len(i->filter);
	int err = begin(&b, f, BLOCK_INTERFACE, 8 + text_option_len(i->name) + 12 + 8 +
			(n ? 8 + padded(n) : 0) + 4);

	if (err < 0)
		return err;
	put_u16(&b, LINKTYPE_ETHERNET);
	put_u16(&b, 0);
	put_u32(&b, i->snaplen);
	put_text(&b, IF_NAME, i->name);
	if (i->mac)
		put_option(&b, IF_MACADDR, i->mac, 6);
	put_option(&b, IF_TSRESOL, &nanoseconds, 1);
	if (n) {
		n = MIN(n, sizeof(filter) - 1);
		filter[0] = 0; /* what follows is a libpcap expression */
		memcpy(filter + 1, i->filter, n);
		put_option(&b, IF_FILTER, filter, n + 1);
	}
	put_option(&b, OPT_END, "", 0);
	end(&b);
	return 0;
}

/**
 * pcapng_write_packet() - enhanced packet block, 4.3
 * @f:     file
 * @p:     what is known about the frame
 * @data:  out: where its first p->caplen bytes are to be written, before the next call
 *
 * Return:  0; -EAGAIN without room; the file's error
 */
int pcapng_write_packet(struct outfile *f, const struct pcapng_packet *p, uint8_t **data)
{
	/* 4.3.1: bits 0-1 direction, 2-4 kind of destination. */
	uint32_t flags = (uint32_t)p->direction | (uint32_t)p->cast << 2;
	struct block b;
	int err = begin(&b, f, BLOCK_PACKET,
			20 + padded(p->caplen) + 8 + text_option_len(p->comment) + 4);

	if (err < 0)
		return err;
	put_u32(&b, p->interface);
	put_time(&b, p->time_ns);
	put_u32(&b, p->caplen);
	put_u32(&b, p->len);
	*data = b.at;
	b.at += p->caplen;
	put_padding(&b, p->caplen);
	put_option(&b, EPB_FLAGS, &flags, sizeof(flags));
	put_text(&b, OPT_COMMENT, p->comment);
	put_option(&b, OPT_END, "", 0);
	end(&b);
	return 0;
}

/**
 * pcapng_write_statistics() - interface statistics block, 4.6
 * @f:  file
 * @s:  counts
 *
 * Return:  0; -EAGAIN without room; the file's error
 */
int pcapng_write_statistics(struct outfile *f, const struct pcapng_statistics *s)
{
	struct block b;
	int err = begin(&b, f, BLOCK_STATISTICS, 12 + 5 * 12 + 4);

	if (err < 0)
		return err;
	put_u32(&b, s->interface);
	put_time(&b, s->end_ns);
	put_time_option(&b, ISB_STARTTIME, s->start_ns);
	put_time_option(&b, ISB_ENDTIME, s->end_ns);
	put_option(&b, ISB_IFRECV, &s->seen, 8);
	put_option(&b, ISB_FILTERACCEPT, &s->accepted, 8);
	put_option(&b, ISB_OSDROP, &s->lost, 8);
	put_option(&b, OPT_END, "", 0);
	end(&b);
	return 0;
}
