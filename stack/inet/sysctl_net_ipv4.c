/* SPDX-License-Identifier: MIT */
/*
 * sysctl_net_ipv4.c - settings of IPv4, ICMP, routes and ports: defaults, and names under net.ipv4
 *
 * Names, units and ranges are Linux's. Forwarding is the namespace's as a whole, so that of conf there is
 * conf/all/forwarding alone, which is ip_forward by another name. Those of TCP are tcp_sysctl.c's, those of
 * neighbours arp.c's.
 *
 * Read first: Linux's Documentation/networking/ip-sysctl.
 */
#include "stack/inet/ip.h"

static const struct ipv4_sysctls defaults = {
	.ip_local_port_range = { 32768, 60999 },
	.ip_default_ttl = 64,
	.icmp_echo_ignore_broadcasts = true,
	.icmp_msgs_per_sec = 1000,
	.icmp_msgs_burst = 50,
	.igmp_max_memberships = 20,
	.ipfrag_high_thresh = 4U << 20,
	.ipfrag_time_s = 30, /* DEVIATES from RFC 1122 3.3.2 (60 to 120 s) as Linux */
	.min_pmtu = 552,
	.mtu_expires_s = 600,
};

static int check_port_range(struct net *net, const int64_t *values)
{
	(void)net;
	return values[0] <= values[1] ? 0 : -EINVAL;
}

#define AN_INT(name, field, lo, hi) { CTL_AN_INT(name, struct ipv4_sysctls, field, lo, hi) }
#define A_BOOL(name) { CTL_A_BOOL(#name, struct ipv4_sysctls, name) }

static const struct ctl_table table[] = {
	{ CTL_INTS("ip_local_port_range", struct ipv4_sysctls, ip_local_port_range, 2, 1, 65535),
	  .check = check_port_range },
	AN_INT("ip_default_ttl", ip_default_ttl, 1, 255),
	A_BOOL(ip_forward),
	A_BOOL(ip_no_pmtu_disc),
	A_BOOL(ip_nonlocal_bind),
	A_BOOL(icmp_echo_ignore_all),
	A_BOOL(icmp_echo_ignore_broadcasts),
	AN_INT("icmp_msgs_per_sec", icmp_msgs_per_sec, 0, INT32_MAX),
	AN_INT("icmp_msgs_burst", icmp_msgs_burst, 0, INT32_MAX),
	AN_INT("igmp_max_memberships", igmp_max_memberships, 0, INT32_MAX),
	{ CTL_A_U64("ipfrag_high_thresh", struct ipv4_sysctls, ipfrag_high_thresh, 0, INT64_MAX) },
	AN_INT("ipfrag_time", ipfrag_time_s, 0, INT32_MAX / 1000),
};

static const struct ctl_table conf_all[] = {
	{ CTL_A_BOOL("forwarding", struct ipv4_sysctls, ip_forward) },
};

static const struct ctl_table route[] = {
	AN_INT("min_pmtu", min_pmtu, 68, INT32_MAX),
	AN_INT("mtu_expires", mtu_expires_s, 0, INT32_MAX / 1000),
};

/**
 * ipv4_sysctl_init() - a namespace begins: defaults and names
 * @net:  namespace, net->inet is there
 */
void ipv4_sysctl_init(struct net *net)
{
	struct netns_inet *ni = net->inet;

	ni->sysctl = defaults;
	register_net_sysctl(net, &ni->sysctls, "net/ipv4", table, ARRAY_SIZE(table), &ni->sysctl);
	register_net_sysctl(net, &ni->conf_sysctls, "net/ipv4/conf/all", conf_all, ARRAY_SIZE(conf_all), &ni->sysctl);
	register_net_sysctl(net, &ni->route_sysctls, "net/ipv4/route", route, ARRAY_SIZE(route), &ni->sysctl);
}

/**
 * ipv4_sysctl_exit() - the names are gone
 * @net:  namespace, net->inet is there
 */
void ipv4_sysctl_exit(struct net *net)
{
	unregister_net_sysctl_table(&net->inet->sysctls);
	unregister_net_sysctl_table(&net->inet->conf_sysctls);
	unregister_net_sysctl_table(&net->inet->route_sysctls);
}
