/* SPDX-License-Identifier: MIT */
/*
 * The fake host: a poll loop over the two listeners and what was accepted there. Bytes that come
 * in on a stream anchor are echoed, datagrams come back with their destination as their source. A
 * listening socket gets one connection at once, and another for each CTL_REQUEUE.
 */
#include "tests/unit/fake_host.h"

#include "shim/protocol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENDS_MAX = 512 };

enum end_kind { END_NEW, END_CONTROL, END_STREAM, END_DGRAM, END_GONE };

struct end {
	int fd;
	enum end_kind kind;
	bool seqpacket;
	uint64_t cookie;
	uint16_t type, port;
	bool nonblock, connected, listening, gate, eof, dead;
	int gate_left, err;
	struct sockaddr_in local, peer;
	int options[64];
	struct {
		struct ctl_option option;
		int value;
	} last; /* the option that was set last */
};

struct fake_host {
	int listener[2]; /* 's', 'p' */
	char name[2][100];
	int count;
	struct end ends[ENDS_MAX];
};

static int listen_at(const char *name, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path + 1, name, strlen(name));
	if (fd < 0 ||
	    bind(fd, (void *)&un,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) ||
	    listen(fd, 64))
		abort();
	return fd;
}

static int dial(const char *name, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	memcpy(un.sun_path + 1, name, strlen(name));
	if (connect(fd, (void *)&un,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))))
		abort();
	return fd;
}

static void take(struct fake_host *h, int which)
{
	int fd = accept4(h->listener[which], NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || h->count == ENDS_MAX)
		abort();
	h->ends[h->count++] = (struct end){ .fd = fd, .seqpacket = which == 1 };
}

static struct end *find(struct fake_host *h, uint64_t cookie)
{
	for (int i = 0; i < h->count; i++)
		if (h->ends[i].cookie == cookie && cookie)
			return &h->ends[i];
	return NULL;
}

/* Its place is given back by sweep() at the next turn: until then no index moves. */
static void drop(struct fake_host *h, int i)
{
	if (h->ends[i].fd >= 0)
		close(h->ends[i].fd);
	h->ends[i] = (struct end){ .fd = -1, .kind = END_GONE };
}

static void sweep(struct fake_host *h)
{
	int kept = 0;

	for (int i = 0; i < h->count; i++)
		if (h->ends[i].kind != END_GONE)
			h->ends[kept++] = h->ends[i];
	h->count = kept;
}

static void greet_control(struct end *e)
{
	struct {
		struct ctl_msg m;
		struct ctl_hello_reply r;
	} reply = { { .magic = WIRESHIM_MAGIC, .op = CTL_HELLO, .len = sizeof(reply.r) },
		    { .magic = WIRESHIM_MAGIC, .host_pid = (uint32_t)getpid() } };

	e->kind = END_CONTROL;
	if (send(e->fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0)
		abort();
}

static bool greet(struct end *e)
{
	struct anchor_hello hello;
	ssize_t n = recv(e->fd, &hello, sizeof(hello), 0);

	if (n < (ssize_t)sizeof(struct ctl_hello) || hello.magic != WIRESHIM_MAGIC)
		return false;
	if (hello.kind == HELLO_CONTROL) {
		greet_control(e);
		return true;
	}
	e->kind = e->seqpacket ? END_DGRAM : END_STREAM;
	e->cookie = hello.cookie;
	e->type = hello.type;
	e->local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(0x0a000001) } };
	return true;
}

/* One connection for a listener: its program end goes to the program in a record. */
static void make_connection(struct fake_host *h, const struct end *listener)
{
	struct accept_record rec = { .magic = WIRESHIM_MAGIC };
	struct sockaddr_in peer = { AF_INET, htons(4242), { htonl(0x0a000002) }, { 0 } };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { { 0 } };
	struct iovec iov = { &rec, sizeof(rec) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd = dial(h->name[0], SOCK_STREAM), to = listener->fd;
	socklen_t len = sizeof(rec.cookie);
	struct end *e;

	take(h, 0);
	e = &h->ends[h->count - 1];
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &rec.cookie, &len))
		abort();
	e->kind = END_STREAM;
	e->type = SOCK_STREAM;
	e->cookie = rec.cookie;
	e->connected = true;
	e->peer = peer;
	e->local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(0x0a000001) } };
	memcpy(&rec.peer, &peer, sizeof(peer));
	memcpy(&rec.local, &e->local, sizeof(e->local));
	CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	if (sendmsg(to, &msg, MSG_NOSIGNAL) < 0)
		abort();
	close(fd);
}

static void reset(struct end *e)
{
	e->err = ECONNRESET;
	e->eof = true;
	e->dead = true;
	e->connected = false;
	shutdown(e->fd, SHUT_RDWR);
}

