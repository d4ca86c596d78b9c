/* SPDX-License-Identifier: MIT */
/*
 * arp_acd.c - is an address of ours somebody else's too (RFC 5227)
 *
 * A tentative address is probed: ARP requests for it from 0.0.0.0. Whoever answers, or probes for
 * the same, holds it, and the address is given up (IFA_CONFLICT). If nobody does, it comes into use
 * and is announced twice. From then on a packet from our address with a foreign link address is a
 * conflict, against which we defend the address once in ten seconds and keep it (2.4 (c)).
 *
 * ACD_RFC5227 takes the times of the RFC, 4 to 7 s in all. DEVIATES: ACD_FAST sends one probe and
 * waits 200 ms, for hosts that start with each program.
 *
 * Nothing happens while the device is down; a probe starts when the link comes up (2.1).
 */
#include "stack/inet/arp.h"

/* RFC 5227 1.1, milliseconds. */
enum {
	PROBE_WAIT_MS = 1000, PROBE_NUM = 3, PROBE_MIN_MS = 1000, PROBE_MAX_MS = 2000,
	ANNOUNCE_WAIT_MS = 2000, ANNOUNCE_NUM = 2, ANNOUNCE_INTERVAL_MS = 2000,
	DEFEND_INTERVAL_MS = 10000,
	FAST_WAIT_MS = 200,
};

static void arm(struct in_ifaddr *ifa, uint32_t ms)
{
	mod_timer(&ifa->acd.timer, ifa->dev->net->now + ms * NSEC_PER_MSEC);
}

/* Last in every function: the listener may delete @ifa. */
static void tell(struct in_ifaddr *ifa, bool conflict, const uint8_t *peer)
{
	const struct netns_arp *na = ifa->dev->net->arp;

	if (na && na->listener)
		na->listener(na->listener_arg, ifa, conflict, peer);
}

/* RFC 5227 2.1.1: after the last probe, ANNOUNCE_WAIT; between two, PROBE_MIN to PROBE_MAX. */
static void send_probe(struct in_ifaddr *ifa)
{
	struct acd_state *acd = &ifa->acd;

	arp_send(ifa->dev, ARP_OP_REQUEST, 0, ifa->addr.v4, NULL, NULL);
	acd->probes_left--;
	if (acd->fast)
		arm(ifa, FAST_WAIT_MS);
	else if (acd->probes_left > 0)
		arm(ifa, PROBE_MIN_MS + random_below(&ifa->dev->net->random, PROBE_MAX_MS - PROBE_MIN_MS + 1));
	else
		arm(ifa, ANNOUNCE_WAIT_MS);
}

/* RFC 5227 2.3 */
static void send_announcement(struct in_ifaddr *ifa)
{
	arp_announce(ifa);
	if (--ifa->acd.announces_left > 0)
		arm(ifa, ANNOUNCE_INTERVAL_MS);
}

static void take_address(struct in_ifaddr *ifa)
{
	ifa->acd.announces_left = ANNOUNCE_NUM;
	ifa->acd.defended = true;
	inet_ifa_ready(ifa);
	send_announcement(ifa);
	tell(ifa, false, NULL);
}

static void timer_fired(struct timer_list *t)
{
	struct in_ifaddr *ifa = container_of(t, struct in_ifaddr, acd.timer);

	if (ifa->state == IFA_PERMANENT)
		send_announcement(ifa);
	else if (ifa->state == IFA_TENTATIVE && ifa->acd.probes_left > 0)
		send_probe(ifa);
	else if (ifa->state == IFA_TENTATIVE)
		take_address(ifa);
}

/**
 * arp_acd_init() - make an address ready for conflict detection
 * @ifa:  new
 */
void arp_acd_init(struct in_ifaddr *ifa)
{
	timer_setup(&ifa->acd.timer, &ifa->dev->net->timers, timer_fired);
}

/**
 * arp_acd_exit() - the address is about to be freed
 * @ifa:  was initialised
 */
void arp_acd_exit(struct in_ifaddr *ifa)
{
	timer_destroy(&ifa->acd.timer);
}

static void start_probes(struct in_ifaddr *ifa)
{
	struct acd_state *acd = &ifa->acd;

	acd->wanted = false;
	acd->probes_left = acd->fast ? 1 : PROBE_NUM;
	if (acd->fast)
		send_probe(ifa);
	else
		arm(ifa, random_below(&ifa->dev->net->random, PROBE_WAIT_MS + 1));
}

