/* SPDX-License-Identifier: MIT */
/* skbuff.c: data and headroom, sharing, fragments, checksums, queues, accounting. */
#include "stack/core/skbuff.h"

#include "stack/core/checksum.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_dev.h"

static struct sk_buff *skb_with(struct net *net, uint32_t headroom, const char *text, uint32_t tailroom)
{
	uint32_t len = (uint32_t)strlen(text);
	struct sk_buff *skb = alloc_skb(net, headroom + len + tailroom);

	CHECK(skb != NULL);
	skb_reserve(skb, headroom);
	memcpy(skb_put(skb, len), text, len);
	return skb;
}

static void add_frag(struct sk_buff *skb, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	struct skb_data *block = skb_data_alloc(len + 4);

	CHECK(block != NULL);
	memcpy(block->buf + 2, text, len);
	skb_set_frag(skb, block, block->buf + 2, len);
	skb_data_put(block);
}

static void check_bytes(const struct sk_buff *skb, const char *want)
{
	char got[100];

	CHECK_EQ(skb->len, strlen(want));
	CHECK_EQ(skb_copy_bits(skb, 0, got, skb->len), 0);
	CHECK_MEM(got, want, strlen(want));
}

TEST(test_skb_reserve_put_push_pull_trim)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 16, "payload", 9);

	CHECK_EQ(skb_headroom(skb), 16);
	CHECK_EQ(skb_tailroom(skb), 9);
	memcpy(skb_push(skb, 4), "head", 4);
	memcpy(skb_put(skb, 2), "!!", 2);
	check_bytes(skb, "headpayload!!");
	CHECK(skb_pull(skb, 4) == skb->data);
	skb_trim(skb, 7);
	check_bytes(skb, "payload");
	skb_trim(skb, 100);
	CHECK_EQ(skb->len, 7);
	CHECK(skb_pull(skb, 8) == NULL);
	CHECK_EQ(skb->len, 7);
	CHECK(skb_pull(skb, 7) != NULL);
	CHECK_EQ(skb->len, 0);
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_header_access_is_checked)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 0, "12345678", 0);

	CHECK(skb_header(skb, 0, 8) == skb->data);
	CHECK(skb_header(skb, 8, 0) == skb->data + 8);
	CHECK(skb_header(skb, 1, 8) == NULL);
	CHECK(skb_header(skb, 9, 0) == NULL);
	CHECK(skb_header(skb, UINT32_MAX, 2) == NULL);
	CHECK(skb_header(skb, 2, UINT32_MAX) == NULL);
	add_frag(skb, "frag");
	CHECK(skb_header(skb, 4, 8) == NULL);
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_clone_shares_until_cow)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *a = skb_with(net, 8, "shared", 0), *b;

	skb_reset_network_header(a);
	a->csum_start = 8;
	CHECK(!skb_shared_data(a));
	b = skb_clone(a);
	CHECK(skb_shared_data(a) && skb_shared_data(b) && b->cloned_once);
	CHECK(a->data == b->data);
	CHECK_EQ(skb_cow(b, 30), 0);
	CHECK(!skb_shared_data(a) && !skb_shared_data(b));
	CHECK_GE(skb_headroom(b), 30);
	CHECK(skb_network_header(b) == b->data);
	CHECK(b->head + b->csum_start == b->data);
	b->data[0] = 'S';
	check_bytes(a, "shared");
	check_bytes(b, "Shared");
	skb_consume(a);
	skb_consume(b);
	fake_net_destroy(net);
}

TEST(test_skb_cow_does_nothing_when_private_with_room)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *a = skb_with(net, 8, "private", 0);
	uint8_t *data = a->data;

	CHECK_EQ(skb_cow(a, 8), 0);
	CHECK(a->data == data);
	CHECK_EQ(skb_cow(a, 9), 0);
	CHECK(a->data != data);
	skb_consume(a);
	fake_net_destroy(net);
}

TEST(test_skb_cow_keeps_pulled_headers)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *a = skb_with(net, 0, "ethipdata", 0), *b;

	skb_reset_mac_header(a);
	skb_pull(a, 3);
	skb_reset_network_header(a);
	skb_pull(a, 2);
	CHECK(skb_mac_header_was_set(a));
	b = skb_copy(a, 40);
	CHECK_MEM(skb_mac_header(b), "ethipdata", 9);
	CHECK_MEM(skb_network_header(b), "ipdata", 6);
	check_bytes(b, "data");
	CHECK_GE(skb_headroom(b), 40);
	skb_consume(a);
	skb_consume(b);
	fake_net_destroy(net);
}

