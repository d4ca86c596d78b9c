/* SPDX-License-Identifier: MIT */
/*
 * code.c - %{ assertions }% in Python
 *
 * Each piece sees the TCP_INFO of the connection at its moment as variables (tcpi_snd_cwnd ...). All
 * pieces of a script are gathered, with the values in front of each, and run by one interpreter when
 * the script has been played; they share their variables. A piece is compiled under the name and
 * line of the script, so that Python's own messages point there.
 */
#include <errno.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/packetdrill/run.h"

#include <linux/tcp.h> /* last: its macros have names of sock.h's */

extern char **environ;

/* The interpreter's side: tells the first failure as "NAME:LINE: ...". */
static const char prelude[] =
	"import sys, textwrap\n"
	"_g = {}\n"
	"def _failed(name, line, text):\n"
	"    sys.stdout.write('%s:%d: %s\\n' % (name, line, text))\n"
	"    sys.stdout.flush()\n"
	"    sys.exit(1)\n"
	"def _run(name, line, text):\n"
	"    try:\n"
	"        try:\n"
	"            code = compile('\\n' * (line - 1) + text + '\\n', name, 'exec')\n"
	"        except IndentationError:\n"
	"            code = compile('\\n' * (line - 1) + textwrap.dedent(text) + '\\n', name, 'exec')\n"
	"    except SyntaxError as e:\n"
	"        _failed(name, e.lineno or line, 'error in Python code: %s' % e.msg)\n"
	"    try:\n"
	"        exec(code, _g)\n"
	"    except AssertionError as e:\n"
	"        tb, at = e.__traceback__, line\n"
	"        while tb:\n"
	"            at = tb.tb_lineno if tb.tb_frame.f_code.co_filename == name else at\n"
	"            tb = tb.tb_next\n"
	"        src = text.split('\\n')[at - line].strip() if at >= line else text\n"
	"        _failed(name, at, 'assertion failed: %s%s' % (src, ' (%s)' % e if str(e) else ''))\n"
	"    except Exception as e:\n"
	"        _failed(name, line, 'error in Python code: %s: %s' % (type(e).__name__, e))\n";

/* ---- gathering ------------------------------------------------------------------------------- */

static bool grow(struct code_buf *b, size_t by)
{
	size_t room = b->room ? b->room : 4096;
	char *bigger;

	while (room < b->len + by + 1)
		room *= 2;
	if (room == b->room)
		return true;
	bigger = realloc(b->text, room);
	if (!bigger)
		return false;
	b->text = bigger;
	b->room = room;
	return true;
}

static bool put(struct code_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool put(struct code_buf *b, const char *fmt, ...)
{
	va_list args, again;
	int n;

	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n >= 0 && grow(b, (size_t)n)) {
		vsnprintf(b->text + b->len, b->room - b->len, fmt, again);
		b->len += (size_t)n;
	} else {
		n = -1;
	}
	va_end(again);
	return n >= 0;
}

/* 'text' as Python has it. */
static bool put_string(struct code_buf *b, const char *s)
{
	bool ok = put(b, "'");

	for (; ok && *s; s++) {
		if (*s == '\\' || *s == '\'')
			ok = put(b, "\\%c", *s);
		else if (*s == '\n')
			ok = put(b, "\\n");
		else
			ok = put(b, "%c", *s);
	}
	return ok && put(b, "'");
}

struct info_field {
	const char *name;
	size_t offset, size;
};

#define FIELD(f) { #f, offsetof(struct tcp_info, f), sizeof(((struct tcp_info *)0)->f) }

static const struct info_field info_fields[] = {
	FIELD(tcpi_state), FIELD(tcpi_ca_state), FIELD(tcpi_retransmits), FIELD(tcpi_probes),
	FIELD(tcpi_backoff), FIELD(tcpi_options), FIELD(tcpi_rto), FIELD(tcpi_ato), FIELD(tcpi_snd_mss),
	FIELD(tcpi_rcv_mss), FIELD(tcpi_unacked), FIELD(tcpi_sacked), FIELD(tcpi_lost), FIELD(tcpi_retrans),
	FIELD(tcpi_fackets), FIELD(tcpi_last_data_sent), FIELD(tcpi_last_ack_sent),
	FIELD(tcpi_last_data_recv), FIELD(tcpi_last_ack_recv), FIELD(tcpi_pmtu), FIELD(tcpi_rcv_ssthresh),
	FIELD(tcpi_rtt), FIELD(tcpi_rttvar), FIELD(tcpi_snd_ssthresh), FIELD(tcpi_snd_cwnd),
	FIELD(tcpi_advmss), FIELD(tcpi_reordering), FIELD(tcpi_rcv_rtt), FIELD(tcpi_rcv_space),
	FIELD(tcpi_total_retrans), FIELD(tcpi_pacing_rate), FIELD(tcpi_max_pacing_rate),
	FIELD(tcpi_bytes_acked), FIELD(tcpi_bytes_received), FIELD(tcpi_segs_out), FIELD(tcpi_segs_in),
	FIELD(tcpi_notsent_bytes), FIELD(tcpi_min_rtt), FIELD(tcpi_data_segs_in), FIELD(tcpi_data_segs_out),
	FIELD(tcpi_delivery_rate), FIELD(tcpi_busy_time), FIELD(tcpi_rwnd_limited),
	FIELD(tcpi_sndbuf_limited), FIELD(tcpi_delivered), FIELD(tcpi_delivered_ce), FIELD(tcpi_bytes_sent),
	FIELD(tcpi_bytes_retrans), FIELD(tcpi_dsack_dups), FIELD(tcpi_reord_seen), FIELD(tcpi_rcv_ooopack),
	FIELD(tcpi_snd_wnd),
};

