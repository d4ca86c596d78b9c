#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Names, resolved through our stack by the server that --dns names; /etc/resolv.conf leads nowhere

load helper

setup_file() {
	local txt

	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo by-name >"$ROOT/index.html"
	txt=$(printf 'x%.0s' {1..200})
	topo_up
	start_nginx "$ROOT"
	start_daemon peer dnsmasq -d -p 53 --no-resolv --no-hosts --conf-file=/dev/null --local=/test/ --local-ttl=60 \
		--host-record="www.test,$PEER" --host-record="many.test,10.77.0.11" --host-record="many.test,10.77.0.12" \
		--cname=alias.test,www.test --txt-record="long.test,$txt,$txt,$txt,$txt,$txt,$txt,$txt" --edns-packet-max=512
	wait_port peer 53 udp
	wait_port peer 53
}

@test "curl by name" {
	run shim curl -sS http://www.test/
	assert_status 0
	assert_eq "$output" by-name
}

@test "curl by an alias" {
	run shim curl -sS http://alias.test/
	assert_status 0
	assert_eq "$output" by-name
}

@test "curl with a name that does not exist" {
	run shim curl -sS http://nowhere.test/
	assert_status 6
}

@test "getent finds a name" {
	run shim getent ahostsv4 www.test
	assert_status 0
	assert_match "$output" "^$PEER +STREAM"
}

@test "getent hosts, by name and by address" {
	run shim getent hosts www.test
	assert_status 0
	assert_match "$output" "^$PEER +www\.test"
	run shim getent hosts "$PEER"
	assert_status 0
	assert_match "$output" "^$PEER +www\.test"
}

@test "getent and a name that does not exist" {
	run shim getent ahostsv4 nowhere.test
	assert_status 2
	assert_eq "$output" ''
}

@test "python sees all addresses of a name, the canonical name, and the address behind it" {
	run shim "$PYTHON" -c '
import socket
print(socket.gethostbyname("www.test"))
print(sorted({i[4][0] for i in socket.getaddrinfo("many.test", 80, socket.AF_INET, socket.SOCK_STREAM)}))
print(socket.getaddrinfo("alias.test", 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_CANONNAME)[0][3])
print(socket.getnameinfo(("10.77.0.1", 80), 0)[0])
print(socket.getnameinfo(("10.77.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV))
try:
    socket.getaddrinfo("nowhere.test", 80)
except socket.gaierror as e:
    print(e.errno == socket.EAI_NONAME)'
	assert_status 0
	assert_eq "$output" "$PEER
['10.77.0.11', '10.77.0.12']
www.test
www.test
('$PEER', '80')
True"
}

@test "numeric addresses and local names need no server" {
	run shim "$PYTHON" -c '
import socket
print(socket.gethostbyname("10.1.2.3"))
print(socket.getaddrinfo("127.0.0.1", "http", socket.AF_INET, socket.SOCK_STREAM)[0][4])
print(socket.gethostbyname("localhost"))
print(socket.getaddrinfo(None, 80, socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4])'
	assert_status 0
	assert_eq "$output" "10.1.2.3
('127.0.0.1', 80)
127.0.0.1
('0.0.0.0', 80)"
}

@test "dig over UDP" {
	run shim dig +short +tries=1 "@$PEER" www.test A
	assert_status 0
	assert_eq "$output" "$PEER"
}

@test "dig over TCP" {
	run shim dig +short +tcp +tries=1 "@$PEER" www.test A
	assert_status 0
	assert_eq "$output" "$PEER"
}

@test "dig: an answer too long for UDP is asked for over TCP" {
	run shim dig +tries=1 "@$PEER" long.test TXT
	assert_status 0
	assert_match "$output" 'Truncated, retrying in TCP mode'
	assert_match "$output" 'xxxxxxxxxxxxxxxx'
}

@test "dig at a server that is not there" {
	run shim dig +tries=1 +time=1 -p 54 "@$PEER" www.test A
	assert_status 9
}
