/* SPDX-License-Identifier: MIT */
/* tcp_fixture.c - a TCP endpoint and its scripted peer, see tcp_fixture.h */
#include "tests/unit/tcp_fixture.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "stack/core/neighbour.h"
#include "stack/inet/devinet.h"
#include "stack/inet/inet_hash.h"
#include "stack/print.h"
#include "stack/tcp/tcp.h"

#define PEER_PORT 4000
#define SERVER_PORT 80
#define ETH_IP_TCP (14 + 20)

/* ---- text by sequence number ----------------------------------------------------------------- */

/* The byte at relative sequence number @seq; the two directions differ. */
static uint8_t pattern(uint32_t seq, bool ours)
{
	return (uint8_t)(seq * 7 + (seq >> 8) * 13 + (ours ? 3 : 101));
}

static void fill_pattern(uint8_t *p, size_t len, uint32_t seq, bool ours)
{
	for (size_t i = 0; i < len; i++)
		p[i] = pattern(seq + (uint32_t)i, ours);
}

static bool is_pattern(const uint8_t *p, size_t len, uint32_t seq, bool ours)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern(seq + (uint32_t)i, ours))
			return false;
	return true;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static struct inet_addr peer_addr(void)
{
	return inet_addr_v4(cpu_to_be32(PEER_ADDR));
}

static struct inet_addr local_addr(void)
{
	return inet_addr_v4(cpu_to_be32(LOCAL_ADDR));
}

struct tcp_conn *conn_new(const struct tcp_params *p)
{
	static const uint8_t seed[32] = "a fixed seed: runs repeat";
	static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 0x99 };
	struct inet_addr local = local_addr(), peer = peer_addr();
	struct tcp_conn *c = calloc(1, sizeof(*c));
	struct neighbour *n;

	CHECK(c != NULL);
	if (p)
		c->p = *p;
	c->lport = SERVER_PORT;
	c->pport = PEER_PORT;
	c->irs = c->p.peer_isn ? c->p.peer_isn : 1000000;
	c->p.win = c->p.win ? c->p.win : 65535;
	c->p.mss = c->p.mss ? c->p.mss : 1460;
	c->p.tsval = c->p.tsval ? c->p.tsval : 1000;
	CHECK_EQ(stack_create(seed, FAKE_CLOCK_START, &c->net), 0);
	c->dev = fake_dev_create(c->net, "eth0", 1);
	if (c->p.mtu)
		CHECK_EQ(dev_set_mtu(c->dev, c->p.mtu), 0);
	CHECK_EQ(inet_addr_add(c->net, c->dev, &local, 24, ACD_NONE), 0);
	n = neigh_create(c->net, &peer, c->dev);
	CHECK(n != NULL);
	neigh_update(n, peer_mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE);
	fake_advance_s(c->net, 60); /* announcements of the address */
	fake_dev_forget(c->dev);
	c->base_timers = c->net->timers.count;
	return c;
}

const struct sockaddr *conn_addr(uint32_t addr, uint16_t port)
{
	static struct sockaddr_in sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(addr);
	sin.sin_port = htons(port);
	return (const struct sockaddr *)&sin;
}

static void count_wake(struct socket *sock)
{
	((struct tcp_conn *)sock->user)->wakes++;
}

static void adopt(struct tcp_conn *c, struct socket *sock)
{
	sock->user = c;
	sock->wake = count_wake;
	c->sock = sock;
}

static void set_options(struct tcp_conn *c, struct socket *s)
{
	if (c->p.rcvbuf)
		CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &c->p.rcvbuf, sizeof(int)), 0);
	if (c->p.sndbuf)
		CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &c->p.sndbuf, sizeof(int)), 0);
	if (c->p.maxseg)
		CHECK_EQ(sock_setsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &c->p.maxseg, sizeof(int)), 0);
	if (c->p.nodelay)
		CHECK_EQ(sock_setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), 0);
	if (c->p.reuseaddr)
		CHECK_EQ(sock_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	if (c->p.cong)
		CHECK_EQ(sock_setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, c->p.cong,
					 (socklen_t)strlen(c->p.cong)), 0);
}

struct socket *conn_socket(struct tcp_conn *c)
{
	struct socket *s = NULL;

