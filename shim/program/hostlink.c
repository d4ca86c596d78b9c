/* SPDX-License-Identifier: MIT */
/*
 * The way to the host.
 *
 * A host listens on two abstract names, "@wireshim/KEY/s" for stream sockets and
 * "@wireshim/KEY/p" for the rest and for control. Attaching a socket connects it, on its own
 * number, to one of them and says who it is; the file never changes, so whatever the program has
 * registered it with stays valid.
 *
 * Where the program was started with nothing but LD_PRELOAD and the settings, the first socket
 * that needs a host runs `wireshim attach`, which makes sure that one runs and says its name. The
 * program must not see that child: it is made with no exit signal and waited for with __WCLONE,
 * gets only descriptors 0 to 3, and no LD_PRELOAD. With WIRESHIM_HOST=thread the host is a thread
 * of this process instead.
 */
#include "shim/program/real.h"
#include "shim/program/hostlink.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/fdcache.h"
#include "shim/program/init.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	bool failed;	      /* starting one did not work; said so already */
	void (*finish)(void); /* of a host thread in this process */
} link_state;

static pthread_mutex_t attach_lock = PTHREAD_MUTEX_INITIALIZER;

static bool peer_is_trusted(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (SYS(getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == 0 || peer.uid == (uid_t)SYS(geteuid) || peer.uid == (uid_t)SYS(getuid);
}

/* A full listener gives EAGAIN to a non-blocking socket: wait for room as a blocking one does. */
static long connect_waiting(int fd, const struct sockaddr_un *un, socklen_t len)
{
	long r, flags;

	do
		r = SYS(connect, fd, un, len);
	while (r == -EINTR);
	if (r != -EAGAIN)
		return r;
	flags = SYS(fcntl, fd, F_GETFL, 0);
	SYS(fcntl, fd, F_SETFL, flags & ~O_NONBLOCK);
	do
		r = SYS(connect, fd, un, len);
	while (r == -EINTR);
	SYS(fcntl, fd, F_SETFL, flags);
	return r;
}

/**
 * host_dial() - connect a socket to one of a host's listeners
 * @fd:     AF_UNIX socket
 * @host:   "wireshim/KEY"
 * @suffix: 's' or 'p'
 *
 * Return: 0 or -errno; -EACCES when somebody else sits at the name
 */
int host_dial(int fd, const char *host, char suffix)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = strlen(host);
	long r;

	memcpy(un.sun_path + 1, host, len);
	un.sun_path[1 + len] = '/';
	un.sun_path[2 + len] = suffix;
	r = connect_waiting(fd, &un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 3 + len));
	if (r == 0 && !peer_is_trusted(fd)) {
		log_fatal_once("host %s belongs to another user", host);
		return -EACCES;
	}
	return (int)r;
}

/**
 * host_name_of() - whose anchor is this?
 * @fd:   an attached socket
 * @host: room for HOST_NAME_MAX_LEN bytes
 *
 * Return: 0, or -ENETDOWN
 */
int host_name_of(int fd, char *host)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);
	size_t name;

	if (SYS(getpeername, fd, &un, &len) < 0 || un.sun_family != AF_UNIX ||
	    len < offsetof(struct sockaddr_un, sun_path) + 4)
		return -ENETDOWN;
	name = len - offsetof(struct sockaddr_un, sun_path) - 3;
	if (name >= HOST_NAME_MAX_LEN)
		return -ENETDOWN;
	memcpy(host, un.sun_path + 1, name);
	host[name] = 0;
	return 0;
}

/* Where this library lies, without the file name. */
static bool own_folder(char *dir, size_t size)
{
	Dl_info info;
	const char *slash;

	if (!dladdr((void *)(uintptr_t)host_need, &info) || !info.dli_fname)
		return false;
	slash = strrchr(info.dli_fname, '/');
	if (!slash)
		return snprintf(dir, size, ".") == 1;
	return (size_t)snprintf(dir, size, "%.*s", (int)(slash - info.dli_fname), info.dli_fname) <
	       size;
}

static bool find_launcher(char *path, size_t size)
{
	const char *given = getenv("WIRESHIM_BIN");
	char dir[PATH_MAX];

	if (given && *given)
		return (size_t)snprintf(path, size, "%s", given) < size;
	if (!own_folder(dir, sizeof(dir)))
		return false;
	if ((size_t)snprintf(path, size, "%s/wireshim", dir) < size && access(path, X_OK) == 0)
		return true;
	return (size_t)snprintf(path, size, "%s/../../bin/wireshim", dir) < size &&
	       access(path, X_OK) == 0;
}

