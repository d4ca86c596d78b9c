# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# helper.bash - what every end-to-end test stands on; the first line of a file is `load helper`
#
#   namespace us                         namespace peer
#   us0, no kernel address  ---veth---   peer0 10.77.0.1/24, the kernel's stack, real servers; also 10.99.0.1
#   our host is 10.77.0.2
#
# All of it lives in the private namespaces that tests/run makes, under fixed names. The peer is Linux itself and thus
# the referee. With E2E_BASELINE=kernel the kernel holds 10.77.0.2 too and `shim` runs its program unaltered: that proves
# a test right before it judges us. Tests about the command itself are skipped then (needs_product).
#
# Nothing here sleeps: wait_for polls a condition against a deadline.

bats_require_minimum_version 1.5.0

# Where this file and its programs are; tests of another folder stand on it too.
E2E_DIR=${BASH_SOURCE[0]%/*}
: "${WIRESHIM_BUILD:=$E2E_DIR/../../build}"
WIRESHIM=$WIRESHIM_BUILD/wireshim
PEER=10.77.0.1
US=10.77.0.2
FAR=10.99.0.1
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=$(command -v python3)

# A foreign proxy, locale or configuration is not what is under test.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy
export LC_ALL=C.UTF-8 CURL_HOME=/nonexistent PYTHONDONTWRITEBYTECODE=1

# The programs under the shim leak as they like; wireshim itself must not (asan.wireshim turns the check on again).
export ASAN_OPTIONS=detect_leaks=0:log_path=$BATS_FILE_TMPDIR/asan:include_if_exists=$E2E_DIR/asan.%b
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$BATS_FILE_TMPDIR/ubsan

CAPTURE=$BATS_FILE_TMPDIR/us.pcapng
SHIM_OPTS=(--dev us0 --addr "$US/24" --gateway "$PEER" --dns "$PEER" --capture "$CAPTURE")

# A descriptor that never becomes readable, to wait on.
exec {NEVER}<> <(:)

is_baseline() { [ "${E2E_BASELINE-}" = kernel ]; }

needs_product() {
	if is_baseline; then
		skip "about wireshim itself"
	fi
}

# A tcpdump that captures gives up the rights of root first, by setgroups(2); a user namespace may not let it.
needs_dump() {
	command -v tcpdump >/dev/null || skip "tcpdump is not installed"
	[ "$(cat /proc/self/setgroups)" = allow ] || skip "tcpdump cannot change its user in this namespace"
}

# --- namespaces -------------------------------------------------------------------------------------------------------

# netns_add NAME: a namespace with its loopback up and nothing but IPv4.
netns_add() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	# shellcheck disable=SC2016 # expanded by the inner shell
	nsenter --net="/run/netns/$1" sh -c \
		'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -e "$f" ] || echo 1 >"$f"; done'
}

# topo_up [MTU]: us and peer as in the picture above.
topo_up() {
	local mtu=${1:-1500}

	topo_down
	netns_add us
	netns_add peer
	ip link add us0 netns us type veth peer name peer0 netns peer
	ip -n us link set us0 mtu "$mtu" up
	ip -n peer link set peer0 mtu "$mtu" up
	ip -n peer addr add "$PEER/24" dev peer0
	ip -n peer addr add "$FAR/32" dev lo
	kernel_address us us0 "$US/24" "$PEER"
}

# kernel_address NS DEV ADDR/LEN [GATEWAY]: the reference's configuration, where there is one.
kernel_address() {
	is_baseline || return 0
	ip -n "$1" addr add "$3" dev "$2"
	[ -z "${4-}" ] || ip -n "$1" route add default via "$4"
}

# Ends every process of ours and removes the namespaces. A host that was asked politely checks itself for leaks; a
# process that does not end is a failure.
topo_down() {
	local ns stuck=0

	for ns in us peer two far; do
		[ -e "/run/netns/$ns" ] || continue
		signal_netns TERM "$ns"
		if ! wait_for "[ -z \"\$(ip netns pids $ns)\" ]" 10; then
			stuck=1
			ip netns pids "$ns" | xargs -r ps -o pid,stat,wchan:20,args -p
			signal_netns KILL "$ns"
		fi
		ip netns del "$ns"
	done
	[ "$stuck" = 0 ]
}

signal_netns() {
	local pids

	pids=$(ip netns pids "$2")
	# shellcheck disable=SC2086 # a list
	[ -z "$pids" ] || kill -"$1" $pids 2>/dev/null || true
}

# Fails when a sanitizer had something to say about any process of the file.
check_sanitizers() {
	local report found=0

	for report in "$BATS_FILE_TMPDIR"/asan.* "$BATS_FILE_TMPDIR"/ubsan.*; do
		[ -s "$report" ] || continue
		sed "s/^/${report##*/}: /" "$report" | head -n 60
		found=1
	done
	[ "$found" = 0 ]
}

