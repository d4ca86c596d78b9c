/* SPDX-License-Identifier: MIT */
/* tcp_pair.c - two hosts and a bad medium between them, see tcp_pair.h */
#include "tests/unit/tcp_pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "stack/core/checksum.h"
#include "stack/inet/devinet.h"
#include "stack/inet/ip.h"

#define GIVE_UP_MS (600 * 1000ULL)

struct frame_under_way {
	struct list_head list;
	ktime_t due;
	uint16_t gso_size;
	bool partial;
	uint32_t len;
	uint8_t data[];
};

/* ---- the medium ------------------------------------------------------------------------------ */

static uint32_t rnd(struct tcp_pair *p, uint32_t below)
{
	p->rng = p->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((p->rng >> 33) % below);
}

static bool chance(struct tcp_pair *p, unsigned int thousandths)
{
	return thousandths && rnd(p, 1000) < thousandths;
}

static void insert_by_time(struct list_head *way, struct frame_under_way *f)
{
	struct list_head *at = way->prev;

	while (at != way && list_entry(at, struct frame_under_way, list)->due > f->due)
		at = at->prev;
	list_insert(&f->list, at, at->next);
}

static void put_on_way(struct tcp_pair *p, int from, const struct fake_frame *ff, ktime_t due)
{
	struct frame_under_way *f = malloc(sizeof(*f) + ff->len);

	CHECK(f != NULL);
	f->due = due;
	f->gso_size = ff->gso_size;
	f->partial = ff->csum_partial && ff->gso_size;
	f->len = ff->len;
	memcpy(f->data, ff->data, ff->len);
	if (chance(p, p->m.corrupt) && f->len > 34 && !f->partial)
		f->data[34 + rnd(p, f->len - 34)] ^= (uint8_t)(1 + rnd(p, 255));
	insert_by_time(&p->way[from], f);
}

/* A router reports that @ff is too large for the next link: a frame for its sender. */
static void report_too_large(struct tcp_pair *p, int from, const struct fake_frame *ff)
{
	uint8_t buf[14 + 20 + 8 + 28];
	struct iphdr4 *ip = (struct iphdr4 *)(void *)(buf + 14);
	struct icmphdr icmp = { .type = ICMP_DEST_UNREACH, .code = ICMP_FRAG_NEEDED };
	struct frame_under_way *f = malloc(sizeof(*f) + sizeof(buf));

	CHECK(f != NULL);
	memset(buf, 0, sizeof(buf));
	memcpy(buf, p->dev[from]->dev_addr, 6);
	memcpy(buf + 6, p->dev[!from]->dev_addr, 6);
	buf[12] = 8;
	ip->vihl = 0x45;
	ip->tot_len = htons(sizeof(buf) - 14);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	memcpy(&ip->saddr, ff->data + 14 + 16, 4);
	memcpy(&ip->daddr, ff->data + 14 + 12, 4);
	ip->check = ip_fast_csum(ip, 5);
	icmp.un.frag.mtu = htons((uint16_t)p->m.path_mtu);
	memcpy(buf + 34, &icmp, 8);
	memcpy(buf + 42, ff->data + 14, 28);
	icmp.checksum = csum_fold(csum_partial(buf + 34, sizeof(buf) - 34, 0));
	memcpy(buf + 34, &icmp, 8);
	f->due = p->net[0]->now + 2 * NSEC_PER_USEC;
	f->gso_size = 0;
	f->partial = false;
	f->len = sizeof(buf);
	memcpy(f->data, buf, sizeof(buf));
	insert_by_time(&p->way[!from], f);
}

static uint32_t largest_packet(const struct fake_frame *ff)
{
	return ff->gso_size ? ff->gso_size + 52U : ff->len - 14;
}

/* When the frame arrives, or 0 when the queue in front of the link is full. */
static ktime_t arrival(struct tcp_pair *p, int from, uint32_t len)
{
	ktime_t now = p->net[0]->now, start = MAX(now, p->busy_until[from]);
	uint64_t delay = (p->m.delay_us ? p->m.delay_us : 100) * NSEC_PER_USEC;

	if (p->m.bytes_per_s) {
		uint64_t waiting = (start - now) * p->m.bytes_per_s / NSEC_PER_SEC;

		if (p->m.queue_bytes && waiting + len > p->m.queue_bytes)
			return 0;
		start += len * NSEC_PER_SEC / p->m.bytes_per_s;
		p->busy_until[from] = start;
	}
	if (chance(p, p->m.reorder))
		delay += rnd(p, p->m.reorder_us ? p->m.reorder_us : 500) * NSEC_PER_USEC;
	return start + delay;
}

