/* SPDX-License-Identifier: MIT */
/*
 * Sockets by the cookie of the program's end.
 *
 * An anchor whose end the host had to close (so that the program natively sees the reset) stays
 * here as a record, with its struct socket: the program still asks why, for names and for options.
 * Records are given up when the program's end is gone, asked of unix_diag every second, and the
 * oldest when there are too many.
 */
#include "shim/host/host.h"

static struct anchor **bucket(struct host *h, uint64_t cookie)
{
	return &h->by_cookie[(cookie ^ cookie >> 12) % ANCHOR_BUCKETS];
}

/** registry_add() - @a is found by its cookie from now on */
void registry_add(struct anchor *a)
{
	struct anchor **head = bucket(a->host, a->cookie);

	a->next_hashed = *head;
	*head = a;
}

/** registry_del() - undoes registry_add(); harmless when it is not there */
void registry_del(struct anchor *a)
{
	struct anchor **p;

	for (p = bucket(a->host, a->cookie); *p; p = &(*p)->next_hashed) {
		if (*p == a) {
			*p = a->next_hashed;
			a->next_hashed = NULL;
			return;
		}
	}
}

/** registry_find() - Return: the anchor or record of @cookie, or NULL */
struct anchor *registry_find(struct host *h, uint64_t cookie)
{
	struct anchor *a;

	if (!cookie)
		return NULL;
	for (a = *bucket(h, cookie); a; a = a->next_hashed)
		if (a->cookie == cookie)
			return a;
	return NULL;
}

/** registry_sweep() - releases the records whose program has closed its end */
void registry_sweep(struct host *h)
{
	struct anchor *a, *tmp;
	uint64_t peer;

	h->sweep_at = h->now + NSEC_PER_SEC;
	list_for_each_entry_safe(a, tmp, &h->anchors, all) {
		if (a->watch.fd >= 0)
			continue;
		/* The kernel has the record's socket under inode and cookie, or it is gone. */
		if (h->record_count > RECORDS_MAX || diag_peer(h->diag, a->peer_ino, a->cookie, &peer) != 0)
			anchor_release(a);
	}
}
