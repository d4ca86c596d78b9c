/* SPDX-License-Identifier: MIT */
/* Packet sockets on lo: what they are, what they refuse, what they see of a datagram, and their rings. */
#include "tests/diff/diff.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/mman.h>

enum { ALL = POLLIN | POLLOUT | POLLRDHUP | POLLPRI | POLLRDNORM, LO = 1, NOWHERE = 4242, PORT = 6400 };

static struct sockaddr_ll link_addr(int ifindex, int protocol)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_protocol = htons(protocol) };
}

static void say_link(const char *label, const struct sockaddr_ll *ll, socklen_t len)
{
	say(label, "%u bytes: family %u protocol %04x interface %d hatype %u pkttype %u halen %u", len, ll->sll_family,
	    ntohs(ll->sll_protocol), ll->sll_ifindex, ll->sll_hatype, ll->sll_pkttype, ll->sll_halen);
}

static int packet_socket(int type, int protocol)
{
	return socket(AF_PACKET, type, htons(protocol));
}

static void making(void)
{
	topic("making");
	CALL("SOCK_STREAM", socket(AF_PACKET, SOCK_STREAM, 0));
	CALL("SOCK_SEQPACKET", socket(AF_PACKET, SOCK_SEQPACKET, 0));
	CALL("type 77", socket(AF_PACKET, 77, 0));
}

static void fresh(void)
{
	struct sockaddr_ll ll;
	socklen_t len = sizeof(ll);
	char buf[16];
	int fd, n;

	topic("fresh");
	fd = packet_socket(SOCK_DGRAM, 0);
	say_option("SO_TYPE", fd, SOL_SOCKET, SO_TYPE);
	say_option("SO_DOMAIN", fd, SOL_SOCKET, SO_DOMAIN);
	say_option("SO_PROTOCOL", fd, SOL_SOCKET, SO_PROTOCOL);
	say_option("SO_ERROR", fd, SOL_SOCKET, SO_ERROR);
	say_option("SO_BPF_EXTENSIONS", fd, SOL_SOCKET, SO_BPF_EXTENSIONS);
	say_poll("poll", fd, ALL);
	CALL("getsockname", getsockname(fd, (struct sockaddr *)&ll, &len));
	say_link("its name", &ll, len);
	CALL("getpeername", getpeername(fd, (struct sockaddr *)&ll, &len));
	CALL("listen", listen(fd, 1));
	CALL("accept", accept(fd, NULL, NULL));
	CALL("shutdown", shutdown(fd, SHUT_RDWR));
	ll = link_addr(LO, 0);
	CALL("connect", connect(fd, SA(&ll)));
	CALL("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	CALL("recv OOB", recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_OOB));
	CALL("recv WAITALL", recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_WAITALL));
	CALL("recv ERRQUEUE", recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_ERRQUEUE));
	CALL("send", send(fd, "x", 1, 0));
	CALL("FIONREAD", ioctl(fd, FIONREAD, &n));
	close(fd);
}

static void binding(void)
{
	struct sockaddr_ll ll = link_addr(LO, ETH_P_IP);
	socklen_t len = sizeof(ll);
	int fd = packet_socket(SOCK_RAW, 0);

	topic("binding");
	CALL("19 bytes", bind(fd, (struct sockaddr *)&ll, sizeof(ll) - 1));
	ll.sll_family = AF_INET;
	CALL("AF_INET", bind(fd, SA(&ll)));
	ll = link_addr(NOWHERE, ETH_P_IP);
	CALL("no such interface", bind(fd, SA(&ll)));
	ll = link_addr(LO, ETH_P_IP);
	CALL("lo", bind(fd, SA(&ll)));
	CALL("getsockname", getsockname(fd, (struct sockaddr *)&ll, &len));
	say_link("its name", &ll, len);
	ll = link_addr(0, 0);
	CALL("all, as before", bind(fd, SA(&ll)));
	len = sizeof(ll);
	CALL("getsockname again", getsockname(fd, (struct sockaddr *)&ll, &len));
	say_link("its name again", &ll, len);
	close(fd);
}

