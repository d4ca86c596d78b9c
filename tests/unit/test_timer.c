/* SPDX-License-Identifier: MIT */
/* timer.c: order, moving, handlers that change timers. */
#include "stack/core/timer.h"

#include "stack/core/random.h"
#include "tests/unit/check.h"

struct probe {
	struct timer_list timer;
	char name;
	struct log *log;
	struct probe *other; /* what the handler works on */
	ktime_t again;       /* re-arm for this time, once */
};

struct log {
	char fired[64];
	size_t n;
	struct timer_base base;
};

static void note(struct probe *p)
{
	CHECK(!timer_pending(&p->timer));
	CHECK_LT(p->log->n, sizeof(p->log->fired) - 1);
	p->log->fired[p->log->n++] = p->name;
	p->log->fired[p->log->n] = '\0';
}

static void on_fire(struct timer_list *t)
{
	note(container_of(t, struct probe, timer));
}

static void setup(struct log *log, struct probe *p, char name, timer_fn fn)
{
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->log = log;
	timer_setup(&p->timer, &log->base, fn);
}

static struct log start(void)
{
	struct log log;

	memset(&log, 0, sizeof(log));
	timer_base_init(&log.base);
	return log;
}

TEST(test_timer_fires_by_time_and_ties_by_order_of_setting)
{
	struct log log = start();
	struct probe p[4];
	int i;

	for (i = 0; i < 4; i++)
		setup(&log, &p[i], (char)('a' + i), on_fire);
	mod_timer(&p[2].timer, 10);
	mod_timer(&p[0].timer, 20);
	mod_timer(&p[3].timer, 10);
	mod_timer(&p[1].timer, 10);
	CHECK_EQ(timer_next_expiry(&log.base), 10);
	CHECK_EQ(timer_run(&log.base, 9), 0);
	CHECK_EQ(timer_run(&log.base, 10), 3);
	CHECK_STR(log.fired, "cdb");
	CHECK_EQ(timer_next_expiry(&log.base), 20);
	CHECK_EQ(timer_run(&log.base, 1000), 1);
	CHECK_STR(log.fired, "cdba");
	CHECK(timer_next_expiry(&log.base) == TIMER_NONE);
	timer_base_exit(&log.base);
}

TEST(test_timer_moved_again_loses_its_place_among_equals)
{
	struct log log = start();
	struct probe a, b;

	setup(&log, &a, 'a', on_fire);
	setup(&log, &b, 'b', on_fire);
	mod_timer(&a.timer, 5);
	mod_timer(&b.timer, 5);
	mod_timer(&a.timer, 5);
	timer_run(&log.base, 5);
	CHECK_STR(log.fired, "ba");
}

TEST(test_timer_deleted_does_not_fire)
{
	struct log log = start();
	struct probe a, b;

	setup(&log, &a, 'a', on_fire);
	setup(&log, &b, 'b', on_fire);
	CHECK(!del_timer(&a.timer));
	mod_timer(&a.timer, 5);
	mod_timer(&b.timer, 6);
	CHECK(timer_pending(&a.timer));
	CHECK(del_timer(&a.timer));
	CHECK(!timer_pending(&a.timer));
	timer_run(&log.base, 10);
	CHECK_STR(log.fired, "b");
	mod_timer(&a.timer, 11);
	timer_destroy(&a.timer);
	timer_base_exit(&log.base);
}

TEST(test_timer_destroy_of_zeroed_memory_is_harmless)
{
	struct timer_list t;

	memset(&t, 0, sizeof(t));
	timer_destroy(&t);
	CHECK(!timer_pending(&t));
}

static void fire_and_rearm(struct timer_list *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	note(p);
	if (p->again) {
		ktime_t at = p->again;

		p->again = 0;
		mod_timer(t, at);
	}
}

