/* SPDX-License-Identifier: MIT */
/*
 * The life of an anchor: one socket of a program, the program's end held by the program (and by
 * whoever it was passed on to), our end here, the struct socket behind it.
 *
 *   HELLO -> FRESH -> CONNECTING -> CONNECTED -> DEAD      stream
 *                  -> LISTENING
 *   HELLO -> DGRAM                                         all others
 *
 * Our end is registered edge-triggered. A callback of the stack or of epoll only notes what may be
 * possible now and puts the anchor on host->dirty; anchor_work() does it, a bounded amount a turn.
 *
 * The end. A hang-up on our end means that the program closed the last copy, or that both directions
 * are shut down; unix_diag knows which (diag.c). A program that is gone: what it wrote is still read
 * into the stack, then the struct socket is released and the stack finishes by itself. Where data
 * that the program should have read was lost, the connection is reset (RFC 1122 4.2.2.13), as the
 * kernel does. A connection that failed while the program holds it: see anchor_fail().
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shim/host/host.h"

#define ANCHOR_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static void anchor_ready(struct host *h, struct watch *w, uint32_t events);

/** anchor_dirty() - the anchor has work: done in this turn or the next */
void anchor_dirty(struct anchor *a)
{
	if (list_empty(&a->dirty))
		list_add_tail(&a->dirty, &a->host->dirty);
}

static void sock_woken(struct socket *sock)
{
	struct anchor *a = sock->user;

	if (a->state == ANCHOR_CONNECTING && sock->sk->state == TCP_ESTABLISHED)
		a->came_up = true;
	anchor_dirty(a);
}

/** anchor_set_sock() - ties @sock to the anchor; it is released with it */
void anchor_set_sock(struct anchor *a, struct socket *sock)
{
	a->sock = sock;
	sock->user = a;
	sock->wake = sock_woken;
}

/**
 * anchor_pass_on() - CTL_PASS_ON: a fresh anchor gets the socket of one that has ended
 * @from: of a listener that was shut down, or of a connect() that failed; keeps @to's new socket
 * @to:   not used yet
 *
 * Options and a bound address so outlive the anchor, as they outlive on Linux what ended it.
 *
 * Return: 0; -EINVAL: there is nothing to pass on, or nobody to take it
 */
int anchor_pass_on(struct anchor *from, struct anchor *to)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct socket *sock = from->sock, *fresh = to->sock;
	uint8_t *options = from->options;
	size_t options_len = from->options_len;

	if (to == from || from->type != SOCK_STREAM || to->state != ANCHOR_FRESH || to->touched)
		return -EINVAL;
	if ((from->state != ANCHOR_LISTENING && from->state != ANCHOR_DEAD) || !sock->sk ||
	    sock->sk->state != TCP_CLOSE)
		return -EINVAL;
	/* A connect() that failed is over once the next one has asked. */
	if (sock->state != SS_UNCONNECTED && sock_connect(sock, &nobody, sizeof(nobody)))
		return -EINVAL;
	anchor_set_sock(to, sock);
	anchor_set_sock(from, fresh);
	from->state = ANCHOR_DEAD;
	from->options = to->options;
	from->options_len = to->options_len;
	to->options = options;
	to->options_len = options_len;
	to->lowat = from->lowat;
	to->oob_inline = from->oob_inline;
	anchor_dirty(to);
	return 0;
}

/**
 * anchor_create() - a connection came in
 * @fd: our end; taken over, always
 *
 * Return: NULL when out of memory
 */
struct anchor *anchor_create(struct host *h, int fd, bool seqpacket)
{
	struct anchor *a = calloc(1, sizeof(*a));

	if (!a || watch_add(h, &a->watch, fd, ANCHOR_EVENTS, anchor_ready)) {
		free(a);
		sys_close(fd);
		return NULL;
	}
	a->host = h;
	a->seqpacket = seqpacket;
	a->writable = true;
	a->shutdown_after = -1;
	a->lowat = 1;
	a->handing_fd = -1;
	a->twin.fd = -1;
	a->twin_fd = -1;
	a->hello_deadline = h->now + HELLO_MS * NSEC_PER_MSEC;
	list_init(&a->dirty);
	list_init(&a->children);
	list_init(&a->sibling);
	list_init(&a->limbo);
	list_add_tail(&a->all, &h->anchors);
	h->anchor_count++;
	h->greeting_count++;
	return a;
}

