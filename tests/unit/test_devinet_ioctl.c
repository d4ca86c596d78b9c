/* SPDX-License-Identifier: MIT */
/* Interfaces as programs see them: netdevice(7) on a host with lo and eth0; the walk over all. */
#include <linux/sockios.h>

#include "tests/unit/sock_fixture.h"

#define SECOND PKT_IP(10, 0, 0, 8)
#define OTHER PKT_IP(192, 168, 3, 77)

static struct ifreq ask(struct socket *s, unsigned long cmd, const char *name, int want)
{
	struct ifreq ifr;
	size_t len = sizeof(ifr);

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	CHECK_EQ(sock_dev_ioctl(s, cmd, &ifr, &len), want);
	CHECK_EQ(len, sizeof(ifr));
	CHECK_STR(ifr.ifr_name, name);
	return ifr;
}

static uint32_t address_in(const struct sockaddr *sa)
{
	struct sockaddr_in sin;

	memcpy(&sin, sa, sizeof(sin));
	CHECK_EQ(sin.sin_family, AF_INET);
	CHECK_EQ(sin.sin_port, 0);
	return be32_to_cpu(sin.sin_addr.s_addr);
}

static uint32_t ask_address(struct socket *s, unsigned long cmd, const char *name)
{
	struct ifreq ifr = ask(s, cmd, name, 0);

	return address_in(&ifr.ifr_addr);
}

/* eth1 has no address. */
static struct net_device *add_eth1(struct host *h)
{
	return fake_dev_create(h->net, "eth1", 7);
}

