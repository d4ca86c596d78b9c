#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What libc does behind the symbols: its own system calls reach our stack too. With E2E_BASELINE=kernel the same answers
# come from the kernel's.
# shellcheck disable=SC2030,SC2031 # `run` sets output, within a test or in a function of one

load helper

PROGS=$BATS_TEST_DIRNAME/progs

setup_file() {
	local name

	export BIN=$BATS_FILE_TMPDIR/bin
	mkdir -p "$BIN" "$BATS_FILE_TMPDIR/root"
	[ "$(uname -m)" = x86_64 ] || return 0 # every test here is skipped
	for name in stdio handle resolve cancel regs; do
		"${CC:-cc}" -O2 -o "$BIN/$name" "$PROGS/sites_$name.c" -lpthread
	done
	"${CC:-cc}" -O2 -shared -fPIC -o "$BIN/deep.so" "$PROGS/sites_deep.c"
	"${CC:-cc}" -O2 -shared -fPIC -o "$BIN/audit.so" "$PROGS/audit.c"
	make_file "$BATS_FILE_TMPDIR/root/1m" 1000000
	export RESOLV_BEFORE
	RESOLV_BEFORE=$(cat /etc/resolv.conf)
	echo "nameserver $PEER" >/etc/resolv.conf
	topo_up
	start_http peer "$BATS_FILE_TMPDIR/root" 80
	start_daemon peer socat -b 65536 UDP4-RECVFROM:7,fork PIPE
	start_daemon peer socat TCP4-LISTEN:7,fork,reuseaddr PIPE
	start_daemon peer dnsmasq -d -p 53 --no-resolv --no-hosts --conf-file=/dev/null --local=/test/ --local-ttl=60 \
		--host-record="www.test,$PEER"
	wait_port peer 7 udp
	wait_port peer 7
	wait_port peer 53 udp
}

teardown_file() {
	[ -z "${RESOLV_BEFORE-}" ] || echo "$RESOLV_BEFORE" >/etc/resolv.conf
	topo_down
	check_sanitizers
}

