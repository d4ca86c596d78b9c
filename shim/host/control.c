/* SPDX-License-Identifier: MIT */
/*
 * Control connections: requests of programs in, answers out.
 *
 * One SEQPACKET connection per process. Requests that are ready are served in the same turn, in the
 * order in which they lie in each connection; an answer that has to wait (a name, a lingering close)
 * is remembered as struct deferred and overtaken by later ones, which the seq allows. Who does not
 * read his answers, or has DEFERRED_MAX to come, is not listened to until that changes. What comes is
 * checked like input from the wire: a malformed message ends the connection.
 *
 * Ancillary data is never given room, so that the kernel closes descriptors that come along.
 */
#include <fcntl.h>
#include <unistd.h>

#include "shim/host/host.h"

enum {
	MESSAGE_MAX = sizeof(struct ctl_msg) + CTL_DATA_MAX,
	REPLIES_MAX = 4 * 1024 * 1024, /* bytes that wait for a program which does not read */
	TURN_REQUESTS = 64,
	DEFERRED_MAX = 64,             /* requests of one connection that wait for their answer */
};

struct reply {
	struct list_head list;
	size_t len;
	uint8_t bytes[];
};

static void control_ready(struct host *h, struct watch *w, uint32_t events);

/**
 * control_create() - a connection came in on the packet listener
 * @fd: taken over, always
 *
 * Return: NULL when out of memory
 */
struct control *control_create(struct host *h, int fd, int32_t pid, uint32_t uid)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c || watch_add(h, &c->watch, fd, EPOLLIN | EPOLLRDHUP, control_ready)) {
		free(c);
		sys_close(fd);
		return NULL;
	}
	c->host = h;
	c->refs = 1;
	c->pid = pid;
	c->uid = uid;
	c->hello_deadline = h->now + HELLO_MS * NSEC_PER_MSEC;
	list_init(&c->pending);
	list_init(&c->replies);
	list_add_tail(&c->all, &h->controls);
	h->greeting_count++;
	return c;
}

/* Not to be listened to for the moment. */
static bool blocked(const struct control *c)
{
	return !list_empty(&c->replies) || c->deferred >= DEFERRED_MAX;
}

static void update_interest(struct control *c)
{
	uint32_t events = blocked(c) ? 0 : EPOLLIN | EPOLLRDHUP;

	watch_modify(c->host, &c->watch, events | (list_empty(&c->replies) ? 0 : (uint32_t)EPOLLOUT));
}

static void control_put(struct control *c)
{
	if (--c->refs == 0)
		host_bury(c->host, &c->watch);
}

/** control_destroy() - ends the connection; answers that are still to come go nowhere */
void control_destroy(struct control *c)
{
	struct host *h = c->host;

	if (c->watch.fd < 0)
		return;
	while (!list_empty(&c->replies)) {
		struct reply *r = list_first_entry(&c->replies, struct reply, list);

		list_del(&r->list);
		free(r);
	}
	if (!c->greeted)
		h->greeting_count--;
	list_del(&c->all);
	list_del(&c->pending);
	watch_close(h, &c->watch);
	control_put(c);
}

/* --- answers ---------------------------------------------------------------------------------- */

static ssize_t send_now(struct control *c, const void *head, size_t head_len, const void *data, size_t len)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)head, head_len }, { (void *)(uintptr_t)data, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
	ssize_t n;

	do
		n = sys_sendmsg(c->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -EINTR);
	return n;
}

static void queue_reply(struct control *c, const struct ctl_msg *m, const void *data, size_t len)
{
	struct reply *r = malloc(sizeof(*r) + sizeof(*m) + len);

	if (!r || c->reply_bytes + len > REPLIES_MAX) {
		free(r);
		control_destroy(c);
		return;
	}
	r->len = sizeof(*m) + len;
	memcpy(r->bytes, m, sizeof(*m));
	if (len)
		memcpy(r->bytes + sizeof(*m), data, len);
	c->reply_bytes += r->len;
	list_add_tail(&r->list, &c->replies);
	update_interest(c);
}

static void flush_replies(struct control *c)
{
	while (!list_empty(&c->replies)) {
		struct reply *r = list_first_entry(&c->replies, struct reply, list);

		if (send_now(c, r->bytes, r->len, NULL, 0) == -EAGAIN)
			return;
		c->reply_bytes -= r->len;
		list_del(&r->list);
		free(r);
	}
	update_interest(c);
}

/**
 * control_reply() - answers @req
 * @arg: four numbers, or NULL for zeroes
 * @len: bytes of @data, at most CTL_DATA_MAX
 */
