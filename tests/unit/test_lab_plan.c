/* SPDX-License-Identifier: MIT */
/* The file of a laboratory: what is read from it, what is wrong with it, which routes follow. */
#include <arpa/inet.h>

#include "tests/unit/check.h"

#include "shim/host/lab_plan.c"
#include "shim/host/lab_route.c"

static struct lab_plan *parse(const char *text)
{
	struct lab_plan *plan = calloc(1, sizeof(*plan));
	char err[LAB_ERR] = "";
	int ret;

	CHECK(plan != NULL);
	ret = lab_plan_parse(text, plan, err);
	CHECK_MSG(ret == 0, "%s", err);
	return plan;
}

static void drop(struct lab_plan *plan)
{
	lab_plan_free(plan);
	free(plan);
}

static const char *ip(struct in_addr addr)
{
	return inet_ntoa(addr);
}

TEST(test_all_statements)
{
	struct lab_plan *plan = parse("# comment\n"
				      "host a 10.0.0.1/24 gateway 10.0.0.9 dns 10.0.0.8   # and another\n"
				      "\thost  b\t10.0.0.2/24\r\n"
				      "switch s\nlink a s mtu 9000\nlink b s loss 1% \\\n delay 5ms # here\n"
				      "serve a nc -l 1 # not a comment\n"
				      "sysctl b net/ipv4/tcp_rmem = 4096 \\\n 8192  16384  # memory\n"
				      "run b after a:1,a \\\n echo 'a  b'\nseed 18446744073709551615");

	CHECK_EQ(plan->node_count, 3);
	CHECK_STR(plan->nodes[0].name, "a");
	CHECK_STR(ip(plan->nodes[0].gateway), "10.0.0.9");
	CHECK_STR(ip(plan->nodes[0].dns), "10.0.0.8");
	CHECK_EQ(plan->nodes[2].kind, LAB_SWITCH);
	CHECK_EQ(plan->nodes[2].port_count, 2);
	CHECK_EQ(plan->link_count, 2);
	CHECK_EQ(plan->links[0].mtu, 9000);
	CHECK(plan->links[0].impair == NULL);
	CHECK_STR(plan->links[1].impair, "loss 1%   delay 5ms ");
	CHECK_EQ(plan->links[1].line, 6);
	CHECK_EQ(plan->program_count, 2);
	CHECK_STR(plan->programs[0].command, "nc -l 1 # not a comment");
	CHECK(plan->programs[0].serve && !plan->programs[1].serve);
	CHECK_STR(plan->programs[1].command, "echo 'a  b'");
	CHECK_EQ(plan->programs[1].after_count, 2);
	CHECK_EQ(plan->programs[1].after[0].port, 1);
	CHECK_EQ(plan->programs[1].after[1].port, 0);
	CHECK_EQ(plan->programs[1].line, 11);
	CHECK_EQ(plan->setting_count, 1);
	CHECK_EQ(plan->settings[0].node, 1);
	CHECK_EQ(plan->settings[0].line, 9);
	CHECK_STR(plan->settings[0].name, "net/ipv4/tcp_rmem");
	CHECK_STR(plan->settings[0].value, "4096   8192  16384");
	CHECK_EQ(plan->seed, UINT64_MAX);
	drop(plan);
}

TEST(test_errors_name_line_and_reason)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "line 1: there is no host in it" },
		{ "\n\nhosts a", "line 3: 'hosts' is not host, router, switch, link, run, serve, sysctl or seed" },
		{ "host", "line 1: a name is missing" },
		{ "host A 10.0.0.1/24", "line 1: 'A': names are 1 to 31 lower-case letters, digits, '-' and '_'" },
		{ "host a", "line 1: a has no address" },
		{ "host a 10.0.0.1", "line 1: '10.0.0.1' is not ADDR/LEN" },
		{ "host a 10.0.0/24", "line 1: address: '10.0.0' is not an IPv4 address" },
		{ "host a 10.0.0.1/31", "line 1: prefix length: '31' is not a number up to 30" },
		{ "host a 10.0.0.1/", "line 1: prefix length: '' is not a number up to 30" },
		{ "host a 10.0.0.0/24", "line 1: 10.0.0.0/24 is not the address of a host" },
		{ "host a 10.0.0.255/24", "line 1: 10.0.0.255/24 is not the address of a host" },
		{ "host a 127.0.0.1/8", "line 1: 127.0.0.1/8 is not the address of a host" },
		{ "host a 224.0.0.1/8", "line 1: 224.0.0.1/8 is not the address of a host" },
		{ "host a 10.0.0.1/24 gateway", "line 1: gateway: an address is missing" },
		{ "host a 10.0.0.1/24\nhost a 10.0.0.2/24", "line 2: there is a 'a' already, in line 1" },
		{ "host a 10.0.0.1/24\nhost b 10.0.0.1/24", "line 2: 10.0.0.1 is a's already" },
		{ "switch s 10.0.0.1/24", "line 1: '10.0.0.1/24' is one word too many" },
		{ "host a 10.0.0.1/24\nlink a b", "line 2: there is no 'b' above this line" },
		{ "host a 10.0.0.1/24\nlink a a", "line 2: a link joins two different ends" },
		{ "host a 10.0.0.1/24", "line 1: a has 1 addresses and 0 links: one address for each link" },
		{ "host a 10.0.0.1/24\nswitch s\nlink a s\nlink a s", "line 4: a has a link more than addresses (line 1)" },
		{ "host a 10.0.0.1/24\nswitch s\nlink a s mtu 67", "line 3: mtu: IPv4 needs 68 at least" },
		{ "host a 10.0.0.1/24\nhost b 10.0.1.2/24\nlink a b",
		  "line 2: b's address for the link in line 3 is not of the network that others have there" },
		{ "switch s\nrun s true", "line 2: programs run on hosts, and s is none" },
		{ "host a 10.0.0.1/24\nrun a", "line 2: a command is missing" },
		{ "host a 10.0.0.1/24\nrun a after", "line 2: after what?" },
		{ "host a 10.0.0.1/24\nrun a after a true", "line 2: a would wait for itself" },
		{ "host a 10.0.0.1/24\nrun a after a:0 true", "line 2: port 0 is none" },
		{ "host a 10.0.0.1/24\nrun a after a:65536 true", "line 2: port: '65536' is not a number up to 65535" },
		{ "host a 10.0.0.1/24\nrun a after a:1,a:1,a:1,a:1,a:1 true", "line 2: after more than 4" },
		{ "switch s\nsysctl s net.ipv4.tcp_ecn=1", "line 2: s is a switch and has no settings" },
		{ "host a 10.0.0.1/24\nsysctl b x=1", "line 2: there is no 'b' above this line" },
		{ "host a 10.0.0.1/24\nsysctl a", "line 2: '' is not SETTING=VALUE" },
		{ "host a 10.0.0.1/24\nsysctl a net.ipv4.tcp_ecn 1", "line 2: 'net.ipv4.tcp_ecn 1' is not SETTING=VALUE" },
		{ "host a 10.0.0.1/24\nsysctl a =1", "line 2: '=1' is not SETTING=VALUE" },
		{ "seed -1", "line 1: seed: '-1' is not a number up to 18446744073709551615" },
		{ "seed 1 2", "line 1: '2' is one word too many" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab_plan *plan = calloc(1, sizeof(*plan));
		char err[LAB_ERR] = "";

		CHECK(plan != NULL);
		CHECK_EQ(lab_plan_parse(cases[i].text, plan, err), -EINVAL);
		CHECK_MSG(strcmp(err, cases[i].error) == 0, "case %zu: '%s', not '%s'", i, err, cases[i].error);
		drop(plan);
	}
}

