/* SPDX-License-Identifier: MIT */
/*
 * One TCP endpoint on a fake device, talked to by a scripted peer: a constructor per state,
 * segments in and out as packetdrill text, and a clock turned by hand.
 *
 *	struct tcp_conn *c = conn_established(NULL);
 *	seg_in(c, "P. 1:101(100) ack 1");
 *	seg_out(c, ". 1:1(0) ack 101");
 *	CHECK_EQ(conn_read(c, 100), 100);
 *	conn_free(c);
 *
 * Notation: FLAGS SEQ:END(LEN) [ack N] [win N] [urg N] [<options>], FLAGS of F S R P . U E W.
 * Numbers are relative: the peer's sequence numbers to its initial one and ours to ours, so that 0
 * is the SYN and 1 the first byte of text, both ways. "TS val" of ours and "ecr" of the peer count
 * milliseconds from our first segment; the peer's own clock stands as it is.
 *
 * We are 10.0.0.2, the peer is 10.0.0.1, a known neighbour. Text in either direction follows a
 * pattern of its sequence number, which seg_out() and conn_read() check.
 */
#ifndef TESTS_UNIT_TCP_FIXTURE_H
#define TESTS_UNIT_TCP_FIXTURE_H

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "stack/core/socket.h"
#include "stack/inet/af_inet.h"
#include "stack/stack.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"

/* Last: its macros SOCK_RCVBUF_LOCK and so on are names of ours. */
#include <linux/tcp.h>

#define LOCAL_ADDR PKT_IP(10, 0, 0, 2)
#define PEER_ADDR PKT_IP(10, 0, 0, 1)

/* What the peer's SYN offers, and what our socket is given before it. All zero: a plain peer. */
struct tcp_params {
	uint16_t mss;       /* 0 = 1460 */
	bool no_mss;        /* the option is absent */
	int wscale;         /* shift + 1; 0 = absent */
	bool sack, ts;      /* offered */
	uint32_t tsval;     /* the peer's clock in its SYN; 0 = 1000 */
	uint16_t win;       /* in the header of each of its segments; 0 = 65535 */
	uint32_t mtu;       /* of our device; 0 = 1500 */
	int rcvbuf, sndbuf; /* SO_RCVBUF and SO_SNDBUF of our socket; 0 = default */
	int maxseg;         /* TCP_MAXSEG of our socket; 0 = none */
	uint32_t peer_isn;  /* 0 = 1000000 */
	bool nodelay;       /* TCP_NODELAY of our socket */
	bool reuseaddr;     /* SO_REUSEADDR of our socket */
	const char *cong;   /* TCP_CONGESTION of our socket; NULL = default */
};

struct tcp_conn {
	struct tcp_params p;
	struct net *net;
	struct net_device *dev;
	struct socket *listener;  /* NULL after an active open */
	struct socket *sock;      /* the connection; NULL before accept() and after conn_close() */
	uint16_t lport, pport;
	uint32_t iss, irs;        /* our and the peer's initial sequence numbers */
	bool iss_known;
	uint32_t ts_base;         /* TSval of our first segment */
	bool ts_known;
	uint32_t wrote, got;      /* bytes of text given to send and taken by read so far */
	unsigned int wakes;       /* times that the socket's wake callback was called */
	size_t base_timers;       /* pending before the first socket */
	struct pkt last;          /* what seg_out() compared; payload not valid */
};

/* ---- states ---------------------------------------------------------------------------------- */

/* @p: NULL = a plain peer. Frames sent on the way are consumed. */
struct tcp_conn *conn_new(const struct tcp_params *p);          /* no socket yet */
struct tcp_conn *conn_listening(const struct tcp_params *p);
struct tcp_conn *conn_syn_received(const struct tcp_params *p); /* passive; SYN-ACK was sent */
struct tcp_conn *conn_syn_sent(const struct tcp_params *p);
struct tcp_conn *conn_established(const struct tcp_params *p);  /* passive, accepted */
struct tcp_conn *conn_connected(const struct tcp_params *p);    /* active */
struct tcp_conn *conn_fin_wait1(const struct tcp_params *p);    /* by shutdown(SHUT_WR) */
struct tcp_conn *conn_fin_wait2(const struct tcp_params *p);
struct tcp_conn *conn_closing(const struct tcp_params *p);
struct tcp_conn *conn_time_wait(const struct tcp_params *p);
struct tcp_conn *conn_close_wait(const struct tcp_params *p);
struct tcp_conn *conn_last_ack(const struct tcp_params *p);
/*
 * Ends what is left (sockets by a reset, orphans and TIME-WAIT by time), then fails the test when a
 * socket, a timer or a buffer is left.
 */
