/* SPDX-License-Identifier: MIT */
/*
 * The loss grid: bulk transfers over a link of 20 Mbit/s and a round trip of 20 ms, by every congestion
 * control that the stack has, through loss and reordering of every degree.
 *
 * Every byte has to arrive in order. What it took (goodput, retransmissions, timeouts; sums over the
 * seeds) is compared with tests/golden/loss-grid.txt within tolerances, so that a change of recovery
 * shows here; `make golden` writes that table anew, and its difference belongs into the commit.
 */
#include <stdlib.h>
#include <unistd.h>

#include "stack/tcp/tcp.h"
#include "tests/lab/lab.h"
#include "tests/unit/check.h"

#define GOLDEN "tests/golden/loss-grid.txt"

enum { SEEDS = 5, BYTES = 1000 * 1000, GIVE_UP_S = 3600 };

static const char *const losses[] = { "0%", "0.1%", "0.3%", "0.5%", "1%", "2%", "3%", "5%", "10%", "20%" };
static const char *const reorders[] = { "0% by 0ms", "1% by 5ms", "5% by 5ms", "5% by 15ms", "20% by 2ms" };

/* What the transfers of one cell took. */
struct cell {
	uint64_t kbit_s;  /* mean */
	uint64_t retrans, timeouts;
};

static void spec_of(char *spec, size_t len, size_t loss, size_t reorder)
{
	snprintf(spec, len,
		 "rate 20mbit queue 64 ecn 20 delay 10ms out; delay 10ms in; rule syn pass; rule synack pass; "
		 "loss %s; reorder %s out", losses[loss], reorders[reorder]);
}

static void transfer(struct cell *c, const char *ca, const char *spec, uint64_t seed)
{
	struct lab *lab = lab_open(spec, seed, ca);
	struct lab_flow *f = lab_flow(lab, BYTES);
	bool done = lab_run(lab, GIVE_UP_S * NSEC_PER_SEC);

	CHECK_MSG(done && !f->wrong, "%s, seed %llu, \"%s\": %llu of %d bytes%s, %s", ca,
		  (unsigned long long)seed, spec, (unsigned long long)f->got, BYTES,
		  f->wrong ? ", wrong ones" : "", strerror(-lab->failed));
	CHECK_EQ(f->got, BYTES);
	c->kbit_s += BYTES * 8ULL * (NSEC_PER_SEC / 1000) / (f->done - f->start) / SEEDS;
	c->retrans += lab->net[0]->mib[MIB_TcpRetransSegs];
	c->timeouts += lab->net[0]->mib[MIB_TcpExtTCPTimeouts];
	lab_close(lab);
}

static void run_cell(struct cell *c, const char *ca, size_t loss, size_t reorder)
{
	char spec[300];

	memset(c, 0, sizeof(*c));
	spec_of(spec, sizeof(spec), loss, reorder);
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		transfer(c, ca, spec, seed);
}

/* --- the table ---------------------------------------------------------------------------------- */

static bool near(uint64_t got, uint64_t want, uint64_t percent, uint64_t least)
{
	uint64_t room = MAX(want * percent / 100, least);

	return got + room >= want && got <= want + room;
}

/* The line of the cell in the golden table; false when it has none. */
static bool read_golden(FILE *f, const char *ca, size_t loss, size_t reorder, struct cell *c)
{
	char line[200], name[20], l[10], r[10], by[10];
	unsigned long long v[3];

	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		char want[40];

		if (sscanf(line, "%19s %9s %9s by %9s %llu %llu %llu", name, l, r, by, &v[0], &v[1],
			   &v[2]) != 7)
			continue;
		snprintf(want, sizeof(want), "%s by %s", r, by);
		if (strcmp(name, ca) != 0 || strcmp(l, losses[loss]) != 0 ||
		    strcmp(want, reorders[reorder]) != 0)
			continue;
		*c = (struct cell){ v[0], v[1], v[2] };
		return true;
	}
	return false;
}

static bool compare(FILE *golden, const char *ca, size_t loss, size_t reorder, const struct cell *c)
{
	struct cell g;

	if (!read_golden(golden, ca, loss, reorder, &g)) {
		printf("  %s, loss %s, reorder %s: not in the table\n", ca, losses[loss], reorders[reorder]);
		return false;
	}
	if (near(c->kbit_s, g.kbit_s, 20, 100) && near(c->retrans, g.retrans, 25, 15) &&
	    near(c->timeouts, g.timeouts, 40, 4))
		return true;
	printf("  %s, loss %s, reorder %s: %llu kbit/s, %llu retransmissions, %llu timeouts; were %llu, %llu, %llu\n",
	       ca, losses[loss], reorders[reorder], (unsigned long long)c->kbit_s,
	       (unsigned long long)c->retrans, (unsigned long long)c->timeouts,
	       (unsigned long long)g.kbit_s, (unsigned long long)g.retrans, (unsigned long long)g.timeouts);
	return false;
}

/* The names of all algorithms of a stack, separated by blanks. */
static void algorithms(char *names, size_t len)
{
	struct lab *lab = lab_open("", 1, "cubic");

	tcp_get_available_congestion_control(lab->net[0], names, len);
	lab_close(lab);
}

