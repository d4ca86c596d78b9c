/* SPDX-License-Identifier: MIT */
/*
 * impair_random.c - what is left to chance, from one seed
 *
 * Each direction has a generator for each kind of choice, all seeded from the one number that the
 * user gave or was told. A choice that is not asked for draws nothing, and one kind never disturbs
 * another: adding jitter to a link does not change which of its frames are lost.
 */
#include "netif/impair_link.h"

/**
 * impair_random_init() - seed one direction's generators
 * @d:  direction; d->im->seed is set
 */
void impair_random_init(struct impair_dir *d)
{
	uint8_t seed[32] = "wireshim impairment";

	memcpy(seed + 20, &d->im->seed, sizeof(d->im->seed));
	seed[28] = (uint8_t)d->dir;
	for (unsigned int ip = 0; ip < 2; ip++) {
		for (unsigned int choice = 0; choice < CHOICE_MAX; choice++) {
			seed[29] = (uint8_t)ip;
			seed[30] = (uint8_t)choice;
			random_seed(&d->random[ip][choice], seed);
		}
	}
}

/**
 * impair_chance() - whether something happens that has this probability
 * @d:       direction
 * @ip:      it is about a frame of IP
 * @choice:  whose generator is drawn from
 * @chance:  of IMPAIR_CERTAIN; nothing is drawn for never and for always
 */
bool impair_chance(struct impair_dir *d, bool ip, enum impair_choice choice, uint32_t chance)
{
	if (chance == 0 || chance >= IMPAIR_CERTAIN)
		return chance != 0;
	return random_below(&d->random[ip][choice], IMPAIR_CERTAIN) < chance;
}

/* Approximately normal with mean 0 and deviation 2^20: the sum of twelve uniform numbers. */
static int64_t normal(struct random_state *r)
{
	int64_t sum = 0;

	for (int i = 0; i < 12; i++)
		sum += random_below(r, 1U << 20);
	return sum - 6 * (1 << 20);
}

/**
 * impair_jitter() - how much later or earlier than the delay a frame arrives
 * @d:   direction
 * @ip:  it is about a frame of IP
 *
 * Return:  nanoseconds, not below the delay's negative
 */
int64_t impair_jitter(struct impair_dir *d, bool ip)
{
	struct random_state *r = &d->random[ip][CHOICE_JITTER];
	int64_t jitter = (int64_t)d->p.jitter_ns, by;

	if (!jitter)
		return 0;
	if (d->p.jitter_normal)
		by = (int64_t)((double)jitter * (double)normal(r) / (1 << 20));
	else
		by = (int64_t)(random_u64(r) % (uint64_t)(2 * jitter + 1)) - jitter;
	return MAX(by, -(int64_t)d->p.delay_ns);
}

/**
 * impair_corrupt() - flip one bit behind the link header
 * @d:    direction
 * @ip:   it is about a frame of IP
 * @skb:  frame; its data may move. Without memory it stays whole.
 */
void impair_corrupt(struct impair_dir *d, bool ip, struct sk_buff *skb)
{
	uint32_t bit = random_u32(&d->random[ip][CHOICE_CORRUPT]);

	if (skb_cow(skb, 0) < 0)
		return;
	/* A device that vouched for the checksum did so before. */
	skb->ip_summed = CHECKSUM_NONE;
	impair_flip_bit(skb, bit);
	d->stats.corrupted++;
}

/**
 * impair_is_lost() - random loss, each frame alone or in bursts
 * @d:       direction
 * @ip:      it is about a frame of IP
 * @reason:  set when it is lost
 *
 * Gilbert-Elliott: the state may change with each frame, then the frame is lost with its chance.
 */
bool impair_is_lost(struct impair_dir *d, bool ip, enum skb_drop_reason *reason)
{
	const struct impair_params *p = &d->p;

	if (!p->bursts) {
		*reason = SKB_DROP_IMPAIR_LOSS;
		return impair_chance(d, ip, CHOICE_LOSS, p->loss);
	}
	/* Frames that are no IP do not move the state, or the clock would (ARP). */
	if (ip && impair_chance(d, ip, CHOICE_STATE, d->bad ? p->to_good : p->to_bad))
		d->bad = !d->bad;
	*reason = SKB_DROP_IMPAIR_BURST;
	return impair_chance(d, ip, CHOICE_LOSS, d->bad ? p->loss_bad : p->loss_good);
}
