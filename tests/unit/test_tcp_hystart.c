/* SPDX-License-Identifier: MIT */
/* HyStart++ (RFC 9406): rounds with made round-trip times. */
#include "stack/tcp/tcp.h"
#include "tests/unit/tcp_fixture.h"

#define SMSS 1460U
#define ROUND 20U

struct flow {
	struct tcp_conn *c;
	struct tcp_sock *tp;
	struct tcp_hystart h;
};

static struct flow flow(void)
{
	struct flow f = { .c = conn_established(NULL) };

	f.tp = tcp_sk(f.c->sock->sk);
	f.tp->snd_cwnd = ROUND * SMSS;
	f.tp->snd_nxt += ROUND * SMSS;
	tcp_hystart_init(f.tp, &f.h);
	return f;
}

/* A round of ROUND segments, each acknowledged alone, with @samples of @ms among them; how much the
 * window has grown for each ten segments. */
static uint32_t round_of(struct flow *f, unsigned int samples, uint32_t ms)
{
	uint32_t before = f->tp->snd_cwnd;

	for (unsigned int i = 0; i < ROUND; i++) {
		f->tp->snd_una += SMSS; /* by hand: nothing is on the wire */
		f->tp->snd_nxt += SMSS;
		tcp_hystart_acked(f->tp, &f->h, i < samples ? (int32_t)(ms * 1000) : -1);
		if (tcp_in_slow_start(f->tp))
			tcp_hystart_slow_start(f->tp, &f->h, SMSS);
	}
	return (f->tp->snd_cwnd - before) * 10 / (ROUND * SMSS);
}

static void done(struct flow *f)
{
	f->tp->snd_una = f->tp->snd_nxt = f->tp->iss + 1;
	conn_free(f->c);
}

/* 4.2: clamp(4 ms, lastRoundMinRTT / 8, 16 ms); does slow start give way? */
TEST(test_threshold_by_round_trip_time)
{
	static const struct {
		uint32_t last_ms, curr_ms;
		bool css;
	} rows[] = {
		{ 10, 13, false }, { 10, 14, true },    /* 4 ms at least */
		{ 80, 89, false }, { 80, 90, true },    /* an eighth */
		{ 400, 415, false }, { 400, 416, true }, /* 16 ms at most */
		{ 100, 50, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct flow f = flow();

		round_of(&f, 10, rows[i].last_ms);
		round_of(&f, 10, rows[i].last_ms);
		round_of(&f, 9, rows[i].curr_ms);
		CHECK_EQ(f.h.css_rounds > 0, rows[i].css);
		done(&f);
	}
}

/* 4.3: N_RTT_SAMPLE = 8 samples make a round that counts. */
TEST(test_seven_samples_are_too_few)
{
	struct flow f = flow();

	round_of(&f, 10, 50);
	round_of(&f, 10, 50);
	round_of(&f, 7, 100);
	CHECK_EQ(f.h.css_rounds, 0);
	CHECK_EQ(round_of(&f, 10, 50), 10);
	done(&f);
}

/* 4.2: CSS grows by a quarter, for five rounds; then ssthresh is the window. */
TEST(test_five_rounds_of_conservative_slow_start)
{
	struct flow f = flow();

	CHECK_EQ(round_of(&f, 10, 50), 10);
	CHECK_EQ(round_of(&f, 10, 50), 10);
	round_of(&f, 20, 60); /* in the midst of this one: the first of CSS */
	CHECK_EQ(f.h.css_rounds, 2);
	for (int i = 2; i < 5; i++) {
		CHECK_EQ(round_of(&f, 20, 60), 2);
		CHECK(tcp_in_slow_start(f.tp));
	}
	round_of(&f, 20, 60);
	CHECK_EQ(f.tp->snd_ssthresh, f.tp->snd_cwnd);
	CHECK(!tcp_in_slow_start(f.tp));
	CHECK_EQ(f.c->net->mib[MIB_TcpExtTCPHystartDelayDetect], 1);
	CHECK_EQ(f.c->net->mib[MIB_TcpExtTCPHystartDelayCwnd], f.tp->snd_cwnd / SMSS);
	done(&f);
}

/* 4.2: faster than at the start of CSS: the delay was no queue, slow start goes on. */
TEST(test_false_alarm_resumes_slow_start)
{
	struct flow f = flow();

	round_of(&f, 10, 50);
	round_of(&f, 10, 50);
	round_of(&f, 20, 60);
	CHECK_GT(f.h.css_rounds, 0);
	round_of(&f, 20, 59);
	CHECK_EQ(f.h.css_rounds, 0);
	CHECK_EQ(round_of(&f, 20, 59), 10);
	CHECK_EQ(f.tp->snd_ssthresh, TCP_INFINITE_SSTHRESH);
	done(&f);
}

/* 4.3: only the first slow start. */
TEST(test_later_slow_starts_are_plain)
{
	struct flow f = flow();

	f.tp->snd_ssthresh = 1000 * SMSS;
	round_of(&f, 10, 50);
	round_of(&f, 10, 50);
	CHECK_EQ(round_of(&f, 20, 100), 10);
	CHECK_EQ(f.h.css_rounds, 0);
	done(&f);
}
