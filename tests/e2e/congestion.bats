#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Congestion control, pacing and ECN as programs and the kernel at the other end see them

load helper

setup_file() {
	topo_up
	command -v iperf3 >/dev/null || return 0
	start_daemon peer iperf3 -s -p 5201
	wait_port peer 5201
}

setup() { needs_product; }

# value NAME...: the number at that place of the report in `output`.
value() { "$PYTHON" -c 'import functools, json, sys
print(functools.reduce(lambda o, k: o[k], sys.argv[2:], json.loads(sys.argv[1])))' "$output" "$@"; }

# measure OPTION...: the report of a client of ours in `output`.
measure() {
	command -v iperf3 >/dev/null || skip "no iperf3"
	run --separate-stderr shim iperf3 -J -c "$PEER" -p 5201 "$@"
	assert_status 0
}

@test "SO_MAX_PACING_RATE is kept to" {
	measure -n 4M --fq-rate 40M
	awk -v rate="$(value end sum_received bits_per_second)" 'BEGIN { exit !(rate > 30e6 && rate < 44e6) }'
}

@test "a program chooses its congestion control" {
	local ca

	for ca in reno cubic bbr; do
		measure -n 20M -C "$ca"
		assert_eq "$(value end sender_tcp_congestion)" "$ca"
		[ "$(value end sum_sent bytes)" -ge 20971520 ]
	done
}

@test "a kernel that asks for ECN gets it" {
	on_peer sysctl -qw net.ipv4.tcp_ecn=1
	start_bg server shim nc -l 7001
	wait_for 'on_us "$WIRESHIM" status | grep -q LISTEN'
	start_bg client on_peer sh -c "sleep 30 | nc $US 7001"
	wait_for '[[ $(nsenter --net=/run/netns/peer ss -tino "dport = :7001") == *" ecn "* ]]'
	stop_bg client
	stop_bg server
	on_peer sysctl -qw net.ipv4.tcp_ecn=2
}
