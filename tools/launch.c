/* SPDX-License-Identifier: MIT */
/*
 * Makes sure that a host runs: joins the one of the same name, or starts it.
 *
 * A host belongs to nobody: it is forked twice into a session of its own and says on a pipe when it
 * is ready, or why it cannot be. Two launchers may start at once: the second host finds the address
 * locked, and its launcher goes on to join the first. One that is just ending gives way in the same
 * manner.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/wireshim.h"

enum { LAUNCH_S = 15, READY_FD = 3 };

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
	const struct timespec ts = { 0, ms * 1000000 };

	nanosleep(&ts, NULL);
}

/* In the grandchild: nothing but descriptor 3 and the environment goes along. */
static void exec_host(int ready)
{
	char *const argv[] = { (char *)(uintptr_t)"wireshim", (char *)(uintptr_t)"host", NULL };
	sigset_t none;

	unsetenv("LD_PRELOAD");
	if (ready != READY_FD)
		dup2(ready, READY_FD);
	else
		fcntl(READY_FD, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The bare call: under another wireshim, execl() would put LD_PRELOAD back. */
	syscall(SYS_execve, "/proc/self/exe", argv, environ);
	_exit(127);
}

/* Starts a host and reads its word: "ok", "busy ...", or an error. Return: 0 or -errno */
static int spawn(const struct host_config *cfg, char *word, size_t size)
{
	int ends[2], status;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setsid();
		pid = fork();
		if (pid == 0 && options_export(cfg) == 0)
			exec_host(ends[1]);
		_exit(pid < 0 ? 1 : 0);
	}
	close(ends[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	while (have < size - 1) {
		n = read(ends[0], word + have, size - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	close(ends[0]);
	word[have] = 0;
	word[strcspn(word, "\n")] = 0;
	return 0;
}

/* Who holds the lock on the address: its key into @key, its process id; false when nobody does. */
static bool lock_holder(const char *where, char *key, size_t size, int *pid)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char line[CONFIG_KEY_SIZE + 32], *space;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), len;
	ssize_t n = -1;

	len = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "wireshim-addr/%s", where);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)len) == 0)
		n = recv(fd, line, sizeof(line) - 1, 0);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = 0;
	space = strchr(line, ' ');
	if (!space)
		return false;
	*space = 0;
	*pid = atoi(space + 1);
	snprintf(key, size, "%.*s", (int)size - 1, line);
	return true;
}

/* The address is locked: by a host of our name that is coming up or going (0), or by another. */
static int busy(const char *where, const char *key)
{
	char holder[CONFIG_KEY_SIZE];
	int pid;

	if (!lock_holder(where, holder, sizeof(holder), &pid) || strcmp(holder, key) == 0)
		return 0;
	if (strncmp(holder, "n/", 2) == 0)
		return complain("%s is the address of the running host '%s' (pid %d): join it with --host %s, or "
				"choose a free address", where, holder + 2, pid, holder + 2);
	return complain("%s is the address of a running host without a name (pid %d): join it without --host, or "
			"choose a free address", where, pid);
}

/* No host of that name runs. 0: try to connect again. */
static int start(const struct host_config *cfg, const char *key)
{
	char word[CONFIG_ERR_SIZE] = "", err[CONFIG_ERR_SIZE];
	int ret;

	if (cfg->text[OPT_HOST] && !cfg->text[OPT_DEV] && !cfg->loopback_stack)
		return complain("no host '%s' runs: give --dev IFACE and --addr A.B.C.D/LEN to start it",
				cfg->text[OPT_HOST]);
	if (config_check(cfg, err))
		return complain("%s", err);
	ret = spawn(cfg, word, sizeof(word));
	if (ret)
		return complain("cannot start a host: %s", strerror(-ret));
	if (strcmp(word, "ok") == 0)
		return 0;
	if (strncmp(word, "busy ", 5) == 0) {
		pause_ms(20);
		return busy(word + 5, key);
	}
	return complain("%s", word[0] ? word : "the host died while it started");
}

/* We are connected: is it the host that was asked for? */
static int compare(const struct host_config *cfg, struct client *c)
{
	char reason[CONFIG_ERR_SIZE] = "";
	char *text = config_print(cfg);
	int ret;

	if (!text)
		return complain("out of memory");
	ret = client_call(c, CTL_CONFIG, text, strlen(text), reason, sizeof(reason), NULL);
	free(text);
	if (ret == -EAGAIN)
		return -EAGAIN;
	return ret ? complain("%s", reason[0] ? reason : strerror(-ret)) : 0;
}

/**
 * launch_host() - connects to the host of @cfg; starts it if necessary
 *
 * Return: 0, or EXIT_USAGE after one line on standard error
 */
int launch_host(const struct host_config *cfg, struct client *c)
{
	double deadline = seconds() + LAUNCH_S;
	char key[CONFIG_KEY_SIZE], err[CONFIG_ERR_SIZE];
	int ret;

	if (!cfg->text[OPT_HOST] && config_check(cfg, err))
		return complain("%s", err);
	config_key(cfg, key);
	do {
		ret = client_dial(c, key);
		if (ret == 0) {
			ret = compare(cfg, c);
			if (ret == 0)
				return 0;
			client_close(c);
		} else if (ret == -ECONNREFUSED) {
			ret = start(cfg, key);
			if (ret == 0)
				ret = -EAGAIN;
		} else if (ret == -EAGAIN) {
			pause_ms(5);
		}
	} while (ret == -EAGAIN && seconds() < deadline);
	if (ret == EXIT_USAGE)
		return ret;
	if (ret == -EACCES)
		return complain("host %s belongs to another user", key);
	if (ret == -EPROTO)
		return complain("host %s is of another version: end it first", key);
	return complain("host %s: %s", key, ret == -EAGAIN ? "is neither there nor can it be started" : strerror(-ret));
}
