# SPDX-License-Identifier: MIT
"""Attacks on a running host. Usage: hostile.py KEY ATTACK [ARG...]; prints what became of it."""
import array
import collections
import errno
import os
import pathlib
import resource
import select
import signal
import socket
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "fuzz"))
import wsproto as ws  # noqa: E402

KEY = sys.argv[1]


def name(result):
    return errno.errorcode[-result] if result < 0 else result


def unlimited():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def nothing_to_read(s):
    return not select.select([s], [], [], 0)[0]


def hellos():
    """First messages that are none: each connection is ended."""
    good = ws.CTL_HELLO.pack(ws.MAGIC, ws.HELLO_CONTROL, 0)
    bad = [b"x", good[:-1], good + b"x", good[:4], bytes(16), ws.CTL_HELLO.pack(ws.MAGIC + 1, 1, 0),
           ws.CTL_HELLO.pack(ws.MAGIC, 3, 0), ws.CTL_HELLO.pack(ws.MAGIC, 2, 0), bytes(40), b"\xff" * 40,
           ws.CTL_MSG.pack(ws.MAGIC, ws.OPS["STOP"], 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), b"y" * 100000]
    ends = 0
    for suffix in "sp":
        for message in bad:
            s = ws.dial(KEY, suffix)
            s.send(message)
            ends += ws.ended(s)
    for lie in [dict(magic=1), dict(kind=1), dict(kind=9), dict(cookie=0), dict(cookie=1), dict(ino=0), dict(ino=1),
                dict(family=0), dict(family=16), dict(family=65535), dict(type=0), dict(type=77), dict(protocol=99),
                dict(type=socket.SOCK_DGRAM)]:
        ends += ws.ended(ws.Anchor(KEY, **lie).sock)
    for lie in [dict(type=socket.SOCK_STREAM), dict(protocol=6), dict(type=5), dict(cookie=2)]:
        ends += ws.ended(ws.Anchor(KEY, socket.SOCK_DGRAM, **lie).sock)
    print(ends, "ended")


def duplicate():
    """The name of a socket that is another's, or of one's own other socket."""
    own = ws.Anchor(KEY)
    cookie, ino = ws.identity(own.sock)
    c = ws.Control(KEY)
    print(name(c.call("GETNAME", own)[0]))
    print(ws.ended(ws.Anchor(KEY, cookie=cookie, ino=ino).sock), ws.ended(ws.Anchor(KEY, cookie=cookie).sock))
    own.sock.send(ws.ANCHOR_HELLO.pack(ws.MAGIC, 2, 0, cookie, ino, 2, 1, 0))  # a second one is but data
    print(name(c.call("GETNAME", own)[0]))


def stranger(cookie, ino):
    """All requests about a socket that this process does not hold."""
    class Victim:
        pass
    victim, own = Victim(), ws.Anchor(KEY)
    victim.cookie, results = int(cookie), set()
    c = ws.Control(KEY)
    assert c.call("BIND", own, data=ws.sockaddr("0.0.0.0"))[0] == 0
    for fd in [-1, 0, 1, 2, own.fileno(), c.sock.fileno(), 5, 1000, 2**31 - 1, -2**31]:
        victim.fileno = lambda fd=fd: fd
        for op in ["BIND", "CONNECT", "LISTEN", "GETNAME", "SETSOCKOPT", "GETSOCKOPT", "SHUTDOWN", "IOCTL", "ERROR",
                   "SENDCHECK", "RECVERR", "LINGER", "REQUEUE"]:
            results.add(name(c.call(op, victim, (2,), ws.sockaddr("10.77.0.1", 9))[0]))
        c.send("SHUTDOWN", victim, (2,), flags=ws.F_NOREPLY)
    # A process that is gone before its request is looked at.
    if os.fork() == 0:
        one = ws.Control(KEY)
        one.send("SHUTDOWN", victim, (2,), flags=ws.F_NOREPLY)
        os._exit(0)
    os.wait()
    # A child of somebody else's listener, and one's own socket, into one's own queue.
    listener = ws.Anchor(KEY)
    assert c.call("LISTEN", listener, (5,))[0] == 0
    for cookie in (int(cookie), own.cookie):
        results.add(name(c.call("REQUEUE", listener, (cookie & 0xffffffff, cookie >> 32))[0]))
    print(*sorted(results))
    print(ws.ended(ws.Anchor(KEY, cookie=victim.cookie, ino=int(ino)).sock))


