/* SPDX-License-Identifier: MIT */
/*
 * The settings of a host.
 *
 * Each option has one canonical text, made when it is set: two spellings of one address compare
 * equal, and a relative capture path means the same file in every directory. The command line hands
 * settings to the host and to bare preloading as environment variables; a program that joins a
 * running host hands it the texts and is told in which option they differ.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "netif/impair.h"
#include "netif/netif.h"
#include "shim/host/config.h"

struct option_def {
	const char *name, *env;
	/* Checks @value, fills fields, writes the canonical text to @out (PATH_MAX bytes;
	 * those of OPT_IMPAIR and OPT_SYSCTL CONFIG_TEXT_SIZE). */
	int (*parse)(struct host_config *cfg, const char *value, char *out, char *err);
};

static int bad(char *err, const char *option, const char *value, const char *why)
{
	snprintf(err, CONFIG_ERR_SIZE, "--%s: '%.100s' %s", option, value, why);
	return -EINVAL;
}

static int parse_host(struct host_config *cfg, const char *value, char *out, char *err)
{
	const char *p;

	(void)cfg;
	if (!*value || strlen(value) > 63)
		return bad(err, "host", value, "is not a name of 1 to 63 characters");
	for (p = value; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/')
			return bad(err, "host", value, "has characters other than printable ASCII without '/'");
	snprintf(out, PATH_MAX, "%s", value);
	return 0;
}

static int parse_dev(struct host_config *cfg, const char *value, char *out, char *err)
{
	const char *p;

	(void)cfg;
	if (!*value || strlen(value) >= IFNAMSIZ)
		return bad(err, "dev", value, "is not an interface name (1 to 15 characters)");
	for (p = value; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '/')
			return bad(err, "dev", value, "is not an interface name");
	snprintf(out, PATH_MAX, "%s", value);
	return 0;
}

static int parse_ipv4(const char *option, const char *value, struct in_addr *addr, char *err)
{
	uint32_t host;

	if (inet_pton(AF_INET, value, addr) != 1)
		return bad(err, option, value, "is not an IPv4 address (A.B.C.D)");
	host = ntohl(addr->s_addr);
	if (host == 0 || host == UINT32_MAX || host >> 28 >= 14)
		return bad(err, option, value, "is not the address of one host");
	return 0;
}

/* A.B.C.D/LEN; refuses what no host on a network can have (RFC 1122 3.2.1.3). */
static int parse_addr(struct host_config *cfg, const char *value, char *out, char *err)
{
	char ip[INET_ADDRSTRLEN];
	const char *slash = strchr(value, '/');
	uint32_t host, mask;
	char *end;
	long len;
	int ret;

	if (!slash)
		return bad(err, "addr", value, "has no prefix length: write A.B.C.D/LEN, as in 192.0.2.5/24");
	if (slash - value >= INET_ADDRSTRLEN)
		return bad(err, "addr", value, "is not an IPv4 address with a prefix length");
	snprintf(ip, sizeof(ip), "%.*s", (int)(slash - value), value);
	ret = parse_ipv4("addr", ip, &cfg->addr, err);
	if (ret)
		return ret;
	len = strtol(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || len < 1 || len > 32)
		return bad(err, "addr", value, "has a prefix length outside of 1 to 32");
	cfg->prefix_len = (uint8_t)len;
	host = ntohl(cfg->addr.s_addr);
	mask = len == 32 ? 0 : UINT32_MAX >> len;
	if (host >> 24 == 127)
		return bad(err, "addr", value, "is a loopback address: every host has 127.0.0.1 anyway");
	if (len < 31 && ((host & mask) == 0 || (host & mask) == mask))
		return bad(err, "addr", value, "is the network's own or its broadcast address");
	inet_ntop(AF_INET, &cfg->addr, ip, sizeof(ip));
	snprintf(out, PATH_MAX, "%s/%ld", ip, len);
	return 0;
}

static int parse_gateway(struct host_config *cfg, const char *value, char *out, char *err)
{
	int ret = parse_ipv4("gateway", value, &cfg->gateway, err);

	if (ret == 0)
		inet_ntop(AF_INET, &cfg->gateway, out, INET_ADDRSTRLEN);
	return ret;
}

/* One server, or up to CONFIG_DNS_MAX separated by commas. */
static int parse_dns(struct host_config *cfg, const char *value, char *out, char *err)
{
	char copy[128], *save = NULL, *item;
	size_t used = 0;

	if (strlen(value) >= sizeof(copy))
		return bad(err, "dns", value, "is too long");
	snprintf(copy, sizeof(copy), "%s", value);
	cfg->dns_count = 0;
	for (item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		int ret;

		if (cfg->dns_count == CONFIG_DNS_MAX)
			return bad(err, "dns", value, "names more than 3 servers");
		ret = parse_ipv4("dns", item, &cfg->dns[cfg->dns_count++], err);
		if (ret)
			return ret;
		used += (size_t)snprintf(out + used, PATH_MAX - used, "%s%s", used ? "," : "", item);
	}
	if (cfg->dns_count == 0)
		return bad(err, "dns", value, "is not an IPv4 address (A.B.C.D)");
	return 0;
}

static int parse_mac(struct host_config *cfg, const char *value, char *out, char *err)
{
	unsigned int b[6];
	int used = 0, i;

	if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &used) != 6 || value[used])
		return bad(err, "mac", value, "is not a link address (aa:bb:cc:dd:ee:ff)");
	for (i = 0; i < 6; i++)
		cfg->mac[i] = (uint8_t)b[i];
	if (b[0] & 1)
		return bad(err, "mac", value, "is a group address; the lowest bit of the first byte must be 0");
	if (!(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
		return bad(err, "mac", value, "is the zero address");
	snprintf(out, PATH_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return 0;
}

/* RFC 791: every host must take 576; 68 is the least that IP runs on. */
static int parse_mtu(struct host_config *cfg, const char *value, char *out, char *err)
{
	char *end;
	long mtu = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || mtu < 68 || mtu > 65535)
		return bad(err, "mtu", value, "is not a number of bytes from 68 to 65535");
	cfg->mtu = (uint32_t)mtu;
	snprintf(out, PATH_MAX, "%ld", mtu);
	return 0;
}

static int parse_hostname(struct host_config *cfg, const char *value, char *out, char *err)
{
	size_t len = strlen(value);

	(void)cfg;
	if (len == 0 || len > 63 ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != len)
		return bad(err, "hostname", value, "is not a host name (1 to 63 letters, digits, '-', '.')");
	snprintf(out, PATH_MAX, "%s", value);
	return 0;
}

static int parse_capture(struct host_config *cfg, const char *value, char *out, char *err)
{
	char cwd[PATH_MAX];
	int len;

	(void)cfg;
	if (!*value)
		return bad(err, "capture", value, "is not a file name");
	if (value[0] == '/')
		len = snprintf(out, PATH_MAX, "%s", value);
	else if (getcwd(cwd, sizeof(cwd)))
		len = snprintf(out, PATH_MAX, "%s/%s", cwd, value);
	else
		return bad(err, "capture", value, "is relative to a directory that does not exist any more");
	if (len >= PATH_MAX)
		return bad(err, "capture", value, "is too long");
	return 0;
}

static int parse_capture_filter(struct host_config *cfg, const char *value, char *out, char *err)
{
	char why[256];
	int ret;

	(void)cfg;
	if (strlen(value) >= PATH_MAX)
		return bad(err, "capture-filter", value, "is too long");
	ret = capture_check_filter(value, why, sizeof(why));
	if (ret) {
		snprintf(err, CONFIG_ERR_SIZE, "--capture-filter: '%.100s': %s", value, why);
		return -EINVAL;
	}
	snprintf(out, PATH_MAX, "%s", value);
	return 0;
}

static int parse_snaplen(struct host_config *cfg, const char *value, char *out, char *err)
{
	char *end;
	long len = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || len < 14 || len > 262144)
		return bad(err, "capture-snaplen", value, "is not a number of bytes from 14 to 262144");
	cfg->snaplen = (uint32_t)len;
	snprintf(out, PATH_MAX, "%ld", len);
	return 0;
}

