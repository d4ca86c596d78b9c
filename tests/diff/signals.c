/* SPDX-License-Identifier: MIT */
/* Signals while a call waits: EINTR, SA_RESTART, SIGPIPE, SIGIO, masks of ppoll and pselect. */
#include "tests/diff/diff.h"

#include <sys/syscall.h>

static volatile sig_atomic_t count;

static void handler(int sig)
{
	(void)sig;
	count++;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	count = 0;
	sigaction(sig, &sa, NULL);
}

/* A child that interrupts us once we sleep, and then does something that ends the wait. */
static pid_t interrupter(int fd, bool then_send)
{
	pid_t parent = getpid(), pid = fork();
	char path[64], text[256];

	if (pid)
		return pid;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)parent);
	for (int asleep = 0; asleep < 3;) {
		FILE *f = fopen(path, "r");
		char *state;

		if (!f || !fgets(text, sizeof(text), f))
			_exit(1);
		fclose(f);
		state = strrchr(text, ')');
		asleep = state && state[2] == 'S' ? asleep + 1 : 0;
		poll(NULL, 0, 2);
	}
	kill(parent, SIGUSR1);
	if (then_send) {
		poll(NULL, 0, 20);
		send(fd, "late", 4, 0);
	}
	_exit(0);
}

static void interrupted(int flags, const char *name)
{
	struct sockaddr_in a = at("127.0.0.1", flags ? 5141 : 5142);
	struct sockaddr_in to = at("127.0.0.1", flags ? 5143 : 5144);
	int port = flags ? 5145 : 5155, l, c, s, u, ep, status;
	struct epoll_event e;
	struct pollfd p;
	struct timeval tv;
	char buf[16];
	pid_t pid;

	topic(name);
	catch (SIGUSR1, flags);
	tcp_pair(port, &c, &s);
	pid = interrupter(c, true);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	waitpid(pid, &status, 0);
	say("recv, signals", "%d", (int)count);
	await(s, flags ? 0 : POLLIN);
	recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	pid = interrupter(c, true);
	DATA("read", read(s, buf, sizeof(buf)), buf);
	waitpid(pid, &status, 0);
	await(s, flags ? 0 : POLLIN);
	recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	tv = (struct timeval){ 2, 0 };
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	pid = interrupter(c, true);
	DATA("recv with a time limit", recv(s, buf, sizeof(buf), 0), buf);
	waitpid(pid, &status, 0);
	await(s, POLLIN);
	recv(s, buf, sizeof(buf), MSG_DONTWAIT);
	p = (struct pollfd){ s, POLLIN, 0 };
	pid = interrupter(c, false);
	CALL("poll", poll(&p, 1, WAIT_MS));
	waitpid(pid, &status, 0);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &(struct epoll_event){ .events = EPOLLIN });
	pid = interrupter(c, false);
	CALL("epoll_wait", epoll_wait(ep, &e, 1, WAIT_MS));
	waitpid(pid, &status, 0);
	close(ep);
	u = udp_bound(flags ? 5143 : 5144);
	pid = fork();
	if (pid == 0) {
		int x = udp_socket();

		connect(x, SA(&to));
		pid = interrupter(x, true);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	close(u);
	l = tcp_socket();
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	bind(l, SA(&a));
	listen(l, 4);
	pid = interrupter(c, false);
	if (!flags)
		CALL("accept", accept(l, NULL, NULL));
	waitpid(pid, &status, 0);
	close(l);
	close(c);
	close(s);
}

static void pipe_signal(void)
{
	int c, s;

	topic("SIGPIPE");
	catch (SIGPIPE, 0);
	c = tcp_socket();
	CALL("send on a fresh one", send(c, "x", 1, 0));
	say("signals", "%d", (int)count);
	CALL("send NOSIGNAL", send(c, "x", 1, MSG_NOSIGNAL));
	say("signals after NOSIGNAL", "%d", (int)count);
	CALL("write on a fresh one", write(c, "x", 1));
	say("signals after write", "%d", (int)count);
	close(c);
	count = 0;
	tcp_pair(5161, &c, &s);
	shutdown(c, SHUT_WR);
	CALL("send after SHUT_WR", send(c, "x", 1, 0));
	say("signals of it", "%d", (int)count);
	CALL("send NOSIGNAL after SHUT_WR", send(c, "x", 1, MSG_NOSIGNAL));
	say("signals of that", "%d", (int)count);
	close(c);
	close(s);
	count = 0;
	tcp_pair(5162, &c, &s);
	close(c);
	await(s, POLLRDHUP);
	send(s, "x", 1, 0);
	await(s, POLLHUP);
	CALL("send after the reset", send(s, "x", 1, 0));
	say("signals after the reset", "%d", (int)count);
	CALL("write after the reset", write(s, "x", 1));
	say("signals after write and reset", "%d", (int)count);
	close(s);
	signal(SIGPIPE, SIG_IGN);
}

/* The mask holds for the wait only; a signal that it lets through ends it. */
static void masks(void)
{
	struct timespec ts = { 0, 20000000 };
	sigset_t blocked, none;
	int c, s;
	struct pollfd p;
	fd_set set;

	topic("masks");
	catch (SIGUSR1, 0);
	tcp_pair(5163, &c, &s);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	say("pending", "%d", (int)count);
	p = (struct pollfd){ s, POLLIN, 0 };
	CALL("ppoll with the same mask", ppoll(&p, 1, &ts, &blocked));
	say("after it", "%d", (int)count);
	CALL("ppoll with an empty mask", ppoll(&p, 1, &ts, &none));
	say("after that", "%d", (int)count);
	raise(SIGUSR1);
	FD_ZERO(&set);
	FD_SET(s, &set);
	CALL("pselect with an empty mask", pselect(s + 1, &set, NULL, NULL, &ts, &none));
	say("after pselect", "%d", (int)count);
	raise(SIGUSR1);
	send(c, "x", 1, 0);
	await(s, POLLIN);
	CALL("ppoll with data there", ppoll(&p, 1, &ts, &none));
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	say("after all", "%d", (int)count);
	close(c);
	close(s);
}

static void io_signal(void)
{
	int c, s;

	topic("SIGIO");
	tcp_pair(5164, &c, &s);
	catch (SIGIO, 0);
	CALL("F_SETOWN", fcntl(s, F_SETOWN, getpid()));
	CALL("O_ASYNC", fcntl(s, F_SETFL, O_RDWR | O_ASYNC));
	send(c, "x", 1, 0);
	await(s, POLLIN);
	say("came", "%d", count > 0);
	count = 0;
	close(c);
	await(s, POLLRDHUP);
	say("came at the end", "%d", count > 0);
	signal(SIGIO, SIG_IGN);
	close(s);
}

void run(void)
{
	interrupted(0, "EINTR");
	interrupted(SA_RESTART, "SA_RESTART");
	pipe_signal();
	masks();
	io_signal();
}
