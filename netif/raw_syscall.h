/* SPDX-License-Identifier: MIT */
/*
 * The bare system call, in assembler: what the kernel gives, errno left alone, no cancellation point.
 *
 * libc's functions, syscall(2) among them, belong to the shim in a program. It is the one header that
 * the devices, the host and the shim's library share.
 */
#ifndef NETIF_RAW_SYSCALL_H
#define NETIF_RAW_SYSCALL_H

#if defined(__x86_64__)
static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* With no more registers than it takes. */
static inline long raw_syscall3(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline long raw_syscall3(long nr, long a, long b, long c)
{
	return raw_syscall(nr, a, b, c, 0, 0, 0);
}
#else
#error "raw_syscall() is written for x86-64 and aarch64"
#endif

#endif
