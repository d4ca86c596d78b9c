/* SPDX-License-Identifier: MIT */
/*
 * af_packet_link.c - follows the kernel's interface: up, down, carrier, MTU, renamed, removed
 *
 * An rtnetlink socket in RTNLGRP_LINK hears of every change of every interface in the namespace;
 * messages about others are skipped. Each change is applied in the order it happened, so that a
 * carrier that goes and comes back is seen as both. When messages were lost (ENOBUFS) the present
 * state is asked for instead. rtnetlink(7); the flags are those of netdevice(7).
 *
 * The kernel tells of an interface that leaves a bridge by RTM_DELLINK with family AF_BRIDGE: that
 * is not its end. One moved to another namespace is gone for us.
 *
 * rtnetlink.h brings <linux/if_link.h>, whose neighbour <linux/if.h> tolerates <net/if.h> before it.
 */
#include "netif/af_packet.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>

/* Enough for any one message about an interface; longer ones are truncated and skipped. */
enum { LINK_BUF_SIZE = 32768, LINK_BATCH = 64 };

/**
 * af_packet_link_open() - subscribe to changes
 * @ap:  device; link_fd is set
 *
 * Return:  0 or negative errno
 */
int af_packet_link_open(struct af_packet *ap)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int err;

	if (fd < 0)
		return fd;
	err = sys_bind(fd, &addr, sizeof(addr));
	if (err < 0) {
		sys_close(fd);
		return err;
	}
	ap->link_fd = fd;
	return 0;
}

/**
 * af_packet_link_query() - present state of the interface
 * @ap:    device; ifname follows a renaming
 * @link:  out
 *
 * Return:  0 or negative errno, -ENODEV when it is gone
 */
int af_packet_link_query(struct af_packet *ap, struct af_packet_link *link)
{
	struct ifreq ifr;
	int err;

	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_ifindex = ap->ifindex;
	err = sys_ioctl(ap->fd, SIOCGIFNAME, &ifr);
	if (err < 0)
		return err;
	memcpy(ap->ifname, ifr.ifr_name, sizeof(ap->ifname));
	err = sys_ioctl(ap->fd, SIOCGIFHWADDR, &ifr);
	if (err < 0)
		return err;
	link->type = ifr.ifr_hwaddr.sa_family;
	memcpy(link->mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	err = sys_ioctl(ap->fd, SIOCGIFMTU, &ifr);
	if (err < 0)
		return err;
	link->mtu = (uint32_t)ifr.ifr_mtu;
	err = sys_ioctl(ap->fd, SIOCGIFFLAGS, &ifr);
	if (err < 0)
		return err;
	link->flags = (unsigned short)ifr.ifr_flags;
	return 0;
}

/**
 * af_packet_link_apply() - take over a state of the interface
 * @ap:     device, registered
 * @flags:  IFF_* of the kernel's interface
 * @mtu:    its MTU, 0 = unknown
 *
 * A user's MTU stays as long as it fits the interface.
 */
void af_packet_link_apply(struct af_packet *ap, unsigned int flags, uint32_t mtu)
{
	bool carrier = (flags & IFF_UP) && (flags & IFF_RUNNING);
	uint32_t ours;

	if (mtu) {
		ap->kernel_mtu = mtu;
		ours = ap->wanted_mtu ? MIN(ap->wanted_mtu, mtu) : mtu;
		/* Refused when it is too small for IPv4: then every larger packet fails in sending. */
		if (ours != ap->dev->mtu)
			(void)dev_set_mtu(ap->dev, ours);
	}
	if (carrier != ap->dev->carrier)
		netif_carrier_set(ap->dev, carrier);
	if (carrier)
		af_packet_tx_wake(ap);
}

/**
 * af_packet_link_lost() - the interface does not exist any more
 * @ap:  device, stays registered and without carrier
 */
void af_packet_link_lost(struct af_packet *ap)
{
	ap->gone = true;
	if (ap->dev->carrier)
		netif_carrier_set(ap->dev, false);
	/* What waits for room would wait for ever; sending it on finds out that there is no device. */
	af_packet_tx_wake(ap);
}

static void take_attr(struct af_packet *ap, const struct rtattr *a, size_t payload, uint32_t *mtu)
{
	if (a->rta_type == IFLA_MTU && payload >= sizeof(*mtu))
		memcpy(mtu, RTA_DATA(a), sizeof(*mtu));
	if (a->rta_type == IFLA_IFNAME && payload > 0 && payload <= sizeof(ap->ifname)) {
		memcpy(ap->ifname, RTA_DATA(a), payload);
		ap->ifname[payload - 1] = '\0';
	}
}

static void take_newlink(struct af_packet *ap, const struct nlmsghdr *nh)
{
	const struct ifinfomsg *info = NLMSG_DATA(nh);
	const uint8_t *at = (const uint8_t *)nh + NLMSG_SPACE(sizeof(*info));
	const uint8_t *end = (const uint8_t *)nh + nh->nlmsg_len;
	uint32_t mtu = 0;

	while (at < end && (size_t)(end - at) >= sizeof(struct rtattr)) {
		const struct rtattr *a = (const void *)at;

		if (a->rta_len < sizeof(*a) || a->rta_len > (size_t)(end - at))
			break;
		take_attr(ap, a, a->rta_len - RTA_LENGTH(0), &mtu);
		at += RTA_ALIGN(a->rta_len);
	}
	af_packet_link_apply(ap, info->ifi_flags, mtu);
}

static void take_message(struct af_packet *ap, const struct nlmsghdr *nh)
{
	const struct ifinfomsg *info = NLMSG_DATA(nh);

	if (nh->nlmsg_type != RTM_NEWLINK && nh->nlmsg_type != RTM_DELLINK)
		return;
	if (nh->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || info->ifi_index != ap->ifindex ||
	    info->ifi_family == AF_BRIDGE || ap->gone)
		return;
	if (nh->nlmsg_type == RTM_DELLINK)
		af_packet_link_lost(ap);
	else
		take_newlink(ap, nh);
}

/* Messages were lost: take the present state. */
static void resync(struct af_packet *ap)
{
	struct af_packet_link link;
	int err = af_packet_link_query(ap, &link);

	if (err == -ENODEV || err == -ENXIO)
		af_packet_link_lost(ap);
	else if (err == 0)
		af_packet_link_apply(ap, link.flags, link.mtu);
}

/* One datagram of messages; false when there is none. */
static bool read_link(struct af_packet *ap, uint8_t *buf)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { buf, LINK_BUF_SIZE };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
	};
	ssize_t n = sys_recvmsg(ap->link_fd, &msg, MSG_DONTWAIT);
	size_t left;

	if (n == -EINTR)
		return true;
	if (n == -ENOBUFS || (n >= 0 && (msg.msg_flags & MSG_TRUNC))) {
		resync(ap);
		return true;
	}
	if (n < 0)
		return false;
	if (from.nl_pid != 0) /* another process may write to us; only the kernel is believed */
		return true;
	left = (size_t)n;
	for (const struct nlmsghdr *nh = (const void *)buf; NLMSG_OK(nh, left);
	     nh = NLMSG_NEXT(nh, left))
		take_message(ap, nh);
	return true;
}

/**
 * af_packet_link_input() - link_fd is readable: apply what changed
 * @dev:  device
 */
void af_packet_link_input(struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);
	_Alignas(NLMSG_ALIGNTO) uint8_t buf[LINK_BUF_SIZE];

	for (int i = 0; i < LINK_BATCH && read_link(ap, buf); i++)
		;
}
