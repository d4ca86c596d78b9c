#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/bench/impair.sh [SCENARIO...]: one bulk transfer over a bad link, by our stack and by the kernel's in turn.
# `make bench-loss` runs it in the private namespaces of tests/private, after it has built WIRESHIM_LINK.
#
#   us: us0  ---veth---  left0 :link: right0  ---veth---  peer0 :peer
#       kernel 10.77.0.3                                  10.77.0.1, iperf3 -s
#       ours 10.77.0.2
#
# "link" is tests/bench/impair_link.c: both stacks send through the very same link, with the same congestion control (CA,
# cubic), to the same kernel. Medians of PAIRS (3) alternating pairs of SECONDS_EACH (6) seconds; Mbit/s of payload as
# the receiver counts it. "beside" lets one flow of each share a link for twice as long, and tells the part of ours; a pair
# is one run in which ours begins and one in which the kernel's does. Beside other work `chrt -f 5 make bench-loss` measures
# the stacks: all processes of a run need little of the processor, but each wait for it lengthens the round trip.

set -eu
: "${WIRESHIM_BUILD:=$PWD/build}" "${WIRESHIM_LINK:=$PWD/build/gcc/bench/impair_link}"
: "${PAIRS:=3}" "${SECONDS_EACH:=6}" "${CA:=cubic}" "${SEED:=1}"
export LC_ALL=C
for tool in iperf3 python3; do
	command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
done

declare -A forward=(
	[loss]='loss 1% in; delay 20ms in'
	[reorder]='rate 100mbit queue 500 in; delay 10ms reorder 2% by 3ms in'
	[policer]='police 10mbit burst 30kb in; delay 10ms in'
	[beside]='rate 20mbit queue 100 delay 10ms in'
)
declare -A back=([loss]='delay 20ms in' [reorder]='delay 10ms in' [policer]='delay 10ms in' [beside]='delay 10ms in')
declare -A words=(
	[loss]='1 % random loss, 40 ms round trip' [reorder]='2 % of the segments 3 ms late, 100 Mbit/s, 20 ms'
	[policer]='policer of 10 Mbit/s with a burst of 30 kB, 20 ms' [beside]='beside each other on 20 Mbit/s, 20 ms'
)

in_ns() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

for ns in us link peer; do
	ip netns add "$ns"
	ip -n "$ns" link set lo up
done
ip link add us0 netns us type veth peer name left0 netns link
ip link add peer0 netns peer type veth peer name right0 netns link
for end in us:us0 link:left0 link:right0 peer:peer0; do
	ip -n "${end%:*}" link set "${end#*:}" up
	! command -v ethtool >/dev/null || in_ns "${end%:*}" ethtool -K "${end#*:}" tso off gso off gro off 2>/dev/null || :
done
ip -n us addr add 10.77.0.3/24 dev us0
# iperf3 -C changes a connection over that is established, and the kernel goes on pacing one that has begun with bbr: where
# that is the machine's default, a paced CUBIC would be compared with one that is not. The route says it from the SYN on.
ip -n us route change 10.77.0.0/24 dev us0 src 10.77.0.3 congctl "$CA"
ip -n peer addr add 10.77.0.1/24 dev peer0

in_ns peer iperf3 -s -p 5201 >/dev/null 2>&1 &
in_ns peer iperf3 -s -p 5202 >/dev/null 2>&1 &
link=''
trap 'kill $(jobs -p) 2>/dev/null' EXIT
# Our host is there before the first run, as the kernel is.
in_ns us "$WIRESHIM_BUILD/wireshim" run --dev us0 --addr 10.77.0.2/24 -- sleep infinity >/dev/null 2>&1 &
for port in 5201 5202; do until [ -n "$(in_ns peer ss -Htln "sport = :$port")" ]; do :; done; done

