/* SPDX-License-Identifier: MIT */
/*
 * Descriptor to socket.
 *
 * The truth is in the kernel: SO_COOKIE says which socket a descriptor is, the peer's name says
 * whose host it belongs to. This table saves asking. It can be stale, because libc closes and
 * duplicates descriptors behind every symbol that can be preloaded, and it must be harmless then:
 *
 *   entry says ours, descriptor is something else: stream calls issue the program's own system call
 *     anyway, and look at the cookie before they interpret an error; datagram calls, which change
 *     the bytes, compare the cookie first.
 *   entry says foreign, descriptor is ours: would hide a socket, so it must not happen. One of ours
 *     reaches a number only by socket, accept, dup and fcntl, a received message, or exec; all but
 *     the last pass wrappers that write the entry, and exec starts with an empty table. What closes
 *     a number need therefore not clear "foreign".
 *   a socket not yet attached is known here only: nothing but this process's own close or dup over
 *     it may clear it.
 *
 * A vfork or CLONE_VM child runs in its parent's memory with a descriptor table of its own. Such
 * a child (its pid is not shim_owner) never stores "foreign" and never touches an entry of ours;
 * what it does store is harmless as above.
 *
 * Entries are read without lock from any thread and from signal handlers.
 */
#include "shim/program/real.h"
#include "shim/program/fdcache.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/init.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

struct fdent fd_first_chunk[FD_CHUNK];
struct fdent *_Atomic fd_chunks[FD_CHUNKS] = { fd_first_chunk };

/* Makes the entry where there is none. NULL beyond the table or without memory. */
static struct fdent *entry_create(int fd)
{
	struct fdent *e = fd_entry(fd), *none = NULL;
	const size_t size = FD_CHUNK * sizeof(struct fdent);
	void *chunk;

	if (e || (unsigned int)fd >= FD_CHUNK * FD_CHUNKS)
		return e;
	chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return NULL;
	if (!atomic_compare_exchange_strong(&fd_chunks[fd / FD_CHUNK], &none, chunk))
		munmap(chunk, size);
	return fd_entry(fd);
}

/**
 * fd_read_cookie() - ask the kernel which socket this is
 *
 * Return: SO_COOKIE, 0 when it is no socket
 */
uint64_t fd_read_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (SYS(getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0)
		return 0;
	return cookie;
}

/**
 * fd_cookie() - the cookie in the table, without asking
 */
uint64_t fd_cookie(int fd)
{
	struct fdent *e = fd_entry(fd);

	return e ? atomic_load_explicit(&e->cookie, memory_order_relaxed) : 0;
}

/**
 * fd_register() - a descriptor became, or changed into, one of ours
 */
void fd_register(int fd, uint32_t word, uint64_t cookie)
{
	struct fdent *e = entry_create(fd);

	if (!e || (fd_is_ours(atomic_load(&e->word)) && !shim_is_owner()))
		return;
	atomic_store_explicit(&e->word, 0, memory_order_release);
	atomic_store_explicit(&e->cookie, cookie, memory_order_release);
	atomic_store_explicit(&e->word, word | FD_OURS, memory_order_release);
}

/**
 * fd_set_foreign() - a descriptor is known not to be ours
 */
void fd_set_foreign(int fd)
{
	struct fdent *e = entry_create(fd);

	if (e && atomic_load(&e->word) != FD_FOREIGN && shim_is_owner())
		atomic_store_explicit(&e->word, FD_FOREIGN, memory_order_release);
}

/**
 * fd_forget() - the number is about to mean something else, or we do not know what it means
 */
void fd_forget(int fd)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load_explicit(&e->word, memory_order_relaxed) : 0;

	if (w && (!fd_is_ours(w) || shim_is_owner()))
		atomic_store_explicit(&e->word, 0, memory_order_release);
}

/**
 * fd_forget_range() - the same for all numbers from first to last
 */
void fd_forget_range(unsigned int first, unsigned int last)
{
	for (unsigned int i = first / FD_CHUNK; i < FD_CHUNKS && i <= last / FD_CHUNK; i++) {
		if (!atomic_load(&fd_chunks[i]))
			continue;
		for (unsigned int fd = i * FD_CHUNK; fd < (i + 1) * FD_CHUNK; fd++)
			if (fd >= first && fd <= last)
				fd_forget((int)fd);
	}
}

/**
 * fd_copy() - @to has become a duplicate of @from
 */
void fd_copy(int from, int to)
{
	struct fdent *e = fd_entry(from);
	uint32_t w = e ? atomic_load(&e->word) : 0;

	if (from == to)
		return;
	if (fd_is_ours(w))
		fd_register(to, w, atomic_load(&e->cookie));
	else if (w & FD_FOREIGN)
		fd_set_foreign(to);
	else
		fd_forget(to);
}

/**
 * fd_flag() - set and clear flags of a socket of ours
 */
void fd_flag(int fd, uint32_t set, uint32_t clear)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load(&e->word) : 0;

	while (fd_is_ours(w) && !atomic_compare_exchange_weak(&e->word, &w, (w | set) & ~clear))
		;
}

