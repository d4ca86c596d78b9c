/* SPDX-License-Identifier: MIT */
/*
 * BBR against a policer, in virtual time: a token bucket that drops what is above its rate. The model takes a
 * burst's worth of bandwidth for the path's, and would keep losing; long-term sampling finds the rate.
 */
#include "stack/tcp/tcp_bbr.c"

#include "tests/lab/lab.h"
#include "tests/unit/check.h"

#define POLICED_BYTES 1250000U /* a second; 10 Mbit/s with the headers */

struct policed {
	struct lab *lab;
	struct tcp_sock *tp;
	bool without;  /* long-term sampling is kept from coming to an end */
};

static struct policed policed_open(bool without)
{
	struct policed p = { .without = without };
	struct lab_flow *f;

	p.lab = lab_open("rate 100mbit delay 10ms police 10mbit burst 100kb out; delay 10ms in", 1, "bbr");
	f = lab_flow(p.lab, UINT64_MAX);
	p.tp = tcp_sk(f->tx->sk);
	return p;
}

static void run_ms(struct policed *p, unsigned int ms)
{
	for (; ms; ms -= 5) {
		CHECK(!lab_run(p->lab, 5 * NSEC_PER_MSEC));
		CHECK_EQ(p->lab->failed, 0);
		if (p->without && p->tp->ca_initialized)
			lt_reset(p->tp);
	}
}

/* Lost bytes in ten thousand delivered ones, within @ms. */
static uint32_t loss_in(struct policed *p, unsigned int ms, uint64_t *rate)
{
	uint64_t delivered = p->tp->delivered_bytes, lost = p->tp->lost_total;

	run_ms(p, ms);
	delivered = p->tp->delivered_bytes - delivered;
	*rate = delivered * 1000 / ms;
	return (uint32_t)((p->tp->lost_total - lost) * 10000 / delivered);
}

/* Two intervals of heavy loss at the same rate: it is that rate from then on, for 48 round trips. */
TEST(test_policed_rate_is_found)
{
	struct policed p = policed_open(false);
	struct bbr *b = bbr(p.tp);
	unsigned int ms = 0;

	for (; ms < 5000 && !b->lt_use_bw; ms += 5)
		run_ms(&p, 5);
	CHECK(b->lt_use_bw);
	CHECK_GE(b->lt_bw, POLICED_BYTES * 85 / 100);
	CHECK_LE(b->lt_bw, POLICED_BYTES * 110 / 100);
	CHECK_EQ(bw_now(b), b->lt_bw);
	run_ms(&p, 500);
	CHECK(b->lt_use_bw);
	CHECK_EQ(b->pacing_gain, UNIT);
	/* Paths change: it is given up and found anew. */
	for (ms = 0; ms < 10000 && b->lt_use_bw; ms += 5)
		run_ms(&p, 5);
	CHECK(!b->lt_use_bw);
	for (ms = 0; ms < 5000 && !b->lt_use_bw; ms += 5)
		run_ms(&p, 5);
	CHECK(b->lt_use_bw);
	lab_close(p.lab);
}

/* What it is for: the same goodput, a third of the loss less; what is left is the search itself. */
TEST(test_policed_flow_loses_less_for_it)
{
	struct policed with = policed_open(false), without = policed_open(true);
	uint32_t loss_with, loss_without;
	uint64_t rate_with, rate_without;

	run_ms(&with, 2000);
	run_ms(&without, 2000);
	loss_with = loss_in(&with, 20000, &rate_with);
	loss_without = loss_in(&without, 20000, &rate_without);
	CHECK_MSG(loss_with * 5 < loss_without * 4, "%u and %u of 10000", loss_with, loss_without);
	CHECK_MSG(rate_with * 100 > rate_without * 85 && rate_with > POLICED_BYTES * 80 / 100,
		  "%llu and %llu bytes a second", (unsigned long long)rate_with,
		  (unsigned long long)rate_without);
	lab_close(with.lab);
	lab_close(without.lab);
}
