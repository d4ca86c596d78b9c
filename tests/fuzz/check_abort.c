/* SPDX-License-Identifier: MIT */
/*
 * The checks of check.h for fuzzers: one that fails aborts, which libFuzzer takes for a crash and keeps the
 * input of. Stands in for tests/unit/check.c.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/**
 * check_register() - unit tests register themselves; a fuzzer has none
 * @test:  not used
 */
void check_register(struct check_test *test)
{
	(void)test;
}

/**
 * check_fail() - ends the program
 * @at:  the check
 */
void check_fail(struct check_at at)
{
	fprintf(stderr, "%s:%d: CHECK failed: %s\n", at.file, at.line, at.text);
	abort();
}

/**
 * check_failf() - the same with a message
 * @at:   the check
 * @fmt:  printf
 */
void check_failf(struct check_at at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	check_fail(at);
}

/**
 * check_relation() - two numbers
 * @at:        the check
 * @got:       left
 * @relation:  how they must relate
 * @want:      right
 */
void check_relation(struct check_at at, long long got, enum check_relation relation, long long want)
{
	bool holds = false;

	switch (relation) {
	case CHECK_REL_EQ: holds = got == want; break;
	case CHECK_REL_NE: holds = got != want; break;
	case CHECK_REL_LT: holds = got < want; break;
	case CHECK_REL_LE: holds = got <= want; break;
	case CHECK_REL_GT: holds = got > want; break;
	case CHECK_REL_GE: holds = got >= want; break;
	}
	if (!holds)
		check_failf(at, "left %lld, right %lld", got, want);
}

/**
 * check_str() - two strings are the same
 * @at:    the check
 * @got:   left, NULL is none
 * @want:  right
 */
void check_str(struct check_at at, const char *got, const char *want)
{
	if (!got || !want || strcmp(got, want) != 0)
		check_failf(at, "left \"%s\", right \"%s\"", got ? got : "(null)", want ? want : "(null)");
}

/**
 * check_mem() - two blocks are the same
 * @at:    the check
 * @got:   left
 * @want:  right
 * @len:   bytes of both
 */
void check_mem(struct check_at at, const void *got, const void *want, size_t len)
{
	if (memcmp(got, want, len) != 0)
		check_fail(at);
}

/**
 * check_skip() - no fuzzer skips
 * @why:  reason
 */
void check_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	abort();
}
