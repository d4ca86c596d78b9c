/* SPDX-License-Identifier: MIT */
/* What the files of the device layer share: a namespace's devices, round, handlers and taps. */
#ifndef STACK_CORE_DEV_TABLE_H
#define STACK_CORE_DEV_TABLE_H

#include "stack/core/dev.h"

struct dev_table {
	struct list_head devices;      /* of net_device, in order of registration */
	struct list_head poll_round;   /* of napi_struct; first = next to be polled */
	struct list_head packet_types; /* of packet_type */
	struct list_head watches;      /* of packet_watch */
	struct list_head taps;         /* of dev_tap */
	struct list_head tap_held;     /* of held_frame (dev_tap.c); empty when nothing is received */
	int next_ifindex;
};

static inline bool dev_has_taps(const struct net *net)
{
	return !list_empty(&net->devs->taps);
}

static inline bool dev_has_watches(const struct net *net)
{
	return !list_empty(&net->devs->watches);
}

void dev_show_to_watches(const struct sk_buff *skb);
void dev_show_to_taps(const struct net_device *dev, enum tap_dir dir, const struct sk_buff *skb,
		      const char *owner, enum skb_drop_reason reason);
void dev_show_held(struct net *net);
void dev_describe_owner(const struct sk_buff *skb, char *buf, size_t len);

#endif
