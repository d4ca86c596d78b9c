/* SPDX-License-Identifier: MIT */
/* wireshim sysctl: shows and changes settings of a running host's stack, as sysctl(8) does the kernel's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wireshim.h"

/* One setting, a folder of them, or a change; 0 or an exit status after one line. */
static int ask(struct client *c, const char *text)
{
	char *answer = malloc(CTL_DATA_MAX + 1);
	int ret;

	if (!answer)
		return complain("out of memory");
	if (strlen(text) > CTL_DATA_MAX) {
		free(answer);
		return complain("sysctl: '%.60s...' is too long", text);
	}
	answer[0] = 0;
	ret = client_call(c, CTL_SYSCTL, text, strlen(text), answer, CTL_DATA_MAX + 1, NULL);
	if (ret && answer[0])
		ret = complain("%s", answer);
	else if (ret)
		ret = host_explain(c->key, ret);
	else
		fputs(answer, stdout);
	free(answer);
	return ret;
}

/**
 * verb_sysctl() - wireshim sysctl [--host NAME | --dev IFACE --addr ADDR] [NAME[=VALUE]...]
 *
 * Without names all settings; a name may be a folder's. All that is asked for is done; what cannot be is
 * told in a line each.
 *
 * Return: the exit status
 */
int verb_sysctl(int argc, char **argv)
{
	struct client c;
	int first = argc, i, ret = host_connect(argc, argv, &c, &first), one;

	if (ret)
		return ret;
	if (first == argc)
		ret = ask(&c, "");
	for (i = first; i < argc; i++) {
		one = ask(&c, argv[i]);
		ret = one ? one : ret;
	}
	client_close(&c);
	return fflush(stdout) && !ret ? 1 : ret;
}
