/* SPDX-License-Identifier: MIT */
/*
 * sites_cancel ADDRESS PORT: cancellation, signals and time limits of calls that libc makes
 * itself, on a UDP socket and through functions from libc's own handle.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static ssize_t (*libc_recv)(int, void *, size_t, int);
static ssize_t (*libc_send)(int, const void *, size_t, int);
static int fd, cleaned;

static void on_cancel(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *blocked_recv(void *arg)
{
	char buf[16];

	pthread_cleanup_push(on_cancel, NULL);
	libc_recv(fd, buf, sizeof(buf), 0);
	pthread_cleanup_pop(0);
	return arg;
}

static void *blocked_getc(void *arg)
{
	FILE *f = arg;

	pthread_cleanup_push(on_cancel, NULL);
	getc(f);
	pthread_cleanup_pop(0);
	return arg;
}

/* Until the thread sleeps in its call. */
static void wait_asleep(void)
{
	char state = 0;
	FILE *f;

	while (state != 'S') {
		f = popen("for t in /proc/$PPID/task/*; do [ ${t##*/} = $PPID ] || sed 's/.*) "
			  "//;s/ .*//' $t/stat; done",
			  "r");
		if (!f || fscanf(f, " %c", &state) != 1)
			state = 0;
		if (f)
			pclose(f);
	}
}

static void cancel(const char *what, void *(*body)(void *), void *arg)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, body, arg);
	wait_asleep();
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("%s %s, cleaned up %d\n", what,
	       result == PTHREAD_CANCELED ? "cancelled" : "returned", cleaned);
}

static void on_alarm(int sig)
{
	char c;

	/* A handler may use the same calls. */
	if (libc_send(fd, "!", 1, 0) != 1 || libc_recv(fd, &c, 1, 0) != 1 || c != '!')
		_exit(9);
	(void)sig;
}

static void interrupted(void)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value = {0, 100000}};
	char buf[16];
	ssize_t n;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	n = libc_recv(fd, buf, sizeof(buf), 0);
	printf("recv %zd %s\n", n, n < 0 ? strerror(errno) : "");
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timeval limit = {0, 50000};
	void *libc = dlopen("libc.so.6", RTLD_NOW);
	char buf[16];
	ssize_t n;

	if (argc != 3)
		return 2;
	*(void **)&libc_recv = dlsym(libc, "recv");
	*(void **)&libc_send = dlsym(libc, "send");
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	interrupted();
	cancel("recv", blocked_recv, NULL);
	cancel("getc", blocked_getc, fdopen(dup(fd), "r"));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = libc_recv(fd, buf, sizeof(buf), 0);
	printf("recv %zd %s\n", n, n < 0 ? strerror(errno) : "");
	libc_send(fd, "still", 5, 0);
	n = libc_recv(fd, buf, sizeof(buf), 0);
	printf("recv %zd %.5s\n", n, buf);
	return 0;
}
