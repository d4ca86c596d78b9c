/* SPDX-License-Identifier: MIT */
/*
 * calls.c - system calls: which function, its arguments, its result; descriptors
 *
 * The stack never blocks, so a call that would is tried again whenever something happened, until it
 * returns or its time is up. A call that the script gives no time to (no "...") must return at once.
 */
#include "tools/packetdrill/calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packetdrill/symbols.h"

static const struct {
	const char *name;
	call_fn fn;
	unsigned int min_args, max_args;
	bool has_fd; /* the first argument is a descriptor */
} table[] = {
	{ "socket", do_socket, 3, 3, false },
	{ "bind", do_bind, 3, 3, true },
	{ "listen", do_listen, 2, 2, true },
	{ "accept", do_accept, 3, 3, true },
	{ "accept4", do_accept, 4, 4, true },
	{ "connect", do_connect, 3, 3, true },
	{ "getsockname", do_getsockname, 3, 3, true },
	{ "getpeername", do_getsockname, 3, 3, true },
	{ "shutdown", do_shutdown, 2, 2, true },
	{ "close", do_close, 1, 1, true },
	{ "dup", do_dup, 1, 1, true },
	{ "fcntl", do_fcntl, 2, 3, true },
	{ "ioctl", do_ioctl, 2, 3, true },
	{ "open", do_open, 2, 3, false },
	{ "pipe", do_pipe, 1, 2, false },
	{ "pipe2", do_pipe, 2, 2, false },
	{ "read", do_read, 3, 3, true },
	{ "readv", do_readv, 3, 3, true },
	{ "recv", do_recv, 4, 4, true },
	{ "recvfrom", do_recvfrom, 6, 6, true },
	{ "recvmsg", do_recvmsg, 3, 3, true },
	{ "write", do_write, 3, 3, true },
	{ "writev", do_writev, 3, 3, true },
	{ "send", do_send, 4, 4, true },
	{ "sendto", do_sendto, 6, 6, true },
	{ "sendmsg", do_sendmsg, 3, 3, true },
	{ "sendfile", do_sendfile, 4, 4, true },
	{ "splice", do_splice, 6, 6, true },
	{ "getsockopt", do_getsockopt, 5, 5, true },
	{ "setsockopt", do_setsockopt, 5, 5, true },
	{ "poll", do_poll, 3, 3, false },
	{ "epoll_create", do_epoll_create, 1, 1, false },
	{ "epoll_create1", do_epoll_create, 1, 1, false },
	{ "epoll_ctl", do_epoll_ctl, 4, 4, true },
	{ "epoll_wait", do_epoll_wait, 4, 4, true },
};

/* ---- arguments ------------------------------------------------------------------------------- */

/** is_ellipsis() - whether the script leaves it open */
bool is_ellipsis(const struct expr *e)
{
	return e->kind == EXPR_ELLIPSIS;
}

/* htons(8080) and inet_addr("192.0.2.1"), in network order as in C. */
static bool number_of_function(struct call *c, const struct expr *e, int64_t *out)
{
	struct in_addr in;
	int64_t v;

	if (strcmp(e->text, "inet_addr") == 0 && e->nitems == 1 && e->items->kind == EXPR_STRING) {
		if (inet_pton(AF_INET, e->items->text, &in) != 1)
			return run_wrong(c->run, e->line, "'%.40s' is not an IPv4 address", e->items->text);
		*out = in.s_addr;
		return true;
	}
	if (!e->items || e->nitems != 1 || (strcmp(e->text, "htons") != 0 && strcmp(e->text, "htonl") != 0))
		return run_wrong(c->run, e->line, "unknown function '%.40s'", e->text);
	if (!expr_number(c, e->items, &v))
		return false;
	*out = strcmp(e->text, "htons") == 0 ? (int64_t)htons((uint16_t)v) : (int64_t)htonl((uint32_t)v);
	return true;
}

/**
 * expr_number() - the value of a number, a constant, or constants with | between them
 * @c:    call
 * @e:    expression
 * @out:  value
 *
 * Return:  false when it has none, which is noted
 */
bool expr_number(struct call *c, const struct expr *e, int64_t *out)
{
	const struct expr *item;
	int64_t v;

	if (!e)
		return run_wrong(c->run, c->ev->line, "%s(): a number is missing", c->spec->name);
	switch (e->kind) {
	case EXPR_INT: *out = e->num; return true;
	case EXPR_WORD:
		if (symbol_value(e->text, out))
			return true;
		return run_wrong(c->run, e->line, "unknown constant '%.60s'", e->text);
	case EXPR_CALL: return number_of_function(c, e, out);
	case EXPR_OR:
		*out = 0;
		for (item = e->items; item; item = item->next) {
			if (!expr_number(c, item, &v))
				return false;
			*out |= v;
		}
		return true;
	case EXPR_LIST:
		if (e->items && e->nitems == 1)
			return expr_number(c, e->items, out);
		__attribute__((fallthrough));
	default: return run_wrong(c->run, e->line, "%s(): expected a number", c->spec->name);
	}
}

