/* SPDX-License-Identifier: MIT */
/*
 * check.h - a unit test: TEST(name) { ... CHECK_EQ(got, wanted); ... }
 *
 * A test registers itself; the program's main() is in check.c. A check that fails prints where it
 * stands and both of its sides, and ends that test only. The value under test comes first, the
 * wanted one second.
 */
#ifndef WIRESHIM_TESTS_UNIT_CHECK_H
#define WIRESHIM_TESTS_UNIT_CHECK_H

#include <stddef.h>

/* One test; lives in static memory of the file that defines it. */
struct check_test {
	const char *name;
	void (*run)(void);
	struct check_test *next;
};

/* Where a check stands and what it says; file and text are string literals. */
struct check_at {
	const char *file;
	int line;
	const char *text;
};

/* How CHECK_EQ and its siblings relate their sides. */
enum check_relation { CHECK_REL_EQ, CHECK_REL_NE, CHECK_REL_LT, CHECK_REL_LE, CHECK_REL_GT, CHECK_REL_GE };

void check_register(struct check_test *test);
void check_fail(struct check_at at) __attribute__((noreturn));
void check_failf(struct check_at at, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void check_relation(struct check_at at, long long got, enum check_relation relation, long long want);
void check_str(struct check_at at, const char *got, const char *want);
void check_mem(struct check_at at, const void *got, const void *want, size_t len);
void check_skip(const char *why) __attribute__((noreturn));

#define TEST(test_name)                                                                            \
	static void test_name(void);                                                               \
	static struct check_test test_name##_entry = { #test_name, test_name, NULL };              \
	__attribute__((constructor)) static void test_name##_register(void)                        \
	{                                                                                          \
		check_register(&test_name##_entry);                                                \
	}                                                                                          \
	static void test_name(void)

#define CHECK_AT(text) ((struct check_at){ __FILE__, __LINE__, text })
#define CHECK_INTS(got, relation, sign, want)                                                      \
	check_relation(CHECK_AT(#got " " sign " " #want), (long long)(got), relation,              \
		       (long long)(want))

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			check_fail(CHECK_AT(#cond));                                               \
	} while (0)

/* Fails with a message of its own: CHECK_MSG(n == 2, "%d frames: %s", n, text). */
#define CHECK_MSG(cond, ...)                                                                       \
	do {                                                                                       \
		if (!(cond))                                                                       \
			check_failf(CHECK_AT(#cond), __VA_ARGS__);                                 \
	} while (0)

#define CHECK_EQ(got, want) CHECK_INTS(got, CHECK_REL_EQ, "==", want)
#define CHECK_NE(got, want) CHECK_INTS(got, CHECK_REL_NE, "!=", want)
#define CHECK_LT(got, want) CHECK_INTS(got, CHECK_REL_LT, "<", want)
#define CHECK_LE(got, want) CHECK_INTS(got, CHECK_REL_LE, "<=", want)
#define CHECK_GT(got, want) CHECK_INTS(got, CHECK_REL_GT, ">", want)
#define CHECK_GE(got, want) CHECK_INTS(got, CHECK_REL_GE, ">=", want)
#define CHECK_STR(got, want) check_str(CHECK_AT(#got " is " #want), got, want)
#define CHECK_MEM(got, want, len) check_mem(CHECK_AT(#got " is " #want), got, want, len)

/* Ends the test as skipped, with its reason: what the machine cannot offer is never a pass. */
#define SKIP(why) check_skip(why)

#endif
