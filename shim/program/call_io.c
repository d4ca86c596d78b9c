/* SPDX-License-Identifier: MIT */
/*
 * read() and write() and all their kin.
 *
 * On a descriptor known to be foreign each call is a jump to libc's, or to what stands for it
 * (native.c); all else is in the function of the same name with "our_" in front. On a connected stream socket a call is exactly the system call that the program asked for, and
 * no other: a sandboxed child of sshd is killed for a send in place of a write. Only when its
 * result is an end or an error is the host asked what it means (errno as Linux gives it: the
 * anchor knows no ETIMEDOUT). What is not a connected stream - fresh, listening, still
 * connecting, shut down - takes a route of its own first.
 *
 * Nothing here locks or allocates on the way to the system call; blocking, and with it
 * cancellation and EINTR, happens in libc's own function.
 */
#include "shim/program/real.h"
#include "shim/program/dgram.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"
#include "shim/program/native.h"
#include "shim/program/sock.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum route {
	NATIVE, /* the program's own system call */
	DGRAM,	/* with a header, by dgram.c */
	ENDED,	/* there is a result already */
};

static bool plain_rx(uint32_t w)
{
	return (w & FD_FOREIGN) || (w & (FD_STATE | FD_STREAM | FD_CONNECTED | FD_LISTEN |
					 FD_RDSHUT)) == (FD_OURS | FD_STREAM | FD_CONNECTED);
}

static bool plain_tx(uint32_t w)
{
	return (w & FD_FOREIGN) || (w & (FD_STATE | FD_STREAM | FD_CONNECTED | FD_LISTEN |
					 FD_GATE)) == (FD_OURS | FD_STREAM | FD_CONNECTED);
}

/* MSG_FASTOPEN is a connect() first. */
static bool plain_send(uint32_t w, int flags)
{
	return plain_tx(w) && likely(!(flags & MSG_FASTOPEN));
}

/* Not connected any more: the error that nobody has taken yet, else @otherwise. */
static int left_error(int fd, uint32_t w, int otherwise)
{
	int err = (w & (FD_ATTACHED | FD_DEAD)) == (FD_ATTACHED | FD_DEAD) ? sock_error(fd, NULL) : 0;

	return err < 0 ? err : otherwise;
}

/* Receiving on what is not a connected stream. @result is set for ENDED: a count or -errno. */
static enum route rx_route(int fd, uint32_t *w, ssize_t *result)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (shim_sandboxed)
		return fd_is_dgram(*w) ? DGRAM : NATIVE;
	*w = fd_verified(fd);
	if (!fd_is_ours(*w))
		return NATIVE;
	if (fd_is_dgram(*w))
		return DGRAM;
	*result = -ENOTCONN;
	if (*w & FD_LISTEN)
		return ENDED;
	if (!(*w & FD_CONNECTED) && !sock_peer_known(fd)) {
		*result = left_error(fd, *w, -ENOTCONN);
		return ENDED;
	}
	/* Linux still delivers what is there after SHUT_RD, and otherwise says end. */
	*result = 0;
	if ((*w & FD_RDSHUT) && libc()->poll(&p, 1, 0) == 0)
		return ENDED;
	return NATIVE;
}

/*
 * A native receive gave 0 or an error: what did it mean? Returns what the program gets, errno set.
 */
static ssize_t rx_result(int fd, ssize_t r, size_t len)
{
	int saved = errno, err;
	uint32_t w = fd_word(fd);

	if (!fd_is_ours(w) || shim_sandboxed || (r == 0 && len == 0))
		return r;
	if (r < 0 && saved != ECONNRESET && saved != EPIPE && saved != ENOTCONN && saved != EINVAL)
		return r;
	w = fd_verified(fd);
	errno = saved;
	if (!fd_is_ours(w) || !(w & FD_ATTACHED))
		return r;
	err = sock_error(fd, NULL);
	if (r < 0 && (w & FD_GATE))
		fd_flag(fd, FD_DEAD, FD_GATE);
	if (err == 0 && r < 0 && saved != ECONNRESET)
		return r;
	if (err < 0)
		clear_native_error(fd);
	else
		err = r < 0 ? -saved : 0;
	return edge(saved, err);
}