TEST(test_skb_frag_counts_copies_and_trims)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 4, "head", 4), *copy;
	char got[4];

	add_frag(skb, "fragment");
	CHECK_EQ(skb->len, 12);
	CHECK_EQ(skb_headlen(skb), 4);
	CHECK_EQ(skb_tailroom(skb), 0);
	check_bytes(skb, "headfragment");
	CHECK_EQ(skb_copy_bits(skb, 2, got, 4), 0);
	CHECK_MEM(got, "adfr", 4);
	CHECK_EQ(skb_copy_bits(skb, 5, got, 4), 0);
	CHECK_MEM(got, "ragm", 4);
	CHECK_EQ(skb_copy_bits(skb, 9, got, 4), -EFAULT);
	CHECK_EQ(skb_copy_bits(skb, UINT32_MAX, got, 2), -EFAULT);
	copy = skb_copy(skb, 0);
	CHECK(copy->frag_block == NULL);
	check_bytes(copy, "headfragment");
	skb_trim(skb, 6);
	check_bytes(skb, "headfr");
	skb_trim(skb, 3);
	check_bytes(skb, "hea");
	CHECK(skb->frag_block == NULL);
	CHECK_EQ(skb_tailroom(skb), 5);
	skb_consume(skb);
	skb_consume(copy);
	fake_net_destroy(net);
}

TEST(test_skb_linearize_in_place_and_by_moving)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *roomy = skb_with(net, 0, "head", 8), *tight = skb_with(net, 0, "head", 0);
	struct sk_buff *shared = skb_with(net, 0, "head", 8), *other = skb_clone(shared);
	uint8_t *head = roomy->head;

	CHECK_EQ(skb_linearize(roomy), 0);
	add_frag(roomy, "fragment");
	add_frag(tight, "fragment");
	add_frag(shared, "fragment");
	CHECK_EQ(skb_linearize(roomy), 0);
	CHECK_EQ(skb_linearize(tight), 0);
	CHECK_EQ(skb_linearize(shared), 0);
	CHECK(roomy->head == head);
	CHECK(!skb_shared_data(other));
	check_bytes(roomy, "headfragment");
	check_bytes(tight, "headfragment");
	check_bytes(shared, "headfragment");
	CHECK_EQ(skb_headlen(tight), 12);
	skb_consume(roomy);
	skb_consume(tight);
	skb_consume(shared);
	skb_consume(other);
	fake_net_destroy(net);
}

TEST(test_skb_checksum_at_every_offset_across_the_fragment)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 0, "odd head!", 0);
	uint32_t from, to;
	char flat[32];

	add_frag(skb, "and odd tail.");
	CHECK_EQ(skb_copy_bits(skb, 0, flat, skb->len), 0);
	for (from = 0; from <= skb->len; from++)
		for (to = from; to <= skb->len; to++)
			CHECK_EQ(csum_fold(skb_checksum(skb, from, to - from, 0)),
				 csum_fold(csum_partial(flat + from, to - from, 0)));
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_checksum_help_completes_a_partial_sum)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 8, "xx--data odd", 0), *other;
	uint16_t pseudo = 0x1234;

	add_frag(skb, "tail");
	memcpy(skb->data + 2, &pseudo, 2);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = 8;
	skb->csum_offset = 2;
	other = skb_clone(skb);
	CHECK_EQ(skb_checksum_help(skb), 0);
	CHECK_EQ(skb->ip_summed, CHECKSUM_NONE);
	/* With the right checksum in place and without the pseudo-header the sum is its complement. */
	CHECK_EQ(csum_fold(skb_checksum(skb, 0, skb->len, 0)), pseudo);
	CHECK_MEM(other->data + 2, &pseudo, 2); /* the clone is not written through */
	skb_consume(other);
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_checksum_help_refuses_nonsense)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 8, "1234", 0);

	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = 4;
	CHECK_EQ(skb_checksum_help(skb), -EINVAL);
	skb->csum_start = 8;
	skb->csum_offset = 3;
	CHECK_EQ(skb_checksum_help(skb), -EINVAL);
	skb->csum_start = 60000;
	CHECK_EQ(skb_checksum_help(skb), -EINVAL);
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_build_takes_the_block_over)
{
	struct net *net = fake_net_create(NULL);
	struct skb_data *block = skb_data_alloc(20);
	struct sk_buff *skb;

	memcpy(block->buf, "0123456789abcdefghij", 20);
	skb = build_skb(net, block, 4, 6);
	check_bytes(skb, "456789");
	CHECK_EQ(skb_headroom(skb), 4);
	CHECK_EQ(skb_tailroom(skb), 10);
	CHECK(!skb_shared_data(skb));
	skb_consume(skb);
	fake_net_destroy(net);
}

