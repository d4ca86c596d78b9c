# SPDX-License-Identifier: MIT
"""
A program with a transfer under way: sends blocks to an echo server and compares what comes back, until its standard
input ends. Usage: witness.py ADDRESS PORT. Prints "intact, N rounds, longest S s".
"""
import random
import select
import socket
import sys
import time

source = random.Random(7)
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
rounds, longest = 0, 0.0
while not select.select([0], [], [], 0)[0]:
    block, start = source.randbytes(50000), time.monotonic()
    s.sendall(block)
    if s.recv(len(block), socket.MSG_WAITALL) != block:
        sys.exit("not what was sent")
    rounds += 1
    longest = max(longest, time.monotonic() - start)
print(f"intact, {rounds} rounds, longest {longest:.1f} s")
