/* SPDX-License-Identifier: MIT */
/* What the programs of the differential suite share: see diff.h. */
#include "tests/diff/diff.h"

#include <stdarg.h>

static char prefix[64];

void topic(const char *name)
{
	snprintf(prefix, sizeof(prefix), "%s", name);
}

void say(const char *label, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	printf("%s%s%s: ", prefix, prefix[0] ? ", " : "", label);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	errno = saved;
}

const char *errno_name(int err)
{
	return err ? strerrorname_np(err) : "0";
}

long outcome(const char *label, long value)
{
	int saved = errno;

	if (value == -1)
		say(label, "-1 %s", errno_name(saved));
	else
		say(label, "%ld%s%s", value, saved ? " but errno " : "", saved ? errno_name(saved) : "");
	errno = saved;
	return value;
}

long outcome_data(const char *label, long value, const void *data)
{
	const unsigned char *p = data;
	char text[256];
	size_t n = 0;

	if (value <= 0)
		return outcome(label, value);
	for (long i = 0; i < value && n < sizeof(text) - 8; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, p[i] > 32 && p[i] < 127 ? "%c" : "\\%02x", p[i]);
	say(label, "%ld '%s'", value, text);
	return value;
}

const char *addr_text(const void *addr, socklen_t len)
{
	static char text[4][96];
	static unsigned int turn;
	const struct sockaddr_in *in = addr;
	char *out = text[turn++ % 4], ip[INET_ADDRSTRLEN];

	if (len != sizeof(*in) || in->sin_family != AF_INET) {
		snprintf(out, sizeof(text[0]), "length %u family %d", (unsigned int)len,
			 len >= sizeof(in->sin_family) ? in->sin_family : -1);
		return out;
	}
	inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
	if (ntohs(in->sin_port) >= 32768)
		snprintf(out, sizeof(text[0]), "%s:eph", ip);
	else
		snprintf(out, sizeof(text[0]), "%s:%u", ip, (unsigned int)ntohs(in->sin_port));
	return out;
}

const char *poll_text(unsigned int events)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" }, { POLLHUP, "HUP" },
		{ POLLNVAL, "NVAL" }, { POLLRDNORM, "RDNORM" }, { POLLRDBAND, "RDBAND" }, { POLLWRNORM, "WRNORM" },
		{ POLLWRBAND, "WRBAND" }, { POLLMSG, "MSG" }, { POLLRDHUP, "RDHUP" },
	};
	static char text[4][128];
	static unsigned int turn;
	char *out = text[turn++ % 4];
	size_t n = 0;

	out[0] = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (events & names[i].bit)
			n += (size_t)snprintf(out + n, sizeof(text[0]) - n, "%s%s", n ? "|" : "", names[i].name);
	return n ? out : "nothing";
}

void say_poll(const char *label, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	if (n < 0)
		say(label, "-1 %s", errno_name(errno));
	else
		say(label, "%d %s", n, poll_text((unsigned short)p.revents));
}

void say_name(const char *label, int fd, bool peer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int r;

	memset(&ss, 0, sizeof(ss));
	r = peer ? getpeername(fd, (struct sockaddr *)&ss, &len) : getsockname(fd, (struct sockaddr *)&ss, &len);
	if (r)
		say(label, "%d %s", r, errno_name(errno));
	else
		say(label, "%s", addr_text(&ss, len));
}

int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

void say_option(const char *label, int fd, int level, int name)
{
	int value = 0, r;
	socklen_t len = sizeof(value);

	r = getsockopt(fd, level, name, &value, &len);
	if (r)
		say(label, "%d %s", r, errno_name(errno));
	else
		say(label, "%d length %u", value, (unsigned int)len);
}

/* Sets it and reads it back. */
void set_option(const char *label, int fd, int level, int name, int value)
{
	int r, back = -4711;
	socklen_t len = sizeof(back);

	errno = 0;
	r = setsockopt(fd, level, name, &value, sizeof(value));
	if (r) {
		say(label, "%d %s", r, errno_name(errno));
		return;
	}
	r = getsockopt(fd, level, name, &back, &len);
	say(label, "%d, reads %d length %u", r, back, (unsigned int)len);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

const char *took(uint64_t since, unsigned int least, unsigned int most)
{
	uint64_t ms = now_ms() - since;

	return ms + 1 < least ? "too early" : ms > most ? "too late" : "in time";
}

static void pause_1ms(void)
{
	static const struct timespec ms = { 0, 1000000 };

	nanosleep(&ms, NULL);
}

bool await(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = (short)events };
	uint64_t end = now_ms() + WAIT_MS;
	int saved = errno;

	do {
		if (poll(&p, 1, WAIT_MS) > 0 && (p.revents & events) == events) {
			errno = saved;
			return true;
		}
		pause_1ms();
	} while (now_ms() < end);
	errno = saved;
	return false;
}

bool await_bytes(int fd, int count)
{
	uint64_t end = now_ms() + WAIT_MS;
	int saved = errno, n = 0;

	while (ioctl(fd, FIONREAD, &n) || n < count) {
		if (now_ms() >= end)
			return false;
		pause_1ms();
	}
	errno = saved;
	return true;
}

struct sockaddr_in at(const char *ip, int port)
{
	struct sockaddr_in a;

	memset(&a, 0, sizeof(a));
	a.sin_family = AF_INET;
	a.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int must(const char *what, int r)
{
	if (r < 0) {
		say("FATAL", "%s: %s", what, errno_name(errno));
		exit(9);
	}
	return r;
}

int tcp_socket(void)
{
	return must("socket", socket(AF_INET, SOCK_STREAM, 0));
}

int udp_socket(void)
{
	return must("socket", socket(AF_INET, SOCK_DGRAM, 0));
}

int tcp_listener(int port)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = tcp_socket(), one = 1;

	must("SO_REUSEADDR", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	must("bind", bind(fd, SA(&a)));
	must("listen", listen(fd, 16));
	return fd;
}

int tcp_connect_to(int listener, int port, int *server)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = tcp_socket();

	must("connect", connect(fd, SA(&a)));
	*server = must("accept", accept(listener, NULL, NULL));
	return fd;
}

void tcp_pair(int port, int *client, int *server)
{
	int listener = tcp_listener(port), c, s;

	/* The lowest numbers for the two ends. */
	c = tcp_connect_to(listener, port, &s);
	must("dup2", dup2(c, listener));
	close(c);
	*client = listener;
	*server = s;
}

int udp_bound(int port)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = udp_socket();

	must("bind", bind(fd, SA(&a)));
	return fd;
}

void udp_pair(int port, int *a, int *b)
{
	struct sockaddr_in to_a = at("127.0.0.1", port), to_b = at("127.0.0.1", port + 1);

	*a = udp_bound(port);
	*b = udp_bound(port + 1);
	must("connect", connect(*a, SA(&to_b)));
	must("connect", connect(*b, SA(&to_a)));
}

void nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	must("F_SETFL", fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

int in_child(void (*f)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = must("fork", fork());
	if (pid == 0) {
		f(arg);
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	run();
	topic("");
	say("end", "reached");
	return 0;
}
