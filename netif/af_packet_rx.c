/* SPDX-License-Identifier: MIT */
/*
 * af_packet_rx.c - frames on their way in from the packet socket
 *
 * poll() reads up to 16 frames by one recvmmsg(), each into a 68 KiB block: a peer on this machine
 * sends TCP super-segments of 64 KiB which nobody cuts on the way. A large frame goes up in its
 * block without being copied, and the slot gets a new block. A small one is copied into an skb of its
 * own size, so that an ACK waiting in a queue does not hold 68 KiB; the slot keeps its block.
 *
 * The virtio header says what the kernel knows: a checksum that was never filled in because the
 * frame never left the machine (NEEDS_CSUM: trusted), one that has been verified (DATA_VALID), and
 * the size of the segments that a super-segment stands for. Without that header (refused by an old
 * kernel, or turned off) PACKET_AUXDATA tells the first two. It also tells a VLAN tag, which the
 * kernel takes out of the frame: such a frame is for another network and must not be taken for one
 * of ours. Tag 0 only carries a priority and is let in (IEEE 802.1Q-2018, 6.9.1 and 9.6).
 *
 * UDP super-datagrams are cut by af_packet_udp_segment() here: unlike a TCP segment, whose borders
 * mean nothing, each part of them is a datagram of its own.
 */
#include "netif/af_packet.h"

#include "stack/core/checksum.h"

/* Not in the kernel headers of all supported distributions. */
enum { GSO_UDP_L4 = 5, STATUS_CSUM_VALID = 1 << 7 };

enum { MAX_ERRORS_PER_POLL = 4 };

/* What is known about a frame besides its bytes. */
struct rx_frame {
	const uint8_t *bytes;
	uint32_t len;
	struct virtio_net_hdr vh;
	uint8_t ip_summed;
};

static void free_blocks(struct af_packet *ap)
{
	for (size_t i = 0; i < AF_PACKET_BATCH; i++) {
		skb_data_put(ap->rx.blocks[i]);
		ap->rx.blocks[i] = NULL;
	}
}

/* Throws away what arrived while nobody was to listen, and a stored socket error. */
static void drain(struct af_packet *ap)
{
	uint8_t byte;
	struct iovec iov = { &byte, sizeof(byte) };
	ssize_t n;
	int errors = 0;

	do {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		n = sys_recvmsg(ap->fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0)
			errors++;
	} while (n != -EAGAIN && errors < MAX_ERRORS_PER_POLL);
}

/**
 * af_packet_rx_start() - get buffers and begin to receive
 * @ap:  device
 *
 * Return:  0; -ENOMEM, or why the socket could not be bound. An interface that is down is no error:
 *          the kernel begins to deliver when it comes up.
 */
int af_packet_rx_start(struct af_packet *ap)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = cpu_to_be16(ETH_P_ALL),
		.sll_ifindex = ap->ifindex,
	};
	int err;

	for (size_t i = 0; i < AF_PACKET_BATCH; i++) {
		ap->rx.blocks[i] = skb_data_alloc(AF_PACKET_BUF_SIZE);
		if (!ap->rx.blocks[i]) {
			free_blocks(ap);
			return -ENOMEM;
		}
	}
	drain(ap);
	err = sys_bind(ap->fd, &addr, sizeof(addr));
	if (err < 0)
		free_blocks(ap);
	return err;
}

/**
 * af_packet_rx_stop() - receive no more
 * @ap:  device
 */
void af_packet_rx_stop(struct af_packet *ap)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_ifindex = ap->ifindex };

	/* Protocol 0: nothing is delivered. It fails only for an interface that is gone. */
	(void)sys_bind(ap->fd, &addr, sizeof(addr));
	drain(ap);
	free_blocks(ap);
}

/**
 * af_packet_count_drops() - fold the kernel's counter of lost frames into ours
 * @ap:  device; the kernel's counter starts at zero again
 */
void af_packet_count_drops(struct af_packet *ap)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (sys_getsockopt(ap->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) < 0)
		return;
	ap->kernel_drops += st.tp_drops;
	ap->dev->stats.rx_dropped += st.tp_drops;
}

