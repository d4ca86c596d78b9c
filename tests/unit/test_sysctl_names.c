/* SPDX-License-Identifier: MIT */
/*
 * The settings that the layers have: each name with its default, and what changing it does, at least one of
 * each group. What TCP makes of its settings in detail is tested where the behaviour is.
 */
#include "stack/core/sysctl.h"

#include "tests/unit/tcp_fixture.h"

#include "stack/core/neighbour.h"
#include "stack/inet/icmp.h"
#include "stack/inet/route.h"
#include "stack/tcp/tcp.h"

static void set(struct net *net, const char *name, const char *value)
{
	char why[300] = "";

	CHECK_MSG(sysctl_set(net, name, value, why, sizeof(why)) == 0, "%s", why);
}

static const char *get(struct net *net, const char *name)
{
	static char buf[300];
	ssize_t n = sysctl_read(net, name, buf, sizeof(buf) - 1);

	CHECK_GT(n, 0);
	buf[n - 1] = '\0';
	for (char *p = buf; *p; p++)
		if (*p == '\t')
			*p = ' ';
	return buf;
}

/* Everything there is, in the order of names; NULL: a secret of the namespace's own. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "net/core/rmem_default", "212992" },
	{ "net/core/rmem_max", "212992" },
	{ "net/core/somaxconn", "4096" },
	{ "net/core/wmem_default", "212992" },
	{ "net/core/wmem_max", "212992" },
	{ "net/ipv4/conf/all/forwarding", "0" },
	{ "net/ipv4/icmp_echo_ignore_all", "0" },
	{ "net/ipv4/icmp_echo_ignore_broadcasts", "1" },
	{ "net/ipv4/icmp_msgs_burst", "50" },
	{ "net/ipv4/icmp_msgs_per_sec", "1000" },
	{ "net/ipv4/igmp_max_memberships", "20" },
	{ "net/ipv4/ip_default_ttl", "64" },
	{ "net/ipv4/ip_forward", "0" },
	{ "net/ipv4/ip_local_port_range", "32768 60999" },
	{ "net/ipv4/ip_no_pmtu_disc", "0" },
	{ "net/ipv4/ip_nonlocal_bind", "0" },
	{ "net/ipv4/ipfrag_high_thresh", "4194304" },
	{ "net/ipv4/ipfrag_time", "30" },
	{ "net/ipv4/neigh/default/base_reachable_time", "30" },
	{ "net/ipv4/neigh/default/base_reachable_time_ms", "30000" },
	{ "net/ipv4/neigh/default/delay_first_probe_time", "5" },
	{ "net/ipv4/neigh/default/gc_interval", "30" },
	{ "net/ipv4/neigh/default/gc_stale_time", "60" },
	{ "net/ipv4/neigh/default/gc_thresh3", "1024" },
	{ "net/ipv4/neigh/default/mcast_solicit", "3" },
	{ "net/ipv4/neigh/default/retrans_time_ms", "1000" },
	{ "net/ipv4/neigh/default/ucast_solicit", "3" },
	{ "net/ipv4/neigh/default/unres_qlen_bytes", "212992" },
	{ "net/ipv4/route/min_pmtu", "552" },
	{ "net/ipv4/route/mtu_expires", "600" },
	{ "net/ipv4/tcp_abort_on_overflow", "0" },
	{ "net/ipv4/tcp_adv_win_scale", "1" },
	{ "net/ipv4/tcp_allowed_congestion_control", "reno cubic bbr" },
	{ "net/ipv4/tcp_available_congestion_control", "reno cubic bbr dctcp" },
	{ "net/ipv4/tcp_base_mss", "1024" },
	{ "net/ipv4/tcp_challenge_ack_limit", "2147483647" },
	{ "net/ipv4/tcp_congestion_control", "cubic" },
	{ "net/ipv4/tcp_dsack", "1" },
	{ "net/ipv4/tcp_early_retrans", "3" },
	{ "net/ipv4/tcp_ecn", "2" },
	{ "net/ipv4/tcp_ecn_fallback", "1" },
	{ "net/ipv4/tcp_fastopen", "1" },
	{ "net/ipv4/tcp_fastopen_blackhole_timeout_sec", "0" },
	{ "net/ipv4/tcp_fastopen_key", NULL },
	{ "net/ipv4/tcp_fin_timeout", "60" },
	{ "net/ipv4/tcp_frto", "2" },
	{ "net/ipv4/tcp_invalid_ratelimit", "500" },
	{ "net/ipv4/tcp_keepalive_intvl", "75" },
	{ "net/ipv4/tcp_keepalive_probes", "9" },
	{ "net/ipv4/tcp_keepalive_time", "7200" },
	{ "net/ipv4/tcp_max_orphans", "16384" },
	{ "net/ipv4/tcp_max_reordering", "300" },
	{ "net/ipv4/tcp_max_syn_backlog", "1024" },
	{ "net/ipv4/tcp_max_tw_buckets", "65536" },
	{ "net/ipv4/tcp_mem", "47232 62976 94464" },
	{ "net/ipv4/tcp_min_rtt_wlen", "300" },
	{ "net/ipv4/tcp_min_tso_segs", "2" },
	{ "net/ipv4/tcp_moderate_rcvbuf", "1" },
	{ "net/ipv4/tcp_mtu_probe_floor", "48" },
	{ "net/ipv4/tcp_mtu_probing", "0" },
	{ "net/ipv4/tcp_notsent_lowat", "4294967295" },
	{ "net/ipv4/tcp_orphan_retries", "0" },
	{ "net/ipv4/tcp_pacing_ca_ratio", "120" },
	{ "net/ipv4/tcp_pacing_ss_ratio", "200" },
	{ "net/ipv4/tcp_probe_interval", "600" },
	{ "net/ipv4/tcp_probe_threshold", "8" },
	{ "net/ipv4/tcp_recovery", "1" },
	{ "net/ipv4/tcp_reordering", "3" },
	{ "net/ipv4/tcp_retries1", "3" },
	{ "net/ipv4/tcp_retries2", "15" },
	{ "net/ipv4/tcp_rfc1337", "0" },
	{ "net/ipv4/tcp_rmem", "4096 131072 6291456" },
	{ "net/ipv4/tcp_rto_min_us", "200000" },
	{ "net/ipv4/tcp_sack", "1" },
	{ "net/ipv4/tcp_slow_start_after_idle", "1" },
	{ "net/ipv4/tcp_stdurg", "0" },
	{ "net/ipv4/tcp_syn_retries", "6" },
	{ "net/ipv4/tcp_synack_retries", "5" },
	{ "net/ipv4/tcp_syncookies", "1" },
	{ "net/ipv4/tcp_thin_linear_timeouts", "0" },
	{ "net/ipv4/tcp_timestamps", "1" },
	{ "net/ipv4/tcp_tso_rtt_log", "9" },
	{ "net/ipv4/tcp_tw_reuse", "2" },
	{ "net/ipv4/tcp_window_scaling", "1" },
	{ "net/ipv4/tcp_wmem", "4096 16384 4194304" },
};

TEST(test_each_name_has_its_default)
{
	struct tcp_conn *c = conn_new(NULL);
	char name[SYSCTL_NAME_MAX] = "";

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		CHECK(sysctl_next(c->net, "", name));
		CHECK_STR(name, defaults[i].name);
		CHECK(!sysctl_changed(c->net, name));
		if (defaults[i].value)
			CHECK_STR(get(c->net, name), defaults[i].value);
	}
	CHECK(!sysctl_next(c->net, "", name));
	conn_free(c);
}

/* What can be written takes its own value back, and garbage never. */
TEST(test_each_name_takes_what_it_shows)
{
	struct tcp_conn *c = conn_new(NULL);
	char name[SYSCTL_NAME_MAX] = "", value[300], why[300];

	while (sysctl_next(c->net, "", name)) {
		bool writable = sysctl_mode(c->net, name) & 0200;

		snprintf(value, sizeof(value), "%s", get(c->net, name));
		CHECK_MSG((sysctl_set(c->net, name, value, why, sizeof(why)) == 0) == writable, "%s", name);
		CHECK_MSG(sysctl_set(c->net, name, "-x", why, sizeof(why)) < 0, "%s", name);
		CHECK_MSG(sysctl_set(c->net, name, "99999999999999999999", why, sizeof(why)) < 0, "%s", name);
		CHECK_STR(get(c->net, name), value);
		CHECK(!sysctl_changed(c->net, name));
	}
	conn_free(c);
}