static int do_connect(struct end *e, const struct ctl_msg *m, const struct sockaddr_in *to)
{
	if (to->sin_family == AF_UNSPEC) {
		e->connected = false;
		return 0;
	}
	if (e->connected)
		return -EISCONN;
	if (e->gate)
		return -EALREADY;
	e->peer = *to;
	e->port = ntohs(to->sin_port);
	e->nonblock = m->flags & CTL_F_NONBLOCK;
	if (e->port == FAKE_UNREACHABLE)
		return -ENETUNREACH;
	if (e->kind == END_DGRAM || e->port == FAKE_AT_ONCE) {
		e->connected = true;
		return 0;
	}
	e->gate = true;
	e->gate_left = GATE_BYTES;
	return -EINPROGRESS;
}

static void reply(struct end *c, const struct ctl_msg *m, int result, uint32_t arg0,
		  const void *data, size_t len)
{
	struct ctl_msg r = *m;
	struct iovec iov[2] = { { &r, sizeof(r) }, { (void *)(uintptr_t)data, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };

	if (m->flags & CTL_F_NOREPLY)
		return;
	r.result = result;
	r.arg[0] = arg0;
	r.len = (uint32_t)len;
	(void)sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

static void resolve(struct end *c, const struct ctl_msg *m, const struct ctl_resolve *q)
{
	struct {
		struct ctl_resolved head;
		struct sockaddr_in6 addr[2];
	} a = { { .count = 2 }, { { 0 } } };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000002) } };

	memcpy(&a.addr[0], &in, sizeof(in));
	in.sin_addr.s_addr = htonl(0x0a000003);
	memcpy(&a.addr[1], &in, sizeof(in));
	strcpy(a.head.canonname, "canon.test");
	if (strcmp(q->node, "www.test"))
		a.head = (struct ctl_resolved){ .gai_error = -2 };
	reply(c, m, 0, 0, &a, sizeof(a));
}

static int socket_request(struct fake_host *h, struct end *e, const struct ctl_msg *m,
			  const void *data, uint32_t *arg0, const void **out, size_t *out_len)
{
	static int value;
	int err;

	switch (m->op) {
	case CTL_BIND: memcpy(&e->local, data, sizeof(e->local)); return 0;
	case CTL_CONNECT: return do_connect(e, m, data);
	case CTL_LISTEN:
		e->listening = true;
		make_connection(h, e);
		return 0;
	case CTL_REQUEUE: make_connection(h, e); return 0;
	case CTL_GETNAME:
		*out = m->arg[0] ? &e->peer : &e->local;
		*out_len = sizeof(e->peer);
		return m->arg[0] && !e->connected ? -ENOTCONN : 0;
	case CTL_SETSOCKOPT:
		if (m->arg[1] >= 64)
			return -ENOPROTOOPT;
		memcpy(&e->options[m->arg[1]], data, sizeof(int));
		e->last.option = (struct ctl_option){ (int)m->arg[0], (int)m->arg[1], sizeof(int) };
		memcpy(&e->last.value, data, sizeof(int));
		return 0;
	case CTL_OPTIONS:
		*out = &e->last;
		*out_len = e->last.option.len ? sizeof(e->last) : 0;
		return 0;
	case CTL_GETSOCKOPT:
		value = m->arg[1] == SO_ACCEPTCONN ? e->listening
			: m->arg[1] == SO_TYPE	   ? e->type
			: m->arg[1] < 64	   ? e->options[m->arg[1]]
						   : 0;
		*out = &value;
		*out_len = sizeof(value);
		return 0;
	case CTL_ERROR:
		if (e->port == FAKE_SHORT && e->connected)
			reset(e);
		err = e->err;
		if (m->arg[0] != 1)
			e->err = 0;
		*arg0 = e->listening   ? CTL_S_LISTENING
			: e->dead      ? CTL_S_DEAD
			: e->connected ? CTL_S_CONNECTED
			: e->gate      ? CTL_S_CONNECTING
				       : CTL_S_OPEN;
		return -err;
	case CTL_SENDCHECK:
		return ntohs(((const struct sockaddr_in *)data)->sin_port) == FAKE_UNREACHABLE
			       ? -ENETUNREACH
			       : 0;
	case CTL_SHUTDOWN:
	case CTL_LINGER: return 0;
	default: return -EOPNOTSUPP;
	}
}

/* Anchors that were accepted but have not said hello yet may be the ones a request is about. */
static void take_waiting(struct fake_host *h)
{
	for (int i = 0; i < 2; i++) {
		struct pollfd p = { .fd = h->listener[i], .events = POLLIN };

		while (poll(&p, 1, 0) == 1) {
			take(h, i);
			if (!greet(&h->ends[h->count - 1]))
				drop(h, h->count - 1);
		}
	}
}

