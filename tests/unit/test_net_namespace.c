/* SPDX-License-Identifier: MIT */
/* net_namespace.c: subsystems in order and in reverse, the clock; trace.c: lines to the sink. */
#include "stack/core/net_namespace.h"

#include "stack/core/addr.h"
#include "stack/core/trace.h"
#include "tests/unit/check.h"

static const uint8_t seed[32];

/* What the subsystems below did, in order: capital letter = init, small = exit. */
static char history[32];
static int second_fails_with;

static void remember(char c)
{
	size_t n = strlen(history);

	CHECK_LT(n, sizeof(history) - 1);
	history[n] = c;
	history[n + 1] = '\0';
}

static int init_a(struct net *net)
{
	CHECK(net->now > 0);
	remember('A');
	return 0;
}

static void exit_a(struct net *net)
{
	CHECK_EQ(net->subsystems_ready, 0);
	remember('a');
}

static int init_b(struct net *net)
{
	CHECK_EQ(net->subsystems_ready, 1);
	remember('B');
	return second_fails_with;
}

static void exit_b(struct net *net)
{
	CHECK_EQ(net->subsystems_ready, 1);
	remember('b');
}

static const struct pernet_operations ops_a = { "a", init_a, exit_a };
static const struct pernet_operations ops_b = { "b", init_b, exit_b };
static const struct pernet_operations ops_nothing = { "nothing", NULL, NULL };
static const struct pernet_operations *const table[] = { &ops_a, &ops_b, &ops_nothing, NULL };

TEST(test_net_subsystems_come_in_order_and_go_in_reverse)
{
	struct net *net = NULL;

	history[0] = '\0';
	second_fails_with = 0;
	CHECK_EQ(net_create(table, seed, 5, &net), 0);
	CHECK_EQ(net->now, 5);
	CHECK_STR(history, "AB");
	net_destroy(net);
	CHECK_STR(history, "ABba");
	net_destroy(NULL);
}

TEST(test_net_failed_subsystem_undoes_those_before)
{
	struct net *net = NULL;

	history[0] = '\0';
	second_fails_with = -ENOMEM;
	CHECK_EQ(net_create(table, seed, 5, &net), -ENOMEM);
	CHECK(net == NULL);
	CHECK_STR(history, "ABa");
	CHECK_EQ(net_create(table, seed, 0, &net), -EINVAL);
}

static struct net *empty_net(void)
{
	static const struct pernet_operations *const none[] = { NULL };
	struct net *net = NULL;

	CHECK_EQ(net_create(none, seed, 100, &net), 0);
	return net;
}

static void count_fire(struct timer_list *t)
{
	struct net *net = container_of(t->base, struct net, timers);

	mib_inc(net, MIB_TcpInSegs);
}

TEST(test_net_advance_turns_the_clock_forward_only)
{
	struct net *net = empty_net();
	struct timer_list t;

	timer_setup(&t, &net->timers, count_fire);
	mod_timer(&t, 150);
	net_advance(net, 120);
	CHECK_EQ(net->now, 120);
	CHECK_EQ(net->mib[MIB_TcpInSegs], 0);
	net_advance(net, 110);
	CHECK_EQ(net->now, 120);
	net_advance(net, 150);
	CHECK_EQ(net->mib[MIB_TcpInSegs], 1);
	net_destroy(net);
}

TEST(test_mib_names_are_linux_names)
{
	CHECK_STR(mib_name(MIB_TcpRetransSegs), "TcpRetransSegs");
	CHECK_STR(mib_name(MIB_IpInReceives), "IpInReceives");
	CHECK_STR(mib_name(MIB_MAX), "None");
}

TEST(test_inet_addr_text)
{
	struct inet_addr a = inet_addr_v4(cpu_to_be32(0xc0a80001)), b = a;
	char buf[INET_ADDR_STRLEN];

	CHECK_STR(inet_addr_str(&a, buf), "192.168.0.1");
	CHECK(inet_addr_equal(&a, &b) && !inet_addr_any(&a));
	b = inet_addr_v4(0);
	CHECK(!inet_addr_equal(&a, &b) && inet_addr_any(&b));
	memset(&a, 0, sizeof(a));
	CHECK_STR(inet_addr_str(&a, buf), "none");
	a.family = AF_INET6;
	memset(a.v6, 0xff, 16);
	CHECK_STR(inet_addr_str(&a, buf), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

struct sink {
	struct trace trace;
	char text[500];
	ktime_t at;
};

static void keep_line(void *arg, ktime_t now, enum trace_kind kind, const char *text)
{
	struct sink *s = arg;

	CHECK(kind == TRACE_DROP || kind == TRACE_CALL);
	s->at = now;
	snprintf(s->text, sizeof(s->text), "%s", text);
}

static void fixed_text(const struct sk_buff *skb, char *buf, size_t len)
{
	snprintf(buf, len, "<%u>", skb->len);
}

TEST(test_trace_tells_a_drop_with_its_reason)
{
	struct sink s = { .trace = { .kinds = TRACE_DROP, .line = keep_line } };
	struct net *net = empty_net();

	s.trace.arg = &s;
	skb_drop(alloc_skb(net, 10), SKB_DROP_NO_MEMORY);
	CHECK_STR(s.text, "");
	net->trace = &s.trace;
	skb_drop(alloc_skb(net, 10), SKB_DROP_NO_MEMORY);
	CHECK_STR(s.text, "drop: -: 0 bytes: out of memory");
	CHECK_EQ(s.at, 100);
	s.trace.packet = fixed_text;
	skb_drop(alloc_skb(net, 10), SKB_DROP_UDP_NO_PORT);
	CHECK_STR(s.text, "drop: -: <0>: no UDP socket on the port");
	CHECK(!trace_on(net, TRACE_STATE));
	net_destroy(net);
}

TEST(test_trace_cuts_a_long_line)
{
	struct sink s = { .trace = { .kinds = TRACE_ALL, .line = keep_line } };
	struct net *net = empty_net();
	char long_text[1000];

	s.trace.arg = &s;
	net->trace = &s.trace;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	trace_printf(net, TRACE_CALL, "%s", long_text);
	CHECK_EQ(strlen(s.text), 399);
	net_destroy(net);
}
