#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# PostgreSQL: a server with a process a client, psql and pgbench, each over our stack

load helper

# Debian keeps the server's programs of each version in a folder of their own.
BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
PATH=$BIN:$PATH

# It refuses to be root.
AS=(setpriv --reuid 65534 --regid 65534 --clear-groups)

setup_file() {
	make_root
	if ! command -v initdb postgres psql >/dev/null || ! can_be_nobody; then
		return 0
	fi
	export DATA=$BATS_FILE_TMPDIR/data HOME=/nonexistent
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/file" "$BATS_FILE_TMPDIR"
	install -d -o 65534 -g 65534 -m 700 "$DATA" "$DATA.peer"
	(cd / && "${AS[@]}" initdb -D "$DATA" -A trust -U test --no-sync -E UTF8 --locale=C) >"$BATS_FILE_TMPDIR/initdb" 2>&1
	echo 'host all all 10.77.0.0/24 trust' >>"$DATA/pg_hba.conf"
	cp -a "$DATA/." "$DATA.peer"
	topo_up
	cd /
	nsenter --net=/run/netns/peer "${AS[@]}" postgres -D "$DATA.peer" "${SETTINGS[@]}" >"$BATS_FILE_TMPDIR/peer.out" 2>&1 \
		3>&- </dev/null &
	wait_port peer 5432
}

SETTINGS=(-c listen_addresses=0.0.0.0 -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB -c max_connections=20
	-c logging_collector=off)

setup() {
	needs initdb postgres psql
	can_be_nobody || skip "only one user here"
	cd /
}

server() {
	start_bg server shim "${AS[@]}" postgres -D "$DATA" "${SETTINGS[@]}"
	wait_for 'on_peer pg_isready -q -h "$US" -U test -d postgres' 20
}

# work PLACE HOST: a table in, a table out, two clients at a time, an error, a notice from another one.
work() {
	local psql=(psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$2" -U test -d postgres)

	"$1" "${psql[@]}" -c 'drop table if exists t; create table t (n int primary key, word text)'
	seq 1 50000 | sed 's/.*/&\tword &/' >"$BATS_TEST_TMPDIR/table"
	"$1" "${psql[@]}" -c '\copy t from stdin' <"$BATS_TEST_TMPDIR/table"
	"$1" "${psql[@]}" -c '\copy (select * from t order by n) to stdout' >"$BATS_TEST_TMPDIR/got"
	cmp "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/table"
	run "$1" "${psql[@]}" -c 'select sum(n), count(distinct word) from t' -c 'select inet_client_addr() is not null' \
		-c 'select nonsense'
	assert_status 1
	assert_match "$output" '^1250025000\|50000
t
ERROR: .*nonsense'
}

bench() {
	command -v pgbench >/dev/null || return 0
	"$1" pgbench -q -i -n -h "$2" -U test postgres >"$BATS_TEST_TMPDIR/init" 2>&1
	run "$1" pgbench -n -c 4 -j 2 -t 25 -h "$2" -U test postgres
	assert_status 0
	assert_match "$output" 'transactions actually processed: 100/100'
	[[ $output != *'failed transactions: '[1-9]* ]]
}

@test "postgres: the peer's psql and pgbench" {
	server
	work on_peer "$US"
	bench on_peer "$US"
	stop_bg server INT
	assert_status 0
}

@test "psql: the peer's postgres, and pgbench" {
	work shim "$PEER"
	bench shim "$PEER"
}