# set_link SCENARIO SEED: a new link; the two runs of a pair have the same seed, each pair another.
set_link() {
	local ready

	if [ -n "$link" ]; then
		# The last connection ends over the old link, or the server would take it for one under way.
		while [ -n "$(in_ns peer ss -Htn state established state close-wait state last-ack state fin-wait-1 \
			'( sport = :5201 or sport = :5202 )')" ]; do read -rt 0.05 <> <(:) || :; done
		kill "$link"
		wait "$link" || :
	fi
	exec 5< <(exec nsenter --net=/run/netns/link -- "$WIRESHIM_LINK" left0 right0 "$2" "${forward[$1]}" "${back[$1]}")
	link=$!
	read -r ready <&5
	[ "$ready" = ready ]
}

# one STACK PORT SECONDS: Mbit/s of one run.
one() {
	local command=(iperf3 -J -C "$CA" -t "$3" -p "$2" -c 10.77.0.1)

	[ "$1" = kernel ] || command=("$WIRESHIM_BUILD/wireshim" run --dev us0 --addr 10.77.0.2/24 -- "${command[@]}")
	in_ns us "${command[@]}" | python3 -c '
import json, sys
run = json.load(sys.stdin)
if "error" in run:
    sys.exit(run["error"])
print("%.2f" % (run["end"]["sum_received"]["bits_per_second"] / 1e6))'
}

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

in_turn() {
	local ours=() theirs=() a b i

	for ((i = 0; i < PAIRS; i++)); do
		set_link "$1" $((SEED + i))
		ours+=("$(one wireshim 5201 "$SECONDS_EACH")")
		set_link "$1" $((SEED + i))
		theirs+=("$(one kernel 5201 "$SECONDS_EACH")")
	done
	a=$(median "${ours[@]}") b=$(median "${theirs[@]}")
	printf '%-10s %-10s %10s   %s\n' "$1" wireshim "$a" "${ours[*]}" "$1" kernel "$b" "${theirs[*]}"
	awk -v n="$1" -v a="$a" -v b="$b" 'BEGIN { printf "%-10s %-10s %10.2f\n", n, "ratio", a / b }'
}

# head_start FIRST SECOND SECONDS: Mbit/s of both. The second begins when the data connection of the first is there.
head_start() {
	local out pid second

	out=$(mktemp)
	one "$1" 5201 "$3" >"$out" & pid=$!
	until [ "$(in_ns peer ss -Htn state established 'sport = :5201' | wc -l)" -ge 2 ] || ! kill -0 "$pid" 2>/dev/null; do
		read -rt 0.01 <> <(:) || :
	done
	second=$(one "$2" 5202 "$3")
	wait "$pid"
	echo "$(cat "$out") $second"
	rm -f "$out"
}

# The part of ours. Who begins has the queue to himself for the first round trips, so each pair is one run each.
side_by_side() {
	local first=() last=() shares=() i a b x y

	for ((i = 0; i < PAIRS; i++)); do
		set_link "$1" $((SEED + i))
		read -r a b <<<"$(head_start wireshim kernel $((2 * SECONDS_EACH)))"
		set_link "$1" $((SEED + i))
		read -r x y <<<"$(head_start kernel wireshim $((2 * SECONDS_EACH)))"
		first+=("$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", a / (a + b) }')")
		last+=("$(awk -v a="$y" -v b="$x" 'BEGIN { printf "%.2f", a / (a + b) }')")
		shares+=("$(awk -v a="${first[i]}" -v b="${last[i]}" 'BEGIN { printf "%.3f", (a + b) / 2 }')")
	done
	printf '%-10s %-10s %10s   begins first: %s; second: %s\n' "$1" share "$(median "${shares[@]}")" \
		"${first[*]}" "${last[*]}"
}

[ $# -gt 0 ] || set -- loss reorder policer beside
printf '%s, %s s each\n%-10s %-10s %10s   %s\n' "$CA" "$SECONDS_EACH" scenario stack Mbit/s runs
for scenario in "$@"; do
	echo "# ${words[$scenario]}"
	if [ "$scenario" = beside ]; then side_by_side beside; else in_turn "$scenario"; fi
done
