#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Settings of the stack: --sysctl, the environment, `wireshim sysctl`, a laboratory's line. What they do to connections
# is read from the wire and from the kernel at the other end.

load helper

setup_file() {
	topo_up
}

# stop_host: the host ends, if it has not by itself
stop_host() {
	on_us "$WIRESHIM" stop 2>/dev/null || true
	wait_for '[ -z "$(ip netns pids us)" ]' 10
}

# Each test has a host with settings of its own: the one before must be gone.
setup() {
	needs_product
	stop_host
	CAPTURE=$BATS_TEST_TMPDIR/us.pcapng
	SHIM_OPTS=(--dev us0 --addr "$US/24" --capture "$CAPTURE")
}

teardown() {
	on_peer sysctl -qw net.ipv4.tcp_ecn=2 net.ipv4.tcp_fastopen=1
}

# refused REGEX: status 2, one line that matches
refused() {
	assert_status 2
	assert_eq "$output" ''
	assert_eq "${#stderr_lines[@]}" 1 "lines of standard error"
	assert_match "$stderr" "^wireshim: .*$1"
}

# congestion CMD...: TCP_CONGESTION of a new socket of the program's, run by CMD
congestion() {
	"$@" "$PYTHON" -c 'import socket
print(socket.socket().getsockopt(6, 13, 16).rstrip(b"\0").decode())'
}

# start_host OPTION...: a program that keeps a host alive
start_host() {
	SHIM_OPTS+=("$@")
	start_bg host shim nc -l 7999
	wait_for 'on_us "$WIRESHIM" status | grep -q LISTEN'
}

@test "tcp_fastopen=3: a server of ours hands out a cookie and takes the text of the next SYN" {
	SHIM_OPTS+=(--sysctl net.ipv4.tcp_fastopen=3)
	start_bg server shim "$PYTHON" "$E2E_DIR/progs/fastopen.py" serve "$US" 7000
	wait_for 'grep -q ready "$(out server)"'
	run on_peer "$PYTHON" "$E2E_DIR/progs/fastopen.py" ask "$US" 7000 2
	assert_status 0
	assert_eq "$output" 'hello hello'
	stop_bg server
	stop_host
	# The first SYN asks for a cookie, the SYN-ACK has one; the second SYN shows it and has 18 bytes of text, which
	# its SYN-ACK acknowledges.
	run dissect -Y 'tcp.flags.syn == 1' -T fields -e tcp.flags.ack -e tcp.len -e tcp.ack -e tcp.options.tfo.cookie
	assert_status 0
	assert_eq "${#lines[@]}" 4
	assert_match "${lines[0]}" $'^(0|False)\t0\t0\t?$'
	assert_match "${lines[1]}" $'^(1|True)\t0\t1\t[0-9a-f]{16}$'
	assert_eq "${lines[2]}" "${lines[0]%%$'\t'*}"$'\t18\t0\t'"${lines[1]##*$'\t'}"
	assert_match "${lines[3]}" $'^(1|True)\t0\t19\t'
}

@test "without tcp_fastopen's server bit a SYN's text is not taken" {
	start_bg server shim "$PYTHON" "$E2E_DIR/progs/fastopen.py" serve "$US" 7000
	wait_for 'grep -q ready "$(out server)"'
	run on_peer "$PYTHON" "$E2E_DIR/progs/fastopen.py" ask "$US" 7000 2
	assert_eq "$output" 'hello hello'
	stop_bg server
	stop_host
	# The peer may know a cookie from before: no SYN-ACK has one, and each acknowledges the SYN alone.
	run dissect -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 1' -T fields -e tcp.ack -e tcp.options.tfo.cookie
	assert_eq "$output" $'1\t\n1\t'
}

