/* SPDX-License-Identifier: MIT */
/*
 * Questions about AF_UNIX sockets to the kernel (sock_diag, linux/unix_diag.h).
 *
 * The host must know two things that its own end of an anchor does not tell: whether the program's
 * end still exists (a hang-up is also what two half-closed ends look like), and whether the socket
 * that a program claims to be the other end really is. Both are one exact request, by inode number:
 * about 5 us, no dump of a table.
 */
#include "shim/host/host.h"

/* After ours: linux/socket.h defines names as macros that sock.h has in an enum. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

struct diag {
	int fd;
	uint32_t seq;
};

struct diag_request {
	struct nlmsghdr nlh;
	struct unix_diag_req req;
};

/** diag_create() - opens the netlink socket; Return: 0 or negative errno */
int diag_create(struct diag **out)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	struct diag *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->fd = sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ret = d->fd < 0 ? d->fd : sys_bind(d->fd, &any, sizeof(any));
	if (ret < 0) {
		if (d->fd >= 0)
			sys_close(d->fd);
		free(d);
		return ret;
	}
	*out = d;
	return 0;
}

/** diag_destroy() - closes it; NULL is allowed */
void diag_destroy(struct diag *d)
{
	if (!d)
		return;
	sys_close(d->fd);
	free(d);
}

/* One attribute of type @type and at least @len bytes in the answer, or NULL. */
static const void *find_attr(const struct nlmsghdr *nlh, uint16_t type, size_t len)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(nlh);
	const char *p = (const char *)(msg + 1), *end = (const char *)nlh + nlh->nlmsg_len;

	while (end - p >= (ptrdiff_t)sizeof(struct rtattr)) {
		const struct rtattr *rta = (const struct rtattr *)(const void *)p;

		if (rta->rta_len < sizeof(*rta) || rta->rta_len > end - p)
			return NULL;
		if (rta->rta_type == type)
			return rta->rta_len >= RTA_LENGTH(len) ? RTA_DATA(rta) : NULL;
		p += RTA_ALIGN(rta->rta_len);
	}
	return NULL;
}

/* Sends the request and waits for its answer, which the kernel makes before send returns. */
static int ask(struct diag *d, uint64_t ino, uint64_t cookie, uint32_t show, void *buf, size_t size)
{
	struct diag_request r = {
		.nlh = { .nlmsg_len = sizeof(r), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = ++d->seq },
		.req = { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_ino = (uint32_t)ino,
			 .udiag_show = show },
	};
	const struct nlmsghdr *nlh = buf;
	ssize_t n;

	r.req.udiag_cookie[0] = cookie ? (uint32_t)cookie : UINT32_MAX;
	r.req.udiag_cookie[1] = cookie ? (uint32_t)(cookie >> 32) : UINT32_MAX;
	n = sys_sendto(d->fd, &r, sizeof(r), 0, NULL, 0);
	if (n < 0)
		return (int)n;
	for (;;) {
		n = sys_recv(d->fd, buf, size, MSG_DONTWAIT);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if ((size_t)n < sizeof(*nlh) || nlh->nlmsg_len > (size_t)n || nlh->nlmsg_seq != d->seq)
			continue; /* left over from a question that was given up */
		break;
	}
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(nlh);

		return nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0 ? e->error : -EIO;
	}
	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -EIO;
	return 0;
}

/**
 * diag_peer() - which socket is connected to @ino?
 * @cookie: SO_COOKIE that @ino must have; 0 = not checked
 * @peer:   inode of the other end; 0 = it is gone
 *
 * Return: 0; -ENOENT, -ESTALE when there is no such socket; other negative errno
 */
int diag_peer(struct diag *d, uint64_t ino, uint64_t cookie, uint64_t *peer)
{
	_Alignas(8) char buf[1024];
	int ret = ask(d, ino, cookie, UDIAG_SHOW_PEER, buf, sizeof(buf));
	const uint32_t *attr;

	if (ret)
		return ret;
	attr = find_attr((const struct nlmsghdr *)(const void *)buf, UNIX_DIAG_PEER, sizeof(*attr));
	*peer = attr ? *attr : 0;
	return 0;
}

/** diag_unread() - bytes that wait in the receive queue of @ino; Return: 0 or negative errno */
int diag_unread(struct diag *d, uint64_t ino, uint32_t *bytes)
{
	_Alignas(8) char buf[1024];
	int ret = ask(d, ino, 0, UDIAG_SHOW_RQLEN, buf, sizeof(buf));
	const struct unix_diag_rqlen *rql;

	if (ret)
		return ret;
	rql = find_attr((const struct nlmsghdr *)(const void *)buf, UNIX_DIAG_RQLEN, sizeof(*rql));
	*bytes = rql ? rql->udiag_rqueue : 0;
	return 0;
}
