/* SPDX-License-Identifier: MIT */
/* What the host tells about itself: `wireshim status`, and the last connections that ended. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <unistd.h>

#include "netif/impair.h"
#include "shim/host/host.h"

/* After ours: linux/socket.h defines names as macros that sock.h has in an enum. */
#include <linux/tcp.h>

#include "stack/inet/devinet.h"

/* A text that grows. */
struct text {
	char *bytes;
	size_t len, size;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n < 0 || !t->bytes)
		return;
	n = MIN(n, (int)sizeof(line) - 1);
	if (t->len + (size_t)n + 1 > t->size) {
		size_t size = t->size * 2;
		char *bytes = realloc(t->bytes, size);

		if (!bytes)
			return;
		t->bytes = bytes;
		t->size = size;
	}
	memcpy(t->bytes + t->len, line, (size_t)n + 1);
	t->len += (size_t)n;
}

/** addr_format() - "10.0.0.2:80" into @buf */
void addr_format(const struct sockaddr_storage *ss, char *buf, size_t len)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in sin;

	if (ss->ss_family != AF_INET) {
		snprintf(buf, len, "-");
		return;
	}
	memcpy(&sin, ss, sizeof(sin));
	inet_ntop(AF_INET, &sin.sin_addr, ip, sizeof(ip));
	snprintf(buf, len, "%s:%u", ip, ntohs(sin.sin_port));
}

static const char *tcp_state_name(uint8_t state)
{
	static const char *const names[] = { "?", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1",
					     "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT", "LAST-ACK",
					     "LISTEN", "CLOSING" };

	return state < ARRAY_SIZE(names) ? names[state] : "?";
}

/* "rtt 0.1 ms, cwnd 10, ..." of a TCP socket; empty when it has no TCP_INFO. */
static void format_tcp_info(struct socket *sock, char *buf, size_t size)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	memset(&ti, 0, sizeof(ti));
	buf[0] = 0;
	if (sock->type != SOCK_STREAM || sock_getsockopt(sock, IPPROTO_TCP, TCP_INFO, &ti, &len))
		return;
	snprintf(buf, size, ", round trip %u.%03u ms (var %u.%03u), cwnd %u, mss %u/%u, retransmitted %u",
		 ti.tcpi_rtt / 1000, ti.tcpi_rtt % 1000, ti.tcpi_rttvar / 1000, ti.tcpi_rttvar % 1000,
		 ti.tcpi_snd_cwnd, ti.tcpi_snd_mss, ti.tcpi_rcv_mss, ti.tcpi_total_retrans);
}

/* One line on a connection, for now and for later. */
static void format_connection(struct anchor *a, const char *how, char *line, size_t size)
{
	char info[256] = "", handshake[64] = "";
	struct host *h = a->host;

	if (a->sock)
		format_tcp_info(a->sock, info, sizeof(info));
	if (a->started && a->established)
		snprintf(handshake, sizeof(handshake), ", handshake %.3f ms",
			 (double)(a->established - a->started) / 1e6);
	snprintf(line, size, "%s %s %s %s%s, open %.3f s, sent %llu bytes, received %llu bytes%s, pid %d (%s)",
		 a->addrs.local[0] ? a->addrs.local : "-", a->is_child ? "<" : ">",
		 a->addrs.peer[0] ? a->addrs.peer : "-", how, handshake,
		 a->established ? (double)(h->now - a->established) / 1e9 : 0.0,
		 (unsigned long long)a->rx_bytes, (unsigned long long)a->tx_bytes, info,
		 a->sock && a->sock->sk ? (int)a->sock->sk->owner.pid : (int)a->pid,
		 a->sock && a->sock->sk ? a->sock->sk->owner.comm : "?");
}

/** report_ended() - keeps a line on a connection that ends now */
void report_ended(struct anchor *a, const char *how)
{
	struct host *h = a->host;

	if (a->type != SOCK_STREAM || a->reported || !a->addrs.peer[0])
		return;
	a->reported = true;
	format_connection(a, how, h->ended[h->ended_next % ENDED_MAX].line, sizeof(h->ended[0].line));
	h->ended_next++;
}

/* "12 frames in, 11 passed, 1 dropped, ..." of one direction. */
static void format_impaired(const struct impair_stats *s, char *line, size_t size)
{
	snprintf(line, size, "%llu frames, %llu passed, %llu dropped, %u on the way, %llu out of order, "
		 "%llu duplicated, %llu corrupted, %llu marked, %llu stripped, %llu answered",
		 (unsigned long long)s->entered, (unsigned long long)s->passed, (unsigned long long)s->dropped,
		 s->held, (unsigned long long)s->reordered, (unsigned long long)s->duplicated,
		 (unsigned long long)s->corrupted, (unsigned long long)s->marked,
		 (unsigned long long)s->stripped, (unsigned long long)s->answered);
}