static void sigpipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		raise(SIGPIPE);
}

/* Sending on what is not a connected stream. @result as in rx_route(). */
static enum route tx_route(int fd, uint32_t *w, int flags, const struct sockaddr *to,
			   socklen_t tolen, ssize_t *result)
{
	if (shim_sandboxed)
		return fd_is_dgram(*w) ? DGRAM : NATIVE;
	*w = fd_verified(fd);
	if (!fd_is_ours(*w))
		return NATIVE;
	if (fd_is_dgram(*w)) {
		if (*w & (FD_CONNECTED | FD_USED))
			return DGRAM;
		*result = sock_decide(fd, *w, AT_SEND, to, tolen);
		if (*result > 0)
			*w = FD_FOREIGN;
		return *result < 0 ? ENDED : *result > 0 ? NATIVE : DGRAM;
	}
	if ((flags & MSG_FASTOPEN) && !(*w & FD_LISTEN)) {
		*result = sock_connect_early(fd, to, tolen, flags);
		if (*result > 0)
			*w = FD_FOREIGN;
		return *result < 0 ? ENDED : NATIVE;
	}
	if ((*w & FD_LISTEN) || (!(*w & FD_CONNECTED) && !sock_peer_known(fd))) {
		*result = left_error(fd, *w, -EPIPE);
		if (*result == -EPIPE)
			sigpipe(flags);
		return ENDED;
	}
	if (*w & FD_GATE) {
		*result = gate_pass(fd, !sock_is_nonblocking(fd, flags));
		return *result < 0 ? ENDED : NATIVE;
	}
	return NATIVE;
}

/* A native send failed: EPIPE is all that the anchor can say, the host knows better. */
static ssize_t tx_result(int fd, ssize_t r)
{
	int saved = errno, err;
	uint32_t w = fd_word(fd);

	if (r >= 0 || !fd_is_ours(w) || shim_sandboxed)
		return r;
	if (saved != EPIPE && saved != ECONNRESET && saved != ENOTCONN)
		return r;
	w = fd_verified(fd);
	errno = saved;
	if (!fd_is_ours(w) || !(w & FD_ATTACHED))
		return r;
	err = sock_error(fd, NULL);
	if (err < 0)
		clear_native_error(fd);
	return edge(saved, err < 0 ? err : -EPIPE);
}

static ssize_t dgram_read_iov(int fd, uint32_t w, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	int saved = errno;

	if (count < 0 || count > IOV_MAX)
		return edge(saved, -EINVAL);
	return edge(saved, nowhere(iov) && count ? -EFAULT : dgram_recv(fd, w, &m, 0));
}

static ssize_t dgram_write_iov(int fd, uint32_t w, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
			    .msg_iovlen = (size_t)count };
	int saved = errno;

	if (count < 0 || count > IOV_MAX)
		return edge(saved, -EINVAL);
	return edge(saved, nowhere(iov) && count ? -EFAULT : dgram_send(fd, w, &m, 0));
}

/* read() and its kin. */

static OUT_OF_LINE ssize_t our_read(int fd, void *buf, size_t len)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_rx(w))) {
		struct iovec iov = { buf, len };
		enum route route = rx_route(fd, &w, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return len ? dgram_read_iov(fd, w, &iov, 1) : 0;
	}
	r = libc()->read(fd, buf, len);
	return likely(r > 0) ? r : rx_result(fd, r, len);
}

ssize_t read(int fd, void *buf, size_t len)
{
	if (likely(fd_is_foreign(fd)))
		return native_in_place() ? native_give(raw_syscall3(SYS_read, fd, (long)buf, (long)len))
					 : libc_table.read(fd, buf, len);
	return our_read(fd, buf, len);
}

ssize_t __read(int fd, void *buf, size_t len)
{
	return read(fd, buf, len);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		return libc()->__read_chk(fd, buf, len, room);
	return read(fd, buf, len);
}

static OUT_OF_LINE ssize_t our_readv(int fd, const struct iovec *iov, int count)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_rx(w))) {
		enum route route = rx_route(fd, &w, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return dgram_read_iov(fd, w, iov, count);
	}
	r = libc()->readv(fd, iov, count);
	return likely(r > 0) ? r : rx_result(fd, r, (size_t)count);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.readv(fd, iov, count);
	return our_readv(fd, iov, count);
}

