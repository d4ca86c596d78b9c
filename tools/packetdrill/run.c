/* SPDX-License-Identifier: MIT */
/*
 * run.c - plays a script: its events in their order, each at its time
 *
 * Time is the simulated host's and jumps from one thing to the next: the event's time, or a timer of
 * the stack on the way there. A relative time counts from when the event before took place. What
 * the stack sends is kept until an event expects it. Nothing here sleeps, and nothing depends on
 * anything but the script, the options and the seed.
 */
#include "tools/packetdrill/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 500000 /* of the clock, or timers set: an endless script ends, and so does a timer without delay */

/**
 * run_note() - why the play ends; only the first reason counts
 * @r:     run
 * @v:     how it ends
 * @line:  of the event
 * @fmt:   the reason
 */
void run_note(struct run *r, enum verdict v, int line, const char *fmt, ...)
{
	va_list args;
	int n;

	if (r->verdict != PLAY_PASS)
		return;
	r->verdict = v;
	n = snprintf(r->message, sizeof(r->message), "%.400s:%d: ", r->script->name, line);
	va_start(args, fmt);
	vsnprintf(r->message + n, sizeof(r->message) - (size_t)n, fmt, args);
	va_end(args);
}

/* ---- time ------------------------------------------------------------------------------------ */

/** run_tolerance() - by how much an event at @us may be off */
int64_t run_tolerance(const struct run *r, int64_t us)
{
	int64_t since = us - r->event_us, part = since > 0 ? since * r->cfg.tolerance_permille / 1000 : 0;

	return part > r->cfg.tolerance_us ? part : r->cfg.tolerance_us;
}

/* The earliest time at which a blocked call must have returned; INT64_MAX = none is blocked. */
static int64_t blocked_limit(const struct run *r)
{
	int64_t limit = INT64_MAX;
	const struct call *c;

	for (c = r->blocked; c; c = c->next) {
		int64_t late = c->end_us + run_tolerance(r, c->end_us);

		limit = late < limit ? late : limit;
	}
	return limit;
}

/* When a blocked call's own time-out is due; INT64_MAX = none has one. */
static int64_t blocked_wake(const struct run *r)
{
	int64_t wake = INT64_MAX;
	const struct call *c;

	for (c = r->blocked; c; c = c->next)
		wake = c->wake_us < wake ? c->wake_us : wake;
	return wake;
}

/**
 * run_blocked() - lets blocked calls go on
 * @r:  run
 *
 * Return:  false when one returned otherwise than the script says, or should have returned
 */
bool run_blocked(struct run *r)
{
	struct call **link = &r->blocked, *c;

	while ((c = *link)) {
		bool done = false;

		if (!call_retry(c, &done))
			return false;
		if (done) {
			*link = c->next;
			free(c);
			link = &r->blocked;
			continue;
		}
		if (sim_now(&r->sim) > c->end_us + run_tolerance(r, c->end_us))
			return run_fail(r, c->ev->line,
					"%s() is still blocked at %.6f; expected to return at %.6f", c->spec->name,
					(double)sim_now(&r->sim) / 1e6, (double)c->end_us / 1e6);
		link = &c->next;
	}
	return true;
}

/**
 * run_until() - lets time pass
 * @r:   run
 * @us:  target
 *
 * Return:  false after a failure of a blocked call
 */
bool run_until(struct run *r, int64_t us)
{
	while (sim_now(&r->sim) < us || sim_next(&r->sim) <= us) {
		int64_t limit = blocked_limit(r), wake = blocked_wake(r), to = limit < us ? limit + 1 : us;

		if (r->steps > MAX_STEPS)
			return run_fail(r, r->line,
					"more than %d timers by %.6f: the script asks for too much time, or one "
					"is set again and again", MAX_STEPS, (double)sim_now(&r->sim) / 1e6);
		r->steps += 1 + sim_step(&r->sim, wake < to ? wake : to);
		if (!run_blocked(r))
			return false;
	}
	if (r->sim.lost)
		return run_fail(r, r->line, "out of memory");
	if (r->sim.chased)
		return run_fail(r, r->line, "frames answer each other without an end at %.6f",
				(double)sim_now(&r->sim) / 1e6);
	return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void show(const struct run *r, const struct event *ev)
{
	static const char *const kinds[] = { "packet", "call", "command", "code" };

	if (r->cfg.verbose)
		printf("%s:%d: %.6f %s %s\n", r->script->name, ev->line, (double)sim_now(&r->sim) / 1e6,
		       kinds[ev->kind], ev->kind == EVENT_CALL ? ev->call->name : "");
}

static bool play_at(struct run *r, const struct event *ev, int64_t base, int64_t from)
{
	int64_t now = sim_now(&r->sim);

	if (from < now - run_tolerance(r, from))
		return run_fail(r, ev->line, "event at %.6f comes too late: it is %.6f already",
				(double)from / 1e6, (double)now / 1e6);
	if (!run_until(r, from))
		return false;
	show(r, ev);
	switch (ev->kind) {
	case EVENT_PACKET: return play_inbound(r, ev);
	case EVENT_CALL: return play_call(r, ev, base);
	case EVENT_COMMAND: return play_command(r, ev->text, ev->text_line);
	case EVENT_CODE: return play_code(r, ev);
	}
	return true;
}

static bool play_event(struct run *r, const struct event *ev)
{
	bool relative = ev->time_kind == TIME_RELATIVE || ev->time_kind == TIME_RELATIVE_RANGE;
	int64_t base = relative ? sim_now(&r->sim) : 0, from = base + ev->time_us, to = from;

	r->line = ev->line;
	if (ev->time_kind == TIME_ANY) {
		from = 0;
		to = INT64_MAX;
	} else if (ev->time_kind != TIME_ABSOLUTE && ev->time_kind != TIME_RELATIVE) {
		to = base + ev->end_us;
	}
	if (ev->kind == EVENT_PACKET && !ev->packet->inbound) {
		if (!play_outbound(r, ev, from, to))
			return false;
		show(r, ev);
	} else if (!play_at(r, ev, base, from)) {
		return false;
	}
	r->event_us = sim_now(&r->sim);
	return true;
}

/* What is blocked still has until its time to return. */
static bool play_blocked_out(struct run *r)
{
	while (r->blocked)
		if (!run_until(r, blocked_limit(r) + 1))
			return false;
	return true;
}

static bool play_all(struct run *r)
{
	const struct event *ev;

	if (!play_init_scripts(r))
		return false;
	for (ev = r->script->init; ev; ev = ev->next)
		if (!play_command(r, ev->text, ev->text_line))
			return false;
	for (ev = r->script->events; ev; ev = ev->next)
		if (!play_event(r, ev))
			return false;
	if (!play_blocked_out(r))
		return false;
	return !r->cfg.strict || play_leftovers(r);
}

/**
 * run_script() - plays a script from its first event to its last
 * @r:  zeroed but for cfg and script
 *
 * Code is run in any case: what was gathered before a failure may have failed as well.
 * Return:  verdict; r->message says why
 */
enum verdict run_script(struct run *r)
{
	struct call *c;
	int err = sim_create(&r->sim, &r->cfg);

	if (err < 0) {
		run_note(r, PLAY_FAIL, 0, "no host can be made with these options: %s", strerror(-err));
		return r->verdict;
	}
	if (play_all(r))
		code_run(r);
	while ((c = r->blocked)) {
		r->blocked = c->next;
		free(c);
	}
	files_free(r);
	flows_free(&r->flows);
	sim_destroy(&r->sim);
	free(r->code.text);
	return r->verdict;
}
