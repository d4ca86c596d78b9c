/* SPDX-License-Identifier: MIT */
/*
 * getaddrinfo() and getnameinfo().
 *
 * libc asks name servers through sockets of its own that no symbol shows, over the kernel's
 * network. Names therefore go to the host, which asks its name server over the stack; each
 * question has a connection of its own, because it may take seconds. What needs no network stays
 * with libc: numeric addresses, the wildcard, names of services. Where the family is left open
 * only AF_INET is asked for, since the stack has no IPv6 yet.
 *
 * What is returned is freed by libc's freeaddrinfo(): one block a node, its address behind it, as
 * libc lays it out.
 */
#include "shim/program/real.h"
#include "shim/program/control.h"
#include "shim/program/resolver.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t addr_size(const struct sockaddr_in6 *addr)
{
	return addr->sin6_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					     : sizeof(struct sockaddr_in);
}

/* RFC 6761 6.3: localhost and what is below it is the loopback address, whoever asks. */
static bool is_localhost(const char *node)
{
	size_t len = strlen(node);

	if (len && node[len - 1] == '.')
		len--;
	if (len < 9 || strncasecmp(node + len - 9, "localhost", 9))
		return false;
	return len == 9 || node[len - 10] == '.';
}

static int give_localhost(int family, struct resolved *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (family == AF_INET6)
		out->addr[0] = in6;
	else
		memcpy(&out->addr[0], &in, sizeof(in));
	out->count = 1;
	memcpy(out->canonname, "localhost", sizeof("localhost"));
	return 0;
}

/* How a failure of the way to the host looks to a resolver's user. */
static int transport_failure(int err)
{
	if (err == -ENOMEM)
		return EAI_MEMORY;
	return EAI_AGAIN;
}

/**
 * resolve_name() - addresses of a host name
 * @node:   the name, not numeric
 * @family: AF_INET, AF_INET6; AF_UNSPEC means AF_INET
 * @flags:  AI_*
 * @out:    the answer
 *
 * Return: 0 or EAI_*
 */
int resolve_name(const char *node, int family, int flags, struct resolved *out)
{
	struct ctl_resolve q = { .flags = flags, .family = family == AF_UNSPEC ? AF_INET : family };
	struct {
		struct ctl_resolved head;
		struct sockaddr_in6 addr[RESOLVED_MAX];
	} a;
	struct ctl_call c = {
		.op = CTL_RESOLVE,
		.via = -1,
		.slow = true,
		.data = &q,
		.len = sizeof(q),
		.reply = &a,
		.room = sizeof(a),
	};
	size_t len = strlen(node), have;
	int r;

	if (!len || len >= sizeof(q.node))
		return EAI_NONAME;
	if (is_localhost(node))
		return give_localhost(q.family, out);
	memcpy(q.node, node, len + 1);
	r = ctl_call(&c);
	if (r < 0)
		return transport_failure(r);
	if (c.got < sizeof(a.head))
		return EAI_FAIL;
	if (a.head.gai_error)
		return a.head.gai_error;
	have = (c.got - sizeof(a.head)) / sizeof(a.addr[0]);
	out->count = (int)(a.head.count < have ? a.head.count : have);
	memcpy(out->addr, a.addr, (size_t)out->count * sizeof(a.addr[0]));
	a.head.canonname[sizeof(a.head.canonname) - 1] = 0;
	snprintf(out->canonname, sizeof(out->canonname), "%s",
		 a.head.canonname[0] ? a.head.canonname : node);
	return out->count ? 0 : EAI_NONAME;
}

/**
 * resolve_addr() - the name of an address
 *
 * Return: 0 or EAI_*
 */
int resolve_addr(const struct sockaddr *sa, socklen_t len, char *name, size_t room)
{
	char answer[512];
	struct ctl_call c = {
		.op = CTL_RESOLVE_ADDR,
		.via = -1,
		.slow = true,
		.data = sa,
		.len = len,
		.reply = answer,
		.room = sizeof(answer) - 1,
	};
	int r = ctl_call(&c);

	if (r == -ENETDOWN)
		return EAI_AGAIN;
	if (r < 0 || !c.got)
		return EAI_NONAME;
	answer[c.got] = 0;
	if (!answer[0])
		return EAI_NONAME;
	if (strlen(answer) >= room)
		return EAI_OVERFLOW;
	memcpy(name, answer, strlen(answer) + 1);
	return 0;
}

