#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --impair: the link of a host is made worse, measurably and repeatably

load helper

setup_file() {
	topo_up
	is_baseline || start_sink peer 7100
}

setup() {
	needs_product
	CAPTURE=$BATS_TEST_TMPDIR/us.pcapng
	end_hosts
}

# The host writes the rest of its capture when it ends.
end_hosts() {
	signal_netns TERM us
	wait_for '[ -z "$(ip netns pids us)" ]'
}

# bad SPEC...: programs run over such a link, on a host of its own.
bad() {
	local spec

	end_hosts
	SHIM_OPTS=(--dev us0 --addr "$US/24" --capture "$CAPTURE" --seed "${SEED:-1}")
	for spec in "$@"; do SHIM_OPTS+=(--impair "$spec"); done
}

# A host that a program holds up.
hold() {
	start_bg holder shim nc -l 7001
	wait_for 'on_us "$WIRESHIM" status | grep -q LISTEN'
}

# put BYTES: a program sends so many bytes to the peer; the answer is their checksum.
put() {
	make_file "$BATS_TEST_TMPDIR/body" "$1"
	run shim curl -sS -m 25 -H Expect: -T "$BATS_TEST_TMPDIR/body" "http://$PEER:7100/"
	assert_status 0
	assert_eq "$output" "$(sha256 "$BATS_TEST_TMPDIR/body")"
}

# comments TEXT: how many packets of the capture have it in their comments.
comments() { strings -n 8 "$CAPTURE" | grep -cF "$1"; }

@test "a delay in each direction is added to the round trip" {
	bad 'delay 20ms out' 'delay 15ms in'
	hold
	run on_peer ping -c 5 -i 0.2 "$US"
	assert_status 0
	[[ $output =~ =\ ([0-9.]+)/([0-9.]+)/ ]]
	awk -v min="${BASH_REMATCH[1]}" -v avg="${BASH_REMATCH[2]}" 'BEGIN { exit !(min >= 35 && min < 37) }'
}

@test "the same seed loses the same packets" {
	local first=''

	for _ in 1 2; do
		# ARP and a first ping of another size are spared: none of the hundred has to wait for an address.
		bad 'rule arp pass' 'rule icmp size 128 pass' 'loss 30% in'
		hold
		on_peer ping -c 1 -W 2 -s 100 "$US"
		run on_peer ping -c 100 -l 100 -W 1 "$US"
		assert_match "$output" '100 packets transmitted'
		# With seed 1; which of them survive says more than how many.
		replies=$(grep -o 'icmp_seq=[0-9]*' <<<"$output" | tr '\n' ' ')
		[ "$(wc -w <<<"$replies")" -ge 50 ] || { echo "$output"; return 1; }
		[ "$(wc -w <<<"$replies")" -le 90 ]
		[ -z "$first" ] || [ "$first" = "$replies" ]
		first=$replies
		stop_bg holder
	done
}

@test "status counts what a rule dropped and shows the seed" {
	SEED=42 bad 'rule in icmp nth 3 drop'
	hold
	run on_peer ping -c 5 -l 5 -W 1 "$US"
	assert_match "$output" '5 packets transmitted, 4 received'
	[[ $output != *icmp_seq=3* ]]
	run on_us "$WIRESHIM" status
	assert_match "$output" 'impaired, seed 42'
	assert_match "$output" 'rule in icmp nth 3 drop: matched 5, applied 1'
	assert_match "$output" '1 impairment: dropped by a rule'
}

@test "iperf3 is held to the rate" {
	command -v iperf3 >/dev/null || skip "iperf3 is not installed"
	bad 'rate 20mbit queue 100 out'
	start_bg server on_peer iperf3 -s -1
	wait_port peer 5201
	run shim iperf3 -c "$PEER" -O 1 -t 2 -J
	assert_status 0
	# Of 20 Mbit/s of frames, 1448 in 1514 bytes are payload.
	"$PYTHON" -c '
import json, sys
rate = json.loads(sys.argv[1])["end"]["sum_received"]["bits_per_second"] / 20e6 / (1448 / 1514)
sys.exit(not 0.95 <= rate <= 1.05 and "rate is %.3f of what it should be" % rate)' "$output"
	wait_bg server
}

