/* SPDX-License-Identifier: MIT */
/*
 * sysctl_net_core.c - settings of all sockets and devices: net.core
 *
 * Read first: Linux's Documentation/admin-guide/sysctl/net.
 */
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"

static const struct ctl_table table[] = {
	{ CTL_AN_INT("somaxconn", struct netns_core, somaxconn, 0, INT32_MAX) },
};

/**
 * net_core_sysctl_init() - a namespace begins: defaults and names
 * @net:  namespace
 */
void net_core_sysctl_init(struct net *net)
{
	net->core.somaxconn = 4096;
	register_net_sysctl(net, &net->core.sysctls, "net/core", table, ARRAY_SIZE(table), &net->core);
}

/**
 * net_core_sysctl_exit() - the names are gone
 * @net:  namespace
 */
void net_core_sysctl_exit(struct net *net)
{
	unregister_net_sysctl_table(&net->core.sysctls);
}
