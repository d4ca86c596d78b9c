#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# TCP between a program of ours and the kernel: closing in halves, windows that close, both directions at once

load helper

setup_file() {
	export DATA=$BATS_FILE_TMPDIR/data
	make_file "$DATA" 20000000
	topo_up
}

# The peer's timer on its connections with us, as ss names it: persist means that our window is closed.
peer_timer() { nsenter --net=/run/netns/peer ss -Htno "dst $US" | grep -q "timer:($1"; }

@test "half-close: the answer comes after our FIN" {
	start_bg server on_peer socat -t 30 TCP4-LISTEN:4001,reuseaddr EXEC:sha256sum
	wait_port peer 4001
	run shim nc -N "$PEER" 4001 <"$DATA"
	assert_status 0
	assert_eq "${output%% *}" "$(sha256 "$DATA")"
}

@test "the peer closes first, we still send" {
	start_bg server on_peer "$PYTHON" -c '
import hashlib, socket
l = socket.create_server(("0.0.0.0", 4002))
c, _ = l.accept()
c.sendall(b"hello\n")
c.shutdown(socket.SHUT_WR)
print(hashlib.sha256(c.makefile("rb").read()).hexdigest())'
	wait_port peer 4002
	run shim "$PYTHON" -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 4002))
print(s.makefile("rb").read())
s.sendall(open(sys.argv[2], "rb").read())
s.close()' "$PEER" "$DATA"
	assert_status 0
	assert_eq "$output" "b'hello\\n'"
	wait_bg server
	assert_eq "$(cat "$(out server)")" "$(sha256 "$DATA")"
}

@test "both directions at once" {
	# Pieces of PIPE_BUF: what select() calls writable takes them; a larger one can block socat on its own pipe.
	start_bg server on_peer socat -b 4096 TCP4-LISTEN:4003,reuseaddr PIPE
	wait_port peer 4003
	assert_eq "$(shim socat -t 30 - "TCP4:$PEER:4003" <"$DATA" | sha256)" "$(sha256 "$DATA")"
}

@test "our window closes and opens again" {
	local gate=$BATS_TEST_TMPDIR/gate reader opened

	mkfifo "$gate"
	start_bg server on_peer socat -u "FILE:$DATA" TCP4-LISTEN:4004,reuseaddr
	wait_port peer 4004
	# The consumer reads nothing before the gate opens: the pipe fills, then our receive buffer. We hold the gate open,
	# so that the consumer does not outlive a test that fails before.
	exec {opened}<>"$gate"
	(exec {opened}>&-; shim socat -u "TCP4:$PEER:4004" - | { read -r _ <"$gate"; sha256sum >"$BATS_TEST_TMPDIR/sum"; }) 3>&- &
	reader=$!
	wait_for 'peer_timer persist' 20
	echo go >"$gate"
	wait "$reader"
	assert_eq "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/sum")" "$(sha256 "$DATA")"
}

@test "the peer's window closes and opens again" {
	local gate=$BATS_TEST_TMPDIR/gate writer

	mkfifo "$gate"
	start_bg server on_peer bash -c "
		socat -u TCP4-LISTEN:4005,reuseaddr - | { read -r _ <'$gate'; sha256sum; }"
	wait_port peer 4005
	shim socat -u "FILE:$DATA" "TCP4:$PEER:4005" 3>&- &
	writer=$!
	# The kernel's receive queue stops growing once its window is closed.
	wait_for 'queue_is_stuck' 20
	echo go >"$gate"
	wait "$writer"
	wait_bg server
	assert_eq "$(cut -d' ' -f1 "$(out server)")" "$(sha256 "$DATA")"
}

# The kernel's receive queue on the peer is not empty and did not change within 300 ms.
queue_is_stuck() {
	local before after

	before=$(peer_queue)
	read -rt 0.3 -u "$NEVER" || true
	after=$(peer_queue)
	[ "${before:-0}" -gt 0 ] && [ "$before" = "$after" ]
}
peer_queue() { nsenter --net=/run/netns/peer ss -Htn "dst $US" | awk '{ print $2; exit }'; }

