/* SPDX-License-Identifier: MIT */
/* libc's own system-call sites: the second engine behind the symbols. */
#ifndef SHIM_PROGRAM_LIBC_SITES_H
#define SHIM_PROGRAM_LIBC_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__LP64__) && defined(__GLIBC__)
#define SITES_POSSIBLE 1
#else
#define SITES_POSSIBLE 0
#endif

/* What a stub looks at before it decides between the kernel and sites_call(). */
enum site_class {
	SITE_NATIVE = 0, /* nothing: not a number of ours */
	SITE_FD = 1,	 /* descriptor in rdi */
	SITE_CLOSE = 2,	 /* the same; what is unknown stays the kernel's */
	SITE_FD3 = 3,	 /* descriptor in rdx */
	SITE_TWO = 4,	 /* descriptors in rdi and rdx */
	SITE_FAMILY = 5, /* address family in rdi */
	SITE_DUPFD = 6,	 /* descriptor in rdi, of interest for two commands in rsi */
	SITE_ALWAYS = 7,
	SITE_FD5 = 8,	 /* descriptor in r8; what is unknown stays the kernel's */
};

enum {
	SITES_A = 160, /* entries for `mov $NR,%eax; syscall` */
	SITES_B = 48,  /* for `syscall; cmp $-4096,%rax` */
	SITES_C = 48,  /* the same with -4095 */
	SITES_ALL = SITES_A + SITES_B + SITES_C,
	SITE_ENTRY_SIZE = 32,
	SITE_NUMBERS = 512,
};

struct site {
	uintptr_t behind; /* where libc goes on */
	uint32_t nr;
	uint32_t unused;
};

extern struct site site_table[SITES_ALL];
extern const uint8_t site_class[SITE_NUMBERS];
extern uint64_t site_vector_size;
extern uint32_t site_vector_mask;

long sites_call(long nr, const long *a);
void sites_install(void);

/* call_fd.c */
bool call_by_number(long nr, const long *a, long *r);

#endif
