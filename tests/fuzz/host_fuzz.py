# SPDX-License-Identifier: MIT
"""
Talks nonsense to a running host: python3 tests/fuzz/host_fuzz.py KEY [SEED [MESSAGES]]

KEY names the host as `wireshim status` does ("d/us0/10.77.0.2"); run it in the host's network namespace. Messages are
made from plausible parts (real sockets, known operations, options, addresses) with faults mixed in, so that most get
past the first check. The same seed sends the same messages. It does not ask the host to stop. Ends with status 0 when
the host still answers, and a line of what it sent.
"""
import collections
import random
import socket
import struct
import sys

import wsproto as ws

EDGES = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 27, 28, 63, 64, 127, 128, 255, 256, 511, 512, 0x7fff, 0x8000, 0xffff, 0x10000,
         0x7fffffff, 0x80000000, 0xffffffff]
LEVELS = [socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 255, 41]
KINDS = [(socket.SOCK_STREAM, 0), (socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, 17),
         (socket.SOCK_DGRAM, 1), (socket.SOCK_RAW, 1), (socket.SOCK_RAW, 255), (socket.SOCK_RAW, 6)]
ADDRESSES = ["10.77.0.1", "10.77.0.2", "0.0.0.0", "255.255.255.255", "10.77.0.255", "127.0.0.1", "224.0.0.1", "240.0.0.1"]