def requests():
    """Requests that are none, or about nothing: an answer, or the end of the connection."""
    a, u = ws.Anchor(KEY), ws.Anchor(KEY, socket.SOCK_DGRAM)
    c = ws.Control(KEY)
    print(*(name(c.call(op)[0]) for op in (0, 1, len(ws.OPS) + 1, 255, 65535)))
    print({name(c.call(op)[0]) for op in list(ws.OPS)[1:14]})
    for flags in (4, 8, 0x7ffc, 0xfffc):
        assert c.call("GETNAME", a, flags=flags)[0] == 0
    # Too much and too little data for each operation on a socket.
    for op in list(ws.OPS)[1:14]:
        for size in (0, 1, 2, 3, 15, 16, 17, 128, 129, 4096, 65535, 65536):
            for s in (a, u):
                if op != "LINGER":
                    c.call(op, s, (0xffffffff, 0xffffffff, 0xffffffff), bytes(size))
    ends = 0
    for lie in [dict(magic=0), dict(len=1), dict(len=0xffffffff), dict(len=65537), dict(len=65536)]:
        c = ws.Control(KEY)
        c.send("GETNAME", a, **lie)
        ends += ws.ended(c.sock)
    for size in (1, ws.CTL_MSG.size - 1, 65536 + ws.CTL_MSG.size + 1, 150000):
        c = ws.Control(KEY)
        c.sock.send(ws.CTL_MSG.pack(ws.MAGIC, 5, 0, 1, 0, a.cookie, 0, 0, 0, 0, 65536, a.fileno())[:size].ljust(size))
        ends += ws.ended(c.sock)
    print(ends, "ended")


def clobber():
    """A request about a socket whose hello is yet to come, with other first messages behind it."""
    c, good = ws.Control(KEY), 0
    for _ in range(50):
        others = [ws.dial(KEY, "p") for _ in range(4)]
        a = ws.Anchor(KEY)
        for s in others:
            s.send(b"\xff" * 4000)
        c.send("BIND", a, data=ws.sockaddr("10.77.0.2"))
        good += name(c.call("GETNAME", a)[0]) == 0
        a.close()
    print(good, "good")


def rights():
    """Descriptors sent along on every kind of connection: refused, or closed unread."""
    pipes = [os.pipe()[0] for _ in range(20)]
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", pipes))]
    a, u, c = ws.Anchor(KEY), ws.Anchor(KEY, socket.SOCK_DGRAM), ws.Control(KEY)
    request = ws.CTL_MSG.pack(ws.MAGIC, ws.OPS["GETNAME"], 0, 1, 0, a.cookie, 0, 0, 0, 0, 0, a.fileno())
    for _ in range(200):
        for s, message in [(a.sock, b"x"), (u.sock, ws.datagram(b"x", ("10.77.0.1", 9))), (c.sock, request),
                           (ws.dial(KEY, "s"), b"x"), (ws.dial(KEY, "p"), b"x")]:
            try:
                s.sendmsg([message], ancillary, socket.MSG_DONTWAIT)
            except (PermissionError, BlockingIOError):
                pass
    print(name(c.call("GETNAME", u)[0]))


