/* SPDX-License-Identifier: MIT */
/* From descriptor to what we know about its socket: a cache, never the truth. */
#ifndef SHIM_PROGRAM_FDCACHE_H
#define SHIM_PROGRAM_FDCACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fd_word_bits {
	FD_FOREIGN = 1, /* not one of ours: kernel socket, file, pipe ... */
	FD_OURS = 2,
	FD_STATE = 3,	    /* 0: unknown, to be probed */
	FD_STREAM = 1 << 2, /* else one message a datagram */
	FD_RAW = 1 << 3,
	FD_ATTACHED = 1 << 4,  /* the anchor is connected to the host */
	FD_BOUND = 1 << 5,     /* bind() succeeded */
	FD_CONNECTED = 1 << 6, /* connect() started or done, or accepted */
	FD_GATE = 1 << 7,      /* a connect gate may still be up */
	FD_LISTEN = 1 << 8,
	FD_RDSHUT = 1 << 9,
	FD_WRSHUT = 1 << 10,
	FD_LINGER = 1 << 11, /* SO_LINGER with a time */
	FD_DEAD = 1 << 12,   /* the anchor has ended; the next connect() needs a new one */
	FD_USED = 1 << 13,   /* datagrams went to the host already, or came from it */
	FD_OTHER =
		1 << 14, /* another host than this process's own: ask by a connection of its own */
	FD_RECVERR = 1 << 15, /* IP_RECVERR */
	FD_TIMES = 1 << 16,   /* SO_RCVTIMEO or SO_SNDTIMEO was set */
	FD_PACKET = 1 << 17,  /* AF_PACKET */
	FD_RING = 1 << 18,    /* with a PACKET_RX_RING */
	FD_PROTOCOL_SHIFT = 24,
};

struct fdent {
	_Atomic uint32_t word;
	_Atomic uint32_t acceptor; /* of a listener: process that accepted here last */
	_Atomic uint64_t cookie;
};

enum {
	FD_CHUNK = 1024,
	FD_CHUNKS = 1024,
};

extern struct fdent fd_first_chunk[FD_CHUNK];
extern struct fdent *_Atomic fd_chunks[FD_CHUNKS];

/* The entry of a descriptor, NULL when there is none yet. */
static inline struct fdent *fd_entry(int fd)
{
	struct fdent *chunk;

	if ((unsigned int)fd >= FD_CHUNK * FD_CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&fd_chunks[fd / FD_CHUNK], memory_order_acquire);
	return chunk ? &chunk[fd % FD_CHUNK] : NULL;
}

uint32_t fd_probe(int fd);

/* What is known of the descriptor: 0 is nothing. */
static inline __attribute__((always_inline)) uint32_t fd_known(int fd)
{
	struct fdent *e;

	if (__builtin_expect((unsigned int)fd < FD_CHUNK, 1)) /* without the table of chunks */
		return atomic_load_explicit(&fd_first_chunk[fd].word, memory_order_relaxed);
	e = fd_entry(fd);
	return e ? atomic_load_explicit(&e->word, memory_order_relaxed) : 0;
}

/*
 * Known not to be ours. libc_table is complete then, and who has nothing to add jumps there: a return
 * costs more than this look-up once the kernel has emptied the processor's stack of return addresses.
 * The rest of such a call is a function of its own (OUT_OF_LINE), or its registers are saved first.
 */
static inline __attribute__((always_inline)) bool fd_is_foreign(int fd)
{
	return fd_known(fd) == FD_FOREIGN;
}

/* What the descriptor is, probing it at first touch. Never 0. */
static inline uint32_t fd_word(int fd)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load_explicit(&e->word, memory_order_acquire) : 0;

	return __builtin_expect((w & FD_STATE) != 0, 1) ? w : fd_probe(fd);
}

static inline bool fd_is_ours(uint32_t w)
{
	return (w & FD_STATE) == FD_OURS;
}

/* One of ours whose messages carry a datagram header. */
static inline bool fd_is_dgram(uint32_t w)
{
	return (w & (FD_STATE | FD_STREAM)) == FD_OURS;
}

static inline uint32_t fd_protocol(uint32_t w)
{
	return w >> FD_PROTOCOL_SHIFT;
}

uint64_t fd_read_cookie(int fd);
uint64_t fd_cookie(int fd);
uint32_t fd_verified(int fd);
void fd_register(int fd, uint32_t word, uint64_t cookie);
void fd_set_foreign(int fd);
void fd_forget(int fd);
void fd_forget_range(unsigned int first, unsigned int last);
void fd_copy(int from, int to);
void fd_flag(int fd, uint32_t set, uint32_t clear);

#endif
