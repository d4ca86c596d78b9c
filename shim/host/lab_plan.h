/* SPDX-License-Identifier: MIT */
/* A laboratory as its file describes it: hosts, routers, switches, links, programs. */
#ifndef SHIM_HOST_LAB_PLAN_H
#define SHIM_HOST_LAB_PLAN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LAB_NODES = 64, LAB_LINKS = 128, LAB_PORTS = 16, LAB_PROGRAMS = 128, LAB_NAME = 32,
	LAB_AFTERS = 4, LAB_SETTINGS = 256, LAB_ERR = 400,
};

enum lab_kind { LAB_HOST, LAB_ROUTER, LAB_SWITCH };

/* Where a link ends. */
struct lab_port {
	unsigned int link;        /* index */
	struct in_addr addr;      /* big endian; 0 on a switch */
	uint8_t prefix_len;
	unsigned int segment;     /* links joined by switches are one (lab_route.c) */
};

struct lab_node {
	char name[LAB_NAME];
	enum lab_kind kind;
	struct lab_port ports[LAB_PORTS];
	unsigned int port_count, addr_count;
	struct in_addr gateway, dns; /* 0 = found, or none */
	unsigned int line;
};

struct lab_link {
	unsigned int a, b;        /* nodes */
	unsigned int port_a, port_b;
	uint32_t mtu;             /* bytes; 0 = 1500 */
	char *impair;             /* the words behind, or NULL; "out" is from a to b */
	unsigned int line, column; /* of those words */
};

/* What has to be before a program starts. */
struct lab_after {
	unsigned int node;
	uint16_t port;            /* somebody listens there; 0 = the node's programs have ended */
};

struct lab_program {
	unsigned int node;
	char *command;            /* for sh -c */
	bool serve;               /* does not end by itself */
	struct lab_after after[LAB_AFTERS];
	unsigned int after_count, line;
};

/* A setting of a node's stack. */
struct lab_setting {
	unsigned int node;
	char *name;               /* "net.ipv4.tcp_ecn"; owns the memory of value as well */
	char *value;
	unsigned int line;
};

struct lab_plan {
	struct lab_node nodes[LAB_NODES];
	struct lab_link links[LAB_LINKS];
	struct lab_program programs[LAB_PROGRAMS];
	struct lab_setting settings[LAB_SETTINGS];
	unsigned int node_count, link_count, program_count, setting_count, segment_count;
	uint64_t seed;
	bool has_seed;
};

/* A way that a node has to a network beyond its own. */
struct lab_way {
	struct in_addr dst;       /* big endian */
	uint8_t prefix_len;
	struct in_addr gateway;
};

/*
 * Reads @text. -EINVAL with "line N: reason" in @err (LAB_ERR bytes), -ENOMEM. lab_plan_free() is
 * due in any case.
 */
int lab_plan_parse(const char *text, struct lab_plan *plan, char *err);
void lab_plan_free(struct lab_plan *plan);
int lab_plan_after(struct lab_plan *plan, char *text, struct lab_program *p, char *err);
int lab_plan_find(const struct lab_plan *plan, const char *name); /* index, or -1 */

/* lab_route.c: numbers the segments; 0, or -EINVAL with a line in @err. */
int lab_plan_segments(struct lab_plan *plan, char *err);
/* Ways of a host or router, at most @max; how many. */
size_t lab_plan_ways(const struct lab_plan *plan, unsigned int node, struct lab_way *ways, size_t max);

#endif
