/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c - the settings of a namespace by name, as text
 *
 * Each layer keeps its settings where it uses them and registers a constant table that says how each is
 * called, what it is and what it may be. This file finds an entry by its name, reads it, and writes it; it
 * is what stands behind options, commands, laboratory files and scripts alike.
 *
 * Text is taken as Linux's proc_dointvec_minmax() and its kin take it: white space in front is skipped,
 * numbers are decimal, octal (0...) or hexadecimal (0x...), a minus may stand in front, white space ends them;
 * anything else, and what is out of range, is EINVAL. Fewer numbers than the entry has change the first
 * ones. Numbers beyond the last are not taken, which a write tells by its length. DEVIATES: where one of
 * several numbers is wrong, none is changed; Linux stores those in front of it.
 *
 * What an entry was before its first change is kept, as its default.
 *
 * Read first: proc_sys(5), sysctl(8).
 */
#include "stack/core/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/core/net_namespace.h"

enum { NUMBERS_MAX = 4, NUMBER_DIGITS = 20 };

/* An entry that has been found. */
struct entry {
	const struct ctl_table_header *head;
	const struct ctl_table *table;
};

/* What an entry was at first. */
struct ctl_default {
	struct list_head list;
	struct entry of;
	char text[];
};

/* ---- the tables ------------------------------------------------------------------------------ */

/**
 * register_net_sysctl() - a layer's settings get their names
 * @net:     namespace
 * @head:    the registration; the caller's, until it is unregistered
 * @folder:  "net/ipv4"
 * @table:   entries, for as long
 * @count:   of them
 * @data:    what their offsets count from
 */
void register_net_sysctl(struct net *net, struct ctl_table_header *head, const char *folder,
			 const struct ctl_table *table, size_t count, void *data)
{
	head->net = net;
	head->table = table;
	head->count = count;
	head->data = data;
	snprintf(head->folder, sizeof(head->folder), "%s", folder);
	list_add_tail(&head->list, &net->sysctl_tables);
}

static void forget_default(struct ctl_default *d)
{
	list_del(&d->list);
	free(d);
}

/**
 * unregister_net_sysctl_table() - the names are gone
 * @head:  registered; nothing happens when it is not
 */
void unregister_net_sysctl_table(struct ctl_table_header *head)
{
	struct ctl_default *d, *next;

	if (!head->net)
		return;
	list_for_each_entry_safe(d, next, &head->net->sysctl_defaults, list)
		if (d->of.head == head)
			forget_default(d);
	list_del(&head->list);
	head->net = NULL;
}

/* ---- names ----------------------------------------------------------------------------------- */

/**
 * sysctl_swap_separators() - dots for slashes and slashes for dots
 * @name:  changed in place
 */
void sysctl_swap_separators(char *name)
{
	for (; *name; name++)
		*name = *name == '.' ? '/' : *name == '/' ? '.' : *name;
}

/**
 * sysctl_path() - a name as /proc/sys has it
 * @name:  with dots or slashes, with or without "/proc/sys/"
 * @path:  "net/ipv4/tcp_sack"
 *
 * Return:  false: too long to be one
 */
bool sysctl_path(const char *name, char path[SYSCTL_NAME_MAX])
{
	const char *first;

	if (strncmp(name, "/proc/sys/", 10) == 0)
		name += 10;
	if (strlen(name) >= SYSCTL_NAME_MAX)
		return false;
	snprintf(path, SYSCTL_NAME_MAX, "%s", name);
	first = strpbrk(name, "./");
	if (first && *first == '.')
		sysctl_swap_separators(path);
	return true;
}

/* As strcmp() of the entry's whole name and @name. */
static int compare(const struct ctl_table_header *head, const struct ctl_table *t, const char *name)
{
	size_t n = strlen(head->folder);
	int c = strncmp(head->folder, name, n);

	if (c)
		return c;
	return name[n] != '/' ? '/' - (unsigned char)name[n] : strcmp(t->procname, name + n + 1);
}

static bool find(struct net *net, const char *name, struct entry *out)
{
	char path[SYSCTL_NAME_MAX];
	struct ctl_table_header *h;

	if (!sysctl_path(name, path))
		return false;
	list_for_each_entry(h, &net->sysctl_tables, list) {
		for (size_t i = 0; i < h->count; i++) {
			if (compare(h, &h->table[i], path) == 0) {
				*out = (struct entry){ h, &h->table[i] };
				return true;
			}
		}
	}
	return false;
}

static void *place_of(const struct entry *e)
{
	return (char *)e->head->data + e->table->offset;
}

static unsigned int numbers_of(const struct ctl_table *t)
{
	return t->count ? t->count : 1;
}

/* ---- out ------------------------------------------------------------------------------------- */

static int64_t stored_at(const void *place, enum ctl_kind kind, unsigned int i)
{
	switch (kind) {
	case CTL_BOOL: return *((const bool *)place + i);
	case CTL_U32: return *((const uint32_t *)place + i);
	case CTL_U64: return (int64_t) * ((const uint64_t *)place + i);
	default: return *((const int *)place + i);
	}
}

