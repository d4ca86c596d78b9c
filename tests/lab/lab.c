/* SPDX-License-Identifier: MIT */
/*
 * lab.c - two hosts on an impaired wire in virtual time, see lab.h
 *
 * One turn: frames and programs go on until nothing can happen at this moment; then both clocks jump
 * to the earliest timer of the two hosts.
 */
#include "tests/lab/lab.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "stack/inet/devinet.h"
#include "stack/tcp/tcp.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

#define PORT 80

/* --- content ------------------------------------------------------------------------------------ */

/* The pattern repeats after a prime number of bytes, so that no segment is like another. */
enum { PERIOD = 65521 };

static const uint8_t *pattern_at(uint64_t pos)
{
	static uint8_t pattern[2 * PERIOD];
	static bool made;

	for (size_t i = 0; !made && i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i % PERIOD * 31 + (i % PERIOD >> 8) * 7 + 1);
	made = true;
	return pattern + pos % PERIOD;
}

static ssize_t fill(void *arg, uint8_t *buf, size_t len)
{
	struct lab_flow *f = arg;
	size_t n = MIN(MIN(len, (size_t)PERIOD), f->bytes - f->sent);

	memcpy(buf, pattern_at(f->sent), n);
	f->sent += n;
	return n ? (ssize_t)n : -EAGAIN;
}

static size_t take(void *arg, const uint8_t *data, size_t len)
{
	struct lab_flow *f = arg;

	for (size_t at = 0; at < len;) {
		size_t n = MIN(len - at, (size_t)PERIOD);

		f->wrong |= memcmp(data + at, pattern_at(f->got + at), n) != 0;
		at += n;
	}
	f->got += len;
	return len;
}

/* --- programs ----------------------------------------------------------------------------------- */

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

static const struct sockaddr *address(uint32_t host)
{
	static struct sockaddr_in sin;

	sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT),
				    .sin_addr.s_addr = htonl(host) };
	return (const struct sockaddr *)&sin;
}

/* Connections may be accepted in another order than they were opened: by the port. */
static void accept_some(struct lab *lab)
{
	struct sockaddr_storage peer, own;
	struct socket *sock;

	while (sock_accept(lab->listener, &sock) == 0) {
		CHECK_GT(sock_getname(sock, &peer, true), 0);
		for (unsigned int i = 0; i < lab->count; i++) {
			struct lab_flow *f = &lab->flows[i];

			CHECK_GT(sock_getname(f->tx, &own, false), 0);
			if (((struct sockaddr_in *)&own)->sin_port !=
			    ((struct sockaddr_in *)&peer)->sin_port)
				continue;
			f->rx = sock;
			watch(sock, &f->rx_woken);
		}
	}
}

/* Lets both ends of a flow do what they can; true when something was done. */
static bool drive(struct lab_flow *f)
{
	bool moved = f->tx_woken || f->rx_woken;
	ssize_t n;

	if (f->tx_woken) {
		f->tx_woken = false;
		while (f->sent < f->bytes && (n = sock_fill(f->tx, fill, f)) > 0)
			;
		if (f->sent < f->bytes && n < 0 && n != -EAGAIN && n != -ENOTCONN)
			f->lab->failed = (int)n;
	}
	if (f->rx_woken) {
		f->rx_woken = false;
		n = sock_read(f->rx, take, f);
		if (n < 0 && n != -EAGAIN)
			f->lab->failed = (int)n;
		if (f->got >= f->bytes && !f->done)
			f->done = f->lab->net[0]->now;
	}
	return moved;
}

/* All that can happen without time passing. */
static void settle(struct lab *lab)
{
	bool more = true;

	while (more) {
		more = net_rx_action(lab->net[0], 64);
		more |= net_rx_action(lab->net[1], 64);
		more |= net_rx_pending(lab->net[0]);
		accept_some(lab);
		for (unsigned int i = 0; i < lab->count; i++)
			more |= drive(&lab->flows[i]);
	}
}

static bool all_done(const struct lab *lab)
{
	for (unsigned int i = 0; i < lab->count; i++)
		if (!lab->flows[i].done)
			return false;
	return true;
}

