/* SPDX-License-Identifier: MIT */
/* wireshim status, wireshim stop: looks at hosts that run, ends one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wireshim.h"

struct hosts {
	char key[CONFIG_KEY_SIZE]; /* the last one */
	unsigned int count;
	bool print;
	bool failed;
};

static int report(const char *key)
{
	char *text = malloc(CTL_DATA_MAX + 1);
	struct client c;
	int ret = text ? client_dial(&c, key) : -ENOMEM;

	if (ret == 0) {
		ret = client_call(&c, CTL_STATS, NULL, 0, text, CTL_DATA_MAX + 1, NULL);
		client_close(&c);
	}
	if (ret == 0)
		fputs(text, stdout);
	free(text);
	return ret;
}

static int see_host(const char *key, void *arg)
{
	struct hosts *hosts = arg;
	int ret = 0;

	hosts->count++;
	snprintf(hosts->key, sizeof(hosts->key), "%s", key);
	if (hosts->print)
		ret = report(key);
	if (ret == -EACCES)
		printf("host %s: belongs to another user\n", key);
	else if (ret && ret != -ECONNREFUSED && ret != -EAGAIN)
		hosts->failed = true;
	return 0;
}

/* The host that the options name; 1: they name none. *first = index of what follows the options. */
static int chosen(int argc, char **argv, char key[CONFIG_KEY_SIZE], int *first)
{
	const char *inherited = getenv("WIRESHIM_SOCKET");
	struct host_config cfg;
	int ret;

	config_init(&cfg);
	ret = options_parse(argc, argv, &cfg, NULL, first);
	if (ret == 0 && !cfg.text[OPT_HOST] && !(cfg.text[OPT_DEV] && cfg.text[OPT_ADDR])) {
		if (inherited && strncmp(inherited, "wireshim/", 9) == 0)
			snprintf(key, CONFIG_KEY_SIZE, "%s", inherited + 9);
		else
			ret = 1;
	} else if (ret == 0) {
		config_key(&cfg, key);
	}
	config_free(&cfg);
	return ret;
}

/** host_explain() - one line on why a host could not be asked; the exit status */
int host_explain(const char *key, int ret)
{
	if (ret == -ECONNREFUSED || ret == -EAGAIN)
		return complain("no host %s runs in this network namespace", key);
	if (ret == -EACCES || ret == -EPERM)
		return complain("host %s belongs to another user", key);
	return complain("host %s: %s", key, strerror(-ret));
}

static int no_arguments(const char *verb)
{
	return complain("%s takes no arguments but options", verb);
}

/** verb_status() - wireshim status [--host NAME | --dev IFACE --addr ADDR]: without options, of all hosts */
int verb_status(int argc, char **argv)
{
	struct hosts hosts = { .print = true };
	char key[CONFIG_KEY_SIZE];
	int first = argc, ret = chosen(argc, argv, key, &first);

	if (first < argc)
		return no_arguments(argv[0]);
	if (ret == 0) {
		ret = report(key);
		return ret ? host_explain(key, ret) : 0;
	}
	if (ret != 1)
		return ret;
	ret = client_each(see_host, &hosts);
	if (ret)
		return ret;
	if (!hosts.count)
		printf("no host runs in this network namespace\n");
	return hosts.failed;
}

/**
 * host_connect() - a connection to the host that the options name; without any, to the only one
 * @argc:  as the verb has it
 * @first: index of what follows the options
 *
 * Return: 0; an exit status after one line
 */
int host_connect(int argc, char **argv, struct client *c, int *first)
{
	struct hosts hosts = { .print = false };
	char key[CONFIG_KEY_SIZE];
	int ret = chosen(argc, argv, key, first);

	if (ret == 1) {
		ret = client_each(see_host, &hosts);
		if (ret)
			return ret;
		if (hosts.count != 1)
			return complain(hosts.count ? "several hosts run: say which, with --host or --dev and --addr"
						    : "no host runs in this network namespace");
		snprintf(key, sizeof(key), "%s", hosts.key);
	} else if (ret) {
		return ret;
	}
	ret = client_dial(c, key);
	return ret ? host_explain(key, ret) : 0;
}

/** verb_stop() - wireshim stop [--host NAME | --dev IFACE --addr ADDR]: without options, the only host */
int verb_stop(int argc, char **argv)
{
	char reply[64];
	struct client c;
	int first = argc, ret = host_connect(argc, argv, &c, &first);

	if (ret)
		return ret;
	if (first < argc) {
		client_close(&c);
		return no_arguments(argv[0]);
	}
	ret = client_call(&c, CTL_STOP, NULL, 0, reply, sizeof(reply), NULL);
	/* It has ended when it lets go of the connection. */
	if (ret == 0)
		(void)client_call(&c, CTL_STATS, NULL, 0, NULL, 0, NULL);
	client_close(&c);
	return ret ? host_explain(c.key, ret) : 0;
}
