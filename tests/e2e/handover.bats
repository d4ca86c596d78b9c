#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Sockets that are handed to the kernel: what the program has done with them before still holds

load helper

setup_file() { topo_up; }

setup() { PROGS=$BATS_TEST_DIRNAME/progs; }

@test "a stream socket keeps number, duplicates, flags, owner, options and epoll registrations" {
	run shim "$PYTHON" "$PROGS/handover.py"
	assert_status 0
	assert_eq "$output" ok
}

@test "a hundred sockets registered before they connect" {
	run shim "$PYTHON" -c '
import select, socket
l = socket.create_server(("127.0.0.1", 0), backlog=200)
ep, made = select.epoll(), []
for _ in range(100):
    s = socket.socket()
    s.setblocking(False)
    ep.register(s, select.EPOLLOUT | select.EPOLLONESHOT)
    s.connect_ex(l.getsockname())
    made.append(s)
up = {}
while len(up) < 100:
    up.update(ep.poll(5))
print(set(up) == {s.fileno() for s in made}, set(up.values()) == {select.EPOLLOUT})'
	assert_status 0
	assert_eq "$output" "True True"
}

@test "a stream socket bound to a port of its own choice keeps it" {
	run shim "$PYTHON" -c '
import socket
l = socket.create_server(("127.0.0.1", 0))
s = socket.socket()
s.bind(("0.0.0.0", 0))
port = s.getsockname()[1]
s.connect(l.getsockname())
print(s.getsockname() == ("127.0.0.1", port), l.accept()[1] == s.getsockname())'
	assert_status 0
	assert_eq "$output" "True True"
}

@test "a datagram socket keeps its port, options and registrations" {
	# Without the rule it would have a twin, and stay.
	WIRESHIM_RULES='kernel remote=127.0.0.0/8' run shim "$PYTHON" -c '
import select, socket
t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
t.bind(("127.0.0.1", 0))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 17)
s.bind(("0.0.0.0", 0))
port = s.getsockname()[1]
ep = select.epoll()
ep.register(s, select.EPOLLIN)
s.sendto(b"x", t.getsockname())
data, who = t.recvfrom(10)
assert who == ("127.0.0.1", port), who
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 1
assert s.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 17
assert not ep.poll(0)
t.sendto(b"y", who)
print(ep.poll(5) == [(s.fileno(), select.EPOLLIN)], s.recv(10))'
	assert_status 0
	assert_eq "$output" "True b'y'"
}

@test "an option that the kernel refuses is said" {
	needs_product
	wireshim stop >/dev/null || true # the host of the test before, which has no log
	WIRESHIM_LOG=warn run --separate-stderr shim setpriv --bounding-set=-net_admin,-net_raw --inh-caps=-net_admin,-net_raw "$PYTHON" -c '
import socket
l = socket.create_server(("127.0.0.1", 0))
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
s.connect(l.getsockname())
print("connected")'
	assert_eq "$output" connected "output, with this on standard error: $stderr"
	assert_match "$stderr" "fd [0-9]+: option 36 of level 1 is lost, the kernel refuses it: Operation not permitted"
}
