/* SPDX-License-Identifier: MIT */
/* arena.c - memory that belongs to one script: pieces are handed out and freed all at once */
#include <stdlib.h>
#include <string.h>

#include "tools/packetdrill/script.h"

#define CHUNK_SIZE 16384U
#define ARENA_MAX (256U << 20) /* no script needs it; garbage must not take the machine */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(16) unsigned char bytes[];
};

/**
 * arena_alloc() - zeroed memory that lives as long as the arena
 * @a:     arena, zeroed before its first use
 * @size:  bytes
 *
 * Return:  the memory, aligned for any type; NULL when there is none
 */
void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;
	size_t need = (size + 15) & ~(size_t)15;
	void *p;

	if (need < size || need > ARENA_MAX || a->used + need > ARENA_MAX)
		return NULL;
	if (!c || c->size - c->used < need) {
		size_t room = need > CHUNK_SIZE ? need : CHUNK_SIZE;

		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		c->next = a->chunks;
		c->used = 0;
		c->size = room;
		a->chunks = c;
	}
	p = memset(c->bytes + c->used, 0, need);
	c->used += need;
	a->used += need;
	return p;
}

/**
 * arena_strndup() - a zero-terminated copy
 * @a:    arena
 * @s:    bytes; zeros among them are kept
 * @len:  how many
 *
 * Return:  the copy; NULL when out of memory
 */
char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	if (copy && len)
		memcpy(copy, s, len);
	return copy;
}

/**
 * arena_free() - frees all that was handed out; the arena may be used again
 * @a:  arena
 */
void arena_free(struct arena *a)
{
	struct arena_chunk *c, *next;

	for (c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	a->chunks = NULL;
	a->used = 0;
}
