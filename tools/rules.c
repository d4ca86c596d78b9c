/* SPDX-License-Identifier: MIT */
/*
 * --rule and --rules: which sockets of the program are the stack's, which the kernel's.
 *
 * They are checked here, and handed to the program as WIRESHIM_RULES, one a line in the order in
 * which they were given. Given on the command line they take the place of those in the environment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/wireshim.h"

/* 0, -EINVAL with @err, -E2BIG. */
static int append(struct rules_text *rules, const char *line, size_t len, char *err)
{
	struct rule rule;
	int ret = rule_parse(line, len, &rule, err);

	if (ret > 0 && (memchr(rule.text, ';', rule.len) || memchr(rule.text, '\n', rule.len))) {
		snprintf(err, RULE_ERR_SIZE, "a condition with ';' or a line break in it");
		return -EINVAL;
	}
	if (ret <= 0)
		return ret;
	if (rules->count == RULES_MAX || rules->len + rule.len + 2 > sizeof(rules->bytes)) {
		snprintf(err, RULE_ERR_SIZE, "more than %d rules, or more than %d bytes of them", RULES_MAX,
			 RULES_TEXT_MAX);
		return -E2BIG;
	}
	memcpy(rules->bytes + rules->len, rule.text, rule.len);
	rules->len += rule.len;
	rules->bytes[rules->len++] = '\n';
	rules->bytes[rules->len] = 0;
	rules->count++;
	return 1;
}

/**
 * rules_add() - --rule
 *
 * Return: 0, or EXIT_USAGE after one line
 */
int rules_add(struct rules_text *rules, const char *rule)
{
	char err[RULE_ERR_SIZE];
	int ret = append(rules, rule, strlen(rule), err);

	rules->given = true;
	if (ret < 0)
		return complain("--rule: %s", err);
	return ret ? 0 : complain("--rule: there is no rule in '%.60s'", rule);
}

/**
 * rules_add_file() - --rules
 *
 * Return: 0, or EXIT_USAGE after one line that says file, line and reason
 */
int rules_add_file(struct rules_text *rules, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, err[RULE_ERR_SIZE];
	unsigned int number = 0;
	size_t size = 0;
	ssize_t n;
	int ret = 0;

	if (!f)
		return complain("--rules: cannot read '%.200s': %s", path, strerror(errno));
	rules->given = true;
	errno = 0;
	while (ret == 0 && (n = getline(&line, &size, f)) >= 0) {
		number++;
		if (n && line[n - 1] == '\n')
			n--;
		if (memchr(line, 0, (size_t)n))
			ret = complain("%.200s:%u: has a zero byte in it", path, number);
		else if (append(rules, line, (size_t)n, err) < 0)
			ret = complain("%.200s:%u: %s", path, number, err);
	}
	if (ret == 0 && ferror(f))
		ret = complain("--rules: cannot read '%.200s': %s", path, strerror(errno));
	free(line);
	fclose(f);
	return ret;
}

/**
 * rules_export() - sets WIRESHIM_RULES for the program; without --rule and --rules it stays, checked
 *
 * Return: 0, or EXIT_USAGE after one line
 */
int rules_export(const struct rules_text *rules)
{
	const char *inherited = getenv("WIRESHIM_RULES");
	struct rule list[RULES_MAX];
	char err[RULE_ERR_SIZE];

	if (rules->given)
		return (rules->count ? setenv("WIRESHIM_RULES", rules->bytes, 1) : unsetenv("WIRESHIM_RULES"))
			       ? complain("out of memory")
			       : 0;
	if (!inherited)
		return 0;
	if (strlen(inherited) >= RULES_TEXT_MAX)
		return complain("WIRESHIM_RULES: more than %d bytes (from the environment)", RULES_TEXT_MAX - 1);
	if (rules_parse(inherited, list, err) < 0)
		return complain("WIRESHIM_RULES: %s (from the environment)", err);
	return 0;
}
