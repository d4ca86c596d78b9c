/* SPDX-License-Identifier: MIT */
/* Blocks of the pcapng format, as far as a capture of Ethernet frames writes them. */
#ifndef NETIF_PCAPNG_H
#define NETIF_PCAPNG_H

#include "netif/outfile.h"

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };
enum pcapng_cast { PCAPNG_CAST_UNKNOWN, PCAPNG_UNICAST, PCAPNG_MULTICAST, PCAPNG_BROADCAST,
		   PCAPNG_PROMISCUOUS };

struct pcapng_section {
	const char *hardware, *os, *application; /* NULL = absent */
};

struct pcapng_interface {
	const char *name, *filter; /* filter: NULL = absent */
	const uint8_t *mac;        /* 6 bytes; NULL = absent */
	uint32_t snaplen;
};

struct pcapng_packet {
	uint32_t interface;        /* number, in order of description */
	uint64_t time_ns;          /* since 1970 */
	uint32_t caplen, len;      /* bytes kept, bytes of the frame */
	enum pcapng_direction direction;
	enum pcapng_cast cast;
	const char *comment;       /* NULL = absent */
};

struct pcapng_statistics {
	uint32_t interface;
	uint64_t start_ns, end_ns;
	uint64_t seen, accepted, lost; /* frames */
};

/* 0; the file's error; -EAGAIN when there is no room now and the block was left out. */
int pcapng_write_section(struct outfile *f, const struct pcapng_section *s);
int pcapng_write_interface(struct outfile *f, const struct pcapng_interface *i);
int pcapng_write_statistics(struct outfile *f, const struct pcapng_statistics *s);
/* Writes all but the frame's bytes: *@data is where its caplen bytes go. */
int pcapng_write_packet(struct outfile *f, const struct pcapng_packet *p, uint8_t **data);

#endif
