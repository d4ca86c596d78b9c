/* SPDX-License-Identifier: MIT */
/*
 * socket() to shutdown().
 *
 * socket() makes an unconnected AF_UNIX socket and tells nobody: it polls OUT|HUP as a fresh TCP
 * socket does. The first of the other calls attaches it. connect() waits, where it blocks, by
 * polling the anchor; accept() is one recvmsg() of a record that brings the new socket's
 * descriptor along, so that blocking, time limits, signals and who of several processes gets a
 * connection are the kernel's doing.
 */
#include "shim/program/real.h"
#include "shim/program/sock.h"
#include "shim/program/config.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"
#include "shim/program/init.h"
#include "shim/program/native.h"
#include "shim/program/packet.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Linux's answer to (type, protocol) for AF_INET, and the protocol that 0 stands for. */
static int inet_protocol(int type, int protocol)
{
	if (type < 0 || type > SOCK_PACKET || protocol < 0 || protocol >= 263)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP ? IPPROTO_TCP : -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		if (protocol == IPPROTO_ICMP)
			return -EACCES; /* as where net.ipv4.ping_group_range is left at its default */
		return protocol == 0 || protocol == IPPROTO_UDP ? IPPROTO_UDP : -EPROTONOSUPPORT;
	case SOCK_RAW: return protocol > 0 && protocol < 256 ? protocol : -EPROTONOSUPPORT;
	default: return -ESOCKTNOSUPPORT;
	}
}

static int inet_socket(int type, int flags, int protocol)
{
	int fd;

	protocol = inet_protocol(type, protocol);
	if (protocol < 0)
		return (int)edge(errno, protocol);
	fd = libc()->socket(
		AF_UNIX, (type == SOCK_STREAM ? (int)SOCK_STREAM : (int)SOCK_SEQPACKET) | flags, 0);
	if (fd < 0)
		return fd;
	fd_register(fd,
		    (uint32_t)protocol << FD_PROTOCOL_SHIFT |
			    (type == SOCK_STREAM ? FD_STREAM : 0) | (type == SOCK_RAW ? FD_RAW : 0),
		    fd_read_cookie(fd));
	return fd;
}

static OUT_OF_LINE int note_foreign(int fd)
{
	if (fd >= 0)
		fd_set_foreign(fd);
	return fd;
}

/**
 * socket() - AF_INET and AF_PACKET are ours; AF_INET6 is not there yet; all else is the kernel's
 */
int socket(int domain, int type, int protocol)
{
	const int flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (domain == AF_INET)
		return inet_socket(type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), flags, protocol);
	if (domain == AF_PACKET)
		return packet_socket(type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), flags, protocol);
	libc();
	if (domain == AF_INET6) {
		shim_log(LOG_INFORM, "socket(AF_INET6): the stack has no IPv6 yet");
		return (int)edge(errno, -EAFNOSUPPORT);
	}
	return note_foreign(libc()->socket(domain, type, protocol));
}

/**
 * socketpair() - the kernel's, in every family
 */
int socketpair(int domain, int type, int protocol, int sv[2])
{
	int r = libc()->socketpair(domain, type, protocol, sv);

	if (r == 0) {
		fd_set_foreign(sv[0]);
		fd_set_foreign(sv[1]);
	}
	return r;
}

/* Copies an address out as the kernel does: cut to the room, true length told. */
static int give_addr(const void *from, size_t from_len, struct sockaddr *addr, socklen_t *len)
{
	if (!addr)
		return 0;
	if (nowhere(len) || (nowhere(addr) && *len))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	memcpy(addr, from, *len < from_len ? *len : from_len);
	*len = (socklen_t)from_len;
	return 0;
}

/* What Linux looks at before it copies an address in. */
static int check_length(const struct sockaddr *addr, socklen_t len)
{
	if ((int)len < 0 || len > sizeof(struct sockaddr_storage))
		return -EINVAL;
	return nowhere(addr) && len ? -EFAULT : 0;
}

