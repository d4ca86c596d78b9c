/* SPDX-License-Identifier: MIT */
/*
 * The control connection: one per process, dialled at its first request.
 *
 * It sits at a high number, out of the way of programs that expect low ones, and is compared with
 * the inode that we remember before each use, since programs close, and dup2 over, whatever they
 * do not know. Lost, it is dialled again. A forked child drops its copy; a vfork child, and a
 * request to another host than ours, use a connection for that one request, and so does what may
 * take long (names, lingering), so that it holds up no other thread.
 *
 * During a request all signals are blocked and only bare system calls are made: no handler can
 * jump out of it, no cancellation can end it with the lock held.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/config.h"
#include "shim/program/hostlink.h"
#include "shim/program/init.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	int fd;	   /* -1: none */
	ino_t ino; /* of fd's socket */
	uint32_t seq;
	struct ctl_hello_reply hello;
} ctl = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/**
 * quiet_begin() - block all signals
 */
void quiet_begin(struct quiet *q)
{
	sigset_t all;

	sigfillset(&all);
	SYS(rt_sigprocmask, SIG_SETMASK, &all, &q->mask, 8);
}

/**
 * quiet_end() - as they were before quiet_begin()
 */
void quiet_end(const struct quiet *q)
{
	SYS(rt_sigprocmask, SIG_SETMASK, &q->mask, NULL, 8);
}

