/* SPDX-License-Identifier: MIT */
/*
 * ifaces: prints all that a program can learn about its interfaces, a line a fact: getifaddrs(), the four name
 * functions, and every SIOCGIF* on a socket. On the kernel's stack and on ours the lines must be the same.
 *
 * Counters and pointers are left out; "lo" has the same number everywhere, others go by name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The number of an interface differs from one side to the other; that it leads back to the name does not. */
static void print_index(int index)
{
	char name[IFNAMSIZ];

	printf(" index(%s)", if_indextoname((unsigned int)index, name) ? name : strerror(errno));
}

static void print_sockaddr(const char *what, const struct sockaddr *sa)
{
	char text[INET_ADDRSTRLEN];
	int i;

	printf(" %s=", what);
	if (!sa) {
		printf("null");
	} else if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		printf("%s:%u", inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)), in->sin_port);
	} else if (sa->sa_family == AF_PACKET) {
		const struct sockaddr_ll *ll = (const void *)sa;

		printf("type %u pkttype %u protocol %u len %u ", ll->sll_hatype, ll->sll_pkttype, ll->sll_protocol,
		       ll->sll_halen);
		for (i = 0; i < ll->sll_halen && i < 8; i++)
			printf(":%02x", ll->sll_addr[i]);
		print_index(ll->sll_ifindex);
	} else {
		printf("family %u", sa->sa_family);
	}
}

static void print_getifaddrs(void)
{
	struct ifaddrs *list, *i;

	errno = 77;
	if (getifaddrs(&list)) {
		printf("getifaddrs: %s\n", strerror(errno));
		return;
	}
	printf("getifaddrs: errno %d\n", errno);
	for (i = list; i; i = i->ifa_next) {
		printf("%s flags %x family %u", i->ifa_name, i->ifa_flags, i->ifa_addr ? i->ifa_addr->sa_family : 0);
		print_sockaddr("addr", i->ifa_addr);
		print_sockaddr("mask", i->ifa_netmask);
		print_sockaddr("broad", i->ifa_broadaddr);
		printf(" data %s\n", i->ifa_data ? "yes" : "no");
	}
	freeifaddrs(list);
}

static void print_names(void)
{
	struct if_nameindex *names = if_nameindex(), *n;
	char name[IFNAMSIZ];

	for (n = names; n && n->if_name; n++)
		printf("nameindex %s same %d\n", n->if_name, if_nametoindex(n->if_name) == n->if_index);
	if (names)
		if_freenameindex(names);
	printf("lo %u\n", if_nametoindex("lo"));
	errno = 0;
	printf("none %u", if_nametoindex("none"));
	printf(" %s\n", strerror(errno));
	errno = 0;
	printf("999 %d", if_indextoname(999, name) != NULL);
	printf(" %s\n", strerror(errno));
}

static const struct {
	unsigned long cmd;
	const char *name;
} asked[] = {
	{ SIOCGIFINDEX, "INDEX" }, { SIOCGIFFLAGS, "FLAGS" }, { SIOCGIFADDR, "ADDR" }, { SIOCGIFDSTADDR, "DSTADDR" },
	{ SIOCGIFBRDADDR, "BRDADDR" }, { SIOCGIFNETMASK, "NETMASK" }, { SIOCGIFMTU, "MTU" }, { SIOCGIFHWADDR, "HWADDR" },
	{ SIOCGIFMETRIC, "METRIC" }, { SIOCGIFTXQLEN, "TXQLEN" }, { SIOCGIFMAP, "MAP" }, { SIOCGIFSLAVE, "SLAVE" },
	{ SIOCGIFMEM, "MEM" }, { SIOCGIFPFLAGS, "PFLAGS" },
};

static void print_answer(unsigned long cmd, const struct ifreq *ifr)
{
	size_t i;

	switch (cmd) {
	case SIOCGIFINDEX:
		print_index(ifr->ifr_ifindex);
		break;
	case SIOCGIFFLAGS:
		printf(" %x", (unsigned int)(unsigned short)ifr->ifr_flags);
		break;
	case SIOCGIFMTU:
	case SIOCGIFMETRIC:
	case SIOCGIFTXQLEN:
		printf(" %d", ifr->ifr_mtu);
		break;
	case SIOCGIFHWADDR:
		printf(" %u", ifr->ifr_hwaddr.sa_family);
		for (i = 0; i < 6; i++)
			printf(":%02x", (unsigned char)ifr->ifr_hwaddr.sa_data[i]);
		break;
	case SIOCGIFMAP:
		printf(" %lx %lx %u", ifr->ifr_map.mem_start, ifr->ifr_map.mem_end, ifr->ifr_map.irq);
		break;
	default:
		print_sockaddr("", &ifr->ifr_addr);
	}
}

static void print_ioctls(int fd, const char *name)
{
	struct ifreq ifr;
	size_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		memset(&ifr, 0, sizeof(ifr));
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
		printf("ioctl %s %s:", ifr.ifr_name, asked[i].name);
		if (ioctl(fd, asked[i].cmd, &ifr))
			printf(" %s", strerror(errno));
		else
			print_answer(asked[i].cmd, &ifr);
		printf(" %s\n", ifr.ifr_name);
	}
}

static void print_conf(int fd, int room)
{
	struct ifreq list[32];
	struct ifconf ifc = { .ifc_len = room, .ifc_req = room < 0 ? NULL : list };
	int r, i;

	r = ioctl(fd, SIOCGIFCONF, &ifc);
	printf("ifconf %d: %d, %d bytes;", room, r, ifc.ifc_len);
	for (i = 0; r == 0 && room > 0 && i < ifc.ifc_len / (int)sizeof(list[0]); i++)
		print_sockaddr(list[i].ifr_name, &list[i].ifr_addr);
	printf("\n");
}

/* The kernel refuses whoever lacks CAP_NET_ADMIN; so do we, whoever asks. */
static void print_errors(int fd)
{
	struct ifreq ifr = { .ifr_ifindex = 999 };

	printf("name of 999: %d", ioctl(fd, SIOCGIFNAME, &ifr));
	printf(" %s\n", strerror(errno));
	printf("null: %d", ioctl(fd, SIOCGIFADDR, NULL));
	printf(" %s\n", strerror(errno));
	printf("null list: %d", ioctl(fd, SIOCGIFCONF, NULL));
	printf(" %s\n", strerror(errno));
	if (getuid() == 0)
		return;
	memcpy(ifr.ifr_name, "lo", 3);
	printf("set mtu: %d", ioctl(fd, SIOCSIFMTU, &ifr));
	printf(" %s\n", strerror(errno));
	printf("set flags: %d", ioctl(fd, SIOCSIFFLAGS, &ifr));
	printf(" %s\n", strerror(errno));
}

int main(int argc, char **argv)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	size_t i;
	int n, fd;

	print_getifaddrs();
	print_names();
	for (i = 0; i < 2; i++) {
		fd = socket(AF_INET, types[i], 0);
		for (n = 1; n < argc; n++)
			print_ioctls(fd, argv[n]);
		print_conf(fd, sizeof(struct ifreq) * 32);
		print_conf(fd, sizeof(struct ifreq) + 8);
		print_conf(fd, 0);
		print_conf(fd, -1);
		print_errors(fd);
		close(fd);
	}
	return 0;
}
