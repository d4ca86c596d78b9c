/* SPDX-License-Identifier: MIT */
/*
 * sites_regs ADDRESS PORT: a system call keeps every register but rax, rcx and r11, the vector
 * registers whole, and the red zone. libc's write() is little more than its system call, so a call
 * through libc's handle shows it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct regs {
	uint8_t vector[16][32];
	uint64_t general[6]; /* rdi rsi rdx r8 r9 r10 */
};

#define EACH_VECTOR(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_YMM(i)  "vmovdqu " #i "*32(%[r]), %%ymm" #i "\n"
#define STORE_YMM(i) "vmovdqu %%ymm" #i ", " #i "*32(%[r])\n"
#define LOAD_XMM(i)  "movdqu " #i "*32(%[r]), %%xmm" #i "\n"
#define STORE_XMM(i) "movdqu %%xmm" #i ", " #i "*32(%[r])\n"
#define GENERAL(op_load, op_store)                                                      \
	"movq 512(%[r]), %%rdi\n movq 520(%[r]), %%rsi\n movq 528(%[r]), %%rdx\n"       \
	"movq 536(%[r]), %%r8\n movq 544(%[r]), %%r9\n movq 552(%[r]), %%r10\n" op_load \
	"call *%[f]\n" op_store                                                         \
	"movq %%rdi, 512(%[r])\n movq %%rsi, 520(%[r])\n movq %%rdx, 528(%[r])\n"       \
	"movq %%r8, 536(%[r])\n movq %%r9, 544(%[r])\n movq %%r10, 552(%[r])\n"

static long call(struct regs *r, void *f, int avx)
{
	/* Values that the call must not have touched, one of them at the top of the stack. */
	register struct regs *where __asm__("rbx") = r;
	register void *function __asm__("r12") = f;
	long ret;

	if (avx)
		__asm__ volatile(
			"subq $256, %%rsp\n" GENERAL(EACH_VECTOR(LOAD_YMM),
						     EACH_VECTOR(STORE_YMM)) "addq $256, %%rsp\n"
			: "=a"(ret)
			: [r] "r"(where), [f] "r"(function)
			: "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "xmm0",
			  "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			  "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	else
		__asm__ volatile(
			"subq $256, %%rsp\n" GENERAL(EACH_VECTOR(LOAD_XMM),
						     EACH_VECTOR(STORE_XMM)) "addq $256, %%rsp\n"
			: "=a"(ret)
			: [r] "r"(where), [f] "r"(function)
			: "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "xmm0",
			  "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			  "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return ret;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	void *write = dlsym(dlopen("libc.so.6", RTLD_NOW), "write");
	struct regs before, after;
	int fd;

	if (argc != 3)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(before); i++)
		((uint8_t *)&before)[i] = (uint8_t)(i * 7 + 1);
	before.general[0] = (uint64_t)fd;
	before.general[1] = (uint64_t)(uintptr_t) "bytes";
	before.general[2] = 5;
	after = before;
	printf("write %ld", call(&after, write, __builtin_cpu_supports("avx")));
	printf(" %s\n", memcmp(&before, &after, sizeof(before)) ? "changed registers"
								: "kept all registers");
	return 0;
}
