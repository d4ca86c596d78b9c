/* SPDX-License-Identifier: MIT */
/*
 * Reading the file of a laboratory.
 *
 * A line is one statement; '#' begins a comment, a '\' at the end goes on with the next line.
 *
 *	host NAME ADDR/LEN... [gateway ADDR] [dns ADDR]
 *	router NAME ADDR/LEN...
 *	switch NAME
 *	link NAME NAME [mtu N] [impairments]     an address each for its ends, in the order of the links
 *	run NAME [after WHAT[,WHAT...]] COMMAND   the laboratory ends when all of these have ended
 *	serve NAME [after WHAT[,WHAT...]] COMMAND ended then
 *	sysctl NAME SETTING=VALUE                 of a host or router, under Linux's name (net.ipv4.tcp_ecn=1)
 *	seed N
 *
 * WHAT is NAME (all that it runs has ended) or NAME:PORT (somebody listens there). What is wrong is
 * told with its line; nothing is guessed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/host/lab_plan.h"

/* One line under way. */
struct reader {
	struct lab_plan *plan;
	char *at;              /* rest of the line */
	const char *start;     /* of the line */
	unsigned int line;
	char *err;
};

static int wrong(const struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int wrong(const struct reader *r, const char *fmt, ...)
{
	va_list args;
	int n = r->line ? snprintf(r->err, LAB_ERR, "line %u: ", r->line) : 0;

	va_start(args, fmt);
	vsnprintf(r->err + n, LAB_ERR - (size_t)n, fmt, args);
	va_end(args);
	return -EINVAL;
}

static void skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t");
}

/* The next word, cut out of the line; NULL at the end. */
static char *word(struct reader *r)
{
	char *w;

	skip_blanks(r);
	if (!*r->at)
		return NULL;
	w = r->at;
	r->at += strcspn(r->at, " \t");
	if (*r->at)
		*r->at++ = 0;
	return w;
}

/* Is the next word @text? Then it is taken. */
static bool take(struct reader *r, const char *text)
{
	size_t len = strlen(text);

	skip_blanks(r);
	if (strncmp(r->at, text, len) != 0 || (r->at[len] && !strchr(" \t", r->at[len])))
		return false;
	r->at += len;
	return true;
}

static int end_of_line(struct reader *r)
{
	const char *w = word(r);

	return w ? wrong(r, "'%.60s' is one word too many", w) : 0;
}

static int read_number(struct reader *r, const char *w, const char *what, uint64_t max, uint64_t *out)
{
	char *end;

	if (!w)
		return wrong(r, "%s is missing", what);
	errno = 0;
	*out = strtoull(w, &end, 10);
	if (errno || *end || w[0] < '0' || w[0] > '9' || *out > max)
		return wrong(r, "%s: '%.60s' is not a number up to %llu", what, w, (unsigned long long)max);
	return 0;
}

static int read_addr(struct reader *r, const char *w, const char *what, struct in_addr *out)
{
	if (!w)
		return wrong(r, "%s: an address is missing", what);
	if (inet_pton(AF_INET, w, out) != 1)
		return wrong(r, "%s: '%.60s' is not an IPv4 address", what, w);
	return 0;
}

static int find_node(struct reader *r, const char *name, unsigned int *out)
{
	int i = name ? lab_plan_find(r->plan, name) : -1;

	if (!name)
		return wrong(r, "a name is missing");
	if (i < 0)
		return wrong(r, "there is no '%.60s' above this line", name);
	*out = (unsigned int)i;
	return 0;
}

/**
 * lab_plan_find() - a node by its name
 *
 * Return: index, or -1
 */