# ecn_of OURS: what the kernel says of ECN on a connection of ours with that tcp_ecn, "ecn" or nothing
ecn_of() {
	start_bg client on_us "$WIRESHIM" run --dev us0 --addr "$US/24" --sysctl "net.ipv4.tcp_ecn=$1" -- nc "$PEER" 7001
	wait_for '[ -n "$(nsenter --net=/run/netns/peer ss -Htn state established "sport = :7001")" ]'
	nsenter --net=/run/netns/peer ss -Htino state established "sport = :7001" | grep -ow ecn || true
	stop_bg client
	stop_host
}

@test "tcp_ecn=1 asks the kernel for ECN, tcp_ecn=2 does not" {
	on_peer sysctl -qw net.ipv4.tcp_ecn=2
	start_daemon peer nc -lk 7001
	wait_port peer 7001
	assert_eq "$(ecn_of 2)" ''
	assert_eq "$(ecn_of 1)" ecn
}

@test "tcp_congestion_control: programs see it, and what else there is" {
	assert_eq "$(congestion shim)" cubic
	stop_host
	SHIM_OPTS+=(--sysctl net/ipv4/tcp_congestion_control=bbr)
	assert_eq "$(congestion shim)" bbr
}

@test "the environment: commas, line ends, a comma within a value; the command line stands over it" {
	export WIRESHIM_SYSCTL=$'net.ipv4.tcp_congestion_control=reno,net.ipv4.tcp_sack=0\nnet.ipv4.tcp_fastopen_key=0-0-0-1,0-0-0-2'
	start_host
	assert_eq "$(congestion shim)" reno
	run wireshim sysctl net.ipv4.tcp_sack net.ipv4.tcp_fastopen_key
	assert_status 0
	assert_eq "$output" $'net.ipv4.tcp_sack = 0\nnet.ipv4.tcp_fastopen_key = 00000000-00000000-00000000-00000001,00000000-00000000-00000000-00000002'
	stop_bg host
	stop_host
	start_host --sysctl net.ipv4.tcp_dsack=0
	assert_eq "$(congestion shim)" cubic
	assert_match "$(wireshim status)" 'sysctl net.ipv4.tcp_dsack = 0'
	unset WIRESHIM_SYSCTL
	stop_bg host
}

@test "wrong names and values end run with one line, before anything is started" {
	local try
	while IFS='|' read -r try want; do
		run --separate-stderr wireshim run "${SHIM_OPTS[@]}" --sysctl "$try" -- true
		refused "$want"
	done <<-'END'
		net.ipv4.tcp_frobnicate=1|--sysctl net.ipv4.tcp_frobnicate: this stack has no such setting$
		net.ipv4.tcp_autocorking=1|--sysctl net.ipv4.tcp_autocorking: this stack has no such setting$
		net.ipv6.conf.all.disable_ipv6=1|no such setting$
		net.ipv4.tcp_ecn=7|--sysctl net.ipv4.tcp_ecn: it cannot be "7": it is a number from 0 to 2$
		net.ipv4.tcp_ecn=|it cannot be ""
		net.ipv4.tcp_ecn=1 2|it cannot be "1 2"
		net.ipv4.tcp_ecn|'net.ipv4.tcp_ecn' is not NAME=VALUE$
		net.ipv4.tcp_rmem=1 2 x|up to 3 numbers from 1 to
		net.ipv4.tcp_congestion_control=vegas|this stack has no "vegas"$
		net.ipv4.tcp_available_congestion_control=bbr|it can only be read$
	END
	run --separate-stderr on_us env WIRESHIM_SYSCTL=net.ipv4.tcp_ecn=7 "$WIRESHIM" run "${SHIM_OPTS[@]}" -- true
	refused 'it cannot be "7".*environment'
	wait_for '[ -z "$(ip netns pids us)" ]' 5
}

