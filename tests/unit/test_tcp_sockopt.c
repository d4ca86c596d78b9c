/* SPDX-License-Identifier: MIT */
/*
 * Options of level IPPROTO_TCP and what else a program asks a TCP socket: ranges and errors as
 * Linux.
 */
#include "tests/unit/tcp_fixture.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

static struct tcp_conn *fresh(void)
{
	struct tcp_conn *c = conn_new(NULL);

	c->sock = conn_socket(c);
	return c;
}

static int set(struct tcp_conn *c, int name, int val)
{
	return conn_setopt(c, IPPROTO_TCP, name, val);
}

static int get(struct tcp_conn *c, int name)
{
	return conn_getopt(c, IPPROTO_TCP, name);
}

/* ---- integers -------------------------------------------------------------------------------- */

TEST(test_defaults)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(get(c, TCP_NODELAY), 0);
	CHECK_EQ(get(c, TCP_CORK), 0);
	CHECK_EQ(get(c, TCP_MAXSEG), 536);
	CHECK_EQ(get(c, TCP_KEEPIDLE), 7200);
	CHECK_EQ(get(c, TCP_KEEPINTVL), 75);
	CHECK_EQ(get(c, TCP_KEEPCNT), 9);
	CHECK_EQ(get(c, TCP_SYNCNT), 6);
	CHECK_EQ(get(c, TCP_LINGER2), 60);
	CHECK_EQ(get(c, TCP_DEFER_ACCEPT), 0);
	CHECK_EQ(get(c, TCP_USER_TIMEOUT), 0);
	CHECK_EQ(get(c, TCP_QUICKACK), 1);
	conn_free(c);
}

TEST(test_booleans_are_kept)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(set(c, TCP_NODELAY, 5), 0);
	CHECK_EQ(get(c, TCP_NODELAY), 1);
	CHECK_EQ(set(c, TCP_NODELAY, 0), 0);
	CHECK_EQ(get(c, TCP_NODELAY), 0);
	CHECK_EQ(set(c, TCP_CORK, 1), 0);
	CHECK_EQ(get(c, TCP_CORK), 1);
	conn_free(c);
}

static void check_range(int name, int min, int max)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(set(c, name, min), 0);
	CHECK_EQ(get(c, name), min);
	CHECK_EQ(set(c, name, max), 0);
	CHECK_EQ(get(c, name), max);
	CHECK_EQ(set(c, name, min - 1), -EINVAL);
	CHECK_EQ(set(c, name, max + 1), -EINVAL);
	CHECK_EQ(set(c, name, -1), -EINVAL);
	CHECK_EQ(get(c, name), max);
	conn_free(c);
}

TEST(test_keepidle_range)
{
	check_range(TCP_KEEPIDLE, 1, 32767);
}

TEST(test_keepintvl_range)
{
	check_range(TCP_KEEPINTVL, 1, 32767);
}

TEST(test_keepcnt_range)
{
	check_range(TCP_KEEPCNT, 1, 127);
}

TEST(test_syncnt_range)
{
	check_range(TCP_SYNCNT, 1, 127);
}

TEST(test_maxseg_range)
{
	check_range(TCP_MAXSEG, 88, 32767);
}

TEST(test_linger2)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(set(c, TCP_LINGER2, 10), 0);
	CHECK_EQ(get(c, TCP_LINGER2), 10);
	CHECK_EQ(set(c, TCP_LINGER2, -5), 0);
	CHECK_EQ(get(c, TCP_LINGER2), -1);
	conn_free(c);
}

/* Rounded up to a whole number of SYN-ACK timeouts: 1, 3, 7, 15 ... s. */
TEST(test_defer_accept_is_rounded)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(set(c, TCP_DEFER_ACCEPT, 5), 0);
	CHECK_EQ(get(c, TCP_DEFER_ACCEPT), 7);
	CHECK_EQ(set(c, TCP_DEFER_ACCEPT, 0), 0);
	CHECK_EQ(get(c, TCP_DEFER_ACCEPT), 0);
	conn_free(c);
}

TEST(test_user_timeout_is_kept)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(set(c, TCP_USER_TIMEOUT, 30000), 0);
	CHECK_EQ(get(c, TCP_USER_TIMEOUT), 30000);
	CHECK_EQ(set(c, TCP_USER_TIMEOUT, -1), -EINVAL);
	conn_free(c);
}

/* ---- what is not there fails ----------------------------------------------------------------- */

