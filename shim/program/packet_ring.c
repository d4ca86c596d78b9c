/* SPDX-License-Identifier: MIT */
/*
 * The program's side of packet rings (PACKET_RX_RING): mmap() of the socket, and readiness.
 *
 * mmap() of a packet socket with a ring maps the memfd that the host has put the ring into; from then on
 * program and host meet there, and munmap(), close() and fork() are the kernel's business. The page behind
 * the ring is ours: where the status lies of what the host handed over last, and whether a token, a message
 * that makes the anchor readable, is under way (shim/host/packet_ring.c).
 *
 * poll() and ppoll() look at the ring before they wait: where it has nothing for the program, the token is
 * taken off, so that they block as on Linux; where it has something and no token is there (the program has
 * left part of it), the host is asked for one. select() and epoll_wait(), which no wrapper sees, may so
 * report once what has been read meanwhile; a program that then looks at its ring finds it empty.
 *
 * What is mapped of a ring is remembered by the socket's cookie, in a small table; one that has been pushed
 * out of it is mapped again when it is needed.
 */
#include "shim/program/real.h"
#include "shim/program/packet.h"
#include "shim/program/control.h"
#include "shim/program/dgram.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"
#include "shim/program/sock.h"

#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { RINGS = 16, PAGE = 4096 };

struct ring {
	uint64_t cookie; /* 0 = free */
	uint8_t *mem;	 /* the whole memfd */
	size_t bytes;	 /* of the ring; the control page follows */
};

static struct {
	pthread_mutex_t lock;
	unsigned int next;
	struct ring list[RINGS];
} rings = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Asks for the memfd of the socket's ring. Descriptor or -errno. */
static int ask_memory(int fd, size_t *bytes)
{
	int memfd = -1;
	struct ctl_call c = { .op = CTL_RING_MAP, .fd_reply = &memfd };
	int r = sock_control(fd, &c);

	if (r < 0)
		return r;
	*bytes = (size_t)c.arg[0] | (size_t)c.arg[1] << 32;
	return memfd < 0 ? -ENFILE : memfd;
}

static void unmap(struct ring *r)
{
	if (r->cookie)
		SYS(munmap, r->mem, r->bytes + PAGE);
	r->cookie = 0;
}

/* Under the lock. */
static struct ring *find(uint64_t cookie)
{
	for (int i = 0; i < RINGS; i++)
		if (rings.list[i].cookie == cookie)
			return &rings.list[i];
	return NULL;
}

/* Under the lock. NULL when there is no ring, or no memory for it. */
static struct ring *find_or_map(int fd)
{
	uint64_t cookie = fd_cookie(fd);
	struct ring *r = find(cookie);
	size_t bytes;
	long mem;
	int memfd;

