/* SPDX-License-Identifier: MIT */
/* The text of impairments: what is understood, and what is refused with its place and reason. */
#include "netif/impair_link.h"
#include "tests/unit/check.h"

static struct impair_plan *parse(const char *text)
{
	struct impair_plan *plan = NULL;
	struct impair_error err;
	int ret = impair_parse(text, &plan, &err);

	CHECK_MSG(ret == 0, "\"%s\": %u:%u: %s", text, err.line, err.column, err.reason);
	return plan;
}

TEST(test_empty_text_is_a_plan_of_nothing)
{
	struct impair_plan *plan = parse(" \n ; # rate 1mbit\n");

	CHECK_EQ(plan->count, 0);
	impair_plan_free(plan);
}

TEST(test_every_item_of_a_link)
{
	struct impair_plan *plan = parse(
		"rate 10mbit queue 64kb codel target 4ms interval 50ms ecn 20 delay 20.5ms jitter 2ms normal "
		"loss 1.5% reorder 3% by 250us duplicate 0.001% corrupt 100% mtu 1400 icmp "
		"police 2gbit burst 15kb down 1s-2s down 5s-6.25s out");
	const struct impair_params *p = &plan->devs[0].params[TAP_OUT];

	CHECK_EQ(p->rate_bps, 10000000);
	CHECK_EQ(p->queue_bytes, 64000);
	CHECK_EQ(p->queue_frames, 0);
	CHECK_EQ(p->codel_target_ns, 4 * NSEC_PER_MSEC);
	CHECK_EQ(p->codel_interval_ns, 50 * NSEC_PER_MSEC);
	CHECK_EQ(p->ecn_frames, 20);
	CHECK_EQ(p->delay_ns, 20500000);
	CHECK_EQ(p->jitter_ns, 2 * NSEC_PER_MSEC);
	CHECK(p->jitter_normal);
	CHECK_EQ(p->loss, IMPAIR_CERTAIN / 1000 * 15);
	CHECK_EQ(p->reorder, IMPAIR_CERTAIN / 100 * 3);
	CHECK_EQ(p->reorder_ns, 250 * NSEC_PER_USEC);
	CHECK_EQ(p->duplicate, 10000);
	CHECK_EQ(p->corrupt, IMPAIR_CERTAIN);
	CHECK_EQ(p->mtu, 1400);
	CHECK(p->mtu_icmp);
	CHECK_EQ(p->police_bps, 2000000000);
	CHECK_EQ(p->police_burst, 15000);
	CHECK_EQ(p->downs, 2);
	CHECK_EQ(p->down[1].to_ns, 6250 * NSEC_PER_MSEC);
	CHECK_EQ(plan->devs[0].params[TAP_IN].given, 0);
	impair_plan_free(plan);
}

TEST(test_statements_add_up_by_direction_and_device)
{
	struct impair_plan *plan = parse("out delay 1ms\nin delay 2ms; loss 3%\ndev lo delay 4ms in");

	CHECK_EQ(plan->count, 2);
	CHECK_EQ(plan->devs[0].params[TAP_OUT].delay_ns, NSEC_PER_MSEC);
	CHECK_EQ(plan->devs[0].params[TAP_IN].delay_ns, 2 * NSEC_PER_MSEC);
	CHECK_EQ(plan->devs[0].params[TAP_IN].loss, IMPAIR_CERTAIN / 100 * 3);
	CHECK_STR(plan->devs[1].name, "lo");
	CHECK_EQ(plan->devs[1].params[TAP_OUT].given, 0);
	CHECK_STR(impair_plan_next_dev(plan, NULL), "lo");
	CHECK(!impair_plan_next_dev(plan, impair_plan_next_dev(plan, NULL)));
	impair_plan_free(plan);
}

