# SPDX-License-Identifier: MIT
"""
Puts damaged frames on the wire: python3 tests/fuzz/wire_fuzz.py IFACE TARGET [SEED [FRAMES]]

It listens on IFACE (on the side of the peer) for the frames of a real connection between the peer and TARGET, and
sends FRAMES mutated copies of what goes to TARGET, with ARP, ICMP and UDP of its own making among them: fields at
their limits, lengths that lie, options cut short, fragments, checksums right and wrong. What would be a valid segment
of the connection inside its window is left out: no stack can tell that from the truth. The same seed makes the same
choices. Prints how many it sent.
"""
import random
import socket
import struct
import sys

ETH_P_ALL, ETH_P_IP, ETH_P_ARP = 3, 0x0800, 0x0806
EDGES8, EDGES16 = [0, 1, 4, 5, 15, 16, 127, 128, 254, 255], [0, 1, 19, 20, 28, 40, 1499, 1500, 1501, 32767, 32768, 65535]


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def with_ip_checksum(ip):
    size = min((ip[0] & 15) * 4, len(ip))
    ip = bytearray(ip)
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", checksum(bytes(ip[:size])))
    return bytes(ip)


def ip_packet(source, target, protocol, payload, ident=0, offset=0, ttl=64, options=b""):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), ident, offset, ttl,
                       protocol, 0)
    return with_ip_checksum(head + source + target + options + payload)


def with_tcp_checksum(ip):
    size = (ip[0] & 15) * 4
    segment = bytearray(ip[size:])
    if ip[9] != 6 or len(segment) < 20:
        return ip
    segment[16:18] = b"\0\0"
    pseudo = ip[12:20] + struct.pack("!BBH", 0, 6, len(segment))
    segment[16:18] = struct.pack("!H", checksum(pseudo + bytes(segment)))
    return ip[:size] + bytes(segment)


