#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# git: clone, fetch and push over http and git://, from the peer and by the peer

load helper

setup_file() {
	make_root
	command -v git >/dev/null || return 0
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=$BATS_FILE_TMPDIR
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	# The owner of a folder is somebody else inside of a user namespace.
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
	git init -q -b main "$ROOT/work"
	cp "$ROOT/5m" "$ROOT"/part* "$ROOT/work"
	git -C "$ROOT/work" add .
	git -C "$ROOT/work" commit -qm one
	git clone -q --bare "$ROOT/work" "$ROOT/repo.git"
	git -C "$ROOT/repo.git" update-server-info
	HEAD=$(git -C "$ROOT/work" rev-parse HEAD)
	export HEAD
	topo_up
	start_http peer "$ROOT" 80
	start_daemon peer git daemon --export-all --enable=receive-pack --reuseaddr --base-path="$ROOT"
	wait_port peer 9418
}

setup() { needs git; }

# The clone in `got` is whole.
assert_clone() {
	assert_eq "$(git -C "$BATS_TEST_TMPDIR/got" rev-parse HEAD)" "$HEAD"
	git -C "$BATS_TEST_TMPDIR/got" fsck --full
	cmp "$BATS_TEST_TMPDIR/got/5m" "$ROOT/5m"
}

@test "git: clone over http" {
	shim git clone -q "http://$PEER/repo.git" "$BATS_TEST_TMPDIR/got"
	assert_clone
}

@test "git: clone over git://" {
	shim git clone -q "git://$PEER/repo.git" "$BATS_TEST_TMPDIR/got"
	assert_clone
}

@test "git: daemon, cloned from twice at once" {
	start_bg server shim git daemon --export-all --reuseaddr --base-path="$ROOT" --port=9419
	wait_open peer "$US" 9419
	start_bg second on_peer git clone -q --bare "git://$US:9419/repo.git" "$BATS_TEST_TMPDIR/second"
	on_peer git clone -q "git://$US:9419/repo.git" "$BATS_TEST_TMPDIR/got"
	assert_clone
	wait_bg second
	assert_status 0
	git -C "$BATS_TEST_TMPDIR/second" fsck --full
}

@test "git: push over git://" {
	git clone -q --bare "$ROOT/work" "$ROOT/pushed.git"
	git clone -q "$ROOT/work" "$BATS_TEST_TMPDIR/got"
	cd "$BATS_TEST_TMPDIR/got"
	cat "$ROOT/part1" "$ROOT/5m" >./more
	git add more
	git commit -qm two
	shim git push -q "git://$PEER/pushed.git" main
	assert_eq "$(git -C "$ROOT/pushed.git" rev-parse main)" "$(git rev-parse HEAD)"
	git -C "$ROOT/pushed.git" fsck --full
}
