/* SPDX-License-Identifier: MIT */
/*
 * What a call costs: measures one thing, in one process, and prints one number.
 *
 *   calls foreign CALL      ns of a call on descriptors that are not ours: read (one byte of /dev/zero), write,
 *                           recv (of what is not there), dup2, accept (of no socket), poll, or close with a dup
 *   calls threads CALL      the same in a process with two threads
 *   calls exec              us from posix_spawn() of /bin/true to its end
 *   calls echo PORT         serves "rtt": returns each byte, until killed
 *   calls rtt ADDRESS PORT  us of the round trip of one byte over TCP
 *
 * calls.sh runs it with and without the library in turn.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static int zero, null, idle;
static char byte;

/* All of them do next to nothing in the kernel, so that what stands in front shows. */
static bool call_read(void) { return read(zero, &byte, 1) == 1; }
static bool call_write(void) { return write(null, &byte, 1) == 1; }
static bool call_recv(void) { return recv(idle, &byte, 1, MSG_DONTWAIT) == -1; }
static bool call_dup2(void) { return dup2(zero, null) == null; }
static bool call_accept(void) { return accept(zero, NULL, NULL) == -1; }
static bool call_close(void) { return close(dup(zero)) == 0; }

static bool call_poll(void)
{
	struct pollfd p = { .fd = idle, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static const struct {
	const char *name;
	bool (*call)(void);
} calls[] = {
	{ "read", call_read }, { "write", call_write },	  { "recv", call_recv }, { "dup2", call_dup2 },
	{ "accept", call_accept }, { "poll", call_poll },	  { "close", call_close },
};

static void open_foreign(void)
{
	int pair[2];

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	if (zero < 0 || null < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("descriptors");
	idle = pair[0];
}

static int foreign(const char *name)
{
	/* Short rounds: the best of them met no interrupt and no neighbour. */
	enum { ROUNDS = 2000, CALLS = 200 };
	double best = 1e18, start, each;
	bool (*call)(void) = NULL;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(name, calls[i].name) == 0)
			call = calls[i].call;
	if (!call)
		return 2;
	open_foreign();
	for (int i = 0; i < ROUNDS; i++) {
		start = now_ns();
		for (int k = 0; k < CALLS; k++)
			if (!call())
				die(name);
		each = (now_ns() - start) / CALLS;
		best = each < best ? each : best;
	}
	printf("%.2f\n", best);
	return 0;
}

static void *sleeper(void *unused)
{
	pause();
	return unused;
}

static int foreign_with_threads(const char *name)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeper, NULL))
		die("thread");
	return foreign(name);
}

static int spawn_true(void)
{
	enum { RUNS = 200 };
	char *argv[] = { (char[]){ "true" }, NULL };
	double took[RUNS], start;
	int status;
	pid_t pid;

	for (int i = 0; i < RUNS; i++) {
		start = now_ns();
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ))
			die("posix_spawn");
		if (waitpid(pid, &status, 0) != pid || status)
			die("waitpid");
		took[i] = (now_ns() - start) / 1e3;
	}
	printf("%.1f\n", median(took, RUNS));
	return 0;
}

static _Noreturn void echo(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0), c;
	char byte;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&addr, sizeof(addr)) || listen(s, 8))
		die("listen");
	for (;;) {
		c = accept(s, NULL, NULL);
		if (c < 0)
			die("accept");
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (read(c, &byte, 1) == 1 && write(c, &byte, 1) == 1)
			;
		close(c);
	}
}

static int rtt(const char *address, uint16_t port)
{
	enum { TRIPS = 10000 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	static double took[TRIPS];
	char byte = 'x';
	double start;

	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1)
		die("address");
	if (connect(s, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 0; i < TRIPS; i++) {
		start = now_ns();
		if (write(s, &byte, 1) != 1 || read(s, &byte, 1) != 1)
			die("round trip");
		took[i] = (now_ns() - start) / 1e3;
	}
	printf("%.1f\n", median(took, TRIPS));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "foreign") == 0)
		return foreign(argv[2]);
	if (argc == 3 && strcmp(argv[1], "threads") == 0)
		return foreign_with_threads(argv[2]);
	if (argc == 2 && strcmp(argv[1], "exec") == 0)
		return spawn_true();
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo((uint16_t)atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "rtt") == 0)
		return rtt(argv[2], (uint16_t)atoi(argv[3]));
	fprintf(stderr, "calls foreign CALL | threads CALL | exec | echo PORT | rtt ADDRESS PORT\n");
	return 2;
}