TEST(test_unknown_options_are_enoprotoopt)
{
	static const int names[] = {0,
				    15,
				    99,
				    200,
				    -1,
				    TCP_MD5SIG,
				    TCP_ZEROCOPY_RECEIVE};
	struct tcp_conn *c = fresh();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_MSG(set(c, names[i], 1) < 0, "option %d was accepted", names[i]);
		CHECK_MSG(get(c, names[i]) < 0, "option %d was answered", names[i]);
	}
	conn_free(c);
}

/* As Linux says it to who has no CAP_NET_ADMIN, or no such protocol. */
TEST(test_what_nobody_may_has_linux_errors)
{
	static const struct { int name, set, get; } rows[] = {
		{ TCP_REPAIR, -EPERM, 0 },
		{ TCP_REPAIR_QUEUE, -EPERM, -EINVAL },
		{ TCP_QUEUE_SEQ, -EINVAL, -EINVAL },
		{ TCP_REPAIR_OPTIONS, -EINVAL, -ENOPROTOOPT },
		{ TCP_REPAIR_WINDOW, -EPERM, -EINVAL },
		{ 43, -ENOPROTOOPT, 0 }, /* TCP_IS_MPTCP */
	};
	struct tcp_conn *c = fresh();
	socklen_t len = 4;
	char name[4] = "tls";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_EQ(set(c, rows[i].name, 1), rows[i].set);
		CHECK_EQ(get(c, rows[i].name), rows[i].get);
	}
	CHECK_EQ(set(c, TCP_TIMESTAMP, 1), -EPERM);
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_ULP, name, 4), -ENOENT);
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_ULP, name, 0), -EINVAL);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_ULP, name, &len), 0);
	CHECK_EQ(len, 0);
	conn_free(c);

	c = conn_established(NULL);
	CHECK_EQ(conn_setopt(c, IPPROTO_TCP, TCP_QUEUE_SEQ, 1), -EPERM);
	conn_free(c);
}

TEST(test_short_value_is_einval)
{
	struct tcp_conn *c = fresh();
	char one = 1;

	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_NODELAY, &one, 1), -EINVAL);
	CHECK_EQ(get(c, TCP_NODELAY), 0);
	conn_free(c);
}

TEST(test_short_buffer_gets_what_fits)
{
	struct tcp_conn *c = fresh();
	uint8_t buf[4] = { 9, 9, 9, 9 };
	socklen_t len = 2;

	CHECK_EQ(set(c, TCP_KEEPIDLE, 0x1234), 0);
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_KEEPIDLE, buf, &len), 0);
	CHECK_EQ(len, 2);
	CHECK_EQ(buf[0], 0x34);
	CHECK_EQ(buf[1], 0x12);
	CHECK_EQ(buf[2], 9);
	conn_free(c);
}

/* ---- TCP_CONGESTION -------------------------------------------------------------------------- */

static void check_congestion(struct tcp_conn *c, const char *want)
{
	char name[32] = { 0 };
	socklen_t len = sizeof(name);

	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	CHECK_EQ(len, 16);
	CHECK_STR(name, want);
}

TEST(test_congestion_names)
{
	struct tcp_conn *c = fresh();

	check_congestion(c, "cubic");
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	check_congestion(c, "reno");
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8), -ENOENT);
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "", 0), -EINVAL);
	check_congestion(c, "reno");
	conn_free(c);
}

/* ---- TCP_INFO -------------------------------------------------------------------------------- */

static struct tcp_info info(struct tcp_conn *c)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	memset(&i, 0xff, sizeof(i));
	CHECK_EQ(sock_getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	CHECK_EQ(len, sizeof(i));
	return i;
}

