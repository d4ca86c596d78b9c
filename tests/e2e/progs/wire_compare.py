# SPDX-License-Identifier: MIT
"""wire_compare.py KERNEL OURS: the packets of one scenario as wire_peer.py saw them from two stacks

Packets have to be the same, but for the window of one that is no SYN: it may be off by WINDOW, since it depends on
what a kernel's buffers weigh and on when a program's bytes count as taken. A window of 0 has to be one.

Times may be off by what a scheduler can delay, SLACK and more where both are LONG, and by an eighth, since the kernel
keeps long timers in coarse wheels. Of text, FIN and RST that the kernel's side sent within PROMPT the program is the
author: they may come as late as LATE.

Exit status: 1 for a packet, 2 for times alone; what was compared is on standard output, times in milliseconds,
the kernel's first.
"""
import difflib
import re
import sys

WINDOW = 0.2
SLACK, PROMPT, LATE = 25, 25, 1000
LONG, LONG_SLACK = 150, 80


def read(path):
    with open(path) as f:
        return [line.rstrip("\n").split(" ", 1) for line in f]


def without_window(text):
    return text if re.match("> [.E]*S", text) else re.sub(" win [1-9][0-9]*", " win -", text)


def window(text):
    found = re.search(" win ([0-9]+)", text)
    return int(found.group(1)) if found else 0


def by_program(text):
    return not re.match(r"> [.EU]* .*\(0\)", text)


def near(kernel, ours, text):
    if kernel <= PROMPT and by_program(text):
        return ours <= LATE
    slack = LONG_SLACK if min(kernel, ours) >= LONG else SLACK
    return abs(kernel - ours) <= slack + max(kernel, ours) / 8


def compare_line(kernel, ours):
    """what is wrong with a packet of the same text: 1 the window, 2 the time, 0 nothing"""
    (k_time, k_text), (o_time, o_text) = kernel, ours
    if not k_text.startswith("> "):
        return 0
    if abs(window(k_text) - window(o_text)) > WINDOW * window(k_text):
        return 1
    return 0 if near(float(k_time), float(o_time), k_text) else 2


def main(kernel, ours):
    kernel, ours = read(kernel), read(ours)
    texts = [[without_window(text) for _, text in side] for side in (kernel, ours)]
    if texts[0] != texts[1]:
        for line in difflib.unified_diff(*texts, "kernel", "ours", n=20, lineterm=""):
            print(line)
        return 1
    found = [compare_line(*pair) for pair in zip(kernel, ours)]
    for wrong, (k_time, k_text), (o_time, o_text) in zip(found, kernel, ours):
        if wrong == 1:
            print("! %8s %8s %s" % (k_time, "", k_text))
        print("%s %8s %8s %s" % (" !?"[wrong], k_time, o_time, o_text))
    return 1 if 1 in found else 2 if 2 in found else 0


sys.exit(main(*sys.argv[1:3]))
