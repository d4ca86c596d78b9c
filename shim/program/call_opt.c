/* SPDX-License-Identifier: MIT */
/*
 * Socket options, ioctl, fcntl.
 *
 * Options are the host's, but for what the shim knows (type, domain, protocol), what only the
 * anchor's own file can do (time limits of blocking calls) and SO_ERROR, which both have. ioctl
 * and fcntl commands that concern the file rather than the socket (FIONBIO, F_SETFL, F_SETOWN
 * ...) go to the kernel, which does them on the anchor.
 */
#include "shim/program/real.h"
#include "shim/program/config.h"
#include "shim/program/dgram.h"
#include "shim/program/fdcache.h"
#include "shim/program/packet.h"
#include "shim/program/sock.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static bool is_files_own(int level, int name)
{
	if (level != SOL_SOCKET)
		return false;
	switch (name) {
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
#if defined(SO_RCVTIMEO_NEW) && SO_RCVTIMEO_NEW != SO_RCVTIMEO
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_NEW:
#endif
	case SO_COOKIE: return true;
	default: return false;
	}
}

/*
 * A gate that the host has eaten meanwhile: this may be the last wrapper before code that reaches
 * write() unseen.
 */
static void lift_if_open(int fd, uint32_t w)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if ((w & FD_GATE) && libc()->poll(&p, 1, 0) == 1 && p.revents == POLLOUT)
		gate_lift(fd);
}

/* Takes the error from both: the host's says more, the anchor's would show up again. */
static int take_so_error(int fd, uint32_t w)
{
	int native = 0, err = 0;
	socklen_t len = sizeof(native);

	if (!(w & FD_ATTACHED))
		return 0;
	lift_if_open(fd, w);
	err = sock_error(fd, NULL);
	if (err == 0 && !(w & FD_STREAM))
		err = dgram_take_error(fd); /* on its way already */
	SYS(getsockopt, fd, SOL_SOCKET, SO_ERROR, &native, &len);
	if (err < 0 && (w & FD_GATE))
		fd_flag(fd, FD_DEAD, FD_GATE);
	return err < 0 ? -err : native;
}

/* What needs no question. Returns true with the value. */
static bool known_option(int fd, uint32_t w, int name, int *value)
{
	switch (name) {
	case SO_TYPE:
		*value = (w & FD_STREAM) ? SOCK_STREAM : (w & FD_RAW) ? SOCK_RAW : SOCK_DGRAM;
		return true;
	case SO_DOMAIN: *value = (w & FD_PACKET) ? AF_PACKET : AF_INET; return true;
	case SO_PROTOCOL: *value = (int)fd_protocol(w); return true;
	case SO_ACCEPTCONN:
		*value = (w & FD_LISTEN) != 0;
		return *value || !(w & FD_ATTACHED) || (w & FD_CONNECTED);
	case SO_ERROR: *value = take_so_error(fd, w); return true;
	default: return false;
	}
}

static int do_getsockopt(int fd, uint32_t w, int level, int name, void *val, socklen_t *len)
{
	struct ctl_call c = {
		.op = CTL_GETSOCKOPT,
		.arg = { (uint32_t)level, (uint32_t)name, *len },
		.reply = val,
		.room = *len,
	};
	int known, r;

	if ((int)*len < 0)
		return -EINVAL;
	if (level == SOL_SOCKET && known_option(fd, w, name, &known)) {
		if (*len > sizeof(known))
			*len = sizeof(known);
		memcpy(val, &known, *len);
		return 0;
	}
	/* PACKET_HDRLEN: the number in the buffer is the question. */
	if (level == SOL_PACKET && *len <= CTL_DATA_MAX) {
		c.data = val;
		c.len = *len;
	}
	r = sock_control(fd, &c);
	if (r >= 0)
		*len = (socklen_t)c.got;
	return r < 0 ? r : 0;
}

static __attribute__((noinline)) int ask_getsockopt(int fd, int level, int name, void *val,
						    socklen_t *len)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);

	if (!fd_is_ours(w) || is_files_own(level, name))
		return libc()->getsockopt(fd, level, name, val, len);
	if (nowhere(len) || (nowhere(val) && *len))
		return (int)edge(saved, -EFAULT);
	return (int)edge(saved, do_getsockopt(fd, w, level, name, val, len));
}

/**
 * getsockopt() - see the head of this file
 */
