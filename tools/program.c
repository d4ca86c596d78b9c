/* SPDX-License-Identifier: MIT */
/*
 * The program that is to be run: found before a host is started for it, and refused when preloading
 * cannot reach it, because it would then talk through the kernel's stack without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/reach.h"
#include "tools/wireshim.h"

static int cannot_run(const char *path, int err)
{
	complain("cannot run '%s': %s", path, strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* 0, ENOENT, or why it cannot be executed. */
static int try_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOTDIR ? ENOENT : errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, X_OK) ? errno : 0;
}

/**
 * program_find() - where the program lies, as execvp() would find it
 * @path: PATH_MAX bytes
 *
 * Return: 0; EXIT_NOT_FOUND, EXIT_NOT_EXECUTABLE after one line
 */
int program_find(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH"), *p;
	int err, worst = ENOENT;

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		err = try_path(path);
		return err ? cannot_run(name, err) : 0;
	}
	for (p = dirs ? dirs : "/bin:/usr/bin"; *name; p++) {
		size_t len = strcspn(p, ":");

		snprintf(path, size, "%.*s%s%s", (int)len, p, len ? "/" : "./", name);
		err = try_path(path);
		if (err == 0)
			return 0;
		/* A folder that may not be searched says nothing about the program: shells pass it over as well. */
		if (err != EISDIR && access(path, F_OK) == 0)
			worst = err;
		p += len;
		if (!*p)
			break;
	}
	return cannot_run(name, worst);
}

static long read_at(int fd, void *to, size_t len, uint64_t at)
{
	return (long)pread(fd, to, len, (off_t)at);
}

static int check_file(const char *path, int depth)
{
	unsigned char head[REACH_HEAD];
	char interpreter[REACH_HEAD];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum reach reach;
	ssize_t n;

	if (fd < 0) /* executable, but not readable: only its rights can be looked at */
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, head, sizeof(head));
	reach = n > 0 ? reach_of(fd, head, (size_t)n, read_at) : REACH_YES;
	if (reach == REACH_YES && reach_is_secure(fd))
		reach = REACH_SECURE;
	close(fd);
	if (n > 0 && depth < 4 && reach_script(head, (size_t)n, interpreter, sizeof(interpreter)))
		return check_file(interpreter, depth + 1);
	switch (reach) {
	case REACH_STATIC:
		return complain("'%s' is statically linked: nothing can be preloaded into it, it would talk through the "
				"kernel's stack", path);
	case REACH_GO:
		return complain("'%s' is a Go program: it calls the kernel past libc and would talk through the kernel's "
				"stack", path);
	case REACH_OTHER_CLASS:
		return complain("'%s' is no 64-bit program: the library cannot be loaded into it", path);
	case REACH_SECURE:
		return complain("'%s' gains rights (set-user-id, set-group-id or capabilities): it would ignore the preloaded "
				"library and talk through the kernel's stack", path);
	default: return 0;
	}
}

/** program_check() - Return: 0, or EXIT_USAGE after one line when preloading cannot reach it */
int program_check(const char *path)
{
	return check_file(path, 0);
}
