/* SPDX-License-Identifier: MIT */
/*
 * Random segments in each state: whatever comes, nothing crashes, nothing hangs, nothing is left
 * behind, and a sane connection can be made afterwards. Worth most under ASan and UBSan.
 */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define ROUNDS 12
#define SEGMENTS 150

struct rng {
	uint64_t s;
};

static uint32_t rnd(struct rng *r, uint32_t below)
{
	r->s = r->s * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((r->s >> 33) % below);
}

/* Near the truth more often than not: that is where the code is. */
static uint32_t near(struct rng *r, uint32_t truth)
{
	static const int32_t step[] = {0,    0,	   0,	  1,	-1,    2,     100,
				       -100, 1460, -1460, 5000, 65535, -65535};

	if (rnd(r, 12) == 0)
		return (uint32_t)(rnd(r, 65536) << 16 | rnd(r, 65536));
	return truth + (uint32_t)step[rnd(r, ARRAY_SIZE(step))];
}

/* The numbers that the connection stands at, also when its socket is not a full one. */
static void truth(struct tcp_conn *c, uint32_t *rcv_nxt, uint32_t *snd_nxt)
{
	struct sock *sk = NULL;

	*rcv_nxt = c->irs + 1;
	*snd_nxt = c->iss + 1;
	while ((sk = sock_next(c->net, sk))) {
		if (sk->prot == &tcp_prot && sk->state != TCP_LISTEN && sk->state != TCP_CLOSE) {
			*rcv_nxt = tcp_sk(sk)->rcv_nxt;
			*snd_nxt = tcp_sk(sk)->snd_nxt;
		}
	}
}

static void random_options(struct rng *r, struct pkt *p, uint32_t rcv_nxt, uint32_t snd_nxt)
{
	if (rnd(r, 3) == 0) {
		p->ts = true;
		p->tsval = near(r, 2000);
		p->tsecr = near(r, 1000);
	}
	if (rnd(r, 4) == 0) {
		p->sacks = 1 + rnd(r, 2);
		for (unsigned int i = 0; i < p->sacks; i++) {
			p->sack[i][0] = near(r, snd_nxt - rnd(r, 20000));
			p->sack[i][1] = rnd(r, 3) ? p->sack[i][0] + rnd(r, 6000) : near(r, snd_nxt);
		}
	}
	if (rnd(r, 4) == 0 && !p->sacks) {
		p->raw_options_len = (uint8_t)(rnd(r, 5) * 4);
		for (unsigned int i = 0; i < p->raw_options_len; i++)
			p->raw_options[i] = rnd(r, 2) ? (uint8_t)rnd(r, 12) : (uint8_t)rnd(r, 256);
	}
	(void)rcv_nxt;
}

static void inject_random(struct tcp_conn *c, struct rng *r)
{
	static uint8_t text[4000];
	uint32_t rcv_nxt, snd_nxt;
	struct pkt p;

	truth(c, &rcv_nxt, &snd_nxt);
	p = pkt_tcp(PEER_ADDR, c->pport, LOCAL_ADDR, c->lport, 0, near(r, rcv_nxt),
		    near(r, snd_nxt));
	p.flags = (uint16_t)(rnd(r, 3) ? TH_ACK : rnd(r, 256));
	if (rnd(r, 12) == 0)
		p.flags |= TH_FIN;
	if (rnd(r, 40) == 0)
		p.flags |= TH_RST;
	if (rnd(r, 30) == 0)
		p.flags |= TH_SYN;
	if (rnd(r, 8) == 0)
		p.flags |= TH_URG;
	p.win = (uint16_t)(rnd(r, 4) ? 65535 : rnd(r, 3) ? rnd(r, 3000) : 0);
	p.urg = (uint16_t)(rnd(r, 2) ? rnd(r, 100) : rnd(r, 65536));
	p.payload = text;
	p.payload_len = rnd(r, 2) ? 0 : rnd(r, 4) ? rnd(r, 200) : rnd(r, 1440);
	random_options(r, &p, rcv_nxt, snd_nxt);
	if (rnd(r, 50) == 0)
		p.force_doff = (uint8_t)rnd(r, 16);
	conn_inject(c, &p);
}

static void random_icmp(struct tcp_conn *c, struct rng *r)
{
	uint32_t rcv_nxt, snd_nxt;

	truth(c, &rcv_nxt, &snd_nxt);
	icmp_in(c, rnd(r, 2) ? 3 : (uint8_t)rnd(r, 13), (uint8_t)rnd(r, 16), near(r, 1000),
		near(r, snd_nxt) - c->iss);
}

