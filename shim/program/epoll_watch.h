/* SPDX-License-Identifier: MIT */
/* Which sockets of ours are in epoll sets, and under which words. */
#ifndef SHIM_PROGRAM_EPOLL_WATCH_H
#define SHIM_PROGRAM_EPOLL_WATCH_H

#include <stdint.h>

void epoll_watch(int epfd, int op, int fd, uint64_t data);

#endif
