/* SPDX-License-Identifier: MIT */
/*
 * A script being played: the host under test, the descriptors of the simulated program, the
 * connections on the wire, and the call or calls that are blocked.
 */
#ifndef TOOLS_PACKETDRILL_RUN_H
#define TOOLS_PACKETDRILL_RUN_H

#include <sys/socket.h>

#include "stack/core/socket.h"
#include "tools/packetdrill/config.h"
#include "tools/packetdrill/flow.h"
#include "tools/packetdrill/script.h"
#include "tools/packetdrill/sim.h"

enum { MAX_FDS = 1024, RUN_MESSAGE = 2048 };

/* How a script ended; also the exit status. */
enum verdict { PLAY_PASS = 0, PLAY_FAIL = 1, PLAY_WRONG = 2, PLAY_SKIP = 77 };

enum file_kind { FILE_SOCKET, FILE_EPOLL, FILE_PIPE, FILE_PLAIN };

/* An epoll registration. */
struct epoll_item {
	struct epoll_item *next;
	int fd;
	uint32_t events;     /* 0 = one shot, fired */
	uint64_t data;
	uint32_t last_ready; /* for EPOLLET */
	unsigned int wakes;  /* of the socket, at the last report */
	bool reported;
};

/* An open file of the simulated program. */
struct file {
	unsigned int refs;           /* descriptors, dup() */
	enum file_kind kind;
	int flags;                   /* O_* as F_GETFL shows them */
	struct socket *sock;
	unsigned int wakes;          /* calls of the socket's wake function */
	bool connecting;             /* a connect() is under way */
	int64_t rcvtimeo_us, sndtimeo_us; /* 0 = none */
	struct epoll_item *items;    /* FILE_EPOLL */
	struct file *pipe_peer;      /* FILE_PIPE: the other end; NULL = closed */
	int64_t bytes;               /* FILE_PIPE: in the pipe, of the reading end; FILE_PLAIN: offset */
};

/* A call under way. */
struct call {
	struct call *next;
	struct run *run;
	const struct event *ev;
	const struct call_spec *spec;
	struct expr *argv[8];
	int64_t started_us, end_us;  /* when it began; when it is to return */
	int64_t wake_us;             /* a time-out of its own: another attempt is due; INT64_MAX = none */
	int64_t done;                /* bytes moved by earlier attempts */
	int64_t result;              /* >= 0, or negative errno */
	struct file *file;           /* of its descriptor; NULL = none */
	bool began;                  /* a later attempt of one that blocks */
};

/* Code between %{ }% with the values of that moment, gathered until the end. */
struct code_buf {
	char *text;
	size_t len, room;
};

struct run {
	struct drill_config cfg;
	struct script *script;
	struct sim sim;
	struct flows flows;
	struct file *fds[MAX_FDS];   /* by the script's numbers */
	struct socket *last_sock;    /* made or accepted last */
	struct call *blocked;
	int64_t event_us;            /* when the event before took place */
	int64_t expected_us;         /* when the packet looked at was to come */
	struct code_buf code;
	bool has_code;
	enum verdict verdict;
	char message[RUN_MESSAGE];   /* of the first failure, lines with line feeds between them */
	uint64_t steps;              /* of the clock so far, and timers that were set */
	int line;                    /* of the event under way, 0 = none yet */
	unsigned int notes;          /* differences that were told only (--non_fatal) */
};

/* Notes the first thing that ends the play: "name:line: reason". */
void run_note(struct run *r, enum verdict v, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * False always, so that they can be returned: the script does not hold; it asks for what cannot be had
 * here; it is wrong in what only shows when it is played (an unknown constant, say).
 */
#define run_fail(r, line, ...) (run_note((r), PLAY_FAIL, (line), __VA_ARGS__), false)
#define run_skip(r, line, ...) (run_note((r), PLAY_SKIP, (line), __VA_ARGS__), false)
#define run_wrong(r, line, ...) (run_note((r), PLAY_WRONG, (line), __VA_ARGS__), false)
/* Plays the whole script. */
enum verdict run_script(struct run *r);
/* Lets time pass up to @us; blocked calls go on. False after a failure. */
bool run_until(struct run *r, int64_t us);
/* After anything that may have changed a socket. False after a failure. */
bool run_blocked(struct run *r);
/* A time on the script's scale may be off by so much. */
int64_t run_tolerance(const struct run *r, int64_t us);

/* --- expect.c: packets --- */
bool play_inbound(struct run *r, const struct event *ev);
/* @from, @to: when it may come; @to INT64_MAX = at any time. */
bool play_outbound(struct run *r, const struct event *ev, int64_t from, int64_t to);
/* Packets that no event took. */
bool play_leftovers(struct run *r);

/* --- calls.c --- */
bool play_call(struct run *r, const struct event *ev, int64_t base_us);
/* One more attempt of a blocked call: *done when it has returned. False after a failure. */
bool call_retry(struct call *c, bool *done);
void files_free(struct run *r);
/* The socket that code and packets without ports are about; NULL = none. */
struct socket *current_socket(struct run *r);

/* --- command.c --- */
bool play_command(struct run *r, const char *text, int line);
bool play_init_scripts(struct run *r);

/* --- code.c --- */
bool play_code(struct run *r, const struct event *ev);
/* Runs what was gathered; false when an assertion failed. */
bool code_run(struct run *r);

#endif
