/* SPDX-License-Identifier: MIT */
/*
 * packet_sockopt.c - SOL_PACKET: options and memberships of packet sockets (man 7 packet)
 *
 * A positive list: what is not here is -ENOPROTOOPT. Group frames always reach our devices, so that of
 * the memberships promiscuous mode and further unicast addresses alone ask something of a device: both
 * make it promiscuous, as on a Linux device that cannot filter addresses.
 */
#include <limits.h>

#include "stack/packet/packet_sock.h"

/* --- memberships ------------------------------------------------------------------------------ */

static void apply_to_device(const struct packet_mclist *mc, struct net_device *dev, int inc)
{
	if (mc->type == PACKET_MR_PROMISC || mc->type == PACKET_MR_UNICAST)
		dev_set_promiscuity(dev, inc);
}

static struct packet_mclist *find_membership(struct packet_sock *ps, const struct packet_mreq *mreq)
{
	struct packet_mclist *mc;

	list_for_each_entry(mc, &ps->mclist, list)
		if (mc->ifindex == mreq->mr_ifindex && mc->type == mreq->mr_type && mc->alen == mreq->mr_alen &&
		    memcmp(mc->addr, mreq->mr_address, mc->alen) == 0)
			return mc;
	return NULL;
}

static int add_membership(struct packet_sock *ps, const struct packet_mreq *mreq)
{
	struct net_device *dev = dev_get_by_index(ps->sk.net, mreq->mr_ifindex);
	bool by_address = mreq->mr_type == PACKET_MR_MULTICAST || mreq->mr_type == PACKET_MR_UNICAST;
	struct packet_mclist *mc;

	if (!dev)
		return -ENODEV;
	if (mreq->mr_alen > ETH_ALEN || (by_address && mreq->mr_alen != ETH_ALEN))
		return -EINVAL;
	mc = find_membership(ps, mreq);
	if (mc) {
		mc->count++;
		return 0;
	}
	mc = calloc(1, sizeof(*mc));
	if (!mc)
		return -ENOBUFS;
	mc->ifindex = mreq->mr_ifindex;
	mc->type = mreq->mr_type;
	mc->alen = mreq->mr_alen;
	mc->count = 1;
	memcpy(mc->addr, mreq->mr_address, mc->alen);
	list_add_tail(&mc->list, &ps->mclist);
	apply_to_device(mc, dev, 1);
	return 0;
}

static void end_membership(struct packet_sock *ps, struct packet_mclist *mc)
{
	struct net_device *dev = dev_get_by_index(ps->sk.net, mc->ifindex);

	if (dev)
		apply_to_device(mc, dev, -1);
	list_del(&mc->list);
	free(mc);
}

static int change_membership(struct packet_sock *ps, int name, const void *val, socklen_t len)
{
	struct packet_mclist *mc;
	struct packet_mreq mreq;

	if (len < sizeof(mreq))
		return -EINVAL;
	memcpy(&mreq, val, sizeof(mreq));
	if (len < mreq.mr_alen + offsetof(struct packet_mreq, mr_address))
		return -EINVAL;
	if (name == PACKET_ADD_MEMBERSHIP)
		return add_membership(ps, &mreq);
	if (mreq.mr_alen > sizeof(mreq.mr_address))
		return 0;
	mc = find_membership(ps, &mreq);
	if (mc && --mc->count == 0)
		end_membership(ps, mc);
	return 0; /* also for one that was not there, as Linux */
}

/** packet_flush_mclist() - the socket's end: gives all memberships up */
void packet_flush_mclist(struct packet_sock *ps)
{
	while (!list_empty(&ps->mclist))
		end_membership(ps, list_first_entry(&ps->mclist, struct packet_mclist, list));
}

/** packet_forget_device() - the device goes, and its memberships with it */
void packet_forget_device(struct packet_sock *ps, int ifindex)
{
	struct packet_mclist *mc, *next;

	list_for_each_entry_safe(mc, next, &ps->mclist, list)
		if (mc->ifindex == ifindex)
			end_membership(ps, mc);
}

/* --- setting ---------------------------------------------------------------------------------- */