/** arg_number() - argument @i, from 0, as a number */
bool arg_number(struct call *c, unsigned int i, int64_t *out)
{
	return expr_number(c, c->argv[i], out);
}

/** expr_field() - a field of {a, b} by its place, or of {name = a} by its name; NULL = absent */
struct expr *expr_field(const struct expr *e, const char *name, unsigned int place)
{
	struct expr *item;
	unsigned int i = 0;

	for (item = e->items; item; item = item->next, i++)
		if (item->name ? strcmp(item->name, name) == 0 : i == place)
			return item;
	return NULL;
}

/** expr_sockaddr() - a socket address; "..." stands for the one given */
bool expr_sockaddr(struct call *c, const struct expr *e, uint32_t dflt_ip, uint16_t dflt_port,
		   struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(dflt_port),
				   .sin_addr.s_addr = htonl(dflt_ip) };
	const struct expr *family, *port, *addr;
	int64_t v;

	memset(ss, 0, sizeof(*ss));
	*len = sizeof(sin);
	if (!is_ellipsis(e)) {
		if (e->kind != EXPR_STRUCT)
			return run_wrong(c->run, e->line, "expected a socket address");
		family = expr_field(e, "sa_family", 0);
		port = expr_field(e, "sin_port", 1);
		addr = expr_field(e, "sin_addr", 2);
		if (!family || !expr_number(c, family, &v))
			return run_wrong(c->run, e->line, "a socket address needs its sa_family");
		sin.sin_family = (sa_family_t)v;
		if (port && !expr_number(c, port, &v))
			return false;
		sin.sin_port = port ? (in_port_t)v : 0;
		if (addr && !expr_number(c, addr, &v))
			return false;
		sin.sin_addr.s_addr = addr ? (in_addr_t)v : 0;
	}
	memcpy(ss, &sin, sizeof(sin));
	return true;
}

/** check_sockaddr() - an address that a call gave is the script's */
bool check_sockaddr(struct call *c, const struct expr *e, const struct sockaddr_storage *ss)
{
	struct sockaddr_storage want;
	struct sockaddr_in a, b;
	char ta[INET_ADDRSTRLEN], tb[INET_ADDRSTRLEN];
	socklen_t len;

	if (is_ellipsis(e))
		return true;
	if (!expr_sockaddr(c, e, 0, 0, &want, &len))
		return false;
	memcpy(&a, &want, sizeof(a));
	memcpy(&b, ss, sizeof(b));
	if (a.sin_family == b.sin_family && a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr)
		return true;
	inet_ntop(AF_INET, &a.sin_addr, ta, sizeof(ta));
	inet_ntop(AF_INET, &b.sin_addr, tb, sizeof(tb));
	return run_fail(c->run, c->ev->line, "%s(): expected address %s:%u vs actual %s:%u", c->spec->name, ta,
			ntohs(a.sin_port), tb, ntohs(b.sin_port));
}

/** check_number() - a number that a call gave is the script's */
bool check_number(struct call *c, const char *what, const struct expr *e, int64_t got)
{
	int64_t want;

	if (is_ellipsis(e))
		return true;
	if (!expr_number(c, e, &want))
		return false;
	if (want == got)
		return true;
	return run_fail(c->run, c->ev->line, "%s(): %s: expected: %lld (0x%llx) vs actual: %lld (0x%llx)",
			c->spec->name, what, (long long)want, (unsigned long long)want, (long long)got,
			(unsigned long long)got);
}

/** call_returns() - the call has returned, with a count or a negative errno */
enum attempt call_returns(struct call *c, int64_t result)
{
	c->result = result;
	return CALL_DONE;
}

/** file_nonblocking() - whether O_NONBLOCK is set */
bool file_nonblocking(const struct file *f)
{
	return f->flags & O_NONBLOCK;
}

/**
 * call_may_block() - what the stack answered, as a program would see it
 * @c:            call
 * @result:       of this attempt
 * @nonblocking:  the program did not want to wait
 * @timeout_us:   of the socket (SO_RCVTIMEO); 0 = none
 *
 * Return:  DONE, or BLOCK
 */
