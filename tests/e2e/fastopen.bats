#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# TCP Fast Open (RFC 7413) against the kernel's: who takes text from whose SYN is read from the counters of the peer

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	make_file "$ROOT/small" 5000
	topo_up
	sysctl_peer net/ipv4/tcp_fastopen 3
	start_bg server on_peer "$PYTHON" "$E2E_DIR/progs/fastopen.py" serve "$PEER" 7000
	wait_for 'grep -q ready "$(out server)"'
}

# sysctl_peer NAME VALUE: a setting of the peer's kernel
sysctl_peer() {
	on_peer sh -c 'echo "$2" >"/proc/sys/$1"' sh "$1" "$2"
}

# peer_count NAME: one of the peer's TcpExt counters
peer_count() {
	on_peer awk -v want="$1" '/^TcpExt:/ && !n { n = split($0, name); next }
		/^TcpExt:/ { for (i = 1; i <= n; i++) if (name[i] == want) print $i }' /proc/net/netstat
}

@test "curl --tcp-fastopen: the second request is in the SYN" {
	local before
	before=$(peer_count TCPFastOpenPassive)

	run shim curl -sS --tcp-fastopen --http1.0 "http://$PEER:7000/" "http://$PEER:7000/"
	assert_status 0
	assert_eq "$output" hellohello
	[ "$(peer_count TCPFastOpenPassive)" -gt "$before" ]
}

@test "sendto() with MSG_FASTOPEN connects and sends, with and without a cookie" {
	local before
	before=$(peer_count TCPFastOpenPassive)

	run shim "$PYTHON" "$E2E_DIR/progs/fastopen.py" ask "$PEER" 7000 3
	assert_status 0
	assert_eq "$output" 'hello hello hello'
	[ "$(peer_count TCPFastOpenPassive)" -ge "$((before + 2))" ]
}

@test "MSG_FASTOPEN to a closed port" {
	run shim "$PYTHON" "$E2E_DIR/progs/fastopen.py" ask "$PEER" 7001 1
	assert_status 1
	assert_eq "$output" 'Connection refused'
}
