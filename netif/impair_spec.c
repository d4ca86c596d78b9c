/* SPDX-License-Identifier: MIT */
/*
 * impair_spec.c - the text of an impairment: statements about a link
 *
 *   [dev NAME] [out | in | both] ITEM...       what the link does, see the table below
 *   [dev NAME] rule MATCH... ACTION            what happens to single frames (impair_rule.c)
 *
 *   rate R                          serialises frames, one behind the other
 *   queue N | queue BYTES           room in front of the rate (default 20000 frames), drop-tail
 *   codel [target T] [interval T]   CoDel (RFC 8289) on that queue; 5 ms and 100 ms
 *   ecn [N]                         CE in place of CoDel's drops; with N: on every ECN-capable packet
 *                                   that finds N frames queued
 *   delay T                         propagation
 *   jitter T [uniform | normal]     varies the delay by up to T, or with the standard deviation T
 *   loss P | loss bursts P R [B [G]]  each frame alone; or by two states: P into the bad one, R back,
 *                                   lost with B there (100 %) and with G in the good one (0 %)
 *   reorder P by T                  so many come T later than their turn
 *   duplicate P   corrupt P         twice; with one bit flipped
 *   mtu N [icmp]                    larger packets are lost; answered by "fragmentation needed"
 *   police R burst BYTES            a token bucket that drops
 *   down T-T                        from, to: since the start; may be given several times
 *
 * The direction holds for the whole statement; without one, for both. Statements add up; nothing may
 * be given twice for one direction.
 */
#include "netif/impair_link.h"

/* RFC 8289 4.2, 4.3. */
#define CODEL_TARGET_NS (5 * NSEC_PER_MSEC)
#define CODEL_INTERVAL_NS (100 * NSEC_PER_MSEC)

/* One item: reads its values. t->word is its name before, and the word behind it afterwards. */
struct item {
	const char *word;
	unsigned int bit;    /* enum impair_item; 0 = may be repeated */
	int (*parse)(struct impair_text *t, struct impair_params *p);
};

static int parse_rate(struct impair_text *t, struct impair_params *p)
{
	return impair_rate(t, "a rate", &p->rate_bps);
}

static int parse_delay(struct impair_text *t, struct impair_params *p)
{
	return impair_time(t, "a delay", &p->delay_ns);
}

static int parse_jitter(struct impair_text *t, struct impair_params *p)
{
	int err = impair_time(t, "a jitter", &p->jitter_ns);

	if (err == 0 && (impair_is(t, "normal") || impair_is(t, "uniform"))) {
		p->jitter_normal = impair_is(t, "normal");
		err = impair_next_word(t);
	}
	return err;
}

/* Gilbert-Elliott: E. O. Elliott, "Estimates of error rates for codes on burst-noise channels" (1963). */
static int parse_bursts(struct impair_text *t, struct impair_params *p)
{
	int err = impair_percent(t, "the chance of a burst", &p->to_bad);

	p->bursts = true;
	p->loss_bad = IMPAIR_CERTAIN;
	if (err < 0)
		return err;
	if (!t->word[0] || !impair_word_is_percent(t))
		return impair_fail(t, "stands where the chance of a burst's end is missing, a percentage");
	impair_unread(t);
	err = impair_percent(t, "the chance of a burst's end", &p->to_good);
	if (err == 0 && impair_word_is_percent(t)) {
		impair_unread(t);
		err = impair_percent(t, "the loss in a burst", &p->loss_bad);
	}
	if (err == 0 && impair_word_is_percent(t)) {
		impair_unread(t);
		err = impair_percent(t, "the loss outside of bursts", &p->loss_good);
	}
	return err;
}

static int parse_loss(struct impair_text *t, struct impair_params *p)
{
	int err = impair_need_word(t, "a loss");

	if (err < 0)
		return err;
	if (impair_is(t, "bursts"))
		return parse_bursts(t, p);
	impair_unread(t);
	return impair_percent(t, "a loss", &p->loss);
}

