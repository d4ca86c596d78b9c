/* SPDX-License-Identifier: MIT */
/*
 * The memory of packet rings (PACKET_RX_RING), shared with programs.
 *
 * The stack asks for a ring's memory when the option is set (struct packet_ring_ops): a memfd of the
 * ring's bytes and one page more, sealed against a change of its size, so that no program can pull it away
 * from under us. The program's mmap() of the socket gets the memfd by CTL_RING_MAP and maps the ring; the
 * shim maps the page behind it (struct ring_control).
 *
 * Readiness. A ring fills without a byte on the anchor, and poll() has to see it: a message DGRAM_TOKEN
 * makes the anchor readable. At most one is under way; ring_control.token says so. The host sends it when
 * the ring has something for the program and none is under way; the shim takes it off before a poll() that
 * finds the ring empty (shim/program/packet_ring.c). Both set the flag and look at the ring afterwards, so
 * that nothing falls in between. Tokens begin with the first mmap(): before it nobody can read the ring.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/host/host.h"
#include "stack/packet/packet.h"

enum { PAGE = 4096 };

struct ring_memory {
	int fd;
	uint8_t *mem;
	size_t bytes;   /* of the ring, without the page behind it */
	bool mapped;    /* by a program, at some time */
};

static struct ring_control *control_page(const struct ring_memory *m)
{
	return (struct ring_control *)(void *)(m->mem + m->bytes);
}

static void free_memory(struct ring_memory *m)
{
	if (m->mem)
		munmap(m->mem, m->bytes + PAGE);
	sys_close(m->fd);
	free(m);
}

/* A sealed memfd, mapped. Negative errno. */
static int make_memory(size_t bytes, struct ring_memory **out)
{
	struct ring_memory *m = calloc(1, sizeof(*m));
	void *mem;

	if (!m)
		return -ENOMEM;
	m->bytes = bytes;
	m->fd = memfd_create("wireshim-packet-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd < 0) {
		free(m);
		return errno == EMFILE || errno == ENFILE ? -ENOBUFS : -ENOMEM;
	}
	if (ftruncate(m->fd, (off_t)(bytes + PAGE)) < 0 ||
	    fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		free_memory(m);
		return -ENOMEM;
	}
	mem = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (mem == MAP_FAILED) {
		free_memory(m);
		return -ENOMEM;
	}
	m->mem = mem;
	*out = m;
	return 0;
}

/* struct packet_ring_ops */
static int ring_map(struct socket *sock, size_t bytes, uint8_t **mem)
{
	struct anchor *a = sock->user;
	struct ring_memory *m;
	int err;

	if (!a || a->ring)
		return -ENOMEM;
	err = make_memory(bytes, &m);
	if (err)
		return err;
	a->ring = m;
	*mem = m->mem;
	return 0;
}

/* The anchor may be gone already; its memory is freed by anchor_destroy() then. */
static void ring_unmap(struct socket *sock, uint8_t *mem, size_t bytes)
{
	struct anchor *a = sock ? sock->user : NULL;

	(void)mem;
	(void)bytes;
	if (a)
		ring_memory_free(a);
}

static const struct packet_ring_ops ring_ops = { ring_map, ring_unmap };

/** rings_provide() - lets the host's packet sockets have rings */
void rings_provide(struct host *h)
{
	packet_set_ring_ops(h->net, &ring_ops);
}

/** ring_memory_free() - the ring's end; programs that have it mapped keep their mapping */
void ring_memory_free(struct anchor *a)
{
	struct ring_memory *m = a->ring;

	a->ring = NULL;
	if (m)
		free_memory(m);
}

/**
 * ring_handle() - CTL_RING_MAP: what a program needs to map the ring
 * @fd:    memfd, still ours
 * @bytes: of the ring; the control page lies behind them
 *
 * Return: 0; -EINVAL without a ring
 */
int ring_handle(struct anchor *a, int *fd, size_t *bytes)
{
	if (!a->ring)
		return -EINVAL;
	a->ring->mapped = true;
	*fd = a->ring->fd;
	*bytes = a->ring->bytes;
	return 0;
}

/**
 * ring_wants_token() - has the ring something for the program that no token tells of?
 *
 * True at most once until the program takes the token: the caller sends it.
 */
bool ring_wants_token(struct anchor *a)
{
	struct ring_memory *m = a->ring;
	uint32_t last;

	if (!m || !m->mapped || packet_ring_last(a->sock, &last))
		return false;
	__atomic_store_n(&control_page(m)->last, last, __ATOMIC_SEQ_CST);
	if (__atomic_load_n((uint32_t *)(void *)(m->mem + last), __ATOMIC_SEQ_CST) == 0)
		return false;
	return __atomic_exchange_n(&control_page(m)->token, 1, __ATOMIC_SEQ_CST) == 0;
}
