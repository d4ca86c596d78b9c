/* SPDX-License-Identifier: MIT */
/*
 * Why sockets are ours, or were left to the kernel, or refused: programs decide that by their rules
 * and say so (CTL_REASON). For reports only.
 */
#include "shim/host/host.h"

enum { REASON_MAX = 384 };

/* Text from a program: bounded, one line, printable. */
static char *take_text(const uint8_t *data, size_t len)
{
	char *text;
	size_t i;

	len = MIN(len, (size_t)REASON_MAX);
	text = malloc(len + 1);
	if (!text)
		return NULL;
	for (i = 0; i < len; i++)
		text[i] = data[i] < ' ' || data[i] > '~' ? '?' : (char)data[i];
	text[len] = 0;
	return text;
}

/**
 * reason_of_socket() - keeps why the socket is ours
 * @data: text, @len bytes, not zero-terminated
 */
void reason_of_socket(struct anchor *a, const uint8_t *data, size_t len)
{
	free(a->reason);
	a->reason = take_text(data, len);
}

/**
 * reason_elsewhere() - counts a socket that was left to the kernel or refused
 * @data: text, @len bytes, not zero-terminated
 *
 * Each wording has a count of its own, as long as there are not more than REASONS_MAX.
 */
void reason_elsewhere(struct host *h, const uint8_t *data, size_t len)
{
	char *text = take_text(data, len);
	unsigned int i;

	h->elsewhere++;
	for (i = 0; text && i < h->reason_count && strcmp(h->reasons[i].text, text) != 0; i++)
		;
	if (!text || i == REASONS_MAX) {
		free(text);
		return;
	}
	if (i < h->reason_count)
		free(text);
	else
		h->reasons[h->reason_count++] = (struct reason){ .text = text };
	h->reasons[i].count++;
}

/** reasons_clear() - forgets the counts, when the host ends */
void reasons_clear(struct host *h)
{
	while (h->reason_count)
		free(h->reasons[--h->reason_count].text);
}
