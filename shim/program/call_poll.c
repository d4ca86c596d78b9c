/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll are the kernel's, on the anchors: nothing stands in for them.
 *
 * Two things are added. POLLERR: a reset connection whose program left nothing unread natively
 * shows a hang-up only, and the error of a datagram is a message; poll() and ppoll() look closer.
 * So does epoll_wait() for streams (epoll_watch.c): where no set has one of ours it is a jump. poll()
 * also knows the streams that Linux always shows as ready and whose anchors are not: add_ended().
 * And epoll_ctl() has to be seen: a registration belongs to the file, so putting another file
 * under the number (handover.c) loses it. The last registrations of sockets that are not
 * connected yet are kept in a small ring, and made again on the new file. A datagram socket is
 * attached when it is registered, since a fresh SEQPACKET socket would report a hang-up that a
 * fresh UDP socket does not have.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/dgram.h"
#include "shim/program/epoll_watch.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"
#include "shim/program/init.h"
#include "shim/program/packet.h"
#include "shim/program/sock.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { REGISTRATIONS = 256 };

struct registration {
	uint64_t cookie; /* 0: free */
	int epfd, fd;
	struct epoll_event event;
};

static struct {
	pthread_mutex_t lock;
	unsigned int next;
	struct registration list[REGISTRATIONS];
} seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct registration *find(uint64_t cookie, int epfd, int fd)
{
	for (int i = 0; i < REGISTRATIONS; i++)
		if (seen.list[i].cookie == cookie && seen.list[i].epfd == epfd &&
		    seen.list[i].fd == fd)
			return &seen.list[i];
	return NULL;
}

/* If none is free, the next in turn is forgotten. */
static struct registration *free_entry(void)
{
	for (int i = 0; i < REGISTRATIONS; i++)
		if (!seen.list[i].cookie)
			return &seen.list[i];
	return &seen.list[seen.next++ % REGISTRATIONS];
}

static void note(int epfd, int op, int fd, const struct epoll_event *event)
{
	uint64_t cookie = fd_cookie(fd);
	struct registration *r;
	struct quiet q;

	quiet_begin(&q);
	pthread_mutex_lock(&seen.lock);
	r = find(cookie, epfd, fd);
	if (op == EPOLL_CTL_DEL) {
		if (r)
			r->cookie = 0;
	} else {
		if (!r)
			r = free_entry();
		*r = (struct registration){ cookie, epfd, fd, *event };
	}
	pthread_mutex_unlock(&seen.lock);
	quiet_end(&q);
}

/**
 * epoll_take_out() - the number is about to get another file: end the registrations of its old one
 * @fd:     the number
 * @cookie: the socket that is there
 *
 * Where another process has that file too they would outlive it, and go on reporting it.
 */
void epoll_take_out(int fd, uint64_t cookie)
{
	struct quiet q;

	quiet_begin(&q);
	pthread_mutex_lock(&seen.lock);
	for (int i = 0; i < REGISTRATIONS; i++)
		if (seen.list[i].cookie == cookie && seen.list[i].fd == fd)
			SYS(epoll_ctl, seen.list[i].epfd, EPOLL_CTL_DEL, fd, NULL);
	pthread_mutex_unlock(&seen.lock);
	quiet_end(&q);
}

/**
 * epoll_add_again() - the number has another file now: repeat the registrations that its old one
 * had
 * @fd:         the number
 * @old_cookie: the socket that was there when they were made
 */
void epoll_add_again(int fd, uint64_t old_cookie)
{
	struct quiet q;

	quiet_begin(&q);
	pthread_mutex_lock(&seen.lock);
	for (int i = 0; i < REGISTRATIONS; i++) {
		struct registration *r = &seen.list[i];

		if (!r->cookie || r->cookie != old_cookie || r->fd != fd)
			continue;
		SYS(epoll_ctl, r->epfd, EPOLL_CTL_ADD, fd, &r->event);
		r->cookie = fd_is_ours(fd_word(fd)) ? fd_cookie(fd) : 0;
	}
	pthread_mutex_unlock(&seen.lock);
	quiet_end(&q);
}

/**
 * epoll_fork_child() - after fork, in the child: whoever held the lock is not here
 */
