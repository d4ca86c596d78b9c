/* SPDX-License-Identifier: MIT */
/* ioctl() and fcntl() on sockets. */
#include "tests/diff/diff.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <termios.h>

static void say_ioctl(const char *label, int fd, unsigned long cmd)
{
	int n = -4711, r;

	errno = 0;
	r = ioctl(fd, cmd, &n);
	if (r)
		say(label, "%d %s", r, errno_name(errno));
	else
		say(label, "%d, number %d", r, n);
}

static void queues(void)
{
	int c, s, l, fd = tcp_socket(), u = udp_socket();

	topic("queues");
	say_ioctl("FIONREAD fresh", fd, FIONREAD);
	say_ioctl("SIOCOUTQ fresh", fd, SIOCOUTQ);
	say_ioctl("SIOCATMARK fresh", fd, SIOCATMARK);
	say_ioctl("FIONREAD udp", u, FIONREAD);
	say_ioctl("SIOCOUTQ udp", u, SIOCOUTQ);
	say_ioctl("SIOCATMARK udp", u, SIOCATMARK);
	l = tcp_listener(5951);
	say_ioctl("FIONREAD listener", l, FIONREAD);
	say_ioctl("SIOCOUTQ listener", l, SIOCOUTQ);
	tcp_pair(5952, &c, &s);
	send(c, "abcde", 5, 0);
	await_bytes(s, 5);
	say_ioctl("FIONREAD", s, FIONREAD);
	say_ioctl("TIOCINQ", s, TIOCINQ);
	for (int i = 0; i < 1000 && ioctl(c, SIOCOUTQ, &(int){ 0 }) == 0; i++) {
		int n = 0;

		ioctl(c, SIOCOUTQ, &n);
		if (!n)
			break;
		poll(NULL, 0, 1);
	}
	say_ioctl("SIOCOUTQ when all is acknowledged", c, SIOCOUTQ);
	say_ioctl("SIOCOUTQNSD", c, SIOCOUTQNSD);
	say_ioctl("SIOCATMARK", s, SIOCATMARK);
	shutdown(c, SHUT_WR);
	await(s, POLLRDHUP);
	say_ioctl("FIONREAD with FIN", s, FIONREAD);
	recv(s, &(char[8]){ 0 }, 8, 0);
	say_ioctl("FIONREAD at the end", s, FIONREAD);
	close(c);
	close(s);
	close(l);
	close(u);
	close(fd);
}

