/* SPDX-License-Identifier: MIT */
/*
 * libc's originals of the calls that we intercept.
 *
 * They are looked up once, by the constructor or by the first call that arrives before it
 * (constructors of other libraries run earlier than ours). While the look-up itself runs, an
 * allocator that the program brought along may read and close files on this very thread; so the
 * calls it could need stand in the table as bare system calls from the start and are replaced one
 * by one. Nothing is allocated before the constructor: an allocator that starts (jemalloc reads
 * its settings) holds its own lock.
 */
#include "shim/program/real.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>

static long early_syscall(long nr, ...);

static ssize_t early_read(int fd, void *buf, size_t len)
{
	return early_syscall(SYS_read, (long)fd, (long)buf, (long)len, 0L, 0L, 0L);
}

static ssize_t early_write(int fd, const void *buf, size_t len)
{
	return early_syscall(SYS_write, (long)fd, (long)buf, (long)len, 0L, 0L, 0L);
}

static ssize_t early_readv(int fd, const struct iovec *iov, int count)
{
	return early_syscall(SYS_readv, (long)fd, (long)iov, (long)count, 0L, 0L, 0L);
}

static ssize_t early_writev(int fd, const struct iovec *iov, int count)
{
	return early_syscall(SYS_writev, (long)fd, (long)iov, (long)count, 0L, 0L, 0L);
}

static int early_close(int fd)
{
	return (int)early_syscall(SYS_close, (long)fd, 0L, 0L, 0L, 0L, 0L);
}

static int early_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return (int)early_syscall(SYS_fcntl, (long)fd, (long)cmd, arg, 0L, 0L, 0L);
}

static int early_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return (int)early_syscall(SYS_ioctl, (long)fd, (long)cmd, arg, 0L, 0L, 0L);
}

static long early_syscall(long nr, ...)
{
	long a[6], r;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	r = raw_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

bool libc_ready;
struct libc_calls libc_table = {
	.read = early_read,
	.__read = early_read,
	.write = early_write,
	.__write = early_write,
	.readv = early_readv,
	.writev = early_writev,
	.close = early_close,
	.__close = early_close,
	.fcntl = early_fcntl,
	.fcntl64 = early_fcntl,
	.__fcntl = early_fcntl,
	.ioctl = early_ioctl,
	.syscall = early_syscall,
};

/* Older libcs may lack these, and a look-up that fails allocates its error text. */
static bool may_be_missing(const char *name)
{
	return strstr(name, "res_") || strstr(name, "Fork") || strstr(name, "pwait2") || strstr(name, "close_range") ||
	       strstr(name, "closefrom");
}

/**
 * real_resolve() - look up libc's originals
 * @all: false before the constructor, when nothing may be allocated (the caller may be the
 *       allocator itself)
 *
 * A name that this libc does not have keeps its bare system call, or NULL: nobody can have called
 * it then.
 */
void real_resolve(bool all)
{
	void *p;

#define SYM(ret, name, params, args)                                        \
	p = all || !may_be_missing(#name) ? dlsym(RTLD_NEXT, #name) : NULL; \
	if (p)                                                              \
		memcpy(&libc_table.name, &p, sizeof(p));
#include "shim/program/syms.def"
#undef SYM
}

/**
 * sys_call() - one system call, not a cancellation point
 *
 * Return: the kernel's value: a result or a negative errno; errno is not touched
 */
long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	return raw_syscall(nr, a, b, c, d, e, f);
}
