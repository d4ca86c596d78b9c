#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# 127.0.0.0/8 and our own address: in our stack with --loopback stack, else 127.0.0.0/8 is the kernel's

load helper

setup() {
	ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	[ -e "$ROOT/10m" ] || make_file "$ROOT/10m" 10000000
	topo_up
}

own_loopback() { SHIM_OPTS+=(--loopback stack); }

# open_to_us ADDRESS PORT: a program of ours can connect there.
open_to_us() { wait_for "[ \"\$(connect_errno shim $1 $2)\" = OK ]" 15; }

fetch_10m() {
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$1/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
}

@test "TCP over 127.0.0.1 in our stack" {
	own_loopback
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8001
	open_to_us 127.0.0.1 8001
	fetch_10m 127.0.0.1:8001
	fetch_10m localhost:8001
}

@test "127.0.0.1 in our stack is not the kernel's" {
	needs_product
	own_loopback
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8002
	open_to_us 127.0.0.1 8002
	assert_eq "$(connect_errno on_us 127.0.0.1 8002)" ECONNREFUSED
	start_daemon us "$PYTHON" -u -m http.server -d "$ROOT" 8003
	wait_port us 8003
	assert_eq "$(connect_errno shim 127.0.0.1 8003)" ECONNREFUSED
}

@test "our own address, server and client on one host" {
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8004
	open_to_us "$US" 8004
	fetch_10m "$US:8004"
}

@test "our own address with --loopback stack" {
	own_loopback
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8005
	open_to_us "$US" 8005
	fetch_10m "$US:8005"
}

@test "UDP over 127.0.0.1 in our stack" {
	own_loopback
	run shim "$PYTHON" -c '
import os, socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(("127.0.0.1", 5001))
a.settimeout(5)
for n in (1, 1500, 65507):
    sent = os.urandom(n)
    b.sendto(sent, ("127.0.0.1", 5001))
    got, who = a.recvfrom(65536)
    assert got == sent, n
    assert who[0] == "127.0.0.1", who
print("whole")'
	assert_status 0
	assert_eq "$output" whole
}

@test "one process talks to itself" {
	own_loopback
	run shim "$PYTHON" -c '
import socket
l = socket.create_server(("127.0.0.1", 5002))
c = socket.create_connection(("127.0.0.1", 5002))
s, who = l.accept()
assert who == c.getsockname() and s.getsockname() == c.getpeername()
c.sendall(b"ping")
assert s.recv(4, socket.MSG_WAITALL) == b"ping"
s.sendall(b"pong")
s.close()
print(c.makefile("rb").read())'
	assert_status 0
	assert_eq "$output" "b'pong'"
}

@test "a closed port on 127.0.0.1 refuses" {
	own_loopback
	assert_eq "$(connect_errno shim 127.0.0.1 5999)" ECONNREFUSED
}

@test "without the option a program reaches the kernel's servers on 127.0.0.1" {
	start_daemon us "$PYTHON" -u -m http.server -d "$ROOT" 8006
	wait_port us 8006
	fetch_10m 127.0.0.1:8006
}

@test "without the option a server on 127.0.0.1 serves the kernel's clients" {
	start_bg server shim "$PYTHON" -u -m http.server -b 127.0.0.1 -d "$ROOT" 8007
	wait_port us 8007
	on_us curl -sS -o "$BATS_TEST_TMPDIR/got" "http://127.0.0.1:8007/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
}
