/* SPDX-License-Identifier: MIT */
/*
 * Messages between a datagram or raw anchor (SEQPACKET) and its struct socket.
 *
 * Each message carries struct dgram_hdr in front, both ways. Program to stack: the address and the
 * ancillary data come out of the header; when the socket's send buffer is full, messages stay in the
 * anchor. An error of sending cannot be the result of a call that has long returned: it goes back as
 * a DGRAM_ERROR message, as an ICMP error of an earlier datagram does, and is the result of the
 * program's next call. Stack to program: what the anchor does not take stays in the socket, whose
 * receive buffer drops and counts as UDP's does. Never shut down: that has no meaning here.
 *
 * A UDP socket may have a twin on the kernel's loopback (twin_dgram.c), with which it shares the anchor.
 */
#include "shim/host/host.h"

/* Puts one message into the anchor, or holds it until there is room. */
static void send_message(struct anchor *a, const struct dgram_hdr *hdr, const uint8_t *payload, size_t len)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)hdr, sizeof(*hdr) },
				{ (void *)(uintptr_t)payload, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = sys_sendmsg(a->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -EINTR);
	if (n >= 0) {
		a->tx_bytes += len;
		return;
	}
	if (n == -EPIPE || n == -ECONNRESET) {
		a->check_close = true;
		a->readable = true;
		anchor_dirty(a);
		return;
	}
	if (n != -EAGAIN)
		return; /* -EMSGSIZE, -ENOBUFS: lost, as a datagram may be */
	a->writable = false;
	if (a->held)
		return; /* an answer to a program that reads none of them */
	a->held = malloc(sizeof(*hdr) + len);
	if (!a->held)
		return;
	memcpy(a->held, hdr, sizeof(*hdr));
	if (len)
		memcpy(a->held + sizeof(*hdr), payload, len);
	a->held_len = sizeof(*hdr) + len;
	a->held_off = 0;
}

static void send_error(struct anchor *a, int err)
{
	struct dgram_hdr hdr = { .magic = WIRESHIM_MAGIC, .kind = DGRAM_ERROR, .err = err };

	send_message(a, &hdr, (const uint8_t *)"", 0);
}

/* A message that did not fit before; its buffer goes in any case. */
static bool flush_held(struct anchor *a)
{
	uint8_t *held = a->held;
	struct dgram_hdr hdr;

	if (!held)
		return true;
	a->held = NULL;
	memcpy(&hdr, held, sizeof(hdr));
	send_message(a, &hdr, held + sizeof(hdr), a->held_len - sizeof(hdr));
	free(held);
	return !a->held;
}

/* --- program to stack ------------------------------------------------------------------------- */

static bool header_ok(const struct dgram_hdr *hdr, size_t len)
{
	return len >= sizeof(*hdr) && hdr->magic == WIRESHIM_MAGIC &&
	       (hdr->kind == DGRAM_DATA || hdr->kind == DGRAM_LOOPBACK) &&
	       hdr->namelen <= sizeof(hdr->name) && hdr->controllen <= DGRAM_CONTROL_MAX &&
	       len - sizeof(*hdr) <= DGRAM_FRAME_MAX;
}

/* Hands one message to the stack. -EAGAIN: not now. */
static ssize_t send_to_stack(struct anchor *a, uint8_t *message, size_t len)
{
	struct dgram_hdr hdr;
	struct iovec iov = { message + sizeof(hdr), len - sizeof(hdr) };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };
	struct sockaddr_storage name;
	ssize_t n;

	memcpy(&hdr, message, sizeof(hdr));
	memset(&name, 0, sizeof(name));
	memcpy(&name, &hdr.name, hdr.namelen);
	msg.flags = (hdr.flags & (MSG_DONTROUTE | MSG_CONFIRM | MSG_MORE | MSG_OOB)) | MSG_DONTWAIT |
		    MSG_NOSIGNAL;
	if (hdr.namelen) {
		msg.name = &name;
		msg.namelen = hdr.namelen;
	}
	if (hdr.controllen) {
		msg.control = hdr.control;
		msg.control_size = msg.controllen = hdr.controllen;
	}
	n = sock_sendmsg(a->sock, &msg);
	if (n == -ECONNREFUSED || n == -EHOSTUNREACH || n == -ENETUNREACH) {
		/* The pending error of an earlier datagram: reported, and this one sent after it. */
		send_error(a, (int)-n);
		n = sock_sendmsg(a->sock, &msg);
	}
	return n;
}

/* The same to the kernel's loopback. */
static ssize_t send_to_twin(struct anchor *a, uint8_t *message, size_t len)
{
	struct dgram_hdr hdr;
	ssize_t n;

	memcpy(&hdr, message, sizeof(hdr));
	n = twin_dgram_send(a, &hdr, message + sizeof(hdr), len - sizeof(hdr));
	if (n == -ECONNREFUSED) {
		send_error(a, ECONNREFUSED);
		n = twin_dgram_send(a, &hdr, message + sizeof(hdr), len - sizeof(hdr));
	}
	return n;
}

static void hold_in(struct anchor *a, const uint8_t *data, size_t len)
{
	a->held_in = malloc(len);
	if (!a->held_in)
		return; /* lost, as a datagram may be */
	memcpy(a->held_in, data, len);
	a->held_in_len = len;
}

