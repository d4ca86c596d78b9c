/* SPDX-License-Identifier: MIT */
/* The settings of a host: from the environment, from the command line, and against a running host. */
#ifndef SHIM_HOST_CONFIG_H
#define SHIM_HOST_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_option {
	OPT_HOST, OPT_DEV, OPT_ADDR, OPT_GATEWAY, OPT_DNS, OPT_MAC, OPT_MTU, OPT_HOSTNAME,
	OPT_CAPTURE, OPT_CAPTURE_FILTER, OPT_CAPTURE_SNAPLEN, OPT_LOOPBACK, OPT_SYSCTL, OPT_IMPAIR, OPT_SEED, OPT_LOG, OPT_MAX
};

enum { CONFIG_DNS_MAX = 3, CONFIG_KEY_SIZE = 80, CONFIG_ERR_SIZE = 512,
       CONFIG_TEXT_SIZE = 16000 };

struct impair_plan;
struct net;

struct host_config {
	char *text[OPT_MAX];       /* canonical value; NULL = not given */
	struct in_addr addr;       /* big endian; 0 = not given */
	uint8_t prefix_len;
	struct in_addr gateway;    /* 0 = none */
	struct in_addr dns[CONFIG_DNS_MAX];
	unsigned int dns_count;
	uint8_t mac[6];
	uint32_t mtu;              /* 0 = the interface's */
	uint32_t snaplen;          /* bytes kept of a frame; 0 = all */
	bool loopback_stack;
	struct impair_plan *plan;  /* of --impair; NULL = none */
	bool impair_from_env;      /* it is the environment's: the command line's replaces it */
	bool sysctl_from_env;      /* the same for --sysctl */
	uint64_t seed;             /* of --seed */
	int log;                   /* enum log_level */
};

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "dev", "capture-filter" ... as on the command line, and "WIRESHIM_DEV" ... in the environment. */
const char *config_name(enum config_option opt);
const char *config_env_name(enum config_option opt);

void config_init(struct host_config *cfg);
void config_free(struct host_config *cfg);
/* -EINVAL with one line in @err (CONFIG_ERR_SIZE), or -ENOMEM. */
int config_set(struct host_config *cfg, enum config_option opt, const char *value, char *err);
int config_from_env(struct host_config *cfg, char *err);
/* What a host needs to come up; -EINVAL with one line. */
int config_check(const struct host_config *cfg, char *err);
/* config_impair.c: the parts of the above that are about --impair. */
int config_set_impair(struct host_config *cfg, const char *value, char *out, char *err);
int config_check_impair(const struct host_config *cfg, char *err);
/* "n/NAME" or "d/IFACE/A.B.C.D". */
void config_key(const struct host_config *cfg, char key[CONFIG_KEY_SIZE]);
/* The options given, "name=value\n" each; malloc'd, NULL when out of memory. */
char *config_print(const struct host_config *cfg);
/* -EEXIST and a reason when @text asks for what @running, whose stack is @net, is not. */
int config_compare(const struct host_config *running, struct net *net, const char *text, char *err);
/* config_sysctl.c: what is about --sysctl. */
int config_set_sysctl(struct host_config *cfg, const char *value, char *out, char *err);
int config_apply_sysctl(const struct host_config *cfg, struct net *net, char *err);
int config_compare_sysctl(struct net *net, const char *asked, char *err);

#endif
