#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The same exchange, once from the kernel's stack and once from ours: what is on the wire is the same
#
#   us    us0  10.77.0.2 (ours)   ---veth--- peer0 10.77.0.1 peer
#   two   two0 10.78.0.2 (kernel) ---veth--- peer1 10.78.0.1 peer, the server, where both are captured

load helper

KERNEL_PEER=10.78.0.1
KERNEL_US=10.78.0.2

setup_file() {
	command -v tshark >/dev/null || skip "tshark is not installed"
	needs_dump
	topo_up
	netns_add two
	ip link add two0 netns two type veth peer name peer1 netns peer
	ip -n two link set two0 up
	ip -n peer link set peer1 up
	ip -n two addr add "$KERNEL_US/24" dev two0
	ip -n peer addr add "$KERNEL_PEER/24" dev peer1
	on_two sh -c 'echo "4096 131072 6291456" >/proc/sys/net/ipv4/tcp_rmem' # as ours; newer kernels have more
	start_bg server on_peer "$PYTHON" "$E2E_DIR/progs/wire.py" serve 0.0.0.0
	wait_for 'grep -q ready "$(out server)"'
}

# packets FILE WHO: one packet a line, of the side that begins (client) or the other one
packets() {
	local who='tcp.srcport >= 10000'

	[ "$2" = client ] || who='tcp.srcport < 10000'
	tshark -n -r "$1" -Y "tcp && $who" -T fields -E separator=' ' -e tcp.flags.str -e tcp.seq -e tcp.ack -e tcp.len \
		-e "${WINDOW:-tcp.window_size_value}" -e tcp.option_kind -e tcp.options.mss_val -e tcp.options.wscale.shift -e ip.ttl \
		-e ip.flags.df -e ip.dsfield 2>/dev/null
}

# record FILE DEV PLACE ADDR SCENARIO: the exchange, from its SYN until its end has been seen
record() {
	start_bg dump on_peer tcpdump --immediate-mode -U -i "$2" -w "$1" tcp
	wait_for 'grep -qs "listening on" "$(err dump)"'
	"$3" "$PYTHON" "$E2E_DIR/progs/wire.py" client "$5" "$4"
	wait_for "ended '$1'"
	stop_bg dump INT
}

# ended FILE: by a reset, or by two FINs and the acknowledgement of the second
ended() {
	tshark -n -r "$1" -T fields -e tcp.flags.reset -e tcp.flags.fin -e tcp.flags 2>/dev/null |
		awk '{ reset += $1 == 1; fin += $2 == 1; last = $3 } END { exit !(reset || (fin >= 2 && last == "0x0010")) }'
}

compare() {
	record "$BATS_TEST_TMPDIR/kernel.pcap" peer1 on_two "$KERNEL_PEER" "$1"
	record "$BATS_TEST_TMPDIR/ours.pcap" peer0 shim "$PEER" "$1"
	diff -u <(packets "$BATS_TEST_TMPDIR/kernel.pcap" client) <(packets "$BATS_TEST_TMPDIR/ours.pcap" client)
}

@test "connect, echo, close" { compare echo; }
@test "half-close" { compare half-close; }
@test "refused" { compare refused; }
@test "abort by SO_LINGER 0" { compare abort; }
@test "the peer closes first" { compare peer-closes; }
@test "a keepalive probe" { compare keepalive; }
# The window in between depends on what a kernel's buffers weigh, which is its own affair.
@test "close with unread text" { WINDOW=tcp.hdr_len compare unread; }
