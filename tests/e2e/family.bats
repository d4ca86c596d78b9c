#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Several processes behind one port: who gets what, and what the others notice when one is stopped or killed

load helper

setup_file() { topo_up; }

setup() { FAMILY=$BATS_TEST_DIRNAME/progs/family.py; }

# start_family MODE PORT N: as family.py has it, each of its members ready.
start_family() {
	start_bg family shim "$PYTHON" "$FAMILY" "$@"
	wait_for '[ "$(wc -l <"$(out family)")" -ge '"$3"' ]'
	[ "$1" = datagram ] || wait_open peer "$US" "$2"
}

# ask PLACE ADDRESS PORT COUNT [udp]: all answers are whole; leaves the number of processes that gave them in `members`,
# the least that one gave in `least`.
ask() {
	local answer

	answer=$("$1" "$PYTHON" "$FAMILY" ask "${@:2}")
	assert_match "$answer" "^ok $4 broken 0 wrong 0 by ([0-9]+) ([0-9]+)$"
	members=${BASH_REMATCH[1]}
	least=${BASH_REMATCH[2]}
}

@test "SO_REUSEPORT spreads connections between the listeners of four processes" {
	start_family reuseport 8001 4
	# The last of them may not listen yet when the first does.
	wait_for 'ask on_peer "$US" 8001 40 && [ "$members" = 4 ]'
	ask on_peer "$US" 8001 400
	assert_eq "$members" 4
	[ "$least" -gt 40 ]
}

@test "SO_REUSEPORT spreads on the kernel's loopback too" {
	needs_product
	start_family reuseport 8002 4
	wait_for 'ask on_us 127.0.0.1 8002 40 && [ "$members" = 4 ]'
	ask on_us 127.0.0.1 8002 400
	assert_eq "$members" 4
	[ "$least" -gt 40 ]
}

@test "SO_REUSEPORT spreads datagrams between four processes" {
	start_family datagram 8003 4
	wait_for 'ask on_peer "$US" 8003 40 udp && [ "$members" = 4 ]'
	ask on_peer "$US" 8003 400 udp
	assert_eq "$members" 4
	[ "$least" -gt 40 ]
}

@test "one of the listeners of SO_REUSEPORT is killed: the others get everything" {
	start_family reuseport 8004 3
	wait_for 'ask on_peer "$US" 8004 30 && [ "$members" = 3 ]'
	kill -KILL "$(head -n 1 "$(out family)")"
	wait_for 'ask on_peer "$US" 8004 30 && [ "$members" = 2 ]'
	ask on_peer "$US" 8004 200
	assert_eq "$members" 2
}

@test "processes that share a listener share its connections" {
	start_family prefork 8005 4
	ask on_peer "$US" 8005 400
	[ "$members" -gt 1 ]
}

@test "stopped members of a family: nobody else notices, and they go on" {
	local pids

	start_family prefork 8006 3
	mapfile -t pids < <(head -n 2 "$(out family)")
	kill -STOP "${pids[@]}"
	wait_for '[[ $(cat "/proc/${pids[0]}/stat" "/proc/${pids[1]}/stat") == *") T "*") T "* ]]'
	ask on_peer "$US" 8006 200
	assert_eq "$members" 1
	kill -CONT "${pids[@]}"
	wait_for 'ask on_peer "$US" 8006 200 && [ "$members" -gt 1 ]'
}

@test "members are killed under load: at most what they had in hand fails, and every answer is whole" {
	local kills=0

	start_family prefork 8007 4
	start_bg load on_peer "$PYTHON" "$FAMILY" ask "$US" 8007 1500
	while is_running "${BG[load]}" && [ "$kills" -lt 12 ]; do
		kill -KILL "$(tail -n 1 "$(out family)")" 2>/dev/null && kills=$((kills + 1))
		wait_for '[ "$(wc -l <"$(out family)")" -ge $((4 + kills)) ]'
	done
	wait_bg load
	assert_match "$(cat "$(out load)")" '^ok ([0-9]+) broken ([0-9]+) wrong 0 '
	[ "${BASH_REMATCH[2]}" -le "$kills" ]
	[ "$kills" -gt 3 ]
	ask on_peer "$US" 8007 100
}