static int do_bind(int fd, uint32_t w, const struct sockaddr *addr, socklen_t len)
{
	socklen_t least = (w & FD_PACKET) ? sizeof(struct sockaddr_ll) : sizeof(struct sockaddr_in);
	struct ctl_call c = { .op = CTL_BIND, .data = addr, .len = least };
	int r = check_length(addr, len);

	if (r < 0)
		return r;
	if (len < least)
		return -EINVAL;
	c.arg[0] = loopback_is_kernels(fd, w, addr);
	r = sock_control(fd, &c);
	if (r == 0)
		fd_flag(fd, FD_BOUND, 0);
	return r;
}

static OUT_OF_LINE int our_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r;
	uint32_t w = fd_verified(fd);

	if (fd_is_ours(w) && !(w & (FD_BOUND | FD_CONNECTED))) {
		r = sock_decide(fd, w, AT_BIND, addr, len);
		if (r < 0)
			return (int)edge(saved, r);
		if (r > 0)
			w = FD_FOREIGN;
	}
	if (!fd_is_ours(w))
		return libc()->bind(fd, addr, len);
	return (int)edge(saved, do_bind(fd, w, addr, len));
}

/**
 * bind() - to an address of the host, or, where the rules say so, of the kernel
 */
int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.bind(fd, addr, len);
	return our_bind(fd, addr, len);
}

/**
 * listen() - from now on the anchor carries accept records, and never polls writable
 */
int listen(int fd, int backlog)
{
	struct ctl_call c = { .op = CTL_LISTEN, .arg = { (uint32_t)backlog } };
	int saved = errno, r;
	uint32_t w = fd_verified(fd);
	struct quiet q;

	if (!fd_is_ours(w))
		return libc()->listen(fd, backlog);
	if (!(w & FD_STREAM))
		return (int)edge(saved, -EOPNOTSUPP);
	r = (w & (FD_CONNECTED | FD_LISTEN)) ? 0 : sock_decide(fd, w, AT_LISTEN, NULL, 0);
	if (r > 0)
		return libc()->listen(fd, backlog);
	if (r == 0 && (w & FD_DEAD)) /* a listener once, or the end of a connect() */
		r = sock_renew(fd);
	if (r == 0)
		r = host_attach(fd);
	if (r < 0)
		return (int)edge(saved, r);
	/*
	 * A handler that jumps away between the answer and the gate would leave the host waiting
	 * for it.
	 */
	quiet_begin(&q);
	c.arg[1] = loopback_is_kernels(fd, w, NULL);
	r = sock_control(fd, &c);
	if (r == 0 && !(w & FD_LISTEN)) {
		gate_up(fd);
		fd_flag(fd, FD_LISTEN | FD_BOUND, 0);
	}
	quiet_end(&q);
	return (int)edge(saved, r);
}

/*
 * Linux takes the new descriptor before it looks for a connection, so that none is lost for want
 * of a number.
 */
static int have_number(int fd)
{
	long spare = SYS(fcntl, fd, F_DUPFD_CLOEXEC, 0);

	if (spare < 0)
		return (int)spare;
	SYS(close, spare);
	return 0;
}

/*
 * The record came, its descriptor did not (another thread took the last number): the host queues
 * it again.
 */
static int give_back(int fd, const struct accept_record *record)
{
	struct ctl_call c = {
		.op = CTL_REQUEUE,
		.arg = { (uint32_t)record->cookie, (uint32_t)(record->cookie >> 32) },
	};

	sock_control(fd, &c);
	return -EMFILE;
}