static int parse_loopback(struct host_config *cfg, const char *value, char *out, char *err)
{
	if (strcmp(value, "stack") != 0 && strcmp(value, "kernel") != 0)
		return bad(err, "loopback", value, "is neither 'kernel' nor 'stack'");
	cfg->loopback_stack = strcmp(value, "stack") == 0;
	snprintf(out, PATH_MAX, "%s", value);
	return 0;
}

static int parse_seed(struct host_config *cfg, const char *value, char *out, char *err)
{
	char *end;

	errno = 0;
	cfg->seed = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno)
		return bad(err, "seed", value, "is not a number from 0 to 18446744073709551615");
	snprintf(out, PATH_MAX, "%llu", (unsigned long long)cfg->seed);
	return 0;
}

static int parse_log(struct host_config *cfg, const char *value, char *out, char *err)
{
	static const char *const levels[] = { "off", "err", "warn", "info", "debug" };
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(levels); i++) {
		if (strcasecmp(value, levels[i]) == 0) {
			cfg->log = i;
			snprintf(out, PATH_MAX, "%s", levels[i]);
			return 0;
		}
	}
	return bad(err, "log", value, "is not one of off, err, warn, info, debug");
}

static const struct option_def options[OPT_MAX] = {
	[OPT_HOST] = { "host", "WIRESHIM_HOST_NAME", parse_host },
	[OPT_DEV] = { "dev", "WIRESHIM_DEV", parse_dev },
	[OPT_ADDR] = { "addr", "WIRESHIM_ADDR", parse_addr },
	[OPT_GATEWAY] = { "gateway", "WIRESHIM_GATEWAY", parse_gateway },
	[OPT_DNS] = { "dns", "WIRESHIM_DNS", parse_dns },
	[OPT_MAC] = { "mac", "WIRESHIM_MAC", parse_mac },
	[OPT_MTU] = { "mtu", "WIRESHIM_MTU", parse_mtu },
	[OPT_HOSTNAME] = { "hostname", "WIRESHIM_HOSTNAME", parse_hostname },
	[OPT_CAPTURE] = { "capture", "WIRESHIM_CAPTURE", parse_capture },
	[OPT_CAPTURE_FILTER] = { "capture-filter", "WIRESHIM_CAPTURE_FILTER", parse_capture_filter },
	[OPT_CAPTURE_SNAPLEN] = { "capture-snaplen", "WIRESHIM_CAPTURE_SNAPLEN", parse_snaplen },
	[OPT_LOOPBACK] = { "loopback", "WIRESHIM_LOOPBACK", parse_loopback },
	[OPT_SYSCTL] = { "sysctl", "WIRESHIM_SYSCTL", config_set_sysctl },
	[OPT_IMPAIR] = { "impair", "WIRESHIM_IMPAIR", config_set_impair },
	[OPT_SEED] = { "seed", "WIRESHIM_SEED", parse_seed },
	[OPT_LOG] = { "log", "WIRESHIM_LOG", parse_log },
};