/* A router with ECN: CE on what is capable while the queue is long (RFC 3168 5; RFC 8257 3.1). */
static void mark(struct tcp_pair *p, int from, struct fake_frame *ff)
{
	struct iphdr4 *ip = (struct iphdr4 *)(void *)(ff->data + 14);
	ktime_t now = p->net[0]->now, free_at = MAX(now, p->busy_until[from]);

	if (!p->m.mark_bytes || ff->data[12] != 8 || ff->data[13] != 0 || (ip->tos & 3) == 0 ||
	    (free_at - now) * p->m.bytes_per_s / NSEC_PER_SEC <= p->m.mark_bytes)
		return;
	ip->tos |= 3;
	ip->check = 0;
	ip->check = ip_fast_csum(ip, 5);
}

static void carry(struct tcp_pair *p, int from, struct fake_frame *ff)
{
	ktime_t due;

	p->sent[from]++;
	mark(p, from, ff);
	if (p->m.path_mtu && largest_packet(ff) > p->m.path_mtu) {
		report_too_large(p, from, ff);
		p->lost[from]++;
		return;
	}
	if (p->m.black_hole && largest_packet(ff) > p->m.black_hole) {
		p->lost[from]++;
		return;
	}
	due = arrival(p, from, ff->len);
	if (!due || chance(p, p->m.loss)) {
		p->lost[from]++;
		return;
	}
	put_on_way(p, from, ff, due);
	if (chance(p, p->m.duplicate))
		put_on_way(p, from, ff, due + rnd(p, 1000) * NSEC_PER_USEC);
}

static void collect(struct tcp_pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct fake_frame *ff;

		while ((ff = fake_dev_take(p->dev[i]))) {
			carry(p, i, ff);
			free(ff);
		}
	}
}

static void deliver(struct tcp_pair *p, int to, struct frame_under_way *f)
{
	struct net_device *dev = p->dev[to];
	struct sk_buff *skb = alloc_skb(dev->net, f->len + 2);

	CHECK(skb != NULL);
	skb_reserve(skb, 2);
	memcpy(skb_put(skb, f->len), f->data, f->len);
	skb->dev = dev;
	skb->ip_summed = f->partial ? CHECKSUM_PARTIAL : CHECKSUM_NONE;
	if (f->gso_size) {
		skb->gso_size = f->gso_size;
		skb->gso_type = SKB_GSO_TCPV4;
		skb->gso_segs = (uint16_t)((f->len - 66 + f->gso_size - 1U) / f->gso_size);
	}
	skb_append(&fake_dev_priv(dev)->rx, skb);
	napi_schedule(&dev->napi);
	free(f);
	fake_settle(dev->net);
}

bool pair_step(struct tcp_pair *p)
{
	ktime_t next =
		MIN(timer_next_expiry(&p->net[0]->timers), timer_next_expiry(&p->net[1]->timers));
	int from = -1;

	collect(p);
	for (int i = 0; i < 2; i++) {
		struct frame_under_way *f;

		if (list_empty(&p->way[i]))
			continue;
		f = list_first_entry(&p->way[i], struct frame_under_way, list);
		if (f->due <= next) {
			next = f->due;
			from = i;
		}
	}
	if (next == TIMER_NONE)
		return false;
	net_advance(p->net[0], next);
	net_advance(p->net[1], next);
	if (from >= 0) {
		struct frame_under_way *f =
			list_first_entry(&p->way[from], struct frame_under_way, list);

		list_del(&f->list);
		deliver(p, !from, f);
	} else {
		fake_settle(p->net[0]);
		fake_settle(p->net[1]);
	}
	collect(p);
	return true;
}

