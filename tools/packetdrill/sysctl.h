/* SPDX-License-Identifier: MIT */
/* The stack's settings by the names that sysctl knows. */
#ifndef TOOLS_PACKETDRILL_SYSCTL_H
#define TOOLS_PACKETDRILL_SYSCTL_H

#include <stddef.h>

struct net;

/*
 * @name: "net.ipv4.tcp_sack" or "/proc/sys/net/ipv4/tcp_sack". 0; -ENOENT: it is not there; -EINVAL: no
 * such value; -ENOTSUP: the stack does always otherwise. @why has the reason.
 */
int drill_sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t size);

#endif
