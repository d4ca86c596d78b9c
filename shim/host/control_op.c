/* SPDX-License-Identifier: MIT */
/*
 * What each request of a program does (enum ctl_op in shim/protocol.h).
 *
 * A request names a socket by its cookie. One that is not known may have been made a moment ago and
 * still wait at a listener: everything that waits is taken first. A request whose effect must come
 * behind data that the program has written before it (shutdown, TCP_CORK, a lingering close) reads
 * the anchor dry first. Errors are those of Linux, from the stack.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/host/host.h"

/* After ours: linux/socket.h defines names as macros that sock.h has in an enum. */
#include <linux/tcp.h>

#include "stack/inet/route.h"
#include "stack/packet/packet.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* A close() that waits until all is sent and acknowledged. */
struct linger_wait {
	struct list_head list;
	struct anchor *anchor;
	struct deferred reply;
	uint64_t deadline;
};

/* A process that was started with this host: the host does not end before it. */
struct lifeline {
	struct watch watch; /* first member; a pidfd */
	int32_t pid;
	struct list_head list;
};

/* A request, taken apart for the functions below. */
struct call {
	struct host *h;
	struct control *c;
	const struct ctl_msg *req;
	const uint8_t *data;
	size_t len;
	struct anchor *a;      /* NULL for requests about no socket */
	uint32_t arg[4];       /* of the answer */
	const void *out;       /* data of the answer */
	size_t out_len;
	uint8_t buf[4096];     /* for it */
};

enum { LATER = INT32_MIN }; /* result of a request that is answered later */

static int32_t reply_name(struct call *k, const struct sockaddr_storage *ss, int len)
{
	if (len <= 0)
		return len ? len : -ENOTCONN;
	memcpy(k->buf, ss, (size_t)len);
	k->out = k->buf;
	k->out_len = (size_t)len;
	return 0;
}

/* Is the port to be chosen now, on the wildcard? */
static bool port_to_choose(struct anchor *a, const struct sockaddr_in *addr)
{
	int later = 0;
	socklen_t len = sizeof(later);

	(void)sock_getsockopt(a->sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, &len);
	return addr->sin_family == AF_INET && !addr->sin_addr.s_addr && !addr->sin_port && !later;
}

/* A port that is to be chosen, and one that is given. */
static int32_t bind_both(struct call *k, const struct sockaddr_in *addr)
{
	struct anchor *a = k->a;
	int ret;

	if (port_to_choose(a, addr) && a->twin_fd < 0 && a->twin.fd < 0)
		ret = twin_bind(a, addr, k->c->uid);
	else
		ret = sock_bind(a->sock, (const struct sockaddr *)addr, sizeof(*addr));
	if (ret == 0 && a->state == ANCHOR_DGRAM) {
		a->twin_wanted = true;
		twin_dgram_update(a, k->c->uid);
	}
	return ret;
}

static int32_t op_bind(struct call *k)
{
	_Alignas(8) struct sockaddr_storage ss;

	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, k->data, MIN(k->len, sizeof(ss)));
	if (k->req->arg[0] == 1 && k->len == sizeof(struct sockaddr_in) &&
	    (k->a->state == ANCHOR_FRESH || twin_dgram_possible(k->a)))
		return bind_both(k, (const struct sockaddr_in *)&ss);
	return sock_bind(k->a->sock, (const struct sockaddr *)&ss, (socklen_t)k->len);
}

static int32_t connect_dgram(struct call *k, const struct sockaddr_storage *ss)
{
	int ret;

	if (k->req->arg[0] == 1 && k->len == sizeof(struct sockaddr_in))
		return twin_dgram_connect(k->a, (const struct sockaddr_in *)(const void *)ss, k->c->uid);
	ret = sock_connect(k->a->sock, (const struct sockaddr *)ss, (socklen_t)k->len);
	if (ret == 0)
		twin_dgram_connected(k->a, k->c->uid);
	return ret;
}

static int32_t op_connect(struct call *k)
{
	struct sockaddr_storage ss;

	if (k->len < sizeof(sa_family_t) || k->len > sizeof(ss))
		return -EINVAL;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, k->data, k->len);
	if (k->a->type != SOCK_STREAM)
		return connect_dgram(k, &ss);
	twin_close(k->a);
	return stream_connect(k->a, (const struct sockaddr *)&ss, (socklen_t)k->len, k->req->flags);
}

