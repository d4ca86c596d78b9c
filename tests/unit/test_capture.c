/* SPDX-License-Identifier: MIT */
/* The capture: what it writes, read back by libpcap and block by block. */
#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netif/netif.h"
#include "netif/outfile.h"
#include "stack/core/checksum.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_dev.h"
#include "tests/unit/pkt.h"
#include "tests/unit/sink.h"

#define OUR_IP PKT_IP(10, 0, 0, 1)
#define PEER_IP PKT_IP(10, 0, 0, 2)
#define WALL_NS (1700000000ULL * NSEC_PER_SEC + 123456789)

static const struct pernet_operations *const ops[] = { &dev_pernet_ops, NULL };

struct world {
	struct net *net;
	struct net_device *dev;
	struct sink ip;
	struct capture *cap;
	char path[64];
	int failures, failure;
};

static void note_failure(void *arg, int error)
{
	struct world *w = arg;

	w->failures++;
	w->failure = error;
}

static void set_up(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->net = fake_net_create(ops);
	w->dev = fake_dev_create(w->net, "eth0", 1);
	sink_open(&w->ip, w->net, ETH_P_IP);
}

static void open_with(struct world *w, const char *suffix, struct capture_config cfg)
{
	char err[200] = "";
	int res, fd;

	snprintf(w->path, sizeof(w->path), "/tmp/test_capture.XXXXXX%s", suffix);
	fd = mkstemps(w->path, (int)strlen(suffix));
	CHECK(fd >= 0);
	close(fd);
	cfg.path = w->path;
	cfg.fd = -1;
	cfg.realtime_offset_ns = (int64_t)(WALL_NS - FAKE_CLOCK_START);
	cfg.failed = note_failure;
	cfg.failed_arg = w;
	res = capture_open(w->net, &cfg, &w->cap, err, sizeof(err));
	CHECK_MSG(res == 0, "%d %s", res, err);
}

static void tear_down(struct world *w)
{
	if (w->cap)
		capture_close(w->cap);
	if (w->path[0])
		unlink(w->path);
	sink_close(&w->ip);
	fake_dev_forget(w->dev);
	fake_net_destroy(w->net);
}

static int xmit(struct world *w, const struct pkt *p)
{
	uint8_t buf[PKT_MAX];
	size_t len = pkt_build(p, buf);
	struct sk_buff *skb = alloc_skb(w->net, (uint32_t)len);

	memcpy(skb_put(skb, (uint32_t)len), buf, len);
	skb->dev = w->dev;
	skb->network_header = ETH_HLEN;
	return dev_queue_xmit(skb);
}

