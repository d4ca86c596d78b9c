/* SPDX-License-Identifier: MIT */
/*
 * TCP's settings: their defaults, and their names under net.ipv4.
 *
 * Names, units, ranges and defaults are Linux's; what Linux documents as a choice takes the documented
 * values only. A setting is looked at when it is needed: what a connection took from it at its start
 * (options, buffers, congestion control) stays, as on Linux.
 *
 * Read first: Linux's Documentation/networking/ip-sysctl.
 */
#include "stack/tcp/tcp.h"

static const struct tcp_sysctls defaults = {
	.rmem = { 4096, 131072, 6291456 },
	.wmem = { 4096, 16384, 4194304 },
	.mem = { 47232, 62976, 94464 }, /* as Linux with 4 GB */
	.adv_win_scale = 1,
	.base_mss = 1024,
	.mtu_probe_floor = 48,
	.probe_threshold = 8,
	.probe_interval_s = 600,
	.tw_reuse = 2,
	.syn_retries = 6,
	.synack_retries = 5,
	.retries1 = 3,
	.retries2 = 15,
	.orphan_retries = 0,
	.fin_timeout_s = 60,
	.keepalive_time_s = 7200,
	.keepalive_intvl_s = 75,
	.keepalive_probes = 9,
	.max_syn_backlog = 1024,
	.syncookies = 1,
	.fastopen = TFO_CLIENT_ENABLE,
	.max_tw_buckets = 65536,
	.max_orphans = 16384,
	.challenge_ack_limit = INT32_MAX,
	.invalid_ratelimit_ms = 500,
	.recovery = TCP_RACK_LOSS_DETECTION,
	.early_retrans = 3,
	.frto = 2,
	.reordering = 3,
	.max_reordering = 300,
	.min_rtt_wlen_s = 300,
	.pacing_ss_ratio = 200,
	.pacing_ca_ratio = 120,
	.min_tso_segs = 2,
	.tso_rtt_log = 9,
	.notsent_lowat = UINT32_MAX,
	.rto_min_us = TCP_RTO_MIN_US,
	.ecn = 2,
	.ecn_fallback = true,
	.timestamps = 1,
	.sack = true,
	.dsack = true,
	.window_scaling = true,
	.slow_start_after_idle = true,
	.moderate_rcvbuf = true,
};

/* ---- values that are words ------------------------------------------------------------------- */

static void show_congestion_control(struct net *net, void *data, char *buf, size_t size)
{
	(void)data;
	snprintf(buf, size, "%s", tcp_get_default_congestion_control(net));
}

static int store_congestion_control(struct net *net, void *data, const char *value)
{
	(void)data;
	return tcp_set_default_congestion_control(net, value);
}

static void show_available(struct net *net, void *data, char *buf, size_t size)
{
	(void)data;
	tcp_get_available_congestion_control(net, buf, size);
}

static void show_allowed(struct net *net, void *data, char *buf, size_t size)
{
	(void)data;
	tcp_get_allowed_congestion_control(net, buf, size);
}

static int store_allowed(struct net *net, void *data, const char *value)
{
	(void)data;
	return tcp_set_allowed_congestion_control(net, value);
}

/* "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4": four little-endian words; a backup key may follow a comma. */
static void show_fastopen_key(struct net *net, void *data, char *buf, size_t size)
{
	const struct tcp_fastopen_keys *keys = data;
	size_t used = 0;

	(void)net;
	for (unsigned int i = 0; i < keys->count && used < size; i++) {
		uint32_t w[4];

		memcpy(w, keys->key[i], sizeof(w));
		used += (size_t)snprintf(buf + used, size - used, "%s%08x-%08x-%08x-%08x", i ? "," : "",
					 le32toh(w[0]), le32toh(w[1]), le32toh(w[2]), le32toh(w[3]));
	}
}

/* One word of a key at *@p, which moves behind it: one to eight hexadecimal digits. */
static bool take_key_word(const char **p, uint32_t *w)
{
	size_t n = strspn(*p, "0123456789abcdefABCDEF");

	if (n == 0 || n > 8)
		return false;
	*w = htole32((uint32_t)strtoul(*p, NULL, 16));
	*p += n;
	return true;
}

static int store_fastopen_key(struct net *net, void *data, const char *value)
{
	uint32_t w[2][4];
	unsigned int n, i;

	(void)net;
	for (n = 0; n < ARRAY_SIZE(w); n++) {
		for (i = 0; i < ARRAY_SIZE(w[0]); i++) {
			if (!take_key_word(&value, &w[n][i]) || (i < 3 && *value++ != '-'))
				return -EINVAL;
		}
		if (*value != ',' || n == 1)
			break;
		value++;
	}
	if (value[strspn(value, " \t")])
		return -EINVAL;
	return tcp_fastopen_set_keys(data, w, (socklen_t)((n + 1) * sizeof(w[0])));
}

/* ---- the table ------------------------------------------------------------------------------- */

#define AN_INT(name, field, lo, hi) { CTL_AN_INT("tcp_" name, struct netns_tcp, sysctl.field, lo, hi) }
#define A_TRIPLE(name, field, lo) { CTL_INTS("tcp_" name, struct netns_tcp, sysctl.field, 3, lo, INT32_MAX) }
#define A_BOOL(name, field) { CTL_A_BOOL("tcp_" name, struct netns_tcp, sysctl.field) }

