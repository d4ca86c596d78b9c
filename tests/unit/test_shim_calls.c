/* SPDX-License-Identifier: MIT */
/*
 * The shim against a fake host: each test runs one of the programs below under libwireshim.so, in
 * a process of its own, and wants it to exit with 0. What a program expects is what Linux gives
 * for a TCP or UDP socket.
 *
 * The library is the one that was built along (WIRESHIM_BUILD, else build/); without it the tests
 * are skipped.
 */
#include "tests/unit/check.h"
#include "tests/unit/fake_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * --- inside the program
 * -------------------------------------------------------------------------------------------
 */

#define WANT(cond)                                                                           \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond, \
				errno);                                                      \
			exit(1);                                                             \
		}                                                                            \
	} while (0)
#define WANT_ERRNO(call, err)         \
	do {                          \
		errno = 0;            \
		WANT((call) == -1);   \
		WANT(errno == (err)); \
	} while (0)

static struct sockaddr_in at(const char *ip, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, ip, &in.sin_addr);
	return in;
}

static int open_to(int type, int port)
{
	struct sockaddr_in to = at("10.0.0.2", port);
	int fd = socket(AF_INET, type, 0);

	WANT(fd >= 0);
	WANT(connect(fd, (void *)&to, sizeof(to)) == 0);
	return fd;
}

static short ready(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	poll(&p, 1, timeout);
	return p.revents;
}

static short wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	WANT(poll(&p, 1, 5000) == 1);
	return p.revents;
}

static void fresh_stream(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), v = 0;
	socklen_t len = sizeof(v);
	struct sockaddr_in a;
	socklen_t alen = sizeof(a);
	char c;

	signal(SIGPIPE, SIG_IGN);
	WANT(fd == 3);
	WANT(ready(fd, 0) == (POLLOUT | POLLHUP));
	WANT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	WANT_ERRNO(recv(fd, &c, 1, 0), ENOTCONN);
	WANT_ERRNO(read(fd, &c, 1), ENOTCONN);
	WANT_ERRNO(send(fd, &c, 1, 0), EPIPE);
	WANT_ERRNO(write(fd, &c, 1), EPIPE);
	WANT_ERRNO(getpeername(fd, (void *)&a, &alen), ENOTCONN);
	WANT_ERRNO(shutdown(fd, SHUT_WR), ENOTCONN);
	WANT(getsockname(fd, (void *)&a, &alen) == 0 && alen == sizeof(a) &&
	     a.sin_family == AF_INET && !a.sin_port);
	WANT(getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len) == 0 && v == SOCK_STREAM);
	WANT(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len) == 0 && v == AF_INET);
	WANT(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &len) == 0 && v == IPPROTO_TCP);
	WANT_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	WANT_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	WANT_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	WANT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	WANT_ERRNO(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT);
}

static void echo_stream(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE), on = 1;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char buf[16] = "";

	errno = 77;
	WANT(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	WANT(getpeername(fd, (void *)&a, &len) == 0 && a.sin_port == htons(FAKE_AT_ONCE));
	WANT(errno == 77);
	WANT(write(fd, "hello", 5) == 5);
	WANT(recv(fd, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "hello", 5));
	WANT(errno == 77);
	WANT_ERRNO(recv(fd, buf, 1, MSG_DONTWAIT), EAGAIN);
	WANT(send(fd, "x", 1, MSG_NOSIGNAL) == 1);
	WANT(wait_for(fd, POLLIN) & POLLIN);
	WANT(ioctl(fd, FIONREAD, &on) == 0 && on == 1);
	WANT(shutdown(fd, SHUT_WR) == 0);
	WANT(read(fd, buf, sizeof(buf)) == 1);
	WANT(read(fd, buf, sizeof(buf)) == 0);
	WANT(close(fd) == 0);
	WANT_ERRNO(read(fd, buf, 1), EBADF);
}

