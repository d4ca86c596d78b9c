/* SPDX-License-Identifier: MIT */
/* TCP Fast Open, client and server (RFC 7413). */
#include "tests/unit/tcp_fixture.h"

#include "stack/tcp/tcp.h"

#define COOKIE "hex 220a0102030405060708,nop,nop" /* kind 34, eight bytes */

static uint64_t count(const struct tcp_conn *c, enum mib m)
{
	return c->net->mib[m];
}

/* The Fast Open option of a segment: its length with kind and length byte; 0 = absent. */
static unsigned int option(const struct pkt *p, uint8_t kind, uint8_t *body)
{
	const uint8_t *o = p->raw_options, *end = o + p->raw_options_len;

	while (o < end && *o) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (*o == kind) {
			memcpy(body, o + 2, o[1] - 2U);
			return o[1];
		}
		o += o[1];
	}
	return 0;
}

static unsigned int cookie_option(const struct pkt *p)
{
	uint8_t body[40];

	return option(p, 34, body);
}

/* ---- client ---------------------------------------------------------------------------------- */

static struct socket *client_socket(struct tcp_conn *c, uint16_t port)
{
	c->pport = 80;
	c->lport = port;
	c->iss_known = false;
	c->wrote = c->got = 0;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, port), sizeof(struct sockaddr_in)), 0);
	return c->sock;
}

static ssize_t send_fast(struct tcp_conn *c, const void *buf, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct sockaddr_storage ss = { 0 };
	struct stack_msg msg = { .iov = &iov, .iovcnt = 1, .flags = MSG_FASTOPEN, .name = &ss,
				 .namelen = sizeof(struct sockaddr_in) };

	memcpy(&ss, conn_addr(PEER_ADDR, 80), sizeof(struct sockaddr_in));
	return sock_sendmsg(c->sock, &msg);
}

static void reset_and_close(struct tcp_conn *c)
{
	conn_linger(c, 0);
	conn_close(c);
	seg_forget(c);
}

/* A connection that asks for a cookie and is given one. */
static void learn_cookie(struct tcp_conn *c)
{
	struct pkt syn;

	client_socket(c, 5000);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	CHECK(seg_take(c, &syn));
	CHECK_EQ(syn.flags, TH_SYN);
	CHECK_EQ(cookie_option(&syn), 2);
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460," COOKIE ">");
	seg_out(c, ". 1:1(0) ack 1");
	reset_and_close(c);
}

/* RFC 7413 4.1.2, 4.2.1: the first connection asks, the second one has its text in the SYN. */
TEST(test_client_sends_text_with_the_cookie)
{
	struct tcp_conn *c = conn_new(NULL);
	struct tcp_info info;
	socklen_t len = sizeof(info);
	uint8_t body[40];
	struct pkt syn;

	learn_cookie(c);
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	seg_none(c);
	CHECK_EQ(conn_poll(c) & POLLOUT, POLLOUT);
	CHECK_GT(sock_wspace(c->sock), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	CHECK(seg_take(c, &syn));
	CHECK_EQ(syn.flags, TH_SYN);
	CHECK_EQ(syn.payload_len, 100);
	CHECK_EQ(option(&syn, 34, body), 10);
	CHECK_MEM(body, "\1\2\3\4\5\6\7\10", 8);
	CHECK_EQ(conn_write(c, 10), -EAGAIN);
	CHECK_EQ(sock_wspace(c->sock), 0);
	seg_in(c, "S. 0:0(0) ack 101 <mss 1460>");
	seg_out(c, ". 101:101(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenActive), 1);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	CHECK_EQ(info.tcpi_options & TCPI_OPT_SYN_DATA, TCPI_OPT_SYN_DATA);
	CHECK_EQ(info.tcpi_bytes_acked, 100);
	CHECK_EQ(conn_write(c, 20), 20);
	seg_out(c, "P. 101:121(20) ack 1");
	conn_free(c);
}

TEST(test_client_sendmsg_fastopen)
{
	struct tcp_conn *c = conn_new(NULL);
	uint8_t text[5000] = { 0 };
	struct pkt syn;

	client_socket(c, 4999);
	CHECK_EQ(send_fast(c, text, 10), -EINPROGRESS); /* no cookie: the SYN asks for one */
	CHECK(seg_take(c, &syn));
	CHECK_EQ(cookie_option(&syn), 2);
	CHECK_EQ(syn.payload_len, 0);
	CHECK_EQ(send_fast(c, text, 10), -EALREADY);
	reset_and_close(c);
	learn_cookie(c);

	client_socket(c, 5001);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)((i + 1) * 7 + ((i + 1) >> 8) * 13 + 3); /* the fixture's pattern */
	CHECK_EQ(send_fast(c, text, sizeof(text)), sizeof(text));
	CHECK(seg_take(c, &syn));
	CHECK_EQ(syn.payload_len, 1460 - 40); /* room for options of middleboxes */
	seg_in(c, "S. 0:0(0) ack 1421 <mss 1460>");
	seg_out(c, ". 1421:2881(1460) ack 1");
	conn_free(c);
}

/* RFC 7413 4.2.1: the server took the SYN only; the text goes again, in order and once. */
TEST(test_client_text_that_was_not_taken_is_sent_again)
{
	struct tcp_conn *c = conn_new(NULL);

	learn_cookie(c);
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_out(c, "S 0:100(100) <...>");
	seg_in(c, "S. 0:0(0) ack 1 <mss 1460," COOKIE ">");
	seg_out(c, "P. 1:101(100) ack 1");
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenActiveFail), 1);
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_EQ(conn_getopt(c, IPPROTO_TCP, TCP_NODELAY), 0);
	seg_none(c);
	conn_free(c);
}

