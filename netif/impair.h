/* SPDX-License-Identifier: MIT */
/*
 * Impairments: what a link does to frames, written as a line of text, and put on any device.
 *
 * A plan is parsed from text once and put on devices; the text is described in README.md and in
 * impair_spec.c. All choice at random comes from one seed: the same seed and the same frames at the
 * same times give the same decisions.
 */
#ifndef NETIF_IMPAIR_H
#define NETIF_IMPAIR_H

#include "stack/core/dev.h"

struct impair_plan;

/* Where a text is wrong, and why: one line for the user. */
struct impair_error {
	unsigned int line, column; /* from 1; of the offending word */
	char reason[200];
};

/*
 * Statements stand on lines of their own or between semicolons; '#' starts a comment. A plan of no
 * statement is valid. 0, -EINVAL with @err filled in, -ENOMEM (also with @err).
 */
int impair_parse(const char *text, struct impair_plan **out, struct impair_error *err);
void impair_plan_free(struct impair_plan *plan); /* NULL is fine */
/* Names in "dev NAME" statements: the one after @prev (NULL = first), NULL at the end. */
const char *impair_plan_next_dev(const struct impair_plan *plan, const char *prev);

/*
 * Puts the plan's statements for @dev on it: those with its name and, when @rest, those without a
 * name. The device's offloads are turned off, so that a loss is the loss of one segment. 0 also when
 * the plan says nothing about it; -EBUSY when something is on it already; -ENOMEM.
 */
int impair_attach(struct net_device *dev, const struct impair_plan *plan, bool rest, uint64_t seed);
/* Takes it off again; frames on the way are lost. Harmless when nothing is on it. */
void impair_detach(struct net_device *dev);

/* One direction's numbers. */
struct impair_stats {
	uint64_t entered, passed, dropped;
	uint64_t reordered, duplicated, corrupted, marked, stripped, answered;
	uint32_t held;             /* frames on it now */
	uint64_t seed;
};
/* False when the device has no impairment. */
bool impair_get_stats(const struct net_device *dev, enum tap_dir dir, struct impair_stats *stats);
/* The rule number @index (from 0): its text, matches and times applied. False behind the last. */
bool impair_get_rule(const struct net_device *dev, unsigned int index, const char **text,
		     uint64_t *matched, uint64_t *applied);

#endif
