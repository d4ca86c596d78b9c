#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# make install and make uninstall: the command finds its libraries wherever it was put

load helper

setup() {
	needs_product
	ROOT=$BATS_TEST_TMPDIR/root
	topo_up
}

make_at() {
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BATS_TEST_DIRNAME/../.." CC="${CC:-gcc}" SANITIZE="${SANITIZE-}" \
		PREFIX=/usr DESTDIR="$ROOT" "$@"
}

@test "installed under DESTDIR it works, uninstalled it is gone" {
	start_http peer "$BATS_TEST_DIRNAME" 8001
	make_at install
	assert_eq "$(cd "$ROOT" && find . -type f | sort)" "./usr/bin/wireshim
./usr/lib/wireshim/libwireshim-host.so
./usr/lib/wireshim/libwireshim.so"
	run on_us "$ROOT/usr/bin/wireshim" run --dev us0 --addr "$US/24" -- \
		curl -sS -o /dev/null -w '%{local_ip} %{http_code}' "http://$PEER:8001/sink.py"
	assert_status 0
	assert_eq "$output" "$US 200"
	make_at uninstall
	assert_eq "$(cd "$ROOT" && find . -type f)" ''
}