	CHECK_EQ(sock_create(c->net, AF_INET, SOCK_STREAM, 0, &s), 0);
	return s;
}

struct tcp_conn *conn_listening(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_new(p);

	c->listener = conn_socket(c);
	set_options(c, c->listener);
	CHECK_EQ(sock_bind(c->listener, conn_addr(0, SERVER_PORT), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(sock_listen(c->listener, 8), 0);
	return c;
}

/* "<mss 1460,...>" by the parameters; @ecr: echo of our clock, NULL = 0 (a SYN). */
static const char *syn_options(const struct tcp_conn *c)
{
	static char buf[120];
	size_t n = 0;

	buf[0] = '\0';
#define ADD(...) n += (size_t)snprintf(buf + n, sizeof(buf) - n, __VA_ARGS__)
	if (!c->p.no_mss)
		ADD(",mss %u", c->p.mss);
	if (c->p.sack)
		ADD(",sackOK");
	if (c->p.ts)
		ADD(",TS val %u ecr 0", c->p.tsval);
	if (c->p.wscale)
		ADD(",nop,wscale %d", c->p.wscale - 1);
#undef ADD
	if (n == 0)
		return "";
	buf[0] = '<';
	snprintf(buf + n, sizeof(buf) - n, ">");
	return buf;
}

/* "<nop,nop,TS val V ecr 0>" on a connection with timestamps, else nothing. */
static const char *ts_options(const struct tcp_conn *c)
{
	static char buf[64];

	if (!c->p.ts)
		return "";
	snprintf(buf, sizeof(buf), "<nop,nop,TS val %u ecr 0>", c->p.tsval);
	return buf;
}

void conn_handshake(struct tcp_conn *c, bool ack)
{
	seg_in(c, "S 0:0(0) win %u %s", c->p.win, syn_options(c));
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	if (ack)
		seg_in(c, ". 1:1(0) ack 1 %s", ts_options(c));
}

void conn_accept(struct tcp_conn *c)
{
	struct socket *s = NULL;

	CHECK_EQ(sock_accept(c->listener, &s), 0);
	adopt(c, s);
}

struct tcp_conn *conn_syn_received(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_listening(p);

	conn_handshake(c, false);
	return c;
}

struct tcp_conn *conn_established(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_listening(p);

	conn_handshake(c, true);
	conn_accept(c);
	seg_none(c);
	return c;
}

int conn_connect(struct tcp_conn *c)
{
	return sock_connect(c->sock, conn_addr(PEER_ADDR, SERVER_PORT), sizeof(struct sockaddr_in));
}

struct tcp_conn *conn_syn_sent(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_new(p);
	struct pkt syn;

	c->pport = SERVER_PORT;
	c->lport = 5000;
	adopt(c, conn_socket(c));
	set_options(c, c->sock);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, c->lport), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	CHECK(seg_take(c, &syn));
	CHECK_EQ(syn.flags, TH_SYN);
	return c;
}

struct tcp_conn *conn_connected(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_syn_sent(p);

	seg_in(c, "S. 0:0(0) ack 1 win %u %s", c->p.win, syn_options(c));
	seg_out(c, ". 1:1(0) ack 1 <...>");
	CHECK_STATE(c, TCP_ESTABLISHED);
	return c;
}

struct tcp_conn *conn_fin_wait1(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_established(p);

	conn_shutdown(c, SHUT_WR);
	seg_out(c, "F. 1:1(0) ack 1 <...>");
	CHECK_STATE(c, TCP_FIN_WAIT1);
	return c;
}

struct tcp_conn *conn_fin_wait2(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_fin_wait1(p);

	seg_in(c, ". 1:1(0) ack 2 %s", ts_options(c));
	CHECK_STATE(c, TCP_FIN_WAIT2);
	return c;
}

struct tcp_conn *conn_closing(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_fin_wait1(p);

	seg_in(c, "F. 1:1(0) ack 1 %s", ts_options(c));
	seg_out(c, ". 2:2(0) ack 2 <...>");
	CHECK_STATE(c, TCP_CLOSING);
	return c;
}

struct tcp_conn *conn_time_wait(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_fin_wait2(p);

	seg_in(c, "F. 1:1(0) ack 2 %s", ts_options(c));
	seg_out(c, ". 2:2(0) ack 2 <...>");
	CHECK_STATE(c, TCP_TIME_WAIT);
	return c;
}

struct tcp_conn *conn_close_wait(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_established(p);

	seg_in(c, "F. 1:1(0) ack 1 %s", ts_options(c));
	seg_ack_within(c, 500, 2);
	CHECK_STATE(c, TCP_CLOSE_WAIT);
	return c;
}

struct tcp_conn *conn_last_ack(const struct tcp_params *p)
{
	struct tcp_conn *c = conn_close_wait(p);

	conn_close(c);
	seg_out(c, "F. 1:1(0) ack 2 <...>");
	CHECK_STATE(c, TCP_LAST_ACK);
	return c;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drop_socket(struct socket *sock)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (!sock)
		return;
	sock_setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sock_release(sock);
}

void conn_free(struct tcp_conn *c)
{
	struct net *net = c->net;
	struct net_device *dev;

	drop_socket(c->sock);
	drop_socket(c->listener);
	/* Orphans give up and TIME-WAIT ends within minutes. */
	for (int i = 0; i < 400 && !stack_idle(net); i++) {
		fake_advance_s(net, 5);
		fake_dev_forget(c->dev);
	}
	CHECK_MSG(sock_next(net, NULL) == NULL, "a socket is left");
	CHECK_EQ(net->busy, 0);
	CHECK(stack_idle(net));
	CHECK_EQ(net->timers.count, c->base_timers);
	fake_dev_forget(c->dev);
	while ((dev = dev_next(net, NULL)))
		unregister_netdev(dev);
	CHECK_EQ(net->skbs_alive, 0);
	CHECK_EQ(net->skb_bytes, 0);
	net_destroy(net);
	free(c);
}

const char *conn_state_name(int state)
{
	return tcp_state_name((uint8_t)state);
}

int conn_state(struct tcp_conn *c)
{
	struct inet_addr local = local_addr(), peer = peer_addr();
	struct inet_sock *inet;

	inet = inet_lookup_established(c->net, IPPROTO_TCP, &peer, cpu_to_be16(c->pport), &local,
				       cpu_to_be16(c->lport), c->dev->ifindex);
	if (!inet)
		return TCP_CLOSE;
	if (inet->sk.prot == &tcp_timewait_prot)
		return ((struct tcp_timewait *)(void *)inet)->substate;
	return inet->sk.state;
}

/* ---- notation -> segment --------------------------------------------------------------------- */

struct scanner {
	const char *p, *all;
};

static bool scan_word(struct scanner *s, const char *word)
{
	size_t n = strlen(word);

	while (*s->p == ' ')
		s->p++;
	if (strncmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

static uint32_t scan_number(struct scanner *s)
{
	char *end;
	unsigned long v;

	while (*s->p == ' ')
		s->p++;
	CHECK_MSG(isdigit((unsigned char)*s->p) || *s->p == '-', "number expected in \"%s\"",
		  s->all);
	v = strtoul(s->p, &end, 10);
	s->p = end;
	return (uint32_t)v;
}

static uint16_t scan_flags(struct scanner *s)
{
	static const char letters[] = "FSRP.UEW";
	uint16_t flags = 0;
	const char *l;

	for (; *s->p && *s->p != ' '; s->p++) {
		if (*s->p == '-')
			continue;
		l = strchr(letters, *s->p);
		CHECK_MSG(l != NULL, "unknown flag in \"%s\"", s->all);
		flags |= (uint16_t)(1U << (l - letters));
	}
	return flags;
}

static void put_byte(struct pkt *p, uint32_t v)
{
	CHECK_LT(p->raw_options_len, 40);
	p->raw_options[p->raw_options_len++] = (uint8_t)v;
}

static void put_long(struct pkt *p, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		put_byte(p, v >> shift);
}

static void scan_sack(struct tcp_conn *c, struct scanner *s, struct pkt *p)
{
	uint8_t *len;

	put_byte(p, 5);
	len = &p->raw_options[p->raw_options_len];
	put_byte(p, 2);
	while (*s->p == ' ' && isdigit((unsigned char)s->p[1])) {
		put_long(p, c->iss + scan_number(s));
		CHECK(scan_word(s, ":"));
		put_long(p, c->iss + scan_number(s));
		*len = (uint8_t)(*len + 8);
	}
}

/* One option; "hex 0304ff" is any bytes. */
static void scan_option(struct tcp_conn *c, struct scanner *s, struct pkt *p)
{
	uint32_t v;

	if (scan_word(s, "mss")) {
		v = scan_number(s);
		put_byte(p, 2);
		put_byte(p, 4);
		put_byte(p, v >> 8);
		put_byte(p, v);
	} else if (scan_word(s, "wscale")) {
		put_byte(p, 3);
		put_byte(p, 3);
		put_byte(p, scan_number(s));
	} else if (scan_word(s, "sackOK")) {
		put_byte(p, 4);
		put_byte(p, 2);
	} else if (scan_word(s, "sack")) {
		scan_sack(c, s, p);
	} else if (scan_word(s, "TS val")) {
		put_byte(p, 8);
		put_byte(p, 10);
		put_long(p, scan_number(s));
		CHECK(scan_word(s, "ecr"));
		v = scan_number(s);
		put_long(p, (p->flags & TH_SYN) && !(p->flags & TH_ACK) ? v : c->ts_base + v);
	} else if (scan_word(s, "nop")) {
		put_byte(p, 1);
	} else if (scan_word(s, "eol")) {
		put_byte(p, 0);
	} else if (scan_word(s, "hex ")) {
		while (isxdigit((unsigned char)*s->p)) {
			char two[3] = { s->p[0], s->p[1], 0 };

			put_byte(p, (uint32_t)strtoul(two, NULL, 16));
			s->p += 2;
		}
	} else {
		CHECK_MSG(false, "unknown option in \"%s\"", s->all);
	}
}

struct pkt seg_make(struct tcp_conn *c, const char *text)
{
	static uint8_t payload[PKT_MAX];
	struct scanner s = { text, text };
	uint16_t flags = scan_flags(&s);
	uint32_t seq = scan_number(&s), len, ack = 0;
	struct pkt p;

	CHECK(scan_word(&s, ":"));
	scan_number(&s);
	CHECK(scan_word(&s, "("));
	len = scan_number(&s);
	CHECK(scan_word(&s, ")"));
	if (scan_word(&s, "ack"))
		ack = c->iss + scan_number(&s);
	p = pkt_tcp(PEER_ADDR, c->pport, LOCAL_ADDR, c->lport, flags, c->irs + seq, ack);
	p.win = c->p.win;
	if (scan_word(&s, "win"))
		p.win = (uint16_t)scan_number(&s);
	if (scan_word(&s, "urg"))
		p.urg = (uint16_t)scan_number(&s);
	if (scan_word(&s, "<")) {
		do
			scan_option(c, &s, &p);
		while (scan_word(&s, ","));
		CHECK_MSG(scan_word(&s, ">"), "option list of \"%s\"", text);
	}
	while (*s.p == ' ')
		s.p++;
	CHECK_MSG(*s.p == '\0', "left over in \"%s\": %s", text, s.p);
	CHECK_LT(len, sizeof(payload) - 200);
	fill_pattern(payload, len, seq + (flags & TH_SYN ? 1 : 0), false);
	p.payload = payload;
	p.payload_len = len;
	return p;
}

void conn_inject(struct tcp_conn *c, const struct pkt *p)
{
	pkt_inject(c->dev, p);
}

void seg_in(struct tcp_conn *c, const char *fmt, ...)
{
	char text[400];
	va_list args;
	struct pkt p;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	p = seg_make(c, text);
	conn_inject(c, &p);
}

void icmp_in(struct tcp_conn *c, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
{
	struct pkt ours = pkt_tcp(LOCAL_ADDR, c->lport, PEER_ADDR, c->pport, TH_ACK, c->iss + seq,
				  c->irs + 1), icmp;
	uint8_t *frame = malloc(PKT_MAX);

	CHECK(frame != NULL);
	pkt_build(&ours, frame);
	icmp = pkt_icmp(PEER_ADDR, LOCAL_ADDR, type, code, rest, frame + 14, 28);
	conn_inject(c, &icmp);
	free(frame);
}

/* ---- segment -> notation --------------------------------------------------------------------- */

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sub32(uint8_t *p, uint32_t base)
{
	uint32_t v = read32(p) - base;

	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Makes the numbers of a frame of ours relative, in place. */
static void make_relative(struct tcp_conn *c, uint8_t *frame, const struct pkt *p)
{
	uint8_t *th = frame + ETH_IP_TCP, *o = th + 20, *end = th + (th[12] >> 4) * 4;

	sub32(th + 4, c->iss);
	if (p->flags & TH_ACK)
		sub32(th + 8, c->irs);
	while (o < end && *o != 0) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (*o == 8) {
			sub32(o + 2, c->ts_base);
		} else if (*o == 5) {
			for (uint8_t i = 2; i < o[1]; i = (uint8_t)(i + 4))
				sub32(o + i, c->irs);
		}
		o += o[1];
	}
}

/* The oldest segment of ours, numbers relative; the caller frees. NULL = none. ARP is dropped. */
static struct fake_frame *take_relative(struct tcp_conn *c, struct pkt *p)
{
	struct fake_frame *f;

	while ((f = fake_dev_take(c->dev))) {
		CHECK(pkt_parse(p, f->data, f->len));
		if (p->eth_type == ETH_P_IP && p->proto == IPPROTO_TCP)
			break;
		CHECK_MSG(p->eth_type == ETH_P_ARP, "sent: %s", pkt_text(p));
		free(f);
	}
	if (!f)
		return NULL;
	CHECK_MSG(p->ip_csum_ok && (f->gso_size || p->l4_csum_ok), "wrong checksum: %s",
		  pkt_text(p));
	CHECK_EQ(p->sport, c->lport);
	if (!c->iss_known && (p->flags & TH_SYN)) {
		c->iss = p->seq;
		c->iss_known = true;
	}
	if (!c->ts_known && p->ts) {
		c->ts_base = p->tsval;
		c->ts_known = true;
	}
	make_relative(c, f->data, p);
	CHECK(pkt_parse(p, f->data, f->len));
	p->at = f->at;
	return f;
}

static void check_text(const struct pkt *p)
{
	CHECK_MSG(is_pattern(p->payload, p->payload_len, p->seq + (p->flags & TH_SYN ? 1 : 0), true),
		  "the text of the segment at %u is not what was written", p->seq);
}

bool seg_take(struct tcp_conn *c, struct pkt *p)
{
	struct fake_frame *f = take_relative(c, p);

	if (!f)
		return false;
	check_text(p);
	p->payload = NULL;
	c->last = *p;
	free(f);
	return true;
}

/* Cuts " win N" out of @text. */
static void cut_window(char *text)
{
	char *win = strstr(text, " win "), *end;

	if (!win)
		return;
	end = win + 5 + strspn(win + 5, "0123456789");
	memmove(win, end, strlen(end) + 1);
}

static void cut_options(char *text)
{
	char *lt = strstr(text, " <");

	if (lt)
		*lt = '\0';
}

/* What is not asked for in @want is taken out of both. */
static void reduce(char *got, char *want)
{
	if (!strstr(want, " win "))
		cut_window(got);
	if (strstr(want, "<...>")) {
		cut_options(got);
		cut_options(want);
	}
}

void fixture_seg_out(struct check_at at, struct tcp_conn *c, const char *fmt, ...)
{
	char want[400], got[400], *text = got;
	struct fake_frame *f;
	struct pkt p;
	va_list args;

	va_start(args, fmt);
	vsnprintf(want, sizeof(want), fmt, args);
	va_end(args);
	f = take_relative(c, &p);
	if (!f) {
		check_str(at, "(nothing)", want);
		return;
	}
	frame_print(f->data, f->len, ARPHRD_ETHER, got, sizeof(got));
	text = strstr(got, ": ");
	text = text ? text + 2 : got;
	check_text(&p);
	p.payload = NULL;
	c->last = p;
	free(f);
	reduce(text, want);
	check_str(at, text, want);
}

void fixture_seg_none(struct check_at at, struct tcp_conn *c)
{
	struct fake_frame *f;
	char got[400];
	struct pkt p;

	f = take_relative(c, &p);
	if (!f)
		return;
	frame_print(f->data, f->len, ARPHRD_ETHER, got, sizeof(got));
	free(f);
	check_str(at, strstr(got, ": ") ? strstr(got, ": ") + 2 : got, "(nothing)");
}

unsigned int seg_forget(struct tcp_conn *c)
{
	struct pkt p;
	unsigned int n = 0;

	while (seg_take(c, &p))
		n++;
	return n;
}

unsigned int fixture_wait(struct check_at at, struct tcp_conn *c, unsigned int ms)
{
	ktime_t start = c->net->now;

	for (;;) {
		ktime_t next = timer_next_expiry(&c->net->timers);

		if (fake_dev_priv(c->dev)->sent_count)
			return (unsigned int)((c->net->now - start) / NSEC_PER_MSEC);
		if (next > start + ms * NSEC_PER_MSEC)
			check_str(at, "(nothing)", "a segment");
		fake_advance_to_next_timer(c->net);
	}
}

void fixture_ack_within(struct check_at at, struct tcp_conn *c, unsigned int ms, uint32_t ack)
{
	struct pkt p;

	fixture_wait(at, c, ms);
	CHECK(seg_take(c, &p));
	if (p.flags != TH_ACK || p.payload_len || p.ack != ack)
		check_failf(at, "wanted an ACK of %u; sent: %s", ack, pkt_text(&p));
}

/* ---- the program ----------------------------------------------------------------------------- */

ssize_t conn_write_flags(struct tcp_conn *c, size_t n, int flags)
{
	uint8_t *buf = malloc(n + 1);
	struct iovec iov = { buf, n };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = (unsigned int)flags };
	ssize_t ret;

	CHECK(buf != NULL);
	fill_pattern(buf, n, 1 + c->wrote, true);
	ret = sock_sendmsg(c->sock, &msg);
	free(buf);
	if (ret > 0)
		c->wrote += (uint32_t)ret;
	fake_settle(c->net);
	return ret;
}

ssize_t conn_write(struct tcp_conn *c, size_t n)
{
	return conn_write_flags(c, n, 0);
}

ssize_t conn_read_flags(struct tcp_conn *c, void *buf, size_t n, unsigned int flags)
{
	struct iovec iov = { buf, n };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = flags };
	ssize_t ret = sock_recvmsg(c->sock, &msg);

	fake_settle(c->net);
	return ret;
}

ssize_t conn_read(struct tcp_conn *c, size_t n)
{
	uint8_t *buf = malloc(n + 1);
	ssize_t ret;
	bool ok;

	CHECK(buf != NULL);
	ret = conn_read_flags(c, buf, n, 0);
	ok = ret <= 0 || is_pattern(buf, (size_t)ret, 1 + c->got, false);
	free(buf);
	CHECK_MSG(ok, "the text read at %u is not what the peer sent", c->got);
	if (ret > 0)
		c->got += (uint32_t)ret;
	return ret;
}

int conn_setopt(struct tcp_conn *c, int level, int name, int val)
{
	return sock_setsockopt(c->sock ? c->sock : c->listener, level, name, &val, sizeof(val));
}

int conn_getopt(struct tcp_conn *c, int level, int name)
{
	int val = 0, ret;
	socklen_t len = sizeof(val);

	ret = sock_getsockopt(c->sock ? c->sock : c->listener, level, name, &val, &len);
	return ret < 0 ? ret : val;
}

int conn_error(struct tcp_conn *c)
{
	return conn_getopt(c, SOL_SOCKET, SO_ERROR);
}

unsigned int conn_poll(struct tcp_conn *c)
{
	return sock_poll(c->sock);
}

void conn_shutdown(struct tcp_conn *c, int how)
{
	CHECK_EQ(sock_shutdown(c->sock, how), 0);
	fake_settle(c->net);
}

void conn_close(struct tcp_conn *c)
{
	sock_release(c->sock);
	c->sock = NULL;
	fake_settle(c->net);
}

void conn_linger(struct tcp_conn *c, int seconds)
{
	const struct linger l = { .l_onoff = 1, .l_linger = seconds };

	CHECK_EQ(sock_setsockopt(c->sock, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
}
