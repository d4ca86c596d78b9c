/* SPDX-License-Identifier: MIT */
/* Circular doubly linked list, intrusive. */
#ifndef STACK_CORE_LIST_H
#define STACK_CORE_LIST_H

#include "stack/core/types.h"

struct list_head {
	struct list_head *next, *prev;
};

static inline void list_init(struct list_head *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

static inline void list_insert(struct list_head *n, struct list_head *prev, struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list_head *n, struct list_head *head)
{
	list_insert(n, head, head->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *head)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): knows of a few turns only of a loop of list_init() */
	list_insert(n, head->prev, head);
}

/* Leaves the entry initialised, so that deleting twice and list_empty(entry) are safe. */
static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an entry that was deleted is its own neighbour */
	n->next->prev = n->prev;
	list_init(n);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)

#define list_for_each_entry(pos, head, member)                                             \
	for (pos = list_entry((head)->next, __typeof__(*pos), member);                     \
	     &pos->member != (head);                                                       \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* Safe against removal of @pos inside the loop. */
#define list_for_each_entry_safe(pos, tmp, head, member)                                   \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),                     \
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member);                 \
	     &pos->member != (head);                                                       \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*pos), member))

#endif