TEST(test_timer_armed_by_its_handler_fires_in_the_same_run_if_due)
{
	struct log log = start();
	struct probe a, b;

	setup(&log, &a, 'a', fire_and_rearm);
	setup(&log, &b, 'b', on_fire);
	a.again = 7;
	mod_timer(&a.timer, 5);
	mod_timer(&b.timer, 6);
	CHECK_EQ(timer_run(&log.base, 10), 3);
	CHECK_STR(log.fired, "aba");
	a.again = 50;
	mod_timer(&a.timer, 11);
	CHECK_EQ(timer_run(&log.base, 11), 1);
	CHECK_EQ(timer_next_expiry(&log.base), 50);
	timer_destroy(&a.timer);
}

static void rearm_forever(struct timer_list *t)
{
	mod_timer(t, 1);
}

TEST(test_timer_that_rearms_for_the_past_does_not_hang)
{
	struct log log = start();
	struct probe a;

	setup(&log, &a, 'a', rearm_forever);
	mod_timer(&a.timer, 1);
	CHECK_LT(timer_run(&log.base, 10), 5000);
	CHECK(timer_pending(&a.timer));
	timer_destroy(&a.timer);
}

static void delete_other(struct timer_list *t)
{
	struct probe *p = container_of(t, struct probe, timer);

	note(p);
	timer_destroy(&p->other->timer);
}

TEST(test_timer_handler_may_destroy_another_that_is_due)
{
	struct log log = start();
	struct probe a, b, c;

	setup(&log, &a, 'a', delete_other);
	setup(&log, &b, 'b', on_fire);
	setup(&log, &c, 'c', on_fire);
	a.other = &b;
	mod_timer(&a.timer, 1);
	mod_timer(&b.timer, 1);
	mod_timer(&c.timer, 1);
	timer_run(&log.base, 1);
	CHECK_STR(log.fired, "ac");
	timer_base_exit(&log.base);
}

static void free_itself(struct timer_list *t)
{
	free(container_of(t, struct probe, timer));
}

TEST(test_timer_handler_may_free_its_timer)
{
	struct log log = start();
	struct probe *p = malloc(sizeof(*p));

	CHECK(p != NULL);
	setup(&log, p, 'a', free_itself);
	mod_timer(&p->timer, 1);
	CHECK_EQ(timer_run(&log.base, 1), 1);
	timer_base_exit(&log.base);
}

/* Many random operations against a plain array that is searched for the first. */
struct model {
	struct timer_list timer;
	bool armed;
	ktime_t expires;
	uint64_t order;
};

#define MODEL_SIZE 300

struct model_state {
	struct timer_base base;
	struct model m[MODEL_SIZE];
	uint64_t order;
};

static struct model_state *model_state;

static void check_is_first(struct timer_list *t)
{
	struct model *m = container_of(t, struct model, timer), *o;

	CHECK(m->armed);
	for (o = model_state->m; o < model_state->m + MODEL_SIZE; o++)
		if (o->armed && o != m)
			CHECK(m->expires < o->expires ||
			      (m->expires == o->expires && m->order < o->order));
	m->armed = false;
}

TEST(test_timer_heap_agrees_with_a_plain_search)
{
	static const uint8_t seed[32] = { 5 };
	static struct model_state s;
	struct random_state r;
	size_t armed;
	int i;

	model_state = &s;
	random_seed(&r, seed);
	timer_base_init(&s.base);
	for (i = 0; i < MODEL_SIZE; i++)
		timer_setup(&s.m[i].timer, &s.base, check_is_first);
	for (i = 0; i < 30000; i++) {
		struct model *m = &s.m[random_below(&r, MODEL_SIZE)];
		ktime_t now = (ktime_t)i / 50;

		switch (random_below(&r, 5)) {
		case 0:
			CHECK_EQ(del_timer(&m->timer), m->armed);
			m->armed = false;
			break;
		case 1:
			timer_run(&s.base, now);
			break;
		default:
			m->expires = now + random_below(&r, 40);
			m->order = ++s.order;
			m->armed = true;
			mod_timer(&m->timer, m->expires);
		}
	}
	for (armed = 0, i = 0; i < MODEL_SIZE; i++)
		armed += s.m[i].armed;
	CHECK_EQ(s.base.count, armed);
	CHECK_EQ(timer_run(&s.base, TIMER_NONE - 1), armed);
	timer_base_exit(&s.base);
}
