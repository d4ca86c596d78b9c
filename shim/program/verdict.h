/* SPDX-License-Identifier: MIT */
/* Kernel or us: the rules of this process. */
#ifndef SHIM_PROGRAM_VERDICT_H
#define SHIM_PROGRAM_VERDICT_H

void verdict_load(void);

#endif
