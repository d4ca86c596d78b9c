/* SPDX-License-Identifier: MIT */
/*
 * A host of a few hundred lines for the tests of the shim: it speaks shim/protocol.h and has no
 * stack behind it.
 */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

/* What a connect() to this port meets. */
enum fake_port {
	FAKE_AT_ONCE = 1,	/* connected in the answer itself */
	FAKE_SOON = 2,		/* -EINPROGRESS, then connected */
	FAKE_REFUSED = 3,	/* -EINPROGRESS, then ECONNREFUSED */
	FAKE_FILTERED = 4,	/* -EINPROGRESS for ever */
	FAKE_UNREACHABLE = 5,	/* fails in the answer */
	FAKE_RESET = 6,		/* connected; after the first bytes: ECONNRESET */
	FAKE_FIN = 7,		/* connected; "bye" and the end come at once */
	FAKE_SHORT = 9,		/* -EINPROGRESS, then connected; reset just when it is asked about */
	FAKE_DGRAM_REFUSED = 8, /* datagram: DGRAM_ERROR comes back instead of an echo */
};

/*
 * Forks the host; @key is the part of its name behind "wireshim/". Returns its pid when it
 * listens.
 */
int fake_host_start(const char *key);
void fake_host_stop(int pid);

#endif
