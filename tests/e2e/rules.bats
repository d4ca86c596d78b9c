#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Kernel or us: rules by program, protocol and address; the reason can be seen, and what is wrong is refused

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo "the peer's page" >"$ROOT/page"
	mkdir "$BATS_FILE_TMPDIR/local"
	echo "the kernel's page" >"$BATS_FILE_TMPDIR/local/page"
	topo_up
	# An address that is the kernel's in our namespace, and the peer's to whoever asks over the wire.
	ip -n us addr add 192.0.2.1/32 dev lo
	ip -n peer addr add 192.0.2.1/32 dev lo
	start_http peer "$ROOT" 8080
	start_http peer "$ROOT" 8081
	start_http us "$BATS_FILE_TMPDIR/local" 8081
	start_answer peer 5000 "from the peer"
	start_answer us 5001 "from the kernel"
	wait_port peer 5000 udp
	wait_port us 5001 udp
}

setup() { needs_product; }

# start_answer NS PORT TEXT: each datagram is answered with it.
start_answer() {
	start_daemon "$1" "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[1])))
while True:
    s.sendto(sys.argv[2].encode(), s.recvfrom(100)[1])' "$2" "$3"
}

# ruled RULE... -- CMD...: under the shim with these rules.
ruled() {
	local options=()

	while [ "$1" != -- ]; do
		options+=(--rule "$1")
		shift
	done
	on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" "${options[@]}" "$@"
}

# assert_page WHOSE RULE...: with these rules 192.0.2.1 is reached over the stack ("peer") or the kernel ("kernel").
assert_page() {
	run ruled "${@:2}" -- curl -sS --max-time 5 http://192.0.2.1:8081/page
	assert_eq "$output" "the $1's page"
}

refuse() {
	run --separate-stderr wireshim run "${SHIM_OPTS[@]}" "${@:2}" -- true
	assert_status 2
	assert_eq "$output" ''
	assert_eq "${#stderr_lines[@]}" 1 "lines of standard error"
	assert_match "$stderr" "$1"
}

@test "by remote address and port: the first rule that matches counts" {
	assert_page peer
	assert_page kernel 'kernel remote=192.0.2.0/24:8000-8090'
	assert_page peer 'stack proto=tcp' 'kernel remote=192.0.2.0/24'
	assert_page peer 'kernel remote=192.0.2.0/24:1-8080'
	assert_page kernel 'kernel remote=192.0.2.1' 'stack proto=tcp'
	assert_page peer 'kernel remote=192.0.3.0/24' 'kernel proto=udp,icmp,raw'
}

@test "127.0.0.0/8 is the kernel's by the last rule, which others precede" {
	run ruled -- curl -sS --max-time 5 http://127.0.0.1:8081/page
	assert_eq "$output" "the kernel's page"
	run ruled 'stack remote=127.0.0.0/8' -- curl -s --max-time 5 http://127.0.0.1:8081/page
	assert_status 7
}

@test "by program: its name, the name it was called by, its path" {
	assert_page kernel 'kernel program=curl'
	assert_page kernel 'kernel program=c?rl'
	assert_page kernel 'kernel program=*/curl'
	assert_page peer 'kernel program=wget' 'kernel program=/opt/*'
	ln -sf "$(command -v curl)" "$BATS_TEST_TMPDIR/fetch"
	run ruled 'kernel program=fetch' -- "$BATS_TEST_TMPDIR/fetch" -s --max-time 5 http://192.0.2.1:8081/page
	assert_eq "$output" "the kernel's page"
	# The rules outlive an environment that is built anew.
	run ruled 'kernel program=curl' -- env -i "$(command -v curl)" -s --max-time 5 http://192.0.2.1:8081/page
	assert_eq "$output" "the kernel's page"
}

@test "by protocol: a datagram socket, decided at its first send, and one that is bound before" {
	local ask='
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
if sys.argv[3:]:
    s.bind(("0.0.0.0", 0))
if sys.argv[3:] == ["connect"]:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.send(b"?")
else:
    s.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
print(s.recv(100).decode().strip())'
	run ruled 'kernel proto=udp remote=192.0.2.1' -- "$PYTHON" -c "$ask" 192.0.2.1 5001
	assert_eq "$output" "from the kernel"
	run ruled 'kernel proto=udp remote=192.0.2.1' -- "$PYTHON" -c "$ask" 192.0.2.1 5001 bind
	assert_eq "$output" "from the kernel"
	run ruled 'kernel proto=udp remote=192.0.2.1' 'stack' -- "$PYTHON" -c "$ask" 192.0.2.1 5001 connect
	assert_eq "$output" "from the kernel"
	run ruled 'stack remote=10.0.0.0/8' 'kernel' -- "$PYTHON" -c "$ask" "$PEER" 5000 bind
	assert_eq "$output" "from the peer"
	run ruled -- "$PYTHON" -c "$ask" 127.0.0.1 5001 bind
	assert_eq "$output" "from the kernel"
}

@test "by local address and port: a server is the kernel's" {
	start_bg server on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rule 'kernel local=:8090-8099' -- "$PYTHON" -u -m http.server -d "$ROOT" 8090
	wait_port us 8090
	run on_us curl -sS --max-time 5 http://192.0.2.1:8090/page
	assert_eq "$output" "the peer's page"
	assert_eq "$(connect_errno on_peer "$US" 8090)" ECONNREFUSED
}