TEST(test_hosts_have_their_own)
{
	struct tcp_conn *a = conn_new(NULL), *b = conn_new(NULL);

	set(a->net, "net.ipv4.tcp_sack", "0");
	set(a->net, "net.ipv4.ip_default_ttl", "7");
	set(a->net, "net.core.somaxconn", "1");
	CHECK_STR(get(b->net, "net.ipv4.tcp_sack"), "1");
	CHECK_STR(get(b->net, "net.ipv4.ip_default_ttl"), "64");
	CHECK_STR(get(b->net, "net.core.somaxconn"), "4096");
	conn_free(a);
	conn_free(b);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

/* A SYN of ours, bound to port 5000. */
static void open_to_peer(struct tcp_conn *c)
{
	c->pport = 80;
	c->lport = 5000;
	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(0, 5000), sizeof(struct sockaddr_in)), 0);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
}

TEST(test_what_a_syn_offers)
{
	static const struct {
		const char *name, *value, *syn;
	} cases[] = {
		{ "net.ipv4.tcp_sack", "0", "S 0:0(0) <mss 1460,nop,nop,TS val 0 ecr 0,nop,wscale 7>" },
		{ "net.ipv4.tcp_timestamps", "0", "S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7>" },
		{ "net.ipv4.tcp_window_scaling", "0", "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0>" },
		{ "net.ipv4.tcp_ecn", "1", "SEW 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 7>" },
		{ "net.ipv4.tcp_rmem", "4096 65535 131070", "S 0:0(0) <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 1>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_conn *c = conn_new(NULL);

		set(c->net, cases[i].name, cases[i].value);
		open_to_peer(c);
		seg_out(c, "%s", cases[i].syn);
		conn_free(c);
	}
}

/* tcp_timestamps=2: the clock as it is, without an offset. */
TEST(test_timestamps_without_an_offset)
{
	struct tcp_conn *c = conn_new(NULL);

	set(c->net, "net.ipv4.tcp_timestamps", "2");
	open_to_peer(c);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(tcp_sk(c->sock->sk)->ts_off, 0);
	conn_free(c);
}

/* What a socket says of itself follows from the settings. */
TEST(test_what_sockets_begin_with)
{
	static const struct {
		const char *name, *value;
		int level, option, result;
	} cases[] = {
		{ "net.ipv4.tcp_syn_retries", "3", IPPROTO_TCP, TCP_SYNCNT, 3 },
		{ "net.ipv4.tcp_fin_timeout", "5", IPPROTO_TCP, TCP_LINGER2, 5 },
		{ "net.ipv4.tcp_keepalive_time", "11", IPPROTO_TCP, TCP_KEEPIDLE, 11 },
		{ "net.ipv4.tcp_keepalive_intvl", "12", IPPROTO_TCP, TCP_KEEPINTVL, 12 },
		{ "net.ipv4.tcp_keepalive_probes", "13", IPPROTO_TCP, TCP_KEEPCNT, 13 },
		{ "net.ipv4.tcp_rmem", "4096 8192 16384", SOL_SOCKET, SO_RCVBUF, 8192 },
		{ "net.ipv4.tcp_wmem", "4096 8192 16384", SOL_SOCKET, SO_SNDBUF, 8192 },
		{ "net.ipv4.ip_default_ttl", "9", IPPROTO_IP, IP_TTL, 9 },
		{ "net.ipv4.ip_no_pmtu_disc", "1", IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_conn *c = conn_new(NULL);

		set(c->net, cases[i].name, cases[i].value);
		c->sock = conn_socket(c);
		CHECK_MSG(conn_getopt(c, cases[i].level, cases[i].option) == cases[i].result, "%s", cases[i].name);
		conn_free(c);
	}
}

static int congestion_control(struct tcp_conn *c, char name[16])
{
	socklen_t len = 16;

	return sock_getsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, name, &len);
}

TEST(test_congestion_control)
{
	struct tcp_conn *c = conn_new(NULL);
	char name[16] = "", why[200];

	CHECK_EQ(sysctl_set(c->net, "net.ipv4.tcp_congestion_control", "vegas", why, sizeof(why)), -ENOENT);
	CHECK_EQ(sysctl_set(c->net, "net.ipv4.tcp_available_congestion_control", "reno", why, sizeof(why)), -EACCES);
	set(c->net, "net.ipv4.tcp_congestion_control", "reno");
	c->sock = conn_socket(c);
	CHECK_EQ(congestion_control(c, name), 0);
	CHECK_STR(name, "reno");
	set(c->net, "net.ipv4.tcp_allowed_congestion_control", "reno dctcp");
	CHECK_STR(get(c->net, "net.ipv4.tcp_allowed_congestion_control"), "reno dctcp");
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), -EPERM);
	CHECK_EQ(sock_setsockopt(c->sock, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
	conn_free(c);
}

TEST(test_fastopen_keys)
{
	static const char *const wrong[] = { "", "1-2-3", "1-2-3-4-5", "1-2-3-4,", "1-2-3-4,5", "123456789-2-3-4",
					     "1-2-3-4,5-6-7-8,9-a-b-c", "g-2-3-4", "-1-2-3", "1 -2-3-4" };
	struct tcp_conn *c = conn_new(NULL);
	char why[200];

	set(c->net, "net.ipv4.tcp_fastopen_key", "1-2-3-deadbeef");
	CHECK_EQ(c->net->tcp->fastopen_keys.count, 1);
	CHECK_EQ(c->net->tcp->fastopen_keys.key[0][0], htole64(0x200000001ULL));
	set(c->net, "net.ipv4.tcp_fastopen_key", "1-2-3-4,5-6-7-8");
	CHECK_EQ(c->net->tcp->fastopen_keys.count, 2);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_MSG(sysctl_set(c->net, "net.ipv4.tcp_fastopen_key", wrong[i], why, sizeof(why)) == -EINVAL, "%s",
			  wrong[i]);
	CHECK_STR(get(c->net, "net.ipv4.tcp_fastopen_key"),
		  "00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008");
	conn_free(c);
}

TEST(test_rto_min)
{
	struct tcp_conn *c = conn_listening(NULL);

	set(c->net, "net.ipv4.tcp_rto_min_us", "50000");
	conn_handshake(c, true);
	conn_accept(c);
	CHECK_EQ(conn_write(c, 100), 100);
	CHECK_EQ(seg_forget(c), 1);
	CHECK_EQ(seg_wait(c, 2000), 50);
	conn_free(c);
}

TEST(test_notsent_lowat_of_the_namespace)
{
	struct tcp_conn *c = conn_established(&(struct tcp_params){ .win = 100 });

	set(c->net, "net.ipv4.tcp_notsent_lowat", "1000");
	CHECK(tcp_stream_writeable(tcp_sk(c->sock->sk)));
	CHECK_GE(conn_write(c, 2000), 1000);
	CHECK(!tcp_stream_writeable(tcp_sk(c->sock->sk)));
	set(c->net, "net.ipv4.tcp_notsent_lowat", "4294967295");
	CHECK(tcp_stream_writeable(tcp_sk(c->sock->sk)));
	conn_free(c);
}

/* tcp_stdurg: the pointer names the urgent byte itself. */
TEST(test_stdurg)
{
	for (int on = 0; on < 2; on++) {
		struct tcp_conn *c = conn_established(NULL);

		set(c->net, "net.ipv4.tcp_stdurg", on ? "1" : "0");
		seg_in(c, "PU. 1:11(10) ack 1 urg 5");
		CHECK_EQ(tcp_sk(c->sock->sk)->rcv_up - tcp_sk(c->sock->sk)->irs, on ? 6 : 5);
		conn_free(c);
	}
}

/* The rate that follows from the window: ratio of cwnd / srtt in per cent. */
TEST(test_pacing_ratios)
{
	struct tcp_conn *c = conn_established(NULL);
	struct tcp_sock *tp = tcp_sk(c->sock->sk);
	uint64_t full;

	tp->srtt_us = 10000;
	tcp_update_pacing_rate(tp);
	full = tp->pacing_rate;
	set(c->net, "net.ipv4.tcp_pacing_ss_ratio", "100");
	tcp_update_pacing_rate(tp);
	CHECK_EQ(tp->pacing_rate, full / 2);
	tp->snd_ssthresh = 0;
	set(c->net, "net.ipv4.tcp_pacing_ca_ratio", "50");
	tcp_update_pacing_rate(tp);
	CHECK_EQ(tp->pacing_rate, full / 4);
	tp->pacing_rate = 1;
	tp->min_rtt_us = 1000000;
	set(c->net, "net.ipv4.tcp_min_tso_segs", "7");
	CHECK_EQ(tcp_tso_goal(tp, 64000, 1000), 7000);
	tp->min_rtt_us = 1;
	CHECK_EQ(tcp_tso_goal(tp, 64000, 1000), 64000);
	set(c->net, "net.ipv4.tcp_tso_rtt_log", "0");
	CHECK_EQ(tcp_tso_goal(tp, 64000, 1000), 7000);
	conn_free(c);
}

/* ---- sockets --------------------------------------------------------------------------------- */

TEST(test_buffers_of_sockets)
{
	struct tcp_conn *c = conn_new(NULL);

	set(c->net, "net.core.rmem_default", "50000");
	set(c->net, "net.core.wmem_default", "60000");
	set(c->net, "net.core.rmem_max", "10000");
	set(c->net, "net.core.wmem_max", "20000");
	CHECK_EQ(sock_create(c->net, AF_INET, SOCK_DGRAM, 0, &c->sock), 0);
	CHECK_EQ(conn_getopt(c, SOL_SOCKET, SO_RCVBUF), 50000);
	CHECK_EQ(conn_getopt(c, SOL_SOCKET, SO_SNDBUF), 60000);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_RCVBUF, 1000000), 0);
	CHECK_EQ(conn_setopt(c, SOL_SOCKET, SO_SNDBUF, 1000000), 0);
	CHECK_EQ(conn_getopt(c, SOL_SOCKET, SO_RCVBUF), 20000);
	CHECK_EQ(conn_getopt(c, SOL_SOCKET, SO_SNDBUF), 40000);
	sock_release(c->sock);
	c->sock = NULL;
	conn_free(c);
}