static void put_impairment(struct text *t, struct net_device *dev)
{
	struct impair_stats in, out;
	uint64_t matched, applied;
	const char *rule;
	char line[400];
	unsigned int i;

	if (!impair_get_stats(dev, TAP_IN, &in) || !impair_get_stats(dev, TAP_OUT, &out))
		return;
	put(t, "  impaired, seed %llu\n", (unsigned long long)in.seed);
	format_impaired(&in, line, sizeof(line));
	put(t, "    in: %s\n", line);
	format_impaired(&out, line, sizeof(line));
	put(t, "    out: %s\n", line);
	for (i = 0; impair_get_rule(dev, i, &rule, &matched, &applied); i++)
		put(t, "    %s: matched %llu, applied %llu\n", rule, (unsigned long long)matched,
		    (unsigned long long)applied);
}

/** report_impairment() - says at the end of a host what its links did, and their seed */
void report_impairment(struct host *h)
{
	struct net_device *dev = NULL;
	struct impair_stats s;
	char line[400];

	while ((dev = dev_next(h->net, dev))) {
		if (!impair_get_stats(dev, TAP_IN, &s))
			continue;
		format_impaired(&s, line, sizeof(line));
		host_log(h, LOG_LEVEL_INFO, "impairment of %s with --seed %llu: in: %s", dev->name,
			 (unsigned long long)s.seed, line);
		impair_get_stats(dev, TAP_OUT, &s);
		format_impaired(&s, line, sizeof(line));
		host_log(h, LOG_LEVEL_INFO, "impairment of %s with --seed %llu: out: %s", dev->name,
			 (unsigned long long)s.seed, line);
	}
}

static void put_device(struct text *t, struct net_device *dev)
{
	const struct in_ifaddr *ifa = NULL;
	char ip[INET_ADDR_STRLEN];
	struct af_packet_info info;

	put(t, "device %s: %s%s, mtu %u, link %02x:%02x:%02x:%02x:%02x:%02x\n", dev->name,
	    netif_running(dev) ? "up" : "down", dev->carrier ? "" : ", no carrier", dev->mtu, dev->dev_addr[0],
	    dev->dev_addr[1], dev->dev_addr[2], dev->dev_addr[3], dev->dev_addr[4], dev->dev_addr[5]);
	while ((ifa = inet_ifa_next(dev, ifa)))
		put(t, "  address %s/%u%s\n", inet_addr_str(&ifa->addr, ip), ifa->prefix_len,
		    ifa->state == IFA_PERMANENT ? "" : ifa->state == IFA_CONFLICT ? " (conflict)" : " (tentative)");
	put(t, "  rx %llu packets %llu bytes, %llu errors %llu dropped\n",
	    (unsigned long long)dev->stats.rx_packets, (unsigned long long)dev->stats.rx_bytes,
	    (unsigned long long)dev->stats.rx_errors, (unsigned long long)dev->stats.rx_dropped);
	put(t, "  tx %llu packets %llu bytes, %llu errors %llu dropped\n",
	    (unsigned long long)dev->stats.tx_packets, (unsigned long long)dev->stats.tx_bytes,
	    (unsigned long long)dev->stats.tx_errors, (unsigned long long)dev->stats.tx_dropped);
	put_impairment(t, dev);
	if (dev->flags & IFF_LOOPBACK)
		return;
	af_packet_get_info(dev, &info);
	put(t, "  packet socket on %s: offload %s, %llu lost in the kernel, %llu sends retried\n", info.ifname,
	    info.vnet_hdr ? "on" : "off", (unsigned long long)info.kernel_drops,
	    (unsigned long long)info.tx_retries);
}

static void put_socket(struct text *t, struct anchor *a)
{
	char line[512], name[64] = "-";
	struct sockaddr_storage ss;
	uint32_t lost;

	if (!a->sock || !a->sock->sk)
		return;
	if (a->type == SOCK_STREAM && a->state != ANCHOR_LISTENING && a->addrs.peer[0]) {
		format_connection(a, tcp_state_name(a->sock->sk->state), line, sizeof(line));
		put(t, "  %s%s%s\n", line, a->reason ? ", " : "", a->reason ? a->reason : "");
		return;
	}
	if (sock_getname(a->sock, &ss, false) > 0)
		addr_format(&ss, name, sizeof(name));
	put(t, "  %s %s %s, pid %d (%s)", a->sock->sk->prot->name, name,
	    a->type == SOCK_STREAM ? tcp_state_name(a->sock->sk->state) : "", (int)a->sock->sk->owner.pid,
	    a->sock->sk->owner.comm);
	if (a->state == ANCHOR_LISTENING)
		put(t, ", backlog %d, %u to be accepted", a->backlog, a->outstanding);
	if (a->twin.fd >= 0)
		put(t, ", also on the kernel's 127.0.0.1%s", a->twin_connected ? ", connected there" : "");
	else if (a->twin_err)
		put(t, ", not on the kernel's 127.0.0.1: %s", strerror(a->twin_err));
	lost = a->type == SOCK_DGRAM ? twin_dgram_lost(a) : 0;
	if (lost)
		put(t, ", %u lost there", lost);
	put(t, "%s%s\n", a->reason ? ", " : "", a->reason ? a->reason : "");
}