enum attempt call_may_block(struct call *c, int64_t result, bool nonblocking, int64_t timeout_us)
{
	if (result != -EAGAIN || nonblocking)
		return call_returns(c, result);
	if (timeout_us > 0) {
		c->wake_us = c->started_us + timeout_us;
		if (sim_now(&c->run->sim) >= c->wake_us)
			return call_returns(c, result);
	}
	return CALL_BLOCK;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/** file_get() - the open file of a descriptor; NULL = EBADF */
struct file *file_get(struct run *r, int64_t fd)
{
	return fd >= 0 && fd < MAX_FDS ? r->fds[fd] : NULL;
}

/** file_new() - a file with one reference and no descriptor yet */
struct file *file_new(struct run *r, enum file_kind kind)
{
	struct file *f = calloc(1, sizeof(*f));

	(void)r;
	if (f) {
		f->refs = 1;
		f->kind = kind;
		f->flags = O_RDWR;
	}
	return f;
}

static void note_wake(struct socket *sock)
{
	((struct file *)sock->user)->wakes++;
}

/** file_adopt() - the file is this socket from now on */
void file_adopt(struct file *f, struct socket *sock)
{
	f->sock = sock;
	sock->user = f;
	sock->wake = note_wake;
}

/** file_put() - one reference less; the last one closes */
void file_put(struct run *r, struct file *f)
{
	struct epoll_item *item;

	if (--f->refs)
		return;
	if (f->sock) {
		if (r->last_sock == f->sock)
			r->last_sock = NULL;
		sock_release(f->sock);
	}
	if (f->pipe_peer)
		f->pipe_peer->pipe_peer = NULL;
	while ((item = f->items)) {
		f->items = item->next;
		free(item);
	}
	free(f);
}

/* Whether the script's result is a number for a new descriptor. */
static bool expected_fd(struct call *c, int64_t *fd)
{
	if (is_ellipsis(c->spec->result)) {
		for (*fd = 3; *fd < MAX_FDS && c->run->fds[*fd]; ++*fd)
			;
		return *fd < MAX_FDS;
	}
	return expr_number(c, c->spec->result, fd);
}

/** file_install() - gives a file the number that the script expects */
enum attempt file_install(struct call *c, struct file *f)
{
	struct run *r = c->run;
	int64_t fd;

	if (!expected_fd(c, &fd)) {
		file_put(r, f);
		return CALL_BAD;
	}
	if (fd < 0 || fd >= MAX_FDS || r->fds[fd]) {
		file_put(r, f);
		if (fd < 0)
			run_note(r, PLAY_FAIL, c->ev->line, "runtime error in %s call: Expected result %lld but it succeeded",
				 c->spec->name, (long long)fd);
		else
			run_note(r, PLAY_WRONG, c->ev->line, "%s(): descriptor %lld is open already", c->spec->name,
				  (long long)fd);
		return CALL_BAD;
	}
	r->fds[fd] = f;
	return call_returns(c, fd);
}

/** files_free() - the program ends: all descriptors are closed */
void files_free(struct run *r)
{
	int fd;

	for (fd = 0; fd < MAX_FDS; fd++) {
		struct file *f = r->fds[fd];

		r->fds[fd] = NULL;
		if (f)
			file_put(r, f);
	}
}

static bool is_flow(const struct flow *f, struct socket *sock)
{
	struct sockaddr_storage local, peer;
	struct sockaddr_in a, b;

	if (!f || sock_getname(sock, &local, false) != (int)sizeof(a) ||
	    sock_getname(sock, &peer, true) != (int)sizeof(b))
		return false;
	memcpy(&a, &local, sizeof(a));
	memcpy(&b, &peer, sizeof(b));
	return ntohs(a.sin_port) == f->local_port && ntohs(b.sin_port) == f->remote_port &&
	       ntohl(b.sin_addr.s_addr) == f->remote_ip;
}

/** current_socket() - the socket of the connection under way, else the one made last; NULL = none */
struct socket *current_socket(struct run *r)
{
	int fd;

