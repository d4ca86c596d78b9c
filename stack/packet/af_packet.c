/* SPDX-License-Identifier: MIT */
/*
 * Packet sockets (man 7 packet): frames as devices send and receive them.
 *
 * In: a socket with a protocol watches the device layer (struct packet_watch). For ETH_P_ALL it sees
 * every frame, sent ones as PACKET_OUTGOING; else received frames of its EtherType, before the protocol
 * of that type does. The filter decides how much is kept; that is copied, with a struct packet_meta, to
 * the receive queue, or into the ring (packet_ring.c). SOCK_RAW shows the link header, SOCK_DGRAM what
 * is behind it. What the queue does not take is counted (PACKET_STATISTICS).
 *
 * Out: SOCK_RAW sends whole frames, SOCK_DGRAM gets its link header here. A frame is not shown to the
 * socket that sent it.
 *
 * lo of ours has no link header; programs see Linux's there, an Ethernet header of zeroes. Frames go
 * as the device layer has them: super-segments uncut, partial checksums marked TP_STATUS_CSUMNOTREADY.
 *
 * Limits: no SOCK_PACKET, no sending ring, no fanout, no virtio headers. Read first: man 7 packet.
 */
#include "stack/packet/packet_sock.h"

#include "stack/inet/devinet.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { VLAN_HLEN = 4 };

/* --- receiving -------------------------------------------------------------------------------- */

/* The link header of lo, as programs see it. */
static void make_up_link_header(const struct sk_buff *skb, struct ethhdr *eth)
{
	memset(eth, 0, sizeof(*eth));
	eth->h_proto = skb->protocol;
}

static void view_frame(const struct packet_sock *ps, const struct sk_buff *skb, struct ethhdr *made_up,
		       struct packet_view *v)
{
	uint8_t *mac = skb->head + skb->mac_header;

	memset(v, 0, sizeof(*v));
	if (link_header_is_made_up(skb->dev)) {
		make_up_link_header(skb, made_up);
		v->part[0] = (struct iovec){ made_up, sizeof(*made_up) };
	}
	v->part[1] = (struct iovec){ mac, (size_t)(skb->tail - mac) };
	v->part[2] = (struct iovec){ skb->frag, skb->frag_block ? skb->frag_len : 0 };
	v->network = (uint32_t)v->part[0].iov_len + skb->network_header - skb->mac_header;
	v->len = (uint32_t)(v->part[0].iov_len + v->part[1].iov_len + v->part[2].iov_len);
	v->start = ps->sk.type == SOCK_DGRAM ? v->network : 0;
	v->protocol = skb->protocol;
	v->pkt_type = skb->pkt_type;
	v->mark = skb->mark;
	v->net = skb->net;
	v->dev = skb->dev;
}

static void describe_frame(const struct sk_buff *skb, const struct packet_view *v, struct packet_meta *m)
{
	memset(m, 0, sizeof(*m));
	m->from.sll_family = AF_PACKET;
	m->from.sll_protocol = skb->protocol;
	m->from.sll_ifindex = skb->dev->ifindex;
	m->from.sll_hatype = skb->dev->type;
	m->from.sll_pkttype = skb->pkt_type;
	if (packet_view_copy(v, ETH_ALEN, m->from.sll_addr, ETH_ALEN))
		m->from.sll_halen = ETH_ALEN;
	m->len = v->len - v->start;
	m->net = (uint16_t)(v->network - v->start);
	m->maclen = (uint16_t)v->network;
	m->status = TP_STATUS_USER;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		m->status |= TP_STATUS_CSUMNOTREADY;
	else if (skb->pkt_type != PACKET_OUTGOING && skb->ip_summed == CHECKSUM_UNNECESSARY)
		m->status |= TP_STATUS_CSUM_VALID;
	m->tstamp = skb->tstamp ? skb->tstamp : skb->net->now;
}

static void queue_frame(struct packet_sock *ps, const struct packet_view *v, const struct packet_meta *meta,
			uint32_t keep)
{
	struct sk_buff *skb = NULL;

	_Static_assert(sizeof(*meta) <= sizeof(skb->cb), "it travels there");
	if (ps->sk.rmem_alloc < ps->sk.rcvbuf)
		skb = alloc_skb(ps->sk.net, keep);
	if (!skb) {
		ps->drops++;
		return;
	}
	packet_view_copy(v, v->start, skb_put(skb, keep), keep);
	skb->tstamp = meta->tstamp;
	memcpy(skb->cb, meta, sizeof(*meta));
	if (sock_queue_rcv_skb(&ps->sk, skb)) {
		ps->drops++;
		skb_consume(skb);
	}
}

