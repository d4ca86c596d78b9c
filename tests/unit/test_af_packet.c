/* SPDX-License-Identifier: MIT */
/*
 * The packet device against the kernel: a veth pair in a network namespace of this process' own.
 * Our device sits on wsa (10.9.0.1, not in the kernel); the kernel has 10.9.0.2 on wsb, where a
 * second packet socket ("peer") sends and receives raw frames with virtio headers.
 */
#include "netif/af_packet.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack/core/checksum.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"
#include "tests/unit/sink.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { DEADLINE_MS = 5000 };

#define OUR_IP PKT_IP(10, 9, 0, 1)
#define PEER_IP PKT_IP(10, 9, 0, 2)

static const uint8_t our_mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };
static const struct pernet_operations *const ops[] = { &dev_pernet_ops, NULL };

extern char **environ;

/* --- the kernel's side ------------------------------------------------------------------------ */

static int run(const char *line)
{
	char copy[256], *argv[32], *save = NULL;
	posix_spawn_file_actions_t quiet;
	int argc = 0, status = -1;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w && argc < 31; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	if (argc == 0)
		return -1;
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&quiet);
	return status;
}

static void must(const char *line)
{
	int status = run(line);

	CHECK_MSG(status == 0, "%s: status %d", line, status);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

/* A namespace of our own, once for all tests; without root also a user namespace. */
static bool enter_namespace(void)
{
	static int state; /* 0 not tried, 1 inside, -1 impossible */
	char map[64];
	unsigned int uid = getuid();

	if (state)
		return state > 0;
	state = -1;
	if (unshare(CLONE_NEWNET) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			return false;
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_file("/proc/self/uid_map", map);
	}
	if (run("ip link set lo up") == 0)
		state = 1;
	return state > 0;
}

static int peer_open(void)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("wsb"),
	};
	int one = 1, size = 8 << 20, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0);
	CHECK_EQ(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	CHECK_EQ(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/*
 * The kernel turns a link's queue on some time after its carrier came (linkwatch); what is sent before
 * is lost. IFF_RUNNING says that this is done.
 */
static void wait_running(int fd, const char *name)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	for (int ms = 0; ms < DEADLINE_MS; ms++) {
		CHECK_EQ(sys_ioctl(fd, 0x8913 /* SIOCGIFFLAGS */, &ifr), 0);
		if (ifr.ifr_flags & IFF_RUNNING)
			return;
		poll(NULL, 0, 1);
	}
	CHECK_MSG(false, "%s does not run", name);
}

struct world {
	struct net *net;
	struct net_device *dev;
	int peer;
	uint8_t peer_mac[ETH_ALEN];
	struct sink ip, arp;
};

static void set_up_with(struct world *w, struct af_packet_config cfg)
{
	char err[200] = "";
	struct ifreq ifr;
	int res;

	if (!enter_namespace())
		SKIP("no network namespace of our own (needs root or user namespaces, and ip)");
	memset(w, 0, sizeof(*w));
	run("ip link del wsa");
	must("ip link add wsa type veth peer name wsb");
	must("ip link set wsa up");
	must("ip link set wsb up");
	must("ip addr add 10.9.0.2/24 dev wsb");
	must("ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:01 dev wsb nud permanent");
	w->peer = peer_open();
	wait_running(w->peer, "wsa");
	wait_running(w->peer, "wsb");
	memset(&ifr, 0, sizeof(ifr));
	strcpy(ifr.ifr_name, "wsb");
	CHECK_EQ(sys_ioctl(w->peer, 0x8927 /* SIOCGIFHWADDR */, &ifr), 0);
	memcpy(w->peer_mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
	w->net = fake_net_create(ops);
	cfg.ifname = "wsa";
	cfg.mac = our_mac;
	res = af_packet_create(w->net, &cfg, &w->dev, err, sizeof(err));
	CHECK_MSG(res == 0, "%d %s", res, err);
	CHECK_EQ(dev_open(w->dev), 0);
	sink_open(&w->ip, w->net, ETH_P_IP);
	sink_open(&w->arp, w->net, ETH_P_ARP);
}

static void set_up(struct world *w)
{
	set_up_with(w, (struct af_packet_config){ 0 });
}

static void tear_down(struct world *w)
{
	sink_close(&w->ip);
	sink_close(&w->arp);
	fake_net_destroy(w->net);
	close(w->peer);
	run("ip link del wsa");
}

/* One turn of an event loop: waits for either descriptor. False when nothing came in time. */
static bool turn(struct world *w)
{
	struct pollfd p[2] = {
		{ .fd = af_packet_fd(w->dev), .events = POLLIN },
		{ .fd = af_packet_link_fd(w->dev), .events = POLLIN },
	};

	if (af_packet_tx_blocked(w->dev))
		p[0].events |= POLLOUT;
	if (poll(p, 2, DEADLINE_MS) <= 0)
		return false;
	if (p[0].revents & POLLOUT)
		af_packet_writable(w->dev);
	if (p[0].revents & ~POLLOUT)
		af_packet_input(w->dev);
	if (p[1].revents)
		af_packet_link_input(w->dev);
	fake_settle(w->net);
	return true;
}

#define WAIT_FOR(w, cond)                                                                          \
	do {                                                                                       \
		while (!(cond))                                                                    \
			CHECK_MSG(turn(w), "timed out waiting for %s", #cond);                     \
	} while (0)

/* Takes the first packet of @s whose byte at @offset is @value; waits for it. */
static struct sk_buff *wait_packet(struct world *w, struct sink *s, uint32_t offset, uint8_t value)
{
	struct sk_buff *skb;

	for (;;) {
		while ((skb = skb_dequeue(&s->got))) {
			if (skb->len > offset && skb->data[offset] == value)
				return skb;
			skb_consume(skb);
		}
		CHECK_MSG(turn(w), "timed out waiting for a packet");
	}
}

/* A frame of bytes, sent through the stack's path. */
static int xmit(struct world *w, const uint8_t *frame, size_t len)
{
	struct sk_buff *skb = alloc_skb(w->net, (uint32_t)len);

	memcpy(skb_put(skb, (uint32_t)len), frame, len);
	skb->dev = w->dev;
	memcpy(&skb->protocol, frame + 12, 2);
	skb->network_header = ETH_HLEN;
	return dev_queue_xmit(skb);
}

static size_t build(struct world *w, struct pkt *p, uint8_t *buf, bool from_us)
{
	memcpy(p->eth_src, from_us ? our_mac : w->peer_mac, ETH_ALEN);
	memcpy(p->eth_dst, from_us ? w->peer_mac : our_mac, ETH_ALEN);
	return pkt_build(p, buf);
}

static void peer_send(struct world *w, const struct virtio_net_hdr *vh, const uint8_t *frame, size_t len)
{
	struct virtio_net_hdr none = { 0 };
	struct iovec iov[2] = { { (void *)(uintptr_t)(vh ? vh : &none), sizeof(none) },
				{ (void *)(uintptr_t)frame, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = sendmsg(w->peer, &m, 0);

	if (n < 0 && errno == ENETDOWN) /* noted when the link went down earlier */
		n = sendmsg(w->peer, &m, 0);
	CHECK_EQ(n, (ssize_t)(len + sizeof(none)));
}

/* The next IPv4 frame from our MAC that the peer's socket receives, behind its virtio header. */
static size_t peer_receive(struct world *w, uint8_t *buf, size_t size)
{
	struct pollfd p = { .fd = w->peer, .events = POLLIN };

	for (;;) {
		ssize_t n = recv(w->peer, buf, size, MSG_DONTWAIT);

		if (n > 24 && memcmp(buf + 10 + 6, our_mac, 6) == 0)
			return (size_t)n;
		if (n < 0)
			CHECK_MSG(poll(&p, 1, DEADLINE_MS) > 0, "the peer received nothing");
	}
}

/* --- creation --------------------------------------------------------------------------------- */

static int try_create(const char *ifname, const uint8_t *mac, uint32_t mtu, char *err, size_t len)
{
	struct af_packet_config cfg = { .ifname = ifname, .mac = mac, .mtu = mtu };
	struct net *net = fake_net_create(ops);
	struct net_device *dev = NULL;
	int res = af_packet_create(net, &cfg, &dev, err, len);

	CHECK_EQ(res == 0, dev != NULL);
	CHECK_EQ(res == 0, dev_next(net, NULL) != NULL);
	fake_net_destroy(net);
	return res;
}

TEST(test_create_says_what_is_wrong)
{
	static const uint8_t group[ETH_ALEN] = { 1, 0, 0, 0, 0, 1 };
	struct world w;
	char err[200];
	int before, after;

	set_up(&w);
	before = dup(0);
	close(before);
	CHECK_EQ(try_create("nonexistent0", NULL, 0, err, sizeof(err)), -ENODEV);
	CHECK_STR(err, "interface \"nonexistent0\" does not exist; `ip link` lists those of this "
		       "network namespace");
	CHECK_EQ(try_create("a-name-that-is-too-long", NULL, 0, err, sizeof(err)), -ENODEV);
	CHECK_EQ(try_create("", NULL, 0, err, sizeof(err)), -ENODEV);
	CHECK_EQ(try_create("lo", NULL, 0, err, sizeof(err)), -EINVAL);
	CHECK(strstr(err, "not an Ethernet interface"));
	CHECK_EQ(try_create("wsa", group, 0, err, sizeof(err)), -EINVAL);
	CHECK(strstr(err, "01:00:00:00:00:01"));
	CHECK_EQ(try_create("wsa", NULL, 9000, err, sizeof(err)), -EINVAL);
	CHECK(strstr(err, "MTU 9000 is more than the 1500"));
	CHECK_EQ(try_create("wsa", NULL, 60, err, sizeof(err)), -EINVAL);
	CHECK_EQ(try_create("wsa", NULL, 60, NULL, 0), -EINVAL);
	CHECK_EQ(try_create("wsa", NULL, 1400, err, sizeof(err)), 0);
	after = dup(0);
	close(after);
	CHECK_EQ(after, before);
	tear_down(&w);
}

TEST(test_created_device_follows_the_interface)
{
	struct world w;
	struct af_packet_info info;

	set_up(&w);
	CHECK_STR(w.dev->name, "wsa");
	CHECK_EQ(w.dev->mtu, 1500);
	WAIT_FOR(&w, w.dev->carrier);
	CHECK(w.dev->flags & IFF_RUNNING);
	af_packet_get_info(w.dev, &info);
	CHECK(info.vnet_hdr);
	CHECK_EQ(info.ifindex, if_nametoindex("wsa"));
	CHECK_EQ(w.dev->features & NETIF_F_TSO, NETIF_F_TSO);
	tear_down(&w);
}

/* --- frames ----------------------------------------------------------------------------------- */

TEST(test_arp_exchange_with_the_kernel)
{
	struct world w;
	struct pkt p = pkt_arp(1, our_mac, OUR_IP, NULL, PEER_IP);
	uint8_t buf[PKT_MAX];
	struct sk_buff *skb;
	size_t len;

	set_up(&w);
	memcpy(p.eth_src, our_mac, ETH_ALEN);
	memset(p.eth_dst, 0xff, ETH_ALEN);
	len = pkt_build(&p, buf);
	CHECK_EQ(xmit(&w, buf, len), 0);
	skb = wait_packet(&w, &w.arp, 7, 2); /* a reply */
	CHECK_EQ(skb->pkt_type, PACKET_HOST);
	CHECK_MEM(skb->data + 8, w.peer_mac, ETH_ALEN);
	CHECK_EQ((uintptr_t)skb->data % 4, 0);
	skb_consume(skb);
	tear_down(&w);
}

static void echo_with_the_kernel(struct af_packet_config cfg, size_t payload)
{
	uint8_t buf[PKT_MAX], data[PKT_MAX];
	struct world w;
	struct pkt p;
	struct sk_buff *skb;
	size_t len;

	memset(data, 0x77, sizeof(data));
	p = pkt_icmp(OUR_IP, PEER_IP, 8, 0, 0x12340001, data, payload);
	set_up_with(&w, cfg);
	len = build(&w, &p, buf, true);
	CHECK_EQ(xmit(&w, buf, len), 0);
	skb = wait_packet(&w, &w.ip, 20, 0); /* echo reply */
	CHECK_EQ(skb->len, 28 + payload);
	CHECK_EQ(skb->data[24], 0x12);
	CHECK_EQ(skb->data[skb->len - 1], 0x77);
	CHECK_EQ(skb_mac_header_was_set(skb), 1);
	skb_consume(skb);
	tear_down(&w);
}

TEST(test_icmp_echo_with_the_kernel)
{
	echo_with_the_kernel((struct af_packet_config){ 0 }, 56);
}

TEST(test_icmp_echo_without_offload)
{
	echo_with_the_kernel((struct af_packet_config){ .offload = AF_PACKET_OFFLOAD_OFF }, 1472);
}

/* A TCP-shaped super-segment: headers linear, 20000 bytes by reference, checksum left to the kernel. */
static struct sk_buff *super_segment(struct world *w, struct skb_data *payload)
{
	struct pkt p = pkt_tcp(OUR_IP, 4000, PEER_IP, 80, TH_ACK, 1, 1);
	uint8_t buf[PKT_MAX];
	struct sk_buff *skb;
	be16 tot;
	uint16_t sum;

	build(w, &p, buf, true);
	skb = alloc_skb(w->net, 54);
	memcpy(skb_put(skb, 54), buf, 54);
	tot = cpu_to_be16((uint16_t)(40 + payload->size));
	memcpy(skb->data + 16, &tot, 2);
	memset(skb->data + 24, 0, 2);
	sum = ip_fast_csum(skb->data + 14, 5);
	memcpy(skb->data + 24, &sum, 2);
	sum = (uint16_t)~csum_fold(csum_tcpudp_nofold(htonl(OUR_IP), htonl(PEER_IP), 20 + payload->size,
						      6, 0));
	memcpy(skb->data + 14 + 20 + 16, &sum, 2);
	skb_set_frag(skb, payload, payload->buf, payload->size);
	skb->dev = w->dev;
	skb->protocol = cpu_to_be16(ETH_P_IP);
	skb->network_header = ETH_HLEN;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = ETH_HLEN + 20;
	skb->csum_offset = 16;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1460;
	return skb;
}

TEST(test_super_segment_reaches_the_peer_whole)
{
	static uint8_t buf[80000];
	struct world w;
	struct skb_data *payload = skb_data_alloc(20000);
	struct virtio_net_hdr vh;
	size_t n;

	set_up(&w);
	for (uint32_t i = 0; i < payload->size; i++)
		payload->buf[i] = (uint8_t)(i * 7);
	CHECK_EQ(dev_queue_xmit(super_segment(&w, payload)), 0);
	CHECK_EQ(payload->refs, 1);
	n = peer_receive(&w, buf, sizeof(buf));
	memcpy(&vh, buf, sizeof(vh));
	CHECK_EQ(n, 10 + 54 + 20000);
	CHECK_EQ(vh.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CHECK_EQ(vh.gso_size, 1460);
	CHECK_EQ(vh.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK_EQ(vh.csum_start, 34);
	CHECK_MEM(buf + 10 + 54, payload->buf, payload->size);
	CHECK_EQ(w.dev->stats.tx_errors, 0);
	CHECK_EQ(skb_live(w.net), 0);
	skb_data_put(payload);
	tear_down(&w);
}

/* Cut by the kernel when the interface has no segmentation: the headers must have been right. */
TEST(test_super_segment_is_cut_where_nobody_takes_it_whole)
{
	static uint8_t buf[80000];
	struct world w;
	struct skb_data *payload = skb_data_alloc(20000);
	size_t total = 0;

	set_up(&w);
	if (run("ip link set wsa gso_max_size 2000") != 0)
		SKIP("ip cannot set gso_max_size");
	memset(payload->buf, 0x11, payload->size);
	CHECK_EQ(dev_queue_xmit(super_segment(&w, payload)), 0);
	while (total < 20000) {
		size_t n = peer_receive(&w, buf, sizeof(buf));
		struct pkt p;

		CHECK(n <= 10 + 1514);
		CHECK(pkt_parse(&p, buf + 10, n - 10));
		CHECK(p.ip_csum_ok);
		CHECK_EQ(p.seq, 1 + total);
		total += p.payload_len;
	}
	CHECK_EQ(total, 20000);
	skb_data_put(payload);
	tear_down(&w);
}

/* @len bytes of TCP payload arrive as one super-segment. */
static void receive_super_segment(uint32_t len)
{
	static uint8_t frame[PKT_MAX], data[PKT_MAX];
	struct virtio_net_hdr vh = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54, .gso_size = 1400, .csum_start = 34, .csum_offset = 16,
	};
	struct pkt p = pkt_tcp(PEER_IP, 80, OUR_IP, 4000, TH_ACK, 1, 1);
	struct world w;
	struct sk_buff *skb;
	size_t n;

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 13);
	p.payload = data;
	p.payload_len = len;
	set_up(&w);
	n = build(&w, &p, frame, false);
	peer_send(&w, &vh, frame, n);
	skb = wait_packet(&w, &w.ip, 9, 6);
	CHECK_EQ(skb->len, 40 + len);
	CHECK_EQ(skb->gso_type, SKB_GSO_TCPV4);
	CHECK_EQ(skb->gso_size, 1400);
	CHECK_EQ(skb->gso_segs, (len + 1399) / 1400);
	CHECK_EQ(skb->ip_summed, CHECKSUM_PARTIAL);
	CHECK(skb->head + skb->csum_start == skb->data + 20);
	CHECK_EQ(skb->csum_offset, 16);
	CHECK_MEM(skb->data + 40, data, len);
	CHECK_EQ((uintptr_t)skb->data % 4, 0);
	CHECK_LT(skb->truesize, len + 72 * 1024);
	skb_consume(skb);
	tear_down(&w);
}

TEST(test_small_super_segment_is_copied)
{
	receive_super_segment(5000);
}

TEST(test_large_super_segment_keeps_its_block)
{
	receive_super_segment(64000);
}

TEST(test_many_frames_in_order)
{
	uint8_t frame[PKT_MAX];
	struct world w;
	struct sk_buff *skb;
	unsigned int next = 0;

	set_up(&w);
	for (unsigned int i = 0; i < 300; i++) {
		struct pkt p = pkt_udp(PEER_IP, 1, OUR_IP, 2, "x", 1);

		p.id = (uint16_t)(1000 + i);
		peer_send(&w, NULL, frame, build(&w, &p, frame, false));
	}
	while (next < 300) {
		be16 id;

		skb = wait_packet(&w, &w.ip, 9, 17);
		memcpy(&id, skb->data + 4, 2);
		CHECK_EQ(be16_to_cpu(id), 1000 + next);
		CHECK_LT(skb->truesize, 1000);
		next++;
		skb_consume(skb);
	}
	tear_down(&w);
}

/* The kernel's UDP_SEGMENT over veth: one super-datagram that has to become five datagrams. */
TEST(test_udp_super_datagram_is_cut)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	char data[4500];
	struct world w;
	struct sk_buff *skb;
	size_t total = 0, parts = 0;
	int gso = 1000, fd;

	set_up(&w);
	to.sin_addr.s_addr = htonl(OUR_IP);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i / 1000);
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &gso, sizeof(gso)) < 0) {
		close(fd);
		tear_down(&w);
		SKIP("this kernel has no UDP_SEGMENT");
	}
	CHECK_EQ(sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(data));
	close(fd);
	while (total < sizeof(data)) {
		struct pkt p;

		skb = wait_packet(&w, &w.ip, 9, 17);
		CHECK_EQ(skb_checksum_help(skb), 0);
		skb_push(skb, ETH_HLEN);
		CHECK(pkt_parse(&p, skb->data, skb->len));
		CHECK(p.ip_csum_ok && p.l4_csum_ok);
		CHECK_EQ(p.dport, 5000);
		CHECK_EQ(p.payload_len, parts < 4 ? 1000 : 500);
		CHECK_EQ(p.payload[0], parts);
		total += p.payload_len;
		parts++;
		skb_consume(skb);
	}
	CHECK_EQ(parts, 5);
	tear_down(&w);
}

/* --- what must not come in -------------------------------------------------------------------- */

static void peer_send_udp(struct world *w, uint32_t daddr, const uint8_t *mac, uint16_t id)
{
	struct pkt p = pkt_udp(PEER_IP, 1, daddr, 2, "x", 1);
	uint8_t frame[PKT_MAX];
	size_t n;

	p.id = id;
	n = build(w, &p, frame, false);
	if (mac)
		memcpy(frame, mac, ETH_ALEN);
	peer_send(w, NULL, frame, n);
}

static unsigned int wait_id(struct world *w)
{
	struct sk_buff *skb = wait_packet(w, &w->ip, 9, 17);
	unsigned int id = (unsigned int)skb->data[4] << 8 | skb->data[5];

	skb_consume(skb);
	return id;
}

TEST(test_filter_lets_only_ours_in)
{
	static const uint8_t other[ETH_ALEN] = { 2, 0, 0, 0, 0, 9 }, all[ETH_ALEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct world w;
	be32 addr = htonl(OUR_IP);

	set_up(&w);
	peer_send_udp(&w, OUR_IP, other, 1);
	peer_send_udp(&w, OUR_IP, NULL, 2);
	CHECK_EQ(wait_id(&w), 2);
	peer_send_udp(&w, PKT_IP(10, 9, 0, 7), NULL, 3); /* any address as long as none is set */
	CHECK_EQ(wait_id(&w), 3);
	CHECK_EQ(af_packet_set_filter(w.dev, &addr, 1), 0);
	peer_send_udp(&w, PKT_IP(10, 9, 0, 7), NULL, 4);
	peer_send_udp(&w, PKT_IP(10, 9, 0, 255), all, 5);
	peer_send_udp(&w, OUR_IP, NULL, 6);
	CHECK_EQ(wait_id(&w), 5);
	CHECK_EQ(wait_id(&w), 6);
	tear_down(&w);
}

TEST(test_vlan_frame_is_dropped_and_counted)
{
	uint8_t frame[PKT_MAX], tagged[PKT_MAX];
	struct pkt p = pkt_udp(PEER_IP, 1, OUR_IP, 2, "x", 1);
	static const uint8_t tag[2][4] = { { 0x81, 0, 0, 5 }, { 0x81, 0, 0x20, 0 } };
	struct af_packet_info info;
	struct world w;

	set_up(&w);
	for (int i = 0; i < 2; i++) {
		size_t n;

		p.id = (uint16_t)(1 + i);
		n = build(&w, &p, frame, false);
		memcpy(tagged, frame, 12);
		memcpy(tagged + 12, tag[i], 4);
		memcpy(tagged + 16, frame + 12, n - 12);
		peer_send(&w, NULL, tagged, n + 4);
	}
	CHECK_EQ(wait_id(&w), 2); /* tag 0: a priority only */
	af_packet_get_info(w.dev, &info);
	CHECK_EQ(info.vlan_drops, 1);
	CHECK_EQ(w.dev->stats.rx_dropped, 1);
	tear_down(&w);
}

TEST(test_nothing_arrives_while_the_device_is_down)
{
	struct world w;

	set_up(&w);
	dev_close(w.dev);
	peer_send_udp(&w, OUR_IP, NULL, 1);
	CHECK_EQ(dev_open(w.dev), 0);
	peer_send_udp(&w, OUR_IP, NULL, 2);
	CHECK_EQ(wait_id(&w), 2);
	tear_down(&w);
}

TEST(test_lost_frames_are_counted)
{
	struct af_packet_info info;
	struct world w;

	set_up_with(&w, (struct af_packet_config){ .rcvbuf_bytes = 4096 });
	for (uint16_t i = 0; i < 200; i++)
		peer_send_udp(&w, OUR_IP, NULL, i);
	af_packet_get_info(w.dev, &info);
	CHECK_GT(info.kernel_drops, 0);
	CHECK_EQ(w.dev->stats.rx_dropped, info.kernel_drops);
	tear_down(&w);
}

/* --- changes of the interface ----------------------------------------------------------------- */

TEST(test_link_down_and_up_are_noticed)
{
	struct world w;

	set_up(&w);
	WAIT_FOR(&w, w.dev->carrier);
	must("ip link set wsb down");
	WAIT_FOR(&w, !w.dev->carrier);
	CHECK(!(w.dev->flags & IFF_RUNNING));
	must("ip link set wsa down");
	must("ip link set wsb up");
	must("ip link set wsa up");
	must("ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev wsb nud permanent");
	WAIT_FOR(&w, w.dev->carrier);
	peer_send_udp(&w, OUR_IP, NULL, 1);
	CHECK_EQ(wait_id(&w), 1);
	tear_down(&w);
}

TEST(test_sending_into_an_interface_that_is_down)
{
	struct pkt p = pkt_udp(OUR_IP, 1, PEER_IP, 2, "x", 1);
	uint8_t frame[PKT_MAX];
	struct world w;
	size_t n;

	set_up(&w);
	WAIT_FOR(&w, w.dev->carrier);
	n = build(&w, &p, frame, true);
	must("ip link set wsa down");
	CHECK_EQ(xmit(&w, frame, n), 0); /* before the news has been read */
	CHECK(!w.dev->carrier);
	CHECK_EQ(w.net->drops[SKB_DROP_DEV_DOWN], 1);
	must("ip link set wsa up");
	WAIT_FOR(&w, w.dev->carrier);
	CHECK_EQ(xmit(&w, frame, n), 0);
	CHECK_EQ(w.dev->stats.tx_dropped, 1);
	CHECK_EQ(w.dev->stats.tx_packets, 1);
	CHECK_EQ(w.dev->stats.tx_errors, 0);
	tear_down(&w);
}

TEST(test_mtu_of_the_interface_is_followed)
{
	struct world w;

	set_up(&w);
	must("ip link set wsa mtu 1400");
	WAIT_FOR(&w, w.dev->mtu == 1400);
	must("ip link set wsa mtu 9000");
	WAIT_FOR(&w, w.dev->mtu == 9000);
	CHECK_EQ(dev_set_mtu(w.dev, 9001), -EINVAL);
	tear_down(&w);
}

TEST(test_own_mtu_stays_as_long_as_it_fits)
{
	struct world w;

	set_up_with(&w, (struct af_packet_config){ .mtu = 1300 });
	CHECK_EQ(w.dev->mtu, 1300);
	must("ip link set wsa mtu 1200");
	WAIT_FOR(&w, w.dev->mtu == 1200);
	must("ip link set wsa mtu 1500");
	WAIT_FOR(&w, w.dev->mtu == 1300);
	tear_down(&w);
}

TEST(test_removed_interface_is_survived)
{
	struct pkt p = pkt_udp(OUR_IP, 1, PEER_IP, 2, "x", 1);
	uint8_t frame[PKT_MAX];
	struct world w;
	size_t n;

	set_up(&w);
	WAIT_FOR(&w, w.dev->carrier);
	n = build(&w, &p, frame, true);
	must("ip link del wsa");
	CHECK_EQ(xmit(&w, frame, n), 0);
	WAIT_FOR(&w, af_packet_gone(w.dev));
	CHECK(!w.dev->carrier);
	CHECK_EQ(af_packet_set_filter(w.dev, NULL, 0), -ENODEV);
	CHECK_EQ(xmit(&w, frame, n), 0);
	dev_close(w.dev);
	CHECK_EQ(dev_open(w.dev), -ENODEV);
	tear_down(&w);
}

/* A full queueing discipline refuses frames; all arrive in the end. */
TEST(test_full_qdisc_is_retried_by_a_timer)
{
	static uint8_t buf[80000], data[500];
	struct pkt p = pkt_udp(OUR_IP, 1, PEER_IP, 2, data, sizeof(data));
	struct af_packet_info info;
	uint8_t frame[PKT_MAX];
	struct world w;
	unsigned int next = 0, idle = 0;

	set_up(&w);
	if (run("tc qdisc add dev wsa root tbf rate 2mbit burst 2000 limit 3000") != 0) {
		tear_down(&w);
		SKIP("tc or its tbf is missing");
	}
	for (unsigned int i = 0; i < 100; i++) {
		p.id = (uint16_t)i;
		CHECK_EQ(xmit(&w, frame, build(&w, &p, frame, true)), 0);
	}
	CHECK(af_packet_tx_blocked(w.dev));
	while (next < 100) {
		struct pollfd pfd = { .fd = w.peer, .events = POLLIN };
		ssize_t n = recv(w.peer, buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 34 && memcmp(buf + 16, our_mac, 6) == 0) {
			CHECK_EQ((unsigned int)buf[10 + 18] << 8 | buf[10 + 19], next);
			next++;
		} else if (n < 0) {
			fake_advance_ms(w.net, 1);
			if (poll(&pfd, 1, 10) == 0)
				CHECK_MSG(++idle < DEADLINE_MS / 10, "frame %u never came", next);
		}
	}
	af_packet_get_info(w.dev, &info);
	CHECK_GT(info.tx_retries, 0);
	CHECK(!af_packet_tx_blocked(w.dev));
	tear_down(&w);
}
