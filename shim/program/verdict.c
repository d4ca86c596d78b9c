/* SPDX-License-Identifier: MIT */
/*
 * Kernel or us, socket by socket.
 *
 * The rules of WIRESHIM_RULES (shim/rules.c) come first, those that every process has (defaults[])
 * last; the first that matches counts. A socket is looked at when it is bound, connected, made to
 * listen, or sends for the first time, with what is known then:
 *
 *   bind()     its own address. A rule about the other end cannot be answered yet; where it could
 *              change the outcome the socket stays with us for the time being and is looked at again.
 *   connect(), first datagram   both ends
 *   listen()   its own address; a rule about the other end does not hold for a listener
 *
 * What was left to the kernel is the kernel's for good, and a datagram socket that has sent or
 * received is where it is for good as well.
 *
 * By default a UDP socket that is on the wildcard address stays, though it sends to the kernel's
 * loopback, or connects there after bind(): a twin of it in the host (shim/host/twin_dgram.c) serves
 * that, and it still has the network. One that connects there first of all is the kernel's.
 *
 * Rules that cannot be read leave no socket to anybody: each call that would need one fails. They are
 * parsed once, at load, because programs wipe their environment; which program this is does not
 * change either.
 */
#include "shim/program/real.h"
#include "shim/program/verdict.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/fdcache.h"
#include "shim/program/sock.h"
#include "shim/rules.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	char text[RULES_TEXT_MAX];
	struct rule list[RULES_MAX]; /* those about this program */
	int count;
	bool local_matters;	     /* one of them asks for the socket's own address */
	char wrong[RULE_ERR_SIZE];   /* why they cannot be read; empty: they can */
} rules;

#define LOOPBACK { INADDR_LOOPBACK & 0xff000000, 0xff000000, 0, 65535 }
#define ANYWHERE { 0, 0, 0, 65535 }
#define DEFAULT(v, l, r, words)                                                                     \
	{                                                                                           \
		.verdict = (v), .proto = RULE_ANY, .any_program = true, .local = l, .remote = r,    \
		.text = words, .len = sizeof(words) - 1                                             \
	}

/* The last rules of every process. With --loopback stack only the last one. */
static const struct rule defaults[] = {
	DEFAULT(RULE_KERNEL, LOOPBACK, ANYWHERE, "kernel local=127.0.0.0/8"),
	DEFAULT(RULE_KERNEL, ANYWHERE, LOOPBACK, "kernel remote=127.0.0.0/8"),
	DEFAULT(RULE_STACK, ANYWHERE, ANYWHERE, "stack"),
};

/* At bind(): a rule about the other end may say otherwise later. */
static const struct rule undecided =
	DEFAULT(RULE_STACK, ANYWHERE, ANYWHERE, "stack until the other end is known");

/* Likewise, since it has a part in both. */
static const struct rule by_twin =
	DEFAULT(RULE_STACK, ANYWHERE, LOOPBACK, "stack, with a twin on the kernel's loopback");