	if (r || !cookie)
		return r;
	memfd = ask_memory(fd, &bytes);
	if (memfd < 0)
		return NULL;
	mem = SYS(mmap, NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	SYS(close, memfd);
	if (mem < 0 && mem > -4096)
		return NULL;
	r = &rings.list[rings.next++ % RINGS];
	unmap(r);
	*r = (struct ring){ cookie, (uint8_t *)mem, bytes };
	return r;
}

static struct ring_control *control_of(const struct ring *r)
{
	return (struct ring_control *)(void *)(r->mem + r->bytes);
}

/* Is there something for the program, as far as the host has said? */
static bool has_something(const struct ring *r)
{
	uint32_t last = __atomic_load_n(&control_of(r)->last, __ATOMIC_SEQ_CST);

	if (last > r->bytes - sizeof(uint32_t))
		return false;
	return __atomic_load_n((const uint32_t *)(const void *)(r->mem + last), __ATOMIC_SEQ_CST) != TP_STATUS_KERNEL;
}

static bool token_is_under_way(const struct ring *r)
{
	return __atomic_load_n(&control_of(r)->token, __ATOMIC_SEQ_CST);
}

/* Takes the token off, if it has arrived. Any other message stays. */
static void take_token(int fd, const struct ring *r)
{
	struct dgram_hdr h;
	long n = SYS(recvfrom, fd, &h, sizeof(h), MSG_PEEK | MSG_DONTWAIT, NULL, NULL);

	if (n < (long)sizeof(h) || h.magic != WIRESHIM_MAGIC || h.kind != DGRAM_TOKEN)
		return;
	if (SYS(recvfrom, fd, &h, sizeof(h), MSG_DONTWAIT, NULL, NULL) == (long)sizeof(h))
		__atomic_store_n(&control_of(r)->token, 0, __ATOMIC_SEQ_CST);
}

/**
 * ring_before_poll() - make a poll() of the descriptor tell the truth about its ring
 * @fd: packet socket with a ring
 */
void ring_before_poll(int fd)
{
	struct ctl_call look = { .op = CTL_ERROR, .arg = { 1 } };
	bool ask = false;
	struct quiet q;
	struct ring *r;

	quiet_begin(&q);
	pthread_mutex_lock(&rings.lock);
	r = find_or_map(fd);
	if (r) {
		if (!has_something(r) && token_is_under_way(r))
			take_token(fd, r);
		ask = has_something(r) && !token_is_under_way(r);
	}
	pthread_mutex_unlock(&rings.lock);
	quiet_end(&q);
	/* Any request makes the host look at the socket, and send what is due. */
	if (ask)
		sock_control(fd, &look);
}

/**
 * ring_recv() - a receive on a socket with a ring: nothing ever comes that way
 * @fd:    socket
 * @flags: MSG_*
 *
 * Return: -EAGAIN, at once or after SO_RCVTIMEO; -EINTR; the error of a device that went down
 */
ssize_t ring_recv(int fd, int flags)
{
	int limit = sock_timeout_ms(fd, SO_RCVTIMEO), err = dgram_take_error(fd);

	if (err < 0)
		return err;
	if (sock_is_nonblocking(fd, flags))
		return -EAGAIN;
	return libc()->poll(NULL, 0, limit) < 0 ? -errno : -EAGAIN;
}

/**
 * ring_changed() - PACKET_RX_RING was set: there is a ring now, or none any more
 * @fd: socket
 * @on: there is one
 *
 * What lay in the anchor is gone, as Linux empties the receive queue.
 */
void ring_changed(int fd, bool on)
{
	struct quiet q;
	struct ring *r;

	fd_flag(fd, on ? FD_RING : 0, on ? 0 : FD_RING);
	quiet_begin(&q);
	pthread_mutex_lock(&rings.lock);
	r = find(fd_cookie(fd));
	if (r)
		unmap(r);
	pthread_mutex_unlock(&rings.lock);
	quiet_end(&q);
	while (SYS(recvfrom, fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) >= 0)
		;
}

/**
 * ring_token_eaten() - a token was received like a datagram, by who did not know of the ring
 * @fd: socket; known to have a ring from now on
 */
void ring_token_eaten(int fd)
{
	struct quiet q;
	struct ring *r;

	fd_flag(fd, FD_RING, 0);
	quiet_begin(&q);
	pthread_mutex_lock(&rings.lock);
	r = find_or_map(fd);
	if (r)
		__atomic_store_n(&control_of(r)->token, 0, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&rings.lock);
	quiet_end(&q);
}

/**
 * ring_fork_prepare() - before fork: the table is whole
 */
void ring_fork_prepare(void)
{
	pthread_mutex_lock(&rings.lock);
}

/**
 * ring_fork_parent() - after fork, in the parent
 */
void ring_fork_parent(void)
{
	pthread_mutex_unlock(&rings.lock);
}

/**
 * ring_fork_child() - after fork, in the child: whoever held the lock is not here
 */
void ring_fork_child(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	memcpy(&rings.lock, &unlocked, sizeof(unlocked));
}

/* As Linux's packet_mmap(): the whole ring and nothing else. */
static long map_ring(int fd, void *addr, size_t len, int prot, int flags, off_t off)
{
	size_t bytes;
	long mem;
	int memfd;

	if (off)
		return -EINVAL;
	memfd = ask_memory(fd, &bytes);
	if (memfd < 0)
		return memfd == -ENFILE ? -ENFILE : -EINVAL;
	if (((len + PAGE - 1) & ~(size_t)(PAGE - 1)) != bytes)
		mem = -EINVAL;
	else
		mem = SYS(mmap, addr, len, prot, flags, memfd, off);
	SYS(close, memfd);
	if (mem >= 0 || mem < -4095)
		fd_flag(fd, FD_RING, 0);
	return mem;
}

/* Is it a packet socket of ours? A number that is not known yet is only looked up for what could be one. */
static bool is_packet_socket(int fd, int flags)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load_explicit(&e->word, memory_order_relaxed) : 0;

	if (!(w & FD_STATE) && libc_ready && (flags & MAP_SHARED))
		w = fd_word(fd);
	if (likely((w & (FD_STATE | FD_PACKET)) != (FD_OURS | FD_PACKET)))
		return false;
	w = fd_verified(fd);
	return (w & (FD_STATE | FD_PACKET)) == (FD_OURS | FD_PACKET);
}

/**
 * mmap() - the kernel's, and the ring of a packet socket
 *
 * Called from everywhere, also before this library has begun: what is not a packet socket is one look at
 * the table and the system call.
 */
void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	long r;

	if (unlikely(fd >= 0 && is_packet_socket(fd, flags)))
		r = map_ring(fd, addr, len, prot, flags, off);
	else
		r = SYS(mmap, addr, len, prot, flags, fd, off);
	if (unlikely(r < 0 && r > -4096)) {
		errno = (int)-r;
		return MAP_FAILED;
	}
	return (void *)r;
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t off)
{
	return mmap(addr, len, prot, flags, fd, off);
}
