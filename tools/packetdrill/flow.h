/* SPDX-License-Identifier: MIT */
/*
 * Connections as the script counts them: which ports of the wire its packets mean, and what is added
 * to its sequence numbers and timestamps to get those of the wire.
 */
#ifndef TOOLS_PACKETDRILL_FLOW_H
#define TOOLS_PACKETDRILL_FLOW_H

#include "tools/packetdrill/config.h"
#include "tools/packetdrill/wire.h"

struct ts_pair {
	uint32_t script, wire;
};

struct flow {
	struct flow *next;             /* older ones */
	uint8_t protocol;
	uint32_t local_ip, remote_ip;
	uint16_t local_port, remote_port;
	uint16_t script_lport, script_rport; /* as packets name them; 0 = without ports */
	/* Initial sequence numbers: of the wire, and as the script's SYN has them. */
	bool local_known, remote_known;
	uint32_t local_isn, remote_isn;
	uint32_t script_local_isn, script_remote_isn;
	bool remote_new;               /* the peer began anew: answered by a SYN, these hold */
	uint32_t remote_new_isn;
	/* Our timestamps. */
	bool ts_known;
	uint32_t ts_wire, ts_script;   /* the first one */
	struct ts_pair *ts;            /* those seen, oldest first */
	size_t nts, ts_room;
};

struct flows {
	struct flow *list;             /* newest first */
	struct flow *current[2];       /* TCP, UDP: what packets without ports mean */
	bool begin_anew;               /* the next SYN of the peer opens another connection */
	uint16_t last_remote_port;
};

void flows_free(struct flows *fs);
/* The connection of a packet that the stack sent; one is made for a SYN or a datagram. NULL = none. */
struct flow *flow_of_sent(struct flows *fs, const struct wire *w);
/* Which connection an event means; one is made for what opens one. NULL: out of memory. */
struct flow *flow_of_inbound(struct flows *fs, const struct packet_spec *pk, const struct drill_config *cfg,
			     uint16_t listen_port);
/* The same for an expected packet; NULL = there is none yet. */
struct flow *flow_of_expected(const struct flows *fs, const struct packet_spec *pk);

/* What the peer sends, as it is to be on the wire. */
void flow_to_wire(struct flow *f, const struct packet_spec *pk, struct wire *w);
/*
 * What the stack sent, as the script would write it. @expected: what the event says, from which the
 * first SYN's numbers and timestamp are learnt; NULL = nothing is expected.
 */
void flow_to_script(struct flow *f, const struct wire *w, const struct packet_spec *expected,
		    struct packet_spec *pk);
/* Notes which timestamp of the wire the script's stands for. False: out of memory. */
bool flow_note_ts(struct flow *f, const struct wire *w, const struct packet_spec *expected);
/* TS val in a packet's options; false when there is none. */
bool options_ts(const uint8_t *options, size_t len, uint32_t *val, uint32_t *ecr);

#endif
