#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Laboratories: several hosts in one process, their links and programs, without privilege.

load helper

setup() {
	needs_product
	cd "$BATS_TEST_TMPDIR" || return
	cp "$(command -v ping)" ping
}

# Without a single capability; the file of ping may have one, which would be an error then.
POWERLESS=(setpriv --inh-caps=-all --bounding-set=-all)

# lab FILE-TEXT [OPTION...]
lab() {
	printf '%s\n' "$1" >x.lab
	run "${POWERLESS[@]}" "$WIRESHIM" lab --out out "${@:2}" x.lab
}

pair='host server 10.0.0.1/24
host client 10.0.0.2/24'

@test "two hosts, a server, a client: by name, ended in order, all kept in the folder" {
	lab "$pair
link server client
serve server $PYTHON -m http.server 8000
run client after server:8000 curl -s http://server:8000/x.lab"
	assert_status 0
	diff x.lab out/client.out
	assert_match "$output" 'client +exit 0: curl'
	assert_match "$(cat out/lab.txt)" 'server served 143'
	for name in server client; do
		tshark -r "out/$name.pcapng" -Y 'http.request' -T fields -e http.host | grep -qx server:8000
	done
}

@test "a switch, two routers: every network is reached, a hop each" {
	lab "host a 10.1.0.2/24
host b 10.1.0.3/24
host c 10.3.0.2/24
router r1 10.1.0.1/24 10.2.0.1/30
router r2 10.2.0.2/30 10.3.0.1/24
switch s
link a s
link b s
link s r1
link r1 r2
link r2 c
run a ./ping -c 1 -W 5 c
run a after a:1,b ./ping -c 1 -W 5 b
run b ./ping -c 1 -W 5 c
run c traceroute -n -q 1 -w 2 a" --log off
	# The second waits for a listener that never comes.
	assert_match "$output" 'what is left waits for something that cannot come'
	assert_match "$(cat out/a.out)" 'ttl=62'
	assert_match "$(cat out/b.out)" '1 received'
	assert_eq "$(awk 'NR > 1 { print $2 }' out/c.out | tr '\n' ' ')" '10.3.0.1 10.2.0.1 10.1.0.2 '
	assert_match "$(cat out/lab.txt)" 'a-2 not started'
}

@test "what a link does is in its line, by the seed" {
	for i in 1 2; do
		lab "$pair
link server client loss 30% delay 20ms
run client ./ping -q -c 20 -i 0.01 -W 1 server" --seed 7
		sed -n 's/.*, \([0-9]*\) received.*/\1/p' out/client.out >"received.$i"
		[ "$(awk -F/ '/^rtt/ { print ($4 >= 40) }' out/client.out)" = 1 ]
	done
	diff received.1 received.2
	[ "$(cat received.1)" -lt 20 ]
}

@test "the exit status is the first bad one, and the rest is ended" {
	lab "$pair
link server client
serve server sleep 1000
run client after server true
run client exit 3"
	assert_status 3
	assert_match "$output" 'client-2 +exit 3'
}

@test "one program more, with the terminal: run --lab" {
	printf '%s\n' "$pair" 'link server client' "serve server $PYTHON -m http.server 8000" >x.lab
	run "$WIRESHIM" run --lab x.lab --as client --after server:8000 --out out -- \
		sh -c 'hostname; curl -s http://server:8000/x.lab; exit 5'
	assert_status 5
	assert_eq "$output" "client
$(cat x.lab)"
	run "$WIRESHIM" run --lab x.lab --as nobody --out out true
	assert_status 2
	assert_match "$output" "there is no host 'nobody' in the file"
}

@test "a wrong line: the file, the line and the reason" {
	lab "$pair
link server client loss 200%"
	assert_status 2
	assert_match "$output" 'x.lab: line 3, column [0-9]+: '
	lab "$pair
wire server client"
	assert_status 2
	assert_match "$output" "x.lab: line 3: 'wire' is not host, router"
	run "$WIRESHIM" lab --out out nothing.lab
	assert_status 2
	assert_match "$output" 'nothing.lab: No such file'
	run "$WIRESHIM" lab --outt out x.lab
	assert_status 2
}

@test "ten megabytes through a router, over a slow link, come out the same" {
	head -c 10000000 /dev/urandom >data
	chmod 644 data
	lab "host server 10.0.2.2/24
host client 10.0.1.2/24
router r 10.0.1.1/24 10.0.2.1/24
link client r delay 2ms
link r server rate 200mbit queue 100
serve server $PYTHON -m http.server 8000
run client after server:8000 curl -s -o got http://server:8000/data"
	assert_status 0
	cmp data got
}

@test "interrupted, it ends what it started and says so" {
	printf '%s\n' "$pair" 'link server client' 'serve server sleep 1000' 'run client sleep 1000' >x.lab
	"${POWERLESS[@]}" "$WIRESHIM" lab --out out x.lab >log 2>&1 3>&- &
	wait_for '[ -e out/client.out ]'
	kill -TERM $!
	status=0
	wait $! || status=$?
	assert_eq "$status" 143
	assert_match "$(cat out/lab.txt)" 'client exit 143'
}
