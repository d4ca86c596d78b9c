/* SPDX-License-Identifier: MIT */
/* The transport's side of a socket: queues, memory accounting, errors, options common to all. */
#ifndef STACK_CORE_SOCK_H
#define STACK_CORE_SOCK_H

#include <sys/socket.h>

#include "stack/core/list.h"
#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"
#include "stack/core/timer.h"

struct sock;
struct sk_filter;
struct socket;
struct stack_msg;

/* States: TCP's, numbered as Linux shows them (tcp_states); datagram sockets use ESTABLISHED and CLOSE. */
enum {
	TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
	TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING,
};

#define RCV_SHUTDOWN 1
#define SEND_SHUTDOWN 2
#define SHUTDOWN_MASK 3

/* Boolean SOL_SOCKET options, as bits of sk_flags. */
enum sock_flags {
	SOCK_DEAD,      /* orphaned: no struct socket any more */
	SOCK_DONE,      /* FIN received */
	SOCK_KEEPOPEN, SOCK_LINGER, SOCK_BROADCAST, SOCK_URGINLINE, SOCK_DONTROUTE,
	SOCK_REUSEADDR, SOCK_REUSEPORT, SOCK_RCVTSTAMP, SOCK_RCVTSTAMPNS, SOCK_NO_CHECK,
	SOCK_RCVBUF_LOCK, SOCK_SNDBUF_LOCK,
	SOCK_EARLY,      /* SYN-SENT or SYN-RECEIVED, and text may go all the same (Fast Open) */
	SOCK_TSTAMP_NEW, /* the time stamp was asked for by the 64-bit option number */
};

/*
 * Who made the socket, for captures and reports. Set through sock_set_owner() by the host.
 */
struct sock_owner {
	int32_t pid;   /* 0 = unknown */
	char comm[16]; /* zero-terminated */
};

struct proto {
	const char *name;      /* "TCP" */
	uint8_t protocol;      /* IPPROTO_* */
	size_t obj_size;       /* of the sock with everything that embeds it */
	bool filters;          /* honours sock.filter; others refuse the options */

	int (*init)(struct sock *sk);
	void (*destroy)(struct sock *sk);  /* last reference gone; memory is freed by the caller */
	/* Program closed. Takes over the socket's reference; the protocol may go on without a program. */
	void (*close)(struct sock *sk);
	int (*bind_check)(struct sock *sk);
	/* All lengths as passed by the program, addresses checked for their length by the caller. */
	int (*connect)(struct sock *sk, const struct sockaddr *addr, socklen_t len);
	int (*disconnect)(struct sock *sk);
	int (*listen)(struct sock *sk, int backlog);
	/* Next established child or NULL with *err = -EAGAIN, ...; the caller gets the reference. */
	struct sock *(*accept)(struct sock *sk, int *err);
	ssize_t (*sendmsg)(struct sock *sk, struct stack_msg *msg);
	ssize_t (*recvmsg)(struct sock *sk, struct stack_msg *msg);
	/*
	 * Zero-copy reading (stream only): calls @actor with consecutive ranges; it returns how many
	 * bytes it took (fewer = stop). Returns bytes taken, 0 at end of stream, negative errno.
	 */
	ssize_t (*read_sock)(struct sock *sk, size_t (*actor)(void *arg, const uint8_t *data, size_t len),
			     void *arg);
	/*
	 * Sending without a copy (stream only): calls @filler with room in the send buffer; it returns
	 * how many bytes it wrote there (fewer = stop) or negative errno. Returns bytes taken; with
	 * none what @filler said, or -EAGAIN without room.
	 */
	ssize_t (*fill_sock)(struct sock *sk, ssize_t (*filler)(void *arg, uint8_t *buf, size_t len),
			     void *arg);
	int (*shutdown)(struct sock *sk, int how); /* how: RCV_SHUTDOWN | SEND_SHUTDOWN bits */
	int (*setsockopt)(struct sock *sk, int level, int name, const void *val, socklen_t len);
	int (*getsockopt)(struct sock *sk, int level, int name, void *val, socklen_t *len);
	int (*ioctl)(struct sock *sk, unsigned long cmd, int *value);
	unsigned int (*poll)(const struct sock *sk);       /* POLLIN ... as Linux shows them */
	void (*hash)(struct sock *sk);
	void (*unhash)(struct sock *sk);
	/* Chooses or checks the local port (host order, 0 = choose). 0 or -EADDRINUSE, -EACCES. */
	int (*get_port)(struct sock *sk, uint16_t port);
	bool paces;                                  /* keeps to SO_MAX_PACING_RATE */
	void (*keepalive)(struct sock *sk, bool on); /* SO_KEEPALIVE was set; NULL = not of interest */
	/* One line for captures: "tcp 10.0.0.2:40000 > 10.0.0.1:80 ESTABLISHED". */
	void (*describe)(const struct sock *sk, char *buf, size_t len);
};

struct sock {
	struct list_head list;         /* of all sockets of the net */
	struct net *net;
	const struct proto *prot;
	struct socket *socket;         /* NULL once orphaned */
	unsigned int refs;
	uint64_t cookie;               /* unique per net, never reused */
	struct sock_owner owner;

