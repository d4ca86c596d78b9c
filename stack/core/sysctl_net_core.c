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
	{ CTL_AN_INT("rmem_default", struct netns_core, rmem_default, SOCK_MIN_RCVBUF, INT32_MAX) },
	{ CTL_AN_INT("rmem_max", struct netns_core, rmem_max, SOCK_MIN_RCVBUF, INT32_MAX) },
	{ CTL_AN_INT("wmem_default", struct netns_core, wmem_default, SOCK_MIN_SNDBUF, INT32_MAX) },
	{ CTL_AN_INT("wmem_max", struct netns_core, wmem_max, SOCK_MIN_SNDBUF, INT32_MAX) },
};

/**
 * net_core_sysctl_init() - a namespace begins: defaults and names
 * @net:  namespace
 */
void net_core_sysctl_init(struct net *net)
{
	net->core.somaxconn = 4096;
	net->core.rmem_default = net->core.wmem_default = SOCK_BUF_DEFAULT;
	net->core.rmem_max = net->core.wmem_max = SOCK_BUF_MAX;
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
