/* SPDX-License-Identifier: MIT */
/* Packets in the script's notation, and whether one is what a script expects. */
#ifndef TOOLS_PACKETDRILL_PACKET_TEXT_H
#define TOOLS_PACKETDRILL_PACKET_TEXT_H

#include "tools/packetdrill/config.h"

/* "S. 0:0(0) ack 1 win 65535 <mss 1460>" */
void packet_text(const struct packet_spec *pk, char *buf, size_t size);
/* False: @why says which field differs, with both values. */
bool packet_match(const struct drill_config *cfg, const struct packet_spec *want, const struct packet_spec *got,
		  char *why, size_t size);

#endif
