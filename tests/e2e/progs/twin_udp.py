# SPDX-License-Identifier: MIT
# UDP sockets on the wildcard address and the loopback. What each part prints is the same on the kernel's stack alone and
# under the shim.

import ctypes, errno, fcntl, os, select, signal, socket, struct, sys, termios, time

LOCAL = "127.0.0.1"
IP, UDP = socket.IPPROTO_IP, socket.IPPROTO_UDP
IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_ORIGDSTADDR, IP_BIND_NO_PORT = 8, 11, 12, 13, 20, 24
MSG_ERRQUEUE, UDP_CORK = 0x2000, 1


def udp(addr="0.0.0.0", port=0, **options):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for name in options:
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, name), options[name])
    if addr:
        s.bind((addr, port))
    s.settimeout(5)
    return s


def at(s):
    return LOCAL, s.getsockname()[1]


def failed(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, e)


def quiet(s, ms=50):
    return not select.select([s], [], [], ms / 1000)[0]


def names():
    """Who sends and who is meant; sockets bound by bind() and by sending."""
    a, b = udp(), udp(addr=None)
    b.sendto(b"x", at(a))
    data, who = a.recvfrom(10)
    print(data, who == at(b), a.getsockname()[0], b.getsockname()[0])
    a.sendto(b"y", who)
    print(b.recvfrom(10) == (b"y", at(a)))
    a.sendto(b"self", at(a))
    print(a.recvfrom(10) == (b"self", at(a)))
    # A socket of the same number cannot be.
    c = udp(addr=None)
    print(failed(udp, LOCAL, a.getsockname()[1]), failed(c.bind, ("0.0.0.0", a.getsockname()[1])))
    port = a.getsockname()[1]
    a.close()
    c.bind(("0.0.0.0", port))
    b.sendto(b"new", at(c))
    print(c.recv(10))
    n = udp(addr=None)
    n.setsockopt(IP, IP_BIND_NO_PORT, 1)
    n.bind(("0.0.0.0", 0))
    n.sendto(b"late", at(c))
    print(c.recvfrom(10) == (b"late", at(n)))


def control():
    """Ancillary data, both ways."""
    a, b = udp(), udp()
    for option in (IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_ORIGDSTADDR):
        a.setsockopt(IP, option, 1)
    a.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
    b.setsockopt(IP, socket.IP_TTL, 9)

    def show():
        data, control, flags, who = a.recvmsg(100, 500)
        print(data, who == at(b), who[0], flags)
        for level, kind, value in control:
            if (level, kind) == (socket.SOL_SOCKET, 35):
                value = abs(struct.unpack("qq", value)[0] - time.time()) < 60
            elif kind == IP_PKTINFO:
                value = value[:4], socket.inet_ntoa(value[4:8]), socket.inet_ntoa(value[8:])
            elif kind == IP_ORIGDSTADDR:
                value = value == struct.pack("!2s", struct.pack("H", 2)) + struct.pack(
                    "!H4s8x", a.getsockname()[1], socket.inet_aton(LOCAL))
            print(level, kind, value)

    b.sendto(b"plain", at(a))
    show()
    b.sendmsg([b"ttl ", b"tos"], [(IP, socket.IP_TTL, struct.pack("i", 7)), (IP, socket.IP_TOS, struct.pack("i", 16))],
              0, at(a))
    show()
    source = struct.pack("i4s4x", 0, socket.inet_aton("127.0.0.5"))
    b.sendmsg([b"from"], [(IP, IP_PKTINFO, source)], 0, at(a))
    show()
    # As servers answer: with what they were sent.
    b.sendmsg([b"ask"], [(IP, IP_PKTINFO, struct.pack("i4s4x", 1, socket.inet_aton(LOCAL)))], 0, at(a))
    show()
    a.setsockopt(IP, IP_PKTINFO, 0)
    a.setsockopt(socket.SOL_SOCKET, 35, 0)
    b.sendto(b"less", at(a))
    show()
    print(failed(b.sendmsg, [b"x"], [(IP, 99, b"1234")], 0, at(a)))


def sizes():
    a, b = udp(SO_RCVBUF=1 << 20), udp(addr=None)
    for n in (0, 1, 1472, 1473, 8000, 65507):
        sent = os.urandom(n)
        b.sendto(sent, at(a))
        print(n, a.recv(65536) == sent)
    print(failed(b.sendto, bytes(65508), at(a)))
    b.sendto(b"0123456789", at(a))
    b.sendto(b"next", at(a))
    print(a.recv(4, socket.MSG_PEEK), struct.unpack("i", fcntl.ioctl(a, termios.FIONREAD, bytes(4))))
    data, _, flags, _ = a.recvmsg(4)
    print(data, flags & socket.MSG_TRUNC != 0)
    print(a.recv(100))
    b.sendto(b"one ", socket.MSG_MORE, at(a))
    b.sendto(b"two", at(a))
    print(a.recv(100))
    b.setsockopt(UDP, UDP_CORK, 1)
    b.sendto(b"left ", at(a))
    b.sendto(b"right", at(a))
    print(quiet(a))
    b.setsockopt(UDP, UDP_CORK, 0)
    print(a.recv(100))


