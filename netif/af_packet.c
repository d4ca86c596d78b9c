/* SPDX-License-Identifier: MIT */
/*
 * af_packet.c - the device on an interface of the kernel: making, filtering, ending
 *
 * A packet socket (packet(7), SOCK_RAW) gives us whole Ethernet frames of one interface beside the
 * kernel's own stack. We have a MAC and addresses of our own there; the kernel must not hold them, or
 * it answers our peers itself.
 *
 *   af_packet_rx.c    recvmmsg -> skb -> netif_receive_skb
 *   af_packet_tx.c    start_xmit -> sendmsg
 *   af_packet_link.c  rtnetlink: carrier, MTU, end of the interface
 *
 * What the kernel is asked for, each with its reason:
 *   PACKET_VNET_HDR         super-segments and partial checksums both ways (without: ten times slower)
 *   PACKET_IGNORE_OUTGOING  not the frames that the kernel itself sends
 *   PACKET_MR_PROMISC       the interface lets frames to our MAC in, which is not its own
 *   PACKET_AUXDATA          VLAN tag, state of the checksum
 *   SO_ATTACH_FILTER        frames for others cost no copy and no wake-up
 * The socket is bound with protocol 0, that is deaf, until dev_open(): never an unfiltered frame.
 *
 * Limit: two hosts on the same interface do not hear each other, as the kernel shows a packet
 * socket no frame that another one sends except as an outgoing one. Use a veth pair or a bridge.
 */
#include "netif/af_packet.h"

#include <linux/filter.h>
#include <stdarg.h>
#include <sys/ioctl.h>

enum {
	DEFAULT_RCVBUF = 32 << 20, /* a peer's whole window while we sleep */
	DEFAULT_SNDBUF = 4 << 20,
	GSO_MAX_SIZE = 65535,      /* IPv4's total length */
	NAPI_WEIGHT = 64,
	FILTER_MAX = 20 + AF_PACKET_FILTER_ADDRS,
};

/* In <linux/if_packet.h> since 4.20. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* Where the user's line about a failure goes. */
struct errtext {
	char *buf;
	size_t len;
};

static int __attribute__((format(printf, 3, 4)))
fail(struct errtext *e, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (e->len)
		vsnprintf(e->buf, e->len, fmt, ap);
	va_end(ap);
	return err;
}

/* --- filter ----------------------------------------------------------------------------------- */

struct filter {
	struct sock_filter insns[FILTER_MAX];
	unsigned short len;
};

/* Targets of jumps besides "the next" (0) and "so many further", replaced by finish_filter(). */
enum { TO_ACCEPT = 254, TO_DROP = 255 };

static void load(struct filter *p, unsigned int size, uint32_t offset)
{
	BUG_ON(p->len >= FILTER_MAX);
	p->insns[p->len++] = (struct sock_filter){ (uint16_t)(BPF_LD | BPF_ABS | size), 0, 0, offset };
}

static void jump_if(struct filter *p, unsigned int op, uint32_t k, unsigned int yes, unsigned int no)
{
	BUG_ON(p->len >= FILTER_MAX);
	p->insns[p->len++] = (struct sock_filter){ (uint16_t)(BPF_JMP | BPF_K | op), (uint8_t)yes,
						   (uint8_t)no, k };
}

static void finish_filter(struct filter *p)
{
	unsigned short accept = p->len, drop = (unsigned short)(p->len + 1);

	BUG_ON(drop >= FILTER_MAX);
	p->insns[accept] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, UINT32_MAX };
	p->insns[drop] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, 0 };
	p->len += 2;
	for (unsigned short i = 0; i < accept; i++) {
		uint8_t *jt = &p->insns[i].jt, *jf = &p->insns[i].jf;

		if (BPF_CLASS(p->insns[i].code) != BPF_JMP)
			continue;
		*jt = (uint8_t)(*jt == TO_ACCEPT ? accept - i - 1 : *jt == TO_DROP ? drop - i - 1 : *jt);
		*jf = (uint8_t)(*jf == TO_ACCEPT ? accept - i - 1 : *jf == TO_DROP ? drop - i - 1 : *jf);
	}
}

