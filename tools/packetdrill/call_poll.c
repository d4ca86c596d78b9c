/* SPDX-License-Identifier: MIT */
/*
 * call_poll.c - poll() and epoll, over what the stack says of its sockets
 *
 * Level and edge triggering and one-shot as epoll(7) has them; an edge is a call of the socket's wake
 * function since the last report, with something ready.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "tools/packetdrill/calls.h"

/* EPOLL* and POLL* have the same bits. */
static uint32_t ready_bits(const struct file *f)
{
	if (f->sock)
		return sock_poll(f->sock);
	if (f->kind == FILE_PIPE)
		return (f->bytes ? POLLIN : 0U) | (f->pipe_peer ? 0U : POLLHUP);
	return POLLIN | POLLOUT;
}

/* A count, or waiting until @timeout_ms has passed (-1 = for ever). */
static enum attempt poll_result(struct call *c, int64_t ready, int64_t timeout_ms)
{
	if (ready > 0 || timeout_ms == 0)
		return call_returns(c, ready);
	if (timeout_ms < 0)
		return CALL_BLOCK;
	c->wake_us = c->started_us + timeout_ms * 1000;
	return sim_now(&c->run->sim) >= c->wake_us ? call_returns(c, 0) : CALL_BLOCK;
}

/* ---- poll ------------------------------------------------------------------------------------ */

/* One {fd=, events=, revents=}; what it shows is compared when @check. */
static bool poll_one(struct call *c, const struct expr *e, bool check, int64_t *ready)
{
	const struct expr *fd = expr_field(e, "fd", 0), *events = expr_field(e, "events", 1);
	const struct expr *revents = expr_field(e, "revents", 2);
	const struct file *f;
	int64_t num, want;
	uint32_t got;

	if (e->kind != EXPR_STRUCT || !fd || !events)
		return run_wrong(c->run, e->line, "poll(): expected {fd=, events=, revents=}");
	if (!expr_number(c, fd, &num) || !expr_number(c, events, &want))
		return false;
	f = file_get(c->run, num);
	got = num < 0 ? 0 : f ? ready_bits(f) & ((uint32_t)want | POLLERR | POLLHUP) : POLLNVAL;
	*ready += got != 0;
	return !check || !revents || check_number(c, "revents", revents, got);
}

/** do_poll() - poll([{fd=, events=, revents=}], n, timeout); revents are compared */
enum attempt do_poll(struct call *c)
{
	int64_t timeout, ready = 0;
	const struct expr *e;
	enum attempt a;

	if (!arg_number(c, 2, &timeout))
		return CALL_BAD;
	if (c->argv[0]->kind != EXPR_LIST) {
		run_note(c->run, PLAY_WRONG, c->ev->line, "poll(): expected [{fd=, events=, revents=}]");
		return CALL_BAD;
	}
	for (e = c->argv[0]->items; e; e = e->next)
		if (!poll_one(c, e, false, &ready))
			return CALL_BAD;
	a = poll_result(c, ready, timeout);
	for (e = c->argv[0]->items; a == CALL_DONE && e; e = e->next)
		if (!poll_one(c, e, true, &ready))
			return CALL_BAD;
	return a;
}

/* ---- epoll ----------------------------------------------------------------------------------- */

/** do_epoll_create() - epoll_create(n) and epoll_create1(flags) */
enum attempt do_epoll_create(struct call *c)
{
	struct file *f = file_new(c->run, FILE_EPOLL);

	return f ? file_install(c, f) : call_returns(c, -ENOMEM);
}

/* {events=, fd=} or ptr, u32, u64 in the place of fd. */
static bool epoll_event(struct call *c, const struct expr *e, int64_t *events, int64_t *data)
{
	const struct expr *bits = e->kind == EXPR_STRUCT ? expr_field(e, "events", 0) : NULL;
	const struct expr *d = bits ? bits->next ? bits->next : e->items : NULL;

	if (!bits || e->nitems != 2)
		return run_wrong(c->run, e->line, "%s(): expected {events=, fd=}", c->spec->name);
	return expr_number(c, bits, events) && expr_number(c, d, data);
}

