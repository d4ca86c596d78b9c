# SPDX-License-Identifier: MIT
# A program on a listener of both worlds, under the shim. Prints "ok" when everything was as on Linux.

import errno, fcntl, os, select, signal, socket, struct, sys, time

LOCAL = "127.0.0.1"


def listener(port=0, backlog=16, addr="0.0.0.0"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen(backlog)
    return s


def connected(port):
    s = socket.create_connection((LOCAL, port), timeout=5)
    return s


def native():
    l = listener()
    l.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    l.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    port = l.getsockname()[1]
    c = connected(port)
    s, who = l.accept()
    assert who == c.getsockname() == s.getpeername(), (who, c.getsockname())
    assert s.getsockname() == c.getpeername() == (LOCAL, port)
    assert s.family == socket.AF_INET and s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert fcntl.fcntl(s.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK == 0
    assert fcntl.fcntl(s.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    c.sendall(b"ping")
    assert s.recv(4, socket.MSG_WAITALL) == b"ping"
    s.sendall(b"pong")
    s.shutdown(socket.SHUT_WR)
    assert c.recv(10) == b"pong" and c.recv(10) == b""
    c.close()
    assert s.recv(10) == b""
    # A reset shows as one.
    c = connected(port)
    s, who = l.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    try:
        s.recv(1)
        raise AssertionError("no reset")
    except ConnectionResetError:
        pass


def events():
    for _ in range(20):
        l = listener()
        port = l.getsockname()[1]
        l.setblocking(False)
        ep = select.epoll()
        ep.register(l, select.EPOLLIN)
        p = select.poll()
        p.register(l, select.POLLIN)
        assert not ep.poll(0) and not p.poll(0)
        c = connected(port)
        assert ep.poll(5) == [(l.fileno(), select.EPOLLIN)]
        assert p.poll(5000) == [(l.fileno(), select.POLLIN)]
        l.accept()[0].close()
        assert not ep.poll(0)
        # The other world: our own address, through the stack.
        o = socket.create_connection(("10.77.0.2", port), timeout=5)
        assert ep.poll(5) == [(l.fileno(), select.EPOLLIN)]
        s, who = l.accept()
        assert who == o.getsockname()
        try:
            l.accept()
            raise AssertionError("a third connection")
        except BlockingIOError:
            pass
        for x in (c, o, s, ep, l):
            x.close()


def backlog():
    l = listener(backlog=3)
    port = l.getsockname()[1]
    waiting, got = [], 0
    for _ in range(12):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((LOCAL, port))
        waiting.append(s)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        got = sum(1 for s in waiting if select.select([], [s], [], 0)[1])
    # Linux: backlog + 1 in the queue.
    assert got == 4, got
    for _ in range(got):
        l.accept()[0].close()


def close():
    for how in ("close", "shutdown"):
        l = listener()
        port = l.getsockname()[1]
        connected(port).close()
        s, _ = l.accept()
        waiting = connected(port)
        kept = l.dup()
        if how == "shutdown":
            l.shutdown(socket.SHUT_RDWR)
        l.close()
        if how == "close":
            connected(port).close()  # the duplicate still listens
        kept.close()
        end = time.monotonic() + 5
        while True:
            e = socket.socket().connect_ex((LOCAL, port))
            if e == errno.ECONNREFUSED or time.monotonic() > end:
                break
        assert e == errno.ECONNREFUSED, e
        assert s.recv(1) == b""  # its client went
        try:
            assert waiting.recv(1) == b""
        except ConnectionResetError:
            pass


def prefork(port):
    l = listener(int(port), 64)
    for n in range(3):
        if os.fork() == 0:
            while True:
                s, who = l.accept()
                s.recv(1000)
                body = b"worker %d of %s\n" % (n, who[0].encode())
                s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                s.close()
    signal.pause()


def again(port):
    for _ in range(50):
        l = listener(int(port))
        c = connected(int(port))
        s, _ = l.accept()
        s.close()
        c.close()
        l.close()


def alone(addr):
    l = listener(8005, addr=addr)
    rows = [line.split()[1:4] for line in open("/proc/net/tcp").readlines()[1:]]
    print("served" if ["0100007F:%04X" % 8005, "00000000:0000", "0A"] in rows else "refused")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
    if sys.argv[1] not in ("alone", "prefork"):
        print("ok")