/* The file's bytes; the caller frees them. */
static uint8_t *slurp(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *buf;

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	buf = malloc((size_t)st.st_size + 1);
	CHECK(buf);
	CHECK_EQ(read(fd, buf, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return buf;
}

/* One block of a pcapng file. */
struct block {
	uint32_t type, len;
	const uint8_t *body;
};

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Cuts the file into blocks, checking that each length stands at both ends. Returns their number. */
static size_t cut_blocks(const uint8_t *buf, size_t len, struct block *blocks, size_t max)
{
	size_t n = 0, at = 0;

	while (at < len) {
		uint32_t l;

		CHECK(len - at >= 12);
		l = u32_at(buf + at + 4);
		CHECK_MSG(l >= 12 && l % 4 == 0 && l <= len - at, "block %zu has length %u", n, l);
		CHECK_EQ(u32_at(buf + at + l - 4), l);
		CHECK_LT(n, max);
		blocks[n++] = (struct block){ u32_at(buf + at), l, buf + at + 8 };
		at += l;
	}
	return n;
}

/* Value of option @type behind @fixed bytes of @b (a packet's data is passed over), or NULL. */
static const uint8_t *option(const struct block *b, size_t fixed, unsigned int type, size_t *len)
{
	const uint8_t *p = b->body + fixed, *end = b->body + b->len - 12;

	*len = 0;
	if (b->type == 6)
		p += (u32_at(b->body + 12) + 3) & ~3U;
	while (end - p >= 4 && u16_at(p) != 0) {
		if (u16_at(p) == type) {
			*len = u16_at(p + 2);
			return p + 4;
		}
		p += 4 + ((u16_at(p + 2) + 3U) & ~3U);
	}
	return NULL;
}

static void check_text(const struct block *b, size_t fixed, unsigned int type, const char *want)
{
	size_t len = 0;
	const uint8_t *p = option(b, fixed, type, &len);

	CHECK_MSG(p, "option %u is absent", type);
	CHECK_EQ(len, strlen(want));
	CHECK_MEM(p, want, len);
}

TEST(test_blocks_of_a_pcapng_file)
{
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "hello", 5), out;
	struct block b[16] = { 0 };
	struct world w;
	uint8_t *file;
	const uint8_t *o;
	size_t len, olen;

	set_up(&w);
	open_with(&w, ".pcapng", (struct capture_config){
		.application = "wireshim 1.2", .hardware = "x86_64", .os = "Linux 6.1" });
	pkt_inject(w.dev, &p);
	fake_advance_us(w.net, 1500);
	out = pkt_udp(OUR_IP, 4000, PEER_IP, 53, "hello!!", 7);
	memset(out.eth_dst, 0xff, ETH_ALEN);
	CHECK_EQ(xmit(&w, &out), 0);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;

	file = slurp(w.path, &len);
	CHECK_EQ(cut_blocks(file, len, b, 16), 5);
	CHECK_EQ(b[0].type, 0x0a0d0d0a);
	CHECK_EQ(u32_at(b[0].body), 0x1a2b3c4d);
	check_text(&b[0], 16, 2, "x86_64");
	check_text(&b[0], 16, 3, "Linux 6.1");
	check_text(&b[0], 16, 4, "wireshim 1.2");

	CHECK_EQ(b[1].type, 1);
	CHECK_EQ(u16_at(b[1].body), DLT_EN10MB);
	CHECK_EQ(u32_at(b[1].body + 4), 262144);
	check_text(&b[1], 8, 2, "eth0");
	o = option(&b[1], 8, 9, &olen);
	CHECK(o);
	CHECK_EQ(o[0], 9);
	CHECK(!option(&b[1], 8, 11, &olen));

	CHECK_EQ(b[2].type, 6);
	CHECK_EQ((uint64_t)u32_at(b[2].body + 4) << 32 | u32_at(b[2].body + 8), WALL_NS);
	CHECK_EQ(u32_at(b[2].body + 12), 14 + 28 + 5);
	CHECK_EQ(u32_at(b[2].body + 16), 14 + 28 + 5);
	CHECK_MEM(b[2].body + 20 + 42, "hello", 5);
	o = option(&b[2], 20, 2, &olen);
	CHECK(o);
	CHECK_EQ(u32_at(o), 1 | 1 << 2); /* inbound, unicast */
	CHECK(!option(&b[2], 20, 1, &olen));

	CHECK_EQ((uint64_t)u32_at(b[3].body + 4) << 32 | u32_at(b[3].body + 8), WALL_NS + 1500000);
	o = option(&b[3], 20, 2, &olen);
	CHECK(o);
	CHECK_EQ(u32_at(o), 2 | 3 << 2); /* outbound, broadcast */

	CHECK_EQ(b[4].type, 5);
	o = option(&b[4], 12, 4, &olen);
	CHECK(o);
	CHECK_EQ(u32_at(o), 2);
	free(file);
	tear_down(&w);
}

TEST(test_drop_reason_is_a_comment)
{
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "x", 1);
	static const uint8_t other[ETH_ALEN] = { 2, 0, 0, 0, 0, 0x77 };
	struct block b[16] = { 0 };
	struct world w;
	uint8_t *file;
	const uint8_t *o;
	size_t len, olen;

	set_up(&w);
	open_with(&w, ".pcapng", (struct capture_config){ 0 });
	memcpy(p.eth_dst, other, ETH_ALEN);
	pkt_inject(w.dev, &p);
	CHECK_EQ(capture_flush(w.cap), 0);
	file = slurp(w.path, &len);
	CHECK_EQ(cut_blocks(file, len, b, 16), 3);
	check_text(&b[2], 20, 1, "dropped: frame for another host");
	o = option(&b[2], 20, 2, &olen);
	CHECK(o);
	CHECK_EQ(u32_at(o), 1 | 4 << 2); /* inbound, promiscuous */
	free(file);
	tear_down(&w);
}