static int parse_reorder(struct impair_text *t, struct impair_params *p)
{
	int err = impair_percent(t, "a share of frames", &p->reorder);

	if (err < 0)
		return err;
	if (!impair_is(t, "by"))
		return impair_fail(t, "stands where 'by TIME' is missing");
	return impair_time(t, "a delay of the frames out of order", &p->reorder_ns);
}

static int parse_duplicate(struct impair_text *t, struct impair_params *p)
{
	return impair_percent(t, "a share of frames", &p->duplicate);
}

static int parse_corrupt(struct impair_text *t, struct impair_params *p)
{
	return impair_percent(t, "a share of frames", &p->corrupt);
}

static int parse_queue(struct impair_text *t, struct impair_params *p)
{
	int err = impair_need_word(t, "a queue's length");

	if (err < 0)
		return err;
	if (impair_word_is_size(t)) {
		impair_unread(t);
		return impair_bytes(t, "a queue's length", &p->queue_bytes);
	}
	impair_unread(t);
	return impair_number(t, "a queue's length in frames (or a size as 64kb)", 1, IMPAIR_HELD_MAX,
			     &p->queue_frames);
}

static int parse_codel(struct impair_text *t, struct impair_params *p)
{
	int err = impair_next_word(t);

	p->codel_target_ns = CODEL_TARGET_NS;
	p->codel_interval_ns = CODEL_INTERVAL_NS;
	if (err == 0 && impair_is(t, "target"))
		err = impair_time(t, "CoDel's target", &p->codel_target_ns);
	if (err == 0 && impair_is(t, "interval"))
		err = impair_time(t, "CoDel's interval", &p->codel_interval_ns);
	if (err == 0 && p->codel_interval_ns < NSEC_PER_USEC)
		return impair_fail(t, "comes behind an interval of CoDel below a microsecond");
	return err;
}

static int parse_ecn(struct impair_text *t, struct impair_params *p)
{
	int err = impair_next_word(t);

	if (err < 0 || t->word[0] < '0' || t->word[0] > '9')
		return err;
	impair_unread(t);
	return impair_number(t, "a queue's length in frames", 1, IMPAIR_HELD_MAX, &p->ecn_frames);
}

static int parse_mtu(struct impair_text *t, struct impair_params *p)
{
	int err = impair_number(t, "an MTU", 68, UINT16_MAX, &p->mtu);

	if (err == 0 && impair_is(t, "icmp")) {
		p->mtu_icmp = true;
		err = impair_next_word(t);
	}
	return err;
}

static int parse_police(struct impair_text *t, struct impair_params *p)
{
	int err = impair_rate(t, "a policer's rate", &p->police_bps);

	if (err < 0)
		return err;
	if (!impair_is(t, "burst"))
		return impair_fail(t, "stands where 'burst BYTES' is missing");
	return impair_bytes(t, "a burst", &p->police_burst);
}

/* "5s-7s": both are times with their units. */
static int parse_down(struct impair_text *t, struct impair_params *p)
{
	struct impair_down *d = &p->down[p->downs];
	char second[IMPAIR_WORD_MAX];
	struct impair_error unused;
	struct impair_text part = { .err = &unused };
	char first[IMPAIR_WORD_MAX], *dash;
	int err = impair_need_word(t, "a time of being down");

	if (err < 0)
		return err;
	if (p->downs == IMPAIR_DOWNS)
		return impair_fail(t, "is one time too many: up to %d", IMPAIR_DOWNS);
	memcpy(first, t->word, sizeof(first));
	dash = strchr(first, '-');
	if (!dash)
		return impair_fail(t, "is not a time of being down: FROM-TO, as 5s-7.5s");
	*dash = '\0';
	snprintf(second, sizeof(second), "%s", dash + 1);
	part.at = first;
	err = impair_time(&part, "", &d->from_ns);
	part.at = second;
	if (err == 0)
		err = impair_time(&part, "", &d->to_ns);
	if (err < 0 || d->to_ns <= d->from_ns)
		return impair_fail(t, "is not a time of being down: FROM-TO, as 5s-7.5s");
	p->downs++;
	return impair_next_word(t);
}