@test "a refused socket fails with EPERM in connect, bind, listen and send" {
	run ruled 'refuse remote=10.0.0.0/8' 'refuse local=:25' 'refuse proto=tcp local=0.0.0.0:0' -- "$PYTHON" -c '
import errno, socket
def failed(call, *args):
    try:
        call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
def new(kind=socket.SOCK_STREAM):
    return socket.socket(socket.AF_INET, kind)
print(failed(new().connect, ("10.77.0.1", 8080)), failed(new().bind, ("0.0.0.0", 25)), failed(new().listen),
      failed(new(socket.SOCK_DGRAM).sendto, b"x", ("10.77.0.1", 5000)), failed(new().bind, ("0.0.0.0", 26)))'
	assert_status 0
	assert_eq "$output" "EPERM EPERM EPERM EPERM None"
}

@test "the reason is in the log and in the status" {
	start_bg fetch on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rule 'kernel remote=192.0.2.1' \
		--rule 'stack program=python3 remote=10.0.0.0/8' --rule 'refuse remote=:25' -- "$PYTHON" -u -c '
import signal, socket, sys
k = socket.create_connection(("192.0.2.1", 8081))
l = socket.create_connection(("127.0.0.1", 8081))
s = socket.create_connection((sys.argv[1], 8080))
print("up")
signal.pause()' "$PEER"
	wait_for 'grep -q up "$(out fetch)" || ! is_running "${BG[fetch]}"'
	run wireshim status
	assert_match "$(grep "$PEER:8080 ESTABLISHED" <<<"$output")" "rule 2 'stack program=python3 remote=10.0.0.0/8'$"
	assert_match "$(grep -A 99 '^left to the kernel or refused: [0-9]' <<<"$output")" \
		"[1-9] tcp connect: kernel, rule 1 'kernel remote=192.0.2.1'"
	assert_match "$output" "[1-9] tcp connect: kernel, default 'kernel remote=127.0.0.0/8'"
	stop_bg fetch
	wireshim stop
	run --separate-stderr on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --log info --rule 'refuse remote=:25' -- "$PYTHON" -c '
import socket
for where in (("127.0.0.1", 8081), ("10.77.0.1", 25)):
    s = socket.socket()
    print(s.fileno(), s.connect_ex(where))'
	assert_match "$stderr" "fd [0-9]+ tcp connect 127.0.0.1:8081: kernel, default 'kernel remote=127.0.0.0/8'"
	assert_match "$stderr" "fd [0-9]+ tcp connect 10.77.0.1:25: refuse, rule 1 'refuse remote=:25'"
}

@test "a file of rules, its comments, and its errors by line" {
	printf '# who goes where\n\n  kernel remote=192.0.2.0/24 # ours\nrefuse remote=:25\n' >"$BATS_TEST_TMPDIR/rules"
	run on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rules "$BATS_TEST_TMPDIR/rules" -- curl -sS http://192.0.2.1:8081/page
	assert_eq "$output" "the kernel's page"
	printf 'kernel remote=192.0.2.0/24\n\nkernel proto=tpc\n' >"$BATS_TEST_TMPDIR/wrong"
	refuse "^wireshim: .*/wrong:3: unknown protocol 'tpc'" --rules "$BATS_TEST_TMPDIR/wrong"
	refuse "^wireshim: --rules: cannot read '/nonexistent'" --rules /nonexistent
}

@test "a malformed rule is refused, from the command line and from the environment" {
	refuse "^wireshim: --rule: unknown verdict 'kernal'" --rule 'kernal remote=:1'
	refuse "^wireshim: --rule: unknown condition 'port=1'" --rule 'kernel port=1'
	refuse "^wireshim: --rule: there is no rule in ''" --rule ''
	refuse "^wireshim: --rule: unknown verdict 'kernel;stack'" --rule 'kernel;stack'
	refuse "^wireshim: --rule: a condition with ';'" --rule 'kernel program=a;stack'
	WIRESHIM_RULES='kernel; nonsense' refuse "^wireshim: WIRESHIM_RULES: rule 2: unknown verdict 'nonsense'"
	run --separate-stderr wireshim status --rule kernel
	assert_status 2
	assert_match "$stderr" "unknown option '--rule'"
}

@test "with nothing but LD_PRELOAD: rules apply, and malformed ones fail each socket with one line" {
	local bare=(env "WIRESHIM_DEV=us0" "WIRESHIM_ADDR=$US/24" "LD_PRELOAD=$WIRESHIM_BUILD/libwireshim.so")

	case ${SANITIZE-} in *address*) skip "the runtime has to come first" ;; esac
	run on_us env 'WIRESHIM_RULES=kernel remote=192.0.2.1' "${bare[@]}" curl -sS http://192.0.2.1:8081/page
	assert_eq "$output" "the kernel's page"
	run --separate-stderr on_us env 'WIRESHIM_RULES=kernel remote=nonsense' "${bare[@]}" "$PYTHON" -c '
import errno, socket
for where in ("127.0.0.1", 8081), ("10.77.0.1", 8080):
    print(errno.errorcode[socket.socket().connect_ex(where)])'
	assert_eq "$output" $'ENETDOWN\nENETDOWN'
	assert_eq "${#stderr_lines[@]}" 1
	assert_match "$stderr" "WIRESHIM_RULES: rule 1: 'nonsense' is not an IPv4 address"
}
