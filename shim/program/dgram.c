/* SPDX-License-Identifier: MIT */
/*
 * Datagrams and raw packets: struct dgram_hdr goes in front of each message, both ways, and
 * carries address, ancillary data and the asynchronous errors (DGRAM_ERROR) that Linux reports on
 * the next call.
 *
 * A send that Linux would refuse at once (no route, no permission to broadcast) must fail in the
 * call. The host is asked before the first datagram to each destination; who passed is remembered
 * in a small table of fingerprints.
 */
#include "shim/program/real.h"
#include "shim/program/dgram.h"
#include "shim/program/config.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"
#include "shim/program/packet.h"
#include "shim/program/sock.h"

#include <netinet/in.h>
#include <netpacket/packet.h>
#include <string.h>

enum {
	IOV_USUAL = 16,
	IOV_MOST = 1024, /* UIO_MAXIOV */
	UDP_PAYLOAD_MAX = 65507,
	CHECKED_SLOTS = 1024,
	ERRQUEUE_PAYLOAD = 2048,
	HOST_FLAGS = MSG_DONTROUTE | MSG_CONFIRM | MSG_MORE | MSG_OOB,
};

static _Atomic uint64_t checked[CHECKED_SLOTS];

static uint64_t fingerprint(uint64_t cookie, const struct sockaddr_in *to)
{
	uint64_t x = cookie * 0x9e3779b97f4a7c15u;

	x ^= (uint64_t)to->sin_addr.s_addr << 16 | to->sin_port;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 31;
	x *= 0x94d049bb133111ebu;
	return (x ^ x >> 29) | 1;
}

/*
 * Would a send to this destination fail at once? Asked once per socket and destination. @by_twin: it
 * goes to the kernel's loopback.
 */
static int check_destination(int fd, const struct sockaddr_in *to, bool by_twin)
{
	uint64_t print = fingerprint(fd_cookie(fd), to);
	struct ctl_call c = { .op = CTL_SENDCHECK, .arg = { 0, by_twin }, .data = to, .len = sizeof(*to) };
	int r;

	if (atomic_load_explicit(&checked[print % CHECKED_SLOTS], memory_order_relaxed) == print)
		return 0;
	r = sock_control(fd, &c);
	if (r >= 0)
		atomic_store_explicit(&checked[print % CHECKED_SLOTS], print, memory_order_relaxed);
	return r < 0 ? r : 0;
}

static bool int_between(const struct cmsghdr *c, int least, int most)
{
	int value;

	if (c->cmsg_len != CMSG_LEN(sizeof(value)))
		return false;
	memcpy(&value, CMSG_DATA(c), sizeof(value));
	return value >= least && value <= most;
}

static bool control_ok(const struct cmsghdr *c)
{
	switch (c->cmsg_level) {
	case SOL_SOCKET:
	case IPPROTO_UDP:
		return false;
	case IPPROTO_IP:
		break;
	default:
		return true; /* of other protocols: not looked at */
	}
	switch (c->cmsg_type) {
	case IP_TTL: return int_between(c, 1, 255);
	case IP_TOS: return c->cmsg_len == CMSG_LEN(1) || int_between(c, 0, 255);
	case IP_PKTINFO: return c->cmsg_len == CMSG_LEN(sizeof(struct in_pktinfo));
	default: return false;
	}
}

/* What the stack would refuse has to fail in the call: it would come back as the result of a later one. */
static int check_control(const struct msghdr *m)
{
	const char *p = m->msg_control;
	size_t left = p ? m->msg_controllen : 0;

	while (left >= sizeof(struct cmsghdr)) {
		const struct cmsghdr *c = (const void *)p;
		size_t step;

		if (c->cmsg_len < sizeof(*c) || c->cmsg_len > left || !control_ok(c))
			return -EINVAL;
		step = CMSG_ALIGN(c->cmsg_len);
		if (step >= left)
			break;
		p += step;
		left -= step;
	}
	return 0;
}

/*
 * The same for a packet socket, where the frame's length counts too: who has sent one of this length to
 * this interface is not asked again.
 */
