/* SPDX-License-Identifier: MIT */
/*
 * sysctl.c: names, numbers and words in and out, what is refused, the walk, namespaces apart. The entries
 * of the layers are test_sysctl_names.c's.
 */
#include "stack/core/sysctl.h"

#include <limits.h>
#include <stdarg.h>

#include "stack/core/net_namespace.h"
#include "tests/unit/check.h"

/* One of each kind. */
struct settings {
	int number, vector[3], odd;
	bool flag;
	uint32_t unsigned_number;
	uint64_t large;
	char word[16];
	unsigned int told;
	struct ctl_table_header head;
};

static void show_word(struct net *net, void *data, char *buf, size_t size)
{
	CHECK(net != NULL);
	snprintf(buf, size, "%s", (const char *)data);
}

static int store_word(struct net *net, void *data, const char *value)
{
	CHECK(net != NULL);
	if (strcmp(value, "missing") == 0)
		return -ENOENT;
	if (strlen(value) > 15)
		return -EINVAL;
	memcpy(data, value, strlen(value) + 1);
	return 0;
}

static int must_be_odd(struct net *net, const int64_t *values)
{
	CHECK(net != NULL);
	return values[0] % 2 ? 0 : -EINVAL;
}

static void tell(struct net *net, void *data)
{
	CHECK(net != NULL);
	container_of((int *)data, struct settings, odd)->told++;
}

static const struct ctl_table table[] = {
	{ CTL_AN_INT("number", struct settings, number, -5, 100) },
	{ CTL_INTS("vector", struct settings, vector, 3, 1, INT_MAX) },
	{ CTL_AN_INT("odd", struct settings, odd, INT_MIN, INT_MAX), .check = must_be_odd, .changed = tell },
	{ CTL_A_BOOL("flag", struct settings, flag) },
	{ CTL_A_U32("unsigned", struct settings, unsigned_number, 0, UINT32_MAX) },
	{ CTL_A_U64("large", struct settings, large, 0, INT64_MAX) },
	{ .procname = "word", .offset = offsetof(struct settings, word), .kind = CTL_TEXT, .mode = 0644,
	  .show = show_word, .store = store_word },
	{ .procname = "fixed", .offset = offsetof(struct settings, number), .mode = 0444 },
	{ .procname = "flush", .offset = offsetof(struct settings, number), .mode = 0200, .max = 1 },
};

static const struct pernet_operations *const no_subsystems[] = { NULL };

static struct net *net_with(struct settings *s, const char *folder)
{
	static const uint8_t seed[32];
	struct net *net = NULL;

	CHECK_EQ(net_create(no_subsystems, seed, 1, &net), 0);
	memset(s, 0, sizeof(*s));
	*s = (struct settings){ .number = 7, .vector = { 1, 2, 3 }, .odd = 1, .word = "first" };
	register_net_sysctl(net, &s->head, folder, table, ARRAY_SIZE(table), s);
	return net;
}

static void net_end(struct net *net, struct settings *s)
{
	unregister_net_sysctl_table(&s->head);
	unregister_net_sysctl_table(&s->head);
	CHECK(list_empty(&net->sysctl_tables) && list_empty(&net->sysctl_defaults));
	net_destroy(net);
}

static ssize_t put(struct net *net, const char *name, const char *text)
{
	return sysctl_write(net, name, text, strlen(text));
}

