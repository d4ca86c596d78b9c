/* SPDX-License-Identifier: MIT */
/* call_socket.c - system calls that make, name, connect and close descriptors */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tools/packetdrill/calls.h"

static enum attempt no_socket(struct call *c)
{
	return call_returns(c, -ENOTSOCK);
}

/** do_socket() - socket(domain, type, protocol); "..." is AF_INET */
enum attempt do_socket(struct call *c)
{
	struct socket *sock = NULL;
	int64_t family = AF_INET, type, protocol;
	struct file *f;
	int err;

	if ((!is_ellipsis(c->argv[0]) && !arg_number(c, 0, &family)) || !arg_number(c, 1, &type) ||
	    !arg_number(c, 2, &protocol))
		return CALL_BAD;
	if (family == AF_INET6) {
		run_note(c->run, PLAY_SKIP, c->ev->line, "AF_INET6: this stack has no IPv6");
		return CALL_BAD;
	}
	err = sock_create(c->run->sim.net, (int)family, (int)type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
			  (int)protocol, &sock);
	if (err < 0)
		return call_returns(c, err);
	f = file_new(c->run, FILE_SOCKET);
	if (!f) {
		sock_release(sock);
		return call_returns(c, -ENOMEM);
	}
	file_adopt(f, sock);
	f->flags |= (int)type & SOCK_NONBLOCK ? O_NONBLOCK : 0;
	c->run->last_sock = sock;
	return file_install(c, f);
}

/** do_bind() - "..." is the local address with the default port */
enum attempt do_bind(struct call *c)
{
	const struct drill_config *cfg = &c->run->cfg;
	struct sockaddr_storage ss;
	socklen_t len;

	if (!c->file->sock)
		return no_socket(c);
	if (!expr_sockaddr(c, c->argv[1], cfg->local_ip, cfg->bind_port, &ss, &len))
		return CALL_BAD;
	return call_returns(c, sock_bind(c->file->sock, (struct sockaddr *)&ss, len));
}

/** do_listen() - the next SYN without ports opens a new connection */
enum attempt do_listen(struct call *c)
{
	int64_t backlog;
	int err;

	if (!c->file->sock)
		return no_socket(c);
	if (!arg_number(c, 1, &backlog))
		return CALL_BAD;
	err = sock_listen(c->file->sock, (int)backlog);
	if (err == 0) {
		c->run->flows.begin_anew = true;
		c->run->last_sock = c->file->sock;
	}
	return call_returns(c, err);
}

/** do_accept() - accept() and accept4() */
enum attempt do_accept(struct call *c)
{
	struct sockaddr_storage ss;
	struct socket *sock = NULL;
	int64_t flags = 0;
	struct file *f;
	int err;

	if (!c->file->sock)
		return no_socket(c);
	if (c->spec->argc > 3 && !arg_number(c, 3, &flags))
		return CALL_BAD;
	err = sock_accept(c->file->sock, &sock);
	if (err < 0)
		return call_may_block(c, err, file_nonblocking(c->file), c->file->sock->sk->rcvtimeo_us);
	f = file_new(c->run, FILE_SOCKET);
	if (!f) {
		sock_release(sock);
		return call_returns(c, -ENOMEM);
	}
	file_adopt(f, sock);
	f->flags |= flags & SOCK_NONBLOCK ? O_NONBLOCK : 0;
	c->run->last_sock = sock;
	if (!is_ellipsis(c->argv[1]) &&
	    (sock_getname(sock, &ss, true) < 0 || !check_sockaddr(c, c->argv[1], &ss))) {
		file_put(c->run, f);
		return CALL_BAD;
	}
	return file_install(c, f);
}

/** do_connect() - "..." is the peer's address with the default port */
enum attempt do_connect(struct call *c)
{
	const struct drill_config *cfg = &c->run->cfg;
	struct sockaddr_storage ss;
	socklen_t len;
	int err;

	if (!c->file->sock)
		return no_socket(c);
	if (!expr_sockaddr(c, c->argv[1], cfg->remote_ip, cfg->connect_port, &ss, &len))
		return CALL_BAD;
	err = sock_connect(c->file->sock, (struct sockaddr *)&ss, len);
	if (!c->began)
		c->run->last_sock = c->file->sock;
	if (file_nonblocking(c->file))
		return call_returns(c, err);
	if (err == -EINPROGRESS || (err == -EALREADY && c->began)) {
		enum attempt a = call_may_block(c, -EAGAIN, false, c->file->sock->sk->sndtimeo_us);

		return a == CALL_DONE ? call_returns(c, -EINPROGRESS) : a;
	}
	return call_returns(c, err);
}

/** do_getsockname() - getsockname() and getpeername() */
enum attempt do_getsockname(struct call *c)
{
	struct sockaddr_storage ss;
	int len;

