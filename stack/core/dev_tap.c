/* SPDX-License-Identifier: MIT */
/*
 * dev_tap.c - what captures see
 *
 * Taps see what a driver took, what was lost at the queue, and received frames once the stack is done
 * with them. What became of a received frame is collected in net->rx meanwhile: skb_drop() notes the
 * first reason, rx_note_owner() the socket. Without taps nothing of this costs more than a test.
 *
 * A frame that is sent while a received one is still on its way up (an ACK, an ARP reply) is held
 * back until that one has been shown: a capture tells first what came and then what it caused.
 */
#include "stack/core/dev_table.h"

#include "stack/core/sock.h"

enum { COMMENT_MAX = 300 };

/* A frame that waits for the received one before it. */
struct held_frame {
	struct list_head list;
	struct sk_buff *skb;
	const struct net_device *dev;
	bool commented;
	char comment[COMMENT_MAX];
};

/* Joins owner and drop reason; NULL when there is nothing to say. */
static const char *make_comment(char *buf, size_t len, const char *owner,
				enum skb_drop_reason reason)
{
	bool dropped = reason != SKB_NOT_DROPPED;

	if (!*owner && !dropped)
		return NULL;
	snprintf(buf, len, "%s%s%s%s", owner, *owner && dropped ? "; " : "",
		 dropped ? "dropped: " : "", dropped ? skb_drop_reason_str(reason) : "");
	return buf;
}

static void show(const struct net_device *dev, enum tap_dir dir, const struct sk_buff *skb,
		 const char *comment)
{
	struct dev_tap *tap, *next;

	list_for_each_entry_safe(tap, next, &dev->net->devs->taps, list)
		tap->frame(tap, dev, dir, skb, comment);
}

/* False when there is no memory. */
static bool hold_back(const struct net_device *dev, const struct sk_buff *skb, const char *comment)
{
	struct held_frame *held = calloc(1, sizeof(*held));

	if (held)
		held->skb = skb_clone(skb);
	if (!held || !held->skb) {
		free(held);
		return false;
	}
	held->dev = dev;
	held->commented = comment;
	if (comment)
		snprintf(held->comment, sizeof(held->comment), "%s", comment);
	list_add_tail(&held->list, &dev->net->devs->tap_held);
	return true;
}

/**
 * dev_show_held() - the received frame has been shown: now those that went out meanwhile
 * @net:  namespace
 */
void dev_show_held(struct net *net)
{
	while (!list_empty(&net->devs->tap_held)) {
		struct held_frame *held =
			list_first_entry(&net->devs->tap_held, struct held_frame, list);

		list_del(&held->list);
		show(held->dev, TAP_OUT, held->skb, held->commented ? held->comment : NULL);
		skb_consume(held->skb);
		free(held);
	}
}

/**
 * dev_show_to_taps() - give a frame to all taps
 * @dev:     device
 * @dir:     in or out
 * @skb:     frame from its mac_header on; borrowed
 * @owner:   text on its socket, "" = none
 * @reason:  why it was dropped, or SKB_NOT_DROPPED
 */
void dev_show_to_taps(const struct net_device *dev, enum tap_dir dir, const struct sk_buff *skb,
		      const char *owner, enum skb_drop_reason reason)
{
	char buf[COMMENT_MAX];
	const char *comment = make_comment(buf, sizeof(buf), owner, reason);

	/* Without memory the order is lost rather than the frame. */
	if (dir == TAP_OUT && dev->net->rx.active && hold_back(dev, skb, comment))
		return;
	show(dev, dir, skb, comment);
}

/**
 * dev_describe_owner() - text on the socket that a frame of ours belongs to
 * @skb:  frame
 * @buf:  text; "" without an owner
 * @len:  its room
 */
void dev_describe_owner(const struct sk_buff *skb, char *buf, size_t len)
{
	buf[0] = '\0';
	if (skb->sk)
		sock_describe(skb->sk, buf, len);
}

/**
 * dev_add_tap() - show all frames of all devices to a tap
 * @net:  namespace
 * @tap:  tap, in the caller's memory
 */
void dev_add_tap(struct net *net, struct dev_tap *tap)
{
	list_add_tail(&tap->list, &net->devs->taps);
}

/**
 * dev_remove_tap() - undo dev_add_tap()
 * @tap:  tap; may be called from its frame function
 */
void dev_remove_tap(struct dev_tap *tap)
{
	list_del(&tap->list);
}

/**
 * rx_note_owner() - a socket was found for the frame that is being received
 * @net:  namespace
 * @sk:   socket; the last one noted is shown
 */
void rx_note_owner(struct net *net, const struct sock *sk)
{
	if (!net->rx.active || !dev_has_taps(net))
		return;
	net->rx.has_owner = true;
	sock_describe(sk, net->rx.owner, sizeof(net->rx.owner));
}