/* Is this descriptor connected to a host of ours? Fills in the host's name without "/s" or "/p". */
static bool read_host(int fd, char *host, bool *not_a_socket)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	long r = SYS(getpeername, fd, &un, &len);
	size_t name;

	*not_a_socket = r == -ENOTSOCK;
	if (r < 0 || len < offsetof(struct sockaddr_un, sun_path) + 12 || un.sun_family != AF_UNIX)
		return false;
	name = len - offsetof(struct sockaddr_un, sun_path) - 1;
	if (un.sun_path[0] || memcmp(un.sun_path + 1, "wireshim/", 9) ||
	    name - 2 >= HOST_NAME_MAX_LEN)
		return false;
	memcpy(host, un.sun_path + 1, name - 2);
	host[name - 2] = 0;
	return un.sun_path[name - 1] == '/';
}

static int ask_option(int fd, uint64_t cookie, uint32_t word, int level, int name, int fallback)
{
	int value = fallback;
	struct ctl_call c = {
		.op = CTL_GETSOCKOPT,
		.cookie = cookie,
		.fd = fd,
		.via = (word & FD_OTHER) ? fd : -1,
		.arg = { (uint32_t)level, (uint32_t)name, sizeof(value) },
		.reply = &value,
		.room = sizeof(value),
	};

	return ctl_call(&c) < 0 ? fallback : value;
}

static uint32_t describe_stream(int fd, uint64_t cookie, uint32_t w)
{
	/* Looks at the error without taking it. */
	struct ctl_call c = {
		.op = CTL_ERROR,
		.cookie = cookie,
		.fd = fd,
		.arg = { 1 },
		.via = (w & FD_OTHER) ? fd : -1,
	};
	int r;

	w |= FD_STREAM | (uint32_t)IPPROTO_TCP << FD_PROTOCOL_SHIFT;
	r = ctl_call(&c);
	if (r == -ENETDOWN || r == -ESTALE)
		return w |
		       FD_CONNECTED; /* what it was is gone with the host: its end is to be seen */
	switch (c.arg[0]) {
	case CTL_S_LISTENING: return w | FD_LISTEN;
	case CTL_S_CONNECTING: return w | FD_CONNECTED | FD_GATE;
	case CTL_S_CONNECTED:
	case CTL_S_DEAD: return w | FD_CONNECTED;
	default: return w;
	}
}

static uint32_t describe_dgram(int fd, uint64_t cookie, uint32_t w)
{
	struct ctl_call peer = {
		.op = CTL_GETNAME,
		.cookie = cookie,
		.fd = fd,
		.arg = { 1 },
		.via = (w & FD_OTHER) ? fd : -1,
	};
	int protocol;

	if (ask_option(fd, cookie, w, SOL_SOCKET, SO_DOMAIN, AF_INET) == AF_PACKET)
		w |= FD_PACKET;
	if (ask_option(fd, cookie, w, SOL_SOCKET, SO_TYPE, SOCK_DGRAM) == SOCK_RAW)
		w |= FD_RAW;
	protocol = ask_option(fd, cookie, w, SOL_SOCKET, SO_PROTOCOL, IPPROTO_UDP);
	w |= (uint32_t)(protocol & 255) << FD_PROTOCOL_SHIFT;
	if (ctl_call(&peer) >= 0)
		w |= FD_CONNECTED;
	return w;
}

/* An attached socket came from elsewhere (exec, message): ask its host what it is. */
static uint32_t describe(int fd, uint64_t cookie, const char *host)
{
	uint32_t w = FD_OURS | FD_ATTACHED | FD_BOUND;
	int type = 0;
	socklen_t len = sizeof(type);

	if (!config.host[0])
		memcpy(config.host, host, strlen(host) + 1);
	else if (strcmp(config.host, host))
		w |= FD_OTHER;
	SYS(getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type == SOCK_STREAM ? describe_stream(fd, cookie, w) : describe_dgram(fd, cookie, w);
}

/**
 * fd_probe() - find out what an unknown descriptor is, and remember it
 *
 * In a process that has locked itself in by seccomp no system call is tried: the descriptor
 * counts as foreign.
 *
 * Return: the word for it, FD_FOREIGN for whatever is not ours
 */
uint32_t fd_probe(int fd)
{
	char host[HOST_NAME_MAX_LEN];
	bool not_a_socket;
	uint64_t cookie;
	uint32_t w;

	if (fd < 0 || shim_sandboxed)
		return FD_FOREIGN;
	libc();
	if (!read_host(fd, host, &not_a_socket)) {
		if (not_a_socket || fd_read_cookie(fd))
			fd_set_foreign(fd);
		return FD_FOREIGN;
	}
	cookie = fd_read_cookie(fd);
	w = describe(fd, cookie, host);
	fd_register(fd, w, cookie);
	return w;
}

/**
 * fd_verified() - what the descriptor is, having compared its cookie
 *
 * For whoever is about to change bytes or to interpret an error.
 */
uint32_t fd_verified(int fd)
{
	uint32_t w = fd_word(fd);

	if (!fd_is_ours(w) || fd_cookie(fd) == fd_read_cookie(fd))
		return w;
	fd_forget(fd);
	return fd_probe(fd);
}
