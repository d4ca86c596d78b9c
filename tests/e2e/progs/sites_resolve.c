/* SPDX-License-Identifier: MIT */
/*
 * sites_resolve NAME: libc's own resolver, which getaddrinfo_a() calls inside libc, in a thread
 * that libc makes.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct gaicb request = {.ar_name = argv[1], .ar_request = &hints};
	struct gaicb *list[1] = {&request};
	const struct sockaddr_in *in;
	char text[64];
	int r;

	if (argc != 2)
		return 2;
	r = getaddrinfo_a(GAI_WAIT, list, 1, NULL);
	if (r == 0)
		r = gai_error(&request);
	if (r) {
		puts(gai_strerror(r));
		return 1;
	}
	in = (const struct sockaddr_in *)(const void *)request.ar_result->ai_addr;
	puts(inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
	freeaddrinfo(request.ar_result);
	return 0;
}
