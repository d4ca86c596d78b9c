/* SPDX-License-Identifier: MIT */
/* What fuzzers share: the input taken from the front, and the entry that libFuzzer calls. */
#ifndef WIRESHIM_TESTS_FUZZ_FUZZ_H
#define WIRESHIM_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

/* The next byte; 0 behind the end. */
static inline uint8_t input_u8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t high = input_u8(in);

	return (uint16_t)(high << 8 | input_u8(in));
}

/* The next @len bytes, or as many as there are: *@len. */
static inline const uint8_t *input_bytes(struct input *in, size_t *len)
{
	const uint8_t *bytes = in->at;

	if (*len > in->left)
		*len = in->left;
	in->at += *len;
	in->left -= *len;
	return bytes;
}

/* The input as a string, which the caller frees; bytes of 0 become spaces. NULL: no memory. */
static inline char *input_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i++)
		text[i] = data[i] ? (char)data[i] : ' ';
	text[size] = '\0';
	return text;
}

#endif
