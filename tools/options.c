/* SPDX-License-Identifier: MIT */
/* Options of the command line; each stands over the variable of the environment that means the same. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wireshim.h"

/* Options that are not the host's: getopt_long()'s values beside those of enum config_option. */
enum { OPTION_RULE = 256 + OPT_MAX, OPTION_RULES };

static const char *const arguments[OPT_MAX] = {
	[OPT_HOST] = "NAME", [OPT_DEV] = "IFACE", [OPT_ADDR] = "A.B.C.D/LEN", [OPT_GATEWAY] = "A.B.C.D",
	[OPT_DNS] = "A.B.C.D", [OPT_MAC] = "MAC", [OPT_MTU] = "BYTES", [OPT_HOSTNAME] = "NAME",
	[OPT_CAPTURE] = "FILE", [OPT_CAPTURE_FILTER] = "EXPR", [OPT_CAPTURE_SNAPLEN] = "BYTES",
	[OPT_LOOPBACK] = "kernel|stack", [OPT_LOG] = "LEVEL",
	[OPT_SYSCTL] = "NAME=VALUE", [OPT_IMPAIR] = "SPEC|@FILE", [OPT_SEED] = "N",
};

static const char *const meanings[OPT_MAX] = {
	[OPT_HOST] = "name of the host to join or start (default: made of --dev and --addr)",
	[OPT_DEV] = "interface that leads to the network; needs CAP_NET_RAW there",
	[OPT_ADDR] = "the host's address: free in that network, not one of the kernel's",
	[OPT_GATEWAY] = "router for everything else",
	[OPT_DNS] = "name server, or up to three with commas (default: /etc/resolv.conf)",
	[OPT_MAC] = "link address (default: one that stays the same for IFACE and ADDR)",
	[OPT_MTU] = "largest packet sent (default: the interface's)",
	[OPT_HOSTNAME] = "what gethostname() says",
	[OPT_CAPTURE] = "write all frames to FILE (.pcapng; a name ending in .pcap: classic format)",
	[OPT_CAPTURE_FILTER] = "only frames that match, as in tcpdump ('tcp port 80')",
	[OPT_CAPTURE_SNAPLEN] = "bytes kept of each frame (default: all)",
	[OPT_LOOPBACK] = "whose 127.0.0.0/8 the programs see (default: the kernel's)",
	[OPT_SYSCTL] = "a setting of the stack, under Linux's name (net.ipv4.tcp_ecn=1); may be repeated",
	[OPT_IMPAIR] = "make the link worse: 'delay 20ms loss 1%', see README.md; may be repeated",
	[OPT_SEED] = "of all that --impair leaves to chance (default: a random one)",
	[OPT_LOG] = "off, err, warn, info or debug, to standard error",
};

/** options_help() - the list for --help */
void options_help(void)
{
	char left[64];
	int i;

	for (i = 0; i < OPT_MAX; i++) {
		snprintf(left, sizeof(left), "--%s %s", config_name((enum config_option)i), arguments[i]);
		printf("  %-28s %s\n  %-28s (%s)\n", left, meanings[i], "",
		       config_env_name((enum config_option)i));
	}
	printf("  --rule 'VERDICT [CONDITION...]'  stack, kernel or refuse, for sockets with program=GLOB proto=NAME\n"
	       "  %-28s local=ADDR[/LEN][:PORT[-PORT]] remote=...; the first that matches counts\n"
	       "  --rules FILE                 one rule a line, # comments\n"
	       "  %-28s (WIRESHIM_RULES: the rules, one a line or separated by ';')\n", "", "");
}

/**
 * options_parse() - the environment, then the command line up to the first word that is no option
 * @cfg:   initialised by config_init()
 * @rules: of a verb that takes rules, else NULL
 * @first: index of that word; argc when there is none
 *
 * Return: 0, or EXIT_USAGE after one line
 */
int options_parse(int argc, char **argv, struct host_config *cfg, struct rules_text *rules, int *first)
{
	struct option longopts[OPT_MAX + 3];
	char err[CONFIG_ERR_SIZE];
	int i, c, ret = 0;

	memset(longopts, 0, sizeof(longopts));
	for (i = 0; i < OPT_MAX; i++)
		longopts[i] = (struct option){ config_name((enum config_option)i), required_argument, NULL, 256 + i };
	if (rules) {
		longopts[i++] = (struct option){ "rule", required_argument, NULL, OPTION_RULE };
		longopts[i] = (struct option){ "rules", required_argument, NULL, OPTION_RULES };
	}
	if (config_from_env(cfg, err))
		return complain("%s (from the environment)", err);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "+:", longopts, NULL)) != -1) {
		if (c == ':')
			return complain("%s needs a value", argv[optind - 1]);
		if (c == '?')
			return complain("unknown option '%.60s' ('wireshim --help' lists them)", argv[optind - 1]);
		if (c == OPTION_RULE || c == OPTION_RULES) {
			ret = c == OPTION_RULE ? rules_add(rules, optarg) : rules_add_file(rules, optarg);
			if (ret)
				return ret;
			continue;
		}
		if (config_set(cfg, (enum config_option)(c - 256), optarg, err))
			return complain("%s", err);
	}
	*first = optind;
	return 0;
}

/** options_export() - sets the variable of each option given, unsets the others; 0 or -ENOMEM */
int options_export(const struct host_config *cfg)
{
	int i;

	for (i = 0; i < OPT_MAX; i++) {
		const char *name = config_env_name((enum config_option)i);

		if (cfg->text[i] ? setenv(name, cfg->text[i], 1) : unsetenv(name))
			return -ENOMEM;
	}
	return 0;
}
