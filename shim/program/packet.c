/* SPDX-License-Identifier: MIT */
/*
 * AF_PACKET: frames of the host's devices.
 *
 * All packet sockets are the host's: a program has to see the devices that its other sockets use. The
 * anchor is a datagram one (dgram.c), attached at once and not at the first call that needs it, because a
 * packet socket sees frames from socket() on. No right is asked for, as for a raw socket: a host's frames
 * are its programs' own.
 */
#include "shim/program/real.h"
#include "shim/program/packet.h"
#include "shim/program/fdcache.h"
#include "shim/program/sock.h"

#include <netpacket/packet.h>

/* Linux's answer to a type. */
static int check_type(int type)
{
	if (type < 0 || type > SOCK_PACKET)
		return -EINVAL;
	return type == SOCK_RAW || type == SOCK_DGRAM ? 0 : -ESOCKTNOSUPPORT;
}

/**
 * packet_socket() - socket(AF_PACKET)
 * @type:     SOCK_RAW, SOCK_DGRAM
 * @flags:    SOCK_CLOEXEC, SOCK_NONBLOCK
 * @protocol: EtherType, big endian; 0 = none yet
 *
 * Return: descriptor, or -1 and errno
 */
int packet_socket(int type, int flags, int protocol)
{
	struct sockaddr_ll any = { .sll_family = AF_PACKET, .sll_protocol = (uint16_t)protocol };
	struct ctl_call c = { .op = CTL_BIND, .data = &any, .len = sizeof(any) };
	int saved = errno, fd, r = check_type(type);

	if (r < 0)
		return (int)edge(saved, r);
	fd = libc()->socket(AF_UNIX, SOCK_SEQPACKET | flags, 0);
	if (fd < 0)
		return fd;
	fd_register(fd, FD_PACKET | (type == SOCK_RAW ? FD_RAW : 0), fd_read_cookie(fd));
	r = sock_control(fd, &c);
	if (r < 0) {
		fd_forget(fd);
		libc()->close(fd);
		return (int)edge(saved, r);
	}
	return (int)edge(saved, fd);
}
