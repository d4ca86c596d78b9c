/* SPDX-License-Identifier: MIT */
/* fake_dev.c - a namespace and a device for tests, see fake_dev.h */
#include "tests/unit/fake_dev.h"

#include <limits.h>

#include "stack/core/neighbour.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

#define MAX_SUBSYSTEMS 20

static const struct pernet_operations *const core_only[] = { &dev_pernet_ops, &neigh_pernet_ops, NULL };

/* What is left when all subsystems are gone, noted by the destructor that runs last. */
struct leftovers {
	size_t skbs, timers;
	uint64_t bytes;
};

/* Tables of subsystems with the leak check in front; a test makes one namespace or two. */
struct fake_net {
	const struct pernet_operations *table[MAX_SUBSYSTEMS + 2];
};

static struct leftovers leftovers;

static void note_leftovers(struct net *net)
{
	leftovers.skbs = net->skbs_alive;
	leftovers.bytes = net->skb_bytes;
	leftovers.timers = net->timers.count;
}

static const struct pernet_operations leak_check_ops = {
	.name = "leak check",
	.exit = note_leftovers,
};

struct net *fake_net_create(const struct pernet_operations *const *ops)
{
	static const uint8_t seed[32] = "a fixed seed: runs repeat";
	struct fake_net *f = calloc(1, sizeof(*f));
	struct net *net = NULL;
	size_t n = 0;

	CHECK(f != NULL);
	f->table[n++] = &leak_check_ops;
	for (ops = ops ? ops : core_only; *ops; ops++) {
		CHECK_LE(n, MAX_SUBSYSTEMS);
		f->table[n++] = *ops;
	}
	CHECK_EQ(net_create(f->table, seed, FAKE_CLOCK_START, &net), 0);
	return net;
}

void fake_net_destroy(struct net *net)
{
	void *table = (void *)(uintptr_t)net->subsystems;
	struct net_device *dev;

	/* As the host does: devices first, so that no packet outlives its socket. */
	while (net->devs && (dev = dev_next(net, NULL)))
		unregister_netdev(dev);
	net_destroy(net);
	free(table);
	CHECK_EQ(leftovers.skbs, 0);
	CHECK_EQ(leftovers.bytes, 0);
	CHECK_EQ(leftovers.timers, 0);
}

struct fake_dev *fake_dev_priv(struct net_device *dev)
{
	return dev->priv;
}

static int fake_open(struct net_device *dev)
{
	return fake_dev_priv(dev)->open_error;
}

static void keep_frame(struct net_device *dev, const struct sk_buff *skb, bool partial)
{
	struct fake_dev *fd = fake_dev_priv(dev);
	struct fake_frame *f = malloc(sizeof(*f) + skb->len);

	CHECK(f != NULL);
	f->at = dev->net->now;
	f->csum_partial = partial;
	f->had_frag = skb->frag_block != NULL;
	f->gso_type = skb->gso_type;
	f->gso_size = skb->gso_size;
	f->len = skb->len;
	CHECK_EQ(skb_copy_bits(skb, 0, f->data, skb->len), 0);
	list_add_tail(&f->list, &fd->sent);
	fd->sent_count++;
}

static enum netdev_tx fake_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct fake_dev *fd = fake_dev_priv(dev);
	bool partial = skb->ip_summed == CHECKSUM_PARTIAL;

	if (fd->accept == 0)
		return NETDEV_TX_BUSY;
	if (fd->accept != UINT_MAX)
		fd->accept--;
	if (partial && skb->gso_size == 0)
		CHECK_EQ(skb_checksum_help(skb), 0);
	if (!fd->drop_silently)
		keep_frame(dev, skb, partial);
	skb_consume(skb);
	return NETDEV_TX_OK;
}

static int fake_poll(struct napi_struct *napi, int budget)
{
	struct fake_dev *fd = fake_dev_priv(napi->dev);
	int done;

	fd->polls++;
	for (done = 0; done < budget; done++) {
		struct sk_buff *skb = skb_dequeue(&fd->rx);

		if (!skb)
			break;
		if (eth_type_trans(skb, napi->dev) < 0)
			skb_drop(skb, SKB_DROP_ETH_SHORT);
		else
			netif_receive_skb(skb);
	}
	return done;
}

static void fake_destroy(struct net_device *dev)
{
	fake_dev_forget(dev);
	skb_queue_purge(&fake_dev_priv(dev)->rx);
}

static const struct net_device_ops fake_ops = {
	.open = fake_open,
	.start_xmit = fake_start_xmit,
	.destroy = fake_destroy,
};

struct net_device *fake_dev_create(struct net *net, const char *name, uint8_t last)
{
	static const uint8_t mac[ETH_ALEN] = { 0x02 };
	struct net_device *dev = alloc_netdev(net, name, sizeof(struct fake_dev));
	struct fake_dev *fd;

	CHECK(dev != NULL);
	ether_setup(dev);
	dev->ops = &fake_ops;
	memcpy(dev->dev_addr, mac, sizeof(mac));
	dev->dev_addr[ETH_ALEN - 1] = last;
	fd = fake_dev_priv(dev);
	list_init(&fd->sent);
	skb_queue_head_init(&fd->rx);
	fd->accept = UINT_MAX;
	netif_napi_add(dev, fake_poll, 64);
	CHECK_EQ(register_netdev(dev), 0);
	CHECK_EQ(dev_open(dev), 0);
	return dev;
}

void fake_dev_inject_later(struct net_device *dev, const void *frame, size_t len, bool partial)
{
	struct sk_buff *skb = alloc_skb(dev->net, (uint32_t)len + 2);

	CHECK(skb != NULL);
	skb_reserve(skb, 2);
	memcpy(skb_put(skb, (uint32_t)len), frame, len);
	skb->dev = dev;
	skb->ip_summed = partial ? CHECKSUM_PARTIAL : CHECKSUM_NONE;
	skb_append(&fake_dev_priv(dev)->rx, skb);
	napi_schedule(&dev->napi);
}

void fake_dev_inject(struct net_device *dev, const void *frame, size_t len)
{
	fake_dev_inject_later(dev, frame, len, false);
	fake_settle(dev->net);
}

struct fake_frame *fake_dev_take(struct net_device *dev)
{
	struct fake_dev *fd = fake_dev_priv(dev);
	struct fake_frame *f;

	if (list_empty(&fd->sent))
		return NULL;
	f = list_first_entry(&fd->sent, struct fake_frame, list);
	list_del(&f->list);
	fd->sent_count--;
	return f;
}

unsigned int fake_dev_forget(struct net_device *dev)
{
	struct fake_frame *f;
	unsigned int n = 0;

	while ((f = fake_dev_take(dev))) {
		free(f);
		n++;
	}
	return n;
}