static void blocking_connect(void)
{
	struct sockaddr_in refused = at("10.0.0.2", FAKE_REFUSED), good = at("10.0.0.2", FAKE_SOON);
	struct timeval tv = { 0, 100000 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), size = 0;
	socklen_t len = sizeof(size);
	char buf[4];

	WANT_ERRNO(connect(fd, (void *)&refused, sizeof(refused)), ECONNREFUSED);
	WANT(connect(fd, (void *)&good, sizeof(good)) == 0);
	WANT_ERRNO(connect(fd, (void *)&good, sizeof(good)), EISCONN);
	WANT(send(fd, "ab", 2, 0) == 2 && recv(fd, buf, 2, MSG_WAITALL) == 2 && buf[0] == 'a');
	WANT(ready(fd, 0) == POLLOUT);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	WANT(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0);
	good = at("10.0.0.2", FAKE_FILTERED);
	WANT_ERRNO(connect(fd, (void *)&good, sizeof(good)), EINPROGRESS);
	good = at("10.0.0.2", FAKE_UNREACHABLE);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	WANT_ERRNO(connect(fd, (void *)&good, sizeof(good)), ENETUNREACH);
	WANT_ERRNO(connect(fd, (void *)&good, 4), EINVAL);
	good.sin_family = AF_INET6;
	WANT_ERRNO(connect(fd, (void *)&good, sizeof(good)), EAFNOSUPPORT);
	(void)len;
}

static int handler_tells = -1;

static void on_signal(int sig)
{
	(void)sig;
	if (handler_tells >= 0 && write(handler_tells, "h", 1) != 1)
		abort();
}

/*
 * Linux restarts connect() after a handler with SA_RESTART, gives EINTR without, and never
 * restarts with a limit.
 */
static void interrupted_connect(void)
{
	struct sockaddr_in to = at("10.0.0.2", FAKE_FILTERED);
	struct sigaction sa = { .sa_handler = on_signal };
	struct timeval limit = { 5, 0 };
	timer_t timer;
	struct itimerspec soon = { .it_value = { 0, 50000000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), pid, tell[2];
	char c;

	sigaction(SIGUSR1, &sa, NULL);
	timer_create(CLOCK_MONOTONIC, &ev, &timer);
	timer_settime(timer, 0, &soon, NULL);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINTR);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	timer_settime(timer, 0, &soon, NULL);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINTR);
	/* Restarted for ever: each signal is handled, and the call never comes back. */
	WANT(pipe(tell) == 0);
	handler_tells = tell[1];
	pid = fork();
	if (pid == 0) {
		raise(SIGUSR1);
		(void)connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof(to));
		_exit(write(tell[1], "returned", 8) != 8);
	}
	for (int i = 0; i < 30; i++) {
		WANT(read(tell[0], &c, 1) == 1 && c == 'h');
		kill(pid, SIGUSR1);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void nonblocking_connect(void)
{
	struct sockaddr_in to = at("10.0.0.2", FAKE_SOON);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = -1;
	socklen_t len = sizeof(err);
	char buf[2000] = "";

	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
	WANT(wait_for(fd, POLLOUT) == POLLOUT);
	WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0);
	WANT(write(fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf));
	to = at("10.0.0.2", FAKE_FILTERED);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
	WANT(ready(fd, 50) == 0);
	WANT_ERRNO(write(fd, buf, 1), EAGAIN);
	WANT_ERRNO(send(fd, buf, sizeof(buf), MSG_NOSIGNAL), EAGAIN);
	WANT_ERRNO(recv(fd, buf, 1, 0), EAGAIN);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EALREADY);
	WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0);
	WANT(ready(fd, 0) == 0);
}