/* On a socket an offset is -1 or the kernel's ESPIPE. */
static OUT_OF_LINE ssize_t our_preadv2(int fd, const struct iovec *iov, int count, off_t off,
				       int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_rx(w)) && off == -1) {
		enum route route = rx_route(fd, &w, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return dgram_read_iov(fd, w, iov, count);
	}
	r = libc()->preadv2(fd, iov, count, off, flags);
	return likely(r > 0) ? r : rx_result(fd, r, (size_t)count);
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.preadv2(fd, iov, count, off, flags);
	return our_preadv2(fd, iov, count, off, flags);
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t off, int flags)
{
	return preadv2(fd, iov, count, off, flags);
}

/* MSG_TRUNC of TCP: bytes are taken and thrown away, the buffer is not touched. AF_UNIX has no such thing. */
static ssize_t stream_discard(int fd, size_t len, int flags)
{
	char scratch[16384];
	size_t done = 0, want;
	ssize_t r;

	do {
		want = len - done < sizeof(scratch) ? len - done : sizeof(scratch);
		r = libc()->recv(fd, scratch, want, flags & ~MSG_TRUNC);
		if (r > 0)
			done += (size_t)r;
	} while (r == (ssize_t)want && done < len && (flags & MSG_WAITALL) && !(flags & MSG_PEEK));
	return done ? (ssize_t)done : r;
}

/* Flags that mean another thing on an AF_UNIX stream, or nothing, when @w is one of ours. */
static bool is_odd(uint32_t w, int flags)
{
	return unlikely(flags & (MSG_ERRQUEUE | MSG_TRUNC)) &&
	       (w & (FD_STATE | FD_STREAM)) == (FD_OURS | FD_STREAM) && !shim_sandboxed;
}

static ssize_t odd_recv(int fd, uint32_t w, struct msghdr *m, int flags)
{
	size_t len = 0;
	ssize_t r;

	if (flags & MSG_ERRQUEUE)
		return edge(errno, (w & FD_ATTACHED) ? error_queue_recv(fd, m, flags) : -EAGAIN);
	if (!plain_rx(w) && rx_route(fd, &w, &r) == ENDED)
		return edge(errno, r);
	for (size_t i = 0; i < m->msg_iovlen; i++)
		len += m->msg_iov[i].iov_len;
	r = stream_discard(fd, len, flags);
	if (r >= 0) {
		m->msg_namelen = 0;
		m->msg_controllen = 0;
		m->msg_flags = 0;
	}
	return likely(r > 0) ? r : rx_result(fd, r, len);
}

static OUT_OF_LINE ssize_t our_recv(int fd, void *buf, size_t len, int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (is_odd(w, flags)) {
		struct iovec iov = { buf, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

		return odd_recv(fd, w, &m, flags);
	}
	if (unlikely(!plain_rx(w))) {
		struct iovec iov = { buf, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		enum route route = rx_route(fd, &w, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM)
			return edge(saved, dgram_recv(fd, w, &m, flags));
	}
	r = libc()->recv(fd, buf, len, flags);
	return likely(r > 0) ? r : rx_result(fd, r, len);
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.recv(fd, buf, len, flags);
	return our_recv(fd, buf, len, flags);
}

ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	if (len > room)
		return libc()->__recv_chk(fd, buf, len, room, flags);
	return recv(fd, buf, len, flags);
}

/* A connected stream gives no address: Linux sets the length to 0 and leaves the rest. */
static ssize_t stream_recvfrom(int fd, uint32_t w, void *buf, size_t len, int flags,
			       struct sockaddr *addr, socklen_t *alen)
{
	ssize_t r;

	if (fd_is_ours(w) && addr && nowhere(alen)) {
		r = edge(errno, -EFAULT);
	} else if (fd_is_ours(w)) {
		r = libc()->recvfrom(fd, buf, len, flags, NULL, NULL);
		if (r >= 0 && addr && alen)
			*alen = 0;
	} else {
		r = libc()->recvfrom(fd, buf, len, flags, addr, alen);
	}
	return likely(r > 0) ? r : rx_result(fd, r, len);
}

static OUT_OF_LINE ssize_t our_recvfrom(int fd, void *buf, size_t len, int flags,
					struct sockaddr *addr, socklen_t *alen)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (is_odd(w, flags)) {
		struct iovec iov = { buf, len };
		struct msghdr m = { .msg_name = addr, .msg_namelen = addr && alen ? *alen : 0, .msg_iov = &iov,
				    .msg_iovlen = 1 };

		r = odd_recv(fd, w, &m, flags);
		if (r >= 0 && addr && alen)
			*alen = m.msg_namelen;
		return r;
	}
	if (unlikely(!plain_rx(w))) {
		struct iovec iov = { buf, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		enum route route = rx_route(fd, &w, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM && addr && (nowhere(addr) || nowhere(alen)))
			return edge(saved, -EFAULT);
		if (route == DGRAM) {
			m.msg_name = alen ? addr : NULL;
			m.msg_namelen = m.msg_name ? *alen : 0;
			r = dgram_recv(fd, w, &m, flags);
			if (r >= 0 && addr && alen)
				*alen = m.msg_namelen;
			return edge(saved, r);
		}
	}
	return stream_recvfrom(fd, w, buf, len, flags, addr, alen);
}

ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.recvfrom(fd, buf, len, flags, addr, alen);
	return our_recvfrom(fd, buf, len, flags, addr, alen);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags, struct sockaddr *addr,
		       socklen_t *alen)
{
	if (len > room)
		return libc()->__recvfrom_chk(fd, buf, len, room, flags, addr, alen);
	return recvfrom(fd, buf, len, flags, addr, alen);
}

