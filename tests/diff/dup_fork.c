/* SPDX-License-Identifier: MIT */
/* Duplicates, forks, exec, descriptors sent to others: one socket, many holders. */
#include "tests/diff/diff.h"

#include <spawn.h>
#include <sys/syscall.h>

static void duplicates(void)
{
	char buf[16];
	int c, s, d, e;

	topic("dup");
	tcp_pair(5111, &c, &s);
	CALL("dup", d = dup(c));
	CALL("dup2 to itself", dup2(c, c));
	CALL("dup2", e = dup2(c, 40));
	CALL("dup3 to itself", dup3(c, c, 0));
	CALL("dup3 CLOEXEC", dup3(c, 41, O_CLOEXEC));
	CALL("its F_GETFD", fcntl(41, F_GETFD));
	CALL("dup3 with other flags", dup3(c, 42, O_NONBLOCK));
	CALL("close of the first", close(c));
	CALL("send by the second", send(d, "two", 3, 0));
	CALL("send by the third", send(e, "three", 5, 0));
	await_bytes(s, 8);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	nonblocking(d, true);
	CALL("O_NONBLOCK is shared", fcntl(e, F_GETFL) & O_NONBLOCK);
	CALL("recv by another", recv(41, buf, 1, 0));
	CALL("shutdown by one", shutdown(d, SHUT_WR));
	CALL("send by another", send(e, "x", 1, 0));
	await(s, POLLRDHUP);
	CALL("recv of the other end", recv(s, buf, sizeof(buf), 0));
	say_name("getpeername of another", 41, true);
	close(d);
	close(e);
	close(41);
	close(s);
	CALL("dup of a closed one", dup(d));
	CALL("dup2 of a closed one", dup2(d, 43));
}

static void replace(void)
{
	char buf[16];
	int c, s, file = open("/dev/null", O_RDWR);

	topic("replace");
	tcp_pair(5112, &c, &s);
	CALL("dup2 of a file over it", dup2(file, c));
	CALL("write to the file", write(c, "x", 1));
	await(s, POLLRDHUP);
	CALL("recv at the end", recv(s, buf, sizeof(buf), 0));
	CALL("getsockname of a file", getsockname(c, (struct sockaddr *)buf, &(socklen_t){ 16 }));
	CALL("close_range", close_range((unsigned int)s, (unsigned int)s, 0));
	CALL("send when closed", send(s, "x", 1, 0));
	close(c);
	close(file);
}

static void child_talks(void *arg)
{
	int fd = *(int *)arg;
	char buf[8];
	long n;

	n = recv(fd, buf, 3, 0);
	say("child received", "%ld", n);
	say_name("child's getpeername", fd, true);
	send(fd, "from child", 10, 0);
}

