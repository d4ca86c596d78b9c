/* SPDX-License-Identifier: MIT */
/*
 * capture.c - writes down every frame of a namespace
 *
 * A tap (dev.h) shows each frame once: sent ones when the driver has taken them, received ones when
 * the stack is done with them, with a comment on whose they were and why one was dropped. The frame
 * is brought together in one piece where it is not, matched against the filter (libpcap's compiler
 * and its virtual machine), and written with its time, direction and comment.
 *
 *   pcapng (default)   pcapng.c
 *   name ends in .pcap  libpcap's own writer, nanosecond variant; that format has no place for
 *                      interface, direction and comment
 *
 * A checksum that the device was to complete is completed in the copy written, so that a reader
 * finds none to complain about; a super-segment is written as the one large packet that was sent.
 * Devices without link headers (loopback) get a zeroed Ethernet one, so that the file has one link
 * type and a filter means the same everywhere.
 *
 * A failed write (disk full) stops the capture, is reported once, and changes nothing else.
 */
#include "netif/netif.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <strings.h>

#include "netif/outfile.h"
#include "netif/pcapng.h"
#include "netif/sys.h"
#include "stack/core/checksum.h"

enum {
	DEFAULT_SNAPLEN = 262144,
	FRAME_MAX = ETH_HLEN + 65536 + 4096, /* more is cut */
	BUFFER_SIZE = 1 << 20,
};

/* An interface described in the file. */
struct capture_if {
	int ifindex;
	char name[IFNAMSIZ];
	uint64_t seen, accepted, lost;
};

struct capture {
	struct dev_tap tap;
	struct net *net;
	struct outfile file;
	bool attached;          /* the tap is on the net */
	uint32_t snaplen;
	int64_t realtime_offset_ns;
	uint64_t start_ns;
	char *filter;           /* text, NULL = none */
	struct bpf_program prog;
	pcap_t *pcap;           /* dead handle of the classic writer */
	pcap_dumper_t *dumper;  /* NULL = pcapng */
	FILE *stdio;            /* below the dumper, which closes it; ends in @file */
	struct capture_if *ifs;
	size_t if_count;
	uint8_t *scratch;       /* FRAME_MAX bytes */
	struct capture_stats stats;
	void (*failed)(void *arg, int error);
	void *failed_arg;
};

static int __attribute__((format(printf, 4, 5)))
fail(char *buf, size_t len, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (len)
		vsnprintf(buf, len, fmt, ap);
	va_end(ap);
	return err;
}

/* --- stopping --------------------------------------------------------------------------------- */

/* The first failed write: no more frames, and the owner is told. */
static void stop_with_error(struct capture *cap, int err)
{
	if (cap->stats.error)
		return;
	cap->stats.error = err;
	if (cap->attached)
		dev_remove_tap(&cap->tap);
	cap->attached = false;
	if (cap->failed)
		cap->failed(cap->failed_arg, err);
}

/* --- one frame -------------------------------------------------------------------------------- */

static uint64_t wall_clock(const struct capture *cap, ktime_t t)
{
	return t + (uint64_t)cap->realtime_offset_ns;
}

/* A frame in one piece. */
struct frame_view {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t csum_start, csum_field; /* offsets of a checksum to complete; csum_field 0 = none */
};

/* Brings the frame of @skb together: in place when it is linear with a link header, else in scratch. */
static void view_frame(struct capture *cap, const struct net_device *dev,
		       const struct sk_buff *skb, struct frame_view *v)
{
	uint32_t start = skb_mac_header_was_set(skb) ? skb->mac_header : skb_headroom(skb);
	uint32_t pulled = skb_headroom(skb) - start, lead = 0;
	uint32_t linear = pulled + skb_headlen(skb);

	v->bytes = skb->head + start;
	v->len = pulled + skb->len;
	v->csum_field = 0;
	if (dev->hard_header_len < ETH_HLEN)
		lead = ETH_HLEN;
	if (lead || skb->frag_len) {
		uint32_t n = MIN(linear, FRAME_MAX - lead);

		memset(cap->scratch, 0, lead);
		if (lead)
			memcpy(cap->scratch + ETH_ALEN * 2, &skb->protocol, sizeof(skb->protocol));
		memcpy(cap->scratch + lead, v->bytes, n);
		if (skb->frag_len)
			memcpy(cap->scratch + lead + n, skb->frag,
			       MIN(skb->frag_len, FRAME_MAX - lead - n));
		v->bytes = cap->scratch;
		v->len = MIN(v->len + lead, (uint32_t)FRAME_MAX);
	}
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb->csum_start >= start) {
		v->csum_start = skb->csum_start - start + lead;
		v->csum_field = v->csum_start + skb->csum_offset;
		if (v->csum_field + 2 > v->len)
			v->csum_field = 0;
	}
}