/* The name that the program was called by: up to the first zero of its command line. */
static void read_invoked(char *name, size_t size)
{
	long fd = SYS(openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
	long n = fd < 0 ? 0 : SYS(read, fd, name, size - 1);

	name[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		SYS(close, fd);
}

/* Forgets the rules that are about other programs. */
static void keep_own(void)
{
	char path[PATH_MAX] = "", invoked[PATH_MAX] = "";
	int kept = 0;

	for (int i = 0; i < rules.count; i++) {
		const struct rule *r = &rules.list[i];

		if (!r->any_program && !path[0]) {
			long n = SYS(readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof(path) - 1);

			path[n > 0 ? n : 0] = 0;
			read_invoked(invoked, sizeof(invoked));
		}
		if (!rule_names(r, path, invoked))
			continue;
		rules.local_matters |= !rule_range_open(&r->local);
		rules.list[kept++] = *r;
	}
	rules.count = kept;
}

/**
 * verdict_load() - take the rules from the environment; runs once, at load
 */
void verdict_load(void)
{
	const char *text = getenv("WIRESHIM_RULES");
	int n;

	if (!text || !*text)
		return;
	if (strlen(text) >= sizeof(rules.text)) {
		snprintf(rules.wrong, sizeof(rules.wrong), "more than %d bytes", RULES_TEXT_MAX - 1);
		return;
	}
	memcpy(rules.text, text, strlen(text) + 1);
	n = rules_parse(rules.text, rules.list, rules.wrong);
	if (n < 0)
		return;
	rules.wrong[0] = 0;
	rules.count = n;
	keep_own();
}

static uint8_t proto_of(uint32_t w)
{
	if (w & FD_STREAM)
		return RULE_TCP;
	if (fd_protocol(w) == IPPROTO_ICMP)
		return (w & FD_RAW) ? RULE_ICMP | RULE_RAW : RULE_ICMP;
	return (w & FD_RAW) ? RULE_RAW : RULE_UDP;
}

static bool is_udp(uint32_t w)
{
	return !(w & (FD_STREAM | FD_RAW | FD_PACKET)) && fd_protocol(w) == IPPROTO_UDP;
}

static const char *proto_name(uint32_t w)
{
	uint8_t p = proto_of(w);

	return p == RULE_TCP ? "tcp" : p == RULE_UDP ? "udp" : p == RULE_RAW ? "raw" : "icmp";
}

/* The first rule that matches. */
static const struct rule *find_rule(const struct rule_subject *s)
{
	const struct rule *end = defaults + sizeof(defaults) / sizeof(defaults[0]);
	unsigned int doubtful = 0;

	for (int i = 0; i < rules.count; i++) {
		const struct rule *r = &rules.list[i];
		enum rule_match m = rule_matches(r, s);

		if (m == RULE_MAYBE)
			doubtful |= 1U << r->verdict;
		if (m == RULE_YES)
			return (doubtful & ~(1U << r->verdict)) ? &undecided : r;
	}
	for (const struct rule *r = ctl_loopback_stack() ? end - 1 : defaults; r < end; r++)
		if (rule_matches(r, s) == RULE_YES)
			return (doubtful & ~(1U << r->verdict)) ? &undecided : r;
	return end - 1;
}

/* The address that the socket was bound to, where a rule wants to know. */
static bool own_address(int fd, uint32_t w, struct sockaddr_in *own)
{
	struct ctl_call c = { .op = CTL_GETNAME, .reply = own, .room = sizeof(*own) };

	memset(own, 0, sizeof(*own));
	return (w & FD_BOUND) && rules.local_matters && sock_control(fd, &c) >= 0;
}

static const char *const call_names[] = { "bind", "connect", "listen", "send" };

/* The rule, said in words. */
static void put_reason(char *line, size_t size, const struct rule *r)
{
	if (r->number)
		snprintf(line, size, "rule %u '%.*s'", r->number, (int)r->len, r->text);
	else
		snprintf(line, size, "default '%.*s'", (int)r->len, r->text);
}

/* Into the log, and where it is not what happens anyway, into the host's report. */
static void explain(int fd, uint32_t w, const char *call, const struct sockaddr_in *addr,
		    const struct rule *r)
{
	const char *verdict = rule_verdict_name(r->verdict);
	char reason[256], line[320], ip[INET_ADDRSTRLEN] = "0.0.0.0";

	if (r->verdict == RULE_STACK && !r->number && config.log < LOG_DEBUGGING)
		return;
	put_reason(reason, sizeof(reason), r);
	if (addr)
		inet_ntop(AF_INET, &addr->sin_addr, ip, sizeof(ip));
	shim_log(r->verdict == RULE_STACK ? LOG_DEBUGGING : LOG_INFORM, "fd %d %s %s %s:%u: %s, %s", fd,
		 proto_name(w), call, ip, addr ? ntohs(addr->sin_port) : 0U, verdict, reason);
	if (r->verdict == RULE_STACK && r->number) {
		struct ctl_call c = {
			.op = CTL_REASON, .flags = CTL_F_NOREPLY, .data = reason, .len = strlen(reason)
		};

		sock_control(fd, &c);
	} else if (r->verdict != RULE_STACK) {
		snprintf(line, sizeof(line), "%s %s: %s, %s", proto_name(w), call, verdict, reason);
		ctl_tell(CTL_REASON, line);
	}
}

/**
 * sock_decide() - whose is this socket? Where it is the kernel's, it is moved there
 * @fd:   socket of ours, not connected, not listening
 * @w:    its word
 * @at:   the call that asks
 * @addr: address given to that call: the socket's own for AT_BIND, else the other end's; or NULL
 * @len:  bytes of it
 *
 * An address that the call itself will refuse is not judged.
 *
 * Return: 0: ours; 1: the kernel's now; -EPERM as from a cgroup's filter, where a rule refuses it;
 *         other -errno: it could not be moved, or -ENETDOWN: the rules cannot be read
 */
int sock_decide(int fd, uint32_t w, enum decide_at at, const struct sockaddr *addr, socklen_t len)
{
	struct rule_subject s = { .proto = proto_of(w), .remote_open = at == AT_BIND };
	struct sockaddr_in given = { .sin_family = AF_INET }, own;
	const struct rule *r;
	int ret;

	if (rules.wrong[0]) {
		log_fatal_once("WIRESHIM_RULES: %s", rules.wrong);
		return -ENETDOWN;
	}
	if (at != AT_LISTEN) {
		if (nowhere(addr) || len < sizeof(given))
			return 0;
		memcpy(&given, addr, sizeof(given));
		if (given.sin_family != AF_INET && (at != AT_BIND || given.sin_family != AF_UNSPEC))
			return 0;
	}
	if (at == AT_BIND || (at == AT_LISTEN && !(w & FD_BOUND)))
		s.local = &given;
	else if (own_address(fd, w, &own))
		s.local = &own;
	if (at == AT_CONNECT || at == AT_SEND)
		s.remote = &given;
	r = find_rule(&s);
	if (r == &defaults[1] && is_udp(w) && (at == AT_SEND || (at == AT_CONNECT && (w & FD_BOUND))))
		r = &by_twin;
	explain(fd, w, call_names[at], at == AT_LISTEN ? s.local : &given, r);
	if (r->verdict == RULE_STACK)
		return 0;
	if (r->verdict == RULE_REFUSE)
		return -EPERM;
	ret = sock_to_kernel(fd);
	return ret < 0 ? ret : 1;
}

/**
 * loopback_is_kernels() - would a socket bound to 127.0.0.1 be left to the kernel?
 * @fd:    a socket of ours that is, or will be, bound to the wildcard address
 * @w:     its word
 * @given: address that it is about to be bound to; NULL: it is bound
 *
 * Then a listener or a UDP socket there is to serve the kernel's loopback as well.
 */
bool loopback_is_kernels(int fd, uint32_t w, const void *given)
{
	struct sockaddr_in own;
	struct rule_subject s = { .proto = proto_of(w), .local = &own };

	if (given)
		memcpy(&own, given, sizeof(own));
	else
		own_address(fd, w, &own);
	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return ((w & FD_STREAM) || is_udp(w)) && find_rule(&s)->verdict == RULE_KERNEL;
}

/**
 * loopback_has_peer() - is this peer of a UDP socket of ours one on the kernel's loopback?
 * @to: an address of 127.0.0.0/8
 */
bool loopback_has_peer(int fd, uint32_t w, const struct sockaddr_in *to)
{
	struct rule_subject s = { .proto = RULE_UDP, .remote = to };
	struct sockaddr_in own;

	if (!is_udp(w))
		return false;
	if (own_address(fd, w, &own))
		s.local = &own;
	return find_rule(&s)->verdict == RULE_KERNEL;
}