static void forked(void)
{
	char buf[16];
	int c, s;

	topic("fork");
	tcp_pair(5113, &c, &s);
	send(c, "abc", 3, 0);
	CALL("child", in_child(child_talks, &s));
	DATA("recv", recv(c, buf, sizeof(buf), 0), buf);
	CALL("send by the parent", send(s, "parent", 6, 0));
	await_bytes(c, 6);
	DATA("recv from the parent", recv(c, buf, sizeof(buf), 0), buf);
	CALL("nothing is closed", recv(c, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("close in the parent", close(s));
	await(c, POLLRDHUP);
	CALL("recv at the end", recv(c, buf, sizeof(buf), 0));
	close(c);
}

/* The connection ends only when its last holder does. */
static void last_holder(void)
{
	int c, s, status, sync[2];
	char buf[16];
	pid_t pid;

	topic("last holder");
	tcp_pair(5114, &c, &s);
	pipe(sync);
	pid = fork();
	if (pid == 0) {
		close(c);
		close(sync[1]);
		read(sync[0], buf, 1);
		_exit(0);
	}
	CALL("close in the parent", close(s));
	CALL("recv", recv(c, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("send", send(c, "x", 1, 0));
	/* Not read by the child: its end will be a reset. */
	close(sync[0]);
	close(sync[1]);
	waitpid(pid, &status, 0);
	await(c, POLLHUP);
	CALL("recv then", recv(c, buf, sizeof(buf), 0));
	close(c);
}

static void child_makes(void *arg)
{
	struct sockaddr_in a = at("127.0.0.1", 5115);
	int fd = tcp_socket();

	(void)arg;
	say("child's number", "%d", fd);
	CALL("child's connect", connect(fd, SA(&a)));
	CALL("child's send", send(fd, "kid", 3, 0));
}

static void child_connects(void)
{
	int l = tcp_listener(5115), s;
	char buf[16];

	topic("child connects");
	in_child(child_makes, NULL);
	s = accept(l, NULL, NULL);
	DATA("recv", recv(s, buf, sizeof(buf), MSG_WAITALL), buf);
	close(s);
	close(l);
}

static void vforked(void)
{
	int c, s, status;
	char buf[16];
	pid_t pid;

	topic("vfork");
	tcp_pair(5116, &c, &s);
	pid = vfork();
	if (pid == 0) {
		write(c, "v", 1);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	say("status", "%d", WEXITSTATUS(status));
	await(s, POLLIN);
	DATA("recv", recv(s, buf, sizeof(buf), MSG_DONTWAIT), buf);
	CALL("still open", recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	close(c);
	close(s);
}

extern char **environ;

/* A program that knows nothing of sockets gets one as its input and output. */
static void executed(void)
{
	char *cat[] = { (char *)(uintptr_t)"cat", NULL }, *none[] = { NULL };
	char *sh[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"echo hello from sh", NULL };
	char buf[64];
	int c, s, status;
	pid_t pid;

	topic("exec");
	for (int round = 0; round < 2; round++) {
		tcp_pair(5117 + round, &c, &s);
		fcntl(c, F_SETFD, FD_CLOEXEC);
		pid = fork();
		if (pid == 0) {
			dup2(s, 0);
			dup2(s, 1);
			close(s);
			execve("/bin/cat", cat, round ? none : environ);
			_exit(127);
		}
		close(s);
		CALL(round ? "send to cat without environment" : "send to cat", send(c, "through cat", 11, 0));
		CALL(round ? "SHUT_WR without" : "SHUT_WR", shutdown(c, SHUT_WR));
		DATA(round ? "recv without" : "recv", recv(c, buf, 11, MSG_WAITALL), buf);
		CALL(round ? "end without" : "end", recv(c, buf, sizeof(buf), 0));
		waitpid(pid, &status, 0);
		say(round ? "status without" : "status", "%d", status);
		close(c);
	}
	tcp_pair(5119, &c, &s);
	fcntl(c, F_SETFD, FD_CLOEXEC);
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, s, 1);
	posix_spawn_file_actions_addclose(&actions, s);
	CALL("posix_spawn", posix_spawn(&pid, "/bin/sh", &actions, NULL, sh, environ));
	posix_spawn_file_actions_destroy(&actions);
	close(s);
	DATA("recv from sh", recv(c, buf, 14, MSG_WAITALL), buf);
	CALL("end of sh", recv(c, buf, 1, MSG_WAITALL) == 1 ? recv(c, buf, 1, 0) : -2);
	waitpid(pid, &status, 0);
	close(c);
}

static void close_on_exec(void)
{
	char *none[] = { (char *)(uintptr_t)"true", NULL };
	struct sockaddr_in a = at("127.0.0.1", 5120);
	int l = tcp_listener(5120), c, s, status;
	char buf[8];
	pid_t pid;

	topic("close on exec");
	c = tcp_socket();
	connect(c, SA(&a));
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		execve("/bin/true", none, environ);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	say("status", "%d", status);
	CALL("recv", recv(c, buf, sizeof(buf), MSG_DONTWAIT));
	close(s);
	await(c, POLLRDHUP);
	CALL("recv at the end", recv(c, buf, sizeof(buf), 0));
	close(c);
	close(l);
}

/* Sent to a relative by SCM_RIGHTS. */
static void passed(void)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)"f", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int c, s, pair[2], status, fd;
	char buf[16];
	pid_t pid;

	topic("SCM_RIGHTS");
	tcp_pair(5121, &c, &s);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char one;

		close(c);
		close(s);
		iov.iov_base = &one;
		say("child's recvmsg", "%zd", recvmsg(pair[1], &m, 0));
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		say("number", "%d", fd);
		say_name("getpeername", fd, true);
		say_option("SO_TYPE", fd, SOL_SOCKET, SO_TYPE);
		CALL("child's send", send(fd, "passed", 6, 0));
		_exit(0);
	}
	memset(&control, 0, sizeof(control));
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &s, sizeof(s));
	CALL("sendmsg", sendmsg(pair[0], &m, 0));
	close(s);
	waitpid(pid, &status, 0);
	DATA("recv", recv(c, buf, 6, MSG_WAITALL), buf);
	CALL("end", recv(c, buf, sizeof(buf), 0));
	close(c);
	close(pair[0]);
	close(pair[1]);
}

static void by_number(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5122);
	int l = tcp_listener(5122), c, s;
	char buf[8];

	topic("syscall()");
	CALL("socket", c = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	CALL("connect", syscall(SYS_connect, c, &a, sizeof(a)));
	CALL("accept4", s = (int)syscall(SYS_accept4, l, NULL, NULL, 0));
	CALL("sendto", syscall(SYS_sendto, c, "abc", 3, 0, NULL, 0));
	DATA("recvfrom", syscall(SYS_recvfrom, s, buf, sizeof(buf), 0, NULL, NULL), buf);
	CALL("write", syscall(SYS_write, c, "de", 2));
	await_bytes(s, 2);
	DATA("read", syscall(SYS_read, s, buf, sizeof(buf)), buf);
	CALL("shutdown", syscall(SYS_shutdown, c, SHUT_WR));
	await(s, POLLRDHUP);
	CALL("read at the end", syscall(SYS_read, s, buf, sizeof(buf)));
	CALL("close", syscall(SYS_close, s));
	CALL("close again", syscall(SYS_close, s));
	close(c);
	close(l);
}

void run(void)
{
	duplicates();
	replace();
	forked();
	last_holder();
	child_connects();
	vforked();
	executed();
	close_on_exec();
	passed();
	by_number();
}
