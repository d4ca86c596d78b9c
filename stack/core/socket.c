/* SPDX-License-Identifier: MIT */
/*
 * BSD socket layer: one function per call. It checks what does not depend on the family, in Linux's
 * order, and calls the family's proto_ops; the family finds the sock and its transport.
 *
 * sock_create() asks the family that registered for the net; sock_accept() makes the struct socket
 * of a child here and lets the family graft the child's sock on it. Nothing blocks. Changes are told
 * through struct socket.wake, which sock.c's default callbacks call.
 *
 * Read first: man 2 socket, connect, accept; socket.h for what each call promises.
 */
#include <limits.h>

#include "stack/core/socket.h"

#define SOCK_TYPE_MAX 11 /* Linux: types above SOCK_PACKET (10) are invalid */
#define FAMILY_MAX 46    /* Linux's AF_MAX */

/**
 * sock_register() - a family announces its creator
 * @net: net
 * @fam: family; must outlive the net
 *
 * Return: 0; -EEXIST, -ENOBUFS when the registry is full
 */
int sock_register(struct net *net, const struct net_proto_family *fam)
{
	for (size_t i = 0; i < SOCK_FAMILIES_MAX; i++) {
		const struct net_proto_family **slot = &net->socks->families[i];

		if (!*slot) {
			*slot = fam;
			return 0;
		}
		if ((*slot)->family == fam->family)
			return -EEXIST;
	}
	return -ENOBUFS;
}

static const struct net_proto_family *find_family(const struct net *net, int family)
{
	for (size_t i = 0; i < SOCK_FAMILIES_MAX; i++) {
		const struct net_proto_family *fam = net->socks->families[i];

		if (fam && fam->family == family)
			return fam;
	}
	return NULL;
}

static struct socket *alloc_socket(struct net *net, uint16_t type)
{
	struct socket *sock = calloc(1, sizeof(*sock));

	if (!sock)
		return NULL;
	sock->net = net;
	sock->type = type;
	sock->state = SS_UNCONNECTED;
	return sock;
}

/**
 * sock_create() - socket()
 * @net:      net
 * @family:   AF_*
 * @type:     SOCK_* without SOCK_NONBLOCK and SOCK_CLOEXEC
 * @protocol: IPPROTO_*, 0 = the type's default
 * @out:      the socket, on success
 *
 * Return: 0; -EINVAL, -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -ENOMEM
 */
int sock_create(struct net *net, int family, int type, int protocol, struct socket **out)
{
	const struct net_proto_family *fam;
	struct socket *sock;
	int err;

	/* __sys_socket() refuses flag bits before the family is looked at. */
	if (type & ~0xf)
		return -EINVAL;
	if (family < 0 || family >= FAMILY_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_TYPE_MAX)
		return -EINVAL;
	fam = find_family(net, family);
	if (!fam)
		return -EAFNOSUPPORT;
	sock = alloc_socket(net, (uint16_t)type);
	if (!sock)
		return -ENOMEM;
	err = fam->create(net, sock, protocol);
	if (err) {
		free(sock);
		return err;
	}
	*out = sock;
	return 0;
}

/* Linux copies addresses in before anything else: too long is -EINVAL for every family. */
static bool bad_addrlen(socklen_t len)
{
	return len > sizeof(struct sockaddr_storage);
}

/**
 * sock_bind() - bind()
 * @sock: socket
 * @addr: local address
 * @len:  its length
 *
 * Return: 0 or negative errno
 */
int sock_bind(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
	if (bad_addrlen(len))
		return -EINVAL;
	return sock->ops->bind(sock, addr, len);
}

/**
 * sock_listen() - listen()
 * @sock:    socket
 * @backlog: as passed; the transport bounds it by somaxconn and takes a negative one as huge
 *
 * Return: 0 or negative errno
 */
int sock_listen(struct socket *sock, int backlog)
{
	return sock->ops->listen(sock, backlog);
}

/**
 * sock_accept() - accept() without waiting
 * @sock: listener
 * @out:  the connection's socket on success; nobody listens to its wake yet
 *
 * Return: 0; -EAGAIN when none waits, or negative errno
 */
int sock_accept(struct socket *sock, struct socket **out)
{
	struct socket *child = alloc_socket(sock->net, sock->type);
	int err;

	if (!child)
		return -ENOMEM;
	child->ops = sock->ops;
	err = sock->ops->accept(sock, child);
	if (err) {
		free(child);
		return err;
	}
	child->sk->owner = sock->sk->owner;
	*out = child;
	return 0;
}