/* net.core.somaxconn: what listen() asks for is cut. */
TEST(test_somaxconn)
{
	struct tcp_conn *c = conn_new(NULL);

	set(c->net, "net.core.somaxconn", "2");
	c->sock = conn_socket(c);
	CHECK_EQ(sock_listen(c->sock, 100), 0);
	CHECK_EQ(tcp_sk(c->sock->sk)->backlog, 2);
	conn_free(c);
}

/* ---- IP -------------------------------------------------------------------------------------- */

TEST(test_port_range)
{
	struct tcp_conn *c = conn_new(NULL);
	struct socket *s[4];
	char why[200];

	set(c->net, "net.ipv4.ip_local_port_range", "5000 5002");
	for (size_t i = 0; i < 4; i++) {
		CHECK_EQ(sock_create(c->net, AF_INET, SOCK_DGRAM, 0, &s[i]), 0);
		CHECK_EQ(sock_bind(s[i], conn_addr(0, 0), sizeof(struct sockaddr_in)), i < 3 ? 0 : -EADDRINUSE);
		CHECK(i == 3 || (inet_sk(s[i]->sk)->num >= 5000 && inet_sk(s[i]->sk)->num <= 5002));
	}
	for (size_t i = 0; i < 4; i++)
		sock_release(s[i]);
	CHECK_EQ(sysctl_set(c->net, "net.ipv4.ip_local_port_range", "5002 5000", why, sizeof(why)), -EINVAL);
	CHECK_EQ(sysctl_set(c->net, "net.ipv4.ip_local_port_range", "0 5000", why, sizeof(why)), -EINVAL);
	CHECK_STR(get(c->net, "net.ipv4.ip_local_port_range"), "5000 5002");
	/* One port only, for a connection. */
	set(c->net, "net.ipv4.ip_local_port_range", "6000 6000");
	c->lport = 6000;
	c->pport = 80;
	c->sock = conn_socket(c);
	CHECK_EQ(conn_connect(c), -EINPROGRESS);
	CHECK_EQ(inet_sk(c->sock->sk)->num, 6000);
	seg_forget(c);
	conn_free(c);
}