int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.getsockopt(fd, level, name, val, len);
	return ask_getsockopt(fd, level, name, val, len);
}

/* A ring has begun or ended. */
static void note_ring(int fd, const void *val, socklen_t len)
{
	struct tpacket_req req;

	if (len < sizeof(req))
		return;
	memcpy(&req, val, sizeof(req));
	ring_changed(fd, req.tp_block_nr != 0);
}

/* Flags that decide what other calls do. */
static void note_option(int fd, int level, int name, const void *val, socklen_t len)
{
	struct linger linger;
	int on = 0;

	if (level == SOL_PACKET && name == PACKET_RX_RING)
		note_ring(fd, val, len);
	if (level == SOL_SOCKET && name == SO_LINGER && len >= sizeof(linger)) {
		memcpy(&linger, val, sizeof(linger));
		if (linger.l_onoff && linger.l_linger > 0)
			fd_flag(fd, FD_LINGER, 0);
		else
			fd_flag(fd, 0, FD_LINGER);
	}
	if (level == IPPROTO_IP && name == IP_RECVERR && len >= sizeof(on)) {
		memcpy(&on, val, sizeof(on));
		fd_flag(fd, on ? FD_RECVERR : 0, on ? 0 : FD_RECVERR);
	}
}

static int do_setsockopt(int fd, uint32_t w, int level, int name, const void *val, socklen_t len)
{
	struct ctl_call c = {
		.op = CTL_SETSOCKOPT,
		.arg = { (uint32_t)level, (uint32_t)name },
		.data = val,
		.len = len,
	};
	struct sock_fprog prog;
	int r;

	if ((int)len < 0 || len > CTL_DATA_MAX)
		return -EINVAL;
	if (nowhere(val) && len)
		return -EFAULT;
	/* The one option whose value is a pointer: what it points at crosses instead. */
	if (level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF)) {
		if (len != sizeof(prog))
			return -EINVAL;
		memcpy(&prog, val, sizeof(prog));
		if (!prog.filter || !prog.len || prog.len > BPF_MAXINSNS)
			return -EINVAL;
		if (nowhere(prog.filter))
			return -EFAULT;
		c.data = prog.filter;
		c.len = prog.len * sizeof(*prog.filter);
	}
	lift_if_open(fd, w);
	r = sock_control(fd, &c);
	if (r < 0)
		return r;
	note_option(fd, level, name, val, len);
	/*
	 * Urgent bytes lie in the anchor: inline or not is settled there, and the host knows for
	 * getsockopt().
	 */
	if (level == SOL_SOCKET && name == SO_OOBINLINE)
		SYS(setsockopt, fd, level, name, val, len);
	return 0;
}

static __attribute__((noinline)) int ask_setsockopt(int fd, int level, int name, const void *val,
						    socklen_t len)
{
	int saved = errno;
	uint32_t w = fd_verified(fd);
	if (fd_is_ours(w) && (w & FD_STREAM) && is_files_own(level, name))
		fd_flag(fd, FD_TIMES, 0);
	if (!fd_is_ours(w) || is_files_own(level, name))
		return libc()->setsockopt(fd, level, name, val, len);
	return (int)edge(saved, do_setsockopt(fd, w, level, name, val, len));
}

/**
 * setsockopt() - see the head of this file
 */
int setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.setsockopt(fd, level, name, val, len);
	return ask_setsockopt(fd, level, name, val, len);
}

/* Commands on interfaces: a struct ifreq goes there and comes back. */
static bool takes_ifreq(unsigned long cmd)
{
	return (cmd >= SIOCGIFNAME && cmd <= SIOCETHTOOL && cmd != SIOCGIFCONF &&
		cmd != SIOCSIFLINK) ||
	       cmd == SIOCGIFMAP || cmd == SIOCSIFMAP;
}

/* SIOCGIFCONF: as many whole entries as fit, or, without a buffer, the size of all. */
static int list_interfaces(int fd, struct ifconf *ifc)
{
	struct ctl_call c = { .op = CTL_IOCTL, .arg = { SIOCGIFCONF }, .room = CTL_DATA_MAX };
	int r;

	if (!ifc)
		return -EFAULT;
	c.reply = malloc(c.room);
	if (!c.reply)
		return -ENOMEM;
	r = sock_control(fd, &c);
	if (r >= 0 && ifc->ifc_buf) {
		size_t room = ifc->ifc_len > 0 ? (size_t)ifc->ifc_len : 0;

		if (c.got > room)
			c.got = room - room % sizeof(struct ifreq);
		memcpy(ifc->ifc_buf, c.reply, c.got);
	}
	if (r >= 0)
		ifc->ifc_len = (int)c.got;
	free(c.reply);
	return r;
}