static int packet_address(int fd, const struct msghdr *m, size_t total, struct dgram_hdr *h)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	struct sockaddr_in key = { .sin_family = AF_PACKET };
	struct ctl_call c = { .op = CTL_SENDCHECK, .arg = { (uint32_t)total } };
	uint64_t print;
	int r;

	if (m->msg_name) {
		if (m->msg_namelen < sizeof(to))
			return -EINVAL;
		memcpy(&to, m->msg_name, sizeof(to));
		if (to.sll_halen > sizeof(to.sll_addr))
			return -EINVAL;
		memcpy(&h->name, &to, sizeof(to));
		h->namelen = sizeof(to);
		c.data = &to;
		c.len = sizeof(to);
	}
	key.sin_addr.s_addr = (uint32_t)to.sll_ifindex << 20 ^ (uint32_t)total;
	key.sin_port = m->msg_name ? 1 : 0;
	print = fingerprint(fd_cookie(fd), &key);
	if (atomic_load_explicit(&checked[print % CHECKED_SLOTS], memory_order_relaxed) == print)
		return 0;
	r = sock_control(fd, &c);
	if (r >= 0 && m->msg_name)
		atomic_store_explicit(&checked[print % CHECKED_SLOTS], print, memory_order_relaxed);
	return r < 0 ? r : 0;
}

/* The largest message that the kernel would look at. */
static size_t most_bytes(uint32_t w)
{
	if (w & FD_PACKET)
		return DGRAM_FRAME_MAX;
	return (w & FD_RAW) ? (size_t)DGRAM_PAYLOAD_MAX : (size_t)UDP_PAYLOAD_MAX;
}

/* Fills in where the datagram goes. Errors as udp_sendmsg() and raw_sendmsg() give them. */
static int address(int fd, uint32_t w, const struct msghdr *m, struct dgram_hdr *h)
{
	static const struct sockaddr_in any = { .sin_family = AF_INET };
	struct sockaddr_in to;

	if (!m->msg_name) {
		struct ctl_call c = { .op = CTL_BIND, .data = &any, .len = sizeof(any) };

		if ((w & FD_CONNECTED) || sock_peer_known(fd))
			return 0;
		if (!(w & FD_BOUND))
			sock_control(fd, &c); /* Linux has chosen a port by then */
		return -EDESTADDRREQ;
	}
	if (m->msg_namelen < sizeof(to))
		return -EINVAL;
	memcpy(&to, m->msg_name, sizeof(to));
	if (to.sin_family == AF_UNSPEC && !(w & FD_RAW))
		to.sin_family = AF_INET;
	if (to.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!to.sin_port && !(w & FD_RAW))
		return -EINVAL;
	memcpy(&h->name, &to, sizeof(to));
	h->namelen = sizeof(to);
	if (is_loopback(&to) && loopback_has_peer(fd, w, &to))
		h->kind = DGRAM_LOOPBACK;
	return check_destination(fd, &to, h->kind == DGRAM_LOOPBACK);
}

/**
 * dgram_look() - is what comes next on the anchor an error of an earlier datagram?
 *
 * Return: 0 or -errno; it stays where it is
 */
int dgram_look(int fd)
{
	struct dgram_hdr h;
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	long n = SYS(recvmsg, fd, &msg, MSG_PEEK | MSG_DONTWAIT);

	if (n < (long)sizeof(h) || h.magic != WIRESHIM_MAGIC || h.kind != DGRAM_ERROR)
		return 0;
	return -h.err;
}

/**
 * dgram_take_error() - such an error is the result of the next call, as Linux has it, which takes it
 *
 * Return: 0 or -errno
 */
int dgram_take_error(int fd)
{
	int err = dgram_look(fd);

	if (err < 0)
		SYS(recvfrom, fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	return err;
}

static int host_is_gone(void)
{
	log_fatal_once("host %s is gone: its sockets are dead", config.host);
	return -ENETDOWN;
}

static int host_gone(int err)
{
	switch (err) {
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
	case ECONNREFUSED: return host_is_gone();
	default: return -err;
	}
}

static ssize_t send_on(int fd, struct dgram_hdr *h, const struct msghdr *m, int flags,
		       struct iovec *iov)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = m->msg_iovlen + 1 };
	ssize_t n;

	iov[0] = (struct iovec){ h, sizeof(*h) };
	if (m->msg_iovlen)
		memcpy(iov + 1, m->msg_iov, m->msg_iovlen * sizeof(*iov));
	n = libc()->sendmsg(fd, &msg, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
	if (n < 0)
		return host_gone(errno);
	return n < (ssize_t)sizeof(*h) ? -EIO : n - (ssize_t)sizeof(*h);
}

/* The large vector in a frame of its own, so that the usual one keeps to a small stack. */
__attribute__((noinline)) static ssize_t send_many(int fd, struct dgram_hdr *h,
						   const struct msghdr *m, int flags)
{
	struct iovec iov[IOV_MOST + 1];

	return send_on(fd, h, m, flags, iov);
}

/**
 * dgram_send() - one datagram
 * @fd:    socket of ours, its cookie compared by the caller
 * @w:     its word
 * @m:     as for sendmsg()
 * @flags: MSG_*
 *
 * Return: payload bytes, or -errno
 */
