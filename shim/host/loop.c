/* SPDX-License-Identifier: MIT */
/*
 * The host's event loop: one thread, one epoll, the stack's only source of time.
 *
 * A turn: wait until something is ready or due; let each ready descriptor be noted by its callback
 * (frames are announced to the stack, anchors and control connections are put on lists); run the stack,
 * frames before timers; serve control messages; work a bounded amount on each dirty anchor; run what
 * follows from it. The clock is read before each of these: what is sent late in a turn that lasted must
 * not seem to have left at its start. Everything that frames caused is thus handed to programs in one go, and
 * everything that programs wrote is sent in one go. No part may wait.
 */
#include <time.h>

#include "shim/host/host.h"

enum { EVENTS_MAX = 256, STACK_PASSES = 8 };
enum { LATE_NS = 250000 }; /* a timer found due for so long: this process has been kept from running */

/** host_clock() - CLOCK_MONOTONIC in nanoseconds (through the vDSO, which no shim takes over) */
uint64_t host_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/** watch_add() - puts @fd into the loop; it stays the caller's on failure. Return: 0 or negative errno */
int watch_add(struct host *h, struct watch *w, int fd, uint32_t events, watch_fn ready)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };
	int ret = sys_epoll_ctl(h->epfd, EPOLL_CTL_ADD, fd, &ev);

	if (ret)
		return ret;
	w->fd = fd;
	w->events = events;
	w->ready = ready;
	return 0;
}

/** watch_modify() - changes what is asked for */
void watch_modify(struct host *h, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->fd < 0 || w->events == events)
		return;
	w->events = events;
	(void)sys_epoll_ctl(h->epfd, EPOLL_CTL_MOD, w->fd, &ev);
}

/** watch_close() - takes the descriptor out of the loop and closes it; harmless when it is closed */
void watch_close(struct host *h, struct watch *w)
{
	struct epoll_event ev = { 0 };

	if (w->fd < 0)
		return;
	/* Another process may hold a copy of the open file, which would keep the registration alive. */
	(void)sys_epoll_ctl(h->epfd, EPOLL_CTL_DEL, w->fd, &ev);
	sys_close(w->fd);
	w->fd = -1;
}

/**
 * host_bury() - frees an object when no event of this turn can name it any more
 * @w: first member of the object, its descriptor closed
 */
void host_bury(struct host *h, struct watch *w)
{
	w->next_grave = h->graves;
	h->graves = w;
}

static void set_earlier(uint64_t *at, uint64_t candidate)
{
	if (candidate < *at)
		*at = candidate;
}

/* When the loop has to go on at the latest, absolute ns; UINT64_MAX = never. */
static uint64_t next_deadline(struct host *h)
{
	uint64_t at = stack_next_event(h->net);
	const struct anchor *a;

	set_earlier(&at, resolver_next(h->resolver));
	set_earlier(&at, lingers_next(h));
	if (h->idle_since)
		set_earlier(&at, h->idle_since + IDLE_MS * NSEC_PER_MSEC);
	if (h->record_count)
		set_earlier(&at, h->sweep_at);
	if (h->listen_again)
		set_earlier(&at, h->listen_again);
	list_for_each_entry(a, &h->limbo, limbo)
		set_earlier(&at, a->limbo_until);
	if (h->greeting_count)
		set_earlier(&at, h->now + HELLO_MS * NSEC_PER_MSEC);
	return at;
}

static int64_t wait_time(struct host *h, int64_t wait_ns, bool more)
{
	uint64_t at, now;
	int64_t left;

	if (more || !list_empty(&h->dirty) || !list_empty(&h->ctl_pending) || resolver_dirty(h->resolver))
		return 0;
	at = next_deadline(h);
	if (at == UINT64_MAX)
		return wait_ns;
	now = host_clock();
	left = at <= now ? 0 : (int64_t)MIN(at - now, (uint64_t)INT64_MAX);
	return wait_ns >= 0 && wait_ns < left ? wait_ns : left;
}

/**
 * host_wait_time() - how long the host has nothing to do, if nothing happens
 *
 * Return: nanoseconds; 0 = there is work; negative = for ever
 */
int64_t host_wait_time(struct host *h)
{
	return wait_time(h, -1, net_rx_pending(h->net));
}

static void take_time(struct host *h)
{
	h->now = host_clock();
	net_set_time(h->net, h->now);
}

/* Frames, then timers; true = there is more to do at once. */
static bool run_stack(struct host *h)
{
	bool more = true;
	int pass;

	for (pass = 0; more && pass < STACK_PASSES; pass++) {
		take_time(h);
		more = stack_run(h->net, h->now);
	}
	if (more)
		net_advance(h->net, h->now); /* frames without end are no reason to stop the timers */
	return more;
}