static enum attempt epoll_change(struct call *c, struct epoll_item **link, int64_t op, int fd, int64_t events,
				 int64_t data)
{
	struct epoll_item *item = *link;

	if (op == EPOLL_CTL_ADD ? item != NULL : item == NULL)
		return call_returns(c, item ? -EEXIST : -ENOENT);
	if (op == EPOLL_CTL_DEL) {
		*link = item->next;
		free(item);
		return call_returns(c, 0);
	}
	if (!item) {
		item = calloc(1, sizeof(*item));
		if (!item)
			return call_returns(c, -ENOMEM);
		*link = item;
		item->fd = fd;
	}
	item->events = (uint32_t)events | EPOLLERR | EPOLLHUP;
	item->data = (uint64_t)data;
	item->reported = false;
	return call_returns(c, 0);
}

/** do_epoll_ctl() - epoll_ctl(epfd, op, fd, {events=, fd=}) */
enum attempt do_epoll_ctl(struct call *c)
{
	int64_t op, fd, events = 0, data = 0;
	struct epoll_item **link;

	if (!arg_number(c, 1, &op) || !arg_number(c, 2, &fd))
		return CALL_BAD;
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return call_returns(c, -EINVAL);
	if (op != EPOLL_CTL_DEL && !epoll_event(c, c->argv[3], &events, &data))
		return CALL_BAD;
	if (c->file->kind != FILE_EPOLL)
		return call_returns(c, -EINVAL);
	if (!file_get(c->run, fd))
		return call_returns(c, -EBADF);
	for (link = &c->file->items; *link && (*link)->fd != fd; link = &(*link)->next)
		;
	return epoll_change(c, link, op, (int)fd, events, data);
}

/* What is to be reported of one registration now; 0 = nothing. */
static uint32_t epoll_ready(struct run *r, const struct epoll_item *item)
{
	const struct file *f = file_get(r, item->fd);
	uint32_t bits = f ? ready_bits(f) & item->events & ~(EPOLLET | (uint32_t)EPOLLONESHOT) : 0;

	if (!bits || !(item->events & EPOLLET) || !item->reported)
		return bits;
	return f->wakes != item->wakes ? bits : 0;
}

static void epoll_reported(struct run *r, struct epoll_item *item)
{
	item->reported = true;
	item->wakes = file_get(r, item->fd)->wakes;
	if (item->events & (uint32_t)EPOLLONESHOT)
		item->events = 0;
}

/* The @n-th event of the script's list is this one. */
static bool check_event(struct call *c, unsigned int n, uint32_t bits, uint64_t data)
{
	const struct expr *e = c->argv[1];
	int64_t events, want;

	if (e->kind == EXPR_LIST)
		for (e = e->items; e && n; n--)
			e = e->next;
	else if (n)
		e = NULL;
	if (!e || is_ellipsis(e))
		return true;
	if (!epoll_event(c, e, &events, &want))
		return false;
	if (bits == (uint32_t)events && data == (uint64_t)want)
		return true;
	return run_fail(c->run, c->ev->line, "epoll_wait(): expected events 0x%x of %lld vs actual 0x%x of %lld",
			(uint32_t)events, (long long)want, bits, (long long)data);
}

/** do_epoll_wait() - epoll_wait(epfd, {events=, fd=} or a list of them, n, timeout) */
enum attempt do_epoll_wait(struct call *c)
{
	int64_t max, timeout, ready = 0;
	struct epoll_item *item;

	if (!arg_number(c, 2, &max) || !arg_number(c, 3, &timeout))
		return CALL_BAD;
	if (c->file->kind != FILE_EPOLL || max <= 0)
		return call_returns(c, -EINVAL);
	for (item = c->file->items; item && ready < max; item = item->next) {
		uint32_t bits = epoll_ready(c->run, item);

		if (!bits)
			continue;
		if (!check_event(c, (unsigned int)ready, bits, item->data))
			return CALL_BAD;
		epoll_reported(c->run, item);
		ready++;
	}
	return poll_result(c, ready, timeout);
}