/*
 * Descriptors came in a message: their numbers may have meant something else before, and they may
 * be ours.
 */
static void probe_received(struct msghdr *m)
{
	int saved = errno, fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(fd)) <= c->cmsg_len; at += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			fd_forget(fd);
			fd_word(fd);
		}
	}
	errno = saved;
}

static OUT_OF_LINE ssize_t our_recvmsg(int fd, struct msghdr *msg, int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(nowhere(msg)))
		return libc()->recvmsg(fd, msg, flags);
	if (is_odd(w, flags))
		return odd_recv(fd, w, msg, flags);
	if (unlikely(!plain_rx(w))) {
		enum route route = rx_route(fd, &w, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM)
			return edge(saved, dgram_recv(fd, w, msg, flags));
	}
	r = libc()->recvmsg(fd, msg, flags);
	if (unlikely(r >= 0 && msg->msg_control && msg->msg_controllen))
		probe_received(msg);
	if (r >= 0 && fd_is_ours(w) && msg->msg_name)
		msg->msg_namelen = 0;
	return likely(r > 0) ? r : rx_result(fd, r, msg->msg_iovlen);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	/* Without room for descriptors none comes. */
	if (likely(fd_is_foreign(fd)) && (nowhere(msg) || !msg->msg_control))
		return libc_table.recvmsg(fd, msg, flags);
	return our_recvmsg(fd, msg, flags);
}

static int dgram_recvmmsg(int fd, uint32_t w, struct mmsghdr *vec, unsigned int count, int flags,
			  struct timespec *timeout)
{
	struct timespec end = { 0, 0 }, now;
	unsigned int done = 0;
	ssize_t r = 0;