static int32_t op_listen(struct call *k)
{
	static const struct sockaddr_in any = { .sin_family = AF_INET };
	bool both = k->req->arg[1] == 1 && k->a->family == AF_INET;
	struct sockaddr_storage ss;
	int ret;

	if (both && k->a->state == ANCHOR_FRESH && sock_getname(k->a->sock, &ss, false) > 0 &&
	    !((struct sockaddr_in *)(void *)&ss)->sin_port)
		(void)bind_both(k, &any);
	ret = listen_start(k->a, (int)k->req->arg[0]);
	if (ret == 0 && both)
		twin_want(k->a, twin_listen, k->c->uid);
	return ret;
}

static int32_t op_getname(struct call *k)
{
	struct sockaddr_storage ss;

	memset(&ss, 0, sizeof(ss));
	return reply_name(k, &ss, sock_getname(k->a->sock, &ss, k->req->arg[0] == 1));
}

static int32_t op_setsockopt(struct call *k)
{
	int level = (int)k->req->arg[0], name = (int)k->req->arg[1];
	int ret, value = 0;

	/* A filter is for what comes from now on: what was sent before, by whatever socket, is seen the old way. */
	if (k->a->family == AF_PACKET) {
		host_settle(k->h);
		if (!k->a->sock)
			return -ESTALE;
	}
	if (level == IPPROTO_TCP && name == TCP_CORK)
		stream_read_dry(k->a);
	/* Inline or not is settled at the program's end: here urgent bytes must stay marked. */
	if (level == SOL_SOCKET && name == SO_OOBINLINE) {
		if (k->len < sizeof(int))
			return -EINVAL;
		memcpy(&value, k->data, sizeof(value));
		k->a->oob_inline = value != 0;
		option_note(k->a, level, name, k->data, k->len);
		return 0;
	}
	ret = sock_setsockopt(k->a->sock, level, name, k->data, (socklen_t)k->len);
	if (ret == 0 && level == SOL_SOCKET && name == SO_RCVLOWAT && k->len >= sizeof(int)) {
		memcpy(&value, k->data, sizeof(value));
		k->a->lowat = value > 0 ? (unsigned int)value : 1;
	}
	if (ret == 0) {
		option_note(k->a, level, name, k->data, k->len);
		if (k->a->twin.fd >= 0)
			(void)option_to_twin(k->a, k->a->twin.fd, level, name, k->data, k->len);
	}
	anchor_dirty(k->a);
	if (ret == 0 && level == SOL_SOCKET && (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX) &&
	    twin_dgram_possible(k->a))
		twin_dgram_update(k->a, k->c->uid);
	return ret;
}

/* Asked before the socket becomes the kernel's: the port on the loopback will be its own. */
static int32_t op_options(struct call *k)
{
	twin_close(k->a);
	k->out = k->a->options;
	k->out_len = k->a->options_len;
	return 0;
}

static int32_t op_getsockopt(struct call *k)
{
	int level = (int)k->req->arg[0], name = (int)k->req->arg[1], ret;
	socklen_t len = (socklen_t)MIN(k->req->arg[2], sizeof(k->buf));
	int value;

	if (level == SOL_SOCKET && (name == SO_ERROR || name == SO_OOBINLINE)) {
		if (len < sizeof(value))
			return -EINVAL;
		anchor_work(k->a);
		if (!k->a->sock)
			return -ENOENT; /* closed a moment ago */
		value = name == SO_ERROR ? anchor_take_error(k->a) : k->a->oob_inline;
		memcpy(k->buf, &value, sizeof(value));
		len = sizeof(value);
		ret = 0;
	} else {
		memcpy(k->buf, k->data, MIN(k->len, sizeof(k->buf)));
		ret = sock_getsockopt(k->a->sock, level, name, k->buf, &len);
	}
	if (ret == 0) {
		k->out = k->buf;
		k->out_len = len;
	}
	return ret;
}

