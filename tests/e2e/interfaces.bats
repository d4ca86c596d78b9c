#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Interfaces, their addresses and the host's name, as programs ask for them
#
# The referee is a twin: namespace "two" with an interface of the same name, link address, MTU and address that is the
# kernel's own.

load helper

MAC=02:00:00:00:77:02
SHIM_OPTS=(--dev us0 --addr "$US/24" --gateway "$PEER" --dns "$PEER" --mac "$MAC" --mtu 1400 --capture "$CAPTURE")

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo hello >"$ROOT/hello"
	topo_up
	if is_baseline; then
		ip -n us addr flush dev us0
		configure us
	fi
	netns_add two
	ip -n two link add us0 type veth peer name other
	ip -n two link set other netns peer up
	configure two
	"${CC:-gcc}" -O1 -o "$BATS_FILE_TMPDIR/ifaces" "$BATS_TEST_DIRNAME/progs/ifaces.c"
	start_http peer "$ROOT" 8000
}

# configure NS: as the host is configured above.
configure() {
	ip -n "$1" link set us0 address "$MAC" mtu 1400 up
	ip -n "$1" addr add "$US/24" brd + dev us0
}

more_options() { SHIM_OPTS+=("$@"); }
two_options_less() { SHIM_OPTS=("${SHIM_OPTS[@]:0:${#SHIM_OPTS[@]}-2}"); }

# Interfaces that each new namespace has where the kernel's tunnel drivers are loaded.
without_tunnels() { grep -vE '^(nameindex )?(tunl|sit|ip6tnl|gre|gretap|erspan|ip_vti|ip6_vti|ip6gre)0 '; }

@test "all that can be asked: the same lines as from the kernel" {
	local names=(lo us0 us0:1 none "")

	on_two "$BATS_FILE_TMPDIR/ifaces" "${names[@]}" | without_tunnels >"$BATS_TEST_TMPDIR/kernel"
	shim "$BATS_FILE_TMPDIR/ifaces" "${names[@]}" | without_tunnels >"$BATS_TEST_TMPDIR/ours"
	grep -q "ioctl us0 ADDR:.*$US" "$BATS_TEST_TMPDIR/kernel"
	diff -u "$BATS_TEST_TMPDIR/kernel" "$BATS_TEST_TMPDIR/ours"
}

@test "the list without the loopback in our stack is the same as with it" {
	shim "$BATS_FILE_TMPDIR/ifaces" lo | without_tunnels >"$BATS_TEST_TMPDIR/kernel"
	shim_stop
	more_options --loopback stack
	shim "$BATS_FILE_TMPDIR/ifaces" lo | without_tunnels >"$BATS_TEST_TMPDIR/stack"
	diff -u "$BATS_TEST_TMPDIR/kernel" "$BATS_TEST_TMPDIR/stack"
	shim_stop
}

# The next program gets a host of its own.
shim_stop() {
	is_baseline && return
	wireshim stop >/dev/null || true # it may have ended by itself
	wait_for '[ -z "$(ip netns pids us)" ]'
}

@test "python, perl and ifconfig know them" {
	run shim "$PYTHON" -c '
import socket
print([n for i, n in socket.if_nameindex() if n in ("lo", "us0")], socket.if_indextoname(1), socket.if_nametoindex("us0") > 1)
try:
	socket.if_nametoindex("none")
except OSError as e:
	print(type(e).__name__)'
	assert_eq "$output" "$(printf '%s\n' "['lo', 'us0'] lo True" OSError)"
	run shim perl -MSocket -e '
socket(S, AF_INET, SOCK_DGRAM, 0); my $r = pack("a16 x24", "us0");
ioctl(S, 0x8915, $r) or die; my $a = substr $r, 16, 16; print inet_ntoa((unpack_sockaddr_in($a))[1]), "\n"'
	assert_eq "$output" "$US"
	if command -v ifconfig >/dev/null; then
		run shim ifconfig us0
		assert_match "$output" "inet $US +netmask 255.255.255.0 +broadcast 10.77.0.255"
		assert_match "$output" "ether $MAC"
		assert_match "$output" "mtu 1400"
	fi
}

@test "a device that goes down shows it" {
	run shim "$BATS_FILE_TMPDIR/ifaces" us0
	assert_match "$output" "ioctl us0 FLAGS: 1043 "
	start_bg holder shim sleep 60
	ip -n peer link set peer0 down
	# The host hears of it by netlink, in its own time: ask again until it knows.
	wait_for '[[ "$(shim "$BATS_FILE_TMPDIR/ifaces" us0)" == *"ioctl us0 FLAGS: 1003 "* ]]'
	ip -n peer link set peer0 up
	wait_for '[[ "$(shim "$BATS_FILE_TMPDIR/ifaces" us0)" == *"ioctl us0 FLAGS: 1043 "* ]]'
	stop_bg holder
}

