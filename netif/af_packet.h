/* SPDX-License-Identifier: MIT */
/*
 * What the files of the packet device share; others include netif.h.
 *
 * skbuff.h has to come before <linux/if_packet.h>: the latter makes macros of the names in enum
 * skb_pkt_type, with the same values.
 */
#ifndef NETIF_AF_PACKET_H
#define NETIF_AF_PACKET_H

#include "netif/netif.h"

#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "netif/sys.h"

/*
 * A receive buffer: headroom, virtio header, frame. The virtio header lies so that it ends where the
 * frame starts, and the frame so that the IP header behind its 14 bytes is aligned to 4.
 */
enum {
	AF_PACKET_VNET_LEN = sizeof(struct virtio_net_hdr),
	AF_PACKET_FRAME_OFFSET = 26,
	AF_PACKET_BUF_SIZE = 68 * 1024 - 64, /* a super-segment, its headers, and room for malloc's */
	AF_PACKET_BATCH = 16,                /* frames per system call */
};

struct af_packet_rx {
	struct skb_data *blocks[AF_PACKET_BATCH]; /* NULL while the device is down */
	struct mmsghdr msgs[AF_PACKET_BATCH];
	struct iovec iov[AF_PACKET_BATCH];
	_Alignas(8) uint8_t control[AF_PACKET_BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

struct af_packet {
	struct net_device *dev;
	int fd;               /* packet socket; bound to ETH_P_ALL while the device is up */
	int link_fd;          /* rtnetlink socket, RTNLGRP_LINK */
	int ifindex;          /* of the kernel's interface */
	char ifname[IFNAMSIZ]; /* follows a renaming */
	uint32_t wanted_mtu;  /* 0 = the interface's */
	uint32_t kernel_mtu;
	bool for_others;      /* all frames of the interface, whomever they are sent to */
	bool vnet_hdr;        /* a virtio header precedes each frame, both ways */
	bool gone;            /* the interface does not exist any more */
	bool tx_blocked;      /* the kernel is out of room: waiting for EPOLLOUT or @retry */
	bool pressure;        /* the last poll used its budget up: the kernel may be losing frames */
	struct timer_list retry;
	be32 addrs[AF_PACKET_FILTER_ADDRS];
	size_t addr_count;    /* 0 = any */
	uint64_t kernel_drops, tx_retries, vlan_drops;
	struct af_packet_rx rx;
};

static inline struct af_packet *af_packet_priv(const struct net_device *dev)
{
	return dev->priv;
}

/* af_packet_rx.c */
int af_packet_rx_start(struct af_packet *ap);
void af_packet_rx_stop(struct af_packet *ap);
int af_packet_poll(struct napi_struct *napi, int budget);
void af_packet_count_drops(struct af_packet *ap);

/* af_packet_tx.c */
enum netdev_tx af_packet_start_xmit(struct sk_buff *skb, struct net_device *dev);
void af_packet_tx_wake(struct af_packet *ap);
void af_packet_tx_retry(struct timer_list *t);

/* af_packet_link.c */
struct af_packet_link {
	unsigned int flags; /* IFF_* of the kernel's interface */
	uint32_t mtu;
	unsigned short type; /* ARPHRD_* */
	uint8_t mac[ETH_ALEN];
};
int af_packet_link_open(struct af_packet *ap);
int af_packet_link_query(struct af_packet *ap, struct af_packet_link *link);
void af_packet_link_apply(struct af_packet *ap, unsigned int flags, uint32_t mtu);
void af_packet_link_lost(struct af_packet *ap);

#endif
