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
	start_daemon peer socat TCP4-LISTEN:7,fork,reuseaddr PIPE
	wait_port peer 7
	cc -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/start" "$E2E_DIR/progs/start.c"
	cc -o "$BATS_FILE_TMPDIR/family" "$E2E_DIR/progs/family.c"
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

# Where the sites of libc are not known, what libc executes itself has the environment as it is.
knows_sites() {
	local libc

	libc=$(getconf GNU_LIBC_VERSION)
	[ "$(uname -m)" = x86_64 ] && [ "$(printf '%s\n' "${libc##* }" 2.41 | sort -V | head -n 1)" != 2.41 ]
}

@test "system, popen, vfork, a system call by number and libc's own functions" {
	local how

	knows_sites || skip "the system-call sites of this libc are not known"
	for how in system popen vfork number handle handle_spawn; do
		started "$how"
	done
}

# A program whose files name what its compiler was: none of these is executed.
make_escapes() {
	cc -x c -o "$BATS_TEST_TMPDIR/dynamic" - <<<'int main(void) { return 7; }'
	cc -x c -static -o "$BATS_TEST_TMPDIR/static" - <<<'int main(void) { return 7; }'
	echo note >"$BATS_TEST_TMPDIR/note"
	objcopy --add-section .note.go.buildid="$BATS_TEST_TMPDIR/note" "$BATS_TEST_TMPDIR/dynamic" "$BATS_TEST_TMPDIR/go"
	objcopy --add-section .go.buildinfo="$BATS_TEST_TMPDIR/note" "$BATS_TEST_TMPDIR/static" "$BATS_TEST_TMPDIR/gostatic"
	printf '#!%s/go -x\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/script"
	chmod +x "$BATS_TEST_TMPDIR/script"
}

needs_objcopy() {
	command -v objcopy >/dev/null || skip "objcopy is not installed"
}

@test "run refuses a static program, a Go program and a script of one" {
	local name

	needs_product
	needs_objcopy
	make_escapes
	for name in static gostatic go script; do
		run --separate-stderr shim "$BATS_TEST_TMPDIR/$name"
		assert_status 2
		assert_eq "${#stderr_lines[@]}" 1
		case $name in
		static) assert_match "$stderr" "/static' is statically linked: .*kernel's stack" ;;
		*) assert_match "$stderr" "/go(static)?' is a Go program: .*kernel's stack" ;;
		esac
	done
	run shim "$BATS_TEST_TMPDIR/dynamic"
	assert_status 7
}

@test "a static or Go program started by another is told of, once" {
	local how name

	needs_product
	needs_objcopy
	make_escapes
	for how in execve execvp execveat posix_spawnp; do
		for name in static go script; do
			run --separate-stderr shim "$BATS_FILE_TMPDIR/start" "$how" "$BATS_TEST_TMPDIR/$name" 1 2
			assert_status 7
			assert_eq "${#stderr_lines[@]}" 1 "$how $name"
			assert_match "$stderr" "^wireshim\\[[0-9]+\\]: '.*/(static' is statically linked|go' is a Go program): it talks"
		done
	done
	run --separate-stderr shim env PATH="$BATS_TEST_TMPDIR:$PATH" static
	assert_match "$stderr" "/static' is statically linked"
	run --separate-stderr shim env WIRESHIM_LOG=off sh -c "$BATS_TEST_TMPDIR/static; exit \$?"
	assert_status 7
	assert_eq "$stderr" ''
	run --separate-stderr shim env -i "$BATS_TEST_TMPDIR/dynamic"
	assert_status 7
	assert_eq "$stderr" ''
}

# A folder that every user may enter, with copies of "secure" that gain rights in each way.
make_gainers() {
	dir=$(mktemp -d)
	chmod 755 "$dir"
	cc -o "$dir/plain" "$E2E_DIR/progs/secure.c" &&
		install -m 4755 -o 65534 "$dir/plain" "$dir/setuid" &&
		install -m 4711 -o 65534 "$dir/plain" "$dir/unreadable" &&
		install -m 4755 "$dir/plain" "$dir/setuid-root" &&
		install -m 2755 -g 65534 "$dir/plain" "$dir/setgid" &&
		cp "$dir/plain" "$dir/capable" &&
		setcap cap_net_raw+ep "$dir/capable"
}

teardown() { [ -z "${dir-}" ] || rm -rf "$dir"; }

@test "a program that gains rights is refused by run, and told of behind another" {
	local secure as name told

	needs_product
	make_gainers || skip "no root that may give files away"
	for as in same real effective nnp; do
		for name in plain setuid unreadable setuid-root setgid capable; do
			secure=0
			"$dir/plain" "$as" "$dir/$name" || secure=$?
			run --separate-stderr shim "$dir/plain" "$as" "$dir/$name"
			assert_status "$secure"
			told=0
			[ "$stderr" = "" ] || told=7
			assert_eq "$told" "$secure" "$as $name: $stderr"
			[ "$told" = 0 ] || assert_match "$stderr" "^wireshim\\[[0-9]+\\]: '$dir/$name' gains rights .*the kernel's stack\$"
		done
	done
	run shim "$dir/setuid"
	assert_status 2
	assert_match "$output" "^wireshim: '$dir/setuid' gains rights .*: it would ignore"
	run shim "$dir/setuid-root"
	assert_status 0
	run shim sh -c "$dir/setuid; $dir/capable; exit 0"
	assert_eq "$(grep -c "'$dir/setuid' gains rights" <<<"$output")" 1
	assert_eq "${#lines[@]}" 1
}

@test "families: double fork, CLONE_FILES, CLONE_VM, RTLD_NEXT, calls by number" {
	local how

	for how in plain next number orphan files vm; do
		run shim "$BATS_FILE_TMPDIR/family" "$how" "$PEER" 7
		assert_status 0
		assert_eq "$output" word "$how"
	done
	run shim "$BATS_FILE_TMPDIR/family" closed "$PEER" 7
	assert_status 0
	assert_eq "$output" $'word\nfile'
}

@test "there is no io_uring" {
	needs_product
	run shim "$BATS_FILE_TMPDIR/family" ring "$PEER" 7
	assert_eq "$output" "Function not implemented"
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
