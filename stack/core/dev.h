/* SPDX-License-Identifier: MIT */
/*
 * Network devices: registration, transmit queue, NAPI-like polling, packet-type handlers, taps.
 *
 * Down: dev_queue_xmit() -> transmit queue -> ops->start_xmit(). Up: the driver's napi->poll()
 * takes frames within a budget and gives each to netif_receive_skb(), which calls the taps, then
 * the handler of the EtherType.
 */
#ifndef STACK_CORE_DEV_H
#define STACK_CORE_DEV_H

#include <linux/if_ether.h>
#include <net/if.h>
#include <net/if_arp.h>

#include "stack/core/list.h"
#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"

enum netdev_tx {
	NETDEV_TX_OK,   /* the driver consumed the skb */
	NETDEV_TX_BUSY, /* the driver did not touch it and will call netif_wake_queue() */
};

enum netdev_features {
	NETIF_F_HW_CSUM = 1 << 0, /* takes CHECKSUM_PARTIAL */
	NETIF_F_TSO = 1 << 1,     /* takes gso_type SKB_GSO_TCPV4 */
	NETIF_F_TSO6 = 1 << 2,
	NETIF_F_SG = 1 << 3,      /* takes skbs with a fragment */
	NETIF_F_LOOPBACK = 1 << 4,
};

struct net_device_ops {
	int (*open)(struct net_device *dev);                       /* NULL = nothing to do */
	void (*stop)(struct net_device *dev);
	enum netdev_tx (*start_xmit)(struct sk_buff *skb, struct net_device *dev);
	int (*set_mtu)(struct net_device *dev, uint32_t mtu);      /* NULL = any */
	/* promiscuity or watched has become zero, or is so no more. NULL = the driver hears all anyway. */
	void (*set_rx_mode)(struct net_device *dev);
	/* Releases what priv holds, not priv itself: that goes with the device. NULL = nothing. */
	void (*destroy)(struct net_device *dev);
};

/* One source of received frames. poll() takes up to @budget frames; fewer = drained (it then
 * leaves the round until napi_schedule() is called again). */
struct napi_struct {
	struct list_head poll_list; /* on dev_table's round, or empty */
	struct net_device *dev;
	int (*poll)(struct napi_struct *napi, int budget);
	int weight;                 /* frames per turn */
};

struct net_device_stats {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_errors, rx_dropped, tx_errors, tx_dropped;
};

struct in_device; /* stack/inet/devinet.h: addresses */

/*
 * What lies between the stack and a device's driver (netif/impair.c): it gets each frame of either
 * direction and passes it on, now or later, changed, doubled or not at all. Taps stand on the stack's
 * side of it: they see a frame when the stack sends it, and when it reaches the stack.
 */
struct dev_link_ops {
	/* A frame of the stack, mac_header set and data there. Consumes. False: it was lost at once. */
	bool (*xmit)(struct sk_buff *skb, struct net_device *dev);
	/* A frame of the driver, as netif_receive_skb() got it. Consumes. */
	void (*rcv)(struct sk_buff *skb, struct net_device *dev);
	void (*stop)(struct net_device *dev);    /* the device goes down: what is held is lost */
	void (*destroy)(struct net_device *dev); /* the device goes, or another link comes */
};

struct net_device {
	struct list_head list;
	struct net *net;
	char name[IFNAMSIZ];
	int ifindex;           /* > 0 once registered; lo is 1 */
	unsigned int flags;    /* IFF_UP, IFF_BROADCAST, IFF_LOOPBACK, IFF_RUNNING ... */
	uint16_t type;         /* ARPHRD_ETHER, ARPHRD_LOOPBACK */
	uint16_t hard_header_len;
	uint16_t needed_headroom; /* beyond hard_header_len, e.g. a virtio header */
	uint32_t mtu, min_mtu, max_mtu;
	uint32_t gso_max_size; /* largest IP packet taken with TSO, bytes */
	unsigned int features; /* NETIF_F_* */
	uint8_t dev_addr[ETH_ALEN], broadcast[ETH_ALEN];
	bool carrier;
	unsigned int promiscuity; /* how many want to hear frames for others too */
	unsigned int watched;     /* how many want to hear frames of every EtherType */

	const struct net_device_ops *ops;
	void *priv;
	struct napi_struct napi;
	struct sk_buff_head txq;
	uint32_t tx_queue_len; /* packets */
	bool tx_stopped;
	bool tx_running;       /* start_xmit() is under way: what is sent now waits in txq */
	struct net_device_stats stats;
	/* Takes every received frame in place of the protocols (a switch's port); data at the network header. Consumes. */
	void (*rx_handler)(struct sk_buff *skb);
	void *rx_handler_data;
	struct in_device *ip_ptr;
	const struct dev_link_ops *link; /* NULL = nothing between */
	void *link_priv;
};

/* Registration. netdev_register() names the device (a "%d" in the name is filled in), gives it an
 * ifindex and announces it; it stays down. unregister closes, announces, drops queues, destroys. */