static const struct ctl_table table[] = {
	/* what is agreed on with the peer */
	AN_INT("timestamps", timestamps, 0, 2),
	A_BOOL("sack", sack),
	A_BOOL("dsack", dsack),
	A_BOOL("window_scaling", window_scaling),
	AN_INT("ecn", ecn, 0, 2),
	A_BOOL("ecn_fallback", ecn_fallback),
	AN_INT("fastopen", fastopen, 0, INT32_MAX),
	AN_INT("fastopen_blackhole_timeout_sec", fastopen_blackhole_timeout_s, 0, INT32_MAX),
	{ .procname = "tcp_fastopen_key", .offset = offsetof(struct netns_tcp, fastopen_keys), .kind = CTL_TEXT,
	  .mode = 0600, .show = show_fastopen_key, .store = store_fastopen_key },
	/* how often and how long */
	AN_INT("syn_retries", syn_retries, 1, 127),
	AN_INT("synack_retries", synack_retries, 0, 255),
	AN_INT("retries1", retries1, 0, 255),
	AN_INT("retries2", retries2, 0, 255),
	AN_INT("orphan_retries", orphan_retries, 0, 255),
	AN_INT("rto_min_us", rto_min_us, 1, INT32_MAX),
	A_BOOL("thin_linear_timeouts", thin_linear_timeouts),
	AN_INT("fin_timeout", fin_timeout_s, 0, INT32_MAX / 1000),
	AN_INT("keepalive_time", keepalive_time_s, 0, INT32_MAX / 1000),
	AN_INT("keepalive_intvl", keepalive_intvl_s, 0, INT32_MAX / 1000),
	AN_INT("keepalive_probes", keepalive_probes, 0, 255),
	/* memory, and how many there may be */
	A_TRIPLE("rmem", rmem, 1),
	A_TRIPLE("wmem", wmem, 1),
	A_TRIPLE("mem", mem, 0),
	AN_INT("adv_win_scale", adv_win_scale, -31, 31),
	A_BOOL("moderate_rcvbuf", moderate_rcvbuf),
	AN_INT("max_syn_backlog", max_syn_backlog, 0, INT32_MAX),
	AN_INT("max_tw_buckets", max_tw_buckets, 0, INT32_MAX),
	AN_INT("max_orphans", max_orphans, 0, INT32_MAX),
	AN_INT("tw_reuse", tw_reuse, 0, 2),
	A_BOOL("rfc1337", rfc1337),
	A_BOOL("stdurg", stdurg),
	A_BOOL("abort_on_overflow", abort_on_overflow),
	AN_INT("syncookies", syncookies, 0, 2),
	AN_INT("challenge_ack_limit", challenge_ack_limit, 0, INT32_MAX),
	AN_INT("invalid_ratelimit", invalid_ratelimit_ms, 0, INT32_MAX),
	/* loss and congestion */
	AN_INT("recovery", recovery, 0, 7),
	AN_INT("early_retrans", early_retrans, 0, 4),
	AN_INT("frto", frto, 0, 2),
	AN_INT("reordering", reordering, 1, INT32_MAX),
	AN_INT("max_reordering", max_reordering, 1, INT32_MAX),
	AN_INT("min_rtt_wlen", min_rtt_wlen_s, 0, 86400),
	A_BOOL("slow_start_after_idle", slow_start_after_idle),
	AN_INT("pacing_ss_ratio", pacing_ss_ratio, 0, 1000),
	AN_INT("pacing_ca_ratio", pacing_ca_ratio, 0, 1000),
	AN_INT("min_tso_segs", min_tso_segs, 1, 255),
	AN_INT("tso_rtt_log", tso_rtt_log, 0, 255),
	{ CTL_A_U32("tcp_notsent_lowat", struct netns_tcp, sysctl.notsent_lowat, 0, UINT32_MAX) },
	{ .procname = "tcp_congestion_control", .kind = CTL_TEXT, .mode = 0644,
	  .show = show_congestion_control, .store = store_congestion_control },
	{ .procname = "tcp_available_congestion_control", .kind = CTL_TEXT, .mode = 0444,
	  .show = show_available },
	{ .procname = "tcp_allowed_congestion_control", .kind = CTL_TEXT, .mode = 0644,
	  .show = show_allowed, .store = store_allowed },
	/* the path's MTU */
	AN_INT("mtu_probing", mtu_probing, 0, 2),
	AN_INT("base_mss", base_mss, 0, INT32_MAX),
	AN_INT("mtu_probe_floor", mtu_probe_floor, 48, 65535),
	AN_INT("probe_threshold", probe_threshold, 0, INT32_MAX),
	AN_INT("probe_interval", probe_interval_s, 0, INT32_MAX),
};

/**
 * tcp_sysctl_init() - a namespace begins: defaults and names
 * @net:  namespace, net->tcp is there
 */
void tcp_sysctl_init(struct net *net)
{
	net->tcp->sysctl = defaults;
	register_net_sysctl(net, &net->tcp->sysctls, "net/ipv4", table, ARRAY_SIZE(table), net->tcp);
}

/**
 * tcp_sysctl_exit() - the names are gone
 * @net:  namespace, net->tcp is there
 */
void tcp_sysctl_exit(struct net *net)
{
	unregister_net_sysctl_table(&net->tcp->sysctls);
}
