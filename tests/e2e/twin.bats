#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A listener on the wildcard address serves our network and the kernel's loopback

load helper

setup_file() {
	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	make_file "$ROOT/10m" 10000000
	topo_up
}

setup() {
	needs_product
	PROGS=$BATS_TEST_DIRNAME/progs
}

# fetch PLACE ADDRESS:PORT: the whole file arrives there.
fetch() {
	"$1" curl -sS -o "$BATS_TEST_TMPDIR/got.$1" "http://$2/10m"
	cmp "$BATS_TEST_TMPDIR/got.$1" "$ROOT/10m"
}

@test "one server is reached from the peer, from the kernel's 127.0.0.1 and from programs of ours, at once" {
	local i pids=()

	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8001
	wait_port us 8001
	wait_open peer "$US" 8001
	for i in 1 2 3; do
		on_peer curl -sS -o "$BATS_TEST_TMPDIR/p$i" "http://$US:8001/10m" 3>&- & pids+=($!)
		on_us curl -sS -o "$BATS_TEST_TMPDIR/k$i" http://127.0.0.1:8001/10m 3>&- & pids+=($!)
		shim curl -sS -o "$BATS_TEST_TMPDIR/o$i" http://127.0.0.1:8001/10m 3>&- & pids+=($!)
	done
	wait "${pids[@]}"
	for i in p1 p2 p3 k1 k2 k3 o1 o2 o3; do
		cmp "$BATS_TEST_TMPDIR/$i" "$ROOT/10m"
	done
	run wireshim status
	assert_match "$output" "0.0.0.0:8001 LISTEN[^$]*also on the kernel's 127.0.0.1"
}

@test "names, options, flags and events of a connection of the kernel's are native" {
	run shim "$PYTHON" "$PROGS/twin.py" native
	assert_status 0
	assert_eq "$output" ok
}

@test "poll and epoll wake for both; port 0 gives one number in both" {
	run shim "$PYTHON" "$PROGS/twin.py" events
	assert_status 0
	assert_eq "$output" ok
}

@test "the backlog holds on the loopback too, and closing ends both" {
	run shim "$PYTHON" "$PROGS/twin.py" backlog
	assert_status 0
	assert_eq "$output" ok
	run shim "$PYTHON" "$PROGS/twin.py" close
	assert_status 0
	assert_eq "$output" ok
}

@test "prefork processes share the listener of both worlds" {
	local i

	start_bg server shim "$PYTHON" "$PROGS/twin.py" prefork 8002
	wait_port us 8002
	wait_open peer "$US" 8002
	for i in {1..20}; do
		on_us curl -sS http://127.0.0.1:8002/
		on_peer curl -sS "http://$US:8002/"
	done >"$BATS_TEST_TMPDIR/answers"
	assert_eq "$(grep -c '^worker [0-9]* of 127.0.0.1$' "$BATS_TEST_TMPDIR/answers")" 20
	assert_eq "$(grep -c "^worker [0-9]* of $PEER$" "$BATS_TEST_TMPDIR/answers")" 20
	stop_bg server KILL
	signal_netns KILL us
	wait_for '[ "$(connect_errno on_us 127.0.0.1 8002)" = ECONNREFUSED ]'
}

@test "a port that is taken on the loopback is no error: the rest is served, and status says so" {
	start_daemon us "$PYTHON" -u -m http.server -b 127.0.0.1 8003
	wait_port us 8003
	start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8003
	wait_open peer "$US" 8003
	fetch on_peer "$US:8003"
	run wireshim status
	assert_match "$output" "0.0.0.0:8003 LISTEN[^$]*not on the kernel's 127.0.0.1: Address already in use"
	refute on_us curl -sSf http://127.0.0.1:8003/10m
}

@test "a server that comes back takes its port again in both worlds" {
	local i

	for i in 1 2 3 4 5; do
		start_bg server shim "$PYTHON" -u -m http.server -d "$ROOT" 8004
		wait_port us 8004
		wait_open peer "$US" 8004
		on_us curl -sS -o /dev/null http://127.0.0.1:8004/
		stop_bg server KILL
	done
	run shim "$PYTHON" "$PROGS/twin.py" again 8004
	assert_status 0
	assert_eq "$output" ok
}

@test "one address, a rule, or --loopback stack: no listener on the kernel's loopback" {
	run shim "$PYTHON" "$PROGS/twin.py" alone "$US"
	assert_eq "$output" "refused"
	run on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rule 'stack local=127.0.0.0/8:8005' -- "$PYTHON" "$PROGS/twin.py" alone 0.0.0.0
	assert_eq "$output" "refused"
	run on_us "$WIRESHIM" run "${SHIM_OPTS[@]}" --rule 'stack local=127.0.0.0/8:8006' -- "$PYTHON" "$PROGS/twin.py" alone 0.0.0.0
	assert_eq "$output" "served"
}

@test "nginx with two workers" {
	local base=$BATS_TEST_TMPDIR/nginx i

	command -v nginx >/dev/null || skip "no nginx"
	mkdir -p "$base"
	cat >"$base/conf" <<-END
		user root root; worker_processes 2; daemon off; pid $base/pid; error_log $base/error.log;
		events { worker_connections 512; }
		http { access_log off; client_body_temp_path $base/b; proxy_temp_path $base/p; fastcgi_temp_path $base/f;
			uwsgi_temp_path $base/u; scgi_temp_path $base/s; server { listen 8007; root $ROOT; } }
	END
	start_bg server shim nginx -e "$base/error.log" -c "$base/conf"
	wait_port us 8007
	wait_open peer "$US" 8007
	for i in 1 2 3 4 5; do
		fetch on_us 127.0.0.1:8007
		fetch on_peer "$US:8007"
		fetch shim 127.0.0.1:8007
	done
}
