#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The smallest, the usual and the jumbo MTU; a path that is narrower than our interface

load helper

setup() {
	ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	[ -e "$ROOT/10m" ] || make_file "$ROOT/10m" 10000000
}

# Download, upload and a fragmented datagram with an interface of this MTU at both ends.
transfer_at() {
	topo_up "$1"
	start_http peer "$ROOT" 8001
	start_sink peer 8002
	start_daemon peer socat -b 65536 UDP4-RECVFROM:7,fork PIPE
	wait_port peer 7 udp
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER:8001/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
	assert_eq "$(shim curl -sS -T "$ROOT/10m" "http://$PEER:8002/")" "$(sha256 "$ROOT/10m")" upload
	udp_echo "$PEER" 1 $(($1 - 28)) $(($1 - 27)) 20000
}

# udp_echo ADDRESS SIZE...: each size comes back whole; sends again until then, since a path may lose the first.
udp_echo() {
	run shim "$PYTHON" -c '
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
for n in map(int, sys.argv[2:]):
    sent = os.urandom(n)
    for _ in range(8):
        try:
            s.sendto(sent, (sys.argv[1], 7))
            if s.recv(65536) == sent:
                break
        except (socket.timeout, OSError):
            pass
    else:
        sys.exit("no echo of %d bytes" % n)
print("whole")' "$@"
	assert_status 0
	assert_eq "$output" whole
}

# What the host itself answers: the largest ping that fits unfragmented, and one that does not.
ping_at() {
	start_bg holder shim nc -l 8003
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	on_peer ping -c 1 -W 2 -M 'do' -s $(($1 - 28)) "$US"
	on_peer ping -c 1 -W 2 -s $((2 * $1)) "$US"
}

@test "MTU 576" { transfer_at 576; ping_at 576; }

@test "MTU 1500" { transfer_at 1500; ping_at 1500; }

@test "MTU 9000" { transfer_at 9000; ping_at 9000; }

@test "--mtu below the interface's" {
	needs_product
	SHIM_OPTS+=(--mtu 1000)
	transfer_at 1500
	# Nothing longer than 1000 bytes behind the Ethernet header left or reached us.
	run dissect -Y 'tcp.options.mss_val > 960 && ip.src == 10.77.0.2'
	assert_status 0
	assert_eq "$output" ''
}

# us -- 1500 -- peer, forwarding -- 1000 -- far 10.88.0.2
narrow_path() {
	topo_up 1500
	netns_add far
	ip link add peer1 netns peer type veth peer name far0 netns far
	ip -n peer link set peer1 mtu 1000 up
	ip -n far link set far0 mtu 1000 up
	ip -n peer addr add 10.88.0.1/24 dev peer1
	ip -n far addr add 10.88.0.2/24 dev far0
	ip -n far route add default via 10.88.0.1
	on_peer sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

@test "TCP finds the MTU of a narrower path" {
	narrow_path
	start_sink far 8002
	run shim curl -sS -T "$ROOT/10m" http://10.88.0.2:8002/
	assert_status 0
	assert_eq "$output" "$(sha256 "$ROOT/10m")"
}

@test "UDP finds the MTU of a narrower path" {
	narrow_path
	start_daemon far socat -b 65536 UDP4-RECVFROM:7,fork PIPE
	wait_port far 7 udp
	udp_echo 10.88.0.2 100 1400 5000
}