static int received_fd(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* No record any more: the listener was shut down, or the host is gone. */
static int end_of_listener(int fd)
{
	int r = sock_error(fd, NULL);

	return r == -ENETDOWN ? r : -EINVAL;
}

static int take_record(int fd, struct accept_record *record, int flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { record, sizeof(*record) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = libc()->recvmsg(fd, &msg, (flags & SOCK_CLOEXEC) ? MSG_CMSG_CLOEXEC : 0);
	int child;

	if (n < 0)
		return errno == ECONNRESET || errno == EPIPE ? end_of_listener(fd) : -errno;
	if (n == 0)
		return end_of_listener(fd);
	child = received_fd(&msg);
	if ((size_t)n < sizeof(*record) || record->magic != WIRESHIM_MAGIC) {
		if (child >= 0)
			SYS(close, child);
		return -ECONNABORTED;
	}
	return child >= 0 ? child : give_back(fd, record);
}

static size_t addr_size(const struct sockaddr_in6 *addr)
{
	return addr->sin6_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof(struct sockaddr_in);
}

/* SO_RCVTIMEO and SO_SNDTIMEO live on the anchor, and pass from a listener to what it accepts. */
static void inherit_times(int from, int to)
{
	static const int names[] = { SO_RCVTIMEO, SO_SNDTIMEO };

	for (int i = 0; i < 2; i++) {
		struct timeval tv;
		socklen_t len = sizeof(tv);

		if (SYS(getsockopt, from, SOL_SOCKET, names[i], &tv, &len) == 0)
			SYS(setsockopt, to, SOL_SOCKET, names[i], &tv, len);
	}
}

/**
 * sock_settle() - a listener is about to be closed: the host counts what was accepted of it
 * @fd: any descriptor
 *
 * Once the listener is gone the host cannot tell a connection accepted just before from one that nobody wanted.
 */
void sock_settle(int fd)
{
	struct fdent *e = fd_entry(fd);
	uint32_t w = e ? atomic_load_explicit(&e->word, memory_order_relaxed) : 0;

	if (!fd_is_ours(w) || !(w & FD_LISTEN) || shim_sandboxed ||
	    atomic_load_explicit(&e->acceptor, memory_order_relaxed) != (uint32_t)getpid())
		return;
	if (fd_is_ours(fd_verified(fd)))
		sock_look(fd, NULL);
}

static int do_accept(int fd, uint32_t w, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct fdent *e = fd_entry(fd);
	struct accept_record record;
	int child, r;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (!(w & FD_STREAM))
		return -EOPNOTSUPP;
	if (!(w & FD_LISTEN))
		return -EINVAL;
	r = have_number(fd);
	if (r < 0)
		return r;
	child = take_record(fd, &record, flags);
	if (child < 0)
		return child;
	if (flags & SOCK_NONBLOCK)
		SYS(fcntl, child, F_SETFL, O_RDWR | O_NONBLOCK);
	if (w & FD_TIMES)
		inherit_times(fd, child);
	if (e)
		atomic_store_explicit(&e->acceptor, (uint32_t)getpid(), memory_order_relaxed);
	fd_forget(child);
	if (record.kind == ACCEPT_KERNEL)
		fd_set_foreign(child);
	else
		fd_register(child,
		    FD_STREAM | FD_ATTACHED | FD_CONNECTED | FD_BOUND | (w & FD_OTHER) |
			    (uint32_t)IPPROTO_TCP << FD_PROTOCOL_SHIFT,
		    record.cookie);
	r = give_addr(&record.peer, addr_size(&record.peer), addr, len);
	if (r < 0) {
		close(child);
		return r;
	}
	return child;
}

/* Another process may have called listen() on its copy of the descriptor. */
static uint32_t look_for_listener(int fd, uint32_t w)
{
	int yes = 0;
	struct ctl_call c = {
		.op = CTL_GETSOCKOPT,
		.arg = { SOL_SOCKET, SO_ACCEPTCONN, sizeof(yes) },
		.reply = &yes,
		.room = sizeof(yes),
	};

	if ((w & (FD_STREAM | FD_ATTACHED | FD_LISTEN | FD_CONNECTED)) != (FD_STREAM | FD_ATTACHED))
		return w;
	if (sock_control(fd, &c) < 0 || !yes)
		return w;
	fd_flag(fd, FD_LISTEN, 0);
	return w | FD_LISTEN;
}

static OUT_OF_LINE int our_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w))
		return note_foreign(libc()->accept4(fd, addr, len, flags));
	return (int)edge(saved, do_accept(fd, look_for_listener(fd, w), addr, len, flags));
}

/* What the bare system call gave on a foreign listener. */
static inline int accepted(long r)
{
	if (unlikely(r < 0))
		return native_failed_int(r);
	return likely(fd_is_foreign((int)r)) ? (int)r : note_foreign((int)r);
}

/**
 * accept4() - take one connection
 */
int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (likely(fd_is_foreign(fd)) && native_in_place())
		return accepted(raw_syscall(SYS_accept4, fd, (long)addr, (long)len, flags, 0, 0));
	return our_accept4(fd, addr, len, flags);
}

static OUT_OF_LINE int our_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w))
		return note_foreign(libc()->accept(fd, addr, len));
	return (int)edge(saved, do_accept(fd, look_for_listener(fd, w), addr, len, 0));
}

