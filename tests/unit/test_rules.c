/* SPDX-License-Identifier: MIT */
/* Rules: what they say, what they match, and what is no rule. */
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shim/rules.c"

static struct sockaddr_in at(const char *ip, unsigned int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	CHECK_EQ(inet_pton(AF_INET, ip, &in.sin_addr), 1);
	return in;
}

static struct rule parsed(const char *text)
{
	struct rule rule = { .number = 0 };
	char err[RULE_ERR_SIZE] = "";

	if (rule_parse(text, strlen(text), &rule, err) != 1)
		check_failf(CHECK_AT(""), "'%s' is no rule: %s", text, err);
	return rule;
}

TEST(test_malformed_rules)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{ "kernal proto=tcp", "unknown verdict 'kernal'" },
		{ "kernel prot=tcp", "unknown condition 'prot=tcp'" },
		{ "kernel tcp", "unknown condition 'tcp'" },
		{ "kernel proto=tpc", "unknown protocol 'tpc'" },
		{ "kernel proto=tcp,", "ends in a comma" },
		{ "kernel proto=", "has no value" },
		{ "kernel proto=tcp proto=udp", "'proto' is there twice" },
		{ "kernel local=10.0.0", "'10.0.0' is not an IPv4 address" },
		{ "kernel local=10.0.0.0/33", "prefix length" },
		{ "kernel local=10.0.0.0/", "prefix length" },
		{ "kernel local=10.0.0.1/24", "bits set behind its prefix" },
		{ "kernel remote=10.0.0.1:", "neither a port nor a range" },
		{ "kernel remote=:65536", "neither a port nor a range" },
		{ "kernel remote=:80-", "neither a port nor a range" },
		{ "kernel remote=:-80", "neither a port nor a range" },
		{ "kernel remote=:80-90-100", "neither a port nor a range" },
		{ "kernel remote=:90-80", "ends before it begins" },
		{ "kernel remote=host.example:80", "is not an IPv4 address" },
		{ "kernel remote=1234567890123456789012345678901234567890", "is not an IPv4 address" },
	};
	struct rule rule;
	char err[RULE_ERR_SIZE];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err[0] = 0;
		CHECK_EQ(rule_parse(wrong[i].text, strlen(wrong[i].text), &rule, err), -EINVAL);
		if (!strstr(err, wrong[i].why))
			check_failf(CHECK_AT(""), "'%s': said \"%s\", wanted \"%s\"", wrong[i].text, err, wrong[i].why);
	}
}

