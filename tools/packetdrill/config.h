/* SPDX-License-Identifier: MIT */
/* What options say, of the command line and of a script. */
#ifndef TOOLS_PACKETDRILL_CONFIG_H
#define TOOLS_PACKETDRILL_CONFIG_H

#include "tools/packetdrill/script.h"

struct drill_config {
	uint32_t local_ip, remote_ip, gateway_ip; /* host order */
	uint8_t prefix_len;          /* of the local network */
	uint16_t bind_port, connect_port;
	uint32_t mtu;
	uint16_t mss;                /* more text in a packet of the peer: as many segments in one; 0 = one in any case */
	int64_t tolerance_us;        /* of a time */
	int64_t tolerance_permille;  /* ... or so much of the time since the event before; the larger holds */
	uint32_t ts_tick_us;         /* of our timestamps; 0 = TS val is not compared */
	uint64_t seed;
	bool strict_segments;        /* a packet is not put together from several */
	bool strict;                 /* packets that no event expects are a failure at the end as well */
	bool verbose, dry_run, shell;
	bool non_fatal_packet, non_fatal_call;
	const char *code_command;    /* NULL = python3 */
	const char *init_scripts;    /* names with commas between them; NULL = none */
};

void drill_config_init(struct drill_config *c);
/*
 * One option by its name without dashes; @value NULL = none given. 0; -EINVAL: @why says what is
 * wrong; -ENOTSUP: it is an option of packetdrill's that asks for what cannot be done here, @why.
 * --define is not among them: see script_define().
 */
int drill_config_set(struct drill_config *c, const char *name, const char *value, char *why, size_t size);
void drill_config_help(void);

#endif