def datagrams():
    """Headers that lie: an error for the program, and the socket goes on."""
    u, c = ws.Anchor(KEY, socket.SOCK_DGRAM), ws.Control(KEY)
    peer = ("10.77.0.1", 9)
    ip_pktinfo = struct.pack("=QiiIII4x", 28, socket.IPPROTO_IP, 8, 0, 0, 0)
    bad = [b"", b"x", ws.datagram()[:-1], ws.datagram(magic=0), ws.datagram(kind=0), ws.datagram(kind=2),
           ws.datagram(kind=3), ws.datagram(namelen=29), ws.datagram(namelen=65535), ws.datagram(controllen=193),
           ws.datagram(controllen=65535), ws.datagram(b"x", namelen=1), ws.datagram(b"x", namelen=15),
           ws.datagram(b"x", peer, name=ws.sockaddr("10.77.0.1", 9, 10)), ws.datagram(b"x", peer, ip_pktinfo[:27]),
           ws.datagram(b"x", peer, struct.pack("=Qii", 0, 0, 8)), ws.datagram(b"x", peer, struct.pack("=Qii", 2**63, 0, 8)),
           ws.datagram(b"x", peer, struct.pack("=Qii", 15, 0, 8)), ws.datagram(b"x", peer, struct.pack("=Qii", 17, 0, 8)),
           ws.datagram(b"x", peer, struct.pack("=Qii", 200, 0, 8)), ws.datagram(b"x", peer, struct.pack("=Qii", 16, 0, 8)),
           ws.datagram(b"x", peer, b"\xff" * 192), ws.datagram(bytes(65535), peer), ws.datagram(bytes(65536), peer),
           ws.datagram(bytes(100000), peer), ws.datagram(bytes(65507 + 1), peer)]
    for message in bad:
        if message:
            u.sock.send(message)
    errors = 0
    assert c.call("GETNAME", u)[0] == 0
    while not nothing_to_read(u.sock):
        m = ws.DGRAM_HDR.unpack(u.sock.recv(1 << 17)[:ws.DGRAM_HDR.size])
        assert m[0] == ws.MAGIC
        errors += m[1] == 2 and m[3] > 0
    print(errors >= 15, "goes on:", name(c.call("GETNAME", u)[0]))


def loopback():
    """What is marked for the kernel's loopback goes nowhere else, and with nothing that only the host may do."""
    u, c = ws.Anchor(KEY, socket.SOCK_DGRAM), ws.Control(KEY)
    here, mark = ("127.0.0.1", 9), struct.pack("=QiiI4x", 20, socket.SOL_SOCKET, socket.SO_MARK, 1)
    device = struct.pack("=QiiIII4x", 28, socket.IPPROTO_IP, 8, 2, 0, 0)
    bad = [ws.datagram(b"x", kind=4), ws.datagram(b"x", ("10.77.0.1", 9), kind=4), ws.datagram(b"x", ("0.0.0.0", 9), kind=4),
           ws.datagram(b"x", ("128.0.0.1", 9), kind=4), ws.datagram(b"x", here, mark, kind=4),
           ws.datagram(b"x", here, device, kind=4), ws.datagram(b"x", here, b"\xff" * 192, kind=4),
           ws.datagram(b"x", here, kind=4, name=ws.sockaddr("127.0.0.1", 9, 10))]
    for message in bad:
        u.sock.send(message)
    elsewhere = c.call("CONNECT", u, (1,), ws.sockaddr("10.77.0.1", 9))[0]
    errors = 0
    while not nothing_to_read(u.sock):
        m = ws.DGRAM_HDR.unpack(u.sock.recv(1 << 17)[:ws.DGRAM_HDR.size])
        errors += m[1] == 2 and m[3] == errno.EINVAL
    print(errors == len(bad), name(elsewhere), name(c.call("CONNECT", u, (1,), ws.sockaddr("127.0.0.1", 9))[0]))


def unread():
    """Answers and errors that nobody fetches: the host neither waits nor hoards."""
    c, u = ws.Control(KEY), ws.Anchor(KEY, socket.SOCK_DGRAM)
    c.sock.setblocking(False)
    u.sock.setblocking(False)
    a = ws.Anchor(KEY)
    asked = 0
    try:
        while asked < 20000:
            asked += bool(c.send("STATS"))
    except BlockingIOError:
        pass
    malformed = 0
    try:
        while malformed < 20000:
            malformed += u.sock.send(b"no header")
    except BlockingIOError:
        pass
    d = ws.Control(KEY)
    d.sock.setblocking(False)
    lookups = 0
    try:
        while lookups < 20000:
            lookups += bool(d.send("RES_QUERY", data=b"nobody%d.test" % lookups, arg=(1, 1)))
    except BlockingIOError:
        pass
    # Others are answered meanwhile.
    e = ws.Control(KEY)
    print(asked < 20000, lookups < 20000, name(e.call("GETNAME", a)[0]))
    print("up", flush=True)
    sys.stdin.read()
    # Once they are read it goes on.
    c.sock.settimeout(10)
    for _ in range(asked):
        assert c.sock.recv(1 << 17)
    print(name(c.call("GETNAME", a)[0]))


