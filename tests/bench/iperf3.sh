#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/bench/iperf3.sh: how fast a program is over wireshim, as a part of what it is over the kernel. `make bench` runs
# it in the private namespaces of tests/private.
#
# The same iperf3 talks to the same server over the same veth pair, by turns over our stack and over the kernel's, so
# that whatever else the machine does hits both alike; medians of PAIRS (3) runs of SECONDS_EACH (3) seconds. "send" is
# the program sending, "receive" the other way. Gbit/s of payload as the receiving program counts it.

set -eu
: "${WIRESHIM_BUILD:=$PWD/build}" "${PAIRS:=3}" "${SECONDS_EACH:=3}" "${MTU:=1500}"
export LC_ALL=C
for tool in iperf3 python3; do
	command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done

in_ns() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

# us0 without a kernel address for our stack, us1 with one for the kernel's: two cables of one kind to the same peer.
for ns in us peer; do
	ip netns add "$ns"
	ip -n "$ns" link set lo up
done
for i in 0 1; do
	ip link add "us$i" netns us type veth peer name "peer$i" netns peer
	ip -n us link set "us$i" mtu "$MTU" up
	ip -n peer link set "peer$i" mtu "$MTU" up
	ip -n peer addr add "10.77.$i.1/24" dev "peer$i"
done
ip -n us addr add 10.77.1.2/24 dev us1

in_ns peer iperf3 -s >/dev/null 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
until [ -n "$(in_ns peer ss -Htln 'sport = :5201')" ]; do :; done

# one STACK [-R]: Gbit/s of one run.
one() {
	local command=(iperf3 -J -t "$SECONDS_EACH")

	case $1 in
	wireshim) command=("$WIRESHIM_BUILD/wireshim" run --dev us0 --addr 10.77.0.2/24 -- "${command[@]}" -c 10.77.0.1) ;;
	kernel) command+=(-c 10.77.1.1) ;;
	esac
	in_ns us "${command[@]}" "${@:2}" | python3 -c '
import json, sys
run = json.load(sys.stdin)
if "error" in run:
    sys.exit(run["error"])
print("%.3f" % (run["end"]["sum_received"]["bits_per_second"] / 1e9))'
}

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

printf '%-10s %-10s %10s   %s\n' direction stack Gbit/s runs
for direction in send receive; do
	flags=()
	[ "$direction" = send ] || flags=(-R)
	ours=() theirs=()
	for ((i = 0; i < PAIRS; i++)); do
		ours+=("$(one wireshim "${flags[@]}")")
		theirs+=("$(one kernel "${flags[@]}")")
	done
	a=$(median "${ours[@]}") b=$(median "${theirs[@]}")
	printf '%-10s %-10s %10s   %s\n' "$direction" wireshim "$a" "${ours[*]}" "$direction" kernel "$b" "${theirs[*]}"
	awk -v d="$direction" -v a="$a" -v b="$b" 'BEGIN { printf "%-10s %-10s %10.2f\n", d, "ratio", a / b }'
done
