/* SPDX-License-Identifier: MIT */
/*
 * The second engine: libc's own system-call sites.
 *
 * libc calls the kernel behind every symbol that can be preloaded: the resolver's sockets, stdio,
 * isatty; and dlsym() on a handle, or RTLD_DEEPBIND, hand out its functions past us. So at load the
 * sites of the calls that matter are made to jump into this library (libc_stub.c), where the same
 * wrappers answer that stand behind the symbols. The symbols stay the first line: they cost less.
 *
 * No disassembler is needed. Two shapes make up nearly all of libc's sites, and are safe to change:
 *
 *   b8 NR NR 00 00  0f 05                  mov $NR,%eax; syscall
 *	The jump takes exactly the place of the mov; a branch to the system call itself, wherever
 *	it may come from, still finds it. 41 b8 loads r8d: not one of these.
 *   0f 05  48 3d 00|01 f0 ff ff            syscall; cmp $-4096|-4095,%rax
 *	Taken only where what precedes loads a number of ours, since a call that returns on another
 *	stack must not come this way, and where no branch nearby leads to the comparison.
 *
 * From then on the wrappers' way to the kernel (libc_table) must not lead through libc, or it would
 * come back here: it becomes the bare system call, made a cancellation point the way libc makes
 * one. A site in a process with threads runs with asynchronous cancellation, or must not be
 * cancelled at all; sites_call() has either kept away from the wrappers.
 *
 * Text is writable only during the change, with all signals blocked and before the program has
 * threads. Where the system forbids that (SELinux, PR_SET_MDWE) the symbols alone work, and the log
 * says so.
 */
#include "shim/program/real.h"
#include "shim/program/libc_sites.h"
#include "shim/program/config.h"
#include "shim/program/control.h"
#include "shim/program/exec.h"

#include <stdlib.h>
#include <string.h>

#if SITES_POSSIBLE

#include "shim/program/native.h"

#include <cpuid.h>
#include <emmintrin.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>

enum {
	MOV_EAX = 0xb8,
	MOV_R8D_PREFIX = 0x41,
	JMP_REL32 = 0xe9,
	NOP = 0x90,
	NEAR = 1024, /* where branches to a comparison are looked for */
	PAGE = 4096,
	STEP = 64,   /* bytes looked at together */
	MARGIN = 32, /* at either end of the text nothing is looked for */
};

/* Numbers as libc_stub.c reads them; poll and its kin are the kernel's on the anchors. */
const uint8_t site_class[SITE_NUMBERS] = {
	[SYS_socket] = SITE_FAMILY,
	[SYS_bind] = SITE_FD,
	[SYS_listen] = SITE_FD,
	[SYS_accept] = SITE_FD,
	[SYS_accept4] = SITE_FD,
	[SYS_connect] = SITE_FD,
	[SYS_getsockname] = SITE_FD,
	[SYS_getpeername] = SITE_FD,
	[SYS_shutdown] = SITE_FD,
	[SYS_getsockopt] = SITE_FD,
	[SYS_setsockopt] = SITE_FD,
	[SYS_ioctl] = SITE_FD,
	[SYS_read] = SITE_FD,
	[SYS_readv] = SITE_FD,
	[SYS_preadv2] = SITE_FD,
	[SYS_recvfrom] = SITE_FD,
	[SYS_write] = SITE_FD,
	[SYS_writev] = SITE_FD,
	[SYS_pwritev2] = SITE_FD,
	[SYS_sendto] = SITE_FD,
	[SYS_sendmsg] = SITE_FD,
	[SYS_sendmmsg] = SITE_FD,
	[SYS_dup] = SITE_FD,
	[SYS_close] = SITE_CLOSE,
	[SYS_epoll_ctl] = SITE_FD3,
	[SYS_sendfile] = SITE_FD,
	[SYS_splice] = SITE_TWO,
	[SYS_fcntl] = SITE_DUPFD,
	[SYS_mmap] = SITE_FD5,
	/* May bring descriptors of ours on a socket that is not. */
	[SYS_recvmsg] = SITE_ALWAYS,
	[SYS_recvmmsg] = SITE_ALWAYS,
	/* Either descriptor may be ours. */
	[SYS_dup2] = SITE_ALWAYS,
	[SYS_dup3] = SITE_ALWAYS,
	/* The environment has to name us. */
	[SYS_execve] = SITE_ALWAYS,
	[SYS_execveat] = SITE_ALWAYS,
};

struct site site_table[SITES_ALL];
uint64_t site_vector_size = 512;
uint32_t site_vector_mask; /* 0: fxsave */

extern const uint8_t site_entries_a[], site_entries_b[], site_entries_c[];

/* One way into the stubs: where its entries and their rows of the table begin. */
struct kind {
	const uint8_t *entries;
	uint32_t first, count, used;
};