@test "a socket that asked may still go to the kernel's loopback" {
	start_daemon us "$PYTHON" -u -m http.server -d "$ROOT" 8020
	wait_port us 8020
	run shim "$PYTHON" -c '
import fcntl, socket, struct
s = socket.socket()
print(socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("16s24x", b"us0"))[20:24]))
s.connect(("127.0.0.1", 8020))
print(s.getpeername()[0])'
	assert_eq "$output" "$(printf '%s\n' "$US" 127.0.0.1)"
	kill $! # namespaces are looked at for leftovers below
}

@test "what sets anything is refused" {
	needs_product
	run shim "$PYTHON" -c '
import errno, fcntl, socket, struct
s = socket.socket()
for cmd in (0x8914, 0x8916, 0x891c, 0x8922, 0x8924, 0x8943, 0x890b):
	try:
		fcntl.ioctl(s, cmd, struct.pack("16s24x80x", b"us0"))
		print("done")
	except OSError as e:
		print(errno.errorcode[e.errno])'
	assert_eq "$(sort -u <<<"$output")" EPERM
	run shim "$BATS_FILE_TMPDIR/ifaces" us0
	assert_match "$output" "ioctl us0 MTU: 1400 "
}

@test "curl --interface, by name and by address" {
	local by

	for by in us0 "if!us0" "host!$US" "$US"; do
		run shim curl -sS --interface "$by" -w ' %{local_ip}' "http://$PEER:8000/hello"
		assert_status 0
		assert_eq "$output" "hello"$'\n'" $US" "$by"
	done
	run shim curl -sS --interface none0 "http://$PEER:8000/hello"
	assert_status 45 # the interface cannot be used
}

@test "ncat -s, and a socket that is bound to the device" {
	start_bg server on_peer nc -l -N 8010
	wait_port peer 8010
	shim ncat -s "$US" "$PEER" 8010 <"$ROOT/hello"
	wait_bg server
	assert_eq "$(cat "$(out server)")" hello
	run shim "$PYTHON" -c '
import errno, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"us0")
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16))
s.connect((sys.argv[1], 8000))
print(s.getsockname()[0])' "$PEER"
	assert_eq "$output" "$(printf '%s\n' "b'us0\\x00'" "$US")"
}

@test "--hostname is what gethostname() and uname() say" {
	needs_product
	local name

	shim_stop
	name=$(uname -n)
	assert_eq "$(shim uname -n)" "$name" "without it, the kernel's"
	shim_stop
	more_options --hostname web1.example
	start_bg holder shim sleep 30
	assert_eq "$(shim uname -n)" web1.example
	assert_eq "$(shim uname -s)" "$(uname -s)"
	assert_eq "$(shim hostname)" web1.example
	assert_eq "$(shim "$PYTHON" -c 'import os, socket; print(socket.gethostname(), os.uname()[1])')" "web1.example web1.example"
	assert_eq "$(shim bash -c 'echo $HOSTNAME')" web1.example
	assert_eq "$(shim hostname -i)" "$US"
	run shim "$PYTHON" -c '
import socket
print(socket.gethostbyname("WEB1.example."), socket.getnameinfo((socket.gethostbyname(socket.gethostname()), 80), 0)[0])'
	assert_eq "$output" "$US web1.example"
	# Who joins the host without naming it is on the same machine.
	two_options_less
	assert_eq "$(shim uname -n)" web1.example
	stop_bg holder
	shim_stop
}

@test "a preloaded program asks before it has a socket" {
	needs_product
	case ${SANITIZE-} in *address*) skip "the runtime has to be preloaded first" ;; esac
	run on_us env WIRESHIM_DEV=us0 WIRESHIM_ADDR="$US/24" WIRESHIM_HOSTNAME=web2 \
		LD_PRELOAD="$WIRESHIM_BUILD/libwireshim.so" "$PYTHON" -c '
import socket
print([n for i, n in socket.if_nameindex()], socket.gethostname())'
	assert_eq "$output" "['lo', 'us0'] web2"
	# A process that can have no host is told what the kernel knows.
	run on_two env LD_PRELOAD="$WIRESHIM_BUILD/libwireshim.so" WIRESHIM_HOSTNAME=web2 "$PYTHON" -c '
import socket
print(any(n == "us0" for i, n in socket.if_nameindex()))'
	assert_eq "$output" True
	run on_two env LD_PRELOAD="$WIRESHIM_BUILD/libwireshim.so" WIRESHIM_HOSTNAME=web2 uname -n
	assert_eq "$output" "$(uname -n)"
}