TEST(test_nonlocal_bind)
{
	struct tcp_conn *c = conn_new(NULL);

	c->sock = conn_socket(c);
	CHECK_EQ(sock_bind(c->sock, conn_addr(PKT_IP(192, 0, 2, 1), 80), sizeof(struct sockaddr_in)), -EADDRNOTAVAIL);
	set(c->net, "net.ipv4.ip_nonlocal_bind", "1");
	CHECK_EQ(sock_bind(c->sock, conn_addr(PKT_IP(192, 0, 2, 1), 80), sizeof(struct sockaddr_in)), 0);
	conn_free(c);
}

/* ip_forward and conf/all/forwarding are one. */
TEST(test_forwarding_has_two_names)
{
	struct tcp_conn *c = conn_new(NULL);

	set(c->net, "net.ipv4.conf.all.forwarding", "1");
	CHECK_STR(get(c->net, "net.ipv4.ip_forward"), "1");
	CHECK(c->net->inet->sysctl.ip_forward);
	conn_free(c);
}

TEST(test_least_path_mtu_and_its_life)
{
	struct tcp_conn *c = conn_new(NULL);
	const struct inet_addr peer = inet_addr_v4(cpu_to_be32(PEER_ADDR));
	const struct flowi fl = { .daddr = peer };
	struct dst dst;

	set(c->net, "net.ipv4.route.min_pmtu", "1000");
	set(c->net, "net.ipv4.route.mtu_expires", "5");
	route_update_pmtu(c->net, &peer, 600);
	CHECK_EQ(route_lookup(c->net, &fl, &dst), 0);
	CHECK_EQ(dst.mtu, 1000);
	CHECK(dst.mtu_locked);
	conn_ms(c, 5000);
	CHECK_EQ(route_lookup(c->net, &fl, &dst), 0);
	CHECK_EQ(dst.mtu, 1500);
	conn_free(c);
}

