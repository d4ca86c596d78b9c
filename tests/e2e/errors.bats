#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What goes wrong on a network, and the errno that a program sees: Linux's own

load helper

setup() {
	ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	[ -e "$ROOT/10m" ] || make_file "$ROOT/10m" 10000000
	[ -e "$ROOT/50m" ] || make_file "$ROOT/50m" 50000000
	topo_up
}

@test "refused: ECONNREFUSED, curl says 7" {
	assert_eq "$(connect_errno shim "$PEER" 9)" ECONNREFUSED
	run shim curl -sS "http://$PEER:9/"
	assert_status 7
}

@test "nobody has the address: EHOSTUNREACH within seconds, curl says 7" {
	local start=$SECONDS

	assert_eq "$(connect_errno shim 10.77.0.99 80)" EHOSTUNREACH
	[ $((SECONDS - start)) -le 6 ]
	run shim curl -sS http://10.77.0.99/
	assert_status 7
}

@test "no route: ENETUNREACH" {
	if is_baseline; then
		ip -n us route del default
	fi
	SHIM_OPTS=(--dev us0 --addr "$US/24")
	assert_eq "$(connect_errno shim 192.0.2.1 80)" ENETUNREACH
	run shim "$PYTHON" -c '
import errno, socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 80))
except OSError as e:
    print(errno.errorcode[e.errno])'
	assert_eq "$output" ENETUNREACH
}

@test "no answer at all: curl's own timeout, 28" {
	# The peer does not forward: it is silent about 10.98.0.1.
	on_peer sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	run shim curl -sS --connect-timeout 1 http://10.98.0.1/
	assert_status 28
}

@test "no answer at all: ETIMEDOUT after the last SYN" {
	on_peer sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	run shim "$PYTHON" -c '
import errno, socket
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
e = s.connect_ex(("10.98.0.1", 80))
print(errno.errorcode[e])'
	assert_status 0
	assert_eq "$output" ETIMEDOUT
}

@test "a router says that the host is unreachable: EHOSTUNREACH" {
	on_peer sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip -n peer route add unreachable 10.98.0.1
	assert_eq "$(connect_errno shim 10.98.0.1 80)" EHOSTUNREACH
}

@test "a router says that it is prohibited: EHOSTUNREACH" {
	on_peer sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip -n peer route add prohibit 10.98.0.2
	assert_eq "$(connect_errno shim 10.98.0.2 80)" EHOSTUNREACH
}

@test "the server is killed in the middle of a download: curl says 18 or 56" {
	start_bg server on_peer "$PYTHON" -c '
import socket
c, _ = socket.create_server(("", 8001)).accept()
c.recv(1000)
c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(1000000))
c.recv(1)'
	wait_port peer 8001
	start_bg client shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER:8001/"
	wait_for '[ -s "$BATS_TEST_TMPDIR/got" ]'
	stop_bg server KILL
	wait_bg client
	assert_match "$status" '^(18|56)$'
}

@test "the server is killed with our data unread: ECONNRESET" {
	start_bg server on_peer "$PYTHON" -u -c '
import signal, socket
c, _ = socket.create_server(("", 8002)).accept()
signal.pause()'
	wait_port peer 8002
	start_bg client shim "$PYTHON" -u -c '
import errno, socket, sys
s = socket.create_connection((sys.argv[1], 8002))
s.sendall(b"never read")
try:
    print(s.recv(1))
except OSError as e:
    print(errno.errorcode[e.errno])' "$PEER"
	wait_for 'nsenter --net=/run/netns/peer ss -Htn "sport = :8002" | grep -q "ESTAB *10 "'
	stop_bg server KILL
	wait_bg client
	assert_eq "$(cat "$(out client)")" ECONNRESET
}

@test "sending into a reset connection: ECONNRESET, then EPIPE and SIGPIPE" {
	start_bg server on_peer "$PYTHON" -c '
import socket, struct
c, _ = socket.create_server(("", 8003)).accept()
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()'
	wait_port peer 8003
	run shim "$PYTHON" -c '
import errno, select, signal, socket, sys
s = socket.create_connection((sys.argv[1], 8003))
p = select.poll()
p.register(s, select.POLLIN)
got = p.poll(5000)[0][1]
print(got & select.POLLERR != 0, got & select.POLLHUP != 0)
for _ in range(2):
    try:
        s.send(b"x")
    except OSError as e:
        print(errno.errorcode[e.errno])
signal.signal(signal.SIGPIPE, lambda *_: print("SIGPIPE"))
try:
    s.send(b"x")
except OSError as e:
    print(errno.errorcode[e.errno])' "$PEER"
	assert_status 0
	assert_eq "$output" "True True
ECONNRESET
EPIPE
SIGPIPE
EPIPE"
}

