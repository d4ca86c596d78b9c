/* SPDX-License-Identifier: MIT */
/*
 * check.c - runs the tests of one program and reports each on a line
 *
 * `test_x` runs all tests, in the order of the file; `test_x WORD` those with WORD in the name;
 * `test_x =NAME` exactly one; `test_x --list` prints the names. All run in this one process: a
 * failed check leaves its test by longjmp(), a crash ends the program, and tests/run then blames
 * the first test without a result and goes on with the others, one by one.
 *
 * Lines on stdout: `ok NAME`, `FAIL NAME`, `skip NAME`, and last
 * `PROGRAM: N passed, N failed, N skipped`, which tests/run adds up. Details precede the FAIL line.
 */
#include "tests/unit/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };

static struct check_test *first_test;
static struct check_test **last_link = &first_test;
static jmp_buf end_of_test;

/**
 * check_register() - add a test at the end of the program's list; TEST() calls it before main()
 * @test:  stays in use until the program ends
 */
void check_register(struct check_test *test)
{
	*last_link = test;
	last_link = &test->next;
}

static void print_place(struct check_at at)
{
	printf("  %s:%d: CHECK failed: %s\n", at.file, at.line, at.text);
}

/**
 * check_fail() - end the running test as failed
 * @at:  the check
 */
void check_fail(struct check_at at)
{
	print_place(at);
	longjmp(end_of_test, 1 + FAILED);
}

/**
 * check_failf() - end the running test as failed, saying more about it
 * @at:   the check
 * @fmt:  printf format of the explanation
 */
void check_failf(struct check_at at, const char *fmt, ...)
{
	va_list args;

	print_place(at);
	fputs("    ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fputc('\n', stdout);
	longjmp(end_of_test, 1 + FAILED);
}

/**
 * check_skip() - end the running test as skipped
 * @why:  what is missing here
 */
void check_skip(const char *why)
{
	printf("  skipped: %s\n", why);
	longjmp(end_of_test, 1 + SKIPPED);
}

static int holds(long long got, enum check_relation relation, long long want)
{
	switch (relation) {
	case CHECK_REL_EQ: return got == want;
	case CHECK_REL_NE: return got != want;
	case CHECK_REL_LT: return got < want;
	case CHECK_REL_LE: return got <= want;
	case CHECK_REL_GT: return got > want;
	case CHECK_REL_GE: return got >= want;
	}
	return 0;
}

/**
 * check_relation() - fail unless two integers are related as they should be
 * @at:        the check
 * @got:       value under test
 * @relation:  what must hold
 * @want:      what it is held against
 */
void check_relation(struct check_at at, long long got, enum check_relation relation, long long want)
{
	if (holds(got, relation, want))
		return;
	print_place(at);
	printf("    left:  %lld (0x%llx)\n    right: %lld (0x%llx)\n", got, (unsigned long long)got,
	       want, (unsigned long long)want);
	longjmp(end_of_test, 1 + FAILED);
}

/**
 * check_str() - fail unless two strings are equal; NULL equals only NULL
 * @at:    the check
 * @got:   string under test
 * @want:  what it should be
 */
void check_str(struct check_at at, const char *got, const char *want)
{
	if (got == want || (got && want && strcmp(got, want) == 0))
		return;
	print_place(at);
	printf("    got:    %s%s%s\n", got ? "\"" : "", got ? got : "NULL", got ? "\"" : "");
	printf("    wanted: %s%s%s\n", want ? "\"" : "", want ? want : "NULL", want ? "\"" : "");
	longjmp(end_of_test, 1 + FAILED);
}

/* One row of 16 bytes, with a star in front of those that differ from the other side. */
static void print_row(const char *side, const unsigned char *row, const unsigned char *other,
		      size_t offset, size_t len)
{
	size_t i;

	printf("    %-6s %04zx ", side, offset);
	for (i = 0; i < len; i++)
		printf("%c%02x", row[i] == other[i] ? ' ' : '*', row[i]);
	fputc('\n', stdout);
}

/**
 * check_mem() - fail unless two pieces of memory are equal; prints the rows that differ
 * @at:    the check
 * @got:   memory under test
 * @want:  what it should hold
 * @len:   length of both in bytes
 */
void check_mem(struct check_at at, const void *got, const void *want, size_t len)
{
	const unsigned char *g = got, *w = want;
	size_t offset, row;

	if (len == 0 || memcmp(got, want, len) == 0)
		return;
	print_place(at);
	for (offset = 0; offset < len; offset += row) {
		row = len - offset < 16 ? len - offset : 16;
		if (memcmp(g + offset, w + offset, row) == 0)
			continue;
		print_row("got", g + offset, w + offset, offset, row);
		print_row("wanted", w + offset, g + offset, offset, row);
	}
	longjmp(end_of_test, 1 + FAILED);
}

static int is_selected(const struct check_test *test, const char *filter)
{
	if (!filter)
		return 1;
	if (filter[0] == '=')
		return strcmp(test->name, filter + 1) == 0;
	return strstr(test->name, filter) != NULL;
}

static enum outcome run_test(const struct check_test *test)
{
	switch (setjmp(end_of_test)) {
	case 0: test->run(); return PASSED;
	case 1 + FAILED: return FAILED;
	default: return SKIPPED;
	}
}

static enum outcome report_test(const struct check_test *test)
{
	static const char *const word[OUTCOMES] = { "ok", "FAIL", "skip" };
	enum outcome outcome = run_test(test);

	printf("%s %s\n", word[outcome], test->name);
	return outcome;
}

int main(int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : NULL;
	const char *slash = strrchr(argv[0], '/');
	const struct check_test *test;
	int count[OUTCOMES] = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (filter && strcmp(filter, "--list") == 0) {
		for (test = first_test; test; test = test->next)
			puts(test->name);
		return 0;
	}
	for (test = first_test; test; test = test->next)
		if (is_selected(test, filter))
			count[report_test(test)]++;

	printf("%s: %d passed, %d failed, %d skipped\n", slash ? slash + 1 : argv[0], count[PASSED],
	       count[FAILED], count[SKIPPED]);
	return count[FAILED] ? EXIT_FAILURE : EXIT_SUCCESS;
}
