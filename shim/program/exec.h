/* SPDX-License-Identifier: MIT */
/*
 * The environment of programs that this one starts.
 */
#ifndef SHIM_PROGRAM_EXEC_H
#define SHIM_PROGRAM_EXEC_H

void exec_remember(void);

#endif