void control_reply(struct control *c, const struct ctl_msg *req, int32_t result,
		   const uint32_t arg[4], const void *data, size_t len)
{
	struct ctl_msg m = { .magic = WIRESHIM_MAGIC, .op = req->op, .seq = req->seq, .result = result,
			     .cookie = req->cookie, .len = (uint32_t)len };

	if (c->watch.fd < 0 || req->flags & CTL_F_NOREPLY)
		return;
	if (arg)
		memcpy(m.arg, arg, sizeof(m.arg));
	if (!list_empty(&c->replies) || send_now(c, &m, sizeof(m), data, len) == -EAGAIN)
		queue_reply(c, &m, data, len);
}

/**
 * control_reply_fd() - answers @req and sends a descriptor along
 * @arg: four numbers
 * @fd:  stays the caller's
 */
void control_reply_fd(struct control *c, const struct ctl_msg *req, int32_t result, const uint32_t arg[4],
		      int fd)
{
	struct ctl_msg m = { .magic = WIRESHIM_MAGIC, .op = req->op, .seq = req->seq, .result = result,
			     .cookie = req->cookie };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .align = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd)) } };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	memcpy(m.arg, arg, sizeof(m.arg));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	if (c->watch.fd < 0 || req->flags & CTL_F_NOREPLY)
		return;
	do
		n = list_empty(&c->replies) ? sys_sendmsg(c->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) : -EAGAIN;
	while (n == -EINTR);
	if (n < 0)
		control_reply(c, req, -EAGAIN, NULL, NULL, 0);
}

/** control_defer() - remembers a request whose answer comes later; holds the connection's memory */
void control_defer(struct control *c, const struct ctl_msg *req, struct deferred *d)
{
	c->refs++;
	c->deferred++;
	update_interest(c);
	*d = (struct deferred){ .ctl = c, .seq = req->seq, .op = req->op, .flags = req->flags,
				.cookie = req->cookie };
}

/** control_answer() - answers a deferred request, once */
void control_answer(struct deferred *d, int32_t result, const uint32_t arg[4], const void *data,
		    size_t len)
{
	struct ctl_msg req = { .op = d->op, .flags = d->flags, .seq = d->seq, .cookie = d->cookie };

	control_reply(d->ctl, &req, result, arg, data, len);
	d->ctl->deferred--;
	update_interest(d->ctl);
	control_put(d->ctl);
	d->ctl = NULL;
}

/* --- the first message ------------------------------------------------------------------------ */

static void read_comm(struct control *c)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)c->pid);
	fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	n = sys_read(fd, c->comm, sizeof(c->comm) - 1);
	c->comm[n > 0 ? n - 1 : 0] = 0;
	sys_close(fd);
}

static void welcome(struct control *c)
{
	struct host *h = c->host;
	struct ctl_hello_reply hello = { .magic = WIRESHIM_MAGIC, .loopback_stack = h->cfg.loopback_stack,
					 .host_pid = (uint32_t)getpid(), .addr = h->cfg.addr };
	struct ctl_msg req = { .op = CTL_HELLO };

	if (c->uid == geteuid() || c->uid == 0)
		hello.token = h->token;
	if (h->cfg.text[OPT_HOSTNAME])
		snprintf(hello.hostname, sizeof(hello.hostname), "%s", h->cfg.text[OPT_HOSTNAME]);
	c->greeted = true;
	h->greeting_count--;
	read_comm(c);
	control_reply(c, &req, 0, NULL, &hello, sizeof(hello));
}

/* The connection is an anchor: it changes its kind, the descriptor stays. */
static void become_anchor(struct control *c, const struct anchor_hello *hello)
{
	struct host *h = c->host;
	struct epoll_event none = { 0 };
	int fd = c->watch.fd, ret;
	struct anchor *a;

	(void)sys_epoll_ctl(h->epfd, EPOLL_CTL_DEL, fd, &none);
	c->watch.fd = -1;
	h->greeting_count--;
	list_del(&c->all);
	list_del(&c->pending);
	a = anchor_create(h, fd, true);
	if (!a) {
		control_put(c);
		return;
	}
	ret = anchor_greet(a, hello);
	if (ret) {
		h->totals.malformed++;
		host_log(h, LOG_LEVEL_WARN, "socket of pid %d refused: %s", (int)c->pid, strerror(-ret));
		anchor_destroy(a);
	} else {
		a->readable = true;
		anchor_dirty(a);
	}
	control_put(c);
}