@test "wireshim sysctl: reads, changes, lists; status shows what differs" {
	start_host --sysctl net.ipv4.tcp_ecn=1
	run wireshim sysctl net.ipv4.tcp_ecn net/ipv4/tcp_rmem
	assert_status 0
	assert_eq "$output" $'net.ipv4.tcp_ecn = 1\nnet.ipv4.tcp_rmem = 4096\t131072\t6291456'
	run wireshim sysctl net.ipv4.tcp_congestion_control=reno
	assert_status 0
	assert_eq "$output" 'net.ipv4.tcp_congestion_control = reno'
	assert_eq "$(congestion shim)" reno
	run wireshim sysctl
	assert_status 0
	[ "${#lines[@]}" -gt 50 ]
	assert_eq "$(sort -c <<<"$output" 2>&1)" ''
	assert_match "$output" 'net.core.somaxconn = 4096'
	assert_eq "$(wireshim sysctl net.core | head -n 1)" "$(grep -m 1 '^net.core' <<<"$output")"
	assert_eq "$(wireshim status | grep '  sysctl')" $'  sysctl net.ipv4.tcp_congestion_control = reno\n  sysctl net.ipv4.tcp_ecn = 1'

	run --separate-stderr wireshim sysctl net.ipv4.tcp_ecn=7
	refused 'sysctl net.ipv4.tcp_ecn: it cannot be "7": it is a number from 0 to 2$'
	run --separate-stderr wireshim sysctl net.ipv4.tcp_frobnicate
	refused 'sysctl net.ipv4.tcp_frobnicate: this stack has no such setting$'
}

@test "a program that asks for what the running host has not is refused" {
	start_host --sysctl net.ipv4.tcp_ecn=1
	SHIM_OPTS=(--dev us0 --addr "$US/24")
	run --separate-stderr wireshim run "${SHIM_OPTS[@]}" --sysctl net.ipv4.tcp_ecn=0 -- true
	refused 'the running host has --sysctl net.ipv4.tcp_ecn=1, not 0'
	run --separate-stderr wireshim run "${SHIM_OPTS[@]}" --sysctl net.ipv4.tcp_sack=1 --sysctl net.ipv4.tcp_ecn=0x1 -- true
	assert_status 0
	wireshim sysctl net.ipv4.tcp_ecn=0
	run --separate-stderr wireshim run "${SHIM_OPTS[@]}" --sysctl net.ipv4.tcp_ecn=0 -- true
	assert_status 0
}

@test "without a host there is nothing to ask" {
	run --separate-stderr wireshim sysctl net.ipv4.tcp_ecn
	refused 'no host runs'
}

@test "another user reads settings that are no secret and changes none" {
	can_be_nobody || skip "only one user here"
	start_host
	run --separate-stderr shim "${AS_NOBODY[@]}" "$WIRESHIM" sysctl net.ipv4.tcp_ecn
	assert_eq "$output" 'net.ipv4.tcp_ecn = 2'
	run --separate-stderr shim "${AS_NOBODY[@]}" "$WIRESHIM" sysctl net.ipv4.tcp_ecn=1
	refused 'only its owner and root'
	run --separate-stderr shim "${AS_NOBODY[@]}" "$WIRESHIM" sysctl net.ipv4.tcp_fastopen_key
	refused 'cannot be read'
	assert_eq "$(wireshim sysctl net.ipv4.tcp_ecn)" 'net.ipv4.tcp_ecn = 2'
}

@test "a laboratory: a line a setting, for its host only; what is wrong names file, line and reason" {
	cd "$BATS_TEST_TMPDIR"
	cat >x.lab <<-END
		host a 10.0.0.1/24
		host b 10.0.0.2/24
		link a b
		sysctl a net.ipv4.tcp_congestion_control=bbr   # comment
		run a $PYTHON -c 'import socket; print(socket.socket().getsockopt(6, 13, 16))'
		run b $PYTHON -c 'import socket; print(socket.socket().getsockopt(6, 13, 16))'
	END
	run "$WIRESHIM" lab --out out x.lab
	assert_status 0
	assert_match "$(cat out/a.out)" "b'bbr"
	assert_match "$(cat out/b.out)" "b'cubic"
	sed -i 's/=bbr/=vegas/' x.lab
	run --separate-stderr "$WIRESHIM" lab --out out2 x.lab
	refused 'x.lab:? line 4: sysctl net.ipv4.tcp_congestion_control: this stack has no "vegas"$'
}
