#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Servers of many makes over our stack, the kernel's clients against them

load helper

setup_file() {
	make_root
	topo_up
	start_http peer "$ROOT" 80
}

@test "python3: http.server" {
	start_bg server shim "$PYTHON" -m http.server -d "$ROOT" 8001
	wait_open peer "$US" 8001
	fetch_from_us 8001 hello part1 5m
}

@test "python3: urllib" {
	run shim "$PYTHON" -c '
import hashlib, sys, urllib.request
print(hashlib.sha256(urllib.request.urlopen(f"http://{sys.argv[1]}/5m").read()).hexdigest())' "$PEER"
	assert_status 0
	assert_eq "$output" "$SUM"
}

@test "python3: asyncio, a server and twenty clients, in both roles" {
	cat >"$BATS_TEST_TMPDIR/echo.py" <<-'END'
		import asyncio, hashlib, sys
		async def serve(reader, writer):
		    digest = hashlib.sha256()
		    while data := await reader.read(65536):
		        digest.update(data)
		    writer.write(digest.hexdigest().encode())
		    await writer.drain()
		    writer.close()
		async def server():
		    async with await asyncio.start_server(serve, "0.0.0.0", 8002) as s:
		        await s.serve_forever()
		async def client(host, path, size):
		    reader, writer = await asyncio.open_connection(host, 8002)
		    data = open(path, "rb").read(size)
		    writer.write(data)
		    await writer.drain()
		    writer.write_eof()
		    assert (await reader.read()).decode() == hashlib.sha256(data).hexdigest()
		    writer.close()
		async def clients(host, path):
		    await asyncio.gather(*[client(host, path, i * 30000) for i in range(20)])
		asyncio.run(clients(*sys.argv[1:]) if len(sys.argv) > 1 else server())
	END
	start_bg server shim "$PYTHON" "$BATS_TEST_TMPDIR/echo.py"
	wait_open peer "$US" 8002
	on_peer "$PYTHON" "$BATS_TEST_TMPDIR/echo.py" "$US" "$ROOT/5m"
	stop_bg server
	start_bg server on_peer "$PYTHON" "$BATS_TEST_TMPDIR/echo.py"
	wait_port peer 8002
	shim "$PYTHON" "$BATS_TEST_TMPDIR/echo.py" "$PEER" "$ROOT/5m"
}

@test "python3: subprocess with an inherited socket and no environment" {
	run shim "$PYTHON" -c '
import hashlib, socket, subprocess, sys
def connected():
    s = socket.create_connection((sys.argv[1], 80))
    s.sendall(b"GET /5m HTTP/1.0\r\n\r\n")
    return s
def body(data):
    return hashlib.sha256(data.split(b"\r\n\r\n", 1)[1]).hexdigest()
print(body(subprocess.run(["cat"], stdin=connected(), capture_output=True, env={}).stdout))
s = connected()
print(body(subprocess.run(["sh", "-c", f"exec cat <&{s.fileno()}"], pass_fds=[s.fileno()], capture_output=True,
                          env={"PATH": "/bin:/usr/bin"}).stdout))' "$PEER"
	assert_status 0
	assert_eq "$output" "$SUM
$SUM"
}

@test "python3: multiprocessing, a socket handed to each of four workers" {
	local i

	cat >"$BATS_TEST_TMPDIR/workers.py" <<-'END'
		import hashlib, multiprocessing, socket
		def work(queue):
		    while True:
		        with queue.get() as c, c.makefile("rb") as f:
		            c.sendall(hashlib.sha256(f.read()).hexdigest().encode())
		if __name__ == "__main__":
		    context = multiprocessing.get_context("spawn")
		    queue = context.SimpleQueue()
		    for _ in range(4):
		        context.Process(target=work, args=(queue,), daemon=True).start()
		    s = socket.create_server(("", 8003), backlog=32)
		    while True:
		        c, _ = s.accept()
		        queue.put(c)
		        c.close()
	END
	start_bg server shim "$PYTHON" "$BATS_TEST_TMPDIR/workers.py"
	wait_open peer "$US" 8003
	for i in {1..8}; do
		run on_peer socat -t 20 - "TCP4:$US:8003" <"$ROOT/part$i"
		assert_status 0
		assert_eq "$output" "$(sha256 "$ROOT/part$i")" "connection $i"
	done
}

@test "python3: multiprocessing, a forked pool of clients" {
	run shim "$PYTHON" -c '
import hashlib, multiprocessing, sys, urllib.request
def fetch(n):
    return hashlib.sha256(urllib.request.urlopen(f"http://{sys.argv[1]}/5m").read()).hexdigest()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(*set(pool.map(fetch, range(8))))' "$PEER"
	assert_status 0
	assert_eq "$output" "$SUM"
}

