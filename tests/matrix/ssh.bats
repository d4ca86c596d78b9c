#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# OpenSSH: sshd, ssh, scp and sftp, each end in turn over our stack

load helper

setup_file() {
	make_root
	command -v sshd ssh >/dev/null || return 0
	export KEYS=$BATS_FILE_TMPDIR/keys
	mkdir -m 700 "$KEYS"
	ssh-keygen -q -t ed25519 -N '' -f "$KEYS/host"
	ssh-keygen -q -t ed25519 -N '' -f "$KEYS/user"
	cp "$KEYS/user.pub" "$KEYS/authorized"
	{ printf '[%s]:2222 ' "$PEER" && cat "$KEYS/host.pub"; printf '[%s]:2222 ' "$US" && cat "$KEYS/host.pub"; } >"$KEYS/known"
	mkdir -p /run/sshd
	topo_up
	nsenter --net=/run/netns/peer "${SSHD[@]}" >"$BATS_FILE_TMPDIR/sshd.out" 2>&1 3>&- </dev/null &
	wait_port peer 2222
}

# sshd wants to be called by its full path, with which it executes itself for each connection.
SSHD=("$(command -v sshd)" -D -e -p 2222 -f /dev/null -h "$BATS_FILE_TMPDIR/keys/host" -o StrictModes=no -o PidFile=none
	-o "AuthorizedKeysFile=$BATS_FILE_TMPDIR/keys/authorized" -o PermitRootLogin=yes -o UsePAM=no
	-o "Subsystem=sftp internal-sftp")

setup() {
	needs sshd ssh scp sftp
	can_be_nobody || skip "only one user here"
	OPTIONS=(-F none -i "$KEYS/user" -o BatchMode=yes -o "UserKnownHostsFile=$KEYS/known" -o LogLevel=ERROR -o IdentitiesOnly=yes)
}

server() {
	start_bg server shim "${SSHD[@]}"
	wait_open peer "$US" 2222
}

# The work, by a client at PLACE with the server HOST.
commands() {
	local ssh=(ssh "${OPTIONS[@]}" -p 2222 "root@$2")

	assert_eq "$("$1" "${ssh[@]}" sha256sum <"$ROOT/5m" | cut -d' ' -f1)" "$SUM"
	"$1" "${ssh[@]}" "cat $ROOT/5m; exit 7" >"$BATS_TEST_TMPDIR/got" || status=$?
	assert_status 7
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
	run "$1" "${ssh[@]}" -tt tty
	assert_match "$output" /dev/pts/
}

copies() {
	local options=("${OPTIONS[@]}" -q -P 2222) t=$BATS_TEST_TMPDIR

	"$1" scp "${options[@]}" "$ROOT/5m" "root@$2:$t/up"
	cmp "$t/up" "$ROOT/5m"
	"$1" scp -O "${options[@]}" "root@$2:$ROOT/part*" "$t"
	cmp "$t/part1" "$ROOT/part1"
	cmp "$t/part10" "$ROOT/part10"
}

transfers() {
	local t=$BATS_TEST_TMPDIR

	printf '%s\n' "put $ROOT/5m $t/up" "get $ROOT/5m $t/down" "ls -1 $ROOT" >"$t/batch"
	run "$1" sftp "${OPTIONS[@]}" -P 2222 -b "$t/batch" "root@$2"
	assert_status 0
	assert_match "$output" part10
	cmp "$t/up" "$ROOT/5m"
	cmp "$t/down" "$ROOT/5m"
}

@test "ssh: to the peer's sshd" { commands shim "$PEER"; }
@test "scp: to and from the peer's sshd" { copies shim "$PEER"; }
@test "sftp: to and from the peer's sshd" { transfers shim "$PEER"; }

@test "sshd: the peer's ssh" {
	server
	commands on_peer "$US"
}

@test "sshd: the peer's scp" {
	server
	copies on_peer "$US"
}

@test "sshd: the peer's sftp" {
	server
	transfers on_peer "$US"
}

@test "sshd: forwards a port to the peer" {
	server
	start_http peer "$ROOT" 8000
	start_bg forward on_peer ssh "${OPTIONS[@]}" -N -L "127.0.0.1:9000:$PEER:8000" -p 2222 "root@$US"
	wait_port peer 9000
	on_peer curl -sSf --parallel --parallel-immediate -o "$BATS_TEST_TMPDIR/got" http://127.0.0.1:9000/5m \
		-o "$BATS_TEST_TMPDIR/got2" http://127.0.0.1:9000/part2
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
	cmp "$BATS_TEST_TMPDIR/got2" "$ROOT/part2"
}
