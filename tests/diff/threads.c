/* SPDX-License-Identifier: MIT */
/* Several threads on one socket: blocked reads that others end, cancellation, many at once. */
#include "tests/diff/diff.h"

#include <pthread.h>
#include <sys/syscall.h>

static volatile pid_t sleeper;

/* Until that thread sleeps in a system call. */
static void await_sleep(void)
{
	char path[64], text[256];
	uint64_t end = now_ms() + WAIT_MS;
	int asleep = 0;

	while (!sleeper && now_ms() < end)
		poll(NULL, 0, 1);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)sleeper);
	while (asleep < 3 && now_ms() < end) {
		FILE *f = fopen(path, "r");
		char *state;

		if (!f)
			return;
		state = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		asleep = state && state[2] == 'S' ? asleep + 1 : 0;
		fclose(f);
		poll(NULL, 0, 2);
	}
}

struct result {
	int fd;
	long value;
	int err;
	char buf[16];
};

static void *reads(void *arg)
{
	struct result *r = arg;

	sleeper = (pid_t)syscall(SYS_gettid);
	errno = 0;
	r->value = recv(r->fd, r->buf, sizeof(r->buf), 0);
	r->err = errno;
	return NULL;
}

static void *accepts(void *arg)
{
	struct result *r = arg;

	sleeper = (pid_t)syscall(SYS_gettid);
	errno = 0;
	r->value = accept(r->fd, NULL, NULL);
	r->err = errno;
	return NULL;
}

static void start(pthread_t *t, void *(*f)(void *), struct result *r)
{
	sleeper = 0;
	pthread_create(t, NULL, f, r);
	await_sleep();
}

static void ended_by_others(void)
{
	struct result r;
	pthread_t t;
	int c, s, l;

	topic("blocked");
	tcp_pair(5171, &c, &s);
	r.fd = s;
	start(&t, reads, &r);
	send(c, "wake", 4, 0);
	pthread_join(t, NULL);
	say("recv, data", "%ld %s", r.value, errno_name(r.err));
	start(&t, reads, &r);
	CALL("shutdown", shutdown(s, SHUT_RDWR));
	pthread_join(t, NULL);
	say("recv, shutdown here", "%ld %s", r.value, errno_name(r.err));
	close(c);
	close(s);
	tcp_pair(5172, &c, &s);
	r.fd = s;
	start(&t, reads, &r);
	close(c);
	pthread_join(t, NULL);
	say("recv, close there", "%ld %s", r.value, errno_name(r.err));
	close(s);
	tcp_pair(5173, &c, &s);
	r.fd = s;
	start(&t, reads, &r);
	setsockopt(c, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(c);
	pthread_join(t, NULL);
	say("recv, reset there", "%ld %s", r.value, errno_name(r.err));
	close(s);
	/* A close here does not end the wait: the data still comes to the one that waits. */
	tcp_pair(5174, &c, &s);
	r.fd = s;
	start(&t, reads, &r);
	CALL("close of what is read", close(s));
	CALL("send to it", send(c, "still", 5, 0));
	pthread_join(t, NULL);
	say("recv, closed here", "%ld %s", r.value, errno_name(r.err));
	close(c);
	l = tcp_listener(5175);
	r.fd = l;
	start(&t, accepts, &r);
	CALL("shutdown of a listener", shutdown(l, SHUT_RDWR));
	pthread_join(t, NULL);
	say("accept, shutdown", "%ld %s", r.value, errno_name(r.err));
	close(l);
	r.fd = udp_bound(5176);
	start(&t, reads, &r);
	CALL("shutdown of a datagram socket", shutdown(r.fd, SHUT_RD));
	pthread_join(t, NULL);
	say("recv, datagram socket shut", "%ld %s", r.value, errno_name(r.err));
	close(r.fd);
}

static void cancelled(void)
{
	struct result r;
	void *value = NULL;
	pthread_t t;
	int c, s;

	topic("cancelled");
	tcp_pair(5177, &c, &s);
	r.fd = s;
	start(&t, reads, &r);
	pthread_cancel(t);
	pthread_join(t, &value);
	say("recv", "%d", value == PTHREAD_CANCELED);
	CALL("send after it", send(c, "ok", 2, 0));
	await_bytes(s, 2);
	DATA("recv after it", recv(s, r.buf, sizeof(r.buf), 0), r.buf);
	close(c);
	close(s);
}

enum { WORKERS = 8, ROUNDS = 25 };

static void *connects(void *arg)
{
	struct sockaddr_in a = at("127.0.0.1", 5178);
	long *wrong = arg;
	char buf[4];

	for (int i = 0; i < ROUNDS; i++) {
		int fd = tcp_socket();

		if (connect(fd, SA(&a)) || send(fd, "ping", 4, 0) != 4 || recv(fd, buf, 4, MSG_WAITALL) != 4 ||
		    memcmp(buf, "pong", 4))
			++*wrong;
		close(fd);
	}
	return NULL;
}

static void at_once(void)
{
	long wrong[WORKERS] = { 0 }, all = 0;
	int l = tcp_listener(5178), served = 0;
	pthread_t t[WORKERS];
	char buf[4];

	topic("at once");
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&t[i], NULL, connects, &wrong[i]);
	for (int i = 0; i < WORKERS * ROUNDS; i++) {
		int s = accept(l, NULL, NULL);

		served += recv(s, buf, 4, MSG_WAITALL) == 4 && send(s, "pong", 4, 0) == 4;
		close(s);
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(t[i], NULL);
		all += wrong[i];
	}
	say("served", "%d", served);
	say("wrong", "%ld", all);
	close(l);
}

void run(void)
{
	ended_by_others();
	cancelled();
	at_once();
}
