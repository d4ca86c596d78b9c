/* SPDX-License-Identifier: MIT */
/*
 * family HOW ADDRESS PORT: sends a word to an echo server over TCP and prints what comes back, in
 * one of the ways in which a family of processes, or a caller behind the symbols, does it.
 *
 *   plain    by the symbols
 *   next     by what dlsym(RTLD_NEXT) gives
 *   number   by syscall(): a batch by sendmmsg, the answer by recvmsg
 *   orphan   in a grandchild, after child and parent have ended
 *   files    clone(CLONE_FILES): the child connects, its parent sends and receives on that number
 *   closed   clone(CLONE_FILES): the child closes the parent's socket, and the number becomes a file
 *   vm       clone(CLONE_VM | CLONE_VFORK): the child does it all, in the parent's memory
 *   ring     io_uring_setup() alone
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in to = { .sin_family = AF_INET };
static int shared; /* a descriptor, handed between the two processes of a clone */
static _Alignas(16) char stack[262144];

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static int connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return fd;
}

static void print(const char *text, long n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%.*s\n", (int)n, text);

	if (n < 0)
		die("receive");
	write(1, line, (size_t)len);
}

static void exchange(int fd)
{
	char buf[16];

	if (send(fd, "word", 4, 0) != 4)
		die("send");
	print(buf, recv(fd, buf, sizeof(buf), 0));
}

static void by_next(void)
{
	int (*next_socket)(int, int, int) = dlsym(RTLD_NEXT, "socket");
	int (*next_connect)(int, const void *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	ssize_t (*next_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	ssize_t (*next_read)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
	int fd = next_socket(AF_INET, SOCK_STREAM, 0);
	char buf[16];

	if (next_connect(fd, &to, sizeof(to)) || next_write(fd, "word", 4) != 4)
		die("next");
	print(buf, next_read(fd, buf, sizeof(buf)));
}

static void by_number(void)
{
	struct iovec iov[2] = { { (char[]){ "wo" }, 2 }, { (char[]){ "rd" }, 2 } };
	struct mmsghdr vec[2] = { { .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
				  { .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } } };
	char buf[16];
	struct iovec in = { buf, 4 };
	struct msghdr msg = { .msg_iov = &in, .msg_iovlen = 1 };
	long fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	if (syscall(SYS_connect, fd, &to, sizeof(to)) || syscall(SYS_sendmmsg, fd, vec, 2, 0) != 2)
		die("number");
	print(buf, syscall(SYS_recvmsg, fd, &msg, MSG_WAITALL));
	if (syscall(SYS_close, fd) || syscall(SYS_close, fd) != -1 || errno != EBADF)
		die("close");
}

static void as_orphan(void)
{
	int gone[2];
	char none;

	if (pipe(gone))
		die("pipe");
	if (fork())
		exit(0);
	if (fork())
		_exit(0);
	setsid();
	close(gone[1]); /* the parent's and the child's ends close with them */
	read(gone[0], &none, 1);
	exchange(connected());
}

static int connect_shared(void *arg)
{
	(void)arg;
	shared = connected();
	return shared;
}

static int close_shared(void *arg)
{
	(void)arg;
	return close(shared);
}

static int exchange_in_child(void *arg)
{
	(void)arg;
	exchange(connected());
	_exit(0);
}

static int cloned(int (*child)(void *), int flags)
{
	pid_t pid = clone(child, stack + sizeof(stack), flags | SIGCHLD, NULL);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("clone");
	return WEXITSTATUS(status);
}

static void as_files_closed(void)
{
	char path[] = "/tmp/familyXXXXXX", buf[16];
	int file;

	shared = connected();
	exchange(shared);
	if (cloned(close_shared, CLONE_FILES))
		die("close");
	file = mkstemp(path);
	unlink(path);
	if (file != shared || write(file, "file", 4) != 4 || lseek(file, 0, SEEK_SET))
		die("file");
	print(buf, read(file, buf, sizeof(buf)));
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &to.sin_addr);
	if (!strcmp(argv[1], "plain"))
		exchange(connected());
	else if (!strcmp(argv[1], "next"))
		by_next();
	else if (!strcmp(argv[1], "number"))
		by_number();
	else if (!strcmp(argv[1], "orphan"))
		as_orphan();
	else if (!strcmp(argv[1], "files"))
		exchange(cloned(connect_shared, CLONE_FILES));
	else if (!strcmp(argv[1], "closed"))
		as_files_closed();
	else if (!strcmp(argv[1], "vm"))
		return cloned(exchange_in_child, CLONE_VM | CLONE_VFORK);
	else if (!strcmp(argv[1], "ring"))
		puts(syscall(SYS_io_uring_setup, 1, NULL) < 0 ? strerror(errno) : "a ring");
	else
		return 2;
	return 0;
}
