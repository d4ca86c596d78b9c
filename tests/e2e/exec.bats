#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs started with an environment that knows nothing of us are ours all the same

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo hello >"$ROOT/hello"
	topo_up
	start_http peer "$ROOT" 8001
	cc -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/start" "$E2E_DIR/progs/start.c"
}

URL=http://$PEER:8001/hello

# started HOW: curl, started by that call with an empty environment, and once more by itself.
started() {
	run shim "$BATS_FILE_TMPDIR/start" "$1" /usr/bin/curl -sS "$URL"
	assert_status 0
	assert_eq "$output" hello "$1"
}

@test "execve, execle, execvpe, fexecve, execveat, posix_spawn and posix_spawnp with an environment of their own" {
	local how

	for how in execve execle execvpe fexecve execveat posix_spawn posix_spawnp; do
		started "$how"
	done
}

@test "execv, execvp, execl and execlp after clearenv" {
	local how

	for how in execv execvp execl execlp; do
		started "$how"
	done
}

@test "env -i" {
	run shim env -i /usr/bin/curl -sS "$URL"
	assert_status 0
	assert_eq "$output" hello
}

@test "through three generations" {
	run shim env -i /usr/bin/env -i /bin/sh -c "env -i /usr/bin/curl -sS $URL"
	assert_status 0
	assert_eq "$output" hello
}

@test "nothing else is added, the program's own preload stays" {
	needs_product
	run shim env -i A=1 LD_PRELOAD=libm.so.6 WIRESHIM_LOG=off /usr/bin/env
	assert_status 0
	assert_eq "$(grep -v '^WIRESHIM_\|^ASAN_\|^UBSAN_' <<<"$output" | sed 's|=.*/libwireshim.so|=ours|')" "LD_PRELOAD=ours:libm.so.6
A=1"
	assert_eq "$(grep -c '^WIRESHIM_SOCKET=wireshim/' <<<"$output")" 1
}

@test "an environment that names us is left as it is" {
	needs_product
	run shim env -u WIRESHIM_LOOPBACK /usr/bin/env
	assert_status 0
	[[ $output != *WIRESHIM_LOOPBACK* ]]
}
