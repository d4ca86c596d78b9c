/* SPDX-License-Identifier: MIT */
/*
 * Where a patched system-call site of libc jumps to.
 *
 * One short entry a site, all in this library's own text: nothing executable is made at run time,
 * the unwinder finds its tables (a thread cancelled inside a site is unwound through here), and an
 * auditor knows the calls by their address. An entry skips the red zone, pushes the address behind
 * the site, loads the number and goes on to code that all entries of its kind share:
 *
 *   kind a   the site was `mov $NR,%eax; syscall`: the number comes from the table
 *   kind b   the site was `syscall; cmp $-4096,%rax`: the number is in eax, and the comparison is
 *            made here
 *   kind c   the same with -4095
 *
 * The kernel changes rax, rcx and r11 and nothing else; so do we. What the table of descriptors
 * (fdcache.h) calls foreign, and numbers that are not ours to look at, become the system call right
 * here. Everything else goes to sites_call() (libc_sites.c) with all vector registers saved: code
 * around an inlined system call may keep values in them.
 *
 * Stack from the entry's push on: address behind the site, 128 bytes of red zone, the site's own
 * frame. The way back is by a jump through rcx, which is free: a return would unbalance a shadow
 * stack.
 */
#include "shim/program/libc_sites.h"

#if SITES_POSSIBLE

#include "shim/program/fdcache.h"

_Static_assert(sizeof(struct site) == 16, "entries scale by 16");
_Static_assert(offsetof(struct site, behind) == 0, "as entries read it");
_Static_assert(offsetof(struct site, nr) == 8, "as entries read it");
_Static_assert(sizeof(struct fdent) == 16, "as site_state reads it");
_Static_assert(offsetof(struct fdent, word) == 0, "as site_state reads it");
_Static_assert(FD_CHUNK == 1024 && FD_CHUNKS == 1024, "as site_state reads it");
_Static_assert(FD_FOREIGN == 1 && FD_OURS == 2 && FD_STATE == 3, "as site_state reads it");
_Static_assert(SITES_A == 160 && SITES_B == 48 && SITES_C == 48, "as .rept below counts");
_Static_assert(SITE_NUMBERS == 512, "as the code below compares");

