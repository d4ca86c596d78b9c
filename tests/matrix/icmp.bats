#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that make packets of their own

load helper

setup_file() { topo_up; }

@test "ping: the peer, in three sizes" {
	local size

	needs ping
	for size in 0 56 4000; do
		run shim ping -c 3 -i 0.05 -W 2 -s "$size" "$PEER"
		assert_status 0
		assert_match "$output" '3 packets transmitted, 3 received, 0% packet loss'
		assert_match "$output" "$((size + 8)) bytes from $PEER: icmp_seq=3 ttl=64"
	done
}

@test "ping: nobody has the address" {
	needs ping
	run shim ping -c 1 -W 4 10.77.0.99
	assert_status 1
	assert_match "$output" "From $US icmp_seq=1 Destination Host Unreachable"
}

@test "traceroute: UDP, ICMP and TCP" {
	local kind

	needs traceroute
	for kind in --udp --icmp --tcp; do
		run shim traceroute -n -q 1 -w 2 "$kind" -p 33434 "$FAR"
		assert_status 0
		assert_match "$output" "1  $FAR  [0-9.]+ ms"
	done
}

@test "busybox: ping" {
	needs busybox
	run shim busybox ping -c 2 -W 2 "$PEER"
	assert_status 0
	assert_match "$output" '2 packets transmitted, 2 packets received, 0% packet loss'
}