static uint64_t field_value(const struct tcp_info *info, const struct info_field *f)
{
	const uint8_t *p = (const uint8_t *)info + f->offset;
	uint32_t v32;
	uint64_t v64;

	switch (f->size) {
	case 1: return *p;
	case 4: memcpy(&v32, p, 4); return v32;
	default: memcpy(&v64, p, 8); return v64;
	}
}

static bool put_info(struct code_buf *b, const struct tcp_info *info)
{
	bool ok = put(b, "_g.update(");
	size_t i;

	for (i = 0; ok && i < sizeof(info_fields) / sizeof(info_fields[0]); i++)
		ok = put(b, "%s=%llu,", info_fields[i].name,
			 (unsigned long long)field_value(info, &info_fields[i]));
	return ok && put(b,
			 "tcpi_snd_wscale=%u,tcpi_rcv_wscale=%u,tcpi_delivery_rate_app_limited=%u,"
			 "tcpi_fastopen_client_fail=%u)\n",
			 info->tcpi_snd_wscale, info->tcpi_rcv_wscale, info->tcpi_delivery_rate_app_limited,
			 info->tcpi_fastopen_client_fail);
}

static bool put_constants(struct code_buf *b)
{
	static const char *const states[] = { "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
					      "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN",
					      "CLOSING" };
	static const char *const ca[] = { "Open", "Disorder", "CWR", "Recovery", "Loss" };
	bool ok = put(b, "%s_g.update(", prelude);
	unsigned int i;

	for (i = 0; ok && i < sizeof(states) / sizeof(states[0]); i++)
		ok = put(b, "TCP_%s=%u,", states[i], i + 1);
	for (i = 0; ok && i < sizeof(ca) / sizeof(ca[0]); i++)
		ok = put(b, "TCP_CA_%s=%u,", ca[i], i);
	return ok && put(b,
			 "TCPI_OPT_TIMESTAMPS=%d,TCPI_OPT_SACK=%d,TCPI_OPT_WSCALE=%d,TCPI_OPT_ECN=%d,"
			 "TCPI_OPT_ECN_SEEN=%d,TCPI_OPT_SYN_DATA=%d)\n",
			 TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK, TCPI_OPT_WSCALE, TCPI_OPT_ECN, TCPI_OPT_ECN_SEEN,
			 TCPI_OPT_SYN_DATA);
}

/**
 * play_code() - notes a piece of code and the values that it sees
 * @r:   run
 * @ev:  event
 *
 * Without a TCP socket the variables keep the values that they had.
 * Return:  false when out of memory
 */
bool play_code(struct run *r, const struct event *ev)
{
	struct socket *sock = current_socket(r);
	struct code_buf *b = &r->code;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	bool ok = r->has_code || put_constants(b);

	r->has_code = true;
	if (ok && sock && sock_getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		ok = put_info(b, &info);
	ok = ok && put(b, "_run(") && put_string(b, r->script->name) && put(b, ", %d, ", ev->text_line) &&
	     put_string(b, ev->text) && put(b, ")\n");
	return ok || run_fail(r, ev->line, "out of memory");
}

/* ---- running --------------------------------------------------------------------------------- */

static bool spawn(const char *command, int in, int out, pid_t *pid)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL };
	char *python[] = { (char *)"python3", (char *)"-ISB", (char *)"-", NULL };
	posix_spawn_file_actions_t actions;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	err = posix_spawnp(pid, command ? "sh" : "python3", &actions, NULL, command ? argv : python, environ);
	posix_spawn_file_actions_destroy(&actions);
	errno = err;
	return err == 0;
}

/* The code in a file without a name: no pipe can fill up while nobody reads. */
static FILE *code_file(const struct code_buf *b)
{
	FILE *f = tmpfile();

	if (f && (fwrite(b->text, 1, b->len, f) != b->len || fflush(f) || fseek(f, 0, SEEK_SET))) {
		fclose(f);
		return NULL;
	}
	return f;
}

/* What the interpreter said, if it failed, becomes the script's failure. */
static bool judge(struct run *r, int status, FILE *out)
{
	size_t n;

	if (status == 0)
		return true;
	rewind(out);
	n = fread(r->message, 1, sizeof(r->message) - 1, out);
	r->verdict = PLAY_FAIL;
	while (n && r->message[n - 1] == '\n')
		n--;
	r->message[n] = '\0';
	if (!n)
		snprintf(r->message, sizeof(r->message), "%.400s: the interpreter of %%{ }%% failed (status %d)",
			 r->script->name, status);
	return false;
}

/**
 * code_run() - runs what was gathered
 * @r:  run; its message is set on failure
 *
 * Return:  false when an assertion failed or the code could not be run
 */
bool code_run(struct run *r)
{
	FILE *in, *out;
	int status = 0;
	bool ok = false;
	pid_t pid;

	if (!r->has_code)
		return true;
	in = code_file(&r->code);
	out = tmpfile();
	if (!in || !out)
		run_note(r, PLAY_FAIL, 0, "no temporary file: %s", strerror(errno));
	else if (!spawn(r->cfg.code_command, fileno(in), fileno(out), &pid))
		run_note(r, PLAY_SKIP, 0, "%%{ }%% needs %s: %s", r->cfg.code_command ? r->cfg.code_command : "python3",
			 strerror(errno));
	else if (waitpid(pid, &status, 0) < 0)
		run_note(r, PLAY_FAIL, 0, "the interpreter of %%{ }%% is lost: %s", strerror(errno));
	else
		ok = judge(r, WIFEXITED(status) ? WEXITSTATUS(status) : 128, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return ok;
}
