/* SPDX-License-Identifier: MIT */
/* The wrappers' way to the kernel once libc's own leads back to us. */
#ifndef SHIM_PROGRAM_NATIVE_H
#define SHIM_PROGRAM_NATIVE_H

#include "shim/program/real.h"

#include <sys/single_threaded.h>

extern bool native_installed;

void native_install(void);

/*
 * May a wrapper make the system call itself, in place, because that is all that its entry of libc_table
 * would do? For those that have something to do after the call, since the return from there would cost
 * more than all the rest (fd_is_foreign()); and for those that programs call most on what is not ours,
 * since a jump through the table takes 3 ns.
 */
static inline bool native_in_place(void)
{
	return likely(native_installed) && likely(__libc_single_threaded);
}

long native_failed(long r);
int native_failed_int(long r);

/* A system call's result as libc gives it: -1 and errno are out of the way, and reached by a jump. */
static inline __attribute__((always_inline)) long native_give(long r)
{
	return unlikely((unsigned long)r > -4096UL) ? native_failed(r) : r;
}

static inline __attribute__((always_inline)) int native_give_int(long r)
{
	return unlikely((unsigned long)r > -4096UL) ? native_failed_int(r) : (int)r;
}

#endif
