/* SPDX-License-Identifier: MIT */
/* start HOW PROGRAM ARG1 ARG2: starts it by the call HOW with an empty environment. */
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

int main(int argc, char **argv)
{
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
	clearenv();
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