on_x86() {
	local libc

	[ "$(uname -m)" = x86_64 ] || skip "system-call sites are known for x86-64 only"
	libc=$(getconf GNU_LIBC_VERSION)
	# From 2.41 on all calls that can be cancelled share one site.
	[ "$(printf '%s\n' "${libc##* }" 2.41 | sort -V | head -n 1)" != 2.41 ] || skip "the sites of $libc are not known"
}

lines() { printf '%s\n' "$@"; }

@test "stdio on a UDP socket" {
	on_x86
	run shim "$BIN/stdio" "$PEER" 7 udp
	assert_status 0
	assert_eq "$output" "$(lines "isatty 0 Inappropriate ioctl for device" "line 0" "line 1" "line 2" last \
		"fclose 0" "close -1 Bad file descriptor")"
}

@test "stdio on a TCP socket" {
	on_x86
	run shim "$BIN/stdio" "$PEER" 7 tcp
	assert_status 0
	assert_eq "$output" "$(lines "isatty 0 Inappropriate ioctl for device" "line 0" "line 1" "line 2" last \
		"fclose 0" "close -1 Bad file descriptor")"
}

# exchange udp|tcp [LIBRARY]: `fresh` is what recv() says before there is a connection.
exchange() {
	run shim "$BIN/handle" "$PEER" 7 "$@"
	assert_status 0
	assert_eq "$output" "$(lines "recv -1 $fresh" "send 13" "recv 13 over a handle" "from $US" "close 0 0" \
		"send -1 Bad file descriptor")"
}

@test "dlsym() on libc's handle, UDP" {
	on_x86
	fresh="Resource temporarily unavailable" exchange udp
}

@test "dlsym() on libc's handle, TCP" {
	on_x86
	fresh="Transport endpoint is not connected" exchange tcp
}

without_asan() {
	case ${SANITIZE-} in *address*) skip "ASan's runtime refuses RTLD_DEEPBIND" ;; esac
}

@test "RTLD_DEEPBIND, UDP" {
	on_x86
	without_asan
	fresh="Resource temporarily unavailable" exchange udp "$BIN/deep.so"
}

@test "RTLD_DEEPBIND, TCP" {
	on_x86
	without_asan
	fresh="Transport endpoint is not connected" exchange tcp "$BIN/deep.so"
}

@test "python's ctypes" {
	on_x86
	run shim "$PYTHON" -c '
import ctypes, socket, struct, sys
libc = ctypes.CDLL("libc.so.6", use_errno=True)
to = struct.pack("=H", 2) + struct.pack("!H", 7) + socket.inet_aton(sys.argv[1]) + bytes(8)
for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
    fd = libc.socket(2, kind, 0)
    buf = ctypes.create_string_buffer(16)
    print(libc.connect(fd, to, 16), libc.write(fd, b"ctypes", 6), libc.read(fd, buf, 16), buf.value)
    libc.close(fd)
print(libc.connect(libc.socket(2, 1, 0), struct.pack("=H", 2) + struct.pack("!H", 9) + to[4:], 16), ctypes.get_errno())
' "$PEER"
	assert_status 0
	assert_eq "$output" "$(lines "0 6 6 b'ctypes'" "0 6 6 b'ctypes'" "-1 111")"
}

@test "libc's own resolver" {
	on_x86
	run shim "$BIN/resolve" www.test
	assert_status 0
	assert_eq "$output" "$PEER"
	run shim "$BIN/resolve" nowhere.test
	assert_status 1
	assert_eq "$output" "Name or service not known"
}

@test "cancellation, signals and time limits inside libc" {
	on_x86
	run shim "$BIN/cancel" "$PEER" 7
	assert_status 0
	assert_eq "$output" "$(lines "recv -1 Interrupted system call" "recv cancelled, cleaned up 1" \
		"getc cancelled, cleaned up 2" "recv -1 Resource temporarily unavailable" "recv 5 still")"
}

@test "a call that goes to our stack changes no register" {
	on_x86
	run shim "$BIN/regs" "$PEER" 7
	assert_status 0
	assert_eq "$output" "write 5 kept all registers"
}

@test "the resolver of libc asks over our stack, and nothing over the kernel's" {
	needs_product
	on_x86
	shim "$BIN/resolve" www.test
	wait_for 'dissect -Y "dns.qry.name == \"www.test\" && ip.src == '"$US"'" | grep -q www.test'
}

# --- which calls lead to us -------------------------------------------------------------------------------------------

@test "the log says how many sites lead to us, and WIRESHIM_SITES=off leaves them alone" {
	needs_product
	on_x86
	run --separate-stderr shim env WIRESHIM_LOG=info true
	assert_match "$stderr" 'system calls inside libc: ([0-9]+) sites lead here'
	[ "${BASH_REMATCH[1]}" -ge 50 ]
	run --separate-stderr shim env WIRESHIM_LOG=info WIRESHIM_SITES=off true
	assert_match "$stderr" 'WIRESHIM_SITES=off; symbols only'
	run shim env WIRESHIM_SITES=off "$BIN/stdio" "$PEER" 7 tcp
	assert_status 0
}

@test "where text must not be changed the symbols work alone" {
	needs_product
	on_x86
	# PR_SET_MDWE (65), PR_MDWE_REFUSE_EXEC_GAIN, inherited over exec
	run --separate-stderr shim "$PYTHON" -c '
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    os._exit(77)
os.environ["WIRESHIM_LOG"] = "info"
os.execvp(sys.argv[1], sys.argv[1:])' curl -sS -o "$BATS_TEST_TMPDIR/got" "http://$PEER/1m"
	[ "$status" != 77 ] || skip "this kernel has no PR_SET_MDWE"
	assert_status 0
	assert_match "$stderr" 'symbols only'
	cmp "$BATS_TEST_TMPDIR/got" "$BATS_FILE_TMPDIR/root/1m"
}

@test "libc's text is not writable afterwards" {
	needs_product
	on_x86
	refute shim grep -E ' (rwx|-wx)' /proc/self/maps
}

# No instruction of libc may branch into what was replaced: after a mov nothing but the system call, after a system call
# not to the comparison.
@test "no branch of this libc leads into a changed site" {
	needs_product
	on_x86
	command -v objdump >/dev/null || skip "objdump is not installed"
	shim "$PYTHON" -c '
import re, subprocess, sys
maps = [l.split() for l in open("/proc/self/maps")]
parts = [l for l in maps if "libc.so.6" in l[-1] and l[1] == "r-xp"]
start, end = int(parts[0][0].split("-")[0], 16), int(parts[-1][0].split("-")[1], 16)
mem = open("/proc/self/mem", "rb", 0)
mem.seek(start)
now = mem.read(end - start)
with open(parts[0][-1], "rb") as f:
    f.seek(int(parts[0][2], 16))
    before = f.read(end - start)
inside = set()
changed = [i for i in range(len(now)) if now[i] != before[i]]
sites = sorted({max(j for j in range(i - 7, i + 1) if now[j] == 0xe9 and before[j] in (0xb8, 0x0f)) for i in changed})
base = next(int(l[0].split("-")[0], 16) for l in maps if "libc.so.6" in l[-1])
for s in sites:
    inside.update(start - base + s + k for k in range(1, 5 if before[s] == 0xb8 else 8))
for line in subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", parts[0][-1]], stdout=subprocess.PIPE, text=True).stdout:
    m = re.search(r"\s(j\w+|call|loop\w*)\s+([0-9a-f]+)\b", line)
    assert not m or int(m[2], 16) not in inside, line
assert len(sites) >= 50, len(sites)'
}

@test "every name of this libc that can touch a descriptor is ours, or left out for a reason" {
	local list=$BATS_TEST_DIRNAME/libc-names broken=$BATS_TEST_TMPDIR/broken

	needs_product
	on_x86
	command -v objdump >/dev/null || skip "objdump is not installed"
	# The second list lacks a name and a number, and wants a site that is the kernel's: each is told.
	sed '/^fgets\t/d; s/ quotactl\b//; s/ ptrace\b//' "$list" >"$broken"
	echo "call ours ptrace" >>"$broken"
	run shim "$PYTHON" "$PROGS/libc_names.py" "$WIRESHIM_BUILD/libwireshim.so" "$list" "$broken"
	assert_status 1
	assert_match "$output" '^[0-9]+ names, [0-9]+ of [0-9]+ sites changed'
	assert_eq "$(sed -n '2,$ { / names, /d; s/ at .*)/ at/; p }' <<<"$output")" "
system call quotactl at is not classified
fgets is not classified: sites
ptrace is not classified: left"
}

# --- the audit --------------------------------------------------------------------------------------------------------

# audited CMD: ends with 99 when a socket call leaves from anywhere but our library.
audited() {
	shim sh -c 'LD_PRELOAD="$0 $LD_PRELOAD" exec "$@"' "$BIN/audit.so" "$@"
}

needs_audit() {
	needs_product
	on_x86
	case ${SANITIZE-} in ?*) skip "a sanitizer's runtime has system calls of its own" ;; esac
}

