/* SPDX-License-Identifier: MIT */
/*
 * expect.c - packets: those of the peer are made, those of the stack are compared
 *
 * A script may expect in one packet what leaves as several in a row, because the stack that it was
 * written on hands such to its device: consecutive segments with the same acknowledgement and
 * options, sent at one time, are put together as far as the script's packet goes (not with
 * --strict_segments). Where one of them has PSH is then not compared: it says where writes ended.
 */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/packetdrill/packet_text.h"
#include "tools/packetdrill/run.h"

#define LONGEST_WAIT_US (24LL * 3600 * 1000000) /* for a packet at any time: some timers never end */

/* ---- inbound --------------------------------------------------------------------------------- */

/* What an ICMP error quotes: IP header and the beginning of a packet that we sent. */
static size_t build_quote(const struct flow *f, const struct packet_spec *pk, uint8_t *buf)
{
	struct wire q = { .saddr = f->local_ip, .daddr = f->remote_ip, .protocol = pk->quote.protocol,
			  .sport = f->local_port, .dport = f->remote_port, .df = true,
			  .payload_len = pk->quote.len };
	size_t hlen;

	q.seq = f->local_isn + pk->quote.seq;
	q.flags = FLAG_ACK;
	q.ack = f->remote_isn + 1;
	if (pk->quote.protocol == IPPROTO_TCP)
		hlen = WIRE_IP_HLEN + WIRE_TCP_HLEN;
	else
		hlen = WIRE_IP_HLEN + WIRE_UDP_HLEN;
	return wire_build(&q, buf) < hlen ? 0 : hlen;
}

static bool icmp_quotes(const struct packet_spec *pk)
{
	return pk->kind == PACKET_ICMP && pk->icmp_type != ICMP_ECHO && pk->icmp_type != ICMP_ECHOREPLY &&
	       pk->icmp_type != ICMP_TIMESTAMP && pk->icmp_type != ICMP_TIMESTAMPREPLY;
}

/* The port that peers connect to: of the socket made last, else the one that bind() would give. */
static uint16_t listen_port(struct run *r)
{
	struct sockaddr_storage ss;
	struct sockaddr_in sin;

	if (!r->last_sock || sock_getname(r->last_sock, &ss, false) != (int)sizeof(sin))
		return r->cfg.bind_port;
	memcpy(&sin, &ss, sizeof(sin));
	return sin.sin_port ? ntohs(sin.sin_port) : r->cfg.bind_port;
}

/* The flow of a packet of the peer. A datagram to a connected socket comes from where that is connected to. */
static struct flow *inbound_flow(struct run *r, const struct packet_spec *pk)
{
	bool first = pk->kind == PACKET_UDP && !pk->has_ports && !r->flows.current[1];
	struct flow *f = flow_of_inbound(&r->flows, pk, &r->cfg, listen_port(r));
	struct sockaddr_storage ss;
	struct sockaddr_in sin;

	if (!f || !first || !r->last_sock || sock_getname(r->last_sock, &ss, true) != (int)sizeof(sin))
		return f;
	memcpy(&sin, &ss, sizeof(sin));
	f->remote_ip = ntohl(sin.sin_addr.s_addr);
	f->remote_port = ntohs(sin.sin_port);
	return f;
}

/**
 * play_inbound() - a packet of the peer arrives
 * @r:   run
 * @ev:  event
 *
 * Return:  false after a failure
 */
bool play_inbound(struct run *r, const struct event *ev)
{
	static _Thread_local uint8_t buf[WIRE_MAX], quote[WIRE_MAX];
	const struct packet_spec *pk = ev->packet;
	struct flow *f = inbound_flow(r, pk);
	struct wire w;
	size_t len;

	if (!f)
		return run_fail(r, ev->line, "out of memory");
	flow_to_wire(f, pk, &w);
	if (icmp_quotes(pk)) {
		w.payload = quote;
		w.payload_len = (uint32_t)build_quote(f, pk, quote);
	}
	len = wire_build(&w, buf);
	if (!len)
		return run_fail(r, ev->line, "the packet is too large for IP");
	if (sim_inject(&r->sim, buf, len, w.protocol == IPPROTO_TCP && pk->len > r->cfg.mss ? r->cfg.mss : 0) < 0)
		return run_fail(r, ev->line, "out of memory");
	return run_blocked(r);
}