void conn_free(struct tcp_conn *c);

/* Sends the peer's SYN by the parameters, expects the SYN-ACK and (@ack) answers it. */
void conn_handshake(struct tcp_conn *c, bool ack);
/* Takes the next child off the accept queue into c->sock. */
void conn_accept(struct tcp_conn *c);
/* TCP_*; TCP_CLOSE when no such connection exists. */
int conn_state(struct tcp_conn *c);

#define CHECK_STATE(c, want)                                                   \
	check_str(CHECK_AT("state is " #want), conn_state_name(conn_state(c)), \
		  conn_state_name(want))
const char *conn_state_name(int state);

/* ---- the peer -------------------------------------------------------------------------------- */

/* A segment from the peer. Text is filled with the pattern. */
void seg_in(struct tcp_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same as a struct, to be made wrong by hand and given to conn_inject(). */
struct pkt seg_make(struct tcp_conn *c, const char *text);
void conn_inject(struct tcp_conn *c, const struct pkt *p);
/* An ICMP error of the peer about our segment that began at @seq (relative). */
void icmp_in(struct tcp_conn *c, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq);

/*
 * The next segment that we send is this one. Where @fmt has no "win" any window will do; <...>
 * stands for any options. ARP is passed over.
 */
#define seg_out(c, ...) fixture_seg_out(CHECK_AT("segment sent"), c, __VA_ARGS__)
void fixture_seg_out(struct check_at at, struct tcp_conn *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* We have sent nothing (more). */
#define seg_none(c) fixture_seg_none(CHECK_AT("nothing sent"), c)
void fixture_seg_none(struct check_at at, struct tcp_conn *c);
/* Sent segments so far, forgotten. */
unsigned int seg_forget(struct tcp_conn *c);
/* Takes the next one, relative numbers in the struct; false = none. */
bool seg_take(struct tcp_conn *c, struct pkt *p);
/* An ACK of @ack without text is sent within @ms; an immediate one counts. */
#define seg_ack_within(c, ms, ack) fixture_ack_within(CHECK_AT("acknowledged in time"), c, ms, ack)
void fixture_ack_within(struct check_at at, struct tcp_conn *c, unsigned int ms, uint32_t ack);
/* Waits at most @ms for a segment; returns after how many ms it left, fails when none does. */
#define seg_wait(c, ms) fixture_wait(CHECK_AT("something is sent in time"), c, ms)
unsigned int fixture_wait(struct check_at at, struct tcp_conn *c, unsigned int ms);

/* ---- the program ----------------------------------------------------------------------------- */

ssize_t conn_write(struct tcp_conn *c, size_t n);             /* n bytes of the pattern */
ssize_t conn_write_flags(struct tcp_conn *c, size_t n, int flags);
ssize_t conn_read(struct tcp_conn *c, size_t n);              /* checks the pattern */
ssize_t conn_read_flags(struct tcp_conn *c, void *buf, size_t n, unsigned int flags);
int conn_connect(struct tcp_conn *c);                         /* c->sock to the peer's port 80 */
int conn_setopt(struct tcp_conn *c, int level, int name, int val);
int conn_getopt(struct tcp_conn *c, int level, int name);     /* the value, or negative errno */
int conn_error(struct tcp_conn *c);                           /* SO_ERROR, reported and cleared */
unsigned int conn_poll(struct tcp_conn *c);
void conn_shutdown(struct tcp_conn *c, int how);
void conn_close(struct tcp_conn *c);
void conn_linger(struct tcp_conn *c, int seconds);            /* SO_LINGER on */
static inline void conn_ms(struct tcp_conn *c, uint64_t ms) { fake_advance_ms(c->net, ms); }
struct socket *conn_socket(struct tcp_conn *c);               /* a new one, not bound */
/* A TCP socket address in a static buffer. */
const struct sockaddr *conn_addr(uint32_t addr, uint16_t port);

#endif