/* For packet sockets: every EtherType for a group address or for our MAC; all frames in promiscuous mode. */
static void build_wide_filter(const struct af_packet *ap, struct filter *p)
{
	const uint8_t *m = ap->dev->dev_addr;

	p->len = 0;
	load(p, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	jump_if(p, BPF_JEQ, PACKET_OUTGOING, TO_DROP, ap->dev->promiscuity ? TO_ACCEPT : 0);
	load(p, BPF_B, 0);
	jump_if(p, BPF_JSET, 1, TO_ACCEPT, 0);
	load(p, BPF_W, 2);
	jump_if(p, BPF_JEQ, (uint32_t)m[2] << 24 | (uint32_t)m[3] << 16 | (uint32_t)m[4] << 8 | m[5],
		0, TO_DROP);
	load(p, BPF_H, 0);
	jump_if(p, BPF_JEQ, (uint32_t)m[0] << 8 | m[1], TO_ACCEPT, TO_DROP);
	finish_filter(p);
}

/* All; or ARP and IPv4 for a group address or for our MAC, the latter's for our addresses if known. */
static void build_filter(const struct af_packet *ap, struct filter *p)
{
	const uint8_t *m = ap->dev->dev_addr;

	p->len = 0;
	load(p, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	jump_if(p, BPF_JEQ, PACKET_OUTGOING, TO_DROP, ap->for_others ? TO_ACCEPT : 0);
	if (ap->for_others) {
		finish_filter(p);
		return;
	}
	load(p, BPF_B, 0);
	jump_if(p, BPF_JSET, 1, 0, 3); /* IEEE 802-2014 8.2: the group bit is the first on the wire */
	load(p, BPF_H, 12);
	jump_if(p, BPF_JEQ, ETH_P_IP, TO_ACCEPT, 0);
	jump_if(p, BPF_JEQ, ETH_P_ARP, TO_ACCEPT, TO_DROP);
	load(p, BPF_W, 2);
	jump_if(p, BPF_JEQ, (uint32_t)m[2] << 24 | (uint32_t)m[3] << 16 | (uint32_t)m[4] << 8 | m[5],
		0, TO_DROP);
	load(p, BPF_H, 0);
	jump_if(p, BPF_JEQ, (uint32_t)m[0] << 8 | m[1], 0, TO_DROP);
	load(p, BPF_H, 12);
	jump_if(p, BPF_JEQ, ETH_P_ARP, TO_ACCEPT, 0);
	jump_if(p, BPF_JEQ, ETH_P_IP, ap->addr_count ? 0 : TO_ACCEPT, TO_DROP);
	if (ap->addr_count) {
		load(p, BPF_W, ETH_HLEN + 16); /* RFC 791 3.1: destination address */
		for (size_t i = 0; i < ap->addr_count; i++)
			jump_if(p, BPF_JEQ, be32_to_cpu(ap->addrs[i]), TO_ACCEPT, 0);
		/* Multicast and limited broadcast in a unicast frame: up to the stack. */
		jump_if(p, BPF_JGE, 0xe0000000, TO_ACCEPT, TO_DROP);
	}
	finish_filter(p);
}

static int attach_filter(struct af_packet *ap)
{
	struct filter p;
	struct sock_fprog prog;

	if (!ap->for_others && (ap->dev->promiscuity || ap->dev->watched))
		build_wide_filter(ap, &p);
	else
		build_filter(ap, &p);
	prog = (struct sock_fprog){ p.len, p.insns };
	return sys_setsockopt(ap->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/**
 * af_packet_set_filter() - narrow what the kernel lets through to our addresses
 * @dev:    device
 * @addrs:  big endian
 * @count:  of them; 0 or more than AF_PACKET_FILTER_ADDRS: no narrowing
 *
 * Return:  0; -ENODEV when the interface has gone; what the kernel said
 */
int af_packet_set_filter(struct net_device *dev, const be32 *addrs, size_t count)
{
	struct af_packet *ap = af_packet_priv(dev);

	if (ap->gone)
		return -ENODEV;
	ap->addr_count = count <= AF_PACKET_FILTER_ADDRS ? count : 0;
	if (ap->addr_count)
		memcpy(ap->addrs, addrs, ap->addr_count * sizeof(*addrs));
	return attach_filter(ap);
}

/* --- the device's operations ------------------------------------------------------------------ */

static int af_packet_open(struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);

	return ap->gone ? -ENODEV : af_packet_rx_start(ap);
}

static void af_packet_stop(struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);

	del_timer(&ap->retry);
	ap->tx_blocked = false;
	af_packet_rx_stop(ap);
}

/* Our MTU may be smaller than the interface's, for what we send; larger frames it would refuse. */
static int af_packet_set_mtu(struct net_device *dev, uint32_t mtu)
{
	return mtu <= af_packet_priv(dev)->kernel_mtu ? 0 : -EINVAL;
}

static void af_packet_destroy(struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);

	timer_destroy(&ap->retry);
	if (ap->fd >= 0)
		sys_close(ap->fd);
	if (ap->link_fd >= 0)
		sys_close(ap->link_fd);
}

/* What cannot be changed stays as it is: fewer frames are seen. */
static void af_packet_set_rx_mode(struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);

	if (!ap->gone)
		(void)attach_filter(ap);
}

