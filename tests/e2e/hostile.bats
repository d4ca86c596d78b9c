#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The host trusts no program, and no program loses by another: whatever a process of the same user says to the host,
# the host neither crashes nor waits nor spins nor leaks, and a transfer that is under way goes on.

load helper

setup_file() {
	topo_up
	is_baseline && return
	start_daemon peer socat TCP4-LISTEN:8000,fork,reuseaddr PIPE
	wait_port peer 8000
}

setup() {
	needs_product
	PROGS=$BATS_TEST_DIRNAME/progs
	KEY=d/us0/$US
	mkfifo "$BATS_TEST_TMPDIR/witness.in"
	STDIN=$BATS_TEST_TMPDIR/witness.in start_bg witness shim "$PYTHON" "$PROGS/witness.py" "$PEER" 8000
	exec {WITNESS_IN}>"$BATS_TEST_TMPDIR/witness.in"
	wait_for 'grep -q up "$(out witness)"'
	HOST=$(host_pid)
	[ -n "$HOST" ]
	FDS=$(host_fds)
}

host_pid() { wireshim status | sed -n 's/^host .*, pid \([0-9]*\).*/\1/p'; }
host_fds() { find "/proc/$HOST/fd" -mindepth 1 | wc -l; }
host_rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$HOST/status"; }
host_ticks() { awk '{ print $14 + $15 }' "/proc/$HOST/stat"; }

# Less than a tenth of a processor over 0.3 s.
host_rests() {
	local before

	before=$(host_ticks)
	read -rt 0.3 -u "$NEVER" || true
	[ $(($(host_ticks) - before)) -le 3 ]
}

hostile() { on_us "$PYTHON" "$PROGS/hostile.py" "$KEY" "$@"; }

# start_attack NAME ATTACK...: in the background, until `end_attack NAME`.
start_attack() {
	mkfifo "$BATS_TEST_TMPDIR/$1.in"
	STDIN=$BATS_TEST_TMPDIR/$1.in start_bg "$1" on_us "$PYTHON" "$PROGS/hostile.py" "$KEY" "${@:2}"
	exec {ATTACK_IN}>"$BATS_TEST_TMPDIR/$1.in"
	wait_for "grep -q up '$(out "$1")'"
}
end_attack() {
	exec {ATTACK_IN}>&-
	wait_bg "$1"
	assert_status 0
}

# The same host, with the descriptors that it had; the transfer was not disturbed, and the host rests behind it.
host_is_well() {
	exec {WITNESS_IN}>&-
	wait_for '[ "$(host_fds)" -le "$FDS" ]'
	assert_eq "$(host_pid)" "$HOST" "process id of the host"
	wait_bg witness
	assert_status 0
	assert_match "$(cat "$(out witness)")" 'intact, [1-9][0-9]* rounds, longest [0-3]\.'
}

# The host still moves what the witness sends.
witness_goes_on() {
	local before

	before=$(tx_bytes)
	wait_for '[ "$(tx_bytes)" -gt $((before + 1000000)) ]'
}
tx_bytes() { nsenter --net=/run/netns/us sed -n 's/^ *us0: *//p' /proc/net/dev | awk '{ print $9 }'; }

# A program that starts now works.
newcomer_works() {
	run shim "$PYTHON" -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 8000))
s.sendall(b"hello")
print(s.recv(5).decode())' "$PEER"
	assert_eq "$output" hello
}

@test "first messages that are none: each connection is ended and counted" {
	run hostile hellos
	assert_status 0
	assert_eq "$output" "42 ended"
	assert_match "$(wireshim status)" 'programs: [1-9][0-9]* refused, [1-9][0-9]* malformed'
	host_is_well
}

@test "a socket has one name, and a name is one socket's" {
	run hostile duplicate
	assert_status 0
	assert_eq "$output" $'0\nTrue True\n0'
	host_is_well
}

@test "a stranger's socket cannot be named; who has it by fork, exec or a message can" {
	local cookie ino

	mkfifo "$BATS_TEST_TMPDIR/gate"
	STDIN=$BATS_TEST_TMPDIR/gate start_bg victim shim "$PYTHON" -u -c '
import os, socket, struct, subprocess, sys
s = socket.create_connection((sys.argv[1], 8000))
print("up", struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, 57, 8))[0], os.fstat(s.fileno()).st_ino)
sys.stdin.read()
s.sendall(b"still here")
print(s.recv(100).decode(), s.getpeername()[1])
if os.fork() == 0:
    print("fork", s.getpeername()[1], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "import socket; print(\"exec\", socket.socket(fileno=0).getpeername()[1])"], stdin=s)
a, b = socket.socketpair()
if os.fork() == 0:
    s.close()
    _, fds, _, _ = socket.recv_fds(b, 10, 1)
    print("message", socket.socket(fileno=fds[0]).getpeername()[1])
    os._exit(0)
socket.send_fds(a, [b"x"], [s.fileno()])
os.wait()' "$PEER"
	exec {opened}>"$BATS_TEST_TMPDIR/gate"
	wait_for 'grep -q up "$(out victim)"'
	read -r _ cookie ino <"$(out victim)"
	run hostile stranger "$cookie" "$ino"
	assert_status 0
	assert_eq "$output" $'EINVAL ESTALE\nTrue'
	exec {opened}>&-
	wait_bg victim
	assert_eq "$(tail -n +2 "$(out victim)")" $'still here 8000\nfork 8000 0\nexec 8000\nmessage 8000'
	host_is_well
}

