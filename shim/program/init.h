/* SPDX-License-Identifier: MIT */
/* Which process this is. */
#ifndef SHIM_PROGRAM_INIT_H
#define SHIM_PROGRAM_INIT_H

#include <stdbool.h>

/*
 * Set once the program has put a seccomp filter on itself: slow paths then issue no call of their
 * own.
 */
extern bool shim_sandboxed;

bool shim_is_owner(void);
void shim_adopt(void);

#endif
