/* SPDX-License-Identifier: MIT */
/* notifier.c: order of calls, leaving during a call. */
#include "stack/core/notifier.h"

#include "tests/unit/check.h"

struct listener {
	struct notifier_block nb;
	char name;
	struct notifier_head *leave; /* unregister from here when called */
};

struct called {
	char names[16];
	unsigned long event;
};

static void listen_cb(struct notifier_block *nb, unsigned long event, void *data)
{
	struct listener *l = container_of(nb, struct listener, nb);
	struct called *c = data;
	size_t n = strlen(c->names);

	c->names[n] = l->name;
	c->names[n + 1] = '\0';
	c->event = event;
	if (l->leave)
		notifier_chain_unregister(l->leave, nb);
}

static struct listener make(char name, int priority)
{
	struct listener l = { .nb = { .call = listen_cb, .priority = priority }, .name = name };

	return l;
}

TEST(test_notifier_calls_by_priority_then_registration)
{
	struct listener a = make('a', 0), b = make('b', 10), c = make('c', 0), d = make('d', -1);
	struct called called = { "", 0 };
	struct notifier_head h;

	notifier_head_init(&h);
	notifier_call_chain(&h, 1, &called);
	CHECK_STR(called.names, "");
	notifier_chain_register(&h, &d.nb);
	notifier_chain_register(&h, &a.nb);
	notifier_chain_register(&h, &b.nb);
	notifier_chain_register(&h, &c.nb);
	notifier_call_chain(&h, NETDEV_UP, &called);
	CHECK_STR(called.names, "bacd");
	CHECK_EQ(called.event, NETDEV_UP);
}

TEST(test_notifier_block_may_leave_while_called)
{
	struct listener a = make('a', 0), b = make('b', 0), c = make('c', 0);
	struct called called = { "", 0 };
	struct notifier_head h;

	notifier_head_init(&h);
	notifier_chain_register(&h, &a.nb);
	notifier_chain_register(&h, &b.nb);
	notifier_chain_register(&h, &c.nb);
	b.leave = &h;
	notifier_call_chain(&h, 1, &called);
	notifier_call_chain(&h, 2, &called);
	CHECK_STR(called.names, "abcac");
	notifier_chain_unregister(&h, &b.nb);
	notifier_chain_unregister(&h, &a.nb);
	notifier_call_chain(&h, 3, &called);
	CHECK_STR(called.names, "abcacc");
}