static bool link_is_up(const struct net_device *dev)
{
	return netif_running(dev) && dev->carrier;
}

/**
 * arp_acd_start() - probe for an address before it is used
 * @ifa:   tentative
 * @mode:  ACD_FAST or ACD_RFC5227
 *
 * The probing waits for the device to come up.
 */
void arp_acd_start(struct in_ifaddr *ifa, enum acd_mode mode)
{
	ifa->acd.fast = mode == ACD_FAST;
	ifa->acd.wanted = true;
	if (link_is_up(ifa->dev))
		start_probes(ifa);
}

/**
 * arp_acd_stop() - no more probes or announcements
 * @ifa:  address
 */
void arp_acd_stop(struct in_ifaddr *ifa)
{
	del_timer(&ifa->acd.timer);
	ifa->acd.wanted = false;
	ifa->acd.probes_left = 0;
	ifa->acd.announces_left = 0;
}

/**
 * arp_acd_link_change() - the device came up, went down, got or lost its carrier
 * @ifa:  one of its addresses
 *
 * Source:  RFC 5227 2.1 (a link that comes up); an address in use is announced again, not probed
 *          again: DEVIATES, connections would break over each short loss of carrier
 */
void arp_acd_link_change(struct in_ifaddr *ifa)
{
	struct acd_state *acd = &ifa->acd;

	if (!link_is_up(ifa->dev)) {
		if (ifa->state == IFA_TENTATIVE && timer_pending(&acd->timer))
			acd->wanted = true;
		del_timer(&acd->timer);
		acd->announces_left = 0;
		return;
	}
	if (ifa->state == IFA_TENTATIVE && acd->wanted) {
		start_probes(ifa);
	} else if (ifa->state == IFA_PERMANENT && acd->announces_left == 0 && acd->defended) {
		acd->announces_left = 1;
		send_announcement(ifa);
	}
}

/* RFC 5227 2.1.1: somebody uses it, or probes for it at the same time. */
static bool contests_probe(const struct in_ifaddr *ifa, const struct arp_fields *arp)
{
	return arp->sip == ifa->addr.v4 ||
	       (arp->sip == 0 && arp->op == ARP_OP_REQUEST && arp->tip == ifa->addr.v4);
}

static void give_up(struct in_ifaddr *ifa, const uint8_t *peer)
{
	arp_acd_stop(ifa);
	inet_ifa_conflict(ifa);
	tell(ifa, true, peer);
}

/* RFC 5227 2.4 (c): one announcement, then silence for DEFEND_INTERVAL; the address is kept. */
static void defend(struct in_ifaddr *ifa, const uint8_t *peer)
{
	struct acd_state *acd = &ifa->acd;
	const ktime_t now = ifa->dev->net->now;

	if (acd->last_defence && now < acd->last_defence + DEFEND_INTERVAL_MS * NSEC_PER_MSEC)
		return;
	acd->last_defence = now;
	arp_announce(ifa);
	tell(ifa, true, peer);
}

/**
 * arp_acd_rcv_check() - look at a received ARP packet for a conflict
 * @dev:  where it came in
 * @arp:  its fields; not sent by ourselves
 */
void arp_acd_rcv_check(struct net_device *dev, const struct arp_fields *arp)
{
	struct in_ifaddr *ifa;

	for (ifa = inet_ifa_next(dev, NULL); ifa; ifa = inet_ifa_next(dev, ifa)) {
		if (ifa->state == IFA_TENTATIVE && contests_probe(ifa, arp)) {
			give_up(ifa, arp->sha);
			return;
		}
		if (ifa->state == IFA_PERMANENT && arp->sip == ifa->addr.v4) {
			defend(ifa, arp->sha);
			return;
		}
	}
}

/**
 * arp_acd_set_listener() - who is told about conflicts and finished probes
 * @net:  namespace
 * @fn:   NULL = nobody
 * @arg:  handed to @fn
 */
void arp_acd_set_listener(struct net *net, acd_event_fn fn, void *arg)
{
	net->arp->listener = fn;
	net->arp->listener_arg = arg;
}

/**
 * arp_announce() - tell the link that an address is ours
 * @ifa:  address in use
 *
 * Source:  RFC 5227 1.1 (ARP announcement): a request with both addresses ours
 */
void arp_announce(struct in_ifaddr *ifa)
{
	arp_send(ifa->dev, ARP_OP_REQUEST, ifa->addr.v4, ifa->addr.v4, NULL, NULL);
}
