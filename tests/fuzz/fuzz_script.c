/* SPDX-License-Identifier: MIT */
/* The parser of packet-level scripts. */
#include "tests/fuzz/fuzz.h"
#include "tools/packetdrill/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script_error err;
	struct script script;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	memset(&script, 0, sizeof(script));
	script_parse("fuzz.pkt", text, size, &script, &err);
	script_free(&script);
	free(text);
	return 0;
}
