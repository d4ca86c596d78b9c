#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The same exchange, once from the kernel's stack and once from ours: what is on the wire is the same
#
#   us    us0  10.77.0.2 (ours)   ---veth--- peer0 10.77.0.1 peer
#   two   two0 10.78.0.2 (kernel) ---veth--- peer1 10.78.0.1 peer, the server, where both are captured
#
# The kernel is the peer of the first tests, which compare captures. The peer of the others is a script (.9 on either
# link, progs/wire_peer.py) that falls silent, lies and closes windows; all of its scenarios are played at once, on both
# stacks, before the first test looks at its own.

load helper

KERNEL_PEER=10.78.0.1
KERNEL_US=10.78.0.2
SCRIPTED='(host 10.77.0.9 or host 10.78.0.9)' # whose last connections are still ending

setup_file() {
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
	record_scripts
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
	start_bg dump on_peer tcpdump --immediate-mode -U -i "$2" -w "$1" "tcp and not $SCRIPTED"
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
	command -v tshark >/dev/null || skip "tshark is not installed"
	needs_dump
	local try

	# Two more tries for a machine so busy that the peer meets its timers: see same().
	for try in 1 2 3; do
		record "$BATS_TEST_TMPDIR/kernel$try.pcap" peer1 on_two "$KERNEL_PEER" "$1"
		record "$BATS_TEST_TMPDIR/ours$try.pcap" peer0 shim "$PEER" "$1"
		diff -u <(packets "$BATS_TEST_TMPDIR/kernel$try.pcap" client) \
			<(packets "$BATS_TEST_TMPDIR/ours$try.pcap" client) && return 0
	done
	return 1
}

@test "connect, echo, close" { compare echo; }
@test "half-close" { compare half-close; }
@test "refused" { compare refused; }
@test "abort by SO_LINGER 0" { compare abort; }
@test "the peer closes first" { compare peer-closes; }
@test "a keepalive probe" { compare keepalive; }
# The window in between depends on what a kernel's buffers weigh, which is its own affair.
@test "close with unread text" { WINDOW=tcp.hdr_len compare unread; }

# record_scripts [SCENARIO...]: what the scripted peer sees of both stacks, a file each in scripts/kernel and scripts/ours
record_scripts() {
	local dir=$BATS_FILE_TMPDIR/scripts progs=$E2E_DIR/progs

	mkdir -p "$dir/kernel" "$dir/ours"
	start_bg peer_kernel on_peer "$PYTHON" "$progs/wire_peer.py" peer1 10.78.0.9 "$KERNEL_US" "$dir/kernel" "$@"
	start_bg peer_ours on_peer "$PYTHON" "$progs/wire_peer.py" peer0 10.77.0.9 "$US" "$dir/ours" "$@"
	wait_for 'grep -qs ready "$(out peer_kernel)" && grep -qs ready "$(out peer_ours)"'
	start_bg program_kernel on_two "$PYTHON" "$progs/wire_program.py" 10.78.0.9 "$@"
	start_bg program_ours shim "$PYTHON" "$progs/wire_program.py" 10.77.0.9 "$@"
	for name in peer_kernel peer_ours program_kernel program_ours; do
		wait_bg "$name"
		assert_status 0 || return 1
	done
}

# same SCENARIO: its packets and its times. Two more tries for a machine that had no time for us: a script that is held up
# meets retransmissions, a program that is held up is too late for its answer to carry the ACK. A stack that does
# otherwise than the other does so each time.
same() {
	local dir=$BATS_FILE_TMPDIR/scripts try

	for try in 1 2 3; do
		[ "$try" = 1 ] || record_scripts "$1" || continue
		run "$PYTHON" "$E2E_DIR/progs/wire_compare.py" "$dir/kernel/$1" "$dir/ours/$1"
		[ "$status" != 0 ] || return 0
		echo "$output"
	done
	return 1
}

