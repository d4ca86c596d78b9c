/* SPDX-License-Identifier: MIT */
/* --sysctl: how texts of settings are cut, put in order and refused. */
#include "tests/unit/check.h"

#include "shim/host/config_sysctl.c"

/* What the option's text becomes, given @had before; or what is said. */
static const char *taken(const char *had, bool from_env, const char *value)
{
	static char out[CONFIG_TEXT_SIZE], err[CONFIG_ERR_SIZE];
	struct host_config cfg = { .sysctl_from_env = from_env };
	int ret;

	cfg.text[OPT_SYSCTL] = (char *)(uintptr_t)had;
	ret = config_set_sysctl(&cfg, value, out, err);
	CHECK_EQ(cfg.sysctl_from_env, from_env && ret);
	return ret ? err : out;
}

TEST(test_texts_are_made_canonical)
{
	static const struct {
		const char *had, *value, *result;
	} cases[] = {
		{ NULL, "net.ipv4.tcp_ecn=1", "net.ipv4.tcp_ecn=1" },
		{ NULL, "  net/ipv4/tcp_ecn = 0x1 \t", "net.ipv4.tcp_ecn=1" },
		{ NULL, "/proc/sys/net/ipv4/tcp_ecn=01\n", "net.ipv4.tcp_ecn=1" },
		{ NULL, "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0", "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0" },
		{ NULL, ",\nnet.ipv4.tcp_ecn=1,\n,net.ipv4.tcp_sack=0,", "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0" },
		{ NULL, "net.ipv4.tcp_rmem=4096 8192\t16384", "net.ipv4.tcp_rmem=4096 8192 16384" },
		{ NULL, "net.ipv4.tcp_rmem=8192", "net.ipv4.tcp_rmem=8192 131072 6291456" },
		{ NULL, "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0,net.ipv4.tcp_ecn=0", "net.ipv4.tcp_sack=0,net.ipv4.tcp_ecn=0" },
		{ "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0", "net.ipv4.tcp_dsack=0",
		  "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0,net.ipv4.tcp_dsack=0" },
		{ "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0", "net.ipv4.tcp_ecn=2", "net.ipv4.tcp_sack=0,net.ipv4.tcp_ecn=2" },
		{ "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=0", "net.ipv4.tcp_sack=1", "net.ipv4.tcp_ecn=1,net.ipv4.tcp_sack=1" },
		{ NULL, "net.ipv4.tcp_fastopen_key=1-2-3-4,5-6-7-8,net.ipv4.tcp_ecn=1",
		  "net.ipv4.tcp_fastopen_key=00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008,"
		  "net.ipv4.tcp_ecn=1" },
		{ NULL, "net.ipv4.tcp_ecn", "--sysctl: 'net.ipv4.tcp_ecn' is not NAME=VALUE" },
		{ NULL, "net.ipv4.tcp_ecn=1\nx", "--sysctl: 'x' is not NAME=VALUE" },
		{ NULL, "=1", "--sysctl: '' is not NAME=VALUE" },
		{ NULL, "", "--sysctl: NAME=VALUE is missing" },
		{ NULL, " ,\n", "--sysctl: NAME=VALUE is missing" },
		{ NULL, "net.ipv4.tcp_ecn=1,2",
		  "--sysctl net.ipv4.tcp_ecn: it cannot be \"1,2\": it is a number from 0 to 2" },
		{ NULL, "a=1", "--sysctl a: this stack has no such setting" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(taken(cases[i].had, false, cases[i].value), cases[i].result);
}

TEST(test_the_command_line_replaces_the_environment)
{
	CHECK_STR(taken("net.ipv4.tcp_ecn=1", true, "net.ipv4.tcp_sack=0"), "net.ipv4.tcp_sack=0");
	CHECK_STR(taken("net.ipv4.tcp_ecn=1", true, "x=0"), "--sysctl x: this stack has no such setting");
}

TEST(test_texts_that_are_too_long)
{
	static char text[2 * CONFIG_TEXT_SIZE];
	size_t n = (size_t)snprintf(text, sizeof(text), "net.ipv4.tcp_ecn=");

	memset(text + n, '1', SYSCTL_VALUE_MAX);
	CHECK_STR(taken(NULL, false, text), "--sysctl: a value is longer than 4095 characters");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 3] = '=';
	CHECK_EQ(strncmp(taken(NULL, false, text), "--sysctl aaaaaaaaaa", 19), 0);
}

TEST(test_a_running_host_is_asked_for_what_it_has_now)
{
	static const uint8_t seed[32];
	char err[CONFIG_ERR_SIZE] = "";
	struct net *net = NULL;

	CHECK_EQ(stack_create(seed, 1, &net), 0);
	CHECK_EQ(config_compare_sysctl(net, "net.ipv4.tcp_ecn=2,net.ipv4.tcp_rmem=4096 131072 6291456", err), 0);
	CHECK_EQ(config_compare_sysctl(net, "net.ipv4.tcp_ecn=1", err), -EEXIST);
	CHECK_EQ(strncmp(err, "the running host has --sysctl net.ipv4.tcp_ecn=2, not 1: ", 57), 0);
	net_destroy(net);
}
