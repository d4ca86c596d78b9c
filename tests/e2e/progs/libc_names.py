#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
libc_names.py LIBWIRESHIM.so LIST... [--write]: every name of the libc in use that can touch a descriptor, against a LIST.

Run under the shim, so that this process's own libc shows which of its system-call sites lead to the library.

libc is disassembled. From each exported function all that direct calls and jumps lead to is walked, down to the system
calls and the numbers they are made with; a function that never returns (abort, a failed check) is nobody's business, nor
is what memory allocation does. So a name is

  symbol   exported by libwireshim.so as well
  sites    reaches system calls of ours, and all of those sites are changed
  left     reaches one that is not; LIST has the reason
  kernel   reaches other calls that take a descriptor; the kernel's answer on the anchor is right, or the descriptor
           cannot be a socket

and one that reaches nothing with a descriptor is not in the list. Whoever asks stdio's tables of functions reaches those
of a file. Other calls through pointers are not walked; but every site with a number of ours has to be changed or left out
by name, whoever reaches it. LIST begins with the numbers: `call CLASS NAME...`; one in libc that is not there fails the
test, as does a name that is not there or is of another class. Other libraries of libc's must have no system call of their
own.
"""
import bisect
import collections
import glob
import os
import re
import subprocess
import sys

PRUNED = set("malloc free calloc realloc memalign aligned_alloc posix_memalign pvalloc valloc reallocarray".split())
OF_A_FILE = set("_IO_file_read _IO_file_write _IO_file_close _IO_file_stat _IO_file_seek _IO_file_doallocate".split())
COMPANIONS = "libresolv.so.2 libpthread.so.0 librt.so.1 libanl.so.1 libutil.so.1 libdl.so.2".split()


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def system_calls():
    """number -> name"""
    lines = output(os.environ.get("CC", "cc"), "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null")
    return {int(m[2]): m[1] for m in (re.match(r"#define __NR_(\w+) (\d+)$", line) for line in lines) if m}


def functions(path):
    """address -> exported names"""
    found = collections.defaultdict(set)
    for line in output("readelf", "-W", "--dyn-syms", path):
        p = line.split()
        if len(p) >= 8 and p[3] in ("FUNC", "IFUNC") and p[6] != "UND":
            found[int(p[1], 16)].add(p[7].split("@")[0])
    return found


class Text:
    """libc's instructions, and what can be reached in them"""

    ENDS = ("ret", "hlt", "ud2")

    def __init__(self, path):
        self.at, self.order = {}, []
        pattern = re.compile(r"\s*([0-9a-f]+):\t(?:(?:lock|rep|repz|repnz|bnd|notrack|data16|cs) )*(\S+)\s*"
                             r"(?:([0-9a-f]+) <)?(.*)")
        for line in output("objdump", "-d", "--no-show-raw-insn", path):
            m = pattern.match(line)
            if m:
                address = int(m[1], 16)
                self.at[address] = (m[2], int(m[3], 16) if m[3] else None, m[4])
                self.order.append(address)
        self.index = {a: i for i, a in enumerate(self.order)}
        self.next = dict(zip(self.order, self.order[1:]))
        self.sites = [a for a in self.order if self.at[a][0] == "syscall"]
        self.exported = functions(path)
        self.starts = set(self.exported) | {t for op, t, _ in self.at.values() if op == "call" and t}
        self.learn()

    def walk(self, start, dead):
        """what a function calls, its own sites, and whether it returns"""
        seen, todo, calls, sites, returns = set(), [start], set(), set(), False
        while todo:
            a = todo.pop()
            while a in self.at and a not in seen:
                seen.add(a)
                op, target, _ = self.at[a]
                if op == "syscall":
                    sites.add(a)
                elif op == "call" and target:
                    calls.add(target)
                    if target in dead:
                        break
                elif op in self.ENDS:
                    returns |= op == "ret"
                    break
                elif op.startswith("j"):
                    if target is None:
                        returns = True
                    elif target in self.starts and target != start:
                        calls.add(target)
                        returns |= target not in dead
                    else:
                        todo.append(target)
                    if op == "jmp":
                        break
                a = self.next.get(a)
        return calls, sites, returns

    def learn(self):
        dead = set()
        while True:
            self.of = {f: self.walk(f, dead) for f in self.starts}
            more = {f for f, (_, _, returns) in self.of.items() if not returns}
            if more <= dead:
                break
            dead |= more
        self.follow_tables()
        pruned = dead | {a for a, names in self.exported.items() if names & PRUNED}
        self.reach = {f: set(sites) for f, (_, sites, _) in self.of.items()}
        changed = True
        while changed:
            changed = False
            for f, (calls, _, _) in self.of.items():
                before = len(self.reach[f])
                for g in calls:
                    if g not in pruned:
                        self.reach[f] |= self.reach.get(g, set())
                changed |= len(self.reach[f]) != before

    def follow_tables(self):
        """each use of a table is checked by one internal function, which both of these call"""
        flow = [f for f, names in self.exported.items() if names & {"__uflow", "__overflow"}]
        check = set.intersection(*(self.of[f][0] for f in flow)) - set(self.exported)
        self.tables = len(check) == 1
        for f in check:
            self.of[f][0].update(a for a, names in self.exported.items() if names & OF_A_FILE)

    def number(self, site):
        """what eax is loaded with before a site; None when that is not a constant"""
        register = r"%[er]ax"
        for i in range(self.index[site] - 1, max(self.index[site] - 700, 0), -1):
            op, _, rest = self.at[self.order[i]]
            m = re.match(r"\$0x([0-9a-f]+),%s$" % register, rest or "")
            if op == "mov" and m:
                return int(m[1], 16)
            in_eax = register == r"%[er]ax"
            if in_eax and op == "xor" and rest == "%eax,%eax":
                return 0
            m = re.match(r"(%%\w+),%s$" % register, rest or "")
            if op == "mov" and m:
                register = m[1]
            elif in_eax and (op in ("ret", "syscall", "call") or
                             not op.startswith(("cmp", "test", "j")) and re.search(",%s$" % register, rest or "")):
                return None
        return None

    def owner(self, site):
        starts = sorted(self.exported)
        start = starts[bisect.bisect(starts, site) - 1]
        return "%s+%#x" % (min(self.exported[start]), site - start)


