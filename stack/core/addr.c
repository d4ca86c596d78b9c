/* SPDX-License-Identifier: MIT */
/* addr.c - network addresses as text. */
#include "stack/core/addr.h"

#include <arpa/inet.h>

/**
 * inet_addr_str() - an address as text, without port
 * @a:    address; AF_UNSPEC gives "none"
 * @buf:  at least INET_ADDR_STRLEN bytes
 *
 * Return:  @buf
 */
const char *inet_addr_str(const struct inet_addr *a, char *buf)
{
	if ((a->family != AF_INET && a->family != AF_INET6) ||
	    !inet_ntop(a->family, a->bytes, buf, INET_ADDR_STRLEN))
		memcpy(buf, "none", sizeof("none"));
	return buf;
}
