/* SPDX-License-Identifier: MIT */
/*
 * libc's originals of the intercepted calls, and the prototypes of ours. Include first in a file
 * that defines one.
 */
#ifndef SHIM_PROGRAM_REAL_H
#define SHIM_PROGRAM_REAL_H

/*
 * The inline variants of <bits/unistd.h> would stand in the way of our definitions of the same
 * names.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "netif/raw_syscall.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* What a short way jumps to: inlined, it would make the short way save registers that it does not use. */
#define OUT_OF_LINE __attribute__((noinline))

struct ifaddrs;
struct if_nameindex;
struct utsname;

#define SYM(ret, name, params, args) __attribute__((visibility("default"))) ret name params;
#include "shim/program/syms.def"
#undef SYM

struct libc_calls {
#define SYM(ret, name, params, args) ret(*name) params;
#include "shim/program/syms.def"
#undef SYM
};

extern struct libc_calls libc_table;
extern bool libc_ready;

void shim_init(void);
void real_resolve(bool all);

/* libc's own functions, also before the constructor has run. */
static inline const struct libc_calls *libc(void)
{
	if (unlikely(!libc_ready))
		shim_init();
	return &libc_table;
}

long sys_call(long nr, long a, long b, long c, long d, long e, long f);

/* The bare system call: negative errno, no cancellation point, errno left alone. */
#define SYS_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define SYS(...)					SYS_PICK(__VA_ARGS__, SYS6, SYS5, SYS4, SYS3, SYS2, SYS1, SYS0, )(__VA_ARGS__)
#define SYS0(nr)					sys_call(SYS_##nr, 0, 0, 0, 0, 0, 0)
#define SYS1(nr, a)					sys_call(SYS_##nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS2(nr, a, b)					sys_call(SYS_##nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS3(nr, a, b, c)				sys_call(SYS_##nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS4(nr, a, b, c, d)				sys_call(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS5(nr, a, b, c, d, e) \
	sys_call(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS6(nr, a, b, c, d, e, f) \
	sys_call(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/*
 * The program's edge: the one place where a negative errno becomes -1, and success keeps errno as
 * it was.
 */
static inline long edge(int saved_errno, long r)
{
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	errno = saved_errno;
	return r;
}

#endif
