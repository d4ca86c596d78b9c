/* SPDX-License-Identifier: MIT */
/*
 * sites_stdio ADDRESS PORT udp|tcp: libc's FILE on a socket, against an echo server. No symbol
 * shows what stdio does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char line[128];
	FILE *f;
	int fd;

	if (argc != 4)
		return 2;
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	fd = socket(AF_INET, strcmp(argv[3], "udp") ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect");
	errno = 0;
	printf("isatty %d", isatty(fd));
	printf(" %s\n", strerror(errno));
	f = fdopen(fd, "r+");
	if (!f)
		fail("fdopen");
	for (int i = 0; i < 3; i++) {
		if (fprintf(f, "line %d\n", i) < 0 || fflush(f))
			fail("fprintf");
		if (!fgets(line, sizeof(line), f))
			fail("fgets");
		fputs(line, stdout);
		fseek(f, 0,
		      SEEK_CUR); /* from reading back to writing; a socket cannot seek, and need not */
		clearerr(f);
	}
	if (dprintf(fd, "last\n") != 5)
		fail("dprintf");
	if (!fgets(line, sizeof(line), f))
		fail("fgets");
	fputs(line, stdout);
	printf("fclose %d\n", fclose(f));
	errno = 0;
	printf("close %d", close(fd));
	printf(" %s\n", strerror(errno));
	return 0;
}
