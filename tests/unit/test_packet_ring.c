/* SPDX-License-Identifier: MIT */
/* PACKET_RX_RING: geometry, frames, blocks, and who has what. */
#include "tests/unit/packet_fixture.h"

enum { BLOCK = 8192, BLOCKS = 2, FRAME = 2048, FRAMES = BLOCK / FRAME * BLOCKS };

static int set_ring(struct socket *s, enum tpacket_versions version, unsigned int tov_ms)
{
	struct tpacket_req3 req = { .tp_block_size = BLOCK, .tp_block_nr = BLOCKS, .tp_frame_size = FRAME,
				    .tp_frame_nr = FRAMES, .tp_retire_blk_tov = tov_ms };

	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, (int)version), 0);
	return sock_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &req,
			       version == TPACKET_V3 ? sizeof(req) : sizeof(struct tpacket_req));
}

static struct tpacket2_hdr *frame2(unsigned int i)
{
	return (struct tpacket2_hdr *)(void *)(shared.mem + (size_t)i * FRAME);
}

static struct tpacket_block_desc *block(unsigned int i)
{
	return (struct tpacket_block_desc *)(void *)(shared.mem + (size_t)i * BLOCK);
}

static bool readable(struct socket *s)
{
	return sock_poll(s) & POLLIN;
}

TEST(test_ring_frames)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket_stats st;
	struct tpacket2_hdr *f;
	struct sockaddr_ll ll;
	socklen_t len = sizeof(st);

	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_RESERVE, 4), 0);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK_EQ(set_ring(s, TPACKET_V2, 0), 0);
	CHECK_EQ(receive(s, 0)->n, -EAGAIN); /* what was queued before is gone */
	CHECK(!readable(s));
	for (unsigned int i = 0; i < FRAMES + 3; i++)
		inject_frame(&h, own_mac, ETH_TEST, 46 + i);
	CHECK(readable(s));
	for (unsigned int i = 0; i < FRAMES; i++) {
		f = frame2(i);
		CHECK_EQ(f->tp_status & TP_STATUS_USER, TP_STATUS_USER);
		CHECK_EQ(f->tp_len, 60 + i);
		CHECK_EQ(f->tp_snaplen, 60 + i);
		CHECK_EQ(f->tp_net % 16, 4); /* the reserve */
		CHECK_EQ(f->tp_mac, f->tp_net - 14);
		CHECK_MEM((uint8_t *)f + f->tp_mac, own_mac, 6);
		CHECK_EQ(((uint8_t *)f)[f->tp_net + 45], 45);
		memcpy(&ll, (uint8_t *)f + sizeof(*f), sizeof(ll));
		CHECK_EQ(ll.sll_protocol, cpu_to_be16(ETH_TEST));
	}
	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK_EQ(st.tp_drops, 3);
	frame2(FRAMES - 1)->tp_status = TP_STATUS_KERNEL;
	CHECK(!readable(s)); /* as Linux: the last one counts */
	inject_frame(&h, own_mac, ETH_TEST, 46); /* frame 0 is the program's still */
	CHECK(!readable(s));
	frame2(0)->tp_status = TP_STATUS_KERNEL;
	inject_frame(&h, own_mac, ETH_TEST, 46);
	CHECK(readable(s));
	CHECK_EQ(frame2(0)->tp_status & (TP_STATUS_USER | TP_STATUS_LOSING), TP_STATUS_USER | TP_STATUS_LOSING);
	sock_release(s);
	CHECK(!shared.mem);
	sock_host_down(&h);
}

TEST(test_ring_cuts_long_frames)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_DGRAM, ETH_P_ALL);
	struct tpacket_req req = { .tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 256, .tp_frame_nr = 16 };

	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, TPACKET_V2), 0);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), 0);
	inject_frame(&h, own_mac, ETH_TEST, 1000);
	CHECK_EQ(frame2(0)->tp_len, 1000);
	CHECK_EQ(frame2(0)->tp_mac, frame2(0)->tp_net);
	CHECK_EQ(frame2(0)->tp_snaplen, 256 - frame2(0)->tp_mac);
	CHECK_EQ(shared.mem[256], 0); /* the next one is untouched */
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ring_version_1)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket_hdr hdr;

	CHECK_EQ(set_ring(s, TPACKET_V1, 0), 0);
	inject_frame(&h, own_mac, ETH_TEST, 46);
	memcpy(&hdr, shared.mem, sizeof(hdr));
	CHECK_EQ(hdr.tp_status & TP_STATUS_USER, TP_STATUS_USER);
	CHECK_EQ(hdr.tp_len, 60);
	CHECK_MEM(shared.mem + hdr.tp_mac, own_mac, 6);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ring_block_is_retired_in_time)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket3_hdr *p;

	CHECK_EQ(set_ring(s, TPACKET_V3, 100), 0);
	fake_advance_ms(h.net, 500);
	CHECK_EQ(block(0)->hdr.bh1.block_status, TP_STATUS_KERNEL); /* an empty one is kept */
	inject_frame(&h, own_mac, ETH_TEST, 46);
	inject_frame(&h, own_mac, ETH_TEST, 47);
	fake_advance_ms(h.net, 99);
	CHECK(!readable(s));
	fake_advance_ms(h.net, 1);
	CHECK(readable(s));
	CHECK_EQ(block(0)->version, TPACKET_V3);
	CHECK_EQ(block(0)->hdr.bh1.block_status, TP_STATUS_USER | TP_STATUS_BLK_TMO);
	CHECK_EQ(block(0)->hdr.bh1.num_pkts, 2);
	CHECK_EQ(block(0)->hdr.bh1.seq_num, 1);
	p = (struct tpacket3_hdr *)(void *)((uint8_t *)block(0) + block(0)->hdr.bh1.offset_to_first_pkt);
	CHECK_EQ(p->tp_len, 60);
	CHECK_MEM((uint8_t *)p + p->tp_mac, own_mac, 6);
	CHECK_EQ(p->tp_next_offset % 8, 0);
	p = (struct tpacket3_hdr *)(void *)((uint8_t *)p + p->tp_next_offset);
	CHECK_EQ(p->tp_len, 61);
	CHECK_EQ(p->tp_next_offset, 0);
	block(0)->hdr.bh1.block_status = TP_STATUS_KERNEL;
	CHECK(!readable(s));
	sock_release(s);
	sock_host_down(&h);
}