void pair_run_ms(struct tcp_pair *p, uint64_t ms)
{
	ktime_t end = p->net[0]->now + ms * NSEC_PER_MSEC;

	for (;;) {
		ktime_t next = MIN(timer_next_expiry(&p->net[0]->timers),
				   timer_next_expiry(&p->net[1]->timers));

		collect(p);
		for (int i = 0; i < 2; i++)
			if (!list_empty(&p->way[i]))
				next = MIN(next, list_first_entry(&p->way[i],
								  struct frame_under_way, list)
							 ->due);
		if (next > end)
			break;
		CHECK(pair_step(p));
	}
	net_advance(p->net[0], end);
	net_advance(p->net[1], end);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

struct tcp_pair *pair_new(const struct medium *m)
{
	static const uint8_t seeds[2][32] = { "host zero", "host one" };
	struct tcp_pair *p = calloc(1, sizeof(*p));

	CHECK(p != NULL);
	p->m = *m;
	p->rng = m->seed * 2654435761U + 1;
	for (int i = 0; i < 2; i++) {
		struct inet_addr own = inet_addr_v4(htonl(0x0a000001U + (uint32_t)i));

		list_init(&p->way[i]);
		CHECK_EQ(stack_create(seeds[i], FAKE_CLOCK_START, &p->net[i]), 0);
		p->dev[i] = fake_dev_create(p->net[i], "eth0", (uint8_t)(i + 1));
		if (m->mtu) {
			p->dev[i]->max_mtu = 65535;
			CHECK_EQ(dev_set_mtu(p->dev[i], m->mtu), 0);
		}
		if (m->tso) {
			p->dev[i]->features |= NETIF_F_TSO | NETIF_F_HW_CSUM | NETIF_F_SG;
			p->dev[i]->gso_max_size = 65536;
		}
		CHECK_EQ(inet_addr_add(p->net[i], p->dev[i], &own, 24, ACD_NONE), 0);
	}
	return p;
}

static void release(struct socket **sock)
{
	if (*sock)
		sock_release(*sock);
	*sock = NULL;
}

void pair_free(struct tcp_pair *p)
{
	release(&p->sock[0]);
	release(&p->sock[1]);
	release(&p->listener);
	for (int i = 0; i < 2; i++) {
		struct frame_under_way *f;

		while (!list_empty(&p->way[i])) {
			f = list_first_entry(&p->way[i], struct frame_under_way, list);
			list_del(&f->list);
			free(f);
		}
	}
	for (int i = 0; i < 2; i++) {
		struct net_device *dev;

		while ((dev = dev_next(p->net[i], NULL)))
			unregister_netdev(dev);
		net_destroy(p->net[i]);
	}
	free(p);
}

static const struct sockaddr *address(uint32_t host, uint16_t port)
{
	static struct sockaddr_in sin;

	sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(host) };
	return (const struct sockaddr *)&sin;
}

/* As the host does: a program's end is looked at only when its wake callback has been called. */
static void note_wake(struct socket *sock)
{
	*(bool *)sock->user = true;
}

static void watch(struct socket *sock, bool *woken)
{
	*woken = true;
	sock->user = woken;
	sock->wake = note_wake;
}

void pair_connect(struct tcp_pair *p)
{
	ktime_t start = p->net[0]->now;

	if (!p->listener) {
		CHECK_EQ(sock_create(p->net[1], AF_INET, SOCK_STREAM, 0, &p->listener), 0);
		CHECK_EQ(sock_bind(p->listener, address(0, 80), sizeof(struct sockaddr_in)), 0);
		CHECK_EQ(sock_listen(p->listener, 16), 0);
	}
	CHECK_EQ(sock_create(p->net[0], AF_INET, SOCK_STREAM, 0, &p->sock[0]), 0);
	CHECK_EQ(sock_connect(p->sock[0], address(0x0a000002, 80), sizeof(struct sockaddr_in)),
		 -EINPROGRESS);
	while (sock_accept(p->listener, &p->sock[1]) == -EAGAIN) {
		CHECK_LT(pair_ms(p, start), GIVE_UP_MS);
		CHECK_MSG(!(sock_poll(p->sock[0]) & POLLERR), "connect failed after %llu ms",
			  (unsigned long long)pair_ms(p, start));
		CHECK(pair_step(p));
	}
	CHECK_EQ(p->sock[0]->sk->state, TCP_ESTABLISHED);
	watch(p->sock[0], &p->woken[0]);
	watch(p->sock[1], &p->woken[1]);
}

/* ---- programs -------------------------------------------------------------------------------- */

