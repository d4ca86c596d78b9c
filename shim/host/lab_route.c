/* SPDX-License-Identifier: MIT */
/*
 * Who reaches whom in a laboratory: the segments, and the routes that follow from them.
 *
 * A segment is what one Ethernet is: a link, or the links that switches join. From a node's own
 * segments the routers on them lead to further ones, breadth first, so that each network is reached by
 * the fewest routers; the first of them is the gateway.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/host/lab_plan.h"

/* The lower of two numbers goes over to all links that carry the higher. */
static void join(unsigned int *segment, unsigned int links, unsigned int a, unsigned int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	for (unsigned int i = 0; i < links; i++)
		if (segment[i] == high)
			segment[i] = low;
}

static uint32_t network_of(const struct lab_port *p)
{
	return ntohl(p->addr.s_addr) & ~(uint32_t)0 << (32 - p->prefix_len);
}

/* All addresses of a segment are of one network. */
static int check_networks(const struct lab_plan *plan, char *err)
{
	const struct lab_port *first[LAB_LINKS] = { NULL };

	for (unsigned int i = 0; i < plan->node_count; i++) {
		const struct lab_node *n = &plan->nodes[i];

		for (unsigned int k = 0; k < n->port_count && n->kind != LAB_SWITCH; k++) {
			const struct lab_port *p = &n->ports[k], **f = &first[p->segment];

			if (!*f)
				*f = p;
			if ((*f)->prefix_len == p->prefix_len && network_of(*f) == network_of(p))
				continue;
			snprintf(err, LAB_ERR, "line %u: %s's address for the link in line %u is not of the network "
				 "that others have there", n->line, n->name, plan->links[p->link].line);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * lab_plan_segments() - numbers the segments and checks the addresses on them
 * @plan: all read
 * @err:  LAB_ERR bytes
 *
 * Return: 0; -EINVAL with @err
 */
int lab_plan_segments(struct lab_plan *plan, char *err)
{
	unsigned int segment[LAB_LINKS];

	for (unsigned int i = 0; i < plan->link_count; i++)
		segment[i] = i;
	for (unsigned int i = 0; i < plan->node_count; i++) {
		const struct lab_node *n = &plan->nodes[i];

		for (unsigned int k = 1; k < n->port_count && n->kind == LAB_SWITCH; k++)
			join(segment, plan->link_count, segment[n->ports[0].link], segment[n->ports[k].link]);
	}
	for (unsigned int i = 0; i < plan->node_count; i++)
		for (unsigned int k = 0; k < plan->nodes[i].port_count; k++)
			plan->nodes[i].ports[k].segment = segment[plan->nodes[i].ports[k].link];
	plan->segment_count = plan->link_count;
	return check_networks(plan, err);
}

struct search {
	struct in_addr gateway[LAB_LINKS]; /* by segment; 0 = own */
	bool seen[LAB_LINKS];
	unsigned int queue[LAB_LINKS], head, tail;
	struct lab_way *ways;
	size_t count, max;
};

static void reach(struct search *s, unsigned int segment, struct in_addr gateway)
{
	if (s->seen[segment])
		return;
	s->seen[segment] = true;
	s->gateway[segment] = gateway;
	s->queue[s->tail++] = segment;
}

static void add_way(struct search *s, const struct lab_port *p, struct in_addr gateway)
{
	if (s->count == s->max)
		return;
	s->ways[s->count++] = (struct lab_way){ .dst.s_addr = htonl(network_of(p)), .prefix_len = p->prefix_len,
						.gateway = gateway };
}

/* A router on @segment leads to its other ones. */
static void cross(struct search *s, const struct lab_node *router, unsigned int segment)
{
	const struct lab_port *in = NULL;

	for (unsigned int k = 0; k < router->port_count; k++)
		if (router->ports[k].segment == segment)
			in = &router->ports[k];
	for (unsigned int k = 0; in && k < router->port_count; k++) {
		const struct lab_port *p = &router->ports[k];
		struct in_addr gateway = s->gateway[segment].s_addr ? s->gateway[segment] : in->addr;

		if (s->seen[p->segment])
			continue;
		reach(s, p->segment, gateway);
		add_way(s, p, gateway);
	}
}

/**
 * lab_plan_ways() - routes of a node to the networks that are not its own
 * @plan: with segments
 * @node: host or router
 * @ways: where to, @max at most
 *
 * Return: how many
 */
size_t lab_plan_ways(const struct lab_plan *plan, unsigned int node, struct lab_way *ways, size_t max)
{
	struct search s = { .ways = ways, .max = max };
	const struct lab_node *self = &plan->nodes[node];
	const struct in_addr none = { 0 };

	for (unsigned int k = 0; k < self->port_count; k++)
		reach(&s, self->ports[k].segment, none);
	while (s.head < s.tail) {
		unsigned int segment = s.queue[s.head++];

		for (unsigned int i = 0; i < plan->node_count; i++)
			if (i != node && plan->nodes[i].kind == LAB_ROUTER)
				cross(&s, &plan->nodes[i], segment);
	}
	return s.count;
}