/* Reads the first packet by libpcap; its bytes stay valid until pcap_close(). */
static pcap_t *read_first(const char *path, struct pcap_pkthdr **h, const u_char **data)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *r = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);

	CHECK_MSG(r, "%s", err);
	CHECK_EQ(pcap_datalink(r), DLT_EN10MB);
	CHECK_EQ(pcap_next_ex(r, h, &data[0]), 1);
	return r;
}

static void check_file_of_one_frame(const char *suffix)
{
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "hello", 5);
	struct pcap_pkthdr *h;
	const u_char *data;
	uint8_t frame[PKT_MAX];
	struct world w;
	pcap_t *r;
	size_t len;

	set_up(&w);
	open_with(&w, suffix, (struct capture_config){ .snaplen = 40 });
	pkt_inject(w.dev, &p);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	memcpy(p.eth_dst, w.dev->dev_addr, ETH_ALEN);
	memcpy(p.eth_src, (const uint8_t[]){ 2, 0, 0, 0, 0, 0x99 }, ETH_ALEN);
	len = pkt_build(&p, frame);
	r = read_first(w.path, &h, &data);
	CHECK_EQ(h->len, len);
	CHECK_EQ(h->caplen, 40);
	CHECK_EQ(h->ts.tv_sec, WALL_NS / NSEC_PER_SEC);
	CHECK_EQ(h->ts.tv_usec, WALL_NS % NSEC_PER_SEC);
	CHECK_MEM(data, frame, 40);
	CHECK_EQ(pcap_next_ex(r, &h, &data), PCAP_ERROR_BREAK);
	pcap_close(r);
	tear_down(&w);
}

TEST(test_pcapng_is_read_by_libpcap)
{
	check_file_of_one_frame(".pcapng");
}

TEST(test_name_ending_in_pcap_is_classic)
{
	check_file_of_one_frame(".PCAP");
}

TEST(test_classic_magic_is_that_of_nanoseconds)
{
	struct world w;
	uint8_t *file;
	size_t len;

	set_up(&w);
	open_with(&w, ".pcap", (struct capture_config){ 0 });
	file = slurp(w.path, &len);
	CHECK_EQ(len, 24); /* written at once: an early reader finds a valid file */
	CHECK_EQ(u32_at(file), 0xa1b23c4d);
	free(file);
	tear_down(&w);
}

/* A sent super-segment with a fragment and only the pseudo-header's sum. */
static void check_completed_checksum(const char *suffix)
{
	struct pkt p = pkt_tcp(OUR_IP, 80, PEER_IP, 4000, TH_ACK, 1, 1), got;
	struct skb_data *payload = skb_data_alloc(9001);
	struct pcap_pkthdr *h;
	const u_char *data;
	uint8_t buf[PKT_MAX];
	struct sk_buff *skb;
	struct world w;
	pcap_t *r;
	be16 tot = cpu_to_be16(40 + 9001);
	uint16_t sum;

	set_up(&w);
	w.dev->features = NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_SG;
	open_with(&w, suffix, (struct capture_config){ .filter = "tcp port 80" });
	memset(payload->buf, 0x3c, payload->size);
	skb = alloc_skb(w.net, 54);
	CHECK_EQ(pkt_build(&p, buf), 54);
	memcpy(buf + 16, &tot, 2);
	memset(buf + 24, 0, 2);
	sum = ip_fast_csum(buf + 14, 5);
	memcpy(buf + 24, &sum, 2);
	sum = (uint16_t)~csum_fold(csum_tcpudp_nofold(cpu_to_be32(OUR_IP), cpu_to_be32(PEER_IP),
						      20 + 9001, 6, 0));
	memcpy(buf + 50, &sum, 2);
	memcpy(skb_put(skb, 54), buf, 54);
	skb_set_frag(skb, payload, payload->buf, payload->size);
	skb->dev = w.dev;
	skb->network_header = ETH_HLEN;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = 34;
	skb->csum_offset = 16;
	skb->gso_type = SKB_GSO_TCPV4;
	skb->gso_size = 1460;
	CHECK_EQ(dev_queue_xmit(skb), 0);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	r = read_first(w.path, &h, &data);
	CHECK_EQ(h->len, 54 + 9001);
	CHECK_EQ(h->caplen, h->len);
	CHECK(pkt_parse(&got, data, h->len));
	CHECK(got.ip_csum_ok);
	CHECK(got.l4_csum_ok);
	CHECK_EQ(got.payload[9000], 0x3c);
	pcap_close(r);
	skb_data_put(payload);
	tear_down(&w);
}

