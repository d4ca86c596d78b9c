#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# redis-server with threads for its sockets and a background save, redis-cli and redis-benchmark

load helper

setup_file() {
	make_root
	command -v redis-server >/dev/null || return 0
	topo_up
	mkdir -p "$BATS_FILE_TMPDIR/peer"
	start_daemon peer "${SERVER[@]}" --dir "$BATS_FILE_TMPDIR/peer"
	wait_port peer 6379
}

SERVER=(redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --io-threads 2 --io-threads-do-reads yes)

setup() {
	needs redis-server redis-cli redis-benchmark
	CLI=(redis-cli -h "$US")
	mkdir -p "$BATS_TEST_TMPDIR/data"
}

server() {
	start_bg server shim "${SERVER[@]}" --dir "$BATS_TEST_TMPDIR/data" "$@"
	wait_open peer "$US" 6379
}

# benchmark PLACE HOST: each kind of request is done, and none is an error.
benchmark() {
	run --separate-stderr "$1" redis-benchmark -h "$2" -n 1000 -c 20 -d 100 -P 4 -t set,get,incr,lpush,lrange_100 --csv
	assert_status 0
	assert_eq "$(grep -cE '^"(SET|GET|INCR|LPUSH|LRANGE_100 [^"]*|LPUSH [^"]*)","[1-9]' <<<"$output")" 6 "$output$stderr"
	[[ $output$stderr != *rror* ]]
}

@test "redis-server: values and a pipe of commands" {
	server
	assert_eq "$(on_peer "${CLI[@]}" -x set big <"$ROOT/5m")" OK
	assert_eq "$(on_peer "${CLI[@]}" get big | head -c 5000000 | sha256)" "$SUM"
	for i in {1..2000}; do
		echo "SET key:$i value:$i"
	done >"$BATS_TEST_TMPDIR/commands"
	run on_peer "${CLI[@]}" --pipe <"$BATS_TEST_TMPDIR/commands"
	assert_status 0
	assert_match "$output" 'errors: 0, replies: 2000'
	assert_eq "$(on_peer "${CLI[@]}" get key:1777)" value:1777
	assert_eq "$(on_peer "${CLI[@]}" dbsize)" 2001
}

@test "redis-server: a background save under load, and what it saved" {
	server
	assert_eq "$(on_peer "${CLI[@]}" -x set big <"$ROOT/5m")" OK
	start_bg load on_peer redis-benchmark -h "$US" -n 4000 -c 10 -P 4 -t set -q
	assert_eq "$(on_peer "${CLI[@]}" bgsave)" 'Background saving started'
	wait_for 'on_peer "${CLI[@]}" info persistence | grep -q "rdb_bgsave_in_progress:0"' 20
	on_peer "${CLI[@]}" info persistence | grep -q 'rdb_last_bgsave_status:ok'
	wait_bg load
	assert_status 0
	stop_bg server
	server
	assert_eq "$(on_peer "${CLI[@]}" get big | head -c 5000000 | sha256)" "$SUM"
}

@test "redis-server: a subscriber" {
	server
	start_bg subscriber on_peer "${CLI[@]}" subscribe news
	wait_for 'grep -q subscribe "$(out subscriber)"'
	assert_eq "$(on_peer "${CLI[@]}" publish news hello)" 1
	wait_for 'grep -q hello "$(out subscriber)"'
}

@test "redis-server: a replica of the peer's" {
	on_peer redis-cli set copied yes
	server --replicaof "$PEER" 6379
	wait_for '[ "$(on_peer "${CLI[@]}" get copied)" = yes ]' 20
	on_peer redis-cli set later too
	wait_for '[ "$(on_peer "${CLI[@]}" get later)" = too ]'
}

@test "redis-server: the peer's redis-benchmark" {
	server
	benchmark on_peer "$US"
}

@test "redis-benchmark: the peer's redis-server" { benchmark shim "$PEER"; }

@test "redis-cli: the peer's redis-server" {
	CLI=(redis-cli -h "$PEER")
	assert_eq "$(shim "${CLI[@]}" -x set big <"$ROOT/5m")" OK
	assert_eq "$(shim "${CLI[@]}" get big | head -c 5000000 | sha256)" "$SUM"
	run shim "${CLI[@]}" --no-raw eval 'return {1, "two"}' 0
	assert_eq "$output" '1) (integer) 1
2) "two"'
}