TEST(test_loss_in_bursts)
{
	struct impair_plan *plan = parse("loss bursts 1% 25% in; loss bursts 2% 20% 90% 0.1% out");
	const struct impair_params *in = &plan->devs[0].params[TAP_IN];
	const struct impair_params *out = &plan->devs[0].params[TAP_OUT];

	CHECK(in->bursts);
	CHECK_EQ(in->loss_bad, IMPAIR_CERTAIN);
	CHECK_EQ(in->loss_good, 0);
	CHECK_EQ(out->to_good, IMPAIR_CERTAIN / 5);
	CHECK_EQ(out->loss_bad, IMPAIR_CERTAIN / 10 * 9);
	CHECK_EQ(out->loss_good, IMPAIR_CERTAIN / 1000);
	impair_plan_free(plan);
}

TEST(test_every_word_of_a_rule)
{
	struct impair_plan *plan = parse(
		"rule in tcp from 10.0.0.0/8:80 to 10.1.2.3 port 80 syn conn 2 segment 3-5 retransmission "
		"seq 1- size 40-60 nth 3 every 2 chance 50% count 7 icmp fragneeded 1280\n"
		"rule icmp drop; rule udp icmp port\n"
		"rule strip timestamps,sack; rule conn 1 cut after 5000; rule arp pass");
	const struct impair_rule *r = plan->devs[0].rules;

	CHECK_EQ(plan->devs[0].rule_count, 6);
	CHECK_EQ(r->dirs, 1 << TAP_IN);
	CHECK_EQ(r->from.addr, cpu_to_be32(0x0a000000));
	CHECK_EQ(r->from.mask, cpu_to_be32(0xff000000));
	CHECK_EQ(r->from.port, 80);
	CHECK_EQ(r->to.mask, UINT32_MAX);
	CHECK_EQ(r->conn, 2);
	CHECK_EQ(r->segment.to, 5);
	CHECK_EQ(r->seq.to, UINT32_MAX);
	CHECK_EQ(r->nth.from, 3);
	CHECK_EQ(r->every, 2);
	CHECK_EQ(r->chance, IMPAIR_CERTAIN / 2);
	CHECK_EQ(r->count, 7);
	CHECK_EQ(r->icmp_code, 4);
	CHECK_EQ(r->icmp_mtu, 1280);
	CHECK_EQ(r[1].proto, 1);
	CHECK_EQ(r[1].action, ACTION_DROP);
	CHECK_STR(r[1].text, "rule icmp drop");
	CHECK_EQ(r[2].action, ACTION_ICMP);
	CHECK_EQ(r[2].icmp_code, 3);
	CHECK_EQ(r[3].strip, STRIP_TIMESTAMPS | STRIP_SACK);
	CHECK_EQ(r[3].proto, 6);
	CHECK_EQ(r[4].cut_after, 5000);
	CHECK_EQ(r[5].action, ACTION_PASS);
	impair_plan_free(plan);
}

