/* SPDX-License-Identifier: MIT */
/* A laboratory that runs: several hosts in one process, joined in memory. */
#ifndef SHIM_HOST_LAB_H
#define SHIM_HOST_LAB_H

#include "shim/host/lab_plan.h"

struct lab;

struct lab_config {
	const char *name;     /* of the laboratory; hosts are named NAME-NODE */
	const char *folder;   /* captures go there, as NODE.pcapng; NULL = none */
	const char *log;      /* --log of the hosts; NULL = off */
	uint64_t seed;        /* of all that the links do at random */
};

/* Brings everything up. @plan stays the caller's and must outlive it. Negative errno with a line in @err (LAB_ERR). */
int lab_create(const struct lab_plan *plan, const struct lab_config *cfg, struct lab **out, char *err);
void lab_destroy(struct lab *lab);
/* What is to be done now, then waits for more, at most @wait_ns; true when @fd of lab_watch_fd() is readable. */
bool lab_turn(struct lab *lab, int64_t wait_ns);
int lab_watch_fd(struct lab *lab, int fd);
/* Does a socket of the node listen on the port (TCP), or is one bound to it (UDP)? */
bool lab_listens(const struct lab *lab, unsigned int node, uint16_t port);
/* "NAME-NODE", for `wireshim run --host`. */
const char *lab_host_name(const struct lab *lab, unsigned int node);

#endif