	if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000L))
		return -EINVAL;
	if (timeout) {
		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_sec += timeout->tv_sec;
		end.tv_nsec += timeout->tv_nsec;
	}
	while (done < count) {
		r = dgram_recv(fd, w, &vec[done].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			break;
		vec[done++].msg_len = (unsigned int)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (!timeout)
			continue;
		/* As Linux: the time is looked at after each datagram only. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - end.tv_sec) * 1000000000L + (now.tv_nsec - end.tv_nsec) >= 0)
			break;
	}
	return done ? (int)done : (int)r;
}

int recvmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags, struct timespec *timeout)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(nowhere(vec)))
		return libc()->recvmmsg(fd, vec, count, flags, timeout);
	if (unlikely(!plain_rx(w))) {
		enum route route = rx_route(fd, &w, &r);
		int saved = errno;

		if (route == ENDED)
			return (int)edge(saved, r);
		if (route == DGRAM)
			return (int)edge(saved, dgram_recvmmsg(fd, w, vec, count, flags, timeout));
	}
	r = libc()->recvmmsg(fd, vec, count, flags, timeout);
	for (ssize_t i = 0; i < r; i++)
		if (vec[i].msg_hdr.msg_control && vec[i].msg_hdr.msg_controllen)
			probe_received(&vec[i].msg_hdr);
	return likely(r > 0) ? (int)r : (int)rx_result(fd, r, count);
}

/* write() and its kin. */

static OUT_OF_LINE ssize_t our_write(int fd, const void *buf, size_t len)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_tx(w))) {
		struct iovec iov = { (void *)(uintptr_t)buf, len };
		enum route route = tx_route(fd, &w, 0, NULL, 0, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return dgram_write_iov(fd, w, &iov, 1);
	}
	r = libc()->write(fd, buf, len);
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	if (likely(fd_is_foreign(fd)))
		return native_in_place() ? native_give(raw_syscall3(SYS_write, fd, (long)buf, (long)len))
					 : libc_table.write(fd, buf, len);
	return our_write(fd, buf, len);
}

ssize_t __write(int fd, const void *buf, size_t len)
{
	return write(fd, buf, len);
}

static OUT_OF_LINE ssize_t our_writev(int fd, const struct iovec *iov, int count)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_tx(w))) {
		enum route route = tx_route(fd, &w, 0, NULL, 0, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return dgram_write_iov(fd, w, iov, count);
	}
	r = libc()->writev(fd, iov, count);
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.writev(fd, iov, count);
	return our_writev(fd, iov, count);
}

static OUT_OF_LINE ssize_t our_pwritev2(int fd, const struct iovec *iov, int count, off_t off,
					int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_tx(w)) && off == -1) {
		enum route route = tx_route(fd, &w, 0, NULL, 0, &r);

		if (route == ENDED)
			return edge(errno, r);
		if (route == DGRAM)
			return dgram_write_iov(fd, w, iov, count);
	}
	r = libc()->pwritev2(fd, iov, count, off, flags);
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.pwritev2(fd, iov, count, off, flags);
	return our_pwritev2(fd, iov, count, off, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t off, int flags)
{
	return pwritev2(fd, iov, count, off, flags);
}

static OUT_OF_LINE ssize_t our_send(int fd, const void *buf, size_t len, int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_send(w, flags))) {
		struct iovec iov = { (void *)(uintptr_t)buf, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		enum route route = tx_route(fd, &w, flags, NULL, 0, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM)
			return edge(saved, dgram_send(fd, w, &m, flags));
	}
	r = libc()->send(fd, buf, len, flags);
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.send(fd, buf, len, flags);
	return our_send(fd, buf, len, flags);
}

ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
	return send(fd, buf, len, flags);
}

static OUT_OF_LINE ssize_t our_sendto(int fd, const void *buf, size_t len, int flags,
				      const struct sockaddr *addr, socklen_t alen)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(!plain_send(w, flags))) {
		struct iovec iov = { (void *)(uintptr_t)buf, len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		enum route route = tx_route(fd, &w, flags, addr, alen, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM) {
			m.msg_name = (void *)(uintptr_t)addr;
			m.msg_namelen = alen;
			return edge(saved, dgram_send(fd, w, &m, flags));
		}
	}
	/* TCP takes no notice of an address; an AF_UNIX stream would refuse it. */
	if (fd_is_ours(w))
		r = libc()->sendto(fd, buf, len, flags, NULL, 0);
	else
		r = libc()->sendto(fd, buf, len, flags, addr, alen);
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
	       socklen_t alen)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.sendto(fd, buf, len, flags, addr, alen);
	return our_sendto(fd, buf, len, flags, addr, alen);
}

static OUT_OF_LINE ssize_t our_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(nowhere(msg)))
		return libc()->sendmsg(fd, msg, flags);
	if (unlikely(!plain_send(w, flags))) {
		enum route route = tx_route(fd, &w, flags, msg->msg_name, msg->msg_namelen, &r);
		int saved = errno;

		if (route == ENDED)
			return edge(saved, r);
		if (route == DGRAM)
			return edge(saved, dgram_send(fd, w, msg, flags));
	}
	/* TCP takes no notice of descriptors in a message either. */
	if (fd_is_ours(w) && (msg->msg_name || msg->msg_controllen)) {
		struct msghdr m = *msg;

		m.msg_name = NULL;
		m.msg_namelen = 0;
		m.msg_control = NULL;
		m.msg_controllen = 0;
		r = libc()->sendmsg(fd, &m, flags);
	} else {
		r = libc()->sendmsg(fd, msg, flags);
	}
	return likely(r >= 0) ? r : tx_result(fd, r);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.sendmsg(fd, msg, flags);
	return our_sendmsg(fd, msg, flags);
}

