#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Unmodified servers over our stack, the kernel's clients against them

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo hello >"$ROOT/hello"
	make_file "$ROOT/20m" 20000000
	topo_up
}

@test "python3 -m http.server" {
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8001
	wait_open peer "$US" 8001
	run on_peer curl -sS "http://$US:8001/hello"
	assert_status 0
	assert_eq "$output" hello
	on_peer curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$US:8001/20m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
	wait_for 'grep -q "^$PEER .*GET /20m" "$(err server)"'
}

@test "nc -l receives a file" {
	start_bg server shim nc -l 8002
	on_peer socat -u "FILE:$ROOT/20m" "TCP4:$US:8002,retry=200,interval=0.05"
	wait_bg server
	assert_eq "$(sha256 "$(out server)")" "$(sha256 "$ROOT/20m")"
}

@test "nc -l sends a file" {
	STDIN=$ROOT/20m start_bg server shim nc -N -l 8003
	on_peer socat -u "TCP4:$US:8003,retry=200,interval=0.05" "CREATE:$BATS_TEST_TMPDIR/got"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
	wait_bg server
	assert_status 0
}

@test "socat forks for each of twenty connections at once" {
	local i pids=()

	start_bg server shim socat TCP4-LISTEN:8004,fork,reuseaddr,backlog=32 EXEC:sha256sum
	wait_open peer "$US" 8004
	for i in {1..20}; do
		head -c $((i * 50000)) "$ROOT/20m" >"$BATS_TEST_TMPDIR/in$i"
		on_peer socat -t 20 - "TCP4:$US:8004" <"$BATS_TEST_TMPDIR/in$i" >"$BATS_TEST_TMPDIR/sum$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in {1..20}; do
		assert_eq "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/sum$i")" "$(sha256 "$BATS_TEST_TMPDIR/in$i")" "connection $i"
	done
}

@test "upload into a threaded server" {
	start_bg server shim "$PYTHON" "$BATS_TEST_DIRNAME/sink.py" 8005
	wait_open peer "$US" 8005
	run on_peer curl -sS -T "$ROOT/20m" "http://$US:8005/"
	assert_status 0
	assert_eq "$output" "$(sha256 "$ROOT/20m")"
}

@test "twenty parallel downloads" {
	local i args=()

	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8006
	wait_open peer "$US" 8006
	for i in {1..20}; do
		args+=(-o "$BATS_TEST_TMPDIR/got$i" "http://$US:8006/20m")
	done
	on_peer curl -sS -r 0-999999 --parallel --parallel-immediate --parallel-max 20 "${args[@]}"
	for i in {1..20}; do
		cmp "$BATS_TEST_TMPDIR/got$i" "$ROOT/20m"
		rm "$BATS_TEST_TMPDIR/got$i"
	done
}

@test "a port that nobody listens on refuses" {
	start_bg holder shim nc -l 8007
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	run on_peer curl -sS "http://$US:8099/"
	assert_status 7
}

@test "a server that closed first can listen again at once with SO_REUSEADDR, not without" {
	start_bg server shim "$PYTHON" -u -c '
import errno, socket, sys
def listener(reuse):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    s.bind(("0.0.0.0", 8008))
    s.listen()
    return s
s = listener(1)
c, who = s.accept()
s.close()
c.close()
try:
    listener(0)
except OSError as e:
    print(errno.errorcode[e.errno])
listener(1)
print("again")'
	on_peer socat -u "TCP4:$US:8008,retry=200,interval=0.05" -
	wait_bg server
	assert_eq "$(cat "$(out server)")" "EADDRINUSE
again"
}

@test "accept gives the client's address, getsockname ours" {
	start_bg server shim "$PYTHON" -u -c '
import socket
s = socket.create_server(("", 8009))
c, who = s.accept()
print(who, c.getpeername() == who, c.getsockname())'
	on_peer socat -u /dev/null "TCP4:$US:8009,sourceport=9009,retry=200,interval=0.05"
	wait_bg server
	assert_eq "$(cat "$(out server)")" "('$PEER', 9009) True ('$US', 8009)"
}

@test "connections wait in the backlog until they are accepted" {
	local i pids=()

	mkfifo "$BATS_TEST_TMPDIR/gate"
	start_bg server shim "$PYTHON" -u -c '
import socket, sys
s = socket.create_server(("", 8010), backlog=16)
print("up")
open(sys.argv[1]).read()
for i in range(5):
    c, _ = s.accept()
    print(c.makefile().read())
    c.close()' "$BATS_TEST_TMPDIR/gate"
	wait_for 'grep -q up "$(out server)"'
	for i in {1..5}; do
		on_peer nc -N "$US" 8010 <<<"client$i" 3>&- &
		pids+=($!)
	done
	wait_for '[ "$(nsenter --net=/run/netns/peer ss -Htn state all "dst $US:8010" | grep -c "^FIN-WAIT-2")" = 5 ]'
	echo go >"$BATS_TEST_TMPDIR/gate"
	wait "${pids[@]}"
	wait_bg server
	assert_status 0
	assert_eq "$(grep '^client' "$(out server)" | sort)" "$(printf 'client%s\n' {1..5})"
}

@test "one listener, four processes: each connection is accepted once" {
	start_bg server shim "$PYTHON" -u -c '
import os, socket
s = socket.create_server(("", 8011), backlog=64)
for _ in range(3):
    if os.fork() == 0:
        break
while True:
    c, _ = s.accept()
    c.sendall(b"%d\n" % os.getpid())
    c.close()'
	wait_open peer "$US" 8011
	run on_peer "$PYTHON" -c '
import socket, sys
n = 0
for _ in range(100):
    s = socket.create_connection((sys.argv[1], 8011))
    n += s.makefile().read().strip().isdigit()
print(n)' "$US"
	assert_status 0
	assert_eq "$output" 100
}