static int64_t number_at(const struct entry *e, unsigned int i)
{
	return stored_at(place_of(e), e->table->kind, i) / (e->table->scale ? e->table->scale : 1);
}

/* The value without an end of line. */
static void show(const struct entry *e, char *buf, size_t size)
{
	const struct ctl_table *t = e->table;
	size_t used = 0;

	buf[0] = '\0';
	if (t->kind == CTL_TEXT) {
		t->show(e->head->net, place_of(e), buf, size);
		return;
	}
	for (unsigned int i = 0; i < numbers_of(t) && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%" PRId64, i ? "\t" : "",
					 number_at(e, i));
}

/**
 * sysctl_read() - a setting as a file of /proc/sys shows it
 * @net:   namespace
 * @name:  any way to write it
 * @buf:   the value with the end of its line; not ended by a zero
 * @size:  its size; what is longer is cut
 *
 * Return:  bytes; -ENOENT; -EACCES: it can only be written
 */
ssize_t sysctl_read(struct net *net, const char *name, char *buf, size_t size)
{
	char text[SYSCTL_VALUE_MAX];
	struct entry e;
	size_t len;

	if (!find(net, name, &e))
		return -ENOENT;
	if (!(e.table->mode & 0444))
		return -EACCES;
	show(&e, text, sizeof(text) - 1);
	len = strlen(text);
	text[len++] = '\n';
	len = MIN(len, size);
	memcpy(buf, text, len);
	return (ssize_t)len;
}

/* ---- in -------------------------------------------------------------------------------------- */

/* One number at *@text, which moves behind it. -EINVAL, as proc_get_long(). */
static int take_number(const char **text, const struct ctl_table *t, int64_t *out)
{
	const char *digits = *text + (**text == '-');
	char *end;

	if (!isdigit((unsigned char)*digits))
		return -EINVAL;
	errno = 0;
	*out = strtoll(*text, &end, 0);
	if (errno || end - *text > NUMBER_DIGITS || (*end && !strchr(" \t\n", *end)))
		return -EINVAL;
	if (*out < t->min || *out > t->max)
		return -EINVAL;
	*text = end;
	return 0;
}

static void put_number(void *place, enum ctl_kind kind, unsigned int i, int64_t v)
{
	switch (kind) {
	case CTL_BOOL: *((bool *)place + i) = v != 0; break;
	case CTL_U32: *((uint32_t *)place + i) = (uint32_t)v; break;
	case CTL_U64: *((uint64_t *)place + i) = (uint64_t)v; break;
	default: *((int *)place + i) = (int)v; break;
	}
}

/* Bytes of @text taken, or negative errno; @whole: all of it, or nothing. */
static ssize_t store_numbers(const struct entry *e, const char *text, bool whole)
{
	const struct ctl_table *t = e->table;
	int64_t v[NUMBERS_MAX];
	const char *p = text + strspn(text, " \t\n");
	unsigned int n;
	int err;

	BUG_ON(numbers_of(t) > NUMBERS_MAX);
	for (n = 0; n < numbers_of(t); n++)
		v[n] = number_at(e, n);
	for (n = 0; n < numbers_of(t) && *p; n++) {
		err = take_number(&p, t, &v[n]);
		if (err)
			return err;
		p += strspn(p, " \t\n");
	}
	if (n == 0 || (whole && *p))
		return -EINVAL;
	err = t->check ? t->check(e->head->net, v) : 0;
	if (err)
		return err;
	for (n = 0; n < numbers_of(t); n++)
		put_number(place_of(e), t->kind, n, v[n] * (t->scale ? t->scale : 1));
	if (t->changed)
		t->changed(e->head->net, place_of(e));
	return p - text;
}

/* Up to the end of the line, as proc_dostring(). */
static ssize_t store_text(const struct entry *e, char *text)
{
	size_t len = strlen(text);
	int err;

	text[strcspn(text, "\n")] = '\0';
	err = e->table->store(e->head->net, place_of(e), text);
	return err ? err : (ssize_t)len;
}

static struct ctl_default *find_default(const struct entry *e)
{
	struct ctl_default *d;

	list_for_each_entry(d, &e->head->net->sysctl_defaults, list)
		if (d->of.head == e->head && d->of.table == e->table)
			return d;
	return NULL;
}

/* Keeps what @e is now, as what it was at first. NULL: no memory. */
static struct ctl_default *keep_default(const struct entry *e)
{
	char text[SYSCTL_VALUE_MAX];
	struct ctl_default *d;

	show(e, text, sizeof(text));
	d = malloc(sizeof(*d) + strlen(text) + 1);
	if (!d)
		return NULL;
	d->of = *e;
	memcpy(d->text, text, strlen(text) + 1);
	list_add_tail(&d->list, &e->head->net->sysctl_defaults);
	return d;
}