TEST(test_addresses)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	add_eth1(&h);
	CHECK_EQ(ask_address(s, SIOCGIFADDR, "eth0"), OWN);
	CHECK_EQ(ask_address(s, SIOCGIFDSTADDR, "eth0"), OWN);
	CHECK_EQ(ask_address(s, SIOCGIFBRDADDR, "eth0"), PKT_IP(10, 0, 0, 255));
	CHECK_EQ(ask_address(s, SIOCGIFNETMASK, "eth0"), 0xffffff00U);
	CHECK_EQ(ask_address(s, SIOCGIFADDR, "lo"), INADDR_LOOPBACK);
	CHECK_EQ(ask_address(s, SIOCGIFBRDADDR, "lo"), 0);
	CHECK_EQ(ask_address(s, SIOCGIFNETMASK, "lo"), 0xff000000U);
	ask(s, SIOCGIFADDR, "eth1", -EADDRNOTAVAIL);
	ask(s, SIOCGIFNETMASK, "eth1", -EADDRNOTAVAIL);
	ask(s, SIOCGIFADDR, "eth2", -ENODEV);
	ask(s, SIOCGIFADDR, "", -ENODEV);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_one_of_two_addresses_is_meant)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const struct inet_addr other = ip4(OTHER);
	struct sockaddr_in sin = sin4(OTHER, 0);
	struct ifreq ifr = { .ifr_name = "eth0" };
	size_t len = sizeof(ifr);

	CHECK_EQ(inet_addr_add(h.net, h.eth, &other, 31, ACD_NONE), 0);
	CHECK_EQ(ask_address(s, SIOCGIFADDR, "eth0"), OWN);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNETMASK, &ifr, &len), 0);
	CHECK_EQ(address_in(&ifr.ifr_addr), 0xfffffffeU);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFBRDADDR, &ifr, &len), 0);
	CHECK_EQ(address_in(&ifr.ifr_addr), 0); /* RFC 3021: 31 bits leave no broadcast address */
	sin = sin4(FAR, 0);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin)); /* not ours: the first, as ever */
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNETMASK, &ifr, &len), 0);
	CHECK_EQ(address_in(&ifr.ifr_addr), 0xffffff00U);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_devices)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_DGRAM, 0);
	struct ifreq ifr = ask(s, SIOCGIFINDEX, "eth0", 0);

	CHECK_EQ(ifr.ifr_ifindex, h.eth->ifindex);
	CHECK_EQ(ask(s, SIOCGIFINDEX, "lo", 0).ifr_ifindex, 1);
	CHECK_EQ(ask(s, SIOCGIFMTU, "eth0", 0).ifr_mtu, 1500);
	CHECK_EQ(ask(s, SIOCGIFMTU, "lo", 0).ifr_mtu, 65536);
	CHECK_EQ(ask(s, SIOCGIFMETRIC, "eth0", 0).ifr_metric, 0);
	CHECK_EQ(ask(s, SIOCGIFTXQLEN, "eth0", 0).ifr_qlen, (int)h.eth->tx_queue_len);
	ifr = ask(s, SIOCGIFHWADDR, "eth0", 0);
	CHECK_EQ(ifr.ifr_hwaddr.sa_family, ARPHRD_ETHER);
	CHECK_MEM(ifr.ifr_hwaddr.sa_data, own_mac, 6);
	ifr = ask(s, SIOCGIFHWADDR, "lo", 0);
	CHECK_EQ(ifr.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK_MEM(ifr.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6);
	ask(s, SIOCGIFSLAVE, "eth0", -EINVAL);
	ask(s, SIOCGIFMAP, "eth0", 0);
	ask(s, SIOCETHTOOL, "eth0", -EOPNOTSUPP);
	ask(s, SIOCGIFMTU, "eth9", -ENODEV);
	ask(s, SIOCETHTOOL, "eth9", -ENODEV);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_flags_follow_the_link)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const int up = IFF_UP | IFF_BROADCAST | IFF_MULTICAST;

	CHECK_EQ(ask(s, SIOCGIFFLAGS, "eth0", 0).ifr_flags, up | IFF_RUNNING);
	CHECK_EQ(dev_get_flags(h.eth), (unsigned int)(up | IFF_RUNNING | DEV_LOWER_UP));
	CHECK_EQ(ask(s, SIOCGIFFLAGS, "lo", 0).ifr_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	netif_carrier_set(h.eth, false);
	CHECK_EQ(ask(s, SIOCGIFFLAGS, "eth0", 0).ifr_flags, up);
	dev_close(h.eth);
	netif_carrier_set(h.eth, true);
	CHECK_EQ(ask(s, SIOCGIFFLAGS, "eth0", 0).ifr_flags, IFF_BROADCAST | IFF_MULTICAST);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_name_of_an_index)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ifreq ifr = { .ifr_ifindex = h.eth->ifindex };
	size_t len = sizeof(ifr);

	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNAME, &ifr, &len), 0);
	CHECK_STR(ifr.ifr_name, "eth0");
	ifr.ifr_ifindex = 99;
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNAME, &ifr, &len), -ENODEV);
	ifr.ifr_ifindex = -1;
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNAME, &ifr, &len), -ENODEV);
	ifr.ifr_ifindex = 0;
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFNAME, &ifr, &len), -ENODEV);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_an_alias_is_its_device_but_has_no_address)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);

	CHECK_EQ(ask(s, SIOCGIFMTU, "eth0:1", 0).ifr_mtu, 1500);
	ask(s, SIOCGIFADDR, "eth0:1", -EADDRNOTAVAIL);
	ask(s, SIOCGIFADDR, "eth9:1", -ENODEV);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_a_name_without_an_end)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ifreq ifr;
	size_t len = sizeof(ifr);

	memset(&ifr, 'x', sizeof(ifr));
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFADDR, &ifr, &len), -ENODEV);
	memset(&ifr, 'x', sizeof(ifr));
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFFLAGS, &ifr, &len), -ENODEV);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_nothing_can_be_set)
{
	static const unsigned long setters[] = {
		SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFDSTADDR, SIOCSIFBRDADDR, SIOCSIFNETMASK, SIOCSIFMETRIC,
		SIOCSIFMTU, SIOCSIFNAME, SIOCSIFHWADDR, SIOCSIFHWBROADCAST, SIOCSIFTXQLEN, SIOCSIFMAP,
		SIOCADDMULTI, SIOCDELMULTI, SIOCSIFSLAVE,
	};
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	int value = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(setters); i++) {
		ask(s, setters[i], "eth0", -EPERM);
		ask(s, setters[i], "none", -EPERM);
	}
	CHECK_EQ(ask_address(s, SIOCGIFADDR, "eth0"), OWN);
	CHECK_EQ(ask(s, SIOCGIFMTU, "eth0", 0).ifr_mtu, 1500);
	CHECK_EQ(sock_ioctl(s, SIOCADDRT, &value), -EPERM);
	CHECK_EQ(sock_ioctl(s, SIOCDARP, &value), -EPERM);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_what_is_no_question)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ifreq ifr = { .ifr_name = "eth0" };
	size_t len = sizeof(ifr) - 1;

	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFADDR, &ifr, &len), -EINVAL);
	len = 0;
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFADDR, NULL, &len), -EINVAL);
	ask(s, SIOCGIFPFLAGS, "eth0", -EINVAL);
	ask(s, SIOCGIFMEM, "eth0", -ENOTTY);
	ask(s, 0x1234, "eth0", -ENOTTY);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_list)
{
	struct host h = sock_host_up();
	struct socket *s = make_socket(&h, SOCK_RAW, IPPROTO_ICMP);
	const struct inet_addr second = ip4(SECOND);
	struct ifreq list[4];
	size_t len = 0;

	add_eth1(&h);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &second, 24, ACD_NONE), 0);
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFCONF, NULL, &len), 0);
	CHECK_EQ(len, 3 * sizeof(struct ifreq));
	len = sizeof(list);
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFCONF, list, &len), 0);
	CHECK_EQ(len, 3 * sizeof(struct ifreq));
	CHECK_STR(list[0].ifr_name, "lo");
	CHECK_EQ(address_in(&list[0].ifr_addr), INADDR_LOOPBACK);
	CHECK_STR(list[1].ifr_name, "eth0");
	CHECK_EQ(address_in(&list[1].ifr_addr), OWN);
	CHECK_STR(list[2].ifr_name, "eth0");
	CHECK_EQ(address_in(&list[2].ifr_addr), SECOND);
	sock_release(s);
	sock_host_down(&h);
}