/* Completes the checksum in the first @caplen bytes of the frame, which were copied to @copy. */
static void complete_checksum(const struct frame_view *v, uint8_t *copy, uint32_t caplen)
{
	uint16_t sum;

	if (!v->csum_field || v->csum_field + 2 > caplen)
		return;
	sum = csum_fold(csum_partial(v->bytes + v->csum_start, v->len - v->csum_start, 0));
	if (sum == 0)
		sum = 0xffff; /* RFC 768: zero means none */
	memcpy(copy + v->csum_field, &sum, sizeof(sum));
}

static bool matches(const struct capture *cap, const struct frame_view *v)
{
	struct pcap_pkthdr h = { .caplen = v->len, .len = v->len };

	return !cap->filter || pcap_offline_filter(&cap->prog, &h, v->bytes);
}

/* Number of @dev in the file, described on first sight; negative errno. */
static int interface_number(struct capture *cap, const struct net_device *dev)
{
	struct pcapng_interface desc = {
		.name = dev->name,
		.filter = cap->filter,
		.mac = dev->type == ARPHRD_ETHER ? dev->dev_addr : NULL,
		.snaplen = cap->snaplen,
	};
	struct capture_if *ifs;
	size_t i;
	int err;

	for (i = 0; i < cap->if_count; i++)
		if (cap->ifs[i].ifindex == dev->ifindex && strcmp(cap->ifs[i].name, dev->name) == 0)
			return (int)i;
	ifs = realloc(cap->ifs, (i + 1) * sizeof(*ifs));
	if (!ifs)
		return -ENOMEM;
	cap->ifs = ifs;
	err = cap->dumper ? 0 : pcapng_write_interface(&cap->file, &desc);
	if (err < 0)
		return err;
	memset(&ifs[i], 0, sizeof(ifs[i]));
	ifs[i].ifindex = dev->ifindex;
	memcpy(ifs[i].name, dev->name, sizeof(ifs[i].name));
	cap->if_count++;
	return (int)i;
}

