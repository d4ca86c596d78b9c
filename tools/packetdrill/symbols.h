/* SPDX-License-Identifier: MIT */
/* The symbolic constants of scripts. */
#ifndef TOOLS_PACKETDRILL_SYMBOLS_H
#define TOOLS_PACKETDRILL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SOL_SOCKET, O_NONBLOCK, POLLIN, EAGAIN ... */
bool symbol_value(const char *name, int64_t *value);
/* "EAGAIN"; NULL for a number that no errno has. */
const char *symbol_errno(int number);

#endif