static bool serve(struct fake_host *h, int i)
{
	_Alignas(8) char data[CTL_DATA_MAX];
	struct ctl_msg m;
	struct iovec iov[2] = { { &m, sizeof(m) }, { data, sizeof(data) } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = recvmsg(h->ends[i].fd, &msg, 0);
	const void *out = NULL;
	size_t out_len = 0;
	uint32_t arg0 = 0;
	struct end *e;
	int r;

	if (n < (ssize_t)sizeof(m))
		return false;
	if (m.op == CTL_RESOLVE) {
		resolve(&h->ends[i], &m, (void *)data);
		return true;
	}
	for (int k = 0; k < h->count; k++)
		if (h->ends[k].kind == END_NEW && !greet(&h->ends[k]))
			drop(h, k);
	take_waiting(h);
	e = find(h, m.cookie);
	r = e ? socket_request(h, e, &m, data, &arg0, &out, &out_len) : -ESTALE;
	reply(&h->ends[i], &m, r, arg0, out, r < 0 ? 0 : out_len);
	return true;
}

/*
 * The whole gate is there: what becomes of the connect? Returns false when the end is to be
 * closed.
 */
static bool gate_complete(struct end *e)
{
	char gate[GATE_BYTES];

	if (e->port == FAKE_FILTERED)
		return true;
	e->gate = false;
	if (e->port == FAKE_REFUSED) {
		e->err = ECONNREFUSED;
		if (e->nonblock) {
			close(e->fd);
			e->fd = -1;
			return true;
		}
	} else {
		e->connected = true;
	}
	if (recv(e->fd, gate, sizeof(gate), MSG_WAITALL) != GATE_BYTES)
		abort();
	if (e->port == FAKE_FIN) {
		(void)send(e->fd, "bye", 3, MSG_NOSIGNAL);
		shutdown(e->fd, SHUT_WR);
	}
	return true;
}

static bool stream_input(struct end *e)
{
	char buf[4096];
	ssize_t n;

	if (e->gate)
		return gate_complete(e);
	if (e->eof)
		return true;
	n = recv(e->fd, buf, sizeof(buf), 0);
	if (n < 0)
		return false;
	if (n == 0) {
		e->eof = true;
		shutdown(e->fd, SHUT_WR);
	} else if (e->port == FAKE_RESET) {
		e->err = ECONNRESET;
		e->eof = true;
		shutdown(e->fd, SHUT_RDWR);
	} else {
		(void)send(e->fd, buf, (size_t)n, MSG_NOSIGNAL);
	}
	return true;
}

static bool dgram_input(struct end *e)
{
	static char buf[80000];
	struct dgram_hdr *h = (void *)buf;
	ssize_t n = recv(e->fd, buf, sizeof(buf), 0);
	uint16_t port;

	if (n < (ssize_t)sizeof(*h))
		return false;
	port = ntohs(((struct sockaddr_in *)(void *)&h->name)->sin_port);
	if (!h->namelen) {
		memcpy(&h->name, &e->peer, sizeof(e->peer));
		h->namelen = sizeof(e->peer);
		port = e->port;
	}
	if (port == FAKE_DGRAM_REFUSED) {
		h->kind = DGRAM_ERROR;
		h->err = ECONNREFUSED;
		n = sizeof(*h);
	}
	(void)send(e->fd, buf, (size_t)n, MSG_NOSIGNAL);
	return true;
}

static bool input(struct fake_host *h, int i)
{
	struct end *e = &h->ends[i];
	struct pollfd now = { .fd = e->fd, .events = POLLIN };

	/* Serving another may have taken what was there when the turn began. */
	if (poll(&now, 1, 0) != 1)
		return true;
	switch (e->kind) {
	case END_GONE: return true;
	case END_NEW: return greet(e);
	case END_CONTROL: return serve(h, i);
	case END_STREAM: return e->listening || stream_input(e);
	default: return dgram_input(e);
	}
}

static bool wants_input(const struct end *e)
{
	return e->fd >= 0 && !e->eof && !e->listening && !(e->gate && e->port == FAKE_FILTERED);
}

static void turn(struct fake_host *h)
{
	struct pollfd p[ENDS_MAX + 2];
	int n;

	sweep(h);
	n = h->count;
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ wants_input(&h->ends[i]) ? h->ends[i].fd : -1, POLLIN, 0 };
	for (int i = 0; i < 2; i++)
		p[n + i] = (struct pollfd){ h->listener[i], POLLIN, 0 };
	if (poll(p, (nfds_t)n + 2, -1) < 0)
		abort();
	for (int i = 0; i < 2; i++)
		if (p[n + i].revents)
			take(h, i);
	for (int i = n - 1; i >= 0; i--)
		if (p[i].revents && wants_input(&h->ends[i]) && !input(h, i))
			drop(h, i);
}

int fake_host_start(const char *key)
{
	struct fake_host h = { .count = 0 };
	int pid;

	snprintf(h.name[0], sizeof(h.name[0]), "wireshim/%s/s", key);
	snprintf(h.name[1], sizeof(h.name[1]), "wireshim/%s/p", key);
	h.listener[0] = listen_at(h.name[0], SOCK_STREAM);
	h.listener[1] = listen_at(h.name[1], SOCK_SEQPACKET);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		for (;;)
			turn(&h);
	}
	close(h.listener[0]);
	close(h.listener[1]);
	return pid;
}

void fake_host_stop(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