	if (!c->file->sock)
		return no_socket(c);
	memset(&ss, 0, sizeof(ss));
	len = sock_getname(c->file->sock, &ss, strcmp(c->spec->name, "getpeername") == 0);
	if (len < 0)
		return call_returns(c, len);
	return check_sockaddr(c, c->argv[1], &ss) ? call_returns(c, 0) : CALL_BAD;
}

/** do_shutdown() - shutdown(fd, how) */
enum attempt do_shutdown(struct call *c)
{
	int64_t how;

	if (!c->file->sock)
		return no_socket(c);
	if (!arg_number(c, 1, &how))
		return CALL_BAD;
	return call_returns(c, sock_shutdown(c->file->sock, (int)how));
}

/** do_close() - close(fd) */
enum attempt do_close(struct call *c)
{
	int64_t fd;

	if (!arg_number(c, 0, &fd))
		return CALL_BAD;
	c->run->fds[fd] = NULL;
	file_put(c->run, c->file);
	c->file = NULL;
	return call_returns(c, 0);
}

/** do_dup() - dup(fd) */
enum attempt do_dup(struct call *c)
{
	c->file->refs++;
	return file_install(c, c->file);
}

/** do_fcntl() - F_GETFL and F_SETFL */
enum attempt do_fcntl(struct call *c)
{
	int64_t cmd, arg = 0;

	if (!arg_number(c, 1, &cmd) || (c->spec->argc > 2 && !arg_number(c, 2, &arg)))
		return CALL_BAD;
	switch (cmd) {
	case F_GETFL: return call_returns(c, c->file->flags);
	case F_SETFL:
		c->file->flags = (c->file->flags & ~(O_NONBLOCK | O_APPEND)) |
				 ((int)arg & (O_NONBLOCK | O_APPEND));
		return call_returns(c, 0);
	case F_GETFD: return call_returns(c, 0);
	case F_SETFD: return call_returns(c, 0);
	default:
		run_note(c->run, PLAY_WRONG, c->ev->line,
			 "fcntl(): only F_GETFL, F_SETFL, F_GETFD and F_SETFD");
		return CALL_BAD;
	}
}

/** do_ioctl() - numbers that a socket tells; [n] is compared */
enum attempt do_ioctl(struct call *c)
{
	int64_t cmd;
	int value = 0, err;

	if (!c->file->sock)
		return call_returns(c, -ENOTTY);
	if (!arg_number(c, 1, &cmd))
		return CALL_BAD;
	if (cmd == FIONBIO && c->spec->argc > 2) {
		int64_t on;

		if (!arg_number(c, 2, &on))
			return CALL_BAD;
		c->file->flags = on ? c->file->flags | O_NONBLOCK : c->file->flags & ~O_NONBLOCK;
		return call_returns(c, 0);
	}
	err = sock_ioctl(c->file->sock, (unsigned long)cmd, &value);
	if (err == 0 && c->spec->argc > 2 && !check_number(c, "value", c->argv[2], value))
		return CALL_BAD;
	return call_returns(c, err);
}

/** do_open() - a file that holds zeros without end, whatever its name: what sendfile() needs */
enum attempt do_open(struct call *c)
{
	struct file *f = file_new(c->run, FILE_PLAIN);

	return f ? file_install(c, f) : call_returns(c, -ENOMEM);
}

/* The descriptor that the script names for one end. */
static bool install_end(struct call *c, const struct expr *e, struct file *f)
{
	int64_t fd;

	if (!e || !expr_number(c, e, &fd))
		return false;
	if (fd < 0 || fd >= MAX_FDS || c->run->fds[fd])
		return run_wrong(c->run, c->ev->line, "pipe(): descriptor %lld is open already", (long long)fd);
	c->run->fds[fd] = f;
	return true;
}

/** do_pipe() - pipe([r, w]), for splice() */
enum attempt do_pipe(struct call *c)
{
	struct file *in = file_new(c->run, FILE_PIPE), *out = file_new(c->run, FILE_PIPE);
	const struct expr *fds = c->argv[0];

	if (!in || !out) {
		free(in);
		free(out);
		return call_returns(c, -ENOMEM);
	}
	in->flags = O_RDONLY;
	out->flags = O_WRONLY;
	in->pipe_peer = out;
	out->pipe_peer = in;
	if ((fds->kind != EXPR_LIST && fds->kind != EXPR_STRUCT) || fds->nitems != 2) {
		run_note(c->run, PLAY_WRONG, c->ev->line, "pipe() needs the two descriptors: pipe([5, 6])");
	} else if (install_end(c, fds->items, in)) {
		if (install_end(c, fds->items->next, out))
			return call_returns(c, 0);
		file_put(c->run, out);
		return CALL_BAD;
	}
	file_put(c->run, in);
	file_put(c->run, out);
	return CALL_BAD;
}