static const struct net_device_ops af_packet_ops = {
	.open = af_packet_open,
	.stop = af_packet_stop,
	.start_xmit = af_packet_start_xmit,
	.set_mtu = af_packet_set_mtu,
	.set_rx_mode = af_packet_set_rx_mode,
	.destroy = af_packet_destroy,
};

/* --- making ----------------------------------------------------------------------------------- */

static int open_socket(struct af_packet *ap, struct errtext *e)
{
	int fd = sys_socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -EPERM || fd == -EACCES)
		return fail(e, fd, "no permission for a packet socket on \"%s\"; run as root, give "
			    "the program CAP_NET_RAW, or use a network namespace of your own",
			    ap->ifname);
	if (fd == -EAFNOSUPPORT)
		return fail(e, fd, "this kernel has no packet sockets (CONFIG_PACKET)");
	if (fd < 0)
		return fail(e, fd, "packet socket on \"%s\": %s", ap->ifname, strerror(-fd));
	ap->fd = fd;
	return 0;
}

static int find_interface(struct af_packet *ap, struct af_packet_link *link, struct errtext *e)
{
	struct ifreq ifr;
	int err;

	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, ap->ifname, sizeof(ap->ifname));
	err = sys_ioctl(ap->fd, SIOCGIFINDEX, &ifr);
	if (err == 0) {
		ap->ifindex = ifr.ifr_ifindex;
		err = af_packet_link_query(ap, link);
	}
	if (err == -ENODEV || err == -ENXIO)
		return fail(e, -ENODEV, "interface \"%s\" does not exist; `ip link` lists those of "
			    "this network namespace", ap->ifname);
	if (err < 0)
		return fail(e, err, "interface \"%s\": %s", ap->ifname, strerror(-err));
	if (link->type != ARPHRD_ETHER)
		return fail(e, -EINVAL, "interface \"%s\" is not an Ethernet interface; use one of "
			    "type ether, for example a veth pair", ap->ifname);
	return 0;
}

/*
 * The interface's own address and the host's make one that no other host on the link has, and that the
 * next host at this address has again: neighbours that remember it (and overlook an announcement that
 * comes within a second, Linux's locktime) are right.
 */
static void make_mac(uint8_t *mac, const uint8_t *interface_mac, be32 addr)
{
	static const uint64_t key[2] = { 0x77697265, 0x7368696d };
	uint8_t of[ETH_ALEN + sizeof(addr)];
	uint64_t h;

	memcpy(of, interface_mac, ETH_ALEN);
	memcpy(of + ETH_ALEN, &addr, sizeof(addr));
	h = siphash(of, sizeof(of), key);
	memcpy(mac, &h, ETH_ALEN);
	mac[0] = (uint8_t)((mac[0] & ~1U) | 2U); /* one station, locally administered */
}

static int choose_mac(struct af_packet *ap, const struct af_packet_config *cfg,
		      const struct af_packet_link *link, struct errtext *e)
{
	static const uint8_t zero[ETH_ALEN];
	uint8_t *mac = ap->dev->dev_addr;

	if (!cfg->mac) {
		make_mac(mac, link->mac, cfg->addr);
		return 0;
	}
	if ((cfg->mac[0] & 1) || memcmp(cfg->mac, zero, ETH_ALEN) == 0)
		return fail(e, -EINVAL, "MAC address %02x:%02x:%02x:%02x:%02x:%02x is not one "
			    "station's; its first byte must be even and not all may be zero",
			    cfg->mac[0], cfg->mac[1], cfg->mac[2], cfg->mac[3], cfg->mac[4],
			    cfg->mac[5]);
	memcpy(mac, cfg->mac, ETH_ALEN);
	return 0;
}