static bool concerns(const struct packet_sock *ps, const struct sk_buff *skb)
{
	int ifindex = skb->dev->ifindex;

	if (ps->ifindex && ps->ifindex != ifindex)
		return false;
	if (ps->sk.bound_dev_if && ps->sk.bound_dev_if != ifindex)
		return false;
	return skb->sk != &ps->sk && !(ps->ignore_outgoing && skb->pkt_type == PACKET_OUTGOING);
}

/* struct packet_watch.frame */
static void packet_rcv(struct packet_watch *pw, const struct sk_buff *skb)
{
	struct packet_sock *ps = container_of(pw, struct packet_sock, watch);
	struct packet_meta meta;
	struct packet_view view;
	struct ethhdr made_up;
	uint32_t keep;

	if (!concerns(ps, skb))
		return;
	view_frame(ps, skb, &made_up, &view);
	keep = view.len - view.start;
	if (ps->sk.filter)
		keep = MIN(keep, sk_filter_run(ps->sk.filter, &view));
	if (keep == 0)
		return;
	describe_frame(skb, &view, &meta);
	ps->packets++;
	if (ps->ring)
		packet_ring_rcv(ps, &view, &meta, keep);
	else
		queue_frame(ps, &view, &meta, keep);
}

static void put_auxdata(const struct packet_meta *meta, uint32_t snaplen, struct stack_msg *msg)
{
	struct tpacket_auxdata aux = {
		.tp_status = meta->status, .tp_len = meta->len, .tp_snaplen = snaplen, .tp_net = meta->net,
	};

	put_cmsg(msg, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

static size_t scatter(const struct stack_msg *msg, const struct sk_buff *skb)
{
	uint32_t done = 0;

	for (size_t i = 0; i < msg->iovcnt && done < skb->len; i++) {
		uint32_t n = (uint32_t)MIN(msg->iov[i].iov_len, (size_t)(skb->len - done));

		if (n && skb_copy_bits(skb, done, msg->iov[i].iov_base, n))
			break;
		done += n;
	}
	return done;
}

static ssize_t packet_recvmsg(struct socket *sock, struct stack_msg *msg)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	struct packet_meta meta;
	struct sk_buff *skb;
	size_t copied;
	int err;

	if (msg->flags & ~(unsigned int)(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE))
		return -EINVAL;
	if (msg->flags & MSG_ERRQUEUE)
		return -EAGAIN; /* nothing is ever put there */
	err = sock_error(&ps->sk);
	if (err)
		return err;
	skb = skb_peek(&ps->sk.receive_queue);
	if (!skb)
		return -EAGAIN;
	memcpy(&meta, skb->cb, sizeof(meta));
	copied = scatter(msg, skb);
	msg->full_len = skb->len;
	if (copied < skb->len)
		msg->out_flags |= MSG_TRUNC;
	if (msg->name) {
		memcpy(msg->name, &meta.from, sizeof(meta.from));
		msg->namelen = sizeof(meta.from);
	}
	sock_put_timestamp(&ps->sk, skb, msg);
	if (ps->auxdata)
		put_auxdata(&meta, skb->len, msg);
	if (!(msg->flags & MSG_PEEK)) {
		skb_unlink(&ps->sk.receive_queue, skb);
		skb_consume(skb);
	}
	return (ssize_t)((msg->flags & MSG_TRUNC) ? msg->full_len : copied);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Where a message goes: by its address, else as the socket is bound. */
struct destination {
	struct net_device *dev;
	be16 protocol;
	bool named;
	uint8_t addr[8];
};

/* Errors in the order of Linux's packet_snd(). */
static int find_destination(const struct packet_sock *ps, const void *name, socklen_t namelen,
			    struct destination *d)
{
	struct sockaddr_ll ll = { .sll_ifindex = ps->ifindex, .sll_protocol = ps->num };

	memset(d, 0, sizeof(*d));
	if (name) {
		if (namelen < sizeof(ll))
			return -EINVAL;
		memcpy(&ll, name, sizeof(ll));
		if (namelen < ll.sll_halen + offsetof(struct sockaddr_ll, sll_addr))
			return -EINVAL;
		d->named = true;
		memcpy(d->addr, ll.sll_addr, sizeof(d->addr));
	}
	d->protocol = ll.sll_protocol;
	d->dev = ll.sll_ifindex > 0 ? dev_get_by_index(ps->sk.net, ll.sll_ifindex) : NULL;
	if (!d->dev)
		return -ENXIO;
	return netif_running(d->dev) ? 0 : -ENETDOWN;
}

/* A VLAN tag may come on top of the MTU, where the frame shows that it has one. */
static int check_length(const struct packet_sock *ps, const struct destination *d, size_t len)
{
	size_t link = ps->sk.type == SOCK_RAW ? (size_t)ETH_HLEN : 0;

	if (len < link)
		return -EINVAL;
	return len > d->dev->mtu + link ? -EMSGSIZE : 0;
}

/**
 * packet_check_send() - what a send would say before anything is sent
 * @sock:    packet socket
 * @name:    sockaddr_ll, NULL = as bound
 * @namelen: its length
 * @len:     bytes of the message
 *
 * Return: 0; -EINVAL, -ENXIO, -ENETDOWN, -EMSGSIZE
 */
int packet_check_send(const struct socket *sock, const void *name, socklen_t namelen, size_t len)
{
	const struct packet_sock *ps = pkt_sk(sock->sk);
	struct destination d;
	int err = find_destination(ps, name, namelen, &d);

	return err ? err : check_length(ps, &d, len);
}

static void gather(const struct stack_msg *msg, uint8_t *to)
{
	for (size_t i = 0; i < msg->iovcnt; i++) {
		if (msg->iov[i].iov_len)
			memcpy(to, msg->iov[i].iov_base, msg->iov[i].iov_len);
		to += msg->iov[i].iov_len;
	}
}

/* The frame's own header says what it is, unless the program has said it. */
static int finish_raw(struct sk_buff *skb, const struct destination *d)
{
	const struct ethhdr *eth = skb_header(skb, 0, ETH_HLEN);

	if (!eth)
		return -EINVAL;
	skb->protocol = d->protocol && d->protocol != cpu_to_be16(ETH_P_ALL) ? d->protocol : eth->h_proto;
	if (link_header_is_made_up(d->dev)) {
		skb_pull(skb, ETH_HLEN);
		skb_reset_network_header(skb);
	} else {
		skb->network_header = (uint16_t)(skb_headroom(skb) + ETH_HLEN);
	}
	skb_reset_mac_header(skb);
	return 0;
}

static int finish_dgram(struct sk_buff *skb, const struct destination *d)
{
	skb_reset_network_header(skb);
	return dev_hard_header(skb, d->dev, be16_to_cpu(d->protocol), d->named ? d->addr : NULL, NULL);
}

static ssize_t packet_sendmsg(struct socket *sock, struct stack_msg *msg)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	struct destination d;
	struct sk_buff *skb;
	size_t len = 0;
	int err = find_destination(ps, msg->namelen ? msg->name : NULL, msg->namelen, &d);

	for (size_t i = 0; i < msg->iovcnt; i++)
		len += msg->iov[i].iov_len;
	if (!err)
		err = check_length(ps, &d, len);
	if (!err)
		err = sock_check_send(&ps->sk);
	if (err)
		return err;
	skb = alloc_skb(ps->sk.net, ll_reserved_space(d.dev) + (uint32_t)len);
	if (!skb)
		return -ENOBUFS;
	skb_reserve(skb, ll_reserved_space(d.dev));
	gather(msg, skb_put(skb, (uint32_t)len));
	skb->dev = d.dev;
	skb->priority = ps->sk.priority;
	skb->mark = ps->sk.mark;
	skb_set_owner_w(skb, &ps->sk);
	err = ps->sk.type == SOCK_RAW ? finish_raw(skb, &d) : finish_dgram(skb, &d);
	if (err) {
		skb_consume(skb);
		return err;
	}
	err = dev_queue_xmit(skb);
	return err ? err : (ssize_t)len;
}

/* --- binding ---------------------------------------------------------------------------------- */

/* Does the driver have to let frames through that no protocol of ours is for? */
static bool wants_all(const struct packet_sock *ps)
{
	return ps->num != cpu_to_be16(ETH_P_IP) && ps->num != cpu_to_be16(ETH_P_ARP);
}

static void set_watched(const struct packet_sock *ps, int inc)
{
	struct net *net = ps->sk.net;
	struct net_device *dev;

	if (!wants_all(ps))
		return;
	for (dev = dev_next(net, NULL); dev; dev = dev_next(net, dev))
		if (!ps->ifindex || ps->ifindex == dev->ifindex)
			dev_set_watched(dev, inc);
}

/** packet_hook_on() - begin to see frames, as the socket is bound */
void packet_hook_on(struct packet_sock *ps)
{
	if (ps->running || !ps->num || ps->ifindex < 0)
		return;
	ps->running = true;
	ps->watch.type = ps->num;
	dev_add_watch(ps->sk.net, &ps->watch);
	set_watched(ps, 1);
}

/** packet_hook_off() - see no more frames */
void packet_hook_off(struct packet_sock *ps)
{
	if (!ps->running)
		return;
	ps->running = false;
	dev_remove_watch(&ps->watch);
	set_watched(ps, -1);
}

static int packet_bind(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
	struct packet_sock *ps = pkt_sk(sock->sk);
	struct net_device *dev = NULL;
	struct sockaddr_ll ll;

	if (len < sizeof(ll))
		return -EINVAL;
	memcpy(&ll, addr, sizeof(ll));
	if (ll.sll_family != AF_PACKET)
		return -EINVAL;
	if (ll.sll_ifindex) {
		dev = dev_get_by_index(sock->net, ll.sll_ifindex);
		if (!dev)
			return -ENODEV;
	}
	packet_hook_off(ps);
	ps->ifindex = ll.sll_ifindex;
	if (ll.sll_protocol)
		ps->num = ll.sll_protocol;
	if (ps->num && dev && !netif_running(dev))
		sk_set_err(&ps->sk, ENETDOWN);
	else
		packet_hook_on(ps);
	return 0;
}

static int packet_getname(struct socket *sock, struct sockaddr_storage *addr, bool peer)
{
	const struct packet_sock *ps = pkt_sk(sock->sk);
	const struct net_device *dev;
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = ps->num, .sll_ifindex = ps->ifindex,
	};

	if (peer)
		return -EOPNOTSUPP;
	dev = ps->ifindex > 0 ? dev_get_by_index(sock->net, ps->ifindex) : NULL;
	if (dev) {
		ll.sll_hatype = dev->type;
		ll.sll_halen = ETH_ALEN;
		memcpy(ll.sll_addr, dev->dev_addr, ETH_ALEN);
	}
	memcpy(addr, &ll, sizeof(ll));
	return (int)offsetof(struct sockaddr_ll, sll_addr) + ll.sll_halen;
}

