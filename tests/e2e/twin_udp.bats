#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A UDP socket on the wildcard address has our network and the kernel's loopback

load helper

setup_file() { topo_up; }

setup() { PROGS=$BATS_TEST_DIRNAME/progs; }

udp() { "$1" "$PYTHON" "$PROGS/twin_udp.py" "${@:2}"; }

# alike PART: prints the same on the kernel's stack and on ours, and ends well.
alike() {
	udp on_us "$1" >"$BATS_TEST_TMPDIR/kernel"
	run udp shim "$1"
	assert_eq "$output" "$(<"$BATS_TEST_TMPDIR/kernel")"
	assert_status 0
}

# serve NAME PORT [WRAPPER...]: an echo server of ours on the wildcard.
serve() {
	start_bg "$1" shim "${@:3}" "$PYTHON" "$PROGS/twin_udp.py" serve "$2"
	udp on_peer ready "$US" "$2"
}

@test "names, a port of the kernel's choice, a port that is taken, a port that is free again" { alike names; }

@test "ancillary data, both ways" { alike control; }

@test "every size, datagrams cut short and put together" { alike sizes; }

@test "nothing changes its place, nothing is lost, nor at the end" { alike order; }

@test "epoll, its edges, and select" { alike events; }

@test "a closed port: IP_RECVERR, connected sockets" { alike errors; }

@test "connected after the first datagram, as nc does, connected anew, and not connected again" { alike connected; }

@test "SO_REUSEADDR and SO_REUSEPORT" { alike shared; }

@test "filters" { alike filtered; }

@test "processes that share a socket" { alike family; }

@test "one server is reached from the peer, from the kernel's 127.0.0.1 and from programs of ours, at once" {
	local i pids=()

	serve server 8001
	for i in 1 2 3; do
		udp on_peer ask "$US" 8001 200 3>&- & pids+=($!)
		udp on_us ask 127.0.0.1 8001 200 3>&- & pids+=($!)
		udp shim ask 127.0.0.1 8001 200 3>&- & pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	needs_product
	run wireshim status
	assert_match "$output" "UDP 0.0.0.0:8001 [^$]*also on the kernel's 127.0.0.1"
	stop_bg server KILL
	wait_for '[ -z "$(nsenter --net=/run/netns/us ss -Hnul "sport = :8001")" ]'
}

@test "one client speaks to the network and to the loopback in turns" {
	start_bg server on_peer "$PYTHON" "$PROGS/twin_udp.py" serve 8002
	wait_port peer 8002 udp
	run udp shim both 8002 "$PEER"
	assert_eq "$output" ok
	assert_status 0
}

@test "a port that is taken on the loopback is no error: the network is served, log and status say so" {
	needs_product
	wireshim stop >/dev/null || true # the host of the test before, which has no log
	start_bg holder on_us "$PYTHON" "$PROGS/twin_udp.py" hold 8003
	wait_port us 8003 udp
	WIRESHIM_LOG=info serve server 8003
	run wireshim status
	assert_match "$output" "UDP 0.0.0.0:8003 [^$]*not on the kernel's 127.0.0.1: Address already in use"
	assert_match "$(cat "$(err server)")" "udp port 8003 is not served on the kernel's 127.0.0.1: Address already in use"
	# It cannot send there either: the answers would go to the other.
	start_bg holder2 on_us "$PYTHON" "$PROGS/twin_udp.py" hold 8004
	wait_port us 8004 udp
	run shim "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 8004))
for call in (lambda: s.sendto(b"x", ("127.0.0.1", 9)), lambda: s.connect(("127.0.0.1", 9))):
    try:
        call()
    except OSError as e:
        print(e.strerror)'
	assert_eq "$output" "Address already in use
Address already in use"
}

@test "one address, one device, a rule, or --loopback stack: not on the kernel's loopback" {
	needs_product
	local try='
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[2]:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[2].encode())
s.bind((sys.argv[1], 8006))
there = lambda: "0100007F:1F46" in open("/proc/net/udp").read()
was = there()
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"us0")
print(was, there())'

	assert_eq "$(shim "$PYTHON" -c "$try" 0.0.0.0 "")" "True False"
	assert_eq "$(shim "$PYTHON" -c "$try" 0.0.0.0 lo)" "True False"
	assert_eq "$(shim "$PYTHON" -c "$try" "$US" "")" "False False"
	assert_eq "$(shim "$PYTHON" -c "$try" 0.0.0.0 us0)" "False False"
	assert_eq "$(on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rule 'stack local=127.0.0.0/8:8006' -- \
		"$PYTHON" -c "$try" 0.0.0.0 "")" "False False"
	wireshim stop >/dev/null || true
	assert_eq "$(on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --loopback stack -- "$PYTHON" -c "$try" 0.0.0.0 "")" "False False"
}

@test "another user: a twin of his own, no port below 1024, no part in a group of root's" {
	local join='
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
s.bind((sys.argv[1], 8008))
print("bound", flush=True)
select.select([0], [], [])'

	needs_product
	can_be_nobody || skip "only one user here"
	wireshim stop >/dev/null || true # the host of the test before, which has another loopback
	serve server 8007 "${AS_NOBODY[@]}"
	udp on_us ask 127.0.0.1 8007
	assert_match "$(on_us cat /proc/net/udp)" '0100007F:1F47 [^$]* 65534 '
	serve low 53 "${AS_NOBODY[@]}"
	run wireshim status
	assert_match "$output" "UDP 0.0.0.0:53 [^$]*not on the kernel's 127.0.0.1: Permission denied"
	STDIN=/dev/fd/$NEVER start_bg group on_us "$PYTHON" -c "$join" 127.0.0.1
	wait_port us 8008 udp
	STDIN=/dev/fd/$NEVER start_bg joined shim "${AS_NOBODY[@]}" "$PYTHON" -c "$join" 0.0.0.0
	wait_for 'grep -q bound "$(out joined)"'
	assert_eq "$(on_us ss -Hnul 'sport = :8008' | wc -l)" 1
}

@test "what the loopback loses for want of room is counted" {
	needs_product
	start_bg deaf shim "$PYTHON" -c '
import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 8009))
signal.pause()'
	wait_port us 8009 udp
	on_us "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(20000):
    s.sendto(bytes(1000), ("127.0.0.1", 8009))'
	run wireshim status
	assert_match "$output" "UDP 0.0.0.0:8009 [^$]*also on the kernel's 127.0.0.1, [0-9]+ lost there"
}
