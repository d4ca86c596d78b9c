/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an anchor to become writable the way connect() waits.
 *
 * Linux restarts a connect() without time limit after a handler with SA_RESTART, and poll() never
 * restarts; after poll() has returned EINTR nobody can tell which handler ran. So all signals are
 * blocked while we wait, a signalfd wakes us, and what is pending is looked at before it is let
 * through: then we know whether to go on.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/sock.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

enum { SIGNALS = 64 };

/* The kernel's struct sigaction, as its calls take it. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/*
 * Without a handler a signal ends or stops the process, or does nothing: none of that interrupts a
 * call.
 */
static bool has_handler(int sig, unsigned long *flags)
{
	struct kernel_sigaction sa = { 0 };

	if (SYS(rt_sigaction, sig, NULL, &sa, 8) < 0)
		return false;
	*flags = sa.flags;
	return sa.handler != (uintptr_t)SIG_DFL && sa.handler != (uintptr_t)SIG_IGN;
}

/* Would letting these signals through end a call that waits? */
static bool interrupts(uint64_t pending, bool limited)
{
	for (int sig = 1; sig <= SIGNALS; sig++) {
		unsigned long flags;

		if (!(pending & 1ULL << (sig - 1)) || !has_handler(sig, &flags))
			continue;
		/* As sock_intr_errno(): with a time limit a call is never restarted. */
		if (limited || !(flags & SA_RESTART))
			return true;
	}
	return false;
}

static long poll_with_signals(int fd, uint64_t wanted, const struct timespec *left, short *revents)
{
	long sfd = SYS(signalfd4, -1, &wanted, sizeof(wanted), SFD_CLOEXEC | SFD_NONBLOCK);
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLOUT },
		{ .fd = (int)sfd,
		  .events = POLLIN }, /* without a descriptor to spare: a negative one is skipped */
	};
	long r = SYS(ppoll, p, 2, left, NULL, 8);

	if (sfd >= 0)
		SYS(close, sfd);
	*revents = p[0].revents;
	return r;
}

/* The time until @end; false when it is over. */
static bool time_left(const struct timespec *end, struct timespec *left)
{
	SYS(clock_gettime, CLOCK_MONOTONIC, left);
	left->tv_sec = end->tv_sec - left->tv_sec;
	left->tv_nsec = end->tv_nsec - left->tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += 1000000000;
		left->tv_sec--;
	}
	return left->tv_sec >= 0;
}

/**
 * wait_writable() - wait until poll() would say something about writing
 * @fd:       the anchor
 * @limit_ms: -1 = for ever
 * @revents:  what poll() says
 *
 * Return: 1; 0 when the time is over; -EINTR where Linux's connect() gives it
 */
int wait_writable(int fd, int limit_ms, short *revents)
{
	struct timespec end = { 0, 0 }, left;
	struct quiet q;

	SYS(clock_gettime, CLOCK_MONOTONIC, &end);
	end.tv_sec += limit_ms / 1000;
	end.tv_nsec += limit_ms % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	for (;;) {
		uint64_t open_signals, pending = 0;
		bool stop;
		long r;

		if (limit_ms >= 0 && !time_left(&end, &left))
			return 0;
		quiet_begin(&q);
		memcpy(&open_signals, &q.mask, sizeof(open_signals));
		open_signals = ~open_signals;
		r = poll_with_signals(fd, open_signals, limit_ms < 0 ? NULL : &left, revents);
		SYS(rt_sigpending, &pending, 8);
		stop = interrupts(pending & open_signals, limit_ms >= 0);
		quiet_end(&q); /* handlers run here, and may jump away */
		pthread_testcancel();
		if (r > 0 && *revents)
			return 1;
		if (stop)
			return -EINTR;
		if (r < 0 && r != -EINTR)
			return (int)r;
	}
}