@test "socat: fork and EXEC, ten at once" {
	local i pids=()

	needs socat
	start_bg server shim socat TCP4-LISTEN:8004,fork,reuseaddr,backlog=32 EXEC:sha256sum
	wait_open peer "$US" 8004
	for i in {1..10}; do
		on_peer socat -t 20 - "TCP4:$US:8004" <"$ROOT/part$i" >"$BATS_TEST_TMPDIR/sum$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in {1..10}; do
		assert_eq "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/sum$i")" "$(sha256 "$ROOT/part$i")" "connection $i"
	done
}

@test "socat: the program on the socket itself" {
	needs socat
	start_bg server shim socat TCP4-LISTEN:8005,reuseaddr,fork EXEC:cat,nofork
	wait_open peer "$US" 8005
	on_peer socat -t 20 - "TCP4:$US:8005" <"$ROOT/5m" >"$BATS_TEST_TMPDIR/got"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
}

@test "socat: a relay to the peer" {
	needs socat
	start_bg server shim socat TCP4-LISTEN:8006,fork,reuseaddr "TCP4:$PEER:80"
	wait_open peer "$US" 8006
	fetch_from_us 8006 hello part1 5m
}

@test "nc: -l, in both directions" {
	needs nc
	STDIN=$ROOT/part1 start_bg server shim nc -N -l 8007
	on_peer socat -t 20 - "TCP4:$US:8007,retry=200,interval=0.05" <"$ROOT/part2" >"$BATS_TEST_TMPDIR/got"
	wait_bg server
	assert_status 0
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/part1"
	cmp "$(out server)" "$ROOT/part2"
}

@test "ncat: -l -k -c" {
	needs ncat
	start_bg server shim ncat -l -k -c "read -r name; cat $ROOT/\$name" 8008
	wait_open peer "$US" 8008
	assert_eq "$(on_peer nc "$US" 8008 <<<5m | sha256)" "$SUM"
	assert_eq "$(on_peer nc "$US" 8008 <<<hello)" hello
}

@test "openssl: s_server" {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=us.test -addext "subjectAltName=IP:$US" \
		-keyout "$BATS_TEST_TMPDIR/key.pem" -out "$BATS_TEST_TMPDIR/cert.pem" 2>/dev/null
	cd "$ROOT"
	start_bg server shim openssl s_server -quiet -HTTP -accept 8009 -key "$BATS_TEST_TMPDIR/key.pem" \
		-cert "$BATS_TEST_TMPDIR/cert.pem"
	wait_open peer "$US" 8009
	# It sends no head of its own.
	on_peer curl -sS --http0.9 --cacert "$BATS_TEST_TMPDIR/cert.pem" -o "$BATS_TEST_TMPDIR/got" "https://$US:8009/part9"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/part9"
}

@test "busybox: httpd" {
	needs busybox
	busybox --list | grep -qx httpd || skip "busybox's httpd is not installed"
	start_bg server shim busybox httpd -f -p 8010 -h "$ROOT"
	wait_open peer "$US" 8010
	fetch_from_us 8010 hello part1 5m
}

@test "busybox: nc -l" {
	needs busybox
	STDIN=$ROOT/part1 start_bg server shim busybox nc -l -p 8011
	on_peer socat -t 20 - "TCP4:$US:8011,retry=200,interval=0.05" <"$ROOT/part2" >"$BATS_TEST_TMPDIR/got"
	wait_bg server
	cmp "$(out server)" "$ROOT/part2"
}

@test "perl: a server that forks" {
	needs perl
	start_bg server shim perl -MIO::Socket::INET -MDigest::SHA -e '
		$SIG{CHLD} = "IGNORE";
		$s = IO::Socket::INET->new(LocalPort => 8012, Listen => 32, ReuseAddr => 1) or die $!;
		while (1) {
			$c = $s->accept or next;
			if (!fork) { print $c Digest::SHA->new(256)->addfile($c)->hexdigest; exit }
			close $c
		}'
	wait_open peer "$US" 8012
	run on_peer socat -t 20 - "TCP4:$US:8012" <"$ROOT/5m"
	assert_eq "$output" "$SUM"
}