TEST(test_neighbour_times)
{
	struct tcp_conn *c = conn_new(NULL);
	struct neigh_parms *parms = neigh_table_parms(c->net, AF_INET);

	set(c->net, "net.ipv4.neigh.default.base_reachable_time", "7");
	CHECK_EQ(parms->base_reachable_ms, 7000);
	CHECK_STR(get(c->net, "net.ipv4.neigh.default.base_reachable_time_ms"), "7000");
	set(c->net, "net.ipv4.neigh.default.base_reachable_time_ms", "1500");
	CHECK_STR(get(c->net, "net.ipv4.neigh.default.base_reachable_time"), "1");
	set(c->net, "net.ipv4.neigh.default.mcast_solicit", "5");
	set(c->net, "net.ipv4.neigh.default.gc_stale_time", "2");
	CHECK_EQ(parms->mcast_probes, 5);
	CHECK_EQ(parms->gc_stale_ms, 2000);
	conn_free(c);
}

/* ---- ICMP ------------------------------------------------------------------------------------ */

static bool answers_echo(struct tcp_conn *c, uint32_t to)
{
	struct pkt p = pkt_icmp(PEER_ADDR, to, ICMP4_ECHO, 0, 1, "x", 1);

	if (to != LOCAL_ADDR)
		memset(p.eth_dst, 0xff, sizeof(p.eth_dst));
	pkt_inject(c->dev, &p);
	return fake_dev_forget(c->dev) == 1;
}

