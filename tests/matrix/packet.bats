#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs with packet sockets: they see the frames of our stack, not the kernel's

load helper

setup_file() {
	topo_up
	make_root
	start_http peer "$ROOT" 80
}

# start_dump NAME PLACE OPTION...: tcpdump that writes NAME.pcap; returns when it listens.
start_dump() {
	local name=$1 place=$2

	shift 2
	start_bg "$name" "$place" tcpdump -Z root -n -U -w "$BATS_TEST_TMPDIR/$name.pcap" "$@"
	wait_for "grep -q 'listening on' '$(err "$name")'"
}

# frames FILE FILTER: a line a frame, in order: what has to be the same in two captures of it.
frames() {
	tshark -n -r "$1" -Y "$2" -T fields -e eth.src -e eth.dst -e ip.id -e ip.len -e tcp.srcport -e tcp.seq_raw \
		-e tcp.ack_raw -e tcp.flags -e icmp.type -e icmp.seq 2>/dev/null
}

# count FILE: its frames.
count() { tcpdump -n -r "$1" 2>/dev/null | wc -l; }

@test "tcpdump: another program's transfer, frame for frame as --capture has it" {
	local ours

	needs tshark curl
	needs_dump
	start_dump dump shim -i us0 tcp port 80
	run shim curl -s "http://$PEER/hello"
	assert_eq "$output" hello
	wait_for "[ \"\$(tcpdump -n -r '$BATS_TEST_TMPDIR/dump.pcap' 'tcp[tcpflags] & tcp-fin != 0' 2>/dev/null | wc -l)\" = 2 ]"
	stop_bg dump INT
	assert_status 0
	assert_match "$(cat "$(err dump)")" '0 packets dropped by kernel'
	is_baseline && return 0
	ours=$(frames "$CAPTURE" 'tcp.port == 80')
	assert_eq "$(frames "$BATS_TEST_TMPDIR/dump.pcap" 'tcp.port == 80')" "$ours" "what tcpdump saw"
	assert_match "$ours" "^[0-9a-f:]+"
}

@test "tcpdump: as a tcpdump of the kernel's sees it on the peer" {
	needs tshark
	needs_dump
	start_dump ours shim -i us0 icmp
	start_dump theirs on_peer -i peer0 icmp
	run shim ping -c 5 -i 0.05 -W 2 "$PEER"
	assert_status 0
	wait_for "[ \"\$(count '$BATS_TEST_TMPDIR/ours.pcap')\" = 10 ]"
	wait_for "[ \"\$(count '$BATS_TEST_TMPDIR/theirs.pcap')\" = 10 ]"
	stop_bg ours INT
	stop_bg theirs INT
	assert_eq "$(frames "$BATS_TEST_TMPDIR/ours.pcap" icmp)" "$(frames "$BATS_TEST_TMPDIR/theirs.pcap" icmp)"
}

@test "tcpdump: ends after -c, prints as it goes" {
	needs_dump
	start_bg dump shim tcpdump -Z root -n -l -i us0 -c 4 icmp
	wait_for 'grep -q listening "$(err dump)"'
	on_peer ping -c 2 -i 0.1 -W 2 "$US"
	wait_bg dump
	assert_status 0
	assert_match "$(cat "$(out dump)")" "$PEER > $US: ICMP echo request.*$US > $PEER: ICMP echo reply"
	assert_eq "$(wc -l <"$(out dump)")" 4 "lines"
}

@test "tcpdump: immediate mode, a short snapshot, no promiscuous mode" {
	needs_dump
	start_bg dump shim tcpdump -Z root -n -l --immediate-mode -s 40 -p -i us0 -c 2 'icmp[icmptype] == icmp-echo'
	wait_for 'grep -q listening "$(err dump)"'
	on_peer ping -c 2 -i 0.05 -W 2 "$US"
	wait_bg dump
	assert_status 0
	assert_match "$(cat "$(out dump)")" "$PEER > $US: +\[\|icmp\]"
}

@test "tcpdump: every device at once, and the filter's negation" {
	needs_dump
	start_bg dump shim tcpdump -Z root -n -l -e -i any -c 2 'not arp and icmp and not port 53'
	wait_for 'grep -q listening "$(err dump)"'
	on_peer ping -c 1 -W 2 "$US"
	wait_bg dump
	assert_status 0
	assert_match "$(cat "$(out dump)")" 'us0 +In .*echo request.*us0 +Out .*echo reply'
}

@test "tcpdump: names the devices" {
	needs tcpdump
	run shim tcpdump -D
	assert_status 0
	assert_match "$output" 'us0 \[Up, Running'
	assert_match "$output" 'lo \[Up, Running, Loopback'
	run shim tcpdump -Z root -i nosuch0
	assert_status 1
	assert_match "$output" 'No such device'
}