/* A SYN is repeated bare; a path that swallows such SYNs is left alone after two of them. */
TEST(test_client_falls_back_when_syns_with_text_are_lost)
{
	struct tcp_conn *c = conn_new(NULL);
	struct pkt syn;

	learn_cookie(c);
	for (uint16_t i = 0; i < 2; i++) {
		client_socket(c, (uint16_t)(5001 + i));
		CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
		CHECK_EQ(conn_connect(c), 0);
		CHECK_EQ(conn_write(c, 100), 100);
		CHECK(seg_take(c, &syn));
		CHECK_EQ(syn.payload_len, 100);
		CHECK_LE(seg_wait(c, 2000), 1001);
		CHECK(seg_take(c, &syn));
		CHECK_EQ(syn.flags, TH_SYN);
		CHECK_EQ(syn.payload_len, 0);
		CHECK_EQ(cookie_option(&syn), 0);
		seg_in(c, "S. 0:0(0) ack 1 <mss 1460>");
		seg_out(c, "P. 1:101(100) ack 1");
		reset_and_close(c);
	}
	client_socket(c, 5003);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	CHECK(seg_take(c, &syn));
	CHECK_EQ(cookie_option(&syn), 0);
	reset_and_close(c);
	conn_ms(c, 121000); /* two minutes later it is tried again */
	client_socket(c, 5004);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	conn_free(c);
}

/* tcp_fastopen_blackhole_timeout_sec: two timeouts in a row stop Fast Open everywhere. */
TEST(test_client_blackhole_pauses_everything)
{
	struct tcp_conn *c = conn_new(NULL);

	c->net->tcp->sysctl.fastopen_blackhole_timeout_s = 3600;
	learn_cookie(c);
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	conn_ms(c, 3500);
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenBlackhole), 1);
	reset_and_close(c);
	client_socket(c, 5002);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	reset_and_close(c);
	conn_ms(c, 3600 * 1000);
	client_socket(c, 5003);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	conn_free(c);
}

TEST(test_client_without_cookie_by_option)
{
	struct tcp_conn *c = conn_new(NULL);
	struct pkt syn;

	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	CHECK(seg_take(c, &syn));
	CHECK_EQ(syn.payload_len, 100);
	CHECK_EQ(cookie_option(&syn), 0);
	conn_free(c);
}

TEST(test_client_switched_off)
{
	struct tcp_conn *c = conn_new(NULL);

	c->net->tcp->sysctl.fastopen = 0;
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), -EOPNOTSUPP);
	CHECK_EQ(send_fast(c, "x", 1), -EOPNOTSUPP);
	seg_none(c);
	conn_free(c);
}

TEST(test_client_refused_tells_the_program)
{
	struct tcp_conn *c = conn_new(NULL);

	learn_cookie(c);
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	CHECK_EQ(conn_write(c, 100), 100);
	seg_forget(c);
	seg_in(c, "R. 0:0(0) ack 101");
	CHECK_EQ(conn_error(c), ECONNREFUSED);
	conn_free(c);
}

TEST(test_client_that_never_writes_never_sends)
{
	struct tcp_conn *c = conn_new(NULL);

	learn_cookie(c);
	client_socket(c, 5001);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
	CHECK_EQ(conn_connect(c), 0);
	conn_ms(c, 10000);
	conn_close(c);
	seg_none(c);
	conn_free(c);
}

