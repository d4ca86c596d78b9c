/* SPDX-License-Identifier: MIT */
/*
 * A laboratory: several hosts in one process, each a struct host with a struct net of its own, joined
 * by wires in memory. No privilege and no interface of the kernel is needed.
 *
 * A router is a host that forwards; a switch is one whose devices are ports of a bridge. Programs join
 * a host by its name, as they join any other.
 *
 * The loop turns every host that has something to do until none has, then sleeps on all of their
 * descriptors at once: a frame that one host sends is work of another's, in the same process.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/epoll.h>

#include "netif/impair.h"
#include "shim/host/host.h"
#include "shim/host/lab.h"
#include "stack/inet/devinet.h"
#include "stack/inet/route.h"

enum { EVENTS = 64, PASSES = 1000 };

struct lab {
	const struct lab_plan *plan;
	struct lab_config cfg;
	struct host *hosts[LAB_NODES];
	struct bridge *bridges[LAB_NODES];
	char names[LAB_NODES][LAB_NAME * 2 + 2];
	struct host_name known[LAB_NODES];
	size_t known_count;
	bool ready[LAB_NODES];     /* its descriptors have events */
	int epfd;
};

static int say(char *err, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int say(char *err, int ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err, LAB_ERR, fmt, args);
	va_end(args);
	return ret;
}

/* --- hosts --------------------------------------------------------------------------------------- */

/* Names that every host of the laboratory knows: those of the nodes, with their first address. */
static void fill_names(struct lab *lab)
{
	for (unsigned int i = 0; i < lab->plan->node_count; i++) {
		const struct lab_node *n = &lab->plan->nodes[i];

		if (n->kind != LAB_SWITCH)
			lab->known[lab->known_count++] = (struct host_name){ n->name, n->ports[0].addr };
	}
}

static int configure(struct lab *lab, const struct lab_node *n, const char *name, struct host_config *cfg, char *err)
{
	char path[PATH_MAX], dns[INET_ADDRSTRLEN];
	int ret;

	config_init(cfg);
	ret = config_set(cfg, OPT_HOST, name, err);
	if (ret == 0)
		ret = config_set(cfg, OPT_LOOPBACK, "stack", err);
	if (ret == 0 && n->kind != LAB_SWITCH)
		ret = config_set(cfg, OPT_HOSTNAME, n->name, err);
	if (ret == 0 && lab->cfg.log)
		ret = config_set(cfg, OPT_LOG, lab->cfg.log, err);
	if (ret == 0 && n->dns.s_addr) {
		inet_ntop(AF_INET, &n->dns, dns, sizeof(dns));
		ret = config_set(cfg, OPT_DNS, dns, err);
	}
	if (ret == 0 && lab->cfg.folder && n->kind != LAB_SWITCH) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s.pcapng", lab->cfg.folder, n->name) >= sizeof(path))
			return say(err, -ENAMETOOLONG, "the folder's name is too long");
		ret = config_set(cfg, OPT_CAPTURE, path, err);
	}
	return ret;
}

static int apply_settings(struct lab *lab, unsigned int node, char *err)
{
	char why[LAB_ERR - 20];

	for (unsigned int i = 0; i < lab->plan->setting_count; i++) {
		const struct lab_setting *s = &lab->plan->settings[i];

		if (s->node == node && sysctl_set(lab->hosts[node]->net, s->name, s->value, why, sizeof(why)))
			return say(err, -EINVAL, "line %u: %s", s->line, why);
	}
	return 0;
}

static int start_host(struct lab *lab, unsigned int i, char *err)
{
	const struct lab_node *n = &lab->plan->nodes[i];
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };
	char why[CONFIG_ERR_SIZE] = "";
	struct host *h = NULL;
	struct host_config cfg;
	int ret;

	snprintf(lab->names[i], sizeof(lab->names[i]), "%s-%s", lab->cfg.name, n->name);
	ret = configure(lab, n, lab->names[i], &cfg, why);
	if (ret)
		config_free(&cfg);
	else
		ret = host_create(&cfg, true, &h, why);
	if (ret || !h)
		return say(err, ret, "%s: %.250s", n->name, why[0] ? why : strerror(-ret));
	lab->hosts[i] = h;
	h->cfg.addr = n->ports[0].addr;
	h->cfg.prefix_len = n->ports[0].prefix_len;
	h->names = lab->known;
	h->name_count = lab->known_count;
	inet_set_forwarding(h->net, n->kind == LAB_ROUTER);
	if (n->kind == LAB_SWITCH) {
		lab->bridges[i] = bridge_create(h->net);
		if (!lab->bridges[i])
			return say(err, -ENOMEM, "out of memory");
	}
	ret = apply_settings(lab, i, err);
	if (ret)
		return ret;
	ret = sys_epoll_ctl(lab->epfd, EPOLL_CTL_ADD, h->epfd, &event);
	return ret ? say(err, ret, "%s: %s", n->name, strerror(-ret)) : 0;
}

