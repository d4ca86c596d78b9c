#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/bench/calls.sh: what the library adds to a call, to an exec, and to the round trip of one byte. `make bench`
# runs it in the private namespaces of tests/private. With and without by turns, medians of PAIRS (5) pairs; single
# calls on one processor, as they are small against what moving costs, and PAIRS + 6 pairs of them.

set -eu
: "${WIRESHIM_BUILD:=$PWD/build}" "${PAIRS:=5}" "${CC:=gcc}"
export LC_ALL=C
calls=$(mktemp)
trap 'rm -f "$calls"; kill $(jobs -p) 2>/dev/null' EXIT
"$CC" -O2 -D_GNU_SOURCE -o "$calls" tests/bench/calls.c -lpthread

in_ns() { nsenter --net="/run/netns/$1" -- "${@:2}"; }
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# us0 without a kernel address for our stack, us1 with one for the kernel's.
for ns in us peer; do
	ip netns add "$ns"
	ip -n "$ns" link set lo up
done
for i in 0 1; do
	ip link add "us$i" netns us type veth peer name "peer$i" netns peer
	ip -n us link set "us$i" up
	ip -n peer link set "peer$i" up
	ip -n peer addr add "10.77.$i.1/24" dev "peer$i"
done
ip -n us addr add 10.77.1.2/24 dev us1
in_ns peer "$calls" echo 7001 &
until [ -n "$(in_ns peer ss -Htln 'sport = :7001')" ]; do :; done

run=("$WIRESHIM_BUILD/wireshim" run --dev us0 --addr 10.77.0.2/24 --)

# One host for all of them, on whatever processor it likes.
in_ns us "${run[@]}" sleep infinity &
until in_ns us "$WIRESHIM_BUILD/wireshim" status >/dev/null 2>&1; do :; done

# compare NAME UNIT PAIRS WITHOUT... -- WITH...
compare() {
	local name=$1 unit=$2 pairs=$3 without=() with=() a=() b=()

	shift 3
	while [ "$1" != -- ]; do
		without+=("$1")
		shift
	done
	shift
	with=("$@")
	for ((pair = 0; pair < pairs; pair++)); do
		a+=("$(in_ns us "${without[@]}")")
		b+=("$(in_ns us "${with[@]}")")
	done
	awk -v n="$name" -v u="$unit" -v a="$(median "${a[@]}")" -v b="$(median "${b[@]}")" \
		'BEGIN { printf "%-40s %9.1f %9.1f %+9.1f %s\n", n, a, b, b - a, u }'
}

printf '%-40s %9s %9s %9s\n' '' kernel wireshim added
for call in read write recv dup2 accept poll close; do
	name="$call() of a foreign descriptor"
	[ "$call" != close ] || name="dup() and $name"
	compare "$name" ns $((PAIRS + 6)) taskset -c 0 "$calls" foreign "$call" -- \
		taskset -c 0 "${run[@]}" "$calls" foreign "$call"
done
compare 'the same read() with two threads' ns $((PAIRS + 6)) taskset -c 0 "$calls" threads read -- \
	taskset -c 0 "${run[@]}" "$calls" threads read
compare 'exec of /bin/true' us "$PAIRS" "$calls" exec -- "${run[@]}" "$calls" exec
compare 'round trip of one byte' us "$PAIRS" "$calls" rtt 10.77.1.1 7001 -- "${run[@]}" "$calls" rtt 10.77.0.1 7001