@test "requests that are none: an error, or the end of the connection" {
	run hostile requests
	assert_status 0
	assert_eq "$output" $'ENOTSUP ENOTSUP ENOTSUP ENOTSUP ENOTSUP\n{\'ESTALE\'}\n9 ended'
	run hostile clobber
	assert_eq "$output" "50 good"
	host_is_well
}

@test "descriptors that are sent along are not kept" {
	run hostile rights
	assert_status 0
	assert_eq "$output" 0
	host_is_well
}

@test "datagram headers that lie: an error each, and the socket goes on" {
	run hostile datagrams
	assert_status 0
	assert_eq "$output" "True goes on: 0"
	host_is_well
}

@test "the twin on the kernel's loopback reaches nothing else, and lends none of the host's rights" {
	run hostile loopback
	assert_status 0
	assert_eq "$output" "True EINVAL 0"
	host_is_well
}

@test "who does not read is not listened to, and costs no memory" {
	local before

	before=$(host_rss_kib)
	start_attack reader unread
	assert_eq "$(head -n 1 "$(out reader)")" "True True 0"
	wait_for host_answers
	# Memory of a sanitizer is another matter.
	[ -n "${SANITIZE-}" ] || [ "$(($(host_rss_kib) - before))" -lt 8192 ]
	end_attack reader
	assert_eq "$(tail -n 1 "$(out reader)")" 0
	host_is_well
}
host_answers() { LIMIT=2 wireshim status >/dev/null; }

@test "ten thousand sockets opened and closed leave nothing behind" {
	local before

	hostile churn 1000
	wait_for '[ "$(host_fds)" -le "$FDS" ]'
	before=$(host_rss_kib)
	run hostile churn 9000
	assert_status 0
	wait_for '[ "$(host_fds)" -le "$FDS" ]'
	[ -n "${SANITIZE-}" ] || [ "$(($(host_rss_kib) - before))" -lt 4096 ]
	host_is_well
}

@test "many requests at once that the host has to look around for: all are answered" {
	run hostile pipelined
	assert_status 0
	assert_eq "$output" $'0 0\n{\'EADDRINUSE\': 8000}'
	host_is_well
	wait_for host_rests
}

@test "a request that is read before the hello of its socket finds the socket" {
	run hostile overtaking "$HOST"
	assert_status 0
	assert_eq "$output" $'0\n0'
	host_is_well
}

@test "twenty thousand random messages" {
	run on_us "$PYTHON" "$BATS_TEST_DIRNAME/../fuzz/host_fuzz.py" "$KEY" 1 20000
	assert_status 0
	assert_match "$output" 'seed 1 .* request'
	host_is_well
	wait_for host_rests
}

@test "connections that say nothing give way to others, and end" {
	limited_host 200
	start_attack silent flood silent 1000
	newcomer_works
	# The host has ended every one of them by itself.
	wait_for '[ "$(host_fds)" -le "$FDS" ]'
	end_attack silent
	host_is_well
}

@test "all descriptors taken: the others go on, new ones are refused at once, and afterwards all is well" {
	limited_host 200
	start_attack sockets flood socket 800
	run shim true
	assert_status 2
	assert_match "$output" 'host d/us0/10.77.0.2: Too many open files in system'
	witness_goes_on
	end_attack sockets
	wait_for '[ "$(host_fds)" -le "$FDS" ]'
	newcomer_works
	assert_match "$(wireshim status)" 'times out of descriptors'
	host_is_well
}

@test "a program that says again and again that it is the launcher holds one descriptor" {
	start_attack launcher lifelines 3000
	[ "$(host_fds)" -le $((FDS + 2)) ]
	end_attack launcher
	host_is_well
}

@test "fifty thousand damaged frames: the transfer is intact, each loss has its reason" {
	local report

	run on_peer "$PYTHON" "$BATS_TEST_DIRNAME/../fuzz/wire_fuzz.py" peer0 "$US" 1 50000
	assert_status 0
	assert_match "$output" '^seed 1 sent [45][0-9]{4}$'
	witness_goes_on
	report=$(wireshim status | sed '1,/^dropped:/d; /^[^ ]/,$d')
	echo "$report"
	[ "$(wc -l <<<"$report")" -ge 12 ]
	[ "$(awk '{ n += $1 } END { print n }' <<<"$report")" -gt 10000 ]
	host_is_well
	wait_for host_rests
}

# limited_host N: starts the host and its witness again, with N descriptors.
limited_host() {
	exec {WITNESS_IN}>&-
	wait_bg witness
	wireshim stop
	rm "$(out witness)"
	wait_for '[ -z "$(host_pid)" ]'
	STDIN=$BATS_TEST_TMPDIR/witness.in start_bg witness on_us prlimit --nofile="$1:$1" \
		"$WIRESHIM" run "${SHIM_OPTS[@]}" -- "$PYTHON" "$PROGS/witness.py" "$PEER" 8000
	exec {WITNESS_IN}>"$BATS_TEST_TMPDIR/witness.in"
	wait_for 'grep -q up "$(out witness)"'
	HOST=$(host_pid)
	FDS=$(host_fds)
}
