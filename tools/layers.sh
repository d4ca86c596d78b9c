#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tools/layers.sh [OBJECT-FOLDER]: the layering rules, checked. Prints each offence and ends with status 1 if there is one.
#
# 1. Who may include whom, by grep over #include.
# 2. stack/ has no writable state outside of struct net: no symbol of .data or .bss in its objects.
# 3. stack/ calls no clock, no thread, no lock and nothing that takes a descriptor: no such undefined symbol.
# 2 and 3 look at compiled objects, by default those of build/gcc; `make lint` builds them first.

set -u
cd "$(dirname "$0")/.." || exit 2
objects=${1-build/gcc}
offences=0

offend() {
	echo "layers: $*"
	offences=$((offences + 1))
}

# Prints "file:line:included" for each include of ours in the files under the folders given, headers and sources.
includes_of() {
	grep -rnoE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]+"[^"]+"' "$@" 2>/dev/null |
		sed -E 's/#.*"([^"]+)"$/\1/; s/:[[:space:]]*/:/g'
}

# rule FOLDER-OR-FILES ALLOWED-REGEX WHY: everything that FOLDER includes must match.
rule() {
	local place included

	[ -e "${1%% *}" ] || return 0
	while IFS=: read -r file line included; do
		place=$file:$line
		[[ $included =~ ^($2)$ ]] || offend "$place includes $included: $3"
	done < <(includes_of "$1")
}

rule shim/program 'shim/(protocol|rules|reach)\.h|shim/program/.*|netif/raw_syscall\.h' \
	'shim/program sees shim/protocol.h, shim/rules.h, shim/reach.h and netif/raw_syscall.h only'
rule shim/host 'shim/(protocol\.h|host/.*)|stack/stack\.h|stack/core/(socket|types|list|sysctl)\.h|stack/packet/packet\.h|stack/inet/(devinet|route|arp)\.h|netif/(netif|sys|impair)\.h' \
	'shim/host sees shim/protocol.h, stack/stack.h, stack/core/socket.h, the configuration of stack/inet, netif'
rule stack/core 'stack/core/.*' 'stack/core goes up by ops tables only'
rule stack/inet 'stack/(core|inet)/.*' 'stack/inet sees stack/core'
rule stack/tcp 'stack/(core|tcp)/.*|stack/inet/(af_inet|inet_[a-z]+|ip[a-z_]*|route|icmp)\.h' \
	'stack/tcp sees stack/core and, of inet, the address, hash, port and route headers'
rule stack/packet 'stack/(core|packet)/.*|stack/inet/devinet\.h' 'stack/packet sees stack/core, and the ioctls about devices'
rule stack/ctl 'stack/(core|inet|tcp|ctl)/.*' 'stack/ctl sees the stack'
rule netif 'netif/.*|stack/core/.*' 'netif sees stack/core'

while IFS= read -r file; do
	while IFS=: read -r _ line included; do
		case $file:$included in
		shim/program/*:*) ;;
		*:shim/program/*) offend "$file:$line includes $included: nothing sees shim/program" ;;
		stack/*:shim/* | stack/*:netif/* | stack/*:tools/*)
			offend "$file:$line includes $included: stack sees neither its devices nor its users" ;;
		stack/stack.[ch]:* | stack/print.[ch]:* | stack/tcp/*:* | stack/ctl/*:*) ;;
		stack/*:stack/print.h) offend "$file:$line includes $included: only stack.c and print.c see all" ;;
		esac
		# Programs that tests compile one by one, as a user would, may name what lies beside them.
		[[ $file == tests/diff/* || $file == tests/e2e/progs/* ]] && [ -e "${file%/*}/$included" ] && continue
		[ -e "$included" ] || [[ $included == *.def ]] || offend "$file:$line includes $included: no such path from the top"
	done < <(includes_of "$file" | sed -E "s,^([0-9]+:),$file:\1,")
done < <(find shim stack netif tools tests -name '*.[ch]' 2>/dev/null)

# What takes time, threads, locks or descriptors. Memory, strings and printf into memory are fine; stderr only for BUG_ON.
banned='socket|socketpair|bind|listen|accept4?|connect|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|getsockopt'
banned+='|setsockopt|getsockname|getpeername|shutdown|read|readv|write|writev|open|open64|close|ioctl|fcntl|fcntl64|poll|ppoll'
banned+='|select|pselect|epoll_.*|eventfd|timerfd_.*|clock_.*|gettimeofday|time|times|nanosleep|usleep|sleep|alarm|setitimer'
banned+='|pthread_.*|sem_.*|mtx_.*|thrd_.*|fork|signal|sigaction|getrandom|getentropy|rand|srand|random|srandom|fopen|fopen64'
while IFS= read -r object; do
	while read -r kind name; do
		offend "$object: writable state \"$name\" ($kind): it belongs into struct net"
	done < <(nm "$object" 2>/dev/null | awk '$2 ~ /^[bBdDcC]$/ { print $2, $3 }' | while read -r kind name; do
		# Constant tables with pointers lie in .data.rel.ro, which nm calls d as well.
		objdump -t "$object" | awk -v n="$name" '$NF == n && /\.data\.rel\.ro/ { found = 1 } END { exit found }' &&
			echo "$kind $name"
	done)
	while read -r name; do
		offend "$object calls $name(): stack has no clock, thread, lock or descriptor"
	done < <(nm -u "$object" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -xE "$banned")
done < <(find "$objects/stack" -name '*.o' 2>/dev/null)

[ "$offences" = 0 ]
