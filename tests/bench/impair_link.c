/* SPDX-License-Identifier: MIT */
/*
 * impair_link A B SEED SPEC-A SPEC-B: one link made of two interfaces of the kernel.
 *
 * What arrives at A goes out by B, as SPEC-A says, and the other way as SPEC-B says: a switch of two
 * ports (netif/bridge.c) whose ports are impaired on their way in. It stands between two hosts that
 * know nothing of it, so that our stack and the kernel's can be measured over the very same link,
 * where the kernel has no netem. Statements are for "in"; super-segments are cut before they are
 * looked at. Prints "ready" when frames pass, and the counts when it is ended by SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "netif/impair.h"
#include "netif/netif.h"
#include "netif/sys.h"
#include "stack/stack.h"

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "impair_link: %s: %s\n", what, why);
	exit(1);
}

static struct net_device *open_port(struct net *net, struct bridge *br, const char *name, const char *spec,
				    uint64_t seed)
{
	struct af_packet_config cfg = { .ifname = name, .for_others = true };
	struct impair_plan *plan;
	struct impair_error e;
	struct net_device *dev;
	char err[300] = "";
	int ret = af_packet_create(net, &cfg, &dev, err, sizeof(err));

	if (ret < 0)
		die(name, err);
	if (impair_parse(spec, &plan, &e) < 0)
		die(spec, e.reason);
	ret = impair_attach(dev, plan, true, seed);
	if (ret == 0)
		ret = bridge_add_port(br, dev);
	if (ret == 0)
		ret = dev_open(dev);
	if (ret < 0)
		die(name, strerror(-ret));
	if (!dev->link)
		die(spec, "says nothing: \"delay 0ms in\" is a link without a fault");
	impair_plan_free(plan);
	return dev;
}

static void loop(struct net *net, struct net_device *const port[2])
{
	int ep = sys_epoll_create();
	uint32_t wanted[2] = { EPOLLIN, EPOLLIN };

	/* 0 and 1: frames; 2 and 3: what becomes of the interface. */
	for (int i = 0; i < 4; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = i };
		int fd = i < 2 ? af_packet_fd(port[i]) : af_packet_link_fd(port[i - 2]);

		sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
	while (!ended) {
		struct epoll_event events[4];
		uint64_t now = clock_ns(), at;
		int64_t wait = -1;
		int n;

		while (stack_run(net, now))
			;
		for (int i = 0; i < 2; i++) {
			struct epoll_event ev = { .data.fd = i };

			ev.events = EPOLLIN | (af_packet_tx_blocked(port[i]) ? (uint32_t)EPOLLOUT : 0);
			if (ev.events != wanted[i])
				sys_epoll_ctl(ep, EPOLL_CTL_MOD, af_packet_fd(port[i]), &ev);
			wanted[i] = ev.events;
		}
		at = stack_next_event(net);
		now = clock_ns();
		if (at != TIMER_NONE)
			wait = at <= now ? 0 : (int64_t)(at - now);
		n = sys_epoll_wait(ep, events, 4, wait);
		net_advance(net, clock_ns());
		for (int i = 0; i < n; i++) {
			struct net_device *dev = port[events[i].data.fd % 2];

			if (events[i].data.fd >= 2)
				af_packet_link_input(dev);
			else if (events[i].events & EPOLLOUT)
				af_packet_writable(dev);
			if (events[i].data.fd < 2)
				af_packet_input(dev);
		}
	}
	sys_close(ep);
}

int main(int argc, char **argv)
{
	struct net_device *port[2];
	struct bridge *br;
	uint64_t choices;
	uint8_t seed[32];
	struct net *net;

	if (argc != 6) {
		fprintf(stderr, "usage: impair_link A B SEED SPEC-A SPEC-B\n");
		return 2;
	}
	signal(SIGTERM, end);
	choices = strtoull(argv[3], NULL, 10);
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed) || stack_create(seed, clock_ns(), &net) < 0)
		die("stack", "cannot be made");
	br = bridge_create(net);
	if (!br)
		die("bridge", "out of memory");
	for (int i = 0; i < 2; i++)
		port[i] = open_port(net, br, argv[1 + i], argv[4 + i], choices + (unsigned int)i);
	puts("ready");
	fflush(stdout);
	loop(net, port);
	for (int i = 0; i < 2; i++) {
		struct impair_stats s;

		if (impair_get_stats(port[i], TAP_IN, &s))
			printf("%s: %llu frames, %llu lost, %llu out of order\n", argv[1 + i],
			       (unsigned long long)s.entered, (unsigned long long)s.dropped,
			       (unsigned long long)s.reordered);
	}
	for (int i = 1; i < SKB_DROP_MAX; i++)
		if (net->drops[i])
			printf("%llu %s\n", (unsigned long long)net->drops[i],
			       skb_drop_reason_str((enum skb_drop_reason)i));
	bridge_destroy(br);
	for (int i = 0; i < 2; i++)
		unregister_netdev(port[i]);
	net_destroy(net);
	return 0;
}