static enum pcapng_cast cast_of(const struct sk_buff *skb, const uint8_t *mac)
{
	static const uint8_t all[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (skb->pkt_type == PACKET_OTHERHOST)
		return PCAPNG_PROMISCUOUS;
	if (memcmp(mac, all, ETH_ALEN) == 0)
		return PCAPNG_BROADCAST;
	return mac[0] & 1 ? PCAPNG_MULTICAST : PCAPNG_UNICAST;
}

static int write_pcapng(struct capture *cap, int number, enum tap_dir dir,
			const struct sk_buff *skb, const struct frame_view *v, const char *comment)
{
	struct pcapng_packet p = {
		.interface = (uint32_t)number,
		.time_ns = wall_clock(cap, skb->tstamp ? skb->tstamp : cap->net->now),
		.caplen = MIN(v->len, cap->snaplen),
		.len = v->len,
		.direction = dir == TAP_IN ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
		.cast = v->len >= ETH_ALEN ? cast_of(skb, v->bytes) : PCAPNG_CAST_UNKNOWN,
		.comment = comment,
	};
	uint8_t *data;
	int err = pcapng_write_packet(&cap->file, &p, &data);

	if (err < 0)
		return err;
	memcpy(data, v->bytes, p.caplen);
	complete_checksum(v, data, p.caplen);
	return 0;
}

static int write_classic(struct capture *cap, const struct sk_buff *skb, struct frame_view *v)
{
	uint64_t t = wall_clock(cap, skb->tstamp ? skb->tstamp : cap->net->now);
	struct pcap_pkthdr h = {
		.ts = { (time_t)(t / NSEC_PER_SEC), (suseconds_t)(t % NSEC_PER_SEC) },
		.caplen = MIN(v->len, cap->snaplen),
		.len = v->len,
	};

	/* Record header and frame go through write_cookie() in two pieces: room for both or none. */
	if (!outfile_room(&cap->file, 16 + (size_t)h.caplen))
		return cap->file.error < 0 ? cap->file.error : -EAGAIN;
	if (v->bytes != cap->scratch) {
		v->len = MIN(v->len, (uint32_t)FRAME_MAX);
		memcpy(cap->scratch, v->bytes, v->len);
	}
	v->bytes = cap->scratch;
	complete_checksum(v, cap->scratch, h.caplen);
	pcap_dump((u_char *)cap->dumper, &h, cap->scratch);
	return cap->file.error;
}

static void capture_frame(struct dev_tap *tap, const struct net_device *dev, enum tap_dir dir,
			  const struct sk_buff *skb, const char *comment)
{
	struct capture *cap = container_of(tap, struct capture, tap);
	struct frame_view v;
	int number = interface_number(cap, dev), err;

	if (number >= 0)
		cap->ifs[number].seen++;
	view_frame(cap, dev, skb, &v);
	if (!matches(cap, &v)) {
		cap->stats.filtered++;
		return;
	}
	if (number >= 0)
		cap->ifs[number].accepted++;
	err = number;
	if (err >= 0)
		err = cap->dumper ? write_classic(cap, skb, &v) :
				    write_pcapng(cap, number, dir, skb, &v, comment);
	if (cap->file.error) {
		stop_with_error(cap, cap->file.error);
	} else if (err < 0) {
		cap->stats.lost++;
		if (number >= 0)
			cap->ifs[number].lost++;
	} else {
		cap->stats.frames++;
	}
}

/* --- opening ---------------------------------------------------------------------------------- */

static int compile_filter(const char *filter, struct bpf_program *prog, char *errbuf, size_t errlen)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, DEFAULT_SNAPLEN);
	int err = 0;

	if (!p)
		return fail(errbuf, errlen, -ENOMEM, "out of memory");
	if (pcap_compile(p, prog, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		err = fail(errbuf, errlen, -EINVAL, "capture filter \"%s\": %s; see pcap-filter(7)",
			   filter, pcap_geterr(p));
	pcap_close(p);
	return err;
}

/**
 * capture_check_filter() - is this a filter expression?
 * @filter:  libpcap expression
 * @errbuf:  one line for the user when not
 * @errlen:  bytes in @errbuf
 *
 * Return:  0; -EINVAL, -ENOMEM
 */
int capture_check_filter(const char *filter, char *errbuf, size_t errlen)
{
	struct bpf_program prog;
	int err = compile_filter(filter, &prog, errbuf, errlen);

	if (err == 0)
		pcap_freecode(&prog);
	return err;
}

/* stdio below libpcap's writer ends in our buffer; room was made before. */
static ssize_t write_cookie(void *cookie, const char *buf, size_t len)
{
	struct capture *cap = cookie;
	uint8_t *room = outfile_room(&cap->file, len);

	if (!room)
		return 0;
	memcpy(room, buf, len);
	outfile_commit(&cap->file, len);
	return (ssize_t)len;
}

static int open_classic(struct capture *cap)
{
	cookie_io_functions_t io = { .write = write_cookie };

	cap->stdio = fopencookie(cap, "w", io);
	if (!cap->stdio)
		return -ENOMEM;
	setvbuf(cap->stdio, NULL, _IONBF, 0);
	cap->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, (int)cap->snaplen,
							 PCAP_TSTAMP_PRECISION_NANO);
	if (cap->pcap)
		cap->dumper = pcap_dump_fopen(cap->pcap, cap->stdio);
	if (!cap->dumper) {
		fclose(cap->stdio);
		return -ENOMEM;
	}
	return 0;
}

static int open_pcapng(struct capture *cap, const struct capture_config *cfg)
{
	struct pcapng_section s = { cfg->hardware, cfg->os, cfg->application };

	return pcapng_write_section(&cap->file, &s);
}

static bool is_classic(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	return n >= 5 && strcasecmp(path + n - 5, ".pcap") == 0;
}