struct found {
	uint8_t *at; /* first byte to be replaced */
	const uint8_t *entry;
	uint8_t nops; /* behind the jump */
};

struct scan {
	uint8_t *text, *end;
	struct kind a, b, c;
	struct found list[SITES_ALL];
	uint32_t count;
	bool overflow;
	bool execve;
};

/**
 * sites_call() - a call from one of libc's sites, as the kernel would answer it
 * @nr: its number
 * @a:  its six arguments
 *
 * A site with threads about has asynchronous cancellation on when its call is a cancellation
 * point: inside it is deferred, and acted upon where a call blocks, or on the way out. Any other
 * site must not be cancelled.
 *
 * Return: result or -errno; errno is left alone
 */
long sites_call(long nr, const long *a)
{
	/* An exec is no cancellation point, and in a vfork child we would leave its parent a changed state. */
	const bool threads = !__libc_single_threaded && nr != SYS_execve && nr != SYS_execveat;
	int saved = errno, type = 0, state = 0;
	long r;

	if (threads) {
		pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
		if (type == PTHREAD_CANCEL_DEFERRED)
			pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	}
	if (!call_by_number(nr, a, &r))
		r = sys_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	else if (r == -1)
		r = -errno;
	errno = saved;
	if (threads) {
		if (type == PTHREAD_CANCEL_DEFERRED)
			pthread_setcancelstate(state, NULL);
		else
			pthread_setcanceltype(type, NULL);
	}
	return r;
}

static void note(struct scan *s, struct kind *k, uint8_t *at, uint8_t *behind, uint32_t nr)
{
	struct found *f = &s->list[s->count];
	uint32_t i = k->used;

	if (i == k->count) {
		s->overflow = true;
		return;
	}
	k->used++;
	s->count++;
	f->at = at;
	f->entry = k->entries + (size_t)i * SITE_ENTRY_SIZE;
	f->nops = nr == SITE_NUMBERS ? 3 : 0;
	site_table[k->first + i] = (struct site){.behind = (uintptr_t)behind, .nr = nr};
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool is_wanted(uint32_t nr)
{
	return nr < SITE_NUMBERS && site_class[nr];
}

/* Is eax loaded with a number of ours right before @at? */
static bool loads_wanted(const uint8_t *at)
{
	if (at[-2] == 0x31 && at[-1] == 0xc0) /* xor %eax,%eax: read */
		return true;
	for (int back = 6; back <= 20; back++)
		if (at[-back] == MOV_EAX && at[-back - 1] != MOV_R8D_PREFIX &&
		    is_wanted(load32(at - back + 1)))
			return true;
	return false;
}

/* Could the bytes at @p be a branch whose 32 bits of distance, or whose 8, lead to @target? */
static bool is_long_branch(const uint8_t *p, const uint8_t *target)
{
	return p + 5 + (int32_t)load32(p + 1) == target &&
	       (p[0] == 0xe8 || p[0] == 0xe9 || (p[0] & 0xf0) == 0x80);
}

static bool is_short_branch(const uint8_t *p, const uint8_t *target)
{
	return p + 2 + (int8_t)p[1] == target &&
	       (p[0] == 0xeb || (p[0] & 0xf0) == 0x70 || (p[0] >= 0xe0 && p[0] <= 0xe3));
}

static bool is_branched_to(const struct scan *s, const uint8_t *target)
{
	const uint8_t *from = target - s->text > NEAR ? target - NEAR : s->text;
	const uint8_t *to = s->end - target > NEAR + 8 ? target + NEAR : s->end - 8;

	for (const uint8_t *p = from; p < to; p++)
		if (unlikely(is_long_branch(p, target)))
			return true;
	for (const uint8_t *p = target - 130; p < target + 130; p++)
		if (unlikely(p >= from && p < to && is_short_branch(p, target)))
			return true;
	return false;
}

/* A system call at @p, with room on both sides. */
static void look_at(struct scan *s, uint8_t *p)
{
	if (p[-5] == MOV_EAX && p[-6] != MOV_R8D_PREFIX) {
		uint32_t nr = load32(p - 4);

		if (is_wanted(nr)) {
			s->execve |= nr == SYS_execve;
			note(s, &s->a, p - 5, p + 2, nr);
			return;
		}
		if (nr < SITE_NUMBERS)
			return;
	}
	if (p[2] != 0x48 || p[3] != 0x3d || p[4] > 1 || p[5] != 0xf0 || p[6] != 0xff ||
	    p[7] != 0xff)
		return;
	if (loads_wanted(p) && !is_branched_to(s, p + 2))
		note(s, p[4] ? &s->c : &s->b, p, p + 8, SITE_NUMBERS);
}

/* Which of 16 bytes begin a system call? */
static __m128i calls_in(const uint8_t *p)
{
	const __m128i first = _mm_set1_epi8(0x0f), second = _mm_set1_epi8(0x05);
	__m128i here = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i next = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));

	return _mm_and_si128(_mm_cmpeq_epi8(here, first), _mm_cmpeq_epi8(next, second));
}

