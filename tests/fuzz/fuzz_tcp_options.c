/* SPDX-License-Identifier: MIT */
/* The options of a segment: any bytes of any length, in a SYN and in others. */
#include "stack/tcp/tcp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcp_options opt;
	uint8_t *copy;
	size_t len = size ? size - 1 : 0;

	if (len > 40)
		return -1;
	copy = malloc(len ? len : 1); /* of its own length, so that ASan sees a byte too far */
	if (!copy)
		return 0;
	if (len)
		memcpy(copy, data + 1, len);
	memset(&opt, 0, sizeof(opt));
	tcp_parse_options(copy, (uint32_t)len, size && (data[0] & 1), &opt);
	free(copy);
	return 0;
}