/* --- the socket ------------------------------------------------------------------------------- */

static unsigned int packet_poll(const struct socket *sock)
{
	const struct sock *sk = sock->sk;
	unsigned int events = 0;

	if (sk->err)
		events |= POLLERR;
	if (!skb_queue_empty(&sk->receive_queue) || packet_ring_readable(pkt_sk(sk)))
		events |= POLLIN | POLLRDNORM;
	if (sock_writeable(sk))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

static int packet_ioctl(struct socket *sock, unsigned long cmd, int *value)
{
	const struct sk_buff *skb;

	switch (cmd) {
	case SIOCINQ:
		skb = skb_peek(&sock->sk->receive_queue);
		*value = skb ? (int)skb->len : 0;
		return 0;
	case SIOCOUTQ:
		*value = (int)sock->sk->wmem_alloc;
		return 0;
	default:
		return -ENOTTY;
	}
}

static int packet_dev_ioctl(struct socket *sock, unsigned long cmd, void *arg, size_t *len)
{
	return inet_dev_ioctl(sock->net, cmd, arg, len);
}

static int no_connect(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
	(void)sock;
	(void)addr;
	(void)len;
	return -EOPNOTSUPP;
}

static int no_accept(struct socket *sock, struct socket *newsock)
{
	(void)sock;
	(void)newsock;
	return -EOPNOTSUPP;
}

static int no_int(struct socket *sock, int value)
{
	(void)sock;
	(void)value;
	return -EOPNOTSUPP;
}

static int packet_release(struct socket *sock)
{
	struct packet_sock *ps = pkt_sk(sock->sk);

	packet_hook_off(ps);
	packet_flush_mclist(ps);
	packet_ring_free(ps);
	list_del(&ps->node);
	sock_orphan(&ps->sk);
	skb_queue_purge(&ps->sk.receive_queue);
	sock_put(&ps->sk);
	return 0;
}

static void packet_describe(const struct sock *sk, char *buf, size_t len)
{
	const struct packet_sock *ps = pkt_sk(sk);
	const struct net_device *dev = ps->ifindex > 0 ? dev_get_by_index(sk->net, ps->ifindex) : NULL;

	snprintf(buf, len, "packet %s 0x%04x on %s", sk->type == SOCK_RAW ? "raw" : "cooked",
		 be16_to_cpu(ps->num), dev ? dev->name : "any device");
}

static const struct proto packet_prot = {
	.name = "PACKET",
	.obj_size = sizeof(struct packet_sock),
	.filters = true,
	.describe = packet_describe,
};

static const struct proto_ops packet_ops = {
	.family = AF_PACKET,
	.release = packet_release,
	.bind = packet_bind,
	.connect = no_connect,
	.accept = no_accept,
	.getname = packet_getname,
	.poll = packet_poll,
	.ioctl = packet_ioctl,
	.dev_ioctl = packet_dev_ioctl,
	.listen = no_int,
	.shutdown = no_int,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.sendmsg = packet_sendmsg,
	.recvmsg = packet_recvmsg,
};

/* @protocol: EtherType, big endian. */
static int packet_create(struct net *net, struct socket *sock, int protocol)
{
	struct packet_sock *ps;

	if (sock->type != SOCK_RAW && sock->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	ps = pkt_sk(sk_alloc(net, AF_PACKET, sock->type, &packet_prot));
	if (!ps)
		return -ENOMEM;
	sock->sk = &ps->sk;
	sock->ops = &packet_ops;
	ps->sk.socket = sock;
	ps->num = (be16)protocol;
	ps->version = TPACKET_V1;
	ps->watch.frame = packet_rcv;
	list_init(&ps->watch.list);
	list_init(&ps->mclist);
	list_add_tail(&ps->node, &net->packet->socks);
	packet_hook_on(ps);
	return 0;
}

/* --- devices and life ------------------------------------------------------------------------- */

static void device_is_down(struct packet_sock *ps, const struct net_device *dev)
{
	if (ps->ifindex != dev->ifindex || !ps->running)
		return;
	packet_hook_off(ps);
	sk_set_err(&ps->sk, ENETDOWN);
}

static void device_event(struct packet_sock *ps, struct net_device *dev, unsigned long event)
{
	switch (event) {
	case NETDEV_REGISTER:
		if (ps->running && !ps->ifindex && wants_all(ps))
			dev_set_watched(dev, 1);
		return;
	case NETDEV_UNREGISTER:
		device_is_down(ps, dev);
		packet_forget_device(ps, dev->ifindex);
		if (ps->ifindex == dev->ifindex)
			ps->ifindex = -1;
		return;
	case NETDEV_DOWN:
		device_is_down(ps, dev);
		return;
	case NETDEV_UP:
		if (ps->ifindex == dev->ifindex)
			packet_hook_on(ps);
		return;
	default:
		return;
	}
}

static void netdev_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netns_packet *np = container_of(nb, struct netns_packet, nb);
	struct packet_sock *ps;

	list_for_each_entry(ps, &np->socks, node)
		device_event(ps, data, event);
}

static const struct net_proto_family packet_family = {
	.family = AF_PACKET,
	.create = packet_create,
};

/**
 * packet_set_ring_ops() - who provides the memory of rings
 * @net:  namespace
 * @ops:  must outlive the net
 */
void packet_set_ring_ops(struct net *net, const struct packet_ring_ops *ops)
{
	net->packet->ring_ops = ops;
}

static int packet_net_init(struct net *net)
{
	struct netns_packet *np = calloc(1, sizeof(*np));
	int err;

	if (!np)
		return -ENOMEM;
	err = sock_register(net, &packet_family);
	if (err) {
		free(np);
		return err;
	}
	list_init(&np->socks);
	np->nb.call = netdev_event;
	notifier_chain_register(&net->netdev_chain, &np->nb);
	net->packet = np;
	return 0;
}

static void packet_net_exit(struct net *net)
{
	notifier_chain_unregister(&net->netdev_chain, &net->packet->nb);
	free(net->packet);
	net->packet = NULL;
}

const struct pernet_operations packet_pernet_ops = {
	.name = "packet",
	.init = packet_net_init,
	.exit = packet_net_exit,
};
