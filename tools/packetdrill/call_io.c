/* SPDX-License-Identifier: MIT */
/*
 * call_io.c - system calls that move bytes
 *
 * What is sent is what the script's strings say, or zeros; what is received is compared with strings
 * where the script has them. Vectors are flattened: a script speaks of lengths.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packetdrill/calls.h"

#define IO_MAX (64 << 20) /* bytes of one call */

struct io {
	uint8_t *buf;
	size_t len;
	unsigned int flags;
	const struct expr *text;        /* what a receive is compared with; NULL = nothing */
	struct sockaddr_storage name;
	socklen_t namelen;
	_Alignas(struct cmsghdr) uint8_t control[512];
	size_t controllen;
};

static bool alloc_io(struct call *c, struct io *io, int64_t len)
{
	if (len < 0 || len > IO_MAX)
		return run_wrong(c->run, c->ev->line, "%s(): a length of %lld", c->spec->name, (long long)len);
	io->len = (size_t)len;
	io->buf = calloc(1, io->len + 1);
	return io->buf || run_fail(c->run, c->ev->line, "out of memory");
}

/* buf, len as arguments @i and @i + 1. */
static bool args_buffer(struct call *c, struct io *io, unsigned int i)
{
	const struct expr *e = c->argv[i];
	int64_t len;

	if (!arg_number(c, i + 1, &len) || !alloc_io(c, io, len))
		return false;
	if (e->kind == EXPR_STRING) {
		io->text = e;
		memcpy(io->buf, e->text, e->len < io->len ? e->len : io->len);
	} else if (!is_ellipsis(e)) {
		free(io->buf);
		return run_wrong(c->run, e->line, "%s(): expected a string or ...", c->spec->name);
	}
	return true;
}

/* [{..., 100}, {"text", 200}]: their length, and the strings put in once there is a buffer. */
static bool vector(struct call *c, const struct expr *list, struct io *io, int64_t *total)
{
	const struct expr *v, *base, *len;
	int64_t n;

	*total = 0;
	if (list->kind != EXPR_LIST)
		return run_wrong(c->run, list->line, "%s(): expected [{..., length}, ...]", c->spec->name);
	for (v = list->items; v; v = v->next) {
		base = v->kind == EXPR_STRUCT ? expr_field(v, "iov_base", 0) : NULL;
		len = base ? expr_field(v, "iov_len", 1) : NULL;
		if (!len)
			return run_wrong(c->run, list->line, "%s(): expected {..., length}", c->spec->name);
		if (!expr_number(c, len, &n))
			return false;
		if (n < 0 || n > IO_MAX || *total + n > IO_MAX)
			return run_wrong(c->run, list->line, "%s(): a length of %lld", c->spec->name, (long long)n);
		if (io->buf && base->kind == EXPR_STRING)
			memcpy(io->buf + *total, base->text, (int64_t)base->len < n ? base->len : (size_t)n);
		*total += n;
	}
	return true;
}

static bool args_vector(struct call *c, struct io *io, const struct expr *list)
{
	int64_t total;

	if (!vector(c, list, io, &total) || !alloc_io(c, io, total))
		return false;
	if (vector(c, list, io, &total))
		return true;
	free(io->buf);
	return false;
}