/**
 * accept() - take one connection
 */
int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	if (likely(fd_is_foreign(fd)) && native_in_place())
		return accepted(raw_syscall3(SYS_accept, fd, (long)addr, (long)len));
	return our_accept(fd, addr, len);
}

/*
 * A connect that had to wait has failed: what the host did with the anchor decides whether it can
 * be used again.
 */
static int connect_failed(int fd, int err)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	gate_lift(fd);
	fd_flag(fd, 0, FD_CONNECTED);
	if (libc()->poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)))
		fd_flag(fd, FD_DEAD, 0);
	return err;
}

/*
 * Blocks until the connection under way is there or has failed, a signal comes, or SO_SNDTIMEO is
 * over. A hang-up without an error means that it was there and has ended already: that error
 * belongs to the next call.
 */
static int wait_connected(int fd)
{
	int limit = sock_timeout_ms(fd, SO_SNDTIMEO);

	for (;;) {
		enum ctl_state state;
		short revents;
		int r = wait_writable(fd, limit, &revents);

		if (r <= 0)
			return r < 0 ? r : -EINPROGRESS;
		state = CTL_S_CONNECTED;
		r = (revents & (POLLHUP | POLLERR)) == POLLHUP ? 0 : sock_look(fd, &state);
		/* Reset since it was made: as where Linux wakes the caller in time, the next call tells. */
		if (r < 0 && (state != CTL_S_DEAD || (revents & POLLERR)))
			return connect_failed(fd, sock_error(fd, NULL));
		if (state != CTL_S_CONNECTING) {
			gate_lift(fd);
			return 0;
		}
	}
}

static int start_connect(int fd, struct ctl_call *c)
{
	struct quiet q;
	int r;

	quiet_begin(&q);
	r = sock_control(fd, c);
	if (r == -EINPROGRESS) {
		gate_up(fd);
		fd_flag(fd, FD_CONNECTED | FD_GATE | FD_BOUND, 0);
	}
	quiet_end(&q);
	return r;
}

/*
 * connect() again after a non-blocking one. As inet_stream_connect(): the error it ended with,
 * where no other call has taken it, else once ECONNABORTED; then the socket can be connected
 * anew. 0: nothing of the kind.
 */
static int earlier_connect(int fd, uint32_t w)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err;

	if ((w & (FD_DEAD | FD_CONNECTED)) == (FD_DEAD | FD_CONNECTED)) {
		fd_flag(fd, 0, FD_CONNECTED);
		return -ECONNABORTED;
	}
	if (!(w & FD_GATE) || libc()->poll(&p, 1, 0) != 1 || !(p.revents & POLLERR))
		return 0;
	err = sock_error(fd, NULL);
	clear_native_error(fd);
	fd_flag(fd, FD_DEAD, FD_CONNECTED | FD_GATE);
	return err < 0 ? err : -ECONNABORTED;
}

static int stream_connect(int fd, uint32_t w, const struct sockaddr *addr, socklen_t len, int flags)
{
	bool nonblocking = sock_is_nonblocking(fd, flags);
	struct ctl_call c = {
		.op = CTL_CONNECT,
		.flags = (uint16_t)((nonblocking ? CTL_F_NONBLOCK : 0) |
				    ((flags & MSG_FASTOPEN) ? CTL_F_FASTOPEN : 0)),
		.data = addr,
		.len = len,
	};
	int waited, r = earlier_connect(fd, w);

	if (w & FD_LISTEN)
		return -EISCONN;
	if (r == 0 && (w & FD_DEAD))
		r = sock_renew(fd);
	if (r == 0)
		r = host_attach(fd);
	if (r == 0)
		r = start_connect(fd, &c);
	if (r == 0 && addr->sa_family == AF_UNSPEC)
		fd_flag(fd, (w & FD_CONNECTED) ? FD_DEAD : 0, FD_CONNECTED | FD_GATE);
	else if (r == 0)
		fd_flag(fd, FD_CONNECTED | FD_BOUND, 0);
	if (r == 0 && (w & FD_GATE))
		gate_lift(fd);
	if (nonblocking || (r != -EINPROGRESS && !(r == -EALREADY && (w & FD_GATE))))
		return r;
	waited = wait_connected(fd);
	return waited == -EINPROGRESS
		       ? r
		       : waited; /* SO_SNDTIMEO is over: the first call says so, a later one EALREADY */
}