@test "many small writes arrive in order" {
	start_bg server on_peer socat -u TCP4-LISTEN:4006,reuseaddr -
	wait_port peer 4006
	shim "$PYTHON" -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 4006))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for i in range(5000):
    s.send(b"%d\n" % i)' "$PEER"
	wait_bg server
	assert_eq "$(sha256 "$(out server)")" "$(seq 0 4999 | sha256)"
}

@test "two hundred connections open at the same time" {
	start_bg server on_peer socat TCP4-LISTEN:4007,reuseaddr,fork,backlog=256 PIPE
	wait_port peer 4007
	run shim "$PYTHON" -c '
import socket, sys
all = [socket.create_connection((sys.argv[1], 4007)) for _ in range(200)]
for i, s in enumerate(all):
    s.sendall(b"%04d" % i)
for i, s in enumerate(all):
    got = s.recv(4, socket.MSG_WAITALL)
    assert got == b"%04d" % i, (i, got)
print(len({s.getsockname() for s in all}))' "$PEER"
	assert_status 0
	assert_eq "$output" 200
}

@test "non-blocking connect, readiness by poll" {
	start_bg server on_peer socat TCP4-LISTEN:4008,reuseaddr,fork PIPE
	wait_port peer 4008
	run shim "$PYTHON" -c '
import errno, select, socket, sys
s = socket.socket()
s.setblocking(False)
e = s.connect_ex((sys.argv[1], 4008))
assert e == errno.EINPROGRESS, e
p = select.poll()
p.register(s, select.POLLOUT | select.POLLIN)
assert p.poll(5000) == [(s.fileno(), select.POLLOUT)]
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
assert s.connect_ex((sys.argv[1], 4008)) in (0, errno.EISCONN)
try:
    s.recv(1)
except BlockingIOError:
    pass
s.send(b"x")
p.modify(s, select.POLLIN)
assert p.poll(5000) == [(s.fileno(), select.POLLIN)]
print(s.recv(10))' "$PEER"
	assert_status 0
	assert_eq "$output" "b'x'"
}

@test "names of both ends, options read back" {
	start_bg server on_peer socat TCP4-LISTEN:4009,reuseaddr,fork PIPE
	wait_port peer 4009
	run shim "$PYTHON" -c '
import socket, sys
s = socket.socket()
s.bind(("0.0.0.0", 5009))
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 33)
s.connect((sys.argv[1], 4009))
print(s.getsockname(), s.getpeername())
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
      s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM,
      s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
try:
    s.setsockopt(socket.IPPROTO_TCP, 9999, 1)
except OSError as e:
    print(e.errno)' "$PEER"
	assert_status 0
	assert_eq "$output" "('$US', 5009) ('$PEER', 4009)
1 33 True 0
92"
}

@test "IP_PKTOPTIONS tells where a client came in" {
	start_bg server shim "$PYTHON" -u -c '
import errno, socket, struct
s = socket.create_server(("", 8090))
c, _ = s.accept()
print(len(c.getsockopt(0, 9, 100)))
c.setsockopt(0, 8, 1)
size, level, kind, index, spec, addr = struct.unpack("@Liii4s4s", c.getsockopt(0, 9, 100)[:28])
print(size, level, kind, index > 0, socket.inet_ntoa(spec), socket.inet_ntoa(addr))
try:
    socket.socket(type=socket.SOCK_DGRAM).getsockopt(0, 9, 100)
except OSError as e:
    print(errno.errorcode[e.errno])'
	on_peer socat -u /dev/null "TCP4:$US:8090,retry=200,interval=0.05"
	wait_bg server
	assert_eq "$(cat "$(out server)")" "0
28 0 8 True $US $US
ENOPROTOOPT"
}