/* ---- outbound -------------------------------------------------------------------------------- */

/* A sent packet in the script's words. */
static void describe(struct run *r, const struct sim_packet *p, const struct packet_spec *expected,
		     char *buf, size_t size)
{
	struct packet_spec pk;
	const char *why;
	struct flow *f;
	struct wire w;

	if (!wire_read(&w, p->bytes, p->len, &why)) {
		snprintf(buf, size, "a packet of %u bytes: %s", p->len, why);
		return;
	}
	f = flow_of_sent(&r->flows, &w);
	flow_to_script(f, &w, expected, &pk);
	pk.has_ports = !expected || expected->has_ports;
	if (expected)
		pk.tos_check = expected->tos_check;
	if (!expected || !expected->ttl)
		pk.ttl = 0;
	packet_text(&pk, buf, size);
}

/* A difference of a packet; false unless such are only told. */
static bool packet_failed(struct run *r, const struct event *ev, const struct sim_packet *p, const char *why)
{
	char want[400], got[400];

	packet_text(ev->packet, want, sizeof(want));
	describe(r, p, ev->packet, got, sizeof(got));
	if (r->cfg.non_fatal_packet) {
		fprintf(stderr, "%s:%d: warning handling packet: %s\n", r->script->name, ev->line, why);
		r->notes++;
		return true;
	}
	return run_fail(r, ev->line,
			"error handling packet: %s\nscript packet: %9.6f %s\nactual packet: %9.6f %s", why,
			(double)r->expected_us / 1e6, want, (double)p->at_us / 1e6, got);
}

/* Waits for the stack to send something, not beyond @limit. NULL: it did not, or a call failed. */
static struct sim_packet *wait_for_packet(struct run *r, int64_t limit)
{
	while (!r->sim.sent) {
		int64_t next = sim_next(&r->sim);

		if (r->verdict != PLAY_PASS || next > limit)
			break;
		if (!run_until(r, next))
			return NULL;
	}
	return r->sim.sent;
}

static bool nothing_came(struct run *r, const struct event *ev, int64_t from, int64_t to)
{
	char want[400];

	if (r->verdict != PLAY_PASS)
		return false;
	packet_text(ev->packet, want, sizeof(want));
	if (to == INT64_MAX)
		return run_fail(r, ev->line, "no packet is sent for a day\nscript packet: %s", want);
	if (!run_until(r, to + run_tolerance(r, to)))
		return false;
	return run_fail(r, ev->line, "timing error: no packet is sent\nscript packet: %9.6f %s",
			(double)from / 1e6, want);
}

/* The packet may go on what the last one left off. */
static bool continues(const struct wire *a, const struct wire *b)
{
	return b->protocol == IPPROTO_TCP && a->sport == b->sport && a->dport == b->dport &&
	       b->seq == a->seq + a->payload_len && b->ack == a->ack && b->win == a->win &&
	       !((a->flags | b->flags) & (FLAG_SYN | FLAG_RST)) && !(a->flags & FLAG_FIN) &&
	       b->options_len == a->options_len && memcmp(a->options, b->options, a->options_len) == 0 &&
	       b->tos == a->tos;
}

/* Puts what follows behind @w until it is @len bytes long. True: it is made of several now. */
static bool put_together(struct run *r, struct wire *w, int64_t at_us, uint32_t len)
{
	struct sim_packet *p;
	bool several = false;
	const char *why;
	struct wire more;

	while (w->payload_len > 0 && w->payload_len < len && (p = r->sim.sent) && p->at_us == at_us &&
	       wire_read(&more, p->bytes, p->len, &why) && more.payload_len > 0 && continues(w, &more) &&
	       w->payload_len + more.payload_len <= len) {
		w->payload_len += more.payload_len;
		w->flags |= more.flags & (FLAG_PSH | FLAG_FIN);
		several = true;
		free(sim_take(&r->sim));
	}
	return several;
}