static const struct item items[] = {
	{ "rate", IMPAIR_RATE, parse_rate },
	{ "delay", IMPAIR_DELAY, parse_delay },
	{ "jitter", IMPAIR_JITTER, parse_jitter },
	{ "loss", IMPAIR_LOSS, parse_loss },
	{ "reorder", IMPAIR_REORDER, parse_reorder },
	{ "duplicate", IMPAIR_DUPLICATE, parse_duplicate },
	{ "corrupt", IMPAIR_CORRUPT, parse_corrupt },
	{ "queue", IMPAIR_QUEUE, parse_queue },
	{ "codel", IMPAIR_CODEL, parse_codel },
	{ "ecn", IMPAIR_ECN, parse_ecn },
	{ "mtu", IMPAIR_MTU, parse_mtu },
	{ "police", IMPAIR_POLICE, parse_police },
	{ "down", 0, parse_down },
};

/* --- statements --------------------------------------------------------------------------------- */

static const struct item *find_item(const struct impair_text *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (impair_is(t, items[i].word))
			return &items[i];
	return NULL;
}

/* The direction that the statement names anywhere, as bits; 0 for a word that is none. */
static unsigned int direction(const struct impair_text *t)
{
	if (impair_is(t, "out"))
		return 1U << TAP_OUT;
	if (impair_is(t, "in"))
		return 1U << TAP_IN;
	return impair_is(t, "both") ? 1U << TAP_IN | 1U << TAP_OUT : 0;
}

/* Looks through a statement for the direction that it is about; leaves @t where it was. */
static int find_direction(struct impair_text *t, unsigned int *dirs)
{
	struct impair_text look = *t;
	int err = 0;

	*dirs = 0;
	for (; err == 0 && look.word[0]; err = impair_next_word(&look)) {
		unsigned int dir = direction(&look);

		if (dir && *dirs)
			return impair_fail(&look, "is a second direction in one statement");
		*dirs |= dir;
	}
	if (!*dirs)
		*dirs = 1U << TAP_IN | 1U << TAP_OUT;
	return err;
}

/* The items of a statement for one direction. */
static int parse_items(struct impair_text *t, struct impair_params *p)
{
	int err = 0;

	while (err == 0 && t->word[0]) {
		const struct item *item = find_item(t);

		if (!item && direction(t)) {
			err = impair_next_word(t);
			continue;
		}
		if (!item)
			return impair_fail(t, "is not a word of an impairment");
		if (p->given & item->bit)
			return impair_fail(t, "is given twice for one direction");
		p->given |= item->bit;
		err = item->parse(t, p);
	}
	return err;
}

/* A queue stands in front of a rate, a jitter varies a delay: one without the other does nothing. */
static int check_params(struct impair_text *t, const struct impair_params *p)
{
	bool rate = p->given & IMPAIR_RATE;

	if (!rate && (p->given & (IMPAIR_QUEUE | IMPAIR_CODEL | IMPAIR_ECN)))
		return impair_fail(t, "of the text comes without a rate for 'queue', 'codel' or 'ecn'");
	if ((p->given & IMPAIR_ECN) && !(p->given & IMPAIR_CODEL) && !p->ecn_frames)
		return impair_fail(t, "of the text comes without 'codel' for 'ecn', or 'ecn N' frames");
	if ((p->given & IMPAIR_JITTER) && !(p->given & IMPAIR_DELAY))
		return impair_fail(t, "of the text comes without a delay for 'jitter'");
	return 0;
}

/* The statement is read once for each of its directions. */
static int parse_link(struct impair_text *t, struct impair_dev_plan *dev)
{
	struct impair_text start = *t;
	unsigned int dirs;
	int err = find_direction(t, &dirs);

	for (unsigned int dir = 0; err == 0 && dir < IMPAIR_DIRS; dir++) {
		if (!(dirs & 1U << dir))
			continue;
		*t = start;
		err = parse_items(t, &dev->params[dir]);
	}
	return err;
}

