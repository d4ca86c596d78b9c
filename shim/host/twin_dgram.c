/* SPDX-License-Identifier: MIT */
/*
 * A datagram socket on the wildcard address has a part in the kernel's loopback as well.
 *
 * Where 127.0.0.0/8 is the kernel's, the twin is a kernel UDP socket on 127.0.0.1 with the port of
 * ours. What comes to it goes into the same anchor as what the stack receives, the two in turns
 * (anchor_dgram.c), with the address and ancillary data that the kernel gives; what waits stays in the
 * twin, whose receive buffer drops and counts as that of any UDP socket. What the program sends to
 * 127.0.0.0/8 comes as DGRAM_LOOPBACK and leaves through the twin. Its errors (port unreachable, for
 * who asked by IP_RECVERR) are reported as the stack's are.
 *
 * Made by bind(), since anybody on the loopback may know the port then; where the port was chosen by
 * sending, by the first datagram to 127.0.0.0/8. So who sends to the network only has none, and
 * nobody has another way for his data.
 *
 * connect() to 127.0.0.0/8 connects both: the kernel's socket, through which everything goes from
 * then on, and the stack's, which so has the right names and hears nobody else. connect() to the
 * network ends the twin until the socket is on the wildcard again, as on Linux, where a socket with a
 * source address in the network does not hear the loopback. SO_BINDTODEVICE of another device does
 * the same.
 *
 * Only 127.0.0.1 is heard: a kernel socket on all of 127.0.0.0/8 would have to be on 0.0.0.0, where
 * the addresses of the machine are. Broadcasts are not heard for the same reason, and groups are the
 * stack's alone.
 */
#include <arpa/inet.h>

#include "shim/host/host.h"

static void twin_ready(struct host *h, struct watch *w, uint32_t events)
{
	struct anchor *a = container_of(w, struct anchor, twin);

	(void)h;
	if (events & ~(uint32_t)EPOLLOUT)
		a->twin_readable = true;
	if (events & EPOLLOUT)
		watch_modify(a->host, w, EPOLLIN | EPOLLET);
	anchor_dirty(a);
}

/** twin_dgram_possible() - is it a socket that could have one? */
bool twin_dgram_possible(const struct anchor *a)
{
	return a->state == ANCHOR_DGRAM && a->type == SOCK_DGRAM && a->family == AF_INET &&
	       !a->host->cfg.loopback_stack;
}

/* SO_BINDTODEVICE of a device that is not the loopback. */
static bool on_other_device(struct anchor *a)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);

	return sock_getsockopt(a->sock, SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0 && len && name[0] &&
	       strncmp(name, "lo", sizeof(name));
}

/**
 * twin_dgram_bind() - makes the twin of a socket that is bound
 * @uid: who asks
 *
 * Return: 0, also where it has one; -EADDRNOTAVAIL: it is bound to one address, which the kernel's
 *         loopback does not reach; -ENETUNREACH: to one device; other negative errno
 */
int twin_dgram_bind(struct anchor *a, uint32_t uid)
{
	uint16_t port = twin_port(a);
	int ret = 0;

	if (a->twin.fd >= 0)
		return 0;
	if (!port)
		return -EADDRNOTAVAIL;
	if (on_other_device(a))
		return -ENETUNREACH;
	if (a->twin_fd < 0)
		a->twin_fd = twin_open(a, port, uid);
	ret = a->twin_fd;
	if (ret >= 0) {
		ret = watch_add(a->host, &a->twin, a->twin_fd, EPOLLIN | EPOLLET, twin_ready);
		if (ret)
			sys_close(a->twin_fd);
	}
	a->twin_fd = -1;
	a->twin_err = -ret;
	a->twin_readable = ret == 0;
	return ret;
}

/**
 * twin_dgram_reach() - makes the kernel's loopback reachable for the socket
 * @uid: who asks
 *
 * Return: 0; negative errno as bind() and twin_dgram_bind()
 */
