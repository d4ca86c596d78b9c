/* SPDX-License-Identifier: MIT */
/*
 * What crosses between a program (shim/program) and its host (shim/host).
 *
 * Three kinds of AF_UNIX connections lead to the host's one abstract listener, told apart by the
 * first message on each (every client writes it at once, in one piece):
 *
 *   control    SEQPACKET, one per process: struct ctl_hello, then struct ctl_msg requests, each
 *              answered by one ctl_msg with the same seq, in order - unless CTL_F_NOREPLY.
 *   anchor     one per socket of ours; STREAM for stream sockets, SEQPACKET for all others:
 *              struct anchor_hello, then the socket's bytes (stream), or one struct dgram_hdr plus
 *              payload per message (others).
 *
 * STREAM and SEQPACKET cannot share an AF_UNIX listener, so a host binds two abstract names:
 * "@wireshim/KEY/s" (STREAM) and "@wireshim/KEY/p" (SEQPACKET). KEY is "n/NAME" with --host NAME,
 * else "d/IFACE/A.B.C.D". WIRESHIM_SOCKET holds "wireshim/KEY" and WIRESHIM_TOKEN the secret that
 * lets processes of another user than the host's own in.
 *
 * A socket is named by its SO_COOKIE in the program, by processes that hold it: a request says under
 * which descriptor, and the host looks; -ESTALE = no such socket, or it is not yours.
 *
 * A listening socket's anchor carries struct accept_record messages, each with one SCM_RIGHTS
 * descriptor: the program end of the new socket's anchor, whose hello the host has written itself,
 * or a TCP socket of the kernel, where the listener serves its loopback too.
 *
 * The gate. While a connect() is under way the anchor must not poll writable. The shim asks CONNECT
 * and, when the answer is -EINPROGRESS, sets SO_SNDBUF of the anchor to the minimum and writes
 * exactly GATE_BYTES zero bytes in one send. The host, knowing from CONNECT that a gate will come,
 * treats the first GATE_BYTES on the anchor as the gate:
 *   established                      it eats the gate: POLLOUT rises;
 *   failed, CONNECT was blocking     it keeps the error, eats the gate: the waiting shim asks CTL_ERROR;
 *   failed, CONNECT was non-blocking it keeps the error record under the cookie, and closes its end with
 *                                    the gate unread: the program natively sees POLLERR|POLLHUP.
 * LISTEN puts up a gate as well, which the host never eats, so that a listener never polls writable.
 *
 * All integers in host byte order except inside sockaddr; both sides are the same machine.
 */
#ifndef SHIM_PROTOCOL_H
#define SHIM_PROTOCOL_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	WIRESHIM_MAGIC = 0x77736837, /* "wsh7": changes with any change of this file */
	GATE_BYTES = 512,
	CTL_DATA_MAX = 65536,
	DGRAM_PAYLOAD_MAX = 65535,
	DGRAM_FRAME_MAX = 68 * 1024, /* of a packet socket: a super-segment with its headers */
	DGRAM_CONTROL_MAX = 192,
};

/* First message of each connection. */
struct ctl_hello {
	uint32_t magic;
	uint32_t kind;      /* HELLO_CONTROL */
	uint64_t token;     /* 0 when the uid is the host's own */
};

enum hello_kind { HELLO_CONTROL = 1, HELLO_ANCHOR = 2 };

struct anchor_hello {
	uint32_t magic;
	uint32_t kind;      /* HELLO_ANCHOR */
	uint64_t token;
	uint64_t cookie;    /* SO_COOKIE of the program's end; the host verifies it by sock_diag */
	uint64_t ino;       /* st_ino of the program's end, for the same */
	uint16_t family;    /* what socket() was asked for */
	uint16_t type;      /* SOCK_STREAM, SOCK_DGRAM, SOCK_RAW */
	uint32_t protocol;  /* of a packet socket: none, CTL_BIND gives it */
};

