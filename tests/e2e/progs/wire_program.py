# SPDX-License-Identifier: MIT
"""wire_program.py PEER-ADDR [SCENARIO...]: the program of wire_peer.py's scenarios, on the stack that is looked at

It does nothing by the clock: what it waits for comes over the wire. All scenarios run at the same time.
"""
import os
import select
import socket
import struct
import sys
import threading

import wire_peer

TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT = 4, 5, 6


def read_all(s):
    try:
        while s.recv(65536):
            pass
    except OSError:
        pass


def readable(s):
    select.select([s], [], [])


# --- server side: what is done with an accepted connection; by default nothing

def s_echo(c):
    c.sendall(c.recv(100))
    read_all(c)
    c.close()


s_no_options = s_ecn = s_echo


def s_unread(c):
    readable(c)
    c.close()


def s_late_text(c):
    c.close()


s_late_fin = s_late_text
s_quick = read_all


def s_delayed(c):
    try:
        while data := c.recv(1000):
            if data[0] == ord("x"):
                c.sendall(b"y" * 50)
    except OSError:
        pass


NEVER_ACCEPTED = ["s_closed", "s_backlog"]


def listener(addr, name):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, wire_peer.PORTS[name]))
    s.listen(1 if name == "s_backlog" else 16)
    return s


def serve(s, name, kept):
    while True:
        c, _ = s.accept()
        kept.append(c)
        what = globals().get(name)
        if what:
            what(c)


# --- client side: what is done with a connection

def c_vanished(s):
    s.sendall(b"x" * 100)


def c_tail(s):
    s.sendall(b"x" * 2 * 1448)


def c_fin_lost(s):
    s.close()


def c_zero_window(s):
    s.recv(1)
    s.sendall(b"x" * 1000)
    s.close()


def c_window_closes(s):
    s.sendall(b"x" * 1000)
    s.recv(1)
    s.sendall(b"y" * 1000)


def c_small_window(s):
    s.recv(1)
    s.sendall(b"x" * 2000)


def c_keepalive(s):
    s.setsockopt(socket.IPPROTO_TCP, TCP_KEEPIDLE, 1)
    s.setsockopt(socket.IPPROTO_TCP, TCP_KEEPINTVL, 1)
    s.setsockopt(socket.IPPROTO_TCP, TCP_KEEPCNT, 2)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def c_half_close(s):
    s.shutdown(socket.SHUT_WR)
    read_all(s)


def c_both_close(s):
    s.shutdown(socket.SHUT_WR)


c_time_wait = c_fin_lost


def c_urgent(s):
    s.sendall(b"abc")
    s.recv(1)
    s.send(b"?", socket.MSG_OOB)
    s.close()


def c_urgent_behind(s):
    s.sendall(b"x" * 2000)
    s.send(b"!", socket.MSG_OOB)
    s.close()


def c_header(s):
    s.sendall(b"x" * 100)
    s.recv(1)
    c_abort(s)


def c_abort(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


c_both_open = c_bad_syn_ack = read_all


def connect(name, addr, kept):
    s = socket.socket()
    kept.append(s)
    if name == "c_header":
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)
    try:
        s.connect((addr, wire_peer.PORTS[name]))
        globals().get(name, lambda s: None)(s)
    except OSError:
        pass


def main(addr, names):
    names = names or wire_peer.SERVER + wire_peer.CLIENT
    kept = []
    for name in names:
        if name in wire_peer.SERVER and name != "s_closed":
            s = listener("0.0.0.0", name)
            kept.append(s)
            if name != "s_backlog":
                threading.Thread(target=serve, args=(s, name, kept), daemon=True).start()
    socket.socket().connect_ex((addr, wire_peer.GO))
    for name in names:
        if name in wire_peer.CLIENT:
            threading.Thread(target=connect, args=(name, addr, kept), daemon=True).start()
    done = socket.create_connection((addr, wire_peer.DONE), 60)
    read_all(done)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