static unsigned int run_grid(const char *ca, FILE *golden, bool update)
{
	unsigned int wrong = 0;

	for (size_t loss = 0; loss < ARRAY_SIZE(losses); loss++) {
		for (size_t reorder = 0; reorder < ARRAY_SIZE(reorders); reorder++) {
			struct cell c;

			run_cell(&c, ca, loss, reorder);
			if (update)
				fprintf(golden, "%-8s %5s   %12s %8llu %8llu %8llu\n", ca, losses[loss],
					reorders[reorder], (unsigned long long)c.kbit_s,
					(unsigned long long)c.retrans, (unsigned long long)c.timeouts);
			else
				wrong += !compare(golden, ca, loss, reorder, &c);
		}
	}
	return wrong;
}

TEST(test_loss_grid_arrives_and_is_as_it_was)
{
	bool update = getenv("GOLDEN_UPDATE");
	FILE *golden = fopen(GOLDEN, update ? "w" : "r");
	char names[200], *save = NULL;
	unsigned int wrong = 0;

	CHECK_MSG(golden != NULL, "%s: %s", GOLDEN, strerror(errno));
	algorithms(names, sizeof(names));
	if (update)
		fprintf(golden, "# Written by `make golden`: %d transfers of %d bytes a line, see tests/lab/test_grid.c.\n"
				"# algorithm, loss, reordering, mean kbit/s, retransmissions, timeouts\n",
			SEEDS, BYTES);
	for (char *ca = strtok_r(names, " ", &save); ca; ca = strtok_r(NULL, " ", &save))
		wrong += run_grid(ca, golden, update);
	fclose(golden);
	CHECK_MSG(wrong == 0, "%u cells differ from %s; if that is right: make golden", wrong, GOLDEN);
}

/* --- the same seed, the same bytes -------------------------------------------------------------- */

static FILE *captured(uint64_t seed)
{
	char spec[300];
	FILE *file = tmpfile();
	struct lab *lab;

	CHECK(file != NULL);
	spec_of(spec, sizeof(spec), 7, 2);
	lab = lab_open(spec, seed, "cubic");
	lab_capture(lab, dup(fileno(file)));
	lab_flow(lab, BYTES);
	CHECK(lab_run(lab, GIVE_UP_S * NSEC_PER_SEC));
	lab_close(lab);
	return file;
}

static bool same(FILE *a, FILE *b, long *len)
{
	int x, y;

	rewind(a);
	rewind(b);
	do {
		x = getc(a);
		y = getc(b);
	} while (x == y && x != EOF);
	*len = ftell(a);
	return x == y;
}

TEST(test_same_seed_gives_the_byte_identical_capture)
{
	FILE *one = captured(5), *two = captured(5), *other = captured(6);
	long len;

	CHECK(same(one, two, &len));
	CHECK_GT(len, BYTES);
	CHECK(!same(one, other, &len));
	fclose(one);
	fclose(two);
	fclose(other);
}

/* --- fairness ----------------------------------------------------------------------------------- */

/* Jain's index in thousandths, of what two flows got in 50 s of one link; the first is 1 s older. */
static unsigned int jain(const char *ca, uint64_t got[2])
{
	struct lab *lab = lab_open("rate 10mbit queue 60 ecn 20 delay 10ms out; delay 10ms in", 1, ca);
	struct lab_flow *f = lab_flow(lab, UINT64_MAX);
	double a, b;

	CHECK(!lab_run(lab, NSEC_PER_SEC));
	lab_flow(lab, UINT64_MAX);
	CHECK(!lab_run(lab, 19 * NSEC_PER_SEC));
	got[0] = f[0].got;
	got[1] = f[1].got;
	CHECK(!lab_run(lab, 50 * NSEC_PER_SEC));
	CHECK_EQ(lab->failed, 0);
	CHECK(!f[0].wrong && !f[1].wrong);
	a = (double)(f[0].got - got[0]);
	b = (double)(f[1].got - got[1]);
	got[0] = f[0].got - got[0];
	got[1] = f[1].got - got[1];
	lab_close(lab);
	return (unsigned int)(1000 * (a + b) * (a + b) / (2 * (a * a + b * b)));
}

TEST(test_two_flows_share_a_bottleneck)
{
	char names[200], *save = NULL;
	unsigned int unfair = 0;

	algorithms(names, sizeof(names));
	for (char *ca = strtok_r(names, " ", &save); ca; ca = strtok_r(NULL, " ", &save)) {
		uint64_t got[2];
		unsigned int j = jain(ca, got);

		/* The link carries 10 Mbit/s for 50 s: 59.8 MB of text in segments of 1448. */
		if (j < 950 || got[0] + got[1] < 53000000) {
			printf("  %s: Jain 0.%03u, %llu and %llu bytes\n", ca, j,
			       (unsigned long long)got[0], (unsigned long long)got[1]);
			unfair++;
		}
	}
	CHECK_EQ(unfair, 0);
}