static void file_commands(void)
{
	struct termios t;
	int fd = tcp_socket(), on = 1, off = 0;

	topic("file commands");
	CALL("FIONBIO", ioctl(fd, FIONBIO, &on));
	CALL("F_GETFL", fcntl(fd, F_GETFL));
	CALL("FIONBIO off", ioctl(fd, FIONBIO, &off));
	CALL("F_GETFL then", fcntl(fd, F_GETFL));
	CALL("FIOCLEX", ioctl(fd, FIOCLEX));
	CALL("F_GETFD", fcntl(fd, F_GETFD));
	CALL("FIONCLEX", ioctl(fd, FIONCLEX));
	CALL("F_GETFD then", fcntl(fd, F_GETFD));
	CALL("FIOASYNC", ioctl(fd, FIOASYNC, &on));
	CALL("F_GETFL with async", fcntl(fd, F_GETFL));
	CALL("F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	CALL("F_GETFL with append", fcntl(fd, F_GETFL));
	CALL("F_SETOWN", fcntl(fd, F_SETOWN, getpid()));
	say("F_GETOWN", "%d", fcntl(fd, F_GETOWN) == getpid());
	CALL("F_GETSIG", fcntl(fd, F_GETSIG));
	CALL("F_DUPFD", fcntl(fd, F_DUPFD, 50));
	CALL("F_DUPFD_CLOEXEC", fcntl(fd, F_DUPFD_CLOEXEC, 50));
	CALL("F_GETFD of it", fcntl(51, F_GETFD));
	CALL("F_GETLK", fcntl(fd, F_GETLK, &(struct flock){ .l_type = F_WRLCK }));
	CALL("F_GETPIPE_SZ", fcntl(fd, F_GETPIPE_SZ));
	CALL("F_GET_SEALS", fcntl(fd, F_GET_SEALS));
	CALL("fcntl 9999", fcntl(fd, 9999));
	CALL("ioctl 9999", ioctl(fd, 9999, &on));
	CALL("isatty", isatty(fd) ? 1 : -1);
	CALL("tcgetattr", tcgetattr(fd, &t));
	CALL("TIOCGWINSZ", ioctl(fd, TIOCGWINSZ, &(struct winsize){ 0 }));
	CALL("lseek", lseek(fd, 0, SEEK_CUR));
	CALL("pread", pread(fd, &t, 1, 0));
	CALL("pwrite", pwrite(fd, &t, 1, 0));
	CALL("fsync", fsync(fd));
	CALL("fdatasync", fdatasync(fd));
	CALL("ftruncate", ftruncate(fd, 0));
	close(50);
	close(51);
	close(fd);
}

static void what_it_is(void)
{
	struct stat st;
	int fd = tcp_socket(), l = tcp_listener(5953), u = udp_socket();

	topic("fstat");
	CALL("fstat", fstat(fd, &st));
	say("mode", "%o", (unsigned int)st.st_mode);
	say("links", "%lu", (unsigned long)st.st_nlink);
	say("size", "%ld", (long)st.st_size);
	fstat(l, &st);
	say("mode of a listener", "%o", (unsigned int)st.st_mode);
	fstat(u, &st);
	say("mode of a datagram socket", "%o", (unsigned int)st.st_mode);
	close(fd);
	close(l);
	close(u);
}

static void interfaces(void)
{
	struct ifreq r;
	int fd = udp_socket();

	topic("interfaces");
	memset(&r, 0, sizeof(r));
	strcpy(r.ifr_name, "lo");
	CALL("SIOCGIFFLAGS lo", ioctl(fd, SIOCGIFFLAGS, &r));
	say("flags", "%#x", (unsigned int)(unsigned short)r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
	CALL("SIOCGIFADDR lo", ioctl(fd, SIOCGIFADDR, &r));
	say("address", "%s", addr_text(&r.ifr_addr, sizeof(struct sockaddr_in)));
	CALL("SIOCGIFNETMASK lo", ioctl(fd, SIOCGIFNETMASK, &r));
	say("mask", "%s", addr_text(&r.ifr_netmask, sizeof(struct sockaddr_in)));
	CALL("SIOCGIFINDEX lo", ioctl(fd, SIOCGIFINDEX, &r));
	say("index", "%d", r.ifr_ifindex);
	CALL("SIOCGIFMTU lo", ioctl(fd, SIOCGIFMTU, &r));
	say("mtu", "%d", r.ifr_mtu);
	CALL("SIOCGIFHWADDR lo", ioctl(fd, SIOCGIFHWADDR, &r));
	say("hardware", "%u", r.ifr_hwaddr.sa_family);
	memset(&r, 0, sizeof(r));
	r.ifr_ifindex = 1;
	CALL("SIOCGIFNAME 1", ioctl(fd, SIOCGIFNAME, &r));
	say("name", "%s", r.ifr_name);
	r.ifr_ifindex = 4711;
	CALL("SIOCGIFNAME 4711", ioctl(fd, SIOCGIFNAME, &r));
	strcpy(r.ifr_name, "nonesuch");
	CALL("SIOCGIFFLAGS of none", ioctl(fd, SIOCGIFFLAGS, &r));
	CALL("SIOCGIFADDR of none", ioctl(fd, SIOCGIFADDR, &r));
	close(fd);
}

void run(void)
{
	queues();
	file_commands();
	what_it_is();
	interfaces();
}