/* Timers are late: what they wait for may have come since the wait ended, or ended without naming it. */
static void look_before_late_timers(struct host *h)
{
	if (h->dev && h->dev_watch.fd >= 0 && stack_next_event(h->net) < h->now - LATE_NS)
		af_packet_input(h->dev);
}

static void work_anchors(struct host *h)
{
	struct list_head round;

	/* Anchors that become dirty by this work wait for the next turn: nobody starves the devices. */
	if (list_empty(&h->dirty))
		return;
	round = h->dirty;
	round.next->prev = &round;
	round.prev->next = &round;
	list_init(&h->dirty);
	while (!list_empty(&round)) {
		struct anchor *a = list_first_entry(&round, struct anchor, dirty);

		list_del(&a->dirty);
		anchor_work(a);
	}
}

static void update_device_interest(struct host *h)
{
	if (h->dev && h->dev_watch.fd >= 0)
		watch_modify(h, &h->dev_watch,
			     EPOLLIN | (af_packet_tx_blocked(h->dev) ? (uint32_t)EPOLLOUT : 0));
}

/* Nothing that a program or the network could still want of this host. */
static bool nothing_left(struct host *h)
{
	return list_empty(&h->controls) && h->anchor_count == 0 && h->lifeline_count == 0 &&
	       stack_idle(h->net);
}

/*
 * An idle host ends. Whoever connects in the moment of the end is either still served (the names
 * are opened again; the lock on the address was never given up) or refused, and starts a new host.
 */
static void check_idle(struct host *h)
{
	if (h->thread || h->stopping || h->listen_packet.fd < 0)
		return;
	if (!nothing_left(h)) {
		h->idle_since = 0;
		return;
	}
	if (!h->idle_since)
		h->idle_since = h->now;
	if (h->now - h->idle_since < IDLE_MS * NSEC_PER_MSEC)
		return;
	if (listeners_end(h)) {
		host_log(h, LOG_LEVEL_INFO, "idle, ends");
		h->stopping = true;
	} else {
		h->idle_since = 0;
	}
}

static void clear_graves(struct host *h)
{
	while (h->graves) {
		struct watch *w = h->graves;

		h->graves = w->next_grave;
		free(w);
	}
}

/**
 * host_settle() - does what programs did up to now: the sockets that they closed go
 *
 * For a request that fails because of such a socket, its port still taken: close() is seen by an
 * event, which the request may have overtaken.
 */
void host_settle(struct host *h)
{
	struct epoll_event events[EVENTS_MAX];
	int n, i;

	do {
		n = sys_epoll_wait(h->epfd, events, EVENTS_MAX, 0);
		for (i = 0; i < n; i++) {
			struct watch *w = events[i].data.ptr;

			if (w->fd >= 0)
				w->ready(h, w, events[i].events);
		}
	} while (n == EVENTS_MAX);
	work_anchors(h);
	anchors_limbo(h, true);
	run_stack(h); /* their last segments, where the other end is here too */
}

/** host_take_time() - for who has slept outside of host_turn(): the stack's clock goes on */
void host_take_time(struct host *h)
{
	h->now = host_clock();
	net_advance(h->net, h->now);
}

/**
 * host_turn() - one turn of the loop
 * @wait_ns: longest time to wait; negative = until something happens
 */
void host_turn(struct host *h, int64_t wait_ns)
{
	struct epoll_event events[EVENTS_MAX];
	bool more = run_stack(h);
	int n, i;

	update_device_interest(h);
	wait_ns = wait_time(h, wait_ns, more);
	if (wait_ns != 0 && h->capture)
		capture_flush(h->capture);
	n = sys_epoll_wait(h->epfd, events, EVENTS_MAX, wait_ns);
	take_time(h);
	look_before_late_timers(h);
	for (i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		if (w->fd >= 0)
			w->ready(h, w, events[i].events);
	}
	run_stack(h);
	controls_drain(h);
	resolver_work(h->resolver);
	take_time(h);
	work_anchors(h);
	lingers_check(h, NULL);
	anchors_limbo(h, false);
	hello_expire(h);
	if (h->listen_again && h->now >= h->listen_again)
		listeners_resume(h);
	if (h->record_count && h->now >= h->sweep_at)
		registry_sweep(h);
	check_idle(h);
	clear_graves(h);
}

/** host_run() - turns until the host is to end */
void host_run(struct host *h)
{
	while (!h->stopping)
		host_turn(h, -1);
}