static int send_request(int fd, const struct ctl_call *c, uint32_t seq)
{
	struct ctl_msg m = {
		.magic = WIRESHIM_MAGIC,
		.op = (uint16_t)c->op,
		.flags = c->flags,
		.seq = seq,
		.cookie = c->cookie,
		.fd = c->fd,
		.len = (uint32_t)c->len,
		.arg = { c->arg[0], c->arg[1], c->arg[2], c->arg[3] },
	};
	struct iovec iov[2] = { { &m, sizeof(m) }, { (void *)(uintptr_t)c->data, c->len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = c->len ? 2 : 1 };
	long r;

	do
		r = SYS(sendmsg, fd, &msg, MSG_NOSIGNAL);
	while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

/* The descriptor that came along goes where it is expected. */
static void take_descriptor(const struct ctl_call *c, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int fd;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len < CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (*c->fd_reply >= 0)
		SYS(close, *c->fd_reply);
	*c->fd_reply = fd;
}

/* Waits for the reply to @seq. -EPIPE when the host went away. */
static int receive_reply(int fd, struct ctl_call *c, uint32_t seq, int32_t *result)
{
	struct ctl_msg m;
	struct iovec iov[2] = { { &m, sizeof(m) }, { c->reply, c->room } };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	long r;

	do {
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = c->reply ? 2 : 1 };

		if (c->fd_reply) {
			msg.msg_control = &control;
			msg.msg_controllen = sizeof(control);
		}
		r = SYS(recvmsg, fd, &msg, MSG_CMSG_CLOEXEC);
		if (r > 0 && c->fd_reply)
			take_descriptor(c, &msg);
		if (r == -EINTR)
			continue;
		if (r <= 0 || (size_t)r < sizeof(m) || m.magic != WIRESHIM_MAGIC)
			return -EPIPE;
	} while (r < 0 || m.seq != seq);
	memcpy(c->arg, m.arg, sizeof(m.arg));
	c->got = (size_t)r - sizeof(m);
	*result = m.result;
	return 0;
}

/* One connection to the control listener of @host, greeted. */
static int dial(const char *host, struct ctl_hello_reply *reply)
{
	struct ctl_hello hello = { WIRESHIM_MAGIC, HELLO_CONTROL, config.token };
	struct ctl_call answer = { .reply = reply, .room = sizeof(*reply) };
	long fd = SYS(socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int32_t result = 0;
	int r;

	if (fd < 0)
		return (int)fd;
	r = host_dial((int)fd, host, 'p');
	if (!r)
		r = (int)SYS(sendto, fd, &hello, sizeof(hello), MSG_NOSIGNAL, NULL, 0);
	if (r > 0)
		r = receive_reply((int)fd, &answer, 0, &result);
	if (!r && result < 0) {
		log_fatal_once("host %s refuses this process: %s", host, strerror(-result));
		r = -ENETDOWN;
	}
	if (!r && (answer.got < sizeof(*reply) || reply->magic != WIRESHIM_MAGIC)) {
		log_fatal_once("host %s is of another version of wireshim", host);
		r = -ENETDOWN;
	}
	if (!r)
		return (int)fd;
	SYS(close, fd);
	return r == -EPIPE || r == -ECONNRESET ? -ENETDOWN : r; /* it hung up on us */
}

/*
 * Moves a descriptor up, to a number no program looks for: below 1000, or below the limit where
 * that is lower.
 */
static int move_up(int fd)
{
	struct rlimit limit = { 1024, 1024 };
	long base, high;

	SYS(prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	base = limit.rlim_cur > 1000 ? 960 : (long)limit.rlim_cur - 32;
	if (base <= fd)
		return fd;
	high = SYS(fcntl, fd, F_DUPFD_CLOEXEC, base);
	if (high < 0)
		return fd;
	SYS(close, fd);
	return (int)high;
}

static bool still_ours(void)
{
	struct stat st;

	return ctl.fd >= 0 && fstat(ctl.fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_ino == ctl.ino;
}

static void drop_connection(void)
{
	if (still_ours())
		SYS(close, ctl.fd);
	ctl.fd = -1;
}

static void keep_connection(int fd)
{
	struct stat st;

	fd = move_up(fd);
	if (ctl.hello.token)
		config.token = ctl.hello.token;
	ctl.fd = fd;
	ctl.ino = fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int connect_once(void)
{
	int fd, r;

	r = host_need();
	if (r < 0)
		return r;
	fd = dial(config.host, &ctl.hello);
	if (fd == -ECONNREFUSED && host_again(config.host) == 0)
		fd = dial(config.host, &ctl.hello);
	if (fd == -ECONNREFUSED) {
		log_fatal_once("host %s is gone: its network is down", config.host);
		return -ENETDOWN;
	}
	if (fd < 0)
		return fd;
	keep_connection(fd);
	return 0;
}

static int transact(int fd, struct ctl_call *c, uint32_t seq)
{
	int32_t result = 0;
	int r = send_request(fd, c, seq);

	if (r < 0)
		return r;
	if (!(c->flags & CTL_F_NOREPLY))
		r = receive_reply(fd, c, seq, &result);
	return r < 0 ? r : result;
}

static bool connection_lost(int r)
{
	return r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN || r == -EBADF || r == -ENOTSOCK;
}

/*
 * On the process's connection; dials when there is none, and once again when the one there was has
 * been lost.
 */
static int call_shared(struct ctl_call *c)
{
	uint32_t arg[4];
	int r = 0;

	memcpy(arg, c->arg, sizeof(arg));
	for (int attempt = 0; attempt < 2; attempt++) {
		bool fresh = !still_ours();

		if (fresh) {
			int err;

			ctl.fd = -1;
			err = connect_once();
			if (err < 0)
				return err;
		}
		memcpy(c->arg, arg, sizeof(arg));
		r = transact(ctl.fd, c, ++ctl.seq);
		/*
		 * An answer such as -ENOTCONN is the host's; a lost connection shows on the
		 * descriptor.
		 */
		if (!connection_lost(r) ||
		    SYS(recvfrom, ctl.fd, NULL, 0, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) == -EAGAIN)
			return r;
		drop_connection();
		if (fresh)
			break;
	}
	return -ENETDOWN;
}

/* On a connection for this request alone. */
static int call_alone(struct ctl_call *c)
{
	struct ctl_hello_reply hello;
	char host[HOST_NAME_MAX_LEN];
	int fd, r;

	if (c->via >= 0) {
		r = host_name_of(c->via, host);
	} else {
		r = host_need();
		memcpy(host, config.host, sizeof(host));
	}
	if (r < 0)
		return r;
	fd = dial(host, &hello);
	if (fd == -ECONNREFUSED) {
		log_fatal_once("host %s is gone: its network is down", host);
		return -ENETDOWN;
	}
	if (fd < 0)
		return fd;
	r = transact(fd, c, 1);
	SYS(close, fd);
	return r;
}

/**
 * ctl_call() - ask the host
 * @c: the request; arg, reply and got are filled in from the answer
 *
 * Return: the host's result, or a negative errno of its own: -ENETDOWN when there is no host
 */
int ctl_call(struct ctl_call *c)
{
	struct quiet q;
	int r;

	if (c->slow)
		return call_alone(c);
	quiet_begin(&q);
	if (c->via >= 0 || !shim_is_owner()) {
		r = call_alone(c);
	} else {
		pthread_mutex_lock(&ctl.lock);
		r = call_shared(c);
		pthread_mutex_unlock(&ctl.lock);
	}
	quiet_end(&q);
	return r;
}

/**
 * ctl_tell() - something for the host's report, where a host runs: none is started, nobody waits
 * @op:   what it is; about no socket
 * @text: zero-terminated
 */
void ctl_tell(enum ctl_op op, const char *text)
{
	struct ctl_call c = {
		.op = op, .flags = CTL_F_NOREPLY, .via = -1, .data = text, .len = strlen(text)
	};
	struct quiet q;

	if (!config.host[0] || !shim_is_owner())
		return;
	quiet_begin(&q);
	pthread_mutex_lock(&ctl.lock);
	if (!still_ours()) {
		int fd = dial(config.host, &ctl.hello);

		ctl.fd = -1;
		if (fd >= 0)
			keep_connection(fd);
	}
	if (ctl.fd >= 0)
		send_request(ctl.fd, &c, ++ctl.seq);
	pthread_mutex_unlock(&ctl.lock);
	quiet_end(&q);
}

/**
 * ctl_loopback_stack() - does 127.0.0.0/8 belong to the host?
 *
 * The environment decides; without it (a host found by an inherited socket) the host's own word,
 * where it is known.
 */
bool ctl_loopback_stack(void)
{
	return config.loopback_known ? config.loopback_stack
				     : ctl.fd >= 0 && ctl.hello.loopback_stack;
}

/**
 * ctl_fork_prepare() - before fork: no request is under way
 */
void ctl_fork_prepare(void)
{
	pthread_mutex_lock(&ctl.lock);
}

/**
 * ctl_fork_parent() - after fork, in the parent
 */
void ctl_fork_parent(void)
{
	pthread_mutex_unlock(&ctl.lock);
}

/**
 * ctl_fork_child() - after fork, in the child: a connection of its own at the next request
 */
void ctl_fork_child(void)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	memcpy(&ctl.lock, &unlocked, sizeof(unlocked));
	drop_connection();
}