ssize_t dgram_send(int fd, uint32_t w, const struct msghdr *m, int flags)
{
	struct dgram_hdr h = { .magic = WIRESHIM_MAGIC,
			       .kind = DGRAM_DATA,
			       .flags = (uint32_t)(flags & HOST_FLAGS) };
	struct iovec iov[IOV_USUAL + 1];
	size_t total = 0;
	int r;

	if ((flags & MSG_OOB) && !(w & FD_PACKET))
		return -EOPNOTSUPP;
	if (m->msg_iovlen > IOV_MOST)
		return -EMSGSIZE;
	if ((m->msg_iovlen && nowhere(m->msg_iov)) || (m->msg_controllen && m->msg_control && nowhere(m->msg_control)) ||
	    (m->msg_name && nowhere(m->msg_name)))
		return -EFAULT;
	for (size_t i = 0; i < m->msg_iovlen; i++)
		total += m->msg_iov[i].iov_len;
	if (total > most_bytes(w))
		return -EMSGSIZE;
	if (w & FD_WRSHUT)
		return -EPIPE;
	r = host_attach(fd);
	if (r == 0)
		r = (w & FD_PACKET) ? packet_address(fd, m, total, &h) : address(fd, w, m, &h);
	if (r == 0)
		r = check_control(m);
	if (r == 0)
		r = dgram_take_error(fd);
	if (r < 0)
		return r;
	h.full_len = (uint32_t)total;
	if (m->msg_control && m->msg_controllen) {
		if (m->msg_controllen > sizeof(h.control))
			return -ENOBUFS;
		memcpy(h.control, m->msg_control, m->msg_controllen);
		h.controllen = (uint16_t)m->msg_controllen;
	}
	if (!(w & FD_USED))
		fd_flag(fd, FD_USED, 0);
	if (m->msg_iovlen > IOV_USUAL)
		return send_many(fd, &h, m, flags);
	return send_on(fd, &h, m, flags, iov);
}

/* Ancillary data, cut where the room ends, as put_cmsg() of Linux does. */
static void give_control(const struct dgram_hdr *h, struct msghdr *m)
{
	const uint8_t *p = h->control, *end = p + h->controllen;
	size_t room = m->msg_control ? m->msg_controllen : 0, done = 0;
	struct cmsghdr c;

	while (end - p >= (ptrdiff_t)sizeof(c)) {
		size_t step, len;

		memcpy(&c, p, sizeof(c));
		if (c.cmsg_len < sizeof(c) || c.cmsg_len > (size_t)(end - p))
			break;
		step = CMSG_ALIGN(c.cmsg_len);
		len = c.cmsg_len;
		if (len > room - done) {
			m->msg_flags |= MSG_CTRUNC;
			len = room - done;
		}
		if (len >= sizeof(c)) {
			c.cmsg_len = len;
			memcpy((uint8_t *)m->msg_control + done, p, len);
			memcpy((uint8_t *)m->msg_control + done, &c, sizeof(c));
			done += step < room - done ? step : room - done;
		}
		p += step < (size_t)(end - p) ? step : (size_t)(end - p);
	}
	m->msg_controllen = done;
}

/* Address and ancillary data go out as the kernel gives them. */
static void give_header(const struct dgram_hdr *h, struct msghdr *m)
{
	if (m->msg_name) {
		memcpy(m->msg_name, &h->name,
		       h->namelen < m->msg_namelen ? h->namelen : m->msg_namelen);
		m->msg_namelen = h->namelen;
	}
	give_control(h, m);
}

static ssize_t deliver(const struct dgram_hdr *h, struct msghdr *m, size_t payload, int flags)
{
	size_t room = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		room += m->msg_iov[i].iov_len;
	m->msg_flags = (flags & MSG_CMSG_CLOEXEC) | (flags & MSG_ERRQUEUE);
	if (payload > room)
		m->msg_flags |= MSG_TRUNC;
	give_header(h, m);
	return (ssize_t)(payload > room && !(flags & MSG_TRUNC) ? room : payload);
}

/**
 * error_queue_recv() - MSG_ERRQUEUE, on a socket of any type
 *
 * Return: bytes, or -errno; -EAGAIN when nothing is there
 */