static void scan_text(struct scan *s)
{
	uint8_t *p = s->text + MARGIN, *end = s->end - MARGIN - STEP;

	for (; p < end; p += STEP) {
		__m128i x[4], any;

		for (int i = 0; i < 4; i++)
			x[i] = calls_in(p + (ptrdiff_t)16 * i);
		any = _mm_or_si128(_mm_or_si128(x[0], x[1]), _mm_or_si128(x[2], x[3]));
		if (likely(!_mm_movemask_epi8(any)))
			continue;
		for (int i = 0; i < 4; i++) {
			unsigned int hits = (unsigned int)_mm_movemask_epi8(x[i]);

			for (; hits; hits &= hits - 1)
				look_at(s, p + (ptrdiff_t)16 * i + __builtin_ctz(hits));
		}
	}
}

/* Finds libc's text: the executable segment of the object that holds its version function. */
static int find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t inside = (uintptr_t)gnu_get_libc_version;
	struct scan *s = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || inside < start ||
		    inside >= start + ph->p_memsz)
			continue;
		s->text = (uint8_t *)start;
		s->end = s->text + ph->p_memsz;
		return 1;
	}
	return 0;
}

static bool in_reach(const struct scan *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		intptr_t distance = s->list[i].entry - (s->list[i].at + 5);

		if (distance != (int32_t)distance)
			return false;
	}
	return true;
}

/*
 * Byte by byte: what copies memory is libc's, and lies where we write. No call but ours is made in
 * between.
 */
static void write_jump(const struct found *f)
{
	uint32_t distance = (uint32_t)(f->entry - (f->at + 5));
	volatile uint8_t *p = f->at;

	p[0] = JMP_REL32;
	for (int i = 0; i < 4; i++)
		p[1 + i] = (uint8_t)(distance >> (8 * i));
	for (int i = 0; i < f->nops; i++)
		p[5 + i] = NOP;
}

/* Found in the order of addresses. 0 or -errno, and then nothing has changed. */
static int write_jumps(const struct scan *s)
{
	uintptr_t start = (uintptr_t)s->list[0].at & ~(uintptr_t)(PAGE - 1);
	size_t size = (uintptr_t)s->list[s->count - 1].at + 8 - start;
	struct quiet q;
	long r;

	quiet_begin(&q);
	r = SYS(mprotect, start, size, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (r == 0) {
		for (uint32_t i = 0; i < s->count; i++)
			write_jump(&s->list[i]);
		SYS(mprotect, start, size, PROT_READ | PROT_EXEC);
	}
	quiet_end(&q);
	return (int)r;
}

/*
 * Which vector registers there are to save: x87, SSE, AVX, AVX-512. No processor's layout of these
 * reaches beyond 2688 bytes.
 */
static void learn_vectors(void)
{
	unsigned int a, b, c, d, low, high;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		return;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	site_vector_mask = low & 0xe7;
	site_vector_size = (low & 0xe0) ? 2688 : 832;
}

/* Why the sites stay as they are, NULL when they have been changed. */
static const char *change_sites(struct scan *s)
{
	const char *wish = getenv("WIRESHIM_SITES");
	int r;

	if (wish && !strcmp(wish, "off"))
		return "WIRESHIM_SITES=off";
	if (!__libc_single_threaded)
		return "the program has threads already";
	if (!dl_iterate_phdr(find_text, s))
		return "libc's text is not where it should be";
	scan_text(s);
	if (!s->count)
		return "none is of a known shape";
	if (s->overflow)
		return "more than there is room for";
	if (!in_reach(s))
		return "libc is too far away";
	learn_vectors();
	r = write_jumps(s);
	return r < 0 ? strerror(-r) : NULL;
}

/**
 * sites_install() - make libc's system-call sites lead to the wrappers
 *
 * For the constructor, when libc_table is complete.
 */
void sites_install(void)
{
	struct scan s = {
		.a = {site_entries_a, 0, SITES_A, 0},
		.b = {site_entries_b, SITES_A, SITES_B, 0},
		.c = {site_entries_c, SITES_A + SITES_B, SITES_C, 0},
	};
	const char *reason = change_sites(&s);

	if (reason) {
		shim_log(LOG_INFORM, "system calls inside libc: %s; symbols only", reason);
		return;
	}
	native_install();
	exec_at_sites = s.execve;
	shim_log(LOG_INFORM, "system calls inside libc: %u sites lead here", s.count);
}

#else

void sites_install(void)
{
	shim_log(LOG_INFORM, "system calls inside libc: written for glibc on x86-64; symbols only");
}

#endif
