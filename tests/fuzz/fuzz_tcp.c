/* SPDX-License-Identifier: MIT */
/*
 * Segments in each state: the first byte says in which, the second what the connection agreed on; then
 * segments, ICMP errors, calls of the program and time follow, each with a byte that says which. Numbers are
 * relative to where the connection stands, for that is where the code is. In the end nothing may be left.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

/* Where the connection stands, also when its socket is not a full one. */
static void truth(struct tcp_conn *c, uint32_t *rcv_nxt, uint32_t *snd_nxt)
{
	struct sock *sk = NULL;

	*rcv_nxt = c->irs + 1;
	*snd_nxt = c->iss + 1;
	while ((sk = sock_next(c->net, sk)))
		if (sk->prot == &tcp_prot && sk->state != TCP_LISTEN && sk->state != TCP_CLOSE) {
			*rcv_nxt = tcp_sk(sk)->rcv_nxt;
			*snd_nxt = tcp_sk(sk)->snd_nxt;
		}
}

/* A distance of 16 bits, or (@far) one of 32. */
static uint32_t step(struct input *in, bool far)
{
	uint32_t low = input_u16(in);

	return far ? low << 16 | input_u16(in) : (uint32_t)(int32_t)(int16_t)low;
}

static void segment(struct tcp_conn *c, struct input *in, uint8_t how)
{
	static const uint8_t text[2048];
	uint32_t rcv_nxt, snd_nxt;
	size_t options;
	struct pkt p;

	truth(c, &rcv_nxt, &snd_nxt);
	p = pkt_tcp(PEER_ADDR, c->pport, LOCAL_ADDR, c->lport, 0, 0, 0);
	p.flags = input_u8(in);
	p.seq = rcv_nxt + step(in, how & 1);
	p.ack = snd_nxt + step(in, how & 2);
	p.win = input_u16(in);
	if (p.flags & TH_URG)
		p.urg = input_u16(in);
	if (how & 4) {
		p.payload = text;
		p.payload_len = input_u16(in) % sizeof(text);
	}
	if (how & 8) {
		p.ts = true;
		p.tsval = 1000 + step(in, false);
		p.tsecr = step(in, false);
	}
	if (how & 16) {
		options = input_u8(in) % 10 * 4U;
		if (options + (p.ts ? 12U : 0U) > 40)
			options = 28;
		memcpy(p.raw_options, input_bytes(in, &options), options);
		p.raw_options_len = (uint8_t)(options & ~3U);
	}
	if (how & 32 && snd_nxt != c->iss) {
		p.sacks = 1;
		p.sack[0][0] = snd_nxt + step(in, false);
		p.sack[0][1] = snd_nxt + step(in, false);
		p.raw_options_len = 0;
	}
	conn_inject(c, &p);
}

static void call(struct tcp_conn *c, struct input *in)
{
	static uint8_t buf[70000];
	uint8_t what = input_u8(in);
	uint16_t arg = input_u16(in);
	struct iovec iov = { buf, (size_t)arg + 1 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1 };
	int v = arg & 1;

	if (!c->sock)
		return;
	switch (what % 8) {
	case 0: case 1:
		msg.flags = what & 8 ? MSG_OOB : 0;
		sock_sendmsg(c->sock, &msg);
		break;
	case 2: case 3:
		msg.flags = what & 8 ? MSG_OOB : what & 16 ? MSG_PEEK : 0;
		sock_recvmsg(c->sock, &msg);
		break;
	case 4:
		sock_setsockopt(c->sock, IPPROTO_TCP, what & 8 ? TCP_NODELAY : TCP_CORK, &v, sizeof(v));
		break;
	case 5:
		sock_shutdown(c->sock, arg % 3);
		break;
	case 6:
		conn_close(c);
		break;
	default:
		sock_setsockopt(c->sock, SOL_SOCKET, SO_OOBINLINE, &v, sizeof(v));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tcp_conn *(*const make[])(const struct tcp_params *) = {
		conn_listening, conn_syn_received, conn_syn_sent, conn_established, conn_connected, conn_fin_wait1,
		conn_fin_wait2, conn_closing, conn_time_wait, conn_close_wait, conn_last_ack,
	};
	struct input in = { data, size > 4096 ? 4096 : size };
	uint8_t state = input_u8(&in), agreed = input_u8(&in);
	struct tcp_params params = {
		.sack = agreed & 1, .ts = agreed & 2, .wscale = agreed & 4 ? 8 : 0, .rcvbuf = agreed & 8 ? 8192 : 0,
		.reuseaddr = true,
	};
	struct tcp_conn *c = make[state % ARRAY_SIZE(make)](&params);

	while (in.left) {
		uint8_t what = input_u8(&in);

		if (what >= 64)
			segment(c, &in, what);
		else if (what >= 40)
			call(c, &in);
		else if (what >= 16)
			conn_ms(c, input_u16(&in) % 1000);
		else
			icmp_in(c, what, input_u8(&in), input_u16(&in), step(&in, false));
	}
	if (c->sock)
		conn_close(c);
	conn_free(c);
	return 0;
}