/** config_name() - the option's name without dashes */
const char *config_name(enum config_option opt)
{
	return options[opt].name;
}

/** config_env_name() - the variable that stands for the option */
const char *config_env_name(enum config_option opt)
{
	return options[opt].env;
}

/** config_init() - nothing given */
void config_init(struct host_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
}

/** config_free() - frees the texts */
void config_free(struct host_config *cfg)
{
	int i;

	for (i = 0; i < OPT_MAX; i++)
		free(cfg->text[i]);
	impair_plan_free(cfg->plan);
	config_init(cfg);
}

/**
 * config_set() - checks one option and takes it
 * @value: as the user wrote it
 * @err:   CONFIG_ERR_SIZE bytes for one line that says what is wrong
 *
 * Return: 0, -EINVAL, -ENOMEM
 */
int config_set(struct host_config *cfg, enum config_option opt, const char *value, char *err)
{
	char out[MAX(PATH_MAX, CONFIG_TEXT_SIZE)] = "", *copy;
	int ret;

	if (opt != OPT_SYSCTL && strchr(value, '\n'))
		return bad(err, options[opt].name, "...", "has a line break in it");
	ret = options[opt].parse(cfg, value, out, err);
	if (ret)
		return ret;
	copy = strdup(out);
	if (!copy) {
		snprintf(err, CONFIG_ERR_SIZE, "out of memory");
		return -ENOMEM;
	}
	free(cfg->text[opt]);
	cfg->text[opt] = copy;
	return 0;
}

/** config_from_env() - takes every option that has a variable; an empty one counts as unset */
int config_from_env(struct host_config *cfg, char *err)
{
	int i;

	for (i = 0; i < OPT_MAX; i++) {
		const char *value = getenv(options[i].env);
		int ret = value && *value ? config_set(cfg, (enum config_option)i, value, err) : 0;

		if (ret)
			return ret;
	}
	cfg->impair_from_env = true;
	cfg->sysctl_from_env = true;
	return 0;
}

