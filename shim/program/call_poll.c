/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll are the kernel's, on the anchors: nothing stands in for them.
 *
 * Two things are added. A reset connection whose program left nothing unread natively shows a hang-up and no POLLERR;
 * poll() and ppoll() ask the host then. And epoll_ctl() has to be seen: a registration belongs to the file, so putting another file under the number
 * (handover.c) loses it. The last registrations of sockets that are not connected yet are kept in a small ring, and
 * made again on the new file. A datagram socket is attached when it is registered, since a fresh SEQPACKET socket
 * would report a hang-up that a fresh UDP socket does not have.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"
#include "shim/program/init.h"
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
		if (seen.list[i].cookie == cookie && seen.list[i].epfd == epfd && seen.list[i].fd == fd)
			return &seen.list[i];
	return NULL;
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
			r = &seen.list[seen.next++ % REGISTRATIONS];
		*r = (struct registration){ cookie, epfd, fd, *event };
	}
	pthread_mutex_unlock(&seen.lock);
	quiet_end(&q);
}

/**
 * epoll_add_again() - the number has another file now: repeat the registrations that its old one had
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

/**
 * epoll_ctl() - the kernel's, noted
 */
int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	int saved = errno, r;
	uint32_t w = fd_word(fd);

	if (!fd_is_ours(w) || (w & (FD_CONNECTED | FD_LISTEN)) == FD_LISTEN ||
	    (w & (FD_CONNECTED | FD_GATE)) == FD_CONNECTED)
		return libc()->epoll_ctl(epfd, op, fd, event);
	if (!(w & (FD_STREAM | FD_ATTACHED)) && op == EPOLL_CTL_ADD)
		host_attach(fd);
	errno = saved;
	r = libc()->epoll_ctl(epfd, op, fd, event);
	if (r == 0 && (event || op == EPOLL_CTL_DEL))
		note(epfd, op, fd, event);
	return r;
}

static int add_errors(struct pollfd *fds, nfds_t count, int n)
{
	int saved = errno;

	if (n <= 0 || shim_sandboxed)
		return n;
	for (nfds_t i = 0; i < count; i++) {
		struct fdent *e;
		uint32_t w;

		if (likely((fds[i].revents & (POLLHUP | POLLERR)) != POLLHUP))
			continue;
		e = fd_entry(fds[i].fd);
		w = e ? atomic_load(&e->word) : 0;
		if ((w & (FD_STATE | FD_STREAM | FD_CONNECTED)) != (FD_OURS | FD_STREAM | FD_CONNECTED))
			continue;
		w = fd_verified(fds[i].fd);
		if (fd_is_ours(w) && sock_look(fds[i].fd, NULL) < 0)
			fds[i].revents |= POLLERR;
	}
	errno = saved;
	return n;
}

/**
 * poll() - the kernel's, with POLLERR added
 */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return add_errors(fds, count, libc()->poll(fds, count, timeout));
}

int __poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return poll(fds, count, timeout);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	return add_errors(fds, count, libc()->__poll_chk(fds, count, timeout, room));
}

/**
 * ppoll() - the kernel's, with POLLERR added
 */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	return add_errors(fds, count, libc()->ppoll(fds, count, timeout, mask));
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
	return add_errors(fds, count, libc()->__ppoll_chk(fds, count, timeout, mask, room));
}