/**
 * sock_connect() - connect() without waiting
 * @sock: socket
 * @addr: peer; AF_UNSPEC dissolves
 * @len:  its length
 *
 * Return: 0; -EINPROGRESS when under way, or negative errno
 */
int sock_connect(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
	if (bad_addrlen(len))
		return -EINVAL;
	return sock->ops->connect(sock, addr, len);
}

/* Sum of the vector, or -EINVAL when it cannot be a length (man 2 writev). */
static ssize_t check_iov(const struct stack_msg *msg)
{
	size_t sum = 0;

	for (size_t i = 0; i < msg->iovcnt; i++) {
		if (msg->iov[i].iov_len > (size_t)SSIZE_MAX - sum)
			return -EINVAL;
		sum += msg->iov[i].iov_len;
	}
	return (ssize_t)sum;
}

/**
 * sock_sendmsg() - send(), sendto(), sendmsg() without waiting
 * @sock: socket
 * @msg:  message; borrowed
 *
 * Return: bytes taken or negative errno (-EAGAIN: wait for wake)
 */
ssize_t sock_sendmsg(struct socket *sock, struct stack_msg *msg)
{
	ssize_t sum = check_iov(msg);

	if (sum < 0)
		return sum;
	if (bad_addrlen(msg->namelen))
		return -EINVAL;
	return sock->ops->sendmsg(sock, msg);
}

/**
 * sock_recvmsg() - recv(), recvfrom(), recvmsg() without waiting
 * @sock: socket
 * @msg:  where to; out_flags, namelen, controllen and full_len are filled
 *
 * Return: bytes given, 0 at end of stream, or negative errno (-EAGAIN: wait for wake)
 */
ssize_t sock_recvmsg(struct socket *sock, struct stack_msg *msg)
{
	ssize_t sum = check_iov(msg);

	if (sum < 0)
		return sum;
	msg->out_flags = 0;
	msg->controllen = 0;
	msg->namelen = 0;
	msg->full_len = 0;
	return sock->ops->recvmsg(sock, msg);
}

/**
 * sock_read() - read a stream without copying it
 * @sock:  stream socket
 * @actor: gets consecutive ranges, returns how many bytes it took
 * @arg:   for @actor
 *
 * Return: bytes taken, 0 at end of stream, or negative errno; -EOPNOTSUPP when not a stream
 */
ssize_t sock_read(struct socket *sock, size_t (*actor)(void *arg, const uint8_t *data, size_t len),
		  void *arg)
{
	if (!sock->sk->prot->read_sock)
		return -EOPNOTSUPP;
	return sock->sk->prot->read_sock(sock->sk, actor, arg);
}

/**
 * sock_fill() - write into a stream's send buffer without copying
 * @sock:   stream socket
 * @filler: gets room, returns how many bytes it wrote there, or negative errno
 * @arg:    for @filler
 *
 * Return: bytes taken; with none what @filler said, -EAGAIN without room, or negative errno
 */
ssize_t sock_fill(struct socket *sock, ssize_t (*filler)(void *arg, uint8_t *buf, size_t len),
		  void *arg)
{
	if (!sock->sk->prot->fill_sock)
		return -EOPNOTSUPP;
	return sock->sk->prot->fill_sock(sock->sk, filler, arg);
}

/**
 * sock_getname() - getsockname() and getpeername()
 * @sock: socket
 * @addr: answer
 * @peer: the other side's
 *
 * Return: length of the address; -ENOTCONN
 */
int sock_getname(struct socket *sock, struct sockaddr_storage *addr, bool peer)
{
	return sock->ops->getname(sock, addr, peer);
}

/* Counts what was asked for and is not there; where the table is full, in its last line, whose name is -1. */
static int count_absent(struct net *net, int level, int name)
{
	struct absent_option *a = net->socks->absent, *last = a + SOCK_ABSENT_MAX - 1;

	while (a < last && a->count && (a->level != level || a->name != name))
		a++;
	a->level = a < last ? level : -1;
	a->name = a < last ? name : -1;
	a->count++;
	return -ENOPROTOOPT;
}

/**
 * sock_absent_option() - what programs asked for and we have not
 * @net:   net
 * @index: 0, 1, ...
 *
 * Return: the option, level and name -1 for all that were not told apart; NULL: no more
 */
const struct absent_option *sock_absent_option(const struct net *net, unsigned int index)
{
	const struct absent_option *a = net->socks->absent + index;

	return index < SOCK_ABSENT_MAX && a->count ? a : NULL;
}