/* Fills the slots and reads; number of frames, or negative errno. */
static int read_batch(struct af_packet *ap, unsigned int count)
{
	uint32_t offset = AF_PACKET_FRAME_OFFSET - (ap->vnet_hdr ? AF_PACKET_VNET_LEN : 0U);
	struct af_packet_rx *rx = &ap->rx;

	for (unsigned int i = 0; i < count; i++) {
		rx->iov[i] = (struct iovec){ rx->blocks[i]->buf + offset, rx->blocks[i]->size - offset };
		rx->msgs[i].msg_hdr = (struct msghdr){
			.msg_iov = &rx->iov[i],
			.msg_iovlen = 1,
			.msg_control = rx->control[i],
			.msg_controllen = sizeof(rx->control[i]),
		};
	}
	return sys_recvmmsg(ap->fd, rx->msgs, count, MSG_DONTWAIT);
}

/* Reads the kernel's notes on frame @i. False: the frame is on a VLAN. */
static bool read_auxdata(struct af_packet *ap, unsigned int i, struct rx_frame *f)
{
	struct msghdr *msg = &ap->rx.msgs[i].msg_hdr;
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if ((aux.tp_status & TP_STATUS_VLAN_VALID) && (aux.tp_vlan_tci & 0xfff))
			return false;
		if (aux.tp_status & (TP_STATUS_CSUMNOTREADY | STATUS_CSUM_VALID))
			f->ip_summed = CHECKSUM_UNNECESSARY;
	}
	return true;
}

