/* SPDX-License-Identifier: MIT */
/*
 * Inside of the host: the loop and what hangs on it. Only files of shim/host include this.
 *
 * A turn of the loop (loop.c): wait; take the time; note what is ready; let the stack take its
 * frames and timers; serve control messages (control.c); work the dirty anchors off (anchor.c ...).
 * Callbacks of the stack only mark. Objects with a descriptor in the loop are freed at the end of
 * the turn, because events of theirs may still be in hand.
 */
#ifndef SHIM_HOST_HOST_H
#define SHIM_HOST_HOST_H

#include <pthread.h>
#include <sys/epoll.h>

#include "netif/netif.h"
#include "netif/sys.h"
#include "shim/host/config.h"
#include "shim/protocol.h"
#include "stack/core/list.h"
#include "stack/core/socket.h"
#include "stack/core/sysctl.h"
#include "stack/stack.h"

struct host;
struct watch;
struct anchor;
struct control;
struct resolver;
struct diag;
struct ring_memory;

typedef void (*watch_fn)(struct host *h, struct watch *w, uint32_t events);

/* A descriptor in the loop. */
struct watch {
	int fd;             /* -1 = closed */
	uint32_t events;    /* asked for */
	watch_fn ready;
	struct watch *next_grave;
};

enum {
	SCRATCH_BYTES = 256 * 1024, /* largest read from an anchor */
	TURN_BYTES = 1024 * 1024,   /* per anchor, direction and turn */
	TURN_MESSAGES = 128,        /* the same for datagrams */
	ANCHOR_BUCKETS = 4096,
	RECORDS_MAX = 4096,         /* sockets kept without a descriptor, for their error */
	ENDED_MAX = 32,             /* ended connections kept for reports */
	REASONS_MAX = 32,           /* wordings of why a socket was left to the kernel */
	IDLE_MS = 100,
	HELLO_MS = 2000,            /* until a connection must have said what it is */
};

enum anchor_state {
	ANCHOR_HELLO,      /* accepted, nothing said yet */
	ANCHOR_FRESH,      /* has a socket, neither connected nor listening */
	ANCHOR_CONNECTING,
	ANCHOR_CONNECTED,  /* stream */
	ANCHOR_LISTENING,
	ANCHOR_DGRAM,
	ANCHOR_DEAD,       /* reset, timed out or refused: only errors and options are left */
};

struct addr_text {
	char local[64], peer[64];
};

struct anchor {
	struct watch watch;           /* our end; first member */
	struct host *host;
	struct list_head all;         /* host->anchors */
	struct list_head dirty;       /* host->dirty, or empty */
	struct list_head children;    /* of a listener: handed over and not claimed, oldest first */
	struct list_head sibling;     /* in a listener's children */
	struct list_head limbo;       /* host->limbo */
	struct anchor *next_hashed;   /* by cookie */
	struct anchor *listener;      /* while on its children */
	struct socket *sock;          /* NULL before the hello */

	uint64_t cookie;              /* of the program's end */
	uint64_t peer_ino, own_ino;   /* inode numbers of both ends */
	uint64_t hello_deadline;      /* ANCHOR_HELLO only */
	int32_t pid;                  /* of who made it */
	int32_t holder;               /* another process that was found to hold it; 0 = none */
	uint64_t parent;              /* of a child: cookie of its listener */
	uint32_t uid;
	uint16_t family, type;
	uint8_t protocol;
	uint8_t state;                /* enum anchor_state */

	bool readable, writable;      /* edges seen and not used up */
	bool seqpacket;
	bool oob_ahead;               /* the program sent urgent data: look for the mark */
	bool ending;                  /* an end of stream is behind the data: read on */
	bool in_eof;                  /* the program's FIN is in the stack */
	bool in_dead;                 /* the stack takes no more from the program */
	bool out_eof;                 /* our FIN is in the anchor */
	bool check_close;             /* ask unix_diag whether the program still holds it */
	bool closed;                  /* it does not */
	bool reset_on_close;          /* unread data was lost, or nobody accepted it */
	bool nonblock;                /* the connect() under way does not wait */
	bool came_up;                 /* and it was ESTABLISHED at some time */
	bool touched;                 /* used since it was accepted */
	bool is_child;
	bool reported;                /* in the list of ended connections */
	bool linger_waits;            /* host->lingers has entries for it */
	uint64_t closed_at;           /* ns; 0 = the program holds it */
	uint64_t orphaned_at;         /* of a child not known to be accepted: when its listener ended */
	bool oob_inline;              /* as the program set it */
	bool oob_seen;                /* the urgent byte that waits in the stack was forwarded */
	bool gate_kill;               /* close our end once the gate is in it */
	int shutdown_after;           /* -1, or SHUT_WR/SHUT_RDWR once the anchor is dry */
	uint32_t gate_left;           /* bytes of the gate not yet eaten */
	int err;                      /* pending, positive errno */
	unsigned int lowat;           /* SO_RCVLOWAT, 1 = none */
	uint64_t limbo_until;         /* an untouched child without holder: may be queued again */