static uint8_t pattern_at(size_t pos)
{
	return (uint8_t)(pos * 31 + (pos >> 8) * 7 + (pos >> 16));
}

struct reader {
	size_t got;
	bool wrong;
};

static size_t check_text(void *arg, const uint8_t *data, size_t len)
{
	struct reader *r = arg;

	for (size_t i = 0; i < len; i++)
		if (data[i] != pattern_at(r->got + i))
			r->wrong = true;
	r->got += len;
	return len;
}

static size_t write_some(struct socket *sock, size_t pos, size_t left, size_t chunk)
{
	static uint8_t buf[256 * 1024];
	struct iovec iov = { buf, MIN(MIN(left, chunk), sizeof(buf)) };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };
	ssize_t n;

	if (left == 0 || sock_wspace(sock) == 0)
		return 0;
	for (size_t i = 0; i < iov.iov_len; i++)
		buf[i] = pattern_at(pos + i);
	n = sock_sendmsg(sock, &msg);
	CHECK_MSG(n > 0 || n == -EAGAIN, "sendmsg: %s", strerror((int)-n));
	return n > 0 ? (size_t)n : 0;
}

struct filling {
	size_t pos, left;
};

static ssize_t fill_pattern(void *arg, uint8_t *buf, size_t len)
{
	struct filling *f = arg;
	size_t n = MIN(len, f->left);

	for (size_t i = 0; i < n; i++)
		buf[i] = pattern_at(f->pos + i);
	f->pos += n;
	f->left -= n;
	return n ? (ssize_t)n : -EAGAIN;
}

static size_t fill_some(struct socket *sock, size_t pos, size_t left)
{
	struct filling f = { pos, left };
	ssize_t n = left ? sock_fill(sock, fill_pattern, &f) : 0;

	CHECK_MSG(n >= 0 || n == -EAGAIN, "fill: %s", strerror((int)-n));
	CHECK_EQ(f.pos - pos, n > 0 ? n : 0);
	return n > 0 ? (size_t)n : 0;
}

void pair_transfer(struct tcp_pair *p, int from, size_t bytes, size_t chunk)
{
	struct socket *tx = p->sock[from], *rx = p->sock[!from];
	struct reader r = { 0 };
	ktime_t start = p->net[0]->now;
	size_t wrote = 0, n;
	ssize_t got;

	p->woken[0] = p->woken[1] = true;
	while (r.got < bytes) {
		while (p->woken[from] &&
		       (n = chunk ? write_some(tx, wrote, bytes - wrote, chunk) :
				    fill_some(tx, wrote, MIN(bytes - wrote, 100000))))
			wrote += n;
		if (p->woken[!from]) {
			got = sock_read(rx, check_text, &r);
			CHECK_MSG(got >= 0 || got == -EAGAIN, "after %zu of %zu bytes: %s", r.got,
				  bytes, strerror((int)-got));
			CHECK(!r.wrong);
		}
		p->woken[0] = p->woken[1] = false;
		if (r.got >= bytes)
			break;
		CHECK_MSG(pair_ms(p, start) < GIVE_UP_MS, "stuck after %zu of %zu bytes", r.got,
			  bytes);
		CHECK_MSG(pair_step(p), "nothing will ever happen after %zu of %zu bytes", r.got,
			  bytes);
	}
	CHECK_EQ(r.got, bytes);
}

static bool at_end(struct socket *sock)
{
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };
	ssize_t n = sock_recvmsg(sock, &msg);

	CHECK_MSG(n == 0 || n == -EAGAIN, "at the end: %zd", n);
	return n == 0;
}

void pair_close(struct tcp_pair *p)
{
	ktime_t start = p->net[0]->now;

	CHECK_EQ(sock_shutdown(p->sock[0], SHUT_WR), 0);
	while (!at_end(p->sock[1])) {
		CHECK_LT(pair_ms(p, start), GIVE_UP_MS);
		CHECK(pair_step(p));
	}
	release(&p->sock[1]);
	while (!at_end(p->sock[0])) {
		CHECK_LT(pair_ms(p, start), GIVE_UP_MS);
		CHECK(pair_step(p));
	}
	release(&p->sock[0]);
	while (p->net[0]->busy || p->net[1]->busy) {
		CHECK_LT(pair_ms(p, start), GIVE_UP_MS);
		CHECK(pair_step(p));
	}
}
