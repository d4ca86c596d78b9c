/* SPDX-License-Identifier: MIT */
/* Raw sockets (any IP protocol) and ICMP echo ("ping") sockets. */
#ifndef STACK_INET_RAW_H
#define STACK_INET_RAW_H

#include "stack/core/net_namespace.h"

extern const struct pernet_operations raw_pernet_ops;

#endif