TEST(test_info_of_a_connection)
{
	struct tcp_conn *c = conn_listening(&(struct tcp_params){ .sack = true, .wscale = 1 + 5 });
	struct tcp_info i;

	seg_in(c, "S 0:0(0) <mss 1400,sackOK,nop,wscale 5>");
	seg_out(c, "S. 0:0(0) ack 1 <...>");
	conn_ms(c, 40);
	seg_in(c, ". 1:1(0) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_write(c, 3000), 3000);
	CHECK_EQ(seg_forget(c), 3);
	i = info(c);
	CHECK_EQ(i.tcpi_state, TCP_ESTABLISHED);
	CHECK_EQ(i.tcpi_options, TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	CHECK_EQ(i.tcpi_snd_wscale, 5);
	CHECK_EQ(i.tcpi_snd_mss, 1400);
	CHECK_EQ(i.tcpi_advmss, 1460);
	CHECK_EQ(i.tcpi_pmtu, 1500);
	CHECK_EQ(i.tcpi_rtt, 40000);
	CHECK_EQ(i.tcpi_rttvar, 20000);
	CHECK_EQ(i.tcpi_snd_cwnd, 10);
	CHECK_EQ(i.tcpi_unacked, 3);
	CHECK_EQ(i.tcpi_bytes_sent, 3000);
	CHECK_EQ(i.tcpi_total_retrans, 0);
	seg_in(c, "P. 1:101(100) ack 3001");
	i = info(c);
	CHECK_EQ(i.tcpi_unacked, 0);
	CHECK_EQ(i.tcpi_bytes_received, 100);
	conn_free(c);
}

TEST(test_info_counts_retransmissions)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_write(c, 100), 100);
	conn_ms(c, 700);
	CHECK_EQ(info(c).tcpi_total_retrans, 2);
	CHECK_EQ(info(c).tcpi_retransmits, 2);
	CHECK_EQ(info(c).tcpi_bytes_retrans, 200);
	CHECK_EQ(info(c).tcpi_backoff, 2);
	seg_forget(c);
	seg_in(c, ". 1:1(0) ack 101");
	CHECK_EQ(info(c).tcpi_retransmits, 0);
	CHECK_EQ(info(c).tcpi_total_retrans, 2);
	conn_free(c);
}

TEST(test_info_of_a_fresh_socket)
{
	struct tcp_conn *c = fresh();

	CHECK_EQ(info(c).tcpi_state, TCP_CLOSE);
	conn_free(c);
}

/* ---- effects --------------------------------------------------------------------------------- */

TEST(test_maxseg_of_a_connection_is_the_size_in_use)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .mss = 1000 });

	CHECK_EQ(get(c, TCP_MAXSEG), 1000);
	conn_free(c);
}

TEST(test_children_inherit_from_the_listener)
{
	struct tcp_conn *c = conn_listening(NULL);

	CHECK_EQ(set(c, TCP_NODELAY, 1), 0);
	CHECK_EQ(set(c, TCP_KEEPIDLE, 11), 0);
	CHECK_EQ(set(c, TCP_USER_TIMEOUT, 1234), 0);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(get(c, TCP_NODELAY), 1);
	CHECK_EQ(get(c, TCP_KEEPIDLE), 11);
	CHECK_EQ(get(c, TCP_USER_TIMEOUT), 1234);
	CHECK_EQ(conn_getopt(c, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(seg_wait(c, 12000), 11000); /* the keepalive timer runs in the child */
	seg_out(c, ". 0:0(0) ack 1");
	conn_free(c);
}

TEST(test_defer_accept_waits_for_text)
{
	struct tcp_conn *c = conn_listening(NULL);
	struct socket *s;

	CHECK_EQ(set(c, TCP_DEFER_ACCEPT, 5), 0);
	conn_handshake(c, true);
	CHECK_EQ(sock_accept(c->listener, &s), -EAGAIN);
	seg_in(c, "P. 1:11(10) ack 1");
	conn_accept(c);
	CHECK_EQ(conn_read(c, 100), 10);
	conn_free(c);
}

TEST(test_quickack_off_delays)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(set(c, TCP_QUICKACK, 0), 0);
	seg_in(c, "P. 1:11(10) ack 1");
	seg_none(c);
	CHECK_EQ(set(c, TCP_QUICKACK, 1), 0); /* sends what is pending */
	seg_out(c, ". 1:1(0) ack 11");
	conn_free(c);
}

TEST(test_notsent_lowat_bounds_the_queue)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 1000 });

	CHECK_EQ(set(c, TCP_NOTSENT_LOWAT, 4096), 0);
	CHECK_GT(conn_write(c, 30000), 0);
	CHECK_EQ(conn_poll(c) & POLLOUT, 0);
	CHECK_EQ(conn_write(c, 1), -EAGAIN);
	conn_free(c);
}

TEST(test_linger2_negative_skips_fin_wait2)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	CHECK_EQ(set(c, TCP_LINGER2, -1), 0);
	conn_close(c);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

