/* SPDX-License-Identifier: MIT */
/*
 * A laboratory in virtual time: two hosts, each a whole stack, joined by a wire that is as bad as a text
 * of impairments says (netif/impair.h), and bulk transfers between them. The clock jumps from event
 * to event, so a minute on a slow link takes milliseconds, and the same seed gives the same run to the
 * byte.
 *
 *	struct lab *lab = lab_open("rate 10mbit delay 20ms; loss 1% out", 7, "cubic");
 *	struct lab_flow *f = lab_flow(lab, 1000000);
 *	CHECK(lab_run(lab, 60 * NSEC_PER_SEC));
 *	printf("%llu ns\n", f->done - f->start);
 *	lab_close(lab);
 */
#ifndef TESTS_LAB_LAB_H
#define TESTS_LAB_LAB_H

#include "netif/impair.h"
#include "netif/netif.h"
#include "stack/core/socket.h"
#include "stack/stack.h"

enum { LAB_FLOWS = 8 };

struct lab;

/* One connection from host 0 to host 1, which carries @bytes of a pattern; every byte is checked. */
struct lab_flow {
	struct lab *lab;
	struct socket *tx, *rx;   /* rx: NULL until it is accepted */
	uint64_t bytes;           /* to be sent; UINT64_MAX = without end */
	uint64_t sent, got;
	bool wrong;               /* a byte arrived that was not sent so */
	bool tx_woken, rx_woken;
	ktime_t start, done;      /* connect() called; last byte read, 0 = not yet */
};

struct lab {
	struct net *net[2];
	struct net_device *dev[2]; /* dev[0] is impaired: "out" is from host 0 to host 1 */
	struct capture *capture;
	struct socket *listener;
	struct lab_flow flows[LAB_FLOWS];
	unsigned int count;
	int failed;               /* negative errno of a flow that broke; 0 = none */
};

/* @spec: impairments of the wire; @ca: congestion control of both hosts. Fails the test on error. */
struct lab *lab_open(const char *spec, uint64_t seed, const char *ca);
/* Writes what host 0 sees to @fd (taken over) as pcapng. */
void lab_capture(struct lab *lab, int fd);
/* Opens a connection and lets it send; more than one may be under way. */
struct lab_flow *lab_flow(struct lab *lab, uint64_t bytes);
/* Until all flows are done: true. False: a flow broke, nothing will ever happen, or @limit_ns passed. */
bool lab_run(struct lab *lab, uint64_t limit_ns);
/* Ends the flows, and fails the test when anything is left behind. */
void lab_close(struct lab *lab);

#endif
