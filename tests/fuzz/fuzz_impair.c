/* SPDX-License-Identifier: MIT */
/* The text of impairments. */
#include "netif/impair_link.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct impair_plan *plan = NULL;
	struct impair_error err;
	char *text = input_text(data, size);

	if (text && impair_parse(text, &plan, &err) == 0)
		impair_plan_free(plan);
	free(text);
	return 0;
}