static ssize_t store(const struct entry *e, const char *buf, size_t len, bool whole)
{
	char text[SYSCTL_VALUE_MAX];
	struct ctl_default *fresh = NULL;
	ssize_t taken;

	if (!(e->table->mode & 0222))
		return -EACCES;
	if (len == 0 && !whole)
		return 0;
	if (len >= sizeof(text) || memchr(buf, '\0', len))
		return -EINVAL;
	memcpy(text, buf, len);
	text[len] = '\0';
	if (!find_default(e)) {
		fresh = keep_default(e);
		if (!fresh)
			return -ENOMEM;
	}
	taken = e->table->kind == CTL_TEXT ? store_text(e, text) : store_numbers(e, text, whole);
	if (taken < 0 && fresh)
		forget_default(fresh);
	return taken;
}

/**
 * sysctl_write() - change a setting as a write() to its file of /proc/sys does
 * @net:   namespace
 * @name:  any way to write it
 * @buf:   text
 * @len:   its length
 *
 * Return:  bytes taken; -ENOENT; -EACCES: it can only be read; -EINVAL; -ENOMEM; what its check says
 */
ssize_t sysctl_write(struct net *net, const char *name, const char *buf, size_t len)
{
	struct entry e;

	return find(net, name, &e) ? store(&e, buf, len, false) : -ENOENT;
}

/* What a value has to be. */
static void explain(const struct ctl_table *t, ssize_t err, const char *value, char *why, size_t size)
{
	unsigned int n = numbers_of(t);
	char count[20] = "a number";

	if (n > 1)
		snprintf(count, sizeof(count), "up to %u numbers", n);
	if (err == -EACCES)
		snprintf(why, size, "it can only be read");
	else if (err == -ENOMEM)
		snprintf(why, size, "out of memory");
	else if (err == -ENOENT)
		snprintf(why, size, "this stack has no \"%.60s\"", value);
	else if (t->kind == CTL_TEXT || err != -EINVAL)
		snprintf(why, size, "it cannot be \"%.60s\"", value);
	else
		snprintf(why, size, "it cannot be \"%.60s\": it is %s from %" PRId64 " to %" PRId64, value, count,
			 t->min, t->max);
}

/**
 * sysctl_set() - change a setting, for those who want a sentence when it fails
 * @net:    namespace
 * @name:   any way to write it
 * @value:  all of it has to be taken
 * @why:    name and reason, on failure
 * @size:   its size
 *
 * Return:  0; as sysctl_write(); nothing is changed on failure
 */
int sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t size)
{
	char text[SYSCTL_NAME_MAX], reason[200];
	struct entry e;
	ssize_t err;

	if (!find(net, name, &e)) {
		snprintf(why, size, "sysctl %.90s: this stack has no such setting", name);
		return -ENOENT;
	}
	err = store(&e, value, strlen(value), true);
	if (err >= 0)
		return 0;
	snprintf(text, sizeof(text), "%.*s/%s", (int)(sizeof(text) / 2), e.head->folder, e.table->procname);
	sysctl_swap_separators(text);
	explain(e.table, err, value, reason, sizeof(reason));
	snprintf(why, size, "sysctl %s: %s", text, reason);
	return (int)err;
}

/* ---- what there is --------------------------------------------------------------------------- */

/**
 * sysctl_mode() - who may do what with a setting
 * @net:   namespace
 * @name:  any way to write it
 *
 * Return:  bits as of a file (0644); -ENOENT
 */
int sysctl_mode(struct net *net, const char *name)
{
	struct entry e;

	return find(net, name, &e) ? e.table->mode : -ENOENT;
}

/**
 * sysctl_changed() - is a setting other than it was at first?
 * @net:   namespace
 * @name:  any way to write it
 */
bool sysctl_changed(struct net *net, const char *name)
{
	char text[SYSCTL_VALUE_MAX];
	const struct ctl_default *d;
	struct entry e;

	if (!find(net, name, &e))
		return false;
	d = find_default(&e);
	if (!d)
		return false;
	show(&e, text, sizeof(text));
	return strcmp(text, d->text) != 0;
}

/* An entry is in a folder, or is what @folder names. */
static bool inside(const struct ctl_table_header *h, const struct ctl_table *t, const char *folder)
{
	char name[2 * SYSCTL_NAME_MAX];
	size_t n = strlen(folder);

	snprintf(name, sizeof(name), "%s/%s", h->folder, t->procname);
	return n == 0 || (strncmp(name, folder, n) == 0 && (name[n] == '/' || name[n] == '\0'));
}

/**
 * sysctl_next() - walk the settings in the order of their names
 * @net:     namespace
 * @folder:  only those in it, with slashes; "" = all
 * @name:    the one before, "" for the first; becomes the next, with slashes
 *
 * Return:  false at the end
 */
bool sysctl_next(struct net *net, const char *folder, char name[SYSCTL_NAME_MAX])
{
	char best[SYSCTL_NAME_MAX] = "";
	struct ctl_table_header *h;

	list_for_each_entry(h, &net->sysctl_tables, list) {
		for (size_t i = 0; i < h->count; i++) {
			const struct ctl_table *t = &h->table[i];

			if (compare(h, t, name) > 0 && (!best[0] || compare(h, t, best) < 0) && inside(h, t, folder))
				snprintf(best, sizeof(best), "%.60s/%.34s", h->folder, t->procname);
		}
	}
	snprintf(name, SYSCTL_NAME_MAX, "%s", best);
	return best[0] != '\0';
}
