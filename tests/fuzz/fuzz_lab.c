/* SPDX-License-Identifier: MIT */
/* The file of a laboratory. */
#include "shim/host/lab_plan.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_plan *plan = calloc(1, sizeof(*plan));
	char *text = input_text(data, size);
	char err[LAB_ERR];

	if (plan && text) {
		lab_plan_parse(text, plan, err);
		lab_plan_free(plan);
	}
	free(plan);
	free(text);
	return 0;
}
