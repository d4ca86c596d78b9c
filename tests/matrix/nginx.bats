#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# nginx over our stack: static, proxy, TLS, two workers, reload and a new binary under load

load helper

setup_file() {
	make_root
	command -v nginx >/dev/null || return 0
	export BASE=$BATS_FILE_TMPDIR/nginx
	mkdir -p "$BASE"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=us.test -addext "subjectAltName=IP:$US" \
		-keyout "$BASE/key.pem" -out "$BASE/cert.pem" 2>/dev/null
	cat >"$BASE/nginx.conf" <<-END
		user root root;
		worker_processes 2;
		pid $BASE/pid;
		error_log $BASE/error.log;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $BASE/body; proxy_temp_path $BASE/proxy; fastcgi_temp_path $BASE/fastcgi;
			uwsgi_temp_path $BASE/uwsgi; scgi_temp_path $BASE/scgi;
			sendfile on;
			upstream peer { server $PEER:80; keepalive 4; }
			server {
				listen 8080;
				listen 8443 ssl http2;
				ssl_certificate $BASE/cert.pem;
				ssl_certificate_key $BASE/key.pem;
				root $ROOT;
				location /proxy/ { proxy_pass http://peer/; proxy_http_version 1.1; proxy_set_header Connection ""; }
			}
		}
	END
	topo_up
	start_http peer "$ROOT" 80
	# As a daemon: only such a one lets a new binary take its place.
	# And it executes itself by the name it was called with.
	shim "$(command -v nginx)" -e "$BASE/error.log" -c "$BASE/nginx.conf" 3>&-
	wait_open peer "$US" 8080
	wait_for '[ -s "$BASE/pid" ]'
}

setup() { needs nginx; }

# Requests in a row from four clients, until the file STOP is there: each over a connection of its own, or, with `keep`,
# over one that is kept as long as the server does. What a kept one does not answer is asked once more, as by any client:
# the server may have closed it while the request was on its way. Prints how many failed, whether there were any, and
# whether connections were kept.
keep_asking() {
	on_peer "$PYTHON" -c '
import http.client, os, sys, threading
host, root, stop, *keep = sys.argv[1:]
want = open(root + "/part1", "rb").read()
done, bad, kept = [], [], []
def client():
    c = None
    while not os.path.exists(stop):
        fresh = c is None
        try:
            c = c or http.client.HTTPConnection(host, 8080, timeout=20)
            c.request("GET", "/part1", headers={} if keep else {"Connection": "close"})
            assert c.getresponse().read() == want
            (done if fresh else kept).append(1)
            open(stop + ".begun", "w").close()
            if c.sock:
                continue
        except Exception as e:
            if fresh or not isinstance(e, ConnectionError):
                bad.append(e)
        c.close()
        c = None
threads = [threading.Thread(target=client) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(bad), "failed,", "some" if len(done + kept) > 8 else len(done + kept), "done", *["kept"] if kept else [],
      *set(map(repr, bad)))' "$US" "$ROOT" "$@"
}

# start_load [keep]
start_load() {
	keep_asking "$BATS_TEST_TMPDIR/stop" "$@" >"$BATS_TEST_TMPDIR/load" 3>&- &
	LOAD=$!
	wait_for '[ -e "$BATS_TEST_TMPDIR/stop.begun" ]'
}

end_load() {
	: >"$BATS_TEST_TMPDIR/stop"
	wait "$LOAD"
	assert_eq "$(cat "$BATS_TEST_TMPDIR/load")" "0 failed, some done${1+ $1}"
}

@test "nginx: static files" {
	fetch_from_us 8080 hello part1 part2 5m
}

@test "nginx: a proxy for the peer" {
	local i

	for i in {1..4}; do
		on_peer curl -sSf --parallel --parallel-immediate -o "$BATS_TEST_TMPDIR/got" "http://$US:8080/proxy/5m" \
			-o "$BATS_TEST_TMPDIR/got2" "http://$US:8080/proxy/part2"
		cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
		cmp "$BATS_TEST_TMPDIR/got2" "$ROOT/part2"
	done
}

@test "nginx: HTTP/1.1 and HTTP/2 over TLS" {
	local http i

	for http in 1.1 2; do
		run --separate-stderr on_peer curl -sSf --http"$http" --parallel --cacert "$BASE/cert.pem" -w '%{http_version}\n' \
			-o "$BATS_TEST_TMPDIR/part#1" "https://$US:8443/part[1-10]"
		assert_status 0
		assert_eq "$(sort -u <<<"$output")" "$http"
		for i in {1..10}; do
			cmp "$BATS_TEST_TMPDIR/part$i" "$ROOT/part$i"
		done
	done
}

@test "nginx: wrk, fifty connections on two workers" {
	needs wrk
	run on_peer wrk -t2 -c50 -d1 "http://$US:8080/part1"
	assert_status 0
	assert_match "$output" ' ([1-9][0-9]*) requests in '
	[[ $output != *"Socket errors"* && $output != *"Non-2xx"* ]]
}

# Two new workers, and none of the old.
reload() {
	local workers

	workers=$(pgrep -P "$(cat "$BASE/pid")" | sort)
	kill -HUP "$(cat "$BASE/pid")"
	wait_for '[ -z "$(comm -12 <(echo "$workers") <(pgrep -P "$(cat "$BASE/pid")" | sort))" ] &&
		[ "$(pgrep -cP "$(cat "$BASE/pid")")" = 2 ]' 20
}

@test "nginx: three reloads under load, no request fails" {
	start_load
	reload
	reload
	reload
	end_load
}

@test "nginx: two reloads under clients that keep their connections, no request fails" {
	start_load keep
	reload
	reload
	end_load kept
}

@test "nginx: a new binary under load, no request fails" {
	local old

	start_load
	old=$(cat "$BASE/pid")
	kill -USR2 "$old"
	wait_for '[ -s "$BASE/pid.oldbin" ] && [ -s "$BASE/pid" ] && [ "$(cat "$BASE/pid")" != "$old" ]'
	wait_for '[ "$(pgrep -cP "$(cat "$BASE/pid")")" = 2 ]'
	kill -WINCH "$old"
	wait_for '[ "$(pgrep -P "$old" | grep -vc "^$(cat "$BASE/pid")$")" = 0 ]' 20
	kill -QUIT "$old"
	wait_for "! is_running $old" 20
	fetch_from_us 8080 hello part1 5m
	end_load
	# A user namespace with one user lets nobody set groups, which is not about the network.
	refute grep -P '\[(emerg|alert|crit)\](?!.* initgroups\(root, 0\) failed \(1: )' "$BASE/error.log"
}