enum ctl_op {
	CTL_HELLO = 1,    /* reply to ctl_hello: data = struct ctl_hello_reply; sent by the host unasked, seq 0 */
	CTL_BIND,         /* data = sockaddr; arg[0] = 1: a port to be chosen has to be free on the kernel's
	                   * 127.0.0.1 too */
	CTL_CONNECT,      /* data = sockaddr; flags CTL_F_NONBLOCK, CTL_F_FASTOPEN; result 0, -EINPROGRESS, -errno.
	                   * Datagram: arg[0] = 1: the address is the kernel's 127.0.0.0/8 */
	CTL_LISTEN,       /* arg[0] = backlog; arg[1] = 1: on the wildcard, listen on the kernel's 127.0.0.1 too */
	CTL_GETNAME,      /* arg[0] = 1: peer; reply data = sockaddr */
	CTL_SETSOCKOPT,   /* arg[0] level, arg[1] name, data = value */
	CTL_GETSOCKOPT,   /* arg[0] level, arg[1] name, arg[2] = room; reply data = value */
	CTL_SHUTDOWN,     /* arg[0] = SHUT_RD, SHUT_WR, SHUT_RDWR: when the anchor itself is not to be shut down */
	CTL_IOCTL,        /* arg[0] = command low 32 bits; reply arg[0] = int result. About an interface:
	                   * data = struct ifreq, so is the reply's; SIOCGIFCONF: reply data = all of them */
	CTL_ERROR,        /* why did the anchor end or fail: takes the pending error. result = 0 (clean
	                   * end) or -errno; reply arg[0] = state after it, enum ctl_state.
	                   * With arg[0] = 1 the error is shown and stays pending */
	CTL_SENDCHECK,    /* datagram: would a send to data = sockaddr fail at once? result 0 / -errno.
	                   * arg[1] = 1: it will be DGRAM_LOOPBACK.
	                   * Packet socket: of arg[0] bytes; without data: as it is bound */
	CTL_RECVERR,      /* MSG_ERRQUEUE: reply data = struct dgram_hdr + payload; -EAGAIN when empty */
	CTL_LINGER,       /* close() with SO_LINGER on: answered when all is sent and acknowledged, or
	                   * the linger time is over (-EWOULDBLOCK) */
	CTL_REQUEUE,      /* an accept record's descriptor was lost (MSG_CTRUNC): cookie of the lost
	                   * child in arg[0..1] (low, high); the listener's cookie in the header */
	CTL_RESOLVE,      /* data = struct ctl_resolve; reply data = struct ctl_resolved + addresses */
	CTL_RESOLVE_ADDR, /* data = sockaddr; reply data = host name, zero-terminated */
	CTL_RES_QUERY,    /* arg[0] class, arg[1] type, data = name; reply data = DNS answer message */
	CTL_RES_SEND,     /* data = DNS query message; reply data = DNS answer message */
	CTL_STATS,        /* reply data = text report of the host (see wireshim status) */
	CTL_CONFIG,       /* data = text "name=value\n..." of options asked for; -EEXIST + data = the
	                   * one-line reason when they contradict the running host's */
	CTL_STOP,         /* ask the host to end now (resets what is open) */
	CTL_RING_MAP,     /* the packet ring of a socket: reply arg[0..1] = bytes (low, high), with the memfd
	                   * as SCM_RIGHTS; struct ring_control lies behind those bytes. -EINVAL: no ring */
	CTL_IFADDRS,      /* reply data = struct ctl_ifaddr of each interface, then of each address */
	CTL_REASON,       /* data = text: why the socket is the host's; cookie 0: why one was left to the
	                   * kernel or refused. For reports */
	CTL_SYSCTL,       /* data = text "" (all settings), "NAME", "FOLDER" or "NAME=VALUE"; reply data = lines
	                   * "NAME = VALUE", or the one-line reason */
	CTL_OPTIONS,      /* the socket is about to become the kernel's: reply data = struct ctl_option with
	                   * its value, of each option that was set; the port on the kernel's loopback is free */
	CTL_PASS_ON,      /* the anchor has ended, its socket has not: a fresh one of the same process gets the
	                   * socket. arg[0..1] = cookie (low, high) and arg[2] = descriptor of that one */
};

enum ctl_flags {
	CTL_F_NOREPLY = 1,
	CTL_F_NONBLOCK = 2,
	CTL_F_FASTOPEN = 4, /* 0 also when the SYN waits for the first bytes (MSG_FASTOPEN) */
};