/* Checks the virtio header of @f against its length and takes the checksum's state from it. */
static bool take_vnet_hdr(struct rx_frame *f)
{
	if (f->vh.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint32_t field = (uint32_t)f->vh.csum_start + f->vh.csum_offset;

		if (field + 2 > f->len || AF_PACKET_FRAME_OFFSET + field > UINT16_MAX)
			return false;
		f->ip_summed = CHECKSUM_PARTIAL;
	} else if (f->vh.flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		f->ip_summed = CHECKSUM_UNNECESSARY;
	}
	f->vh.gso_type &= (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	return f->vh.gso_type == VIRTIO_NET_HDR_GSO_NONE || f->vh.gso_size > 0;
}

/* Fills @f from slot @i; false when the frame is no good, counted. */
static bool read_frame(struct af_packet *ap, unsigned int i, struct rx_frame *f)
{
	struct mmsghdr *m = &ap->rx.msgs[i];
	struct net_device_stats *stats = &ap->dev->stats;
	uint32_t skip = ap->vnet_hdr ? AF_PACKET_VNET_LEN : 0U;

	memset(f, 0, sizeof(*f));
	if ((m->msg_hdr.msg_flags & MSG_TRUNC) || m->msg_len < skip) {
		stats->rx_errors++;
		return false;
	}
	f->bytes = ap->rx.blocks[i]->buf + AF_PACKET_FRAME_OFFSET;
	f->len = m->msg_len - skip;
	f->ip_summed = CHECKSUM_NONE;
	if (!read_auxdata(ap, i, f)) {
		ap->vlan_drops++;
		stats->rx_dropped++;
		return false;
	}
	if (ap->vnet_hdr) {
		memcpy(&f->vh, f->bytes - AF_PACKET_VNET_LEN, sizeof(f->vh));
		if (!take_vnet_hdr(f)) {
			stats->rx_errors++;
			return false;
		}
	}
	return true;
}

/* An skb with the frame of slot @i: the block itself, or a copy of a small frame. */
static struct sk_buff *make_skb(struct af_packet *ap, unsigned int i, const struct rx_frame *f)
{
	struct net *net = ap->dev->net;
	struct skb_data *block = ap->rx.blocks[i], *fresh;
	struct sk_buff *skb;

	/* Below a quarter of the block copying costs less than the memory it would hold. */
	if (f->len < AF_PACKET_BUF_SIZE / 4) {
		skb = alloc_skb(net, AF_PACKET_FRAME_OFFSET + f->len);
		if (!skb)
			return NULL;
		skb_reserve(skb, AF_PACKET_FRAME_OFFSET);
		memcpy(skb_put(skb, f->len), f->bytes, f->len);
		return skb;
	}
	fresh = skb_data_alloc(AF_PACKET_BUF_SIZE);
	if (!fresh)
		return NULL;
	ap->rx.blocks[i] = fresh;
	return build_skb(net, block, AF_PACKET_FRAME_OFFSET, f->len);
}

/* Bytes before the TCP payload, or 0 when the headers are not what the kernel announced. */
static uint32_t tcp_payload_offset(const struct sk_buff *skb)
{
	const uint8_t *ip = skb_header(skb, ETH_HLEN, 40), *th;
	uint32_t at;

	if (!ip)
		return 0;
	at = ETH_HLEN + ((ip[0] >> 4) == 6 ? 40U : (uint32_t)(ip[0] & 0xf) * 4U);
	th = skb_header(skb, at, 20);
	return th ? at + (uint32_t)(th[12] >> 4) * 4U : 0;
}

static void set_gso(struct sk_buff *skb, const struct rx_frame *f)
{
	uint32_t hdr = tcp_payload_offset(skb), payload;

	if (f->vh.gso_type == VIRTIO_NET_HDR_GSO_TCPV4)
		skb->gso_type = SKB_GSO_TCPV4;
	else if (f->vh.gso_type == VIRTIO_NET_HDR_GSO_TCPV6)
		skb->gso_type = SKB_GSO_TCPV6;
	else
		return; /* VIRTIO_NET_HDR_GSO_UDP: one datagram, to be fragmented; whole, so much the better */
	payload = hdr && hdr < skb->len ? skb->len - hdr : 0;
	skb->gso_size = f->vh.gso_size;
	skb->gso_segs = (uint16_t)MAX(1U, (payload + skb->gso_size - 1) / skb->gso_size);
}

/* Up with a frame whose bytes and checksum state are in place. Consumes @skb. */
static void deliver_skb(struct af_packet *ap, struct sk_buff *skb)
{
	struct net_device *dev = ap->dev;

	skb->dev = dev;
	skb->tstamp = dev->net->now;
	if (eth_type_trans(skb, dev) < 0) {
		dev->stats.rx_errors++;
		skb_drop(skb, SKB_DROP_ETH_SHORT);
		return;
	}
	netif_receive_skb(skb);
}

/* One datagram out of a super-datagram: @chunk bytes at @offset of its payload, number @index. */
static struct sk_buff *udp_part(struct net *net, const struct rx_frame *f, uint32_t uh_offset,
				uint32_t offset, uint32_t chunk, uint16_t index)
{
	uint32_t hdr = uh_offset + 8, ihl = uh_offset - ETH_HLEN;
	struct sk_buff *skb = alloc_skb(net, AF_PACKET_FRAME_OFFSET + hdr + chunk);
	uint16_t id, sum;
	be16 len;
	be32 addr[2];
	uint8_t *ip, *uh;

	if (!skb)
		return NULL;
	skb_reserve(skb, AF_PACKET_FRAME_OFFSET);
	memcpy(skb_put(skb, hdr), f->bytes, hdr);
	memcpy(skb_put(skb, chunk), f->bytes + hdr + offset, chunk);
	ip = skb->data + ETH_HLEN;
	uh = skb->data + uh_offset;
	len = cpu_to_be16((uint16_t)(ihl + 8 + chunk));
	memcpy(ip + 2, &len, 2);
	memcpy(&id, ip + 4, 2);
	id = cpu_to_be16((uint16_t)(be16_to_cpu(id) + index));
	memcpy(ip + 4, &id, 2);
	memset(ip + 10, 0, 2);
	sum = ip_fast_csum(ip, ihl / 4);
	memcpy(ip + 10, &sum, 2);
	len = cpu_to_be16((uint16_t)(8 + chunk));
	memcpy(uh + 4, &len, 2);
	memcpy(addr, ip + 12, sizeof(addr));
	sum = (uint16_t)~csum_fold(csum_tcpudp_nofold(addr[0], addr[1], 8 + chunk, 17, 0));
	memcpy(uh + 6, &sum, 2);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (uint16_t)(AF_PACKET_FRAME_OFFSET + uh_offset);
	skb->csum_offset = 6;
	return skb;
}

/*
 * af_packet_udp_segment() - deliver a UDP super-datagram as the datagrams it stands for
 *
 * A sender with UDP_SEGMENT on this machine (QUIC does it) makes them; the kernel cuts them before a
 * real wire, but not before a veth. The headers are trusted as far as they are checked here.
 */
static void af_packet_udp_segment(struct af_packet *ap, const struct rx_frame *f)
{
	const uint8_t *ip = f->bytes + ETH_HLEN;
	uint32_t ihl, hdr, payload, step = f->vh.gso_size;
	uint16_t index = 0;

	if (f->len < ETH_HLEN + 28 || (ip[0] >> 4) != 4 || ip[9] != 17)
		goto bad;
	ihl = (uint32_t)(ip[0] & 0xf) * 4U;
	hdr = ETH_HLEN + ihl + 8;
	if (ihl < 20 || hdr >= f->len)
		goto bad;
	payload = f->len - hdr;
	for (uint32_t at = 0; at < payload; at += step) {
		struct sk_buff *skb = udp_part(ap->dev->net, f, ETH_HLEN + ihl, at,
					       MIN(step, payload - at), index++);

		if (skb)
			deliver_skb(ap, skb);
		else
			ap->dev->stats.rx_dropped++;
	}
	return;
bad:
	ap->dev->stats.rx_errors++;
}

static void deliver(struct af_packet *ap, unsigned int i)
{
	struct rx_frame f;
	struct sk_buff *skb;

	if (!read_frame(ap, i, &f))
		return;
	if (f.vh.gso_type == GSO_UDP_L4) {
		af_packet_udp_segment(ap, &f);
		return;
	}
	skb = make_skb(ap, i, &f);
	if (!skb) {
		ap->dev->stats.rx_dropped++;
		ap->dev->net->drops[SKB_DROP_NO_MEMORY]++;
		return;
	}
	skb->ip_summed = f.ip_summed;
	if (f.ip_summed == CHECKSUM_PARTIAL) {
		skb->csum_start = (uint16_t)(AF_PACKET_FRAME_OFFSET + f.vh.csum_start);
		skb->csum_offset = f.vh.csum_offset;
	}
	if (f.vh.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		set_gso(skb, &f);
	deliver_skb(ap, skb);
}

/**
 * af_packet_poll() - read and deliver up to @budget frames
 * @napi:    the device's
 * @budget:  frames
 *
 * An error of the socket (the interface went down, a frame that the kernel could not describe) is
 * reported once by the kernel and stands for at most one frame.
 * Return:  frames taken; less than @budget when there are no more
 */
int af_packet_poll(struct napi_struct *napi, int budget)
{
	struct af_packet *ap = af_packet_priv(napi->dev);
	int done = 0, errors = 0;
	bool drained = false;

	while (done < budget && !drained && ap->rx.blocks[0]) {
		int want = MIN(budget - done, (int)AF_PACKET_BATCH);
		int got = read_batch(ap, (unsigned int)want);

		if (got == -EINTR)
			continue;
		if (got == -EAGAIN)
			break;
		if (got < 0) {
			if (got != -ENETDOWN)
				napi->dev->stats.rx_errors++;
			drained = ++errors >= MAX_ERRORS_PER_POLL;
			continue;
		}
		for (int i = 0; i < got && ap->rx.blocks[0]; i++)
			deliver(ap, (unsigned int)i);
		done += got;
		drained = got < want;
	}
	if (ap->pressure)
		af_packet_count_drops(ap);
	ap->pressure = done >= budget;
	return done;
}
