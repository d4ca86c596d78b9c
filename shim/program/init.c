/* SPDX-License-Identifier: MIT */
/*
 * Start and fork.
 *
 * The constructor resolves libc's names and reads the environment: no thread, no allocation, no
 * connection. Where the environment names no host but sockets were inherited over exec (a session
 * of sshd, whose environment is built anew), the first of them says which host it is.
 */
#include "shim/program/real.h"
#include "shim/program/init.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/exec.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"
#include "shim/program/libc_sites.h"
#include "shim/program/packet.h"
#include "shim/program/sock.h"
#include "shim/program/verdict.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

bool shim_sandboxed;

static pid_t owner;

/**
 * shim_is_owner() - is this the process whose memory we are in, and not a vfork child of it?
 */
bool shim_is_owner(void)
{
	return SYS(getpid) == owner;
}

/**
 * shim_adopt() - this process is a fork of the former owner
 */
void shim_adopt(void)
{
	owner = (pid_t)SYS(getpid);
	ctl_fork_child();
	host_fork_child();
	epoll_fork_child();
	ring_fork_child();
}

/* In the order in which the locks nest: attaching asks for control. */
static void fork_prepare(void)
{
	ring_fork_prepare();
	host_fork_prepare();
	ctl_fork_prepare();
}

static void fork_parent(void)
{
	ctl_fork_parent();
	host_fork_parent();
	ring_fork_parent();
}

struct dirent_kernel {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* Touches every open descriptor, so that an inherited socket tells its host. */
static void scan_inherited(void)
{
	_Alignas(8) char buf[1024];
	long dir = SYS(openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	if (dir < 0)
		return;
	while (!config.host[0] && (n = SYS(getdents64, dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent_kernel *d = (const void *)(buf + at);

			if (d->name[0] != '.' && atoi(d->name) != dir)
				fd_probe(atoi(d->name));
			at += d->reclen;
		}
	}
	SYS(close, dir);
}

/**
 * shim_init() - make the library usable; runs once, by the constructor or by the first call
 * before it
 *
 * Allocates nothing (see real.c).
 */
void shim_init(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	owner = (pid_t)SYS(getpid);
	real_resolve(false);
	libc_ready = true;
	config_load();
	verdict_load();
	exec_remember();
}

/* Where we start before libc's own constructor (-z initfirst, for ASan) it is we who give it the environment. */
__attribute__((constructor)) static void load(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	if (!environ)
		environ = envp;
	shim_init();
	real_resolve(true);
	sites_install();
	pthread_atfork(fork_prepare, fork_parent, shim_adopt);
	if (!config.host[0] && !config.bare)
		scan_inherited();
}

__attribute__((destructor)) static void unload(void)
{
	if (shim_is_owner())
		host_finish();
}
