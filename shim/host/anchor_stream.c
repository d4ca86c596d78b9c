/* SPDX-License-Identifier: MIT */
/*
 * Bytes between a stream anchor and its struct socket.
 *
 * Program to stack: as many bytes are read as the stack takes at once (sock_wspace); when it takes
 * none they stay in the anchor, whose buffer fills, and the program's write blocks. The program's
 * end of stream, read in its order behind the data, becomes our FIN. Urgent bytes are found by
 * looking for the kernel's mark before reading.
 *
 * Stack to program: the stack shows ranges of received bytes (sock_read), which are written to the
 * anchor; small ones are gathered first, so that a system call moves more than a segment. What the
 * anchor does not take stays in the stack, whose receive window closes. The peer's FIN becomes a
 * shutdown of our sending side behind the data.
 *
 * A connect() under way is explained in shim/protocol.h ("The gate").
 */
#include <sys/ioctl.h>

#include "shim/host/host.h"

enum { DIRECT_MIN = 16384 }; /* ranges from this size on are written without being gathered */

/* What the stack did not take of a read, or nothing. Only after a promise that it did not keep. */
static int push_held_in(struct anchor *a)
{
	struct iovec iov = { a->held_in, a->held_in_len };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	ssize_t n;

	if (!a->held_in)
		return 0;
	n = sock_sendmsg(a->sock, &msg);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n > 0 && (size_t)n < a->held_in_len) {
		a->held_in_len -= (size_t)n;
		memmove(a->held_in, a->held_in + n, a->held_in_len);
		return -EAGAIN;
	}
	free(a->held_in);
	a->held_in = NULL;
	return n < 0 ? (int)n : 0;
}

static int hold_in(struct anchor *a, const uint8_t *data, size_t len)
{
	a->held_in = malloc(len);
	if (!a->held_in)
		return -ENOMEM;
	memcpy(a->held_in, data, len);
	a->held_in_len = len;
	return 0;
}

/* Gives bytes of the program to the stack. 0, or negative errno: the stack takes no more, ever. */
static int give_to_stack(struct anchor *a, const uint8_t *data, size_t len, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1,
				 .flags = (unsigned int)(flags | MSG_DONTWAIT | MSG_NOSIGNAL) };
	ssize_t n = sock_sendmsg(a->sock, &msg);

	if (n == (ssize_t)len)
		return 0;
	if (n == -EAGAIN)
		n = 0;
	if (n < 0)
		return (int)n;
	return hold_in(a, data + n, len - (size_t)n);
}

static void input_failed(struct anchor *a, int err)
{
	a->in_dead = true;
	if (err != EPIPE && !a->err)
		a->err = err;
}

static void input_ended(struct anchor *a)
{
	a->in_eof = true;
	/* A close may have come after the last look; it decides between FIN and RST itself. */
	if (!a->closed)
		anchor_check_close(a);
	if (!a->closed)
		(void)sock_shutdown(a->sock, SHUT_WR);
}

/** stream_eat_gate() - takes the gate away, unless the socket listens or still connects */
void stream_eat_gate(struct anchor *a)
{
	while (a->gate_left && a->readable && !a->gate_kill && a->state != ANCHOR_LISTENING &&
	       a->state != ANCHOR_CONNECTING) {
		ssize_t n = sys_recv(a->watch.fd, a->host->scratch, a->gate_left, MSG_DONTWAIT);

		if (n <= 0) {
			/* The end of the stream can be read again. */
			a->readable = n == 0 || n == -EINTR;
			if (n == 0)
				a->gate_left = 0;
			return;
		}
		a->gate_left -= (uint32_t)n;
	}
}

/* Is the urgent byte the next one? */
static bool at_urgent_mark(struct anchor *a)
{
	int at_mark = 0;

	if (!a->oob_ahead || sys_ioctl(a->watch.fd, SIOCATMARK, &at_mark) || !at_mark)
		return false;
	a->oob_ahead = false;
	return true;
}

/* What the stack's filler did, for read_once(). */
struct fill {
	struct anchor *a;
	size_t want;  /* room of the last read */
	ssize_t last; /* and its result */
	bool called;
};

/* Reads from the anchor straight into the stack's send buffer. */
static ssize_t fill_from_anchor(void *arg, uint8_t *buf, size_t len)
{
	struct fill *f = arg;

	f->called = true;
	f->want = len;
	f->last = sys_recv(f->a->watch.fd, buf, len, MSG_DONTWAIT);
	return f->last;
}