bool lab_run(struct lab *lab, uint64_t limit_ns)
{
	ktime_t end = lab->net[0]->now + limit_ns;

	for (;;) {
		ktime_t next;

		settle(lab);
		if (lab->failed || all_done(lab))
			return !lab->failed;
		next = MIN(timer_next_expiry(&lab->net[0]->timers),
			   timer_next_expiry(&lab->net[1]->timers));
		if (next > end) {
			net_advance(lab->net[0], end);
			net_advance(lab->net[1], end);
			return false;
		}
		net_advance(lab->net[0], next);
		net_advance(lab->net[1], next);
	}
}

struct lab_flow *lab_flow(struct lab *lab, uint64_t bytes)
{
	struct lab_flow *f = &lab->flows[lab->count];

	CHECK_LT(lab->count, LAB_FLOWS);
	f->lab = lab;
	f->bytes = bytes;
	f->start = lab->net[0]->now;
	CHECK_EQ(sock_create(lab->net[0], AF_INET, SOCK_STREAM, 0, &f->tx), 0);
	watch(f->tx, &f->tx_woken);
	CHECK_EQ(sock_connect(f->tx, address(0x0a000002), sizeof(struct sockaddr_in)), -EINPROGRESS);
	lab->count++;
	return f;
}

/* --- making and ending -------------------------------------------------------------------------- */

static void impair(struct lab *lab, const char *spec, uint64_t seed)
{
	struct impair_plan *plan = NULL;
	struct impair_error err;
	int ret = impair_parse(spec, &plan, &err);

	CHECK_MSG(ret == 0, "\"%s\": %u:%u: %s", spec, err.line, err.column, err.reason);
	CHECK_EQ(impair_attach(lab->dev[0], plan, true, seed), 0);
	impair_plan_free(plan);
}

static void make_hosts(struct lab *lab, const char *ca)
{
	static const uint8_t seeds[2][32] = { "host zero", "host one" };
	static const uint8_t macs[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
	struct wire_config cfg = { .queue_len = 100000 };

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(stack_create(seeds[i], FAKE_CLOCK_START, &lab->net[i]), 0);
		CHECK_MSG(tcp_set_default_congestion_control(lab->net[i], ca) == 0, "no \"%s\"", ca);
	}
	cfg.a = (struct wire_end){ lab->net[0], "eth0", macs[0] };
	cfg.b = (struct wire_end){ lab->net[1], "eth0", macs[1] };
	CHECK_EQ(wire_create_pair(&cfg, &lab->dev[0], &lab->dev[1]), 0);
	for (int i = 0; i < 2; i++) {
		struct inet_addr own = inet_addr_v4(htonl(0x0a000001U + (uint32_t)i));

		CHECK_EQ(dev_open(lab->dev[i]), 0);
		CHECK_EQ(inet_addr_add(lab->net[i], lab->dev[i], &own, 24, ACD_NONE), 0);
	}
}

struct lab *lab_open(const char *spec, uint64_t seed, const char *ca)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	CHECK(lab != NULL);
	make_hosts(lab, ca);
	impair(lab, spec, seed);
	CHECK_EQ(sock_create(lab->net[1], AF_INET, SOCK_STREAM, 0, &lab->listener), 0);
	CHECK_EQ(sock_bind(lab->listener, address(0), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(sock_listen(lab->listener, 16), 0);
	return lab;
}

void lab_capture(struct lab *lab, int fd)
{
	struct capture_config cfg = { .fd = fd, .application = "lab" };
	char err[200] = "";

	CHECK_MSG(capture_open(lab->net[0], &cfg, &lab->capture, err, sizeof(err)) == 0, "%s", err);
}

void lab_close(struct lab *lab)
{
	for (unsigned int i = 0; i < lab->count; i++) {
		sock_release(lab->flows[i].tx);
		if (lab->flows[i].rx)
			sock_release(lab->flows[i].rx);
	}
	sock_release(lab->listener);
	if (lab->capture)
		CHECK_EQ(capture_close(lab->capture), 0);
	for (int i = 0; i < 2; i++) {
		struct net_device *dev;

		while ((dev = dev_next(lab->net[i], NULL)))
			unregister_netdev(dev);
	}
	for (int i = 0; i < 2; i++) {
		net_destroy(lab->net[i]);
	}
	free(lab);
}