static int parse_rule_statement(struct impair_text *t, struct impair_dev_plan *dev)
{
	const char *start = t->at - strlen(t->word);
	struct impair_rule *rules, *rule;
	int err;

	if (dev->rule_count == IMPAIR_RULES)
		return impair_fail(t, "is one rule too many: up to %d on a device", IMPAIR_RULES);
	rules = realloc(dev->rules, (dev->rule_count + 1) * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	dev->rules = rules;
	rule = &rules[dev->rule_count];
	memset(rule, 0, sizeof(*rule));
	err = impair_next_word(t);
	if (err == 0)
		err = impair_parse_rule(t, rule);
	if (err < 0)
		return err;
	snprintf(rule->text, sizeof(rule->text), "%.*s", (int)(t->at - start), start);
	dev->rule_count++;
	return 0;
}

/* "dev NAME", if the statement begins with it. */
static int parse_dev(struct impair_text *t, char name[IFNAMSIZ])
{
	int err;

	name[0] = '\0';
	if (!impair_is(t, "dev"))
		return 0;
	err = impair_need_word(t, "a device's name");
	if (err < 0)
		return err;
	if (strlen(t->word) >= IFNAMSIZ)
		return impair_fail(t, "is not a device's name (up to 15 characters)");
	snprintf(name, IFNAMSIZ, "%.15s", t->word);
	return impair_need_word(t, "what the link does");
}

static struct impair_dev_plan *plan_for(struct impair_plan *plan, const char *name)
{
	struct impair_dev_plan *dev;

	for (unsigned int i = 0; i < plan->count; i++)
		if (strcmp(plan->devs[i].name, name) == 0)
			return &plan->devs[i];
	if (plan->count == IMPAIR_DEVS)
		return NULL;
	dev = &plan->devs[plan->count++];
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	return dev;
}

static int parse_statement(struct impair_text *t, struct impair_plan *plan)
{
	struct impair_dev_plan *dev;
	char name[IFNAMSIZ];
	int err = impair_next_word(t);

	if (err == 0)
		err = parse_dev(t, name);
	if (err < 0)
		return err;
	dev = plan_for(plan, name);
	if (!dev)
		return impair_fail(t, "comes for one device too many: up to %d", IMPAIR_DEVS);
	return impair_is(t, "rule") ? parse_rule_statement(t, dev) : parse_link(t, dev);
}

/* What can be seen only when all statements are read. */
static int check_plan(struct impair_text *t, const struct impair_plan *plan)
{
	int err = 0;

	t->word[0] = '\0';
	t->word_line = t->line;
	t->word_column = t->column;
	for (unsigned int i = 0; err == 0 && i < plan->count; i++)
		for (int dir = 0; err == 0 && dir < IMPAIR_DIRS; dir++)
			err = check_params(t, &plan->devs[i].params[dir]);
	return err;
}

/**
 * impair_parse() - make a plan of a text
 * @text:  statements, see above
 * @out:   the plan, set on success only; impair_plan_free() ends it
 * @err:   where and why, on failure
 *
 * Return:  0, -EINVAL, -ENOMEM
 */
int impair_parse(const char *text, struct impair_plan **out, struct impair_error *err)
{
	struct impair_text t = { .at = text, .line = 1, .column = 1, .err = err };
	struct impair_plan *plan = calloc(1, sizeof(*plan));
	int ret = plan ? 0 : -ENOMEM;

	memset(err, 0, sizeof(*err));
	while (ret == 0 && impair_next_statement(&t))
		ret = parse_statement(&t, plan);
	if (ret == 0)
		ret = check_plan(&t, plan);
	if (ret == -ENOMEM)
		snprintf(err->reason, sizeof(err->reason), "out of memory");
	if (ret < 0) {
		impair_plan_free(plan);
		return ret;
	}
	*out = plan;
	return 0;
}

/**
 * impair_plan_free() - the end of a plan; devices that it was put on keep what they have
 * @plan:  plan, or NULL
 */
void impair_plan_free(struct impair_plan *plan)
{
	if (!plan)
		return;
	for (unsigned int i = 0; i < plan->count; i++)
		free(plan->devs[i].rules);
	free(plan);
}

/** impair_plan_next_dev() - see impair.h */
const char *impair_plan_next_dev(const struct impair_plan *plan, const char *prev)
{
	bool found = !prev;

	for (unsigned int i = 0; i < plan->count; i++) {
		const char *name = plan->devs[i].name;

		if (found && name[0])
			return name;
		found |= name == prev;
	}
	return NULL;
}
