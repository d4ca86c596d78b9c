#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command: what it says to wrong input, that it becomes the program, and who shares a host

load helper

setup() {
	needs_product
	topo_up
}

# The pids of hosts in our namespace: what runs there and is the launcher's own executable.
hosts() {
	local pid

	for pid in $(ip netns pids us); do
		[[ $(readlink "/proc/$pid/exe") != */wireshim ]] || echo "$pid"
	done
}

# Refuses: status 2, nothing on standard output, one line on standard error which matches, and no process left behind.
assert_refused() {
	assert_status 2
	assert_eq "$output" ''
	assert_eq "${#stderr_lines[@]}" 1 "lines of standard error"
	assert_match "$stderr" '^wireshim: '
	assert_match "$stderr" "$1"
	wait_for '[ -z "$(ip netns pids us)" ]' 5
}

# refuse REGEX OPTION...: `wireshim run OPTION... true` is refused with a line that matches.
refuse() {
	run --separate-stderr wireshim run "${@:2}" -- true
	assert_refused "$1"
}

@test "--help and --version" {
	run --separate-stderr wireshim --help
	assert_status 0
	assert_match "$output" 'run'
	assert_match "$output" '--capture-filter'
	assert_eq "$stderr" ''
	run --separate-stderr wireshim --version
	assert_status 0
	assert_match "$output" '^wireshim [0-9]+\.[0-9]+'
}

@test "no verb, an unknown verb, no program" {
	run --separate-stderr wireshim
	assert_status 2
	assert_eq "$output" ''
	run --separate-stderr wireshim rnu
	assert_refused rnu
	run --separate-stderr wireshim run --dev us0 --addr "$US/24"
	assert_refused '[Pp][Rr][Oo][Gg][Rr][Aa][Mm]'
}

@test "unknown options" {
	refuse --frobnicate --frobnicate
	refuse --devv --devv us0
}

@test "an option without its value" {
	run --separate-stderr wireshim run --dev
	assert_refused --dev
}

@test "addresses that are none" {
	refuse 300.1.1.1 --dev us0 --addr 300.1.1.1/24
	refuse 10.77.0.2/33 --dev us0 --addr 10.77.0.2/33
	refuse addr --dev us0 --addr ''
	refuse nonsense --dev us0 --addr "$US/24" --gateway nonsense
	refuse nonsense --dev us0 --addr "$US/24" --dns nonsense
	refuse 224.0.0.1 --dev us0 --addr 224.0.0.1/24
	refuse 10.77.0.255 --dev us0 --addr 10.77.0.255/24
}

@test "a gateway that is not on the link" {
	refuse 10.78.0.1 --dev us0 --addr "$US/24" --gateway 10.78.0.1
}

@test "other values that are none" {
	refuse mtu --dev us0 --addr "$US/24" --mtu lots
	refuse mtu --dev us0 --addr "$US/24" --mtu 10
	refuse mac --dev us0 --addr "$US/24" --mac 12:34
	refuse mac --dev us0 --addr "$US/24" --mac ff:ff:ff:ff:ff:ff
	refuse log --dev us0 --addr "$US/24" --log loudly
	refuse loopback --dev us0 --addr "$US/24" --loopback both
}

@test "a missing interface" {
	refuse nosuch0 --dev nosuch0 --addr "$US/24"
}

@test "an MTU larger than the interface's" {
	refuse 9000 --dev us0 --addr "$US/24" --mtu 9000
}

@test "an address that the kernel holds" {
	ip -n us addr add 10.77.0.5/24 dev us0
	refuse 10.77.0.5 --dev us0 --addr 10.77.0.5/24
}

@test "an address that another machine on the link holds" {
	refuse "$PEER" --dev us0 --addr "$PEER/24"
}

@test "a missing privilege" {
	run --separate-stderr on_us setpriv --inh-caps=-all --bounding-set=-all "$WIRESHIM" run --dev us0 --addr "$US/24" -- true
	assert_refused 'CAP_NET_RAW|root|privilege'
}

@test "a capture that cannot be written" {
	refuse /nonexistent/x.pcapng --dev us0 --addr "$US/24" --capture /nonexistent/x.pcapng
	refuse "$BATS_TEST_TMPDIR" --dev us0 --addr "$US/24" --capture "$BATS_TEST_TMPDIR"
}

@test "a capture filter that is none" {
	refuse filter --dev us0 --addr "$US/24" --capture "$BATS_TEST_TMPDIR/x.pcapng" --capture-filter 'tcp prot 80'
	[ ! -e "$BATS_TEST_TMPDIR/x.pcapng" ]
}

@test "a capture filter without a capture" {
	refuse capture --dev us0 --addr "$US/24" --capture-filter 'tcp port 80'
}

@test "a program that does not exist: 127" {
	run -127 --separate-stderr shim nosuchprogram
	assert_status 127
	assert_eq "${#stderr_lines[@]}" 1
	assert_match "$stderr" nosuchprogram
	run -127 --separate-stderr shim /nonexistent/program
	assert_status 127
}

@test "a folder of PATH that may not be searched is passed over" {
	can_be_nobody || skip "only one user here"
	mkdir -m 700 "$BATS_TEST_TMPDIR/locked"
	run -127 --separate-stderr on_us env PATH="$BATS_TEST_TMPDIR/locked:/bin" "${AS_NOBODY[@]}" \
		"$WIRESHIM" run "${SHIM_OPTS[@]}" nosuchprogram
	assert_status 127
	assert_match "$stderr" 'nosuchprogram.*No such file'
}

@test "a program that cannot be executed: 126" {
	: >"$BATS_TEST_TMPDIR/plain"
	run --separate-stderr shim "$BATS_TEST_TMPDIR/plain"
	assert_status 126
	assert_eq "${#stderr_lines[@]}" 1
	assert_match "$stderr" plain
}