/* What was written before must go before the FIN; what does not fit yet makes it wait. */
static int32_t op_shutdown(struct call *k)
{
	struct anchor *a = k->a;
	int how = (int)k->req->arg[0];

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (how == SHUT_RD || a->state != ANCHOR_CONNECTED || stream_read_dry(a)) {
		int ret = sock_shutdown(a->sock, how);

		if (ret == 0 && how != SHUT_RD)
			a->in_eof = true;
		if (a->state == ANCHOR_LISTENING && how != SHUT_WR)
			listen_end(a);
		anchor_dirty(a);
		return ret;
	}
	if (how == SHUT_RDWR)
		(void)sock_shutdown(a->sock, SHUT_RD);
	a->shutdown_after = SHUT_WR;
	return 0;
}

/* About interfaces: a struct ifreq there and back, or the list of all. */
static int32_t op_dev_ioctl(struct call *k)
{
	size_t len = k->req->arg[0] == SIOCGIFCONF ? CTL_DATA_MAX : k->len;
	int ret;

	memcpy(k->h->scratch, k->data, k->len);
	ret = sock_dev_ioctl(k->a->sock, k->req->arg[0], k->h->scratch, &len);
	if (ret == 0) {
		k->out = k->h->scratch;
		k->out_len = len;
	}
	return ret;
}

static int32_t op_ioctl(struct call *k)
{
	int value = 0, ret;

	if (k->len == sizeof(struct ifreq) || k->req->arg[0] == SIOCGIFCONF)
		return op_dev_ioctl(k);
	stream_read_dry(k->a);
	ret = sock_ioctl(k->a->sock, k->req->arg[0], &value);
	/* What still waits in the anchor has not been sent either. */
	if (ret == 0 && k->req->arg[0] == TIOCOUTQ && k->a->type == SOCK_STREAM && k->a->watch.fd >= 0)
		value += anchor_unread(k->a);
	k->arg[0] = (uint32_t)value;
	return ret;
}

static uint32_t state_of(const struct anchor *a)
{
	switch (a->state) {
	case ANCHOR_CONNECTING:
		return CTL_S_CONNECTING;
	case ANCHOR_CONNECTED:
		return CTL_S_CONNECTED;
	case ANCHOR_LISTENING:
		return CTL_S_LISTENING;
	case ANCHOR_DEAD:
		return CTL_S_DEAD;
	default:
		return CTL_S_OPEN;
	}
}

static int32_t op_error(struct call *k)
{
	int err;

	anchor_work(k->a);
	if (!k->a->sock)
		return -ENOENT; /* closed a moment ago */
	if (k->req->arg[0] == 1)
		err = k->a->err ? k->a->err : k->a->sock->sk ? k->a->sock->sk->err : 0;
	else
		err = anchor_take_error(k->a);
	k->arg[0] = state_of(k->a);
	return -err;
}

