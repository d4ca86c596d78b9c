#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Clients of many makes over our stack, fetching from nginx over the kernel's

load helper

setup_file() {
	make_root
	echo '<html><body><p>Words of a <a href="/hello">page</a></p></body></html>' >"$ROOT/page.html"
	topo_up
	start_nginx "$ROOT"
	start_http peer "$ROOT" 8000
	start_sink peer 8080
}

# The words behind `shim` print the sum of 5m.
assert_sum() {
	run shim "$@"
	assert_status 0
	assert_eq "$output" "$SUM"
}

# fetched CMD...: what the command leaves in got is 5m.
fetched() {
	shim "$@"
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
}

# ten SCHEME://HOST[:PORT] CURL-OPTION...: ten transfers at once by curl, whose HTTP versions are in `output`.
ten() {
	local i args=()

	for i in {1..10}; do
		args+=(-o "$BATS_TEST_TMPDIR/part$i" "$1/part$i")
	done
	run --separate-stderr shim curl -sSf --parallel -w '%{http_version}\n' "${@:2}" "${args[@]}"
	assert_status 0
	for i in {1..10}; do
		cmp "$BATS_TEST_TMPDIR/part$i" "$ROOT/part$i"
	done
}

@test "curl: HTTP/1.1, ten at once" {
	ten "http://$PEER" --parallel-immediate
	assert_eq "$(sort -u <<<"$output")" 1.1
}

@test "curl: HTTP/2 over TLS, ten at once" {
	ten "https://$PEER:8443" --cacert "$ROOT/cert.pem"
	assert_eq "$(sort -u <<<"$output")" 2
}

@test "curl: HTTPS" {
	fetched curl -sSf --http1.1 --cacert "$ROOT/cert.pem" -o "$BATS_TEST_TMPDIR/got" "https://$PEER/5m"
}

@test "curl: upload" {
	assert_sum curl -sSf -T "$ROOT/5m" "http://$PEER:8080/"
}

@test "wget: over one connection, and over TLS" {
	needs wget
	shim wget -q -P "$BATS_TEST_TMPDIR" "http://$PEER/part1" "http://$PEER/part2" "http://$PEER/5m"
	cmp "$BATS_TEST_TMPDIR/part1" "$ROOT/part1"
	cmp "$BATS_TEST_TMPDIR/part2" "$ROOT/part2"
	cmp "$BATS_TEST_TMPDIR/5m" "$ROOT/5m"
	fetched wget -q --ca-certificate="$ROOT/cert.pem" -O "$BATS_TEST_TMPDIR/got" "https://$PEER/5m"
}

@test "lynx: a page as text" {
	needs lynx
	run shim lynx -dump "http://$PEER/page.html"
	assert_status 0
	assert_match "$output" 'Words of a \[1\]page'
	assert_match "$output" "1. http://$PEER/hello"
}

@test "lftp: four parts of a file at once" {
	needs lftp
	cd "$BATS_TEST_TMPDIR"
	shim lftp -c "pget -n 4 http://$PEER/5m"
	cmp 5m "$ROOT/5m"
}

@test "wrk: ten connections, two threads, no error" {
	needs wrk
	run shim wrk -t2 -c10 -d1 "http://$PEER/hello"
	assert_status 0
	assert_match "$output" ' ([1-9][0-9]*) requests in '
	[[ $output != *"Socket errors"* && $output != *"Non-2xx"* ]]
}

@test "nc: a request through a pipe" {
	needs nc
	printf 'GET /5m HTTP/1.0\r\n\r\n' >"$BATS_TEST_TMPDIR/request"
	assert_eq "$(shim nc "$PEER" 80 <"$BATS_TEST_TMPDIR/request" | sed '1,/^\r$/d' | sha256)" "$SUM"
}

# These end their half of the connection after the request. That is nothing that nginx answers in full.
@test "ncat: a request through a pipe" {
	needs ncat
	printf 'GET /5m HTTP/1.0\r\n\r\n' >"$BATS_TEST_TMPDIR/request"
	assert_eq "$(shim ncat "$PEER" 8000 <"$BATS_TEST_TMPDIR/request" | sed '1,/^\r$/d' | sha256)" "$SUM"
}