teardown_file() {
	local bad=0

	topo_down || bad=1
	check_sanitizers || bad=1
	[ "$bad" = 0 ]
}

# --- programs ---------------------------------------------------------------------------------------------------------

# Sets `command` to what runs the words behind on_us, on_peer, on_two, shim or shim2; each of them only execs, so
# that the process keeps its id from here to the program.
place() {
	local where=$1

	shift
	case $where in
	on_*) command=(nsenter "--net=/run/netns/${where#on_}" -- "$@") ;;
	shim) command=(nsenter --net=/run/netns/us -- "$WIRESHIM" run "${SHIM_OPTS[@]}" -- "$@") ;;
	shim2) command=(nsenter --net=/run/netns/two -- "$WIRESHIM" run "${SHIM2_OPTS[@]}" -- "$@") ;;
	esac
	if is_baseline; then
		case $where in
		shim) place on_us "$@" ;;
		shim2) place on_two "$@" ;;
		esac
	fi
}

# on_us, on_peer, on_far CMD: with the kernel's stack of that namespace. shim, shim2 CMD: over ours. LIMIT is in seconds.
placed() {
	local command

	place "$@"
	timeout -k 2 "${LIMIT:-30}" "${command[@]}"
}
on_us() { placed on_us "$@"; }
on_peer() { placed on_peer "$@"; }
on_two() { placed on_two "$@"; }
on_far() { placed on_far "$@"; }
shim() { placed shim "$@"; }
shim2() { placed shim2 "$@"; }

# The bare command, in our namespace: wireshim run --dev us0 ...
wireshim() { on_us "$WIRESHIM" "$@"; }

declare -gA BG=()