static void sending(void)
{
	static char big[70000];
	struct sockaddr_ll lo = link_addr(LO, 0x88b5), nowhere = link_addr(NOWHERE, 0x88b5);
	int raw = packet_socket(SOCK_RAW, 0), cooked = packet_socket(SOCK_DGRAM, 0);

	topic("sending");
	CALL("unbound", send(raw, big, 60, 0));
	CALL("no such interface", sendto(raw, big, 60, 0, SA(&nowhere)));
	CALL("short address", sendto(raw, big, 60, 0, (struct sockaddr *)&lo, sizeof(lo) - 1));
	CALL("nothing", sendto(raw, big, 0, 0, SA(&lo)));
	CALL("13 bytes", sendto(raw, big, 13, 0, SA(&lo)));
	CALL("14 bytes", sendto(raw, big, 14, 0, SA(&lo)));
	CALL("60 bytes", sendto(raw, big, 60, 0, SA(&lo)));
	CALL("MTU and header", sendto(raw, big, 65536 + 14, 0, SA(&lo)));
	CALL("five more", sendto(raw, big, 65536 + 19, 0, SA(&lo)));
	CALL("cooked, nothing", sendto(cooked, big, 0, 0, SA(&lo)));
	CALL("cooked, the MTU", sendto(cooked, big, 65536, 0, SA(&lo)));
	CALL("cooked, five more", sendto(cooked, big, 65541, 0, SA(&lo)));
	CALL("cooked, OOB", sendto(cooked, big, 1, MSG_OOB, SA(&lo)));
	lo.sll_family = AF_INET;
	CALL("as AF_INET", sendto(raw, big, 60, 0, SA(&lo)));
	/* Asked about, a socket has sent what it was given. */
	option(raw, SOL_SOCKET, SO_ERROR);
	option(cooked, SOL_SOCKET, SO_ERROR);
	close(raw);
	close(cooked);
}

/* A datagram to ourselves. */
static void send_datagram(int udp, const char *text)
{
	struct sockaddr_in to = at("127.0.0.1", PORT);

	sendto(udp, text, strlen(text), 0, SA(&to));
}

static void say_message(const char *label, int fd, size_t room, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	unsigned char buf[256];
	struct sockaddr_ll from = { 0 };
	struct iovec iov = { buf, room };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control) };
	char what[64];

	await(fd, POLLIN);
	if (CALL(label, recvmsg(fd, &m, flags)) < 0)
		return;
	snprintf(what, sizeof(what), "%s, from", label);
	say_link(what, &from, m.msg_namelen);
	snprintf(what, sizeof(what), "%s, flags", label);
	say(what, "%#x", m.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct tpacket_auxdata aux;

		snprintf(what, sizeof(what), "%s, level %d type %d", label, c->cmsg_level, c->cmsg_type);
		say(what, "%zu bytes", (size_t)c->cmsg_len);
		if (c->cmsg_level != SOL_PACKET)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		snprintf(what, sizeof(what), "%s, auxiliary data", label);
		say(what, "len %u snaplen %u mac %u net %u user %u", aux.tp_len, aux.tp_snaplen, aux.tp_mac, aux.tp_net,
		    aux.tp_status & TP_STATUS_USER);
	}
}