def pipelined():
    """Many requests at once that fail for a taken port, by several connections: each of them is answered."""
    taken, other = ws.Anchor(KEY), ws.Anchor(KEY)
    controls = [ws.Control(KEY) for _ in range(4)]
    where = ws.sockaddr("10.77.0.2", 8200)
    print(controls[0].call("BIND", taken, data=where)[0], controls[0].call("LISTEN", taken, arg=(1,))[0])

    def ask(c):
        for _ in range(2000):
            c.send("BIND", other, data=where)

    for c in controls:
        c.sock.settimeout(10)
        threading.Thread(target=ask, args=(c,), daemon=True).start()
    answers = collections.Counter()
    for _ in range(2000):
        for c in controls:
            answers[name(ws.CTL_MSG.unpack(c.sock.recv(1 << 17)[:ws.CTL_MSG.size])[4])] += 1
    print(dict(answers))


def overtaking(host):
    """Requests about sockets whose hello is read in the turn after: the loop sees 256 events at a time."""
    class Silent:
        def __init__(self, suffix, of):
            self.sock, self.of = ws.dial(KEY, suffix), of
            self.cookie, self.ino = ws.identity(self.sock)
            self.fileno = self.sock.fileno

        def hello(self):
            self.sock.send(ws.ANCHOR_HELLO.pack(ws.MAGIC, ws.HELLO_ANCHOR, 0, self.cookie, self.ino, socket.AF_INET,
                                                self.of, 0))

    host, controls = int(host), [ws.Control(KEY) for _ in range(300)]
    sockets = [Silent("s", socket.SOCK_STREAM), Silent("p", socket.SOCK_DGRAM)]
    controls[0].call("GETNAME")  # the host has taken them
    os.kill(host, signal.SIGSTOP)
    try:
        while pathlib.Path(f"/proc/{host}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
            pass
        asked = [controls[n].send("GETNAME", s) for n, s in enumerate(sockets)]
        for c in controls[len(sockets):]:
            c.send("GETNAME")
        for s in sockets:
            s.hello()
    finally:
        os.kill(host, signal.SIGCONT)
    for c, seq in zip(controls, asked):
        answer = ws.CTL_MSG.unpack(c.sock.recv(1 << 17)[:ws.CTL_MSG.size])
        assert answer[3] == seq
        print(name(answer[4]))


def churn(count):
    """Sockets opened and closed, some in the middle of something."""
    c = ws.Control(KEY)
    for n in range(int(count)):
        kind = (socket.SOCK_STREAM, socket.SOCK_DGRAM)[n % 2]
        a = ws.Anchor(KEY, kind)
        if n % 5 == 0:
            c.call("BIND", a, data=ws.sockaddr("0.0.0.0"))
        if n % 50 == 0 and kind == socket.SOCK_STREAM:
            c.send("CONNECT", a, data=ws.sockaddr("10.77.0.1", 9), flags=ws.F_NONBLOCK | ws.F_NOREPLY)
        if n % 14 == 1:
            c.call("CONNECT", a, data=ws.sockaddr("10.77.0.1", 9))
            a.sock.send(ws.datagram(b"x"))
        if n % 100 == 99:
            c.close()
            c = ws.Control(KEY)
        a.close()
    print(count, "done")


def flood(kind, count):
    """As many connections as it gets: silent ones, greeted ones, or sockets. Holds them until its input ends."""
    unlimited()
    held, refused = [], 0
    for _ in range(int(count)):
        try:
            held.append(ws.dial(KEY, "sp"[len(held) % 2]) if kind == "silent" else
                        ws.Control(KEY) if kind == "control" else ws.Anchor(KEY))
        except (ConnectionError, struct.error):
            refused += 1
    print("up", len(held), refused, flush=True)
    sys.stdin.read()


def lifelines(count):
    """Asks for the settings again and again, as only a launcher does, once."""
    c = ws.Control(KEY)
    for _ in range(int(count)):
        assert c.call("CONFIG")[0] == 0
    print("up", flush=True)
    sys.stdin.read()


globals()[sys.argv[2]](*sys.argv[3:])
