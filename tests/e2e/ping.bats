#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The kernel pings our host, which a program holds up

load helper

setup_file() { topo_up; }

setup() {
	start_bg holder shim nc -l 7001
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
}

# Behind the last request ping waits for the longer of its interval and twice the round trip, and -W does not count: so
# all requests go out at once (-l), and the answers have the default interval of a second.

@test "every ping is answered" {
	run on_peer ping -c 20 -l 20 "$US"
	assert_status 0
	assert_match "$output" '20 packets transmitted, 20 received, 0% packet loss'
}

@test "the pattern comes back in every size" {
	local size

	for size in 0 1 55 56 1471 1472 1473 4000 20000 65507; do
		run on_peer ping -c 2 -l 2 -s "$size" -p a55a "$US"
		assert_status 0
		assert_match "$output" '2 received'
		[[ $output != *wrong* ]]
	done
}

@test "time to live of the answer is 64" {
	run on_peer ping -c 1 -W 2 "$US"
	assert_match "$output" 'ttl=64'
}

@test "IP options are tolerated" {
	run on_peer ping -R -c 1 -W 2 "$US"
	assert_status 0
	assert_match "$output" '1 received'
}

@test "a broadcast ping is not answered" {
	run on_peer ping -b -c 1 -W 1 10.77.0.255
	assert_status 1
}

@test "from an address behind the gateway" {
	run on_peer ping -c 2 -l 2 -I "$FAR" "$US"
	assert_status 0
}

@test "a hundred at once, twice" {
	# ping's own receive buffer holds some 150 answers.
	for _ in 1 2; do
		run on_peer ping -q -c 100 -l 100 "$US"
		assert_match "$output" '100 packets transmitted, 100 received'
	done
}
