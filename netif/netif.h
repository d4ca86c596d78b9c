/* SPDX-License-Identifier: MIT */
/*
 * Devices behind struct net_device, and the capture.
 *
 * Each *_create() registers its device in @net and leaves it down: the caller gives it addresses
 * and calls dev_open(). unregister_netdev() closes and frees everything a device holds. Nothing
 * here waits: descriptors are non-blocking and belong into the caller's event loop.
 */
#ifndef NETIF_NETIF_H
#define NETIF_NETIF_H

#include "stack/core/dev.h"

/* --- af_packet.c: an interface of the kernel, by a packet socket ------------------------------ */

enum af_packet_offload {
	AF_PACKET_OFFLOAD_AUTO, /* segmentation and checksums by the kernel if it offers them */
	AF_PACKET_OFFLOAD_OFF,  /* frames of MTU size, checksums by us */
};

struct af_packet_config {
	const char *ifname;              /* interface of the kernel, in the namespace of this thread */
	const char *name;                /* the device's name in @net; NULL = ifname */
	const uint8_t *mac;              /* ETH_ALEN bytes; NULL = a local one of ifname's and addr */
	be32 addr;                       /* the host's, for that; 0 = none */
	uint32_t mtu;                    /* bytes; 0 = follows the interface's */
	enum af_packet_offload offload;
	bool for_others;                 /* also frames to other stations: a switch's port */
	uint32_t rcvbuf_bytes;           /* socket buffers; 0 = a good default */
	uint32_t sndbuf_bytes;
};

/*
 * 0 or negative errno; then @errbuf holds one line for the user, without prefix or newline. Needs
 * CAP_NET_RAW in the namespace (-EPERM), an Ethernet interface (-ENODEV, -EINVAL otherwise).
 */
int af_packet_create(struct net *net, const struct af_packet_config *cfg, struct net_device **out,
		     char *errbuf, size_t errlen);

/* Frames: readable -> af_packet_input(). EPOLLOUT is wanted only while af_packet_tx_blocked(). */
int af_packet_fd(const struct net_device *dev);
void af_packet_input(struct net_device *dev);
bool af_packet_tx_blocked(const struct net_device *dev);
void af_packet_writable(struct net_device *dev);

/* State of the kernel's interface (rtnetlink): readable -> af_packet_link_input(). */
int af_packet_link_fd(const struct net_device *dev);
void af_packet_link_input(struct net_device *dev);
/* The interface was removed or moved to another namespace; the device stays, without carrier. */
bool af_packet_gone(const struct net_device *dev);

/*
 * Lets the kernel discard, before they are queued to us, IPv4 packets sent to our MAC for others
 * than @addrs (big endian, @count of them). ARP, broadcast and multicast always pass. @count 0: any
 * address. Up to AF_PACKET_FILTER_ADDRS, more mean any. -ENODEV after the interface has gone.
 */
#define AF_PACKET_FILTER_ADDRS 32
int af_packet_set_filter(struct net_device *dev, const be32 *addrs, size_t count);

/* How the device works, for reports. */
struct af_packet_info {
	int ifindex;          /* of the kernel's interface */
	char ifname[IFNAMSIZ];
	bool vnet_hdr;        /* offload in use */
	uint64_t kernel_drops; /* frames lost because the socket's buffer was full */
	uint64_t tx_retries;  /* sends that the kernel refused for lack of room, tried again later */
	uint64_t vlan_drops;  /* tagged frames: we are not on that VLAN */
};
void af_packet_get_info(struct net_device *dev, struct af_packet_info *info);

/* --- loopback.c: what is sent comes back ------------------------------------------------------- */

/* "lo", MTU 65536; create it first, so that it gets ifindex 1. */
int loopback_create(struct net *net, struct net_device **out);

/* --- wire.c: two devices joined in memory ------------------------------------------------------ */

struct wire_end {
	struct net *net;
	const char *name;     /* "eth0", or "eth%d" for the first free number */
	const uint8_t *mac;   /* ETH_ALEN bytes; NULL = a random local one */
};

struct wire_config {
	struct wire_end a, b; /* the two nets may be the same one or two */
	uint32_t mtu;         /* bytes; 0 = 1500 */
	unsigned int features; /* NETIF_F_*; 0: only what a real wire carries passes */
	uint32_t queue_len;   /* frames under way in one direction; 0 = 1000 */
};

int wire_create_pair(const struct wire_config *cfg, struct net_device **out_a,
		     struct net_device **out_b);
/* Pulls the plug or puts it back: carrier of both ends; frames under way are lost. */
void wire_set_carrier(struct net_device *dev, bool on);
struct net_device *wire_peer(const struct net_device *dev); /* NULL: it was unregistered */

/* --- bridge.c: a learning switch --------------------------------------------------------------- */

struct bridge;

struct bridge *bridge_create(struct net *net);
int bridge_add_port(struct bridge *br, struct net_device *dev);
void bridge_destroy(struct bridge *br); /* before its ports */

/* --- capture.c: writes down every frame of a net ----------------------------------------------- */

struct capture;

struct capture_config {
	const char *path;           /* a name ending in .pcap: classic format, else pcapng */
	/* >= 0: written to instead of opening path; taken over on success. A pipe should be
	 * non-blocking, and SIGPIPE blocked or ignored in the thread that runs the net. */
	int fd;
	const char *filter;         /* libpcap expression; NULL or "" = everything */
	uint32_t snaplen;           /* bytes kept of a frame; 0 = 262144, that is all */
	int64_t realtime_offset_ns; /* wall clock minus the net's clock */
	const char *application;    /* section header options; NULL = absent */
	const char *hardware;
	const char *os;
	/* Called once, at the first failed write (negative errno); the capture has stopped. */
	void (*failed)(void *arg, int error);
	void *failed_arg;
};

/* 0 or negative errno; then @errbuf holds one line for the user, without prefix or newline. */
int capture_open(struct net *net, const struct capture_config *cfg, struct capture **out,
		 char *errbuf, size_t errlen);
/* Checks a filter expression without opening anything (for the command line). */
int capture_check_filter(const char *filter, char *errbuf, size_t errlen);
/* Frames are buffered: flush when the loop goes to sleep. 0, or the error that stopped it. */
int capture_flush(struct capture *cap);
/* Statistics, flush, close, free; call before net_destroy(). 0, or the error that stopped it. */
int capture_close(struct capture *cap);

struct capture_stats {
	uint64_t frames;   /* written */
	uint64_t filtered; /* not matched by the filter */
	uint64_t lost;     /* the reader of a pipe was too slow, or out of memory */
	uint64_t bytes;    /* written, of the file */
	int error;         /* 0, or the negative errno that stopped the capture */
};
void capture_get_stats(const struct capture *cap, struct capture_stats *stats);

#endif
