/* SPDX-License-Identifier: MIT */
/*
 * dev_tap.c - what captures see
 *
 * Taps see what a driver took, what was lost at the queue, and received frames once the stack is done
 * with them. What became of a received frame is collected in net->rx meanwhile: skb_drop() notes the
 * first reason, rx_note_owner() the socket. Without taps nothing of this costs more than a test.
 */
#include "stack/core/dev_table.h"

#include "stack/core/sock.h"

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
	char buf[300];
	const char *comment = make_comment(buf, sizeof(buf), owner, reason);
	struct dev_tap *tap, *next;

	list_for_each_entry_safe(tap, next, &dev->net->devs->taps, list)
		tap->frame(tap, dev, dir, skb, comment);
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