/* --- links --------------------------------------------------------------------------------------- */

static int connect_end(struct lab *lab, unsigned int node, unsigned int port, struct net_device *dev)
{
	const struct lab_port *p = &lab->plan->nodes[node].ports[port];
	struct inet_addr addr = inet_addr_v4(p->addr.s_addr);
	int ret = dev_open(dev);

	if (ret)
		return ret;
	if (lab->bridges[node])
		return bridge_add_port(lab->bridges[node], dev);
	return inet_addr_add(lab->hosts[node]->net, dev, &addr, p->prefix_len, ACD_NONE);
}

/* The link's words are statements for the device of its first end. */
static int impair_link(const struct lab *lab, unsigned int index, struct net_device *dev, char *err)
{
	const struct lab_link *l = &lab->plan->links[index];
	struct impair_error why = { .reason = "" };
	struct impair_plan *plan;
	int ret;

	if (!l->impair)
		return 0;
	ret = impair_parse(l->impair, &plan, &why);
	if (ret)
		return say(err, ret, "line %u, column %u: %s", l->line, l->column + why.column - 1,
			   why.reason[0] ? why.reason : strerror(-ret));
	ret = impair_attach(dev, plan, true, lab->cfg.seed + index);
	impair_plan_free(plan);
	return ret ? say(err, ret, "line %u: %s", l->line, strerror(-ret)) : 0;
}

static int start_link(struct lab *lab, unsigned int index, char *err)
{
	const struct lab_link *l = &lab->plan->links[index];
	struct wire_config cfg = { .a = { .net = lab->hosts[l->a]->net, .name = "eth%d" },
				   .b = { .net = lab->hosts[l->b]->net, .name = "eth%d" }, .mtu = l->mtu };
	struct net_device *a = NULL, *b = NULL;
	int ret = wire_create_pair(&cfg, &a, &b);

	if (ret == 0)
		ret = connect_end(lab, l->a, l->port_a, a);
	if (ret == 0)
		ret = connect_end(lab, l->b, l->port_b, b);
	if (ret)
		return say(err, ret, "line %u: link %s %s: %s", l->line, lab->plan->nodes[l->a].name,
			   lab->plan->nodes[l->b].name, strerror(-ret));
	return impair_link(lab, index, a, err);
}

/* --- routes -------------------------------------------------------------------------------------- */

static int add_route(struct net *net, struct in_addr dst, uint8_t len, struct in_addr gateway)
{
	struct route r = { .dst = inet_addr_v4(dst.s_addr), .prefix_len = len, .type = RTN_T_UNICAST,
			   .scope = RT_SCOPE_T_UNIVERSE, .gateway = inet_addr_v4(gateway.s_addr) };
	int ret = route_add(net, &r);

	return ret == -EEXIST ? 0 : ret;
}