TEST(test_checksum_of_a_super_segment_is_completed_in_pcapng)
{
	check_completed_checksum(".pcapng");
}

TEST(test_checksum_of_a_super_segment_is_completed_in_pcap)
{
	check_completed_checksum(".pcap");
}

TEST(test_filter_selects_and_counts)
{
	struct pkt a = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "x", 1);
	struct pkt c = pkt_udp(PEER_IP, 54, OUR_IP, 4000, "x", 1);
	struct capture_stats st;
	struct block b[16] = { 0 };
	struct world w;
	uint8_t *file;
	const uint8_t *o;
	size_t len, olen;

	set_up(&w);
	open_with(&w, ".pcapng", (struct capture_config){ .filter = "udp port 53" });
	pkt_inject(w.dev, &a);
	pkt_inject(w.dev, &c);
	pkt_inject(w.dev, &c);
	capture_get_stats(w.cap, &st);
	CHECK_EQ(st.frames, 1);
	CHECK_EQ(st.filtered, 2);
	CHECK_EQ(st.error, 0);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	file = slurp(w.path, &len);
	CHECK_EQ(cut_blocks(file, len, b, 16), 4);
	o = option(&b[1], 8, 11, &olen);
	CHECK(o);
	CHECK_EQ(o[0], 0);
	CHECK_EQ(olen, 12);
	CHECK_MEM(o + 1, "udp port 53", 11);
	o = option(&b[3], 12, 4, &olen);
	CHECK_EQ(u32_at(o), 3);
	o = option(&b[3], 12, 6, &olen);
	CHECK_EQ(u32_at(o), 1);
	free(file);
	tear_down(&w);
}

TEST(test_loopback_gets_a_zeroed_ethernet_header)
{
	static const uint8_t header[ETH_HLEN] = { [12] = 0x08 };
	struct net_device *lo;
	struct pcap_pkthdr *h;
	const u_char *data;
	struct sk_buff *skb;
	struct block b[16] = { 0 };
	struct world w;
	uint8_t *file;
	size_t len;
	pcap_t *r;

	set_up(&w);
	CHECK_EQ(loopback_create(w.net, &lo), 0);
	CHECK_EQ(dev_open(lo), 0);
	open_with(&w, ".pcapng", (struct capture_config){ 0 });
	skb = sink_frame(lo, NULL, ETH_P_IP, 60, 0x45);
	CHECK_EQ(dev_queue_xmit(skb), 0);
	fake_settle(w.net);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	r = read_first(w.path, &h, &data);
	CHECK_EQ(h->len, 74);
	CHECK_MEM(data, header, ETH_HLEN);
	CHECK_EQ(data[ETH_HLEN], 0x45);
	pcap_close(r);
	file = slurp(w.path, &len);
	CHECK_EQ(cut_blocks(file, len, b, 16), 5); /* sent and received */
	check_text(&b[1], 8, 2, "lo");
	free(file);
	tear_down(&w);
}

TEST(test_interfaces_are_numbered_as_they_come)
{
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "x", 1);
	struct net_device *second;
	struct block b[16] = { 0 };
	struct world w;
	uint8_t *file;
	size_t len;

	set_up(&w);
	second = fake_dev_create(w.net, "eth1", 2);
	open_with(&w, ".pcapng", (struct capture_config){ 0 });
	pkt_inject(second, &p);
	memset(p.eth_dst, 0, ETH_ALEN);
	pkt_inject(w.dev, &p);
	pkt_inject(second, &p);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	file = slurp(w.path, &len);
	CHECK_EQ(cut_blocks(file, len, b, 16), 8);
	check_text(&b[1], 8, 2, "eth1");
	CHECK_EQ(u32_at(b[2].body), 0);
	check_text(&b[3], 8, 2, "eth0");
	CHECK_EQ(u32_at(b[4].body), 1);
	CHECK_EQ(u32_at(b[5].body), 0);
	free(file);
	tear_down(&w);
}