/* One node as libc lays it out; @like gives type, protocol and port. */
static struct addrinfo *make_node(const struct sockaddr_in6 *addr, const struct addrinfo *like,
				  int flags)
{
	size_t size = addr_size(addr);
	struct addrinfo *ai = calloc(1, sizeof(*ai) + size);
	struct sockaddr_in port;

	if (!ai)
		return NULL;
	memcpy(&port, like->ai_addr, sizeof(port));
	ai->ai_flags = flags;
	ai->ai_family = addr->sin6_family;
	ai->ai_socktype = like->ai_socktype;
	ai->ai_protocol = like->ai_protocol;
	ai->ai_addrlen = (socklen_t)size;
	ai->ai_addr = (struct sockaddr *)(ai + 1);
	memcpy(ai->ai_addr, addr, size);
	/* The port is at the same place in both families. */
	memcpy((char *)ai->ai_addr + offsetof(struct sockaddr_in, sin_port), &port.sin_port,
	       sizeof(port.sin_port));
	return ai;
}

/* Every address with every (type, protocol, port) of @services, in the host's order. */
static int make_list(const struct resolved *found, const struct addrinfo *services, int flags,
		     struct addrinfo **res)
{
	struct addrinfo *first = NULL, **end = &first;

	for (int i = 0; i < found->count; i++) {
		for (const struct addrinfo *s = services; s; s = s->ai_next) {
			*end = make_node(&found->addr[i], s, flags);
			if (!*end)
				goto no_memory;
			end = &(*end)->ai_next;
		}
	}
	if (first && (flags & AI_CANONNAME)) {
		first->ai_canonname = strdup(found->canonname);
		if (!first->ai_canonname)
			goto no_memory;
	}
	*res = first;
	return first ? 0 : EAI_NONAME;
no_memory:
	if (first)
		freeaddrinfo(first);
	return EAI_MEMORY;
}

static int lookup(const char *node, const char *service, const struct addrinfo *hints,
		  struct addrinfo **res)
{
	struct addrinfo *services, ask = {
		.ai_family = AF_INET,
		.ai_socktype = hints->ai_socktype,
		.ai_protocol = hints->ai_protocol,
		.ai_flags = AI_PASSIVE | (hints->ai_flags & AI_NUMERICSERV),
	};
	struct resolved found;
	int r;

	r = libc()->getaddrinfo(NULL, service ? service : "0", &ask, &services);
	if (r)
		return r;
	r = resolve_name(node, hints->ai_family, hints->ai_flags, &found);
	if (!r)
		r = make_list(&found, services, hints->ai_flags, res);
	freeaddrinfo(services);
	return r;
}

/* Numeric addresses and no node at all. EAI_NONAME also for a node that is a name. */
static int without_network(const char *node, const char *service, const struct addrinfo *hints,
			   struct addrinfo **res)
{
	struct addrinfo numeric = *hints;
	int r;

	numeric.ai_flags = (numeric.ai_flags & ~AI_ADDRCONFIG) | AI_NUMERICHOST;
	if (numeric.ai_family == AF_UNSPEC)
		numeric.ai_family = AF_INET;
	r = libc()->getaddrinfo(node, service, &numeric, res);
	for (struct addrinfo *i = r ? NULL : *res; i; i = i->ai_next)
		i->ai_flags &= ~AI_NUMERICHOST | hints->ai_flags; /* libc gives back what was asked */
	if (!r || hints->ai_family != AF_UNSPEC || !node || !strchr(node, ':'))
		return r;
	numeric.ai_family = AF_UNSPEC;
	return libc()->getaddrinfo(node, service, &numeric, res);
}

/**
 * getaddrinfo() - names by the host, the rest by libc
 */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	/* RFC 3493 6.1 and glibc: no hints means these flags. */
	static const struct addrinfo none = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
	int saved = errno, r;

	if (!hints)
		hints = &none;
	r = without_network(node, service, hints, res);
	if (r != EAI_NONAME || !node || (hints->ai_flags & AI_NUMERICHOST))
		return r;
	errno = saved;
	return lookup(node, service, hints, res);
}

/**
 * getnameinfo() - host names by the host, numbers and services by libc
 */
int getnameinfo(const struct sockaddr *sa, socklen_t salen, char *host, socklen_t hostlen,
		char *serv, socklen_t servlen, int flags)
{
	int r;

	if (!sa || salen < sizeof(sa->sa_family) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) || !host || !hostlen ||
	    (flags & NI_NUMERICHOST))
		return libc()->getnameinfo(sa, salen, host, hostlen, serv, servlen, flags);
	if (salen <
	    (sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)))
		return EAI_FAMILY;
	r = resolve_addr(sa, salen, host, hostlen);
	if (r == EAI_OVERFLOW || (r && (flags & NI_NAMEREQD)))
		return r;
	if (r)
		return libc()->getnameinfo(sa, salen, host, hostlen, serv, servlen,
					   flags | NI_NUMERICHOST);
	if (!serv || !servlen)
		return 0;
	return libc()->getnameinfo(sa, salen, NULL, 0, serv, servlen, flags);
}
