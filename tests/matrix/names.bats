#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dnsmasq and dig, each against the other over the kernel's stack

load helper

THIRD=$(printf 'x%.0s' {1..250})
ZONE=(--no-resolv --no-hosts --conf-file=/dev/null --local=/test/ --user=root --pid-file= --edns-packet-max=512
	--host-record="www.test,10.77.0.77" --txt-record="long.test,$THIRD,$THIRD,$THIRD")

BOUND=(--bind-interfaces --listen-address="$US")

setup_file() {
	command -v dnsmasq >/dev/null || return 0
	topo_up
	start_daemon peer dnsmasq -d -p 53 "${ZONE[@]}"
	wait_port peer 53
}

setup() { needs dnsmasq dig; }

# questions PLACE SERVER [PORT]: over UDP, over TCP, truncated and asked again, and one without an answer.
questions() {
	local dig=(dig +tries=2 +time=3 -p "${3:-53}" "@$2")

	assert_eq "$("$1" "${dig[@]}" +short www.test A)" 10.77.0.77
	assert_eq "$("$1" "${dig[@]}" +short +tcp www.test A)" 10.77.0.77
	run "$1" "${dig[@]}" long.test TXT
	assert_status 0
	assert_match "$output" 'retrying in TCP mode'
	assert_match "$output" 'x{250}'
	run "$1" "${dig[@]}" nowhere.test A
	assert_match "$output" 'status: NXDOMAIN'
}

@test "dig: asks the peer's dnsmasq" {
	questions shim "$PEER"
}

@test "dnsmasq: answers the peer's dig" {
	start_bg server shim dnsmasq -d -p 5353 "${BOUND[@]}" "${ZONE[@]}"
	wait_open peer "$US" 5353
	questions on_peer "$US" 5353
}

@test "dnsmasq: forwards to the peer's" {
	start_bg server shim dnsmasq -d -p 5353 "${BOUND[@]}" --no-resolv --no-hosts --conf-file=/dev/null --user=root \
		--pid-file= --server="$PEER" --edns-packet-max=512
	wait_open peer "$US" 5353
	questions on_peer "$US" 5353
}

@test "dnsmasq: on the wildcard address" {
	is_baseline || skip "rtnetlink is the kernel's, by which our address is on no interface"
	start_bg server shim dnsmasq -d -p 5353 "${ZONE[@]}"
	wait_open peer "$US" 5353
	questions on_peer "$US" 5353
}

@test "dnsmasq: on the wildcard address, asked on 127.0.0.1" {
	start_bg server shim dnsmasq -d -p 5354 "${ZONE[@]}"
	wait_port us 5354
	wait_port us 5354 udp
	questions on_us 127.0.0.1 5354
	questions shim 127.0.0.1 5354
}

@test "dnsmasq: on the wildcard address, asked on 127.0.0.1, forwards to the peer's" {
	start_bg server shim dnsmasq -d -p 5355 --no-resolv --no-hosts --conf-file=/dev/null --user=root \
		--pid-file= --server="$PEER" --edns-packet-max=512
	wait_port us 5355 udp
	questions on_us 127.0.0.1 5355
	questions shim 127.0.0.1 5355
}