enum ctl_state { CTL_S_OPEN = 0, CTL_S_CONNECTING, CTL_S_CONNECTED, CTL_S_LISTENING, CTL_S_DEAD };

/* One request or reply; a SEQPACKET message of sizeof(struct ctl_msg) + len bytes. */
struct ctl_msg {
	uint32_t magic;
	uint16_t op;        /* enum ctl_op */
	uint16_t flags;     /* enum ctl_flags */
	uint32_t seq;       /* of the request; echoed */
	int32_t result;     /* reply: >= 0 or -errno */
	uint64_t cookie;    /* socket meant; 0 = none */
	uint32_t arg[4];
	uint32_t len;       /* bytes of data that follow */
	int32_t fd;         /* request: number of the socket meant in the asking process */
};

struct ctl_hello_reply {
	uint32_t magic;
	uint32_t loopback_stack; /* 1: 127.0.0.0/8 is the host's */
	uint64_t token;          /* to hand on in WIRESHIM_TOKEN; 0 unless the uid is the host's own */
	uint32_t host_pid;
	uint32_t pad;
	struct in_addr addr;     /* the host's first address */
	char hostname[64];       /* --hostname, or empty */
};

/* Heads every message on a datagram or raw anchor, both directions. Fixed size. */
struct dgram_hdr {
	uint32_t magic;
	uint16_t kind;       /* enum dgram_kind */
	uint16_t namelen;    /* of name; 0 = none (connected send) */
	int32_t err;         /* DGRAM_ERROR: positive errno for the next call */
	uint32_t flags;      /* send: MSG_* that matter to the host (DONTROUTE, CONFIRM, MORE, OOB) */
	uint32_t full_len;   /* receive: payload bytes of the datagram as it came */
	uint16_t controllen; /* of control, cmsg format */
	uint16_t pad;
	struct sockaddr_in6 name; /* large enough for AF_INET, AF_INET6, AF_PACKET */
	_Alignas(8) uint8_t control[DGRAM_CONTROL_MAX];
};

enum dgram_kind {
	DGRAM_DATA = 1,
	DGRAM_ERROR = 2,
	DGRAM_TOKEN = 3, /* from the host: the packet ring has something; no payload */
	DGRAM_LOOPBACK = 4, /* to the host: as DGRAM_DATA, for the kernel's 127.0.0.0/8 */
};

/* The page behind a packet ring (PACKET_RX_RING) in the memory that program and host share. */
struct ring_control {
	uint32_t last;  /* offset of the status word of what was handed over last */
	uint32_t token; /* 1: a DGRAM_TOKEN is under way or lies in the anchor */
};

enum accept_kind { ACCEPT_OURS = 0, ACCEPT_KERNEL /* a TCP socket of the kernel's loopback */ };

struct accept_record {
	uint32_t magic;
	uint32_t kind;                 /* enum accept_kind */
	uint64_t cookie;               /* of the descriptor that comes along; 0 for the kernel's */
	struct sockaddr_in6 local, peer; /* sin_family says which */
};

struct ctl_resolve {
	int32_t flags, family, socktype, protocol; /* as in struct addrinfo hints */
	char node[256];                /* empty = NULL */
};

struct ctl_resolved {
	uint32_t count;                /* of sockaddr_in6-sized entries that follow, ports zero */
	int32_t gai_error;             /* EAI_*; 0 = ok */
	char canonname[256];
};

/* An option that a program has set; @len bytes of its value follow. */
struct ctl_option {
	int32_t level, name;
	uint32_t len;
};

/* An interface, or one of its addresses. */
struct ctl_ifaddr {
	uint32_t ifindex;
	uint32_t flags;                /* IFF_*, with IFF_LOWER_UP */
	uint16_t family;               /* AF_PACKET: the interface itself */
	uint16_t hatype;               /* ARPHRD_* */
	uint8_t prefix_len;
	uint8_t has_broadcast;
	uint16_t pad;
	char name[16];                 /* IFNAMSIZ */
	uint8_t addr[16];              /* 4, 6 or 16 bytes by family */
	uint8_t broadcast[16];
	uint32_t mtu, txqlen;
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped; /* of an interface */
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

#endif
