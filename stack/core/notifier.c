/* SPDX-License-Identifier: MIT */
/*
 * notifier.c - chains of those who want to be told of an event
 *
 * A chain is a list ordered by priority. Blocks live in the memory of whoever registers them, so
 * registration cannot fail.
 */
#include "stack/core/notifier.h"

/**
 * notifier_head_init() - an empty chain
 * @h:  chain
 */
void notifier_head_init(struct notifier_head *h)
{
	list_init(&h->list);
}

/**
 * notifier_chain_register() - add a block: behind those of the same or a higher priority
 * @h:   chain
 * @nb:  block on no chain
 */
void notifier_chain_register(struct notifier_head *h, struct notifier_block *nb)
{
	struct notifier_block *pos;

	list_for_each_entry(pos, &h->list, list)
		if (pos->priority < nb->priority)
			break;
	list_add_tail(&nb->list, &pos->list);
}

/**
 * notifier_chain_unregister() - remove a block
 * @h:   chain it is on
 * @nb:  block
 */
void notifier_chain_unregister(struct notifier_head *h, struct notifier_block *nb)
{
	(void)h;
	list_del(&nb->list);
}

/**
 * notifier_call_chain() - tell all blocks
 * @h:      chain
 * @event:  what happened; the chain's own enum
 * @data:   to what
 */
void notifier_call_chain(struct notifier_head *h, unsigned long event, void *data)
{
	struct notifier_block *nb, *next;

	list_for_each_entry_safe(nb, next, &h->list, list)
		nb->call(nb, event, data);
}