/* Non-blocking: a named pipe without a reader is an error, and a slow reader never stops the stack. */
static int open_file(const struct capture_config *cfg, char *errbuf, size_t errlen)
{
	int fd;

	if (cfg->fd >= 0)
		return cfg->fd;
	fd = sys_open(cfg->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
	if (fd == -ENXIO)
		return fail(errbuf, errlen, fd, "capture \"%s\": nobody reads the pipe; start its "
			    "reader first", cfg->path);
	if (fd < 0)
		return fail(errbuf, errlen, fd, "cannot write the capture \"%s\": %s", cfg->path,
			    strerror(-fd));
	return fd;
}

static void free_capture(struct capture *cap)
{
	if (cap->filter)
		pcap_freecode(&cap->prog);
	if (cap->pcap)
		pcap_close(cap->pcap);
	free(cap->filter);
	free(cap->scratch);
	free(cap->ifs);
	free(cap);
}

/* What needs no file: memory and the compiled filter. */
static int prepare(struct capture *cap, const struct capture_config *cfg, char *errbuf, size_t errlen)
{
	int err;

	cap->scratch = malloc(FRAME_MAX);
	if (!cap->scratch)
		return fail(errbuf, errlen, -ENOMEM, "out of memory");
	if (!cfg->filter || !cfg->filter[0])
		return 0;
	err = compile_filter(cfg->filter, &cap->prog, errbuf, errlen);
	if (err < 0)
		return err;
	cap->filter = strdup(cfg->filter);
	if (cap->filter)
		return 0;
	pcap_freecode(&cap->prog);
	return fail(errbuf, errlen, -ENOMEM, "out of memory");
}

/* Opens the file and writes its beginning, so that a full disk is noticed at once. */
static int start_file(struct capture *cap, const struct capture_config *cfg, char *errbuf,
		      size_t errlen)
{
	int fd = open_file(cfg, errbuf, errlen), err;

	if (fd < 0)
		return fd;
	err = outfile_init(&cap->file, fd, BUFFER_SIZE);
	if (err == 0) {
		err = is_classic(cfg->path) ? open_classic(cap) : open_pcapng(cap, cfg);
		if (err == 0)
			err = outfile_flush(&cap->file);
		if (err == 0)
			return 0;
		if (cap->dumper)
			pcap_dump_close(cap->dumper);
		free(cap->file.buf);
	}
	if (cfg->fd < 0)
		sys_close(fd);
	return fail(errbuf, errlen, err, "cannot write the capture%s%s%s: %s", cfg->path ? " \"" : "",
		    cfg->path ? cfg->path : "", cfg->path ? "\"" : "", strerror(-err));
}

/**
 * capture_open() - begin to write down the frames of a namespace
 * @net:     namespace
 * @cfg:     file, filter and what the file says about us; not used after the call
 * @out:     the capture, set on success only
 * @errbuf:  one line for the user on failure
 * @errlen:  bytes in @errbuf, may be 0
 *
 * Return:  0; -EINVAL bad filter; why the file cannot be written; -ENOMEM
 */
int capture_open(struct net *net, const struct capture_config *cfg, struct capture **out,
		 char *errbuf, size_t errlen)
{
	struct capture *cap;
	int err;

	if (cfg->fd < 0 && !cfg->path)
		return fail(errbuf, errlen, -EINVAL, "no name for the capture");
	cap = calloc(1, sizeof(*cap));
	if (!cap)
		return fail(errbuf, errlen, -ENOMEM, "out of memory");
	cap->net = net;
	cap->snaplen = cfg->snaplen ? MIN(cfg->snaplen, (uint32_t)DEFAULT_SNAPLEN) : DEFAULT_SNAPLEN;
	cap->realtime_offset_ns = cfg->realtime_offset_ns;
	cap->start_ns = wall_clock(cap, net->now);
	cap->failed = cfg->failed;
	cap->failed_arg = cfg->failed_arg;
	err = prepare(cap, cfg, errbuf, errlen);
	if (err == 0)
		err = start_file(cap, cfg, errbuf, errlen);
	if (err < 0) {
		free_capture(cap);
		return err;
	}
	cap->tap.frame = capture_frame;
	dev_add_tap(net, &cap->tap);
	cap->attached = true;
	*out = cap;
	return 0;
}

/* --- running and closing ---------------------------------------------------------------------- */

/**
 * capture_flush() - bring what is buffered to the file
 * @cap:  capture, or NULL
 *
 * Return:  0, also when the reader of a pipe takes no more for now; the error that stopped it
 */
int capture_flush(struct capture *cap)
{
	if (!cap)
		return 0;
	if (!cap->stats.error && outfile_flush(&cap->file) < 0)
		stop_with_error(cap, cap->file.error);
	return cap->stats.error;
}

static void write_statistics(struct capture *cap)
{
	for (size_t i = 0; i < cap->if_count; i++) {
		struct pcapng_statistics s = {
			.interface = (uint32_t)i,
			.start_ns = cap->start_ns,
			.end_ns = wall_clock(cap, cap->net->now),
			.seen = cap->ifs[i].seen,
			.accepted = cap->ifs[i].accepted,
			.lost = cap->ifs[i].lost,
		};

		(void)pcapng_write_statistics(&cap->file, &s);
	}
}

/**
 * capture_close() - end a capture
 * @cap:  capture, or NULL; gone afterwards
 *
 * Return:  0; the error that stopped it, or -EAGAIN when the reader of a pipe left bytes unread
 */
int capture_close(struct capture *cap)
{
	int err;

	if (!cap)
		return 0;
	if (cap->attached)
		dev_remove_tap(&cap->tap);
	if (cap->dumper)
		pcap_dump_close(cap->dumper);
	else
		write_statistics(cap);
	err = outfile_close(&cap->file);
	free_capture(cap);
	return err;
}

/**
 * capture_get_stats() - what has been written
 * @cap:    capture
 * @stats:  out
 */
void capture_get_stats(const struct capture *cap, struct capture_stats *stats)
{
	*stats = cap->stats;
	stats->bytes = cap->file.written + cap->file.used;
}
