/* SPDX-License-Identifier: MIT */
/*
 * Names, resolved through our own stack.
 *
 * c-ares runs inside the host; its sockets are sockets of ours (ares_set_socket_functions), found by
 * a small number that c-ares takes for a descriptor. It asks the servers of --dns, else those of
 * /etc/resolv.conf that are not on the kernel's loopback, where a stub resolver of the machine would
 * sit on the kernel's network. /etc/hosts comes first. Without any server a name that /etc/hosts
 * does not know is "try again", and the log says why. The host's own name (--hostname) is its address.
 *
 * c-ares calls back inside of ours, so lookups are only started from the loop, and sockets are given
 * to it by resolver_work(). Answers may come at once, inside the call that asks.
 */
#include <ares.h>
#include <netdb.h>
#include <sys/time.h>

#include "shim/host/host.h"

enum { RSOCKS_MAX = 64 };

/* A socket of c-ares; its number is index + 1. */
struct rsock {
	struct resolver *r;
	struct socket *sock;
	bool want_read, want_write;
};

struct resolver {
	struct host *h;
	ares_channel channel;
	struct rsock socks[RSOCKS_MAX];
	unsigned int servers;
	unsigned int under_way;
	bool dirty;
	bool warned;
};

struct lookup {
	struct resolver *r;
	struct deferred reply;
	struct ctl_resolve req;
};

/* --- sockets for c-ares (errno and -1, as it expects) ------------------------------------------- */

static int fail(int err)
{
	errno = err;
	return -1;
}

static void rsock_woken(struct socket *sock)
{
	struct rsock *s = sock->user;

	s->r->dirty = true;
}

static struct rsock *rsock_of(struct resolver *r, ares_socket_t fd)
{
	if (fd < 1 || fd > RSOCKS_MAX || !r->socks[fd - 1].sock)
		return NULL;
	return &r->socks[fd - 1];
}

static ares_socket_t rsock_open(int family, int type, int protocol, void *arg)
{
	struct resolver *r = arg;
	int i, ret;

	for (i = 0; i < RSOCKS_MAX && r->socks[i].sock; i++)
		;
	if (i == RSOCKS_MAX)
		return fail(EMFILE);
	ret = sock_create(r->h->net, family, type & 0xf, protocol, &r->socks[i].sock);
	if (ret) {
		r->socks[i].sock = NULL;
		return fail(-ret);
	}
	r->socks[i].r = r;
	r->socks[i].sock->user = &r->socks[i];
	r->socks[i].sock->wake = rsock_woken;
	sock_set_owner(r->socks[i].sock, 0, "resolver");
	return i + 1;
}

static int rsock_close(ares_socket_t fd, void *arg)
{
	struct rsock *s = rsock_of(arg, fd);

	if (!s)
		return fail(EBADF);
	s->sock->wake = NULL;
	sock_release(s->sock);
	memset(s, 0, sizeof(*s));
	return 0;
}

static int rsock_connect(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len, void *arg)
{
	struct rsock *s = rsock_of(arg, fd);
	int ret = s ? sock_connect(s->sock, addr, len) : -EBADF;

	return ret ? fail(-ret) : 0;
}

static ares_ssize_t rsock_recv(ares_socket_t fd, void *buf, size_t len, int flags, struct sockaddr *from,
			       ares_socklen_t *from_len, void *arg)
{
	struct rsock *s = rsock_of(arg, fd);
	struct iovec iov = { buf, len };
	struct sockaddr_storage name;
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = (unsigned int)flags | MSG_DONTWAIT,
				 .name = &name };
	ssize_t n = s ? sock_recvmsg(s->sock, &msg) : -EBADF;

	if (n < 0)
		return fail((int)-n);
	if (from && from_len) {
		memcpy(from, &name, MIN(*from_len, msg.namelen));
		*from_len = msg.namelen;
	}
	return n;
}