# start_bg NAME PLACE CMD...: in the background, PLACE as above; its output is in $(out NAME), $(err NAME), its input
# comes from the file STDIN.
start_bg() {
	local name=$1 command

	shift
	place "$@"
	"${command[@]}" <"${STDIN:-/dev/null}" >"$(out "$name")" 2>"$(err "$name")" 3>&- &
	BG[$name]=$!
}
out() { echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/$1.out"; }
err() { echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/$1.err"; }

# stop_bg NAME [SIGNAL]: ends it and leaves its status in `status`.
stop_bg() {
	kill -"${2:-TERM}" "${BG[$1]}" 2>/dev/null || true
	wait_bg "$1"
}

# wait_bg NAME: waits for its end; `status` is its exit status.
wait_bg() {
	wait_for "! is_running ${BG[$1]}" "${LIMIT:-30}" || kill -KILL "${BG[$1]}"
	status=0
	wait "${BG[$1]}" || status=$?
	unset "BG[$1]"
}

is_running() {
	local stat

	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	[[ $stat != *") Z "* ]]
}

# What a failure leaves to look at.
keep_evidence() {
	local name kept=$WIRESHIM_BUILD/failed/${BATS_TEST_FILENAME##*/}.$BATS_TEST_NUMBER ns

	for name in "${!BG[@]}"; do
		tail -v -n 20 "$(out "$name")" "$(err "$name")"
	done
	rm -rf "$kept"
	mkdir -p "$kept"
	for ns in us two; do
		[ -e "/run/netns/$ns" ] || continue
		nsenter --net="/run/netns/$ns" timeout 5 "$WIRESHIM" status >"$kept/status.$ns" 2>&1
		ip netns pids "$ns" | xargs -r ps -o pid,stat,wchan:20,args -p >"$kept/processes.$ns"
	done
	[ ! -e /run/netns/peer ] || nsenter --net=/run/netns/peer ss -Htuaneio >"$kept/sockets.peer" 2>&1
	cp "$BATS_TEST_TMPDIR"/*.{out,err,pcapng,pcap} "$CAPTURE" "$kept" 2>/dev/null
	echo "output, state of the hosts and of the peer's sockets, capture: $kept"
}

teardown() {
	local name

	if [ -z "${BATS_TEST_COMPLETED-}" ] && [ -z "${BATS_TEST_SKIPPED-}" ]; then
		keep_evidence || true
	fi
	for name in "${!BG[@]}"; do
		stop_bg "$name"
	done
}

# A user without rights, where this machine has more users than us and they may execute the build.
AS_NOBODY=(setpriv --reuid 65534 --regid 65534 --clear-groups)
can_be_nobody() {
	[ "$(awk '{ print $3; exit }' /proc/self/uid_map)" -gt 65536 ] && "${AS_NOBODY[@]}" test -x "$WIRESHIM"
}

# --- waiting ----------------------------------------------------------------------------------------------------------

# wait_for CONDITION [SECONDS]: evaluates it every 20 ms until it holds; fails after SECONDS (20).
wait_for() {
	local end=$((${EPOCHREALTIME/./} + ${2:-20} * 1000000))

	until eval "$1"; do
		if [ "${EPOCHREALTIME/./}" -gt "$end" ]; then
			echo "waited ${2:-20} s in vain for: $1"
			return 1
		fi
		read -rt 0.02 -u "$NEVER" || true
	done
}

# wait_port NS PORT [udp]: until a kernel socket of that namespace listens there.
wait_port() {
	wait_for "[ -n \"\$(nsenter --net=/run/netns/$1 ss -Hn${3:+u}${3:-t}l 'sport = :$2' 2>/dev/null)\" ]"
}

# wait_open FROM ADDRESS PORT: until a connection from the kernel of namespace FROM is accepted (and closed again).
wait_open() {
	wait_for "nsenter --net=/run/netns/$1 nc -z -w 1 $2 $3 2>/dev/null" 15
}

# --- servers on the peer ----------------------------------------------------------------------------------------------

# start_nginx DIR: serves DIR on port 80 and, with a certificate of its own in DIR/cert.pem, on 443 and, with HTTP/2 too,
# on 8443.
start_nginx() {
	local dir=$1 base=$BATS_FILE_TMPDIR/nginx

	mkdir -p "$base"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.test -addext "subjectAltName=DNS:www.test,IP:$PEER" \
		-keyout "$base/key.pem" -out "$dir/cert.pem" 2>/dev/null
	cat >"$base/nginx.conf" <<-END
		user root root;
		worker_processes 1;
		daemon off;
		pid $base/nginx.pid;
		error_log $base/error.log;
		events { worker_connections 512; }
		http {
			access_log $base/access.log;
			client_body_temp_path $base/body; proxy_temp_path $base/proxy; fastcgi_temp_path $base/fastcgi;
			uwsgi_temp_path $base/uwsgi; scgi_temp_path $base/scgi;
			sendfile on;
			server {
				listen 80;
				listen 443 ssl;
				listen 8443 ssl http2;
				ssl_certificate $dir/cert.pem;
				ssl_certificate_key $base/key.pem;
				root $dir;
			}
		}
	END
	nsenter --net=/run/netns/peer nginx -e "$base/error.log" -c "$base/nginx.conf" >"$base/out" 2>&1 3>&- </dev/null &
	wait_port peer 80
}

# start_http NS DIR PORT: python's server, for GET.
start_http() {
	nsenter --net="/run/netns/$1" "$PYTHON" -u -m http.server -d "$2" "$3" >"$BATS_FILE_TMPDIR/http.$3" 2>&1 3>&- </dev/null &
	wait_port "$1" "$3"
}

# start_sink NS PORT: answers PUT and POST with the checksum of the body.
start_sink() {
	nsenter --net="/run/netns/$1" "$PYTHON" "$E2E_DIR/sink.py" "$2" >"$BATS_FILE_TMPDIR/sink.$2" 2>&1 3>&- </dev/null &
	wait_port "$1" "$2"
}

# start_daemon NS CMD...: anything else that serves a whole file; wait for its port afterwards.
start_daemon() {
	nsenter --net="/run/netns/$1" "${@:2}" >"$BATS_FILE_TMPDIR/daemon.${2##*/}" 2>&1 3>&- </dev/null &
}

# --- content ----------------------------------------------------------------------------------------------------------

# make_file PATH BYTES: incompressible content, the same in every run.
make_file() {
	openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c "$2" >"$1"
}

# dissect OPTION...: the capture through tshark, less the comment that it makes on being run by root.
dissect() {
	{ tshark -n -r "$CAPTURE" "$@" 2>&1 >&4 | sed '/^Running as user "root"/d' >&2; return "${PIPESTATUS[0]}"; } 4>&1
}

sha256() { sha256sum "$@" | cut -d' ' -f1; }

# --- assertions -------------------------------------------------------------------------------------------------------

# assert_eq GOT WANTED [WHAT]
assert_eq() {
	if [ "$1" != "$2" ]; then
		printf '%s: got "%s", wanted "%s"\n' "${3:-value}" "$1" "$2"
		return 1
	fi
}

# assert_match GOT REGEX [WHAT]
assert_match() {
	if ! [[ $1 =~ $2 ]]; then
		printf '%s: got "%s", wanted a match of "%s"\n' "${3:-value}" "$1" "$2"
		return 1
	fi
}

refute() {
	if "$@"; then
		echo "succeeded and should not have: $*"
		return 1
	fi
}

# assert_status WANTED: what the last `run` or wait_bg left.
assert_status() {
	if [ "$status" != "$1" ]; then
		printf 'exit status %s, wanted %s; output:\n%s\n%s\n' "$status" "$1" "${output-}" "${stderr-}"
		return 1
	fi
}

# The names of errno values are what the programs below print.
# connect_errno PLACE ADDRESS PORT: prints the error of a TCP connect(), "OK" without one.
connect_errno() {
	"$1" "$PYTHON" -c '
import errno, socket, sys
s = socket.socket()
e = s.connect_ex((sys.argv[1], int(sys.argv[2])))
print(errno.errorcode[e] if e else "OK")' "$2" "$3"
}