/* What the program does meanwhile; the bytes are random, so nothing of them is checked. */
static void random_call(struct tcp_conn *c, struct rng *r)
{
	static uint8_t buf[70000];
	struct iovec iov = { buf, rnd(r, 3) ? rnd(r, 3000) + 1 : sizeof(buf) };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };
	int v = (int)rnd(r, 3);

	if (!c->sock)
		return;
	switch (rnd(r, 10)) {
	case 0: case 1: case 2:
		msg.flags = rnd(r, 8) ? 0 : MSG_OOB;
		sock_sendmsg(c->sock, &msg);
		break;
	case 3: case 4: case 5:
		msg.flags = rnd(r, 6) ? 0 : rnd(r, 2) ? MSG_PEEK : MSG_OOB;
		sock_recvmsg(c->sock, &msg);
		break;
	case 6:
		sock_setsockopt(c->sock, IPPROTO_TCP, rnd(r, 2) ? TCP_NODELAY : TCP_CORK, &v,
				sizeof(v));
		break;
	case 7:
		if (rnd(r, 12) == 0)
			sock_shutdown(c->sock, (int)rnd(r, 3));
		break;
	case 8:
		if (rnd(r, 40) == 0)
			conn_close(c);
		break;
	default:
		sock_setsockopt(c->sock, SOL_SOCKET, SO_OOBINLINE, &v, sizeof(v));
		break;
	}
}

/* ---- what must hold at any time -------------------------------------------------------------------- */

/* The records cover what is under way without a gap, and the counters are their sums. */
static void check_scoreboard(const struct tcp_sock *tp)
{
	uint32_t at = tp->snd_una, sacked = 0, lost = 0, retrans = 0, nr = 0, listed = 0, unsent = 0;
	uint32_t packets = 0;
	const struct tcp_sent *s;
	ktime_t last = 0;

	list_for_each_entry(s, &tp->sent_seq, seq_node) {
		bool is_lost = (s->flags & (SENT_LOST | SENT_RETRANS)) == SENT_LOST;

		CHECK_EQ(s->start, at);
		CHECK(before(s->start, s->end));
		at = s->end;
		sacked += s->flags & SENT_SACKED ? s->end - s->start : 0;
		lost += s->flags & SENT_LOST ? s->end - s->start : 0;
		retrans += s->flags & SENT_RETRANS ? s->end - s->start : 0;
		CHECK_EQ(list_empty(&s->node), !!(s->flags & SENT_SACKED));
		listed += !(s->flags & SENT_SACKED);
		unsent += is_lost;
		packets += s->segs;
		CHECK_GE(s->segs, 1);
		nr++;
	}
	CHECK_EQ(at, tp->snd_nxt);
	CHECK_EQ(sacked, tp->sacked_bytes);
	CHECK_EQ(lost, tp->lost_bytes);
	CHECK_EQ(retrans, tp->retrans_bytes);
	CHECK_EQ(packets, tp->packets_out);
	CHECK_EQ(nr, tp->sent_nr);
	list_for_each_entry(s, &tp->sent_time, node) {
		CHECK_GE(s->xmit, last);
		CHECK_NE(s->flags & (SENT_LOST | SENT_RETRANS), SENT_LOST);
		last = s->xmit;
		listed--;
	}
	at = tp->snd_una;
	list_for_each_entry(s, &tp->sent_lost, node) {
		CHECK(after_eq(s->start, at));
		CHECK_EQ(s->flags & (SENT_LOST | SENT_RETRANS), SENT_LOST);
		at = s->end;
		listed--;
		unsent--;
	}
	CHECK_EQ(listed, 0);
	CHECK_EQ(unsent, 0);
}

static void check_send_queue(const struct tcp_sock *tp)
{
	const struct sk_buff *skb;
	uint32_t at = tp->snd_una;
	int64_t memory = 0;

	CHECK(before_eq(tp->snd_una, tp->snd_nxt));
	CHECK(before_eq(tp->snd_nxt, tcp_snd_end(tp)));
	skb_queue_walk(&tp->write_queue, skb) {
		CHECK(before_eq(tcp_cb(skb)->seq, at));
		CHECK_EQ(skb->len, tcp_cb(skb)->end_seq - tcp_cb(skb)->seq);
		at = tcp_cb(skb)->end_seq;
		memory += skb->truesize;
	}
	CHECK(at == tp->write_seq || tp->snd_una == tp->write_seq + 1);
	CHECK_EQ(memory, tp->inet.sk.wmem_queued);
	CHECK(tcp_in_flight(tp) == 0 || tcp_armed(tp, TCPT_REXMT));
}

