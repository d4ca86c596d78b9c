/* SPDX-License-Identifier: MIT */
/* The way to the host: its name, its start, and the connections to its two listeners. */
#ifndef SHIM_PROGRAM_HOSTLINK_H
#define SHIM_PROGRAM_HOSTLINK_H

#include <stdint.h>

int host_dial(int fd, const char *host, char suffix);
int host_name_of(int fd, char *host);
int host_need(void);
int host_again(const char *host);
int host_attach(int fd);
void host_finish(void);

void host_fork_prepare(void);
void host_fork_parent(void);
void host_fork_child(void);

#endif