/* The host's own user, root, or whoever has the secret. */
static int check_peer(struct anchor *a, uint64_t token)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int ret = sys_getsockopt(a->watch.fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);

	if (ret)
		return ret;
	a->pid = cred.pid;
	a->uid = cred.uid;
	if (cred.uid == geteuid() || cred.uid == 0 || token == a->host->token)
		return 0;
	return -EACCES;
}

/* The socket that a program says it is must be the one at the other end of this connection. */
static int check_identity(struct anchor *a)
{
	uint64_t peer;
	int ret = sys_inode(a->watch.fd, &a->own_ino);

	if (ret)
		return ret;
	ret = diag_peer(a->host->diag, a->peer_ino, a->cookie, &peer);
	if (ret)
		return ret;
	if (peer != a->own_ino)
		return -EPERM;
	return registry_find(a->host, a->cookie) ? -EEXIST : 0;
}

static void set_buffers(const struct anchor *a)
{
	int bytes = 1024 * 1024, one = 1;

	/* What a program may leave unread in the anchor; without privilege up to net.core.wmem_max. */
	if (sys_setsockopt(a->watch.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		(void)sys_setsockopt(a->watch.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	/* Urgent data of the program stays in its place in the stream, see stream_work(). */
	if (!a->seqpacket)
		(void)sys_setsockopt(a->watch.fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
}

/* Name of the process, for captures and reports. */
static void set_owner(struct anchor *a)
{
	char path[32], comm[16] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)a->pid);
	fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0) {
		n = sys_read(fd, comm, sizeof(comm) - 1);
		comm[n > 0 ? n - 1 : 0] = 0;
		sys_close(fd);
	}
	sock_set_owner(a->sock, a->pid, comm);
}

/**
 * anchor_greet() - takes the first message of an anchor
 *
 * Return: 0; negative errno: whoever connected is not what it says, end the connection
 */
int anchor_greet(struct anchor *a, const struct anchor_hello *hello)
{
	struct host *h = a->host;
	struct socket *sock;
	int ret;

	if (hello->magic != WIRESHIM_MAGIC || hello->kind != HELLO_ANCHOR || !hello->cookie ||
	    (hello->type == SOCK_STREAM) == a->seqpacket)
		return -EPROTO;
	a->cookie = hello->cookie;
	a->peer_ino = hello->ino;
	a->family = hello->family;
	a->type = hello->type;
	a->protocol = (uint8_t)hello->protocol;
	ret = check_peer(a, hello->token);
	if (ret == 0)
		ret = check_identity(a);
	if (ret)
		return ret;
	if (h->expect_sock && hello->cookie == h->expect_cookie) {
		sock = h->expect_sock;
		h->expect_sock = NULL;
		h->expect_anchor = a;
	} else {
		ret = sock_create(h->net, hello->family, hello->type, (int)hello->protocol, &sock);
		if (ret)
			return ret;
	}
	anchor_set_sock(a, sock);
	a->state = a->seqpacket ? ANCHOR_DGRAM : ANCHOR_FRESH;
	h->greeting_count--;
	registry_add(a);
	set_buffers(a);
	if (h->expect_anchor != a)
		set_owner(a);
	return 0;
}

/* Stream anchors: the hello, and not a byte more, since data may follow at once. */
static void read_hello(struct anchor *a)
{
	struct host *h = a->host;
	struct anchor_hello hello;
	ssize_t n = sys_recv(a->watch.fd, &hello, sizeof(hello), MSG_DONTWAIT);
	int ret;

	if (n == -EAGAIN || n == -EINTR)
		return;
	ret = n == (ssize_t)sizeof(hello) ? anchor_greet(a, &hello) : n < 0 ? (int)n : -EPROTO;
	if (ret == 0) {
		a->readable = true;
		anchor_dirty(a);
		return;
	}
	if (n != 0)
		h->totals.malformed++;
	host_log(h, LOG_LEVEL_WARN, "connection of pid %d refused: %s", (int)a->pid, strerror(-ret));
	anchor_destroy(a);
}

static void anchor_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct anchor *a = container_of(w, struct anchor, watch);

	(void)h;
	if (a->state == ANCHOR_HELLO) {
		read_hello(a);
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		a->readable = true;
	if (events & EPOLLOUT)
		a->writable = true;
	if (events & EPOLLPRI)
		a->oob_ahead = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		a->ending = true;
	if (events & (EPOLLHUP | EPOLLERR))
		a->check_close = true;
	anchor_dirty(a);
}

/** anchor_unread() - bytes that the program wrote and we have not read */
int anchor_unread(const struct anchor *a)
{
	int n = 0;

	return sys_ioctl(a->watch.fd, FIONREAD, &n) ? 0 : n;
}

/* Does /proc show the process namespace that process ids of our peers are of? In a new one it may not. */
static bool proc_is_ours(void)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = 0;
	return atoi(self) == getpid();
}

