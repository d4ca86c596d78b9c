/* SPDX-License-Identifier: MIT */
/* What the files of a packet socket share. */
#ifndef STACK_PACKET_PACKET_SOCK_H
#define STACK_PACKET_PACKET_SOCK_H

#include "stack/core/dev.h"
#include "stack/core/filter.h"
#include "stack/core/timer.h"
#include "stack/packet/packet.h"

/* After ours: it defines as macros what skbuff.h has in an enum. */
#include <linux/if_packet.h>

#ifndef TP_STATUS_CSUM_VALID
#define TP_STATUS_CSUM_VALID (1 << 7)
#endif
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct packet_ring;

/* What PACKET_ADD_MEMBERSHIP asked for; counted, as one may ask twice. */
struct packet_mclist {
	struct list_head list;
	int ifindex;
	unsigned short type; /* PACKET_MR_* */
	unsigned short alen;
	uint8_t addr[8];
	unsigned int count;
};

struct packet_sock {
	struct sock sk;
	struct list_head node;      /* netns_packet.socks */
	struct packet_watch watch;
	bool running;               /* the watch is in place */
	int ifindex;                /* bound to; 0 = all devices, -1 = that device is gone */
	be16 num;                   /* protocol; 0 = receive nothing */

	bool auxdata, origdev, ignore_outgoing;
	int tstamp;                 /* PACKET_TIMESTAMP; there are none but the host's */
	enum tpacket_versions version;
	uint32_t reserve;           /* PACKET_RESERVE, bytes */
	uint32_t packets, drops;    /* since PACKET_STATISTICS was read last */
	struct list_head mclist;
	struct packet_ring *ring;   /* NULL = none */
};

struct netns_packet {
	struct list_head socks;     /* of packet_sock.node */
	struct notifier_block nb;
	const struct packet_ring_ops *ring_ops; /* NULL = no rings */
};

/* What is told about a received frame. In sk_buff.cb while it is queued. */
struct packet_meta {
	struct sockaddr_ll from;
	uint32_t len;      /* of the frame as it came, from the user's first byte on */
	uint32_t status;   /* TP_STATUS_* */
	uint16_t net;      /* network header, from the user's first byte on */
	uint16_t maclen;   /* bytes of link header in front of the user's first byte, or of the frame */
	ktime_t tstamp;
};

static inline struct packet_sock *pkt_sk(const struct sock *sk)
{
	return (struct packet_sock *)(uintptr_t)sk;
}

/* Is the link header that programs see made up? lo has none of its own. */
static inline bool link_header_is_made_up(const struct net_device *dev)
{
	return dev->type == ARPHRD_LOOPBACK;
}

/* af_packet.c */
void packet_hook_on(struct packet_sock *ps);
void packet_hook_off(struct packet_sock *ps);

/* packet_sockopt.c */
int packet_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len);
int packet_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len);
void packet_flush_mclist(struct packet_sock *ps);
void packet_forget_device(struct packet_sock *ps, int ifindex);

/* packet_ring.c */
int packet_set_ring(struct socket *sock, const void *val, socklen_t len);
void packet_ring_free(struct packet_sock *ps);
/* One frame, @keep bytes of @view from its start on; counts a drop when there is no room. */
void packet_ring_rcv(struct packet_sock *ps, const struct packet_view *view, const struct packet_meta *meta,
		     uint32_t keep);
bool packet_ring_readable(const struct packet_sock *ps);
uint32_t packet_ring_take_freezes(struct packet_sock *ps);
/* Bytes of the header of a version, -EINVAL when there is no such version. */
int packet_header_len(int version);

#endif