/* One message of the program; true = it is done with. */
static bool take_message(struct anchor *a, uint8_t *data, size_t len)
{
	struct dgram_hdr hdr;
	ssize_t n;

	memset(&hdr, 0, sizeof(hdr));
	memcpy(&hdr, data, MIN(len, sizeof(hdr)));
	if (!header_ok(&hdr, len)) {
		a->host->totals.malformed++;
		send_error(a, EINVAL);
		return true;
	}
	if (hdr.kind == DGRAM_LOOPBACK || (a->twin_connected && !hdr.namelen)) {
		n = send_to_twin(a, data, len);
		if (n == -EAGAIN)
			return false;
	} else {
		n = send_to_stack(a, data, len);
		/* Without room there will be a wake-up; without a free port (inet_autobind()) there will be none. */
		if (n == -EAGAIN && !(sock_poll(a->sock) & POLLOUT))
			return false;
	}
	if (n < 0)
		send_error(a, (int)-n);
	else
		a->rx_bytes += len - sizeof(hdr);
	return true;
}

static bool push_held_in(struct anchor *a)
{
	if (!a->held_in)
		return true;
	if (!take_message(a, a->held_in, a->held_in_len))
		return false;
	free(a->held_in);
	a->held_in = NULL;
	return true;
}

static void pump_in(struct anchor *a)
{
	uint8_t *buf = a->host->scratch;
	unsigned int count = 0;
	ssize_t n;

	if (!push_held_in(a))
		return;
	while (a->readable && !a->in_eof) {
		if (!(sock_poll(a->sock) & (POLLOUT | POLLERR)))
			return;
		if (count++ >= TURN_MESSAGES) {
			anchor_dirty(a);
			return;
		}
		/* No room for ancillary data: descriptors that come along are closed by the kernel. */
		n = sys_recv(a->watch.fd, buf, SCRATCH_BYTES, MSG_DONTWAIT | MSG_TRUNC);
		if (n == -EINTR || n == -ECONNRESET) {
			a->check_close |= n == -ECONNRESET;
			continue; /* closed with messages unread; its own last words are still there */
		}
		if (n <= 0) {
			a->readable = false;
			a->in_eof = n == 0;
			a->check_close |= n == 0;
			return;
		}
		if (!take_message(a, buf, (size_t)n)) {
			hold_in(a, buf, (size_t)n);
			return;
		}
	}
}

/* --- stack to program ------------------------------------------------------------------------- */

static ssize_t receive(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room,
			   unsigned int flags)
{
	struct iovec iov = { payload, room };
	struct sockaddr_storage name;
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = flags | MSG_DONTWAIT, .name = &name,
				 .control = hdr->control, .control_size = DGRAM_CONTROL_MAX };
	ssize_t n;

	memset(hdr, 0, sizeof(*hdr));
	n = sock_recvmsg(a->sock, &msg);
	if (n < 0)
		return n;
	hdr->magic = WIRESHIM_MAGIC;
	hdr->kind = DGRAM_DATA;
	hdr->namelen = (uint16_t)MIN(msg.namelen, sizeof(hdr->name));
	memcpy(&hdr->name, &name, hdr->namelen);
	hdr->controllen = (uint16_t)MIN(msg.controllen, (size_t)DGRAM_CONTROL_MAX);
	hdr->full_len = (uint32_t)MAX(msg.full_len, (size_t)n);
	return n;
}

static ssize_t receive_one(struct anchor *a, struct dgram_hdr *hdr)
{
	return receive(a, hdr, a->host->scratch, DGRAM_FRAME_MAX, 0);
}

/**
 * dgram_error() - the next message of the error queue (MSG_ERRQUEUE), on a socket of any type
 * @hdr:     filled in
 * @payload: @room bytes
 *
 * Return: payload bytes; -EAGAIN: none
 */
ssize_t dgram_error(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room)
{
	ssize_t n = receive(a, hdr, payload, room, MSG_ERRQUEUE);

	return n == -EAGAIN && a->state == ANCHOR_DGRAM ? twin_dgram_error(a, hdr, payload, room) : n;
}

typedef ssize_t (*receive_fn)(struct anchor *a, struct dgram_hdr *hdr);

static void pump_from(struct anchor *a, receive_fn next)
{
	unsigned int count;
	struct dgram_hdr hdr;
	ssize_t n;

	for (count = 0; a->writable && !a->held; count++) {
		if (count >= TURN_MESSAGES) {
			anchor_dirty(a);
			return;
		}
		n = next(a, &hdr);
		if (n >= 0)
			send_message(a, &hdr, a->host->scratch, (size_t)n);
		else if (n != -EAGAIN && n != -ENOTCONN)
			send_error(a, (int)-n); /* the pending error, taken by this call */
		else
			return;
	}
}

static void pump_out(struct anchor *a)
{
	bool kernels = a->kernel_next;

	if (!a->writable || !flush_held(a))
		return;
	if (a->twin.fd < 0) {
		pump_from(a, receive_one);
		return;
	}
	/* Whoever had the room to himself last comes second. */
	a->kernel_next = !kernels;
	pump_from(a, kernels ? twin_dgram_receive : receive_one);
	pump_from(a, kernels ? receive_one : twin_dgram_receive);
}

/* A packet ring fills elsewhere; only the news of it goes through the anchor. */
static void announce_ring(struct anchor *a)
{
	const struct dgram_hdr hdr = { .magic = WIRESHIM_MAGIC, .kind = DGRAM_TOKEN };

	if (a->writable && !a->held && ring_wants_token(a))
		send_message(a, &hdr, (const uint8_t *)"", 0);
}

/** dgram_work() - moves messages both ways, a bounded number */
void dgram_work(struct anchor *a)
{
	pump_in(a);
	pump_out(a);
	if (a->ring)
		announce_ring(a);
	if (a->check_close)
		anchor_dirty(a);
}