/* Each datagram goes out and comes in. */
static void seeing(void)
{
	int raw = packet_socket(SOCK_RAW, ETH_P_ALL), cooked = packet_socket(SOCK_DGRAM, ETH_P_IP);
	struct sockaddr_ll lo = link_addr(LO, 0);
	int udp = udp_bound(PORT), n;
	char buf[256];

	topic("seeing");
	bind(raw, SA(&lo));
	bind(cooked, SA(&lo));
	send_datagram(udp, "hello");
	say_message("sent", raw, sizeof(buf), 0);
	await(raw, POLLIN);
	CALL("FIONREAD", ioctl(raw, FIONREAD, &n));
	say("its number", "%d", n);
	say_message("received, looked at", raw, 20, MSG_PEEK);
	say_message("received, true length", raw, 20, MSG_TRUNC);
	CALL("no more", recv(raw, buf, sizeof(buf), MSG_DONTWAIT));
	say_message("cooked", cooked, 8, 0);
	CALL("once only", recv(cooked, buf, sizeof(buf), MSG_DONTWAIT));
	set_option("PACKET_AUXDATA", raw, SOL_PACKET, PACKET_AUXDATA, 1);
	set_option("SO_TIMESTAMPNS", raw, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set_option("PACKET_IGNORE_OUTGOING", raw, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	send_datagram(udp, "again");
	say_message("with ancillary data", raw, sizeof(buf), 0);
	CALL("not what went", recv(raw, buf, sizeof(buf), MSG_DONTWAIT));
	close(raw);
	close(cooked);
	close(udp);
}

static void options(void)
{
	static const int names[] = { PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, 3, 4, 16, 25, 999 };
	struct packet_mreq m = { .mr_ifindex = LO, .mr_type = PACKET_MR_PROMISC };
	int fd = packet_socket(SOCK_RAW, 0), v;
	socklen_t len = sizeof(v);
	char label[64];

	topic("options");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(label, sizeof(label), "get %d", names[i]);
		say_option(label, fd, SOL_PACKET, names[i]);
		snprintf(label, sizeof(label), "set %d", names[i]);
		set_option(label, fd, SOL_PACKET, names[i], 0);
	}
	set_option("PACKET_STATISTICS", fd, SOL_PACKET, PACKET_STATISTICS, 0);
	set_option("PACKET_VERSION 7", fd, SOL_PACKET, PACKET_VERSION, 7);
	set_option("PACKET_VERSION", fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
	say_option("its value", fd, SOL_PACKET, PACKET_VERSION);
	set_option("PACKET_RESERVE", fd, SOL_PACKET, PACKET_RESERVE, 4);
	set_option("PACKET_IGNORE_OUTGOING 2", fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 2);
	for (v = 0; v < 4; v++) {
		int size = v;

		snprintf(label, sizeof(label), "PACKET_HDRLEN %d", v);
		CALL(label, getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &size, &len));
		snprintf(label, sizeof(label), "version %d's header", v);
		say(label, "%d", size);
	}
	CALL("promiscuous", setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	CALL("short", setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m) - 1));
	CALL("no more", setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	CALL("not there", setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	m.mr_type = PACKET_MR_MULTICAST;
	m.mr_alen = 5;
	CALL("group of 5 bytes", setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	m.mr_ifindex = NOWHERE;
	CALL("no such interface", setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	close(fd);
}

static void filters(void)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) }, some[] = { BPF_STMT(BPF_RET | BPF_K, 20) };
	struct sock_filter bad[] = { BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET | BPF_A, 0) };
	struct sock_fprog p = { 1, none };
	struct sockaddr_ll lo = link_addr(LO, 0);
	int fd = packet_socket(SOCK_RAW, ETH_P_IP), udp = udp_bound(PORT);
	char buf[64];

	topic("filters");
	bind(fd, SA(&lo));
	set_option("detach none", fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
	CALL("attach", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	send_datagram(udp, "refused");
	p.filter = some;
	CALL("attach another", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	send_datagram(udp, "cut");
	await(fd, POLLIN);
	CALL("what is kept", recv(fd, buf, sizeof(buf), MSG_TRUNC));
	CALL("and no more", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	p = (struct sock_fprog){ 2, bad };
	CALL("unset memory", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	p.len = 1;
	CALL("no return", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	p.len = 0;
	CALL("empty", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	p = (struct sock_fprog){ 1, NULL };
	CALL("nowhere", setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	set_option("lock", fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
	set_option("detach a locked one", fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
	set_option("unlock", fd, SOL_SOCKET, SO_LOCK_FILTER, 0);
	close(fd);
	close(udp);
}

static int set_ring(int fd, unsigned int block, unsigned int blocks, unsigned int frame, unsigned int frames,
		    unsigned int tov, socklen_t len)
{
	struct tpacket_req3 req = { .tp_block_size = block, .tp_block_nr = blocks, .tp_frame_size = frame,
				    .tp_frame_nr = frames, .tp_retire_blk_tov = tov };

	return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, len);
}

static void frames_ring(void)
{
	struct sockaddr_ll lo = link_addr(LO, ETH_P_IP);
	int fd = packet_socket(SOCK_RAW, 0), udp = udp_bound(PORT);
	const socklen_t len = sizeof(struct tpacket_req);
	struct tpacket2_hdr *h;
	char *ring, buf[64];

	topic("ring");
	CALL("mmap without one", mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	set_option("TPACKET_V2", fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
	CALL("short", set_ring(fd, 4096, 2, 2048, 4, 0, len - 1));
	CALL("half a page", set_ring(fd, 2048, 2, 2048, 2, 0, len));
	CALL("frames askew", set_ring(fd, 4096, 2, 1000, 8, 0, len));
	CALL("frames too small", set_ring(fd, 4096, 2, 48, 170, 0, len));
	CALL("wrong count", set_ring(fd, 4096, 2, 2048, 5, 0, len));
	CALL("good", set_ring(fd, 4096, 2, 2048, 4, 0, len));
	CALL("another", set_ring(fd, 4096, 2, 2048, 4, 0, len));
	set_option("version", fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
	CALL("mmap half", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	CALL("mmap from inside", mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096) == MAP_FAILED ? -1 : 0);
	ring = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("mmap", ring == MAP_FAILED ? "failed" : "is there");
	bind(fd, SA(&lo));
	say_poll("poll of an empty ring", fd, ALL);
	send_datagram(udp, "hello");
	say("poll", await(fd, POLLIN) ? "IN" : "nothing");
	say_poll("poll bits", fd, ALL);
	h = (struct tpacket2_hdr *)(void *)ring;
	say("frame", "user %u len %u snaplen %u mac %u net %u", h->tp_status & TP_STATUS_USER, h->tp_len, h->tp_snaplen,
	    h->tp_mac, h->tp_net);
	say("its text", "%.5s", ring + h->tp_net + 28);
	say_link("its address", (struct sockaddr_ll *)(void *)(ring + TPACKET_ALIGN(sizeof(*h))), 20);
	CALL("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	h->tp_status = TP_STATUS_KERNEL;
	say_poll("poll of a ring given back", fd, ALL);
	send_datagram(udp, "again");
	say("poll again", await(fd, POLLIN) ? "IN" : "nothing");
	h = (struct tpacket2_hdr *)(void *)(ring + 2048);
	say("next frame's text", "%.5s", ring + 2048 + h->tp_net + 28);
	munmap(ring, 8192);
	say_poll("poll when unmapped", fd, ALL);
	CALL("the end", set_ring(fd, 0, 0, 0, 0, 0, len));
	say_poll("poll without a ring", fd, ALL);
	send_datagram(udp, "third");
	await(fd, POLLIN);
	CALL("recv without a ring", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	close(fd);
	close(udp);
}

static void blocks_ring(void)
{
	struct sockaddr_ll lo = link_addr(LO, ETH_P_IP);
	int fd = packet_socket(SOCK_DGRAM, 0), udp = udp_bound(PORT);
	struct tpacket_block_desc *b;
	struct tpacket3_hdr *h;
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);
	uint64_t start;
	char *ring;

	topic("blocks");
	set_option("TPACKET_V3", fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
	CALL("ring", set_ring(fd, 8192, 2, 2048, 8, 200, sizeof(struct tpacket_req3)));
	ring = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("mmap", ring == MAP_FAILED ? "failed" : "is there");
	bind(fd, SA(&lo));
	start = now_ms();
	send_datagram(udp, "one");
	send_datagram(udp, "second");
	say_poll("poll before its time", fd, ALL);
	say("poll", await(fd, POLLIN) ? "IN" : "nothing");
	say("after", "%s", took(start, 0, 1000));
	b = (struct tpacket_block_desc *)(void *)ring;
	say("block", "version %u private %u status %#x frames %u first %u bytes %u number %llu", b->version, b->offset_to_priv,
	    b->hdr.bh1.block_status, b->hdr.bh1.num_pkts, b->hdr.bh1.offset_to_first_pkt, b->hdr.bh1.blk_len,
	    (unsigned long long)b->hdr.bh1.seq_num);
	h = (struct tpacket3_hdr *)(void *)(ring + b->hdr.bh1.offset_to_first_pkt);
	say("frame", "next %u snaplen %u len %u mac %u net %u", h->tp_next_offset, h->tp_snaplen, h->tp_len, h->tp_mac, h->tp_net);
	h = (struct tpacket3_hdr *)(void *)((char *)h + h->tp_next_offset);
	say("next frame", "next %u snaplen %u text %.6s", h->tp_next_offset, h->tp_snaplen, (char *)h + h->tp_net + 28);
	b->hdr.bh1.block_status = TP_STATUS_KERNEL;
	say_poll("poll of a ring given back", fd, ALL);
	CALL("PACKET_STATISTICS", getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len));
	say("statistics", "%u bytes: packets %u drops %u freezes %u", len, st.tp_packets, st.tp_drops, st.tp_freeze_q_cnt);
	munmap(ring, 16384);
	close(fd);
	close(udp);
}

void run(void)
{
	making();
	fresh();
	binding();
	sending();
	seeing();
	options();
	filters();
	frames_ring();
	blocks_ring();
}
