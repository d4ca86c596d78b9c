/* SPDX-License-Identifier: MIT */
/*
 * inet_protocol.c - the protocols above IP, and the start of the network layer in a struct net
 *
 * net->inet holds one handler per IP protocol, the hooks of the raw and ping sockets, and the
 * packet handler that brings IPv4 frames from the devices to ip_rcv(). Addresses of devices
 * (devinet.c) live and die with it.
 */
#include "stack/inet/devinet.h"
#include "stack/inet/ip.h"
#include "stack/inet/ip_input.h"

/**
 * inet_add_protocol() - announce the handler of an IP protocol
 * @net:  namespace
 * @p:    stays valid as long as @net
 *
 * Return:  0; -EEXIST when the protocol has a handler
 */
int inet_add_protocol(struct net *net, const struct net_protocol *p)
{
	if (net->inet->protocols[p->protocol])
		return -EEXIST;
	net->inet->protocols[p->protocol] = p;
	return 0;
}

/**
 * inet_protocol() - the handler of an IP protocol
 * @net:       namespace
 * @protocol:  number in the IP header
 *
 * Return:  NULL when nobody handles it
 */
const struct net_protocol *inet_protocol(struct net *net, uint8_t protocol)
{
	return net->inet->protocols[protocol];
}

static int inet_init(struct net *net)
{
	struct netns_inet *ni = calloc(1, sizeof(*ni));

	if (!ni)
		return -ENOMEM;
	net->inet = ni;
	random_bytes(&net->random, ni->id_key, sizeof(ni->id_key));
	random_bytes(&net->random, ni->ids, sizeof(ni->ids));
	ipv4_sysctl_init(net);
	ip_loop_init(net);
	devinet_init(net);
	ni->ip_ptype.type = cpu_to_be16(ETH_P_IP);
	ni->ip_ptype.func = ip_rcv;
	dev_add_pack(net, &ni->ip_ptype);
	return 0;
}

static void inet_exit(struct net *net)
{
	dev_remove_pack(&net->inet->ip_ptype);
	devinet_exit(net);
	ip_loop_exit(net);
	ipv4_sysctl_exit(net);
	free(net->inet);
	net->inet = NULL;
}

const struct pernet_operations inet_pernet_ops = { "inet", inet_init, inet_exit };
