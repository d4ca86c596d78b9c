/* SPDX-License-Identifier: MIT */
/* start HOW PROGRAM ARG1 ARG2: starts it by the call HOW with an empty environment. */
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawned(int err, const pid_t *pid)
{
	int status;

	if (err)
		return err;
	if (waitpid(*pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* "PROGRAM ARG1 ARG2" to a shell. */
static int by_shell(char **args, int (*how)(const char *))
{
	char line[512];
	int status;

	snprintf(line, sizeof(line), "%s %s %s", args[0], args[1], args[2]);
	status = how(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int by_popen(const char *line)
{
	FILE *f = popen(line, "r");
	int c;

	while (f && (c = getc(f)) != EOF)
		putchar(c);
	return f ? pclose(f) : -1;
}

/* libc's own function, past the symbol. */
static void *libcs(const char *name)
{
	return dlsym(dlopen("libc.so.6", RTLD_NOW), name);
}

static int by_vfork(const char *path, char **args, char **empty)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(path, args, empty);
		_exit(127);
	}
	return spawned(pid < 0, &pid);
}

int main(int argc, char **argv)
{
	int (*libcs_spawn)(pid_t *, const char *, const void *, const void *, char **, char **);
	int (*libcs_execve)(const char *, char **, char **);
	char *empty[] = { NULL };
	char **args = argv + 2;
	const char *how, *path;
	pid_t pid;

	if (argc != 5)
		return 2;
	how = argv[1];
	path = args[0];
	if (!strcmp(how, "execve"))
		execve(path, args, empty);
	else if (!strcmp(how, "execle"))
		execle(path, args[0], args[1], args[2], (char *)NULL, empty);
	else if (!strcmp(how, "execvpe"))
		execvpe(path, args, empty);
	else if (!strcmp(how, "fexecve"))
		fexecve(open(path, O_RDONLY | O_CLOEXEC), args, empty);
	else if (!strcmp(how, "execveat"))
		execveat(AT_FDCWD, path, args, NULL, 0);
	else if (!strcmp(how, "posix_spawn"))
		return spawned(posix_spawn(&pid, path, NULL, NULL, args, empty), &pid);
	else if (!strcmp(how, "posix_spawnp"))
		return spawned(posix_spawnp(&pid, path, NULL, NULL, args, empty), &pid);
	else if (!strcmp(how, "vfork"))
		return by_vfork(path, args, empty);
	else if (!strcmp(how, "number"))
		syscall(SYS_execve, path, args, empty);
	else if (!strcmp(how, "handle") && (libcs_execve = libcs("execve")))
		libcs_execve(path, args, empty);
	else if (!strcmp(how, "handle_spawn") && (libcs_spawn = libcs("posix_spawn")))
		return spawned(libcs_spawn(&pid, path, NULL, NULL, args, empty), &pid);
	clearenv();
	if (!strcmp(how, "system"))
		return by_shell(args, system);
	if (!strcmp(how, "popen"))
		return by_shell(args, by_popen);
	if (!strcmp(how, "execv"))
		execv(path, args);
	else if (!strcmp(how, "execvp"))
		execvp(path, args);
	else if (!strcmp(how, "execl"))
		execl(path, args[0], args[1], args[2], (char *)NULL);
	else if (!strcmp(how, "execlp"))
		execlp(path, args[0], args[1], args[2], (char *)NULL);
	perror(how);
	return 1;
}