/* NULL when out of memory. priv: @priv_size zeroed bytes, part of the device; NULL for 0. */
struct net_device *alloc_netdev(struct net *net, const char *name, size_t priv_size);
void ether_setup(struct net_device *dev);
int register_netdev(struct net_device *dev);
void unregister_netdev(struct net_device *dev);
void free_netdev(struct net_device *dev); /* one that was never registered */
int dev_open(struct net_device *dev);
void dev_close(struct net_device *dev);
int dev_set_mtu(struct net_device *dev, uint32_t mtu);
void netif_carrier_set(struct net_device *dev, bool on); /* announces a change */
/* Both by +1 or -1. */
void dev_set_promiscuity(struct net_device *dev, int inc);
void dev_set_watched(struct net_device *dev, int inc);
struct net_device *dev_get_by_index(struct net *net, int ifindex); /* NULL */
struct net_device *dev_get_by_name(struct net *net, const char *name);
struct net_device *dev_next(struct net *net, const struct net_device *dev); /* dev NULL = first */
static inline bool netif_running(const struct net_device *dev) { return dev->flags & IFF_UP; }

/*
 * Transmit: network_header set, skb->dev set, link header already pushed. Consumes. 0 when sent or
 * queued, else negative errno: -ENETDOWN, -ENOBUFS (queue full), -EMSGSIZE, -EINVAL (offload that
 * the device does not have), -ENOMEM. A link without carrier loses the frame, as a wire would: 0.
 */
int dev_queue_xmit(struct sk_buff *skb);
void netif_stop_queue(struct net_device *dev);
void netif_wake_queue(struct net_device *dev); /* also runs the queue */
/* Pushes the Ethernet header (or nothing on loopback); -EINVAL without headroom. */
int dev_hard_header(struct sk_buff *skb, struct net_device *dev, uint16_t ethertype,
		    const uint8_t *daddr, const uint8_t *saddr);
/* Headroom that dev_hard_header() and the driver need. */
static inline uint32_t ll_reserved_space(const struct net_device *dev)
{
	return (uint32_t)(((dev->hard_header_len + dev->needed_headroom) + 15U) & ~15U);
}

/* Receive. */
void netif_napi_add(struct net_device *dev, int (*poll)(struct napi_struct *, int), int weight);
void napi_schedule(struct napi_struct *napi); /* idempotent */
/* One pass of the round: each scheduled device at most its weight, round robin. True = work left. */
bool net_rx_action(struct net *net, int budget);
bool net_rx_pending(const struct net *net); /* some device is scheduled */
/* Reads and pulls the Ethernet header, sets protocol and pkt_type; -EINVAL when short. */
int eth_type_trans(struct sk_buff *skb, struct net_device *dev);
/* data at the network header, mac_header and protocol set. Consumes. */
void netif_receive_skb(struct sk_buff *skb);

/* For dev_link_ops: on to the driver, up to the stack (data at the network header), or lost: counted
 * and shown to the taps. All consume. */
void dev_link_xmit(struct sk_buff *skb);
void dev_link_rcv(struct sk_buff *skb);
enum tap_dir { TAP_IN, TAP_OUT };
void dev_link_drop(struct sk_buff *skb, enum tap_dir dir, enum skb_drop_reason reason);

struct packet_type {
	struct list_head list;
	be16 type;                 /* ETH_P_*, big endian */
	void (*func)(struct sk_buff *skb, struct net_device *dev, struct packet_type *pt); /* consumes */
};
void dev_add_pack(struct net *net, struct packet_type *pt);
void dev_remove_pack(struct packet_type *pt);

/*
 * Packet sockets see frames before the protocols do: received ones on their way up, sent ones once
 * the driver has taken them. @skb is borrowed, with mac_header and network_header set.
 */
struct packet_watch {
	struct list_head list;
	be16 type; /* ETH_P_ALL: every frame, both ways; else received ones of that type */
	void (*frame)(struct packet_watch *pw, const struct sk_buff *skb);
};
void dev_add_watch(struct net *net, struct packet_watch *pw);
void dev_remove_watch(struct packet_watch *pw); /* also from within frame(); harmless when done */

/*
 * Taps see every frame with its link header: sent ones when the driver has taken them, received
 * ones after the stack has done with them, so that their fate is known; frames sent meanwhile follow
 * the one that they answer. @skb is borrowed and linear
 * part plus fragment from mac_header on; @comment is NULL or text on owner and drop reason.
 */
struct dev_tap {
	struct list_head list;
	void (*frame)(struct dev_tap *tap, const struct net_device *dev, enum tap_dir dir,
		      const struct sk_buff *skb, const char *comment);
};
void dev_add_tap(struct net *net, struct dev_tap *tap);
void dev_remove_tap(struct dev_tap *tap);
/* For receivers: a socket was found for the frame under way (no-op without taps). */
void rx_note_owner(struct net *net, const struct sock *sk);

extern const struct pernet_operations dev_pernet_ops;

#endif