static int choose_mtu(struct af_packet *ap, const struct af_packet_config *cfg,
		      const struct af_packet_link *link, struct errtext *e)
{
	ap->kernel_mtu = link->mtu;
	ap->wanted_mtu = cfg->mtu;
	if (cfg->mtu > link->mtu)
		return fail(e, -EINVAL, "MTU %u is more than the %u of interface \"%s\"; use at most "
			    "that, or raise it: ip link set %s mtu %u", cfg->mtu, link->mtu,
			    ap->ifname, ap->ifname, cfg->mtu);
	ap->dev->mtu = cfg->mtu ? cfg->mtu : link->mtu;
	if (ap->dev->mtu < ap->dev->min_mtu)
		return fail(e, -EINVAL, "MTU %u is less than %u, the least for IPv4 (RFC 791)",
			    ap->dev->mtu, ap->dev->min_mtu);
	return 0;
}

/* As large as wished with CAP_NET_ADMIN in the first namespace, else as the system allows. */
static void set_buffer(int fd, int forced, int plain, uint32_t bytes)
{
	int value = (int)MIN(bytes, (uint32_t)INT32_MAX / 2);

	if (sys_setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) < 0)
		(void)sys_setsockopt(fd, SOL_SOCKET, plain, &value, sizeof(value));
}