TEST(test_skb_drop_counts_reason_and_mib)
{
	struct net *net = fake_net_create(NULL);

	skb_drop(alloc_skb(net, 1), SKB_DROP_TCP_CHECKSUM);
	skb_drop(alloc_skb(net, 1), SKB_DROP_QUEUE_FULL);
	skb_drop(NULL, SKB_DROP_QUEUE_FULL);
	skb_consume(NULL);
	CHECK_EQ(net->drops[SKB_DROP_TCP_CHECKSUM], 1);
	CHECK_EQ(net->mib[MIB_TcpInCsumErrors], 1);
	CHECK_EQ(net->drops[SKB_DROP_QUEUE_FULL], 1);
	CHECK_EQ(net->mib[MIB_NONE], 0);
	CHECK_STR(skb_drop_reason_str(SKB_DROP_QUEUE_FULL), "queue is full");
	CHECK_STR(skb_drop_reason_str(SKB_DROP_MAX), "unknown reason");
	fake_net_destroy(net);
}

TEST(test_skb_drop_first_reason_is_the_received_frames_fate)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *answer = alloc_skb(net, 1);

	net->rx.active = true;
	answer->pkt_type = PACKET_OUTGOING;
	skb_drop(answer, SKB_DROP_QUEUE_FULL); /* not the received frame */
	CHECK_EQ(net->rx.reason, SKB_NOT_DROPPED);
	skb_drop(alloc_skb(net, 1), SKB_DROP_UDP_NO_PORT);
	skb_drop(alloc_skb(net, 1), SKB_DROP_NO_MEMORY);
	CHECK_EQ(net->rx.reason, SKB_DROP_UDP_NO_PORT);
	fake_net_destroy(net);
}

static void uncharge(struct sk_buff *skb)
{
	mib_add(skb->net, MIB_TcpOutSegs, skb->truesize);
	CHECK(skb->len == 4); /* its memory is still there */
}

TEST(test_skb_destructor_runs_once_and_not_for_the_clone)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *skb = skb_with(net, 0, "data", 0), *clone;
	uint32_t truesize = skb->truesize;

	skb->destructor = uncharge;
	clone = skb_clone(skb);
	skb_consume(clone);
	CHECK_EQ(net->mib[MIB_TcpOutSegs], 0);
	CHECK_EQ(skb_cow(skb, 100), 0);
	skb_consume(skb);
	CHECK_EQ(net->mib[MIB_TcpOutSegs], truesize);
	fake_net_destroy(net);
}

TEST(test_skb_memory_limit_of_the_namespace)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *a = skb_with(net, 0, "data", 0), *b;

	CHECK_EQ(skb_live(net), 1);
	CHECK_EQ(net->skb_bytes, a->truesize);
	net->skb_bytes_max = net->skb_bytes + 100;
	CHECK(alloc_skb(net, 200) == NULL);
	CHECK(skb_clone(a) == NULL);
	CHECK(skb_copy(a, 0) == NULL);
	CHECK_EQ(skb_live(net), 1);
	net->skb_bytes_max = 0;
	b = skb_clone(a);
	CHECK(b != NULL);
	skb_consume(a);
	skb_consume(b);
	fake_net_destroy(net);
}

TEST(test_skb_queue_operations_keep_order)
{
	struct net *net = fake_net_create(NULL);
	struct sk_buff *a = skb_with(net, 0, "a", 0), *b = skb_with(net, 0, "b", 0);
	struct sk_buff *c = skb_with(net, 0, "c", 0), *d = skb_with(net, 0, "d", 0), *skb;
	struct sk_buff_head q;
	char order[5] = "";
	size_t n = 0;

	skb_queue_head_init(&q);
	CHECK(skb_dequeue(&q) == NULL && skb_peek(&q) == NULL && skb_peek_tail(&q) == NULL);
	skb_append(&q, b);
	skb_append(&q, d);
	skb_prepend(&q, a);
	skb_insert_after(&q, b, c);
	skb_queue_walk(&q, skb)
		order[n++] = (char)*skb->data;
	CHECK_STR(order, "abcd");
	CHECK_EQ(q.qlen, 4);
	CHECK(skb_peek(&q) == a && skb_peek_tail(&q) == d);
	skb_unlink(&q, c);
	CHECK(skb_peek_next(&q, b) == d && skb_peek_next(&q, d) == NULL);
	skb_consume(c);
	CHECK(skb_dequeue(&q) == a);
	skb_consume(a);
	skb_queue_purge(&q);
	CHECK(skb_queue_empty(&q));
	fake_net_destroy(net);
}