static int socket_ioctl(int fd, uint32_t w, unsigned long cmd, void *arg)
{
	struct ctl_call c = { .op = CTL_IOCTL, .arg = { (uint32_t)cmd } };
	int r, value;

	if (nowhere(arg) && (cmd == SIOCGIFCONF || cmd == FIONREAD || takes_ifreq(cmd)))
		return -EFAULT;
	if (cmd == SIOCGIFCONF)
		return list_interfaces(fd, arg);
	if (cmd == FIONREAD && !(w & FD_STREAM)) {
		value = (w & FD_ATTACHED) ? (int)dgram_next_size(fd) : 0;
		memcpy(arg, &value, sizeof(value)); /* python's buffer lies anywhere */
		return 0;
	}
	if (takes_ifreq(cmd)) {
		c.data = c.reply = arg;
		c.len = c.room = sizeof(struct ifreq);
	}
	r = sock_control(fd, &c);
	if (r >= 0 && !c.data && nowhere(arg))
		return -EFAULT;
	if (r >= 0 && !c.data)
		memcpy(arg, &c.arg[0], sizeof(value));
	return r < 0 ? r : 0;
}

/* Does the kernel do this on the anchor as it would on the socket? */
static bool is_files_command(uint32_t w, unsigned long cmd)
{
	switch (cmd) {
	case FIONREAD: return (w & (FD_STREAM | FD_LISTEN)) == FD_STREAM && (w & FD_CONNECTED);
	case TIOCOUTQ:
	case SIOCOUTQNSD: return false;
	case SIOCATMARK: return (w & FD_STREAM) && (w & FD_CONNECTED);
	default:
		return (cmd & 0xff00) !=
		       0x8900; /* FIONBIO, FIOASYNC, FIOCLEX ..., and the ENOTTY of terminals */
	}
}

static __attribute__((noinline)) int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	int saved = errno;
	uint32_t w = fd_word(fd);
	if (!fd_is_ours(w) || is_files_command(w, cmd))
		return libc()->ioctl(fd, cmd, arg);
	w = fd_verified(fd);
	if (!fd_is_ours(w))
		return libc()->ioctl(fd, cmd, arg);
	/* Who owns the signals is the file's business (SIOCSPGRP and friends). */
	if (cmd == FIOSETOWN || cmd == SIOCSPGRP || cmd == FIOGETOWN || cmd == SIOCGPGRP)
		return libc()->ioctl(fd, cmd, arg);
	return (int)edge(saved, socket_ioctl(fd, w, cmd, arg));
}

__attribute__((visibility("default"))) int ioctl_fixed(int fd, unsigned long cmd, void *arg)
	__asm__("ioctl");

/**
 * ioctl_fixed() - ioctl(), of the file to the kernel, of the socket to the host
 *
 * A variadic call passes these three as any call does, and a function that is not variadic itself
 * can end in a jump.
 */
int ioctl_fixed(int fd, unsigned long cmd, void *arg)
{
	if (likely(fd_is_foreign(fd)))
		return libc_table.ioctl(fd, cmd, arg);
	return do_ioctl(fd, cmd, arg);
}

/**
 * sockatmark() - inside libc it is an ioctl
 */
int sockatmark(int fd)
{
	int at = 0;

	return do_ioctl(fd, SIOCATMARK, &at) < 0 ? -1 : at;
}

static int do_fcntl(int (*real)(int, int, ...), int fd, int cmd, void *arg)
{
	int r;

	if (likely(cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC))
		return real(fd, cmd, arg);
	r = real(fd, cmd, arg);
	if (r >= 0)
		fd_copy(fd, r);
	return r;
}

/**
 * fcntl() - the kernel's; a duplicate is noted
 */
int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return do_fcntl(libc()->fcntl, fd, cmd, arg);
}

int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return do_fcntl(libc()->fcntl64, fd, cmd, arg);
}

int __fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return do_fcntl(libc()->__fcntl, fd, cmd, arg);
}
