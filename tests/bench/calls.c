/* SPDX-License-Identifier: MIT */
/*
 * What a call costs: measures one thing, in one process, and prints one number.
 *
 *   calls foreign           ns of a read() of one byte from /dev/zero, a descriptor which is not ours
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
#include <spawn.h>
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

static int foreign(void)
{
	/* Short rounds: the best of them met no interrupt and no neighbour. */
	enum { ROUNDS = 4000, CALLS = 200 };
	double best = 1e18, start, each;
	int fd = open("/dev/zero", O_RDONLY);
	char byte;

	if (fd < 0)
		die("/dev/zero");
	for (int i = 0; i < ROUNDS; i++) {
		start = now_ns();
		for (int k = 0; k < CALLS; k++)
			if (read(fd, &byte, 1) != 1)
				die("read");
		each = (now_ns() - start) / CALLS;
		best = each < best ? each : best;
	}
	printf("%.2f\n", best);
	return 0;
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
	if (argc == 2 && strcmp(argv[1], "foreign") == 0)
		return foreign();
	if (argc == 2 && strcmp(argv[1], "exec") == 0)
		return spawn_true();
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo((uint16_t)atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "rtt") == 0)
		return rtt(argv[2], (uint16_t)atoi(argv[3]));
	fprintf(stderr, "calls foreign | exec | echo PORT | rtt ADDRESS PORT\n");
	return 2;
}