TEST(test_echo_settings)
{
	struct tcp_conn *c = conn_new(NULL);
	const uint32_t all = PKT_IP(10, 0, 0, 255);

	CHECK(answers_echo(c, LOCAL_ADDR));
	CHECK(!answers_echo(c, all));
	set(c->net, "net.ipv4.icmp_echo_ignore_broadcasts", "0");
	CHECK(answers_echo(c, all));
	set(c->net, "net.ipv4.icmp_echo_ignore_all", "1");
	CHECK(!answers_echo(c, LOCAL_ADDR));
	CHECK(!answers_echo(c, all));
	conn_free(c);
}

/* Errors sent about @n datagrams to a port where nobody is. */
static unsigned int errors_about(struct tcp_conn *c, unsigned int n)
{
	struct pkt p = pkt_udp(PEER_ADDR, 1000, LOCAL_ADDR, 2000, "x", 1);

	while (n--)
		pkt_inject(c->dev, &p);
	return fake_dev_forget(c->dev);
}

TEST(test_icmp_rate)
{
	struct tcp_conn *c = conn_new(NULL);

	set(c->net, "net.ipv4.icmp_msgs_per_sec", "10");
	set(c->net, "net.ipv4.icmp_msgs_burst", "3");
	conn_ms(c, 1000);
	CHECK_EQ(errors_about(c, 20), 3);
	conn_ms(c, 200);
	CHECK_EQ(errors_about(c, 20), 2);
	set(c->net, "net.ipv4.icmp_msgs_per_sec", "0");
	conn_ms(c, 100000);
	CHECK_EQ(errors_about(c, 20), 0);
	set(c->net, "net.ipv4.icmp_msgs_per_sec", "2147483647");
	CHECK_EQ(errors_about(c, 20), 3);
	conn_free(c);
}