TEST(test_linger2_bounds_fin_wait2)
{
	struct tcp_conn *c = conn_fin_wait2(NULL);

	CHECK_EQ(set(c, TCP_LINGER2, 5), 0);
	conn_close(c);
	conn_ms(c, 4000);
	CHECK_STATE(c, TCP_FIN_WAIT2);
	conn_ms(c, 2000);
	CHECK_STATE(c, TCP_CLOSE);
	conn_free(c);
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

TEST(test_ioctl_inq_and_outq)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 100 });
	int n = -1;

	CHECK_EQ(sock_ioctl(c->sock, FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	seg_in(c, "P. 1:31(30) ack 1 win 100");
	CHECK_EQ(sock_ioctl(c->sock, FIONREAD, &n), 0);
	CHECK_EQ(n, 30);
	CHECK_EQ(conn_write(c, 300), 300);
	CHECK_EQ(sock_ioctl(c->sock, SIOCOUTQ, &n), 0);
	CHECK_EQ(n, 300);
	CHECK_EQ(sock_ioctl(c->sock, SIOCOUTQNSD, &n), 0);
	CHECK_EQ(n, 200);
	CHECK_EQ(sock_ioctl(c->listener, FIONREAD, &n), -EINVAL);
	conn_free(c);
}

/* ---- calls in the wrong state ---------------------------------------------------------------- */

TEST(test_calls_on_an_unconnected_socket)
{
	struct tcp_conn *c = fresh();
	struct sockaddr_storage ss;
	struct socket *s;

	CHECK_EQ(conn_read(c, 10), -ENOTCONN);
	CHECK_EQ(conn_write(c, 10), -EPIPE);
	CHECK_EQ(sock_getname(c->sock, &ss, true), -ENOTCONN);
	CHECK_EQ(sock_accept(c->sock, &s), -EINVAL);
	CHECK_EQ(conn_poll(c) & (POLLOUT | POLLHUP), POLLOUT | POLLHUP);
	conn_free(c);
}

TEST(test_calls_on_a_connected_socket)
{
	struct tcp_conn *c = conn_connected(NULL);

	CHECK_EQ(conn_connect(c), 0); /* as Linux: the first connect after it succeeded says so */
	CHECK_EQ(conn_connect(c), -EISCONN);
	CHECK_EQ(sock_listen(c->sock, 5), -EINVAL);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 7000), sizeof(struct sockaddr_in)), -EINVAL);
	conn_free(c);
}

TEST(test_calls_on_a_listener)
{
	struct tcp_conn *c = conn_listening(NULL);

	c->sock = c->listener;
	c->listener = NULL;
	CHECK_EQ(conn_read(c, 10), -ENOTCONN);
	CHECK_EQ(conn_write(c, 10), -EPIPE);
	CHECK_EQ(conn_connect(c), -EISCONN);
	conn_free(c);
}

/* Reading: peek, truncate, nothing. */
TEST(test_recv_flags)
{
	struct tcp_conn *c = conn_established(NULL);
	uint8_t buf[50];

	seg_in(c, "P. 1:31(30) ack 1");
	CHECK_EQ(conn_read_flags(c, buf, 10, MSG_PEEK), 10);
	CHECK_EQ(conn_read_flags(c, buf, 10, MSG_PEEK), 10);
	CHECK_EQ(conn_read(c, 10), 10);
	CHECK_EQ(conn_read_flags(c, buf, 10, MSG_TRUNC), 10); /* thrown away */
	c->got += 10;
	CHECK_EQ(conn_read(c, 50), 10);
	conn_free(c);
}

TEST(test_rcvlowat_holds_pollin_back)
{
	struct tcp_conn *c = conn_established(NULL);

	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_RCVLOWAT, 20), 0);
	seg_in(c, "P. 1:11(10) ack 1");
	CHECK_EQ(conn_poll(c) & POLLIN, 0);
	seg_in(c, "P. 11:31(20) ack 1");
	CHECK_EQ(conn_poll(c) & POLLIN, POLLIN);
	conn_free(c);
}

/* A full send buffer takes no more; room is told by POLLOUT and a wake. */
TEST(test_send_buffer_fills_and_empties)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .sndbuf = 10000 });
	ssize_t n, total = 0;
	unsigned int wakes;

	while ((n = conn_write(c, 2000)) > 0)
		total += n;
	CHECK_EQ(n, -EAGAIN);
	CHECK_GE(total, 5000);
	CHECK_EQ(conn_poll(c) & POLLOUT, 0);
	wakes = c->wakes;
	seg_forget(c);
	for (int i = 0; i < 10; i++) {
		seg_in(c, ". 1:1(0) ack %u",
		       c->last.seq + (uint32_t)MIN(1460, total - (ssize_t)c->last.seq + 1));
		seg_forget(c);
	}
	CHECK_EQ(conn_poll(c) & POLLOUT, POLLOUT);
	CHECK_GT(c->wakes, wakes);
	conn_free(c);
}
