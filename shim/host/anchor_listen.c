/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets: each connection that is ready becomes an anchor of its own, whose program end
 * travels to the program as a descriptor with one struct accept_record in the listener's anchor.
 * accept() is one recvmsg() there, and exactly one of many processes gets it.
 *
 * The new anchor is made by connecting to our own listener and writing the hello as a program would.
 *
 * How many. Linux holds backlog + 1 connections ready. Records in the anchor and connections in the
 * stack's queue together are kept at that: the stack is told how many records lie there
 * (sock.accept_held). Each record takes a known amount of the anchor's send buffer, so that what the kernel says
 * is queued (SIOCOUTQ) tells how many were not taken yet. Every record holds a descriptor and the
 * kernel limits those in flight per user (ETOOMANYREFS), so at most RECORDS_AHEAD are made in
 * advance; the others wait in the stack, where they cost nothing.
 *
 * A listener that serves the kernel's loopback too (twin.c) has records of two kinds, made in turns;
 * record_kinds says which of those not taken yet are whose.
 *
 * The oldest "children" are claimed first. One whose listener closes before it is claimed was never
 * accepted and is reset, as Linux does.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/host/host.h"

enum { RECORDS_AHEAD = 64 };

static int anchor_queued(const struct anchor *a)
{
	int n = 0;

	return sys_ioctl(a->watch.fd, SIOCOUTQ, &n) ? 0 : n;
}

/** listen_forget_child() - @child is claimed, or ends */
void listen_forget_child(struct anchor *child)
{
	if (child->listener && child->listener->handing == child) {
		if (child->listener->handing_fd >= 0)
			sys_close(child->listener->handing_fd);
		child->listener->handing = NULL;
		child->listener->handing_fd = -1;
	}
	child->listener = NULL;
	list_del(&child->sibling);
}

/** listen_count() - which records were taken meanwhile: their children are claimed */
void listen_count(struct anchor *a)
{
	unsigned int now, queued;

	if (!a->outstanding || a->closed)
		return;
	queued = (unsigned int)anchor_queued(a);
	if (queued && !a->record_truesize)
		return;
	now = queued ? (queued + (unsigned int)a->record_truesize - 1) / (unsigned int)a->record_truesize : 0;
	for (; a->outstanding > now; a->outstanding--) {
		if (!(a->record_kinds & 1) && !list_empty(&a->children))
			listen_forget_child(list_first_entry(&a->children, struct anchor, sibling));
		a->record_kinds >>= 1;
	}
}

static unsigned int records_limit(const struct anchor *a)
{
	return (unsigned int)MAX(1, MIN(a->backlog, (int)RECORDS_AHEAD));
}

/* Linux's accept queue holds one more than the backlog; records are part of it. */
static void count_to_backlog(struct anchor *a)
{
	if (a->sock->sk)
		a->sock->sk->accept_held = a->outstanding + (a->handing_fd >= 0 ? 1 : 0);
}

/* Of a connection of the kernel's: who is there. */
static void fill_kernels(int fd, struct accept_record *rec)
{
	socklen_t len = sizeof(rec->local);

	memset(rec, 0, sizeof(*rec));
	rec->magic = WIRESHIM_MAGIC;
	rec->kind = ACCEPT_KERNEL;
	(void)sys_getsockname(fd, &rec->local, &len);
	len = sizeof(rec->peer);
	(void)sys_getpeername(fd, &rec->peer, &len);
}

static void fill_record(const struct anchor *child, struct accept_record *rec)
{
	struct sockaddr_storage ss;
	int n;

	memset(rec, 0, sizeof(*rec));
	rec->magic = WIRESHIM_MAGIC;
	rec->cookie = child->cookie;
	n = sock_getname(child->sock, &ss, false);
	if (n > 0)
		memcpy(&rec->local, &ss, MIN((size_t)n, sizeof(rec->local)));
	n = sock_getname(child->sock, &ss, true);
	if (n > 0)
		memcpy(&rec->peer, &ss, MIN((size_t)n, sizeof(rec->peer)));
}

