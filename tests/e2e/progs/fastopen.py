# SPDX-License-Identifier: MIT
"""fastopen.py serve ADDR PORT | ask ADDR PORT TIMES: one request a connection, the client's in its SYN where it can be"""
import socket
import sys

TCP_FASTOPEN = 23
MSG_FASTOPEN = 0x20000000


def serve(addr):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    s.bind(addr)
    s.listen()
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = c.recv(4096)
            if not part:
                break
            request += part
        c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        c.close()


def ask(addr):
    s = socket.socket()
    request = b"GET / HTTP/1.0\r\n\r\n"
    if s.sendto(request, MSG_FASTOPEN, addr) != len(request):
        sys.exit("a short send")
    answer = b""
    while part := s.recv(4096):
        answer += part
    s.close()
    return answer.split(b"\r\n\r\n")[1].decode()


def main():
    addr = (sys.argv[2], int(sys.argv[3]))
    if sys.argv[1] == "serve":
        serve(addr)
    try:
        print(" ".join(ask(addr) for _ in range(int(sys.argv[4]))))
    except OSError as e:
        print(e.strerror)
        sys.exit(1)


main()
