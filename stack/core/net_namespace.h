/* SPDX-License-Identifier: MIT */
/* One network namespace: every writable table of the stack hangs off it. */
#ifndef STACK_CORE_NET_NAMESPACE_H
#define STACK_CORE_NET_NAMESPACE_H

#include "stack/core/list.h"
#include "stack/core/notifier.h"
#include "stack/core/random.h"
#include "stack/core/skbuff.h"
#include "stack/core/sysctl.h"
#include "stack/core/timer.h"
#include "stack/core/types.h"

enum mib {
	MIB_NONE,
#define MIB(name) MIB_##name,
#include "stack/core/mib.def"
#undef MIB
	MIB_MAX
};

struct net;

/*
 * A subsystem's constructor and destructor, run for each new struct net in table order and undone
 * in reverse. init returns 0 or negative errno and leaves nothing behind on failure.
 */
struct pernet_operations {
	const char *name;
	int (*init)(struct net *net);
	void (*exit)(struct net *net);
};

/* What became of the frame that is being received: read by the capture after delivery. */
struct rx_verdict {
	enum skb_drop_reason reason; /* SKB_NOT_DROPPED: delivered or queued */
	bool active;                 /* a frame is on its way up */
	bool has_owner;              /* a socket was found for it */
	char owner[160];             /* text of that socket, see sock_describe(); only with a tap */
};

struct dev_table;       /* dev.c */
struct neigh_tables;    /* neighbour.c */
struct sock_table;      /* sock.c: all sockets, cookies */
struct netns_inet;      /* stack/inet: protocols, addresses */
struct netns_route;     /* stack/inet/route.c */
struct netns_frag;      /* stack/inet/ip_frag.c */
struct netns_icmp;      /* stack/inet/icmp.c */
struct netns_arp;       /* stack/inet/arp.c */
struct protosw_table;   /* stack/inet/af_inet.c: transports */
struct netns_hash;      /* stack/inet/inet_hash.c */
struct netns_port;      /* stack/inet/inet_port.c */
struct netns_udp;
struct netns_raw;
struct netns_tcp;
struct netns_packet;    /* stack/packet */
struct trace;

/* net.core.*: sysctl_net_core.c */
struct netns_core {
	int somaxconn;                       /* the longest backlog that listen() gives */
	int rmem_default, wmem_default;      /* buffers of a new socket, bytes of truesize */
	int rmem_max, wmem_max;              /* what SO_RCVBUF and SO_SNDBUF can ask for */
	struct ctl_table_header sysctls;
};

struct net {
	ktime_t now;               /* set by net_set_time(), monotonic */
	uint64_t wall_offset_ns;   /* added to now: nanoseconds since 1970 (SO_TIMESTAMP); set by the host */
	struct timer_base timers;
	struct random_state random;
	uint64_t mib[MIB_MAX];
	uint64_t drops[SKB_DROP_MAX];
	size_t skbs_alive;
	uint64_t skb_bytes;        /* truesize of all skbs alive */
	size_t busy;               /* what must finish although no socket shows it: TIME-WAIT ... */
	uint64_t skb_bytes_max;    /* alloc_skb() fails beyond; 0 = no limit */
	struct rx_verdict rx;
	enum skb_drop_reason tx_drop; /* why a frame of ours was lost last; for dev.c */
	struct notifier_head netdev_chain;   /* enum netdev_event, struct net_device * */
	struct notifier_head inetaddr_chain; /* enum inetaddr_event, struct in_ifaddr * */
	struct list_head sysctl_tables;      /* struct ctl_table_header */
	struct list_head sysctl_defaults;    /* what was changed: sysctl.c */
	struct trace *trace;                 /* NULL = tracing off */

	struct netns_core core;
	struct dev_table *devs;
	struct neigh_tables *neigh;
	struct sock_table *socks;
	struct netns_inet *inet;
	struct netns_route *route;
	struct netns_frag *frag;
	struct netns_icmp *icmp;
	struct netns_arp *arp;
	struct protosw_table *protosw;
	struct netns_hash *hash;
	struct netns_port *ports;
	struct netns_udp *udp;
	struct netns_raw *raw;
	struct netns_tcp *tcp;
	struct netns_packet *packet;

	const struct pernet_operations *const *subsystems;
	size_t subsystems_ready;
};

/* @ops: NULL-terminated table; @seed: secret random bytes. @now: start of time, > 0. */
int net_create(const struct pernet_operations *const *ops, const uint8_t seed[32], ktime_t now,
	       struct net **out);
void net_destroy(struct net *net);

/*
 * net_set_time() - the stack's only way to learn the time: sets net->now (never backwards). Call before
 * each batch of entries into the stack. net_advance() fires the timers that are due then, too.
 */
void net_set_time(struct net *net, ktime_t now);
void net_advance(struct net *net, ktime_t now);

static inline void mib_inc(struct net *net, enum mib m) { net->mib[m]++; }
static inline void mib_add(struct net *net, enum mib m, uint64_t n) { net->mib[m] += n; }
const char *mib_name(enum mib m);

#endif