@test "reset in the same moment as connected: connect() succeeds, the next call says ECONNRESET" {
	needs_product # Linux itself may wake the caller too late
	# 10.77.0.66 is this program: it answers the SYN with SYN,ACK and RST while the host is stopped, which finds both.
	start_bg server on_peer "$PYTHON" -u -c '
import os, signal, socket, struct, subprocess
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("peer0", 0))
mac, me = s.getsockname()[4], bytes([10, 77, 0, 66])
print("ready")
def checksum(b):
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    return 0xffff - (n % 0xffff or 0xffff) if n else 0xffff
def tcp(frame, seq, ack, flags):
    ports = frame[36:38] + frame[34:36]
    head = struct.pack("!IIBBHHH", seq, ack, 0x50, flags, 8000, 0, 0)
    pseudo = me + frame[26:30] + struct.pack("!HH", 6, 20)
    head = ports + head[:12] + struct.pack("!H", checksum(pseudo + ports + head)) + head[14:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + me + frame[26:30]
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    s.send(frame[6:12] + mac + b"\x08\x00" + ip + head)
while True:
    f = s.recv(2000)
    if f[12:14] == b"\x08\x06" and f[21] == 1 and f[38:42] == me:
        s.send(f[6:12] + mac + f[12:21] + b"\x02" + mac + me + f[22:32])
    elif f[12:14] == b"\x08\x00" and f[23] == 6 and f[30:34] == me and f[47] & 2:
        host = int(subprocess.check_output(["pgrep", "-f", "^wireshim host"]))
        seq = struct.unpack("!I", f[38:42])[0]
        os.kill(host, signal.SIGSTOP)
        tcp(f, 1000, seq + 1, 0x12)
        tcp(f, 1001, seq + 1, 0x14)
        os.kill(host, signal.SIGCONT)'
	wait_for 'grep -q ready "$(out server)"'
	run shim "$PYTHON" -c '
import errno, socket
s = socket.socket()
print(s.connect_ex(("10.77.0.66", 80)))
try:
    s.send(b"x")
except OSError as e:
    print(errno.errorcode[e.errno])'
	assert_status 0
	assert_eq "$output" "0
ECONNRESET"
}

@test "a program that dies by kill -9 leaves no connection on the peer" {
	start_bg server on_peer socat -u TCP4-LISTEN:8004,reuseaddr -
	wait_port peer 8004
	start_bg client shim "$PYTHON" -u -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 8004))
s.sendall(b"hello")
s.recv(1)' "$PEER"
	wait_for 'grep -q hello "$(out server)"'
	stop_bg client KILL
	wait_bg server
	assert_status 0
}

# settled COMMAND: its output is not empty and stays the same for 300 ms.
settled() {
	local before after

	before=$("$@")
	read -rt 0.3 -u "$NEVER" || true
	after=$("$@")
	[ -n "$before" ] && [ "$before" = "$after" ]
}
peer_send_queue() { nsenter --net=/run/netns/peer ss -Htn "dst $US" | awk '$3 > 0 { print $3; exit }'; }
bytes_read_by() { sed -n 's/^pos:[[:space:]]*//p' "/proc/$1/fdinfo/0"; }

@test "the link goes down and comes up in the middle of a download: it goes on" {
	local gate=$BATS_TEST_TMPDIR/gate

	mkfifo "$gate"
	start_bg server on_peer socat "FILE:$ROOT/10m" TCP4-LISTEN:8005,reuseaddr
	wait_port peer 8005
	start_bg client shim "$PYTHON" -c '
import hashlib, socket, sys
s = socket.create_connection((sys.argv[1], 8005))
data = s.recv(1000000, socket.MSG_WAITALL)
open(sys.argv[2]).read()
print(hashlib.sha256(data + s.makefile("rb").read()).hexdigest())' "$PEER" "$gate"
	exec {opened}>"$gate"
	ip -n us link set us0 down
	exec {opened}>&-
	wait_for 'settled peer_send_queue'
	ip -n us link set us0 up
	wait_bg client
	assert_eq "$(cat "$(out client)")" "$(sha256 "$ROOT/10m")"
}

@test "the cable is out for a moment while we send: it goes on" {
	local writer body

	start_sink peer 8006
	mkfifo "$BATS_TEST_TMPDIR/body"
	STDIN=$BATS_TEST_TMPDIR/body start_bg client shim curl -sS -T - "http://$PEER:8006/"
	exec {body}>"$BATS_TEST_TMPDIR/body"
	head -c 3000000 "$ROOT/50m" >&"$body"
	ip -n peer link set peer0 down
	cat <"$ROOT/50m" >&"$body" 3>&- &
	writer=$!
	wait_for "settled bytes_read_by $writer"
	ip -n peer link set peer0 up
	exec {body}>&-
	wait "$writer"
	wait_bg client
	assert_eq "$(cat "$(out client)")" "$(cat <(head -c 3000000 "$ROOT/50m") "$ROOT/50m" | sha256)"
}

@test "an option that is not there fails with ENOPROTOOPT, and status counts it by name" {
	needs_product
	run shim "$PYTHON" -c '
import errno, socket, subprocess, sys
s = socket.socket()
for _ in range(3):
    try:
        s.setsockopt(socket.IPPROTO_TCP, 4711, 1)
    except OSError as e:
        print(errno.errorcode[e.errno])
print(subprocess.run([sys.argv[1], "status"], capture_output=True, text=True).stdout)' "$WIRESHIM"
	assert_status 0
	assert_match "$output" $'^ENOPROTOOPT\nENOPROTOOPT\nENOPROTOOPT\n'
	assert_match "$output" $'options asked for that are not there:\n  level 6 option 4711 3$'
}