/*
 * Has it no memory any more? What an exiting process still shows in /proc is the machine's root's, so a
 * host without rights is refused its descriptors.
 */
static bool is_exiting(int32_t pid)
{
	char path[32], pages[2] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd == -ENOENT;
	n = sys_read(fd, pages, sizeof(pages));
	sys_close(fd);
	return n == -ESRCH || (n == (ssize_t)sizeof(pages) && pages[0] == '0' && pages[1] == ' ');
}

/* 1: it has the socket under that number; 0: it has not; negative: the kernel does not show it to us. */
static int look_at_descriptor(const struct anchor *a, int32_t pid, int fd)
{
	char path[48], target[64], wanted[64];
	ssize_t n;

	if (pid <= 0)
		return -ESRCH; /* of a process namespace that we cannot see into */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0 && errno != ENOENT)
		return is_exiting(pid) ? 0 : -EACCES;
	if (!proc_is_ours())
		return -ESRCH;
	if (n < 0)
		return 0;
	target[n] = 0;
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)a->peer_ino);
	return strcmp(target, wanted) == 0;
}

/**
 * anchor_held_by() - may this process speak for the socket?
 * @pid: of the control connection
 * @uid: the same
 * @fd:  number under which the process says it has the socket
 *
 * Who made the socket may, and whoever has it by fork, exec or a message. Cookies are easily guessed,
 * so the kernel is asked. A process that the kernel does not let us look into has to be of the same
 * user as the socket's maker, whom no secret protects from him.
 */
bool anchor_held_by(struct anchor *a, int32_t pid, uint32_t uid, int fd)
{
	int ret;

	if (pid > 0 && (pid == a->pid || pid == a->holder))
		return true;
	ret = look_at_descriptor(a, pid, fd);
	if (ret > 0)
		a->holder = pid;
	return ret < 0 ? uid == a->uid : ret;
}

/* Takes our end away from the program; the record stays for its questions. */
static void become_record(struct anchor *a)
{
	struct host *h = a->host;

	watch_close(h, &a->watch);
	h->anchor_count--;
	if (h->record_count++ == 0)
		h->sweep_at = h->now + NSEC_PER_SEC;
}

/**
 * anchor_fail() - the socket has failed while the program holds it
 * @err: positive errno
 *
 * With bytes of the program unread, closing our end gives it POLLERR and ECONNRESET natively; the
 * wrapper asks which error it was. With nothing unread, a close would look like a clean end and take
 * the sign of the program's own close from us, so both directions are shut down instead.
 */
void anchor_fail(struct anchor *a, int err)
{
	report_ended(a, err == ECONNRESET ? "reset" : strerror(err));
	host_log(a->host, LOG_LEVEL_INFO, "%s > %s failed: %s", a->addrs.local, a->addrs.peer, strerror(err));
	a->err = err;
	a->state = ANCHOR_DEAD;
	a->in_dead = true;
	a->out_eof = true;
	if (a->watch.fd < 0)
		return;
	if (anchor_unread(a) > 0)
		become_record(a);
	else
		(void)sys_shutdown(a->watch.fd, SHUT_RDWR);
}

/** anchor_take_error() - Return: the pending error (positive errno), which is cleared; 0 = none */
int anchor_take_error(struct anchor *a)
{
	int err = a->err, now = 0;
	socklen_t len = sizeof(now);

	a->err = 0;
	if (!err && a->sock && sock_getsockopt(a->sock, SOL_SOCKET, SO_ERROR, &now, &len) == 0)
		err = now;
	return err;
}