class Fuzzer:
    def __init__(self, key, seed):
        self.key, self.random = key, random.Random(seed)
        self.anchors, self.controls = [], []
        self.sent = collections.Counter()

    # --- parts --------------------------------------------------------------------------------------------------------

    def number(self):
        r = self.random
        return r.choice([r.choice(EDGES), r.randrange(64), r.getrandbits(32)])

    def blob(self, most=64):
        r = self.random
        return r.randbytes(r.choice([0, 1, 4, 8, 12, 16, r.randrange(most + 1)]))

    def address(self):
        r = self.random
        good = ws.sockaddr(r.choice(ADDRESSES), r.choice([0, 1, 9, 53, 8000, 8100, r.randrange(65536)]),
                           r.choice([2, 2, 2, 2, 0, 1, 10, r.randrange(65536)]))
        return r.choice([good, good, good[:r.randrange(17)], good + r.randbytes(r.randrange(200)), self.blob(200)])

    def mutate(self, message, chance=0.1):
        r = self.random
        if r.random() >= chance or not message:
            return message
        message = bytearray(message)
        for _ in range(r.choice([1, 1, 2, 8])):
            message[r.randrange(len(message))] = r.choice([0, 1, 255, r.randrange(256)])
        return bytes(message[:r.choice([len(message)] * 3 + [r.randrange(len(message) + 1)])])

    def options(self):
        r = self.random
        items = b""
        for _ in range(r.randrange(4)):
            data = self.blob(40)
            length = r.choice([16 + len(data)] * 3 + [self.number()])
            items += struct.pack("=Qii", length, r.choice(LEVELS), r.randrange(80)) + data + bytes(-len(data) % 8)
        return items[:192]

    # --- messages -----------------------------------------------------------------------------------------------------

    def hello(self):
        r = self.random
        kind, protocol = r.choice(KINDS)
        lies = {"protocol": protocol}
        if r.random() < 0.3:
            field = r.choice(["magic", "kind", "cookie", "ino", "family", "type", "protocol"])
            lies[field] = self.number() & 0xffff
        if len(self.anchors) > 40:
            self.anchors.pop(r.randrange(len(self.anchors))).close()
        a = ws.Anchor(self.key, kind, **lies)
        a.sock.setblocking(False)
        a.kind = kind
        self.anchors.append(a)

    def request(self, c):
        r = self.random
        op = r.choice([n for n in ws.OPS if n != "STOP"] + [self.number() & 0xffff])
        if op == ws.OPS["STOP"]:
            return
        a = r.choice(self.anchors) if self.anchors and r.random() < 0.95 else None
        arg = [self.number() for _ in range(4)]
        data = self.blob(300)
        lies = {}
        if op in ("BIND", "CONNECT", "SENDCHECK", "RESOLVE_ADDR"):
            data = self.address()
        elif op in ("SETSOCKOPT", "GETSOCKOPT"):
            arg[:2] = r.choice(LEVELS), r.randrange(80)
            arg[2] = r.choice([4, arg[2]])
        elif op == "RESOLVE":
            data = struct.pack("=4i256s", *(r.choice([0, 2, self.number() & 0xff]) for _ in range(4)), self.blob(256))
        elif op in ("SHUTDOWN", "LISTEN", "ERROR"):
            arg[0] = r.choice([0, 1, 2, arg[0]])
        elif op == "IOCTL":
            arg[0] = r.choice([0x541b, 0x5411, 0x8905, 0x8927, arg[0]])
        elif op == "LINGER":
            arg[0] = 0
        elif op == "REQUEUE" and self.anchors:
            cookie = r.choice(self.anchors).cookie
            arg[:2] = cookie & 0xffffffff, cookie >> 32
        if r.random() < 0.05:
            lies[r.choice(["magic", "len", "flags", "cookie", "fd"])] = self.number() & 0xffff
        flags = r.choice([0, ws.F_NONBLOCK, ws.F_NOREPLY, ws.F_NONBLOCK, self.number() & 0xffff])
        c.send(op, a, arg, data, **({"flags": flags} | lies))

    def traffic(self, a):
        r = self.random
        what = r.random()
        if what < 0.05:
            a.sock.shutdown(r.choice([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]))
        elif what < 0.3:
            a.sock.recv(65536)
        elif a.kind == socket.SOCK_STREAM:
            a.sock.send(r.randbytes(r.choice([1, ws.GATE_BYTES, r.randrange(1, 5000)])),
                        r.choice([0, 0, 0, socket.MSG_OOB]))
        else:
            to = (r.choice(ADDRESSES), r.choice([0, 9, 8000, r.randrange(65536)])) if r.random() < 0.7 else None
            m = ws.datagram(r.randbytes(r.choice([0, 1, 28, 100, 1472, 1473, 65000, r.randrange(66000)])), to,
                            self.options() if r.random() < 0.3 else b"", flags=self.number())
            head = self.mutate(m[:ws.DGRAM_HDR.size], 0.4)
            a.sock.send(head + m[ws.DGRAM_HDR.size:] if len(head) == ws.DGRAM_HDR.size else head)

    def junk(self):
        s = ws.dial(self.key, self.random.choice("sp"))
        s.send(self.mutate(ws.ANCHOR_HELLO.pack(ws.MAGIC, self.random.choice([1, 2]), *(self.number() for _ in range(3)),
                                                2, 1, 0) + self.blob(), 0.9) or b"x")
        s.close()

    # --- the run ------------------------------------------------------------------------------------------------------

    def control(self):
        """A control connection; a malformed message has ended some of them."""
        while len(self.controls) < 3:
            c = ws.Control(self.key)
            c.sock.setblocking(False)
            self.controls.append(c)
        return self.random.choice(self.controls)

    def drain(self, c):
        try:
            while c.sock.recv(1 << 17):
                pass
        except BlockingIOError:
            return
        except ConnectionError:
            pass
        self.controls.remove(c)

    def step(self):
        what = self.random.random()
        if what < 0.05 or not self.anchors:
            self.sent["hello"] += 1
            self.hello()
        elif what < 0.06:
            self.sent["junk"] += 1
            self.junk()
        elif what < 0.65:
            c = self.control()
            self.sent["request"] += 1
            try:
                self.request(c)
            except BlockingIOError:
                pass
            except ConnectionError:
                self.controls.remove(c)
                return
            if self.random.random() < 0.9:
                self.drain(c)
        else:
            self.sent["traffic"] += 1
            try:
                self.traffic(self.random.choice(self.anchors))
            except OSError:
                pass

    def alive(self):
        """The host answers a new connection."""
        c = ws.Control(self.key)
        result, text = c.call("STATS")
        c.close()
        assert result == 0 and text.startswith(b"host "), (result, text[:80])


def main():
    key, seed, messages = sys.argv[1], int((sys.argv + ["1"])[2]), int((sys.argv + ["", "20000"])[3])
    f = Fuzzer(key, seed)
    for n in range(messages):
        f.step()
        if n % 1000 == 999:
            f.alive()
    for c in f.anchors + f.controls:
        c.close()
    f.alive()
    print("seed", seed, *(f"{n} {what}" for what, n in sorted(f.sent.items())))


main()