void epoll_fork_child(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	memcpy(&seen.lock, &unlocked, sizeof(unlocked));
}

static OUT_OF_LINE int our_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	int saved = errno, r;
	uint32_t w = fd_word(fd);

	if (fd_is_ours(w) && (w & FD_STREAM) && !(w & FD_LISTEN) && !nowhere(event))
		epoll_watch(epfd, op, fd, event->data.u64);
	if (!fd_is_ours(w) || (w & (FD_CONNECTED | FD_GATE)) == FD_CONNECTED)
		return libc()->epoll_ctl(epfd, op, fd, event);
	if (!(w & (FD_STREAM | FD_ATTACHED)) && op == EPOLL_CTL_ADD)
		host_attach(fd);
	errno = saved;
	r = libc()->epoll_ctl(epfd, op, fd, event);
	if (r == 0 && (event || op == EPOLL_CTL_DEL))
		note(epfd, op, fd, event);
	return r;
}

/**
 * epoll_ctl() - the kernel's, noted
 */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.epoll_ctl(epfd, op, fd, event);
	return our_epoll_ctl(epfd, op, fd, event);
}

/* Would a closer look at what poll() said be worth a system call? */
static bool may_hide_error(uint32_t w, short revents)
{
	if (!fd_is_ours(w))
		return false;
	if (w & FD_STREAM)
		return (w & FD_CONNECTED) && (revents & (POLLHUP | POLLERR)) == POLLHUP;
	return (w & (FD_CONNECTED | FD_RECVERR | FD_PACKET)) && (revents & (POLLIN | POLLRDNORM));
}

/*
 * With both directions over TCP is writable, whatever was not sent. So is an anchor, a moment after it
 * shows its end: the kernel throws away what lies in it only then.
 */
static void add_writable(struct pollfd *p, uint32_t w)
{
	const short wanted = (short)(p->events & (POLLOUT | POLLWRNORM));
	const uint32_t stream = FD_STREAM | FD_CONNECTED;

	if ((w & stream) == stream && (p->revents & POLLHUP) && (wanted & ~p->revents) &&
	    (fd_verified(p->fd) & (FD_STATE | stream)) == (FD_OURS | stream))
		p->revents = (short)(p->revents | wanted);
}

static void add_error(struct pollfd *p)
{
	uint32_t w = fd_known(p->fd);

	/* An AF_UNIX stream has a priority band to write, TCP has none. */
	if ((w & (FD_STATE | FD_STREAM)) == (FD_OURS | FD_STREAM))
		p->revents = (short)(p->revents & ~POLLWRBAND);
	add_writable(p, w);
	if (!may_hide_error(w, p->revents) || !may_hide_error(w = fd_verified(p->fd), p->revents))
		return;
	if ((w & FD_STREAM) && sock_look(p->fd, NULL) < 0)
		p->revents |= POLLERR;
	else if (!(w & FD_STREAM) && dgram_look(p->fd) < 0)
		p->revents = (short)((p->revents & ~(POLLIN | POLLRDNORM)) | POLLERR);
}

/* An error shows as a hang-up on a stream anchor, and as something to read on a datagram anchor. */
static int add_errors(struct pollfd *fds, nfds_t count, int n)
{
	int saved = errno;

	if (n <= 0)
		return n;
	for (nfds_t i = 0; i < count; i++)
		if (fds[i].revents & (POLLHUP | POLLIN | POLLRDNORM | POLLWRBAND)) {
			add_error(&fds[i]);
			n -= !fds[i].revents;
		}
	errno = saved;
	return n;
}

/* May this be a stream that Linux shows as ready whatever comes: see add_ended()? */
static bool may_be_ended(uint32_t w)
{
	if ((w & (FD_STATE | FD_STREAM | FD_ATTACHED)) != (FD_OURS | FD_STREAM | FD_ATTACHED))
		return false;
	return (w & (FD_CONNECTED | FD_LISTEN)) ? (w & (FD_CONNECTED | FD_RDSHUT)) == (FD_CONNECTED | FD_RDSHUT)
						: !(w & FD_GATE);
}

/*
 * What Linux shows and an anchor does not. A stream that is not connected (bound, refused, a
 * listener that was shut down) is at its end: OUT and HUP. After SHUT_RD there is an end to be
 * read; the anchor is not told of that, since it would drop what still comes.
 */
