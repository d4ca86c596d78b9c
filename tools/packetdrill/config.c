/* SPDX-License-Identifier: MIT */
/*
 * config.c - packetdrill's options and the few of our own
 *
 * Names and meanings are packetdrill's. An option that cannot mean anything here because nothing is
 * real (the speed of the interface, say) is taken where leaving it away gives the same run, and
 * refused where it would change what a script shows.
 */
#include "tools/packetdrill/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** drill_config_init() - the defaults: those of packetdrill */
void drill_config_init(struct drill_config *c)
{
	memset(c, 0, sizeof(*c));
	c->local_ip = 0xC0A80002;   /* 192.168.0.2 */
	c->gateway_ip = 0xC0A80001; /* 192.168.0.1 */
	c->remote_ip = 0xC0000201;  /* 192.0.2.1, TEST-NET-1 of RFC 5737 */
	c->prefix_len = 16;
	c->bind_port = c->connect_port = 8080;
	c->mtu = 1500;
	c->tolerance_us = 4000;
	c->tolerance_permille = 125;
	c->seed = 1;
}

static int bad(char *why, size_t size, const char *name, const char *value, const char *what)
{
	snprintf(why, size, "--%s=%.80s: %s", name, value, what);
	return -EINVAL;
}

static int take_number(const char *value, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 0);
	if (errno || end == value || *end || v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

/* "192.0.2.1" or "192.0.2.1/24"; the length may be left out. */
static int take_address(const char *value, uint32_t *addr, uint8_t *prefix_len)
{
	const char *slash = strchr(value, '/');
	size_t len = slash ? (size_t)(slash - value) : strlen(value);
	char text[INET_ADDRSTRLEN];
	struct in_addr in;
	int64_t bits;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	if (slash && take_number(slash + 1, 1, 32, &bits) < 0)
		return -EINVAL;
	if (slash)
		*prefix_len = (uint8_t)bits;
	*addr = ntohl(in.s_addr);
	return 0;
}

/* ---- one function an option ------------------------------------------------------------------ */

struct setting {
	struct drill_config *c;
	const char *name, *value;
	char *why;
	size_t size;
};

static int set_ip_version(struct setting *s)
{
	if (strcmp(s->value, "ipv4") == 0)
		return 0;
	if (strcmp(s->value, "ipv6") != 0 && strcmp(s->value, "ipv4-mapped-ipv6") != 0)
		return bad(s->why, s->size, s->name, s->value, "there are ipv4, ipv6 and ipv4-mapped-ipv6");
	snprintf(s->why, s->size, "--ip_version=%s: this stack has no IPv6", s->value);
	return -ENOTSUP;
}

static int set_address(struct setting *s)
{
	bool local = strcmp(s->name, "local_ip") == 0, remote = strcmp(s->name, "remote_ip") == 0;
	uint32_t *addr = local ? &s->c->local_ip : remote ? &s->c->remote_ip : &s->c->gateway_ip;
	uint8_t of_others = 0, *len = local ? &s->c->prefix_len : &of_others;

	if (strchr(s->value, ':')) {
		snprintf(s->why, s->size, "--%s=%.60s: this stack has no IPv6", s->name, s->value);
		return -ENOTSUP;
	}
	if (take_address(s->value, addr, len) < 0)
		return bad(s->why, s->size, s->name, s->value, "not an IPv4 address");
	return 0;
}

static int set_netmask(struct setting *s)
{
	uint32_t mask;
	uint8_t len;

	if (take_address(s->value, &mask, &len) < 0 || mask == 0 || (~mask & (~mask + 1)))
		return bad(s->why, s->size, s->name, s->value, "not a netmask");
	s->c->prefix_len = (uint8_t)__builtin_popcount(mask);
	return 0;
}

static int set_port(struct setting *s)
{
	int64_t v;

	if (take_number(s->value, 1, 65535, &v) < 0)
		return bad(s->why, s->size, s->name, s->value, "not a port");
	*(s->name[0] == 'b' ? &s->c->bind_port : &s->c->connect_port) = (uint16_t)v;
	return 0;
}

static int set_mtu(struct setting *s)
{
	int64_t v;

	if (take_number(s->value, 68, 65495, &v) < 0)
		return bad(s->why, s->size, s->name, s->value, "out of range");
	s->c->mtu = (uint32_t)v;
	return 0;
}

static int set_mss(struct setting *s)
{
	int64_t v;

	if (take_number(s->value, 1, 65455, &v) < 0)
		return bad(s->why, s->size, s->name, s->value, "out of range");
	s->c->mss = (uint16_t)v;
	return 0;
}

static int set_tolerance_usecs(struct setting *s)
{
	return take_number(s->value, 0, 1000000000, &s->c->tolerance_us) < 0
		       ? bad(s->why, s->size, s->name, s->value, "not a number of microseconds")
		       : 0;
}

static int set_tolerance_percent(struct setting *s)
{
	char *end;
	double v = strtod(s->value, &end);

	if (end == s->value || *end || !(v >= 0 && v <= 100))
		return bad(s->why, s->size, s->name, s->value, "not a percentage");
	s->c->tolerance_permille = (int64_t)(v * 10);
	return 0;
}

static int set_ts_tick(struct setting *s)
{
	int64_t v;

	if (take_number(s->value, 0, 1000000, &v) < 0)
		return bad(s->why, s->size, s->name, s->value, "not a number of microseconds up to a second");
	s->c->ts_tick_us = (uint32_t)v;
	return 0;
}

static int set_seed(struct setting *s)
{
	int64_t v;

	if (take_number(s->value, 0, INT64_MAX, &v) < 0)
		return bad(s->why, s->size, s->name, s->value, "not a number");
	s->c->seed = (uint64_t)v;
	return 0;
}

static int set_non_fatal(struct setting *s)
{
	const char *p = s->value;

	while (*p) {
		size_t n = strcspn(p, ", ");

		if (n == 6 && memcmp(p, "packet", n) == 0)
			s->c->non_fatal_packet = true;
		else if (n == 7 && memcmp(p, "syscall", n) == 0)
			s->c->non_fatal_call = true;
		else if (n)
			return bad(s->why, s->size, s->name, s->value, "there are packet and syscall");
		p += n + (p[n] != '\0');
	}
	return 0;
}

static int set_code(struct setting *s)
{
	if (strcmp(s->name, "code_command") == 0) {
		s->c->code_command = s->value;
		return 0;
	}
	if (strcmp(s->name, "code_format") == 0 && strcmp(s->value, "python") != 0)
		return bad(s->why, s->size, s->name, s->value, "there is python");
	if (strcmp(s->name, "code_sockopt") == 0 && strcmp(s->value, "TCP_INFO") != 0 && s->value[0])
		return bad(s->why, s->size, s->name, s->value, "there is TCP_INFO");
	return 0;
}

static int set_speed(struct setting *s)
{
	int64_t v;

	/* Of the TUN device; ours is memory and tells nobody a speed. */
	return take_number(s->value, 0, INT64_MAX, &v) < 0
		       ? bad(s->why, s->size, s->name, s->value, "not a number of Mbit/s")
		       : 0;
}

static int set_init_scripts(struct setting *s)
{
	s->c->init_scripts = s->value;
	return 0;
}

static int set_flag(struct setting *s)
{
	static const struct {
		const char *name;
		size_t offset;
	} flags[] = {
		{ "strict_segments", offsetof(struct drill_config, strict_segments) },
		{ "strict", offsetof(struct drill_config, strict) },
		{ "verbose", offsetof(struct drill_config, verbose) },
		{ "debug", offsetof(struct drill_config, verbose) },
		{ "dry_run", offsetof(struct drill_config, dry_run) },
		{ "shell", offsetof(struct drill_config, shell) },
	};
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(flags[i].name, s->name) == 0)
			*(bool *)((char *)s->c + flags[i].offset) = true;
	/* send_omit_free: when the kernel frees packets; here they are gone at once. */
	return 0;
}