/* ---- server ---------------------------------------------------------------------------------- */

static struct tcp_conn *fast_listener(void)
{
	struct tcp_conn *c = conn_listening(NULL);

	c->net->tcp->sysctl.fastopen = TFO_CLIENT_ENABLE | TFO_SERVER_ENABLE;
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
	CHECK_EQ(conn_getopt(c, IPPROTO_TCP, TCP_FASTOPEN), 5);
	return c;
}

/* Asks for a cookie by option @kind and gives it as "hex ..." for seg_in(). */
static const char *ask_cookie(struct tcp_conn *c, bool exp)
{
	static char text[100];
	unsigned int len, skip = exp ? 2 : 0;
	uint8_t body[40];
	struct pkt p;

	c->iss_known = false;
	seg_in(c, "S 0:0(0) <mss 1460,%s>", exp ? "hex fe04f989" : "hex 2202,nop,nop");
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.flags, TH_SYN | TH_ACK);
	CHECK_EQ(p.ack, 1);
	len = option(&p, exp ? 254 : 34, body);
	CHECK_EQ(len, 10 + skip);
	snprintf(text, sizeof(text), "hex 220a");
	for (unsigned int i = skip; i < 8 + skip; i++)
		snprintf(text + strlen(text), 3, "%02x", body[i]);
	snprintf(text + strlen(text), 9, ",nop,nop");
	seg_in(c, "R 1:1(0)");
	return text;
}

static void next_client(struct tcp_conn *c)
{
	c->pport++;
	c->iss_known = false;
	c->wrote = c->got = 0;
}

/* RFC 7413 4.2.2: the text is there, and answered, before the handshake's end. */
TEST(test_server_takes_text_from_a_syn)
{
	struct tcp_conn *c = fast_listener();
	const char *cookie = ask_cookie(c, false);

	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenCookieReqd), 1);
	next_client(c);
	seg_in(c, "S 0:100(100) <mss 1460,%s>", cookie);
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenPassive), 1);
	CHECK_STATE(c, TCP_SYN_RECV);
	conn_accept(c);
	CHECK_EQ(conn_poll(c) & (POLLIN | POLLOUT), POLLIN | POLLOUT);
	CHECK_EQ(conn_read(c, 200), 100);
	CHECK_EQ(conn_write(c, 3000), 3000);
	seg_out(c, ". 1:1461(1460) ack 101");
	seg_out(c, ". 1461:2921(1460) ack 101");
	seg_out(c, "P. 2921:3001(80) ack 101");
	seg_in(c, ". 101:101(0) ack 1461");
	CHECK_STATE(c, TCP_ESTABLISHED);
	CHECK_EQ(tcp_sk(c->listener->sk)->fastopen_qlen, 0);
	seg_in(c, ". 101:101(0) ack 3001");
	seg_in(c, "P. 101:111(10) ack 3001");
	CHECK_EQ(conn_read(c, 200), 10);
	conn_ms(c, 5000);
	seg_forget(c);
	seg_none(c);
	conn_free(c);
}

/* The ACK was lost: the SYN-ACK is repeated, then the text. */
TEST(test_server_repeats_its_synack)
{
	struct tcp_conn *c = fast_listener();
	const char *cookie = ask_cookie(c, false);

	next_client(c);
	seg_in(c, "S 0:100(100) <mss 1460,%s>", cookie);
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	CHECK_LE(seg_wait(c, 1500), 1001);
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	conn_ms(c, 600);
	seg_in(c, "S 0:0(0) <mss 1460>"); /* bare, as a repeated one is */
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	seg_in(c, ". 101:101(0) ack 1");
	CHECK_STATE(c, TCP_ESTABLISHED);
	conn_free(c);
}

TEST(test_server_close_before_the_handshake_ends)
{
	struct tcp_conn *c = fast_listener();
	const char *cookie = ask_cookie(c, false);

	next_client(c);
	seg_in(c, "S 0:100(100) <mss 1460,%s>", cookie);
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 200), 100);
	CHECK_EQ(conn_write(c, 50), 50);
	seg_out(c, "P. 1:51(50) ack 101");
	conn_close(c);
	seg_in(c, ". 101:101(0) ack 51");
	seg_out(c, "F. 51:51(0) ack 101");
	seg_in(c, "F. 101:101(0) ack 52");
	seg_out(c, ". 52:52(0) ack 102");
	CHECK_STATE(c, TCP_TIME_WAIT);
	conn_free(c);
}

