/* SPDX-License-Identifier: MIT */
/*
 * The program that is to be run: found before a host is started for it, and refused when preloading
 * cannot reach it, because it would then talk through the kernel's stack without a word.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

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

/* The interpreter of a "#!" line; false when it is no script. */
static bool script_interpreter(const unsigned char *head, size_t len, char *out, size_t size)
{
	size_t start = 2, end;

	if (len < 3 || head[0] != '#' || head[1] != '!')
		return false;
	while (start < len && (head[start] == ' ' || head[start] == '\t'))
		start++;
	for (end = start; end < len && !strchr(" \t\n\r", head[end]); end++)
		;
	snprintf(out, size, "%.*s", (int)(end - start), (const char *)head + start);
	return true;
}

/* Does an ELF file name a dynamic linker? -1: it is no ELF file of this machine's word size. */
static int has_interpreter(int fd, const unsigned char *head, size_t len)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int i;

	if (len < sizeof(eh) || memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_CLASS] != ELFCLASS64)
		return -1;
	memcpy(&eh, head, sizeof(eh));
	for (i = 0; i < eh.e_phnum; i++) {
		off_t at = (off_t)(eh.e_phoff + (Elf64_Off)i * eh.e_phentsize);

		if (pread(fd, &ph, sizeof(ph), at) == (ssize_t)sizeof(ph) && ph.p_type == PT_INTERP)
			return 1;
	}
	return 0;
}

/* The dynamic linker ignores LD_PRELOAD where the program gets rights that we do not have. */
static bool gains_rights(const char *path, const struct stat *st)
{
	if (st->st_mode & S_ISUID && st->st_uid != geteuid())
		return true;
	if (st->st_mode & S_ISGID && st->st_mode & S_IXGRP && st->st_gid != getegid())
		return true;
	return geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

static int check_file(const char *path, int depth)
{
	unsigned char head[512];
	char interpreter[PATH_MAX];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), dynamic;
	ssize_t n;

	if (fd < 0)
		return 0; /* executable, but not readable: cannot be looked into */
	n = read(fd, head, sizeof(head) - 1);
	dynamic = n > 0 ? has_interpreter(fd, head, (size_t)n) : -1;
	if (fstat(fd, &st))
		memset(&st, 0, sizeof(st));
	close(fd);
	if (n > 0 && depth < 4 && script_interpreter(head, (size_t)n, interpreter, sizeof(interpreter)))
		return check_file(interpreter, depth + 1);
	if (dynamic == 0)
		return complain("'%s' is statically linked: nothing can be preloaded into it, it would talk through the "
				"kernel's stack", path);
	if (n > 4 && memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] != ELFCLASS64)
		return complain("'%s' is no 64-bit program: the library cannot be loaded into it", path);
	if (gains_rights(path, &st))
		return complain("'%s' is set-user-id or has capabilities: it would ignore the preloaded library and talk "
				"through the kernel's stack", path);
	return 0;
}

/** program_check() - Return: 0, or EXIT_USAGE after one line when preloading cannot reach it */
int program_check(const char *path)
{
	return check_file(path, 0);
}