	uint16_t family;
	uint16_t type;                 /* SOCK_STREAM ... */
	uint8_t protocol;
	uint8_t state;                 /* TCP_* above */
	uint8_t shutdown;              /* RCV_SHUTDOWN | SEND_SHUTDOWN */
	int err;                       /* pending error, positive errno; reported once */
	int err_soft;                  /* last ICMP error that was not fatal */
	unsigned long flags;           /* 1 << enum sock_flags */

	struct sk_buff_head receive_queue;
	struct sk_buff_head error_queue;  /* IP_RECVERR */
	int64_t rmem_alloc;            /* truesize charged by queued receive skbs */
	int64_t wmem_alloc;            /* truesize of sent skbs not yet freed */
	int64_t wmem_queued;           /* truesize in the write queue (stream) */
	int rcvbuf, sndbuf;            /* limits in truesize bytes, as getsockopt shows them */
	int rcvlowat;
	int linger_s;                  /* seconds, with SOCK_LINGER */
	int64_t rcvtimeo_us, sndtimeo_us; /* 0 = none; kept for getsockopt only */
	uint32_t priority, mark;
	uint64_t max_pacing_rate;      /* SO_MAX_PACING_RATE, bytes/s; UINT64_MAX = none */
	uint32_t accept_held;          /* LISTEN: taken by the holder, not yet by a program; part of the backlog */
	int bound_dev_if;
	ktime_t stamp;                 /* of the last received packet */
	struct sk_filter *filter;      /* SO_ATTACH_FILTER; NULL = everything */
	bool filter_locked;            /* SO_LOCK_FILTER */

	/* Callbacks upward, Linux's names without "sk_". Defaults wake the struct socket. They only
	 * note that something happened: nothing may call back into the stack from them. */
	void (*state_change)(struct sock *sk);
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*error_report)(struct sock *sk);
};

static inline bool sock_flag(const struct sock *sk, enum sock_flags f) { return sk->flags >> f & 1; }
static inline void sock_set_flag(struct sock *sk, enum sock_flags f) { sk->flags |= 1UL << f; }
static inline void sock_reset_flag(struct sock *sk, enum sock_flags f) { sk->flags &= ~(1UL << f); }

/* An option that is not there, and how often it was asked for. */
struct absent_option {
	int level, name;
	uint64_t count;
};

/* Families register their creator per net; see sock_register() in socket.h. */
#define SOCK_FAMILIES_MAX 4
#define SOCK_ABSENT_MAX 32 /* options that are told apart */
struct net_proto_family;
struct sock_table {
	struct list_head all;   /* struct sock.list, in order of creation */
	uint64_t last_cookie;
	const struct net_proto_family *families[SOCK_FAMILIES_MAX];
	struct absent_option absent[SOCK_ABSENT_MAX]; /* in the order of their first time; the last may stand for several */
};

/* Linux's defaults and bounds of buffers, bytes of truesize. */
enum {
	SOCK_BUF_DEFAULT = 212992, SOCK_BUF_MAX = 212992,
	SOCK_MIN_SNDBUF = 4608, SOCK_MIN_RCVBUF = 2304,
};

/* sysctl_net_core.c */
void net_core_sysctl_init(struct net *net);
void net_core_sysctl_exit(struct net *net);

/* Allocates obj_size zeroed bytes, fills defaults, calls nothing of prot; one reference. */
struct sock *sk_alloc(struct net *net, uint16_t family, uint16_t type, const struct proto *prot);
void sock_hold(struct sock *sk);
void sock_put(struct sock *sk);
/* Cuts the tie to the program: SOCK_DEAD, socket = NULL. */
void sock_orphan(struct sock *sk);
struct sock *sock_next(struct net *net, const struct sock *sk); /* walk of all; NULL starts */

/* Receive: charges and queues. 0, -ENOBUFS (over rcvbuf) - then the skb is NOT consumed. */
int sock_queue_rcv_skb(struct sock *sk, struct sk_buff *skb);
void skb_set_owner_r(struct sk_buff *skb, struct sock *sk); /* charges rmem_alloc until freed */
void skb_set_owner_w(struct sk_buff *skb, struct sock *sk); /* charges wmem_alloc, holds sk until freed */
void skb_orphan(struct sk_buff *skb);                        /* runs the destructor now */
static inline bool sock_writeable(const struct sock *sk) { return sk->wmem_alloc < sk->sndbuf / 2; }

/* 0 when a datagram may be sent now; else the pending error, -EPIPE or -EAGAIN (buffer full). */
int sock_check_send(struct sock *sk);

/* Reports and clears: negative errno or 0. */
int sock_error(struct sock *sk);
void sk_set_err(struct sock *sk, int err); /* positive errno; calls error_report */

/* SOL_SOCKET. -ENOPROTOOPT for what is not there. */
int sock_common_setsockopt(struct sock *sk, int name, const void *val, socklen_t len);
int sock_common_getsockopt(struct sock *sk, int name, void *val, socklen_t *len);
/* Reads an int option value as Linux does (-EINVAL when len < 4). */
int sockopt_get_int(const void *val, socklen_t len, int *out);
int sockopt_put_int(void *val, socklen_t *len, int v);
int sockopt_put_bytes(void *val, socklen_t *len, const void *src, socklen_t n);

/* "pid 12 (curl) tcp 10.0.0.2:40000 > 10.0.0.1:80 ESTABLISHED" into @buf. */
void sock_describe(const struct sock *sk, char *buf, size_t len);

extern const struct pernet_operations sock_pernet_ops;

#endif