@test "socat: upload, and the answer" {
	needs socat
	{ printf 'PUT / HTTP/1.0\r\nContent-Length: 5000000\r\n\r\n' && cat "$ROOT/5m"; } >"$BATS_TEST_TMPDIR/request"
	run shim socat -t 20 - "TCP4:$PEER:8080" <"$BATS_TEST_TMPDIR/request"
	assert_match "$output" "$SUM\$"
}

@test "bash: /dev/tcp" {
	run shim bash -c 'exec 3<>"/dev/tcp/$1/80"; printf "GET /hello HTTP/1.0\r\n\r\n" >&3; tail -n 1 <&3' bash "$PEER"
	assert_status 0
	assert_eq "$output" hello
}

@test "busybox: wget" {
	needs busybox
	fetched busybox wget -q -O "$BATS_TEST_TMPDIR/got" "http://$PEER/5m"
}

@test "busybox: nc" {
	needs busybox
	printf 'GET /5m HTTP/1.0\r\n\r\n' >"$BATS_TEST_TMPDIR/request"
	assert_eq "$(shim busybox nc "$PEER" 8000 <"$BATS_TEST_TMPDIR/request" | sed '1,/^\r$/d' | sha256)" "$SUM"
}

@test "openssl: s_client" {
	printf 'GET /5m HTTP/1.0\r\n\r\n' >"$BATS_TEST_TMPDIR/request"
	assert_eq "$(shim openssl s_client -quiet -CAfile "$ROOT/cert.pem" -verify_return_error -connect "$PEER:443" \
		<"$BATS_TEST_TMPDIR/request" 2>"$BATS_TEST_TMPDIR/client.err" | sed '1,/^\r$/d' | sha256)" "$SUM"
}

@test "perl: IO::Socket::INET" {
	needs perl
	assert_sum perl -MIO::Socket::INET -MDigest::SHA=sha256_hex -e '
		$s = IO::Socket::INET->new("$ARGV[0]:80") or die $!;
		print $s "GET /5m HTTP/1.0\r\n\r\n";
		local $/ = "\r\n\r\n";
		<$s>;
		undef $/;
		print sha256_hex(scalar <$s>), "\n"' "$PEER"
}

@test "perl: HTTP::Tiny" {
	needs perl
	assert_sum perl -MHTTP::Tiny -MDigest::SHA=sha256_hex -e \
		'print sha256_hex(HTTP::Tiny->new->get("http://$ARGV[0]/5m")->{content}), "\n"' "$PEER"
}

@test "ruby: net/http, eight threads" {
	needs ruby
	assert_sum ruby -rnet/http -rdigest -e '
		sums = (1..8).map { Thread.new { Digest::SHA256.hexdigest(Net::HTTP.get(URI("http://#{ARGV[0]}/5m"))) } }
		puts sums.map(&:value).uniq' "$PEER"
}

@test "node: http, ten at once, and https" {
	needs node
	assert_sum node -e '
		const [peer, cert] = process.argv.slice(1), crypto = require("crypto");
		const get = (url, options) => new Promise((done, fail) =>
			require(url.split(":")[0]).get(url, options, answer => {
				const hash = crypto.createHash("sha256");
				answer.on("data", data => hash.update(data)).on("end", () => done(hash.digest("hex")));
			}).on("error", fail));
		const all = Array.from({length: 10}, () => get(`http://${peer}/5m`, {}));
		all.push(get(`https://${peer}/5m`, {ca: require("fs").readFileSync(cert)}));
		Promise.all(all).then(sums => console.log([...new Set(sums)].join()));' "$PEER" "$ROOT/cert.pem"
}

@test "node: fetch" {
	needs node
	assert_sum node -e '
		fetch(`http://${process.argv[1]}/5m`).then(answer => answer.arrayBuffer()).then(data =>
			console.log(require("crypto").createHash("sha256").update(Buffer.from(data)).digest("hex")))' "$PEER"
}