/* Would a datagram to this address be refused at once, as Linux refuses it in sendto()? */
static int32_t op_sendcheck(struct call *k)
{
	struct flowi fl;
	struct dst dst;
	struct sockaddr_in sin;
	bool loopback = k->req->arg[1] == 1;
	int broadcast = 0, ret;
	socklen_t len = sizeof(broadcast);

	if (k->a->family == AF_PACKET)
		return packet_check_send(k->a->sock, k->len ? k->data : NULL, (socklen_t)k->len, k->req->arg[0]);
	if (k->len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, k->data, sizeof(sin));
	if (sin.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	ret = loopback ? twin_dgram_reach(k->a, k->c->uid) : 0;
	if (ret)
		return ret;
	memset(&fl, 0, sizeof(fl));
	memset(&dst, 0, sizeof(dst));
	fl.daddr = inet_addr_v4(sin.sin_addr.s_addr);
	fl.oif = k->a->sock->sk ? k->a->sock->sk->bound_dev_if : 0;
	ret = route_lookup(k->h->net, &fl, &dst);
	if (ret)
		return ret;
	/* The kernel's loopback has a broadcast address. */
	if ((dst.type == RTN_T_BROADCAST || (loopback && sin.sin_addr.s_addr == htonl(0x7fffffff))) &&
	    (sock_getsockopt(k->a->sock, SOL_SOCKET, SO_BROADCAST, &broadcast, &len) || !broadcast))
		return -EACCES;
	return 0;
}

static int32_t op_recverr(struct call *k)
{
	struct dgram_hdr *hdr = (struct dgram_hdr *)(void *)k->h->scratch;
	ssize_t n = dgram_error(k->a, hdr, k->h->scratch + sizeof(*hdr), CTL_DATA_MAX - sizeof(*hdr));

	if (n < 0)
		return (int32_t)n;
	k->out = hdr;
	k->out_len = sizeof(*hdr) + (size_t)n;
	return 0;
}

static int32_t op_ring_map(struct call *k)
{
	size_t bytes;
	int fd, ret = ring_handle(k->a, &fd, &bytes);

	if (ret)
		return ret;
	k->arg[0] = (uint32_t)bytes;
	k->arg[1] = (uint32_t)((uint64_t)bytes >> 32);
	control_reply_fd(k->c, k->req, 0, k->arg, fd);
	anchor_dirty(k->a);
	return LATER;
}

/* An identity that is not known may still wait at a listener, or for its hello to be read. */
static struct anchor *find_socket(struct host *h, uint64_t cookie)
{
	struct anchor *a = registry_find(h, cookie);

	if (!a) {
		listeners_drain(h);
		hello_read(h);
		a = registry_find(h, cookie);
	}
	return a && a->sock ? a : NULL;
}

static int32_t op_requeue(struct call *k)
{
	uint64_t cookie = k->req->arg[0] | (uint64_t)k->req->arg[1] << 32;
	struct anchor *child = registry_find(k->h, cookie);

	return child ? listen_requeue(k->a, child) : -ENOENT;
}

static int32_t op_pass_on(struct call *k)
{
	struct anchor *to = find_socket(k->h, k->req->arg[0] | (uint64_t)k->req->arg[1] << 32);

	if (!to || !anchor_held_by(to, k->c->pid, k->c->uid, (int)k->req->arg[2]))
		return -ESTALE;
	return anchor_pass_on(k->a, to);
}

/* --- lingering close -------------------------------------------------------------------------- */

static bool all_acknowledged(struct anchor *a)
{
	int queued = 0;

	if (a->watch.fd < 0 || a->state != ANCHOR_CONNECTED)
		return true;
	if (anchor_unread(a) > 0 || a->held_in)
		return false;
	return sock_ioctl(a->sock, TIOCOUTQ, &queued) != 0 || queued == 0;
}

static int32_t op_linger(struct call *k)
{
	struct linger how = { 0 };
	socklen_t len = sizeof(how);
	struct linger_wait *w;

	stream_read_dry(k->a);
	if (sock_getsockopt(k->a->sock, SOL_SOCKET, SO_LINGER, &how, &len) || !how.l_onoff ||
	    how.l_linger == 0 || all_acknowledged(k->a))
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return 0;
	w->anchor = k->a;
	w->deadline = k->h->now + (uint64_t)(unsigned int)how.l_linger * NSEC_PER_SEC;
	control_defer(k->c, k->req, &w->reply);
	list_add_tail(&w->list, &k->h->lingers);
	k->a->linger_waits = true;
	return LATER;
}

/**
 * lingers_check() - answers the lingering closes that are through
 * @only: an anchor that goes away: answers its own; NULL = looks at all
 */
void lingers_check(struct host *h, struct anchor *only)
{
	struct linger_wait *w, *tmp;

	list_for_each_entry_safe(w, tmp, &h->lingers, list) {
		bool done = only ? w->anchor == only : all_acknowledged(w->anchor);

		if (only && !done)
			continue;
		if (!done && h->now < w->deadline)
			continue;
		list_del(&w->list);
		control_answer(&w->reply, done ? 0 : -EWOULDBLOCK, NULL, NULL, 0);
		free(w);
	}
}

/** lingers_next() - when the first of them is over; UINT64_MAX = none */
uint64_t lingers_next(const struct host *h)
{
	const struct linger_wait *w;
	uint64_t at = UINT64_MAX;

	list_for_each_entry(w, &h->lingers, list)
		at = MIN(at, w->deadline);
	return at;
}

/* --- requests about no socket ----------------------------------------------------------------- */

static int32_t op_resolve(struct call *k)
{
	struct ctl_resolve *req = (struct ctl_resolve *)(void *)k->buf;
	struct deferred d;

	if (k->len != sizeof(*req))
		return -EINVAL;
	memcpy(req, k->data, sizeof(*req));
	req->node[sizeof(req->node) - 1] = 0;
	control_defer(k->c, k->req, &d);
	resolver_lookup(k->h->resolver, req, &d);
	return LATER;
}

static int32_t op_resolve_addr(struct call *k)
{
	_Alignas(8) struct sockaddr_storage ss;
	struct deferred d;

	if (k->len < sizeof(struct sockaddr_in) || k->len > sizeof(ss))
		return -EINVAL;
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, k->data, k->len);
	control_defer(k->c, k->req, &d);
	resolver_reverse(k->h->resolver, (const struct sockaddr *)&ss, (socklen_t)k->len, &d);
	return LATER;
}