def order():
    """Nothing is lost that a socket has room for, and nothing changes places."""
    a, b = udp(SO_RCVBUF=200000), udp(addr=None)
    for turn in range(20):
        for n in range(100):
            b.sendto(struct.pack("ii", turn, n), at(a))
        got = [struct.unpack("ii", a.recv(100)) for _ in range(100)]
        assert got == [(turn, n) for n in range(100)], got
    print("all")
    # The last words of a socket that is closed.
    for turn in range(20):
        c = udp(addr=None)
        c.sendto(b"%d" % turn, at(a))
        c.close()
        assert a.recv(10) == b"%d" % turn
    print("last words")


def events():
    a, b = udp(), udp(addr=None)
    level, edge = select.epoll(), select.epoll()
    level.register(a, select.EPOLLIN)
    edge.register(a, select.EPOLLIN | select.EPOLLET)
    for _ in range(20):
        assert not level.poll(0) and not edge.poll(0)
        b.sendto(b"x", at(a))
        assert level.poll(5) == edge.poll(5) == [(a.fileno(), select.EPOLLIN)]
        assert level.poll(0) and not edge.poll(0)
        assert select.select([a], [], [], 0)[0] == [a]
        a.recv(10)
        assert not level.poll(0)
        edge.poll(0)
    a.setblocking(False)
    print(failed(a.recv, 10))


