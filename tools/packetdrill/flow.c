/* SPDX-License-Identifier: MIT */
/*
 * flow.c - which connection a packet belongs to, and its numbers
 *
 * A script counts from 0 at each SYN, both ways, while the wire has random initial numbers of ours
 * and the peer's as its SYN says. A SYN's own number is taken as the script has it (it may say
 * "S 123:123(0)"); all others count from 0 at the SYN. Our timestamps are told to the script less
 * the first one; each value that the script named once is known by that name when it echoes it.
 *
 * A packet without ports belongs to the connection that was opened last.
 */
#include "tools/packetdrill/flow.h"

#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_REMOTE_PORT 40000

/* ---- options --------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put32(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 24);
	b[1] = (uint8_t)(v >> 16);
	b[2] = (uint8_t)(v >> 8);
	b[3] = (uint8_t)v;
}

/* The first option of @kind with @min bytes at least; NULL = none. */
static uint8_t *find_option(uint8_t *options, size_t len, uint8_t kind, size_t min)
{
	size_t i = 0;

	while (i < len && options[i] != 0) {
		if (options[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len || options[i + 1] < 2 || i + options[i + 1] > len)
			return NULL;
		if (options[i] == kind && options[i + 1] >= min)
			return options + i;
		i += options[i + 1];
	}
	return NULL;
}

/** options_ts() - the timestamps in a packet's options */
bool options_ts(const uint8_t *options, size_t len, uint32_t *val, uint32_t *ecr)
{
	const uint8_t *ts = find_option((uint8_t *)(uintptr_t)options, len, 8, 10);

	if (!ts)
		return false;
	*val = get32(ts + 2);
	*ecr = get32(ts + 6);
	return true;
}

static void shift_sacks(uint8_t *options, size_t len, uint32_t by)
{
	uint8_t *sack = find_option(options, len, 5, 10);
	size_t i;

	for (i = 2; sack && i + 4 <= sack[1]; i += 4)
		put32(sack + i, get32(sack + i) + by);
}

/* ---- which connection ------------------------------------------------------------------------ */

/** flows_free() - forgets all connections */
void flows_free(struct flows *fs)
{
	struct flow *f, *next;

	for (f = fs->list; f; f = next) {
		next = f->next;
		free(f->ts);
		free(f);
	}
	memset(fs, 0, sizeof(*fs));
}

static struct flow **current(struct flows *fs, uint8_t protocol)
{
	return &fs->current[protocol == IPPROTO_UDP];
}

static struct flow *new_flow(struct flows *fs, uint8_t protocol)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->protocol = protocol;
	f->next = fs->list;
	fs->list = f;
	*current(fs, protocol) = f;
	return f;
}

static bool is_syn(uint16_t flags)
{
	return (flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) == FLAG_SYN;
}

/**
 * flow_of_sent() - the connection of a packet on the wire
 * @fs:  connections
 * @w:   packet that the stack sent
 *
 * A SYN that is not a repeated one opens a connection, and so does the first datagram to a peer.
 * Return:  connection; NULL when the packet belongs to none, or out of memory
 */
struct flow *flow_of_sent(struct flows *fs, const struct wire *w)
{
	bool opens = w->protocol == IPPROTO_UDP || (w->protocol == IPPROTO_TCP && is_syn(w->flags));
	struct flow *f;

	for (f = fs->list; f; f = f->next) {
		if (f->protocol != w->protocol || f->local_port != w->sport || f->remote_port != w->dport ||
		    f->local_ip != w->saddr || f->remote_ip != w->daddr)
			continue;
		if (w->protocol == IPPROTO_TCP && opens && f->local_known && f->local_isn != w->seq)
			break; /* the same ports once more */
		return f;
	}
	f = opens ? new_flow(fs, w->protocol) : NULL;
	if (!f)
		return NULL;
	f->local_ip = w->saddr;
	f->remote_ip = w->daddr;
	f->local_port = w->sport;
	f->remote_port = w->dport;
	return f;
}

