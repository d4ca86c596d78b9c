# SPDX-License-Identifier: MIT
"""
A program in a given state: states.py STATE PEER PORT. Prints "up", then the errno by which the state ends, and what
the next calls on this socket and on a new one give.
"""
import errno
import signal
import socket
import sys

state, peer, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def attempt(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode[e.errno]


def until_error(f):
    while True:
        got = f()
        if not got:
            return "end"


def report(*what):
    print(*what, flush=True)


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
if state == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", port))
    wait = lambda: s.recv(100)
elif state == "accept":
    s = socket.create_server(("", port))
    wait = s.accept
elif state == "connect":
    s = socket.socket()
    wait = lambda: s.connect(("10.98.0.1", port))
else:
    s = socket.create_connection((peer, port))
    wait = {"recv": lambda: until_error(lambda: s.recv(65536)), "send": lambda: until_error(lambda: s.send(bytes(65536))),
            "idle": lambda: until_error(lambda: s.recv(1))}[state]
report("up")
report(attempt(wait))
again = {"udp": lambda: s.recv(1), "accept": s.accept, "connect": lambda: s.getpeername(),
         "recv": lambda: s.send(b"x"), "send": lambda: s.send(b"x"), "idle": lambda: s.recv(1)}[state]
report(attempt(again))
report(attempt(lambda: socket.create_connection((peer, 8000)) and "new"))
report(attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (peer, port))))