/** config_check() - whether a host can be made of @cfg; Return: 0 or -EINVAL */
int config_check(const struct host_config *cfg, char *err)
{
	const char *why = NULL;

	if (cfg->text[OPT_DEV] && !cfg->text[OPT_ADDR])
		why = "--dev needs --addr A.B.C.D/LEN: a free address of the network there";
	else if (cfg->text[OPT_ADDR] && !cfg->text[OPT_DEV])
		why = "--addr needs --dev IFACE: the interface that leads to its network";
	else if (!cfg->text[OPT_DEV] && !cfg->loopback_stack)
		why = "no network: give --dev IFACE and --addr A.B.C.D/LEN (or --loopback stack for a host "
		      "that is only its own loopback)";
	else if (!cfg->text[OPT_DEV] && !cfg->text[OPT_HOST])
		why = "a host without a device needs a name: --host NAME";
	else if (!cfg->text[OPT_DEV] && (cfg->text[OPT_GATEWAY] || cfg->text[OPT_MAC] || cfg->text[OPT_MTU]))
		why = "--gateway, --mac and --mtu need --dev IFACE";
	else if ((cfg->text[OPT_CAPTURE_FILTER] || cfg->text[OPT_CAPTURE_SNAPLEN]) && !cfg->text[OPT_CAPTURE])
		why = "--capture-filter and --capture-snaplen need --capture FILE.pcapng";
	if (why)
		snprintf(err, CONFIG_ERR_SIZE, "%s", why);
	return why ? -EINVAL : config_check_impair(cfg, err);
}

/** config_key() - the name under which the host of @cfg is found, see shim/protocol.h */
void config_key(const struct host_config *cfg, char key[CONFIG_KEY_SIZE])
{
	char ip[INET_ADDRSTRLEN];

	if (cfg->text[OPT_HOST]) {
		snprintf(key, CONFIG_KEY_SIZE, "n/%s", cfg->text[OPT_HOST]);
		return;
	}
	inet_ntop(AF_INET, &cfg->addr, ip, sizeof(ip));
	snprintf(key, CONFIG_KEY_SIZE, "d/%s/%s", cfg->text[OPT_DEV] ? cfg->text[OPT_DEV] : "lo", ip);
}

/** config_print() - the options given, one "name=value" a line; Return: malloc'd text or NULL */
char *config_print(const struct host_config *cfg)
{
	size_t size = 1, used = 0;
	char *text;
	int i;

	for (i = 0; i < OPT_MAX; i++)
		if (cfg->text[i])
			size += strlen(options[i].name) + strlen(cfg->text[i]) + 2;
	text = malloc(size);
	if (!text)
		return NULL;
	text[0] = 0;
	for (i = 0; i < OPT_MAX; i++)
		if (cfg->text[i])
			used += (size_t)snprintf(text + used, size - used, "%s=%s\n", options[i].name,
						 cfg->text[i]);
	return text;
}

/* One "name=value" against the running host. */
static int compare_line(const struct host_config *running, struct net *net, const char *line, char *err)
{
	const char *eq = strchr(line, '=');
	int i;

	for (i = 0; eq && i < OPT_MAX; i++) {
		const char *now = running->text[i];

		if (strlen(options[i].name) != (size_t)(eq - line) ||
		    strncmp(options[i].name, line, (size_t)(eq - line)) != 0)
			continue;
		if (i == OPT_SYSCTL)
			return config_compare_sysctl(net, eq + 1, err);
		if (now ? strcmp(now, eq + 1) == 0 : i == OPT_LOOPBACK && strcmp(eq + 1, "kernel") == 0)
			return 0;
		if (now)
			snprintf(err, CONFIG_ERR_SIZE, "the running host has --%s %.150s, not %.150s: end it "
				 "first ('wireshim stop') or drop the option", options[i].name, now, eq + 1);
		else
			snprintf(err, CONFIG_ERR_SIZE, "the running host was started without --%s: end it "
				 "first ('wireshim stop') or drop the option", options[i].name);
		return -EEXIST;
	}
	snprintf(err, CONFIG_ERR_SIZE, "the running host does not know the option '%.60s': it is of "
		 "another version, end it first ('wireshim stop')", line);
	return -EEXIST;
}

/**
 * config_compare() - may a program that was given @text join @running?
 * @net:  its stack
 * @text: of config_print()
 *
 * Return: 0; -EEXIST with the reason in @err; -ENOMEM
 */
int config_compare(const struct host_config *running, struct net *net, const char *text, char *err)
{
	char *copy = strdup(text), *save = NULL, *line;
	int ret = copy ? 0 : -ENOMEM;

	for (line = copy ? strtok_r(copy, "\n", &save) : NULL; line && ret == 0;
	     line = strtok_r(NULL, "\n", &save))
		ret = compare_line(running, net, line, err);
	free(copy);
	return ret;
}