/* The program's end is gone for good. What is still to be read of it keeps the anchor. */
static void finish_closed(struct anchor *a)
{
	bool more = (a->state == ANCHOR_CONNECTED && !a->in_eof && !a->in_dead) ||
		    (a->state == ANCHOR_DGRAM && !a->in_eof);

	if (more && (a->readable || a->held_in))
		return;
	if (a->is_child && !a->touched && !a->limbo_until) {
		/* Its descriptor may have been lost on the way into the program (CTL_REQUEUE). */
		a->limbo_until = a->host->now + 10 * NSEC_PER_MSEC;
		list_add_tail(&a->limbo, &a->host->limbo);
		return;
	}
	if (!a->limbo_until)
		anchor_release(a);
}

/** anchors_limbo() - gives up the children that nobody asked back in time, or @all of them */
void anchors_limbo(struct host *h, bool all)
{
	struct anchor *a, *tmp;

	list_for_each_entry_safe(a, tmp, &h->limbo, limbo)
		if (all || h->now >= a->limbo_until)
			anchor_release(a);
}

/** anchor_check_close() - asks the kernel whether the program still holds the socket */
void anchor_check_close(struct anchor *a)
{
	uint64_t peer;

	a->check_close = false;
	if (!a->closed && diag_peer(a->host->diag, a->own_ino, 0, &peer) == 0 && peer == 0) {
		a->closed = true;
		a->closed_at = a->host->now;
	}
}

/* Still in its listener's queue, or ended with the listener, in the same close()? */
static bool never_accepted(const struct anchor *a)
{
	if (a->rx_bytes)
		return false; /* whoever wrote has accepted it */
	/* A short connection may be over before its listener had a reason to look who was taken. */
	if (a->listener)
		listen_count(a->listener);
	return a->listener ||
	       (a->orphaned_at && a->closed_at < a->orphaned_at + 10 * NSEC_PER_MSEC);
}

/** anchor_work() - does what the noted events make possible */
void anchor_work(struct anchor *a)
{
	if (a->watch.fd < 0 || a->state == ANCHOR_HELLO)
		return;
	if (a->check_close)
		anchor_check_close(a);
	if (a->state == ANCHOR_CONNECTING)
		stream_connecting(a);
	switch (a->state) {
	case ANCHOR_CONNECTED:
		stream_work(a);
		break;
	case ANCHOR_LISTENING:
		listen_work(a);
		break;
	case ANCHOR_DGRAM:
		dgram_work(a);
		break;
	default:
		stream_eat_gate(a);
		break;
	}
	if (a->watch.fd < 0)
		return;
	if (a->gate_kill && anchor_unread(a) >= GATE_BYTES)
		become_record(a);
	else if (a->closed)
		finish_closed(a);
}

/** anchor_release() - the program is gone: the stack finishes by itself; frees the anchor */
void anchor_release(struct anchor *a)
{
	if (a->state == ANCHOR_CONNECTED)
		report_ended(a, "closed");
	if (never_accepted(a))
		a->reset_on_close = true;
	if (a->held && a->held_off < a->held_len)
		a->reset_on_close = true;
	anchor_destroy(a);
}

/** anchor_destroy() - frees the anchor, releases its socket */
void anchor_destroy(struct anchor *a)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct host *h = a->host;

	lingers_check(h, a);
	listen_end(a);
	listen_forget_child(a);
	registry_del(a);
	if (a->sock) {
		a->sock->wake = NULL;
		a->sock->user = NULL;
		if (a->reset_on_close && a->type == SOCK_STREAM)
			(void)sock_setsockopt(a->sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		sock_release(a->sock);
		a->sock = NULL;
	}
	ring_memory_free(a);
	if (a->state == ANCHOR_HELLO)
		h->greeting_count--;
	if (a->watch.fd < 0)
		h->record_count--;
	else
		h->anchor_count--;
	watch_close(h, &a->watch);
	list_del(&a->all);
	list_del(&a->dirty);
	list_del(&a->limbo);
	free(a->held);
	free(a->held_in);
	free(a->reason);
	free(a->options);
	host_bury(h, &a->watch);
}