static int dgram_connect(int fd, uint32_t w, const struct sockaddr *addr, socklen_t len)
{
	struct ctl_call c = { .op = CTL_CONNECT, .data = addr, .len = len };
	struct sockaddr_in to;
	int r;

	if (addr->sa_family == AF_INET) {
		memcpy(&to, addr, sizeof(to));
		c.arg[0] = is_loopback(&to) && loopback_has_peer(fd, w, &to);
	}
	r = sock_control(fd, &c);
	if (r == 0 && addr->sa_family == AF_UNSPEC)
		fd_flag(fd, 0, FD_CONNECTED);
	else if (r == 0)
		fd_flag(fd, FD_CONNECTED | FD_BOUND, 0);
	return r;
}

/* @flags: MSG_*, of a connect that a send asks for. */
static int do_connect(int fd, uint32_t w, const struct sockaddr *addr, socklen_t len, int flags)
{
	int r = check_length(addr, len);

	if (r < 0)
		return r;
	if (w & FD_PACKET)
		return -EOPNOTSUPP;
	if (len < sizeof(addr->sa_family))
		return -EINVAL;
	if (addr->sa_family != AF_UNSPEC && len < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (addr->sa_family != AF_UNSPEC && addr->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	if (addr->sa_family == AF_INET)
		len = sizeof(struct sockaddr_in);
	else if (len > sizeof(struct sockaddr_in6))
		len = sizeof(struct sockaddr_in6);
	return (w & FD_STREAM) ? stream_connect(fd, w, addr, len, flags) : dgram_connect(fd, w, addr, len);
}

/**
 * sock_connect_early() - MSG_FASTOPEN: connect, if the peer is known without waiting for it
 * @fd:    stream socket
 * @addr:  peer; may be NULL
 * @len:   its length
 * @flags: MSG_* of the send
 *
 * Return: 0: send natively now; 1: the socket has become the kernel's; else negative errno
 */
int sock_connect_early(int fd, const struct sockaddr *addr, socklen_t len, int flags)
{
	uint32_t w = fd_verified(fd);
	int r = 0;

	if (!addr && (w & (FD_CONNECTED | FD_GATE)) == FD_CONNECTED)
		return -EISCONN; /* as connect() to whatever address */
	if (!(w & (FD_CONNECTED | FD_LISTEN | FD_USED)))
		r = sock_decide(fd, w, AT_CONNECT, addr, len);
	return r ? r : do_connect(fd, w, addr, len, flags);
}

static OUT_OF_LINE int our_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno, r;
	uint32_t w = fd_verified(fd);

	if (fd_is_ours(w) && !(w & (FD_CONNECTED | FD_LISTEN | FD_USED))) {
		r = sock_decide(fd, w, AT_CONNECT, addr, len);
		if (r < 0)
			return (int)edge(saved, r);
		if (r > 0)
			w = FD_FOREIGN;
	}
	if (!fd_is_ours(w))
		return libc()->connect(fd, addr, len);
	return (int)edge(saved, do_connect(fd, w, addr, len, 0));
}

/**
 * connect() - through the host, or, where the rules say so, through the kernel
 */
int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.connect(fd, addr, len);
	return our_connect(fd, addr, len);
}

/* The name that libc exports besides. */
int __connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return connect(fd, addr, len);
}

static int ask_name(int fd, uint32_t peer, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET };
	struct ctl_call c = {
		.op = CTL_GETNAME, .arg = { peer }, .reply = &name, .room = sizeof(name)
	};
	int r;

	if (!addr || nowhere(len))
		return -EFAULT;
	r = sock_control(fd, &c);
	if (r < 0)
		return r;
	return give_addr(&name, c.got, addr, len);
}

static OUT_OF_LINE int our_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	static const struct sockaddr_in none = { .sin_family = AF_INET };
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w))
		return libc()->getsockname(fd, addr, len);
	if (!(w & FD_ATTACHED))
		return (int)edge(saved, addr ? give_addr(&none, sizeof(none), addr, len) : -EFAULT);
	return (int)edge(saved, ask_name(fd, 0, addr, len));
}

