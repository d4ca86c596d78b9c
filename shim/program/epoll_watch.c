/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait() and its kin: the kernel's, with EPOLLERR added.
 *
 * A connection that was reset while its program had nothing unread shows EPOLLHUP on its anchor and
 * no EPOLLERR: an AF_UNIX socket has an error only where bytes of its own were lost. An event tells
 * the program's word, not the descriptor. So epoll_ctl() leaves here, by descriptor, which set and
 * which word it was registered with last; a hang-up without an error looks the socket up by both
 * and asks its host. That is the rare path. Before the first registration of one of ours, the calls
 * are jumps to libc's.
 *
 * A registration that nobody saw (inherited over exec, by another process into a shared set) and
 * all but the last of several sets go without EPOLLERR; recv() and SO_ERROR tell the error anyway.
 * Entries are written and read without a lock: the cookie comes last, and a stale entry does not
 * match that of the descriptor any more.
 */
#include "shim/program/real.h"
#include "shim/program/epoll_watch.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"
#include "shim/program/sock.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct watch {
	_Atomic uint64_t cookie; /* 0: none */
	_Atomic uint64_t data;
	_Atomic int epfd;
};

static struct watch *_Atomic chunks[FD_CHUNKS];
static _Atomic bool watching; /* one of ours was registered once */

static struct watch *watch_entry(int fd)
{
	const size_t size = FD_CHUNK * sizeof(struct watch);
	struct watch *chunk, *none = NULL;

	if ((unsigned int)fd >= FD_CHUNK * FD_CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&chunks[fd / FD_CHUNK], memory_order_acquire);
	if (chunk)
		return &chunk[fd % FD_CHUNK];
	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return NULL;
	if (!atomic_compare_exchange_strong(&chunks[fd / FD_CHUNK], &none, chunk)) {
		munmap(chunk, size);
		chunk = none;
	}
	return &chunk[fd % FD_CHUNK];
}

/**
 * epoll_watch() - a stream of ours is about to be added, changed or removed
 * @epfd, @op, @fd: as epoll_ctl() takes them
 * @data: the word that events will carry
 */
void epoll_watch(int epfd, int op, int fd, uint64_t data)
{
	int saved = errno;
	struct watch *e = watch_entry(fd);

	errno = saved;
	if (!e)
		return;
	atomic_store_explicit(&e->cookie, 0, memory_order_release);
	if (op == EPOLL_CTL_DEL)
		return;
	atomic_store_explicit(&e->data, data, memory_order_relaxed);
	atomic_store_explicit(&e->epfd, epfd, memory_order_relaxed);
	atomic_store_explicit(&e->cookie, fd_cookie(fd), memory_order_release);
	atomic_store_explicit(&watching, true, memory_order_relaxed);
}

static bool is_registered(struct watch *e, int fd, int epfd, uint64_t data)
{
	uint64_t cookie = atomic_load_explicit(&e->cookie, memory_order_acquire);

	return cookie && atomic_load_explicit(&e->data, memory_order_relaxed) == data &&
	       atomic_load_explicit(&e->epfd, memory_order_relaxed) == epfd &&
	       cookie == fd_cookie(fd);
}

/* The descriptor behind an event, -1 when it was not seen. */
static int find_registered(int epfd, uint64_t data)
{
	for (int i = 0; i < FD_CHUNKS; i++) {
		struct watch *chunk = atomic_load_explicit(&chunks[i], memory_order_acquire);

		for (int k = 0; chunk && k < FD_CHUNK; k++)
			if (is_registered(&chunk[k], i * FD_CHUNK + k, epfd, data))
				return i * FD_CHUNK + k;
	}
	return -1;
}

static bool has_error(int fd)
{
	uint32_t w = fd < 0 ? FD_FOREIGN : fd_verified(fd);

	return fd_is_ours(w) && (w & FD_STREAM) && (w & FD_CONNECTED) && sock_look(fd, NULL) < 0;
}

static int add_errors(int epfd, struct epoll_event *events, int n)
{
	int saved = errno;

	if (n <= 0 || shim_sandboxed)
		return n;
	for (int i = 0; i < n; i++)
		if (unlikely((events[i].events & (EPOLLHUP | EPOLLERR)) == EPOLLHUP) &&
		    has_error(find_registered(epfd, events[i].data.u64)))
			events[i].events |= EPOLLERR;
	errno = saved;
	return n;
}

static inline bool is_watching(void)
{
	return unlikely(atomic_load_explicit(&watching, memory_order_relaxed));
}

/**
 * epoll_wait() - the kernel's, with EPOLLERR added
 */
int epoll_wait(int epfd, struct epoll_event *events, int count, int timeout)
{
	if (!is_watching())
		return libc()->epoll_wait(epfd, events, count, timeout);
	return add_errors(epfd, events, libc()->epoll_wait(epfd, events, count, timeout));
}

/**
 * epoll_pwait() - the kernel's, with EPOLLERR added
 */
int epoll_pwait(int epfd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	if (!is_watching())
		return libc()->epoll_pwait(epfd, events, count, timeout, mask);
	return add_errors(epfd, events, libc()->epoll_pwait(epfd, events, count, timeout, mask));
}

/**
 * epoll_pwait2() - the kernel's, with EPOLLERR added
 */
int epoll_pwait2(int epfd, struct epoll_event *events, int count, const struct timespec *timeout,
		 const sigset_t *mask)
{
	if (!is_watching())
		return libc()->epoll_pwait2(epfd, events, count, timeout, mask);
	return add_errors(epfd, events, libc()->epoll_pwait2(epfd, events, count, timeout, mask));
}