static void nonblocking_refused(void)
{
	struct sockaddr_in to = at("10.0.0.2", FAKE_REFUSED);
	int err = -1, epfd = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLOUT, .data.u32 = 7 }, got;
	socklen_t len = sizeof(err);
	char c;

	for (int way = 0; way < 4; way++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
		WANT((wait_for(fd, POLLOUT) & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
		switch (way) {
		case 0:
			WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 &&
			     err == ECONNREFUSED);
			WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == 0);
			WANT(recv(fd, &c, 1, 0) == 0);
			break;
		case 1: WANT_ERRNO(recv(fd, &c, 1, 0), ECONNREFUSED); break;
		case 2:
			WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), ECONNREFUSED);
			WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
			break;
		default: WANT_ERRNO(write(fd, "x", 1), ECONNREFUSED);
		}
	}
	/* A second connect on the same number, registered with epoll all along. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	WANT(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == 0);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
	WANT(wait_for(fd, POLLOUT) & POLLERR);
	WANT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err == ECONNREFUSED);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), ECONNABORTED);
	to = at("10.0.0.2", FAKE_SOON);
	WANT_ERRNO(connect(fd, (void *)&to, sizeof(to)), EINPROGRESS);
	WANT(epoll_wait(epfd, &got, 1, 5000) == 1 && got.data.u32 == 7 && got.events == EPOLLOUT);
	WANT(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void reset_and_fin(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_FIN);
	char buf[8];

	WANT(recv(fd, buf, 8, MSG_WAITALL) == 3 && recv(fd, buf, 8, 0) == 0);
	WANT(send(fd, "still", 5, MSG_NOSIGNAL) == 5);
	fd = open_to(SOCK_STREAM, FAKE_RESET);
	WANT(send(fd, "x", 1, 0) == 1);
	WANT_ERRNO(recv(fd, buf, 8, 0), ECONNRESET);
	WANT(recv(fd, buf, 8, 0) == 0);
	WANT_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	/* Reset between being made and being looked at: connect() has succeeded, the next call tells. */
	fd = open_to(SOCK_STREAM, FAKE_SHORT);
	WANT_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), ECONNRESET);
	WANT_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void server(void)
{
	struct sockaddr_in any = at("0.0.0.0", 80), peer;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c, yes = 0;
	socklen_t len = sizeof(peer);
	char buf[8];

	signal(SIGPIPE, SIG_IGN);
	WANT(bind(fd, (void *)&any, sizeof(any)) == 0);
	WANT_ERRNO(accept(fd, NULL, NULL), EINVAL);
	WANT(listen(fd, 5) == 0);
	WANT(wait_for(fd, POLLIN) == POLLIN);
	WANT(ready(fd, 0) == POLLIN);
	WANT_ERRNO(recv(fd, buf, 1, 0), ENOTCONN);
	WANT_ERRNO(send(fd, buf, 1, 0), EPIPE);
	WANT(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &(socklen_t){ sizeof(yes) }) == 0 &&
	     yes == 1);
	c = accept4(fd, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	WANT(c == fd + 1 && len == sizeof(peer) && peer.sin_port == htons(4242));
	WANT(fcntl(c, F_GETFD) == FD_CLOEXEC && (fcntl(c, F_GETFL) & O_NONBLOCK));
	WANT_ERRNO(accept(fd, NULL, NULL), EAGAIN);
	WANT(ready(fd, 0) == 0);
	WANT(write(c, "abc", 3) == 3);
	WANT(wait_for(c, POLLIN) & POLLIN);
	WANT(read(c, buf, 8) == 3);
	WANT(shutdown(fd, SHUT_RDWR) == 0);
	WANT_ERRNO(accept(fd, NULL, NULL), EINVAL);
}

static void datagrams(void)
{
	struct sockaddr_in to = at("10.0.0.9", 99), from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), n = -1;
	socklen_t len = sizeof(from);
	char buf[70000] = "";
	struct iovec iov[2] = { { (char[]){ "ab" }, 2 }, { (char[]){ "cde" }, 3 } };
	struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 2
	};

	WANT_ERRNO(send(fd, "x", 1, 0), EDESTADDRREQ);
	WANT_ERRNO(recv(fd, buf, 1, MSG_DONTWAIT), EAGAIN);
	WANT(sendto(fd, "hello", 5, 0, (void *)&to, sizeof(to)) == 5);
	WANT(wait_for(fd, POLLIN) & POLLIN);
	WANT(recv(fd, buf, 2, MSG_PEEK | MSG_TRUNC) == 5);
	WANT(ioctl(fd, FIONREAD, &n) == 0 && n == 5);
	WANT(recvfrom(fd, buf, 3, 0, (void *)&from, &len) == 3 && len == sizeof(from) &&
	     from.sin_port == htons(99));
	WANT(ioctl(fd, FIONREAD, &n) == 0 && n == 0);
	WANT(sendto(fd, "", 0, 0, (void *)&to, sizeof(to)) == 0);
	WANT(recv(fd, buf, 8, 0) == 0);
	WANT(sendmsg(fd, &m, 0) == 5);
	m.msg_namelen = 2;
	iov[0].iov_base = buf;
	iov[1].iov_base = buf + 2;
	WANT(recvmsg(fd, &m, 0) == 5 && !memcmp(buf, "abcde", 5) && m.msg_namelen == sizeof(to) &&
	     !m.msg_flags);
	WANT_ERRNO(sendto(fd, buf, 65508, 0, (void *)&to, sizeof(to)), EMSGSIZE);
	WANT(sendto(fd, buf, 65507, 0, (void *)&to, sizeof(to)) == 65507);
	WANT(read(fd, buf, sizeof(buf)) == 65507);
	to.sin_port = htons(FAKE_UNREACHABLE);
	WANT_ERRNO(sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)), ENETUNREACH);
	to.sin_port = htons(FAKE_DGRAM_REFUSED);
	WANT(connect(fd, (void *)&to, sizeof(to)) == 0);
	WANT(write(fd, "x", 1) == 1);
	WANT_ERRNO(recv(fd, buf, 1, 0), ECONNREFUSED);
	WANT(write(fd, "x", 1) == 1);
	WANT(wait_for(fd, POLLIN) == POLLERR);
	WANT_ERRNO(write(fd, "x", 1), ECONNREFUSED);
	WANT_ERRNO(recv(fd, buf, 1, MSG_DONTWAIT), EAGAIN);
}

