/* SPDX-License-Identifier: MIT */
/*
 * gethostbyname() and gethostbyaddr() with their variants, over the same two questions as
 * getaddrinfo().
 *
 * A struct hostent is packed into the caller's buffer, or into one static buffer where the
 * interface has it that way (one per process, as libc's: these functions are not for threads).
 */
#include "shim/program/real.h"
#include "shim/program/resolver.h"

#include <arpa/inet.h>
#include <string.h>

/* Takes aligned pieces off a buffer; NULL when it is used up. */
struct packer {
	char *at;
	size_t left;
};

static void *pack(struct packer *p, size_t size)
{
	size_t pad = -(uintptr_t)p->at & (sizeof(void *) - 1);
	void *piece;

	if (p->left < pad + size)
		return NULL;
	piece = p->at + pad;
	p->at += pad + size;
	p->left -= pad + size;
	return piece;
}

static const void *raw_addr(const struct sockaddr_in6 *addr)
{
	if (addr->sin6_family == AF_INET6)
		return &addr->sin6_addr;
	return &((const struct sockaddr_in *)(const void *)addr)->sin_addr;
}

/* ERANGE when the buffer is too small: the caller comes again with a larger one. */
static int fill(struct hostent *ret, const char *name, int family, const struct resolved *found,
		struct packer *p)
{
	size_t size = family == AF_INET6 ? 16 : 4;
	char **addrs = pack(p, ((size_t)found->count + 1) * sizeof(*addrs));
	char **aliases = pack(p, sizeof(*aliases));
	size_t name_size = strlen(name) + 1;
	char *copy = pack(p, name_size);
	int n = 0;

	if (!addrs || !aliases || !copy)
		return ERANGE;
	memcpy(copy, name, name_size);
	aliases[0] = NULL;
	for (int i = 0; i < found->count; i++) {
		if (found->addr[i].sin6_family != family)
			continue;
		addrs[n] = pack(p, size);
		if (!addrs[n])
			return ERANGE;
		memcpy(addrs[n++], raw_addr(&found->addr[i]), size);
	}
	addrs[n] = NULL;
	*ret = (struct hostent){ copy, aliases, family, (int)size, addrs };
	return 0;
}

static int herrno_of(int gai)
{
	switch (gai) {
	case EAI_NONAME: return HOST_NOT_FOUND;
	case EAI_NODATA:
	case EAI_ADDRFAMILY: return NO_DATA;
	case EAI_AGAIN: return TRY_AGAIN;
	default: return NO_RECOVERY;
	}
}

/* Numbers need no question. */
static bool parse_number(const char *name, int family, struct resolved *found)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET && inet_aton(name, &in.sin_addr))
		memcpy(&found->addr[0], &in, sizeof(in));
	else if (family == AF_INET6 && inet_pton(AF_INET6, name, &in6.sin6_addr) == 1)
		found->addr[0] = in6;
	else
		return false;
	found->count = 1;
	strncpy(found->canonname, name, sizeof(found->canonname) - 1);
	found->canonname[sizeof(found->canonname) - 1] = 0;
	return true;
}

/**
 * gethostbyname2_r() - addresses of a name
 *
 * Return: 0, ERANGE when the buffer is too small, else another errno; *result is NULL unless found
 */
int gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t buflen,
		     struct hostent **result, int *herr)
{
	struct packer p = { buf, buflen };
	struct resolved found;
	int r = 0;

	*result = NULL;
	if (family != AF_INET && family != AF_INET6) {
		*herr = NETDB_INTERNAL;
		return EAFNOSUPPORT;
	}
	if (!parse_number(name, family, &found))
		r = resolve_name(name, family, AI_CANONNAME, &found);
	if (r) {
		*herr = herrno_of(r);
		return *herr == TRY_AGAIN ? EAGAIN : *herr == HOST_NOT_FOUND ? 0 : ENOENT;
	}
	r = fill(ret, found.canonname, family, &found, &p);
	if (r) {
		*herr = NETDB_INTERNAL;
		return r;
	}
	*herr = NETDB_SUCCESS;
	*result = ret;
	return 0;
}

/**
 * gethostbyname_r() - addresses of a name, AF_INET
 */
int gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t buflen,
		    struct hostent **result, int *herr)
{
	return gethostbyname2_r(name, AF_INET, ret, buf, buflen, result, herr);
}

static struct {
	struct hostent ent;
	char buf[8192];
} fixed;

/**
 * gethostbyname2() - addresses of a name, in a static buffer
 */
struct hostent *gethostbyname2(const char *name, int family)
{
	struct hostent *result;
	int herr, r = gethostbyname2_r(name, family, &fixed.ent, fixed.buf, sizeof(fixed.buf),
				       &result, &herr);

	if (r && herr == NETDB_INTERNAL)
		errno = r;
	h_errno = herr;
	return result;
}

/**
 * gethostbyname() - addresses of a name, AF_INET, in a static buffer
 */
struct hostent *gethostbyname(const char *name)
{
	return gethostbyname2(name, AF_INET);
}

static bool make_sockaddr(const void *addr, socklen_t len, int family, struct resolved *found)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET && len == sizeof(in.sin_addr)) {
		memcpy(&in.sin_addr, addr, len);
		memcpy(&found->addr[0], &in, sizeof(in));
	} else if (family == AF_INET6 && len == sizeof(in6.sin6_addr)) {
		memcpy(&in6.sin6_addr, addr, len);
		found->addr[0] = in6;
	} else {
		return false;
	}
	found->count = 1;
	return true;
}

/**
 * gethostbyaddr_r() - the name of an address
 */
int gethostbyaddr_r(const void *addr, socklen_t len, int family, struct hostent *ret, char *buf,
		    size_t buflen, struct hostent **result, int *herr)
{
	struct packer p = { buf, buflen };
	struct resolved found;
	int r;

	*result = NULL;
	if (!make_sockaddr(addr, len, family, &found)) {
		*herr = NETDB_INTERNAL;
		return EAFNOSUPPORT;
	}
	r = resolve_addr((const struct sockaddr *)&found.addr[0],
			 family == AF_INET ? sizeof(struct sockaddr_in)
					   : sizeof(struct sockaddr_in6),
			 found.canonname, sizeof(found.canonname));
	if (r) {
		*herr = herrno_of(r);
		return *herr == TRY_AGAIN ? EAGAIN : *herr == HOST_NOT_FOUND ? 0 : ENOENT;
	}
	r = fill(ret, found.canonname, family, &found, &p);
	*herr = r ? NETDB_INTERNAL : NETDB_SUCCESS;
	if (!r)
		*result = ret;
	return r;
}

/**
 * gethostbyaddr() - the name of an address, in a static buffer
 */
struct hostent *gethostbyaddr(const void *addr, socklen_t len, int family)
{
	struct hostent *result;
	int herr, r = gethostbyaddr_r(addr, len, family, &fixed.ent, fixed.buf, sizeof(fixed.buf),
				      &result, &herr);

	if (r && herr == NETDB_INTERNAL)
		errno = r;
	h_errno = herr;
	return result;
}
