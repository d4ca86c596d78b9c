/* SPDX-License-Identifier: MIT */
/*
 * Flows of each algorithm over a bottleneck, in virtual time: how much of the link one takes, with what
 * queue, and how two of a kind share it.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/unit/tcp_pair.h"

#include "stack/tcp/tcp.h"

#include <linux/inet_diag.h>
#include <linux/tcp.h> /* behind sock.h: it defines SOCK_*_LOCK as macros */

#define MAX_FLOWS 2
#define RATE 1250000U /* bytes a second: 10 Mbit/s */

struct flows {
	struct tcp_pair *p;
	int count;
	struct socket *tx[MAX_FLOWS], *rx[MAX_FLOWS];
	uint64_t got[MAX_FLOWS];
};

static void add_flow(struct flows *f)
{
	pair_connect(f->p);
	f->tx[f->count] = f->p->sock[0];
	f->rx[f->count++] = f->p->sock[1];
	f->p->sock[0] = f->p->sock[1] = NULL;
}

static struct flows flows_new(const struct medium *m, const char *cong)
{
	struct flows f = { .p = pair_new(m) };

	for (int i = 0; i < 2; i++)
		CHECK_EQ(tcp_set_default_congestion_control(f.p->net[i], cong), 0);
	add_flow(&f);
	return f;
}

static void flows_free(struct flows *f)
{
	for (int i = 0; i < f->count; i++) {
		const struct linger l = { .l_onoff = 1 };

		sock_setsockopt(f->tx[i], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
		sock_release(f->tx[i]);
		sock_release(f->rx[i]);
	}
	pair_free(f->p);
}

/* Always something to send, all that comes is read. */
static void serve(struct flows *f)
{
	static uint8_t buf[65536];
	struct iovec iov = { buf, sizeof(buf) };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = MSG_DONTWAIT };
	ssize_t n;

	for (int i = 0; i < f->count; i++) {
		if (tcp_stream_writeable(tcp_sk(f->tx[i]->sk)))
			sock_sendmsg(f->tx[i], &msg);
		while ((n = sock_recvmsg(f->rx[i], &msg)) > 0)
			f->got[i] += (uint64_t)n;
	}
}

static void run_ms(struct flows *f, uint64_t ms)
{
	ktime_t start = f->p->net[0]->now;

	while (pair_ms(f->p, start) < ms) {
		serve(f);
		CHECK(pair_step(f->p));
	}
}

/* Per cent of the link that flow @i takes in the next @ms; headers count as well. */
static uint32_t share(struct flows *f, int i, uint64_t ms)
{
	uint64_t before = f->got[i];

	run_ms(f, ms);
	return (uint32_t)((f->got[i] - before) * 1514 / 1448 * 100 / (RATE * ms / 1000));
}

/* ---- one flow -------------------------------------------------------------------------------- */

/* 40 ms, a queue of one bandwidth-delay product: what each algorithm is made for. */
TEST(test_one_flow_fills_the_link)
{
	static const struct {
		const char *cong;
		uint32_t mark_bytes;
		uint32_t share, srtt_ms; /* at least, at most */
	} rows[] = {
		{ "reno", 0, 90, 85 }, { "cubic", 0, 93, 85 }, { "bbr", 0, 90, 65 },
		{ "dctcp", 15000, 90, 60 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct medium m = { .seed = 1, .delay_us = 20000, .bytes_per_s = RATE,
				    .queue_bytes = 50000, .mark_bytes = rows[i].mark_bytes };
		struct flows f = flows_new(&m, rows[i].cong);
		struct tcp_sock *tp = tcp_sk(f.tx[0]->sk);
		uint32_t got;

		run_ms(&f, 5000);
		got = share(&f, 0, 10000);
		CHECK_MSG(got >= rows[i].share, "%s takes %u%% of the link", rows[i].cong, got);
		CHECK_MSG(tp->srtt_us / 1000 <= rows[i].srtt_ms, "%s: round trips of %u ms",
			  rows[i].cong, tp->srtt_us / 1000);
		if (rows[i].mark_bytes)
			CHECK_EQ(f.p->lost[0], 0);
		flows_free(&f);
	}
}

/* BBR's model: bandwidth and round trip are those of the link; loss of 2 % does not matter. */
TEST(test_bbr_finds_rate_and_delay)
{
	struct medium m = { .seed = 2, .delay_us = 20000, .bytes_per_s = RATE, .queue_bytes = 200000,
			    .loss = 20 };
	struct flows f = flows_new(&m, "bbr");
	struct tcp_bbr_info info;
	socklen_t len = sizeof(info);
	uint64_t bw;
	uint32_t got;

	run_ms(&f, 5000);
	CHECK_EQ(sock_getsockopt(f.tx[0], IPPROTO_TCP, TCP_CC_INFO, &info, &len), 0);
	CHECK_EQ(len, sizeof(info));
	bw = info.bbr_bw_lo | (uint64_t)info.bbr_bw_hi << 32;
	CHECK_GE(bw, (uint64_t)RATE * 90 / 100);
	CHECK_LE(bw, (uint64_t)RATE * 105 / 100);
	CHECK_GE(info.bbr_min_rtt, 40000);
	CHECK_LE(info.bbr_min_rtt, 45000);
	got = share(&f, 0, 10000);
	CHECK_GE(got, 85);
	flows_free(&f);
}

/* TCP_INFO's delivery rate is the link's. */
TEST(test_delivery_rate)
{
	struct medium m = { .seed = 3, .delay_us = 20000, .bytes_per_s = RATE, .queue_bytes = 50000 };
	struct flows f = flows_new(&m, "cubic");
	struct tcp_sock *tp = tcp_sk(f.tx[0]->sk);

	run_ms(&f, 3000);
	CHECK_GE(tcp_delivery_rate(tp), (uint64_t)RATE * 90 / 100);
	CHECK_LE(tcp_delivery_rate(tp), (uint64_t)RATE * 105 / 100);
	CHECK(!tp->rate_app_limited);
	flows_free(&f);
}

/* ---- two flows ------------------------------------------------------------------------------- */

/* Jain's index of two shares in thousandths; the second flow starts five seconds later. */
TEST(test_two_flows_share)
{
	static const struct {
		const char *cong;
		uint32_t mark_bytes;
	} rows[] = { { "reno", 0 }, { "cubic", 0 }, { "bbr", 0 }, { "dctcp", 15000 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct medium m = { .seed = 4, .delay_us = 10000, .bytes_per_s = RATE,
				    .queue_bytes = 50000, .mark_bytes = rows[i].mark_bytes };
		struct flows f = flows_new(&m, rows[i].cong);
		uint64_t a, b, jain;

		run_ms(&f, 5000);
		add_flow(&f);
		run_ms(&f, 20000);
		a = f.got[0];
		b = f.got[1];
		run_ms(&f, 40000);
		a = (f.got[0] - a) / 1000;
		b = (f.got[1] - b) / 1000;
		jain = (a + b) * (a + b) * 1000 / (2 * (a * a + b * b));
		CHECK_MSG(jain >= 950, "%s: Jain's index %llu (%llu and %llu KB)", rows[i].cong,
			  (unsigned long long)jain, (unsigned long long)a, (unsigned long long)b);
		CHECK_MSG((a + b) * 1000 >= RATE * 40ULL * 85 / 100, "%s: %llu KB", rows[i].cong,
			  (unsigned long long)(a + b));
		flows_free(&f);
	}
}