static void note_input(struct anchor *a, size_t n, size_t *moved)
{
	a->touched = true;
	*moved += n;
	a->rx_bytes += (uint64_t)n;
}

/* The urgent byte, by way of the scratch buffer; its result as recv() has it. */
static ssize_t read_urgent(struct anchor *a, size_t *moved)
{
	ssize_t n = sys_recv(a->watch.fd, a->host->scratch, 1, MSG_DONTWAIT);
	int err;

	if (n <= 0)
		return n;
	note_input(a, (size_t)n, moved);
	err = give_to_stack(a, a->host->scratch, (size_t)n, MSG_OOB);
	if (err)
		input_failed(a, -err);
	return n;
}

/*
 * One read. A short one leaves the anchor empty or at the mark of urgent data, whose coming is an
 * edge of its own: reading again at once would only cost a call. True = go on; *stalled: the stack
 * takes nothing now although something may be left.
 */
static bool read_once(struct anchor *a, size_t *moved, bool *stalled)
{
	struct fill f = { .a = a, .want = 1 };
	ssize_t n;

	if (at_urgent_mark(a)) {
		f.last = read_urgent(a, moved);
	} else {
		n = sock_fill(a->sock, fill_from_anchor, &f);
		if (n > 0)
			note_input(a, (size_t)n, moved);
		if (!f.called) {
			*stalled = n == -EAGAIN;
			if (!*stalled)
				input_failed(a, (int)-n);
			return false;
		}
	}
	if (f.last == -EINTR)
		return true;
	if (f.last == -ECONNRESET) {
		/* The program closed with data unread; what it wrote itself is still there. */
		a->reset_on_close = true;
		a->check_close = true;
		return true;
	}
	if (f.last <= 0) {
		a->readable = false;
		if (f.last == 0)
			input_ended(a);
		return false;
	}
	if ((size_t)f.last < f.want && !a->oob_ahead && !a->ending)
		a->readable = false;
	return !a->in_dead;
}

/* Program to stack. @limit: bytes in this turn. True when nothing is left to read now. */
static bool pump_in(struct anchor *a, size_t limit)
{
	size_t moved = 0;
	bool stalled = false;
	int err = push_held_in(a);

	if (err == -EAGAIN)
		return false;
	if (err)
		input_failed(a, -err);
	stream_eat_gate(a);
	while (a->readable && !a->in_eof && !a->in_dead && !a->held_in) {
		if (sock_wspace(a->sock) == 0)
			return false;
		if (moved >= limit) {
			anchor_dirty(a);
			return false;
		}
		if (!read_once(a, &moved, &stalled))
			break;
	}
	return !a->held_in && !stalled;
}

/** stream_read_dry() - reads what the program has written up to now; false = it does not all fit */
bool stream_read_dry(struct anchor *a)
{
	if (a->state != ANCHOR_CONNECTED || a->watch.fd < 0)
		return true;
	if (!a->in_eof && !a->in_dead)
		a->readable = true; /* an edge may not have been fetched yet */
	return pump_in(a, SIZE_MAX);
}

/* --- stack to program ------------------------------------------------------------------------- */

static size_t write_anchor(struct anchor *a, const uint8_t *data, size_t len, int flags)
{
	ssize_t n;

	do
		n = sys_sendto(a->watch.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL | flags, NULL, 0);
	while (n == -EINTR);
	if (n > 0) {
		a->tx_bytes += (uint64_t)n;
		a->touched = true;
	}
	if (n < (ssize_t)len)
		a->writable = false;
	if (n == -ECONNRESET) {
		a->reset_on_close = true;
		a->check_close = true;
		anchor_dirty(a);
	} else if (n == -EPIPE) {
		a->reset_on_close = true; /* nobody reads these bytes any more */
		a->check_close = true;
		a->out_eof = true;
		anchor_dirty(a);
	}
	return n > 0 ? (size_t)n : 0;
}

struct gather {
	struct anchor *a;
	size_t len;   /* gathered in the host's scratch */
	size_t moved;
};

