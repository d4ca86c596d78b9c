# SPDX-License-Identifier: MIT
"""wire_peer.py DEV OWN-ADDR STACK-ADDR FOLDER [SCENARIO...]: a scripted peer, for two stacks to be compared by

It is no kernel's: it holds OWN-ADDR on DEV by raw frames, so that it may fall silent, lie, and see each
header. Each scenario is one connection (or a few, one after the other) with a function below; they run at the
same time and each leaves FOLDER/SCENARIO: a line a packet, `>` those of the stack with the time since the
line before in milliseconds. wire_program.py is the program on the stack.
"""
import os
import queue
import socket
import struct
import sys
import threading
import time

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
LETTERS = [(SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"), (ECE, "E"), (CWR, "W")]
OWN_MAC = bytes([2, 0, 0, 0, 0, 9])
SO_TIMESTAMPNS = 35
GO, DONE = 7000, 7001
ISN = 1000000
PATIENCE = 8  # seconds; what comes later than that does not come

NOP = b"\1"
SACK_OK = b"\4\2"


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


def wscale(shift):
    return struct.pack("!BBB", 3, 3, shift)


def timestamps(value, echo):
    return struct.pack("!BBII", 8, 10, value, echo)


USUAL = mss(1460) + SACK_OK + timestamps(1, 0) + NOP + wscale(7)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


class Packet:
    """a segment of the stack"""

    def __init__(self, frame, when):
        ip = frame[14:]
        self.when = when
        self.tos, length, self.id, fragment, self.ttl = struct.unpack("!xBHHHBxxx8x", ip[:20])
        self.df = bool(fragment & 0x4000)
        tcp = ip[20:length]
        self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.win, self.urg = \
            struct.unpack("!HHIIBBHxxH", tcp[:20])
        self.options = tcp[20:(offset >> 4) * 4]
        self.data = tcp[(offset >> 4) * 4:]

    def text_of_options(self, flow):
        """in their order, with the padding; the clock of the stack is its own affair"""
        out, at = [], 0
        while at < len(self.options):
            kind = self.options[at]
            if kind < 2:
                out.append(("eol", "nop")[kind])
                at += 1
                continue
            value = self.options[at + 2:at + self.options[at + 1]]
            if kind == 2:
                out.append("mss %d" % struct.unpack("!H", value))
            elif kind == 3:
                out.append("wscale %d" % value[0])
            elif kind == 4:
                out.append("sackOK")
            elif kind == 5:
                edges = struct.unpack(f"!{len(value) // 4}I", value)
                out.append("sack " + " ".join("%d:%d" % (a - ISN, b - ISN) for a, b in zip(edges[::2], edges[1::2])))
            elif kind == 8:
                flow.echo, ecr = struct.unpack("!II", value)
                out.append("TS ecr %d" % ecr)
            else:
                out.append("%d %s" % (kind, value.hex()))
            at += self.options[at + 1]
        return ",".join(out)

    def text(self, flow):
        flags = "".join(letter for bit, letter in LETTERS if self.flags & bit)
        seq = (self.seq - flow.iss) & 0xffffffff
        words = [flags, "%d:%d(%d)" % (seq, seq + len(self.data), len(self.data))]
        if self.flags & ACK:
            words.append("ack %d" % (self.ack - ISN & 0xffffffff))
        elif self.ack:
            words.append("ack field %d" % (self.ack - ISN & 0xffffffff))
        words.append("win %d" % self.win)
        if self.flags & URG or self.urg:
            words.append("urg %d" % self.urg)
        if self.options:
            words.append("<%s>" % self.text_of_options(flow))
        words.append("ttl %d tos %#x%s" % (self.ttl, self.tos, " df" if self.df else ""))
        if self.id == 0:
            words.append("id 0")
        elif flow.last_id is None:
            words.append("id any")
        else:
            words.append("id %+d" % ((self.id - flow.last_id + 0x8000 & 0xffff) - 0x8000))
        flow.last_id = self.id or flow.last_id
        return " ".join(words)


class Flow:
    """one connection, from the peer's side"""

    def __init__(self, peer, port, stack_port, log):
        self.peer, self.port, self.stack_port, self.log = peer, port, stack_port, log
        self.inbox = queue.Queue()
        self.iss = self.last_id = None
        self.echo = self.rcv_nxt = 0
        self.snd_nxt = ISN
        self.clock = 1
        self.ts = False
        self.win = 65535

    def arrived(self, p):
        """called by the receiver; the script takes it by recv(). What earlier connections still say is not heard."""
        if self.stack_port == 0 and p.flags & SYN:
            self.stack_port = p.sport
        if p.sport != self.stack_port:
            return
        if self.iss is None:
            self.iss = p.seq if p.flags & SYN else 0
        self.log.add(p.when, "> " + p.text(self))
        end = p.seq + len(p.data) + bool(p.flags & SYN) + bool(p.flags & FIN) & 0xffffffff
        if p.flags & SYN or not p.flags & RST and (end - self.rcv_nxt & 0xffffffff) < 1 << 31:
            self.rcv_nxt = end
        self.inbox.put(p)

    def recv(self, seconds=PATIENCE):
        """the next packet of the stack; None when none comes"""
        try:
            return self.inbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def recv_flag(self, flag, seconds=PATIENCE):
        """the next with a flag"""
        while (p := self.recv(seconds)) and not p.flags & flag:
            pass
        return p

    def recv_text(self, seconds=PATIENCE):
        while (p := self.recv(seconds)) and not p.data:
            pass
        return p

    def quiet(self, seconds):
        """takes whatever comes within a time"""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.recv(left)

    def send(self, flags, data=b"", seq=0, ack=0, options=b"", urg=0, note=True, tos=0):
        """a segment at the place where the connection stands, or @seq, @ack beside it"""
        self.clock += 1
        if self.ts and not flags & SYN:
            options = NOP + NOP + timestamps(self.clock, self.echo) + options
        options += b"\0" * (-len(options) % 4)
        at = self.snd_nxt + seq
        if note:
            letters = "".join(letter for bit, letter in LETTERS if flags & bit)
            self.log.add(time.time(), "< %s %d:%d(%d)%s" % (
                letters, at - ISN, at - ISN + len(data), len(data), " win %d" % self.win))
        number = self.rcv_nxt + ack & 0xffffffff if flags & ACK else 0
        self.peer.send(self, flags, at & 0xffffffff, number, data, options, urg, tos)
        if seq == 0:
            self.snd_nxt += len(data) + bool(flags & SYN) + bool(flags & FIN)

    def tell(self):
        """a byte that the program waits for; it is acknowledged at once, for it is the first"""
        self.send(PSH | ACK, b"!")
        self.recv()

    # --- beginnings

    def open(self, options=USUAL):
        """to a listener of the stack; True when it answers"""
        self.send(SYN, options=options)
        p = self.recv()
        if not p or not p.flags & SYN:
            return False
        self.ts = bytes([8, 10]) in p.options
        self.send(ACK)
        return True

    def take(self, options=USUAL):
        """a connection of the stack"""
        if not self.recv_flag(SYN):
            return False
        self.send(SYN | ACK, options=options.replace(timestamps(1, 0), timestamps(1, self.echo)))
        self.ts = timestamps(1, 0) in options
        return bool(self.recv_flag(ACK))

    def finish(self):
        """answers the stack's FIN by our own"""
        self.recv_flag(FIN)
        self.send(FIN | ACK)
        self.recv()


class Log:
    def __init__(self):
        self.lines, self.last, self.open = [], None, True

    def add(self, when, text):
        if not self.open:
            return
        since = 0 if self.last is None else max(0, (when - self.last) * 1000)
        self.last = when
        self.lines.append("%.1f %s" % (since, text))


class Peer:
    def __init__(self, dev, own, stack):
        self.own, self.stack = socket.inet_aton(own), socket.inet_aton(stack)
        self.stack_mac = b"\xff" * 6
        self.flows = {}
        self.next_port = 20000
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((dev, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def flow(self, log, port=None, stack_port=0):
        with self.lock:
            if port is None:
                port = self.next_port = self.next_port + 1
            self.flows[port] = Flow(self, port, stack_port, log)
            return self.flows[port]

    def send(self, flow, flags, seq, ack, data, options, urg, tos):
        tcp = struct.pack("!HHIIBBHHH", flow.port, flow.stack_port, seq, ack, 5 + len(options) // 4 << 4, flags,
                          flow.win, 0, urg) + options + data
        pseudo = self.own + self.stack + struct.pack("!HH", 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + self.own + self.stack
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.socket.send(self.stack_mac + OWN_MAC + b"\x08\x00" + ip + tcp)

    def run(self):
        while True:
            frame, ancillary, _, address = self.socket.recvmsg(70000, 64)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            when = time.time()
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", value[:16])
                    when = seconds + nanoseconds / 1e9
            self.frame(frame, when)

    def frame(self, frame, when):
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == self.own:
            self.socket.send(frame[6:12] + OWN_MAC + frame[12:20] + b"\0\2" + OWN_MAC + self.own + frame[22:32])
        elif frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[26:34] == self.stack + self.own:
            self.stack_mac = frame[6:12]
            p = Packet(frame, when)
            flow = self.flows.get(p.dport)
            if flow:
                flow.arrived(p)


# --- what happens: the program listens, on the port in front of the name -------------------------------------------

def s_echo(f):
    """all options, a request and its answer, the peer closes"""
    f.open()
    f.send(PSH | ACK, b"request...")
    f.recv_text()
    f.send(ACK)
    f.send(FIN | ACK)
    f.recv_flag(FIN)
    f.send(ACK)


def s_no_options(f):
    f.open(b"")
    f.send(PSH | ACK, b"request...")
    f.recv_text()
    f.send(ACK)
    f.send(FIN | ACK)
    f.recv_flag(FIN)
    f.send(ACK)


def s_text(f):
    """the windows and acknowledgements of the first segments, which nobody reads"""
    f.open()
    for _ in range(6):
        f.send(ACK, b"x" * 1448)
        f.recv()
    f.send(RST)


def s_hole(f):
    """what is missing shows at once, with SACK"""
    f.open()
    f.send(PSH | ACK, b"a" * 100, seq=100)
    f.recv()
    f.send(PSH | ACK, b"b" * 100, seq=300)
    f.recv()
    f.send(PSH | ACK, b"c" * 100)
    f.recv()
    f.send(RST, seq=100)


def s_unread(f):
    """a program that closes without having read"""
    f.open()
    f.send(PSH | ACK, b"x" * 100)
    f.recv_flag(RST)


def s_late_text(f):
    """text for a program that has closed"""
    f.open()
    f.recv_flag(FIN)
    f.send(ACK)
    f.send(PSH | ACK, b"x" * 100)
    f.recv_flag(RST)


def s_late_fin(f):
    """a FIN in FIN-WAIT-2, its repetition in TIME-WAIT, and a RST there"""
    f.open()
    f.finish()
    f.send(FIN | ACK, seq=-1)
    f.recv()
    f.send(PSH | ACK, b"x" * 10, seq=-1)
    f.recv(0.2)


def s_rst_in_window(f):
    """RFC 5961 3.2"""
    f.open()
    f.send(RST, seq=100)
    f.recv(0.5)
    f.send(RST)
    f.quiet(0.1)
    f.send(ACK)
    f.recv()


def s_syn_in_window(f):
    """RFC 5961 4.2"""
    f.open()
    f.send(SYN, seq=100)
    f.recv(0.5)
    f.send(RST, seq=0)


def s_ack_too_high(f):
    """RFC 5961 5.2"""
    f.open()
    f.send(ACK, ack=100000)
    f.recv(0.5)
    f.send(RST)


def s_ack_too_low(f):
    f.open()
    f.send(PSH | ACK, b"x" * 10, ack=-3000000)
    f.recv(0.5)
    f.send(RST, seq=0)


def s_old_text(f):
    """text that came before is acknowledged again, with D-SACK"""
    f.open()
    f.send(PSH | ACK, b"x" * 100)
    f.recv()
    f.send(PSH | ACK, b"x" * 100, seq=-100)
    f.recv()
    f.send(RST)


def s_beyond_window(f):
    f.open()
    f.send(PSH | ACK, b"x" * 100, seq=10000000)
    f.recv()
    f.send(RST)


def s_syn_ack_again(f):
    """the handshake's end does not come: the SYN-ACK is repeated"""
    f.send(SYN, options=USUAL)
    for _ in range(3):
        f.recv()
    f.send(RST, seq=0)


def s_syn_again(f):
    """a SYN that comes twice; an acknowledgement that fits nothing; the handshake goes on"""
    f.send(SYN, options=USUAL)
    f.recv()
    f.snd_nxt -= 1
    f.send(SYN, options=USUAL)
    f.recv()
    f.ts = True
    f.send(ACK, ack=5000)
    f.recv(0.3)
    f.send(ACK)
    f.send(PSH | ACK, b"x" * 10)
    f.recv()
    f.send(RST)


def s_ecn(f):
    """a SYN that offers ECN; text with a mark"""
    f.send(SYN | ECE | CWR, options=USUAL)
    f.recv()
    f.ts = True
    f.send(ACK)
    f.send(PSH | ACK, b"request...", tos=3)
    f.recv_text()
    f.send(RST, seq=0)


def s_urgent(f):
    """urgent text for the program"""
    f.open()
    f.send(PSH | ACK | URG, b"xy", urg=2)
    f.recv()
    f.send(RST)


def s_options(f):
    """one SYN-ACK for each set of options, and the acknowledgement of a first byte"""
    sets = [b"", mss(1460), mss(100), mss(9000), mss(536) + SACK_OK, mss(1460) + timestamps(1, 0),
            mss(1460) + NOP + wscale(0), mss(1460) + NOP + NOP + SACK_OK + NOP + wscale(14),
            mss(1460) + NOP + wscale(15), SACK_OK + timestamps(1, 0), USUAL]
    for options in sets:
        one = f.peer.flow(f.log, stack_port=f.stack_port)
        if one.open(options):
            one.send(PSH | ACK, b"x")
            one.recv()
        one.send(RST)


def s_closed(f):
    """a port that nobody listens on"""
    for flags, text, options in ((SYN, b"", USUAL), (ACK, b"", b""), (SYN, b"x" * 10, b""), (FIN, b"", b""),
                                 (FIN | ACK, b"xyz", b""), (SYN | ACK, b"", USUAL), (URG | PSH | FIN, b"", b""), (0, b"", b"")):
        one = f.peer.flow(f.log, stack_port=f.stack_port)
        one.iss = 0
        one.rcv_nxt = 5000
        one.send(flags, text, options=options)
        one.recv(0.5)
    f.iss = 0
    f.send(RST | ACK)
    f.recv(0.2)


def s_backlog(f):
    """a listener of one whose program does not accept: when its queue is full a SYN is left unanswered"""
    for _ in range(3):
        one = f.peer.flow(f.log, stack_port=f.stack_port)
        one.send(SYN, options=USUAL)
        if not one.recv(0.4):
            return
        one.ts = True
        one.send(ACK)
        one.quiet(0.1)


def s_quick(f):
    """how many segments at the beginning are acknowledged at once, and how late the later ones are"""
    f.open()
    for _ in range(28):
        f.send(PSH | ACK, b"x" * 100)
        f.recv()
    f.send(RST)


def s_delayed(f):
    """an exchange makes it interactive: the next request that has no answer is acknowledged late"""
    f.open()
    for _ in range(3):
        f.send(PSH | ACK, b"x" * 100)
        f.recv_text()
        f.send(ACK)
    for _ in range(3):
        f.send(PSH | ACK, b"-" * 100)
        f.recv()
    f.send(RST)


# --- the program connects ------------------------------------------------------------------------------------------

def c_silent(f):
    """nobody answers: SYN after 1 and 2 more seconds"""
    for _ in range(3):
        f.recv()
    f.send(RST | ACK)


def c_refused(f):
    f.recv()
    f.send(RST | ACK)
    f.quiet(0.1)


def c_vanished(f):
    """one segment that nobody acknowledges"""
    f.take()
    for _ in range(5):
        f.recv()
    f.send(RST, seq=0)


def c_tail(f):
    """two segments that nobody acknowledges: a loss probe, then the timeouts"""
    f.take()
    for _ in range(4):
        f.recv_text()
    f.send(RST, seq=0)


def c_fin_lost(f):
    f.take()
    for _ in range(4):
        f.recv_flag(FIN)
    f.send(RST, seq=0)


def c_zero_window(f):
    """probes of a closed window, answered; the window opens"""
    f.take()
    f.win = 0
    f.tell()
    for _ in range(4):
        f.recv()
        f.send(ACK)
    f.win = 65535
    f.send(ACK)
    f.recv_text()
    f.send(ACK)
    f.finish()


def c_window_closes(f):
    """the window closes behind what was sent"""
    f.take()
    f.recv_text()
    f.win = 0
    f.tell()
    for _ in range(3):
        f.recv()
        f.send(ACK)
    f.send(RST)


def c_small_window(f):
    """a window smaller than a segment: the sender waits for more (RFC 9293 3.8.6.2.1)"""
    f.take()
    f.win = 4
    f.tell()
    for _ in range(3):
        f.recv_text()
        f.send(ACK)
    f.recv_text()
    f.send(RST)


def c_keepalive(f):
    """probes without an answer, then a reset"""
    f.take()
    f.recv_flag(RST)


def c_half_close(f):
    f.take()
    f.recv_flag(FIN)
    f.send(ACK)
    for _ in range(2):
        f.send(PSH | ACK, b"x" * 100)
        f.recv()
    f.send(FIN | ACK)
    f.recv()


def c_both_close(f):
    """both FINs are under way at once (RFC 9293 3.6, figure 13)"""
    f.take()
    f.recv_flag(FIN)
    f.send(FIN | ACK, ack=-1)
    f.recv()
    f.send(ACK)
    f.snd_nxt -= 1
    f.send(FIN | ACK)
    f.recv()


def c_time_wait(f):
    """what TIME-WAIT answers: a repeated FIN, an old SYN, text"""
    f.take()
    f.recv_flag(FIN)
    f.send(FIN | ACK)
    f.recv()
    f.snd_nxt -= 1
    f.send(FIN | ACK)
    f.recv()
    f.send(SYN, seq=-1000, options=USUAL)
    f.recv(0.3)


def c_urgent(f):
    f.take()
    f.recv_text()
    f.tell()
    f.recv_flag(FIN)
    f.send(RST)


def c_urgent_behind(f):
    """an urgent byte behind text that has to wait for a window"""
    f.win = 0
    f.take()
    f.recv_flag(URG)
    f.recv_flag(URG)
    f.win = 65535
    f.send(ACK)
    f.recv_flag(FIN)
    f.send(RST)


def c_header(f):
    """IP_TOS, IP_TTL: also in a reset"""
    f.take()
    f.recv_text()
    f.tell()
    f.recv_flag(RST)


def c_abort(f):
    f.take()
    f.recv_flag(RST)
    f.send(PSH | ACK, b"x")
    f.recv()


def c_both_open(f):
    """both SYNs are under way at once (RFC 9293 3.5, figure 7)"""
    f.recv()
    f.send(SYN, options=USUAL)
    f.recv()
    f.snd_nxt -= 1
    f.send(SYN | ACK, options=mss(1460) + SACK_OK + timestamps(2, f.echo) + NOP + wscale(7))
    f.ts = True
    f.quiet(0.2)
    f.send(PSH | ACK, b"x" * 10)
    f.recv()
    f.send(RST)


def c_bad_syn_ack(f):
    """an answer to another SYN is reset; the right one is taken"""
    f.recv()
    f.send(SYN | ACK, ack=1000, options=USUAL)
    f.recv_flag(RST)
    f.recv_flag(SYN)
    f.snd_nxt -= 1
    f.send(SYN | ACK, options=mss(1460) + SACK_OK + timestamps(1, f.echo) + NOP + wscale(7))
    f.ts = True
    f.recv()
    f.send(RST)


SERVER = [name for name in list(globals()) if name.startswith("s_")]
CLIENT = [name for name in list(globals()) if name.startswith("c_")]
PORTS = {name: 7100 + i for i, name in enumerate(SERVER + CLIENT)}


def play(flow, name, folder, failed):
    try:
        globals()[name](flow)
    except Exception as error:  # it is one connection's, and shows in its file
        failed.append(name)
        flow.log.add(time.time(), "the script failed: %r" % error)
    flow.log.open = False
    with open(os.path.join(folder, name), "w") as out:
        out.write("\n".join(flow.log.lines) + "\n")


def main(dev, own, stack, folder, names):
    peer = Peer(dev, own, stack)
    names = names or SERVER + CLIENT
    flows = {name: peer.flow(Log(), PORTS[name]) if name in CLIENT else peer.flow(Log(), stack_port=PORTS[name])
             for name in names}
    go, done = peer.flow(Log(), GO), peer.flow(Log(), DONE)
    threading.Thread(target=peer.run, daemon=True).start()
    print("ready", flush=True)
    failed = []
    threads = [threading.Thread(target=play, args=(flows[name], name, folder, failed)) for name in names]
    for name, thread in zip(names, threads):
        if name in CLIENT:
            thread.start()
    if not go.recv(10):
        sys.exit("the program does not say that it is ready")
    go.send(RST | ACK)
    for name, thread in zip(names, threads):
        if name in SERVER:
            thread.start()
    for thread in threads:
        thread.join()
    done.take()
    done.send(FIN | ACK)
    done.recv_flag(FIN, 1)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:5], sys.argv[5:])