/* Full blocks are handed over at once; with both the program's the ring stands still until one comes back. */
TEST(test_ring_blocks_fill_and_freeze)
{
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);
	unsigned int sent = 0, got;

	CHECK_EQ(set_ring(s, TPACKET_V3, 100), 0);
	while (block(1)->hdr.bh1.block_status == TP_STATUS_KERNEL && ++sent < 100)
		inject_frame(&h, own_mac, ETH_TEST, 1000);
	got = block(0)->hdr.bh1.num_pkts + block(1)->hdr.bh1.num_pkts;
	CHECK_EQ(block(0)->hdr.bh1.block_status, TP_STATUS_USER);
	CHECK_LE(block(0)->hdr.bh1.blk_len, BLOCK);
	CHECK_EQ(got + 1, sent); /* the one that did not fit found no block */
	CHECK_EQ(sock_getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK_EQ(len, sizeof(st));
	CHECK_EQ(st.tp_packets, sent);
	CHECK_EQ(st.tp_drops, 1);
	CHECK_EQ(st.tp_freeze_q_cnt, 1);
	block(0)->hdr.bh1.block_status = TP_STATUS_KERNEL;
	inject_frame(&h, own_mac, ETH_TEST, 1000);
	fake_advance_ms(h.net, 100);
	CHECK_EQ(block(0)->hdr.bh1.num_pkts, 1);
	CHECK_EQ(block(0)->hdr.bh1.seq_num, 3);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_ring_geometry)
{
	static const struct {
		const char *what;
		struct tpacket_req3 req;
		int want;
	} cases[] = {
		{ "not of whole pages", { 5000, 2, 2048, 4, 0, 0, 0 }, -EINVAL },
		{ "frames too small", { 4096, 2, 64, 128, 0, 0, 0 }, -EINVAL },
		{ "frames askew", { 4096, 2, 1000, 8, 0, 0, 0 }, -EINVAL },
		{ "frames larger than blocks", { 4096, 2, 8192, 1, 0, 0, 0 }, -EINVAL },
		{ "wrong count", { 4096, 2, 2048, 5, 0, 0, 0 }, -EINVAL },
		{ "overflow", { 0x40000000, 4, 2048, 0, 0, 0, 0 }, -EINVAL },
		{ "private part too large", { 4096, 2, 2048, 4, 0, 4000, 0 }, -EINVAL },
		{ "unknown feature", { 4096, 2, 2048, 4, 0, 0, 1 }, -EOPNOTSUPP },
		{ "too much", { 0x40000000, 1, 0x40000000, 1, 0, 0, 0 }, -ENOMEM },
		{ "frames without blocks", { 0, 0, 0, 1, 0, 0, 0 }, -EINVAL },
		{ "the end of none", { 0, 0, 0, 0, 0, 0, 0 }, 0 },
	};
	struct host h = packet_host_up();
	struct socket *s = packet_socket(&h, SOCK_RAW, 0);
	int got;

	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, TPACKET_V3), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		got = sock_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &cases[i].req, sizeof(cases[i].req));
		CHECK_MSG(got == cases[i].want, "%s: got %d", cases[i].what, got);
	}
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &cases[0].req, 16), -EINVAL);
	CHECK_EQ(set_ring(s, TPACKET_V3, 0), 0);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, TPACKET_V2), -EBUSY);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_RESERVE, 4), -EBUSY);
	CHECK_EQ(sock_setsockopt(s, SOL_PACKET, PACKET_RX_RING, &cases[10].req, sizeof(cases[10].req)), 0);
	CHECK(!shared.mem);
	CHECK_EQ(set_int(s, SOL_PACKET, PACKET_VERSION, TPACKET_V2), 0);
	packet_set_ring_ops(h.net, NULL);
	CHECK_EQ(set_ring(s, TPACKET_V2, 0), -ENOMEM);
	packet_set_ring_ops(h.net, &ring_ops);
	sock_release(s);
	sock_host_down(&h);
}

/* A program that scribbles over its ring harms nobody but itself. */
TEST(test_ring_survives_a_hostile_program)
{
	static const enum tpacket_versions versions[] = { TPACKET_V1, TPACKET_V2, TPACKET_V3 };

	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		struct host h = packet_host_up();
		struct socket *s = packet_socket(&h, SOCK_RAW, ETH_P_ALL);

		CHECK_EQ(set_ring(s, versions[v], 10), 0);
		for (unsigned int i = 0; i < 600; i++) {
			memset(shared.mem, i % 3 ? 0 : (int)(i * 37), shared.bytes);
			inject_frame(&h, own_mac, ETH_TEST, 46 + i * 7 % 1400);
			if (i % 5 == 0)
				fake_advance_ms(h.net, 10);
		}
		sock_release(s);
		sock_host_down(&h);
	}
}