static int check_hello(struct control *c, const struct ctl_hello *hello)
{
	if (hello->magic != WIRESHIM_MAGIC)
		return -EPROTO;
	if (c->uid != geteuid() && c->uid != 0 && hello->token != c->host->token)
		return -EACCES;
	return 0;
}

/* False: it is no control connection (any more). */
static bool take_hello(struct control *c, const uint8_t *buf, size_t len)
{
	const struct ctl_msg req = { .op = CTL_HELLO };
	struct anchor_hello anchor;
	struct ctl_hello hello;
	int ret = -EPROTO;

	if (len == sizeof(anchor)) {
		memcpy(&anchor, buf, sizeof(anchor));
		if (anchor.magic == WIRESHIM_MAGIC && anchor.kind == HELLO_ANCHOR) {
			become_anchor(c, &anchor);
			return false;
		}
	} else if (len == sizeof(hello)) {
		memcpy(&hello, buf, sizeof(hello));
		if (hello.kind == HELLO_CONTROL)
			ret = check_hello(c, &hello);
	}
	if (ret == 0) {
		welcome(c);
		return true;
	}
	c->host->totals.refused++;
	host_log(c->host, LOG_LEVEL_WARN, "control connection of pid %d (uid %u) refused: %s", (int)c->pid,
		 c->uid, strerror(-ret));
	control_reply(c, &req, ret, NULL, NULL, 0);
	control_destroy(c);
	return false;
}

/* --- requests --------------------------------------------------------------------------------- */

static bool request_ok(const struct ctl_msg *req, size_t len)
{
	return len >= sizeof(*req) && req->magic == WIRESHIM_MAGIC && req->len <= CTL_DATA_MAX &&
	       len == sizeof(*req) + req->len;
}

/* The hello, into a place of its own: the request of another connection may be in hand. */
static bool take_first(struct control *c)
{
	uint8_t buf[sizeof(struct anchor_hello)];
	ssize_t n = sys_recv(c->watch.fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

	if (n == -EINTR)
		return true;
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		control_destroy(c);
		return false;
	}
	return take_hello(c, buf, (size_t)n);
}

/* One message. False: nothing is there, or the connection has ended. */
static bool serve_one(struct control *c)
{
	struct host *h = c->host;
	struct ctl_msg req;
	ssize_t n;

	if (!c->greeted)
		return take_first(c);
	n = sys_recv(c->watch.fd, h->ctl_buf, MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	if (n == -EINTR)
		return true;
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		control_destroy(c);
		return false;
	}
	memset(&req, 0, sizeof(req));
	memcpy(&req, h->ctl_buf, MIN((size_t)n, sizeof(req)));
	if (!request_ok(&req, (size_t)n)) {
		h->totals.malformed++;
		host_log(h, LOG_LEVEL_WARN, "malformed request of pid %d", (int)c->pid);
		control_destroy(c);
		return false;
	}
	control_serve(c, &req, h->ctl_buf + sizeof(req));
	return c->watch.fd >= 0;
}

static void control_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct control *c = container_of(w, struct control, watch);

	if (events & EPOLLOUT)
		flush_replies(c);
	if (c->watch.fd < 0 || !(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	if (blocked(c)) {
		/* Only its end comes here: nobody is left to read the answers. */
		if (events & (EPOLLHUP | EPOLLERR))
			control_destroy(c);
		return;
	}
	/* The first message at once: it may be an anchor's, which others may ask about. */
	if (!c->greeted && !serve_one(c))
		return;
	if (list_empty(&c->pending))
		list_add_tail(&c->pending, &h->ctl_pending);
}

/** controls_drain() - serves what has come, a bounded number per connection */
void controls_drain(struct host *h)
{
	struct list_head round;

	if (list_empty(&h->ctl_pending))
		return;
	round = h->ctl_pending;
	round.next->prev = &round;
	round.prev->next = &round;
	list_init(&h->ctl_pending);
	while (!list_empty(&round)) {
		struct control *c = list_first_entry(&round, struct control, pending);
		int served = 0;

		list_del(&c->pending);
		c->refs++;
		while (served < TURN_REQUESTS && c->watch.fd >= 0 && !blocked(c) && serve_one(c))
			served++;
		/* A request may have looked for events itself (host_settle()), and found more of this one. */
		if (served == TURN_REQUESTS && c->watch.fd >= 0 && list_empty(&c->pending))
			list_add_tail(&c->pending, &h->ctl_pending);
		control_put(c);
	}
}