@test "the program's status, arguments, input and output are its own" {
	run shim sh -c 'exit 7'
	assert_status 7
	run shim sh -c 'echo "$#:$1:$2:$3"; cat' sh 'a b' '' --dev <<<input
	assert_status 0
	assert_eq "$output" "3:a b::--dev
input"
	run --separate-stderr shim sh -c 'echo out; echo err >&2'
	assert_eq "$output" out
	assert_eq "$stderr" err
}

@test "the program is the same process and gets its signals" {
	mkfifo "$BATS_TEST_TMPDIR/in"
	STDIN=$BATS_TEST_TMPDIR/in start_bg program shim sh -c 'trap "echo usr1" USR1; echo $$; read x; read x'
	exec {input}>"$BATS_TEST_TMPDIR/in"
	wait_for '[ -s "$(out program)" ]'
	assert_eq "$(head -n 1 "$(out program)")" "${BG[program]}"
	kill -USR1 "${BG[program]}"
	wait_for 'grep -q usr1 "$(out program)"'
	stop_bg program TERM
	assert_status 143
	exec {input}>&-
	start_bg program shim sh -c 'kill -ABRT $$'
	wait_bg program
	assert_status 134
}

@test "a program that opens no socket has the descriptors it would have had" {
	assert_eq "$(shim sh -c 'ls /proc/$$/fd')" "$(on_us sh -c 'ls /proc/$$/fd')"
}

@test "options by the environment" {
	start_http peer "$BATS_TEST_DIRNAME" 8001
	run on_us env WIRESHIM_DEV=us0 WIRESHIM_ADDR="$US/24" WIRESHIM_GATEWAY="$PEER" WIRESHIM_CAPTURE="$BATS_TEST_TMPDIR/x.pcapng" \
		"$WIRESHIM" run curl -sS -o /dev/null -w '%{local_ip}' "http://$PEER:8001/sink.py"
	assert_status 0
	assert_eq "$output" "$US"
	[ -s "$BATS_TEST_TMPDIR/x.pcapng" ]
}

@test "programs with the same device and address share one host" {
	start_bg one shim nc -lk 8001
	start_bg two shim nc -lk 8002
	wait_for 'on_peer nc -z -w 1 $US 8001 && on_peer nc -z -w 1 $US 8002'
	assert_eq "$(hosts | wc -l)" 1
	assert_eq "$(connect_errno shim "$PEER" 9)" ECONNREFUSED
	assert_eq "$(hosts | wc -l)" 1
}

@test "a port that one program has bound is taken for the next" {
	start_bg one shim nc -l 8003
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	wait_for '[ "$(shim "$PYTHON" -c "
import errno, socket
try:
    socket.socket().bind((\"\", 8003))
except OSError as e:
    print(errno.errorcode[e.errno])")" = EADDRINUSE ]'
}

@test "options that contradict the running host" {
	start_bg one shim nc -lk 8004
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	local extra
	for extra in '--mtu 1000' '--gateway 10.77.0.7' '--dns 10.77.0.7' '--mac 02:00:00:00:00:07' '--loopback stack'; do
		# shellcheck disable=SC2086 # two words
		run --separate-stderr wireshim run "${SHIM_OPTS[@]}" $extra -- true
		assert_status 2
		assert_eq "${#stderr_lines[@]}" 1 "lines of standard error for $extra"
		assert_match "$stderr" "${extra%% *}|$(cut -c3- <<<"${extra%% *}")"
	done
	run on_peer nc -z -w 2 "$US" 8004
	assert_status 0
}

@test "a second host on the same address never comes up" {
	start_bg one shim nc -lk 8005
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	run --separate-stderr wireshim run --host other --dev us0 --addr "$US/24" -- true
	assert_status 2
	assert_match "$stderr" "$US"
	assert_eq "$(hosts | wc -l)" 1
	run on_peer nc -z -w 2 "$US" 8005
	assert_status 0
}

@test "--host NAME: two names, two hosts on two addresses" {
	start_bg one on_us "$WIRESHIM" run --host one --dev us0 --addr "$US/24" -- nc -lk 8006
	start_bg two on_us "$WIRESHIM" run --host two --dev us0 --addr 10.77.0.4/24 -- nc -lk 8006
	wait_for 'on_peer nc -z -w 1 $US 8006 && on_peer nc -z -w 1 10.77.0.4 8006'
	assert_eq "$(hosts | wc -l)" 2
}

@test "a host that only lingers for TIME-WAIT is shared, too" {
	local before

	start_http peer "$BATS_TEST_DIRNAME" 8007
	# A connection that we close first, so that the TIME-WAIT is ours.
	shim "$PYTHON" -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 8007))
s.close()' "$PEER"
	before=$(hosts)
	[ -n "$before" ]
	shim curl -sS -o /dev/null "http://$PEER:8007/sink.py"
	assert_eq "$(hosts)" "$before"
}

@test "an idle host ends by itself" {
	assert_eq "$(connect_errno shim "$PEER" 9)" ECONNREFUSED
	wait_for '[ -z "$(hosts)" ]' 20
}

@test "twenty runs at the same moment find one host" {
	local i pids=()

	start_http peer "$BATS_TEST_DIRNAME" 8009
	for i in {1..20}; do
		shim curl -sS -o "$BATS_TEST_TMPDIR/got$i" "http://$PEER:8009/sink.py" 3>&- &
		pids+=($!)
	done
	wait_for '[ -n "$(hosts)" ]'
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in {1..20}; do
		cmp "$BATS_TEST_TMPDIR/got$i" "$BATS_TEST_DIRNAME/sink.py"
	done
	[ "$(hosts | wc -l)" -le 1 ]
}