struct launch {
	char path[PATH_MAX];
	char **envp;
	int pipe_end;
};

/*
 * Runs in the parent's memory, with a descriptor table of its own, all signals blocked: bare calls
 * only.
 */
static int run_launcher(void *arg)
{
	struct launch *l = arg;
	char *argv[] = { l->path, (char[]){ "attach" }, NULL };
	uint64_t none = 0;
	long by_default[4] = { 0 }; /* the kernel's struct sigaction: SIG_DFL, no flags */

	for (int sig = 1; sig <= 64; sig++)
		SYS(rt_sigaction, sig, by_default, NULL, 8);
	if (l->pipe_end == 3)
		SYS(fcntl, 3, F_SETFD, 0);
	else
		SYS(dup3, l->pipe_end, 3, 0);
	SYS(close_range, 4, ~0U, 0);
	SYS(rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	SYS(execve, l->path, argv, l->envp);
	SYS(exit_group, 127);
	return 127;
}

/* The environment without LD_PRELOAD, in a mapping of its own. */
static char **environment_without_preload(size_t *size)
{
	size_t n = 0, kept = 0;
	char **envp;

	while (environ && environ[n])
		n++;
	*size = (n + 1) * sizeof(*envp);
	envp = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (envp == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11))
			envp[kept++] = environ[i];
	return envp;
}

static int read_answer(int fd, char *line, size_t size)
{
	size_t have = 0;
	long r;

	while (have < size - 1) {
		r = SYS(read, fd, line + have, size - 1 - have);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		have += (size_t)r;
		if (line[have - 1] == '\n')
			break;
	}
	line[have] = 0;
	return have && config_host_parse(line, config.host, &config.token) ? 0 : -ENETDOWN;
}

/* Starts the launcher on @l and reads its answer. */
static int launch(struct launch *l)
{
	enum { STACK = 65536 };
	char line[HOST_NAME_MAX_LEN + 32];
	int ends[2], status = 0, r;
	char *stack;
	pid_t pid;

	if (SYS(pipe2, ends, O_CLOEXEC) < 0)
		return -ENETDOWN;
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
		     -1, 0);
	if (stack == MAP_FAILED) {
		SYS(close, ends[0]);
		SYS(close, ends[1]);
		return -ENOMEM;
	}
	l->pipe_end = ends[1];
	pid = clone(run_launcher, stack + STACK, CLONE_VM | CLONE_VFORK, l);
	SYS(close, ends[1]);
	r = pid < 0 ? -ENETDOWN : read_answer(ends[0], line, sizeof(line));
	SYS(close, ends[0]);
	if (pid > 0)
		while (SYS(wait4, pid, &status, __WCLONE, NULL) == -EINTR)
			;
	munmap(stack, STACK);
	if (r < 0 && (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)))
		log_fatal_once("cannot run %s to start a host", l->path);
	return r;
}

static int start_process(void)
{
	struct launch *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t env_size;
	int r;

	if (l == MAP_FAILED)
		return -ENOMEM;
	l->envp = environment_without_preload(&env_size);
	if (!find_launcher(l->path, sizeof(l->path))) {
		log_fatal_once("no program 'wireshim' beside libwireshim.so to start a host; set "
			       "WIRESHIM_BIN");
		r = -ENETDOWN;
	} else {
		r = l->envp ? launch(l) : -ENOMEM;
	}
	if (l->envp)
		munmap(l->envp, env_size);
	munmap(l, sizeof(*l));
	return r;
}

static int start_thread(void)
{
	int (*start)(char *socket_out, size_t size, uint64_t *token_out);
	char dir[PATH_MAX], path[PATH_MAX + 32];
	void *lib, *sym;

	if (!own_folder(dir, sizeof(dir)))
		return -ENETDOWN;
	snprintf(path, sizeof(path), "%s/libwireshim-host.so", dir);
	lib = dlopen(path, RTLD_LOCAL | RTLD_NOW);
	sym = lib ? dlsym(lib, "wireshim_host_thread") : NULL;
	if (!sym) {
		log_fatal_once("cannot place the host in a thread: %s", dlerror());
		return -ENETDOWN;
	}
	memcpy(&start, &sym, sizeof(sym));
	if (start(config.host, sizeof(config.host), &config.token) < 0) {
		config.host[0] = 0;
		return -ENETDOWN;
	}
	sym = dlsym(lib, "wireshim_host_thread_finish");
	memcpy(&link_state.finish, &sym, sizeof(sym));
	return 0;
}

