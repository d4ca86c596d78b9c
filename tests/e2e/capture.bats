#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The capture, judged by Wireshark's own programs

load helper

setup_file() {
	topo_up
	is_baseline || start_http peer "$BATS_TEST_DIRNAME" 8001
}

setup() {
	needs_product
	command -v tshark >/dev/null || skip "tshark is not installed"
	command -v capinfos >/dev/null || skip "capinfos is not installed"
	# A capture of its own for each test, and thus a host of its own.
	CAPTURE=$BATS_TEST_TMPDIR/us.pcapng
	set_options
}

set_options() {
	end_hosts
	SHIM_OPTS=(--dev us0 --addr "$US/24" --gateway "$PEER" --capture "$CAPTURE" "$@")
}

# The host writes the rest when it ends.
end_hosts() {
	signal_netns TERM us
	wait_for '[ -z "$(ip netns pids us)" ]'
}

fetch() { shim curl -sS -o /dev/null "http://$PEER:8001/sink.py"; }

# show FILTER FIELD...: these fields of the packets that match, one packet a line, tabs between.
show() {
	local fields=() field

	for field in "${@:2}"; do
		fields+=(-e "$field")
	done
	dissect -Y "$1" -T fields "${fields[@]}" 2>"$BATS_TEST_TMPDIR/tshark.err"
}

@test "Wireshark opens it: pcapng, Ethernet, nanoseconds, the interface's name" {
	fetch
	end_hosts
	run capinfos "$CAPTURE"
	assert_status 0
	assert_match "$output" 'File type: *Wireshark/... - pcapng'
	assert_match "$output" 'File encapsulation: *Ethernet'
	assert_match "$output" 'File timestamp precision: *nanoseconds'
	assert_match "$output" 'Name = us0'
	assert_eq "$(show tcp frame.interface_name | sort -u)" us0
	refute grep -q . "$BATS_TEST_TMPDIR/tshark.err"
}

@test "the whole connection is there, from SYN to the last ACK, in both directions" {
	fetch
	end_hosts
	assert_match "$(show "tcp.flags.syn == 1 && ip.src == $US" tcp.dstport)" 8001
	assert_match "$(show "tcp.flags.syn == 1 && ip.src == $PEER" tcp.srcport)" 8001
	assert_eq "$(show tcp ip.src tcp.flags | head -n 3)" "$US	0x0002
$PEER	0x0012
$US	0x0010" "the handshake"
	assert_eq "$(show "tcp.analysis.ack_lost_segment || tcp.analysis.spurious_retransmission" frame.number)" ''
	[ -n "$(show "tcp.flags.fin == 1 && ip.src == $US" frame.number)" ]
	[ -n "$(show "tcp.flags.fin == 1 && ip.src == $PEER" frame.number)" ]
	assert_eq "$(show "http.response" http.response.code)" 200
	[ -n "$(show "arp.opcode == 1" frame.number)" ]
}

@test "each packet says in which direction it went" {
	fetch
	end_hosts
	assert_eq "$(show "ip.src == $US" frame.packet_flags_direction | sort -u)" 0x00000002
	assert_eq "$(show "ip.src == $PEER" frame.packet_flags_direction | sort -u)" 0x00000001
}

@test "each packet says whose it was: process, program, socket" {
	start_bg client shim curl -sS -o /dev/null "http://$PEER:8001/sink.py"
	local pid=${BG[client]} comments
	wait_bg client
	end_hosts
	comments=$(show "tcp" frame.comment)
	assert_eq "$(grep -c . <<<"$comments")" "$(show tcp frame.number | grep -c .)" "packets with a comment"
	assert_match "$(show 'http.request' frame.comment)" "(^|[^0-9])$pid([^0-9]|$)"
	assert_match "$(show 'http.request' frame.comment)" curl
}

@test "the time stamps are of the real clock and never go back" {
	local now=$EPOCHSECONDS first

	fetch
	end_hosts
	first=$(show frame frame.time_epoch | head -n 1)
	[ "${first%.*}" -ge "$now" ] && [ "${first%.*}" -le "$((now + 30))" ]
	assert_eq "$(show frame frame.time_epoch | sort -n)" "$(show frame frame.time_epoch)"
}

@test "nothing in it is malformed, no checksum wrong that the wire would see" {
	fetch
	end_hosts
	assert_eq "$(show '_ws.malformed || ip.checksum.status == 0' frame.number)" ''
	run dissect -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
		-Y 'ip.checksum.status == "Bad" || (tcp.checksum.status == "Bad" && ip.src == 10.77.0.2)' -T fields -e frame.number
	assert_status 0
	assert_eq "$output" ''
}

@test "it can be read while the host still runs" {
	start_bg holder shim nc -l 8002
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	wait_for '[ -n "$(show "icmp.type == 0" frame.number)" ]'
}

@test "--capture-filter keeps only what matches" {
	set_options --capture-filter 'tcp port 8001'
	fetch
	end_hosts
	[ -n "$(show "tcp.port == 8001" frame.number)" ]
	assert_eq "$(show '!(tcp.port == 8001)' frame.number)" ''
}

@test "a name ending in .pcap gives a classic capture" {
	CAPTURE=$BATS_TEST_TMPDIR/us.pcap
	set_options
	fetch
	end_hosts
	run capinfos "$CAPTURE"
	assert_status 0
	assert_match "$output" 'File type: *Wireshark/.* - nanosecond (lib)?pcap'
	assert_eq "$(show 'http.response' http.response.code)" 200
}

@test "a packet that was dropped is there, with the reason" {
	start_bg holder shim nc -l 8003
	wait_for 'on_peer ping -c 1 -W 1 $US >/dev/null'
	# A UDP datagram to an open host with a wrong checksum of the IP header.
	on_peer "$PYTHON" -c '
import socket, struct, subprocess, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("peer0", 0))
neigh = subprocess.check_output(["ip", "neigh", "show", sys.argv[1]], text=True).split()
mac = bytes.fromhex(neigh[neigh.index("lladdr") + 1].replace(":", ""))
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 29, 0x7777, 0, 64, 17, 0xdead, bytes([10, 77, 0, 1]), bytes([10, 77, 0, 2]))
s.send(mac + s.getsockname()[4] + b"\x08\x00" + ip + struct.pack("!HHHH", 1, 2, 9, 0) + b"x")' "$US"
	stop_bg holder
	end_hosts
	assert_match "$(show 'ip.id == 0x7777' frame.comment)" '[Dd]rop'
	assert_match "$(show 'ip.id == 0x7777' frame.comment)" '[Cc]hecksum'
}

@test "a jumbo frame is written whole" {
	ip -n us link set us0 mtu 9000
	ip -n peer link set peer0 mtu 9000
	start_bg holder shim nc -l 8004
	wait_for 'on_peer ping -c 1 -W 1 -M do -s 8900 $US >/dev/null'
	wait_for '[ -n "$(show "icmp.type == 8 && frame.cap_len == 8942" frame.number)" ]'
	ip -n us link set us0 mtu 1500
	ip -n peer link set peer0 mtu 1500
}