/* @child: NULL = @fd is the kernel's. 0, or -EAGAIN, -ETOOMANYREFS, ... */
static ssize_t send_record(struct anchor *a, const struct anchor *child, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct accept_record rec;
	struct iovec iov = { &rec, sizeof(rec) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm;

	memset(&control, 0, sizeof(control));
	cm = CMSG_FIRSTHDR(&msg);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	if (child)
		fill_record(child, &rec);
	else
		fill_kernels(fd, &rec);
	return sys_sendmsg(a->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends the record of what is in hand; false: it stays there. */
static bool hand_over(struct anchor *a)
{
	struct anchor *child = a->handing;
	int before = a->record_truesize ? 0 : anchor_queued(a);
	ssize_t n = send_record(a, child, a->handing_fd);

	if (n == -EAGAIN || n == -ETOOMANYREFS || n == -EINTR || n == -ENOBUFS) {
		a->writable = false;
		return false;
	}
	if (n < 0) {
		a->check_close = true;
		anchor_dirty(a);
		return false;
	}
	if (!a->record_truesize)
		a->record_truesize = before ? 0 : anchor_queued(a); /* 0: it was taken at once */
	sys_close(a->handing_fd);
	if (!child)
		a->record_kinds |= 1ULL << a->outstanding;
	a->handing = NULL;
	a->handing_fd = -1;
	a->outstanding++;
	return true;
}

static void child_connected(struct anchor *listener, struct anchor *child)
{
	struct sockaddr_storage ss;

	child->state = ANCHOR_CONNECTED;
	child->is_child = true;
	child->listener = listener;
	list_add_tail(&child->sibling, &listener->children);
	child->parent = listener->cookie;
	child->oob_inline = listener->oob_inline;
	child->pid = listener->pid;
	child->uid = listener->uid;
	if (listener->sock->sk)
		sock_set_owner(child->sock, listener->sock->sk->owner.pid, listener->sock->sk->owner.comm);
	child->established = child->host->now;
	child->host->totals.connections++;
	if (sock_getname(child->sock, &ss, false) > 0)
		addr_format(&ss, child->addrs.local, sizeof(child->addrs.local));
	if (sock_getname(child->sock, &ss, true) > 0)
		addr_format(&ss, child->addrs.peer, sizeof(child->addrs.peer));
	child->readable = true;
	anchor_dirty(child);
}

/* Makes the anchor of @sock and takes it in hand. */
static int make_child(struct anchor *a, struct socket *sock)
{
	struct host *h = a->host;
	struct anchor_hello hello = { .magic = WIRESHIM_MAGIC, .kind = HELLO_ANCHOR, .token = h->token,
				      .family = a->family, .type = SOCK_STREAM, .protocol = a->protocol };
	uint64_t cookie, ino;
	int fd, ret, one = 1;

	ret = listeners_dial(h, &hello, &fd, &cookie, &ino);
	if (ret)
		return ret;
	h->expect_sock = sock;
	h->expect_cookie = cookie;
	h->expect_anchor = NULL;
	listeners_drain(h);
	h->expect_sock = NULL;
	if (!h->expect_anchor) {
		sys_close(fd);
		return -ENFILE;
	}
	a->handing = h->expect_anchor;
	a->handing_fd = fd;
	if (a->oob_inline)
		(void)sys_setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
	child_connected(a, h->expect_anchor);
	h->expect_anchor = NULL;
	return 0;
}

/* Next connection of the stack into the hand; false: none, or none can be made now. */
static bool take_ours(struct anchor *a)
{
	struct socket *sock;
	int ret = sock_accept(a->sock, &sock);

	if (ret)
		return false;
	ret = make_child(a, sock);
	if (ret == 0)
		return true;
	host_log(a->host, LOG_LEVEL_ERR, "a connection was lost: no descriptor for it (%s)", strerror(-ret));
	sock_release(sock);
	return false;
}

/* The same of the kernel's loopback. What is not taken stays in the kernel's queue. */
static bool take_kernels(struct anchor *a)
{
	int fd;

	if (!a->twin_readable)
		return false;
	twin_backlog(a, 1); /* the kernel is not to let another in for the one that is taken here */
	fd = twin_accept(a);
	if (fd < 0)
		return false;
	a->handing_fd = fd;
	return true;
}

/* Whoever had his turn last comes second. */
static bool take_next(struct anchor *a)
{
	bool kernels = a->kernel_next;

	a->kernel_next = !kernels;
	return kernels ? take_kernels(a) || take_ours(a) : take_ours(a) || take_kernels(a);
}

/** listen_work() - hands over what is ready and may be handed over */
void listen_work(struct anchor *a)
{
	listen_count(a);
	while (!a->closed && a->outstanding < records_limit(a)) {
		if (a->handing_fd < 0 && !take_next(a))
			break;
		if (!a->writable || !hand_over(a))
			break;
	}
	count_to_backlog(a);
	twin_backlog(a, 0);
	a->readable = false;
}

/** listen_start() - CTL_LISTEN; Return: 0 or negative errno */
int listen_start(struct anchor *a, int backlog)
{
	int ret;

	if (a->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	backlog = (int)MIN((unsigned int)backlog, 4096U); /* net.core.somaxconn; a negative one is the largest */
	ret = sock_listen(a->sock, backlog);
	if (ret)
		return ret;
	a->state = ANCHOR_LISTENING;
	a->backlog = backlog;
	anchor_dirty(a);
	return 0;
}

/**
 * listen_end() - the listener goes: what was not accepted dies with it and is reset
 *
 * Some may have been accepted in the last moment. Those live on, and end as any other.
 */
void listen_end(struct anchor *a)
{
	struct anchor *child, *tmp;

	twin_close(a);
	if (!a->handing && a->handing_fd >= 0) {
		sys_close(a->handing_fd);
		a->handing_fd = -1;
	}
	list_for_each_entry_safe(child, tmp, &a->children, sibling) {
		child->orphaned_at = a->host->now;
		listen_forget_child(child);
		child->check_close = true;
		anchor_dirty(child);
	}
}

/**
 * listen_requeue() - CTL_REQUEUE: a program could not take the descriptor of @child
 *
 * Its socket gets a new anchor, and a record behind those that wait.
 *
 * Return: 0 or negative errno
 */
int listen_requeue(struct anchor *listener, struct anchor *child)
{
	struct socket *sock = child->sock;
	int ret;

	if (listener->state != ANCHOR_LISTENING || !child->is_child || child->touched || !sock ||
	    child->parent != listener->cookie)
		return -EINVAL;
	if (listener->handing_fd >= 0)
		return -EAGAIN;
	child->sock = NULL;
	sock->wake = NULL;
	child->state = ANCHOR_DEAD;
	anchor_destroy(child);
	ret = make_child(listener, sock);
	if (ret)
		sock_release(sock);
	else
		anchor_dirty(listener);
	return ret;
}