# differs SCENARIO KERNEL OURS: the same but for the line KERNEL of the kernel, where we have OURS (nothing: no line)
differs() {
	local dir=$BATS_FILE_TMPDIR/scripts

	for try in 1 2 3; do
		[ "$try" = 1 ] || record_scripts "$1"
		diff -u <(words "$dir/kernel/$1" | grep -vF -- "$2") <(words "$dir/ours/$1" | grep -vF -- "${3:-no such line}") &&
			break
	done
	[ "$(words "$dir/kernel/$1" | grep -cF -- "$2")" = 1 ]
	[ "$(words "$dir/ours/$1" | grep -cF -- "${3:-$2}")" = $((${#3} > 0)) ]
	[ "$(grep -c '' "$dir/kernel/$1")" = $(($(grep -c '' "$dir/ours/$1") + (${#3} == 0))) ]
}

# Without times and windows.
words() { sed -E 's/^[0-9.]+ //; s/ win [1-9][0-9]*//; s/ id [^ ]*$//' "$1"; }
@test "server: handshake, answer, the peer closes" { same s_echo; }
@test "server: a SYN without options" { same s_no_options; }
@test "server: the SYN-ACK by the options of the SYN" { same s_options; }
@test "server: ECN" { same s_ecn; }
@test "server: a SYN twice, a wrong ACK" { same s_syn_again; }
@test "server: when the SYN-ACK is repeated" { same s_syn_ack_again; }
@test "server: a full backlog" { same s_backlog; }
@test "resets of a closed port" { same s_closed; }
@test "receiver: the first ACKs" { same s_text; }
@test "receiver: ACKs of a program that reads" { same s_quick; }
@test "receiver: delayed ACKs of one that answers" { same s_delayed; }
@test "receiver: SACK" { same s_hole; }
@test "receiver: D-SACK" { same s_old_text; }
@test "receiver: text beyond the window" { same s_beyond_window; }
@test "receiver: urgent text" { same s_urgent; }
@test "close with unread text: reset" { same s_unread; }
@test "text behind the close: reset" { same s_late_text; }
@test "FIN-WAIT-2 and TIME-WAIT" { same s_late_fin; }
@test "challenge ACK: RST in the window" { same s_rst_in_window; }
@test "challenge ACK: SYN in the window" { same s_syn_in_window; }
@test "challenge ACK: ACK of what was not sent" { same s_ack_too_high; }
@test "challenge ACK: ACK from before the connection" { same s_ack_too_low; }
@test "refused by the script" { same c_refused; }
@test "a SYN-ACK for another SYN" { same c_bad_syn_ack; }
@test "the peer vanishes: retransmission of one segment" { same c_vanished; }
@test "the peer vanishes: loss probe and timeouts" { same c_tail; }
@test "the peer vanishes: FIN" { same c_fin_lost; }
@test "keepalive probes and their end" { same c_keepalive; }
@test "zero window: probes, and the opening" { same c_zero_window; }
@test "zero window behind text" { same c_window_closes; }
@test "a window smaller than a segment" { same c_small_window; }
@test "urgent text sent" { same c_urgent; }
@test "urgent text that waits for a window" { same c_urgent_behind; }
@test "half-close by the script" { same c_half_close; }
@test "simultaneous close" { same c_both_close; }
@test "TIME-WAIT: FIN again, an old SYN" { same c_time_wait; }
@test "IP_TOS and IP_TTL" { same c_header; }
@test "abort, and text behind it" { same c_abort; }

# Differences, with their reasons.
#
# RFC 6298 5.5: the time-out doubles each time. Linux waits a second four times before it does (tcp_syn_linear_timeouts).
@test "a SYN without an answer: the second pause is twice the first" {
	local dir=$BATS_FILE_TMPDIR/scripts

	run -0 awk '/ > S / { printf "%.0f ", $1 / 1000 }' "$dir/ours/c_silent"
	assert_eq "$output" "0 1 2 "
	diff -u <(words "$dir/kernel/c_silent") <(words "$dir/ours/c_silent")
}
# RFC 9293 3.5, figure 7: nothing is left to be said when the SYN-ACKs have crossed. Linux takes the other's for a
# duplicate of its SYN and says so by D-SACK.
@test "simultaneous open" { differs c_both_open '> . 1:1(0) ack 1 ' ''; }
# Not compared: how far a window closes in front of a program that does not read. Its anchor takes 208 kB out of the
# receive buffer (ARCHITECTURE.md, The stack's rules); tests/pkt/sws and zero-window have the thresholds.
