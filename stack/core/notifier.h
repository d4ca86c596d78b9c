/* SPDX-License-Identifier: MIT */
/* Notifier chains: who wants to know tells the chain, who knows calls it. */
#ifndef STACK_CORE_NOTIFIER_H
#define STACK_CORE_NOTIFIER_H

#include "stack/core/list.h"

struct notifier_block;
typedef void (*notifier_fn)(struct notifier_block *nb, unsigned long event, void *data);

struct notifier_block {
	struct list_head list;
	notifier_fn call;
	int priority; /* higher first; equal: in order of registration */
};

struct notifier_head {
	struct list_head list;
};

enum netdev_event {
	NETDEV_REGISTER = 1, NETDEV_UNREGISTER, NETDEV_UP, NETDEV_GOING_DOWN, NETDEV_DOWN,
	NETDEV_CHANGE,      /* carrier */
	NETDEV_CHANGEMTU, NETDEV_CHANGEADDR,
};

enum inetaddr_event { INETADDR_ADD = 1, INETADDR_DEL };

void notifier_head_init(struct notifier_head *h);
void notifier_chain_register(struct notifier_head *h, struct notifier_block *nb);
void notifier_chain_unregister(struct notifier_head *h, struct notifier_block *nb);
/* A called block may unregister itself. */
void notifier_call_chain(struct notifier_head *h, unsigned long event, void *data);

#endif
