/* SPDX-License-Identifier: MIT */
/*
 * A library for LD_PRELOAD, in front of libwireshim.so, that ends the program with status 99 when
 * a socket call reaches the kernel from anywhere but libwireshim.so.
 *
 * A seccomp filter looks at the address a call comes from. What it traps, a SIGSYS handler judges:
 * calls that only sockets have must not come from elsewhere; reads and writes may, where the
 * descriptor does not belong to a host of wireshim, and are made then. For programs that start no
 * others: the filter would be inherited, its handler not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <ucontext.h>

enum { MISSED = 99 };

static const int only_sockets[] = {
	SYS_bind,	 SYS_connect,  SYS_listen,     SYS_accept,     SYS_accept4, SYS_getsockname,
	SYS_getpeername, SYS_sendto,   SYS_recvfrom,   SYS_sendmsg,    SYS_recvmsg, SYS_sendmmsg,
	SYS_recvmmsg,	 SYS_shutdown, SYS_getsockopt, SYS_setsockopt,
};

static const int any_file[] = {SYS_read, SYS_write, SYS_readv, SYS_writev};

struct range {
	const char *name; /* part of the file's name, or NULL: whatever holds `inside` */
	uintptr_t inside, start, end;
};

static long call(long nr, long a, long b, long c, long d, long e, long f)
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

static int find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range *r = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t end = start + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X))
			continue;
		if (r->name ? !strstr(info->dlpi_name, r->name)
			    : r->inside < start || r->inside >= end)
			continue;
		r->start = start;
		r->end = end;
		return 1;
	}
	return 0;
}

static int is_anchor(long fd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	return call(SYS_getpeername, fd, (long)&un, (long)&len, 0, 0, 0) == 0 &&
	       un.sun_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path) + 10 &&
	       !memcmp(un.sun_path + 1, "wireshim/", 9);
}

static int may_be_made(long nr, long fd)
{
	for (size_t i = 0; i < sizeof(any_file) / sizeof(any_file[0]); i++)
		if (nr == any_file[i])
			return !is_anchor(fd);
	return 0;
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	char line[256];
	Dl_info where = {0};
	int n;

	(void)sig;
	if (may_be_made(info->si_syscall, g[REG_RDI])) {
		g[REG_RAX] = call(info->si_syscall, g[REG_RDI], g[REG_RSI], g[REG_RDX], g[REG_R10],
				  g[REG_R8], g[REG_R9]);
		return;
	}
	dladdr(info->si_call_addr, &where);
	n = snprintf(line, sizeof(line), "audit: system call %d (%lld ...) from %s+%#lx %s\n",
		     info->si_syscall, (long long)g[REG_RDI],
		     where.dli_fname ? where.dli_fname : "nowhere",
		     (long)((uintptr_t)info->si_call_addr - (uintptr_t)where.dli_fbase),
		     where.dli_sname ? where.dli_sname : "");
	call(SYS_write, 2, (long)line, n, 0, 0, 0);
	call(SYS_exit_group, MISSED, 0, 0, 0, 0, 0);
}

struct program {
	struct sock_filter insn[128];
	unsigned short count;
};

static void add(struct program *p, unsigned int code, uint32_t k, int jt, int jf)
{
	p->insn[p->count++] =
		(struct sock_filter){(unsigned short)code, (unsigned char)jt, (unsigned char)jf, k};
}

static void load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Allows the calls from one range of addresses. */
static void allow_from(struct program *p, const struct range *r)
{
	load(p, offsetof(struct seccomp_data, instruction_pointer) + 4);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(r->start >> 32), 0, 4);
	load(p, offsetof(struct seccomp_data, instruction_pointer));
	add(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r->start, 0, 2);
	add(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r->end, 1, 0);
	add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* Anything not in the lists is allowed; of socket() the two internet families are not. */
static void build(struct program *p, const struct range *shim, const struct range *self)
{
	const size_t sockets = sizeof(only_sockets) / sizeof(only_sockets[0]);
	const size_t files = sizeof(any_file) / sizeof(any_file[0]);
	int left = (int)(sockets + files);

	load(p, offsetof(struct seccomp_data, nr));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, left + 1, 0);
	for (size_t i = 0; i < sockets; i++, left--)
		add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)only_sockets[i], left + 3, 0);
	for (size_t i = 0; i < files; i++, left--)
		add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)any_file[i], left + 3, 0);
	add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	load(p, offsetof(struct seccomp_data, args[0]));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	allow_from(p, shim);
	allow_from(p, self);
	add(p, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
}

__attribute__((constructor)) static void install(void)
{
	struct range shim = {.name = "libwireshim.so"}, self = {.inside = (uintptr_t)call};
	struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct program p = {.count = 0};
	struct sock_fprog prog;

	dl_iterate_phdr(find_text, &shim);
	dl_iterate_phdr(find_text, &self);
	if (!shim.end || !self.end || sigaction(SIGSYS, &sa, NULL) < 0)
		call(SYS_exit_group, MISSED, 0, 0, 0, 0, 0);
	build(&p, &shim, &self);
	prog = (struct sock_fprog){p.count, p.insn};
	/* Not through libc, so that the shim does not take the program for one in a sandbox. */
	if (call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) ||
	    call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&prog, 0, 0, 0))
		call(SYS_exit_group, MISSED, 0, 0, 0, 0, 0);
}