@test "the third data segment is dropped, and the capture says so" {
	bad 'delay 5ms out' 'rule out tcp data conn 1 nth 3 drop'
	put 50000
	end_hosts
	[ "$(comments 'dropped: impairment: dropped by a rule')" = 1 ]
}

@test "curl under 5 % loss each way gets every byte" {
	bad 'delay 2ms loss 5% reorder 5% by 3ms duplicate 2% corrupt 1%'
	put 300000
	end_hosts
	[ "$(comments 'impairment: random loss')" -gt 0 ]
}

@test "an ICMP answer gives the program its errno" {
	local kind

	for kind in host:113 admin:113 port:111 net:101; do
		bad "rule out syn icmp ${kind%:*}"
		run shim "$PYTHON" -c '
import socket, sys
try:
    socket.create_connection((sys.argv[1], 7999), 5)
except OSError as e:
    print(e.errno)' "$PEER"
		assert_status 0
		[ "$output" = "${kind#*:}" ]
	done
}

@test "options that a rule strips are not negotiated" {
	bad 'rule syn strip timestamps,wscale'
	start_bg client shim nc "$PEER" 7100
	wait_for 'wireshim status | grep -q ":7100 ESTABLISHED"'
	run on_peer ss -Htni state established "sport = :7100 and dport = :$(wireshim status |
		sed -n "s/.* $US:\([0-9]*\) > $PEER:7100 ESTABLISHED.*/\1/p")"
	assert_match "$output" 'mss:'
	[[ $output != *wscale* && $output != *" ts "* ]]
	stop_bg client
}

@test "a smaller MTU on the way is found out" {
	bad 'mtu 900 icmp out'
	put 100000
	end_hosts
	[ "$(comments "impairment: larger than the link's MTU")" -gt 0 ]
}

@test "rules from a file, and a bare preload with the settings in the environment" {
	printf '# two statements\nrule in icmp drop  # all of them\n\n  delay 1ms\n' >"$BATS_TEST_TMPDIR/rules"
	bad "@$BATS_TEST_TMPDIR/rules"
	hold
	run ! on_peer ping -c 2 -i 0.2 -W 0.5 "$US"
	run on_us "$WIRESHIM" status
	assert_match "$output" 'impair rule in icmp drop;delay 1ms'
	end_hosts
	run on_us env LD_PRELOAD="$WIRESHIM_BUILD/libwireshim.so" WIRESHIM_DEV=us0 WIRESHIM_ADDR="$US/24" \
		WIRESHIM_IMPAIR='rule out syn icmp host' "$PYTHON" -c '
import socket, sys
try:
    socket.create_connection((sys.argv[1], 7999), 5)
except OSError as e:
    print(e.errno)' "$PEER"
	[ "${SANITIZE-}" ] || [ "$output" = 113 ]
}

# wrong OPTIONS... LINE: status 2 and exactly this line.
wrong() {
	run on_us "$WIRESHIM" run --dev us0 --addr "$US/24" "${@:1:$#-1}" -- true
	assert_status 2
	[ "$output" = "wireshim: ${*: -1}" ] || { echo "$output"; return 1; }
}

@test "wrong texts are refused with place and reason" {
	wrong --impair 'delay 20ms lost 1%' \
		"--impair: at character 12 of 'delay 20ms lost 1%': 'lost' is not a word of an impairment"
	wrong --impair 'delay 1ms' --impair 'loss' \
		"--impair: at character 5 of 'loss': the end stands where a loss is missing"
	printf 'delay 1ms\nrule tcp dorp\n' >"$BATS_TEST_TMPDIR/rules"
	wrong --impair "@$BATS_TEST_TMPDIR/rules" \
		"--impair: $BATS_TEST_TMPDIR/rules:2:10: 'dorp' is neither a match nor an action of a rule"
	wrong --impair @/nonexistent "--impair: /nonexistent: No such file or directory"
	wrong --impair 'dev eth9 loss 1%' "--impair: this host has no device 'eth9' (us0, lo)"
	wrong --impair 'loss 1%' --seed x "--seed: 'x' is not a number from 0 to 18446744073709551615"
	wrong --seed 5 "--seed needs --impair: nothing else is left to chance"
}