static const char *get(struct net *net, const char *name)
{
	static char buf[200];
	ssize_t n = sysctl_read(net, name, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? strerror((int)-n) : buf;
}

/* What a write of a text says, and what is there afterwards. */
static const struct {
	const char *name, *text;
	int result; /* 0: all of it is taken */
	const char *after;
} writes[] = {
	{ "number", "42", 0, "42\n" },
	{ "number", "42\n", 0, "42\n" },
	{ "number", " \t 42 \n", 0, "42\n" },
	{ "number", "0x10", 0, "16\n" },
	{ "number", "010", 0, "8\n" },
	{ "number", "-5", 0, "-5\n" },
	{ "number", "100", 0, "100\n" },
	{ "number", "-6", -EINVAL, "7\n" },
	{ "number", "101", -EINVAL, "7\n" },
	{ "number", "", 0, "7\n" },
	{ "number", "\n", -EINVAL, "7\n" },
	{ "number", " ", -EINVAL, "7\n" },
	{ "number", "x", -EINVAL, "7\n" },
	{ "number", "4x", -EINVAL, "7\n" },
	{ "number", "4,5", -EINVAL, "7\n" },
	{ "number", "+4", -EINVAL, "7\n" },
	{ "number", "- 4", -EINVAL, "7\n" },
	{ "number", "--4", -EINVAL, "7\n" },
	{ "number", "4.0", -EINVAL, "7\n" },
	{ "number", "99999999999999999999", -EINVAL, "7\n" },
	{ "number", "000000000000000000000000007", -EINVAL, "7\n" },
	{ "number", "4 5", 2, "4\n" },
	{ "vector", "4 5 6", 0, "4\t5\t6\n" },
	{ "vector", "4\t5\t6\n", 0, "4\t5\t6\n" },
	{ "vector", "4", 0, "4\t2\t3\n" },
	{ "vector", "4 5", 0, "4\t5\t3\n" },
	{ "vector", "4 5 6 7", 6, "4\t5\t6\n" },
	{ "vector", "4 0 6", -EINVAL, "1\t2\t3\n" },
	{ "vector", "4 5 x", -EINVAL, "1\t2\t3\n" },
	{ "odd", "3", 0, "3\n" },
	{ "odd", "4", -EINVAL, "1\n" },
	{ "odd", "2147483647", 0, "2147483647\n" },
	{ "odd", "2147483649", -EINVAL, "1\n" },
	{ "flag", "1", 0, "1\n" },
	{ "flag", "2", -EINVAL, "0\n" },
	{ "flag", "-1", -EINVAL, "0\n" },
	{ "unsigned", "4294967295", 0, "4294967295\n" },
	{ "unsigned", "4294967296", -EINVAL, "0\n" },
	{ "unsigned", "-1", -EINVAL, "0\n" },
	{ "large", "9223372036854775807", 0, "9223372036854775807\n" },
	{ "large", "9223372036854775808", -EINVAL, "0\n" },
	{ "word", "second", 0, "second\n" },
	{ "word", "second\n", 0, "second\n" },
	{ "word", "missing", -ENOENT, "first\n" },
	{ "word", "much too long for it", -EINVAL, "first\n" },
	{ "fixed", "1", -EACCES, "7\n" },
	{ "none", "1", -ENOENT, "No such file or directory" },
};

TEST(test_values_are_taken_as_linux_takes_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		struct settings s;
		struct net *net = net_with(&s, "net/test");
		char name[64];
		ssize_t got, want = writes[i].result ? writes[i].result : (ssize_t)strlen(writes[i].text);

		snprintf(name, sizeof(name), "net.test.%s", writes[i].name);
		got = put(net, name, writes[i].text);
		CHECK_MSG(got == want, "%s < \"%s\": %zd instead of %zd", name, writes[i].text, got, want);
		CHECK_MSG(strcmp(get(net, name), writes[i].after) == 0, "%s < \"%s\" leaves %s", name,
			  writes[i].text, get(net, name));
		net_end(net, &s);
	}
}

TEST(test_a_zero_inside_and_an_endless_text_are_no_values)
{
	char large[SYSCTL_VALUE_MAX + 1];
	struct settings s;
	struct net *net = net_with(&s, "net/test");

	memset(large, ' ', sizeof(large));
	large[0] = '4';
	CHECK_EQ(sysctl_write(net, "net.test.number", "4\0005", 3), -EINVAL);
	CHECK_EQ(sysctl_write(net, "net.test.number", large, sizeof(large)), -EINVAL);
	CHECK_EQ(sysctl_write(net, "net.test.number", large, SYSCTL_VALUE_MAX - 1), SYSCTL_VALUE_MAX - 1);
	CHECK_EQ(s.number, 4);
	net_end(net, &s);
}

TEST(test_what_can_only_be_written_is_not_read_and_a_short_buffer_cuts)
{
	struct settings s;
	struct net *net = net_with(&s, "net/test");
	char buf[3] = "--";

	CHECK_EQ(sysctl_read(net, "net.test.flush", buf, sizeof(buf)), -EACCES);
	CHECK_EQ(put(net, "net.test.flush", "1"), 1);
	CHECK_EQ(sysctl_read(net, "net.test.word", buf, 2), 2);
	CHECK_STR(buf, "fi");
	CHECK_EQ(sysctl_mode(net, "net.test.flush"), 0200);
	CHECK_EQ(sysctl_mode(net, "net.test"), -ENOENT);
	net_end(net, &s);
}

