"""Capture files written and read by hand, so that a test knows every byte of them."""

import struct
from dataclasses import dataclass
from pathlib import Path

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET = 1


@dataclass(frozen=True)
class Stamped:
    """A frame and when it was captured."""

    frame: bytes
    time_ns: int = 0
    wire_bytes: int | None = None  # more than the frame has: cut by the snap length


def pcap(packets: list[Stamped], magic: int = NANO, link: int = ETHERNET) -> bytes:
    parts = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    unit = 1 if magic == NANO else 1000
    for packet in packets:
        seconds, below = divmod(packet.time_ns, 10**9)
        length = len(packet.frame)
        header = (seconds, below // unit, length, packet.wire_bytes or length)
        parts += [struct.pack("<IIII", *header), packet.frame]
    return b"".join(parts)


def block(kind: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def pcapng(packets: list[Stamped], link: int = ETHERNET) -> bytes:
    """Nanosecond resolution, as option 9 says it."""
    resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    parts = [
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack("<HHI", link, 0, 262144) + resolution),
    ]
    for packet in packets:
        high, low = divmod(packet.time_ns, 2**32)
        length = len(packet.frame)
        header = struct.pack("<IIIII", 0, high, low, length, packet.wire_bytes or length)
        parts.append(block(6, header + packet.frame))
    return b"".join(parts)


def read_pcap(data: bytes) -> list[Stamped]:
    magic, link = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, 20)[0]
    assert magic == NANO and link == ETHERNET
    packets, at = [], 24
    while at < len(data):
        seconds, below, length, wire = struct.unpack_from("<IIII", data, at)
        assert wire == length
        frame = data[at + 16 : at + 16 + length]
        assert len(frame) == length
        packets.append(Stamped(frame, seconds * 10**9 + below))
        at += 16 + length
    return packets


def read_file(path: Path) -> list[Stamped]:
    return read_pcap(path.read_bytes())
