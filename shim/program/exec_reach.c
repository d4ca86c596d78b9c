/* SPDX-License-Identifier: MIT */
/*
 * A program of the family executes one that preloading does not reach: static, Go, or with rights
 * that its caller does not have. It would talk through the kernel's stack without a word; it may as
 * well never open a socket, or only use what it inherits, which works. So it is not refused as by
 * `wireshim run`, but told: one line on standard error, which WIRESHIM_LOG=off keeps away.
 *
 * May run in a vfork child and in a signal handler, like the wrappers in exec.c. The file is opened
 * for the look and closed again; where that fails the kernel will say what is wrong.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"
#include "shim/program/exec.h"
#include "shim/program/init.h"
#include "shim/reach.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRIPTS_MAX = 4 };

static long read_at(int fd, void *to, size_t len, uint64_t at)
{
	return SYS(pread64, fd, to, len, at);
}

/* The dynamic linker as a program: it loads the library like any other. */
static bool is_linker(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return !strncmp(name, "ld-linux", 8) || !strncmp(name, "ld.so", 5);
}

static void tell(const char *path, enum reach reach)
{
	if (reach == REACH_STATIC && !is_linker(path))
		log_write(LOG_WARNING, "'%s' is statically linked: it talks through the kernel's stack", path);
	else if (reach == REACH_GO)
		log_write(LOG_WARNING, "'%s' is a Go program: it talks through the kernel's stack", path);
	else if (reach == REACH_SECURE)
		log_write(LOG_WARNING,
			  "'%s' gains rights (set-user-id, set-group-id or capabilities): it talks through the kernel's stack",
			  path);
}

/* @head: the first @n bytes of the file; less than 0 where it cannot be read, only executed. */
static void judge(int fd, const char *path, const unsigned char *head, long n)
{
	enum reach reach = n > 0 ? reach_of(fd, head, (size_t)n, read_at) : REACH_YES;

	if (reach == REACH_YES && reach_is_secure(fd))
		reach = REACH_SECURE;
	tell(path, reach);
}

/* Looks at @path, or at what executes it when it is a script. False: it cannot be opened. */
static bool look(int dir, const char *path)
{
	char interpreter[REACH_HEAD];
	unsigned char head[REACH_HEAD];

	for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
		long fd = SYS(openat, dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
		long n;
		bool script;

		if (fd == -EACCES)
			fd = SYS(openat, dir, path, O_PATH | O_CLOEXEC, 0);
		if (fd < 0)
			return depth > 0;
		n = read_at((int)fd, head, sizeof(head), 0);
		script = n > 0 && reach_script(head, (size_t)n, interpreter, sizeof(interpreter));
		if (!script)
			judge((int)fd, path, head, n);
		SYS(close, fd);
		if (!script)
			break;
		path = interpreter;
		dir = AT_FDCWD;
	}
	return true;
}

static bool wants_look(void)
{
	return config_wants_host() && !config.quiet && !shim_sandboxed;
}

/**
 * exec_look_at() - tell of a program that the library will not reach
 * @dir, @path, @flags: the file, as execveat() takes it
 */
void exec_look_at(int dir, const char *path, int flags)
{
	if (!path || !wants_look())
		return;
	if (*path)
		look(dir, path);
	else if (flags & AT_EMPTY_PATH)
		exec_look_into(dir);
}

/**
 * exec_look_for() - the same for a name that execvp() looks for in PATH
 */
void exec_look_for(const char *name)
{
	const char *dirs = getenv("PATH");
	char path[PATH_MAX];

	if (!name || !*name || !wants_look())
		return;
	if (strchr(name, '/')) {
		look(AT_FDCWD, name);
		return;
	}
	for (const char *p = dirs ? dirs : "/bin:/usr/bin";; p++) {
		int len = (int)strcspn(p, ":");

		snprintf(path, sizeof(path), "%.*s%s%s", len, p, len ? "/" : "", name);
		if (look(AT_FDCWD, path))
			return;
		p += len;
		if (!*p)
			return;
	}
}

/**
 * exec_look_into() - the same for a descriptor
 */
void exec_look_into(int fd)
{
	unsigned char head[REACH_HEAD];
	char name[32];
	long n;

	if (!wants_look())
		return;
	n = read_at(fd, head, sizeof(head), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	judge(fd, name, head, n);
}
