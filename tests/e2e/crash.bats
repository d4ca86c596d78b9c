#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Sudden ends: of the host, of a program, of its descriptors. Nothing hangs, and no truncated transfer looks complete

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	make_file "$ROOT/20m" 20000000
	topo_up
	on_peer sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	start_http peer "$ROOT" 8080
	start_daemon peer socat TCP4-LISTEN:8000,fork,reuseaddr PIPE
	start_daemon peer socat TCP4-LISTEN:8001,fork,reuseaddr,ignoreeof EXEC:'sleep 1000',nofork
	wait_port peer 8000
	wait_port peer 8001
}

setup() { PROGS=$BATS_TEST_DIRNAME/progs; }

host_pid() { wireshim status | sed -n 's/^host .*, pid \([0-9]*\).*/\1/p'; }

@test "the host is killed: each call in progress fails with ENETDOWN, one line says why; new sockets get a new host" {
	local state

	needs_product
	start_bg recv shim "$PYTHON" "$PROGS/states.py" recv "$PEER" 8000
	start_bg send shim "$PYTHON" "$PROGS/states.py" send "$PEER" 8001
	start_bg idle shim "$PYTHON" "$PROGS/states.py" idle "$PEER" 8001
	start_bg accept shim "$PYTHON" "$PROGS/states.py" accept "$PEER" 8011
	start_bg connect shim "$PYTHON" "$PROGS/states.py" connect "$PEER" 8000
	start_bg udp shim "$PYTHON" "$PROGS/states.py" udp "$PEER" 8012
	for state in recv send idle accept connect udp; do
		wait_for "grep -q up '$(out "$state")'"
	done
	wait_for '[ "$(peer_queue)" -gt 100000 ]'
	kill -KILL "$(host_pid)"
	for state in recv send idle accept connect udp; do
		wait_bg "$state"
		assert_eq "$(tr '\n' ' ' <"$(out "$state")")" "up ENETDOWN ENETDOWN new 1 " "$state"
		assert_match "$(cat "$(err "$state")")" "^wireshim[^ ]* host [^ ]*d/us0/$US is gone: its sockets are dead$" "$state"
	done
	# The address is free: a new host is there at once.
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER:8080/20m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
}
# What waits at the peer for the program that reads nothing there.
peer_queue() { nsenter --net=/run/netns/peer ss -Htn "sport = :8001" | awk '{ s += $2 } END { print s + 0 }'; }

@test "a program is killed: the peer gets FIN, or RST where data was lost" {
	local state

	start_bg peer on_peer "$PYTHON" -u -c '
import errno, socket, sys
names = {}
l = socket.create_server(("", 8020), backlog=16)
print("up")
conns = {}
while len(conns) < 3:
    c, _ = l.accept()
    conns[c.recv(10).decode().strip()] = c
conns["unread"].sendall(b"never read")
print("all")
sys.stdout.flush()
for name in sorted(conns):
    n = 0
    try:
        while got := conns[name].recv(1 << 20):
            n += len(got)
        print(name, "FIN", n % 1000)
    except OSError as e:
        print(name, errno.errorcode[e.errno])'
	wait_for 'grep -q up "$(out peer)"'
	for state in idle unread sending; do
		start_bg "$state" shim "$PYTHON" -c '
import socket, sys, time
s = socket.create_connection((sys.argv[1], 8020))
s.sendall(sys.argv[2].encode().ljust(10))
if sys.argv[2] == "unread":
    s.recv(1, socket.MSG_PEEK)
if sys.argv[2] == "sending":
    s.sendall(bytes(50000))
print("up", flush=True)
time.sleep(1000)' "$PEER" "$state"
	done
	for state in idle unread sending; do
		wait_for "grep -q up '$(out "$state")'"
	done
	wait_for 'grep -q all "$(out peer)"'
	for state in idle unread sending; do
		stop_bg "$state" KILL
	done
	wait_bg peer
	assert_eq "$(tail -n +3 "$(out peer)")" $'idle FIN 0\nsending FIN 0\nunread ECONNRESET'
}

@test "a listening program is killed: what waits in its queue is reset, its port refuses" {
	start_bg holder shim nc -lu 8022
	start_bg server shim "$PYTHON" -u -c '
import socket, time
s = socket.create_server(("", 8021))
print("up")
time.sleep(1000)'
	wait_for 'grep -q up "$(out server)"'
	start_bg client on_peer "$PYTHON" -u -c '
import errno, socket, sys
s = socket.create_connection((sys.argv[1], 8021))
print("up")
try:
    print(s.recv(10))
except OSError as e:
    print(errno.errorcode[e.errno])
print(errno.errorcode[socket.socket().connect_ex((sys.argv[1], 8021))])' "$US"
	wait_for 'grep -q up "$(out client)"'
	stop_bg server KILL
	wait_bg client
	assert_eq "$(tail -n +2 "$(out client)")" $'ECONNRESET\nECONNREFUSED'
}