class Mutator:
    def __init__(self, iface, target, seed):
        self.random = random.Random(seed)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((iface, ETH_P_ALL))
        self.socket.settimeout(10)
        self.target = socket.inet_aton(target)
        self.samples = []

    def listen(self, wanted):
        """Frames of the connection to the target, small ones: with offload the others are no frames yet."""
        while len(self.samples) < wanted:
            frame = self.socket.recv(70000)
            if frame[12:14] == b"\x08\0" and frame[30:34] == self.target and frame[23] == 6 and len(frame) < 1515:
                self.samples.append(frame)

    def damaged_tcp(self, ether, ip):
        """The real segment with a fault: far out of its window unless the checksum is wrong."""
        r = self.random
        head = (ip[0] & 15) * 4
        segment = bytearray(ip[head:])
        what = r.randrange(9)
        if what == 0:  # any bytes, checksum as it was
            for _ in range(r.randrange(1, 9)):
                segment[r.randrange(len(segment))] ^= r.randrange(1, 256)
            segment[16] ^= 0x55
            return ether + ip[:head] + bytes(segment)
        if what == 1:  # cut short
            return (ether + ip)[:r.randrange(14, len(ether) + len(ip))]
        if what == 2:  # IP length or header length lies
            bad = bytearray(ip)
            if r.random() < 0.5:
                bad[2:4] = struct.pack("!H", r.choice([n for n in EDGES16 if n < head + 20]))
            else:
                bad[0] = r.choice([0x40, 0x44, 0x4f, 0x65, 0x05, 0xff])
            return ether + with_ip_checksum(bytes(bad))
        # From here on with a right checksum, and a sequence number far away: half the space.
        sequence = (struct.unpack("!I", bytes(segment[4:8]))[0] + 0x80000000 + r.randrange(-2**20, 2**20)) & 0xffffffff
        segment[4:8] = struct.pack("!I", sequence)
        if what == 3:
            segment[13] = r.randrange(256)  # flags
            if r.random() < 0.5:
                segment[8:12] = r.randbytes(4)
        elif what == 4:
            segment[12] = r.randrange(16) << 4 | segment[12] & 15  # data offset
        elif what == 5:  # options
            kinds = [bytes([r.randrange(256), r.choice(EDGES8)]) for _ in range(10)] + [r.randbytes(40)]
            options = b"".join(r.sample(kinds, r.randrange(1, 11)))[:40]
            options += bytes(-len(options) % 4)
            segment[20:] = options + r.randbytes(r.randrange(20))
            segment[12] = (20 + len(options)) // 4 << 4
        elif what == 6:
            segment[0:4] = struct.pack("!HH", r.choice([0, 1, 80, 65535, r.randrange(65536)]), r.randrange(1, 1024))
        elif what == 7:
            segment[18:20] = r.randbytes(2)  # urgent
            segment[13] |= 0x20
        else:
            segment[20:] = r.randbytes(r.randrange(1400))
        packet = ip_packet(ip[12:16], ip[16:20], 6, bytes(segment), ttl=r.choice([64, 64, 1, 0, 255]))
        return ether + with_tcp_checksum(packet)

    def icmp(self, ether, ip):
        """Errors about the connection whose quoted segment is none of ours, echoes, and nonsense."""
        r = self.random
        quoted = bytearray(ip[16:20] + ip[12:16])
        head = (ip[0] & 15) * 4
        ports = ip[head + 2:head + 4] + ip[head:head + 2]
        inner = ip_packet(bytes(quoted[:4]), bytes(quoted[4:]), r.choice([6, 6, 17, 1, 200]),
                          ports + struct.pack("!I", r.getrandbits(32)))
        kind, code = r.choice([(3, r.randrange(20)), (11, 0), (12, 0), (4, 0), (5, 1), (8, 0), (0, 0), (13, 0), (17, 0),
                               (r.randrange(256), r.randrange(256))])
        # A soft error at most: a hard one about a sequence number that happens to be in flight would be believed.
        if (kind, code) in ((3, 2), (3, 3), (3, 4)):
            inner = inner[:12] + bytes([192, 0, 2, 1]) + inner[16:]
        body = bytearray(struct.pack("!BBHI", kind, code, 0, r.choice([0, 68, 552, 1500, r.getrandbits(32)])) +
                         inner[:r.choice([len(inner), 28, 27, 20, 8, 0])])
        body[2:4] = struct.pack("!H", checksum(bytes(body)) ^ r.choice([0, 0, 0, 1]))
        return ether + ip_packet(r.choice([ip[12:16], bytes([10, 77, 0, 77])]), self.target, 1, bytes(body))

    def fragment(self, ether, ip):
        r = self.random
        flags = r.choice([0, 0x2000, 0x4000, 0x8000])
        offset = r.choice([0, 1, 2, 100, 8189, 8190, 8191])
        return ether + ip_packet(ip[12:16], self.target, r.choice([17, 6, 1]), r.randbytes(r.choice([0, 1, 7, 8, 64, 1400])),
                                 ident=r.randrange(50), offset=flags | offset)

    def udp(self, ether, ip):
        r = self.random
        data = r.randbytes(r.randrange(100))
        length = r.choice([8 + len(data)] * 2 + EDGES16)
        return ether + ip_packet(ip[12:16], self.target, 17, struct.pack("!HHHH", r.randrange(65536), r.randrange(65536), length,
                                                                         r.choice([0, r.randrange(65536)])) + data)

    def arp(self, ether, ip):
        r = self.random
        own = ether[6:12]
        body = bytearray(struct.pack("!HHBBH", 1, 0x800, 6, 4, r.choice([1, 2, 3, 8, 0])) + own + ip[12:16] +
                         ether[:6] + self.target)
        # The peer's address stays the peer's: a lie about it would be a working attack on any host with ARP.
        if r.random() < 0.7:
            body[r.choice([0, 1, 2, 3, 4, 5])] ^= r.randrange(1, 256)
        else:
            body[14:18] = bytes([10, 77, 0, r.randrange(100, 250)])
        return r.choice([ether[:6], b"\xff" * 6]) + own + b"\x08\x06" + bytes(body)[:r.choice([28, 28, 28, 27, 8, 0])]

    def options(self, ether, ip):
        r = self.random
        options = bytes([r.choice([0, 1, 7, 68, 130, 131, 137, 148, r.randrange(256)]), r.choice(EDGES8)]) + r.randbytes(38)
        return ether + ip_packet(ip[12:16], self.target, r.choice([1, 17, 6, r.randrange(256)]), r.randbytes(30),
                                 options=options[:r.choice([4, 8, 20, 40])])

    def other(self, ether, ip):
        r = self.random
        return r.choice([ether[:12] + struct.pack("!H", r.randrange(65536)) + ip[:60], ether + b"", ether + b"\x45",
                         ether + r.randbytes(r.randrange(100)),
                         ether + with_ip_checksum(ip[:12] + r.choice([bytes(4), b"\xff" * 4, b"\x7f\0\0\1", self.target]) + ip[16:40]),
                         ether + ip[:10] + r.randbytes(2) + ip[12:]])

    def send(self, frames):
        r, sent = self.random, 0
        makers = [self.damaged_tcp] * 6 + [self.icmp, self.fragment, self.udp, self.arp, self.options, self.other]
        for _ in range(frames):
            frame = r.choice(self.samples)
            made = r.choice(makers)(frame[:14], frame[14:])
            try:
                self.socket.send(made[:1514])
                sent += 1
            except OSError:  # shorter than a header, or the queue is full
                pass
        return sent


def main():
    iface, target, seed, frames = (sys.argv[1:] + ["1", "50000"][len(sys.argv) - 3:])[:4]
    m = Mutator(iface, target, int(seed))
    m.listen(40)
    print("seed", seed, "sent", m.send(int(frames)))


main()