TEST(test_list_takes_whole_entries_only)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	struct ifreq list[2];
	size_t len = 2 * sizeof(struct ifreq) - 1;

	memset(list, 0x55, sizeof(list));
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFCONF, list, &len), 0);
	CHECK_EQ(len, sizeof(struct ifreq));
	CHECK_EQ(list[1].ifr_name[0], 0x55);
	len = 0;
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFCONF, list, &len), 0);
	CHECK_EQ(len, 0);
	sock_release(s);
	sock_host_down(&h);
}

/* Another host has it (RFC 5227 2.4): it is not among ours any more. */
TEST(test_an_address_lost_to_another_host)
{
	struct host h = sock_host_up();
	struct socket *s = udp_socket(&h);
	const struct inet_addr own = ip4(OWN);
	size_t len = 0;

	inet_ifa_conflict(inet_ifa_find(h.net, &own));
	ask(s, SIOCGIFADDR, "eth0", -EADDRNOTAVAIL);
	CHECK_EQ(sock_dev_ioctl(s, SIOCGIFCONF, NULL, &len), 0);
	CHECK_EQ(len, sizeof(struct ifreq)); /* lo */
	sock_release(s);
	sock_host_down(&h);
}

static void note_entry(void *arg, const struct net_device *dev, const struct in_ifaddr *ifa)
{
	char *text = arg;
	size_t used = strlen(text);
	char addr[INET_ADDR_STRLEN] = "-";

	if (ifa)
		inet_addr_str(&ifa->addr, addr);
	snprintf(text + used, 200 - used, "%s %s/%d;", dev->name, addr, ifa ? ifa->prefix_len : 0);
}

TEST(test_dump)
{
	struct host h = sock_host_up();
	const struct inet_addr second = ip4(SECOND);
	char text[200] = "";

	add_eth1(&h);
	CHECK_EQ(inet_addr_add(h.net, h.eth, &second, 24, ACD_NONE), 0);
	inet_if_dump(h.net, note_entry, text);
	CHECK_STR(text, "lo -/0;eth0 -/0;eth1 -/0;lo 127.0.0.1/8;eth0 10.0.0.1/24;eth0 10.0.0.8/24;");
	sock_host_down(&h);
}