static bool args_flags(struct call *c, struct io *io, unsigned int i)
{
	int64_t flags;

	if (!arg_number(c, i, &flags))
		return false;
	io->flags = (unsigned int)flags;
	return true;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* A connection that MSG_FASTOPEN began and a blocking caller waits for. */
static bool still_connecting(const struct call *c)
{
	uint8_t state = c->file->sock->sk->state;

	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

static ssize_t send_some(struct call *c, struct io *io)
{
	struct iovec iov = { io->buf + c->done, io->len - (size_t)c->done };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = io->flags,
				 .name = io->namelen ? &io->name : NULL, .namelen = io->namelen,
				 .control = io->controllen ? io->control : NULL,
				 .controllen = io->controllen, .control_size = io->controllen };

	if (c->began)
		msg.flags &= ~(unsigned int)MSG_FASTOPEN;
	return sock_sendmsg(c->file->sock, &msg);
}

/* All of it on a stream that blocks, what there is room for on others. Frees the buffer. */
static enum attempt send_all(struct call *c, struct io *io)
{
	bool nonblocking = file_nonblocking(c->file) || (io->flags & MSG_DONTWAIT);
	struct socket *sock = c->file->sock;
	ssize_t n = -EAGAIN;

	if (!sock) {
		free(io->buf);
		return call_returns(c, -ENOTSOCK);
	}
	if (!(c->began && still_connecting(c))) {
		n = c->done && (size_t)c->done == io->len ? 0 : send_some(c, io);
		while (n > 0 && sock->type == SOCK_STREAM && c->done + n < (int64_t)io->len) {
			c->done += n;
			n = send_some(c, io);
		}
	}
	free(io->buf);
	if (n >= 0)
		c->done += n;
	if (!nonblocking && (io->flags & MSG_FASTOPEN) && still_connecting(c) && (n >= 0 || n == -EINPROGRESS))
		return call_may_block(c, -EAGAIN, false, sock->sk->sndtimeo_us);
	if (n < 0 && (n != -EAGAIN || nonblocking) && c->done > 0)
		return call_returns(c, c->done);
	return n < 0 ? call_may_block(c, n, nonblocking, sock->sk->sndtimeo_us) : call_returns(c, c->done);
}

/** do_write() - write(fd, ..., n) */
enum attempt do_write(struct call *c)
{
	struct io io = { 0 };

	return args_buffer(c, &io, 1) ? send_all(c, &io) : CALL_BAD;
}

/** do_writev() - writev(fd, [{..., n}], 1) */
enum attempt do_writev(struct call *c)
{
	struct io io = { 0 };

	return args_vector(c, &io, c->argv[1]) ? send_all(c, &io) : CALL_BAD;
}

/** do_send() - send(fd, ..., n, flags) */
enum attempt do_send(struct call *c)
{
	struct io io = { 0 };

	return args_flags(c, &io, 3) && args_buffer(c, &io, 1) ? send_all(c, &io) : CALL_BAD;
}

/* "..." is the peer for a socket without one, and nothing for a connected one. */
static bool args_destination(struct call *c, struct io *io, const struct expr *e)
{
	const struct drill_config *cfg = &c->run->cfg;
	struct sockaddr_storage peer;

	if (is_ellipsis(e) && c->file->sock && !(io->flags & MSG_FASTOPEN) &&
	    sock_getname(c->file->sock, &peer, true) > 0)
		return true;
	if (is_ellipsis(e) && c->file->sock && c->file->sock->type == SOCK_STREAM && !(io->flags & MSG_FASTOPEN))
		return true;
	return expr_sockaddr(c, e, cfg->remote_ip, cfg->connect_port, &io->name, &io->namelen);
}

/** do_sendto() - sendto(fd, ..., n, flags, address, length) */
enum attempt do_sendto(struct call *c)
{
	struct io io = { 0 };

	if (!args_flags(c, &io, 3) || !args_destination(c, &io, c->argv[4]) || !args_buffer(c, &io, 1))
		return CALL_BAD;
	return send_all(c, &io);
}

/* One {cmsg_level=, cmsg_type=, cmsg_data=n} behind the others. */
static bool add_cmsg(struct call *c, struct io *io, const struct expr *e)
{
	const struct expr *level = expr_field(e, "cmsg_level", 0), *type = expr_field(e, "cmsg_type", 1);
	const struct expr *data = expr_field(e, "cmsg_data", 2);
	struct cmsghdr *cm = (struct cmsghdr *)(void *)(io->control + io->controllen);
	int64_t l, t, v;
	int value;

	if (!level || !type || !data)
		return run_wrong(c->run, e->line, "ancillary data needs cmsg_level, cmsg_type and cmsg_data");
	if (!expr_number(c, level, &l) || !expr_number(c, type, &t) || !expr_number(c, data, &v))
		return false;
	if (io->controllen + CMSG_SPACE(sizeof(value)) > sizeof(io->control))
		return run_wrong(c->run, e->line, "too much ancillary data");
	cm->cmsg_len = CMSG_LEN(sizeof(value));
	cm->cmsg_level = (int)l;
	cm->cmsg_type = (int)t;
	value = (int)v;
	memcpy(CMSG_DATA(cm), &value, sizeof(value));
	io->controllen += CMSG_SPACE(sizeof(value));
	return true;
}

static bool msghdr(struct call *c, const struct expr **iov, const struct expr **control,
		   const struct expr **flags)
{
	const struct expr *e = c->argv[1];

	*iov = e->kind == EXPR_STRUCT ? expr_field(e, "msg_iov", 99) : NULL;
	if (!*iov)
		return run_wrong(c->run, e->line, "%s(): expected {msg_name(...)=..., msg_iov(n)=[...], ...}",
				 c->spec->name);
	*control = expr_field(e, "msg_control", 99);
	*flags = expr_field(e, "msg_flags", 99);
	return true;
}

/** do_sendmsg() - sendmsg(fd, {msghdr}, flags) */
enum attempt do_sendmsg(struct call *c)
{
	const struct expr *iov, *control, *flags, *e, *name;
	struct io io = { 0 };

	if (!msghdr(c, &iov, &control, &flags) || !args_flags(c, &io, 2))
		return CALL_BAD;
	for (e = control ? control->items : NULL; e; e = e->next)
		if (!add_cmsg(c, &io, e))
			return CALL_BAD;
	name = expr_field(c->argv[1], "msg_name", 99);
	if (name && !args_destination(c, &io, name))
		return CALL_BAD;
	return args_vector(c, &io, iov) ? send_all(c, &io) : CALL_BAD;
}

/** do_sendfile() - sendfile(out, in, [offset], n) from a file of open() */
enum attempt do_sendfile(struct call *c)
{
	struct io io = { 0 };
	int64_t in, n;
	struct file *f;

	if (!arg_number(c, 1, &in) || !arg_number(c, 3, &n))
		return CALL_BAD;
	f = file_get(c->run, in);
	if (!f)
		return call_returns(c, -EBADF);
	if (f->kind != FILE_PLAIN)
		return call_returns(c, -EINVAL);
	return alloc_io(c, &io, n) ? send_all(c, &io) : CALL_BAD;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool check_text(struct call *c, const struct io *io, int64_t got)
{
	const struct expr *e = io->text;

	if (!e || got < 0)
		return true;
	if (got >= (int64_t)e->len && (e->open_end || got == (int64_t)e->len) &&
	    memcmp(io->buf, e->text, e->len) == 0)
		return true;
	return run_fail(c->run, c->ev->line, "%s(): expected \"%.60s\" vs actual \"%.60s\"", c->spec->name,
			e->text, (const char *)io->buf);
}

/* Keeps what earlier attempts of MSG_WAITALL got out of the comparison: only lengths count there. */
static enum attempt receive(struct call *c, struct io *io, struct stack_msg *msg)
{
	bool nonblocking = file_nonblocking(c->file) || (io->flags & MSG_DONTWAIT);
	struct socket *sock = c->file->sock;
	struct iovec iov = { io->buf, io->len - (size_t)c->done };
	ssize_t n;

	if (!sock)
		return call_returns(c, -ENOTSOCK);
	if (io->text && !c->began)
		memset(io->buf, 0, io->len);
	msg->iov = &iov;
	msg->iovcnt = 1;
	msg->flags = io->flags;
	n = sock_recvmsg(sock, msg);
	if (n > 0 && (io->flags & MSG_WAITALL) && sock->type == SOCK_STREAM && c->done + n < (int64_t)io->len &&
	    !nonblocking) {
		c->done += n;
		iov = (struct iovec){ io->buf, io->len - (size_t)c->done };
		n = sock_recvmsg(sock, msg);
	}
	msg->iov = NULL;
	if (n < 0 && n != -EAGAIN && c->done > 0)
		n = 0;
	if (n >= 0)
		return call_returns(c, c->done + n);
	return call_may_block(c, n, nonblocking, sock->sk->rcvtimeo_us);
}

static enum attempt plain_recv(struct call *c, struct io *io)
{
	struct stack_msg msg = { 0 };
	enum attempt a = receive(c, io, &msg);

	if (a == CALL_DONE && !check_text(c, io, c->result))
		a = CALL_BAD;
	free(io->buf);
	return a;
}

/** do_read() - read(fd, ..., n) */
enum attempt do_read(struct call *c)
{
	struct io io = { 0 };

	return args_buffer(c, &io, 1) ? plain_recv(c, &io) : CALL_BAD;
}

/** do_readv() - readv(fd, [{..., n}], 1) */
enum attempt do_readv(struct call *c)
{
	struct io io = { 0 };

	return args_vector(c, &io, c->argv[1]) ? plain_recv(c, &io) : CALL_BAD;
}

/** do_recv() - recv(fd, ..., n, flags) */
enum attempt do_recv(struct call *c)
{
	struct io io = { 0 };

	return args_flags(c, &io, 3) && args_buffer(c, &io, 1) ? plain_recv(c, &io) : CALL_BAD;
}

/** do_recvfrom() - recvfrom(fd, ..., n, flags, address, length) */
enum attempt do_recvfrom(struct call *c)
{
	struct stack_msg msg = { 0 };
	struct io io = { 0 };
	enum attempt a;

	if (!args_flags(c, &io, 3) || !args_buffer(c, &io, 1))
		return CALL_BAD;
	msg.name = &io.name;
	a = receive(c, &io, &msg);
	if (a == CALL_DONE && c->result >= 0 &&
	    (!check_text(c, &io, c->result) || !check_sockaddr(c, c->argv[4], &io.name)))
		a = CALL_BAD;
	free(io.buf);
	return a;
}

/** do_recvmsg() - recvmsg(fd, {msghdr}, flags); msg_flags and msg_control are compared */
enum attempt do_recvmsg(struct call *c)
{
	const struct expr *iov, *control, *flags;
	struct stack_msg msg = { 0 };
	struct io io = { 0 };
	enum attempt a;

	if (!msghdr(c, &iov, &control, &flags) || !args_flags(c, &io, 2) || !args_vector(c, &io, iov))
		return CALL_BAD;
	msg.name = &io.name;
	msg.control = io.control;
	msg.control_size = sizeof(io.control);
	a = receive(c, &io, &msg);
	if (a == CALL_DONE && c->result >= 0 &&
	    ((flags && !check_number(c, "msg_flags", flags, (int64_t)msg.out_flags)) ||
	     (control && !check_cmsgs(c, control, io.control, msg.controllen))))
		a = CALL_BAD;
	free(io.buf);
	return a;
}

/* ---- splice ---------------------------------------------------------------------------------- */

static enum attempt splice_in(struct call *c, struct file *pipe, int64_t len)
{
	struct io io = { 0 };
	enum attempt a;

	if (!alloc_io(c, &io, len))
		return CALL_BAD;
	a = plain_recv(c, &io);
	if (a == CALL_DONE && c->result > 0)
		pipe->bytes += c->result;
	return a;
}

/** do_splice() - splice(in, [off], out, [off], n, flags) between a socket and a pipe */
enum attempt do_splice(struct call *c)
{
	struct io io = { 0 };
	struct file *in = c->file, *out;
	int64_t fd, len;
	enum attempt a;

	if (!arg_number(c, 2, &fd) || !arg_number(c, 4, &len))
		return CALL_BAD;
	out = file_get(c->run, fd);
	if (!out)
		return call_returns(c, -EBADF);
	if (in->kind == FILE_SOCKET && out->kind == FILE_PIPE && out->pipe_peer)
		return splice_in(c, out->pipe_peer, len);
	if (in->kind != FILE_PIPE || out->kind != FILE_SOCKET)
		return call_returns(c, -EINVAL);
	if (in->bytes == 0)
		return call_may_block(c, in->pipe_peer ? -EAGAIN : 0, file_nonblocking(in), 0);
	if (!alloc_io(c, &io, in->bytes < len ? in->bytes : len))
		return CALL_BAD;
	c->file = out;
	a = send_all(c, &io);
	c->file = in;
	if (a == CALL_DONE && c->result > 0)
		in->bytes -= c->result;
	return a;
}