static int32_t op_res_query(struct call *k)
{
	struct deferred d;

	if (k->len == 0 || k->len >= sizeof(k->buf))
		return -EINVAL;
	memcpy(k->buf, k->data, k->len);
	k->buf[k->len] = 0;
	control_defer(k->c, k->req, &d);
	resolver_query(k->h->resolver, (const char *)k->buf, (int)k->req->arg[0], (int)k->req->arg[1], &d);
	return LATER;
}

static int32_t op_res_send(struct call *k)
{
	struct deferred d;

	if (k->len < 12) /* a DNS header, RFC 1035 4.1.1 */
		return -EINVAL;
	control_defer(k->c, k->req, &d);
	resolver_send(k->h->resolver, k->data, k->len, &d);
	return LATER;
}

static int32_t op_stats(struct call *k)
{
	char *text = report_text(k->h);

	if (!text)
		return -ENOMEM;
	control_reply(k->c, k->req, 0, NULL, text, MIN(strlen(text), (size_t)CTL_DATA_MAX));
	free(text);
	return LATER;
}

static int32_t op_ifaddrs(struct call *k)
{
	struct ctl_ifaddr *list = (struct ctl_ifaddr *)(void *)k->h->scratch;

	k->out = list;
	k->out_len = interfaces_list(k->h, list, CTL_DATA_MAX / sizeof(*list)) * sizeof(*list);
	return 0;
}

static int32_t op_reason(struct call *k)
{
	if (!k->a)
		reason_elsewhere(k->h, k->data, k->len);
	else
		reason_of_socket(k->a, k->data, k->len);
	return 0;
}

static void lifeline_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct lifeline *l = container_of(w, struct lifeline, watch);

	(void)events;
	list_del(&l->list);
	watch_close(h, w);
	h->lifeline_count--;
	host_bury(h, w);
}

/*
 * Who asks for its settings is the launcher, about to become the program: the host stays for as long
 * as that process lives, even if it uses its first socket late.
 */
static void add_lifeline(struct host *h, struct control *c)
{
	struct lifeline *l;
	socklen_t len = sizeof(int);
	int fd = -1;

	if (h->thread)
		return;
	list_for_each_entry(l, &h->lifelines, list)
		if (l->pid == c->pid)
			return;
	if (sys_getsockopt(c->watch.fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) && c->pid > 0)
		fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (fd < 0)
		return;
	l = calloc(1, sizeof(*l));
	if (!l || watch_add(h, &l->watch, fd, EPOLLIN, lifeline_ready)) {
		free(l);
		sys_close(fd);
		return;
	}
	l->pid = c->pid;
	list_add_tail(&l->list, &h->lifelines);
	h->lifeline_count++;
}

/** lifelines_clear() - forgets them all, when the host ends */
void lifelines_clear(struct host *h)
{
	while (!list_empty(&h->lifelines))
		lifeline_ready(h, &list_first_entry(&h->lifelines, struct lifeline, list)->watch, 0);
}

static int32_t op_config(struct call *k)
{
	char *text = malloc(k->len + 1), *err = (char *)k->buf;
	int ret;

	if (!text)
		return -ENOMEM;
	memcpy(text, k->data, k->len);
	text[k->len] = 0;
	err[0] = 0;
	ret = config_compare(&k->h->cfg, k->h->net, text, err);
	free(text);
	if (ret) {
		k->out = err;
		k->out_len = strlen(err);
	} else {
		add_lifeline(k->h, k->c);
	}
	return ret;
}

/* May the asking process govern the host? */
static bool is_owner(const struct call *k)
{
	return k->c->uid == geteuid() || k->c->uid == 0;
}

