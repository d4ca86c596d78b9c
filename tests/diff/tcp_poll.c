/* SPDX-License-Identifier: MIT */
/* poll() and ppoll() on connections and on what is none. */
#include "tests/diff/diff.h"

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND };

static void states(void)
{
	int l = tcp_listener(5301), c, s;
	char buf[16];

	topic("states");
	say_poll("listener", l, ALL);
	c = tcp_connect_to(l, 5301, &s);
	say_poll("listener then", l, ALL);
	say_poll("connected", c, ALL);
	say_poll("only IN", c, POLLIN);
	say_poll("only RDHUP", c, POLLRDHUP);
	say_poll("no events", c, 0);
	send(c, "x", 1, 0);
	await(s, POLLIN);
	say_poll("data", s, ALL);
	say_poll("data, only OUT", s, POLLOUT);
	say_poll("data, only PRI", s, POLLPRI);
	recv(s, buf, 1, 0);
	say_poll("data read", s, ALL);
	CALL("close", close(c));
	await(s, POLLRDHUP);
	say_poll("peer closed", s, ALL);
	say_poll("peer closed, no events", s, 0);
	say_poll("peer closed, IN", s, POLLIN);
	say_poll("peer closed, RDHUP", s, POLLRDHUP);
	CALL("close of the other", close(s));
	say_poll("closed descriptor", s, ALL);
	say_poll("negative descriptor", -1, ALL);
	close(l);
}

static void full(void)
{
	static char block[65536];
	int c, s;
	ssize_t n, total = 0;

	topic("full");
	tcp_pair(5302, &c, &s);
	nonblocking(c, true);
	nonblocking(s, true);
	while ((n = write(c, block, sizeof(block))) > 0)
		total += n;
	CALL("write", write(c, block, 1));
	/* What lies underway moves on for a while. */
	for (int i = 0; i < 20 && await(s, POLLIN); i++)
		while ((n = write(c, block, sizeof(block))) > 0)
			total += n;
	say_poll("writer", c, ALL);
	say_poll("reader", s, ALL);
	while (total > 0) {
		await(s, POLLIN);
		n = read(s, block, sizeof(block));
		if (n <= 0)
			break;
		total -= n;
	}
	say("left", "%zd", total);
	say("writable again", "%d", await(c, POLLOUT));
	say_poll("writer, drained", c, ALL);
	say_poll("reader, drained", s, ALL);
	close(c);
	close(s);
}

static void many(void)
{
	int c, s, fds[2];
	struct pollfd p[6];

	topic("many");
	tcp_pair(5303, &c, &s);
	pipe(fds);
	send(c, "x", 1, 0);
	await(s, POLLIN);
	memset(p, 0, sizeof(p));
	p[0] = (struct pollfd){ s, POLLIN | POLLOUT, 0 };
	p[1] = (struct pollfd){ c, POLLIN, 0 };
	p[2] = (struct pollfd){ fds[0], POLLIN, 0 };
	p[3] = (struct pollfd){ -1, POLLIN, 0 };
	p[4] = (struct pollfd){ 999, POLLIN, 0 };
	p[5] = (struct pollfd){ s, POLLIN, 0 };
	CALL("poll", poll(p, 6, 0));
	for (int i = 0; i < 6; i++) {
		char label[16];

		snprintf(label, sizeof(label), "entry %d", i);
		say(label, "%s", poll_text((unsigned short)p[i].revents));
	}
	CALL("poll of none", poll(NULL, 0, 0));
	close(c);
	close(s);
	close(fds[0]);
	close(fds[1]);
}

static void times(void)
{
	struct timespec ts = { 0, 50000000 };
	int c, s;
	struct pollfd p;
	uint64_t start = now_ms();

	topic("times");
	tcp_pair(5304, &c, &s);
	p = (struct pollfd){ c, POLLIN, 0 };
	CALL("poll 50 ms", poll(&p, 1, 50));
	say("time of poll", "%s", took(start, 50, 2000));
	start = now_ms();
	CALL("ppoll 50 ms", ppoll(&p, 1, &ts, NULL));
	say("time of ppoll", "%s", took(start, 50, 2000));
	ts.tv_nsec = 1000000000;
	CALL("ppoll with a bad time", ppoll(&p, 1, &ts, NULL));
	start = now_ms();
	send(s, "x", 1, 0);
	CALL("poll that is woken", poll(&p, 1, WAIT_MS));
	say("bits", "%s", poll_text((unsigned short)p.revents));
	say("time of waking", "%s", took(start, 0, 1000));
	close(c);
	close(s);
}

/* A blocked poll() wakes for what another process does. */
static void child_acts(void *arg)
{
	int *fd = arg;

	switch (fd[1]) {
	case 0: send(fd[0], "x", 1, 0); break;
	case 1: shutdown(fd[0], SHUT_WR); break;
	case 2: shutdown(fd[0], SHUT_RDWR); break;
	}
}

static void woken(void)
{
	static const char *const names[] = { "by data", "by SHUT_WR", "by SHUT_RDWR" };

	topic("woken");
	for (int i = 0; i < 3; i++) {
		int c, s, arg[2], status;
		struct pollfd p;
		pid_t pid;

		tcp_pair(5305 + i, &c, &s);
		arg[0] = c;
		arg[1] = i;
		p = (struct pollfd){ s, POLLIN | POLLRDHUP, 0 };
		pid = fork();
		if (pid == 0) {
			child_acts(arg);
			_exit(0);
		}
		CALL(names[i], poll(&p, 1, WAIT_MS));
		waitpid(pid, &status, 0);
		await(s, POLLIN);
		say_poll(i == 0 ? "data" : i == 1 ? "SHUT_WR" : "SHUT_RDWR", s, ALL);
		close(c);
		close(s);
	}
}

void run(void)
{
	states();
	full();
	many();
	times();
	woken();
}
