/* SPDX-License-Identifier: MIT */
/* A control connection to a host, as a program has one (shim/protocol.h); and which hosts there are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/wireshim.h"

static int connect_name(int fd, const char *key)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int n = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "wireshim/%s/p", key);

	if (n >= (int)sizeof(sun.sun_path) - 1)
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) +
		    (socklen_t)n))
		return -errno;
	return 0;
}

/* Whoever sits at the name must be us or root: it is about to be told what we send. */
static int check_host(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	return cred.uid == geteuid() || cred.uid == 0 || geteuid() == 0 ? 0 : -EACCES;
}

/* One answer; 0 or -EAGAIN (the host has gone), -EPROTO. */
static int receive(struct client *c, struct ctl_msg *m, void *data, size_t room, size_t *got)
{
	struct iovec iov[2] = { { m, sizeof(*m) }, { data, room } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = recvmsg(c->fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EAGAIN;
	if ((size_t)n < sizeof(*m) || m->magic != WIRESHIM_MAGIC)
		return -EPROTO;
	*got = (size_t)n - sizeof(*m);
	return 0;
}

/**
 * client_dial() - connects to the host @key and greets it
 *
 * Return: 0; -ECONNREFUSED: none runs; -EAGAIN: it ended just now; -EPROTO; -EACCES; others
 */
int client_dial(struct client *c, const char *key)
{
	struct ctl_hello hello = { .magic = WIRESHIM_MAGIC, .kind = HELLO_CONTROL };
	const char *token = getenv("WIRESHIM_TOKEN");
	struct ctl_msg m = { .magic = 0 };
	size_t got = 0;
	int ret;

	memset(c, 0, sizeof(*c));
	snprintf(c->key, sizeof(c->key), "%s", key);
	if (token)
		hello.token = strtoull(token, NULL, 16);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	ret = connect_name(c->fd, key);
	if (ret == 0)
		ret = check_host(c->fd);
	if (ret == 0 && send(c->fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		ret = -EAGAIN;
	if (ret == 0)
		ret = receive(c, &m, &c->hello, sizeof(c->hello), &got);
	if (ret == 0 && m.result)
		ret = m.result;
	else if (ret == 0 && (got != sizeof(c->hello) || c->hello.magic != WIRESHIM_MAGIC))
		ret = -EPROTO;
	if (ret)
		client_close(c);
	return ret;
}

/**
 * client_call() - one request and its answer
 * @reply: room for @room bytes, zero-terminated; may be NULL
 * @got:   bytes of it; may be NULL
 *
 * Return: the host's result; -EAGAIN when it has gone, -EPROTO
 */
int client_call(struct client *c, uint16_t op, const void *data, size_t len, char *reply, size_t room,
		size_t *got)
{
	struct ctl_msg m = { .magic = WIRESHIM_MAGIC, .op = op, .seq = ++c->seq, .len = (uint32_t)len };
	struct iovec iov[2] = { { &m, sizeof(m) }, { (void *)(uintptr_t)data, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };
	size_t n = 0;
	int ret;

	if (sendmsg(c->fd, &msg, MSG_NOSIGNAL) < 0)
		return -EAGAIN;
	do
		ret = receive(c, &m, reply, room ? room - 1 : 0, &n);
	while (ret == 0 && m.seq != c->seq);
	if (ret)
		return ret;
	n = n < room ? n : room ? room - 1 : 0;
	if (room)
		reply[n] = 0;
	if (got)
		*got = n;
	return m.result;
}

/** client_close() - ends the connection; harmless when there is none */
void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* "@wireshim/KEY/p" at the end of a line of /proc/net/unix, listening: the key, in place. */
static char *key_of_line(char *line)
{
	char *name = strstr(line, " @wireshim/"), *end;
	unsigned int flags = 0;

	if (!name || sscanf(line, "%*s %*x %*x %x", &flags) != 1 || !(flags & 0x10000))
		return NULL;
	name += strlen(" @wireshim/");
	name[strcspn(name, "\n")] = 0;
	end = name + strlen(name) - 2;
	if (end <= name || strcmp(end, "/p") != 0)
		return NULL;
	*end = 0;
	return name;
}

/** client_each() - the hosts of this network namespace; Return: what @fn returned last */
int client_each(int (*fn)(const char *key, void *arg), void *arg)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512];
	int ret = 0;

	if (!f)
		return complain("/proc/net/unix: %s", strerror(errno));
	while (ret == 0 && fgets(line, sizeof(line), f)) {
		char *key = key_of_line(line);

		if (key)
			ret = fn(key, arg);
	}
	fclose(f);
	return ret;
}
