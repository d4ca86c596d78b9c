/* SPDX-License-Identifier: MIT */
/* sendfile(), splice(), tee() and stdio on connections; numeric getaddrinfo() and getnameinfo(). */
#include "diff.h"

#include <netdb.h>
#include <sys/sendfile.h>

static int text_file(void)
{
	int fd = fileno(tmpfile());

	write(fd, "0123456789abcdef", 16);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void from_files(void)
{
	int c, s, f = text_file(), u = udp_socket(), fresh = tcp_socket();
	char buf[32];
	off_t at_byte = 4;

	topic("sendfile");
	tcp_pair(5901, &c, &s);
	CALL("whole", sendfile(c, f, NULL, 100));
	await_bytes(s, 16);
	DATA("recv", recv(s, buf, sizeof(buf), 0), buf);
	CALL("at the end", sendfile(c, f, NULL, 100));
	CALL("with an offset", sendfile(c, f, &at_byte, 5));
	say("offset", "%ld", (long)at_byte);
	await_bytes(s, 5);
	DATA("recv of it", recv(s, buf, sizeof(buf), 0), buf);
	CALL("from a socket", sendfile(f, s, NULL, 5));
	CALL("to a fresh one", sendfile(fresh, f, &at_byte, 5));
	CALL("to 99", sendfile(99, f, NULL, 5));
	shutdown(c, SHUT_WR);
	at_byte = 0;
	CALL("after SHUT_WR", sendfile(c, f, &at_byte, 5));
	CALL("of nothing", sendfile(s, f, &at_byte, 0));
	close(c);
	close(s);
	close(u);
	close(fresh);
	close(f);
}

static void through_pipes(void)
{
	int c, s, p[2], q[2], fresh = tcp_socket();
	char buf[32];

	topic("splice");
	tcp_pair(5902, &c, &s);
	pipe(p);
	pipe(q);
	write(p[1], "into the socket", 15);
	CALL("pipe to socket", splice(p[0], NULL, c, NULL, 100, 0));
	await_bytes(s, 15);
	CALL("socket to pipe", splice(s, NULL, q[1], NULL, 100, 0));
	DATA("read from the pipe", read(q[0], buf, sizeof(buf)), buf);
	nonblocking(s, true);
	CALL("socket to pipe, nothing there", splice(s, NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
	CALL("socket to socket", splice(s, NULL, c, NULL, 100, SPLICE_F_NONBLOCK));
	CALL("fresh to pipe", splice(fresh, NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
	write(p[1], "x", 1);
	CALL("pipe to fresh", splice(p[0], NULL, fresh, NULL, 100, 0));
	CALL("with an offset", splice(p[0], NULL, c, &(off64_t){ 0 }, 1, 0));
	CALL("tee to a socket", tee(p[0], c, 1, 0));
	CALL("vmsplice to a socket", vmsplice(c, &(struct iovec){ buf, 1 }, 1, 0));
	shutdown(c, SHUT_WR);
	await(s, POLLRDHUP);
	CALL("socket to pipe at the end", splice(s, NULL, q[1], NULL, 100, 0));
	CALL("pipe to socket after SHUT_WR", splice(p[0], NULL, c, NULL, 1, 0));
	close(c);
	close(s);
	close(fresh);
}

static void streams(void)
{
	char line[64];
	int c, s, n;
	FILE *in, *out;

	topic("stdio");
	tcp_pair(5903, &c, &s);
	out = fdopen(c, "w");
	in = fdopen(s, "r");
	say("fdopen", "%d %d", out != NULL, in != NULL);
	CALL("fprintf", fprintf(out, "first line\nsecond %d\nno end", 2));
	CALL("nothing before fflush", recv(s, line, 1, MSG_DONTWAIT));
	CALL("fflush", fflush(out));
	say("fgets", "%s", fgets(line, sizeof(line), in) ? strtok(line, "\n") : "nothing");
	n = 0;
	CALL("fscanf", fscanf(in, "second %d", &n));
	say("number", "%d", n);
	CALL("fgetc", fgetc(in));
	CALL("dprintf", dprintf(c, "%s\n", "!"));
	CALL("fclose", fclose(out));
	say("last line", "%s", fgets(line, sizeof(line), in) ? strtok(line, "\n") : "nothing");
	say("end", "%s", fgets(line, sizeof(line), in) ? "more" : "end");
	say("feof", "%d", feof(in) != 0);
	say("ferror", "%d", ferror(in) != 0);
	CALL("fclose of the other", fclose(in));
	CALL("the number is free", fcntl(s, F_GETFD));
	CALL("ftell", (tcp_pair(5904, &c, &s), in = fdopen(s, "r+"), ftell(in)));
	CALL("fputs", fputs("both ways\n", in));
	fflush(in);
	await_bytes(c, 10);
	DATA("recv", recv(c, line, sizeof(line), 0), line);
	send(c, "back\n", 5, 0);
	say("fgets of it", "%s", fgets(line, sizeof(line), in) ? strtok(line, "\n") : "nothing");
	fclose(in);
	close(c);
	/* A reset shows as an error of the stream. */
	tcp_pair(5905, &c, &s);
	in = fdopen(s, "r");
	setsockopt(c, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(c);
	await(s, POLLHUP);
	errno = 0;
	CALL("fgetc after a reset", fgetc(in));
	say("ferror after a reset", "%d", ferror(in) != 0);
	fclose(in);
}

static void resolve(const char *label, const char *node, const char *service, int flags, int type)
{
	struct addrinfo hints = { .ai_flags = flags, .ai_family = AF_INET, .ai_socktype = type }, *res = NULL;
	char text[256] = "";
	size_t n = 0;
	int r = getaddrinfo(node, service, &hints, &res);

	for (struct addrinfo *i = res; i; i = i->ai_next)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " [%d %d %d %s]", i->ai_flags, i->ai_socktype, i->ai_protocol,
				      addr_text(i->ai_addr, i->ai_addrlen));
	say(label, "%s%s", r ? gai_strerror(r) : "0", text);
	if (res)
		freeaddrinfo(res);
}

static void numbers(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5906);
	char host[64], service[32];

	topic("getaddrinfo");
	resolve("address and port", "127.0.0.1", "5906", AI_NUMERICHOST | AI_NUMERICSERV, SOCK_STREAM);
	resolve("every type", "127.0.0.1", "5906", AI_NUMERICHOST, 0);
	resolve("no service", "10.1.2.3", NULL, AI_NUMERICHOST, SOCK_DGRAM);
	resolve("no node", NULL, "5906", 0, SOCK_STREAM);
	resolve("passive", NULL, "5906", AI_PASSIVE, SOCK_STREAM);
	resolve("neither", NULL, NULL, 0, SOCK_STREAM);
	resolve("not numeric", "no.such.name", "5906", AI_NUMERICHOST, SOCK_STREAM);
	resolve("service not numeric", "127.0.0.1", "nonesuch", AI_NUMERICSERV, SOCK_STREAM);
	resolve("unknown flag", "127.0.0.1", "1", 0x800000, SOCK_STREAM);
	resolve("unknown type", "127.0.0.1", "1", 0, 77);
	resolve("short form", "127.1", "1", AI_NUMERICHOST, SOCK_STREAM);
	resolve("IPv6 address", "::1", "1", AI_NUMERICHOST, SOCK_STREAM);
	resolve("canonical name", "127.0.0.1", NULL, AI_NUMERICHOST | AI_CANONNAME, SOCK_STREAM);
	CALL("getnameinfo", getnameinfo((struct sockaddr *)&a, sizeof(a), host, sizeof(host), service, sizeof(service),
					NI_NUMERICHOST | NI_NUMERICSERV));
	say("host and service", "%s %s", host, service);
	CALL("getnameinfo into too little", getnameinfo((struct sockaddr *)&a, sizeof(a), host, 4, NULL, 0, NI_NUMERICHOST));
	CALL("getnameinfo, short", getnameinfo((struct sockaddr *)&a, 8, host, sizeof(host), NULL, 0, NI_NUMERICHOST));
}

void run(void)
{
	from_files();
	through_pipes();
	streams();
	numbers();
}
