#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# wireshim demo: the main job with nothing set up

load helper

setup() { needs_product; }

# The summary names what was fetched, the handshake, the round trip, bytes, retransmissions and the capture.
assert_demo() {
	local capture

	assert_status 0
	assert_match "$output" '100000000 bytes, identical'
	assert_match "$output" 'handshake [0-9.]+ ms'
	assert_match "$output" '(rtt|round trip) [0-9.]+ ms'
	assert_match "$output" 'received 100000[0-9]+ bytes'
	assert_match "$output" 'retransmitted [0-9]'
	[ "${#lines[@]}" -le 24 ]
	capture=$(grep -oE '/[^ ]+\.pcapng' <<<"$output" | tail -n 1)
	[ -s "$capture" ]
	if command -v tshark >/dev/null; then
		[ -n "$(tshark -r "$capture" -Y 'http.response.code == 200' 2>/dev/null)" ]
	fi
}

@test "it runs, says what happened and where the capture lies" {
	cd "$BATS_TEST_TMPDIR"
	run timeout 50 "$WIRESHIM" demo
	assert_demo
}

@test "it needs no root" {
	can_be_nobody || skip "only one user here, or others may not read the build"
	chmod 777 "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR"
	run timeout 50 "${AS_NOBODY[@]}" "$WIRESHIM" demo
	assert_demo
}

@test "it leaves no process and no namespace behind" {
	local before

	before=$(ps -e --no-headers | wc -l)
	cd "$BATS_TEST_TMPDIR"
	run timeout 50 "$WIRESHIM" demo
	assert_status 0
	wait_for "[ \$(ps -e --no-headers | wc -l) -le $before ]"
	[ -z "$(ip netns list)" ]
}