static int32_t op_sysctl(struct call *k)
{
	char text[SYSCTL_NAME_MAX + SYSCTL_VALUE_MAX], *out = (char *)k->h->scratch;
	int ret;

	if (k->len >= sizeof(text))
		return -EINVAL;
	memcpy(text, k->data, k->len);
	text[k->len] = 0;
	ret = control_sysctl(k->h, text, is_owner(k), out, CTL_DATA_MAX);
	k->out = out;
	k->out_len = strlen(out);
	return ret;
}

static int32_t op_stop(struct call *k)
{
	if (!is_owner(k))
		return -EPERM;
	host_log(k->h, LOG_LEVEL_INFO, "stopped by pid %d", (int)k->c->pid);
	k->h->stopping = true;
	return 0;
}

/* --- dispatch --------------------------------------------------------------------------------- */

struct op {
	int32_t (*serve)(struct call *k);
	bool socket;  /* about a socket */
	bool owner;   /* the asking process counts as the socket's owner from now on */
};

static const struct op ops[] = {
	[CTL_BIND] = { op_bind, true, true },
	[CTL_CONNECT] = { op_connect, true, true },
	[CTL_LISTEN] = { op_listen, true, true },
	[CTL_GETNAME] = { op_getname, true, false },
	[CTL_SETSOCKOPT] = { op_setsockopt, true, false },
	[CTL_GETSOCKOPT] = { op_getsockopt, true, false },
	[CTL_SHUTDOWN] = { op_shutdown, true, false },
	[CTL_IOCTL] = { op_ioctl, true, false },
	[CTL_ERROR] = { op_error, true, false },
	[CTL_SENDCHECK] = { op_sendcheck, true, false },
	[CTL_RECVERR] = { op_recverr, true, false },
	[CTL_LINGER] = { op_linger, true, false },
	[CTL_REQUEUE] = { op_requeue, true, false },
	[CTL_PASS_ON] = { op_pass_on, true, false },
	[CTL_RING_MAP] = { op_ring_map, true, false },
	[CTL_RESOLVE] = { op_resolve, false, false },
	[CTL_RESOLVE_ADDR] = { op_resolve_addr, false, false },
	[CTL_RES_QUERY] = { op_res_query, false, false },
	[CTL_RES_SEND] = { op_res_send, false, false },
	[CTL_STATS] = { op_stats, false, false },
	[CTL_CONFIG] = { op_config, false, false },
	[CTL_STOP] = { op_stop, false, false },
	[CTL_SYSCTL] = { op_sysctl, false, false },
	[CTL_IFADDRS] = { op_ifaddrs, false, false },
	[CTL_OPTIONS] = { op_options, true, false },
	[CTL_REASON] = { op_reason, true, false },
};

/**
 * control_serve() - does what @req asks and answers
 * @data: of the request, req->len bytes
 */
void control_serve(struct control *c, const struct ctl_msg *req, const uint8_t *data)
{
	struct call k;
	const struct op *op = req->op < ARRAY_SIZE(ops) ? &ops[req->op] : NULL;
	int32_t result;

	k.h = c->host;
	k.c = c;
	k.req = req;
	k.data = data;
	k.len = req->len;
	k.a = NULL;
	k.out = NULL;
	k.out_len = 0;
	memset(k.arg, 0, sizeof(k.arg));
	if (!op || !op->serve) {
		control_reply(c, req, -EOPNOTSUPP, NULL, NULL, 0);
		return;
	}
	if (op->socket && (req->cookie || req->op != CTL_REASON)) {
		k.a = find_socket(c->host, req->cookie);
		if (!k.a || !anchor_held_by(k.a, c->pid, c->uid, req->fd)) {
			control_reply(c, req, -ESTALE, NULL, NULL, 0);
			return;
		}
		k.a->touched = true;
		/* What the program sent before comes first: it may have bound the socket, and goes by the old options. */
		if (k.a->state == ANCHOR_DGRAM) {
			k.a->readable = true;
			anchor_work(k.a);
			if (!k.a->sock) {
				control_reply(c, req, -ENOENT, NULL, NULL, 0);
				return;
			}
		}
		if (op->owner)
			sock_set_owner(k.a->sock, c->pid, c->comm);
	}
	result = op->serve(&k);
	if (result == -EADDRINUSE || result == -EADDRNOTAVAIL) {
		host_settle(k.h);
		if (k.a && k.a->sock)
			result = op->serve(&k);
	}
	if (result != LATER)
		control_reply(c, req, result, k.arg, k.out, k.out_len);
}