int lab_plan_find(const struct lab_plan *plan, const char *name)
{
	for (unsigned int i = 0; i < plan->node_count; i++)
		if (strcmp(plan->nodes[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* --- nodes --------------------------------------------------------------------------------------- */

static int check_name(struct reader *r, const char *name)
{
	const struct lab_plan *plan = r->plan;

	if (!name)
		return wrong(r, "a name is missing");
	if (strlen(name) >= LAB_NAME || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(name) ||
	    name[0] == '-')
		return wrong(r, "'%.60s': names are 1 to %d lower-case letters, digits, '-' and '_'", name,
			     LAB_NAME - 1);
	if (lab_plan_find(plan, name) >= 0)
		return wrong(r, "there is a '%s' already, in line %u", name,
			     plan->nodes[lab_plan_find(plan, name)].line);
	return plan->node_count < LAB_NODES ? 0 : wrong(r, "more than %d hosts, routers and switches", LAB_NODES);
}

/* NULL: its name is wrong, and r->err says why. */
static struct lab_node *new_node(struct reader *r, enum lab_kind kind)
{
	const char *name = word(r);
	struct lab_node *n;

	if (check_name(r, name))
		return NULL;
	n = &r->plan->nodes[r->plan->node_count++];
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->kind = kind;
	n->line = r->line;
	return n;
}

/* Nobody else has it: not on any node. */
static int check_free(struct reader *r, const char *w, struct in_addr addr)
{
	const struct lab_plan *plan = r->plan;

	for (unsigned int i = 0; i < plan->node_count; i++)
		for (unsigned int k = 0; k < plan->nodes[i].addr_count; k++)
			if (plan->nodes[i].ports[k].addr.s_addr == addr.s_addr)
				return wrong(r, "%s is %s's already", w, plan->nodes[i].name);
	return 0;
}

static int read_prefix(struct reader *r, char *w, struct lab_node *n)
{
	char *slash = strchr(w, '/');
	struct in_addr addr = { 0 };
	uint32_t host, mask;
	uint64_t len = 0;
	int ret;

	if (!slash)
		return wrong(r, "'%.60s' is not ADDR/LEN", w);
	*slash = 0;
	ret = read_addr(r, w, "address", &addr);
	if (ret == 0)
		ret = read_number(r, slash + 1, "prefix length", 30, &len);
	if (ret == 0)
		ret = check_free(r, w, addr);
	if (ret)
		return ret;
	mask = len ? ~(uint32_t)0 << (32 - len) : 0;
	host = ntohl(addr.s_addr) & ~mask;
	if (len < 1 || host == 0 || host == ~mask || IN_MULTICAST(ntohl(addr.s_addr)) ||
	    ntohl(addr.s_addr) >> 24 == 127 || ntohl(addr.s_addr) >> 24 == 0)
		return wrong(r, "%s/%d is not the address of a host", w, (int)len);
	if (n->addr_count == LAB_PORTS)
		return wrong(r, "%s has more than %d addresses", n->name, LAB_PORTS);
	n->ports[n->addr_count].addr = addr;
	n->ports[n->addr_count++].prefix_len = (uint8_t)len;
	return 0;
}

static int read_station(struct reader *r, enum lab_kind kind)
{
	struct lab_node *n = new_node(r, kind);
	int ret = 0;
	char *w;

	if (!n)
		return -EINVAL;
	while (ret == 0) {
		if (kind == LAB_HOST && take(r, "gateway"))
			ret = read_addr(r, word(r), "gateway", &n->gateway);
		else if (kind == LAB_HOST && take(r, "dns"))
			ret = read_addr(r, word(r), "dns", &n->dns);
		else if ((w = word(r)))
			ret = read_prefix(r, w, n);
		else
			break;
	}
	if (ret == 0 && n->addr_count == 0)
		ret = wrong(r, "%s has no address", n->name);
	return ret;
}

static int read_host(struct reader *r)
{
	return read_station(r, LAB_HOST);
}

static int read_router(struct reader *r)
{
	return read_station(r, LAB_ROUTER);
}

static int read_switch(struct reader *r)
{
	return new_node(r, LAB_SWITCH) ? end_of_line(r) : -EINVAL;
}

/* --- links --------------------------------------------------------------------------------------- */

static int plug(struct reader *r, unsigned int node, unsigned int link, unsigned int *port)
{
	struct lab_node *n = &r->plan->nodes[node];

	if (n->port_count == LAB_PORTS)
		return wrong(r, "%s has more than %d links", n->name, LAB_PORTS);
	if (n->kind != LAB_SWITCH && n->port_count == n->addr_count)
		return wrong(r, "%s has a link more than addresses (line %u)", n->name, n->line);
	*port = n->port_count++;
	n->ports[*port].link = link;
	return 0;
}

static int read_link(struct reader *r)
{
	struct lab_plan *plan = r->plan;
	struct lab_link *l = &plan->links[plan->link_count];
	uint64_t mtu = 0;
	int ret;

	if (plan->link_count == LAB_LINKS)
		return wrong(r, "more than %d links", LAB_LINKS);
	ret = find_node(r, word(r), &l->a);
	if (ret == 0)
		ret = find_node(r, word(r), &l->b);
	if (ret == 0 && l->a == l->b)
		ret = wrong(r, "a link joins two different ends");
	if (ret == 0)
		ret = plug(r, l->a, plan->link_count, &l->port_a);
	if (ret == 0)
		ret = plug(r, l->b, plan->link_count, &l->port_b);
	if (ret == 0 && take(r, "mtu"))
		ret = read_number(r, word(r), "mtu", 65535, &mtu);
	if (ret == 0 && mtu && mtu < 68)
		ret = wrong(r, "mtu: IPv4 needs 68 at least");
	if (ret)
		return ret;
	plan->link_count++;
	l->mtu = (uint32_t)mtu;
	l->line = r->line;
	skip_blanks(r);
	l->column = (unsigned int)(r->at - r->start) + 1;
	if (!*r->at)
		return 0;
	l->impair = strdup(r->at);
	return l->impair ? 0 : -ENOMEM;
}

/* --- programs ------------------------------------------------------------------------------------ */

static int read_after(struct reader *r, char *w, struct lab_program *p)
{
	char *save = NULL, *item;
	int ret = w ? 0 : wrong(r, "after what?");

	for (item = w ? strtok_r(w, ",", &save) : NULL; item && ret == 0; item = strtok_r(NULL, ",", &save)) {
		struct lab_after *a = &p->after[p->after_count];
		char *colon = strchr(item, ':');
		uint64_t port = 0;

		if (p->after_count++ == LAB_AFTERS)
			return wrong(r, "after more than %d", LAB_AFTERS);
		if (colon) {
			*colon = 0;
			ret = read_number(r, colon + 1, "port", 65535, &port);
			if (ret == 0 && port == 0)
				ret = wrong(r, "port 0 is none");
		}
		if (ret == 0)
			ret = find_node(r, item, &a->node);
		a->port = (uint16_t)port;
		if (ret == 0 && !port && a->node == p->node)
			ret = wrong(r, "%s would wait for itself", item);
	}
	return ret;
}

static int read_program(struct reader *r, bool serve)
{
	struct lab_plan *plan = r->plan;
	struct lab_program *p = &plan->programs[plan->program_count];
	int ret;

	if (plan->program_count == LAB_PROGRAMS)
		return wrong(r, "more than %d programs", LAB_PROGRAMS);
	p->serve = serve;
	p->line = r->line;
	ret = find_node(r, word(r), &p->node);
	if (ret == 0 && plan->nodes[p->node].kind != LAB_HOST)
		ret = wrong(r, "programs run on hosts, and %s is none", plan->nodes[p->node].name);
	if (ret == 0 && take(r, "after"))
		ret = read_after(r, word(r), p);
	if (ret)
		return ret;
	skip_blanks(r);
	if (!*r->at)
		return wrong(r, "a command is missing");
	p->command = strdup(r->at);
	plan->program_count++;
	return p->command ? 0 : -ENOMEM;
}

/**
 * lab_plan_after() - what a program waits for that is not of the file
 * @text: as behind "after"; changed
 * @p:    its node is set
 * @err:  LAB_ERR bytes
 *
 * Return: 0; -EINVAL with @err
 */
int lab_plan_after(struct lab_plan *plan, char *text, struct lab_program *p, char *err)
{
	struct reader r = { .plan = plan, .err = err };

	return read_after(&r, text, p);
}

static int read_run(struct reader *r)
{
	return read_program(r, false);
}

static int read_serve(struct reader *r)
{
	return read_program(r, true);
}

static int read_sysctl(struct reader *r)
{
	struct lab_plan *plan = r->plan;
	struct lab_setting *s = &plan->settings[plan->setting_count];
	char *eq, *end;
	int ret;

	if (plan->setting_count == LAB_SETTINGS)
		return wrong(r, "more than %d settings", LAB_SETTINGS);
	ret = find_node(r, word(r), &s->node);
	if (ret == 0 && plan->nodes[s->node].kind == LAB_SWITCH)
		ret = wrong(r, "%s is a switch and has no settings", plan->nodes[s->node].name);
	if (ret)
		return ret;
	skip_blanks(r);
	eq = strchr(r->at, '=');
	if (!eq || eq == r->at)
		return wrong(r, "'%.60s' is not SETTING=VALUE", r->at);
	s->line = r->line;
	s->name = strdup(r->at);
	if (!s->name)
		return -ENOMEM;
	plan->setting_count++;
	s->value = s->name + (eq - r->at);
	*s->value++ = 0;
	s->name[strcspn(s->name, " \t")] = 0;
	s->value += strspn(s->value, " \t");
	for (end = s->value + strlen(s->value); end > s->value && strchr(" \t", end[-1]); end--)
		end[-1] = 0;
	return 0;
}

static int read_seed(struct reader *r)
{
	int ret = read_number(r, word(r), "seed", UINT64_MAX, &r->plan->seed);

	r->plan->has_seed = true;
	return ret ? ret : end_of_line(r);
}

/* --- the file ------------------------------------------------------------------------------------ */

static int read_line(struct reader *r)
{
	static const struct {
		const char *name;
		int (*read)(struct reader *r);
	} statements[] = {
		{ "host", read_host }, { "router", read_router }, { "switch", read_switch }, { "link", read_link },
		{ "run", read_run },   { "serve", read_serve },   { "sysctl", read_sysctl }, { "seed", read_seed },
	};
	const char *w = word(r);

	if (!w)
		return 0;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strcmp(w, statements[i].name) == 0)
			return statements[i].read(r);
	return wrong(r, "'%.60s' is not host, router, switch, link, run, serve, sysctl or seed", w);
}

/* A '#' begins a comment at the start of a line or behind a blank, but not within a command. */
static void cut_comment(char *line)
{
	char *first = line + strspn(line, " \t"), *p;
	bool command = strncmp(first, "run ", 4) == 0 || strncmp(first, "serve ", 6) == 0;

	if (*first == '#')
		*first = 0;
	for (p = first; !command && *p; p++)
		if (*p == '#' && p > line && strchr(" \t", p[-1]))
			*p = 0;
}

/* The next line of @text with its continuations, as a string of its own; NULL: the end, or no memory. */
static char *next_line(const char **text, unsigned int *lines, bool *failed)
{
	const char *p = *text;
	char *line, *out;

	*lines = 0;
	if (!*p)
		return NULL;
	while (*p && *p != '\n') {
		if (p[0] == '\\' && p[1] == '\n') {
			++*lines;
			p++;
		}
		p++;
	}
	++*lines;
	line = out = calloc(1, (size_t)(p - *text) + 1);
	*failed = !line;
	if (!line)
		return NULL;
	for (const char *q = *text; q < p; q++) {
		if (q[0] == '\\' && q[1] == '\n') {
			*out++ = ' ';
			q++;
		} else {
			*out++ = *q == '\r' ? ' ' : *q;
		}
	}
	*text = *p ? p + 1 : p;
	return line;
}

static int check_whole(struct lab_plan *plan, char *err)
{
	for (unsigned int i = 0; i < plan->node_count; i++) {
		const struct lab_node *n = &plan->nodes[i];

		if (n->kind != LAB_SWITCH && n->port_count < n->addr_count) {
			snprintf(err, LAB_ERR, "line %u: %s has %u addresses and %u links: one address for each link",
				 n->line, n->name, n->addr_count, n->port_count);
			return -EINVAL;
		}
	}
	if (plan->node_count == 0) {
		snprintf(err, LAB_ERR, "line 1: there is no host in it");
		return -EINVAL;
	}
	return lab_plan_segments(plan, err);
}

/**
 * lab_plan_parse() - reads and checks the file of a laboratory
 * @text: its contents, zero-terminated
 * @plan: filled; lab_plan_free() is due in any case
 * @err:  LAB_ERR bytes; "line N: reason"
 *
 * Return: 0; -EINVAL with @err, -ENOMEM
 */
int lab_plan_parse(const char *text, struct lab_plan *plan, char *err)
{
	struct reader r = { .plan = plan, .line = 1, .err = err };
	bool failed = false;
	unsigned int lines;
	int ret = 0;
	char *line;

	memset(plan, 0, sizeof(*plan));
	while (ret == 0 && (line = next_line(&text, &lines, &failed))) {
		cut_comment(line);
		r.at = line;
		r.start = line;
		ret = read_line(&r);
		r.line += lines;
		free(line);
	}
	if (failed)
		ret = -ENOMEM;
	return ret ? ret : check_whole(plan, err);
}

/** lab_plan_free() - frees what the plan holds */
void lab_plan_free(struct lab_plan *plan)
{
	for (unsigned int i = 0; i < LAB_LINKS; i++)
		free(plan->links[i].impair);
	for (unsigned int i = 0; i < LAB_PROGRAMS; i++)
		free(plan->programs[i].command);
	for (unsigned int i = 0; i < LAB_SETTINGS; i++)
		free(plan->settings[i].name);
	memset(plan, 0, sizeof(*plan));
}
