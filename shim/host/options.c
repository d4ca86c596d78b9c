/* SPDX-License-Identifier: MIT */
/*
 * What a program has set on a socket, remembered in its order: to be set again on a kernel socket
 * that takes its place (CTL_OPTIONS), or stands beside it (twin.c). Reading the values back would
 * lose which of them were set, and those that cannot be read.
 *
 * Kept only until a stream is connected: from then on the socket is ours for good.
 */
#include <linux/filter.h>
#include <unistd.h>

#include "shim/host/host.h"

enum { OPTION_BYTES_MAX = 1024, OPTIONS_BYTES_MAX = 8192 };

/* Does each call add something, where another option would take the place of what was set? */
static bool adds_up(int level, int name)
{
	return level == IPPROTO_IP && name >= IP_ADD_MEMBERSHIP && name <= IP_DROP_SOURCE_MEMBERSHIP;
}

/* The entry at @at, without its value; its whole size. */
static size_t entry_at(const struct anchor *a, size_t at, struct ctl_option *o)
{
	memcpy(o, a->options + at, sizeof(*o));
	return sizeof(*o) + o->len;
}

static void remove_same(struct anchor *a, int level, int name)
{
	struct ctl_option o;
	size_t at, size;

	for (at = 0; at < a->options_len; at += size) {
		size = entry_at(a, at, &o);
		if (o.level != level || o.name != name)
			continue;
		a->options_len -= size;
		memmove(a->options + at, a->options + at + size, a->options_len - at);
		return;
	}
}

/**
 * option_note() - an option was set
 * @value: @len bytes as the program gave them
 */
void option_note(struct anchor *a, int level, int name, const void *value, size_t len)
{
	const struct ctl_option o = { .level = level, .name = name, .len = (uint32_t)len };
	uint8_t *bytes;

	if (a->state == ANCHOR_CONNECTED || a->state == ANCHOR_DEAD)
		return;
	if (!adds_up(level, name))
		remove_same(a, level, name);
	if (len > OPTION_BYTES_MAX || a->options_len + sizeof(o) + len > OPTIONS_BYTES_MAX ||
	    !(bytes = realloc(a->options, a->options_len + sizeof(o) + len))) {
		host_log(a->host, LOG_LEVEL_WARN, "option %d of level %d is too much to remember", name, level);
		return;
	}
	a->options = bytes;
	memcpy(bytes + a->options_len, &o, sizeof(o));
	if (len)
		memcpy(bytes + a->options_len + sizeof(o), value, len);
	a->options_len += sizeof(o) + len;
}

/*
 * On the loopback a datagram socket is alone with the machine's own programs: no groups, no devices, no
 * marks for the machine's routes.
 */
static bool dgram_twin_has(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		return name != SO_BINDTODEVICE && name != SO_BINDTOIFINDEX && name != SO_MARK &&
		       name != SO_MAX_PACING_RATE && name != SO_LINGER;
	case IPPROTO_IP:
		return name == IP_TTL || name == IP_TOS || name == IP_PKTINFO || name == IP_RECVTTL ||
		       name == IP_RECVTOS || name == IP_RECVORIGDSTADDR || name == IP_RECVERR ||
		       name == IP_MTU_DISCOVER;
	default:
		return true;
	}
}

/**
 * option_to_twin() - sets an option of the program on the kernel socket that stands beside ours
 * @value: @len bytes as the program gave them; of a filter its instructions
 *
 * Return: 0, also for an option that the twin has no use for; negative errno
 */
int option_to_twin(const struct anchor *a, int fd, int level, int name, const void *value, size_t len)
{
	struct sock_fprog prog = { .len = (unsigned short)(len / sizeof(struct sock_filter)),
				   .filter = (struct sock_filter *)(uintptr_t)value };

	if (a->type == SOCK_DGRAM && !dgram_twin_has(level, name))
		return 0;
	/* The host may have rights that the program has not. */
	if (level == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE) && a->uid != 0 &&
	    a->uid != geteuid())
		name = name == SO_RCVBUFFORCE ? SO_RCVBUF : SO_SNDBUF;
	if (level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF))
		return sys_setsockopt(fd, level, name, &prog, sizeof(prog));
	return sys_setsockopt(fd, level, name, value, (socklen_t)len);
}

/** options_apply() - sets all of them on a kernel socket of ours */
void options_apply(const struct anchor *a, int fd)
{
	struct ctl_option o;
	size_t at, size;

	for (at = 0; at < a->options_len; at += size) {
		size = entry_at(a, at, &o);
		if (option_to_twin(a, fd, o.level, o.name, a->options + at + sizeof(o), o.len))
			host_log(a->host, LOG_LEVEL_WARN, "the kernel refuses option %d of level %d", o.name,
				 o.level);
	}
}