static int refuse(struct setting *s)
{
	snprintf(s->why, s->size, "--%s: not supported, scripts are played against a stack in this process",
		 s->name);
	return -ENOTSUP;
}

static const struct {
	const char *name;
	bool has_value;
	int (*set)(struct setting *s);
	const char *help; /* NULL = not listed */
} options[] = {
	{ "ip_version", true, set_ip_version, "=ipv4" },
	{ "local_ip", true, set_address, "=A.B.C.D[/LEN]        address of the stack (192.168.0.2/16)" },
	{ "remote_ip", true, set_address, "=A.B.C.D[/LEN]       address of the peer (192.0.2.1)" },
	{ "gateway_ip", true, set_address, "=A.B.C.D            way to the peer (192.168.0.1)" },
	{ "netmask_ip", true, set_netmask, "=A.B.C.D            of the stack's network (255.255.0.0)" },
	{ "bind_port", true, set_port, "=N                   what bind(3, ..., ...) means (8080)" },
	{ "connect_port", true, set_port, "=N                what connect(3, ..., ...) means (8080)" },
	{ "mtu", true, set_mtu, "=N                         of the interface (1500)" },
	{ "mss", true, set_mss, "=N                         larger ones arrive as if offloaded: segments of N" },
	{ "tolerance_usecs", true, set_tolerance_usecs, "=N             a time may be off by so much (4000)" },
	{ "tolerance_percent", true, set_tolerance_percent,
	  "=N           ... or by so much of the time before it (12.5)" },
	{ "tcp_ts_tick_usecs", true, set_ts_tick, "=N           compare TS val, ticks of N us (0 = do not)" },
	{ "non_fatal", true, set_non_fatal, "=packet,syscall      tell such differences and go on" },
	{ "strict_segments", false, set_flag, "                one packet is one packet, not several in a row" },
	{ "strict", false, set_flag, "                         packets left over at the end are a failure" },
	{ "seed", true, set_seed, "=N                        of all random choices of the stack (1)" },
	{ "init_scripts", true, set_init_scripts, "=FILE,...         sysctl lines to be read first" },
	{ "code_command", true, set_code, "=COMMAND          interpreter of %{ }% (python3)" },
	{ "shell", false, set_flag, "                          give other commands than sysctl to /bin/sh" },
	{ "dry_run", false, set_flag, "                        parse only" },
	{ "verbose", false, set_flag, "                        show each event" },
	{ "code_format", true, set_code, NULL },
	{ "code_sockopt", true, set_code, NULL },
	{ "speed", true, set_speed, NULL },
	{ "send_omit_free", false, set_flag, NULL },
	{ "debug", false, set_flag, NULL },
	{ "wire_client", false, refuse, NULL },
	{ "wire_server", false, refuse, NULL },
	{ "wire_server_ip", true, refuse, NULL },
	{ "wire_server_at", true, refuse, NULL },
	{ "wire_server_port", true, refuse, NULL },
	{ "wire_client_dev", true, refuse, NULL },
	{ "wire_server_dev", true, refuse, NULL },
	{ "so_filename", true, refuse, NULL },
	{ "so_flags", true, refuse, NULL },
	{ "is_anyip", false, refuse, NULL },
	{ "tcp_ts_ecr_scaled", false, refuse, NULL },
};

/**
 * drill_config_set() - one option
 * @c:      changed on success
 * @name:   without dashes
 * @value:  NULL = none given; must live as long as @c
 * @why:    the reason of a failure
 * @size:   room there
 *
 * Return:  0; -EINVAL: wrong; -ENOTSUP: right, but cannot be had here
 */
int drill_config_set(struct drill_config *c, const char *name, const char *value, char *why, size_t size)
{
	struct setting s = { c, name, value, why, size };
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].has_value == (value != NULL))
			return options[i].set(&s);
		snprintf(why, size, "option --%s %s", name,
			 options[i].has_value ? "needs a value" : "takes no value");
		return -EINVAL;
	}
	snprintf(why, size, "unknown option --%.60s", name);
	return -EINVAL;
}

/** drill_config_help() - the options, on standard output */
void drill_config_help(void)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].help)
			printf("  --%s%s\n", options[i].name, options[i].help);
	printf("  --define=NAME=VALUE, -DNAME=VALUE  the word NAME in a script means VALUE\n");
}