@test "ruby: a threaded server" {
	needs ruby
	start_bg server shim ruby -rsocket -rdigest -e '
		server = TCPServer.new("0.0.0.0", 8013)
		loop { Thread.new(server.accept) { |c| c.write(Digest::SHA256.hexdigest(c.read)); c.close } }'
	wait_open peer "$US" 8013
	run on_peer socat -t 20 - "TCP4:$US:8013" <"$ROOT/5m"
	assert_eq "$output" "$SUM"
}

@test "node: http.Server, and cluster of two" {
	needs node
	cat >"$BATS_TEST_TMPDIR/server.js" <<-'END'
		const cluster = require("cluster"), fs = require("fs"), root = process.argv[2], port = +process.argv[3];
		if (process.argv[4] && cluster.isPrimary) {
			for (let i = 0; i < 2; i++)
				cluster.fork();
			process.on("SIGTERM", () => { for (const w of Object.values(cluster.workers)) w.kill("SIGKILL"); process.exit(); });
		} else {
			require("http").createServer((request, answer) =>
				fs.createReadStream(root + request.url).pipe(answer)).listen(port, "0.0.0.0");
		}
	END
	start_bg server shim node "$BATS_TEST_TMPDIR/server.js" "$ROOT" 8014
	start_bg cluster shim node "$BATS_TEST_TMPDIR/server.js" "$ROOT" 8015 cluster
	wait_open peer "$US" 8014
	fetch_from_us 8014 hello part1 5m
	wait_open peer "$US" 8015
	fetch_from_us 8015 hello part1 5m
}

@test "java: HttpServer" {
	needs java javac
	cat >"$BATS_TEST_TMPDIR/Serve.java" <<-'END'
		import com.sun.net.httpserver.*;
		import java.net.InetSocketAddress;
		import java.nio.file.*;

		public class Serve {
			public static void main(String[] args) throws Exception {
				HttpServer server = HttpServer.create(new InetSocketAddress(8016), 0);
				server.createContext("/", exchange -> {
					byte[] data = Files.readAllBytes(Path.of(args[0] + exchange.getRequestURI().getPath()));
					exchange.sendResponseHeaders(200, data.length);
					exchange.getResponseBody().write(data);
					exchange.close();
				});
				server.start();
			}
		}
	END
	start_bg server shim java -XX:TieredStopAtLevel=1 "$BATS_TEST_TMPDIR/Serve.java" "$ROOT"
	wait_open peer "$US" 8016
	fetch_from_us 8016 hello part1 5m
}

@test "memcached: set, get and a value of 800 kB" {
	needs memcached
	start_bg server shim memcached -u root -l 0.0.0.0 -p 11211 -U 11211 -t 2
	wait_open peer "$US" 11211
	run on_peer "$PYTHON" -c '
import socket, sys
data = open(sys.argv[2], "rb").read(800000)
s = socket.create_connection((sys.argv[1], 11211))
f = s.makefile("rb")
s.sendall(b"set big 0 0 800000\r\n" + data + b"\r\nset small 0 0 3\r\nabc\r\n")
print(f.readline(), f.readline())
s.sendall(b"get small\r\nget big\r\n")
print(f.readline(), f.readline(), f.readline(), f.readline(), f.read(800002) == data + b"\r\n", f.readline())
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.sendto(b"\0\1\0\0\0\1\0\0get small\r\n", (sys.argv[1], 11211))
print(u.recv(1500)[8:])' "$US" "$ROOT/5m"
	assert_status 0
	assert_eq "$output" "b'STORED\\r\\n' b'STORED\\r\\n'
b'VALUE small 0 3\\r\\n' b'abc\\r\\n' b'END\\r\\n' b'VALUE big 0 800000\\r\\n' True b'END\\r\\n'
b'VALUE small 0 3\\r\\nabc\\r\\nEND\\r\\n'"
}

@test "haproxy: HTTP and TCP, to a server on the peer, with a health check" {
	needs haproxy
	cat >"$BATS_TEST_TMPDIR/haproxy.cfg" <<-END
		global
		  maxconn 100
		  nbthread 2
		defaults
		  timeout connect 3s
		  timeout client 9s
		  timeout server 9s
		frontend web
		  mode http
		  bind *:8020
		  default_backend web
		backend web
		  mode http
		  option httpchk GET /hello
		  server s $PEER:80 check inter 200ms
		listen plain
		  mode tcp
		  bind *:8021
		  server s $PEER:80
	END
	start_bg server shim haproxy -db -f "$BATS_TEST_TMPDIR/haproxy.cfg"
	wait_open peer "$US" 8020
	wait_open peer "$US" 8021
	fetch_from_us 8020 hello part1 part2 5m
	fetch_from_us 8021 hello part1 part2 5m
}
