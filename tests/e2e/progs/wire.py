# SPDX-License-Identifier: MIT
"""wire.py serve ADDR | client SCENARIO ADDR: exchanges whose packets two stacks are compared by

The server does by port: 7101 answers ten bytes by as many and waits for the end, 7102 answers at the end, 7104
answers and closes first, 7105 sends at once and then reads. Port 7103 is closed.
"""
import select
import socket
import struct
import sys

TCP_KEEPIDLE, TCP_KEEPINTVL = 4, 5


def read_all(s):
    data = b""
    while part := s.recv(4096):
        data += part
    return data


def serve_one(c, port):
    if port == 7102:
        c.sendall(read_all(c))
        return
    if port == 7105:
        c.sendall(b"x" * 3000)
    else:
        c.sendall(c.recv(100))
    if port == 7104:
        return
    try:
        read_all(c)
    except ConnectionResetError:
        pass


def serve(addr):
    listeners = []
    for port in (7101, 7102, 7104, 7105):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        s.listen()
        listeners.append(s)
    print("ready", flush=True)
    while True:
        for s in select.select(listeners, [], [])[0]:
            c, _ = s.accept()
            serve_one(c, s.getsockname()[1])
            c.close()


def echo(addr, port=7101):
    s = socket.create_connection((addr, port))
    s.sendall(b"0123456789")
    s.recv(100)
    return s


def wait(seconds):
    """lets time pass: what is looked at is a timer of the stack"""
    select.select([], [], [], seconds)


def client(scenario, addr):
    if scenario == "echo":
        echo(addr).close()
    elif scenario == "half-close":
        s = socket.create_connection((addr, 7102))
        s.sendall(b"0123456789")
        s.shutdown(socket.SHUT_WR)
        read_all(s)
    elif scenario == "refused":
        try:
            socket.create_connection((addr, 7103))
        except ConnectionRefusedError:
            pass
    elif scenario == "abort":
        s = echo(addr)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    elif scenario == "peer-closes":
        s = echo(addr, 7104)
        read_all(s)
        s.close()
    elif scenario == "keepalive":
        s = echo(addr)
        s.setsockopt(socket.IPPROTO_TCP, TCP_KEEPIDLE, 1)
        s.setsockopt(socket.IPPROTO_TCP, TCP_KEEPINTVL, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        wait(1.6)
        s.close()
    elif scenario == "unread":
        s = socket.create_connection((addr, 7105))
        select.select([s], [], [])
        wait(0.3)
        s.close()


if sys.argv[1] == "serve":
    serve(sys.argv[2])
client(sys.argv[2], sys.argv[3])
