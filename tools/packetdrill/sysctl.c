/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c - settings of the stack under Linux's names
 *
 * Three kinds: fields of struct tcp_sysctls; those with a meaning of their own (the congestion
 * control); and behaviour that is fixed in this stack, which can be asked for but not changed.
 */
#include "tools/packetdrill/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/core/net_namespace.h"
#include "stack/tcp/tcp.h"

enum kind { INT, BOOL, TRIPLE };

/* The offset of a field, which must have the size that its kind means. */
#define FIELD_SIZE(field) sizeof(((struct tcp_sysctls *)0)->field)
#define CHECKED(field, size) \
	(offsetof(struct tcp_sysctls, field) + 0 * sizeof(char[FIELD_SIZE(field) == (size) ? 1 : -1]))
#define AN_INT(field) INT, CHECKED(field, sizeof(int))
#define A_BOOL(field) BOOL, CHECKED(field, sizeof(bool))
#define A_TRIPLE(field) TRIPLE, CHECKED(field, 3 * sizeof(int))

static const struct {
	const char *name;
	enum kind kind;
	size_t offset;
	long min, max;
} fields[] = {
	{ "ipv4.tcp_rmem", A_TRIPLE(rmem), 1, INT32_MAX },
	{ "ipv4.tcp_wmem", A_TRIPLE(wmem), 1, INT32_MAX },
	{ "ipv4.tcp_syn_retries", AN_INT(syn_retries), 1, 127 },
	{ "ipv4.tcp_synack_retries", AN_INT(synack_retries), 0, 255 },
	{ "ipv4.tcp_retries1", AN_INT(retries1), 0, 255 },
	{ "ipv4.tcp_retries2", AN_INT(retries2), 0, 255 },
	{ "ipv4.tcp_orphan_retries", AN_INT(orphan_retries), 0, 255 },
	{ "ipv4.tcp_fin_timeout", AN_INT(fin_timeout_s), 0, 100000 },
	{ "ipv4.tcp_keepalive_time", AN_INT(keepalive_time_s), 1, 32767 },
	{ "ipv4.tcp_keepalive_intvl", AN_INT(keepalive_intvl_s), 1, 32767 },
	{ "ipv4.tcp_keepalive_probes", AN_INT(keepalive_probes), 0, 127 },
	{ "ipv4.tcp_max_syn_backlog", AN_INT(max_syn_backlog), 0, INT32_MAX },
	{ "core.somaxconn", AN_INT(somaxconn), 0, INT32_MAX },
	{ "ipv4.tcp_max_tw_buckets", AN_INT(max_tw_buckets), 0, INT32_MAX },
	{ "ipv4.tcp_max_orphans", AN_INT(max_orphans), 0, INT32_MAX },
	{ "ipv4.tcp_fastopen", AN_INT(fastopen), 0, INT32_MAX },
	{ "ipv4.tcp_fastopen_blackhole_timeout_sec", AN_INT(fastopen_blackhole_timeout_s), 0, INT32_MAX },
	{ "ipv4.tcp_recovery", AN_INT(recovery), 0, 7 },
	{ "ipv4.tcp_early_retrans", AN_INT(early_retrans), 0, 4 },
	{ "ipv4.tcp_frto", AN_INT(frto), 0, 2 },
	{ "ipv4.tcp_reordering", AN_INT(reordering), 1, 300 },
	{ "ipv4.tcp_max_reordering", AN_INT(max_reordering), 1, INT32_MAX },
	{ "ipv4.tcp_dsack", A_BOOL(dsack), 0, 1 },
	{ "ipv4.tcp_syncookies", AN_INT(syncookies), 0, 2 },
	{ "ipv4.tcp_challenge_ack_limit", AN_INT(challenge_ack_limit), 0, INT32_MAX },
	{ "ipv4.tcp_invalid_ratelimit", AN_INT(invalid_ratelimit_ms), 0, INT32_MAX },
	{ "ipv4.tcp_timestamps", A_BOOL(timestamps), 0, 2 },
	{ "ipv4.tcp_sack", A_BOOL(sack), 0, 1 },
	{ "ipv4.tcp_window_scaling", A_BOOL(window_scaling), 0, 1 },
	{ "ipv4.tcp_tw_reuse", AN_INT(tw_reuse), 0, 2 },
	{ "ipv4.tcp_ecn", AN_INT(ecn), 0, 2 },
	{ "ipv4.tcp_ecn_fallback", A_BOOL(ecn_fallback), 0, 1 },
	{ "ipv4.tcp_mem", A_TRIPLE(mem), 0, INT32_MAX },
	{ "ipv4.tcp_mtu_probing", AN_INT(mtu_probing), 0, 2 },
	{ "ipv4.tcp_base_mss", AN_INT(base_mss), 0, 65535 },
	{ "ipv4.tcp_mtu_probe_floor", AN_INT(mtu_probe_floor), 48, 65535 },
	{ "ipv4.tcp_probe_threshold", AN_INT(probe_threshold), 0, 65535 },
	{ "ipv4.tcp_probe_interval", AN_INT(probe_interval_s), 0, INT32_MAX },
	{ "ipv4.tcp_adv_win_scale", AN_INT(adv_win_scale), -31, 31 },
	{ "ipv4.tcp_slow_start_after_idle", A_BOOL(slow_start_after_idle), 0, 1 },
	{ "ipv4.tcp_moderate_rcvbuf", A_BOOL(moderate_rcvbuf), 0, 1 },
	{ "ipv4.tcp_rfc1337", A_BOOL(rfc1337), 0, 1 },
	{ "ipv4.tcp_abort_on_overflow", A_BOOL(abort_on_overflow), 0, 1 },
};

