/* SPDX-License-Identifier: MIT */
/*
 * ip_options.c - IPv4 options: is the list well formed, and what of it goes into later fragments
 *
 * A host tolerates options and acts on none of them (RFC 1122 3.2.1.8: unknown ones are ignored);
 * it only makes sure that the list can be walked, so that no later reader runs off its end. A
 * malformed list is answered by a parameter problem that points at the offending byte.
 *
 * Record route and timestamp are not filled in by us as the final hop. Read first: RFC 791 3.1.
 */
#include "stack/inet/ip.h"

enum {
	IPOPT_EOL = 0, IPOPT_NOOP = 1, IPOPT_RECORD_ROUTE = 7, IPOPT_TIMESTAMP = 68,
	IPOPT_LOOSE_SOURCE = 131, IPOPT_STRICT_SOURCE = 137, IPOPT_ALERT = 148,
};
#define IPOPT_COPIED 0x80
#define TS_ONLY 0

/* The first slot that is not yet used must lie inside the option, or behind it when full. */
static bool slots_fit(uint8_t len, uint8_t pointer, uint8_t first, uint8_t slot)
{
	if (pointer < first)
		return false;
	return pointer > len || pointer - 1 + slot <= len;
}

static bool timestamp_fits(const uint8_t *opt, uint8_t len)
{
	uint8_t slot;

	if (len < 4)
		return false;
	slot = (opt[3] & 0x0f) == TS_ONLY ? 4 : 8;
	return slots_fit(len, opt[2], 5, slot);
}

/* One option with a length byte; the offset of what is wrong in it, or 0. */
static uint8_t check_option(const uint8_t *opt, uint8_t len, struct ip_options *out)
{
	switch (opt[0]) {
	case IPOPT_LOOSE_SOURCE:
	case IPOPT_STRICT_SOURCE:
		if (len < 3 || (len - 3) % 4 != 0)
			return 1;
		if (out->source_route || opt[2] < 4)
			return 2;
		out->source_route = true;
		return 0;
	case IPOPT_RECORD_ROUTE:
		if (len < 3)
			return 1;
		return slots_fit(len, opt[2], 4, 4) ? 0 : 2;
	case IPOPT_TIMESTAMP:
		if (len < 4)
			return 1;
		return timestamp_fits(opt, len) ? 0 : 2;
	case IPOPT_ALERT:
		/* RFC 2113 2.1 */
		if (len != 4)
			return 1;
		out->router_alert = opt[2] == 0 && opt[3] == 0;
		return 0;
	default:
		return 0;
	}
}

/**
 * ip_options_parse() - check the options of an IPv4 header
 * @opt:  the bytes behind the fixed header
 * @len:  their number, 0 to 40
 * @out:  filled
 *
 * Source:  RFC 791 3.1, RFC 1122 3.2.1.8
 * Return:  0; -EINVAL with @out->bad set when the list is malformed
 */
int ip_options_parse(const uint8_t *opt, uint32_t len, struct ip_options *out)
{
	uint32_t at = 0;
	uint8_t wrong;

	memset(out, 0, sizeof(*out));
	while (at < len && opt[at] != IPOPT_EOL) {
		if (opt[at] == IPOPT_NOOP) {
			at++;
			continue;
		}
		if (len - at < 2 || opt[at + 1] < 2 || opt[at + 1] > len - at) {
			out->bad = (uint8_t)(IPV4_HLEN + at);
			return -EINVAL;
		}
		wrong = check_option(opt + at, opt[at + 1], out);
		if (wrong) {
			out->bad = (uint8_t)(IPV4_HLEN + at + wrong);
			return -EINVAL;
		}
		at += opt[at + 1];
	}
	return 0;
}

/**
 * ip_options_copied() - the options that every fragment carries
 * @opt:  options of the whole datagram, checked by ip_options_parse()
 * @len:  their number of bytes
 * @out:  40 bytes
 *
 * Source:  RFC 791 3.1 (copied flag), 3.2 (fragmentation)
 * Return:  bytes in @out, a multiple of 4
 */
uint8_t ip_options_copied(const uint8_t *opt, uint32_t len, uint8_t *out)
{
	uint32_t at = 0, n = 0;

	while (at < len && opt[at] != IPOPT_EOL) {
		uint32_t size = opt[at] == IPOPT_NOOP ? 1 : len - at < 2 ? 0 : opt[at + 1];

		if (size == 0 || size > len - at)
			break;
		if (opt[at] & IPOPT_COPIED) {
			memcpy(out + n, opt + at, size);
			n += size;
		}
		at += size;
	}
	while (n % 4 != 0)
		out[n++] = IPOPT_EOL;
	return (uint8_t)n;
}
