/* SPDX-License-Identifier: MIT */
/*
 * A namespace with a device that exists in memory only: it keeps the frames that the stack sends
 * until a test takes them, and delivers those that a test injects.
 *
 *	struct net *net = fake_net_create(NULL);
 *	struct net_device *dev = fake_dev_create(net, "eth0", 1);
 *	fake_dev_inject(dev, frame, len);
 *	struct fake_frame *f = fake_dev_take(dev);
 *	...
 *	free(f);
 *	fake_net_destroy(net);
 */
#ifndef TESTS_UNIT_FAKE_DEV_H
#define TESTS_UNIT_FAKE_DEV_H

#include "stack/core/dev.h"

/* One sent frame. A partial checksum is completed, except in a super-segment. */
struct fake_frame {
	struct list_head list;
	ktime_t at;             /* net->now when it was sent */
	bool csum_partial;      /* it came as CHECKSUM_PARTIAL */
	bool had_frag;
	uint8_t gso_type;
	uint16_t gso_size;
	uint32_t len;
	uint8_t data[];
};

/* How the device behaves; set the fields at any time. */
struct fake_dev {
	struct list_head sent;     /* of fake_frame, oldest first */
	unsigned int sent_count;   /* frames in the list */
	struct sk_buff_head rx;
	unsigned int accept;       /* frames taken before start_xmit() says busy; UINT_MAX = all */
	bool drop_silently;        /* take frames, keep none */
	unsigned int polls;        /* times poll() was called */
	int open_error;            /* what open() answers */
};

/*
 * @ops: NULL-terminated table of at most 20 subsystems; NULL = dev and neigh only. Time starts at
 * FAKE_CLOCK_START, the seed is fixed. Fails the test when the namespace cannot be made.
 */
struct net *fake_net_create(const struct pernet_operations *const *ops);
/* Also fails the test when skbs or timers are left behind. */
void fake_net_destroy(struct net *net);

/* An Ethernet device, MTU 1500, no offloads, address 02:00:00:00:00:@last, up. */
struct net_device *fake_dev_create(struct net *net, const char *name, uint8_t last);
struct fake_dev *fake_dev_priv(struct net_device *dev);

/* A frame arrives, link header and all, and is delivered at once. */
void fake_dev_inject(struct net_device *dev, const void *frame, size_t len);
/* The same, delivered by the next fake_settle() or net_rx_action() only. @partial: as CHECKSUM_PARTIAL. */
void fake_dev_inject_later(struct net_device *dev, const void *frame, size_t len, bool partial);

/* The oldest frame sent, the caller frees it; NULL when nothing was sent. */
struct fake_frame *fake_dev_take(struct net_device *dev);
/* Forgets all frames sent so far; returns how many. */
unsigned int fake_dev_forget(struct net_device *dev);

#endif