/**
 * getsockname() - a fresh socket has none and need not ask for it
 */
int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.getsockname(fd, addr, len);
	return our_getsockname(fd, addr, len);
}

static OUT_OF_LINE int our_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w))
		return libc()->getpeername(fd, addr, len);
	if (!(w & FD_ATTACHED))
		return (int)edge(saved, -ENOTCONN);
	if (w & FD_GATE) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (libc()->poll(&p, 1, 0) == 1 && p.revents == POLLOUT)
			gate_lift(fd);
	}
	return (int)edge(saved, ask_name(fd, 1, addr, len));
}

/**
 * getpeername() - programs ask it to learn whether a connect has come through, so a gate is
 * looked at
 */
int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.getpeername(fd, addr, len);
	return our_getpeername(fd, addr, len);
}

static int shutdown_by_host(int fd, int how)
{
	struct ctl_call c = { .op = CTL_SHUTDOWN, .arg = { (uint32_t)how } };

	return sock_control(fd, &c);
}

/* Linux stops listening, resets what waits and wakes who is blocked in accept(). */
static int shutdown_listener(int fd, int how)
{
	struct accept_record record;
	int r, child;

	if (how == SHUT_WR)
		return 0;
	r = shutdown_by_host(fd, how);
	if (r < 0)
		return r;
	fd_flag(fd, FD_DEAD, FD_LISTEN);
	r = (int)SYS(shutdown, fd, SHUT_RDWR);
	while ((child = take_record(fd, &record, SOCK_CLOEXEC)) >= 0)
		SYS(close, child);
	return r;
}

/*
 * Sending ends natively, behind the data written so far. Receiving alone ends here only
 * (FD_RDSHUT): TCP tells nobody, and Linux still delivers what the peer sends, which a shut
 * anchor would drop. When both end the anchor is shut, which wakes a blocked reader, and the host
 * resets what comes after.
 */
static int stream_shutdown(int fd, uint32_t w, int how)
{
	struct pollfd p = { .fd = fd };
	int r = 0;

	if (w & FD_LISTEN)
		return shutdown_listener(fd, how);
	if (!(w & FD_CONNECTED) && !sock_peer_known(fd))
		return -ENOTCONN;
	if ((w & FD_GATE) && gate_pass(fd, false) < 0)
		return shutdown_by_host(fd, how);
	if (how == SHUT_RD) {
		fd_flag(fd, FD_RDSHUT, 0);
		/* With both FINs through the connection may be no more: ENOTCONN then. */
		return libc()->poll(&p, 1, 0) == 1 ? shutdown_by_host(fd, how) : 0;
	}
	if (how == SHUT_RDWR)
		r = shutdown_by_host(fd, SHUT_RD);
	return r < 0 ? r : (int)SYS(shutdown, fd, how);
}

/*
 * A datagram anchor is never shut down, and that nothing more is sent is for us to see to: told
 * to the host, it would overtake what waits in the anchor. As inet_shutdown(): without a peer it
 * says ENOTCONN, and works all the same.
 */
static int dgram_shutdown(int fd, uint32_t w, int how)
{
	bool peer = (w & FD_CONNECTED) || sock_peer_known(fd);

	fd_flag(fd, (how != SHUT_WR ? FD_RDSHUT : 0U) | (how != SHUT_RD ? FD_WRSHUT : 0U), 0);
	if (how != SHUT_WR)
		shutdown_by_host(fd, SHUT_RD);
	return peer ? 0 : -ENOTCONN;
}

static OUT_OF_LINE int our_shutdown(int fd, int how)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w))
		return libc()->shutdown(fd, how);
	if (how < SHUT_RD || how > SHUT_RDWR)
		return (int)edge(saved, -EINVAL);
	if (w & FD_PACKET)
		return (int)edge(saved, -EOPNOTSUPP);
	if (!(w & FD_ATTACHED))
		return (int)edge(saved, -ENOTCONN);
	if (w & FD_STREAM)
		return (int)edge(saved, stream_shutdown(fd, w, how));
	return (int)edge(saved, dgram_shutdown(fd, w, how));
}

/**
 * shutdown() - see stream_shutdown() and dgram_shutdown()
 */
int shutdown(int fd, int how)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.shutdown(fd, how);
	return our_shutdown(fd, how);
}