@test "audit: it catches what passes by" {
	needs_audit
	run --separate-stderr shim sh -c 'LD_PRELOAD="$0 $LD_PRELOAD" WIRESHIM_SITES=off exec "$@"' \
		"$BIN/audit.so" "$BIN/handle" "$PEER" 7 udp
	assert_status 99
	assert_match "$stderr" 'audit: system call 41 .*libc'
}

@test "audit: libc's insides" {
	needs_audit
	fresh="Resource temporarily unavailable"
	run audited "$BIN/handle" "$PEER" 7 udp
	assert_status 0
	run audited "$BIN/handle" "$PEER" 7 tcp "$BIN/deep.so"
	assert_status 0
	run audited "$BIN/stdio" "$PEER" 7 udp
	assert_status 0
	run audited "$BIN/resolve" www.test
	assert_status 0
}

# Of the programs that are not installed none is asked.
audit_program() {
	needs_audit
	command -v "$1" >/dev/null || skip "$1 is not installed"
	run audited "$@"
	assert_status 0
}

@test "audit: curl" { audit_program curl -sS -o /dev/null "http://$PEER/1m"; }
@test "audit: wget" { audit_program wget -q -O /dev/null "http://$PEER/1m"; }
@test "audit: getent" { audit_program getent hosts www.test; }
@test "audit: dig" { audit_program dig +tries=1 "@$PEER" www.test; }
@test "audit: nc" { audit_program nc -z "$PEER" 80; }
@test "audit: python" {
	audit_program "$PYTHON" -c '
import asyncio, sys, urllib.request
url = "http://%s/1m" % sys.argv[1]
assert len(urllib.request.urlopen(url).read()) == 1000000
async def get():
    r, w = await asyncio.open_connection(sys.argv[1], 80)
    w.write(b"GET /1m HTTP/1.0\r\n\r\n")
    return len(await r.read())
assert asyncio.run(get()) > 1000000' "$PEER"
}
@test "audit: perl" {
	audit_program perl -MIO::Socket::INET -e '
my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 80) or die; print $s "GET /1m HTTP/1.0\r\n\r\n";
my $n = 0; $n += length while <$s>; exit($n > 1000000 ? 0 : 1)' "$PEER"
}
@test "audit: node" {
	audit_program node -e '
require("http").get(`http://${process.argv[1]}/1m`, r => { let n = 0; r.on("data", d => n += d.length);
r.on("end", () => process.exit(n === 1000000 ? 0 : 1)) })' "$PEER"
}
