#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# curl, unmodified, against real HTTP servers over the kernel's stack

load helper

setup_file() {
	local i

	export ROOT=$BATS_FILE_TMPDIR/root
	mkdir -p "$ROOT"
	printf x >"$ROOT/one"
	: >"$ROOT/empty"
	make_file "$ROOT/small" 5000
	make_file "$ROOT/10m" 10000000
	make_file "$ROOT/50m" 50000000
	make_file "$ROOT/100m" 100000000
	for i in {1..20}; do
		make_file "$ROOT/part$i" $((i * 100000 + i))
	done
	topo_up
	start_nginx "$ROOT"
	start_sink peer 8080
}

@test "one byte" {
	run shim curl -sS "http://$PEER/one"
	assert_status 0
	assert_eq "$output" x
}

@test "an empty body" {
	run shim curl -sS -o /dev/null -w '%{http_code} %{size_download}' "http://$PEER/empty"
	assert_status 0
	assert_eq "$output" '200 0'
}

@test "100 MB arrive as they were sent" {
	shim curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER/100m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/100m"
	assert_eq "$(sha256 "$BATS_TEST_TMPDIR/got")" "$(sha256 "$ROOT/100m")"
}

@test "a body into a pipe" {
	assert_eq "$(shim curl -sS "http://$PEER/10m" | sha256)" "$(sha256 "$ROOT/10m")"
}

@test "upload of 50 MB" {
	run shim curl -sS -T "$ROOT/50m" "http://$PEER:8080/"
	assert_status 0
	assert_eq "$output" "$(sha256 "$ROOT/50m")"
}

@test "chunked upload from a pipe" {
	run shim curl -sS -T - "http://$PEER:8080/" <"$ROOT/10m"
	assert_status 0
	assert_eq "$output" "$(sha256 "$ROOT/10m")"
}

@test "a form is posted" {
	run shim curl -sS -d 'name=value' "http://$PEER:8080/"
	assert_status 0
	assert_eq "$output" "$(printf name=value | sha256)"
}

@test "keep-alive: four transfers over one connection" {
	run shim curl -sS -w '%{num_connects} %{http_code} %{size_download}\n' -o /dev/null "http://$PEER/one" \
		-o /dev/null "http://$PEER/small" -o /dev/null "http://$PEER/10m" -o /dev/null "http://$PEER/one"
	assert_status 0
	assert_eq "$output" "$(printf '1 200 1\n0 200 5000\n0 200 10000000\n0 200 1')"
}

@test "twenty transfers at once" {
	local i args=()

	for i in {1..20}; do
		args+=(-o "$BATS_TEST_TMPDIR/part$i" "http://$PEER/part$i")
	done
	shim curl -sS --parallel --parallel-immediate --parallel-max 20 "${args[@]}"
	for i in {1..20}; do
		cmp "$ROOT/part$i" "$BATS_TEST_TMPDIR/part$i"
	done
}

@test "HTTPS with a certificate that is checked" {
	shim curl -sS --cacert "$ROOT/cert.pem" -o "$BATS_TEST_TMPDIR/got" "https://$PEER/10m"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/10m"
}

@test "HTTPS with a certificate that nobody vouches for is refused" {
	run shim curl -sS "https://$PEER/one"
	assert_status 60
}

@test "a server behind the gateway" {
	run shim curl -sS "http://$FAR/one"
	assert_status 0
	assert_eq "$output" x
}

@test "a part of a file" {
	assert_eq "$(shim curl -sS -r 1000-1999 "http://$PEER/10m" | sha256)" \
		"$(tail -c +1001 "$ROOT/10m" | head -c 1000 | sha256)"
}

@test "several runs, one after the other" {
	local i

	for i in {1..10}; do
		run shim curl -sS "http://$PEER/one"
		assert_status 0
		assert_eq "$output" x "run $i"
	done
}

@test "the server sees our address" {
	shim curl -sS -o /dev/null "http://$PEER/one?who"
	grep -q "^$US .*GET /one?who" "$BATS_FILE_TMPDIR/nginx/access.log"
}
