/* SPDX-License-Identifier: MIT */
/* The command: finds the verb. Each verb has a file; `host` is shim/host/main.c. */
#include <stdio.h>
#include <string.h>

#include "tools/wireshim.h"

/* Of the host's library, which is linked into the command. */
int wireshim_host_main(void);

static int show_help(void)
{
	printf("wireshim: runs unmodified programs over a TCP/IP stack of their own\n\n"
	       "  wireshim run [options] [--] PROGRAM [ARG...]   run PROGRAM over the stack of a host\n"
	       "  wireshim status [--host NAME | --dev IFACE --addr ADDR]\n"
	       "                                                 what running hosts do\n"
	       "  wireshim stop [--host NAME | --dev IFACE --addr ADDR]\n"
	       "                                                 end a host now, resetting what is open\n"
	       "  wireshim sysctl [--host NAME | --dev IFACE --addr ADDR] [NAME[=VALUE]...]\n"
	       "                                                 shows or changes settings of a host's stack\n"
	       "  wireshim lab [--out FOLDER] [--seed N] FILE    several hosts, links and programs\n"
	       "  wireshim run --lab FILE --as HOST [--after WHAT] [--out FOLDER] [--seed N] [--] PROGRAM\n"
	       "                                                 one program more in such a laboratory\n"
	       "  wireshim packetdrill [options] SCRIPT...       play packet-level scripts against the stack\n"
	       "  wireshim demo                                  show it, without set-up or root\n"
	       "  wireshim --help | --version\n\n"
	       "Options of run:\n");
	options_help();
	printf("\nPrograms with the same interface and address, or the same --host NAME, share one host,\n"
	       "which ends by itself when it is idle. Instead of 'wireshim run', a program may be started\n"
	       "with LD_PRELOAD=libwireshim.so and the settings in the environment.\n");
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = {
		{ "run", verb_run },       { "attach", verb_attach }, { "status", verb_status },
		{ "stop", verb_stop },     { "sysctl", verb_sysctl }, { "demo", verb_demo },
		{ "lab", verb_lab },       { "packetdrill", verb_packetdrill },
	};
	size_t i;

	if (argc < 2)
		return complain("what to do? 'wireshim run PROGRAM', 'wireshim demo', 'wireshim --help'");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return show_help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("wireshim %s\n", WIRESHIM_VERSION);
		return fflush(stdout) ? 1 : 0;
	}
	if (strcmp(argv[1], "host") == 0)
		return wireshim_host_main();
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	return complain("unknown %s '%.60s' ('wireshim --help' lists what there is)",
			argv[1][0] == '-' ? "option" : "command", argv[1]);
}
