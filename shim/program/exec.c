/* SPDX-License-Identifier: MIT */
/*
 * The exec family: what a program starts stays with us, also when it builds its environment anew.
 *
 * A server that executes its new binary (nginx), sshd's sessions and `env -i` give an environment
 * without LD_PRELOAD. Sockets that are inherited so would be bare anchors to the new program. What
 * we were started with is remembered at load time: LD_PRELOAD up to our library, and all settings.
 * An environment without our library gets both back; the program's own LD_PRELOAD follows ours. One
 * that names it is left alone, whatever else it says.
 *
 * All of this may run in a vfork child, in its parent's memory, and in a signal handler: nothing is
 * allocated and nothing written except on the stack. That is why the new environment is made by the
 * wrapper itself, with alloca(). An environment of more than ENTRIES_MAX passes as it is.
 *
 * system(), popen() and posix_spawn() execute behind the symbols, where libc's own sites lead here as
 * well (libc_sites.c): in a child in its parent's memory, on a stack of 32 KiB.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"
#include "shim/program/exec.h"
#include "shim/rules.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

enum {
	KEPT_MAX = 32,
	KEPT_BYTES = 4096 + RULES_TEXT_MAX,
	ENTRIES_MAX = 65536,
	SMALL_STACK = 12288,
};

bool exec_at_sites;

#define PRELOAD "LD_PRELOAD="
#define LIBRARY "libwireshim.so"

/* Written while the library starts, read only ever after. */
static struct {
	char text[KEPT_BYTES];
	size_t used;
	const char *preload; /* NULL: not loaded by LD_PRELOAD; nothing is ever put back */
	const char *setting[KEPT_MAX];
	size_t settings;
} kept;

static const char *keep(const char *text, size_t len)
{
	char *to = kept.text + kept.used;

	if (len >= sizeof(kept.text) - kept.used)
		return NULL;
	memcpy(to, text, len);
	to[len] = 0;
	kept.used += len + 1;
	return to;
}

/* What follows our library in the list was the program's own. */
static void keep_preload(const char *entry)
{
	const char *ours = strstr(entry, LIBRARY);

	if (ours)
		kept.preload = keep(entry, (size_t)(ours - entry) + strlen(LIBRARY));
}

static bool is_setting(const char *entry)
{
#ifdef __SANITIZE_ADDRESS__
	if (!strncmp(entry, "ASAN_OPTIONS=", 13) || !strncmp(entry, "UBSAN_OPTIONS=", 14))
		return true;
#endif
	return !strncmp(entry, "WIRESHIM_", 9);
}

/**
 * exec_remember() - keep what programs that we start have to have in their environment
 */
void exec_remember(void)
{
	for (char **e = environ; e && *e; e++) {
		if (!strncmp(*e, PRELOAD, strlen(PRELOAD)))
			keep_preload(*e);
		else if (is_setting(*e) && kept.settings < KEPT_MAX &&
			 (kept.setting[kept.settings] = keep(*e, strlen(*e))))
			kept.settings++;
	}
}

/* The LD_PRELOAD of @envp, or NULL; @count: its entries. */
static const char *find_preload(char *const envp[], size_t *count)
{
	const char *found = NULL;
	size_t n = 0;

	for (; envp && envp[n]; n++)
		if (!found && !strncmp(envp[n], PRELOAD, strlen(PRELOAD)))
			found = envp[n];
	*count = n;
	return found;
}

/* The bytes that amend() needs; 0: @envp is to be passed as it is. */
static size_t amend_room(char *const envp[])
{
	const char *theirs;
	size_t n;

	libc(); /* a constructor may start programs before ours has run */
	if (!kept.preload || !config_wants_host())
		return 0;
	theirs = find_preload(envp, &n);
	if ((theirs && strstr(theirs, LIBRARY)) || n > ENTRIES_MAX)
		return 0;
	return (n + kept.settings + 2) * sizeof(char *) + strlen(kept.preload) +
	       (theirs ? strlen(theirs) : 0) + 2;
}

static bool same_name(const char *entry, const char *setting)
{
	return !strncmp(entry, setting, strcspn(setting, "=") + 1);
}

static bool is_kept(const char *entry)
{
	for (size_t i = 0; i < kept.settings; i++)
		if (same_name(entry, kept.setting[i]))
			return true;
	return false;
}

