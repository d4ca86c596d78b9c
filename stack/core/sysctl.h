/* SPDX-License-Identifier: MIT */
/* A namespace's settings by the names that /proc/sys has for them: "net/ipv4/tcp_sack". */
#ifndef STACK_CORE_SYSCTL_H
#define STACK_CORE_SYSCTL_H

#include <sys/types.h>

#include "stack/core/list.h"
#include "stack/core/types.h"

struct net;

enum { SYSCTL_NAME_MAX = 96, SYSCTL_VALUE_MAX = 4096 }; /* bytes, with the zero at the end */

/* What lies at an entry's place. */
enum ctl_kind {
	CTL_INT,  /* int, or a vector of them */
	CTL_BOOL, /* bool */
	CTL_U32,  /* uint32_t */
	CTL_U64,  /* uint64_t, up to INT64_MAX */
	CTL_TEXT, /* what .show and .store make of it */
};

/*
 * One setting. Tables of them are constant; where a value lies, its registration says. .check looks at
 * numbers that are in range before they are stored, .changed is told when they have been. All return 0 or
 * negative errno.
 */
struct ctl_table {
	const char *procname;
	size_t offset;           /* from the registration's data */
	enum ctl_kind kind;
	uint8_t count;           /* numbers of it; 0 is one */
	uint16_t mode;           /* as of a file: 0644, 0444 read only, 0200 write only, 0600 a secret */
	int64_t min, max;        /* of each number */
	uint32_t scale;          /* a stored value is so many times the number (ms of s); 0 is one */
	int (*check)(struct net *net, const int64_t *values);
	void (*changed)(struct net *net, void *data);
	void (*show)(struct net *net, void *data, char *buf, size_t size); /* a line without its end */
	int (*store)(struct net *net, void *data, const char *value);      /* a line without its end */
};

/* An entry for a member of a struct, whose size must be what its kind means. */
#define CTL_PLACE(type, member, size) \
	(offsetof(type, member) + 0 * sizeof(char[sizeof(((type *)0)->member) == (size) ? 1 : -1]))
#define CTL_NUMBERS(name, type, member, k, n, bytes, lo, hi) \
	.procname = (name), .offset = CTL_PLACE(type, member, (n) * (bytes)), .kind = (k), .count = (n), \
	.mode = 0644, .min = (lo), .max = (hi)
#define CTL_AN_INT(name, type, member, lo, hi) CTL_NUMBERS(name, type, member, CTL_INT, 1, sizeof(int), lo, hi)
#define CTL_INTS(name, type, member, n, lo, hi) CTL_NUMBERS(name, type, member, CTL_INT, n, sizeof(int), lo, hi)
#define CTL_A_BOOL(name, type, member) CTL_NUMBERS(name, type, member, CTL_BOOL, 1, sizeof(bool), 0, 1)
#define CTL_A_U32(name, type, member, lo, hi) CTL_NUMBERS(name, type, member, CTL_U32, 1, sizeof(uint32_t), lo, hi)
#define CTL_A_U64(name, type, member, lo, hi) CTL_NUMBERS(name, type, member, CTL_U64, 1, sizeof(uint64_t), lo, hi)

/* A table in a folder of a namespace. */
struct ctl_table_header {
	struct list_head list;
	struct net *net;
	char folder[SYSCTL_NAME_MAX]; /* "net/ipv4" */
	const struct ctl_table *table;
	size_t count;
	void *data;
};

void register_net_sysctl(struct net *net, struct ctl_table_header *head, const char *folder,
			 const struct ctl_table *table, size_t count, void *data);
void unregister_net_sysctl_table(struct ctl_table_header *head);

/*
 * By name: "net.ipv4.tcp_sack", "net/ipv4/tcp_sack" or "/proc/sys/net/ipv4/tcp_sack"; which of dot and slash
 * comes first separates, the other one is part of a name (eth0.100), as sysctl(8) has it.
 */
ssize_t sysctl_read(struct net *net, const char *name, char *buf, size_t size);
ssize_t sysctl_write(struct net *net, const char *name, const char *buf, size_t len);
int sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t size);
int sysctl_mode(struct net *net, const char *name);
bool sysctl_changed(struct net *net, const char *name);
bool sysctl_next(struct net *net, const char *folder, char name[SYSCTL_NAME_MAX]);

/* Any way to write a name, with slashes between its parts; false: too long to be one. */
bool sysctl_path(const char *name, char path[SYSCTL_NAME_MAX]);
/* Turns "net/ipv4/conf/eth0.100" into "net.ipv4.conf.eth0/100", and back. */
void sysctl_swap_separators(char *name);

#endif
