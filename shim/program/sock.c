/* SPDX-License-Identifier: MIT */
/*
 * Control requests on a socket, and the gate.
 *
 * The gate keeps an anchor from polling writable while its connection is being made
 * (shim/protocol.h). The kernel calls an AF_UNIX socket writable while four times what is queued
 * fits its send buffer, so the smallest buffer and one send of GATE_BYTES close it, and the host
 * opens it by reading them. The buffer's size is put back by the first wrapper that finds the
 * socket writable again.
 */
#include "shim/program/real.h"
#include "shim/program/sock.h"
#include "shim/program/config.h"
#include "shim/program/fdcache.h"
#include "shim/program/hostlink.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

/**
 * sock_control() - a control request on a socket of ours, attaching it first where that has not
 * happened
 * @fd: the socket
 * @c:  the request; cookie and via are filled in here
 *
 * Return: the host's result or -errno; -ENETDOWN where the socket died with its host
 */
int sock_control(int fd, struct ctl_call *c)
{
	bool attached = fd_word(fd) & FD_ATTACHED;
	int r = host_attach(fd);

	if (r < 0)
		return r;
	c->cookie = fd_cookie(fd);
	c->fd = fd;
	c->via = (fd_word(fd) & FD_OTHER) ? fd : -1;
	r = ctl_call(c);
	if (r != -ESTALE)
		return r;
	if (!attached)
		return -ENFILE; /* the host had no room for it */
	/* Whoever answers at the name now never had this socket. */
	log_fatal_once("host %s is gone: its sockets are dead", config.host);
	return -ENETDOWN;
}

/**
 * sock_error() - ask why the anchor ended or failed; takes the pending error
 * @state: what the socket is now; may be NULL
 *
 * Return: 0 or -errno, -ENETDOWN when the host is gone
 */
int sock_error(int fd, enum ctl_state *state)
{
	struct ctl_call c = { .op = CTL_ERROR };
	int r = sock_control(fd, &c);

	if (state)
		*state = r == -ENETDOWN ? CTL_S_DEAD : (enum ctl_state)c.arg[0];
	return r;
}

/**
 * sock_look() - is an error pending? It stays so.
 * @state: what the socket is; may be NULL
 *
 * Return: 0 or -errno
 */
int sock_look(int fd, enum ctl_state *state)
{
	struct ctl_call c = { .op = CTL_ERROR, .arg = { 1 } };
	int r = sock_control(fd, &c);

	if (state)
		*state = r == -ENETDOWN ? CTL_S_OPEN : (enum ctl_state)c.arg[0];
	return r;
}

/**
 * sock_peer_known() - is the socket connected by now, perhaps by another process?
 */
bool sock_peer_known(int fd)
{
	struct ctl_call c = { .op = CTL_GETNAME, .arg = { 1 } };
	uint32_t w = fd_word(fd);
	enum ctl_state state;
	bool known;

	if (!(w & FD_ATTACHED))
		return false;
	if (w & FD_STREAM) {
		sock_look(fd, &state);
		known = state == CTL_S_CONNECTING || state == CTL_S_CONNECTED ||
			state == CTL_S_DEAD;
	} else {
		known = sock_control(fd, &c) >= 0;
	}
	if (known)
		fd_flag(fd, FD_CONNECTED, 0);
	return known;
}

/**
 * clear_native_error() - the error has been reported: the anchor's own one must not come after it
 */
void clear_native_error(int fd)
{
	int err;
	socklen_t len = sizeof(err);

	SYS(getsockopt, fd, SOL_SOCKET, SO_ERROR, &err, &len);
}

/**
 * sock_is_nonblocking() - would a call with these MSG_* flags return at once?
 */
bool sock_is_nonblocking(int fd, int flags)
{
	return (flags & MSG_DONTWAIT) || (SYS(fcntl, fd, F_GETFL, 0) & O_NONBLOCK);
}

/**
 * sock_timeout_ms() - SO_SNDTIMEO or SO_RCVTIMEO as poll() takes it
 */
int sock_timeout_ms(int fd, int option)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);

	SYS(getsockopt, fd, SOL_SOCKET, option, &tv, &len);
	if (!tv.tv_sec && !tv.tv_usec)
		return -1;
	return tv.tv_sec > 2000000 ? -1 : (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

/* What SO_SNDBUF was before the first gate; setsockopt() doubles what it is given. */
static _Atomic int plain_sndbuf = 212992 / 2;

/**
 * gate_up() - make the anchor unwritable until the host eats GATE_BYTES from it
 */
void gate_up(int fd)
{
	static const char zeros[GATE_BYTES];
	int size = 0, least = 0;
	socklen_t len = sizeof(size);

	SYS(getsockopt, fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	if (size > 16384)
		atomic_store(&plain_sndbuf, size / 2);
	SYS(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	SYS(sendto, fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
}

/**
 * gate_lift() - the host has eaten the gate: give the anchor its buffer back
 */
void gate_lift(int fd)
{
	int size = atomic_load(&plain_sndbuf);

	SYS(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fd_flag(fd, 0, FD_GATE);
}

/**
 * gate_pass() - may a send go ahead on a socket that has a gate?
 * @fd:   the socket
 * @wait: as long as it takes, or SO_SNDTIMEO says
 *
 * Return: 0, and the gate is lifted; -EAGAIN; -EINTR; or the error with which the connect ended
 */
int gate_pass(int fd, bool wait)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err, r;

	if (wait)
		r = wait_writable(fd, sock_timeout_ms(fd, SO_SNDTIMEO), &p.revents);
	else
		r = libc()->poll(&p, 1, 0);
	if (r <= 0)
		return wait && r < 0 ? r : -EAGAIN;
	if (!(p.revents & (POLLHUP | POLLERR))) {
		gate_lift(fd);
		return 0;
	}
	err = sock_error(fd, NULL);
	clear_native_error(fd);
	fd_flag(fd, FD_DEAD, FD_GATE);
	return err < 0 ? err : -EPIPE;
}