/* "LD_PRELOAD=" ours ":" theirs, at @to. */
static char *join_preload(char *to, const char *theirs)
{
	size_t ours = strlen(kept.preload);

	memcpy(to, kept.preload, ours + 1);
	if (theirs && theirs[strlen(PRELOAD)]) {
		theirs += strlen(PRELOAD);
		to[ours] = ':';
		memcpy(to + ours + 1, theirs, strlen(theirs) + 1);
	}
	return to;
}

/* @envp with what is kept, in @room. */
static char *const *amend(char *const envp[], void *room)
{
	char **to = room, **start = to;
	const char *theirs;
	size_t n;

	theirs = find_preload(envp, &n);
	to[n + kept.settings + 1] = NULL;
	*to++ = join_preload((char *)(start + n + kept.settings + 2), theirs);
	for (size_t i = 0; i < kept.settings; i++)
		*to++ = (char *)(uintptr_t)kept.setting[i];
	for (size_t i = 0; i < n; i++)
		if (strncmp(envp[i], PRELOAD, strlen(PRELOAD)) && !is_kept(envp[i]))
			*to++ = envp[i];
	*to = NULL;
	return start;
}

/* What the caller has to have on its stack: @envp as the new program gets it. */
#define AMENDED(envp)                                                                               \
	({                                                                                          \
		size_t room_ = amend_room(envp);                                                    \
		room_ ? amend(envp, alloca(room_)) : (envp);                                        \
	})

static int execute(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	if (flags || dir != AT_FDCWD)
		return libc()->execveat(dir, path, argv, envp, flags);
	return libc()->execve(path, argv, envp);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	exec_look_at(AT_FDCWD, path, 0);
	return execute(AT_FDCWD, path, argv, AMENDED(envp), 0);
}

/**
 * exec_by_number() - execveat() from a system-call site, perhaps of a child that posix_spawn() made
 *
 * The stack may be small: an environment that is both anew and huge passes as it is.
 */
int exec_by_number(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	exec_look_at(dir, path, flags);
	if (amend_room(envp) > SMALL_STACK)
		return execute(dir, path, argv, envp, flags);
	return execute(dir, path, argv, AMENDED(envp), flags);
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	if (!exec_at_sites)
		exec_look_for(file);
	return libc()->execvpe(file, argv, AMENDED(envp));
}

int execvp(const char *file, char *const argv[])
{
	if (!exec_at_sites)
		exec_look_for(file);
	return libc()->execvpe(file, argv, AMENDED(environ));
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	if (!exec_at_sites)
		exec_look_into(fd);
	return libc()->fexecve(fd, argv, AMENDED(envp));
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	exec_look_at(dir, path, flags);
	return execute(dir, path, argv, AMENDED(envp), flags);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	if (!exec_at_sites)
		exec_look_at(AT_FDCWD, path, 0);
	return libc()->posix_spawn(pid, path, actions, attr, argv, AMENDED(envp));
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	if (!exec_at_sites)
		exec_look_for(file);
	return libc()->posix_spawnp(pid, file, actions, attr, argv, AMENDED(envp));
}

/* The arguments of an execl*() from @first to the NULL, as an array on the caller's stack; @ap stands behind it. */
static size_t count_arguments(const char *first, va_list *ap)
{
	size_t n = 0;

	for (const char *arg = first; arg; arg = va_arg(*ap, const char *))
		n++;
	return n;
}

static char *const *take_arguments(char **to, const char *first, va_list *ap)
{
	size_t n = 0;

	for (const char *arg = first; arg; arg = va_arg(*ap, const char *))
		to[n++] = (char *)(uintptr_t)arg;
	to[n] = NULL;
	return to;
}

#define ARGUMENTS(argv, first, ap)                                                                  \
	do {                                                                                        \
		size_t count_;                                                                      \
		va_start(ap, first);                                                                \
		count_ = count_arguments(first, &(ap));                                             \
		va_end(ap);                                                                         \
		va_start(ap, first);                                                                \
		(argv) = take_arguments(alloca((count_ + 1) * sizeof(char *)), first, &(ap));       \
	} while (0)

int execl(const char *path, const char *arg, ...)
{
	char *const *argv;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	va_end(ap);
	return execve(path, argv, environ);
}

int execlp(const char *file, const char *arg, ...)
{
	char *const *argv;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	va_end(ap);
	if (!exec_at_sites)
		exec_look_for(file);
	return libc()->execvpe(file, argv, AMENDED(environ));
}

int execle(const char *path, const char *arg, ...)
{
	char *const *argv, *const *envp;
	va_list ap;

	ARGUMENTS(argv, arg, ap);
	envp = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, envp);
}
