/* SPDX-License-Identifier: MIT */
/* Rules that say which sockets are ours. */
#include "shim/rules.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule list[RULES_MAX];
	char *text = input_text(data, size);
	char err[RULE_ERR_SIZE];

	if (text)
		rules_parse(text, list, err);
	free(text);
	return 0;
}