/**
 * sock_setsockopt() - setsockopt()
 * @sock:  socket
 * @level: SOL_SOCKET or the protocol's
 * @name:  option
 * @val:   value
 * @len:   its length
 *
 * Return: 0 or negative errno; -ENOPROTOOPT for what is not there, which is counted
 */
int sock_setsockopt(struct socket *sock, int level, int name, const void *val, socklen_t len)
{
	int ret;

	if (len > INT_MAX)
		return -EINVAL;
	ret = level == SOL_SOCKET ? sock_common_setsockopt(sock->sk, name, val, len) :
				    sock->ops->setsockopt(sock, level, name, val, len);
	return ret == -ENOPROTOOPT ? count_absent(sock->net, level, name) : ret;
}

/**
 * sock_getsockopt() - getsockopt()
 * @sock:  socket
 * @level: SOL_SOCKET or the protocol's
 * @name:  option
 * @val:   answer
 * @len:   in: room; out: length of the answer
 *
 * Return: 0 or negative errno; -ENOPROTOOPT for what is not there, which is counted
 */
int sock_getsockopt(struct socket *sock, int level, int name, void *val, socklen_t *len)
{
	int ret;

	if (*len > INT_MAX)
		return -EINVAL;
	ret = level == SOL_SOCKET ? sock_common_getsockopt(sock->sk, name, val, len) :
				    sock->ops->getsockopt(sock, level, name, val, len);
	return ret == -ENOPROTOOPT ? count_absent(sock->net, level, name) : ret;
}

/**
 * sock_shutdown() - shutdown()
 * @sock: socket
 * @how:  SHUT_RD, SHUT_WR, SHUT_RDWR
 *
 * Return: 0; -EINVAL, -ENOTCONN
 */
int sock_shutdown(struct socket *sock, int how)
{
	return sock->ops->shutdown(sock, how);
}

/**
 * sock_ioctl() - ioctl() whose argument is an int
 * @sock:  socket
 * @cmd:   SIOCINQ, SIOCOUTQ, ...
 * @value: argument and answer
 *
 * Return: 0 or negative errno; -ENOTTY for what is not there
 */
int sock_ioctl(struct socket *sock, unsigned long cmd, int *value)
{
	return sock->ops->ioctl(sock, cmd, value);
}

/**
 * sock_dev_ioctl() - ioctl() about interfaces, see netdevice(7)
 * @sock: socket
 * @cmd:  SIOCGIF..., SIOCSIF...
 * @arg:  a struct ifreq, question and answer; SIOCGIFCONF: room for many, NULL to learn their size
 * @len:  bytes of @arg; SIOCGIFCONF: set to those of the answer
 *
 * Return: 0 or negative errno; -ENOTTY for what is not there
 */
int sock_dev_ioctl(struct socket *sock, unsigned long cmd, void *arg, size_t *len)
{
	return sock->ops->dev_ioctl ? sock->ops->dev_ioctl(sock, cmd, arg, len) : -ENOTTY;
}

/**
 * sock_poll() - what poll() shows
 * @sock: socket
 *
 * Return: POLL* bits
 */
unsigned int sock_poll(const struct socket *sock)
{
	return sock->ops->poll(sock);
}

/**
 * sock_release() - close(): the program is gone
 * @sock: freed; the transport finishes by itself
 */
void sock_release(struct socket *sock)
{
	sock->wake = NULL;
	sock->ops->release(sock);
	free(sock);
}

/**
 * sock_set_owner() - note who made the socket, for captures and reports
 * @sock: socket
 * @pid:  process id, 0 = unknown
 * @comm: program name, cut to 15 bytes
 */
void sock_set_owner(struct socket *sock, int32_t pid, const char *comm)
{
	sock->sk->owner.pid = pid;
	snprintf(sock->sk->owner.comm, sizeof(sock->sk->owner.comm), "%s", comm);
}

/**
 * sock_wspace() - how much a stream takes now
 * @sock: stream socket
 *
 * Return: bytes; 0 = wait for wake (an error or an end is shown by sock_poll())
 */
size_t sock_wspace(const struct socket *sock)
{
	const struct sock *sk = sock->sk;
	int64_t room = sk->sndbuf - sk->wmem_queued;

	if (sk->state != TCP_ESTABLISHED && sk->state != TCP_CLOSE_WAIT && !sock_flag(sk, SOCK_EARLY))
		return 0;
	if ((sk->shutdown & SEND_SHUTDOWN) || room <= 0)
		return 0;
	return (size_t)room;
}