static void put_reasons(struct text *t, struct host *h)
{
	unsigned int i;

	if (!h->elsewhere)
		return;
	put(t, "left to the kernel or refused: %llu\n", (unsigned long long)h->elsewhere);
	for (i = 0; i < h->reason_count; i++)
		put(t, "  %llu %s\n", (unsigned long long)h->reasons[i].count, h->reasons[i].text);
}

static void put_counters(struct text *t, struct net *net)
{
	int i;

	put(t, "counters:\n");
	for (i = 1; i < MIB_MAX; i++)
		if (net->mib[i])
			put(t, "  %s %llu\n", mib_name((enum mib)i), (unsigned long long)net->mib[i]);
	put(t, "dropped:\n");
	for (i = 1; i < SKB_DROP_MAX; i++)
		if (net->drops[i])
			put(t, "  %llu %s\n", (unsigned long long)net->drops[i],
			    skb_drop_reason_str((enum skb_drop_reason)i));
}

static void put_absent_options(struct text *t, const struct net *net)
{
	const struct absent_option *a;
	unsigned int i;

	for (i = 0; (a = sock_absent_option(net, i)); i++) {
		if (i == 0)
			put(t, "options asked for that are not there:\n");
		if (a->level < 0)
			put(t, "  others %llu\n", (unsigned long long)a->count);
		else
			put(t, "  level %d option %d %llu\n", a->level, a->name, (unsigned long long)a->count);
	}
}

/* What differs from its default. */
static void put_settings(struct text *t, struct net *net)
{
	char path[SYSCTL_NAME_MAX] = "", value[512];

	while (sysctl_next(net, "", path)) {
		ssize_t n = sysctl_changed(net, path) && (sysctl_mode(net, path) & 0004) ?
			    sysctl_read(net, path, value, sizeof(value)) : 0;
		char name[SYSCTL_NAME_MAX];

		if (n <= 0)
			continue;
		snprintf(name, sizeof(name), "%s", path);
		sysctl_swap_separators(name);
		put(t, "  sysctl %s = %.*s\n", name, (int)n - (value[n - 1] == '\n'), value);
	}
}

/** report_text() - everything for `wireshim status`; Return: malloc'd text, NULL without memory */
char *report_text(struct host *h)
{
	struct text t = { .bytes = malloc(8192), .size = 8192 };
	struct capture_stats cs;
	struct net_device *dev = NULL;
	struct anchor *a;
	unsigned int i;

	if (!t.bytes)
		return NULL;
	t.bytes[0] = 0;
	put(&t, "host %s, pid %d%s\n", h->key, (int)getpid(), h->thread ? " (thread)" : "");
	for (i = 0; i < OPT_MAX; i++)
		if (h->cfg.text[i] && i != OPT_SYSCTL)
			put(&t, "  %s %.900s\n", config_name((enum config_option)i), h->cfg.text[i]);
	put_settings(&t, h->net);
	if (h->capture) {
		capture_get_stats(h->capture, &cs);
		put(&t, "capture %s: %llu frames, %llu bytes, %llu lost%s%s\n", h->cfg.text[OPT_CAPTURE],
		    (unsigned long long)cs.frames, (unsigned long long)cs.bytes, (unsigned long long)cs.lost,
		    cs.error ? ", stopped: " : "", cs.error ? strerror(-cs.error) : "");
	}
	while ((dev = dev_next(h->net, dev)))
		put_device(&t, dev);
	put(&t, "sockets: %u, kept for their error %u, connections so far %llu\n", h->anchor_count,
	    h->record_count, (unsigned long long)h->totals.connections);
	list_for_each_entry(a, &h->anchors, all)
		put_socket(&t, a);
	put_reasons(&t, h);
	put(&t, "ended connections (the last %d):\n", ENDED_MAX);
	for (i = h->ended_next > ENDED_MAX ? h->ended_next - ENDED_MAX : 0; i < h->ended_next; i++)
		put(&t, "  %s\n", h->ended[i % ENDED_MAX].line);
	put_counters(&t, h->net);
	put_absent_options(&t, h->net);
	if (h->totals.refused || h->totals.malformed || h->totals.fd_exhausted)
		put(&t, "programs: %llu refused, %llu malformed messages, %llu times out of descriptors\n",
		    (unsigned long long)h->totals.refused, (unsigned long long)h->totals.malformed,
		    (unsigned long long)h->totals.fd_exhausted);
	return t.bytes;
}
