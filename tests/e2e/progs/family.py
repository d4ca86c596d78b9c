# SPDX-License-Identifier: MIT
# A family of processes behind one port, and clients that check each answer.
#
#   family.py reuseport PORT N    N processes, each with a listener of its own (SO_REUSEPORT)
#   family.py prefork PORT N      N processes on one listener; the parent replaces those that die
#   family.py datagram PORT N     N processes, each with a UDP socket of its own (SO_REUSEPORT)
#   family.py ask ADDRESS PORT COUNT [udp]
#       COUNT requests, 8 at a time; prints "ok", "broken" (the connection failed) or "wrong" with how many, and which
#       processes answered how often

import collections, concurrent.futures, hashlib, os, signal, socket, sys

SIZE = 51200


def answer(word):
    return hashlib.sha256(word).hexdigest().encode() * (SIZE // 64)


def listener(port, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    return s


def serve(l):
    while True:
        s, _ = l.accept()
        try:
            word = s.recv(16, socket.MSG_WAITALL)
            s.sendall(b"%08d" % os.getpid() + answer(word))
        except OSError:
            pass
        s.close()


def serve_datagrams(u):
    while True:
        word, who = u.recvfrom(100)
        u.sendto(b"%08d" % os.getpid() + hashlib.sha256(word).digest(), who)


def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def family(mode, port, count):
    port, count = int(port), int(count)
    if mode == "prefork":
        l = listener(port)
        work = lambda: serve(l)
    elif mode == "reuseport":
        work = lambda: serve(listener(port))
    else:
        work = lambda: serve_datagrams(listener(port, socket.SOCK_DGRAM))
    for _ in range(count):
        print(child(work), flush=True)
    while True:
        os.wait()
        if mode == "prefork":
            print(child(work), flush=True)


def ask_stream(where, word):
    with socket.create_connection(where, timeout=10) as s:
        s.sendall(word)
        got = b""
        while piece := s.recv(65536):
            got += piece
    if len(got) < 8 + SIZE:
        return "broken"
    return got[:8].decode() if got[8:] == answer(word) else "wrong"


def ask_datagram(where, word):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(where)
        s.send(word)
        got = s.recv(100)
    return got[:8].decode() if got[8:] == hashlib.sha256(word).digest() else "wrong"


def one(ask, where, n):
    try:
        return ask(where, b"%016d" % n)
    except OSError:
        return "broken"


def ask(address, port, count, kind="tcp"):
    where, how = (address, int(port)), ask_datagram if kind == "udp" else ask_stream
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = collections.Counter(pool.map(lambda n: one(how, where, n), range(int(count))))
    bad = got.pop("broken", 0), got.pop("wrong", 0)
    print("ok", sum(got.values()), "broken", bad[0], "wrong", bad[1], "by", len(got), min(got.values(), default=0))


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
if sys.argv[1] == "ask":
    ask(*sys.argv[2:])
else:
    family(*sys.argv[1:])
