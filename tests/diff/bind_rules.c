/* SPDX-License-Identifier: MIT */
/* Who may bind what: addresses, ports in use, SO_REUSEADDR, SO_REUSEPORT, privileged ports, TIME-WAIT. */
#include "tests/diff/diff.h"

static void addresses(void)
{
	static const char *const ips[] = { "127.0.0.1", "127.1.2.3", "0.0.0.0", "192.0.2.1", "255.255.255.255", "224.0.0.1" };
	char label[64];

	topic("addresses");
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		struct sockaddr_in a = at(ips[i], 5181);
		int fd = tcp_socket(), u = udp_socket();

		snprintf(label, sizeof(label), "tcp %s", ips[i]);
		CALL(label, bind(fd, SA(&a)));
		snprintf(label, sizeof(label), "udp %s", ips[i]);
		CALL(label, bind(u, SA(&a)));
		snprintf(label, sizeof(label), "name %s", ips[i]);
		say_name(label, fd, false);
		close(fd);
		close(u);
	}
}

static void forms(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5182), any = at("0.0.0.0", 5183);
	struct sockaddr_storage ss;
	int fd = tcp_socket();

	topic("forms");
	a.sin_family = AF_INET6;
	CALL("AF_INET6", bind(fd, SA(&a)));
	a.sin_family = AF_UNIX;
	CALL("AF_UNIX", bind(fd, SA(&a)));
	a.sin_family = AF_UNSPEC;
	CALL("AF_UNSPEC with an address", bind(fd, SA(&a)));
	any.sin_family = AF_UNSPEC;
	CALL("AF_UNSPEC, any", bind(fd, SA(&any)));
	say_name("its name", fd, false);
	CALL("again", bind(fd, SA(&any)));
	close(fd);
	fd = tcp_socket();
	a.sin_family = AF_INET;
	CALL("short", bind(fd, (struct sockaddr *)&a, 15));
	CALL("length 0", bind(fd, (struct sockaddr *)&a, 0));
	CALL("negative length", bind(fd, (struct sockaddr *)&a, (socklen_t)-1));
	CALL("length 129", bind(fd, (struct sockaddr *)&ss, 129));
	memset(&ss, 0, sizeof(ss));
	memcpy(&ss, &a, sizeof(a));
	CALL("length 128", bind(fd, (struct sockaddr *)&ss, 128));
	close(fd);
	fd = tcp_socket();
	a = at("127.0.0.1", 0);
	CALL("port 0", bind(fd, SA(&a)));
	say_name("port chosen", fd, false);
	close(fd);
	fd = tcp_socket();
	a = at("127.0.0.1", 80);
	CALL("port 80 as root", bind(fd, SA(&a)));
	close(fd);
}

/* Every pair of two sockets on one port. */
static void pairs(void)
{
	static const char *const ips[] = { "127.0.0.1", "0.0.0.0", "127.0.0.2" };
	char label[96];

	topic("pairs");
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
		for (int first = 0; first < 2; first++)
			for (int second = 0; second < 3; second++)
				for (int option = 0; option < 3; option++)
					for (int listening = 0; listening < (type == SOCK_STREAM ? 2 : 1); listening++) {
						struct sockaddr_in a = at(ips[first], 5184), b = at(ips[second], 5184);
						int x = socket(AF_INET, type, 0), y = socket(AF_INET, type, 0), one = 1;

						if (option) {
							setsockopt(x, SOL_SOCKET, option == 1 ? SO_REUSEADDR : SO_REUSEPORT, &one,
								   sizeof(one));
							setsockopt(y, SOL_SOCKET, option == 1 ? SO_REUSEADDR : SO_REUSEPORT, &one,
								   sizeof(one));
						}
						bind(x, SA(&a));
						if (listening)
							listen(x, 1);
						snprintf(label, sizeof(label), "%s %s then %s%s%s", type == SOCK_STREAM ? "tcp" : "udp",
							 ips[first], ips[second],
							 option == 0 ? "" : option == 1 ? " REUSEADDR" : " REUSEPORT",
							 listening ? " listening" : "");
						CALL(label, bind(y, SA(&b)));
						if (type == SOCK_STREAM) {
							strcat(label, " listen");
							CALL(label, listen(y, 1));
						}
						close(x);
						close(y);
					}
}

static void in_use(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5185), to = at("127.0.0.1", 5186);
	int l = tcp_listener(5186), c, s, fd, one = 1;

	topic("in use");
	c = tcp_socket();
	bind(c, SA(&a));
	connect(c, SA(&to));
	s = accept(l, NULL, NULL);
	fd = tcp_socket();
	CALL("port of a connection", bind(fd, SA(&a)));
	CALL("REUSEADDR", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CALL("port of a connection then", bind(fd, SA(&a)));
	close(fd);
	fd = tcp_socket();
	CALL("port of the listener", bind(fd, SA(&to)));
	close(fd);
	/* The one that closes first keeps TIME-WAIT. */
	close(c);
	await(s, POLLRDHUP);
	close(s);
	fd = tcp_socket();
	CALL("TIME-WAIT", bind(fd, SA(&a)));
	CALL("TIME-WAIT, REUSEADDR", (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), bind(fd, SA(&a))));
	CALL("TIME-WAIT, listen", listen(fd, 1));
	close(fd);
	close(l);
	fd = tcp_socket();
	CALL("after close of the listener", bind(fd, SA(&to)));
	close(fd);
}

/* SO_REUSEPORT: two listeners, each connection to exactly one. */
static void spread(void)
{
	struct sockaddr_in a = at("127.0.0.1", 5187);
	int l[2], one = 1, got = 0, c[20];

	topic("SO_REUSEPORT");
	for (int i = 0; i < 2; i++) {
		l[i] = tcp_socket();
		setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		CALL(i ? "second bind" : "first bind", bind(l[i], SA(&a)));
		CALL(i ? "second listen" : "first listen", listen(l[i], 30));
		nonblocking(l[i], true);
	}
	for (int i = 0; i < 20; i++) {
		struct pollfd p[2] = { { l[0], POLLIN, 0 }, { l[1], POLLIN, 0 } };

		c[i] = tcp_socket();
		connect(c[i], SA(&a));
		poll(p, 2, WAIT_MS);
		for (int j = 0; j < 2; j++) {
			int s = accept(l[j], NULL, NULL);

			got += s >= 0;
			close(s);
		}
	}
	say("accepted", "%d", got);
	for (int i = 0; i < 20; i++)
		close(c[i]);
	close(l[0]);
	close(l[1]);
}

void run(void)
{
	addresses();
	forms();
	pairs();
	in_use();
	spread();
}