/* Whether it came when the script says. */
static bool in_time(struct run *r, const struct event *ev, const struct sim_packet *p, int64_t from,
		    int64_t to)
{
	char why[200];

	if (to == INT64_MAX ||
	    (p->at_us >= from - run_tolerance(r, from) && p->at_us <= to + run_tolerance(r, to)))
		return true;
	if (from == to)
		snprintf(why, sizeof(why),
			 "timing error: expected outbound packet at %.6f sec but happened at %.6f sec; "
			 "tolerance %.6f sec",
			 (double)from / 1e6, (double)p->at_us / 1e6, (double)run_tolerance(r, from) / 1e6);
	else
		snprintf(why, sizeof(why),
			 "timing error: expected outbound packet between %.6f and %.6f sec but happened at "
			 "%.6f sec; tolerance %.6f sec",
			 (double)from / 1e6, (double)to / 1e6, (double)p->at_us / 1e6,
			 (double)run_tolerance(r, to) / 1e6);
	return packet_failed(r, ev, p, why);
}

static bool compare(struct run *r, const struct event *ev, struct sim_packet *p, int64_t from, int64_t to)
{
	const struct packet_spec *want = ev->packet;
	struct packet_spec got;
	struct flow *f, *meant;
	const char *reason;
	char why[300];
	struct wire w;

	if (!wire_read(&w, p->bytes, p->len, &reason))
		return packet_failed(r, ev, p, reason);
	f = flow_of_sent(&r->flows, &w);
	meant = flow_of_expected(&r->flows, want);
	if (f && !meant && want->has_ports && !f->script_rport && want->kind != PACKET_ICMP) {
		f->script_lport = want->sport;
		f->script_rport = want->dport;
		meant = f;
	}
	if (want->kind != PACKET_ICMP && w.protocol != IPPROTO_ICMP && f != meant)
		return packet_failed(r, ev, p, "it belongs to another connection");
	if (!r->cfg.strict_segments && want->kind == PACKET_TCP && !(want->flags & FLAG_SYN) &&
	    put_together(r, &w, p->at_us, want->len))
		w.flags = (uint16_t)((w.flags & ~FLAG_PSH) | (want->flags & FLAG_PSH));
	if (f && !flow_note_ts(f, &w, want))
		return run_fail(r, ev->line, "out of memory");
	flow_to_script(f, &w, want, &got);
	if (!packet_match(&r->cfg, want, &got, why, sizeof(why)) && !packet_failed(r, ev, p, why))
		return false;
	return in_time(r, ev, p, from, to);
}

/**
 * play_outbound() - the next packet that the stack sends is the event's
 * @r:     run
 * @ev:    event
 * @from:  when it is to be sent
 * @to:    ... at the latest; INT64_MAX = whenever it comes
 *
 * Return:  false after a failure
 */
bool play_outbound(struct run *r, const struct event *ev, int64_t from, int64_t to)
{
	int64_t limit = to == INT64_MAX ? sim_now(&r->sim) + LONGEST_WAIT_US : to + run_tolerance(r, to);
	struct sim_packet *p = wait_for_packet(r, limit);
	bool ok;

	if (!p)
		return nothing_came(r, ev, from, to);
	p = sim_take(&r->sim);
	r->expected_us = to == INT64_MAX ? p->at_us : from;
	ok = compare(r, ev, p, from, to);
	free(p);
	return ok;
}

/**
 * play_leftovers() - nothing may be left that no event expected
 * @r:  run, at its end
 *
 * Return:  false when something is
 */
bool play_leftovers(struct run *r)
{
	const struct event *last = r->script->events;
	struct sim_packet *p = r->sim.sent;
	char got[400];

	if (!p)
		return true;
	while (last->next)
		last = last->next;
	describe(r, p, NULL, got, sizeof(got));
	return run_fail(r, last->line, "unexpected packet, left over at the end\nactual packet: %9.6f %s",
			(double)p->at_us / 1e6, got);
}
