/* SPDX-License-Identifier: MIT */
/*
 * IP, reassembly and ICMP: a list of packets for a host with the network layer. Each begins with a byte
 * (1: mend the header's checksum, 2: mend that of ICMP, 4: from the neighbour to us, 8: time passes) and its
 * length in two.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/inet_fixture.h"

#define ETHER 14U

static uint16_t folded(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)(p[len - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void mend(uint8_t *ip, size_t len, uint8_t how)
{
	size_t header = (size_t)(ip[0] & 15) * 4;

	if (how & 4) {
		put32(ip + 12, PEER);
		put32(ip + 16, OWN);
	}
	if (header < 20 || header > len)
		return;
	if ((how & 2) && ip[9] == 1 && len >= header + 8) {
		put16(ip + header + 2, 0);
		put16(ip + header + 2, folded(ip + header, len - header));
	}
	if (how & 1) {
		put16(ip + 10, 0);
		put16(ip + 10, folded(ip, header));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct host h = host_up();

	while (in.left) {
		uint8_t how = input_u8(&in), frame[ETHER + 2048] = { 0 };
		size_t len = input_u16(&in) % 2048;
		const uint8_t *bytes = input_bytes(&in, &len);

		memcpy(frame, own_mac, 6);
		memcpy(frame + 6, peer_mac, 6);
		put16(frame + 12, 0x0800);
		memcpy(frame + ETHER, bytes, len);
		if (len >= 20)
			mend(frame + ETHER, len, how);
		fake_dev_inject(h.eth, frame, ETHER + len);
		fake_dev_forget(h.eth);
		if (how & 8)
			fake_advance_ms(h.net, how * 40U);
	}
	fake_advance_s(h.net, 31); /* what waits for the rest of a datagram is given up */
	fake_dev_forget(h.eth);
	CHECK_EQ(skb_live(h.net), 0);
	fake_net_destroy(h.net);
	return 0;
}