static const struct {
	const char *text;
	unsigned int line, column;
	const char *reason; /* begins with */
} wrong[] = {
	{ "delya 20ms", 1, 1, "'delya' is not a word of an impairment" },
	{ "delay", 1, 6, "the end stands where a delay is missing" },
	{ "delay 20", 1, 7, "'20' is not a delay: a time" },
	{ "delay 20ms\n  loss 1", 2, 8, "'1' is not a loss: from 0%" },
	{ "delay 2h", 1, 7, "'2h' is not a delay" },
	{ "delay -2ms", 1, 7, "'-2ms' is not" },
	{ "delay 99999999999999999999s", 1, 7, "'99999999999999999999s' is not a delay" },
	{ "loss 101%", 1, 6, "'101%' is not a loss" },
	{ "loss 1% loss 2%", 1, 9, "'loss' is given twice" },
	{ "loss 1%; in loss 2%", 1, 13, "'loss' is given twice" },
	{ "in delay 1ms out", 1, 14, "'out' is a second direction" },
	{ "loss bursts 1%", 1, 15, "the end stands where the chance of a burst's end" },
	{ "reorder 1% 3ms", 1, 12, "'3ms' stands where 'by TIME' is missing" },
	{ "rate 10", 1, 6, "'10' is not a rate" },
	{ "rate 10mbit queue 0", 1, 19, "'0' is not a queue's length" },
	{ "rate 10mbit queue 10q", 1, 19, "'10q' is not a queue's length" },
	{ "queue 10", 1, 9, "the end of the text comes without a rate" },
	{ "rate 1mbit ecn", 1, 15, "the end of the text comes without 'codel'" },
	{ "jitter 1ms", 1, 11, "the end of the text comes without a delay" },
	{ "mtu 20", 1, 5, "'20' is not an MTU" },
	{ "police 1mbit", 1, 13, "the end stands where 'burst BYTES' is missing" },
	{ "down 5s", 1, 6, "'5s' is not a time of being down" },
	{ "down 5s-4s", 1, 6, "'5s-4s' is not a time of being down" },
	{ "dev", 1, 4, "the end stands where a device's name is missing" },
	{ "dev averyveryverylongname loss 1%", 1, 5, "'averyveryverylongname' is not a device's name" },
	{ "rule", 1, 5, "the end stands where the rule's action is missing" },
	{ "rule tcp", 1, 9, "the end stands where the rule's action is missing" },
	{ "rule tcp tcp drop", 1, 10, "'tcp' says a second time" },
	{ "rule tcp dorp", 1, 10, "'dorp' is neither a match nor an action" },
	{ "rule drop now", 1, 11, "'now' comes behind the rule's action" },
	{ "rule udp syn drop", 1, 18, "the end of the rule comes with words of TCP" },
	{ "rule udp strip mss", 1, 19, "the end of the rule comes with words of TCP" },
	{ "rule original retransmission drop", 1, 34, "the end of the rule comes with both" },
	{ "rule conn 0 drop", 1, 11, "'0' is not a connection's number" },
	{ "rule segment 300 drop", 1, 18, "'drop' comes behind a segment beyond 256" },
	{ "rule nth 5-3 drop", 1, 10, "'5-3' is not a number of matching" },
	{ "rule from 10.0.0 drop", 1, 11, "'10.0.0' is not an address" },
	{ "rule from 10.0.0.1:0 drop", 1, 11, "'10.0.0.1:0' is not an address" },
	{ "rule from 10.0.0.1/33 drop", 1, 11, "'10.0.0.1/33' is not an address" },
	{ "rule strip mss,foo", 1, 12, "'mss,foo' is not of mss" },
	{ "rule tcp icmp", 1, 10, "'icmp' says a second time" },
	{ "rule tcp icmp fragneeded", 1, 25, "the end stands where an MTU is missing" },
	{ "rule cut 5", 1, 10, "'5' stands where 'after BYTES'" },
	{ "loss 0.1234567890123456789012345678901234567890123456789012345678901234567890%", 1, 6,
	  "'0.12345678901234567890123456789012345678' is too long" },
};

TEST(test_wrong_text_is_refused_with_place_and_reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct impair_plan *plan = NULL;
		struct impair_error err;

		CHECK_MSG(impair_parse(wrong[i].text, &plan, &err) == -EINVAL, "\"%s\" was taken",
			  wrong[i].text);
		CHECK_MSG(err.line == wrong[i].line && err.column == wrong[i].column &&
				  strncmp(err.reason, wrong[i].reason, strlen(wrong[i].reason)) == 0,
			  "\"%s\": %u:%u: %s", wrong[i].text, err.line, err.column, err.reason);
		CHECK(!plan);
	}
}

/* Each text cut at each place, and with each byte changed, is a plan or an error, never worse. */
TEST(test_damaged_text_does_no_harm)
{
	static const char text[] = "dev lo rate 1mbit queue 5 codel ecn out # x\nrule tcp from 1.2.3.4/8:5 conn 1 "
				   "segment 2-3 chance 5% icmp fragneeded 600; loss bursts 1% 2% 3% 4%; down 1s-2s";
	char copy[sizeof(text)];
	struct impair_error err;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int c = -1; c < 128; c++) {
			struct impair_plan *plan = NULL;

			memcpy(copy, text, sizeof(text));
			copy[i] = (char)(c < 0 ? 0 : c);
			if (impair_parse(copy, &plan, &err) == 0)
				impair_plan_free(plan);
			else
				CHECK(err.reason[0] && err.line >= 1 && err.column >= 1);
		}
	}
}