/* The launcher says itself why it could not; a second line would only repeat it. */
static int start(void)
{
	int r = config.thread ? start_thread() : start_process();

	if (r < 0)
		link_state.failed = true;
	else
		shim_log(LOG_INFORM, "host %s", config.host);
	return r;
}

/**
 * host_need() - make sure that the name of a host is known, starting one where the settings ask
 * for it
 *
 * Called with signals blocked, and under the control lock unless in a vfork child.
 *
 * Return: 0 or -ENETDOWN, with the reason printed once
 */
int host_need(void)
{
	if (config.host[0])
		return 0;
	if (link_state.failed)
		return -ENETDOWN;
	if (config.bare)
		return start();
	log_fatal_once("no host: start the program with 'wireshim run', or set WIRESHIM_DEV and "
		       "WIRESHIM_ADDR");
	return -ENETDOWN;
}

/**
 * host_again() - nobody listens at the host's name any more: it was idle and has ended; start it
 * again
 *
 * Return: 0, or -ENETDOWN where the settings for a start are not there
 */
int host_again(const char *host)
{
	(void)host;
	if (link_state.failed || config.thread || !config.settings)
		return -ENETDOWN;
	return start();
}

/**
 * host_finish() - the process ends: let a host thread finish what its sockets still have to do
 */
void host_finish(void)
{
	if (link_state.finish)
		link_state.finish();
}

static int say_hello(int fd, uint32_t word)
{
	struct anchor_hello hello = {
		.magic = WIRESHIM_MAGIC,
		.kind = HELLO_ANCHOR,
		.token = config.token,
		.cookie = fd_cookie(fd),
		.family = (word & FD_PACKET) ? AF_PACKET : AF_INET,
		.type = (word & FD_STREAM) ? SOCK_STREAM
			: (word & FD_RAW)  ? SOCK_RAW
					   : SOCK_DGRAM,
		.protocol = fd_protocol(word),
	};
	struct stat st;
	long r;

	if (fstat(fd, &st) == 0)
		hello.ino = st.st_ino;
	do
		r = SYS(sendto, fd, &hello, sizeof(hello), MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
	while (r == -EINTR);
	return r == (long)sizeof(hello) ? 0 : -ENETDOWN;
}

/**
 * host_attach() - connect a fresh socket to the host, on its own number
 * @fd: one of ours; nothing happens when it is attached already
 *
 * The host's listener may be gone because it was idle: then it is started again, through the
 * control connection.
 *
 * Return: 0 or -errno, -ENETDOWN when there is no host
 */
int host_attach(int fd)
{
	struct ctl_call ping = { .op = CTL_GETSOCKOPT, .via = -1 };
	uint32_t w = fd_word(fd);
	bool owner = shim_is_owner();
	struct quiet q;
	int r;

	if (w & FD_ATTACHED)
		return 0;
	/*
	 * Dials, or finds out that nobody is there. A host that ends while idle must not do so in
	 * between.
	 */
	r = config.host[0] ? 0 : ctl_call(&ping);
	if (!config.host[0])
		return r < 0 ? r : -ENETDOWN;
	quiet_begin(&q);
	if (owner)
		pthread_mutex_lock(&attach_lock);
	w = fd_word(fd);
	if (w & FD_ATTACHED) {
		r = 0;
		goto out;
	}
	r = host_dial(fd, config.host, (w & FD_STREAM) ? 's' : 'p');
	if (r == -ECONNREFUSED) {
		ctl_call(&ping);
		r = host_dial(fd, config.host, (w & FD_STREAM) ? 's' : 'p');
	}
	if (r == 0)
		r = say_hello(fd, w);
	if (r == 0)
		fd_flag(fd, FD_ATTACHED, 0);
	else
		r = -ENETDOWN;
out:
	if (owner)
		pthread_mutex_unlock(&attach_lock);
	quiet_end(&q);
	return r;
}

/**
 * host_fork_prepare() - before fork: no attach is under way
 */
void host_fork_prepare(void)
{
	pthread_mutex_lock(&attach_lock);
}

/**
 * host_fork_parent() - after fork, in the parent
 */
void host_fork_parent(void)
{
	pthread_mutex_unlock(&attach_lock);
}

/**
 * host_fork_child() - after fork, in the child; a host thread stayed behind with the parent
 */
void host_fork_child(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	memcpy(&attach_lock, &unlocked, sizeof(unlocked));
	link_state.finish = NULL;
}