/* Writes what was gathered; what does not fit is held, it has left the stack. */
static void gather_flush(struct gather *g)
{
	struct anchor *a = g->a;
	size_t n;

	if (!g->len)
		return;
	n = write_anchor(a, a->host->scratch, g->len, 0);
	if (n < g->len && !a->out_eof) {
		a->held = malloc(g->len - n);
		if (a->held) {
			memcpy(a->held, a->host->scratch + n, g->len - n);
			a->held_len = g->len - n;
			a->held_off = 0;
		} else {
			a->err = ENOBUFS; /* bytes are lost: the connection must not go on */
		}
	}
	g->len = 0;
}

/* A range of received bytes; takes what fits. */
static size_t take_range(void *arg, const uint8_t *data, size_t len)
{
	struct gather *g = arg;
	size_t n;

	if (!g->a->writable || g->moved >= TURN_BYTES)
		return 0;
	if (len < DIRECT_MIN) {
		n = MIN(len, SCRATCH_BYTES - g->len);
		memcpy(g->a->host->scratch + g->len, data, n);
		g->len += n;
		if (g->len == SCRATCH_BYTES)
			gather_flush(g);
	} else {
		gather_flush(g);
		n = g->a->writable ? write_anchor(g->a, data, len, 0) : 0;
	}
	g->moved += n;
	return n;
}

static bool flush_held(struct anchor *a)
{
	if (!a->held)
		return true;
	a->held_off += write_anchor(a, a->held + a->held_off, a->held_len - a->held_off, 0);
	if (a->held_off < a->held_len && !a->out_eof)
		return false;
	free(a->held);
	a->held = NULL;
	return true;
}

/* SO_RCVLOWAT: AF_UNIX does not know it for poll(), so fewer bytes are not shown (unless at the end). */
static bool below_lowat(struct anchor *a)
{
	uint32_t unread = 0;
	int waiting = 0;

	if (a->lowat <= 1 || sock_ioctl(a->sock, FIONREAD, &waiting) || a->err)
		return false;
	if (a->sock->sk->shutdown & RCV_SHUTDOWN || a->sock->sk->err)
		return false;
	if (diag_unread(a->host->diag, a->peer_ino, &unread))
		return false;
	return (uint64_t)waiting + unread < a->lowat;
}

/* The peer's urgent byte, when everything before it has been handed on. */
static void forward_urgent(struct anchor *a)
{
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = MSG_OOB | MSG_DONTWAIT };
	int at_mark = 0;

	if (!(sock_poll(a->sock) & POLLPRI)) {
		a->oob_seen = false;
		return;
	}
	if (a->oob_seen || sock_ioctl(a->sock, SIOCATMARK, &at_mark) || !at_mark || !a->writable)
		return;
	if (sock_recvmsg(a->sock, &msg) == 1) {
		write_anchor(a, &byte, 1, MSG_OOB);
		a->oob_seen = true;
	}
}

/* Stack to program. */
static void pump_out(struct anchor *a)
{
	struct gather g = { .a = a };
	ssize_t n;

	if (a->out_eof || !flush_held(a))
		return;
	while (a->writable && !a->out_eof && !a->held && !below_lowat(a)) {
		forward_urgent(a);
		if (!a->writable)
			break;
		n = sock_read(a->sock, take_range, &g);
		gather_flush(&g);
		if (g.moved >= TURN_BYTES) {
			anchor_dirty(a);
			return;
		}
		if (n > 0)
			continue;
		if (n == 0 && a->writable && !a->held) {
			a->out_eof = true;
			(void)sys_shutdown(a->watch.fd, SHUT_WR);
		} else if (n < 0 && n != -EAGAIN && !a->err) {
			a->err = (int)-n;
		}
		break;
	}
}

/* A pending error becomes the end once everything received was handed on. */
static void check_dead(struct anchor *a)
{
	int err = a->err;

	if (!err && !a->sock->sk->err)
		return;
	if (a->held || (!a->writable && !a->out_eof))
		return;
	if (!err)
		err = anchor_take_error(a);
	if (err)
		anchor_fail(a, err);
}

static void deferred_shutdown(struct anchor *a, bool dry)
{
	if (a->shutdown_after < 0 || !dry)
		return;
	(void)sock_shutdown(a->sock, a->shutdown_after);
	a->shutdown_after = -1;
	a->in_eof = true;
}

/** stream_work() - moves bytes both ways, a bounded amount */
void stream_work(struct anchor *a)
{
	bool dry = pump_in(a, TURN_BYTES);

	deferred_shutdown(a, dry);
	pump_out(a);
	check_dead(a);
	if (a->linger_waits)
		lingers_check(a->host, NULL);
}

/* --- connect() -------------------------------------------------------------------------------- */