/* What cannot be otherwise here, or makes no difference to packets (any == true). */
static const struct {
	const char *name, *value;
	bool any;
} fixed[] = {
	{ "ipv4.tcp_fack", "0", false },
	{ "ipv4.tcp_tso_win_divisor", "3", true },
	{ "ipv4.tcp_min_tso_segs", "2", true },
	{ "ipv4.tcp_limit_output_bytes", "", true },
	{ "ipv4.tcp_pacing_ss_ratio", "200", false },
	{ "ipv4.tcp_pacing_ca_ratio", "120", false },
	{ "ipv4.tcp_notsent_lowat", "4294967295", false },
	{ "ipv4.tcp_no_metrics_save", "1", true },
	{ "ipv4.tcp_stdurg", "0", false },
	{ "mptcp.enabled", "0", true },
};

static int fail(int err, char *why, size_t size, const char *name, const char *what)
{
	snprintf(why, size, "sysctl net.%.60s: %s", name, what);
	return err;
}

/* One number behind white space; @text is moved behind it. */
static bool take_number(const char **text, long min, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(*text, &end, 0);
	if (errno || end == *text || *out < min || *out > max)
		return false;
	*text = end;
	return true;
}

static int set_field(struct net *net, size_t i, const char *value, char *why, size_t size)
{
	char *place = (char *)&net->tcp->sysctl + fields[i].offset;
	int n = fields[i].kind == TRIPLE ? 3 : 1, values[3], k;
	long v;

	for (k = 0; k < n; k++) {
		if (!take_number(&value, fields[i].min, fields[i].max, &v))
			return fail(-EINVAL, why, size, fields[i].name, "the value is out of range");
		values[k] = (int)v;
	}
	if (value[strspn(value, " \t\n")])
		return fail(-EINVAL, why, size, fields[i].name, "something follows the value");
	if (fields[i].kind == BOOL)
		*(bool *)place = values[0] != 0;
	else
		memcpy(place, values, (size_t)n * sizeof(int));
	return 0;
}

static int set_fixed(size_t i, const char *value, char *why, size_t size)
{
	char what[100];

	if (fixed[i].any || strcmp(fixed[i].value, value) == 0)
		return 0;
	snprintf(what, sizeof(what), "it is always %s in this stack", fixed[i].value);
	return fail(-ENOTSUP, why, size, fixed[i].name, what);
}

/* "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4": four words, as Linux writes them; a second key may follow. */
static int set_fastopen_key(struct net *net, const char *value, char *why, size_t size)
{
	uint8_t bytes[32];
	unsigned int w[4];
	size_t len = 0, i;
	int n = 0;

	while (len < sizeof(bytes) && *value &&
	       sscanf(value, "%8x-%8x-%8x-%8x%n", &w[0], &w[1], &w[2], &w[3], &n) == 4) {
		for (i = 0; i < 16; i++)
			bytes[len++] = (uint8_t)(w[i / 4] >> 8 * (i % 4));
		value += n + (value[n] == ',');
	}
	if (len && !*value && tcp_fastopen_set_keys(&net->tcp->fastopen_keys, bytes, (socklen_t)len) == 0)
		return 0;
	return fail(-EINVAL, why, size, "ipv4.tcp_fastopen_key", "not a key");
}

/* "net.ipv4.x" and "/proc/sys/net/ipv4/x" are "ipv4.x". False: neither. */
static bool normal_name(const char *name, char *buf, size_t size)
{
	char *p;

	if (strncmp(name, "/proc/sys/", 10) == 0)
		name += 10;
	if (strncmp(name, "net", 3) != 0 || (name[3] != '.' && name[3] != '/') || strlen(name) - 4 >= size)
		return false;
	snprintf(buf, size, "%s", name + 4);
	for (p = buf; *p; p++)
		if (*p == '/')
			*p = '.';
	return true;
}

/**
 * drill_sysctl_set() - changes a setting
 * @net:    namespace
 * @name:   as sysctl or /proc/sys has it
 * @value:  text
 * @why:    the reason of a failure
 * @size:   room there
 *
 * Return:  0; -ENOENT; -EINVAL; -ENOTSUP
 */
int drill_sysctl_set(struct net *net, const char *name, const char *value, char *why, size_t size)
{
	char key[80];
	size_t i;

	if (!normal_name(name, key, sizeof(key))) {
		snprintf(why, size, "sysctl %.60s is not one of the network", name);
		return -ENOENT;
	}
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].name, key) == 0)
			return set_field(net, i, value, why, size);
	if (strcmp(key, "ipv4.tcp_congestion_control") == 0) {
		if (tcp_set_default_congestion_control(net, value) == 0)
			return 0;
		return fail(-ENOTSUP, why, size, key, "no such algorithm");
	}
	if (strcmp(key, "ipv4.tcp_fastopen_key") == 0)
		return set_fastopen_key(net, value, why, size);
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strcmp(fixed[i].name, key) == 0)
			return set_fixed(i, value, why, size);
	return fail(-ENOENT, why, size, key, "not there");
}