@test "tcpdump: a large transfer, nothing lost unseen" {
	local line captured

	needs curl
	needs_dump
	start_dump dump shim -i us0 -s 96 tcp port 80
	run shim curl -s -o "$BATS_TEST_TMPDIR/got" "http://$PEER/5m"
	assert_status 0
	assert_eq "$(sha256 "$BATS_TEST_TMPDIR/got")" "$SUM"
	wait_for "[ \"\$(tcpdump -n -r '$BATS_TEST_TMPDIR/dump.pcap' 'tcp[tcpflags] & tcp-fin != 0' 2>/dev/null | wc -l)\" -ge 2 ]"
	stop_bg dump INT
	assert_status 0
	captured=$(sed -n 's/^\([0-9]*\) packets* captured.*/\1/p' "$(err dump)")
	assert_eq "$(count "$BATS_TEST_TMPDIR/dump.pcap")" "$captured" "frames in the file"
}

@test "dumpcap: writes what it captures" {
	needs dumpcap tshark
	start_bg dump shim dumpcap -q -i us0 -f icmp -c 4 -w "$BATS_TEST_TMPDIR/dump.pcapng"
	wait_for 'grep -q "^File: " "$(err dump)"'
	on_peer ping -c 2 -i 0.1 -W 2 "$US"
	wait_bg dump
	assert_status 0
	assert_eq "$(frames "$BATS_TEST_TMPDIR/dump.pcapng" icmp | wc -l)" 4 "frames"
}

@test "tshark: dissects as it captures" {
	needs tshark
	start_bg dump shim tshark -n -l -i us0 -f icmp -c 2 -T fields -e ip.src -e icmp.type
	wait_for 'grep -q "Capturing on" "$(err dump)"'
	wait_for 'on_peer ping -c 1 -W 1 "$US" >/dev/null && [ "$(wc -l <"$(out dump)")" -ge 2 ]' 20
	wait_bg dump
	assert_status 0
	assert_match "$(cat "$(out dump)")" "^$PEER	8"
	assert_match "$(cat "$(out dump)")" "$US	0"
}

@test "arping: the peer's address" {
	local mac

	needs arping
	mac=$(ip -n peer -br link show peer0 | awk '{ print $3 }')
	run shim arping -c 2 -I us0 "$PEER"
	assert_status 0
	assert_match "${output,,}" "$mac"
	assert_match "$output" "([Rr]eceived 2 response|2 packets received)"
	run shim arping -c 1 -w 1 -I us0 10.77.0.99
	assert_status 1
}

@test "arping: an address that two hosts have" {
	local find=-d

	needs arping
	arping -h 2>&1 | grep -q Habets || find=-D # iputils: anybody at all
	start_bg second on_peer "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
s.bind(("peer0", 0x0806))
print("ready", flush=True)
mac = bytes.fromhex("02000000dead")
while True:
    f = s.recv(2000)
    if f[20:22] == b"\0\1" and f[38:42] == socket.inet_aton("10.77.0.1"):
        s.send(f[6:12] + mac + f[12:20] + b"\0\2" + mac + f[38:42] + f[22:32])'
	wait_for 'grep -q ready "$(out second)"'
	run shim arping "$find" -c 2 -I us0 "$PEER"
	assert_status 1
	stop_bg second
	[ "$find" = -D ] || shim arping -d -c 2 -I us0 "$PEER"
}

@test "python: ARP by hand, both ways" {
	run shim "$PYTHON" - "$PEER" "$US" <<-'END'
		import socket, struct, sys
		peer, us = map(socket.inet_aton, sys.argv[1:3])
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
		s.bind(("us0", 0x0806))
		s.settimeout(5)
		me = s.getsockname()[4]
		ask = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, me, us, bytes(6), peer)
		assert s.send(b"\xff" * 6 + me + b"\x08\x06" + ask) == 42
		while True:
		    frame, (dev, proto, kind, hatype, mac) = s.recvfrom(2000)
		    if frame[20:22] == b"\0\2":
		        break
		assert (dev, proto, kind, hatype) == ("us0", 0x0806, socket.PACKET_HOST, 1), (dev, proto, kind, hatype)
		assert frame[:6] == me and frame[6:12] == mac and frame[28:32] == peer
		d = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0806))
		d.settimeout(5)
		assert d.sendto(ask, ("us0", 0x0806, 0, 0, mac)) == 28
		while True:
		    packet, (dev, proto, kind, hatype, mac2) = d.recvfrom(2000)
		    if packet[6:8] == b"\0\2":
		        break
		assert mac2 == mac and packet[14:18] == peer
		print("found", mac.hex(":"))
	END
	assert_status 0
	assert_match "$output" "found $(ip -n peer -br link show peer0 | awk '{ print $3 }')"
}

@test "python: frames of a type that nobody else knows" {
	start_bg theirs on_peer "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("peer0", 0x88b5))
s.settimeout(10)
print("ready", flush=True)
frame = s.recv(2000)
s.send(frame[6:12] + s.getsockname()[4] + frame[12:] + b" back")'
	wait_for 'grep -q ready "$(out theirs)"'
	run shim "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind(("us0", 0x88b5))
s.settimeout(10)
s.send(b"\xff" * 6 + s.getsockname()[4] + b"\x88\xb5" + b"hello".ljust(60))
frame, addr = s.recvfrom(2000)
print(len(frame), frame[14:19], frame[-5:], addr[2])'
	assert_status 0
	assert_eq "$output" "79 b'hello' b' back' 0"
}