static void connected(struct anchor *a)
{
	struct sockaddr_storage ss;

	a->state = ANCHOR_CONNECTED;
	a->established = a->host->now;
	a->host->totals.connections++;
	if (sock_getname(a->sock, &ss, false) > 0)
		addr_format(&ss, a->addrs.local, sizeof(a->addrs.local));
	if (sock_getname(a->sock, &ss, true) > 0)
		addr_format(&ss, a->addrs.peer, sizeof(a->addrs.peer));
	host_log(a->host, LOG_LEVEL_INFO, "%s > %s connected", a->addrs.local, a->addrs.peer);
	anchor_dirty(a);
}

static void connect_failed(struct anchor *a, int err)
{
	host_log(a->host, LOG_LEVEL_INFO, "connect to %s failed: %s", a->addrs.peer, strerror(err));
	a->err = err;
	if (!a->nonblock) {
		a->state = ANCHOR_FRESH; /* the waiting shim asks for the error; connect() may be tried again */
		a->readable = true;
		stream_eat_gate(a);
		return;
	}
	report_ended(a, strerror(err));
	a->state = ANCHOR_DEAD;
	a->gate_kill = true; /* our end closes with the gate unread, as soon as it is there */
	anchor_dirty(a);
}

/** stream_connecting() - has the connect() under way come to an end? */
void stream_connecting(struct anchor *a)
{
	unsigned int bits = sock_poll(a->sock);
	uint8_t state = a->sock->sk->state;
	int err;

	if (a->state != ANCHOR_CONNECTING)
		return;
	if ((state == TCP_SYN_SENT || state == TCP_SYN_RECV) && !(bits & POLLERR))
		return;
	if (a->nonblock) {
		err = anchor_take_error(a);
		if (!err && a->sock->sk->state == TCP_CLOSE)
			err = ECONNABORTED;
	} else if (a->came_up && state == TCP_CLOSE) {
		/* Linux wakes the call in ESTABLISHED: it succeeds, and the error is for the next one. */
		a->readable = true; /* the gate is not to count as data lost */
		err = 0;
	} else {
		/* The call that waits, coming back: it takes the error and the state with it. */
		err = -sock_connect(a->sock, (const struct sockaddr *)&a->target, a->target_len);
		if (err == EINPROGRESS || err == EALREADY)
			return;
		if (err == EISCONN)
			err = 0;
	}
	if (err)
		connect_failed(a, err);
	else
		connected(a);
}

/* MSG_FASTOPEN: the bytes themselves will come through the anchor, so nothing is written here yet. */
static int connect_early(struct anchor *a, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_storage name = { 0 };
	struct stack_msg msg = { .flags = MSG_FASTOPEN | MSG_MORE | MSG_DONTWAIT, .name = &name,
				 .namelen = len };

	memcpy(&name, addr, MIN(len, sizeof(name)));
	return (int)sock_sendmsg(a->sock, &msg);
}

/**
 * stream_connect() - CTL_CONNECT on a stream socket
 * @flags: CTL_F_NONBLOCK: the program's descriptor is non-blocking; CTL_F_FASTOPEN: MSG_FASTOPEN
 *
 * Return: 0 connected; -EINPROGRESS: a gate will come; else failed at once
 */
int stream_connect(struct anchor *a, const struct sockaddr *addr, socklen_t len, unsigned int flags)
{
	int ret;

	if (a->state == ANCHOR_CONNECTING)
		stream_connecting(a);
	ret = (flags & CTL_F_FASTOPEN) ? connect_early(a, addr, len) : sock_connect(a->sock, addr, len);
	if (ret == -EINPROGRESS && a->state == ANCHOR_FRESH) {
		a->state = ANCHOR_CONNECTING;
		a->nonblock = flags & CTL_F_NONBLOCK;
		a->came_up = false;
		a->gate_left += GATE_BYTES;
		a->started = a->host->now;
		a->err = 0;
		memcpy(&a->target, addr, MIN(len, sizeof(a->target)));
		a->target_len = MIN(len, (socklen_t)sizeof(a->target));
		addr_format(&a->target, a->addrs.peer, sizeof(a->addrs.peer));
	} else if (ret == 0 && addr->sa_family == AF_UNSPEC) {
		a->state = ANCHOR_FRESH;
	} else if (ret == 0 && a->state == ANCHOR_FRESH) {
		connected(a);
	}
	return ret;
}
