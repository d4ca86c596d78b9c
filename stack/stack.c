/* SPDX-License-Identifier: MIT */
/*
 * stack.c - the whole stack: which subsystems make a network namespace, and what drives it
 *
 * The table below is the order of construction; destruction runs backwards. A later entry may use
 * an earlier one. The caller owns the clock and the loop: it hands frames to devices, calls
 * stack_run(), and sleeps until stack_next_event() at the latest.
 */
#include "stack/stack.h"

#include "stack/core/dev.h"
#include "stack/core/neighbour.h"
#include "stack/core/sock.h"
#include "stack/inet/af_inet.h"
#include "stack/inet/arp.h"
#include "stack/inet/icmp.h"
#include "stack/inet/inet_hash.h"
#include "stack/inet/inet_port.h"
#include "stack/inet/ip.h"
#include "stack/inet/route.h"
#include "stack/packet/packet.h"
#include "stack/tcp/tcp.h"

#define RX_BUDGET 256 /* frames a call of stack_run() */

static const struct pernet_operations *const subsystems[] = {
	&sock_pernet_ops, &neigh_pernet_ops, &dev_pernet_ops,
	&inet_pernet_ops, &route_pernet_ops, &ip_frag_pernet_ops, &icmp_pernet_ops, &arp_pernet_ops,
	&inet_hash_pernet_ops, &inet_port_pernet_ops, &inet_sock_pernet_ops,
	&udp_pernet_ops, &raw_pernet_ops, &tcp_pernet_ops, &packet_pernet_ops,
	NULL,
};

/**
 * stack_create() - a network namespace with every subsystem
 * @seed:  secret random bytes
 * @now:   start of its time, > 0
 * @out:   set on success only
 *
 * Return:  0; -ENOMEM or what a subsystem's start said
 */
int stack_create(const uint8_t seed[32], ktime_t now, struct net **out)
{
	return net_create(subsystems, seed, now, out);
}

/**
 * stack_run() - do what is due: received frames up to a budget, and timers once none are left
 * @net:  namespace
 * @now:  present time
 *
 * Who runs late has ACKs waiting that stop the timers that are due: frames come first, or each delay of
 * this process would be taken for one of the network. Who calls it only a number of times while
 * frames keep coming ends with net_advance().
 *
 * Return:  true when frames are left and it should be called again soon
 */
bool stack_run(struct net *net, ktime_t now)
{
	net_set_time(net, now);
	if (net_rx_action(net, RX_BUDGET))
		return true;
	net_advance(net, now);
	return net_rx_pending(net);
}

/**
 * stack_next_event() - when stack_run() must be called at the latest
 * @net:  namespace
 *
 * Frames that a full device keeps waiting need no time: the device wakes its queue.
 * Return:  absolute time, not later than now when frames wait; TIMER_NONE when nothing is pending
 */
ktime_t stack_next_event(const struct net *net)
{
	return net_rx_pending(net) ? net->now : timer_next_expiry(&net->timers);
}

/**
 * stack_idle() - whether nothing is left that needs time
 * @net:  namespace
 *
 * Return:  false while a socket, an orphan, a TIME-WAIT or a half-open connection exists
 */
bool stack_idle(const struct net *net)
{
	return net->busy == 0 && !sock_next((struct net *)(uintptr_t)net, NULL);
}

/**
 * stack_listens() - does a socket wait for a peer on a port?
 * @net:   namespace
 * @port:  host order; of TCP (listening) or UDP (bound)
 */
bool stack_listens(const struct net *net, uint16_t port)
{
	const struct sock *sk = NULL;

	while ((sk = sock_next((struct net *)(uintptr_t)net, sk))) {
		if (sk->family != AF_INET || inet_sk(sk)->num != port)
			continue;
		if (sk->type == SOCK_STREAM ? sk->state == TCP_LISTEN : sk->type == SOCK_DGRAM)
			return true;
	}
	return false;
}
