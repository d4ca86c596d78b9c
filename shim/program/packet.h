/* SPDX-License-Identifier: MIT */
/* Packet sockets: opening one, and its ring. */
#ifndef SHIM_PROGRAM_PACKET_H
#define SHIM_PROGRAM_PACKET_H

int packet_socket(int type, int flags, int protocol);

#endif
