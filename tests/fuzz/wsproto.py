# SPDX-License-Identifier: MIT
"""The host's protocol (shim/protocol.h) as a client speaks it who need not keep to it."""
import os
import pathlib
import re
import socket
import struct

HEADER = (pathlib.Path(__file__).parents[2] / "shim/protocol.h").read_text()
MAGIC = int(re.search(r"WIRESHIM_MAGIC = (0x[0-9a-f]+)", HEADER)[1], 16)
GATE_BYTES = int(re.search(r"GATE_BYTES = (\d+)", HEADER)[1])
SO_COOKIE = 57
HELLO_CONTROL, HELLO_ANCHOR = 1, 2
F_NOREPLY, F_NONBLOCK = 1, 2

# The operations, numbered in the order of the header's enum.
OPS = {name: 1 + number for number, name in enumerate(re.findall(r"^\tCTL_([A-Z_]+)(?: = 1)?,", re.search(
    r"enum ctl_op \{(.*?)\n\};", HEADER, re.S)[1], re.M))}
assert OPS["HELLO"] == 1 and OPS["BIND"] == 2

CTL_HELLO = struct.Struct("=IIQ")
ANCHOR_HELLO = struct.Struct("=IIQQQHHI")
CTL_MSG = struct.Struct("=IHHIiQ4IIi")
DGRAM_HDR = struct.Struct("=IHHiIIHH28s4x192s")


def name_of(key, suffix):
    return f"\0wireshim/{key}/{suffix}"


def sockaddr(address, port=0, family=socket.AF_INET):
    return struct.pack("=H", family) + struct.pack("!H", port) + socket.inet_aton(address) + bytes(8)


def dial(key, suffix):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if suffix == "s" else socket.SOCK_SEQPACKET)
    s.connect(name_of(key, suffix))
    s.settimeout(10)
    return s


def identity(s):
    cookie = struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    return cookie, os.fstat(s.fileno()).st_ino


def ended(s):
    """Has the host ended the connection? Waits for it."""
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


class Anchor:
    """A socket of ours, honestly introduced unless told otherwise."""

    def __init__(self, key, of=socket.SOCK_STREAM, **lies):
        self.sock = dial(key, "s" if of == socket.SOCK_STREAM else "p")
        self.cookie, ino = identity(self.sock)
        hello = dict(magic=MAGIC, kind=HELLO_ANCHOR, token=0, cookie=self.cookie, ino=ino,
                     family=socket.AF_INET, type=of, protocol=0) | lies
        self.sock.send(ANCHOR_HELLO.pack(*hello.values()))

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        self.sock.close()


class Control:
    """A control connection, greeted."""

    def __init__(self, key):
        self.sock = dial(key, "p")
        self.sock.send(CTL_HELLO.pack(MAGIC, HELLO_CONTROL, 0))
        reply = self.sock.recv(65536)
        assert CTL_MSG.unpack(reply[:CTL_MSG.size])[4] == 0, reply
        self.seq = 0

    def send(self, op, anchor=None, arg=(), data=b"", flags=0, **lies):
        self.seq += 1
        arg = [*arg, 0, 0, 0, 0][:4]
        m = dict(magic=MAGIC, op=OPS.get(op, op), flags=flags, seq=self.seq, result=0,
                 cookie=anchor.cookie if anchor else 0, a0=arg[0], a1=arg[1], a2=arg[2], a3=arg[3],
                 len=len(data), fd=anchor.fileno() if anchor else -1) | lies
        self.sock.send(CTL_MSG.pack(*m.values()) + data)
        return self.seq

    def call(self, *args, **kwargs):
        """The result of a request, and the data of its answer."""
        seq = self.send(*args, **kwargs)
        while True:
            reply = self.sock.recv(1 << 17)
            if not reply:
                raise ConnectionResetError
            fields = CTL_MSG.unpack(reply[:CTL_MSG.size])
            if fields[3] == seq:
                return fields[4], reply[CTL_MSG.size:]

    def close(self):
        self.sock.close()


def datagram(payload=b"", to=None, control=b"", **lies):
    name = sockaddr(*to) if to else b""
    h = dict(magic=MAGIC, kind=1, namelen=len(name), err=0, flags=0, full_len=len(payload),
             controllen=len(control), pad=0, name=name, control=control) | lies
    return DGRAM_HDR.pack(*h.values()) + payload
