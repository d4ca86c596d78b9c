/* SPDX-License-Identifier: MIT */
/* The greatest and the least of a window of time. */
#include "stack/core/win_filter.h"

#include <stdbool.h>

#include "stack/core/types.h"
#include "tests/unit/check.h"

#define WIN 100U

struct row { unsigned int t; uint64_t v, want; };

static void check_rows(uint64_t (*take)(struct win_filter *, uint64_t, uint64_t, uint64_t),
		       const struct row *rows, size_t n)
{
	struct win_filter f = { 0 };

	for (size_t i = 0; i < n; i++) {
		uint64_t got = take(&f, WIN, rows[i].t, rows[i].v);

		CHECK_MSG(got == rows[i].want, "at %u: %llu and not %llu", rows[i].t,
			  (unsigned long long)got, (unsigned long long)rows[i].want);
	}
}

TEST(test_least_of_the_window)
{
	static const struct row rows[] = {
		{ 1000, 50, 50 },
		{ 1010, 60, 50 },  /* larger: the least stays */
		{ 1020, 40, 40 },
		{ 1050, 70, 40 },
		{ 1090, 65, 40 },
		{ 1120, 80, 40 },  /* as old as the window is long */
		{ 1121, 80, 65 },  /* gone: the least since */
		{ 1191, 90, 80 },
		{ 1192, 30, 30 },
		{ 1300, 99, 99 },  /* nothing of the window is left */
	};

	check_rows(win_filter_min, rows, ARRAY_SIZE(rows));
}

TEST(test_greatest_of_the_window)
{
	static const struct row rows[] = {
		{ 0, 0, 0 },
		{ 5, 7, 7 },
		{ 5, 7, 7 },
		{ 40, 6, 7 },
		{ 91, 5, 7 },
		{ 105, 1, 7 },
		{ 106, 1, 6 },
		{ 141, 1, 5 },     /* the second is gone, too */
		{ 192, 1, 1 },
	};

	check_rows(win_filter_max, rows, ARRAY_SIZE(rows));
}

/* Zero time: the newest value, but for those of the same moment. */
TEST(test_window_of_nothing_is_the_newest_value)
{
	struct win_filter f = { 0 };

	CHECK_EQ(win_filter_min(&f, 0, 10, 5), 5);
	CHECK_EQ(win_filter_min(&f, 0, 10, 6), 5);
	CHECK_EQ(win_filter_min(&f, 0, 11, 9), 9);
}

struct sample { uint64_t t, v; };

/* The greatest of @n samples that are at most @win older than the last. */
static uint64_t greatest(const struct sample *s, size_t n, uint64_t win)
{
	uint64_t best = 0;

	for (size_t i = n; i-- > 0 && s[n - 1].t - s[i].t <= win;)
		best = MAX(best, s[i].v);
	return best;
}

/* Against all samples, on a walk at random: within the window's greatest and that of its last quarter. */
TEST(test_random_walk_stays_within_its_bounds)
{
	struct win_filter f = { 0 };
	struct sample s[4000];
	uint64_t rng = 42, base = 1000000;
	size_t exact = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		uint64_t got;

		rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
		base = base + (rng >> 33) % 41 - 20;
		s[i] = (struct sample){ .t = (i ? s[i - 1].t : 0) + 1 + (rng >> 40) % 3,
					.v = base + (rng >> 48) % 200 };
		got = win_filter_max(&f, WIN, s[i].t, s[i].v);
		CHECK_LE(got, greatest(s, i + 1, WIN));
		CHECK_GE(got, greatest(s, i + 1, WIN / 4));
		exact += got == greatest(s, i + 1, WIN);
	}
	CHECK_GT(exact, ARRAY_SIZE(s) * 8 / 10);
}