static int set_version(struct packet_sock *ps, int v)
{
	if (packet_header_len(v) < 0)
		return -EINVAL;
	if (ps->ring)
		return -EBUSY;
	ps->version = (enum tpacket_versions)v;
	return 0;
}

static int set_reserve(struct packet_sock *ps, int v)
{
	if (v < 0)
		return -EINVAL;
	if (ps->ring)
		return -EBUSY;
	ps->reserve = (uint32_t)v;
	return 0;
}

static int set_int(struct packet_sock *ps, int name, int v)
{
	switch (name) {
	case PACKET_VERSION:
		return set_version(ps, v);
	case PACKET_RESERVE:
		return set_reserve(ps, v);
	case PACKET_AUXDATA:
		ps->auxdata = v != 0;
		return 0;
	case PACKET_ORIGDEV: /* no device of ours stands for another: it is always the original one */
		ps->origdev = v != 0;
		return 0;
	case PACKET_TIMESTAMP: /* no device of ours has a clock: what may be chosen is the host's */
		ps->tstamp = v;
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v < 0 || v > 1)
			return -EINVAL;
		ps->ignore_outgoing = v;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/**
 * packet_setsockopt() - SOL_PACKET
 * @sock:  socket
 * @level: level
 * @name:  PACKET_*
 * @val:   value
 * @len:   its length
 *
 * Source:  man 7 packet; errors as Linux's
 * Return:  0; -ENOPROTOOPT, -EINVAL, -EBUSY (not while there is a ring), -ENODEV, -ENOMEM
 */
int packet_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	int v, err;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		return change_membership(ps, name, val, len);
	case PACKET_RX_RING:
		return packet_set_ring(sock, val, len);
	case PACKET_VERSION:
	case PACKET_RESERVE:
	case PACKET_AUXDATA:
	case PACKET_ORIGDEV:
	case PACKET_TIMESTAMP:
	case PACKET_IGNORE_OUTGOING:
		err = sockopt_get_int(val, len, &v);
		return err ? err : set_int(ps, name, v);
	default:
		return -ENOPROTOOPT;
	}
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Reading them sets them to zero; the lost ones count among the packets. */
static int get_statistics(struct packet_sock *ps, void *val, socklen_t *len)
{
	struct tpacket_stats_v3 st = {
		.tp_packets = ps->packets, .tp_drops = ps->drops, .tp_freeze_q_cnt = packet_ring_take_freezes(ps),
	};

	ps->packets = 0;
	ps->drops = 0;
	return sockopt_put_bytes(val, len, &st,
				 ps->version == TPACKET_V3 ? sizeof(st) : sizeof(struct tpacket_stats));
}

/* The one question whose buffer holds a number already: which version is meant. */
static int get_header_len(void *val, socklen_t *len)
{
	int v;

	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	v = packet_header_len(v);
	return v < 0 ? v : sockopt_put_int(val, len, v);
}

/**
 * packet_getsockopt() - SOL_PACKET
 * @sock:  socket
 * @level: level
 * @name:  PACKET_*
 * @val:   answer; PACKET_HDRLEN: the version asked about
 * @len:   in: room; out: length of the answer
 *
 * Return:  0; -ENOPROTOOPT, -EINVAL
 */
int packet_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	struct packet_sock *ps = pkt_sk(sock->sk);

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (name) {
	case PACKET_STATISTICS:
		return get_statistics(ps, val, len);
	case PACKET_HDRLEN:
		return get_header_len(val, len);
	case PACKET_VERSION:
		return sockopt_put_int(val, len, (int)ps->version);
	case PACKET_RESERVE:
		return sockopt_put_int(val, len, (int)ps->reserve);
	case PACKET_AUXDATA:
		return sockopt_put_int(val, len, ps->auxdata);
	case PACKET_ORIGDEV:
		return sockopt_put_int(val, len, ps->origdev);
	case PACKET_TIMESTAMP:
		return sockopt_put_int(val, len, ps->tstamp);
	case PACKET_IGNORE_OUTGOING:
		return sockopt_put_int(val, len, ps->ignore_outgoing);
	default:
		return -ENOPROTOOPT;
	}
}
