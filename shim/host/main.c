/* SPDX-License-Identifier: MIT */
/*
 * The two places where a host runs.
 *
 * Process: `wireshim host`, started by the launcher with its settings in the environment and a pipe
 * on descriptor 3, on which it says "ok" when programs may connect, "busy WHERE" when another host
 * has the address or the name, or one line of error. It belongs to a session of its own, holds none
 * of the launcher's descriptors, and ends by itself when it is idle.
 *
 * Thread: libwireshim-host.so inside a program. All signals are blocked in it. At the program's end
 * wireshim_host_thread_finish() lets connections finish, for a short while.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/host/host.h"

enum { READY_FD = 3, FINISH_MS = 2000 };

static void close_others(void)
{
	if (syscall(SYS_close_range, READY_FD + 1, ~0U, 0) != 0) {
		int fd;

		for (fd = READY_FD + 1; fd < 1024; fd++)
			close(fd);
	}
}

static void tell(const char *text)
{
	(void)sys_write(READY_FD, text, strlen(text));
	sys_close(READY_FD);
}

/* Standard input and output to /dev/null; standard error stays where a log was asked for. */
static void detach_stdio(bool keep_stderr)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	if (!keep_stderr)
		dup2(fd, STDERR_FILENO);
	close(fd);
}

/**
 * wireshim_host_main() - `wireshim host`
 *
 * Return: exit status
 */
int wireshim_host_main(void)
{
	char err[CONFIG_ERR_SIZE] = "", line[CONFIG_ERR_SIZE + 2];
	struct host_config cfg;
	struct host *h;
	int ret;

	if (fcntl(READY_FD, F_SETFD, FD_CLOEXEC)) {
		fprintf(stderr, "wireshim: 'host' is started by 'wireshim run', not by hand\n");
		return 2;
	}
	close_others();
	config_init(&cfg);
	ret = config_from_env(&cfg, err);
	if (ret == 0)
		ret = config_check(&cfg, err);
	if (ret == 0)
		ret = host_create(&cfg, false, &h, err);
	if (ret) {
		snprintf(line, sizeof(line), "%s\n", err[0] ? err : strerror(-ret));
		tell(line);
		config_free(&cfg);
		return 2;
	}
	detach_stdio(h->log_level != LOG_LEVEL_NONE);
	(void)!chdir("/");
	tell("ok\n");
	host_run(h);
	host_destroy(h);
	return 0;
}

/* --- in a program ------------------------------------------------------------------------------- */

/* The one host of this process; not of the stack. */
static struct {
	pthread_t thread;
	struct host *host;
	int stop_fd;
} placement;

static void stop_ready(struct host *h, struct watch *w, uint32_t events)
{
	uint64_t n;

	(void)events;
	(void)sys_read(w->fd, &n, sizeof(n));
	h->finishing = true;
}

/* The program is at its end: closes its sockets and waits until what they sent is acknowledged. */
static void finish(struct host *h)
{
	uint64_t deadline = h->now + FINISH_MS * NSEC_PER_MSEC;
	struct anchor *a, *tmp;

	list_for_each_entry_safe(a, tmp, &h->anchors, all) {
		stream_read_dry(a);
		anchor_release(a);
	}
	while (h->now < deadline && !h->stopping) {
		const struct sock *sk = NULL;
		bool busy = false;

		while ((sk = sock_next(h->net, sk)))
			busy |= sk->state != TCP_CLOSE && sk->state != TCP_TIME_WAIT &&
				sk->state != TCP_FIN_WAIT2 && sk->type == SOCK_STREAM;
		if (!busy)
			break;
		host_turn(h, (int64_t)(deadline - h->now));
	}
}

static void *thread_main(void *arg)
{
	struct host *h = arg;

	while (!h->stopping && !h->finishing)
		host_turn(h, -1);
	if (!h->stopping)
		finish(h);
	host_destroy(h);
	return NULL;
}

static int start_thread(struct host *h)
{
	sigset_t all, old;
	int ret;

	placement.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (placement.stop_fd < 0)
		return -errno;
	ret = watch_add(h, &h->stop_watch, placement.stop_fd, EPOLLIN, stop_ready);
	if (ret)
		return ret;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&placement.thread, NULL, thread_main, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

/* Settings from the environment; a name of its own, since each process has its own host. */
static int thread_config(struct host_config *cfg, char *err)
{
	char name[32];
	int ret;

	config_init(cfg);
	ret = config_from_env(cfg, err);
	if (ret == 0 && !cfg->text[OPT_HOST]) {
		snprintf(name, sizeof(name), "thread-%d", (int)getpid());
		ret = config_set(cfg, OPT_HOST, name, err);
	}
	return ret ? ret : config_check(cfg, err);
}

/**
 * wireshim_host_thread() - starts a host in this process
 * @socket_out: "wireshim/KEY", for WIRESHIM_SOCKET
 *
 * Return: 0; negative errno after one line on standard error
 */
__attribute__((visibility("default"))) int wireshim_host_thread(char *socket_out, size_t size,
								 uint64_t *token_out)
{
	char err[CONFIG_ERR_SIZE] = "", line[CONFIG_ERR_SIZE + 64];
	struct host_config cfg;
	struct host *h;
	int ret;

	if (placement.host)
		return -EEXIST;
	ret = thread_config(&cfg, err);
	if (ret == 0)
		ret = host_create(&cfg, true, &h, err);
	if (ret) {
		const char *busy = strncmp(err, "busy ", 5) == 0 ? err + 5 : NULL;
		int len = busy ? snprintf(line, sizeof(line), "wireshim: another host runs at %s\n", busy)
			       : snprintf(line, sizeof(line), "wireshim: %s\n", err[0] ? err : strerror(-ret));

		(void)sys_write(STDERR_FILENO, line, (size_t)len);
		config_free(&cfg);
		return ret;
	}
	snprintf(socket_out, size, "wireshim/%s", h->key);
	*token_out = h->token;
	ret = start_thread(h);
	if (ret) {
		host_destroy(h);
		return ret;
	}
	placement.host = h;
	return 0;
}

/** wireshim_host_thread_finish() - ends the host of this process, after what its sockets still have to do */
__attribute__((visibility("default"))) void wireshim_host_thread_finish(void)
{
	uint64_t one = 1;

	if (!placement.host)
		return;
	(void)sys_write(placement.stop_fd, &one, sizeof(one));
	pthread_join(placement.thread, NULL);
	placement.host = NULL;
}
