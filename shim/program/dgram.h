/* SPDX-License-Identifier: MIT */
/* Datagrams and raw packets on an anchor: one message each, behind a header. */
#ifndef SHIM_PROGRAM_DGRAM_H
#define SHIM_PROGRAM_DGRAM_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

ssize_t dgram_send(int fd, uint32_t w, const struct msghdr *m, int flags);
ssize_t dgram_recv(int fd, uint32_t w, struct msghdr *m, int flags);
ssize_t error_queue_recv(int fd, struct msghdr *m, int flags);
ssize_t dgram_next_size(int fd);
int dgram_look(int fd);
int dgram_take_error(int fd);

#endif