static int start_routes(struct lab *lab, unsigned int node, char *err)
{
	const struct lab_node *n = &lab->plan->nodes[node];
	struct host *h = lab->hosts[node];
	const struct in_addr any = { 0 };
	struct lab_way ways[LAB_LINKS];
	size_t count = 0;
	int ret = 0;

	if (n->kind == LAB_SWITCH || !h)
		return 0;
	if (n->gateway.s_addr)
		ret = add_route(h->net, any, 0, n->gateway);
	else
		count = lab_plan_ways(lab->plan, node, ways, LAB_LINKS);
	if (ret)
		return say(err, ret, "line %u: %s's gateway is not in a network of its own", n->line, n->name);
	for (size_t i = 0; i < count && ret == 0; i++)
		ret = add_route(h->net, ways[i].dst, ways[i].prefix_len, ways[i].gateway);
	return ret ? say(err, ret, "%s: routes: %s", n->name, strerror(-ret)) : 0;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int start(struct lab *lab, char *err)
{
	const struct lab_plan *plan = lab->plan;
	int ret = 0;

	lab->epfd = sys_epoll_create();
	if (lab->epfd < 0)
		return say(err, lab->epfd, "%s", strerror(-lab->epfd));
	fill_names(lab);
	for (unsigned int i = 0; i < plan->node_count && ret == 0; i++)
		ret = start_host(lab, i, err);
	for (unsigned int i = 0; i < plan->link_count && ret == 0; i++)
		ret = start_link(lab, i, err);
	for (unsigned int i = 0; i < plan->node_count && ret == 0; i++)
		ret = start_routes(lab, i, err);
	return ret;
}

/**
 * lab_create() - brings a laboratory up
 * @plan: what it consists of; must outlive it
 * @cfg:  copied; its strings must outlive it
 * @err:  LAB_ERR bytes, one line
 *
 * Return: 0; negative errno with @err, and nothing left behind
 */
int lab_create(const struct lab_plan *plan, const struct lab_config *cfg, struct lab **out, char *err)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	int ret;

	if (!lab)
		return say(err, -ENOMEM, "out of memory");
	lab->plan = plan;
	lab->cfg = *cfg;
	err[0] = 0;
	ret = start(lab, err);
	if (ret) {
		lab_destroy(lab);
		return ret;
	}
	*out = lab;
	return 0;
}

/** lab_destroy() - ends all hosts at once */
void lab_destroy(struct lab *lab)
{
	for (unsigned int i = 0; i < LAB_NODES; i++)
		if (lab->bridges[i])
			bridge_destroy(lab->bridges[i]);
	for (unsigned int i = 0; i < LAB_NODES; i++)
		if (lab->hosts[i])
			host_destroy(lab->hosts[i]);
	if (lab->epfd >= 0)
		sys_close(lab->epfd);
	free(lab);
}

/** lab_watch_fd() - a descriptor that lab_turn() tells of; 0 or negative errno */
int lab_watch_fd(struct lab *lab, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = LAB_NODES };

	return sys_epoll_ctl(lab->epfd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * Turns the hosts that have work. The time until the next has, in ns, negative = no such time; 0 when
 * one was turned, since that may have made work for another.
 */
static int64_t run_hosts(struct lab *lab)
{
	bool turned = false;
	int64_t wait = -1;

	for (unsigned int i = 0; i < lab->plan->node_count; i++) {
		struct host *h = lab->hosts[i];
		int64_t own = lab->ready[i] ? 0 : host_wait_time(h);

		if (own == 0) {
			lab->ready[i] = false;
			turned = true;
			host_take_time(h);
			host_turn(h, 0);
		} else if (own > 0 && (wait < 0 || own < wait)) {
			wait = own;
		}
	}
	return turned ? 0 : wait;
}

/**
 * lab_turn() - one turn of the laboratory's loop
 * @wait_ns: longest time to wait; negative = until something happens
 *
 * Return: whether the descriptor of lab_watch_fd() is readable
 */
bool lab_turn(struct lab *lab, int64_t wait_ns)
{
	struct epoll_event events[EVENTS];
	int64_t wait = 0;
	bool told = false;
	int n;

	for (int pass = 0; pass < PASSES && wait == 0; pass++)
		wait = run_hosts(lab);
	if (wait < 0 || (wait_ns >= 0 && wait_ns < wait))
		wait = wait_ns;
	for (unsigned int i = 0; wait != 0 && i < lab->plan->node_count; i++)
		if (lab->hosts[i]->capture)
			capture_flush(lab->hosts[i]->capture);
	n = sys_epoll_wait(lab->epfd, events, EVENTS, wait);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == LAB_NODES)
			told = true;
		else
			lab->ready[events[i].data.u64] = true;
	}
	return told;
}

/** lab_listens() - does a socket of the node wait for a peer on the port (host order)? */
bool lab_listens(const struct lab *lab, unsigned int node, uint16_t port)
{
	return stack_listens(lab->hosts[node]->net, port);
}

/** lab_host_name() - the name under which programs join the node */
const char *lab_host_name(const struct lab *lab, unsigned int node)
{
	return lab->names[node];
}
