/* SPDX-License-Identifier: MIT */
/*
 * The host's names, and who connects to them.
 *
 * "@wireshim/KEY/s" takes stream anchors, "@wireshim/KEY/p" control connections and datagram
 * anchors, and "@wireshim-addr/IFACE/A.B.C.D" is the lock on the address: bound before anything
 * else, so that no second host ever comes up on it, whatever its KEY. Who connects to the lock is
 * told KEY and process id. Abstract names belong to the network namespace, as the address does.
 *
 * They have no permissions, so anybody of the namespace may connect. A peer of the host's own user
 * or root is trusted; another must know the token, which a program is given in its environment.
 * What a connection is, its first message says; it has HELLO_MS to say it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/host/host.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

enum {
	SILENT_MS = 100, /* without a hello, when descriptors are short */
	PAUSE_MS = 50,
};

/* "@PREFIX/NAME" or "@PREFIX/NAME/SUFFIX"; @suffix 0 = none. */
static socklen_t abstract_name(struct sockaddr_un *sun, const char *prefix, const char *name, char suffix)
{
	int n;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	n = snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, suffix ? "%s/%s/%c" : "%s/%s", prefix,
		     name, suffix);
	n = MIN(n, (int)sizeof(sun->sun_path) - 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int name_open(int type, const char *prefix, const char *name, char suffix)
{
	struct sockaddr_un sun;
	socklen_t len = abstract_name(&sun, prefix, name, suffix);
	int fd = sys_socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ret, no = 0;

	if (fd < 0)
		return fd;
	/* Nobody may send descriptors to the host: closing a foreign one can take its time. Where the
	 * kernel cannot refuse them, it closes them itself, since they are never given room. */
	(void)sys_setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
	ret = sys_bind(fd, &sun, len);
	if (ret == 0)
		ret = sys_listen(fd, 4096);
	if (ret) {
		sys_close(fd);
		return ret;
	}
	return fd;
}

/* Ends the connections that have sat here without a word; a program writes its hello at once. */
static bool end_silent(struct host *h)
{
	uint64_t silent_ms = h->draining ? 0 : SILENT_MS;
	uint64_t at = h->now + (HELLO_MS - silent_ms) * NSEC_PER_MSEC;
	unsigned int before = h->greeting_count;
	struct anchor *a, *next_anchor;
	struct control *c, *next_control;

	if (!before)
		return false;
	list_for_each_entry_safe(a, next_anchor, &h->anchors, all)
		if (a->state == ANCHOR_HELLO && a->hello_deadline <= at)
			anchor_destroy(a);
	list_for_each_entry_safe(c, next_control, &h->controls, all)
		if (!c->greeted && c->hello_deadline <= at)
			control_destroy(c);
	return h->greeting_count < before;
}

static void listeners_pause(struct host *h)
{
	watch_modify(h, &h->listen_stream, 0);
	watch_modify(h, &h->listen_packet, 0);
	watch_modify(h, &h->listen_lock, 0);
	h->listen_again = h->now + PAUSE_MS * NSEC_PER_MSEC;
}

/** listeners_resume() - the end of a pause */
void listeners_resume(struct host *h)
{
	h->listen_again = 0;
	watch_modify(h, &h->listen_stream, EPOLLIN);
	watch_modify(h, &h->listen_packet, EPOLLIN);
	watch_modify(h, &h->listen_lock, EPOLLIN);
}

/* Says why; the hello is read, since a close with it unread would throw the answer away. */
static void say_refused(int fd)
{
	const struct ctl_msg m = { .magic = WIRESHIM_MAGIC, .op = CTL_HELLO, .result = -ENFILE };
	uint8_t hello[sizeof(struct anchor_hello)];

	(void)sys_recv(fd, hello, sizeof(hello), MSG_DONTWAIT);
	(void)sys_sendto(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

/*
 * EMFILE: those who say nothing make room. Else the connection is taken with the reserve and ended, so
 * that its owner sees an error.
 */
static void refuse_one(struct host *h, int listener)
{
	int fd;

	h->totals.fd_exhausted++;
	if (h->greeting_count) {
		listeners_pause(h); /* some of them will have been silent for too long soon */
		return;
	}
	if (h->reserve_fd >= 0)
		sys_close(h->reserve_fd);
	fd = sys_accept4(listener, SOCK_CLOEXEC);
	if (fd >= 0) {
		if (listener == h->listen_packet.fd)
			say_refused(fd);
		sys_close(fd);
	}
	h->reserve_fd = sys_open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		listeners_pause(h); /* the whole machine is out of them: asking at once would only spin */
	host_log(h, LOG_LEVEL_ERR, "out of descriptors: a connection was refused (raise 'ulimit -n')");
}

static int accept_one(struct host *h, int listener)
{
	int fd;

	do
		fd = sys_accept4(listener, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd == -EINTR || fd == -ECONNABORTED || ((fd == -EMFILE || fd == -ENFILE) && end_silent(h)));
	if (fd == -EMFILE || fd == -ENFILE)
		refuse_one(h, listener);
	if (fd >= 0)
		h->totals.accepted++;
	return fd;
}

static void stream_ready(struct host *h, struct watch *w, uint32_t events)
{
	int fd;

	(void)events;
	while ((fd = accept_one(h, w->fd)) >= 0) {
		struct anchor *a = anchor_create(h, fd, false);

		if (a)
			a->watch.ready(h, &a->watch, EPOLLIN);
	}
}

/* Control connections and datagram anchors start alike: the hello tells (control.c). */
static void packet_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct ucred cred;
	int fd;

	(void)events;
	while ((fd = accept_one(h, w->fd)) >= 0) {
		socklen_t len = sizeof(cred);
		struct control *c;

		if (sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
			sys_close(fd);
			continue;
		}
		c = control_create(h, fd, cred.pid, cred.uid);
		if (c)
			c->watch.ready(h, &c->watch, EPOLLIN);
	}
}

static void lock_ready(struct host *h, struct watch *w, uint32_t events)
{
	char text[CONFIG_KEY_SIZE + 32];
	int fd, len;

	(void)events;
	while ((fd = accept_one(h, w->fd)) >= 0) {
		len = snprintf(text, sizeof(text), "%s %d\n", h->key, (int)getpid());
		(void)sys_sendto(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
		sys_close(fd);
	}
}

static int open_watched(struct host *h, struct watch *w, int type, const char *prefix, const char *name,
			char suffix, watch_fn ready)
{
	int fd = name_open(type, prefix, name, suffix), ret;

	if (fd < 0)
		return fd;
	ret = watch_add(h, w, fd, EPOLLIN, ready);
	if (ret)
		sys_close(fd);
	return ret;
}

/**
 * lock_open() - takes the address for this host
 * @err: CONFIG_ERR_SIZE bytes; "busy KEY PID" for the launcher when another host has it
 *
 * Return: 0, -EADDRINUSE, other negative errno
 */
int lock_open(struct host *h, char *err)
{
	char where[IFNAMSIZ + INET_ADDRSTRLEN + 2] = "", ip[INET_ADDRSTRLEN];
	int ret;

	if (h->cfg.text[OPT_DEV]) {
		inet_ntop(AF_INET, &h->cfg.addr, ip, sizeof(ip));
		snprintf(where, sizeof(where), "%s/%s", h->cfg.text[OPT_DEV], ip);
		ret = open_watched(h, &h->listen_lock, SOCK_STREAM, "wireshim-addr", where, 0,
				   lock_ready);
	} else {
		/* No address to fight for: the name alone. */
		ret = open_watched(h, &h->listen_lock, SOCK_STREAM, "wireshim-name", h->key, 0,
				   lock_ready);
	}
	if (ret == -EADDRINUSE)
		snprintf(err, CONFIG_ERR_SIZE, "busy %s", where);
	else if (ret)
		snprintf(err, CONFIG_ERR_SIZE, "cannot bind the lock of the address: %s", strerror(-ret));
	return ret;
}

/** listeners_open() - the names that programs connect to; Return: 0 or negative errno with @err */
int listeners_open(struct host *h, char *err)
{
	int ret = open_watched(h, &h->listen_stream, SOCK_STREAM, "wireshim", h->key, 's',
			       stream_ready);

	if (ret == 0)
		ret = open_watched(h, &h->listen_packet, SOCK_SEQPACKET, "wireshim", h->key, 'p',
				   packet_ready);
	if (ret == 0)
		return 0;
	watch_close(h, &h->listen_stream);
	if (ret == -EADDRINUSE)
		snprintf(err, CONFIG_ERR_SIZE, "busy %s", h->key);
	else
		snprintf(err, CONFIG_ERR_SIZE, "cannot listen for programs: %s", strerror(-ret));
	return ret;
}

/** listeners_close() - gives the names up */
void listeners_close(struct host *h)
{
	watch_close(h, &h->listen_stream);
	watch_close(h, &h->listen_packet);
}

/** listeners_drain() - takes every connection that waits, before an identity is called unknown */
void listeners_drain(struct host *h)
{
	h->draining = true;
	if (h->listen_stream.fd >= 0)
		stream_ready(h, &h->listen_stream, EPOLLIN);
	if (h->listen_packet.fd >= 0)
		packet_ready(h, &h->listen_packet, EPOLLIN);
	h->draining = false;
}

/**
 * listeners_end() - stops listening if nobody has come
 *
 * A listener that is shut down refuses new connections, but still gives out those that waited.
 *
 * Return: true when the host may end
 */
bool listeners_end(struct host *h)
{
	char err[CONFIG_ERR_SIZE];

	(void)sys_shutdown(h->listen_stream.fd, SHUT_RDWR);
	(void)sys_shutdown(h->listen_packet.fd, SHUT_RDWR);
	listeners_drain(h);
	listeners_close(h);
	if (h->anchor_count == 0 && list_empty(&h->controls))
		return true;
	if (listeners_open(h, err)) {
		host_log(h, LOG_LEVEL_ERR, "%s", err);
		return true;
	}
	return false;
}

/**
 * listeners_dial() - connects to our own stream listener, for a socket that a program will accept
 * @hello:      written at once, cookie and inode filled in here
 * @fd_out:     the program's end
 *
 * Return: 0 or negative errno
 */
int listeners_dial(struct host *h, const struct anchor_hello *hello, int *fd_out,
		   uint64_t *cookie_out, uint64_t *ino_out)
{
	struct anchor_hello mine = *hello;
	struct sockaddr_un sun;
	socklen_t len = abstract_name(&sun, "wireshim", h->key, 's'), size = sizeof(mine.cookie);
	int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return fd;
	ret = sys_inode(fd, &mine.ino);
	if (ret == 0)
		ret = sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &mine.cookie, &size);
	if (ret == 0) {
		stream_ready(h, &h->listen_stream, EPOLLIN); /* room in the queue: connect cannot wait */
		ret = sys_connect(fd, &sun, len);
	}
	if (ret == 0) {
		ssize_t n = sys_sendto(fd, &mine, sizeof(mine), MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

		ret = n == (ssize_t)sizeof(mine) ? 0 : n < 0 ? (int)n : -EIO;
	}
	if (ret) {
		sys_close(fd);
		return ret;
	}
	*fd_out = fd;
	*cookie_out = mine.cookie;
	*ino_out = mine.ino;
	return 0;
}

/**
 * hello_read() - takes the first messages that have come, before an identity is called unknown
 *
 * A connection may be taken before its hello is written, and the next message of its program, on the
 * control connection, be read before the event that tells of the hello.
 */
void hello_read(struct host *h)
{
	struct anchor *a, *next_anchor;
	struct control *c, *next_control;

	if (!h->greeting_count)
		return;
	list_for_each_entry_safe(a, next_anchor, &h->anchors, all)
		if (a->state == ANCHOR_HELLO)
			a->watch.ready(h, &a->watch, EPOLLIN);
	list_for_each_entry_safe(c, next_control, &h->controls, all)
		if (!c->greeted)
			c->watch.ready(h, &c->watch, EPOLLIN);
}

/** hello_expire() - ends connections that never said what they are */
void hello_expire(struct host *h)
{
	struct anchor *a, *next_anchor;
	struct control *c, *next_control;

	if (!h->greeting_count)
		return;
	list_for_each_entry_safe(a, next_anchor, &h->anchors, all)
		if (a->state == ANCHOR_HELLO && h->now > a->hello_deadline)
			anchor_destroy(a);
	list_for_each_entry_safe(c, next_control, &h->controls, all)
		if (!c->greeted && h->now > c->hello_deadline)
			control_destroy(c);
}
