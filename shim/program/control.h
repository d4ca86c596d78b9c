/* SPDX-License-Identifier: MIT */
/* Requests to the host. */
#ifndef SHIM_PROGRAM_CONTROL_H
#define SHIM_PROGRAM_CONTROL_H

#include "shim/protocol.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct ctl_call {
	enum ctl_op op;
	uint16_t flags;	 /* enum ctl_flags */
	int via;	 /* -1: this process's host; else the descriptor whose host is meant */
	bool slow;	 /* may take long: asked on a connection of its own, signals stay open */
	uint64_t cookie; /* socket meant; 0 = none */
	int fd;		 /* its number here: the host checks that we hold it */
	uint32_t arg[4]; /* of the request; afterwards of the reply */
	const void *data;
	size_t len;
	void *reply; /* room for the reply's data, may be NULL */
	size_t room;
	int *fd_reply; /* where the descriptor goes that comes with the reply; NULL: none is expected */
	size_t got; /* bytes of data that the reply had, cut to room */
};

int ctl_call(struct ctl_call *c);
void ctl_tell(enum ctl_op op, const char *text);
bool ctl_loopback_stack(void);

/* All signals blocked, no cancellation: what a handler must not find half done. */
struct quiet {
	sigset_t mask;
};
void quiet_begin(struct quiet *q);
void quiet_end(const struct quiet *q);

void ctl_fork_prepare(void);
void ctl_fork_parent(void);
void ctl_fork_child(void);

#endif