# java_source: a class that fetches a URL by stream and by the asynchronous client, and prints the sums.
java_source() {
	cat >"$BATS_TEST_TMPDIR/Fetch.java" <<-'END'
		import java.net.*;
		import java.net.http.*;
		import java.security.MessageDigest;
		import java.util.*;

		public class Fetch {
			static String sum(byte[] data) throws Exception {
				return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
			}
			public static void main(String[] args) throws Exception {
				URI uri = new URI(args[0]);
				Set<String> sums = new TreeSet<>();
				sums.add(sum(uri.toURL().openStream().readAllBytes()));
				HttpRequest request = HttpRequest.newBuilder(uri).build();
				sums.add(sum(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofByteArray()).body()));
				System.out.println(String.join(" ", sums));
			}
		}
	END
}

@test "java: URL and HttpClient" {
	needs java javac
	java_source
	assert_sum java -Xshare:auto -XX:TieredStopAtLevel=1 "$BATS_TEST_TMPDIR/Fetch.java" "http://$PEER/5m"
}

@test "java: URL and HttpClient with IPv4 sockets only" {
	needs java javac
	java_source
	assert_sum java -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true "$BATS_TEST_TMPDIR/Fetch.java" "http://$PEER/5m"
}

@test "apt: update from an archive, and download a package" {
	needs apt-get
	local apt=$BATS_TEST_TMPDIR/apt archive=$ROOT/archive opts

	mkdir -p "$archive" "$apt"/{etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d,state/lists/partial,cache/archives/partial}
	chmod 755 "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	cp "$ROOT/5m" "$archive/matrix_1_all.deb"
	printf '%s\n' 'Package: matrix' 'Version: 1' 'Architecture: all' 'Maintainer: nobody' 'Description: none' \
		'Filename: ./matrix_1_all.deb' 'Size: 5000000' "SHA256: $SUM" >"$archive/Packages"
	echo "deb [trusted=yes] http://$PEER/archive ./" >"$apt/etc/sources.list"
	: >"$apt/status"
	opts=(-o "Dir::Etc=$apt/etc" -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
		-o Acquire::http::Proxy=DIRECT -o APT::Sandbox::User=root -o Acquire::GzipIndexes=false)
	run shim apt-get -q "${opts[@]}" update
	assert_status 0
	assert_eq "$(cat "$apt"/state/lists/*_Packages)" "$(cat "$archive/Packages")" "$output"
	cd "$BATS_TEST_TMPDIR"
	shim apt-get -q "${opts[@]}" download matrix
	cmp matrix_1_all.deb "$ROOT/5m"
}

@test "rust: std::net, a client and a server" {
	needs rustc
	rustc --version >/dev/null 2>&1 || skip "rustc is not installed"
	cat >"$BATS_TEST_TMPDIR/net.rs" <<-'END'
		use std::io::{Read, Write};
		use std::net::{TcpListener, TcpStream, UdpSocket};

		fn main() -> std::io::Result<()> {
			let args: Vec<String> = std::env::args().collect();
			let mut stream = TcpStream::connect((args[1].as_str(), 80))?;
			stream.set_nodelay(true)?;
			stream.write_all(b"GET /5m HTTP/1.0\r\n\r\n")?;
			let mut answer = Vec::new();
			stream.read_to_end(&mut answer)?;
			let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
			std::fs::write(&args[2], &answer[head..])?;
			let udp = UdpSocket::bind("0.0.0.0:7000")?;
			let listener = TcpListener::bind("0.0.0.0:7000")?;
			let (mut client, _) = listener.accept()?;
			let mut text = String::new();
			client.read_to_string(&mut text)?;
			udp.send_to(text.to_uppercase().as_bytes(), (args[1].as_str(), 7001))?;
			client.write_all(text.to_uppercase().as_bytes())
		}
	END
	rustc -o "$BATS_TEST_TMPDIR/net" "$BATS_TEST_TMPDIR/net.rs"
	start_bg udp on_peer timeout 20 socat -u UDP4-RECVFROM:7001 -
	wait_port peer 7001 udp
	start_bg server shim "$BATS_TEST_TMPDIR/net" "$PEER" "$BATS_TEST_TMPDIR/got"
	run on_peer socat -t 10 - "TCP4:$US:7000,retry=200,interval=0.05" <<<text
	assert_eq "$output" TEXT
	wait_bg server
	assert_status 0
	cmp "$BATS_TEST_TMPDIR/got" "$ROOT/5m"
	wait_bg udp
	assert_eq "$(cat "$(out udp)")" TEXT
}