@test "a program ends while it connects: nothing is left of it" {
	start_bg client shim "$PYTHON" -c '
import socket, time
s = socket.socket()
s.setblocking(False)
s.connect_ex(("10.98.0.1", 80))
print("up", flush=True)
time.sleep(1000)'
	wait_for 'grep -q up "$(out client)"'
	stop_bg client KILL
	shim "$PYTHON" -c '
import socket
s = socket.socket()
s.setblocking(False)
s.connect_ex(("10.98.0.1", 80))'
	is_baseline || wait_for '! wireshim status | grep -q SYN-SENT'
}

@test "a stopped program closes its window, disturbs nobody, and goes on" {
	start_bg server on_peer socat -u "FILE:$ROOT/20m" TCP4-LISTEN:8023,reuseaddr
	wait_port peer 8023
	start_bg client shim "$PYTHON" -c '
import hashlib, os, signal, socket, sys
s = socket.create_connection((sys.argv[1], 8023))
digest = hashlib.sha256(s.recv(1000000, socket.MSG_WAITALL))
os.kill(os.getpid(), signal.SIGSTOP)
while got := s.recv(65536):
    digest.update(got)
print(digest.hexdigest())' "$PEER"
	wait_for '[[ $(cat "/proc/${BG[client]}/stat") == *") T "* ]]'
	wait_for window_closed
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER:8080/20m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/20m"
	kill -CONT "${BG[client]}"
	wait_bg client
	assert_status 0
	assert_eq "$(tail -n 1 "$(out client)")" "$(sha256 "$ROOT/20m")"
}
# The peer has more to send and does not get on with it.
window_closed() {
	local before after

	before=$(unsent)
	read -rt 0.1 -u "$NEVER" || true
	after=$(unsent)
	[ "${before:-0}" -gt 0 ] && [ "$before" = "$after" ]
}
unsent() { nsenter --net=/run/netns/peer ss -Htn 'sport = :8023' | awk '{ print $3 }'; }

@test "a program that closes all its descriptors makes new sockets" {
	run shim "$PYTHON" -c '
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
peer = (sys.argv[1], 8000)
def echo(word):
    s = socket.create_connection(peer)
    s.sendall(word)
    return s.recv(100).decode()
saved = os.dup(1)
print(echo(b"one"))
kept = socket.create_connection(peer)
for close in (lambda: libc.syscall(436, 3, 0xffffffff, 0), lambda: libc.closefrom(3), lambda: os.closerange(3, 5000),
              lambda: libc.close_range(3, 0xffffffff, 0)):
    lost = socket.create_connection(peer)
    close()
    lost.detach()
    print(echo(b"again"), flush=True)
kept.detach()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("0.0.0.0", 0))
print(u.getsockname()[1] > 0)' "$PEER"
	assert_status 0
	assert_eq "$output" $'one\nagain\nagain\nagain\nagain\nTrue'
}

@test "dup, dup2 over a socket, fork, exec, socat EXEC: the socket is the same, and ends with its last holder" {
	run shim "$PYTHON" -c '
import os, socket, subprocess, sys
peer = (sys.argv[1], 8000)
def say(s, word):
    s.sendall(word)
    return s.recv(100).decode()
s, t = socket.create_connection(peer), socket.create_connection(peer)
d = s.dup()
s.close()
print(say(d, b"dup"))
os.dup2(d.fileno(), t.fileno())
print(say(t, b"dup2"), t.getpeername() == d.getpeername())
if os.fork() == 0:
    print(say(t, b"child"), flush=True)
    os._exit(0)
os.wait()
print(say(t, b"parent"), flush=True)
a = subprocess.run(["sh", "-c", "echo exec; read x; echo $x >&2"], stdin=t, stdout=t, stderr=2)
t.shutdown(socket.SHUT_WR)
rest = b""
while got := t.recv(100):
    rest += got
print(rest)' "$PEER"
	assert_status 0
	assert_eq "$output" "$(printf '%s\n' dup 'dup2 True' child parent exec "b''")"
	run shim socat "TCP4:$PEER:8000" SYSTEM:'echo from socat; read x; echo "got $x" >&2'
	assert_eq "$output" "got from socat"
}

@test "eight threads connect eight hundred times while others fork and exec" {
	LIMIT=50 run shim "$PYTHON" -c '
import os, socket, subprocess, sys, threading
peer, done = (sys.argv[1], 8000), []
def work(n):
    for i in range(100):
        s = socket.create_connection(peer)
        word = b"%d-%d" % (n, i)
        s.sendall(word)
        assert s.recv(100) == word
        s.close()
    done.append(n)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads:
    t.start()
children = 0
while any(t.is_alive() for t in threads):
    if children % 2:
        pid = os.fork()
        if pid == 0:
            s = socket.create_connection(peer)
            s.sendall(b"x")
            os._exit(s.recv(1) != b"x")
        assert os.waitpid(pid, 0)[1] == 0
    else:
        assert subprocess.run(["true"]).returncode == 0
    children += 1
print(sorted(done), children > 3)' "$PEER"
	assert_status 0
	assert_eq "$output" "[0, 1, 2, 3, 4, 5, 6, 7] True"
}