TEST(test_open_says_what_is_wrong)
{
	struct capture_config cfg = { .path = "/nonexistent/x.pcapng", .fd = -1 };
	struct capture *cap = NULL;
	struct world w;
	char err[300];

	set_up(&w);
	CHECK_EQ(capture_open(w.net, &cfg, &cap, err, sizeof(err)), -ENOENT);
	CHECK_STR(err, "cannot write the capture \"/nonexistent/x.pcapng\": No such file or directory");
	cfg.path = "/dev/full";
	CHECK_EQ(capture_open(w.net, &cfg, &cap, err, sizeof(err)), -ENOSPC);
	CHECK_STR(err, "cannot write the capture \"/dev/full\": No space left on device");
	cfg.path = "/tmp";
	CHECK_EQ(capture_open(w.net, &cfg, &cap, NULL, 0), -EISDIR);
	cfg.path = "/tmp/never-made.pcapng";
	cfg.filter = "tcp prot 80";
	CHECK_EQ(capture_open(w.net, &cfg, &cap, err, sizeof(err)), -EINVAL);
	CHECK(strstr(err, "capture filter \"tcp prot 80\": "));
	CHECK_EQ(access(cfg.path, F_OK), -1);
	CHECK(!cap);
	CHECK_EQ(capture_check_filter("tcp port 80", err, sizeof(err)), 0);
	CHECK_EQ(capture_check_filter("tcp port", err, sizeof(err)), -EINVAL);
	tear_down(&w);
}

/* The disk fills up while the capture runs. */
TEST(test_failed_write_is_reported_once_and_stops)
{
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, "x", 1);
	struct capture_config cfg = { .failed = note_failure };
	struct world w;
	int full;

	set_up(&w);
	cfg.failed_arg = &w;
	/* Opened on a file, then exchanged below it for a device that is always full. */
	open_with(&w, ".pcapng", cfg);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	CHECK(full >= 0);
	for (int fd = 3; fd < full; fd++) {
		struct stat a, b;

		if (fstat(fd, &a) == 0 && stat(w.path, &b) == 0 && a.st_ino == b.st_ino &&
		    a.st_dev == b.st_dev)
			CHECK_EQ(dup2(full, fd), fd);
	}
	close(full);
	pkt_inject(w.dev, &p);
	CHECK_EQ(capture_flush(w.cap), -ENOSPC);
	pkt_inject(w.dev, &p);
	CHECK_EQ(capture_flush(w.cap), -ENOSPC);
	CHECK_EQ(w.failures, 1);
	CHECK_EQ(w.failure, -ENOSPC);
	CHECK_EQ(w.ip.got.qlen, 2); /* the stack goes on */
	CHECK_EQ(capture_close(w.cap), -ENOSPC);
	w.cap = NULL;
	tear_down(&w);
}

/* A slow reader loses whole frames, never parts of one. */
TEST(test_slow_reader_of_a_pipe_loses_whole_frames)
{
	static uint8_t file[4 << 20];
	static char data[1400];
	struct pkt p = pkt_udp(PEER_IP, 53, OUR_IP, 4000, data, sizeof(data));
	struct capture_config cfg = { 0 };
	struct capture_stats st;
	static struct block b[1500];
	struct world w;
	int fds[2];
	size_t len = 0, packets = 0, n;
	ssize_t got;

	set_up(&w);
	CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	cfg.fd = fds[1];
	CHECK_EQ(capture_open(w.net, &cfg, &w.cap, NULL, 0), 0);
	for (int i = 0; i < 1400; i++)
		pkt_inject(w.dev, &p);
	capture_get_stats(w.cap, &st);
	CHECK_EQ(st.error, 0);
	CHECK_GT(st.lost, 0);
	CHECK_EQ(st.frames + st.lost, 1400);
	do {
		CHECK_EQ(capture_flush(w.cap), 0);
		got = read(fds[0], file + len, sizeof(file) - len);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	n = cut_blocks(file, len, b, 1500);
	for (size_t i = 0; i < n; i++)
		packets += b[i].type == 6;
	CHECK_EQ(packets, st.frames);
	CHECK_EQ(capture_close(w.cap), 0);
	w.cap = NULL;
	close(fds[0]);
	tear_down(&w);
}
