/* SPDX-License-Identifier: MIT */
/*
 * wireshim run: becomes the program, with the library preloaded and a host ready.
 *
 * Everything that can be wrong is looked at before the host is started; after that nothing can fail
 * but exec itself. The program is this process: same process id, exit status and signals. The host
 * keeps an eye on it (CTL_CONFIG) and stays for as long as it lives.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/wireshim.h"

/* libwireshim.so beside the command, or in ../lib/wireshim of it. */
static int find_library(char *path, size_t size)
{
	static const char *const places[] = { "", "../lib/wireshim/" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	size_t i;

	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash)
		slash[1] = 0;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if ((size_t)snprintf(path, size, "%s%slibwireshim.so", self, places[i]) < size &&
		    access(path, R_OK) == 0)
			return 0;
	}
	return complain("libwireshim.so is neither in %s nor in %s../lib/wireshim", self, self);
}

/* Our library first (behind the runtime of a sanitizer, which insists), what was preloaded before behind it. */
static int set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	char *value;
	int ret;

#ifdef WIRESHIM_PRELOAD_FIRST
	ret = asprintf(&value, "%s:%s%s%s", WIRESHIM_PRELOAD_FIRST, library, old && *old ? ":" : "", old ? old : "");
#else
	ret = asprintf(&value, "%s%s%s", library, old && *old ? ":" : "", old ? old : "");
#endif
	if (ret < 0)
		return -ENOMEM;
	ret = setenv("LD_PRELOAD", value, 1) ? -ENOMEM : 0;
	free(value);
	return ret;
}

#ifdef WIRESHIM_PRELOAD_FIRST
/* What the program itself leaks is not our business. */
static int set_sanitizer(void)
{
	const char *old = getenv("ASAN_OPTIONS");
	char *value;
	int ret;

	if (asprintf(&value, "%s%sdetect_leaks=0", old ? old : "", old && *old ? ":" : "") < 0)
		return -ENOMEM;
	ret = setenv("ASAN_OPTIONS", value, 1) ? -ENOMEM : 0;
	free(value);
	return ret;
}
#endif

static int set_environment(const struct host_config *cfg, const struct client *c, const char *library)
{
	char host[CONFIG_KEY_SIZE + 16], token[32];
	int ret = options_export(cfg);

	snprintf(host, sizeof(host), "wireshim/%s", c->key);
	snprintf(token, sizeof(token), "%016llx", (unsigned long long)c->hello.token);
	if (setenv("WIRESHIM_SOCKET", host, 1) ||
	    setenv("WIRESHIM_LOOPBACK", c->hello.loopback_stack ? "stack" : "kernel", 1))
		ret = -ENOMEM;
	/* The name is the host's, also for who joins it without saying so. */
	if (c->hello.hostname[0] && setenv("WIRESHIM_HOSTNAME", c->hello.hostname, 1))
		ret = -ENOMEM;
	/* A host of root's gives its token to nobody else: what was inherited stays. */
	if (c->hello.token && setenv("WIRESHIM_TOKEN", token, 1))
		ret = -ENOMEM;
#ifdef WIRESHIM_PRELOAD_FIRST
	if (ret == 0)
		ret = set_sanitizer();
#endif
	return ret ? ret : set_preload(library);
}

/* execvp() without another search: a file without "#!" goes to the shell. */
static int become(const char *path, char **argv)
{
	int err;

	execv(path, argv);
	err = errno;
	if (err == ENOEXEC) {
		size_t n = 0;
		char **sh;

		while (argv[n])
			n++;
		sh = calloc(n + 2, sizeof(*sh));
		if (sh) {
			sh[0] = (char[]){ "sh" };
			sh[1] = (char *)(uintptr_t)path;
			memcpy(sh + 2, argv + 1, (n ? n : 1) * sizeof(*sh) - (n ? 0 : sizeof(*sh)));
			execv("/bin/sh", sh);
		}
	}
	complain("cannot run '%s': %s", path, strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Looks at everything that can be wrong, then makes the host ready. 0 or an exit status. */
static int prepare(const struct host_config *cfg, const char *program, char *path, size_t size)
{
	char library[PATH_MAX];
	struct client c;
	int ret = find_library(library, sizeof(library));

	if (ret == 0)
		ret = program_find(program, path, size);
	if (ret == 0)
		ret = program_check(path);
	if (ret == 0)
		ret = launch_host(cfg, &c);
	if (ret == 0 && set_environment(cfg, &c, library))
		ret = complain("out of memory");
	return ret; /* the connection stays open until exec: the host must not end before */
}

/** verb_run() - wireshim run [options] [--] PROGRAM [ARG...]; with --lab first: in a laboratory */
int verb_run(int argc, char **argv)
{
	struct rules_text rules = { .len = 0 };
	struct host_config cfg;
	char path[PATH_MAX];
	int first, ret;

	if (argc > 1 && (strcmp(argv[1], "--lab") == 0 || strncmp(argv[1], "--lab=", 6) == 0))
		return lab_run_program(argc, argv);
	config_init(&cfg);
	ret = options_parse(argc, argv, &cfg, &rules, &first);
	if (ret == 0)
		ret = rules_export(&rules);
	if (ret == 0 && first >= argc)
		ret = complain("run what? 'wireshim run [options] PROGRAM [ARG...]'");
	if (ret == 0)
		ret = prepare(&cfg, argv[first], path, sizeof(path));
	config_free(&cfg);
	return ret ? ret : become(path, argv + first);
}

/**
 * verb_attach() - wireshim attach: for a program that was started with nothing but LD_PRELOAD
 *
 * Settings come from the environment; "SOCKET TOKENHEX\n" goes to descriptor 3.
 */
int verb_attach(int argc, char **argv)
{
	enum { ANSWER_FD = 3 };
	struct host_config cfg;
	struct client c;
	int first, ret;

	config_init(&cfg);
	ret = options_parse(argc, argv, &cfg, NULL, &first);
	if (ret == 0 && first < argc)
		ret = complain("attach takes no arguments");
	if (ret == 0)
		ret = launch_host(&cfg, &c);
	if (ret == 0) {
		if (dprintf(ANSWER_FD, "wireshim/%s %016llx\n", c.key, (unsigned long long)c.hello.token) < 0)
			ret = complain("'attach' is used by libwireshim.so, not by hand");
		client_close(&c);
	}
	config_free(&cfg);
	return ret;
}