static void check_receive_queues(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet.sk;
	const struct sk_buff *skb;
	uint32_t end = tp->rcv_nxt - (tp->peer_fin ? 1 : 0), at = tp->copied_seq;
	int64_t memory = 0;

	skb_queue_walk(&sk->receive_queue, skb) {
		CHECK(before_eq(tcp_cb(skb)->seq, at));
		CHECK_EQ(skb->len, tcp_cb(skb)->end_seq - tcp_cb(skb)->seq);
		at = tcp_cb(skb)->end_seq;
		memory += skb->truesize;
	}
	CHECK(skb_queue_empty(&sk->receive_queue) ? before_eq(at, end) || at == end + 1
						  : at == end);
	at = tp->rcv_nxt;
	skb_queue_walk(&tp->ofo_queue, skb) {
		CHECK_MSG(before_eq(at, tcp_cb(skb)->seq), "out of order %u:%u behind %u",
			  tcp_cb(skb)->seq - tp->rcv_nxt, tcp_cb(skb)->end_seq - tp->rcv_nxt,
			  at - tp->rcv_nxt);
		at = tcp_cb(skb)->end_seq;
		memory += skb->truesize;
	}
	CHECK_EQ(memory, sk->rmem_alloc);
	CHECK_LE(sk->rmem_alloc, sk->rcvbuf + 70000);
	for (unsigned int i = 0; i < tp->num_rcv_sacks; i++)
		CHECK(after(tp->rcv_sacks[i].start, tp->rcv_nxt) &&
		      before(tp->rcv_sacks[i].start, tp->rcv_sacks[i].end));
}

static void check_invariants(struct tcp_conn *c)
{
	struct sock *sk = NULL;

	while ((sk = sock_next(c->net, sk))) {
		if (sk->prot != &tcp_prot || sk->state == TCP_LISTEN || sk->state == TCP_CLOSE)
			continue;
		if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV)
			continue;
		check_send_queue(tcp_sk(sk));
		check_scoreboard(tcp_sk(sk));
		check_receive_queues(tcp_sk(sk));
	}
}

typedef struct tcp_conn *(*constructor)(const struct tcp_params *p);

static void torture(constructor make)
{
	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct tcp_params params = {.sack = round & 1,
					    .ts = round & 2,
					    .wscale = round & 4 ? 8 : 0,
					    .rcvbuf = round & 8 ? 8192 : 0,
					    .reuseaddr = true};
		struct rng r = { round * 77 + 5 };
		struct tcp_conn *c = make(&params);

		for (int i = 0; i < SEGMENTS; i++) {
			inject_random(c, &r);
			check_invariants(c);
			random_call(c, &r);
			check_invariants(c);
			if (rnd(&r, 20) == 0)
				random_icmp(c, &r);
			if (rnd(&r, 10) == 0)
				conn_ms(c, rnd(&r, 5) ? rnd(&r, 300) : rnd(&r, 30000));
		}
		/* In the end everything is acknowledged or given up, and quiet. */
		if (c->sock)
			conn_close(c);
		fake_advance_s(c->net, 3600);
		fake_dev_forget(c->dev);
		conn_free(c);
	}
}

TEST(test_random_segments_in_listen) { torture(conn_listening); }
TEST(test_random_segments_in_syn_received) { torture(conn_syn_received); }
TEST(test_random_segments_in_syn_sent) { torture(conn_syn_sent); }
TEST(test_random_segments_in_established) { torture(conn_established); }
TEST(test_random_segments_in_established_by_connect) { torture(conn_connected); }
TEST(test_random_segments_in_fin_wait_1) { torture(conn_fin_wait1); }
TEST(test_random_segments_in_fin_wait_2) { torture(conn_fin_wait2); }
TEST(test_random_segments_in_closing) { torture(conn_closing); }
TEST(test_random_segments_in_time_wait) { torture(conn_time_wait); }
TEST(test_random_segments_in_close_wait) { torture(conn_close_wait); }
TEST(test_random_segments_in_last_ack) { torture(conn_last_ack); }