static uint8_t protocol_of(const struct packet_spec *pk)
{
	if (pk->kind == PACKET_ICMP)
		return pk->quote.protocol == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	return pk->kind == PACKET_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

/* By the ports of the script, which may be those of the wire. */
static struct flow *find_by_ports(const struct flows *fs, uint8_t protocol, uint16_t lport, uint16_t rport)
{
	struct flow *f;

	for (f = fs->list; f; f = f->next)
		if (f->protocol == protocol && (f->script_rport ? f->script_rport : f->remote_port) == rport &&
		    (f->script_lport ? f->script_lport : f->local_port) == lport)
			return f;
	return NULL;
}

/**
 * flow_of_expected() - the connection that an expected packet belongs to
 * @fs:  connections
 * @pk:  the event's packet
 *
 * Return:  connection; NULL when nothing opened it yet
 */
struct flow *flow_of_expected(const struct flows *fs, const struct packet_spec *pk)
{
	uint8_t protocol = protocol_of(pk);

	if (pk->has_ports)
		return find_by_ports(fs, protocol, pk->sport, pk->dport);
	return fs->current[protocol == IPPROTO_UDP];
}

/**
 * flow_of_inbound() - the connection that the peer's packet belongs to
 * @fs:           connections
 * @pk:           the event's packet
 * @cfg:          addresses and ports
 * @listen_port:  where the peer connects to when the script names no port
 *
 * Without ports: the current one, unless a socket began to listen since and this is a SYN.
 * Return:  connection, made when there was none; NULL when out of memory
 */
struct flow *flow_of_inbound(struct flows *fs, const struct packet_spec *pk, const struct drill_config *cfg,
			     uint16_t listen_port)
{
	uint8_t protocol = protocol_of(pk);
	bool anew = fs->begin_anew && pk->kind == PACKET_TCP && is_syn(pk->flags);
	struct flow *f = pk->has_ports ? find_by_ports(fs, protocol, pk->dport, pk->sport)
				       : *current(fs, protocol);

	if (f && (!anew || pk->has_ports))
		return f;
	f = new_flow(fs, protocol);
	if (!f)
		return NULL;
	f->local_ip = cfg->local_ip;
	f->remote_ip = cfg->remote_ip;
	f->local_port = pk->has_ports ? pk->dport : listen_port;
	f->script_lport = pk->has_ports ? pk->dport : 0;
	f->script_rport = pk->has_ports ? pk->sport : 0;
	if (!fs->last_remote_port)
		fs->last_remote_port = FIRST_REMOTE_PORT - 1;
	f->remote_port = pk->has_ports ? pk->sport : ++fs->last_remote_port;
	if (anew)
		fs->begin_anew = false;
	return f;
}

/* ---- script to wire -------------------------------------------------------------------------- */

/* The peer's echo of our timestamp: by the name that the script gave it, else by distance. */
static uint32_t echo_to_wire(const struct flow *f, uint32_t ecr)
{
	size_t i;

	if (ecr == 0)
		return 0;
	for (i = f->nts; i > 0; i--)
		if (f->ts[i - 1].script == ecr)
			return f->ts[i - 1].wire;
	return f->ts_known ? f->ts_wire + (ecr - f->ts_script) : ecr;
}

static void tcp_to_wire(struct flow *f, const struct packet_spec *pk, struct wire *w)
{
	uint8_t *ts;

	if (pk->flags & FLAG_SYN) {
		if (!f->remote_known) {
			f->remote_known = true;
			f->remote_isn = f->script_remote_isn = pk->seq;
		} else if (pk->seq != f->script_remote_isn) {
			f->remote_new = true;
			f->remote_new_isn = pk->seq;
		}
		w->seq = pk->seq; /* a SYN's number is the script's own */
	} else {
		w->seq = f->remote_isn + pk->seq;
	}
	w->flags = pk->flags;
	/* ... and so is what acknowledges one. */
	w->ack = f->local_isn + pk->ack - (pk->flags & FLAG_SYN ? f->script_local_isn : 0);
	if (!(pk->flags & FLAG_ACK))
		w->ack = 0;
	w->win = (uint16_t)(pk->win < 0 ? 0 : pk->win);
	w->urg = pk->urg;
	w->options_len = pk->options_len;
	memcpy(w->options, pk->options, pk->options_len);
	ts = find_option(w->options, w->options_len, 8, 10);
	if (ts)
		put32(ts + 6, echo_to_wire(f, get32(ts + 6)));
	shift_sacks(w->options, w->options_len, f->local_isn);
}

static void icmp_to_wire(const struct packet_spec *pk, struct wire *w)
{
	w->protocol = IPPROTO_ICMP;
	w->icmp_type = pk->icmp_type;
	w->icmp_code = pk->icmp_code;
	w->icmp_rest = pk->icmp_mtu >= 0 ? (uint32_t)pk->icmp_mtu : (uint32_t)pk->icmp_ident << 16;
}

/**
 * flow_to_wire() - the peer's packet as it is to be on the wire
 * @f:   its connection
 * @pk:  the event's packet
 * @w:   filled; the quote of an ICMP message is the caller's work
 */
void flow_to_wire(struct flow *f, const struct packet_spec *pk, struct wire *w)
{
	memset(w, 0, sizeof(*w));
	w->saddr = f->remote_ip;
	w->daddr = f->local_ip;
	w->tos = pk->tos;
	w->ttl = pk->ttl ? pk->ttl : 64;
	w->protocol = protocol_of(pk);
	w->payload_len = pk->len;
	w->sport = f->remote_port;
	w->dport = f->local_port;
	if (pk->kind == PACKET_TCP)
		tcp_to_wire(f, pk, w);
	else if (pk->kind == PACKET_ICMP)
		icmp_to_wire(pk, w);
}

/* ---- wire to script -------------------------------------------------------------------------- */

/* Learns our initial sequence number from the first SYN, and from one that answers a new one. */
static void learn_isn(struct flow *f, const struct wire *w, const struct packet_spec *expected)
{
	bool anew = f->remote_new && (w->flags & FLAG_ACK) && w->ack == f->remote_new_isn + 1;

	if (!(w->flags & FLAG_SYN) || (f->local_known && !anew))
		return;
	if (anew) {
		f->remote_isn = f->script_remote_isn = f->remote_new_isn;
		f->remote_new = false;
	}
	f->local_known = true;
	f->local_isn = w->seq;
	f->script_local_isn = expected && (expected->flags & FLAG_SYN) ? expected->seq : 0;
}

static void tcp_to_script(struct flow *f, const struct wire *w, const struct packet_spec *expected,
			  struct packet_spec *pk)
{
	uint32_t base;
	uint8_t *ts;

	learn_isn(f, w, expected);
	base = w->flags & FLAG_SYN ? f->local_isn - f->script_local_isn : f->local_isn;
	pk->kind = PACKET_TCP;
	pk->flags = w->flags;
	pk->seq = w->seq - base;
	pk->len = w->payload_len;
	pk->ack = w->flags & FLAG_ACK && !(w->flags & FLAG_SYN) ? w->ack - f->remote_isn : w->ack;
	pk->win = w->win;
	pk->urg = w->urg;
	pk->options_len = w->options_len;
	memcpy(pk->options, w->options, w->options_len);
	ts = find_option(pk->options, pk->options_len, 8, 10);
	if (ts && f->ts_known)
		put32(ts + 2, get32(ts + 2) - f->ts_wire + f->ts_script);
	shift_sacks(pk->options, pk->options_len, 0U - f->remote_isn);
}

/**
 * flow_to_script() - a sent packet as the script would write it
 * @f:         its connection; NULL: numbers stay as they are
 * @w:         packet
 * @expected:  what the script says; NULL = nothing
 * @pk:        filled
 */
void flow_to_script(struct flow *f, const struct wire *w, const struct packet_spec *expected,
		    struct packet_spec *pk)
{
	static const struct flow nothing;
	struct flow none = nothing;

	memset(pk, 0, sizeof(*pk));
	pk->tos = w->tos;
	pk->ttl = w->ttl;
	pk->win = -1;
	pk->icmp_mtu = -1;
	pk->sport = w->sport;
	pk->dport = w->dport;
	if (f && f->script_rport) {
		pk->sport = f->script_lport;
		pk->dport = f->script_rport;
	}
	pk->len = w->payload_len;
	switch (w->protocol) {
	case IPPROTO_TCP: tcp_to_script(f ? f : &none, w, expected, pk); break;
	case IPPROTO_UDP: pk->kind = PACKET_UDP; break;
	default:
		pk->kind = PACKET_ICMP;
		pk->icmp_type = w->icmp_type;
		pk->icmp_code = w->icmp_code;
		if (w->icmp_type == ICMP_DEST_UNREACH && w->icmp_code == ICMP_FRAG_NEEDED)
			pk->icmp_mtu = w->icmp_rest & 0xffff;
		if (w->icmp_type == ICMP_ECHO || w->icmp_type == ICMP_ECHOREPLY)
			pk->icmp_ident = (uint16_t)(w->icmp_rest >> 16);
	}
}

/**
 * flow_note_ts() - remembers by what name the script calls a timestamp of ours
 * @f:         connection
 * @w:         packet that was sent
 * @expected:  the event that expected it
 *
 * Return:  false when out of memory
 */
bool flow_note_ts(struct flow *f, const struct wire *w, const struct packet_spec *expected)
{
	uint32_t wire, script, ecr;

	if (!options_ts(w->options, w->options_len, &wire, &ecr) ||
	    !options_ts(expected->options, expected->options_len, &script, &ecr))
		return true;
	if (!f->ts_known) {
		f->ts_known = true;
		f->ts_wire = wire;
		f->ts_script = script;
	}
	if (f->nts == f->ts_room) {
		size_t room = f->ts_room ? 2 * f->ts_room : 16;
		struct ts_pair *bigger = realloc(f->ts, room * sizeof(*bigger));

		if (!bigger)
			return false;
		f->ts = bigger;
		f->ts_room = room;
	}
	f->ts[f->nts++] = (struct ts_pair){ script, wire };
	return true;
}