ssize_t error_queue_recv(int fd, struct msghdr *m, int flags)
{
	struct {
		struct dgram_hdr h;
		char payload[ERRQUEUE_PAYLOAD];
	} q = { .h = { .magic = 0 } };
	struct ctl_call c = { .op = CTL_RECVERR, .reply = &q, .room = sizeof(q) };
	size_t done = 0, left;
	int r = sock_control(fd, &c);

	if (r < 0)
		return r;
	if (c.got < sizeof(q.h) || q.h.magic != WIRESHIM_MAGIC)
		return -EAGAIN;
	/* As sock_dequeue_err_skb(): its errno is not reported a second time. */
	if (!(fd_word(fd) & FD_STREAM))
		dgram_take_error(fd);
	left = c.got - sizeof(q.h);
	for (size_t i = 0; i < m->msg_iovlen && done < left; i++) {
		size_t n =
			m->msg_iov[i].iov_len < left - done ? m->msg_iov[i].iov_len : left - done;

		memcpy(m->msg_iov[i].iov_base, q.payload + done, n);
		done += n;
	}
	return deliver(&q.h, m, left, flags);
}

/* One message off the anchor, header first. -EAGAIN, -EINTR and the like natively. */
static ssize_t recv_on(int fd, struct dgram_hdr *h, const struct msghdr *m, int flags,
		       struct iovec *iov)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = m->msg_iovlen + 1 };
	ssize_t n;

	iov[0] = (struct iovec){ h, sizeof(*h) };
	if (m->msg_iovlen)
		memcpy(iov + 1, m->msg_iov, m->msg_iovlen * sizeof(*iov));
	n = libc()->recvmsg(fd, &msg, (flags & (MSG_PEEK | MSG_DONTWAIT)) | MSG_TRUNC);
	if (n < 0)
		return host_gone(errno);
	return n;
}

__attribute__((noinline)) static ssize_t recv_many(int fd, struct dgram_hdr *h,
						   const struct msghdr *m, int flags)
{
	struct iovec iov[IOV_MOST + 1];

	return recv_on(fd, h, m, flags, iov);
}

/**
 * dgram_recv() - one datagram
 * @fd:    socket of ours, its cookie compared by the caller
 * @w:     its word
 * @m:     as for recvmsg(); name, control and flags are filled in
 * @flags: MSG_*
 *
 * Return: payload bytes, or -errno; the error of an earlier datagram where one came back
 */
ssize_t dgram_recv(int fd, uint32_t w, struct msghdr *m, int flags)
{
	struct iovec iov[IOV_USUAL + 1];
	struct dgram_hdr h;
	ssize_t n;
	int r = host_attach(fd);

	if (r < 0)
		return r;
	if (m->msg_iovlen > IOV_MOST)
		return -EMSGSIZE;
	if (m->msg_iovlen && nowhere(m->msg_iov))
		return -EFAULT;
	if ((w & FD_PACKET) && (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE)))
		return -EINVAL;
	if (w & FD_RING)
		return (flags & MSG_ERRQUEUE) ? -EAGAIN : ring_recv(fd, flags);
	if ((flags & MSG_OOB) && (w & FD_RAW))
		return -EOPNOTSUPP; /* UDP takes no notice of it */
	if (flags & MSG_ERRQUEUE)
		return error_queue_recv(fd, m, flags);
	if (w & FD_RDSHUT)
		flags |= MSG_DONTWAIT;
	for (;;) {
		n = m->msg_iovlen > IOV_USUAL ? recv_many(fd, &h, m, flags)
					      : recv_on(fd, &h, m, flags, iov);
		if (n < 0)
			return n == -EAGAIN && (w & FD_RDSHUT) ? 0 : n;
		if (n == 0)
			return host_is_gone(); /* a datagram has at least its header: the host is gone */
		if ((flags & MSG_PEEK) && (n < (ssize_t)sizeof(h) || h.kind != DGRAM_DATA))
			SYS(recvfrom, fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		if (n < (ssize_t)sizeof(h) || h.magic != WIRESHIM_MAGIC)
			continue;
		if (h.kind == DGRAM_ERROR)
			return -h.err;
		if (h.kind == DGRAM_TOKEN) {
			ring_token_eaten(fd);
			return ring_recv(fd, flags);
		}
		if (h.controllen > sizeof(h.control) || h.namelen > sizeof(h.name))
			continue;
		if (!(w & FD_USED))
			fd_flag(fd, FD_USED, 0);
		return deliver(&h, m, (size_t)n - sizeof(h), flags);
	}
}

/**
 * dgram_next_size() - FIONREAD: payload bytes of the next datagram, 0 when there is none
 */
ssize_t dgram_next_size(int fd)
{
	struct dgram_hdr h;
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	long n = SYS(recvmsg, fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

	if (n < (long)sizeof(h) || h.kind != DGRAM_DATA)
		return 0;
	return (ssize_t)((size_t)n - sizeof(h));
}