static void add_ended(struct pollfd *p)
{
	uint32_t w = fd_known(p->fd);
	enum ctl_state state = CTL_S_OPEN;

	if (!may_be_ended(w) || !may_be_ended(w = fd_verified(p->fd)))
		return;
	if (w & FD_CONNECTED) {
		p->revents |= (short)(p->events & (POLLIN | POLLRDNORM | POLLRDHUP));
		return;
	}
	if (!(w & FD_DEAD))
		sock_look(p->fd, &state);
	if (state == CTL_S_OPEN)
		p->revents = (short)((p->events & (POLLOUT | POLLWRNORM)) | POLLHUP);
}

/* Is there one of those that are always ready? Then poll() does not wait. */
static bool any_ended(const struct pollfd *fds, nfds_t count)
{
	for (nfds_t i = 0; i < count; i++)
		if (may_be_ended(fd_known(fds[i].fd)))
			return true;
	return false;
}

/* Is one of them ready after all, by add_ended()? @n: what poll() with no time to wait said. */
static int add_ends(struct pollfd *fds, nfds_t count, int n)
{
	int saved = errno;

	for (nfds_t i = 0; n >= 0 && i < count; i++) {
		bool ready = fds[i].revents;

		add_ended(&fds[i]);
		n += !ready && fds[i].revents;
	}
	errno = saved;
	return n;
}

/*
 * Is one of ours among them? libc declares what poll() gets as written only, and compilers warn of who
 * reads it.
 */
static inline bool any_ours(struct pollfd *fds, nfds_t count)
{
	__asm__("" : "+r"(fds));
	if (nowhere(fds))
		return false;
	for (nfds_t i = 0; i < count; i++)
		if (fd_is_ours(fd_known(fds[i].fd)))
			return true;
	return false;
}

/* A fresh datagram socket is attached before it is looked at: see the head of this file. */
static void prepare(const struct pollfd *fds, nfds_t count)
{
	int saved = errno;

	for (nfds_t i = 0; i < count; i++) {
		uint32_t w = fd_known(fds[i].fd);

		if (!fd_is_ours(w))
			continue;
		if (w & FD_RING)
			ring_before_poll(fds[i].fd);
		else if (unlikely(!(w & (FD_STREAM | FD_ATTACHED))))
			host_attach(fds[i].fd);
	}
	errno = saved;
}

static OUT_OF_LINE int our_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	int n;

	prepare(fds, count);
	if (shim_sandboxed)
		return libc()->poll(fds, count, timeout);
	if (any_ended(fds, count)) {
		n = add_ends(fds, count, libc()->poll(fds, count, 0));
		if (n)
			return add_errors(fds, count, n);
	}
	return add_errors(fds, count, libc()->poll(fds, count, timeout));
}

/**
 * poll() - the kernel's, with POLLERR added
 */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	if (!any_ours(fds, count))
		return libc()->poll(fds, count, timeout);
	return our_poll(fds, count, timeout);
}

int __poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return poll(fds, count, timeout);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (count > room / sizeof(*fds))
		return libc()->__poll_chk(fds, count, timeout, room);
	return poll(fds, count, timeout);
}

static OUT_OF_LINE int our_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
				 const sigset_t *mask)
{
	static const struct timespec at_once;
	int n;

	prepare(fds, count);
	if (shim_sandboxed)
		return libc()->ppoll(fds, count, timeout, mask);
	if (any_ended(fds, count)) {
		n = add_ends(fds, count, libc()->ppoll(fds, count, &at_once, mask));
		if (n)
			return add_errors(fds, count, n);
	}
	return add_errors(fds, count, libc()->ppoll(fds, count, timeout, mask));
}

/**
 * ppoll() - the kernel's, with POLLERR added
 */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	if (!any_ours(fds, count))
		return libc()->ppoll(fds, count, timeout, mask);
	return our_ppoll(fds, count, timeout, mask);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *mask, size_t room)
{
	if (count > room / sizeof(*fds))
		return libc()->__ppoll_chk(fds, count, timeout, mask, room);
	return ppoll(fds, count, timeout, mask);
}