	uint8_t *held;                /* datagram or bytes that did not fit into the anchor */
	size_t held_len, held_off;
	uint8_t *held_in;             /* datagram that the stack did not take yet */
	size_t held_in_len;

	struct ring_memory *ring;     /* of a packet socket with one; NULL = none */

	/* Listener. */
	int backlog;
	unsigned int outstanding;     /* records in the anchor */
	int record_truesize;          /* of one record in the anchor, 0 = not measured */
	struct anchor *handing;       /* child whose record did not fit, or NULL */
	int handing_fd;               /* with @handing NULL: a connection of the kernel's */
	uint64_t record_kinds;        /* of the records in the anchor, oldest in bit 0: 1 = the kernel's */
	bool kernel_next;             /* the two take turns; also of a datagram socket */
	int twin_queue;               /* backlog that the kernel was told */

	/* Listener or datagram socket on the wildcard. */
	struct watch twin;            /* on the kernel's loopback, fd -1 = none */
	int twin_fd;                  /* the same, bound and not in use yet */
	int twin_err;                 /* why there is none, positive errno */
	bool twin_readable;
	bool twin_wanted;             /* datagrams: bound where 127.0.0.0/8 is the kernel's */
	bool twin_connected;          /* datagrams: to an address there */

	struct sockaddr_storage target; /* of the connect() under way */
	socklen_t target_len;
	struct addr_text addrs;       /* of a connection, for reports */
	uint64_t started, established; /* ns; 0 = not yet */
	uint64_t rx_bytes, tx_bytes;  /* to and from the program */
	uint8_t *options;             /* set by the program: struct ctl_option and value, each */
	size_t options_len;
	char *reason;                 /* rule that made it ours; NULL = none did */
};

/* A control connection; freed when the last answer that it waits for was given. */
struct control {
	struct watch watch;           /* first member */
	struct host *host;
	struct list_head all;         /* host->controls */
	struct list_head pending;     /* host->ctl_pending: readable */
	unsigned int refs;
	int32_t pid;
	uint32_t uid;
	bool greeted;
	uint64_t hello_deadline;
	char comm[16];
	struct list_head replies;     /* did not fit into the socket */
	size_t reply_bytes;
	unsigned int deferred;        /* requests that wait for their answer */
};

/* An answer that is given later. */
struct deferred {
	struct control *ctl;          /* a reference is held */
	uint32_t seq;
	uint16_t op, flags;
	uint64_t cookie;
};

/* One line of history: a connection that ended. */
struct ended {
	char line[512];
};

/* Sockets that programs left to the kernel, or refused. */
struct reason {
	char *text;
	uint64_t count;
};

/* A name that needs no server. */
struct host_name {
	const char *name;
	struct in_addr addr;          /* big endian */
};

struct report_totals {
	uint64_t accepted, refused, malformed, fd_exhausted, connections;
};

struct host {
	struct host_config cfg;
	char key[CONFIG_KEY_SIZE];
	struct net *net;
	struct net_device *lo, *dev;
	struct capture *capture;
	uint64_t impair_seed;
	uint64_t token, now;          /* now: CLOCK_MONOTONIC ns, once a turn */
	bool thread;                  /* runs inside a program */
	bool stopping;                /* leave the loop */
	bool finishing;               /* the program that this thread serves is at its end */
	bool dev_gone_logged;
	bool draining;                /* somebody waits for what is in the listeners' queues */
	int log_level, log_fd;

	int epfd, reserve_fd;
	struct watch listen_stream, listen_packet, listen_lock;
	struct watch dev_watch, link_watch, signal_watch, stop_watch;
	struct diag *diag;
	struct resolver *resolver;
	const struct host_name *names; /* known without a server; of a laboratory */
	size_t name_count;

	struct list_head anchors, dirty, controls, ctl_pending, lingers, lifelines;
	struct list_head limbo;       /* untouched children that lost their holder */
	struct anchor *by_cookie[ANCHOR_BUCKETS];
	struct watch *graves;         /* freed at the end of the turn */
	unsigned int anchor_count;    /* with everything that is not a record */
	unsigned int record_count;    /* sockets without a descriptor */
	unsigned int greeting_count;  /* connections that have said nothing yet */
	unsigned int lifeline_count;
	uint64_t idle_since;          /* ns; 0 = busy */
	uint64_t sweep_at;
	uint64_t listen_again;        /* ns; end of a pause of the listeners, 0 = none */
	struct socket *expect_sock;   /* the child whose anchor is just being made */
	uint64_t expect_cookie;
	struct anchor *expect_anchor;
	int acd;                      /* 0 waiting, 1 ours, -1 taken */
	uint8_t acd_peer[6];