static void set_offload(struct af_packet *ap, enum af_packet_offload offload)
{
	int one = 1;

	if (offload == AF_PACKET_OFFLOAD_OFF ||
	    sys_setsockopt(ap->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
		return;
	ap->vnet_hdr = true;
	ap->dev->features = NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_SG;
	ap->dev->gso_max_size = GSO_MAX_SIZE;
}

static int set_options(struct af_packet *ap, const struct af_packet_config *cfg,
		       const struct af_packet_link *link, struct errtext *e)
{
	struct packet_mreq mreq = { .mr_ifindex = ap->ifindex, .mr_type = PACKET_MR_PROMISC };
	int one = 1, err;

	set_offload(ap, cfg->offload);
	/* Before 4.20 the filter alone keeps outgoing frames away. */
	(void)sys_setsockopt(ap->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	set_buffer(ap->fd, SO_RCVBUFFORCE, SO_RCVBUF,
		   cfg->rcvbuf_bytes ? cfg->rcvbuf_bytes : DEFAULT_RCVBUF);
	set_buffer(ap->fd, SO_SNDBUFFORCE, SO_SNDBUF,
		   cfg->sndbuf_bytes ? cfg->sndbuf_bytes : DEFAULT_SNDBUF);
	err = sys_setsockopt(ap->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	if (err < 0)
		return fail(e, err, "PACKET_AUXDATA on \"%s\": %s", ap->ifname, strerror(-err));
	err = attach_filter(ap);
	if (err < 0)
		return fail(e, err, "packet filter on \"%s\": %s", ap->ifname, strerror(-err));
	if (memcmp(link->mac, ap->dev->dev_addr, ETH_ALEN) == 0)
		return 0;
	err = sys_setsockopt(ap->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
	if (err < 0)
		return fail(e, err, "promiscuous mode of \"%s\": %s", ap->ifname, strerror(-err));
	return 0;
}

/* Everything but the registration; what it acquired is in @ap also when it fails. */
static int set_up(struct af_packet *ap, const struct af_packet_config *cfg,
		  struct af_packet_link *link, struct errtext *e)
{
	int err = open_socket(ap, e);

	if (err < 0)
		return err;
	/* Subscribed before the state is read: no change between the two is missed. */
	err = af_packet_link_open(ap);
	if (err < 0)
		return fail(e, err, "rtnetlink: %s", strerror(-err));
	err = find_interface(ap, link, e);
	if (err == 0)
		err = choose_mac(ap, cfg, link, e);
	if (err == 0)
		err = choose_mtu(ap, cfg, link, e);
	if (err == 0)
		err = set_options(ap, cfg, link, e);
	return err;
}

/**
 * af_packet_create() - a device on an interface of the kernel
 * @net:     namespace of ours that gets it
 * @cfg:     interface and wishes
 * @out:     the device, registered and down; set on success only
 * @errbuf:  one line for the user on failure
 * @errlen:  bytes in @errbuf, may be 0
 *
 * Return:  0; -ENODEV no such interface, -EPERM no CAP_NET_RAW, -EINVAL a wish that cannot be met,
 *          -ENOMEM, or what the kernel said
 */
int af_packet_create(struct net *net, const struct af_packet_config *cfg, struct net_device **out,
		     char *errbuf, size_t errlen)
{
	struct errtext e = { errbuf, errlen };
	struct af_packet_link link = { 0 };
	struct net_device *dev;
	struct af_packet *ap;
	int err;

	if (!cfg->ifname[0] || strlen(cfg->ifname) >= IFNAMSIZ)
		return fail(&e, -ENODEV, "interface \"%s\" does not exist; `ip link` lists those of "
			    "this network namespace", cfg->ifname);
	dev = alloc_netdev(net, cfg->name ? cfg->name : cfg->ifname, sizeof(*ap));
	if (!dev)
		return fail(&e, -ENOMEM, "out of memory");
	ether_setup(dev);
	ap = af_packet_priv(dev);
	ap->dev = dev;
	ap->fd = -1;
	ap->link_fd = -1;
	ap->for_others = cfg->for_others;
	snprintf(ap->ifname, sizeof(ap->ifname), "%s", cfg->ifname);
	timer_setup(&ap->retry, &net->timers, af_packet_tx_retry);
	dev->ops = &af_packet_ops;
	netif_napi_add(dev, af_packet_poll, NAPI_WEIGHT);
	err = set_up(ap, cfg, &link, &e);
	if (err < 0)
		goto undo;
	err = register_netdev(dev);
	if (err < 0) {
		fail(&e, err, "device \"%s\": %s", dev->name, strerror(-err));
		goto undo;
	}
	af_packet_link_apply(ap, link.flags, link.mtu);
	*out = dev;
	return 0;

undo:
	free_netdev(dev);
	return err;
}

/* --- what the event loop calls ---------------------------------------------------------------- */

/** af_packet_fd() - the packet socket; EPOLLIN always, EPOLLOUT while af_packet_tx_blocked() */
int af_packet_fd(const struct net_device *dev)
{
	return af_packet_priv(dev)->fd;
}

/**
 * af_packet_input() - the packet socket is readable or has an error
 * @dev:  device
 *
 * While the device is down only a stored error of the socket can be the cause; it is taken, or the
 * event loop would turn for ever.
 */
void af_packet_input(struct net_device *dev)
{
	int err;
	socklen_t len = sizeof(err);

	if (netif_running(dev))
		napi_schedule(&dev->napi);
	else
		(void)sys_getsockopt(af_packet_fd(dev), SOL_SOCKET, SO_ERROR, &err, &len);
}

/** af_packet_tx_blocked() - frames wait for room in the kernel */
bool af_packet_tx_blocked(const struct net_device *dev)
{
	return af_packet_priv(dev)->tx_blocked;
}

/** af_packet_writable() - the packet socket has room again */
void af_packet_writable(struct net_device *dev)
{
	af_packet_tx_wake(af_packet_priv(dev));
}

/** af_packet_link_fd() - the rtnetlink socket that tells of changes of the interface */
int af_packet_link_fd(const struct net_device *dev)
{
	return af_packet_priv(dev)->link_fd;
}

/** af_packet_gone() - the interface does not exist any more */
bool af_packet_gone(const struct net_device *dev)
{
	return af_packet_priv(dev)->gone;
}

/**
 * af_packet_get_info() - how the device works and what it lost
 * @dev:   device
 * @info:  out
 */
void af_packet_get_info(struct net_device *dev, struct af_packet_info *info)
{
	struct af_packet *ap = af_packet_priv(dev);

	af_packet_count_drops(ap);
	memset(info, 0, sizeof(*info));
	info->ifindex = ap->ifindex;
	memcpy(info->ifname, ap->ifname, sizeof(info->ifname));
	info->vnet_hdr = ap->vnet_hdr;
	info->kernel_drops = ap->kernel_drops;
	info->tx_retries = ap->tx_retries;
	info->vlan_drops = ap->vlan_drops;
}
