#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# iperf3, client and server, as its own report has it

load helper

setup_file() {
	command -v iperf3 >/dev/null || return 0
	topo_up
	start_daemon peer iperf3 -s -p 5201
	wait_port peer 5201
}

setup() { needs iperf3; }

# value NAME...: the number at that place of the report in `output`.
value() { "$PYTHON" -c 'import functools, json, sys
print(functools.reduce(lambda o, k: o[k], sys.argv[2:], json.loads(sys.argv[1])))' "$output" "$@"; }

# measure PLACE HOST OPTION...: the report of a client in `output`.
measure() {
	run --separate-stderr "$1" iperf3 -J -c "$2" -p 5201 "${@:3}"
	assert_status 0
}

# assert_sent BYTES: the client sent them all. The server stops to count when it hears that, with some of them unread.
assert_sent() {
	[ "$(value end sum_sent bytes)" -ge "$1" ]
	[ "$(value end sum_received bytes)" -gt 0 ]
	[ "$(value end sum_received bytes)" -le "$(value end sum_sent bytes)" ]
}

# The four kinds of work, by a client at PLACE with the server HOST.
tcp() {
	measure "$1" "$2" -n 30M
	assert_sent 31457280
}

reverse() {
	measure "$1" "$2" -n 30M -R
	[ "$(value end sum_received bytes)" -ge 31457280 ]
}

parallel() {
	measure "$1" "$2" -n 30M -P 8
	assert_sent 31457280
}

# Slow enough that nothing has to get lost; a busy machine may still lose some.
udp() {
	measure "$1" "$2" -u -b 40M -n 2M
	[ "$(value end sum packets)" -ge 1400 ]
	[ "$(value end sum lost_packets)" -lt 100 ]
	measure "$1" "$2" -u -b 40M -n 2M -R
	[ "$(value end sum packets)" -ge 1300 ]
	[ "$(value end sum lost_packets)" -lt 100 ]
}

# A connection to see whether it listens would be its first test, which fails.
server() {
	start_bg server shim iperf3 -s -p 5201 --forceflush
	wait_for 'grep -q "Server listening" "$(out server)"'
}

@test "iperf3: TCP to the peer" { tcp shim "$PEER"; }
@test "iperf3: TCP to the peer, reverse" { reverse shim "$PEER"; }
@test "iperf3: TCP to the peer, eight in parallel" { parallel shim "$PEER"; }
@test "iperf3: UDP to the peer, and reverse" { udp shim "$PEER"; }

@test "iperf3: TCP from the peer" {
	server
	tcp on_peer "$US"
}

@test "iperf3: TCP from the peer, reverse" {
	server
	reverse on_peer "$US"
}

@test "iperf3: TCP from the peer, eight in parallel" {
	server
	parallel on_peer "$US"
}

@test "iperf3: UDP from the peer, and reverse" {
	server
	udp on_peer "$US"
}