/* sysctl(8): the first separator says which of the two it is; the other one is part of a name. */
TEST(test_names_are_written_in_any_way)
{
	struct settings s;
	struct net *net = net_with(&s, "net/test/eth0.100");
	char name[] = "net/test/eth0.100/number", too_long[300];

	CHECK_STR(get(net, "net/test/eth0.100/number"), "7\n");
	CHECK_STR(get(net, "net.test.eth0/100.number"), "7\n");
	CHECK_STR(get(net, "/proc/sys/net/test/eth0.100/number"), "7\n");
	CHECK_STR(get(net, "net.test.eth0.100.number"), "No such file or directory");
	CHECK_STR(get(net, "net/test/eth0/100/number"), "No such file or directory");
	CHECK_STR(get(net, "net/test/eth0.100/number/"), "No such file or directory");
	CHECK_STR(get(net, ""), "No such file or directory");
	memset(too_long, 'a', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	CHECK_STR(get(net, too_long), "No such file or directory");
	sysctl_swap_separators(name);
	CHECK_STR(name, "net.test.eth0/100.number");
	net_end(net, &s);
}

static void refused(struct net *net, const char *name, const char *value, int err, const char *why)
{
	char text[200] = "";

	CHECK_EQ(sysctl_set(net, name, value, text, sizeof(text)), err);
	CHECK_STR(text, why);
}

TEST(test_a_refusal_says_what_is_wrong_and_changes_nothing)
{
	struct settings s;
	struct net *net = net_with(&s, "net/test");
	char text[10];

	refused(net, "net.test.none", "1", -ENOENT, "sysctl net.test.none: this stack has no such setting");
	refused(net, "net.test.number", "101", -EINVAL,
		"sysctl net.test.number: it cannot be \"101\": it is a number from -5 to 100");
	refused(net, "net.test.number", "4 5", -EINVAL,
		"sysctl net.test.number: it cannot be \"4 5\": it is a number from -5 to 100");
	refused(net, "net.test.number", "", -EINVAL,
		"sysctl net.test.number: it cannot be \"\": it is a number from -5 to 100");
	refused(net, "net/test/vector", "4 5 6 7", -EINVAL,
		"sysctl net.test.vector: it cannot be \"4 5 6 7\": it is up to 3 numbers from 1 to 2147483647");
	refused(net, "net.test.word", "missing", -ENOENT, "sysctl net.test.word: this stack has no \"missing\"");
	refused(net, "net.test.fixed", "1", -EACCES, "sysctl net.test.fixed: it can only be read");
	CHECK_EQ(s.number, 7);
	CHECK_EQ(s.vector[0], 1);
	CHECK_EQ(sysctl_set(net, "net.test.number", "9", text, sizeof(text)), 0);
	CHECK_EQ(s.number, 9);
	net_end(net, &s);
}

TEST(test_who_asked_is_told_of_changes_only)
{
	struct settings s;
	struct net *net = net_with(&s, "net/test");

	CHECK_EQ(put(net, "net.test.odd", "2"), -EINVAL);
	CHECK_EQ(s.told, 0);
	CHECK_EQ(put(net, "net.test.odd", "5"), 1);
	CHECK_EQ(s.told, 1);
	net_end(net, &s);
}

TEST(test_what_differs_from_its_default_is_known)
{
	struct settings s;
	struct net *net = net_with(&s, "net/test");

	CHECK(!sysctl_changed(net, "net.test.number"));
	CHECK_EQ(put(net, "net.test.number", "500"), -EINVAL);
	CHECK(list_empty(&net->sysctl_defaults));
	CHECK_EQ(put(net, "net.test.number", "8"), 1);
	CHECK_EQ(put(net, "net.test.number", "9"), 1);
	CHECK(sysctl_changed(net, "net.test.number"));
	CHECK_EQ(put(net, "net.test.number", "7"), 1);
	CHECK(!sysctl_changed(net, "net.test.number"));
	CHECK(!sysctl_changed(net, "net.test.none"));
	net_end(net, &s);
}

TEST(test_the_walk_is_sorted_and_keeps_to_its_folder)
{
	static const char *const names[] = { "fixed", "flag", "flush", "large", "number", "odd", "unsigned",
					     "vector", "word" };
	struct settings a, b;
	struct net *net = net_with(&a, "net/test2");
	char name[SYSCTL_NAME_MAX] = "", want[SYSCTL_NAME_MAX];
	size_t i, n;

	register_net_sysctl(net, &b.head, "net/test", table, ARRAY_SIZE(table), &b);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK(sysctl_next(net, "net/test", name));
		snprintf(want, sizeof(want), "net/test/%s", names[i]);
		CHECK_STR(name, want);
	}
	CHECK(!sysctl_next(net, "net/test", name));
	for (n = 0, name[0] = '\0'; sysctl_next(net, "", name);)
		n++;
	CHECK_EQ(n, 2 * ARRAY_SIZE(names));
	name[0] = '\0';
	CHECK(sysctl_next(net, "net/test/odd", name));
	CHECK(!sysctl_next(net, "net/test/odd", name));
	unregister_net_sysctl_table(&b.head);
	net_end(net, &a);
}

TEST(test_namespaces_are_apart)
{
	struct settings a, b;
	struct net *one = net_with(&a, "net/test"), *two = net_with(&b, "net/test");

	CHECK_EQ(put(one, "net.test.number", "50"), 2);
	CHECK_STR(get(one, "net.test.number"), "50\n");
	CHECK_STR(get(two, "net.test.number"), "7\n");
	CHECK(!sysctl_changed(two, "net.test.number"));
	net_end(one, &a);
	CHECK_STR(get(two, "net.test.number"), "7\n");
	net_end(two, &b);
}
