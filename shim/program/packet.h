/* SPDX-License-Identifier: MIT */
/* Packet sockets: opening one, and its ring. */
#ifndef SHIM_PROGRAM_PACKET_H
#define SHIM_PROGRAM_PACKET_H

#include <stdbool.h>
#include <sys/types.h>

int packet_socket(int type, int flags, int protocol);

/* packet_ring.c */
void ring_before_poll(int fd);
ssize_t ring_recv(int fd, int flags);
void ring_changed(int fd, bool on);
void ring_token_eaten(int fd);
void ring_fork_prepare(void);
void ring_fork_parent(void);
void ring_fork_child(void);

#endif