static ares_ssize_t rsock_sendv(ares_socket_t fd, const struct iovec *iov, int count, void *arg)
{
	struct rsock *s = rsock_of(arg, fd);
	struct stack_msg msg = { .iov = iov, .iovcnt = (size_t)count, .flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	ssize_t n = s ? sock_sendmsg(s->sock, &msg) : -EBADF;

	return n < 0 ? fail((int)-n) : n;
}

static const struct ares_socket_functions rsock_functions = {
	.asocket = rsock_open,
	.aclose = rsock_close,
	.aconnect = rsock_connect,
	.arecvfrom = rsock_recv,
	.asendv = rsock_sendv,
};

static void rsock_wanted(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct rsock *s = rsock_of(arg, fd);

	if (!s)
		return;
	s->want_read = readable;
	s->want_write = writable;
	s->r->dirty = true;
}

/* --- life ------------------------------------------------------------------------------------- */

static int servers_from_config(struct resolver *r)
{
	struct ares_addr_node nodes[CONFIG_DNS_MAX];
	unsigned int i;

	memset(nodes, 0, sizeof(nodes));
	for (i = 0; i < r->h->cfg.dns_count; i++) {
		nodes[i].family = AF_INET;
		nodes[i].addr.addr4 = r->h->cfg.dns[i];
		nodes[i].next = i + 1 < r->h->cfg.dns_count ? &nodes[i + 1] : NULL;
	}
	r->servers = r->h->cfg.dns_count;
	return ares_set_servers(r->channel, nodes);
}

static bool usable_server(const struct ares_addr_node *n)
{
	return n->family == AF_INET && ntohl(n->addr.addr4.s_addr) >> 24 != 127 && n->addr.addr4.s_addr;
}

/* c-ares has read /etc/resolv.conf; keeps what can be reached through our stack. */
static int servers_from_system(struct resolver *r)
{
	struct ares_addr_node *all = NULL, *n, keep[CONFIG_DNS_MAX];
	unsigned int count = 0;
	int ret = ares_get_servers(r->channel, &all);

	if (ret != ARES_SUCCESS)
		return ret;
	for (n = all; n && count < CONFIG_DNS_MAX; n = n->next) {
		if (!usable_server(n))
			continue;
		keep[count] = *n;
		keep[count].next = NULL;
		if (count)
			keep[count - 1].next = &keep[count];
		count++;
	}
	r->servers = count;
	ret = count ? ares_set_servers(r->channel, keep) : ARES_SUCCESS;
	ares_free_data(all);
	return ret;
}

/** resolver_create() - Return: 0 or negative errno */
int resolver_create(struct host *h, struct resolver **out)
{
	char lookups[] = "fb";
	struct ares_options opts = { .lookups = lookups };
	struct resolver *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	r->h = h;
	opts.sock_state_cb = rsock_wanted;
	opts.sock_state_cb_data = r;
	ret = ares_library_init(ARES_LIB_INIT_ALL);
	if (ret == ARES_SUCCESS)
		ret = ares_init_options(&r->channel, &opts, ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
	if (ret != ARES_SUCCESS) {
		free(r);
		return -ENOMEM;
	}
	ares_set_socket_functions(r->channel, &rsock_functions, r);
	ret = h->cfg.dns_count ? servers_from_config(r) : servers_from_system(r);
	if (ret != ARES_SUCCESS) {
		resolver_destroy(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

/** resolver_destroy() - lookups under way are answered as cancelled; NULL is allowed */
void resolver_destroy(struct resolver *r)
{
	if (!r)
		return;
	ares_destroy(r->channel);
	ares_library_cleanup();
	free(r);
}

/** resolver_dirty() - there is something for resolver_work() */
bool resolver_dirty(const struct resolver *r)
{
	return r->dirty;
}

/** resolver_next() - when c-ares wants to be called at the latest, absolute ns */
uint64_t resolver_next(struct resolver *r)
{
	struct timeval tv, *left;

	if (!r->under_way)
		return UINT64_MAX;
	left = ares_timeout(r->channel, NULL, &tv);
	if (!left)
		return UINT64_MAX;
	return r->h->now + ((uint64_t)left->tv_sec * USEC_PER_SEC + (uint64_t)left->tv_usec) * NSEC_PER_USEC +
	       NSEC_PER_MSEC;
}

/** resolver_work() - lets c-ares go on with what is ready or late */
void resolver_work(struct resolver *r)
{
	int i;

	if (!r->under_way && !r->dirty)
		return;
	r->dirty = false;
	for (i = 0; i < RSOCKS_MAX; i++) {
		struct rsock *s = &r->socks[i];
		unsigned int bits;

		if (!s->sock || !(s->want_read || s->want_write))
			continue;
		bits = sock_poll(s->sock);
		ares_process_fd(r->channel,
				s->want_read && bits & (POLLIN | POLLERR | POLLHUP) ? i + 1 : ARES_SOCKET_BAD,
				s->want_write && bits & (POLLOUT | POLLERR | POLLHUP) ? i + 1 : ARES_SOCKET_BAD);
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is late */
}

/* --- lookups ---------------------------------------------------------------------------------- */

static struct lookup *lookup_start(struct resolver *r, const struct deferred *d)
{
	struct lookup *l = calloc(1, sizeof(*l));
	struct deferred failed = *d;

	if (!l) {
		control_answer(&failed, -ENOMEM, NULL, NULL, 0);
		return NULL;
	}
	l->r = r;
	l->reply = *d;
	r->under_way++;
	return l;
}

static void lookup_end(struct lookup *l)
{
	l->r->under_way--;
	free(l);
}

static void warn_no_server(struct resolver *r)
{
	if (r->servers || r->warned)
		return;
	r->warned = true;
	host_log(r->h, LOG_LEVEL_WARN, "no DNS server: /etc/resolv.conf names none outside of the kernel's "
		 "loopback; give one with --dns A.B.C.D");
}

/* netdb.h: what getaddrinfo() returns. */
static int eai_of(struct resolver *r, int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
		return EAI_NODATA;
	case ARES_ENOTFOUND:
		return r->servers ? EAI_NONAME : EAI_AGAIN;
	case ARES_EBADNAME:
	case ARES_EBADSTR:
		return EAI_NONAME;
	case ARES_ENOMEM:
		return EAI_MEMORY;
	case ARES_ETIMEOUT:
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return EAI_AGAIN;
	default:
		return EAI_FAIL;
	}
}

static void answer_lookup(struct lookup *l, int gai, const struct ares_addrinfo *res)
{
	enum { ROOM = 64 };
	struct {
		struct ctl_resolved head;
		struct sockaddr_in6 addr[ROOM];
	} answer;
	const struct ares_addrinfo_cname *c;
	const struct ares_addrinfo_node *n;

	memset(&answer, 0, sizeof(answer));
	answer.head.gai_error = gai;
	for (n = res ? res->nodes : NULL; n && answer.head.count < ROOM; n = n->ai_next)
		if (n->ai_family == AF_INET && n->ai_addrlen <= sizeof(answer.addr[0]))
			memcpy(&answer.addr[answer.head.count++], n->ai_addr, n->ai_addrlen);
	snprintf(answer.head.canonname, sizeof(answer.head.canonname), "%s",
		 res && res->name ? res->name : l->req.node);
	for (c = res ? res->cnames : NULL; c; c = c->next)
		if (c->name)
			snprintf(answer.head.canonname, sizeof(answer.head.canonname), "%s", c->name);
	if (!gai && !answer.head.count)
		answer.head.gai_error = EAI_NODATA;
	control_answer(&l->reply, 0, NULL, &answer,
		       sizeof(answer.head) + answer.head.count * sizeof(answer.addr[0]));
}

static void lookup_done(void *arg, int status, int timeouts, struct ares_addrinfo *res)
{
	struct lookup *l = arg;
	int gai = eai_of(l->r, status);

	(void)timeouts;
	if (gai) {
		warn_no_server(l->r);
		host_log(l->r->h, LOG_LEVEL_INFO, "name '%s': %s", l->req.node, ares_strerror(status));
	}
	answer_lookup(l, gai, res);
	if (res)
		ares_freeaddrinfo(res);
	lookup_end(l);
}

/*
 * Names that need no server: that which --hostname gave, with its address, as on Linux with
 * nss-myhostname(8), and those of the host's laboratory.
 */
static struct in_addr own_address(const struct host *h)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	return h->cfg.addr.s_addr ? h->cfg.addr : loopback;
}

static bool same_name(const char *known, const char *node)
{
	size_t len = strlen(node);

	if (len && node[len - 1] == '.')
		len--;
	return strlen(known) == len && !strncasecmp(known, node, len);
}

static bool find_name(const struct host *h, const char *node, struct host_name *out)
{
	const char *own = h->cfg.text[OPT_HOSTNAME];

	if (own && same_name(own, node)) {
		*out = (struct host_name){ own, own_address(h) };
		return true;
	}
	for (size_t i = 0; i < h->name_count; i++) {
		*out = h->names[i];
		if (same_name(out->name, node))
			return true;
	}
	return false;
}

/* NULL: no name that is known here. */
static const char *find_address(const struct host *h, struct in_addr addr)
{
	const char *own = h->cfg.text[OPT_HOSTNAME];

	if (own && h->cfg.addr.s_addr && addr.s_addr == h->cfg.addr.s_addr)
		return own;
	for (size_t i = 0; i < h->name_count; i++)
		if (h->names[i].addr.s_addr == addr.s_addr)
			return h->names[i].name;
	return NULL;
}

static void answer_known(struct lookup *l, const struct host_name *known)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = known->addr };
	struct ares_addrinfo_node node = { .ai_family = AF_INET, .ai_addrlen = sizeof(sin),
					   .ai_addr = (struct sockaddr *)&sin };
	struct ares_addrinfo res = { .nodes = &node, .name = (char *)(uintptr_t)known->name };

	answer_lookup(l, 0, &res);
	lookup_end(l);
}

/** resolver_lookup() - CTL_RESOLVE; answers @d, at once or later */
void resolver_lookup(struct resolver *r, const struct ctl_resolve *req, const struct deferred *d)
{
	struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT, .ai_family = AF_INET };
	struct lookup *l = lookup_start(r, d);
	struct host_name known;

	if (!l)
		return;
	l->req = *req;
	if (req->family != AF_INET && req->family != AF_UNSPEC) {
		/* A name may exist, but not with an address of a family that this host speaks. */
		answer_lookup(l, EAI_ADDRFAMILY, NULL);
		lookup_end(l);
		return;
	}
	if (find_name(r->h, l->req.node, &known)) {
		answer_known(l, &known);
		return;
	}
	if (req->flags & AI_CANONNAME)
		hints.ai_flags |= ARES_AI_CANONNAME;
	if (req->flags & AI_NUMERICHOST)
		hints.ai_flags |= ARES_AI_NUMERICHOST;
	if (!r->servers)
		r->dirty = true;
	ares_getaddrinfo(r->channel, req->node, NULL, &hints, lookup_done, l);
}

static void reverse_done(void *arg, int status, int timeouts, struct hostent *host)
{
	struct lookup *l = arg;

	(void)timeouts;
	if (status == ARES_SUCCESS && host && host->h_name)
		control_answer(&l->reply, 0, NULL, host->h_name, strlen(host->h_name) + 1);
	else
		control_answer(&l->reply, status == ARES_ENOTFOUND || status == ARES_ENODATA ? -ENOENT : -EAGAIN,
			       NULL, NULL, 0);
	lookup_end(l);
}

/** resolver_reverse() - CTL_RESOLVE_ADDR */
void resolver_reverse(struct resolver *r, const struct sockaddr *addr, socklen_t len,
		      const struct deferred *d)
{
	struct lookup *l = lookup_start(r, d);
	struct sockaddr_in sin;
	const char *known;

	if (!l)
		return;
	if (addr->sa_family != AF_INET || len < sizeof(sin)) {
		control_answer(&l->reply, -EAFNOSUPPORT, NULL, NULL, 0);
		lookup_end(l);
		return;
	}
	memcpy(&sin, addr, sizeof(sin));
	known = find_address(r->h, sin.sin_addr);
	if (known) {
		control_answer(&l->reply, 0, NULL, known, strlen(known) + 1);
		lookup_end(l);
		return;
	}
	ares_gethostbyaddr(r->channel, &sin.sin_addr, sizeof(sin.sin_addr), AF_INET, reverse_done, l);
}

/* The answer message as it came, whatever it says: the program's own resolver reads it. */
static void raw_done(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
	struct lookup *l = arg;

	(void)timeouts;
	if (answer && len > 0) {
		control_answer(&l->reply, len, NULL, answer, MIN((size_t)len, (size_t)CTL_DATA_MAX));
	} else {
		warn_no_server(l->r);
		control_answer(&l->reply, status == ARES_ETIMEOUT ? -ETIMEDOUT :
			       status == ARES_ECONNREFUSED ? -ECONNREFUSED : -EAGAIN, NULL, NULL, 0);
	}
	lookup_end(l);
}

/** resolver_query() - CTL_RES_QUERY: one question, the answer as DNS message */
void resolver_query(struct resolver *r, const char *name, int class, int type, const struct deferred *d)
{
	struct lookup *l = lookup_start(r, d);

	if (l)
		ares_query(r->channel, name, class, type, raw_done, l);
}

/** resolver_send() - CTL_RES_SEND: a DNS message, made by the program */
void resolver_send(struct resolver *r, const uint8_t *query, size_t len, const struct deferred *d)
{
	struct lookup *l = lookup_start(r, d);

	if (l)
		ares_send(r->channel, query, (int)len, raw_done, l);
}