static void many_datagrams(void)
{
	int fd = open_to(SOCK_DGRAM, 99);
	char in[3][8], out[3][8] = { "one", "two", "three" };
	struct iovec iov[3];
	struct mmsghdr v[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){ out[i], strlen(out[i]) };
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	WANT(sendmmsg(fd, v, 3, 0) == 3 && v[2].msg_len == 5);
	for (int i = 0; i < 3; i++)
		iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
	for (int got = 0; got < 3;) {
		int n = recvmmsg(fd, v + got, (unsigned int)(3 - got), MSG_WAITFORONE, NULL);

		WANT(n > 0);
		got += n;
	}
	WANT(v[0].msg_len == 3 && v[2].msg_len == 5 && !memcmp(in[2], "three", 5));
}

static void loopback_is_the_kernels(void)
{
	struct sockaddr_in lo = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    one = 1, v = 0;
	int epfd = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 5 }, got;
	socklen_t len = sizeof(lo), vlen = sizeof(v);

	WANT(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	WANT(epoll_ctl(epfd, EPOLL_CTL_ADD, l, &ev) == 0);
	WANT(bind(l, (void *)&lo, sizeof(lo)) == 0 && listen(l, 1) == 0);
	WANT(getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &v, &vlen) == 0 && v == 1);
	WANT(getsockname(l, (void *)&lo, &len) == 0 && lo.sin_port);
	WANT(connect(c, (void *)&lo, sizeof(lo)) == 0);
	WANT(fcntl(c, F_GETFD) == FD_CLOEXEC);
	WANT(epoll_wait(epfd, &got, 1, 5000) == 1 && got.data.u32 == 5);
	v = accept(l, NULL, NULL);
	WANT(v >= 0 && write(v, "k", 1) == 1);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	WANT(sendto(c, "x", 1, 0, (void *)&lo, sizeof(lo)) == 1);
}

static void descriptors_move(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE), pair[2], got = -1;
	struct iovec iov = { (char[]){ "x" }, 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char c;

	WANT(dup2(fd, 50) == 50 && close(fd) == 0);
	WANT(write(50, "d", 1) == 1 && read(50, &c, 1) == 1);
	WANT(getpeername(50, (void *)&a, &len) == 0 && a.sin_port == htons(FAKE_AT_ONCE));
	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &(int){ 50 }, sizeof(int));
	WANT(sendmsg(pair[0], &m, 0) == 1 && close(50) == 0);
	WANT(recvmsg(pair[1], &m, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	WANT(getpeername(got, (void *)&a, &len) == 0 && a.sin_port == htons(FAKE_AT_ONCE));
	if (fork() == 0) {
		WANT(getpeername(got, (void *)&a, &len) == 0);
		WANT(close_range(4, 1000, 0) == 0); /* and with it the control connection */
		WANT(dup2(got, 0) == -1 || got < 4);
		fd = open_to(SOCK_STREAM, FAKE_AT_ONCE);
		WANT(write(fd, "f", 1) == 1 && read(fd, &c, 1) == 1 && c == 'f');
		_exit(0);
	}
	WANT(wait(&got) > 0 && got == 0);
}

static void inherited_over_exec(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE), dg = open_to(SOCK_DGRAM, 99), status;
	char a[12], b[12];

	snprintf(a, sizeof(a), "%d", fd);
	snprintf(b, sizeof(b), "%d", dg);
	if (vfork() == 0) {
		char preload[512], program[] = "SHIM_PROGRAM=after_exec";
		char sanitizer[] = "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0";

		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
		execle("/proc/self/exe", "self", a, b, NULL,
		       (char *[]){ preload, program, sanitizer, NULL });
		_exit(9);
	}
	WANT(wait(&status) > 0 && status == 0);
	WANT(write(fd, "p", 1) == 1);
}

