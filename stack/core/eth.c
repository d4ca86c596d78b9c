/* SPDX-License-Identifier: MIT */
/*
 * eth.c - link headers: Ethernet (RFC 894), and none at all on loopback
 *
 * dev_hard_header() is the last header of a packet on its way out; eth_type_trans() the first look
 * at a frame that came in. IEEE 802.3 frames with a length in place of the type are given the
 * pseudo-type ETH_P_802_3, for which nobody registers: RFC 1122 2.3.3 asks only that hosts send and
 * receive the Ethernet encapsulation; receiving RFC 1042's is a SHOULD that Linux does not meet for
 * IP either (DEVIATES).
 */
#include "stack/core/dev.h"

/**
 * ether_setup() - the properties that all Ethernet devices share
 * @dev:  device from alloc_netdev()
 */
void ether_setup(struct net_device *dev)
{
	dev->type = ARPHRD_ETHER;
	dev->hard_header_len = ETH_HLEN;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = ETH_MAX_MTU;
	dev->flags |= IFF_BROADCAST | IFF_MULTICAST;
	memset(dev->broadcast, 0xff, ETH_ALEN);
}

/**
 * dev_hard_header() - push the link header
 * @skb:        packet at its network header; its linear bytes must not be shared
 * @dev:        device it goes out by
 * @ethertype:  ETH_P_*, host order
 * @daddr:      destination, NULL = broadcast
 * @saddr:      source, NULL = the device's own
 *
 * Source:  RFC 894
 * Return:  0; -EINVAL without headroom
 */
int dev_hard_header(struct sk_buff *skb, struct net_device *dev, uint16_t ethertype,
		    const uint8_t *daddr, const uint8_t *saddr)
{
	struct ethhdr *eth;

	skb->protocol = cpu_to_be16(ethertype);
	if (dev->type == ARPHRD_ETHER) {
		if (skb_headroom(skb) < ETH_HLEN)
			return -EINVAL;
		eth = (struct ethhdr *)(void *)skb_push(skb, ETH_HLEN);
		memcpy(eth->h_dest, daddr ? daddr : dev->broadcast, ETH_ALEN);
		memcpy(eth->h_source, saddr ? saddr : dev->dev_addr, ETH_ALEN);
		eth->h_proto = cpu_to_be16(ethertype);
	}
	skb_reset_mac_header(skb);
	return 0;
}

static be16 type_of_ip_packet(const struct sk_buff *skb)
{
	const uint8_t *first = skb_header(skb, 0, 1);

	if (first && *first >> 4 == 4)
		return cpu_to_be16(ETH_P_IP);
	if (first && *first >> 4 == 6)
		return cpu_to_be16(ETH_P_IPV6);
	return 0;
}

static uint8_t type_of_destination(const uint8_t *dest, const struct net_device *dev)
{
	if (memcmp(dest, dev->dev_addr, ETH_ALEN) == 0)
		return PACKET_HOST;
	if (memcmp(dest, dev->broadcast, ETH_ALEN) == 0)
		return PACKET_BROADCAST;
	return dest[0] & 1 ? PACKET_MULTICAST : PACKET_OTHERHOST;
}

/**
 * eth_type_trans() - read and pull the link header of a received frame
 * @skb:  frame, data at its link header
 * @dev:  device it came in by
 *
 * A device without link headers tells IPv4 from IPv6 by the version field.
 * Return:  0 with dev, mac_header, protocol and pkt_type set; -EINVAL when the frame is short
 */
int eth_type_trans(struct sk_buff *skb, struct net_device *dev)
{
	const struct ethhdr *eth;
	uint16_t type;

	skb->dev = dev;
	skb_reset_mac_header(skb);
	if (dev->type != ARPHRD_ETHER) {
		skb->pkt_type = PACKET_HOST;
		skb->protocol = type_of_ip_packet(skb);
		return 0;
	}
	eth = skb_header(skb, 0, ETH_HLEN);
	if (!eth)
		return -EINVAL;
	type = be16_to_cpu(eth->h_proto);
	skb->protocol = cpu_to_be16(type >= ETH_P_802_3_MIN ? type : ETH_P_802_3);
	skb->pkt_type = type_of_destination(eth->h_dest, dev);
	skb_pull(skb, ETH_HLEN);
	return 0;
}