	struct ended ended[ENDED_MAX];
	unsigned int ended_next;
	struct reason reasons[REASONS_MAX];
	unsigned int reason_count;
	uint64_t elsewhere;           /* all of them, also those whose wording found no room */
	struct report_totals totals;
	uint8_t *scratch;             /* SCRATCH_BYTES */
	uint8_t *ctl_buf;             /* one control message */
};

/* --- log.c --- */
void host_log(struct host *h, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- loop.c --- */
uint64_t host_clock(void);
int watch_add(struct host *h, struct watch *w, int fd, uint32_t events, watch_fn ready);
void watch_modify(struct host *h, struct watch *w, uint32_t events);
void watch_close(struct host *h, struct watch *w);
/* Frees the object whose first member @w is at the end of the turn. */
void host_bury(struct host *h, struct watch *w);
/* One turn; @wait_ns: at most, negative = as long as nothing happens. */
void host_settle(struct host *h);
void host_turn(struct host *h, int64_t wait_ns);
int64_t host_wait_time(struct host *h);
void host_take_time(struct host *h);
void host_run(struct host *h);

/* --- startup.c --- */
int host_create(struct host_config *cfg, bool thread, struct host **out, char *err);
void host_destroy(struct host *h);

/* --- listen.c: the names of the host, new connections --- */
int listeners_open(struct host *h, char *err);
void listeners_close(struct host *h);
int lock_open(struct host *h, char *err);
void listeners_drain(struct host *h);
/* Stops listening; false when somebody came in that moment (and the host listens again). */
bool listeners_end(struct host *h);
void listeners_resume(struct host *h);
/* A connection to our own stream listener, with the hello of @anchor's future child written. */
int listeners_dial(struct host *h, const struct anchor_hello *hello, int *fd_out,
		   uint64_t *cookie_out, uint64_t *ino_out);
void hello_read(struct host *h);
void hello_expire(struct host *h);

/* --- diag.c: what the kernel knows about AF_UNIX sockets --- */
int diag_create(struct diag **out);
void diag_destroy(struct diag *d);
/* Peer of the socket @ino (with @cookie, or 0 = any): 0 and *peer (0 = none), -ENOENT, ... */
int diag_peer(struct diag *d, uint64_t ino, uint64_t cookie, uint64_t *peer);
/* Bytes that lie unread in the socket @ino, or negative errno. */
int diag_unread(struct diag *d, uint64_t ino, uint32_t *bytes);

/* --- registry.c: sockets by their cookie; those without a descriptor --- */
void registry_add(struct anchor *a);
void registry_del(struct anchor *a);
struct anchor *registry_find(struct host *h, uint64_t cookie);
void registry_sweep(struct host *h);

/* --- anchor.c: life of an anchor --- */
struct anchor *anchor_create(struct host *h, int fd, bool seqpacket);
/* The hello came: checks it, makes the socket. Negative errno: the connection is to be closed. */
int anchor_greet(struct anchor *a, const struct anchor_hello *hello);
void anchor_dirty(struct anchor *a);
void anchor_work(struct anchor *a);
void anchor_check_close(struct anchor *a);
void anchor_destroy(struct anchor *a);
/* Nobody holds the program's end any more: gives the socket back to the stack. */
void anchor_release(struct anchor *a);
/* The socket has failed with @err (positive): tells the program as far as its end can. */
void anchor_fail(struct anchor *a, int err);
void anchor_set_sock(struct anchor *a, struct socket *sock);
int anchor_pass_on(struct anchor *from, struct anchor *to);
int anchor_take_error(struct anchor *a);
void anchors_limbo(struct host *h, bool all);
int anchor_unread(const struct anchor *a);
/* Does the process hold the socket as its descriptor @fd? */
bool anchor_held_by(struct anchor *a, int32_t pid, uint32_t uid, int fd);

/* --- anchor_stream.c: bytes --- */
void stream_work(struct anchor *a);
void stream_connecting(struct anchor *a);
void stream_eat_gate(struct anchor *a);
/* Reads what the program has written up to now into the stack; false when it takes no more. */
bool stream_read_dry(struct anchor *a);
int stream_connect(struct anchor *a, const struct sockaddr *addr, socklen_t len, unsigned int flags);

/* --- anchor_dgram.c: messages --- */
void dgram_work(struct anchor *a);
ssize_t dgram_error(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room);

/* --- packet_ring.c: memory of packet sockets' rings --- */
void rings_provide(struct host *h);
void ring_memory_free(struct anchor *a);
int ring_handle(struct anchor *a, int *fd, size_t *bytes);
bool ring_wants_token(struct anchor *a);

/* --- anchor_listen.c: connections to accept --- */
int listen_start(struct anchor *a, int backlog);
void listen_work(struct anchor *a);
void listen_count(struct anchor *a);
void listen_forget_child(struct anchor *child);
void listen_end(struct anchor *a);
int listen_requeue(struct anchor *listener, struct anchor *child);

/* --- control.c --- */
struct control *control_create(struct host *h, int fd, int32_t pid, uint32_t uid);
int control_greet(struct control *c);
void control_destroy(struct control *c);
void controls_drain(struct host *h);
void control_defer(struct control *c, const struct ctl_msg *req, struct deferred *d);
/* Answers and drops the reference. @data may be NULL. */
void control_answer(struct deferred *d, int32_t result, const uint32_t arg[4], const void *data,
		    size_t len);
void control_reply(struct control *c, const struct ctl_msg *req, int32_t result,
		   const uint32_t arg[4], const void *data, size_t len);

/* With a descriptor, which stays the caller's; -EAGAIN in its place when it cannot be sent now. */
void control_reply_fd(struct control *c, const struct ctl_msg *req, int32_t result, const uint32_t arg[4],
		      int fd);

/* --- control_op.c: what each message does; true = answered already or later --- */
void control_serve(struct control *c, const struct ctl_msg *req, const uint8_t *data);
void lingers_check(struct host *h, struct anchor *only);
uint64_t lingers_next(const struct host *h);
void lifelines_clear(struct host *h);

/* --- options.c: what programs have set --- */
void option_note(struct anchor *a, int level, int name, const void *value, size_t len);
int option_to_twin(const struct anchor *a, int fd, int level, int name, const void *value, size_t len);
void options_apply(const struct anchor *a, int fd);

/* --- twin.c: the socket beside ours on the kernel's loopback; a listener's --- */
int twin_open(struct anchor *a, uint16_t port, uint32_t uid);
int twin_bind(struct anchor *a, const struct sockaddr_in *addr, uint32_t uid);
uint16_t twin_port(struct anchor *a);
void twin_want(struct anchor *a, int (*make)(struct anchor *a, uint32_t uid), uint32_t uid);
int twin_listen(struct anchor *a, uint32_t uid);
void twin_backlog(struct anchor *a, unsigned int more);
int twin_accept(struct anchor *a);
void twin_close(struct anchor *a);

/* --- twin_dgram.c: a datagram socket's --- */
bool twin_dgram_possible(const struct anchor *a);
int twin_dgram_bind(struct anchor *a, uint32_t uid);
int twin_dgram_reach(struct anchor *a, uint32_t uid);
void twin_dgram_update(struct anchor *a, uint32_t uid);
int twin_dgram_connect(struct anchor *a, const struct sockaddr_in *addr, uint32_t uid);
void twin_dgram_connected(struct anchor *a, uint32_t uid);
ssize_t twin_dgram_send(struct anchor *a, const struct dgram_hdr *hdr, uint8_t *payload, size_t len);
ssize_t twin_dgram_receive(struct anchor *a, struct dgram_hdr *hdr);
ssize_t twin_dgram_error(struct anchor *a, struct dgram_hdr *hdr, uint8_t *payload, size_t room);
uint32_t twin_dgram_lost(const struct anchor *a);

/* --- reasons.c --- */
void reason_of_socket(struct anchor *a, const uint8_t *data, size_t len);
void reason_elsewhere(struct host *h, const uint8_t *data, size_t len);
void reasons_clear(struct host *h);

/* --- resolver.c --- */
int resolver_create(struct host *h, struct resolver **out);
void resolver_destroy(struct resolver *r);
void resolver_work(struct resolver *r);
uint64_t resolver_next(struct resolver *r); /* absolute ns, or UINT64_MAX */
bool resolver_dirty(const struct resolver *r);
void resolver_lookup(struct resolver *r, const struct ctl_resolve *req, const struct deferred *d);
void resolver_reverse(struct resolver *r, const struct sockaddr *addr, socklen_t len,
		      const struct deferred *d);
void resolver_query(struct resolver *r, const char *name, int class, int type,
		    const struct deferred *d);
void resolver_send(struct resolver *r, const uint8_t *query, size_t len, const struct deferred *d);

/* --- interfaces.c --- */
size_t interfaces_list(const struct host *h, struct ctl_ifaddr *list, size_t room);

/* --- control_sysctl.c --- */
int control_sysctl(struct host *h, char *text, bool owner, char *out, size_t size);

/* --- report.c --- */
char *report_text(struct host *h); /* malloc'd; NULL when out of memory */
void report_ended(struct anchor *a, const char *how);
void report_impairment(struct host *h);
void addr_format(const struct sockaddr_storage *ss, char *buf, size_t len);

/* --- main.c --- */
int wireshim_host_main(void);
int wireshim_host_thread(char *socket_out, size_t size, uint64_t *token_out);
void wireshim_host_thread_finish(void);

#endif