static int exec_argc;
static char **exec_argv;

static void after_exec(void)
{
	int fd = atoi(exec_argv[1]), dg = atoi(exec_argv[2]), v = 0;
	struct sockaddr_in a;
	socklen_t len = sizeof(a), vlen = sizeof(v);
	char c[4];

	WANT(exec_argc == 3);
	WANT(getpeername(fd, (void *)&a, &len) == 0 && a.sin_port == htons(FAKE_AT_ONCE));
	WANT(write(dg, "u", 1) == 1 && read(dg, c, 4) == 1 && c[0] == 'u');
	WANT(getsockopt(dg, SOL_SOCKET, SO_TYPE, &v, &vlen) == 0 && v == SOCK_DGRAM);
	fd = open_to(SOCK_STREAM, FAKE_AT_ONCE);
	WANT(write(fd, "n", 1) == 1 && read(fd, c, 1) == 1);
}

/* stdio and fclose reach the kernel behind every symbol; the number is then something else. */
static void closed_behind_the_back(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE), dg, again;
	FILE *f = fdopen(fd, "r+");
	char line[16] = "";

	WANT(f && fprintf(f, "line\n") > 0 && fflush(f) == 0 && fgets(line, sizeof(line), f) &&
	     !strcmp(line, "line\n"));
	WANT(fclose(f) == 0);
	again = open("/dev/null", O_RDWR);
	WANT(again == fd);
	WANT(read(fd, line, 4) == 0);
	WANT_ERRNO(getpeername(fd, (void *)line, &(socklen_t){ 16 }), ENOTSOCK);
	dg = open_to(SOCK_DGRAM, 99);
	f = fdopen(dg, "r+");
	fclose(f);
	again = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	WANT(again == dg && write(dg, "plain", 5) == 5 && lseek(dg, 0, SEEK_SET) == 0);
	WANT(read(dg, line, sizeof(line)) == 5 && !memcmp(line, "plain", 5));
}

static void names(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME }, *res;
	struct hostent *h;

	WANT(getaddrinfo("www.test", "80", &hints, &res) == 0);
	WANT(res->ai_family == AF_INET && res->ai_socktype == SOCK_STREAM &&
	     res->ai_protocol == IPPROTO_TCP);
	WANT(!strcmp(res->ai_canonname, "canon.test"));
	WANT(((struct sockaddr_in *)(void *)res->ai_addr)->sin_port == htons(80));
	WANT(res->ai_next && !res->ai_next->ai_next);
	freeaddrinfo(res);
	WANT(getaddrinfo("nowhere.test", NULL, NULL, &res) == EAI_NONAME);
	WANT(getaddrinfo("10.1.2.3", "http", NULL, &res) == 0 && res->ai_family == AF_INET);
	freeaddrinfo(res);
	WANT(getaddrinfo("localhost", "80", &hints, &res) == 0);
	WANT(((struct sockaddr_in *)(void *)res->ai_addr)->sin_addr.s_addr ==
	     htonl(INADDR_LOOPBACK));
	freeaddrinfo(res);
	h = gethostbyname("www.test");
	WANT(h && h->h_length == 4 && h->h_addr_list[1] && !h->h_addr_list[2] &&
	     !strcmp(h->h_name, "canon.test"));
	WANT(!gethostbyname("nowhere.test") && h_errno == HOST_NOT_FOUND);
}

static void *use_sockets(void *arg)
{
	for (int i = 0; i < 30; i++) {
		int fd = open_to(SOCK_STREAM, i % 2 ? FAKE_AT_ONCE : FAKE_SOON);
		char c = 'q';

		WANT(write(fd, &c, 1) == 1 && read(fd, &c, 1) == 1);
		WANT(close(fd) == 0);
	}
	return arg;
}

static void threads_and_children(void)
{
	pthread_t t[4];
	int status;

	for (int i = 0; i < 4; i++)
		WANT(pthread_create(&t[i], NULL, use_sockets, NULL) == 0);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE);

			_exit(fd < 0);
		}
		WANT(waitpid(pid, &status, 0) == pid && status == 0);
		WANT(system("true") == 0);
	}
	for (int i = 0; i < 4; i++)
		WANT(pthread_join(t[i], NULL) == 0);
}