int twin_dgram_reach(struct anchor *a, uint32_t uid)
{
	static const struct sockaddr_in any = { .sin_family = AF_INET };
	struct sockaddr_storage ss;
	int ret = 0;

	if (!twin_dgram_possible(a))
		return -EINVAL;
	if (a->twin.fd >= 0)
		return 0;
	if (sock_getname(a->sock, &ss, false) <= 0 || !((struct sockaddr_in *)(void *)&ss)->sin_port)
		ret = twin_bind(a, &any, uid);
	return ret ? ret : twin_dgram_bind(a, uid);
}

/**
 * twin_dgram_update() - the socket's own address or device has changed: so has its need of a twin
 * @uid: who did it
 */
void twin_dgram_update(struct anchor *a, uint32_t uid)
{
	bool wanted = a->twin_wanted && twin_port(a) && !on_other_device(a);

	if (a->twin_connected)
		return;
	if (a->twin.fd >= 0 && (!twin_port(a) || on_other_device(a))) {
		dgram_work(a); /* what came before is the program's */
		twin_close(a);
	}
	if (wanted && a->twin.fd < 0)
		twin_want(a, twin_dgram_bind, uid);
}

/* The shim's word is not enough: nothing else of the machine is a program's by way of the twin. */
static bool on_loopback(const struct sockaddr_in *addr)
{
	return addr->sin_family == AF_INET && ntohl(addr->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

/**
 * twin_dgram_connect() - connect() to an address of the kernel's loopback
 * @addr: checked here
 * @uid:  who asks
 *
 * Return: 0; negative errno
 */
int twin_dgram_connect(struct anchor *a, const struct sockaddr_in *addr, uint32_t uid)
{
	int ret = on_loopback(addr) ? twin_dgram_reach(a, uid) : -EINVAL;

	if (ret == 0)
		ret = sys_connect(a->twin.fd, addr, sizeof(*addr));
	if (ret)
		return ret;
	ret = sock_connect(a->sock, (const struct sockaddr *)addr, sizeof(*addr));
	a->twin_connected = ret == 0;
	if (ret) {
		twin_close(a);
		twin_dgram_update(a, uid);
	}
	return ret;
}

/** twin_dgram_connected() - connect() to anywhere else, or to nobody, went well in the stack */
void twin_dgram_connected(struct anchor *a, uint32_t uid)
{
	if (a->twin_connected) {
		dgram_work(a);
		twin_close(a);
	}
	if (twin_dgram_possible(a))
		twin_dgram_update(a, uid);
}

/* --- messages --------------------------------------------------------------------------------- */

/* The host may do what the program may not: only what the stack would take goes to the kernel. */
static bool control_ok(const uint8_t *p, size_t left)
{
	struct in_pktinfo info;
	struct cmsghdr c;

	while (left >= sizeof(c)) {
		memcpy(&c, p, sizeof(c));
		if (c.cmsg_len < sizeof(c) || c.cmsg_len > left || c.cmsg_level == SOL_SOCKET ||
		    c.cmsg_level == IPPROTO_UDP)
			return false;
		if (c.cmsg_level == IPPROTO_IP && c.cmsg_type == IP_PKTINFO) {
			if (c.cmsg_len != CMSG_LEN(sizeof(info)))
				return false;
			memcpy(&info, p + CMSG_LEN(0), sizeof(info));
			if (info.ipi_ifindex > 1) /* the loopback is the first in any namespace, and here */
				return false;
		} else if (c.cmsg_level == IPPROTO_IP && c.cmsg_type != IP_TTL && c.cmsg_type != IP_TOS) {
			return false;
		}
		if (CMSG_ALIGN(c.cmsg_len) >= left)
			break;
		left -= CMSG_ALIGN(c.cmsg_len);
		p += CMSG_ALIGN(c.cmsg_len);
	}
	return true;
}

static bool destination_ok(const struct anchor *a, const struct dgram_hdr *hdr)
{
	struct sockaddr_in sin;

	if (!hdr->namelen)
		return a->twin_connected;
	memcpy(&sin, &hdr->name, sizeof(sin));
	return hdr->namelen >= sizeof(sin) && on_loopback(&sin);
}

/**
 * twin_dgram_send() - one datagram to the kernel's loopback
 * @hdr:     its header; checked here
 * @payload: @len bytes
 *
 * Return: bytes sent; -EAGAIN: not now, the anchor becomes dirty when it is possible; other negative errno
 */
ssize_t twin_dgram_send(struct anchor *a, const struct dgram_hdr *hdr, uint8_t *payload, size_t len)
{
	struct dgram_hdr copy = *hdr;
	struct iovec iov = { payload, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int ret;

	if (!destination_ok(a, hdr) || !control_ok(hdr->control, hdr->controllen))
		return -EINVAL;
	ret = twin_dgram_reach(a, a->uid);
	if (ret)
		return ret;
	if (hdr->namelen) {
		msg.msg_name = &copy.name;
		msg.msg_namelen = sizeof(struct sockaddr_in);
	}
	if (hdr->controllen) {
		msg.msg_control = copy.control;
		msg.msg_controllen = hdr->controllen;
	}
	do
		n = sys_sendmsg(a->twin.fd, &msg, (int)(hdr->flags & (MSG_DONTROUTE | MSG_CONFIRM | MSG_MORE)) |
				MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -EINTR);
	if (n == -EAGAIN)
		watch_modify(a->host, &a->twin, EPOLLIN | EPOLLOUT | EPOLLET);
	return n;
}

static ssize_t receive(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room, int flags)
{
	struct iovec iov = { payload, room };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &hdr->name,
			      .msg_namelen = sizeof(hdr->name), .msg_control = hdr->control,
			      .msg_controllen = DGRAM_CONTROL_MAX };
	ssize_t n;

	memset(hdr, 0, sizeof(*hdr));
	do
		n = sys_recvmsg(a->twin.fd, &msg, flags | MSG_DONTWAIT);
	while (n == -EINTR);
	if (n < 0)
		return n;
	hdr->magic = WIRESHIM_MAGIC;
	hdr->kind = DGRAM_DATA;
	hdr->namelen = (uint16_t)msg.msg_namelen;
	hdr->controllen = (uint16_t)msg.msg_controllen;
	hdr->full_len = (uint32_t)n;
	return n;
}

/**
 * twin_dgram_receive() - the next datagram of the kernel's loopback
 * @hdr: filled in; the payload goes to the host's scratch memory
 *
 * Return: payload bytes; -EAGAIN: none; the pending error
 */
ssize_t twin_dgram_receive(struct anchor *a, struct dgram_hdr *hdr)
{
	ssize_t n;

	if (a->twin.fd < 0 || !a->twin_readable)
		return -EAGAIN;
	n = receive(a, hdr, a->host->scratch, DGRAM_FRAME_MAX, 0);
	if (n == -EAGAIN)
		a->twin_readable = false;
	return n;
}

/**
 * twin_dgram_error() - the next message of the twin's error queue (MSG_ERRQUEUE)
 * @hdr:     filled in
 * @payload: @room bytes
 *
 * Return: payload bytes; -EAGAIN: none
 */
ssize_t twin_dgram_error(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room)
{
	return a->twin.fd < 0 ? -EAGAIN : receive(a, hdr, payload, room, MSG_ERRQUEUE);
}

/** twin_dgram_lost() - Return: how many datagrams the twin's receive buffer had no room for */
uint32_t twin_dgram_lost(const struct anchor *a)
{
	enum { DROPS = 8 /* SK_MEMINFO_DROPS */ };
	uint32_t info[DROPS + 1] = { 0 };
	socklen_t len = sizeof(info);

	return a->twin.fd < 0 || sys_getsockopt(a->twin.fd, SOL_SOCKET, SO_MEMINFO, info, &len) ? 0 : info[DROPS];
}
