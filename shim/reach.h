/* SPDX-License-Identifier: MIT */
/*
 * Does preloading reach a program? What the command asks before it starts one, and the library
 * before a program of its family executes one.
 *
 * A statically linked program has no dynamic linker that would load the library. A Go program may
 * have one (cgo), but its runtime makes its system calls itself, past libc and every symbol; the
 * linker leaves sections of Go's own, in stripped programs too. And in secure-execution mode (ld.so(8))
 * the dynamic linker ignores LD_PRELOAD: whether that comes is what AT_SECURE of getauxval(3) says, and
 * has to be known before.
 */
#ifndef SHIM_REACH_H
#define SHIM_REACH_H

#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum reach {
	REACH_YES = 0, /* or no program that we know: the kernel will say */
	REACH_STATIC,
	REACH_GO,
	REACH_OTHER_CLASS, /* not 64-bit */
	REACH_SECURE,	   /* the linker will ignore LD_PRELOAD */
};

enum { REACH_HEAD = 512 }; /* bytes of a file that are enough to begin with */

/* Reads at an offset of a file: a count, or < 0. */
typedef long reach_read(int fd, void *to, size_t len, uint64_t at);

/* Among the headers of a file: does it name a dynamic linker? */
static inline bool reach_has_interpreter(int fd, const Elf64_Ehdr *eh, reach_read *read_at)
{
	Elf64_Phdr ph;

	for (unsigned int i = 0; i < eh->e_phnum; i++)
		if (read_at(fd, &ph, sizeof(ph), eh->e_phoff + (uint64_t)i * eh->e_phentsize) ==
			    (long)sizeof(ph) &&
		    ph.p_type == PT_INTERP)
			return true;
	return false;
}

static inline bool reach_is_go_section(const char *name)
{
	return !strcmp(name, ".go.buildinfo") || !strcmp(name, ".note.go.buildid") ||
	       !strcmp(name, ".gopclntab");
}

/* Names of sections, as much of them as programs have. */
static inline bool reach_is_go(int fd, const Elf64_Ehdr *eh, reach_read *read_at)
{
	Elf64_Shdr sections[16], table;
	char names[2048];
	long got, room;

	if (eh->e_shentsize != sizeof(table) || !eh->e_shoff || eh->e_shstrndx >= eh->e_shnum)
		return false;
	if (read_at(fd, &table, sizeof(table),
		    eh->e_shoff + (uint64_t)eh->e_shstrndx * sizeof(table)) != (long)sizeof(table))
		return false;
	room = table.sh_size < sizeof(names) - 1 ? (long)table.sh_size : (long)sizeof(names) - 1;
	room = read_at(fd, names, (size_t)room, table.sh_offset);
	if (room <= 0)
		return false;
	names[room] = 0;
	for (uint64_t first = 0; first < eh->e_shnum; first += 16) {
		got = read_at(fd, sections, sizeof(sections), eh->e_shoff + first * sizeof(table));
		for (uint64_t i = 0; (long)((i + 1) * sizeof(table)) <= got && first + i < eh->e_shnum; i++)
			if (sections[i].sh_name < room && reach_is_go_section(names + sections[i].sh_name))
				return true;
	}
	return false;
}

/**
 * reach_of() - does preloading reach this file, once executed?
 * @head: its first bytes, @len of them
 */
static inline enum reach reach_of(int fd, const unsigned char *head, size_t len, reach_read *read_at)
{
	Elf64_Ehdr eh;

	if (len < sizeof(eh) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return REACH_YES;
	if (head[EI_CLASS] != ELFCLASS64)
		return REACH_OTHER_CLASS;
	memcpy(&eh, head, sizeof(eh));
	if (reach_is_go(fd, &eh, read_at))
		return REACH_GO;
	return reach_has_interpreter(fd, &eh, read_at) ? REACH_YES : REACH_STATIC;
}

/* Is an id of stat() one of this user namespace, or what stands for all that are not? */
static inline bool reach_is_mapped(const char *map, unsigned long id)
{
	enum { OVERFLOW_ID = 65534 };
	char text[1024], *at = text;
	int fd = id == OVERFLOW_ID ? open(map, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n;

	if (fd < 0)
		return true;
	n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	while (*at) {
		unsigned long first = strtoul(at, &at, 10), count;

		strtoul(at, &at, 10);
		count = strtoul(at, &at, 10);
		if (id >= first && id - first < count)
			return true;
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return false;
}

/* Do the set-id bits of a file count? execve(2): not for a caller without new privileges, nor for unknown ids. */
static inline bool reach_set_id_counts(const struct stat *st)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
	       reach_is_mapped("/proc/self/uid_map", st->st_uid) &&
	       reach_is_mapped("/proc/self/gid_map", st->st_gid);
}

/* Capabilities of the file (capabilities(7)): some that it grants, or the effective bit. */
static inline bool reach_has_capabilities(int fd)
{
	static const char name[] = "security.capability";
	struct vfs_ns_cap_data caps = { 0 };
	char path[32];
	ssize_t n = fgetxattr(fd, name, &caps, sizeof(caps));

	if (n < 0) { /* a descriptor by O_PATH has no attributes itself */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = getxattr(path, name, &caps, sizeof(caps));
	}
	return n > 0 && ((caps.magic_etc & htole32(VFS_CAP_FLAGS_EFFECTIVE)) ||
			 caps.data[0].permitted || caps.data[1].permitted);
}

/**
 * reach_is_secure() - if we execute this file, will the dynamic linker be in secure-execution mode?
 * @fd: the file, perhaps opened with O_PATH
 *
 * Linux says so where the new program's effective ids are not our real ones, or where the file has
 * capabilities and our real user is not root (cap_bprm_creds_from_file()).
 */
static inline bool reach_is_secure(int fd)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool may_gain;
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	may_gain = fstatfs(fd, &fs) || !(fs.f_flags & 2); /* ST_NOSUID of statvfs() */
	if (may_gain && (st.st_mode & (S_ISUID | S_ISGID)) && reach_set_id_counts(&st)) {
		if (st.st_mode & S_ISUID)
			uid = st.st_uid;
		if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP))
			gid = st.st_gid;
	}
	return uid != getuid() || gid != getgid() || uid != geteuid() ||
	       (getuid() != 0 && may_gain && reach_has_capabilities(fd));
}

/**
 * reach_script() - the interpreter of a "#!" line
 * @out: @size bytes
 *
 * Return: false when the file is no script, or names one that is too long
 */
static inline bool reach_script(const unsigned char *head, size_t len, char *out, size_t size)
{
	size_t start = 2, end;

	if (len < 3 || head[0] != '#' || head[1] != '!')
		return false;
	while (start < len && (head[start] == ' ' || head[start] == '\t'))
		start++;
	for (end = start; end < len && head[end] && !strchr(" \t\n\r", head[end]); end++)
		;
	if (end == start || end - start >= size)
		return false;
	memcpy(out, head + start, end - start);
	out[end - start] = 0;
	return true;
}

#endif
