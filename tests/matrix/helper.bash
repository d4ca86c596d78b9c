# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# helper.bash - what the matrix adds to the helper of the end-to-end tests; the first line of a file is `load helper`
#
# A test is one program that people run, unmodified, in one role, doing its real work against the kernel's stack; what
# it delivered is compared. The name begins with the program, so that a skip says what was not tested.

load ../e2e/helper

PATH=$PATH:/usr/sbin:/sbin

# needs PROGRAM...: skips, by name, what is not installed.
needs() {
	local program

	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# make_root: the files that servers have in this file's ROOT.
make_root() {
	local i

	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	echo hello >"$ROOT/hello"
	make_file "$ROOT/5m" 5000000
	for i in {1..10}; do
		make_file "$ROOT/part$i" $((i * 50000 + i))
	done
	SUM=$(sha256 "$ROOT/5m")
	export SUM
}

# fetch_from_us PORT FILE...: each of them by the kernel's curl from our server, at once, equal to the file in ROOT.
fetch_from_us() {
	local port=$1 path args=()

	shift
	for path in "$@"; do
		args+=(-o "$BATS_TEST_TMPDIR/got.$path" "http://$US:$port/$path")
	done
	on_peer curl -sSf --parallel --parallel-immediate "${args[@]}"
	for path in "$@"; do
		cmp "$BATS_TEST_TMPDIR/got.$path" "$ROOT/$path"
	done
}