def changed_sites(text, path):
    """the sites that this process's libc has no longer"""
    maps = [line.split() for line in open("/proc/self/maps")]
    mine = [line for line in maps if line[-1] == path]
    parts = [line for line in mine if line[1] == "r-xp"]
    base, start = (int(line[0].split("-")[0], 16) for line in (mine[0], parts[0]))
    end = int(parts[-1][0].split("-")[1], 16)
    with open("/proc/self/mem", "rb", 0) as mem, open(path, "rb") as file:
        mem.seek(start)
        file.seek(int(parts[0][2], 16))
        now, before = mem.read(end - start), file.read(end - start)
    shift = start - base
    return {a for a in text.sites if now[a - shift - 5:a - shift + 2] != before[a - shift - 5:a - shift + 2]}


def read_list(path):
    numbers, names, comments = {}, {}, {}
    for line in open(path):
        line, _, reason = line.rstrip("\n").partition("#")
        words = line.split()
        if words and words[0] == "call":
            numbers.update((name, words[1]) for name in words[2:])
        elif words:
            names[words[0]] = words[1]
            comments[words[0]] = reason.strip()
    return numbers, names, comments


class Libc:
    """the libc of this process"""

    def __init__(self, shim):
        maps = (line.split()[-1] for line in open("/proc/self/maps"))
        self.path = next(name for name in maps if name.endswith("/libc.so.6"))
        self.text = Text(self.path)
        self.changed = changed_sites(self.text, self.path)
        self.call = system_calls()
        self.wrapped = {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", shim)}
        self.number = {site: self.call.get(self.text.number(site), "unknown") for site in self.text.sites}

    def classes(self, numbers):
        """name -> class, for all that can touch a descriptor"""
        derived = {}
        for address, exported in self.text.exported.items():
            kinds = {site: numbers.get(self.number[site], "none") for site in self.text.reach[address]}
            ours = {site for site, kind in kinds.items() if kind == "ours"}
            for name in exported:
                if name in self.wrapped:
                    derived[name] = "symbol"
                elif ours - self.changed:
                    derived[name] = "left"
                elif ours:
                    derived[name] = "sites"
                elif "kernel" in kinds.values():
                    derived.setdefault(name, "kernel")
        return derived

    def wrong_sites(self, numbers, derived):
        named = set()
        for address, exported in self.text.exported.items():
            if any(derived.get(name) in ("symbol", "left") for name in exported):
                named |= self.text.reach[address]
        for site in self.text.sites:
            where = "%s at %#x (%s)" % (self.number[site], site, self.text.owner(site))
            kind = numbers.get(self.number[site])
            if kind is None:
                yield "system call %s is not classified" % where
            elif kind == "ours" and site not in self.changed and site not in named:
                yield "system call %s does not lead to us" % where

    def wrong_names(self, names, reasons, derived):
        for name, how in sorted(derived.items()):
            if name not in names:
                yield "%s is not classified: %s" % (name, how)
            elif names[name] != how and how != "symbol":  # a wrapper more does no harm
                yield "%s: listed as %s, is %s" % (name, names[name], how)
            elif how == "left" and not reasons[name]:
                yield "%s is left out without a reason" % name

    def wrong_companions(self):
        for library in COMPANIONS:
            file = os.path.join(os.path.dirname(self.path), library)
            if os.path.exists(file) and any(re.search(r"\tsyscall\s*$", x) for x in output("objdump", "-d", file)):
                yield "%s makes system calls of its own" % library


def write(path, reasons, derived):
    """the list anew: the head as it is, the reasons kept"""
    head = [line for line in open(path) if line.startswith(("#", "call", "\n"))]
    with open(path, "w") as out:
        out.writelines(head)
        for name, how in sorted(derived.items()):
            reason = reasons.get(name)
            out.write("%s\t%s%s\n" % (name, how, "\t# " + reason if reason else ""))


def main(shim, *lists):
    libc = Libc(shim)
    wrong = list(libc.wrong_companions())
    if not libc.text.tables:
        wrong.append("who asks stdio's tables cannot be told")
    for path in lists:
        if path == "--write":
            continue
        numbers, names, reasons = read_list(path)
        derived = libc.classes(numbers)
        print("%d names, %d of %d sites changed" % (len(derived), len(libc.changed), len(libc.text.sites)))
        if "--write" in lists:
            write(path, reasons, derived)
            continue
        wrong += libc.wrong_sites(numbers, derived)
        wrong += libc.wrong_names(names, reasons, derived)
        print("\n".join(wrong))
        if wrong:
            return 1
    return 0


sys.exit(main(*sys.argv[1:]))