/* A wrong cookie: the SYN counts, its text does not, and the SYN-ACK brings the right one. */
TEST(test_server_wrong_cookie_is_replaced)
{
	struct tcp_conn *c = fast_listener();
	uint8_t body[40];
	struct pkt p;

	seg_in(c, "S 0:100(100) <mss 1460," COOKIE ">");
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.ack, 1);
	CHECK_EQ(option(&p, 34, body), 10);
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenPassiveFail), 1);
	seg_in(c, "P. 1:101(100) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 200), 100);
	conn_free(c);
}

TEST(test_server_understands_the_experimental_option)
{
	struct tcp_conn *c = fast_listener();
	char *cookie = strdup(ask_cookie(c, true));

	CHECK(cookie != NULL);
	next_client(c);
	seg_in(c, "S 0:10(10) <mss 1460,hex fe0cf989%.16s>", cookie + 8);
	seg_out(c, "S. 0:0(0) ack 11 <mss 1460>");
	free(cookie);
	conn_free(c);
}

/* TCP_FASTOPEN_KEY: the backup key's cookies count, and are replaced. */
TEST(test_server_changes_keys)
{
	struct tcp_conn *c = fast_listener();
	uint8_t keys[32], got[32];
	socklen_t len = sizeof(got);
	const char *cookie;
	uint8_t body[40];
	struct pkt p;

	memset(keys, 1, 16);
	memset(keys + 16, 2, 16);
	CHECK_EQ(sock_setsockopt(c->listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys + 16, 16), 0);
	cookie = ask_cookie(c, false);
	CHECK_EQ(sock_setsockopt(c->listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32), 0);
	CHECK_EQ(sock_getsockopt(c->listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &len), 0);
	CHECK_EQ(len, 32);
	CHECK_MEM(got, keys, 32);
	next_client(c);
	seg_in(c, "S 0:10(10) <mss 1460,%s>", cookie);
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.ack, 11);
	CHECK_EQ(option(&p, 34, body), 10);
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenPassiveAltKey), 1);
	CHECK_EQ(sock_setsockopt(c->listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 15), -EINVAL);
	conn_free(c);
}

/* RFC 7413 5.1: so many at once, and those that were reset count for a minute more. */
TEST(test_server_queue_is_bounded)
{
	struct tcp_conn *c = fast_listener();
	const char *cookie = ask_cookie(c, false);
	unsigned int early = 0;
	struct pkt p;

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN, 2), 0);
	for (int i = 0; i < 4; i++) {
		next_client(c);
		seg_in(c, "S 0:10(10) <mss 1460,%s>", cookie);
		CHECK(seg_take(c, &p));
		early += p.ack == 11;
		if (p.ack == 11)
			seg_in(c, "R 11:11(0)");
	}
	CHECK_EQ(early, 2);
	CHECK_EQ(count(c, MIB_TcpExtTCPFastOpenListenOverflow), 2);
	conn_ms(c, 61000);
	seg_forget(c);
	next_client(c);
	seg_in(c, "S 0:10(10) <mss 1460,%s>", cookie);
	CHECK(seg_take(c, &p));
	CHECK_EQ(p.ack, 11);
	conn_free(c);
}

TEST(test_server_off_by_default)
{
	struct tcp_conn *c = conn_listening(NULL);

	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_FASTOPEN, 5), 0);
	seg_in(c, "S 0:100(100) <mss 1460,hex 2202,nop,nop>");
	seg_out(c, "S. 0:0(0) ack 1 <mss 1460>");
	conn_free(c);
}

TEST(test_server_without_cookies_by_sysctl)
{
	struct tcp_conn *c = fast_listener();

	c->net->tcp->sysctl.fastopen |= TFO_SERVER_COOKIE_NOT_REQD;
	seg_in(c, "S 0:100(100) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	conn_free(c);
}

/* The listener goes away while an early connection has not been proven. */
TEST(test_server_closes_with_an_early_connection)
{
	struct tcp_conn *c = fast_listener();

	c->net->tcp->sysctl.fastopen |= TFO_SERVER_COOKIE_NOT_REQD;
	seg_in(c, "S 0:100(100) <mss 1460>");
	seg_forget(c);
	next_client(c);
	seg_in(c, "S 0:100(100) <mss 1460>");
	seg_out(c, "S. 0:0(0) ack 101 <mss 1460>");
	c->pport--;
	conn_accept(c);
	sock_release(c->listener);
	c->listener = NULL;
	CHECK_EQ(conn_read(c, 200), 100);
	conn_free(c);
}