static void host_dies(void)
{
	int fd = open_to(SOCK_STREAM, FAKE_AT_ONCE), dg = open_to(SOCK_DGRAM, 99);
	char c;

	kill(atoi(getenv("SHIM_HOST_PID")), SIGKILL);
	WANT(wait_for(dg, POLLIN) & POLLHUP);
	WANT_ERRNO(recv(dg, &c, 1, 0), ENETDOWN);
	WANT_ERRNO(recv(fd, &c, 1, 0), ENETDOWN);
	WANT_ERRNO(send(fd, &c, 1, MSG_NOSIGNAL), ENETDOWN);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	WANT(fd >= 0);
	WANT_ERRNO(connect(fd, (void *)&(struct sockaddr_in){ .sin_family = AF_INET },
			   sizeof(struct sockaddr_in)),
		   ENETDOWN);
}

/*
 * --- the tests ----------------------------------------------------------------------------------
 * ------------------
 */

static const struct program {
	const char *name;
	void (*run)(void);
} programs[] = {
	{ "fresh_stream", fresh_stream },
	{ "echo_stream", echo_stream },
	{ "blocking_connect", blocking_connect },
	{ "interrupted_connect", interrupted_connect },
	{ "nonblocking_connect", nonblocking_connect },
	{ "nonblocking_refused", nonblocking_refused },
	{ "reset_and_fin", reset_and_fin },
	{ "server", server },
	{ "datagrams", datagrams },
	{ "many_datagrams", many_datagrams },
	{ "loopback_is_the_kernels", loopback_is_the_kernels },
	{ "descriptors_move", descriptors_move },
	{ "inherited_over_exec", inherited_over_exec },
	{ "after_exec", after_exec },
	{ "closed_behind_the_back", closed_behind_the_back },
	{ "names", names },
	{ "threads_and_children", threads_and_children },
	{ "host_dies", host_dies },
};

/* Before main(): this may be the program and not the test. */
__attribute__((constructor)) static void be_the_program(int argc, char **argv)
{
	const char *name = getenv("SHIM_PROGRAM");

	exec_argc = argc;
	exec_argv = argv;
	for (size_t i = 0; name && i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (strcmp(name, programs[i].name))
			continue;
		alarm(20);
		programs[i].run();
		exit(0);
	}
}

static void run_under_shim(const char *name, const char *library, const char *host, int host_pid)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", host_pid);
	setenv("SHIM_PROGRAM", name, 1);
	setenv("SHIM_HOST_PID", pid, 1);
	setenv("WIRESHIM_SOCKET", host, 1);
	setenv("LD_PRELOAD", library, 1);
	/*
	 * The program itself carries the sanitizer; its runtime cannot come before the library
	 * then.
	 */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
	execl("/proc/self/exe", "program", NULL);
	_exit(127);
}

static void run(const char *name)
{
	const char *build = getenv("WIRESHIM_BUILD");
	char library[512], host[64];
	int host_pid, status = -1;
	pid_t pid;

	snprintf(library, sizeof(library), "%s/libwireshim.so", build ? build : "build");
	if (access(library, R_OK))
		SKIP("libwireshim.so is not built");
	snprintf(host, sizeof(host), "wireshim/test/%d", (int)getpid());
	host_pid = fake_host_start(host + 9);
	pid = fork();
	if (pid == 0)
		run_under_shim(name, library, host, host_pid);
	waitpid(pid, &status, 0);
	fake_host_stop(host_pid);
	CHECK_MSG(status == 0, "the program %s: status 0x%x", name, (unsigned int)status);
}

#define SHIM_TEST(name)        \
	TEST(test_shim_##name) \
	{                      \
		run(#name);    \
	}

SHIM_TEST(fresh_stream)
SHIM_TEST(echo_stream)
SHIM_TEST(blocking_connect)
SHIM_TEST(interrupted_connect)
SHIM_TEST(nonblocking_connect)
SHIM_TEST(nonblocking_refused)
SHIM_TEST(reset_and_fin)
SHIM_TEST(server)
SHIM_TEST(datagrams)
SHIM_TEST(many_datagrams)
SHIM_TEST(loopback_is_the_kernels)
SHIM_TEST(descriptors_move)
SHIM_TEST(inherited_over_exec)
SHIM_TEST(closed_behind_the_back)
SHIM_TEST(names)
SHIM_TEST(threads_and_children)
SHIM_TEST(host_dies)