def errors():
    """A closed port: who asked by IP_RECVERR, or is connected, is told."""
    gone = udp()
    where = at(gone)
    gone.close()
    a = udp()
    probe = udp(addr=None)
    # Until the port is closed for good.
    probe.connect(where)
    for _ in range(1000):
        if failed(probe.send, b"x") == "ECONNREFUSED" or not quiet(probe, 5):
            break
    a.sendto(b"x", where)
    print("quiet", quiet(a))
    a.setsockopt(IP, IP_RECVERR, 1)
    a.sendto(b"lost", where)
    print(not quiet(a, 5000), failed(a.recv, 10))
    a.setblocking(False)
    data, control, flags, who = a.recvmsg(100, 500, MSG_ERRQUEUE)
    print(data, flags & MSG_ERRQUEUE != 0, who == where)
    for level, kind, value in control:
        print(level, kind, struct.unpack("IBBB", value[:7]), socket.inet_ntoa(value[20:24]))
    print(failed(a.recvmsg, 100, 500, MSG_ERRQUEUE), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    a.settimeout(5)
    b = udp()
    b.sendto(b"used", at(a))  # stays what it is, and connects then
    print(a.recv(10))
    b.connect(where)
    b.send(b"x")
    print(not quiet(b, 5000), failed(b.recv, 10))
    b.send(b"x")
    print(not quiet(b, 5000), errno.errorcode[b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
    print(failed(udp().sendto, b"x", ("127.255.255.255", 9)), failed(udp().sendto, b"x", (LOCAL, 0)))


def connected():
    """A server that connects to whom it heard, as nc -u -l does; and back."""
    a, b, c = udp(port=20001), udp(), udp()
    b.sendto(b"hello", at(a))
    data, who = a.recvfrom(10, socket.MSG_PEEK)
    a.connect(who)
    print(a.getsockname() == at(a), a.getpeername() == who, a.recv(10))
    c.sendto(b"stranger", at(a))
    a.send(b"answer")
    print(b.recvfrom(10) == (b"answer", at(a)))
    b.sendto(b"more", at(a))
    print(a.recvfrom(10) == (b"more", who), quiet(a))
    a.connect((LOCAL, c.getsockname()[1]))
    a.send(b"c")
    print(c.recv(10), a.getpeername() == at(c))
    # connect(AF_UNSPEC) by libc: socket has no way to say it.
    libc = ctypes.CDLL(None, use_errno=True)
    port = a.getsockname()[1]
    print(libc.connect(a.fileno(), bytes(16), 16), failed(a.getpeername), a.getsockname() == ("0.0.0.0", port))
    b.sendto(b"b", at(a))
    c.sendto(b"c", at(a))
    print(sorted((a.recv(10), a.recv(10))))
    # Bound, and connected before anything else.
    d = udp()
    port = d.getsockname()[1]
    d.connect(at(c))
    d.send(b"d")
    print(c.recvfrom(10) == (b"d", (LOCAL, port)), d.getsockname() == (LOCAL, port))


def shared():
    """SO_REUSEADDR: the last one gets it. SO_REUSEPORT: they share. Neither: one only."""
    sender = udp(addr=None)
    a = udp(SO_REUSEADDR=1)
    b = udp(port=a.getsockname()[1], SO_REUSEADDR=1)
    for _ in range(10):
        sender.sendto(b"x", at(a))
    print([b.recv(10) for _ in range(10)] == [b"x"] * 10, quiet(a))
    group = [udp(SO_REUSEPORT=1)]
    group += [udp(port=group[0].getsockname()[1], SO_REUSEPORT=1) for _ in range(3)]
    senders = [udp(addr=None) for _ in range(60)]
    for s in senders:
        s.sendto(b"x", at(group[0]))
    heard = dict.fromkeys(group, 0)
    while sum(heard.values()) < 60:
        for s in select.select(group, [], [], 5)[0]:
            s.recv(10)
            heard[s] += 1
    print(all(heard.values()), quiet(group[0]))
    print(failed(udp, "0.0.0.0", group[0].getsockname()[1]))


def filtered():
    """A filter holds on the loopback, too, set before and after."""
    first = struct.pack("HBBI", 0x30, 0, 0, 8) + struct.pack("HBBI", 0x15, 0, 1, ord("y")) + \
        struct.pack("HBBI", 6, 0, 0, 65535) + struct.pack("HBBI", 6, 0, 0, 0)
    code = ctypes.create_string_buffer(first)
    prog = struct.pack("HxxxxxxQ", 4, ctypes.addressof(code))
    b = udp(addr=None)
    for early in (True, False):
        a = udp(addr=None)
        if early:
            a.setsockopt(socket.SOL_SOCKET, 26, prog)
        a.bind(("0.0.0.0", 0))
        if not early:
            a.setsockopt(socket.SOL_SOCKET, 26, prog)
        b.sendto(b"no", at(a))
        b.sendto(b"yes", at(a))
        print(a.recv(10), quiet(a))


def family():
    """Processes that share the socket, before and after fork(), and one that execs."""
    a, b = udp(), udp()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if (pid := os.fork()) == 0:
        data, who = a.recvfrom(10)
        a.sendto(b"child " + data, who)
        os._exit(0)
    b.sendto(b"1", at(a))
    print(b.recvfrom(20) == (b"child 1", at(a)))
    os.waitpid(pid, 0)
    os.set_inheritable(a.fileno(), True)
    code = ("import socket\ns = socket.socket(fileno=%d)\nd, w = s.recvfrom(10)\ns.sendto(b'exec ' + d, w)\n"
            "s.connect(w)\ns.send(b'again')" % a.fileno())
    b.sendto(b"2", at(a))
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    print(b.recvfrom(20) == (b"exec 2", at(a)), b.recv(20))
    os.waitpid(pid, 0)


def serve(port):
    """An echo server that says whom it heard, on one descriptor."""
    s = udp(port=int(port))
    s.settimeout(None)
    s.setsockopt(IP, IP_PKTINFO, 1)
    p = select.poll()
    p.register(s, select.POLLIN)
    while True:
        p.poll()
        data, control, _, who = s.recvmsg(2000, 500)
        info = control[0][2]
        answer = b"%s to %s" % (data, socket.inet_ntoa(info[8:]).encode())
        s.sendmsg([answer], [(IP, IP_PKTINFO, bytes(4) + info[4:8] + bytes(4))], 0, who)


def ask(addr, port, count="1"):
    s = udp(addr=None)
    for n in range(int(count)):
        s.sendto(b"%d" % n, (addr, int(port)))
        data, who = s.recvfrom(100)
        assert data == b"%d to %s" % (n, addr.encode()) and who == (addr, int(port)), (data, who)
    print("ok")


def ready(addr, port):
    """Until the server answers."""
    s = udp(addr=None)
    for _ in range(200):
        s.sendto(b"ready?", (addr, int(port)))
        if not quiet(s):
            return
    sys.exit("no answer")


def both(port, peer):
    """A client with one socket: a server on the loopback and one of the network, in turns."""
    local, s = udp(), udp(addr=None)
    for n in range(20):
        s.sendto(b"%d" % n, (peer, int(port)))
        assert s.recvfrom(100)[1] == (peer, int(port))
        s.sendto(b"local", at(local))
        data, who = local.recvfrom(10)
        assert who == at(s), (who, at(s))
        local.sendto(b"back", who)
        assert s.recvfrom(100) == (b"back", at(local))
    # Connected to the network it does not hear the loopback; to nobody, it does.
    b = udp()
    port_of_b = b.getsockname()[1]
    b.connect((peer, int(port)))
    local.connect((LOCAL, port_of_b))
    local.send(b"deaf")
    assert failed(local.recv, 10) == "ECONNREFUSED"
    b.send(b"net")
    assert b.recv(100).startswith(b"net")
    print("ok")


def hold(port):
    """Keeps the port on the loopback."""
    s = udp(LOCAL, int(port))
    signal.pause()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
