#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# UDP: echo both ways, every size up to the largest, errors, broadcast

load helper

setup_file() {
	topo_up
	start_daemon peer socat -b 65536 UDP4-RECVFROM:7,fork PIPE
	wait_port peer 7 udp
}

@test "nc -u gets its echo" {
	mkfifo "$BATS_TEST_TMPDIR/in"
	STDIN=$BATS_TEST_TMPDIR/in start_bg nc shim nc -u "$PEER" 7
	exec {input}>"$BATS_TEST_TMPDIR/in"
	echo hello >&"$input"
	wait_for 'grep -q hello "$(out nc)"'
	exec {input}>&-
}

@test "socat gets its echo" {
	run shim socat -t 2 - "UDP4:$PEER:7" <<<hello
	assert_status 0
	assert_eq "$output" hello
}

@test "every size comes back whole, fragmented where it must be" {
	run shim "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for n in (0, 1, 2, 100, 1471, 1472, 1473, 2960, 2961, 8191, 9000, 32768, 65506, 65507):
    sent = os.urandom(n)
    assert s.sendto(sent, (sys.argv[1], 7)) == n
    if n:    # the echo server takes an empty datagram for the end
        got, who = s.recvfrom(65536)
        assert got == sent, (n, len(got))
        assert who == (sys.argv[1], 7), who
print("whole")' "$PEER"
	assert_status 0
	assert_eq "$output" whole
}

@test "an empty datagram arrives as such" {
	start_bg server on_peer "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5001))
for _ in range(2):
    print(s.recvfrom(10)[0])'
	wait_port peer 5001 udp
	shim "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"", (sys.argv[1], 5001))
s.sendto(b"x", (sys.argv[1], 5001))' "$PEER"
	wait_bg server
	assert_eq "$(cat "$(out server)")" "$(printf "b''\nb'x'")"
}

@test "one byte too many is EMSGSIZE" {
	run shim "$PYTHON" -c '
import errno, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    s.sendto(bytes(65508), (sys.argv[1], 7))
except OSError as e:
    print(errno.errorcode[e.errno])' "$PEER"
	assert_status 0
	assert_eq "$output" EMSGSIZE
}

@test "a datagram longer than the buffer is cut, and says so" {
	run shim "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.sendto(b"0123456789", (sys.argv[1], 7))
data, _, flags, who = s.recvmsg(4)
print(data, flags & socket.MSG_TRUNC != 0, who)
s.sendto(b"next", (sys.argv[1], 7))
print(s.recv(100))' "$PEER"
	assert_status 0
	assert_eq "$output" "b'0123' True ('$PEER', 7)
b'next'"
}

@test "a server of ours answers the kernel's clients" {
	start_bg server shim socat -b 65536 UDP4-RECVFROM:5002,fork PIPE
	wait_for '[ "$(on_peer socat -t 0.3 - UDP4:$US:5002 <<<ready 2>/dev/null)" = ready ]'
	run on_peer "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
for n in (1, 1472, 1473, 5000, 65507):
    sent = os.urandom(n)
    s.sendto(sent, (sys.argv[1], 5002))
    got, who = s.recvfrom(65536)
    assert got == sent, (n, len(got))
    assert who == (sys.argv[1], 5002), who
print("whole")' "$US"
	assert_status 0
	assert_eq "$output" whole
}

@test "a closed port is ECONNREFUSED for the connected socket" {
	run shim "$PYTHON" -c '
import errno, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 5999))
s.send(b"x")
try:
    s.recv(1)
except OSError as e:
    print(errno.errorcode[e.errno])' "$PEER"
	assert_status 0
	assert_eq "$output" ECONNREFUSED
}

@test "the kernel's client learns of our closed port" {
	start_bg holder shim nc -u -l 5003
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	run on_peer "$PYTHON" -c '
import errno, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], 5998))
s.send(b"x")
try:
    s.recv(1)
except OSError as e:
    print(errno.errorcode[e.errno])' "$US"
	assert_status 0
	assert_eq "$output" ECONNREFUSED
}

@test "a connected socket hears only its peer" {
	start_bg peer on_peer "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5005))
_, who = s.recvfrom(100)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"stranger", who)
s.sendto(b"friend", who)'
	wait_port peer 5005 udp
	run shim "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5004))
s.settimeout(20)
s.connect((sys.argv[1], 5005))
s.send(b"start")
print(s.recv(100))' "$PEER"
	assert_status 0
	assert_eq "$output" "b'friend'"
}

@test "two sockets cannot bind one port; SO_REUSEADDR lets UDP share it" {
	run shim "$PYTHON" -c '
import errno, socket
def bound(reuse):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    s.bind(("0.0.0.0", 5006 + reuse))
    return s
a = bound(0)
try:
    bound(0)
except OSError as e:
    print(errno.errorcode[e.errno])
b, c = bound(1), bound(1)
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("10.77.0.200", 5008))
except OSError as e:
    print(errno.errorcode[e.errno])'
	assert_status 0
	assert_eq "$output" "EADDRINUSE
EADDRNOTAVAIL"
}

@test "broadcast asks for SO_BROADCAST and reaches the peer" {
	start_bg server on_peer "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5009))
for _ in range(2):
    print(s.recvfrom(100))'
	wait_port peer 5009 udp
	run shim "$PYTHON" -c '
import errno, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5010))
try:
    s.sendto(b"x", ("10.77.0.255", 5009))
except OSError as e:
    print(errno.errorcode[e.errno])
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.sendto(b"subnet", ("10.77.0.255", 5009))
s.sendto(b"all", ("255.255.255.255", 5009))'
	assert_status 0
	assert_eq "$output" EACCES
	wait_bg server
	assert_eq "$(cat "$(out server)")" "(b'subnet', ('$US', 5010))
(b'all', ('$US', 5010))"
}
