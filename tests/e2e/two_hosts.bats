#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Two hosts of ours on one cable: no kernel stack anywhere between the two programs

load helper

TWO=10.77.0.3
SHIM_OPTS=(--dev us0 --addr "$US/24" --capture "$CAPTURE")
SHIM2_OPTS=(--dev two0 --addr "$TWO/24" --capture "$BATS_FILE_TMPDIR/two.pcapng")

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo hello >"$ROOT/hello"
	make_file "$ROOT/20m" 20000000
	topo_down
	netns_add us
	netns_add two
	ip link add us0 netns us type veth peer name two0 netns two
	ip -n us link set us0 up
	ip -n two link set two0 up
	kernel_address us us0 "$US/24"
	kernel_address two two0 "$TWO/24"
}

@test "curl here, http.server there" {
	start_bg server shim2 "$PYTHON" -u -m http.server -d "$ROOT" 8001
	wait_for '[ "$(shim curl -sS --connect-timeout 2 http://$TWO:8001/hello 2>/dev/null)" = hello ]'
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$TWO:8001/20m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
}

@test "nc both ways over one connection" {
	STDIN=$ROOT/20m start_bg server shim2 nc -N -l 8002
	shim socat - "TCP4:$TWO:8002,retry=200,interval=0.05" <"$ROOT/20m" >"$BATS_TEST_TMPDIR/got"
	wait_bg server
	cmp "$(out server)" "$ROOT/20m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
}

@test "UDP echo in every size" {
	start_bg server shim2 socat -b 65536 UDP4-RECVFROM:5001,fork PIPE
	run shim "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
def echo(sent):
    for _ in range(100):
        s.sendto(sent, (sys.argv[1], 5001))
        try:
            return s.recv(65536)
        except socket.timeout:
            pass
assert echo(b"ready") == b"ready"
s.settimeout(5)
for n in (1, 1472, 1473, 9000, 65507):
    sent = os.urandom(n)
    s.sendto(sent, (sys.argv[1], 5001))
    while True:
        got = s.recv(65536)
        if got != b"ready":
            break
    assert got == sent, n
print("whole")' "$TWO"
	assert_status 0
	assert_eq "$output" whole
}

@test "a closed port refuses" {
	start_bg holder shim2 nc -l 8003
	wait_for '[ "$(connect_errno shim $TWO 8099)" = ECONNREFUSED ]'
}

@test "simultaneous open" {
	local side='
import socket, sys
me, port, other = sys.argv[1], int(sys.argv[2]), (sys.argv[3], int(sys.argv[4]))
for _ in range(2000):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(5)
    s.bind((me, port))
    try:
        s.connect(other)
        break
    except OSError:
        s.close()
s.sendall(me.encode())
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())'

	start_bg there shim2 "$PYTHON" -c "$side" "$TWO" 7001 "$US" 7002
	start_bg here shim "$PYTHON" -c "$side" "$US" 7002 "$TWO" 7001
	wait_bg here
	wait_bg there
	assert_eq "$(cat "$(out here)")" "$TWO"
	assert_eq "$(cat "$(out there)")" "$US"
}

@test "the same address a second time on the cable is refused" {
	needs_product
	start_bg holder shim2 nc -l 8004
	wait_for '[ "$(connect_errno shim $TWO 8099)" = ECONNREFUSED ]'
	run --separate-stderr on_us "$WIRESHIM" run --dev us0 --addr "$TWO/24" -- true
	assert_status 2
	assert_match "$stderr" "$TWO"
	assert_eq "$(connect_errno shim "$TWO" 8099)" ECONNREFUSED
}