TEST(test_match_by_protocol_address_port)
{
	static const struct {
		const char *rule;
		uint8_t proto;
		const char *local;
		unsigned int local_port;
		const char *remote;
		unsigned int remote_port;
		bool match;
	} cases[] = {
		{ "stack", RULE_RAW, NULL, 0, NULL, 0, true },
		{ "stack proto=tcp,udp", RULE_UDP, NULL, 0, NULL, 0, true },
		{ "stack proto=tcp,udp", RULE_RAW, NULL, 0, NULL, 0, false },
		{ "stack proto=icmp", RULE_ICMP | RULE_RAW, NULL, 0, NULL, 0, true },
		{ "stack remote=10.0.0.0/8", RULE_TCP, NULL, 0, "10.255.0.1", 1, true },
		{ "stack remote=10.0.0.0/8", RULE_TCP, NULL, 0, "11.0.0.1", 1, false },
		{ "stack remote=10.0.0.1", RULE_TCP, NULL, 0, "10.0.0.1", 9, true },
		{ "stack remote=10.0.0.1", RULE_TCP, NULL, 0, "10.0.0.2", 9, false },
		{ "stack remote=0.0.0.0/0:53", RULE_UDP, NULL, 0, "1.2.3.4", 53, true },
		{ "stack remote=*:53", RULE_UDP, NULL, 0, "1.2.3.4", 54, false },
		{ "stack remote=:53-55", RULE_UDP, NULL, 0, "1.2.3.4", 55, true },
		{ "stack remote=:53-55", RULE_UDP, NULL, 0, "1.2.3.4", 56, false },
		{ "stack remote=*", RULE_TCP, "10.0.0.1", 80, NULL, 0, true },
		{ "stack local=0.0.0.0:80", RULE_TCP, "0.0.0.0", 80, NULL, 0, true },
		{ "stack local=0.0.0.0:80", RULE_TCP, "127.0.0.1", 80, NULL, 0, false },
		{ "stack local=:80", RULE_TCP, NULL, 0, "1.2.3.4", 80, false },
		{ "stack local=:1024-65535 remote=10.0.0.0/8", RULE_TCP, "10.1.1.1", 2000, "10.1.1.2", 1, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule rule = parsed(cases[i].rule);
		struct sockaddr_in local, remote;
		struct rule_subject s = { .proto = cases[i].proto };

		if (cases[i].local) {
			local = at(cases[i].local, cases[i].local_port);
			s.local = &local;
		}
		if (cases[i].remote) {
			remote = at(cases[i].remote, cases[i].remote_port);
			s.remote = &remote;
		}
		if (rule_matches(&rule, &s) != (cases[i].match ? RULE_YES : RULE_NO))
			check_failf(CHECK_AT(""), "case %zu, '%s': wanted %d", i, cases[i].rule, cases[i].match);
	}
}

TEST(test_match_that_waits_for_the_other_end)
{
	struct sockaddr_in local = at("0.0.0.0", 0);
	struct rule_subject s = { .proto = RULE_UDP, .remote_open = true, .local = &local };
	struct rule rule = parsed("kernel remote=:53");

	CHECK_EQ(rule_matches(&rule, &s), RULE_MAYBE);
	rule = parsed("kernel proto=tcp remote=:53");
	CHECK_EQ(rule_matches(&rule, &s), RULE_NO);
	rule = parsed("kernel local=:53 remote=:53");
	CHECK_EQ(rule_matches(&rule, &s), RULE_NO);
}

TEST(test_match_by_program)
{
	static const struct {
		const char *rule, *path, *invoked;
		bool match;
	} cases[] = {
		{ "stack", "/usr/bin/curl", "curl", true },
		{ "stack program=curl", "/usr/bin/curl", "curl", true },
		{ "stack program=curl", "/usr/bin/curlx", "curlx", false },
		{ "stack program=python3", "/usr/bin/python3.11", "python3", true },
		{ "stack program=python*", "/usr/bin/python3.11", "/x/y", true },
		{ "stack program=/usr/bin/*", "/usr/bin/curl", "curl", true },
		{ "stack program=/opt/*", "/usr/bin/curl", "curl", false },
		{ "stack program=nc", "/bin/busybox", "/bin/nc", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rule rule = parsed(cases[i].rule);

		if (rule_names(&rule, cases[i].path, cases[i].invoked) != cases[i].match)
			check_failf(CHECK_AT(""), "'%s' and %s: wanted %d", cases[i].rule, cases[i].path, cases[i].match);
	}
}

TEST(test_list_of_rules)
{
	static struct rule list[RULES_MAX];
	char err[RULE_ERR_SIZE], many[RULES_MAX * 6 + 16] = "";

	CHECK_EQ(rules_parse("", list, err), 0);
	CHECK_EQ(rules_parse("# nothing; at all\n\n  \t;;\n", list, err), 0);
	CHECK_EQ(rules_parse("stack proto=tcp # why; not\n\nkernel;refuse remote=:25", list, err), 3);
	CHECK_EQ(list[0].verdict, RULE_STACK);
	CHECK_EQ(list[0].len, strlen("stack proto=tcp"));
	CHECK_EQ(list[2].verdict, RULE_REFUSE);
	CHECK_EQ(list[2].number, 3);
	CHECK_EQ(rules_parse("stack\nkernel;\nnonsense", list, err), -EINVAL);
	CHECK_STR(err, "rule 3: unknown verdict 'nonsense' (stack, kernel, refuse)");
	for (int i = 0; i <= RULES_MAX; i++)
		strcat(many, "stack\n");
	CHECK_EQ(rules_parse(many, list, err), -EINVAL);
	CHECK_STR(err, "more than 64 rules");
}