/* client - s - r1 - r2 - server, and a spur behind r2. */
static const char chain[] = "host client 10.1.0.2/24\nhost neighbour 10.1.0.3/24\nhost server 10.3.0.2/24\n"
			    "host spur 10.4.0.2/28\nrouter r1 10.1.0.1/24 10.2.0.1/30\n"
			    "router r2 10.2.0.2/30 10.3.0.1/24 10.4.0.1/28\nswitch s\n"
			    "link client s\nlink neighbour s\nlink s r1\nlink r1 r2\nlink r2 server\nlink r2 spur\n";

/* "DST/LEN via GATEWAY" of all ways, each with a blank behind. */
static const char *ways_of(const struct lab_plan *plan, const char *name)
{
	static char text[512];
	struct lab_way ways[LAB_LINKS];
	size_t n = lab_plan_ways(plan, (unsigned int)lab_plan_find(plan, name), ways, LAB_LINKS), len = 0;

	text[0] = 0;
	for (size_t i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s/%u", ip(ways[i].dst), ways[i].prefix_len);
		len += (size_t)snprintf(text + len, sizeof(text) - len, " via %s ", ip(ways[i].gateway));
	}
	return text;
}

TEST(test_routes_follow_from_the_links)
{
	struct lab_plan *plan = parse(chain);

	CHECK_STR(ways_of(plan, "client"), "10.2.0.0/30 via 10.1.0.1 10.3.0.0/24 via 10.1.0.1 10.4.0.0/28 via 10.1.0.1 ");
	CHECK_STR(ways_of(plan, "server"), "10.2.0.0/30 via 10.3.0.1 10.4.0.0/28 via 10.3.0.1 10.1.0.0/24 via 10.3.0.1 ");
	CHECK_STR(ways_of(plan, "r1"), "10.3.0.0/24 via 10.2.0.2 10.4.0.0/28 via 10.2.0.2 ");
	CHECK_STR(ways_of(plan, "r2"), "10.1.0.0/24 via 10.2.0.1 ");
	drop(plan);
}

TEST(test_the_shorter_way_wins)
{
	/* a - r1 - b directly, and a - r2 - r3 - b around. */
	struct lab_plan *plan = parse("host a 10.1.0.2/24\nhost b 10.9.0.2/24\nswitch s\nswitch t\n"
				      "router r2 10.1.0.12/24 10.2.0.1/24\nrouter r3 10.2.0.2/24 10.9.0.13/24\n"
				      "router r1 10.1.0.11/24 10.9.0.11/24\nlink a s\nlink r2 s\nlink r1 s\nlink r2 r3\n"
				      "link r3 t\nlink r1 t\nlink b t\n");

	CHECK_STR(ways_of(plan, "a"), "10.2.0.0/24 via 10.1.0.12 10.9.0.0/24 via 10.1.0.11 ");
	drop(plan);
}

/* What stands in a file may be anything: never a crash. */
TEST(test_mutations)
{
	char text[sizeof(chain) + 80], err[LAB_ERR];
	uint32_t x = 1;

	for (int round = 0; round < 20000; round++) {
		struct lab_plan *plan = calloc(1, sizeof(*plan));
		int n = snprintf(text, sizeof(text), "%srun client after server:80 true\nseed 3\n", chain);

		CHECK(plan != NULL);
		for (int k = 0; k < 3; k++) {
			x = x * 1664525 + 1013904223;
			text[(x >> 8) % (uint32_t)n] = " \n\\#/,:.0a9\t"[(x >> 3) % 12];
		}
		(void)lab_plan_parse(text, plan, err);
		drop(plan);
	}
}