	for (fd = 0; fd < MAX_FDS; fd++)
		if (r->fds[fd] && r->fds[fd]->sock && is_flow(r->flows.current[0], r->fds[fd]->sock))
			return r->fds[fd]->sock;
	return r->last_sock;
}

/* ---- a call ---------------------------------------------------------------------------------- */

static bool result_failed(struct call *c, const char *text)
{
	if (c->run->cfg.non_fatal_call) {
		fprintf(stderr, "%s:%d: warning: runtime error in %s call: %s\n", c->run->script->name,
			c->ev->line, c->spec->name, text);
		c->run->notes++;
		return true;
	}
	return run_fail(c->run, c->ev->line, "runtime error in %s call: %s", c->spec->name, text);
}

/* "0", or "-1 with errno 11 (EAGAIN: Resource temporarily unavailable)". */
static void result_text(int64_t result, char *buf, size_t size)
{
	const char *name = result < 0 ? symbol_errno((int)-result) : NULL;

	if (result >= 0)
		snprintf(buf, size, "%lld", (long long)result);
	else
		snprintf(buf, size, "-1 with errno %lld (%s: %s)", (long long)-result, name ? name : "?",
			 strerror((int)-result));
}

static bool check_result(struct call *c)
{
	const struct call_spec *spec = c->spec;
	char got[160], text[320];
	int64_t want, err = 0;

	if (is_ellipsis(spec->result))
		return true;
	if (!expr_number(c, spec->result, &want))
		return false;
	if (spec->error && !symbol_value(spec->error, &err))
		return run_wrong(c->run, c->ev->line, "unknown errno '%.40s'", spec->error);
	if (want == -1 && c->result < 0 && (!spec->error || c->result == -err))
		return true;
	if (want == c->result && !spec->error)
		return true;
	result_text(c->result, got, sizeof(got));
	if (spec->error)
		snprintf(text, sizeof(text), "Expected result %lld with errno %lld (%.40s) but got %s",
			 (long long)want, (long long)err, spec->error, got);
	else
		snprintf(text, sizeof(text), "Expected result %lld but got %s", (long long)want, got);
	return result_failed(c, text);
}

/* A blocking call has returned: at the right time? */
static bool check_return_time(struct call *c)
{
	int64_t now = sim_now(&c->run->sim), off = now - c->end_us, tolerance;
	char text[200];

	if (!c->spec->blocking)
		return true;
	tolerance = run_tolerance(c->run, c->end_us);
	if (off >= -tolerance && off <= tolerance)
		return true;
	snprintf(text, sizeof(text), "timing error: expected to return at %.6f sec but returned at %.6f sec",
		 (double)c->end_us / 1e6, (double)now / 1e6);
	return result_failed(c, text);
}

static size_t find_call(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			break;
	return i;
}

/**
 * call_retry() - one attempt of a call
 * @c:     call
 * @done:  set when it has returned, as the script says
 *
 * Return:  false after a failure
 */
bool call_retry(struct call *c, bool *done)
{
	size_t i = find_call(c->spec->name);
	enum attempt a;

	if (table[i].has_fd && !c->file)
		a = call_returns(c, -EBADF);
	else
		a = table[i].fn(c);
	c->began = true;
	if (a == CALL_BLOCK)
		return true;
	if (a == CALL_BAD)
		return false;
	*done = true;
	return check_result(c) && check_return_time(c);
}

static bool set_up(struct call *c, struct run *r, const struct event *ev, int64_t base_us)
{
	const struct call_spec *spec = ev->call;
	size_t i = find_call(spec->name);
	struct expr *e = spec->args;
	unsigned int n;
	int64_t fd;

	c->run = r;
	c->ev = ev;
	c->spec = spec;
	c->started_us = sim_now(&r->sim);
	c->end_us = spec->blocking ? base_us + spec->end_us : c->started_us;
	c->wake_us = INT64_MAX;
	if (i == sizeof(table) / sizeof(table[0]))
		return run_wrong(r, ev->line, "unknown system call '%.60s'", spec->name);
	if (spec->argc < table[i].min_args || spec->argc > table[i].max_args)
		return run_wrong(r, ev->line, "%s() has %u arguments, not %u", spec->name, table[i].min_args,
				 spec->argc);
	for (n = 0; n < spec->argc; n++, e = e->next)
		c->argv[n] = e;
	if (!table[i].has_fd)
		return true;
	if (!arg_number(c, 0, &fd))
		return false;
	c->file = file_get(r, fd);
	return true;
}

/**
 * play_call() - a system call of the program
 * @r:        run
 * @ev:       event
 * @base_us:  what the time of its return counts from
 *
 * Return:  false after a failure
 */
bool play_call(struct run *r, const struct event *ev, int64_t base_us)
{
	struct call *c = calloc(1, sizeof(*c)), **tail;
	bool done = false, ok;

	if (!c)
		return run_fail(r, ev->line, "out of memory");
	ok = set_up(c, r, ev, base_us) && call_retry(c, &done);
	if (ok && !done && !ev->call->blocking)
		ok = run_fail(r, ev->line, "runtime error in %s call: it blocks; the script has it return at once",
			      ev->call->name);
	if (!ok || done) {
		free(c);
		return ok && run_blocked(r);
	}
	for (tail = &r->blocked; *tail; tail = &(*tail)->next)
		;
	*tail = c;
	return true;
}