static int dgram_sendmmsg(int fd, uint32_t w, struct mmsghdr *vec, unsigned int count, int flags)
{
	unsigned int done = 0;
	ssize_t r = 0;

	while (done < count) {
		r = dgram_send(fd, w, &vec[done].msg_hdr, flags);
		if (r < 0)
			break;
		vec[done++].msg_len = (unsigned int)r;
	}
	return done ? (int)done : (int)r;
}

static OUT_OF_LINE int our_sendmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags)
{
	uint32_t w = fd_word(fd);
	ssize_t r;

	if (unlikely(nowhere(vec)))
		return libc()->sendmmsg(fd, vec, count, flags);
	if (unlikely(!plain_send(w, flags))) {
		void *name = count ? vec[0].msg_hdr.msg_name : NULL;
		socklen_t namelen = count ? vec[0].msg_hdr.msg_namelen : 0;
		enum route route = tx_route(fd, &w, flags, name, namelen, &r);
		int saved = errno;

		if (route == ENDED)
			return (int)edge(saved, r);
		if (route == DGRAM)
			return (int)edge(saved, dgram_sendmmsg(fd, w, vec, count, flags));
	}
	r = libc()->sendmmsg(fd, vec, count, flags);
	return likely(r >= 0) ? (int)r : (int)tx_result(fd, r);
}

int sendmmsg(int fd, struct mmsghdr *vec, unsigned int count, int flags)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.sendmmsg(fd, vec, count, flags);
	return our_sendmmsg(fd, vec, count, flags);
}

/* The kernel moves the bytes of a stream; a datagram socket would need its header in between. */
static bool may_splice_to(int fd, ssize_t *result)
{
	uint32_t w = fd_word(fd);

	if (likely(plain_tx(w)))
		return true;
	switch (tx_route(fd, &w, 0, NULL, 0, result)) {
	case ENDED: return false;
	case DGRAM: *result = -EINVAL; return false;
	default: return true;
	}
}

static OUT_OF_LINE ssize_t our_sendfile(int out, int in, off_t *off, size_t count)
{
	ssize_t r;

	if (!may_splice_to(out, &r))
		return edge(errno, r);
	r = libc()->sendfile(out, in, off, count);
	return likely(r >= 0) ? r : tx_result(out, r);
}

ssize_t sendfile(int out, int in, off_t *off, size_t count)
{
	if (likely(fd_is_foreign(out)))
		return libc_table.sendfile(out, in, off, count);
	return our_sendfile(out, in, off, count);
}

ssize_t sendfile64(int out, int in, off64_t *off, size_t count)
{
	return sendfile(out, in, off, count);
}

static OUT_OF_LINE ssize_t our_splice(int in, off64_t *off_in, int out, off64_t *off_out, size_t len,
				      unsigned int flags)
{
	uint32_t from = fd_word(in);
	ssize_t r;

	if (unlikely(!plain_rx(from))) {
		enum route route = rx_route(in, &from, &r);

		if (route != NATIVE)
			return edge(errno, route == DGRAM ? -EINVAL : r);
	}
	if (!may_splice_to(out, &r))
		return edge(errno, r);
	r = libc()->splice(in, off_in, out, off_out, len, flags);
	if (likely(r > 0))
		return r;
	return fd_is_ours(from) ? rx_result(in, r, len) : tx_result(out, r);
}

ssize_t splice(int in, off64_t *off_in, int out, off64_t *off_out, size_t len, unsigned int flags)
{
	if (likely(fd_is_foreign(in) && fd_is_foreign(out)))
		return libc_table.splice(in, off_in, out, off_out, len, flags);
	return our_splice(in, off_in, out, off_out, len, flags);
}
