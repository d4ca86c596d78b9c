/* SPDX-License-Identifier: MIT */
/*
 * net_namespace.c - birth and end of a network namespace, and its clock
 *
 * A struct net is made by running the constructors of a table of subsystems in order; it is taken
 * down by their destructors in reverse. There is no list of namespaces: whoever made one holds it.
 */
#include "stack/core/net_namespace.h"

static const char *const mib_names[MIB_MAX] = {
	[MIB_NONE] = "None",
#define MIB(name) [MIB_##name] = #name,
#include "stack/core/mib.def"
#undef MIB
};

/**
 * mib_name() - Linux's name of a counter, prefix included ("TcpRetransSegs")
 * @m:  counter
 */
const char *mib_name(enum mib m)
{
	return (unsigned int)m < MIB_MAX ? mib_names[m] : "None";
}

static void exit_subsystems(struct net *net)
{
	while (net->subsystems_ready) {
		const struct pernet_operations *ops = net->subsystems[--net->subsystems_ready];

		if (ops->exit)
			ops->exit(net);
	}
}

/**
 * net_create() - make a namespace out of its subsystems
 * @ops:   NULL-terminated table, must outlive the namespace
 * @seed:  secret random bytes; the same seed and the same input give the same run
 * @now:   start of time, > 0
 * @out:   the namespace, set on success only
 *
 * Return:  0; -EINVAL, -ENOMEM or what the first failing subsystem said
 */
int net_create(const struct pernet_operations *const *ops, const uint8_t seed[32], ktime_t now,
	       struct net **out)
{
	struct net *net;
	int err;

	if (now == 0)
		return -EINVAL;
	net = calloc(1, sizeof(*net));
	if (!net)
		return -ENOMEM;
	net->now = now;
	timer_base_init(&net->timers);
	random_seed(&net->random, seed);
	notifier_head_init(&net->netdev_chain);
	notifier_head_init(&net->inetaddr_chain);
	list_init(&net->sysctl_tables);
	list_init(&net->sysctl_defaults);
	net->subsystems = ops;
	for (; ops[net->subsystems_ready]; net->subsystems_ready++) {
		const struct pernet_operations *o = ops[net->subsystems_ready];

		err = o->init ? o->init(net) : 0;
		if (err < 0)
			goto undo;
	}
	*out = net;
	return 0;

undo:
	exit_subsystems(net);
	free(net);
	return err;
}

/**
 * net_destroy() - take a namespace down
 * @net:  namespace, or NULL; gone afterwards
 */
void net_destroy(struct net *net)
{
	if (!net)
		return;
	exit_subsystems(net);
	timer_base_exit(&net->timers);
	memset(&net->random, 0, sizeof(net->random));
	free(net);
}

/**
 * net_set_time() - tell the namespace the time and leave its timers alone
 * @net:  namespace
 * @now:  the time; an earlier one than before is taken as no change
 */
void net_set_time(struct net *net, ktime_t now)
{
	if (now > net->now)
		net->now = now;
}

/**
 * net_advance() - tell the namespace the time and fire its timers
 * @net:  namespace
 * @now:  the time; an earlier one than before is taken as no change
 */
void net_advance(struct net *net, ktime_t now)
{
	net_set_time(net, now);
	timer_run(&net->timers, net->now);
}
