/* SPDX-License-Identifier: MIT */
/*
 * af_packet_tx.c - frames on their way out through the packet socket
 *
 * One sendmsg() a frame: virtio header, linear part (all headers), fragment (payload straight from
 * the transport's send queue). With PACKET_VNET_HDR the frame may be a TCP super-segment of up to
 * 64 KiB whose checksum holds only the pseudo-header's sum: the kernel, the network card, or nobody
 * at all when the peer sits behind a veth, cuts and completes it (virtio 1.2, 5.1.6.2).
 *
 * When the kernel has no room the skb stays ours, the queue stops, and a later event starts it again:
 *   EAGAIN   the socket's send buffer is full; EPOLLOUT comes when it has drained
 *   ENOBUFS  the interface's queueing discipline is full; no event tells the end of that, so a timer
 *            tries again
 * Errors that concern one frame only lose that frame, as a network card would.
 */
#include "netif/af_packet.h"

#include <sys/uio.h>

#define RETRY_NS (1 * NSEC_PER_MSEC)

/* Length of Ethernet, IP and TCP headers of a super-segment; 0 when it has no such headers. */
static uint32_t gso_header_len(const struct sk_buff *skb, uint32_t csum_start)
{
	const uint8_t *th = skb_header(skb, csum_start, 20);
	uint32_t len;

	if (!th)
		return 0;
	len = csum_start + (uint32_t)(th[12] >> 4) * 4U; /* RFC 9293 3.1: data offset */
	return skb_header(skb, csum_start, len - csum_start) ? len : 0;
}

/**
 * fill_vnet_hdr() - describe to the kernel what is left for it to do
 * @skb:  frame with its link header
 * @vh:   out
 *
 * Return:  0; -EINVAL for a frame that contradicts itself
 */
static int fill_vnet_hdr(const struct sk_buff *skb, struct virtio_net_hdr *vh)
{
	uint32_t start, hdr_len;

	memset(vh, 0, sizeof(*vh));
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return skb->gso_size ? -EINVAL : 0;
	if (skb->csum_start < skb_headroom(skb))
		return -EINVAL;
	start = skb->csum_start - skb_headroom(skb);
	if (!skb_header(skb, start + skb->csum_offset, 2))
		return -EINVAL;
	vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vh->csum_start = (uint16_t)start;
	vh->csum_offset = skb->csum_offset;
	vh->hdr_len = (uint16_t)MIN(skb_headlen(skb), UINT16_MAX);
	if (!skb->gso_size)
		return 0;
	hdr_len = gso_header_len(skb, start);
	if (!hdr_len)
		return -EINVAL;
	switch (skb->gso_type) {
	case SKB_GSO_TCPV4:
		vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		break;
	case SKB_GSO_TCPV6:
		vh->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
		break;
	default:
		return -EINVAL;
	}
	vh->gso_size = skb->gso_size;
	vh->hdr_len = (uint16_t)hdr_len;
	return 0;
}

/* One attempt; 0 or negative errno. The address carries the EtherType: older kernels need it for GSO. */
static int send_frame(struct af_packet *ap, const struct sk_buff *skb, struct virtio_net_hdr *vh)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = skb->protocol,
		.sll_ifindex = ap->ifindex,
		.sll_halen = ETH_ALEN,
	};
	struct iovec iov[3];
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov };
	ssize_t n;

	if (ap->vnet_hdr)
		iov[msg.msg_iovlen++] = (struct iovec){ vh, sizeof(*vh) };
	iov[msg.msg_iovlen++] = (struct iovec){ skb->data, skb_headlen(skb) };
	if (skb->frag_len)
		iov[msg.msg_iovlen++] = (struct iovec){ skb->frag, skb->frag_len };
	do {
		n = sys_sendmsg(ap->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n == -EINTR);
	return n < 0 ? (int)n : 0;
}

static enum netdev_tx wait_for_room(struct af_packet *ap, int err)
{
	ap->tx_blocked = true;
	ap->tx_retries++;
	if (err != -EAGAIN)
		mod_timer(&ap->retry, ap->dev->net->now + RETRY_NS);
	netif_stop_queue(ap->dev);
	return NETDEV_TX_BUSY;
}

/**
 * af_packet_start_xmit() - hand one frame to the kernel
 * @skb:  frame with its link header; consumed unless NETDEV_TX_BUSY
 * @dev:  our device
 */
enum netdev_tx af_packet_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct af_packet *ap = af_packet_priv(dev);
	struct virtio_net_hdr vh;
	int err;

	err = ap->vnet_hdr ? fill_vnet_hdr(skb, &vh) : 0;
	if (err == 0)
		err = send_frame(ap, skb, &vh);
	/* An ENETDOWN may be the socket's note of an earlier moment; asked again, it tells of now. */
	if (err == -ENETDOWN)
		err = send_frame(ap, skb, &vh);
	switch (err) {
	case 0:
		skb_consume(skb);
		return NETDEV_TX_OK;
	case -EAGAIN:
	case -ENOBUFS:
	case -ENOMEM:
		return wait_for_room(ap, err);
	case -ENETDOWN:
	case -ENXIO:
	case -ENODEV:
		dev->stats.tx_dropped++;
		skb_drop(skb, SKB_DROP_DEV_DOWN);
		netif_carrier_set(dev, false);
		return NETDEV_TX_OK;
	default:
		dev->stats.tx_errors++;
		skb_drop(skb, SKB_DROP_DEV_TX_ERROR);
		return NETDEV_TX_OK;
	}
}

/**
 * af_packet_tx_wake() - there may be room again: go on sending
 * @ap:  device
 */
void af_packet_tx_wake(struct af_packet *ap)
{
	if (!ap->tx_blocked)
		return;
	ap->tx_blocked = false;
	del_timer(&ap->retry);
	netif_wake_queue(ap->dev);
}

/**
 * af_packet_tx_retry() - timer: the queueing discipline may have drained
 * @t:  struct af_packet's retry
 */
void af_packet_tx_retry(struct timer_list *t)
{
	af_packet_tx_wake(container_of(t, struct af_packet, retry));
}
