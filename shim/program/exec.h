/* SPDX-License-Identifier: MIT */
/*
 * The environment of programs that this one starts.
 */
#ifndef SHIM_PROGRAM_EXEC_H
#define SHIM_PROGRAM_EXEC_H

#include <stdbool.h>

/* libc's own execve() and execveat() come to our wrappers too (libc_sites.c): system(), popen() and all others. */
extern bool exec_at_sites;

void exec_remember(void);
int exec_by_number(int dir, const char *path, char *const argv[], char *const envp[], int flags);

/* exec_reach.c */
void exec_look_at(int dir, const char *path, int flags);
void exec_look_for(const char *name);
void exec_look_into(int fd);

#endif
