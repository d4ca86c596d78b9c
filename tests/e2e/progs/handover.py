# SPDX-License-Identifier: MIT
# A socket of ours that becomes one of the kernel's, under the shim: what it keeps. Prints "ok".

import errno, fcntl, os, select, signal, socket, struct

LOCAL = "127.0.0.1"
F_SETSIG, F_GETSIG = 10, 11

server = socket.socket()
server.bind((LOCAL, 0))
server.listen()
where = server.getsockname()
a, b = select.epoll(), select.epoll()
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 700)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 3)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 9, 0))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 70000)
s.setblocking(False)
fcntl.fcntl(s.fileno(), fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(s.fileno(), F_SETSIG, signal.SIGUSR1)
signal.signal(signal.SIGUSR1, lambda *_: None)
fcntl.fcntl(s.fileno(), fcntl.F_SETFL, fcntl.fcntl(s.fileno(), fcntl.F_GETFL) | os.O_ASYNC)
d = s.dup()
os.set_inheritable(d.fileno(), True)
number, flags = s.fileno(), fcntl.fcntl(s.fileno(), fcntl.F_GETFL)
a.register(s, select.EPOLLOUT | select.EPOLLET)
b.register(s, select.EPOLLIN)
a.register(d, select.EPOLLIN)
nested = select.epoll()
nested.register(b, select.EPOLLIN)
if (pid := os.fork()) == 0:  # another holder of the old file
    signal.pause()
e = s.connect_ex(where)
assert e in (0, errno.EINPROGRESS), e
t, who = server.accept()
assert s.fileno() == number and s.getsockname() == who == d.getsockname()
assert fcntl.fcntl(number, fcntl.F_GETFL) == flags, (fcntl.fcntl(number, fcntl.F_GETFL), flags)
assert fcntl.fcntl(number, fcntl.F_GETFD) == fcntl.FD_CLOEXEC and fcntl.fcntl(d.fileno(), fcntl.F_GETFD) == 0
assert fcntl.fcntl(number, fcntl.F_GETOWN) == os.getpid() and fcntl.fcntl(number, F_GETSIG) == signal.SIGUSR1
assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT) == 3
assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 700
assert s.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x10
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 140000
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 7)
assert s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16) == struct.pack("ll", 9, 0)
assert a.poll(5) == [(number, select.EPOLLOUT)]
assert not a.poll(0) and not b.poll(0) and not nested.poll(0)  # nothing is left of the old file
t.sendall(b"x")
assert b.poll(5) == [(number, select.EPOLLIN)]
assert nested.poll(5) == [(b.fileno(), select.EPOLLIN)]
assert (d.fileno(), select.EPOLLIN) in a.poll(5)
a.modify(s, select.EPOLLIN)
a.unregister(d)
assert d.recv(1) == b"x"
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print("ok")