/* clang-format off */
__asm__(
"	.pushsection .text\n"

/* Back behind the site; flags and all registers but rcx as they are. */
"	.macro	site_leave\n"
"	movq	(%rsp), %rcx\n"
"	leaq	136(%rsp), %rsp\n"
"	.cfi_remember_state\n"
"	.cfi_def_cfa rsp, 0\n"
"	.cfi_register rip, rcx\n"
"	jmp	*%rcx\n"
"	.cfi_restore_state\n"
"	.endm\n"

/* The word's state of descriptor \fd into ecx; r11 is used up. Beyond the table: foreign. */
"	.macro	site_state fd native unknown\n"
"	cmpl	$0x100000, \\fd\n"
"	jae	\\native\n"
"	movl	\\fd, %ecx\n"
"	shrl	$10, %ecx\n"
"	leaq	fd_chunks(%rip), %r11\n"
"	movq	(%r11,%rcx,8), %rcx\n"
"	testq	%rcx, %rcx\n"
"	jz	\\unknown\n"
"	movl	\\fd, %r11d\n"
"	andl	$1023, %r11d\n"
"	shll	$4, %r11d\n"
"	movl	(%rcx,%r11), %ecx\n"
"	andl	$3, %ecx\n"
"	cmpl	$1, %ecx\n"
"	je	\\native\n"
"	testl	%ecx, %ecx\n"
"	jz	\\unknown\n"
"	.endm\n"

"	.macro	site_common kind compare:vararg\n"
"	.p2align 5\n"
"	.type	site_common_\\kind, @function\n"
"site_common_\\kind:\n"
"	.cfi_startproc\n"
"	.cfi_def_cfa rsp, 136\n"
"	.cfi_offset rip, -136\n"
"	cmpq	$512, %rax\n"
"	jae	1f\n"
"	leaq	site_class(%rip), %rcx\n"
"	movzbl	(%rcx,%rax), %ecx\n"
"	cmpl	$1, %ecx\n"		/* SITE_FD */
"	je	2f\n"
"	jb	1f\n"			/* SITE_NATIVE */
"	cmpl	$3, %ecx\n"
"	jb	3f\n"			/* SITE_CLOSE */
"	je	4f\n"			/* SITE_FD3 */
"	cmpl	$5, %ecx\n"
"	jb	5f\n"			/* SITE_TWO */
"	je	6f\n"			/* SITE_FAMILY */
"	cmpl	$6, %ecx\n"
"	je	7f\n"			/* SITE_DUPFD */
"	cmpl	$7, %ecx\n"
"	je	9f\n"			/* SITE_ALWAYS */
"	site_state %r8d 1f 1f\n"	/* SITE_FD5 */
"	jmp	9f\n"

"2:	site_state %edi 1f 9f\n"
"	jmp	9f\n"
"3:	site_state %edi 1f 1f\n"
"	jmp	9f\n"
"4:	site_state %edx 1f 9f\n"
"	jmp	9f\n"
"5:	site_state %edi 51f 9f\n"
"	jmp	9f\n"
"51:	site_state %edx 1f 9f\n"
"	jmp	9f\n"
"6:	cmpl	$2, %edi\n"		/* AF_INET */
"	je	9f\n"
"	cmpl	$10, %edi\n"		/* AF_INET6 */
"	je	9f\n"
"	cmpl	$17, %edi\n"		/* AF_PACKET */
"	je	9f\n"
"	jmp	1f\n"
"7:	cmpl	$0, %esi\n"		/* F_DUPFD */
"	je	2b\n"
"	cmpl	$1030, %esi\n"		/* F_DUPFD_CLOEXEC */
"	je	2b\n"

"1:	syscall\n"
"8:	\\compare\n"
"	site_leave\n"

"9:	pushq	%rbp\n"
"	.cfi_def_cfa_offset 144\n"
"	.cfi_offset rbp, -144\n"
"	movq	%rsp, %rbp\n"
"	.cfi_def_cfa_register rbp\n"
"	pushq	%r9\n"
"	pushq	%r8\n"
"	pushq	%r10\n"
"	pushq	%rdx\n"
"	pushq	%rsi\n"
"	pushq	%rdi\n"
"	movq	%rsp, %rsi\n"		/* the arguments as an array */
"	movq	%rax, %rdi\n"
"	subq	$16, %rsp\n"		/* the result at -56(%rbp) */
"	subq	site_vector_size(%rip), %rsp\n"
"	andq	$-64, %rsp\n"
"	movl	site_vector_mask(%rip), %eax\n"
"	testl	%eax, %eax\n"
"	jz	10f\n"
"	xorl	%edx, %edx\n"
"	movq	%rdx, 512(%rsp)\n"	/* the header of the area */
"	movq	%rdx, 520(%rsp)\n"
"	movq	%rdx, 528(%rsp)\n"
"	movq	%rdx, 536(%rsp)\n"
"	movq	%rdx, 544(%rsp)\n"
"	movq	%rdx, 552(%rsp)\n"
"	movq	%rdx, 560(%rsp)\n"
"	movq	%rdx, 568(%rsp)\n"
"	xsave64	(%rsp)\n"
"	call	sites_call\n"
"	movq	%rax, -56(%rbp)\n"
"	movl	site_vector_mask(%rip), %eax\n"
"	xorl	%edx, %edx\n"
"	xrstor64 (%rsp)\n"
"	jmp	11f\n"
"10:	fxsave64 (%rsp)\n"
"	call	sites_call\n"
"	movq	%rax, -56(%rbp)\n"
"	fxrstor64 (%rsp)\n"
"11:	movq	-56(%rbp), %rax\n"
"	movq	-48(%rbp), %rdi\n"
"	movq	-40(%rbp), %rsi\n"
"	movq	-32(%rbp), %rdx\n"
"	movq	-24(%rbp), %r10\n"
"	movq	-16(%rbp), %r8\n"
"	movq	-8(%rbp), %r9\n"
"	movq	%rbp, %rsp\n"
"	popq	%rbp\n"
"	.cfi_def_cfa rsp, 136\n"
"	.cfi_restore rbp\n"
"	jmp	8b\n"
"	.cfi_endproc\n"
"	.size	site_common_\\kind, .-site_common_\\kind\n"
"	.endm\n"

"	site_common a nop\n"
"	site_common b cmpq $-4096, %rax\n"
"	site_common c cmpq $-4095, %rax\n"

/* All entries of a kind take the same space: SITE_ENTRY_SIZE. */
"	.macro	site_entries kind first count\n"
"	.p2align 5\n"
"	.globl	site_entries_\\kind\n"
"	.hidden	site_entries_\\kind\n"
"	.type	site_entries_\\kind, @function\n"
"site_entries_\\kind:\n"
"	.set	site_index, \\first\n"
"	.rept	\\count\n"
"	.p2align 5\n"
"	.cfi_startproc\n"
"	.cfi_def_cfa rsp, 0\n"
"	.cfi_undefined rip\n"
"	leaq	-128(%rsp), %rsp\n"
"	.cfi_def_cfa_offset 128\n"
"	pushq	site_table+16*site_index(%rip)\n"
"	.cfi_def_cfa rsp, 136\n"
"	.cfi_offset rip, -136\n"
"	.ifc	\\kind, a\n"
"	movl	site_table+16*site_index+8(%rip), %eax\n"
"	.endif\n"
"	jmp	site_common_\\kind\n"
"	.cfi_endproc\n"
"	.set	site_index, site_index+1\n"
"	.endr\n"
"	.size	site_entries_\\kind, .-site_entries_\\kind\n"
"	.endm\n"

"	site_entries a 0 160\n"
"	site_entries b 160 48\n"
"	site_entries c 208 48\n"
"	.popsection\n");
/* clang-format on */

#endif
