#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Nothing but LD_PRELOAD and the settings in the environment

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	make_file "$ROOT/10m" 10000000
	topo_up
	is_baseline || start_nginx "$ROOT"
}

setup() {
	needs_product
	LIBRARY=$WIRESHIM_BUILD/libwireshim.so
	case ${SANITIZE-} in
	# The runtime has to come first.
	*address*) LIBRARY="$(ldd "$LIBRARY" | awk '/libasan|libclang_rt/ { print $3; exit }') $LIBRARY" ;;
	esac
	SETTINGS=("WIRESHIM_DEV=us0" "WIRESHIM_ADDR=$US/24" "WIRESHIM_GATEWAY=$PEER" "WIRESHIM_CAPTURE=$CAPTURE")
}

preloaded() { on_us env "${SETTINGS[@]}" "LD_PRELOAD=$LIBRARY" "$@"; }

@test "the library needs nothing but libc and exports nothing but calls" {
	local name

	case ${SANITIZE-} in ?*) skip "runtime libraries are linked in" ;; esac
	assert_eq "$(readelf -d "$LIBRARY" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')" libc.so.6
	for name in $(nm -D --defined-only "$LIBRARY" | awk '{ print $3 }'); do
		grep -qE "^[[:space:]]*SYM\([^,]*, *$name *," "$BATS_TEST_DIRNAME/../../shim/program/syms.def" ||
			{ echo "exports $name"; return 1; }
	done
}

@test "curl" {
	preloaded curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
	run preloaded curl -sS -o /dev/null -w '%{local_ip}' "http://$PEER/10m"
	assert_eq "$output" "$US"
}

@test "a family of programs shares one host" {
	start_bg server on_us env "${SETTINGS[@]}" "LD_PRELOAD=$LIBRARY" "$PYTHON" -u -m http.server -d "$ROOT" 8001
	wait_open peer "$US" 8001
	preloaded curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$US:8001/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
}

@test "the host as a thread of the program" {
	topo_down
	topo_up
	start_nginx "$ROOT"
	run preloaded env WIRESHIM_HOST=thread curl -sS -o "$BATS_TEST_TMPDIR/got" -w '%{local_ip}' "http://$PEER/10m"
	assert_status 0
	assert_eq "$output" "$US"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
	# No process of a host stays behind, not even for TIME-WAIT.
	wait_for '[ -z "$(ip netns pids us)" ]'
}

@test "a program that makes no connection runs as ever" {
	assert_eq "$(preloaded echo hello)" hello
	assert_eq "$(preloaded sh -c 'echo a | tr a b')" b
}

# as_ever CMD...: the same output, errors and exit status with and without the library, placed as HOW says.
as_ever() {
	local how got want

	run --separate-stderr on_us "$@" <<<"input"
	want="$status|$output|$stderr"
	for how in ${HOW:-preloaded}; do
		run --separate-stderr "$how" "$@" <<<"input"
		got="$status|$output|$stderr"
		assert_eq "$got" "$want" "$how $*"
	done
}

@test "a program that uses no network has the same output, errors and exit status" {
	HOW="shim preloaded" as_ever true
	HOW="shim preloaded" as_ever sh -c 'kill -TERM $$'
	as_ever sh -c 'exit 37'
	HOW="shim preloaded" as_ever sh -c 'cat; echo two >&2; ls /nonexistent'
	as_ever sort /etc/passwd
	as_ever awk 'BEGIN { while ("echo a b" | getline x) print x; exit 3 }'
	as_ever "$PYTHON" -c 'import subprocess, sys; print(subprocess.run(["id", "-u"]).returncode); sys.exit("out")'
	as_ever perl -e 'print scalar(localtime(0)), "\n"; die "at the end\n"'
	as_ever bash -c 'set -o pipefail; seq 3 | sed 1q; echo "${PIPESTATUS[*]}"; wait'
	# No descriptor, thread, signal handler or blocked signal of ours.
	as_ever ls /proc/self/fd
	as_ever sh -c 'ulimit -a; pwd; umask'
	case ${SANITIZE-} in ?*) return 0 ;; esac # a runtime has handlers of its own
	as_ever grep -E '^(Threads|Sig(Blk|Ign|Cgt)|FDSize|NoNewPrivs|Seccomp|Umask)' /proc/self/status
}

@test "without a host no program is moved to the kernel's stack" {
	ip -n us addr add 10.77.0.3/24 dev us0
	on_us curl -sS -o /dev/null "http://$PEER/10m?kernel"
	SETTINGS=(WIRESHIM_DEV=nosuch0 "WIRESHIM_ADDR=10.77.0.8/24")
	run --separate-stderr preloaded curl -sS -o /dev/null "http://$PEER/10m?moved"
	[ "$status" != 0 ]
	assert_match "$stderr" 'wireshim: .*nosuch0'
	refute grep -q moved "$BATS_FILE_TMPDIR/nginx/access.log"
	ip -n us addr del 10.77.0.3/24 dev us0
}

@test "a setting that is none is an error, not ignored" {
	SETTINGS=(WIRESHIM_DEV=us0 WIRESHIM_ADDR=nonsense)
	run --separate-stderr preloaded curl -sS -o /dev/null "http://$PEER/10m"
	[ "$status" != 0 ]
	assert_match "$stderr" 'wireshim: .*nonsense'
}
